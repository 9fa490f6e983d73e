"""Images with their channels last, as tf2onnx, Keras and JAX export models: what becomes of them is what becomes of the
same network with channels first, and pictures, arrays and normalization go to the right places."""
import json

import numpy as np
import pytest

from built import tool
from support import Net, convert, error, refused, runtime, saved
from test_qcfs import qcfs

I64 = np.int64
FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
SIDE = 8


def weights(channels):
    rng = np.random.default_rng(6)
    return {"a": rng.normal(size=(6, channels, 3, 3)), "b": rng.normal(size=(6, 6, 3, 3)) / 4, "f": rng.normal(size=(6, 4)),
            "theta": rng.uniform(0.5, 2, 6), "bias": rng.normal(size=6)}


def head(n, y, axes, w):
    return n.model(n.op("MatMul", n.op("ReduceMean", y, axes=axes, keepdims=0), n.const(w["f"])))


def channels_first(channels, before=None):
    """The network as PyTorch has it."""
    w, n = weights(channels), Net([1, channels, SIDE, SIDE], 13)
    x = before(n, n.x, (channels, 1, 1)) if before else n.x
    y = qcfs(n, n.op("Conv", x, n.const(w["a"]), n.const(w["bias"]), pads=[1] * 4), w["theta"].reshape(6, 1, 1), 8)
    z = qcfs(n, n.op("Conv", y, n.const(w["b"]), pads=[1] * 4), 0.7, 4)
    return head(n, n.op("Add", y, z), [2, 3], w)


def one_transpose(channels, before=None, enter=None):
    """tf2onnx, once its optimizer has pushed the transposes up."""
    w, n = weights(channels), Net(["batch", SIDE, SIDE, channels], 13)
    x = before(n, n.x, (1, 1, 1, channels)) if before else n.x
    x = enter(n, x) if enter else n.op("Transpose", x, perm=FIRST)
    y = qcfs(n, n.op("Conv", x, n.const(w["a"]), n.const(w["bias"]), pads=[1] * 4), w["theta"].reshape(6, 1, 1), 8)
    z = qcfs(n, n.op("Conv", y, n.const(w["b"]), pads=[1] * 4), 0.7, 4)
    return head(n, n.op("Add", y, z), [2, 3], w)


def sandwiches(channels, before=None):
    """Keras and JAX without that: each convolution between two transposes, all else with channels last."""
    w, n = weights(channels), Net([1, SIDE, SIDE, channels], 13)

    def conv(x, *more):
        y = n.op("Conv", n.op("Transpose", x, perm=FIRST), *more, pads=[1] * 4)
        return n.op("Transpose", y, perm=LAST)

    x = before(n, n.x, (channels,)) if before else n.x
    y = qcfs(n, n.op("Add", conv(x, n.const(w["a"])), n.const(w["bias"])), w["theta"], 8)
    z = qcfs(n, conv(y, n.const(w["b"])), 0.7, 4)
    return head(n, n.op("Add", y, z), [1, 2], w)


def normalize(n, x, shape):
    """x/127.5 - 1, by channel, as Keras' preprocessing layers put it into the model."""
    channels = max(shape)
    scale = np.linspace(0.8, 1.2, channels).reshape(shape)
    return n.op("Sub", n.op("Mul", x, n.const(scale)), n.const(np.linspace(-0.2, 0.3, channels).reshape(shape)))


def plain(graph):
    """What is computed, without names."""
    return [(node.op, node.ip, node.fp, [None if k is None else graph.tensors[k].data if graph.tensors[k].data is not None
                                         else graph.tensors[k].shape for k in node.inputs]) for node in graph.nodes]


def assert_same_graph(a, b):
    assert len(a.nodes) == len(b.nodes), "%s\n%s" % ([n.op for n in a.nodes], [n.op for n in b.nodes])
    for (op, ip, fp, inputs), (op2, ip2, fp2, inputs2) in zip(plain(a), plain(b)):
        assert (op, ip, fp) == (op2, ip2, fp2)
        for k, k2 in zip(inputs, inputs2):
            np.testing.assert_allclose(k, k2, rtol=1e-6)


SPELLINGS = {"one transpose": one_transpose, "sandwiches": sandwiches}


@pytest.mark.parametrize("before", [None, normalize], ids=["plain", "normalized"])
@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_channels_last_is_found(spelling, before, tmp_path):
    report, graph = convert(SPELLINGS[spelling](3, before), tmp_path)
    other, expected = convert(channels_first(3, before), tmp_path)
    assert graph.channels_last and not expected.channels_last
    assert graph.tensors[graph.input].shape == (1, 3, SIDE, SIDE)
    assert_same_graph(graph, expected)
    assert report["non_spiking_nodes"] == 0 and report["bn_kept"] == other["bn_kept"]


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_what_reads_the_input_tells_it_without_a_word(spelling, tmp_path):
    """Five channels: the shape says nothing."""
    path = saved(SPELLINGS[spelling](5, normalize), tmp_path)
    done = tool("mstconv", path, "-o", tmp_path / "m.bin", "--quiet")
    assert not done.stderr
    info = json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json", "-").stdout)
    assert info["input"] == [5, SIDE, SIDE] and info["input_layout"] == "nhwc"


def test_one_channel_by_a_reshape(tmp_path):
    """tf2onnx writes the transpose of [N,H,W,1] as a reshape."""
    def enter(n, x):
        return n.op("Reshape", x, n.const([-1, 1, SIDE, SIDE], dtype=I64))
    _, graph = convert(one_transpose(1, enter=enter), tmp_path)
    _, expected = convert(channels_first(1), tmp_path)
    assert graph.channels_last
    assert_same_graph(graph, expected)


def flattened(shape, opset=13):
    """An MLP: nothing but the shape tells the layout."""
    rng, n = np.random.default_rng(2), Net([1] + shape, opset)
    y = qcfs(n, n.op("MatMul", n.op("Flatten", n.x), n.const(rng.normal(size=(int(np.prod(shape)), 8)))), 1.0, 8)
    return n.model(n.op("MatMul", y, n.const(rng.normal(size=(8, 4)))))


def float_output(folder, x):
    """The output of folder/model.bin in float mode for x [1,C,H,W]."""
    np.ascontiguousarray(x, "f4").tofile(folder / "x.f32")
    tool("tests/tools/snnkit", "run", folder / "model.bin", folder / "x.f32", 0, 1, folder / "trace.bin", "float")
    raw, at, last = np.fromfile(folder / "trace.bin", "<u4"), 0, None
    while at < len(raw):
        count = raw[at + 2]
        last = raw[at + 3:at + 3 + count].view("<f4") if raw[at] != 0xFFFFFFFF else last
        at += 3 + count
    return last


def test_the_shape_tells_it_with_a_warning(tmp_path):
    model = flattened([SIDE, SIDE, 3])
    done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "model.bin", "--quiet")
    assert "channels last" in done.stderr and "--input-layout nchw" in done.stderr
    x = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype("f4")
    assert error(float_output(tmp_path, x.transpose(FIRST)), runtime(model, x)) < 2e-6
    for layout, shape in (("nchw", (1, SIDE, SIDE, 3)), ("nhwc", (1, 3, SIDE, SIDE))):
        _, graph = convert(model, tmp_path, "--input-layout", layout)
        assert graph.tensors[graph.input].shape == shape and graph.channels_last == (layout == "nhwc")


@pytest.mark.parametrize("said, options, last", [("nhwc", (), True), ("nchw", (), False), ("nhwc", ("--input-layout", "nchw"), False)])
def test_the_metadata_tell_it(said, options, last, tmp_path):
    """Whatever the shape says, unless the command line does, and without a warning."""
    for shape in ([SIDE, SIDE, 2], [SIDE, SIDE, 3]):
        model = flattened(shape)
        model.metadata_props.add(key="mst.layout", value=said)
        done = tool("mstconv", saved(model, tmp_path), "-o", tmp_path / "model.bin", "--report", tmp_path / "r.json", "--force", *options)
        info = json.loads(tool("mstrun", "--info", tmp_path / "model.bin", "--json", "-").stdout)
        assert info["input_layout"] == ("nhwc" if last else "nchw") and info["input"] == ([shape[2], SIDE, SIDE] if last else shape)
        assert json.loads((tmp_path / "r.json").read_text())["metadata"] == ("" if options else "layout") and not done.stderr


def test_what_nothing_tells_is_channels_first(tmp_path):
    model = flattened([SIDE, SIDE, 2])
    _, graph = convert(model, tmp_path)
    assert graph.tensors[graph.input].shape == (1, SIDE, SIDE, 2) and not graph.channels_last
    _, graph = convert(model, tmp_path, "--input-layout", "nhwc")
    assert graph.tensors[graph.input].shape == (1, 2, SIDE, SIDE) and graph.channels_last


def test_wrong_layouts(tmp_path):
    done = tool("mstconv", saved(flattened([4, 4, 3]), tmp_path), "-o", tmp_path / "m.bin", "--input-layout", "hwc", code=2)
    assert "--input-layout: expected one of auto, nchw, nhwc, found 'hwc'" in done.stderr
    assert "input-shape" in refused(one_transpose(3), tmp_path, "--input-shape", "3x8x8")  # the model's order is 8x8x3


def results(folder, data, *args):
    done = tool("mstrun", folder / "model.bin", data, "-T", 8, "--json", "-", "--quiet", *args)
    found = json.loads(done.stdout)
    return [found["at"], [(row["spikes_per_sample"], row["input_ops_per_sample"]) for row in found["layers"]]]


def test_pictures_and_arrays(tmp_path):
    """The same pictures as files, bytes and floats in either order give the same spikes, under one mean and std."""
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.arange(6) % 4
    for k, name in enumerate("abcd"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in np.flatnonzero(labels == k):
            image.fromarray(pixels[i]).save(tmp_path / "pictures" / name / ("%d.png" % i))
    order = np.argsort(labels, kind="stable")
    pixels, labels = pixels[order], labels[order]
    norm = ["--mean", ".4,.5,.6", "--std", ".2,.3,.4"]
    mean, std = (np.array(v.split(","), "f4") for v in norm[1::2])
    reals = (pixels / np.float32(255) - mean) / std
    arrays = {"hwc-bytes": pixels, "chw-bytes": pixels.transpose(FIRST), "hwc": reals.astype("f4"),
              "chw": reals.astype("f4").transpose(FIRST)}
    for name, x in arrays.items():
        np.savez(tmp_path / (name + ".npz"), x=np.ascontiguousarray(x), y=labels)
    convert(channels_first(3), tmp_path, *norm)
    expected = results(tmp_path, "image:%s" % (tmp_path / "pictures"))
    assert expected[1][1][0] > 0
    for spelling in SPELLINGS.values():
        convert(spelling(3), tmp_path, *norm)
        assert results(tmp_path, "image:%s" % (tmp_path / "pictures")) == expected
        for name in arrays:
            assert results(tmp_path, "npz:%s" % (tmp_path / (name + ".npz"))) == expected, name
    convert(channels_first(3), tmp_path)
    done = tool("mstrun", tmp_path / "model.bin", "npz:%s" % (tmp_path / "hwc.npz"), code=1)
    assert "expected (n, C, H, W)" in done.stderr


def test_the_layout_is_shown_and_kept(tmp_path):
    path = saved(one_transpose(3), tmp_path)
    convert(path, tmp_path)
    assert "channels last (NHWC)" in tool("mstrun", "--info", tmp_path / "model.bin").stdout
    info = json.loads(tool("mstrun", "--info", tmp_path / "model.bin", "--json", "-").stdout)
    assert info["input"] == [3, SIDE, SIDE] and info["input_layout"] == "nhwc"
    x = np.random.default_rng(5).normal(size=(20, SIDE, SIDE, 3)).astype("f4")
    np.savez(tmp_path / "x.npz", x=x, y=np.zeros(20, I64))
    out = tool("mstcalib", path, tmp_path / "model.bin", "npz:%s" % (tmp_path / "x.npz"), "--mode", "count", "--json", "-",
               "--quiet")
    assert json.loads(out.stdout)["samples"] == 20


def test_thresholds_from_channels_last_data(tmp_path):
    rng, n = np.random.default_rng(8), Net([1, SIDE, SIDE, 3], 13)
    y = n.op("Transpose", n.op("Conv", n.op("Transpose", n.x, perm=FIRST), n.const(rng.normal(size=(6, 3, 3, 3)))), perm=LAST)
    y = n.op("ReduceMean", n.op("Relu", y), axes=[1, 2], keepdims=0)
    model = n.model(n.op("MatMul", y, n.const(rng.normal(size=(6, 3)))))
    x = rng.normal(size=(64, SIDE, SIDE, 3)).astype("f4")
    found = []
    for name, values in (("last", x), ("first", x.transpose(FIRST))):
        np.savez(tmp_path / (name + ".npz"), x=np.ascontiguousarray(values), y=np.zeros(64, I64))
        report, _ = convert(model, tmp_path, "--calibrate", "npz:%s" % (tmp_path / (name + ".npz")), "-n", "32")
        found.append([(row["theta_min"], row["theta_max"]) for row in report["layers"]])
    assert found[0] == found[1] and len(found[0]) == 1
