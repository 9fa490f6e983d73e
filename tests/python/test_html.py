"""The page of --html: well formed, self-contained, escaped, with the numbers of the JSON; in Chromium where there is one."""
import base64
import gzip
import html.parser
import io
import json
import re

import numpy as np
import pytest

from built import tool
from support import FIXTURES, helper, numpy_helper, onnx  # noqa: F401
from test_json import DIGITS, ONNX

VOID = {"meta", "img", "br", "hr"}
SVG_LEAVES = {"rect", "line", "path", "circle"}


class Page(html.parser.HTMLParser):
    """Elements as a tree of [tag, attributes, children]; strict about what is open."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.root = ["", {}, []]
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert [e[0] for e in self.open] == [""], "left open: %s" % [e[0] for e in self.open]

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        self.open[-1][2].append([tag, dict(attrs), []])
        if tag not in VOID:
            self.open.append(self.open[-1][2][-1])

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_LEAVES, tag
        self.open[-1][2].append([tag, dict(attrs), []])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag, tag

    def handle_data(self, data):
        self.open[-1][2].append(data)


def walk(element, tag=None):
    if isinstance(element, str):
        return
    if tag is None or element[0] == tag:
        yield element
    for child in element[2]:
        yield from walk(child, tag)


def text(element):
    return element if isinstance(element, str) else "".join(text(c) for c in element[2])


def tables(page):
    """{label: rows of cells, a cell its value or its text}"""
    def cell(c):
        data = next(walk(c, "data"), None)
        return float(data[1]["value"]) if data is not None else text(c)
    found = {}
    for box in walk(page.root, "div"):
        if box[1].get("class") == "scroll":
            rows = [[cell(c) for c in row[2] if not isinstance(c, str)] for row in walk(box, "tr")]
            assert box[1]["aria-label"] not in found and len({len(r) for r in rows}) == 1
            found[box[1]["aria-label"]] = rows
    return found


def check(page_text):
    """What holds of every page."""
    page = Page(page_text)
    assert page_text.startswith("<!DOCTYPE html>\n") and page_text.isprintable() is False
    ids = [e[1]["id"] for e in walk(page.root) if "id" in e[1]]
    assert len(ids) == len(set(ids))
    for e in walk(page.root):
        assert e[0] not in ("script", "link", "iframe", "object", "base") and not any(a.startswith("on") for a in e[1]), e[:2]
        for name, value in e[1].items():
            assert not re.search(r"\b(nan|inf)\b|-?1e\+?\d", value or "", re.I) or e[0] in ("th", "section", "div", "img"), (e[0], name, value)
        for name in ("src", "href", "xlink:href"):
            assert e[1].get(name, "#").startswith(("#", "data:image/png;base64,")), e[:2]
    assert not re.search(r"https?:|url\(|@import", page_text.split("<body>")[0])
    for svg in walk(page.root, "svg"):
        kids = [c for c in svg[2] if not isinstance(c, str)]
        assert svg[1]["role"] == "img" and [k[0] for k in kids[:2]] == ["title", "desc"]
        assert svg[1]["aria-labelledby"].split() == [k[1]["id"] for k in kids[:2]] and all(text(k) for k in kids[:2])
        w, h = map(float, svg[1]["viewbox"].split()[2:])
        for e in walk(svg):
            for x in ("x", "x1", "x2", "cx"):
                assert -30 <= float(e[1].get(x, 0)) <= w + 1, (e, w)
            for y in ("y", "y1", "y2", "cy"):
                assert -1 <= float(e[1].get(y, 0)) <= h + 1, (e, h)
    for section in walk(page.root, "section"):
        if any(True for _ in walk(section, "svg")):
            assert any(True for _ in walk(section, "table")), section[1]
    return page


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("html")
    tool("mstconv", ONNX, "-o", folder / "d.bin", "--quiet")
    tool("mstconv", ONNX.with_name("digits-swin-sa50.onnx"), "-o", folder / "m.bin", "--quiet")
    return folder


def calib(made, *args, onnx_file=ONNX, model="d.bin", n=40):
    out = made / "page.html"
    done = tool("mstcalib", onnx_file, made / model, DIGITS, "-n", n, "--html", out, "--json", "-", "--quiet", *args)
    return check(out.read_text()), json.loads(done.stdout)


def close(shown, values):
    assert len(shown) == len(values)
    for a, b in zip(shown, values):
        assert (b is None and a == "\u2013") or a == pytest.approx(b, rel=1e-9, abs=1e-9)


def check_numbers(page, r, fixed):
    shown = tables(page)
    at = r["at"]
    step = r["mode"] == "step"
    for k, row in enumerate(shown["Accuracy"][1:]):
        assert row[0] == (at[k]["t"] if step else r["mode"])
        assert row[1] == pytest.approx(at[k]["top1_percent"])
        if len(row) > 3:
            said = at[k] if fixed else r["ann"] if k == len(at) - 1 else None
            keys = ("loss_percent", "loss_se_percent", "agreement_percent", "logit_rel_l2")
            close(row[3:], [said[key] for key in keys[:len(row) - 3]]) if said else None
    for k, row in enumerate(shown["Spikes and operations of one sample"][1:]):
        close(row[1:], [at[k][key] for key in ("fired_per_sample", "spikes_per_sample", "sops_per_sample", "macs_per_sample",
                                                "energy_pj", "energy_ratio", "energy_total_ratio")])
    energy = {row[0]: row[1:] for row in shown["Energy"][1:]}
    name = r["energy"]["constants"]["set"]
    for label, key in (("this run", "run"), ("ANN", "ann"), ("ANN of %s bits" % (r["energy"]["bit_ann"] or {}).get("bits"), "bit_ann")):
        if r["energy"][key] is not None:
            close(energy["%s: %s" % (name, label)], [r["energy"][key].get(k) for k in (
                "operations_pj", "memory_pj", "updates_pj", "total_pj", "ratio", "total_ratio")])
    for l, row in zip(r["layers"], shown["Firing rates"][1:]):
        assert row[0] == l["name"]
        close(row[2:4] + row[5:], [l[k] for k in ("neurons", "rate_percent", "fired_per_sample", "spikes_per_sample", "input_ops_per_sample")])
    if fixed:
        heads = shown["Error of each layer"][0]
        for l, row in zip(r["layers"], shown["Error of each layer"][1:]):
            said = dict(zip(heads, row))
            assert said["layer"] == l["name"]
            close([said[h] for h in ("theta", "L", "mean |error|", "\u00b1", "relative L2", "largest", "bias", "within theta/2L, %", "residual")],
                  [l[k] for k in ("theta", "L", "mae", "mae_se", "rel_l2", "max", "bias", "within_percent", "residual")])
            assert heads[-len(l["parts"]):] == list(l["parts"])
            close([said[p] for p in l["parts"]], list(l["parts"].values()))


@pytest.mark.parametrize("args", [("-T", "1,4,16"), ("--mode", "count", "--levels", 4), ("--mode", "radix", "--bits", 3, "--energy-set", "int8")])
def test_numbers_of_a_calibration(made, args):
    page, r = calib(made, *args)
    check_numbers(page, r, True)
    words = text(next(walk(page.root, "section")))
    assert "%.2f %%" % r["at"][-1]["top1_percent"] in words and "%.2f" % abs(r["ann"]["loss_percent"]) in words or r["ann"]["loss_percent"] == 0
    assert "%.3g times" % r["energy_ratio"] in words and r["assumed"]["normalization"] in words
    assert ("an ANN of %d bits" % 3 in words) == (r["mode"] == "radix")
    ids = [e[1]["id"] for e in walk(page.root) if "id" in e[1]]
    assert {"accuracy-t", "energy-t", "costs-t", "errors-t", "rates-t"} <= set(ids)


def run(made, *args, model="d.bin", n=40):
    out = made / "run.html"
    done = tool("mstrun", made / model, DIGITS, "-n", n, "--html", out, "--json", "-", "--quiet", *args)
    return check(out.read_text()), json.loads(done.stdout)


def check_classes(page, r):
    """Confusions, accuracies of classes, samples that flip: as the JSON has them."""
    shown, ann = tables(page), r["ann"]
    for label, key in (("Labels and what the network says", r["confusion"]), ("Labels and what the ANN says", ann and ann["ann_confusion"]),
                       ("What the ANN and the network say", ann and ann["pairs"])):
        assert (label in shown) == (key is not None)
        if key is not None:
            assert [[int(a), int(b), n] for a, b, n in shown[label][1:]] == key
    ann_right = {c[0]: c[2] for c in (ann["ann_confusion"] if ann else []) if c[0] == c[1]}
    assert len(shown["Accuracy of each class"]) == 1 + len(r["per_class"])
    for row, c in zip(shown["Accuracy of each class"][1:], r["per_class"]):
        assert (int(row[0]), row[1], row[2], row[3]) == (c["class"], c["samples"], c["right"], pytest.approx(c["top1_percent"]))
        assert ann is None or row[4] == ann_right.get(c["class"], 0)
    if ann and ann["flipped"]:
        assert [[row[0]] + [int(c) for c in row[1:]] for row in shown["Samples that flip"][1:]] == [
            [f["sample"], f["label"], f["ann"], f["snn"]] for f in ann["flips"]]


@pytest.mark.parametrize("args", [("-T", "16", "--at", "2,8,16"), ("--mode", "count", "--levels", 4), ("--mode", "radix"), ("--mode", "ann")])
def test_numbers_of_a_run(made, args):
    page, r = run(made, *args)
    if r["mode"] != "ann":
        check_numbers(page, r, False)
    check_classes(page, r)
    assert (r["ann"] is None) == (r["mode"] == "ann")
    words = text(next(walk(page.root, "section")))
    assert "%.2f %%" % r["at"][-1]["top1_percent"] in words


def test_the_ann_of_a_run_is_that_of_the_calibration(made):
    """It has the weights of the file, which are those of the ONNX file here."""
    _, a = calib(made, "-T", 16)
    page, b = run(made, "-T", 16)
    assert a["ann"] == b["ann"] and a["confusion"] == b["confusion"] and a["ann"]["flipped"] > 0
    check_classes(page, a)


@pytest.mark.parametrize("args", [("-T", "8,16"), ("--mode", "count", "--levels", 4), ("--mode", "radix")])
def test_a_calibration_counts_what_a_run_counts(made, args):
    sa50 = ONNX.with_name("digits-swin-sa50.onnx")
    a = json.loads(tool("mstcalib", sa50, made / "m.bin", DIGITS, "-n", 6, "--json", "-", "--quiet", *args).stdout)
    more = ("-T", 16, "--at", "8,16") if args[0] == "-T" else args
    b = json.loads(tool("mstrun", made / "m.bin", DIGITS, "-n", 6, "--json", "-", "--quiet", *more).stdout)
    keys = [k for k in b["at"][0] if k not in ("t", "top5_percent")]
    assert "energy_ratio" in keys and len(keys) > 7
    assert [{k: x[k] for k in keys} for x in a["at"]] == [{k: x[k] for k in keys} for x in b["at"]]
    assert a["energy"] == b["energy"] and a["confusion"] == b["confusion"] and a["per_class"] == b["per_class"]
    for x, y in zip(a["layers"], b["layers"]):
        assert {k: x[k] for k in ("name", "rate_percent", "fired_per_sample", "spikes_per_sample", "input_ops_per_sample")} == {
            k: y[k] for k in ("name", "rate_percent", "fired_per_sample", "spikes_per_sample", "input_ops_per_sample")}
    assert any(y["fired_per_sample"] > y["spikes_per_sample"] for y in b["layers"])


def test_pictures_of_samples_that_flip(made):
    """The images of the file, and maps of the size of the layer."""
    Image = pytest.importorskip("PIL.Image")
    page, r = run(made, "-T", 8, "--html-layer", "/stem/layers/layers.3/Floor")
    items = [e for e in walk(page.root, "ul") if e[1].get("class") == "flips"][0]
    items = list(walk(items, "li"))
    assert len(items) == min(12, r["ann"]["flipped"]) > 0
    with gzip.open(DIGITS.split(":")[1].split(",")[0]) as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    for item, flip in zip(items, r["ann"]["flips"]):
        pictures = [np.array(Image.open(io.BytesIO(base64.b64decode(i[1]["src"].split(",")[1])))) for i in walk(item, "img")]
        assert len(pictures) == 3 and (pictures[0] == images[flip["sample"]]).all()
        assert "Sample %d, label %d" % (flip["sample"], flip["label"]) in text(item)
        ann, snn = pictures[1:]
        assert ann.shape == snn.shape and ann.shape[0] == ann.shape[1] > 6 and ann.any() and (ann != snn).any()


def test_distributions(made):
    """Against the activations of the oracle's ANN, of the layer and the samples that were asked for."""
    from oracle import simulator, snn_reader
    name = "/blocks/blocks.0/fc1_if/Floor"
    page, r = run(made, "-T", 8, "--html-layer", name, n=16)
    assert name in text([e for e in walk(page.root, "section") if e[1]["aria-labelledby"] == "values-section"][0])
    with gzip.open(DIGITS.split(":")[1].split(",")[0]) as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    done = tool("mstrun", made / "d.bin", DIGITS, "-n", 16, "-T", 8, "--predictions", made / "p.npz", "--raster", name, "--raster-to",
                made / "r.npz", "--quiet")
    assert done.returncode == 0
    raster = np.load(made / "r.npz")
    graph = snn_reader.load(made / "d.bin")
    x = ((images[raster["sample"]] / np.float32(255) - np.float32(.1307)) / np.float32(.3081)).astype(np.float32)
    sim = simulator.Simulator(graph, spiking=False)
    sim.begin(x)
    sim.step()
    node = [n for n in graph.nodes if n.op == "neuron" and n.name == name][0]
    levels = np.rint(sim.values[node.out].ravel() / graph.tensors[node.inputs[1]].data.ravel()[0] * 16).astype(int)
    rows = np.array(tables(page)["Activations"][1:])
    assert rows[:, 0] == pytest.approx(np.arange(17) / 16)
    assert rows[:, 1] == pytest.approx(100 * np.bincount(levels, minlength=17) / levels.size, abs=.02)
    counts = raster["counts_%d" % raster["layer"][0]].ravel()
    assert rows[:, 2] == pytest.approx(100 * np.bincount(2 * counts, minlength=17) / counts.size)
    assert sum(row[1] for row in tables(page)["Potentials"][1:]) == pytest.approx(100)


def test_wrong_layers(made):
    for args in (("mstrun", made / "d.bin", DIGITS), ("mstcalib", ONNX, made / "d.bin", DIGITS)):
        done = tool(*args, "-n", 2, "--html", made / "w.html", "--html-layer", "nothing", code=1)
        assert "--html-layer: expected a layer or its number, 0 to 32, found 'nothing'" in done.stderr and not (made / "w.html").exists()
        assert "--html-layer: expected --html with it" in tool(*args, "--html-layer", "0", code=2).stderr
    for other in (("--mode", "count", "--levels", "4,8"), ("--resume", made / "j.json")):
        done = tool("mstrun", made / "d.bin", DIGITS, "-n", 2, "--html", made / "w.html", *other, code=2)
        assert "--html" in done.stderr


def test_of_parts(made, tmp_path):
    """Put together, without the networks."""
    for i in (1, 2):
        tool("mstrun", made / "d.bin", DIGITS, "-n", 20, "-T", 8, "--shard", "%d/2" % i, "--json", tmp_path / ("%d.json" % i), "--quiet",
             "--html", tmp_path / ("%d.html" % i))
        check((tmp_path / ("%d.html" % i)).read_text())
    tool("mstrun", "--merge", tmp_path / "1.json", tmp_path / "2.json", "--html", tmp_path / "all.html", "--json", tmp_path / "all.json", "--quiet")
    r = json.loads((tmp_path / "all.json").read_text())
    page = check((tmp_path / "all.html").read_text())
    assert r["ann"] is None
    check_classes(page, r)
    check_numbers(page, r, False)


def test_masks(made):
    page, r = calib(made, "-T", 4, "--ann-masks", "mean", onnx_file=ONNX.with_name("digits-swin-sa50.onnx"), model="m.bin")
    rows = tables(page)["Masks"][1:]
    assert rows and {row[4] for row in rows} == {0.5} and {row[5] for row in rows} == {0.5}
    layers = {l["name"]: l for l in r["layers"]}
    for row in rows:
        close(row[6:8], [layers[row[0]][k] for k in ("fired_per_sample", "spikes_per_sample")])
    page, _ = calib(made, "-T", 4)
    assert "Masks" not in tables(page)


def test_loss_and_its_error(made):
    """Against the samples' own classes."""
    page, r = calib(made, "-T", 16, n=60)
    ann = r["ann"]
    flips = {f["sample"]: f for f in ann["flips"]}
    assert len(flips) == ann["flipped"] and ann["agreement_percent"] == pytest.approx(100 * (1 - ann["flipped"] / r["samples"]))
    lost = sum(f["ann"] == f["label"] for f in flips.values())
    gained = sum(f["snn"] == f["label"] for f in flips.values())
    each = np.array([1.] * lost + [-1.] * gained + [0.] * (r["samples"] - lost - gained))
    assert ann["flipped"] > 3 and ann["loss_percent"] == pytest.approx(100 * each.mean())
    assert ann["loss_se_percent"] == pytest.approx(100 * each.std(ddof=1) / np.sqrt(len(each)))
    assert ann["ann_top1_percent"] - r["at"][-1]["top1_percent"] == pytest.approx(ann["loss_percent"])
    assert sum(c[2] for c in ann["pairs"] if c[0] != c[1]) == ann["flipped"]
    assert sum(c[2] for c in ann["ann_confusion"] if c[0] == c[1]) == round(ann["ann_top1_percent"] * r["labelled"] / 100)


def test_only_the_footer_differs(made):
    pages = []
    for threads in (1, 3):
        calib(made, "-T", 4, "--threads", threads)
        pages.append((made / "page.html").read_text().split("<footer")[0])
    assert pages[0] == pages[1]


HOSTILE = "<script>alert(1)</script>\"'&]]>--><svg onload=x>"


def test_names_are_text(made, tmp_path):
    """Layers, classes and paths of other people."""
    model = onnx.load(FIXTURES / "swin-ts.onnx")
    for node in model.graph.node:
        node.name = node.name and node.name + HOSTILE
    folder = tmp_path / ("a&b<i>" + "\xe9")
    folder.mkdir()
    onnx.save(model, folder / "x.onnx")
    (folder / "classes.txt").write_text("".join("c%d%s\n" % (i, HOSTILE) for i in range(10)))
    tool("mstconv", folder / "x.onnx", "-o", folder / "x.bin", "--classes", folder / "classes.txt", "--quiet")
    z = np.load(FIXTURES / "swin.npz")
    np.save(folder / "x.npy", z["x"])
    np.save(folder / "y.npy", z["logits_ts"].argmax(1))
    tool("mstcalib", folder / "x.onnx", folder / "x.bin", "npy:%s,%s" % (folder / "x.npy", folder / "y.npy"), "-T", "1,2",
         "--html", folder / "p.html", "--quiet")
    got = (folder / "p.html").read_text()
    page = check(got)
    assert "<script" not in got and "<i>" not in got and "a&amp;b&lt;i&gt;\xe9" in got
    assert any(HOSTILE in row[0] for row in tables(page)["Firing rates"][1:])


def test_it_replaces_no_input(made, tmp_path):
    for path in (made / "d.bin", ONNX, tmp_path / "other.html"):
        (tmp_path / "other.html").write_text("<!DOCTYPE html>\n<html lang=\"en\">mine")
        before = path.read_bytes()
        done = tool("mstcalib", ONNX, made / "d.bin", DIGITS, "-n", 2, "-T", 1, "--html", path, code=2)
        assert len(done.stderr.splitlines()) == 1 and path.read_bytes() == before
    done = tool("mstcalib", ONNX, made / "d.bin", DIGITS, "--tune", tmp_path / "t.bin", "--html", tmp_path / "p.html", code=2)
    assert "--html: not with --tune" in done.stderr
    for _ in range(2):  # its own it replaces
        tool("mstcalib", ONNX, made / "d.bin", DIGITS, "-n", 2, "-T", 1, "--html", tmp_path / "p.html", "--quiet")
    done = tool("mstcalib", ONNX, made / "d.bin", DIGITS, "-n", 2, "-T", 1, "--html", "-")
    check(done.stdout)
    assert "ANN top-1" in done.stderr


# ---- other ways of running -----------------------------------------------------------------


def in_mode(made, model, *args):
    done = tool("mstrun", made / model, DIGITS, "-n", 40, "--json", "-", "--quiet", *args)
    r = json.loads(done.stdout)
    return r.get("runs", [r])[0]


def said(r, k=-1):
    at = r["at"][k]
    return [at["top1_percent"], at["spikes_per_sample"], at["sops_per_sample"], at["energy_ratio"], at["energy_total_ratio"]]


@pytest.mark.parametrize("model", ["d.bin", "m.bin"])
@pytest.mark.parametrize("name", ["mstcalib", "mstrun"])
def test_other_modes_are_those_that_mstrun_runs(made, name, model):
    """Counts of 4, 8 and the layers' own 16 levels, digits of 7 and of 16, on the same samples."""
    out = made / "modes.html"
    first = [ONNX.with_name("digits-swin-sa50.onnx" if model == "m.bin" else ONNX.name)] if name == "mstcalib" else []
    at = ("-T", "2,8") if name == "mstcalib" else ("-T", 8, "--at", "2,8")
    steps = json.loads(tool(name, *first, made / model, DIGITS, "-n", 40, *at, "--html", out, "--json", "-", "--quiet",
                            "--threads", 2).stdout)
    steps = steps.get("runs", [steps])[0]
    rows = {row[0]: row[1:] for row in tables(check(out.read_text()))["Modes, a sample"][1:]}
    ways = {"count, 4 levels": ("--mode", "count", "--levels", 4), "count, 8 levels": ("--mode", "count", "--levels", 8),
            "count, each layer's levels": ("--mode", "count"), "radix, 7 levels": ("--mode", "radix", "--bits", 3),
            "radix, each layer's levels": ("--mode", "radix")}
    assert list(rows) == ["T = 2", "T = 8"] + list(ways)
    for k, t in enumerate((2, 8)):
        close([rows["T = %d" % t][i] for i in (0, 3, 4, 5, 6)], said(steps, k))
        assert rows["T = %d" % t][2] == t
    for way, args in ways.items():
        r = in_mode(made, model, *args)
        close([rows[way][i] for i in (0, 3, 4, 5, 6)], said(r))
        assert rows[way][2] == r["latency_steps"]


def test_other_modes_only_beside_time_steps(made):
    page, _ = calib(made, "--mode", "count")
    assert "Modes, a sample" not in tables(page)


def test_where_the_accuracy_goes(made, tmp_path):
    """The paragraph and the numbers of the JSON's attribution; nothing of it without --attribute."""
    args = ("mstcalib", ONNX, made / "d.bin", DIGITS, "-n", 6, "-T", 8, "--html", tmp_path / "p.html", "--quiet")
    tool(*args)
    assert "Where the accuracy goes" not in (tmp_path / "p.html").read_text()
    tool(*args, "--attribute", "--attribute-layers", 2, "--json", tmp_path / "r.json")
    a = json.loads((tmp_path / "r.json").read_text())["attribution"]
    page = check((tmp_path / "p.html").read_text())
    assert a["summary"] in text(page.root)
    rows = tables(page)["What is better without each cause, its cost alone, its share"]
    numbers = [[c[way][k] for way in ("away", "alone", "share") for k in ("points", "points_se", "logit_rel_l2")]
               for c in a["causes"]]
    assert [r[0] for r in rows[1:-1]] == [c["cause"] for c in a["causes"]]
    np.testing.assert_allclose(np.array([r[1:] for r in rows[1:-1]], float) * ([100, 100, 1] * 3), numbers, atol=1e-6)
    parts = tables(page)["What is better without a layer's or block's own error, what that costs alone"]
    assert [r[1] for r in parts[1:]] == [p["largest"] for p in a["parts"]]
    assert [r[0] for r in parts[1:3]] == [p["layer"] for p in a["parts"][:2]]


# ---- charts ----------------------------------------------------------------------------------


def chart(made, name):
    """[(anchor or class, x, text)], strokes of class ref and widths of bars of a drawing."""
    svg = re.search(r'<svg[^>]*aria-labelledby="%s-t.*?</svg>' % name, (made / "page.html").read_text(), re.S).group(0)
    texts = [(float(x), html.unescape(t)) for x, t in re.findall(r'<text x="([-0-9.]+)"[^>]*>([^<]*)</text>', svg)]
    refs = [float(x) for x in re.findall(r'<line class="ref" x1="([-0-9.]+)"', svg)]
    bars = [(float(x), float(w)) for x, w in re.findall(r'<rect class="f0" x="([-0-9.]+)" y="[-0-9.]+" width="([-0-9.]+)"', svg)]
    return svg, texts, refs, bars


def test_charts_of_a_network_that_gains(made):
    """Causes that gain have bars to the left, and their number; no line ends with the ANN's activations behind masks."""
    page, r = calib(made, "-T", "4,8", "--attribute", "--attribute-layers", 2, "--ann-masks", "none", n=30,
                    onnx_file=ONNX.with_name("digits-swin-sa50.onnx"), model="m.bin")
    _, texts, _, bars = chart(made, "attribution-causes")
    shares = [c["share"]["points"] for c in r["attribution"]["causes"]]
    assert min(shares) < 0
    zero = min(x for x, t in texts if t == "0")
    for share in shares:
        assert "%.2f" % share in [t for _, t in texts]
    assert sum(x < zero - .5 for x, w in bars if w > 0) == sum(s < 0 for s in shares)
    said = text(page.root)
    assert "has the ANN's activations" not in said and "no line ends with the ANN's activations" in said
    assert "the ANN" in said and "without masks, though the spiking network has some" in said


def test_charts_of_a_network_that_loses(made):
    """Whiskers end within the axes, the ANN's line is named and crosses no number, the summary has attribution's layer."""
    page, r = calib(made, "-T", "4,8,16", "--attribute", "--attribute-layers", 3, n=40)
    svg, texts, _, _ = chart(made, "accuracy")
    ends = [float(v) for pair in re.findall(r'whisker l0" x1="[-0-9.]+" y1="([-0-9.]+)" x2="[-0-9.]+" y2="([-0-9.]+)"', svg) for v in pair]
    ticks = [float(t) for _, t in texts if re.fullmatch("[0-9]+", t) and t not in ("4", "8", "16")]
    low = min(p["top1_percent"] - 100 * np.sqrt(p["top1_percent"] / 100 * (1 - p["top1_percent"] / 100) / (40 - 1)) for p in r["at"])
    assert min(ticks) <= low and len(ends) == 6
    named = "ANN %.2f %%" % r["ann_top1_percent"]
    assert named in [t for _, t in texts] and named in [t for _, t in chart(made, "modes")[1]]
    _, texts, refs, _ = chart(made, "energy")
    numbers = [(x, t) for x, t in texts if re.fullmatch(r"[0-9]+\.[0-9]+", t)]
    assert refs and numbers and not any(x < refs[0] < x + 7 * len(t) for x, t in numbers)
    parts = [p for p in r["attribution"]["parts"] if p["layer"]]
    worst = max(parts, key=lambda p: p["away"]["points"])
    lead = [text(e) for e in walk(page.root, "p") if e[1].get("class") == "lead"][0]
    assert worst["away"]["points"] > 2 * worst["away"]["points_se"]
    assert "whose own error costs most is %s" % worst["layer"] in lead and "adds most" not in lead
