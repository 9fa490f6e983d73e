"""HDF5 recordings as Prophesee and DSEC lay them out, by h5py, whose libhdf5 is another than the tools'."""
import h5py
import numpy as np

RECORD = [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]
TYPES = {"t": "<u4", "x": "<u2", "y": "<u2", "p": "|u1"}
OLD = ("earliest", "v110")  # what libhdf5 1.10 reads
PACKED = dict(chunks=(1000,), compression="gzip", shuffle=True)


def fitted(how, n):
    """No chunk is larger than what is in it."""
    return dict(how, chunks=(min(how["chunks"][0], n),)) if "chunks" in how else how


def records(ev, types=RECORD):
    a = np.zeros(ev[0].size, types)
    for k, column in zip("txyp", ev):
        a[k] = column
    return a


def prophesee(path, ev, size="640x480", types=RECORD, libver="earliest", **how):
    with h5py.File(path, "w", libver=libver) as f:
        if size is not None:
            f.attrs["geometry"] = size
        f.create_dataset("CD/events", data=records(ev, types), **fitted(how, ev[0].size))
        f.create_dataset("CD/indexes", data=np.zeros(3, [("id", "<u8"), ("ts", "<i8")]))
    return path


def dsec(path, ev, offset=None, types=None, libver="earliest", **how):
    with h5py.File(path, "w", libver=libver) as f:
        for k, column in zip("txyp", ev):
            f.create_dataset("events/" + k, data=column.astype((types or TYPES)[k]), **fitted(how, ev[0].size))
        f["ms_to_idx"] = np.searchsorted(ev[0], np.arange(0, ev[0][-1] + 1, 1000)).astype("<u8")
        if offset is not None:
            f["t_offset"] = np.int64(offset)
    return path


def read(path):
    """What NumPy makes of either layout: t, x, y, p as int64."""
    with h5py.File(path) as f:
        if "CD" in f:
            a = f["CD/events"][:]
            return tuple(a[k].astype(np.int64) for k in "txyp")
        columns = [f["events/" + k][:].astype(np.int64) for k in "txyp"]
        columns[0] += f["t_offset"][()] if "t_offset" in f else 0
        return tuple(columns)
