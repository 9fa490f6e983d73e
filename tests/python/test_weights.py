"""Weights as f16 and int8, from outside: sizes, reports, spikes in both schedules and in the simulator, the
conversion error's part."""
import json
import sys

import numpy as np
import onnx
import pytest

from built import ROOT, tool

sys.path.insert(0, str(ROOT / "tests"))
from oracle import compare, snn_reader  # noqa: E402

ONNX = ROOT / "tests" / "fixtures" / "onnx"
TYPES = {"f32": np.float32, "f16": np.float16, "int8": np.int8}
STEPS = 8


def convert(model, weights, folder):
    """(path, graph, report)"""
    out = folder / (weights + ".bin")
    done = tool("mstconv", model, "-o", out, "--weights", weights, "--quiet", "--report", "-")
    return out, snn_reader.load(out), json.loads(done.stdout)


def weights_of(graph):
    return [(n, graph.tensors[n.inputs[1]]) for n in graph.nodes if n.op in ("linear", "conv")]


@pytest.mark.parametrize("name", ["swin-ts", "resnet18-ts"])
def test_files_hold_what_the_report_says(name, tmp_path):
    made = {w: convert(ONNX / (name + ".onnx"), w, tmp_path) for w in TYPES}
    plain = weights_of(made["f32"][1])
    assert made["f32"][2]["weights"] == {"type": "f32", "count": 0, "bytes": 0, "layers": []}
    for kind in ("f16", "int8"):
        path, graph, report = made[kind]
        info = report["weights"]
        assert info["type"] == kind and report["parameters"] == made["f32"][2]["parameters"]
        assert info["count"] == sum(w.data.size for _, w in plain)
        assert len(info["layers"]) == len(plain)
        scales = 0
        for (node, w), (_, want), row in zip(weights_of(graph), plain, info["layers"]):
            assert w.dtype is TYPES[kind] and row["weights"] == w.data.size and row["name"] == node.name
            got = w.data.astype(np.float64)
            if kind == "int8":
                scale = graph.tensors[node.inputs[3]].data
                scales += scale.size
                got = got * scale
                largest = np.abs(want.data.astype(np.float64)).reshape(-1, scale.size).max(0)
                assert scale.tobytes() == np.where(largest > 0, largest / 127, 1).astype(np.float32).tobytes()
                rounded = np.rint(want.data / scale.astype(np.float64)).clip(-127, 127)
                assert w.data.tobytes() == rounded.astype(np.int8).tobytes()
            else:
                assert w.data.tobytes() == want.data.astype(np.float16).tobytes()
            error = np.linalg.norm(got - want.data) / np.linalg.norm(want.data)
            assert row["error"] == pytest.approx(error, rel=1e-3)
        assert info["bytes"] == info["count"] * TYPES[kind]().itemsize + 4 * scales
        assert path.stat().st_size == report["bytes"] < made["f32"][0].stat().st_size
        shown = json.loads(tool("mstrun", "--info", path, "--json", "-", "--quiet").stdout)
        assert shown["weights"] == kind and shown["parameters"] == report["parameters"]


@pytest.mark.parametrize("weights", ["f16", "int8"])
@pytest.mark.parametrize("name", ["swin-ts", "swin_pub_bn-ts", "resnet18-ts", "vgg16-ts"])
def test_every_spike_count(name, weights, tmp_path):
    """mstrun in both schedules and all sets against the simulator."""
    model = ONNX / (name + ".onnx")
    if not model.exists():
        model = ONNX / (name + "dyn.onnx")
    x = np.load(ONNX / (name.rsplit("-", 1)[0] + ".npz"))["x"][:2].astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    path, graph, _ = convert(model, weights, tmp_path)
    totals = {}
    expected = compare.simulate(graph, x, [0, 1], STEPS, totals=totals)
    for schedule, isa in (("block", None), ("step", None), ("block", "scalar"), ("step", "scalar"), ("block", "avx2")):
        trace = tmp_path / "t.csv"
        args = ["mstrun", path, "npy:%s" % (tmp_path / "x.npy"), "-T", STEPS, "--schedule", schedule, "--quiet"]
        if isa is not None:
            args += ["--isa", isa]
        if isa == "avx2" and tool(*args, "-n", 1, code=None).returncode != 0:
            continue
        done = tool(*args, "--trace", trace, "--json", "-")
        assert compare.report(expected, compare.read_trace(trace)), (schedule, isa)
        assert compare.same_work(totals, json.loads(done.stdout), 2), (schedule, isa)


@pytest.mark.parametrize("weights", list(TYPES))
def test_error_of_the_type_is_a_part(weights, tmp_path):
    z = np.load(ONNX / "swin.npz")
    np.save(tmp_path / "x.npy", z["x"])
    path, _, _ = convert(ONNX / "swin-ts.onnx", weights, tmp_path)
    done = tool("mstcalib", ONNX / "swin-ts.onnx", path, "npy:%s" % (tmp_path / "x.npy"), "-T", "4,16", "-n", 4,
                "--json", "-")
    report = json.loads(done.stdout)
    changed = [layer["parts"]["weights"] for layer in report["layers"]]
    for layer in report["layers"]:
        assert sum(layer["parts_bias"].values()) == pytest.approx(layer["bias"], abs=1e-6)
    assert (max(changed) > 0) == (weights != "f32")
    assert (report["stored_logit_rel_l2"] is not None) == (weights != "f32")
    assert ("with the stored weights" in done.stderr) == (weights != "f32")


def test_wrong_use(tmp_path):
    done = tool("mstconv", ONNX / "swin-ts.onnx", "-o", tmp_path / "o.bin", "--weights", "int4", code=2)
    assert "expected one of f32, f16, int8, found 'int4'" in done.stderr and not (tmp_path / "o.bin").exists()


def test_f16_names_the_node_that_does_not_fit(tmp_path):
    model = onnx.load(ONNX / "swin-ts.onnx")
    for init in model.graph.initializer:  # the head's matrix
        if init.name == model.graph.node[-1].input[1]:
            w = onnx.numpy_helper.to_array(init).copy()
            w.flat[0] = 1e6
            init.CopyFrom(onnx.numpy_helper.from_array(w, init.name))
    onnx.save(model, tmp_path / "m.onnx")
    done = tool("mstconv", tmp_path / "m.onnx", "-o", tmp_path / "o.bin", "--weights", "f16", code=1)
    assert "float16 ends at 65504" in done.stderr and "node '" in done.stderr
    tool("mstconv", tmp_path / "m.onnx", "-o", tmp_path / "o.bin", "--weights", "int8")
