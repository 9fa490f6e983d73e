"""Data sets in memory as bytes, and augmentation of whole batches on whatever device they are on."""
import pathlib
import sys

import numpy as np
import torch

import trivial
from mst import digits

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
RECORD = 1 + 3 * 32 * 32


def refuse(message):
    """End with one line on stderr."""
    sys.exit("error: " + message)


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_folder(path):
    """Refuse a file to write whose folder is not there: before the work, not after it."""
    if not pathlib.Path(path).absolute().parent.is_dir():
        refuse("%s: no such folder" % pathlib.Path(path).parent)


def read_cifar10(folder, names):
    """(x [B, 3, 32, 32] bytes, y [B]) of CIFAR-10's binary files."""
    parts = []
    for name in names:
        path = pathlib.Path(folder) / name
        try:
            data = np.fromfile(path, np.uint8)
        except OSError as error:
            refuse("%s: %s" % (path, error.strerror))
        if data.size == 0 or data.size % RECORD:
            refuse("%s: not a CIFAR-10 binary file (%d bytes, not a multiple of %d)" % (path, data.size, RECORD))
        parts.append(data.reshape(-1, RECORD))
    records = np.concatenate(parts)
    if records[:, 0].max() > 9:
        refuse("%s: a label above 9" % folder)
    x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return x, torch.from_numpy(records[:, 0].astype(np.int64))


class DataSet:
    """train and held: (x bytes [B, C, S, S], y [B]); held is a fixed part of the training set."""

    def __init__(self, name, folder, held, seed=0):
        self.name = name
        if name == "cifar10":
            x, y = read_cifar10(folder, ["data_batch_%d.bin" % i for i in range(1, 6)])
            self.mean, self.std, self.flips = MEAN, STD, True
        else:
            x, y = self.read_digits(folder, "train")
            self.mean, self.std, self.flips = (digits.MEAN,), (digits.STD,), False
        if not 0 < held < len(x):
            refuse("%d images cannot be held out of %d" % (held, len(x)))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        self.folder = folder
        self.held = x[order[:held]], y[order[:held]]
        self.train = x[order[held:]], y[order[held:]]

    @staticmethod
    def read_digits(folder, part):
        files = [pathlib.Path(folder) / ("%s-%s-idx%d-ubyte" % (part, kind, dims))
                 for kind, dims in (("images", 3), ("labels", 1))]
        files = [f if f.exists() else f.with_name(f.name + ".gz") for f in files]
        try:
            images, labels = [digits.read_idx(f) for f in files]
        except (OSError, ValueError, EOFError) as error:
            refuse(str(error))
        return torch.from_numpy(images.copy())[:, None], torch.from_numpy(labels.astype(np.int64))

    def test(self):
        """The official test images: for the last figure, never to choose by."""
        if self.name == "cifar10":
            return read_cifar10(self.folder, ["test_batch.bin"])
        return self.read_digits(self.folder, "t10k")

    def normalize(self, x):
        """Bytes [B, C, S, S] -> floats"""
        mean, std = [torch.tensor(v, device=x.device).reshape(1, -1, 1, 1) for v in (self.mean, self.std)]
        return (x.float() / 255 - mean) / std

    def augment(self, x, generator, pad=4, erase=0, strong=False):
        """Random crops of the padded images and flips; TrivialAugment before them where `strong`;
        then (erase > 0) a square of that side painted over."""
        x = trivial.augment(x, generator) if strong else x
        batch, channels, side, _ = x.shape
        pad = pad if self.flips else 2
        padded = torch.nn.functional.pad(x, [pad] * 4)
        draw = lambda top: torch.randint(0, top, (batch, 1), generator=generator).to(x.device)
        line = torch.arange(side, device=x.device)
        rows, columns = draw(2 * pad + 1) + line, draw(2 * pad + 1)
        flipped = draw(2) == 1 if self.flips else torch.zeros(batch, 1, dtype=torch.bool, device=x.device)
        columns = columns + torch.where(flipped, line.flip(0), line)
        image = torch.arange(batch, device=x.device)[:, None, None, None]
        channel = torch.arange(channels, device=x.device)[None, :, None, None]
        x = padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
        if erase:
            inside = [(line - draw(side)).abs() <= erase // 2 for _ in range(2)]
            x = x.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0 if not self.flips else 120)
        return x
