"""The Python package and PyTorch: modules are exported, converted, run and calibrated; mst.torch; the tutorial. Run by
`make train-check`, where there is PyTorch."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from built import BUILD, ROOT  # noqa: E402
from package import BUILT, mst  # noqa: E402
import mst.torch  # noqa: E402,F401

pytestmark = pytest.mark.skipif(not BUILT, reason="the libraries are not built")


def network():
    from mst.torch import QCFS
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 6, 3, 2), QCFS(8), torch.nn.Dropout(0.5), torch.nn.Flatten(),
                              torch.nn.Linear(6 * 9, 12), QCFS(8), torch.nn.Linear(12, 5))
    x = torch.rand(20, 2, 8, 8)
    mst.torch.calibrate.set_thetas(net, x)
    return net, x


def test_a_module_is_converted_as_it_is_in_evaluation():
    net, x = network()
    net.train()
    model = mst.convert(net, example=x[:1])
    assert net.training  # left as it was
    assert model.input_shape == (2, 8, 8) and model.classes == 5 and [layer.L for layer in model.layers] == [8, 8]
    thetas = [float(m.theta.detach()) for m in net if hasattr(m, "theta")]
    assert np.allclose([layer.theta[0] for layer in model.layers], thetas)
    with torch.no_grad():
        expected = net.eval()(x).numpy()
    for mode in ("count", "ann"):  # at a layer's own levels both are the ANN
        assert np.allclose(model.run(x, mode=mode).logits[:, -1], expected, atol=1e-4), mode
    steps = model.run(x.numpy(), T=256).logits[:, -1]
    assert abs(steps - expected).mean() < .2 * abs(expected).mean()


def test_a_module_is_calibrated():
    net, x = network()
    model = mst.convert(net, example=x[:1], mode="count")
    report = mst.calibrate(net, model, x.numpy(), example=x[:1])
    assert report.mode == "count" and report.samples == len(x) and max(layer.mae for layer in report.layers) < 1e-6


def test_modules_that_cannot_be_converted(tmp_path):
    with pytest.raises(mst.Error, match="example: expected an input of the module"):
        mst.convert(network()[0])
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    with pytest.raises(mst.Error):
        mst.convert(plain, tmp_path / "m.bin", example=torch.zeros(1, 1, 2, 2))
    assert os.listdir(tmp_path) == []


def test_models_need_no_library():
    """Who trains has not built anything: neither the package nor what it has for PyTorch loads a library before it is used."""
    code = ("import mst, mst.torch, torch; net = mst.torch.zoo.build('swin'); net(torch.zeros(1, 1, 28, 28)); "
            "from mst.torch import export, simulate; simulate.to_spiking(net); print(mst._lib._load.cache_info().currsize)")
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(ROOT / "nowhere"))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "0\n", done.stderr


def test_what_the_package_names_is_there():
    for name in mst.torch.__all__:
        assert getattr(mst.torch, name) is not None
    assert mst.torch.QCFS.__module__ == "mst.torch.qcfs"
    with pytest.raises(AttributeError):
        mst.torch.nothing


def test_the_tutorial(tmp_path):
    """In Python, then the commands that docs/PYTHON.md has for the same: they say the same."""
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(BUILD), OUT=str(tmp_path),
               PATH="%s:%s" % (BUILD.resolve(), os.environ["PATH"]))
    done = subprocess.run([sys.executable, ROOT / "python" / "tutorial.py", tmp_path], env=env, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    top1 = {line.split()[0]: float(line.split()[2]) for line in done.stdout.splitlines() if " top-1 " in line[:12]}
    assert set(top1) == {"step", "count", "radix", "ann"} and min(top1.values()) > 80, done.stdout
    assert top1["count"] == top1["ann"]
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    (tmp_path / "report.html").unlink()
    text = (ROOT / "docs" / "PYTHON.md").read_text()
    commands = text[text.index("    DIGITS=idx"):text.index("`mst.torch` has")].replace(" network.", " $OUT/network.").replace(
        "report.html", "$OUT/report.html").replace("mstrun ", "mstrun --force --json $OUT/run.json ")
    said = subprocess.run(["sh", "-e", "-c", commands], env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == 0, said.stderr
    assert json.loads((tmp_path / "run.json").read_text())["at"][-1]["top1_percent"] == pytest.approx(top1["count"], abs=.06)
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
