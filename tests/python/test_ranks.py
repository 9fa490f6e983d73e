"""mstrun and mstcalib by several MPI processes: the results are those of one, to the byte, and what fails in one ends all."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, lasting, tool
from support import FIXTURES
from test_long_runs import N, _made, run  # noqa: F401  (a fixture)

pytestmark = [
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="mpirun is not installed (make deps MPI=1)"),
    pytest.mark.skipif(not (BUILD / "mpi" / "mstrun").exists(), reason="not built with MPI (make MPI=1)")]
ENV = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
           OMPI_MCA_hwloc_base_binding_policy="none")
LONG = ("-T", 200, "--schedule", "step")
SETS = "npy:{0}/x.npy,{0}/y.npy"


def start(*groups, name="mstrun"):
    """mpirun: of each (ranks, arguments), programs that share a run."""
    words = ["mpirun"]
    for n, args in groups:
        words += ([":"] if len(words) > 1 else []) + ["-np", str(n), str(BUILD / "mpi" / name)] + [str(a) for a in args]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)


def ranks(*groups, code=0, name="mstrun"):
    """What they printed; of a failure the line of it, which must be one."""
    process = start(*groups, name=name)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, "exit status %d: %s\n%s" % (process.returncode, out[-2000:], err[-2000:])
    said = [line for line in err.splitlines() if line.startswith(name + ": error: ")]
    assert len(said) == (1 if code else 0), err
    return said[0] if code else out


def shared(made, n, *args, data=SETS, code=0):
    out = ranks((n, (made[0] / "m.bin", data.format(made[0]), "--json", "-", "--quiet", "--threads", 1) + args), code=code)
    return out if code else json.loads(out)


def workers(process, n, name="mstrun"):
    """Process numbers of the ranks, once they are there."""
    for _ in range(200):
        pids = []
        for pid in pathlib.Path("/proc/%d/task/%d/children" % (process.pid, process.pid)).read_text().split():
            try:
                if os.readlink("/proc/%s/exe" % pid).endswith("/" + name):
                    pids.append(int(pid))
            except OSError:
                pass
        if len(pids) == n:
            return pids
        time.sleep(.05)
    raise AssertionError("no ranks")


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_ranks_are_one_process(made, n):
    assert json.dumps(lasting(shared(made, n))) == json.dumps(lasting(run(made)))
    assert shared(made, n)["provenance"].get("ranks", 1) == n


@pytest.mark.parametrize("args", [
    ("-n", 17), ("--shuffle", 4, "--every", 2), ("--mode", "radix", "--levels", 7), ("--mode", "ann"), ("--mode", "count", "--levels", "4,8,16"),
    ("--at", "1,3", "-T", 5, "--readout-from", 2), ("--seed", 2 ** 64 - 1), ("--mask", "q=0.3"), ("-n", 2), ("--threads", 7)],
    ids=lambda a: " ".join(map(str, a)))
def test_whatever_is_run(made, args):
    assert json.dumps(lasting(shared(made, 3, *args))) == json.dumps(lasting(run(made, *args)))


def test_ranks_of_other_speed(made):
    """And kernels, schedules, threads: rank 1 does what it can meanwhile."""
    same = (made[0] / "m.bin", SETS.format(made[0]), "--quiet", "-T", 40)
    out = ranks((1, same + ("--json", "-")), (1, same + ("--isa", "scalar", "--schedule", "step", "--threads", 1)), (1, same + ("--threads", 4)))
    assert json.dumps(lasting(json.loads(out))) == json.dumps(lasting(run(made, "-T", 40)))


def test_a_rank_that_sleeps_holds_its_own_samples_only(made):
    """What it had taken is done when it wakes up; all else is done by then."""
    want = run(made, *LONG)
    process = start((3, (made[0] / "m.bin", SETS.format(made[0]), "--json", "-", "--quiet") + LONG))
    pid = workers(process, 3)[2]
    time.sleep(.7)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    os.kill(pid, signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.dumps(lasting(json.loads(out))) == json.dumps(lasting(want))


def bad_samples(folder, at):
    x = np.random.default_rng(0).normal(size=(N, 3, 16, 16)).astype("f4")
    for k in at:
        x[k, 0, 0, 0] = np.nan
    np.save(folder / "x.npy", x)
    return str(folder / "x.npy")


def test_samples_that_are_skipped(made, tmp_path):
    spec = bad_samples(tmp_path, (0, 1, 2, 3, 4, 30, 59))
    assert json.dumps(lasting(shared(made, 4, "--skip-bad", data=spec))) == json.dumps(lasting(run(made, "--skip-bad", data=spec)))
    spec = bad_samples(tmp_path, range(N))
    assert shared(made, 3, "--skip-bad", data=spec, code=1) == run(made, "--skip-bad", data=spec, code=1).strip()


def test_a_sample_that_fails_is_the_first_that_does(made, tmp_path):
    """The results of those before it are those of one process."""
    spec = bad_samples(tmp_path, (41, 23, 57))
    args = (made[0] / "m.bin", spec, "--quiet")
    one = tool("mstrun", *args, "--json", tmp_path / "one.json", code=1).stderr.strip()
    assert ranks((4, args + ("--threads", 1, "--json", tmp_path / "all.json")), code=1) == one and "sample 23" in one
    a, b = (json.loads((tmp_path / n).read_text()) for n in ("one.json", "all.json"))
    assert json.dumps(lasting(a)) == json.dumps(lasting(b)) and a["samples"] == 23 and a["partial"]


def test_what_fails_in_one_rank_ends_all(made, tmp_path):
    """With its line, before anything is written."""
    good, out = (made[0] / "m.bin", SETS.format(made[0]), "--quiet"), tmp_path / "r.json"
    for bad, says in (((tmp_path / "no.bin",) + good[1:], "no.bin: cannot open it"), ((good[0], "npy:%s" % (tmp_path / "no.npy"), "--quiet"), "no.npy"),
                      (good + ("-n", 5), "something else than rank 0"), (good + ("--seed", 5), "something else"), (good + ("--mask", "q=.9"), "something else"),
                      (good + ("--first", 0), "--first: expected")):
        line = ranks((2, good + ("--json", out)), (1, bad), code=1)
        assert line.startswith("mstrun: error: rank 2 (") and says in line and not out.exists()
    assert "no.npy" in ranks((1, (good[0], tmp_path / "no.npy", "--json", out)), (2, good), code=1)
    line = ranks((2, good + ("--trace", tmp_path / "t.csv")), code=2)
    assert "--trace: expected one process with it, found 2 ranks" in line and not (tmp_path / "t.csv").exists()


def test_a_rank_that_is_killed_ends_all(made, tmp_path):
    out = tmp_path / "r.json"
    process = start((3, (made[0] / "m.bin", SETS.format(made[0]), "--json", out) + LONG))
    os.kill(workers(process, 3)[1], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and "signal 9" in err, err
    assert not out.exists() and not [n for n in os.listdir(tmp_path) if "mst-tmp" in n]


def stopped(made, folder, after, *args):
    """Rank 0 gets SIGTERM after so many seconds, unless it is done by then."""
    process = start((3, (made[0] / "m.bin", SETS.format(made[0]), "--json", folder / "p.json", "--force", "--threads", "1") + args))
    pid = workers(process, 3)
    time.sleep(after)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid[0], signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_interrupted_and_resumed(made, tmp_path):
    """Twice by ranks, and ended by one process: the JSON of one go."""
    journal, want = tmp_path / "j.json", run(made, *LONG)
    for _ in range(2):
        after, said = 1., None
        for _ in range(8):
            code, out, err = stopped(made, tmp_path, after, *LONG, "--resume", journal)
            said = re.search(r"interrupted after (\d+) of 60", err)
            if said is not None and 0 < int(said.group(1)) < N:
                break
            after *= .6 if code == 0 else 1.5
            if code == 0:
                journal.unlink()
        assert said is not None and "PARTIAL" in out, err
        assert json.loads((tmp_path / "p.json").read_text())["samples"] == int(said.group(1)) == json.loads(journal.read_text())["states"][0]["done"]
    assert json.dumps(lasting(run(made, *LONG, "--resume", journal))) == json.dumps(lasting(want))
    assert json.dumps(lasting(shared(made, 3, *LONG, "--resume", journal))) == json.dumps(lasting(want))


ONNX = FIXTURES / "swin-ts.onnx"


def calib(made, *args, data=SETS, code=0, n=0):
    """mstcalib's JSON: of so many ranks; 0: of one process."""
    words = (ONNX, made[0] / "m.bin", data.format(made[0]), "--json", "-", "--quiet") + args
    out = ranks((n, words + ("--threads", 1)), name="mstcalib", code=code) if n else tool("mstcalib", *words, code=code).stdout
    return out if code else lasting(json.loads(out))


@pytest.mark.parametrize("args", [
    (), ("-T", "2,4"), ("-n", 17, "--shuffle", 4), ("--mode", "count"), ("--mode", "radix", "--levels", 7), ("--mask", "q=0.3", "--ann-masks", "mean"), ("-n", 2)],
    ids=lambda a: " ".join(map(str, a)))
def test_calibration_by_ranks(made, args):
    want = json.dumps(calib(made, *args))
    assert all(json.dumps(calib(made, *args, n=n)) == want for n in (1, 3, 4))


def test_calibration_by_ranks_of_other_speed(made):
    same = (ONNX, made[0] / "m.bin", SETS.format(made[0]), "--quiet", "-T", 40)
    out = json.loads(ranks((1, same + ("--json", "-")), (1, same + ("--isa", "scalar", "--threads", 1)), (1, same + ("--threads", 4)), name="mstcalib"))
    assert out["provenance"]["ranks"] == 3 and json.dumps(lasting(out)) == json.dumps(calib(made, "-T", 40))


def test_calibration_of_bad_samples_by_ranks(made, tmp_path):
    spec = bad_samples(tmp_path, (0, 1, 2, 3, 4, 30, 59))
    assert json.dumps(calib(made, "--skip-bad", data=spec, n=3)) == json.dumps(calib(made, "--skip-bad", data=spec))
    args = (ONNX, made[0] / "m.bin", bad_samples(tmp_path, (41, 23, 57)), "--quiet", "-T", 2)
    one = tool("mstcalib", *args, "--json", tmp_path / "one.json", code=1).stderr.strip()
    assert ranks((3, args + ("--threads", 1, "--json", tmp_path / "all.json")), code=1, name="mstcalib") == one and "sample 23" in one
    a, b = (json.loads((tmp_path / n).read_text()) for n in ("one.json", "all.json"))
    assert json.dumps(lasting(a)) == json.dumps(lasting(b)) and a["samples"] == 23 and a["partial"]
    spec = bad_samples(tmp_path, range(N))
    line = ranks((3, (ONNX, made[0] / "m.bin", spec, "--skip-bad", "--quiet")), code=1, name="mstcalib")
    assert "none of 60 samples could be used" in line


def test_what_fails_in_one_rank_ends_a_calibration(made, tmp_path):
    good, out = (ONNX, made[0] / "m.bin", SETS.format(made[0]), "--quiet"), tmp_path / "r.json"
    for bad, says in ((good[:1] + (tmp_path / "no.bin",) + good[2:], "no.bin: cannot open it"), (good + ("-T", 3), "something else than rank 0"), (good + ("-n", 5), "something else"),
                      (good + ("--ann-masks", "mean", "--mask", "q=.2"), "something else"), (good + ("--first", 0), "--first: expected")):
        line = ranks((2, good + ("--json", out)), (1, bad), code=1, name="mstcalib")
        assert line.startswith("mstcalib: error: rank 2 (") and says in line and not out.exists()
    for more in (("--attribute",), ("--html", tmp_path / "p.html"), ("--tune", tmp_path / "t.bin"), ("--search-masks", tmp_path / "p.yaml"), ("--exit-budget", 1)):
        assert "%s: expected one process with it, found 2 ranks" % more[0] in ranks((2, good + more), code=2, name="mstcalib")
    assert not list(tmp_path.iterdir())


def test_a_calibration_interrupted_and_resumed_by_ranks(made, tmp_path):
    """By ranks, then by one process, then by ranks again: the JSON of one go."""
    journal, long = tmp_path / "j.json", ("-T", 300)
    words, want = (ONNX, made[0] / "m.bin", SETS.format(made[0]), "--quiet") + long, json.dumps(calib(made, *long))
    after, said = 1., None
    for _ in range(8):
        process = start((3, words + ("--threads", 1, "--resume", journal, "--json", tmp_path / "p.json", "--force")), name="mstcalib")
        pid = workers(process, 3, "mstcalib")[0]
        time.sleep(after)
        os.kill(pid, signal.SIGTERM)
        _, err = process.communicate(timeout=120)
        said = re.search(r"interrupted after (\d+) of 60", err)
        if said is not None and 0 < int(said.group(1)) < N:
            break
        after *= .6 if process.returncode == 0 else 1.5
        if process.returncode == 0:
            journal.unlink()
    assert said is not None and json.loads((tmp_path / "p.json").read_text())["samples"] == int(said.group(1))
    kept = journal.read_bytes()
    assert json.dumps(calib(made, *long, "--resume", journal)) == want
    journal.write_bytes(kept)
    assert json.dumps(calib(made, *long, "--resume", journal, n=3)) == want
