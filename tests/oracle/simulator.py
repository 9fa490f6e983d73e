"""Run a graph as docs/EXECUTION.md says, on a batch of samples, with numpy.

    sim = Simulator(graph, spiking=True, seed=graph.seed)
    sim.begin(x, first_sample=0)      # x [samples, C, H, W]; [samples, frames * C, H, W] with frames
    logits = sim.step()               # [samples, classes]
    sim.layer[node], sim.values[tensor], sim.potential[node], sim.sops, sim.macs

Values carry a leading sample axis before the graph's own dimensions. Sums are loops over
what is summed, vectors over everything else, so every rounding is where the document puts
it. Adding -0.0 changes no bit of any number, so a skipped term is an added -0.0.
"""
import numpy as np

from . import sim_ops as ops
from .events import MOVES, Counting
from .philox import mask_words

F = np.float32


def _handlers():
    return {"reshape": ops.reshape, "transpose": ops.transpose, "slice": ops.slice_, "concat": ops.concat,
            "gather": ops.gather, "pad": ops.pad, "expand": ops.expand, "linear": ops.linear, "conv": ops.conv,
            "affine": ops.affine, "binary": ops.binary, "pool": ops.pool, "rate_pool": ops.rate_pool,
            "reduce": ops.reduce_, "clip": ops.clip,
            "unary": ops.unary, "softmax": ops.softmax, "layernorm": ops.layernorm}


class Simulator(Counting):
    def __init__(self, graph, spiking=True, seed=None, frames=1, readout_from=1):
        self.graph, self.spiking, self.frames = graph, spiking, frames
        self.readout_from = readout_from
        self.seed = graph.seed if seed is None else seed
        self.handlers = _handlers()
        self.neurons = [i for i, n in enumerate(graph.nodes) if n.op == "neuron"]
        self.masks = {n.inputs[0]: i for i, n in enumerate(graph.nodes) if n.op == "mask"}
        self._classify()

    def _classify(self):
        """Which nodes are static; which tensors carry spikes, and their scale (None: none)."""
        dynamic = {self.graph.input} if self.frames > 1 and self.spiking else set()
        self.static, self.spikes, self.trains = set(), {}, set()
        for i, node in enumerate(self.graph.nodes):
            data = [k for k in node.inputs if k is not None]
            if node.op in ("neuron", "mask", "rate_pool") or any(k in dynamic for k in data):
                dynamic.add(node.out)
            else:
                self.static.add(i)
            if node.op == "neuron":
                theta = self.graph.tensors[node.inputs[1]].data.ravel()
                self.spikes[node.out] = theta[0] if theta.size == 1 else None
            elif node.op in ("mask", "rate_pool"):
                if node.inputs[0] in self.spikes:
                    self.spikes[node.out] = self.spikes[node.inputs[0]]
            elif node.op in MOVES and not (node.op == "pad" and node.fp["VALUE"] != 0):
                sources = data[:1] if node.op == "gather" else data
                if all(k in self.spikes for k in sources):
                    scales = {None if self.spikes[k] is None else self.spikes[k].tobytes() for k in sources}
                    self.spikes[node.out] = self.spikes[sources[0]] if len(scales) == 1 else None
            self._classify_train(node, data)

    def _classify_train(self, node, data):
        """Trains: spikes, moved or not, and their maxima."""
        moved = node.op in MOVES and not (node.op == "pad" and node.fp["VALUE"] != 0)
        sources = data if node.op == "concat" else data[:1]
        if node.out in self.spikes or ((ops.takes_largest(node) or moved) and all(k in self.trains for k in sources)):
            self.trains.add(node.out)

    def begin(self, x, first_sample=0):
        """x: float32 [samples, ...], each sample the graph's input without its leading 1, once a frame."""
        shape = self.graph.tensors[self.graph.input].shape
        x = np.ascontiguousarray(x, F)
        self.pictures = x.reshape((len(x), self.frames) + shape)
        self.samples = np.arange(first_sample, first_sample + len(x))
        self.time = 0
        self.values = {}
        self.potential = {}
        self.so_far = {}  # node of a RATE_POOL -> spikes of its input
        self.logit_sum = 0.0
        self._begin_counting()
        self.layer = {}  # node of a NEURON -> (fired [samples], spikes [samples]) of the last step

    def _show(self):
        """The frame of this step; the mean of all, added up in their order, where there is but one pass."""
        picture = self.pictures[:, (self.time - 1) % self.frames]
        if self.frames > 1 and not self.spiking:
            picture = self.pictures[:, 0]
            for f in range(1, self.frames):
                picture = picture + self.pictures[:, f]
            picture = picture / F(self.frames)
        self.values[self.graph.input] = picture

    def _value(self, k):
        """An operand with its sample axis (length 1 for constants)."""
        if k is None:
            return None
        tensor = self.graph.tensors[k]
        return self.values[k] if tensor.data is None else tensor.data[None]

    def step(self):
        """One time step (spiking) or one pass (float); the output [samples, classes]."""
        self.time += 1
        self._show()
        with np.errstate(all="ignore"):
            for i, node in enumerate(self.graph.nodes):
                if i not in self.static or self.time == 1:
                    self._run(i, node)
        logits = self.values[self.graph.output].reshape(len(self.samples), -1)
        if self.time == self.readout_from:
            self.logit_sum = 0.0
        self.logit_sum = self.logit_sum + logits.astype(np.float64)
        return logits

    def mean_logits(self):
        before = self.time < self.readout_from
        return self.logit_sum / (self.time if before else self.time - self.readout_from + 1)

    def _run(self, i, node):
        args = [self._value(k) for k in node.inputs]
        out_shape = self.graph.tensors[node.out].shape
        if node.op == "neuron":
            value = self._neuron(i, node, args)
        elif node.op == "mask":
            value = self._mask(i, node, args[0])
        elif node.op == "matmul":
            value = self._matmul(node, args)
        elif node.op == "rate_pool":
            value = self._rate_pool(i, node, args, out_shape)
        elif node.op in ("linear", "conv"):
            value = self._sums(node, args, out_shape)
        else:
            value = self.handlers[node.op](node, args, out_shape)
        value = np.asarray(value)
        assert value.dtype == F and value.shape[1:] == tuple(out_shape), (node.name, node.op, value.shape, out_shape)
        self.values[node.out] = np.broadcast_to(value, (len(self.samples),) + value.shape[1:])
        self._note(i, node)

    def _made_of(self, node):
        """One spike where a train is not 0."""
        if self.spiking and node.out in self.trains:
            return (self.values[node.out] != 0).astype(np.float64)
        return None

    def _neuron(self, i, node, args):
        x, theta = args[0], ops.along(args[1], node.ip["AXIS"], args[0].ndim)
        current = x
        if args[2:] and args[2] is not None:
            gain, bias = (ops.along(a, node.ip["AXIS"], x.ndim) for a in args[2:4])
            current = gain * x + bias
        shift, levels = node.fp["SHIFT"], F(node.ip["LEVELS"])
        if not self.spiking:
            ratio = (current * levels) / theta
            q = np.rint(ratio) + F(0) if node.ip["EVEN"] else np.floor(ratio + shift)
            return theta * (np.minimum(np.maximum(q, F(0)), levels) / levels)
        v = self.potential.get(i)
        if v is None:
            v = np.broadcast_to(self._first(i, node, x.shape[1:]) * theta, x.shape)
        u = v + current
        fires = u >= theta
        self.potential[i] = np.where(fires, u - theta, u)
        counts = fires.reshape(len(fires), -1).sum(1)
        self.layer[i] = (counts, counts)
        return np.where(fires, np.broadcast_to(theta, x.shape), F(0))

    def _first(self, i, node, shape):
        """v(0)/theta: the neuron's SHIFT, or what was tuned along some axes."""
        if self.graph.tuning is None or i not in self.graph.tuning.first:
            return node.fp["SHIFT"]
        axes, values = self.graph.tuning.first[i]
        return values.reshape([1] + [n if d in axes else 1 for d, n in enumerate(shape)])

    def _mask(self, i, node, x):
        ratio = node.fp["RATIO"]
        if not self.spiking:
            return x * (F(1) - ratio)
        limit = np.uint32(np.rint(float(ratio) * 2.0 ** 32))
        words = mask_words(self.seed, self.samples, self.time, node.ip["INDEX"], x[0].size)
        out = np.where((words >= limit).reshape(x.shape), x, F(0))
        source = next(k for k in self.neurons if self.graph.nodes[k].out == node.inputs[0])
        self.layer[source] = (self.layer[source][0], (out != 0).reshape(len(out), -1).sum(1))
        return out

    def _rate_pool(self, i, node, args, shape):
        if not self._has_time():
            return ops.rate_pool(node, args, shape)
        before = self.so_far.get(i, np.zeros(args[0].shape, np.int64))
        self.so_far[i] = before + (args[0] != 0)
        return ops.rate_pool(node, args, shape, before)

    def _has_time(self):
        return self.spiking

    def _scale(self, k):
        """The scale of a spike tensor; None where it is not one, or has none."""
        return self.spikes.get(k) if self.spiking else None

    def _sums(self, node, args, shape):
        """LINEAR and CONV: sums of int8 weights at spikes are integers, all others floats in order."""
        scale = self._scale(node.inputs[0])
        if args[1].dtype != np.int8 or scale is None:
            return self.handlers[node.op](node, args, shape)
        spikes = (args[0] != 0).astype(F)
        return self.handlers[node.op](node, [spikes] + args[1:], shape, scale * args[3].reshape(-1))

    def _matmul(self, node, args):
        a, b = ops.align(*args)
        if node.ip["TRANS_B"]:
            b = np.swapaxes(b, -1, -2)
        alpha = float(node.fp["ALPHA"])
        scale_a, scale_b = (self._scale(k) for k in node.inputs)
        if scale_a is not None and scale_b is not None:
            count = (a != 0).astype(F) @ (b != 0).astype(F)  # exact: small integers
            return F(alpha * float(scale_a) * float(scale_b)) * count
        if scale_a is not None:
            return F(alpha * float(scale_a)) * ops.masked_products((a != 0), None, b)
        if scale_b is not None:
            flipped = ops.masked_products(np.swapaxes(b != 0, -1, -2), None, np.swapaxes(a, -1, -2))
            return F(alpha * float(scale_b)) * np.swapaxes(flipped, -1, -2)
        return F(alpha) * ops.masked_products((a != 0), a, b)
