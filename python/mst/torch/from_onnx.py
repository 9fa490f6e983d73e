"""Models from ONNX files that export.py wrote with folded BatchNorm, so that training can go on from them."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from . import layers, qcfs, zoo


def owner(node: Any) -> str:
    """The module of a node /blocks/blocks.0/attn/q/linear/MatMul: blocks.0.attn.q.linear"""
    parts = node.name.strip("/").split("/")[:-1]
    return ".".join(part for part, after in zip(parts, parts[1:] + [""]) if not after.startswith(part + "."))


def tables(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """({parameter's name: tensor}, {activation's name: L}) of a file of PyTorch's TorchScript exporter."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    values = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    for node in graph.node:  # weights stored as float16 (export.halved)
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values.pop(node.input[0]).float()
    state = {name: value for name, value in values.items() if "::" not in name}
    levels, producer = {}, {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        inputs = list(node.input)
        # What the exporter computed beforehand has no name of its own, the node that uses it has.
        if node.op_type == "MatMul" and inputs[1] in values:
            state[owner(node) + ".weight"] = values[inputs[1]].t().contiguous()
        if node.op_type == "Reshape" and inputs[0] in values:  # position biases, a row for each pair of tokens
            state[owner(node) + ".position_bias"] = values[inputs[0]]
        first = producer.get(inputs[0]) if inputs else None
        if node.op_type == "Mul" and first is not None and first.op_type == "Div" and first.input[1].endswith(".theta"):
            constant = producer[inputs[1]].attribute[0].t
            levels[first.input[1][:-len(".theta")]] = int(numpy_helper.to_array(constant))
    return state, levels


@torch.no_grad()
def unfold(model: nn.Module, folded: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Give a model the function of its folded twin, each BatchNorm the statistics that it meets in the batches."""
    twins: dict[str, nn.Module] = dict(folded.named_modules())
    seen: dict[nn.Module, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, layers._Foldable) and module.bn is not None:
            twin = twins[name]
            module.linear.weight.copy_(twin.linear.weight)
            if module.linear.bias is not None:
                module.linear.bias.zero_()
            module.bn.running_mean.zero_()
            module.bn.running_var.fill_(1)
            module.bn.weight.fill_((1 + module.bn.eps) ** 0.5)
            module.bn.bias.copy_(twin.linear.bias)
            seen[module.bn] = []

    def note(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        x = inputs[0].double()
        x = x.transpose(0, 1).reshape(x.shape[1], -1)
        seen[norm].append(torch.stack([x.mean(1), x.square().mean(1)]))

    with qcfs.observed(model, [norm.register_forward_pre_hook(note) for norm in seen]):
        for x in batches:
            model(x)
    for norm, found in seen.items():
        mean, square = torch.stack(found).mean(0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(square - mean * mean)
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias += norm.running_mean


def load(path: str | os.PathLike[str], name: str, options: dict[str, Any], batches: Iterable[torch.Tensor],
         prepare: Callable[[nn.Module], None] = lambda model: None) -> tuple[nn.Module, dict[str, Any]]:
    """(model in evaluation mode, options with its L); batches: images as the network takes them.

    prepare(model) is called before they are shown: to set the masks of a network that was trained with some.
    """
    state, levels = tables(path)
    if len(set(levels.values())) != 1:
        raise ValueError("%s: activations of %s levels" % (path, sorted(set(levels.values())) or "unknown"))
    options = dict(options, levels=next(iter(levels.values())))
    folded = layers.fold_batchnorm(zoo.build(name, **options))
    for module_name, module in folded.named_modules():
        if hasattr(module, "position_bias") and module_name + ".position_bias" in state:
            rows = torch.zeros_like(module.position_bias.detach())
            rows[module.position_index] = state[module_name + ".position_bias"]
            state[module_name + ".position_bias"] = rows
    missing, unexpected = folded.load_state_dict(state, strict=False)
    known = [n for n in missing if n.endswith(("position_index", "window_mask", "num_batches_tracked"))]
    if unexpected or len(known) < len(missing):
        raise ValueError("%s: not a %s of these options (%s)" % (path, name, (unexpected + missing)[0]))
    model = zoo.build(name, **options)
    model.load_state_dict(folded.state_dict(), strict=False)
    prepare(model)
    unfold(model, folded, batches)
    return model.eval(), options
