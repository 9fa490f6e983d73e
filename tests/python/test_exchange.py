"""NIR: chains of layers out and in, against a simulation in NumPy of what the nodes say."""
import sys
import warnings

import numpy as np
import pytest

from nir_graphs import T, chain, dyadic, images, neuron, nir
from package import BUILT, DIGITS, converted, mst

pytestmark = pytest.mark.skipif(not BUILT, reason="the libraries are not built")


def ours(x, size=5):
    """One sample's logits at each step and each neuron's spikes, [t, ..] by node, as soft reset and v0 have them."""
    def run(graph, v0):
        potential, logits, fired = {}, [], {}
        for _ in range(T):
            y = x.astype(np.float64)
            for name, node in graph.nodes.items():
                kind = type(node).__name__
                if kind == "Conv2d":
                    y = convolve(y, node)
                elif kind in ("SumPool2d", "AvgPool2d"):
                    h, w = (n // 2 for n in y.shape[1:])
                    y = y[:, :2 * h, :2 * w].reshape(-1, h, 2, w, 2)
                    y = y.sum((2, 4)) if kind == "SumPool2d" else y.mean((2, 4))
                elif kind == "Flatten":
                    y = y.ravel()
                elif kind in ("Affine", "Linear"):
                    y = node.weight @ y + getattr(node, "bias", 0)
                elif kind == "IF":
                    u = potential.get(name, v0 * node.v_threshold) + y
                    y = (u >= node.v_threshold).astype(np.float64)
                    potential[name] = u - node.v_threshold * y
                    fired.setdefault(name, []).append(y)
            logits.append(y)
        return np.array(logits), {name: np.array(f) for name, f in fired.items()}
    return run


def convolve(x, node):
    (ph, pw), (sh, sw), groups, weight = node.padding, node.stride, node.groups, node.weight
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw)))
    outputs, inputs, kh, kw = weight.shape
    size = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    out = np.empty((outputs, *size))
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        for i in range(size[0]):
            for j in range(size[1]):
                part = x[first:first + inputs, i * sh:i * sh + kh, j * sw:j * sw + kw]
                out[o, i, j] = (part * weight[o]).sum() + node.bias[o]
    return out


@pytest.mark.parametrize("v0", [0, .5])
def test_a_graph_runs_as_its_nodes_say(v0):
    graph, x = chain(), images()
    model = mst.from_nir(graph, reset="subtract", v0=v0, levels=8)
    assert [layer.L for layer in model.layers] == [8] * 3 and [layer.name for layer in model.layers] == ["n2", "n5", "n8"]
    assert np.allclose(model.layers[0].theta, [1, 2, 1.5, .75])
    result = model.run(x, T=T, taps="all", over_time=True)
    for k, sample in enumerate(x):
        logits, fired = ours(sample)(graph, v0)
        for layer in model.layers:
            seen = result.taps[layer.name][k] != 0
            seen = seen.reshape(T, *seen.shape[-3:]).transpose(0, 3, 1, 2) if fired[layer.name].ndim == 4 else \
                seen.reshape(T, -1)
            assert np.array_equal(seen, fired[layer.name]), layer.name
        assert np.allclose(result.over_time[k], np.cumsum(logits, 0) / np.arange(1, T + 1)[:, None], atol=1e-5)
    assert result.spikes[:, -1].min() > 100


@pytest.mark.parametrize("per_channel", [True, False])
def test_there_and_back(tmp_path, per_channel):
    graph, x = chain(dict(reset="subtract", v0=.5, fires="at_threshold", levels=7), per_channel), images()
    model = mst.from_nir(graph, timesteps=12, classes=["a", "b", "c", "d", "e"])
    with pytest.warns(mst.Warning, match="3 layers of neurons start at 0.5 theta, subtract it"):
        written = mst.to_nir(model, tmp_path / "x.nir")
    read = nir.read(tmp_path / "x.nir", type_check=False)
    for a, (name, b) in zip(graph.nodes.values(), written.nodes.items()):
        c = read.nodes[name]
        assert type(b) is type(c) and (type(a) is type(b) or isinstance(b, (nir.AvgPool2d, nir.Affine))), name
        for field in ("weight", "bias", "v_threshold", "v_reset", "r", "stride", "padding", "groups"):
            # the sum of a pool of 4 is written as a mean, whose 4 is in the next weights
            if hasattr(a, field) and not isinstance(a, nir.Linear) and not (per_channel and name == "conv_3"):
                assert np.array_equal(getattr(a, field), getattr(c, field)), field
        assert {k: v for k, v in c.metadata.items() if k != "mst_name"} == a.metadata
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.nir"]
    again = mst.from_nir(tmp_path / "x.nir")
    assert again.T == 12 and again.class_names == ["a", "b", "c", "d", "e"]
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    for key in ("logits", "spikes", "sops", "macs"):
        assert np.array_equal(getattr(model.run(x, T=T), key), getattr(again.run(x, T=T), key)), key


def test_conv1d_and_flat_inputs():
    draw = np.random.default_rng(2)
    for size, layers in (((3, 12), [nir.Conv1d(input_shape=12, weight=dyadic(draw, 4, 3, 3), stride=2, padding=1, dilation=1,
                                               groups=1, bias=dyadic(draw, 4)), neuron((4, 6), 1),
                                    nir.Flatten(input_type={"input": np.array([4, 6])}, start_dim=0, end_dim=-1),
                                    nir.Linear(dyadic(draw, 5, 24))]),
                         ((7,), [nir.Linear(dyadic(draw, 6, 7)), neuron((6,), 1), nir.Linear(dyadic(draw, 5, 6))])):
        graph = nir.NIRGraph.from_list(nir.Input(input_type={"input": np.array(size)}), *layers,
                                       nir.Output(output_type={"output": np.array([5])}))
        x = images(2, size)
        model = mst.from_nir(graph, reset="subtract", levels=4)
        found = model.run(x.reshape(2, *model.input_shape), T=T).logits[:, -1]
        for k, sample in enumerate(x):
            if len(size) == 2:
                first = layers[0]
                wide = np.pad(sample, ((0, 0), (1, 1))).astype(np.float64)
                current = np.array([[(wide[:, i:i + 3] * w).sum() + b for i in range(0, 12, 2)]
                                    for w, b in zip(first.weight, first.bias)])
            else:
                current = layers[0].weight @ sample.astype(np.float64)
            v, total = np.zeros_like(current), 0
            for _ in range(T):
                u = v + current
                s = (u >= 1).astype(float)
                v, total = u - s, total + layers[-1].weight @ s.ravel()
            assert np.allclose(found[k], total / T, atol=1e-5)


def changed(which, **fields):
    graph = chain(dict(reset="subtract", v0=.5, levels=8))
    for key, value in fields.items():
        setattr(graph.nodes[which], key, value)
    return graph


@pytest.mark.parametrize("make, message", [
    (chain, r"node n2 \(IF\): NIR's neuron is set to v_reset where it fires, .*reset=\"subtract\""),
    (lambda: chain(dict(reset="subtract")), r"node n2 \(IF\): NIR says no levels"),
    (lambda: changed("n5", r=np.ones((6, 2, 4))), r"node n5 \(IF\): r is 1: expected 1/dt = 10000"),
    (lambda: changed("n5", v_reset=np.ones((6, 2, 4))), r"node n5 \(IF\): v_reset is not 0"),
    (lambda: changed("n5", v_threshold=np.zeros((6, 2, 4))), r"node n5 \(IF\): it makes no sense: thresholds"),
    (lambda: changed("n5", v_threshold=1 + np.arange(48).reshape(6, 2, 4)), "thresholds differ within a channel"),
    (lambda: changed("n5", metadata={"mst_reset": "subtract", "mst_v0": [1, 2], "mst_levels": 8}), "n5.*makes no sense"),
    (lambda: changed("n5", metadata={"mst_reset": "subtract", "mst_v0": 0, "mst_levels": 0}), "n5.*expected 1..255"),
    (lambda: changed("n1", weight=np.full((4, 2, 3, 3), np.nan)), r"node n1 \(Conv2d\): .*not finite"),
    (lambda: changed("n1", stride=(0, 1)), r"node n1 \(Conv2d\): it makes no sense"),
    (lambda: changed("n4", groups=3), r"node n4 \(Conv2d\): it makes no sense: weights"),
])
def test_graphs_that_cannot_be_read(make, message):
    with pytest.raises(mst.Error, match=message):
        mst.from_nir(make())


def test_other_nodes_branches_and_files(tmp_path):
    size = np.array([4])
    ends = dict(a=nir.Input(input_type={"input": size}), z=nir.Output(output_type={"output": size}))
    other = nir.LIF(tau=np.ones(4), r=np.ones(4), v_leak=np.zeros(4), v_threshold=np.ones(4))
    with pytest.raises(mst.Error, match=r"node b \(LIF\): cannot be read: only Input, Output, Affine"):
        mst.from_nir(nir.NIRGraph(dict(ends, b=other), [("a", "b"), ("b", "z")]))
    two = dict(ends, b=nir.Linear(np.eye(4)), c=nir.Linear(np.eye(4)))
    with pytest.raises(mst.Error, match="node a: more than one edge leaves it"):
        mst.from_nir(nir.NIRGraph(two, [("a", "b"), ("a", "c"), ("b", "z"), ("c", "z")]))
    with pytest.raises(mst.Error, match="not in one chain"):
        mst.from_nir(nir.NIRGraph(two, [("a", "b"), ("b", "z"), ("c", "c")], type_check=False))
    (tmp_path / "x.nir").write_bytes(b"no HDF5")
    for name in ("x.nir", "missing.nir"):
        with pytest.raises(mst.Error, match=name + ": not a file that nir can read"):
            mst.from_nir(tmp_path / name)
    for wrong in (dict(reset="hard"), dict(levels=0), dict(levels=2.5)):
        with pytest.raises(mst.ArgumentError, match=next(iter(wrong))):
            mst.from_nir(chain(), **wrong)


def test_models_that_nir_cannot_say(tmp_path):
    with pytest.raises(mst.Error, match=r"to_nir: .* \(matmul\)|to_nir: .*: no such layer in a chain"):
        mst.to_nir(mst.load(converted(tmp_path, "digits-swin.onnx")), tmp_path / "y.nir")
    model = mst.from_nir(chain(dict(reset="subtract", v0=.5, levels=8)), masks=.5)
    with pytest.raises(mst.Error, match="n2: its mask drops 50 % of its spikes.*masks=0"):
        mst.to_nir(model, tmp_path / "y.nir")
    with pytest.raises(mst.ArgumentError, match="dt: expected seconds"):
        mst.to_nir(model, dt=0)
    plain = mst.from_nir(chain(dict(reset="subtract", v0=.5, levels=8)))
    with pytest.warns(mst.Warning), pytest.raises(mst.Error, match="cannot be written"):
        mst.to_nir(plain, tmp_path / "none" / "y.nir")
    assert not (tmp_path / "y.nir").exists() and DIGITS


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(mst.Error, match="from_nir needs the package nir .*: pip install nir"):
        mst.from_nir("x.nir")
