"""Counting as docs/EXECUTION.md says: how many spikes each element is made of, synaptic operations, multiply-adds.

A part of both simulators, which say what their neurons made (_made_of).
"""
import dataclasses

import numpy as np

from . import sim_ops as ops

F = np.float32
MOVES = {"reshape", "transpose", "slice", "concat", "gather", "pad", "expand"}
NEG, ADD, SUB, MUL, DIV = 4, 0, 1, 2, 3


def reach(taps, size, node, axis, out):
    """Through how many (output, tap) pairs each input position of a convolution's axis is read: [size]."""
    stride, before, dilation = (node.ip[k][axis] for k in ("STRIDE", "PAD", "DILATION"))
    at = np.arange(out)[:, None] * stride - before + np.arange(taps)[None, :] * dilation
    return np.bincount(at[(at >= 0) & (at < size)], minlength=size).astype(np.float64)


class Counting:
    """self.events[tensor]: of each element [1 or samples, dims]; not there: analog, or computed from constants."""

    def _begin_counting(self):
        self.events, self.reached = {}, {self.graph.input}
        self.work = {}  # node -> ("sops" or "macs", [samples]) of the last step
        self.sops = self.macs = np.zeros(len(self.samples), np.int64)

    def _sum(self, e):
        """[samples], of an array with a leading sample axis."""
        return np.broadcast_to(e.reshape(len(e), -1).sum(1), len(self.samples)).astype(np.int64)

    def _note(self, i, node):
        """Node i has run."""
        if node.op in ("neuron", "mask") or any(k in self.reached for k in node.inputs):
            self.reached.add(node.out)
        events = self._made_of(node)
        if events is None and node.out in self.reached:
            events = self._pass_on(node)
        if events is not None:
            self.events[node.out] = events
        if node.op in ("linear", "conv", "matmul"):
            self._count(i, node)

    def _events(self, k):
        """The events of a tensor; zeros for a constant, None for an analog one."""
        if k in self.events or k in self.reached:
            return self.events.get(k)
        return np.zeros((1,) + tuple(self.graph.tensors[k].shape))

    def _pass_on(self, node):
        data = node.inputs[:1] if node.op in ("gather", "affine") else [k for k in node.inputs if k is not None]
        sources = [self._events(k) for k in data]
        if any(s is None for s in sources):
            return None
        shape = self.graph.tensors[node.out].shape
        e = sources[0]
        if node.op in MOVES:
            if node.op == "pad":
                node = dataclasses.replace(node, fp={"VALUE": F(0)})
            return self.handlers[node.op](node, sources + [self._value(k) for k in node.inputs[len(data):]], shape)
        if node.op == "affine" or (node.op == "unary" and node.ip["FN"] == NEG):
            return e
        if node.op == "binary" and self._is_scale_or_sum(node):
            a, b = ops.align(*sources)
            return np.broadcast_to(a + b, (max(len(a), len(b)),) + tuple(shape))
        if node.op == "pool" and node.ip["FN"] == ops.MEAN:
            taken, _ = ops.windows(e, node.ip["KERNEL"], node, shape[1:3], 0)
            return taken.sum((4, 5))
        if node.op == "reduce" and node.ip["FN"] in (ops.MEAN, ops.SUM):
            return ops.reduced_rows(node, e, shape).sum(-1)
        return None

    def _is_scale_or_sum(self, node):
        live = [k in self.reached for k in node.inputs]
        return node.ip["FN"] in (ADD, SUB) or (node.ip["FN"] == MUL and not all(live)) or (
            node.ip["FN"] == DIV and not live[1])

    def _count(self, i, node):
        e = [self.events.get(k) for k in node.inputs[:2]]
        kind = "sops" if e[0] is not None or (node.op == "matmul" and e[1] is not None) else "macs"
        if node.op == "matmul":
            total = self._terms(node, e)
        else:
            e = e[0] if e[0] is not None else (self._value(node.inputs[0]) != 0).astype(np.float64)
            weight = self.graph.tensors[node.inputs[1]].data
            if node.op == "conv":
                size, out = e.shape[2:4], self.graph.tensors[node.out].shape[1:3]
                rows, cols = (reach(weight.shape[a], size[a], node, a, out[a]) for a in (0, 1))
                e = e * rows[:, None, None] * cols[:, None]
            total = self._sum(e) * (weight.shape[-1] // node.ip.get("GROUP", 1))
        self.work[i] = (kind, total)
        if kind == "sops":
            self.sops = self.sops + total
        else:
            self.macs = self.macs + total

    def _terms(self, node, e):
        values = [self._value(k) for k in node.inputs]
        spikes = any(x is not None for x in e)
        parts = [x if x is not None else np.ones(v.shape) if spikes else (v != 0).astype(np.float64)
                 for x, v in zip(e, values)]
        a, b = ops.align(*parts)
        if node.ip["TRANS_B"]:
            b = np.swapaxes(b, -1, -2)
        return self._sum(a.sum(-2) * b.sum(-1))
