"""QCFS, the quantized activation that an integrate-and-fire neuron can replace.

a = theta * clip(floor(x * L / theta + 1/2) / L, 0, 1)      (Bu et al., ICLR 2022)
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn


class QCFSFunction(torch.autograd.Function):
    """QCFS with the straight-through gradients of Bu et al., ICLR 2022.

    Inside -theta/(2L) < x < theta - theta/(2L) the gradient passes to x as it is
    and theta gets (a - x) / theta; above that theta gets 1; below, nobody gets any.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, theta: torch.Tensor, levels: int) -> torch.Tensor:
        a = (x * (levels / theta)).add_(0.5).floor_().clamp_(0, levels).mul_(theta / levels)
        ctx.save_for_backward(x, a, theta)
        ctx.half_step = 0.5 / levels
        return a

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        x, a, theta = ctx.saved_tensors
        low = -float(theta) * ctx.half_step
        grad_x = torch.ops.aten.hardtanh_backward(grad, x, low, float(theta) + low)
        # With those slopes theta * da/dtheta = a - x * da/dx at every point, so two dot
        # products give the sum over all elements; in float32: float16 cannot hold those of
        # scaled gradients.
        grad, a, x, flat = (v.reshape(-1).float() for v in (grad, a, x, grad_x))
        total = torch.dot(grad, a) - torch.dot(flat, x)
        return grad_x, (total / theta).reshape(theta.shape), None


def largest_sum(x: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """A draw of the largest value on the way of a Brownian motion from 0 to x: timesteps.py says what for."""
    wide = x.float()
    exponential = -torch.log1p(-torch.rand_like(wide))
    return ((wide + (wide * wide + 2 * variance * exponential + 1e-12).sqrt()) / 2).to(x.dtype)


class QCFS(nn.Module):
    """One scalar theta per layer, learned; `levels` is L.

    `form` picks how the same activation is written in an exported graph:
    'plain'  x / theta * L, floor, / L, clip to 0..1, * theta
    'merged' x * (L / theta), floor, clip to 0..L, * (theta / L)
    """

    smallest = 1e-3

    def __init__(self, levels: int = 16, theta: float = 2.0, form: str = "plain") -> None:
        super().__init__()
        self.levels = levels
        self.form = form
        self.register_buffer("variance", None, persistent=False)  # of x over a run of time steps: see timesteps.py
        self.theta = nn.Parameter(torch.tensor(float(theta)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.variance is not None:
            x = largest_sum(x, self.variance)
        if self.training:
            return QCFSFunction.apply(x, self.theta, self.levels)
        if self.form == "merged":
            level = torch.floor(x * (self.levels / self.theta) + 0.5)
            return torch.clamp(level, 0, self.levels) * (self.theta / self.levels)
        level = torch.floor(x / self.theta * self.levels + 0.5)
        return torch.clamp(level / self.levels, 0, 1) * self.theta

    def extra_repr(self) -> str:
        return "L=%d, theta=%.4g" % (self.levels, float(self.theta.detach()))


def activation(levels: int, form: str = "plain") -> nn.Module:
    """QCFS with that many levels; of 0, a ReLU, which gets its levels and theta from data when it is converted."""
    return QCFS(levels, form=form) if levels else nn.ReLU()


def activations(model: nn.Module) -> list[tuple[str, QCFS]]:
    """[(name, QCFS)] in the order of definition."""
    return [(name, m) for name, m in model.named_modules() if isinstance(m, QCFS)]


@contextlib.contextmanager
def observed(model: nn.Module, handles: Iterable[Any] = (), training: bool = False) -> Iterator[None]:
    """The model in training or inference mode and with these hooks; then in its mode of before, without them."""
    before = model.training
    model.train(training)
    try:
        yield
    finally:
        model.train(before)
        for handle in handles:
            handle.remove()


def keep_positive(model: nn.Module) -> None:
    """Bring every theta back above zero: call it after each optimizer step."""
    with torch.no_grad():
        for _, activation in activations(model):
            activation.theta.clamp_(min=QCFS.smallest)
