"""Event recordings: frames, and a simulated event camera. NumPy only.

An event is (t in microseconds, x, y, p); a recording is four arrays of one length.
The camera looks at MNIST digits the way N-MNIST was recorded (Orchard et al. 2015):
three saccades of 100 ms over a sensor of 34x34. What a real camera does at each pixel
is simulated: the logarithm of the light, slowed by the photoreceptor, gives an event
each time it has moved by the pixel's threshold.
"""
import numpy as np

from . import files

SENSOR, PIXELS = 34, 28
TEST_EACH = 2  # recordings of each digit in the generated test set

# Where the digit is during the saccades: ms, x, y in pixels from the middle. Fitted to
# training recordings of N-MNIST by correlating events with the gradient of the digit.
PATH = np.array([
    (0, -3.0, -1.9), (20, -3.0, -1.3), (30, -3.0, -0.3), (40, -2.8, 0.9), (50, -2.4, 2.0), (60, -1.8, 2.8),
    (70, -1.3, 3.2), (80, -1.0, 3.4), (100, -0.9, 3.4), (120, -0.3, 3.1), (130, 0.2, 2.6), (140, 0.8, 1.8),
    (150, 1.2, 0.8), (160, 1.6, 0.0), (170, 2.1, -0.8), (180, 2.4, -1.2), (200, 2.6, -1.4), (220, 2.8, -1.5),
    (230, 2.4, -1.5), (240, 1.5, -1.5), (250, 0.5, -1.5), (260, -0.5, -1.6), (270, -1.3, -1.7),
    (280, -1.9, -1.8), (290, -2.2, -1.9), (305, -2.3, -1.9)])
STEP_MS = 2.5
THRESHOLD, MISMATCH = 0.17, 0.15   # in units of ln(1 + 2 * light); share by which pixels differ
RECEPTOR_MS = 4.0                  # time constant of the photoreceptor
NOISE_HZ = 0.8                     # events of a pixel without a cause, a second, both polarities
DARK_STROKES = True                # in N-MNIST a stroke's leading edge gives polarity 0


def frames(events, n, split="time", side=SENSOR):
    """[2n, side, side] event counts, channel 2f darker and 2f + 1 brighter, cut as docs/EVENTS.md says."""
    t, x, y, p = events
    if split == "number":
        f = np.minimum(np.arange(len(t)) // max(1, len(t) // n), n - 1)
    else:
        f = np.minimum((t - t[0]) // max(1, (t[-1] - t[0]) // n), n - 1)
    out = np.zeros((2 * n, side, side), np.float32)
    np.add.at(out, (2 * f + p, y, x), 1)
    return out


def test_digits(each=TEST_EACH):
    """(images, labels) of the generated test set: `each` of every digit of the bundled set.

    make_test_sets.py takes the first 200 images of a class in MNIST's order and shuffles
    them all. The last of each class lie behind MNIST's first 1,000 images, those whose N-MNIST
    recordings the model is trained on.
    """
    images, labels = files.read_digits(files.BUNDLED)
    place = np.random.RandomState(2023).permutation(len(images))  # image i was image place[i]
    chosen = np.flatnonzero(place % 200 >= 200 - each)
    chosen = chosen[np.argsort(place[chosen])]
    return images[chosen], labels[chosen]


def _light(images, dx, dy):
    """[B, SENSOR, SENSOR] in 0..1: the digits [B, 28, 28] displaced by (dx, dy) [B], bilinear."""
    pad = 6 + (SENSOR - PIXELS) // 2
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    rows = np.arange(SENSOR)
    top, left = 6 - dy, 6 - dx
    i, j = np.floor(top).astype(int), np.floor(left).astype(int)
    u, v = (top - i)[:, None, None], (left - j)[:, None, None]
    b = np.arange(len(images))[:, None, None]
    r, c = i[:, None, None] + rows[None, :, None], j[:, None, None] + rows[None, None, :]
    return ((1 - u) * ((1 - v) * padded[b, r, c] + v * padded[b, r, c + 1])
            + u * ((1 - v) * padded[b, r + 1, c] + v * padded[b, r + 1, c + 1]))


def _blur(images):
    """The lens: [1 2 1] / 4 along both axes."""
    for axis in (1, 2):
        images = (np.roll(images, 1, axis) + 2 * images + np.roll(images, -1, axis)) / 4
    return images


def record(images, rng):
    """A recording (t, x, y, p) of each digit of images [B, 28, 28] (bytes), events in order of time."""
    batch = len(images)
    light = _blur(np.pad(images.astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2))))[:, 2:-2, 2:-2]
    sign = -1.0 if DARK_STROKES else 1.0
    wander = rng.normal(0, 0.35, (2, batch))             # the eye is never quite in the same place
    reach = rng.normal(1, 0.06, (2, batch))
    threshold = THRESHOLD * np.exp(rng.normal(0, 0.12, (batch, 1, 1)))
    threshold = threshold * np.maximum(0.3, rng.normal(1, MISMATCH, (batch, SENSOR, SENSOR)))
    times = np.arange(0, PATH[-1, 0] + STEP_MS, STEP_MS)
    found, seen, reference = [], None, None
    for time in times:
        dx = np.interp(time, PATH[:, 0], PATH[:, 1]) * reach[0] + wander[0]
        dy = np.interp(time, PATH[:, 0], PATH[:, 2]) * reach[1] + wander[1]
        now = sign * np.log1p(2 * _light(light, dx, dy))
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
