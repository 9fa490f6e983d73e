#!/usr/bin/env python3
"""Export a model to ONNX: a trained checkpoint, or random weights with calibrated activations.

  export_onnx.py --checkpoint digits.pt --fold-bn --out digits-swin.onnx
  export_onnx.py --model resnet18 --width 64 --out resnet18.onnx
  export_onnx.py --model swin-published --image 32 --stem 4 --window 4 --way dynamo --out pub.onnx
The ways: ts (TorchScript exporter, static batch 1), tsdyn (the same, dynamic batch),
dynamo (torch.export, dynamic batch; PyTorch 2.5 and later).
"""
import argparse
import pathlib

import torch

from mst import export, layers, zoo


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoint", help="what train_digits.py wrote; otherwise random weights")
    p.add_argument("--model", choices=sorted(zoo.MODELS), default="swin")
    p.add_argument("--way", choices=export.WAYS, default="tsdyn")
    p.add_argument("--opset", type=int, help="default 13 (ts, tsdyn) or 18 (dynamo)")
    p.add_argument("--fold-bn", action="store_true", help="fold BatchNorm into the linear layer before it")
    p.add_argument("--mask-ratio", type=float, default=0.0,
                   help="write mask nodes of this ratio into the graph (default: no mask nodes)")
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--seed", type=int, default=0, help="of random weights and of the images to check with")
    p.add_argument("--check-images", type=int, default=16, help="images to compare with PyTorch on; 0 for none")
    g = p.add_argument_group("random-weight models")
    g.add_argument("--image", type=int, default=32, help="side of the input (default 32)")
    g.add_argument("--channels", type=int, default=3)
    g.add_argument("--classes", type=int, default=10)
    g.add_argument("--levels", type=int, default=16)
    g.add_argument("--form", choices=("plain", "merged"), default="plain", help="how QCFS is written")
    g.add_argument("--width", type=int, default=64, help="of ResNet-18 and VGG-16 (default 64, the full width)")
    g.add_argument("--embed", type=int, default=32, help="Swin: channels of the first stage")
    g.add_argument("--stem", type=int, default=0,
                   help="Swin: patch size of a single convolution; 0 for two 3x3 convolutions that halve the side")
    g.add_argument("--depths", type=int, nargs="+", default=[2, 2])
    g.add_argument("--heads", type=int, nargs="+", default=[2, 4])
    g.add_argument("--window", type=int, default=4)
    g.add_argument("--mlp-ratio", type=float, default=4)
    g.add_argument("--attention", choices=("spiking", "softmax"), help="default: as the model has it")
    g.add_argument("--norm", choices=("bn", "ln"), help="default: as the model has it")
    return p.parse_args()


def random_model(args):
    options = dict(image=args.image, channels=args.channels, classes=args.classes, levels=args.levels, form=args.form)
    if args.model.startswith("swin"):
        stem = args.stem or [(args.embed // 2, 1, 1), (args.embed, 2, 1)]
        options.update(embed=args.embed, stem=stem, depths=args.depths, heads=args.heads,
                       window=args.window, mlp_ratio=args.mlp_ratio)
        options.update({k: getattr(args, k) for k in ("attention", "norm") if getattr(args, k)})
    else:
        options["width"] = args.width
    torch.manual_seed(args.seed)
    print("calibrating random weights", flush=True)
    return zoo.calibrate_random(zoo.build(args.model, **options), args.channels, args.image, args.seed)


def main():
    args = parse()
    if args.checkpoint:
        model, checkpoint = zoo.load(args.checkpoint)
        print("%s (%s)" % (checkpoint["name"], checkpoint["note"]))
        args.image = checkpoint["options"].get("image", 28)
        args.channels = checkpoint["options"].get("channels", 1)
    else:
        model = random_model(args)
    if args.fold_bn:
        layers.fold_batchnorm(model)
    x = zoo.random_images(max(2, args.check_images), args.channels, args.image,
                          torch.Generator().manual_seed(args.seed))
    layers.set_mask_ratio(model, args.mask_ratio)
    proto = export.export(model, x[:2], args.way, args.opset)
    args.out.write_bytes(proto.SerializeToString(deterministic=True))
    print("wrote %s: %d bytes, %d nodes, %d parameters" % (
        args.out, args.out.stat().st_size, len(proto.graph.node), sum(p.numel() for p in model.parameters())))
    if args.mask_ratio or not args.check_images:
        return
    try:
        worst, share = export.compare(proto, model, x)
    except ImportError:
        print("not compared: onnxruntime is not installed")
        return
    print("against PyTorch in ONNX Runtime: largest difference %.2g, %.1f %% of images within 1e-4" % (worst, 100 * share))
    print("(where a value lies on a rounding tie, two correct programs may differ by one level)")


if __name__ == "__main__":
    main()
