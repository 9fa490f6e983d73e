"""Where one Round reads others, many values are right between two levels: the even one is taken, as in ONNX Runtime."""
import re

import numpy as np
import pytest

from qdq_kit import ran
from support import Net, convert, runtime, saved, tool

SHAPE = [1, 4, 8, 8]


def rounded(n, x, theta=1.0, levels=8):
    y = n.op("Clip", n.op("Round", n.op("Div", x, n.const(theta / levels))), n.const(0.0), n.const(float(levels)))
    return n.op("Mul", y, n.const(theta / levels))


def halves(shape, seed):
    return np.random.default_rng(seed).integers(-2, 3, shape) * .5


def other(n):
    return rounded(n, n.op("Conv", n.x, n.const(halves((4, 4, 1, 1), 3))))


BETWEEN = {  # name: (what lies between two quantizers, theta of the second)
    "as it is": (lambda n, y: n.op("Mul", y, n.const(.5)), 1),
    "average pool": (lambda n, y: n.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2]), 1),
    "average pool, overlapping": (lambda n, y: n.op("AveragePool", y, kernel_shape=[2, 2]), 1),
    "global average": (lambda n, y: n.op("Add", n.op("GlobalAveragePool", y), n.op("Mul", y, n.const(0.0))), 1),
    "mean of channels": (lambda n, y: n.op("ReduceMean", y, axes=[1], keepdims=1), 1),
    "residual sum": (lambda n, y: n.op("Add", y, other(n)), 2),
    "difference": (lambda n, y: n.op("Sub", y, n.op("Mul", other(n), n.const(.5))), 1),
    "max pool": (lambda n, y: n.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), 2),
    "convolution": (lambda n, y: n.op("Conv", y, n.const(halves((4, 4, 3, 3), 4)), n.const([.25, 0, -.5, .0625]),
                                      pads=[1] * 4), 4),
    "depthwise mean": (lambda n, y: n.op("Conv", y, n.const(np.full((4, 1, 2, 2), .25)), group=4, strides=[2, 2]), 1),
    "layer and shortcuts": (lambda n, y: n.op("Add", n.op("Add", n.op("Conv", y, n.const(halves((4, 4, 1, 1), 6))), y),
                                              n.op("Mul", other(n), n.const(.5))), 4),
    "linear": (lambda n, y: n.op("Gemm", n.op("Flatten", y), n.const(halves((256, 40), 5)), n.const(np.ones(40) / 16)), 8),
}


def images(count, seed=1):
    """Whole sixteenths, so that the first quantizer has ties, too."""
    return np.random.default_rng(seed).integers(-16, 32, [count] + SHAPE[1:]) / np.float32(16)


@pytest.mark.parametrize("between", BETWEEN, ids=lambda name: name.replace(" ", "-"))
def test_values_between_two_levels_go_to_the_even_one(between, tmp_path):
    make, theta = BETWEEN[between]
    n = Net(SHAPE, 17)
    y = n.op("Flatten", rounded(n, make(n, rounded(n, n.x)), theta))
    size = runtime(n.model(y), np.zeros(SHAPE, "f4")).size
    model = n.model(n.op("Gemm", y, n.const(np.eye(size))))
    upper = 0
    for weights in ("f32", "int8"):
        report, graph = convert(model, tmp_path, "--weights", weights)
        assert report["spiking_layers"] >= 2
        for x in images(4):
            want = runtime(model, x[None].astype("f4"))
            for mode in ("float", "count", "radix"):
                got, _ = ran(tmp_path / "model.bin", x, tmp_path, mode)
                assert np.array_equal(got, want), (weights, mode)
            assert all(np.array_equal(got, want) for got in fused(tmp_path, x)), weights
            upper += np.count_nonzero(want != floored(model, x))
    assert upper > 0, "no value is right between two levels"


def fused(folder, x):
    """By the block schedule, with and without the processor's own instructions."""
    np.save(folder / "x.npy", x[None])
    for isa, mode in (("scalar", "count"), ("avx2", "count"), ("avx2", "radix")):
        if not re.search(isa + " +yes", tool("mstrun", "--list", "isa").stdout):
            continue
        tool("mstrun", folder / "model.bin", "npy:%s" % (folder / "x.npy"), "--mode", mode, "--isa", isa, "--quiet",
             "--predictions", folder / "p.npz", "--force")
        yield np.load(folder / "p.npz")["logits"].ravel()


def floored(model, x):
    """The same with floor(x + 1/2) for each Round."""
    model = type(model).FromString(model.SerializeToString())
    half = model.graph.initializer.add()
    half.name, half.data_type = "half", 1
    half.float_data.append(.5)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Round":
            shifted = type(node)(op_type="Add", input=[node.input[0], "half"], output=[node.output[0] + "_shifted"])
            nodes.append(shifted)
            node.op_type, node.input[0] = "Floor", shifted.output[0]
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return runtime(model, x[None].astype("f4"))


def warned(model, folder):
    return tool("mstconv", saved(model, folder), "-o", folder / "m.bin", "--force", "-q").stderr


@pytest.mark.parametrize("theta,levels,tells", [(1.0, 8, False), (1.5, 8, False), (.75, 4, False), (.7, 8, True),
                                                (1.0, 15, True)])
def test_what_float32_does_not_have_exactly_is_told(theta, levels, tells, tmp_path):
    n = Net(SHAPE, 17)
    y = n.op("AveragePool", rounded(n, n.x, theta, levels), kernel_shape=[2, 2])
    text = warned(n.model(n.op("Flatten", rounded(n, y, theta, levels))), tmp_path)
    assert ("one in 4" in text and "Round_" in text) == tells, text
    n = Net(SHAPE, 17)  # behind weights there are no ties to speak of, nor where 2 x 2 levels do not fit
    weights = n.const(np.random.default_rng(2).normal(size=(4, 4, 1, 1)))
    y = n.op("Conv", n.op("AveragePool", rounded(n, n.x, theta, levels), kernel_shape=[2, 2]), weights)
    assert "warning" not in warned(n.model(n.op("Flatten", rounded(n, y, theta, levels))), tmp_path)
    n = Net(SHAPE, 17)
    y = n.op("AveragePool", rounded(n, n.x, theta, levels), kernel_shape=[3, 3])
    assert "warning" not in warned(n.model(n.op("Flatten", rounded(n, y, theta, levels))), tmp_path)
