"""A model as NeuroBench's harness measures one: its metrics of a run of ours.

    from mst.neurobench import NeuroBench
    Benchmark(NeuroBench(model, T=32), loader, [], [], [[Footprint, ConnectionSparsity], [ClassificationAccuracy,
              ActivationSparsity, SynapticOperations]]).run()

Needs the packages neurobench and torch.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import chain
from .errors import ArgumentError, Error, needs

torch = needs("torch", "torch", "mst.neurobench")
models = needs("neurobench.models", "neurobench", "mst.neurobench")

if TYPE_CHECKING:
    from .model import Model
    from .result import Result


class Spikes(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Where spikes of a layer pass: the activation that the harness looks at."""

    def forward(self, x: Any) -> Any:
        return x


def layer_of(unit: chain.Unit) -> Any:
    nn = torch.nn
    if isinstance(unit, chain.Fire):
        return Spikes()
    if isinstance(unit, chain.Flat):
        return nn.Flatten()
    if isinstance(unit, chain.Pool):
        return nn.AvgPool2d(unit.kernel, unit.stride, unit.padding, divisor_override=None if unit.mean else 1)
    outputs, inputs = unit.weight.shape[:2]
    if isinstance(unit, chain.Conv):
        made = nn.Conv2d(inputs * unit.groups, outputs, unit.weight.shape[2:], unit.stride, unit.padding, unit.dilation,
                         unit.groups)
    else:
        made = nn.Linear(inputs, outputs, bias=unit.bias is not None)
    made.weight.data = torch.from_numpy(np.array(unit.weight))
    if unit.bias is not None:
        made.bias.data = torch.from_numpy(np.array(unit.bias))
    return made.requires_grad_(False)


class NeuroBench(models.NeuroBenchModel):  # type: ignore[misc, name-defined]
    """A chain of layers (docs/BRIDGES.md; Error names what is none) as a NeuroBenchModel.

    Its predictions and spikes are those of `Model.run`, step mode; the PyTorch layers around them, with thetas in their
    weights, are what the harness counts on. run: arguments of Model.run: T=, seed=, threads=, readout_from=. What a batch's
    run gave is in `results`, so that masks are drawn by the sample's place among all that were shown.
    """

    def __init__(self, model: Model, **run: Any) -> None:
        super().__init__()
        if run.setdefault("mode", "step") != "step":
            raise ArgumentError("mode: NeuroBench sees spikes of time steps: expected \"step\", found %r" % (run["mode"],))
        for name in ("taps", "labels", "index", "samples"):
            if name in run:
                raise ArgumentError("%s: not an argument of NeuroBench" % name)
        if model.frames > 1:
            raise Error("NeuroBench: the model sees %d frames one after another" % model.frames, "EUNSUPPORTED")
        self.model, self.options = model, run
        self.units = chain.of(model, "NeuroBench")
        names = [layer.name for layer in model.layers]
        if len(set(names)) < len(names):
            raise Error("NeuroBench: two layers of neurons of one name", "EUNSUPPORTED")
        self.net = torch.nn.Sequential(*(layer_of(unit) for unit in self.units))
        self.results: list[Result] = []
        self.add_activation_module(Spikes)

    def __net__(self) -> Any:
        return self.net

    def __call__(self, batch: Any) -> Any:
        """Classes [n], int64, of samples [n, C, H, W] as Model.run takes them (a tensor)."""
        seen = sum(len(result) for result in self.results)
        result = self.model.run(batch.detach().cpu().numpy(), index=seen, taps="all", **self.options)
        self.results.append(result)
        with torch.no_grad():
            self.show(torch.as_tensor(batch, dtype=torch.float32), result)
        return torch.from_numpy(np.ascontiguousarray(result.predictions, np.int64))

    def show(self, x: Any, result: Result) -> None:
        """Let each layer see what it saw in the run: what is constant once, spikes at each step."""
        first = next((k for k, unit in enumerate(self.units) if isinstance(unit, chain.Fire)), len(self.units))
        for layer in self.net[:first]:
            x = layer(x)
        for t in range(result.T or 0):
            for unit, layer in zip(self.units[first:], self.net[first:]):
                x = layer(self.spikes(unit, result, t) if isinstance(unit, chain.Fire) else x)

    def spikes(self, unit: chain.Fire, result: Result, t: int) -> Any:
        """[n, C, H, W] or [n, features] of 0 and 1, behind the mask."""
        fired = (result.taps[unit.name][:, t] != 0).reshape(len(result), -1)
        if len(unit.size) == 3:
            c, h, w = unit.size
            shape = self.model.layers[unit.index].shape
            fired = fired.reshape(-1, h, w, c).transpose(0, 3, 1, 2) if shape[-3:] == (h, w, c) else fired.reshape(-1, c, h, w)
        return torch.from_numpy(np.ascontiguousarray(fired, np.float32))
