"""Events and frames in NumPy's files: structured arrays of any order and type, SpikingJelly's .npz of events and of
frames, their trees, and the sensor's size, which such files do not tell. Against NumPy, SpikingJelly and torch."""
import json

import numpy as np
import pytest

from built import tool
from test_errors import model
from test_events import FIXTURES, _kit, frames, read, same  # noqa: F401  (a fixture)

MICROS = {"t": ("<i8", "<u8", ">i4", "<u4", "<f8", "<f4", ">u2"), "x": ("<i2", ">u2", "|u1", "<f2", "<i8", "|i1"),
          "y": ("<i2", ">u2", "|u1", "<f4", "<u8", ">i4"), "p": ("?", "|i1", "|u1", "<f8", "<i4")}


def random_events(rng, n, width=60, height=40):
    t = np.sort(rng.integers(0, 5000, n))
    return {"t": t, "x": rng.integers(0, width, n), "y": rng.integers(0, height, n), "p": rng.integers(0, 2, n)}


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_type(kit, tmp_path, seed):
    """More events than a block holds; other fields between those that count."""
    rng = np.random.default_rng(seed)
    events = random_events(rng, 9000)
    fields = [(str(k), MICROS[k][rng.integers(len(MICROS[k]))]) for k in rng.permutation(list("txyp"))]
    fields.insert(int(rng.integers(5)), ("more", "<f4"))
    a = np.zeros(9000, np.dtype(fields, align=bool(seed % 2)))
    for k in "txyp":
        a[k] = events[k]
    np.save(tmp_path / "a.npy", a)
    got = np.load(tmp_path / "a.npy")
    same(read(kit, "-", tmp_path / "a.npy"), [got[k].astype(np.int64) for k in "txyp"])
    same(read(kit, "npyevents", tmp_path / "a.npy"), [events[k] for k in "txyp"])
    np.savez_compressed(tmp_path / "a.npz", **{k: a[k] for k in "pyxt"})
    same(read(kit, "-", tmp_path / "a.npz"), [events[k] for k in "txyp"])


def test_stored_frames(kit):
    """As load_npz_frames of SpikingJelly has them."""
    with np.load(FIXTURES / "frames.npz.npz") as z:
        got = frames(kit, "npzframes", FIXTURES / "frames.npz", 2, "time", shape=z["frames"].shape)
        np.testing.assert_array_equal(got, z["frames"])
        small = frames(kit, "npzframes", FIXTURES / "frames.npz", 2, "number", *z["resized"].shape[1:])
        np.testing.assert_allclose(small, z["resized"], rtol=1e-5, atol=1e-6)
    done = kit("frames", "npzframes", FIXTURES / "frames.npz", 3, "number", 0, 0, check=False)
    assert done.returncode == 1 and b"expected 3 frames, found 2" in done.stderr


def logits(bin, spec, *args):
    out = bin.parent / "p.npz"
    tool("mstrun", bin, spec, "-T", 2, "-q", "--predictions", out, "--force", *args)
    with np.load(out) as p:
        return p["logits"], p["label"].tolist()


@pytest.fixture(name="trees")
def _trees(tmp_path):
    """SpikingJelly's folders: events_np/test/CLASS/N.npz and frames_number_2_split_by_number/test/CLASS/N.npz."""
    rng = np.random.default_rng(3)
    for label in range(3):
        for i in range(2):
            e = random_events(rng, 200)
            f = np.zeros((2, 2, 40, 60), np.uint8)
            for half in range(2):
                for k in range(100 * half, 100 * half + 100):
                    f[half, e["p"][k], e["y"][k], e["x"][k]] += 1
            for tree, what in (("events_np", e), ("frames_number_2_split_by_number", {"frames": f})):
                (tmp_path / tree / "test" / str(label)).mkdir(parents=True, exist_ok=True)
                np.savez(tmp_path / tree / "test" / str(label) / ("%d.npz" % i), **what)
    return tmp_path


def test_trees_agree(trees):
    """The same recordings as events and as frames, recognized: the same logits."""
    bin = model(trees, 4, 3)
    events, labels = logits(bin, "%s,40x60" % (trees / "events_np"))
    stored, again = logits(bin, trees / "frames_number_2_split_by_number")
    assert labels == again == [0, 0, 1, 1, 2, 2] and len({tuple(row) for row in events[:, 0].tolist()}) == 6
    np.testing.assert_array_equal(events, stored)


def test_sensor(trees):
    """It is the model's input where nothing tells, and that is said where it cannot be."""
    bin = model(trees, 4, 3)
    tree = trees / "events_np"
    line = tool("mstrun", bin, tree, "-T", 1, code=1).stderr
    assert "(sensor 32x32, the model's size: the path does not say it by ,HxW)" in line
    r = json.loads(tool("mstrun", bin, tree, "-T", 1, "-q", "--json", "-", "--skip-bad", code=1).stdout or "{}")
    assert r.get("samples", 0) == 0
    for size in ("40", "0x60", "40x60x2", "40x", "99999x60", "labels.csv"):
        assert "or the sensor's HxW, found '%s'" % size in tool("mstrun", bin, "%s,%s" % (tree, size), code=1).stderr
    assert "y: expected 0..29 (sensor 60x30)" in tool("mstrun", bin, "npzevents:%s,30x60" % tree, "-T", 1, code=1).stderr
    assert tool("mstrun", bin, "npzevents:%s,100x100" % tree, "-T", 1, "-q")


BAD = [
    ({"t": [-1, 2]}, "event 0: t: expected an integer of 0..2305843009213693952, found -1"),
    ({"t": [0.5, 2]}, "event 0: t: expected an integer of 0..2305843009213693952, found 0.5"),
    ({"t": [1, np.nan]}, "event 1: t: expected an integer"),
    ({"t": np.array([1, 2**63 + 5], np.uint64)}, "event 1: t: expected an integer"),
    ({"x": [0, 70000]}, "event 1: x: expected an integer of 0..65535, found 70000"),
    ({"x": [0, 20000]}, "event 1: x: expected 0..16383"),
    ({"p": [0, 2]}, "event 1: p: expected an integer of -1..1, found 2"),
]


@pytest.mark.parametrize("change, says", BAD)
def test_numbers_that_are_no_events(kit, tmp_path, change, says):
    columns = dict({k: np.array([1, 0]) for k in "txyp"}, **{k: np.asarray(v) for k, v in change.items()})
    a = np.zeros(2, [(k, v.dtype) for k, v in columns.items()])
    for k, v in columns.items():
        a[k] = v
    np.save(tmp_path / "a.npy", a)
    np.savez(tmp_path / "a.npz", **columns)
    for name in ("a.npy", "a.npz"):
        done = kit("events", "-", tmp_path / name, check=False)
        assert done.returncode == 1 and says in done.stderr.decode() and name in done.stderr.decode()


def test_files_that_are_none(kit, tmp_path):
    def said(profile, name):
        done = kit("events", profile, tmp_path / name, check=False)
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1
        return done.stderr.decode()

    record = [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")]
    for name, a, says in (("plain", np.zeros((4, 4)), "found <f8"), ("square", np.zeros((2, 2), record), "found another shape"),
                          ("no_p", np.zeros(2, record[:3]), "found other fields"),
                          ("text", np.zeros(2, record + [("s", "U3")]), "field 's'"),
                          ("part", np.zeros(2, record[:3] + [("p", "?", 2)]), "expected ')'"),
                          ("wide", np.zeros(2, record + [("v", "V5000")]), "at most 4096 bytes")):
        np.save(tmp_path / (name + ".npy"), a)
        assert says in said("npyevents", name + ".npy")
    e = {k: np.zeros(3, int) for k in "txyp"}
    for name, members, says in (("short", dict(e, y=np.zeros(2, int)), "y.npy: offset 10: expected 3 numbers as t has, found 2"),
                                ("deep", dict(e, x=np.zeros((3, 1))), "x.npy: offset 10: expected a row of numbers"),
                                ("none", {"t": e["t"]}, "expected arrays t, x, y and p, found no x")):
        np.savez(tmp_path / (name + ".npz"), **members)
        assert says in said("npzevents", name + ".npz")
    for name, a in (("deep", np.zeros((2, 2, 3))), ("three", np.zeros((2, 3, 4, 4))), ("empty", np.zeros((0, 2, 4, 4))),
                    ("side", np.zeros((1, 2, 1, 20000), np.uint8))):
        np.savez(tmp_path / (name + ".npz"), frames=a)
        assert "shape: expected (frames, 2, H, W), found (" in said("npzframes", name + ".npz")
    bad = np.zeros((2, 2, 4, 5), np.float16)
    bad[1, 0, 2, 3] = np.nan
    np.savez(tmp_path / "nan.npz", frames=bad)
    done = kit("frames", "-", tmp_path / "nan.npz", 2, "number", 0, 0, check=False)
    assert b"frame 1: expected a number of events, found nan" in done.stderr


def test_arrays_are_still_arrays(trees):
    """An .npy of numbers and an .npz of x and y are samples, whatever is recognized beside them."""
    bin = model(trees, 3, 3)
    np.save(trees / "x.npy", np.zeros((2, 3, 32, 32), np.float32))
    np.savez(trees / "xy.npz", x=np.zeros((2, 3, 32, 32), np.float32), y=np.zeros(2, int))
    for name, kind in (("x.npy", "npy"), ("xy.npz", "npz")):
        assert json.loads(tool("mstrun", bin, trees / name, "-T", 1, "-q", "--json", "-").stdout)["samples"] == 2
