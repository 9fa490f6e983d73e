"""A model file that is cut or overwritten while it is run: the result of the network that was checked, or one error."""
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, tool
from support import FIXTURES

STEPS = ("-T", 700, "--schedule", "step", "--threads", 2)


@pytest.fixture(name="here")
def _here(tmp_path):
    for name, extra in (("a.bin", ()), ("b.bin", ("--seed", 5))):
        tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", tmp_path / name, "--timesteps", 2, "--quiet", *extra)
    raw = bytearray((tmp_path / "b.bin").read_bytes())
    raw[-4000:] = bytes(4000)  # another network, damaged on top
    (tmp_path / "b.bin").write_bytes(raw)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).standard_normal((24, 3, 16, 16)).astype(np.float32))
    return tmp_path


def cut(path, other):
    os.truncate(path, 64)


def overwrite(path, other):
    with open(path, "r+b") as f:
        f.write(other.read_bytes())


def replace(path, other):
    shutil.copy(other, path.parent / "new.bin")
    os.rename(path.parent / "new.bin", path)


def run(here, change, *args):
    path = here / "m.bin"
    shutil.copy(here / "a.bin", path)
    time.sleep(0.05)  # the clock of files has ticked
    job = [str(BUILD / "mstrun"), str(path), str(here / "x.npy"), *map(str, STEPS + args), "--json", str(here / "r.json"), "--quiet"]
    process = subprocess.Popen(job, stderr=subprocess.PIPE, text=True)
    time.sleep(0.4)
    assert process.poll() is None
    if change is not None:
        change(path, here / "b.bin")
    err = process.communicate(timeout=120)[1]
    result = json.loads((here / "r.json").read_text()) if (here / "r.json").exists() else None
    (here / "r.json").unlink(missing_ok=True)
    assert not [n for n in os.listdir(here) if "mst-tmp" in n]
    return process.returncode, err, result


def test_a_changed_file(here):
    code, _, expected = run(here, None)
    assert code == 0
    for change in (cut, overwrite, replace):
        code, err, got = run(here, change)
        assert code == 0 and not err and got["layers"] == expected["layers"], change
        code, err, got = run(here, change, "--map")
        if change is replace:  # the old file is mapped for as long as it is needed
            assert code == 0 and got["layers"] == expected["layers"]
        else:
            assert code == 1 and got is None and len(err.splitlines()) == 1, (change, code, err)
            assert err.startswith("mstrun: error: ") and err.strip().endswith("there is no result"), err


def test_bus_error(here):
    """What is read behind the end of a file that was cut."""
    job = [str(BUILD / "mstrun"), str(here / "a.bin"), str(here / "x.npy"), *map(str, STEPS), "--map", "--json", str(here / "r.json")]
    process = subprocess.Popen(job, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.4)
    process.send_signal(signal.SIGBUS)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and err == "mstrun: error: a file was cut off while it was in use: there is no result\n"
    assert sorted(os.listdir(here)) == ["a.bin", "b.bin", "x.npy"]


def test_options(here):
    tool("mstrun", here / "a.bin", here / "x.npy", "--map", "--resume", here / "j.json", code=2)
    tool("mstcalib", FIXTURES / "swin-ts.onnx", here / "a.bin", here / "x.npy", "-T", 2, "--map", "--quiet")
    assert tool("mstrun", "--info", here / "a.bin", "--map").stdout == tool("mstrun", "--info", here / "a.bin").stdout
