"""Tables, figures and the page of reproduce.py, from the JSON of the tools."""
import csv

# What the paper states (Masked Spiking Transformer, ICCV 2023). Its figures are not copied here.
PAPER_LOSS = {64: "1.82", 256: "0.87"}  # points between ANN and SNN on CIFAR-10
PAPER_SAVING = "26.8"  # percent less power with 75 % of self-attention masked, at equal accuracy
SWINS = ("swin", "swin-sa50", "swin-sa75", "swin-mlp50")
CNNS = ("resnet18", "resnet18-50", "resnet18-75", "vgg16", "vgg16-50", "vgg16-75")


def accuracy(result):
    """{t: SNN accuracy in percent}"""
    return {at["t"]: 100 * at["top1"] for at in result["run"]["top1"]}


def table(path, header, rows):
    """Write a CSV; the same as Markdown is returned."""
    with open(path, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header] + rows)
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header)] + rows]
    return "\n".join(lines) + "\n"


def power_rows(found, names):
    """Accuracy, power (Eq. 10) and operations of a family, with the saving against its unmasked member."""
    rows, base = [], None
    for name in names:
        if "-" not in name:
            base = None
        if name not in found:
            continue
        run = found[name]["run"]
        base = run if "-" not in name else base
        saving = "%.1f" % (100 - 100 * run["spikes_per_sample"] / base["spikes_per_sample"]) if base else ""
        rows.append([found[name]["title"], run["samples"], run["T"], "%.2f" % accuracy(found[name])[run["T"]],
                     "%.0f" % (run["spikes_per_sample"] / 1e3), "%.3f" % (1e3 * run["power_alpha_watts"]), saving,
                     "%.1f" % (run["sops_per_sample"] / 1e6), "%.1f" % (run["energy_pj"] / 1e6)])
    return rows


POWER = ["model", "images", "T", "SNN accuracy %", "spikes per image, thousands", "power, Eq. 10, mW per inference",
         "less than unmasked, %", "synaptic operations, millions", "energy, microjoules"]


def blocks(result):
    """{block: (spikes per image, neurons)} of the layers inside transformer blocks."""
    sums = {}
    for layer in result["run"]["layers"]:
        if layer["block"] >= 0:
            spikes, neurons = sums.get(layer["block"], (0.0, 0))
            sums[layer["block"]] = (spikes + layer["spikes"] / result["run"]["samples"], neurons + layer["neurons"])
    return sums


def draw(plt, args, name, build, size=(5.2, 3.4)):
    figure, axes = plt.subplots(figsize=size)
    build(axes)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    for kind in ("svg", "png"):
        figure.savefig(args.out / ("%s.%s" % (name, kind)), dpi=120, metadata={"Date": None} if kind == "svg" else None)
    plt.close(figure)
    return "![%s](%s.png)\n" % (name, name)


def over_time(found, names):
    def build(axes):
        for name in names:
            points = sorted(accuracy(found[name]).items())
            axes.plot(*zip(*points), marker="o", markersize=3, label=found[name]["title"])
        axes.set(xscale="log", xlabel="time steps T", ylabel="SNN accuracy, %")
        axes.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        axes.legend(fontsize=8)
    return build


def layer_errors(found, names):
    def build(axes):
        for name in names:
            errors = [layer["rel_l2"] for layer in found[name]["calib"]["layers"]]
            axes.plot(errors, marker=".", label=found[name]["title"])
        axes.set(xlabel="layer, from the input", ylabel="relative error of its activation")
        axes.legend(fontsize=8)
    return build


def block_bars(found, names):
    def build(axes):
        width = 0.8 / len(names)
        for i, name in enumerate(names):
            sums = blocks(found[name])
            axes.bar([b + (i - (len(names) - 1) / 2) * width for b in sums], [s / 1e3 for s, _ in sums.values()], width,
                     label=found[name]["title"])
        axes.set(xlabel="transformer block", ylabel="spikes per image, thousands")
        axes.set_xticks(sorted({b for name in names for b in blocks(found[name])}))
        axes.legend(fontsize=8)
    return build


def trade_off(found, names):
    def build(axes):
        for name in names:
            run = found[name]["run"]
            axes.plot(1e3 * run["power_alpha_watts"], accuracy(found[name])[run["T"]], "o", label=found[name]["title"])
        axes.set(xlabel="power, Eq. 10, mW per inference", ylabel="SNN accuracy, %")
        axes.legend(fontsize=8)
    return build


def plots(found, args):
    """{figure: Markdown} of the figures whose models are there; empty without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("no figures: matplotlib is not installed")
        return {}
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mst"
    from matplotlib import pyplot as plt
    swins, norms = [n for n in SWINS if n in found], [n for n in ("swin", "swin-ln") if n in found]
    every = [n for n in SWINS + CNNS if n in found]
    result = {}
    if "swin-ln" in norms:
        result["fig3"] = draw(plt, args, "fig3", over_time(found, norms)) + draw(
            plt, args, "fig3-layers", layer_errors(found, norms))
    if swins:
        result["fig5"] = draw(plt, args, "fig5", over_time(found, swins))
        result["fig6"] = draw(plt, args, "fig6", block_bars(found, swins))
    if every:
        result["fig7"] = draw(plt, args, "fig7", trade_off(found, every))
    return result


def write(found, missing, args):
    """README.md with everything, and its parts as csv, svg, png."""
    figures = plots(found, args)
    text = ["# The paper's tables and figures, on our models\n",
            "Small models of our own training (examples/models/README.md) on the first %d official CIFAR-10 test\n"
            "images, measured by the C tools; the paper's (Masked Spiking Transformer, ICCV 2023) are larger and\n"
            "pretrained: compare trends and losses, not absolute accuracies. The paper's own plots are not copied;\n"
            "open it beside this page. One standard error of an accuracy of 85 %% on %d images is %.1f points.\n"
            % (args.count, args.count, 100 * (0.85 * 0.15 / args.count) ** 0.5)]
    if missing:
        text.append("Not measured, the model is not there: %s.\n" % ", ".join(missing))
    if "swin" in found:
        swin = found["swin"]
        ann = 100 * swin["ann"]["ann_top1"]
        steps = [t for t in (32, 64, 128, 256) if t in accuracy(swin)]
        text += ["## Table 1, CIFAR-10\n", "ANN: %.2f %% on the same images.\n" % ann, table(
            args.out / "table1.csv", ["T", "SNN accuracy %", "points lost to the ANN", "paper: points lost"],
            [[t, "%.2f" % accuracy(swin)[t], "%.2f" % (ann - accuracy(swin)[t]), PAPER_LOSS.get(t, "")]
             for t in steps])]
    rows = power_rows(found, CNNS + SWINS)
    text += ["## Table 3: masking, accuracy and power\n", table(args.out / "table3.csv", POWER, rows),
             "Paper: %s %% less power with 75 %% of self-attention masked at the same accuracy.\n" % PAPER_SAVING]
    for name, title in (("fig3", "Fig. 3: BatchNorm against LayerNorm"),
                        ("fig5", "Fig. 5: accuracy over time under masks"),
                        ("fig6", "Fig. 6: spikes of each block under masks"),
                        ("fig7", "Fig. 7: accuracy against power")):
        text += ["## %s\n" % title, figures.get(name, "Its models are not there.\n")]
    over = [[found[n]["title"]] + ["%.2f" % accuracy(found[n])[t] if t in accuracy(found[n]) else "" for t in
                                   (1, 2, 4, 8, 16, 32, 64, 128, 256)] for n in found]
    text += ["## Accuracy over time, %\n", table(
        args.out / "accuracy.csv", ["model"] + ["T=%d" % t for t in (1, 2, 4, 8, 16, 32, 64, 128, 256)], over)]
    (args.out / "README.md").write_text("\n".join(text))
