"""Files for readers.py that need NumPy, Pillow or another library's packing: run by the bench's environment,
    reader_files.py FOLDER
prints what could not be made, and why, a line each: the file's name, a tab, the reason."""
import contextlib
import ctypes
import ctypes.util
import pathlib
import pickle
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "python"))
import aedat4_files  # noqa: E402
import evt_files  # noqa: E402

N = 200000  # events of a recording
PIXELS = (500, 375)
PICTURES = {"jpeg": dict(quality=90), "webp": dict(quality=80), "tiff": {}, "bmp": {}, "ppm": {}}


def pictures(folder, kind):
    """Those of folder/png once more."""
    from PIL import Image
    (folder / kind).mkdir()
    for path in (folder / "png").iterdir():
        Image.open(path).save(folder / kind / (path.stem + "." + kind), **PICTURES[kind])


def batch(rng, hundred):
    """A batch of CIFAR's Python version."""
    labels = {"fine_labels" if hundred else "labels": list(range(10)) * 3, **({"coarse_labels": list(range(10)) * 3} if hundred else {})}
    return pickle.dumps({"batch_label": "testing batch 1 of 1", "data": rng.integers(0, 256, (30, 3072), np.uint8),
                         "filenames": ["picture_s_%06d.png" % i for i in range(30)], **labels}, 4)


class Hdf5:
    """As much of libhdf5 as two layouts need; deflated, in chunks of 10,000."""
    CHUNK = ctypes.c_uint64 * 1

    def __init__(self, path):
        found = ctypes.util.find_library("hdf5_serial") or ctypes.util.find_library("hdf5")
        if found is None:
            raise RuntimeError("no libhdf5")
        self.lib = ctypes.CDLL(found)
        self.lib.H5open()
        for name in ("H5Fcreate", "H5Gcreate2", "H5Tcreate", "H5Screate_simple", "H5Pcreate", "H5Dcreate2"):
            getattr(self.lib, name).restype = ctypes.c_int64
        self.file = ctypes.c_int64(self.call("H5Fcreate", str(path).encode(), 2, self.id(0), self.id(0)))

    @staticmethod
    def id(value):
        return ctypes.c_int64(value)

    def call(self, name, *args):
        done = getattr(self.lib, name)(*args)
        if done < 0:
            raise RuntimeError(name + " failed")
        return done

    def known(self, name):
        return self.id(ctypes.c_int64.in_dll(self.lib, name + "_g").value)

    def number(self, kind):
        return self.known("H5T_NATIVE_%sINT%d" % ("U" if kind.kind == "u" else "", 8 * kind.itemsize))

    def group(self, name):
        self.call("H5Gcreate2", self.file, name.encode(), self.id(0), self.id(0), self.id(0))

    def write(self, name, a):
        kind = self.number(a.dtype) if a.dtype.fields is None else self.id(self.call("H5Tcreate", 6, ctypes.c_size_t(a.itemsize)))
        for field, (part, at) in (a.dtype.fields or {}).items():
            self.call("H5Tinsert", kind, field.encode(), ctypes.c_size_t(at), self.number(part))
        space = self.id(self.call("H5Screate_simple", 1, self.CHUNK(len(a)), None))
        how = self.id(self.call("H5Pcreate", self.known("H5P_CLS_DATASET_CREATE_ID")))
        self.call("H5Pset_chunk", how, 1, self.CHUNK(min(len(a), 10000)))
        self.call("H5Pset_deflate", how, 4)
        data = self.id(self.call("H5Dcreate2", self.file, name.encode(), kind, space, self.id(0), how, self.id(0)))
        self.call("H5Dwrite", data, kind, self.id(0), self.id(0), self.id(0), a.ctypes.data_as(ctypes.c_void_p))
        self.call("H5Dclose", data)

    def close(self):
        self.call("H5Fclose", self.file)


def records(ev, kinds):
    a = np.zeros(len(ev[0]), kinds)
    for name, column in zip("txyp", ev):
        a[name] = column
    return a


def prophesee(path, ev):
    with contextlib.closing(Hdf5(path)) as f:
        f.group("CD")
        f.write("CD/events", records(ev, [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]))


def dsec(path, ev):
    with contextlib.closing(Hdf5(path)) as f:
        f.group("events")
        for name, kind, column in zip("txyp", ("<u4", "<u2", "<u2", "|u1"), ev):
            f.write("events/" + name, column.astype(kind))


def aedat4(path, how, ev):
    if aedat4_files.pack(how, b"") is None:
        raise RuntimeError("no library of " + how)
    path.write_bytes(aedat4_files.file(how, ev, (128, 128), parts=200, other=False))


def make(folder):
    rng = np.random.default_rng(4)
    wide, small = evt_files.events(1, N, 640, 480, 1000000, 0), evt_files.events(2, N, 128, 128, 1200000, 0, rows=False)
    frames = np.zeros((16, 2, 128, 128), np.float32)
    frames[:, 0, 3:100, 5:90] = rng.integers(0, 9, (16, 97, 85))
    yield from ((kind, lambda kind=kind: pictures(folder, kind)) for kind in PICTURES)
    for name, hundred in (("c10.pickle", False), ("c100.pickle", True)):
        yield name, lambda name=name, hundred=hundred: (folder / name).write_bytes(batch(rng, hundred))
    yield "evt21.raw", lambda: (folder / "evt21.raw").write_bytes(evt_files.header("2.1", 640, 480) + evt_files.evt21(wide, more=False))
    yield "evt3.raw", lambda: (folder / "evt3.raw").write_bytes(evt_files.header("3.0", 640, 480) + evt_files.evt3(wide, more=False))
    for how in ("plain", "LZ4", "zstd"):
        yield how + ".aedat4", lambda how=how: aedat4(folder / (how + ".aedat4"), how, small)
    yield "prophesee.hdf5", lambda: prophesee(folder / "prophesee.hdf5", wide)
    yield "dsec.h5", lambda: dsec(folder / "dsec.h5", wide)
    yield "events.npy", lambda: np.save(folder / "events.npy", records(small, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")]))
    yield "gesture.npy", lambda: np.save(folder / "gesture.npy", np.stack([small[k].astype(float) for k in (1, 2, 3)] + [small[0] / 1e3 // 1], 1))
    yield "events.npz", lambda: np.savez(folder / "events.npz", **dict(zip("txyp", small)))
    yield "frames.npz", lambda: np.savez(folder / "frames.npz", frames=frames)


for made, write in make(pathlib.Path(sys.argv[1])):
    try:
        write()
    except Exception as e:  # whatever a library lacks here, the rest runs
        print("%s\t%s: %s" % (made, type(e).__name__, e))
