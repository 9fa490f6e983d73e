"""Swin transformer for conversion to spikes.

The paper's form (the default): BatchNorm in place of LayerNorm, QCFS after Q, K, V,
after the attention scores, after A V, after proj and both MLP layers, no softmax.
The published code's form (`published()`): softmax on the activations of A plus
position bias and window mask, and the second shortcut taken from the second norm.
Shapes: B images, H x W tokens, C channels, N = window * window tokens in a window.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .layers import ConvBN, LinearBN, SpikeMask, TokenNorm
from .qcfs import QCFS


def partition(x: torch.Tensor, window: int) -> torch.Tensor:
    """[B, H, W, C] -> [B * windows, N, C]"""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, channels)


def reverse(x: torch.Tensor, window: int, height: int, width: int) -> torch.Tensor:
    """[B * windows, N, C] -> [B, H, W, C]"""
    channels = x.shape[-1]
    x = x.reshape(-1, height // window, width // window, window, window, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def relative_position_index(window: int) -> torch.Tensor:
    """[N * N]: for each pair of tokens of a window, the row of the bias table."""
    grid = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
    flat = grid.flatten(1)
    offset = flat[:, :, None] - flat[:, None, :] + window - 1
    return (offset[0] * (2 * window - 1) + offset[1]).flatten()


def shifted_window_mask(resolution: int, window: int, shift: int) -> torch.Tensor:
    """[windows, N, N]: -100 between tokens that only the cyclic shift made neighbours."""
    edge = torch.arange(resolution)
    region = (edge >= resolution - window).long() + (edge >= resolution - shift).long()
    region = (region[:, None] * 3 + region[None, :]).float()
    region = partition(region[None, :, :, None], window)[:, :, 0]
    return (region[:, :, None] != region[:, None, :]).float() * -100.0


class Attention(nn.Module):
    """Attention inside windows: [B * windows, N, C] -> [B * windows, N, C]."""

    def __init__(self, dim: int, heads: int, resolution: int, window: int, shift: int, cfg: dict[str, Any]) -> None:
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.softmax = cfg["attention"] == "softmax"
        bn = cfg["linear_bn"]
        self.qkv = LinearBN(dim, 3 * dim, bn) if cfg["fused_qkv"] else None
        if self.qkv is None:
            self.q, self.k, self.v = [LinearBN(dim, dim, bn) for _ in range(3)]
        self.proj = LinearBN(dim, dim, bn)
        for name in ("q_if", "k_if", "v_if", "attn_if", "attn_v_if", "proj_if"):
            setattr(self, name, QCFS(cfg["levels"], form=cfg["form"]))
        self.q_mask, self.k_mask, self.attn_mask = [SpikeMask() for _ in range(3)]
        self.position_bias = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.02)
        self.register_buffer("position_index", relative_position_index(window))
        self.register_buffer(
            "window_mask", shifted_window_mask(resolution, window, shift) if shift else None)

    def split(self, x: torch.Tensor) -> Sequence[torch.Tensor]:
        """Q, K, V before their activations, each [B * windows, heads, N, d]."""
        groups, tokens, dim = x.shape
        if self.qkv is None:
            shape = (groups, tokens, self.heads, dim // self.heads)
            return [m(x).reshape(shape).transpose(1, 2) for m in (self.q, self.k, self.v)]
        qkv = self.qkv(x).reshape(groups, tokens, 3, self.heads, dim // self.heads)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        return qkv[0], qkv[1], qkv[2]

    def add_position(self, scores: torch.Tensor) -> torch.Tensor:
        """Add the position bias, and the window mask where windows are shifted."""
        tokens = scores.shape[-1]
        bias = self.position_bias[self.position_index].reshape(tokens, tokens, self.heads)
        scores = scores + bias.permute(2, 0, 1).unsqueeze(0)
        if self.window_mask is not None:
            windows = self.window_mask.shape[0]
            scores = scores.reshape(-1, windows, self.heads, tokens, tokens)
            scores = scores + self.window_mask.unsqueeze(1).unsqueeze(0)
            scores = scores.reshape(-1, self.heads, tokens, tokens)
        return scores

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        groups, tokens, dim = x.shape
        q, k, v = self.split(x)
        q = self.q_mask(self.q_if(q))
        k = self.k_mask(self.k_if(k))
        scores = (q @ k.transpose(-2, -1)) * self.scale
        if self.softmax:
            scores = self.attn_mask(self.attn_if(scores))
            scores = torch.softmax(self.add_position(scores), dim=-1)
        else:
            scores = self.attn_mask(self.attn_if(self.add_position(scores)))
        out = (scores @ self.v_if(v)).transpose(1, 2).reshape(groups, tokens, dim)
        return self.proj_if(self.proj(self.attn_v_if(out)))


class Block(nn.Module):
    """[B, H * W, C] -> [B, H * W, C]"""

    def __init__(self, dim: int, heads: int, resolution: int, window: int, shift: int, cfg: dict[str, Any]) -> None:
        super().__init__()
        self.resolution, self.window, self.shift = resolution, window, shift
        self.shortcut2 = cfg["shortcut2"]
        hidden = int(dim * cfg["mlp_ratio"])
        self.norm1, self.norm2 = TokenNorm(dim, cfg["norm"]), TokenNorm(dim, cfg["norm"])
        self.attn = Attention(dim, heads, resolution, window, shift, cfg)
        self.fc1 = LinearBN(dim, hidden, cfg["linear_bn"])
        self.fc2 = LinearBN(hidden, dim, cfg["linear_bn"])
        for name in ("norm1_if", "norm2_if", "fc1_if", "fc2_if"):
            setattr(self, name, QCFS(cfg["levels"], form=cfg["form"]))
        self.fc1_mask = SpikeMask() if cfg["mask_mlp"] else nn.Identity()

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        side, shift = self.resolution, self.shift
        x = x.reshape(-1, side, side, x.shape[-1])
        if shift:
            x = torch.roll(x, shifts=(-shift, -shift), dims=(1, 2))
        x = reverse(self.attn(partition(x, self.window)), self.window, side, side)
        if shift:
            x = torch.roll(x, shifts=(shift, shift), dims=(1, 2))
        return x.reshape(-1, side * side, x.shape[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1_if(self.norm1(x)))
        y = self.norm2(x)
        shortcut = y if self.shortcut2 == "norm" else x
        hidden = self.fc1_mask(self.fc1_if(self.fc1(self.norm2_if(y))))
        return shortcut + self.fc2_if(self.fc2(hidden))


class Merge(nn.Module):
    """Patch merging: [B, H * W, C] -> [B, H/2 * W/2, 2 C]"""

    def __init__(self, dim: int, resolution: int, cfg: dict[str, Any]) -> None:
        super().__init__()
        self.resolution = resolution
        self.norm = TokenNorm(4 * dim, cfg["norm"]) if cfg["merge_norm"] else nn.Identity()
        self.reduction = LinearBN(4 * dim, 2 * dim, cfg["linear_bn"], bias=False)
        self.reduction_if = QCFS(cfg["levels"], form=cfg["form"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side, channels = self.resolution, x.shape[-1]
        x = x.reshape(-1, side, side, channels)
        corners = [x[:, i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
        x = torch.cat(corners, -1).reshape(-1, side * side // 4, 4 * channels)
        return self.reduction_if(self.reduction(self.norm(x)))


class Stem(nn.Module):
    """Image [B, channels, S, S] -> tokens [B, R * R, embed].

    `stem` is a list of (channels, stride, padding) of 3x3 convolutions with BatchNorm and
    QCFS, or one patch size: a single convolution with kernel = stride = patch.
    """

    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        inputs, side, layers = cfg["channels"], cfg["image"], []
        self.norm = None
        if isinstance(cfg["stem"], int):
            inputs, patch = cfg["embed"], cfg["stem"]
            layers.append(nn.Conv2d(cfg["channels"], inputs, patch, patch))
            side //= patch
            self.norm = TokenNorm(inputs, cfg["norm"])
            self.norm_if = QCFS(cfg["levels"], form=cfg["form"])
        else:
            for outputs, stride, padding in cfg["stem"]:
                layers += [ConvBN(inputs, outputs, 3, stride, padding), QCFS(cfg["levels"], form=cfg["form"])]
                inputs, side = outputs, (side + 2 * padding - 3) // stride + 1
        assert inputs == cfg["embed"], "the last stem layer must give `embed` channels"
        self.layers = nn.Sequential(*layers)
        self.resolution = side

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(x).flatten(2).transpose(1, 2)
        return x if self.norm is None else self.norm_if(self.norm(x))


DEFAULTS: dict[str, Any] = dict(
    image=28, channels=1, classes=10, stem=[(16, 1, 1), (32, 2, 1)], embed=32, depths=[2, 2],
    heads=[2, 4], window=7, mlp_ratio=4, levels=16, form="plain", attention="spiking",
    norm="bn", shortcut2="input", fused_qkv=False, linear_bn=True, merge_norm=False,
    final_if=True, mask_mlp=False)


class Swin(nn.Module):
    """[B, channels, S, S] -> logits [B, classes]; see DEFAULTS for the options."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        cfg = dict(DEFAULTS, **options)
        self.stem = Stem(cfg)
        side, dim, blocks = self.stem.resolution, cfg["embed"], []
        for stage, depth in enumerate(cfg["depths"]):
            if stage:
                blocks.append(Merge(dim, side, cfg))
                side, dim = side // 2, dim * 2
            window = min(cfg["window"], side)
            for i in range(depth):
                shift = window // 2 if i % 2 and window < side else 0
                blocks.append(Block(dim, cfg["heads"][stage], side, window, shift, cfg))
        self.blocks = nn.Sequential(*blocks)
        self.norm = TokenNorm(dim, cfg["norm"])
        self.norm_if = QCFS(cfg["levels"], form=cfg["form"]) if cfg["final_if"] else nn.Identity()
        self.head = nn.Linear(dim, cfg["classes"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_if(self.norm(self.blocks(self.stem(x))))
        return self.head(x.mean(1))


def published(**options: Any) -> Swin:
    """Swin as the published MST code builds it, here with LayerNorm unless norm='bn'."""
    form: dict[str, Any] = dict(attention="softmax", norm="ln", shortcut2="norm", fused_qkv=True,
                linear_bn=False, merge_norm=True, final_if=False)
    return Swin(**dict(form, **options))
