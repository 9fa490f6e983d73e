"""mstconv, mstrun and mstcalib from outside: exit code, stdout, stderr, files."""
import csv
import gzip
import json
import os
import struct
import subprocess

import numpy as np
import pytest

from built import ROOT, lasting, tool

ONNX = ROOT / "tests" / "fixtures" / "onnx"
POLICIES = ROOT / "examples" / "policies"
DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))


@pytest.fixture(scope="module")
def swin(tmp_path_factory):
    """A folder with swin.bin (no masks), masked.bin (trained with 50 %), and x.npy, y.npy: samples that the
    ANN classifies as y."""
    folder = tmp_path_factory.mktemp("swin")
    z = np.load(ONNX / "swin.npz")
    np.save(folder / "x.npy", z["x"])
    np.save(folder / "y.npy", z["logits_ts"].argmax(1))
    tool("mstconv", ONNX / "swin-ts.onnx", "-o", folder / "swin.bin", "--timesteps", 8)
    (folder / "trained.yaml").write_text("version: 1\nseed: 7\ntimesteps: 8\nmasks: {sites: {q: 0.5, attn: 0.5}}\n"
                                         "trained: {sites: {q: 0.5, attn: 0.5}}\n")
    tool("mstconv", ONNX / "swin-ts.onnx", "-o", folder / "masked.bin", "--policy", folder / "trained.yaml")
    return folder


def data(folder):
    return "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")


def run_json(*args):
    return json.loads(tool("mstrun", *args, "--json", "-", "--quiet").stdout)


# ---- all three ----

@pytest.mark.parametrize("name", ["mstconv", "mstrun", "mstcalib"])
def test_help_and_version(name):
    done = tool(name, "--help")
    assert done.stdout.startswith("usage: %s " % name) and not done.stderr
    assert all(len(line) <= 110 for line in done.stdout.splitlines())
    done = tool(name, "--version")
    assert done.stdout.split()[0] == name and len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("args", [
    ("mstconv",), ("mstconv", "a.onnx"), ("mstconv", "a.onnx", "-o"), ("mstconv", "a.onnx", "-o", ""),
    ("mstconv", "a.onnx", "b", "-o", "c"), ("mstconv", "a", "-o", "b", "--nope"),
    ("mstconv", "a", "-o", "b", "--mean", "0.5"), ("mstconv", "a", "-o", "b", "--std", "0.5"),
    ("mstconv", "a", "-o", "b", "--mean", "0,0", "--std", "1"),
    ("mstconv", "a", "-o", "b", "--mean", "0", "--std", "0"),
    ("mstconv", "a", "-o", "b", "--mean", "x", "--std", "1"), ("mstconv", "a", "-o", "b", "--timesteps", "0"),
    ("mstconv", "a", "-o", "b", "--stop-after", "nowhere"), ("mstconv", "a", "-o", "b", "--input-shape", "3x"),
    ("mstconv", "a", "-o", "b", "--dry-run=yes"),
    ("mstrun",), ("mstrun", "m.bin"), ("mstrun", "m", "d", "e"), ("mstrun", "--info"), ("mstrun", "--info", "m", "d"),
    ("mstrun", "m", "d", "-T", "0"), ("mstrun", "m", "d", "-T", "x"), ("mstrun", "m", "d", "-T", "65537"),
    ("mstrun", "m", "d", "-n", "0"), ("mstrun", "m", "d", "--threads", "0"), ("mstrun", "m", "d", "--seed", "-1"),
    ("mstrun", "m", "d", "--at", "1,,2"), ("mstrun", "m", "d", "--at", "0"), ("mstrun", "m", "d", "--mask", "q"),
    ("mstrun", "m", "d", "--mask", "v=0.5"), ("mstrun", "m", "d", "--mask", "q=1"),
    ("mstrun", "m", "d", "--mask", "q=0.5", "--no-mask"), ("mstrun", "m", "d", "--schedule", "fast"),
    ("mstrun", "m", "d", "--alpha", "-1"), ("mstrun", "m", "d", "--json", "f", "--trace", "f"), ("mstrun", "m", "-x"),
    ("mstcalib",), ("mstcalib", "a", "b"), ("mstcalib", "a", "b", "c", "d"), ("mstcalib", "a", "b", "c", "-T", "1-2"),
])
def test_wrong_usage_is_2(args):
    done = tool(*args, code=2)
    assert not done.stdout and len(done.stderr.splitlines()) == 1
    assert "expected" in done.stderr or "unknown option" in done.stderr or "exclude" in done.stderr \
        or "takes no value" in done.stderr


@pytest.mark.parametrize("args", [
    ("mstconv", "/nonexistent.onnx", "-o", "/tmp/x.bin"), ("mstrun", "/nonexistent.bin", "d"),
    ("mstrun", "--info", "/nonexistent.bin"), ("mstcalib", "/nonexistent.onnx", "/nonexistent.bin", "d"),
])
def test_missing_files_are_1(args):
    assert "/nonexistent" in tool(*args, code=1).stderr


# ---- mstconv ----

def test_conv_table_and_report(tmp_path):
    done = tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--policy", POLICIES / "sa75.yaml",
                "--report", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["bytes"] == (tmp_path / "m.bin").stat().st_size and report["attention"] == "spiking"
    assert report["T"] == 64 and report["seed"] == 1 and len(report["layers"]) == report["spiking_layers"]
    for layer in report["layers"]:
        assert layer["name"] in done.stdout and layer["L"] >= 1 and layer["theta_min"] > 0
        assert layer["ratio"] == (0.75 if layer["site"] in ("q", "k", "attn") else None), layer
    for node in report["non_spiking"]:
        assert node["name"] in done.stdout and node["reason"] in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.bin", "r.json"]


def test_conv_is_reproducible(tmp_path):
    for name in ("a", "b"):
        tool("mstconv", ONNX / "resnet18-ts.onnx", "-o", tmp_path / name, "--quiet")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_conv_options(tmp_path):
    (tmp_path / "classes").write_text("".join("class %d\n" % i for i in range(10)))
    done = tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--mean", "0.5,0.4,0.3", "--std=1,2,4",
                "--classes", tmp_path / "classes", "--timesteps", "12", "--seed", "0x10", "--quiet")
    assert not done.stdout and not done.stderr
    info = json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json").stdout)
    assert np.allclose(info["mean"], [0.5, 0.4, 0.3]) and info["std"] == [1, 2, 4]
    assert info["class_names"][9] == "class 9" and info["T"] == 12 and info["seed"] == 16
    assert info["input"] == [3, 16, 16] and info["source"] == "swin-ts.onnx" and len(info["source_sha256"]) == 64
    assert info["layers"] and "layer" in tool("mstrun", "--info", tmp_path / "m.bin").stdout


def test_conv_dry_run_and_dumps(tmp_path):
    done = tool("mstconv", ONNX / "swin-ts.onnx", "--dry-run", "--dump-dir", tmp_path / "d", "--report", "-")
    assert json.loads(done.stdout)["bytes"] is None and "layer" in done.stderr
    dumps = sorted(p.name for p in (tmp_path / "d").iterdir())
    assert len(dumps) >= 10 and any(n.endswith(".dot") for n in dumps)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("args, says", [
    (("--mean", "0", "--std", "1"), "expected 3 numbers"), (("--classes", "a,b"), "expected 10 names"),
    (("--classes", "/nonexistent"), "/nonexistent"), (("--policy", "/nonexistent"), "/nonexistent"),
])
def test_conv_refuses(tmp_path, args, says):
    assert says in tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "m.bin", *args, code=1).stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text, says", [
    ("version: 1\nmasks: {sites: {v: 0.5}}\n",
     ":2: policy.masks.sites: unknown key 'v', valid: q, k, attn, mlp_fc1, conv"),
    ("version: 1\nmasks: {default: 1}\n", ":2: "),
    ("version: 1\nmasks:\n  sites:\n    conv: 0.5\n    q: 0.5\n", ":4"),
    ("version: 1\nmasks:\n  overrides:\n    - {node: '/nope*', ratio: 0}\n", ":4"),
    ("version: 1\nmasks:\n  overrides:\n    - {blocks: 90-99, ratio: 0.5}\n", ":4"),
])
def test_policy_mistakes_name_file_and_line(tmp_path, text, says):
    (tmp_path / "p.yaml").write_text(text)
    done = tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--policy", tmp_path / "p.yaml", code=1)
    assert "p.yaml" + says in done.stderr
    assert not (tmp_path / "m.bin").exists()


@pytest.mark.parametrize("policy", sorted(p.name for p in POLICIES.glob("*.yaml")))
def test_shipped_policies(tmp_path, policy):
    model = "resnet18-ts.onnx" if policy.startswith("conv") else "swin-ts.onnx"
    tool("mstconv", ONNX / model, "--dry-run", "--policy", POLICIES / policy, "--report", tmp_path / "r.json")
    layers = json.loads((tmp_path / "r.json").read_text())["layers"]
    masked = [l for l in layers if l["ratio"] is not None]
    sites = {l["site"] for l in masked}
    assert masked and sites == ({"mlp_fc1"} if policy.startswith("mlp") else
                                {"conv"} if policy.startswith("conv") else {"q", "k", "attn"})
    if policy.startswith("first5"):
        assert all(l["block"] < 5 for l in masked)


def test_require_spiking(tmp_path):
    tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--require-spiking")
    published = ONNX / "swin_pub-ts.onnx"
    assert "does not spike" in tool("mstconv", published, "--dry-run", "--require-spiking", code=1).stderr
    assert "softmax" in tool("mstconv", published, "--dry-run").stdout


# ---- mstrun ----

def test_run_json(swin):
    r = run_json(swin / "swin.bin", data(swin), "-T", 16, "--at", "16,4,1,4")
    for key in ("samples", "T", "at", "spikes_per_sample", "masked_per_sample", "sops_per_sample",
                "dense_ops_per_sample", "power_alpha_watts", "energy_pj", "timing", "layers"):
        assert key in r
    assert r["samples"] == 8 and r["T"] == 16 and [p["t"] for p in r["at"]] == [1, 4, 16]
    for layer in r["layers"]:
        assert {"name", "kind", "neurons", "theta", "L", "rate_percent", "spikes_per_sample", "masked_per_sample"} <= set(layer)
        assert layer["rate_percent"] == pytest.approx(100 * layer["spikes_per_sample"] / (layer["neurons"] * 16), rel=1e-9)
        assert layer["masked_per_sample"] == 0
    assert sum(l["spikes_per_sample"] for l in r["layers"]) == r["spikes_per_sample"]
    assert r["power_alpha_watts"] == pytest.approx(r["spikes_per_sample"] / 1e-3 * 1e-12)
    assert r["energy_pj"] == pytest.approx(0.9 * r["sops_per_sample"] + 4.6 * r["macs_per_sample"])
    other = run_json(swin / "swin.bin", data(swin), "-T", 16, "--alpha", "2e-12", "--energy-ac", "1",
                     "--energy-mac", "0")
    assert other["power_alpha_watts"] == pytest.approx(2 * r["power_alpha_watts"])
    assert other["energy_pj"] == pytest.approx(r["sops_per_sample"])


def test_run_text(swin):
    done = tool("mstrun", swin / "swin.bin", data(swin), "-T", 4, "--threads", 1)
    assert not done.stderr  # no bar: not a terminal; no warning: no masks
    for word in ("top-1", "spikes", "SOPs", "dense", "Eq. 10", "energy", "per synapse input", "rate %"):
        assert word in done.stdout
    done = tool("mstrun", swin / "swin.bin", data(swin), "-T", 2, "--json", "-")
    assert json.loads(done.stdout)["T"] == 2 and "top-1" in done.stderr
    done = tool("mstrun", swin / "swin.bin", swin / "x.npy", "-T", 2)
    assert "no labels" in done.stdout
    assert run_json(swin / "swin.bin", swin / "x.npy", "-T", 2)["at"][0]["top1_percent"] is None


def test_figures_follow_from_counts(swin):
    """What text and JSON derive, from what they say themselves."""
    args = (swin / "masked.bin", data(swin), "--energy-ac", "2", "--energy-mac", "3")
    done = tool("mstrun", *args, "-T", 16, "--json", "-")
    long, short = json.loads(done.stdout), run_json(*args, "-T", 8)
    assert "(fp32: 2 pJ per AC, 3 pJ per MAC)" in done.stderr
    for r in (long, short):
        assert r["ann_energy_pj"] == pytest.approx(3 * r["dense_ops_per_pass"])  # one pass, whatever T is
        assert r["power_alpha_watts_per_step"] == pytest.approx(r["power_alpha_watts"] / r["T"])
        assert r["dense_ops_per_pass"] < r["dense_ops_per_sample"] <= r["T"] * r["dense_ops_per_pass"]
    rows = {line.split()[0]: line.split() for line in done.stderr.splitlines() if line.split()}
    for a, b in zip(long["layers"], short["layers"]):
        if a["input_ops_per_sample"] != 0 and a["input_rate_percent"] is not None:  # operations / (dense * T)
            assert a["input_rate_percent"] * 16 / a["input_ops_per_sample"] == pytest.approx(
                b["input_rate_percent"] * 8 / b["input_ops_per_sample"])
        fired, spikes = (int(v) for v in rows[a["name"]][-2:])
        assert abs(spikes - a["spikes_per_sample"]) <= 0.51 and abs(fired - a["fired_per_sample"]) <= 0.51
        assert a["fired_per_sample"] == a["spikes_per_sample"] + a["masked_per_sample"]
    assert any(l["masked_per_sample"] for l in long["layers"]) and any(l["input_rate_percent"] for l in long["layers"])


def test_threads_do_not_matter(swin, tmp_path):
    results, traces = [], []
    for threads in (1, 2, 3):
        trace = tmp_path / ("t%d.csv" % threads)
        r = lasting(run_json(swin / "masked.bin", data(swin), "--threads", threads, "--trace", trace))
        results.append(r)
        traces.append(trace.read_bytes())
    assert results[0] == results[1] == results[2] and traces[0] == traces[1] == traces[2]
    assert results[0]["masked_per_sample"] > 0


def test_trace_adds_up(swin, tmp_path):
    r = run_json(swin / "masked.bin", data(swin), "-n", 3, "--trace", tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert list(rows[0]) == ["sample", "step", "layer", "name", "fired", "spikes"]
    assert len(rows) == 3 * 8 * len(r["layers"])
    for k, layer in enumerate(r["layers"]):
        mine = [row for row in rows if int(row["layer"]) == k]
        assert {row["name"] for row in mine} == {layer["name"]}
        assert sum(int(row["spikes"]) for row in mine) == pytest.approx(3 * layer["spikes_per_sample"])
        assert sum(int(row["fired"]) for row in mine) == pytest.approx(3 * (layer["spikes_per_sample"] + layer["masked_per_sample"]))


def test_masks_on_the_command_line(swin):
    masked, args = swin / "masked.bin", (data(swin), "-T", 4)
    assert not tool("mstrun", masked, *args).stderr
    done = tool("mstrun", masked, *args, "--no-mask", "--json", "-")
    first = done.stderr.splitlines()[0]
    assert "warning" in first and "q 0 (trained with 0.5" in first and "attn" in first
    assert json.loads(done.stdout)["masked_per_sample"] == 0
    assert json.loads(done.stdout)["spikes_per_sample"] == run_json(swin / "swin.bin", *args)["spikes_per_sample"]
    done = tool("mstrun", masked, *args, "--mask", "q=0.9", "--json", "-", "--quiet")
    assert "q 0.9" in done.stderr and "attn" not in done.stderr
    ratios = {l["site"]: l["ratio"] for l in json.loads(done.stdout)["layers"] if l["mask"]}
    assert ratios["q"] == pytest.approx(0.9) and ratios["attn"] == 0.5
    assert "no mask there" in tool("mstrun", masked, *args, "--mask", "conv=0.5", code=1).stderr
    a, b, c = (run_json(masked, *args, "--seed", s)["spikes_per_sample"] for s in (7, 7, 8))
    assert a == b == run_json(masked, *args)["spikes_per_sample"] and a != c


def test_run_refuses(swin, tmp_path):
    model = swin / "swin.bin"
    assert "up to T = 8" in tool("mstrun", model, data(swin), "--at", "9", code=2).stderr
    assert "scalar" in tool("mstrun", model, data(swin), "--isa", "vax", code=1).stderr
    assert "[3,16,16]" in tool("mstrun", model, DIGITS, code=1).stderr
    assert "unknown format" in tool("mstrun", model, "tiff:x", code=1).stderr
    np.save(tmp_path / "y.npy", np.full(8, 10))
    done = tool("mstrun", model, "npy:%s,%s" % (swin / "x.npy", tmp_path / "y.npy"), code=1)
    assert "expected 0..9, found 10" in done.stderr
    x = np.load(swin / "x.npy")
    x[5, 1, 2, 3] = np.inf
    np.save(tmp_path / "x.npy", x)
    for threads in (1, 2):
        done = tool("mstrun", model, tmp_path / "x.npy", "--threads", threads, "--trace", tmp_path / "t.csv", "--json",
                    tmp_path / "r.json", code=1)
        assert "sample 5" in done.stderr and "PARTIAL" in done.stdout
        assert json.loads((tmp_path / "r.json").read_text())["partial"]
        assert (tmp_path / "t.csv").read_text().splitlines()[-1].startswith("4,")  # all of those before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.json", "t.csv", "x.npy", "y.npy"]
    done = tool("mstrun", model, data(swin), "-T", 1, "--json", tmp_path / "no" / "r.json", code=1)
    assert "no/r.json" in done.stderr


def test_data_formats_agree(tmp_path):
    """The same CIFAR-10 layout bytes as cifar10 and, normalized by NumPy, as npy; the same digits as idx and gz."""
    onnx = ROOT / "examples" / "models" / "digits-swin.onnx"
    if not onnx.exists():
        pytest.skip("no examples/models/digits-swin.onnx")
    tool("mstconv", onnx, "-o", tmp_path / "m.bin", "--mean", "0.1307", "--std", "0.3081", "--timesteps", 2, "--quiet")
    paths = DIGITS[4:].split(",")
    images, labels = (gzip.open(p).read() for p in paths)
    n = struct.unpack(">I", images[4:8])[0]
    (tmp_path / "i").write_bytes(images)
    (tmp_path / "l").write_bytes(labels)
    x = np.frombuffer(images[16:], np.uint8).reshape(n, 1, 28, 28).astype(np.float32) / np.float32(255)
    np.save(tmp_path / "x.npy", (x - np.float32(0.1307)) / np.float32(0.3081))
    np.save(tmp_path / "y.npy", np.frombuffer(labels[8:], np.uint8))
    results = []
    for spec in (DIGITS, "%s,%s" % (tmp_path / "i", tmp_path / "l"),
                 "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy")):
        r = run_json(tmp_path / "m.bin", spec, "-n", 20)
        results.append({k: v for k, v in lasting(r).items() if k not in ("data", "format")})
        assert ("arrays of floats" in results[-1]["assumed"].pop("normalization")) == spec.startswith("npy:")
    assert results[0] == results[1] == results[2]


# ---- mstcalib ----

def test_calib_json(swin):
    args = (ONNX / "swin-ts.onnx", swin / "swin.bin", data(swin), "-T", "1,4,16")
    done = tool("mstcalib", *args, "--json", "-")
    r = json.loads(done.stdout)
    assert r["samples"] == 8 and r["ann_top1_percent"] == 100  # the labels are ONNX Runtime's choice
    assert [p["t"] for p in r["at"]] == [1, 4, 16]
    for point in r["at"]:
        assert point["top1_percent"] == point["agreement_percent"] and point["logit_rel_l2"] > 0
    assert r["at"][2]["logit_rel_l2"] < r["at"][0]["logit_rel_l2"]
    for layer in r["layers"]:
        assert {"name", "theta", "L", "mae", "rel_l2", "bias", "rate_percent", "max", "within_percent", "residual"} <= set(layer)
        assert sum(layer["parts_bias"].values()) == pytest.approx(layer["bias"], abs=1e-6)
        assert abs(layer["bias"]) <= layer["mae"] <= layer["max"] and 0 <= layer["within_percent"] <= 100
    run = run_json(swin / "swin.bin", data(swin), "-T", 16)
    assert [l["name"] for l in run["layers"]] == [l["name"] for l in r["layers"]]
    for mine, theirs in zip(r["layers"], run["layers"]):
        assert mine["rate_percent"] == pytest.approx(theirs["rate_percent"], rel=1e-9)
    assert "agreement" in done.stderr and "warning" not in done.stderr
    assert all(l["name"] in done.stderr for l in r["layers"])
    one = json.loads(tool("mstcalib", *args, "--json", "-", "--quiet", "--threads", 1).stdout)
    two = json.loads(tool("mstcalib", *args, "--json", "-", "--quiet", "--threads", 2).stdout)
    assert lasting(one) == lasting(two) == lasting(r)


def test_calib_marks_the_worst_layers(swin):
    done = tool("mstcalib", ONNX / "swin-ts.onnx", swin / "swin.bin", data(swin), "-T", 4, "--json", "-")
    layers = sorted(json.loads(done.stdout)["layers"], key=lambda l: -l["rel_l2"])
    marked = {line.split()[1] for line in done.stderr.splitlines() if line.startswith("! ")}
    assert 0 < len(marked) < len(layers) and marked == {l["name"] for l in layers[:len(marked)]}


def test_calib_first_layer_has_no_error_at_t_equal_l(swin):
    """A first layer sees a constant current: at T = L its spikes are the ANN's staircase, but for rounding."""
    r = json.loads(tool("mstcalib", ONNX / "swin-ts.onnx", swin / "swin.bin", data(swin), "-T", 16, "--json", "-",
                        "--quiet").stdout)
    first = r["layers"][0]
    assert first["L"] == 16 and first["mae"] < 1e-3 * first["theta"] and first["within_percent"] > 99


def test_calib_warns_and_refuses(swin):
    done = tool("mstcalib", ONNX / "swin-ts.onnx", swin / "masked.bin", data(swin), "-T", 2, "-n", 2, "--no-mask")
    assert "masks differ" in done.stderr.splitlines()[0]
    done = tool("mstcalib", ONNX / "swin-masked-ts.onnx", swin / "swin.bin", data(swin), "-T", 2, "-n", 1)
    assert "sha256" in done.stderr.splitlines()[0]
    done = tool("mstcalib", ONNX / "resnet18-ts.onnx", swin / "swin.bin", data(swin), "-T", 2, code=1)
    assert "sha256" in done.stderr.splitlines()[0]
    assert "differ" in done.stderr or "layer '" in done.stderr


def test_output_goes_where_the_path_leads(swin, tmp_path):
    """A link stays a link, a pipe stays a pipe; both get the whole text."""
    args = ("mstrun", swin / "swin.bin", data(swin), "-T", 2, "-n", 1, "--quiet", "--json")
    (tmp_path / "old.json").write_text("")
    (tmp_path / "link.json").symlink_to("old.json")
    tool(*args, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink() and json.loads((tmp_path / "old.json").read_text())["T"] == 2
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
        tool(*args, tmp_path / "pipe")
        assert json.loads(reader.communicate(timeout=60)[0])["T"] == 2
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.json", "old.json", "pipe"]
    assert "it is a folder" in tool(*args, tmp_path, code=1).stderr
