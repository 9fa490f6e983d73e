"""Training for accumulate-then-fire neurons (count and radix): masks thin the levels of an activation.

An activation of level n of 0..L stands for n spikes. Each survives a mask by itself, so that n becomes a draw of
Binomial(n, 1 - ratio), and nothing else happens: a neuron sees its whole input before it fires, and the order in which
spikes came does not matter. (timesteps.py is for neurons that fire as spikes arrive.)
"""
from __future__ import annotations

import torch
from torch import nn

from . import qcfs
from .layers import SpikeMask
from .resnet import ResidualBlock


@torch.no_grad()
def pair_masks(model: nn.Module, x: torch.Tensor) -> None:
    """Tell each mask the activation whose output it masks; x: a few inputs, to see what follows what."""
    last: list[tuple[nn.Module, torch.Tensor]] = []

    def pair(mask: SpikeMask, inputs: tuple[torch.Tensor]) -> None:
        for activation, output in last:
            if output is inputs[0]:
                mask.source = (activation,)  # in a tuple: not a child of the mask

    handles = [a.register_forward_hook(lambda module, _, output: last.append((module, output)))
               for _, a in qcfs.activations(model)]
    handles += [m.register_forward_pre_hook(pair) for m in model.modules() if isinstance(m, SpikeMask)]
    with qcfs.observed(model, handles):
        model(x)


def as_counts(model: nn.Module, x: torch.Tensor) -> None:
    """Let masks thin levels; x: a few inputs."""
    pair_masks(model, x)
    for module in model.modules():
        if isinstance(module, SpikeMask):
            module.steps = None


@torch.no_grad()
def make_up(model: nn.Module, share: float) -> None:
    """Let a ResNet or VGG begin under masks that keep `share` times what those it was trained with kept.

    Its mean function stays when BatchNorm statistics are estimated anew after this: they make up for it in front of
    neurons. An identity shortcut passes no BatchNorm: the branch it is added to, and the theta behind, follow it; nor
    does the first linear layer's input.
    """
    scale = 1.0
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            scale = scale * share if isinstance(module.shortcut, nn.Identity) else 1.0
            for value in (module.if2.theta, module.conv2.bn.weight, module.conv2.bn.bias):
                value.mul_(scale)
        elif isinstance(module, nn.Linear):
            module.weight.div_(scale * share)
            return
