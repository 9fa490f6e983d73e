"""The sections of the paper's figures 3, 5, 6 and 7."""
import collections

import experiments
import figures
import paper
import probes
import runs
from document import decimals, join, markdown, points
from experiments import MODES, RUNS
from mst.data import files


def number(x):
    return "" if x is None else "%.3f" % x


def titles():
    return {name: run.title for name, run in RUNS.items()}


# ---- Fig. 3 ----

def figure3(page):
    """Activations of the ANN and potentials of the SNN, with BatchNorm and with LayerNorm."""
    page.add("## Fig. 3: activations and potentials, BatchNorm against LayerNorm\n")
    found = {n: page.found["fig3", n] for n in ("swin", "swin-ln") if ("fig3", n) in page.found}
    if not found:
        return page.absent("swin", "swin-ln")
    names = dict(titles(), swin="Swin, BatchNorm")
    page.csv("fig3", ["model", "histogram", "bin", "share"], [
        [names[name], what, i, "%.8f" % v] for name, r in found.items() for what in ("activation", "potential")
        for i, v in enumerate(r[what])])
    page.table("fig3-summary", ["", "images", "step: mean abs. error of the rate, theta", "step: correlation of rate and activation",
                                "step: deviation of the potential, theta", "step: potentials beyond -1..2 theta, %",
                                "count: mean abs. error of the rate, theta"],
               [[names[n], r["images"], "%.4f" % r["error"], number(r["correlation"]), "%.3f" % r["potential_deviation"],
                 "%.2f" % (100 * r["outside"]), "%.2g" % r["count_error"]] for n, r in found.items()])
    if len(found) == 1:
        page.absent(*(n for n in ("swin", "swin-ln") if n not in found))
    page.picture("fig3", figures.distributions, found, names, page.args.at)
    page.add("All neurons of all layers, in units of their thresholds, T = %d. A neuron's accumulated potential is what it received in T steps, "
             "(v(T) - v(0) + theta * spikes) / T; exact conversion puts each on the dashed line, or straight above its upper or below its lower end, where "
             "both saturate. A window of count mode is the ANN's own value but for ties of rounding, radix its digits. The two networks were "
             "not trained for the same number of epochs (examples/models/README.md).\n" % page.args.at)
    if len(found) == 1:
        return page.claim("fig3 BN and LN", None, "Without the other model nothing can be said about the paper's point, that ANN and "
                          "SNN are alike with BatchNorm and unlike with LayerNorm.")
    bn, ln = found["swin"], found["swin-ln"]
    better = (bn["error"] < ln["error"], (bn["correlation"] or 0) > (ln["correlation"] or 0))
    word = "holds" if all(better) else "holds by one measure and not by the other" if any(better) else "does not hold"
    return page.claim(
        "fig3 BN and LN", all(better),
        "The paper's point, that ANN and SNN are alike with BatchNorm and unlike with LayerNorm, %s here: the rates' mean error is %.4f theta with "
        "BatchNorm and %.4f with LayerNorm, their correlation with the activations %s and %s. In count mode it does not matter: the errors are %.2g and %.2g." % (
            word, bn["error"], ln["error"], number(bn["correlation"]) or "none", number(ln["correlation"]) or "none",
            bn["count_error"], ln["count_error"]),
        error=[bn["error"], ln["error"]], correlation=[bn["correlation"], ln["correlation"]],
        count=[bn["count_error"], ln["count_error"]])


# ---- Fig. 5 and 6: over seeds ----

# mean and deviation over seeds (None of one), of accuracy in percent; spikes a sample; shares: runs.shares
Point = collections.namedtuple("Point", "mean deviation images seeds spikes shares")


def over_seeds(page, mode, *key):
    """The Point of the runs of a network and a mode, None where there are none."""
    found = [r for name, r in page.found.items() if name[:-1] == key + (mode,)]
    if not found:
        return None
    t = page.args.at if mode == "step" else None
    spikes, _ = runs.scatter([runs.at(r, t)["spikes_per_sample"] for r in found])
    return Point(*runs.scatter([runs.top1(r, t) for r in found]), found[0]["samples"], len(found), spikes, runs.shares(found, t))


def cell(point):
    return "%.2f" % point.mean if point.deviation is None else "%.2f ± %.2f" % (point.mean, point.deviation)


def apart(a, b):
    """(points of mean a minus mean b, standard error of that, of images and masks)"""
    return runs.combined((1, a.shares), (-1, b.shares))


PANELS = {"SA": "self-attention (Q, K, attention map)", "MLP": "MLP (behind its first layer)", "resnet18": "ResNet-18 (every block)",
          "vgg16": "VGG-16 (every block)"}


def figure5(page):
    """Accuracy over the masked share, in four panels and three modes."""
    page.add("## Fig. 5: accuracy over the masked share\n")
    shares = [0] + [round(100 * r) for r in experiments.RATIOS]
    curves, rows, cells = {}, [], []
    for part, (plain, tuned) in experiments.CURVES.items():
        for mode in MODES:
            plain_points = {s: over_seeds(page, mode, "fig5", part, plain, s) for s in shares}
            own = {0: plain_points[0]}
            own.update({s: over_seeds(page, mode, "fig5", part, experiments.fine_tuned(part, s, mode), s) for s in tuned})
            for kind, found in (("trained unmasked", plain_points), ("trained for it", own)):
                found = {s: p for s, p in found.items() if p is not None}
                if len(found) < 2 and kind == "trained for it" or not found:
                    continue
                curves[part, mode, kind] = found
                cells.append([PANELS[part], mode, kind] + [cell(found[s]) if s in found else "" for s in shares])
                rows += [[part, mode, kind, s, p.seeds, p.images, decimals(p.mean), decimals(p.deviation), "%.1f" % (p.spikes / 1e3)]
                         for s, p in found.items()]
    if not curves:
        return page.absent("swin", "resnet18", "vgg16")
    page.csv("fig5", ["masked", "mode", "network", "masked spikes, %", "seeds", "images", "mean accuracy, %",
                      "deviation, points", "spikes per image, thousands"], rows)
    page.add(markdown(["masked", "mode", "network", "none"] + ["%d %%" % s for s in shares[1:]], cells))
    page.picture("fig5", figures.over_ratios, curves, PANELS)
    page.add(counted(page, "fig5") + " The paper's points are of networks distilled for their ratio; ours are that where it says \"trained for it\" "
             "(Q, K and attention 50 and 75 %, MLP 50 %, blocks 50 and 75 %), the other lines are the unmasked network under masks that it never saw.\n")
    figure5_claims(page, curves)
    page.add("Not redone: the curves for CIFAR-100, whose training images are not to be had here.\n")
    return None


def counted(page, figure):
    """How many images and seeds the points of a figure have, from the runs themselves."""
    words = []
    for mode in MODES:
        found = [r for name, r in page.found.items() if name[0] == figure and name[-2] == mode]
        if found:
            seeds = max(name[-1] for name in page.found if name[0] == figure and name[-2] == mode)
            words.append("%s %d images, %d seed%s" % ("step (T = %d, float32)" % page.args.at if mode == "step" else "%s (int8 weights)" % mode,
                                                      found[0]["samples"], seeds, "" if seeds == 1 else "s"))
    return ("Mean and deviation over seeds of the masks, on the same images: %s. The deviation is that of the masks; behind ± in the sentences is the standard "
            "error of a difference, of images and masks." % "; ".join(words))


def figure5_claims(page, curves):
    share, lost = paper.FIG5_SA
    for mode in MODES:
        own = curves.get(("SA", mode, "trained for it"), {})
        if 75 in own and 0 in own:
            change, error = apart(own[75], own[0])
            level = change >= -lost - 2 * error
            page.claim("fig5 SA level %s" % mode, level,
                       "Self-attention, %s: at 75 %% the network trained for it has %s ± %.2f points against none masked (the paper loses %.1f at %d %%): %s." % (
                           mode, points(change), error, lost, share, "level within two standard errors" if level else "not level"),
                       ours=change, error=error, paper=-lost)
        own_mlp = curves.get(("MLP", mode, "trained for it"), {})
        if 50 in own and 50 in own_mlp:
            change, error = apart(own_mlp[50], own[50])
            steeper = change < -2 * error
            page.claim("fig5 MLP steeper %s" % mode, steeper,
                       "Half of the spikes masked, each network trained for it, %s: %.2f %% with self-attention masked, %.2f %% with the MLP masked, %s ± %.2f points: the MLP falls %s "
                       "sharply; in the paper it falls more sharply." % (mode, own[50].mean, own_mlp[50].mean, points(change), error, "more" if steeper else "not more"),
                       ours=[own[50].mean, own_mlp[50].mean], change=change, error=error)
        for part in ("resnet18", "vgg16"):
            own = curves.get((part, mode, "trained for it"), {})
            for s in (50, 75):
                if s in own and 0 in own:
                    change, error = apart(own[s], own[0])
                    theirs = paper.TABLE3[part][s][2] - paper.TABLE3[part][0][2]
                    page.claim("fig5 %s %d %s" % (part, s, mode), change >= theirs - 2 * error - 0.005,
                               "%s at %d %%, %s: %s ± %.2f points against none masked (paper, Table 3: %s): %s." % (
                                   PANELS[part], s, mode, points(change), error, points(theirs),
                                   "not more is lost, within two standard errors" if change >= theirs - 2 * error - 0.005 else "more is lost"),
                               ours=change, error=error, paper=theirs)


def figure6(page):
    """Accuracy over the number of masked blocks."""
    page.add("## Fig. 6: number of masked blocks\n")
    curves, rows = {}, []
    for name in experiments.BLOCK_MODELS:
        for mode in MODES:
            last = max((key[2] for key in page.found if key[:2] == ("fig6", name)), default=-1)
            found = {n: over_seeds(page, mode, "fig6", name, n) for n in range(last + 1)}
            found = {n: p for n, p in found.items() if p is not None}
            if not found:
                continue
            curves[name, mode] = found
            rows += [[RUNS[name].title, mode, n, p.seeds, p.images, decimals(p.mean), decimals(p.deviation), "%.1f" % (p.spikes / 1e3),
                      "%.1f" % (100 * p.spikes / found[0].spikes) if 0 in found else ""] for n, p in found.items()]
    if not curves:
        return page.absent(*experiments.BLOCK_MODELS)
    page.csv("fig6", ["model", "mode", "masked blocks", "seeds", "images", "mean accuracy, %", "deviation, points",
                      "spikes per image, thousands", "of none masked, %"], rows)
    most = max(n for found in curves.values() for n in found)
    page.add(markdown(["model", "mode", "none"] + ["first %d" % n for n in range(1, most + 1)],
                      [[RUNS[name].title, mode] + [cell(found[n]) if n in found else "" for n in range(most + 1)]
                       for (name, mode), found in curves.items()]))
    absent = [n for n in experiments.BLOCK_MODELS if n not in page.models]
    if absent:
        page.absent(*absent)
    page.picture("fig6", figures.over_blocks, curves, titles())
    page.add("The first n of our blocks are masked in self-attention, 75 %% of Q, K and the attention map; our network has %d blocks, the paper's 12, on CIFAR-100. %s No network was "
             "trained for each number of blocks: the lines show how robust one network is.\n" % (most, counted(page, "fig6")))
    few = paper.FIG6_SLIGHT[0]
    for mode in MODES:
        found = curves.get(("swin", mode), {})
        if few not in found or most not in found or 0 not in found:
            continue
        (early, error), (late, late_error) = (apart(found[0], found[n]) for n in (few, most))
        share = few / most
        over, over_error = runs.combined((1 - share, found[0].shares), (-1, found[few].shares), (share, found[most].shares))
        grows = over <= 2 * over_error
        page.claim("fig6 slight %s" % mode, grows,
                   "Trained unmasked, %s: %.2f ± %.2f points are lost with the first %d blocks masked, %.2f ± %.2f with all %d: %s; in the paper the loss is slight for the first %d to "
                   "%d of 12 blocks, then grows." % (mode, early, error, few, late, late_error, most, "the first cost no more than their share" if grows else
                                                     "the first cost more than their share", *paper.FIG6_SLIGHT),
                   ours=[early, late], error=[error, late_error], over=over, over_error=over_error)
    return None


# ---- Fig. 7 ----

def figure7(page):
    """Spike activation maps over the steps, beside Score-CAM of the ANN."""
    page.add("## Fig. 7: spike activation maps\n")
    if "fig7" not in page.found:
        return page.absent("swin")
    r = page.found["fig7"]
    names = [n for n in experiments.MAP_MODELS if n in page.models]
    pictures, _ = files.read_cifar10(page.args.data / "test_batch.bin", max(experiments.SHOWN) + 1)
    header = ["model", "t", "with the unmasked network's map", "with that of another image", "with the rates up to t",
              "with Score-CAM of the ANN", "with Score-CAM of another image"]
    rows = [[RUNS[name].title, at] + [number(r[k][m][t]) for k in ("same", "other", "rate", "cam_same", "cam_other")]
            for m, name in enumerate(names) for t, at in enumerate(r["at"])]
    page.csv("fig7-layers", ["model", "layer", "tokens a side", "with the unmasked network's map"],
             [[RUNS[n].title, layer, side, number(same)] for n, layers in zip(names, r["layers"]) for layer, side, same in layers])
    shown = experiments.shown(r["images"])
    page.picture("fig7", figures.maps, r, names, titles(), [pictures[i] for i in shown], files.CIFAR10_CLASSES, shown)
    page.add("Layer %s, %d x %d tokens: what enters the last stage. M(t) is the sum over channels of N(t) S(t): S(t) is 1 where a neuron fires at t, N(t) the sum of "
             "exp(-%g (t - t')) over its earlier spikes t' %s; each map is scaled by itself. Last column: Score-CAM of the unmasked ANN at that layer %s. Below an image: "
             "its class -> what the network says after %d steps. Count and radix have no map of their own: what a neuron fires in a window is the ANN's "
             "activation. Mean correlation of maps over %d images (Score-CAM: the first %d):\n"
             % (r["layer"], r["side"], r["side"], probes.GAMMA, paper.mark("sam"), paper.mark("scorecam"), max(r["at"]), r["images"],
                min(r["images"], probes.CAMS)))
    page.table("fig7", header, rows)
    absent = [n for n in experiments.MAP_MODELS if n not in page.models]
    if absent:
        page.absent(*absent)
    figure7_claims(page, r, names)
    return None


def figure7_claims(page, r, names):
    masked = [n for n in names if n != "swin"]
    if masked:
        same = [r["same"][names.index(n)][-1] or 0.0 for n in masked]
        other = [r["other"][names.index(n)][-1] or 0.0 for n in masked]
        layers = [v or 0.0 for n in masked for _, _, v in r["layers"][names.index(n)]]
        alike = all(a > 0.5 and a > b + 0.2 for a, b in zip(same, other))
        page.claim("fig7 same regions", alike,
                   "That networks with other masking ratios look at the same regions %s: at t = %d the maps correlate with the unmasked network's by %s, with those of another image "
                   "by %s. The layer was chosen by eye for clear maps: over all layers behind a norm the correlation goes from %.2f to %.2f (fig7-layers.csv)." % (
                       "holds" if alike else "is not clear here", r["at"][-1],
                       join("%.2f (%s)" % (a, RUNS[n].title) for a, n in zip(same, masked)), join("%.2f" % b for b in other),
                       min(layers), max(layers)), same=same, other=other, layers=[min(layers), max(layers)])
    cam = [r["cam_same"][m][-1] or 0.0 for m in range(len(names))]
    other = [r["cam_other"][m][-1] or 0.0 for m in range(len(names))]
    alike = all(a > 0.5 and a > b + 0.2 for a, b in zip(cam, other))
    page.claim("fig7 Score-CAM", alike,
               "That these are the regions of the ANN's Score-CAM %s: at t = %d the maps correlate with it by %s, with that of another image by %s." % (
                   "holds" if alike else "is not clear here", r["at"][-1],
                   join("%.2f (%s)" % (a, RUNS[n].title) for a, n in zip(cam, names)), join("%.2f" % b for b in other)),
               cam=cam, other=other)


SECTIONS = (figure3, figure5, figure6, figure7)
