"""The graph of a model as Python has it: operators, parameters and constants, read from the library's own arrays."""
from __future__ import annotations

import ctypes as c
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib
from .errors import Error

if TYPE_CHECKING:
    from .model import Model

TYPES: dict[int, Any] = {0: np.float32, 1: np.int32, 3: np.float16, 4: np.int8}  # mst_dtype
BINARY = ("add", "sub", "mul", "div", "min", "max", "pow")
POOLS = ("mean", "sum", "max")


@dataclasses.dataclass
class Node:
    """An operator. ints and floats: its parameters by the names of docs/FORMAT.md."""
    op: str
    name: str
    inputs: list[int | None]  #: tensors; None: an optional one that is absent
    out: int
    ints: dict[str, list[int]]
    floats: dict[str, float]

    def __str__(self) -> str:
        return "%s (%s)" % (self.name or "a node without a name", self.op)


@dataclasses.dataclass
class Network:
    """Nodes in an order in which they can run. shapes: of all tensors; values: of those that are constants, copied."""
    nodes: list[Node]
    shapes: list[tuple[int, ...]]
    values: dict[int, np.ndarray]
    input: int
    output: int

    def constant(self, node: Node, k: int) -> np.ndarray | None:
        """The constant that is a node's input k; None where it has none."""
        tensor = node.inputs[k] if k < len(node.inputs) else None
        return None if tensor is None else self.values[tensor]

    def weight(self, node: Node) -> np.ndarray:
        """Of linear or conv, as float32 numbers: int8 ones times the scale of their output, rounded."""
        weight, scale = self.constant(node, 1), self.constant(node, 3)
        assert weight is not None
        out = weight.astype(np.float32)
        return out if scale is None else out * scale.astype(np.float32)


@functools.lru_cache(maxsize=None)
def operator(op: int) -> tuple[str, list[tuple[str, int]], list[str]]:
    """Name, integer parameters with their slots, float parameters."""
    info = _lib.mst().op_get(op)
    if not info:
        raise Error("operator %d: this package does not know it" % op, "EVERSION")
    said = info.contents
    ints: list[tuple[str, int]] = []
    for k in range(said.n_ip):
        if said.ip_names[k] is None:
            ints[-1] = (ints[-1][0], ints[-1][1] + 1)
        else:
            ints.append((said.ip_names[k].decode(), 1))
    return said.name.decode(), ints, [said.fp_names[k].decode() for k in range(said.n_fp)]


def read(model: Model) -> Network:
    """The network of a model."""
    graph = c.cast(model._graph.handle, c.POINTER(_lib.GraphHead)).contents
    shapes, values = [], {}
    for k in range(graph.n_tensors):
        t = graph.tensors[k]
        shapes.append(tuple(t.dims[:t.rank]))
        if t.data:
            dtype = np.dtype(TYPES[t.dtype])
            n = int(np.prod(shapes[-1], dtype=np.int64))
            values[k] = np.frombuffer(c.string_at(t.data, n * dtype.itemsize), dtype).reshape(shapes[-1])
    nodes = []
    for k in range(graph.n_nodes):
        n = graph.nodes[k]
        name, ints, floats = operator(n.op)
        named, at = {}, 0
        for field, slots in ints:
            named[field] = list(n.ip[at:at + slots])
            at += slots
        inputs = [None if n.inputs[i] == _lib.NONE else int(n.inputs[i]) for i in range(n.n_in)]
        nodes.append(Node(name, (n.name or b"").decode(errors="replace"), inputs, n.out, named,
                          {field: float(n.fp[i]) for i, field in enumerate(floats)}))
    return Network(nodes, shapes, values, graph.input, graph.output)
