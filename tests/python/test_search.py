"""mstcalib --search-masks and --search-levels: what is planted is found, the policy is the network that was measured,
figures are those of other programs, nothing is left of what fails."""
import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, ROOT, lasting, tool
from support import Net, runtime
from test_qcfs import qcfs

DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
SWIN = ROOT / "examples" / "models" / "digits-swin.onnx"
CLASSES, SAMPLES = 6, 160


@pytest.fixture(scope="module", name="planted")
def _planted(tmp_path_factory):
    """(folder with model.onnx, model.bin, fit.npy, held.npy): a stem, then two convolutions of the same size side by side;
    nearly nothing that the second makes reaches the classes."""
    folder, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(3)
    n = Net(["N", 3, 6, 6], 13)

    def conv(x, inputs, outputs):
        w = rng.normal(size=(outputs, inputs, 3, 3)) / np.sqrt(9 * inputs)
        return qcfs(n, n.op("Conv", x, n.const(w), pads=[1, 1, 1, 1]), np.float32(1.5), 16)

    stem = conv(n.x, 3, 8)
    sides = [conv(stem, 8, 8) for _ in range(2)]
    heads = [n.const(rng.normal(size=(8 * 36, CLASSES)) * scale) for scale in (0.5, 1e-4)]
    parts = [n.op("MatMul", n.op("Flatten", side), head) for side, head in zip(sides, heads)]
    (folder / "model.onnx").write_bytes(n.model(n.op("Add", *parts)).SerializeToString())
    tool("mstconv", folder / "model.onnx", "-o", folder / "model.bin", "--quiet")
    for name in ("fit", "held"):
        np.save(folder / (name + ".npy"), rng.normal(size=(SAMPLES, 3, 6, 6)).astype(np.float32))
    return folder


def data(folder, name):
    return "npy:%s" % (folder / (name + ".npy"))


def search(folder, what, *args, out="found.yaml", held=True, code=0, model="model"):
    more = [data(folder, "held")] if held else []
    done = tool("mstcalib", folder / (model + ".onnx"), folder / (model + ".bin"), data(folder, "fit"), *more,
                "--search-" + what, folder / out, "--json", "-", "--quiet", *args, code=code)
    return lasting(json.loads(done.stdout)) if code == 0 else done.stderr


def found(r):
    return [g["found"] for g in r["groups"]]


def converted(folder, out="found.yaml", model="model"):
    tool("mstconv", folder / (model + ".onnx"), "-o", folder / "again.bin", "--policy", folder / out, "--quiet")
    return folder / "again.bin"


def run(model, where, *args):
    return json.loads(tool("mstrun", model, where, *args, "--json", "-", "--quiet").stdout)


def rival(r, name):
    return next(x for x in r["rivals"] if x["name"] == name)


def logits(folder, model, where, *args):
    tool("mstrun", model, where, *args, "--predictions", folder / "p.npz", "--quiet", "--force")
    return np.load(folder / "p.npz")["logits"].reshape(-1, CLASSES).astype("f8")


def divergence(base, other):
    p, q = ((x - x.max(1, keepdims=True)) for x in (base, other))
    p, q = (x - np.log(np.exp(x).sum(1, keepdims=True)) for x in (p, q))
    return float((np.exp(p) * (p - q)).sum(1).mean())


# ---- what is planted ----

def test_what_does_not_matter_is_masked(planted):
    r = search(planted, "masks", "--mode", "count", "--budget", 3)
    stem, used, unused = found(r)
    assert [g["site"] for g in r["groups"]] == ["conv"] * 3 and [g["block"] for g in r["groups"]] == [0, 1, 2]
    assert unused == pytest.approx(0.95) and max(stem, used) <= 0.375
    alone = [[a["divergence_nats"] for a in g["alone"]] for g in r["groups"]]
    assert len(alone[1]) == 11 and alone[1] == sorted(alone[1]) and max(alone[2]) < 1e-3 < min(alone[1])
    assert rival(r, "searched")["spikes_per_sample"] < rival(r, "as_is")["spikes_per_sample"]
    assert rival(r, "as_is")["change_percent"] == 0 and [x["name"] for x in r["rivals"]][-1] == "searched"


@pytest.mark.parametrize("mode", ["count", "radix"])
def test_what_does_not_matter_has_few_levels(planted, mode):
    r = search(planted, "levels", "--mode", mode, "--budget", 3)
    stem, used, unused = found(r)
    assert unused == {"count": 2, "radix": 3}[mode] and used > unused and stem > unused
    assert [g["now"] for g in r["groups"]] == [16] * 3


def test_no_budget_only_takes_what_is_free(planted):
    """What cannot be told from the network as it is: divergence of 0 in all digits, or nothing."""
    r = search(planted, "masks", "--mode", "count", "--budget", "1e-3")
    assert found(r)[:2] == [0, 0] and found(r)[2] > 0.9


def test_more_budget_saves_more(planted):
    spikes = [rival(search(planted, "masks", "--mode", "count", "--budget", b), "searched")["spikes_per_sample"]
              for b in (3, 15, 40)]
    assert spikes[0] > spikes[1] > spikes[2]


def test_energy_is_another_aim(planted):
    """The stem's spikes cost more operations each than those of the layers behind it."""
    r = search(planted, "masks", "--mode", "count", "--metric", "energy", "--energy-set", "int8", "--budget", 5)
    assert r["metric"] == "energy"
    assert rival(r, "searched")["operations_pj"] < rival(r, "as_is")["operations_pj"]


# ---- the figures are those of other programs ----

@pytest.mark.parametrize("what,args", [("masks", ["--mode", "count"]), ("levels", ["--mode", "radix"]),
                                       ("masks", ["--mode", "step", "-T", 6, "--ladder", ".5,.9"]),
                                       ("masks", ["--mode", "radix", "--levels", 7, "--ladder", ".5", "--seed", 5])])
def test_the_policy_is_the_network_that_was_measured(planted, what, args):
    r = search(planted, what, "--budget", 5, *args)
    again = run(converted(planted), data(planted, "held"))
    x = rival(r, "searched")
    assert again["mode"] == r["mode"] and again["T"] == r["T"] and again["samples"] == r["held_out"] == SAMPLES
    assert again["seed"] == r["seed"]
    last = again["at"][-1]
    for mine, theirs in (("spikes_per_sample", "spikes_per_sample"), ("fired_per_sample", "fired_per_sample"),
                         ("sops_per_sample", "sops_per_sample"), ("macs_per_sample", "macs_per_sample")):
        assert x[mine] == pytest.approx(last[theirs], rel=1e-9), mine
    assert x["energy_ratio"] == pytest.approx(last["energy_ratio"], rel=1e-9)


def test_divergence_and_classes(planted):
    """Of a group alone, and of what was found, from logits of mstrun; those of the network as it is from ONNX Runtime."""
    r = search(planted, "masks", "--mode", "count", "--budget", 3)
    x = np.load(planted / "fit.npy")
    base = np.stack([runtime(planted / "model.onnx", one[None]) for one in x]).astype("f8")
    lines = ["version: 1", "masks:", "  overrides:", "    - {block: 1, site: conv, ratio: 0.5}"]
    (planted / "one.yaml").write_text("\n".join(lines) + "\n")
    alone = next(a for a in r["groups"][1]["alone"] if a["value"] == 0.5)
    masked = logits(planted, converted(planted, "one.yaml"), data(planted, "fit"), "--mode", "count", "--seed", r["seed"])
    assert alone["divergence_nats"] == pytest.approx(divergence(base, masked), rel=1e-3)
    changed = (masked.argmax(1) != base.argmax(1)).mean()
    assert alone["change_percent"] == pytest.approx(-100 * changed, abs=1e-6) and changed > 0
    held = [logits(planted, m, data(planted, "held"), "--mode", "count", "--seed", r["seed"])
            for m in (planted / "model.bin", converted(planted))]
    change = (held[1].argmax(1) == held[0].argmax(1)).astype("f8") - 1
    searched = rival(r, "searched")
    assert searched["divergence_nats"] == pytest.approx(divergence(*held), rel=1e-4)
    assert searched["change_percent"] == pytest.approx(100 * change.mean())
    assert searched["change_se_percent"] == pytest.approx(100 * change.std(ddof=1) / np.sqrt(SAMPLES))


def test_attention(tmp_path):
    """Sites of a Swin, the paper's masks beside what is found, those that the weights were trained with kept."""
    tool("mstconv", SWIN, "-o", tmp_path / "m.bin", "--quiet")
    args = [SWIN, tmp_path / "m.bin", DIGITS, "--search-masks", tmp_path / "p.yaml", "--mode", "count", "-n", 60,
            "--ladder", ".25,.75", "--budget", 10, "--json", "-", "--quiet"]
    r = json.loads(tool("mstcalib", *args).stdout)
    assert [(g["block"], g["site"]) for g in r["groups"]] == [(b, s) for b in range(3) for s in ("q", "k", "attn", "mlp_fc1")]
    assert (r["samples"], r["held_out"], r["labelled"]) == (48, 12, 12)
    paper = rival(r, "paper")
    tool("mstconv", SWIN, "-o", tmp_path / "sa.bin", "--policy", ROOT / "examples" / "policies" / "sa75.yaml", "--quiet")
    assert paper["spikes_per_sample"] < rival(r, "as_is")["spikes_per_sample"] and paper["change_percent"] < 0
    assert "unmasked" not in [x["name"] for x in r["rivals"]]
    trained = ROOT / "examples" / "models" / "digits-swin-sa75.onnx"
    tool("mstconv", trained, "-o", tmp_path / "t.bin", "--policy", ROOT / "examples" / "policies" / "sa75.yaml", "--quiet")
    args[:2] = [trained, tmp_path / "t.bin"]
    args[4] = tmp_path / "t.yaml"
    r = json.loads(tool("mstcalib", *args, "--ladder", ".5,.9", "--budget", 5).stdout)
    assert {(g["site"], g["now"]) for g in r["groups"]} == {("q", .75), ("k", .75), ("attn", .75), ("mlp_fc1", 0)}
    assert all(g["found"] >= g["now"] for g in r["groups"]) and rival(r, "unmasked")["change_percent"] < -20
    tool("mstconv", trained, "-o", tmp_path / "again.bin", "--policy", tmp_path / "t.yaml", "--quiet")
    info = json.loads(tool("mstrun", "--info", tmp_path / "again.bin", "--json", "-").stdout)
    assert {x["trained"] for x in info["layers"] if x["site"] in ("q", "k", "attn")} == {0.75}


def test_names_that_are_patterns(tmp_path):
    """Neurons outside of any block are selected by name, whatever is in it."""
    n, rng = Net(["N", 1, 1, 12], 13), np.random.default_rng(5)
    y = n.op("Flatten", n.x)
    for name in ('a*b', 'q["?]', 'back\\slash', 'a*b2'):
        y = n.op("MatMul", y, n.const(rng.normal(size=(12, 12)) * 0.5))
        y = n.op("Clip", n.op("Div", y, n.const(np.float32(1.5))), n.const(0.0), n.const(1.0))
        y = n.op("Mul", n.op("Div", n.op("Floor", n.op("Add", n.op("Mul", y, n.const(np.float32(16))), n.const(np.float32(.5))),
                                         name=name), n.const(np.float32(16))), n.const(np.float32(1.5)))
    (tmp_path / "model.onnx").write_bytes(n.model(n.op("MatMul", y, n.const(rng.normal(size=(12, CLASSES))))).SerializeToString())
    tool("mstconv", tmp_path / "model.onnx", "-o", tmp_path / "model.bin", "--quiet")
    np.save(tmp_path / "fit.npy", rng.normal(size=(80, 1, 1, 12)).astype(np.float32))
    r = search(tmp_path, "levels", "--mode", "count", "--budget", 10, held=False)
    assert [g["node"] for g in r["groups"]] == ['a*b', 'q["?]', 'back\\slash', 'a*b2'] and {g["block"] for g in r["groups"]} == {-1}
    info = json.loads(tool("mstrun", "--info", converted(tmp_path), "--mode", "count", "--json", "-").stdout)
    assert [x["levels"] for x in info["layers"]] == found(r) and max(found(r)) < 16


# ---- the same everywhere; nothing left of what fails ----

def test_the_same_on_any_threads_and_kernels(planted):
    seen = []
    for k, args in enumerate((["--threads", 1], ["--threads", 3], ["--isa", "scalar"])):
        r = search(planted, "masks", "--mode", "count", "--budget", 3, *args, out="t%d.yaml" % k)
        seen.append(({x: r[x] for x in r if x != "out"}, (planted / ("t%d.yaml" % k)).read_bytes()))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("args,line", [
    (["--budget", 1], "--budget: expected --search-masks or --search-levels with it"),
    (["--ladder", ".5"], "--ladder: expected --search-masks or --search-levels with it"),
    (["--metric", "energy"], "--metric: expected --search-masks or --search-levels with it"),
    (["--search-masks", "{}/a", "--search-levels", "{}/b"], "--search-masks and --search-levels: expected one of them"),
    (["--search-masks", "{}/a", "--tune", "{}/b"], "--tune and --search-masks: expected one of them"),
    (["--search-masks", "{}/a", "--metric", "time"], "--metric: expected spikes or energy, found 'time'"),
    (["--search-masks", "{}/a", "--budget", "101"], "--budget: expected points of top-1, 0 to 100, found 101"),
    (["--search-masks", "{}/a", "--mode", "count", "--ladder", "1"], "ladder: expected ratios in [0,1), found 1"),
    (["--search-levels", "{}/a", "--mode", "count", "--ladder", "2.5"], "ladder: expected whole numbers of levels, 1 to 255"),
    (["--search-levels", "{}/a"], "--search-levels: expected --mode count or radix with it, found step"),
    (["--search-masks", "{}/a", "--skip-bad"], "--skip-bad: not with --search-masks"),
    (["--search-masks", "{}/a", "--html", "{}/b"], "--html: not with --search-masks"),
    (["--search-masks", "{}/a", "-T", "4,8"], "--search-masks: expected one number of time steps, found several"),
    (["--search-levels", "{}/a", "--mode", "count", "--ladder", "16,20"], "nothing to search"),
    (["--search-masks", "{}/a", "--mode", "count", "-n", "2"], "search: expected samples to fit and at least 2 held out"),
    (["--search-masks", "{}/model.bin", "--mode", "count"], "model.bin"),
])
def test_refused(planted, args, line):
    before = sorted(p.name for p in planted.iterdir())
    args = [str(a).replace("{}", str(planted)) for a in args]
    done = tool("mstcalib", planted / "model.onnx", planted / "model.bin", data(planted, "fit"), "--quiet", *args, code=None)
    errors = [x for x in done.stderr.splitlines() if "error: " in x]
    assert done.returncode in (1, 2) and len(errors) == 1 and line in errors[0], done.stderr
    assert sorted(p.name for p in planted.iterdir()) == before


def test_nothing_to_save(planted):
    """A network of which no ratio may go up: the figures come, the policy does not."""
    done = tool("mstcalib", planted / "model.onnx", planted / "model.bin", data(planted, "fit"), "--search-masks",
                planted / "none.yaml", "--mode", "count", "--budget", 0, "--ladder", ".9", "--json", "-", "--quiet", code=None)
    if done.returncode == 0:  # the part that does nothing may be free to the last digit
        assert found(json.loads(done.stdout))[:2] == [0, 0]
        return
    r = json.loads(done.stdout)
    assert "is not written" in done.stderr and r["out"] is None and r["rivals"] == [] and not (planted / "none.yaml").exists()


def test_a_policy_of_others_stays(planted):
    mine = planted / "mine.yaml"
    mine.write_text("version: 1\n")
    line = search(planted, "masks", "--mode", "count", out="mine.yaml", code=2)
    assert "--force" in line and mine.read_text() == "version: 1\n"
    search(planted, "masks", "--mode", "count", "--budget", 3, "--force", out="mine.yaml")
    search(planted, "masks", "--mode", "count", "--budget", 3, out="mine.yaml")  # now it is one of ours
    text = mine.read_text()
    assert text.startswith("# A policy that mstcalib found\n") and re.search(r"# On 160 others: top-1 ", text)


def test_interrupted(planted):
    """Ctrl-C: no policy, no temporary file, what was there stays."""
    old = search(planted, "masks", "--mode", "count", "--budget", 3, out="kept.yaml") and (planted / "kept.yaml").read_bytes()
    before = sorted(p.name for p in planted.iterdir())
    job = subprocess.Popen([str(BUILD / "mstcalib"), str(planted / "model.onnx"), str(planted / "model.bin"),
                            data(planted, "fit"), "--search-masks", str(planted / "kept.yaml"), "--mode", "step", "-T", "4000",
                            "--quiet"], stderr=subprocess.DEVNULL)
    time.sleep(1)
    job.send_signal(signal.SIGINT)
    assert job.wait(timeout=60) == -signal.SIGINT
    assert sorted(p.name for p in planted.iterdir()) == before and (planted / "kept.yaml").read_bytes() == old
