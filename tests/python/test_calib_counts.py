"""mstcalib in count and radix mode: the parts of the error as mst/calibrate.h defines them, worked out anew from the
oracle's runs."""
import json

import numpy as np
import pytest

from built import lasting
from support import FIXTURES, tool
from oracle import counts, simulator, snn_reader
from oracle import sim_ops as ops

F = np.float32
SAMPLES = 3
POLICY = "version: 1\nseed: 7\nmasks: {sites: {q: 0.5, mlp_fc1: 0.25, attn: 0.5}}\n"
PARTS = ["clipping", "quantization", "masks", "inherited", "weights"]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """(model, weights, masked) -> file, made once; x.npy of the model beside it."""
    folder, made = tmp_path_factory.mktemp("calib"), {}
    (folder / "swin.yaml").write_text(POLICY)
    (folder / "resnet18.yaml").write_text(POLICY.replace("q: 0.5, mlp_fc1: 0.25, attn: 0.5", "conv: 0.5"))

    def get(model, weights="f32", masked=False, *args):
        key = (model, weights, masked) + args
        if key not in made:
            made[key] = folder / ("%d.bin" % len(made))
            policy = ("--policy", folder / (model.split("-")[0] + ".yaml")) if masked else ()
            tool("mstconv", FIXTURES / (model + ".onnx"), "-o", made[key], "--weights", weights, "--quiet", *policy, *args)
            np.save(folder / (model + ".npy"), inputs(model))
        return made[key]

    get.x = lambda model: folder / (model + ".npy")
    return get


def inputs(model):
    return np.load(FIXTURES / (model.split("-")[0] + ".npz"))["x"][:SAMPLES].astype(F)


def calib(converted, model, path, *args):
    return lasting(json.loads(tool("mstcalib", FIXTURES / (model + ".onnx"), path, converted.x(model), "--json", "-", "--quiet",
                                   *args).stdout))


def behind(graph, tensor):
    """Through RESHAPE, the output of the first mask of a tensor, or the tensor."""
    same = {tensor}
    for node in graph.nodes:
        if node.op == "reshape" and node.inputs[0] in same:
            same.add(node.out)
        if node.op == "mask" and node.inputs[0] in same:
            return node.out
    return tensor


def flat(values):
    return values.reshape(SAMPLES, -1).astype(np.float64)


def float_run(path, x):
    """{name of a neuron: (what it gives, what a mask behind it makes of that)}, [samples, neurons]; logits."""
    sim = simulator.Simulator(snn_reader.load(path), spiking=False)
    sim.begin(x)
    logits = sim.step()
    return {n.name: (flat(sim.values[n.out]), flat(sim.values[behind(sim.graph, n.out)]))
            for n in sim.graph.nodes if n.op == "neuron"}, logits


def current_of(sim, node):
    x = sim._value(node.inputs[0])
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        gain, bias = (ops.along(sim.graph.tensors[k].data[None], node.ip["AXIS"], x.ndim) for k in node.inputs[2:4])
        x = gain * x + bias
    return np.broadcast_to(x, (SAMPLES,) + x.shape[1:])


def expected(sim, i, node, ann, stored):
    """Figures of one layer."""
    theta = ops.along(sim.graph.tensors[node.inputs[1]].data[None], node.ip["AXIS"], sim.values[node.out].ndim)
    u, levels = current_of(sim, node), F(node.ip["LEVELS"])
    n = np.clip(np.floor((u * levels) / theta + node.fp["SHIFT"]), F(0), levels)
    asked, theta = flat(theta * (n / levels)), flat(np.broadcast_to(theta, u.shape))
    u, y, left = flat(u), flat(sim.values[node.out]), flat(sim.values[behind(sim.graph, node.out)])
    a, kept = ann[node.name]
    b, outside = stored[node.name][0], (u < 0) | (u > theta)
    parts = {"clipping": np.where(outside, y - asked, 0), "quantization": np.where(outside, 0, y - asked),
             "masks": (left - y) - (kept - a), "inherited": asked - b, "weights": b - a}
    e = left - kept
    most = sim.levels[i] if sim.mode == "count" else sim.levels[i].bit_length()
    return {
        "L": node.ip["LEVELS"], "levels": sim.levels[i], "neurons": y.shape[1], "mae": abs(e).mean(), "bias": e.mean(),
        "max": abs(e).max(), "within_percent": 100 * (abs(e) <= theta / (2 * float(levels))).mean(), "residual": abs(u - y).mean(),
        "rel_l2": np.sqrt((e * e).sum() / (kept * kept).sum()) if kept.any() else None, "rate_percent": 100 * sim.layer[i][1].mean() / y.shape[1] / most,
        "parts": {k: abs(p).mean() for k, p in parts.items()}, "parts_bias": {k: p.mean() for k, p in parts.items()}}


def assert_close(got, want, what):
    if isinstance(want, dict):
        for key, value in want.items():
            assert_close(got[key], value, what + (key,))
    else:
        assert got == pytest.approx(want, rel=1e-9, abs=1e-9), what
    return True


@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("mode", ["count", "radix"])
@pytest.mark.parametrize("model, masked, ann_masks", [
    ("swin-ts", False, "none"), ("swin-ts", True, "none"), ("swin-ts", True, "mean"), ("swin-masked-ts", False, "none"),
    ("resnet18-ts", True, "none"), ("resnet18-ts", True, "mean")])
def test_parts(model, masked, ann_masks, mode, weights, levels, converted):
    path, x = converted(model, weights, masked), inputs(model)
    thinning = "systematic" if mode == "radix" else "binomial"
    ann, ann_logits = float_run(converted(model, "f32", ann_masks == "mean"), x)
    stored, _ = float_run(converted(model, weights, ann_masks == "mean"), x)
    sim = counts.CountSimulator(snn_reader.load(path), mode, levels, thinning=thinning)
    sim.begin(x)
    logits = sim.step()
    args = ["--mode", mode, "--thinning", thinning, "--ann-masks", ann_masks] + (["--levels", levels] if levels else [])
    r = calib(converted, model, path, *args)
    drawn = thinning if any(l["mask"] and l["ratio"] for l in r["layers"]) else None
    assert (r["mode"], r["thinning"], r["ann_masks"]) == (mode, drawn, ann_masks) and r["T"] is None and len(r["at"]) == 1
    depth, window = sim.latency()
    assert (r["depth"], r["window_steps"], r["latency_steps"]) == (depth, window, depth * window)
    neurons = [(i, n) for i, n in enumerate(sim.graph.nodes) if n.op == "neuron"]
    assert [l["name"] for l in r["layers"]] == [n.name for _, n in neurons]
    some = dict.fromkeys(PARTS, False)
    for row, (i, node) in zip(r["layers"], neurons):
        assert sorted(row["parts"]) == sorted(row["parts_bias"]) == sorted(PARTS)
        assert_close(row, expected(sim, i, node, ann, stored), (node.name,))
        assert sum(row["parts_bias"].values()) == pytest.approx(row["bias"], abs=1e-9)
        some = {k: some[k] or row["parts"][k] > 0 for k in PARTS}
    thinned = masked or model == "swin-masked-ts"
    if thinned or levels is not None:
        assert some.pop("inherited")
    elif weights == "f32":
        assert not some.pop("inherited")
    some.pop("inherited", None)  # of int8 alone: sums of integers are rounded otherwise, which need not show
    assert some == {"clipping": False, "quantization": levels is not None, "masks": thinned, "weights": weights == "int8"}
    assert r["at"][0]["agreement_percent"] == pytest.approx(100 * (logits.argmax(1) == ann_logits.argmax(1)).mean())
    off = flat(logits) - flat(ann_logits)
    assert r["at"][0]["logit_rel_l2"] == pytest.approx(
        np.sqrt((off ** 2).sum() / (flat(ann_logits) ** 2).sum()), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("mode", ["count", "radix"])
@pytest.mark.parametrize("model", ["swin-ts", "swin_pub-ts", "resnet18-ts", "vgg16-ts"])
def test_no_error_with_the_levels_of_the_ann(model, mode, converted):
    """Every part, every layer, to the bit."""
    r = calib(converted, model, converted(model), "--mode", mode)
    assert len(r["at"]) == 1 and r["ann"]["flips"] == []
    assert {k: r["at"][0][k] for k in ("top1_percent", "agreement_percent", "logit_rel_l2", "loss_percent")} == {
        "top1_percent": None, "agreement_percent": 100.0, "logit_rel_l2": 0.0, "loss_percent": None}
    for row in r["layers"]:
        assert set(row["parts"].values()) | {row["mae"], row["max"], row["rel_l2"] or 0} == {0.0} and row["within_percent"] == 100


def test_threads_do_not_matter(converted):
    path = converted("swin-ts", "int8", True)
    one, two = (calib(converted, "swin-ts", path, "--mode", "count", "-T", 5, "--threads", n) for n in (1, 2))
    assert one == two and one["window_steps"] == 5 and all(l["levels"] == 5 for l in one["layers"])
    assert one == calib(converted, "swin-ts", path, "--mode", "count", "--levels", 5, "--isa", "scalar")


def test_the_stored_mode_is_what_runs(converted):
    path = converted("swin-ts", "f32", True, "--mode", "radix", "--thinning", "systematic", "--bits", 3)
    r = calib(converted, "swin-ts", path)
    assert (r["mode"], r["thinning"], r["window_steps"]) == ("radix", "systematic", 3)
    said = calib(converted, "swin-ts", path, "--mode", "radix", "--bits", 3, "--thinning", "systematic")
    assert (r["levels"], said["levels"]) == (None, 7) and dict(r, levels=7) == said
    step = calib(converted, "swin-ts", path, "--mode", "step", "-T", "2,4")
    assert step["mode"] == "step" and step["T"] == 4 and [p["t"] for p in step["at"]] == [2, 4]
    for row in step["layers"]:
        assert row["levels"] is None and sorted(row["parts"]) == sorted(set(PARTS) - {"masks"} | {"unevenness"})


def test_text(converted):
    args = ("mstcalib", FIXTURES / "swin-ts.onnx", converted("swin-ts", "f32", True), converted.x("swin-ts"), "--mode")
    done = tool(*args, "radix", "--bits", 4)
    lines = done.stdout.splitlines()
    assert "mode radix, binomial thinning; latency 144 steps (36 layers one after another, windows of 4)" in lines
    heads = next(line for line in lines if "rate %" in line).split()
    assert heads[-5:] == PARTS and "levels" in heads and "unevenness" not in heads
    assert not any(line.split()[:1] == ["t"] or line.startswith("At t") for line in lines)
    heads = next(line for line in tool(*args, "step", "-T", 2).stdout.splitlines() if "rate %" in line).split()
    assert heads[-5:] == ["clipping", "unevenness", "quantization", "inherited", "weights"] and "levels" not in heads


def test_masks_of_the_ann(converted):
    """Given masks make the ANN the same in every mode; masks that it has itself stay."""
    path, said = converted("swin-ts", "f32", True), "The ANN has no masks here"
    runs = {}
    for mode in ("step", "count"):
        for masks in ("none", "mean"):
            runs[mode, masks] = calib(converted, "swin-ts", path, "--mode", mode, "--ann-masks", masks, "-T", 16)
            done = tool("mstcalib", FIXTURES / "swin-ts.onnx", path, converted.x("swin-ts"), "--mode", mode, "-T", 16,
                        "--ann-masks", masks)
            assert (said in done.stdout) == (masks == "none")
    for mode in ("step", "count"):
        assert runs[mode, "mean"]["at"] != runs[mode, "none"]["at"]
        assert runs[mode, "mean"]["layers"][0] == runs[mode, "none"]["layers"][0]
    own, path = [], converted("swin-masked-ts")
    for masks in ("none", "mean"):
        own.append(calib(converted, "swin-masked-ts", path, "--mode", "count", "--ann-masks", masks))
        assert own[-1].pop("ann_masks") == masks
    assert own[0] == own[1]
    assert said not in tool("mstcalib", FIXTURES / "swin-masked-ts.onnx", path, converted.x("swin-masked-ts"), "-T", 2).stdout


@pytest.mark.parametrize("args, says", [
    (("--mode", "fast"), "--mode: expected one of step, count, radix, found 'fast'"),
    (("--mode", "count", "-T", "4,8"), "-T: count takes one number of levels, found 2"),
    (("--mode", "count", "-T", 256), "-T: count has 1 to 255 levels"),
    (("--mode", "radix", "-T", 4), "-T: radix has no time steps"),
    (("--levels", 4), "--levels: expected --mode count or radix with it"),
    (("--ann-masks", "some"), "--ann-masks: expected none, mean or trained, found 'some'")])
def test_wrong_options(args, says, converted):
    assert says in tool("mstcalib", FIXTURES / "swin-ts.onnx", converted("swin-ts"), converted.x("swin-ts"), *args,
                        code=2).stderr
