"""What the engine is asked for, against what a run of `make bench` has measured. Rows of the table,
never a failure. Standard library only."""
from contestants import SIM

F32, ANN = "ours block f32", "onnxruntime ANN fp32, one pass"

SHARES = {("vnni", "swin-t"): 0.42, ("vnni", "resnet18"): 0.55, ("avx2", "swin-t"): 0.45, ("avx2", "resnet18"): 0.60}


def row(bench, what, value, wanted, at_least=True):
    met = value is not None and (value >= wanted if at_least else value <= wanted)
    limit = "%s %.4g" % ("at least" if at_least else "at most", wanted)
    bench.table.add("targets", "", what, value=value, against=limit,
                    note="not measured" if value is None else "met" if met else "MISSED")


def ratio(bench, over, under):
    a, b = bench.found.get(over), bench.found.get(under)
    return a.wall / b.wall if a and b and a.wall and b.wall else None


def best_simulation(bench, model):
    sims = [k for k, c in bench.found.items() if k[:2] == (model, 1) and k[2].startswith(SIM) and c.wall]
    return min(sims, key=lambda k: bench.found[k].wall) if sims else None


def networks(bench):
    for model, wanted in (("swin-t", 15), ("swin-cifar", 20)):
        row(bench, "%s: best PyTorch step / ours, 1 thread" % model,
            ratio(bench, best_simulation(bench, model), (model, 1, F32)), wanted)
    passes = ratio(bench, ("swin-t", 1, F32), ("swin-t", 1, ANN))
    row(bench, "swin-t: run of T = 64 / ANN pass (fp32)", 64 * passes if passes else None, 8, at_least=False)
    row(bench, "swin-t: float32 / int8 weights", ratio(bench, ("swin-t", 1, F32), ("swin-t", 1, "ours block int8")), 1)
    n = max(bench.args.threads)
    for mode in ("samples", "latency") if n > 1 else ():
        row(bench, "swin-t: 1 thread / %d threads, %s" % (n, mode),
            ratio(bench, ("swin-t", n, F32 + ", 1 thread"), ("swin-t", n, "%s, %s" % (F32, mode))), 0.9 * n)


def counts(bench):
    """A pass on counts, 16 levels, against one of ONNX Runtime."""
    own, qdq = "ours count int8, one pass", "onnxruntime ANN int8-qdq, one pass"
    for model, label, peer, wanted in (
            ("swin-t", own, ANN, 0.25), ("swin-t", own, qdq, 0.35), ("swin-cifar", own, ANN, 0.18),
            ("resnet18", own, ANN, 0.26), ("resnet18", own, qdq, 0.75), ("swin-t", own + ", avx2", ANN, 0.62),
            ("swin-cifar", own + ", avx2", ANN, 0.42), ("resnet18", own + ", avx2", ANN, 0.65),
            ("swin-t", "ours count f32, one pass", ANN, 1.1), ("swin-t", own + ", SA 75 %", own, 1.3),
            ("swin-cifar", own + ", SA 75 %", own, 1.3)):
        row(bench, "%s: %s / %s" % (model, label[5:], peer), ratio(bench, (model, 1, label), (model, 1, peer)),
            wanted, at_least=False)
    n = max(bench.args.threads)
    for mode in ("samples", "latency") if n > 1 else ():
        row(bench, "swin-t: count int8, 1 thread / %d threads, %s" % (n, mode),
            ratio(bench, ("swin-t", 1, own), ("swin-t", n, "%s, %s" % (own, mode))), 0.9 * n)
    for (isa, model), wanted in SHARES.items():
        c = bench.found.get((model, 1, own + ("" if isa == "vnni" else ", " + isa)))
        peak = next((float(r["value"]) for r in bench.table.rows
                     if r["model"] == "int8 peak" and r["what"].startswith(isa + ",")), None)
        known = peak and c is not None and c.wall and "dense" in c.facts
        row(bench, "%s: a pass's share of the int8 peak, %s" % (model, isa),
            float(c.facts["dense"]) * 1e-6 / (c.wall * peak) if known else None, wanted)


def rest(bench):
    # the best set is measured last, in all shapes
    linear = [float(r["ratio"]) for r in bench.table.rows
              if r["what"].startswith("linear+IF, block") and r["what"].endswith("rate 0.10")]
    row(bench, "linear+IF at 10 %, least of four shapes: share of the add peak", min(linear[-4:], default=None), 0.5)
    rss = [float(r["value"]) for r in bench.table.rows
           if r["section"].startswith("peak RSS") and r["model"] == "swin-t" and r["what"] == F32]
    if rss:
        size = (bench.models / "swin-t.bin").stat().st_size / 2 ** 20
        row(bench, "swin-t: peak RSS, MB", rss[0], 1.3 * size + 64, at_least=False)


def add(bench):
    networks(bench)
    counts(bench)
    rest(bench)
