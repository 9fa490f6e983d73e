#!/usr/bin/env python3
"""One peer of `make bench`, in a process of its own: peers.py KIND MODEL THREADS BATCH STEPS

KIND: torch         step-by-step simulation in PyTorch, lean neurons, in place, nothing counted
      spikingjelly  the same network with SpikingJelly's activation_based.neuron.IFNode
      ann           one forward pass of the ANN in PyTorch
      ort:FILE      one pass of the ONNX model in ONNX Runtime
The protocol is bench_session's: "ready", then a line "seconds<TAB>cpu seconds" for each line
read, which runs BATCH samples over STEPS steps (one pass for ann and ort), then "done".
"""
import pathlib
import resource
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))


def samples(model, shape, batch):
    """[batch, C, H, W], the file's samples over and over"""
    x = np.fromfile(str(model) + ".f32", "<f4").reshape([-1] + list(shape))
    return x[np.arange(batch) % len(x)]


def lean_neuron(torch, theta):
    class Neuron(torch.nn.Module):
        def reset(self):
            self.v = None

        def forward(self, current):
            if self.v is None:
                self.v = torch.full_like(current, 0.5 * theta)
            self.v += current
            out = (self.v >= theta).to(current.dtype).mul_(theta)
            self.v -= out
            return out

    return Neuron()


def jelly_neuron(torch, theta):
    from spikingjelly.activation_based import neuron

    class Neuron(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.node = neuron.IFNode(v_threshold=theta, v_reset=None, step_mode="s")

        def reset(self):
            self.node.reset()
            self.node.v = 0.5 * theta

        def forward(self, current):
            return self.node(current) * theta

    return Neuron()


def simulator(make, model, threads, batch, steps):
    """(run, logits) of the spiking network; make: lean_neuron, jelly_neuron or None for the ANN"""
    import torch
    from mst.torch import layers, zoo
    from mst.torch.qcfs import QCFS
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    checkpoint = torch.load(str(model) + ".pt", map_location="cpu")
    network = layers.fold_batchnorm(zoo.build(checkpoint["name"], **checkpoint["options"]))
    network.load_state_dict(checkpoint["state"])
    network.eval()
    neurons = []
    if make is not None:
        places = [(m, n, c) for m in network.modules() for n, c in m.named_children() if isinstance(c, QCFS)]
        for module, name, child in places:
            neurons.append(make(torch, float(child.theta)).eval())
            setattr(module, name, neurons[-1])
    options = checkpoint["options"]
    x = torch.from_numpy(samples(model, (options["channels"], options["image"], options["image"]), batch))

    def run():
        for n in neurons:
            n.reset()
        total = 0.0
        for _ in range(steps if make is not None else 1):
            total = total + network(x)
        return (total / (steps if make is not None else 1))[0].numpy()

    return run, "torch %s" % torch.__version__


def runtime(path, model, threads, batch):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    x = samples(model, entry.shape[1:], batch)
    return lambda: session.run(None, {entry.name: x})[0][0], "onnxruntime %s" % onnxruntime.__version__


def main():
    kind, model, threads, batch, steps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    if kind.startswith("ort:"):
        run, version = runtime(kind[4:], model, threads, batch)
    else:
        make = {"torch": lean_neuron, "spikingjelly": jelly_neuron, "ann": None}[kind]
        run, version = simulator(make, model, threads, batch, steps)
    print("ready\tversion=%s" % version, flush=True)
    logits = None
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        logits = run()
        print("%.9f\t%.9f" % (time.perf_counter() - wall, time.process_time() - cpu), flush=True)
    if logits is not None:
        print("done\trss_kb=%d\tlogits=%s" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                                              ",".join("%.9g" % v for v in logits.ravel())), flush=True)


if __name__ == "__main__":
    main()
