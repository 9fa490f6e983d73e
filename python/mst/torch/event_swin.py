"""A Swin for event recordings: frames, a reduction layer to 3 channels, then the Swin for pictures."""
from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .layers import ConvBN
from .qcfs import QCFS
from .swin import Swin


class EventSwin(nn.Module):
    """[B, channels, S, S] -> logits [B, classes].

    channels: 2 n with n frames presented together, 2 with one frame at each time step.
    The reduction layer is a 3x3 convolution, BatchNorm and QCFS; the options are Swin's.
    """

    def __init__(self, channels: int = 6, **options: Any) -> None:
        super().__init__()
        self.reduction = ConvBN(channels, 3, 3)
        self.reduction_if = QCFS(options.get("levels", 16), form=options.get("form", "plain"))
        self.swin = Swin(channels=3, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.swin(self.reduction_if(self.reduction(x)))
