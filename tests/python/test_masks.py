"""Random Spike Masking: masks that are in the model, Dropout, policies, sites."""
import numpy as np
import pytest
from onnx import TensorProto

from support import FIXTURES, ROOT, Net, convert, error, float_run, refused, runtime, runtime_session, saved, tool
from test_qcfs import qcfs

POLICIES = ROOT / "examples" / "policies"
SHAPE = [1, 4, 6]


def start(opset=13, shape=SHAPE):
    n = Net(shape, opset)
    return n, qcfs(n, n.x, 2.0, 8)


def finish(n, y, width=6):
    return n.model(n.op("MatMul", y, n.const(np.random.default_rng(0).normal(size=(width, 3)))))


def survival(n, y, how, keep, flip=False):
    """Booleans or floats that are 1 with probability keep."""
    if how == "bernoulli":
        return n.op("Bernoulli", n.const(np.full(SHAPE, keep)))
    if how == "bernoulli_bool":
        return n.op("Bernoulli", n.const(np.full(SHAPE, keep)), dtype=TensorProto.BOOL)
    kind, _, compare = how.partition(":")
    if kind == "like":
        u = n.op("RandomUniformLike", y)
    elif kind == "range":
        u = n.op("RandomUniformLike", y, low=-1.0, high=3.0)
    else:
        u = n.op("RandomUniform", shape=SHAPE)
    scale = (lambda p: 4 * p - 1) if kind == "range" else (lambda p: p)
    below = compare.startswith("Less")
    bound = n.const(scale(keep if below != flip else 1 - keep))
    bits = n.op(compare, bound, u) if flip else n.op(compare, u, bound)
    return bits


HOWS = ["%s:%s" % (k, c) for k in ("like", "shape", "range") for c in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual")]


def check(model, folder, ratio, x_seed=1):
    report, graph = convert(model, folder)
    row, = report["layers"]
    assert report["masks"] == 1 and report["non_spiking_nodes"] == 0
    assert abs(row["ratio"] - ratio) < 1e-6 and abs(row["trained"] - ratio) < 1e-6
    mask, = [node for node in graph.nodes if node.op == "mask"]
    neuron, = [node for node in graph.nodes if node.op == "neuron"]
    assert mask.inputs == [neuron.out]
    return graph


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("apply", ["mul", "mul_flipped", "not", "where", "where_not"])
def test_uniform_compared(how, flip, apply, tmp_path):
    n, y = start(17)
    keep = 0.25
    inverted = apply in ("not", "where_not")
    m = survival(n, y, how, 1 - keep if inverted else keep, flip)
    if apply == "not":
        m = n.op("Not", m)
    if apply.startswith("where"):
        y = n.op("Where", m, n.const(0.0), y) if inverted else n.op("Where", m, y, n.const(0.0))
    else:
        m = n.op("Cast", m, to=TensorProto.FLOAT)
        y = n.op("Mul", m, y) if apply == "mul_flipped" else n.op("Mul", y, m)
    check(finish(n, y), tmp_path, 0.75)


@pytest.mark.parametrize("how", ["bernoulli", "bernoulli_bool"])
def test_bernoulli(how, tmp_path):
    n, y = start(17)
    m = survival(n, y, how, 0.4)
    if how == "bernoulli_bool":
        m = n.op("Cast", m, to=TensorProto.FLOAT)
    check(finish(n, n.op("Mul", y, m)), tmp_path, 0.6)


def test_bernoulli_of_a_shape_of_the_input(tmp_path):
    """torch.bernoulli(torch.full_like(x, p)) with a dynamic batch."""
    n = Net(["batch", 4, 6], 17)
    y = qcfs(n, n.x, 2.0, 8)
    p = n.op("Expand", n.const(0.4), n.op("Shape", y))
    check(finish(n, n.op("Mul", y, n.op("Bernoulli", p))), tmp_path, 0.6)


@pytest.mark.parametrize("moves", ["reshape", "transpose", "both"])
def test_mask_behind_movement(moves, tmp_path):
    """q is split into heads before it is masked: the mask moves to its neuron."""
    n, y = start()
    if moves != "transpose":
        y = n.op("Reshape", y, n.const([1, 4, 2, 3], dtype=np.int64))
    if moves == "both":
        y = n.op("Transpose", y, perm=[0, 2, 1, 3])
    if moves == "transpose":
        y = n.op("Transpose", y, perm=[0, 2, 1])
    m = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(0.5)), to=TensorProto.FLOAT)
    model = finish(n, n.op("Mul", y, m), 4 if moves == "transpose" else 3)
    check(model, tmp_path, 0.5)


def test_mask_with_a_rescale_keeps_it(tmp_path):
    n, y = start()
    m = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(0.5)), to=TensorProto.FLOAT)
    y = n.op("Div", n.op("Mul", y, m), n.const(0.5))
    model = finish(n, y)
    check(model, tmp_path, 0.5)
    plain, z = start()
    x = np.full(SHAPE, 0.9, np.float32)
    assert error(float_run(model, tmp_path, x), runtime(finish(plain, z), x)) < 1e-5


def test_ratio_zero_and_one(tmp_path):
    for keep, ok in ((1.0, True), (0.0, False)):
        n, y = start(17)
        m = survival(n, y, "like:Less", keep)
        model = finish(n, n.op("Where", m, y, n.const(0.0)))
        if ok:
            check(model, tmp_path, 0.0)
        else:
            assert "keeps nothing" in refused(model, tmp_path)


# ---- Dropout ----

@pytest.mark.parametrize("opset", [9, 10, 12, 13, 21])
def test_dropout_in_inference_is_the_identity(opset, tmp_path):
    n, y = start(max(opset, 9))
    if opset < 12:
        y = n.op("Dropout", y, ratio=0.5)
    else:
        y = n.op("Dropout", y, n.const(0.5), n.const(False, dtype=bool))
    model = finish(n, y)
    report, _ = convert(model, tmp_path)
    assert report["masks"] == 0
    x = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 1e-5


def test_dropout_in_training_mode_is_a_mask(tmp_path):
    """Active at inference: it drops and rescales."""
    n, y = start()
    model = finish(n, n.op("Dropout", y, n.const(0.25), n.const(True, dtype=bool)))
    check(model, tmp_path, 0.25)
    plain, z = start()
    x = np.full(SHAPE, 0.9, np.float32)
    assert error(float_run(model, tmp_path, x), runtime(finish(plain, z), x)) < 1e-5


def test_dropout_in_training_mode_is_warned_of(tmp_path):
    """Of a mask whose survivors are scaled up, in whatever form; not of one in inference mode, nor of the paper's masks."""
    n, y = start()
    left_on = finish(n, n.op("Dropout", y, n.const(0.25), n.const(True, dtype=bool), name="left_on"))
    n, y = start()
    keep = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(0.25)), to=TensorProto.FLOAT)
    by_hand = finish(n, n.op("Div", n.op("Mul", y, keep), n.const(0.75)))
    n, y = start()
    off = finish(n, n.op("Dropout", y, n.const(0.25), n.const(False, dtype=bool)))
    n, y = start()
    keep = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", y), n.const(0.25)), to=TensorProto.FLOAT)
    paper = finish(n, n.op("Mul", y, keep))
    for model, warned in ((left_on, True), (by_hand, True), (off, False), (paper, False)):
        done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--quiet")
        assert ("dropout in training mode" in done.stderr and "model.eval()" in done.stderr) == warned, done.stderr
        assert warned or not done.stderr
        if model is left_on:
            assert "node 'left_on'" in done.stderr


# ---- masks that are scaled and moved on their own way ----

def keep_bits(n, y, keep, **shape):
    drawn = n.op("RandomUniform", **shape) if shape else n.op("RandomUniformLike", y)
    return n.op("Cast", n.op("Less", drawn, n.const(keep)), to=TensorProto.FLOAT)


def times(n, a, b):
    return n.op("Mul", a, b if isinstance(b, str) else n.const(b))


def cut(n, y, at, axis):
    size = SHAPE[axis]
    return n.op("Split", y, n.const([at, size - at], dtype=np.int64), outputs=2, axis=axis)


def rolled(n, y):
    """As torch.roll is exported, over two axes, and as a Gather."""
    for axis in (1, 2):
        a, b = cut(n, y, 2, axis)
        y = n.op("Concat", b, a, axis=axis)
    return n.op("Gather", y, n.const([2, 0, 3, 1], dtype=np.int64), axis=1)


def interleaved(n, y):
    parts = [n.op("Slice", y, *(n.const([k], dtype=np.int64) for k in (start, 6, 2, 3))) for start in (1, 0, 2)]
    return n.op("Concat", *parts, axis=2)


def of_layout(n, y, shape, back):
    return times(n, y, back(keep_bits(n, y, .6, shape=shape)))


WAYS = {  # what becomes of the neuron's output y; the ratio, and the factor of what survives
    "mask * .5": (lambda n, y: times(n, y, times(n, keep_bits(n, y, .6), .5)), .4, .5),
    "mask / keep": (lambda n, y: times(n, n.op("Div", keep_bits(n, y, .6), n.const(.6)), y), .4, 1 / .6),
    "-mask": (lambda n, y: times(n, y, n.op("Neg", keep_bits(n, y, .6))), .4, -1),
    "1 - mask": (lambda n, y: times(n, y, n.op("Sub", n.const(1.0), keep_bits(n, y, .4))), .4, 1),
    "Where of numbers": (lambda n, y: times(n, y, n.op("Where", n.op("Less", n.op("RandomUniformLike", y), n.const(.4)),
                                                       n.const(0.0), n.const(2.0))), .4, 2),
    "floor(keep + rand)": (lambda n, y: times(n, y, n.op("Floor", n.op("Add", n.op("RandomUniformLike", y), n.const(.6)))),
                           .4, 1),
    "compared again": (lambda n, y: n.op("Where", n.op("Greater", keep_bits(n, y, .6), n.const(.5)), y, n.const(0.0)), .4, 1),
    "scaled before it is compared": (lambda n, y: times(n, y, n.op("Cast", n.op("Greater", n.op("Sub", times(
        n, n.op("RandomUniformLike", y), -2.0), n.const(1.0)), n.const(-2.2)), to=1)), .4, 1),
    "transposed": (lambda n, y: of_layout(n, y, [1, 6, 4], lambda m: n.op("Transpose", m, perm=[0, 2, 1])), .4, 1),
    "reshaped": (lambda n, y: of_layout(n, y, [24], lambda m: n.op("Reshape", m, n.const(SHAPE, dtype=np.int64))), .4, 1),
    "unsqueezed, scaled": (lambda n, y: of_layout(
        n, y, [4, 6], lambda m: times(n, n.op("Unsqueeze", m, n.const([0], dtype=np.int64)), 3.0)), .4, 3),
    "a part of a larger draw": (lambda n, y: of_layout(n, y, [1, 4, 9], lambda m: n.op(
        "Slice", m, *(n.const([k], dtype=np.int64) for k in (2, 8, 2)))), .4, 1),
    "mask of one more dimension": (lambda n, y: n.op("Squeeze", of_layout(n, y, [1, 1, 4, 6], lambda m: m),
                                                     n.const([0], dtype=np.int64)), .4, 1),
    "two masks": (lambda n, y: times(n, times(n, y, keep_bits(n, y, .6)), keep_bits(n, y, .5)), .7, 1),
    "two masks, a scale between": (lambda n, y: times(n, times(n, times(n, y, keep_bits(n, y, .6)), -2.0),
                                                      keep_bits(n, y, .5)), .7, -2),
    "behind Split and Concat": (lambda n, y: times(n, n.op("Concat", *cut(n, y, 2, 2), axis=2), keep_bits(n, y, .6)),
                                .4, 1),
    "behind Split and Concat elsewhere": (lambda n, y: n.op("Reshape", n.op("Mul", *(lambda z: (z, keep_bits(n, z, .6)))(
        n.op("Concat", *cut(n, y, 2, 1), axis=2))), n.const(SHAPE, dtype=np.int64)), .4, 1),
    "behind rolls": (lambda n, y: (lambda z: times(n, z, keep_bits(n, z, .6)))(rolled(n, y)), .4, 1),
    "behind parts with steps": (lambda n, y: (lambda z: times(n, z, keep_bits(n, z, .6)))(interleaved(n, y)), .4, 1),
}


def mean_of_runs(model, x, runs=4000):
    """ONNX Runtime draws anew in each run: mean and standard error."""
    session = runtime_session(model)
    found = np.stack([session.run(None, {"x": x})[0].ravel() for _ in range(runs)]).astype("f8")
    return found.mean(0), found.std(0) / runs ** .5


@pytest.mark.parametrize("way", list(WAYS))
def test_mask_on_its_own_way(way, tmp_path):
    """The mask of a neuron, with the ratio and the mean that ONNX Runtime's draws have."""
    write, ratio, factor = WAYS[way]
    n, y = start(17)
    model = finish(n, write(n, y))
    check(model, tmp_path, ratio)
    x = np.random.default_rng(2).uniform(.2, 2, SHAPE).astype(np.float32)
    mean, deviation = mean_of_runs(model, x)
    got = float_run(model, tmp_path, x)
    assert np.all(np.abs(got - mean) < 5 * deviation), (got, mean, deviation)
    assert 5 * np.max(deviation) < .25 * np.max(np.abs(mean))  # it could fail


@pytest.mark.parametrize("way,warned", [("mask / keep", True), ("mask * .5", False), ("two masks", False)])
def test_scale_of_a_mask_is_dropouts(way, warned, tmp_path):
    n, y = start(17)
    done = tool("mstconv", saved(finish(n, WAYS[way][0](n, y)), tmp_path), "-o", tmp_path / "m.bin", "--quiet")
    assert ("dropout in training mode" in done.stderr) == warned, done.stderr


def test_masks_of_several_readers(tmp_path):
    """Each reader of a neuron with a mask of its own, among neurons with one: numbers of all masks differ."""
    n, y = start(17)
    for width in (6, 6, 6):
        first, second = keep_bits(n, y, .6), keep_bits(n, y, .3)
        both = n.op("Add", times(n, y, first), times(n, y, second))
        y = qcfs(n, n.op("MatMul", both, n.const(np.eye(width))), 2.0, 8)
        y = times(n, y, keep_bits(n, y, .5))
        y = qcfs(n, n.op("MatMul", y, n.const(np.eye(width))), 2.0, 8)
    report, graph = convert(finish(n, y), tmp_path)
    index = [node.ip["INDEX"] for node in graph.nodes if node.op == "mask"]
    assert report["masks"] == 9 and len(set(index)) == 9


# ---- errors ----

def bad_mask(kind):
    n, y = start(17, [1, 4, 6, 2])
    like = n.op("RandomUniformLike", y)
    if kind == "not_behind_qcfs":
        z = n.op("MatMul", n.x, n.const(np.eye(2)))
        m = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", z), n.const(0.5)), to=TensorProto.FLOAT)
        y = n.op("Mul", z, m)
    elif kind == "one_draw_for_many":
        u = n.op("RandomUniform", shape=[1, 4, 1, 1])
        y = n.op("Mul", y, n.op("Cast", n.op("Greater", u, n.const(0.5)), to=TensorProto.FLOAT))
    elif kind == "noise":
        y = n.op("Add", y, like)
    elif kind == "product_of_noise":
        y = n.op("Mul", y, like)
    elif kind == "ratio_per_channel":
        bits = n.op("Greater", like, n.const(np.linspace(0.1, 0.4, 2)))
        y = n.op("Mul", y, n.op("Cast", bits, to=TensorProto.FLOAT))
    elif kind == "where_fill":
        y = n.op("Where", n.op("Greater", like, n.const(0.5)), y, n.const(1.0))
    elif kind == "cast_to_int":
        m = n.op("Cast", n.op("Cast", like, to=TensorProto.INT64), to=TensorProto.FLOAT)
        y = n.op("Mul", y, m)
    elif kind == "spread":
        u = n.op("Expand", n.op("RandomUniform", shape=[1, 4, 1, 1]), n.const([1, 4, 6, 2], dtype=np.int64))
        y = n.op("Mul", y, n.op("Cast", n.op("Greater", u, n.const(0.5)), to=TensorProto.FLOAT))
    elif kind == "same_draw_twice":
        bits = keep_bits(n, y, .5)
        y = times(n, times(n, times(n, y, bits), -2.0), bits)
    elif kind == "one_mask_read_alone":
        once = times(n, y, keep_bits(n, y, .6))
        y = n.op("Add", once, times(n, once, keep_bits(n, y, .5)))
    elif kind == "neither_is_0":
        y = times(n, y, n.op("Add", keep_bits(n, y, .5), n.const(1.0)))
    elif kind == "scale_per_channel":
        y = times(n, y, times(n, keep_bits(n, y, .5), np.array([1.0, 2.0])))
    elif kind == "product_of_masks":
        y = times(n, y, times(n, keep_bits(n, y, .5), keep_bits(n, y, .5)))
    elif kind == "overlapping_parts":
        parts = [n.op("Slice", y, *(n.const([k], dtype=np.int64) for k in (at, at + 4, 2))) for at in (0, 2)]
        y = n.op("Concat", *parts, axis=2)
        y = n.op("ReduceSum", times(n, y, keep_bits(n, y, .5)), n.const([2], dtype=np.int64))
    elif kind == "parts_of_what_others_read":
        z = n.op("Concat", *n.op("Split", y, n.const([2, 4], dtype=np.int64), outputs=2, axis=2), axis=2)
        y = n.op("Add", y, times(n, z, keep_bits(n, z, .5)))
    elif kind == "behind_a_pool":
        y = n.op("MaxPool", y, kernel_shape=[2, 1])
        y = times(n, y, keep_bits(n, y, .5))
    elif kind == "in_an_order_with_copies":
        y = n.op("Gather", y, n.const([0, 1, 2, 2], dtype=np.int64), axis=1)
        y = times(n, y, keep_bits(n, y, .5))
    elif kind == "on_a_slice":
        part = n.op("Slice", y, n.const([0], dtype=np.int64), n.const([2], dtype=np.int64), n.const([1], dtype=np.int64))
        m = n.op("Cast", n.op("Greater", n.op("RandomUniformLike", part), n.const(0.5)), to=TensorProto.FLOAT)
        y = n.op("Mul", part, m)
    return finish(n, y, 2)


@pytest.mark.parametrize("kind,words", [
    ("not_behind_qcfs", ["Mul_", "does not follow a QCFS"]), ("one_draw_for_many", ["mask", "element"]),
    ("noise", ["random numbers"]), ("product_of_noise", ["random numbers"]), ("ratio_per_channel", ["rand > ratio"]),
    ("where_fill", ["random choice"]), ("cast_to_int", ["random numbers"]), ("spread", ["element"]),
    ("same_draw_twice", ["that the value was masked with"]), ("one_mask_read_alone", ["masks again"]),
    ("neither_is_0", ["none is 0"]), ("scale_per_channel", ["from place to place"]),
    ("product_of_masks", ["two random values"]), ("overlapping_parts", ["joined"]), ("parts_of_what_others_read", ["joined"]), ("behind_a_pool", ["pool"]),
    ("in_an_order_with_copies", ["copies"]), ("on_a_slice", ["QCFS", "part"])])
def test_refused_masks(kind, words, tmp_path):
    text = refused(bad_mask(kind), tmp_path)
    for word in words + ["node '"]:
        assert word in text, text


# ---- policies ----

def policy(folder, text):
    path = folder / "p.yaml"
    path.write_text("version: 1\n" + text)
    return path


def ratios(report):
    return {(r["block"], r["site"]): r["ratio"] for r in report["layers"] if r["ratio"] is not None}


ALL_SITES = ["q", "k", "attn", "v", "av", "proj", "mlp_fc1", "mlp_fc2"]


@pytest.mark.parametrize("name", ["swin-ts", "swin-tsdyn", "swin-dynamo", "swin_pub-ts", "swin_pub-dynamo",
                                  "swin_pub_bn-tsdyn", "swin-masked-ts"])
def test_sites_of_swin(name, tmp_path):
    rows = convert(FIXTURES / (name + ".onnx"), tmp_path)[0]["layers"]
    for block in range(4):
        mine = [r for r in rows if r["block"] == block]
        assert sorted(r["site"] for r in mine) == sorted(ALL_SITES), block
        assert {r["stage"] for r in mine} == {block // 2}
        if "dynamo" not in name:  # names of the TorchScript exporter say where they are
            real = {0: "blocks.0", 1: "blocks.1", 2: "blocks.3", 3: "blocks.4"}[block]
            for r in mine:
                part = {"mlp_fc1": "fc1_if", "mlp_fc2": "fc2_if", "av": "attn_v_if"}.get(r["site"], r["site"] + "_if")
                assert real + "/" in r["name"] and part in r["name"], r
    assert all(r["site"] == "other" for r in rows if r["block"] == -1)


@pytest.mark.parametrize("name,stages", [("resnet18-ts", 4), ("resnet18-dynamo", 4), ("vgg16-tsdyn", 5)])
def test_sites_of_cnns(name, stages, tmp_path):
    rows = convert(FIXTURES / (name + ".onnx"), tmp_path)[0]["layers"]
    convs = [r for r in rows if r["site"] == "conv"]
    assert len(convs) == {"resnet18": 17, "vgg16": 13}[name.split("-")[0]]
    assert sorted({r["stage"] for r in convs}) == list(range(stages))
    assert sorted(r["block"] for r in convs) == list(range(len(convs)))


@pytest.mark.parametrize("name,sites,ratio,blocks", [
    ("sa50", ["q", "k", "attn"], 0.5, 4), ("sa75", ["q", "k", "attn"], 0.75, 4), ("mlp50", ["mlp_fc1"], 0.5, 4),
    ("first5-sa75", ["q", "k", "attn"], 0.75, 4)])
def test_policies_of_the_paper(name, sites, ratio, blocks, tmp_path):
    report, _ = convert(FIXTURES / "swin-ts.onnx", tmp_path, "--policy", POLICIES / (name + ".yaml"))
    assert ratios(report) == {(b, s): ratio for b in range(blocks) for s in sites}
    assert report["seed"] == 1 and report["T"] == 64


def test_policy_overrides_what_the_model_says(tmp_path):
    p = policy(tmp_path, "masks:\n  sites: {q: 0.75, k: 0}\n")
    report, _ = convert(FIXTURES / "swin-masked-ts.onnx", tmp_path, "--policy", p)
    for r in report["layers"]:
        if r["site"] in ("q", "k", "attn"):
            assert r["ratio"] == {"q": 0.75, "k": 0, "attn": 0.5}[r["site"]] and r["trained"] == 0.5


def test_specific_rules_win(tmp_path):
    p = policy(tmp_path, """masks:
  default: 0.1
  sites: {q: 0.2}
  overrides:
    - stage: 1
      sites: {q: 0.3}
    - blocks: 3-3
      sites: {q: 0.4}
    - node: "/blocks/blocks.0/attn/k_if/*"
      ratio: 0.6
""")
    found = ratios(convert(FIXTURES / "swin-ts.onnx", tmp_path, "--policy", p)[0])
    expected = {(b, s): 0.1 for b in range(4) for s in ("k", "attn", "mlp_fc1")}
    expected.update({(0, "q"): 0.2, (1, "q"): 0.2, (2, "q"): 0.3, (3, "q"): 0.4, (0, "k"): 0.6})
    assert {k: round(v, 6) for k, v in found.items()} == expected


def test_shift_of_a_policy(tmp_path):
    """Every neuron starts at the policy's share of theta; without one, at the model's."""
    n, y = start()
    model = finish(n, y)
    shifts = []
    for text in ("neuron: {shift: 0.25}\n", "seed: 1\n"):
        _, graph = convert(model, tmp_path, "--policy", policy(tmp_path, text))
        shifts.append([node.fp["SHIFT"] for node in graph.nodes if node.op == "neuron"])
    assert shifts == [[0.25], [0.5]]


def test_trained_section(tmp_path):
    p = policy(tmp_path, "masks:\n  sites: {q: 0.5}\ntrained:\n  sites: {q: 0.75, attn: 0.25}\n")
    rows = convert(FIXTURES / "swin-ts.onnx", tmp_path, "--policy", p)[0]["layers"]
    for r in rows:
        expected = {"q": (0.5, 0.75), "attn": (0.25, 0.25)}.get(r["site"], (None, None))
        assert (r["ratio"], r["trained"]) == expected, r


@pytest.mark.parametrize("text,line,words", [
    ("masks:\n  sites: {conv: 0.5}\n", 3, ["q k attn mlp_fc1"]),
    ("masks:\n  overrides:\n    - blocks: 7-9\n      sites: {q: 0.5}\n", None, ["blocks 0..3"]),
    ("masks:\n  overrides:\n    - stage: 5\n      sites: {q: 0.5}\n", None, ["stages 0..1"]),
    ("masks:\n  overrides:\n    - node: nothing*\n      ratio: 0.5\n", None, ["--dry-run"]),
    ("trained:\n  sites: {conv: 0.5}\n", 3, ["q k attn mlp_fc1"])])
def test_rules_that_match_nothing(text, line, words, tmp_path):
    p = policy(tmp_path, text)
    error_text = refused(FIXTURES / "swin-ts.onnx", tmp_path, "--policy", p)
    assert "p.yaml:%s" % (line or "") in error_text, error_text
    for word in words:
        assert word in error_text, error_text


def test_masked_runs_repeat(tmp_path):
    """The same seed gives the same file; another seed another one."""
    files = []
    for seed in (1, 1, 2):
        tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--quiet", "--policy", POLICIES / "sa50.yaml",
             "--seed", seed)
        files.append((tmp_path / "m.bin").read_bytes())
    assert files[0] == files[1] != files[2]


def attention_model(fused):
    """softmax-free attention of width 6; fused: one activation makes Q, K and V."""
    rng = np.random.default_rng(9)
    n = Net(SHAPE)
    y = n.op("MatMul", n.x, n.const(rng.normal(size=(6, 18))))
    if fused:
        y = qcfs(n, y, 2.0, 8)
    parts = n.op("Split", y, n.const([6, 6, 6], dtype=np.int64), outputs=3, axis=2)
    q, k, v = parts if fused else [qcfs(n, p, 2.0 + i, 8) for i, p in enumerate(parts)]
    a = qcfs(n, n.op("MatMul", q, n.op("Transpose", k, perm=[0, 2, 1])), 8.0, 8)
    return n.model(qcfs(n, n.op("MatMul", a, v), 16.0, 8))


def test_sites_of_fused_qkv_weights(tmp_path):
    rows = convert(attention_model(False), tmp_path)[0]["layers"]
    assert sorted(r["site"] for r in rows) == ["attn", "av", "k", "q", "v"]


def test_one_activation_for_q_k_and_v_is_no_site(tmp_path):
    """A mask of q must not fall on k and v."""
    rows = convert(attention_model(True), tmp_path)[0]["layers"]
    assert sorted(r["site"] for r in rows) == ["attn", "av", "other"]
    text = refused(attention_model(True), tmp_path, "--policy", policy(tmp_path, "masks:\n  sites: {q: 0.5}\n"))
    assert "sites: attn;" in text
