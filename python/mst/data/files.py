"""The files of data sets as arrays: IDX (MNIST), CIFAR-10's binary files, N-MNIST's recordings. NumPy only.

A file that is not what it should be raises ValueError, one that cannot be read OSError or EOFError.
"""
from __future__ import annotations

import gzip
import hashlib
import math
import os
import pathlib
import struct
from collections.abc import Iterable
from typing import Union

import numpy as np

Path = Union[str, "os.PathLike[str]"]
Recording = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # t in microseconds, x, y, p: int64, of one length

CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
RECORD = 1 + 3 * 32 * 32


def read_idx(path: Path) -> np.ndarray:
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


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX file of an array of unsigned bytes."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(">%dI" % array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def write_idx_gz(path: Path, array: np.ndarray) -> None:
    """Write an IDX file, compressed, the same bytes each time (no name, no date)."""
    pathlib.Path(path).write_bytes(gzip.compress(idx_bytes(array), compresslevel=9, mtime=0))


def read_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images [n, 28, 28], labels [n]) of two IDX files."""
    x, y = read_idx(images), read_idx(labels)
    if x.shape[1:] != (28, 28) or y.shape != x.shape[:1]:
        raise ValueError("%s: images of shape %s, labels of shape %s" % (images, x.shape, y.shape))
    return x, y


def read_digits(folder: Path, part: str = "t10k") -> tuple[np.ndarray, np.ndarray]:
    """(images [n, 28, 28], labels [n]) of MNIST's files in a folder, plain or .gz, of its part train or t10k."""
    found = [pathlib.Path(folder) / ("%s-%s-ubyte" % (part, name)) for name in ("images-idx3", "labels-idx1")]
    images, labels = (file if file.exists() else file.with_name(file.name + ".gz") for file in found)
    return read_pair(images, labels)


def digests(images: Iterable[np.ndarray]) -> list[bytes]:
    """The SHA-256 of each image's pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def read_cifar10(path: Path, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(pictures [n, 3, 32, 32], labels [n]) of a binary file, of its first `count` records only where given."""
    data = np.fromfile(path, np.uint8, -1 if count is None else count * RECORD)
    if data.size == 0 or data.size % RECORD:
        raise ValueError("%s: not a CIFAR-10 binary file (%d bytes, not a multiple of %d)" % (path, data.size, RECORD))
    records = data.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise ValueError("%s: a label above 9" % path)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def normalized(pictures: np.ndarray) -> np.ndarray:
    """What the networks for CIFAR-10 see of its pictures [n, 3, 32, 32] (bytes), float32."""
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in (CIFAR10_MEAN, CIFAR10_STD))
    return np.asarray((pictures.astype(np.float32) / np.float32(255) - mean) / std)


def read_bin(path: Path) -> Recording:
    """An ATIS 40-bit file as (t, x, y, p), int64; N-MNIST has no overflow records."""
    data = np.fromfile(path, np.uint8)
    if data.size == 0 or data.size % 5:
        raise ValueError("%s: %d bytes are no whole number of 5-byte events" % (path, data.size))
    b = data.reshape(-1, 5).astype(np.int64)
    return (b[:, 2] & 127) << 16 | b[:, 3] << 8 | b[:, 4], b[:, 0], b[:, 1], b[:, 2] >> 7


def write_bin(path: Path, events: Recording) -> None:
    """(t, x, y, p) as an ATIS 40-bit file."""
    t, x, y, p = (np.asarray(a, np.int64) for a in events)
    records = np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], 1)
    pathlib.Path(path).write_bytes(records.astype(np.uint8).tobytes())


def recordings(folder: Path) -> list[tuple[pathlib.Path, int]]:
    """[(path, digit)] of N-MNIST's layout FOLDER/<digit>/<nnnnn>.bin, in the order of the runtime's reader."""
    return [(path, digit) for digit in range(10) for path in sorted((pathlib.Path(folder) / str(digit)).glob("*.bin"))]
