"""mstrun --trace and --raster of runs that are cut: one that is interrupted and resumed writes the files of one run, to the byte; those
of parts are joined as docs/CLUSTER.md says; and where something cannot be written, what is kept is of the samples that the report has."""
import io
import json
import os
import signal
import subprocess
import zipfile

import numpy as np
import pytest

from built import BUILD, ROOT, tool
from test_long_runs import N, _made, interrupted_between  # noqa: F401  (a fixture)
from test_predictions import job
from test_single_failures import _shared  # noqa: F401  (a fixture)

LONG = ("-T", 300, "--schedule", "step")  # some seconds for all samples
NAMES = ("t.csv", "r.npz")


def files(folder, layers=("all",)):
    return ("--trace", folder / "t.csv", *(w for l in layers for w in ("--raster", l)), "--raster-to", folder / "r.npz")


def bytes_of(folder, names=NAMES):
    return [(folder / name).read_bytes() for name in names]


def whole(made, folder, *args):
    folder.mkdir()
    tool("mstrun", *job(made, *args, *files(folder)))
    return bytes_of(folder)


def test_interrupted_twice_and_resumed(made, tmp_path):
    """What was interrupted may be cut behind what counts; the last run finds nothing left to do."""
    want = whole(made, tmp_path / "whole", *LONG)
    args = LONG + ("--resume", tmp_path / "j.json", *files(tmp_path), "--predictions", tmp_path / "p.csv")
    for _ in range(2):
        done, _, _ = interrupted_between(made, signal.SIGINT, *args, "--force", "--threads", 2)
        so_far = np.load(tmp_path / "r.npz")
        assert want[0].startswith((tmp_path / "t.csv").read_bytes()) and so_far["sample"].tolist() == list(range(done))
        assert (tmp_path / "t.csv").read_text().count("\n") == 1 + done * 300 * len(so_far["layer"])
    for name in ("trace", "raster"):
        path = tmp_path / ("j.json." + name)
        path.write_bytes(path.read_bytes() + b"of a run that was killed")
    for _ in range(2):
        tool("mstrun", *job(made, *args))
        assert bytes_of(tmp_path) == want
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j.json", "j.json.raster", "j.json.rows", "j.json.trace", "p.csv", "r.npz", "t.csv", "whole"]


@pytest.mark.parametrize("args", [("--mode", "count"), ("--mode", "ann"), ("-T", 3, "--shard", "2/3", "--shuffle", 4)], ids=lambda a: " ".join(map(str, a)))
def test_whatever_is_resumed(made, tmp_path, args):
    raster = () if "ann" in args else files(tmp_path, ("q", 0))[2:]
    run = job(made, *args, "--trace", tmp_path / "t.csv", *raster)
    tool("mstrun", *run)
    names = NAMES if raster else NAMES[:1]
    want = bytes_of(tmp_path, names)
    for _ in range(2):
        tool("mstrun", *run, "--resume", tmp_path / "j.json")
        assert bytes_of(tmp_path, names) == want


def test_a_journal_is_of_the_same_files(made, tmp_path):
    journal = ("-T", 2, "--resume", tmp_path / "j.json")
    tool("mstrun", *job(made, *journal, *files(tmp_path, ("q",))))
    for args, says in (((), "'trace' is false here, true there"), (("--trace", tmp_path / "x.csv"), "'raster' is [] here, [\"q\"] there"),
                       (files(tmp_path, ("q", 0)), "'raster' is [\"q\", \"0\"] here")):
        assert says in tool("mstrun", *job(made, *journal, *args), code=1).stderr
    assert "expected two files" in tool("mstrun", *job(made, *journal, "--trace", tmp_path / "j.json.raster", *files(tmp_path)[2:]), code=2).stderr
    levels = job(made, "--mode", "count", "--levels", "2,3", "--resume", tmp_path / "k.json", "--trace", tmp_path / "x.csv")
    assert "--trace: expected one run with it, found 2" in tool("mstrun", *levels, code=2).stderr and not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("name", ["trace", "raster"])
def test_damaged_rows(made, tmp_path, name):
    """What lies beside the journal is what was written with it, or is refused and stays."""
    rows = tmp_path / ("j.json." + name)
    args = job(made, "-T", 2, "--resume", tmp_path / "j.json", *files(tmp_path))
    tool("mstrun", *args)
    good, want = rows.read_bytes(), bytes_of(tmp_path)
    for raw, says in ((good[:-1], "found something else"), (good[:8] + b"\0" * 8 + good[16:], "found something else"),
                      (good[:-1] + bytes([good[-1] ^ 1]), "not the rows that were written with the journal"),
                      (good[:16] + b"\1" + good[17:], "not the rows that were written with the journal")):
        rows.write_bytes(raw)
        done = tool("mstrun", *args, code=1)
        assert len(done.stderr.splitlines()) == 1 and says in done.stderr and rows.name in done.stderr, done.stderr
        assert rows.read_bytes() == raw and bytes_of(tmp_path) == want
    rows.write_bytes(good)
    tool("mstrun", *args)
    assert bytes_of(tmp_path) == want


def test_files_of_parts_are_joined_by_hand(made, tmp_path):
    """As docs/CLUSTER.md says; --merge names the page."""
    want = whole(made, tmp_path / "whole", "-T", 3)
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in "1", "2", "3":
        tool("mstrun", *job(made, "-T", 3, "--shard", i + "/3", "--json", parts / (i + ".json"), "--trace", parts / (i + ".csv"), "--raster", "all",
                            "--raster-to", parts / (i + ".npz")))
    text = (ROOT / "docs/CLUSTER.md").read_text()
    line, = (l for l in text.splitlines() if l.startswith("(head -1 parts/1.csv;"))
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    assert (tmp_path / "whole.csv").read_bytes() == want[0]
    one, loaded = np.load(io.BytesIO(want[1])), [np.load(parts / ("%d.npz" % k)) for k in (1, 2, 3)]
    assert all((np.concatenate([p[k] for p in loaded]) == one[k]).all() for k in one.files if k not in ("mstrun", "layer", "name"))
    for more in (("--trace", tmp_path / "t.csv"), files(tmp_path)[2:]):
        done = tool("mstrun", "--merge", *sorted(parts.glob("*.json")), *more, code=2)
        assert "--merge: not with %s: " % more[0] in done.stderr and "docs/CLUSTER.md" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("t.csv")) and not list(tmp_path.glob("r.npz"))


def samples_in(name, raw):
    if name.endswith(".csv"):
        lines = raw.decode().splitlines()[1:]
        assert raw.endswith(b"\n")
        return sorted({int(l.split(",")[0]) for l in lines})
    arrays = np.load(io.BytesIO(raw))
    n = len(arrays["sample"])
    assert zipfile.ZipFile(io.BytesIO(raw)).testzip() is None
    assert all(len(arrays[k]) == n for k in arrays.files if k == "label" or k.startswith(("counts", "raster", "logits")))
    return arrays["sample"].tolist()


def test_files_are_of_the_samples_of_the_report(shared, tmp_path):
    """Each fwrite fails, one a run: of what is put in place, all is of the same samples; and the next run gives the whole."""
    run = [str(BUILD / "mstrun"), str(shared / "m.bin"), "npy:{0}/x.npy,{0}/y.txt".format(shared), "-T", "3", "--quiet", "--force", "--threads", "1",
           "--json", "out.json", "--predictions", "p.npz", "--trace", "t.csv", "--raster", "all", "--raster-to", "r.npz", "--resume", "j.json"]
    names = ("p.npz", "t.csv", "r.npz")

    def go(k, **env):
        env = dict(os.environ, LD_PRELOAD=str(BUILD / "tests/faults/fail_kth.so"), MST_FAIL_WHAT="write", MST_FAIL_KTH=str(k), **env)
        return subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert go(0, MST_FAIL_COUNT=str(tmp_path / "count")).returncode == 0
    calls, want, kept = int((tmp_path / "count").read_text()), bytes_of(tmp_path, names), 0
    (tmp_path / "count").unlink()
    assert calls > 300
    for k in range(1, 200, 3):
        for path in tmp_path.iterdir():
            path.unlink()
        done = go(k)
        assert done.returncode == 1 and done.stderr.startswith("mstrun: error: "), (k, done)
        there = [tmp_path / name for name in names if (tmp_path / name).exists()]
        if (tmp_path / "out.json").exists():
            report = json.loads((tmp_path / "out.json").read_text())
            kept += 1
            assert report["partial"] or len(there) < 3, k
            assert all(samples_in(path.name, path.read_bytes()) == list(range(report["samples"])) for path in there), k
        else:
            assert not there, k
        again = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert again.returncode == 0 and bytes_of(tmp_path, names) == want, (k, again.stderr)
    assert kept > 20
