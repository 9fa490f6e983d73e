"""Starting values from data: thresholds, attention centring and BatchNorm statistics.

It serves both to start a training and to make random-weight models whose activations
are spread over their levels.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from .qcfs import QCFS, activations, observed
from .swin import Attention


def quantile(values: torch.Tensor, share: float) -> float:
    """The `share` quantile of the positive values, from at most 2^20 of them."""
    values = values.flatten()
    values = values[values > 0]
    if values.numel() == 0:
        return 1.0
    values = values[:: values.numel() // 2 ** 20 + 1]
    return float(values.kthvalue(max(1, int(share * values.numel())))[0])


def centre(attention: Attention, scores: torch.Tensor) -> torch.Tensor:
    """Shift the position bias so that each head's unmasked scores [B, heads, N, N] have mean 0."""
    allowed = scores > -50
    mean = (scores * allowed).sum((0, 2, 3)) / allowed.sum((0, 2, 3))
    attention.position_bias -= mean
    return scores - mean[:, None, None]


@torch.no_grad()
def set_thetas(model: nn.Module, x: torch.Tensor, share: float = 0.98) -> None:
    """Set each theta to a quantile of its positive inputs, in one forward pass over x.

    Layers are set one after the other, each seeing what the ones before it now give.
    """
    owners = {m.attn_if: m for m in model.modules() if isinstance(m, Attention) and not m.softmax}

    def hook(activation: QCFS, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        values = inputs[0]
        if activation in owners:
            values = centre(owners[activation], values)
        activation.theta.fill_(max(quantile(values, share), QCFS.smallest))
        return (values,)

    handles = [m.register_forward_pre_hook(hook) for _, m in activations(model)]
    with observed(model, handles, training=True):
        model(x)


@torch.no_grad()
def estimate_batchnorm(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Replace all BatchNorm statistics by the plain average over the batches."""
    norms = [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    with observed(model, training=True):
        for x in batches:
            model(x)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


@torch.no_grad()
def activation_table(model: nn.Module, x: torch.Tensor) -> list[tuple[str, float, float, int]]:
    """[(name, share of zeros, share at the top, number of levels used)] of each QCFS on x."""
    rows: list[tuple[str, float, float, int]] = []
    handles = []
    for name, activation in activations(model):
        def hook(module: QCFS, inputs: Any, output: torch.Tensor, name: str = name) -> None:
            level = torch.round(output / module.theta * module.levels)
            rows.append((name, float((level == 0).float().mean()),
                         float((level == module.levels).float().mean()), int(level.unique().numel())))
        handles.append(activation.register_forward_hook(hook))
    with observed(model, handles):
        model(x)
    return rows


@torch.no_grad()
def tie_margin(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """[B]: how close any activation of an image comes to a rounding boundary, in levels.

    Two correct implementations may differ by a whole level where this is near their
    rounding error, about 1e-5; images with a larger margin can be compared strictly.
    """
    margins: list[torch.Tensor] = []
    handles = []

    def hook(module: QCFS, inputs: tuple[torch.Tensor]) -> None:
        t = inputs[0] / module.theta * module.levels + 0.5
        distance = (t - torch.round(t)).abs()
        distance[(t < 0.5) | (t > module.levels + 0.5)] = 0.5
        margins.append(distance.reshape(len(x), -1).min(1)[0])

    for _, activation in activations(model):
        handles.append(activation.register_forward_pre_hook(hook))
    model.eval()
    model(x)
    for handle in handles:
        handle.remove()
    return torch.stack(margins).min(0)[0]
