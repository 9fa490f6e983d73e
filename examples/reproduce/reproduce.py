#!/usr/bin/env python3
"""Measure the committed CIFAR-10 models as the paper's tables and figures do, and draw them.

  reproduce.py --build build/release --data cifar-10-batches-bin --out results/reproduce
Converts, runs and validates each model of examples/models (mstconv, mstrun, mstcalib),
writes csv, svg, png and one page, README.md, with our figures and the paper's. Results of
the tools are kept in OUT/json: what is there is not measured again. A model that is not
there is left out and named on the page.
"""
import argparse
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import page  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
MEAN, STD = ".4914,.4822,.4465", ".2470,.2435,.2616"
# name: (file, policy or None, title)
RUNS = {
    "swin": ("cifar10-swin.onnx", None, "Swin, unmasked"),
    "swin-sa50": ("cifar10-swin-sa50.onnx", "sa50.yaml", "Swin, SA 50 %"),
    "swin-sa75": ("cifar10-swin-sa75.onnx", "sa75.yaml", "Swin, SA 75 %"),
    "swin-mlp50": ("cifar10-swin-mlp50.onnx", "mlp50.yaml", "Swin, MLP 50 %"),
    "swin-ln": ("cifar10-swin-ln.onnx", None, "Swin, LayerNorm"),
    "resnet18": ("cifar10-resnet18.onnx", None, "ResNet-18, unmasked"),
    "resnet18-50": ("cifar10-resnet18-50.onnx", "conv50.yaml", "ResNet-18, 50 %"),
    "resnet18-75": ("cifar10-resnet18-75.onnx", "conv75.yaml", "ResNet-18, 75 %"),
    "vgg16": ("cifar10-vgg16.onnx", None, "VGG-16, unmasked"),
    "vgg16-50": ("cifar10-vgg16-50.onnx", "conv50.yaml", "VGG-16, 50 %"),
    "vgg16-75": ("cifar10-vgg16-75.onnx", "conv75.yaml", "VGG-16, 75 %"),
}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True, type=pathlib.Path, help="folder of mstconv, mstrun, mstcalib")
    p.add_argument("--data", required=True, type=pathlib.Path, help="folder with CIFAR-10's test_batch.bin")
    p.add_argument("--models", type=pathlib.Path, default=EXAMPLES / "models")
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results/reproduce"))
    p.add_argument("--count", type=int, default=1000, help="test images for accuracy over time (default 1000)")
    p.add_argument("--calib-count", type=int, default=100, help="test images for the error of layers (default 100)")
    p.add_argument("--timesteps", type=int, default=256)
    p.add_argument("--threads", type=int, default=0, help="0: all processors")
    p.add_argument("--only", nargs="+", choices=sorted(RUNS), help="only these models")
    return p.parse_args()


def call(command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["exit status %d" % result.returncode]
        sys.exit("error: %s: %s" % (pathlib.Path(command[0]).name, lines[-1]))


def measure(name, args):
    """{"run", "calib", "ann"}: the tools' JSON for one model; None where the model is missing."""
    file, policy, _ = RUNS[name]
    model = args.models / file
    if not model.exists():
        print("%-12s %s is not there: left out" % (name, file), flush=True)
        return None
    folder = args.out / "json"
    folder.mkdir(parents=True, exist_ok=True)
    network, data = folder / (name + ".bin"), "cifar10:%s" % (args.data / "test_batch.bin")
    threads = ["--threads", args.threads] if args.threads else []
    wanted = {"run": folder / ("%s.run%d.json" % (name, args.count)),
              "calib": folder / ("%s.calib%d.json" % (name, args.calib_count)),
              "ann": folder / ("%s.ann%d.json" % (name, args.count))}
    if all(f.exists() and f.stat().st_mtime > model.stat().st_mtime for f in wanted.values()):
        print("%-12s measured before" % name, flush=True)
        return {k: json.loads(f.read_text()) for k, f in wanted.items()}
    print("%-12s converting, running %d images for %d steps" % (name, args.count, args.timesteps), flush=True)
    masked = ["--policy", EXAMPLES / "policies" / policy] if policy else []
    call([args.build / "mstconv", model, "-o", network, "--mean", MEAN, "--std", STD, "--quiet"] + masked)
    call([args.build / "mstrun", network, data, "-T", args.timesteps, "-n", args.count, "--quiet",
          "--json", wanted["run"]] + threads)
    call([args.build / "mstcalib", model, network, data, "-T", "16,32,64,128,256", "-n", args.calib_count, "--quiet",
          "--json", wanted["calib"]] + threads)
    call([args.build / "mstcalib", model, network, data, "-T", "1", "-n", args.count, "--quiet",
          "--json", wanted["ann"]] + threads)
    network.unlink()
    return {k: json.loads(f.read_text()) for k, f in wanted.items()}


def main():
    args = parse()
    for tool in ("mstconv", "mstrun", "mstcalib"):
        if not (args.build / tool).exists():
            sys.exit("error: %s: no such program (make all builds it)" % (args.build / tool))
    if not (args.data / "test_batch.bin").exists():
        sys.exit("error: %s: no such file" % (args.data / "test_batch.bin"))
    names = args.only or list(RUNS)
    results = {name: measure(name, args) for name in names}
    found = {name: dict(r, title=RUNS[name][2]) for name, r in results.items() if r}
    missing = [RUNS[name][0] for name, r in results.items() if not r]
    if not found:
        sys.exit("error: none of the models is in %s" % args.models)
    page.write(found, missing, args)
    print("wrote %s" % (args.out / "README.md"))


if __name__ == "__main__":
    main()
