"""Where a spiking network differs from its ANN, layer by layer, and v(0) that makes it differ less: by mstcalib."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterable
from typing import Any

from . import _tools
from .conversion import as_data, as_onnx
from .model import Model


@dataclasses.dataclass(frozen=True)
class LayerError:
    """How far one layer is off at T, over neurons and samples (mst/calibrate.h has the formulas).

    The error of a neuron is its value less the ANN's activation; it is the sum of `parts`, of which here are the mean
    absolute values, and the means in `parts_bias`, which add up to `bias`. The unit is that of activations.
    """
    name: str
    site: str
    stage: int
    block: int
    neurons: int
    theta: float            #: the mean over channels
    L: int
    rate_percent: float     #: spikes over neurons times steps
    mae: float              #: mean absolute error
    mae_se: float | None    #: its standard error over samples
    rel_l2: float | None    #: L2 of the error over L2 of the activation
    max: float
    bias: float             #: mean error
    within_percent: float   #: neurons with an error below theta/(2L)
    residual: float         #: mean absolute charge that is left over
    parts: dict[str, float]
    parts_bias: dict[str, float]
    levels: int | None = None  #: in count and radix mode


class Calibration:
    """What mstcalib found. report: all of it, by the names of docs/JSON.md; layers: the errors at T.

    at: at each step (one entry in count and radix mode): t, top1_percent, agreement_percent, logit_rel_l2 and, in step
    mode, the errors of all layers at that step.
    """

    def __init__(self, report: dict[str, Any], notes: list[str]) -> None:
        self.report, self.notes = report, notes
        fields = {field.name for field in dataclasses.fields(LayerError)}
        self.layers = [LayerError(**{k: v for k, v in layer.items() if k in fields}) for layer in report["layers"]]
        self.at: list[dict[str, Any]] = report["at"]
        self.mode: str = report["mode"]
        self.samples: int = report["samples"]

    @property
    def ann_top1_percent(self) -> float | None:
        """Accuracy of the ANN on the same samples; None without labels."""
        value: float | None = self.report["ann_top1_percent"]
        return value

    @property
    def worst(self) -> LayerError:
        """The layer with the largest relative error."""
        return max(self.layers, key=lambda layer: layer.rel_l2 or 0.0)

    def __repr__(self) -> str:
        last = self.at[-1]
        return "<mst.Calibration %s: %d samples, same class %.2f %%, error of logits %.4g; worst layer %s>" % (
            self.mode, self.samples, last["agreement_percent"], last["logit_rel_l2"], self.worst.name)


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What tuning found. model: with the v(0) that is better on the samples held out; None: none is."""
    model: Model | None
    report: dict[str, Any]
    notes: list[str]


@contextlib.contextmanager
def as_file(model: Any) -> Any:
    if not isinstance(model, Model):
        yield os.fspath(model)
        return
    with tempfile.TemporaryDirectory(prefix="mst-") as folder:
        path = os.path.join(folder, "model.bin")
        model.save(path)
        yield path


def calibrate(ann: Any, model: Model | str | os.PathLike[str], data: Any, *, example: Any = None,
              T: int | Iterable[int] | None = None, mode: str | None = None, levels: int | None = None,
              bits: int | None = None, thinning: str | None = None, readout_from: int | str | None = None,
              ann_masks: str | None = None, samples: int | None = None, seed: int | None = None,
              threads: int | None = None, **options: Any) -> Calibration:
    """Run the ANN and its spiking network on the same samples and say how far each layer is off, as mstcalib does.

    ann: what the model was converted from: the path of an ONNX file, an onnx.ModelProto, or a torch.nn.Module with
        `example`.
    data: a SPEC of a data set, an array [n, C, H, W] as the model takes it, or (array, labels).
    T: time steps, or several at which to report. Others as of Model.run; samples: so many, spread over a data set that
        is in the order of its classes. ann_masks: of the ANN, each as its mean: "trained" (the
        default, where the model says them), "mean" (those of the model) or "none".
    options: others of mstcalib by their names.
    """
    with contextlib.ExitStack() as stack:
        onnx, spec = stack.enter_context(as_onnx(ann, example)), stack.enter_context(as_data(data))
        file = stack.enter_context(as_file(model))
        out = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mst-"))) / "report.json"
        words = _tools.options(dict(timesteps=T, mode=mode, levels=levels, bits=bits, thinning=thinning,
                                    readout_from=readout_from, ann_masks=ann_masks, seed=seed, threads=threads,
                                    json=out, **options)) + picked(samples)
        _, notes = _tools.run("mstcalib", [*words, "--quiet", "--", onnx, file, spec], stacklevel=4)
        return Calibration(_tools.report(out), notes)


def tune(ann: Any, model: Model | str | os.PathLike[str], data: Any, out: str | os.PathLike[str] | None = None, *,
         held_out: Any = None, example: Any = None, T: int | None = None, readout_from: int | str | None = None,
         ann_masks: str | None = None, samples: int | None = None, holdout: float | None = None,
         seed: int | None = None, threads: int | None = None, force: bool = False, **options: Any) -> Tuning:
    """Find v(0) of each channel for step mode on samples, as mstcalib --tune does; arguments as of `calibrate`.

    out: the model file to write where that is better. samples: so many of data (1000); holdout: the share of them that
    judges (.2); held_out: other data for that.
    """
    with contextlib.ExitStack() as stack:
        onnx, file = stack.enter_context(as_onnx(ann, example)), stack.enter_context(as_file(model))
        specs = [spec for spec in (stack.enter_context(as_data(data)), stack.enter_context(as_data(held_out)))
                 if spec is not None]
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mst-")))
        path = os.fspath(out) if out is not None else str(folder / "tuned.bin")
        words = _tools.options(dict(timesteps=T, readout_from=readout_from, ann_masks=ann_masks, holdout=holdout,
                                    seed=seed, threads=threads, force=force, json=folder / "report.json", tune=path,
                                    **options)) + picked(samples)
        _, notes = _tools.run("mstcalib", [*words, "--quiet", "--", onnx, file, *specs], stacklevel=4)
        report = _tools.report(folder / "report.json")
        made = Model(path) if report["better"] else None
        if made is not None and out is None:
            made.path = None
    return Tuning(made, report, notes)


def picked(samples: int | None) -> list[str]:
    return [] if samples is None else ["-n", _tools.number(samples)]
