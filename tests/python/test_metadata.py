"""What an ONNX file says of its own use (metadata mst.*) does what the options of the same names do."""
import json
import re

import numpy as np
import pytest

from built import ROOT, tool
from support import FIXTURES, onnx

MODEL = FIXTURES / "swin-ts.onnx"  # three channels, ten classes, masks at q, k, attn
NORM = {"mean": "0.5,0.25,0.125", "std": "0.5,1,2"}
CLASSES = "a,b,c,d,e,f,g,h,i,j"
POLICY = "version: 1\nseed: 7\ntimesteps: 3\nmasks:\n  sites: {q: 0.75, k: 0.75}\n"


def saying(folder, **said):
    model = onnx.load(MODEL)
    for key, value in said.items():
        model.metadata_props.add(key="mst." + key, value=value)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def convert(model, folder, *options, name="m"):
    out, report = folder / (name + ".bin"), folder / (name + ".json")
    done = tool("mstconv", model, "-o", out, "--report", report, *options)
    return out.read_bytes(), json.loads(report.read_text()), done


def test_as_options(tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY + "trained:\n  sites: {q: 0.75, k: 0.75}\n")
    model = saying(tmp_path, classes=CLASSES, policy=POLICY, **NORM)
    own, report, done = convert(model, tmp_path)
    told = ["--mean", NORM["mean"], "--std", NORM["std"], "--classes", CLASSES, "--policy", tmp_path / "p.yaml"]
    given, other, _ = convert(model, tmp_path, *told, name="n")
    assert own == given
    assert report["metadata"] == "mean, std, classes, policy" and other["metadata"] == ""
    assert "input: (x - mean)/std, mean 0.5,0.25,0.125, std 0.5,1,2; from the model's metadata: mean, std, " in done.stdout
    masked = [row for row in report["layers"] if row["ratio"] is not None]
    assert masked and {(row["ratio"], row["trained"]) for row in masked} == {(0.75, 0.75)}
    assert not done.stderr


def test_recordings_and_sizes(tmp_path):
    """How recordings are cut and images resized."""
    said = {"frames": "4", "split": "time", "present": "steps", "resize": "40", "interpolation": "bicubic"}
    model = saying(tmp_path, **said)
    own, report, _ = convert(model, tmp_path)
    given, other, _ = convert(model, tmp_path, *[a for k, v in said.items() for a in ("--" + k, v)], name="n")
    assert own == given and (report["metadata"], other["metadata"]) == ("resize, interpolation, frames, split, present", "")
    info = json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json", "-").stdout)["prepare"]
    assert (info["frames"], info["split"], info["present"], info["resize"]) == (4, "time", "steps", 40)
    told = convert(model, tmp_path, "--frames", "2", "--split", "number")[1]
    assert told["metadata"] == "resize, interpolation, present"


def test_nothing_said(tmp_path):
    _, report, done = convert(MODEL, tmp_path)
    assert report["metadata"] == "" and "input: x, not normalized (no --mean, --std)\n" in done.stdout


def test_options_go_first(tmp_path):
    """What a policy of the command line does not name keeps the masks that it was trained with."""
    model = saying(tmp_path, classes=CLASSES, policy=POLICY, **NORM)
    (tmp_path / "p.yaml").write_text("version: 1\nmasks:\n  sites: {q: 0.25}\n")
    _, report, _ = convert(model, tmp_path, "--policy", tmp_path / "p.yaml", "--mean", "0,0,0", "--std", "1,1,1")
    rows = {(r["site"], r["ratio"], r["trained"]) for r in report["layers"] if r["trained"] is not None}
    assert ("q", 0.25, 0.75) in rows and ("k", 0.75, 0.75) in rows
    assert report["metadata"] == "classes, policy" and report["seed"] != 7
    info = json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json", "-").stdout)
    assert info["mean"] == [0, 0, 0] and info["std"] == [1, 1, 1]


def test_other_mean_or_std_is_warned_of(tmp_path):
    """By mstconv, and by mstcalib, whose ANN gets the same wrong inputs; not where they are the same, however written."""
    model = saying(tmp_path, **NORM)
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 16, 16), np.float32))
    for options, warned in (((), False), (("--mean", ".5,.25,.125", "--std", ".5,1.0,2"), False), (("--mean", "0,0,0", "--std", "1,1,1"), True),
                            (("--mean", "0.5,0.25,0.125", "--std", "0.5,1,1"), True), (("--mean", "0.5,0.25,0.1", "--std", "0.5,1,2"), True)):
        done = convert(model, tmp_path, "--force", *options)[2]
        said = "its metadata says mean 0.5,0.25,0.125 and std 0.5,1,2, and the network has others"
        assert (said in done.stderr) == warned, (options, done.stderr)
        done = tool("mstcalib", model, tmp_path / "m.bin", tmp_path / "x.npy", "-T", 2)
        assert (said in done.stderr) == warned, (options, done.stderr)
    convert(MODEL, tmp_path, "--force")
    assert "metadata says" not in tool("mstcalib", MODEL, tmp_path / "m.bin", tmp_path / "x.npy", "-T", 2).stderr


def test_levels_are_checked(tmp_path):
    for said, warned in (("16", False), ("8,16,32", False), ("8", True), ("15,32", True)):
        done = convert(saying(tmp_path, levels=said), tmp_path, "--force")[2]
        expected = "its metadata says L = %s, node '/" % said
        assert (expected in done.stderr and "' has L = " in done.stderr) == warned and ("warning" in done.stderr) == warned, done.stderr


@pytest.mark.parametrize("said, expected", [
    ({"layout": "hwc"}, "metadata mst.layout: expected nchw or nhwc, found 'hwc'"),
    ({"layout": "auto"}, "metadata mst.layout: expected nchw or nhwc, found 'auto'"),
    ({"theta_unit": "level"}, "metadata mst.theta_unit: expected activation .* found 'level'"),
    ({"levels": ""}, "metadata mst.levels: expected whole numbers with commas between, found ''"),
    ({"levels": "4,"}, "metadata mst.levels: expected whole numbers with commas between, found '4,'"),
    ({"levels": "4;8"}, "metadata mst.levels: expected whole numbers"),
    ({"levels": "-4"}, "metadata mst.levels: expected whole numbers"),
    ({"mean": "0.5,0.25,x", "std": "1,1,1"}, "metadata mst.mean: expected numbers .* found '0.5,0.25,x': give --mean"),
    ({"mean": "0.5,0.25,0.1"}, "metadata mst.std: expected numbers .* found ''"),
    ({"mean": "0,0,0", "std": "1,1,0"}, "metadata: --std: expected numbers above 0"),
    ({"mean": "0,0", "std": "1,1"}, "expected 3 numbers, one a channel"),
    ({"mean": "1e30,0,0", "std": "1e-30,1,1"}, "metadata: .* is no finite float32"),
    ({"frames": "x"}, "metadata mst.frames: expected 1 to [0-9]+, found 'x': give --frames"),
    ({"frames": "0"}, "metadata mst.frames: expected 1 to"),
    ({"frames": "4000000000"}, "metadata mst.frames: expected 1 to"),
    ({"split": "halves"}, "metadata: --split: .*halves"),
    ({"resize": "40x"}, "metadata: --resize: expected .*40x"),
    ({"classes": "a,b"}, "metadata mst.classes: expected 10 names"),
    ({"classes": "a,,c,d,e,f,g,h,i,j"}, "metadata mst.classes: name 2 is empty"),
    ({"policy": "version: 1\nmasks:\n  sites: {q: 2}\n"}, "metadata mst.policy:3: "),
    ({"policy": "version: 1\nmasks:\n  sites: {conv: 0.5}\n"}, "metadata mst.policy:3: "),
], ids=lambda v: next(iter(v)) if isinstance(v, dict) else "")
def test_wrong(tmp_path, said, expected):
    done = tool("mstconv", saying(tmp_path, **said), "-o", tmp_path / "m.bin", code=1)
    assert re.search(expected, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "m.bin").exists()


def test_classes_name_no_file(tmp_path):
    """Nothing that a model says is opened."""
    (tmp_path / "names").write_text("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n")
    done = tool("mstconv", saying(tmp_path, classes=str(tmp_path / "names")), "-o", tmp_path / "m.bin", code=1)
    assert "expected 10 names" in done.stderr and "found 1" in done.stderr


def test_unknown_keys(tmp_path):
    done = convert(saying(tmp_path, gamma="1"), tmp_path)[2]
    assert "warning: " in done.stderr and "metadata 'mst.gamma' is not known" in done.stderr


def test_bundled_models_say_it():
    """Pictures are normalized, recordings cut, and a network that was trained with masks names them."""
    for path in sorted((ROOT / "examples" / "models").glob("*.onnx")):
        said = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        events = path.name.startswith(("nmnist", "cifar10-moving"))
        assert ("mst.mean" in said) == ("mst.std" in said) == (not events), path.name
        assert ("mst.frames" in said) == ("mst.split" in said) == ("mst.present" in said) == events, path.name
        assert len(said["mst.classes"].split(",")) == 10, path.name
        assert ("mst.policy" in said) == bool(re.search(r"(50|75)\.onnx$", path.name)), path.name
        if "mst.policy" in said:
            assert "0.%s" % path.stem[-2:].rstrip("0") in said["mst.policy"], path.name
            dropped = "levels" if re.search(r"-(t\d\d|l4-sa75)$", path.stem) else "activations" if "swin" in path.stem else "steps"
            assert said["mst.policy"].endswith("trained_on: %s\n" % dropped), path.name
