"""Prints the demo's results: one column for each network, from the tools' JSON."""
import json
import os
import sys

COLUMNS = [("unmasked", "no mask"), ("sa50", "50 % masked"), ("sa75", "75 % masked")]


def row(label, cells):
    print(f"{label:<44}" + "".join(f"{c:>14}" for c in cells))


def main(folder):
    runs, calibs = [], []
    for name, _ in COLUMNS:
        with open(os.path.join(folder, name + ".run.json")) as f:
            runs.append(json.load(f))
        with open(os.path.join(folder, name + ".calib.json")) as f:
            calibs.append(json.load(f))
    n = runs[0]["samples"]
    print(f"\nHandwritten digits, {n} test images, one small Swin transformer trained for each column")
    print("(Random Spike Masking on Q, K and attention):\n")
    row("", [title for _, title in COLUMNS])
    row(f"ANN accuracy %, without masks (first {calibs[0]['samples']})", [f"{100 * c['ann_top1']:.1f}" for c in calibs])
    for k, at in enumerate(runs[0]["top1"]):
        row(f"SNN accuracy % after T = {at['t']} steps", [f"{100 * r['top1'][k]['top1']:.1f}" for r in runs])
    row("SNN agrees with ANN %, T = 64", [f"{100 * c['snn'][-1]['agreement']:.1f}" for c in calibs])
    row("spikes per image, in thousands", [f"{r['spikes_per_sample'] / 1e3:.0f}" for r in runs])
    row("spikes removed by masks, in thousands", [f"{r['masked_spikes_per_sample'] / 1e3:.0f}" for r in runs])
    row("synaptic operations per image, in millions", [f"{r['sops_per_sample'] / 1e6:.1f}" for r in runs])
    row("... if nothing were skipped", [f"{r['dense_ops_per_sample'] / 1e6:.1f}" for r in runs])
    row("energy per image, microjoules (45 nm model)", [f"{r['energy_pj'] / 1e6:.1f}" for r in runs])
    seconds = sum(r["seconds"] for r in runs)
    print(f"\n{3 * n} images simulated for 64 steps in {seconds:.1f} s on this machine.")
    print("README.md says how to do the same with your own model.")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: demo_table.py FOLDER (with the tools' JSON; examples/demo.sh makes it)")
    main(sys.argv[1])
