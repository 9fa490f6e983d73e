"""mstrun --predictions of runs that are cut: parts that are merged, ranks, a run that is interrupted and resumed give the file of
one run, to the byte; and no file that was damaged or swapped goes into it."""
import io
import json
import os
import resource
import signal
import subprocess
import zipfile

import numpy as np
import pytest

from built import BUILD, tool
from test_long_runs import N, _made, interrupted_between  # noqa: F401  (a fixture)
from test_ranks import pytestmark as with_ranks, ranks

AT = ("--at", "1,3,4")
FORMS = pytest.mark.parametrize("form", ["csv", "npz"])


def job(made, *args):
    return (made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), "--quiet", "--force") + args


def same(a, b):
    """To the byte, and array for array."""
    if a.read_bytes() != b.read_bytes():
        return False
    return a.suffix == ".csv" or all((x == y).all() and x.dtype == y.dtype for x, y in ((np.load(a)[k], np.load(b)[k]) for k in np.load(a).files))


def told(path):
    """What a result says of its file."""
    return json.loads(path.read_text())["provenance"]["predictions"]


def whole(made, folder, form, *args):
    out = folder / ("whole." + form)
    tool("mstrun", *job(made, *args), "--predictions", out, "--json", folder / "whole.json")
    return out


def shards(made, folder, n, form, *args):
    """[JSON], each with its file in one of both forms: no two machines need to agree on it."""
    paths = []
    for i in range(n):
        how = ((), ("--threads", 1), ("--isa", "scalar"), ("--schedule", "step"))[i % 4]
        out = folder / ("part%d.%s" % (i + 1, form if form != "both" else ("csv", "npz")[i % 2]))
        paths.append(folder / ("part%d.json" % (i + 1)))
        tool("mstrun", *job(made, *args), *how, "--shard", "%d/%d" % (i + 1, n), "--predictions", out, "--json", paths[-1])
    return paths


def merged(folder, paths, form, code=0):
    out = folder / ("merged." + form)
    done = tool("mstrun", "--merge", *reversed(paths), "--predictions", out, "--json", folder / "merged.json", "--quiet", "--force", code=code)
    if code == 0:
        return out
    assert len(done.stderr.splitlines()) == 1 and not out.exists() and not (folder / "merged.json").exists(), done.stderr
    return done.stderr


# ---- parts ----

@FORMS
@pytest.mark.parametrize("parts", ["csv", "npz", "both"])
def test_parts_are_the_whole(made, tmp_path, form, parts):
    assert same(merged(tmp_path, shards(made, tmp_path, 3, parts, *AT), form), whole(made, tmp_path, form, *AT))
    a, b = told(tmp_path / "merged.json"), told(tmp_path / "whole.json")
    assert a["hash"] == b["hash"] and a["file"] == str(tmp_path / ("merged." + form))
    said = json.loads((tmp_path / "merged.json").read_text())["provenance"]["parts"]
    assert [p["predictions"] for p in said] == [told(tmp_path / ("part%d.json" % (i + 1))) for i in range(3)]


@pytest.mark.parametrize("args", [("--mode", "count"), ("--mode", "ann"), ("--shuffle", 4, "-n", 17)], ids=lambda a: " ".join(map(str, a)))
def test_whatever_is_run(made, tmp_path, args):
    assert same(merged(tmp_path, shards(made, tmp_path, 4, "both", *args), "csv"), whole(made, tmp_path, "csv", *args))


@FORMS
def test_samples_that_are_skipped(made, tmp_path, form):
    """A part of which nothing is left has a file, too. Without labels."""
    x = np.random.default_rng(0).normal(size=(N, 3, 16, 16)).astype("f4")
    x[[0, 1, 2, 3, 4, 5, 30, 59], 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    run = ("mstrun", made[0] / "m.bin", tmp_path / "x.npy", "--skip-bad", "--quiet", "--predictions")
    paths = [tmp_path / ("part%d.json" % i) for i in range(1, 13)]
    for i, path in enumerate(paths):
        tool(*run, path.with_suffix("." + form), "--shard", "%d/12" % (i + 1), "--json", path)
    tool(*run, tmp_path / ("whole." + form))
    assert same(merged(tmp_path, paths, form), tmp_path / ("whole." + form))
    if form == "npz":
        assert np.load(tmp_path / "part1.npz")["logits"].shape == (0, 3, 10)
    else:
        assert (tmp_path / "part1.csv").read_text().count("\n") == 1


def test_files_that_are_not_those_of_their_parts(made, tmp_path):
    """Whatever became of them, one line names part and file, and nothing is written."""
    paths = shards(made, tmp_path, 2, "csv")
    csv, other = tmp_path / "part2.csv", tmp_path / "part1.csv"
    good = csv.read_text()
    lines = good.splitlines(keepends=True)

    def refused(says):
        error = merged(tmp_path, paths, "csv", code=1)
        assert "part2.json" in error and says in error, error
    row = lines[1].rstrip("\n").split(",")
    for text in ("", "\n", lines[0][:30], "x" * 10 ** 6, good[:-1], "".join(lines[:-1]), good + "\n", good.replace("\n", "\r\n"),
                 lines[0] + lines[2], good.replace(",", ";"), good.replace(lines[1], lines[1][:-1] + ",1\n"),
                 good.replace(lines[1], ",".join(row[:-1]) + "\n"), good.replace(lines[1], "%s,7777777777,%s" % (row[0], ",".join(row[2:])) + "\n"),
                 good.replace(lines[1], "-1," + lines[1].split(",", 1)[1]), good.replace(lines[1], "9" * 30 + "," + lines[1].split(",", 1)[1]),
                 good.replace(lines[1], ",".join(row[:3] + ["10"] + row[4:]) + "\n"), good.replace(lines[1], ",".join(row[:-1] + ["zero"]) + "\n"),
                 good.replace(lines[2], "59," + lines[2].split(",", 1)[1]), good.replace(lines[3], "%s,9,%s" % (row[0], ",".join(lines[3].split(",")[2:]))),
                 good.replace(lines[1], lines[1][:-1] + "\0\n"), good.replace(lines[1], lines[1][:5] + "\0" + lines[1][5:])):
        csv.write_text(text, newline="")
        refused("expected predictions of 3 steps and 10 classes")
    for text in (lines[0], lines[0] + "".join(lines[4:]), lines[0] + "".join(lines[4:7] + lines[1:4] + lines[7:]), other.read_text(),
                 good.replace(lines[1], ",".join(row[:-1] + ["0.125"]) + "\n"),
                 lines[0] + "".join(",".join([row[0], ""] + line.split(",")[2:]) for line in lines[1:4]) + "".join(lines[4:])):
        csv.write_text(text)
        refused("part2.csv: they are not the predictions of that part")
    csv.unlink()
    refused("part2.csv: No such file")
    csv.mkdir()
    refused("found something else")
    csv.rmdir()
    os.mkfifo(csv)
    refused("found something else")
    csv.unlink()
    csv.write_text(good)
    assert same(merged(tmp_path, paths, "csv"), whole(made, tmp_path, "csv"))


def test_arrays_that_are_not_those_of_their_parts(made, tmp_path):
    paths = shards(made, tmp_path, 2, "npz")
    path = tmp_path / "part2.npz"
    raw, good = path.read_bytes(), dict(np.load(path))

    def refused(says, raw=None, **changed):
        if raw is None:
            np.savez(path, **{k: v for k, v in dict(good, **changed).items() if v is not None})
        else:
            path.write_bytes(raw)
        error = merged(tmp_path, paths, "npz", code=1)
        assert "part2.json" in error and "part2.npz" in error and says in error, error
    form = "expected predictions of 3 steps and 10 classes"
    for change in (dict(sample=None), dict(logits=None), dict(sample=good["sample"].astype("<i4")), dict(logits=good["logits"].astype("<f8")),
                   dict(logits=good["logits"][:, :, :9]), dict(logits=good["logits"][:-1]), dict(label=good["label"][1:]),
                   dict(**{"class": good["class"] + 10}), dict(**{"class": -good["class"] - 1}), dict(label=good["label"] - 20),
                   dict(sample=good["sample"] + 2 ** 40), dict(sample=good["sample"].reshape(-1, 1)), dict(sample=np.int64(3))):
        refused(form, **change)
    for change in (dict(label=good["label"] + 1), dict(logits=good["logits"] + 1), dict(sample=good["sample"][::-1].copy()),
                   {k: v[1:] for k, v in good.items() if k in ("sample", "label", "class", "logits")}):
        refused("not the predictions of that part", **change)
    refused("expected an npz", raw=b"x" * 1000)
    refused("expected an npz", raw=raw[:len(raw) // 2])
    with zipfile.ZipFile(io.BytesIO(raw)) as z:
        at = raw.index(b"\x93NUMPY", z.getinfo("logits.npy").header_offset)
    refused("", raw=raw[:at + 5] + b"\xff" * 40 + raw[at + 45:])
    refused("", raw=raw[:at + 300] + b"\xff" + raw[at + 301:])


def test_parts_and_their_files(made, tmp_path):
    a, b = shards(made, tmp_path, 2, "csv")
    good = json.loads(b.read_text())
    for change in (None, {}, {"file": 3, "hash": "0" * 16}, {"file": str(tmp_path / "part2.csv")}, "x", []):
        bad = json.loads(json.dumps(good))
        bad["provenance"]["predictions"] = change
        b.write_text(json.dumps(bad))
        assert "part2.json: --predictions: its part was run without" in merged(tmp_path, [a, b], "csv", code=1)
    for classes, says in ((2 ** 26, "limit is 268435456 bytes a sample"), (11, "3 steps and 11 classes")):
        for path in (a, b):
            path.write_text(json.dumps(dict(json.loads(path.read_text()), classes=classes)))
        b.write_text(json.dumps(dict(good, classes=classes)))
        assert says in merged(tmp_path, [a, b], "csv", code=1)
    a, b = shards(made, tmp_path, 2, "csv")
    before = (tmp_path / "part2.csv").read_bytes()
    for target in (b, tmp_path / "part2.csv"):
        done = tool("mstrun", "--merge", a, b, "--predictions", target, "--force", "--quiet", code=None)
        assert done.returncode != 0 and "which is read" in done.stderr and (tmp_path / "part2.csv").read_bytes() == before
    levels = [tmp_path / ("levels%d.json" % i) for i in (1, 2)]
    for i, path in enumerate(levels):
        tool("mstrun", *job(made, "--mode", "count", "--levels", "4,8", "--shard", "%d/2" % (i + 1), "--json", path))
    assert "--predictions: expected one run in the results, found 2" in merged(tmp_path, levels, "csv", code=1)


# ---- ranks ----

def with_mpi(test):
    for mark in with_ranks:
        test = mark(test)
    return test


@with_mpi
@FORMS
def test_ranks_are_one_process(made, tmp_path, form):
    one = whole(made, tmp_path, form, *AT)
    for n in (1, 3):
        ranks((n, job(made, *AT, "--threads", 1, "--predictions", tmp_path / ("ranks." + form), "--json", tmp_path / "ranks.json")))
        assert same(tmp_path / ("ranks." + form), one) and told(tmp_path / "ranks.json")["hash"] == told(tmp_path / "whole.json")["hash"]


@with_mpi
def test_ranks_that_differ_or_fail(made, tmp_path):
    out = ("--predictions", tmp_path / "p.csv")
    assert "rank 2 (" in ranks((2, job(made, *out)), (1, job(made)), code=1) and not (tmp_path / "p.csv").exists()
    x = np.random.default_rng(0).normal(size=(N, 3, 16, 16)).astype("f4")
    x[[23, 41], 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    args = (made[0] / "m.bin", tmp_path / "x.npy", "--quiet", "--force", "--predictions")
    tool("mstrun", *args, tmp_path / "one.csv", code=1)
    ranks((3, args + (tmp_path / "three.csv", "--threads", 1)), code=1)
    assert same(tmp_path / "one.csv", tmp_path / "three.csv") and (tmp_path / "one.csv").read_text().count("\n") == 1 + 3 * 23
    for more in (("--trace", tmp_path / "t.csv"), ("--raster", "all", "--raster-to", tmp_path / "r.npz")):
        assert "%s: expected one process with it, found 2 ranks (--shard I/N" % more[0] in ranks((2, job(made, *more)), code=2)


# ---- interrupted and resumed ----

LONG = ("-T", 300, "--at", "100,300", "--schedule", "step")  # some seconds for all samples


def test_interrupted_twice_and_resumed(made, tmp_path):
    """What is kept is of no form: the last run may write the other, and what was interrupted may be cut behind what counts."""
    one, journal, rows = whole(made, tmp_path, "csv", *LONG), tmp_path / "j.json", tmp_path / "j.json.rows"
    csv, npz = (LONG + ("--resume", journal, "--json", tmp_path / "p.json", "--force", "--predictions", tmp_path / p) for p in ("p.csv", "p.npz"))
    for _ in range(2):
        done, _, _ = interrupted_between(made, signal.SIGINT, *csv, "--threads", 2)
        so_far = (tmp_path / "p.csv").read_text()
        assert one.read_text().startswith(so_far) and so_far.count("\n") == 1 + 2 * done
    rows.write_bytes(rows.read_bytes() + b"of a run that was killed")
    tool("mstrun", *job(made, *npz))
    tool("mstrun", *job(made, *csv))  # nothing is left to do
    assert same(tmp_path / "p.csv", one) and told(tmp_path / "p.json")["hash"] == told(tmp_path / "whole.json")["hash"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j.json", "j.json.rows", "p.csv", "p.json", "p.npz", "whole.csv", "whole.json"]
    assert same(tmp_path / "p.npz", whole(made, tmp_path, "npz", *LONG))


def test_a_journal_is_of_a_run_with_predictions(made, tmp_path):
    said = ("--predictions", tmp_path / "p.csv")
    tool("mstrun", *job(made, "--resume", tmp_path / "with.json", *said))
    assert "'predictions' is" in tool("mstrun", *job(made, "--resume", tmp_path / "with.json"), code=1).stderr
    tool("mstrun", *job(made, "--resume", tmp_path / "without.json"))
    assert "'predictions' is" in tool("mstrun", *job(made, "--resume", tmp_path / "without.json", *said), code=1).stderr
    assert not (tmp_path / "without.json.rows").exists()


@with_mpi
def test_ranks_go_on_where_one_process_was(made, tmp_path):
    one, journal = whole(made, tmp_path, "npz", *LONG), tmp_path / "j.json"
    args = LONG + ("--resume", journal, "--predictions", tmp_path / "p.npz")
    interrupted_between(made, signal.SIGINT, *args, "--threads", 2, "--force")
    ranks((3, job(made, *args, "--threads", 1)))
    assert same(tmp_path / "p.npz", one)
    tool("mstrun", *job(made, *args))
    assert same(tmp_path / "p.npz", one)


def test_damaged_rows(made, tmp_path):
    """What lies beside the journal is what was written with it, or is refused and stays."""
    journal, rows = tmp_path / "j.json", tmp_path / "j.json.rows"
    args = job(made, "--resume", journal, "--predictions", tmp_path / "p.csv")
    tool("mstrun", *args)
    good, said, first = rows.read_bytes(), journal.read_text(), (tmp_path / "p.csv").read_bytes()

    def refused(says, raw):
        rows.write_bytes(raw)
        done = tool("mstrun", *args, code=1)
        assert len(done.stderr.splitlines()) == 1 and says in done.stderr and "j.json.rows" in done.stderr, done.stderr
        assert rows.read_bytes() == raw and journal.read_text() == said and (tmp_path / "p.csv").read_bytes() == first
    for raw in (b"", good[:7], good[:16], good[:-1], b"MSTROWS2" + good[8:], good[:8] + b"\0" * 8 + good[16:], good[:8] + b"\xff" * 8 + good[16:]):
        refused("found something else", raw)
    for at in (16, 40, len(good) // 2, len(good) - 1):
        refused("not the rows that were written with the journal", good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
    row = (len(good) - 16) // N
    refused("not the rows", good[:16] + good[16 + row:] + good[16:16 + row])
    rows.unlink()
    assert "j.json.rows: cannot open: No such file" in tool("mstrun", *args, code=1).stderr and not rows.exists()
    os.mkfifo(rows)
    assert "expected a file" in tool("mstrun", *args, code=1).stderr
    rows.unlink()
    rows.write_bytes(good)
    state = json.loads(said)
    for kept in (None, 3, "0" * 16, {}, "00" * 100):
        state["states"][0]["predictions"] = kept
        journal.write_text(json.dumps(state))
        assert "not the rows that were written with the journal" in tool("mstrun", *args, code=1).stderr
    for done in (N - 1, N + 1, 2 ** 62):
        state = json.loads(said)
        state["states"][0].update(done=done, samples=done)
        journal.write_text(json.dumps(state))
        tool("mstrun", *args, code=1)
        assert rows.read_bytes() == good


def test_no_room_for_rows(made, tmp_path):
    """A journal that has room tells of no rows that had none: they are larger than any of the arrays."""
    journal, rows, out = tmp_path / "j.json", tmp_path / "j.json.rows", tmp_path / "p.npz"
    args = job(made, "-T", 30, "--at", ",".join(map(str, range(1, 31))), "--resume", journal, "--predictions", out)
    tool("mstrun", *args)
    first, most = out.read_bytes(), rows.stat().st_size - 1000
    assert max(journal.stat().st_size, np.load(out)["logits"].nbytes + 1000) < most < len(first)
    journal.unlink()
    done = subprocess.run([str(BUILD / "mstrun"), *map(str, args)], capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    assert done.returncode == 1 and "j.json.rows: cannot write: File too large" in done.stderr and out.read_bytes() == first
    tool("mstrun", *args)
    assert out.read_bytes() == first


def test_rows_of_others(made, tmp_path):
    """A new journal drops what an old one kept; nothing of others."""
    rows = tmp_path / "j.json.rows"
    args = job(made, "--resume", tmp_path / "j.json", "--predictions", tmp_path / "p.csv")[:2] + (
        "--quiet", "--resume", tmp_path / "j.json", "--predictions", tmp_path / "p.csv")
    rows.write_text("mine")
    assert "a file of others is; --force replaces it" in tool("mstrun", *args, code=1).stderr and rows.read_text() == "mine"
    tool("mstrun", *args, "--force")
    kept, first = rows.read_bytes(), (tmp_path / "p.csv").read_bytes()
    (tmp_path / "j.json").unlink()
    rows.write_bytes(kept + kept[16:])
    tool("mstrun", *args)
    assert rows.read_bytes() == kept and (tmp_path / "p.csv").read_bytes() == first
    (tmp_path / "j.json").unlink()
    assert "expected two files" in tool("mstrun", *job(made, "--resume", tmp_path / "j.json", "--predictions", rows), code=2).stderr
    assert "less than" in tool("mstrun", *job(made, "--resume", "x" * 5000, "--predictions", tmp_path / "p.csv"), code=2).stderr


def test_what_cannot_be_resumed_is_refused(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tool("mstrun", *job(made, "--resume", "j.json", "--html", "p.html"), code=2)
    assert done.stderr == "mstrun: error: --resume: expected a file, and no --html with it (mstrun --help lists the options)\n"
    assert not list(tmp_path.iterdir())
