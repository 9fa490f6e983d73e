"""The sections of the paper's tables, and Fig. 1, which is drawn from Table 1."""
import event_section
import experiments
import figures
import paper
import runs
from document import decimals, join, points, with_error
from experiments import LABELS, RUNS



def table1(page):
    """Accuracy over T against the ANN, with the paper's loss beside ours, and the windows that lose nothing."""
    page.add("## Table 1: accuracy on CIFAR-10\n")
    if ("table", "swin", "step") not in page.found:
        return page.absent("swin")
    run, ann = page.found["table", "swin", "step"], page.found["table", "swin", "ann"]
    paper_ann, paper_snn = paper.TABLE1["CIFAR-10"]
    rows = [["ANN", "%.2f" % runs.top1(ann), "", "1", "", "%.2f" % paper_ann, ""]]
    lost = {}
    for t in page.args.steps:
        lost[t] = change, error = runs.paired(run, t, ann, None)
        rows.append(["step, T = %d" % t, "%.2f" % runs.top1(run, t), with_error(change, error),
                     "%.3f" % runs.at(run, t)["energy_ratio"], t, decimals(paper_snn.get(t)),
                     decimals(paper_snn[t] - paper_ann if t in paper_snn else None)])
    for mode in experiments.WINDOW:
        window = page.found["table", "swin", mode]
        rows.append([LABELS[mode], "%.2f" % runs.top1(window), with_error(*runs.paired(window, None, ann, None)),
                     "%.3f" % runs.at(window)["energy_ratio"], "%g" % window["latency_steps"], "", ""])
    page.table("table1", ["", "ours: accuracy, %", "ours: against the ANN, points", "energy, of the ANN's", "steps till the answer",
                          "paper: accuracy, %", "paper: against the ANN, points"], rows)
    page.add("%d test images; behind ± the standard error of the difference, of pairs on the same images. Energy: fp32 set of docs/ENERGY.md, without memory. "
             "Ours is a Swin of %.2f million parameters, trained on CIFAR-10 alone; the paper's a Swin-T of %.1f million that "
             "was trained on ImageNet first %s: accuracies cannot be compared, losses can.\n"
             % (run["samples"], page.models["swin"]["parameters"] / 1e6, paper.PARAMETERS / 1e6, paper.mark("paper")))
    for t in (t for t in page.args.steps if t in paper_snn):
        change, error = lost[t]
        theirs = paper_ann - paper_snn[t]
        side = runs.compare(-change, error, theirs)
        page.claim("table1 T=%d" % t, side != "larger",
                   "T = %d: ours loses %.2f ± %.2f points to its ANN, the paper's %.2f: %s." % (
                       t, -change, error, theirs, {"same": "the same within two standard errors",
                                                   "smaller": "less is lost than in the paper",
                                                   "larger": "more is lost than in the paper"}[side]),
                   ours=-change, error=error, paper=theirs)
    ordered = [lost[t][0] for t in page.args.steps]
    if len(ordered) > 1:
        falls = all(b >= a for a, b in zip(ordered, ordered[1:]))
        page.claim("table1 falls", falls, "The loss %s with each of these T, as the paper's does." % (
            "shrinks" if falls else "does not shrink"), ours=ordered)
    page.add("Not redone: CIFAR-100 and ImageNet (%s; %s). CIFAR-100's training images and ImageNet are not to be had by the package "
             "indexes that this project builds from, and coarse classes would be another task.\n" % (
                 losses_of("CIFAR-100"), losses_of("ImageNet")))
    return None


def losses_of(data):
    ann, snn = paper.TABLE1[data]
    return "paper on %s: %.2f %%, %s" % (data, ann, join("%s points at T = %d" % (points(a - ann), t)
                                                         for t, a in snn.items()))


def figure1(page):
    """Accuracy over time steps: ours in all modes, the paper's, and the others of its Table 1."""
    page.add("## Fig. 1: accuracy over time steps\n")
    steps = {name: page.found["table", name, "step"] for name in RUNS if ("table", name, "step") in page.found}
    if not steps:
        return page.absent(*(name for name, run in RUNS.items() if "step" in run.modes and run.family))
    times = sorted({t for run in steps.values() for t in runs.over_time(run)})
    rows = []
    for name, run in steps.items():
        curve = runs.over_time(run)
        windows = {mode: experiments.row_of(RUNS[name].family, RUNS[name].share, mode) for mode in experiments.WINDOW}
        if "mlp" in name:
            windows = {mode: name for mode in experiments.WINDOW}
        rows.append([RUNS[name].title] + [decimals(curve.get(t)) for t in times] + [
            decimals(runs.top1(page.found["table", other, mode]) if ("table", other, mode) in page.found else None)
            for mode, other in windows.items()])
    page.table("fig1", [""] + ["T = %d" % t for t in times] + [LABELS[mode] for mode in experiments.WINDOW], rows)
    page.add("Accuracy in %. Masked CNNs are of two trainings: those of `step` for single spikes, those of count and radix for thinned "
             "levels (examples/models/README.md).\n")
    ours = {RUNS[name].title: runs.over_time(steps[name]) for name in experiments.FAMILIES if name in steps}
    dots = {"%s, %s" % (RUNS[name].title, mode): (page.found["table", name, mode]["latency_steps"],
                                                  runs.top1(page.found["table", name, mode]))
            for name in experiments.FAMILIES for mode in experiments.WINDOW if ("table", name, mode) in page.found}
    page.picture("fig1", figures.over_time, ours, dots, paper.TABLE1["CIFAR-10"][1], paper.OTHERS)
    page.add("Dots are count and radix, at the step at which their answer stands: a layer fires after its window, so latency is window times depth, while "
             "throughput is a window a sample. Squares are the others of the paper's Table 1 on CIFAR-10 %s.\n" % paper.mark("paper"))
    return None


def table3(page):
    """Masks: power, accuracy; the paper's beside ours in step mode, then the windows."""
    args, rows, changes = page.args, [], {}
    page.add("## Table 3: masking, power and accuracy\n")
    for family in experiments.FAMILIES:
        base = page.found.get(("table", family, "step"))
        for share, (power, ratio, accuracy) in paper.TABLE3[family].items():
            name = experiments.row_of(family, share, "step")
            run = page.found.get(("table", name, "step"))
            if run is None:
                continue
            row = [RUNS[name].title, "%.3f" % (1e3 * spikes(run, args.at) * alpha(run) / 1e-3)]
            if base is None or share == 0:
                row += ["", "%.2f" % runs.top1(run, args.at), ""]
            else:
                changes[name] = change = (spikes(run, args.at) / spikes(base, args.at),) + runs.paired(run, args.at, base, args.at)
                row += ["%.2f" % change[0], "%.2f" % runs.top1(run, args.at), with_error(*change[1:])]
            rows.append(row + ["%g M" % (power / 1e6), "%.2f" % ratio if share else "", "%.2f" % accuracy,
                               points(accuracy - paper.TABLE3[family][0][2]) if share else ""])
    if rows:
        paper_rows(page, rows, changes)
    else:
        page.absent(*experiments.FAMILIES)
    windows(page)


def paper_rows(page, rows, changes):
    """The table beside the paper's, and a sentence for each masked row."""
    page.table("table3", ["", "ours: power by Eq. 10, mW", "ours: of unmasked", "ours: accuracy, %", "ours: against unmasked, points",
                          "paper: power, alpha W", "paper: of unmasked", "paper: accuracy, %", "paper: against unmasked, points"], rows)
    one = next(r for k, r in page.found.items() if k[0] == "table" and k[2] == "step")
    page.add("%d test images, step mode, T = %d (the paper does not state the T of its CNN rows; its Swin's is 256). Power is that of Eq. 10, spikes / 1 ms "
             "* alpha, with alpha = %g J, which scales all rows alike. Behind ± the standard error of the difference, of pairs on the same images, one seed of the masks.\n"
             % (one["samples"], page.args.at, alpha(one)))
    for name, (ratio, change, error) in changes.items():
        row_claims(page, name, ratio, change, error)


def spikes(run, t=None):
    return runs.at(run, t)["spikes_per_sample"]


def alpha(run):
    return run["energy"]["constants"]["alpha_joules"]


def row_claims(page, name, ratio, change, error):
    """A masked row of Table 3 against the paper's: the saving, and what it costs."""
    family, share = RUNS[name].family, RUNS[name].share
    _, their_ratio, accuracy = paper.TABLE3[family][share]
    theirs = accuracy - paper.TABLE3[family][0][2]
    side = runs.compare(change, error, theirs)
    saves = ratio <= their_ratio + 0.005
    page.claim("table3 %s" % name, saves and side != "smaller",
               "%s: power is %.2f of unmasked (paper: %.2f, %s), accuracy changes by %s points (paper: %s, %s)." % (
                   RUNS[name].title, ratio, their_ratio, "at least that is saved" if saves else "less is saved",
                   with_error(change, error), points(theirs),
                   {"same": "the same within two standard errors", "smaller": "more is lost here",
                    "larger": "less is lost here"}[side]),
               ratio=ratio, paper_ratio=their_ratio, ours=change, error=error, paper=theirs)


def windows(page):
    """What the paper could not do: the same rows in count and radix, and what step needs for that accuracy."""
    rows = []
    for name, run in RUNS.items():
        if run.family not in experiments.FAMILIES:
            continue
        base = page.found.get(("table", run.family, "ann"))
        for mode in run.modes:
            one = page.found.get(("table", name, mode))
            if one is None:
                continue
            t = page.args.at if mode == "step" else None
            entry = runs.at(one, t)
            rows.append([run.title, "step, T = %d" % t if t else LABELS[mode], "%.2f" % entry["top1_percent"],
                         with_error(*runs.paired(one, t, base, None)) if base else "",
                         "%.0f" % (entry["spikes_per_sample"] / 1e3), "%.1f" % (entry["sops_per_sample"] / 1e6),
                         "%.1f" % (entry["energy_pj"] / 1e6), "%.3f" % entry["energy_ratio"]])
    if not rows:
        return few_steps(page)
    page.add("### The same in count and radix\n")
    page.table("table3-modes", ["", "mode", "accuracy, %", "against the unmasked ANN, points", "spikes per image, thousands",
                                "SOPs per image, millions", "energy, uJ", "of the ANN's"], rows)
    rows = [row for family in experiments.FAMILIES for share in paper.TABLE3[family]
            for row in equal_accuracy(page, family, share)]
    if rows:
        page.add("What step mode takes for the same accuracy, the steps asked for being powers of two:\n")
        page.table("table3-equal", ["", "mode", "accuracy, %", "step mode has that at T", "its accuracy there, %", "its spikes, times", "its energy, times"], rows)
    kept(page)
    return few_steps(page)


def equal_accuracy(page, family, share):
    """Rows: at how many steps step mode is as good as a window, and its spikes and energy there (at the most steps where it never is)."""
    step = page.found.get(("table", experiments.row_of(family, share, "step"), "step"))
    rows = []
    for mode in experiments.WINDOW:
        name = experiments.row_of(family, share, mode)
        window = page.found.get(("table", name, mode))
        if step is None or window is None:
            continue
        accuracy, last = runs.top1(window), max(runs.over_time(step))
        t = runs.first_step_as_good(step, accuracy)
        entry = runs.at(step, t or last)
        rows.append([RUNS[name].title, LABELS[mode], "%.2f" % accuracy, t or "not by %d" % last, "%.2f" % entry["top1_percent"]]
                    + ["%.2f" % (entry[key] / runs.at(window)[key]) for key in ("spikes_per_sample", "energy_pj")])
    return rows


def kept(page):
    """What masked CNNs keep in windows, against step mode and the paper."""
    for family in ("resnet18", "vgg16"):
        ann = page.found.get(("table", family, "ann"))
        for share in (50, 75):
            step = page.found.get(("table", experiments.row_of(family, share, "step"), "step"))
            name = experiments.row_of(family, share, "count")
            window = page.found.get(("table", name, "count"))
            if ann is None or step is None or window is None:
                continue
            change, error = runs.paired(window, None, ann, None)
            theirs = paper.TABLE3[family][share][2] - paper.TABLE3[family][0][2]
            side = runs.compare(change, error, theirs)
            page.claim("kept %s" % name, side != "smaller",
                       "%s keeps %.2f %% in count mode, %s points against the unmasked ANN (step mode at T = %d: %.2f %%; the paper's against its unmasked SNN: %s points): %s." % (
                           RUNS[name].title, runs.top1(window), with_error(change, error), page.args.at, runs.top1(step, page.args.at), points(theirs),
                           {"same": "the same within two standard errors", "smaller": "more is lost here", "larger": "less is lost here"}[side]),
                       ours=change, error=error, paper=theirs)


def few_steps(page):
    """RSM in the training of a network of few levels, which the paper leaves to the future."""
    page.add("### Trained with masks for few steps\n")
    run, ann, usual = (page.found.get(key) for key in (("table", "swin-l4", "count"), ("table", "swin", "ann"),
                                                       ("table", "swin-sa75", "count")))
    if run is None:
        return page.absent("swin-l4")
    levels = run["layers"][0]["levels"]
    against = "" if ann is None or usual is None else \
        ", %s points against the unmasked ANN of 16 levels, with %.2f times the spikes and %.2f times the energy of the masked network of 16 levels" % (
            with_error(*runs.paired(run, None, ann, None)), spikes(run) / spikes(usual),
            runs.at(run)["energy_pj"] / runs.at(usual)["energy_pj"])
    return page.claim("few steps", None,
                      "%s, trained with thinned levels under the masks: %.2f %% in count mode with T = %d%s; %.0f thousand spikes an image, %.3f of its ANN's energy." % (
                          RUNS["swin-l4"].title, runs.top1(run), levels, against, spikes(run) / 1e3, runs.at(run)["energy_ratio"]),
                      accuracy=runs.top1(run), levels=levels, spikes=spikes(run), energy=runs.at(run)["energy_ratio"])


SECTIONS = (table1, figure1, event_section.table2, table3)
