"""LayerNorm and RMSNorm as exporters write them in elementary operators: one operator, whatever the order, and the numbers
of ONNX Runtime."""
import numpy as np
import pytest

from support import Net, convert, error, float_run, runtime
from test_qcfs import qcfs

C = 24


def mean(n, x, axis=-1, opset=17, keep=1):
    if opset >= 18:
        return n.op("ReduceMean", x, n.const([axis], dtype=np.int64), keepdims=keep)
    return n.op("ReduceMean", x, axes=[axis], keepdims=keep)


def rsqrt(n, x):
    return n.op("Reciprocal", n.op("Sqrt", x))


def torch(n, x, g, b, eps):
    d = n.op("Sub", x, mean(n, x))
    var = mean(n, n.op("Pow", d, n.const(2.0)))
    y = n.op("Div", d, n.op("Sqrt", n.op("Add", var, n.const(eps))))
    return n.op("Add", n.op("Mul", y, n.const(g)), n.const(b))


def keras(n, x, g, b, eps):
    """tf.nn.moments and tf.nn.batch_normalization: x*r + (b - mean*r)"""
    m = mean(n, x)
    d = n.op("Sub", x, m)
    var = mean(n, n.op("Mul", d, d))
    r = n.op("Mul", rsqrt(n, n.op("Add", var, n.const(eps))), n.const(g))
    return n.op("Add", n.op("Mul", x, r), n.op("Sub", n.const(b), n.op("Mul", m, r)))


def keras_first_eps(n, x, g, b, eps):
    """The same with constants first and the difference taken the other way round."""
    m = mean(n, x)
    d = n.op("Sub", m, x)
    var = mean(n, n.op("Mul", d, d))
    r = n.op("Mul", n.const(g), rsqrt(n, n.op("Add", n.const(eps), var)))
    return n.op("Sub", n.op("Mul", r, x), n.op("Sub", n.op("Mul", r, m), n.const(b)))


def flax(n, x, g, b, eps):
    """The variance is the mean of squares less the square of the mean, at least 0."""
    m = mean(n, x)
    var = n.op("Sub", mean(n, n.op("Mul", x, x)), n.op("Mul", m, m))
    var = n.op("Max", n.const(0.0), var)
    r = n.op("Mul", rsqrt(n, n.op("Add", var, n.const(eps))), n.const(g))
    return n.op("Add", n.op("Mul", n.op("Sub", x, m), r), n.const(b))


def jax_sums(n, x, g, b, eps):
    """Sums over the number of channels, whose axis is dropped and put back."""
    def average(v):
        total = n.op("ReduceSum", v, n.const([2], dtype=np.int64), keepdims=0)
        return n.op("Unsqueeze", n.op("Div", total, n.const(float(C))), n.const([2], dtype=np.int64))
    m = average(x)
    var = n.op("Max", n.op("Sub", average(n.op("Mul", x, x)), n.op("Mul", m, m)), n.const(0.0))
    y = n.op("Mul", n.op("Sub", x, m), rsqrt(n, n.op("Add", var, n.const(eps))))
    return n.op("Add", n.op("Mul", y, n.const(g)), n.const(b))


def squared_difference(n, x, g, b, eps):
    d = n.op("Sub", x, mean(n, x))
    root = n.op("Sqrt", n.op("Add", mean(n, n.op("Pow", d, n.const(2.0))), n.const(eps)))
    return n.op("Add", n.op("Div", n.op("Mul", d, n.const(g)), root), n.const(b))


def powers(n, x, g, b, eps):
    d = n.op("Sub", x, mean(n, x))
    root = n.op("Pow", n.op("Add", mean(n, n.op("Pow", d, n.const(2.0))), n.const(eps)), n.const(0.5))
    return n.op("Add", n.op("Mul", n.op("Div", d, root), n.const(g)), n.const(b))


def power_below(n, x, g, b, eps):
    d = n.op("Sub", x, mean(n, x))
    r = n.op("Pow", n.op("Add", mean(n, n.op("Mul", d, d)), n.const(eps)), n.const([-0.5]))
    return n.op("Add", n.op("Mul", d, n.op("Mul", r, n.const(g))), n.const(b))


def rms_power(n, x, g, b, eps):
    r = n.op("Pow", n.op("Add", mean(n, n.op("Mul", x, x)), n.const(eps)), n.const(-0.5))
    return n.op("Mul", n.op("Mul", x, r), n.const(g))


def rms(n, x, g, b, eps):
    return n.op("Mul", n.op("Div", x, n.op("Sqrt", n.op("Add", mean(n, n.op("Mul", x, x)), n.const(eps)))), n.const(g))


def rms_llama(n, x, g, b, eps):
    r = rsqrt(n, n.op("Add", mean(n, n.op("Pow", x, n.const(2.0))), n.const(eps)))
    return n.op("Mul", n.const(g), n.op("Mul", x, r))


def rms_flax(n, x, g, b, eps):
    r = rsqrt(n, n.op("Add", mean(n, n.op("Mul", x, x)), n.const(eps)))
    return n.op("Mul", x, n.op("Mul", r, n.const(g)))


LAYER = [torch, keras, keras_first_eps, flax, jax_sums, squared_difference, powers, power_below]
RMS = [rms, rms_llama, rms_flax, rms_power]


def network(write, eps=1e-5, seed=4, tokens=5):
    rng, n = np.random.default_rng(seed), Net([1, tokens, 8], 13 if write is jax_sums else 12)
    y = qcfs(n, n.op("MatMul", n.x, n.const(rng.normal(size=(8, C)))), 1.5, 8)
    y = n.op("Add", y, n.op("MatMul", y, n.const(rng.normal(size=(C, C)))))
    y = write(n, y, rng.uniform(0.5, 2, C), rng.normal(size=C), np.float32(eps))
    y = write(n, y, rng.uniform(0.5, 2, C), rng.normal(size=C), np.float32(3 * eps))  # which reads one
    y = qcfs(n, n.op("MatMul", y, n.const(rng.normal(size=(C, C)))), 1.0, 8)
    return n.model(n.op("MatMul", y, n.const(rng.normal(size=(C, 6)))))


def kinds(graph):
    return [(node.op, node.ip.get("FN"), graph.tensors[node.out].shape) for node in graph.nodes]


def same_values(a, b):
    for p, q in zip(a.nodes, b.nodes):
        for k, j in zip(p.inputs, q.inputs):
            if k is not None and a.tensors[k].data is not None:
                np.testing.assert_allclose(a.tensors[k].data, b.tensors[j].data, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("eps", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("write", LAYER, ids=lambda w: w.__name__)
def test_layer_norm_is_one_operator(write, eps, tmp_path):
    model = network(write, eps)
    report, graph = convert(model, tmp_path)
    _, expected = convert(network(torch, eps), tmp_path)
    assert kinds(graph) == kinds(expected)
    same_values(graph, expected)
    norms = [node for node in graph.nodes if node.op == "layernorm"]
    np.testing.assert_allclose([float(node.fp["EPS"]) for node in norms], [eps, 3 * eps], rtol=1e-3)
    assert report["non_spiking_nodes"] == 2 and report["bn_kept"] == 0
    x = np.random.default_rng(0).normal(size=(1, 5, 8)).astype("f4")
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-5


@pytest.mark.parametrize("write", RMS, ids=lambda w: w.__name__)
def test_rms_norm_has_one_form(write, tmp_path):
    model = network(write)
    _, graph = convert(model, tmp_path)
    _, expected = convert(network(rms), tmp_path)
    assert kinds(graph) == kinds(expected)
    same_values(graph, expected)
    x = np.random.default_rng(0).normal(size=(1, 5, 8)).astype("f4")
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-5


def cubes(n, x, g, b, eps):
    """No variance: powers of 3."""
    d = n.op("Sub", x, mean(n, x))
    var = mean(n, n.op("Mul", n.op("Mul", d, d), n.op("Abs", d)))
    return n.op("Div", d, n.op("Sqrt", n.op("Add", var, n.const(eps))))


def of_another(n, x, g, b, eps):
    """The deviation of another value."""
    z = n.op("Mul", x, n.const(np.linspace(0.5, 2, C)))
    d = n.op("Sub", z, mean(n, z))
    var = mean(n, n.op("Mul", d, d))
    return n.op("Div", n.op("Sub", x, mean(n, x)), n.op("Sqrt", n.op("Add", var, n.const(eps))))


def unbiased(n, x, g, b, eps):
    """Over C - 1, as torch.std: a scale, and another eps."""
    d = n.op("Sub", x, mean(n, x))
    var = n.op("Mul", mean(n, n.op("Mul", d, d)), n.const(C / (C - 1)))
    return n.op("Div", d, n.op("Sqrt", n.op("Add", var, n.const(eps))))


def eps_outside(n, x, g, b, eps):
    d = n.op("Sub", x, mean(n, x))
    return n.op("Div", d, n.op("Add", n.op("Sqrt", mean(n, n.op("Mul", d, d))), n.const(np.float32(0.01))))


def by_token(n, x, g, b, eps):
    """As many tokens as channels, and a scale for each token where the mean has dropped its axis."""
    d = n.op("Sub", x, mean(n, x))
    var = mean(n, n.op("Mul", d, d), keep=0)
    var = n.op("Mul", var, n.const(np.linspace(1, 2, n.shape[1])))
    root = n.op("Sqrt", n.op("Add", var, n.const(eps)))
    return n.op("Div", d, n.op("Unsqueeze", root, axes=[2]))


@pytest.mark.parametrize("write,norms", [(by_token, 0), (cubes, 0), (of_another, 0), (eps_outside, 0), (unbiased, 2)],
                         ids=lambda w: getattr(w, "__name__", ""))
def test_what_only_looks_like_one(write, norms, tmp_path):
    model = network(write, tokens=C)
    _, graph = convert(model, tmp_path)
    assert [node.op for node in graph.nodes].count("layernorm") == norms
    x = np.random.default_rng(0).normal(size=(1, C, 8)).astype("f4")
    assert error(float_run(model, tmp_path, x), runtime(model, x)) < 2e-5
