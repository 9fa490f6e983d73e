"""--readout-from: which steps' logits are averaged, by the classes that the NumPy simulator finds for each S and t."""
import json

import numpy as np
import pytest

from built import tool
from support import Net, convert
from test_qcfs import qcfs

from oracle.simulator import Simulator

STEPS, WIDTH, SAMPLES = 9, 16, 200


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """(folder with model.bin and x.npy, graph, x) of three layers of neurons."""
    folder, rng = tmp_path_factory.mktemp("net"), np.random.default_rng(8)
    n = Net(["N", 1, 1, WIDTH], 13)
    y = n.op("Flatten", n.x)
    for _ in range(3):
        y = qcfs(n, n.op("MatMul", y, n.const(rng.normal(size=(WIDTH, WIDTH)) * 0.5)), 1.0, 8)
    _, graph = convert(n.model(n.op("MatMul", y, n.const(rng.normal(size=(WIDTH, 6))))), folder)
    x = rng.normal(size=(SAMPLES, 1, 1, WIDTH)).astype(np.float32)
    np.save(folder / "x.npy", x)
    return folder, graph, x


def classes(graph, x, readout_from):
    """Of the simulator at each step: [STEPS, samples]."""
    sim = Simulator(graph, readout_from=readout_from)
    sim.begin(x)
    found = []
    for _ in range(STEPS):
        sim.step()
        found.append(sim.mean_logits().argmax(1))
    return np.array(found)


def run(folder, labels, *args):
    np.save(folder / "y.npy", labels)
    spec = "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")
    return json.loads(tool("mstrun", folder / "model.bin", spec, "-T", STEPS, "--at", ",".join(map(str, range(1, STEPS + 1))),
                           *args, "--json", "-", "--quiet").stdout)


@pytest.mark.parametrize("schedule", ["block", "step"])
@pytest.mark.parametrize("said, first", [("1", 1), ("4", 4), ("auto", 5), ("9", 9)])
def test_classes_are_the_simulators(net, said, first, schedule):
    folder, graph, x = net
    expected = classes(graph, x, first)
    plain = classes(graph, x, 1)
    assert (plain[:first - 1] == expected[:first - 1]).all()
    assert first == 1 or (plain[-1] != expected[-1]).any()
    r = run(folder, expected[-1], "--readout-from", said, "--schedule", schedule)
    assert r["readout_from"] == first
    assert [p["top1_percent"] for p in r["at"]] == pytest.approx([100 * (e == expected[-1]).mean() for e in expected])
    assert r["at"][-1]["top1_percent"] == 100
    other = run(folder, expected[-1])
    assert other["readout_from"] == 1 and (other["at"][-1]["top1_percent"] == 100) == (first == 1)
    assert other["layers"] == r["layers"]  # no spike differs


def test_auto_asks_no_labels(net):
    """The step is the same whatever the labels are."""
    folder, graph, x = net
    found = {run(folder, np.full(SAMPLES, k), "--readout-from", "auto")["readout_from"] for k in range(3)}
    assert found == {5}


def test_text_says_it(net):
    folder = net[0]
    late = tool("mstrun", folder / "model.bin", folder / "x.npy", "-T", 8, "--readout-from", "auto").stdout
    assert "T = 8, logits of steps 5 to 8, seed" in late
    assert "T = 8, seed" in tool("mstrun", folder / "model.bin", folder / "x.npy", "-T", 8).stdout


@pytest.mark.parametrize("said", ["0", "10", "late", "4x"])
def test_wrong_steps(net, said):
    text = tool("mstrun", net[0] / "model.bin", net[0] / "x.npy", "-T", 9, "--readout-from", said, code=2).stderr
    assert "--readout-from: expected auto or a step up to T = 9, found '%s'" % said in text


@pytest.mark.parametrize("mode", ["count", "radix", "ann"])
def test_one_pass_has_no_steps(net, mode):
    said = tool("mstrun", net[0] / "model.bin", net[0] / "x.npy", "--mode", mode, "--readout-from", "auto", code=2).stderr
    assert "--readout-from: expected --mode step with it: in %s mode" % mode in said


@pytest.mark.parametrize("said, first", [(None, 1), ("3", 3), ("auto", 5)])
def test_calibration_reads_the_same_logits(net, said, first):
    folder, graph, x = net
    ann, sim = Simulator(graph, spiking=False), Simulator(graph, readout_from=first)
    ann.begin(x)
    a = ann.step().astype(np.float64)
    sim.begin(x)
    expected = []
    for _ in range(STEPS):
        sim.step()
        expected.append(np.sqrt(((sim.mean_logits() - a) ** 2).sum() / (a ** 2).sum()))
    args = ["mstcalib", folder / "model.onnx", folder / "model.bin", "npy:%s" % (folder / "x.npy"), "-T",
            ",".join(map(str, range(1, STEPS + 1)))] + (["--readout-from", said] if said else [])
    r = json.loads(tool(*args, "--json", "-", "--quiet").stdout)
    assert r["readout_from"] == first
    assert [p["logit_rel_l2"] for p in r["at"]] == pytest.approx(expected, rel=1e-5)
    assert ("logits are averaged from step %d on" % first in tool(*args).stdout) == (first > 1)
    assert "--mode step" in tool(*args[:4], "--mode", "count", "--readout-from", "auto", code=2).stderr
