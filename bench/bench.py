#!/usr/bin/env python3
"""The driver of `make bench`: measures, writes results.tsv, prints one table. README.md says what is
measured and how. Needs the standard library only: peers run in the bench's virtual environment."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

import digits
import readers
import report
import targets
from contestants import HERE, SIM, Makers, take_turns

MODELS = ("swin-cifar", "resnet18", "swin-t")
DIGITS = "digits"  # asked for by name, or where no other can be made
# rounds; steps of ours; steps of the PyTorch simulations; their batch; T; rates in percent, 0: the model's own
PLANS = {
    "smoke": dict(rounds=1, steps=2, sim_steps={}, batch={}, at=(1, 64), rates=(0,)),  # the tests': does it all run?
    "quick": dict(rounds=3, steps=16, sim_steps={"swin-t": 2}, batch={"swin-t": 4}, at=(1, 4, 16, 64),
                  rates=(3, 0, 30)),
    "full": dict(rounds=7, steps=64, sim_steps={"swin-t": 4}, batch={"swin-t": 8},
                 at=(1, 2, 4, 8, 16, 32, 64, 128, 256), rates=(2, 5, 0, 20, 40, 60)),
}
SIM_STEPS, BATCH, LEVELS = 4, 16, 16
MASKS = HERE.parent / "examples/policies/sa75.yaml"


class Bench:
    def __init__(self, args):
        self.args, self.plan = args, PLANS[args.mode]
        self.effort = [] if args.mode == "full" else ["quick"]  # of the programs in C
        self.models = args.out / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        self.table = report.Table(args.out / "results.tsv")
        missing = {}
        if args.missing.exists():
            missing = dict(line.split("\t", 1) for line in args.missing.read_text().splitlines() if "\t" in line)
        self.make = Makers(args.build, self.models, args.python, missing)
        self.found = {}    # (model, threads, label) -> contestant
        self.weights = ["", "f16", "int8"]

    # ---- models ------------------------------------------------------------

    def convert(self, model, weights="", policy=None):
        """Make NAME[.weights][.policy].bin; the reason where it cannot be made."""
        out = self.models / (".".join([model] + [w for w in (weights, policy and policy.stem) if w]) + ".bin")
        command = [str(self.args.build / "mstconv"), str(self.models / (model + ".onnx")), "-o", str(out), "--quiet"]
        done = subprocess.run(command + (["--weights", weights] if weights else []) +
                              (["--policy", str(policy)] if policy else []), capture_output=True, text=True)
        return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["mstconv failed"])[-1]

    def make_models(self, names):
        """What it complained of."""
        command = [str(self.args.python), str(HERE / "make_models.py"), str(self.models)] + names
        try:
            return subprocess.run(command, stderr=subprocess.PIPE, text=True).stderr
        except OSError as e:
            return str(e)

    def prepare(self):
        """Names of the models that can be measured."""
        wanted = [m for m in self.args.models if m != DIGITS]
        said = self.make_models(wanted) if wanted else ""
        ready = []
        for model in wanted:
            facts = self.models / (model + ".json")
            why = "not made: " + (said.strip().splitlines() or ["?"])[-1] if not facts.exists() else ""
            why = why or self.convert(model)
            if why:
                self.table.add("models", model, "not measured", note=why)
                continue
            ready.append(model)
            facts = json.loads(facts.read_text())
            q = facts["rate_quartiles"]
            self.table.add("models", model, "parameters, random weights", value=facts["parameters"],
                           note="thetas set for rates of 5 to 15 %%: in PyTorch, layers fire at %.1f to %.1f %%, "
                           "median %.1f %%, %.0f %% of them at 5 to 15 %%" % (100 * q[0], 100 * q[4], 100 * q[2],
                                                                          100 * facts["share_5_15"]))
            for form, reason in facts["int8_failed"].items():
                self.table.add("models", model, form, note="not made: " + reason)
        if not ready:
            why = self.convert(digits.prepare(self.models))
            self.table.add("models", DIGITS, "the bundled model, trained",
                           note=why or ("measured because no other model could be made" if wanted else ""))
            ready = [] if why else [DIGITS]
        return ready

    # ---- networks against peers ----------------------------------------------

    def peers(self, model, threads):
        steps, batch = self.plan["sim_steps"].get(model, SIM_STEPS), self.plan["batch"].get(model, BATCH)
        for kind in SIM:
            for b in (1, batch):
                yield self.make.peer("%s, step by step, batch %d" % (kind, b), kind, model, threads, b, steps)
        for form in ("", ".int8-qdq", ".int8-dynamic"):
            if (self.models / (model + form + ".onnx")).exists():
                yield self.make.peer("onnxruntime ANN %s, one pass" % (form[1:] or "fp32"),
                                     "ort:%s%s.onnx" % (model, form), model, threads)

    def ours(self, model, threads):
        """At more than one thread in both modes, and the block schedule on one thread beside them."""
        steps = self.plan["steps"]
        modes = {"": {}} if threads == 1 else {", 1 thread": {}, ", samples": {"workers": threads},
                                               ", latency": {"threads": threads}}
        for mode, options in modes.items():
            if "threads" not in options:
                yield self.make.ours("ours step f32" + mode, model, schedule="step", steps=steps, **options)
            for w in self.weights:
                why = self.convert(model, w) if w else ""
                label = "ours block %s%s" % (w or "f32", mode)
                if why:
                    self.table.add("networks", model, label, threads, note="not measured: " + why)
                    continue
                yield self.make.ours(label, model, w, schedule="block", steps=steps, **options)
        yield from self.counts(model, threads)

    def counts(self, model, threads):
        """A sample in count mode, 16 levels: one window, so one pass is all; by each instruction set on one thread."""
        for w in self.weights:
            if self.convert(model, w) if w else "":
                continue
            options = {"steps": 1, "mode": "count", "levels": LEVELS}
            label = "ours count %s, one pass" % (w or "f32")
            if threads > 1:
                yield self.make.ours(label + ", samples", model, w, workers=threads, **options)
                yield self.make.ours(label + ", latency", model, w, threads=threads, **options)
                continue
            yield self.make.ours(label, model, w, **options)
            if w == "int8" and not self.convert(model, w, MASKS):
                yield self.make.ours(label + ", SA 75 %", model, "%s.%s" % (w, MASKS.stem), **options)
            for isa in ("avx2", "scalar") if w == "int8" else ():
                yield self.make.ours(label + ", " + isa, model, w, isa=isa, **options)

    def networks(self, model, threads):
        group = take_turns(list(self.peers(model, threads)) + list(self.ours(model, threads)), self.plan["rounds"])
        for c in group:
            self.found[model, threads, c.label] = c
        sims = [c for c in group if c.label.startswith(SIM) and c.wall]
        best = min(sims, key=lambda c: c.wall) if sims else None
        ort = self.found.get((model, threads, "onnxruntime ANN fp32, one pass"))
        for c in group:
            self.network_row(model, threads, c, best, ort)
        if threads == 1:
            self.rates(model)
            self.agreement(model)

    def network_row(self, model, threads, c, best, ort):
        if c.wall is None:
            self.table.add("networks", model, c.label, threads, note="not measured: %s" % c.error)
            return
        passes, notes = "one pass" in c.label, []
        if "count" in c.label:
            same = self.found.get((model, threads, "ours count int8, one pass"))
            if same is not None and "int8" in c.label and same is not c and threads == 1 and "SA" not in c.label and c.facts.get("hash"):
                notes.append("same bits" if same.facts.get("hash") == c.facts["hash"] else "NOT THE SAME BITS")
        elif c.label.startswith("ours") and ort is not None and ort.wall:
            notes.append("T = 64 takes %.1f ANN passes (fp32)" % (64 * c.wall / ort.wall))
        if "block" in c.label and "f32" in c.label:
            step = next((self.found[k] for k in self.found if k[:2] == (model, threads) and "step f32" in k[2]), None)
            if step is not None and step.facts.get("hash"):
                same = step.facts["hash"] == c.facts.get("hash")
                notes.append("same bits as step" if same else "NOT THE SAME BITS AS STEP")
        against = ort if passes else best
        self.table.add("networks", model, c.label, threads if ", 1 thread" not in c.label else 1, value=c.wall,
                       unit="ms/pass" if passes else "ms/step", least=c.least, cpu=c.cpu,
                       ratio=against.wall / c.wall if against and against.wall else None,
                       ratio_cpu=against.cpu / c.cpu if against and against.cpu and c.cpu else None,
                       against="" if against is None else "ANN fp32" if passes else "best PyTorch",
                       note=", ".join(notes))

    def rates(self, model):
        c = self.found[model, 1, "ours block f32"]
        if not c.facts.get("rates"):
            return
        rates = [float(r) for r in c.facts["rates"].split(",")]
        share = sum(0.05 <= r <= 0.15 for r in rates) / len(rates)
        self.table.add("networks", model, "firing rate, median layer", 1, unit="%",
                       value=100 * statistics.median(rates),
                       note="%.1f to %.1f %%, %.0f %% of %d layers at 5 to 15 %%, T = %d" % (
                           100 * min(rates), 100 * max(rates), 100 * share, len(rates), c.steps))
        if c.wall:
            self.table.add("networks", model, "additions by spikes, block f32", 1,
                           value=float(c.facts["sops"]) * 1e-6 / (c.wall * c.steps), unit="G adds/s",
                           note="%.3g SOPs a step, %.3g dense" % (float(c.facts["sops"]) / c.steps,
                                                                 float(c.facts["dense"])))

    def agreement(self, model):
        """Mean logits of PyTorch's simulation and ours after the same number of steps."""
        peer = self.found.get((model, 1, "torch, step by step, batch 1"))
        if peer is None or not peer.facts.get("logits"):
            return
        own = take_turns([self.make.ours("", model, schedule="block", steps=peer.steps)], 1)[0]
        a, b = [[float(v) for v in c.facts.get("logits", "").split(",") if v] for c in (peer, own)]
        if len(a) == len(b):
            off = (sum((x - y) ** 2 for x, y in zip(a, b)) / max(1e-30, sum(x * x for x in a))) ** 0.5
            self.table.add("networks", model, "logits, ours against PyTorch", 1, value=off, unit="rel. L2",
                           note="T = %d; a sum that rounds the other way can move a spike" % peer.steps)

    # ---- curves -------------------------------------------------------------

    def curve(self, section, model, group, base, note):
        """Contestants side by side, against one of them."""
        take_turns(group, self.plan["rounds"])
        for c in group:
            self.table.add(section, model, c.label, 1, value=c.wall, unit="ms/step", least=c.least, cpu=c.cpu,
                           ratio=c.wall / base.wall if c.wall and base.wall else None,
                           ratio_cpu=c.cpu / base.cpu if c.cpu and base.cpu else None, against=base.label,
                           note=note(c) if c.wall else "not measured: %s" % c.error)

    def over_steps(self, model):
        group = [self.make.ours("T = %d" % t, model, schedule="block", steps=t) for t in self.plan["at"]]
        base = next(c for c in group if c.steps == 64)
        self.curve("cost over T", model, group, base, lambda c: "%.4g ms a run" % (c.wall * c.steps))

    def over_rates(self, model):
        names = ["%s-at%d" % (model, r) if r else model for r in self.plan["rates"]]
        self.make_models([n for n in names if n != model])
        group = []
        for n in names:
            self.convert(n)
            for schedule in ("block", "step"):
                group.append(self.make.ours("%s, %s" % (n, schedule), n, schedule=schedule, steps=self.plan["steps"]))
        base = next(c for c in group if c.label == model + ", block")
        self.curve("cost over firing rate", model, group, base, lambda c:
                   "mean rate %.1f %%, %.3g SOPs a step, %.3g G adds/s" % (
                       100 * float(c.facts["spikes"]) / (float(c.facts["neurons"]) * c.steps),
                       float(c.facts["sops"]) / c.steps, float(c.facts["sops"]) * 1e-6 / (c.wall * c.steps)))

    # ---- memory, kernels ------------------------------------------------------

    def memory(self, model):
        for label, c in [(k[2], c) for k, c in self.found.items() if k[:2] == (model, 1)]:
            if "rss_kb" not in c.facts:
                continue
            mb, weights, note = int(c.facts["rss_kb"]) / 1024, None, ""
            if label.startswith("ours"):
                w = label.split()[2].rstrip(",")
                path = self.models / (model + ("." + w if w != "f32" else "") + ".bin")
                weights = path.stat().st_size / 2 ** 20
                note = "model file %.1f MB, session %.1f MB; 1.3 files + 64 MB = %.1f MB" % (
                    weights, int(c.facts["session_bytes"]) / 2 ** 20, 1.3 * weights + 64)
            self.table.add("peak RSS of a run", model, label, 1, value=mb, unit="MB",
                           ratio=mb / weights if weights else None, against="model file" if weights else "", note=note)

    def layers_of_peer(self, section, shapes):
        """The same layers by oneDNN, which PyTorch brings; shapes: lines of network, layer, shape."""
        found = report.output([str(self.args.python), str(pathlib.Path(__file__).with_name("onednn.py"))] + self.effort, "".join(shapes))
        for line in found.splitlines():
            network, layer, shape, rate = line.split("\t")
            own = [float(r["value"]) for r in self.table.rows if r["model"] == network and r["what"].endswith(", %s %s" % (layer, shape))]
            self.table.add(section, network, "oneDNN, %s %s" % (layer, shape), 1, value=float(rate), unit="G products/s",
                           ratio=own[-1] / float(rate), against="our last set / oneDNN")
        if not found:
            self.table.add(section, "", "oneDNN", note="PyTorch is not there, or has no such engine")

    def kernels(self):
        shapes = {}
        for name, section in (("bench_kernels", "linear layers of spiking neurons"), ("bench_each", "every kernel"),
                              ("bench_count", "layers on counts")):
            for line in report.output([str(self.args.build / "bench" / name)] + self.effort).splitlines():
                f = line.split("\t")
                if name == "bench_count":
                    self.count_row(section, f)
                    if f[3].count("x") == 2 and len(f) == 7:
                        shapes["%s\t%s\t%s\n" % (f[0], f[2], f[3])] = True
                elif name == "bench_kernels":
                    self.table.add(section, f[1], "%s %s, rate %s" % (f[0], f[2], f[3]), 1, value=f[4],
                                   unit="G adds/s", ratio=float(f[5]) / 100, against="add peak",
                                   note="" if f[6] == "-" else "%s dense GMAC/s" % f[6])
                else:
                    self.table.add(section, f[1], "%s, %s" % (f[0], f[2]), 1, value=f[3], unit="G/s", note=f[4])
            if shapes:
                self.layers_of_peer(section, shapes)

    def count_row(self, section, f):
        """A layer: network, set, layer, shape, how often or ms of all, G products a second, percent of the peak; or
        another kernel: name, set, shape, G/s."""
        if len(f) < 7:
            self.table.add(section, f[1], "%s, %s" % (f[0], f[2]), 1, value=float(f[3]), unit="G/s")
            return
        self.table.add(section, f[0], "%s, %s %s" % (f[1], f[2], f[3]), 1, value=float(f[5]), unit="G products/s",
                       ratio=float(f[6]) / 100, against="int8 peak", note=f[4] if f[4].endswith("ms") else "")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", type=pathlib.Path, required=True, help="folder with the tools and bench/")
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder for models and results.tsv")
    p.add_argument("--python", type=pathlib.Path, required=True, help="of the bench's virtual environment")
    p.add_argument("--missing", type=pathlib.Path, default=pathlib.Path("none"), help="what venv.sh could not install")
    p.add_argument("--mode", choices=sorted(PLANS), default="full")
    p.add_argument("--models", nargs="+", choices=MODELS + (DIGITS,), default=list(MODELS))
    p.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    p.add_argument("--cc", default="cc")
    args = p.parse_args()
    bench = Bench(args)
    report.machine(bench.table, args.cc)
    ready = bench.prepare()
    for threads in args.threads:
        for model in ready:
            print("measuring %s, %d thread(s), load %.1f" % (model, threads, os.getloadavg()[0]), flush=True)
            bench.networks(model, threads)
    for model in ready:
        bench.memory(model)
    for model in ready if args.mode == "full" else ready[:1]:
        print("curves of %s" % model, flush=True)
        bench.over_steps(model)
        if model in ("swin-cifar", "resnet18"):
            bench.over_rates(model)
    print("kernels", flush=True)
    bench.kernels()
    print("readers", flush=True)
    readers.measure(bench.table, args.build, args.out, args.python, bench.effort)
    targets.add(bench)
    report.load(bench.table, "at the end")
    bench.table.print()
    print("\nwritten to %s" % (args.out / "results.tsv"))


if __name__ == "__main__":
    main()
