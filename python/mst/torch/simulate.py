"""Step-by-step simulation of the converted network in PyTorch.

Each QCFS becomes an integrate-and-fire neuron: v starts at theta/2, spikes when
v + input >= theta, theta is subtracted at a spike, what leaves is theta or 0. The whole
network runs once per step on the same image, so products in attention are of spikes of
the same step, biases are added at each step, masks are drawn anew at each step.
"""
from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

from .qcfs import QCFS


class IFNeuron(nn.Module):
    """Takes the place of a QCFS; keeps its membrane between calls until `reset`."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = float(theta)
        self.reset()

    def reset(self) -> None:
        self.v: torch.Tensor | None = None
        self.spikes, self.updates = 0, 0

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        if self.v is None:
            self.v = torch.full_like(current, 0.5 * self.theta)
        self.v = self.v + current
        spike = self.v >= self.theta
        out = spike.to(current.dtype) * self.theta
        self.v = self.v - out
        self.spikes += int(spike.sum())
        self.updates += spike.numel()
        return out


def to_spiking(model: nn.Module) -> nn.Module:
    """A copy of the model with an IFNeuron for each QCFS."""
    network = copy.deepcopy(model).eval()

    def visit(module: nn.Module) -> None:
        for name, child in list(module.named_children()):
            if isinstance(child, QCFS):
                setattr(module, name, IFNeuron(child.theta.detach()))
            else:
                visit(child)

    visit(network)
    return network


@torch.no_grad()
def simulate(network: nn.Module, x: torch.Tensor, steps: Collection[int]) -> dict[int, torch.Tensor]:
    """{T: mean logits over steps 1..T} for each T in steps, from one run on x [B, C, H, W]."""
    for module in network.modules():
        if isinstance(module, IFNeuron):
            module.reset()
    total: Any = 0.0
    means: dict[int, torch.Tensor] = {}
    for step in range(1, max(steps) + 1):
        total = total + network(x)
        if step in steps:
            means[step] = total / step
    return means


def firing_rates(network: nn.Module) -> list[tuple[str, float]]:
    """[(name, spikes per neuron and step)] of the last run."""
    return [(name, m.spikes / max(1, m.updates)) for name, m in network.named_modules() if isinstance(m, IFNeuron)]


@torch.no_grad()
def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: Collection[int] = (), batch: int = 100,
             progress: Callable[[int, int], None] | None = None) -> dict[Any, Any]:
    """Accuracy of the ANN and, over `steps`, of its SNN on (x, y).

    Returns {"ann": share, "rate": mean firing rate, T: (share, agreement with the ANN,
    relative error of the logits)}.
    """
    model.eval()
    network = to_spiking(model) if steps else None
    right, spikes, updates = 0, 0, 0
    sums: dict[int, list[float]] = {t: [0, 0, 0.0] for t in steps}
    power = 0.0
    for i in range(0, len(x), batch):
        images, labels = x[i:i + batch], y[i:i + batch]
        ann = model(images)
        right += int((ann.argmax(1) == labels).sum())
        power += float((ann ** 2).sum())
        if network is None:
            continue
        for t, logits in simulate(network, images, steps).items():
            sums[t][0] += int((logits.argmax(1) == labels).sum())
            sums[t][1] += int((logits.argmax(1) == ann.argmax(1)).sum())
            sums[t][2] += float(((logits - ann) ** 2).sum())
        for module in network.modules():
            if isinstance(module, IFNeuron):
                spikes, updates = spikes + module.spikes, updates + module.updates
        if progress:
            progress(min(i + batch, len(x)), len(x))
    result: dict[Any, Any] = {t: (s[0] / len(x), s[1] / len(x), (s[2] / power) ** 0.5) for t, s in sums.items()}
    result["ann"] = right / len(x)
    result["rate"] = spikes / max(1, updates)
    return result
