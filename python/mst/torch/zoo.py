"""Models by name, random weights for tests, and checkpoints that carry their options."""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .calibrate import estimate_batchnorm, set_thetas
from .event_swin import EventSwin
from .resnet import ResNet18
from .swin import Swin, published
from .vgg import VGG16

MODELS: dict[str, Callable[..., nn.Module]] = {"swin": Swin, "swin-published": published, "event-swin": EventSwin,
          "resnet18": ResNet18, "vgg16": VGG16}


def build(name: str, **options: Any) -> nn.Module:
    """A model with fresh weights, in evaluation mode; unknown options raise TypeError or are refused."""
    return MODELS[name](**options).eval()


def random_images(count: int, channels: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """[count, channels, side, side]: smooth blobs and noise, different from one another."""
    coarse = torch.randn(count, channels, 4, 4, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    level = torch.randn(count, channels, 1, 1, generator=generator) * 0.7
    return smooth * 1.2 + level + torch.randn(count, channels, side, side, generator=generator) * 0.4


@torch.no_grad()
def calibrate_random(model: nn.Module, channels: int, side: int, seed: int = 0) -> nn.Module:
    """Random gains and offsets of every norm, then thetas, BatchNorm statistics and the
    scale of the logits (mean 0, deviation 1) from random images."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
            shape = module.weight.shape
            module.weight.copy_(torch.rand(shape, generator=generator) * 0.6 + 0.7)
            module.bias.copy_(torch.randn(shape, generator=generator) * 0.3)
    set_thetas(model, random_images(64, channels, side, generator))
    estimate_batchnorm(model, [random_images(64, channels, side, generator) for _ in range(4)])
    model.eval()
    logits = model(random_images(64, channels, side, generator))
    head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    spread = logits.std(0)
    head.weight /= spread[:, None]
    head.bias.copy_((head.bias - logits.mean(0)) / spread)
    return model


def save(path: str | os.PathLike[str], model: nn.Module, name: str, options: dict[str, Any], note: str = "",
         policy: str = "") -> None:
    """policy: the text (YAML) of the masks that it was trained with."""
    torch.save({"name": name, "options": options, "note": note, "policy": policy, "state": model.state_dict()}, path)


def load(path: str | os.PathLike[str]) -> tuple[nn.Module, dict[str, Any]]:
    """(model in evaluation mode, the checkpoint's name and options)"""
    checkpoint = torch.load(path, map_location="cpu")
    model = build(checkpoint["name"], **checkpoint["options"])
    model.load_state_dict(checkpoint["state"])
    return model, checkpoint
