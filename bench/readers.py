"""Throughput of each data reader, on files made here in the sizes of the real data sets: samples of one
size, read over and over. Standard library only; what needs more is reader_files.py's, which the bench's environment runs."""
import array
import pathlib
import random
import struct
import subprocess
import sys
import zlib

SAMPLES = 32


# ---- pictures ----

def picture(rng, width, height):
    """RGB bytes: a gradient with noise, so that it packs as photographs do, not as paper."""
    noise = rng.randbytes(3 * width * height)
    return bytes((x * 160 // width + y * 60 // height + (noise[3 * (y * width + x) + c] & 31)) & 255
                 for y in range(height) for x in range(width) for c in range(3))


def png(path, rgb, width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\0" + rgb[3 * width * y:3 * width * (y + 1)] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def images(folder, rng):
    """Four of 500x375, as ImageNet has them on the average."""
    (folder / "png").mkdir()
    for i in range(4):
        png(folder / "png" / ("%d.png" % i), picture(rng, 500, 375), 500, 375)


# ---- arrays ----

def npy(array_type, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %r, }" % (array_type, shape)
    head = head.encode() + b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def npz(path, members):
    """Stored, as numpy.savez does it."""
    import zipfile
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for name, data in members.items():
            z.writestr(name, data)


def arrays(folder, rng):
    import gzip
    pixels = b"".join(picture(rng, 28, 28)[::3] for _ in range(SAMPLES))
    labels = bytes(i % 10 for i in range(SAMPLES))
    images_idx = struct.pack(">IIII", 0x803, SAMPLES, 28, 28) + pixels
    labels_idx = struct.pack(">II", 0x801, SAMPLES) + labels
    (folder / "i.idx").write_bytes(images_idx)
    (folder / "l.idx").write_bytes(labels_idx)
    (folder / "i.gz").write_bytes(gzip.compress(images_idx))
    (folder / "l.gz").write_bytes(gzip.compress(labels_idx))
    record = [bytes([i % 10]) + rng.randbytes(3072) for i in range(SAMPLES)]
    (folder / "c10.bin").write_bytes(b"".join(record))
    (folder / "c100.bin").write_bytes(b"".join(b"\1" + r for r in record))
    values = array.array("f", (rng.random() for _ in range(SAMPLES * 3072)))
    labels8 = array.array("q", (i % 10 for i in range(SAMPLES)))
    if sys.byteorder == "big":
        values.byteswap()
        labels8.byteswap()
    x, y = npy("<f4", (SAMPLES, 3, 32, 32), values.tobytes()), npy("<i8", (SAMPLES,), labels8.tobytes())
    (folder / "x.npy").write_bytes(x)
    (folder / "y.npy").write_bytes(y)
    npz(folder / "xy.npz", {"x.npy": x, "y.npy": y})


# ---- event recordings ----

def events(rng, n, width, height, micros):
    times = sorted(rng.randrange(micros) for _ in range(n))
    return [(t, rng.randrange(width), rng.randrange(height), rng.randrange(2)) for t in times]


def atis(found):
    return b"".join(struct.pack(">BBBH", x, y, p << 7 | t >> 16, t & 0xffff) for t, x, y, p in found)


def aedat2(chip, address, found):
    return (b"#!AER-DAT2.0\r\n# AEChip: %s\r\n" % chip
            + b"".join(struct.pack(">II", address(x, y, p), t) for t, x, y, p in found))


def aedat3(found):
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
    parts = [found[i:i + 4096] for i in range(0, len(found), 4096)]
    return head + b"".join(
        struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, len(part), len(part), len(part))
        + b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t) for t, x, y, p in part) for part in parts)


def dat(found):
    return (b"% Version 2\n% Width 120\n% Height 100\n" + bytes([0, 8])
            + b"".join(struct.pack("<II", t, x | y << 14 | p << 28) for t, x, y, p in found))


def evt2(found):
    words, high = [], -1
    for t, x, y, p in found:
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    return b"% evt 2.0\n% geometry 640x480\n% end\n" + struct.pack("<%dI" % len(words), *words)


def mat5(found):
    """MATLAB 5 without packing: ts, x, y, pol as columns of doubles."""
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)
    out = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    for k, name in enumerate((b"ts", b"x", b"y", b"pol")):
        values = struct.pack("<%dd" % len(found), *(event[k] for event in found))
        out += element(14, element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", len(found), 1))
                       + element(1, name) + element(9, values))
    return out


def recordings(folder, rng):
    """Sizes of an average recording of each data set."""
    def dvs128(x, y, p):
        return y << 8 | x << 1 | p

    def davis(x, y, p):
        return y << 22 | x << 12 | p << 11

    made = {
        "nmnist.bin": atis(events(rng, 4000, 34, 34, 300000)),
        "ncaltech101.bin": atis(events(rng, 115000, 240, 180, 300000)),
        "cifar10dvs.aedat": aedat2(b"eu.DVS128", dvs128, events(rng, 200000, 128, 128, 1200000)),
        "dvsaction.aedat": aedat2(b"eu.Davis346", davis, events(rng, 200000, 346, 260, 5000000)),
        "gesture.aedat": aedat3(events(rng, 200000, 128, 128, 6000000)),
        "ncars.dat": dat(events(rng, 4000, 120, 100, 100000)),
        "evt2.raw": evt2(events(rng, 200000, 640, 480, 1000000)),
        "asl.mat": mat5(events(rng, 28000, 240, 180, 200000)),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)


# ---- all ----

def others(folder, python):
    """Files that reader_files.py makes: {name: why it could not be made}, or a text that holds for all of them."""
    script = pathlib.Path(__file__).resolve().parent / "reader_files.py"
    try:
        done = subprocess.run([str(python), str(script), str(folder)], capture_output=True, text=True)
    except OSError as e:
        return str(e)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["?"])[-1]
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


# name, SPEC behind the folder, model's input, resize, frames
CASES = (
    ("IDX", "idx", "i.idx", "l.idx", "1x28x28", 0, 0),
    ("IDX, .gz", "idx", "i.gz", "l.gz", "1x28x28", 0, 0),
    ("CIFAR-10", "cifar10", "c10.bin", "", "3x32x32", 0, 0),
    ("CIFAR-100", "cifar100", "c100.bin", "", "3x32x32", 0, 0),
    ("CIFAR-10, Python", "cifar10", "c10.pickle", "", "3x32x32", 0, 0),
    ("CIFAR-100, Python", "cifar100", "c100.pickle", "", "3x32x32", 0, 0),
    ("npy", "npy", "x.npy", "y.npy", "3x32x32", 0, 0),
    ("npz", "npz", "xy.npz", "", "3x32x32", 0, 0),
    ("PNG, 500x375 to 256 to 224", "image", "png", "", "3x224x224", 256, 0),
    ("JPEG, 500x375 to 256 to 224", "image", "jpeg", "", "3x224x224", 256, 0),
    ("WebP, 500x375 to 256 to 224", "image", "webp", "", "3x224x224", 256, 0),
    ("TIFF, 500x375 to 256 to 224", "image", "tiff", "", "3x224x224", 256, 0),
    ("BMP, 500x375 to 256 to 224", "image", "bmp", "", "3x224x224", 256, 0),
    ("PPM, 500x375 to 256 to 224", "image", "ppm", "", "3x224x224", 256, 0),
    ("N-MNIST", "nmnist", "nmnist.bin", "", "20x34x34", 0, 10),
    ("N-Caltech101", "ncaltech101", "ncaltech101.bin", "", "20x180x240", 0, 10),
    ("CIFAR10-DVS", "cifar10dvs", "cifar10dvs.aedat", "", "20x128x128", 0, 10),
    ("CIFAR10-DVS, to 48x48", "cifar10dvs", "cifar10dvs.aedat", "", "20x48x48", 0, 10),
    ("DVS Action Recognition", "dvsaction", "dvsaction.aedat", "", "20x260x346", 0, 10),
    ("DVS128 Gesture", "dvsgesture", "gesture.aedat", "", "20x128x128", 0, 10),
    ("N-Cars", "ncars", "ncars.dat", "", "20x100x120", 0, 10),
    ("EVT 2.0", "evt2", "evt2.raw", "", "20x480x640", 0, 10),
    ("EVT 2.1", "evt21", "evt21.raw", "", "20x480x640", 0, 10),
    ("EVT 3.0", "evt3", "evt3.raw", "", "20x480x640", 0, 10),
    ("AEDAT 4", "aedat4", "plain.aedat4", "", "20x128x128", 0, 10),
    ("AEDAT 4, LZ4", "aedat4", "LZ4.aedat4", "", "20x128x128", 0, 10),
    ("AEDAT 4, zstd", "aedat4", "zstd.aedat4", "", "20x128x128", 0, 10),
    ("HDF5, Prophesee", "hdf5", "prophesee.hdf5", "", "20x480x640", 0, 10),
    ("HDF5, DSEC", "dsec", "dsec.h5", "", "20x480x640", 0, 10),
    ("npy of events", "npyevents", "events.npy", "", "20x128x128", 0, 10),
    ("DVS128 Gesture, tonic", "tonicgesture", "gesture.npy", "", "20x128x128", 0, 10),
    ("npz of events", "npzevents", "events.npz", "", "20x128x128", 0, 10),
    ("npz of frames", "npzframes", "frames.npz", "", "32x128x128", 0, 16),
    ("AEDAT 2.0 of another DVS128", "aedat2", "cifar10dvs.aedat", "", "20x128x128", 0, 10),
    ("Prophesee .dat", "dat", "ncars.dat", "", "20x100x120", 0, 10),
    ("ASL-DVS", "asldvs", "asl.mat", "", "20x180x240", 0, 10),
)


def sample_bytes(folder, names):
    """Bytes on disk of all samples."""
    paths = [folder / n for n in names if n]
    return sum(f.stat().st_size for p in paths for f in (p.iterdir() if p.is_dir() else [p]))


def measure(table, build, out, python, effort):
    folder = out / "readers"
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    folder.mkdir(exist_ok=True)
    rng = random.Random(4)
    images(folder, rng)
    arrays(folder, rng)
    recordings(folder, rng)
    missing = others(folder, python)
    for name, kind, path, labels, shape, resize, frames in CASES:
        spec = "%s:%s" % (kind, folder / path) + (",%s" % (folder / labels) if labels else "")
        done = subprocess.run([str(build / "bench" / "bench_readers"), spec, shape, str(resize), str(frames)]
                              + effort, capture_output=True, text=True)
        why = missing.get(path) if isinstance(missing, dict) else missing if not (folder / path).exists() else None
        why = why or (done.stderr.strip() if done.returncode else "")
        if why:
            table.add("readers", name, kind, 1, note="not measured: " + why)
            continue
        _, samples, rate = done.stdout.split("\t")
        size = sample_bytes(folder, (path, labels)) / int(samples)
        table.add("readers", name, kind, 1, value=float(rate), unit="samples/s",
                  note="%.4g kB a sample on disk, %.4g MB/s; to %s%s" % (
                      size / 1e3, float(rate) * size / 1e6, shape, ", %d frames" % frames if frames else ""))
