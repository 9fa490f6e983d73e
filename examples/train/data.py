"""Data sets in memory as they are stored, and augmentation of whole batches on whatever device they are on."""
import contextlib
import functools
import pathlib
import sys
import zlib

import numpy as np
import torch

import bundled
import trivial
from mst.data import events, files

HELD = {"cifar10": 5000, "digits": 5000, "moving": 5000, "nmnist": 200}
RECORDED = ("moving", "nmnist")
# What a model's metadata says of its data (export.describe). Event frames are not normalized.
DESCRIPTION = {
    "cifar10": {"mean": files.CIFAR10_MEAN, "std": files.CIFAR10_STD, "classes": files.CIFAR10_CLASSES},
    "digits": {"mean": (0.1307,), "std": (0.3081,), "classes": "0123456789"},
    "moving": {"classes": files.CIFAR10_CLASSES},
    "nmnist": {"classes": "0123456789"},
}


def refuse(message):
    """End with one line on stderr."""
    sys.exit("error: " + message)


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_folder(path):
    """Refuse a file to write whose folder is not there: before the work, not after it."""
    if not pathlib.Path(path).absolute().parent.is_dir():
        refuse("%s: no such folder" % pathlib.Path(path).parent)


@contextlib.contextmanager
def reading(folder):
    """What cannot be read of a folder ends the program with one line."""
    try:
        yield
    except OSError as error:
        refuse("%s: %s" % (error.filename or folder, error.strerror or error))
    except (ValueError, EOFError, IndexError, zlib.error) as error:
        refuse(first_line(error) if str(folder) in str(error) else "%s: %s" % (folder, first_line(error)))


def tensors(x, y):
    return torch.from_numpy(np.array(x)), torch.from_numpy(np.asarray(y, np.int64))


def add_options(p):
    """Options of a data set."""
    p.add_argument("--dataset", choices=sorted(HELD), default="cifar10")
    g = p.add_argument_group("recordings (moving, nmnist)")
    g.add_argument("--frames", type=int, default=3, help="frames that a recording is cut into (default 3)")
    g.add_argument("--split", choices=("number", "time"), default="time", help="how it is cut (default time)")
    g.add_argument("--present", choices=("channels", "steps"), default="channels",
                   help="frames together as channels (default), or one after another: the ANN then sees their mean")
    g.add_argument("--simulate", type=int, default=0,
                   help="train on so many recordings of a simulated camera, too (mst.data.events); --digits says of what")
    g.add_argument("--digits", help="folder of MNIST's IDX files, of whose training images the bundled ones are left out")
    g.add_argument("--repeat", type=int, default=1, help="times that an epoch has each real recording (default 1)")


class DataSet:
    """train and held: (x [B, C, S, S], y [B]), x bytes or counts of events; held is a fixed part of the training set.

    A file is read when it is asked for. args: what add_options has of recordings.
    """

    def __init__(self, name, folder, held, args=None):
        self.name, self.folder, self.count, self.args = name, pathlib.Path(folder), held, args
        self.flips = name == "cifar10"
        pictures = DESCRIPTION["cifar10" if self.flips else "digits"]
        self.mean, self.std = pictures["mean"], pictures["std"]

    @functools.cached_property
    def train(self):
        return self.parts[0]

    @functools.cached_property
    def held(self):
        return self.parts[1]

    @functools.cached_property
    def parts(self):
        with reading(self.folder):
            if self.name == "cifar10":
                found = [files.read_cifar10(self.folder / ("data_batch_%d.bin" % i)) for i in range(1, 6)]
                x, y = tensors(*[np.concatenate(part) for part in zip(*found)])
            elif self.name == "digits":
                images, labels = files.read_digits(self.folder, "train")
                keep = bundled.others(images)
                x, y = tensors(images[keep][:, None], labels[keep])
            else:
                x, y = self.recordings("Train")
        if not 0 < self.count < len(x):
            refuse("%d images cannot be held out of %d" % (self.count, len(x)))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        held, rest = order[:self.count], order[self.count:]
        if self.name == "nmnist" and self.args.simulate:
            with reading(self.args.digits):
                return self.with_simulated(x[rest], y[rest]), (x[held], y[held])
        return (x[rest], y[rest]), (x[held], y[held])

    def test(self):
        """The official test images: for the last figure, never to choose by. Of a folder like the bundled one, those in it."""
        with reading(self.folder):
            if self.name == "cifar10":
                return tensors(*files.read_cifar10(self.folder / "test_batch.bin"))
            if self.name == "digits":
                ours = (self.folder / bundled.TEST_IMAGES).exists()
                images, labels = bundled.digits(self.folder) if ours else files.read_digits(self.folder)
                return tensors(images[:, None], labels)
            return self.recordings("Test" if (self.folder / "Test").is_dir() else ".")

    def counts(self, recording):
        """[2 frames, S, S] counts of events"""
        return np.minimum(events.frames(recording, self.args.frames, self.args.split), 32767).astype(np.int16)

    def recordings(self, part):
        found = files.recordings(self.folder / part)
        if not found:
            raise ValueError("%s: no recordings <digit>/<number>.bin" % (self.folder / part))
        return tensors([self.counts(files.read_bin(path)) for path, _ in found], [label for _, label in found])

    def with_simulated(self, x, y):
        """Recordings of the simulated camera, and `repeat` times the real ones; no digit of the bundled ones is in them."""
        images, labels = files.read_digits(self.args.digits, "train")
        # N-MNIST's file nnnnn is of MNIST's image nnnnn - 1
        real = [int(path.stem) - 1 for path, _ in files.recordings(self.folder / "Train")]
        if set(files.digests(images[real])) & set(files.digests(bundled.recorded()[0])):
            raise ValueError("%s: a recording of a digit that the bundled recordings show, too" % self.folder)
        rng = np.random.default_rng(self.args.seed)
        chosen = rng.permutation(np.flatnonzero(bundled.others(images)))[:self.args.simulate]
        made = []
        for i in range(0, len(chosen), 100):
            made += [self.counts(r) for r in events.record(images[chosen[i:i + 100]], rng)]
            if i % 5000 == 0:
                print("simulated camera: %d of %d recordings" % (i, len(chosen)), flush=True)
        made = tensors(made, labels[chosen])
        x, y = [torch.cat([m] + [r] * self.args.repeat) for m, r in zip(made, (x, y))]
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.args.seed))
        return x[order], y[order]

    def options(self):
        """What the data say of a network that is to be made for them."""
        if self.name not in RECORDED:
            return {}
        return {"channels": 2 if self.args.present == "steps" else 2 * self.args.frames}

    def normalize(self, x):
        """[B, C, S, S] as stored -> floats as the network takes them"""
        if self.name in RECORDED:
            x = x.float()
            return x.unflatten(1, (-1, 2)).mean(1) if self.args.present == "steps" else x
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
