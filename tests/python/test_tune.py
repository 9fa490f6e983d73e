"""mstcalib --tune: v(0) of each channel from samples, judged on others; what reads it, and what must not."""
import gzip
import json
import struct
import sys

import numpy as np
import pytest

from built import ROOT, lasting, tool
from snnkit import snnkit  # noqa: F401
from support import Net, convert
from test_qcfs import qcfs
from test_simulator import assert_bit_equal

from oracle import snn_reader
from oracle.simulator import Simulator

DIGITS = "idx:%s,%s" % tuple(ROOT / "examples" / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
ONNX = ROOT / "examples" / "models" / "digits-swin.onnx"
STEPS, WIDTH, SAMPLES = 8, 16, 120


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """(folder with m.bin and tuned.bin, the figures of the tuning)"""
    folder = tmp_path_factory.mktemp("digits")
    tool("mstconv", ONNX, "-o", folder / "m.bin", "--mean", ".1307", "--std", ".3081", "--quiet")
    r = tune(folder / "m.bin", folder / "tuned.bin", "-T", 16, "--readout-from", "auto", "-n", 100, "--threads", 2)
    return folder, r


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """(folder with model.onnx, model.bin, x.npy, tuned.bin; x) of three layers of neurons, thetas along channels."""
    folder, rng = tmp_path_factory.mktemp("net"), np.random.default_rng(8)
    n = Net(["N", 1, 1, WIDTH], 13)
    y = n.op("Flatten", n.x)
    for _ in range(3):
        theta = rng.uniform(0.5, 1.5, WIDTH)
        y = qcfs(n, n.op("MatMul", y, n.const(rng.normal(size=(WIDTH, WIDTH)) * 0.6)), theta, 8)
    convert(n.model(n.op("MatMul", y, n.const(rng.normal(size=(WIDTH, 6))))), folder)
    x = rng.normal(size=(SAMPLES, 1, 1, WIDTH)).astype(np.float32)
    np.save(folder / "x.npy", x)
    r = tune(folder / "model.bin", folder / "tuned.bin", "-T", STEPS, data="npy:%s" % (folder / "x.npy"),
             onnx=folder / "model.onnx")
    assert r["better"] and r["ann_top1_percent"] is None and r["labelled"] == 0
    return folder, x


def tune(model, out, *args, data=DIGITS, onnx=ONNX, code=0, more=()):
    done = tool("mstcalib", onnx, model, data, *more, "--tune", out, *args, "--json", "-", "--quiet", code=code)
    return lasting(json.loads(done.stdout))


def run_json(model, data, *args):
    r = json.loads(tool("mstrun", model, data, *args, "--json", "-", "--quiet").stdout)
    return {k: v for k, v in lasting(r).items() if k not in ("model", "network")}


# ---- what it finds ----

def test_digits_are_better_and_it_says_by_how_much(digits):
    folder, r = digits
    assert (r["T"], r["readout_from"], r["samples"], r["held_out"], r["labelled"]) == (16, 9, 80, 20, 20)
    assert r["better"] and r["out"] == str(folder / "tuned.bin") and r["passes"] == 4 and 1 <= r["pass"] <= 3
    before, after, change = r["untuned"], r["tuned"], r["change"]
    assert after["logit_rel_l2"] < 0.75 * before["logit_rel_l2"] and after["top1_percent"] > before["top1_percent"] + 20
    assert change["logit_rel_l2"] == pytest.approx(after["logit_rel_l2"] - before["logit_rel_l2"], abs=1e-9)
    assert change["top1_percent"] == pytest.approx(after["top1_percent"] - before["top1_percent"])
    for x in (before, after):
        assert x["top1_se_percent"] == pytest.approx(np.sqrt(x["top1_percent"] * (100 - x["top1_percent"]) / 19), rel=1e-6)
        assert 0 < x["logit_rel_l2_se"] < 0.2
    assert 0 < change["top1_se_percent"] < before["top1_se_percent"] + after["top1_se_percent"]


def test_on_samples_that_it_never_saw(digits):
    """All 2,000 but a few: mstrun with what is stored, against the file without it."""
    folder, _ = digits
    plain, tuned = (run_json(folder / name, DIGITS, "-T", 16, "--readout-from", "auto", "-n", 400)
                    for name in ("m.bin", "tuned.bin"))
    assert tuned["at"][-1]["top1_percent"] > plain["at"][-1]["top1_percent"] + 20
    assert plain["tuned"] is None and tuned["tuned"] == {"T": 16, "readout_from": 9, "layers": len(tuned["layers"])}


def test_channels(digits):
    """Of what makes the current; of attention for each head; nothing is further off than 1.5 theta."""
    graph = snn_reader.load(digits[0] / "tuned.bin")
    neurons = {i: n for i, n in enumerate(graph.nodes) if n.op == "neuron"}
    assert list(graph.tuning.first) == list(neurons)
    heads = 0
    for i, n in neurons.items():
        axes, values = graph.tuning.first[i]
        shape = graph.tensors[n.out].shape
        site = snn_reader.SITES[n.ip["SITE"]]
        assert np.abs(values - n.fp["SHIFT"]).max() <= 1.5
        assert (np.ptp(values) > 0) == (i != min(neurons))  # the first has a constant current: it is exact at T = L
        if site in ("q", "k", "v"):
            assert axes == [2] and len(shape) == 3  # before the heads part: channels of all of them
            heads += 1
        elif site in ("attn", "av"):
            assert axes == [len(shape) - 3, len(shape) - 1]  # heads, and what each makes
        elif site in ("proj", "mlp_fc1", "mlp_fc2"):
            assert axes == [len(shape) - 1]
    assert heads == 9


def test_means_are_nearer_to_the_anns(net):
    """The error that it makes smaller: mean rates of channels, by the simulator, on all samples."""
    folder, x = net
    plain, tuned = snn_reader.load(folder / "model.bin"), snn_reader.load(folder / "tuned.bin")
    ann, off = Simulator(plain, spiking=False), []
    ann.begin(x)
    ann.step()
    for graph in (plain, tuned):
        sim = Simulator(graph)
        sim.begin(x)
        rates = {i: 0 for i in sim.neurons}
        for _ in range(STEPS):
            sim.step()
            for i in rates:
                rates[i] = rates[i] + sim.values[graph.nodes[i].out].astype("f8") / STEPS
        off.append(sum(np.abs((rates[i] - ann.values[graph.nodes[i].out]).mean(0)).sum() for i in rates))
    assert off[1] < 0.95 * off[0]


# ---- who reads it ----

def test_spikes_are_the_simulators(net, snnkit, tmp_path):
    folder, x = net
    for seed in range(3):
        assert_bit_equal(snnkit, folder / "tuned.bin", tmp_path, "spiking", seed, STEPS)
    graph = snn_reader.load(folder / "tuned.bin")
    sim, fired = Simulator(graph), 0
    sim.begin(x)
    for _ in range(STEPS):
        sim.step()
        fired = fired + np.array([sim.layer[i][0].sum() for i in sim.neurons])
    for schedule in ("step", "block"):
        r = run_json(folder / "tuned.bin", folder / "x.npy", "-T", STEPS, "--schedule", schedule)
        assert [round(len(x) * layer["fired_per_sample"]) for layer in r["layers"]] == fired.tolist()
    assert [round(len(x) * layer["fired_per_sample"]) for layer in run_json(folder / "model.bin", folder / "x.npy", "-T", STEPS)["layers"]] != fired.tolist()


@pytest.mark.parametrize("mode", [("count",), ("count", "--levels", "5"), ("radix", "--bits", "3"), ("ann",)])
def test_other_modes_do_not(digits, net, mode):
    for folder, names, data in ((digits[0], ("m.bin", "tuned.bin"), DIGITS),
                                (net[0], ("model.bin", "tuned.bin"), net[0] / "x.npy")):
        plain, tuned = (run_json(folder / name, data, "-n", 40, "--mode", *mode) for name in names)
        assert plain.pop("tuned") is None and tuned.pop("tuned") is not None
        assert plain == tuned


@pytest.mark.parametrize("mode", ["float", "count", "radix"])
def test_values_of_other_modes_are_the_same(digits, snnkit, tmp_path, mode):
    np.random.default_rng(3).normal(size=784).astype("<f4").tofile(tmp_path / "x.f32")
    for name in ("m", "tuned"):
        snnkit("run", digits[0] / (name + ".bin"), tmp_path / "x.f32", 0, 1, tmp_path / name, mode)
    assert (tmp_path / "m").read_bytes() == (tmp_path / "tuned").read_bytes() != b""


def test_the_graph_in_the_file_stays(digits):
    parts = [snn_reader.sections((digits[0] / name).read_bytes())[0] for name in ("m.bin", "tuned.bin")]
    assert parts[0].pop("TUNE") is None and len(parts[1].pop("TUNE")) > 1000
    assert parts[0] == parts[1]


def test_it_is_told(digits):
    folder = digits[0]
    info = tool("mstrun", "--info", folder / "tuned.bin").stdout
    assert "tuned         v(0) of 33 layers, for step mode with T = 16, logits of steps 9 to 16\n" in info
    assert "tuned" not in tool("mstrun", "--info", folder / "m.bin").stdout
    info = json.loads(tool("mstrun", "--info", folder / "tuned.bin", "--json").stdout)
    assert info["tuned"] == {"T": 16, "readout_from": 9, "layers": 33}
    said = "mstrun: note: v(0) is tuned for T = 16 and logits of steps 9 to 16"
    for args, note in (((16, "--readout-from", "auto"), ""), ((16, "--readout-from", 9), ""),
                       ((16,), said + ", this run has T = 16 and logits of steps 1 to 16\n"),
                       ((32, "--readout-from", "auto"), said + ", this run has T = 32 and logits of steps 17 to 32\n")):
        assert tool("mstrun", folder / "tuned.bin", DIGITS, "-n", 1, "--quiet", "-T", *args).stderr == note
    assert tool("mstrun", folder / "tuned.bin", DIGITS, "-n", 1, "--quiet", "--mode", "count").stderr == \
        said + "; count mode does not use it\n"
    assert "mstcalib: note: v(0) is tuned for T = 16" in tool("mstcalib", ONNX, folder / "tuned.bin", DIGITS, "-n", 1,
                                                              "-T", 8, "--quiet").stderr


def test_auto_reads_the_stored_step(digits, tmp_path):
    """S = 5 was asked for; where T is another one, the rule."""
    out = tmp_path / "five.bin"
    tune(digits[0] / "m.bin", out, "-T", 16, "--readout-from", 5, "-n", 60)
    for steps, expected in ((16, 5), (8, 5), (32, 17)):
        assert run_json(out, DIGITS, "-T", steps, "--readout-from", "auto", "-n", 1)["readout_from"] == expected


def test_calibration_knows_v0(net):
    """Residuals are what v(T) has more than v(0): by the simulator, the mean current less the rate."""
    folder, x = net
    r = json.loads(tool("mstcalib", folder / "model.onnx", folder / "tuned.bin", "npy:%s" % (folder / "x.npy"), "-T", STEPS,
                        "--json", "-", "--quiet").stdout)
    graph = snn_reader.load(folder / "tuned.bin")
    sim, first = Simulator(graph), {}
    sim.begin(x)
    for _ in range(STEPS):
        sim.step()
    for layer, i in zip(r["layers"], sim.neurons):
        theta = graph.tensors[graph.nodes[i].inputs[1]].data.astype("f8")
        residual = (sim.potential[i] - graph.tuning.first[i][1] * theta) / STEPS
        assert layer["residual"] == pytest.approx(np.abs(residual).mean(), rel=1e-5)
        assert sum(layer["parts_bias"].values()) == pytest.approx(layer["bias"], abs=1e-9)


# ---- the same, always ----

def test_same_bytes_at_any_number_of_threads(digits, tmp_path):
    outs = []
    for threads in (1, 2, 3):
        outs.append(tmp_path / ("%d.bin" % threads))
        tune(digits[0] / "m.bin", outs[-1], "-T", 16, "--readout-from", "auto", "-n", 100, "--threads", threads)
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()
    assert outs[0].read_bytes() == (digits[0] / "tuned.bin").read_bytes()


def test_a_tuning_begins_anew(digits, tmp_path):
    """A tuned file gives what the file without gives; an option that changes the graph that runs is not written."""
    tune(digits[0] / "tuned.bin", tmp_path / "again.bin", "-T", 16, "--readout-from", "auto", "-n", 100)
    assert (tmp_path / "again.bin").read_bytes() == (digits[0] / "tuned.bin").read_bytes()
    tune(digits[0] / "m.bin", tmp_path / "other.bin", "-T", 16, "-n", 50, "--mean", ".2", "--std", ".3")
    assert snn_reader.load(tmp_path / "other.bin").mean == snn_reader.load(digits[0] / "m.bin").mean


def test_seed_and_data_choose_samples(digits, tmp_path):
    def figures(*args, **options):
        return tune(digits[0] / "m.bin", tmp_path / "o.bin", "-T", 8, "-n", 20, *args, code=None, **options)
    one = figures("--seed", 1)
    assert figures("--seed", 1) == one != figures("--seed", 2)
    held = figures("--holdout", 0.5)
    assert (held["samples"], held["held_out"]) == (10, 10)
    two = figures(more=(DIGITS,))
    assert (two["samples"], two["held_out"], two["held_out_data"]) == (20, 20, DIGITS)


# ---- worse is not written ----

def kept(model, out, *args, **options):
    """It fails with one line, and leaves what is there as it is."""
    old = model.read_bytes()
    out.write_bytes(old)
    more, data, onnx = (options.get(k, v) for k, v in (("more", ()), ("data", DIGITS), ("onnx", ONNX)))
    done = tool("mstcalib", onnx, model, data, *more, "--tune", out, *args, "--json", "-", "--quiet", code=1)
    assert out.read_bytes() == old and [p.name for p in out.parent.iterdir() if p.name.startswith(out.name)] == [out.name]
    r = json.loads(done.stdout)
    assert not r["better"] and r["out"] is None
    assert "is not written" in done.stderr and len(done.stderr.splitlines()) == 1
    assert ("top-1" in done.stderr) == (r["labelled"] != 0) and "nan" not in done.stderr
    return r


def test_worse_logits_are_not_written(net, tmp_path):
    """What the samples held out ask for is not what the others do."""
    folder, x = net
    np.save(tmp_path / "fit.npy", 3 * np.abs(x))
    np.save(tmp_path / "held.npy", np.float32(-0.2) * np.abs(x))
    r = kept(folder / "model.bin", tmp_path / "o.bin", "-T", 8, data="npy:%s" % (tmp_path / "fit.npy"),
             more=("npy:%s" % (tmp_path / "held.npy"),), onnx=folder / "model.onnx")
    assert r["change"]["logit_rel_l2"] > 0


def test_fewer_right_are_not_written(digits, tmp_path):
    """Labels that the untuned network is right about, though the ANN is not: better logits are no excuse."""
    raw = gzip.decompress((ROOT / "examples" / "data" / "digits-test-images.idx3-ubyte.gz").read_bytes())[16:]
    images = (np.frombuffer(raw, "u1", 40 * 784).reshape(40, 1, 28, 28) / np.float32(255) - np.float32(.1307)) / np.float32(.3081)
    np.save(tmp_path / "x.npy", images.astype(np.float32))
    sim = Simulator(snn_reader.load(digits[0] / "m.bin"), readout_from=9)
    sim.begin(images)
    for _ in range(16):
        sim.step()
    np.save(tmp_path / "y.npy", sim.mean_logits().argmax(1))
    r = kept(digits[0] / "m.bin", tmp_path / "o.bin", "-T", 16, "--readout-from", "auto", "--holdout", .8,
             data="npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"))
    assert r["untuned"]["top1_percent"] == 100 and r["change"]["top1_percent"] < 0 and r["change"]["logit_rel_l2"] < 0


def test_what_is_exact_cannot_be_better(tmp_path):
    n = Net(["N", 1, 1, 4], 13)
    y = qcfs(n, n.op("Flatten", n.x), 1.0, 8)
    convert(n.model(n.op("MatMul", y, n.const(np.eye(4)))), tmp_path)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).uniform(0, 1, (20, 1, 1, 4)).astype(np.float32))
    r = kept(tmp_path / "model.bin", tmp_path / "o.bin", "-T", 8, data="npy:%s" % (tmp_path / "x.npy"),
             onnx=tmp_path / "model.onnx")
    assert r["untuned"]["logit_rel_l2"] == r["tuned"]["logit_rel_l2"] < 1e-6


def test_out_that_cannot_be_written(digits, tmp_path):
    done = tool("mstcalib", ONNX, digits[0] / "m.bin", DIGITS, "--tune", tmp_path / "no" / "o.bin", "-T", 16,
                "--readout-from", "auto", "-n", 100, "--quiet", code=1)
    assert "o.bin: cannot open: No such file or directory" in done.stderr


# ---- usage ----

@pytest.mark.parametrize("args, text", [
    (("--tune", "o.bin", "-T", "8,16"), "--tune: expected --mode step and one number of time steps, found several"),
    (("--tune", "o.bin", "--mode", "count"), "--tune: expected --mode step and one number of time steps, found count"),
    (("--tune", "o.bin", "--holdout", "0"), "--holdout: expected a share above 0 and below 1, found 0"),
    (("--tune", "o.bin", "--holdout", "1"), "--holdout: expected a share above 0 and below 1, found 1"),
    ((DIGITS, "--tune", "o.bin", "--holdout", "0.2"), "--holdout: expected one DATA"),
    ((DIGITS,), "expected --tune, --search-masks, --search-levels or --exit-budget with %s" % DIGITS),
    (("--holdout", "0.2"), "expected --tune, --search-masks, --search-levels or --exit-budget with --holdout"),
    (("--tune", "o.bin", "--skip-bad"), "--skip-bad: not with --tune"),
])
def test_wrong_usage(digits, args, text):
    assert text in tool("mstcalib", ONNX, digits[0] / "m.bin", DIGITS, *args, code=2).stderr


def test_too_few_samples(digits, tmp_path):
    said = tool("mstcalib", ONNX, digits[0] / "m.bin", DIGITS, "--tune", tmp_path / "o.bin", "-n", 4, code=1).stderr
    assert "expected samples to fit and at least 2 held out, found 3 and 1" in said


# ---- damage ----

def test_each_changed_byte_is_refused_or_runs(net, snnkit, tmp_path):
    """With checksums made right: read as it is, or refused in one line."""
    sys.path.insert(0, str(ROOT / "tests" / "golden"))
    import make_snn
    raw = (net[0] / "tuned.bin").read_bytes()
    parts, required = snn_reader.sections(raw)[:2]
    ids = {name: sid for sid, name in snn_reader.SECTIONS.items()}
    section = parts["TUNE"]
    refused = 0
    for at in list(range(0, 48)) + [len(section) - 1]:
        for bit in (1, 0x80):
            changed = section[:at] + bytes([section[at] ^ bit]) + section[at + 1:]
            path = tmp_path / "c.bin"
            path.write_bytes(make_snn.assemble({ids[n]: changed if n == "TUNE" else p for n, p in parts.items()},
                                               required=required))
            done = snnkit("dump", path, check=False)
            refused += done.returncode == 1
            assert done.returncode in (0, 1) and len(done.stderr.splitlines()) == done.returncode
            try:
                snn_reader.load(path)
                assert done.returncode == 0
            except snn_reader.FormatError:
                assert done.returncode == 1
    assert refused > 20
    cut = make_snn.assemble({ids[n]: p[:-4] if n == "TUNE" else p for n, p in parts.items()}, required=required)
    (tmp_path / "c.bin").write_bytes(cut)
    assert snnkit("dump", tmp_path / "c.bin", check=False).returncode == 1
    assert struct.unpack_from("<I", section)[0] == STEPS
