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
from built import BUILD, ROOT

FOLDER, EXAMPLES = ROOT / "examples" / "reproduce", ROOT / "examples"
NORMALIZED = ["--mean", ".4914,.4822,.4465", "--std", ".2470,.2435,.2616"]
COUNT, FEW, SEEDS, STEPS = 7, 6, 2, 12
sys.path[:0] = [str(FOLDER), str(EXAMPLES)]
# examples/mst is of the same name as the package of python/, whose tests may have imported that
OTHERS = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "mst"}
import libmst  # noqa: E402
import page  # noqa: E402
import probes  # noqa: E402
for _name in [name for name in sys.modules if name.split(".")[0] == "mst"]:
    del sys.modules[_name]
sys.modules.update(OTHERS)
sys.path[:] = [folder for folder in sys.path if folder != str(EXAMPLES)]


def tool(name, *args):
    return built.tool(name, *args).stdout


def start(folder, out, *args):
    pictures = [] if importlib.util.find_spec("matplotlib") else ["--no-pictures"]
    return subprocess.run([sys.executable, FOLDER / "reproduce.py", "--build", BUILD, "--data", folder, "--out",
                           folder / out, "--figure-count", str(FEW), "--probe-count", "1", "--map-count", "3",
                           "--steps", "4", str(STEPS), "--at", str(STEPS), "--threads", "2", *pictures, *args],
                          capture_output=True, text=True, timeout=120, check=False)


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
    np.concatenate([np.array(labels, np.uint8)[:, None], coarse.reshape(10, 3072)], 1).tofile(folder / "test_batch.bin")
    reproduce(folder, "out", "--only", "swin", "swin-sa75", "--count", str(COUNT), "--seeds", str(SEEDS))
    return folder


def run(folder, name, count, *args):
    return json.loads(tool("mstrun", folder / (name + ".bin"), "cifar10:%s" % (folder / "test_batch.bin"), "-n", count,
                           "-T", STEPS, "--quiet", "--json", "-", *args))


def accuracy(result, t=STEPS):
    return next(at["top1_percent"] for at in result["at"] if at["t"] == t)


def rows(folder, name):
    with open(folder / "out" / (name + ".csv"), encoding="utf-8") as f:
        return list(csv.DictReader(f))


def the_row(folder, name, wanted):
    found = [r for r in rows(folder, name) if wanted.items() <= r.items()]
    assert len(found) == 1, "%d rows of %s with %s" % (len(found), name, wanted)
    return found[0]


def test_table1(folder):
    table = {r[""]: r for r in rows(folder, "table1")}
    swin = run(folder, "swin", COUNT)
    calib = json.loads(tool("mstcalib", EXAMPLES / "models" / "cifar10-swin.onnx", folder / "swin.bin",
                            "cifar10:%s" % (folder / "test_batch.bin"), "-n", COUNT, "-T", 1, "--quiet", "--json", "-"))
    ann = calib["ann_top1_percent"]
    assert table["ANN"]["ours: accuracy, %"] == "%.2f" % ann
    for t in (4, STEPS):
        row = table["SNN, T = %d" % t]
        assert row["ours: accuracy, %"] == "%.2f" % accuracy(swin, t)
        assert row["ours: points lost to the ANN"] == "%.2f" % (ann - accuracy(swin, t))


def test_table3(folder):
    table = {r[""]: r for r in rows(folder, "table3")}
    base, masked = run(folder, "swin", COUNT), run(folder, "sa75", COUNT)
    assert masked["masked_per_sample"] > 0
    row = table["Swin, SA 75 %"]
    assert row["accuracy, %"] == "%.2f" % accuracy(masked)
    assert row["power by Eq. 10, mW"] == "%.3f" % (1e3 * masked["spikes_per_sample"] / 1e-3 * masked["energy"]["constants"]["alpha_joules"])
    assert row["of unmasked, %"] == "%.1f" % (100 * masked["spikes_per_sample"] / base["spikes_per_sample"])
    assert float(row["against unmasked, points"]) == pytest.approx(accuracy(masked) - accuracy(base), abs=0.006)
    assert table["Swin"]["of unmasked, %"] == "100.0"


def test_masked_cnns_run_longer(folder):
    policy = EXAMPLES / "policies" / "conv75.yaml"
    tool("mstconv", EXAMPLES / "models" / "cifar10-vgg16-75.onnx", "-o", folder / "vgg.bin", "--quiet", *NORMALIZED,
         "--policy", policy)
    reproduce(folder, "cnn", "--only", "vgg16-75", "--count", str(COUNT), "--no-pictures")
    longer = json.loads(tool("mstrun", folder / "vgg.bin", "cifar10:%s" % (folder / "test_batch.bin"), "-n", COUNT,
                             "-T", 4 * STEPS, "--at", "%d,%d" % (STEPS, 4 * STEPS), "--quiet", "--json", "-"))
    said = "accuracy at T = %d and T = %d is %.1f and %.1f %% (VGG-16, 75 %%)" % (
        STEPS, 4 * STEPS, accuracy(longer), accuracy(longer, 4 * STEPS))
    assert "on the first %d images" % COUNT in (folder / "cnn" / "README.md").read_text()
    assert said in (folder / "cnn" / "README.md").read_text()


def test_fig5_and_fig6(folder):
    masks = [word for site in ("q", "k", "attn") for word in ("--mask", site + "=0.5")]
    half = [run(folder, "swin-masked", FEW, "--seed", seed, *masks) for seed in range(1, SEEDS + 1)]
    mlp = [run(folder, "swin-mlp", FEW, "--seed", seed) for seed in range(1, SEEDS + 1)]
    blocks = [run(folder, "two", FEW, "--seed", seed) for seed in range(1, SEEDS + 1)]
    assert len({r["spikes_per_sample"] for r in half + mlp + blocks}) == 3 * SEEDS
    for runs, row in [
            (mlp, the_row(folder, "fig5", {"masked": "MLP", "model": "Swin", "masked spikes, %": "50"})),
            (half, the_row(folder, "fig5", {"masked": "SA", "model": "Swin", "masked spikes, %": "50"})),
            (blocks, the_row(folder, "fig6", {"model": "Swin, trained unmasked", "masked blocks": "2"}))]:
        values = [accuracy(r) for r in runs]
        assert (row["seeds"], row["images"]) == (str(SEEDS), str(FEW))
        assert row["mean accuracy, %"] == "%.2f" % statistics.mean(values)
        assert row["deviation, points"] == "%.2f" % page.mean_and_deviation(values)[1]
        spikes = statistics.mean(r["spikes_per_sample"] for r in runs)
        assert row["spikes per image, thousands"] == "%.1f" % (spikes / 1e3)


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
    found = float(rows(folder, "fig3-summary")[0]["mean abs. error of the rate, theta"])
    assert found == pytest.approx(error, abs=1e-4)


def test_deviation():
    assert page.mean_and_deviation([1.0, 2.0, 6.0]) == (3.0, pytest.approx(math.sqrt((4 + 1 + 9) / 2)))
    assert page.mean_and_deviation([5.0]) == (5.0, None)


def test_spike_activation_map():
    trains = np.random.default_rng(2).random((9, 5, 3)) < 0.4
    maps = probes.spike_maps(list(trains), {4, 9})
    for t in (4, 9):
        for token in range(5):
            expected = sum(math.exp(-probes.GAMMA * (t - earlier)) for channel in range(3) for earlier in range(1, t)
                           if trains[t - 1, token, channel] and trains[earlier - 1, token, channel])
            assert maps[t][token] == pytest.approx(expected)


def test_page(folder):
    text = (folder / "out" / "README.md").read_text(encoding="utf-8")
    for part in ("Table 1", "Table 3", "Fig. 3", "Fig. 5", "Fig. 6", "Fig. 7"):
        assert "## %s:" % part in text
    assert "only: cifar10-swin.onnx, cifar10-swin-sa75.onnx" in text and "not at hand" in text
    if importlib.util.find_spec("matplotlib"):
        for name in re.findall(r"\]\((.*\.png)\)", text):
            assert (folder / "out" / name).stat().st_size > 10000
    same = {(r["model"], r["t"]): r["with the unmasked network's map"] for r in rows(folder, "fig7")}
    assert same["Swin", str(STEPS)] == "1.000" and float(same["Swin, SA 75 %", str(STEPS)]) < 1


def test_what_the_page_says_follows_the_numbers():
    """Fine-tuned networks, losses and gains that differ from today's."""
    args = types.SimpleNamespace(at=64, no_pictures=True, out=None, only=None, steps=[64])
    swin = {"at": [{"t": 64, "top1_percent": 80}], "layers": [{"site": "q", "spikes_per_sample": 1}]}

    def said(write, *data):
        one = page.Page(args, {}, {("table3", "swin"): swin})
        getattr(one, write)(*data)
        return " ".join(one.text)
    for change, words in ((0.3, "agrees within"), (-0.6, "does not agree"), (2.0, "is higher")):
        assert "the accuracy " + words in said("table3_verdict", {"swin-sa75": (27.0, change)})
    assert "power rises by 3.0 %" in said("table3_verdict", {"swin-sa75": (-3.0, 0.0)})
    plain = {"trained": 0.0, "points": {0.0: (80.0, None), 0.5: (70.0, 1.0), 0.75: (60.0, 1.0)}}
    tuned = {"trained": 0.75, "points": {0.75: (79.0, 1.0)}}
    text = said("fig5_verdict", {"SA": {"swin": plain, "swin-sa75": tuned}, "MLP": {"swin": plain}})
    assert "at SA 75 %, which" in text and "MLP 50 %" not in text and "60.0 %, the one fine-tuned for it 79.0 %" in text
    assert "We have none of those" in said("fig5_verdict", {"SA": {"swin": plain}})


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
    first = (folder / "kept" / "table3.csv").read_text()
    assert kept(COUNT) == (total, total)
    assert (folder / "kept" / "table3.csv").read_text() == first
    assert kept(COUNT - 1) == (total, total - 1)  # Table 3
    data = bytearray((folder / "test_batch.bin").read_bytes())
    data[100] ^= 255
    (folder / "test_batch.bin").write_bytes(data)
    assert kept(COUNT) == (total, 0)
