"""ONNX export through each of PyTorch's exporters, and a check against ONNX Runtime.

ways: 'ts'      TorchScript exporter, static batch 1
      'tsdyn'   TorchScript exporter, dynamic batch
      'dynamo'  torch.export-based exporter, dynamic batch (PyTorch 2.5 and later)
"""
from __future__ import annotations

import copy
import inspect
import io
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

WAYS = ("ts", "tsdyn", "dynamo")


def strip_notes(model: Any) -> None:
    """Remove documentation strings and metadata (exporters put source paths there)."""
    model.doc_string = ""
    del model.metadata_props[:]
    for holder in [model.graph] + list(model.functions):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]
        items = list(holder.node) + list(getattr(holder, "value_info", []))
        if holder is model.graph:
            items += list(holder.input) + list(holder.output) + list(holder.initializer)
        for item in items:
            item.doc_string = ""
            if hasattr(item, "metadata_props"):
                del item.metadata_props[:]


def export(model: torch.nn.Module, example: torch.Tensor, way: str = "tsdyn", opset: int | None = None) -> Any:
    """The ONNX model (onnx.ModelProto) of `model` for inputs shaped like `example` [B, C, H, W]."""
    import onnx

    model.eval()
    buffer = io.BytesIO()
    common: dict[str, Any] = dict(input_names=["input"], output_names=["logits"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if way == "dynamo":
            if not hasattr(torch, "export") or "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
                raise NotImplementedError("PyTorch %s has no such exporter, 2.5 has" % torch.__version__)
            batch = torch.export.Dim("batch", min=1, max=4096)
            example = example if len(example) > 1 else example.expand(2, -1, -1, -1).contiguous()
            program = torch.onnx.export(model, (example,), dynamo=True, opset_version=opset or 18,
                                        dynamic_shapes=({0: batch},), verbose=False, **common)
            proto = program.model_proto
        else:
            if "dynamo" in inspect.signature(torch.onnx.export).parameters:
                common["dynamo"] = False
            if way == "tsdyn":
                common["dynamic_axes"] = {"input": {0: "batch"}, "logits": {0: "batch"}}
            else:
                example = example[:1]
            torch.onnx.export(model, (example,), buffer, opset_version=opset or 13, **common)
            proto = onnx.load_from_string(buffer.getvalue())
    strip_notes(proto)
    onnx.checker.check_model(proto)
    return proto


def describe(proto: Any, mean: Iterable[float] = (), std: Iterable[float] = (), classes: Iterable[str] = (),
             policy: str = "", frames: int = 0, split: str = "", present: str = "", levels: Iterable[int] = ()) -> None:
    """Write into the model's metadata what mstconv would otherwise have to be told (docs/ONNX.md), and that the input is
    [B, C, H, W] and theta the activation of all L levels. policy: text (YAML); frames, split, present: of event
    recordings; levels: every L that its activations have."""
    said = {"layout": "nchw", "theta_unit": "activation", "levels": ",".join(str(v) for v in sorted(set(levels))),
            "frames": str(frames or ""), "split": split, "present": present, "mean": ",".join(str(v) for v in mean),
            "std": ",".join(str(v) for v in std), "classes": ",".join(classes),
            "policy": "".join(line + "\n" for line in policy.splitlines() if not line.startswith("#"))}
    for key, value in said.items():
        if value:
            entry = proto.metadata_props.add()
            entry.key, entry.value = "mst." + key, value


def halved(proto: Any, least: int = 1000) -> Any:
    """A copy whose weights of `least` values and more are float16, each behind a Cast to float32: half the file. The
    weights are rounded to 11 bits; the operators compute in float32 as before."""
    from onnx import helper, numpy_helper, TensorProto

    proto, casts = copy.deepcopy(proto), []
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor) if tensor.data_type == TensorProto.FLOAT else np.empty(0)
        if values.size >= least:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ":half"))
            casts.append(helper.make_node("Cast", [name + ":half"], [name], name=name + ":cast", to=TensorProto.FLOAT))
    nodes = casts + list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return proto


def run(proto: Any, x: np.ndarray) -> np.ndarray:
    """Logits of ONNX Runtime for x (numpy), one image at a time when the batch is static."""
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    step = entry.shape[0] if isinstance(entry.shape[0], int) else len(x)
    parts = [session.run(None, {entry.name: x[i:i + step]})[0] for i in range(0, len(x), step)]
    return np.concatenate(parts)


def compare(proto: Any, model: torch.nn.Module, x: torch.Tensor) -> tuple[float, float]:
    """(largest difference to PyTorch, share of images within 1e-4) on x (tensor)."""
    with torch.no_grad():
        expected = model(x).numpy()
    worst = abs(run(proto, x.numpy()) - expected).max(axis=1)
    return float(worst.max()), float((worst < 1e-4).mean())
