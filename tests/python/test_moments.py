"""The tools are killed, or their disk is full, at some random moments; `make fault-moments` takes 200 (tests/faults/moments.py)."""
import json
import subprocess
import sys

import pytest

from built import BUILD, ROOT

FAULTS = ROOT / "tests" / "faults"
sys.path.insert(0, str(FAULTS))
import moments  # noqa: E402


@pytest.mark.parametrize("kind", moments.KINDS)
def test_some_moments(kind):
    if kind == "call" and not (BUILD / "tests/faults/fail_kth.so").exists():
        pytest.skip("tests/faults/fail_kth.so is not built")
    if kind == "disk" and subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    done = subprocess.run([sys.executable, FAULTS / "moments.py", BUILD, "-n", "14", kind], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0 and done.stdout.startswith(kind + ": 14 trials, ") and done.stdout.endswith("; 0 wrong\n"), done.stdout + done.stderr


def test_the_judge(tmp_path):
    """It sees what it is there for."""
    t = moments.Trial(BUILD, tmp_path, "mstrun-resume", tmp_path)
    one = {k: json.dumps({"a": 1, "timing": k}).encode() for k in ("r.json", "other")}
    good = {"r.json": one["r.json"], "p.npz": b"PK new", "t.csv": b"new", "q.npz": b"PK"}
    old = {out: moments.OLD for out in t.outputs}
    for files, code, how in ((old, 1, "old"), (old, -9, "old"), (good, 0, "done"), (good, -9, "new"), (dict(good, **{"r.json": one["other"]}), 0, "done"),
                             (dict(good, **{"j.json": b"{}", "j.json.rows": b"M", "j.json.trace": b"M", "j.json.raster": b"M"}), 0, "done"), (dict(good, **{"p.npz": moments.OLD}), -9, "between"),
                             (dict(good, **{"p.npz": moments.OLD}), 1, "between"), (dict(old, **{"p.npz.mst-tmp0": b"x"}), -9, "old")):
        assert t.judge(files, good, code) == (how, None)
    for files, code in ((old, 0), (dict(good, **{"p.npz": moments.OLD}), 0), (dict(good, **{"p.npz.mst-tmp0": b"x"}), 0), (dict(old, x=b""), -9),
                        (dict(old, **{"p.npz": b"PK"}), -9), (dict(old, **{"r.json": b"{"}), 1), ({"r.json": moments.OLD}, -9), (old, -11), (old, 2),
                        (dict(good, **{"r.json": b'{"a": 2}'}), 0), (dict(old, **{"p.npz": b""}), 1)):
        assert t.judge(files, good, code)[1] is not None
    t = moments.Trial(BUILD, tmp_path, "mstcalib", tmp_path)
    good = {"c.json": b"{}", "c.html": b"new</html>"}
    assert t.judge(good, good, 1)[1] == t.judge(dict(good, **{"c.json": moments.OLD}), good, 1)[1] == "some are new"
