"""From a trained network to a spiking one: ONNX files and PyTorch modules, by mstconv."""
from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import _tools
from .errors import ArgumentError
from .model import Model
from .policy import Policy

OPSET = 17


def is_module(model: Any) -> bool:
    """A torch.nn.Module, asked without importing PyTorch."""
    return any(t.__module__.startswith("torch.nn") and t.__name__ == "Module" for t in type(model).__mro__)


def export(model: Any, example: Any, path: str | os.PathLike[str], levels: int | None = None) -> None:
    """Write a torch.nn.Module as ONNX, with the exporter that traces it in evaluation mode. levels: L of SpikingJelly's
    neurons in it."""
    import inspect
    import warnings

    import torch

    from .torch import spikingjelly
    if example is None:
        raise ArgumentError("example: expected an input of the module, as torch.zeros(1, 3, 32, 32), found nothing")
    model = spikingjelly.rewritten(model, levels)
    example, training = torch.as_tensor(example), model.training
    more: dict[str, Any] = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, on shapes that are constant here
        model.eval()
        try:
            torch.onnx.export(model, (example[:1],), os.fspath(path), opset_version=OPSET, input_names=["input"],
                              output_names=["logits"], **more)
        finally:
            model.train(training)


@contextlib.contextmanager
def as_onnx(model: Any, example: Any, levels: int | None = None) -> Iterator[str]:
    """The path of an ONNX file: that of one, or of what a module was exported to, which goes when this ends."""
    if is_module(model):
        with tempfile.TemporaryDirectory(prefix="mst-") as folder:
            path = os.path.join(folder, type(model).__name__ + ".onnx")
            export(model, example, path, levels)
            yield path
    elif isinstance(model, (str, os.PathLike)):
        yield os.fspath(model)
    elif hasattr(model, "SerializeToString"):  # onnx.ModelProto
        with tempfile.TemporaryDirectory(prefix="mst-") as folder:
            path = os.path.join(folder, "model.onnx")
            pathlib.Path(path).write_bytes(model.SerializeToString())
            yield path
    else:
        raise ArgumentError("model: expected the path of an ONNX file, an onnx.ModelProto or a torch.nn.Module, found "
                            "%s" % type(model).__name__)


@contextlib.contextmanager
def as_data(data: Any) -> Iterator[str | None]:
    """A SPEC of what may be a SPEC, an array [n, C, H, W] or a pair (array, labels), which then go through a file."""
    if data is None or isinstance(data, str):
        yield data
        return
    x, labels = data if isinstance(data, tuple) else (data, None)
    x = np.asarray(x)
    with tempfile.TemporaryDirectory(prefix="mst-") as folder:
        names = [os.path.join(folder, "samples.npy")]
        np.save(names[0], x if x.dtype == np.uint8 else np.ascontiguousarray(x, np.float32))
        if labels is not None:
            names.append(os.path.join(folder, "labels.npy"))
            np.save(names[1], np.ascontiguousarray(labels, np.int64))
        yield "npy:" + ",".join(names)


@contextlib.contextmanager
def as_policy(policy: Any, masks: Any) -> Iterator[str | None]:
    if masks is not None:
        if policy is not None:
            raise ArgumentError("policy and masks: expected one of them; a Policy has masks")
        policy = Policy.of_masks(masks)
    if not isinstance(policy, Policy):
        yield None if policy is None else os.fspath(policy)
        return
    with tempfile.TemporaryDirectory(prefix="mst-") as folder:
        path = os.path.join(folder, "policy.yaml")
        policy.save(path)
        yield path


def convert(model: Any, out: str | os.PathLike[str] | None = None, *, example: Any = None,
            policy: Policy | str | os.PathLike[str] | None = None, masks: float | Mapping[str, float] | None = None,
            mode: str | None = None, levels: int | None = None, bits: int | None = None, thinning: str | None = None,
            timesteps: int | None = None, seed: int | None = None, weights: str | None = None,
            mean: Any = None, std: Any = None, classes: Any = None, calibrate: Any = None, samples: int | None = None,
            theta: str | None = None, theta_method: str | None = None, force: bool = False, **options: Any) -> Model:
    """The spiking network of an ANN, as mstconv makes it (`mstconv --help`, docs/CONVERSION.md).

    model: the path of an ONNX file, an onnx.ModelProto, or a torch.nn.Module with `example`, an input of it
        [1, C, H, W]; a module is exported in evaluation mode and left as it was. SpikingJelly's IFNode(v_reset=None) in
        it, as of ann2snn.Converter, become neurons with the same thresholds (docs/BRIDGES.md); its other neurons are refused.
    out: the model file to write; None: none stays. `force` replaces a file that no tool of ours wrote.
    policy: masks and the way of running, an mst.Policy or the path of one. masks alone: a ratio for all sites, or one
        for each, {"q": .5, "k": .5, "attn": .5}. Default: those that the model's metadata name.
    mode, levels, bits, thinning, timesteps, seed: how it is run where nobody says.
    weights: "f32", "f16" or "int8".
    mean, std: a byte x enters as (x/255 - mean)/std, one a channel. Default: the model's metadata.
    classes: their names, a list, or the path of a file with one a line.
    calibrate: samples whose activations give thresholds to a network with ReLU: a SPEC of a data set, an array
        [n, C, H, W], or (array, labels); samples: how many of them; theta: "channel" or "layer"; theta_method: "mse",
        "max", "p99.9", "bound".
    options: others of mstconv by their names: input_shape="3x32x32", require_spiking=True, qdq="keep", ..

    The model has the conversion's `report` and `notes`, which are given as mst.Warning, too. Error: what cannot be
    converted and why, in mstconv's words.
    """
    if calibrate is None and (samples is not None or theta is not None):
        raise ArgumentError("%s: expected calibrate= with it" % ("samples" if samples is not None else "theta"))
    if classes is not None and not isinstance(classes, (str, os.PathLike)):
        classes = ",".join(map(str, classes))
    with contextlib.ExitStack() as stack:
        onnx = stack.enter_context(as_onnx(model, example, levels))
        spec = stack.enter_context(as_data(calibrate))
        file = stack.enter_context(as_policy(policy, masks))
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mst-")))
        path = os.fspath(out) if out is not None else str(folder / "model.bin")
        words = _tools.options(dict(policy=file, mode=mode, levels=levels, bits=bits, thinning=thinning,
                                    timesteps=timesteps, seed=seed, weights=weights, mean=mean, std=std,
                                    classes=classes, calibrate=spec, theta=theta, theta_method=theta_method,
                                    force=force, **options))
        if samples is not None:
            words += ["-n", _tools.number(samples)]
        _, notes = _tools.run("mstconv", [*words, "--quiet", "--report", folder / "report.json", "-o", path, "--",
                                          onnx], stacklevel=4)
        made = Model(path)
        made.path = path if out is not None else None
        made.report, made.notes = _tools.report(folder / "report.json"), notes
    return made
