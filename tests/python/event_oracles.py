"""The libraries that event recordings are compared with: spikingjelly, tonic,
expelliarmus, torch. Each oracle takes a path and gives (t, x, y, p) as int64 arrays."""
import contextlib
import io
import sys
import unittest.mock

import numpy as np


def _spikingjelly():
    # its audio data sets, of no use here, want a torchaudio that matches torch to the build
    for name in ("torchaudio", "torchaudio.transforms", "torchaudio.functional", "torchaudio.datasets",
                 "torchaudio.datasets.utils"):
        sys.modules.setdefault(name, unittest.mock.MagicMock())
    from spikingjelly import datasets
    return datasets


def _four(events):
    return tuple(np.asarray(events[k]).astype(np.int64).ravel() for k in "txyp")


def sj_cifar10dvs(path):
    return _four(_spikingjelly().cifar10_dvs._load_origin_data(path))


def sj_atis(path):
    return _four(_spikingjelly().utils.load_ATIS_bin(path))


def sj_aedat3(path):
    return _four(_spikingjelly().utils.load_aedat_v3(path))


def sj_asl(path, scratch):
    _spikingjelly().asl_dvs._read_mat_save_to_np(path, scratch)
    with np.load(scratch) as z:
        return _four(z)


def sj_stored_frames(path):
    return _spikingjelly().utils.load_npz_frames(path)


def tonic_atis(path):
    from tonic.io import read_mnist_file
    return _four(read_mnist_file(str(path), dtype=np.dtype([(k, np.int64) for k in "xytp"])))


def tonic_davis346(path):
    from tonic.io import get_aer_events_from_file, read_aedat_header_from_file, read_davis_346
    _, start, _ = read_aedat_header_from_file(str(path))
    address = get_aer_events_from_file(str(path), 2.0, start)["address"]
    dvs = (address & 0x80000400) == 0  # tonic takes frames and sync edges for events
    return tuple(a[dvs] for a in _four(read_davis_346(str(path))[2]))


def expelliarmus(encoding, path):
    from expelliarmus import Wizard
    with contextlib.redirect_stdout(io.StringIO()):
        return _four(Wizard(encoding=encoding).read(str(path)))


def sj_frames(events, n, split, height, width):
    """[n*2,H,W] float32 as the runtime lays it out."""
    t, x, y, p = events
    frames = _spikingjelly().utils.integrate_events_by_fixed_frames_number(
        {"t": t, "x": x, "y": y, "p": p}, split, n, height, width)
    return frames.astype(np.float32).reshape(2 * n, height, width)


def torch_resize(frames, height, width):
    import torch
    x = torch.nn.functional.interpolate(torch.from_numpy(frames)[None], size=(height, width), mode="bilinear",
                                        align_corners=False, antialias=True)
    return x[0].numpy()
