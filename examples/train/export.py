#!/usr/bin/env python3
"""Export a network to ONNX and check the file with ONNX Runtime; measure its accuracy.

  export.py swin.pt --out swin-cifar10.onnx [--way tsdyn dynamo]
  export.py resnet18 --set width=64 --out resnet18.onnx
  export.py swin-published --set image=32 channels=3 stem=4 window=4 --way dynamo --out published.onnx
The first is a checkpoint of train.py; the others have random weights and calibrated activations, and --set gives
options of the model (mst.torch). BatchNorm is folded, masks are left out of the graph: the policy puts them in at conversion.
What conversion needs to know of a checkpoint, normalization, classes and that policy, is written into the file's metadata.
The ways: ts (TorchScript exporter, static batch 1), tsdyn (the same, dynamic batch), dynamo (torch.export, dynamic
batch; PyTorch 2.5 and later).
--accuracy also prints the network's accuracy on the official test images, masked by --policy; with --spiking that of
its simulation in PyTorch, step by step, too, an independent check of the C tools.
"""
import argparse
import ast
import pathlib
import re
import sys
import time

import torch

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES.parent / "python")]
import fused  # noqa: E402
import loop  # noqa: E402
import masks  # noqa: E402
from data import DESCRIPTION, RECORDED, DataSet, add_options, check_folder, first_line, refuse  # noqa: E402
from mst.torch import export, layers, qcfs, simulate, thinning, timesteps, zoo  # noqa: E402
from train import load_checkpoint, mask, read_policy  # noqa: E402

SIDE = {"cifar10": 32, "digits": 28, "moving": 34, "nmnist": 34}


def setting(text):
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("network", help="checkpoint, or one of: %s" % " ".join(sorted(zoo.MODELS)))
    p.add_argument("--set", type=setting, nargs="+", default=[], metavar="NAME=VALUE", help="options of random weights")
    p.add_argument("--out", type=pathlib.Path, help="ONNX file to write")
    p.add_argument("--way", choices=export.WAYS, nargs="+", default=["tsdyn"],
                   help="exporters (default tsdyn); the second and third write NAME.WAY.onnx beside --out")
    p.add_argument("--opset", type=int, help="default 13 (ts, tsdyn) or 18 (dynamo)")
    p.add_argument("--keep-bn", action="store_true", help="do not fold BatchNorm into the linear layer before it")
    p.add_argument("--half", action="store_true", help="store large weights as float16: half the file, weights of 11 bits")
    p.add_argument("--mask-nodes", type=float, default=0.0, metavar="RATIO", help="write masks into the graph")
    p.add_argument("--accuracy", metavar="DATA", help="folder of the data set: print the test accuracy")
    add_options(p)
    p.add_argument("--policy", help="masks that the checkpoint was trained with, for the metadata and --accuracy (default: "
                                    "as the checkpoint says)")
    p.add_argument("--steps", type=int, default=0, help="as of train.py, for --accuracy")
    p.add_argument("--thinning", action="store_true", help="as of train.py, for --accuracy")
    p.add_argument("--draws", type=int, default=3, help="draws of the masks for --accuracy")
    p.add_argument("--spiking", type=int, nargs="+", metavar="T", help="simulate so many steps, for --accuracy")
    p.add_argument("--count", type=int, help="of the first so many test images only")
    p.add_argument("--seed", type=int, default=0, help="of random weights")
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    if args.spiking and (args.steps or args.thinning):
        p.error("--spiking simulates steps one by one, without --steps and --thinning")
    return args


def random_network(args):
    options = dict(args.set)
    side, channels = options.get("image", 32), options.get("channels", 3)
    torch.manual_seed(args.seed)
    print("calibrating random weights", flush=True)
    try:
        return zoo.calibrate_random(zoo.build(args.network, **dict({"image": side, "channels": channels}, **options)),
                                    channels, side, args.seed), side
    except Exception as error:  # whatever the options make of building it
        refuse("%s of these options: %s" % (args.network, first_line(error)))


def trained_policy(checkpoint, args):
    """The text of the policy that a checkpoint was trained with, "" of none."""
    if args.policy:
        policy, dropped = read_policy(args.policy), "levels" if args.thinning else "steps" if args.steps else None
        return masks.told(policy, dropped) if dropped else policy
    if "policy" in checkpoint:
        return checkpoint["policy"]
    named = re.search(r", policy (?!none,)([^,]+),", checkpoint["note"])  # checkpoints of before have its name alone
    if named:
        refuse("%s was trained with masks, whose policy it does not hold: --policy %s" % (args.network, named.group(1)))
    return ""


def write(model, shape, description, args):
    layers.set_mask_ratio(model, args.mask_nodes)
    x = zoo.random_images(32, *shape, torch.Generator().manual_seed(0))
    for way in args.way:
        try:
            proto = export.export(model, x[:2], way, args.opset)
        except (ImportError, NotImplementedError) as error:
            refuse("--way %s: %s" % (way, error))
        export.describe(proto, **description)
        path = args.out if way == args.way[0] else args.out.with_suffix("." + way + ".onnx")
        stored = export.halved(proto) if args.half else proto
        path.write_bytes(stored.SerializeToString(deterministic=True))
        print("wrote %s (%s): %d bytes, %d nodes" % (path, way, path.stat().st_size, len(stored.graph.node)), flush=True)
        if args.mask_nodes:
            continue
        try:
            worst, share = export.compare(proto, model, x)
        except ImportError:
            print("not compared with PyTorch: onnxruntime is not installed")
            continue
        # Where a value lies on a rounding tie, two correct programs may differ by one level.
        print("ONNX Runtime against PyTorch: largest difference %.2g, %.0f %% of %d images within 1e-4" % (
            worst, 100 * share, len(x)), flush=True)
        if share < 0.5:
            refuse("the exported network differs from the trained one")


def measure(model, policy, args):
    data = DataSet(args.dataset, args.accuracy, 1, args)
    masked = mask(model, policy, args.policy or args.network) if policy else 0
    x, y = [part[:args.count] for part in data.test()]
    if args.thinning or args.steps:
        fused.install()  # only to draw faster
    if args.thinning:
        thinning.as_counts(model, data.normalize(x[:2]))
    if args.steps:
        few = data.normalize(data.train[0][:128])
        timesteps.as_run(model, few[:2], args.steps)
        timesteps.measure(model, few)
    found = []
    for draw in range(args.draws if masked else 1):
        torch.manual_seed(draw)
        found.append(100 * loop.accuracy(model, data, x, y, "cpu"))
    print("test accuracy, %d masked sites: %s %%" % (masked, " ".join("%.2f" % f for f in found)), flush=True)
    if args.spiking:
        torch.manual_seed(0)
        begin = time.time()
        result = simulate.evaluate(model, data.normalize(x), y, args.spiking, progress=lambda done, total: print(
            "  %d/%d images, %.0f s" % (done, total, time.time() - begin), flush=True))
        for t in args.spiking:
            accuracy, agreement, error = result[t]
            print("SNN at T = %d: accuracy %.2f %%, agreement with the ANN %.2f %%, relative logit error %.3f" % (
                t, 100 * accuracy, 100 * agreement, error))
        print("mean firing rate %.3f over %d steps" % (result["rate"], max(args.spiking)))


def first_channels(model):
    return next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d)).in_channels


def described(args, policy, model):
    """What is said of a network (export.describe)."""
    channels = first_channels(model)
    recorded = args.dataset in RECORDED
    wanted = {"cifar10": 3, "digits": 1}.get(args.dataset, 2 if args.present == "steps" else 2 * args.frames)
    if channels != wanted:
        refuse("%s takes %d channels: not a network for --dataset %s%s" % (
            args.network, channels, args.dataset,
            " with --frames %d --present %s" % (args.frames, args.present) if recorded else ""))
    found = dict(DESCRIPTION[args.dataset], policy=policy,
                 levels=[m.levels for m in model.modules() if isinstance(m, qcfs.QCFS)])
    return dict(found, frames=args.frames, split=args.split, present=args.present) if recorded else found


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    if args.out:
        check_folder(args.out)
    if args.network in zoo.MODELS:
        (model, side), policy, description = random_network(args), read_policy(args.policy), {}
        channels = first_channels(model)
    else:
        model, checkpoint = load_checkpoint(args.network)
        side, policy, channels = SIDE[args.dataset], trained_policy(checkpoint, args), first_channels(model)
        description = described(args, policy, model)
        print(checkpoint["note"])
    if not args.keep_bn:
        layers.fold_batchnorm(model)
    if args.out:
        write(model, (channels, side), description, args)
    if args.accuracy:
        measure(model, policy, args)


if __name__ == "__main__":
    main()
