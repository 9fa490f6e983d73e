#!/usr/bin/env python3
"""Train the small digits Swin from scratch, or fine-tune it under Random Spike Masking.

From scratch:  train_digits.py --images train-images.gz --labels train-labels.gz --out digits.pt
With masks:    ... --init digits.pt --distill --mask-ratio 0.5 --lr 5e-4 --epochs 1 --out digits-sa50.pt
Training images that are also in the bundled test set are left out. The epoch to keep is
chosen on images held out of the training set; the test set is looked at once, at the end.
"""
import argparse
import copy
import math
import time

import numpy as np
import torch
from torch.nn import functional as F

from mst import calibrate, digits, layers, qcfs, simulate, zoo

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
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--images-per-epoch", type=int, help="draw only so many images in each epoch")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--weight-decay", type=float, default=0.05)
    p.add_argument("--label-smoothing", type=float, default=0.1)
    p.add_argument("--clip", type=float, default=5.0, help="largest gradient norm")
    p.add_argument("--shift", type=int, default=2, help="augmentation: shift by up to so many pixels")
    p.add_argument("--validation", type=int, default=4000, help="images held out to choose the epoch")
    p.add_argument("--levels", type=int, default=16, help="L of every activation")
    p.add_argument("--mlp-ratio", type=float, default=2)
    p.add_argument("--depths", type=int, nargs=2, default=[2, 1], help="blocks of the two stages (default 2 1)")
    p.add_argument("--theta-share", type=float, default=0.98,
                   help="each theta starts at this quantile of its positive inputs (default 0.98)")
    p.add_argument("--theta-lr", type=float, default=0.3, help="learning rate of the thetas, as a share of --lr")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)
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


def optimizer_for(model, args):
    """AdamW; weight decay on the matrices only, not on theta, norms, biases, position bias.

    Thetas learn more slowly, so that they stay near where the quantile put them.
    """
    thetas = [a.theta for _, a in qcfs.activations(model)]
    decayed = [p for n, p in model.named_parameters() if n.endswith(".weight") and p.dim() > 1]
    chosen = {id(p) for p in decayed + thetas}
    plain = [p for p in model.parameters() if id(p) not in chosen]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay, "share": 1.0},
                              {"params": plain, "weight_decay": 0.0, "share": 1.0},
                              {"params": thetas, "weight_decay": 0.0, "share": args.theta_lr}], lr=args.lr)


def learning_rate(step, total, top):
    """5 % warm-up, then a cosine to nothing."""
    warm = max(1, total // 20)
    if step < warm:
        return top * (step + 1) / warm
    return top * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def loss_of(logits, y, teacher_logits, args):
    loss = F.cross_entropy(logits, y, label_smoothing=args.label_smoothing if teacher_logits is None else 0.0)
    if teacher_logits is None:
        return loss
    soft = F.kl_div(F.log_softmax(logits / 2, 1), F.softmax(teacher_logits / 2, 1), reduction="batchmean") * 4
    return 0.5 * loss + 0.5 * soft


def train(model, teacher, x, y, held, args):
    """Train in place; ends with the weights of the epoch that was best on the held-out images."""
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = optimizer_for(model, args)
    count = min(args.images_per_epoch or len(x), len(x))
    per_epoch = count // args.batch
    total, step, best = per_epoch * args.epochs, 0, (-1.0, None)
    for epoch in range(args.epochs):
        model.train()
        order, begin, losses = torch.randperm(len(x), generator=generator), time.time(), 0.0
        for i in range(per_epoch):
            rows = order[i * args.batch:(i + 1) * args.batch]
            images = digits.shift(x[rows], generator, args.shift) if args.shift else x[rows]
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * learning_rate(step, total, args.lr)
            with torch.no_grad():
                teacher_logits = teacher(images) if teacher is not None else None
            loss = loss_of(model(images), y[rows], teacher_logits, args)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            optimizer.step()
            qcfs.keep_positive(model)
            losses, step = losses + float(loss.detach()), step + 1
            if (i + 1) % 50 == 0:
                print("epoch %d  %d/%d  loss %.4f  %.0f images/s" % (
                    epoch + 1, i + 1, per_epoch, losses / (i + 1), (i + 1) * args.batch / (time.time() - begin)), flush=True)
        accuracy = simulate.evaluate(model, *held)["ann"]
        print("epoch %d: loss %.4f, held-out accuracy %.2f %%, %.0f s" % (
            epoch + 1, losses / max(1, per_epoch), 100 * accuracy, time.time() - begin), flush=True)
        if accuracy >= best[0]:
            best = (accuracy, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[1])
    return best[0]


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
    accuracy = train(model, teacher, x, y, held, args)
    note = "held-out accuracy %.4f, mask ratio %g on q, k, attn, seed %d" % (accuracy, args.mask_ratio, args.seed)
    zoo.save(args.out, model, "swin", options, note)
    print("test accuracy of the ANN: %.2f %%" % (100 * simulate.evaluate(model, *digits.load_test())["ann"]))
    print("wrote", args.out)


if __name__ == "__main__":
    main()
