"""The files of data sets: IDX (MNIST), CIFAR-10's binary files, N-MNIST's recordings. NumPy only.

A file that is not what it should be raises ValueError, one that cannot be read OSError or EOFError.
"""
import gzip
import hashlib
import math
import pathlib
import struct

import numpy as np

BUNDLED = pathlib.Path(__file__).resolve().parents[1] / "data"
TEST_IMAGES = BUNDLED / "digits-test-images.idx3-ubyte.gz"
TEST_LABELS = BUNDLED / "digits-test-labels.idx1-ubyte.gz"
CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
# What a model's metadata says of its data (export.describe). Event frames are not normalized.
DESCRIPTION = {
    "cifar10": {"mean": CIFAR10_MEAN, "std": CIFAR10_STD, "classes": CIFAR10_CLASSES},
    "digits": {"mean": (0.1307,), "std": (0.3081,), "classes": "0123456789"},
    "moving": {"classes": CIFAR10_CLASSES},
    "nmnist": {"classes": "0123456789"},
}
RECORD = 1 + 3 * 32 * 32


def read_idx(path):
    """An IDX file of unsigned bytes, plain or gzip, as an array of its own shape."""
    data = pathlib.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ValueError("%s: not an IDX file of unsigned bytes" % path)
    shape = struct.unpack(">%dI" % data[3], data[4:4 + 4 * data[3]])
    if len(data) != 4 + 4 * data[3] + math.prod(shape):
        raise ValueError("%s: %d bytes, not those of the shape %s" % (path, len(data), shape))
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def idx_bytes(array):
    """The IDX file of an array of unsigned bytes."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(">%dI" % array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def write_idx_gz(path, array):
    """Write an IDX file, compressed, the same bytes each time (no name, no date)."""
    pathlib.Path(path).write_bytes(gzip.compress(idx_bytes(array), compresslevel=9, mtime=0))


def read_digits(folder, part="t10k"):
    """(images [n, 28, 28], labels [n]) of MNIST's files in a folder, of its part train or t10k; of a folder
    like the bundled one the digits-test files."""
    names = ["%s-%s-idx%d-ubyte" % (part, kind, dims) for kind, dims in (("images", 3), ("labels", 1))]
    if part == "t10k" and (pathlib.Path(folder) / TEST_IMAGES.name).exists():
        names = [TEST_IMAGES.name, TEST_LABELS.name]
    files = [pathlib.Path(folder) / name for name in names]
    images, labels = [read_idx(f if f.exists() else f.with_name(f.name + ".gz")) for f in files]
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise ValueError("%s: images of shape %s, labels of shape %s" % (folder, images.shape, labels.shape))
    return images, labels


def digests(images):
    """The SHA-256 of each image's pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def not_bundled(images):
    """[n] whether an image is none of the bundled test set."""
    bundled = set(digests(read_idx(TEST_IMAGES)))
    return np.array([d not in bundled for d in digests(images)], bool)


def read_cifar10(path, count=None):
    """(pictures [n, 3, 32, 32], labels [n]) of a binary file, of its first `count` records only where given."""
    data = np.fromfile(path, np.uint8, -1 if count is None else count * RECORD)
    if data.size == 0 or data.size % RECORD:
        raise ValueError("%s: not a CIFAR-10 binary file (%d bytes, not a multiple of %d)" % (path, data.size, RECORD))
    records = data.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise ValueError("%s: a label above 9" % path)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def normalized(pictures):
    """What the networks for CIFAR-10 see of its pictures."""
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in (CIFAR10_MEAN, CIFAR10_STD))
    return (pictures.astype(np.float32) / np.float32(255) - mean) / std


def read_bin(path):
    """An ATIS 40-bit file as (t, x, y, p), int64; N-MNIST has no overflow records."""
    data = np.fromfile(path, np.uint8)
    if data.size == 0 or data.size % 5:
        raise ValueError("%s: %d bytes are no whole number of 5-byte events" % (path, data.size))
    b = data.reshape(-1, 5).astype(np.int64)
    return (b[:, 2] & 127) << 16 | b[:, 3] << 8 | b[:, 4], b[:, 0], b[:, 1], b[:, 2] >> 7


def write_bin(path, events):
    """(t, x, y, p) as an ATIS 40-bit file."""
    t, x, y, p = (np.asarray(a, np.int64) for a in events)
    records = np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], 1)
    pathlib.Path(path).write_bytes(records.astype(np.uint8).tobytes())


def recordings(folder):
    """[(path, digit)] of N-MNIST's layout FOLDER/<digit>/<nnnnn>.bin, in the order of the runtime's reader."""
    return [(path, digit) for digit in range(10) for path in sorted((pathlib.Path(folder) / str(digit)).glob("*.bin"))]
