"""mstrun --shard and --merge: the results of the parts of a run, put together, are those of the run, to the byte; and what
does not go together is refused by name."""
import json
import random

import numpy as np
import pytest

from built import tool
from parts import Parts, damaged, text
from test_long_runs import LONG, _made, interrupted_between  # noqa: F401  (a fixture)

N = 60
RUN = Parts("mstrun", ways=((), ("--threads", 1), ("--isa", "scalar"), ("--schedule", "step")))
shards, whole, merged = RUN.shards, RUN.whole, RUN.merged


@pytest.mark.parametrize("n", [1, 3, 7, N])
def test_parts_are_the_whole(made, tmp_path, n):
    paths = shards(made, tmp_path, n)
    assert sum(json.loads(p.read_text())["samples"] for p in paths) == N
    assert all(json.loads(p.read_text())["shard"] == {"index": i + 1, "of": n} for i, p in enumerate(paths))
    random.Random(n).shuffle(paths)
    assert text(merged(tmp_path, paths)) == text(whole(made, tmp_path))
    said = json.loads((tmp_path / "merged.json").read_text())["provenance"]["parts"]
    assert [p["file"] for p in said] == [str(tmp_path / ("part%d.json" % (i + 1))) for i in range(n)]


@pytest.mark.parametrize("args", [
    ("-n", 17), ("--shuffle", 4, "--every", 2), ("--mode", "count"), ("--mode", "radix", "--levels", 7), ("--mode", "ann"),
    ("--mode", "count", "--levels", "4,8,16"), ("--at", "1,3", "-T", 5, "--readout-from", 2), ("--seed", 2 ** 64 - 1),
    ("--energy-set", "int8", "--energy-ac", "0.1234567890123", "--alpha", "3e-13"), ("--mask", "q=0.3")],
    ids=lambda a: " ".join(map(str, a)))
def test_whatever_is_run(made, tmp_path, args):
    assert text(merged(tmp_path, shards(made, tmp_path, 4, *args))) == text(whole(made, tmp_path, *args))


def test_text_is_that_of_the_whole(made, tmp_path):
    args = ("mstrun", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]))
    one, many = tool(*args).stdout, tool("mstrun", "--merge", *shards(made, tmp_path, 3)).stdout
    assert [l for l in one.splitlines()[1:] if "samples/s" not in l] == [l for l in many.splitlines()[1:] if "samples/s" not in l]
    assert many.splitlines()[0] == one.splitlines()[0].split(", kernels")[0]


def test_samples_that_are_skipped(made, tmp_path):
    x = np.zeros((N, 3, 16, 16), np.float32)
    x += np.random.default_rng(0).normal(size=x.shape).astype("f4")
    for k in (0, 1, 2, 3, 4, 5, 30, 59):
        x[k, 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(N) % 10)
    spec = "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy")
    paths = shards(made, tmp_path, 12, "--skip-bad", data=spec)  # nothing is left of the first
    assert json.loads(paths[0].read_text())["samples"] == 0
    one = json.loads(whole(made, tmp_path, "--skip-bad", data=spec).read_text())
    assert one["skipped"] == 8 and text(merged(tmp_path, paths)) == text(tmp_path / "whole.json")


def test_nothing_that_can_be_used(made, tmp_path):
    """As of one run."""
    np.save(tmp_path / "x.npy", np.full((4, 3, 16, 16), np.nan, np.float32))
    paths = shards(made, tmp_path, 2, "--skip-bad", data=str(tmp_path / "x.npy"))
    one = tool("mstrun", made[0] / "m.bin", tmp_path / "x.npy", "--skip-bad", code=1).stderr
    error = merged(tmp_path, paths, code=1)
    assert "none of 4 samples could be used; the first: " in error and error == one


def test_interrupted_and_resumed(made, tmp_path):
    """A part twice, to the same bytes; and the whole from that."""
    whole(made, tmp_path, *LONG)
    shards(made, tmp_path, 2, *LONG)
    before, journal = text(tmp_path / "part1.json"), tmp_path / "j.json"
    for _ in range(2):
        interrupted_between(made, 2, *LONG, "--shard", "1/2", "--resume", journal, "--json", tmp_path / "part1.json", "--force")
    assert json.loads((tmp_path / "part1.json").read_text())["partial"]
    assert "part1.json: it ended before all its samples were done" in merged(
        tmp_path, [tmp_path / "part1.json", tmp_path / "part2.json"], code=1)
    tool("mstrun", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), *LONG, "--shard", "1/2", "--resume", journal,
         "--json", tmp_path / "part1.json", "--quiet")
    assert text(tmp_path / "part1.json") == before
    assert text(merged(tmp_path, [tmp_path / "part2.json", tmp_path / "part1.json"])) == text(tmp_path / "whole.json")
    other = tool("mstrun", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), *LONG, "--shard", "2/2", "--resume",
                 journal, code=1)
    assert "'picked' is" in other.stderr


@pytest.mark.parametrize("args, says", [
    (("--mask", "q=0.7"), "'network' is"), (("--seed", 9), "'seed' is"), (("--mode", "count"), "'mode' is"), (("-T", 3), "'T' is"),
    (("--at", "1,2"), "'at' is"), (("--shuffle", 3), "'picked' is"), (("-n", 50), "'selected' is"),
    (("--skip-bad",), "'skip_bad' is"), (("--energy-ac", 2), "'energy' is"), (("--readout-from", 2), "'readout_from' is"),
    (("--mode", "count", "--levels", "4,8"), "it has 2 runs, part 1 has 1")], ids=lambda a: " ".join(map(str, a)))
def test_parts_of_other_runs(made, tmp_path, args, says):
    paths = shards(made, tmp_path, 2)
    (tmp_path / "other").mkdir()
    other = shards(made, tmp_path / "other", 2, *args)
    error = merged(tmp_path, [paths[0], other[1]], code=1)
    assert says in error and str(other[1]) in error and not (tmp_path / "merged.json").exists()


def test_parts_of_other_data(made, tmp_path):
    paths = shards(made, tmp_path, 2)
    tool("mstrun", made[0] / "m.bin", made[0] / "x.npy", "--shard", "2/2", "--json", paths[1], "--quiet")
    assert "'data' is" in merged(tmp_path, paths, code=1)


def test_the_model_may_lie_elsewhere(made, tmp_path):
    """As long as it is the same."""
    paths, want = shards(made, tmp_path, 2), text(whole(made, tmp_path))
    (tmp_path / "copy.bin").write_bytes((made[0] / "m.bin").read_bytes())
    tool("mstrun", tmp_path / "copy.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), "--shard", "2/2", "--json", paths[1], "--quiet")
    assert text(merged(tmp_path, paths)) == want


def test_what_is_missing_or_there_twice(made, tmp_path):
    a, b, c = shards(made, tmp_path, 3)
    assert "part 3 of 3 is missing" in merged(tmp_path, [a, b], code=1)
    assert "part 1 of 3 is missing" in merged(tmp_path, [c, b], code=1)
    assert "are both part 2 of 3" in merged(tmp_path, [a, b, c, b], code=1)
    (tmp_path / "other").mkdir()
    two = shards(made, tmp_path / "other", 2)
    assert "part 1 of 2, where" in merged(tmp_path, [a, two[0], b, c], code=1)
    assert "not a part of a run" in merged(tmp_path, [whole(made, tmp_path)], code=1)
    tool("mstrun", "--merge", code=2)
    assert "not with --seed" in tool("mstrun", "--merge", a, b, c, "--seed", 4, code=2).stderr
    for bad in ("0/3", "4/3", "3", "/", "1/0", "1/5000", "a/b", "1/2/3"):
        assert "--shard" in tool("mstrun", made[0] / "m.bin", made[0] / "x.npy", "--shard", bad, code=2).stderr
    few = tool("mstrun", made[0] / "m.bin", made[0] / "x.npy", "-n", 2, "--shard", "1/3", code=1).stderr
    assert "2 samples are fewer than the parts" in few
    tool("mstrun", "--merge", a, b, c, "--json", a, code=2)  # never over what is read


def test_damaged_files(made, tmp_path):
    """One line of error, whatever a file has become."""
    a, b = shards(made, tmp_path, 2)
    good = json.loads(b.read_text())
    for text_now in ("", "{", "[]", "null", '{"tool": "mstrun"}', '{"tool": "mstconv", "schema": 1}', b.read_text()[:2000],
                     b.read_text().replace('"schema": 1', '"schema": 2'), b.read_text().replace('"version": "', '"version": "9')):
        b.write_text(text_now)
        assert "part2.json: " in merged(tmp_path, [a, b], code=1)

    for change in (dict(partial=True), dict(skipped=1, skipped_samples=[{"sample": 3, "reason": "read twice"}]), dict(planned=29)):
        b.write_text(json.dumps(dict(good, **change)))
        assert "part2.json: it" in merged(tmp_path, [a, b], code=1)
    for bad in damaged(good, 200, random.Random(1)):
        b.write_text(json.dumps(bad))
        tool("mstrun", "--merge", a, b, "--json", "-", "--quiet", code=None)
