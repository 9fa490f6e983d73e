"""AEDAT 4.0 against what was written, and the Python package aedat where it is installed."""
import importlib.util
import struct

import numpy as np
import pytest

import aedat4_files as files
import evt_files
from built import ROOT, tool
from test_events import frames, read, same
from test_events import _kit  # noqa: F401  (a fixture)

FIXTURES = ROOT / "tests" / "fixtures" / "events"
SIZE = (346, 260)


def some(seed=1, n=3000, start=1_600_000_000_000_000):
    return evt_files.events(seed, n, *SIZE, 100_000, start, rows=False)


def written(path, how, *args, **more):
    if files.pack(how, b"x") is None:
        pytest.skip("there is no library of " + how)
    path.write_bytes(files.file(how, *args, **more))
    return path


@pytest.mark.parametrize("how", files.PACKINGS)
@pytest.mark.parametrize("n", [1, 3000, 70000])
def test_events(kit, tmp_path, how, n):
    """Packets larger than the file's buffer, empty ones, another stream between."""
    ev = some(n, n)
    path = written(tmp_path / "a.aedat4", how, ev, SIZE, parts=1 if n == 1 else 5)
    for profile in ("aedat4", "-"):
        same(read(kit, profile, path), ev)
    assert kit("size", "-", path).stdout.decode() == "346 260 aedat4\n"
    path = written(tmp_path / "b.aedat4", how, ev, SIZE, parts=2 * n if n < 5 else 3, other=False, table=b"\0table of packets")
    same(read(kit, "-", path), ev)


@pytest.mark.parametrize("how", files.PACKINGS)
def test_as_aedat_reads_them(kit, tmp_path, how):
    if importlib.util.find_spec("aedat") is None:
        pytest.skip("aedat is not installed")
    import aedat
    path, ev = written(tmp_path / "a.aedat4", how, some(), SIZE, other=False), some()
    parts = [p["events"] for p in aedat.Decoder(str(path)) if "events" in p]
    got = np.concatenate(parts)
    want = [got[k].astype(np.int64) for k in ("t", "x", "y", "on")]
    same(want, ev)
    same(read(kit, "-", path), want)


def test_frames(kit, tmp_path):
    ev = some(2, 4000)
    path = written(tmp_path / "a.aedat4", "plain", ev, SIZE)
    want = np.zeros((4, 2, 260, 346), np.float32)
    np.add.at(want, (np.arange(4000) // 1000, ev[3], ev[2], ev[1]), 1)
    np.testing.assert_array_equal(frames(kit, "-", path, 4, "number", 260, 346), want.reshape(8, 260, 346))


def test_which_stream(kit, tmp_path):
    """The first that has events; an empty packet of it counts."""
    a, b = some(1, 100), some(2, 100)
    body = [files.packet("plain", 7, files.events_packet([c[:0] for c in a])), files.packet("plain", 3, files.events_packet(b)),
            files.packet("plain", 7, files.events_packet(a)), files.packet("plain", 9, b"anything")]
    head = b"#!AER-DAT4.0\r\n" + files.header("plain", files.streams((700, 500)))
    (tmp_path / "a.aedat4").write_bytes(head + b"".join(body))
    same(read(kit, "-", tmp_path / "a.aedat4"), a)
    assert kit("size", "-", tmp_path / "a.aedat4").stdout.decode() == "700 500 aedat4\n"
    (tmp_path / "a.aedat4").write_bytes(b"#!AER-DAT4.0\r\n" + files.header("plain", b"") + body[1])  # no list of streams
    same(read(kit, "-", tmp_path / "a.aedat4"), b)


def refused(kit, path):
    done = kit("events", "aedat4", path, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr.decode()


@pytest.mark.parametrize("how", ["plain", "LZ4", "zstd"])
def test_damage(kit, tmp_path, how):
    """Each byte of the header and of the packets' ends changed, the file cut anywhere: events, or a line of error."""
    ev = some(3, 60)
    path = written(tmp_path / "a.aedat4", how, ev, SIZE, parts=2)
    raw, rng = path.read_bytes(), np.random.default_rng(1)
    whole = {len(raw)}
    for cut in sorted(rng.choice(len(raw), 60, replace=False)):
        path.write_bytes(raw[:cut])
        done = kit("events", "aedat4", path, check=False)
        assert done.returncode in (0, 1) and (done.returncode == 1 or cut not in whole)
    for at in rng.choice(len(raw), 150):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.integers(8)]) + raw[at + 1:])
        done = kit("events", "aedat4", path, check=False)
        assert done.returncode in (0, 1)


def test_a_packet_beyond_the_limit_behind_a_good_one(kit, tmp_path):
    path, ev, n = tmp_path / "a.aedat4", some(4, 20), (1 << 26) + 1
    raw = files.file("plain", ev, SIZE, parts=1, other=False) + struct.pack("<II", 0, n)
    path.write_bytes(raw)
    with open(path, "r+b") as f:
        f.truncate(len(raw) + n)
    assert "67108865 bytes: limit is 67108864" in refused(kit, path)


def test_what_is_told(kit, tmp_path):
    path, ev = tmp_path / "a.aedat4", some(4, 20)
    good = files.file("plain", ev, SIZE, parts=1, other=False)
    at = len(b"#!AER-DAT4.0\r\n")
    first = at + len(files.header("plain", files.streams(SIZE)))

    def told(raw, says):
        path.write_bytes(raw)
        assert says in refused(kit, path)

    told(good.replace(b"DAT4.0", b"DAT4.1"), "AEDAT version: expected 4.0, found '4.1'")
    told(good[:at] + struct.pack("<I", 1 << 30) + good[at + 4:], "1073741824 bytes: limit is 16777216")
    told(good.replace(b"IOHE", b"IOHF"), "expected a header IOHE")
    told(b"#!AER-DAT4.0\r\n" + files.header("plain", files.streams(SIZE)).replace(struct.pack("<iI", 0, 12), struct.pack("<iI", 5, 12)) + good[first:],
         "compression: expected 0 to 4, found 5")
    told(b"#!AER-DAT4.0\r\n" + files.header("plain", files.streams(SIZE), 3), "table of packets: expected at")
    told(b"#!AER-DAT4.0\r\n" + files.header("plain", files.streams((0, 5))), "expected 1..16384, found '0<")
    told(good[:-1], "packet 0: expected")
    told(good[:first + 4], "expected 8 bytes, found 4")
    told(good[:first] + struct.pack("<II", 0, 0xFFFFFFFF), "expected 4294967295 bytes")
    many = files.packet("plain", 0, files.vector(b"EVTS", 21, files.elements(ev)))
    told(good[:first] + many, "its events are not in it")
    told(good[:first] + good[first:] + files.packet("plain", 0, b"no flat buffer here"), "packet 1: expected a table EVTS")
    for column, value, says in ((0, -5, "time: expected 0..2305843009213693952, found -5"), (1, 346, "x: expected 0..345 (sensor 346x260), found 346"),
                                (2, -1, "y: expected 0..259 (sensor 346x260), found 65535")):
        bad = [c.copy() for c in ev]
        bad[column][7] = value
        told(files.file("plain", bad, SIZE, parts=1, other=False), "event 7: " + says)
    for how in ("LZ4", "zstd"):
        if files.pack(how, b"x") is not None:
            raw = files.file(how, ev, SIZE, parts=1, other=False)
            for damaged in (raw + b"", ):
                body = damaged[first + 8:]
                told(damaged[:first] + struct.pack("<II", 0, len(body) + 1) + body + b"x", "expected one sound %s frame, found damage: there are bytes behind it" % how)
                told(damaged[:first] + struct.pack("<II", 0, len(body) - 9) + body[:-9], "expected one sound %s frame" % how)
            bomb = files.packet(how, 0, bytes(80 << 20))
            told(damaged[:first] + bomb, "more than 67108864 bytes")


def test_a_data_set(tmp_path):
    """Through mstrun: a folder of classes, recognized by its files."""
    from pictures import make_snn
    for k, name in enumerate(("left", "right")):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "a.aedat4").write_bytes((FIXTURES / "dv.aedat4").read_bytes())
    (tmp_path / "m.bin").write_bytes(make_snn.mean_model(4, 40, 60, 2, (0, 0, 0, 2, 0, 0, 0)).bytes())
    tool("mstrun", tmp_path / "m.bin", tmp_path / "set", "-T", 1, "--predictions", tmp_path / "p.npz", "--quiet")
    with np.load(tmp_path / "p.npz") as p:
        assert p["label"].tolist() == [0, 1] and (p["logits"][0] == p["logits"][1]).all() and p["logits"].any()
