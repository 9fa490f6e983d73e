"""CIFAR-10's official binary files."""
import numpy as np

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read(path, count):
    """(pictures uint8 [n, 3, 32, 32], labels [n]) of the first count records."""
    records = np.fromfile(path, np.uint8, count * 3073).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(int)


def normalized(pictures):
    """What the networks see."""
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in (MEAN, STD))
    return (pictures.astype(np.float32) / np.float32(255) - mean) / std
