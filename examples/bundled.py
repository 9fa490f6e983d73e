"""The digits of examples/data: the test set, and those of them that the bundled event recordings show."""
import pathlib

import numpy as np

from mst.data import files

FOLDER = pathlib.Path(__file__).resolve().parent / "data"
TEST_IMAGES, TEST_LABELS = "digits-test-images.idx3-ubyte.gz", "digits-test-labels.idx1-ubyte.gz"
EACH = 2  # recordings of each digit


def digits(folder=FOLDER):
    """(images [2000, 28, 28], labels [2000])"""
    return files.read_pair(folder / TEST_IMAGES, folder / TEST_LABELS)


def others(images):
    """[n] whether an image is none of the test set."""
    known = set(files.digests(digits()[0]))
    return np.array([d not in known for d in files.digests(images)], bool)


def recorded():
    """(images, labels) of those that recordings show: EACH of every digit.

    make_test_sets.py takes the first 200 images of a class in MNIST's order and shuffles
    them all. The last of each class lie behind MNIST's first 1,000 images, those whose N-MNIST
    recordings the model is trained on.
    """
    images, labels = digits()
    place = np.random.RandomState(2023).permutation(len(images))  # image i was image place[i]
    chosen = np.flatnonzero(place % 200 >= 200 - EACH)
    chosen = chosen[np.argsort(place[chosen])]
    return images[chosen], labels[chosen]
