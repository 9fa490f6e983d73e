#!/usr/bin/env python3
"""Train the small digits Swin from scratch, or fine-tune it under Random Spike Masking.

From scratch:  train_digits.py --images train-images.gz --labels train-labels.gz --out digits.pt
With masks:    ... --init digits.pt --distill --mask-ratio 0.5 --lr 5e-4 --epochs 1 --out digits-sa50.pt
Training images that are also in the bundled test set are left out. The epoch to keep is
chosen on images held out of the training set; the test set is looked at once, at the end.
"""
import argparse
import copy

import numpy as np
import torch

from mst import calibrate, digits, layers, simulate, training, zoo

# 28x28 padded to 16x16 tokens, then 8x8; the classifier reads the normalized residual stream.
DIGITS = {"stem": [(16, 2, 3), (32, 1, 1)], "embed": 32, "heads": [2, 4], "window": 4, "final_if": False}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--images", required=True, help="training images, IDX (.gz too)")
    p.add_argument("--labels", required=True, help="training labels, IDX (.gz too)")
    p.add_argument("--out", required=True, help="checkpoint to write")
    p.add_argument("--init", help="checkpoint to fine-tune")
    p.add_argument("--distill", action="store_true", help="learn from the outputs of --init as well as the labels")
    p.add_argument("--mask-ratio", type=float, default=0.0, help="share of q, k and attn spikes to mask (default 0)")
    p.add_argument("--validation", type=int, default=4000, help="images held out to choose the epoch")
    training.add_options(p)
    return p.parse_args()


def load_training(args):
    """(x [B, 1, 28, 28], y [B]) without any image of the test set."""
    images, labels = digits.read_idx(args.images), digits.read_idx(args.labels).astype(np.int64)
    test = set(digits.digests(digits.read_idx(digits.TEST_IMAGES)))
    keep = np.array([d not in test for d in digits.digests(images)])
    images, labels = images[keep], labels[keep]
    left = test & set(digits.digests(images))
    assert not left, "a test image is left in the training set"
    print("training images: %d read, %d dropped that are among the %d test images, %d kept, %d of them in the test set"
          % (len(keep), int((~keep).sum()), len(test), len(images), len(left)), flush=True)
    return digits.normalize(images), torch.from_numpy(labels)


def main():
    args = parse()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    x, y = load_training(args)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(args.seed))
    held = order[:args.validation]
    held, rest = (x[held], y[held]), order[args.validation:]
    x, y = x[rest], y[rest]

    teacher = None
    if args.init:
        model, checkpoint = zoo.load(args.init)
        options = checkpoint["options"]
        teacher = copy.deepcopy(model).eval() if args.distill else None
        layers.set_mask_ratio(model, args.mask_ratio)
        if args.mask_ratio:
            print("held-out accuracy with masks, before: %.2f %%" % (100 * simulate.evaluate(model, *held)["ann"]))
            calibrate.estimate_batchnorm(model, [x[i:i + 256] for i in range(0, 256 * 8, 256)])
            print("held-out accuracy with masks, new BatchNorm statistics: %.2f %%" % (
                100 * simulate.evaluate(model, *held)["ann"]), flush=True)
    else:
        options = dict(DIGITS, levels=args.levels, mlp_ratio=args.mlp_ratio, depths=args.depths)
        model = zoo.build("swin", **options)
        layers.set_mask_ratio(model, args.mask_ratio)
        calibrate.set_thetas(model, x[:256], args.theta_share)
    print("parameters: %d" % sum(p.numel() for p in model.parameters()), flush=True)
    accuracy = training.train(model, teacher, x, y, held,
                              lambda images, g: digits.shift(images, g, args.shift), args)
    note = "held-out accuracy %.4f, mask ratio %g on q, k, attn, seed %d" % (accuracy, args.mask_ratio, args.seed)
    zoo.save(args.out, model, "swin", options, note)
    print("test accuracy of the ANN: %.2f %%" % (100 * simulate.evaluate(model, *digits.load_test())["ann"]))
    print("wrote", args.out)


if __name__ == "__main__":
    main()
