"""libmst (mst/facts.h and mst/session.h) through ctypes: what the tools do not print, such as which neuron
fired when, membrane potentials, and the activations of the ANN. Mirrors no struct of the library."""
import ctypes as c

import numpy as np

SPIKING, COUNT, FLOAT = "step", "count", "float"


class Tap(c.Structure):
    _fields_ = [("node", c.c_uint32), ("layer", c.c_uint32), ("first", c.c_uint32), ("steps", c.c_uint32),
                ("form", c.c_int), ("n", c.c_size_t), ("how", c.c_void_p)]


TAP = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.POINTER(Tap))
LAST = 0xffffffff


def load(path):
    lib = c.CDLL(str(path))
    handle, status, pointer = c.c_void_p, c.c_int, c.POINTER
    for name, result, *arguments in [
            ("err_size", c.c_size_t),
            ("err_text", c.c_char_p, handle),
            ("graph_load", status, c.c_char_p, handle, pointer(handle), handle),
            ("graph_destroy", None, handle),
            ("program_create_text", status, handle, c.c_char_p, pointer(handle), handle),
            ("program_destroy", None, handle),
            ("program_layers", c.c_size_t, handle),
            ("program_layer_name", c.c_char_p, handle, c.c_size_t),
            ("program_layer_node", c.c_uint32, handle, c.c_size_t),
            ("program_layer_neurons", c.c_uint64, handle, c.c_size_t),
            ("program_layer_shape", c.c_uint32, handle, c.c_size_t, pointer(c.c_uint32)),
            ("program_layer_thetas", c.c_size_t, handle, c.c_size_t),
            ("program_layer_theta", c.c_float, handle, c.c_size_t, c.c_size_t),
            ("program_input_size", c.c_size_t, handle),
            ("session_create", status, handle, pointer(handle), handle),
            ("session_destroy", None, handle),
            ("session_begin", None, handle, c.c_void_p, c.c_uint32),
            ("session_step", None, handle),
            ("session_classes", c.c_size_t, handle),
            ("session_mean_logits", None, handle, c.c_uint32, c.c_void_p),
            ("session_layer_spikes", c.c_uint64, handle, c.c_uint32, c.c_size_t),
            ("session_layer_fired", c.c_uint64, handle, c.c_uint32, c.c_size_t),
            ("session_potential", pointer(c.c_float), handle, c.c_size_t),
            ("session_tap", None, handle, TAP, handle),
            ("tap_values", None, pointer(Tap), c.c_uint32, c.c_void_p)]:
        function = getattr(lib, "mst_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


def check(lib, call, *arguments):
    """Call a function that takes an mst_err last; RuntimeError with its text where it fails."""
    err = c.create_string_buffer(lib.mst_err_size())
    if call(*arguments, err):
        raise RuntimeError(lib.mst_err_text(err).decode())


class Network:
    """A model file, compiled for one mode. Use it in a `with`."""

    def __init__(self, lib, path, mode=SPIKING, seed=1):
        self.lib, self.graph, self.program = lib, c.c_void_p(), c.c_void_p()
        check(lib, lib.mst_graph_load, str(path).encode(), None, c.byref(self.graph))
        try:
            check(lib, lib.mst_program_create_text, self.graph, b"mode=%s seed=%d" % (mode.encode(), seed),
                  c.byref(self.program))
        except RuntimeError:
            lib.mst_graph_destroy(self.graph)
            raise
        self.layers = range(lib.mst_program_layers(self.program))
        self.input_size = lib.mst_program_input_size(self.program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.mst_program_destroy(self.program)
        self.lib.mst_graph_destroy(self.graph)

    def names(self):
        return [self.lib.mst_program_layer_name(self.program, k).decode() for k in self.layers]

    def shape(self, k):
        """The shape of what layer k puts out."""
        dims = (c.c_uint32 * 8)()
        return tuple(dims[:self.lib.mst_program_layer_shape(self.program, k, dims)])

    def theta(self, k):
        """The threshold of layer k, the mean where each channel has its own."""
        n = self.lib.mst_program_layer_thetas(self.program, k)
        return sum(self.lib.mst_program_layer_theta(self.program, k, i) for i in range(n)) / n


class Session:
    """One sample at a time over a Network. Use it in a `with`."""

    def __init__(self, network, layers=()):
        """layers: those whose outputs of the last step `outputs` is to hold, by index."""
        self.network, self.lib, self.handle, self.outputs = network, network.lib, c.c_void_p(), {}
        check(self.lib, self.lib.mst_session_create, network.program, c.byref(self.handle))
        wanted = {self.lib.mst_program_layer_node(network.program, k): k for k in layers}

        def tap(_ctx, _session, made):
            if made.contents.node in wanted:
                out = np.empty(made.contents.n, np.float32)
                self.lib.mst_tap_values(made, 0, out.ctypes.data)
                self.outputs[wanted[made.contents.node]] = out
        self.tap = TAP(tap)  # kept alive as long as the session
        if wanted:
            self.lib.mst_session_tap(self.handle, self.tap, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.mst_session_destroy(self.handle)

    def begin(self, x, index):
        x = np.ascontiguousarray(x, np.float32)
        if x.size != self.network.input_size:
            raise ValueError("input of %d values, expected %d" % (x.size, self.network.input_size))
        self.lib.mst_session_begin(self.handle, x.ctypes.data, index)

    def step(self):
        self.lib.mst_session_step(self.handle)

    def logits(self):
        out = np.empty(self.lib.mst_session_classes(self.handle), np.float32)
        self.lib.mst_session_mean_logits(self.handle, LAST, out.ctypes.data)
        return out

    def potential(self, k):
        n = self.lib.mst_program_layer_neurons(self.network.program, k)
        return np.ctypeslib.as_array(self.lib.mst_session_potential(self.handle, k), (n,)).copy()
