"""Event recordings and their frames against spikingjelly, tonic, expelliarmus and
torch: on small generated files with what the libraries read from them stored
beside (tests/fixtures/events), and, where MST_SHARED_DATA names a folder with
events/ and nmnist/ in it and the libraries are installed, on real recordings."""
import importlib.util
import os
import pathlib

import numpy as np
import pytest

import event_oracles as oracle
from built import ROOT, tool

FIXTURES = ROOT / "tests" / "fixtures" / "events"
RECORD = np.dtype([("t", "<i8"), ("x", "<i4"), ("y", "<i4"), ("p", "<i4"), ("zero", "<i4")])
PROFILES = {
    "dvs128.aedat": "cifar10dvs", "dvs128-lf.aedat": "cifar10dvs", "dvs128-wrap.aedat": "cifar10dvs",
    "davis346.aedat": "dvsaction", "nmnist.bin": "nmnist", "ncaltech101.bin": "ncaltech101",
    "ncars.dat": "ncars", "cd.dat": "dat", "evt2.raw": "evt2", "evt2-end.raw": "evt2",
    "gesture.aedat": "dvsgesture", "asl.mat": "asldvs", "asl-zip.mat": "asldvs",
    "tonic.npy": "npyevents", "mixed.npy": "npyevents", "sj.npz": "npzevents", "sj-zip.npz": "npzevents",
}


@pytest.fixture(scope="session", name="kit")
def _kit():
    return lambda *args, check=True: tool("tests/tools/eventkit", *args, code=0 if check else None, text=False)


def read(kit, profile, path):
    got = np.frombuffer(kit("events", profile, path).stdout, RECORD)
    return tuple(got[k].astype(np.int64) for k in "txyp")


def frames(kit, profile, path, n, split, h=0, w=0, shape=None):
    x = np.frombuffer(kit("frames", profile, path, n, split, h, w).stdout, "<f4")
    return x.reshape(shape or (2 * n, h, w))


def same(got, expected):
    for g, e, name in zip(got, expected, "txyp"):
        assert g.size == e.size
        np.testing.assert_array_equal(g, e, err_msg=name)


# ---- generated files ----

@pytest.mark.parametrize("name", sorted(PROFILES))
def test_fixture_events(kit, name):
    with np.load(FIXTURES / (name + ".npz")) as z:
        same(read(kit, PROFILES[name], FIXTURES / name), [z[k].astype(np.int64) for k in "txyp"])


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("split", ["number", "time"])
def test_fixture_frames(kit, name, split):
    with np.load(FIXTURES / (name + ".npz")) as z:
        n = z[split].shape[0] // 2
        got = frames(kit, PROFILES[name], FIXTURES / name, n, split, shape=z[split].shape)
        np.testing.assert_array_equal(got, z[split].astype(np.float32))
        for f in range(n):
            one = kit("frame", PROFILES[name], FIXTURES / name, n, split, 0, 0, f).stdout
            one = np.frombuffer(one, "<f4")
            np.testing.assert_array_equal(one, z[split][2 * f:2 * f + 2].ravel().astype(np.float32))


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_fixture_resized(kit, name):
    with np.load(FIXTURES / (name + ".npz")) as z:
        want = z["resized"]
        got = frames(kit, PROFILES[name], FIXTURES / name, want.shape[0] // 2, "number", *want.shape[1:])
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name, profile, size", [
    ("dvs128.aedat", "aedat2", "128 128"), ("davis346.aedat", "aedat2", "346 260"),
    ("nmnist.bin", "nmnist", "34 34"), ("ncaltech101.bin", "ncaltech101", "240 180"),
    ("ncars.dat", "ncars", "120 100"), ("evt2.raw", "evt2", "640 480"), ("evt2-end.raw", "evt2", "640 480"),
    ("gesture.aedat", "dvsgesture", "128 128"), ("asl.mat", "asldvs", "240 180"),
    ("tonic.npy", "npyevents", "60 40"), ("mixed.npy", "npyevents", "60 40"), ("sj.npz", "npzevents", "60 40"),
    ("frames.npz", "npzframes", "60 40")])
def test_recognized(kit, name, profile, size):
    assert kit("size", "-", FIXTURES / name).stdout.decode() == "%s %s\n" % (size, profile)


def test_upright_dvs128_is_the_other_turn(kit):
    """jAER's upright picture of a DVS128 file is CIFAR10-DVS's mirrored at the diagonal."""
    t, x, y, p = read(kit, "cifar10dvs", FIXTURES / "dvs128.aedat")
    same(read(kit, "aedat2", FIXTURES / "dvs128.aedat"), (t, y, x, p))


def test_gesture_labels(kit):
    """One sample a row of the label file; the rows may overlap."""
    lines = kit("list", "-", FIXTURES / "gesture.aedat").stdout.decode().splitlines()
    assert lines[0] == "dvsgesture"
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["0", "2147470000", "2147476000"], ["10", "2147475000", "2147485000"],
        ["1", "2147485000", "2147520000"]]
    assert lines[4] == "11 classes"


# ---- real recordings ----

def shared(*parts):
    if "MST_SHARED_DATA" not in os.environ:
        pytest.skip("MST_SHARED_DATA is not set: no real recordings here")
    path = pathlib.Path(os.environ["MST_SHARED_DATA"]).joinpath(*parts)
    if not path.exists():
        pytest.skip("%s is not there" % path)
    return path


def need(*modules):
    for m in modules:
        if importlib.util.find_spec(m) is None:
            pytest.skip("%s is not installed" % m)


def check_frames(kit, profile, path, events, height, width):
    need("spikingjelly", "torch", "torchvision")
    for n, split in ((8, "number"), (8, "time"), (5, "time"), (16, "number")):
        want = oracle.sj_frames(events, n, split, height, width)
        np.testing.assert_array_equal(frames(kit, profile, path, n, split, height, width), want)
    for h, w in ((48, 48), (height * 2, width + 7)):
        np.testing.assert_allclose(frames(kit, profile, path, 8, "number", h, w), oracle.torch_resize(
            oracle.sj_frames(events, 8, "number", height, width), h, w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["alex_walking_again", "alex_walking_for_10secs",
                                  "cam255_right_clamp_test1"])
def test_real_dvs128(kit, name):
    need("spikingjelly", "torch", "torchvision")
    path = shared("events", "dvs128_aedat2", name + ".aedat")
    want = oracle.sj_cifar10dvs(path)
    same(read(kit, "cifar10dvs", path), want)
    check_frames(kit, "cifar10dvs", path, want, 128, 128)


def test_real_davis346_header(kit):
    path = shared("events", "dvs128_aedat2", "tonic_sample_header_only.aedat")
    assert kit("size", "-", path).stdout.decode() == "346 260 aedat2\n"
    assert kit("events", "-", path).stdout == b""
    done = kit("frames", "-", path, 4, "number", 0, 0, check=False)
    assert done.returncode == 1 and b"expected events, found none" in done.stderr


def test_real_ncaltech101(kit):
    need("spikingjelly", "torch", "torchvision", "tonic")
    path = shared("events", "ncaltech101", "faces_easy_0001.bin")
    want = oracle.sj_atis(path)
    same(want, oracle.tonic_atis(path))
    same(read(kit, "-", path), want)
    check_frames(kit, "ncaltech101", path, want, 180, 240)


def test_real_ncars(kit):
    need("expelliarmus")
    path = shared("events", "ncars", "tonic_sample_ncars_td.dat")
    want = oracle.expelliarmus("dat", path)
    same(read(kit, "-", path), want)
    check_frames(kit, "ncars", path, want, 100, 120)


def test_real_evt2(kit):
    need("expelliarmus")
    path = shared("events", "evt", "expelliarmus_evt2.raw")
    want = oracle.expelliarmus("evt2", path)
    same(read(kit, "-", path), want)
    check_frames(kit, "evt2", path, want, 480, 640)


def test_real_nmnist(kit):
    """All 1,100 recordings; labels from the folders."""
    need("spikingjelly", "torch", "torchvision", "tonic")
    for part, count in (("Test", 100), ("Train", 1000)):
        folder = shared("nmnist", part)
        lines = kit("list", "-", folder).stdout.decode().splitlines()
        assert lines[0] == "nmnist" and lines[count + 1] == "10 classes"
        samples = [line.split(" ", 3) for line in lines[1:count + 1]]
        assert [s[3] for s in samples] == sorted(s[3] for s in samples)
        for label, _, _, path in samples:
            assert pathlib.Path(path).parent.name == label
            want = oracle.sj_atis(path)
            same(want, oracle.tonic_atis(path))
            same(read(kit, "nmnist", path), want)
        check_frames(kit, "nmnist", samples[0][3], oracle.sj_atis(samples[0][3]), 34, 34)
