"""Pixels and arrays that do not fit the model's normalization are warned of; those that do are not."""
import gzip
import json

import numpy as np
import pytest

from built import ROOT, tool
from support import onnx

DATA = ROOT / "examples" / "data"
IMAGES, LABELS = DATA / "digits-test-images.idx3-ubyte.gz", DATA / "digits-test-labels.idx1-ubyte.gz"
MODEL = ROOT / "examples" / "models" / "digits-swin.onnx"


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranges")
    bare = onnx.load(MODEL)
    del bare.metadata_props[:]
    onnx.save(bare, folder / "bare.onnx")
    tool("mstconv", MODEL, "-o", folder / "known.bin", "-q")
    tool("mstconv", folder / "bare.onnx", "-o", folder / "bare.bin", "-q")
    tool("mstconv", folder / "bare.onnx", "-o", folder / "none.bin", "-q", "--mean", "0", "--std", "1")
    pixels = np.frombuffer(gzip.decompress(IMAGES.read_bytes())[16:], np.uint8)[:4 * 784].reshape(4, 1, 28, 28)
    np.save(folder / "bytes.npy", pixels.astype(np.float32))
    np.save(folder / "unit.npy", pixels.astype(np.float32) / 255)
    np.save(folder / "right.npy", ((pixels / 255 - .1307) / .3081).astype(np.float32))
    np.save(folder / "signs.npy", (pixels / 127.5 - 1).astype(np.float32))
    np.save(folder / "uint8.npy", pixels)
    np.save(folder / "labels.npy", np.zeros(4, np.int64))
    return folder


def warned(folder, model, data):
    """What mstrun and mstcalib say of the samples: the same."""
    said = []
    for name, args in (("mstrun", (folder / (model + ".bin"),)), ("mstcalib", (MODEL, folder / (model + ".bin")))):
        lines = tool(name, *args, data, "-n", "2", "-T", "1", "-q").stderr.splitlines()
        said.append([line.split("warning: ")[1] for line in lines if "mean and std" in line or "values from" in line])
    assert said[0] == said[1] and len(said[0]) < 2
    return said[0][0] if said[0] else None


@pytest.mark.parametrize("model,array,words", (
    ("known", "bytes", "samples have values from 0 to 255, and arrays are taken as they are: the model's mean and std make -0.424"),
    ("known", "unit", "samples have values from 0 to 1, and arrays are taken as they are: the model's mean and std make -0.424"),
    ("known", "signs", "samples have values from -1 to 1,"),
    ("known", "uint8", None),
    ("known", "right", None),
    ("bare", "uint8", "the model has no mean and std, so pixels go in as x/255"),
    ("bare", "bytes", "these look like bytes of pixels"),
    ("bare", "unit", None),
    ("bare", "right", None),
    ("none", "bytes", "the model's mean and std make 0 to 1 of pixels"),
    ("none", "unit", None),
))
def test_arrays(made, model, array, words):
    said = warned(made, model, "npy:%s,%s" % (made / (array + ".npy"), made / "labels.npy"))
    assert said is None if words is None else said and words in said


@pytest.mark.parametrize("array", ("uint8", "right"))
def test_what_is_assumed(made, array):
    """Bytes are normalized, floats are not."""
    run = json.loads(tool("mstrun", made / "known.bin", "npy:%s,%s" % (made / (array + ".npy"), made / "labels.npy"), "-T", "1", "-q",
                          "--json", "-").stdout)
    tail = "; arrays of floats as they are" if array == "right" else ""
    assert run["assumed"]["normalization"] == "(x/255 - mean)/std, mean 0.1307, std 0.3081" + tail


def test_unit_arrays_of_a_model_with_a_wide_normalization(made, tmp_path):
    tool("mstconv", made / "bare.onnx", "-o", tmp_path / "wide.bin", "-q", "--mean", ".5", "--std", ".25")
    said = tool("mstrun", tmp_path / "wide.bin", "npy:%s,%s" % (made / "unit.npy", made / "labels.npy"), "-T", "1", "-q").stderr
    assert "samples have values from 0 to 1," in said and "make -2 to 2 of pixels" in said
    said = tool("mstrun", tmp_path / "wide.bin", "npy:%s,%s" % (made / "signs.npy", made / "labels.npy"), "-T", "1", "-q").stderr
    assert "samples have values from -1 to 1," in said and "make -2 to 2 of pixels" in said
    tool("mstconv", made / "bare.onnx", "-o", tmp_path / "signs.bin", "-q", "--mean", ".5", "--std", ".5")
    said = tool("mstrun", tmp_path / "signs.bin", "npy:%s,%s" % (made / "signs.npy", made / "labels.npy"), "-T", "1", "-q").stderr
    assert "values from" not in said


@pytest.mark.parametrize("model,words", (("known", None), ("none", None), ("bare", "the model has no mean and std, so pixels go in as x/255")))
def test_pixels(made, model, words):
    said = warned(made, model, "idx:%s,%s" % (IMAGES, LABELS))
    assert said is None if words is None else said and words in said
