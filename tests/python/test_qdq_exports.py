"""Quantized networks in the patterns of PyTorch's exports, built here without torch: PT2E (XNNPACKQuantizer: int8 activations, a
DequantizeLinear for each reader, int8 weights a scale a channel, pairs around pools and reshapes) and FakeQuantize modules
(float weights behind pairs, activations of 7 bits by a Clip between the two, constants of Constant nodes)."""
import numpy as np
import pytest

from qdq_kit import SHAPE, images, judge, pairs_of, ran
from support import Net, convert

I64 = np.int64


class Pt2e:
    """scales: value -> (scale, zero point); None: the float network, whose `values` are to be looked at."""
    dtype, low, high = np.int8, -128, 127

    def __init__(self, scales=None):
        self.n, self.scales, self.values = Net(SHAPE, 17), scales, {}

    def number(self, value, dtype=np.float32):
        return self.n.const(value, dtype=dtype)

    def act(self, y, name, readers=1, like=None):
        """y through a pair; a DequantizeLinear for each reader."""
        self.values[name] = y
        if self.scales is None:
            return [y] * readers
        scale, zero = self.scales[like or name]
        q = self.between(self.n.op("QuantizeLinear", y, self.number(scale), self.number(zero, self.dtype), name="q_" + name))
        return [self.n.op("DequantizeLinear", q, self.number(scale), self.number(zero, self.dtype)) for _ in range(readers)]

    def between(self, q):
        return q

    def weight(self, w):
        scale = np.abs(w.reshape(len(w), -1)).max(1) / 109  # observers leave room
        q = np.clip(np.rint(w / scale.reshape([-1] + [1] * (w.ndim - 1))), -127, 127)
        return self.n.op("DequantizeLinear", self.n.const(q, dtype=np.int8), self.number(scale),
                         self.number(np.zeros(len(w)), np.int8), axis=0)

    def scale_of(self, low, high):
        low, high = min(low, 0), max(high, 0)
        scale = np.float32((high - low) / (self.high - self.low))
        return scale, int(np.clip(self.low - np.rint(low / scale), self.low, self.high))


class FakeQuantize(Pt2e):
    dtype, low, high = np.uint8, 0, 127

    def number(self, value, dtype=np.float32):
        return self.n.const(value, "constant", dtype)

    def between(self, q):
        return self.n.op("Clip", q, self.number(0, np.uint8), self.number(127, np.uint8))

    def weight(self, w):
        scale, zero = np.abs(w.reshape(len(w), -1)).max(1) / 109, np.zeros(len(w))
        given = [self.number(scale), self.number(zero, np.int8)]
        q = self.n.op("QuantizeLinear", self.n.const(w), *given, axis=0)
        q = self.n.op("Clip", q, self.number(-127, np.int8), self.number(127, np.int8))
        return self.n.op("DequantizeLinear", q, *given, axis=0)


def write(net):
    """A residual block, a max pool, an average, a Linear."""
    draw, n = np.random.default_rng(6), net.n

    def conv(y, ins, outs):
        w = net.weight((draw.normal(size=(outs, ins, 3, 3)) * (2 / (9 * ins)) ** .5).astype("f4"))
        return n.op("Conv", y, w, n.const(draw.normal(size=outs) * .1), pads=[1] * 4)
    y, = net.act(n.x, "image")
    y, shortcut = net.act(n.op("Relu", conv(y, 3, 8)), "first", 2)
    y, = net.act(n.op("Relu", conv(y, 8, 8)), "inner")
    y, = net.act(conv(y, 8, 8), "branch")
    y, = net.act(n.op("Relu", n.op("Add", y, shortcut)), "sum")
    y, = net.act(n.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), "pooled", like="sum")
    y, = net.act(n.op("Relu", conv(y, 8, 8)), "last")
    y, = net.act(n.op("ReduceMean", y, axes=[2, 3], keepdims=1), "mean")
    y, = net.act(n.op("Reshape", y, n.const([1, 8], dtype=I64)), "flat", like="mean")
    w = net.weight((draw.normal(size=(10, 8)) * .7).astype("f4"))
    y, = net.act(n.op("Gemm", y, w, n.const(draw.normal(size=10) * .1), transB=1), "logits")
    return n.model(y)


def quantized(kind):
    """The network with scales from 32 images; the scale of its logits."""
    plain = kind()
    model = write(plain)
    found = [judge(model, x[None], list(plain.values.values())) for x in images(32, 9)]
    scales = {name: plain.scale_of(min(f[k].min() for f in found), max(f[k].max() for f in found))
              for k, name in enumerate(plain.values)}
    return write(kind(scales)), scales["logits"][0]


NEURONS = ["q_first", "q_inner", "q_sum", "q_last"]


@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("kind", [Pt2e, FakeQuantize], ids=["PT2E", "FakeQuantize"])
def test_is_the_network_in_integers(kind, weights, tmp_path):
    model, quantum = quantized(kind)
    report, graph = convert(model, tmp_path, "--weights", weights)
    became = {name: pair["became"] for name, pair in pairs_of(report).items()}
    assert [name for name in became if became[name] == "neuron"] == NEURONS, became
    assert became["q_image"] == became["q_branch"] == became["q_logits"] == "rounds"
    assert became["q_pooled"] == became["q_flat"] == "same levels"
    assert {row["L"] for row in report["layers"]} == {kind.high - kind.low}
    agree, exact = 0, 0
    for x in images(48, 21):
        got, _ = ran(tmp_path / "model.bin", x, tmp_path)
        want = judge(model, x[None])[0].ravel()
        assert np.max(np.abs(got - want)) < 2.01 * quantum  # values right between two levels
        agree += got.argmax() == want.argmax()
        exact += np.max(np.abs(got - want)) < .01 * quantum
    assert agree >= 47 and exact >= 40, (agree, exact)


@pytest.mark.parametrize("kind", [Pt2e, FakeQuantize], ids=["PT2E", "FakeQuantize"])
def test_int8_weights_are_those_of_the_export(kind, tmp_path):
    """Whole numbers and scales, not rounded again."""
    model, _ = quantized(kind)
    outs = {}
    for weights in ("f32", "int8"):
        convert(model, tmp_path, "--weights", weights)
        outs[weights] = np.stack([ran(tmp_path / "model.bin", x, tmp_path)[0] for x in images(8, 4)])
    assert np.max(np.abs(outs["f32"] - outs["int8"])) <= 1e-4 * np.max(np.abs(outs["f32"]))
