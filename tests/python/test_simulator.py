"""The simulator written from docs/EXECUTION.md and the C session: every output of every node, bit for bit."""
import sys

import numpy as np
import pytest

from snnkit import ROOT, make, snnkit  # noqa: F401

sys.path.insert(0, str(ROOT / "tests"))
from oracle import compare, onnx_if, philox, sim_ops, simulator, snn_reader  # noqa: E402

F = np.float32
POTENTIALS = 0xFFFFFFFF


@pytest.mark.parametrize("counter, key, expected", [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
])
def test_philox_known_answers(counter, key, expected):
    assert " ".join("%08x" % int(w) for w in philox.philox4x32(counter, key)) == expected


def test_mask_words_take_elements_in_order():
    words = philox.mask_words(0x0000000200000001, [7, 8], 3, 4, 10)
    for s, sample in enumerate((7, 8)):
        for e in range(10):
            assert words[s, e] == philox.philox4x32((sample, 3, 4, e // 4), (1, 2))[e % 4]


def scalar_accumulate(rows, weight, start):
    out = np.empty((len(rows), weight.shape[1]), F)
    for r, row in enumerate(rows):
        for o in range(weight.shape[1]):
            total = start[o]
            for i, x in enumerate(row):
                if x != 0:
                    total = F(total + F(x * weight[i, o]))
            out[r, o] = total
    return out


@pytest.mark.parametrize("seed", range(8))
def test_sums_keep_the_order_of_roundings(seed):
    """Vectors over outputs and rows against one scalar at a time, with -0, infinities and subnormals."""
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(9, 30)) * (rng.random((9, 30)) < (0.1, 0.9)[seed % 2])).astype(F)
    weight = rng.normal(size=(30, 5)).astype(F)
    start = rng.normal(size=5).astype(F)
    rows[0], rows[1, :3], start[:2], weight[:, 1] = 0, -0.0, -0.0, -np.abs(weight[:, 1]) * (seed % 3 == 0)
    if seed % 4 == 3:
        weight[3, 2], weight[4, 3], rows[:, 5] = np.inf, 1e-42, 1e-39
    with np.errstate(all="ignore"):
        assert sim_ops.accumulate(rows, weight, start).tobytes() == scalar_accumulate(rows, weight, start).tobytes()


def observations(tool, path, x, sample, steps, mode, isa, folder):
    """Yield (time, node, values); time POTENTIALS: membranes of a NEURON node. At last (None, None, [sops, macs])."""
    x.astype("<f4").tofile(folder / "x.f32")
    done = tool("run", path, folder / "x.f32", sample, steps, folder / "out.bin", mode, isa)
    raw, at = (folder / "out.bin").read_bytes(), 0
    while at < len(raw):
        time, node, count = np.frombuffer(raw, "<u4", 3, at)
        yield int(time), int(node), np.frombuffer(raw, "<f4", count, at + 12)
        at += 12 + 4 * int(count)
    yield None, None, [int(n) for n in done.stdout.split()]


def assert_bit_equal(tool, path, folder, mode, seed=0, steps=6, isa="scalar"):
    """Runs both; every output of every node and every membrane after every step, and what they count."""
    graph = snn_reader.load(path)
    rng = np.random.default_rng(seed)
    x = (rng.integers(-64, 64, graph.tensors[graph.input].shape) / 32).astype(F)
    sim = simulator.Simulator(graph, spiking=mode == "spiking")
    sim.begin(x, first_sample=5)
    compared = 0
    for time, node, values in observations(tool, path, x, 5, steps, mode, isa, folder):
        if time is None:
            assert [int(sim.sops[0]), int(sim.macs[0])] == values
            break
        if time not in (POTENTIALS, sim.time):
            sim.step()
        mine = sim.potential[node] if time == POTENTIALS else sim.values[graph.nodes[node].out]
        where = "step %d node %d %s '%s'" % (sim.time, node, graph.nodes[node].op, graph.nodes[node].name)
        np.testing.assert_array_equal(mine[0].ravel(), values, where)
        assert mine[0].ravel().tobytes() == values.tobytes(), where
        compared += 1
    assert compared > 0  # static nodes are reported once
    return sim


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
@pytest.mark.parametrize("mode", ["spiking", "float"])
def test_every_operator(mode, weights, snnkit, tmp_path):
    sim = assert_bit_equal(snnkit, make(snnkit, "every-op", tmp_path, weights), tmp_path, mode, steps=12)
    if mode == "spiking":
        fired = [int(f[0]) for f, _ in sim.layer.values()]
        assert all(fired), "a layer of the sample is silent: %s" % fired
        assert any((f != s).any() for f, s in sim.layer.values()), "the mask took nothing away"


@pytest.mark.parametrize("mode", ["spiking", "float"])
@pytest.mark.parametrize("seed", range(25))
def test_random_graphs(seed, mode, snnkit, tmp_path):
    for weights in ("f32", "f16", "int8"):
        assert_bit_equal(snnkit, make(snnkit, str(seed), tmp_path, weights), tmp_path, mode, seed)


def test_samples_of_a_batch_do_not_touch_each_other(snnkit, tmp_path):
    graph = snn_reader.load(make(snnkit, "every-op", tmp_path))
    x = np.random.default_rng(1).normal(size=(3, 2, 6, 6)).astype(F)
    together = simulator.Simulator(graph)
    together.begin(x, first_sample=10)
    for _ in range(5):
        together.step()
    for s in range(3):
        alone = simulator.Simulator(graph)
        alone.begin(x[s:s + 1], first_sample=10 + s)
        for _ in range(5):
            alone.step()
        assert alone.mean_logits().tobytes() == together.mean_logits()[s:s + 1].tobytes()
        for node in alone.neurons:
            assert alone.potential[node].tobytes() == together.potential[node][s:s + 1].tobytes()
            assert alone.layer[node][1][0] == together.layer[node][1][s]


def test_compare_finds_a_changed_row(snnkit, tmp_path):
    graph = snn_reader.load(make(snnkit, "every-op", tmp_path))
    x = np.random.default_rng(2).normal(size=(2, 2, 6, 6)).astype(F)
    rows = compare.simulate(graph, x, [0, 1], 4)
    assert len(rows) == 2 * 4 * sum(n.op == "neuron" for n in graph.nodes)
    trace = tmp_path / "trace.csv"
    lines = ["%d,%d,%d,%s,%d,%d" % (key + row) for key, row in sorted(rows.items())]
    trace.write_text("\n".join(["sample,step,layer,name,fired,spikes"] + lines) + "\n")
    assert compare.report(rows, compare.read_trace(trace))
    key = (1, 3, 0)
    changed = dict(rows)
    changed[key] = (rows[key][0], rows[key][1] + 1, rows[key][2])
    assert compare.differences(rows, changed) == [key]


FIXTURES = ROOT / "tests" / "fixtures" / "onnx"


@pytest.mark.parametrize("name, layers", [
    ("ext-data", 2), ("local-functions", 2), ("resnet18-ts", 17), ("resnet18-dynamo", 17), ("vgg16-tsdyn", 15),
    ("swin-tsdyn", 44), ("swin-dynamo", 44), ("swin-masked-ts", 44), ("swin_pub-ts", 42), ("swin_pub_bn-tsdyn", 42)])
def test_onnx_oracle_finds_every_activation(name, layers):
    net = onnx_if.SpikingOnnx(FIXTURES / (name + ".onnx"))
    assert len(net.neurons) == layers and net.unmatched == 0
    assert {q.levels for q in net.neurons} <= {8, 16} and {q.shift for q in net.neurons} == {0.5}


@pytest.mark.parametrize("name", ["ext-data", "local-functions"])
def test_onnx_oracle_tends_to_the_ann(name):
    """Shallow networks without attention: the SNN's mean logits come close to the ANN's."""
    data = np.load(FIXTURES / (name + ".npz"))
    net = onnx_if.SpikingOnnx(FIXTURES / (name + ".onnx"))
    logits, counts = net.run(data["x"], 64)
    error = np.linalg.norm(logits.mean(0) - data["logits"]) / np.linalg.norm(data["logits"])
    assert error < 0.12
    assert all(c.shape == (64, len(data["x"])) and c.sum() > 0 for c in counts.values())
