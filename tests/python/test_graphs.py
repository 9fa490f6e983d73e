"""The kinds of graphs that people have, one by one: what becomes of each, and that its values are ONNX Runtime's. The
table of docs/ONNX.md ("Kinds of graphs") is what is found here."""
import json

import numpy as np
import pytest
from onnx import TensorProto, helper

import test_spellings as spelled
from built import ROOT, tool
from qdq_kit import judge
from support import Net, convert, error, refused, runtime, saved
from test_layout import float_output
from test_lists import cells, section
from test_qcfs import qcfs

I64 = np.int64
MS = "com.microsoft"
SIDE = 8
TOLERANCE = 5e-6
THETA, LEVELS = np.float32(1.0), np.float32(8)


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape) * (2 / max(1, np.prod(shape[1:]))) ** .5


def plain(n, y):
    return qcfs(n, y, THETA, LEVELS)


def network(mid=None, first=plain, channels=8, head=None, opset=17, domain=None, shape=(1, 3, SIDE, SIDE),
            kind_of_output=TensorProto.FLOAT):
    """Conv - QCFS - mid - Conv - QCFS - mean - Linear - head. channels: as mid leaves them."""
    n = Net(list(shape), opset)
    y = first(n, n.op("Conv", n.x, n.const(draw(8, 3, 3, 3)), n.const(draw(8)), pads=[1] * 4))
    y = mid(n, y) if mid else y
    y = qcfs(n, n.op("Conv", y, n.const(draw(8, channels, 3, 3)), n.const(draw(8)), pads=[1] * 4), 0.4, 4)
    y = n.op("Gemm", n.op("Flatten", n.op("GlobalAveragePool", y)), n.const(draw(8, 5)), n.const(draw(5)))
    model = n.model(head(n, y) if head else y)
    model.graph.output[0].type.tensor_type.elem_type = kind_of_output
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def op(kind, *consts, **attributes):
    """The operator between two layers, of the live value and constants."""
    def add(n, y):
        return n.op(kind, y, *[n.const(c, dtype=I64 if np.asarray(c).dtype == I64 else "f4") for c in consts], **attributes)
    return add


def levels(spelling, t=THETA, count=LEVELS):
    """The first activation in a spelling of test_spellings.py."""
    return lambda: network(first=lambda n, y: spelling(n, y, t, count))


def f4(*values):
    return np.array(values, "f4")


def ints(*values):
    return np.array(values, I64)


# ---- masks, scales, batches, layouts ----

def masked(order, ratio=0.0):
    """core of a QCFS, then its scale, a transpose and a mask in that order"""
    def first(n, y):
        y = n.op("Div", n.op("Floor", spelled.levels_of(n, y, THETA, LEVELS, .5)), n.const(LEVELS))
        y = n.op("Clip", y, n.const(0.0), n.const(1.0))
        for step in order:
            if step == "mask":
                keep = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(ratio)), to=1)
                y = n.op("Mul", y, keep)
            else:
                y = n.op("Mul", y, n.const(THETA)) if step == "scale" else n.op("Transpose", y, perm=[0, 1, 3, 2])
        return y
    return lambda: network(first=first)


def scaled(merged):
    """A factor L behind the first neuron, left there or merged into the layer that reads it."""
    n = Net([1, 3, SIDE, SIDE], 17)
    y = plain(n, n.op("Conv", n.x, n.const(draw(8, 3, 3, 3)), pads=[1] * 4))
    w = draw(8, 8, 3, 3)
    y = n.op("Conv", y if merged else n.op("Mul", y, n.const(LEVELS)), n.const(w if merged else w / LEVELS), pads=[1] * 4)
    y = qcfs(n, y, 0.4, 4)
    return n.model(n.op("Gemm", n.op("Flatten", n.op("GlobalAveragePool", y)), n.const(draw(8, 5))))


def channels_last():
    n = Net([1, SIDE, SIDE, 3], 17)
    y = n.op("Conv", n.op("Transpose", n.x, perm=[0, 3, 1, 2]), n.const(draw(8, 3, 3, 3)), pads=[1] * 4)
    y = n.op("Transpose", plain(n, n.op("Transpose", y, perm=[0, 2, 3, 1])), perm=[0, 3, 1, 2])
    y = n.op("GlobalAveragePool", qcfs(n, n.op("Conv", y, n.const(draw(8, 8, 3, 3)), pads=[1] * 4), 0.4, 4))
    return n.model(n.op("Gemm", n.op("Flatten", y), n.const(draw(8, 5))))


# ---- what does not spike ----

def relus():
    n = Net([1, 3, SIDE, SIDE], 17)
    y = n.op("Relu", n.op("Conv", n.x, n.const(draw(8, 3, 3, 3)), pads=[1] * 4))
    return n.model(n.op("Gemm", n.op("Flatten", n.op("GlobalAveragePool", y)), n.const(draw(8, 5))))


def signed(n, y):
    y = n.op("Clip", n.op("Round", n.op("Div", y, n.const(.1))), n.const(-8.0), n.const(7.0))
    return n.op("Mul", y, n.const(.1))


def fake_quantized():
    """FakeQuantize modules of PyTorch: float weights behind pairs, activations from 0."""
    n = Net([1, 3, SIDE, SIDE], 17)

    def pair(y, scale, zero, dtype, **axis):
        scale, zero = n.const(scale), n.const(zero, dtype=dtype)
        return n.op("DequantizeLinear", n.op("QuantizeLinear", y, scale, zero, **axis), scale, zero, **axis)
    y = n.x
    for channels in (3, 8):
        w = pair(n.const(draw(8, channels, 3, 3)), np.linspace(.002, .004, 8), np.zeros(8), np.int8, axis=0)
        y = pair(n.op("Relu", n.op("Conv", y, w, n.const(draw(8)), pads=[1] * 4)), .011, 0, np.uint8)
    return n.model(n.op("Gemm", n.op("Flatten", n.op("GlobalAveragePool", y)), n.const(draw(8, 5))))


def resize(mode):
    def mid(n, y):
        y = n.op("Resize", y, "", n.const(f4(1, 1, 2, 2)), mode=mode)
        return n.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    return mid


def attention(n, y):
    """x x' and a softmax whose mask has minus infinities"""
    y = n.op("Reshape", y, n.const(ints(1, 8, -1), dtype=I64))
    s = n.op("Add", n.op("MatMul", y, n.op("Transpose", y, perm=[0, 2, 1])),
             n.const(np.triu(np.full((8, 8), -np.inf), 1)))
    y = n.op("MatMul", n.op("Softmax", s, axis=-1), y)
    return n.op("Reshape", y, n.const(ints(1, 8, SIDE, SIDE), dtype=I64))


def skip_norm(n, y):
    y = n.op("Reshape", y, n.const(ints(1, 8, -1), dtype=I64))
    size = SIDE * SIDE
    y = n.op("SkipLayerNormalization", y, y, n.const(draw(size)), n.const(draw(size)), domain=MS, epsilon=1e-5)
    return n.op("Reshape", y, n.const(ints(1, 8, SIDE, SIDE), dtype=I64))


def normalized(n, y):
    norm = n.op("ReduceL2", y, axes=[1], keepdims=1)
    return n.op("Div", y, n.op("Expand", n.op("Max", norm, n.const(1e-12)), n.const(ints(1, 8, SIDE, SIDE), dtype=I64)))


def conv3d(n, y):
    y = n.op("Reshape", y, n.const(ints(1, 4, 2, SIDE, SIDE), dtype=I64))
    y = n.op("Conv", y, n.const(draw(4, 4, 3, 3, 3)), pads=[1] * 6)
    return n.op("Reshape", y, n.const(ints(1, 8, SIDE, SIDE), dtype=I64))


def conv1d(n, y):
    """with its padding written in front"""
    y = n.op("Pad", n.op("Reshape", y, n.const(ints(1, 8, -1), dtype=I64)), n.const(ints(0, 0, 2, 0, 0, 2), dtype=I64))
    y = n.op("Conv", y, n.const(draw(8, 8, 5)))
    return n.op("Reshape", y, n.const(ints(1, 8, SIDE, SIDE), dtype=I64))


def pool_to(n, y, to=5):
    """Adaptive average pool as the newer exporter writes it: windows of unequal size, each a slice and a mean"""
    for axis in (2, 3):
        parts = []
        for k in range(to):
            lo, hi = k * SIDE // to, -(-(k + 1) * SIDE // to)
            part = n.op("Slice", y, *[n.const(ints(v), dtype=I64) for v in (lo, hi, axis)])
            parts.append(n.op("ReduceMean", part, axes=[axis]))
        y = n.op("Concat", *parts, axis=axis)
    return y


def log_softmax(y):
    return y - np.log(np.sum(np.exp(y.astype("f8"))))


def argmax(y):
    return y.argmax(keepdims=True).astype("f8")


def recurrent(kind, gates, **attributes):
    """rows as a sequence, their mean over both directions"""
    def mid(n, y):
        steps = n.op("Reshape", y, n.const(ints(8, 1, -1), dtype=I64))
        size = SIDE * SIDE
        y = n.op(kind, steps, n.const(draw(2, gates * 32, size)), n.const(draw(2, gates * 32, 32)),
                 n.const(draw(2, gates * 64)), outputs=2, hidden_size=32, direction="bidirectional", **attributes)[0]
        y = n.op("Transpose", y, perm=[2, 0, 1, 3])
        return n.op("Reshape", y, n.const(ints(1, 8, SIDE, SIDE), dtype=I64))
    return mid


class Kind:
    """build: a model. becomes: (neurons, analog nodes), or None where it is refused (`says`) but with --allow-analog,
    with which `analog` nodes do not spike. cut: what the cut end of the model does to our output. judge: ONNX Runtime,
    or without its optimizer. nhwc: the model's input has its channels last. batch: the model's, of which we run one."""

    def __init__(self, build, becomes, says="", analog=None, cut=None, run=runtime, nhwc=False, batch=1):
        self.build, self.becomes, self.says, self.analog = build, becomes, says, analog
        self.cut, self.run, self.nhwc, self.batch = cut, run, nhwc, batch

    def row(self):
        count, islands = self.becomes or self.analog
        says = self.says if self.becomes else "refused (%s) without `--allow-analog`" % self.says
        return [str(count), str(islands), says]


def unoptimized(model, x):
    return judge(model, x)[0].ravel()


KINDS = {
    "mask behind transpose and scale": Kind(masked(["transpose", "scale", "mask"]), (2, 0)),
    "mask behind scale and transpose": Kind(masked(["scale", "transpose", "mask"]), (2, 0)),
    "scale behind a neuron, as exported": Kind(lambda: scaled(False), (2, 0)),
    "scale behind a neuron, merged": Kind(lambda: scaled(True), (2, 0)),
    "fixed batch of 4": Kind(lambda: network(shape=(4, 3, SIDE, SIDE)), (2, 0), "fixed batch of 4 is bound to 1", batch=4),
    "opset 9": Kind(lambda: network(opset=9, first=lambda n, y: qcfs(n, y, THETA, LEVELS, bounds="clip_attr")), (2, 0)),
    "opset 21": Kind(lambda: network(opset=21), (2, 0)),
    "opset 22": Kind(lambda: network(opset=22), (2, 0)),
    "opset 23": Kind(lambda: network(opset=23), (2, 0)),
    "com.microsoft FusedMatMul": Kind(lambda: network(mid=op("FusedMatMul", draw(SIDE, SIDE), alpha=.5, transB=1, domain=MS),
                                                      domain=MS), (2, 0)),
    "com.microsoft SkipLayerNormalization": Kind(lambda: network(mid=skip_norm, domain=MS), (2, 1)),
    "ReLUs alone": Kind(relus, None, "nothing in this network spikes", analog=(0, 1)),
    "one ReLU between QCFS": Kind(lambda: network(first=op("Relu")), (1, 1)),
    "sign": Kind(lambda: network(first=op("Sign")), None, "a Sign, which is 0 at 0", analog=(1, 1)),
    "channels last (tf2onnx, Keras, JAX)": Kind(channels_last, (2, 0), nhwc=True),
    "ArgMax at the end": Kind(lambda: network(head=op("ArgMax", axis=1), kind_of_output=TensorProto.INT64), (2, 0), "cut", cut=argmax),
    "LogSoftmax at the end": Kind(lambda: network(head=op("LogSoftmax", axis=1)), (2, 0), "cut", cut=log_softmax),
    "Conv1d with a Pad in front": Kind(lambda: network(mid=conv1d), (2, 0)),
    "Conv3d": Kind(lambda: network(mid=conv3d), (2, 0)),
    "ConvTranspose": Kind(lambda: network(mid=op("ConvTranspose", draw(8, 8, 2, 2), strides=[2, 2])), (2, 0)),
    "CumSum": Kind(lambda: network(mid=op("CumSum", np.array(3, I64))), (2, 0)),
    "GroupNormalization": Kind(lambda: network(mid=op("GroupNormalization", f4(*range(1, 9)) / 4, f4(*range(8)) / 9,
                                                      num_groups=2), opset=21), (2, 1)),
    "HardSigmoid": Kind(lambda: network(mid=op("HardSigmoid")), (2, 1)),
    "HardSwish": Kind(lambda: network(first=op("HardSwish")), (1, 2)),
    "L2 norm": Kind(lambda: network(mid=normalized), (2, 4)),
    "LeakyRelu": Kind(lambda: network(first=op("LeakyRelu", alpha=.1)), (1, 2)),
    "RNN": Kind(lambda: network(mid=recurrent("RNN", 1)), (2, 16)),
    "GRU": Kind(lambda: network(mid=recurrent("GRU", 3, linear_before_reset=1)), (2, 62)),
    "LSTM": Kind(lambda: network(mid=recurrent("LSTM", 4)), (2, 126)),
    "DepthToSpace": Kind(lambda: network(mid=op("DepthToSpace", blocksize=2, mode="CRD"), channels=2), (2, 0)),
    "reflecting Pad": Kind(lambda: network(mid=op("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")), (2, 0)),
    "negative Pad": Kind(lambda: network(mid=op("Pad", ints(0, 0, 0, -1, 0, 0, -1, 2))), (2, 0)),
    "Resize, nearest": Kind(lambda: network(mid=resize("nearest")), (2, 0)),
    "Resize, linear": Kind(lambda: network(mid=resize("linear")), (2, 0)),
    "Einsum of two live values": Kind(lambda: network(mid=lambda n, y: n.op("Einsum", y, y, equation="bchw,bcHw->bhHw")),
                                      (2, 0)),
    "mask of minus infinities": Kind(lambda: network(mid=attention), (2, 1)),
    "Gather of constant indices": Kind(lambda: network(mid=op("Gather", ints(*range(7, -1, -1)), axis=1)), (2, 0)),
    "Tile": Kind(lambda: network(mid=op("Tile", ints(1, 2, 1, 1)), channels=16), (2, 0)),
    "pool of windows of unequal size": Kind(lambda: network(mid=pool_to), (2, 0)),
    "ceil(x - 1/2)": Kind(levels(spelled.ceil), (2, 0)),
    "-floor(-x)": Kind(levels(spelled.minus_floor), (2, 0)),
    "PACT by abs": Kind(levels(spelled.pact_abs), (2, 0)),
    "bounds by two ReLUs": Kind(levels(spelled.two_relus), (2, 0)),
    "casts to integers": Kind(levels(spelled.integers_of_bounded), (2, 0)),
    "sum of steps": Kind(levels(spelled.steps, count=8), (2, 0)),
    "straight-through, shift inside": Kind(levels(spelled.straight_through), (2, 0)),
    "straight-through of levels": Kind(levels(spelled.straight_through_unit), (2, 0)),
    "negative theta": Kind(levels(spelled.plain, np.float32(-1.5)), (2, 0)),
    "signed levels": Kind(lambda: network(first=signed), None, "no signed neurons", analog=(1, 2)),
    "FakeQuantize, QDQ": Kind(fake_quantized, (2, 0), run=unoptimized),
}


def samples(kind, count=4):
    x = np.random.default_rng(3).normal(size=(count, 3, SIDE, SIDE)).astype("f4")
    return x.transpose(0, 2, 3, 1) if kind.nhwc else x


@pytest.mark.parametrize("name", list(KINDS))
def test_kind(name, tmp_path):
    kind = KINDS[name]
    model, options = kind.build(), []
    if kind.becomes is None:
        assert kind.says in refused(model, tmp_path)
        options = ["--allow-analog"]
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "model.bin", "--report",
                tmp_path / "r.json", *options)
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["spiking_layers"], report["non_spiking_nodes"]) == (kind.becomes or kind.analog)
    assert kind.says in done.stderr or kind.becomes is None
    for x in samples(kind):
        expected = kind.run(model, np.repeat(x[None], kind.batch, 0))
        got = float_output(tmp_path, x.transpose(2, 0, 1) if kind.nhwc else x)
        got = kind.cut(got) if kind.cut else got
        assert error(got, expected[:len(expected) // kind.batch]) < TOLERANCE


def test_the_table_says_so():
    """docs/ONNX.md, a row a kind; `python tests/python/test_graphs.py` prints them."""
    table = cells(section((ROOT / "docs" / "ONNX.md").read_text(), "Kinds of graphs"))
    assert [row for row in table if row[0] in KINDS] == [[name] + kind.row() for name, kind in KINDS.items()]


def test_masks_of_both_orders_spike(tmp_path):
    for order in (["transpose", "scale", "mask"], ["scale", "transpose", "mask"]):
        report, _ = convert(masked(order, .5)(), tmp_path)
        assert report["masks"] == 1 and report["layers"][0]["ratio"] == .5


@pytest.mark.parametrize("rank", [1, 2])
def test_padding_written_in_front_is_the_convolutions(rank, tmp_path):
    found = []
    for apart in (False, True):
        n = Net([1, 3] + [9] * rank, 17)
        y = n.x
        for channels in (3, 6):
            w, pads = n.const(draw(6, channels, *[5] * rank)), [2] * rank + [1] * rank
            if apart:
                y = n.op("Pad", y, n.const([0, 0] + pads[:rank] + [0, 0] + pads[rank:], dtype=I64))
            y = plain(n, n.op("Conv", y, w, **({} if apart else {"pads": pads})))
        model = n.model(n.op("Gemm", n.op("Flatten", n.op("GlobalAveragePool", y)), n.const(draw(6, 4))))
        _, graph = convert(model, tmp_path)
        found.append([(node.op, node.ip, tuple(graph.tensors[node.out].shape)) for node in graph.nodes])
        x = np.random.default_rng(2).normal(size=[1, 3] + [9] * rank).astype("f4")
        assert error(float_output(tmp_path, x), runtime(model, x)) < TOLERANCE
    assert found[0] == found[1]


def test_a_merged_scale_costs_the_same(tmp_path):
    found = []
    for merged in (False, True):
        report, _ = convert(scaled(merged), tmp_path)
        np.savez(tmp_path / "x.npz", x=samples(KINDS["sign"]), y=np.zeros(4, I64))
        done = tool("mstrun", tmp_path / "model.bin", "npz:%s" % (tmp_path / "x.npz"), "-T", 64, "--json", "-", "--quiet")
        run = json.loads(done.stdout)
        found.append([run[k] for k in ("spikes_per_sample", "sops_per_sample", "macs_per_sample", "energy_pj")] +
                     [row["theta_min"] for row in report["layers"]])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


if __name__ == "__main__":
    for NAME, KIND in KINDS.items():
        print("| %s |" % " | ".join([NAME] + KIND.row()))
