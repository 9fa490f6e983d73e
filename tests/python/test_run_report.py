"""What mstrun says of a run: mode, levels, latency and rates in count and radix mode, several runs in one command, the
ANN with its masks; and energy, whose every figure is computed again from the JSON's counts and docs/ENERGY.md's rules."""
import json

import numpy as np
import pytest

from built import ROOT, lasting, listed, tool
from support import Net, convert, runtime
from test_lists import cells, doc, section
from test_qcfs import qcfs

from oracle import philox, snn_reader

FIXTURES = ROOT / "tests" / "fixtures" / "onnx"
SAMPLES = 4


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """masked.bin (50 % of Q and attention) and plain.bin of the same Swin, x.npy, y.npy."""
    folder = tmp_path_factory.mktemp("nets")
    z = np.load(FIXTURES / "swin.npz")
    np.save(folder / "x.npy", z["x"][:SAMPLES])
    np.save(folder / "y.npy", z["logits_ts"][:SAMPLES].argmax(1))
    (folder / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 0.5, attn: 0.5}}\ntrained: {sites: {q: 0.5, attn: 0.5}}\n")
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "plain.bin", "--quiet", "--timesteps", 8)
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "masked.bin", "--quiet", "--policy", folder / "p.yaml")
    return folder


def data(folder):
    return "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")


def run(path, spec, *args):
    return json.loads(tool("mstrun", path, spec, *args, "--json", "-", "--quiet").stdout)


def depth_of(path):
    """Neurons on the longest way to the output, of the file."""
    graph, depth = snn_reader.load(path), {}
    for n in graph.nodes:
        depth[n.out] = max([depth.get(i, 0) for i in n.inputs] + [0]) + (n.op == "neuron")
    return depth[graph.output]


# ---- modes ----

@pytest.mark.parametrize("mode, args, levels, window", [
    ("count", (), None, 16), ("count", ("--levels", 5), 5, 5), ("count", ("-T", 7), 7, 7), ("radix", (), None, 5),
    ("radix", ("--levels", 9), 9, 4), ("radix", ("--bits", 3), 7, 3)])
@pytest.mark.parametrize("name", ["plain", "masked"])
def test_modes_say_what_they_are(name, mode, args, levels, window, nets):
    path = nets / (name + ".bin")
    r = run(path, data(nets), "--mode", mode, *args)
    assert (r["mode"], r["levels"], r["T"], r["window_steps"]) == (mode, levels, None, window)
    assert r["thinning"] == ("binomial" if name == "masked" else None)
    assert r["depth"] == depth_of(path) and r["latency_steps"] == r["depth"] * window
    assert len(r["at"]) == 1 and r["at"][0]["t"] is None and 0 <= r["at"][0]["top1_percent"] <= 100
    for l in r["layers"]:
        assert (l["L"], l["levels"]) == (16, levels or 16)
        assert l["rate_percent"] == pytest.approx(100 * l["spikes_per_sample"] / (l["neurons"] * window), rel=1e-8)
        assert l["rate_percent"] <= 100 and l["input_rate_percent"] is None
        if l["dense_in"]:
            assert l["input_events"] == pytest.approx(l["input_ops_per_sample"] / l["dense_in"], rel=1e-8)
        assert l["masked_per_sample"] == (None if mode == "radix" else l["fired_per_sample"] - l["spikes_per_sample"])
        assert l["fired_per_sample"] == l["spikes_per_sample"] or l["mask"]
    for key in ("fired_per_sample", "spikes_per_sample"):
        assert sum(l[key] for l in r["layers"]) == r[key]
    assert r["masked_per_sample"] == (None if mode == "radix" else r["fired_per_sample"] - r["spikes_per_sample"])
    assert r["power_alpha_watts_per_step"] is None
    text = tool("mstrun", path, data(nets), "--mode", mode, *args).stdout
    assert "mode %s, %s" % (mode, "%d levels" % levels if levels else "each layer's own levels (16)") in text
    assert "%d neurons in sequence x a window of %d steps = %d steps" % (r["depth"], window, r["latency_steps"]) in text
    assert ("binomial thinning" in text and "fired, before masks" in text) == (name == "masked")
    assert "T = " not in text and "per step" not in text and "-%" not in text and "18446744" not in text


def test_radix_spikes_may_grow_behind_a_mask(nets):
    """16 thinned to 15 is one digit that becomes four: no difference of digits may be shown."""
    found = []
    for seed in range(3):
        r = run(nets / "masked.bin", data(nets), "--mode", "radix", "--mask", "all=0.02", "--seed", seed)
        found += [l["spikes_per_sample"] > l["fired_per_sample"] for l in r["layers"] if l["mask"]]
        text = tool("mstrun", nets / "masked.bin", data(nets), "--mode", "radix", "--mask", "all=0.02", "--seed", seed).stdout
        head, *rows = [line.split() for line in text[text.index("\nlayer ") + 1:].splitlines()]
        assert head[-2:] == ["fired", "spikes"]
        assert [row[-2:] for row in rows] == [["%.0f" % l[k + "_per_sample"] for k in ("fired", "spikes")] for l in r["layers"]]
    assert any(found)


def test_step_says_t(nets):
    r = run(nets / "plain.bin", data(nets), "-T", 4)
    assert (r["mode"], r["T"], r["latency_steps"], r["levels"], r["depth"], r["window_steps"]) == ("step", 4, 4, None, None, None)
    assert all(l["levels"] is None for l in r["layers"])


def test_several_levels_are_several_runs(nets):
    for mode, option, values, levels in (("count", "--levels", "4,16", (4, 16)), ("count", "-T", "16,4", (16, 4)),
                                         ("radix", "--bits", "2,3", (3, 7))):
        done = tool("mstrun", nets / "masked.bin", data(nets), "--mode", mode, option, values, "--json", "-")
        runs = json.loads(done.stdout)["runs"]
        assert [r["levels"] for r in runs] == list(levels)
        for one, n in zip(runs, levels):
            alone = run(nets / "masked.bin", data(nets), "--mode", mode, "--levels", n)
            assert lasting(one) == {k: v for k, v in lasting(alone).items() if k not in ("tool", "schema")}
        assert "a run for each row" in done.stderr
        rows = [line.split() for line in done.stderr.splitlines() if line[:6].strip().isdigit()]
        assert [(int(row[0]), int(row[2])) for row in rows] == [(r["levels"], r["latency_steps"]) for r in runs]


def test_the_file_says_the_mode(tmp_path):
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--quiet", "--mode", "radix", "--bits", 3)
    np.save(tmp_path / "x.npy", np.load(FIXTURES / "swin.npz")["x"][:1])
    r = run(tmp_path / "m.bin", tmp_path / "x.npy")
    assert (r["mode"], r["levels"], r["window_steps"]) == ("radix", None, 3) and {l["levels"] for l in r["layers"]} == {7}
    assert run(tmp_path / "m.bin", tmp_path / "x.npy", "--mode", "step", "-T", 2)["T"] == 2


@pytest.mark.parametrize("args, says", [
    (("--mode", "fast"), "expected one of step, count, radix, ann"), (("--levels", 4), "--mode count or radix"),
    (("--mode", "radix", "-T", 4), "no time steps"), (("--mode", "ann", "-T", 4), "spiking mode"),
    (("--mode", "count", "--at", 1), "--mode step"), (("--mode", "count", "-T", 256), "255"), (("-T", "4,8"), "--at"),
    (("--mode", "count", "--bits", 2), "radix"), (("--mode", "radix", "--bits", 2, "--levels", 3), "one of them"),
    (("--mode", "count", "--levels", "4,8", "--trace", "t.csv"), "one run"),
    (("--energy-set", "fp8"), "expected one of fp32, fp16, int8")])
def test_refusals(args, says, nets):
    assert says in tool("mstrun", nets / "plain.bin", data(nets), *args, code=2).stderr


# ---- the ANN with its masks ----

def test_ann_without_masks(nets):
    x, wrong = np.load(nets / "x.npy"), nets / "wrong.npy"
    r = run(nets / "plain.bin", data(nets), "--mode", "ann")
    assert len(r["at"]) == 1 and r["at"][0]["top1_percent"] == 100 and r["at"][0]["t"] is None and r["samples"] == len(x)  # the labels are ONNX Runtime's choice
    assert r["spikes_per_sample"] is None and r["energy_ratio"] is None and r["latency_steps"] is None
    assert r["energy_pj"] == r["ann_energy_pj"] == pytest.approx(4.6 * r["dense_ops_per_pass"])
    np.save(wrong, (np.load(nets / "y.npy") + 1) % 10)
    assert run(nets / "plain.bin", "npy:%s,%s" % (nets / "x.npy", wrong), "--mode", "ann")["at"][0]["top1_percent"] == 0


def test_ann_drops_whole_activations(tmp_path):
    """The classes are those of NumPy, with the words that EXECUTION.md gives to time 1."""
    rng, n_samples, width, ratio = np.random.default_rng(3), 64, 32, 0.5
    w1, w2 = rng.normal(size=(width, width)).astype(np.float32), rng.normal(size=(width, 5)).astype(np.float32)
    net = Net(["N", 1, 1, width], 13)
    y = qcfs(net, net.op("MatMul", net.op("Flatten", net.x), net.const(w1)), 4.0, 4)
    keep = net.op("Cast", net.op("Greater", net.op("RandomUniformLike", y), net.const(ratio)), to=1)
    model = net.model(net.op("MatMul", net.op("Mul", y, keep), net.const(w2)))
    _, graph = convert(model, tmp_path)
    mask, = [n for n in graph.nodes if n.op == "mask"]
    x = rng.normal(size=(n_samples, width)).astype(np.float32)
    a = np.clip(np.floor(x @ w1 + 0.5), 0, 4)  # theta = L: whole numbers
    np.save(tmp_path / "x.npy", x.reshape(n_samples, 1, 1, width))
    found = []
    for seed in (5, 6):
        words = philox.mask_words(seed, np.arange(n_samples), 1, mask.ip["INDEX"], width)
        logits = (a * (words >= ratio * 2 ** 32)) @ w2.astype(np.float64)
        np.save(tmp_path / "y.npy", logits.argmax(1))
        for asked in (5, 6):
            found.append(run(tmp_path / "model.bin", "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"), "--mode", "ann",
                             "--seed", asked)["at"][0]["top1_percent"])
    assert found[0] == found[3] == 100 and found[1] < 90 and found[2] < 90


# ---- energy ----

SETS = {"fp32": (0.9, 4.6, 32, 32), "fp16": (0.4, 1.5, 16, 16), "int8": (0.03, 0.23, 8, 32)}


def check_energy(r, static, ac, mac, value_bits, state_bits):
    """docs/ENERGY.md, from what was counted. static: operations on the constant input alone."""
    word = 5.0 / 32
    steps = r["T"] or 1
    neurons = sum(l["neurons"] for l in r["layers"])
    updates, dense = neurons * steps, r["dense_ops_per_pass"]
    ops = r["sops_per_sample"] + r["macs_per_sample"]
    mine = (ac * r["sops_per_sample"] + mac * r["macs_per_sample"],
            word * (value_bits * ops + state_bits * 2 * updates + 32 * 2 * r["spikes_per_sample"]),
            ac * (updates + r["fired_per_sample"]))
    ann = (mac * dense, word * value_bits * (dense + 2 * neurons), mac * neurons)
    rivals = {"ann": ann}
    if r["mode"] == "radix":
        k = r["window_steps"]
        rivals["bit_ann"] = (mac * static + k * ac * (dense - static), word * (value_bits * dense + k * 2 * neurons), mac * neurons)
        assert r["energy"]["bit_ann"]["bits"] == k
    else:
        assert r["energy"]["bit_ann"] is None
    for name, cost in dict(rivals, run=mine).items():
        e = r["energy"][name]
        assert (e["operations_pj"], e["memory_pj"], e["updates_pj"]) == pytest.approx(cost, rel=1e-8), name
        assert e["total_pj"] == pytest.approx(sum(cost), rel=1e-8)
        if name != "run":
            assert e["ratio"] == pytest.approx(mine[0] / cost[0], rel=1e-8)
            assert e["total_ratio"] == pytest.approx(sum(mine) / sum(cost), rel=1e-8)
    assert r["energy_pj"] == pytest.approx(mine[0]) and r["ann_energy_pj"] == pytest.approx(ann[0])
    assert r["energy_ratio"] == pytest.approx(mine[0] / ann[0], rel=1e-8)
    ops = r["neurobench"]["SynapticOperations"]
    assert (ops["Effective_ACs"], ops["Effective_MACs"], ops["Dense"]) == tuple(
        r[k + "_per_sample"] for k in ("sops", "macs", "dense_ops"))


@pytest.mark.parametrize("args", [("-T", 6), ("--mode", "count"), ("--mode", "count", "--levels", 4), ("--mode", "radix"),
                                  ("--mode", "radix", "--bits", 2)])
@pytest.mark.parametrize("name", ["plain", "masked"])
def test_energy(name, args, nets):
    path = nets / (name + ".bin")
    static = json.loads(tool("mstrun", "--info", path, "--json", "-").stdout)["dense_ops_static"]
    assert static > 0
    for energy_set, constants in SETS.items():
        r = run(path, data(nets), *args, "--energy-set", energy_set)
        assert r["energy"]["constants"]["set"] == energy_set
        check_energy(r, static, *constants)
    plain = run(path, data(nets), *args)
    check_energy(plain, static, *SETS["fp32"])
    r = run(path, data(nets), *args, "--energy-set", "int8", "--energy-ac", 2, "--energy-mac", 3)
    check_energy(r, static, 2, 3, 8, 32)
    text = tool("mstrun", path, data(nets), *args).stdout
    line = next(x for x in text.splitlines() if x.startswith("energy "))
    verdict, of = line.split(", ")[1].split(" times the ANN's ")
    shown = float(line.split()[1]) / float(of.split()[0])  # the two energies beside it
    assert float(verdict) == pytest.approx(plain["energy_ratio"], rel=6e-3) == pytest.approx(shown, rel=2e-3)
    assert ("-bit ANN" in text) == (plain["mode"] == "radix") and "below the ANN" not in text


def test_energy_sets_are_those_of_the_table():
    assert [(name, float(ac), float(mac), int(v), int(s)) for name, ac, mac, v, s in listed("mstrun", "energy-sets")] \
        == [(name, *row) for name, row in SETS.items()]
    rows = cells(section(doc("docs/ENERGY.md"), "Operations"))
    assert [(r[0].strip("`"), *(float(c) for c in r[1:5])) for r in rows] == [(name, *row) for name, row in SETS.items()]


# ---- a network that never fires ----

def silent_net(folder, theta=1e6):
    net = Net(["N", 2, 2, 2], 13)
    y = qcfs(net, net.op("MatMul", net.op("Flatten", net.x), net.const(np.ones((8, 8)))), theta, 4)
    model = net.model(net.op("Add", net.op("MatMul", y, net.const(np.ones((8, 3)))), net.const([1.0, 0.0, 0.0])))
    convert(model, folder)
    x = np.random.default_rng(0).normal(size=(4, 2, 2, 2)).astype(np.float32)
    assert np.allclose([runtime(model, row[None]) for row in x], [1, 0, 0]) == (theta > 1000)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", np.zeros(4, np.int64))
    return folder / "model.bin"


@pytest.mark.parametrize("args", [("-T", 8), ("--mode", "count"), ("--mode", "radix"), ("--mode", "count", "--levels", "2,4")])
def test_silence_is_no_success(args, tmp_path):
    path = silent_net(tmp_path)
    done = tool("mstrun", path, data(tmp_path), *args, "--json", "-")
    report = json.loads(done.stdout)
    for r in report.get("runs", [report]):
        assert r["spikes_per_sample"] == 0 and r["silent_layers"] == len(r["layers"]) == 1 and r["at"][-1]["top1_percent"] == 100
        assert r["energy_ratio"] is None and r["energy"]["ann"]["ratio"] is None and r["energy"]["ann"]["total_ratio"] is None
    assert done.stderr.startswith("mstrun: warning: no neuron ever fired in 4 samples") and " times" not in done.stderr
    quiet = tool("mstrun", path, data(tmp_path), *args, "--quiet")
    assert quiet.stderr.startswith("mstrun: warning: no neuron ever fired") and not quiet.stdout


def test_masked_to_silence(tmp_path):
    """Neurons fire, and their masks leave nothing."""
    net = Net(["N", 2, 2, 2], 13)
    y = qcfs(net, net.op("MatMul", net.op("Flatten", net.x), net.const(np.ones((8, 8)))), 2.0, 4)
    keep = net.op("Cast", net.op("Greater", net.op("RandomUniformLike", y), net.const(0.9999999)), to=1)
    convert(net.model(net.op("MatMul", net.op("Mul", y, keep), net.const(np.ones((8, 3))))), tmp_path)
    np.save(tmp_path / "x.npy", np.ones((2, 2, 2, 2), np.float32))
    done = tool("mstrun", tmp_path / "model.bin", tmp_path / "x.npy", "-T", 8, "--json", "-")
    r = json.loads(done.stdout)
    assert (r["fired_per_sample"], r["spikes_per_sample"], r["energy_ratio"]) == (64, 0, None)
    assert "no neuron fired past its mask in 2 samples" in done.stderr and " times" not in done.stderr


def test_what_fires_is_not_warned_of(tmp_path):
    done = tool("mstrun", silent_net(tmp_path, 2.0), data(tmp_path), "-T", 8)
    assert not done.stderr and "times the ANN's" in done.stdout and "silent" not in done.stdout
