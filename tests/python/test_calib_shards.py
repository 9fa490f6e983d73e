"""mstcalib --shard, --merge and --resume: sums over samples are exact, so that parts, put together in any order, and a run that
was interrupted, are one run to the byte."""
import json
import random
import re
import signal
import subprocess
import time
from fractions import Fraction
from math import comb

import numpy as np
import onnx
import pytest

from built import BUILD, lasting, tool
from parts import SETS, Parts, damaged, text
from support import FIXTURES
from test_long_runs import N, _made  # noqa: F401  (a fixture)

ONNX = FIXTURES / "swin-ts.onnx"
CALIB = Parts("mstcalib", ONNX, ways=((), ("--threads", 1), ("--isa", "scalar"), ("--threads", 5)))
FIGURES = ("at", "energy")  # not read
job, shards, whole, merged = CALIB.job, CALIB.shards, CALIB.whole, CALIB.merged


@pytest.mark.parametrize("n", [1, 3, 7, N])
def test_parts_are_the_whole(made, tmp_path, n):
    paths = shards(made, tmp_path, n, "-T", "2,4")
    random.Random(n).shuffle(paths)
    assert text(merged(tmp_path, paths)) == text(whole(made, tmp_path, "-T", "2,4"))
    said = json.loads((tmp_path / "merged.json").read_text())["provenance"]["parts"]
    assert [p["file"] for p in said] == [str(tmp_path / ("part%d.json" % (i + 1))) for i in range(n)]


@pytest.mark.parametrize("args", [
    ("-n", 17), ("--shuffle", 4, "--every", 2), ("--mode", "count"), ("--mode", "radix", "--levels", 7), ("-T", 5, "--readout-from", 2),
    ("--seed", 2 ** 64 - 1), ("--mask", "q=0.3", "--ann-masks", "mean"), ("--threads", 1)], ids=lambda a: " ".join(map(str, a)))
def test_whatever_is_run(made, tmp_path, args):
    assert text(merged(tmp_path, shards(made, tmp_path, 4, *args))) == text(whole(made, tmp_path, *args))


def test_stored_weights(made, tmp_path):
    tool("mstconv", ONNX, "-o", made[0] / "i8.bin", "--timesteps", 4, "--quiet", "--weights", "int8", "--force")
    paths = shards(made, tmp_path, 3, model="i8.bin")
    assert text(merged(tmp_path, paths)) == text(whole(made, tmp_path, model="i8.bin"))
    assert json.loads((tmp_path / "merged.json").read_text())["stored_logit_rel_l2"] > 0


def test_order_of_samples_does_not_matter(made, tmp_path):
    """As it did when means were running."""
    def figures(*args):
        tool(*job(made), "-T", 4, *args, "--json", tmp_path / "o.json", "--quiet", "--force")
        return {k: v for k, v in lasting(json.loads((tmp_path / "o.json").read_text())).items() if k in ("at", "layers")}
    assert figures("--shuffle", 1) == figures("--shuffle", 2) == figures()


def test_text_is_that_of_the_whole(made, tmp_path):
    for args in (("-T", "2,4"), ("--mode", "count")):
        one, many = tool(*job(made), *args).stdout, tool("mstcalib", "--merge", *shards(made, tmp_path, 3, *args)).stdout
        assert one == many


def test_samples_that_are_skipped(made, tmp_path):
    x = np.random.default_rng(0).normal(size=(N, 3, 16, 16)).astype("f4")
    for k in (0, 1, 2, 3, 4, 5, 30, 59):
        x[k, 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(N) % 4)
    spec = "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy")
    paths = shards(made, tmp_path, 12, "--skip-bad", "-T", 2, data=spec)  # nothing is left of the first
    first = json.loads(paths[0].read_text())
    assert first["samples"] == 0 and first["layers"][0]["max"] is None and first["layers"][0]["mae"] is None
    done = tool(*job(made, data=spec), "--skip-bad", "-T", 2, "--shard", "1/12")
    assert "no sample could be used" in done.stdout and "nan spikes" not in done.stdout
    assert "mstcalib: warning: none of 5 samples of this part could be used; the first: " in done.stderr
    one = json.loads(whole(made, tmp_path, "--skip-bad", "-T", 2, data=spec).read_text())
    assert one["skipped"] == 8 and one["classes_seen"] == 4 and text(merged(tmp_path, paths)) == text(tmp_path / "whole.json")
    np.save(tmp_path / "x.npy", np.full((4, 3, 16, 16), np.nan, np.float32))
    spec = str(tmp_path / "x.npy")
    paths = shards(made, tmp_path, 2, "--skip-bad", data=spec)
    assert "none of 4 samples could be used; the first: " in merged(tmp_path, paths, code=1)


LONG = ("-T", 400, "--threads", 2)


def interrupted(made, folder, journal):
    """At a moment when some samples are done and some are not: how many."""
    after = 1.
    for _ in range(8):
        words = [str(BUILD / "mstcalib")] + [str(a) for a in job(made)[1:] + LONG] + ["--resume", str(journal), "--json", str(folder / "p.json"), "--force"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        done = re.search(r"interrupted after (\d+)", err)
        if process.returncode == 1 and done is not None and "PARTIAL" in out:
            return int(done.group(1))
        if process.returncode == 0:
            journal.unlink()
        after *= .5 if process.returncode == 0 else 1.5
    raise AssertionError("never between: %s" % err)


def test_interrupted_twice_and_resumed(made, tmp_path):
    journal, want = tmp_path / "j.json", text(whole(made, tmp_path, *LONG))
    for _ in range(2):
        done = interrupted(made, tmp_path, journal)
        assert 0 < done < N and json.loads((tmp_path / "p.json").read_text())["samples"] == done == json.loads(journal.read_text())["states"][0]["done"]
    for _ in range(2):  # nothing is left to do the second time
        assert text(whole(made, tmp_path, *LONG, "--resume", journal)) == want
    for args, says in ((("--seed", 9), "'seed' is"), (("-n", 10), "'samples' is"), (("--mask", "q=0.7"), "'network' is"), (("-T", 7), "'T' is"),
                       (("--ann-masks", "mean"), "'ann_masks' is")):
        assert says in tool(*job(made), *LONG, "--resume", journal, *args, code=1).stderr
    for bad, says in (("{", "line 1"), ('{"tool": "mstcalib"}', "expected a journal"), (journal.read_text().replace('"done": 60', '"done": 59'), "not whole"),
                      (journal.read_text().replace('"tool": "mstcalib"', '"tool": "mstrun"'), "expected a journal of mstcalib")):
        (tmp_path / "bad.json").write_text(bad)
        assert says in tool(*job(made), *LONG, "--resume", tmp_path / "bad.json", "--force", code=1).stderr
        assert (tmp_path / "bad.json").read_text() == bad


@pytest.mark.parametrize("args, says", [
    (("--mask", "q=0.7"), "'network' is"), (("--mode", "count"), "'mode' is"), (("-T", 3), "'T' is"), (("-T", "1,4"), "'at' is"), (("--seed", 9), "'seed' is"), (("--energy-set", "int8"), "'energy' is"), (("--shuffle", 3), "'picked' is"),
    (("-n", 50), "'selected' is"), (("--skip-bad",), "'skip_bad' is"), (("--readout-from", 2), "'readout_from' is")],
    ids=lambda a: " ".join(map(str, a)))
def test_parts_of_other_runs(made, tmp_path, args, says):
    paths = shards(made, tmp_path, 2)
    (tmp_path / "other").mkdir()
    other = shards(made, tmp_path / "other", 2, *args)
    error = merged(tmp_path, [paths[0], other[1]], code=1)
    assert says in error and str(other[1]) in error and not (tmp_path / "merged.json").exists()


def test_parts_of_other_files(made, tmp_path):
    """Another ANN, other data, another tool; the files themselves may lie elsewhere."""
    a, b = shards(made, tmp_path, 2)
    other = onnx.load(ONNX)
    weight = next(w for w in other.graph.initializer if "proj.weight" in w.name or len(w.dims) == 2)
    weight.CopyFrom(onnx.numpy_helper.from_array(1.5 * onnx.numpy_helper.to_array(weight), weight.name))
    onnx.save(other, tmp_path / "other.onnx")
    tool("mstcalib", tmp_path / "other.onnx", *job(made)[2:], "--shard", "2/2", "--json", tmp_path / "o.json", "--quiet")
    assert "'ann_network' is" in merged(tmp_path, [a, tmp_path / "o.json"], code=1)
    tool(*job(made, data="{0}/x.npy"), "--shard", "2/2", "--json", tmp_path / "o.json", "--quiet", "--force")
    assert "'data' is" in merged(tmp_path, [a, tmp_path / "o.json"], code=1)
    tool("mstrun", made[0] / "m.bin", SETS.format(made[0]), "--shard", "2/2", "--json", tmp_path / "run.json", "--quiet")
    assert "expected a result of mstcalib --json" in merged(tmp_path, [a, tmp_path / "run.json"], code=1)
    (tmp_path / "copy.onnx").write_bytes(ONNX.read_bytes())
    (tmp_path / "copy.bin").write_bytes((made[0] / "m.bin").read_bytes())
    tool("mstcalib", tmp_path / "copy.onnx", tmp_path / "copy.bin", SETS.format(made[0]), "--shard", "2/2", "--json", b, "--quiet", "--force")
    assert text(merged(tmp_path, [a, b])) == text(whole(made, tmp_path))


def test_which_parts(made, tmp_path):
    a, b, c = shards(made, tmp_path, 3)
    assert "part 3 of 3 is missing" in merged(tmp_path, [a, b], code=1)
    assert "part 1 of 3 is missing" in merged(tmp_path, [c, b], code=1)
    assert "are both part 2 of 3" in merged(tmp_path, [a, b, c, b], code=1)
    tool(*job(made), "--shard", "2/2", "--json", tmp_path / "half.json", "--quiet")
    assert "part 2 of 2, where" in merged(tmp_path, [a, tmp_path / "half.json", c], code=1)
    assert "not a part of a run" in merged(tmp_path, [whole(made, tmp_path)], code=1)
    assert "no.json: No such file" in merged(tmp_path, [a, tmp_path / "no.json"], code=1)
    assert not (tmp_path / "merged.json").exists()


def test_usage(made, tmp_path):
    a, b = shards(made, tmp_path, 2)
    assert "not with --seed" in tool("mstcalib", "--merge", a, b, "--seed", 4, code=2).stderr
    tool("mstcalib", "--merge", code=2)
    tool("mstcalib", "--merge", a, b, "--json", a, code=2)  # never over what is read
    assert "'x' beyond them" in tool(*job(made), SETS, "x", code=2).stderr
    for what in (("--tune", tmp_path / "t.bin"), ("--search-masks", tmp_path / "p.yaml"), ("--search-levels", tmp_path / "p.yaml"), ("--exit-budget", 1),
                 ("--attribute",), ("--html", tmp_path / "p.html")):
        for more in (("--shard", "1/2"), ("--resume", tmp_path / "j.json")):
            said = tool(*job(made), *what, *more, code=2).stderr.splitlines()
            assert len(said) == 1 and "%s: not with %s" % (more[0], what[0]) in said[0]
    assert "--resume: expected a file" in tool(*job(made), "--resume", "-", code=2).stderr
    assert "--resume and --map" in tool(*job(made), "--resume", tmp_path / "j.json", "--map", code=2).stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part1.json", "part2.json"]


def test_a_page_of_parts(made, tmp_path):
    """Has the figures, and no pictures."""
    tool("mstcalib", "--merge", *shards(made, tmp_path, 3, "-T", "2,4"), "--html", tmp_path / "p.html", "--json", tmp_path / "m.json", "--quiet")
    page, r = (tmp_path / "p.html").read_text(), json.loads((tmp_path / "m.json").read_text())
    assert "%.2f %%" % r["at"][-1]["top1_percent"] in page and r["layers"][0]["name"] in page


def test_damaged_files(made, tmp_path):
    """One line of error, whatever a file has become, or a result where it matters to none; sums, too."""
    a, b = shards(made, tmp_path, 2, "-T", 2)
    good, refused = json.loads(b.read_text()), 0
    rng = random.Random(1)
    for bad in damaged(good, 120, rng, FIGURES):
        b.write_text(json.dumps(bad))
        done = tool("mstcalib", "--merge", a, b, "--json", "-", "--quiet", code=None)
        refused += done.returncode
        assert done.returncode == 0 or len(done.stderr.splitlines()) == 1
    assert refused > 60
    for line in range(len(good["sums"]["lines"])):
        bad = json.loads(json.dumps(good))
        words = bad["sums"]["lines"][line].split(" ")
        words[rng.randrange(len(words))] = rng.choice(["", "x", "-", "1:99", "-0x1p0", "1e", "1 1"])
        bad["sums"]["lines"][line] = " ".join(words)
        b.write_text(json.dumps(bad))
        assert "of its sums is none" in merged(tmp_path, [a, b], code=1)
    for change in (lambda r: r["sums"]["lines"].pop(), lambda r: r["sums"]["lines"].append(r["sums"]["lines"][-1]), lambda r: r["sums"].pop("at"),
                   lambda r: r["layers"].pop(), lambda r: r["layers"].append(dict(r["layers"][0], neurons=7)), lambda r: r["sums"].update(samples=31),
                   lambda r: r["sums"]["at"][0].update(right=r["sums"]["at"][0]["right"] + 1), lambda r: r["ann"].update(flipped=10 ** 9),
                   lambda r: r["confusion"].append([0, 99, 1]), lambda r: r["ann"]["flips"].append({}), lambda r: r.update(planned=29),
                   lambda r: r.update(partial=True), lambda r: r.update(skipped=1, skipped_samples=[{"sample": 3, "reason": "read twice"}]),
                   lambda r: r["sums"]["lines"].__setitem__(0, r["sums"]["lines"][0].replace("30", "31", 1))):
        bad = json.loads(json.dumps(good))
        change(bad)
        for order in ([a, b], [b, a]):
            b.write_text(json.dumps(bad))
            done = merged(tmp_path, order, code=1)
            assert len(done.splitlines()) == 1 and not (tmp_path / "merged.json").exists()


def test_parts_that_do_not_say_what_was_run(made, tmp_path):
    part = shards(made, tmp_path, 1, "-T", 2)[0]
    good = json.loads(part.read_text())
    for place in (("model",), ("data",), ("format",), ("energy", "constants", "set"), ("assumed", "normalization"), ("assumed", "masks")):
        bad = json.loads(json.dumps(good))
        parent = bad
        for k in place[:-1]:
            parent = parent[k]
        parent[place[-1]] = None
        part.write_text(json.dumps(bad))
        assert "it does not say what was run" in merged(tmp_path, [part], code=1), place


def test_many_lines_take_no_room_before_they_are_sums(made, tmp_path):
    """A small file cannot ask for much memory."""
    part = shards(made, tmp_path, 1, "-T", 2)[0]
    bad = json.loads(part.read_text())
    bad["layers"] = [dict(bad["layers"][0], name="l%d" % k) for k in range(20000)]
    bad["sums"]["lines"] = bad["sums"]["lines"][:2] + ["0"] * 20000
    part.write_text(json.dumps(bad))
    assert "'sums' is not that of 20000 layers" in merged(tmp_path, [part], code=1)


def test_damaged_journals(made, tmp_path):
    journal = tmp_path / "j.json"
    want = text(whole(made, tmp_path, "-T", 2, "--resume", journal))
    good = json.loads(journal.read_text())
    for bad in damaged(good, 80, random.Random(2), FIGURES):
        journal.write_text(json.dumps(bad))
        done = tool(*job(made), "-T", 2, "--resume", journal, "--json", tmp_path / "whole.json", "--quiet", "--force", code=None)
        assert done.returncode == 0 or len(done.stderr.splitlines()) == 1
        assert done.returncode == 0 or journal.read_text() == json.dumps(bad)
    journal.write_text(json.dumps(good))
    assert text(whole(made, tmp_path, "-T", 2, "--resume", journal)) == want


def test_how_sure_it_is(made, tmp_path):
    """McNemar's exact p and the interval of Clopper and Pearson, against sums of binomial terms, as fractions."""
    r = json.loads(whole(made, tmp_path, "-T", "1,2,4").read_text())
    parts = json.loads(shards(made, tmp_path, 1, "-T", "1,2,4")[0].read_text())["sums"]["at"]

    def tail(k, n, p):  # k or more of n
        return float(sum(comb(n, i) * p ** i * (1 - p) ** (n - i) for i in range(k, n + 1)))
    for at, s in zip(r["at"], parts):
        n, right = s["lost"] + s["gained"], s["right"]
        low, high = (Fraction(at["top1_%s_percent" % end]) / 100 for end in ("low", "high"))
        assert at["loss_p"] == pytest.approx(min(1, 2 * tail(max(s["lost"], s["gained"]), n, Fraction(1, 2))), rel=1e-9)
        assert 0 < low < Fraction(right, N) < high < 1
        assert tail(right, N, low) == pytest.approx(.025, rel=1e-7) and 1 - tail(right + 1, N, high) == pytest.approx(.025, rel=1e-7)
    assert any(0 < at["loss_p"] < 1 for at in r["at"])
