"""Chains of layers as NIR has them, on numbers whose sums are exact, for tests of the bridge. Skips where NIR is not installed."""
import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="NIR is not installed: pip install nir onnx")
pytest.importorskip("onnx", reason="ONNX is not installed: pip install onnx")

T, DT = 24, 1e-4


def dyadic(draw, *shape):
    """Numbers whose sums and products are exact in float32 in any order."""
    return (draw.integers(-8, 9, shape) / 16).astype(np.float32)


def neuron(size, theta, **said):
    theta = np.broadcast_to(np.reshape(np.asarray(theta, np.float32), (-1,) + (1,) * (len(size) - 1)), size)
    node = nir.IF(r=np.full(size, 1 / DT), v_threshold=np.array(theta), v_reset=np.zeros(size, np.float32))
    node.metadata = {"mst_" + key: value for key, value in said.items()}
    return node


def conv(draw, size, weight, stride=(1, 1), padding=(0, 0), groups=1):
    return nir.Conv2d(input_shape=size, weight=dyadic(draw, *weight), stride=stride, padding=padding, dilation=(1, 1),
                      groups=groups, bias=dyadic(draw, weight[0]))


def chain(said=None, per_channel=True, groups=2, pool=True):
    """Conv, pool, grouped Conv, Flatten, Affine, Linear, with thresholds that are no powers of two but exact."""
    draw, said = np.random.default_rng(4), said or {}
    pair = lambda k: np.array([k, k])  # noqa: E731
    size, then = ((4, 5), (6, 2, 4)) if pool else ((9, 10), (6, 4, 9))
    kind = nir.SumPool2d if per_channel else nir.AvgPool2d
    flat = int(np.prod(then))
    nodes = [nir.Input(input_type={"input": np.array([2, 9, 10])}),
             conv(draw, (9, 10), (4, 2, 3, 3), padding=(1, 1)),
             neuron((4, 9, 10), [1, 2, 1.5, .75] if per_channel else 1.5, **said),
             *([kind(kernel_size=pair(2), stride=pair(2), padding=pair(0))] if pool else []),
             conv(draw, size, (6, 4 // groups, 2, 2), stride=(2, 1), groups=groups), neuron(then, 1.25, **said),
             nir.Flatten(input_type={"input": np.array(then)}, start_dim=0, end_dim=-1),
             nir.Affine(dyadic(draw, 10, flat), dyadic(draw, 10)), neuron((10,), np.arange(1, 11) / 4, **said),
             nir.Linear(dyadic(draw, 5, 10)), nir.Output(output_type={"output": np.array([5])})]
    names = ["n%d" % k for k in range(len(nodes))]
    return nir.NIRGraph(dict(zip(names, nodes)), list(zip(names, names[1:])), type_check=False)


def images(n=3, shape=(2, 9, 10)):
    return dyadic(np.random.default_rng(9), n, *shape) * 4
