"""The paper's own figures: Wang et al., Masked Spiking Transformer (ICCV 2023), arXiv 2210.01208. Accuracies in percent.
Nothing here is ours; what the paper does not state is None."""

SOURCES = [
    ("paper", "Wang et al., Masked Spiking Transformer, ICCV 2023, arXiv 2210.01208: tables, figures, text"),
    ("sam", "Kim and Panda, Visual explanations from spiking neural networks using inter-spike intervals, Sci. Rep. "
            "11, 19037 (2021), as public notes and code on GitHub give its formula; gamma = 0.4 is that code's"),
    ("scorecam", "Wang et al., Score-CAM: score-weighted visual explanations for convolutional neural networks, CVPR "
                 "Workshops 2020, arXiv 1910.01279"),
]

# Table 1: {data: (ANN, {T: SNN})}, Swin-T (BN)
TABLE1 = {
    "CIFAR-10": (98.14, {64: 96.32, 128: 97.06, 256: 97.27}),
    "CIFAR-100": (88.72, {64: 85.40, 128: 86.73, 256: 86.91}),
    "ImageNet": (80.51, {128: 77.88, 256: 78.37, 512: 78.51}),
}
PARAMETERS = 27.6e6  # of the CIFAR networks
# The others of Table 1 on CIFAR-10: (name, network, accuracy, T)
OTHERS = [
    ("Diet-SNN", "VGG-16", 93.44, 10), ("tdBN", "ResNet-19", 92.92, 4), ("TET", "ResNet-19", 94.50, 6),
    ("DSR", "PreActResNet-18", 95.40, 20), ("Spikformer", "Spikformer-4-384", 95.51, 4), ("RMP", "VGG-16", 93.63, 2048),
    ("RNL", "PreActResNet-18", 93.45, 256), ("QCFS", "ResNet-18", 96.06, 512),
]

# Table 2: {data: (ANN, {T: SNN})}, event recordings
TABLE2 = {
    "CIFAR10-DVS": (88.98, {128: 86.60, 256: 87.20, 512: 88.12}),
    "N-Caltech101": (92.00, {64: 84.71, 128: 89.42, 256: 91.38}),
    "N-Cars": (97.14, {32: 94.67, 64: 96.58, 128: 97.28}),
    "Action Recognition": (90.14, {64: 84.76, 128: 86.92, 256: 88.21}),
    "ASL-DVS": (99.90, {64: 98.04, 128: 98.51, 256: 99.10}),
}

# Table 3, CIFAR-10: {family: {masked share in %: (power in alpha watts, its ratio as printed, accuracy)}}
TABLE3 = {
    "swin": {0: (3.9e9, 1.0, 97.27), 50: (3.2e9, 0.82, 97.25), 75: (2.9e9, 0.74, 97.29)},
    "resnet18": {0: (58.2e6, 1.0, 96.48), 50: (40.7e6, 0.70, 92.88), 75: (34.1e6, 0.58, 82.68)},
    "vgg16": {0: (24.4e6, 1.0, 95.46), 50: (18.9e6, 0.77, 89.56), 75: (16.7e6, 0.68, 79.09)},
}

# What the figures' text says
FIG5_SA = (80, 0.1)       # self-attention, CIFAR-10: masked share in %, points lost there
FIG6_SLIGHT = (2, 5)      # CIFAR-100: the loss is slight for the first so many blocks, level from 9 or 10 on


def mark(name):
    """The number of a source on the page."""
    return "[%d]" % (1 + [key for key, _ in SOURCES].index(name))
