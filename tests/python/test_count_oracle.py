"""Count and radix mode of docs/EXECUTION.md: the oracle against true stepping of its windows, float mode and ONNX
Runtime, exact binomials, and spikes counted by hand; then the C tools against the oracle (where they have the modes)."""
import fractions
import json
import math
import os
import pathlib
import subprocess

import numpy as np
import pytest

from snnkit import ROOT, make, snnkit  # noqa: F401
from support import BUILD, FIXTURES, runtime, tool
from oracle import compare, counts, philox, simulator, snn_reader, stepping, thinning

F = np.float32
ANY = [("count", None), ("radix", None), ("count", 8), ("radix", 7), ("radix", 15), ("radix", 16), ("count", 1)]


# ---- thinning -----------------------------------------------------------------

@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.25, F(0.1), F(0.9), F(0.003), F(1) - F(2) ** -24])
def test_thresholds_are_those_of_the_binomial(ratio):
    table, r = thinning.binomial_thresholds(float(ratio)), fractions.Fraction(float(ratio))
    for n in (1, 2, 3, 7, 15, 16, 33, 64, 255):
        below = fractions.Fraction(0)
        for j in range(n):
            below += math.comb(n, j) * (1 - r) ** j * r ** (n - j)
            assert abs(int(table[n, j]) - below * 2 ** 32) <= 1, (n, j)
        assert (np.diff(table[n, :n].astype(np.int64)) >= 0).all()


def test_thresholds_round_half_away_from_zero():
    """2^-33 is half a step of 2^-32; 2^32 itself does not fit."""
    table = thinning.binomial_thresholds(0.5)
    assert [table[n, 0] for n in (31, 32, 33, 34)] == [2, 1, 1, 0]
    assert table[33, 32] == 2 ** 32 - 1 and thinning.binomial_thresholds(0.75)[255, 254] == 2 ** 32 - 1


@pytest.mark.parametrize("rule", ["binomial", "systematic"])
@pytest.mark.parametrize("ratio", [F(0.25), F(0.1), F(0.75)])
def test_one_spike_is_masked_as_in_a_step(rule, ratio):
    limit = int(np.rint(float(ratio) * 2.0 ** 32))
    words = np.array([0, limit - 1, limit, limit + 1, 2 ** 32 - 1], np.uint32)
    assert thinning.thin(np.ones(5, np.int64), words, ratio, rule).tolist() == [0, 0, 1, 1, 1]
    assert thinning.thin(np.zeros(5, np.int64), words, ratio, rule).tolist() == [0] * 5


@pytest.mark.parametrize("rule, least, most", [("binomial", 0.95, 1.05), ("systematic", 0, 0.2)])
@pytest.mark.parametrize("n, ratio", [(16, 0.5), (7, 0.75), (255, F(0.9))])
def test_thinning_has_the_mean_and_the_scatter(rule, least, most, n, ratio):
    words = philox.mask_words(3, [5], 1, 2, 40000)[0]
    left = thinning.thin(np.full(words.shape, n), words, ratio, rule)
    variance = n * float(ratio) * (1 - float(ratio))
    assert abs(left.mean() - n * (1 - float(ratio))) < 5 * (variance / left.size) ** 0.5
    assert least * variance <= left.var() <= most * variance
    assert left.min() >= 0 and left.max() <= n


# ---- graphs written here ---------------------------------------------------------

class Graph:
    """A graph of a few nodes, without a file."""

    def __init__(self, shape, seed=1):
        self.tensors, self.nodes = [snn_reader.Tensor("x", F, tuple(shape))], []
        self.rng = np.random.default_rng(seed)

    def const(self, value, dtype=F):
        value = np.asarray(value, dtype)
        self.tensors.append(snn_reader.Tensor("", dtype, value.shape, value))
        return len(self.tensors) - 1

    def node(self, op, inputs, shape, fp=(), **ip):
        self.tensors.append(snn_reader.Tensor("", F, tuple(shape)))
        self.nodes.append(snn_reader.Node(op, 0, "%s%d" % (op, len(self.nodes)), inputs, len(self.tensors) - 1, ip,
                                          {k: F(v) for k, v in dict(fp).items()}))
        return len(self.tensors) - 1

    def neuron(self, x, theta=1.0, levels=16, shift=0.5, **more):
        shape = self.tensors[x].shape
        return self.node("neuron", [x, self.const(np.atleast_1d(theta))], shape, {"SHIFT": shift},
                         AXIS=len(shape) - 1, LEVELS=levels, **dict({"EVEN": 0}, **more))

    def mask(self, x, ratio):
        return self.node("mask", [x], self.tensors[x].shape, {"RATIO": ratio}, INDEX=len(self.nodes))

    def linear(self, x, weight, *more):
        shape = self.tensors[x].shape[:-1] + (np.shape(weight)[-1],)
        weight = self.const(weight, np.asarray(weight).dtype if np.asarray(weight).dtype == np.int8 else F)
        return self.node("linear", [x, weight] + list(more), shape)

    def conv(self, x, weight, stride=1, pad=0, group=1):
        kh, kw, _, out = np.shape(weight)
        _, h, w, _ = self.tensors[x].shape
        shape = (1, (h + 2 * pad - kh) // stride + 1, (w + 2 * pad - kw) // stride + 1, out)
        return self.node("conv", [x, self.const(weight)], shape, STRIDE=[stride] * 2, PAD=[pad] * 2,
                         DILATION=[1, 1], GROUP=group)

    def pool(self, x, fn, size=2):
        n, h, w, c = self.tensors[x].shape
        return self.node("pool", [x], (n, h // size, w // size, c), FN=fn, KERNEL=[size] * 2, STRIDE=[size] * 2,
                         PAD=[0, 0], DILATION=[1, 1], COUNT_PAD=0)

    def done(self, output):
        return snn_reader.Graph(8, 7, 0, output, [], [], 0, (0, 0), 0, "bicubic", "number", "channels", b"", "", "",
                                [], self.tensors, self.nodes)


def run(graph, x, mode="count", levels=None, **more):
    """x [samples, ...]; values of the simulator are [samples, 1, ...]."""
    sim = counts.CountSimulator(graph, mode, levels, **more)
    sim.begin(x, 3)
    sim.step()
    return sim


def image(shape, seed=1, samples=2):
    return np.random.default_rng(seed).uniform(-1, 2, (samples,) + tuple(shape[1:])).astype(F)


def test_ties_and_limits_of_a_neuron():
    """A membrane at a level reaches it; NaN fires nothing."""
    nan, inf = np.nan, np.inf
    for even, x, four, one in (
            (0, [0.125, 0.12499, 0.375, 5, -1, 0, nan, inf], [1, 0, 2, 4, 0, 0, 0, 4], [0, 0, 0, 1, 0, 0, 0, 1]),
            (1, [0.125, 0.12501, 0.375, 0.625, 5, -1, nan, 0.875], [0, 1, 2, 2, 4, 0, 0, 4], [0, 0, 0, 1, 1, 0, 0, 1])):
        g = Graph([1, 8])
        g = g.done(g.neuron(0, 1.0, 4, EVEN=even))
        for levels, n in ((4, four), (1, one)):
            assert run(g, np.array([x], F), levels=levels).counts[g.output].n.ravel().tolist() == n


@pytest.mark.parametrize("levels", [7, 15, 16, 200])
def test_roundings_of_a_neuron(levels):
    """Where a membrane is at a tie, only the stated order of roundings gives the stated counts."""
    theta, rng = F(0.7), np.random.default_rng(levels)
    x = (theta * F(1) / F(levels) * (np.arange(4 * levels) / 2 - levels / 2).astype(F)).astype(F)
    x = np.concatenate([x, np.nextafter(x, F(9)), np.nextafter(x, F(-9)), rng.normal(size=99).astype(F)])[None]
    g = Graph([1, x.size])
    g = g.done(g.neuron(0, theta, levels))
    want, other = [], 0
    for v in x[0]:
        want.append(min(max(math.floor(F(F(F(v * F(levels)) / theta) + F(0.5))), 0), levels))
        other += want[-1] != min(max(math.floor(F(F(v * F(F(levels) / theta)) + F(0.5))), 0), levels)
    sim = run(g, x)
    assert sim.counts[g.output].n.ravel().tolist() == want and other > 0
    values = [theta * F(F(n) / F(levels)) for n in want]
    assert sim.values[g.output].ravel().tolist() == values


def test_integer_sums_round_once():
    """2^24 + 1 as float32 is 2^24, 2^24 + 3 is 2^24 + 4; and c has one rounding."""
    g = Graph([1, 1065])
    n = g.neuron(0, 0.3, 127)
    weight = np.full((1065, 2), 127, np.int8)
    weight[-1] = 9, 11
    assert 127 * 127 * 1040 + 24 * 127 + 9 == 2 ** 24 + 1
    s = np.array([0.1, 0.7], F)
    y = g.linear(n, weight, None, g.const(s))
    x = np.ones((1, 1065), F)
    x[0, 1040:] = F(0.3) / 127
    sim = run(g.done(y), x)
    assert sim.counts[n].n.ravel().tolist() == [127] * 1040 + [1] * 25
    c = (np.float64(F(0.3)) / 127 * s.astype(np.float64)).astype(F)
    assert sim.values[y].ravel().tolist() == [c[0] * F(2 ** 24), c[1] * F(2 ** 24 + 4)]


def test_products_of_int8_networks_are_integers():
    g = Graph([1, 3, 40])
    a, b = g.neuron(0, 0.7, 13), g.neuron(0, 0.3, 9, 0.25)
    y = g.node("matmul", [a, b], (1, 3, 3), {"ALPHA": 0.35}, TRANS_B=1)
    out = g.linear(y, np.ones((3, 2), np.int8), None, g.const([1.0, 1.0]))
    sim = run(g.done(out), image([1, 3, 40]))
    n_a, n_b = (sim.counts[k].n[:, 0].astype(int) for k in (a, b))
    factor = F(np.float64(F(0.35)) * (np.float64(F(0.7)) / 13) * (np.float64(F(0.3)) / 9))
    want = [[[F(factor * F(sum(int(p) * int(q) for p, q in zip(r, c)))) for c in s_b] for r in s_a]
            for s_a, s_b in zip(n_a, n_b)]
    assert sim.values[y][:, 0].tolist() == want and len({v for m in want for r in m for v in r}) > 9


@pytest.mark.parametrize("rule", ["binomial", "systematic"])
def test_masks_draw_one_word_a_neuron(rule):
    """Counter (sample, 1, INDEX, element div 4), key (seed low, seed high), the graph's seed or another."""
    g = Graph([1, 3, 7])
    a = g.neuron(0, 1.0, 16)
    m = g.mask(a, 0.25)
    g.nodes[-1].ip["INDEX"] = 9
    for seed in (None, 0x0000000500000004):
        sim = run(g.done(m), image([1, 3, 7]), thinning=rule, seed=seed)
        key = (7, 0) if seed is None else (4, 5)
        table = thinning.binomial_thresholds(0.25)
        for s in range(2):
            for e, (n, left) in enumerate(zip(sim.counts[a].n[s].ravel(), sim.counts[m].n[s].ravel())):
                word = int(philox.philox4x32((3 + s, 1, 9, e // 4), key)[e % 4])
                want = (int(n) * 3 * 2 ** 30 + word) >> 32 if rule == "systematic" else sum(
                    int(t) <= word for t in table[int(n), :int(n)])
                assert left == want
        assert (sim.counts[m].n < sim.counts[a].n).any()
    same = run(g.done(a), image([1, 3, 7]))
    g.nodes[-1].fp["RATIO"] = F(0)
    assert (run(g.done(m), image([1, 3, 7])).counts[m].n == same.counts[a].n).all()


# ---- counting ---------------------------------------------------------------------

def one(mode, n):
    return n.sum() if mode == "count" else sum(bin(int(v)).count("1") for v in n.ravel())


@pytest.mark.parametrize("mode", ["count", "radix"])
def test_scales_and_pools_cost_nothing(mode):
    """The same network written in six ways: the same operations."""
    def base():
        g = Graph([1, 8, 8, 3])
        return g, g.neuron(0, [0.9, 1.1, 1.3], 11)

    rng = np.random.default_rng(3)
    weight, found = rng.normal(size=(2, 2, 3, 5)).astype(F), []
    for how in ("pool", "merged", "affine", "mul", "div", "neg"):
        g, y = base()
        if how == "affine":
            y = g.node("affine", [y, g.const([2.0]), g.const([0.25])], (1, 8, 8, 3), AXIS=3)
        elif how in ("mul", "div"):
            y = g.node("binary", [y, g.const([3.0])], (1, 8, 8, 3), FN=2 if how == "mul" else 3)
        elif how == "neg":
            y = g.node("unary", [y], (1, 8, 8, 3), FN=4)
        if how == "merged":
            y = g.conv(y, np.repeat(np.repeat(weight, 2, 0), 2, 1) / 4, 2)
        else:
            y = g.conv(g.pool(y, 0), weight)
        sim = run(g.done(y), image([1, 8, 8, 3]), mode)
        assert not sim.macs.any() and sim.sops.all()
        found.append(sim.sops.tolist())
    assert all(f == found[0] for f in found), found


@pytest.mark.parametrize("mode", ["count", "radix"])
def test_spikes_through_a_sum_and_a_maximum(mode):
    g = Graph([1, 4, 4, 3])
    a, b = g.neuron(0, 1.0, 16), g.mask(g.neuron(0, 0.5, 16), 0.5)
    y = g.node("binary", [a, b], (1, 4, 4, 3), FN=0)
    y = g.node("binary", [y, g.const([0.5])], (1, 4, 4, 3), FN=0)
    m = g.pool(a, 2)
    first, second = g.linear(y, np.ones((3, 7))), g.linear(m, np.ones((3, 5)))
    x = image([1, 4, 4, 3])
    sim = run(g.done(first), x, mode)
    thin = sim.counts[b].n
    assert 0 < thin.sum() < sim.counts[g.nodes[1].out].n.sum()
    largest = sim.counts[a].n.reshape(2, 1, 2, 2, 2, 2, 3).max((3, 5))
    assert (sim.counts[m].n == largest).all()
    for s in range(2):
        assert sim.work[[n.out for n in g.nodes].index(first)][1][s] == 7 * (
            one(mode, sim.counts[a].n[s]) + one(mode, thin[s]))
        assert sim.work[[n.out for n in g.nodes].index(second)][1][s] == 5 * one(mode, largest[s])
    assert not sim.macs.any()
    fired, spikes = sim.layer[1]
    assert spikes[0] == one(mode, thin[0]) and fired[0] == one(mode, sim.counts[g.nodes[1].out].n[0])


@pytest.mark.parametrize("mode", ["count", "radix"])
def test_pairs_of_a_product_are_those_that_meet(mode):
    """Every pair of spikes of a term meets once: counted one by one, by the recurrences of a window."""
    g = Graph([1, 3, 5])
    a, b = g.neuron(0, 0.7, 13), g.neuron(0, 1.5, 16)
    y = g.node("matmul", [a, b], (1, 3, 3), {"ALPHA": 1}, TRANS_B=1)
    sim = run(g.done(y), image([1, 3, 5]), mode)
    pairs = 0
    for s in range(2):
        for p in sim.counts[a].n[s, 0]:
            for q in sim.counts[b].n[s, 0]:
                for u, v in zip(p.astype(int), q.astype(int)):
                    trains = [[n >= t for t in range(1, 17)] if mode == "count" else [n >> t & 1 for t in range(4, -1, -1)]
                              for n in (u, v)]
                    before = [0, 0]
                    for i, j in zip(*trains):
                        pairs += before[0] * bool(j) + before[1] * bool(i) + (bool(i) and bool(j))
                        before = [before[0] + bool(i), before[1] + bool(j)]
    assert sim.sops.sum() == pairs > 0 and not sim.macs.any()


@pytest.mark.parametrize("stride, pad, group", [(1, 0, 1), (2, 1, 1), (1, 2, 3), (3, 1, 3)])
def test_outputs_that_a_spike_reaches(stride, pad, group):
    """Of a convolution: one spike alone, everywhere."""
    g = Graph([1, 4, 6, 3])
    a = g.neuron(0, 1.0, 5)
    y = g.conv(a, np.ones((2, 3, 3 // group, 6)), stride, pad, group)
    x = np.zeros((24 * 3, 4, 6, 3), F)
    x.reshape(72, 72)[np.arange(72), np.arange(72)] = 9
    sim = run(g.done(y), x)
    reached = (sim.values[y] != 0).reshape(72, -1).sum(1)
    assert sim.sops.tolist() == (5 * reached).tolist() and reached.any()


def test_what_is_analog_is_multiplied():
    """Images, softmax, sums with them; a product of softmax with spikes adds where there is one."""
    g = Graph([1, 3, 4])
    s = g.neuron(0, 1.0, 4)
    soft = g.node("softmax", [s], (1, 3, 4), AXIS=2)
    mixed = g.node("binary", [0, s], (1, 3, 4), FN=0)
    inverse = g.node("binary", [g.const([1.0]), s], (1, 3, 4), FN=3)
    outs = [g.linear(0, np.ones((4, 2))), g.linear(soft, np.ones((4, 2))), g.linear(mixed, np.ones((4, 2))),
            g.node("matmul", [soft, s], (1, 3, 3), {"ALPHA": 1}, TRANS_B=1), g.linear(s, np.ones((4, 2))),
            g.node("matmul", [0, s], (1, 3, 3), {"ALPHA": 1}, TRANS_B=1), g.linear(inverse, np.ones((4, 2)))]
    outs.append(g.linear(outs[4], np.ones((2, 2))))  # a sum of weights that no neuron reads is analog
    x = np.ones((1, 3, 4), F)
    x[0, 0, 0] = 0
    sim = run(g.done(outs[-1]), x)
    work = {node.out: sim.work.get(i) for i, node in enumerate(g.nodes)}
    n = int(sim.counts[s].n.sum())
    assert n == 44 and [(work[k][0], int(work[k][1][0])) for k in outs] == [
        ("macs", 22), ("macs", 24), ("macs", 22), ("sops", 3 * n), ("sops", 2 * n), ("sops", 3 * n), ("macs", 24),
        ("macs", 12)]


def test_thinning_may_add_digits():
    """16 -> 15 has three digits more: spikes before and after are both said."""
    g = Graph([1, 400])
    sim = run((lambda y: g.done(y))(g.mask(g.neuron(0, 1.0, 16), 0.0625)), np.full((1, 400), 2, F), "radix")
    fired, spikes = sim.layer[0]
    assert fired[0] == 400 and spikes[0] > 800


def test_counts_through_movement():
    """Unit and levels of what is joined; padding has no spikes; a maximum over unlike thetas takes the first of the largest."""
    g = Graph([1, 2, 3])
    a, b, c = g.neuron(0, 1.0, 8), g.neuron(0, 1.0, 8, 0.25), g.neuron(0, 1.0, 4)
    same = g.node("concat", [a, b], (1, 2, 6), AXIS=2)
    other = g.node("concat", [a, c], (1, 2, 6), AXIS=2)
    padded = g.node("pad", [same], (1, 2, 9), {"VALUE": 0}, BEFORE=[0, 0, 2])
    filled = g.node("pad", [same], (1, 2, 9), {"VALUE": 1}, BEFORE=[0, 0, 2])
    each = g.neuron(0, [1.0, 8.0, 2.0], 8)
    top = g.node("reduce", [each], (1, 2), FN=2, AXES=4)
    out = g.linear(filled, np.ones((9, 2)))
    sim = run(g.done(out), np.full((1, 2, 3), 1.0, F))
    assert sim.counts[same].unit and sim.counts[padded].unit and sim.counts[other].unit is None
    trains = [0, 0, 8, 8, 8, 8, 8, 8, 0]
    assert sim.counts[padded].n[0, 0, 0].tolist() == trains == sim.events[filled][0, 0, 0].tolist()
    assert filled not in sim.counts and sim.macs[0] == 0 and sim.sops[0] == 2 * 2 * 48
    assert sim.counts[each].n[0, 0, 0].tolist() == [8, 1, 4]
    assert sim.values[top][0, 0, 0] == 1 and sim.counts[top].n[0, 0, 0] == 8  # 1, 1, 1: the first


# ---- refusals, frames, latency ---------------------------------------------------------

def test_refusals():
    g = Graph([1, 4])
    g = g.done(g.neuron(0, 1.0, 256))
    with pytest.raises(counts.Refused, match="neuron0.*256 levels, expected 1..255"):
        counts.CountSimulator(g)
    counts.CountSimulator(g, levels=255)
    with pytest.raises(counts.Refused, match="no such form"):
        counts.CountSimulator(g, "radix", 15, frames=2)
    h = Graph([1, 4])
    with pytest.raises(counts.Refused, match="mask0.*no neuron"):
        run(h.done(h.mask(0, 0.5)), np.ones((1, 4), F))


def test_frames_enter_as_their_mean():
    g = Graph([1, 2, 3])
    y = g.linear(g.neuron(g.linear(0, g.rng.normal(size=(3, 5))), 0.8, 16), g.rng.normal(size=(5, 2)))
    g = g.done(y)
    x = image([1, 3, 2, 3])
    sim = run(g, x.reshape(2, 6, 3), frames=3)
    mean = ((x[:, 0] + x[:, 1]) + x[:, 2]) / F(3)
    assert sim.values[y].tobytes() == run(g, mean).values[y].tobytes()


def test_latency():
    g = Graph([1, 4])
    a = g.neuron(g.neuron(0, 1.0, 7), 1.0, 7)
    b = g.node("binary", [a, g.neuron(0, 1.0, 20)], (1, 4), FN=0)
    g = g.done(b)
    assert counts.CountSimulator(g).latency() == (2, 20)
    assert counts.CountSimulator(g, "radix").latency() == (2, 5)
    assert counts.CountSimulator(g, "radix", 8).latency() == (2, 4)


# ---- whole graphs: float mode, ONNX Runtime, true stepping --------------------------------

def sample(tool_, what, folder, weights):
    graph = snn_reader.load(make(tool_, what, folder, weights))
    rng = np.random.default_rng(len(what))
    x = rng.integers(-64, 64, (2,) + tuple(graph.tensors[graph.input].shape)[1:]) / 32
    return graph, x.astype(F)


def unmasked(graph):
    for node in graph.nodes:
        if node.op == "mask":
            node.fp["RATIO"] = F(0)
    return graph


def assert_is_float_mode(graph, x):
    """Every value of every node, count and radix."""
    unmasked(graph)
    ann = simulator.Simulator(graph, spiking=False)
    ann.begin(x)
    ann.step()
    for mode in ("count", "radix"):
        sim = run(graph, x, mode)
        for node in graph.nodes:
            a, b = ann.values[node.out], sim.values[node.out]
            assert np.array_equal(a.view(np.uint32), b.view(np.uint32)), (mode, node.op, node.name)
    return sim


def assert_steps_agree(graph, x, mode, levels, **more):
    """The window computed at once and spike by spike."""
    sim = run(graph, x, mode, levels, **more)
    report = stepping.Stepper(sim).run()
    assert report.sums_off == 0
    if sim.integer:
        assert report.counts_off == 0
    else:
        assert report.counts_off <= math.ceil(report.neurons * 1e-5) and report.farthest <= 1e-5, report
    return report


@pytest.mark.parametrize("weights", ["f32", "f16"])
@pytest.mark.parametrize("what", ["every-op"] + [str(seed) for seed in range(25)])
def test_float_mode_bit_for_bit(what, weights, snnkit, tmp_path):
    assert_is_float_mode(*sample(snnkit, what, tmp_path, weights))


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
@pytest.mark.parametrize("what", ["every-op"] + [str(seed) for seed in range(25)])
def test_windows_of_samples_step_by_step(what, weights, snnkit, tmp_path):
    graph, x = sample(snnkit, what, tmp_path, weights)
    for mode, levels in ANY:
        sim = run(graph, x, mode, levels)
        report = stepping.Stepper(sim).run()
        assert report.sums_off == 0 and (not sim.integer or report.counts_off == 0), (mode, levels, report)
        assert report.farthest <= 1e-5  # made of ties: more than one in 10^5 may sit at one
        if what == "every-op":
            assert (sim.layer[sim.neurons[0]][0] > sim.layer[sim.neurons[0]][1]).all() or mode == "radix"
            assert report.sums > 0 or not sim.integer


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """(model, weights, *arguments) -> graph"""
    def make_one(name, weights, *args):
        path = tmp_path_factory.mktemp("bin") / "m.bin"
        tool("mstconv", FIXTURES / (name + ".onnx"), "-o", path, "--quiet", "--weights", weights, *args)
        return snn_reader.load(path)
    return make_one


NETS = ["ext-data", "local-functions", "resnet18-ts", "vgg16-tsdyn", "swin-ts", "swin_pub-ts", "swin_pub_bn-tsdyn"]


def fixture_input(name):
    return np.load(FIXTURES / ((name if name in ("ext-data", "local-functions") else name.split("-")[0]) + ".npz"))["x"]


@pytest.mark.parametrize("name", NETS)
def test_networks_are_their_ann(name, converted):
    """At l = L: float mode bit for bit, ONNX Runtime's logits on the original model to rounding."""
    x = fixture_input(name)[:4]
    sim = assert_is_float_mode(converted(name, "f32"), x)
    logits = sim.values[sim.graph.output].reshape(len(x), -1)
    ann = np.stack([runtime(FIXTURES / (name + ".onnx"), one[None]) for one in x])
    assert (np.abs(logits - ann).max(1) <= 1e-4 * np.abs(ann).max(1)).mean() >= 0.75  # one may sit at a tie
    assert (logits.argmax(1) == ann.argmax(1)).all()
    assert sim.latency()[0] == {"ext-data": 2, "local-functions": 2, "resnet18-ts": 17, "vgg16-tsdyn": 15,
                                "swin-ts": 36}.get(name, 34)


@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("name", NETS + ["swin-masked-ts"])
def test_windows_of_networks_step_by_step(name, weights, converted):
    graph, x = converted(name, weights), fixture_input(name)[:2]
    for mode, levels in (("count", None), ("radix", None), ("radix", 7), ("count", 5)):
        report = assert_steps_agree(graph, x, mode, levels)
        assert report.steps == {("count", None): 8 if name == "local-functions" else 16, ("radix", None): 4 if
                                name == "local-functions" else 5, ("radix", 7): 3, ("count", 5): 5}[mode, levels]
        assert (report.sums > 0) == (weights == "int8")


def test_radix_computes_what_count_computes(converted):
    graph, x = converted("swin-masked-ts", "int8"), fixture_input("swin")[:2]
    for rule in ("binomial", "systematic"):
        a, b = (run(graph, x, mode, 15, thinning=rule) for mode in ("count", "radix"))
        assert a.values[graph.output].tobytes() == b.values[graph.output].tobytes()
        assert (a.sops > b.sops).all() and (a.macs == b.macs).all()
    assert run(graph, x, levels=15).values[graph.output].tobytes() != a.values[graph.output].tobytes()


@pytest.mark.parametrize("family", ["resnet18", "vgg16", "swin", "swin_pub"])
def test_figures_do_not_depend_on_the_exporter(family, converted):
    found = []
    for exporter in ("ts", "dynamo"):
        sim = run(converted(family + "-" + exporter, "f32"), fixture_input(family + "-ts")[:2], "radix")
        found.append((sim.sops.tolist(), sim.macs.tolist(), sim.latency()))
    assert found[0] == found[1]


# ---- the C tools; each takes what they gave --------------------------------------------------

def kit_values(raw):
    """{node: float32 values} of the file that `snnkit run` writes, one step."""
    found, at = {}, 0
    while at < len(raw):
        time, node, n = np.frombuffer(raw, "<u4", 3, at)
        if time != 0xFFFFFFFF:
            found[int(node)] = np.frombuffer(raw, "<f4", int(n), at + 12)
        at += 12 + 4 * int(n)
    return found


def assert_values(sim, found):
    """Every node of the kit's run, bit for bit. sim: of one sample."""
    assert found.keys() == {i for i, n in enumerate(sim.graph.nodes) if n.op != "reshape"}  # no operation of its own
    for i in sorted(found):
        node = sim.graph.nodes[i]
        mine = np.ascontiguousarray(sim.values[node.out][0], F).ravel()
        assert np.array_equal(mine.view(np.uint32), found[i].view("<u4")), "node %d %s '%s'" % (i, node.op, node.name)


def assert_run(graph, x, mode, trace, figures, **more):
    """mstrun's trace and JSON on samples 0.. of x."""
    rows, totals = compare.simulate_counts(graph, x, list(range(len(x))), mode, **more)
    assert compare.report(rows, trace)
    for key in ("sops", "macs"):
        assert figures[key + "_per_sample"] * len(x) == pytest.approx(totals[key], rel=1e-9), key
    return totals


@pytest.mark.parametrize("weights", ["f32", "f16"])
@pytest.mark.parametrize("what", ["tiny", "25", "30", "45", "48"])
def test_values_of_the_c_float_mode(what, weights, snnkit, tmp_path):
    """Graphs without masks, at l = L: what assert_values holds against count mode holds for float mode."""
    graph, x = sample(snnkit, what, tmp_path, weights)
    x[:1].tofile(tmp_path / "x.f32")
    snnkit("run", tmp_path / ("%s-%s.bin" % (what, weights)), tmp_path / "x.f32", 3, 1, tmp_path / "out.bin", "float")
    found = kit_values((tmp_path / "out.bin").read_bytes())
    assert_values(run(graph, x[:1]), found)
    found[1] = found[1] + F(1)
    with pytest.raises(AssertionError):
        assert_values(run(graph, x[:1]), found)


def test_compare_reads_a_trace_of_counts(converted, tmp_path):
    """What assert_run holds against mstrun, on a trace made here and on one with a count changed."""
    graph, x = converted("swin-masked-ts", "int8"), fixture_input("swin")[:3].astype(F)
    rows, totals = compare.simulate_counts(graph, x, [0, 1, 2], "radix", levels=7, batch=2)
    figures = {"sops_per_sample": totals["sops"] / 3, "macs_per_sample": totals["macs"] / 3}
    for change in (0, 1):
        lines = ["%d,%d,%d,%s,%d,%d" % (key + row[:2] + (row[2] + change * (key == (2, 1, 5)),))
                 for key, row in sorted(rows.items())]
        (tmp_path / "t.csv").write_text("sample,step,layer,name,fired,spikes\n" + "\n".join(lines) + "\n")
        trace = compare.read_trace(tmp_path / "t.csv")
        if change:
            with pytest.raises(AssertionError):
                assert_run(graph, x, "radix", trace, figures, levels=7)
        else:
            assert_run(graph, x, "radix", trace, figures, levels=7)
    with pytest.raises(AssertionError):
        assert_run(graph, x, "radix", compare.read_trace(tmp_path / "t.csv"), dict(figures, sops_per_sample=1), levels=7)
    assert any(row[1] != row[2] for row in rows.values())


def has_modes(program, *args):
    path = pathlib.Path(BUILD) / program
    if not path.exists():
        pytest.skip("%s is not built" % path)
    done = subprocess.run([str(path), *args], capture_output=True, text=True, env=dict(os.environ))
    if "radix" not in done.stdout + done.stderr:
        pytest.skip("%s has no count mode" % program)


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
@pytest.mark.parametrize("mode", ["count", "radix"])
@pytest.mark.parametrize("what", ["every-op"] + [str(seed) for seed in range(25)])
def test_tool_every_node(what, mode, weights, snnkit, tmp_path):
    has_modes("tests/tools/snnkit")
    graph, x = sample(snnkit, what, tmp_path, weights)
    x[:1].tofile(tmp_path / "x.f32")
    done = snnkit("run", tmp_path / ("%s-%s.bin" % (what, weights)), tmp_path / "x.f32", 3, 1, tmp_path / "out.bin", mode)
    sim = run(graph, x[:1], mode)
    assert_values(sim, kit_values((tmp_path / "out.bin").read_bytes()))
    assert [int(n) for n in done.stdout.split()] == [sim.sops[0], sim.macs[0]]


@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("mode, levels", [("count", None), ("radix", None), ("count", 8), ("radix", 7)])
@pytest.mark.parametrize("name", ["resnet18-ts", "vgg16-tsdyn", "swin-masked-ts", "swin_pub-ts"])
def test_tool_networks(name, mode, levels, weights, tmp_path):
    has_modes("mstrun", "--help")
    path, x = tmp_path / "m.bin", fixture_input(name)
    tool("mstconv", FIXTURES / (name + ".onnx"), "-o", path, "--quiet", "--weights", weights)
    np.save(tmp_path / "x.npy", x.astype(F))
    args = ["--levels", levels] if levels else []
    done = tool("mstrun", path, "npy:%s" % (tmp_path / "x.npy"), "--mode", mode, "--trace", tmp_path / "t.csv",
                "--json", "-", "--quiet", *args)
    assert_run(snn_reader.load(path), x, mode, compare.read_trace(tmp_path / "t.csv"), json.loads(done.stdout),
               levels=levels)
