"""The networks that are trained here: options of mst.zoo.build, by data set and name."""

STEM = [(32, 1, 1), (64, 2, 1), (64, 1, 1), (96, 2, 1)]  # 32 x 32 pixels -> 8 x 8 tokens
SWIN = dict(image=32, channels=3, stem=STEM, embed=96, depths=[3, 1], heads=[3, 6], window=4, mlp_ratio=3,
            mask_mlp=True)
DIGITS = dict(stem=[(16, 2, 3), (32, 1, 1)], embed=32, depths=[2, 1], heads=[2, 4], window=4, mlp_ratio=2,
              final_if=False, mask_mlp=True)
# The reduction layer before it keeps the side: 34x34 frames to 16x16 tokens, then 8x8.
EVENTS = dict(DIGITS, image=34, stem=[(16, 2, 0), (32, 1, 1)])

RECIPES = {
    "cifar10": {
        "swin": ("swin", SWIN),
        "swin-ln": ("swin", dict(SWIN, norm="ln")),
        "swin-softmax": ("swin", dict(SWIN, attention="softmax")),
        "resnet18": ("resnet18", dict(width=16)),
        "vgg16": ("vgg16", dict(width=16)),
        # ReLU: thresholds come from data (mstconv --calibrate)
        "resnet18-relu": ("resnet18", dict(width=16, levels=0)),
        "vgg16-relu": ("vgg16", dict(width=16, levels=0, bn=False, pool="max")),
    },
    "digits": {"swin": ("swin", DIGITS), "swin-ln": ("swin", dict(DIGITS, norm="ln"))},
    "moving": {"swin": ("event-swin", EVENTS)},
    "nmnist": {"swin": ("event-swin", EVENTS)},
}
