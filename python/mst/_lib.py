"""libmst and libmstdata through ctypes: functions of the installed headers, and the few public structs among their
arguments. ctypes lets go of the GIL during each call."""
from __future__ import annotations

import ctypes as c
import functools
import os
import threading
from typing import Any, Callable

from . import _native
from .errors import Error

CODES = ("OK", "EINVAL", "ENOMEM", "EIO", "EFORMAT", "ECORRUPT", "EVERSION", "EUNSUPPORTED", "ELIMIT")
MAX_RANK = 8
NONE = LAST = 0xFFFFFFFF
FORM_STATIC = 0  # mst_form

handle, status, size, u32, u64, text = c.c_void_p, c.c_int, c.c_size_t, c.c_uint32, c.c_uint64, c.c_char_p
pointer = c.POINTER


class Tap(c.Structure):
    """mst_tap of mst/session.h."""
    _fields_ = [("node", u32), ("layer", u32), ("first", u32), ("steps", u32), ("form", c.c_int), ("n", size),
                ("how", handle)]


class EnergySet(c.Structure):
    """mst_energy_set of mst/energy.h."""
    _fields_ = [("name", text), ("ac", c.c_double), ("mac", c.c_double), ("value_bits", u64), ("state_bits", u64)]


class Work(c.Structure):
    """mst_work of mst/energy.h."""
    _fields_ = [(name, c.c_double) for name in (
        "sops", "macs", "spikes", "fired", "neurons", "updates", "dense_ops", "dense_static")]


class Counters(c.Structure):
    """mst_counters of mst/session.h."""
    _fields_ = [(name, u64) for name in ("spikes", "spikes_before", "sops", "macs")]


class Cost(c.Structure):
    """mst_cost of mst/energy.h."""
    _fields_ = [(name, c.c_double) for name in ("operations", "memory", "updates")]


class OpInfo(c.Structure):
    """mst_op_info of mst/graph.h."""
    _fields_ = [("name", text), ("min_in", u32), ("max_in", u32), ("flags", u32), ("n_ip", u32), ("n_fp", u32),
                ("ip_names", text * 16), ("fp_names", text * 2)]


class Tensor(c.Structure):
    """mst_tensor of mst/graph.h."""
    _fields_ = [("name", text), ("dtype", c.c_int), ("rank", u32), ("dims", u32 * MAX_RANK), ("data", handle)]


class Node(c.Structure):
    """mst_node of mst/graph.h."""
    _fields_ = [("op", c.c_int), ("mode", c.c_int), ("name", text), ("n_in", u32), ("inputs", pointer(u32)), ("out", u32),
                ("ip", c.c_int32 * 16), ("fp", c.c_float * 2)]


class GraphHead(c.Structure):
    """How an mst_graph of mst/graph.h begins: its arena (mst/alloc.h), then arrays."""
    _fields_ = [("alloc", handle), ("limit", size), ("used", size), ("chunk", size), ("head", handle),
                ("tensors", pointer(Tensor)), ("n_tensors", u32), ("cap_tensors", u32),
                ("nodes", pointer(Node)), ("n_nodes", u32), ("cap_nodes", u32), ("input", u32), ("output", u32)]


TapFunction = c.CFUNCTYPE(None, handle, handle, pointer(Tap))

# name without mst_, result, arguments; those of a function that can fail end in the mst_err
FUNCTIONS: dict[str, list[tuple[Any, ...]]] = {
    "mst": [
        ("version", text),
        ("err_size", size),
        ("err_text", text, handle),
        ("op_get", pointer(OpInfo), c.c_int),
        ("graph_read", status, text, handle, pointer(handle), handle),
        ("graph_load", status, text, handle, pointer(handle), handle),
        ("graph_save", status, handle, text, handle),
        ("graph_destroy", None, handle),
        ("graph_input_shape", u32, handle, pointer(u32)),
        ("graph_mean", c.c_float, handle, u32),
        ("graph_std", c.c_float, handle, u32),
        ("graph_frames", u32, handle),
        ("graph_classes", size, handle),
        ("graph_class_name", text, handle, size),
        ("graph_timesteps", u32, handle),
        ("graph_seed", u64, handle),
        ("graph_run_rule", c.c_int, handle),
        ("graph_thinning", c.c_int, handle),
        ("graph_trained_on", c.c_int, handle),
        ("graph_tuned_timesteps", u32, handle),
        ("graph_tuned_readout", u32, handle),
        ("run_mode_name", text, c.c_int),
        ("run_rule_name", text, c.c_int),
        ("thinning_name", text, c.c_int),
        ("trained_on_name", text, c.c_int),
        ("site_name", text, c.c_int),
        ("program_create_text", status, handle, text, pointer(handle), handle),
        ("program_destroy", None, handle),
        ("program_isa", text, handle),
        ("program_depth", u32, handle),
        ("program_window", u32, handle),
        ("program_dense_ops", u64, handle),
        ("program_dense_ops_static", u64, handle),
        ("program_input_size", size, handle),
        ("program_session_bytes", size, handle),
        ("program_layers", size, handle),
        ("program_layer_name", text, handle, size),
        ("program_layer_node", u32, handle, size),
        ("program_layer_leaves", u32, handle, size),
        ("program_layer_site", text, handle, size),
        ("program_layer_stage", c.c_int, handle, size),
        ("program_layer_block", c.c_int, handle, size),
        ("program_layer_neurons", u64, handle, size),
        ("program_layer_shape", u32, handle, size, pointer(u32)),
        ("program_layer_levels", c.c_int, handle, size),
        ("program_layer_thetas", size, handle, size),
        ("program_layer_axis", c.c_int, handle, size),
        ("program_layer_theta", c.c_float, handle, size, size),
        ("program_layer_mask", c.c_double, handle, size),
        ("program_layer_trained", c.c_double, handle, size),
        ("session_create", status, handle, pointer(handle), handle),
        ("session_destroy", None, handle),
        ("session_begin", None, handle, handle, u32),
        ("session_run", u32, handle, u32),
        ("session_mean_logits", None, handle, u32, handle),
        ("session_counters", Counters, handle),
        ("session_layer_sums", None, handle, handle, handle, handle),
        ("session_potential", pointer(c.c_float), handle, size),
        ("session_tap", None, handle, TapFunction, handle),
        ("tap_values", None, pointer(Tap), u32, handle),
        ("tap_count", None, pointer(Tap), handle),
        ("energy_set_at", pointer(EnergySet), size),
        ("energy_of_run", Cost, pointer(EnergySet), pointer(Work)),
        ("energy_of_ann", Cost, pointer(EnergySet), pointer(Work)),
        ("energy_of_bit_ann", Cost, pointer(EnergySet), pointer(Work), c.c_uint),
    ],
    "mstdata": [
        ("data_open_for", status, text, handle, pointer(handle), handle),
        ("data_open_as_is", status, text, pointer(handle), handle),
        ("data_close", None, handle),
        ("data_format", text, handle),
        ("data_count", size, handle),
        ("data_shape", status, handle, size, pointer(u32), handle),
        ("data_get", status, handle, size, handle, pointer(c.c_int), handle),
        ("data_label", status, handle, size, pointer(c.c_int), handle),
        ("data_name", None, handle, size, c.c_char_p, size),
    ],
}


class Library:
    """Functions as attributes, by their names without mst_."""

    def __init__(self, name: str) -> None:
        path = _native.find("lib%s.so" % name)
        try:
            lib = c.CDLL(str(path))
        except OSError as why:
            raise Error("%s cannot be loaded: %s (%s)" % (path, why, _native.REMEDY), "EIO") from why
        for function, result, *arguments in FUNCTIONS[name]:
            call = getattr(lib, "mst_" + function, None)
            if call is None:
                raise Error("%s has no mst_%s: it is of another version than this package" % (path, function),
                            "EVERSION")
            call.restype, call.argtypes = result, arguments
            setattr(self, function, call)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(name)


_loading = threading.RLock()


@functools.lru_cache(maxsize=None)
def _load(name: str) -> Library:
    return Library(name)


def mst() -> Library:
    with _loading:
        return _load("mst")


def data() -> Library:
    """Loaded when it is first needed: libmst alone needs no other library of the system."""
    with _loading:
        _load("mst")  # which libmstdata stands on
        return _load("mstdata")


def check(call: Callable[..., Any], *arguments: Any) -> None:
    """Call a function that takes an mst_err last; Error with its text where it fails."""
    lib = mst()
    err = c.create_string_buffer(lib.err_size())
    code = call(*arguments, err)
    if code:
        said = lib.err_text(err)
        raise Error(said.decode(errors="replace"), CODES[code] if code < len(CODES) else None)


def names(function: Callable[[int], bytes | None]) -> list[str]:
    """What a function names, from 0 on."""
    out: list[str] = []
    while (name := function(len(out))) is not None:
        out.append(name.decode())
    return out


def path_bytes(path: Any) -> bytes:
    """A path as the library takes it; Error where it holds a zero byte."""
    out = os.fsencode(path)
    if b"\0" in out:
        raise Error("path %r: a zero byte in it" % (path,), "EINVAL")
    return out
