"""The page, its tables and what it says of them, from the measurements."""
import csv
import statistics

import experiments
import figures
import paper
import probes
from experiments import RUNS
from mst import files

TITLES = {name: run[2] for name, run in RUNS.items()}


def top1(run):
    """{t: SNN accuracy in percent}"""
    return {at["t"]: at["top1_percent"] for at in run["at"]}


def table(out, name, header, rows):
    """Write NAME.csv; the same as Markdown is returned."""
    with open(out / (name + ".csv"), "w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows([header] + rows)
    return markdown(header, rows)


def markdown(header, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header)] + rows]
    return "\n".join(lines) + "\n"


def points(x):
    """An amount of percentage points with its sign."""
    return "%+.2f" % x if round(x, 2) else "0.00"


def mean_and_deviation(values):
    """Over seeds; the deviation (of the sample, n - 1) is None where there is one."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def agreement(change):
    """Of an accuracy with one that is the same as without masks; change: points against without masks."""
    if abs(change) <= 0.5:
        return "agrees within half a point"
    return "does not agree" if change < 0 else "is higher, which is more than the paper says"


def number(x):
    return "" if x is None else "%.3f" % x


def decimals(x):
    return "" if x is None else "%.2f" % x


def join(words):
    words = list(words)
    return " and ".join(([", ".join(words[:-1])] if len(words) > 1 else []) + words[-1:])


class Page:
    def __init__(self, args, models, found):
        """models: {name: mstrun --info}; found: {name of an experiment's measurement: result}"""
        self.args, self.models, self.found, self.out = args, models, found, args.out
        self.plt = None if args.no_pictures else figures.pyplot()
        self.text = []

    def add(self, *lines):
        self.text += lines

    def picture(self, name, draw, *data):
        if self.plt is None:
            self.add("(No picture was drawn.)\n")
        else:
            draw(self.plt, self.out, *data)
            self.add("![%s](%s.png)\n" % (name, name))

    def absent(self, *names):
        """Says which files are not there, and which were left out by --only."""
        out = [n for n in names if self.args.only and n not in self.args.only]
        why = [join(RUNS[n][0] for n in part) + " " + text for part, text in (
            ([n for n in names if n not in out], "not there"), (out, "left out")) if part]
        self.add("Not measured: %s.\n" % "; ".join(why))

    # ---- tables ----

    def table1(self):
        self.add("## Table 1: accuracy on CIFAR-10\n")
        if "table1" not in self.found:
            return self.absent("swin")
        run, ann = self.found["table1"], self.found["ann", "swin"]["top1"]
        snn = top1(run)
        rows = [["ANN", "%.2f" % ann, "", paper.NOT_AT_HAND, ""]]
        for t in self.args.steps:
            rows.append(["SNN, T = %d" % t, "%.2f" % snn[t], "%.2f" % (ann - snn[t]), paper.NOT_AT_HAND,
                         paper.cell(paper.LOSS.get(t), "%.2f", "loss")])
        self.add(table(self.out, "table1", ["", "ours: accuracy, %", "ours: points lost to the ANN",
                                            "paper: accuracy, %", "paper: points lost"], rows),
                 "%d test images. A public list gives %.2f %% as the paper's SNN on CIFAR-10, without T %s.\n"
                 % (run["samples"], paper.BEST, paper.mark("list")))
        losses = {t: ann - snn[t] for t in self.args.steps}
        known = [t for t in self.args.steps if t in paper.LOSS]
        inside = [t for t in known if losses[t] <= paper.LOSS[t]]
        falls = len(losses) > 1 and all(losses[b] < losses[a] for a, b in zip(self.args.steps, self.args.steps[1:]))
        words = ["The loss shrinks with each of these T" if falls else "One T says nothing of how the loss shrinks"
                 if len(losses) == 1 else "The loss does not shrink with each of these T"]
        for t in known:
            words.append("at T = %d it is %.2f points against the paper's %.2f (%s)" % (
                t, losses[t], paper.LOSS[t], "not larger" if t in inside else "larger"))
        self.add("; ".join(words) + ". The accuracy itself cannot agree: ours is a network of %.2f million "
                 "parameters, trained from scratch on CIFAR-10 alone, the paper's a Swin-T that was trained on "
                 "ImageNet first (28.5 million parameters %s).\n"
                 % (self.models["swin"]["parameters"] / 1e6, paper.mark("report")))
        return None

    def table3(self):
        args, rows = self.args, []
        self.add("## Table 3: masking, power and accuracy\n")
        measured = [n for names in experiments.FAMILIES.values() for n in names if ("table3", n) in self.found]
        if not measured:
            return self.absent("swin", "resnet18", "vgg16")
        changes = {}
        for family, names in experiments.FAMILIES.items():
            base = self.found.get(("table3", family))
            for name in (n for n in names if n in measured):
                run = self.found["table3", name]
                accuracy, spikes = top1(run)[args.at], run["spikes_per_sample"]
                ratio = change = ""
                if base is not None:
                    changes[name] = (100 - 100 * spikes / base["spikes_per_sample"], accuracy - top1(base)[args.at])
                    ratio = "%.1f" % (100 - changes[name][0])
                    change = points(changes[name][1])
                saving = paper.SAVING.get(name)
                rows.append([TITLES[name], "%.0f" % (spikes / 1e3), "%.3f" % (1e3 * run["power_alpha_watts"]), ratio,
                             "%.2f" % accuracy, change,
                             "100" if name == family else paper.NOT_AT_HAND if saving is None else
                             "%.1f %s" % (100 - saving, paper.mark("abstract")),
                             "" if name == family else paper.cell(paper.ACCURACY.get(name), "%s", "abstract"),
                             "%.1f" % (run["energy_pj"] / 1e6)])
        run = self.found["table3", measured[0]]
        self.add(table(self.out, "table3", ["", "spikes per image, thousands", "power by Eq. 10, mW",
                                            "of unmasked, %", "accuracy, %", "against unmasked, points",
                                            "paper: power of unmasked, %", "paper: accuracy",
                                            "energy by operations, uJ"], rows),
                 "%d test images, T = %d (which T the paper's table has is not known here). Power is that of Eq. 10 "
                 "per inference, spikes / 1 ms * alpha, with alpha = %g J: the paper's alpha is not at hand, it "
                 "scales all rows alike and leaves the ratios as they are. Energy is another measure: 0.9 pJ for "
                 "each addition that a spike causes, 4.6 pJ for each multiplication of analog inputs. The paper's rows "
                 "are masked in self-attention (Swin) and in every block (ResNet-18, VGG-16) %s; the MLP row is "
                 "ours.\n" % (run["samples"], args.at, run["energy"]["constants"]["alpha_joules"], paper.mark("report")))
        self.table3_verdict(changes)
        return None

    def table3_verdict(self, changes):
        words = []
        if "swin-sa75" in changes:
            saving, change = changes["swin-sa75"]
            base = self.found["table3", "swin"]
            share = 100 * sum(layer["spikes_per_sample"] for layer in base["layers"] if layer["site"] in ("q", "k", "attn")) \
                / sum(layer["spikes_per_sample"] for layer in base["layers"])
            words.append("With 75 %% of self-attention masked, power %s by %.1f %% (paper: falls by %.1f %%) and "
                         "accuracy changes by %s points (paper: the same level): the saving is %.1f points %s than the "
                         "paper's, the accuracy %s. Q, K and the attention map have %.1f %% of our unmasked Swin's "
                         "spikes, which bounds what masks there can remove by themselves."
                         % ("falls" if saving >= 0 else "rises", abs(saving), paper.SAVING["swin-sa75"], points(change),
                            abs(saving - paper.SAVING["swin-sa75"]),
                            "smaller" if saving < paper.SAVING["swin-sa75"] else "larger", agreement(change), share))
            words.append("A rerun of the authors' ImageNet checkpoints at T = 128 lost %.2f points at 75 %% (77.95 %% "
                         "unmasked, 77.12 %% masked %s)." % (77.95 - 77.12, paper.mark("report")))
        worst = [n for n, (_, change) in changes.items() if change < -0.5 and n != "swin-sa75"]
        if worst:
            words.append("More than half a point is lost by %s; how long each was fine-tuned is in "
                         "examples/models/README.md." % join("%s (%s)" % (TITLES[n], points(changes[n][1]))
                                                             for n in worst))
        longer = {n: self.found["longer", n] for n in RUNS if ("longer", n) in self.found}
        if longer:
            at, more = self.args.at, experiments.LONGER * self.args.at
            rises = all(top1(run)[more] > top1(run)[at] for run in longer.values())
            words.append("With masks behind every layer what is left of the spikes scatters, and a neuron cannot take "
                         "back what it has fired too much. More steps %s: on the first %d images the "
                         "accuracy at T = %d and T = %d is %s." % (
                             "help" if rises else "do not help each of them", next(iter(longer.values()))["samples"],
                             at, more,
                             join("%.1f and %.1f %% (%s)" % (top1(run)[at], top1(run)[more], TITLES[n])
                                  for n, run in longer.items())))
        if words:
            self.add(" ".join(words) + "\n")

    # ---- figures ----

    def fig3(self):
        found = {n: self.found["fig3", n] for n in ("swin", "swin-ln") if ("fig3", n) in self.found}
        self.add("## Fig. 3: activations and potentials, BatchNorm against LayerNorm\n")
        if not found:
            return self.absent("swin", "swin-ln")
        titles = dict(TITLES, swin="Swin, BatchNorm")
        rows = []
        for name, r in found.items():
            for what in ("activation", "potential"):
                rows += [[titles[name], what, i, "%.8f" % v] for i, v in enumerate(r[what])]
        table(self.out, "fig3", ["model", "histogram", "bin", "share"], rows)
        self.add(table(self.out, "fig3-summary", [
            "", "images", "mean abs. error of the rate, theta", "correlation of rate and activation",
            "deviation of the potential, theta", "potentials beyond -1..2 theta, %"],
            [[titles[n], r["images"], "%.4f" % r["error"], number(r["correlation"]),
              "%.3f" % r["potential_deviation"], "%.2f" % (100 * r["outside"])] for n, r in found.items()]))
        if len(found) == 1:
            self.absent(*(n for n in ("swin", "swin-ln") if n not in found))
        self.picture("fig3", figures.distributions, found, titles, self.args.at)
        self.add("All neurons of all layers, in units of their thresholds. A neuron's accumulated potential is what it "
                 "received in T steps, (v(T) - v(0) + theta * spikes) / T; exact conversion puts each "
                 "on the dashed line, or straight above its upper or below its lower end, where both saturate. The two "
                 "were not trained for the same number of epochs (examples/models/README.md).\n")
        if len(found) == 2:
            bn, ln = found["swin"], found["swin-ln"]
            better = {bn["error"] < ln["error"], (bn["correlation"] or 0) > (ln["correlation"] or 0)}
            self.add("The paper's point, that ANN and SNN stay alike with BatchNorm and spread apart with LayerNorm "
                     "%s, %s here: the rates' mean error is %.4f theta with BatchNorm and %.4f with LayerNorm, their "
                     "correlation with the activations %s and %s.%s\n" % (
                         paper.mark("report"), {(True,): "holds", (False,): "does not hold"}.get(
                             tuple(better), "holds by one measure and not by the other"), bn["error"], ln["error"],
                         number(bn["correlation"]) or "none", number(ln["correlation"]) or "none",
                         "" if better == {True} else
                         " Our LayerNorm stays an analog operation at each step and is not approximated by spikes, "
                         "which may be why."))
        else:
            self.add("Without the other model nothing can be said about the paper's point, that ANN and SNN stay alike "
                     "with BatchNorm and spread apart with LayerNorm %s.\n" % paper.mark("report"))
        return None

    def runs(self, *key):
        """The results over seeds."""
        return [r for name, r in self.found.items() if name[:-1] == key]

    def accuracy(self, runs):
        return mean_and_deviation([top1(r)[self.args.at] for r in runs])

    def fig5(self):
        self.add("## Fig. 5: accuracy over the masked share, self-attention and MLP\n")
        curves, rows, cells = {}, [], []
        for part, models in experiments.CURVES.items():
            for name, trained in models.items():
                found = {}
                for ratio in (0.0,) + experiments.RATIOS:
                    runs = self.runs("ratio", part, name, ratio)
                    if runs:
                        found[ratio] = self.accuracy(runs)
                        rows.append([part, TITLES[name], "%g" % (100 * trained), "%g" % (100 * ratio), len(runs),
                                     runs[0]["samples"], self.args.at, *map(decimals, found[ratio]),
                                     "%.1f" % (statistics.mean(r["spikes_per_sample"] for r in runs) / 1e3)])
                if found:
                    curves.setdefault(part, {})[name] = {"trained": trained, "points": found}
                    cells.append([part, figures.label_of(TITLES, name)] + [
                        ("**%s**" if ratio == trained else "%s") % (
                            "%.1f" % mean if deviation is None else "%.1f ± %.1f" % (mean, deviation))
                        for ratio, (mean, deviation) in found.items()] + [paper.NOT_AT_HAND])
        if not curves:
            return self.absent("swin")
        table(self.out, "fig5", ["masked", "model", "trained with, %", "masked spikes, %", "seeds", "images", "T",
                                 "mean accuracy, %", "deviation, points", "spikes per image, thousands"], rows)
        self.add(markdown(["masked", "model", "none, %"] + ["%g %% masked" % (100 * r) for r in experiments.RATIOS]
                          + ["paper"], cells))
        absent = {n for models in experiments.CURVES.values() for n in models if n not in self.models}
        if absent:
            self.absent(*sorted(absent))
        self.picture("fig5", figures.over_ratios, curves, TITLES)
        samples = self.found[next(k for k in self.found if k[0] == "ratio")]["samples"]
        self.add("Mean and deviation over %d seeds of the masks, T = %d, the first %d test images: the deviation is "
                 "that of the masks, not of the choice of images (one standard error of 80 %% is %.1f points on so "
                 "few), and without masks there is none. Bold: the ratio that the model was trained with.\n"
                 % (self.args.seeds, self.args.at, samples, 100 * (0.16 / samples) ** 0.5))
        self.fig5_verdict(curves)
        return None

    def fig5_verdict(self, curves):
        words, own = [], []
        for part, models in curves.items():
            for name, curve in models.items():
                trained = curve["trained"]
                if trained:
                    own.append("%s %g %%" % (part, 100 * trained))
                if trained and "swin" in models:
                    plain = models["swin"]["points"]
                    words.append("at %g %% of the %s the unmasked-trained network has %.1f %%, the one fine-tuned "
                                 "for it %.1f %%, against %.1f %% without masks" % (
                                     100 * trained, {"SA": "self-attention"}.get(part, part), plain[trained][0],
                                     curve["points"][trained][0], plain[0.0][0]))
        self.add("How the paper's networks were trained: masks act in training and inference, the authors publish a "
                 "checkpoint of its own for 75 %% %s, and the masked network is distilled from the unmasked one %s; "
                 "so its points are of networks trained for their ratio. %s network at a ratio that it was not trained "
                 "for." % (paper.mark("readme"), paper.mark("loss"),
                           "We have such networks, distilled as well, at %s, which the dashed line joins to the "
                           "unmasked one; every other point with masks runs a" % join(own) if own else
                           "We have none of those here; every point with masks runs a"))
        if words:
            text = "; ".join(words)
            self.add(text[0].upper() + text[1:] + ".")
        self.add("The paper's claim, that accuracy is kept over a range of ratios %s, %s; its curves "
                 "are not at hand.\n" % (paper.mark("readme"), "can thus be judged at these ratios only" if own else
                                         "cannot be judged by that"))

    def fig6(self):
        self.add("## Fig. 6: number of masked blocks\n")
        curves, rows = {}, []
        for name in experiments.BLOCK_MODELS:
            none = self.runs("ratio", "SA", name, 0.0)
            if not none:
                continue
            base = none[0]["spikes_per_sample"]
            last = max((k[2] for k in self.found if k[:2] == ("blocks", name)), default=0)
            for n in range(last + 1):
                runs = self.runs("blocks", name, n) if n else none
                mean, deviation = self.accuracy(runs)
                spikes = statistics.mean(r["spikes_per_sample"] for r in runs)
                curves.setdefault(name, {})[n] = (mean, deviation, 100 * spikes / base)
                rows.append([figures.label_of(TITLES, name), n, len(runs), runs[0]["samples"], decimals(mean),
                             decimals(deviation), "%.1f" % (spikes / 1e3), "%.1f" % (100 * spikes / base),
                             paper.NOT_AT_HAND])
        if not curves:
            return self.absent(*experiments.BLOCK_MODELS)
        self.add(table(self.out, "fig6", ["model", "masked blocks", "seeds", "images", "mean accuracy, %",
                                          "deviation, points", "spikes per image, thousands", "of none masked, %",
                                          "paper"], rows))
        absent = [n for n in experiments.BLOCK_MODELS if n not in self.models]
        if absent:
            self.absent(*absent)
        self.picture("fig6", figures.over_blocks, curves, TITLES)
        text = ["The first n of our blocks are masked in self-attention, 75 %% of Q, K and the attention map; the "
                "network has %d blocks, the paper's a Swin-T's 12." % max(curves[next(iter(curves))])]
        if "swin" in curves:
            values = [v[0] for v in curves["swin"].values()]
            text.append("Trained without masks, accuracy goes from %.1f %% with no block masked to %.1f %% with "
                        "all, %s."
                        % (values[0], values[-1], "falling with each block" if
                           all(b <= a for a, b in zip(values, values[1:])) else "not falling at each block"))
        if "swin-sa75" in curves:
            values = [v[0] for v in curves["swin-sa75"].values()]
            text.append("The network distilled with all blocks masked has %.1f %% with all and %.1f %% with none: it "
                        "needs the masks that it was trained with." % (values[-1], values[0]) if values[0] < values[-1]
                        else "The network distilled with all blocks masked has %.1f %% with all and %.1f %% with none."
                        % (values[-1], values[0]))
        text.append("There is no network trained for each number of blocks here, as fair points would need, so this "
                    "shows how robust a network is rather than what masking costs after training; the paper's figures "
                    "are not at hand.")
        self.add(" ".join(text) + "\n")
        return None

    def fig7(self):
        self.add("## Fig. 7: spike activation maps\n")
        if "fig7" not in self.found:
            return self.absent("swin")
        r = self.found["fig7"]
        names = [n for n in experiments.MAP_MODELS if n in self.models]
        pictures, _ = files.read_cifar10(self.args.data / "test_batch.bin", max(experiments.SHOWN) + 1)
        rows = []
        for m, name in enumerate(names):
            for t, at in enumerate(r["at"]):
                rows.append([TITLES[name], at] + [number(r[k][m][t]) for k in ("same", "other", "rate")])
        header = ["model", "t", "with the unmasked network's map", "with that of another image",
                  "with the rates up to t"]
        table(self.out, "fig7", header, rows)
        table(self.out, "fig7-layers", ["model", "layer", "tokens a side", "with the unmasked network's map"],
              [[TITLES[n], layer, side, number(same)] for n, layers in zip(names, r["layers"])
               for layer, side, same in layers])
        shown = experiments.shown(r["images"])
        self.picture("fig7", figures.maps, r, names, TITLES, [pictures[i] for i in shown], files.CIFAR10_CLASSES, shown)
        self.add("Layer %s, %d x %d tokens: what enters the last stage. M(t) is the sum over channels of N(t) S(t): "
                 "S(t) is 1 where a neuron fires at t, N(t) the sum of exp(-%g (t - t')) over its earlier spikes t' "
                 "%s; each map is scaled by itself. Below an image: its class -> what the network says after %d "
                 "steps. Mean correlation of maps over %d images:\n"
                 % (r["layer"], r["side"], r["side"], probes.GAMMA, paper.mark("sam"), max(r["at"]), r["images"]),
                 markdown(header, rows))
        absent = [n for n in experiments.MAP_MODELS if n not in self.models]
        if absent:
            self.absent(*absent)
        self.fig7_verdict(r, names)
        return None

    def fig7_verdict(self, r, names):
        masked = [n for n in names if n != "swin"]
        if not masked:
            return
        same = [r["same"][names.index(n)][-1] or 0.0 for n in masked]
        other = [r["other"][names.index(n)][-1] or 0.0 for n in masked]
        layers = [v or 0.0 for n in masked for _, _, v in r["layers"][names.index(n)]]
        alike = all(a > 0.5 and a > b + 0.2 for a, b in zip(same, other))
        self.add("The paper's point, that networks with other masking ratios look at similar regions at the same "
                 "time step %s, %s: at t = %d the maps correlate with the unmasked network's by %s, with those of "
                 "another image by %s. The layer was chosen by eye for clear maps: over all layers behind a norm the "
                 "correlation goes from %.2f to %.2f (fig7-layers.csv). Which layer and steps the paper shows is not "
                 "known here, and maps of %d x %d tokens are coarser than its.\n" % (
                     paper.mark("report"), "holds" if alike else "is not clear here", r["at"][-1],
                     join("%.2f (%s)" % (a, TITLES[n]) for a, n in zip(same, masked)),
                     join("%.2f" % b for b in other), min(layers), max(layers), r["side"], r["side"]))

    def over_time(self):
        curves = {TITLES[n]: top1(self.found["table3", n]) for n in RUNS if ("table3", n) in self.found}
        if "table1" in self.found:
            curves[TITLES["swin"]] = top1(self.found["table1"])
        if not curves:
            return
        steps = sorted({t for curve in curves.values() for t in curve})
        self.add("## Accuracy over time, %\n", table(
            self.out, "accuracy", [""] + ["T = %d" % t for t in steps],
            [[title] + ["%.2f" % curve[t] if t in curve else "" for t in steps] for title, curve in curves.items()]))
        anns = {f: self.found["ann", f] for f in experiments.FAMILIES if ("ann", f) in self.found}
        self.add("ANNs: %s. %d test images.\n" % (join("%s %.2f %%" % (TITLES[f], a["top1"]) for f, a in anns.items()),
                                                  next(iter(anns.values()))["images"]) if anns else "")
        self.picture("accuracy", figures.over_time, curves)


def write(args, models, missing, found):
    """README.md with everything, and its parts as csv, svg, png."""
    page = Page(args, models, found)
    page.add("# The paper's tables and figures, on our models\n",
             "Wang et al., Masked Spiking Transformer (ICCV 2023), arXiv 2210.01208, beside small networks of our "
             "own training (examples/models/README.md), measured by the C tools. The paper's tables and curves could "
             "not be read for this page: its figures are here where a source below states them, and \"not at hand\" "
             "elsewhere. One standard error of an accuracy of 80 %% on %d images is %.1f points.\n"
             % (args.count, 100 * (0.16 / args.count) ** 0.5))
    if missing:
        page.add("Not measured, the model is not there: %s.\n" % ", ".join(missing))
    if args.only:
        page.add("Measured were only: %s.\n" % ", ".join(RUNS[name][0] for name in models))
    for section in (page.table1, page.table3, page.fig3, page.fig5, page.fig6, page.fig7, page.over_time):
        section()
    page.add("## Sources\n", "\n".join("%d. %s" % (i + 1, text) for i, (_, text) in enumerate(paper.SOURCES)) + "\n")
    (args.out / "README.md").write_text("\n".join(page.text), encoding="utf-8")
