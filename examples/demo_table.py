"""Prints a demo's results: for each network or data set the ANN and every spiking mode side by side, from the tools'
JSON as demo_modes.sh leaves it."""
import glob
import json
import os
import statistics
import sys

MODES = ("ann", "step", "count", "radix")
WIDTH = 46


def load(folder, name, mode):
    """One run for each seed."""
    runs = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), f"{name}.{mode}.[0-9]*.json"))):
        with open(path) as f:
            runs.append(json.load(f))
    if not runs:
        sys.exit(f"demo_table.py: {folder}: expected {name}.{mode}.SEED.json, found nothing")
    return runs


def agreement(folder, name, mode):
    path = os.path.join(folder, f"{name}.{mode}.calib.json")
    if not os.path.exists(path):
        return "-"
    with open(path) as f:
        return f"{json.load(f)['at'][-1]['agreement_percent']:.1f}"


def mean(runs, value, form):
    """Of all seeds; - where a mode has no such figure."""
    values = [value(r) for r in runs]
    return "-" if None in values else form.format(statistics.mean(values))


def accuracy(runs):
    values = [r["at"][-1]["top1_percent"] for r in runs]
    scatter = f" +-{statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{scatter}"


def every(r):
    """Steps from one sample to the next."""
    return r["T"] if r["mode"] == "step" else r["window_steps"]


def times(energy, key, mode):
    return 1.0 if mode == "ann" else energy["ann"][key]


def row(label, cells):
    print(f"{label:<{WIDTH}}" + "".join(f"{c:>14}" for c in cells))


def heading(mode, r):
    return {"ann": "ANN", "step": f"step T={r['T']}"}.get(mode, f"{mode} {r['levels']}")


def block(folder, name):
    found = {mode: load(folder, name, mode) for mode in MODES}

    def figures(label, value, form="{:.1f}"):
        row(label, [mean(runs, value, form) for runs in found.values()])

    seeds = f", mean of {len(found['ann'])} seeds +- scatter" if len(found["ann"]) > 1 else ""
    row(f"{found['ann'][0]['samples']} samples{seeds}", [heading(mode, runs[0]) for mode, runs in found.items()])
    row("accuracy %", [accuracy(runs) for runs in found.values()])
    same = [agreement(folder, name, mode) for mode in found]
    if set(same) != {"-"}:
        row("class of the ANN on the same samples %", same)
    figures("latency of a sample, steps", lambda r: r["latency_steps"], "{:.0f}")
    figures("  pipelined, a sample every .. steps", every, "{:.0f}")
    figures("spikes, thousands", lambda r: r["spikes_per_sample"] and r["spikes_per_sample"] / 1e3, "{:.0f}")
    figures("additions (ACs), millions", lambda r: None if r["mode"] == "ann" else r["sops_per_sample"] / 1e6)
    figures("multiplications (MACs), millions",
            lambda r: (r["dense_ops_per_pass"] if r["mode"] == "ann" else r["macs_per_sample"]) / 1e6, "{:.2f}")
    figures("energy, microjoules", lambda r: r["energy_pj"] / 1e6)
    figures("  times the ANN's", lambda r: times(r["energy"], "ratio", r["mode"]), "{:.2f}")
    figures("  times the ANN's, memory included", lambda r: times(r["energy"], "total_ratio", r["mode"]), "{:.2f}")
    figures("samples a second on this machine", lambda r: r["timing"]["samples_per_second"], "{:.0f}")


def main(folder, title, names):
    print(f"\n{title}")
    for name, heading in names:
        print(f"\n{heading}\n")
        block(folder, name)
    print("\nstep is the paper's semantics. count: each layer takes in its whole input, then fires as many spikes as its ANN's\n"
          "activation has levels; radix: these numbers' binary digits. At the ANN's own number of levels both give its class, and\n"
          "a window for each layer is their latency. Under masks the ANN drops whole activations, as in its training, step and\n"
          "count single spikes, radix single spikes of the count whose digits it sends. Energy: operations at 45 nm, fp32\n"
          "(docs/ENERGY.md). README.md says how to do the same with your own model.")


if __name__ == "__main__":
    if len(sys.argv) < 4 or not os.path.isdir(sys.argv[1]) or not all("=" in a for a in sys.argv[3:]):
        sys.exit("usage: demo_table.py FOLDER TITLE NAME=HEADING.. (FOLDER has the tools' JSON; examples/demo.sh makes it)")
    main(sys.argv[1], sys.argv[2], [a.split("=", 1) for a in sys.argv[3:]])
