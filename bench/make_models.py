#!/usr/bin/env python3
"""Make the models that `make bench` measures: make_models.py FOLDER [NAME..]

Random weights; thetas are set layer by layer, from a short simulation, so that each neuron
layer fires at about a given rate. For each model: NAME.onnx (the ANN), NAME.pt (for the PyTorch
peers), NAME.f32 (input samples, raw float32), NAME.int8-qdq.onnx and NAME.int8-dynamic.onnx (the
ANN quantized by ONNX Runtime's own tools) and NAME.json (sizes and rates).
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from mst.torch import export, layers, simulate, zoo  # noqa: E402
from mst.torch.qcfs import QCFS  # noqa: E402

SAMPLES = 16
RATE = 0.10   # spikes per neuron and step that each layer is set to
IMAGES = 8    # of SAMPLES, to set thetas and norms with
STEPS = 8     # over so many steps
MODELS = {
    "swin-cifar": ("swin", dict(image=32, channels=3, classes=10, stem=[(32, 1, 1), (64, 2, 1), (64, 1, 1)],
                                embed=64, depths=[2, 2], heads=[2, 4], window=4)),
    "resnet18": ("resnet18", dict(image=32, channels=3, classes=10, width=64)),
    "swin-t": ("swin", dict(image=224, channels=3, classes=1000, stem=4, embed=96, depths=[2, 2, 6, 2],
                            heads=[3, 6, 12, 24], window=7)),
}


class Settling(nn.Module):
    """Stands for a QCFS while thetas are set: sees all steps at once, time first, [STEPS * ..]."""

    def __init__(self, theta, rate):
        super().__init__()
        self.theta, self.rate = theta, rate

    @staticmethod
    def fire(current, theta):
        """Spikes of an integrate-and-fire neuron: [STEPS, n] -> [STEPS, n]."""
        v, out = torch.full_like(current[0], 0.5 * theta), torch.empty_like(current)
        for t in range(len(current)):
            v += current[t]
            out[t] = v >= theta
            v -= theta * out[t]
        return out

    def forward(self, x):
        current = x.reshape(STEPS, -1)
        some = current[:, ::current.shape[1] // 20000 + 1].contiguous()
        low, high = 1e-3, 8 * float(some.abs().max()) + 1e-3
        for _ in range(12):  # the rate falls as theta grows; closer, and neurons would be set on the edge of firing
            theta = (low * high) ** 0.5
            low, high = (theta, high) if self.fire(some, theta).mean() > self.rate else (low, theta)
        theta = (low * high) ** 0.5
        self.theta.fill_(theta)
        return (self.fire(current, theta) * theta).reshape(x.shape)


@torch.no_grad()
def set_rates(model, x, rate):
    """Set each theta so that its layer fires at `rate` on images [B, C, H, W], and each norm's
    statistics to those of the currents that then flow: one pass, layer after layer, all STEPS at once."""
    places = [(m, name, c) for m in model.modules() for name, c in m.named_children() if isinstance(c, QCFS)]
    for module, name, child in places:
        setattr(module, name, Settling(child.theta, rate))
    for norm in model.modules():
        if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
            norm.reset_running_stats()
            norm.momentum = None
    model.train()
    model(x.repeat(STEPS, 1, 1, 1))
    model.eval()
    for module, name, child in places:
        setattr(module, name, child)


@torch.no_grad()
def measured_rates(model, x):
    """{layer: spikes per neuron and step} of a plain simulation."""
    network = simulate.to_spiking(model)
    simulate.simulate(network, x, [2 * STEPS])
    return dict(simulate.firing_rates(network))


def calibrated(kind, options, rate):
    """(model with random weights, its layers' rates on an image that it was not set with, samples)"""
    side, channels = options["image"], options["channels"]
    torch.manual_seed(0)
    model = zoo.build(kind, **options)
    x = zoo.random_images(SAMPLES, channels, side, torch.Generator().manual_seed(0))
    set_rates(model, x[:IMAGES], rate)
    layers.fold_batchnorm(model)
    return model, measured_rates(model, x[-1:]), x


class Samples:
    """What quantize_static reads its activation ranges from."""

    def __init__(self, x):
        self.rest = [{"input": x[i:i + 1]} for i in range(min(4, len(x)))]

    def get_next(self):
        return self.rest.pop(0) if self.rest else None


def quantize(path, x):
    """The two int8 forms; {form: why not} for those that ONNX Runtime could not make."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization import shape_inference
    failed = {}
    ready = path.with_suffix(".ready.onnx")
    shape_inference.quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    try:
        q.quantize_static(str(ready), str(path.with_suffix(".int8-qdq.onnx")), Samples(x), per_channel=True,
                          op_types_to_quantize=["Conv", "MatMul", "Gemm"], activation_type=q.QuantType.QUInt8,
                          weight_type=q.QuantType.QInt8)
    except Exception as e:
        failed["int8-qdq"] = str(e).splitlines()[0]
    try:
        q.quantize_dynamic(str(ready), str(path.with_suffix(".int8-dynamic.onnx")), per_channel=True,
                           weight_type=q.QuantType.QInt8)
    except Exception as e:
        failed["int8-dynamic"] = str(e).splitlines()[0]
    ready.unlink()
    return failed


def make(folder, name):
    base, _, percent = name.partition("-at")
    kind, options = MODELS[base]
    rate = int(percent) / 100 if percent else RATE
    print("making %s" % name, flush=True)
    model, rates, x = calibrated(kind, options, rate)
    path = folder / (name + ".onnx")
    proto = export.export(model, x[:2], "tsdyn")
    path.write_bytes(proto.SerializeToString(deterministic=True))
    zoo.save(folder / (name + ".pt"), model, kind, options)
    x = x.numpy()
    (folder / (name + ".f32")).write_bytes(x.astype("<f4").tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failed = {} if percent else quantize(path, x)
    values = np.array(list(rates.values()))
    facts = {"parameters": sum(p.numel() for p in model.parameters()), "shape": list(x.shape[1:]), "samples": len(x),
             "rates": rates, "rate_quartiles": [float(v) for v in np.quantile(values, [0, .25, .5, .75, 1])],
             "share_5_15": float(((values >= .05) & (values <= .15)).mean()), "int8_failed": failed}
    (folder / (name + ".json")).write_text(json.dumps(facts, indent=1) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    for name in sys.argv[2:] or MODELS:
        facts = folder / (name + ".json")  # written last
        if not facts.exists() or facts.stat().st_mtime < pathlib.Path(__file__).stat().st_mtime:
            make(folder, name)


if __name__ == "__main__":
    main()
