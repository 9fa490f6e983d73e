"""What a run costs does not depend on how an exporter wrote the network: the same spikes, operations and energy with a
scale merged into a neighbour or not, an average pool in front of a convolution or folded into it, in each mode."""
import json

import numpy as np
import pytest

from support import Net, convert
from test_qcfs import qcfs
from built import tool


def ints(seed, *shape):
    """Weights with which all sums are exact in float32, in any order."""
    return np.random.default_rng(seed).integers(-16, 17, shape) / 32


def conv(n, y, w, pad, stride=1):
    return n.op("Conv", y, n.const(w), pads=[pad] * 4, strides=[stride] * 2)


def pool(n, y):
    return n.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])


def neurons(n, y, w=ints(1, 6, 3, 3, 3)):
    return qcfs(n, conv(n, y, w, 1), 1.0, 8)


def ending(n, y):
    y = n.op("ReduceMean", qcfs(n, y, 1.0, 8), axes=[2, 3], keepdims=0)
    return n.model(n.op("MatMul", y, n.const(ints(3, 5, 4))))


def second_layer(how):
    """A convolution of 3x3 over pooled spikes."""
    n, w = Net([1, 3, 12, 12]), ints(2, 5, 6, 3, 3)
    y = neurons(n, n.x)
    if how == "folded":
        y = conv(n, y, np.repeat(np.repeat(w, 2, 2), 2, 3) / 4, 2, 2)
    elif how == "pool":
        y = conv(n, pool(n, y), w, 1)
    elif how == "scale, pool":
        y = conv(n, pool(n, n.op("Mul", y, n.const(4.0))), w / 4, 1)
    elif how == "pool, division":
        y = conv(n, n.op("Div", pool(n, y), n.const(0.5)), w / 2, 1)
    elif how == "pool, sign":
        y = conv(n, n.op("Neg", pool(n, y)), -w, 1)
    return ending(n, y)


def shortcut(how):
    """A convolution that reads the sum of two layers."""
    n, w = Net([1, 3, 12, 12]), ints(2, 5, 6, 3, 3)
    a, b = neurons(n, n.x), neurons(n, n.x, ints(4, 6, 3, 3, 3))
    if how == "joined":
        y = conv(n, n.op("Concat", a, b, axis=1), np.concatenate([w, w], 1), 1, 2)
    elif how == "each":
        y = n.op("Add", conv(n, a, w, 1, 2), conv(n, b, w, 1, 2))
    elif how == "added":
        y = conv(n, n.op("Add", a, b), w, 1, 2)
    else:
        k = n.const(np.full((1, 6, 1, 1), 2))
        y = conv(n, n.op("Sub", n.op("Mul", a, k), n.op("Mul", b, n.const(-2.0))), w / 2, 1, 2)
    return ending(n, y)


def figures(model, folder, *args):
    convert(model, folder)
    run = json.loads(tool("mstrun", folder / "model.bin", "npy:%s" % (folder / "x.npy"), "--json", "-", "--quiet",
                          *args).stdout)
    return {k: run[k] for k in ("spikes_per_sample", "sops_per_sample", "macs_per_sample", "energy_pj")}


@pytest.mark.parametrize("mode", ["step", "count", "radix"])
@pytest.mark.parametrize("make, ways", [
    (second_layer, ["folded", "pool", "scale, pool", "pool, division", "pool, sign"]),
    (shortcut, ["joined", "each", "added", "scaled"])], ids=["pool", "sum"])
def test_each_way_of_writing_costs_the_same(make, ways, mode, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(-32, 33, (3, 3, 12, 12)).astype(np.float32) / 32)
    args = ["--mode", mode] + (["-T", 16] if mode == "step" else [])
    found = [figures(make(how), tmp_path, *args) for how in ways]
    assert all(f == found[0] for f in found), dict(zip(ways, found))
    first_layer = 27 * 6 * 144 * (2 if make is shortcut else 1)  # of the image, which has zeros: no more than these
    assert 0 < found[0]["macs_per_sample"] < first_layer and found[0]["sops_per_sample"] > 0
    if mode == "step":
        assert figures(make(ways[-1]), tmp_path, "--schedule", "step", *args) == found[0]
