"""The tools' JSON against docs/JSON.md: its keys, its scales, and what may differ between two runs of the same."""
import datetime
import json
import re

import numpy as np
import pytest

import test_qdq as qdq
from built import ROOT, lasting, tool
from support import FIXTURES
from test_lists import cells, doc
from test_thresholds import images, network, saved

DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s-ubyte.gz" % n) for n in ("images.idx3", "labels.idx1"))
ONNX = ROOT / "examples" / "models" / "digits-swin.onnx"


def paths(value, at=""):
    """Every key of a report, entries of lists as []."""
    if isinstance(value, list):
        return {p for v in value for p in paths(v, at + "[]")}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, v in value.items():
        here = "%s.%s" % (at, key) if at else key
        found |= {here} | paths(v, here)
    return found


def documented():
    """{(kind of file, key)}"""
    rows = [r for r in cells(doc("docs/JSON.md")) if r[0].startswith("`")]
    keys = [(kind, r[0].strip("`")) for r in rows for kind in r[1].split()]
    assert len(keys) == len(set(keys)), sorted(k for k in set(keys) if keys.count(k) > 1)
    return set(keys)


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    z = np.load(FIXTURES / "swin.npz")
    np.save(folder / "x.npy", z["x"])
    np.save(folder / "y.npy", z["logits_ts"].argmax(1))
    (folder / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 0.5, attn: 0.5}}\ntrained: {sites: {q: 0.5, attn: 0.5}}\n")
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "m.bin", "--quiet", "--timesteps", 4, "--policy", folder / "p.yaml")
    return folder


def data(made):
    return "npy:%s,%s" % (made / "x.npy", made / "y.npy")


def run(made, *args):
    return json.loads(tool("mstrun", made / "m.bin", data(made), *args, "--json", "-", "--quiet").stdout)


def reports(made, tmp_path):
    """[(kind, report)] that have every key between them."""
    x = np.load(made / "x.npy")
    x[2, 0, 0, 0] = np.nan
    np.save(made / "nan.npy", x)
    found = [("run", run(made, "--mode", mode)) for mode in ("step", "count", "radix", "ann")]
    found += [("run", run(made, "--mode", "count", "--levels", "4,8")), ("run", run(made, "--html", tmp_path / "p.html", "-T", 2))]
    for i in (1, 2):
        tool("mstrun", made / "m.bin", data(made), "--shard", "%d/2" % i, "--json", tmp_path / ("s%d.json" % i), "--predictions",
             tmp_path / ("s%d.csv" % i), "--quiet")
        found.append(("run", json.loads((tmp_path / ("s%d.json" % i)).read_text())))
    merged = tool("mstrun", "--merge", tmp_path / "s1.json", tmp_path / "s2.json", "--predictions", tmp_path / "s.csv", "--json", "-", "--quiet")
    found.append(("run", json.loads(merged.stdout)))
    bad = json.loads(tool("mstrun", made / "m.bin", made / "nan.npy", "--skip-bad", "--json", "-", "--quiet").stdout)
    assert bad["skipped"] == 1
    found += [("run", bad), ("info", json.loads(tool("mstrun", "--info", made / "m.bin", "--json", "-").stdout))]
    args = ("mstcalib", FIXTURES / "swin-ts.onnx", made / "m.bin", data(made), "--json", "-", "--quiet")
    found += [("calib", json.loads(tool(*args, "--mode", mode).stdout)) for mode in ("step", "count", "radix")]
    found += [("calib", json.loads(tool(*args, "--attribute").stdout))]
    for i in (1, 2):
        tool(*args[:4], "--shard", "%d/2" % i, "--json", tmp_path / ("c%d.json" % i), "--quiet")
        found.append(("calib", json.loads((tmp_path / ("c%d.json" % i)).read_text())))
    merged = tool("mstcalib", "--merge", tmp_path / "c1.json", tmp_path / "c2.json", "--json", "-", "--quiet")
    found.append(("calib", json.loads(merged.stdout)))
    found += [("calib", json.loads(tool(*args[:3], made / "nan.npy", *args[4:], "--skip-bad").stdout))]
    tool("mstconv", ONNX, "-o", tmp_path / "d.bin", "--mean", ".1307", "--std", ".3081", "--quiet")
    tuning = tool("mstcalib", ONNX, tmp_path / "d.bin", DIGITS, "--tune", tmp_path / "t.bin", "-T", 16, "--readout-from", "auto", "-n",
                  100, "--json", "-", "--quiet")
    found += [("tune", json.loads(tuning.stdout)), ("info", json.loads(tool("mstrun", "--info", tmp_path / "t.bin", "--json", "-").stdout)),
              ("run", json.loads(tool("mstrun", tmp_path / "t.bin", DIGITS, "-n", 2, "--json", "-", "--quiet").stdout)),
              ("calib", json.loads(tool("mstcalib", ONNX, tmp_path / "t.bin", DIGITS, "-n", 2, "--json", "-", "--quiet").stdout))]
    for what, mode in (("masks", "step"), ("levels", "radix")):
        found += [("search", json.loads(tool(*args, "--search-" + what, tmp_path / (what + ".yaml"), "--mode", mode, "-T" if mode == "step"
                                             else "--seed", 3, "--budget", 90, "--holdout", ".5").stdout))]
    for how, levels in (("step", ()), ("count", ("3,9",))):
        found += [("exit", run(made, "--mode", how, "--exit", "margin:.5", *(("--levels",) + levels if levels else ()))),
                  ("margin", json.loads(tool(*args, "--mode", how, "--exit-budget", 5, "--holdout", ".5",
                                             *(("--exit-levels",) + levels if levels else ())).stdout))]
    conv = ("mstconv", FIXTURES / "swin_pub-ts.onnx", "--dry-run", "--quiet", "--weights", "int8", "--report", "-")
    found += [("conv", json.loads(tool(*conv).stdout))]
    model, _ = network()
    _, spec = images(tmp_path)
    conv = ("mstconv", saved(model, tmp_path), "-o", tmp_path / "r.bin", "--quiet", "--report", "-", "--calibrate", spec)
    found += [("conv", json.loads(tool(*conv).stdout))]
    qdq.static(qdq.network(), tmp_path)
    conv = ("mstconv", tmp_path / "qdq.onnx", "--dry-run", "--quiet", "--report", "-")
    found += [("conv", json.loads(tool(*conv).stdout))]
    (tmp_path / "all.yaml").write_text("version: 1\nmasks: {default: 0.5}\ntrained: {default: 0.5}\n"
                                       "run: {overrides: [{blocks: 0-2, levels: 3}]}\n")
    return found + [("policy", json.loads(tool("mstconv", "--policy", tmp_path / "all.yaml", "--show-policy").stdout))]


def test_keys_are_those_of_the_document(made, tmp_path):
    written = set()
    for kind, report in reports(made, tmp_path):
        found = {re.sub(r"^runs\[\]\.", "", p) for p in paths(report)}
        written |= {(kind, p) for p in found}
    known = documented() - {("run", "provenance.ranks"), ("calib", "provenance.ranks")}  # test_ranks.py
    assert not written - known, "written, not documented: %s" % sorted(written - known)
    assert not known - written, "documented, not written: %s" % sorted(known - written)


def test_what_a_report_begins_with(made, tmp_path):
    for kind, report in reports(made, tmp_path):
        tool_name = {"info": "mstrun", "run": "mstrun", "exit": "mstrun", "conv": "mstconv", "policy": "mstconv"}.get(kind, "mstcalib")
        assert list(report)[:4] == ["tool", "schema", "provenance", "timing"]
        assert report["tool"] == tool_name and report["schema"] == 1
        said = report["provenance"]
        assert tool_name + " " + said["version"] == tool(tool_name, "--version").stdout.strip()
        assert said["command"][0].endswith(tool_name) and len(said["command"]) > 3
        date = datetime.datetime.fromisoformat(said["date"].replace("Z", "+00:00"))
        assert abs((datetime.datetime.now(datetime.timezone.utc) - date).total_seconds()) < 300
        assert 0 < report["timing"]["wall_seconds"] < 300


def test_nothing_else_differs_between_runs(made):
    """Byte for byte, order of keys and all."""
    texts = {json.dumps(lasting(run(made, *args))) for args in (
        (), ("--threads", 1), ("--threads", 3), ("--isa", "scalar"), ("--schedule", "step"), ("--latency",))}
    assert len(texts) == 1


def figure(text, before, after=""):
    return float(re.search(r"%s +([\d.e+-]+) ?%s" % (before, after), text, re.M).group(1))


def test_text_has_the_same_scales(made):
    """Percent where JSON has it, per sample where JSON has it; only prefixes of units differ."""
    r, text = run(made), tool("mstrun", made / "m.bin", data(made)).stdout
    for at in r["at"]:
        assert figure(text, "^ *%d" % at["t"]) == pytest.approx(at["top1_percent"], abs=.005)
    assert figure(text, "^spikes", "per inference") == pytest.approx(r["spikes_per_sample"], abs=.51)
    assert figure(text, "^operations", "M SOPs") == pytest.approx(1e-6 * r["sops_per_sample"], rel=1e-3)
    assert figure(text, "^energy", "uJ") == pytest.approx(1e-6 * r["energy_pj"], rel=1e-3)
    assert figure(text, "^power", "W per inference") == pytest.approx(r["power_alpha_watts"], rel=1e-3)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith("/")}
    for l in r["layers"]:
        rate, inputs, fired, spikes = (None if c == "-" else float(c) for c in rows[l["name"]][-4:])
        for shown, key, digits in ((rate, "rate_percent", .0051), (inputs, "input_rate_percent", .0051),
                                   (fired, "fired_per_sample", .51), (spikes, "spikes_per_sample", .51)):
            assert shown is l[key] is None or shown == pytest.approx(l[key], abs=digits)
    args = ("mstcalib", FIXTURES / "swin-ts.onnx", made / "m.bin", data(made))
    r, text = json.loads(tool(*args, "--json", "-", "--quiet").stdout), tool(*args).stdout
    assert figure(text, "^ANN top-1") == pytest.approx(r["ann_top1_percent"], abs=.005)
    for at in r["at"]:
        row = re.search(r"^ *%d  .*" % at["t"], text, re.M).group().split()
        assert [float(c) for c in row[1:]] == pytest.approx([at["top1_percent"], at["agreement_percent"], at["logit_rel_l2"]], abs=.005)
    lines = [line.lstrip("! ").split() for line in text.splitlines() if "/Floor" in line]
    for l, row in zip(r["layers"], lines):
        assert row[0] == l["name"]
        for k, key in ((3, "rate_percent"), (4, "mae"), (5, "rel_l2"), (6, "max"), (7, "bias"), (8, "within_percent"), (9, "residual")):
            assert float(row[k]) == pytest.approx(l[key], abs=.0051)
