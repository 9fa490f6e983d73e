"""ResNet-18 for small images, with QCFS in place of ReLU (levels=0: with ReLU) and average pooling."""
from __future__ import annotations

import torch
from torch import nn

from .layers import ConvBN, SpikeMask
from .qcfs import activation


class ResidualBlock(nn.Module):
    """[B, inputs, H, W] -> [B, outputs, H/stride, W/stride]"""

    def __init__(self, inputs: int, outputs: int, stride: int, levels: int, form: str) -> None:
        super().__init__()
        self.conv1, self.if1 = ConvBN(inputs, outputs, 3, stride), activation(levels, form)
        self.conv2, self.if2 = ConvBN(outputs, outputs), activation(levels, form)
        self.mask1, self.mask2 = SpikeMask(), SpikeMask()
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else ConvBN(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.mask1(self.if1(self.conv1(x)))
        return self.mask2(self.if2(self.conv2(y) + self.shortcut(x)))


class ResNet18(nn.Module):
    """[B, channels, S, S] -> logits [B, classes]; width 64 is the usual network."""

    def __init__(self, channels: int = 3, classes: int = 10, width: int = 64, levels: int = 16, form: str = "plain",
                 image: int = 32) -> None:
        super().__init__()
        self.conv1, self.if1 = ConvBN(channels, width), activation(levels, form)
        self.mask1 = SpikeMask()
        blocks, inputs = [], width
        for stage in range(4):
            outputs = width << stage
            for i in range(2):
                stride = 2 if stage and i == 0 else 1
                blocks.append(ResidualBlock(inputs, outputs, stride, levels, form))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AvgPool2d(image // 8)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.mask1(self.if1(self.conv1(x))))
        return self.head(torch.flatten(self.pool(x), 1))
