"""Objects of the library, each released when nothing of Python needs it any more, after those that stand on it: their
finalizers hold it. (References between the objects would not do: garbage that has cycles is finalized in any order.)
"""
from __future__ import annotations

import ctypes as c
import threading
import weakref
from typing import Any

from . import _lib
from ._lib import check


def release(destroy: Any, handle: c.c_void_p, _stands_on: Any = None) -> None:
    destroy(handle)


class Graph:
    """An mst_graph: a network as a file has it."""

    def __init__(self, path: Any, mapped: bool) -> None:
        lib, self.handle = _lib.mst(), c.c_void_p()
        check(lib.graph_load if mapped else lib.graph_read, _lib.path_bytes(path), None, c.byref(self.handle))
        weakref.finalize(self, release, lib.graph_destroy, self.handle)


class Program:
    """An mst_program: a graph compiled for one way of running. options: of mst_program_create_text."""

    def __init__(self, graph: Graph, options: str) -> None:
        lib, self.handle = _lib.mst(), c.c_void_p()
        check(lib.program_create_text, graph.handle, options.encode(), c.byref(self.handle))
        weakref.finalize(self, release, lib.program_destroy, self.handle, graph)
        self.n_layers: int = lib.program_layers(self.handle)
        self.input_size: int = lib.program_input_size(self.handle)


class Session:
    """An mst_session: one thread's state over a program."""

    def __init__(self, program: Program) -> None:
        lib, self.handle = _lib.mst(), c.c_void_p()
        check(lib.session_create, program.handle, c.byref(self.handle))
        weakref.finalize(self, release, lib.session_destroy, self.handle, program)


class Pool:
    """A program and those of its sessions that nobody uses."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    def take(self) -> Session:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Session(self.program)

    def give(self, session: Session) -> None:
        with self._lock:
            self._idle.append(session)
