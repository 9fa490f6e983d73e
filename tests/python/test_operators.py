"""Operators between two neurons and behind one: the graph in float mode against ONNX Runtime, node by node."""
import numpy as np
import pytest
from onnx import helper

from built import listed
from support import Net, assert_same, convert, error, float_run, refused, runtime
from test_qcfs import qcfs

RNG = np.random.default_rng(7)
I64 = np.int64


def w(*shape):
    return RNG.normal(size=shape).astype("f4")


def around(make, shape=(1, 4, 6, 8), opset=17, signed=False):
    """Conv - QCFS - the operator - QCFS - mean; make(net, value) adds the operator. signed: without the QCFS, so that
    it reads values of both signs, and its own are compared."""
    n = Net([1, 3] + list(shape[2:]), opset)
    y = n.op("Conv", n.x, n.const(w(shape[1], 3, *[1] * (len(shape) - 2))))
    y = make(n, y if signed else qcfs(n, y, 1.0, 8))
    n.tail = n.op("Flatten", n.op("Neg", y) if signed else qcfs(n, y, 0.7, 4))  # no softmax behind the logits
    return n.model(n.tail), [1, 3] + list(shape[2:])


def op(name, *consts, opset=17, shape=(1, 4, 6, 8), **attributes):
    """One node of the live value and constants (arrays; None: absent)."""
    def make(signed=False):
        def add(n, y):
            given = [n.const(c, dtype=c.dtype) if c is not None else "" for c in consts]
            return n.op(name, y, *given, name="the_node", **attributes)
        return around(add, shape, opset, signed)
    make.__name__ = name + "".join("-%s" % str(v).replace(" ", "") for v in attributes.values())
    return make


def pads(*values):
    return np.array(values, I64)


def twice(name, consts=(), opset=17, shape=(1, 4, 6, 8), **attributes):
    """A node of the live value several times."""
    def make(signed=False):
        def add(n, y):
            given = [y if c is None else n.const(c, dtype=c.dtype) for c in consts]
            return n.op(name, *given, name="the_node", **attributes)
        return around(add, shape, opset, signed)
    make.__name__ = name + "".join("-%s" % str(v).replace(" ", "") for v in attributes.values())
    return make


ANALOG = [
    op("MaxPool", shape=(1, 4, 5, 5, 6), kernel_shape=[2, 3, 2], strides=[2, 1, 1], pads=[1, 1, 0, 0, 1, 1]),
    twice("Attention", (None, None, None, np.triu(np.full((6, 6), -np.inf, "f4"), 1)), opset=23),
    twice("Attention", (None, None, None, w(6, 6) > -2), opset=23, is_causal=1, softcap=2.0),
    twice("Attention", (None, None, None), opset=23, shape=(1, 6, 8), q_num_heads=4, kv_num_heads=4),
    op("RMSNormalization", w(8), opset=23), op("RMSNormalization", w(6, 8), opset=23, axis=2),
    op("SimplifiedLayerNormalization", w(8), axis=-1, epsilon=1e-6),
    op("LeakyRelu", alpha=0.3), op("LeakyRelu", alpha=-0.5), op("LeakyRelu", alpha=1.5), op("Elu", alpha=0.7),
    op("Selu"), op("Celu", alpha=2.0), op("HardSwish"), op("Mish", opset=18),
    op("Softsign"), op("PRelu", w(4, 1, 1)), op("PRelu", w(1)),
    op("InstanceNormalization", w(4), w(4), epsilon=1e-3), op("GroupNormalization", w(4), w(4), opset=21, num_groups=2),
    op("LpNormalization", p=1, axis=1), op("LpNormalization", p=2), op("LogSoftmax", axis=1),
    op("LogSoftmax", opset=11, axis=2), op("ReduceL1", axes=[1], keepdims=1), op("ReduceL2", axes=[2, 3]),
    op("ReduceLogSumExp", axes=[-1]), op("ReduceSumSquare", axes=[1, 2], keepdims=0), op("ReduceMin", axes=[3]),
    op("ReduceProd", axes=[1]), op("ReduceL2", np.array([3], I64), opset=18),
]
SPIKING = [  # or linear
    op("HardSigmoid", alpha=0.3),  # its bounds are those of the neuron behind
    op("DepthToSpace", blocksize=2), op("DepthToSpace", blocksize=2, mode="CRD"), op("SpaceToDepth", blocksize=2),
    op("Tile", np.array([1, 2, 1, 3], I64)), op("Pad", pads(0, 0, 2, 1, 0, 0, 3, 2), mode="reflect"),
    op("Pad", pads(0, 0, 2, 1, 0, 0, 3, 2), mode="edge"),
    op("Pad", pads(0, 1, 2, 1, 0, 0, 3, 2), opset=19, mode="wrap"),
    op("Pad", pads(0, 0, -1, 1, 0, 0, 2, -3)),
    op("Pad", pads(0, 0, -1, 1, 0, 0, 2, -3), mode="edge"),
    op("GatherND", np.array([[[0, 3, 1]], [[0, 1, -2]]], I64)),
    op("GatherElements", RNG.integers(-4, 4, size=(1, 2, 6, 8)), axis=1),
    op("ScatterND", np.array([[0, 1], [0, 3]], I64), np.zeros((2, 6, 8), "f4")),
    op("ScatterElements", np.array([[[[1]], [[0]]]], I64), np.zeros((1, 2, 1, 1), "f4"), opset=18, axis=2),
    op("ConvTranspose", w(4, 3, 2, 2), w(3), strides=[2, 2]),
    op("ConvTranspose", w(4, 3, 3, 3), strides=[2, 1], pads=[1, 0, 1, 2]),
    op("ConvTranspose", w(4, 2, 3, 3), w(4), group=2, strides=[3, 2], output_padding=[2, 1], dilations=[1, 2]),
    op("ConvTranspose", w(4, 3, 4, 4), strides=[2, 2], auto_pad="SAME_LOWER"),
    op("ConvTranspose", w(4, 3, 5), w(3), shape=(1, 4, 9), strides=[2], pads=[2, 2]),
    op("ConvTranspose", w(4, 3, 3, 2, 2), w(3), shape=(1, 4, 3, 4, 5), strides=[2, 2, 1], pads=[1, 0, 1, 0, 1, 0]),
    op("Conv", w(5, 4, 3), w(5), shape=(1, 4, 9), strides=[2], pads=[1, 1]),
    op("Conv", w(6, 2, 2, 3, 3), w(6), shape=(1, 4, 4, 5, 6), group=2, strides=[2, 1, 2], pads=[1, 1, 0, 0, 1, 1]),
    op("Conv", w(5, 4, 2, 1, 1), shape=(1, 4, 5, 3, 3), dilations=[2, 1, 1]),
    op("AveragePool", shape=(1, 4, 5, 5, 6), kernel_shape=[2, 3, 2], strides=[2, 1, 1], pads=[1, 1, 0, 0, 1, 1]),
    op("AveragePool", shape=(1, 4, 5, 5, 6), kernel_shape=[2, 3, 2], pads=[1, 1, 0, 0, 1, 1], count_include_pad=1),
    op("Resize", None, np.array([1, 1, 2, 3], "f4")), op("Resize", None, np.array([1, 1, 2, 0.5], "f4"), mode="linear"),
    op("Resize", None, None, np.array([1, 4, 9, 5], I64), mode="cubic",
       coordinate_transformation_mode="pytorch_half_pixel"),
    op("Resize", None, np.array([1, 1, 1.7, 2], "f4"), mode="linear",
       coordinate_transformation_mode="align_corners"),
    op("Resize", None, np.array([1, 1, 2, 2], "f4"), coordinate_transformation_mode="asymmetric",
       nearest_mode="floor"),
    op("Resize", np.array([1, 1, 2, 2], "f4"), opset=10, mode="linear"),
    op("Upsample", np.array([1, 1, 2, 2], "f4"), opset=9),
    op("Trilu"), op("Trilu", np.array(-2, I64), upper=0), op("Trilu", np.array(3, I64), upper=1),
    twice("Mean", (None,)), twice("Mean", (None, None, w(8))),
    op("Einsum", w(4, 5), equation="bchw,cd->bdhw"), op("Einsum", w(8, 3, 6), equation="bchw,wdh->bcd"),
    op("CumSum", np.array(3, I64)), op("CumSum", np.array(-2, I64), exclusive=1, reverse=1),
]


@pytest.mark.parametrize("signed", [False, True], ids=["spikes", "signed"])
@pytest.mark.parametrize("make", ANALOG + SPIKING, ids=lambda m: m.__name__)
def test_as_in_onnx_runtime(make, signed, tmp_path):
    model, shape = make(signed)
    assert_same(model, tmp_path, RNG.normal(size=shape).astype("f4"), 2e-5)


def live(write, shape=(1, 4, 6, 8), opset=17):
    """write(net, y, z) of two live values of both signs, z with some of y's values in it."""
    n = Net([1, 3] + list(shape[2:]), opset)
    y = n.op("Conv", n.x, n.const(w(shape[1], 3, 1, 1)))
    some = n.const(RNG.integers(0, 2, size=shape))
    z = n.op("Add", n.op("Mul", y, some), n.op("Mul", n.op("Conv", n.x, n.const(w(shape[1], 3, 1, 1))),
                                               n.op("Sub", n.const(1.0), some)))
    return n.model(n.op("Flatten", write(n, y, z)))


def as_float(n, y):
    return n.op("Cast", y, to=1)


LIVE = {
    **{"%s of two" % op: lambda n, y, z, op=op: as_float(n, n.op(op, y, z)) for op in
       ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    **{"%s of a constant" % op: lambda n, y, z, op=op: as_float(n, n.op(op, y, n.const(0.25))) for op in
       ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    **{"constant %s" % op: lambda n, y, z, op=op: as_float(n, n.op(op, n.const(w(8)), y)) for op in
       ("Greater", "LessOrEqual")},
    **{"%s of conditions" % op: lambda n, y, z, op=op: as_float(n, n.op(op, n.op("Greater", y, n.const(-.5)), n.op(
        "Less", z, n.const(.75)))) for op in ("And", "Or", "Xor", "Equal")},
    **{"%s with a constant" % op: lambda n, y, z, op=op: as_float(n, n.op(op, n.const([True, False] * 4, dtype=bool), n.op(
        "Less", z, n.const(.75)))) for op in ("And", "Or", "Xor", "Equal")},
    **{"%s by rows" % op: lambda n, y, z, op=op: as_float(n, n.op(op, n.op("Greater", n.op(
        "ReduceMean", y, axes=[3]), n.const(0.0)), n.op("Less", y, z))) for op in ("And", "Or", "Xor")},
    "Equal of two": lambda n, y, z: as_float(n, n.op("Equal", y, z)),
    "Equal of a constant": lambda n, y, z: as_float(n, n.op("Equal", n.op("Relu", y), n.const(0.0))),
    "Equal of integers": lambda n, y, z: as_float(n, n.op("Equal", n.op("Cast", n.op("Mul", y, n.const(4.0)), to=7),
                                                          n.const(2, dtype=I64))),
    "Where of a range": lambda n, y, z: n.op("Where", n.op("And", n.op("Greater", y, n.const(0.0)), n.op(
        "Not", n.op("Greater", y, n.const(1.0)))), y, z),
    "Mean of two": lambda n, y, z: n.op("Mean", y, z),
    "Mean of several": lambda n, y, z: n.op("Mean", n.op("ReduceMax", z, axes=[1]), y, n.const(w(6, 1))),
    "Trilu": lambda n, y, z: n.op("Trilu", n.op("Add", y, z), n.const(1, dtype=I64), upper=0),
    "Not": lambda n, y, z: as_float(n, n.op("Not", n.op("Less", y, z))),
    "Where of two": lambda n, y, z: n.op("Where", n.op("Greater", y, z), n.op("Mul", y, n.const(3.0)), z),
    "Where of one": lambda n, y, z: n.op("Where", n.op("LessOrEqual", y, n.const(0.1)), n.const(-2.5), z),
    "Where of constants": lambda n, y, z: n.op("Where", n.op("Less", y, z), n.const(w(8)), n.const(0.5)),
    "Where of 0": lambda n, y, z: n.op("Where", n.op("GreaterOrEqual", y, z), z, n.const(0.0)),
    "Where of a constant condition": lambda n, y, z: n.op("Where", n.const([True, False] * 4, dtype=bool), y, z),
    "Where by rows": lambda n, y, z: n.op("Where", n.op("Greater", n.op("ReduceMean", y, axes=[3]), n.const(0.0)), y, z),
    "Cast to int": lambda n, y, z: as_float(n, n.op("Cast", n.op("Mul", y, n.const(2.0)), to=7)),
    "Cast to bool": lambda n, y, z: as_float(n, n.op("Cast", n.op("Relu", y), to=9)),
}


@pytest.mark.parametrize("case", list(LIVE))
def test_conditions_on_live_values(case, tmp_path):
    """Of values of both signs, some of them equal."""
    assert_same(live(LIVE[case]), tmp_path, RNG.normal(size=(1, 3, 6, 8)).astype("f4"), 1e-6)


NEAREST = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")


@pytest.mark.parametrize("where", NEAREST)
@pytest.mark.parametrize("scale", [.3, .4, .6, .7, .9, 1.1, 1.25, 1.4, 1.6, 2.3])
def test_nearest_pixels_are_onnx_runtimes(scale, where, tmp_path):
    """Of a scale that is no float32 the nearest pixel, and the size, depend on how they are rounded."""
    for side in (8, 10, 13):
        n = Net([1, 2, side, side], 19)
        y = n.op("Resize", n.x, "", n.const([1, 1, scale, scale]), mode="nearest", coordinate_transformation_mode=where)
        model = n.model(n.op("Flatten", n.op("Neg", y)))
        x = RNG.normal(size=(1, 2, side, side)).astype("f4")
        assert np.array_equal(float_run(model, tmp_path, x), runtime(model, x))


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_tf_crop_and_resize(mode, tmp_path):
    """To sizes; with scales ONNX and ONNX Runtime disagree about the size."""
    roi = n_roi = np.array([0, 0, .1, -.2, 1, 1, .9, .8], "f4")
    for consts in ((n_roi, None, np.array([1, 4, 5, 7], I64)), (roi, np.array([1, 1, 1.5, 1.5], "f4"))):
        model, shape = op("Resize", *consts, opset=18, mode=mode, coordinate_transformation_mode="tf_crop_and_resize",
                          extrapolation_value=.25)(True)
        if len(consts) == 2:
            assert "tf_crop_and_resize with scales" in refused(model, tmp_path, "--allow-analog")
        else:
            assert_same(model, tmp_path, RNG.normal(size=shape).astype("f4"), 2e-5)


@pytest.mark.parametrize("scale, says", [(1.3, None), (2.0, None), (1.25, "programs do not agree which is nearest")])
def test_nearest_of_half_pixel_symmetric(scale, says, tmp_path):
    """Where the size is not that of the scale, pixels right between two of the input are refused."""
    n = Net([1, 1, 10, 10], 19)
    y = n.op("Resize", n.x, "", n.const([1, 1, scale, scale]), mode="nearest",
             coordinate_transformation_mode="half_pixel_symmetric")
    model = n.model(n.op("Flatten", n.op("Neg", y)))
    if says:
        assert says in refused(model, tmp_path, "--allow-analog")
    else:
        x = RNG.normal(size=(1, 1, 10, 10)).astype("f4")
        assert np.array_equal(float_run(model, tmp_path, x), runtime(model, x))


def test_trilu_of_a_live_diagonal(tmp_path):
    n = Net([1, 3, 6, 6], 17)
    k = n.op("Cast", n.op("ReduceMax", n.x, axes=[0, 1, 2, 3], keepdims=0), to=7)
    assert "diagonal" in refused(n.model(n.op("Flatten", n.op("Trilu", n.x, k))), tmp_path)


EXTRAS = {  # of opset 23 and later
    "scale": ({"scale": 0.3}, None), "mask of every head": ({}, w(1, 4, 6, 6)), "mask of rows": ({}, w(6, 6)),
    "mask of one head": ({"is_causal": 1}, w(1, 1, 6, 6)), "boolean mask of heads": ({}, w(1, 4, 6, 6) > -1.5),
    "softcap and scale": ({"softcap": 1.5, "scale": 2.0}, None),
}


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize("case", list(EXTRAS))
def test_attention_extras(case, opset, tmp_path):
    attributes, mask = EXTRAS[case]
    model, shape = twice("Attention", (None, None, None) + ((mask,) if mask is not None else ()), opset=opset,
                         **attributes)(True)
    assert_same(model, tmp_path, RNG.normal(size=shape).astype("f4"), 2e-5)


@pytest.mark.parametrize("text,more", [
    ("the past", {"consts": (None, None, None, None, None, None)}), ("windows", {"left_window_size": 3, "opset": 25}),
    ("a row of its mask", {"consts": (None, None, None, np.array([[False] * 6] + [[True] * 6] * 5))})])
def test_what_attention_does_not_have_here(text, more, tmp_path):
    more = dict(more)
    consts = more.pop("consts", (None, None, None))
    model, _ = twice("Attention", consts, opset=more.pop("opset", 23), shape=(1, 4, 6, 6), **more)()
    assert text in refused(model, tmp_path, "--allow-analog")


@pytest.mark.parametrize("axis,scale", [(-1, w(8)), (3, w(1)), (2, w(6, 8)), (1, w(4, 6, 8)), (-2, w(6, 1))])
def test_rms_norm_of_more_axes(axis, scale, tmp_path):
    model, shape = op("RMSNormalization", scale, opset=23, axis=axis, epsilon=1e-3)(True)
    assert_same(model, tmp_path, RNG.normal(size=shape).astype("f4"), 2e-5)


# of the levels of a quantizer they make other levels, which one neuron has
ON_LEVELS = ["LeakyRelu", "ReduceL1", "HardSwish", "PRelu0", "PRelu1", "PRelu"]


@pytest.mark.parametrize("make", ANALOG + SPIKING, ids=lambda m: m.__name__)
def test_islands_are_named(make, tmp_path):
    report, _ = convert(make()[0], tmp_path, "--allow-analog")
    if make.__name__.split("-")[0] in ON_LEVELS and report["non_spiking_nodes"] == 0:
        return
    assert (report["non_spiking_nodes"] > 0) == (make in ANALOG), report["non_spiking"]
    assert make in SPIKING or "the_node" in {row["name"] for row in report["non_spiking"]}


def test_the_list_of_operators_says_so():
    """Columns spiking and analog of `mstconv --list ops`."""
    rows = {row[0]: row for row in listed("mstconv", "ops")}
    for make in SPIKING:
        assert rows[make.__name__.split("-")[0]][3] in ("yes", "QCFS"), make.__name__
    for make in ANALOG:
        name = make.__name__.split("-")[0]
        assert rows[name][3:5] == ("yes" if name == "MaxPool" else "-", "yes"), make.__name__  # of spikes, it spikes


MS = "com.microsoft"


def fused_gemm():
    return around(lambda n, y: n.op("FusedGemm", n.op("Flatten", y), n.const(w(192, 5)), n.const(w(5)), domain=MS,
                                    activation="LeakyRelu", activation_alpha=0.3, alpha=0.5))


FUSED = [
    op("Gelu", domain=MS), op("FastGelu", domain=MS), op("QuickGelu", domain=MS, alpha=1.5),
    op("BiasGelu", w(8), domain=MS), op("FusedConv", w(4, 4, 1, 1), w(4), domain=MS, activation="Relu"),
    op("FusedConv", w(4, 4, 1, 1), domain=MS, activation="LeakyRelu", activation_params=[0.2]),
    fused_gemm,
    op("FusedMatMul", w(5, 8), domain=MS, alpha=0.5, transB=1),
    twice("FusedMatMul", (None, None), domain=MS, alpha=0.25, transA=1),
    twice("SkipLayerNormalization", (None, None, w(8), w(8), w(8)), shape=(1, 6, 8), domain=MS, epsilon=1e-5),
    twice("SkipSimplifiedLayerNormalization", (None, None, w(8)), shape=(1, 6, 8), domain=MS, epsilon=1e-6),
]


def with_domain(model):
    model.opset_import.append(helper.make_opsetid(MS, 1))
    return model


@pytest.mark.parametrize("make", FUSED, ids=lambda m: m.__name__)
def test_what_onnx_runtime_fused(make, tmp_path):
    model, shape = make()
    assert_same(with_domain(model), tmp_path, RNG.normal(size=shape).astype("f4"), 2e-5)


def test_other_fused_operators_name_the_setting(tmp_path):
    for name, domain in (("Conv", "com.microsoft.nchwc"), ("QAttention", MS)):
        model, _ = op(name, w(4, 4, 1, 1), domain=domain)()
        model.opset_import.append(helper.make_opsetid(domain, 1))
        assert "ORT_ENABLE_BASIC" in refused(model, tmp_path)
