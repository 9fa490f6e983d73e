"""The pictures, from the numbers of page.py."""
import probes

COLORS = {"swin": "#1f77b4", "swin-sa50": "#ff7f0e", "swin-sa75": "#d62728", "swin-mlp50": "#9467bd",
          "swin-ln": "#2ca02c"}


def pyplot():
    """matplotlib's pyplot; None without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mst"
    matplotlib.rcParams["font.size"] = 9
    from matplotlib import pyplot as plt
    return plt


def save(plt, figure, out, name, kinds=("svg", "png")):
    for kind in kinds:
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(out / ("%s.%s" % (name, kind)), dpi=130, metadata=metadata, bbox_inches="tight")
    plt.close(figure)


def label_of(titles, name, trained=True):
    return titles[name] + (", trained unmasked" if trained and name == "swin" else "")


def over_time(plt, out, curves):
    """curves: {title: {t: accuracy}}"""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for i, (title, points) in enumerate(curves.items()):
        axes.plot(list(points), list(points.values()), marker="o", markersize=3, label=title,
                  color=plt.get_cmap("tab20")(i))
    axes.set_xscale("log", base=2)
    ticks = sorted({t for points in curves.values() for t in points})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set(xlabel="time steps T", ylabel="SNN accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(plt, figure, out, "accuracy")


def distributions(plt, out, found, titles, steps):
    """Fig. 3: densities of the ANN's activations and of the accumulated potentials, and both together."""
    from matplotlib import colors
    figure, axes = plt.subplots(2, 2, figsize=(8.2, 6.4), layout="constrained")
    edges = [probes.LOW + (probes.HIGH - probes.LOW) * (i + 0.5) / probes.BINS for i in range(probes.BINS)]
    levels = [i / (probes.LEVELS - 1) for i in range(probes.LEVELS)]
    for name, result in found.items():
        axes[0, 0].plot(levels, result["activation"], marker=".", label=titles[name], color=COLORS[name])
        axes[0, 1].plot(edges, result["potential"], label=titles[name], color=COLORS[name])
    axes[0, 0].set(title="(a) ANN activations", xlabel="activation / theta", ylabel="share of neurons", yscale="log")
    axes[0, 1].set(title="(b) SNN accumulated potentials, T = %d" % steps,
                   xlabel="potential per step / theta (ends: everything beyond)", ylabel="share of neurons",
                   yscale="log")
    for panel in axes[0]:
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    norm = colors.LogNorm(1e-7, 1e-1)
    for panel, letter, name in zip(axes[1], "cd", ("swin", "swin-ln")):
        panel.set_title("(%s) %s" % (letter, titles[name]))
        if name not in found:
            panel.set_axis_off()
            panel.text(0.5, 0.5, "not measured", ha="center", transform=panel.transAxes)
            continue
        panel.set(xlabel="ANN activation / theta", ylabel="SNN potential per step / theta")
        half = 0.5 / (probes.LEVELS - 1)
        image = panel.imshow(list(zip(*found[name]["both"])), origin="lower", aspect="auto", norm=norm,
                             extent=(-half, 1 + half, probes.LOW, probes.HIGH), cmap="viridis",
                             interpolation="nearest")
        panel.set_facecolor("0.9")
        panel.plot([0, 1], [0, 1], color="w", linewidth=0.8, linestyle="--")
        figure.colorbar(image, ax=panel, label="share of neurons")
    save(plt, figure, out, "fig3")


def over_ratios(plt, out, found, titles):
    """Fig. 5. found: {part: {name: {"trained": r, "points": {ratio: (mean, deviation or None)}}}}"""
    parts = list(found)
    figure, axes = plt.subplots(1, len(parts), figsize=(4.3 * len(parts), 3.6), sharey=True, layout="constrained",
                                squeeze=False)
    names = {"SA": "self-attention (Q, K, attention map)", "MLP": "MLP (behind its first layer)"}
    for panel, part in zip(axes[0], parts):
        own = {}
        for name, curve in found[part].items():
            ratios = list(curve["points"])
            means, deviations = zip(*((mean, deviation or 0) for mean, deviation in curve["points"].values()))
            panel.errorbar([100 * r for r in ratios], means, deviations, marker="o", markersize=3, capsize=3,
                           color=COLORS[name], label=label_of(titles, name), linewidth=1.2)
            if curve["trained"] in curve["points"]:
                own[curve["trained"]] = curve["points"][curve["trained"]][0]
        if len(own) > 1:
            panel.plot([100 * r for r in sorted(own)], [own[r] for r in sorted(own)], color="k", linestyle="--",
                       marker="s", markersize=6, markerfacecolor="none", linewidth=1,
                       label="each ratio by the model trained for it")
        panel.set(title=names[part], xlabel="masked spikes, %")
        panel.set_xticks([0, 25, 50, 75])
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    axes[0, 0].set_ylabel("SNN accuracy, %")
    save(plt, figure, out, "fig5")


def over_blocks(plt, out, found, titles):
    """Fig. 6. found: {name: {blocks: (accuracy mean, deviation or None, spikes against none, %)}}"""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), layout="constrained")
    for name, points in found.items():
        mean, deviation, spikes = zip(*((m, d or 0, s) for m, d, s in points.values()))
        axes[0].errorbar(list(points), mean, deviation, marker="o", markersize=3, capsize=3, color=COLORS[name],
                         label=label_of(titles, name), linewidth=1.2)
        axes[1].plot(list(points), spikes, marker="o", markersize=3, color=COLORS[name], linewidth=1.2,
                     label=label_of(titles, name))
    axes[0].set_ylabel("SNN accuracy, %")
    axes[1].set_ylabel("spikes of the network, % of none masked")
    for panel in axes:
        panel.set_xlabel("first blocks whose self-attention is masked, 75 %")
        panel.set_xticks(sorted({n for points in found.values() for n in points}))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    save(plt, figure, out, "fig6")


def maps(plt, out, result, names, titles, pictures, classes, shown):
    """Fig. 7: a row for each picture and model, the picture and its maps. PNG only: it shows test images."""
    import numpy as np
    rows, columns = len(pictures) * len(names), 1 + len(result["at"])
    figure, axes = plt.subplots(rows, columns, figsize=(1.15 * columns, 1.22 * rows), squeeze=False,
                                layout="constrained")
    for p, picture in enumerate(pictures):
        for m, name in enumerate(names):
            row = axes[p * len(names) + m]
            for panel in row:
                panel.set_xticks([])
                panel.set_yticks([])
                panel.imshow(picture.transpose(1, 2, 0), extent=(0, 1, 1, 0), interpolation="bicubic")
            row[0].set_ylabel(titles[name].replace(", ", "\n"), fontsize=8)
            row[0].set_xlabel("%s -> %s" % (classes[result["labels"][shown[p]]],
                                            classes[result["said"][m][shown[p]]]), fontsize=7)
            for t, panel in enumerate(row[1:]):
                values = np.array(result["maps"][m][p][t]).reshape(result["side"], result["side"])
                values = (values - values.min()) / max(np.ptp(values), 1e-9)
                panel.imshow(values, extent=(0, 1, 1, 0), cmap="jet", alpha=0.5, interpolation="bilinear", vmin=0,
                             vmax=1)
                if p == 0 and m == 0:
                    panel.set_title("t = %d" % result["at"][t], fontsize=9)
    axes[0, 0].set_title("image", fontsize=9)
    save(plt, figure, out, "fig7", ("png",))
