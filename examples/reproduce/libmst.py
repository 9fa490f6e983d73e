"""libmst (runtime/include/mst/session.h) through ctypes: what the tools do not print, such as
which neuron fired when, membrane potentials, and the activations of the ANN."""
import concurrent.futures
import ctypes as c

import numpy as np

SPIKING, FLOAT = 0, 1


class Err(c.Structure):
    _fields_ = [("code", c.c_int), ("text", c.c_char * 1000)]


class Opts(c.Structure):
    _fields_ = [("mode", c.c_int), ("isa", c.c_char_p), ("seed", c.c_uint64), ("alloc", c.c_void_p),
                ("schedule", c.c_int), ("threads", c.c_uint), ("block_steps", c.c_uint32), ("frames", c.c_uint32)]


class Layer(c.Structure):
    _fields_ = [("name", c.c_char_p), ("node", c.c_uint32), ("site", c.c_int), ("stage", c.c_int),
                ("block", c.c_int), ("neurons", c.c_uint64), ("theta", c.c_double), ("per_channel", c.c_bool),
                ("levels", c.c_int), ("masked", c.c_bool), ("ratio", c.c_double), ("trained", c.c_double),
                ("dense_in", c.c_uint64)]


class Tensor(c.Structure):
    _fields_ = [("name", c.c_char_p), ("dtype", c.c_int), ("rank", c.c_uint32), ("dims", c.c_uint32 * 8),
                ("data", c.c_void_p)]


class Node(c.Structure):
    _fields_ = [("op", c.c_int), ("mode", c.c_int), ("name", c.c_char_p), ("n_in", c.c_uint32),
                ("inputs", c.POINTER(c.c_uint32)), ("out", c.c_uint32), ("ip", c.c_int32 * 16), ("fp", c.c_float * 2)]


class Graph(c.Structure):
    """The head of mst_graph."""
    _fields_ = [("arena", c.c_void_p * 4), ("tensors", c.POINTER(Tensor)), ("n_tensors", c.c_uint32),
                ("cap_tensors", c.c_uint32), ("nodes", c.POINTER(Node)), ("n_nodes", c.c_uint32)]


OBSERVER = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_uint32, c.POINTER(c.c_float), c.c_size_t)


def load(path):
    lib = c.CDLL(str(path))
    handle, status, pointer = c.c_void_p, c.c_int, c.POINTER
    for name, result, *arguments in [
            ("graph_load", status, c.c_char_p, handle, pointer(handle), pointer(Err)),
            ("graph_destroy", None, handle),
            ("program_create", status, handle, pointer(Opts), pointer(handle), pointer(Err)),
            ("program_destroy", None, handle),
            ("program_layers", c.c_size_t, handle),
            ("program_layer", pointer(Layer), handle, c.c_size_t),
            ("program_input_size", c.c_size_t, handle),
            ("session_create", status, handle, pointer(handle), pointer(Err)),
            ("session_destroy", None, handle),
            ("session_begin", None, handle, c.c_void_p, c.c_uint32),
            ("session_step", None, handle),
            ("session_classes", c.c_size_t, handle),
            ("session_mean_logits", None, handle, c.c_void_p),
            ("session_layer_spikes", c.c_uint64, handle, c.c_size_t),
            ("session_layer_fired", c.c_uint64, handle, c.c_size_t),
            ("session_potential", pointer(c.c_float), handle, c.c_size_t),
            ("session_observe", None, handle, OBSERVER, handle)]:
        function = getattr(lib, "mst_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


class Network:
    """A model file, compiled for one mode. Use it in a `with`."""

    def __init__(self, lib, path, mode=SPIKING, seed=1):
        self.lib, self.graph, self.program = lib, c.c_void_p(), c.c_void_p()
        err = Err()
        if lib.mst_graph_load(str(path).encode(), None, c.byref(self.graph), c.byref(err)):
            raise RuntimeError(err.text.decode())
        opts = Opts(mode=mode, seed=seed)
        if lib.mst_program_create(self.graph, c.byref(opts), c.byref(self.program), c.byref(err)):
            lib.mst_graph_destroy(self.graph)
            raise RuntimeError(err.text.decode())
        self.layers = [lib.mst_program_layer(self.program, k).contents
                       for k in range(lib.mst_program_layers(self.program))]
        self.input_size = lib.mst_program_input_size(self.program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.mst_program_destroy(self.program)
        self.lib.mst_graph_destroy(self.graph)

    def names(self):
        return [layer.name.decode() for layer in self.layers]

    def shape(self, k):
        """The shape of what layer k puts out."""
        graph = c.cast(self.graph, c.POINTER(Graph)).contents
        tensor = graph.tensors[graph.nodes[self.layers[k].node].out]
        return tuple(tensor.dims[i] for i in range(tensor.rank))


class Session:
    """One sample at a time over a Network. Use it in a `with`."""

    def __init__(self, network, layers=()):
        """layers: those whose outputs of the last step `outputs` is to hold, by index."""
        self.network, self.lib, self.handle, self.outputs = network, network.lib, c.c_void_p(), {}
        err = Err()
        if self.lib.mst_session_create(network.program, c.byref(self.handle), c.byref(err)):
            raise RuntimeError(err.text.decode())
        wanted = {network.layers[k].node: k for k in layers}

        def observe(_ctx, _session, node, out, n):
            if node in wanted:
                self.outputs[wanted[node]] = np.ctypeslib.as_array(out, (n,)).copy()
        self.observer = OBSERVER(observe)  # kept alive as long as the session
        if wanted:
            self.lib.mst_session_observe(self.handle, self.observer, None)

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
        self.lib.mst_session_mean_logits(self.handle, out.ctypes.data)
        return out

    def potential(self, k):
        n = self.network.layers[k].neurons
        return np.ctypeslib.as_array(self.lib.mst_session_potential(self.handle, k), (n,)).copy()


def ann_accuracy(lib, path, images, labels, threads):
    """Share of the images that the network in float mode, the quantized ANN, classifies right."""
    with Network(lib, path, FLOAT) as network:
        def work(first):
            right = 0
            with Session(network) as session:
                for i in range(first, len(images), threads):
                    session.begin(images[i], i)
                    session.step()
                    right += int(session.logits().argmax() == labels[i])
            return right
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(work, range(threads))) / len(images)
