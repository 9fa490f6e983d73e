"""What the tests of quantized networks share. The judge is ONNX Runtime without optimization, which computes pairs of
QuantizeLinear and DequantizeLinear as they are written (its optimizer rounds averages otherwise, and on some processors
its integer kernels saturate)."""
import numpy as np
import pytest

from support import Net, helper, numpy_helper, onnx, ort, snn_reader, tool

quantization = pytest.importorskip("onnxruntime.quantization")
SHAPE = [1, 3, 8, 8]


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
