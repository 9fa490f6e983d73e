"""A model as a chain of layers that other programs know: convolutions, dense layers and pools, channels first, between
integrate-and-fire neurons whose spikes are 1. The thresholds that our spikes carry are in the weights that they meet;
products of a weight and a threshold are rounded to float32, as the engine rounds them."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

import numpy as np

from . import network
from .errors import Error
from .network import Network, Node

if TYPE_CHECKING:
    from .model import Model

FIRST, LAST = (0, 2, 3, 1), (0, 3, 1, 2)  # permutations to channels last, and back


@dataclasses.dataclass
class Conv:
    """weight [outputs, inputs/groups, kh, kw], bias [outputs]; size: (H, W) of what comes in."""
    name: str
    weight: np.ndarray
    bias: np.ndarray
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclasses.dataclass
class Dense:
    """weight [outputs, inputs], bias [outputs] or None."""
    name: str
    weight: np.ndarray
    bias: np.ndarray | None


@dataclasses.dataclass
class Pool:
    """Mean (padding counted) or sum over windows; size: (C, H, W) of what comes in."""
    name: str
    mean: bool
    size: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclasses.dataclass
class Flat:
    """[C, H, W] to [C*H*W]."""
    name: str
    size: tuple[int, ...]


@dataclasses.dataclass
class Fire:
    """Neurons of `size`: theta float32 [1] or [channels], v(0) = shift*theta, levels L; index: of the model's layers;
    ratio: of spikes that a mask behind drops."""
    name: str
    size: tuple[int, ...]
    theta: np.ndarray
    shift: float
    levels: int
    index: int
    ratio: float | None = None


Unit = Union[Conv, Dense, Pool, Flat, Fire]


def of(model: Model, what: str) -> list[Unit]:
    """The chain of a model; Error names the first node that a chain has no place for. what: who asks, for the text."""
    return Reader(network.read(model), what).units


def pair(values: Sequence[int]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


class Reader:
    """Goes along the nodes. last: images lie with their channels last; order: where a flat value lies in [C, H, W]."""

    def __init__(self, net: Network, what: str) -> None:
        self.net, self.what = net, what
        self.units: list[Unit] = []
        self.scale: np.ndarray | None = None  # of the spikes that come in, [1] or [channels]
        self.last = False
        self.order: np.ndarray | None = None
        self.shape: tuple[int, ...] = net.shapes[net.input][1:]  # (C, H, W) or (features,)
        self.layers = 0
        at = net.input
        known = {"transpose": self.transpose, "reshape": self.reshape, "conv": self.conv, "linear": self.linear,
                 "pool": self.pool, "reduce": self.reduce, "neuron": self.neuron, "mask": self.mask}
        for node in net.nodes:
            if all(k is None or k in net.values for k in node.inputs):
                continue  # of constants alone
            data = [k for k in node.inputs if k is not None and k not in net.values]
            if node.op not in known or len(data) > 1:
                raise self.refuse(node, "two inputs meet in it" if len(data) > 1 else "")
            if data[0] != at:
                raise self.refuse(node, "the network branches before it")
            known[node.op](node)
            at = node.out
        if at != net.output or self.scale is not None:
            raise Error("%s: the network does not end in a dense layer, whose outputs are its logits" % what,
                        "EUNSUPPORTED")

    def refuse(self, node: Node, why: str = "") -> Error:
        return Error("%s: %s: no such layer in a chain of dense layers, convolutions, pools and neurons%s" % (
            self.what, node, ": " + why if why else ""), "EUNSUPPORTED")

    def transpose(self, node: Node) -> None:
        perm = tuple(node.ints["PERM"][:4])
        if len(self.net.shapes[node.out]) != 4 or perm != (LAST if self.last else FIRST):
            raise self.refuse(node, "it permutes other axes than an image's channels")
        self.last = not self.last

    def reshape(self, node: Node) -> None:
        shape = self.net.shapes[node.out]
        size = int(np.prod(self.shape))
        if len(self.shape) == 1 and int(np.prod(shape)) == shape[-1]:
            return  # [1, N] with other ones
        if shape != (1, size):
            raise self.refuse(node, "it gives %s" % "x".join(map(str, shape)))
        if self.last:
            self.order = np.arange(size).reshape(self.shape).transpose(1, 2, 0).ravel()
        self.units.append(Flat(node.name, self.shape))
        if self.scale is not None and self.scale.size > 1:
            self.scale = np.repeat(self.scale, size // self.shape[0])
        self.shape, self.last = (size,), False

    def image(self, node: Node) -> tuple[int, int, int]:
        if len(self.shape) != 3 or not self.last:
            raise self.refuse(node, "its input is no image")
        c, h, w = self.shape
        return c, h, w

    def window(self, node: Node, kernel: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Stride and padding, which is the same on both sides."""
        (h, w), stride, pad = self.image(node)[1:], pair(node.ints["STRIDE"]), pair(node.ints["PAD"])
        dilation, out = node.ints["DILATION"], self.net.shapes[node.out][1:3]
        for size, k, s, p, d, made in zip((h, w), kernel, stride, pad, dilation, out):
            if (size + 2 * p - d * (k - 1) - 1) // s + 1 != made:
                raise self.refuse(node, "its padding is not the same on both sides")
        return stride, pad

    def conv(self, node: Node) -> None:
        channels, h, w = self.image(node)
        weight = self.net.weight(node).transpose(3, 2, 0, 1)  # [O, I/g, kh, kw]
        groups, bias = node.ints["GROUP"][0], self.net.constant(node, 2)
        stride, padding = self.window(node, pair(weight.shape[2:]))
        outputs = len(weight)
        if self.scale is not None:
            scale = np.broadcast_to(self.scale, channels).reshape(groups, 1, channels // groups, 1, 1)
            weight = (weight.reshape(groups, outputs // groups, *weight.shape[1:]) * scale).reshape(weight.shape)
        self.units.append(Conv(node.name, np.ascontiguousarray(weight), np.zeros(outputs, np.float32) if bias is None
                               else bias.astype(np.float32), (h, w), stride, padding, pair(node.ints["DILATION"]), groups))
        self.shape, self.scale = (outputs, *self.net.shapes[node.out][1:3]), None

    def linear(self, node: Node) -> None:
        if len(self.shape) != 1:
            raise self.refuse(node, "its input is not flat")
        weight, bias = self.net.weight(node), self.net.constant(node, 2)  # [in, out]
        if self.order is not None:
            placed = np.empty_like(weight)
            placed[self.order], self.order = weight, None
            weight = placed
        if self.scale is not None:
            weight = weight * self.scale[:, None]
        self.units.append(Dense(node.name, np.ascontiguousarray(weight.T), None if bias is None else bias))
        self.shape, self.scale = (weight.shape[1],), None

    def pool(self, node: Node) -> None:
        kind, kernel = network.POOLS[node.ints["FN"][0]], pair(node.ints["KERNEL"])
        if kind == "max" or pair(node.ints["DILATION"]) != (1, 1):
            raise self.refuse(node, "a maximum" if kind == "max" else "it is dilated")
        stride, padding = self.window(node, kernel)
        if padding != (0, 0) and not node.ints["COUNT_PAD"][0]:
            raise self.refuse(node, "its means leave the padding out")
        self.units.append(Pool(node.name, kind == "mean", self.image(node), kernel, stride, padding))
        self.shape = (self.shape[0], *self.net.shapes[node.out][1:3])

    def reduce(self, node: Node) -> None:
        c, h, w = self.image(node)
        kind = network.POOLS[node.ints["FN"][0]]
        if kind == "max" or node.ints["AXES"][0] != 0b0110:
            raise self.refuse(node, "not a mean or sum over an image's pixels")
        self.units.append(Pool(node.name, kind == "mean", (c, h, w), (h, w), (h, w), (0, 0)))
        self.shape = (c, 1, 1)
        if len(self.net.shapes[node.out]) == 2:
            self.units.append(Flat(node.name + ".flat", self.shape))
            self.shape, self.last = (c,), False

    def neuron(self, node: Node) -> None:
        theta, gain, bias = (self.net.constant(node, k) for k in (1, 2, 3))
        assert theta is not None
        if self.order is not None:
            raise self.refuse(node, "nothing dense between the flat image and it")
        if gain is not None or bias is not None:
            self.fold(node, gain, bias)
        channels = len(self.net.shapes[node.out]) - 1 if self.last or len(self.shape) == 1 else 1
        if theta.size > 1 and node.ints["AXIS"][0] != channels:
            raise self.refuse(node, "its thresholds are not one a channel")
        self.units.append(Fire(node.name, self.shape, theta.ravel(), node.floats["SHIFT"], node.ints["LEVELS"][0],
                               self.layers))
        self.layers += 1
        self.scale = theta.ravel()

    def fold(self, node: Node, gain: np.ndarray | None, bias: np.ndarray | None) -> None:
        """Gain and bias of a neuron's current, into the layer before it, in float64."""
        before = self.units[-1] if self.units else None
        if not isinstance(before, (Conv, Dense)):
            raise self.refuse(node, "it scales a current that no layer makes")
        g = np.float64(1) if gain is None else gain.astype(np.float64).ravel()
        h = np.float64(0) if bias is None else bias.astype(np.float64).ravel()
        rows = np.reshape(g, (-1,) + (1,) * (before.weight.ndim - 1)) if np.ndim(g) else g
        before.weight = (before.weight * rows).astype(np.float32)
        offset = np.zeros(len(before.weight)) if before.bias is None else before.bias
        before.bias = (offset * g + h).astype(np.float32)

    def mask(self, node: Node) -> None:
        before = self.units[-1] if self.units else None
        if not isinstance(before, Fire):
            raise self.refuse(node, "it stands behind no neuron")
        before.ratio = node.floats["RATIO"]
