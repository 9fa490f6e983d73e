#!/usr/bin/env python3
"""Compare a trace of mstrun with the simulator, neuron layer by neuron layer.

    mstrun model.bin --data npy:x.npy --trace trace.csv ...
    python tests/oracle/compare.py model.bin x.npy trace.csv

Rows of the trace: sample,step,layer,name,fired,spikes (of that step; layer counts NEURON nodes).
With --mode count or radix there is one step, and spikes are what docs/EXECUTION.md counts there.
Prints the first rows that differ; exit code 0: none does, 1: some do. With --onnx the trace is
also held against the original model run with IF neurons (onnx_if): sums there round in another
order, so that a share of the rows may differ; it is printed, and --max-share makes it an error.
"""
import argparse
import collections
import csv
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from oracle import counts, onnx_if, simulator, snn_reader  # noqa: E402


def read_trace(path):
    """{(sample, step, layer): (name, fired, spikes)}"""
    with open(path, newline="", encoding="utf-8") as f:
        return {(int(r["sample"]), int(r["step"]), int(r["layer"])): (r["name"], int(r["fired"]), int(r["spikes"]))
                for r in csv.DictReader(f)}


def simulate(graph, x, samples, steps, seed=None, batch=20, totals=None):
    """The same rows from the simulator, for the given indices into x; totals {"sops", "macs"}: added to."""
    frames = max(1, graph.frames) if graph.present == "steps" else 1
    sim = simulator.Simulator(graph, spiking=True, seed=seed, frames=frames)
    rows = {}
    for at in range(0, len(samples), batch):
        part = samples[at:at + batch]
        sim.begin(x[part])
        sim.samples = np.asarray(part)
        for step in range(1, steps + 1):
            sim.step()
            for layer, node in enumerate(sim.neurons):
                fired, spikes = sim.layer[node]
                for k, sample in enumerate(part):
                    rows[sample, step, layer] = (graph.nodes[node].name, int(fired[k]), int(spikes[k]))
        for kind, n in (("sops", sim.sops), ("macs", sim.macs)) if totals is not None else ():
            totals[kind] = totals.get(kind, 0) + int(n.sum())
    return rows


def same_work(totals, figures, samples):
    """Are the operations of mstrun's JSON those of the simulator?"""
    return all(round(figures[kind + "_per_sample"] * samples) == n for kind, n in totals.items())


def simulate_counts(graph, x, samples, mode, batch=20, **more):
    """(rows, {"sops", "macs": sums over the samples, "logits": [samples, classes]}) of count or radix mode.

    more: levels, seed, thinning as of CountSimulator.
    """
    frames = max(1, graph.frames) if graph.present == "steps" else 1
    sim = counts.CountSimulator(graph, mode, frames=frames, **more)
    rows, totals, logits = {}, {"sops": 0, "macs": 0}, []
    for at in range(0, len(samples), batch):
        part = samples[at:at + batch]
        sim.begin(x[part])
        sim.samples = np.asarray(part)
        logits.append(sim.step())
        totals["sops"] += int(sim.sops.sum())
        totals["macs"] += int(sim.macs.sum())
        for layer, node in enumerate(sim.neurons):
            fired, spikes = sim.layer[node]
            for k, sample in enumerate(part):
                rows[sample, 1, layer] = (graph.nodes[node].name, int(fired[k]), int(spikes[k]))
    return rows, dict(totals, logits=np.concatenate(logits))


def differences(expected, found):
    """Keys whose rows differ or are missing on one side."""
    return sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))


def report(expected, found, limit=10):
    keys = differences(expected, found)
    print("%d of %d rows differ; %d spikes, %d after masks" % (
        len(keys), len(expected), sum(r[1] for r in expected.values()), sum(r[2] for r in expected.values())))
    for sample, step, layer in keys[:limit]:
        key = sample, step, layer
        print("sample %d step %d layer %d: expected %s, found %s" % (key + (expected.get(key), found.get(key))))
    layers = collections.Counter(k[2] for k in keys)
    if keys:
        print("rows by layer: %s" % dict(sorted(layers.items())))
    return not keys


def onnx_rows(path, x, samples, steps, names):
    """The rows (without masks: spikes = fired) of the ONNX oracle, one sample at a time; layers by name, else by order."""
    net = onnx_if.SpikingOnnx(path)
    found = [q.name for q in net.neurons]
    if len(found) != len(names):
        raise SystemExit("%d activations in the ONNX model, %d neuron layers in the trace" % (len(found), len(names)))
    same_names = set(found) == set(names) and len(set(names)) == len(names)
    layers = {name: k for k, name in enumerate(names if same_names else found)}  # functions: by order
    rows = {}
    for sample in samples:
        _, counts = net.run(x[sample:sample + 1], steps)
        for name, count in counts.items():
            for step in range(steps):
                rows[sample, step + 1, layers[name]] = (name, int(count[step, 0]), int(count[step, 0]))
    return rows


def report_onnx(expected, found):
    """Share of rows whose fired counts differ; prints it with the sizes of the differences."""
    keys = [k for k in expected if expected[k][1] != found[k][1]]
    share = len(keys) / len(expected)
    total = sum(r[1] for r in expected.values())
    away = sum(abs(expected[k][1] - found[k][1]) for k in keys)
    net = sum(r[1] for r in found.values()) - total
    print("against ONNX: %.4f of %d rows differ, by %.6f of the %d spikes (sum of both: %+.6f)" % (
        share, len(expected), away / total, total, net / total))
    per_layer = collections.Counter(k[2] for k in keys)
    rows = len(expected) / (1 + max(k[2] for k in expected))
    print("share by layer: %s" % " ".join("%d:%.3f" % (k, n / rows) for k, n in sorted(per_layer.items())))
    return share


def main():
    parser = argparse.ArgumentParser(description="Compare a trace of mstrun with the Python simulator.")
    parser.add_argument("model", help="snn.bin")
    parser.add_argument("x", help=".npy, float32 [samples, C, H, W], normalized")
    parser.add_argument("trace", help="CSV of mstrun --trace")
    parser.add_argument("--seed", type=int, help="of the masks (default: the model's)")
    parser.add_argument("--mode", choices=("step", "count", "radix"), default="step", help="default: step")
    parser.add_argument("--levels", type=int, help="of all layers, in count and radix mode (default: each layer's L)")
    parser.add_argument("--thinning", choices=("binomial", "systematic"), default="binomial", help="of masks there")
    parser.add_argument("--onnx", help="the original model, without masks; in step mode")
    parser.add_argument("--max-share", type=float, default=1.0, help="rows that may differ from --onnx (default 1)")
    args = parser.parse_args()
    graph = snn_reader.load(args.model)
    found = read_trace(args.trace)
    samples = sorted({k[0] for k in found})
    steps = max(k[1] for k in found)
    x = np.load(args.x, mmap_mode="r")
    if args.mode == "step":
        expected = simulate(graph, x, samples, steps, args.seed)
    else:
        expected, _ = simulate_counts(graph, x, samples, args.mode, levels=args.levels, seed=args.seed,
                                      thinning=args.thinning)
    good = report(expected, found)
    if args.onnx and args.mode == "step":
        names = [graph.nodes[i].name for i in simulator.Simulator(graph).neurons]
        good = report_onnx(onnx_rows(args.onnx, x, samples, steps, names), found) <= args.max_share and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
