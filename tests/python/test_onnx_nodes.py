"""ONNX's own node tests against constant folding and against the graph that runs.

Fold: every input becomes an initializer, onnxfold folds the model, and its
constants must be the expected outputs. Run: the data inputs stay one graph
input, onnxrun imports the model and runs it in float mode.

The cases come with the PyPI package onnx: as files (up to 1.16) or made on the spot (later ones).
"""
import functools
import pathlib
import re
import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from built import BUILD, ROOT, listed  # noqa: E402

TOOLS = BUILD / "tests" / "tools"
DATA = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"

OPS = [row[:3] for row in listed("mstconv", "ops") if "." not in row[0] and (row[2] != "no" or row[5] == "-")]  # others: test_operators.py
# Operators that folding evaluates; each must have a node test that passes. onnx has none of Scatter, which
# ScatterElements replaced, and of what only ONNX Runtime knows.
WITHOUT = ["Scatter", "SimplifiedLayerNormalization"]
FOLDED = [name for name, folded, _ in OPS if folded == "yes" and name not in WITHOUT]
# Operators that live nodes may be; each must have a node test that runs, but for those that run only as
# part of an activation or a mask (test_qcfs.py, test_masks.py).
IN_PATTERNS = """Floor Round Bernoulli Cast CastLike Greater GreaterOrEqual Less LessOrEqual RandomUniform
    RandomUniformLike""".split()
RUN = [name for name, _, runs in OPS if runs != "no" and name not in IN_PATTERNS + WITHOUT]
# Inputs that stay live in a run, where it is not input 0 alone.
LIVE = {"MatMul": [(0,), (0, 1)], "Add": [(0,), (1,), (0, 1)], "Mul": [(0,), (1,), (0, 1)],
        "Sub": [(0,), (1,), (0, 1)], "Div": [(0,), (1,)], "Concat": [(0,), (0, 1)], "Gemm": [(0,)],
        "Max": [(0,), (0, 1)], "Min": [(0,), (0, 1)], "Where": [(1,), (2,), (1, 2)],
        "Attention": [(0, 1, 2), (0,)], "Einsum": [(0,), (1,), (0, 1)],
        **{op: [(0,), (1,), (0, 1)] for op in ("And", "Or", "Xor", "Equal")}, "Mean": [(0, 1, 2), (0,)],
        "ScatterND": [(0,), (2,), (0, 2)], "ScatterElements": [(0,), (2,), (0, 2)]}
# Types of live inputs and outputs beside floats.
NO_FLOATS = {"QuantizeLinear": (TensorProto.UINT8, TensorProto.INT8), "DequantizeLinear": (TensorProto.UINT8, TensorProto.INT8),
             "Trilu": (TensorProto.INT64,), "Equal": (TensorProto.BOOL, TensorProto.INT32),
             **{op: (TensorProto.BOOL,) for op in ("And", "Or", "Xor", "Not")}}
NUMPY = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.BOOL,
         TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8,
         TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
# Valid models that folding refuses (a regular expression of the name), and what its message must say.
REFUSED = [
    ("scatter(nd|_elements)_.*max", "reduction 'max'"),
    ("scatter(nd|_elements)_.*min", "reduction 'min'"),
    ("scatter(nd|_elements)_.*mul", "reduction 'mul'"),
    ("training_dropout(_default)?_mask", "the mask"),
    ("attention(?!.*(expanded|window_default)).*(past|qk_matmul|window|nonpad|padded_kv)", "not supported"),
    ("attention(?!.*expanded).*(fullymasked|nan_robustness)", "forbids everything"),
    ("einsum_batch_diagonal", "a letter twice"),
    ("quantizelinear_blocked", "scales by blocks"),
]
# As ONNX Runtime computes it, corners are aligned by the size in whole pixels, not by scale * size.
DIFFERS = "test_resize_downsample_scales_(cubic|linear)_align_corners"
# Random: folding leaves them in the graph.
KEPT = {"test_training_dropout": ["Dropout"], "test_training_dropout_default": ["Dropout"]}
# bfloat16: the data of the node tests are truncated, folding rounds
TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-5, "float64": 1e-7,
             "four digits": 1e-3}
FOUR_DIGITS = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}  # so its expected values are written
# Valid models that importing refuses (a regular expression of the name), and what its message must say.
RUN_REFUSED = [
    ("batchnorm_.*training", "training mode"),
    ("slice_start_out_of_bounds", "dimension 1 is 0"),
    ("where_example", "between live values"),
    ("attention(?!.*(expanded|window_default)).*(past|qk_matmul|window|nonpad|padded_kv)", "not supported"),
    ("attention(?!.*expanded).*(fullymasked|nan_robustness)", "forbids everything"),
    ("einsum_batch_diagonal", "a letter twice"),
    ("scatter(nd|_elements)_.*(add|max|min|mul|duplicate)", "a reduction of live values"),
    ("quantizelinear_blocked", "scales by blocks"),
    ("quantizelinear_axis", "zero point differs from channel to channel"),
]


def opset_of(model):
    """Models below 9 hold operators that did not change until then."""
    return max([9] + [o.version for o in model.opset_import if o.domain == ""])


def read_files():
    """name -> (model, [(inputs, outputs), ...]) of the files in the package, as TensorProtos."""
    cases = {}
    for folder in sorted(DATA.iterdir()):
        model, sets = onnx.load(str(folder / "model.onnx")), []
        infos = [*model.graph.input, *model.graph.output]
        if any(v.type.WhichOneof("value") != "tensor_type" for v in infos):
            continue
        for data in sorted(folder.glob("test_data_set_*")):
            sets.append([[onnx.load_tensor(str(data / ("%s_%d.pb" % (kind, i)))) for i in range(len(values))]
                         for kind, values in (("input", model.graph.input), ("output", model.graph.output))])
        cases[folder.name] = (model, sets)
    return cases


def make_cases():
    """The same from the generators in the package. Sequences and optionals are left out."""
    from onnx.backend.test.case.node import collect_testcases  # imports hundreds of files
    cases = {}
    for case in collect_testcases(None):
        infos = [*case.model.graph.input, *case.model.graph.output]
        if any(v.type.WhichOneof("value") != "tensor_type" for v in infos):
            continue
        cases[case.name] = (case.model, [
            [[v if isinstance(v, TensorProto) else numpy_helper.from_array(np.asarray(v)) for v in values]
             for values in data] for data in case.data_sets])
    return cases


@functools.lru_cache(maxsize=None)
def all_cases():
    return read_files() if DATA.is_dir() else make_cases()


def operators(name):
    return {n.op_type for n in all_cases()[name][0].graph.node}


def refusal(name, table):
    """What the message must say where the case is refused; None where it is not."""
    return next((text for pattern, text in table if re.search(pattern, name)), None)


def reason_to_leave(model):
    """Why this case is outside of what the converter reads; None if it is inside."""
    values = [*model.graph.input, *model.graph.output]
    if any(o.domain != "" for o in model.opset_import) or not model.opset_import:
        return "another operator domain"
    if any(v.type.tensor_type.elem_type not in NUMPY for v in values):
        return "type not supported (string, complex, float8, 4 bits)"
    if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.SPARSE_TENSOR)
           for n in model.graph.node for a in n.attribute):
        return "a subgraph or sparse tensor"
    return None


def collect(wanted):
    return [(name, reason_to_leave(case[0])) for name, case in sorted(all_cases().items())
            if operators(name) <= set(wanted) and not re.fullmatch(DIFFERS, name)]


def load(name):
    """A copy of the model and, per data set, of its input and expected tensors."""
    original, sets = all_cases()[name]
    model, copies = onnx.ModelProto(), []
    model.CopyFrom(original)
    opset = opset_of(model)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = 8
    for values in sets:
        copies.append([[], []])
        for infos, tensors, out in zip((model.graph.input, model.graph.output), values, copies[-1]):
            for info, tensor in zip(infos, tensors):
                out.append(TensorProto())
                out[-1].CopyFrom(tensor)
                if info.type.tensor_type.elem_type == TensorProto.BFLOAT16:
                    out[-1].data_type = TensorProto.BFLOAT16  # the files call them uint16
    return model, copies


def to_array(tensor):
    if tensor.data_type != TensorProto.BFLOAT16:
        return numpy_helper.to_array(tensor)
    bits = np.frombuffer(tensor.raw_data, "<u2") if tensor.raw_data else np.array(tensor.int32_data, "u2")
    return bits.astype("u4").__lshift__(16).view("f4").reshape(tuple(tensor.dims))


def close(got, expected, kind, what):
    assert got.shape == expected.shape, "%s: shape %s, expected %s" % (what, got.shape, expected.shape)
    if kind in TOLERANCE:
        np.testing.assert_allclose(got.astype("f8"), expected.astype("f8"), rtol=TOLERANCE[kind],
                                   atol=TOLERANCE[kind] / 10, err_msg=what)
    else:
        np.testing.assert_array_equal(got, expected, err_msg=what)


def fold(model, folder):
    """(return code, error text, outputs as (type, array or None), live operators)."""
    path = folder / "model.onnx"
    onnx.save(model, str(path))
    done = subprocess.run([str(TOOLS / "onnxfold"), str(path), str(folder)], capture_output=True, text=True,
                          timeout=120, check=False)
    outputs, live = [], []
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "live":
            live.append(words[1])
            continue
        dims = tuple(int(d) for d in words[3].strip("[]").split(",") if d)
        kind, value = words[2], None
        if words[4] == "constant":
            raw = np.fromfile(folder / words[1], {"bfloat16": "<u2"}.get(kind, kind))
            if kind == "bfloat16":
                raw = (raw.astype("u4") << 16).view("f4")
            value = raw.reshape(dims)
        outputs.append((kind, value))
    return done.returncode, done.stderr, outputs, live


def as_initializers(model, tensors):
    """Inputs of the graph become constants."""
    for info, tensor in zip(model.graph.input, tensors):
        tensor.name = info.name
        model.graph.initializer.append(tensor)
    del model.graph.input[:]
    return model


FOLD_CASES = collect(FOLDED)
RUN_CASES = [(name, why, live) for name, why in collect(RUN)
             for live in LIVE.get(all_cases()[name][0].graph.node[0].op_type, [(0,)])]


def test_every_folded_operator_has_a_case():
    seen = set()
    for name, why in FOLD_CASES:
        if why is None and refusal(name, REFUSED) is None and name not in KEPT:
            seen |= operators(name)
    assert set(FOLDED) - seen == set()


@pytest.mark.parametrize("name,why", FOLD_CASES, ids=[c[0] for c in FOLD_CASES])
def test_fold(name, why, tmp_path):
    if why is not None:
        pytest.skip(why)
    model, sets = load(name)
    for inputs, expected in sets:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        code, text, outputs, live = fold(as_initializers(copy, inputs), tmp_path)
        if refusal(name, REFUSED) is not None:
            assert code == 1 and "not supported" in text and refusal(name, REFUSED) in text
            continue
        assert code == 0, text
        assert live == KEPT.get(name, [])
        for (kind, value), tensor, info in zip(outputs, expected, model.graph.output):
            if name in KEPT:
                continue
            wanted = helper.tensor_dtype_to_np_dtype(tensor.data_type).name
            assert kind == ("bfloat16" if tensor.data_type == TensorProto.BFLOAT16 else wanted)
            close(value, to_array(tensor), kind, "%s, output %s" % (name, info.name))


# ---- forms that operators had in older opsets ----

X = np.arange(24, dtype="f4").reshape(2, 3, 4) - 7.25
SOFT = np.exp(X.reshape(2, 12) - X.reshape(2, 12).max(1, keepdims=True))
OLD = [
    # opset, operator, attributes, inputs, expected outputs
    (11, "Squeeze", {"axes": [0, -1]}, [X.reshape(1, 24, 1)], [X.reshape(24)]),
    (11, "Unsqueeze", {"axes": [0, -1]}, [X], [X.reshape(1, 2, 3, 4, 1)]),
    (11, "ReduceSum", {"axes": [1], "keepdims": 0}, [X], [X.sum(1)]),
    (13, "ReduceSum", {"noop_with_empty_axes": 1}, [X], [X]),
    (13, "ReduceMean", {"axes": [-1]}, [X], [X.mean(-1, keepdims=True)]),
    (17, "ReduceMax", {"axes": [0, 2]}, [X], [X.max((0, 2), keepdims=True)]),
    (18, "ReduceMax", {"keepdims": 0}, [X, np.array([0, 2])], [X.max((0, 2))]),
    (11, "Split", {"axis": 1, "split": [1, 2]}, [X], [X[:, :1], X[:, 1:]]),
    (11, "Split", {"axis": -1}, [X], [X[..., :2], X[..., 2:]]),
    (18, "Split", {"axis": 2, "num_outputs": 3}, [X[..., :3]], [X[..., :1], X[..., 1:2], X[..., 2:3]]),
    (9, "Slice", {"starts": [0, -3], "ends": [1, 2147483647], "axes": [0, 2]}, [X], [X[:1, :, -3:]]),
    (10, "Slice", {}, [X, np.array([-1]), np.array([-9]), np.array([2]), np.array([-2])], [X[..., ::-2]]),
    (9, "Clip", {"min": -1.5, "max": 3.0}, [X], [X.clip(-1.5, 3)]),
    (9, "Clip", {"max": 3.0}, [X], [X.clip(None, 3)]),
    (9, "Pad", {"pads": [0, 1, 0, 0, 0, -2], "value": 2.5}, [X],
     [np.pad(X, ((0, 0), (1, 0), (0, 0)), constant_values=2.5)[..., :-2]]),
    (9, "Dropout", {"ratio": 0.3}, [X], [X]),
    (12, "Dropout", {}, [X, np.array(0.3, "f4"), np.array(False)], [X, np.ones(X.shape, "?")]),
    (11, "Softmax", {}, [X], [(SOFT / SOFT.sum(1, keepdims=True)).reshape(X.shape)]),
    (12, "Softmax", {"axis": 2}, [X], [np.exp(X) / np.exp(X).sum(2, keepdims=True)]),
    (9, "Scatter", {"axis": 0}, [np.zeros((3, 2), "f4"), np.array([[2, 0]]), np.array([[5, 6]], "f4")],
     [np.array([[0, 6], [0, 0], [5, 0]], "f4")]),
    (9, "Flatten", {"axis": 2}, [X], [X.reshape(6, 4)]),
    (14, "Reshape", {"allowzero": 1}, [X[:0], np.array([3, 0])], [np.zeros((3, 0), "f4")]),
    (9, "Gemm", {"transB": 1, "beta": 0.5}, [X[0], X[1], np.ones(3, "f4")], [X[0] @ X[1].T + 0.5]),
]


@pytest.mark.parametrize("opset,op,attributes,inputs,expected", OLD,
                         ids=["%s-%d-%d" % (c[1], c[0], i) for i, c in enumerate(OLD)])
def test_older_forms(opset, op, attributes, inputs, expected, tmp_path):
    outputs = ["y%d" % i for i in range(len(expected))]
    node = helper.make_node(op, ["x%d" % i for i in range(len(inputs))], outputs, **attributes)
    kinds = [helper.np_dtype_to_tensor_dtype(e.dtype) for e in expected]
    graph = helper.make_graph(
        [node], "g", [], [helper.make_tensor_value_info(n, k, None) for n, k in zip(outputs, kinds)],
        [numpy_helper.from_array(np.ascontiguousarray(x), "x%d" % i) for i, x in enumerate(inputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    code, text, got, live = fold(model, tmp_path)
    assert (code, live) == (0, []), text
    for (kind, value), e in zip(got, expected):
        close(value, e, kind, op)


# ---- whole models ----

FIXTURES = ROOT / "tests" / "fixtures" / "onnx"


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "swin", "swin_pub"])
def test_symbolic_batch_folds_to_the_fixed_one(name, tmp_path):
    """The export with a dynamic batch leaves the same live nodes as the one with batch 1, and no shapes."""
    live = {}
    for way in ("ts", "tsdyn"):
        model = onnx.load(str(FIXTURES / ("%s-%s.onnx" % (name, way))))
        code, text, outputs, live[way] = fold(model, tmp_path)
        assert code == 0, text
        assert outputs == [("float32", None)]
    assert sorted(live["ts"]) == sorted(live["tsdyn"])
    assert not {"Shape", "Size", "Unsqueeze", "ConstantOfShape", "Cast", "Range"} & set(live["tsdyn"])


# ---- live nodes: import and run ----

RAN = {}


def one_input(model, tensors, live):
    """One float graph input [1,1,1,n], cut into the live inputs; one output [1,m]. None: not possible."""
    infos = list(model.graph.input)
    reals = (TensorProto.FLOAT, TensorProto.DOUBLE)
    for node in model.graph.node:
        reals += NO_FLOATS.get(node.op_type, ())
    if any(k >= len(infos) or tensors[k].data_type not in reals for k in live):
        return None
    outputs = [o for o in model.graph.output if o.type.tensor_type.elem_type in reals]
    values = [numpy_helper.to_array(tensors[k]) for k in live]
    if len(outputs) != len(model.graph.output) or any(v.size == 0 for v in values):
        return None
    nodes, constants, at = [], [], 0
    for k, value in zip(live, values):
        source = "mst_x"
        if len(live) > 1:
            cut = [np.array([at]), np.array([at + value.size]), np.array([3])]
            names = ["mst_cut%d_%d" % (k, i) for i in range(3)]
            constants += [numpy_helper.from_array(c, n) for c, n in zip(cut, names)]
            nodes.append(helper.make_node("Slice", [source] + names, ["mst_part%d" % k]))
            source = "mst_part%d" % k
        constants.append(numpy_helper.from_array(np.array(value.shape, "i8"), "mst_shape%d" % k))
        nodes.append(helper.make_node("Reshape", [source, "mst_shape%d" % k], ["mst_float%d" % k]))
        nodes.append(helper.make_node("Cast", ["mst_float%d" % k], [infos[k].name], to=tensors[k].data_type))
        at += value.size
    for k, (info, tensor) in enumerate(zip(infos, tensors)):
        if k not in live:
            tensor.name = info.name
            constants.append(tensor)
    constants.append(numpy_helper.from_array(np.array([1, -1]), "mst_flat"))
    old = list(model.graph.node)
    nodes += old + [helper.make_node("Cast", [outputs[0].name], ["mst_float"], to=TensorProto.FLOAT),
                    helper.make_node("Reshape", ["mst_float", "mst_flat"], ["mst_row"]),
                    helper.make_node("Neg", ["mst_row"], ["mst_y"])]  # behind which no softmax is cut
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("mst_x", TensorProto.FLOAT, [1, 1, 1, at])],
        [helper.make_tensor_value_info("mst_y", TensorProto.FLOAT, None)],
        list(model.graph.initializer) + constants)
    opset = max(opset_of(model), 10 if len(live) > 1 else 9)
    wrapped = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return wrapped, np.concatenate([v.ravel() for v in values])


def run(model, x, folder):
    onnx.save(model, str(folder / "run.onnx"))
    x.astype("<f4").tofile(folder / "x")
    command = [str(TOOLS / "onnxrun")] + [str(folder / f) for f in ("run.onnx", "x", "y")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr, -np.fromfile(folder / "y", "<f4") if done.returncode == 0 else None


@pytest.mark.parametrize("name,why,live", RUN_CASES,
                         ids=["%s-%s" % (c[0], "".join(map(str, c[2]))) for c in RUN_CASES])
def test_run(name, why, live, tmp_path):
    RAN.setdefault(name, False)
    if why is not None or name in KEPT:
        pytest.skip(why or "random")
    model, sets = load(name)
    for inputs, expected in sets:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        made = one_input(copy, inputs, live)
        if made is None:
            pytest.skip("not a model of float32 inputs and outputs")
        code, text, y = run(*made, tmp_path)
        refused = refusal(name, RUN_REFUSED)
        if code == 1 and refused is not None and "not supported" in text and refused in text:
            pytest.skip(text.strip().split("run.onnx: ")[-1])
        assert code == 0, text
        close(y, to_array(expected[0]).ravel(), "four digits" if name in FOUR_DIGITS else "float32", name)
    RAN[name] = True


def test_every_live_operator_ran():
    """At least one node test of each operator in RUN was executed, not skipped."""
    if len(RAN) < len({c[0] for c in RUN_CASES}):
        pytest.skip("only a part of the cases was selected")
    seen = set()
    for name, ok in RAN.items():
        if ok:
            seen |= operators(name)
    assert set(RUN) - seen == set()
