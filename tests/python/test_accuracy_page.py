"""docs/ACCURACY.md: plant what it speaks of, and see what it says one sees; its options and columns exist."""
import gzip
import json
import re

import numpy as np
import pytest

from built import ROOT, tool
from support import onnx

PAGE = (ROOT / "docs" / "ACCURACY.md").read_text()
DATA = ROOT / "examples" / "data"
IMAGES, LABELS = DATA / "digits-test-images.idx3-ubyte.gz", DATA / "digits-test-labels.idx1-ubyte.gz"
DIGITS = "idx:%s,%s" % (IMAGES, LABELS)
MODELS = ROOT / "examples" / "models"


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(model, *more):
    tool("mstconv", model, "-o", "m.bin", "-q", *more)


def calib(model, *more, data=DIGITS):
    """The text, and the JSON."""
    done = tool("mstcalib", model, "m.bin", data, "-n", "60", "--json", "-", *more)
    return done.stderr, json.loads(done.stdout)


def quoted(*texts):
    """Each stands in the page as it is."""
    for text in texts:
        assert "`%s`" % text in PAGE, text


def test_options_and_columns_exist():
    help_of = {name: tool(name, "--help").stdout for name in ("mstconv", "mstrun", "mstcalib")}
    spans = re.findall(r"`([^`\n]+)`", PAGE) + re.findall(r"^    (mst.*)$", PAGE, re.M)
    options = [(span.split()[0], option) for span in spans for option in re.findall(r"--[a-z][a-z-]+", span)]
    assert len(options) > 15
    for name, option in options:
        texts = [help_of[name]] if name in help_of else help_of.values()
        assert any(re.search(r"%s\b" % option, text) for text in texts), (name, option)


def test_no_normalization(folder):
    model = onnx.load(MODELS / "digits-swin.onnx")
    del model.metadata_props[:]
    onnx.save(model, folder / "bare.onnx")
    convert("bare.onnx")
    text, result = calib("bare.onnx", "--mode", "count")
    quoted("no mean and std")
    assert "no mean and std" in text and result["ann_top1_percent"] < 50 and result["at"][0]["agreement_percent"] == 100
    convert(MODELS / "digits-swin.onnx")
    text, result = calib(MODELS / "digits-swin.onnx", "--mode", "count")
    assert "no mean and std" not in text and result["ann_top1_percent"] > 90


def test_labels_in_another_order(folder):
    raw = gzip.decompress(LABELS.read_bytes())
    (folder / "labels").write_bytes(raw[:8] + bytes((label + 3) % 10 for label in raw[8:]))
    convert(MODELS / "digits-swin.onnx")
    text, result = calib(MODELS / "digits-swin.onnx", "--mode", "count", data="idx:%s,%s" % (IMAGES, folder / "labels"))
    assert result["ann_top1_percent"] < 10 and result["at"][0]["agreement_percent"] == 100, text


def test_other_masks(folder):
    (folder / "none.yaml").write_text("version: 1\nseed: 1\nmasks: {sites: {q: 0, k: 0, attn: 0}}\n")
    convert(MODELS / "digits-swin-sa75.onnx", "--policy", "none.yaml")
    text, result = calib(MODELS / "digits-swin-sa75.onnx", "--mode", "count")
    quoted("masks: not those of the training")
    assert "masks: not those of the training" in text and result["at"][0]["top1_percent"] < 50
    convert(MODELS / "digits-swin-sa75.onnx")
    text, result = calib(MODELS / "digits-swin-sa75.onnx", "--mode", "count", "--ann-masks", "mean")
    assert "masks: as trained" in text and result["at"][0]["top1_percent"] > 85 < result["ann_top1_percent"]


def test_too_few_steps(folder):
    convert(MODELS / "digits-swin.onnx")
    _, result = calib(MODELS / "digits-swin.onnx", "-T", "4,16,64")
    agreement = [at["agreement_percent"] for at in result["at"]]
    assert agreement[0] < agreement[1] < agreement[2]
    count = json.loads(tool("mstrun", "m.bin", DIGITS, "-n", "60", "--mode", "count", "--json", "-").stdout)
    assert count["at"][0]["top1_percent"] == result["ann_top1_percent"]


def parts(result, layer=0):
    return result["layers"][layer]["parts"]


def test_too_few_levels(folder):
    convert(MODELS / "digits-swin.onnx")
    _, result = calib(MODELS / "digits-swin.onnx", "--mode", "count", "--levels", "3")
    assert max(parts(result), key=parts(result).get) == "quantization" and result["at"][0]["agreement_percent"] < 90


@pytest.mark.parametrize("factor", (.4, 1.0))
def test_theta_of_another_network(folder, factor):
    """The network has another theta in one layer than the ANN it is compared with."""
    model = onnx.load(MODELS / "digits-swin.onnx")
    theta = next(i for i in model.graph.initializer if i.name == "blocks.0.norm1_if.theta")
    theta.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(theta) * np.float32(factor), theta.name))
    onnx.save(model, folder / "planted.onnx")
    convert("planted.onnx")
    _, result = calib(MODELS / "digits-swin.onnx", "--mode", "count")
    at = next(k for k, layer in enumerate(result["layers"]) if layer["name"].startswith("/blocks/blocks.0/norm1_if"))
    assert result["layers"][at]["theta"] == pytest.approx(4.58 * factor, rel=1e-3)
    assert all(part == 0 for k in range(at) for part in parts(result, k).values())
    if factor < 1:
        assert max(parts(result, at), key=parts(result, at).get) == "inherited" and result["at"][0]["agreement_percent"] < 95
    else:
        assert parts(result, at)["inherited"] == 0 and result["at"][0]["agreement_percent"] == 100


def test_coarse_weights(folder):
    convert(MODELS / "digits-swin.onnx", "--weights", "int8")
    _, int8 = calib(MODELS / "digits-swin.onnx", "--mode", "count")
    convert(MODELS / "digits-swin.onnx")
    _, f32 = calib(MODELS / "digits-swin.onnx", "--mode", "count")
    assert parts(int8)["weights"] > 0 == parts(f32)["weights"]
