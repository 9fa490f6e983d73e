"""mstrun --exit and mstcalib --exit-budget: when a sample stops, what that costs, what is lost, against logits and counts of
runs that go to the end."""
import json

import numpy as np
import pytest

from built import ROOT, lasting, tool

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
    (["--exit", "margin:.9", "--html", "{}/x"], "--exit: not with --html"),
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
    """As it stands, it gives what is promised; and says how to compare."""
    args = ("mstcalib", SWIN, model, DIGITS, DIGITS, "--exit-budget", 2, *mode, "--range", ":%d" % SAMPLES)
    said = tool(*args, "--json", model.parent / "b.json", "--force").stdout
    r = json.loads((model.parent / "b.json").read_text())
    words = next(line for line in said.splitlines() if line.startswith("mstrun ")).split()
    done = tool(*[DIGITS if w == "DATA" else w for w in words], "--range", ":%d" % SAMPLES, "--json", model.parent / "e.json", "--force")
    again = json.loads((model.parent / "e.json").read_text())
    for key in r["early"]:
        assert again[key] == pytest.approx(r["early"][key], rel=1e-9), key
    assert (again["mode"], again["stages"], again["seed"]) == (r["mode"], r["stages"], r["seed"])
    assert ("--exit margin:1 runs all of them to the end" in done.stdout) == (r["margin"] < 1)


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
