"""mstrun --predictions and --raster: files of single samples, against ONNX Runtime and the NumPy simulators."""
import copy
import csv
import io
import json
import zipfile

import numpy as np
import pytest

from built import tool
from support import snn_reader
from test_calib_counts import behind
from test_long_runs import _made  # noqa: F401  (a fixture)
from test_outputs import _wide  # noqa: F401  (a fixture)

from oracle.counts import CountSimulator
from oracle.simulator import Simulator

STEPS, N = 6, 5


def run(path, data, *args, code=0):
    return tool("mstrun", path, data, "--quiet", *args, code=code)


# ---- predictions ----

@pytest.mark.parametrize("mode", ["ann", "count"])
def test_logits_are_onnx_runtimes(wide, mode, tmp_path):
    folder, logits, labels = wide
    data = "npy:{0}/x.npy,{0}/y.npy".format(folder)
    run(folder / "model.bin", data, "--mode", mode, "--predictions", tmp_path / "p.npz", "--threads", 3, "--every", 2)
    p = np.load(tmp_path / "p.npz")
    assert p["sample"].tolist() == list(range(0, len(logits), 2)) and p["label"].tolist() == labels[::2].tolist()
    assert np.abs(p["logits"][:, 0] - logits[::2]).max() < 1e-6 and p["logits"].dtype == np.float32
    assert (p["class"][:, 0] == logits[::2].argmax(1)).all() and p["t"].tolist() == [1]
    rows = list(csv.DictReader(io.StringIO(run(folder / "model.bin", data, "--mode", mode, "--predictions", "-").stdout)))
    assert [(int(r["sample"]), int(r["label"]), r["t"], int(r["class"])) for r in rows] == [
        (i, labels[i], "", logits[i].argmax()) for i in range(len(labels))]
    got = np.array([[float(r["logit_%d" % c]) for c in range(logits.shape[1])] for r in rows])
    assert (got[::2].astype("f4") == p["logits"][:, 0]).all()


@pytest.fixture(scope="module", name="net")
def _net(made, tmp_path_factory):
    """(model file, its graph, five normalized samples as an array and as a file)"""
    x = np.random.default_rng(2).normal(size=(N, 3, 16, 16)).astype("f4")
    path = tmp_path_factory.mktemp("net") / "x.npy"
    np.save(path, x)
    return made[0] / "m.bin", snn_reader.load(made[0] / "m.bin"), x, path


@pytest.mark.parametrize("how", [("--schedule", "block"), ("--schedule", "step"), ("--isa", "scalar", "--latency")])
def test_logits_at_each_step(net, tmp_path, how):
    path, graph, x, data = net
    sim, want = Simulator(graph), []
    sim.begin(x)
    for _ in range(STEPS):
        sim.step()
        want.append(sim.mean_logits().astype("f4"))
    run(path, data, "-T", STEPS, "--at", "1,3,4,6", "--predictions", tmp_path / "p.npz", *how)
    p = np.load(tmp_path / "p.npz")
    assert p["t"].tolist() == [1, 3, 4, 6] and p["label"].tolist() == [-1] * N
    expected = np.array([want[t - 1].reshape(N, -1) for t in (1, 3, 4, 6)]).transpose(1, 0, 2)
    assert (p["logits"] == expected).all() and (p["class"] == expected.argmax(2)).all()


def test_samples_that_are_not_there(net, tmp_path):
    """Skipped ones are left out; what was done before an error is there, and the run says that it is partial."""
    path, _, x, _ = net
    bad = x.copy()
    bad[2, 0, 0, 0] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    run(path, tmp_path / "bad.npy", "-T", 2, "--skip-bad", "--predictions", tmp_path / "p.npz")
    assert np.load(tmp_path / "p.npz")["sample"].tolist() == [0, 1, 3, 4]
    run(path, tmp_path / "bad.npy", "-T", 2, "--predictions", tmp_path / "p.npz", "--raster", "all", "--raster-to", tmp_path / "r.npz",
        code=1)
    assert np.load(tmp_path / "p.npz")["sample"].tolist() == np.load(tmp_path / "r.npz")["sample"].tolist() == [0, 1]
    np.save(tmp_path / "bad.npy", bad * np.nan)
    run(path, tmp_path / "bad.npy", "--predictions", tmp_path / "q.npz", code=1)
    assert not (tmp_path / "q.npz").exists()


def test_shards_are_the_rows(net, tmp_path):
    path, _, _, data = net
    for i in (1, 2):
        run(path, data, "-T", 2, "--shard", "%d/2" % i, "--predictions", tmp_path / ("p%d.npz" % i))
    run(path, data, "-T", 2, "--predictions", tmp_path / "p.npz")
    parts, all_of = [np.load(tmp_path / ("p%d.npz" % i)) for i in (1, 2)], np.load(tmp_path / "p.npz")
    for key in ("sample", "label", "class", "logits"):
        assert (np.concatenate([p[key] for p in parts]) == all_of[key]).all()


# ---- rasters ----

def raster(r, k, shape):
    """[samples, steps, ...] of 0 and 1"""
    bits = r["raster_%d" % k]
    return np.unpackbits(bits, axis=-1, count=int(np.prod(shape))).reshape(bits.shape[:2] + shape)


@pytest.mark.parametrize("how", [("--schedule", "block", "--threads", 3), ("--schedule", "step"), ("--isa", "scalar", "--latency"),
                                 ("--no-mask",)])
def test_spikes_are_the_simulators(net, tmp_path, how):
    """Of all layers, those that leave their masks; in the block schedule blocks end where accuracy is asked for."""
    path, graph, x, data = net
    if how == ("--no-mask",):
        graph = copy.deepcopy(graph)
        for n in graph.nodes:
            if n.op == "mask":
                n.fp["RATIO"] = 0.0
    sim, want = Simulator(graph), []
    places = [behind(graph, graph.nodes[i].out) for i in sim.neurons]
    sim.begin(x)
    for _ in range(STEPS):
        sim.step()
        want.append([sim.values[p].reshape(N, -1) != 0 for p in places])
    run(path, data, "-T", STEPS, "--raster", "all", "--raster-to", tmp_path / "r.npz", "--at", "4", *how)
    r = np.load(tmp_path / "r.npz")
    info = json.loads(tool("mstrun", "--info", path, "--json", "-").stdout)["layers"]
    assert [n.decode() for n in r["name"]] == [l["name"] for l in info] and r["layer"].tolist() == list(range(len(info)))
    assert r["sample"].tolist() == list(range(N))
    for k, layer in enumerate(info):
        shape = r["counts_%d" % k].shape[1:]
        assert np.prod(shape) == layer["neurons"]
        got, spikes = raster(r, k, shape).reshape(N, STEPS, -1), np.array([w[k] for w in want]).transpose(1, 0, 2)
        assert (got == spikes).all(), layer["name"]
        assert (r["counts_%d" % k].reshape(N, -1) == spikes.sum(1)).all()
    masked = [k for k, l in enumerate(info) if l["mask"]]
    assert masked


@pytest.mark.parametrize("mode, more", [("count", ()), ("count", ("--schedule", "step")), ("radix", ("--levels", 5))])
def test_counts_are_the_simulators(net, tmp_path, mode, more):
    path, graph, x, data = net
    levels = int(more[1]) if more[:1] == ("--levels",) else None
    sim = CountSimulator(graph, mode, levels)
    sim.begin(x)
    sim.step()
    run(path, data, "--mode", mode, *more, "--raster", "q", "--raster", "0", "--raster-to", tmp_path / "r.npz")
    r = np.load(tmp_path / "r.npz")
    assert not [k for k in r if k.startswith("raster")] and len(r["layer"]) > 1 and r["layer"][0] == 0
    neurons = [n for n in graph.nodes if n.op == "neuron"]
    for k in r["layer"]:
        n = sim.counts[behind(graph, neurons[k].out)].n
        assert (r["counts_%d" % k].reshape(N, -1) == np.asarray(n).reshape(N, -1)).all()


def test_which_layers(net, tmp_path):
    path, _, _, data = net
    info = json.loads(tool("mstrun", "--info", path, "--json", "-").stdout)["layers"]
    run(path, data, "-T", 2, "--raster", info[3]["name"], "--raster", 1, "--raster", 1, "--raster-to", tmp_path / "r.npz")
    assert np.load(tmp_path / "r.npz")["layer"].tolist() == [1, 3]
    for args, says, code in ((("--raster", "nowhere", "--raster-to", tmp_path / "x.npz"), "found 'nowhere'", 1),
                             (("--raster", "1"), "expected both", 2), (("--raster-to", "x.npz"), "expected both", 2),
                             (("--raster", "1", "--raster-to", tmp_path / "x.npz", "--mode", "ann"), "spiking mode", 2),
                             (("--predictions", "-", "--mode", "count", "--levels", "2,3"), "one run", 2),
                             (("--raster", "all", "--raster-to", tmp_path / "x.npz", "-T", 65535), "fewer layers or steps", 1)):
        assert says in run(path, data, *args, code=code).stderr
    assert not list(tmp_path.glob("x.*"))


def test_files_are_whole_archives(net, tmp_path):
    """Names and checksums as zipfile reads them; the same bytes again; ours are replaced, those of others are not."""
    path, _, _, data = net
    args = ("-T", 3, "--raster", "all", "--raster-to", tmp_path / "r.npz", "--predictions", tmp_path / "p.npz")
    run(path, data, *args, "--threads", 1)
    first = [(tmp_path / n).read_bytes() for n in ("r.npz", "p.npz")]
    for name in ("r.npz", "p.npz"):
        with zipfile.ZipFile(tmp_path / name) as z:
            assert z.testzip() is None and z.namelist()[0] == "mstrun.npy"
    run(path, data, *args, "--threads", 3)
    assert [(tmp_path / n).read_bytes() for n in ("r.npz", "p.npz")] == first
    run(path, data, "-T", 3, "--predictions", tmp_path / "p.csv")
    run(path, data, "-T", 3, "--predictions", tmp_path / "p.csv")
    np.savez(tmp_path / "p.npz", x=np.zeros(3))
    (tmp_path / "p.csv").write_text("name,value\n")
    for name in ("p.npz", "p.csv"):
        assert "another; --force replaces it" in run(path, data, "--predictions", tmp_path / name, code=2).stderr
    assert "cannot write" in run(path, data, "--predictions", "/dev/full", code=1).stderr
