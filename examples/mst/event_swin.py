"""A Swin for event recordings: frames, a reduction layer to 3 channels, then the Swin for pictures."""
from torch import nn

from .layers import ConvBN
from .swin import Swin


class EventSwin(nn.Module):
    """[B, channels, S, S] -> logits [B, classes].

    channels: 2 n with n frames presented together, 2 with one frame at each time step.
    The reduction layer is a 3x3 convolution with BatchNorm; it makes a picture of analog
    values, as an image data set has them, so it has no activation. The options are Swin's.
    """

    def __init__(self, channels=6, **options):
        super().__init__()
        self.reduction = ConvBN(channels, 3, 3)
        self.swin = Swin(channels=3, **options)

    def forward(self, x):
        return self.swin(self.reduction(x))
