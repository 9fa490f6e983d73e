"""examples/reproduce on few images: its CSVs against what the tools say when asked directly."""
import csv
import importlib.util
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import types

import numpy as np
import pytest

import built
import package  # noqa: F401 - the probes use mst
from built import BUILD, ROOT

FOLDER, EXAMPLES = ROOT / "examples" / "reproduce", ROOT / "examples"
NORMALIZED = ["--mean", ".4914,.4822,.4465", "--std", ".2470,.2435,.2616"]
COUNT, FEW, SEEDS, STEPS = 7, 6, 2, 12
sys.path[:0] = [str(FOLDER), str(EXAMPLES)]
import document  # noqa: E402
import experiments  # noqa: E402
import figure_sections  # noqa: E402
import lab  # noqa: E402
import libmst  # noqa: E402
import paper  # noqa: E402
import probes  # noqa: E402
import runs  # noqa: E402
import tables  # noqa: E402


def tool(name, *args):
    return built.tool(name, *args).stdout


def start(folder, out, *args):
    pictures = [] if importlib.util.find_spec("matplotlib") else ["--no-pictures"]
    return subprocess.run([sys.executable, FOLDER / "reproduce.py", "--build", BUILD, "--data", folder, "--out",
                           folder / out, "--figure-count", str(FEW), "--probe-count", "1", "--map-count", "3",
                           "--steps", "4", str(STEPS), "--at", str(STEPS), "--threads", "2", *pictures, *args],
                          capture_output=True, text=True, timeout=300, check=False)


def reproduce(folder, out, *args):
    done = start(folder, out, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CIFAR-10-like file, the reproduction of it, and the networks to compare with."""
    for name in ("mstconv", "mstrun", "mstcalib", "libmst.so"):
        if not (BUILD / name).exists():
            pytest.skip("%s is not built" % (BUILD / name))
    folder = tmp_path_factory.mktemp("reproduce")
    coarse = np.random.default_rng(1).integers(0, 256, (10, 3, 4, 4)).repeat(8, 2).repeat(8, 3).astype(np.uint8)
    (folder / "two.yaml").write_text("version: 1\nseed: 1\nmasks:\n  overrides:\n"
                                     "    - {blocks: 0-1, sites: {q: 0.75, k: 0.75, attn: 0.75}}\n")
    sa75 = EXAMPLES / "policies" / "sa75.yaml"
    for name, model, *policy in [("swin", "swin"), ("sa75", "swin-sa75", "--policy", sa75),
                                 ("swin-masked", "swin", "--policy", sa75),
                                 ("swin-mlp", "swin", "--policy", sa75.with_name("mlp50.yaml")),
                                 ("two", "swin", "--policy", folder / "two.yaml")]:
        tool("mstconv", EXAMPLES / "models" / ("cifar10-%s.onnx" % model), "-o", folder / (name + ".bin"), "--quiet",
             *NORMALIZED, *policy)
    # the label is what the ANN says, but for every third image, so that masks and few steps change the accuracy
    labels = []
    with libmst.Network(libmst.load(BUILD / "libmst.so"), folder / "swin.bin", libmst.FLOAT) as network, \
            libmst.Session(network) as session:
        for i, x in enumerate(probes.files.normalized(coarse)):
            session.begin(x, i)
            session.step()
            labels.append((int(session.logits().argmax()) + (i % 3 == 2)) % 10)
    (folder / "events-only").mkdir()
    shutil.copy(EXAMPLES / "models" / "nmnist-swin.onnx", folder / "events-only")
    np.concatenate([np.array(labels, np.uint8)[:, None], coarse.reshape(10, 3072)], 1).tofile(folder / "test_batch.bin")
    reproduce(folder, "out", "--only", "swin", "swin-sa75", "--count", str(COUNT), "--seeds", str(SEEDS))
    return folder


def run(folder, name, count, *args):
    """mstrun's JSON, and whether each sample is right at each t asked for."""
    mode = () if "--mode" in args else ("-T", STEPS)
    said = folder / "said.npz"
    result = json.loads(tool("mstrun", folder / (name + ".bin"), "cifar10:%s" % (folder / "test_batch.bin"), "-n", count,
                             *mode, "--quiet", "--json", "-", "--predictions", said, *args))
    with np.load(said) as f:
        result["right"] = (f["class"] == f["label"][:, None]).astype(float)
    return result


def accuracy(result, t=STEPS):
    return next(at["top1_percent"] for at in result["at"] if at["t"] in (t, None))


def difference(a, b):
    """What the page writes of the last t of two runs on the same samples."""
    d = a["right"][:, -1] - b["right"][:, -1]
    return "%s ± %.2f" % (document.points(100 * d.mean()), 100 * d.std() / math.sqrt(len(d)))


def rows(folder, name):
    with open(folder / "out" / (name + ".csv"), encoding="utf-8") as f:
        return list(csv.DictReader(f))


def the_row(folder, name, wanted):
    found = [r for r in rows(folder, name) if wanted.items() <= r.items()]
    assert len(found) == 1, "%d rows of %s with %s" % (len(found), name, wanted)
    return found[0]


def test_table1(folder):
    table = {r[""]: r for r in rows(folder, "table1")}
    calib = json.loads(tool("mstcalib", EXAMPLES / "models" / "cifar10-swin.onnx", folder / "swin.bin",
                            "cifar10:%s" % (folder / "test_batch.bin"), "-n", COUNT, "-T", 1, "--quiet", "--json", "-"))
    ann = run(folder, "swin", COUNT, "--mode", "ann")
    assert table["ANN"]["ours: accuracy, %"] == "%.2f" % calib["ann_top1_percent"]
    assert table["ANN"]["paper: accuracy, %"] == "98.14"
    for title, result in [("step, T = %d" % t, run(folder, "swin", COUNT, "-T", t)) for t in (4, STEPS)] + [
            ("count, 16 levels", run(folder, "swin", COUNT, "--mode", "count")),
            ("radix, 15 levels", run(folder, "swin", COUNT, "--mode", "radix", "--levels", 15))]:
        assert table[title]["ours: accuracy, %"] == "%.2f" % accuracy(result, result["at"][-1]["t"])
        assert table[title]["ours: against the ANN, points"] == difference(result, ann)
        assert table[title]["energy, of the ANN's"] == "%.3f" % result["energy_ratio"]


def test_table2(folder):
    """N-MNIST, and a network in the place of one for moving pictures, whose recordings are made of the test images."""
    for name in ("cifar10-moving-4", "cifar10-moving-4-steps"):
        shutil.copy(EXAMPLES / "models" / "nmnist-swin.onnx", folder / "events-only" / (name + ".onnx"))
    reproduce(folder, "events", "--models", folder / "events-only", "--event-steps", "256", "--no-pictures", "--count", "9",
              "--long-count", "5")
    tool("mstconv", EXAMPLES / "models" / "nmnist-swin.onnx", "-o", folder / "nmnist.bin", "--quiet")
    moving = folder / "events" / "moving-9"
    assert len(list(moving.rglob("*.bin"))) == 9
    for table, data in (("table2", EXAMPLES / "data" / "event-digits"), ("table2-moving", moving)):
        with open(folder / "events" / (table + ".csv"), encoding="utf-8") as f:
            found = list(csv.DictReader(f))
        for title, args, count in (("step, T = 128", ["-T", 128], 20 if table == "table2" else 9),
                                   ("step, T = 256", ["-T", 256], 20 if table == "table2" else 5),
                                   ("count, 16 levels", ["--mode", "count"], 20 if table == "table2" else 9)):
            result = json.loads(tool("mstrun", folder / "nmnist.bin", "nmnist:%s" % data, *args, "-n", count, "--quiet",
                                     "--json", "-"))
            row, = [r for r in found if r[""] == title]
            assert row["accuracy, %"] == "%.2f" % result["at"][-1]["top1_percent"]
            assert row["energy, of the ANN's"] == "%.3f" % result["energy_ratio"]
            assert int(row["recordings"]) == result["samples"] == count
    with open(folder / "events" / "table2-frames.csv", encoding="utf-8") as f:
        together, one = csv.DictReader(f)
    assert (together["frames"], together["shown"], one["shown"]) == ("4", "together", "one a step")
    assert together["ANN, %"] == one["ANN, %"] and together["count, 16 levels, %"] == one["count, 16 levels, %"]
    assert together["radix, 15 levels, %"] and not one["radix, 15 levels, %"]
    claims = {c["claim"]: c for c in json.loads((folder / "events" / "claims.json").read_text())}
    assert {row["t"] for row in claims["table2-moving rises"]["ours"]} == {32, 64, 128, 256}


def test_table3(folder):
    table = {r[""]: r for r in rows(folder, "table3")}
    base, masked = run(folder, "swin", COUNT), run(folder, "sa75", COUNT)
    assert masked["masked_per_sample"] > 0
    row = table["Swin, SA 75 %"]
    assert row["ours: accuracy, %"] == "%.2f" % accuracy(masked)
    assert row["ours: power by Eq. 10, mW"] == "%.3f" % (
        1e3 * masked["spikes_per_sample"] / 1e-3 * masked["energy"]["constants"]["alpha_joules"])
    ratio = masked["spikes_per_sample"] / base["spikes_per_sample"]
    assert row["ours: of unmasked"] == "%.2f" % ratio
    assert row["ours: against unmasked, points"] == difference(masked, base)
    assert (row["paper: of unmasked"], row["paper: accuracy, %"]) == ("0.74", "97.29")
    one = next(c for c in claims(folder) if c["claim"] == "table3 swin-sa75")
    d = masked["right"][:, -1] - base["right"][:, -1]
    assert (one["ratio"], one["ours"]) == (pytest.approx(ratio), pytest.approx(100 * d.mean()))
    assert one["holds"] == (ratio <= 0.745 and one["ours"] >= one["paper"] - 2 * one["error"] - 0.005)


def test_effort(folder):
    """Time and images of each table and figure are those of the measurements kept; one that two figures share counts once."""
    kept = [json.loads(path.read_text()) for path in (folder / "out" / "json").glob("*.json")]
    table = {r[""]: r for r in rows(folder, "effort")}
    assert list(table) == ["Tables 1 and 3, Fig. 1", "Fig. 3", "Fig. 5", "Fig. 6", "Fig. 7"]
    used = [r for r in kept if r.get("samples", r.get("images")) in (COUNT, FEW, 1, 3)]
    assert sum(int(r["measurements"]) for r in table.values()) == len(used)
    seconds = sum(r["took"]["processor_seconds"] for r in used)
    assert sum(float(r["minutes of processor time"]) for r in table.values()) == pytest.approx(seconds / 60, abs=0.026)
    assert all(r["took"]["seconds"] >= r["timing"]["wall_seconds"] for r in used if "timing" in r)
    assert table["Fig. 5"]["images"] == "count %d; radix %d; step %d" % (COUNT, COUNT, FEW)
    assert table["Fig. 7"]["images"] == "3"
    assert "%.0f of processor time" % (seconds / 60) in (folder / "out" / "README.md").read_text()


def test_time_of_programs_counts():
    spin = "import time\nwhile time.process_time() < .3: pass"
    took = lab.timed(lambda: {"said": subprocess.run([sys.executable, "-c", spin], check=True).returncode})
    assert took["said"] == 0 and min(took["took"].values()) >= 0.25  # the kernel counts in ticks


def test_few_steps(folder):
    reproduce(folder, "few-steps", "--only", "swin-l4", "--count", str(COUNT), "--no-pictures")
    tool("mstconv", EXAMPLES / "models" / "cifar10-swin-l4-sa75.onnx", "-o", folder / "l4.bin", "--quiet", *NORMALIZED,
         "--policy", EXAMPLES / "policies" / "sa75.yaml")
    result, said = run(folder, "l4", COUNT, "--mode", "count"), claims(folder, "few-steps")
    one = next(c for c in said if c["claim"] == "few steps")
    assert (one["levels"], one["spikes"], one["accuracy"]) == (4, result["spikes_per_sample"], accuracy(result))
    assert "in count mode with T = 4;" in one["text"]


def test_windows(folder):
    """The rows that the paper does not have: masked CNNs of level training, and what step mode takes for as much."""
    masks = EXAMPLES / "policies" / "conv75.yaml"
    for name, model in (("vgg-step", "vgg16-75"), ("vgg", "vgg16-t75")):
        tool("mstconv", EXAMPLES / "models" / ("cifar10-%s.onnx" % model), "-o", folder / (name + ".bin"), "--quiet", *NORMALIZED,
             "--policy", masks)
    reproduce(folder, "cnn", "--only", "vgg16", "vgg16-75", "vgg16-t75", "--count", str(COUNT), "--no-pictures", "--seeds", "1")
    count, step = run(folder, "vgg", COUNT, "--mode", "count"), run(folder, "vgg-step", COUNT, "--at", "1,2,4,8,%d" % STEPS)
    with open(folder / "cnn" / "table3-modes.csv", encoding="utf-8") as f:
        row = next(r for r in csv.DictReader(f) if r[""] == "VGG-16, 75 %" and r["mode"] == "count, 16 levels")
    assert row["accuracy, %"] == "%.2f" % accuracy(count)
    assert row["spikes per image, thousands"] == "%.0f" % (count["spikes_per_sample"] / 1e3)
    assert row["of the ANN's"] == "%.3f" % count["energy_ratio"]
    with open(folder / "cnn" / "table3-equal.csv", encoding="utf-8") as f:
        row = next(r for r in csv.DictReader(f) if r[""] == "VGG-16, 75 %" and r["mode"] == "count, 16 levels")
    enough = [at["t"] for at in step["at"] if at["top1_percent"] >= accuracy(count)]
    assert row["step mode has that at T"] == (str(enough[0]) if enough else "not by %d" % STEPS)
    at = next(at for at in step["at"] if at["t"] == (enough + [STEPS])[0])
    assert row["its energy, times"] == "%.2f" % (at["energy_pj"] / count["energy_pj"])


def test_fig5_and_fig6(folder):
    masks = [word for site in ("q", "k", "attn") for word in ("--mask", site + "=0.5")]
    for network in ("swin-masked", "two"):
        model, policy = EXAMPLES / "models" / "cifar10-swin.onnx", EXAMPLES / "policies" / "sa75.yaml"
        tool("mstconv", model, "-o", folder / (network + "-int8.bin"), "--quiet", "--weights", "int8", *NORMALIZED, "--policy",
             policy if network != "two" else folder / "two.yaml")
    for mode, images, weights, how in (("step", FEW, "", []), ("count", COUNT, "-int8", ["--mode", "count"])):
        half = [run(folder, "swin-masked" + weights, images, "--seed", seed, *masks, *how) for seed in range(1, SEEDS + 1)]
        blocks = [run(folder, "two" + weights, images, "--seed", seed, *how) for seed in range(1, SEEDS + 1)]
        assert len({r["spikes_per_sample"] for r in half + blocks}) == 2 * SEEDS
        for found, row in [
                (half, the_row(folder, "fig5", {"masked": "SA", "mode": mode, "network": "trained unmasked",
                                                "masked spikes, %": "50"})),
                (blocks, the_row(folder, "fig6", {"model": "Swin", "mode": mode, "masked blocks": "2"}))]:
            values = [accuracy(r) for r in found]
            assert (row["seeds"], row["images"]) == (str(SEEDS), str(images))
            assert row["mean accuracy, %"] == "%.2f" % statistics.mean(values)
            assert row["deviation, points"] == "%.2f" % statistics.stdev(values)
            spikes = statistics.mean(r["spikes_per_sample"] for r in found)
            assert row["spikes per image, thousands"] == "%.1f" % (spikes / 1e3)


def test_blocks_of_a_network_with_masks_of_its_own(folder):
    """What the policy of Fig. 6 leaves out is not masked, though the network was trained with masks there."""
    spikes = [float(the_row(folder, "fig6", {"model": "Swin, SA 75 %", "mode": "count", "masked blocks": str(n)})
                    ["spikes per image, thousands"]) for n in range(5)]
    assert all(a > b for a, b in zip(spikes, spikes[1:]))


def claims(folder, out="out"):
    return json.loads((folder / out / "claims.json").read_text(encoding="utf-8"))


def test_what_libmst_shows_is_what_mstrun_counts(folder):
    """libmst.py: names, shapes, thetas, spikes of each layer as the tools have them, and Fig. 3's sums."""
    result = run(folder, "swin", 1)
    x = probes.files.normalized(probes.files.read_cifar10(folder / "test_batch.bin", 1)[0])[0]
    with libmst.Network(libmst.load(BUILD / "libmst.so"), folder / "swin.bin") as network:
        assert network.names() == [layer["name"] for layer in result["layers"]]
        counts = [0] * len(network.layers)
        with libmst.Session(network, range(len(counts))) as session:
            session.begin(x, 0)
            for _ in range(STEPS):
                session.step()
                counts = [n + int((session.outputs[k] > 0).sum()) for k, n in enumerate(counts)]
        assert counts == [layer["spikes_per_sample"] for layer in result["layers"]]
        thetas = [network.theta(k) for k in network.layers]
        assert [math.prod(network.shape(k)) for k in range(len(counts))] == [n["neurons"] for n in result["layers"]]
    shares = [float(r["share"]) for r in rows(folder, "fig3") if r["histogram"] == "potential"]
    assert len(shares) == probes.BINS and sum(shares) == pytest.approx(1, abs=1e-5)
    calib = json.loads(tool("mstcalib", EXAMPLES / "models" / "cifar10-swin.onnx", folder / "swin.bin",
                            "cifar10:%s" % (folder / "test_batch.bin"), "-n", 1, "-T", STEPS, "--quiet", "--json", "-"))
    layers = calib["layers"]
    assert thetas == [pytest.approx(layer["theta"], rel=1e-5) for layer in layers]
    error = sum(n["mae"] / n["theta"] * n["neurons"] for n in layers) / sum(n["neurons"] for n in layers)
    found = float(rows(folder, "fig3-summary")[0]["step: mean abs. error of the rate, theta"])
    assert found == pytest.approx(error, abs=1e-4)


def test_scatter_and_pairs():
    assert runs.scatter([1.0, 2.0, 6.0]) == (3.0, pytest.approx(math.sqrt((4 + 1 + 9) / 2)))
    assert runs.scatter([5.0]) == (5.0, None)
    rng = np.random.default_rng(3)
    labels, one, other = ("".join(map(str, rng.integers(0, 3, 200))) for _ in range(3))
    a, b = ({"labels": labels, "predicted": {"None": said}, "at": [{"t": None}]} for said in (one, other))
    d = np.array([float(x == y) - float(z == y) for x, y, z in zip(one, labels, other)])
    assert runs.paired(a, None, b, None) == (pytest.approx(100 * d.mean()), pytest.approx(100 * d.std() / math.sqrt(200)))
    with pytest.raises(ValueError):
        runs.paired(a, None, dict(b, labels=one), None)
    assert [runs.compare(x, 0.5, 2.0) for x in (0.9, 1.1, 2.9, 3.1)] == ["smaller", "same", "same", "larger"]


def test_spike_activation_map():
    trains = np.random.default_rng(2).random((9, 5, 3)) < 0.4
    maps = probes.spike_maps(list(trains), {4, 9})
    for t in (4, 9):
        for token in range(5):
            expected = sum(math.exp(-probes.GAMMA * (t - earlier)) for channel in range(3) for earlier in range(1, t)
                           if trains[t - 1, token, channel] and trains[earlier - 1, token, channel])
            assert maps[t][token] == pytest.approx(expected)


def test_score_cam():
    """Against its formula on a made-up network of two channels of 2 x 2 at a picture of 4 x 4."""
    class Made:
        """Activations and logits of a linear network, as a Session gives them."""

        def begin(self, x, _index):
            self.x = x

        def step(self):
            pooled = self.x[0].reshape(2, 2, 2, 2).mean((1, 3))
            self.outputs = {7: np.stack([pooled, 1 - pooled], -1).ravel()}
            self.means = np.array([pooled[0].mean(), pooled[1].mean()])

        def logits(self):
            return 3 * self.means

    x = np.random.default_rng(5).random((1, 4, 4)).astype(np.float32)
    session = Made()
    found = probes.score_cam(session, 7, 2, x, 0)

    def p(picture):
        session.begin(picture, 0)
        session.step()
        e = np.exp(session.logits())
        return e / e.sum()
    said = p(x).argmax()
    session.begin(x, 0)
    session.step()
    expected = np.zeros((2, 2))
    for a in np.moveaxis(session.outputs[7].reshape(2, 2, 2), -1, 0).copy():
        small = (a - a.min()) / (a.max() - a.min())
        weights = np.array([[1, 0], [.75, .25], [.25, .75], [0, 1]])  # centres of 4 between those of 2
        expected += (p(x * (weights @ small @ weights.T).astype(np.float32))[said] - p(0 * x)[said]) * a
    assert found == pytest.approx(np.maximum(expected, 0).ravel(), abs=1e-6)


def test_page(folder):
    text = (folder / "out" / "README.md").read_text(encoding="utf-8")
    for part in ("Table 1:", "Fig. 1:", "Table 2:", "Table 3:", "Fig. 3:", "Fig. 5:", "Fig. 6:", "Fig. 7:", "Sources"):
        assert "## %s" % part in text
    assert "only: cifar10-swin.onnx, cifar10-swin-sa75.onnx" in text
    if importlib.util.find_spec("matplotlib"):
        for name in re.findall(r"\]\((.*\.png)\)", text):
            assert (folder / "out" / name).stat().st_size > 10000
    same = {(r["model"], r["t"]): r["with the unmasked network's map"] for r in rows(folder, "fig7")}
    assert same["Swin", str(STEPS)] == "1.000" and float(same["Swin, SA 75 %", str(STEPS)]) < 1
    judged = [c for c in claims(folder) if c["holds"] is not None]
    assert len(judged) >= 8 and all("- " + c["text"] in text for c in claims(folder))
    assert "Of %d sentences that judge the paper's statements, %d agree." % (
        len(judged), sum(c["holds"] for c in judged)) in text


def test_the_papers_figures():
    """PAPER's arithmetic: the losses that its text states follow from the tables as they are here."""
    assert 1 - paper.TABLE3["swin"][75][0] / paper.TABLE3["swin"][0][0] == pytest.approx(0.256, abs=0.02)  # the text: 26.8 %
    assert 1 - paper.TABLE3["resnet18"][50][0] / paper.TABLE3["resnet18"][0][0] == pytest.approx(0.301, abs=0.001)
    for rows_of in paper.TABLE3.values():
        for power, ratio, _ in rows_of.values():
            assert ratio == pytest.approx(power / rows_of[0][0], abs=0.01)


def made(predicted, spikes, t=64, **more):
    """A result as lab.py keeps it: every label is 1."""
    top1 = 100 * predicted.count("1") / len(predicted)
    at = {"t": t, "top1_percent": top1, "spikes_per_sample": spikes, "sops_per_sample": 10 * spikes, "energy_pj": 9 * spikes,
          "energy_ratio": spikes / 1000}
    return dict({"at": [at], "labels": "1" * len(predicted), "predicted": {str(t): predicted}, "samples": len(predicted),
                 "spikes_per_sample": spikes, "latency_steps": 32.0, "energy": {"constants": {"alpha_joules": 1e-12}}}, **more)


def page_of(found):
    args = types.SimpleNamespace(at=64, no_pictures=True, out=None, only=None, steps=[64], figure_count=10)
    one = document.Document(args, dict.fromkeys(experiments.RUNS, {"parameters": 1e6}), found)
    one.csv = lambda *_: None
    return one


def verdicts(section, found):
    one = page_of(found)
    section(one)
    return {c["claim"]: c for c in one.claims}


@pytest.mark.parametrize("right, spikes, holds, words", [
    (800, 740, True, ("at least that is saved", "the same within")),     # as the paper's
    (800, 760, False, ("less is saved", "the same within")),
    (760, 700, False, ("at least that is saved", "more is lost here")),
    (840, 700, True, ("at least that is saved", "less is lost here")),
])
def test_a_row_of_table3_is_judged_by_both_of_its_numbers(right, spikes, holds, words):
    found = {("table", "swin", "step"): made("1" * 800 + "0" * 200, 1000),
             ("table", "swin-sa75", "step"): made("0" * 50 + "1" * right + "0" * (950 - right), spikes)}
    one = verdicts(tables.table3, found)["table3 swin-sa75"]
    assert one["holds"] is holds and all(word in one["text"] for word in words)


@pytest.mark.parametrize("right, holds, word", [(982, True, "the same within"), (950, False, "more is lost"),
                                                (998, True, "less is lost")])
def test_a_row_of_table1_is_judged_by_its_loss(right, holds, word):
    """The paper loses 1.82 points at T = 64."""
    window = made("1" * 1000, 5, None)
    found = {("table", "swin", "step"): made("1" * right + "0" * (1000 - right), 1000), ("table", "swin", "ann"): window,
             ("table", "swin", "count"): window, ("table", "swin", "radix"): window}
    one = verdicts(tables.table1, found)["table1 T=64"]
    assert one["holds"] is holds and word in one["text"]


def test_figures_are_judged_by_their_seeds():
    """The scatter of images and masks decides what is level, and a fall of the MLP is set against that of self-attention."""
    def seeds(values, mode="count"):
        return {(mode, i): made("1" * v + "0" * (1000 - v), 10, None) for i, v in enumerate(values, 1)}

    def found(sa75, sa50, mlp50):
        points = {("SA", "swin", 0): [800], ("SA", "swin-sa75", 75): sa75, ("SA", "swin-sa50", 50): sa50,
                  ("MLP", "swin", 0): [800], ("MLP", "swin-mlp50", 50): mlp50}
        return {("fig5",) + key + tail: r for key, values in points.items() for tail, r in seeds(values).items()}
    level = verdicts(figure_sections.figure5, found([795, 799], [800, 800], [780, 782]))
    assert level["fig5 SA level count"]["holds"] and level["fig5 MLP steeper count"]["holds"]
    fallen = verdicts(figure_sections.figure5, found([770, 772], [800, 800], [810, 812]))
    assert not fallen["fig5 SA level count"]["holds"] and not fallen["fig5 MLP steeper count"]["holds"]
    # of 1,000 images 28 are lost under both masks, 2 under one of the two
    assert fallen["fig5 SA level count"]["error"] == pytest.approx(100 * math.sqrt((0.0285 - 0.029 ** 2) / 1000))
    hardly = verdicts(figure_sections.figure5, found([795, 799], [800, 800], [799, 799]))
    assert not hardly["fig5 MLP steeper count"]["holds"]  # one image in a thousand

    blocks = {n: [800 - lost] for n, lost in enumerate([0, 1, 2, 10, 40])}
    found = {("fig6", "swin", n) + tail: r for n, values in blocks.items() for tail, r in seeds(values).items()}
    assert verdicts(figure_sections.figure6, found)["fig6 slight count"]["holds"]
    found.update({("fig6", "swin", 2) + tail: r for tail, r in seeds([740]).items()})
    assert not verdicts(figure_sections.figure6, found)["fig6 slight count"]["holds"]


def test_few_images_and_models_left_out(folder):
    log = reproduce(folder, "few", "--only", "swin-sa75", "--seeds", "1", "--count", "1", "--map-count", "1")
    text = (folder / "few" / "README.md").read_text(encoding="utf-8")
    assert "not there" not in log + text and "cifar10-swin.onnx left out" in text
    (folder / "models").mkdir()
    shutil.copy(EXAMPLES / "models" / "cifar10-swin.onnx", folder / "models")
    log = reproduce(folder, "few", "--models", folder / "models", "--seeds", "1", "--count", "1", "--map-count", "1")
    text = (folder / "few" / "README.md").read_text(encoding="utf-8")
    assert "cifar10-vgg16.onnx is not there" in log and "left out" not in text and "cifar10-vgg16-75.onnx" in text


@pytest.mark.parametrize("args, message", [
    (["--data", "missing"], "error: missing/test_batch.bin: no such file"),
    (["--models", "damaged"], "error: mstconv: damaged/cifar10-swin.onnx: "),
    (["--out", "damaged/cifar10-swin.onnx"], "error: damaged/cifar10-swin.onnx/json: "),
    (["--seeds", "0"], "0 is not 1 or more"),
])
def test_errors(folder, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged").mkdir()
    whole = (EXAMPLES / "models" / "cifar10-swin.onnx").read_bytes()
    (tmp_path / "damaged" / "cifar10-swin.onnx").write_bytes(whole[:1000])
    done = start(folder, "errors", *args)
    assert done.returncode != 0 and message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_without_matplotlib(folder):
    code = "import runpy, sys; sys.modules['matplotlib'] = None; runpy.run_path(%r, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code % str(FOLDER / "reproduce.py"), "--build", BUILD, "--data", folder,
                           "--out", folder / "plain"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: matplotlib is not installed")
    assert len(done.stderr.splitlines()) == 1


def test_measurements_are_kept_while_nothing_changes(folder):
    def kept(count):
        log = reproduce(folder, "kept", "--only", "swin-sa75", "--seeds", "1", "--no-pictures", "--count", str(count))
        return tuple(map(int, re.search(r"(\d+) measurements, (\d+) of them kept", log).groups()))
    total, none = kept(COUNT)
    assert total > 5 and none == 0
    first = (folder / "kept" / "table3-modes.csv").read_text()
    assert kept(COUNT) == (total, total)
    assert (folder / "kept" / "table3-modes.csv").read_text() == first
    again, old = kept(COUNT - 1)  # those of the tables, and of windows in the figures; step's and the probes' stay
    assert again == total and 0 < old < total
    data = bytearray((folder / "test_batch.bin").read_bytes())
    data[100] ^= 255
    (folder / "test_batch.bin").write_bytes(data)
    assert kept(COUNT) == (total, 0)
