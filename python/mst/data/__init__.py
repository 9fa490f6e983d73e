"""Data sets as the tools read them: IDX, CIFAR, npy and npz, folders of images, event recordings.

    for image, label in mst.data.open("cifar10:test_batch.bin"):
        ...

In NumPy alone, to be imported by their names: mst.data.files (files as arrays), mst.data.events (frames, a simulated camera).
"""
from __future__ import annotations

import ctypes as c
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _lib
from .._lib import check
from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..model import Model

MAX_NAME = 4096


class Dataset:
    """Samples of a data set, read when they are asked for. A sequence of pairs (array, label).

    The array is float32 [C, H, W]; without a model bytes are x/255 and each sample has its own size, with one it is
    what that model's input takes: fitted, (x/255 - mean)/std. The label is -1 where it is not known.
    """

    def __init__(self, spec: str, model: Model | None = None) -> None:
        lib, self._handle = _lib.data(), c.c_void_p()
        self._lib, self.spec = lib, str(spec)
        name = _lib.path_bytes(self.spec)
        if model is None:
            check(lib.data_open_as_is, name, c.byref(self._handle))
        else:
            check(lib.data_open_for, name, model._graph.handle, c.byref(self._handle))
        weakref.finalize(self, lib.data_close, self._handle)
        self._model = model
        self.format: str = lib.data_format(self._handle).decode()
        self._count: int = lib.data_count(self._handle)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return "<mst.data.Dataset %s: %d samples of format %s>" % (self.spec, len(self), self.format)

    def _index(self, i: int) -> int:
        i = int(i)
        if not -len(self) <= i < len(self):
            raise IndexError("sample %d of %d" % (i, len(self)))
        return i % len(self)

    def shape(self, i: int = 0) -> tuple[int, int, int]:
        """[C, H, W] of sample i."""
        dims = (c.c_uint32 * 3)()
        check(self._lib.data_shape, self._handle, self._index(i), dims)
        return (dims[0], dims[1], dims[2])

    def label(self, i: int) -> int:
        """Label of sample i, -1 where it has none; the sample is not read."""
        out = c.c_int()
        check(self._lib.data_label, self._handle, self._index(i), c.byref(out))
        return out.value

    @property
    def labels(self) -> np.ndarray:
        """Labels of all samples, int64 [n]."""
        return np.array([self.label(i) for i in range(len(self))], np.int64)

    def name(self, i: int) -> str:
        """The path of a file of its own, otherwise "sample I"."""
        out = c.create_string_buffer(MAX_NAME)
        self._lib.data_name(self._handle, self._index(i), out, MAX_NAME)
        return out.value.decode(errors="replace")

    def read(self, i: int, out: np.ndarray) -> int:
        """Read sample i into a contiguous float32 array of as many values as `shape(i)` says; its label."""
        if out.dtype != np.float32 or not out.flags.c_contiguous or out.size != np.prod(self.shape(i)):
            raise ArgumentError("out: expected contiguous float32 of %s values, found %s of shape %s" % (
                np.prod(self.shape(i)), out.dtype, out.shape))
        return self._read(i, out.ctypes.data)

    def _read(self, i: int, at: int) -> int:
        label = c.c_int()
        check(self._lib.data_get, self._handle, i, at, c.byref(label))
        return label.value

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        out = np.empty(self.shape(i), np.float32)
        return out, self._read(self._index(i), out.ctypes.data)

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        for i in range(len(self)):
            yield self[i]


def open(spec: str, model: Model | None = None) -> Dataset:  # noqa: A001 - mst.data.open
    """The data set of a SPEC as the tools take it: FORMAT:PATH[,LABELS], or a path that is recognized.

    model: whose input the samples are to fit; None: as they are on disk. Error where there is no such file, its format
    is not known, or it does not fit the model.
    """
    return Dataset(spec, model)


def arrays(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """(samples float32 [n, C, H, W], labels int64 [n]) of a data set whose samples have one size."""
    out, labels = np.empty((len(dataset), *dataset.shape(0)), np.float32), np.empty(len(dataset), np.int64)
    for i in range(len(dataset)):
        labels[i] = dataset.read(i, out[i])
    return out, labels
