"""DVS128 Gesture and CIFAR10-DVS in the trees that tonic leaves on disk, against NumPy and tonic where it is installed."""
import importlib.util
import struct

import numpy as np
import pytest

import evt_files
from built import ROOT, tool
from test_events import _kit, read, same  # noqa: F401  (a fixture)

FIXTURES = ROOT / "tests" / "fixtures" / "events"


def some(seed, n=500):
    return evt_files.events(seed, n, 128, 128, 4000, 0, rows=False)


def save(path, ev, kind="<f8"):
    t, x, y, p = ev
    np.save(path, np.stack([x, y, p, t], 1).astype(kind))
    return path


@pytest.mark.parametrize("kind", ["<f8", "<f4", ">f8", "<i4", "<i8", "|u1"])
@pytest.mark.parametrize("fortran", [False, True])
def test_events(kit, tmp_path, kind, fortran):
    t, *xyp = some(1, 20000)
    t = t % 256 if kind == "|u1" else t
    save(tmp_path / "3.npy", (t, *xyp), kind)
    if fortran:
        np.save(tmp_path / "3.npy", np.asfortranarray(np.load(tmp_path / "3.npy")))
    same(read(kit, "tonicgesture", tmp_path / "3.npy"), (1000 * t, *xyp))


def test_as_tonic_reads_them(kit, tmp_path):
    if importlib.util.find_spec("tonic") is None:
        pytest.skip("tonic is not installed")
    from tonic.datasets import DVSGesture
    tree(tmp_path / "DVSGesture")
    source = DVSGesture.__new__(DVSGesture)
    source.transform = source.target_transform = source.transforms = None
    source.data, source.targets = [str(tmp_path / "DVSGesture/ibmGestureTest/user24_led/10.npy")], [10]
    events, label = source[0]
    assert label == 10
    same(read(kit, "tonicgesture", source.data[0]), [events[k].astype(np.int64) for k in "txyp"])


def tree(folder):
    for u, user in enumerate(("user24_fluorescent", "user24_led", "user25_lab")):
        (folder / "ibmGestureTest" / user).mkdir(parents=True)
        for label in (0, 1, 2, 10):
            save(folder / "ibmGestureTest" / user / ("%d.npy" % label), some(10 * u + label))
    return folder


@pytest.mark.parametrize("profile", ["-", "tonicgesture"])
def test_tree(kit, tmp_path, profile):
    """The names are the labels, in every folder of a user."""
    folder = tree(tmp_path / "DVSGesture")
    for path in (folder, folder / "ibmGestureTest"):
        lines = kit("list", profile, path).stdout.decode().splitlines()
        assert lines[0] == "tonicgesture" and lines[-1] == "11 classes"
        assert [int(line.split()[0]) for line in lines[1:-1]] == 3 * [0, 1, 10, 2]
    one = kit("list", "tonicgesture", folder / "ibmGestureTest" / "user25_lab").stdout.decode().splitlines()
    assert [line.split()[0] for line in one[1:-1]] == ["0", "1", "10", "2"]


def test_refused(kit, tmp_path):
    from test_errors import model, refused
    folder, bin = tree(tmp_path / "set"), model(tmp_path, 4, 10)
    line = refused(bin, folder)
    assert "user24_fluorescent/10.npy: label: expected 0..9 as the model has classes, found 10" in line
    assert tool("mstrun", model(tmp_path, 4, 11), folder, "-T", 1, "-q").returncode == 0
    for name in ("a.npy", "-1.npy", "1x.npy", "1.npy.npy"):
        save(folder / "ibmGestureTest/user25_lab" / name, some(1))
        assert "expected a label for its name (0.npy), found '%s'" % name in refused(bin, folder)
        (folder / "ibmGestureTest/user25_lab" / name).unlink()
    bad = np.zeros((4, 4))
    for column, value, says in ((3, 0.5, "event 2: t: expected an integer of 0..2305843009213693, found 0.5"), (3, -1, "event 2: t: expected"),
                                (3, 1e300, "event 2: t: expected"), (0, 128, "event 2: x: expected 0..127"), (2, 2, "event 2: p: expected")):
        a = bad.copy()
        a[2, column] = value
        np.save(tmp_path / "0.npy", a)
        done = kit("events", "tonicgesture", tmp_path / "0.npy", check=False)
        assert done.returncode == 1 and says in done.stderr.decode(), done.stderr
    for a in (np.zeros((4, 3)), np.zeros(4), np.zeros((4, 4), bool), np.zeros(4, [("t", "<i8")])):
        np.save(tmp_path / "0.npy", a)
        done = kit("events", "tonicgesture", tmp_path / "0.npy", check=False)
        assert done.returncode == 1 and "expected numbers [N,4] of x, y, p, t, found" in done.stderr.decode()


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_cifar10dvs_as_tonic_has_it(kit, tmp_path):
    """Class folders of AEDAT 4."""
    for name in CIFAR10:
        (tmp_path / "CIFAR10DVS" / name).mkdir(parents=True)
        (tmp_path / "CIFAR10DVS" / name / ("cifar10_%s_0.aedat4" % name)).write_bytes((FIXTURES / "dv.aedat4").read_bytes())
    lines = kit("list", "-", tmp_path / "CIFAR10DVS").stdout.decode().splitlines()
    assert lines[0] == "aedat4" and lines[-10:] == list(CIFAR10) and [int(line.split()[0]) for line in lines[1:11]] == list(range(10))


def test_cifar10dvs_as_spikingjelly_has_it(kit, tmp_path):
    """Classes of .npz, and the split of CIFAR10DVSTEBNSplit, which links to them from folders beside."""
    for name in CIFAR10:
        (tmp_path / "raw" / name).mkdir(parents=True)
        for i in range(3):
            np.savez(tmp_path / "raw" / name / ("cifar10_%s_%d.npz" % (name, i)), **dict(zip("txyp", some(i, 50))))
    lines = kit("list", "-", tmp_path / "raw").stdout.decode().splitlines()
    assert lines[0] == "npzevents" and lines[-10:] == list(CIFAR10) and [int(line.split()[0]) for line in lines[1:31]] == [k // 3 for k in range(30)]
    for part, samples in (("test", (0,)), ("train", (1, 2))):
        for name in CIFAR10:
            (tmp_path / "raw" / part / name).mkdir(parents=True)
            for i in samples:
                file = "cifar10_%s_%d.npz" % (name, i)
                (tmp_path / "raw" / part / name / file).symlink_to(tmp_path / "raw" / name / file)
    lines = kit("list", "-", tmp_path / "raw").stdout.decode().splitlines()
    assert lines[0] == "npzevents" and lines[-10:] == list(CIFAR10) and len(lines) == 1 + 10 + 1 + 10
    same(read(kit, "npzevents", tmp_path / "raw/test/frog/cifar10_frog_0.npz"), [np.asarray(v, np.int64) for v in some(0, 50)])


def test_matrices_of_cifar10dvs_are_refused(kit, tmp_path):
    """As dat2mat.m and MATLAB's save leave them."""
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)
    a = np.arange(60, dtype="<f8").reshape(10, 6)
    body = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", *a.shape)) + element(1, b"out1") + element(9, a.T.tobytes())
    path = tmp_path / "0.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4d49) + element(14, body))
    done = kit("events", "-", path, check=False)
    assert done.returncode == 1 and done.stderr.decode().rstrip().endswith(
        "0.mat: a matrix 'out1' as dat2mat.m makes it of CIFAR10-DVS, which is not read: take the .aedat that it was made of"), done.stderr


def test_fixture(kit):
    a = np.load(FIXTURES / "7.npy")
    same(read(kit, "tonicgesture", FIXTURES / "7.npy"), (1000 * a[:, 3], a[:, 0], a[:, 1], a[:, 2]))
