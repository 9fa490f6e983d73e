"""Quantized networks: values right between two levels, where ONNX Runtime takes the even one."""
import numpy as np
import pytest

from qdq_kit import SHAPE, Net, images, judge, live_pairs, quantized, ran
from support import convert, float_run


def test_constants_fold_as_onnx_runtime_folds_them(tmp_path):
    """Ties, saturation, scales per channel, of both kinds: the folded constant is added to the image."""
    for dtype, zero, scale in ((np.uint8, [0, 7, 255], [.5, .1, .3]), (np.int8, [-128, 0, 3], [.25, .7, .5])):
        n = Net(SHAPE, opset=17)
        values = (np.arange(-20, 172).reshape(SHAPE[1:]) + .5).astype("f4") * np.float32(scale).reshape(3, 1, 1)
        assert np.any(np.rint(values.astype("f8") / np.float32(scale).astype("f8").reshape(3, 1, 1)) !=
                      np.rint(values / np.float32(scale).reshape(3, 1, 1)))
        params = [n.const(scale), n.const(zero, dtype=dtype)]
        k = n.op("QuantizeLinear", n.const(values[None]), *params, axis=1)
        y = n.op("Add", n.x, n.op("DequantizeLinear", k, *params, axis=1))
        model = n.model(n.op("Flatten", y))
        x = images(1)
        want = judge(model, x)[0].ravel()
        assert np.array_equal(float_run(model, tmp_path, x), want.astype("f4"))


def test_averages_are_rounded_to_even(tmp_path):
    """Of whole numbers a quarter of the means lies right between two levels: exactly computed, the even one is
    taken."""
    n = Net([1, 4, 8, 8], opset=17)
    y = quantized(n, n.x, .25, 0, name="counts")
    y = quantized(n, n.op("AveragePool", y, kernel_shape=[4, 4], strides=[4, 4]), .25, 0, name="mean")
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(16))))
    report, _ = convert(model, tmp_path)
    assert [p["became"] for p in report["pairs"]] == ["neuron", "rounds"]
    draw, ties = np.random.default_rng(3), 0
    for _ in range(10):
        k = draw.integers(0, 9, (4, 8, 8))
        means = k.reshape(4, 2, 4, 2, 4).sum((2, 4)) / 16
        ties += np.count_nonzero(means % 1 == .5)
        out, _ = ran(tmp_path / "model.bin", (k * np.float32(.25)), tmp_path)
        assert np.array_equal(out, (np.rint(means) * .25).ravel().astype("f4"))
        assert np.array_equal(out, judge(model, (k * np.float32(.25))[None])[0].ravel())
    assert ties > 5
    report, graph = convert(model, tmp_path, "--qdq", "drop-analog")
    assert [p["became"] for p in report["pairs"]] == ["neuron", "dropped"]
    out, _ = ran(tmp_path / "model.bin", (k * np.float32(.25)), tmp_path)
    assert out == pytest.approx((means * .25).ravel())


@pytest.mark.parametrize("kernel,stride,dtype,zero", [(2, 2, np.uint8, 0), (2, 1, np.uint8, 0), (4, 4, np.uint8, 0),
                                                      (2, 2, np.int8, 0), (2, 2, np.int8, -128), (8, 8, np.uint8, 0)])
def test_averages_follow_the_order_of_onnx_runtime(kernel, stride, dtype, zero, tmp_path):
    """A scale that is no power of two: what float32 rounds off decides the ties, and all values are the same."""
    n = Net([1, 4, 16, 16], opset=17)
    y = quantized(n, n.x, .0371, zero, dtype, name="values")
    y = n.op("AveragePool", y, kernel_shape=[kernel] * 2, strides=[stride] * 2)
    y = quantized(n, y, .0371, zero, dtype, name="mean")
    size = 4 * ((16 - kernel) // stride + 1) ** 2
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(size))))
    signed = dtype is np.int8 and zero == 0
    report, _ = convert(model, tmp_path, *(["--allow-analog"] if signed else []))
    assert [p["became"] for p in report["pairs"]] == (["rounds"] * 2 if signed else ["neuron", "rounds"])
    draw, ties = np.random.default_rng(3), 0
    for _ in range(6):
        k = draw.integers(-30 if signed else 0, 30, (1, 4, 16, 16))
        x = (k * np.float32(.0371)).astype("f4")
        out, _ = ran(tmp_path / "model.bin", x[0], tmp_path)
        want = judge(model, x)[0].ravel()
        assert np.array_equal(np.rint(out / np.float32(.0371)), np.rint(want / np.float32(.0371)))
        if kernel == 2 and stride == 2:
            exact = k.reshape(4, 8, 2, 8, 2).sum((2, 4)) / 4
            ties += np.count_nonzero(np.rint(exact).ravel() != np.rint(want / np.float32(.0371)))
    assert ties > 0 or kernel != 2 or stride != 2


FUNCTIONS = {
    "LeakyRelu": lambda n, y: n.op("LeakyRelu", y, alpha=.1),
    "LeakyRelu, a quarter": lambda n, y: n.op("LeakyRelu", y, alpha=.25),
    "PRelu": lambda n, y: n.op("PRelu", y, n.const([[[.1]], [[.3]]])),
    "half": lambda n, y: n.op("Mul", y, n.const(.5)),
    "difference": lambda n, y: n.op("Mul", n.op("Sub", y, n.op("Transpose", y, perm=[0, 1, 3, 2])), n.const(.5)),
    "Elu": lambda n, y: n.op("Elu", y),
}


@pytest.mark.parametrize("name", list(FUNCTIONS), ids=lambda name: name.replace(" ", "-"))
def test_functions_of_levels_are_rounded_as_onnx_runtime_does(name, tmp_path):
    """Between two signed pairs of one scale all values are known, and many are right between two levels but for what
    float32 rounds off."""
    for scale in np.random.default_rng(1).uniform(.01, .2, 8):
        n = Net([1, 2, 16, 16], 17)
        y = quantized(n, FUNCTIONS[name](n, quantized(n, n.x, scale, 0, np.int8)), scale, 0, np.int8)
        model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(512))))
        report, _ = convert(model, tmp_path, "--allow-analog")
        assert [p["became"] for p in report["pairs"]] == ["rounds", "rounds"]
        k = np.random.default_rng(2).integers(-128, 128, (1, 2, 16, 16))
        x = (k * np.float32(scale)).astype("f4")
        out, _ = ran(tmp_path / "model.bin", x[0], tmp_path)
        want = judge(model, x)[0].ravel()
        assert np.array_equal(np.rint(out / np.float32(scale)), np.rint(want / np.float32(scale)))


def levels_of_sum(s1, s2, s3, shift):
    """(what Round makes of all sums of two pairs, what a neuron makes of them)"""
    f = np.float32
    x = (np.arange(256, dtype="f4") * f(s1))[:, None] + (np.arange(-128, 128).astype("f4") * f(s2))[None, :]
    z = x * f(255) / f(255 * np.float64(f(s3)))
    return np.clip(np.rint(x / f(s3)), 0, 255), np.clip(np.floor(z + f(shift)), 0, 255)


def test_sums_of_two_pairs_go_where_round_takes_them(tmp_path):
    """All 65536 sums that there are; some are right between two levels in float32."""
    draw, found = np.random.default_rng(0), 0
    while found < 3:
        s1, s2, s3 = draw.uniform(.02, .08, 3)
        want, plain = levels_of_sum(s1, s2, s3, .5)
        others = [np.count_nonzero(want != levels_of_sum(s1, s2, s3, .5 + k * 2.0 ** -22)[1])
                  for k in (-17, 17, -33, 33)]
        if not np.any(want != plain) or min(others) != 0:
            continue
        found += 1
        n = Net([1, 2, 256, 256], opset=17)
        a = n.op("Slice", n.x, *[n.const([v], dtype=np.int64) for v in (0, 1, 1)])
        b = n.op("Slice", n.x, *[n.const([v], dtype=np.int64) for v in (1, 2, 1)])
        y = n.op("Add", quantized(n, a, s1, 0, name="a"), quantized(n, b, s2, 0, np.int8, name="b"))
        y = quantized(n, n.op("Relu", y), s3, 0, name="sum")
        y = n.op("GlobalAveragePool", n.op("Conv", y, n.const(np.ones((1, 1, 1, 1)))))
        model = n.model(n.op("Gemm", n.op("Flatten", y), n.const([[1.0]])))
        convert(model, tmp_path)
        x = np.stack([np.repeat(np.arange(256)[:, None] * s1, 256, 1),
                      np.repeat((np.arange(256) - 128)[None] * s2, 256, 0)])
        _, levels = ran(tmp_path / "model.bin", x, tmp_path)
        quant = [q for q in live_pairs(model) if q.name == "sum"][0]
        assert np.array_equal(judge(model, x[None], [quant.output[0]])[0][0, 0], want)
        made = levels["sum"].reshape(256, 256)  # by ran() as if channels were last
        assert np.array_equal(np.rint(made.T if levels["sum"].shape[1] == 256 else made), want)


def test_a_quantizer_that_reads_another_takes_the_even_level(tmp_path):
    """Scales of 1 and 2: each odd level is a tie, half of them go up. No neuron does that."""
    n = Net([1, 1, 1, 64], opset=17)
    y = quantized(n, n.x, 1, 0, name="ones")
    y = quantized(n, y, 2, 0, name="twos")
    model = n.model(n.op("Gemm", n.op("Flatten", y), n.const(np.eye(64))))
    report, _ = convert(model, tmp_path)
    assert [p["became"] for p in report["pairs"]] == ["neuron", "rounds"]
    assert "right between" in report["pairs"][1]["reason"]
    x = np.arange(64).reshape(1, 1, 1, 64).astype("f4")
    out, _ = ran(tmp_path / "model.bin", x[0], tmp_path)
    assert np.array_equal(out, judge(model, x)[0].ravel()) and np.array_equal(out, 2 * np.rint(x / 2).ravel())
