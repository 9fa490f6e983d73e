"""A spiking network: what it is, and how it is run."""
from __future__ import annotations

import ctypes as c
import dataclasses
import functools
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib
from .errors import ArgumentError, Error, Warning
from .handles import Graph, Pool, Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .result import Result

KEPT = 4  # ways of running that stay compiled
SAME_RATIO = 1e-6


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of integrate-and-fire neurons, in execution order."""
    index: int
    name: str                #: of the ONNX node
    site: str                #: "q", "k", "v", "attn", .., "conv", "other"
    stage: int               #: of the network; -1: outside
    block: int               #: counted over the network; -1: outside
    neurons: int
    shape: tuple[int, ...]   #: of what it gives in one step, without the batch
    L: int                   #: levels that the ANN was trained with
    theta: np.ndarray        #: thresholds, float32 [1] or [channels]
    axis: int | None         #: of `shape`, that of the channels; None with one threshold
    ratio: float | None      #: of spikes that its mask drops; None: no mask
    trained: float | None    #: the ratio that the weights were trained with; None: not known


class Model:
    """A network in a file of mstconv. `mst.load` and `mst.convert` give one.

    report: what the conversion said (docs/JSON.md, "conv"); None for a file that was loaded.
    notes: its warnings.
    """

    def __init__(self, path: str | os.PathLike[str], *, mapped: bool = False) -> None:
        self._graph = Graph(path, mapped)
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self.path: str | None = os.fspath(path)
        self.report: dict[str, Any] | None = None
        self.notes: list[str] = []

    def __repr__(self) -> str:
        return "<mst.Model %s: input %s, %d classes, %d layers, %s>" % (
            os.path.basename(self.path or "in memory"), "x".join(map(str, self.input_shape)), self.classes,
            len(self.layers), self.mode)

    # ---- what it is ----

    @functools.cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample (of one frame, where a sample has several): (C, H, W)."""
        dims = (c.c_uint32 * _lib.MAX_RANK)()
        rank = _lib.mst().graph_input_shape(self._graph.handle, dims)
        return tuple(dims[1:rank])

    @functools.cached_property
    def frames(self) -> int:
        """Frames of an event recording that a sample shows one after another; 1: the input is constant."""
        return int(_lib.mst().graph_frames(self._graph.handle))

    @functools.cached_property
    def classes(self) -> int:
        return int(_lib.mst().graph_classes(self._graph.handle))

    @functools.cached_property
    def class_names(self) -> list[str] | None:
        """None: not known."""
        lib = _lib.mst()
        found = [lib.graph_class_name(self._graph.handle, k) for k in range(self.classes)]
        return None if None in found else [name.decode(errors="replace") for name in found]

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """Float32 [C]: a byte x enters as (x/255 - mean)/std. 0 where the model has none."""
        return self._norm(_lib.mst().graph_mean)

    @functools.cached_property
    def std(self) -> np.ndarray:
        """Float32 [C]; 1 where the model has none."""
        return self._norm(_lib.mst().graph_std)

    def _norm(self, of: Any) -> np.ndarray:
        channels = self.input_shape[0] if self.input_shape else 1
        return np.array([of(self._graph.handle, k) for k in range(channels)], np.float32)

    @property
    def normalized(self) -> bool:
        """Does it have a mean and std?"""
        return bool((self.mean != 0).any() or (self.std != 1).any())

    @functools.cached_property
    def T(self) -> int:
        """Time steps that it is run for where nobody says."""
        return int(_lib.mst().graph_timesteps(self._graph.handle))

    @functools.cached_property
    def seed(self) -> int:
        """Of the masks."""
        return int(_lib.mst().graph_seed(self._graph.handle))

    @functools.cached_property
    def mode(self) -> str:
        """How it is run where nobody says: "step", "count" or "radix"."""
        lib = _lib.mst()
        return str(lib.run_rule_name(lib.graph_run_rule(self._graph.handle)).decode())

    @functools.cached_property
    def thinning(self) -> str:
        """How its masks thin counts where nobody says: "binomial" or "systematic"."""
        lib = _lib.mst()
        return str(lib.thinning_name(lib.graph_thinning(self._graph.handle)).decode())

    @functools.cached_property
    def trained_on(self) -> str:
        """What the masks of the training dropped: "activations", single "levels" of them, spikes of time "steps";
        "unknown"."""
        lib = _lib.mst()
        return str(lib.trained_on_name(lib.graph_trained_on(self._graph.handle)).decode())

    @property
    def tuned(self) -> tuple[int, int] | None:
        """(T, first step of the readout) that v(0) was tuned for; None: it was not."""
        lib = _lib.mst()
        steps = lib.graph_tuned_timesteps(self._graph.handle)
        return (steps, lib.graph_tuned_readout(self._graph.handle)) if steps else None

    @functools.cached_property
    def layers(self) -> list[Layer]:
        """All layers of neurons, in execution order."""
        program = Program(self._graph, "mode=float")
        return [layer_of(program, k) for k in range(program.n_layers)]

    @functools.cached_property
    def modes(self) -> list[str]:
        """The modes that it can be run in, of "step", "count", "radix" and "ann"."""
        return [mode for mode in ("step", "count", "radix", "ann") if self.why_not(mode) is None]

    def why_not(self, mode: str) -> str | None:
        """Why it cannot be run in a mode, in the words of the library; None: it can."""
        try:
            self._pool("mode=%s schedule=block" % mode)
        except Error as why:
            return str(why)
        return None

    # ---- running ----

    def run(self, x: Any, *, labels: Any = None, T: int | None = None, mode: str | None = None,
            levels: int | None = None, bits: int | None = None, at: Iterable[int] | None = None,
            readout_from: int | str | None = None, thinning: str | None = None, seed: int | None = None,
            threads: int | None = None, latency: bool = False, samples: Any = None, index: Any = None,
            over_time: bool = False, taps: Sequence[str | int] = (), counts: Sequence[str | int] = (),
            potentials: Sequence[str | int] = (), energy_set: str = "fp32", isa: str | None = None) -> Result:
        """Run samples and give what the network says of each, its spikes, operations and energy, as mstrun does.

        x: an array [n, C, H, W] (or one sample [C, H, W]), of float32 as the model was trained with it, or of uint8,
            which is normalized as the model file says; channels may be last where that is clear. float32 whose samples
            are contiguous is lent, not copied. Or a SPEC of a data set ("cifar10:FILE"), or one of `mst.data.open`.
        labels: whole numbers [n], for accuracy; -1: not known. A data set has its own.
        T: time steps in mode "step" (default: the model's); in "count" the same as levels.
        mode: "step", "count", "radix", or "ann", the network before it was converted. Default: the model's.
        levels, bits: of all layers in count and radix mode; bits k is 2^k - 1 levels. Default: each layer's own.
        at: steps at which logits and counts are kept, T always among them. Default: 1, 2, 4, .. and T.
        readout_from: the step from which on logits are averaged, or "auto". Default: 1.
        thinning, seed: of the masks. Default: the model's.
        threads: samples at a time. Default: one for each processor. Results do not depend on it. With latency they
            share each sample instead.
        samples: which samples: how many from the first on, a slice, or their numbers.
        index: number of each sample [n], which draws its masks, or that of the first. Default: 0.. of an array, the
            place in a data set.
        over_time: keep the logits of every step, too.
        taps: layers (name, number, site, "all") whose values at each step to keep: what leaves them, after their masks.
        counts: the same, of how many spikes leave each neuron in all steps.
        potentials: the same, of v(T) after the last reset, mode "step".
        energy_set: "fp32", "fp16" or "int8" (docs/ENERGY.md).

        Error where something is wrong; KeyboardInterrupt ends a run after the block of steps that is being computed.
        """
        from . import run
        how = run.settle(self, mode=mode, T=T, levels=levels, bits=bits, at=at, readout_from=readout_from,
                         thinning=thinning, seed=seed, threads=threads, latency=latency, isa=isa,
                         energy_set=energy_set)
        self._warn(how.mode)
        return run.run(self, how, x, labels=labels, samples=samples, index=index, over_time=over_time, taps=taps,
                       counts=counts, potentials=potentials)

    def _warn(self, mode: str) -> None:
        misfit = {("step", "levels"): "levels, which count and radix draw; step draws others",
                  ("count", "steps"): "time steps, which step draws; count draws others",
                  ("radix", "steps"): "time steps, which step draws; radix draws others"}.get((mode, self.trained_on))
        if misfit is not None and any(layer.ratio for layer in self.layers):
            warnings.warn("the weights were trained with masks of " + misfit, Warning, stacklevel=3)
        differ = [(layer.name, layer.ratio, layer.trained) for layer in self.layers if layer.ratio is not None
                  and layer.trained is not None and abs(layer.ratio - layer.trained) > SAME_RATIO]
        if differ:
            warnings.warn("masks differ from those the weights were trained with: %s %g (trained with %g), %d layers "
                          "in all" % (*differ[0], len(differ)), Warning, stacklevel=3)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; what is there is replaced at once, or stays as it was."""
        _lib.check(_lib.mst().graph_save, self._graph.handle, _lib.path_bytes(path))

    def _pool(self, options: str) -> Pool:
        with self._lock:
            pool = self._pools.pop(options, None)
            if pool is None:
                pool = Pool(Program(self._graph, options))
            self._pools[options] = pool  # the newest last
            while len(self._pools) > KEPT:
                del self._pools[next(iter(self._pools))]
            return pool

    def find_layers(self, names: Sequence[str | int]) -> list[int]:
        """Numbers of the layers that are asked for by name, number, site, or "all"; each once."""
        out: list[int] = []
        for name in [names] if isinstance(names, (str, int)) else names:
            found = [k for k, layer in enumerate(self.layers) if name in ("all", layer.name, layer.site, k, str(k))]
            if not found:
                raise ArgumentError("layer %r: expected a layer's name, its number, a site or \"all\"; the layers are "
                                    "%s" % (name, ", ".join(layer.name for layer in self.layers)))
            out += [k for k in found if k not in out]
        return out


def layer_of(program: Program, k: int) -> Layer:
    lib, p = _lib.mst(), program.handle
    dims = (c.c_uint32 * _lib.MAX_RANK)()
    rank = lib.program_layer_shape(p, k, dims)
    batch = 1 if rank > 1 and dims[0] == 1 else 0
    theta = np.array([lib.program_layer_theta(p, k, i) for i in range(lib.program_layer_thetas(p, k))], np.float32)
    theta.flags.writeable = False
    ratio, trained = lib.program_layer_mask(p, k), lib.program_layer_trained(p, k)
    return Layer(index=k, name=lib.program_layer_name(p, k).decode(errors="replace"),
                 site=lib.program_layer_site(p, k).decode(), stage=lib.program_layer_stage(p, k),
                 block=lib.program_layer_block(p, k), neurons=lib.program_layer_neurons(p, k),
                 shape=tuple(dims[batch:rank]), L=lib.program_layer_levels(p, k), theta=theta,
                 axis=lib.program_layer_axis(p, k) - batch if len(theta) > 1 else None, ratio=None if ratio < 0 else ratio,
                 trained=None if trained < 0 else trained)


def load(path: str | os.PathLike[str], *, mapped: bool = False) -> Model:
    """The network in a file that mstconv or `Model.save` wrote.

    mapped: leave the weights in the file, for less memory; it must not change while the model is used. Error where the
    file is not what it should be.
    """
    return Model(path, mapped=mapped)
