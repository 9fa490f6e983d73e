"""Models, masks, training helpers and export in PyTorch: the modules of examples/mst, which the wheel carries.

    from mst.torch import QCFS, SpikeMask, export, qcfs, resnet, swin, thinning, timesteps, zoo

QCFS: the quantized activation that becomes a neuron. SpikeMask: Random Spike Masking in training. Swin, ResNet18, VGG16:
models ready for conversion. calibrate: starting values of thetas from data. thinning, timesteps: training for masks in
count and radix, and in step mode. export, from_onnx: ONNX out and in. PyTorch is imported with the first of them.
"""
from __future__ import annotations

import importlib
import pathlib
from typing import Any

_IN_TREE = pathlib.Path(__file__).resolve().parents[3] / "examples" / "mst"
if (_IN_TREE / "qcfs.py").exists():  # where the package is used as it lies in the source tree
    __path__.append(str(_IN_TREE))

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
