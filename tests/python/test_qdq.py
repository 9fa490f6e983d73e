"""Quantized networks: pairs of QuantizeLinear and DequantizeLinear as ONNX Runtime's static quantization, PyTorch's
FakeQuantize and hand-written graphs have them."""
import json

import numpy as np
import pytest

from qdq_kit import (SHAPE, Net, assert_close, constants, conv, ended, helper, images, judge, live_pairs, network,
                     pairs_of, quantization, quantized, ran, scalar, static, tool, without_pairs)
from support import ROOT, TensorProto, convert, refused, saved


KINDS = [("QUInt8", True, {}), ("QUInt8", False, {}), ("QInt8", True, {}),
         ("QInt8", True, {"ActivationSymmetric": True}), ("QUInt8", True, {"WeightSymmetric": False})]


@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("activations,per_channel,options", KINDS)
def test_static_quantization_is_the_network_in_integers(activations, per_channel, options, weights, tmp_path):
    """Each neuron has the whole number that QuantizeLinear has, each pair of logits their levels."""
    model = static(network(), tmp_path, activations, per_channel, **options)
    report, _ = convert(model, tmp_path, "--weights", weights)
    pairs, quants = pairs_of(report), live_pairs(model)
    assert list(pairs) == [q.name for q in quants]
    neurons = [name for name, p in pairs.items() if p["became"] == "neuron"]
    assert neurons == [row["name"] for row in report["layers"]] and len(neurons) == 4
    known = constants(model)
    for row in report["layers"]:
        p = pairs[row["name"]]
        assert row["L"] == p["hi"] and p["lo"] == 0
        assert row["theta_min"] == pytest.approx(row["L"] * p["scale"], rel=1e-6)
    wrong = total = far = 0
    for x in images(24):
        want = judge(model, x[None], [model.graph.output[0].name] + [q.output[0] for q in quants])
        whole = {q.name: w.astype(int) - int(known[q.input[2]]) for q, w in zip(quants, want[1:])}
        out, levels = ran(tmp_path / "model.bin", x, tmp_path)
        for name in neurons:
            off = np.rint(levels[name]).ravel() - np.maximum(whole[name], 0).ravel()
            wrong, total = wrong + np.count_nonzero(off), total + off.size
        far = max(far, np.max(np.abs(out - want[0].ravel())) / pairs[quants[-1].name]["scale"])
    # what rounds right between two levels in float32 goes up or down
    assert wrong <= (2e-4 if "WeightSymmetric" not in options or weights == "f32" else 1) * total, (wrong, total)
    assert far <= (1.01 if "WeightSymmetric" not in options or weights == "f32" else 9)


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_weights_stay_as_they_are(per_channel, tmp_path):
    model = static(network(), tmp_path, per_channel=per_channel)
    _, graph = convert(model, tmp_path, "--weights", "int8")
    known = constants(model)
    stored = {}
    for node in graph.nodes:
        if node.op in ("conv", "linear"):
            w = graph.tensors[node.inputs[1]].data
            stored[node.name] = np.moveaxis(w, (-1, -2), (0, 1)) if node.op == "conv" else w
    assert len(stored) == 5
    for n in model.graph.node:
        if n.op_type in ("Conv", "Gemm"):
            w = known[n.input[1].replace("_DequantizeLinear_Output", "_quantized")].astype(int)
            own = stored[n.name].astype(int)
            # whole numbers with a common factor are stored without it
            factor = np.abs(w).max() / np.abs(own).max() if not per_channel else 1
            axis = tuple(range(1, 4)) if n.op_type == "Conv" else (0,)
            factor = np.abs(w).max(axis, keepdims=True) / np.abs(own).max(axis, keepdims=True)
            assert np.all(factor == np.rint(factor)) and np.array_equal(own * factor, w), n.name


def test_weights_of_minus_128_become_minus_127_alone(tmp_path):
    """As PyTorch has them: -128..127 with a scale of the largest over 127.5."""
    draw, n = np.random.default_rng(2), Net(SHAPE, opset=17)
    w = draw.integers(-127, 128, (4, 3, 3, 3)).astype("i1")
    w[0, 0, 0, 0], w[1, 0, 0, 0] = -128, 127
    y = n.op("DequantizeLinear", n.const(w, dtype=np.int8), n.const(.01), n.const(0, dtype=np.int8))
    y = quantized(n, n.op("Relu", n.op("Conv", n.x, y)), .02, 0)
    y = n.op("Gemm", n.op("Flatten", y), n.const(draw.normal(size=(144, 2))))
    report, graph = convert(n.model(y), tmp_path, "--weights", "int8")
    stored = [graph.tensors[node.inputs[1]].data for node in graph.nodes if node.op == "conv"][0]
    assert np.array_equal(np.moveaxis(stored, (-1, -2), (0, 1)), np.maximum(w, -127))
    assert 0 < report["weights"]["layers"][0]["error"] < 1 / np.linalg.norm(w.astype("f8"))


def test_dropped_pairs_leave_their_values(tmp_path):
    model = static(network(), tmp_path)
    report, graph = convert(model, tmp_path, "--qdq", "drop-analog")
    pairs = pairs_of(report)
    dropped = [name for name, p in pairs.items() if p["became"] in ("dropped", "same levels")]
    assert sum(p["became"] == "dropped" for p in pairs.values()) == 3  # image, c3, logits
    assert report["non_spiking_nodes"] == 0
    assert all(node.op != "unary" for node in graph.nodes)
    other = without_pairs(model, dropped)
    for x in images(8):
        out, _ = ran(tmp_path / "model.bin", x, tmp_path)
        want = judge(other, x[None])[0].ravel()
        assert np.max(np.abs(out - want)) <= .02 * np.max(np.abs(want))


def test_what_becomes_of_each_pair_is_said(tmp_path):
    model = static(network(), tmp_path)
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--report", tmp_path / "r.json")
    pairs = pairs_of(json.loads((tmp_path / "r.json").read_text()))
    fates = {name[:-len("_out_QuantizeLinear")]: p["became"] for name, p in pairs.items() if name != "x_QuantizeLinear"}
    assert pairs["x_QuantizeLinear"]["became"] == "rounds"
    logits = fates.pop("f2")
    assert logits == "rounds" and fates == {"r1": "neuron", "r2": "neuron", "c3": "rounds", "r3": "neuron",
                                            "pool": "same levels", "flat": "same levels", "r4": "neuron"}
    for name, p in pairs.items():
        assert name in done.stdout and (p["reason"] in done.stdout)
    kinds = [row["kind"] for row in json.loads((tmp_path / "r.json").read_text())["non_spiking"]]
    assert sorted(kinds) == ["affine", "affine", "conv", "round", "round", "round"]
    assert "9 pairs of a quantized model: 4 neuron, 3 rounds, 2 same levels" in done.stdout
    assert done.stderr.count("\n") == 1 and "step mode" in done.stderr and "--qdq drop-analog" in done.stderr
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--mode", "count", "-q")
    assert not done.stderr and not done.stdout


# ---- by hand ----


def test_fake_quantize_keeps_float_weights(tmp_path):
    """Float weights behind a pair are folded; a Clip between the two, as PyTorch writes 7 bits, is the bound."""
    n = Net(SHAPE, opset=17)
    draw = np.random.default_rng(1)
    w = n.const(draw.normal(size=(4, 3, 3, 3)) * .3)
    scales, zeros = n.const(np.full(4, .01) + np.arange(4) * .001), n.const(np.zeros(4), dtype=np.int8)
    w = n.op("DequantizeLinear", n.op("QuantizeLinear", w, scales, zeros, axis=0), scales, zeros, axis=0)
    y = n.op("Relu", n.op("Conv", n.x, w, pads=[1, 1, 1, 1]))
    y = quantized(n, y, .03, 0, between=lambda q: n.op("Clip", q, n.const(0, dtype=np.uint8),
                                                       n.const(127, dtype=np.uint8)))
    y = n.op("Conv", y, n.const(draw.normal(size=(4, 4, 3, 3)) * .3))
    y = quantized(n, n.op("Relu", y), .05, 0)
    model = ended(n, y, 144)
    report, _ = convert(model, tmp_path)
    assert [row["L"] for row in report["layers"]] == [127, 255]
    assert [row["theta_min"] for row in report["layers"]] == pytest.approx([127 * .03, 255 * .05], rel=1e-6)
    assert_close(model, tmp_path, quantum=.2)


@pytest.mark.parametrize("zero,low,high,top", [(60, 0, 127, 67), (60, 20, 255, 195), (0, 0, 127, 127), (127, 0, 127, None)])
def test_bounds_between_the_two_are_those_of_the_type(zero, low, high, top, tmp_path):
    """7 bits of PyTorch's FakeQuantize, the ReLU behind: counted from the zero point."""
    n = Net(SHAPE, opset=17)
    bounds = [n.const(k, dtype=np.uint8) for k in (low, high)]
    y = quantized(n, conv(n, n.x), .04, zero, between=lambda q: n.op("Clip", q, *bounds), name="bounded")
    model = ended(n, n.op("Conv", n.op("Relu", y), n.const(np.ones((2, 4, 1, 1)))), 128)
    if top is None:
        assert "nothing in this network spikes" in refused(model, tmp_path)
        return
    report, _ = convert(model, tmp_path)
    assert [(row["L"], pytest.approx(row["theta_min"])) for row in report["layers"]] == [(top, top * .04)]
    assert_close(model, tmp_path, .3)


@pytest.mark.parametrize("zero,dtype,top", [(0, np.uint8, 255), (-128, np.int8, 255), (0, np.int8, 127),
                                            (100, np.uint8, 155)])
def test_levels_begin_at_0_behind_a_relu(zero, dtype, top, tmp_path):
    n = Net(SHAPE, opset=17)
    y = quantized(n, n.op("Relu", conv(n, n.x)), .02, zero, dtype)
    model = ended(n, n.op("Conv", y, n.const(np.ones((2, 4, 1, 1)))), 128)
    report, _ = convert(model, tmp_path)
    assert [(row["L"], pytest.approx(row["theta_min"])) for row in report["layers"]] == [(top, top * .02)]
    assert report["pairs"][0]["lo"] == 0 and not report["non_spiking_nodes"]
    assert_close(model, tmp_path, .3)


def test_a_relu_behind_a_pair_is_its_neurons(tmp_path):
    """As symmetric types have it: pair, ReLU, pair of the same scale."""
    n = Net(SHAPE, opset=17)
    y = quantized(n, conv(n, n.x), .02, 0, np.int8, name="before")
    y = quantized(n, n.op("Relu", y), .02, 0, np.int8, name="behind")
    model = ended(n, n.op("Conv", y, n.const(np.ones((2, 4, 1, 1)))), 128)
    report, _ = convert(model, tmp_path)
    assert [(row["name"], row["L"]) for row in report["layers"]] == [("before", 127)]
    assert pairs_of(report)["behind"]["became"] == "same levels"
    assert_close(model, tmp_path, .3)


def test_a_pair_before_a_relu_and_something_else_stays_signed(tmp_path):
    n = Net(SHAPE, opset=17)
    y = quantized(n, conv(n, n.x), .02, 0, np.int8, name="signed")
    z = quantized(n, n.op("Relu", y), .03, 0, np.int8, name="behind")
    model = ended(n, n.op("Add", n.op("Conv", z, n.const(np.ones((4, 4, 1, 1)))), y), 256)
    report, _ = convert(model, tmp_path)
    assert [row["name"] for row in report["layers"]] == ["behind"] and pairs_of(report)["signed"]["became"] == "rounds"
    assert_close(model, tmp_path, .3)


def test_one_quantize_with_several_dequantizes_is_one_neuron(tmp_path):
    n = Net(SHAPE, opset=17)
    params = scalar(n, .02, 0, np.uint8)
    q = n.op("QuantizeLinear", n.op("Relu", conv(n, n.x)), *params, name="q")
    a, b = (n.op("DequantizeLinear", q, *params) for _ in range(2))
    y = n.op("Add", n.op("Conv", a, n.const(np.ones((4, 4, 1, 1)) * .2)), b)
    y = quantized(n, n.op("Relu", y), .05, 0, name="q2")
    model = ended(n, y, 256)
    report, _ = convert(model, tmp_path)
    assert [row["name"] for row in report["layers"]] == ["q", "q2"] and not report["non_spiking_nodes"]
    assert_close(model, tmp_path, .3)


def test_a_pair_with_something_between_that_does_nothing(tmp_path):
    n = Net(SHAPE, opset=17)
    y = quantized(n, n.op("Relu", conv(n, n.x)), .02, -128, np.int8, name="q", between=lambda q: n.op("Identity", q))
    report, _ = convert(ended(n, quantized(n, y, .02, -128, np.int8, name="again"), 256), tmp_path)
    assert [p["became"] for p in report["pairs"]] == ["neuron", "same levels"]
    assert [row["theta_min"] for row in report["layers"]] == pytest.approx([255 * .02])


@pytest.mark.parametrize("inside", ["MaxPool", "Transpose", "Reshape"])
def test_movement_between_the_two(inside, tmp_path):
    """Of the whole numbers, with a zero point that is not 0."""
    for zero, dtype in ((0, np.uint8), (-128, np.int8), (3, np.int8)):
        n = Net(SHAPE, opset=17)
        how = {"MaxPool": lambda q: n.op("MaxPool", q, kernel_shape=[2, 2], strides=[2, 2]),
               "Transpose": lambda q: n.op("Transpose", q, perm=[0, 1, 3, 2]),
               "Reshape": lambda q: n.op("Reshape", q, n.const([1, 4, 4, 16], dtype=np.int64))}[inside]
        y = quantized(n, n.op("Relu", conv(n, n.x)), .02, zero, dtype, between=how)
        y = quantized(n, n.op("Relu", n.op("Conv", y, n.const(np.ones((2, 4, 1, 1))))), .1, 0)
        model = ended(n, y, 32 if inside == "MaxPool" else 128)
        convert(model, tmp_path)
        assert_close(model, tmp_path, .5)


def test_operators_of_onnx_runtimes_own_domain(tmp_path):
    n = Net(SHAPE, opset=17)
    y = quantized(n, n.op("Relu", conv(n, n.x)), .02, 0, domain="com.microsoft")
    y = quantized(n, n.op("Relu", n.op("Conv", y, n.const(np.ones((2, 4, 1, 1))))), .1, 0, domain="com.microsoft")
    model = ended(n, y, 128)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    report, _ = convert(model, tmp_path)
    assert [row["L"] for row in report["layers"]] == [255, 255]
    assert_close(model, tmp_path, .3)


# ---- around QCFS ----


def qcfs_network(rounded):
    draw, n = np.random.default_rng(6), Net(SHAPE, opset=17)

    def qcfs(x, theta, L):
        y = n.op("Mul", n.op("Div", x, n.const(theta)), n.const(float(L)))
        y = n.op("Round", y) if rounded else n.op("Floor", n.op("Add", y, n.const(.5)))
        y = n.op("Clip", n.op("Div", y, n.const(float(L))), n.const(np.float32(0)), n.const(np.float32(1)))
        return n.op("Mul", y, n.const(theta))
    def conv(x, ins):
        return n.op("Conv", x, n.const(draw.normal(size=(6, ins, 3, 3)) * .3), pads=[1, 1, 1, 1])
    y = qcfs(conv(n.x, 3), 1.5, 8)
    z = qcfs(conv(y, 6), 1.25, 16)
    y = n.op("Add", y, conv(z, 6))
    z = n.op("Add", y, n.op("Transpose", n.op("Transpose", z, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2]))
    z = qcfs(n.op("BatchNormalization", z, *[n.const(draw.uniform(.5, 1.5, 6)) for _ in range(4)]), 2.0, 8)
    z = n.op("ReduceMean", z, axes=[2, 3], keepdims=0)
    return n.model(n.op("Gemm", z, n.const(draw.normal(size=(6, 5))), name="logits"))


@pytest.mark.parametrize("rounded", [False, True])
def test_pairs_around_a_qcfs_vanish(rounded, tmp_path):
    """The quantized network has the neurons of the float one."""
    model = qcfs_network(rounded)
    plain, _ = convert(model, tmp_path)
    report, graph = convert(static(model, tmp_path), tmp_path)
    pairs = pairs_of(report)
    assert len(pairs) > 20
    assert {p["became"] for p in pairs.values()} == {"in QCFS", "rounds"}
    assert {name for name, p in pairs.items() if p["became"] == "rounds"} == \
        {"x_QuantizeLinear", "logits_out_QuantizeLinear"}
    for old, new in zip(plain["layers"], report["layers"]):
        assert old["L"] == new["L"] and old["theta_min"] == pytest.approx(new["theta_min"], rel=1e-4)
    assert len(plain["layers"]) == len(report["layers"]) == 3
    assert {n.op for n in graph.nodes} <= {"conv", "neuron", "affine", "unary", "clip", "binary", "reduce", "linear",
                                           "transpose", "reshape"}


def test_a_quantized_swin_has_the_neurons_of_its_float_file(tmp_path):
    source = ROOT / "examples" / "models" / "digits-swin-sa75.onnx"
    reader = iter([{"input": x} for x in np.random.default_rng(1).normal(size=(8, 1, 1, 28, 28)).astype("f4")])
    samples = type("Samples", (quantization.CalibrationDataReader,), {"get_next": lambda _: next(reader, None)})
    quantization.quantize_static(str(source), str(tmp_path / "q.onnx"), samples(), per_channel=True,
                                 quant_format=quantization.QuantFormat.QDQ)
    float_file, _ = convert(source, tmp_path)
    report, _ = convert(tmp_path / "q.onnx", tmp_path)
    for old, new in zip(float_file["layers"], report["layers"]):
        assert [old[k] for k in ("L", "neurons", "site", "stage", "block", "ratio")] == \
            [new[k] for k in ("L", "neurons", "site", "stage", "block", "ratio")]
        assert old["theta_min"] == pytest.approx(new["theta_min"], rel=1e-4)
    assert len(float_file["layers"]) == len(report["layers"]) == 33
    assert {p["became"] for p in report["pairs"]} == {"in QCFS", "rounds"} and report["non_spiking_nodes"] == 2


@pytest.mark.parametrize("pool", [None, "AveragePool"])
def test_thetas_of_what_is_summed_or_averaged(pool, tmp_path):
    """Levels times the scale, however they are computed."""
    n = Net(SHAPE, opset=17)
    y = quantized(n, n.op("Relu", conv(n, n.x)), .02, 0, name="a")
    z = quantized(n, n.op("Relu", conv(n, y, 4)), .03, 0, name="b")
    z = n.op(pool, z, kernel_shape=[2, 2], strides=[2, 2]) if pool else n.op("Relu", n.op("Add", y, z))
    z = quantized(n, z, .03, 0, name="c")
    report, _ = convert(ended(n, conv(n, z, 4), 64 if pool else 256), tmp_path)
    found = {row["name"]: row["theta_min"] for row in report["layers"]}
    for name, scale in (("a", .02), ("b", .03)):
        assert found[name] == pytest.approx(255 * scale, rel=1e-5)


# ---- what is refused ----


def pair_net(**how):
    n = Net(SHAPE, opset=how.pop("opset", 21))
    return n, n.op("Relu", conv(n, n.x))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_more_than_8_bits_are_refused(dtype, tmp_path):
    n, y = pair_net()
    text = refused(ended(n, quantized(n, y, .02, 0, dtype, name="wide"), 256), tmp_path)
    assert "'wide'" in text and "255 levels" in text and "activation_type=QuantType.QUInt8" in text


@pytest.mark.parametrize("kind", ["INT4", "UINT4", "FLOAT8E4M3FN"])
def test_weights_of_fewer_bits_are_refused(kind, tmp_path):
    n = Net(SHAPE, 21, ir=10)
    weights = helper.make_tensor("w4", getattr(TensorProto, kind), [4, 3, 3, 3], np.arange(108) % 7)
    n.initializers.append(weights)
    y = n.op("Conv", n.x, n.op("DequantizeLinear", "w4", n.const(.1)), pads=[1] * 4)
    text = refused(ended(n, n.op("Relu", y), 256), tmp_path)
    assert "w4" in text and kind.lower() in text and "quantize weights to 8 bits" in text, text


INTEGER = [("", "QLinearConv", "QuantFormat.QDQ"), ("", "QLinearMatMul", "QuantFormat.QDQ"),
           ("", "MatMulInteger", "quantize_static"), ("", "ConvInteger", "quantize_static"),
           ("", "DynamicQuantizeLinear", "quantize_static"), ("com.microsoft", "QLinearAdd", "QuantFormat.QDQ"),
           ("com.microsoft", "QGemm", "QuantFormat.QDQ"), ("com.microsoft", "DynamicQuantizeMatMul", "quantize_static"),
           ("com.microsoft", "MatMulIntegerToFloat", "quantize_static")]


@pytest.mark.parametrize("domain,op,remedy", INTEGER)
def test_integer_operators_are_refused_by_name(domain, op, remedy, tmp_path):
    n, y = pair_net()
    model = ended(n, n.op(op, y, y, y, domain=domain, name="whole"), 256)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    text = refused(model, tmp_path)
    assert "'whole'" in text and op in text and remedy in text


@pytest.mark.parametrize("scale,zero,part", [
    (0.0, 0, "its scale is 0"), (-.1, 0, "its scale is 0, below 0"), (np.nan, 0, "nan"), (np.inf, 0, "inf"),
    ([.1, .2, .3, .4], [0, 1, 0, 0], "differs from channel to channel"),
    ([.1, .2], [0, 0], "2 scales for an axis of 4"),
    ([.1, .2, .3, .4], [0, 0], "zero point"), ([[.1, .2]], [[0, 0]], "blocks"), (1e-310, 0, "")])
def test_bad_scales_are_refused(scale, zero, part, tmp_path):
    n, y = pair_net()
    params = [n.const(scale), n.const(zero, dtype=np.uint8)]
    q = n.op("QuantizeLinear", y, *params, name="bad")
    text = refused(ended(n, n.op("DequantizeLinear", q, *params), 256), tmp_path)
    assert "'bad'" in text and part in text


def test_scales_of_the_input_are_refused(tmp_path):
    n, y = pair_net()
    scale = n.op("ReduceMax", n.op("Abs", y), keepdims=0)
    q = n.op("QuantizeLinear", y, scale, n.const(0, dtype=np.uint8), name="dynamic")
    text = refused(ended(n, n.op("DequantizeLinear", q, scale, n.const(0, dtype=np.uint8)), 256), tmp_path)
    assert "'dynamic'" in text and "quantize_static" in text


def test_signed_pairs_alone_do_not_spike(tmp_path):
    n = Net(SHAPE, opset=17)
    y = quantized(n, conv(n, n.x), .02, 0, np.int8)
    y = quantized(n, conv(n, n.op("Tanh", y), 4), .02, 3, np.int8)
    model = ended(n, y, 256)
    text = refused(model, tmp_path)
    assert "nothing in this network spikes" in text and "2 pairs" in text and "signed" in text
    convert(model, tmp_path, "--allow-analog")
    assert_close(model, tmp_path, .2)


def test_unknown_rules_are_usage_errors(tmp_path):
    done = tool("mstconv", saved(network(), tmp_path), "-o", tmp_path / "m.bin", "--qdq", "drop", code=2)
    assert "--qdq: expected one of keep, drop-analog, found 'drop'" in done.stderr


# ---- the other tools ----


def test_relus_that_have_no_pair_take_thresholds_from_data(tmp_path):
    """The bounds of roundings are no ReLUs."""
    n = Net(SHAPE, opset=17)
    y = quantized(n, n.op("Relu", conv(n, n.x)), .02, 0, name="q")
    y = quantized(n, n.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2]), .02, 0, name="mean")
    y = n.op("Relu", conv(n, y, 4), name="plain")
    np.save(tmp_path / "x.npy", images(64))
    np.save(tmp_path / "y.npy", np.zeros(64, "i8"))
    data = "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy")
    report, _ = convert(ended(n, y, 64), tmp_path, "--calibrate", data, "-n", "16", "--levels", "15")
    assert [row["name"] for row in report["thresholds"]["layers"]] == ["plain"]
    assert {row["name"]: row["L"] for row in report["layers"]} == {"q": 255, "plain": 15}
    assert pairs_of(report)["mean"]["became"] == "rounds"


def test_the_error_of_a_quantized_network_in_count_mode_is_0(tmp_path):
    model = static(network(), tmp_path)
    convert(model, tmp_path)
    np.save(tmp_path / "x.npy", images(12))
    np.save(tmp_path / "y.npy", np.arange(12) % 10)
    done = tool("mstcalib", saved(model, tmp_path), tmp_path / "model.bin",
                "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"), "--mode", "count", "--json", "-", "-q")
    report = json.loads(done.stdout)
    at = report["at"][0]
    assert at["agreement_percent"] == 100 and at["logit_rel_l2"] == 0


@pytest.mark.parametrize("rule", ["keep", "drop-analog"])
def test_calibration_takes_the_rule_of_the_conversion(rule, tmp_path):
    model = static(network(), tmp_path)
    convert(model, tmp_path, "--qdq", "drop-analog")
    np.save(tmp_path / "x.npy", images(12))
    np.save(tmp_path / "y.npy", np.arange(12) % 10)
    done = tool("mstcalib", saved(model, tmp_path), tmp_path / "model.bin",
                "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"), "--mode", "count", "--json", "-", "-q",
                "--qdq", rule)
    error = json.loads(done.stdout)["at"][0]["logit_rel_l2"]
    assert error == 0 if rule == "drop-analog" else error > 1e-4


def test_calibration_refuses_unknown_rules(tmp_path):
    done = tool("mstcalib", saved(network(), tmp_path), tmp_path / "m.bin", "npy:x.npy,y.npy", "--qdq", "drop", code=2)
    assert "--qdq: expected one of keep, drop-analog, found 'drop'" in done.stderr
