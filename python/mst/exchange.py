"""NIR, the intermediate representation of neuromorphic programs: chains of layers out to its files and in from them."""
from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import chain
from .conversion import OPSET, convert
from .errors import ArgumentError, Error, Warning, needs

if TYPE_CHECKING:
    from .model import Model

DT = 1e-4   # seconds a time step, as other programs assume
CLOSE = 1e-6  # of r to 1/dt
RESET, FIRES = "subtract", "at_threshold"  # what metadata say of our neurons


# ---- out ----

def to_nir(model: Model, path: str | os.PathLike[str] | None = None, *, dt: float = DT) -> Any:
    """The model as an nir.NIRGraph, which is written to `path`, too, where one is given; needs the package nir.

    dt: seconds that a time step stands for; r of each IF is 1/dt, so that a step adds its whole input current.

    Convolutions, dense layers, mean pools and neurons in a chain; Error names the first node that is something else, and a
    layer with a mask. Spikes are 1: thresholds of earlier layers are in the weights. What NIR's IF cannot say, that our
    neurons subtract theta where NIR's are set to v_reset, start at a share of theta and fire at theta itself, is in the
    nodes' metadata (docs/BRIDGES.md) and in an mst.Warning: other programs do not read it.
    """
    nir = needs("nir", "nir", "to_nir")
    if not isinstance(dt, (int, float)) or not math.isfinite(dt) or dt <= 0:
        raise ArgumentError("dt: expected seconds above 0, found %r" % (dt,))
    if model.tuned is not None:
        raise Error("to_nir: v(0) of the model is tuned, one a position; NIR has no place for it: convert it without "
                    "tuning", "EUNSUPPORTED")
    if model.frames > 1:
        raise Error("to_nir: the model sees %d frames one after another" % model.frames, "EUNSUPPORTED")
    units = chain.of(model, "to_nir")
    for unit in units:
        if isinstance(unit, chain.Fire) and unit.ratio:
            raise Error("to_nir: %s: its mask drops %g %% of its spikes at random, which NIR cannot say: convert with "
                        "masks=0" % (unit.name, 100 * unit.ratio), "EUNSUPPORTED")
    nodes, shape = {"input": nir.Input(input_type={"input": np.array(model.input_shape)})}, model.input_shape
    for k, unit in enumerate(units):
        kind, node, shape = node_of(nir, unit, shape, dt)
        node.metadata = dict(node.metadata or {}, mst_name=unit.name)
        nodes["%s_%d" % (kind, k)] = node
    nodes["output"] = nir.Output(output_type={"output": np.array(shape)})
    names = list(nodes)
    grouped = any(isinstance(unit, chain.Conv) and unit.groups > 1 for unit in units)  # whose shapes nir takes for wrong
    graph = nir.NIRGraph(nodes, list(zip(names, names[1:])), metadata=description(model), type_check=not grouped)
    warnings.warn("NIR's IF starts at 0, is set to v_reset and fires above its threshold: that these %d layers of neurons "
                  "start at %s, subtract it and fire at it is said in metadata alone (mst_v0, mst_reset, mst_fires)" % (
                      sum(isinstance(u, chain.Fire) for u in units), starts(units)), Warning, stacklevel=2)
    if path is not None:
        write(nir, os.fspath(path), graph)
    return graph


def starts(units: list[chain.Unit]) -> str:
    return " or ".join("%g theta" % s for s in sorted({u.shift for u in units if isinstance(u, chain.Fire)}))


def write(nir: Any, path: str, graph: Any) -> None:
    """A whole file or none."""
    part = path + ".part"
    try:
        nir.write(part, graph)
        os.replace(part, path)
    except OSError as why:
        raise Error("%s: cannot be written: %s" % (path, why.strerror or why), "EIO") from why
    finally:
        if os.path.exists(part):
            os.remove(part)


def description(model: Model) -> dict[str, Any]:
    """Metadata of the graph: what a chain does not say of a model."""
    said: dict[str, Any] = {"mst_T": model.T, "mst_mode": model.mode, "mst_readout": "mean"}
    if model.normalized:
        said.update(mst_mean=model.mean, mst_std=model.std)
    if model.class_names is not None:
        said["mst_classes"] = ",".join(model.class_names)
    return said


def node_of(nir: Any, unit: chain.Unit, shape: tuple[int, ...], dt: float) -> tuple[str, Any, tuple[int, ...]]:
    """What kind of node, the node, and the shape of what leaves it."""
    if isinstance(unit, chain.Conv):
        out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip(
            unit.size, unit.padding, unit.dilation, unit.weight.shape[2:], unit.stride))
        return "conv", nir.Conv2d(input_shape=unit.size, weight=unit.weight, stride=unit.stride, padding=unit.padding,
                                  dilation=unit.dilation, groups=unit.groups, bias=unit.bias), (len(unit.weight), *out)
    if isinstance(unit, chain.Dense):
        node = nir.Linear(unit.weight) if unit.bias is None else nir.Affine(unit.weight, unit.bias)
        return "dense", node, (len(unit.weight),)
    if isinstance(unit, chain.Pool):
        out = tuple((n + 2 * p - k) // s + 1 for n, p, k, s in zip(unit.size[1:], unit.padding, unit.kernel, unit.stride))
        make = nir.AvgPool2d if unit.mean else nir.SumPool2d
        return "pool", make(kernel_size=np.array(unit.kernel), stride=np.array(unit.stride),
                            padding=np.array(unit.padding)), (unit.size[0], *out)
    if isinstance(unit, chain.Flat):
        return "flatten", nir.Flatten(input_type={"input": np.array(unit.size)}, start_dim=0, end_dim=-1), (
            int(np.prod(unit.size)),)
    theta = np.broadcast_to(unit.theta.reshape((-1,) + (1,) * (len(unit.size) - 1)), unit.size)
    node = nir.IF(r=np.full(unit.size, 1 / dt), v_threshold=theta.astype(np.float32), v_reset=np.zeros(unit.size, np.float32))
    node.metadata = {"mst_reset": RESET, "mst_v0": unit.shift, "mst_fires": FIRES, "mst_levels": unit.levels}
    return "if", node, unit.size


# ---- in ----

def from_nir(graph: Any, out: str | os.PathLike[str] | None = None, *, reset: str | None = None, v0: float | None = None,
             levels: int | None = None, dt: float = DT, **options: Any) -> Model:
    """The spiking network of an NIR graph, an nir.NIRGraph or the path of a file; needs the packages nir and onnx.

    Input, Linear, Affine, Conv1d, Conv2d, SumPool2d, AvgPool2d, Flatten and IF in a chain; Error names the first node that is
    something else. `out` and `options` are those of mst.convert.

    reset: "subtract" reads an IF that says nothing else as one that subtracts its threshold. NIR's own are set to v_reset
        where they fire, which our neurons cannot: without it, and without metadata of to_nir, they are refused.
    v0: v(0) as a share of theta where metadata say none; 0, NIR's, by default.
    levels: L of the neurons where metadata say none; `step` mode gives the same spikes with any.
    dt: seconds a time step; r of each IF must be 1/dt.
    """
    nir = needs("nir", "nir", "from_nir")
    needs("onnx", "onnx", "from_nir")
    if reset not in (None, RESET):
        raise ArgumentError("reset: expected %r, found %r" % (RESET, reset))
    if levels is not None and (isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 255):
        raise ArgumentError("levels: expected a whole number 1..255, found %r" % (levels,))
    where = "from_nir"
    if isinstance(graph, (str, os.PathLike)):
        where = os.fspath(graph)
        try:
            graph = nir.read(where, type_check=False)  # Maker checks, groups of a Conv, too
        except Exception as why:  # whatever nir and h5py make of what is in the file
            raise Error("%s: not a file that nir can read: %s" % (where, " ".join(str(why).split())[:300]), "EFORMAT") from why
    made = Maker(where, reset, v0, levels, dt)
    for name, node in in_order(graph, where):
        made.add(name, node)
    said = graph.metadata if isinstance(graph.metadata, dict) else {}
    for key, option in (("mst_T", "timesteps"), ("mst_mode", "mode"), ("mst_mean", "mean"), ("mst_std", "std"),
                        ("mst_classes", "classes")):
        if key in said:
            options.setdefault(option, plain(said[key]))
    return convert(made.model(), out, **options)


def plain(value: Any) -> Any:
    """A value of metadata, as Python has it."""
    return value.decode(errors="replace") if isinstance(value, bytes) else np.asarray(value).tolist()


def in_order(graph: Any, where: str) -> list[tuple[str, Any]]:
    """The nodes of a graph that is a chain."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for a, b in graph.edges:
        if a not in after or b not in after:
            raise Error("%s: an edge from %s to %s: no such nodes" % (where, a, b), "EFORMAT")
        after[a].append(b)
        before[b].append(a)
    for name in graph.nodes:
        if len(after[name]) > 1 or len(before[name]) > 1:
            raise Error("%s: node %s: more than one edge %s it: only chains are read" % (
                where, name, "leaves" if len(after[name]) > 1 else "enters"), "EUNSUPPORTED")
    starting = [name for name in graph.nodes if type(graph.nodes[name]).__name__ == "Input"]
    if len(starting) != 1:
        raise Error("%s: %d inputs: expected one" % (where, len(starting)), "EUNSUPPORTED")
    found = starting
    while after[found[-1]] and after[found[-1]][0] not in found:
        found.append(after[found[-1]][0])
    if len(found) < len(graph.nodes) or after[found[-1]]:
        lost = next((name for name in graph.nodes if name not in found), found[-1])
        raise Error("%s: node %s: not in one chain from the input to the output" % (where, lost), "EUNSUPPORTED")
    return [(name, graph.nodes[name]) for name in found]


def divided(weight: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """w such that w*theta, rounded, is `weight`, where there is such a float32; else the nearest."""
    best = (weight.astype(np.float64) / theta).astype(np.float32)
    for near in (np.nextafter(best, np.float32(-np.inf)), np.nextafter(best, np.float32(np.inf))):
        closer = np.abs(near * theta - weight) < np.abs(best * theta - weight)
        best = np.where(closer, near, best)
    return np.asarray(best, np.float32)


class Maker:
    """Builds the ONNX model, node by node. theta: of the spikes that come in, [1] or [channels]; None: they are no spikes."""

    def __init__(self, where: str, reset: str | None, v0: float | None, levels: int | None, dt: float) -> None:
        self.where, self.reset, self.v0, self.levels, self.dt = where, reset, v0, levels, dt
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shape: tuple[int, ...] = ()
        self.at = "input"
        self.theta: np.ndarray | None = None
        self.input_shape: tuple[int, ...] = ()
        self.count = 0
        self.known: dict[str, Callable[[str, Any], None]] = {
            "Input": self.input, "Output": self.output, "Affine": self.dense, "Linear": self.dense, "Conv1d": self.conv,
            "Conv2d": self.conv, "SumPool2d": self.pool, "AvgPool2d": self.pool, "Flatten": self.flatten, "IF": self.fire}

    def refuse(self, name: str, node: Any, why: str = "") -> Error:
        return Error("%s: node %s (%s): %s" % (self.where, name, type(node).__name__, why or (
            "cannot be read: only %s can" % ", ".join(self.known))), "EUNSUPPORTED")

    def add(self, name: str, node: Any) -> None:
        step = self.known.get(type(node).__name__)
        if step is None:
            raise self.refuse(name, node)
        try:
            step(name, node)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as why:
            if isinstance(why, Error):
                raise
            raise self.refuse(name, node, "it makes no sense: %s" % why) from why

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper
        name = "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def op(self, kind: str, name: str, *more: str, **attributes: Any) -> None:
        """The next node of the ONNX graph, which takes what the last one made."""
        from onnx import helper
        self.count += 1
        out = "t%d" % self.count
        unique = name if kind == "Floor" else "%s/%s_%d" % (name, kind, self.count)  # neurons have the name of their Floor
        self.nodes.append(helper.make_node(kind, [self.at, *more], [out], name=unique, **attributes))
        self.at = out

    def input(self, _name: str, node: Any) -> None:
        self.shape = tuple(int(n) for n in np.ravel(node.input_type["input"]))
        if not 1 <= len(self.shape) <= 3 or min(self.shape) < 1:
            raise ValueError("an input of %s" % "x".join(map(str, self.shape)))
        self.input_shape = self.shape
        if len(self.shape) == 1:
            self.input_shape = (*self.shape, 1, 1)
            self.op("Flatten", "input", axis=1)
        elif len(self.shape) == 2:  # (channels, length): images of one row
            self.shape = self.input_shape = (self.shape[0], 1, self.shape[1])

    def output(self, name: str, node: Any) -> None:
        if len(self.shape) != 1:
            raise self.refuse(name, node, "it is %s: expected logits" % "x".join(map(str, self.shape)))
        if self.theta is not None:  # spikes are 1
            self.op("Mul", name, self.constant(1 / self.theta.astype(np.float64)))

    def image(self) -> tuple[int, int, int]:
        if len(self.shape) != 3:
            raise ValueError("its input is of %d axes" % len(self.shape))
        return self.shape[0], self.shape[1], self.shape[2]

    def weights(self, weight: np.ndarray, groups: int = 1) -> np.ndarray:
        """As they are to be where spikes are theta."""
        weight = finite(weight)
        if self.theta is None:
            return weight
        theta, per = np.broadcast_to(self.theta, self.shape[:1]), weight.shape[1]
        rows = theta.reshape(groups, 1, per).repeat(len(weight) // groups, 1).reshape(len(weight), per)
        self.theta = None
        return divided(weight, rows.reshape(rows.shape + (1,) * (weight.ndim - 2)))

    def dense(self, name: str, node: Any) -> None:
        weight = np.asarray(node.weight)
        if len(self.shape) != 1 or weight.ndim != 2 or weight.shape[1] != self.shape[0]:
            raise ValueError("weights %s for an input of %s" % (weight.shape, self.shape))
        bias = getattr(node, "bias", None)
        self.op("Gemm", name, self.constant(self.weights(weight)),
                *([] if bias is None else [self.constant(finite(np.reshape(bias, len(weight))))]), transB=1)
        self.shape = (len(weight),)

    def conv(self, name: str, node: Any) -> None:
        channels, h, w = self.image()
        weight, groups = np.asarray(node.weight), int(node.groups)
        flat = weight.ndim == 3
        if flat:
            weight = weight[:, :, None, :]
        if weight.ndim != 4 or groups < 1 or weight.shape[1] * groups != channels or len(weight) % groups:
            raise ValueError("weights %s in %d groups for an input of %s" % (weight.shape, groups, self.shape))
        stride, dilation = two(node.stride, flat, 1), two(node.dilation, flat, 1)
        kernel = weight.shape[2:]
        padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
        if isinstance(padding, str):
            if padding == "same" and stride != (1, 1):
                raise ValueError("padding \"same\" with a stride")
            total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel)]
            begin, end = [t // 2 for t in total], [t - t // 2 for t in total]
        else:
            begin = end = list(two(padding, flat, 0))
        self.op("Conv", name, self.constant(self.weights(weight, groups)),
                self.constant(finite(np.reshape(node.bias, len(weight)))), kernel_shape=list(kernel), strides=list(stride),
                pads=begin + end, dilations=list(dilation), group=groups)
        self.resize(name, len(weight), [(n + b + e - d * (k - 1) - 1) // s + 1 for n, b, e, d, k, s in zip(
            (h, w), begin, end, dilation, kernel, stride)])

    def resize(self, name: str, channels: int, size: list[int]) -> None:
        if min(size) < 1:
            raise Error("%s: node %s: its window is larger than its input" % (self.where, name), "EFORMAT")
        self.shape = (channels, *size)

    def pool(self, name: str, node: Any) -> None:
        channels, *size = self.image()
        kernel, stride, pad = two(node.kernel_size), two(node.stride), two(node.padding)
        self.op("AveragePool", name, kernel_shape=list(kernel), strides=list(stride), pads=[*pad, *pad], count_include_pad=1)
        if type(node).__name__ == "SumPool2d":
            self.op("Mul", name, self.constant(kernel[0] * kernel[1]))
        self.resize(name, channels, [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, pad, kernel, stride)])

    def flatten(self, _name: str, node: Any) -> None:
        first, last = int(node.start_dim), int(node.end_dim)
        if first % max(len(self.shape), 1) != 0 or last % max(len(self.shape), 1) != len(self.shape) - 1:
            raise ValueError("it flattens axes %d to %d of %d" % (first, last, len(self.shape)))
        if len(self.shape) > 1:
            self.op("Flatten", "flatten", axis=1)
            size = int(np.prod(self.shape))
            if self.theta is not None and self.theta.size > 1:
                self.theta = self.theta.repeat(size // self.shape[0])
            self.shape = (size,)

    def fire(self, name: str, node: Any) -> None:
        said = node.metadata if isinstance(node.metadata, dict) else {}
        reset = plain(said["mst_reset"]) if "mst_reset" in said else self.reset
        if reset != RESET:
            raise self.refuse(name, node, "NIR's neuron is set to v_reset where it fires, ours subtracts its threshold: "
                              "reset=\"subtract\" reads it so")
        levels = int(said["mst_levels"]) if "mst_levels" in said else self.levels
        if levels is None:
            raise self.refuse(name, node, "NIR says no levels, which count and radix need: levels=16, or another number")
        v0 = float(said["mst_v0"]) if "mst_v0" in said else self.v0 or 0.0
        if not 1 <= levels <= 255 or not 0 <= v0 <= 1:
            raise self.refuse(name, node, "%d levels, v(0) = %g theta: expected 1..255 and 0..1" % (levels, v0))
        if not np.allclose(np.asarray(node.r, np.float64) * self.dt, 1, rtol=CLOSE, atol=0):
            raise self.refuse(name, node, "r is %g: expected 1/dt = %g (dt=1 for a file that counts in steps)" % (
                np.ravel(node.r)[0], 1 / self.dt))
        if np.any(np.asarray(node.v_reset) != 0):
            raise self.refuse(name, node, "v_reset is not 0")
        one = self.theta = self.thetas(name, node)
        theta = self.constant(one.reshape((-1,) + (1,) * (len(self.shape) - 1)) if one.size > 1 else one)
        many = self.constant(levels)
        self.op("Div", name, theta)
        self.op("Mul", name, many)
        if v0:
            self.op("Add", name, self.constant(v0))
        self.op("Floor", str(plain(said.get("mst_name", name))) or name)
        self.op("Div", name, many)
        self.op("Clip", name, self.constant(0), self.constant(1))
        self.op("Mul", name, theta)

    def thetas(self, name: str, node: Any) -> np.ndarray:
        """[1] or [channels]"""
        theta = finite(node.v_threshold)
        if not (theta > 0).all():
            raise ValueError("thresholds that are not above 0")
        theta = np.broadcast_to(theta.reshape(self.shape) if theta.size == int(np.prod(self.shape)) else theta, self.shape)
        one = theta.reshape(self.shape[0], -1)[:, 0]
        if (theta != one.reshape((-1,) + (1,) * (len(self.shape) - 1))).any():
            raise self.refuse(name, node, "thresholds differ within a channel")
        return one[:1] if (one == one[0]).all() else one

    def model(self) -> Any:
        from onnx import TensorProto, helper
        into = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, *self.input_shape])]
        logits = [helper.make_tensor_value_info(self.at, TensorProto.FLOAT, [1, *self.shape])]
        graph = helper.make_graph(self.nodes, "nir", into, logits, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def finite(value: Any) -> np.ndarray:
    out = np.asarray(value).astype(np.float32)
    if not np.isfinite(out).all():
        raise ValueError("values that are not finite")
    return out


def two(value: Any, flat: bool = False, fill: int = 0) -> tuple[int, int]:
    """A number, or one a direction; of a Conv1d, that along its row."""
    values = [int(v) for v in np.ravel(value)]
    if len(values) == 1:
        values = [fill, values[0]] if flat else values * 2
    if len(values) != 2 or min(values) < 0:
        raise ValueError("%s for two directions" % values)
    return values[0], values[1]
