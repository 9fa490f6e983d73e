"""What leaves layers, as arrays: values at each step, spikes of each neuron over all steps, membrane potentials."""
from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib
from .errors import ArgumentError
from .handles import Program, Session

if TYPE_CHECKING:
    from .model import Model
    from .run import How


class Taps:
    """Arrays by the layer's name, filled sample by sample.

    values: float32 [n, T, *shape] in step mode, [n, *shape] in the others; theta for a spike, in count and radix mode
    the number that the spikes stand for. counts: uint32 [n, *shape]. potentials: float32 [n, *shape].
    """

    def __init__(self, model: Model, program: Program, how: How, n: int, values: Any, counts: Any,
                 potentials: Any) -> None:
        lib = _lib.mst()
        self.step, self.T = how.mode == "step", how.T
        asked = [model.find_layers(names) for names in (values, counts, potentials)]
        if asked[2] and not self.step:
            raise ArgumentError("potentials: expected mode=\"step\" with them, found %r" % how.mode)
        if asked[1] and how.mode == "ann":
            raise ArgumentError("counts: expected a spiking mode with them, found \"ann\"")
        self.any = any(asked)
        self.node_of = {k: lib.program_layer_leaves(program.handle, k) for k in {*asked[0], *asked[1]}}
        shape_of = model.layers if self.any else []  # they take a moment to find
        self.layers, names = asked, [layer.name for layer in shape_of]

        def make(which: int, middle: tuple[int, ...], dtype: Any) -> dict[str, np.ndarray]:
            return {names[k]: np.zeros((n, *middle, *shape_of[k].shape), dtype) for k in asked[which]}
        self.values = make(0, (how.T,) if self.step else (), np.float32)
        self.counts = make(1, (), np.uint32)
        self.potentials = make(2, (), np.float32)
        self.names = names

    def watch(self, session: Session) -> Watch:
        return Watch(self, session)


class Watch:
    """One session's tap. What the callback raises is raised when the sample is done: none may leave it."""

    def __init__(self, taps: Taps, session: Session) -> None:
        self.taps, self.session, self.k = taps, session, 0
        self.values = {taps.node_of[k]: taps.values[taps.names[k]] for k in taps.layers[0]}
        self.counts = {taps.node_of[k]: taps.counts[taps.names[k]] for k in taps.layers[1]}
        self.why: BaseException | None = None
        self.function: Any = _lib.TapFunction(self.see)  # kept alive as long as the session may call it
        _lib.mst().session_tap(session.handle, self.function, None)

    def begin(self, k: int) -> None:
        self.k = k

    def see(self, _ctx: Any, _session: Any, tap: Any) -> None:
        try:
            node = tap.contents.node
            if node in self.values:
                self.keep(tap, self.values[node][self.k])
            if node in self.counts:
                _lib.mst().tap_count(tap, self.counts[node][self.k].ctypes.data)
        except BaseException as why:  # pylint: disable=broad-except
            self.why = self.why or why

    def keep(self, tap: Any, to: np.ndarray) -> None:
        made, values = tap.contents, _lib.mst().tap_values
        if not self.taps.step:
            values(tap, 0, to.ctypes.data)
            return
        first = made.first - 1
        for i in range(made.steps):
            values(tap, i, to[first + i].ctypes.data)
        if made.form == _lib.FORM_STATIC:
            to[1:] = to[0]

    def finish(self) -> None:
        if self.why is not None:
            raise self.why
        for k in self.taps.layers[2]:
            to = self.taps.potentials[self.taps.names[k]][self.k]
            at = _lib.mst().session_potential(self.session.handle, k)
            c.memmove(to.ctypes.data, at, to.nbytes)

    def end(self) -> None:
        _lib.mst().session_tap(self.session.handle, _lib.TapFunction(), None)
        self.function = None  # which holds this
