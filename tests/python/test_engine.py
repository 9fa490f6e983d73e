"""The same spikes from every engine: for each committed model and weight type, both schedules, every
instruction set and 1, 2 or 3 threads give the same trace (spikes of each layer, step and sample), logits
and accuracy as the scalar step schedule on one thread."""
import itertools
import json
import re

import numpy as np
import pytest

from built import BUILD, ROOT, lasting, listed, tool

# Of CIFAR-10, one model of each graph: the fine-tuned ones (-sa50, -75, ..) have other weights only, those for moving
# pictures the graph of nmnist-swin.
FINE_TUNED = re.compile("cifar10-.*-(sa|mlp|t|l|)[0-9]+(-steps)?$")
MODELS = sorted(p for p in (ROOT / "examples" / "models").glob("*.onnx") if not FINE_TUNED.match(p.stem))
STEPS, SAMPLES = 6, 3
LONG = 70  # more than the longest block: membranes pass from one block to the next


def sets():
    """The instruction sets of this machine."""
    if not (BUILD / "mstrun").exists():
        return ["scalar"]
    return [isa for isa, here in listed("mstrun", "isa") if here == "yes"]


def samples(model, folder):
    """Random images of the model's input shape, as .npy, with labels."""
    info = json.loads(tool("mstrun", "--info", model, "--json", "-").stdout)
    shape = info["input"]
    rng = np.random.default_rng(11)
    np.save(folder / "x.npy", rng.random([SAMPLES] + list(shape), np.float32))
    np.save(folder / "y.npy", rng.integers(0, info["classes"], SAMPLES))
    return "npy:%s,%s" % (folder / "x.npy", folder / "y.npy")


def outcome(model, data, folder, *args, steps=STEPS):
    trace = folder / "trace.csv"
    run = json.loads(tool("mstrun", model, data, "-T", steps, "--trace", trace, "--json", "-", "--quiet", *args).stdout)
    return lasting(run), trace.read_bytes()


@pytest.mark.parametrize("weights", ["f32", "f16", "int8"])
@pytest.mark.parametrize("onnx", MODELS, ids=lambda p: p.stem)
def test_every_engine_gives_the_same_spikes(onnx, weights, tmp_path):
    model = tmp_path / "m.bin"
    policy = tmp_path / "policy.yaml"
    sites = "q: 0.5, attn: 0.5, mlp_fc1: 0.3" if "swin" in onnx.stem else "conv: 0.5"
    policy.write_text("version: 1\nmasks: {sites: {%s}}\n" % sites)
    tool("mstconv", onnx, "-o", model, "--policy", policy, "--weights", weights)
    data = samples(model, tmp_path)
    want, spikes = outcome(model, data, tmp_path, "--schedule", "step", "--isa", "scalar", "--threads", 1)
    assert want["masked_per_sample"] > 0
    engines = itertools.product(("step", "block"), sets(), (1, 2, 3))
    for schedule, isa, threads in engines:
        latency = ["--latency"] if schedule == "block" and threads > 1 else []
        got, trace = outcome(model, data, tmp_path, "--schedule", schedule, "--isa", isa, "--threads", threads,
                             *latency)
        assert trace == spikes and got == want, (schedule, isa, threads)
    long = outcome(model, data, tmp_path, "--schedule", "step", "-n", 1, steps=LONG)
    for args in (("--threads", 1), ("--threads", 3, "--latency"), ("--threads", 2, "--isa", "scalar")):
        assert outcome(model, data, tmp_path, "-n", 1, *args, steps=LONG) == long, args
