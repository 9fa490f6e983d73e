"""CIFAR's Python version: batches as Python 2 wrote them and as Python 3 writes them again, against pickle.load."""
import gzip
import pathlib
import pickle
import re
import shlex
import struct
import subprocess
import sys

import numpy as np
import pytest

from pictures import make_snn, model, refused, shown
from support import tool

N = 6


class Python2:
    """Bytes as Python 2's cPickle wrote protocol 2: texts are byte strings, everything goes into the memo."""
    def __init__(self):
        self.out, self.memo = bytearray(b"\x80\x02"), 0

    def put(self):
        self.memo += 1
        self.out += struct.pack("<cB", b"q", self.memo) if self.memo < 256 else struct.pack("<cI", b"r", self.memo)

    def text(self, t):
        t = t if isinstance(t, bytes) else t.encode()
        self.out += (struct.pack("<cB", b"U", len(t)) if len(t) < 256 else struct.pack("<cI", b"T", len(t))) + t
        self.put()

    def number(self, v):
        self.out += struct.pack("<cB", b"K", v) if 0 <= v < 256 else struct.pack("<cH", b"M", v) if 0 <= v < 65536 else struct.pack("<ci", b"J", v)

    def list(self, values, put):
        self.out += b"]"
        self.put()
        for i in range(0, len(values), 1000):
            self.out += b"("
            for v in values[i:i + 1000]:
                put(v)
            self.out += b"e"

    def array(self, a):
        self.out += b"cnumpy.core.multiarray\n_reconstruct\n"
        self.put()
        self.out += b"cnumpy\nndarray\n"
        self.put()
        self.out += b"K\x00\x85"
        self.put()
        self.text("b")
        self.out += b"\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"(K\x01"
        for d in a.shape:
            self.number(d)
        self.out += b"\x86"
        self.put()
        self.out += b"cnumpy\ndtype\n"
        self.put()
        self.text("u1")
        self.out += b"K\x00K\x01\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"(K\x03"
        self.text("|")
        self.out += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
        self.put()
        self.out += b"b\x89"
        self.text(a.tobytes())
        self.out += b"t"
        self.put()
        self.out += b"b"

    def batch(self, b):
        self.out += b"}"
        self.put()
        self.out += b"("
        for key, value in b.items():
            self.text(key)
            if isinstance(value, np.ndarray):
                self.array(value)
            elif isinstance(value, list):
                self.list(value, self.number if isinstance(value[0], int) else self.text)
            else:
                self.text(value)
        return bytes(self.out + b"u.")


def batch(n=N, hundred=False, seed=0):
    rng = np.random.default_rng(seed)
    labels = ("fine_labels", "coarse_labels") if hundred else ("labels",)
    out = {"batch_label": "testing batch 1 of 1", "data": rng.integers(0, 256, (n, 3072), np.uint8),
           "filenames": ["picture_s_%06d.png" % i for i in range(n)]}
    out.update({k: rng.integers(0, 20 if k == "coarse_labels" else 10, n).tolist() for k in labels})
    return {k: out[k] for k in (labels + tuple(k for k in out if k not in labels))}


def of_bytes(b):
    """As Python 3 writes again what it read with encoding='bytes'."""
    return {k.encode(): v.encode() if isinstance(v, str) else [x.encode() if isinstance(x, str) else x for x in v]
            if isinstance(v, list) else v for k, v in b.items()}


WRITERS = {"Python 2": lambda b: Python2().batch(b), "protocol 3": lambda b: pickle.dumps(b, 3), "protocol 4": lambda b: pickle.dumps(b, 4),
           "protocol 4, bytes": lambda b: pickle.dumps(of_bytes(b), 4), "protocol 3, bytes": lambda b: pickle.dumps(of_bytes(b), 3)}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("hundred", [False, True], ids=["10", "100"])
def test_batches(tmp_path, writer, hundred):
    b = batch(hundred=hundred)
    raw = WRITERS[writer](b)
    again = pickle.loads(raw, encoding="latin1")
    assert np.array_equal(again.get("data", again.get(b"data")), b["data"])  # the oracle reads what was written
    name, folder = ("test", "cifar-100-python") if hundred else ("test_batch", "cifar-10-batches-py")
    (tmp_path / folder).mkdir()
    file = tmp_path / folder / name
    file.write_bytes(raw)
    (tmp_path / "another name").write_bytes(raw)
    kind, keys = ("cifar100", ("fine_labels", "coarse_labels")) if hundred else ("cifar10", ("labels",))
    bin = model(tmp_path, 3, 32, 32, classes=100 if hundred else 10)
    for i, spec in enumerate(("%s:%s" % (kind, file), file, "%s:%s" % (kind, tmp_path), tmp_path / folder, tmp_path,
                              tmp_path / "another name")):
        got, line = shown(tmp_path, spec, i, bin=bin)
        assert np.array_equal(got, b["data"][i].reshape(3, 32, 32).transpose(1, 2, 0))
        assert "label %d\n" % b[keys[0]][i] in line
    if hundred:
        line = shown(tmp_path, "cifar100:%s,coarse" % file, 3, bin=model(tmp_path, 3, 32, 32, classes=20))[1]
        assert "label %d\n" % b["coarse_labels"][3] in line


def test_a_key_that_is_there_twice(tmp_path):
    """The last one counts, as in Python."""
    b, bin, path = batch(), model(tmp_path, 3, 32, 32, classes=10), tmp_path / "test_batch"
    raw = Python2().batch(b)
    more = Python2()
    more.memo = 200
    more.text("labels")
    more.list([9 - v for v in b["labels"]], more.number)
    path.write_bytes(raw[:-2] + bytes(more.out[2:]) + b"u.")
    want = pickle.loads(path.read_bytes(), encoding="latin1")["labels"]
    assert want == [9 - v for v in b["labels"]]
    for i in range(N):
        assert "label %d\n" % want[i] in shown(tmp_path, path, i, bin=bin)[1]


def test_gzip(tmp_path):
    """A packed one is named, however much it unpacks to."""
    path, bin = tmp_path / "test_batch", model(tmp_path, 3, 32, 32, classes=10)
    for raw in (Python2().batch(batch()), b"\x80\x02" * (1 << 25) + b"N."):
        path.write_bytes(gzip.compress(raw))
        assert "expected CIFAR-10 records, found a gzip file" in refused(path, bin=bin)


def test_a_whole_batch(tmp_path):
    """10,000 images: every label, and the means of the pixels, which the model gives."""
    b = batch(10000)
    (tmp_path / "data_batch_1").write_bytes(Python2().batch(b))
    bin = tmp_path / "m.bin"
    m = make_snn.mean_model(3, 32, 32, 10)
    bin.write_bytes(m.bytes())
    tool("mstrun", bin, tmp_path / "data_batch_1", "--mode", "ann", "--predictions", tmp_path / "p.npz", "--quiet")
    with np.load(tmp_path / "p.npz") as p:
        assert p["label"].tolist() == b["labels"]
        want = b["data"].reshape(-1, 3, 1024).mean(2).sum(1) * 0.5 / 255
        np.testing.assert_allclose(p["logits"][:, 0, 0], want, rtol=1e-5)


class Hostile:
    def __reduce__(self):
        return (exec, ("open('/tmp/mst-was-here', 'w')",))


def test_what_is_no_batch(tmp_path):
    """Refused with the command that converts; nothing that a pickle names is called."""
    path, bin = tmp_path / "test_batch", model(tmp_path, 3, 32, 32, classes=10)
    good = batch()
    cases = [({**good, "labels": np.array(good["labels"])}, "pickle: 'labels': expected a list of as many labels as images"),
             ({**good, "data": good["data"].astype("u2")}, "'data': expected bytes [n,3072] in C order"),
             ({**good, "data": np.asfortranarray(good["data"])}, "'data': expected bytes [n,3072]"),
             ({**good, "data": good["data"].reshape(-1, 3, 32, 32)}, "'data': expected bytes [n,3072]"),
             ({**good, "data": good["data"][:, :3000]}, "'data': expected bytes [n,3072]"),
             ({**good, "data": good["data"][:0]}, "'data': expected bytes [n,3072]"),
             ({**good, "data": 3}, "'data': expected an array"), ({**good, "labels": good["labels"][1:]}, "as many labels as images"),
             ({**good, "labels": [0] * 5 + [-1]}, "labels from 0 on"), ({**good, "labels": [0] * 5 + [2 ** 40]}, "labels from 0 on"),
             ({**good, "labels": [0] * 5 + [1 << 70]}, "an integer of at most 64 bits"), ({**good, "labels": [0] * 5 + [0.0]}, "found 0x47"),
             ({**good, "labels": [0] * 5 + ["1"]}, "labels from 0 on"), ([good], "expected an array"),
             ({k: v for k, v in good.items() if k != "labels"}, "'labels'"), (Hostile(), "found 'builtins exec'"),
             ({**good, "more": Hostile()}, "found 'builtins exec'"), ({**good, "more": {1, 2}}, "expected an instruction")]
    for value, says in cases:
        path.write_bytes(pickle.dumps(value, 4))
        for spec in (path, "cifar10:%s" % path):
            text = refused(spec, bin=bin)
            assert says in text and "to convert what is a batch of CIFAR: python3 -c" in text
    assert not pathlib.Path("/tmp/mst-was-here").exists()
    path.write_bytes(pickle.dumps({**good, "labels": [0] * 5 + [10]}, 4))
    assert "label of sample 5: expected 0..9, found 10" in refused(path, bin=bin)
    path.write_bytes(pickle.dumps(good, 4))
    assert "label of sample" in refused(path, bin=model(tmp_path, 3, 32, 32, classes=2))
    for protocol in (2, 5):  # Python 3's protocol 2 holds bytes as calls of codecs, 5 arrays as buffers
        path.write_bytes(pickle.dumps(good, protocol))
        command = re.search(r"python3 (-c \".*\")", refused(path, bin=bin)).group(1)
        subprocess.run([sys.executable] + shlex.split(command), check=True)
        got, line = shown(tmp_path, "%s.npz" % path, 4, bin=bin)
        assert np.array_equal(got, good["data"][4].reshape(3, 32, 32).transpose(1, 2, 0)) and "label %d\n" % good["labels"][4] in line


@pytest.mark.parametrize("writer", WRITERS)
def test_damage(tmp_path, writer):
    """Cut anywhere, or a byte changed: one line of error, or pictures."""
    raw = WRITERS[writer](batch(2))
    path, bin = tmp_path / "test_batch", model(tmp_path, 3, 32, 32, classes=10)
    rng = np.random.default_rng(1)
    inside = raw.index(batch(2)["data"].tobytes())
    outside = [i for i in range(len(raw)) if not inside <= i < inside + 6144]
    for cut in [0, 1, 2, inside, inside + 9, len(raw) - 1] + rng.choice(outside, 20).tolist():
        path.write_bytes(raw[:cut])
        assert "test_batch" in refused("cifar10:%s" % path, bin=bin)
    for at in rng.choice(outside, 60):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.integers(8)]) + raw[at + 1:])
        done = tool("mstrun", bin, "cifar10:%s" % path, "--mode", "ann", "--quiet", code=None)
        assert done.returncode == 0 or "test_batch" in done.stderr
    path.write_bytes(raw + b".")
    assert "expected the end of the file" in refused("cifar10:%s" % path, bin=bin)


