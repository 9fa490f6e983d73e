"""What the masks of the training dropped: stored, drawn in the ANN, and told where a mode drops something else."""
import json
import warnings

import numpy as np
import pytest

import mst
from built import ROOT, tool

MODEL = ROOT / "examples" / "models" / "digits-swin-sa50.onnx"
DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
KINDS = ("unknown", "activations", "levels", "steps")
NOTES = {("step", "levels"): "trained with masks of levels, which count and radix draw; step draws others",
         ("count", "steps"): "trained with masks of time steps, which step draws; count draws others",
         ("radix", "steps"): "trained with masks of time steps, which step draws; radix draws others"}


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    """The network, its policy saying each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    masks = "{sites: {q: 0.5, k: 0.5, attn: 0.5}}"
    for kind in KINDS:
        (folder / (kind + ".yaml")).write_text("version: 1\nseed: 3\nmasks: %s\ntrained: %s\ntrained_on: %s\n" % (masks, masks, kind))
        tool("mstconv", MODEL, "-o", folder / (kind + ".bin"), "--policy", folder / (kind + ".yaml"), "-q")
    (folder / "none.yaml").write_text("version: 1\nmasks: {default: 0}\ntrained: {default: 0}\ntrained_on: levels\n")
    tool("mstconv", MODEL, "-o", folder / "none.bin", "--policy", folder / "none.yaml", "-q")
    return folder


def run(made, kind, *args, n=40):
    done = tool("mstrun", made / (kind + ".bin"), DIGITS, "-n", n, "-q", "--json", "-", "--predictions", made / "p.npz", "--force", *args)
    with np.load(made / "p.npz") as found:
        return json.loads(done.stdout), found["logits"], done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_stored(made, kind, tmp_path):
    info = json.loads(tool("mstrun", "--info", made / (kind + ".bin"), "--json", "-").stdout)
    assert info["trained_on"] == kind and mst.load(made / (kind + ".bin")).trained_on == kind
    assert ("trained       with masks of " + kind in tool("mstrun", "--info", made / (kind + ".bin")).stdout) == (kind != "unknown")
    policy = mst.Policy.load(made / (kind + ".yaml"))
    assert policy.trained_on == (None if kind == "unknown" else kind)
    policy.save(tmp_path / "p.yaml")
    assert mst.Policy.load(tmp_path / "p.yaml") == policy
    mst.load(made / (kind + ".bin")).save(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == (made / (kind + ".bin")).read_bytes()


def test_metadata_policy_says_it(made, tmp_path):
    """Unless the command line does."""
    tool("mstconv", MODEL, "-o", tmp_path / "m.bin", "-q")
    assert mst.load(tmp_path / "m.bin").trained_on == "activations"
    (tmp_path / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 0.25}}\n")
    tool("mstconv", MODEL, "-o", tmp_path / "m.bin", "-q", "--force", "--policy", tmp_path / "p.yaml")
    assert mst.load(tmp_path / "m.bin").trained_on == "activations"
    (tmp_path / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 0.25}}\ntrained_on: steps\n")
    tool("mstconv", MODEL, "-o", tmp_path / "m.bin", "-q", "--force", "--policy", tmp_path / "p.yaml")
    assert mst.load(tmp_path / "m.bin").trained_on == "steps"


@pytest.mark.parametrize("isa", ["scalar", ""])
def test_the_ann_of_levels_is_count_mode(made, isa):
    """By the same words, bit for bit; whole activations are others, and the mean of all draws is neither."""
    isa = ("--isa", isa) if isa else ()
    _, count, _ = run(made, "levels", "--mode", "count", *isa)
    for kind in ("levels", "steps"):
        assert run(made, kind, "--mode", "ann", *isa)[1].tobytes() == count.tobytes(), kind
    whole, unknown = run(made, "activations", "--mode", "ann", *isa)[1], run(made, "unknown", "--mode", "ann", *isa)[1]
    assert whole.tobytes() == unknown.tobytes() != count.tobytes()
    other = run(made, "levels", "--mode", "ann", "--seed", 4, *isa)[1]
    assert other.tobytes() != count.tobytes() == run(made, "activations", "--mode", "count", *isa)[1].tobytes()


def test_what_was_drawn_is_told(made):
    for kind, dropped in (("levels", "levels"), ("steps", "levels"), ("activations", "whole activations"), ("unknown", "whole activations")):
        text = tool("mstrun", made / (kind + ".bin"), DIGITS, "-n", 2, "--mode", "ann").stdout
        assert "mode ann, masks of %s drawn, seed 3" % dropped in text
    assert "mode ann, seed" in tool("mstrun", made / "none.bin", DIGITS, "-n", 2, "--mode", "ann").stdout
    told = {kind: run(made, kind, n=2)[0] for kind in (*KINDS, "none")}
    assert {kind: r["trained_on"] for kind, r in told.items()} == dict(zip(KINDS, KINDS), none=None)
    assert {kind: r["assumed"]["masks"] for kind, r in told.items()} == {
        "unknown": "as trained", "activations": "as trained, on whole activations", "levels": "as trained, on levels",
        "steps": "as trained, on time steps", "none": "none"}


@pytest.mark.parametrize("mode", ["step", "count", "radix", "ann"])
def test_notes(made, mode):
    for kind in (*KINDS, "none"):
        expected = NOTES.get((mode, kind))
        said = run(made, kind, "--mode", mode, *(("-T", 4) if mode == "step" else ()), n=2)[2]
        assert ("note: the weights were %s\n" % expected in said if expected else "note" not in said), (mode, kind, said)
        if mode != "ann":
            said = tool("mstcalib", MODEL, made / (kind + ".bin"), DIGITS, "-n", 2, "--mode", mode, *(("-T", 4) if mode == "step" else ())).stderr
            assert ("note: the weights were %s\n" % expected in said if expected else "note" not in said), (mode, kind, said)


@pytest.mark.parametrize("mode", ["step", "count", "radix", "ann"])
def test_warnings(made, mode):
    for kind in (*KINDS, "none"):
        expected, model = NOTES.get((mode, kind)), mst.load(made / (kind + ".bin"))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model.run(np.zeros((1, 1, 28, 28), np.float32), mode=mode, **({"T": 2} if mode == "step" else {}))
        assert [str(w.message) for w in said] == (["the weights were " + expected] if expected else []), (mode, kind)


def calib(made, kind, *args, n=40, code=0):
    return json.loads(tool("mstcalib", MODEL, made / (kind + ".bin"), DIGITS, "-n", n, "--mode", "count", "-q", "--json", "-", *args,
                           code=code).stdout)


@pytest.mark.parametrize("kind", ["activations", "levels"])
def test_mstcalib_draws(made, kind):
    """The ANN with its masks drawn is that of mstrun, of three seeds; without masks of the training there is none."""
    found = calib(made, kind)
    ours = [run(made, kind, "--mode", "ann", "--seed", seed)[0]["at"][-1]["top1_percent"] for seed in (3, 4, 5)]
    assert found["ann_drawn"] and found["ann_drawn_top1_percent"] == ours
    other = [run(made, kind, "--mode", "ann", "--seed", seed)[0]["at"][-1]["top1_percent"] for seed in (11, 12, 13)]
    assert calib(made, kind, "--seed", 11)["ann_drawn_top1_percent"] == other
    text = tool("mstcalib", MODEL, made / (kind + ".bin"), DIGITS, "-n", 40, "--mode", "count").stdout
    assert "with its masks drawn top-1 %.2f %% +- %.2f (standard deviation of 3 seeds)\n" % (
        np.mean(ours), np.std(ours, ddof=1)) in text
    for without in (calib(made, kind, "--ann-masks", "mean"), calib(made, kind, "--ann-masks", "none"), calib(made, "none")):
        assert not without["ann_drawn"] and without["ann_drawn_top1_percent"] is None


def test_parts_draw_alike(made, tmp_path):
    whole = calib(made, "levels", n=30)
    parts = [tmp_path / ("%d.json" % k) for k in (1, 2, 3)]
    for k, part in enumerate(parts, 1):
        tool("mstcalib", MODEL, made / "levels.bin", DIGITS, "-n", 30, "--mode", "count", "-q", "--json", part, "--shard", "%d/3" % k)
    merged = json.loads(tool("mstcalib", "--merge", *parts, "-q", "--json", "-").stdout)
    assert merged["ann_drawn_top1_percent"] == whole["ann_drawn_top1_percent"] and merged["ann_drawn"]
    part = json.loads(parts[0].read_text())
    words = part["sums"]["lines"][0].split(" ")
    words[4] = "31"  # more draws that were right than samples
    part["sums"]["lines"][0] = " ".join(words)
    parts[0].write_text(json.dumps(part))
    assert "is none" in tool("mstcalib", "--merge", *parts, "-q", "--json", "-", code=1).stderr
