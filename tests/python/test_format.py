"""snn.bin: the reader written from docs/FORMAT.md agrees with the C code."""
import json
import re
import sys
import zlib

import numpy as np
import pytest

from snnkit import ROOT, make, snnkit  # noqa: F401

sys.path.insert(0, str(ROOT / "tests"))
from oracle import snn_reader  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
GOOD = sorted((GOLDEN / "snn-good").glob("*.bin"))
BAD = sorted((GOLDEN / "snn-bad").glob("*.bin"))
NAMES = ["OK", "EINVAL", "ENOMEM", "EIO", "EFORMAT", "ECORRUPT", "EVERSION", "EUNSUPPORTED", "ELIMIT"]


def floats(bits):
    return np.asarray(bits, "<u4").view("<f4")


def same(a, b):
    return np.asarray(a, "<f4").tobytes() == np.asarray(b, "<f4").tobytes()


def assert_agree(path, snnkit):
    """The C reader's dump of a file and the Python reader's objects hold the same."""
    graph = snn_reader.load(path)
    dump = json.loads(snnkit("dump", path).stdout)
    for field in ("timesteps", "seed", "input", "output", "source_name", "producer", "class_names"):
        assert dump[field] == getattr(graph, field), field
    for field in ("resize", "frames", "interpolation", "split", "present", "mode", "thinning", "channels_last",
                  "trained_on"):
        assert dump[field] == getattr(graph, field), field
    assert tuple(dump["crop"]) == graph.crop
    assert dump["sha256"] == graph.source_sha256.hex()
    assert same(floats(dump["mean"]), graph.mean) and same(floats(dump["std"]), graph.std)
    assert (dump["tuning"] is None) == (graph.tuning is None)
    if graph.tuning is not None:
        tuning = dump["tuning"]
        assert (tuning["timesteps"], tuning["readout_from"]) == (graph.tuning.timesteps, graph.tuning.readout_from)
        assert [t["node"] for t in tuning["first"]] == list(graph.tuning.first)
        for t, (axes, values) in zip(tuning["first"], graph.tuning.first.values()):
            assert t["axes"] == sum(1 << d for d in axes) and same(floats(t["bits"]), values)
    assert len(dump["tensors"]) == len(graph.tensors) and len(dump["nodes"]) == len(graph.nodes)
    for c, py in zip(dump["tensors"], graph.tensors):
        assert c["name"] == py.name and tuple(c["shape"]) == py.shape
        assert snn_reader.TYPES[c["dtype"]] is py.dtype
        assert (c["bits"] is None) == (py.data is None)
        if c["bits"] is not None:
            assert np.asarray(c["bits"], "<u%d" % py.data.itemsize).tobytes() == py.data.tobytes()
    for c, py in zip(dump["nodes"], graph.nodes):
        assert (c["op"], c["mode"], c["name"], c["out"]) == (py.op, py.mode, py.name, py.out)
        assert [None if k < 0 else k for k in c["in"]] == py.inputs
        flat = [v for values in py.ip.values() for v in (values if isinstance(values, list) else [values])]
        assert [v for _, v in c["ip"]] == flat and [n for n, _ in c["ip"] if n] == list(py.ip)
        assert [n for n, _ in c["fp"]] == list(py.fp) and same(floats([v for _, v in c["fp"]]), list(py.fp.values()))


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_good_files_agree(path, snnkit):
    assert_agree(path, snnkit)


@pytest.mark.parametrize("what", ["every-op", "tiny"] + [str(seed) for seed in range(12)])
@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
def test_samples_agree(what, weights, snnkit, tmp_path):
    assert_agree(make(snnkit, what, tmp_path, weights), snnkit)


def test_defaults_of_the_golden_files():
    graphs = {p.stem: snn_reader.load(p) for p in GOOD}
    found = {name: (g.mode, g.thinning, [n.ip["TOP"] for n in g.nodes if n.op == "neuron"])
             for name, g in graphs.items() if name.startswith(("count", "radix", "step", "plain"))}
    assert found == {"plain": ("step", "binomial", [0]), "count-mode": ("count", "binomial", [7, 0]),
                     "count-without-parameters": ("count", "binomial", [0, 0]),
                     "radix-systematic": ("radix", "systematic", [15, 15]),
                     "count-levels-step": ("step", "binomial", [4, 0]),
                     "step-systematic": ("step", "systematic", [0, 0])}
    assert [[n.ip["EVEN"] for n in graphs[name].nodes if n.op == "neuron"] for name in ("plain", "even", "even-levels")] \
        == [[0], [0, 1], [0, 1]]


def test_a_reader_without_the_feature_refuses(monkeypatch):
    monkeypatch.setattr(snn_reader, "KNOWN", snn_reader.NARROW)
    refused = []
    for path in GOOD:
        try:
            snn_reader.load(path)
        except snn_reader.FormatError as error:
            assert error.status == "EVERSION" and re.search("required features ([248]|10|12)$", str(error))
            refused.append(path.stem)
    assert sorted(refused) == ["count-levels-step", "count-mode", "count-without-parameters", "even", "even-levels",
                               "radix-systematic", "resize-both-sides", "step-systematic", "tuned", "tuned-all-alike",
                               "tuned-nothing"]


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_bad_files_are_refused(path, snnkit):
    status = path.stem.split("-")[0]
    done = snnkit("dump", path, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert NAMES[int(done.stderr.split()[0])] == status
    assert done.stderr.split(" ", 1)[1].startswith(str(path) + ": ")
    if path.stem.startswith("EFORMAT-graph-"):
        return  # shapes and parameters are for the C code to check
    with pytest.raises(snn_reader.FormatError) as caught:
        snn_reader.load(path)
    assert caught.value.status == status


def test_every_truncation_and_flip_is_refused(snnkit, tmp_path):
    raw = make(snnkit, "tiny", tmp_path).read_bytes()
    for cut in range(len(raw)):
        with pytest.raises(snn_reader.FormatError):
            snn_reader.parse(raw[:cut])
    for at in range(0, len(raw), 3):
        with pytest.raises(snn_reader.FormatError):
            snn_reader.parse(raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1:])


def test_same_graph_same_bytes(snnkit, tmp_path):
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    snnkit("make", "every-op", first)
    snnkit("make", "every-op", second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "b.bin"]


def test_golden_files_are_what_the_generator_makes(tmp_path):
    sys.path.insert(0, str(GOLDEN))
    import make_snn
    make_snn.write(tmp_path, make_snn.good())
    for part in (make_snn.bad_bytes, make_snn.bad_records, make_snn.bad_tensors_and_nodes,
                 make_snn.bad_tuning, make_snn.bad_graphs):
        make_snn.write(tmp_path, part())
    made = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    kept = {p.name: p.read_bytes() for p in GOOD + BAD if not p.name.startswith("c-")}
    assert made == kept


def test_operator_table_of_the_document():
    """FORMAT.md, the Python reader and ops.def list the same operators and parameters."""
    text = (ROOT / "runtime" / "include" / "mst" / "ops.def").read_text()
    ops = []
    for kind, args in re.findall(r"^MST_(OP_BEGIN|IP|FP)\(([^)]*)\)", text, re.M):
        args = [a.strip() for a in args.split(",")]
        if kind == "OP_BEGIN" and args[0] != "ID":
            ops.append((args[1].strip('"'), [], []))
        elif kind == "IP" and args[0] != "ID":
            ops[-1][1].append((args[1], int(args[2])))
        elif kind == "FP" and args[0] != "ID":
            ops[-1][2].append(args[1])
    assert [(name, tuple(ip), tuple(fp)) for name, ip, fp in ops] == snn_reader.OPS
    rows = re.findall(r"^\| (\d+) \| (\w+) \| [^|]* \|([^|]*)\|([^|]*)\|$", (ROOT / "docs" / "FORMAT.md").read_text(), re.M)
    document = [(int(n), name, [f.strip() for f in ip.split(",") if f.strip()],
                 [f.strip() for f in fp.split(",") if f.strip()]) for n, name, ip, fp in rows]
    expected = [(i, name, ["%s[%d]" % (f, n) if n > 1 else f for f, n in ip], list(fp))
                for i, (name, ip, fp) in enumerate(snn_reader.OPS)]
    assert document == expected


def test_checksum_of_the_document():
    assert zlib.crc32(b"123456789") == 0xCBF43926
