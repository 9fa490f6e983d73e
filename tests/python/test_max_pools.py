"""Max pools of spikes: in step mode the maximum of rates, so that many steps come to what the ANN computes."""
import sys

import numpy as np
import pytest

from built import ROOT, listed, tool
from snnkit import snnkit  # noqa: F401
from support import Net, convert, runtime, saved
from test_qcfs import qcfs
from test_simulator import observations

sys.path.insert(0, str(ROOT / "tests"))
from oracle import snn_reader  # noqa: E402

WINDOWS = {"2": dict(kernel_shape=[2, 2], strides=[2, 2]),
           "shared": dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
           "dilated": dict(kernel_shape=[2, 3], strides=[1, 2], dilations=[2, 1])}


def network(window="2", how="plain", theta=1.0, levels=8):
    """Conv, QCFS, MaxPool, Conv, QCFS, mean, MatMul."""
    rng = np.random.default_rng(3)
    n = Net([1, 3, 12, 12])

    def layer(y, outputs, inputs):
        w = rng.normal(size=(outputs, inputs, 3, 3)) / np.sqrt(inputs * 3)
        return n.op("Conv", y, n.const(w), n.const(rng.normal(size=outputs) / 4), pads=[1] * 4)

    y = qcfs(n, layer(n.x, 6, 3), theta, levels)
    if how == "concat":
        y = n.op("Concat", y, qcfs(n, layer(n.x, 2, 3), 0.5, levels), axis=1)
    elif how == "rows":  # of two thetas, so that a window may see both
        y = n.op("Concat", y, qcfs(n, layer(n.x, 6, 3), 0.7, levels), axis=2)
    elif how == "sum":
        y = n.op("Add", y, qcfs(n, layer(n.x, 6, 3), 0.7, levels))
    y = n.op("MaxPool", y, name="pool", **WINDOWS[window])
    if how == "twice":
        y = n.op("MaxPool", y, kernel_shape=[2, 2], strides=[1, 1])
    y = qcfs(n, layer(y, 5, 8 if how == "concat" else 6), 1.0, levels)
    y = n.op("ReduceMean", y, axes=[2, 3], keepdims=0)
    return n.model(n.op("MatMul", y, n.const(rng.normal(size=(5, 4)))))


def image():
    return np.random.default_rng(5).normal(size=(3, 12, 12)).astype("f4")


def counted(path, folder, kit, steps):
    """For each max pool of the file: (spikes so far of its input, of its output) [steps, H, W, C], and the node."""
    graph = snn_reader.load(path)
    seen = {}
    for time, node, values in observations(kit, path, image(), 0, steps, "spiking", "scalar", folder):
        if time is not None and time != 0xFFFFFFFF:
            out = graph.nodes[node].out
            seen.setdefault(out, []).append(values.reshape(graph.tensors[out].shape[1:]) != 0
                                            if len(graph.tensors[out].shape) == 4 else None)
    pools = [n for n in graph.nodes if n.op == "rate_pool" or n.op == "pool" and n.ip["FN"] == 2]
    return [(np.cumsum(seen[n.inputs[0]], 0), np.cumsum(seen[n.out], 0), n) for n in pools]


def largest(counts, node):
    """Of [steps, H, W, C], over each window of the node."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (node.ip[k] for k in ("KERNEL", "STRIDE", "PAD", "DILATION"))
    padded = np.pad(counts, ((0, 0), (ph, ph + kh * dh), (pw, pw + kw * dw), (0, 0)))
    steps, height, width, _ = counts.shape
    taps = [padded[:, i * dh:i * dh + height + ph:sh, j * dw:j * dw + width + pw:sw] for i in range(kh)
            for j in range(kw)]
    return np.max([t[:, :taps[-1].shape[1], :taps[-1].shape[2]] for t in taps], 0)


@pytest.mark.parametrize("how", ["plain", "twice", "concat"])
@pytest.mark.parametrize("window", WINDOWS)
def test_an_output_has_spiked_as_often_as_the_busiest_of_its_window(window, how, snnkit, tmp_path):
    _, graph = convert(network(window, how), tmp_path)
    assert [n.op for n in graph.nodes].count("rate_pool") == 1 + (how == "twice")
    for before, after, node in counted(tmp_path / "model.bin", tmp_path, snnkit, 24):
        want = largest(before, node)[:, :after.shape[1], :after.shape[2]]
        assert after.max() > 3 and np.array_equal(after, want)


def test_on_request_it_spikes_whenever_one_does(snnkit, tmp_path):
    report, graph = convert(network(), tmp_path, "--max-pool", "steps")
    assert "rate_pool" not in [n.op for n in graph.nodes]
    assert [row["kind"] for row in report["non_spiking"]].count("maxpool") == 1
    (before, after, node), = counted(tmp_path / "model.bin", tmp_path, snnkit, 24)
    assert np.array_equal(np.diff(after, axis=0), largest(np.diff(before, axis=0), node))
    assert (after > largest(before, node)).any()


def logits(path, folder, *args):
    np.save(folder / "x.npy", image()[None])
    tool("mstrun", path, "npy:%s" % (folder / "x.npy"), "--predictions", folder / "p.npz", "--force", "-q", *args)
    return np.load(folder / "p.npz")["logits"].reshape(-1)[-4:]


def test_many_steps_come_to_the_ann(tmp_path):
    model = network(levels=64)
    want = np.ravel(runtime(model, image()[None]))
    off = {}
    for how in ("rates", "steps"):
        convert(model, tmp_path, "--max-pool", how)
        got = logits(tmp_path / "model.bin", tmp_path, "-T", "1024")
        off[how] = np.linalg.norm(got - want) / np.linalg.norm(want)
    assert off["rates"] < .002 and off["steps"] > 5 * off["rates"]


@pytest.mark.parametrize("mode", ["count", "radix", "ann"])
def test_elsewhere_both_are_the_largest_value(mode, tmp_path):
    got = {}
    for how in ("rates", "steps"):
        convert(network("shared", levels=7), tmp_path, "--max-pool", how)
        got[how] = logits(tmp_path / "model.bin", tmp_path, "--mode", mode)
    assert got["rates"].tobytes() == got["steps"].tobytes() and np.ptp(got["rates"]) > 0


@pytest.mark.parametrize("how", ["sum", "rows"])
def test_what_has_no_rates_is_told(how, tmp_path):
    report, graph = convert(network(how=how), tmp_path)
    assert "rate_pool" not in [n.op for n in graph.nodes]
    assert [row["reason"] for row in report["non_spiking"] if row["kind"] == "maxpool"] == \
        ["maximum of each step, not of rates, which only spikes have"]


def test_names_are_checked(tmp_path):
    done = tool("mstconv", saved(network(), tmp_path), "-o", tmp_path / "m.bin", "--max-pool", "mean", code=2)
    assert "--max-pool: expected one of rates, steps, found 'mean'" in done.stderr
    assert listed("mstconv", "max-pools") == [("rates",), ("steps",)]
