"""Likely mistakes, each answered with the command that works; the command is run where there is one."""
import json
import pickle
import re
import shlex
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from built import BUILD, tool
from support import FIXTURES

ONNX = FIXTURES / "swin-ts.onnx"


@pytest.fixture(scope="module", name="here")
def _here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    tool("mstconv", ONNX, "-o", folder / "m.bin", "--timesteps", 2, "--quiet")
    np.save(folder / "x.npy", np.zeros((2, 3, 16, 16), np.float32))
    np.save(folder / "large.npy", np.zeros((2, 3, 40, 50), np.uint8))
    with zipfile.ZipFile(folder / "new.pth", "w") as z:
        z.writestr("archive/data.pkl", pickle.dumps({}))
    (folder / "old.pth").write_bytes(pickle.dumps({"w": 1}, protocol=2))
    (folder / "m.safetensors").write_bytes(struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}}')
    (folder / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return folder


def said(*args):
    lines = tool(*args, code=None).stderr.strip().splitlines()
    line = "\n".join(text for text in lines if "the model has no mean and std" not in text)
    assert len(line.splitlines()) == 1
    return line


def test_files_that_are_no_models(here):
    for name in ("new.pth", "old.pth"):
        for job in (("mstconv", here / name, "-o", here / "n.bin"), ("mstrun", here / name, here / "x.npy"),
                    ("mstcalib", here / name, here / "m.bin", here / "x.npy"), ("mstcalib", ONNX, here / name, here / "x.npy")):
            assert "a PyTorch checkpoint" in said(*job) and "torch.onnx.export(" in said(*job)
    assert "safetensors" in said("mstconv", here / "m.safetensors", "-o", here / "n.bin")
    assert "tf2onnx" in said("mstconv", here / "m.h5", "-o", here / "n.bin")
    assert "it is an ONNX model, not converted yet: mstconv %s -o model.bin" % ONNX in said("mstrun", ONNX, here / "x.npy")
    assert "it is an ONNX model" in said("mstrun", "--info", ONNX)
    assert "it is a converted network already: mstrun %s" % (here / "m.bin") in said("mstconv", here / "m.bin", "-o", here / "n.bin")
    assert not (here / "n.bin").exists()


def test_swapped_arguments(here):
    for job in (("mstrun", here / "x.npy", here / "m.bin"), ("mstcalib", here / "m.bin", ONNX, here / "x.npy"),
                ("mstrun", "npy:%s" % (here / "x.npy"), here / "m.bin"), ("mstcalib", ONNX, here / "x.npy", here / "m.bin")):
        line = said(*job)
        command = re.search(r": try (mst.*?) \(mst", line).group(1)
        assert subprocess.run([str(BUILD / command.split()[0])] + shlex.split(command)[1:], stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["<i2", "<i8"])
def test_other_arrays(here, kind):
    np.save(here / "other.npy", np.full((2, 3, 16, 16), -1, kind))
    np.save(here / "labels.npy", np.zeros(2, "<f4"))
    line = said("mstrun", here / "m.bin", here / "other.npy")
    command = re.search(r"if these are normalized values: python3 (-c \".*\")", line).group(1)
    subprocess.run([sys.executable] + shlex.split(command), check=True)
    assert tool("mstrun", here / "m.bin", here / "other.npy", "-q")
    line = said("mstrun", here / "m.bin", "npy:%s,%s" % (here / "other.npy", here / "labels.npy"))
    subprocess.run([sys.executable] + shlex.split(re.search(r"to convert: python3 (-c \".*\")", line).group(1)), check=True)
    assert tool("mstrun", here / "m.bin", "npy:%s,%s" % (here / "other.npy", here / "labels.npy"), "-q")


def test_sizes(here, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    (tmp_path / "set").mkdir()
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "set" / "a.png")
    for data in (here / "large.npy", tmp_path / "set"):
        line = said("mstrun", here / "m.bin", data)
        options = re.search(r"--resize \d+ --crop 16x16", line).group(0).split()
        r = json.loads(tool("mstrun", here / "m.bin", data, *options, "--json", "-", "-q").stdout)
        assert r["samples"] >= 1
