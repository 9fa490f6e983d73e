"""Graphs that break ONNX's rules. What ONNX Runtime refuses is refused in one line that names node or value, and what it
takes is taken; but for outputs that are declared otherwise than they are (ONNX's checker refuses those), and for
names of nodes, which are made unique."""
import json
import re
import warnings

import numpy as np
import pytest
from onnx import TensorProto, defs, helper, numpy_helper

import test_operators
from built import ROOT, tool
from support import Net, convert, ort, refused, saved
from test_qcfs import qcfs

I64 = np.int64


def network():
    rng, n = np.random.default_rng(1), Net([1, 3, 6, 6], 17)
    y = n.op("Conv", n.x, n.const(rng.normal(size=(4, 3, 3, 3))), n.const(rng.normal(size=4)), pads=[1] * 4, name="conv")
    y = qcfs(n, y, 1.0, 8)
    y = n.op("Concat", y, y, axis=1, name="concat")
    y = n.op("Reshape", y, n.const([1, -1], dtype=I64), name="reshape")
    y = n.op("Gather", y, n.const(np.arange(200), dtype=I64), axis=1, name="gather")
    y = n.op("Gemm", y, n.const(rng.normal(size=(200, 5))), n.const(rng.normal(size=5)), name="gemm")
    return n.model(n.op("Where", n.const([True] * 5, dtype=bool), y, n.const(0.0), name="where"))


def node(m, name):
    return next(n for n in m.graph.node if n.name == name or n.op_type == name)


def constant(m, where, k):
    name = node(m, where).input[k]
    return next(i for i in m.graph.initializer if i.name == name)


def retype(where, k, dtype):
    def change(m):
        tensor = constant(m, where, k)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    return change


def attribute(where, *pairs, clear=True):
    def change(m):
        if clear:
            del node(m, where).attribute[:]
        node(m, where).attribute.extend(helper.make_attribute(*pair) for pair in pairs)
    return change


def output(dtype, shape):
    def change(m):
        m.graph.output[0].CopyFrom(helper.make_tensor_value_info(m.graph.output[0].name, dtype, shape))
    return change


def value_info(dtype, name="conv_out"):
    return lambda m: m.graph.value_info.append(helper.make_tensor_value_info(name, dtype, [1, 4, 6, 6]))


def mixed_sum(m):
    m.graph.initializer.append(numpy_helper.from_array(np.zeros(1, I64), "whole"))
    out, node(m, "conv").output[0] = node(m, "conv").output[0], "inner"
    m.graph.node.insert(1, helper.make_node("Add", ["inner", "whole"], [out], name="mixed"))


def mixed_concat(m):
    m.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1, 6, 6)), "wide"))
    node(m, "concat").input[1] = "wide"


def whole_floor(m):
    floor = node(m, "Floor")
    m.graph.node.insert(list(m.graph.node).index(floor), helper.make_node("Cast", [floor.input[0]], ["whole"], to=6))
    floor.input[0] = "whole"


CASES = {  # what is said of it
    "bias float64": (retype("conv", 2, "f8"), "'conv'.*types"), "weight float64": (retype("conv", 1, "f8"), "'conv'"),
    "shape int32": (retype("reshape", 1, "i4"), "'reshape'.*expected int64"),
    "shape float": (retype("reshape", 1, "f4"), "'reshape'.*expected int64"),
    "indices float": (retype("gather", 1, "f4"), "'gather'.*int64 or int32"),
    "Gemm float64": (retype("gemm", 1, "f8"), "'gemm'.*different types"),
    "Gemm int32": (retype("gemm", 2, "i4"), "'gemm'.*different types"),
    "condition float": (retype("where", 0, "f4"), "'where'.*expected bool"),
    "Where float64": (retype("where", 2, "f8"), "'where'.*different types"),
    "bound float64": (retype("Clip", 1, "f8"), "different types"),
    "sum of float and int": (mixed_sum, "'mixed'.*float32 and int64"),
    "join of float and double": (mixed_concat, "'concat'.*float32 and float64"),
    "floor of int": (whole_floor, "has type int32, expected a float type"),
    "unknown attribute": (attribute("conv", ("foo", 1), clear=False), "'conv'.*'foo' is not one"),
    "attribute of a later opset": (attribute("reshape", ("axis", 1)), "'reshape'.*'axis' is not one"),
    "axis float": (attribute("concat", ("axis", 1.0)), "'axis' is a float, expected an int"),
    "pads floats": (attribute("conv", ("pads", [1.0] * 4)), "'pads' is a list of floats, expected a list of ints"),
    "axis missing": (attribute("concat"), "'concat'.*'axis' is missing"),
    "axis twice": (attribute("concat", ("axis", 1), clear=False), "'axis' is given twice"),
    "output int64": (output(TensorProto.INT64, [1, 5]), "'where_out' is declared as int64, but it is float32"),
    "value int32": (value_info(TensorProto.INT32), "'conv_out' is declared as int32, but it is float32"),
    "node without outputs": (lambda m: m.graph.node.append(helper.make_node("Relu", ["conv_out"], [], name="nothing")),
                             "'nothing'.*makes no output"),
    "more outputs": (lambda m: node(m, "conv").output.append("more"), "'conv'.*output 1"),
    "input from nowhere": (lambda m: node(m, "concat").input.append("nowhere"), "'nowhere', is defined nowhere"),
    "no such output": (lambda m: setattr(m.graph.output[0], "name", "nowhere"), "'nowhere' is made by no node"),
    "input left out": (lambda m: node(m, "gather").input.pop(), "'gather'.*missing"),
    "one input more": (lambda m: node(m, "gather").input.append("conv_out"), "3 inputs, at most 2"),
    "output twice": (lambda m: node(m, "gemm").output.__setitem__(0, "gather_out"), "'gather_out' is defined a second time"),
}


def runs(model):
    """Does ONNX Runtime take it?"""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # of a dozen kinds
        return False
    return True


def test_the_network_itself(tmp_path):
    assert runs(network())
    convert(network(), tmp_path)


@pytest.mark.parametrize("case", list(CASES))
def test_refused_in_one_line(case, tmp_path):
    model, (change, text) = network(), CASES[case]
    change(model)
    assert not runs(model)
    assert re.search(text, refused(model, tmp_path))


def test_outputs_that_are_declared_otherwise(tmp_path):
    for shape, text in (([1, 5, 1], "declared with 3 dimensions, but it has 2"), ([1, 7], "declared as 7, but it is 5")):
        model = network()
        output(TensorProto.FLOAT, shape)(model)
        assert text in refused(model, tmp_path)
    for shape in ([4, 5], ["batch", "classes"]):  # of another batch, of no size: nothing is wrong with it
        model = network()
        output(TensorProto.FLOAT, shape)(model)
        convert(model, tmp_path)


def test_what_is_said_of_nothing_is_nothing(tmp_path):
    model = network()
    value_info(TensorProto.INT32, "nowhere")(model)
    assert runs(model)
    convert(model, tmp_path)


def test_names_of_nodes_are_made_unique(tmp_path):
    model = network()
    for n in model.graph.node:
        n.name = "same" if n.op_type not in ("Floor", "Concat") else "same#3" if n.op_type == "Floor" else ""
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--quiet", "--report", tmp_path / "r.json")
    assert re.search("warning: [0-9]+ nodes have the name of another; the second 'same' is now called 'same#1', and so on",
                     done.stderr)
    report = json.loads((tmp_path / "r.json").read_text())
    names = [row["name"] for row in report["layers"] + report["non_spiking"]]
    assert len(set(names)) == len(names) >= 3 and "same#3#5" in names, names
    model = network()
    assert not tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--quiet").stderr


MORE = [test_operators.op(*args, **more) for args, more in [
    (("Expand", np.array([2, 4, 6, 8])), {}), (("Reshape", np.array([1, 4, 48])), {}), (("Unsqueeze", np.array([0])), {}),
    (("ReduceMean", np.array([1])), {"opset": 18}), (("ReduceSum", np.array([1])), {}),
    (("Slice", np.array([0]), np.array([2]), np.array([1]), np.array([1])), {}), (("Split", np.array([2, 2])), {"axis": 1}),
    (("BatchNormalization", *[np.ones(4, "f4")] * 4), {}), (("LayerNormalization", *[np.ones(8, "f4")] * 2), {}),
    (("Dropout", np.array(0.5, "f4")), {}), (("Pad", np.zeros(8, I64), np.array(0, "f4")), {})]]


@pytest.mark.parametrize("make", test_operators.ANALOG + test_operators.SPIKING + MORE, ids=lambda m: m.__name__)
def test_other_types_of_constants(make, tmp_path):
    """Each constant of an operator in each other type: what ONNX Runtime refuses is refused."""
    model, _ = make()
    names = [name for name in node(model, "the_node").input if any(i.name == name for i in model.graph.initializer)]
    for k, name in enumerate(names):
        tensor = next(i for i in model.graph.initializer if i.name == name)
        values = numpy_helper.to_array(tensor)
        for dtype in ("f8", "i4", "i8", "f4"):
            if values.dtype == dtype or (values.dtype == I64 and dtype == "i4" and "Pad" in make.__name__ and k == 2):
                continue  # ONNX allows axes of Pad in int32, ONNX Runtime does not
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what does not fit
                tensor.CopyFrom(numpy_helper.from_array(values.astype(dtype), name))
            if not runs(model):
                done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--quiet", "--allow-analog",
                            code=None)
                assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, "%s as %s" % (name, dtype)
        tensor.CopyFrom(numpy_helper.from_array(values, name))


def table(macro):
    text = (ROOT / "converter" / "onnx_schema.def").read_text()
    return re.findall(r'^%s\((.*)\)$' % macro, text, re.M)


def known():
    rows = {"onnx_ops.def": r"^MST_ONNX_OP\((\w+)", "onnx_expand.def": r'^MST_ONNX_EXPAND\("", (\w+)'}
    return {name for file, row in rows.items()
            for name in re.findall(row, (ROOT / "converter" / file).read_text(), re.M)}


FLOATS = {"tensor(float)", "tensor(double)", "tensor(float16)", "tensor(bfloat16)"}
KINDS = ("INT", "FLOAT", "STRING", "INTS", "FLOATS", "STRINGS", "TENSOR")


def letters(schema):
    groups, out = {}, []
    for i in schema.inputs:
        group = groups.setdefault(i.name if "tensor" in i.type_str else i.type_str, "ABCDEFGH"[len(groups)])
        types = set(i.types)
        kind = ("i" if types == {"tensor(int64)"} else "x" if types == {"tensor(int64)", "tensor(int32)"} else
                "b" if types == {"tensor(bool)"} else "s" if types == {"tensor(float)"} else "f" if types <= FLOATS else "*")
        out.append(group + kind + ("+" if i.option == defs.OpSchema.FormalParameterOption.Variadic else ""))
    return ",".join(out)


def test_the_table_is_that_of_onnx():
    """Of each operator, at each opset."""
    types = [re.match(r'(\w+), "(.*)", (\d+), (\d+)', row).groups() for row in table("MST_ONNX_TYPES")]
    attrs = [re.match(r'(\w+), "(.*)", (\w+), (\d+), (\d+), (\w+)', row).groups() for row in table("MST_ONNX_ATTR")]
    assert [t[0] for t in types] == sorted(t[0] for t in types) and [a[0] for a in attrs] == sorted(a[0] for a in attrs)
    own = {"SimplifiedLayerNormalization"}  # ONNX Runtime writes it in ONNX's domain
    for opset in range(9, 29):
        expected_types, expected_attrs = set(), set()
        for name in sorted(known() - own):
            try:
                schema = defs.get_schema(name, opset, "")
            except defs.SchemaError:
                continue  # of another opset
            if schema.inputs:
                expected_types.add((name, letters(schema)))
            expected_attrs |= {(name, a.name, a.type.name if a.type.name in KINDS else "OTHER", a.required)
                               for a in schema.attributes.values()}
        found = {(t[0], t[1]) for t in types if int(t[2]) <= opset <= int(t[3]) and t[0] not in own}
        assert found == expected_types, (opset, found ^ expected_types)
        found = {(a[0], a[1], a[2], a[5] == "true") for a in attrs if int(a[3]) <= opset <= int(a[4]) and a[0] not in own}
        assert found == expected_attrs, (opset, found ^ expected_attrs)
