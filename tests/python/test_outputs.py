"""What mstrun tells of accuracy and counts: top-1 and top-5, each class, who was taken for whom, and all counts at each step
asked for. The oracle of logits is ONNX Runtime; that of a step are runs that end there."""
import json

import numpy as np
import pytest

from built import tool
from support import FIXTURES, Net, convert, runtime, snn_reader
from test_long_runs import _made  # noqa: F401  (a fixture)

N, CLASSES = 300, 12


@pytest.fixture(scope="module", name="wide")
def _wide(tmp_path_factory):
    """A linear network of 12 classes whose mode ann is exact, labels of all kinds, and ONNX Runtime's logits."""
    folder, rng = tmp_path_factory.mktemp("wide"), np.random.default_rng(3)
    net = Net(["N", 1, 1, 8], 13)
    y = net.op("Flatten", net.x)
    y = net.op("Mul", net.op("Clip", net.op("Floor", net.op("Add", net.op("Mul", y, net.const(4.0)), net.const(.5))),
                             net.const(0.0), net.const(4.0)), net.const(.25))
    model = net.model(net.op("MatMul", y, net.const(np.round(rng.normal(size=(8, CLASSES)) * 8) / 8)))
    convert(model, folder, "--classes", ",".join("c%d" % k for k in range(CLASSES)), "--timesteps", "8", "--allow-analog")
    x = rng.normal(size=(N, 1, 1, 8)).astype("f4")
    logits = np.array([runtime(model, row[None]) for row in x])
    labels = np.where(rng.random(N) < .5, logits.argmax(1), rng.integers(0, CLASSES - 2, N))
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", labels)
    return folder, logits, labels


def run(folder, *args, data="npy:{0}/x.npy,{0}/y.npy"):
    return json.loads(tool("mstrun", folder / "model.bin", data.format(folder), *args, "--json", "-", "--quiet").stdout)


def rank(logits, labels):
    """How many logits come before the label's; of equals, those of smaller classes."""
    own = logits[np.arange(len(labels)), labels][:, None]
    before = (logits > own) | ((logits == own) & (np.arange(logits.shape[1]) < labels[:, None]))
    return before.sum(1)


@pytest.mark.parametrize("mode", ["ann", "count", "radix"])
def test_classes_are_onnx_runtimes(wide, mode):
    """With as many levels as the ANN has, count and radix have its logits."""
    folder, logits, labels = wide
    r, said = run(folder, "--mode", mode), logits.argmax(1)
    place = rank(logits, labels)
    assert (np.sort(logits, 1)[:, -1] == np.sort(logits, 1)[:, -2]).any()  # there are ties
    assert r["at"][0]["top1_percent"] == pytest.approx(100 * (place == 0).mean())
    assert r["at"][0]["top5_percent"] == pytest.approx(100 * (place < 5).mean())
    assert 20 < r["at"][0]["top1_percent"] < r["at"][0]["top5_percent"] < 95
    matrix = np.zeros((CLASSES, CLASSES), int)
    np.add.at(matrix, (labels, said), 1)
    assert r["confusion"] == [[i, k, matrix[i, k]] for i in range(CLASSES) for k in range(CLASSES) if matrix[i, k]]
    assert [(c["class"], c["name"], c["samples"], c["right"]) for c in r["per_class"]] == [
        (k, "c%d" % k, (labels == k).sum(), matrix[k, k]) for k in range(CLASSES) if (labels == k).any()]
    assert all(c["top1_percent"] == pytest.approx(100 * c["right"] / c["samples"]) for c in r["per_class"])
    assert r["sums"]["at"][0]["right"] == matrix.trace()


def test_many_pairs_of_classes(wide):
    """The table of pairs grows: as many as samples, nearly."""
    folder, logits, _ = wide
    for seed in range(3):
        labels = np.random.default_rng(seed).integers(0, CLASSES, N)
        np.save(folder / "other.npy", labels)
        r = run(folder, "--mode", "ann", data="npy:{0}/x.npy,{0}/other.npy")
        pairs, counts = np.unique(np.stack([labels, logits.argmax(1)]), axis=1, return_counts=True)
        assert r["confusion"] == [[i, k, n] for i, k, n in zip(*pairs.tolist(), counts.tolist())] and len(counts) > 70


def test_without_labels(wide):
    r = run(wide[0], data="{0}/x.npy")
    assert r["confusion"] == r["per_class"] == [] and r["at"][-1]["top1_percent"] is r["at"][-1]["top5_percent"] is None
    assert r["at"][-1]["spikes_per_sample"] > 0


@pytest.mark.parametrize("schedule", ["block", "step"])
@pytest.mark.parametrize("args", [(), ("--mask", "all=0.5"), ("--readout-from", "2")])
def test_counts_at_each_step(made, args, schedule):
    """They are those of a run that ends there."""
    def swin(*more):
        return json.loads(tool("mstrun", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), "-n", 8, *args, *more,
                               "--json", "-", "--quiet").stdout)
    steps = (2, 3, 7, 20, 37, 70)
    r = swin("-T", 70, "--schedule", schedule)
    assert [a["t"] for a in r["at"]] == [1, 2, 4, 8, 16, 32, 64, 70]
    r = swin("-T", 80, "--at", ",".join(map(str, steps)), "--schedule", schedule)  # and goes on behind the last
    for at, sums in zip(r["at"], r["sums"]["at"]):
        alone = swin("-T", at["t"])
        for key, value in at.items():
            assert value == (at["t"] if key == "t" else alone["at"][-1][key] if key.startswith("top") else alone[key]), key
        assert all(v == alone["sums"][k] for k, v in sums.items() if not k.startswith("right"))
    assert r["at"][-1]["spikes_per_sample"] < r["spikes_per_sample"]


# ---- what a result rests on ----

def swin(made, *args, text=False, model="m.bin", data="npy:{0}/x.npy,{0}/y.npy"):
    done = tool("mstrun", made[0] / model, data.format(made[0]), "-n", 8, "-T", 4, *args, *(() if text else ("--json", "-", "--quiet")))
    return done.stdout if text else json.loads(done.stdout)


def test_results_open_with_what_was_assumed(made, tmp_path):
    """Normalization, masks against those of the training, classes, files passed over, operations that do not spike."""
    r, text = swin(made), swin(made, text=True).splitlines()
    assert list(r)[4] == "assumed"  # behind tool, schema, provenance, timing
    said = r["assumed"]
    assert said["normalization"] == "(x/255 - mean)/std, mean 0.5,0.5,0.5, std 0.25,0.25,0.25"
    assert said["prepare"] == "resize 16 bicubic, crop 16x16" and said["masks"] == "drawn; what the training had is not known"
    assert said["analog_ops_percent"] == pytest.approx(
        100 * r["macs_per_sample"] / (r["macs_per_sample"] + r["sops_per_sample"]), rel=1e-8)
    assert text[1] == "input %s; %s" % (said["normalization"], said["prepare"])
    assert text[2] == "masks: %s; %d of 10 classes seen; 0 files passed over; %.1f %% of operations do not spike" % (
        said["masks"], r["classes_seen"], said["analog_ops_percent"])
    (tmp_path / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 0.5}}\ntrained: {sites: {q: 0.5}}\n")
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", tmp_path / "m.bin", "--quiet", "--policy", tmp_path / "p.yaml")
    for args, masks in (((), "as trained"), (("--no-mask",), "not those of the training: q 0 (trained with 0.5"),
                        (("--mask", "q=0.25"), "not those of the training: q 0.25 (trained with 0.5")):
        r = swin(made, *args, model=tmp_path / "m.bin")
        assert r["assumed"]["masks"].startswith(masks) and r["assumed"]["prepare"] is None
        assert r["assumed"]["normalization"] == "x/255, no mean and std"
        job = ("mstcalib", FIXTURES / "swin-ts.onnx", tmp_path / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), "-n", 8, "-T", 2)
        calib, text = json.loads(tool(*job, *args, "--json", "-", "--quiet").stdout), tool(*job, *args).stdout.splitlines()
        analog = calib["assumed"].pop("analog_ops_percent")
        assert calib["assumed"] == {k: v for k, v in r["assumed"].items() if k != "analog_ops_percent"}
        assert analog == pytest.approx(100 * calib["macs_per_sample"] / (calib["macs_per_sample"] + calib["sops_per_sample"]), rel=1e-8)
        assert text[1] == "input " + r["assumed"]["normalization"]
        assert text[2] == "masks: %s; %d of 10 classes seen; 0 files passed over; %.1f %% of operations do not spike" % (
            r["assumed"]["masks"], calib["classes_seen"], analog)
    assert swin(made, data="image:{0}/set")["assumed"]["normalization"].endswith("std 0.25,0.25,0.25")
    rows = tool(
        "mstrun", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]), "--mode", "count", "--levels", "4,8").stdout.splitlines()
    assert rows[1].startswith("input (x/255") and rows[2].startswith("masks: drawn")


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
def test_neurobench(made, weights, tmp_path):
    """Its names, scales and rules, from the file as the Python reader sees it."""
    tool("mstconv", FIXTURES / "resnet18-ts.onnx", "-o", tmp_path / "m.bin", "--weights", weights, "--quiet")
    g = snn_reader.load(tmp_path / "m.bin")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3,) + g.tensors[g.input].shape[1:]).astype("f4"))
    for args, levels in ((("-T", 4), 4), (("--mode", "count"), 16), (("--mode", "radix", "--bits", 3), 3)):
        r = json.loads(tool("mstrun", tmp_path / "m.bin", tmp_path / "x.npy", *args, "--json", "-", "--quiet").stdout)
        n = r["neurobench"]
        constants = [t.data for t in g.tensors if t.data is not None]
        assert n["Footprint"] == sum(c.nbytes for c in constants)
        used = [g.tensors[node.inputs[1]].data for node in g.nodes if node.op in ("linear", "conv")]
        assert n["ConnectionSparsity"] == pytest.approx(sum((w == 0).sum() for w in used) / sum(w.size for w in used), rel=1e-9)
        assert (n["ConnectionSparsity"] > 0) == (weights == "int8")  # small ones are rounded to 0
        assert n["ParameterCount"] == json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json", "-").stdout)["parameters"]
        slots = sum(l["neurons"] for l in r["layers"]) * levels
        assert n["ActivationSparsity"] == pytest.approx(1 - r["fired_per_sample"] / slots, rel=1e-9)
        assert n["ClassificationAccuracy"] is None and n["MembraneUpdates"] == r["energy"]["state_updates"]


@pytest.mark.parametrize("more", [(), ("--readout-from", "2"), ("--ann-masks", "mean")])
def test_layer_errors_at_each_step(made, more):
    """They are those of a calibration that ends there."""
    def calib(steps):
        return json.loads(tool("mstcalib", FIXTURES / "swin-ts.onnx", made[0] / "m.bin", "npy:{0}/x.npy,{0}/y.npy".format(made[0]),
                               "-n", 6, "-T", steps, *more, "--json", "-", "--quiet").stdout)
    steps = (2, 5, 24, 40)
    r = calib(",".join(map(str, steps)))
    for at, t in zip(r["at"], steps):
        alone = calib(t)
        assert at == alone["at"][0] and at["t"] == t
        for mine, theirs in zip(at["layers"], alone["layers"]):
            assert all(theirs[k] == v for k, v in mine.items())
        assert len(at["layers"]) == len(r["layers"]) > 10
    assert r["at"][-1]["layers"][5]["mae"] == r["layers"][5]["mae"] < r["at"][0]["layers"][5]["mae"]
