#!/usr/bin/env python3
"""Make the seeds of fuzz_onnx, tests/fuzz/corpus/onnx: small valid models that between them use every part of
the file format that the importer reads. Needs onnx and numpy."""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).resolve().parent / "corpus" / "onnx"
FLOAT = TensorProto.FLOAT


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(out, nodes, initializers=(), shape=(1, 2, 4, 4), **more):
    graph = helper.make_graph(nodes, "g", [value("x", shape)], [value("y", out)], list(initializers))
    more.setdefault("opset_imports", [helper.make_opsetid("", 17)])
    return helper.make_model(graph, ir_version=8, producer_name="seed", **more)


def layers():
    """A network with a convolution, BatchNorm, a residual and a classifier."""
    k = {"w": np.full((2, 2, 3, 3), 0.125), "b": np.ones(2), "s": np.ones(2), "v": np.ones(2), "g": np.full((3, 2), 0.5)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], group=1, strides=[1, 1]),
             helper.make_node("BatchNormalization", ["c", "s", "b", "b", "v"], ["n"], epsilon=1e-5),
             helper.make_node("Relu", ["n"], ["r"], name="act", doc_string="an activation"),
             helper.make_node("Add", ["r", "x"], ["a"]), helper.make_node("GlobalAveragePool", ["a"], ["p"]),
             helper.make_node("Flatten", ["p"], ["f"], axis=1), helper.make_node("Gemm", ["f", "g"], ["y"], transB=1)]
    return model((1, 3), nodes, [numpy_helper.from_array(v.astype(np.float32), n) for n, v in k.items()])


def shapes():
    """A named batch size, and a shape computed from it."""
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["n"]),
             helper.make_node("Unsqueeze", ["n", "axes"], ["u"]), helper.make_node("Concat", ["u", "rest"], ["to"], axis=0),
             helper.make_node("Reshape", ["x", "to"], ["t"]), helper.make_node("Transpose", ["t"], ["m"], perm=[0, 2, 1]),
             helper.make_node("Softmax", ["m"], ["y"], axis=-1)]
    return model(("batch", 16, 2), nodes, [helper.make_tensor("zero", TensorProto.INT64, [], [0]),
                         helper.make_tensor("axes", TensorProto.INT64, [1], [0]),
                         helper.make_tensor("rest", TensorProto.INT64, [2], [2, -1])], shape=("batch", 2, 4, 4))


def constants():
    """Every form of a constant: node attributes, raw bytes and typed fields."""
    nodes = [helper.make_node("Constant", [], ["c0"], value=helper.make_tensor("t", FLOAT, [1], [2.0])),
             helper.make_node("Constant", [], ["c1"], value_float=0.5),
             helper.make_node("Constant", [], ["c2"], value_floats=[1.0, 2.0, 3.0, 4.0]),
             helper.make_node("Constant", [], ["c3"], value_int=3), helper.make_node("Constant", [], ["c4"], value_ints=[4]),
             helper.make_node("Cast", ["c3"], ["f3"], to=FLOAT), helper.make_node("Cast", ["c4"], ["f4"], to=FLOAT),
             helper.make_node("Cast", ["h"], ["fh"], to=FLOAT), helper.make_node("Cast", ["d"], ["fd"], to=FLOAT),
             helper.make_node("Cast", ["i8"], ["f8"], to=FLOAT), helper.make_node("Cast", ["q"], ["fq"], to=FLOAT),
             helper.make_node("ConstantOfShape", ["one"], ["z"], value=helper.make_tensor("t", FLOAT, [1], [1.5]))]
    total = "x"
    for i, name in enumerate(("c0", "c1", "c2", "f3", "f4", "fh", "fd", "f8", "fq", "z")):
        nodes.append(helper.make_node("Add", [total, name], ["y" if name == "z" else "a%d" % i]))
        total = "a%d" % i
    return model((1, 2, 4, 4), nodes, [
        numpy_helper.from_array(np.array([0.5], np.float16), "h"),
        helper.make_tensor("d", TensorProto.DOUBLE, [1], [0.25]), helper.make_tensor("i8", TensorProto.INT8, [1], [-3]),
        helper.make_tensor("q", TensorProto.BOOL, [1], [True]), helper.make_tensor("one", TensorProto.INT64, [1], [1])])


def functions():
    """A local function that takes an attribute and calls another one."""
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    inner = helper.make_function("my.own", "Half", ["a"], ["b"], [
        helper.make_node("Constant", [], ["h"], value_float=0.5), helper.make_node("Mul", ["a", "h"], ["b"])], opset)
    node = helper.make_node("Flatten", ["c"], ["e"])
    node.attribute.add(name="axis", ref_attr_name="axis", type=onnx.AttributeProto.INT)
    outer = helper.make_function("my.own", "Outer", ["a"], ["e"], [helper.make_node("Half", ["a"], ["c"], domain="my.own"),
                                                                  node], opset, attributes=["axis"])
    return model((2, 16), [helper.make_node("Outer", ["x"], ["y"], domain="my.own", axis=2)], functions=[inner, outer],
                 opset_imports=opset)


def external():
    """Weights beside the file, which are not there for a model in memory."""
    w = TensorProto(name="w", data_type=FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for k, v in (("location", "weights.bin"), ("offset", "0"), ("length", "64")):
        w.external_data.add(key=k, value=v)
    return model((1, 2, 4, 4), [helper.make_node("MatMul", ["x", "w"], ["y"])], [w])


def recurrent(op):
    """RNN, GRU and LSTM: both ways, a bias, and what the last step leaves."""
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]

    def make():
        r = np.random.default_rng(gates)
        k = {"w": r.normal(size=(2, gates * 3, 4)), "r": r.normal(size=(2, gates * 3, 3)), "b": r.normal(size=(2, gates * 6))}
        nodes = [helper.make_node("Squeeze", ["x", "zero"], ["s"]), helper.make_node("Transpose", ["s"], ["t"], perm=[1, 0, 2]),
                 helper.make_node(op, ["t", "w", "r", "b"], ["all", "last"], hidden_size=3, direction="bidirectional"),
                 helper.make_node("Transpose", ["last"], ["l"], perm=[1, 0, 2]), helper.make_node("Flatten", ["l"], ["y"], axis=1)]
        return model((2, 6), nodes, [numpy_helper.from_array(v.astype(np.float32), n) for n, v in k.items()] + [
            helper.make_tensor("zero", TensorProto.INT64, [1], [0])], shape=(1, 2, 4, 4))
    make.__name__ = op.lower()
    return make


def loop():
    """A body that doubles, three times."""
    body = helper.make_graph([helper.make_node("Add", ["v", "v"], ["w"]), helper.make_node("Identity", ["c"], ["d"])], "body", [
        value("i", (), TensorProto.INT64), value("c", (), TensorProto.BOOL), value("v", (1, 2, 4, 4))], [
            value("d", (), TensorProto.BOOL), value("w", (1, 2, 4, 4))])
    return model((1, 2, 4, 4), [helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)], [
        helper.make_tensor("n", TensorProto.INT64, [], [3]), helper.make_tensor("yes", TensorProto.BOOL, [], [True])])


def branches():
    """If, on a constant."""
    def one(op, name):
        return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [value(name, (1, 2, 4, 4))])
    return model((1, 2, 4, 4), [helper.make_node("If", ["yes"], ["y"], then_branch=one("Relu", "a"), else_branch=one("Neg", "b"))], [
        helper.make_tensor("yes", TensorProto.BOOL, [], [True])])


def main():
    both = [recurrent(op) for op in ("RNN", "GRU", "LSTM")] + [loop, branches]
    for folder, makers in (("onnx", [layers, shapes, constants, functions, external] + both), ("convert", both)):
        for make in makers:
            m = make()
            if make is not external:
                onnx.checker.check_model(m, full_check=True)
            (OUT.parent / folder / (make.__name__ + ".onnx")).write_bytes(m.SerializeToString())


if __name__ == "__main__":
    main()
