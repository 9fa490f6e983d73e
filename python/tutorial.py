"""From a PyTorch network with QCFS activations to spikes, figures and a page that explains them, in Python alone.

    python python/tutorial.py [FOLDER]

The network is trained on 1,500 of the bundled digits for a minute. FOLDER (default: .) gets it as network.onnx, converted
as network.bin, and the page, report.html. docs/PYTHON.md has the same as commands.
"""
import pathlib
import sys

import onnx
import torch
from torch import nn

import mst
from mst.torch import QCFS, calibrate, export

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "examples" / "data"
DIGITS = "idx:%s,%s" % (FOLDER / "digits-test-images.idx3-ubyte.gz", FOLDER / "digits-test-labels.idx1-ubyte.gz")
TRAIN, EPOCHS, BATCH = 1500, 5, 50


def trained(x, y):
    """Convolutions and QCFS with 8 levels; thetas from data, then cross entropy."""
    torch.manual_seed(1)
    torch.set_num_threads(1)  # so small a network is faster so
    network = nn.Sequential(nn.Conv2d(1, 8, 5, 2), QCFS(8), nn.Conv2d(8, 16, 5, 2), QCFS(8), nn.Flatten(),
                            nn.Linear(256, 64), QCFS(8), nn.Linear(64, 10))
    calibrate.set_thetas(network, x[:200])
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[part]), y[part]).backward()
            optimizer.step()
    return network.eval()


def main(out):
    images, labels = mst.data.arrays(mst.data.open(DIGITS))
    network = trained(torch.from_numpy(images[:TRAIN]), torch.from_numpy(labels[:TRAIN]))
    onnx.save(export.export(network, torch.from_numpy(images[:1])), out / "network.onnx")
    images, labels = images[TRAIN:], labels[TRAIN:]
    model = mst.convert(out / "network.onnx", out / "network.bin", mean=[0], std=[1])
    for mode in ("ann", "step", "count", "radix"):
        result = model.run(images, labels=labels, mode=mode)
        print("%-5s top-1 %.1f %%, %s" % (mode, 100 * result.accuracy, result))
    report = mst.calibrate(out / "network.onnx", model, (images, labels), T=[8, 16, 64], html=out / "report.html")
    print("the ANN: top-1 %.1f %%; largest error in %s" % (report.ann_top1_percent, report.worst.name))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
