"""What the converter's tests share: tiny ONNX models, ONNX Runtime as the oracle, and
the tools under test."""
import json
import os
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from built import BUILD, ROOT, tool  # noqa: E402,F401

FIXTURES = ROOT / "tests" / "fixtures" / "onnx"
sys.path.insert(0, str(ROOT / "tests"))
from oracle import snn_reader  # noqa: E402


class Net:
    """An ONNX graph with one input, written node by node.

        n = Net([1, 3, 8, 8], opset=13)
        y = n.op("Conv", n.x, n.const(w), pads=[1, 1, 1, 1])
        model = n.model(y)
    """

    def __init__(self, shape, opset=13, ir=8, dtype=TensorProto.FLOAT):
        self.opset, self.ir, self.shape = opset, ir, shape
        self.nodes, self.initializers, self.count = [], [], 0
        self.inputs = [helper.make_tensor_value_info("x", dtype, shape)]
        self.x = "x"

    def name(self, kind):
        self.count += 1
        return "%s_%d" % (kind, self.count)

    def const(self, value, form="init", dtype=np.float32):
        """form: initializer, Constant node, or Identity alias of an initializer."""
        value = np.asarray(value, dtype)
        name = self.name("k")
        if form == "constant":
            tensor = numpy_helper.from_array(value, name)
            self.nodes.append(helper.make_node("Constant", [], [name], name="c" + name, value=tensor))
            return name
        self.initializers.append(numpy_helper.from_array(value, name))
        return self.op("Identity", name) if form == "identity" else name

    def op(self, kind, *inputs, outputs=1, name=None, domain="", **attributes):
        base = name or self.name(kind)
        outs = [base + "_out"] if outputs == 1 else ["%s_out%d" % (base, i) for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), outs, name=base, domain=domain, **attributes))
        return outs[0] if outputs == 1 else outs

    def model(self, *outputs, functions=()):
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, infos, self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, 1) for d in {f.domain for f in functions}]
        return helper.make_model(graph, opset_imports=opsets, ir_version=self.ir, functions=list(functions))


def runtime_session(model):
    """A session of ONNX Runtime, of a model or of a file."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    raw = model.SerializeToString() if not isinstance(model, (str, os.PathLike)) else str(model)
    return ort.InferenceSession(raw, options, providers=["CPUExecutionProvider"])


def runtime(model, x):
    """ONNX Runtime's first output for one input, flat."""
    session = runtime_session(model)
    return session.run(None, {session.get_inputs()[0].name: x})[0].ravel()


def saved(model, folder):
    """A model as a file; a path stays what it is."""
    if isinstance(model, (str, os.PathLike)):
        return pathlib.Path(model)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def convert(model, folder, *args):
    """(report, graph as the Python reader sees it) of mstconv."""
    path, out = saved(model, folder), folder / "model.bin"
    done = tool("mstconv", path, "-o", out, "--quiet", "--report", "-", *args)
    return json.loads(done.stdout), snn_reader.load(out)


def refused(model, folder, *args):
    """The error line of a conversion that must fail."""
    out = folder / "refused.bin"
    done = tool("mstconv", saved(model, folder), "-o", out, "--quiet", *args, code=None)
    assert done.returncode == 1, "converted: %s" % done.stdout
    assert not out.exists() and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def float_run(model, folder, x, *args):
    """The converted model's output in float mode, flat. args go to mstconv."""
    x = np.ascontiguousarray(x, np.float32)
    x.tofile(folder / "x.f32")
    if not args:
        tool("tests/tools/onnxrun", saved(model, folder), folder / "x.f32", folder / "y.f32")
        return np.fromfile(folder / "y.f32", np.float32)
    out = folder / "stopped.bin"
    tool("mstconv", saved(model, folder), "-o", out, "--quiet", *args)
    tool("tests/tools/snnkit", "run", out, folder / "x.f32", 0, 1, folder / "trace.bin", "float")
    graph, raw, at, values = snn_reader.load(out), np.fromfile(folder / "trace.bin", "<u4"), 0, {}
    while at < len(raw):
        node, count = raw[at + 1], raw[at + 2]
        if raw[at] != 0xFFFFFFFF:
            values[graph.nodes[node].out] = raw[at + 3:at + 3 + count].view("<f4")
        at += 3 + count
    return values[graph.output]


def error(got, expected):
    """Largest difference relative to the largest expected value."""
    assert got.shape == expected.shape, "%s, expected %s" % (got.shape, expected.shape)
    return float(np.max(np.abs(got.astype("f8") - expected)) / max(np.max(np.abs(expected)), 1e-6))


def assert_same(model, folder, x, tolerance=1e-4):
    e = error(float_run(model, folder, x), runtime(model, x))
    assert e <= tolerance, "relative error %g" % e


def layers(report):
    """The report's layers without their names."""
    return [{k: v for k, v in row.items() if k != "name"} for row in report["layers"]]
