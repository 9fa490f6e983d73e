"""VGG-16 for small images, with BatchNorm, QCFS in place of ReLU (levels=0: with ReLU) and average pooling."""
from __future__ import annotations

import torch
from torch import nn

from .layers import ConvBN, SpikeMask
from .qcfs import activation

PLAN = (1, 1, "pool", 2, 2, "pool", 4, 4, 4, "pool", 8, 8, 8, "pool", 8, 8, 8, "pool")


class VGG16(nn.Module):
    """[B, channels, S, S], S a multiple of 32 -> logits [B, classes]; width 64 is the usual network.

    bn=False: without BatchNorm; pool="max": max pooling, as the first VGGs had it.
    """

    def __init__(self, channels: int = 3, classes: int = 10, width: int = 64, levels: int = 16, form: str = "plain",
                 image: int = 32, dropout: float = 0.0, bn: bool = True, pool: str = "avg") -> None:
        super().__init__()
        layers, inputs = [], channels
        for step in PLAN:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2))
            else:
                layers += [ConvBN(inputs, step * width, bn=bn), activation(levels, form), SpikeMask()]
                inputs = step * width
        self.features = nn.Sequential(*layers)
        hidden = 8 * width
        self.classifier = nn.Sequential(
            nn.Linear(inputs * (image // 32) ** 2, hidden), activation(levels, form), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), activation(levels, form), nn.Dropout(dropout),
            nn.Linear(hidden, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))
