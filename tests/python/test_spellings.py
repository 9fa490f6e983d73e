"""QCFS in spellings that are not a floor between scales and bounds: each becomes the neuron of the plain one, and
computes what ONNX Runtime computes, at its jumps as well."""
import numpy as np
import pytest

from support import Net, TensorProto, convert, error, float_run, refused, runtime

SHAPE = [1, 6, 4, 5]


def plain(n, x, t, L):
    y = n.op("Div", n.op("Floor", levels_of(n, x, t, L, 0.5)), n.const(L))
    return n.op("Mul", n.op("Clip", y, n.const(0.0), n.const(1.0)), n.const(t))


def levels_of(n, x, t, L, shift=0.0):
    y = n.op("Mul", n.op("Div", x, n.const(t)), n.const(L))
    return n.op("Add", y, n.const(shift)) if shift else y


def bounded(n, y, t, L):
    """levels y to 0..L, then to theta"""
    return n.op("Mul", n.op("Clip", n.op("Div", y, n.const(L)), n.const(0.0), n.const(1.0)), n.const(t))


def straight_through(n, x, t, L):
    """z + (floor(z + 1/2) - z): the shift is inside"""
    z = levels_of(n, x, t, L)
    rest = n.op("Sub", n.op("Floor", n.op("Add", z, n.const(0.5))), z)
    return n.op("Mul", n.op("Clip", n.op("Add", z, rest), n.const(0.0), n.const(L)), n.const(np.float32(t) / L))


def straight_through_unit(n, x, t, L):
    u = n.op("Div", x, n.const(t))
    q = n.op("Div", n.op("Floor", n.op("Add", n.op("Mul", u, n.const(L)), n.const(0.5))), n.const(L))
    y = n.op("Add", u, n.op("Sub", q, u))
    return n.op("Mul", n.op("Clip", y, n.const(0.0), n.const(1.0)), n.const(t))


def pact_abs(n, x, t, L):
    """(|x| - |x - a| + a) / 2 is x bounded to 0..a"""
    y = n.op("Sub", n.op("Abs", x), n.op("Abs", n.op("Sub", x, n.const(t))))
    y = n.op("Mul", n.op("Add", y, n.const(t)), n.const(0.5))
    return n.op("Div", n.op("Mul", n.op("Floor", levels_of(n, y, t, L, 0.5)), n.const(t)), n.const(L))


def pact_where(n, x, t, L):
    low = n.op("Where", n.op("Less", x, n.const(0.0)), n.const(0.0), x)
    top = np.broadcast_to(np.float32(t), SHAPE) if np.size(t) == 1 else t
    y = n.op("Where", n.op("Greater", x, n.const(t)), n.const(top), low)
    return n.op("Div", n.op("Mul", n.op("Floor", levels_of(n, y, t, L, 0.5)), n.const(t)), n.const(L))


def where_bounds(n, x, t, L):
    y = n.op("Div", n.op("Floor", levels_of(n, x, t, L, 0.5)), n.const(L))
    high = n.op("Where", n.op("Greater", y, n.const(1.0)), n.const(np.ones(SHAPE)), y)
    return n.op("Mul", n.op("Where", n.op("Less", y, n.const(0.0)), n.const(np.zeros(SHAPE)), high), n.const(t))


def minus_floor(n, x, t, L):
    """-floor(-x) is ceil(x): a jump belongs to the level below"""
    y = n.op("Neg", n.op("Floor", n.op("Add", n.op("Neg", levels_of(n, x, t, L)), n.const(0.5))))
    return bounded(n, y, t, L)


def ceil(n, x, t, L):
    return bounded(n, n.op("Ceil", levels_of(n, x, t, L, -0.5)), t, L)


def minus_ceil(n, x, t, L):
    return bounded(n, n.op("Neg", n.op("Ceil", n.op("Neg", levels_of(n, x, t, L, 0.5)))), t, L)


def integers(n, x, t, L):
    """A cast to integers cuts towards 0: the level 0 is twice as wide, but for the bound."""
    whole = n.op("Cast", levels_of(n, x, t, L, 0.5), to=TensorProto.INT32)
    return bounded(n, n.op("Cast", whole, to=TensorProto.FLOAT), t, L)


def integers_of_bounded(n, x, t, L):
    u = n.op("Clip", n.op("Div", x, n.const(t)), n.const(0.0), n.const(1.0))
    whole = n.op("Cast", n.op("Add", n.op("Mul", u, n.const(L)), n.const(0.5)), to=TensorProto.INT64)
    return n.op("Mul", n.op("Div", n.op("Cast", whole, to=TensorProto.FLOAT), n.const(L)), n.const(t))


def bounded_integers(n, y, t, L, to=TensorProto.INT64, clip=True):
    """whole numbers y as integers, bounded as integers"""
    dtype = np.int64 if to == TensorProto.INT64 else np.int32
    low, high = n.const(0, dtype=dtype), n.const(int(L), dtype=dtype)
    y = n.op("Cast", y, to=to)
    y = n.op("Clip", y, low, high) if clip else n.op("Min", n.op("Max", y, low), high)
    return n.op("Mul", n.op("Cast", y, to=TensorProto.FLOAT), n.const(np.float32(t) / np.float32(L)))


def floor_integers(n, x, t, L):
    return bounded_integers(n, n.op("Floor", levels_of(n, x, t, L, 0.5)), t, L)


def floor_integers_min_max(n, x, t, L):
    return bounded_integers(n, n.op("Floor", levels_of(n, x, t, L, 0.5)), t, L, TensorProto.INT32, False)


def minus_floor_integers(n, x, t, L):
    y = n.op("Neg", n.op("Floor", n.op("Neg", levels_of(n, x, t, L, 0.5))))  # ceil(z + 1/2)
    return bounded_integers(n, n.op("Sub", y, n.const(1.0)), t, L)


def steps(n, x, t, L, compare="GreaterOrEqual"):
    total = None
    for k in range(1, L + 1):
        fires = n.op(compare, x, n.const(np.float32(t) * np.float32(k - 0.5) / np.float32(L)))
        fires = n.op("Cast", fires, to=TensorProto.FLOAT)
        total = fires if total is None else n.op("Add", total, fires)
    return n.op("Div", n.op("Mul", total, n.const(t)), n.const(L))


def steps_above(n, x, t, L):
    return steps(n, x, t, L, "Greater")


def two_relus(n, x, t, L):
    """theta - relu(theta - relu(..)) bounds what the floor makes"""
    y = n.op("Mul", n.op("Floor", levels_of(n, x, t, L, 0.5)), n.const(np.float32(t) / L))
    return n.op("Sub", n.const(t), n.op("Relu", n.op("Sub", n.const(t), n.op("Relu", y))))


UP = [straight_through, straight_through_unit, pact_abs, pact_where, where_bounds, minus_ceil, integers,
      integers_of_bounded, floor_integers, floor_integers_min_max, steps, two_relus]
DOWN = [minus_floor, ceil, minus_floor_integers, steps_above]
THETAS = {"scalar": np.float32(1.7), "channels": np.linspace(0.6, 2.9, 6, dtype=np.float32).reshape(6, 1, 1)}


def network(spelling, t, L):
    """A layer in front and one behind, so that no gain may be left and signs must go somewhere."""
    rng = np.random.default_rng(5)
    n = Net(SHAPE, 17)
    y = n.op("Conv", n.x, n.const(rng.normal(size=(6, 6, 1, 1))), n.const(rng.normal(size=6)))
    y = spelling(n, y, t, L)
    y = n.op("Conv", y, n.const(rng.normal(size=(3, 6, 3, 3))), pads=[1, 1, 1, 1])
    return n.model(n.op("Flatten", y))


def neuron_of(graph):
    neuron, = [node for node in graph.nodes if node.op == "neuron"]
    assert len(neuron.inputs) == 2 or neuron.inputs[2] is None, "a gain was left"
    return neuron, graph.tensors[neuron.inputs[1]].data.ravel()


def shapes(graph):
    return [(node.op, tuple(graph.tensors[node.out].shape)) for node in graph.nodes]


@pytest.mark.parametrize("theta", list(THETAS))
@pytest.mark.parametrize("spelling", UP + DOWN, ids=lambda s: s.__name__)
def test_becomes_the_plain_neuron(spelling, theta, tmp_path):
    for L in (1, 4, 15):
        t, L = THETAS[theta], np.float32(L) if spelling not in (steps, steps_above) else L
        model = network(spelling, t, L)
        report, graph = convert(model, tmp_path)
        _, expected = convert(network(plain, t, L), tmp_path)
        neuron, found = neuron_of(graph)
        assert report["non_spiking_nodes"] == 0 and report["bn_kept"] == 0
        assert shapes(graph) == shapes(expected), "other nodes than the plain one has"
        assert neuron.ip["LEVELS"] == L and abs(float(neuron.fp["SHIFT"]) - 0.5) < 2e-6
        np.testing.assert_allclose(found, np.broadcast_to(neuron_of(expected)[1], found.shape), rtol=1e-5)
        for seed in range(3):
            x = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
            assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


@pytest.mark.parametrize("L", [1, 2, 8, 15, 64])
@pytest.mark.parametrize("spelling", [plain] + UP + DOWN, ids=lambda s: s.__name__)
def test_at_the_jumps(spelling, L, tmp_path):
    """theta = L/4 makes each jump a float32: the activation is ONNX Runtime's there and right beside."""
    if spelling in (steps, steps_above) and L > 15:
        pytest.skip("as many comparisons as levels")
    n = Net([1, 4 * L + 40], 17)
    t = np.float32(L / 4)
    if spelling in (pact_where, where_bounds):
        pytest.skip("its constants have the shape of the other tests")
    model = n.model(spelling(n, n.x, t, L if spelling in (steps, steps_above) else np.float32(L)))
    x = (np.arange(-19, 4 * L + 21) / 16).astype(np.float32).reshape(1, -1)
    for beside in (0, 1e-4, -1e-4):
        got, expected = float_run(model, tmp_path, x + np.float32(beside)), runtime(model, x + np.float32(beside))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("t", [np.float32(-1.5), np.array([1.5, -0.7, 2, -3, 0.4, -1], np.float32).reshape(6, 1, 1)],
                         ids=["scalar", "channels"])
def test_negative_theta(t, tmp_path):
    """As training leaves it: |theta|, with a gain of -1 in the layer in front and a sign of -1 in the one behind."""
    model = network(plain, t, np.float32(8))
    report, graph = convert(model, tmp_path)
    _, found = neuron_of(graph)
    np.testing.assert_allclose(found, np.abs(t).ravel(), rtol=1e-6)
    assert report["bn_kept"] == 0 and [op for op, _ in shapes(graph)].count("affine") == 0
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def almost(n, x, t, L, off, how):
    if how == "step":
        edges = [np.float32(t * (k - 0.5) / L * (1 + off * (k == 3))) for k in range(1, L + 1)]
        parts = [n.op("Cast", n.op("GreaterOrEqual", x, n.const(e)), to=TensorProto.FLOAT) for e in edges]
        heights = [1.0] * L
    else:
        edges = [np.float32(t * (k - 0.5) / L) for k in range(1, L + 1)]
        parts = [n.op("Cast", n.op("GreaterOrEqual", x, n.const(e)), to=TensorProto.FLOAT) for e in edges]
        heights = [1 + off * (k == 2) for k in range(L)]
    y = None
    for part, height in zip(parts, heights):
        part = n.op("Mul", part, n.const(height * t / L))
        y = part if y is None else n.op("Add", y, part)
    return y


@pytest.mark.parametrize("how", ["step", "height"])
def test_staircases_that_are_not_even(how, tmp_path):
    """The tolerance is 1e-4 of a level. With a jump or a height off by more it is no single neuron; a sum of several
    computes what the model says."""
    for off, fits in ((1e-6, True), (1e-3, False), (2e-2, False)):
        n = Net([1, 60], 17)
        model = n.model(almost(n, n.x, np.float32(2), 5, np.float32(off), how))
        report, _ = convert(model, tmp_path)
        assert (len(report["layers"]) == 1) == fits
        edge = np.float32(2 * 2.5 / 5)
        x = np.concatenate([np.linspace(-1, 3, 50), edge * (1 + np.linspace(-2, 2, 10) * off)])[None].astype(np.float32)
        assert fits or error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


@pytest.mark.parametrize("off", [0, 1e-3, 5e-2])
def test_staircases_that_end_near_0(off, tmp_path):
    """From -theta up to `off` of a level: what is left of 0 is not lost in silence."""
    t, L = np.float32(2), np.float32(5)
    n = Net([1, 50], 17)
    low, high = np.float32(off) - L, np.float32(off)
    y = n.op("Add", n.op("Floor", n.op("Add", n.op("Mul", n.x, n.const(L / t)), n.const(0.5))), n.const(low))
    y = n.op("Clip", y, n.const(low), n.const(high))
    model = n.model(n.op("Mul", y, n.const(t / L)))
    if off:
        assert "not part of a QCFS" in refused(model, tmp_path)
        return
    x = np.linspace(-1, 3, 50)[None].astype(np.float32)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


@pytest.mark.parametrize("sizes", [(g, h, k) for g in (1, 6) for h in (1, 6) for k in (1, 6)], ids=str)
def test_scales_and_offsets_on_both_sides(sizes, tmp_path):
    """k*QCFS(g*x + h) without weights that could take any of them."""
    g, h, k = (np.array([1.5, -0.75, 2, 0.5, -3, 1][:m], np.float32) for m in sizes)
    n = Net([1, 6], 17)
    y = plain(n, n.op("Add", n.op("Mul", n.x, n.const(g)), n.const(h / 4)), np.float32(2), np.float32(5))
    model = n.model(n.op("Mul", y, n.const(k * np.float32(0.3))))
    for seed in range(8):
        x = np.random.default_rng(seed).normal(0, 1, (1, 6)).astype(np.float32)
        assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-6


def rounded(n, x, t, L):
    return bounded(n, n.op("Round", levels_of(n, x, t, L)), t, L)


@pytest.mark.parametrize("first,second", [
    ((1, 2), (1, 1)),  # at 1/2: down
    ((3, 6), (4, 4)),  # at 1/2, 3/2, 5/2: both
    ((4, 8), (4, 8)),  # nowhere
    ((3, 2), (4, 4)),  # at 3/2: up
    ((6, 4), (8, 8)),  # at 3/2 and 9/2: both
])
def test_round_of_another_quantizer(first, second, tmp_path):
    """Round takes the even level right between two: at all values that arrive up, at all down, or at some up."""
    n = Net([1, 40], 17)
    y = plain(n, n.x, np.float32(first[0]), np.float32(first[1]))
    model = n.model(rounded(n, y, np.float32(second[0]), np.float32(second[1])))
    levels = np.arange(first[1] + 1) * first[0] / first[1] * second[1] / second[0]
    ties = {np.round(k) > k for k in levels if abs(k % 1 - 0.5) < 1e-9 and k < second[1]}
    _, graph = convert(model, tmp_path)
    assert [node.ip["EVEN"] for node in graph.nodes if node.op == "neuron"] == [0, len(ties) != 1]
    x = np.linspace(-1, first[0] + 1, 40, dtype=np.float32)[None]
    np.testing.assert_allclose(float_run(model, tmp_path, x), runtime(model, x), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("to,clip", [(TensorProto.INT64, True), (TensorProto.INT32, True), (TensorProto.INT32, False)])
@pytest.mark.parametrize("L", [1, 4, 15])
def test_rounds_to_integers(to, clip, L, tmp_path):
    """Round, cast, bounded as integers, cast back; at the ties and right beside them."""
    n, t = Net([1, 4 * L + 40], 17), np.float32(L / 4)
    model = n.model(bounded_integers(n, n.op("Round", levels_of(n, n.x, t, np.float32(L))), t, L, to, clip))
    report, graph = convert(model, tmp_path)
    neuron, theta = neuron_of(graph)
    assert (neuron.ip["LEVELS"], neuron.ip["EVEN"], report["non_spiking_nodes"]) == (L, 1, 0) and theta == t
    x = (np.arange(-19, 4 * L + 21) / 16).astype(np.float32).reshape(1, -1)
    for beside in (0, 1e-4, -1e-4):
        got, expected = float_run(model, tmp_path, x + np.float32(beside)), runtime(model, x + np.float32(beside))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("L,off,fits", [(8, 5e-5, True), (8, 2e-4, False), (8, 1e-3, False), (8, 8e-3, False),
                                        (8, -2e-4, False), (8, -8e-3, False), (1, 2e-4, False), (255, 2e-4, False),
                                        (4095, 0, True), (65535, 0, True)])
@pytest.mark.parametrize("unit", [True, False], ids=["theta", "levels"])
def test_upper_bounds_are_whole_levels(L, off, fits, unit, tmp_path):
    """To 1e-4 of a level, and what float32 rounds off where there are many."""
    n, t = Net([1, 40], 17), np.float32(1.7)
    y = n.op("Floor", levels_of(n, n.x, t, np.float32(L), 0.5))
    if unit:
        y = n.op("Clip", n.op("Mul", y, n.const(t / np.float32(L))), n.const(0.0), n.const(t * np.float32(1 + off / L)))
    else:
        y = n.op("Mul", n.op("Clip", y, n.const(0.0), n.const(np.float32(L + off))), n.const(t / np.float32(L)))
    model = n.model(y)
    if not fits:
        assert "its upper bound is L = " in refused(model, tmp_path)
        return
    assert neuron_of(convert(model, tmp_path)[1])[0].ip["LEVELS"] == L


def test_signed_levels_are_refused(tmp_path):
    n = Net([1, 12], 17)
    y = n.op("Clip", n.op("Round", n.op("Div", n.x, n.const(0.1))), n.const(-8.0), n.const(7.0))
    assert "signed" in refused(n.model(n.op("Mul", y, n.const(0.1))), tmp_path)


@pytest.mark.parametrize("op", ["Ceil", "Sign", "Round", "Floor"])
def test_staircase_that_fits_nothing(op, tmp_path):
    n = Net([1, 12], 17)
    y = plain(n, n.op("MatMul", n.x, n.const(np.eye(12))), np.float32(1), np.float32(4))
    model = n.model(n.op("MatMul", n.op(op, n.op("MatMul", y, n.const(np.eye(12) * 3))), n.const(np.eye(12))))
    assert "node '" in refused(model, tmp_path)
    report, _ = convert(model, tmp_path, "--allow-analog")
    assert report["non_spiking_nodes"] == 1


def test_sums_of_thousands_of_floors_are_refused(tmp_path):
    """Refused as any staircase that fits nothing; what is followed in vain is bounded (pass_stair.c)."""
    n = Net([1, 16], 17)
    y = None
    for k in range(3000):
        step = n.op("Floor", n.op("Add", n.x, n.const(np.float32(.01 * k))))
        y = step if y is None else n.op("Add", y, step)
    y = n.op("Clip", y, n.const(np.float32(0)), n.const(np.float32(8)))
    assert "not part of a QCFS" in refused(n.model(n.op("MatMul", y, n.const(np.ones((16, 5))))), tmp_path)


def relu_network():
    n = Net([1, 12], 17)
    y = n.op("Relu", n.op("MatMul", n.x, n.const(np.eye(12))))
    return n.model(n.op("MatMul", y, n.const(np.ones((12, 3)))))


def test_nothing_spikes(tmp_path):
    text = refused(relu_network(), tmp_path)
    assert "nothing in this network spikes" in text and "--allow-analog" in text and "--calibrate" in text
    report, _ = convert(relu_network(), tmp_path, "--allow-analog")
    assert report["spiking_layers"] == 0


def test_only_the_input_stage_spikes(tmp_path):
    n = Net([1, 12], 17)
    y = n.op("MatMul", plain(n, n.x, np.float32(1), np.float32(4)), n.const(np.eye(12)))
    y = n.op("MatMul", n.op("Relu", y), n.const(np.ones((12, 3))))
    model = n.model(y)
    assert "only the input stage" in refused(model, tmp_path)
    assert convert(model, tmp_path, "--allow-analog")[0]["spiking_layers"] == 1
