#!/usr/bin/env python3
"""Make the golden snn.bin files: a writer of its own, from docs/FORMAT.md; standard library only.

snn-good/*.bin must load. snn-bad/STATUS-*.bin must be refused with that status; those
called STATUS-graph-* are well-formed files whose graph makes no sense.
(snn-good/c-*.bin were written by mst_graph_save and stay as they are.)
"""
import pathlib
import struct
import zlib

HERE = pathlib.Path(__file__).resolve().parent
MAGIC = b"\x89MST\r\n\x1a\n"
META, STRINGS, TENSORS, NODES, WEIGHTS, TUNE = range(1, 7)
RESHAPE, PAD, LINEAR, BINARY, REDUCE, CLIP, NEURON, MASK, RATE_POOL = 0, 5, 7, 11, 13, 14, 18, 19, 20
NONE = 0xFFFFFFFF
F16, I8 = 3, 4
NARROW, LEVELS, TUNED, SQUEEZED, EVEN = 1, 2, 4, 8, 16  # required features
CODES = {0: "f", 1: "i", 2: "f", F16: "e", I8: "b"}  # of struct; a float64 is never read
INF = float("inf")


class Model:
    """The records of a small network, to be changed before bytes() is called."""

    def __init__(self):
        self.text = b"\0"
        self.weights = b""
        self.major, self.minor, self.required, self.optional = 1, 0, 0, 0
        self.timesteps, self.input, self.output, self.norm, self.seed = 8, 0, 5, [], 7
        self.classes = []
        self.prepare = (0, 0, 0, 0, 0, 0, 0)  # resize, crop, frames, interpolation, split, presentation
        self.run = 0           # mode, thinning * 16: the byte behind prepare
        self.tensors, self.nodes = [], []
        self.extra = {}        # more sections, id -> bytes
        self.missing = ()      # ids left out
        self.tail = {}         # id -> bytes after the last record
        self.count = {}        # id -> count other than the true one
        self.reserved = {}     # id -> value of the reserved field

    def string(self, text):
        raw = text if isinstance(text, bytes) else text.encode()
        at = self.text.find(b"\0" + raw + b"\0")
        if raw == b"":
            return 0
        if at >= 0:
            return at + 1
        self.text += raw + b"\0"
        return len(self.text) - len(raw) - 1

    def tensor(self, name, shape, values=None, dtype=0, flags=None, place=None, rank=None):
        record = struct.pack("<IBBH", self.string(name), dtype, len(shape) if rank is None else rank,
                             (values is not None) if flags is None else flags)
        record += struct.pack("<%dI" % len(shape), *shape)
        if values is not None:
            raw = struct.pack("<%d%s" % (len(values), CODES[dtype]), *values)
            align = 64 if len(raw) >= 1024 else 16
            self.weights += b"\0" * (-len(self.weights) % align)
            record += struct.pack("<Q", len(self.weights) if place is None else place)
            self.weights += raw
        self.tensors.append(record)
        return len(self.tensors) - 1

    def node(self, op, name, inputs, out, ip=(), fp=(), mode=0):
        record = struct.pack("<HHIIHBB", op, mode, self.string(name), out, len(inputs), len(ip), len(fp))
        record += struct.pack("<%dI" % len(inputs), *inputs) + struct.pack("<%di" % len(ip), *ip)
        self.nodes.append(record + struct.pack("<%df" % len(fp), *fp))

    def meta(self):
        n = len(self.norm)
        raw = struct.pack("<IIIIQ32sIII4I4B", self.timesteps, self.input, self.output, n, self.seed, b"\0" * 32,
                          self.string("golden.onnx"), self.string("make_snn.py"), len(self.classes),
                          *self.prepare, self.run)
        raw += struct.pack("<%df" % n, *[m for m, _ in self.norm]) + struct.pack("<%df" % n, *[s for _, s in self.norm])
        return raw + b"".join(struct.pack("<I", c if isinstance(c, int) else self.string(c)) for c in self.classes)

    def records(self, sid, items):
        return struct.pack("<II", self.count.get(sid, len(items)), self.reserved.get(sid, 0)) + b"".join(items)

    def sections(self):
        parts = {META: self.meta(), TENSORS: self.records(TENSORS, self.tensors),
                 NODES: self.records(NODES, self.nodes), STRINGS: self.text, WEIGHTS: self.weights}
        parts = {sid: raw + self.tail.get(sid, b"") for sid, raw in parts.items() if sid not in self.missing}
        parts.update(self.extra)
        return parts

    def bytes(self):
        return assemble(self.sections(), self.major, self.minor, self.required, self.optional)


def mean_model(channels, h, w, classes=2, prepare=(0, 0, 0, 0, 0, 0, 0), norm=()):
    """A network for tests that need one of that input: the mean of each channel, linear."""
    m = Model()
    m.norm, m.prepare, m.output = list(norm), prepare, 3
    m.tensor("x", (1, channels, h, w))
    m.tensor("mean", (1, channels, 1, 1))
    m.tensor("flat", (1, channels))
    m.tensor("logits", (1, classes))
    m.tensor("w", (channels, classes), [0.5] * (channels * classes))
    m.node(REDUCE, "mean", [0], 1, (0, 12))
    m.node(RESHAPE, "flat", [1], 2)
    m.node(LINEAR, "fc", [2, 4], 3)
    return m


def assemble(parts, major=1, minor=0, required=0, optional=0, order=None):
    order = sorted(parts) if order is None else order
    table, body, at = b"", b"", 64 + 32 * len(parts)
    for sid in order:
        raw = parts[sid]
        body += b"\0" * (-at % 64)
        at += -at % 64
        table += struct.pack("<IIQQQ", sid, zlib.crc32(raw), at, len(raw), 0)
        body += raw
        at += len(raw)
    head = MAGIC + struct.pack("<HHIIIQ28x", major, minor, len(parts), required, optional, at)
    return head + struct.pack("<I", zlib.crc32(table, zlib.crc32(head))) + table + body


def fix(raw):
    """Right checksum for a changed header or table."""
    count, = struct.unpack_from("<I", raw, 12)
    table = raw[64:64 + 32 * count]
    return raw[:60] + struct.pack("<I", zlib.crc32(table, zlib.crc32(raw[:60]))) + raw[64:]


def patch(raw, at, new):
    return raw[:at] + new + raw[at + len(new):]


W1 = [0.5, -0.25, 1, 0, 0.5, 0.25, -1, 1, 0.5, 0.125, 0, 1]
W1_INT8 = [64, -32, 127, 0, 64, 32, -127, 127, 64, 16, 0, 127]


def network(theta=(0.75,), theta_shape=(1,), levels=8, ip=None, fp=(0.5,), stop=False):
    """[1,1,2,2] -> reshape -> linear 4 x 3 -> neuron -> linear 3 x 2 -> tensor 5"""
    m = Model()
    m.tensor("x", (1, 1, 2, 2))
    m.tensor("w1", (4, 3), W1)
    m.tensor("theta", theta_shape, theta)
    m.tensor("w2", (3, 2), [1, -1, 0.5, 0.5, -1, 1])
    m.tensor("flat", (1, 4))
    m.tensor("logits", (1, 2))
    m.tensor("current", (1, 3))
    m.tensor("spikes", (1, 3))
    if not stop:
        m.node(RESHAPE, "flat", [0], 4)
        m.node(LINEAR, "fc1", [4, 1], 6)
        m.node(NEURON, "if1", [6, 2], 7, (1, levels, 0, 0, -1, -1) if ip is None else ip, fp)
        m.node(LINEAR, "fc2", [7, 3], 5)
    return m


def narrow(dtype, values, scales=(0.5, 0.25, 1.0), required=NARROW, scale_type=0, more=0, n_in=4):
    """network() with w1 of another type; scales None: without. more: rows that the weight has too many."""
    m = Model()
    m.required = required
    m.tensor("x", (1, 1, 2, 2))
    m.tensor("w1", (4 + more, 3), values, dtype=dtype)
    m.tensor("theta", (1,), [0.75])
    m.tensor("w2", (3, 2), [1, -1, 0.5, 0.5, -1, 1])
    m.tensor("flat", (1, 4))
    m.tensor("logits", (1, 2))
    m.tensor("current", (1, 3))
    m.tensor("spikes", (1, 3))
    m.node(RESHAPE, "flat", [0], 4)
    if scales is None:
        m.node(LINEAR, "fc1", [4, 1], 6)
    else:
        m.tensor("s1", (len(scales),), scales, dtype=scale_type)
        m.node(LINEAR, "fc1", [4, 1, NONE, 8, 8][:n_in], 6)
    m.node(NEURON, "if1", [6, 2], 7, (1, 8, 0, 0, -1, -1), (0.5,))
    m.node(LINEAR, "fc2", [7, 3], 5)
    return m.bytes()


def counting(run, top=(), required=LEVELS, levels=8, prepare=(0, 0, 0, 0, 0, 0, 0), shift=0.5):
    """A network with two neurons; top: their TOPs, if any; of the second its EVEN, too."""
    m = Model()
    m.required, m.run, m.prepare = required, run, prepare
    m.tensor("x", (1, 1, 2, 2))
    m.tensor("w1", (4, 3), W1)
    m.tensor("theta", (1,), [0.75])
    m.tensor("w2", (3, 2), [1, -1, 0.5, 0.5, -1, 1])
    m.tensor("flat", (1, 4))
    m.tensor("logits", (1, 2))
    m.tensor("current", (1, 3))
    m.tensor("spikes", (1, 3))
    m.tensor("first", (1, 4))
    m.node(RESHAPE, "flat", [0], 4)
    m.node(NEURON, "if0", [4, 2], 8, (1, 8, 0, 0, -1, -1) + top[:1], (0.5,))
    m.node(LINEAR, "fc1", [8, 1], 6)
    m.node(NEURON, "if1", [6, 2], 7, (1, levels, 0, 0, -1, -1) + top[1:], (shift,))
    m.node(LINEAR, "fc2", [7, 3], 5)
    return m.bytes()


def tuned(records=((2, 2, (0.5, -0.25, 1.25)),), steps=(16, 9), count=None, reserved=0, tail=b"", required=TUNED,
          section=True):
    """network() with v(0) of its neuron, along axis 1 of [1,3]; records: node, axes, values."""
    m = network()
    m.required = required
    raw = struct.pack("<4I", *steps, len(records) if count is None else count, reserved)
    for node, axes, values in records:
        n = len(values) if isinstance(values, tuple) else values
        raw += struct.pack("<3I", node, axes, n)
        raw += struct.pack("<%df" % n, *values) if isinstance(values, tuple) else b""
    if section:
        m.extra[TUNE] = raw + tail
    return m.bytes()


def good():
    m = network()
    yield "plain", m.bytes()
    m = network()
    m.minor, m.optional = 9, 0xFFFFFFFF
    yield "newer-minor-version", m.bytes()
    m = network()
    m.extra[0x80000000] = m.extra[0xFFFFFFFF] = b"ignored"
    yield "optional-sections", m.bytes()
    yield "missing-parameters-are-zero", network(ip=(1, 8), fp=()).bytes()
    m = network()
    m.classes, m.norm = ["cat", "d\u00f6g", "cat", ""], [(0.5, 0.25)]
    yield "classes-and-norm", m.bytes()
    m = network()
    m.prepare = (256, 224, 192, 10, 2, 1, 1)
    yield "preprocessing", m.bytes()
    m.prepare, m.required = (224 << 16 | 192, 0, 0, 0, 1, 0, 0), SQUEEZED
    yield "resize-both-sides", m.bytes()
    m = network(stop=True)
    m.weights += b"\xff" * 100
    m.tensor("w3", (300, 1), [0.25] * 300, place=256)
    m.weights = m.weights[:256].ljust(256, b"\0") + struct.pack("<300f", *[0.25] * 300) + b"\xff" * 5
    for k in range(4):
        m.node(*[(RESHAPE, "flat", [0], 4), (LINEAR, "fc1", [4, 1], 6),
                 (NEURON, "if1", [6, 2], 7, (1, 8, 0, 0, -1, -1), (0.5,)), (LINEAR, "fc2", [7, 3], 5)][k])
    yield "gaps-in-weights", m.bytes()
    yield "weights-f16", narrow(F16, W1, scales=None)
    yield "weights-int8", narrow(I8, W1_INT8)
    yield "minus-infinity-added", with_more((1, 3), [0, 0, -INF], lambda m: m.node(BINARY, "n", [7, 8], 9, (0,)))
    yield "count-mode", counting(0x01, (7, 0))
    yield "count-without-parameters", counting(0x01)
    yield "radix-systematic", counting(0x12, (15, 15), levels=300)
    yield "count-levels-step", counting(0x00, (4, 0), levels=300)
    yield "step-systematic", counting(0x10, (0, 0))
    yield "even", counting(0x00, (0, 0, 1), required=EVEN)
    yield "even-levels", counting(0x01, (4, 7, 1), required=LEVELS | EVEN)
    yield "tuned", tuned()
    yield "tuned-all-alike", tuned(((2, 0, (0.75,)),), steps=(1, 1))
    yield "tuned-nothing", tuned(())
    m = Model()
    m.tensor("x", (1, 2))
    m.tensor("y", (1, 2))
    m.node(CLIP, "relu", [0], 1, (), (0.0, INF))
    m.output = 1
    yield "no-constants", m.bytes()


def bad_bytes():
    """Damage outside of sections."""
    raw = network().bytes()
    count = 5
    yield "EFORMAT-empty", b""
    yield "EFORMAT-onnx", b"\x08\x07\x12\x07pytorch" + b"\0" * 80
    yield "EFORMAT-text", b"snn.bin\n" * 20
    yield "ECORRUPT-text-mode-copy", raw.replace(b"\r\n", b"\n", 1)
    yield "ECORRUPT-seven-bits", bytes(c & 0x7F for c in raw)
    yield "ECORRUPT-cut-in-magic", raw[:5]
    yield "ECORRUPT-cut-in-header", raw[:40]
    yield "ECORRUPT-cut-in-table", raw[:100]
    yield "ECORRUPT-cut-in-section", raw[:-1]
    yield "ECORRUPT-extended", raw + b"\0"
    yield "EVERSION-major", network_with(major=2).bytes()
    yield "EVERSION-required-feature", network_with(required=32).bytes()
    yield "ELIMIT-sections", patch(raw, 12, struct.pack("<I", 65))
    yield "ECORRUPT-header-checksum", patch(raw, 20, b"\1")
    yield "ECORRUPT-section-checksum", patch(raw, len(raw) - 1, b"\x55")
    yield "ECORRUPT-file-size", fix(patch(raw, 24, struct.pack("<Q", len(raw) + 64)))
    yield "EFORMAT-reserved-in-header", fix(patch(raw, 40, b"\1"))
    yield "EFORMAT-reserved-in-table", fix(patch(raw, 64 + 24, b"\1"))
    yield "ECORRUPT-padding", patch(raw, 64 + 32 * count + 10, b"\1")
    yield "ECORRUPT-offset-off-by-64", fix(patch(raw, 64 + 8, struct.pack("<Q", 256 + 64)))
    yield "ECORRUPT-offset-huge", fix(patch(raw, 64 + 8, struct.pack("<Q", 2 ** 64 - 64)))
    yield "ECORRUPT-length-huge", fix(patch(raw, 64 + 16, struct.pack("<Q", 2 ** 64 - 1)))
    yield "EFORMAT-ids-twice", fix(patch(raw, 64 + 32, struct.pack("<I", META)))
    parts = network().sections()
    yield "EFORMAT-ids-descending", assemble(parts, order=[META, TENSORS, STRINGS, NODES, WEIGHTS])
    m = network()
    m.extra[7] = b"new"
    yield "EVERSION-unknown-section", m.bytes()
    for sid, name in ((META, "meta"), (STRINGS, "strings"), (WEIGHTS, "weights")):
        yield "EFORMAT-no-%s" % name, network_with(missing=(sid,)).bytes()
    yield "EFORMAT-no-sections", assemble({})


def network_with(**fields):
    m = network()
    for name, value in fields.items():
        setattr(m, name, value)
    return m


def bad_records():
    yield "EFORMAT-strings-empty", network_with(text=b"").bytes()
    yield "EFORMAT-strings-no-end", network_with(tail={STRINGS: b"x"}).bytes()
    yield "EFORMAT-strings-not-utf8", network_with(tail={STRINGS: b"\xc0\x80\0"}).bytes()
    yield "EFORMAT-strings-surrogate", network_with(tail={STRINGS: b"\xed\xa0\x80\0"}).bytes()
    yield "ELIMIT-strings-long", network_with(tail={STRINGS: b"x" * 4096 + b"\0"}).bytes()
    yield "EFORMAT-string-inside-a-text", network_with(classes=[4]).bytes()
    yield "EFORMAT-string-outside", network_with(classes=[1 << 20]).bytes()
    yield "EFORMAT-meta-reserved", network_with(run=1).bytes()
    yield "EFORMAT-resize-without-feature", network_with(prepare=(0x50005, 0, 0, 0, 0, 0, 0)).bytes()
    yield "EFORMAT-run-without-feature", counting(0x01, required=0)
    yield "EVERSION-run-mode", counting(0x03, (7, 0))
    yield "EVERSION-run-thinning", counting(0x21, (7, 0))
    for name, at in (("interpolation", 4), ("split", 5), ("presentation", 6)):
        yield "EVERSION-meta-%s" % name, network_with(prepare=tuple(3 if i == at else 0 for i in range(7))).bytes()
    yield "EFORMAT-meta-tail", network_with(tail={META: b"\0" * 4}).bytes()
    parts = network().sections()
    parts[META] = parts[META][:87]
    yield "ECORRUPT-meta-cut", assemble(parts)
    for name, at, value in (("norm", 12, 65), ("classes", 64, 65537)):
        parts = network().sections()
        parts[META] = patch(parts[META], at, struct.pack("<I", value))
        yield "ELIMIT-meta-%s" % name, assemble(parts)
    parts = network().sections()
    parts[META] = patch(parts[META], 64, struct.pack("<I", 5))
    yield "ECORRUPT-meta-classes-missing", assemble(parts)
    for sid, name in ((TENSORS, "tensors"), (NODES, "nodes")):
        yield "ELIMIT-%s-count" % name, network_with(count={sid: (1 << 20) + 1}).bytes()
        yield "ECORRUPT-%s-count" % name, network_with(count={sid: 1 << 20}).bytes()
        yield "ECORRUPT-%s-one-more" % name, network_with(count={sid: 9 if sid == TENSORS else 5}).bytes()
        yield "EFORMAT-%s-one-less" % name, network_with(count={sid: 3}).bytes()
        yield "EFORMAT-%s-reserved" % name, network_with(reserved={sid: 1}).bytes()
        yield "EFORMAT-%s-tail" % name, network_with(tail={sid: b"\0"}).bytes()


def with_tensor(*args, **options):
    m = network()
    m.tensor(*args, **options)
    return m.bytes()


def with_node(*args, **options):
    m = network()
    m.tensor("more", (1, 2))
    m.tensor("spikes2", (1, 3))
    m.node(*args, **options)
    return m.bytes()


def with_more(shape, values, change):
    """A network with a constant, number 8, and room for what is made of it, 9."""
    m = network()
    m.tensor("more", shape, values)
    m.tensor("out", (1, 3))
    change(m)
    return m.bytes()


def with_feature(change):
    m = network_with(required=NARROW)
    change(m)
    return m.bytes()


def bad_tensors_and_nodes():
    yield "EVERSION-tensor-float64", with_tensor("t", (1,), dtype=2)
    yield "EVERSION-tensor-type-5", with_tensor("t", (1,), dtype=5)
    yield "EVERSION-tensor-f16-without-feature", narrow(F16, W1, scales=None, required=0)
    yield "EVERSION-tensor-int8-without-feature", narrow(I8, W1_INT8, required=0)
    yield "EVERSION-tensor-flags", with_tensor("t", (1,), flags=2)
    yield "ELIMIT-tensor-rank", with_tensor("t", (1,) * 9)
    yield "EFORMAT-tensor-dimension-zero", with_tensor("t", (1, 0))
    yield "ELIMIT-tensor-elements", with_tensor("t", (1 << 16, 1 << 15))
    yield "ELIMIT-tensor-elements-overflow", with_tensor("t", (1 << 31,) * 8)
    yield "ECORRUPT-tensor-dimensions-cut", with_tensor("t", (1,), rank=3)
    yield "EFORMAT-constant-unaligned", with_tensor("t", (4,), [0.0] * 4, place=1028)
    yield "EFORMAT-constant-unaligned-big", with_tensor("t", (256,), [0.0] * 256, place=1040)
    yield "EFORMAT-constant-overlap", with_tensor("t", (4,), [0.0] * 4, place=0)
    yield "ECORRUPT-constant-outside", with_tensor("t", (4,), [0.0] * 4, place=1 << 20)
    yield "ECORRUPT-constant-huge-offset", with_tensor("t", (4,), [0.0] * 4, place=2 ** 64 - 16)
    parts = network().sections()
    parts[WEIGHTS] = parts[WEIGHTS][:-4]
    yield "ECORRUPT-constant-cut", assemble(parts)
    yield "EVERSION-node-operator", with_node(21, "n", [5], 8)
    yield "EVERSION-node-mode", with_node(RESHAPE, "n", [5], 8, mode=1)
    yield "EVERSION-node-more-ints", with_node(RESHAPE, "n", [5], 8, (1,))
    yield "EVERSION-node-more-floats", with_node(CLIP, "n", [5], 8, (), (0.0, 1.0, 2.0))
    yield "EVERSION-neuron-top-without-feature", counting(0x00, (0, 0), required=NARROW)
    yield "EVERSION-neuron-even-without-feature", counting(0x00, (0, 0, 0))
    yield "EVERSION-neuron-more-ints", counting(0x00, (0, 0, 0, 0), required=LEVELS | EVEN)
    parts = network().sections()
    parts[NODES] = parts[NODES][:-4]
    yield "ECORRUPT-node-cut", assemble(parts)


def bad_tuning():
    yield "EFORMAT-tune-without-feature", tuned(required=0)
    yield "EFORMAT-tune-missing", tuned(section=False)
    yield "EFORMAT-tune-no-steps", tuned(steps=(0, 0))
    yield "EFORMAT-tune-reserved", tuned(reserved=1)
    yield "EFORMAT-tune-tail", tuned(tail=b"\0" * 4)
    yield "EFORMAT-tune-one-less", tuned(((2, 2, (0.5, 0.5, 0.5)), (3, 0, (0.5,))), count=1)
    yield "ECORRUPT-tune-cut", tuned(((2, 2, 3),))
    yield "ECORRUPT-tune-many-values", tuned(((2, 2, 0xFFFFFFFF),))
    yield "ECORRUPT-tune-more", tuned(count=2)
    yield "ECORRUPT-tune-many", tuned(count=1 << 20)
    yield "ELIMIT-tune-too-many", tuned(count=(1 << 20) + 1)


def bad_graphs():
    yield "EFORMAT-graph-input-id", network_with(input=99).bytes()
    yield "EFORMAT-graph-output-not-made", network_with(output=8, tensors=network().tensors + network().tensors[:1]).bytes()
    yield "EFORMAT-graph-timesteps-zero", network_with(timesteps=0).bytes()
    yield "EFORMAT-graph-timesteps-many", network_with(timesteps=65537).bytes()
    yield "EFORMAT-graph-std-zero", network_with(norm=[(0.5, 0.0)]).bytes()
    yield "EFORMAT-graph-mean-nan", network_with(norm=[(float("nan"), 1.0)]).bytes()
    yield "EFORMAT-graph-resize", network_with(prepare=(0x50000, 0, 0, 0, 0, 0, 0), required=SQUEEZED).bytes()
    for name, prepare in (("crop", (8, 65536, 1, 0)), ("crop-half", (8, 4, 0, 0)),
                          ("frames", (0, 0, 0, 4097))):
        yield "EFORMAT-graph-%s" % name, network_with(prepare=prepare + (0, 0, 0)).bytes()
    m = network()
    m.nodes.reverse()
    yield "EFORMAT-graph-order", m.bytes()
    yield "EFORMAT-graph-made-twice", with_node(RESHAPE, "n", [7], 6)
    yield "EFORMAT-graph-input-absent", with_node(RESHAPE, "n", [NONE], 8)
    yield "EFORMAT-graph-no-inputs", with_node(RESHAPE, "n", [], 8)
    yield "EFORMAT-graph-many-inputs", with_node(RESHAPE, "n", [5] * 300, 8)
    yield "EFORMAT-graph-shape", with_node(RESHAPE, "n", [4], 8)
    yield "EFORMAT-graph-own-input", with_node(RESHAPE, "n", [8], 8)
    yield "EFORMAT-graph-unknown-function", with_node(BINARY, "n", [5, 5], 8, (7,))
    yield "EFORMAT-graph-rate-pool-kernel", with_node(RATE_POOL, "n", [5], 8, (0, 1, 1, 1, 0, 0, 1, 1))
    yield "EFORMAT-graph-clip-bounds", with_node(CLIP, "n", [5], 8, (), (1.0, 0.0))
    yield "EFORMAT-graph-mask-index", with_node(MASK, "n", [7], 9, (0, 0, 0, 1 << 20), (0.5, -1.0))
    yield "EFORMAT-graph-theta-zero", network(theta=(0.0,)).bytes()
    yield "EFORMAT-graph-theta-negative", network(theta=(-1.0,)).bytes()
    yield "EFORMAT-graph-theta-nan", network(theta=(float("nan"),)).bytes()
    yield "EFORMAT-graph-theta-inf", network(theta=(INF,)).bytes()
    yield "EFORMAT-graph-theta-shape", network(theta=(1.0, 1.0), theta_shape=(2,)).bytes()
    for name, value in (("nan", float("nan")), ("inf", INF), ("minus-inf", -INF)):
        yield "EFORMAT-graph-weight-f16-%s" % name, narrow(F16, W1[:-1] + [value], scales=None)
        yield "EFORMAT-graph-weight-%s" % name, with_more((3, 3), [0] * 8 + [value], lambda m: m.node(LINEAR, "n", [7, 8], 9))
        yield "EFORMAT-graph-bias-%s" % name, with_more(
            (3,), [0, 0, value], lambda m: (m.tensor("w3", (3, 3), [0] * 9), m.node(LINEAR, "n", [7, 10, 8], 9)))
        if name != "minus-inf":  # which may be added: a softmax makes 0 of it
            yield "EFORMAT-graph-added-%s" % name, with_more((1, 3), [0, 0, value], lambda m: m.node(BINARY, "n", [7, 8], 9, (0,)))
    yield "EFORMAT-graph-scale-inf", narrow(I8, W1_INT8, scales=(INF, 1.0, 1.0))
    yield "EFORMAT-graph-std-overflows", network_with(norm=[(0.5, 1e-39)]).bytes()
    yield "EFORMAT-graph-int8-minus-128", narrow(I8, W1_INT8[:-1] + [-128])
    yield "EFORMAT-graph-int8-without-scales", narrow(I8, W1_INT8, scales=None)
    yield "EFORMAT-graph-int8-input-absent", narrow(I8, W1_INT8, n_in=3)
    yield "EFORMAT-graph-int8-inputs", narrow(I8, W1_INT8, n_in=5)
    yield "EFORMAT-graph-int8-shape", narrow(I8, W1_INT8 + [1, 2, 3], more=1)
    yield "EFORMAT-graph-f16-with-scales", narrow(F16, W1)
    yield "EFORMAT-graph-f32-with-scales", narrow(0, W1)
    for name, scales in (("few", (1.0, 1.0)), ("zero", (1.0, 0.0, 1.0)), ("negative", (1.0, -1.0, 1.0)),
                         ("nan", (1.0, float("nan"), 1.0)), ("inf", (INF, 1.0, 1.0))):
        yield "EFORMAT-graph-scale-%s" % name, narrow(I8, W1_INT8, scales=scales)
    yield "EFORMAT-graph-scale-type", narrow(I8, W1_INT8, scales=(1, 1, 1), scale_type=1)
    yield "EFORMAT-graph-scale-f16", narrow(I8, W1_INT8, scale_type=F16)
    yield "EFORMAT-graph-int8-computed", with_feature(lambda m: m.tensor("t", (1,), dtype=I8))
    yield "EFORMAT-graph-int8-data", with_feature(
        lambda m: (m.tensor("t", (1, 2), [1, 2], dtype=I8), m.tensor("u", (1, 2)), m.node(RESHAPE, "n", [8], 9)))
    yield "EFORMAT-graph-f16-bias", with_feature(
        lambda m: (m.tensor("t", (2,), [1, 2], dtype=F16), m.tensor("u", (1, 2)), m.node(LINEAR, "n", [7, 3, 8], 9)))
    yield "EFORMAT-graph-levels-zero", network(levels=0).bytes()
    yield "EFORMAT-graph-top-256", counting(0x00, (7, 256))
    yield "EFORMAT-graph-top-negative", counting(0x00, (-1, 7))
    yield "EFORMAT-graph-even-2", counting(0x00, (0, 0, 2), required=EVEN)
    yield "EFORMAT-graph-even-shift", counting(0x00, (0, 0, 1), required=EVEN, shift=0.25)
    yield "EFORMAT-graph-levels-many-for-count", counting(0x01, (7, 0), levels=300)
    yield "EFORMAT-graph-radix-frames", counting(0x02, (7, 7), prepare=(0, 0, 0, 10, 0, 0, 1))
    yield "EFORMAT-graph-reset", network(ip=(1, 8, 1, 0, -1, -1)).bytes()
    yield "EFORMAT-graph-site", network(ip=(1, 8, 0, 99, -1, -1)).bytes()
    yield "EFORMAT-graph-axis", network(ip=(2, 8, 0, 0, -1, -1)).bytes()
    yield "EFORMAT-graph-shift-nan", network(fp=(float("nan"),)).bytes()
    yield "EFORMAT-graph-tune-steps-many", tuned(steps=(65537, 1))
    yield "EFORMAT-graph-tune-readout-zero", tuned(steps=(16, 0))
    yield "EFORMAT-graph-tune-readout-late", tuned(steps=(16, 17))
    yield "EFORMAT-graph-tune-node", tuned(((4, 0, (0.5,)),))
    yield "EFORMAT-graph-tune-no-neuron", tuned(((3, 0, (0.5,)),))
    yield "EFORMAT-graph-tune-twice", tuned(((2, 0, (0.5,)), (2, 0, (0.5,))))
    yield "EFORMAT-graph-tune-axes", tuned(((2, 4, (0.5,)),))
    yield "EFORMAT-graph-tune-axes-far", tuned(((2, 0x80000002, (0.5, 0.5, 0.5)),))
    yield "EFORMAT-graph-tune-few", tuned(((2, 2, (0.5, 0.5)),))
    yield "EFORMAT-graph-tune-nan", tuned(((2, 2, (0.5, float("nan"), 0.5)),))
    yield "EFORMAT-graph-tune-inf", tuned(((2, 2, (0.5, INF, 0.5)),))


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, raw in files:
        (folder / (name + ".bin")).write_bytes(raw)


def main():
    write(HERE / "snn-good", good())
    for part in (bad_bytes, bad_records, bad_tensors_and_nodes, bad_tuning, bad_graphs):
        write(HERE / "snn-bad", part())


if __name__ == "__main__":
    main()
