"""How a network is written does not change what becomes of it: masks, scales and signs find their neuron through
transposes, reshapes and scales, and the same network in another spelling has the same thresholds, spikes and costs."""
import itertools
import json

import numpy as np
import pytest

import respell
from built import tool
from support import Net, convert, error, float_run, runtime
from test_qcfs import qcfs
from test_spellings import levels_of

T, L = np.float32(1.7), np.float32(8)


def core(n, x):
    """All of a QCFS but its last step, times theta."""
    y = n.op("Div", n.op("Floor", levels_of(n, x, T, L, 0.5)), n.const(L))
    return n.op("Clip", y, n.const(0.0), n.const(1.0))


MOVES = {
    "scale": lambda n, y: n.op("Mul", y, n.const(T)),
    "transpose": lambda n, y: n.op("Transpose", y, perm=[0, 1, 3, 2]),
    "reshape": lambda n, y: n.op("Reshape", y, n.const([1, 6, 5, 4], dtype=np.int64)),
    "mask": None,
}


def mask(n, y, ratio):
    keep = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(ratio)), to=1)
    return n.op("Mul", y, keep)


def masked(order, ratio):
    rng = np.random.default_rng(1)
    n = Net([1, 3, 4, 5], 17)
    y = core(n, n.op("Conv", n.x, n.const(rng.normal(size=(6, 3, 1, 1)))))
    for move in order:
        y = mask(n, y, ratio) if move == "mask" else MOVES[move](n, y)
    y = n.op("Reshape", y, n.const([1, 120], dtype=np.int64))
    return n.model(n.op("MatMul", y, n.const(rng.normal(size=(120, 4)))))


@pytest.mark.parametrize("order", list(itertools.permutations(MOVES)), ids="-".join)
def test_masks_find_their_neuron(order, tmp_path):
    report, graph = convert(masked(order, 0.25), tmp_path)
    row, = report["layers"]
    assert report["masks"] == 1 and row["ratio"] == 0.25 and report["bn_kept"] == 0
    assert abs(row["theta_min"] / T - 1) < 1e-6
    kinds = [node.op for node in graph.nodes]
    assert kinds.index("mask") == kinds.index("neuron") + 1, "the mask is not drawn on the neuron's own output"
    model = masked(order, 0.0)
    x = np.random.default_rng(2).normal(size=(1, 3, 4, 5)).astype(np.float32)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


# ---- the same network, written in many ways ----

RUN = ["spikes_per_sample", "sops_per_sample", "macs_per_sample", "energy_pj", "latency_steps"]
LAYER = ["site", "stage", "block", "neurons", "theta", "L", "fired_per_sample", "spikes_per_sample",
         "input_ops_per_sample"]
DENSE = ["dense_ops_per_sample", "ann_energy_pj"]  # of a pool written as a part of a convolution: really more


def last_output(graph, folder, x, mode, steps):
    """The output, a row, at the last step of a run of one sample."""
    x.tofile(folder / "x.f32")
    makers, wanted = {node.out: node for node in graph.nodes}, graph.output
    while makers[wanted].op in ("reshape", "transpose"):  # movement of nothing, which no run reports
        wanted = makers[wanted].inputs[0]
    tool("tests/tools/snnkit", "run", folder / "model.bin", folder / "x.f32", 0, steps, folder / "trace.bin", mode)
    raw, at, last = np.fromfile(folder / "trace.bin", "<u4"), 0, None
    while at < len(raw):
        node, count = raw[at + 1], raw[at + 2]
        if raw[at] != 0xFFFFFFFF and graph.nodes[node].out == wanted:
            last = raw[at + 3:at + 3 + count].view("<f4").tolist()
        at += 3 + count
    assert last is not None
    return last


def measure(model, folder, x):
    """All that must not depend on the spelling."""
    report, graph = convert(model, folder)
    np.savez(folder / "x.npz", x=x, y=np.zeros(len(x), np.int64))
    found = {"nonlinear": report["non_spiking_nodes"], "affines": report["bn_kept"],
             "thetas": [(row["theta_min"], row["theta_max"]) for row in report["layers"]],
             "logits": [last_output(graph, folder, x[:1], *how) for how in (("float", 1), ("spiking", 8))]}
    for mode in (["step", "-T", 8], ["count"]):
        done = tool("mstrun", folder / "model.bin", "npz:%s" % (folder / "x.npz"), "--mode", *mode, "--json", "-",
                    "--quiet")
        result = json.loads(done.stdout)
        for key in RUN + DENSE:
            found[mode[0], key] = result[key]
        found[mode[0], "top1"] = [(row["t"], row["top1_percent"]) for row in result["at"]]
        found[mode[0], "layers"] = [[row[key] for key in LAYER] for row in result["layers"]]
    return found


@pytest.mark.parametrize("number", range(14))
@pytest.mark.parametrize("kind", list(respell.NETWORKS))
def test_spelling_changes_nothing(kind, number, tmp_path):
    """Numbers lie on a grid, so that all is compared for equality."""
    model, _ = respell.write(kind, number)
    x = respell.inputs(kind)
    plain = measure(model, tmp_path, x)
    assert plain["step", "spikes_per_sample"] > 0
    for spelling in range(3):
        other, s = respell.write(kind, number, spelling)
        np.testing.assert_allclose(runtime(other, x[:1]), runtime(model, x[:1]), rtol=1e-5, atol=1e-5,
                                   err_msg="the test itself wrote another network")
        found = measure(other, tmp_path, x)
        for key, value in plain.items():
            if "pool folded" in s.done and key[1] in DENSE:
                continue
            assert found[key] == value, "%s: spelling %d of %s %d: %s" % (key, spelling, kind, number, s.done)


@pytest.mark.parametrize("scale,output,theta", [("div", "div_L_mul_theta", 1.5), ("merged", "div_L_mul_theta", 1.5),
                                                ("div", "merged", 1.5), ("merged", "merged", 1.5 / 6)])
def test_scale_of_one_level_behind(scale, output, theta, tmp_path):
    """A scale of 1/L behind an activation that shows theta and L is a scale; where it shows but their ratio, it is read
    as an L that was merged into the layer in front. Either way the spikes are the same."""
    rng = np.random.default_rng(4)
    w, v = rng.normal(size=(8, 12)), rng.normal(size=(12, 4))
    x, found = rng.normal(size=(1, 8)).astype("f4"), []
    for k in (1, 1 / 6):
        n = Net([1, 8], 17)
        y = qcfs(n, n.op("MatMul", n.x, n.const(w)), 1.5, 6, scale=scale, output=output, clip="pre_levels")
        y = n.op("Mul", y, n.const(k)) if k != 1 else y
        model = n.model(n.op("MatMul", y, n.const(v / k)))
        report, graph = convert(model, tmp_path)
        row, = report["layers"]
        assert abs(row["theta_max"] / (1.5 if k == 1 else theta) - 1) < 1e-6 and report["bn_kept"] == 0
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6
        found.append(last_output(graph, tmp_path, x, "spiking", 9))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


PICKS = {
    "gather": lambda n, y: n.op("Gather", y, n.const([5, 3, 4, 1, 0, 2], dtype=np.int64), axis=1),
    "gather some": lambda n, y: n.op("Gather", y, n.const([5, 3, 3, 1], dtype=np.int64), axis=1),
    "slice": lambda n, y: n.op("Slice", y, *[n.const(k, dtype=np.int64) for k in ([4], [0], [1], [-1])]),
    "pool, gather": lambda n, y: n.op("AveragePool", PICKS["gather"](n, y), kernel_shape=[2, 2]),
    "gather pixels": lambda n, y: n.op("Gather", y, n.const([3, 0, 1], dtype=np.int64), axis=3),
}


@pytest.mark.parametrize("name", list(PICKS), ids=lambda name: name.replace(" ", "-"))
def test_scales_of_channels_go_past_what_picks_channels(name, tmp_path):
    """Powers of two and signs behind the neurons: the layer behind the pick takes them, theta stays as trained."""
    rng = np.random.default_rng(6)
    k = np.float32([1, -2, .5, 4, -.25, 8]).reshape(6, 1, 1)
    probe = Net([1, 6, 4, 5], 17)
    order = runtime(probe.model(PICKS[name](probe, probe.x)), np.broadcast_to(k, (1, 6, 4, 5)).astype("f4"))
    channels = order.size // (3 * 4 if "pool" in name else 4 * 3 if "pixels" in name else 4 * 5)
    order = order.reshape(channels, -1)[:, 0]
    w, v = rng.normal(size=(6, 3, 1, 1)), rng.normal(size=(4, channels, 2, 2)).astype("f4")
    x, found = rng.normal(size=(2, 3, 4, 5)).astype("f4"), []
    for scaled in (False, True):
        n = Net([1, 3, 4, 5], 17)
        y = qcfs(n, n.op("Conv", n.x, n.const(w)), .9, 8)
        y = PICKS[name](n, n.op("Mul", y, n.const(k)) if scaled else y)
        y = n.op("Conv", y, n.const(v / order.reshape(1, -1, 1, 1) if scaled else v))
        y = qcfs(n, y, .5, 4)
        found.append(measure(n.model(n.op("ReduceMean", y, axes=[2, 3], keepdims=0)), tmp_path, x))
        assert found[-1]["thetas"][0] == pytest.approx((.9, .9), rel=1e-6) and found[-1]["affines"] == 0
    assert found[0] == found[1]
