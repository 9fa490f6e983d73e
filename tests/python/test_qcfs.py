"""QCFS in every dialect of the exporters: theta, L and shift are recovered, and the
converted model computes what ONNX Runtime computes on the original."""
import itertools

import numpy as np
import pytest

from support import Net, convert, error, float_run, refused, runtime
from onnx import helper

LAYOUTS = {  # name: input shape, channel axis, shapes of theta
    "image": ([1, 6, 4, 5], 1, [(), (1,), (1, 1, 1, 1), (6, 1, 1), (1, 6, 1, 1)]),
    "tokens": ([1, 7, 6], 2, [(), (1,), (1, 1, 1), (6,), (1, 1, 6), (1, 6)]),
    "vector": ([1, 6], 1, [(), (1,), (1, 1), (6,), (1, 6)]),
}
SCALES = ["div", "reciprocal", "merged", "merged_div", "levels_first"]
CLIPS = ["pre_unit", "pre_levels", "pre_theta", "post_levels", "post_unit", "post_theta"]
BOUNDS = ["clip", "clip_attr", "min_max", "max_min", "relu_min", "min_relu"]
OUTPUTS = ["div_L_mul_theta", "mul_theta_div_L", "merged", "merged_div"]
FORMS = ["init", "constant", "identity"]


def thetas(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 3, shape).astype(np.float32)


def bound(n, y, hi, how, form):
    """y clipped to 0..hi; hi may vary with the channel."""
    hi = np.asarray(hi, np.float32)
    if how.startswith("clip") and hi.size == 1:
        if n.opset < 11:
            return n.op("Clip", y, min=0.0, max=float(hi.ravel()[0]))
        return n.op("Clip", y, n.const(0.0, form), n.const(hi.ravel()[0], form))
    zero, top = n.const(0.0, form), n.const(hi, form)
    if how in ("relu_min", "clip", "clip_attr"):
        return n.op("Min", n.op("Relu", y), top)
    if how == "min_relu":
        return n.op("Relu", n.op("Min", y, top))
    if how == "min_max":
        return n.op("Min", top, n.op("Max", y, zero))
    return n.op("Max", zero, n.op("Min", y, top))


def qcfs(n, x, theta, levels, shift=0.5, scale="div", clip="pre_unit", bounds="clip", output="div_L_mul_theta",
         form="init", rounds=False, flip=False):
    """Write one dialect; returns the activation's name."""
    theta = np.asarray(theta, np.float32)
    L = np.float32(levels)

    def mul(y, k):
        k = n.const(k, form)
        return n.op("Mul", k, y) if flip else n.op("Mul", y, k)

    y = x
    if clip == "pre_theta":
        y = bound(n, y, theta, bounds, form)
    if scale == "levels_first":
        y = n.op("Div", mul(y, L), n.const(theta, form))
    elif scale == "merged":
        y = mul(y, L / theta)
    elif scale == "merged_div":
        y = n.op("Div", y, n.const(theta / L, form))
    else:
        y = n.op("Div", y, n.const(theta, form)) if scale == "div" else mul(y, 1 / theta)
        if clip == "pre_unit":
            y = bound(n, y, 1, bounds, form)
        y = mul(y, L)
    if clip == "pre_levels" or (clip == "pre_unit" and scale not in ("div", "reciprocal")):
        y = bound(n, y, levels, bounds, form)
    if rounds:
        y = n.op("Round", y)
    else:
        if shift:
            y = n.op("Sub", y, n.const(-shift, form)) if flip else n.op("Add", y, n.const(shift, form))
        y = n.op("Floor", y)
    if clip == "post_levels":
        y = bound(n, y, levels, bounds, form)
    if output == "div_L_mul_theta":
        y = n.op("Div", y, n.const(L, form))
        if clip == "post_unit":
            y = bound(n, y, 1, bounds, form)
        y = mul(y, theta)
    else:
        if clip == "post_unit":
            y = bound(n, y, levels, bounds, form)
        if output == "mul_theta_div_L":
            y = n.op("Div", mul(y, theta), n.const(L, form))
        elif output == "merged":
            y = mul(y, theta / L)
        else:
            y = n.op("Div", y, n.const(L / theta, form))
    return bound(n, y, theta, bounds, form) if clip == "post_theta" else y


def steps_away_from_ties(shape, theta, levels, shift, rng):
    """Inputs from below 0 to above theta whose x*L/theta + shift is clear of integers."""
    k = rng.integers(-4, levels + 5, shape)
    return ((k + rng.uniform(0.1, 0.9, shape) - shift) * np.broadcast_to(theta, shape) / levels).astype(np.float32)


def check(tmp_path, layout, theta, levels, shift, opset, **dialect):
    shape = LAYOUTS[layout][0]
    n = Net(shape, opset)
    y = qcfs(n, n.x, theta, levels, shift, **dialect)
    model = n.model(n.op("Flatten", y))
    report, graph = convert(model, tmp_path)
    assert report["spiking_layers"] == 1 and report["non_spiking_nodes"] == 0 and report["bn_kept"] == 0
    neuron, = [node for node in graph.nodes if node.op == "neuron"]
    assert len(neuron.inputs) == 2 or neuron.inputs[2] is None, "a gain was left"
    assert neuron.ip["LEVELS"] == levels and abs(float(neuron.fp["SHIFT"]) - shift) < 2e-5
    found = graph.tensors[neuron.inputs[1]].data.ravel()
    np.testing.assert_allclose(found, np.unique(theta) if theta.size == 1 else theta.ravel(), rtol=1e-6)
    x = steps_away_from_ties(shape, theta, levels, shift, np.random.default_rng(1))
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


@pytest.mark.parametrize("layout,shape", [(k, s) for k, v in LAYOUTS.items() for s in v[2]],
                         ids=lambda v: str(v).replace(" ", ""))
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", SCALES)
def test_theta_shapes(layout, shape, form, scale, tmp_path):
    check(tmp_path, layout, thetas(shape), 16, 0.5, 13, form=form, scale=scale)


@pytest.mark.parametrize("scale,clip,output", list(itertools.product(SCALES, CLIPS, OUTPUTS)))
def test_order_of_steps(scale, clip, output, tmp_path):
    for theta in (thetas(()), thetas((1, 6, 1, 1))):
        check(tmp_path, "image", theta, 8, 0.5, 17, scale=scale, clip=clip, output=output)


@pytest.mark.parametrize("clip,bounds", list(itertools.product(CLIPS, BOUNDS)))
def test_bounds(clip, bounds, tmp_path):
    opset = 9 if bounds == "clip_attr" else 13
    for flip in (False, True):
        check(tmp_path, "tokens", thetas(()), 4, 0.5, opset, clip=clip, bounds=bounds, flip=flip, scale="merged")
        if opset > 9:
            check(tmp_path, "tokens", thetas((6,)), 4, 0.5, 20, clip=clip, bounds=bounds, flip=flip)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 7, 16, 64, 100, 255, 256])
@pytest.mark.parametrize("shift", [0, 0.5, 0.25, 0.4, 0.75])
def test_levels_and_shift(levels, shift, tmp_path):
    for clip in ("pre_unit", "post_levels", "post_theta"):
        check(tmp_path, "vector", thetas(()), levels, shift, 13, clip=clip)


@pytest.mark.parametrize("theta", [1e-3, 0.02, 1.0, 16.0, 1000.0])
@pytest.mark.parametrize("scale", SCALES)
def test_extreme_thetas(theta, scale, tmp_path):
    """theta = 1 and theta = L: parts of the activation are staircases of their own."""
    for output, clip in itertools.product(OUTPUTS, CLIPS):
        check(tmp_path, "vector", np.float32(theta), 16, 0.5, 13, scale=scale, output=output, clip=clip)


@pytest.mark.parametrize("clip", CLIPS)
def test_round(clip, tmp_path):
    check(tmp_path, "image", thetas((6, 1, 1)), 8, 0.5, 13, clip=clip, rounds=True)


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21])
@pytest.mark.parametrize("how", ["softplus", "exp", "abs", "square", "relu_eps"])
def test_parametrized_theta(opset, how, tmp_path):
    n = Net([1, 5], opset)
    raw = n.const(np.float32(0.7))
    if how == "softplus":
        t, theta = n.op("Softplus", raw), np.log1p(np.exp(0.7))
    elif how == "exp":
        t, theta = n.op("Exp", raw), np.exp(0.7)
    elif how == "abs":
        t, theta = n.op("Abs", n.op("Neg", raw)), 0.7
    elif how == "square":
        t, theta = n.op("Mul", raw, raw), 0.49
    else:
        t, theta = n.op("Add", n.op("Relu", raw), n.const(1e-3)), 0.701
    y = n.op("Mul", n.op("Div", n.x, t), n.const(8.0))
    y = n.op("Floor", n.op("Add", y, n.const(0.5)))
    y = n.op("Relu", n.op("Div", y, n.const(8.0)))
    y = n.op("Mul", n.op("Min", y, n.const(1.0)) if opset > 7 else y, t)
    model = n.model(y)
    row, = convert(model, tmp_path)[0]["layers"]
    assert row["L"] == 8 and abs(row["theta_min"] / theta - 1) < 1e-5
    x = steps_away_from_ties([1, 5], theta, 8, 0.5, np.random.default_rng(2))
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


@pytest.mark.parametrize("flipped", [False, True])
def test_straight_through_estimator(flipped, tmp_path):
    """(floor(y) - y).detach() + y, as quantization-aware training code writes it"""
    theta, levels = 1.7, 8
    n = Net([1, 4, 6])
    y = n.op("Add", n.op("Mul", n.op("Div", n.x, n.const(theta)), n.const(levels)), n.const(0.5))
    rest = n.op("Sub", n.op("Floor", y), y)
    q = n.op("Add", rest, y) if flipped else n.op("Add", y, rest)
    q = n.op("Clip", n.op("Div", q, n.const(levels)), n.const(0.0), n.const(1.0))
    model = n.model(n.op("Mul", q, n.const(theta)))
    row, = convert(model, tmp_path)[0]["layers"]
    assert row["L"] == levels and abs(row["theta_min"] - theta) < 1e-6
    x = steps_away_from_ties([1, 4, 6], theta, levels, 0.5, np.random.default_rng(2))
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def test_local_function(tmp_path):
    """One function for all activations; theta is an input, L an attribute reference."""
    nodes = [helper.make_node("Constant", [], ["L"]), helper.make_node("Constant", [], ["half"], value_float=0.5),
             helper.make_node("Constant", [], ["zero"], value_float=0.0),
             helper.make_node("Constant", [], ["one"], value_float=1.0),
             helper.make_node("Div", ["x", "theta"], ["a"]), helper.make_node("Clip", ["a", "zero", "one"], ["b"]),
             helper.make_node("Mul", ["b", "L"], ["c"]), helper.make_node("Add", ["c", "half"], ["d"]),
             helper.make_node("Floor", ["d"], ["e"]), helper.make_node("Div", ["e", "L"], ["f"]),
             helper.make_node("Mul", ["f", "theta"], ["y"])]
    reference = helper.make_attribute("value_float", 0.0)
    reference.ref_attr_name = "L"
    reference.ClearField("f")
    nodes[0].attribute.append(reference)
    function = helper.make_function("my.lib", "QCFS", ["x", "theta"], ["y"], nodes, [helper.make_opsetid("", 15)], ["L"])
    n = Net([1, 6], 15)
    rng = np.random.default_rng(3)
    y = n.op("QCFS", n.x, n.const(2.0), domain="my.lib", L=4.0)
    y = n.op("MatMul", y, n.const(rng.normal(size=(6, 6))))
    y = n.op("QCFS", y, n.const(thetas((6,))), domain="my.lib", L=16.0)
    model = n.model(y, functions=[function])
    rows = convert(model, tmp_path)[0]["layers"]
    assert [r["L"] for r in rows] == [4, 16] and rows[0]["theta_min"] == 2.0
    for seed in range(4):
        x = steps_away_from_ties([1, 6], 2.0, 4, 0.5, np.random.default_rng(seed))
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def test_slope_merged_into_weights(tmp_path):
    """Weights already scaled by L/theta: floor(Wx + b + 1/2) clipped to 0..L, times theta/L."""
    rng = np.random.default_rng(4)
    n = Net([1, 9], 13)
    y = n.op("Gemm", n.x, n.const(rng.normal(size=(9, 6)) * 4), n.const(rng.normal(size=6)))
    y = n.op("Clip", n.op("Floor", n.op("Add", y, n.const(0.5))), n.const(0.0), n.const(8.0))
    model = n.model(n.op("Mul", y, n.const(0.25)))
    report, graph = convert(model, tmp_path)
    row, = report["layers"]
    assert row["L"] == 8 and row["theta_min"] == 2.0 and report["bn_kept"] == 0
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=(1, 9)).astype(np.float32)
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def test_two_activations_in_a_row(tmp_path):
    for t1, t2 in ((1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (16.0, 8.0)):
        n = Net([1, 6], 13)
        y = qcfs(n, qcfs(n, n.x, t1, 16), t2, 8)
        model = n.model(y)
        rows = convert(model, tmp_path)[0]["layers"]
        assert [(r["theta_min"], r["L"]) for r in rows] == [(t1, 16), (t2, 8)]
        x = np.array([[-1, 0.3 * t1, 0.55 * t1, 0.8 * t1, 0.95 * t1, 3 * t1]], np.float32)
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def test_shared_scaled_input(tmp_path):
    """Two activations read one x/theta."""
    n = Net([1, 6], 13)
    y = n.op("Div", n.x, n.const(2.0))
    outs = []
    for levels in (4.0, 8.0):
        z = n.op("Floor", n.op("Add", n.op("Mul", y, n.const(levels)), n.const(0.5)))
        z = n.op("Clip", n.op("Div", z, n.const(levels)), n.const(0.0), n.const(1.0))
        outs.append(n.op("Mul", z, n.const(2.0)))
    model = n.model(n.op("Concat", *outs, axis=1))
    rows = convert(model, tmp_path)[0]["layers"]
    assert sorted((r["theta_min"], r["L"]) for r in rows) == [(2.0, 4), (2.0, 8)]
    x = np.array([[-1, 0.3, 0.9, 1.2, 1.7, 3]], np.float32)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def test_theta_of_higher_rank_than_the_input(tmp_path):
    """[1,1,1,1] with a vector: broadcasting raises the rank."""
    n = Net([1, 6], 13)
    y = qcfs(n, n.x, thetas((1, 1, 1, 1)), 8)
    model = n.model(n.op("Reshape", y, n.const([1, 6], dtype=np.int64)))
    row, = convert(model, tmp_path)[0]["layers"]
    assert row["L"] == 8
    x = np.array([[-1, 0.3, 0.9, 1.2, 1.7, 3]], np.float32)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def floor_model(theta, levels, lo=0.0, hi=1.0):
    n = Net([1, 4], 13)
    y = n.op("Mul", n.op("Div", n.x, n.const(theta)), n.const(levels))
    y = n.op("Div", n.op("Floor", n.op("Add", y, n.const(0.5)), name="the_floor"), n.const(levels))
    if hi is not None:
        y = n.op("Clip", y, n.const(lo), n.const(hi))
    return n.model(n.op("Mul", y, n.const(theta)))


@pytest.mark.parametrize("theta,levels,lo,hi,words", [
    (np.nan, 8, 0, 1, ["theta"]), (0.0, 8, 0, 1, ["theta"]),
    (np.inf, 8, 0, 1, ["theta"]), (1.0, 7.5, 0, 1, ["7.5", "integer"]), (1.0, 8, 0, None, ["bounds"]),
    (1.0, 8, -1, 1, ["-8"]), (1.0, 1e6, 0, 1, ["1000000", "65535"])])
def test_refused(theta, levels, lo, hi, words, tmp_path):
    text = refused(floor_model(theta, levels, lo, hi), tmp_path)
    for word in words + ["node '"]:
        assert word in text, text


def nearly(n, what, off):
    """QCFS of one theta a channel and 8 levels, but for one constant that is off."""
    theta, shift = np.full((6, 1, 1), 1.5, np.float32), np.full((6, 1, 1), 0.5, np.float32)
    low, high, gain = np.float32(0), np.float32(8), theta / 8
    if what == "shift of a channel":
        shift[3:] += off
    elif what == "gain of a channel":
        gain[3:] *= 1 + off
    elif what == "gain":
        gain = gain * (1 + off)
    elif what == "low":
        low = np.float32(off)
    else:
        high = np.float32(8 + off)
    y = n.op("Floor", n.op("Add", n.op("Div", n.x, n.const(theta / 8)), n.const(shift)))
    return n.op("Mul", n.op("Clip", y, n.const(low), n.const(high)), n.const(gain))


@pytest.mark.parametrize("what", ["shift of a channel", "gain of a channel", "gain", "low", "high"])
def test_constants_off_by_more_than_rounding(what, tmp_path):
    """Constants a thousandth or a hundredth off are not QCFS's: a bound is refused, with the rest the network
    still computes what it says. (The upper bound may be a hundredth of a level off.)"""
    shape = LAYOUTS["image"][0]
    for off in (2e-2, 1e-1) if what == "high" else (1e-3, 1e-2):
        n = Net(shape, 13)
        model = n.model(n.op("Flatten", nearly(n, what, np.float32(off))))
        if what in ("low", "high"):
            assert "bound is" in refused(model, tmp_path)
            continue
        x = steps_away_from_ties(shape, np.float32(1.5), 8, 0.5, np.random.default_rng(1))
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 1e-6
