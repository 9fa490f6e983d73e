"""Handwritten digits in the IDX layout of MNIST, plain or gzip."""
import gzip
import hashlib
import pathlib
import struct

import numpy as np
import torch

MEAN, STD = 0.1307, 0.3081
BUNDLED = pathlib.Path(__file__).resolve().parents[1] / "data"
TEST_IMAGES = BUNDLED / "digits-test-images.idx3-ubyte.gz"
TEST_LABELS = BUNDLED / "digits-test-labels.idx1-ubyte.gz"


def read_idx(path):
    """An IDX file of unsigned bytes as an array of its own shape."""
    data = pathlib.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    zero, kind, dims = struct.unpack(">HBB", data[:4])
    if zero != 0 or kind != 8:
        raise ValueError("%s: not an IDX file of unsigned bytes" % path)
    shape = struct.unpack(">%dI" % dims, data[4:4 + 4 * dims])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)


def idx_bytes(array):
    """The IDX file of an array of unsigned bytes."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(">%dI" % array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def write_idx_gz(path, array):
    """Write an IDX file, compressed, the same bytes each time (no name, no date)."""
    pathlib.Path(path).write_bytes(gzip.compress(idx_bytes(array), compresslevel=9, mtime=0))


def digests(images):
    """The SHA-256 of each image's pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def normalize(images):
    """[B, 28, 28] bytes -> [B, 1, 28, 28] floats with the data set's mean and deviation."""
    x = torch.from_numpy(images.astype(np.float32)).unsqueeze(1)
    return (x / 255.0 - MEAN) / STD


def load_test(images=TEST_IMAGES, labels=TEST_LABELS):
    """(x [B, 1, 28, 28], y [B]) of a test set; the bundled one by default."""
    return normalize(read_idx(images)), torch.from_numpy(read_idx(labels).astype(np.int64))


def shift(x, generator, reach=2, background=float(-MEAN / STD)):
    """Shift each image of [B, C, S, S] by up to `reach` pixels; the border is background."""
    padded = torch.nn.functional.pad(x, [reach] * 4, value=background)
    size, batch = x.shape[-1], len(x)
    move = torch.randint(0, 2 * reach + 1, (2, batch, 1), generator=generator) + torch.arange(size)
    rows, columns = move[0], move[1]
    picked = padded[torch.arange(batch)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).contiguous()
