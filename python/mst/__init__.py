"""Spiking networks from trained artificial ones: convert, run, measure.

    import mst
    model = mst.convert("digits.onnx")
    result = model.run("idx:images.gz,labels.gz", T=64)
    print(result.accuracy, result.energy.ratio)

NumPy is all it needs; mst.torch, which is for training and export, needs PyTorch. docs/PYTHON.md tells it all.
"""
from __future__ import annotations

from . import data
from .calibration import Calibration, LayerError, Tuning, calibrate, tune
from .conversion import convert
from .errors import ArgumentError, Error, Warning  # noqa: A004 - mst.Warning
from .exchange import from_nir, to_nir
from .model import Layer, Model, load
from .policy import Policy, Rule
from .result import Cost, Energy, Result, energy_sets

__version__ = "0.1.0"
__all__ = ["ArgumentError", "Calibration", "Cost", "Energy", "Error", "Layer", "LayerError", "Model", "Policy", "Result",
           "Rule", "Tuning", "Warning", "calibrate", "convert", "data", "energy_sets", "from_nir", "load", "to_nir",
           "tune"]
