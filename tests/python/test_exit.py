"""mstrun --exit and mstcalib --exit-budget: when a sample stops, what that costs, what is lost, against logits and counts of
runs that go to the end."""
import json
import re

import numpy as np
import pytest

from built import ROOT, lasting, tool
from test_html import check, close, tables, text, walk

DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
SWIN = ROOT / "examples" / "models" / "digits-swin.onnx"
SAMPLES = 60


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory):
    path = tmp_path_factory.mktemp("exit") / "m.bin"
    tool("mstconv", SWIN, "-o", path, "--quiet")
    return path


def run(model, *args):
    return json.loads(tool("mstrun", model, DIGITS, "-n", SAMPLES, *args, "--json", "-", "--quiet").stdout)


def predictions(model, name, *args):
    path = model.parent / (name + ".npz")
    tool("mstrun", model, DIGITS, "-n", SAMPLES, *args, "--predictions", path, "--quiet", "--force")
    return np.load(path)


def margins(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = np.sort(e / e.sum(-1, keepdims=True), -1)
    return p[..., -1] - p[..., -2]


def stops(margin, limit):
    """Of [samples, stages]: the first stage at which the margin holds, or the last."""
    sure = margin >= limit
    sure[:, -1] = True
    return sure.argmax(1)


def seen_alone(model, stages, mode, more):
    """(logits [samples, stages, classes], labels, totals of each stage) of runs without exit."""
    if mode == "step":
        p = predictions(model, "whole", "-T", stages[-1], "--at", ",".join(map(str, stages)), *more)
        at = run(model, "-T", stages[-1], "--at", ",".join(map(str, stages)), *more)["at"]
        return p["logits"], p["label"], [x["spikes_per_sample"] for x in at]
    parts = [predictions(model, "one", "--mode", mode, "--levels", n, *more) for n in stages]
    runs = [run(model, "--mode", mode, "--levels", n, *more) for n in stages]
    logits = np.stack([p["logits"].reshape(SAMPLES, -1) for p in parts], 1)
    return logits, parts[0]["label"], [r["at"][-1]["spikes_per_sample"] for r in runs]


CASES = [("step", [4, 8, 16, 24], ["--at", "4,8,16"], ["-T", 24], []),
         ("step", [8, 16], ["--at", "8,16"], ["-T", 16], ["--readout-from", "auto"]),
         ("count", [2, 4, 16], ["--levels", "16,2,4"], [], []),
         ("radix", [3, 15], ["--bits", "4,2"], [], [])]


@pytest.mark.parametrize("mode,stages,where,length,more", CASES)
def test_when_samples_stop_and_what_they_say(model, mode, stages, where, length, more):
    logits, labels, _ = seen_alone(model, stages, mode, more)
    margin = margins(logits.astype("f8"))
    limit = float(np.round(np.median(margin[:, :-1]), 3))
    assert np.abs(margin - limit).min() > 1e-6
    at = stops(margin, limit)
    r = run(model, "--mode", mode, *length, *where, "--exit", "margin:%g" % limit, *more)
    assert [s["t" if mode == "step" else "levels"] for s in r["stages"]] == stages and r["margin"] == limit
    assert [s["stopped"] for s in r["stages"]] == [int((at == k).sum()) for k in range(len(stages))]
    said = logits[np.arange(SAMPLES), at].argmax(1)
    assert [s["right"] for s in r["stages"]] == [int(((at == k) & (said == labels)).sum()) for k in range(len(stages))]
    assert r["top1_percent"] == pytest.approx(100 * (said == labels).mean()) and 0 < (at == 0).sum() < SAMPLES
    p = predictions(model, "early", "--mode", mode, *length, *where, "--exit", "margin:%g" % limit, *more)
    np.testing.assert_array_equal(p["logits"].reshape(SAMPLES, -1), logits[np.arange(SAMPLES), at])


@pytest.mark.parametrize("mode,stages,where,length,more", CASES)
def test_costs_add_up(model, mode, stages, where, length, more):
    """Margin 0: all stop at the first stage; 1: at the last, which cost what earlier ones did, too."""
    _, _, spikes = seen_alone(model, stages, mode, more)
    early, late = (run(model, "--mode", mode, *length, *where, "--exit", "margin:%d" % m, *more) for m in (0, 1))
    assert early["stages"][0]["stopped"] == late["stages"][-1]["stopped"] == SAMPLES
    assert early["spikes_per_sample"] == pytest.approx(spikes[0], rel=1e-9)
    assert late["spikes_per_sample"] == pytest.approx(spikes[-1] if mode == "step" else sum(spikes), rel=1e-9)
    assert early["latency_steps"] < late["latency_steps"]
    if mode == "step":
        assert (early["latency_steps"], late["latency_steps"]) == (stages[0], stages[-1])
        whole = run(model, *length, *more)
        assert late["energy_ratio"] == pytest.approx(whole["at"][-1]["energy_ratio"], rel=1e-9)


@pytest.mark.parametrize("mode,stages,where,length,more", CASES)
def test_beside_the_same_samples_run_to_the_end(model, mode, stages, where, length, more):
    """Each stage alone is a run without exit; the change is of pairs; what is saved is of the last of them."""
    logits, labels, _ = seen_alone(model, stages, mode, more)
    margin = margins(logits.astype("f8"))
    limit = float(np.round(np.quantile(margin[:, 0], .3), 3))
    r = run(model, "--mode", mode, *length, *where, "--exit", "margin:%g" % limit, *more)
    plain = [run(model, "-T", n, "--at", n, *more) if mode == "step" and not more else
             run(model, "--mode", mode, "--levels", n, *more) if mode != "step" else None for n in stages]
    assert len(r["alone"]) == len(stages)
    for k, (alone, whole) in enumerate(zip(r["alone"], plain)):
        assert alone["top1_percent"] == pytest.approx(100 * (logits[:, k].argmax(1) == labels).mean())
        if whole is None:
            continue
        for key in ("spikes_per_sample", "fired_per_sample", "sops_per_sample", "macs_per_sample", "energy_ratio"):
            assert alone[key] == pytest.approx(whole["at"][-1][key], rel=1e-9), key
        assert alone["energy_ratio_all"] == pytest.approx(whole["at"][-1]["energy_total_ratio"], rel=1e-9)
        assert alone["latency_steps"] == whole["latency_steps"]
    said = logits[np.arange(SAMPLES), stops(margin, limit)].argmax(1)
    last = logits[:, -1].argmax(1)
    d = (said == labels).astype("f8") - (last == labels)
    assert r["other_class_percent"] == pytest.approx(100 * (said != last).mean()) and (said != last).any()
    assert r["change_percent"] == pytest.approx(100 * d.mean())
    assert r["change_se_percent"] == pytest.approx(100 * d.std(ddof=1) / SAMPLES ** .5)
    assert r["energy_saved_percent"] == pytest.approx(100 - 100 * r["energy_ratio"] / r["alone"][-1]["energy_ratio"])


def test_what_it_says(model):
    def say(*args):
        return tool("mstrun", model, *args, "-n", SAMPLES).stdout
    args = ("--mode", "count", "--levels", "3,16", "--exit")
    r = run(model, *args, "margin:.2")
    lines = say(DIGITS, *args, "margin:.2").splitlines()
    assert [x.split()[:4] for x in lines if x.startswith("all with")] == [["all", "with", "3", "levels"], ["all", "with", "16", "levels"]]
    assert lines[-2:] == [
        "On the same samples, against the last of these: %+.2f +- %.2f points of top-1 (pairs)," % (r["change_percent"], r["change_se_percent"]),
        "another class for %.2f %%, %.1f %% of its energy of operations: %.1f %% saved." % (r["other_class_percent"], 100 - r["energy_saved_percent"],
                                                                          r["energy_saved_percent"])]
    assert r["energy_saved_percent"] > 0
    more = say(DIGITS, *args, "margin:1")  # all of the ladder
    assert re.search(r"another class for 0.00 %, 1[0-9][0-9]\.[0-9] % of its energy of operations: [0-9.]+ % more\.\n$", more)
    unlabelled = say(DIGITS.split(",")[0], *args, "margin:.2")
    assert "points" not in unlabelled and "nan" not in unlabelled
    assert "On the same samples, against the last of these:\nanother class for " in unlabelled


@pytest.mark.parametrize("mode", [["-T", 16, "--at", "4,8"], ["--mode", "count", "--levels", "3,16"]])
def test_page(model, mode, tmp_path):
    """The figures of the JSON; the rest is of the run to the last stage."""
    out = tmp_path / "p.html"
    r = run(model, *mode, "--exit", "margin:.4", "--html", out)
    page = check(out.read_text())
    shown = tables(page)
    step = r["mode"] == "step"
    names = ["t = %d" % s["t"] if step else "%d levels" % s["levels"] for s in r["stages"]]
    assert [row[0] for row in shown["Where samples stop"][1:]] == names
    for row, s in zip(shown["Where samples stop"][1:], r["stages"]):
        close(row[1:], [s[key] for key in ("stopped", "labelled", "right", "latency_steps")])
    figures = r["alone"] + [r]
    assert [row[0] for row in shown["Early exit, a sample"][1:]] == ["all to " + n for n in names] + ["early exit"]
    for row, x in zip(shown["Early exit, a sample"][1:], figures):
        close(row[1:], [x[key] for key in ("top1_percent", "top1_se_percent", "latency_steps", "spikes_per_sample", "sops_per_sample",
                                           "energy_ratio", "energy_ratio_all")])
    sections = {e[1]["aria-labelledby"]: e for e in walk(page.root, "section")}
    words = text(sections["exit-section"])
    assert "%.1f %% of the samples do so before the last" % (100 - 100 * r["stages"][-1]["stopped"] / SAMPLES) in words
    assert "%.2f %% are right, %+.2f points (standard error %.2f, of pairs)" % (r["top1_percent"], r["change_percent"], r["change_se_percent"]) in words
    assert "%.1f %% of the energy of operations is saved" % r["energy_saved_percent"] in words
    assert "%.1f %% of that energy is saved" % r["energy_saved_percent"] in text(sections["summary"])
    whole = shown["Accuracy"][-1]
    assert whole[1] == pytest.approx(r["alone"][-1]["top1_percent"])
    assert len(list(walk(sections["exit-section"], "svg"))) == 2
    if step:
        assert [row[0] for row in shown["Accuracy"][1:]] == [4, 8, 16]


def test_page_without_labels(model, tmp_path):
    out = tmp_path / "p.html"
    tool("mstrun", model, DIGITS.split(",")[0], "-n", 30, "-T", 16, "--exit", "margin:.4", "--html", out, "--quiet")
    sections = {e[1]["aria-labelledby"]: e for e in walk(check(out.read_text()).root, "section")}
    assert "The class is another than where all are run to t = 16 for" in text(sections["exit-section"])
    assert len(list(walk(sections["exit-section"], "svg"))) == 1


def test_the_same_on_any_threads_and_kernels(model):
    seen = {json.dumps(lasting(run(model, "--mode", "count", "--levels", "3,16", "--exit", "margin:0.5", *args)))
            for args in (["--threads", 1], ["--threads", 3], ["--isa", "scalar"], ["--schedule", "step"])}
    assert len(seen) == 1


def test_steps_in_eight(model):
    assert [s["t"] for s in run(model, "-T", 20, "--exit", "margin:1")["stages"]] == [2, 5, 7, 10, 12, 15, 17, 20]
    assert [s["t"] for s in run(model, "-T", 3, "--exit", "margin:1")["stages"]] == [1, 2, 3]


@pytest.mark.parametrize("args,line", [
    (["--exit", "0.9"], "--exit: expected margin:M with M from 0 to 1, found '0.9'"),
    (["--exit", "margin:1.5"], "--exit: expected margin:M with M from 0 to 1, found 'margin:1.5'"),
    (["--exit", "gap:2"], "--exit: expected margin:M"),
    (["--exit", "margin:.9", "--mode", "ann"], "--exit: expected a spiking mode with it, found ann"),
    (["--exit", "margin:.9", "--mode", "count"], "--exit: expected several --levels with it"),
    (["--exit", "margin:.9", "--mode", "radix", "--bits", "4"], "--exit: expected several --bits with it"),
    (["--exit", "margin:.9", "--latency"], "--exit: not with --latency"),
    (["--exit", "margin:.9", "--skip-bad"], "--exit: not with --skip-bad"),
    (["--exit", "margin:.9", "--shard", "1/2"], "--exit: not with --shard"),
    (["--exit", "margin:.9", "--resume", "{}/x"], "--exit: not with --resume"),
    (["--exit", "margin:.9", "--trace", "{}/x"], "--exit: not with --trace"),
])
def test_refused(model, args, line):
    done = tool("mstrun", model, DIGITS, *[str(a).replace("{}", str(model.parent)) for a in args], code=2)
    assert len(done.stderr.strip().splitlines()) == 1 and line in done.stderr


# ---- mstcalib --exit-budget ----

def calib(model, *args, code=0):
    return tool("mstcalib", SWIN, model, DIGITS, "--exit-budget", *args, "--json", "-", "--quiet", code=code)


@pytest.mark.parametrize("mode", [["--mode", "step", "-T", "4,8,16,24"], ["--mode", "count", "--exit-levels", "16,3"]])
def test_what_the_budget_finds(model, mode):
    """The figures of the samples held out are those of mstrun with the margin that was found, and of runs to the end."""
    r = json.loads(calib(model, 1, *mode, "-n", 200, "--holdout", ".3").stdout)
    assert (r["samples"], r["held_out"], r["labelled"]) == (140, 60, 60) and 0 < r["margin"] <= 1
    assert sum(s["stopped"] for s in r["stages"]) == 60
    all_of = json.loads(calib(model, 1, *mode, "-n", 200, "--holdout", ".3").stdout)
    assert lasting(all_of) == lasting(r)
    assert r["change_percent"] == pytest.approx(r["early"]["top1_percent"] - r["alone"][-1]["top1_percent"])
    assert r["early"]["spikes_per_sample"] < sum(a["spikes_per_sample"] for a in r["alone"])
    loose, strict = (json.loads(calib(model, b, *mode, "-n", 200).stdout) for b in (50, 0))
    assert strict["margin"] >= r["margin"] > loose["margin"]


@pytest.mark.parametrize("mode", [["-T", "8,16"], ["--mode", "count", "--exit-levels", "3,16", "--seed", 3],
                                  ["--mode", "radix", "--exit-levels", "3,15"]])
def test_the_command_that_it_prints(model, mode):
    """As it stands, it gives what is promised."""
    args = ("mstcalib", SWIN, model, DIGITS, DIGITS, "--exit-budget", 2, *mode, "--range", ":%d" % SAMPLES)
    said = tool(*args, "--json", model.parent / "b.json", "--force").stdout
    r = json.loads((model.parent / "b.json").read_text())
    words = next(line for line in said.splitlines() if line.startswith("mstrun ")).split()
    tool(*[DIGITS if w == "DATA" else w for w in words], "--range", ":%d" % SAMPLES, "--json", model.parent / "e.json", "--force")
    again = json.loads((model.parent / "e.json").read_text())
    for key in r["early"]:
        assert again[key] == pytest.approx(r["early"][key], rel=1e-9), key
    for key in ("alone", "change_percent", "change_se_percent", "other_class_percent", "energy_saved_percent"):
        assert again[key] == r[key], key
    assert (again["mode"], again["stages"], again["seed"]) == (r["mode"], r["stages"], r["seed"])


def test_samples_without_labels(model):
    """A margin is found, by the last stage's class; nothing is said of top-1."""
    args = (SWIN, model, DIGITS.split(",")[0], "--exit-budget", 1, "-n", 100, "-T", "4,8,16")
    r = json.loads(tool("mstcalib", *args, "--json", "-", "--quiet").stdout)
    assert r["labelled"] == 0 and all((s["labelled"], s["right"]) == (0, 0) for s in r["stages"])
    assert all(x["top1_percent"] is None and x["top1_se_percent"] is None for x in [r["early"]] + r["alone"])
    assert -1 - 2 * r["fit_change_se_percent"] <= r["fit_change_percent"] <= 0 and r["change_percent"] <= 0 < r["margin"]
    said = tool("mstcalib", *args).stdout
    assert "%d of those held out have no label" % r["held_out"] in said and "nan" not in said


def test_held_out_figures_are_those_of_mstrun(model):
    """A second DATA is taken whole: mstrun on it with that margin gives the same."""
    spec = DIGITS
    done = tool("mstcalib", SWIN, model, spec, spec, "--exit-budget", 2, "--mode", "count", "--exit-levels", "3,16", "--range", ":150",
                "--json", "-", "--quiet")
    r = json.loads(done.stdout)
    again = json.loads(tool("mstrun", model, spec, "--range", ":150", "--mode", "count", "--levels", "3,16", "--exit", "margin:%g" % r["margin"],
                            "--json", "-", "--quiet").stdout)
    for key in r["early"]:
        assert again[key] == pytest.approx(r["early"][key], rel=1e-9), key
    assert again["stages"] == r["stages"]
    for n, alone in zip((3, 16), r["alone"]):
        whole = json.loads(tool("mstrun", model, spec, "--range", ":150", "--mode", "count", "--levels", n, "--json", "-", "--quiet").stdout)
        last = whole["at"][-1]
        assert alone["top1_percent"] == pytest.approx(last["top1_percent"])
        assert alone["spikes_per_sample"] == pytest.approx(last["spikes_per_sample"], rel=1e-9)
        assert alone["energy_ratio"] == pytest.approx(last["energy_ratio"], rel=1e-9)
        assert alone["latency_steps"] == pytest.approx(whole["latency_steps"])


@pytest.mark.parametrize("args,line", [
    (["1", "--mode", "count"], "--exit-budget: expected several --exit-levels in count and radix mode"),
    (["1", "--mode", "count", "--exit-levels", "4"], "--exit-budget: expected several --exit-levels"),
    (["1", "--exit-levels", "4,8"], "--exit-budget: expected several --exit-levels"),
    (["1", "--mode", "count", "--exit-levels", "4,8", "--levels", "3"], "--exit-budget: expected several --exit-levels"),
    (["101"], "--exit-budget: expected points of top-1, 0 to 100, found 101"),
    (["1", "--html", "x"], "--html: not with --exit-budget"),
    (["1", "--skip-bad"], "--skip-bad: not with --exit-budget"),
    (["1", "--ann-masks", "mean"], "--ann-masks: not with --exit-budget"),
    (["1", "--tune", "x.bin"], "--tune and --exit-budget: expected one of them"),
    (["1", "--search-masks", "x.yaml"], "--search-masks and --exit-budget: expected one of them"),
])
def test_budget_refused(model, args, line):
    assert line in calib(model, *args, code=2).stderr
    assert "--exit-budget" in tool("mstcalib", SWIN, model, DIGITS, "--exit-levels", "4,8", code=2).stderr
