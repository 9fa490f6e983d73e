"""Models, masks, training helpers and export in PyTorch.

    from mst.torch import QCFS, SpikeMask, export, qcfs, resnet, swin, thinning, timesteps, zoo

QCFS: the quantized activation that becomes a neuron. SpikeMask: Random Spike Masking in training. Swin, ResNet18, VGG16:
models ready for conversion. calibrate: starting values of thetas from data. thinning, timesteps: training for masks in
count and radix, and in step mode. export, from_onnx: ONNX out and in. simulate: the network in spikes, step by step, a check
of the library that shares nothing with it. PyTorch is imported with the first of them.
"""
from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("calibrate", "event_swin", "export", "from_onnx", "layers", "qcfs", "resnet", "simulate", "swin", "thinning",
            "timesteps", "vgg", "zoo")
_CLASSES = {"QCFS": "qcfs", "SpikeMask": "layers", "ConvBN": "layers", "LinearBN": "layers", "Swin": "swin",
            "ResNet18": "resnet", "VGG16": "vgg", "EventSwin": "event_swin"}
__all__ = [*_MODULES, *_CLASSES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _CLASSES:
        return getattr(importlib.import_module("." + _CLASSES[name], __name__), name)
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
