"""The converted model in float mode against ONNX Runtime on the original: BatchNorm in
every position, random stacks of the pieces, every stop-after, every fixture."""
import numpy as np
import pytest

from support import FIXTURES, Net, assert_same, convert, error, float_run, layers, runtime, tool


class Maker:
    """Pieces of networks with random weights, on top of Net."""

    def __init__(self, shape, seed, opset=13, dynamic=False):
        self.rng = np.random.default_rng(seed)
        self.shape = list(shape)
        self.n = Net((["batch"] if dynamic else [1]) + list(shape[1:]), opset)
        self.y = self.n.x

    def weights(self, *shape):
        return self.n.const(self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 4))

    def conv(self, out, k=3, pad=1, stride=1, group=1, bias=True):
        c, h, w = self.shape[1:]
        args = [self.y, self.weights(out, c // group, k, k)] + ([self.weights(out)] if bias else [])
        self.y = self.n.op("Conv", *args, pads=[pad] * 4, strides=[stride] * 2, group=group, kernel_shape=[k, k])
        self.shape = [1, out] + [(v + 2 * pad - k) // stride + 1 for v in (h, w)]

    def bn(self, y=None, channels=None):
        c = channels or self.shape[1]
        k = [self.rng.uniform(0.5, 1.5, c), self.rng.normal(size=c), self.rng.normal(size=c), self.rng.uniform(0.5, 2, c)]
        out = self.n.op("BatchNormalization", y or self.y, *[self.n.const(v) for v in k], epsilon=1e-3)
        if y is None:
            self.y = out
        return out

    def bn_tokens(self):
        """BatchNorm1d over the last axis of [1,N,C]: between two Transposes."""
        y = self.n.op("Transpose", self.y, perm=[0, 2, 1])
        self.y = self.n.op("Transpose", self.bn(y, self.shape[2]), perm=[0, 2, 1])

    def bn_flat(self):
        """BatchNorm over [N,C]: between two Reshapes."""
        y = self.n.op("Reshape", self.y, self.n.const([-1, self.shape[2]], dtype=np.int64))
        self.y = self.n.op("Reshape", self.bn(y, self.shape[2]), self.n.const([1] + self.shape[1:], dtype=np.int64))

    def linear(self, out, bias=True):
        self.y = self.n.op("MatMul", self.y, self.weights(self.shape[-1], out))
        self.shape[-1] = out
        if bias:
            self.y = self.n.op("Add", self.y, self.weights(out))

    def gemm(self, out):
        self.y = self.n.op("Gemm", self.y, self.weights(out, self.shape[-1]), self.weights(out), transB=1)
        self.shape[-1] = out

    def qcfs(self, levels=8, theta=2.0):
        n = self.n
        y = n.op("Clip", n.op("Div", self.y, n.const(theta)), n.const(0.0), n.const(1.0))
        y = n.op("Floor", n.op("Add", n.op("Mul", y, n.const(float(levels))), n.const(0.5)))
        self.y = n.op("Mul", n.op("Div", y, n.const(float(levels))), n.const(theta))

    def pool(self, kind="AveragePool", k=2, stride=2, **more):
        self.y = self.n.op(kind, self.y, kernel_shape=[k, k], strides=[stride] * 2, **more)
        pad = more.get("pads", [0] * 4)[0]
        up = (stride - 1) if more.get("ceil_mode") else 0
        self.shape[2:] = [(v + 2 * pad - k + up) // stride + 1 for v in self.shape[2:]]

    def tokens(self):
        c, h, w = self.shape[1:]
        y = self.n.op("Reshape", self.y, self.n.const([1, c, h * w], dtype=np.int64))
        self.y, self.shape = self.n.op("Transpose", y, perm=[0, 2, 1]), [1, h * w, c]

    def flatten(self):
        self.y, self.shape = self.n.op("Flatten", self.y), [1, int(np.prod(self.shape))]

    def add(self, other):
        self.y = self.n.op("Add", self.y, other)

    def model(self):
        return self.n.model(self.y)


def away_from_ties(model, shape, folder, seed=0, tries=6):
    """Inputs on which float rounding cannot move an activation by a level: the outcome does
    not change when the input is shaken by a few units in the last place."""
    rng = np.random.default_rng(seed)
    for _ in range(tries):
        x = rng.normal(size=shape).astype(np.float32)
        y = runtime(model, x)
        if all(error(runtime(model, (x * np.float32(1 + d)).astype(np.float32)), y) < 1e-4 for d in (2e-6, -2e-6)):
            return x
    return x


def check(maker, folder, shape, bn_kept=0, non_spiking=0, affine_in=None):
    model = maker.model()
    report, graph = convert(model, folder)
    kinds = [node.op for node in graph.nodes]
    assert report["bn_kept"] == kinds.count("affine") == bn_kept, kinds
    assert report["non_spiking_nodes"] == non_spiking
    assert_same(model, folder, away_from_ties(model, shape, folder))
    return report, graph


def gains(graph):
    return [len(n.inputs) > 2 and n.inputs[2] is not None for n in graph.nodes if n.op == "neuron"]


IMAGE = [1, 3, 8, 8]


@pytest.mark.parametrize("opset", [9, 13, 17])
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_bn_after_conv(opset, group, bias, tmp_path):
    m = Maker(IMAGE, 1, 13 if opset == 9 else opset)
    m.conv(6, group=group, bias=bias)
    m.bn()
    m.qcfs()
    m.flatten()
    check(m, tmp_path, IMAGE)


@pytest.mark.parametrize("how", ["bn_tokens", "bn_flat"])
@pytest.mark.parametrize("bias", [True, False])
def test_bn_after_linear_of_tokens(how, bias, tmp_path):
    m = Maker([1, 5, 6], 2)
    m.linear(8, bias)
    getattr(m, how)()
    m.qcfs()
    m.linear(4)
    getattr(m, how)()
    check(m, tmp_path, [1, 5, 6])


def test_bn_after_gemm(tmp_path):
    m = Maker([1, 6], 3)
    m.gemm(8)
    m.bn()
    m.qcfs()
    m.gemm(3)
    m.bn()
    check(m, tmp_path, [1, 6])


@pytest.mark.parametrize("how", ["bn_tokens", "bn_flat"])
def test_bn_before_linear(how, tmp_path):
    m = Maker([1, 5, 6], 4)
    m.linear(6)
    m.qcfs()
    getattr(m, how)()
    m.linear(7)
    check(m, tmp_path, [1, 5, 6])


@pytest.mark.parametrize("pad,kept", [(0, 0), (1, 1)])
@pytest.mark.parametrize("group", [1, 2, 6])
def test_bn_before_conv(pad, kept, group, tmp_path):
    """With padding the offset would leak in at the border: the BatchNorm stays."""
    m = Maker(IMAGE, 5)
    m.conv(6)
    m.qcfs()
    m.bn()
    m.conv(12, pad=pad, group=group)
    m.qcfs()
    m.flatten()
    check(m, tmp_path, IMAGE, bn_kept=kept)


def test_bn_on_a_residual_stream(tmp_path):
    m = Maker([1, 5, 6], 6)
    m.linear(6)
    m.qcfs(8, 1.5)
    shortcut = m.y
    m.linear(6)
    m.qcfs(8, 2.5)
    m.add(shortcut)
    m.bn_tokens()
    m.qcfs()
    m.linear(4)
    graph = check(m, tmp_path, [1, 5, 6])[1]
    assert gains(graph) == [False, False, True]


def test_bn_shared_by_a_shortcut_stays(tmp_path):
    m = Maker([1, 5, 6], 7)
    m.linear(6)
    m.qcfs()
    first = m.y
    m.linear(6)
    m.qcfs()
    m.add(first)
    m.bn_tokens()
    shortcut = m.y
    m.qcfs()
    m.linear(6)
    m.add(shortcut)
    m.qcfs()
    check(m, tmp_path, [1, 5, 6], bn_kept=1)


def test_bn_read_by_neuron_and_linear(tmp_path):
    """Two readers that both take it: nothing stays."""
    m = Maker([1, 5, 6], 8)
    m.linear(6)
    m.qcfs()
    first = m.y
    m.linear(6)
    m.qcfs()
    m.add(first)
    m.bn_tokens()
    branch = m.y
    m.qcfs()
    m.linear(4)
    left = m.y
    m.y, m.shape = branch, [1, 5, 6]
    m.linear(4)
    m.add(left)
    check(m, tmp_path, [1, 5, 6])


@pytest.mark.parametrize("twice", ["bn_bn", "bn_scale", "scale_bn", "bn_bn_bn"])
@pytest.mark.parametrize("where", ["after_conv", "on_sum"])
def test_two_in_a_row(twice, where, tmp_path):
    m = Maker(IMAGE, 9)
    m.conv(4)
    if where == "on_sum":
        m.qcfs()
        first = m.y
        m.conv(4)
        m.qcfs()
        m.add(first)
    for part in twice.split("_"):
        if part == "bn":
            m.bn()
        else:
            m.y = m.n.op("Mul", m.y, m.n.const(0.7))
    m.qcfs()
    m.flatten()
    check(m, tmp_path, IMAGE)


@pytest.mark.parametrize("order", ["bn_pool", "pool_bn"])
@pytest.mark.parametrize("spiking", [False, True])
@pytest.mark.parametrize("pool", [{}, {"pads": [1] * 4}, {"count_include_pad": 1}, {"pads": [1] * 4, "count_include_pad": 1},
                                  {"ceil_mode": 1}])
def test_bn_and_pooling(order, spiking, pool, tmp_path):
    m = Maker([1, 3, 9, 9], 10)
    m.conv(4)
    if spiking:
        m.qcfs()
    for part in order.split("_"):
        m.bn() if part == "bn" else m.pool(**pool)
    m.qcfs()
    m.flatten()
    m.gemm(3)
    padded = "pads" in pool and "count_include_pad" in pool
    check(m, tmp_path, [1, 3, 9, 9], bn_kept=int(padded and order == "bn_pool" and spiking))


@pytest.mark.parametrize("kind", ["global", "reduce", "reduce_keep", "mean_tokens"])
def test_bn_and_global_means(kind, tmp_path):
    m = Maker(IMAGE, 11)
    m.conv(4)
    m.qcfs()
    if kind == "mean_tokens":
        m.tokens()
        m.bn_tokens()
        m.y = m.n.op("ReduceMean", m.y, axes=[1], keepdims=0)
        m.shape = [1, 4]
    else:
        m.bn()
        if kind == "global":
            m.y = m.n.op("GlobalAveragePool", m.y)
        else:
            m.y = m.n.op("ReduceMean", m.y, axes=[2, 3], keepdims=int(kind == "reduce_keep"))
        m.shape = [1, 4, 1, 1]
        m.flatten()
    m.gemm(5)
    check(m, tmp_path, IMAGE)


def test_bn_before_max_pool_with_negative_gain(tmp_path):
    m = Maker(IMAGE, 12)
    m.conv(4)
    m.qcfs()
    k = [[-1, 1, -2, 0.5], [0.1, 0.2, 0.3, 0.4], [0.0] * 4, [1.0] * 4]
    m.y = m.n.op("BatchNormalization", m.y, *[m.n.const(v) for v in k])
    m.pool("MaxPool")
    m.flatten()
    m.gemm(3)
    check(m, tmp_path, IMAGE, bn_kept=1, non_spiking=1)


@pytest.mark.parametrize("shape", [[1, 6], [1, 6, 5], [1, 6, 5, 4]])
def test_bn_first_and_last(shape, tmp_path):
    m = Maker(shape, 13)
    m.bn()
    m.qcfs()
    m.bn()
    check(m, tmp_path, shape, bn_kept=1)


def test_scales_around_products(tmp_path):
    """alpha from scalars before, between and behind the factors."""
    m = Maker([1, 2, 5, 4], 14)
    n = m.n
    m.linear(4)
    m.qcfs()
    q = n.op("Mul", m.y, n.const(0.5))
    k = n.op("Transpose", n.op("Div", m.y, n.const(3.0)), perm=[0, 1, 3, 2])
    a = n.op("Mul", n.op("MatMul", q, k), n.const(np.float32(1 / np.sqrt(4))))
    m.y = n.op("Add", a, m.weights(1, 2, 5, 5))
    m.qcfs()
    m.y = n.op("MatMul", m.y, q)
    m.qcfs()
    check(m, tmp_path, [1, 2, 5, 4])


# ---- random stacks ----

def random_stack(seed):
    rng = np.random.default_rng(1000 + seed)
    m = Maker([1, 3, 8, 8], seed, int(rng.choice([13, 17, 20])), dynamic=bool(rng.integers(2)))
    for _ in range(rng.integers(2, 5)):
        groups = [g for g in (1, 2, 3, 4) if m.shape[1] % g == 0]
        g = int(rng.choice(groups))
        k = int(rng.choice([1, 3]))
        m.conv(g * int(rng.integers(1, 4)), k, int(rng.choice([0, k // 2])) if m.shape[2] > 3 else k // 2, 1, g)
        for step in rng.choice(["bn", "bn", "qcfs", "qcfs", "pool", "residual", "scale", "relu"], rng.integers(1, 5)):
            if step == "bn":
                m.bn()
            elif step == "qcfs":
                m.qcfs(int(rng.choice([4, 8, 16])), float(rng.uniform(0.5, 3)))
            elif step == "pool" and m.shape[2] >= 4:
                m.pool(str(rng.choice(["AveragePool", "AveragePool", "MaxPool"])))
            elif step == "residual":
                other = m.y
                m.conv(m.shape[1], 3, 1)
                if rng.integers(2):
                    m.qcfs()
                m.add(other)
            elif step == "scale":
                m.y = m.n.op("Mul", m.y, m.n.const(rng.uniform(0.5, 2, (m.shape[1], 1, 1))))
            elif step == "relu":
                m.y = m.n.op("Relu", m.y)
    if rng.integers(2):
        m.tokens()
        for step in rng.choice(["linear", "bn_tokens", "bn_flat", "qcfs", "residual"], 5):
            if step == "linear":
                m.linear(int(rng.integers(2, 8)))
            elif step == "residual":
                other = m.y
                m.linear(m.shape[-1])
                m.qcfs()
                m.add(other)
            else:
                getattr(m, step)()
        m.y = m.n.op("ReduceMean", m.y, axes=[1], keepdims=0) if m.n.opset < 18 else \
            m.n.op("ReduceMean", m.y, m.n.const([1], dtype=np.int64), keepdims=0)
        m.shape = [1, m.shape[2]]
    else:
        m.flatten()
    m.gemm(5)
    return m.model()


@pytest.mark.parametrize("seed", range(60))
def test_random_stack(seed, tmp_path):
    model = random_stack(seed)
    x = away_from_ties(model, IMAGE, tmp_path, seed)
    expected = runtime(model, x)
    assert error(float_run(model, tmp_path, x), expected) <= 1e-4
    if seed % 10 == 0:
        for name in passes():
            assert error(float_run(model, tmp_path, x, "--stop-after", name), expected) <= 1e-4, name


def passes():
    text = tool("mstconv", FIXTURES / "swin-ts.onnx", "--stop-after", "x", code=None).stderr
    return text.split("expected one of ")[1].split(", found")[0].split(", ")


# ---- the fixtures ----

FAMILIES = {"swin": ["swin-ts", "swin-tsdyn", "swin-dynamo"], "swin_pub": ["swin_pub-ts", "swin_pub-tsdyn", "swin_pub-dynamo"],
            "resnet18": ["resnet18-ts", "resnet18-tsdyn", "resnet18-dynamo"],
            "vgg16": ["vgg16-ts", "vgg16-tsdyn", "vgg16-dynamo"], "swin_pub_bn": ["swin_pub_bn-tsdyn"],
            "ext-data": ["ext-data"], "local-functions": ["local-functions"], "swin-functions": ["swin-functions"]}
FILES = [(family, name) for family, names in FAMILIES.items() for name in names]


@pytest.mark.parametrize("family,name", FILES, ids=[n for _, n in FILES])
def test_fixture_logits(family, name, tmp_path):
    data = np.load(FIXTURES / (family + ".npz"))
    for x in data["x"][:4]:
        x = x[None].astype(np.float32)
        assert_same(FIXTURES / (name + ".onnx"), tmp_path, x)


@pytest.mark.parametrize("family", [f for f, names in FAMILIES.items() if len(names) > 1])
def test_exporters_give_the_same_layers(family, tmp_path):
    reports = [convert(FIXTURES / (name + ".onnx"), tmp_path)[0] for name in FAMILIES[family]]
    first = layers(reports[0])
    for report in reports[1:]:
        other = layers(report)
        assert len(other) == len(first)
        key = lambda row: (row["stage"], row["block"], row["site"], row["theta_min"])  # noqa: E731
        for a, b in zip(sorted(map(dict, first), key=key), sorted(other, key=key)):
            for field in ("theta_min", "theta_max"):
                assert abs(a.pop(field) / b.pop(field) - 1) < 1e-6
            assert a == b
        for field in ("parameters", "attention", "spiking_layers", "non_spiking_nodes", "bn_kept", "masks"):
            assert report[field] == reports[0][field], field


@pytest.mark.parametrize("name", ["swin-dynamo", "swin_pub-tsdyn", "swin_pub_bn-tsdyn", "resnet18-dynamo", "vgg16-ts"])
def test_every_stop_after_gives_a_runnable_file(name, tmp_path):
    family = [f for f, n in FILES if n == name][0]
    x = np.load(FIXTURES / (family + ".npz"))["x"][:1].astype(np.float32)
    expected = runtime(FIXTURES / (name + ".onnx"), x)
    for stop in passes():
        got = float_run(FIXTURES / (name + ".onnx"), tmp_path, x, "--stop-after", stop)
        assert error(got, expected) <= 1e-4, stop


def test_dump_dir(tmp_path):
    tool("mstconv", FIXTURES / "vgg16-ts.onnx", "--dry-run", "--quiet", "--dump-dir", tmp_path / "d")
    found = sorted(p.name for p in (tmp_path / "d").iterdir())
    assert found == sorted("%02d-%s.%s" % (i, name, ext) for i, name in enumerate(passes())
                           if name != "relu" for ext in ("txt", "dot"))  # which --calibrate runs
    for path in (tmp_path / "d").iterdir():
        text = path.read_text()
        assert "digraph" in text if path.suffix == ".dot" else "conv" in text


@pytest.mark.parametrize("pads,strides", [([3, 3, 3, 3], [2, 2]), ([0, 0, 4, 5], [1, 2]), ([4, 0, 0, 3], [3, 1])])
def test_padding_wider_than_the_kernel(pads, strides, tmp_path):
    rng = np.random.default_rng(5)
    n = Net([1, 2, 9, 8])
    y = n.op("Conv", n.x, n.const(rng.normal(size=(3, 2, 3, 3))), n.const(rng.normal(size=3)), pads=pads, strides=strides)
    assert_same(n.model(n.op("Flatten", y)), tmp_path, rng.normal(size=(1, 2, 9, 8)).astype("f4"))
