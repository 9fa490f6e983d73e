"""Lists in the documents and in other code, against the tables that the tools print."""
import ast
import ctypes
import re
import subprocess

import pytest

from built import BUILD, ROOT, listed
from support import snn_reader

pytestmark = pytest.mark.skipif(not (BUILD / "mstrun").exists(), reason="the tools are not built")


def doc(name):
    return (ROOT / name).read_text()


def section(text, title):
    """From a heading to the next one."""
    return re.search(r"^#+ %s\n(.*?)(?=^#+ |\Z)" % re.escape(title), text, re.S | re.M).group(1)


def cells(text):
    """Rows of the tables in a text, without heads."""
    rows = [[c.strip() for c in line.strip().strip("|").split("|")] for line in text.splitlines()
            if line.startswith("|")]
    return [r for r in rows[1:] if not set(r[0]) <= set("-: ") or r[0] == ""]


def words(text):
    """"Gather (constant indices), Gelu" -> Gather, Gelu"""
    return [w.strip() for w in re.sub(r"\(.*?\)", "", text).split(",")]


def names(tool, what):
    return [row[0] for row in listed(tool, what)]


def test_operators_are_those_of_the_table():
    text, ops = doc("docs/ONNX.md"), listed("mstconv", "ops")
    ops = [o for o in ops if o[1:3] != ("no", "no") or o[5] == "-"]  # without those that are only cut
    own = [o[0] for o in ops if "." not in o[0]]
    assert own == sorted(own)  # the search for one halves the table
    folded = [w for row in cells(section(text, "Operators that are evaluated on constants")) for w in words(row[1])]
    folded[folded.index("Dropout in inference mode: its input")] = "Dropout"
    folded.remove("and a mask of ones")
    others = [w for row in cells(section(text, "Operators that are written with others")) for w in words(row[1])]
    assert sorted(others) == sorted(o[0] for o in ops if o[2] == "as others")
    yes, no = ({o[0] for o in ops if o[1] == word} for word in ("yes", "no"))
    assert set(folded) <= yes <= set(folded + others)
    inferred = [w for row in cells(section(text, "Operators that are only inferred")) for w in words(row[0])]
    inferred.remove("Dropout in training mode")
    assert set(inferred) <= no <= set(inferred + others)
    running = [w for row in cells(section(text, "Operators that run in the graph")) for w in words(row[1])]
    assert sorted(running) == [o[0] for o in ops if o[2] == "yes"]


def test_every_operator_has_a_row_that_is_true():
    """On live data: who runs is spiking or analog, and only those."""
    names_of = {file: re.findall(row, doc("converter/" + file), re.M) for file, row in (
        ("onnx_ops.def", r"^MST_ONNX_OP\((\w+)"), ("onnx_expand.def", r'^MST_ONNX_EXPAND\("([\w.]*)", (\w+)'))}
    known = set(names_of["onnx_ops.def"]) | {".".join(filter(None, pair)) for pair in names_of["onnx_expand.def"]}
    rows = listed("mstconv", "ops")
    cut = {row[0] for row in rows if row[5] == "yes"}
    assert {row[0] for row in rows} == known | cut and len(rows) == len({row[0] for row in rows})
    for row in rows:
        assert (row[2] != "no") == (row[3] != "-" or row[4] == "yes"), row
        assert row[3] in ("yes", "QCFS", "mask", "-") and row[4] in ("yes", "-") and row[5] in ("yes", "-")


def test_the_table_of_operators_is_that_of_the_tool():
    table = cells(section(doc("docs/ONNX.md"), "Every operator"))
    assert table == [[row[0], "yes" if row[1] == "yes" else ""] + [c if c != "-" else "" for c in row[3:]]
                     for row in listed("mstconv", "ops")], "write it anew: make operators"


def test_passes_are_those_of_the_table():
    rows = cells(doc("docs/CONVERSION.md").split("\n## ")[0])
    assert [r[0] for r in rows] == names("mstconv", "passes")


def test_formats_are_those_of_the_table():
    formats = listed("mstrun", "formats")
    events = [r for r in cells(section(doc("docs/EVENTS.md"), "Profiles"))]
    assert {r[0].strip("`"): "%s: %s" % (r[1], r[2]) for r in events} == {
        f[0]: f[1] for f in formats if f[0] in {r[0].strip("`") for r in events}}
    data = [r[0] for r in cells(doc("docs/DATA.md").split("\n## ")[0]) if r[0] != ""]
    assert data.pop() == "`nmnist:` and the other event formats"
    others = [f[0] for f in formats if f[0] not in {r[0].strip("`") for r in events}]
    assert ["`%s:`" % name for name in others] == data
    readme = re.search(r"^DATA is .*?event recordings", doc("README.md"), re.S | re.M).group(0)
    assert re.findall(r"`([a-z0-9]+):", readme) == others


def test_every_reader_is_in_the_table():
    """One that is not would never be asked."""
    made = {name for path in (ROOT / "runtime" / "data").glob("*.c")
            for name in re.findall(r"^const mst_data_reader mst_data_(\w+) =", path.read_text(), re.M)}
    assert made == set(re.findall(r"READER\((\w+)\)", doc("runtime/data/data_format.h")))
    rows = doc("runtime/data/events/event_stream.c")
    decoders = {name for path in (ROOT / "runtime" / "data" / "events").glob("*.c")
                for name in re.findall(r"^const mst_event_decoder (\w+) =", path.read_text(), re.M)}
    assert decoders == set(re.findall(r"^    \{.*?&(\w+),", rows, re.M))


def test_sites_are_those_of_the_table():
    assert names("mstrun", "sites") == names("mstcalib", "sites") == names("mstconv", "sites")
    masked = names("mstrun", "sites")
    row = next(r for r in cells(doc("docs/FORMAT.md")) if r[0] == "SITE")
    assert row[1] == ", ".join("%d %s" % pair for pair in enumerate(snn_reader.SITES))
    row = next(r for r in cells(doc("docs/CONVERSION.md")) if r[0] == "sites")
    assert row[1].startswith("names neurons %s and" % ", ".join(snn_reader.SITES[1:]))
    line = next(x for x in doc("README.md").splitlines() if x.startswith("  sites: ") and "#" in x)
    assert [w for w in re.findall(r"\w+", line) if w in snn_reader.SITES] == masked
    tree = ast.parse(doc("examples/train/masks.py"))
    sites = {t.id: ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) for t in n.targets
             if t.id in ("SITES", "KINDS")}
    assert list(sites["SITES"]) == masked and set(sites["KINDS"].values()) <= set(masked)


def library_names(lib, function):
    """What mst_..._name gives from 0 on."""
    call, out = getattr(lib, function), []
    call.restype = ctypes.c_char_p
    while call(len(out)) is not None:
        out.append(call(len(out)).decode())
    return out


@pytest.mark.skipif(not (BUILD / "libmst.so").exists(), reason="libmst.so is not built")
def test_numbers_of_the_format_are_those_of_the_library():
    lib, text = ctypes.CDLL(str(BUILD / "libmst.so")), doc("docs/FORMAT.md")
    rows = {r[0]: r[1] for r in cells(text) if len(r) == 2}
    fields = {r[2].split(":")[0]: r[2] for r in cells(text) if len(r) == 3 and ":" in r[2]}
    for where, function in (
            (rows["FN of binary"], "mst_binary_name"), (rows["FN of pool, reduce"], "mst_reduce_name"),
            (rows["FN of unary"], "mst_unary_name"), (rows["SITE"], "mst_site_name"),
            (fields["interpolation of the resize"], "mst_interpolation_name"), (fields["type"], "mst_dtype_name"),
            (fields["run"].split("Bits 4..7")[0].split("does not say:")[1], "mst_run_rule_name"),
            (fields["run"].split("radix mode:")[1], "mst_thinning_name")):
        numbered = {}
        for n, name in re.findall(r"(\d+),? ([a-z]\w*)", where):
            numbered.setdefault(int(n), name)
        expected = dict(enumerate(library_names(lib, function)))
        if function == "mst_dtype_name":  # of which one is never stored
            numbered[2] = {"float64": "f64"}[numbered[2]]
        assert numbered == expected, function


@pytest.mark.parametrize("tool", ["mstconv", "mstrun", "mstcalib"])
def test_help_names_what_the_tables_hold(tool):
    done = subprocess.run([str(BUILD / tool), "--help"], capture_output=True, text=True, check=True)
    text = " ".join(done.stdout.split())
    lists = re.search("--list WHAT what this build knows: ([a-z, -]+?) -h, --help", text).group(1).split(", ")
    assert {"sites", "interpolation", "split", "present"} <= set(lists) and "{" not in text
    assert {"ops", "passes", "weights"} <= set(lists) if tool == "mstconv" else {"formats", "isa"} <= set(lists)
    elsewhere = {"ops", "passes", "sites"} if tool == "mstconv" else {"formats"} if tool == "mstcalib" else set()
    for what in lists:
        assert names(tool, what) and (what in elsewhere or ", ".join(names(tool, what)) in text), what
    wrong = subprocess.run([str(BUILD / tool), "--list", "colours"], capture_output=True, text=True)
    assert wrong.returncode == 2 and not wrong.stdout
    assert "--list: expected one of %s, found 'colours'" % ", ".join(lists) in wrong.stderr
    assert subprocess.run([str(BUILD / tool), "--list"], capture_output=True).returncode == 2
