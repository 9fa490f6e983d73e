#!/usr/bin/env python3
"""Accuracy of a checkpoint as an ANN and, simulated step by step, as a spiking network."""
import argparse
import time

import torch

from mst import digits, layers, simulate, zoo


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("checkpoint")
    p.add_argument("--images", default=digits.TEST_IMAGES, help="IDX images (default: the bundled test set)")
    p.add_argument("--labels", default=digits.TEST_LABELS, help="IDX labels")
    p.add_argument("--count", type=int, default=500, help="how many images (default 500, 0 for all)")
    p.add_argument("--steps", type=int, nargs="+", default=[16, 32, 64, 128])
    p.add_argument("--mask-ratio", type=float, default=0.0, help="mask q, k and attn spikes at this ratio")
    p.add_argument("--fold-bn", action="store_true", help="fold BatchNorm first, as the exported model has it")
    p.add_argument("--batch", type=int, default=100)
    p.add_argument("--seed", type=int, default=0, help="of the masks")
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    model, checkpoint = zoo.load(args.checkpoint)
    if args.fold_bn:
        layers.fold_batchnorm(model)
    layers.set_mask_ratio(model, args.mask_ratio)
    x, y = digits.load_test(args.images, args.labels)
    count = args.count or len(x)
    x, y, begin = x[:count], y[:count], time.time()
    result = simulate.evaluate(
        model, x, y, args.steps, args.batch,
        lambda done, total: print("  %d/%d images, %.0f s" % (done, total, time.time() - begin), flush=True))
    print("%s; %d images, mask ratio %g" % (checkpoint["note"], len(x), args.mask_ratio))
    print("ANN                accuracy %.2f %%" % (100 * result["ann"]))
    for t in args.steps:
        accuracy, agreement, error = result[t]
        print("SNN at T = %4d     accuracy %.2f %%  agreement with the ANN %.2f %%  relative logit error %.3f" % (
            t, 100 * accuracy, 100 * agreement, error))
    print("mean firing rate   %.3f over %d steps" % (result["rate"], max(args.steps)))


if __name__ == "__main__":
    main()
