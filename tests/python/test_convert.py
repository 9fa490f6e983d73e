"""What mstconv refuses, and how it says so."""
import json

import numpy as np
import pytest
from onnx import TensorProto

from support import FIXTURES, Net, assert_same, convert, error, float_run, refused, runtime, tool
from test_qcfs import qcfs


def linear(n, y, width, out=4):
    return n.op("MatMul", y, n.const(np.random.default_rng(0).normal(size=(width, out))))


def two_inputs():
    n = Net([1, 6])
    from onnx import helper
    n.inputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 6]))
    return n.model(n.op("Add", n.x, "z"))


def integer_input():
    n = Net([1, 6], dtype=TensorProto.INT64)
    return n.model(n.op("Cast", n.x, to=TensorProto.FLOAT))


def unsupported():
    n = Net([1, 3, 8, 8])
    return n.model(n.op("LRN", n.x, size=3, name="norm7"))


def own_domain():
    n = Net([1, 6])
    model = n.model(n.op("MyOp", n.x, domain="com.acme", name="acme_node"))
    from onnx import helper
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    return model


def static_batch():
    """Channels or a batch?"""
    n = Net([8, 6, 4])
    return n.model(n.op("ReduceMean", qcfs(n, n.x, 1.0, 8), axes=[2], keepdims=0))


def batch_inside():
    n = Net([4, 6])
    y = n.op("Reshape", qcfs(n, n.x, 1.0, 8), n.const([2, -1, 3], dtype=np.int64), name="reshape9")
    return n.model(n.op("Flatten", y))


def no_shape():
    n = Net(["batch", "c", "h", "w"])
    return n.model(n.op("Conv", n.x, n.const(np.ones((2, 3, 3, 3)))))


def huge_input():
    n = Net([1, 2 ** 40])
    return n.model(n.op("Relu", n.x))


def huge_pad():
    n = Net([1, 6])
    return n.model(n.op("Pad", n.x, n.const([0, 0, 0, 2 ** 40], dtype=np.int64)))


def big_pad():
    n = Net([1, 6])
    y = n.op("Pad", n.x, n.const([0, 0, 0, 2 ** 31], dtype=np.int64))
    return n.model(n.op("ReduceMean", y, axes=[1]))


def two_outputs():
    n = Net([1, 6])
    y = n.op("Relu", n.x)
    return n.model(y, n.op("Neg", y))


def constant_output():
    n = Net([1, 6])
    n.op("Relu", n.x)
    return n.model(n.op("Neg", n.const(np.ones((1, 6)))))


def nan_bn():
    n = Net([1, 3, 4, 4])
    k = [np.ones(3), np.zeros(3), np.zeros(3), np.array([1, np.nan, 1])]
    return n.model(n.op("BatchNormalization", n.x, *[n.const(v) for v in k]))


def nan_gamma():
    n = Net([1, 3, 4, 4])
    k = [np.array([1, np.nan, 1]), np.zeros(3), np.zeros(3), np.ones(3)]
    return n.model(n.op("BatchNormalization", n.x, *[n.const(v) for v in k]))


def nan_weight():
    n = Net([1, 6])
    w = np.ones((6, 4))
    w[2, 1] = np.nan
    return n.model(n.op("MatMul", n.x, n.const(w), name="bad_matmul"))


def negative_variance():
    n = Net([1, 3, 4, 4])
    k = [np.ones(3), np.zeros(3), np.zeros(3), np.array([1, -2, 1])]
    return n.model(n.op("BatchNormalization", n.x, *[n.const(v) for v in k]))


def training_bn():
    n = Net([1, 3, 4, 4], 15)
    k = [np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)]
    return n.model(n.op("BatchNormalization", n.x, *[n.const(v) for v in k], outputs=3, training_mode=1)[0])


def live_weight():
    n = Net([1, 4, 6, 6])
    w = n.op("Reshape", n.x, n.const([4, 4, 3, 3], dtype=np.int64))
    return n.model(n.op("Conv", n.x, w))


def live_clip():
    n = Net([1, 6])
    top = n.op("Squeeze", n.op("ReduceMax", n.x, axes=[0, 1]))
    return n.model(n.op("Clip", n.x, n.const(0.0), top))


def conv4d():
    n = Net([1, 2, 4, 4, 4, 4])
    return n.model(n.op("Conv", n.x, n.const(np.ones((2, 2, 1, 1, 1, 1)))))


def lstm():
    n = Net([5, 1, 3])
    y = n.op("LSTM", n.x, n.const(np.ones((1, 8, 3))), n.const(np.ones((1, 8, 2))), hidden_size=2, clip=1.0,
             name="the_lstm")
    return n.model(y)


@pytest.mark.parametrize("make,words", [
    (two_inputs, ["2 inputs"]), (integer_input, ["int64", "float"]), (unsupported, ["norm7", "LRN"]),
    (own_domain, ["acme_node", "MyOp", "domain"]), (static_batch, ["batch", "8", "export"]),
    (batch_inside, ["reshape9", "fixed batch 4"]), (no_shape, ["--input-shape"]),
    (huge_input, ["x"]), (huge_pad, ["Pad_"]), (big_pad, ["Pad_"]), (two_outputs, ["2 outputs"]),
    (constant_output, ["does not depend on the input"]), (nan_bn, ["BatchNormalization", "nan"]),
    (nan_gamma, ["BatchNormalization"]), (nan_weight, ["bad_matmul"]),
    (negative_variance, ["variance"]), (training_bn, ["training", "eval"]), (live_weight, ["Conv_", "constant"]),
    (live_clip, ["Clip_", "constant"]), (conv4d, ["Conv_"]), (lstm, ["the_lstm", "LSTM", "clip"]),
], ids=lambda v: getattr(v, "__name__", None))
def test_refused(make, words, tmp_path):
    text = refused(make(), tmp_path)
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("ir,opset,ok", [(8, 13, True), (10, 21, True), (11, 21, True), (12, 21, True), (14, 21, True),
                                         (15, 21, False), (14, 28, True), (14, 29, False), (14, 8, False), (4, 9, True)])
def test_versions(ir, opset, ok, tmp_path):
    n = Net([1, 6], opset, ir)
    model = n.model(n.op("Relu", n.x))
    if ok:
        convert(model, tmp_path, "--allow-analog")
    else:
        text = refused(model, tmp_path)
        assert ("IR version" in text) if ir == 15 else ("opset" in text)


def analog(kind):
    n = Net([1, 6])
    y = qcfs(n, n.x, 1.0, 8)
    if kind == "relu":
        y = n.op("Relu", linear(n, y, 6, 6), name="the_node")
    elif kind == "softmax":
        y = n.op("Softmax", linear(n, y, 6, 6), axis=-1, name="the_node")
    elif kind == "product":
        y = n.op("Mul", linear(n, y, 6, 6), y, name="the_node")
    elif kind == "layernorm":
        n.opset = 17
        y = n.op("LayerNormalization", linear(n, y, 6, 6), n.const(np.ones(6)), name="the_node")
    elif kind == "sigmoid":
        y = n.op("Sigmoid", linear(n, y, 6, 6), name="the_node")
    return n.model(linear(n, y, 6))


@pytest.mark.parametrize("kind", ["relu", "softmax", "product", "layernorm", "sigmoid"])
def test_require_spiking(kind, tmp_path):
    report, _ = convert(analog(kind), tmp_path, "--allow-analog")
    assert report["non_spiking_nodes"] == 1
    assert [r["name"] for r in report["non_spiking"] if "the_node" == r["name"]] == ["the_node"]
    text = refused(analog(kind), tmp_path, "--require-spiking", "--allow-analog")
    assert "the_node" in text and "--require-spiking" in text


def test_require_spiking_accepts_what_spikes(tmp_path):
    for name in ("swin-ts", "resnet18-tsdyn", "vgg16-dynamo"):
        convert(FIXTURES / (name + ".onnx"), tmp_path, "--require-spiking")
    assert "Softmax" in refused(FIXTURES / "swin_pub_bn-tsdyn.onnx", tmp_path, "--require-spiking")


def test_symbolic_shape_is_bound(tmp_path):
    n = Net(["batch", "c", "h", "w"])
    y = n.op("Conv", n.x, n.const(np.random.default_rng(0).normal(size=(4, 3, 3, 3))), pads=[1] * 4)
    model = n.model(n.op("Flatten", qcfs(n, y, 2.0, 8)))
    _, graph = convert(model, tmp_path, "--input-shape", "3x8x8")
    assert graph.tensors[graph.input].shape == (1, 3, 8, 8)
    text = refused(model, tmp_path, "--input-shape", "3x2")
    assert len(text) > 20


@pytest.mark.parametrize("start,end,step", [(0, 3, 1), (-1, -2 ** 63, -1), (2 ** 63 - 1, -2 ** 63, -1), (1, 2 ** 63 - 1, 2),
                                            (-3, 2 ** 31 - 1, 1), (-100, 100, 3)])
def test_slices_with_extreme_bounds(start, end, step, tmp_path):
    n = Net([1, 6])
    model = n.model(n.op("Slice", n.x, *[n.const([v], dtype=np.int64) for v in (start, end, 1, step)]))
    assert_same(model, tmp_path, np.arange(6, dtype=np.float32)[None])


@pytest.mark.parametrize("kind", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1]])
@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("count", [0, 1])
def test_pooling_windows(kind, pads, ceil, count, tmp_path):
    rng = np.random.default_rng(5)
    for kernel, stride, size in ((2, 2, 7), (3, 2, 8), (3, 3, 7), (2, 1, 5), (3, 1, 6)):
        n = Net([1, 2, size, size], 19)
        more = {"count_include_pad": count} if kind == "AveragePool" else {}
        y = n.op(kind, n.x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, ceil_mode=ceil, **more)
        model = n.model(n.op("Flatten", y))
        assert_same(model, tmp_path, rng.normal(size=(1, 2, size, size)).astype(np.float32), 1e-6)


@pytest.mark.parametrize("mode", ["VALID", "SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op", ["Conv", "AveragePool", "MaxPool"])
def test_auto_pad(mode, op, tmp_path):
    rng = np.random.default_rng(6)
    for kernel, stride, size in ((2, 2, 7), (3, 2, 8), (4, 1, 7), (3, 3, 7)):
        n = Net([1, 2, size, size], 13)
        inputs = [n.x, n.const(rng.normal(size=(3, 2, kernel, kernel)))] if op == "Conv" else [n.x]
        y = n.op(op, *inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, auto_pad=mode)
        model = n.model(n.op("Flatten", y))
        assert_same(model, tmp_path, rng.normal(size=(1, 2, size, size)).astype(np.float32), 1e-5)


@pytest.mark.parametrize("case", ["conv1d", "const_left", "vector_right", "batched_const", "gemm_alpha", "gemm_row", "gemm_scalar",
                                  "gemm_column", "transA", "where", "max3", "sum3", "pow", "rsub", "rdiv", "broadcast_up"])
def test_odd_forms(case, tmp_path):
    rng = np.random.default_rng(7)
    shape = {"conv1d": [1, 3, 9]}.get(case, [1, 6])
    n = Net(shape, 13)
    k = lambda *s: n.const(rng.normal(size=s))  # noqa: E731
    if case == "conv1d":
        y = n.op("Conv", n.x, k(4, 3, 3), k(4), pads=[1, 1], strides=[2])
    elif case == "const_left":
        y = n.op("MatMul", k(3, 6), n.op("Transpose", n.x, perm=[1, 0]))
    elif case == "vector_right":
        y = n.op("MatMul", n.x, k(6))
    elif case == "batched_const":
        y = n.op("MatMul", n.x, k(2, 6, 3))
    elif case.startswith("gemm") or case == "transA":
        c = {"gemm_row": (1, 4), "gemm_scalar": (), "gemm_column": (1, 1)}.get(case, (4,))
        x = n.op("Transpose", n.x, perm=[1, 0]) if case == "transA" else n.x
        y = n.op("Gemm", x, k(6, 4), k(*c), alpha=0.5, beta=2.0, transA=int(case == "transA"))
    elif case == "where":
        y = n.op("Where", n.const(rng.integers(0, 2, (3, 6)), dtype=bool), n.x, n.const(-100.0))
    elif case == "max3":
        y = n.op("Max", n.x, k(6), n.op("Neg", n.x))
    elif case == "sum3":
        y = n.op("Sum", n.x, k(6), n.op("Abs", n.x))
    elif case == "pow":
        y = n.op("Pow", n.op("Abs", n.x), n.const(1.5))
    elif case == "rsub":
        y = n.op("Sub", k(6), n.x)
    elif case == "rdiv":
        y = n.op("Div", k(6), n.op("Add", n.op("Abs", n.x), n.const(1.0)))
    else:
        y = n.op("Mul", n.x, k(3, 6))
    x = rng.normal(size=shape).astype(np.float32)
    model = n.model(y)
    assert_same(model, tmp_path, x, 1e-5)


def test_errors_leave_no_file(tmp_path):
    refused(unsupported(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_same_model_same_bytes(tmp_path):
    for out in ("a.bin", "b.bin"):
        tool("mstconv", FIXTURES / "swin-dynamo.onnx", "-o", tmp_path / out, "--quiet")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


@pytest.mark.parametrize("shape", [[-1, 12], [4, -1], [4, 12], [0, 12]])
def test_fixed_batch_is_bound_to_one(shape, tmp_path):
    n = Net([4, 3, 2, 2])
    y = n.op("Reshape", qcfs(n, n.x, 1.0, 8), n.const(shape, dtype=np.int64))
    model = n.model(linear(n, y, 12))
    x = np.random.default_rng(1).normal(size=(4, 3, 2, 2)).astype("f4")
    expected = runtime(model, x).reshape(4, -1)
    for sample, row in zip(x, expected):
        assert error(float_run(model, tmp_path, sample), row) < 1e-6
    done = tool("mstconv", tmp_path / "model.onnx", "-o", tmp_path / "m.bin")
    assert done.stderr == "mstconv: warning: the model's fixed batch of 4 is bound to 1\n"


def heads(n, y):
    """What may stand behind the logits, by name."""
    return {"Softmax": lambda: [n.op("Softmax", y, axis=-1, name="head")],
            "LogSoftmax": lambda: [n.op("LogSoftmax", y, axis=1, name="head")],
            "ArgMax": lambda: [n.op("Cast", n.op("ArgMax", y, axis=1, keepdims=0, name="head"), to=TensorProto.INT32)],
            "Softmax, ArgMax": lambda: [n.op("ArgMax", n.op("Softmax", y, axis=1), axis=1, name="head")],
            "TopK": lambda: n.op("TopK", y, n.const([2], dtype=np.int64), outputs=2, name="head")}


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "ArgMax", "Softmax, ArgMax", "TopK"])
def test_heads_behind_the_logits_are_cut(kind, tmp_path):
    n = Net([1, 6])
    y = linear(n, qcfs(n, n.x, 1.0, 8), 6)
    plain = n.model(y)
    model = n.model(*heads(n, y)[kind]())
    x = np.random.default_rng(1).normal(size=(1, 6)).astype("f4")
    assert error(float_run(model, tmp_path, x), runtime(plain, x)) < 1e-6
    done = tool("mstconv", tmp_path / "model.onnx", "-o", tmp_path / "m.bin")
    assert "warning: node 'head' (%s) behind the logits is cut" % kind.split(", ")[-1] in done.stderr


def over(n, kind, y):
    return n.op(kind, y, axes=[1], keepdims=1)


def log_sum(n, y):
    return n.op("Log", n.op("ReduceSum", n.op("Exp", y), n.const([1], dtype=np.int64), keepdims=1))


def sum_of(n, e):
    return n.op("ReduceSum", e, n.const([-1], dtype=np.int64), keepdims=1)


def below_max(n, y):
    return n.op("Sub", y, over(n, "ReduceMax", y))


def pairs(n, y):
    scale, zero = n.const(1 / 256), n.const(0, dtype=np.uint8)
    return n.op("DequantizeLinear", n.op("QuantizeLinear", y, scale, zero), scale, zero)


def softmax_of(write):
    def make(n, y):
        e = n.op("Exp", y)
        return write(n, e, sum_of(n, e))
    return make


WRITTEN = {  # heads that are written out, or stand behind a softmax; what is left is y
    "log(softmax)": lambda n, y: n.op("Log", n.op("Softmax", y, axis=-1)),
    "log(clip(softmax))": lambda n, y: n.op("Log", n.op("Clip", n.op("Softmax", y), n.const(1e-7), n.const(1.0))),
    "log(softmax + eps)": lambda n, y: n.op("Log", n.op("Add", n.const(1e-7), n.op("Softmax", y))),
    "100 softmax": lambda n, y: n.op("Mul", n.op("Softmax", y), n.const(100.0, "constant")),
    "softmax / .01": lambda n, y: n.op("Div", n.op("Softmax", y), n.const([.01])),
    "exp(logsoftmax)": lambda n, y: n.op("Exp", n.op("LogSoftmax", y)),
    "softmax, reshaped": lambda n, y: n.op("Reshape", n.op("Softmax", y), n.const([4], dtype=np.int64)),
    "softmax, quantized": lambda n, y: pairs(n, n.op("Softmax", y)),
    "exp / sum": softmax_of(lambda n, e, s: n.op("Div", e, s)),
    "exp / expanded sum": softmax_of(lambda n, e, s: n.op("Div", e, n.op("Expand", s, n.const([1, 4], dtype=np.int64)))),
    "exp * (1 / sum)": softmax_of(lambda n, e, s: n.op("Mul", n.op("Reciprocal", s), e)),
    "exp(x - max) / sum": lambda n, y: softmax_of(lambda n, e, s: n.op("Div", e, s))(n, below_max(n, y)),
    "x - log(sum(exp))": lambda n, y: n.op("Sub", y, log_sum(n, y)),
    "x - logsumexp": lambda n, y: n.op("Sub", y, over(n, "ReduceLogSumExp", y)),
    "x - logsumexp, squeezed": lambda n, y: n.op("Sub", y, n.op("Unsqueeze", n.op("ReduceLogSumExp", y, axes=[1], keepdims=0),
                                                                n.const([1], dtype=np.int64))),
    "x - max - log(sum(exp(x - max)))": lambda n, y: (lambda s: n.op("Sub", s, log_sum(n, s)))(below_max(n, y)),
    "x - (max + log(sum(exp(x - max))))": lambda n, y: n.op("Sub", y, n.op("Add", over(n, "ReduceMax", y),
                                                                           log_sum(n, below_max(n, y)))),
    "argmax(log(softmax))": lambda n, y: n.op("ArgMax", n.op("Log", n.op("Softmax", y)), axis=1),
}


@pytest.mark.parametrize("head", list(WRITTEN))
def test_written_heads_are_cut(head, tmp_path):
    """What is left are the logits, whose largest is the model's."""
    n = Net([1, 6])
    y = linear(n, qcfs(n, n.x, 1.0, 8), 6)
    plain, model = n.model(y), n.model(WRITTEN[head](n, y))
    for seed in range(8):
        x = np.random.default_rng(seed).normal(size=(1, 6)).astype("f4")
        got, expected = float_run(model, tmp_path, x), runtime(plain, x)
        assert error(got, expected) < 1e-6
        if "argmax" not in head and "quantized" not in head:
            assert np.argmax(runtime(model, x)) == np.argmax(got)
    done = tool("mstconv", tmp_path / "model.onnx", "-o", tmp_path / "m.bin", "--report", tmp_path / "r.json")
    assert "behind the logits is cut" in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["non_spiking_nodes"] == 0


STAYS = {  # what is no head, or turns the order of classes
    "-softmax": lambda n, y: n.op("Mul", n.op("Softmax", y), n.const(-1.0)),
    "1 - softmax": lambda n, y: n.op("Sub", n.const(1.0), n.op("Softmax", y)),
    "softmax by class": lambda n, y: n.op("Mul", n.op("Softmax", y), n.const(np.linspace(.5, 2, 4))),
    "exp": lambda n, y: n.op("Exp", y),
    "log(exp + 1)": lambda n, y: n.op("Log", n.op("Add", n.op("Exp", y), n.const(1.0))),
    "2 x": lambda n, y: n.op("Mul", y, n.const(2.0)),
    "x - mean": lambda n, y: n.op("Sub", y, over(n, "ReduceMean", y)),
    "x - max": lambda n, y: below_max(n, y),
    "log(sum) - x": lambda n, y: n.op("Sub", log_sum(n, y), y),
    "exp / another sum": lambda n, y: n.op("Div", n.op("Exp", y), sum_of(n, n.op("Exp", n.op("Neg", y)))),
    "x - log of each": lambda n, y: n.op("Sub", y, n.op("Log", n.op("Add", n.op("Exp", y), n.const(1.0)))),
}


@pytest.mark.parametrize("head", list(STAYS))
def test_other_ends_stay(head, tmp_path):
    n = Net([1, 6])
    model = n.model(STAYS[head](n, linear(n, qcfs(n, n.x, 1.0, 8), 6)))
    assert_same(model, tmp_path, np.random.default_rng(1).normal(size=(1, 6)).astype("f4"), 1e-6)
    assert "cut" not in tool("mstconv", tmp_path / "model.onnx", "-o", tmp_path / "m.bin", "--allow-analog").stderr


def test_softmax_inside_stays(tmp_path):
    n = Net([1, 6])
    y = n.op("Softmax", linear(n, qcfs(n, n.x, 1.0, 8), 6, 6), axis=-1)
    assert_same(n.model(n.op("Neg", y)), tmp_path, np.random.default_rng(1).normal(size=(1, 6)).astype("f4"))


@pytest.mark.parametrize("how", ["Where", "Add"])
def test_masks_of_minus_infinity(how, tmp_path):
    n = Net([1, 6])
    keep = np.array([[1, 0, 1, 0, 1, 1]], bool)
    y = linear(n, qcfs(n, n.x, 1.0, 8), 6, 6)
    if how == "Where":
        y = n.op("Where", n.const(keep, dtype=bool), y, n.const(-np.inf))
    else:
        y = n.op("Add", y, n.const(np.where(keep, 0, -np.inf)))
    model = n.model(n.op("Neg", n.op("Softmax", y, axis=-1)))
    assert_same(model, tmp_path, np.random.default_rng(1).normal(size=(1, 6)).astype("f4"), 1e-6)
    convert(model, tmp_path)


def masked_scores(n, y, how):
    """-infinity where keep is 0, by Add or by Where, and what exporters put in front of the softmax."""
    keep = np.array([[1, 0, 1, 0, 1, 1]], bool)
    if how == "Where":
        y = n.op("Where", n.const(keep, dtype=bool), y, n.const(-np.inf))
    else:
        y = n.op("Add", y, n.const(np.where(keep, 0, -np.inf)))
    return n.op("Transpose", n.op("Reshape", y, n.const([6, 1], dtype=np.int64)), perm=[1, 0])


def written_out(n, y):
    """Softmax in elementary operators."""
    e = n.op("Exp", n.op("Sub", y, n.op("ReduceMax", y, axes=[1], keepdims=1)))
    return n.op("Div", e, n.op("ReduceSum", e, n.const([1], dtype=np.int64), keepdims=1))


@pytest.mark.parametrize("how", ["Where", "Add"])
def test_minus_infinity_before_a_softmax_that_is_written_out(how, tmp_path):
    n = Net([1, 6])
    y = written_out(n, masked_scores(n, linear(n, qcfs(n, n.x, 1.0, 8), 6, 6), how))
    assert_same(n.model(n.op("Neg", y)), tmp_path, np.random.default_rng(1).normal(size=(1, 6)).astype("f4"), 1e-6)


@pytest.mark.parametrize("to", ["neuron", "output", "layer", "both"])
@pytest.mark.parametrize("how", ["Where", "Add"])
def test_minus_infinity_elsewhere_is_refused(how, to, tmp_path):
    n = Net([1, 6])
    y = masked_scores(n, linear(n, qcfs(n, n.x, 1.0, 8), 6, 6), how)
    if to == "neuron":
        y = linear(n, qcfs(n, y, 1.0, 8), 6, 6)
    elif to == "layer":
        y = linear(n, y, 6, 6)
    elif to == "both":
        y = n.op("Add", n.op("Neg", n.op("Softmax", y, axis=-1)), linear(n, y, 6, 6))
    line = refused(n.model(y), tmp_path)
    assert "(%s)" % how in line and "only a mask of a softmax" in line


def test_minus_infinity_behind_a_convolution_is_refused(tmp_path):
    n = Net([1, 3, 8, 8])
    shift = np.zeros((4, 1, 1))
    shift[2] = -np.inf
    y = n.op("Add", n.op("Conv", n.x, n.const(np.ones((4, 3, 3, 3)))), n.const(shift), name="shifted")
    y = n.op("Flatten", n.op("GlobalAveragePool", qcfs(n, y, 1.0, 8)))
    assert "node 'shifted' (Add)" in refused(n.model(y), tmp_path)
