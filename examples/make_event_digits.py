#!/usr/bin/env python3
"""Make the bundled test set of event recordings: the simulated camera looks at bundled digits.

The layout is N-MNIST's: FOLDER/<digit>/<nnnnn>.bin, ATIS 40-bit. Same seed, same bytes.
"""
import argparse
import pathlib

import numpy as np

from mst import digits, events


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=digits.BUNDLED / "event-digits", help="folder to write to")
    parser.add_argument("--each", type=int, default=events.TEST_EACH, help="recordings of each digit")
    parser.add_argument("--seed", type=int, default=2015)
    args = parser.parse_args()
    images, labels = events.test_digits(args.each)
    recordings = events.record(images, np.random.default_rng(args.seed))
    for i, (recording, label) in enumerate(zip(recordings, labels)):
        folder = args.out / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        events.write_bin(folder / ("%05d.bin" % (i + 1)), recording)
    total = sum(len(r[0]) for r in recordings)
    print("%d recordings, %d events, %d bytes in %s" % (len(recordings), total, 5 * total, args.out))


if __name__ == "__main__":
    main()
