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

def test_which_pythons_the_wheel_is_checked_with(tmp_path):
    """One of each version, and none that is too old or can make no environments."""
    for name, script in (("a/python3", None), ("a/python3.9", "echo 3.9"), ("a/python3.8", "echo 3.8; exit 1"), ("a/python3.10", "exit 1"),
                         ("b/python3.9", "echo 3.9"), ("b/python3.77", "echo 3.77"), ("b/python3-config", "echo 3.5"), ("b/python3.123", "echo 3.123")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if script is None:
            (tmp_path / name).symlink_to(sys.executable)
        else:
            (tmp_path / name).write_text("#!/bin/sh\n%s\n" % script)
            (tmp_path / name).chmod(0o755)
    path = ":".join(str(tmp_path / x) for x in "ab") + ":/nowhere"
    found = subprocess.run(["/bin/sh", ROOT / "tests" / "wheel.sh", "--list"], env=dict(os.environ, PATH=path + ":/bin"), capture_output=True,
                           text=True, check=True).stdout.split()
    own = [str(tmp_path / "a/python3")] if sys.version_info[:2] != (3, 9) else []
    assert [x for x in found if x.startswith(str(tmp_path))] == own + [str(tmp_path / name) for name in ("a/python3.9", "b/python3.77")]


def test_a_wheel_of_another_system(tmp_path):
    """A tool whose libraries are not there says what to do."""
    for name in ("libmst.so", "libmstdata.so"):
        (tmp_path / name).symlink_to(BUILD / name)
    fake = tmp_path / "mstconv"
    said = "error while loading shared libraries: libprotobuf-c.so.1: cannot open shared object file: No such file or directory"
    fake.write_text("#!/bin/sh\necho \"$0: %s\" >&2\nexit 127\n" % said)
    fake.chmod(0o755)
    code = "import mst; mst.convert(%r, 'out.bin')" % str(SWIN)
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(tmp_path)),
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "%s cannot be loaded: " % fake in last and said in last and "'make deps'" in last and "'pip install ./python'" in last, done.stderr


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
