"""Networks of SpikingJelly, such as ann2snn.Converter makes of networks with ReLU: their IF neurons as the activation
(QCFS) that the converter makes the same neurons of again. Scalers around them stay what they are, products."""
from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import torch
from torch import nn

from ..errors import Error, Warning

LEVELS = 16
NEURONS = "spikingjelly.activation_based.neuron"


class Staircase(nn.Module):
    """What IF neurons with soft reset fire in L steps of a constant input, over L: a spike is 1."""

    def __init__(self, theta: float, shift: float, levels: int) -> None:
        super().__init__()
        self.theta, self.shift, self.levels = theta, shift, levels

    def forward(self, x: Any) -> Any:
        level: Any = torch.floor(x / self.theta * self.levels + self.shift)
        y = torch.clamp(level / self.levels, 0, 1) * self.theta
        return y if self.theta == 1 else y / self.theta


def of(module: Any) -> list[tuple[str, Any]]:
    """The neurons of SpikingJelly in a module, by name."""
    return [(name, m) for name, m in module.named_modules() if type(m).__module__.startswith(NEURONS)]


def staircase(name: str, node: Any, levels: int) -> Staircase:
    """Of an IF neuron; Error says what to do about others."""
    kind, remedy = type(node).__name__, ""
    if kind not in ("IFNode", "HalfThresholdIFNode"):
        remedy = "only IFNode is converted: such a neuron leaks or has more states; replace it by IFNode and train or tune again"
    elif node.v_reset is not None:
        remedy = "it is set to v_reset=%g where it fires: use IFNode(v_reset=None), which subtracts the threshold" % node.v_reset
    elif isinstance(node.v, torch.Tensor):
        remedy = "it is in the middle of a run: call spikingjelly.activation_based.functional.reset_net(module)"
    elif not isinstance(node.v_threshold, (int, float)) or not 0 < node.v_threshold < math.inf:
        remedy = "v_threshold %s: expected a number above 0" % (node.v_threshold,)
    elif not 0 <= node.v <= node.v_threshold:
        remedy = "it starts at v = %g: expected 0 to v_threshold" % node.v
    if remedy:
        raise Error("%s (SpikingJelly's %s): %s" % (name or "the module", kind, remedy), "EUNSUPPORTED")
    return Staircase(float(node.v_threshold), float(node.v) / float(node.v_threshold), levels)


def rewritten(module: Any, levels: int | None) -> Any:
    """The module, or a copy of it for one step at a time in which activations stand for its neurons of SpikingJelly.

    levels: L of them; None: 16, which is warned of, since an IFNode does not say.
    """
    found = of(module)
    if not found:
        return module
    made = {name: staircase(name, node, levels or LEVELS) for name, node in found}
    if levels is None:
        warnings.warn("SpikingJelly's neurons say no levels: L = %d is assumed; the spikes of step mode do not depend on "
                      "it, those of count and radix do (levels=)" % LEVELS, Warning, stacklevel=7)
    if "" in made:
        return made[""]
    module = copy.deepcopy(module)
    for part in module.modules():
        if type(part).__module__.startswith("spikingjelly") and getattr(part, "step_mode", "s") == "m":
            part.step_mode = "s"
    for name, activation in made.items():
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, activation)
    return module
