"""mstcalib --attribute: what the accuracy is lost to, by what-if runs; planted faults are named first."""
import gzip
import json
import re
import signal

import numpy as np
import pytest

from built import BUILD, ROOT, lasting, tool
from screen import on_screen
from support import Net, runtime
from test_qcfs import qcfs

DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
SWIN = ROOT / "examples" / "models" / "digits-swin.onnx"
LAYERS, CHANNELS, SIZE, CLASSES, SAMPLES, FAULT = 5, 8, 6, 10, 80, 2
TRAINED = [16] * LAYERS


def network(theta=None, levels=TRAINED):
    """Convolutions, each with BatchNorm and QCFS; faults in one of them. theta: (layer, factor)."""
    rng = np.random.default_rng(11)
    n = Net(["N", 3, SIZE, SIZE], 13)
    y = n.x
    for k in range(LAYERS):
        inputs = 3 if k == 0 else CHANNELS
        w = rng.normal(size=(CHANNELS, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
        bn = [rng.uniform(0.6, 1.4, CHANNELS), rng.normal(size=CHANNELS) * 0.3, rng.normal(size=CHANNELS) * 0.2,
              rng.uniform(0.5, 1.5, CHANNELS)]
        y = n.op("Conv", y, n.const(w), pads=[1, 1, 1, 1], name="conv%d" % k)
        y = n.op("BatchNormalization", y, *(n.const(v) for v in bn))
        y = qcfs(n, y, 0.9 * (theta[1] if theta and theta[0] == k else 1), levels[k])
    y = n.op("Flatten", n.op("GlobalAveragePool", y))
    return n.model(n.op("MatMul", y, n.const(rng.normal(size=(CHANNELS, CLASSES)))))


def without_bn(model, k):
    """What reads the k-th BatchNormalization reads what it reads."""
    bn = [node for node in model.graph.node if node.op_type == "BatchNormalization"][k]
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == bn.output[0]:
                node.input[i] = bn.input[0]
    model.graph.node.remove(bn)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """good.onnx, good.bin, x.npy and y.npy: the classes that the good ANN says."""
    where, x = tmp_path_factory.mktemp("attribution"), np.random.default_rng(3).normal(size=(SAMPLES, 3, SIZE, SIZE))
    model = network()
    (where / "good.onnx").write_bytes(model.SerializeToString())
    np.save(where / "x.npy", x.astype("f4"))
    np.save(where / "y.npy", runtime(model, x.astype("f4")).reshape(SAMPLES, CLASSES).argmax(1))
    tool("mstconv", where / "good.onnx", "-o", where / "good.bin", "--quiet")
    return where


def convert(folder, model, name, *args):
    (folder / (name + ".onnx")).write_bytes(model.SerializeToString())
    tool("mstconv", folder / (name + ".onnx"), "-o", folder / (name + ".bin"), "--quiet", *args)
    return folder / (name + ".bin")


def attribute(folder, model, *args, onnx=None, data=None):
    data = data or "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")
    done = tool("mstcalib", onnx or folder / "good.onnx", model, data, "--attribute", "--json", "-", "--quiet", *args)
    return lasting(json.loads(done.stdout))


def layer_name(report, k):
    return report["layers"][k]["name"]


def test_statistics_of_sorted_data(folder):
    """Layers are chosen by samples from all over the data, whether these are sorted or come in turns."""
    x = np.load(folder / "x.npy")
    for name, order in (("sorted", np.repeat([0, 1], 64)), ("turns", np.arange(128) % 2)):
        np.save(folder / (name + ".npy"), np.resize(x, (128,) + x.shape[1:]) + 20 * order[:, None, None, None].astype("f4"))
        r = attribute(folder, folder / "good.bin", data="npy:%s" % (folder / (name + ".npy")))
        assert np.mean(r["attribution"]["input_mean"]) == pytest.approx(10, abs=4), name


# ---- faults ----

def first(report):
    return report["attribution"]["findings"][0]


@pytest.mark.parametrize("mode", [("-T", 32), ("--mode", "count"), ("--mode", "radix")], ids=lambda m: m[-1])
def test_one_theta_halved(folder, mode):
    r = attribute(folder, convert(folder, network(theta=(FAULT, 0.5)), "theta"), *mode)
    assert first(r)["kind"] == "network" and first(r)["layer"] == layer_name(r, FAULT)
    assert "its threshold is 0.5 times the ANN's" in first(r)["text"] and "Convert again" in first(r)["advice"]
    assert [row["differs"] for row in r["attribution"]["layers"]] == [k == FAULT for k in range(LAYERS + 1)]
    assert r["attribution"]["parts"][0]["layer"] == layer_name(r, FAULT)
    assert r["attribution"]["parts"][0]["largest"] == "network"


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
@pytest.mark.parametrize("mode", [("-T", 32), ("--mode", "count")], ids=lambda m: m[-1])
def test_one_batchnorm_skipped(folder, mode, weights):
    """The node of the convolution has other weights than their type explains."""
    r = attribute(folder, convert(folder, without_bn(network(), FAULT), "bn", "--weights", weights), *mode)
    assert first(r)["kind"] == "network" and first(r)["layer"] == layer_name(r, FAULT)
    assert "what it is computed with" in first(r)["text"]
    assert [row["differs"] for row in r["attribution"]["layers"]] == [k == FAULT for k in range(LAYERS + 1)]
    assert r["attribution"]["parts"][0]["layer"] == layer_name(r, FAULT)


def test_one_layer_of_four_levels(folder):
    """Another network in any mode; in count mode that layer runs with 4, while steps know no L and change nothing."""
    levels = [4 if k == FAULT else 16 for k in range(LAYERS)]
    model = convert(folder, network(levels=levels), "levels")
    for mode in (("-T", 16), ("--mode", "count")):
        r = attribute(folder, model, *mode)
        assert first(r)["kind"] == "network" and first(r)["layer"] == layer_name(r, FAULT)
        assert "its L is 4, the ANN's 16" in first(r)["text"] and "Convert again" in first(r)["advice"]
        assert "--levels" not in r["attribution"]["summary"]
        assert [row["differs"] for row in r["attribution"]["layers"]] == [k == FAULT for k in range(LAYERS + 1)]
        assert r["attribution"]["layers"][FAULT]["model_L"] == 4 and r["attribution"]["layers"][FAULT]["L"] == 16
    assert [p["layer"] for p in r["attribution"]["parts"]] == [layer_name(r, FAULT)]
    assert [c["cause"] for c in r["attribution"]["causes"]] == ["network"]
    assert r["attribution"]["causes"][0]["away"] == r["attribution"]["loss"]
    step = [lasting(json.loads(tool("mstcalib", folder / "good.onnx", m, "npy:%s" % (folder / "x.npy"), "--attribute",
                                    "--json", "-", "--quiet", "-T", 16).stdout))["attribution"]["causes"]
            for m in (folder / "good.bin", model)]
    other = [c for c in step[1] if c["cause"] == "network"]
    assert [c["cause"] for c in step[1] if c["cause"] != "network"] == [c["cause"] for c in step[0]]
    for one, same in zip([c for c in step[1] if c["cause"] != "network"], step[0]):
        for way in ("away", "alone", "share"):
            assert one[way]["logit_rel_l2"] == pytest.approx(same[way]["logit_rel_l2"], abs=1e-7)
    assert [other[0][way]["logit_rel_l2"] for way in ("away", "alone", "share")] == pytest.approx([0, 0, 0], abs=1e-7)


@pytest.mark.parametrize("mode", [("-T", 64), ("--mode", "count")], ids=lambda m: m[-1])
def test_ratio_in_one_block(folder, mode):
    policy = folder / "policy.yaml"
    policy.write_text("version: 1\nmasks:\n  sites: {conv: 0.1}\n  overrides:\n    - blocks: %d\n"
                      "      sites: {conv: 0.9}\n" % FAULT)
    r = attribute(folder, convert(folder, network(), "ratio", "--policy", policy), *mode)
    assert first(r)["kind"] == "masks" and first(r)["layer"] == layer_name(r, FAULT)
    assert "ratio 0.9, not known to be trained with" in first(r)["text"]
    assert r["attribution"]["parts"][0]["layer"] == layer_name(r, FAULT)
    assert r["attribution"]["loss"]["points"] == 0 and first(r)["advice"] is None  # each sample stays right: why do anything?
    r = attribute(folder, folder / "ratio.bin", *mode, data="npy:%s" % (folder / "x.npy"))
    assert first(r)["kind"] == "masks" and "lower ratio" in first(r)["advice"]


def test_wrong_mean_and_std(tmp_path):
    """The ANN sees the same wrong inputs: it is no error of the conversion, and is named before those. What it advises to
    do gives what it says."""
    model, right = tmp_path / "wrong.bin", tmp_path / "right.bin"
    tool("mstconv", SWIN, "-o", model, "--mean", ".9", "--std", ".08", "--quiet")
    r = attribute(tmp_path, model, "-T", 16, "-n", 100, "--attribute-layers", 0, onnx=SWIN, data=DIGITS)
    found = first(r)
    assert found["kind"] == "input" and found["worth"]["points"] > 3 * found["worth"]["points_se"] > 0
    words = found["advice"].split()
    mean, std = words[words.index("--mean") + 1], words[words.index("--std") + 1].rstrip(").")
    tool("mstconv", SWIN, "-o", right, "--mean", mean, "--std", std, "--quiet")
    again = attribute(tmp_path, right, "-T", 16, "-n", 100, "--attribute-layers", 0, onnx=SWIN, data=DIGITS)
    assert [f["kind"] for f in r["attribution"]["findings"]] == ["input"] and "--mode count" not in r["attribution"]["summary"]
    gained = again["ann_top1_percent"] - r["ann_top1_percent"]
    assert gained == pytest.approx(found["worth"]["points"], abs=2 * found["worth"]["points_se"])
    assert all(f["kind"] != "input" for f in again["attribution"]["findings"])


def digits_arrays(folder, made, labels=0):
    """npy: of the digits, as made does it of pixels."""
    with gzip.open(ROOT / "examples" / "data" / "digits-test-images.idx3-ubyte.gz") as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:200]
    with gzip.open(ROOT / "examples" / "data" / "digits-test-labels.idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)[:200]
    np.save(folder / "ax.npy", made(x).astype("f4"))
    np.save(folder / "ay.npy", (y.astype(np.int64) + labels) % 10)
    return "npy:%s,%s" % (folder / "ax.npy", folder / "ay.npy")


def test_arrays_that_are_not_normalized(tmp_path, swin):
    """--mean and --std do nothing to them: what to subtract and divide by gives what it says."""
    args = ("-T", 16, "-n", 100, "--attribute-layers", 0)
    r = attribute(tmp_path, swin / "m.bin", *args, onnx=SWIN, data=digits_arrays(tmp_path, lambda x: x / 255))
    found = first(r)
    assert found["kind"] == "input" and len(r["attribution"]["findings"]) == 1
    mean, std = (float(v) for v in re.search("subtract ([-0-9.]+) and divide by ([0-9.]+) before", found["advice"]).groups())
    assert not re.match("Convert with", found["advice"])
    again = attribute(tmp_path, swin / "m.bin", *args, onnx=SWIN, data=digits_arrays(tmp_path, lambda x: (x / 255 - mean) / std))
    gained = again["ann_top1_percent"] - r["ann_top1_percent"]
    assert gained == pytest.approx(found["worth"]["points"], abs=2 * found["worth"]["points_se"]) and gained > 30


@pytest.mark.parametrize("mode", [("-T", 32), ("--mode", "count")], ids=lambda m: m[-1])
def test_wrong_labels(folder, mode):
    """The ANN is at chance, so that nothing that is measured against it is worth doing."""
    np.save(folder / "wrong.npy", (np.load(folder / "y.npy") + 1) % CLASSES)
    r = attribute(folder, folder / "good.bin", *mode, data="npy:%s,%s" % (folder / "x.npy", folder / "wrong.npy"))
    found, = r["attribution"]["findings"]
    assert found["kind"] == "ann" and "0.00 % of 80 samples right, and chance is 10.00 %" in found["text"]
    assert "labels" in found["advice"] and "channels" in found["advice"] and "masks" in found["advice"]
    assert "--mode count" not in r["attribution"]["summary"] and "layers whose" not in r["attribution"]["summary"]


def test_blocks_have_the_names_of_their_layers(swin):
    """The second number of '/blocks/blocks.3/..', which is block 2, is not left for readers to wonder about."""
    done = tool("mstcalib", SWIN, swin / "m.bin", DIGITS, "-n", 10, "-T", 8, "--attribute", "--html", swin / "p.html", "--force")
    assert "block 2 ('/blocks/blocks.3') (all its layers)" in done.stdout
    assert re.search(r"block 2 \(&#39;/blocks/blocks.3&#39;\)", (swin / "p.html").read_text())


def test_no_fault(folder):
    """Of the same network nothing is said to be another one, and at its own levels nothing at all."""
    r = attribute(folder, folder / "good.bin", "-T", 32)
    assert all(f["kind"] not in ("network", "input") for f in r["attribution"]["findings"])
    assert not any(row["differs"] for row in r["attribution"]["layers"])
    r = attribute(folder, folder / "good.bin", "--mode", "count")
    a = r["attribution"]
    assert a["findings"] == [] and a["causes"] == [] and a["parts"] == [] and a["loss"]["logit_rel_l2"] == 0
    assert a["summary"].endswith("Nothing in it is worth doing something about.")


# ---- figures ----

@pytest.fixture(scope="module")
def swin(tmp_path_factory):
    where = tmp_path_factory.mktemp("swin")
    tool("mstconv", SWIN, "-o", where / "m.bin", "--quiet")
    return where


def digits(swin, *args):
    return attribute(swin, swin / "m.bin", "-n", 30, *args, onnx=SWIN, data=DIGITS)


def test_shares_add_up_and_rests_are_named(swin):
    r = digits(swin, "-T", 8, "--readout-from", "auto", "--attribute-layers", 1)
    a = r["attribution"]
    assert [c["cause"] for c in a["causes"]] == ["products", "quantization", "clipping", "unevenness", "readout"]
    assert all(c["alone"]["logit_rel_l2"] > 0.02 and c["share"]["logit_rel_l2"] != 0 for c in a["causes"])
    for k in ("points", "logit_rel_l2"):
        assert sum(c["share"][k] for c in a["causes"]) == pytest.approx(a["loss"][k], abs=1e-6)
        for way in ("away", "alone"):
            assert a["rest_" + way][k] == pytest.approx(a["loss"][k] - sum(c[way][k] for c in a["causes"]), abs=1e-6)
    assert a["loss"]["points"] == pytest.approx(r["at"][-1]["loss_percent"], abs=1e-9)
    assert a["loss"]["points_se"] == pytest.approx(r["at"][-1]["loss_se_percent"], abs=1e-6)
    assert a["loss"]["logit_rel_l2"] == pytest.approx(r["at"][-1]["logit_rel_l2"], rel=1e-6)
    assert "causes add up to" in a["summary"]


def test_all_causes_are_the_spiking_network(swin):
    """One cause: without it the network is the ANN, with it alone itself; and what count mode is worth is what it gives."""
    none = ("--attribute-layers", 0)
    r = digits(swin, "--mode", "count", "--levels", 5, *none)
    only, = r["attribution"]["causes"]
    assert only["cause"] == "quantization" and only["away"] == only["alone"] == only["share"] == r["attribution"]["loss"]
    step = digits(swin, "-T", 16, *none)
    count = digits(swin, "--mode", "count", *none)
    gained = count["at"][0]["top1_percent"] - step["at"][-1]["top1_percent"]
    assert step["attribution"]["counted"]["points"] == pytest.approx(gained, abs=1e-9) and gained > 20


def test_layers_that_do_no_harm_are_not_tried(folder):
    """The logits of a linear head are what its input is, whatever their last digits are."""
    a = attribute(folder, folder / "good.bin", "-T", 64, "--attribute-layers", 100)["attribution"]
    assert a["layers_tried"] == len(a["parts"]) == LAYERS and all(p["layer"] for p in a["parts"])


def test_same_at_any_number_of_threads(folder):
    one, three = (attribute(folder, folder / "good.bin", "-T", 8, "--threads", n)["attribution"] for n in (1, 3))
    assert one == three


def test_without_labels(folder):
    r = attribute(folder, folder / "good.bin", "-T", 1, data="npy:%s" % (folder / "x.npy"))
    a = r["attribution"]
    assert a["labelled"] == 0 and a["loss"]["points"] is None and a["findings"][0]["worth"]["points"] is None
    assert a["findings"][0]["advice"]
    assert "samples without labels" in a["summary"] and "nan" not in a["summary"]


def test_200_samples_unless_told(folder, tmp_path):
    np.save(tmp_path / "x.npy", np.tile(np.load(folder / "x.npy"), (3, 1, 1, 1)))
    r = attribute(folder, folder / "good.bin", "-T", 1, "--attribute-layers", 0, data="npy:%s" % (tmp_path / "x.npy"))
    assert r["samples"] == r["attribution"]["samples"] == 200 and r["attribution"]["parts"] == []


@pytest.mark.parametrize("args,message", [
    (["--attribute-layers", 3], "--attribute-layers: expected --attribute with it"),
    (["--attribute", "--skip-bad"], "--attribute: not with --skip-bad"),
    (["--attribute", "--tune", "o.bin"], "--attribute: not with --tune")])
def test_usage(folder, args, message):
    done = tool("mstcalib", folder / "good.onnx", folder / "good.bin", "npy:%s" % (folder / "x.npy"), *args, code=2)
    assert message in done.stderr


def test_another_ratio_is_said_whatever_it_costs(folder):
    """In the words, with its block, and in the warning."""
    onnx, policy = SWIN.with_name("digits-swin-sa50.onnx"), folder / "block.yaml"
    policy.write_text("version: 1\nmasks:\n  sites: {q: 0.5, k: 0.5, attn: 0.5}\n  overrides:\n    - {block: 1, site: q, ratio: 0.55}\n")
    tool("mstconv", onnx, "-o", folder / "block.bin", "--policy", policy, "-q", "--force")
    found = attribute(folder, folder / "block.bin", "-n", 40, "--mode", "count", "--attribute-layers", 0, onnx=onnx, data=DIGITS)["attribution"]
    masks = [f["text"] for f in found["findings"] if f["kind"] == "masks"]
    assert len(masks) == 1 and ("In block 1 it is 0.55, trained with 0.5." in masks[0] or "(ratio 0.55, trained with 0.5)" in masks[0])
    said = tool("mstcalib", onnx, folder / "block.bin", DIGITS, "-n", 2, "--mode", "count").stderr
    assert "q 0.55 (trained with 0.5, in block 1)" in said


def test_stopped_it_gives_what_is_there(folder, tmp_path):
    np.save(tmp_path / "x.npy", np.tile(np.load(folder / "x.npy"), (80, 1, 1, 1)))
    asked = []

    def seen(run, text):
        if not asked and b"what-if runs" in text:  # a second signal would end it at once
            run.send_signal(signal.SIGINT)
            asked.append(True)

    status, message = on_screen((BUILD / "mstcalib", folder / "good.onnx", folder / "good.bin", "npy:%s" % (tmp_path / "x.npy"),
                                 "-T", "8", "-n", "%d" % (80 * SAMPLES), "--attribute", "--json", tmp_path / "o.json", "--threads", "1"),
                                "stderr", seen=seen)
    assert status == 1 and "attribution: stopped" in message
    r = json.loads((tmp_path / "o.json").read_text())
    assert 0 < r["attribution"]["samples"] < r["samples"] == 80 * SAMPLES
    assert r["attribution"]["summary"] and r["attribution"]["causes"]


def test_what_is_better_than_its_ann_gains(folder):
    """A network that was trained with masks, against its ANN without them: that the comparison is wrong is said, and nothing else."""
    onnx = SWIN.with_name("digits-swin-sa50.onnx")
    tool("mstconv", onnx, "-o", folder / "sa50.bin", "--quiet")
    found = attribute(folder, folder / "sa50.bin", "-n", 60, "-T", 64, "--attribute-layers", 0, "--ann-masks", "none", onnx=onnx, data=DIGITS)["attribution"]
    masks = [f["text"] for f in found["findings"] if f["kind"] == "masks"]
    assert found["loss"]["points"] < -2 * found["loss"]["points_se"]
    assert "The network gains %.2f points" % -found["loss"]["points"] in found["summary"] and "over its ANN" in found["summary"]
    assert "loses" not in found["summary"] and not masks
    only, = found["findings"]
    assert only["kind"] == "ann-masks" and only["advice"] == "Compare with --ann-masks trained."


def test_the_ann_has_the_masks_of_its_training(folder):
    """Where the file says them, and whatever masks it is run with itself; else it is said that it has none."""
    onnx, other = SWIN.with_name("digits-swin-sa50.onnx"), folder / "other.yaml"
    other.write_text("version: 1\nmasks:\n  sites: {q: 0.1}\n")
    tool("mstconv", onnx, "-o", folder / "sa.bin", "--quiet", "--force")
    tool("mstconv", onnx, "-o", folder / "sa-other.bin", "--policy", other, "--quiet", "--force")

    def run(model, *args):
        done = tool("mstcalib", onnx, folder / model, DIGITS, "-n", 40, "--mode", "count", "--json", folder / "m.json", "--html",
                    folder / "m.html", "--force", *args)
        r = json.loads((folder / "m.json").read_text())
        return lasting(r), done.stdout, (folder / "m.html").read_text()
    trained, text, page = run("sa.bin")
    assert trained["ann_masks"] == "trained" and not trained["ann_lacks_masks"]
    assert "masks that the weights were trained with, by their mean.\n" in text and "with its masks drawn top-1 " in text
    assert "with the masks that the weights were trained with, by their mean (none drawn)" in page
    mean, none = run("sa.bin", "--ann-masks", "mean")[0], run("sa.bin", "--ann-masks", "none")
    assert dict(trained, ann_masks="mean", ann_drawn=False, ann_drawn_top1_percent=None) == dict(mean, ann_network=trained["ann_network"])
    assert none[0]["ann_lacks_masks"] and none[0]["ann_top1_percent"] < trained["ann_top1_percent"] and "has no masks here" in none[1]
    changed = run("sa-other.bin")[0]
    assert changed["ann_masks"] == "trained" and changed["ann_top1_percent"] == trained["ann_top1_percent"]
    said = attribute(folder, folder / "sa.bin", "-n", 40, "--mode", "count", "--attribute-layers", 0, onnx=onnx, data=DIGITS)["attribution"]
    assert all(f["kind"] != "ann-masks" for f in said["findings"]) and "What to do" not in said["summary"]
