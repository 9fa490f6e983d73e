"""One clear line for every data set that cannot be used, whatever the format: a missing file, a cut one, an
empty one, a wrong magic, a folder without samples, labels beyond the model's classes, a wrong size."""
import gzip
import io
import struct
import sys
import zipfile

import numpy as np
import pytest

from built import ROOT, listed, tool

sys.path.insert(0, str(ROOT / "tests" / "golden"))
import make_snn  # noqa: E402

EVENTS = ROOT / "tests" / "fixtures" / "events"
N = 4


def npy(a):
    out = io.BytesIO()
    np.save(out, a)
    return out.getvalue()


def npz():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("x.npy", npy(np.zeros((N, 3, 32, 32), np.float32)))
        z.writestr("y.npy", npy(np.arange(N)))
    return out.getvalue()


def picture(kind):
    image = pytest.importorskip("PIL.Image").fromarray(np.arange(3072, dtype=np.uint8).reshape(32, 32, 3))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


IDX = struct.pack(">IIII", 0x803, N, 32, 32) + bytes(N * 1024)
CIFAR = bytes(N * 3073)
# format: (file, bytes or fixture, channels of a model for it, what a file with another magic is told)
STATIC = {
    "idx": ("a.idx", lambda: IDX, 1, "offset 0: magic of IDX images: expected 0x00000803, found 0x58595a57"),
    "idx.gz": ("a.gz", lambda: gzip.compress(IDX), 1, "offset 0: magic of IDX images"),
    "cifar10": ("a.bin", lambda: CIFAR, 3, "offset 0: label of sample 0: expected 0..9, found 88"),
    "cifar100": ("a.bin", lambda: bytes(N * 3074), 3, "offset 0: label of sample 0: expected 0..19, found 88"),
    "npy": ("a.npy", lambda: npy(np.zeros((N, 3, 32, 32), np.float32)), 3, "offset 0"),
    "npz": ("a.npz", npz, 3, None),  # a zip is found from its end
    "image.png": ("a.png", lambda: picture("PNG"), 3, "offset 0"),
    "image.jpg": ("a.jpg", lambda: picture("JPEG"), 3, "offset 0"),
}
RECORDED = {
    "nmnist": ("nmnist.bin", "event 0: x: expected 0..33 (sensor 34x34), found 88"),
    "ncaltech101": ("ncaltech101.bin", None),  # five bytes are always an event of 240x180, but for x or y of 240 and more
    "cifar10dvs": ("dvs128.aedat", "offset 0: expected '#!AER-DAT2.0', found"),
    "aedat2": ("dvs128.aedat", "offset 0: expected '#!AER-DAT2.0', found"),
    "dvsaction": ("davis346.aedat", "offset 0: expected '#!AER-DAT2.0', found"),
    "dvsgesture": ("gesture.aedat", "offset 0: expected '#!AER-DAT3.1', found"),
    "ncars": ("ncars.dat", "offset 0: expected a header line '% ...', found"),
    "dat": ("cd.dat", "offset 0: expected a header line '% ...', found"),
    "evt2": ("evt2.raw", "offset 0: expected a header line '% ...', found"),
    "evt21": ("evt21.raw", "offset 0: expected a header line '% ...', found"),
    "evt3": ("evt3.raw", "offset 0: expected a header line '% ...', found"),
    "aedat4": ("dv.aedat4", "offset 0: expected '#!AER-DAT4.0', found"),
    "hdf5": ("cd.hdf5", "offset 0: expected the mark of HDF5 (89 48 44 46), found"),
    "dsec": ("dsec.h5", "offset 0: expected the mark of HDF5 (89 48 44 46), found"),
    "tonicgesture": ("7.npy", "offset 0: expected the magic of an npy file"),
    "npyevents": ("tonic.npy", "offset 0: expected the magic of an npy file"),
    "npzevents": ("sj.npz", None),
    "npzframes": ("frames.npz", None),
    "asldvs": ("asl.mat", "offset 0: expected 'MATLAB 5.0 MAT-file', found"),
}
UNSIZED = ("npyevents", "npzevents")  # files that do not tell the sensor's size
ALL = [(name.split(".")[0], *case) for name, case in sorted(STATIC.items())] + [
    (name, file, (EVENTS / file).read_bytes, 4, says) for name, (file, says) in sorted(RECORDED.items())]
IDS = [case[0] + "-" + case[1] for case in ALL]


def test_every_format_has_a_case():
    assert {case[0] for case in ALL} == {row[0] for row in listed("mstrun", "formats")}


def model(folder, channels, classes=2, side=32):
    path = folder / "m.bin"
    path.write_bytes(make_snn.mean_model(channels, side, side, classes, (0, 0, 0, 2, 0, 0, 0)).bytes())
    return path


def refused(bin, spec):
    done = tool("mstrun", bin, spec, "-T", 1, "--json", bin.parent / "out.json", code=None)
    # its network is an analog one, of which mstrun warns
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("mstrun: warning: no layer")]
    assert done.returncode == 1 and len(lines) == 1 and lines[0].startswith("mstrun: error: "), done.stderr
    assert not done.stdout and not (bin.parent / "out.json").exists()
    return lines[0]


@pytest.mark.parametrize("kind, name, make, channels, says", ALL, ids=IDS)
def test_damage(tmp_path, kind, name, make, channels, says):
    bin, data, path = model(tmp_path, channels, 10), make(), tmp_path / name
    spec = "%s:%s%s" % (kind, path, ",40x60" if kind in UNSIZED else "")
    assert str(path) in refused(bin, spec)  # there is no such file
    path.write_bytes(data)
    assert tool("mstrun", bin, spec, "-T", 1, "--quiet").returncode == 0
    path.write_bytes(data[:-3])
    line = refused(bin, spec)
    assert str(path) in line and ("expected" in line or "cut" in line or "offset" in line), line
    path.write_bytes(b"")
    assert str(path) in refused(bin, spec)
    path.write_bytes(b"XYZW" + data[4:])
    if says is not None:
        line = refused(bin, spec)
        assert str(path) in line and says in line, line
    path.unlink()
    path.mkdir()
    line = refused(bin, spec)
    assert str(path) in line and ("expected" in line or "found none" in line), line


@pytest.mark.parametrize("kind, name, make, channels, says", [c for c in ALL if c[0] != "dvsgesture"], ids=[
    i for i in IDS if not i.startswith("dvsgesture")])
def test_labels_beyond_the_classes(tmp_path, kind, name, make, channels, says):
    bin = model(tmp_path, channels)
    path = tmp_path / name
    if kind in RECORDED or kind == "image":
        for c in "abc":
            (tmp_path / "set" / c).mkdir(parents=True)
            (tmp_path / "set" / c / name).write_bytes(make())
        line = refused(bin, "%s:%s" % (kind, tmp_path / "set"))
        line = line.replace(str(tmp_path), "")  # its digits are no answer
        if kind == "tonicgesture":  # a label is the file's name
            assert line.endswith("label: expected 0..1 as the model has classes, found 7"), line
        else:
            assert "2" in line and "3" in line and ("class" in line or "label" in line), line
        return
    data, spec = make(), "%s:%s" % (kind, path)
    if kind.startswith("cifar"):
        data = data[:-3073] + b"\7" + data[-3072:]
    path.write_bytes(data)
    if kind == "idx":
        (tmp_path / "y").write_bytes(struct.pack(">II", 0x801, N) + b"\1\0\1\7")
        spec += ",%s" % (tmp_path / "y")
    elif kind == "npy":
        np.save(tmp_path / "y.npy", np.array([0, 1, 0, 7]))
        spec += ",%s" % (tmp_path / "y.npy")
    line = refused(bin, spec)
    assert "label of sample" in line and "expected 0..1" in line and "offset" in line, line


@pytest.mark.parametrize("kind, name, make, channels, says", [c for c in ALL if c[0] not in RECORDED],
                         ids=[i for i in IDS if i.split("-")[0] not in RECORDED])
def test_wrong_size(tmp_path, kind, name, make, channels, says):
    bin = model(tmp_path, channels, side=31, classes=10)
    (tmp_path / name).write_bytes(make())
    line = refused(bin, "%s:%s" % (kind, tmp_path / name))
    assert "32" in line and "31" in line and "expected" in line and "found" in line, line


def test_gesture_beyond_the_classes(tmp_path):
    line = refused(model(tmp_path, 4), EVENTS / "gesture.aedat")
    assert "gesture_labels.csv: line 3: class: expected 1..2 as the model has, found 11" in line
