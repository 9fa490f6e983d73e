"""Frames presented one after another (--present steps): every spike count of both schedules
against the NumPy simulator on the frames that the tested reader gives; the ANN is the network
on the mean frame."""
import json
import subprocess

import numpy as np
import pytest

from support import BUILD, ROOT, Net, runtime, snn_reader, tool
from oracle import compare
from test_qcfs import qcfs

FILE = ROOT / "tests" / "fixtures" / "events" / "nmnist.bin"
FRAMES, SIDE, STEPS = 3, 12, 10


def network(channels=2, bias=(0, 0, 0, 0)):
    """Convolution, QCFS, convolution, QCFS, mean, linear."""
    rng = np.random.default_rng(5)
    n = Net([1, channels, SIDE, SIDE])
    x = n.op("Conv", n.x, n.const(rng.normal(size=(6, channels, 3, 3)) * 0.6), n.const(rng.normal(size=6) * 0.1),
             pads=[1, 1, 1, 1])
    x = qcfs(n, x, 1.3, 8)
    x = n.op("Conv", x, n.const(rng.normal(size=(5, 6, 3, 3)) * 0.4), n.const(rng.normal(size=5) * 0.1))
    x = qcfs(n, x, 0.9, 8)
    x = n.op("Flatten", n.op("GlobalAveragePool", x))
    return n.model(n.op("Gemm", x, n.const(rng.normal(size=(5, 4))), n.const(bias)))


@pytest.fixture
def made(tmp_path):
    """(folder, model.onnx, model.bin) of a model that is shown 3 frames of equal time, one in a step."""
    onnx, bin = tmp_path / "m.onnx", tmp_path / "m.bin"
    onnx.write_bytes(network().SerializeToString())
    tool("mstconv", onnx, "-o", bin, "--frames", FRAMES, "--split", "time", "--present", "steps", "--quiet")
    return tmp_path, onnx, bin


def frames(n=FRAMES):
    done = subprocess.run([str(BUILD / "tests" / "tools" / "eventkit"), "frames", "nmnist", str(FILE), str(n), "time",
                           str(SIDE), str(SIDE)], capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4").reshape(1, 2 * n, SIDE, SIDE)


def trace(folder, bin, data, *args):
    tool("mstrun", bin, data, "-T", STEPS, "--trace", folder / "t.csv", "--quiet", *args)
    return compare.read_trace(folder / "t.csv")


@pytest.mark.parametrize("schedule", ["step", "block"])
def test_recording_against_simulator(made, schedule):
    folder, _, bin = made
    x = frames()
    expected = compare.simulate(snn_reader.load(bin), x, [0], STEPS)
    assert sum(r[1] for r in expected.values()) > 100
    assert compare.report(expected, trace(folder, bin, FILE, "--schedule", schedule))
    np.save(folder / "x.npy", x)
    assert compare.report(expected, trace(folder, bin, "npy:%s" % (folder / "x.npy"), "--schedule", schedule))


def test_order_of_frames_matters_and_wraps(made):
    """Step t shows frame (t - 1) mod 3: turned by one frame, the first steps of the layers differ."""
    folder, _, bin = made
    x = frames()
    turned = np.roll(x, -2, 1)
    np.save(folder / "x.npy", turned)
    found = trace(folder, bin, "npy:%s" % (folder / "x.npy"))
    expected = compare.simulate(snn_reader.load(bin), x, [0], STEPS)
    assert compare.differences(expected, found)
    again = compare.simulate(snn_reader.load(bin), np.concatenate([turned[:, 0:6]], 1), [0], STEPS)
    assert compare.report(again, found)


def test_number_of_frames_can_be_overridden(made):
    folder, _, bin = made
    graph = snn_reader.load(bin)
    for n in (1, 5):
        graph.frames = n
        expected = compare.simulate(graph, frames(n), [0], STEPS)
        for schedule in ("step", "block"):
            assert compare.report(expected, trace(folder, bin, FILE, "--frames", n, "--schedule", schedule))


def test_threads_do_not_matter(made):
    folder, _, bin = made
    rng = np.random.default_rng(3)
    np.save(folder / "x.npy", rng.poisson(0.7, (7, 2 * FRAMES, SIDE, SIDE)).astype(np.float32))
    data = "npy:%s" % (folder / "x.npy")
    one = trace(folder, bin, data, "--threads", 1)
    assert len({k[0] for k in one}) == 7
    assert one == trace(folder, bin, data, "--threads", 3) == trace(folder, bin, data, "--latency", "--threads", 2)


def test_ann_sees_the_mean_frame(tmp_path):
    rng = np.random.default_rng(4)
    x = rng.poisson(rng.uniform(0, 2, (24, FRAMES, 2, 1, 1)), (24, FRAMES, 2, SIDE, SIDE)).astype(np.float32)
    mean = x.mean(1, dtype=np.float32)
    plain = np.array([runtime(network(), one[None]) for one in mean])
    model = network(bias=-plain.mean(0))
    classes = [int(np.argmax(runtime(model, one[None]))) for one in mean]
    first = [int(np.argmax(runtime(model, one[:1]))) for one in x]
    assert len(set(classes)) > 1 and classes != first
    onnx, bin = tmp_path / "m.onnx", tmp_path / "m.bin"
    onnx.write_bytes(model.SerializeToString())
    tool("mstconv", onnx, "-o", bin, "--frames", FRAMES, "--present", "steps", "--quiet")
    np.savez(tmp_path / "x.npz", x=x.reshape(24, 2 * FRAMES, SIDE, SIDE), y=np.array(classes, np.int64))
    report = json.loads(tool("mstcalib", onnx, bin, "npz:%s" % (tmp_path / "x.npz"), "-T", "6,96", "--json", "-",
                             "--quiet").stdout)
    assert report["ann_top1_percent"] == 100
    assert report["at"][-1]["logit_rel_l2"] < report["at"][0]["logit_rel_l2"] / 3


def test_each_frame_has_the_models_norm(made):
    folder, _, bin = made
    args = ("--mean", "0.25,0.5", "--std", "2,4")
    x = (frames().reshape(1, FRAMES, 2, SIDE, SIDE) - np.float32([0.25, 0.5])[:, None, None]) / np.float32(
        [2, 4])[:, None, None]
    expected = compare.simulate(snn_reader.load(bin), x.reshape(1, -1, SIDE, SIDE), [0], STEPS)
    assert compare.report(expected, trace(folder, bin, FILE, *args))


def test_show_draws_every_frame(made):
    Image = pytest.importorskip("PIL.Image")
    folder, _, bin = made
    line = tool("mstrun", bin, "--show", FILE, 0, "-o", folder / "s.png").stdout
    assert ": 6x%dx%d" % (SIDE, SIDE) in line
    assert Image.open(folder / "s.png").size == (FRAMES * (SIDE + 1) - 1, SIDE)


def refused(bin, data, *args):
    done = tool("mstrun", bin, data, "-T", 1, *args, code=None)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_refusals(made):
    folder, _, bin = made
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "shown 3 frames one after another: expected event recordings, npy, npz, found image" in refused(
        bin, "image:%s" % (folder / "a.png"))
    np.save(folder / "x.npy", np.zeros((1, 2, SIDE, SIDE), np.float32))
    assert "(the model has 6, 12, 12), found (1, 2, 12, 12)" in refused(bin, "npy:%s" % (folder / "x.npy"))
    assert "expected a model with a number of frames" in refused(bin, FILE, "--frames", 0)
    six = folder / "six.onnx"
    six.write_bytes(network(6).SerializeToString())
    tool("mstconv", six, "-o", folder / "six.bin", "--frames", 3, "--present", "steps", "--quiet")
    assert "a frame presented in a step has 2 channels (polarities), the model's input has 6" in refused(
        folder / "six.bin", FILE)
    assert tool("mstrun", folder / "six.bin", FILE, "-T", 1, "--present", "channels").returncode == 0
