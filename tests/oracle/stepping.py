"""True stepping of the windows: what a CountSimulator has computed at once, spike by spike.

    sim.step()
    report = Stepper(sim).run()
    report.counts_off, report.sums_off, report.neurons, report.farthest

Each node gets what the simulator's nodes gave (equal inputs, layer by layer) as trains of spikes: count
tensors send n spikes at steps 1..n (count) or the digits of n (radix), sums take them in step by step, neurons fire
one spike after the other. Sums of integers must be the simulator's bit for bit. Other sums are float64 up to the
neuron, whose membrane loses q = theta/l with each spike: its counts may differ where its membrane is at a tie.
"""
import dataclasses

import numpy as np

from . import sim_ops as ops
from .simulator import F

ELEMENTWISE = [np.add, np.subtract, np.multiply, np.divide]


@dataclasses.dataclass
class Report:
    neurons: int = 0     # compared
    counts_off: int = 0  # whose counts differ
    farthest: float = 0  # from a tie, in units of q, that one of these is
    sums: int = 0        # elements of integer sums compared
    sums_off: int = 0
    steps: int = 0       # of the longest window


class Stepper:
    def __init__(self, sim):
        self.sim, self.graph, self.report = sim, sim.graph, Report()
        self.radix = sim.mode == "radix"
        self.wide = {}  # tensor -> float64: what a window has summed up

    def run(self):
        with np.errstate(all="ignore"):
            for i, node in enumerate(self.graph.nodes):
                if node.op == "neuron":
                    self._neuron(i, node)
                self.wide[node.out] = self._output(node)
        return self.report

    def _value(self, k):
        if k in self.wide:
            return self.wide[k]
        return self.sim._value(k).astype(np.float64)

    def _output(self, node):
        counts = self.sim.counts.get(node.out)
        if counts is not None:
            return counts.scale() * counts.n
        if node.op in ("linear", "conv"):
            return self._weights(node)
        if node.op == "matmul":
            return self._product(node)
        linear = node.op in ("affine", "reduce", "pool", "reshape", "transpose", "slice", "concat", "gather", "expand",
                             "binary")
        if linear and not (node.op == "binary" and node.ip["FN"] >= len(ELEMENTWISE)):
            return self._same(node)
        return self.sim.values[node.out].astype(np.float64)  # an island: the decoded values, once a window

    def _same(self, node):
        """A node of float mode in float64."""
        shape = self.graph.tensors[node.out].shape
        args = [self._value(k) if self.graph.tensors[k].dtype != np.int32 else self.sim._value(k) for k in node.inputs]
        if node.op == "binary":
            return ELEMENTWISE[node.ip["FN"]](*ops.align(*args))
        return self.sim.handlers[node.op](node, args, shape)

    # ---- trains ---------------------------------------------------------------

    def _length(self, counts):
        top = int(counts.levels.max())
        return top.bit_length() if self.radix else top

    def _spikes(self, counts, step, length):
        """0 or 1 for each element, steps 1..length."""
        n = counts.n.astype(np.int64)
        return ((n >> (length - step)) & 1 if self.radix else n >= step).astype(np.float64)

    def _train(self, *counts):
        """(spikes of each count tensor) of each step of a window that all fit into."""
        length = max(self._length(c) for c in counts)
        self.report.steps = max(self.report.steps, length)
        for step in range(1, length + 1):
            yield [self._spikes(c, step, length) for c in counts]

    # ---- sums -----------------------------------------------------------------

    def _sum(self, counts, add):
        """What a window sums up of add(spikes), which is linear in them."""
        total = 0.0
        for spikes, in self._train(counts):
            total = (2 * total if self.radix else total) + add(spikes)
        return total

    def _weights(self, node):
        args = [self.sim._value(k) if k is not None else None for k in node.inputs]
        counts = self.sim.counts.get(node.inputs[0])
        bias = args[2].reshape(-1) if len(args) > 2 and args[2] is not None else F(0)
        weight = args[1][0].astype(np.float64)
        if counts is not None and counts.unit is not None and args[1].dtype == np.int8:
            sums = self._sum(counts, lambda s: self._linear(node, s, weight))
            c = (counts.q() * args[3].reshape(-1).astype(np.float64)).astype(F)
            return self._exact(node, c * sums.astype(F) + bias)
        weight = ops.weight_of(args)[0].astype(np.float64)
        if counts is None:
            return self._linear(node, self._value(node.inputs[0]), weight) + bias
        return self._sum(counts, lambda s: self._linear(node, counts.scale() * s, weight)) + bias

    def _exact(self, node, value):
        """An integer sum: compared bit for bit."""
        other = self.sim.values[node.out]
        mine = np.ascontiguousarray(np.broadcast_to(value.astype(F), other.shape))
        self.report.sums += mine.size
        self.report.sums_off += int((mine.view(np.uint32) != np.ascontiguousarray(other).view(np.uint32)).sum())
        return other.astype(np.float64)

    def _linear(self, node, x, weight):
        if node.op == "linear":
            return x @ weight
        kh, kw, depth, outputs = weight.shape
        shape, groups = self.graph.tensors[node.out].shape, node.ip["GROUP"]
        per, parts = outputs // groups, []
        taken, _ = ops.windows(x, (kh, kw), node, shape[1:3], 0)
        for g in range(groups):
            rows = taken[..., g * depth:(g + 1) * depth]
            rows = rows.reshape(rows.shape[:4] + (-1,))
            parts.append(rows @ weight[..., g * per:(g + 1) * per].reshape(-1, per))
        return np.concatenate(parts, -1)

    def _product(self, node):
        a, b = (self.sim.counts.get(k) for k in node.inputs)
        alpha = np.float64(node.fp["ALPHA"])
        if a is not None and b is not None and self.sim.integer and a.unit and b.unit:
            sums = self._pairs(node, a, b, 1.0, 1.0)
            return self._exact(node, F(alpha * a.q() * b.q()) * sums.astype(F))
        if a is not None and b is not None:
            return alpha * self._pairs(node, a, b, a.scale(), b.scale())
        if a is not None:
            other = self._value(node.inputs[1])
            return alpha * self._sum(a, lambda s: self._times(node, a.scale() * s, other))
        if b is not None:
            other = self._value(node.inputs[0])
            return alpha * self._sum(b, lambda s: self._times(node, other, b.scale() * s))
        return alpha * self._times(node, *(self._value(k) for k in node.inputs))

    def _times(self, node, a, b):
        a, b = ops.align(a, b)
        return a @ (np.swapaxes(b, -1, -2) if node.ip["TRANS_B"] else b)

    def _pairs(self, node, a, b, q_a, q_b):
        """P of two trains: each pair of spikes adds q_a*q_b once, when the later of the two arrives."""
        n_a, n_b, total = np.zeros(a.n.shape), np.zeros(b.n.shape), 0.0
        for s_a, s_b in self._train(a, b):
            s_a, s_b = q_a * s_a, q_b * s_b
            cross = self._times(node, n_a, s_b) + self._times(node, s_a, n_b)
            both = self._times(node, s_a, s_b)
            total = 4 * total + 2 * cross + both if self.radix else total + cross + both
            n_a, n_b = (2 * n_a + s_a, 2 * n_b + s_b) if self.radix else (n_a + s_a, n_b + s_b)
        return total

    # ---- neurons --------------------------------------------------------------

    def _neuron(self, i, node):
        l, integer = self.sim.levels[i], self.sim.integer
        counts = self.sim.counts[node.out]
        x = self.sim.values[node.inputs[0]] if integer else self._value(node.inputs[0])
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            gain, bias = (ops.along(self.sim._value(k), node.ip["AXIS"], x.ndim) for k in node.inputs[2:4])
            x = gain * x + bias
        if integer:  # in units of q: to take 1 away is exact
            v, unit = (x * F(l)) / counts.theta + node.fp["SHIFT"], F(1)
        else:
            unit = counts.theta.astype(np.float64) / l
            v = x + float(node.fp["SHIFT"]) * unit
        even = node.ip["EVEN"] != 0
        fired = self._fire_digits(v, unit, l, even) if self.radix else self._fire(v, unit, l, even)
        off = np.broadcast_to(fired, counts.n.shape) != counts.n
        self.report.neurons += off.size
        self.report.counts_off += int(off.sum())
        if off.any():
            z = np.broadcast_to(v / unit, off.shape)[off]
            self.report.farthest = max(self.report.farthest, float(np.abs(z - np.rint(z)).max()))

    def _fire(self, v, unit, l, even):
        """even: an odd spike needs more than the threshold."""
        n = np.zeros(v.shape, F)
        for _ in range(l):
            s = (v > unit) | (v >= unit) & ((n % 2 == 1) | (not even))
            v = np.where(s, v - unit, v)
            n += s
        return n

    def _fire_digits(self, v, unit, l, even):
        k = l.bit_length()
        if l == 1 and even:
            return self._fire(v, unit, l, even)
        if l == 2 ** (k - 1):
            v = np.minimum(v, l * unit)
        elif l != 2 ** k - 1:
            return self._fire(v, unit, l, even)  # n is formed first
        n = np.zeros(v.shape, F)
        for digit in range(k):
            s = v >= 2 ** (k - 1) * unit
            if even and digit == k - 1:
                s &= v != 2 ** (k - 1) * unit
            v = 2 * np.where(s, v - 2 ** (k - 1) * unit, v)
            n = 2 * n + s
        return n
