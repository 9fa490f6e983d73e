"""What is no number is refused wherever it enters: in the model, in the options, in a sample; or comes out."""
import json

import numpy as np
import pytest

from built import tool
from support import FIXTURES, Net, numpy_helper, onnx, refused

NONE = (np.nan, np.inf, -np.inf)


def floats(graph):
    """Every float constant: (name, tensor)."""
    for t in graph.initializer:
        if t.data_type in (1, 11):
            yield t.name, t
    for n in graph.node:
        if n.op_type == "Constant" and n.attribute[0].t.data_type in (1, 11):
            yield n.output[0], n.attribute[0].t


@pytest.mark.parametrize("name", ["resnet18-ts", "vgg16-dynamo", "swin-ts"])
def test_every_constant_of_a_model(tmp_path, name):
    """The last element of each of some, and of one that is 0 otherwise."""
    model = onnx.load(str(FIXTURES / (name + ".onnx")))
    spots = list(floats(model.graph))
    for k, (what, tensor) in enumerate(spots[:: max(1, len(spots) // 25)]):
        kept = numpy_helper.to_array(tensor)
        users = {n.op_type for n in model.graph.node if what in n.input}
        for zero in (False, True):
            a = (0 * kept if zero and kept.size > 1 else kept).copy()
            a.flat[-1] = NONE[k % 3] if users != {"Add"} else np.nan
            tensor.CopyFrom(numpy_helper.from_array(a, tensor.name))
            refused(model, tmp_path)
        tensor.CopyFrom(numpy_helper.from_array(kept, tensor.name))


def qcfs(n, x, theta=2.0, levels=4.0):
    y = n.op("Floor", n.op("Add", n.op("Div", n.op("Mul", x, n.const(levels)), n.const(theta)), n.const(0.5)))
    return n.op("Mul", n.op("Div", n.op("Clip", y, n.const(0.0), n.const(levels)), n.const(levels)), n.const(theta))


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize("where", ["bias", "shift", "weight", "scale", "divisor", "variance", "gamma", "beta", "mean"])
def test_each_place(tmp_path, where, value):
    """A bias of zeros and one NaN in front of a QCFS: equal to 0 by a test for a difference."""
    n = Net([1, 3, 8, 8])
    full = {k: np.ones(4, np.float32) for k in ("scale", "divisor", "variance", "gamma")}
    full.update({k: np.zeros(4, np.float32) for k in ("bias", "shift", "beta", "mean")})
    full["weight"] = np.ones((4, 3, 3, 3), np.float32)
    full[where].flat[-1] = value
    c = {k: v if k in ("weight", "bias", "variance", "gamma", "beta", "mean") else v.reshape(1, 4, 1, 1) for k, v in full.items()}
    y = n.op("Conv", n.x, n.const(c["weight"]), n.const(c["bias"]), pads=[1, 1, 1, 1])
    y = n.op("BatchNormalization", y, *(n.const(c[k]) for k in ("gamma", "beta", "mean", "variance")))
    y = n.op("Div", n.op("Mul", n.op("Add", y, n.const(c["shift"])), n.const(c["scale"])), n.const(c["divisor"]))
    y = n.op("GlobalAveragePool", qcfs(n, y))
    line = refused(n.model(n.op("Flatten", y)), tmp_path)
    assert "number" in line or "is nan" in line or "inf" in line, line


@pytest.fixture(scope="module", name="net")
def _net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "m.bin", "--timesteps", 2, "--quiet")
    shape = json.loads(tool("mstrun", "--info", folder / "m.bin", "--json", "-").stdout)["input"]
    return folder, shape


@pytest.mark.parametrize("value", NONE)
def test_a_sample(net, value):
    folder, shape = net
    x = np.zeros([5] + shape, np.float32)
    x[3].flat[7] = value
    np.save(folder / "x.npy", x)
    for threads in (1, 4):
        for job in (("mstrun", folder / "m.bin"), ("mstcalib", FIXTURES / "swin-ts.onnx", folder / "m.bin")):
            line = tool(*job, folder / "x.npy", "--threads", threads, code=1).stderr.strip()
            assert "sample 3: expected a finite value, found %g" % value in line and len(line.splitlines()) == 1


def test_logits_that_overflow(net):
    """Finite values, finite weights; their sums are not."""
    folder, _ = net
    n = Net([1, 1, 2, 2])
    y = n.op("Gemm", n.op("Flatten", n.x), n.const(np.full((4, 3), 3e38)))
    onnx.save(n.model(y), folder / "big.onnx")
    tool("mstconv", folder / "big.onnx", "-o", folder / "big.bin", "--quiet", "--allow-analog")
    x = np.zeros((3, 1, 2, 2), np.float32)
    x[2] = 100
    np.save(folder / "y.npy", x)
    for job in (("mstrun", folder / "big.bin"), ("mstrun", folder / "big.bin", "--mode", "ann"),
                ("mstcalib", folder / "big.onnx", folder / "big.bin")):
        assert "sample 2: logit" in tool(*job, folder / "y.npy", code=1).stderr


@pytest.mark.parametrize("mean, std", [("0.5", "1e-45"), ("0.5", "1e-39"), ("0.5", "1e39"), ("1e38", "1e-5"), ("1e300", "1")])
def test_std_that_overflows(net, mean, std):
    folder, shape = net
    three = lambda v: ",".join([v] * shape[0])  # noqa: E731
    done = tool("mstconv", FIXTURES / "swin-ts.onnx", "-o", folder / "n.bin", "--mean", three(mean), "--std", three(std), code=2)
    assert "is no finite float32" in done.stderr and not (folder / "n.bin").exists()
    tool("mstrun", folder / "m.bin", folder / "x.npy", "--mean", three(mean), "--std", three(std), code=2)
