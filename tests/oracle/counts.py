"""Run a graph in count or radix mode as docs/EXECUTION.md ("Count and radix") says, on a batch of samples.

    sim = CountSimulator(graph, "count", levels=None)   # levels: of all layers; None: each layer's own
    sim.begin(x, first_sample=0)
    logits = sim.step()                                 # once
    sim.layer[node], sim.sops, sim.macs, sim.counts[tensor].n; what is counted: events.py

What is not said there is float mode, which the Simulator below it runs.
"""
import dataclasses

import numpy as np

from . import sim_ops as ops
from .philox import mask_words
from .simulator import F, MOVES, Simulator
from .thinning import thin


class Refused(ValueError):
    """The graph has no such form."""


@dataclasses.dataclass
class Counts:
    """A count tensor; arrays of float32 [1 or samples, dims], theta and levels as they belong to each element."""
    n: np.ndarray
    theta: np.ndarray
    levels: np.ndarray
    unit: tuple  # (bits of theta, l); None

    def scale(self):
        """q, float64; where padding has no neuron, 0."""
        return self.theta.astype(np.float64) / np.maximum(self.levels, 1)

    def q(self):
        return np.float64(np.frombuffer(self.unit[0], F)[0]) / np.float64(self.unit[1])


def digits(n):
    """How many binary digits of n are 1."""
    n = n.astype(np.uint8)
    return np.unpackbits(n[..., None], axis=-1).sum(-1).astype(np.float64)


class CountSimulator(Simulator):
    def __init__(self, graph, mode="count", levels=None, seed=None, frames=1, thinning="binomial"):
        super().__init__(graph, spiking=False, seed=seed, frames=frames)
        self.mode, self.rule = mode, thinning
        self.integer = any(t.data is not None and t.dtype == np.int8 for t in graph.tensors)
        self.levels = {i: levels or graph.nodes[i].ip.get("TOP") or graph.nodes[i].ip["LEVELS"] for i in self.neurons}
        for i, l in self.levels.items():
            if not 1 <= l <= 255:
                raise Refused("node '%s': %d levels, expected 1..255" % (graph.nodes[i].name, l))
        if mode == "radix" and frames > 1:
            raise Refused("radix: frames one after another have no such form")

    def begin(self, x, first_sample=0):
        super().begin(x, first_sample)
        self.counts = {}
        self.source = {}  # tensor of a NEURON or its MASKs -> the NEURON

    def latency(self):
        """(windows one after another, steps of one)"""
        depth = {}
        for i, node in enumerate(self.graph.nodes):
            depth[node.out] = max([depth.get(k, 0) for k in node.inputs]) + (node.op == "neuron")
        top = max(self.levels.values(), default=0)
        return depth.get(self.graph.output, 0), top if self.mode == "count" else top.bit_length()

    # ---- values ------------------------------------------------------------

    def _has_time(self):
        return False

    def _made_of(self, node):
        if node.op in MOVES or ops.takes_largest(node):
            self._move(node)
        if node.out in self.counts:
            return self._spikes(self.counts[node.out].n)
        return None

    def _spikes(self, n):
        return n.astype(np.float64) if self.mode == "count" else digits(n)

    def _neuron(self, i, node, args):
        x, theta = args[0], ops.along(args[1], node.ip["AXIS"], args[0].ndim)
        if args[2:] and args[2] is not None:
            gain, bias = (ops.along(a, node.ip["AXIS"], x.ndim) for a in args[2:4])
            x = gain * x + bias
        l = F(self.levels[i])
        z = (x * l) / theta
        z = np.rint(z) if node.ip["EVEN"] else np.floor(z + node.fp["SHIFT"])
        n = np.where(z >= 1, np.minimum(z, l), F(0)).astype(F)
        unit = (args[1].tobytes(), self.levels[i]) if args[1].size == 1 else None
        along = np.broadcast_to(theta, (1,) + n.shape[1:])
        fired = self._sum(self._spikes(n))
        self.layer[i] = (fired, fired)
        self.source[node.out] = i
        return self._made(node.out, Counts(n, along, np.full_like(along, l), unit))

    def _made(self, tensor, c):
        self.counts[tensor] = c
        return c.theta * (c.n / c.levels)

    def _mask(self, i, node, x):
        c = self.counts.get(node.inputs[0])
        if c is None:
            raise Refused("node '%s': a mask of what no neuron has made" % node.name)
        words = mask_words(self.seed, self.samples, 1, node.ip["INDEX"], x[0].size).reshape(x.shape)
        n = np.broadcast_to(c.n, x.shape).astype(np.int64)
        left = dataclasses.replace(c, n=thin(n, words, node.fp["RATIO"], self.rule).astype(F))
        neuron = self.source.pop(node.inputs[0], None)
        if neuron is not None:  # the first mask of a neuron counts
            self.layer[neuron] = (self.layer[neuron][0], self._sum(self._spikes(left.n)))
        return self._made(node.out, left)

    def _unit(self, k):
        c = self.counts.get(k)
        return c if c is not None and c.unit is not None else None

    def _sums(self, node, args, shape):
        c = self._unit(node.inputs[0])
        if args[1].dtype != np.int8 or c is None:
            return self.handlers[node.op](node, args, shape)
        factors = (c.q() * args[3].reshape(-1).astype(np.float64)).astype(F)
        return self.handlers[node.op](node, [c.n] + args[1:], shape, factors)

    def _matmul(self, node, args):
        a, b = (self._unit(k) for k in node.inputs)
        if not self.integer or a is None or b is None:
            return super()._matmul(node, args)
        n_a, n_b = ops.align(a.n.astype(np.float64), b.n.astype(np.float64))
        sums = n_a @ (np.swapaxes(n_b, -1, -2) if node.ip["TRANS_B"] else n_b)  # exact: below 2^53
        return F(np.float64(node.fp["ALPHA"]) * a.q() * b.q()) * sums.astype(F)

    # ---- movement and maxima of count tensors --------------------------------

    def _move(self, node):
        if node.op in MOVES and not (node.op == "pad" and node.fp["VALUE"] != 0):
            self._carry(node)
        elif ops.takes_largest(node) and node.inputs[0] in self.counts:
            self._largest(node)

    def _carry(self, node):
        data = node.inputs[:1] if node.op == "gather" else node.inputs
        parts = [self.counts.get(k) for k in data]
        if any(p is None for p in parts):
            return
        index = [self._value(k) for k in node.inputs[1:]] if node.op == "gather" else []
        shape = self.graph.tensors[node.out].shape
        moved = [self.handlers[node.op](node, [getattr(p, f) for p in parts] + index, shape)
                 for f in ("n", "theta", "levels")]
        units = {p.unit for p in parts}
        self.counts[node.out] = Counts(*moved, units.pop() if len(units) == 1 else None)

    def _largest(self, node):
        c, shape = self.counts[node.inputs[0]], self.graph.tensors[node.out].shape
        value = self.values[node.inputs[0]]
        parts = [np.broadcast_to(a, value.shape) for a in (c.n, c.theta, c.levels)]
        if node.op in ("pool", "rate_pool"):
            def rows(x, fill):
                taken, _ = ops.windows(x, node.ip["KERNEL"], node, shape[1:3], fill)
                return np.moveaxis(taken, -1, 4).reshape(taken.shape[:4] + (taken.shape[-1], -1))
        else:
            def rows(x, fill):
                return ops.reduced_rows(node, x, shape)
        first = rows(value, -np.inf).argmax(-1)[..., None]
        taken = [np.take_along_axis(rows(p, 0), first, -1)[..., 0] for p in parts]
        self.counts[node.out] = Counts(*(t.reshape((len(value),) + tuple(shape)) for t in taken), c.unit)
