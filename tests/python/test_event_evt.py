"""Prophesee's EVT 2.1 and 3.0 against what was written, readers in NumPy, and expelliarmus, which knows 3.0."""
import importlib.util

import numpy as np
import pytest

import event_oracles as oracle
import evt_files
from built import ROOT
from test_events import frames, read, same
from test_events import _kit  # noqa: F401  (a fixture)

FIXTURES = ROOT / "tests" / "fixtures" / "events"
SIZE = (640, 480)
WRITERS = {"evt21": (lambda ev: evt_files.evt21(ev), evt_files.read_evt21, "2.1", ()),
           "evt21 legacy": (lambda ev: evt_files.evt21(ev, True), lambda raw: evt_files.read_evt21(raw, True), "2.1", ("endianness legacy",)),
           "evt3": (lambda ev: evt_files.evt3(ev), evt_files.read_evt3, "3.0", ("endianness little",))}


def write(path, kind, ev, size=SIZE):
    writer, _, version, lines = WRITERS[kind]
    path.write_bytes(evt_files.header(version, *size, lines) + writer(ev))
    return path


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("seed", range(6))
def test_events(kit, tmp_path, kind, seed):
    span = (3000, 30000, 60_000_000)[seed % 3]  # the last wraps EVT 3.0's clock three times
    ev = evt_files.events(seed, 4000 if seed else 1, *SIZE, span, rows=seed > 1)
    path = write(tmp_path / "a.raw", kind, ev)
    raw = path.read_bytes()
    want = WRITERS[kind][1](raw[raw.index(b"% end\n") + 6:])
    same(want, ev)  # the reader in NumPy reads what was written
    for profile in (kind.split()[0], "-"):
        same(read(kit, profile, path), want)
    assert kit("size", "-", path).stdout.decode() == "640 480 %s\n" % kind.split()[0]


def test_evt2_before_there_is_time(kit, tmp_path):
    """Events that no word of time stands before are passed over, as are words of other types."""
    def event(p, low, x, y):
        return p << 28 | low << 22 | x << 11 | y
    words = [event(1, 5, 7, 9), 0xE << 28 | 3, 0x8 << 28 | 2, event(0, 63, 11, 12), 0xA << 28 | 1, 0x8 << 28 | 3, event(1, 0, 13, 14)]
    (tmp_path / "a.raw").write_bytes(b"% evt 2.0\n% end\n" + np.array(words, "<u4").tobytes())
    same(read(kit, "-", tmp_path / "a.raw"), [np.array(c) for c in ([191, 192], [11, 13], [12, 14], [0, 1])])


def test_clock_of_34_bits(kit, tmp_path):
    """EVT 2.1's wraps after 4.8 hours."""
    t, *xyp = evt_files.events(1, 1000, *SIZE, 40000, 2 ** 34 - 20000)
    for kind in ("evt21", "evt21 legacy"):
        same(read(kit, "evt21", write(tmp_path / "a.raw", kind, (t, *xyp))), (t, *xyp))


def test_high_bits_of_time_alone(kit, tmp_path):
    """EVT 3.0 at multiples of 2,048 us: half of them need no word of low bits."""
    t, *xyp = evt_files.events(3, 500, *SIZE, 60_000_000)
    t = t // 2048 * 2048
    same(read(kit, "-", write(tmp_path / "a.raw", "evt3", (t, *xyp))), (t, *xyp))


@pytest.mark.parametrize("seed", range(4))
def test_evt3_is_expelliarmus(kit, tmp_path, seed):
    if importlib.util.find_spec("expelliarmus") is None:
        pytest.skip("expelliarmus is not installed")
    ev = evt_files.events(seed, 5000, *SIZE, 400_000)
    path = tmp_path / "a.raw"  # it takes events before there is time for such of time 0, and knows no triggers: none of these
    path.write_bytes(evt_files.header("3.0", *SIZE) + evt_files.evt3(ev, more=False))
    t, *xyp = oracle.expelliarmus("evt3", path)
    got, *places = read(kit, "evt3", path)
    same(places, xyp)
    assert ((t - got) % 4096 == 0).all()  # it counts a wrap of the low bits beside the high bits, which tell of it


@pytest.mark.parametrize("kind", WRITERS)
def test_words_larger_than_what_is_asked_for(kit, tmp_path, kind):
    """Vectors over the ends of the batches in which events are given: frames of them, and all events."""
    n = 20000
    t = np.arange(n) // 32 + 64
    ev = (t, np.tile(np.arange(32), n // 32), t % 7, t % 2)
    path = write(tmp_path / "a.raw", kind, ev, (32, 8))
    same(read(kit, "-", path), ev)
    got = frames(kit, "-", path, 4, "number", 8, 32)
    want = np.zeros((4, 2, 8, 32), np.float32)
    np.add.at(want, (np.arange(n) // (n // 4), ev[3], ev[2], ev[1]), 1)
    np.testing.assert_array_equal(got, want.reshape(8, 8, 32))


@pytest.mark.parametrize("kind", WRITERS)
def test_headers(kit, tmp_path, kind):
    name, (writer, _, version, lines) = kind.split()[0], WRITERS[kind]
    ev = evt_files.events(2, 100, 64, 48)
    named = {"2.1": "EVT21", "3.0": "EVT3"}[version]
    size = ";endianness=legacy" if lines == ("endianness legacy",) else ""
    for head in ("%% format %s;height=48;width=64%s\r\n%% end\r\n" % (named, size), "%% evt %s\n%% geometry 64x48\n%% endianness %s\n" % (
            version, "legacy" if size else "little"), "%% format %s%s;width=64;height=48\n%% a line\n" % (named, size)):
        (tmp_path / "a.raw").write_bytes(head.encode() + writer(ev))
        same(read(kit, "-", tmp_path / "a.raw"), ev)
        assert kit("size", "-", tmp_path / "a.raw").stdout.decode() == "64 48 %s\n" % name
    for head, says in (("%% evt %s\n%% endianness big\n" % version, "endianness: expected little, found 'big'"),
                       ("% evt 2.0\n", "evt: expected %s, found '2.0'" % version), ("% format EVT4\n", "format: expected %s" % named),
                       ("%% format %s2\n" % named, "format: expected %s" % named),
                       ("%% format %s;width=0\n" % named, "width: expected 1..16384, found '0'"), ("evt\n", "expected a header line")):
        (tmp_path / "a.raw").write_bytes(head.encode() + writer(ev))
        done = kit("events", name, tmp_path / "a.raw", check=False)
        assert done.returncode == 1 and says in done.stderr.decode(), done.stderr
    (tmp_path / "a.raw").write_bytes(evt_files.header(version, 20, 48, lines) + writer(ev))
    done = kit("events", name, tmp_path / "a.raw", check=False)
    assert done.returncode == 1 and "x: expected 0..19 (sensor 20x48), found" in done.stderr.decode()
    (tmp_path / "a.raw").write_bytes(evt_files.header(version, 64, 48, lines) + writer(ev)[:-1])
    done = kit("events", name, tmp_path / "a.raw", check=False)
    assert done.returncode == 1 and "expected %d bytes, found %d" % ((8, 7) if name == "evt21" else (2, 1)) in done.stderr.decode()


@pytest.mark.parametrize("name", ["evt21", "evt3"])
def test_fixtures(kit, name):
    raw = (FIXTURES / (name + ".raw")).read_bytes()
    want = WRITERS[name][1](raw[raw.index(b"% end\n") + 6:])
    assert want[0].size == 300
    same(read(kit, "-", FIXTURES / (name + ".raw")), want)
