"""The pictures, from the numbers of page.py."""
import probes

COLORS = {"swin": "#1f77b4", "swin-ln": "#2ca02c"}
MODE_COLORS = {"step": "#1f77b4", "count": "#d62728", "radix": "#2ca02c"}


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


def over_time(plt, out, curves, dots, paper_curve, others):
    """Fig. 1. curves: {title: {t: accuracy}}; dots: {title: (latency, accuracy)}; others: [(name, network, accuracy, t)]"""
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    palette = plt.get_cmap("tab10")
    for i, (title, points) in enumerate(curves.items()):
        axes.plot(list(points), list(points.values()), marker=".", label="%s, step" % title, color=palette(i))
        for k, (name, (t, accuracy)) in enumerate((n, d) for n, d in dots.items() if n.startswith(title + ", ")):
            axes.plot([t], [accuracy], marker="oD"[k % 2], markersize=7, linestyle="none", color=palette(i), label=name)
    axes.plot(list(paper_curve), list(paper_curve.values()), marker="*", color="k", label="the paper's MST (Swin-T)")
    for name, _, accuracy, t in others:
        axes.plot([t], [accuracy], marker="s", markersize=4, color="0.5")
        away = 3 if accuracy >= 95 else -2 if accuracy >= 94 else -8  # three of them are near one another
        axes.annotate(name, (t, accuracy), fontsize=6, color="0.35", xytext=(4, away), textcoords="offset points")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="time steps till the answer", ylabel="CIFAR-10 accuracy, %", ylim=(10, 100))
    axes.set_xlim(right=2 * max([t for *_, t in others], default=axes.get_xlim()[1] / 2))  # a name stands behind the last
    axes.xaxis.set_major_formatter(plt.FuncFormatter(lambda t, _: "%g" % t))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(plt, figure, out, "fig1")


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


def over_ratios(plt, out, curves, panels):
    """Fig. 5. curves: {(part, mode, kind): {share: figure_sections.Point}}; the lower row: the deviations."""
    parts = [part for part in panels if any(key[0] == part for key in curves)]
    figure, axes = plt.subplots(2, len(parts), figsize=(3.5 * len(parts), 5.2), layout="constrained", squeeze=False,
                                height_ratios=(3, 1), sharex=True)
    for column, part in enumerate(parts):
        upper, lower = axes[0, column], axes[1, column]
        for (_, mode, kind), points in ((k, p) for k, p in curves.items() if k[0] == part):
            own = kind == "trained for it"
            style = {"color": MODE_COLORS[mode], "linestyle": "-" if own else ":", "marker": "o" if own else ".",
                     "label": "%s, %s" % (mode, kind)}
            upper.plot(list(points), [p.mean for p in points.values()], **style)
            spread = {share: p.deviation for share, p in points.items() if p.deviation is not None}
            lower.plot(list(spread), list(spread.values()), **style)
        upper.set_title("(%s) %s" % ("abcd"[column], panels[part]), fontsize=9)
        lower.set_xlabel("masked spikes, %")
        lower.set_ylim(bottom=0)
        for panel in (upper, lower):
            panel.grid(alpha=0.3)
    axes[0, 0].set_ylabel("accuracy, %")
    axes[1, 0].set_ylabel("deviation, points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=3)
    save(plt, figure, out, "fig5")


def over_blocks(plt, out, curves, titles):
    """Fig. 6. curves: {(name, mode): {blocks: figure_sections.Point}}"""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8), layout="constrained")
    for (name, mode), points in curves.items():
        style = {"color": MODE_COLORS[mode], "marker": "o", "markersize": 3, "linestyle": "-" if name == "swin" else "--",
                 "label": "%s, %s" % (titles[name], mode)}
        axes[0].errorbar(list(points), [p.mean for p in points.values()], [p.deviation or 0 for p in points.values()], capsize=3,
                         **style)
        if 0 in points:
            axes[1].plot(list(points), [100 * p.spikes / points[0].spikes for p in points.values()], **style)
    axes[0].set_ylabel("accuracy, %")
    axes[1].set_ylabel("spikes of the network, % of none masked")
    for panel in axes:
        panel.set_xlabel("first blocks whose self-attention is masked, 75 %")
        panel.set_xticks(sorted({n for points in curves.values() for n in points}))
        panel.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=3)
    save(plt, figure, out, "fig6")


def maps(plt, out, result, names, titles, pictures, classes, shown):
    """Fig. 7: a row for each picture and model, the picture, its maps, Score-CAM of the ANN. PNG only: it shows test images."""
    import numpy as np
    rows, columns = len(pictures) * len(names), 2 + len(result["at"])
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
            layers = [(result["maps"][m][p][t], "t = %d" % at) for t, at in enumerate(result["at"])]
            layers += [(result["cam"][p], "ANN, Score-CAM")] if p < len(result["cam"]) else []
            for panel, (values, title) in zip(row[1:], layers):
                values = np.array(values).reshape(result["side"], result["side"])
                values = (values - values.min()) / max(np.ptp(values), 1e-9)
                panel.imshow(values, extent=(0, 1, 1, 0), cmap="jet", alpha=0.5, interpolation="bilinear", vmin=0,
                             vmax=1)
                if p == 0 and m == 0:
                    panel.set_title(title, fontsize=9)
    axes[0, 0].set_title("image", fontsize=9)
    save(plt, figure, out, "fig7", ("png",))
