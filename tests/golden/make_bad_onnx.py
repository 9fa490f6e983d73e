#!/usr/bin/env python3
"""Make tests/golden/onnx-bad (hostile and damaged .onnx files, each with the error that refuses it in
expected.txt) and tests/golden/onnx-good (small files that use rare parts of the format and must load).

Standard library only: the files are written field by field, so that they can be wrong.
"""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
FLOAT, UINT8, INT8, INT32, INT64, STRING = 1, 2, 3, 6, 7, 8
BOOL, FLOAT16, DOUBLE, UINT32, UINT64 = 9, 10, 11, 12, 13


# ---- protobuf ----
def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def num(field, v):
    return varint(field << 3) + varint(v)


def blob(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def f32(field, v):
    return varint(field << 3 | 5) + struct.pack("<f", v)


def blobs(field, items):
    return b"".join(blob(field, i) for i in items)


# ---- ONNX ----
def tensor(name="", dims=(), dtype=FLOAT, raw=None, more=b""):
    out = b"".join(num(1, d) for d in dims) + num(2, dtype) + (blob(8, name) if name else b"")
    return out + (blob(9, raw) if raw is not None else b"") + more


def floats(name, *values):
    return tensor(name, [len(values)], FLOAT, struct.pack("<%df" % len(values), *values))


def node(op, ins=(), outs=(), name="", attrs=(), domain="", more=b""):
    out = blobs(1, ins) + blobs(2, outs) + (blob(3, name) if name else b"") + blob(4, op) + blobs(5, attrs)
    return out + (blob(7, domain) if domain else b"") + more


def attr(name, kind, value, ref=None):
    return blob(1, name) + value + num(20, kind) + (blob(21, ref) if ref else b"")


def a_float(name, v):
    return attr(name, 1, f32(2, v))


def a_int(name, v):
    return attr(name, 2, num(3, v))


def info(name, dims=(1, 2), dtype=FLOAT):
    shape = blobs(1, [num(1, d) if isinstance(d, int) else blob(2, d) for d in dims])
    return blob(1, name) + blob(2, blob(1, num(1, dtype) + blob(2, shape)))


def opset(version, domain=""):
    return (blob(1, domain) if domain else b"") + num(2, version)


def graph(nodes=(), inits=(), inputs=None, outputs=None, more=b""):
    inputs = [info("x")] if inputs is None else inputs
    outputs = [info("y")] if outputs is None else outputs
    return blobs(1, nodes) + blob(2, "g") + blobs(5, inits) + blobs(11, inputs) + blobs(12, outputs) + more


def model(g, ir=8, sets=(opset(17),), functions=()):
    out = num(1, ir) + blob(2, "golden") + blob(7, g) + blobs(8, sets)
    return out + blobs(25, functions)


def function(name, ins, outs, nodes, attrs=(), sets=(opset(17), opset(1, "t")), more=b""):
    return (blob(1, name) + blobs(4, ins) + blobs(5, outs) + blobs(6, attrs) + blobs(7, nodes) +
            blobs(9, sets) + blob(10, "t") + more)


def call(fn, ins, outs, **more):
    return node(fn, ins, outs, domain="t", **more)


RELU = node("Relu", ["x"], ["y"], "relu")
SETS = (opset(17), opset(1, "t"))


def one(*nodes, **kw):
    return model(graph(nodes, **kw))


def with_init(t, **kw):
    return model(graph([RELU], [t]), **kw)


def external(*pairs, dims=(1,)):
    keys = b"".join(blob(13, blob(1, k) + blob(2, v)) for k, v in pairs)
    return with_init(tensor("w", dims, more=keys + num(14, 1)))


def calls(functions, nodes=None):
    return model(graph(nodes or [call("f0", ["x"], ["y"], name="call")]), sets=SETS, functions=functions)


def nested_graphs(levels):
    """A graph in an attribute of a node in a graph in ..., as bytes written back to front."""
    parts, size = [], 0

    def wrap(tag):
        nonlocal size
        head = varint(tag << 3 | 2) + varint(size)
        parts.append(head)
        size += len(head)

    for _ in range(levels):
        for tag in (6, 5, 1):  # attribute.g, node.attribute, graph.node
            wrap(tag)
    return b"".join(reversed(parts))


def chain(n, times):
    """f0 calls f1 `times` times, f1 calls f2 ...; the last one passes its input through."""
    out = []
    for i in range(n):
        body = [call("f%d" % (i + 1), ["a"], ["r%d" % k]) for k in range(times - 1)]
        body.append(call("f%d" % (i + 1), ["a"], ["b"]))
        out.append(function("f%d" % i, ["a"], ["b"], body))
    return out + [function("f%d" % n, ["a"], ["b"], [node("Relu", ["a"], ["b"])])]


def bad_files():
    good = one(RELU)
    yield "empty", b"", "EFORMAT", "empty"
    yield "text", b"This is a text about a model, and not a model.\n" * 3, "EFORMAT", "not an ONNX model"
    yield "png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20), "EFORMAT", "not an ONNX model"
    yield "zeros", bytes(64), "EFORMAT", "not a field tag"
    yield "no-version", blob(7, graph([RELU])), "EFORMAT", "no ir_version"
    yield "no-graph", num(1, 8) + blob(8, opset(17)), "ECORRUPT", "no graph"
    yield "varint-endless", num(1, 8) + b"\x28" + b"\xff" * 12, "ECORRUPT", "byte 2, in ModelProto: a number"
    yield "varint-cut", num(1, 8) + b"\x28\x80", "ECORRUPT", "a number that does not end"
    yield "length-past-end", num(1, 8) + b"\x3a\x7f\x0a", "ECORRUPT", "field 7 says 127 bytes"
    yield "length-huge", num(1, 8) + b"\x3a\xff\xff\xff\xff\x0f", "ECORRUPT", "field 7 says 4294967295 bytes"
    yield "inner-past-outer", num(1, 8) + blob(7, b"\x0a\x05\x0a") + blob(8, opset(17)), \
        "ECORRUPT", "in GraphProto"
    yield "group", num(1, 8) + b"\x3b\x3c" + good, "ECORRUPT", "groups"
    yield "field-zero", num(1, 8) + b"\x00\x01", "ECORRUPT", "not a field tag"
    yield "wire-type", num(1, 8) + num(7, 5), "ECORRUPT", "wire type 0, expected 2"
    yield "packed-cut", with_init(tensor("w", [1], more=blob(4, b"\0\0\0"))), "ECORRUPT", "packed"
    yield "packed-varint-cut", with_init(tensor("w", [1], INT64, more=blob(7, b"\x80"))), \
        "ECORRUPT", "does not end"
    yield "graph-twice", good + blob(7, graph([RELU])), "ECORRUPT", "repeated"
    yield "name-with-zero", one(node("Relu", ["x"], ["y"], "re\0lu")), "ECORRUPT", "zero byte"
    yield "nested-graphs", num(1, 8) + blob(7, nested_graphs(3000)), "ELIMIT", "nested deeper than 64"
    deep = b""
    for _ in range(70):
        deep = blob(4, blob(1, deep))  # sequence_type.elem_type
    yield "nested-types", model(graph([RELU], inputs=[blob(1, "x") + blob(2, deep)])), \
        "ELIMIT", "nested deeper than 64"

    yield "ir-1", model(graph([RELU]), ir=1), "EUNSUPPORTED", "IR version 1"
    yield "ir-99", model(graph([RELU]), ir=99), "EVERSION", "IR version 99"
    yield "opset-8", model(graph([RELU]), sets=[opset(8)]), \
        "EUNSUPPORTED", "export it again with opset_version=17"
    yield "opset-29", model(graph([RELU]), sets=[opset(29)]), "EUNSUPPORTED", "opset 29"
    yield "opset-none", model(graph([RELU]), sets=[opset(1, "t")]), "ECORRUPT", "which opset"
    yield "opset-two", model(graph([RELU]), sets=[opset(17), opset(13, "ai.onnx")]), \
        "ECORRUPT", "two different opsets"

    yield "input-undefined", one(node("Add", ["x", "nowhere"], ["y"], "add")), "ECORRUPT", \
        "node 'add' (Add): input 1, 'nowhere', is defined nowhere"
    yield "output-undefined", one(node("Relu", ["x"], ["z"])), "ECORRUPT", "graph output 'y'"
    yield "output-none", one(RELU, outputs=[]), "ECORRUPT", "no output"
    yield "output-twice", one(RELU, node("Abs", ["x"], ["y"], "abs")), \
        "ECORRUPT", "'y' is defined a second time"
    yield "output-is-input", one(node("Relu", ["x"], ["x"])), "ECORRUPT", "'x' is defined a second time"
    yield "input-twice", one(RELU, inputs=[info("x"), info("x")]), "ECORRUPT", "defined twice"
    yield "input-unnamed", one(RELU, inputs=[info("")]), "ECORRUPT", "without a name"
    yield "input-sequence", one(RELU, inputs=[blob(1, "x") + blob(2, blob(4, b""))]), \
        "EUNSUPPORTED", "not a tensor"
    yield "input-rank-9", one(RELU, inputs=[info("x", [1] * 9)]), "EUNSUPPORTED", "rank 9"
    yield "input-huge", one(RELU, inputs=[info("x", [1 << 40])]), "ELIMIT", "dimension 0"
    yield "cycle", one(node("Add", ["x", "b"], ["a"], "one"), node("Relu", ["a"], ["b"], "two"),
                       node("Abs", ["b"], ["y"], "three")), "ECORRUPT", "cycle"
    yield "self-loop", one(node("Add", ["x", "y"], ["y"], "loop")), "ECORRUPT", "node 'loop' (Add)"
    yield "no-operator", one(node("", ["x"], ["y"], "n")), "ECORRUPT", "no operator"
    yield "attributes-300", one(node("Relu", ["x"], ["y"], "n", [a_int("a", 1)] * 300)), \
        "ELIMIT", "300 attributes"

    yield "init-twice", model(graph([RELU], [floats("w", 1.0), floats("w", 2.0)])), \
        "ECORRUPT", "defined twice"
    yield "init-sparse", one(RELU, more=blob(15, b"")), "EUNSUPPORTED", "sparse"
    yield "raw-short", with_init(tensor("w", [2], FLOAT, bytes(7))), \
        "ECORRUPT", "7 bytes of data, the shape wants 8"
    yield "raw-no-data", with_init(tensor("w", [1 << 29], FLOAT)), "ECORRUPT", "0 elements of data"
    yield "typed-count", with_init(tensor("w", [3], FLOAT, more=blob(4, bytes(8)))), \
        "ECORRUPT", "2 elements of data"
    yield "typed-field", with_init(tensor("w", [1], INT64, more=blob(4, bytes(4)))), \
        "ECORRUPT", "does not belong"
    yield "int8-range", with_init(tensor("w", [1], INT8, more=blob(5, varint(200)))), "ECORRUPT", "not a int8"
    yield "uint32-range", with_init(tensor("w", [1], UINT32, more=blob(11, varint(1 << 32)))), \
        "ECORRUPT", "uint32"
    yield "dim-negative", with_init(tensor("w", [-1], FLOAT, b"")), "ECORRUPT", "dimension 0 is -1"
    yield "dims-overflow", with_init(tensor("w", [1 << 29] * 4, FLOAT, b"")), "ELIMIT", "elements"
    yield "dims-rank-9", with_init(tensor("w", [1] * 9, FLOAT, bytes(4))), "EUNSUPPORTED", "rank 9"
    yield "dtype-float8", with_init(tensor("w", [1], 17, b"\0")), "EUNSUPPORTED", "float8e4m3fn (17)"
    yield "dtype-9999", with_init(tensor("w", [1], 9999, b"\0")), "EUNSUPPORTED", "unknown (9999)"
    yield "dtype-none", with_init(tensor("w", [1], 0, b"\0")), "EUNSUPPORTED", "undefined (0)"

    yield "ext-absolute", external(("location", "/etc/hostname")), "ECORRUPT", "inside the model's folder"
    yield "ext-dotdot", external(("location", "../onnx-bad/four-bytes.bin")), \
        "ECORRUPT", "inside the model's folder"
    yield "ext-dotdot-inside", external(("location", "a/../../x.bin")), "EIO", "cannot open"
    yield "ext-missing", external(("location", "missing.bin")), "EIO", "'missing.bin'"
    yield "ext-folder", external(("location", ".")), "EIO", "not a regular file"
    yield "ext-no-name", external(("offset", "0")), "ECORRUPT", "without a file name"
    yield "ext-long-name", external(("location", "n" * 300)), "ECORRUPT", "inside the model's folder"
    yield "ext-offset", external(("location", "four-bytes.bin"), ("offset", "1")), "ECORRUPT", "has 4 bytes"
    yield "ext-offset-huge", external(("location", "four-bytes.bin"), ("offset", str(2**63 - 1))), \
        "ECORRUPT", "has 4 bytes"
    yield "ext-offset-64", external(("location", "four-bytes.bin"), ("offset", str(2**64))), \
        "ECORRUPT", "not a number"
    yield "ext-offset-sign", external(("location", "four-bytes.bin"), ("offset", "-4")), \
        "ECORRUPT", "not a number"
    yield "ext-length", external(("location", "four-bytes.bin"), ("length", "8")), \
        "ECORRUPT", "the shape wants 4"
    yield "ext-past-end", external(("location", "four-bytes.bin"), dims=(1 << 28,)), "ECORRUPT", "has 4 bytes"

    yield "constant-empty", one(RELU, node("Constant", [], ["c"], "c")), "ECORRUPT", "has one attribute"
    yield "constant-input", one(RELU, node("Constant", ["x"], ["c"], "c", [a_int("value_int", 1)])), \
        "ECORRUPT", "no inputs"
    yield "constant-sparse", one(RELU, node("Constant", [], ["c"], "c", [attr("sparse_value", 11, b"")])), \
        "EUNSUPPORTED", "sparse"
    yield "attr-no-tensor", one(RELU, node("Constant", [], ["c"], "c", [attr("value", 4, b"")])), \
        "ECORRUPT", "without a tensor"
    yield "ref-outside", one(node("Elu", ["x"], ["y"], "elu", [attr("alpha", 1, b"", "alpha")])), \
        "ECORRUPT", "outside"

    body = [node("Relu", ["a"], ["b"])]
    f = function("f0", ["a"], ["b"], body)
    yield "fn-twice", calls([f, f]), "ECORRUPT", "function 'f0' is defined twice"
    yield "fn-recursion", calls([function("f0", ["a"], ["b"], [call("f0", ["a"], ["b"])])]), \
        "ECORRUPT", "calls itself"
    yield "fn-recursion-mutual", calls([function("f0", ["a"], ["b"], [call("f1", ["a"], ["b"])]),
                                        function("f1", ["a"], ["b"], [call("f0", ["a"], ["b"])])]), \
        "ECORRUPT", "calls itself"
    yield "fn-depth", calls(chain(20, 1)), "ELIMIT", "functions nested deeper than 16"
    yield "fn-bomb", calls(chain(12, 10)), "ELIMIT", "functions inlined"
    yield "fn-inputs", calls([f], [call("f0", ["x", "x"], ["y"], name="call")]), "ECORRUPT", "2 inputs"
    yield "fn-output-unmade", calls([function("f0", ["a"], ["b"], [])]), "ECORRUPT", "output 'b'"
    yield "fn-output-absent-input", calls([function("f0", ["a"], ["a"], [])], [call("f0", [""], ["y"])]), \
        "ECORRUPT", "leaves out"
    yield "fn-parameter-twice", calls([function("f0", ["a", "a"], ["b"], body)]), "ECORRUPT", "two parameters"
    yield "fn-undefined", calls([function("f0", ["a"], ["b"], [node("Add", ["a", "x"], ["b"])])]), \
        "ECORRUPT", "'x', is defined nowhere"
    yield "fn-opset", calls([function("f0", ["a"], ["b"], body, sets=[opset(12)])]), \
        "EUNSUPPORTED", "opset 12"
    yield "fn-cycle", calls([function("f0", ["a"], ["b"], [node("Add", ["a", "b"], ["b"], "add")])]), \
        "ECORRUPT", "node 'call/add' (Add)"
    yield "fn-default-damaged", calls([function("f0", ["a"], ["b"], body, more=blob(11, b"\x0a\x7f"))]), \
        "ECORRUPT", "field 1 says 127 bytes"


def ok_files():
    adds = [node("Add", ["x", "w"], ["y"], "add")]
    yield "unordered", one(node("Abs", ["b"], ["y"], "third"), node("Neg", ["a"], ["b"], "second"),
                           node("Relu", ["x"], ["a"], "first"))
    yield "initializer-as-input", model(
        graph(adds, [floats("w", 1.0, 2.0)], inputs=[info("w", [2]), info("x")]), ir=3)
    yield "unnamed", one(node("Relu", ["x"], ["a"]), node("Abs", ["a"], ["y"]))
    yield "symbolic", one(RELU, inputs=[info("x", ["batch", 3, 0])])
    props = blob(9, blob(1, "k") + blob(2, "v"))
    yield "newer-fields", one(node("Relu", ["x"], ["y"], "relu", more=props)) + \
        blob(26, b"later") + num(27, 5)
    typed = [tensor("f32", [2], FLOAT, more=blob(4, struct.pack("<2f", 1.5, -2))),
             tensor("f64", [1], DOUBLE, more=blob(10, struct.pack("<d", 0.25))),
             tensor("i64", [2], INT64, more=blob(7, varint(-3) + varint(4))),
             tensor("i32", [1], INT32, more=blob(5, varint(-7))),
             tensor("i8", [2], INT8, more=blob(5, varint(-128) + varint(127))),
             tensor("u8", [1], UINT8, more=num(5, 255)),
             tensor("f16", [1], FLOAT16, more=blob(5, varint(0x3C00))),
             tensor("u32", [1], UINT32, more=blob(11, varint(0xFFFFFFFF))),
             tensor("u64", [1], UINT64, more=blob(11, varint(1 << 63))),
             tensor("bool", [2], BOOL, bytes([0, 7])),
             tensor("none", [0], FLOAT),
             tensor("text", [1], STRING, more=blob(6, "hi"))]
    yield "typed", model(graph([RELU], typed))
    constants = [node("Constant", [], ["c%d" % i], attrs=[a]) for i, a in enumerate([
        a_float("value_float", 0.5), a_int("value_int", -2),
        attr("value_floats", 6, f32(7, 1.0) + f32(7, 2.0)),
        attr("value_ints", 7, num(8, 3) + num(8, 4)), attr("value", 4, blob(5, floats("", 9.0))),
        attr("value_string", 3, blob(4, "s")), blob(1, "value_float") + f32(2, 8.0)])]
    yield "constants", one(RELU, *constants)
    subgraph = blob(6, graph([node("Relu", ["inner"], ["y"])], inputs=[]))
    yield "attributes", one(node("Op", ["x"], ["y"], "op", [
        a_int("i", -1), a_float("f", 0.5), attr("s", 3, blob(4, "text")),
        attr("ints", 7, blob(8, varint(1) + varint(2))),
        attr("floats", 6, f32(7, 3.0)), attr("t", 4, blob(5, floats("", 1.0))), attr("g", 5, subgraph),
        attr("strings", 8, blob(9, "a"))]))
    yield "fn-pass-through", calls([function("f0", ["a"], ["a"], [])])
    clip = [node("Clip", ["a", "lo"], ["b"], "clip")]
    yield "fn-optional", calls([function("f0", ["a", "lo"], ["b"], clip)],
                               [call("f0", ["x"], ["y"], name="call")])
    clash = [call("f0", ["x"], ["m"], name="call"), node("Relu", ["m"], ["call/a"]),
             call("f0", ["call/a"], ["y"], name="call")]
    body = [node("Relu", ["i"], ["a"]), node("Abs", ["a"], ["o"])]
    yield "fn-name-clash", calls([function("f0", ["i"], ["o"], body)], clash)
    elu = [node("Elu", ["a"], ["b"], "elu", [attr("alpha", 1, b"", "slope")])]
    default = function("f0", ["a"], ["b"], elu, more=blob(11, a_float("slope", 0.25)))
    yield "fn-default", calls([default])
    given = call("f0", ["x"], ["y"], name="call", attrs=[a_float("slope", 2.0)])
    yield "fn-default-given", calls([default], [given])
    yield "fn-argument-left-out", calls([function("f0", ["a"], ["b"], elu, ["slope"])])
    over = [function("f0", ["a"], ["b"], [node("Relu", ["a"], ["b"])], more=blob(13, "one")),
            function("f0", ["a"], ["b"], [node("Abs", ["a"], ["b"])], more=blob(13, "two"))]
    yield "fn-overload", calls(over, [call("f0", ["x"], ["y"], name="call", more=blob(8, "two"))])
    yield "fn-unused", calls([function("f0", ["a"], ["b"], [], sets=[opset(3)])], [RELU])


def main():
    bad, ok = HERE / "onnx-bad", HERE / "onnx-good"
    bad.mkdir(exist_ok=True)
    ok.mkdir(exist_ok=True)
    lines = []
    for name, data, code, text in bad_files():
        (bad / (name + ".onnx")).write_bytes(data)
        lines.append("%s.onnx\t%s\t%s\n" % (name, code, text))
    (bad / "expected.txt").write_text("".join(lines))
    (bad / "four-bytes.bin").write_bytes(struct.pack("<f", 1.0))
    for name, data in ok_files():
        (ok / (name + ".onnx")).write_bytes(data)


if __name__ == "__main__":
    main()
