#!/usr/bin/env python3
"""Export a checkpoint of train.py to ONNX and check the file with ONNX Runtime.

  export.py swin.pt --out swin-cifar10.onnx [--way tsdyn dynamo]
BatchNorm is folded. Masks are left out of the graph: the policy puts them in at conversion.
--accuracy also prints the network's accuracy on the official test images, masked by --policy.
"""
import argparse
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import fused  # noqa: E402
import loop  # noqa: E402
from data import DataSet, check_folder, refuse  # noqa: E402
from mst import export, layers, thinning, timesteps, zoo  # noqa: E402
from train import load_checkpoint, mask  # noqa: E402


CHANNELS, SIDE = {"cifar10": 3, "digits": 1}, {"cifar10": 32, "digits": 28}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument("--out", type=pathlib.Path, help="ONNX file to write")
    p.add_argument("--way", choices=export.WAYS, nargs="+", default=["tsdyn"],
                   help="exporters (default tsdyn); the second and third write NAME.WAY.onnx beside --out")
    p.add_argument("--accuracy", metavar="DATA", help="folder of the data set: print the test accuracy")
    p.add_argument("--dataset", choices=("cifar10", "digits"), default="cifar10")
    p.add_argument("--policy", help="masks for --accuracy")
    p.add_argument("--steps", type=int, default=0, help="as of train.py, for --accuracy")
    p.add_argument("--thinning", action="store_true", help="as of train.py, for --accuracy")
    p.add_argument("--draws", type=int, default=3, help="draws of the masks for --accuracy")
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args()


def write(model, args):
    layers.set_mask_ratio(model, 0.0)
    x = zoo.random_images(32, CHANNELS[args.dataset], SIDE[args.dataset], torch.Generator().manual_seed(0))
    for way in args.way:
        try:
            proto = export.export(model, x[:2], way)
        except (ImportError, NotImplementedError) as error:
            refuse("--way %s: %s" % (way, error))
        path = args.out if way == args.way[0] else args.out.with_suffix("." + way + ".onnx")
        path.write_bytes(proto.SerializeToString(deterministic=True))
        worst, share = export.compare(proto, model, x)
        print("wrote %s (%s): %d bytes; ONNX Runtime against PyTorch: largest difference %.2g, %.0f %% of %d images "
              "within 1e-4" % (path, way, path.stat().st_size, worst, 100 * share, len(x)), flush=True)
        if share < 0.5:
            refuse("the exported network differs from the trained one")


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    if args.out:
        check_folder(args.out)
    model, checkpoint = load_checkpoint(args.checkpoint)
    channels = next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d)).in_channels
    if channels != CHANNELS[args.dataset]:
        refuse("%s takes %d channels: not a network for --dataset %s" % (args.checkpoint, channels, args.dataset))
    print(checkpoint["note"])
    layers.fold_batchnorm(model)
    if args.out:
        write(model, args)
    if args.accuracy:
        data = DataSet(args.dataset, args.accuracy, 1)
        masked = mask(model, args.policy) if args.policy else 0
        if args.thinning:
            thinning.as_counts(model, data.normalize(data.train[0][:2]))
        if args.steps:
            fused.install()  # only to draw the noise faster
            few = data.normalize(data.train[0][:128])
            timesteps.as_run(model, few[:2], args.steps)
            timesteps.measure(model, few)
        found = []
        for draw in range(args.draws if masked else 1):
            torch.manual_seed(draw)
            found.append(100 * loop.accuracy(model, data, *data.test(), "cpu"))
        print("test accuracy, %d masked sites: %s %%" % (masked, " ".join("%.2f" % f for f in found)), flush=True)


if __name__ == "__main__":
    main()
