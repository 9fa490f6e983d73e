#!/usr/bin/env python3
"""Measure the committed CIFAR-10 models as the paper's tables and figures do, and draw them.

  reproduce.py --build build/release --data cifar-10-batches-bin --out results/reproduce
Converts the models of examples/models, runs them (mstconv, mstrun, libmst), and writes csv,
svg, png and one page, README.md, with our figures and the paper's. Measurements are kept in
OUT/json and used again while model, data, program and options are the same; a run that was
stopped goes on where it was. A model that is not there is left out and named on the page.
Needs numpy, and matplotlib for the pictures (--no-pictures: none are drawn).
"""
import argparse
import os
import pathlib
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXAMPLES / "reproduce"), str(EXAMPLES), str(EXAMPLES.parent / "python")]
try:
    import numpy  # noqa: F401
except ImportError:
    sys.exit("error: numpy is not installed for %s (make reproduce PYTHON=..; see requirements.txt)" % sys.executable)
import experiments  # noqa: E402
import figures  # noqa: E402
import lab  # noqa: E402
import page  # noqa: E402


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("%d is not 1 or more" % value)
    return value


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True, type=pathlib.Path, help="folder of mstconv, mstrun, libmst.so")
    p.add_argument("--data", required=True, type=pathlib.Path, help="folder with CIFAR-10's test_batch.bin")
    p.add_argument("--models", type=pathlib.Path, default=EXAMPLES / "models")
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results/reproduce"))
    p.add_argument("--count", type=positive, default=10000, help="test images of the tables and of all in count and radix "
                   "(default: all 10000)")
    p.add_argument("--figure-count", type=positive, default=100, help="test images of Fig. 5 and 6 in step mode (default "
                   "100); in count and radix they have those of the tables")
    p.add_argument("--probe-count", type=positive, default=20, help="test images of Fig. 3 (default 20)")
    p.add_argument("--map-count", type=positive, default=100, help="test images of Fig. 7 (default 100)")
    p.add_argument("--seeds", type=positive, default=10, help="mask seeds of Fig. 5 and 6 (default 10)")
    p.add_argument("--radix-seeds", type=positive, default=3, help="of these in radix (default 3)")
    p.add_argument("--recordings", type=pathlib.Path, help="folder of N-MNIST recordings for Table 2 (default: the 20 "
                   "simulated ones of examples/data)")
    p.add_argument("--event-steps", type=positive, default=512, help="largest T of Table 2 (default 512)")
    p.add_argument("--long-count", type=positive, default=1000, help="simulated recordings of Table 2 where steps are many "
                   "(more than 128, or of other numbers of frames; default 1000)")
    p.add_argument("--steps", type=positive, nargs="+", default=[64, 128, 256], help="T of Table 1 (default: the paper's)")
    p.add_argument("--at", type=positive, default=64, help="T of everything else (default 64)")
    p.add_argument("--threads", type=int, default=0, help="0: all processors")
    p.add_argument("--no-pictures", action="store_true", help="csv and the page only")
    p.add_argument("--only", nargs="+", choices=sorted(experiments.RUNS), help="only these models")
    args = p.parse_args()
    args.steps = sorted(set(args.steps))
    args.threads = args.threads or os.cpu_count()
    args.recordings_name = args.recordings.name if args.recordings else "of a simulated camera, examples/data"
    args.recordings = args.recordings or EXAMPLES / "data" / "event-digits"
    return args


def main():
    args = parse()
    for name in ("mstconv", "mstrun", "libmst.so"):
        if not (args.build / name).exists():
            lab.fail("%s: no such file (make all builds it)" % (args.build / name))
    if not (args.data / "test_batch.bin").exists():
        lab.fail("%s: no such file" % (args.data / "test_batch.bin"))
    names = args.only or list(experiments.RUNS)
    if not args.no_pictures and not figures.pyplot():
        lab.fail("matplotlib is not installed for %s (see requirements.txt); --no-pictures does without" % sys.executable)
    bench = lab.Lab(args)
    plan = experiments.Plan(bench, names)
    missing = [experiments.RUNS[name][0] for name in names if name not in plan.models]
    for file in missing:
        print("%s is not there: left out" % file)
    if not plan.jobs:
        lab.fail("none of the models is in %s" % args.models)
    page.write(args, plan.info, missing, bench.results(plan.jobs))
    print("wrote %s" % (args.out / "README.md"))


if __name__ == "__main__":
    main()
