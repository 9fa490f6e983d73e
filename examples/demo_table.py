"""Prints a demo's results: one column for each network or data set, from the tools' JSON."""
import json
import os
import sys


def row(label, cells):
    print(f"{label:<44}" + "".join(f"{c:>14}" for c in cells))


def load(folder, name, kind):
    with open(os.path.join(folder, f"{name}.{kind}.json")) as f:
        return json.load(f)


def main(folder, title, columns):
    runs = [load(folder, name, "run") for name, _ in columns]
    calibs = [load(folder, name, "calib") for name, _ in columns]
    print("\n" + title + "\n")
    row("", [heading for _, heading in columns])
    row("test samples", [r["samples"] for r in runs])
    row("ANN accuracy %, without masks", [f"{100 * c['ann_top1']:.1f}" for c in calibs])
    row("  ... on the first", [c["samples"] for c in calibs])
    for k, at in enumerate(runs[0]["top1"]):
        row(f"SNN accuracy % after T = {at['t']} steps", [f"{100 * r['top1'][k]['top1']:.1f}" for r in runs])
    row(f"SNN agrees with ANN %, T = {calibs[0]['snn'][-1]['t']}", [f"{100 * c['snn'][-1]['agreement']:.1f}" for c in calibs])
    row("spikes per sample, in thousands", [f"{r['spikes_per_sample'] / 1e3:.0f}" for r in runs])
    row("spikes removed by masks, in thousands", [f"{r['masked_spikes_per_sample'] / 1e3:.0f}" for r in runs])
    row("synaptic operations per sample, in millions", [f"{r['sops_per_sample'] / 1e6:.1f}" for r in runs])
    row("... if nothing were skipped", [f"{r['dense_ops_per_sample'] / 1e6:.1f}" for r in runs])
    row("energy per sample, microjoules (45 nm model)", [f"{r['energy_pj'] / 1e6:.1f}" for r in runs])
    seconds = sum(r["seconds"] for r in runs)
    print(f"\n{sum(r['samples'] for r in runs)} samples simulated for {runs[0]['top1'][-1]['t']} steps in {seconds:.1f} s on "
          "this machine.\nREADME.md says how to do the same with your own model.")


if __name__ == "__main__":
    if len(sys.argv) < 4 or not os.path.isdir(sys.argv[1]) or not all("=" in a for a in sys.argv[3:]):
        sys.exit("usage: demo_table.py FOLDER TITLE NAME=HEADING.. (FOLDER has the tools' JSON; examples/demo.sh makes it)")
    main(sys.argv[1], sys.argv[2], [a.split("=", 1) for a in sys.argv[3:]])
