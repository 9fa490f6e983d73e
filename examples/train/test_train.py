"""Tests of the training code on made-up data: make train-check, or python3 -m pytest examples/train"""
import argparse
import copy
import math
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

HERE = pathlib.Path(__file__).resolve().parent
PATHS = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "python")]
sys.path[:0] = PATHS
import bundled  # noqa: E402
import fused  # noqa: E402
import loop  # noqa: E402
import masks  # noqa: E402
from data import DataSet, add_options  # noqa: E402
from mst.data import events, files  # noqa: E402
from mst.torch import export, from_onnx, layers, qcfs, thinning, timesteps, zoo  # noqa: E402
from recipes import RECIPES  # noqa: E402

POLICIES = HERE.parent / "policies"
PLAIN, NOISE, LEVELS = qcfs.QCFSFunction, (qcfs.largest_sum, layers.thin), layers.thin_levels  # before fused ones


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A CIFAR-10 folder of noise whose mean tells the class."""
    folder, draw = tmp_path_factory.mktemp("cifar"), np.random.default_rng(0)
    for name in ["data_batch_%d" % i for i in range(1, 6)] + ["test_batch"]:
        y = draw.integers(0, 10, 40).astype(np.uint8)
        x = (draw.integers(0, 60, (40, 3072)) + y[:, None] * 19).astype(np.uint8)
        (folder / (name + ".bin")).write_bytes(np.concatenate([y[:, None], x], 1).tobytes())
    return folder


def run(*arguments, program="train.py"):
    return subprocess.run([sys.executable, "-W", "ignore", str(HERE / program)] + [str(a) for a in arguments],
                          capture_output=True, text=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("theta", [0.37, 2.0, 7.3])
def test_fused_is_qcfs(dtype, theta):
    plain = PLAIN
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    assert fused.install()
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_noise_is_the_noise(dtype):
    """Mean and deviation of values and gradients, of channels-last tensors with a variance for each neuron."""
    plain, found = NOISE, {}
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    assert fused.install()
    quick, (qcfs.largest_sum, layers.thin) = (qcfs.largest_sum, layers.thin), plain
    draw = torch.Generator().manual_seed(0)
    x = (torch.randn(256, 6, 20, 20, generator=draw) * 0.5).to(dtype).contiguous(memory_format=torch.channels_last)
    variance = torch.arange(6)[:, None, None] / 20 * torch.ones(6, 20, 20)
    torch.manual_seed(1)
    for way, (largest, thin) in enumerate((plain, quick)):
        for name, values, function in (("largest", x, lambda a: largest(a, variance)),
                                       ("thin", x.clamp(0, 1), lambda a: thin(a, 0.25, 0.25 * 0.75 / 16))):
            a = values.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            y = function(a)
            y.backward(torch.ones_like(y))
            assert y.dtype == dtype
            found[name, way] = [float(f) for t in (y.detach(), a.grad) for c in t.float().unbind(1)
                                for f in (c.mean(), c.std())]
    for name in ("largest", "thin"):
        assert found[name, 0] == pytest.approx(found[name, 1], abs=0.005)


def test_policies_give_ratios():
    model = zoo.build(RECIPES["cifar10"]["swin"][0], **RECIPES["cifar10"]["swin"][1])
    for name, kinds, ratio in (("sa75", ("q", "k", "attn"), 0.75), ("sa75-radix", ("q", "k", "attn"), 0.75),
                               ("mlp50", ("mlp_fc1",), 0.5)):
        masks.apply(masks.parse((POLICIES / (name + ".yaml")).read_text()), model)
        for module, _, kind, _, _ in masks.sites(model):
            assert module.ratio == (ratio if kind in kinds else 0.0)
    assert sorted({row[3] for row in masks.sites(model)}) == [0, 1, 2, 3]
    assert [row[4] for row in masks.sites(model)][::4] == [0, 0, 0, 1]


def test_sites_and_rules_are_those_of_mstconv():
    """Stages of CNNs begin where the image shrinks; the closest rule wins, wherever it stands; each must match."""
    for name, lengths in (("resnet18", (5, 4, 4, 4)), ("vgg16", (2, 2, 3, 3, 3))):
        rows = masks.sites(zoo.build(name, width=2))
        assert [row[3] for row in rows] == list(range(len(rows)))
        assert [row[4] for row in rows] == [stage for stage, n in enumerate(lengths) for _ in range(n)]
    model = zoo.build("resnet18", width=2)
    rule = ("version: 1\nmasks:\n  sites: {conv: 0.1}\n  overrides:\n    - {block: 6, ratio: 0.75}\n"
            "    - {stage: 1, ratio: 0.5}\n    - {blocks: 7-8, ratio: 0.2}\n    - {blocks: 8-9, ratio: 0.3}\n")
    ratios = [row[2] for row in masks.ratios(masks.parse(rule), model)]
    assert ratios == [0.1] * 5 + [0.5, 0.75, 0.2, 0.3, 0.3] + [0.1] * 7
    rule = ("masks:\n  overrides:\n    - {blocks: 1-2, sites: [q, k], ratio: 0.5}\n"
            "    - {stage: 0, sites: {q: 0.5, k: 0.1}}\n")
    assert masks.parse(rule)["masks"]["overrides"] == [
        {"blocks": "1-2", "sites": ["q", "k"], "ratio": 0.5}, {"stage": 0, "sites": {"q": 0.5, "k": 0.1}}]
    for wrong in ("mask:\n  default: 0.5\n", "masks:\n  sites: {q: 0.5}\n",
                  "masks:\n  overrides:\n    - {block: 17, ratio: 0.5}\n",
                  "masks:\n  overrides:\n    - {site: conv, ratio: 0.5}\n",
                  "masks:\n  overrides:\n    - {block: 1}\n"):
        with pytest.raises(ValueError):
            masks.ratios(masks.parse(wrong), model)


def test_overrides_and_errors():
    model = zoo.build("resnet18", width=2)
    rule = ("masks:\n  default: 0.25\n  overrides:\n    - {blocks: 1-2, ratio: 0.5}\n"
            "    - stage: 0\n      block: 4\n      sites: [conv]\n      ratio: 0.75\n")
    ratios = [row[2] for row in masks.ratios(masks.parse(rule), model)]
    assert ratios[:6] == [0.25, 0.5, 0.5, 0.25, 0.75, 0.25] and len(ratios) == 17
    for wrong in ("masks:\n  sites: {conv: 1.5}\n", "masks:\n  sites: {conf: 0.5}\n", "masks:\n  site: {conv: 0.5}\n"):
        with pytest.raises(ValueError):
            masks.ratios(masks.parse(wrong), model)


def test_masks_of_single_activations():
    torch.manual_seed(1)
    mask = layers.SpikeMask(0.75)
    kept = mask(torch.full((200000,), 3.0))
    assert set(kept.tolist()) == {0.0, 3.0}
    assert float(kept.mean()) == pytest.approx(0.25 * 3, abs=0.02)


def test_masks_of_a_run_thin_spikes():
    """Against binomial draws of 40 spikes of 64 steps."""
    model = torch.nn.Sequential(qcfs.QCFS(16, theta=2.0), layers.SpikeMask(0.75))
    timesteps.as_run(model, torch.ones(1, 4), 64)
    torch.manual_seed(1)
    kept = model[1](torch.full((100000,), 40 / 64 * 2.0))
    exact = torch.distributions.Binomial(40, torch.tensor(0.25)).sample((100000,)) / 64 * 2.0
    assert float(kept.mean()) == pytest.approx(float(exact.mean()), rel=0.01)
    assert float(kept.std()) == pytest.approx(float(exact.std()), rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("way", ["plain", "fused"])
@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.3])
def test_thinned_levels_are_binomial(way, dtype, ratio):
    """The distribution of each level of 16, and the gradient of the mean."""
    if way == "fused" and not fused.install():
        pytest.skip("no C compiler")
    thin, keep, draws = (layers.thin_levels if way == "fused" else LEVELS), 1 - ratio, 40000
    torch.manual_seed(1)
    n = torch.arange(17.0).repeat_interleave(draws)
    x = (n * (2.0 / 16)).to(dtype).requires_grad_()
    y = thin(x, keep, 2.0 / 16, 16)
    grad = torch.randn_like(x)
    y.backward(grad)
    assert y.dtype == dtype and torch.allclose(x.grad.float(), grad.float() * keep, rtol=0.01)
    kept = y.detach().float().reshape(17, draws) * 8
    assert torch.equal(kept, kept.round())
    for n, row in enumerate(kept):
        exact = [math.comb(n, k) * keep ** k * ratio ** (n - k) for k in range(n + 1)]
        found = torch.bincount(row.long(), minlength=n + 1) / draws
        assert len(found) == n + 1 and found.tolist() == pytest.approx(exact, abs=0.012)
        assert float(row.mean()) == pytest.approx(n * keep, abs=0.05)
        assert float(row.var()) == pytest.approx(n * keep * ratio, rel=0.05)


def test_masks_of_counts_thin_the_levels_of_their_activation():
    """Not a run of steps: L stays, neurons have no scatter of their own, and draws differ between calls."""
    model = torch.nn.Sequential(qcfs.QCFS(7, theta=1.4), layers.SpikeMask(0.5), qcfs.QCFS(15, theta=3.0),
                                layers.SpikeMask(0.75))
    thinning.as_counts(model, torch.ones(1, 4))
    assert [a.levels for _, a in qcfs.activations(model)] == [7, 15] and model[0].variance is None
    assert [model[i].source[0] for i in (1, 3)] == [model[0], model[2]]
    torch.manual_seed(1)
    draws = [model[1](torch.full((100000,), 5 * 1.4 / 7)) / (1.4 / 7) for _ in range(2)]
    assert float(draws[0].mean()) == pytest.approx(2.5, abs=0.02)
    assert float(draws[0].var()) == pytest.approx(1.25, abs=0.02)
    assert not torch.equal(*draws)


@pytest.mark.parametrize("x", (-0.5, 0.0, 0.3))
def test_neurons_of_a_run_keep_the_largest_sum(x):
    """Against random walks of 4,000 steps that end in x."""
    draw, steps, deviation = torch.Generator().manual_seed(1), 4000, 0.4
    walk = (torch.randn(4000, steps, generator=draw) * deviation / steps ** 0.5).cumsum(1)
    walk += torch.arange(1, steps + 1) / steps * (x - walk[:, -1:])
    exact = walk.amax(1).clamp(min=0)
    torch.manual_seed(1)
    found = qcfs.largest_sum(torch.full((100000,), x), torch.tensor(deviation ** 2))
    for share in (0.1, 0.5, 0.9):
        assert float(found.quantile(share)) == pytest.approx(float(exact.quantile(share)), abs=0.02)


def test_measured_variance_is_what_masks_make():
    """One linear layer: variance = sum of w^2 * ratio * (1 - ratio) * a * theta / T."""
    torch.manual_seed(1)
    linear = torch.nn.Linear(50, 3)
    model = torch.nn.Sequential(qcfs.QCFS(16, theta=1.0), layers.SpikeMask(0.5), linear, qcfs.QCFS(16))
    model[1].ratio = 0.5
    x = torch.full((20000, 50), 0.5)
    timesteps.as_run(model, x[:2], 64)
    timesteps.measure(model, x)
    expected = linear.weight.detach().square().sum(1) * 0.5 * 0.5 * 0.5 / 64
    assert torch.allclose(model[3].variance, expected, rtol=0.05)
    assert float(model[0].variance.max()) == 0


def test_theta_learns_from_scaled_gradients_in_half_precision():
    """Their sum is more than float16 holds."""
    if torch.__version__.startswith("1."):
        pytest.skip("no float16 on CPUs in PyTorch 1")
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(64, 50000, generator=draw).half()
    grad, found = (torch.randn(64, 50000, generator=draw) * 2048).half(), []
    for values in (x, x.float()):
        theta = torch.tensor(1.5, requires_grad=True)
        a = PLAIN.apply(values, theta, 16)
        a.backward(grad.to(a.dtype))
        found.append(float(theta.grad))
    assert abs(found[1]) > 2 ** 16 and found[0] == pytest.approx(found[1], rel=0.01)


def test_augmentation_is_its_seed(folder):
    data = DataSet("cifar10", folder, 20)
    x = data.train[0][:16]
    draws = [data.augment(x, torch.Generator().manual_seed(s), erase=8, strong=True)
             for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert draws[0].shape == x.shape and draws[0].dtype == torch.uint8


def defaults(*arguments):
    p = argparse.ArgumentParser()
    add_options(p)
    return p.parse_args(arguments)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """MNIST's training files with 30 digits of noise, and among them 10 of the bundled set."""
    folder, draw = tmp_path_factory.mktemp("mnist"), np.random.default_rng(0)
    images = draw.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    images[20:40:2] = bundled.digits()[0][:10]
    files.write_idx_gz(folder / "train-images-idx3-ubyte.gz", images)
    files.write_idx_gz(folder / "train-labels-idx1-ubyte.gz", np.arange(40, dtype=np.uint8) % 10)
    return folder


def test_no_digit_of_the_bundled_set_is_trained_on(digits):
    data = DataSet("digits", digits, 5)
    assert [len(part[0]) for part in (data.train, data.held)] == [25, 5]
    images = torch.cat([data.train[0], data.held[0]])[:, 0].numpy()
    assert bundled.others(images).all() and len(set(files.digests(images))) == 30
    assert not bundled.others(files.read_digits(digits, "train")[0]).all()
    assert [len(part) for part in DataSet("digits", bundled.FOLDER, 5).test()] == [2000, 2000]


def test_networks_for_recordings(digits, tmp_path):
    """Of real recordings and simulated ones of digits that are not bundled, to a file that takes 3 frames."""
    shutil.copytree(bundled.FOLDER / "event-digits", tmp_path / "Train")
    common = ["--dataset", "nmnist", "--data", tmp_path, "--held", 4, "--batch", 16, "--epochs", 1]
    out = tmp_path / "x.pt"
    result = run("train", *common, "--digits", digits, "--simulate", 50, "--repeat", 2, "--out", out)
    assert result.returncode == 0, result.stderr
    assert "event-swin, 67180 parameters, 62 training images, 4 held out" in result.stdout  # 30 simulated, 2 x 16 real
    result = run(out, "--dataset", "nmnist", "--accuracy", bundled.FOLDER / "event-digits", "--count", 5, "--spiking", 2,
                 program="export.py")
    assert result.returncode == 0 and "SNN at T = 2: accuracy" in result.stdout, result.stderr
    result = run("train", *common, "--frames", 2, "--present", "steps", "--out", tmp_path / "steps.pt")
    assert result.returncode == 0 and torch.load(tmp_path / "steps.pt")["options"]["channels"] == 2, result.stderr


def test_frames_one_after_another_are_seen_as_their_mean():
    path, _ = files.recordings(bundled.FOLDER / "event-digits")[0]
    frames = events.frames(files.read_bin(path), 3)
    for present, expected in (("channels", frames), ("steps", frames.reshape(3, 2, 34, 34).mean(0))):
        data = DataSet("nmnist", bundled.FOLDER / "event-digits", 1, defaults("--present", present))
        x, y = data.test()
        assert x.dtype == torch.int16 and len(x) == 20 and y.tolist() == [i // 2 for i in range(20)]
        assert torch.allclose(data.normalize(x[:1])[0], torch.from_numpy(expected))


def test_random_networks_are_exported(tmp_path):
    pytest.importorskip("onnx")
    out = tmp_path / "x.onnx"
    result = run("resnet18", "--set", "width=4", "levels=7", "--out", out, program="export.py")
    assert result.returncode == 0, result.stderr
    assert from_onnx.tables(out)[1]["if1"] == 7
    result = run("resnet18", "--set", "wide=4", "--out", out, program="export.py")
    assert result.returncode == 1 and "resnet18 of these options" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_halved_weights_are_those_of_the_network_rounded(tmp_path):
    onnx = pytest.importorskip("onnx")
    whole, half = tmp_path / "whole.onnx", tmp_path / "half.onnx"
    for out, more in ((whole, []), (half, ["--half"])):
        result = run("resnet18", "--set", "width=8", "--out", out, *more, program="export.py")
        assert result.returncode == 0, result.stderr
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    onnx.checker.check_model(onnx.load(half), full_check=True)
    a, b = from_onnx.tables(whole), from_onnx.tables(half)
    for x, y in zip(a, b):
        assert x.keys() == y.keys()
    for name, value in a[0].items():
        value = np.asarray(value)
        stored = value.astype(np.float16).astype(np.float32) if value.size >= 1000 else value
        assert np.array_equal(np.asarray(b[0][name]), stored), name


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_a_network_begins_under_other_masks(name):
    """By mean masks that keep half are a factor of one half: what is made up for gives the logits of before."""
    model = zoo.calibrate_random(zoo.build(name, width=4, levels=4096), 3, 32)
    x = zoo.random_images(64, 3, 32, torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = model.train()(x)  # with the batch's own BatchNorm statistics
        for module in model.modules():
            if isinstance(module, layers.SpikeMask):
                module.register_forward_hook(lambda module, inputs, output: output / 2)
        found = []
        for made_up in (False, True):
            if made_up:
                thinning.make_up(model, 0.5)
            found.append(float((model(x) - expected).std() / expected.std()))
    assert found[0] > 0.3 and found[1] < 0.1


def test_averaged_weights():
    """The first step moves the mean by nine tenths; in the end it is decay / (1 - decay) steps behind a ramp."""
    model = torch.nn.BatchNorm1d(1)
    average = copy.deepcopy(model)
    for step in range(1, 201):
        with torch.no_grad():
            model.weight.fill_(step + 10)
            model.num_batches_tracked += 1
        loop.follow(average, model, 0.75, step)
        if step == 1:
            assert float(average.weight) == pytest.approx(1 + 0.9 * 10)
    assert float(average.weight) == pytest.approx(210 - 3) and int(average.num_batches_tracked) == 200


@pytest.mark.parametrize("options", [[], ["--policy", POLICIES / "conv50.yaml", "--steps", 8],
                                     ["--policy", POLICIES / "conv50.yaml", "--thinning", "--average", 0.9]])
def test_resumed_run_is_the_unbroken_one(folder, tmp_path, options):
    common = ["train", "--data", folder, "--model", "vgg16", "--held", 40, "--batch", 32, "--lr", 1e-3, *options]
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    assert run(*common, "--epochs", 2, "--out", whole).returncode == 0
    stopped = ("import sys, runpy; sys.path[:0] = %r; import loop; save = loop.save_state\n"
               "def once(*a): save(*a); raise KeyboardInterrupt\n"
               "loop.save_state = once; runpy.run_path(%r, run_name='__main__')"
               % (PATHS, str(HERE / "train.py")))
    arguments = [str(a) for a in common + ["--epochs", 2, "--out", parts]]
    assert subprocess.run([sys.executable, "-c", stopped] + arguments, capture_output=True).returncode != 0
    again = run(*arguments)
    assert "going on after epoch 1 of 2" in again.stdout
    states = [torch.load(p)["state"] for p in (whole, parts)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("name, options", [
    ("resnet18", dict(width=4, levels=7)), ("vgg16", dict(width=4)),
    ("swin", dict(RECIPES["cifar10"]["swin"][1], embed=24, stem=[(12, 2, 1), (24, 2, 1)], heads=[2, 4]))])
def test_models_come_back_from_onnx(tmp_path, name, options):
    """Another model with the same function and L, whose BatchNorm statistics are those of the images it was shown."""
    pytest.importorskip("onnx")
    model = zoo.calibrate_random(zoo.build(name, **options), 3, 32)
    x = zoo.random_images(64, 3, 32, torch.Generator().manual_seed(5))
    path = tmp_path / "x.onnx"
    path.write_bytes(export.export(layers.fold_batchnorm(copy.deepcopy(model)), x[:2], "tsdyn").SerializeToString())
    plain = dict(options, levels=16)
    back, found = from_onnx.load(path, name, plain, [x])
    assert found["levels"] == options.get("levels", 16) == qcfs.activations(back)[0][1].levels
    with torch.no_grad():
        near = (model(x) - back(x)).abs().amax(1) < 1e-3
        assert near.float().mean() > 0.8  # one tie decided otherwise moves an image
        norm = next(m for m in back.modules() if isinstance(m, torch.nn.BatchNorm2d))
        seen = []
        norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        back(x)
    assert torch.allclose(norm.running_mean, seen[0].mean((0, 2, 3)), atol=1e-4)
    assert torch.allclose(norm.running_var, seen[0].var((0, 2, 3)), rtol=1e-2)
    with pytest.raises((ValueError, RuntimeError)):
        from_onnx.load(path, name, dict(plain, classes=11), [x])


def test_a_bundled_model_learns_to_be_thinned(folder, tmp_path):
    """From an ONNX file to a checkpoint with masks and another L, and its accuracy under the same masks."""
    pytest.importorskip("onnx")
    models, out = HERE.parent / "models", tmp_path / "x.pt"
    result = run("finetune", "--data", folder, "--model", "vgg16", "--teacher", models / "cifar10-vgg16.onnx",
                 "--init", models / "cifar10-vgg16-t50.onnx", "--init-policy", POLICIES / "conv50.yaml",
                 "--policy", POLICIES / "conv75.yaml", "--thinning", "--average", 0.9,
                 "--levels", 15, "--held", 40, "--batch", 32, "--epochs", 1, "--images-per-epoch", 64, "--out", out)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("13 of 13 sites masked") == 2 and "conv75.yaml, thinned levels" in result.stdout
    assert torch.load(out)["options"]["levels"] == 15
    result = run(out, "--out", tmp_path / "x.onnx", "--accuracy", folder, "--thinning", program="export.py")
    assert result.returncode == 0 and "test accuracy, 13 masked sites" in result.stdout
    assert policy_of(tmp_path / "x.onnx") == dict(masks.parse((POLICIES / "conv75.yaml").read_text()), trained_on="levels")
    result = run(out, "--out", tmp_path / "x.onnx", "--policy", POLICIES / "conv50.yaml", program="export.py")
    assert result.returncode == 0 and policy_of(tmp_path / "x.onnx")["masks"] == {"sites": {"conv": .5}}
    assert "trained_on" not in policy_of(tmp_path / "x.onnx")  # nobody says it
    older = torch.load(out)
    del older["policy"]
    torch.save(older, out)
    result = run(out, "--out", tmp_path / "y.onnx", program="export.py")
    assert result.returncode == 1 and "--policy conv75.yaml" in result.stderr and not (tmp_path / "y.onnx").exists()


def test_a_network_learns_from_another(folder, tmp_path):
    """A VGG-16 that a ResNet-18 teaches stays a VGG-16."""
    pytest.importorskip("onnx")
    models, out = HERE.parent / "models", tmp_path / "x.pt"
    common = ["finetune", "--data", folder, "--model", "vgg16", "--teacher", models / "cifar10-resnet18.onnx",
              "--teacher-model", "resnet18", "--held", 40, "--batch", 32, "--epochs", 1, "--images-per-epoch", 64, "--out", out]
    result = run(*common, "--init", models / "cifar10-vgg16.onnx")
    assert result.returncode == 0, result.stderr
    model, checkpoint = zoo.load(out)
    assert checkpoint["name"] == "vgg16" and type(model).__name__ == "VGG16"
    result = run(*common)
    assert result.returncode == 2 and "--teacher-model needs --init" in result.stderr


def policy_of(path):
    import onnx
    said = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return masks.parse(said["mst.policy"])


@pytest.mark.parametrize("arguments, message", [
    (["--data", "missing"], "No such file"),
    (["--model", "lenet"], "no model lenet"),
    (["--policy", "missing.yaml"], "missing.yaml: No such file"),
    (["--policy", POLICIES / "sa75.yaml", "--model", "vgg16"], "matches no site"),
    (["--data", "missing", "--workers", 2], "No such file"),
    (["--out", "missing/x.pt"], "missing: no such folder"),
    (["--batch", 400], "a batch of 400"),
])
def test_errors_are_one_line(folder, tmp_path, arguments, message):
    result = run("train", "--data", folder, "--held", 20, "--out", tmp_path / "x.pt", *arguments)
    assert result.returncode == 1 and message in result.stderr and len(result.stderr.splitlines()) == 1


def test_states_and_checkpoints_of_others_are_refused(folder, tmp_path):
    common = ["--data", folder, "--held", 20, "--batch", 32, "--epochs", 1, "--out", tmp_path / "x.pt"]
    assert run("train", "--model", "vgg16", *common).returncode == 0
    for result, message in [
            (run("train", "--model", "resnet18", *common), "x.pt.state: not of this run"),
            (run("finetune", "--teacher", tmp_path / "x.pt.state", *common), "not a checkpoint"),
            (run(tmp_path / "x.pt", "--out", tmp_path / "x.onnx", "--dataset", "digits", program="export.py"), "3 channels"),
            (run(tmp_path / "x.pt", "--accuracy", folder, "--policy", "none.yaml", program="export.py"), "none.yaml: No"),
            (run(tmp_path / "x.pt", "--out", "missing/x.onnx", program="export.py"), "no such folder")]:
        assert result.returncode == 1 and message in result.stderr and len(result.stderr.splitlines()) == 1
    (tmp_path / "x.pt.state").write_bytes(b"damaged")
    assert "--restart begins anew" in run("train", "--model", "vgg16", *common).stderr
