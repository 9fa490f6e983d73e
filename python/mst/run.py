"""Runs samples: sessions over a program on several threads, results by place, so that they do not depend on threads."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib, inputs
from .errors import ArgumentError, Error
from .handles import Pool, Program, Session
from .result import Result, find_energy_set
from .taps import Taps

if TYPE_CHECKING:
    from .model import Model

MAX_THREADS = 1024
MAX_STEPS = 65536
COUNTING = ("count", "radix")


@dataclasses.dataclass(frozen=True)
class How:
    """A way of running, settled: nothing is left to a default."""
    mode: str
    T: int              # 1 in the other modes than step
    levels: int         # 0: each layer's own
    at: tuple[int, ...]
    readout_from: int
    thinning: str
    seed: int
    threads: int
    latency: bool
    energy_set: str
    options: str        # of the program


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A number of an argument; ArgumentError unless it is a whole one within bounds."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise ArgumentError("%s: expected a whole number %d..%d, found %r" % (name, least, most, value))
    return int(value)


def one_of(name: str, value: Any, known: Iterable[str]) -> str:
    if value not in known:
        raise ArgumentError("%s: expected one of %s, found %r" % (name, ", ".join(known), value))
    return str(value)


def processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def settle_levels(mode: str, T: Any, levels: Any, bits: Any) -> int:
    if mode not in COUNTING:
        if levels is not None or bits is not None:
            raise ArgumentError("%s: expected mode=\"count\" or \"radix\" with it" % (
                "levels" if levels is not None else "bits"))
        return 0
    if T is not None and (mode == "radix" or levels is not None):
        raise ArgumentError("T: %s mode has no time steps to choose: use levels" % mode)
    if bits is not None and (mode != "radix" or levels is not None):
        raise ArgumentError("bits: expected mode=\"radix\" with it, and no levels")
    if bits is not None:
        return (1 << whole("bits", bits, 1, 8)) - 1
    said = levels if levels is not None else T
    return 0 if said is None else whole("levels" if levels is not None else "T", said, 1, 255)


def settle_at(T: int, at: Any) -> tuple[int, ...]:
    """Ascending, each once, T the last. By default 1, 2, 4, .."""
    if at is None:
        return tuple(sorted({1 << k for k in range(T.bit_length()) if 1 << k < T} | {T}))
    if isinstance(at, (int, np.integer)):
        at = [at]
    return tuple(sorted({whole("at", t, 1, T) for t in at} | {T}))


def settle_readout(model: Model, mode: str, T: int, said: Any) -> int:
    if said is None:
        return 1
    if mode != "step":
        raise ArgumentError("readout_from: expected mode=\"step\" with it: in %s mode a sample is one pass" % mode)
    if said == "auto":
        return model.tuned[1] if model.tuned is not None and model.tuned[0] == T else T // 2 + 1
    return whole("readout_from", said, 1, T)


def settle(model: Model, *, mode: Any, T: Any, levels: Any, bits: Any, at: Any, readout_from: Any, thinning: Any,
           seed: Any, threads: Any, latency: bool, isa: Any, energy_set: Any) -> How:
    """ArgumentError names what is wrong."""
    lib = _lib.mst()
    mode = one_of("mode", model.mode if mode is None else mode, ("step", "count", "radix", "ann"))
    thinning = one_of("thinning", model.thinning if thinning is None else thinning, _lib.names(lib.thinning_name))
    if mode == "ann" and T is not None:
        raise ArgumentError("T: expected a spiking mode with it, found \"ann\"")
    if mode != "step" and at is not None:
        raise ArgumentError("at: expected mode=\"step\" with it: in %s mode a sample is one pass" % mode)
    levels = settle_levels(mode, T, levels, bits)
    steps = 1 if mode != "step" else model.T if T is None else whole("T", T, 1, MAX_STEPS)
    first = settle_readout(model, mode, steps, readout_from)
    seed = model.seed if seed is None else whole("seed", seed, 0, 2 ** 64 - 1)
    threads = processors() if threads is None else whole("threads", threads, 1, MAX_THREADS)
    options = "mode=%s schedule=block seed=%d levels=%d thinning=%s readout-from=%d threads=%d" % (
        mode, seed, levels, thinning, first, threads if latency else 1)
    if isa is not None:
        if not isinstance(isa, str) or not isa.isalnum():
            raise ArgumentError("isa: expected the name of an instruction set, found %r" % (isa,))
        options += " isa=" + isa
    find_energy_set(energy_set)
    return How(mode=mode, T=steps, levels=levels, at=settle_at(steps, at), readout_from=first, thinning=thinning,
               seed=seed, threads=threads, latency=latency, energy_set=energy_set, options=options)


def choose(count: int, samples: Any) -> np.ndarray:
    """Numbers of the samples to run, int64, each 0..count-1."""
    if samples is None:
        return np.arange(count)
    if isinstance(samples, (int, np.integer)):
        return np.arange(whole("samples", samples, 0, count))
    chosen = np.arange(count)[samples] if isinstance(samples, slice) else np.asarray(samples)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ArgumentError("samples: expected how many, a slice, or a list of numbers")
    if chosen.size and not (0 <= chosen.min() and chosen.max() < count):
        raise ArgumentError("samples: expected numbers below %d, found %d" % (
            count, chosen.max() if chosen.max() >= count else chosen.min()))
    return chosen.astype(np.int64)


def choose_index(chosen: np.ndarray, index: Any) -> np.ndarray:
    """What draws the masks of each chosen sample, 0..2^32-1."""
    if index is None:
        return chosen
    if isinstance(index, (int, np.integer)):
        return chosen + whole("index", index, 0, 2 ** 32 - 1 - int(chosen.max(initial=0)))
    out = np.asarray(index)
    if out.shape != chosen.shape or out.dtype.kind not in "iu" or (out.size and not 0 <= out.min() <= out.max() < 2 ** 32):
        raise ArgumentError("index: expected %d whole numbers below 2^32" % len(chosen))
    return out.astype(np.int64)


class Job:
    """Samples that several threads take, one after another."""

    def __init__(self, how: How, pool: Pool, source: inputs.Source, result: Result, chosen: np.ndarray,
                 taps: Taps | None, every: np.ndarray | None) -> None:
        self.how, self.pool, self.source, self.result = how, pool, source, result
        self.chosen, self.taps, self.every = chosen, taps, every
        self.check = isinstance(source, inputs.ArraySource) and source.table is None
        self.next, self.active, self.lock, self.stop = 0, 0, threading.Lock(), False
        self.ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.failed: dict[int, BaseException] = {}  # by place
        # where a sample's rows lie, and how far apart: to ask an array each time would take longer than the call
        self.sums = [(a.ctypes.data, a.strides[0]) for a in (result.layer_fired, result.layer_spikes, result.layer_ops)]
        self.logits, self.logit_strides = result.logits.ctypes.data, result.logits.strides

    def take(self) -> int | None:
        with self.lock:
            if self.stop or self.failed or self.next >= len(self.chosen):
                return None
            self.next += 1
            return self.next - 1

    def work(self) -> None:
        """One thread's part, unless it begins too late."""
        with self.lock:
            if self.stop:
                return
            self.active += 1
        try:
            self.part()
        finally:
            with self.lock:
                self.active -= 1
            self.ended.put(None)

    def part(self) -> None:
        """Samples, until there are none. The session goes back to the pool only when nothing went wrong in it."""
        try:
            session = self.pool.take()
        except Error as why:
            self.failed[-1] = why
            return
        buffer, seconds = inputs.Buffer(self.pool.program.input_size), 0.0
        watch = self.taps.watch(session) if self.taps is not None else None
        try:
            while (k := self.take()) is not None:
                try:
                    seconds += self.one(session, watch, buffer, k)
                except Exception as why:  # pylint: disable=broad-except - told by who waits
                    self.failed[k] = why
        finally:
            if watch is not None:
                watch.end()
        with self.lock:
            self.result.seconds = max(self.result.seconds, seconds)
        self.pool.give(session)

    def one(self, session: Session, watch: Any, buffer: inputs.Buffer, k: int) -> float:
        """Run sample k of those chosen; seconds of simulation."""
        lib, s, r, how = _lib.mst(), session.handle, self.result, self.how
        number = int(r.index[k])
        try:
            at, r.labels[k] = self.source.get(int(self.chosen[k]), buffer)
        except Error as why:
            raise Error("sample %d: %s" % (int(self.chosen[k]), why), why.code) from None
        if self.check:
            assert isinstance(self.source, inputs.ArraySource)
            inputs.check_finite(self.source.x[int(self.chosen[k])], int(self.chosen[k]))
        if watch is not None:
            watch.begin(k)
        start, t = time.perf_counter(), 0
        run_steps, mean, logits = lib.session_run, lib.session_mean_logits, self.logits + k * self.logit_strides[0]
        lib.session_begin(s, at, number)
        for place, to in enumerate(how.at):
            while t < to:
                n = run_steps(s, to - t)
                if self.every is not None:
                    for i in range(n):
                        mean(s, i, self.every[k, t + i].ctypes.data)
                t += n
                if self.stop:
                    return 0.0
            mean(s, _lib.LAST, logits + place * self.logit_strides[1])
            made = lib.session_counters(s)
            r.spikes[k, place], r.fired[k, place] = made.spikes, made.spikes_before
            r.sops[k, place], r.macs[k, place] = made.sops, made.macs
        seconds = time.perf_counter() - start
        lib.session_layer_sums(s, *(at + k * stride for at, stride in self.sums))
        if watch is not None:
            watch.finish()
        if not np.isfinite(r.logits[k]).all():
            place, logit = np.argwhere(~np.isfinite(r.logits[k]))[0]
            raise Error("sample %d: logit %d at t = %d is %g" % (number, logit, how.at[place],
                                                                 r.logits[k, place, logit]), "EINVAL")
        return seconds

    def run(self, threads: int) -> None:
        """Until all samples are done; what failed first, by place, is raised."""
        if threads == 1:
            self.work()
        else:
            self.share(threads)
        if self.failed:
            raise self.failed[min(self.failed)]

    def share(self, threads: int) -> None:
        """An interrupt is raised when all threads have ended: none goes on in the library behind the caller's back.

        Not by Thread.join: where that is interrupted, some versions of Python take a running thread for ended.
        """
        try:
            for _ in range(threads):
                threading.Thread(target=self.work, daemon=True).start()
            for _ in range(threads):
                self.ended.get()
        except BaseException:
            with self.lock:
                self.stop = True
            while self.active:
                with contextlib.suppress(KeyboardInterrupt):
                    time.sleep(0.002)
            raise


def facts(program: Program) -> dict[str, int]:
    lib = _lib.mst()
    return {name: getattr(lib, "program_" + name)(program.handle)
            for name in ("layers", "dense_ops", "dense_ops_static", "depth", "window")}


def run(model: Model, how: How, x: Any, *, labels: Any, samples: Any, index: Any, over_time: bool, taps: Any,
        counts: Any, potentials: Any) -> Result:
    """See Model.run."""
    source = inputs.of(model, x, labels)
    chosen = choose(source.count, samples)
    numbers = choose_index(chosen, index)
    pool = model._pool("%s frames=%d" % (how.options, model.frames))
    lib = _lib.mst()
    result = Result(model, how, numbers, lib.program_isa(pool.program.handle).decode(), **facts(pool.program))
    every = np.empty((len(chosen), how.T, model.classes), np.float32) if over_time else None
    wanted = Taps(model, pool.program, how, len(chosen), taps, counts, potentials)
    job = Job(how, pool, source, result, chosen, wanted if wanted.any else None, every)
    threads = 1 if how.latency else max(1, min(how.threads, len(chosen)))
    result.threads = how.threads if how.latency else threads
    job.run(threads)
    result.over_time, result.taps, result.counts = every, wanted.values, wanted.counts
    result.potentials = wanted.potentials
    result.warn_of_silence()
    return result
