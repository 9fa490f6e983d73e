"""Quantized networks: pairs of QuantizeLinear and DequantizeLinear as ONNX Runtime's static quantization, PyTorch's
FakeQuantize and hand-written graphs have them. The judge is ONNX Runtime without optimization, which computes the pairs
as they are written (its optimizer rounds averages otherwise, and on some processors its integer kernels saturate)."""
import json

import numpy as np
import pytest

from support import Net, convert, float_run, helper, numpy_helper, onnx, ort, refused, saved, snn_reader, tool

quantization = pytest.importorskip("onnxruntime.quantization")
SHAPE = [1, 3, 8, 8]


# ---- the judge ----

def judge(model, x, outputs=None):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = type(model).FromString(model.SerializeToString())
    for name in outputs or []:
        model.graph.output.add().name = name
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(
        outputs, {"x": x.astype("f4")})


def constants(model):
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def live_pairs(model):
    """QuantizeLinears of activations."""
    known = constants(model)
    return [n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] not in known]


def without_pairs(model, names):
    """The model in which the pairs of these QuantizeLinears are gone."""
    model = type(model).FromString(model.SerializeToString())
    nodes, other = list(model.graph.node), {}
    for q in [n for n in nodes if n.op_type == "QuantizeLinear" and n.name in names]:
        for d in [n for n in nodes if n.op_type == "DequantizeLinear" and n.input[0] == q.output[0]]:
            other[d.output[0]] = q.input[0]
            nodes.remove(d)
        nodes.remove(q)

    def source(name):
        while name in other:
            name = other[name]
        return name
    for n in nodes:
        for k, name in enumerate(n.input):
            n.input[k] = source(name)
    for output in model.graph.output:
        if output.name in other:
            nodes.append(helper.make_node("Identity", [source(output.name)], [output.name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


# ---- networks ----

def images(count=64, seed=5):
    return np.random.default_rng(seed).normal(size=[count] + SHAPE[1:]).astype("f4")


def network(pool="MaxPool", seed=3, relu6=False):
    """Convolutions with ReLUs, a residual sum, a pool, two Linears."""
    draw, n = np.random.default_rng(seed), Net(SHAPE, opset=17)

    def relu(x, name):
        return n.op("Relu", x, name=name) if not relu6 else \
            n.op("Clip", x, n.const(np.float32(0)), n.const(np.float32(2.5)), name=name)

    def conv(x, ins, outs, name):
        return n.op("Conv", x, n.const(draw.normal(size=(outs, ins, 3, 3)) * (2 / (9 * ins)) ** .5),
                    n.const(draw.normal(size=outs) * .2), pads=[1, 1, 1, 1], name=name)
    y = relu(conv(n.x, 3, 8, "c1"), "r1")
    z = relu(conv(y, 8, 8, "c2"), "r2")
    z = relu(n.op("Add", conv(z, 8, 8, "c3"), y, name="sum"), "r3")
    z = n.op("Flatten", n.op(pool, z, kernel_shape=[2, 2], strides=[2, 2], name="pool"), name="flat")
    z = relu(n.op("Gemm", z, n.const(draw.normal(size=(128, 16)) * .15), n.const(draw.normal(size=16) * .1), name="f1"),
             "r4")
    return n.model(n.op("Gemm", z, n.const(draw.normal(size=(16, 10)) * .5), n.const(np.zeros(10)), name="f2"))


class Reader(quantization.CalibrationDataReader):
    def __init__(self, count=16):
        self.left = iter(images(count, 11))

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {"x": x[None]}


def static(model, folder, activations="QUInt8", per_channel=True, weights="QInt8", **options):
    """quantize_static of ONNX Runtime, QDQ format."""
    onnx.save(model, str(folder / "float.onnx"))
    quantization.quantize_static(
        str(folder / "float.onnx"), str(folder / "qdq.onnx"), Reader(), quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel, activation_type=getattr(quantization.QuantType, activations),
        weight_type=getattr(quantization.QuantType, weights), extra_options=options)
    return onnx.load(str(folder / "qdq.onnx"))


def pairs_of(report):
    return {p["name"]: p for p in report["pairs"] or []}


def ran(path, x, folder, mode="count"):
    """(output, {neuron: its values in units of theta/L}) of a model file."""
    x.astype("f4").tofile(folder / "x.f32")
    tool("tests/tools/snnkit", "run", path, folder / "x.f32", 0, 1, folder / "trace.bin", mode)
    graph, raw, at, values = snn_reader.load(path), np.fromfile(folder / "trace.bin", "<u4"), 0, {}
    while at < len(raw):
        node, count = raw[at + 1], raw[at + 2]
        if raw[at] != 0xFFFFFFFF:
            values[node] = raw[at + 3:at + 3 + count].view("<f4")
        at += 3 + count
    levels, result = {}, None
    for k, node in enumerate(graph.nodes):
        if node.op == "neuron" and k in values:
            theta = graph.tensors[node.inputs[1]].data.astype("f8")
            assert theta.size == 1
            v = values[k].reshape(graph.tensors[node.out].shape)
            v = np.moveaxis(v, -1, 1) if v.ndim == 4 else v
            levels[node.name] = v * node.ip["LEVELS"] / theta[0]
        if node.out == graph.output:
            result = values[k]
    return result, levels


KINDS = [("QUInt8", True, {}), ("QUInt8", False, {}), ("QInt8", True, {}), ("QInt8", True, {"ActivationSymmetric": True}),
         ("QUInt8", True, {"WeightSymmetric": False})]


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
    assert report["non_spiking_nodes"] == 1 and "maxpool" in [row["kind"] for row in report["non_spiking"]]
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
    assert "9 pairs of a quantized model: 4 neuron, 3 rounds, 2 same levels" in done.stdout
    assert done.stderr.count("\n") == 1 and "step mode" in done.stderr and "--qdq drop-analog" in done.stderr
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--mode", "count", "-q")
    assert not done.stderr and not done.stdout


# ---- by hand ----

def scalar(n, scale, zero, dtype):
    return [n.const(np.float32(scale)), n.const(zero, dtype=dtype)]


def quantized(n, x, scale, zero, dtype=np.uint8, name=None, between=None, domain=""):
    """x through a pair."""
    params = scalar(n, scale, zero, dtype)
    q = n.op("QuantizeLinear", x, *params, domain=domain, **({"name": name} if name else {}))
    return n.op("DequantizeLinear", between(q) if between else q, *params, domain=domain)


def ended(n, x, size):
    draw = np.random.default_rng(8)
    return n.model(n.op("Gemm", n.op("Flatten", x), n.const(draw.normal(size=(size, 5)))))


def conv(n, x, ins=3, outs=4, seed=1):
    draw = np.random.default_rng(seed)
    return n.op("Conv", x, n.const(draw.normal(size=(outs, ins, 3, 3)) * .3), n.const(draw.normal(size=outs) * .1),
                pads=[1, 1, 1, 1])


def assert_close(model, folder, quantum=0.0, count=6, mode="count"):
    """The converted model is the model, but for ties of some quanta."""
    for x in images(count, 21):
        out, _ = ran(folder / "model.bin", x, folder, mode)
        want = judge(model, x[None])[0].ravel()
        assert np.max(np.abs(out - want)) <= 1e-4 * np.max(np.abs(want)) + quantum


def test_fake_quantize_keeps_float_weights(tmp_path):
    """Float weights behind a pair are folded; a Clip between the two, as PyTorch writes 7 bits, is the bound."""
    n = Net(SHAPE, opset=17)
    draw = np.random.default_rng(1)
    w = n.const(draw.normal(size=(4, 3, 3, 3)) * .3)
    scales, zeros = n.const(np.full(4, .01) + np.arange(4) * .001), n.const(np.zeros(4), dtype=np.int8)
    w = n.op("DequantizeLinear", n.op("QuantizeLinear", w, scales, zeros, axis=0), scales, zeros, axis=0)
    y = n.op("Relu", n.op("Conv", n.x, w, pads=[1, 1, 1, 1]))
    y = quantized(n, y, .03, 0, between=lambda q: n.op("Clip", q, n.const(0, dtype=np.uint8), n.const(127, dtype=np.uint8)))
    y = n.op("Conv", y, n.const(draw.normal(size=(4, 4, 3, 3)) * .3))
    y = quantized(n, n.op("Relu", y), .05, 0)
    model = ended(n, y, 144)
    report, _ = convert(model, tmp_path)
    assert [row["L"] for row in report["layers"]] == [127, 255]
    assert [row["theta_min"] for row in report["layers"]] == pytest.approx([127 * .03, 255 * .05], rel=1e-6)
    assert_close(model, tmp_path, quantum=.2)


def test_constants_fold_as_onnx_runtime_folds_them(tmp_path):
    """Ties, saturation, scales per channel, of both kinds: the folded constant is added to the image."""
    draw = np.random.default_rng(4)
    values = np.concatenate([np.arange(-40, 152) / 4, draw.normal(size=192) * 20]).reshape(SHAPE[1:] + [2])[..., 0]
    for dtype, zero, scale in ((np.uint8, [0, 7, 255], [.5, .1, .3]), (np.int8, [-128, 0, 3], [.25, .7, .5])):
        n = Net(SHAPE, opset=17)
        params = [n.const(scale), n.const(zero, dtype=dtype)]
        k = n.op("QuantizeLinear", n.const(values[None]), *params, axis=1)
        y = n.op("Add", n.x, n.op("DequantizeLinear", k, *params, axis=1))
        model = n.model(n.op("Flatten", y))
        x = images(1)
        want = judge(model, x)[0].ravel()
        assert np.array_equal(float_run(model, tmp_path, x), want.astype("f4"))


@pytest.mark.parametrize("zero,dtype,top", [(0, np.uint8, 255), (-128, np.int8, 255), (0, np.int8, 127), (100, np.uint8, 155)])
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


def test_averages_are_rounded_to_even(tmp_path):
    """Of whole numbers a quarter of the means lies right between two levels: exactly computed, the even one is
    taken."""
    n = Net([1, 4, 8, 8], opset=17)
    y = quantized(n, n.x, .25, 0, name="counts")
    y = quantized(n, n.op("AveragePool", y, kernel_shape=[4, 4], strides=[4, 4]), .25, 0, name="mean")
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(16))))
    report, _ = convert(model, tmp_path)
    assert [p["became"] for p in report["pairs"]] == ["neuron", "rounds"]
    draw, ties = np.random.default_rng(3), 0
    for _ in range(10):
        k = draw.integers(0, 9, (4, 8, 8))
        means = k.reshape(4, 2, 4, 2, 4).sum((2, 4)) / 16
        ties += np.count_nonzero(means % 1 == .5)
        out, _ = ran(tmp_path / "model.bin", (k * np.float32(.25)), tmp_path)
        assert np.array_equal(out, (np.rint(means) * .25).ravel().astype("f4"))
        assert np.array_equal(out, judge(model, (k * np.float32(.25))[None])[0].ravel())
    assert ties > 5
    report, graph = convert(model, tmp_path, "--qdq", "drop-analog")
    assert [p["became"] for p in report["pairs"]] == ["neuron", "dropped"]
    out, _ = ran(tmp_path / "model.bin", (k * np.float32(.25)), tmp_path)
    assert out == pytest.approx((means * .25).ravel())


def test_a_quantizer_that_reads_another_takes_the_even_level(tmp_path):
    """Scales of 1 and 2: each odd level is a tie, half of them go up. No neuron does that."""
    n = Net([1, 1, 1, 64], opset=17)
    y = quantized(n, n.x, 1, 0, name="ones")
    y = quantized(n, y, 2, 0, name="twos")
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(64))))
    report, _ = convert(model, tmp_path)
    assert [p["became"] for p in report["pairs"]] == ["neuron", "rounds"] and "right between" in report["pairs"][1]["reason"]
    x = np.arange(64).reshape(1, 1, 1, 64).astype("f4")
    out, _ = ran(tmp_path / "model.bin", x[0], tmp_path)
    assert np.array_equal(out, judge(model, x)[0].ravel()) and np.array_equal(out, 2 * np.rint(x / 2).ravel())


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


# ---- what is refused ----

def pair_net(**how):
    n = Net(SHAPE, opset=how.pop("opset", 21))
    return n, n.op("Relu", conv(n, n.x))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_more_than_8_bits_are_refused(dtype, tmp_path):
    n, y = pair_net()
    text = refused(ended(n, quantized(n, y, .02, 0, dtype, name="wide"), 256), tmp_path)
    assert "'wide'" in text and "255 levels" in text and "activation_type=QuantType.QUInt8" in text


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
    ([.1, .2, .3, .4], [0, 1, 0, 0], "differs from channel to channel"), ([.1, .2], [0, 0], "2 scales for an axis of 4"),
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
    report, _ = convert(ended(n, y, 64), tmp_path, "--calibrate", "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"),
                        "-n", "16", "--levels", "15")
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
    assert report["snn"][0] == {"top1": report["ann_top1"], "agreement": 1, "logit_rel_l2": 0}
