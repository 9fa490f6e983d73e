#!/usr/bin/env python3
"""What the Python package costs: Model.run against mstrun on the same samples, import time, memory.

  bench_python.py cifar10:test_batch.bin [--samples 1000] [--rounds 7] [--model cifar10-swin.onnx] [--build build/release]
Two processes take turns, each on one thread: mstrun, all of it, and a Python that imports the package, loads the model and runs
it. Compared are processor seconds, which a busy machine changes less than the clock: of mstrun's process, against those of
mst.load and Model.run. Medians of the rounds, and of the ratio within a round. --instructions counts instructions a sample instead,
by valgrind: where other work disturbs all times, these stay the same. Needs NumPy.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYS = {"count, int8": (["--weights", "int8"], {"mode": "count"}, ["--mode", "count"]),
        "step, T = 16": ([], {"mode": "step", "T": 16}, ["--mode", "step", "-T", "16"])}


def child(path, data, samples, options):
    """In a process of its own: what it took, as JSON on stdout."""
    def timed(what):
        clock, cpu = time.perf_counter(), time.process_time()
        made = what()
        return made, time.perf_counter() - clock, time.process_time() - cpu

    sys.path.insert(0, str(ROOT / "python"))
    _, numpy_s, numpy_cpu = timed(lambda: __import__("numpy"))
    mst, mst_s, mst_cpu = timed(lambda: __import__("mst"))
    result, wall, cpu = timed(lambda: mst.load(path).run(data, samples=samples, threads=1, **options))
    print(json.dumps({"wall": wall, "cpu": cpu, "numpy_s": numpy_s, "numpy_cpu": numpy_cpu, "mst_s": mst_s, "mst_cpu": mst_cpu,
                      "spikes": int(result.spikes[:, -1].sum()), "isa": result.isa,
                      "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run(command):
    """(stdout, wall, processor seconds, peak of memory in MiB) of a process."""
    clock = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("error: %s: exit status %d" % (command[0], process.returncode))
    return said, time.perf_counter() - clock, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def instructions(way, tool, ours):
    """Of a sample: what 20 more of them add, so that start and loading are not in it."""
    def count(command):
        under = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        done = subprocess.run(under + [str(word) for word in command], capture_output=True, text=True)
        found = re.search(r"I *refs: *([\d,]+)", done.stderr)
        if done.returncode or not found:
            sys.exit("error: valgrind: " + (done.stderr.strip().splitlines() or ["no output"])[-1])
        return int(found.group(1).replace(",", ""))
    a, b = ((count(command(22)) - count(command(2))) / 20e6 for command in (tool, ours))
    print("%s: mstrun %.2f, Model.run %.2f million instructions a sample: ratio %.3f" % (way, a, b, b / a))


def compare(args, folder, way):
    weights, options, words = WAYS[way]
    model, report = folder / "model.bin", folder / "run.json"
    run([args.build / "mstconv", args.model, "-o", model, "--quiet", "--force", *weights])

    def tool_of(n):
        return [args.build / "mstrun", model, args.data, "--first", n, "--threads", 1, "--quiet", "--json", report, *words]

    def ours_of(n):
        return [sys.executable, __file__, "--child", model, args.data, n, json.dumps(options)]
    if args.instructions:
        instructions(way, tool_of, ours_of)
        return []
    tool, ours, rounds = tool_of(args.samples), ours_of(args.samples), []
    for i in range(args.rounds + 1):  # the first is not counted: files come from disk
        found = {}
        for which in ("tool", "ours") if i % 2 else ("ours", "tool"):
            found[which] = run(tool if which == "tool" else ours)
        rounds.append((found["tool"][1:], json.loads(found["ours"][0]), found["ours"][1:]))
    said = json.loads(report.read_text())["at"][-1]
    spikes = round(said["spikes_per_sample"] * args.samples)
    if spikes != rounds[0][1]["spikes"]:
        sys.exit("error: %s: %d spikes of mstrun, %d of Model.run" % (way, spikes, rounds[0][1]["spikes"]))

    def median(what):
        return statistics.median(what(*r) for r in rounds[1:])
    print("%s, %d samples, %s" % (way, args.samples, rounds[0][1]["isa"]))
    for label, k, key in (("processor time", 1, "cpu"), ("wall time", 0, "wall")):
        print("  %s: mstrun %.3f s, load and run %.3f s: ratio %.3f (of rounds: %s)" % (
            label, median(lambda t, o, _: t[k]), median(lambda t, o, _: o[key]), median(lambda t, o, _: o[key] / t[k]),
            " ".join("%.2f" % (o[key] / t[k]) for t, o, _ in rounds[1:])))
    print("  memory: mstrun %.0f MiB, Python %.0f MiB" % (median(lambda t, o, _: t[2]), median(lambda t, o, _: o["mib"])))
    return rounds[1:]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", help="FORMAT:PATH of a data set, as mstrun takes it")
    p.add_argument("--samples", type=int, default=1000)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--model", type=pathlib.Path, default=ROOT / "examples/models/cifar10-swin.onnx")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    p.add_argument("--instructions", action="store_true", help="count them instead of time; needs valgrind")
    p.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    args = p.parse_args()
    os.environ["MST_NATIVE"] = str(args.build.resolve())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for way in args.ways:
            rounds += compare(args, pathlib.Path(folder), way)
    if args.instructions:
        return
    seconds = [statistics.median(o[key] for _, o, _ in rounds) for key in ("numpy_s", "numpy_cpu", "mst_s", "mst_cpu")]
    print("import numpy: %.0f ms (%.0f of processor time); mst after it: %.0f ms (%.0f)" % tuple(1000 * s for s in seconds))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), json.loads(sys.argv[5]))
    else:
        main()
