"""Small layers that the models share: linear and convolution with BatchNorm,
normalization of tokens, and Random Spike Masking."""
from __future__ import annotations

from typing import Any

import torch
from torch import nn


def _affine(bn: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain and offset of a BatchNorm with its running statistics, in float64."""
    gain = bn.weight.double() / torch.sqrt(bn.running_var.double() + bn.eps)
    return gain, bn.bias.double() - gain * bn.running_mean.double()


class _Foldable(nn.Module):
    """A linear operation, then (optionally) a BatchNorm that can be folded into it."""

    def __init__(self, linear: nn.Module, bn: nn.Module | None) -> None:
        super().__init__()
        self.linear: Any = linear
        self.bn: Any = bn

    def fold(self) -> None:
        if self.bn is None:
            return
        gain, offset = _affine(self.bn)
        weight = self.linear.weight.detach().double()
        if self.linear.bias is not None:
            offset = offset + gain * self.linear.bias.detach().double()
        weight = weight * gain.reshape([-1] + [1] * (weight.dim() - 1))
        self.linear.weight = nn.Parameter(weight.float())
        self.linear.bias = nn.Parameter(offset.detach().float())
        self.bn = None


class LinearBN(_Foldable):
    """[..., inputs] -> [..., outputs]"""

    def __init__(self, inputs: int, outputs: int, bn: bool = True, bias: bool = True) -> None:
        super().__init__(nn.Linear(inputs, outputs, bias=bias), nn.BatchNorm1d(outputs) if bn else None)
        nn.init.normal_(self.linear.weight, std=inputs ** -0.5)
        if bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        if self.bn is not None:
            shape = x.shape
            x = self.bn(x.reshape(-1, shape[-1])).reshape(shape)
        return x


class ConvBN(_Foldable):
    """[B, inputs, H, W] -> [B, outputs, H/stride, W/stride], more with more padding"""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int | None = None,
                 bn: bool = True) -> None:
        padding = kernel // 2 if padding is None else padding
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=not bn),
                         nn.BatchNorm2d(outputs) if bn else None)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        return x if self.bn is None else self.bn(x)


class TokenNorm(nn.Module):
    """BatchNorm or LayerNorm of tokens [B, N, C], per channel."""

    def __init__(self, channels: int, kind: str = "bn") -> None:
        super().__init__()
        self.kind = kind
        self.norm = nn.BatchNorm1d(channels) if kind == "bn" else nn.LayerNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "ln":
            return self.norm(x)
        if self.training:  # the same values without two transpositions
            return self.norm(x.reshape(-1, x.shape[-1])).reshape(x.shape)
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


def thin(x: torch.Tensor, keep: float, scatter: float) -> torch.Tensor:
    """What is left of x: mean keep*x, variance scatter*x, within 0..x (the binomial's normal approximation)."""
    wide = x.float()
    kept = wide * keep + (wide.detach() * scatter).sqrt() * torch.randn_like(wide)
    # not clamp and minimum: at x = 0 they share the gradient, which is `keep` there
    kept = torch.where(kept < 0, torch.zeros_like(kept), kept)
    return torch.where(kept > wide, wide, kept).to(x.dtype)


class ThinnedLevels(torch.autograd.Function):
    """n of a value quantum * n becomes a draw of Binomial(n, keep); the gradient is that of the mean, keep."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, keep: float, quantum: float, levels: int) -> torch.Tensor:
        ctx.keep = keep
        n = (x.float() / quantum).round_().clamp_(0, levels)
        return (torch.binomial(n, torch.full_like(n, keep)) * quantum).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        return grad * ctx.keep, None, None, None


def thin_levels(x: torch.Tensor, keep: float, quantum: float, levels: int) -> torch.Tensor:
    return ThinnedLevels.apply(x, keep, quantum, levels)


class SpikeMask(nn.Module):
    """Random Spike Masking: each element is kept with probability 1 - ratio.

    Active in training and in inference alike, fresh at each call, not rescaled. With a `source`
    (the activation before it), an element stands for spikes that are kept or dropped one by one:
    for `steps` time steps of a run (timesteps.py), or for its level's worth (thinning.py).
    """

    def __init__(self, ratio: float = 0.0) -> None:
        super().__init__()
        self.ratio = ratio
        self.source: tuple[nn.Module] | None = None
        self.steps: int | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.ratio == 0.0:
            return x
        if self.source is None:
            return x * (torch.rand_like(x) > self.ratio).to(x.dtype)
        levels = self.source[0].levels
        quantum = float(self.source[0].theta.detach()) / (self.steps or levels)  # what one spike stands for
        if self.steps is None:
            return thin_levels(x, 1 - self.ratio, quantum, levels)
        return thin(x, 1 - self.ratio, self.ratio * (1 - self.ratio) * quantum)


def set_mask_ratio(model: nn.Module, ratio: float) -> None:
    """Give every mask site of the model the same ratio; 0 takes the masks away."""
    for module in model.modules():
        if isinstance(module, SpikeMask):
            module.ratio = float(ratio)


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """Fold each BatchNorm that follows a linear layer into that layer, in place."""
    for module in model.modules():
        if isinstance(module, _Foldable):
            module.fold()
    return model
