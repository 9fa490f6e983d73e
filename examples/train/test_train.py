"""Tests of the training code on made-up data: python3 -m pytest examples/train"""
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import fused  # noqa: E402
import masks  # noqa: E402
from data import DataSet  # noqa: E402
from mst import layers, qcfs, zoo  # noqa: E402
from recipes import RECIPES  # noqa: E402

POLICIES = HERE.parent / "policies"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A CIFAR-10 folder of noise whose mean tells the class."""
    folder, draw = tmp_path_factory.mktemp("cifar"), np.random.default_rng(0)
    for name in ["data_batch_%d" % i for i in range(1, 6)] + ["test_batch"]:
        y = draw.integers(0, 10, 40).astype(np.uint8)
        x = (draw.integers(0, 60, (40, 3072)) + y[:, None] * 19).astype(np.uint8)
        (folder / (name + ".bin")).write_bytes(np.concatenate([y[:, None], x], 1).tobytes())
    return folder


def run(*arguments):
    return subprocess.run([sys.executable, "-W", "ignore", str(HERE / "train.py")] + [str(a) for a in arguments],
                          capture_output=True, text=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("theta", [0.37, 2.0, 7.3])
def test_fused_is_qcfs(dtype, theta):
    plain = qcfs.QCFSFunction
    if not fused.install():
        pytest.skip("no C compiler")
    quick, qcfs.QCFSFunction = qcfs.QCFSFunction, plain
    draw = torch.Generator().manual_seed(0)
    x = (torch.randn(7, 5, 331, generator=draw) * theta).to(dtype).transpose(0, 1)
    grad, found = torch.randn(5, 7, 331, generator=draw).to(dtype), []
    for function, inputs in ((plain, x.float()), (quick, x)):
        inputs = inputs.detach().clone().requires_grad_()
        scalar = torch.tensor(theta, requires_grad=True)
        a = function.apply(inputs, scalar, 16)
        a.backward(grad.to(a.dtype))
        found.append((a.detach().to(dtype), inputs.grad.to(dtype), float(scalar.grad)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert found[0][2] == pytest.approx(found[1][2], abs=1e-3 * len(x) * 331)


def test_policies_give_ratios():
    model = zoo.build(RECIPES["cifar10"]["swin"][0], **RECIPES["cifar10"]["swin"][1])
    for name, kinds, ratio in (("sa75", ("q", "k", "attn"), 0.75), ("mlp50", ("mlp_fc1",), 0.5)):
        masks.apply(masks.load(POLICIES / (name + ".yaml")), model)
        for module, _, kind, _, _ in masks.sites(model):
            assert module.ratio == (ratio if kind in kinds else 0.0)
    assert sorted({row[3] for row in masks.sites(model)}) == [0, 1, 2, 3]
    assert [row[4] for row in masks.sites(model)][::4] == [0, 0, 0, 1]


def test_overrides_and_errors():
    model = zoo.build("resnet18", width=2)
    rule = ("masks:\n  default: 0.25\n  overrides:\n    - {blocks: 1-2, ratio: 0.5}\n"
            "    - stage: 0\n      block: 4\n      sites: [conv]\n      ratio: 0.75\n")
    ratios = [row[2] for row in masks.ratios(masks.parse(rule), model)]
    assert ratios[:6] == [0.25, 0.5, 0.5, 0.25, 0.75, 0.25] and len(ratios) == 17
    for wrong in ("masks:\n  sites: {conv: 1.5}\n", "masks:\n  sites: {conf: 0.5}\n", "masks:\n  site: {conv: 0.5}\n"):
        with pytest.raises(ValueError):
            masks.ratios(masks.parse(wrong), model)


@pytest.mark.parametrize("steps", (1, 16, 64))
def test_masks_of_several_steps(steps):
    torch.manual_seed(1)
    kept = layers.SpikeMask(0.75, steps)(torch.ones(200000))
    assert 0 <= float(kept.min()) and float(kept.max()) <= 1
    assert float(kept.mean()) == pytest.approx(0.25, abs=0.005)
    assert float(kept.var()) == pytest.approx(0.25 * 0.75 / steps, rel=0.1)


def test_augmentation_is_its_seed(folder):
    data = DataSet("cifar10", folder, 20)
    x = data.train[0][:16]
    draws = [data.augment(x, torch.Generator().manual_seed(s), erase=8, strong=True)
             for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert draws[0].shape == x.shape and draws[0].dtype == torch.uint8


def test_resumed_run_is_the_unbroken_one(folder, tmp_path):
    common = ["train", "--data", folder, "--model", "vgg16", "--held", 40, "--batch", 32, "--lr", 1e-3]
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    assert run(*common, "--epochs", 2, "--out", whole).returncode == 0
    stopped = ("import sys, runpy; sys.path[:0] = [%r, %r]; import loop; save = loop.save_state\n"
               "def once(*a): save(*a); raise KeyboardInterrupt\n"
               "loop.save_state = once; runpy.run_path(%r, run_name='__main__')"
               % (str(HERE), str(HERE.parent), str(HERE / "train.py")))
    arguments = [str(a) for a in common + ["--epochs", 2, "--out", parts]]
    assert subprocess.run([sys.executable, "-c", stopped] + arguments, capture_output=True).returncode != 0
    again = run(*arguments)
    assert "going on after epoch 1 of 2" in again.stdout
    states = [torch.load(p)["state"] for p in (whole, parts)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("arguments, message", [
    (["--data", "missing"], "No such file"),
    (["--model", "lenet"], "no model lenet"),
    (["--policy", "missing.yaml"], "missing.yaml"),
])
def test_errors_are_one_line(folder, tmp_path, arguments, message):
    result = run("train", "--data", folder, "--held", 20, "--out", tmp_path / "x.pt", *arguments)
    assert result.returncode == 1 and message in result.stderr and len(result.stderr.splitlines()) == 1
