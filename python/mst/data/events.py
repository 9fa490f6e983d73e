"""Event recordings: frames, and a simulated event camera. NumPy only.

An event is (t in microseconds, x, y, p); a recording is four arrays of one length.
The camera looks at a picture that moves before it, as N-MNIST (Orchard et al. 2015) and CIFAR10-DVS (Li et al. 2017)
were recorded. What a real camera does at each pixel is simulated: the logarithm of the light, slowed by the
photoreceptor, gives an event each time it has moved by the pixel's threshold.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .files import Recording

SENSOR = 34


class Scene(NamedTuple):
    """What the camera looks at. Light is ln(1 + gain * value of 0..1)."""
    path: np.ndarray  #: where the picture is: rows of ms, x, y in pixels from the middle
    edge: Any         #: what is around it, a mode of numpy.pad
    dark: bool        #: a stroke's leading edge gives polarity 0
    gain: float
    threshold: float  #: of a change of light


# Three saccades of 100 ms. The path was fitted to training recordings of N-MNIST by correlating events with the gradient
# of the digit.
DIGITS = Scene(np.array([
    (0, -3.0, -1.9), (20, -3.0, -1.3), (30, -3.0, -0.3), (40, -2.8, 0.9), (50, -2.4, 2.0), (60, -1.8, 2.8),
    (70, -1.3, 3.2), (80, -1.0, 3.4), (100, -0.9, 3.4), (120, -0.3, 3.1), (130, 0.2, 2.6), (140, 0.8, 1.8),
    (150, 1.2, 0.8), (160, 1.6, 0.0), (170, 2.1, -0.8), (180, 2.4, -1.2), (200, 2.6, -1.4), (220, 2.8, -1.5),
    (230, 2.4, -1.5), (240, 1.5, -1.5), (250, 0.5, -1.5), (260, -0.5, -1.6), (270, -1.3, -1.7),
    (280, -1.9, -1.8), (290, -2.2, -1.9), (305, -2.3, -1.9)]), "constant", True, 2, 0.17)
# A closed loop of four straight legs, 50 ms each, as the pictures of CIFAR10-DVS moved; mirrored around the edges, so that
# the frame of the picture is not seen. The gain is a guess: most of a photograph is darker than a stroke of chalk.
PICTURES = Scene(np.array([(0, 0.0, -2.5), (50, 2.5, 0.0), (100, 0.0, 2.5), (150, -2.5, 0.0), (200, 0.0, -2.5)]),
                 "symmetric", False, 8, 0.17)

STEP_MS = 2.5
MISMATCH = 0.15                    # share by which the thresholds of pixels differ
RECEPTOR_MS = 4.0                  # time constant of the photoreceptor
NOISE_HZ = 0.8                     # events of a pixel without a cause, a second, both polarities
MARGIN = 6                         # pixels by which a picture may leave the sensor


def frames(events: Recording, n: int, split: str = "time", side: int = SENSOR) -> np.ndarray:
    """[2n, side, side] event counts, channel 2f darker and 2f + 1 brighter, cut as docs/EVENTS.md says."""
    t, x, y, p = events
    if split == "number":
        f = np.minimum(np.arange(len(t)) // max(1, len(t) // n), n - 1)
    else:
        f = np.minimum((t - t[0]) // max(1, (t[-1] - t[0]) // n), n - 1)
    out = np.zeros((2 * n, side, side), np.float32)
    np.add.at(out, (2 * f + p, y, x), 1)
    return out


def _light(windows: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """[B, SENSOR, SENSOR]: pictures displaced by (dx, dy) [B], bilinear; windows: their squares of SENSOR + 1 pixels, the
    middle one at MARGIN, MARGIN."""
    top, left = MARGIN - dy, MARGIN - dx
    i, j = np.floor(top).astype(int), np.floor(left).astype(int)
    u, v = (top - i)[:, None, None], (left - j)[:, None, None]
    seen = windows[np.arange(len(windows)), i, j]
    return np.asarray((1 - u) * ((1 - v) * seen[:, :-1, :-1] + v * seen[:, :-1, 1:])
                      + u * ((1 - v) * seen[:, 1:, :-1] + v * seen[:, 1:, 1:]))


def _blur(images: np.ndarray) -> np.ndarray:
    """The lens: [1 2 1] / 4 along both axes."""
    for axis in (1, 2):
        images = (np.roll(images, 1, axis) + 2 * images + np.roll(images, -1, axis)) / 4
    return images


def _around(images: np.ndarray, width: int, scene: Scene) -> np.ndarray:
    return np.pad(images, ((0, 0), (width, width), (width, width)), scene.edge)


def grey(pictures: np.ndarray) -> np.ndarray:
    """[B, S, S] bytes: the luma of colour pictures [B, 3, S, S] (bytes)."""
    luma = np.tensordot(pictures.astype(np.float32), (.299, .587, .114), ((1,), (0,)))
    return np.asarray(np.rint(luma), np.uint8)


def record(images: np.ndarray, rng: np.random.Generator, scene: Scene = DIGITS) -> list[Recording]:
    """A recording (t, x, y, p) of each of the images [B, S, S] (bytes), S at most SENSOR, events in order of time."""
    batch = len(images)
    light = _blur(_around(images.astype(np.float32) / 255, 2, scene))[:, 2:-2, 2:-2]
    light = _around(light, MARGIN + (SENSOR - images.shape[1]) // 2, scene)
    windows = np.lib.stride_tricks.sliding_window_view(light, (SENSOR + 1, SENSOR + 1), (1, 2))
    sign = -1.0 if scene.dark else 1.0
    wander = rng.normal(0, 0.35, (2, batch))             # the eye is never quite in the same place
    reach = rng.normal(1, 0.06, (2, batch))
    threshold = scene.threshold * np.exp(rng.normal(0, 0.12, (batch, 1, 1)))
    threshold = threshold * np.maximum(0.3, rng.normal(1, MISMATCH, (batch, SENSOR, SENSOR)))
    times = np.arange(0, scene.path[-1, 0] + STEP_MS, STEP_MS)
    found, seen, reference = [], None, None
    for time in times:
        dx = np.interp(time, scene.path[:, 0], scene.path[:, 1]) * reach[0] + wander[0]
        dy = np.interp(time, scene.path[:, 0], scene.path[:, 2]) * reach[1] + wander[1]
        now = sign * np.log1p(scene.gain * _light(windows, dx, dy))
        if seen is None:
            seen = now
            reference = now + threshold * rng.uniform(-1, 1, now.shape)
            continue
        seen = seen + (now - seen) * (1 - np.exp(-STEP_MS / RECEPTOR_MS))
        moved = np.trunc((seen - reference) / threshold)
        reference = reference + moved * threshold
        noise = rng.random(now.shape) < NOISE_HZ * STEP_MS * 1e-3
        moved = np.where((moved == 0) & noise, rng.choice([-1.0, 1.0], now.shape), moved)
        b, y, x = np.nonzero(moved)
        count = np.minimum(np.abs(moved[b, y, x]), 3).astype(int)  # no pixel is faster: refractory time
        polarity = (moved[b, y, x] > 0).astype(np.int64)
        b, y, x, polarity = (np.repeat(a, count) for a in (b, y, x, polarity))
        t = ((time + STEP_MS * rng.random(len(b))) * 1000).astype(np.int64)
        found.append((b, t, x, y, polarity))
    b, t, x, y, p = (np.concatenate(a) for a in zip(*found))
    order = np.lexsort((t, b))
    b, t, x, y, p = b[order], t[order], x[order], y[order], p[order]
    ends = np.searchsorted(b, np.arange(batch + 1))
    return [(t[i:j], x[i:j], y[i:j], p[i:j]) for i, j in zip(ends, ends[1:])]


def moving(pictures: np.ndarray, seed: int, batch: int = 100) -> Iterator[Recording]:
    """Recordings of pictures [n, 3, S, S] (bytes), one after another."""
    for i in range(0, len(pictures), batch):
        yield from record(grey(pictures[i:i + batch]), np.random.default_rng((seed, i // batch)), PICTURES)
