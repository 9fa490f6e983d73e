"""The bundled N-MNIST model on the bundled recordings of the simulated camera, and on the real ones where
MST_SHARED_DATA names a folder with nmnist/ in it: accuracy of both networks, and the demo."""
import json
import os
import pathlib
import subprocess

import pytest

from built import lasting
from support import BUILD, ROOT, snn_reader, tool

MODEL = ROOT / "examples" / "models" / "nmnist-swin.onnx"
RECORDINGS = ROOT / "examples" / "data" / "event-digits"


@pytest.fixture(scope="module")
def bin(tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "nmnist.bin"
    tool("mstconv", MODEL, "-o", out, "--frames", 3, "--split", "time", "--quiet")
    return out


def measured(bin, folder, *args):
    return json.loads(tool("mstcalib", MODEL, bin, "nmnist:%s" % folder, "-T", "64", "--quiet", "--json", "-", *args).stdout)


def test_model_and_recordings_are_small(bin):
    files = sorted(p.relative_to(RECORDINGS) for p in RECORDINGS.rglob("*.bin"))
    assert [str(p.parent) for p in files] == [str(i // 2) for i in range(20)]
    assert MODEL.stat().st_size < 5e6 and sum((RECORDINGS / p).stat().st_size for p in files) < 5e5
    g = snn_reader.load(bin)
    assert (g.frames, g.split, g.present) == (3, "time", "channels") and g.tensors[g.input].shape == (1, 6, 34, 34)
    assert "input         6x34x34, event counts\n" in tool("mstrun", "--info", bin).stdout


def test_simulated_recordings(bin):
    r = measured(bin, RECORDINGS)
    assert r["samples"] == 20 and r["ann_top1_percent"] >= 90 and r["at"][-1]["top1_percent"] >= r["ann_top1_percent"] - 5


def test_threads_and_schedules_agree(bin):
    runs = []
    for args in (("--schedule", "step"), ("--schedule", "block"), ("--threads", 1), ("--latency",)):
        run = json.loads(tool("mstrun", bin, RECORDINGS, "-T", 8, "-n", 6, "--quiet", "--json", "-", *args).stdout)
        runs.append(lasting(run))
    assert all(run == runs[0] for run in runs) and runs[0]["samples"] == 6


def test_real_recordings(bin):
    folder = pathlib.Path(os.environ.get("MST_SHARED_DATA", "/nonexistent")) / "nmnist"
    if not folder.exists():
        pytest.skip("MST_SHARED_DATA names no folder with nmnist/ in it: no real recordings here")
    r = measured(bin, folder)
    assert r["samples"] == 100 and r["ann_top1_percent"] >= 90
    assert r["at"][-1]["top1_percent"] >= r["ann_top1_percent"] - 2.01


def test_demo(bin, tmp_path):
    done = subprocess.run(["sh", str(ROOT / "examples" / "event-demo.sh"), str(BUILD), "", str(tmp_path / "shown.png")],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shown.png").read_bytes()[:4] == b"\x89PNG"
    rows = {line[:46].strip(): line[46:].split() for line in done.stdout.splitlines()}
    assert "20 samples" in rows and min(float(cell) for cell in rows["accuracy %"]) >= 90
