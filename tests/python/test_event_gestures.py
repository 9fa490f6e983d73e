"""DVS128 Gesture and CIFAR10-DVS in the trees that tonic leaves on disk, against NumPy and tonic where it is installed."""
import importlib.util

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


def test_cifar10dvs_as_tonic_has_it(kit, tmp_path):
    """Class folders of AEDAT 4."""
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    for name in names:
        (tmp_path / "CIFAR10DVS" / name).mkdir(parents=True)
        (tmp_path / "CIFAR10DVS" / name / ("cifar10_%s_0.aedat4" % name)).write_bytes((FIXTURES / "dv.aedat4").read_bytes())
    lines = kit("list", "-", tmp_path / "CIFAR10DVS").stdout.decode().splitlines()
    assert lines[0] == "aedat4" and lines[-10:] == list(names) and [int(line.split()[0]) for line in lines[1:11]] == list(range(10))


def test_fixture(kit):
    a = np.load(FIXTURES / "7.npy")
    same(read(kit, "tonicgesture", FIXTURES / "7.npy"), (1000 * a[:, 3], a[:, 0], a[:, 1], a[:, 2]))
