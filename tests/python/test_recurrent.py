"""RNN, GRU and LSTM, step by step as ONNX Runtime computes them: every output, direction, state and form of bias."""
import numpy as np
import pytest

from support import Net, assert_same, convert, refused
from test_qcfs import qcfs

RNG = np.random.default_rng(11)
STEPS, SIZE, HIDDEN = 5, 3, 4
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def w(*shape):
    return RNG.normal(size=shape)


def network(kind, output=0, bias=True, state=False, peephole=False, lengths=None, batch=1, **attributes):
    """The layer alone; output: 0 all steps, 1 and 2 the last h and c."""
    n = Net([STEPS, batch, SIZE], 22)
    dirs, g = 2 if attributes.get("direction") == "bidirectional" else 1, GATES[kind]
    given = [n.x, n.const(w(dirs, g * HIDDEN, SIZE)), n.const(w(dirs, g * HIDDEN, HIDDEN) * .5),
             n.const(w(dirs, 2 * g * HIDDEN)) if bias else "",
             n.const(lengths, dtype=np.int32) if lengths is not None else "",
             n.const(w(dirs, batch, HIDDEN)) if state else ""]
    if kind == "LSTM":
        given += [n.const(w(dirs, batch, HIDDEN)) if state else "", n.const(w(dirs, 3 * HIDDEN)) if peephole else ""]
    outs = n.op(kind, *given, outputs=3 if kind == "LSTM" else 2, hidden_size=HIDDEN, name="layer", **attributes)
    return n.model(n.op("Reshape", outs[output], n.const([1, -1], dtype=np.int64)))


CASES = [
    ("RNN", {}), ("RNN", {"direction": "reverse", "state": True}), ("RNN", {"activations": ["Relu"], "bias": False}),
    ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Softsign"]}),
    ("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("GRU", {"linear_before_reset": 1, "bias": False}),
    ("GRU", {"direction": "bidirectional", "linear_before_reset": 1, "state": True}),
    ("GRU", {"direction": "reverse", "bias": False, "state": True}),
    ("LSTM", {}), ("LSTM", {"peephole": True}), ("LSTM", {"direction": "reverse", "state": True}),
    ("LSTM", {"direction": "bidirectional", "state": True, "peephole": True}),
    ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}), ("LSTM", {"lengths": [STEPS]}),
]


@pytest.mark.parametrize("kind,how", CASES, ids=str)
def test_every_output(kind, how, tmp_path):
    for output in range(3 if kind == "LSTM" else 2):
        model = network(kind, output, **how)
        for seed in range(2):
            x = np.random.default_rng(seed).normal(size=(STEPS, 1, SIZE)).astype("f4")
            assert_same(model, tmp_path, x, 1e-5)


@pytest.mark.parametrize("kind", list(GATES))
def test_between_neurons(kind, tmp_path):
    """As PyTorch exports batch_first: steps are moved to the front and back."""
    n = Net([1, STEPS, SIZE], 17)
    y = n.op("Transpose", qcfs(n, n.x, 1.0, 8), perm=[1, 0, 2])
    g = GATES[kind] * HIDDEN
    y = n.op(kind, y, n.const(w(1, g, SIZE)), n.const(w(1, g, HIDDEN)), n.const(w(1, 2 * g)), hidden_size=HIDDEN,
             name="layer")
    y = n.op("Transpose", n.op("Squeeze", y, n.const([1], dtype=np.int64)), perm=[1, 0, 2])
    y = qcfs(n, n.op("MatMul", y, n.const(w(HIDDEN, 6))), .7, 4)
    model = n.model(n.op("MatMul", y, n.const(w(6, 3))))
    report, _ = convert(model, tmp_path)
    assert report["spiking_layers"] == 2 and "layer" in {row["name"] for row in report["non_spiking"]}
    assert_same(model, tmp_path, RNG.normal(size=(1, STEPS, SIZE)).astype("f4"), 1e-5)


@pytest.mark.parametrize("how,text", [
    ({"clip": 3.0}, "clip and input_forget"), ({"input_forget": 1}, "clip and input_forget"),
    ({"lengths": [STEPS - 1]}, "shorter than their axis"), ({"activations": ["Sigmoid", "Elu", "Tanh"]}, "activations"),
    ({"activations": ["Sigmoid"]}, "fewer activations"), ({"direction": "sideways"}, "direction")])
def test_what_is_refused(how, text, tmp_path):
    line = refused(network("LSTM", **how), tmp_path, "--allow-analog")
    assert "'layer'" in line and text in line


@pytest.mark.parametrize("part", [1, 2, 3])
def test_shapes_that_do_not_fit_are_refused(part, tmp_path):
    model = network("GRU")
    tensor = next(t for t in model.graph.initializer if t.name == model.graph.node[0].input[part])
    tensor.dims[1] -= 1
    tensor.raw_data = tensor.raw_data[:4 * int(np.prod(tensor.dims))]
    assert "do not fit" in refused(model, tmp_path, "--allow-analog")


def test_sequences_of_a_million_steps_end_in_an_error(tmp_path):
    n = Net([1000000, 1, 1], 17)
    y = n.op("LSTM", n.x, n.const(w(1, 4, 1)), n.const(w(1, 4, 1)), hidden_size=1, name="layer")
    text = refused(n.model(n.op("Reshape", y, n.const([1, -1], dtype=np.int64))), tmp_path, "--allow-analog")
    assert "'layer'" in text and "more than 200000 nodes" in text
