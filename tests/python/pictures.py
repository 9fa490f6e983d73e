"""Pictures, models that take them, and what mstrun --show makes of them."""
import sys

import numpy as np
import pytest

from support import ROOT, tool

pytest.importorskip("PIL")
Image = pytest.importorskip("PIL.Image")
sys.path.insert(0, str(ROOT / "tests" / "golden"))
import make_snn  # noqa: E402


def as_array(im):
    a = np.asarray(im)
    return a[:, :, None] if a.ndim == 2 else a


def model(folder, channels, h, w, classes=2, **more):
    """A network that takes [channels,h,w]; it is never run here, or on small inputs only."""
    path = folder / ("model-%d-%d-%d-%d.bin" % (channels, h, w, classes))
    path.write_bytes(make_snn.mean_model(channels, h, w, classes, **more).bytes())
    return path


def picture(h, w, seed=0, channels=3):
    """Waves, edges and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([127 + 90 * np.sin(x / (5 + c) + y / (9 - c)) + 40 * ((x // 7 + y // 5) % 2) for c in range(channels)], 2)
    return np.clip(a + rng.normal(0, 25, a.shape), 0, 255).astype(np.uint8)


def shown(folder, spec, index, *args, bin=None):
    """What mstrun --show writes, [h,w,c], and its line."""
    out = folder / "shown.png"
    done = tool("mstrun", *([bin] if bin else []), "--show", spec, index, "-o", out, *args)
    a = as_array(Image.open(out))
    out.unlink()
    return a, done.stdout


def refused(spec, *args, bin=None, index=0, code=1):
    done = tool("mstrun", *([bin] if bin else []), "--show", spec, index, "-o", "/dev/null", *args, code=None)
    assert done.returncode == code and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr
