"""Reading takes less than twice the largest sample + 64 MB, whatever the size of the file: peak memory of
mstrun --show on files of 100 MB and more. A recording of events is not held at all."""
import gzip
import io
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from support import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests" / "golden"))
import make_snn  # noqa: E402

# A process counts the memory of the one that it was forked from, which must be small.
SPAWN = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
MB = 1 << 20
BIG = 112 * MB


def sparse(path, head, size=BIG):
    """head, then zeros, which take no room on the disk."""
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(len(head) + size)
    return path


def peak(folder, spec):
    """Peak resident bytes of mstrun --show on sample 0."""
    return peak_of("--show", spec, 0, "-o", folder / "o.png")


def peak_of(*args):
    """Peak resident bytes of mstrun."""
    tool = BUILD / "mstrun"
    if not tool.exists():
        pytest.skip("%s is not built" % tool)
    if "asan" in str(BUILD) or "tsan" in str(BUILD):
        pytest.skip("the sanitizers' own memory is in the way")
    done = subprocess.run([sys.executable, "-S", "-c", SPAWN, str(tool), "--quiet"] + [str(a) for a in args],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


def check(folder, spec, sample):
    used = peak(folder, spec)
    print("%s: %.1f MB" % (spec, used / MB))
    assert used < 2 * sample + 64 * MB, "%.1f MB" % (used / MB)


def npy_head(shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, dict(descr="<f4", fortran_order=False, shape=shape))
    return out.getvalue()


EVENTS = {
    "nmnist": ("a.bin", b""),
    "ncaltech101": ("a.bin", b""),
    "aedat2": ("a.aedat", b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n"),
    "cifar10dvs": ("a.aedat", b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n"),
    "dvsaction": ("a.aedat", b"#!AER-DAT2.0\r\n# AEChip: Davis346\r\n"),
    "ncars": ("a.dat", b"% Version 2\n" + bytes([0, 8])),
    "dat": ("a.dat", b"% Version 2\n% Width 64\n% Height 64\n" + bytes([0, 8])),
    "evt2": ("a.raw", b"% evt 2.0\n% geometry 64x64\n% end\n" + struct.pack("<I", 8 << 28)),
}


@pytest.mark.parametrize("profile", sorted(EVENTS))
def test_recordings_are_not_held(tmp_path, profile):
    name, head = EVENTS[profile]
    path = sparse(tmp_path / name, head, BIG // 40 * 40)
    check(tmp_path, "%s:%s" % (profile, path), 0)


def test_aedat3_packets_are_not_held(tmp_path):
    n = BIG // 8
    with open(tmp_path / "a.aedat", "wb") as f:
        f.write(b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n")
        f.write(struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, n, n, n))
        for _ in range(n // MB):
            f.write(struct.pack("<II", 1, 5) * MB)
    check(tmp_path, "dvsgesture:%s" % (tmp_path / "a.aedat"), 0)


def test_mat_holds_its_vectors(tmp_path):
    n = 1 << 21

    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)
    with open(tmp_path / "a.mat", "wb") as f:
        f.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM")
        for name in (b"ts", b"x", b"y", b"pol"):
            f.write(element(14, element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", n, 1))
                            + element(1, name) + element(9, bytes(8 * n))))
    check(tmp_path, "asldvs:%s" % (tmp_path / "a.mat"), 4 * 8 * n)


@pytest.mark.parametrize("kind, record", [("cifar10", 3073), ("cifar100", 3074)])
def test_cifar(tmp_path, kind, record):
    path = sparse(tmp_path / "a.bin", b"", BIG // record * record)
    check(tmp_path, "%s:%s" % (kind, path), 3 * 4096)


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path, packed):
    n = BIG // 784
    head = struct.pack(">IIII", 0x803, n, 28, 28)
    path = sparse(tmp_path / "a.idx", head, n * 784)
    if packed:
        with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as f:
            f.write(head)
            for _ in range(n * 784 // MB):
                f.write(bytes(MB))
            f.write(bytes(n * 784 % MB))
        path = tmp_path / "a.gz"
    check(tmp_path, "idx:%s" % path, 784 * 4)


def test_npy(tmp_path):
    n = BIG // 12288
    check(tmp_path, "npy:%s" % sparse(tmp_path / "a.npy", npy_head((n, 3, 32, 32)), n * 12288), 12288)


def test_npz(tmp_path):
    n = BIG // 12288
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as z, z.open("x.npy", "w") as f:
        f.write(npy_head((n, 3, 32, 32)))
        for _ in range(n):
            f.write(bytes(12288))
    check(tmp_path, "npz:%s" % (tmp_path / "a.npz"), 12288)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_image(tmp_path, suffix):
    Image = pytest.importorskip("PIL.Image")
    Image.new("RGB", (4000, 4000), (9, 90, 200)).save(tmp_path / ("a." + suffix))
    check(tmp_path, tmp_path / ("a." + suffix), 3 * 4000 * 4000 * 5)  # as bytes, and as the float32 of a sample


def test_folders_are_lists_of_names(tmp_path):
    """20,000 recordings of 3 events."""
    for digit in range(2):
        (tmp_path / "set" / str(digit)).mkdir(parents=True)
        for i in range(10000):
            (tmp_path / "set" / str(digit) / ("%05d.bin" % i)).write_bytes(bytes(15))
    check(tmp_path, "nmnist:%s" % (tmp_path / "set"), 0)


def test_label_file_of_imagenets_size(tmp_path):
    """As many lines as ImageNet has training images, of names as long."""
    Image = pytest.importorskip("PIL.Image")
    (tmp_path / "set" / "n01440764").mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "set" / "n01440764" / "n01440764_10026.JPEG")
    (tmp_path / "train.txt").write_bytes(b"n01440764/n01440764_10026.JPEG 0\n" * 1281167)
    check(tmp_path, "image:%s,%s" % (tmp_path / "set", tmp_path / "train.txt"), 5 * 3 * 40 * 30)


def test_samples_read_ahead(tmp_path):
    """Eight threads hold a sample each, and a network with that input; what is read ahead is within the bound."""
    side, n = 1024, 24
    (tmp_path / "m.bin").write_bytes(make_snn.mean_model(4, side, side).bytes())
    sample = 4 * 4 * side * side
    path = sparse(tmp_path / "a.npy", npy_head((n, 4, side, side)), n * sample)
    used = peak_of(tmp_path / "m.bin", "npy:%s" % path, "-T", 1, "--threads", 8)
    print("%.1f MB" % (used / MB))
    assert used < 8 * 2 * sample + 2 * sample + 64 * MB
