"""Trained bounds of ReLU networks in every spelling: neurons with these thresholds. The judge is ONNX Runtime, on the
network that has QCFS activations of them."""
import json

import numpy as np
import pytest

from built import tool
from support import Net, error, runtime, saved

SHAPE, LEVELS = [1, 3, 8, 8], 31
THETAS = {"scalar": np.float32(.8), "channels": np.linspace(.4, 1.5, 6, dtype="f4").reshape(1, 6, 1, 1)}


def relu_min(n, x, t):
    return n.op("Min", n.op("Relu", x), n.const(t))


def min_relu(n, x, t):
    return n.op("Relu", n.op("Min", n.const(t), x))


def clip_min(n, x, t):
    return n.op("Min", n.op("Clip", x, n.const(0.0)), n.const(t))


def relu6_min(n, x, t):
    return n.op("Min", n.op("Clip", x, n.const(0.0), n.const(6.0)), n.const(t))


def pact_abs(n, x, t):
    """(|x| - |x - t| + t) / 2"""
    y = n.op("Sub", n.op("Abs", x), n.op("Abs", n.op("Sub", x, n.const(t))))
    return n.op("Mul", n.op("Add", y, n.const(t)), n.const(.5))


def pact_half_first(n, x, t):
    y = n.op("Mul", n.const(.5), n.op("Sub", n.op("Abs", x), n.op("Abs", n.op("Sub", x, n.const(t)))))
    return n.op("Add", y, n.const(t * np.float32(.5)))


def two_relus(n, x, t):
    """t - relu(t - relu(x))"""
    return n.op("Sub", n.const(t), n.op("Relu", n.op("Sub", n.const(t), n.op("Relu", x))))


def relu_less_relu(n, x, t):
    return n.op("Sub", n.op("Relu", x), n.op("Relu", n.op("Sub", x, n.const(t))))


def unit_clip(n, x, t):
    return n.op("Mul", n.op("Clip", n.op("Div", x, n.const(t)), n.const(0.0), n.const(1.0)), n.const(t))


def where(n, x, t):
    y = n.op("Relu", x)
    return n.op("Where", n.op("Greater", y, n.const(t)), n.const(t), y)


SPELLINGS = [relu_min, min_relu, clip_min, relu6_min, pact_abs, pact_half_first, two_relus, relu_less_relu, unit_clip, where]


def qcfs(n, x, t):
    y = n.op("Floor", n.op("Add", n.op("Mul", n.op("Div", x, n.const(t)), n.const(float(LEVELS))), n.const(.5)))
    return n.op("Mul", n.op("Clip", n.op("Div", y, n.const(float(LEVELS))), n.const(0.0), n.const(1.0)), n.const(t))


def network(activation, thetas):
    """thetas: of the three layers"""
    draw, n = np.random.default_rng(4), Net(SHAPE, 17)
    y = n.op("Conv", n.x, n.const(draw.normal(size=(6, 3, 3, 3)) * .4), n.const(draw.normal(size=6) * .2), pads=[1] * 4)
    y = activation(n, y, thetas[0])
    y = n.op("Conv", y, n.const(draw.normal(size=(6, 6, 3, 3)) * .25), n.const(draw.normal(size=6) * .2), pads=[1] * 4)
    y = n.op("MaxPool", activation(n, y, thetas[1]), kernel_shape=[2, 2], strides=[2, 2])
    y = activation(n, n.op("Conv", y, n.const(draw.normal(size=(6, 6, 3, 3)) * .25)), thetas[2])
    return n.model(n.op("Gemm", n.op("Flatten", y), n.const(draw.normal(size=(24, 5)) * .3)))


def made(model, folder, *args):
    """report of a conversion without data, or with them"""
    return json.loads(tool("mstconv", saved(model, folder), "-o", folder / "m.bin", "--quiet", "--force", "--report", "-",
                           "--levels", LEVELS, *args).stdout)


def images(count, seed=2):
    return np.random.default_rng(seed).normal(size=[count] + SHAPE[1:]).astype("f4")


def assert_quantized(folder, thetas, report):
    """Nothing but the neurons of these thresholds, and ONNX Runtime's logits of QCFS with them."""
    assert report["spiking_layers"] == 3 and report["non_spiking_nodes"] == 0 and report["bn_kept"] == 0
    judge = network(qcfs, thetas)
    for x in images(4):
        got = ran_count(folder / "m.bin", x, folder)
        assert error(got, runtime(judge, x[None])) < 1e-5


def ran_count(path, x, folder):
    np.save(folder / "one.npy", x[None])
    tool("mstrun", path, "npy:%s" % (folder / "one.npy"), "--mode", "count", "-q", "--predictions", folder / "p.npz", "--force")
    return np.load(folder / "p.npz")["logits"].ravel()


@pytest.mark.parametrize("theta", list(THETAS))
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: s.__name__)
def test_bounds_are_thresholds(spelling, theta, tmp_path):
    t = THETAS[theta]
    report = made(network(spelling, [t] * 3), tmp_path, "--theta-method", "bound")
    for row, layer in zip(report["thresholds"]["layers"], report["layers"]):
        assert row["theta"] == pytest.approx(t.ravel().tolist(), rel=1e-6) and row["bound"]
        assert (layer["theta_min"], layer["theta_max"]) == pytest.approx((t.min(), t.max()), rel=1e-6)
    assert_quantized(tmp_path, [t] * 3, report)


@pytest.mark.parametrize("theta", list(THETAS))
@pytest.mark.parametrize("spelling", [relu_min, pact_abs, two_relus], ids=lambda s: s.__name__)
def test_data_find_none_above_the_bound(spelling, theta, tmp_path):
    t = THETAS[theta]
    np.save(tmp_path / "x.npy", images(200, 7))
    report = made(network(spelling, [t] * 3), tmp_path, "--calibrate", "npy:%s" % (tmp_path / "x.npy"))
    thetas = [np.asarray(row["theta"], "f4") for row in report["thresholds"]["layers"]]
    for found in thetas:
        assert np.all(found <= t.ravel() * (1 + 1e-6)) and np.all(found > .2 * t.ravel())
    assert_quantized(tmp_path, [found.reshape(1, -1, 1, 1) for found in thetas], report)


def test_scales_around_a_bound_are_no_part_of_it(tmp_path):
    """What begins elsewhere than at 0, or is scaled, keeps the bound that the graph shows."""
    def scaled(n, x, t):
        return n.op("Mul", n.op("Clip", n.op("Mul", x, n.const(3.0)), n.const(0.0), n.const(t)), n.const(.25))
    report = made(network(scaled, [THETAS["scalar"]] * 3), tmp_path, "--theta-method", "bound")
    assert [row["theta"] for row in report["thresholds"]["layers"]] == [[pytest.approx(.8)]] * 3
    assert report["non_spiking_nodes"] == 0

    def signed(n, x, t):
        return n.op("Clip", x, n.const(-t), n.const(t))
    done = tool("mstconv", saved(network(signed, [THETAS["scalar"]] * 3), tmp_path), "-o", tmp_path / "n.bin",
                "--theta-method", "bound", code=1)
    assert "no ReLU" in done.stderr
