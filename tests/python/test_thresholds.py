"""mstconv --calibrate: ReLUs become neurons with thresholds from data. The judge is the rule of mst/thresholds.h written
again in NumPy, on activations of ONNX Runtime."""
import json

import numpy as np
import pytest

from built import lasting, tool
from support import Net, ort, runtime, saved
from oracle import snn_reader

SHAPE, SAMPLES, LEVELS = [1, 3, 8, 8], 300, 16


def network(bounds=(None, None, None), third=None, seed=3, spelling="clip"):
    """Two convolutions and a Linear with ReLUs, a residual sum, a max pool; bounds: of each ReLU, None: none; third:
    bias of the third channel."""
    draw, n, taken = np.random.default_rng(seed), Net(SHAPE), []

    def relu(x, bound, name):
        zero, top = n.const(np.float32(0)), None if bound is None else n.const(np.float32(bound))
        if bound is None:
            y = n.op("Relu", x, name=name)
        elif spelling == "clip":
            y = n.op("Clip", x, zero, top, name=name)
        elif spelling == "max, min":
            y = n.op("Min", n.op("Max", x, zero, name=name), top)
        elif spelling == "min, relu":
            y = n.op("Relu", n.op("Min", x, top, name=name))
        elif spelling == "relu, clip":
            y = n.op("Clip", n.op("Relu", x, name=name), zero, top)
        else:
            y = n.op("Min", n.op("Relu", x, name=name), top)
        taken.append(y)
        return y
    w = draw.normal(size=(6, 3, 3, 3)) * .4
    bias = draw.normal(size=6) * .2
    bias[2] = bias[2] if third is None else third
    y = relu(n.op("Conv", n.x, n.const(w), n.const(bias), pads=[1, 1, 1, 1], name="c1"), bounds[0], "r1")
    z = n.op("Conv", y, n.const(draw.normal(size=(6, 6, 3, 3)) * .2), pads=[1, 1, 1, 1], name="c2")
    z = relu(n.op("Add", z, y), bounds[1], "r2")
    z = n.op("Flatten", n.op("MaxPool", z, kernel_shape=[2, 2], strides=[2, 2]))
    z = relu(n.op("Gemm", z, n.const(draw.normal(size=(96, 12)) * .1), name="f1"), bounds[2], "r3")
    return n.model(n.op("Gemm", z, n.const(draw.normal(size=(12, 5)) * .3), name="f2")), taken


def images(folder, count=SAMPLES, seed=1):
    draw = np.random.default_rng(seed)
    x = (draw.normal(size=(count, 3, 8, 8)) * draw.uniform(.2, 2, size=(count, 1, 1, 1))).astype("f4")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", (np.arange(count) * 5 // count).astype("i8"))
    return x, "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")


def chosen(count, wanted, held=False):
    both = min(2 * wanted, count)
    at = [count * (2 * k + 1) // (2 * both) for k in range(both)]
    return at[1::2] if held else at[::2]


def activations(model, outputs, x):
    """Of each output: [samples, rows, channels]."""
    model = type(model).FromString(model.SerializeToString())
    for name in outputs:
        model.graph.output.add().name = name
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = [session.run(outputs, {"x": x[i:i + 1]}) for i in range(len(x))]
    return [np.concatenate([np.moveaxis(r[k], 1, -1).reshape(1, -1, r[k].shape[1]) for r in rows])
            for k in range(len(outputs))]


class Bins:
    def __init__(self, x):
        positive = x[x > 2.0 ** -100].astype("f8")
        self.total, self.positive = x.size, positive.size
        self.largest = positive.max() if positive.size else 0.0
        self.width = 2.0 ** np.frexp(self.largest)[1] / 2048
        number, self.count = np.unique(np.floor(positive / self.width), return_counts=True)
        self.at = (number + .5) * self.width

    def error(self, theta, levels):
        q = theta / levels * np.clip(np.floor(self.at * levels / theta + .5), 0, levels)
        return float(((self.at - q) ** 2 * self.count).sum())


def assert_theta(theta, bins, method, levels, lowest, bound):
    if method == "mse":
        grid = bins.largest * np.linspace(.04, 1, 80)
        near = grid[np.argmin(abs(grid - theta))]
        free = bins.largest * .04 > lowest * 1.01 and theta < bound * .99
        assert not free or abs(theta / near - 1) < 1e-5
        if free:
            assert bins.error(theta, levels) <= min(bins.error(t, levels) for t in grid) * (1 + 1e-4)
        return
    expected = bins.largest
    if method != "max":
        left = np.ceil(float(method[1:]) / 100 * bins.total) - (bins.total - bins.positive)
        upper = np.minimum(bins.at + bins.width / 2, bins.largest)
        expected = upper[np.searchsorted(np.cumsum(bins.count), left)] if left > 0 else bins.largest
    assert theta == pytest.approx(min(max(expected, lowest), bound), rel=1e-5)


def calibrated(folder, model, data, *args, code=0):
    """(JSON, graph, what was said on stderr)"""
    done = tool("mstconv", saved(model, folder), "-o", folder / "m.bin", "--quiet", "--report", "-", "--calibrate", data,
                *args, code=code)
    return json.loads(done.stdout), snn_reader.load(folder / "m.bin"), done.stderr


@pytest.mark.parametrize("method,grain,bounds,levels", [
    ("mse", "channel", (None, None, None), 16), ("mse", "layer", (None, None, None), 7),
    ("max", "channel", (None, None, None), 16), ("max", "layer", (None, 1.5, None), 31),
    ("p99.9", "layer", (None, None, None), 16), ("p90", "channel", (None, None, None), 255),
    ("mse", "channel", (.8, 2.0, None), 15)])
def test_thresholds_are_those_of_the_rule(tmp_path, method, grain, bounds, levels):
    model, outputs = network(bounds)
    x, data = images(tmp_path)
    report, graph, _ = calibrated(tmp_path, model, data, "-n", "100", "--theta", grain, "--theta-method", method,
                                  "--levels", levels)
    t = report["thresholds"]
    assert (t["levels"], t["method"], t["grain"], t["samples"]) == (levels, method, grain, 100)
    own = 0
    for row, a, bound in zip(t["layers"], activations(model, outputs, x[chosen(SAMPLES, 100)]), bounds):
        layer, channels = Bins(a), a.shape[2]
        few = 100 * a.shape[1] < 500
        by_channel = grain == "channel" and not few
        assert len(row["theta"]) == (channels if by_channel else 1)
        for c, theta in enumerate(row["theta"]):
            bins = Bins(a[:, :, c]) if by_channel else layer
            if by_channel and bins.positive < 500:
                bins = layer
            else:
                own += by_channel
            assert_theta(theta, bins, method, levels, 1e-3 * layer.largest, np.inf if bound is None else bound)
        assert row["positive_percent"] == pytest.approx(100 * (a > 0).mean(), rel=1e-6)
        if not by_channel:
            theta = row["theta"][0]
            q = theta / levels * np.clip(np.floor(a * levels / theta + .5), 0, levels)
            assert row["error_percent"] == pytest.approx(100 * np.sqrt(((a - q) ** 2).sum() / (a ** 2).sum()), rel=.05)
            assert row["saturated_percent"] == pytest.approx(100 * (a > theta).sum() / (a > 0).sum(), abs=1)
    assert own or grain == "layer"
    neurons = [n for n in graph.nodes if n.op == "neuron"]
    assert [n.name for n in neurons] == ["r1", "r2", "r3"] and {n.ip["LEVELS"] for n in neurons} == {levels}
    for n, row in zip(neurons, t["layers"]):
        assert graph.tensors[n.inputs[1]].data.ravel().tolist() == pytest.approx(row["theta"])


def as_qcfs(model, thresholds):
    """The same network with QCFS of the thresholds found in place of its ReLUs."""
    out = type(model).FromString(model.SerializeToString())
    extra = Net(SHAPE)
    extra.count = 1000
    for row in thresholds["layers"]:
        node = next(n for n in out.graph.node if n.name == row["name"])
        at, levels = list(out.graph.node).index(node), thresholds["levels"]
        theta = np.asarray(row["theta"], "f4")
        if len(theta) > 1:
            theta = theta.reshape(1, -1, *[1] * (2 if row["name"] != "r3" else 0))
        extra.nodes = []
        y = extra.op("Mul", extra.op("Div", node.input[0], extra.const(theta)), extra.const(levels))
        y = extra.op("Floor", extra.op("Add", y, extra.const(.5)))
        y = extra.op("Clip", extra.op("Div", y, extra.const(levels)), extra.const(0), extra.const(1))
        y = extra.op("Mul", y, extra.const(theta), name="q_" + row["name"])
        extra.nodes[-1].output[0] = node.output[0]
        del out.graph.node[at]
        for k, n in enumerate(extra.nodes):
            out.graph.node.insert(at + k, n)
    out.graph.initializer.extend(extra.initializers)
    return out


def test_it_is_the_quantized_network(tmp_path):
    """What comes out is the network that has QCFS of these thresholds: logits, classes, spikes."""
    model, _ = network()
    x, data = images(tmp_path)
    report = calibrated(tmp_path, model, data, "-n", "60")[0]
    held = report["thresholds"]["held_back"]
    other = tmp_path / "other"
    other.mkdir()
    quantized = as_qcfs(model, report["thresholds"])
    tool("mstconv", saved(quantized, other), "-o", other / "m.bin", "--quiet")
    for mode in ("ann", "count", "radix"):
        a, b = (json.loads(tool("mstrun", f / "m.bin", data, "--mode", mode, "--json", "-").stdout)
                for f in (tmp_path, other))
        for key in ("at", "spikes_per_sample", "sops_per_sample", "macs_per_sample"):
            assert a[key] == b[key], (mode, key)
    picked = x[chosen(SAMPLES, 60, held=True)]
    assert held["samples"] == len(picked) == 60
    plain, stairs = (np.array([runtime(m, picked[i:i + 1]) for i in range(60)]) for m in (model, quantized))
    assert held["agreement_percent"] == pytest.approx(100 * (plain.argmax(1) == stairs.argmax(1)).mean())
    log = [v - np.log(np.exp(v).sum(1, keepdims=True)) for v in (plain.astype("f8"), stairs.astype("f8"))]
    assert held["divergence_nats"] == pytest.approx((np.exp(log[0]) * (log[0] - log[1])).sum(1).mean(), rel=1e-3)
    assert (held["depth"], held["window_steps"]) == (3, 16) and held["spikes_per_sample"] > 0


def test_threads_and_order_change_nothing(tmp_path):
    model, _ = network()
    x, data = images(tmp_path)
    texts, files = [], []
    for threads in (1, 3):
        report, _, _ = calibrated(tmp_path, model, data, "--threads", threads)
        texts.append(lasting(report))
        files.append((tmp_path / "m.bin").read_bytes())
    assert texts[0] == texts[1] and files[0] == files[1]
    # every sample is measured: in another order they give the same thresholds
    np.save(tmp_path / "x.npy", x[:50])
    np.save(tmp_path / "y.npy", np.zeros(50, "i8"))
    doubled = np.repeat(x[:50], 2, axis=0)
    first = None
    for order in (np.arange(50), np.random.default_rng(0).permutation(50)):
        np.save(tmp_path / "x.npy", doubled.reshape(50, 2, 3, 8, 8)[order].reshape(100, 3, 8, 8))
        np.save(tmp_path / "y.npy", np.zeros(100, "i8"))
        report, _, _ = calibrated(tmp_path, model, data, "-n", "50")
        layers = report["thresholds"]["layers"]
        assert first is None or layers == first
        first = layers


def test_samples_are_spread(tmp_path):
    """A data set in the order of its classes shows all of them: what is bright only at its end is measured."""
    model, outputs = network()
    x, data = images(tmp_path)
    x[250:] *= 100
    np.save(tmp_path / "x.npy", x)
    report, _, _ = calibrated(tmp_path, model, data, "-n", "20", "--theta", "layer", "--theta-method", "max")
    a = activations(model, outputs, x[chosen(SAMPLES, 20)])
    for row, seen in zip(report["thresholds"]["layers"], a):
        assert row["theta"][0] == pytest.approx(seen.max(), rel=1e-5)
    assert report["thresholds"]["layers"][0]["theta"][0] > 20


def test_small_data_sets_are_halved(tmp_path):
    model, _ = network()
    _, data = images(tmp_path, count=31)
    t = calibrated(tmp_path, model, data)[0]["thresholds"]
    assert (t["samples"], t["held_back"]["samples"]) == (16, 15)
    _, data = images(tmp_path, count=1)
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--calibrate", data)
    assert "from 1 samples; not tried: no other samples" in done.stdout


@pytest.mark.parametrize("bias", [-1000, -10])
def test_channels_that_hardly_fire_take_the_layers_threshold(tmp_path, bias):
    model, outputs = network(third=bias)
    x, data = images(tmp_path)
    fires = (activations(model, outputs, x[chosen(SAMPLES, 128)])[0][:, :, 2] > 0).sum()
    assert (fires == 0) if bias == -1000 else (0 < fires < 500)
    row = calibrated(tmp_path, model, data)[0]["thresholds"]["layers"][0]
    layer = calibrated(tmp_path, model, data, "--theta", "layer")[0]["thresholds"]["layers"][0]
    assert row["by_layer"] == 1 and row["theta"][2] == pytest.approx(layer["theta"][0], rel=1e-6)
    assert len(set(row["theta"])) > 3


def test_bounds_without_data(tmp_path):
    model, _ = network((.8, 6.0, 2.5))
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--quiet", "--report", "-", "--theta-method",
                "bound", "--levels", "8")
    t = json.loads(done.stdout)["thresholds"]
    assert [row["theta"] for row in t["layers"]] == [[pytest.approx(.8)], [6.0], [2.5]]
    assert t["samples"] == 0 and t["held_back"] is None and all(row["bound"] for row in t["layers"])
    model, _ = network((.8, None, 2.5))
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "n.bin", "--theta-method", "bound", code=1)
    assert "'r2': a ReLU without an upper bound" in done.stderr and not (tmp_path / "n.bin").exists()


@pytest.mark.parametrize("spelling", ["relu, min", "relu, clip", "max, min", "min, relu"])
def test_bounds_in_two_nodes_are_bounds(tmp_path, spelling):
    """As trained bounds are exported (torch.min(relu(x), theta), clamp): the neurons of one Clip, and nothing beside them."""
    made = {}
    for how in ("clip", spelling):
        tool("mstconv", saved(network((.8, 6.0, 2.5), spelling=how)[0], tmp_path), "-o", tmp_path / "m.bin", "--quiet", "--report",
             tmp_path / "r.json", "--theta-method", "bound", "--levels", "8", "--force")
        graph, report = snn_reader.load(tmp_path / "m.bin"), json.loads((tmp_path / "r.json").read_text())
        made[how] = ([(n.op, n.name if n.op == "neuron" else "") for n in graph.nodes],
                     [row["theta"] for row in report["thresholds"]["layers"]], report["non_spiking_nodes"])
    assert made[spelling] == made["clip"] and made["clip"][1] == [[pytest.approx(.8)], [6.0], [2.5]]


def test_poor_agreement_is_warned_of(tmp_path):
    model, _ = network()
    _, data = images(tmp_path)
    report, _, said = calibrated(tmp_path, model, data, "--levels", "1")
    assert report["thresholds"]["held_back"]["agreement_percent"] < 95
    assert len(said.splitlines()) == 1 and "mstconv: warning: the network has the class of its ANN for" in said
    report, _, said = calibrated(tmp_path, model, data, "--levels", "255")
    assert report["thresholds"]["held_back"]["agreement_percent"] >= 95 and said == ""


def test_a_gate_stays_analog(tmp_path):
    n = Net(SHAPE)
    y = n.op("Conv", n.x, n.const(np.random.default_rng(0).normal(size=(4, 3, 3, 3))), name="c")
    gate = n.op("Mul", n.op("Clip", n.op("Add", y, n.const(3)), n.const(0), n.const(6), name="gate"), n.const(1 / 6))
    y = n.op("Relu", n.op("Mul", y, gate), name="r")
    y = n.op("Gemm", n.op("Flatten", y), n.const(np.random.default_rng(1).normal(size=(144, 5))))
    _, data = images(tmp_path)
    report, _, _ = calibrated(tmp_path, n.model(y), data)
    assert [row["name"] for row in report["thresholds"]["layers"]] == ["r"]
    assert [row["name"] for row in report["layers"]] == ["r"]


def test_sites_are_counted_over_both_kinds_of_neurons(tmp_path):
    model, _ = network()
    _, data = images(tmp_path)
    thresholds = calibrated(tmp_path, model, data)[0]["thresholds"]
    mixed = as_qcfs(model, dict(thresholds, layers=thresholds["layers"][1:]))  # the first is a ReLU still
    report = calibrated(tmp_path, mixed, data)[0]
    assert [len(report["thresholds"]["layers"]), *[(row["site"], row["block"]) for row in report["layers"]]] == \
        [1, ("conv", 0), ("conv", 1), ("other", -1)]


def test_mstcalib_compares_with_the_quantized_ann(tmp_path):
    model, _ = network()
    _, data = images(tmp_path)
    calibrated(tmp_path, model, data, "--weights", "int8")
    done = tool("mstcalib", saved(model, tmp_path), tmp_path / "m.bin", data, "--mode", "count", "-n", "40", "--json", "-")
    assert "3 ReLUs of the ANN are taken as the quantized activations" in done.stderr
    report = json.loads(done.stdout)
    assert len(report["layers"]) == 3 and report["layers"][0]["parts"]["weights"] > 0
    calibrated(tmp_path, model, data)
    exact = json.loads(tool("mstcalib", saved(model, tmp_path), tmp_path / "m.bin", data, "--mode", "count", "--json",
                            "-").stdout)
    assert [row["mae"] for row in exact["layers"]] == [0, 0, 0] and exact["at"][-1]["agreement_percent"] == 100


@pytest.mark.parametrize("args,says", [
    (["--theta", "layer"], "expected with --calibrate DATA"),
    (["--calibrate", "DATA", "--theta", "neuron"], "--theta: expected channel or layer, found 'neuron'"),
    (["--calibrate", "DATA", "--theta-method", "p0"], "--theta-method: expected mse, max, bound or a percentile"),
    (["--calibrate", "DATA", "--theta-method", "99"], "--theta-method: expected mse, max, bound or a percentile"),
    (["--calibrate", "DATA", "--theta-method", "bound"], "takes no --calibrate DATA"),
    (["--calibrate", "DATA", "-n", "0"], "-n")])
def test_usage(tmp_path, args, says):
    model, _ = network()
    _, data = images(tmp_path)
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", *[data if a == "DATA" else a for a in args],
                code=2)
    assert says in done.stderr and not (tmp_path / "m.bin").exists()


def test_what_cannot_be_calibrated(tmp_path):
    _, data = images(tmp_path)
    n = Net(SHAPE)
    plain = n.model(n.op("Gemm", n.op("Flatten", n.x), n.const(np.ones((192, 5)))))
    done = tool("mstconv", saved(plain, tmp_path), "-o", tmp_path / "m.bin", "--calibrate", data, code=1)
    assert "the model has no ReLU" in done.stderr
    model, _ = network()
    x = np.load(tmp_path / "x.npy")
    x[chosen(SAMPLES, 128)[5]] = 3e38
    np.save(tmp_path / "x.npy", x)
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--calibrate", data, code=1)
    assert "sample %d: the ANN's activations at node 'r1' are not finite" % chosen(SAMPLES, 128)[5] in done.stderr and not (tmp_path / "m.bin").exists()
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "m.bin", "--calibrate", "npy:/nowhere.npy", code=1)
    assert "/nowhere.npy" in done.stderr and not (tmp_path / "m.bin").exists()
