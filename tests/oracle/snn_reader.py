"""Read snn.bin. Written from docs/FORMAT.md alone; needs numpy.

    graph = snn_reader.load("model.bin")
    graph.nodes[3].ip["STRIDE"]
"""
import dataclasses
import struct
import zlib

import numpy as np

MAGIC = b"\x89MST\r\n\x1a\n"
NONE = 0xFFFFFFFF
SECTIONS = {1: "META", 2: "STRINGS", 3: "TENSORS", 4: "NODES", 5: "WEIGHTS", 6: "TUNE"}
OPTIONAL = 0x80000000
NARROW = 1  # required feature: types f16 and int8
LEVELS = 2  # required feature: TOP of a neuron, run of META
TUNED = 4   # required feature: section TUNE
SQUEEZED = 8  # required feature: resize of both sides
EVEN = 16  # required feature: EVEN of a neuron
CHANNELS_LAST = 1  # optional feature: layout of the ONNX model's input
TRAINED_ON = ["unknown", "activations", "levels", "steps"]  # optional feature, bits 1 and 2
KNOWN = NARROW | LEVELS | TUNED | SQUEEZED | EVEN
TYPES = {0: np.float32, 1: np.int32, 3: np.float16, 4: np.int8}

# (name, integer parameters as (field, slots), float parameters)
OPS = [
    ("reshape", (), ()),
    ("transpose", (("PERM", 8),), ()),
    ("slice", (("START", 8), ("STEP", 8)), ()),
    ("concat", (("AXIS", 1),), ()),
    ("gather", (("AXIS", 1),), ()),
    ("pad", (("BEFORE", 8),), ("VALUE",)),
    ("expand", (), ()),
    ("linear", (), ()),
    ("conv", (("STRIDE", 2), ("PAD", 2), ("DILATION", 2), ("GROUP", 1)), ()),
    ("matmul", (("TRANS_B", 1),), ("ALPHA",)),
    ("affine", (("AXIS", 1),), ()),
    ("binary", (("FN", 1),), ()),
    ("pool", (("FN", 1), ("KERNEL", 2), ("STRIDE", 2), ("PAD", 2), ("DILATION", 2), ("COUNT_PAD", 1)), ()),
    ("reduce", (("FN", 1), ("AXES", 1)), ()),
    ("clip", (), ("LO", "HI")),
    ("unary", (("FN", 1),), ()),
    ("softmax", (("AXIS", 1),), ()),
    ("layernorm", (), ("EPS",)),
    ("neuron", (("AXIS", 1), ("LEVELS", 1), ("RESET", 1), ("SITE", 1), ("STAGE", 1), ("BLOCK", 1),
                ("TOP", 1), ("EVEN", 1)), ("SHIFT",)),
    ("mask", (("SITE", 1), ("STAGE", 1), ("BLOCK", 1), ("INDEX", 1)), ("RATIO", "TRAINED")),
    ("rate_pool", (("KERNEL", 2), ("STRIDE", 2), ("PAD", 2), ("DILATION", 2)), ()),
]
INTERPOLATIONS = ["bicubic", "bilinear", "nearest"]
SITES = ["other", "q", "k", "v", "attn", "av", "proj", "mlp_fc1", "mlp_fc2", "conv"]


class FormatError(Exception):
    """The file cannot be read; `status` is the name that the C reader gives it."""

    def __init__(self, status, text):
        super().__init__("%s: %s" % (status, text))
        self.status = status


@dataclasses.dataclass
class Tensor:
    name: str
    dtype: type
    shape: tuple
    data: np.ndarray = None  # constants


@dataclasses.dataclass
class Node:
    op: str
    mode: int
    name: str
    inputs: list  # tensor ids; None: absent
    out: int
    ip: dict      # field -> int, or list of ints for fields of several slots
    fp: dict      # field -> np.float32


@dataclasses.dataclass
class Tuning:
    timesteps: int
    readout_from: int
    first: dict  # node -> (axes, values): v(0)/theta along these axes, row-major


@dataclasses.dataclass
class Graph:
    timesteps: int
    seed: int
    input: int
    output: int
    mean: list
    std: list
    resize: int
    crop: tuple  # height, width
    frames: int
    interpolation: str
    split: str
    present: str
    source_sha256: bytes
    source_name: str
    producer: str
    class_names: list
    tensors: list
    nodes: list
    mode: str = "step"          # to run it in by default
    thinning: str = "binomial"  # of masks in count and radix mode
    tuning: Tuning = None
    channels_last: bool = False  # the ONNX model takes [1,H,W,C]
    trained_on: str = "unknown"  # what the masks of the training dropped


def check(good, status, text):
    if not good:
        raise FormatError(status, text)


class Cursor:
    def __init__(self, data, name):
        self.data, self.at, self.name = data, 0, name

    def take(self, layout):
        layout = "<" + layout
        size = struct.calcsize(layout)
        check(self.at + size <= len(self.data), "ECORRUPT", "%s: cut off at %d" % (self.name, self.at))
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += size
        return values

    def end(self):
        check(self.at == len(self.data), "EFORMAT", "%s: bytes after the last record" % self.name)


def sections(data):
    check(len(data) > 0, "EFORMAT", "empty")
    if data[:8] != MAGIC[:len(data)]:
        check(data[:4] not in (MAGIC[:4], b"\tMST"), "ECORRUPT", "copied in text mode")
        raise FormatError("EFORMAT", "not a snn.bin")
    check(len(data) >= 64, "ECORRUPT", "cut off in the header")
    major, _minor, count, required, optional, size = struct.unpack_from("<HHIIIQ", data, 8)
    check(major == 1, "EVERSION", "major version %d" % major)
    check(count <= 64, "ELIMIT", "%d sections" % count)
    end = 64 + 32 * count
    check(len(data) >= end, "ECORRUPT", "cut off in the table")
    crc, = struct.unpack_from("<I", data, 60)
    check(zlib.crc32(data[64:end], zlib.crc32(data[:60])) == crc, "ECORRUPT", "checksum of the header")
    check(required & ~KNOWN == 0, "EVERSION", "required features %x" % required)
    check(size == len(data), "ECORRUPT", "%d bytes, expected %d" % (len(data), size))
    check(not any(data[32:60]), "EFORMAT", "reserved bytes of the header")
    found, last = {}, 0
    for i in range(count):
        sid, crc, offset, length, reserved = struct.unpack_from("<IIQQQ", data, 64 + 32 * i)
        check(sid > last, "EFORMAT", "ids do not ascend")
        check(sid in SECTIONS or sid >= OPTIONAL, "EVERSION", "unknown section %d" % sid)
        check(reserved == 0, "EFORMAT", "reserved field of section %d" % sid)
        start = -(-end // 64) * 64
        check(offset == start and offset + length <= len(data), "ECORRUPT", "place of section %d" % sid)
        check(not any(data[end:start]), "ECORRUPT", "padding is not zero")
        end, last = offset + length, sid
        found[sid] = data[offset:end]
        check(zlib.crc32(found[sid]) == crc, "ECORRUPT", "checksum of section %d" % sid)
    for sid, name in SECTIONS.items():
        check((sid in found) == (name != "TUNE" or required & TUNED != 0), "EFORMAT", "section %s" % name)
    check(end == len(data), "ECORRUPT", "bytes after the last section")
    return {name: found.get(sid) for sid, name in SECTIONS.items()}, required, optional


class Strings:
    def __init__(self, data):
        check(len(data) <= 1 << 28, "ELIMIT", "too much text")
        check(data[-1:] == b"\0", "EFORMAT", "STRINGS does not end with a zero")
        self.texts, at = {}, 0
        for raw in data[:-1].split(b"\0"):
            try:
                self.texts[at] = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise FormatError("EFORMAT", "text that is not UTF-8")
            check(len(raw) <= 4095, "ELIMIT", "a text of %d bytes" % len(raw))
            at += len(raw) + 1

    def get(self, offset):
        check(offset in self.texts, "EFORMAT", "string %d" % offset)
        return self.texts[offset]


def read_meta(data, strings, required):
    c = Cursor(data, "META")
    timesteps, tin, tout, n_norm, seed = c.take("IIIIQ")
    sha, = c.take("32s")
    source, producer, n_classes, resize, height, width, frames = c.take("IIIIIII")
    interpolation, split, present, run = c.take("BBBB")
    source, producer = strings.get(source), strings.get(producer)
    check(n_norm <= 64 and n_classes <= 65536, "ELIMIT", "META: counts")
    check(interpolation < 3 and split < 2 and present < 2, "EVERSION", "META: preprocessing")
    check(run == 0 or required & LEVELS, "EFORMAT", "META: reserved")
    check(resize < 65536 or required & SQUEEZED, "EFORMAT", "META: width of the resize")
    check(run & 15 < 3 and run >> 4 < 2, "EVERSION", "META: run")
    mean, std = list(c.take("%df" % n_norm)), list(c.take("%df" % n_norm))
    classes = [strings.get(offset) for offset in c.take("%dI" % n_classes)]
    c.end()
    return dict(timesteps=timesteps, seed=seed, input=tin, output=tout, mean=mean, std=std, resize=resize,
                crop=(height, width), frames=frames, interpolation=INTERPOLATIONS[interpolation],
                split=("number", "time")[split], present=("channels", "steps")[present],
                mode=("step", "count", "radix")[run & 15], thinning=("binomial", "systematic")[run >> 4],
                source_sha256=sha, source_name=source, producer=producer, class_names=classes)


def read_count(c, limit):
    count, reserved = c.take("II")
    check(count <= limit, "ELIMIT", "%s: %d records" % (c.name, count))
    check(reserved == 0, "EFORMAT", "%s: reserved" % c.name)
    return count


def read_tensors(data, strings, weights, required):
    c, tensors, free = Cursor(data, "TENSORS"), [], 0
    for i in range(read_count(c, 1 << 20)):
        name, dtype, rank, flags = c.take("IBBH")
        name = strings.get(name)
        check(dtype in TYPES and flags in (0, 1), "EVERSION", "tensor %d: type or flags" % i)
        check(dtype < 2 or required & NARROW, "EVERSION", "tensor %d: a type without its feature" % i)
        check(rank <= 8, "ELIMIT", "tensor %d: rank" % i)
        shape = c.take("%dI" % rank)
        check(0 not in shape, "EFORMAT", "tensor %d: a dimension of 0" % i)
        elements = 1
        for dim in shape:
            elements *= dim
            check(elements <= 1 << 30, "ELIMIT", "tensor %d: elements" % i)
        kind = TYPES[dtype]
        size = elements * np.dtype(kind).itemsize
        tensor = Tensor(name, kind, shape)
        if flags:
            offset, = c.take("Q")
            align = 64 if size >= 1024 else 16
            check(offset % align == 0 and offset >= free, "EFORMAT", "constant %d: place" % i)
            free = offset + size
            check(free <= len(weights), "ECORRUPT", "constant %d: outside WEIGHTS" % i)
            raw = np.frombuffer(weights, np.dtype(kind).newbyteorder("<"), elements, offset)
            tensor.data = raw.astype(kind).reshape(shape)
        tensors.append(tensor)
    c.end()
    return tensors


def read_nodes(data, strings, required):
    c, nodes = Cursor(data, "NODES"), []
    for i in range(read_count(c, 1 << 20)):
        op, mode, name, out, n_in, n_ip, n_fp = c.take("HHIIHBB")
        name = strings.get(name)
        check(op < len(OPS) and mode == 0, "EVERSION", "node %d: operator %d or mode %d" % (i, op, mode))
        kind, int_fields, float_fields = OPS[op]
        slots = sum(n for _, n in int_fields)
        check(n_ip <= slots and n_fp <= len(float_fields), "EVERSION", "node %d: parameters" % i)
        check(kind != "neuron" or n_ip < 7 or required & (LEVELS | EVEN), "EVERSION", "node %d: TOP without its feature" % i)
        check(kind != "neuron" or n_ip < 8 or required & EVEN, "EVERSION", "node %d: EVEN without its feature" % i)
        inputs = [None if k == NONE else k for k in c.take("%dI" % n_in)]
        ints = list(c.take("%di" % n_ip)) + [0] * (slots - n_ip)
        floats = list(c.take("%df" % n_fp)) + [0.0] * (len(float_fields) - n_fp)
        ip = {}
        for field, n in int_fields:
            ip[field], ints = (ints[0] if n == 1 else ints[:n]), ints[n:]
        fp = {field: np.float32(v) for field, v in zip(float_fields, floats)}
        nodes.append(Node(kind, mode, name, inputs, out, ip, fp))
    c.end()
    return nodes


def read_tuning(data):
    if data is None:
        return None
    c, first, last = Cursor(data, "TUNE"), {}, -1
    timesteps, readout_from = c.take("II")
    check(timesteps >= 1, "EFORMAT", "TUNE: timesteps")
    for _ in range(read_count(c, 1 << 20)):
        node, axes, n = c.take("III")
        values = np.array(c.take("%df" % n), np.float32)
        check(node > last, "EFORMAT", "TUNE: nodes do not ascend")
        first[node], last = ([d for d in range(32) if axes >> d & 1], values), node
    c.end()
    return Tuning(timesteps, readout_from, first)


def check_tuning(graph):
    t = graph.tuning
    check(1 <= t.readout_from <= t.timesteps <= 65536, "EFORMAT", "TUNE: steps")
    for node, (axes, values) in t.first.items():
        check(node < len(graph.nodes) and graph.nodes[node].op == "neuron", "EFORMAT", "TUNE: node %d" % node)
        shape = graph.tensors[graph.nodes[node].out].shape
        check(all(d < len(shape) for d in axes), "EFORMAT", "TUNE: axes of node %d" % node)
        check(len(values) == np.prod([shape[d] for d in axes], dtype=int), "EFORMAT", "TUNE: values of node %d" % node)
        check(np.isfinite(values).all(), "EFORMAT", "TUNE: a value of node %d" % node)


def check_graph(graph):
    """Ids and order; shapes and other parameters are left to the C reader's validation."""
    count = len(graph.tensors)
    check(graph.input < count and graph.output < count, "EFORMAT", "input or output")
    check(1 <= graph.timesteps <= 65536, "EFORMAT", "timesteps")
    check(all(np.isfinite(v) for v in graph.mean + graph.std) and all(s > 0 for s in graph.std), "EFORMAT", "norm")
    check(graph.resize < 65536 or graph.resize & 65535, "EFORMAT", "preprocessing")
    check(max(graph.crop) <= 65535 and graph.frames <= 4096, "EFORMAT", "preprocessing")
    check((graph.crop[0] == 0) == (graph.crop[1] == 0), "EFORMAT", "crop")
    check(graph.mode != "radix" or graph.present != "steps" or graph.frames <= 1, "EFORMAT", "radix of frames")
    ready = {i for i, t in enumerate(graph.tensors) if t.data is not None}
    check(graph.input not in ready, "EFORMAT", "the input is a constant")
    ready.add(graph.input)
    for node in graph.nodes:
        check(all(k is None or k in ready for k in node.inputs), "EFORMAT", "node '%s': input" % node.name)
        check(node.out < count and node.out not in ready, "EFORMAT", "node '%s': output" % node.name)
        if node.op == "neuron":
            top = node.ip["TOP"]
            check(0 <= top <= 255, "EFORMAT", "node '%s': TOP" % node.name)
            check(node.ip["EVEN"] == 0 or node.ip["EVEN"] == 1 and node.fp["SHIFT"] == 0.5, "EFORMAT",
                  "node '%s': EVEN" % node.name)
            check(graph.mode == "step" or (top or node.ip["LEVELS"]) <= 255, "EFORMAT", "node '%s': levels" % node.name)
        ready.add(node.out)
    check(graph.output in ready, "EFORMAT", "the output is not made")
    if graph.tuning is not None:
        check_tuning(graph)


def parse(data):
    parts, required, optional = sections(bytes(data))
    strings = Strings(parts["STRINGS"])
    graph = Graph(**read_meta(parts["META"], strings, required),
                  tensors=read_tensors(parts["TENSORS"], strings, parts["WEIGHTS"], required),
                  nodes=read_nodes(parts["NODES"], strings, required), tuning=read_tuning(parts["TUNE"]),
                  channels_last=optional & CHANNELS_LAST != 0,
                  trained_on=TRAINED_ON[optional >> 1 & 3])
    check_graph(graph)
    return graph


def load(path):
    with open(path, "rb") as f:
        return parse(f.read())
