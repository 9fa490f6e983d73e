"""Samples that are picked, skipped, interrupted, resumed: figures are those of the samples they name."""
import json
import os
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, lasting, tool
from support import FIXTURES

Image = pytest.importorskip("PIL.Image")
SIDE, CLASSES, N = 16, 10, 60


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    """A masked model, and 60 pictures of 10 classes: as arrays in a mixed order and one of classes, and as folders."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "p.yaml").write_text("version: 1\nseed: 3\nmasks: {sites: {q: 0.5, k: 0.5}}\n")
    names = ["c%d" % (i * 7 % CLASSES) for i in range(CLASSES)]  # not in byte order
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "m.bin", "--timesteps", 4, "--quiet", "--policy", folder / "p.yaml",
         "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--classes", ",".join(names), "--resize", 16)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (N, 3, SIDE, SIDE), np.uint8)
    y = rng.integers(0, CLASSES, N)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    np.save(folder / "xs.npy", x[np.argsort(y, kind="stable")])
    np.save(folder / "ys.npy", np.sort(y))
    for i in range(N):
        (folder / "set" / names[y[i]]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i].transpose(1, 2, 0)).save(folder / "set" / names[y[i]] / ("%02d.png" % i))
    return folder, x, y, names


def run(made, *args, data="npy:{0}/x.npy,{0}/y.npy", code=0):
    folder = made[0]
    done = tool("mstrun", folder / "m.bin", data.format(folder), "--json", "-", "--quiet", *args, code=code)
    return json.loads(done.stdout) if done.stdout else done.stderr


def traced(made, *args, data="npy:{0}/x.npy,{0}/y.npy"):
    """{sample: its rows}, in order."""
    out = tool("mstrun", made[0] / "m.bin", data.format(made[0]), "--quiet", "--trace", "-", *args).stdout.splitlines()[1:]
    rows = {}
    for line in out:
        sample, rest = line.split(",", 1)
        rows.setdefault(int(sample), []).append(rest)
    return rows


PICKS = [(("-n", 7), range(7)), (("--first", 7), range(7)), (("--every", 9), range(0, N, 9)), (("--range", "5:11"), range(5, 11)),
         (("--range", "52:"), range(52, N)), (("--range", ":4"), range(4)), (("--range", "10:50", "--every", 10, "-n", 3), (10, 20, 30))]


@pytest.mark.parametrize("args, expected", PICKS, ids=[" ".join(map(str, p[0])) for p in PICKS])
def test_picks(made, args, expected):
    """And masks are those of the sample's number in the data set, whatever is picked."""
    everything = traced(made)
    got = traced(made, *args, "--threads", 3)
    assert list(got) == list(expected) and all(got[k] == everything[k] for k in got)
    r = run(made, *args)
    assert r["samples"] == r["planned"] == len(list(expected)) and not r["partial"] and not r["spread"]
    assert r["classes_seen"] == len({made[2][i] for i in expected})


def test_shuffle_and_per_class(made):
    everything = traced(made)
    a, b, c = (traced(made, "--shuffle", s, "-n", 20) for s in (1, 1, 2))
    assert list(a) == list(b) != list(c) and len(a) == 20 and list(a) != sorted(a) and set(everything) > set(a)
    assert all(a[k] == everything[k] for k in a)
    got = traced(made, "--per-class", 2)
    labels = made[2]
    assert list(got) == [i for i in range(N) if (labels[:i] == labels[i]).sum() < 2]
    assert sorted(traced(made, "--shuffle", 5)) == list(range(N))


def test_lists(made, tmp_path):
    (tmp_path / "l.txt").write_text("# of numbers\n41\n3\r\n17\n")
    assert list(traced(made, "--samples", tmp_path / "l.txt")) == [41, 3, 17]
    names = sorted(p for p in (made[0] / "set").rglob("*.png"))
    pick = [names[50], names[2], names[33]]
    texts = [pick[0].name, str(pick[1].relative_to(made[0] / "set")), str(pick[2])]
    (tmp_path / "l.txt").write_text("\n".join(texts))
    assert list(traced(made, "--samples", tmp_path / "l.txt", data="image:{0}/set")) == [50, 2, 33]
    for text, says in (("60", "the data set has 60"), ("nowhere.png", "is that of none"), ("5\n5", "stands there twice"),
                       (".png", "is that of none")):
        (tmp_path / "l.txt").write_text(text)
        assert says in run(made, "--samples", tmp_path / "l.txt", data="image:{0}/set", code=1)
    (tmp_path / "l.txt").write_text("")
    assert "no samples are left" in run(made, "--samples", tmp_path / "l.txt", code=1)
    for args in (("--range", "5"), ("--range", "5:5"), ("--range", ":5", "--samples", "x"), ("--first", 1, "-n", 2), ("--every", 0)):
        run(made, *args, code=2)
    assert "no samples are left" in run(made, "--range", "60:", code=1)


def test_labels_in_order_are_spread(made):
    """-n of a folder of classes takes some of all, and says so; --first does not."""
    data = "npy:{0}/xs.npy,{0}/ys.npy"
    assert list(traced(made, "-n", 20, data=data)) == list(range(0, N, 3))
    r = run(made, "-n", 20, data=data)
    assert r["spread"] and r["classes_seen"] == len(set(np.load(made[0] / "ys.npy")[::3]))
    few = run(made, "--first", 6, data=data)
    assert not few["spread"] and few["classes_seen"] < 4
    text = tool("mstrun", made[0] / "m.bin", data.format(made[0]), "--first", 6).stdout
    assert "only %d of 10 classes were seen" % few["classes_seen"] in text
    assert "spread over the data set" in tool("mstrun", made[0] / "m.bin", data.format(made[0]), "-n", 20).stdout
    job = ("mstcalib", FIXTURES / "swin-ts.onnx", made[0] / "m.bin", data.format(made[0]), "-T", 2, "--json", "-", "--quiet")
    calib = json.loads(tool(*job, "-n", 20).stdout)
    assert calib["spread"] and calib["samples"] == 20 and calib["classes_seen"] == r["classes_seen"]


def test_class_names_label_folders(made, tmp_path):
    """As the model has them, whatever their order in bytes; fewer folders than classes will do."""
    folder, x, y, names = made
    order = [int(p.stem) for p in sorted((folder / "set").rglob("*.png"))]
    arrays = run(made, "--no-mask")  # masks depend on places
    assert run(made, "--no-mask", data="image:{0}/set")["at"] == arrays["at"]
    want = {i: names[y[i]] for i in range(N)}
    shown = tool("mstrun", folder / "m.bin", "--show", folder / "set", 0, "-o", "/dev/null").stdout
    assert "label %d (%s)" % (y[order[0]], want[order[0]]) in shown
    for name in names[:4]:
        (tmp_path / "some" / name).mkdir(parents=True)
        for p in (folder / "set" / name).iterdir():
            (tmp_path / "some" / name / p.name).symlink_to(p)
    r = run(made, data="image:%s/some" % tmp_path)
    assert r["classes_seen"] == 4 and r["labelled"] == sum((y == c).sum() for c in range(4))
    (tmp_path / "some" / "other").symlink_to(tmp_path / "some" / names[0])
    assert "'other' has not" in run(made, data="image:%s/some" % tmp_path, code=1)


def test_files_that_are_passed_over(made, tmp_path):
    (tmp_path / "set").symlink_to(made[0] / "set")
    (tmp_path / "t").mkdir()
    for name in made[3]:
        (tmp_path / "t" / name).mkdir()
        for p in (made[0] / "set" / name).iterdir():
            (tmp_path / "t" / name / p.name).symlink_to(p)
    (tmp_path / "t" / made[3][0] / "notes.txt").write_text("x")
    (tmp_path / "t" / made[3][1] / "photo.heic").write_text("x")
    (tmp_path / "t" / made[3][1] / ".hidden").write_text("x")
    r = run(made, data="image:%s/t" % tmp_path)
    assert r["passed_over"] == 2 and r["samples"] == N
    text = tool("mstrun", made[0] / "m.bin", tmp_path / "t", "-n", 3).stdout
    assert "2 files were passed over that no reader knows, as " in text


@pytest.fixture(name="damaged")
def _damaged(made, tmp_path):
    """The same folders, three of the files cut."""
    bad = {}
    for k, p in enumerate(sorted((made[0] / "set").rglob("*.png"))):
        to = tmp_path / "set" / p.parent.name / p.name
        to.parent.mkdir(parents=True, exist_ok=True)
        raw = p.read_bytes()
        if k in (5, 20, 59):
            bad[k] = to
            raw = raw[:len(raw) // 2]
        to.write_bytes(raw)
    return bad, "image:%s/set" % tmp_path


def test_skip_bad(made, damaged):
    bad, spec = damaged
    everything = traced(made, data="image:{0}/set")
    for threads in (1, 4):
        got = traced(made, "--skip-bad", "--threads", threads, data=spec)
        assert list(got) == [k for k in range(N) if k not in bad] and all(got[k] == everything[k] for k in got)
        r = run(made, "--skip-bad", "--threads", threads, data=spec)
        assert r["skipped"] == 3 and r["samples"] == N - 3 and not r["partial"] and r["planned"] == N
        assert [s["sample"] for s in r["skipped_samples"]] == list(bad)
        assert all(str(bad[s["sample"]]) in s["reason"] for s in r["skipped_samples"])
    text = tool("mstrun", made[0] / "m.bin", spec, "--skip-bad").stdout
    assert "3 samples were skipped:" in text and "  20: " in text
    job = ("mstcalib", FIXTURES / "swin-ts.onnx", made[0] / "m.bin", spec, "-T", 2, "--json", "-", "--quiet")
    calib = json.loads(tool(*job, "--skip-bad").stdout)
    assert calib["skipped"] == 3 and calib["samples"] == N - 3
    x = np.zeros((3, 3, SIDE, SIDE), np.float32)
    x[1, 0, 0, 0] = np.nan
    np.save(made[0] / "nan.npy", x)
    assert run(made, "--skip-bad", data="{0}/nan.npy")["skipped"] == 1
    np.save(made[0] / "nan.npy", x * np.nan)
    assert "none of 3 samples could be used" in run(made, "--skip-bad", data="{0}/nan.npy", code=1)


def test_an_error_gives_the_results_so_far(made, damaged, tmp_path):
    bad, spec = damaged
    before = run(made, "--first", 5, data="image:{0}/set")
    for threads in (1, 4):
        done = tool("mstrun", made[0] / "m.bin", spec, "--threads", threads, "--json", tmp_path / "r.json", code=1)
        r = json.loads((tmp_path / "r.json").read_text())
        assert r["partial"] and r["planned"] == N and r["samples"] == 5 and str(bad[5]) in done.stderr
        assert "PARTIAL: the run ended after 5 of 60 samples" in done.stdout
        same = ("spikes_per_sample", "at", "layers", "labelled", "classes_seen")
        assert all(r[k] == before[k] for k in same)
    done = tool("mstcalib", FIXTURES / "swin-ts.onnx", made[0] / "m.bin", spec, "-T", 2, "--json", tmp_path / "c.json", code=1)
    r = json.loads((tmp_path / "c.json").read_text())
    assert r["partial"] and r["samples"] == 5 and "PARTIAL" in done.stdout


def interrupted(made, after, number, *args, **how):
    """A run that gets a signal after so many seconds: (exit status, stderr)."""
    data = "npy:{0}/x.npy,{0}/y.npy".format(made[0])
    process = subprocess.Popen([str(BUILD / "mstrun"), str(made[0] / "m.bin"), data, *map(str, args)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, **how)
    time.sleep(after)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def interrupted_between(made, number, *args):
    """The same, at a moment when some samples of this run are done and some are not, however fast the machine is."""
    after = 0.5
    for _ in range(8):
        code, out, err = interrupted(made, after, number, *args)
        done = re.search(r"interrupted after (\d+)", err)
        if code == 1 and done is not None and "PARTIAL" in out:
            return int(done.group(1)), out, err
        after *= 0.5 if code == 0 else 2
    raise AssertionError("never between: %s" % err)


LONG = ("-T", 1000, "--schedule", "step", "--threads", 2)  # some seconds for all samples


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_gives_the_results_so_far(made, tmp_path, number):
    _, out, _ = interrupted_between(made, number, *LONG, "--json", tmp_path / "r.json")
    r = json.loads((tmp_path / "r.json").read_text())
    assert r["partial"] and 0 < r["samples"] < N and "PARTIAL: the run ended after %d of 60" % r["samples"] in out
    same = run(made, "-T", 1000, "--first", r["samples"])
    assert r["layers"] == same["layers"] and r["at"] == same["at"]
    assert not [n for n in os.listdir(tmp_path) if "mst-tmp" in n]


def test_resume(made, tmp_path):
    """Interrupted twice, killed once: the same JSON as in one go."""
    journal = tmp_path / "j.json"
    whole = run(made, *LONG, "--skip-bad")
    seen = []
    for k in range(2):
        done, _, _ = interrupted_between(made, signal.SIGINT, *LONG, "--skip-bad", "--resume", journal, "--json",
                                         tmp_path / "p.json")
        seen.append(json.loads((tmp_path / "p.json").read_text())["samples"])
        assert seen[-1] == done
        assert json.loads(journal.read_text())["states"][0]["done"] == seen[-1]
    assert 0 < seen[0] <= seen[1] < N
    kept = journal.read_bytes()
    interrupted(made, 0.3, signal.SIGKILL, *LONG, "--skip-bad", "--resume", journal)
    assert journal.read_bytes() == kept
    last = run(made, *LONG, "--skip-bad", "--resume", journal)
    assert lasting(last) == lasting(whole)
    again = run(made, *LONG, "--skip-bad", "--resume", journal)  # nothing is left to do
    assert lasting(again) == lasting(whole)
    for args, says in ((("--seed", 9), "'seed' is"), (("-n", 10), "'samples' is"), (("--mask", "q=0.7"), "'network' is"), (("-T", 7), "'T' is")):
        assert says in run(made, *LONG, "--skip-bad", "--resume", journal, *args, code=1)
        assert json.loads(journal.read_text())["states"][0]["done"] == N
    for text, says in (("{", "line 1"), ('{"tool": "mstrun"}', "expected a journal"), (journal.read_text().replace('"done": 60', '"done": 59'), "not whole")):
        (tmp_path / "bad.json").write_text(text)
        assert says in run(made, *LONG, "--skip-bad", "--resume", tmp_path / "bad.json", "--force", code=1)
        assert (tmp_path / "bad.json").read_text() == text
    run(made, "--resume", "-", code=2)


def test_resume_of_several_levels(made, tmp_path):
    args = ("--mode", "count", "--levels", "4,8,16")
    whole = run(made, *args)
    (tmp_path / "j.json").write_text("")
    assert [r["spikes_per_sample"] for r in run(made, *args, "--resume", tmp_path / "j.json")["runs"]] == [r["spikes_per_sample"] for r in whole["runs"]]
    states = json.loads((tmp_path / "j.json").read_text())["states"]
    assert [s["levels"] for s in states] == [4, 8, 16] and all(s["done"] == N for s in states)
