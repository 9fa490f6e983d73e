"""How a network is written does not change what becomes of it: masks, scales and signs find their neuron through
transposes, reshapes and scales, and the same network in another spelling has the same thresholds, spikes and costs."""
import itertools
import json

import numpy as np
import pytest

from built import tool
from support import Net, convert, error, float_run, runtime
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
