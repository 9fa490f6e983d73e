"""Nothing silent: what does not spike is told, and by its right name."""
import numpy as np
import pytest

from support import Net, TensorProto, convert, error, float_run, refused, runtime
from test_qcfs import qcfs

SHAPE = [1, 3, 8, 8]


def draw(*shape, seed=3):
    return np.random.default_rng(seed).normal(size=shape).astype("f4") * np.float32(.4)


def inside(make):
    """What make writes, between two layers of neurons."""
    n = Net(SHAPE, 20)
    y = qcfs(n, n.op("Conv", n.x, n.const(draw(6, 3, 3, 3)), pads=[1] * 4), 1.0, 8)
    y = make(n, n.op("Conv", y, n.const(draw(6, 6, 1, 1))))
    y = qcfs(n, n.op("Conv", y, n.const(draw(5, 6, 3, 3))), .7, 4)
    return n.model(n.op("Gemm", n.op("Flatten", y), n.const(draw(180, 5))))


SIGNS = {
    "of a sum": lambda n, y: n.op("Add", n.op("Sign", y), y),
    "of two": lambda n, y: n.op("Add", n.op("Sign", y), n.op("Sign", n.op("Sub", y, n.const(.5)))),
    "of a difference": lambda n, y: n.op("Sub", n.op("Sign", n.op("Add", y, n.const(.2))),
                                         n.op("Sign", n.op("Sub", y, n.const(.2)))),
    "of a product": lambda n, y: n.op("Mul", n.op("Sign", y), n.op("Sqrt", n.op("Abs", y))),
    "of a live product": lambda n, y: n.op("Mul", y, n.op("Reshape", n.op("Sign", y), n.const([1, 6, 8, 8], dtype=np.int64))),
    "of a minimum": lambda n, y: n.op("Max", n.op("Mul", n.op("Sign", y), n.const(.3)), y),
    "alone": lambda n, y: n.op("Sign", y),
}


@pytest.mark.parametrize("how", list(SIGNS), ids=lambda how: how.replace(" ", "-"))
def test_a_sign_is_no_silent_island(how, tmp_path):
    model = inside(SIGNS[how])
    text = refused(model, tmp_path)
    assert "node 'Sign_" in text and "--allow-analog" in text
    report, _ = convert(model, tmp_path, "--allow-analog")
    assert report["spiking_layers"] == 2 and "sign" in [row["kind"] for row in report["non_spiking"]]
    x = draw(*SHAPE, seed=5)
    assert error(float_run(model, tmp_path, x, "--allow-analog"), runtime(model, x)) < 1e-5


@pytest.mark.parametrize("make", [
    lambda n, y: n.op("LpNormalization", y, axis=1),
    lambda n, y: n.op("Mul", y, n.op("Cast", n.op("Greater", y, n.op("Mul", y, y)), to=TensorProto.FLOAT)),
    lambda n, y: n.op("Relu", n.op("Sign", y))], ids=["lp", "condition", "step"])
def test_conditions_are_islands(make, tmp_path):
    model = inside(make)
    convert(model, tmp_path)
    x = draw(*SHAPE, seed=5)
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 1e-5


FUNCTIONS = {
    "Relu": lambda n, y: n.op("Relu", y), "Sigmoid": lambda n, y: n.op("Sigmoid", y),
    "Softmax": lambda n, y: n.op("Softmax", y, axis=1),
    "LayerNormalization": lambda n, y: n.op("LayerNormalization", y, n.const(np.ones(8))),
    "square": lambda n, y: n.op("Mul", y, y), "maximum": lambda n, y: n.op("Max", y, n.op("Mul", y, n.const(.1))),
    "product": lambda n, y: n.op("MatMul", y, n.op("Transpose", y, perm=[0, 1, 3, 2])),
}


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_only_the_input_stage_spikes(name, second, tmp_path):
    n = Net(SHAPE, 20)
    y = qcfs(n, n.op("Conv", n.x, n.const(draw(3, 3, 1, 1))), 1.0, 8)
    for k in range(3):
        y = n.op("Conv", y, n.const(draw(3, 3, 1, 1, seed=k)))
        y = qcfs(n, y, .5, 4) if second and k == 1 else FUNCTIONS[name](n, y)
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(draw(192, 5))))
    if second:
        assert convert(model, tmp_path)[0]["spiking_layers"] == 2
        return
    assert "only the input stage of this network spikes" in refused(model, tmp_path)
    assert convert(model, tmp_path, "--allow-analog")[0]["spiking_layers"] == 1


@pytest.mark.parametrize("ops,says", [
    (["Relu"] * 3, "its 3 ReLUs from"), (["LeakyRelu"] * 3, "its 3 LeakyRelus or PRelus, two layers of neurons each, from"),
    (["PRelu", "Relu", "LeakyRelu"], "its 1 ReLUs and 2 LeakyRelus or PRelus, two layers of neurons each, from"),
    (["Elu", "Selu", "Celu"], None), (["Elu", "Relu", "Elu"], "its 1 ReLUs from")], ids=str)
def test_relus_are_counted(ops, says, tmp_path):
    n, y = Net(SHAPE, 20), "x"
    for k, op in enumerate(ops):
        y = n.op("Conv", y, n.const(draw(3, 3, 1, 1, seed=k)))
        y = n.op(op, y, *([n.const([.2])] if op == "PRelu" else []))
    text = refused(n.model(n.op("Gemm", n.op("Flatten", y), n.const(draw(192, 5)))), tmp_path)
    assert "nothing in this network spikes" in text and ("--calibrate" in text) == (says is not None)
    assert says is None or says in text
