"""What a run found: arrays by sample, and the figures that mstrun makes of them."""
from __future__ import annotations

import ctypes as c
import dataclasses
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib
from .errors import ArgumentError, Warning

if TYPE_CHECKING:
    from .model import Layer, Model
    from .run import How


def energy_sets() -> list[str]:
    """Names of the sets of energies of operations (docs/ENERGY.md), the default first."""
    out: list[str] = []
    while (e := _lib.mst().energy_set_at(len(out))):
        out.append(e.contents.name.decode())
    return out


def find_energy_set(name: Any) -> Any:
    known = energy_sets()
    if name not in known:
        raise ArgumentError("energy_set: expected one of %s, found %r" % (", ".join(known), name))
    return _lib.mst().energy_set_at(known.index(name))


@dataclasses.dataclass(frozen=True)
class Cost:
    """pJ of one inference."""
    operations_pj: float
    memory_pj: float     #: reads and writes
    updates_pj: float    #: of neurons, beside synaptic operations

    @property
    def total_pj(self) -> float:
        return self.operations_pj + self.memory_pj + self.updates_pj


@dataclasses.dataclass(frozen=True)
class Energy:
    """What a run costs, and what its ANN does, in the same set (docs/ENERGY.md). NaN: not compared."""
    set: str
    run: Cost
    ann: Cost                  #: one pass of the ANN
    ratio: float               #: operations, run over ANN
    total_ratio: float         #: the same with memory and neurons
    bits: int | None = None    #: radix: of the activations of the ANN below
    bit_ann: Cost | None = None


class Result:
    """Of n samples. Axis `at` is over the steps in `at`, the last of which is T; it has length 1 in the other modes.

    logits: float32 [n, at, classes], the mean from step readout_from to each step.
    spikes, fired, sops, macs: uint64 [n, at], from the first step on: spikes after masks and before, synaptic
        operations, multiply-adds of analog inputs.
    layer_spikes, layer_fired, layer_ops: uint64 [n, layers], of all steps; ops of what feeds the layer.
    labels, index: int64 [n]; -1: no label. index draws the masks.
    over_time: float32 [n, T, classes], or None. taps, counts, potentials: arrays by the layer's name (Model.run).
    seconds: of simulation, of the thread that had most.
    """

    def __init__(self, model: Model, how: How, index: np.ndarray, isa: str, *, layers: int, dense_ops: int,
                 dense_ops_static: int, depth: int, window: int) -> None:
        n, at = len(index), len(how.at)
        self.mode, self.T, self.levels = how.mode, how.T if how.mode == "step" else None, how.levels or None
        self.at, self.readout_from, self.seed = how.at, how.readout_from, how.seed
        self._model, self.isa, self.threads, self.seconds = model, isa, 1, 0.0
        self.class_names = model.class_names
        self.index, self.labels = index, np.full(n, -1, np.int64)
        self.logits = np.zeros((n, at, model.classes), np.float32)
        self.spikes, self.fired, self.sops, self.macs = (np.zeros((n, at), np.uint64) for _ in range(4))
        self.layer_spikes, self.layer_fired, self.layer_ops = (np.zeros((n, layers), np.uint64) for _ in range(3))
        self.over_time: np.ndarray | None = None
        self.taps: dict[str, np.ndarray] = {}
        self.counts: dict[str, np.ndarray] = {}
        self.potentials: dict[str, np.ndarray] = {}
        self.dense_ops, self.dense_ops_static = dense_ops, dense_ops_static
        self.depth = depth if how.mode in ("count", "radix") else None
        self.window = window if how.mode in ("count", "radix") else None
        self.energy_set = how.energy_set

    def __len__(self) -> int:
        return len(self.index)

    @property
    def layers(self) -> list[Layer]:
        """Of the model: the columns of layer_spikes and its like."""
        return self._model.layers

    def __repr__(self) -> str:
        labelled, n = int((self.labels >= 0).sum()), len(self)
        said = ["%d samples" % n]
        if labelled:
            said.append("top-1 %.2f %%%s" % (100 * self.accuracy, "" if labelled == n else " of %d" % labelled))
        if n and self.mode == "ann":
            said += ["no spikes", "%.4g MACs each" % self.mean("macs")]
        elif n:
            said.append("%.4g spikes and %.4g SOPs each" % (self.mean("spikes"), self.mean("sops")))
            ratio = self.energy.ratio
            said += [] if math.isnan(ratio) else ["%.3g times the ANN's energy" % ratio]
        return "<mst.Result %s%s: %s>" % (self.mode, "" if self.T is None else " T = %d" % self.T, ", ".join(said))

    # ---- of each sample ----

    @property
    def predictions(self) -> np.ndarray:
        """Class with the largest logit, of equals the first: int64 [n]."""
        return np.asarray(self.logits[:, -1].argmax(-1))

    @property
    def predictions_at(self) -> np.ndarray:
        """The same at each step of `at`: int64 [n, at]."""
        return np.asarray(self.logits.argmax(-1))

    # ---- of all ----

    @property
    def accuracy(self) -> float:
        """Share of the labelled samples whose label has the largest logit, at the last step; NaN without labels."""
        return float(self.accuracy_at[-1])

    @property
    def accuracy_at(self) -> np.ndarray:
        """The same at each step: float64 [at]."""
        return self.top(1)

    def top(self, n: int) -> np.ndarray:
        """Share of the labelled samples whose label has one of the n largest logits (of equals, the first counts as
        the largest), float64 [at]; NaN without labels."""
        known = (self.labels >= 0) & (self.labels < self.logits.shape[-1])
        labelled = int((self.labels >= 0).sum())
        if not labelled:
            return np.full(len(self.at), math.nan)
        x, label = self.logits[known], self.labels[known]
        own = np.take_along_axis(x, label[:, None, None], -1)
        earlier = np.arange(x.shape[-1])[None, None, :] < label[:, None, None]
        before = ((x > own) | ((x == own) & earlier)).sum(-1)
        return np.asarray((before < n).sum(0) / labelled)

    def mean(self, what: str, at: int = -1) -> float:
        """Mean of "spikes", "fired", "sops" or "macs" over samples, at one of the steps; NaN of no samples, and of spikes in
        mode "ann", where activations that are not 0 are counted in their place."""
        return math.nan if self.mode == "ann" and what in ("spikes", "fired") else self._mean(what, at)

    def _mean(self, what: str, at: int) -> float:
        return self.total(what, at) / len(self) if len(self) else math.nan

    def total(self, what: str, at: int = -1) -> int:
        return int(getattr(self, what)[:, at].sum())

    @property
    def latency_steps(self) -> int | None:
        """Steps from input to output: T; in count and radix mode a window for each neuron in sequence."""
        return self.T if self.depth is None or self.window is None else self.depth * self.window

    @property
    def energy(self) -> Energy:
        """Of one sample, the mean."""
        return self.energy_at(-1)

    def energy_at(self, at: int) -> Energy:
        """The same up to one of the steps, by its place in `at`."""
        lib, chosen = _lib.mst(), find_energy_set(self.energy_set)
        neurons = float(sum(layer.neurons for layer in self.layers))
        steps = float(self.at[at]) if self.mode == "step" else 1.0
        work = _lib.Work(sops=self._mean("sops", at), macs=self._mean("macs", at), spikes=self._mean("spikes", at),
                         fired=self._mean("fired", at), neurons=neurons, updates=neurons * steps,
                         dense_ops=float(self.dense_ops), dense_static=float(self.dense_ops_static))
        ann = cost(lib.energy_of_ann(chosen, c.byref(work)))
        run = ann if self.mode == "ann" else cost(lib.energy_of_run(chosen, c.byref(work)))
        fires = self.mode != "ann" and self.total("spikes", at) != 0
        bit = cost(lib.energy_of_bit_ann(chosen, c.byref(work), self.window)) if self.mode == "radix" else None
        return Energy(self.energy_set, run, ann, ratio(fires, run.operations_pj, ann.operations_pj),
                      ratio(fires, run.total_pj, ann.total_pj), self.window if bit is not None else None, bit)

    def figures(self) -> dict[str, Any]:
        """The figures by the names that mstrun --json gives them (docs/JSON.md); None where they mean nothing."""
        spiking, n = self.mode != "ann", max(1, len(self))
        out: dict[str, Any] = {"samples": len(self), "labelled": int((self.labels >= 0).sum()), "mode": self.mode,
                               "T": self.T, "levels": self.levels, "latency_steps": self.latency_steps}
        out.update(self._figures(-1))
        out["at"] = [dict(self._figures(k), t=t if self.mode == "step" else None) for k, t in enumerate(self.at)]
        out["layers"] = [{"name": layer.name, "site": layer.site, "ratio": layer.ratio,
                          "spikes_per_sample": int(self.layer_spikes[:, k].sum()) / n if spiking else None,
                          "fired_per_sample": int(self.layer_fired[:, k].sum()) / n if spiking else None,
                          "input_ops_per_sample": int(self.layer_ops[:, k].sum()) / n}
                         for k, layer in enumerate(self.layers)]
        return out

    def _figures(self, at: int) -> dict[str, Any]:
        e, spiking = self.energy_at(at), self.mode != "ann"
        return {"top1_percent": number(100 * self.top(1)[at]), "top5_percent": number(100 * self.top(5)[at]),
                "spikes_per_sample": self.mean("spikes", at) if spiking else None,
                "fired_per_sample": self.mean("fired", at) if spiking else None,
                "sops_per_sample": self.mean("sops", at), "macs_per_sample": self.mean("macs", at),
                "energy_pj": e.run.operations_pj, "energy_ratio": number(e.ratio) if spiking else None,
                "energy_total_ratio": number(e.total_ratio) if spiking else None}

    def warn_of_silence(self) -> None:
        if self.mode != "ann" and len(self) and self.layer_spikes.shape[1] and self.total("spikes") == 0:
            warnings.warn("no neuron %s in %d samples: what the network says does not depend on its input" % (
                "fired past its mask" if self.total("fired") else "ever fired", len(self)), Warning, stacklevel=4)


def cost(made: Any) -> Cost:
    return Cost(made.operations, made.memory, made.updates)


def ratio(fires: bool, mine: float, theirs: float) -> float:
    return mine / theirs if fires and theirs > 0 else math.nan


def number(x: float) -> float | None:
    return None if math.isnan(x) else float(x)
