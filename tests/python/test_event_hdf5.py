"""HDF5 recordings against what h5py and NumPy read, what is refused of them, and damage."""
import os
import subprocess

import h5py
import numpy as np
import pytest

import evt_files
import hdf5_files as files
from built import BUILD, ROOT, tool
from test_events import frames, read, same
from test_events import _kit  # noqa: F401  (a fixture)

FIXTURES = ROOT / "tests" / "fixtures" / "events"
SIZE = (640, 480)
STORED = {"plain": {}, "chunks": dict(chunks=(777,)), "gzip": files.PACKED, "fletcher32": dict(chunks=(5000,), fletcher32=True),
          "growing": dict(chunks=(4096,), maxshape=(None,), compression="gzip")}


def some(seed=1, n=9000, size=SIZE):
    return evt_files.events(seed, n, *size, 100_000, rows=False)


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("libver", ["earliest", files.OLD])
@pytest.mark.parametrize("n", [1, 4096, 9000])
def test_events(kit, tmp_path, stored, libver, n):
    ev = some(n, n)
    a = files.prophesee(tmp_path / "a.hdf5", ev, libver=libver, **STORED[stored])
    b = files.dsec(tmp_path / "b.h5", ev, 123_456_789_012, libver=libver, **STORED[stored])
    same(files.read(a), ev)
    for profile in ("hdf5", "-"):
        same(read(kit, profile, a), ev)
    want = files.read(b)
    assert want[0][0] == ev[0][0] + 123_456_789_012
    for profile in ("dsec", "-"):
        same(read(kit, profile, b), want)
    assert kit("size", "-", a).stdout.decode() == kit("size", "-", b).stdout.decode().replace("dsec", "hdf5") == "640 480 hdf5\n"


@pytest.mark.parametrize("seed", range(8))
def test_any_type_and_order(kit, tmp_path, seed):
    """Records in any order of fields with others between, columns of any integers or bools, either byte order."""
    rng, ev = np.random.default_rng(seed), some(seed, 5000, (120, 100))
    kinds = {"t": ["<u4", ">i8", "<i4", ">u8"], "x": ["|u1", ">u2", "<i8"], "y": ["|i1", "<u2", ">i4"], "p": ["?", "|i1", ">i2"]}
    types = {k: kinds[k][rng.integers(len(kinds[k]))] for k in "txyp"}
    fields = [(str(k), types[k]) for k in rng.permutation(list("txyp"))]
    fields.insert(int(rng.integers(5)), ("more", "<i4"))
    same(read(kit, "-", files.prophesee(tmp_path / "a.hdf5", ev, "120x100", fields)), ev)
    same(read(kit, "-", files.dsec(tmp_path / "b.h5", ev, types=types)), ev)


def test_names_and_size(kit, tmp_path):
    """Fields of other names, a geometry of fixed length or none."""
    ev = some(2, 50)
    with h5py.File(tmp_path / "a.hdf5", "w") as f:
        a = files.records(ev)
        a.dtype.names = ("x", "y", "polarity", "ts")
        f["CD/events"] = a
        f.attrs["geometry"] = np.bytes_("700x500")
    same(read(kit, "-", tmp_path / "a.hdf5"), ev)
    assert kit("size", "-", tmp_path / "a.hdf5").stdout == b"700 500 hdf5\n"
    files.prophesee(tmp_path / "b.hdf5", ev, None)
    assert kit("size", "-", tmp_path / "b.hdf5").stdout == b"1280 720 hdf5\n"


def test_frames(kit, tmp_path):
    ev = some(2, 4000)
    want = np.zeros((4, 2, 480, 640), np.float32)
    np.add.at(want, (np.arange(4000) // 1000, ev[3], ev[2], ev[1]), 1)
    for path in (files.prophesee(tmp_path / "a.hdf5", ev), files.dsec(tmp_path / "a.h5", ev)):
        np.testing.assert_array_equal(frames(kit, "-", path, 4, "number", 480, 640), want.reshape(8, 480, 640))


def refused(kit, path, profile="-"):
    done = kit("events", profile, path, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert str(path) in done.stderr.decode()
    return done.stderr.decode()


def test_what_is_told(kit, tmp_path):
    ev, path = some(3, 40), tmp_path / "a.hdf5"

    def told(says, write, profile="hdf5"):
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as f:
            write(f)
        assert says in refused(kit, path, profile)

    def columns(**change):
        def write(f):
            for k, column in zip("txyp", ev):
                f["events/" + k] = change.get(k, column)
            for k in set(change) - set("txyp"):
                f[k] = change[k]
        return write

    def put(name, **how):
        return lambda f: f.create_dataset(name, **how)

    told("found neither", lambda f: None)
    told("found neither", put("CD/other", data=[1]))
    told("'CD/events': expected records of integers t, x, y, p", put("CD/events", data=np.zeros(4)))
    told("'CD/events': expected records of integers t, x, y, p", put("CD/events", data=files.records(ev)[["t", "x", "y"]]))
    told("'CD/events': expected records of integers t, x, y, p",
         put("CD/events", data=files.records(ev, [("t", "<f8"), ("x", "<u2"), ("y", "<u2"), ("p", "<u2")])))
    told("'CD/events': expected one dimension", put("CD/events", data=files.records(ev).reshape(2, 20)))
    told("'CD/events': expected one dimension", put("CD/events", data=files.records(ev)[0]))
    told("'events/x': expected a data set in the file itself, found none", put("events/t", data=[1]))
    told("'events/y': expected integers", columns(y=np.zeros(40)))
    told("'events/p': expected 40 numbers as events/t has, found 39", columns(p=ev[3][:39]))
    told("'t_offset': expected an integer", columns(t_offset=1.5))
    told("'t_offset': expected an integer", columns(t_offset=[1, 2]))
    told("event 0: t: expected an integer of 0..2305843009213693952, found -1", columns(t_offset=-1 - ev[0][0]))
    told("event 0: t: expected", columns(t_offset=2 ** 63 - 1))
    told("event 7: p: expected an integer of -1..1, found 2", columns(p=np.where(np.arange(40) == 7, 2, 0)))
    told("event 7: x: expected 0..639 (sensor 640x480), found 640", columns(x=np.where(np.arange(40) == 7, 640, 0)), "dsec")
    told("event 0: t: expected", columns(t=np.full(40, 2 ** 64 - 1, np.uint64)))
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    assert "libhdf5" in refused(kit, path)
    for size, says in (("0x5", "geometry: expected 1..16384, found '0x5'"), ("700", "geometry: expected 1..16384, found ''")):
        assert says in refused(kit, files.prophesee(path, ev, size))


@pytest.mark.parametrize("name", ["CD", "CD/events"])
@pytest.mark.parametrize("link", ["soft", "external"])
def test_links_are_not_followed(kit, tmp_path, name, link):
    files.prophesee(tmp_path / "good.hdf5", some(1, 20))
    with h5py.File(tmp_path / "good.hdf5", "a") as f:
        f.copy("CD", "other")
    with h5py.File(tmp_path / "good.hdf5") as good, h5py.File(tmp_path / "a.hdf5", "w") as f:
        good.copy("CD", f, "other")
        there = name.replace("CD", "/other")
        f[name] = h5py.SoftLink(there) if link == "soft" else h5py.ExternalLink("good.hdf5", there)
    says = refused(kit, tmp_path / "a.hdf5", "hdf5")
    assert "in the file itself, found neither" in says


def test_data_in_other_files(kit, tmp_path):
    a = files.records(some(1, 20))
    (tmp_path / "raw").write_bytes(a.tobytes())
    with h5py.File(tmp_path / "a.hdf5", "w") as f:
        f.create_dataset("CD/events", a.shape, a.dtype, external=[(str(tmp_path / "raw"), 0, a.nbytes)])
    assert "expected its numbers in the file itself" in refused(kit, tmp_path / "a.hdf5")
    files.prophesee(tmp_path / "good.hdf5", some(1, 20))
    with h5py.File(tmp_path / "b.hdf5", "w", libver=files.OLD) as f:
        virtual = h5py.VirtualLayout(a.shape, a.dtype)
        virtual[:] = h5py.VirtualSource(str(tmp_path / "good.hdf5"), "CD/events", a.shape)
        f.create_virtual_dataset("CD/events", virtual)
    assert "expected its numbers in the file itself" in refused(kit, tmp_path / "b.hdf5")


HUGE = 10 ** 12


def limited(kit, path):
    """In 256 MB of memory and 10 s: a line of error."""
    done = subprocess.run(["sh", "-c", "ulimit -v 262144; exec timeout 10 \"$@\"", "sh", str(BUILD / "tests/tools/eventkit"),
                           "events", "-", str(path)], capture_output=True)
    assert done.returncode == 1, done
    return done.stderr.decode()


@pytest.mark.parametrize("how, says", [
    (dict(chunks=(1000,), compression="gzip"), "expected 1000000000 chunks, found 1"),
    (dict(chunks=(1000,)), "expected 1000000000 chunks, found 1"),
    (dict(chunks=(10 ** 8,), compression="gzip"), "chunks of 100000000 rows of 14 bytes: limit is 67108864 bytes"),
    (dict(), "1000000000000 rows of 14 bytes: expected them in a file of")])
def test_claims_of_a_small_file(kit, tmp_path, how, says):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as f:
        d = f.create_dataset("CD/events", (HUGE,), files.RECORD, **how)
        if "chunks" in how and how["chunks"][0] == 1000:
            d[:10] = files.records(some(1, 10))
    assert path.stat().st_size < 100_000
    assert says in limited(kit, path)


def test_chunks_that_share_their_bytes(kit, tmp_path):
    """Thirty of 100 kB in one place."""
    path, n = tmp_path / "a.hdf5", 100_000
    with h5py.File(path, "w") as f:
        d = f.create_dataset("CD/events", (30 << 16,), files.RECORD, chunks=(1 << 16,), compression="gzip")
        for k in range(30):
            d.id.write_direct_chunk((k << 16,), bytes(n))
        at = [d.id.get_chunk_info(k).byte_offset for k in range(30)]
    raw = path.read_bytes()
    assert at == sorted(at) and raw[40:48] == len(raw).to_bytes(8, "little")
    for k in at[1:]:
        assert raw.count(k.to_bytes(8, "little")) == 1
        raw = raw.replace(k.to_bytes(8, "little"), at[0].to_bytes(8, "little"))
    end = at[0] + n
    path.write_bytes(raw[:40] + end.to_bytes(8, "little") + raw[48:end])
    assert "%d rows of 14 bytes: expected them in a file of %d bytes, found 3000000 bytes" % (30 << 16, end) in refused(kit, path)


@pytest.mark.parametrize("number, shown", [(0x8ecf, "filter 36559 (Prophesee's ECF codec)"), (32099, "filter 32099 (")])
def test_filters_that_are_not_there(kit, tmp_path, number, shown):
    path, a = tmp_path / "a.hdf5", files.records(some(1, 100))
    with h5py.File(path, "w") as f:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((100,))
        how.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
        group = f.create_group("CD")
        d = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(a.dtype), h5py.h5s.create_simple((100,)), how)
        d.write_direct_chunk((0,), b"x" * 300)
    says = refused(kit, path)
    assert shown in says and "which libhdf5 does not find" in says and "HDF5_PLUGIN_PATH" in says


@pytest.mark.parametrize("kind", ["prophesee", "dsec"])
@pytest.mark.parametrize("stored", ["plain", "gzip"])
@pytest.mark.parametrize("libver", ["earliest", files.OLD])
def test_damage(kit, tmp_path, kind, stored, libver):
    """Bytes changed among those that are no events, the file cut anywhere: events, or a line of error."""
    path = tmp_path / "a.h5"
    getattr(files, kind)(path, some(3, 300), libver=libver, **STORED[stored])
    raw, rng = path.read_bytes(), np.random.default_rng(1)
    for cut in rng.choice(len(raw), 25, replace=False):
        path.write_bytes(raw[:cut])
        done = kit("events", "dsec", path, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, (cut, done.stderr)
    for at in rng.choice(min(len(raw), 4000), 60):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.integers(8)]) + raw[at + 1:])
        done = kit("events", "dsec", path, check=False)
        assert done.returncode in (0, 1) and len(done.stderr.splitlines()) == done.returncode, (at, done.stderr)


def test_threads(tmp_path):
    """Many recordings by many threads, each opened by several at once: the logits of one thread."""
    from pictures import make_snn
    for k, name in enumerate(("left", "right")):
        for i in range(8):
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            files.dsec(tmp_path / "set" / name / ("%d.h5" % i), some(10 * k + i, 3000), **files.PACKED)
    (tmp_path / "m.bin").write_bytes(make_snn.mean_model(4, 40, 60, 2, (0, 0, 0, 2, 0, 0, 0)).bytes())
    got = []
    for threads in (1, 4):
        tool("mstrun", tmp_path / "m.bin", tmp_path / "set", "-T", 1, "--threads", threads, "--predictions", tmp_path / "p.npz",
             "--force", "--quiet")
        with np.load(tmp_path / "p.npz") as p:
            assert p["label"].tolist() == [0] * 8 + [1] * 8
            got.append(p["logits"].copy())
    np.testing.assert_array_equal(*got)
    assert got[0].any() and os.path.exists(tmp_path / "p.npz")


@pytest.mark.parametrize("name, profile", [("cd.hdf5", "hdf5"), ("dsec.h5", "dsec")])
def test_fixtures(kit, name, profile):
    want = files.read(FIXTURES / name)
    assert want[0].size == 300
    same(read(kit, "-", FIXTURES / name), want)
    assert kit("size", "-", FIXTURES / name).stdout.decode().split()[2] == profile
