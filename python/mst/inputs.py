"""What Model.run is given, sample by sample, as the library takes it: float32 in the model's input shape. Arrays of
that type and layout are lent to the library as they are."""
from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .data import Dataset
from .errors import ArgumentError, Error, Warning

if TYPE_CHECKING:
    from .model import Model

LOOKED_AT = 8   # samples
BRIGHT = 32.0   # above it a float is hardly a normalized value
NEAR = 1e-3


class Buffer:
    """Memory for a sample. The address is kept: to ask an array for it takes longer than to hand a sample over."""

    def __init__(self, size: int) -> None:
        self.values = np.empty(size, np.float32)
        self.at = int(self.values.ctypes.data)


class Source(Protocol):
    """n samples. get: where sample i lies (an address that stays good until `buffer` is used again) and its label."""
    count: int

    def get(self, i: int, buffer: Buffer) -> tuple[int, int]: ...


class DataSource:
    """Samples of a data set that was opened for the model."""

    def __init__(self, dataset: Dataset) -> None:
        self.count, self.dataset = len(dataset), dataset

    def get(self, i: int, buffer: Buffer) -> tuple[int, int]:
        return buffer.at, self.dataset._read(i, buffer.at)


def byte_table(model: Model) -> np.ndarray:
    """[C, 256]: (x/255 - mean)/std of each byte, each of the three operations rounded to float32."""
    x = np.arange(256, dtype=np.float32) / np.float32(255)
    return np.asarray((x[None, :] - model.mean[:, None]) / model.std[:, None])


class ArraySource:
    """Samples of an array [n, ...]; labels [n] or None."""

    def __init__(self, model: Model, x: Any, labels: Any) -> None:
        x = np.asarray(x)
        self.x, self.last = fit(model, x)
        self.count, self.table = len(self.x), None
        if x.dtype == np.uint8:
            if not model.normalized:
                warnings.warn("bytes enter as x/255: the model has no mean and std", Warning, stacklevel=4)
            self.table = byte_table(model)
        elif x.dtype.kind not in "fiub":
            raise ArgumentError("x: expected numbers, found %s" % x.dtype)
        elif model.frames == 1 and (found := raw_range(model, self.x[:LOOKED_AT])):
            warnings.warn("x: values from %g to %g: floats enter as they are, as the model was trained with them; pixels "
                          "are to be of type uint8" % found, Warning, stacklevel=4)
        self.lent = (self.table is None and not self.last and self.x.dtype == np.float32
                     and self.x.dtype.isnative and self.x[:1].flags.c_contiguous)
        self.at = int(self.x.ctypes.data)
        self.labels = None if labels is None else check_labels(labels, self.count)

    def get(self, i: int, buffer: Buffer) -> tuple[int, int]:
        label = -1 if self.labels is None else int(self.labels[i])
        if self.lent:
            return self.at + i * self.x.strides[0], label
        x = np.moveaxis(self.x[i], -1, -3) if self.last else self.x[i]
        to = buffer.values.reshape(x.shape)
        if self.table is None:
            to[...] = x
        else:
            for channel, values in enumerate(self.table):
                np.take(values, x[..., channel, :, :], out=to[..., channel, :, :], mode="clip")
        return buffer.at, label


def raw_range(model: Model, x: np.ndarray) -> tuple[float, float] | None:
    """Least and largest value where they look as if nobody had normalized x, or otherwise than the model says: as mstrun
    judges arrays."""
    if x.size == 0:
        return None
    low, high = float(x.min()), float(x.max())
    if not model.normalized:
        raw = low >= 0 and BRIGHT < high <= 255 and bool((x == np.floor(x)).all())
        return (low, high) if raw else None
    least, most = float(((0 - model.mean) / model.std).min()), float(((1 - model.mean) / model.std).max())
    width = most - least
    outside = low < least - width or high > most + width
    unit = 0 <= low < high <= 1 and least < 0 and most > 1
    signs = max(abs(low + 1), abs(high - 1)) < NEAR <= max(abs(least + 1), abs(most - 1))
    return (low, high) if outside or unit or signs else None


def check_labels(labels: Any, count: int) -> np.ndarray:
    out = np.asarray(labels)
    if out.shape != (count,) or out.dtype.kind not in "iu":
        raise ArgumentError("labels: expected %d whole numbers, found %s of shape %s" % (count, out.dtype, out.shape))
    return out


def fit(model: Model, x: np.ndarray) -> tuple[np.ndarray, bool]:
    """x as [n, sample's dimensions], and whether channels are last in it."""
    shape, frames = model.input_shape, model.frames
    rank = len(shape)
    samples = [shape] if frames == 1 else [(frames, *shape), (frames * shape[0], *shape[1:])]
    bytes_fit = rank == 3
    lasts = [(*shape[1:], shape[0])] if bytes_fit and frames == 1 else []
    if bytes_fit and shape[0] == 1 and frames == 1:
        if x.shape[1:] == shape[1:] and x.ndim == 3 and x.shape != shape:
            return x[:, None], False
        if x.shape == shape[1:]:
            return x[None, None], False
    for last, known in ((False, samples), (True, lasts)):
        for sample in known:
            if x.shape[1:] == sample:
                return reframe(x, shape, frames, last), last
            if x.shape == sample:
                return reframe(x[None], shape, frames, last), last
    raise ArgumentError("x: expected an array [n, %s], as the model's input is, found one of shape %s" % (
        ", ".join(map(str, samples[0])), list(x.shape)))


def reframe(x: np.ndarray, shape: tuple[int, ...], frames: int, last: bool) -> np.ndarray:
    return x if frames == 1 or last or x.shape[1:] == (frames, *shape) else x.reshape(len(x), frames, *shape)


def check_finite(x: np.ndarray, sample: int) -> None:
    """A number that is none would spread into everything."""
    if not np.isfinite(x).all():
        bad = np.argwhere(~np.isfinite(x))[0]
        raise Error("sample %d: x[%s] is %s" % (sample, ", ".join(map(str, bad)), x[tuple(bad)]), "EINVAL")


def of(model: Model, x: Any, labels: Any) -> ArraySource | DataSource:
    """What x says: a SPEC of a data set, one that was opened, or an array."""
    if isinstance(x, (str, Dataset)):
        if labels is not None:
            raise ArgumentError("labels: a data set has its own")
        if isinstance(x, str):
            return DataSource(Dataset(x, model))
        if x.shape(0) != (model.input_shape[0] * model.frames, *model.input_shape[1:]) or x._model is not model:
            raise ArgumentError("x: a data set opened for another model, or for none: mst.data.open(SPEC, model)")
        return DataSource(x)
    return ArraySource(model, x, labels)
