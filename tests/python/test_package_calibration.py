"""The Python package: conversion error and tuning against mstcalib's own files; interrupts of tools; the wheel."""
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from built import BUILD, ROOT, lasting, tool
from package import BUILT, DIGITS, MODELS, converted, mst

pytestmark = [pytest.mark.skipif(not BUILT, reason="the libraries are not built"),
              pytest.mark.filterwarnings("error")]
SWIN = MODELS / "digits-swin.onnx"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("package"), "digits-swin.onnx")


@pytest.mark.parametrize("options, said", [
    (["-T", "4,8"], {"T": [4, 8]}),
    (["--mode", "count", "--levels", "5"], {"mode": "count", "levels": 5}),
])
def test_the_same_as_mstcalib(path, options, said):
    theirs = json.loads(tool("mstcalib", SWIN, path, DIGITS, "-n", "12", *options, "--json", "-", "-q").stdout)
    found = mst.calibrate(SWIN, path, DIGITS, samples=12, threads=2, **said)
    assert lasting(found.report) == lasting(theirs) and found.samples == 12
    for layer, row in zip(found.layers, theirs["layers"]):
        assert (layer.name, layer.mae, layer.parts) == (row["name"], row["mae"], row["parts"])
        assert np.isclose(sum(layer.parts_bias.values()), layer.bias, atol=1e-5)
    assert found.worst.rel_l2 == max(row["rel_l2"] for row in theirs["layers"])
    assert found.ann_top1_percent == theirs["ann_top1_percent"]


def test_arrays_are_calibrated_as_data_sets_are(path):
    model = mst.load(path)
    x, labels = mst.data.arrays(mst.data.open(DIGITS, model))
    a = mst.calibrate(SWIN, model, (x[:10], labels[:10]), T=4)
    b = mst.calibrate(SWIN, path, DIGITS, T=4, first=10)
    assert [layer.mae for layer in a.layers] == [layer.mae for layer in b.layers]
    assert a.ann_top1_percent == b.ann_top1_percent
    assert mst.calibrate(SWIN, model, x[:3], T=2).ann_top1_percent is None


def test_tuning_is_that_of_mstcalib(path, tmp_path):
    tool("mstcalib", SWIN, path, DIGITS, "--tune", tmp_path / "a.bin", "-T", "16", "--readout-from", "auto", "-n", "60", "-q")
    made = mst.tune(SWIN, path, DIGITS, tmp_path / "b.bin", T=16, readout_from="auto", samples=60)
    assert (tmp_path / "a.bin").exists() == made.report["better"] == (made.model is not None)
    if made.model is not None:
        assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
        assert made.model.tuned[0] == 16


def test_what_mstcalib_refuses(path):
    with pytest.raises(mst.Error, match="none, mean or trained, found 'odd'"):
        mst.calibrate(SWIN, path, DIGITS, ann_masks="odd")
    with pytest.warns(mst.Warning, match="the .bin was not made from this .onnx"):
        mst.calibrate(MODELS / "digits-swin-sa50.onnx", path, DIGITS, T=2, samples=2)


def test_an_interrupt_stops_the_tool_and_leaves_nothing(path, tmp_path):
    code = """
import mst
print("running", flush=True)
try:
    mst.tune(%r, %r, %r, "out.bin", T=4000)
except KeyboardInterrupt:
    print("interrupted", flush=True)
""" % (str(SWIN), str(path), DIGITS)
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(BUILD), TMPDIR=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env, cwd=tmp_path) as child:
        assert child.stdout.readline() == "running\n"
        time.sleep(1.5)
        start = time.perf_counter()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert time.perf_counter() - start < 5 and child.wait(20) == 0
    assert os.listdir(tmp_path) == []


# ---- the wheel ----

@pytest.mark.skipif(BUILD != ROOT / "build" / "release", reason="packs what MODE=release built")
def test_the_wheel_serves_every_python(tmp_path):
    env = dict(os.environ, MST_BUILD=str(BUILD))
    for name in "ab":
        subprocess.run([sys.executable, ROOT / "python" / "build_backend.py", tmp_path / name], env=env, check=True,
                       capture_output=True)
    made = next((tmp_path / "a").iterdir())
    assert made.name.startswith("mst-0.1.0-py3-none-") and made.name.endswith(".whl")
    assert made.read_bytes() == next((tmp_path / "b").iterdir()).read_bytes()  # the same tree, the same wheel
    with zipfile.ZipFile(made) as wheel:
        names = set(wheel.namelist())
        sources = {"mst/" + p.relative_to(ROOT / "python" / "mst").as_posix()
                   for p in (ROOT / "python" / "mst").rglob("*.py")}
        assert sources < names and "mst/py.typed" in names
        assert {n for n in names if n.startswith("mst/native/")} == {"mst/native/" + n for n in (
            "libmst.so", "libmstdata.so", "libmstconv.so", "libmstcalib.so", "mstconv", "mstrun", "mstcalib")}
        assert not any(n.endswith((".pyc", ".c")) for n in names)
        said = wheel.read("mst-0.1.0.dist-info/METADATA").decode()
    assert "Requires-Dist: numpy>=1.21\n" in said and said.count("Requires-Dist") == 3
