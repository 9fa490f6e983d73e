"""TrivialAugment for whole batches: to each image one operation of random strength (Mueller and Hutter, ICCV 2021).

Colour: brightness, contrast, saturation, posterize, solarize. Geometry: rotate, shear, shift.
"""
import math

import torch

COLOUR = ("brightness", "contrast", "saturation", "posterize", "solarize")
GEOMETRY = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y")


def colour(x, name, amount):
    """[B, C, S, S] floats in 0..255, amount [B, 1, 1, 1] in -1..1 -> the same shape, not yet bounded"""
    if name == "posterize":
        step = 2.0 ** (amount.abs() * 6).floor()  # keeps 8 to 2 bits
        return (x / step).floor() * step
    if name == "solarize":
        return torch.where(x >= 255 * (1 - amount.abs()), 255 - x, x)
    reference = {"brightness": torch.zeros_like(x), "contrast": x.mean((1, 2, 3), keepdim=True),
                 "saturation": x.mean(1, keepdim=True)}[name]
    return reference + (x - reference) * (1 + 0.99 * amount)


def geometry(x, names, amount):
    """One affine map for each image; outside of the image is its mean."""
    zero, one = torch.zeros_like(amount), torch.ones_like(amount)
    angle = amount * math.radians(135)
    maps = {"rotate": (angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero),
            "shear_x": (one, 0.99 * amount, zero, zero, one, zero),
            "shear_y": (one, zero, zero, 0.99 * amount, one, zero),
            "shift_x": (one, zero, amount, zero, one, zero),
            "shift_y": (one, zero, zero, zero, one, amount)}
    table = torch.stack([torch.stack(maps[name], 1) for name in GEOMETRY])  # [5, B, 6]
    chosen = table[names, torch.arange(len(x), device=x.device)].reshape(-1, 2, 3)
    middle = x.mean((2, 3), keepdim=True)
    grid = torch.nn.functional.affine_grid(chosen, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x - middle, grid, align_corners=False) + middle


def augment(x, generator):
    """Bytes [B, C, S, S] -> bytes; about one image in eleven stays as it is."""
    draw = torch.rand(2, len(x), generator=generator).to(x.device)
    operation = (draw[0] * (1 + len(COLOUR) + len(GEOMETRY))).long()
    amount, result = draw[1] * 2 - 1, x.clone()
    for i, name in enumerate(COLOUR):
        rows = (operation == 1 + i).nonzero()[:, 0]
        if len(rows):
            changed = colour(x[rows].float(), name, amount[rows].reshape(-1, 1, 1, 1))
            result[rows] = changed.clamp(0, 255).round().to(torch.uint8)
    rows = (operation > len(COLOUR)).nonzero()[:, 0]
    if len(rows):
        changed = geometry(x[rows].float(), operation[rows] - 1 - len(COLOUR), amount[rows])
        result[rows] = changed.clamp(0, 255).round().to(torch.uint8)
    return result
