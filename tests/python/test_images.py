"""Static data sets and preprocessing against Pillow and NumPy, through mstrun --show."""
import gzip
import json
import math
import os
import struct
import subprocess
import zipfile

import numpy as np
import pytest

from built import lasting
from pictures import Image, as_array, model, picture, refused, shown
from support import BUILD, ROOT, snn_reader, tool

PIL = pytest.importorskip("PIL")

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR,
           "nearest": Image.Resampling.NEAREST}


# ---- the oracle: torchvision's Resize(N), CenterCrop((H, W)) on Pillow images ----

def resize(im, n, how):
    w, h = im.size
    short, long = min(w, h), max(w, h)
    new = (n, int(n * long / short)) if w <= h else (int(n * long / short), n)
    return im.resize(new, FILTERS[how])


def center_crop(im, h, w):
    iw, ih = im.size
    if w > iw or h > ih:
        left, top = max(w - iw, 0) // 2, max(h - ih, 0) // 2
        padded = Image.new(im.mode, (max(w, iw), max(h, ih)))
        padded.paste(im, (left, top))
        im, (iw, ih) = padded, padded.size
    top, left = int(round((ih - h) / 2.0)), int(round((iw - w) / 2.0))
    return im.crop((left, top, left + w, top + h))


def assert_same(got, want, size):
    """Equal; but Pillow 13 filters columns before lines where an image is tall."""
    assert got.shape == want.shape
    exact = int(PIL.__version__.split(".")[0]) < 13 or size[0] <= 2 * size[1]
    d = np.abs(got.astype(int) - want)
    assert d.max() <= (0 if exact else 8) and (d > 1).mean() <= (0 if exact else 0.1), size


# ---- resize and crop ----

SIZES = [(224, 224), (224, 225), (225, 224), (256, 256), (375, 500), (500, 333), (100, 80), (31, 1000), (1000, 31), (1, 1),
         (3, 700), (257, 641), (60, 60)]


@pytest.mark.parametrize("how", list(FILTERS))
@pytest.mark.parametrize("size", SIZES, ids=lambda s: "%dx%d" % s)
def test_resize_and_crop_are_pillows(tmp_path, size, how):
    im = Image.fromarray(picture(*size, seed=size[0]))
    im.save(tmp_path / "a.png")
    for n, h, w in ((256, 224, 224), (64, 56, 48), (33, 33, 33), (20, 31, 24)):
        bin = model(tmp_path, 3, h, w, norm=[(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)])
        got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--resize", n, "--interpolation", how, bin=bin)
        want = as_array(center_crop(resize(im, n, how), h, w))  # of the model's own size, too
        assert_same(got, want, size)


def test_torchvision_says_the_same(tmp_path):
    transforms = pytest.importorskip("torchvision.transforms")
    bin = model(tmp_path, 3, 224, 200)
    for size in SIZES:
        im = Image.fromarray(picture(*size, seed=size[1]))
        im.save(tmp_path / "a.png")
        want = transforms.CenterCrop((224, 200))(transforms.Resize(256, FILTERS["bicubic"])(im))
        got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--resize", 256, bin=bin)
        assert_same(got, as_array(want), size)


@pytest.mark.parametrize("how", list(FILTERS))
@pytest.mark.parametrize("size", SIZES, ids=lambda s: "%dx%d" % s)
def test_resize_of_both_sides(tmp_path, size, how):
    """torchvision's Resize((H, W)), whatever that makes of the picture."""
    im = Image.fromarray(picture(*size, seed=size[0]))
    im.save(tmp_path / "a.png")
    for rows, columns, h, w in ((224, 224, 224, 224), (60, 40, 60, 40), (40, 61, 31, 48), (20, 90, 24, 90)):
        bin = model(tmp_path, 3, h, w)
        got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--resize", "%dx%d" % (rows, columns), "--interpolation", how, bin=bin)
        assert_same(got, as_array(center_crop(im.resize((columns, rows), FILTERS[how]), h, w)), size)


def test_resize_of_both_sides_is_stored(tmp_path):
    """mstconv keeps it; it is said as height and width; what is no size is refused."""
    args = (ROOT / "examples/models/digits-swin-sa75.onnx", "-o", tmp_path / "m.bin", "--force")
    tool("mstconv", *args, "--resize", "28x30")
    assert snn_reader.load(tmp_path / "m.bin").resize == 30 << 16 | 28
    info = json.loads(tool("mstrun", "--info", tmp_path / "m.bin", "--json", "-").stdout)
    assert info["prepare"]["resize"] == [28, 30]
    assert "resize 28x30 bicubic, crop 28x28" in tool("mstrun", "--info", tmp_path / "m.bin").stdout
    im = Image.fromarray(picture(50, 70))
    im.save(tmp_path / "a.png")
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, bin=tmp_path / "m.bin")
    assert np.array_equal(got, as_array(center_crop(im.resize((30, 28), FILTERS["bicubic"]), 28, 28).convert("L")))
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--resize", 32, bin=tmp_path / "m.bin")  # later options count
    assert np.array_equal(got, as_array(center_crop(resize(im, 32, "bicubic"), 28, 28).convert("L")))
    for text in ("28x", "x28", "0x28", "28x0", "28x28x3", "65536", "65536x4", "-1", "28 ", "a"):
        done = tool("mstconv", *args, "--resize", text, code=2)
        assert "--resize: expected a shorter side of 0..65535 pixels, or HxW as in 224x224, found '%s'" % text in done.stderr


def test_crop_without_resize_and_grey(tmp_path):
    im = Image.fromarray(picture(61, 84))
    im.save(tmp_path / "a.png")
    grey = model(tmp_path, 1, 50, 50)
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--crop", "50x50", bin=grey)
    assert np.array_equal(got, as_array(center_crop(im, 50, 50).convert("L")))
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, "--resize", 57, bin=grey)
    assert np.array_equal(got, as_array(center_crop(resize(im, 57, "bicubic"), 50, 50).convert("L")))
    same = model(tmp_path, 1, 61, 84)
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, bin=same)  # untouched but for the colour
    assert np.array_equal(got, as_array(im.convert("L")))
    Image.fromarray(picture(61, 84, channels=1)[:, :, 0]).save(tmp_path / "g.png")
    got, _ = shown(tmp_path, tmp_path / "g.png", 0, bin=model(tmp_path, 3, 61, 84))
    assert np.array_equal(got, as_array(Image.open(tmp_path / "g.png").convert("RGB")))
    error = refused(tmp_path / "a.png", bin=grey)
    assert "a.png: image: expected 50x50 as the model has it" in error and "found 61x84" in error
    assert "expected 50x50" in refused(tmp_path / "a.png", "--crop", "40x50", bin=grey)


# ---- folders ----

@pytest.fixture
def folders(tmp_path):
    """root/{ant,Bee,cat}/*.png|JPEG and the arrays in ImageFolder's order."""
    expected = []
    for label, name in enumerate(("Bee", "ant", "cat")):  # byte order: capitals first
        (tmp_path / "root" / name).mkdir(parents=True)
        for k, file in enumerate(("1.png", "10.JPEG", "2.PNG")):
            path = tmp_path / "root" / name / file
            Image.fromarray(picture(20, 24, seed=10 * label + k)).save(path)
            expected.append((as_array(Image.open(path)), label))
    (tmp_path / "root" / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / "root" / ".hidden").mkdir()
    return tmp_path, expected


@pytest.mark.parametrize("spec", ["image:%s", "%s"])
def test_class_folders(folders, spec):
    folder, expected = folders
    bin = model(folder, 3, 20, 24, classes=3)
    for i, (a, label) in enumerate(expected):
        got, line = shown(folder, spec % (folder / "root"), i, bin=bin)
        assert np.array_equal(got, a) and line.rstrip().endswith(": 3x20x24, label %d" % label)
    assert "sample 9: the data set has 9" in refused(spec % (folder / "root"), bin=bin, index=9)
    run = tool("mstrun", bin, folder / "root", "-T", 1, "--json", "-", "--quiet")
    assert json.loads(run.stdout)["samples"] == 9
    error = refused(folder / "root", bin=model(folder, 3, 20, 24, classes=4))
    assert "class folders: expected 4 as the model has classes, found 3" in error
    (folder / "root" / "dog").mkdir()
    assert "dog: expected images (.jpg, .png, .bmp, .ppm, .tif, .webp ..), found none" in refused(
        folder / "root", bin=model(folder, 3, 20, 24, classes=4))


def test_folders_in_a_class_folder(folders):
    folder, expected = folders
    bin, deep = model(folder, 3, 20, 24, classes=3), folder / "root" / "Bee" / "deep" / "down"
    deep.mkdir(parents=True)
    (folder / "root" / "Bee" / "1.png").rename(deep / "1.png")
    for i, k in ((0, 1), (1, 2), (2, 0), (3, 3)):  # what lies deeper comes last
        got, line = shown(folder, folder / "root", i, bin=bin)
        assert np.array_equal(got, expected[k][0]) and line.rstrip().endswith("label %d" % expected[k][1])
    (deep / "again").symlink_to(folder / "root" / "Bee")
    assert "expected at most 8 folders in each other" in refused(folder / "root", bin=bin)


def test_order_of_folders_in_each_other(tmp_path):
    """Python's sorted(os.walk()), which is ImageFolder's."""
    for i, name in enumerate(("c/x/z/a", "c/x/b", "c/x-1/c", "c/x y/d", "c/e", "c/x/z-/f", "c/X/g", "c/x./h")):
        path = tmp_path / "set" / (name + ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 5), 7 * i, np.uint8)).save(path)
    bin = model(tmp_path, 1, 4, 5, classes=1)
    want = [np.asarray(Image.open("%s/%s" % (root, name)))[0, 0]
            for root, _, names in sorted(os.walk(tmp_path / "set" / "c")) for name in sorted(names)]
    assert len(want) == 8
    assert [shown(tmp_path, tmp_path / "set", i, bin=bin)[0][0, 0, 0] for i in range(8)] == want


def test_label_files(folders):
    folder, expected = folders
    bin = model(folder, 3, 20, 24, classes=3)
    root, labels = folder / "root", folder / "labels.txt"
    labels.write_text("cat/2.PNG 1\r\n\n  \nant/10.JPEG\t2\nBee/1.png    0")
    (root / "val list.txt").write_text(labels.read_text())
    for spec in ("image:%s,%s" % (root, labels), "image:%s,val list.txt" % root):
        for i, (k, label) in enumerate(((8, 1), (4, 2), (0, 0))):
            got, line = shown(folder, spec, i, bin=bin)
            assert np.array_equal(got, expected[k][0]) and "label %d\n" % label in line
    labels.write_text("cat/2.PNG 1\ncat/2.PNG 2\ncat/2.PNG 0\nant/10.JPEG 1\ncat/2.PNG 2\n")
    for i, (k, label) in enumerate(((8, 1), (8, 2), (8, 0), (4, 1), (8, 2))):
        got, line = shown(folder, "image:%s,%s" % (root, labels), i, bin=bin)
        assert np.array_equal(got, expected[k][0]) and "label %d\n" % label in line
    flat, line = shown(folder, root / "cat", 2)
    assert np.array_equal(flat, expected[8][0]) and ", label" not in line
    for text, says in (("cat/2.PNG 3\n", "offset 0: label of sample 0: expected 0..2, found 3"),
                       ("cat/2.PNG 1\ncat/2.PNG one\n", "offset 12: expected \"name label\""),
                       ("cat/2.PNG 1\ncat/2.PNG \0", "offset 22: expected text, found a zero byte"),
                       ("cat/2.PNG 1\n" + "x" * 9000, "offset 12: expected a line of at most 8191 bytes, found more"),
                       ("cat/2.PNG\n", "offset 0: expected"), ("cat/2.PNG -1\n", "found 'cat/2.PNG -1'"), ("../x.png 1\n", "a path in the folder"),
                       ("/etc/passwd 1\n", "a path in the folder"), ("cat/2.PNG 0\nnope.png 1\n", "labels.txt: offset 12: %s/nope.png: No such file" % root),
                       ("", "found none"), ("a\0b 1\n", "offset 1: expected text"), ("a.png 99999999999\n", "expected")):
        labels.write_text(text)
        assert says in refused("image:%s,%s" % (root, labels), bin=bin)
    (folder / "empty").mkdir()
    assert "expected images" in refused("image:%s" % (folder / "empty"))
    assert "no such file or folder" in refused(folder / "missing")
    assert "No such file" in refused("image:%s" % (folder / "missing"))
    assert "the model's input has 4" in refused("image:%s" % root, bin=model(folder, 4, 20, 24))


# ---- CIFAR-100, npz, npy of bytes ----

def test_mnist_folder(tmp_path):
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (5, 8, 9), np.uint8), np.array([3, 0, 2, 1, 3], np.uint8)
    raw, bin = tmp_path / "MNIST" / "raw", model(tmp_path, 1, 8, 9, classes=4)
    raw.mkdir(parents=True)
    with gzip.open(raw / "t10k-images-idx3-ubyte.gz", "wb") as f:
        f.write(struct.pack(">IIII", 0x803, *images.shape) + images.tobytes())
    assert "t10k-labels-idx1-ubyte (or .gz) in the folder" in refused(raw, bin=bin)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 5) + labels.tobytes())
    for i, spec in enumerate((raw, "idx:%s" % raw, tmp_path / "MNIST", "idx:%s/" % (tmp_path / "MNIST"))):
        got, line = shown(tmp_path, spec, i, bin=bin)
        assert np.array_equal(got[:, :, 0], images[i]) and "label %d\n" % labels[i] in line
    assert "expected no label file" in refused("idx:%s,x" % raw, bin=bin)
    assert "found not both" in refused("idx:%s" % tmp_path, bin=bin)


def test_cifar100(tmp_path):
    rng = np.random.default_rng(1)
    records = rng.integers(0, 256, (6, 3074), np.uint8)
    records[:, 0], records[:, 1] = rng.integers(0, 20, 6), rng.integers(20, 100, 6)
    (tmp_path / "cifar-100-binary").mkdir()
    file = tmp_path / "cifar-100-binary" / "test.bin"
    file.write_bytes(records.tobytes())
    fine, coarse = model(tmp_path, 3, 32, 32, classes=100), model(tmp_path, 3, 32, 32, classes=20)
    for i, spec in enumerate(("cifar100:%s" % file, "cifar100:%s" % tmp_path, file, tmp_path, "cifar100:%s,fine" % file)):
        got, line = shown(tmp_path, spec, i, bin=fine)
        assert np.array_equal(got, records[i, 2:].reshape(3, 32, 32).transpose(1, 2, 0))
        assert "label %d\n" % records[i, 1] in line
    assert "label %d\n" % records[5, 0] in shown(tmp_path, "cifar100:%s,coarse" % tmp_path, 5, bin=coarse)[1]
    assert "expected 0..19, found %d" % records[0, 1] in refused("cifar100:%s" % file, bin=coarse)
    assert "expected coarse or fine" in refused("cifar100:%s,rough" % file, bin=fine)
    im = Image.fromarray(records[2, 2:].reshape(3, 32, 32).transpose(1, 2, 0))
    got, _ = shown(tmp_path, file, 2, "--resize", 64, bin=model(tmp_path, 3, 56, 56, classes=100))
    assert np.array_equal(got, as_array(center_crop(resize(im, 64, "bicubic"), 56, 56)))
    file.write_bytes(records.tobytes()[:-1])
    assert "found 18443 (5 records and 3073 bytes)" in refused("cifar100:%s" % file, bin=fine)
    records[3, 0] = 20
    file.write_bytes(records.tobytes())
    assert "offset 9222: label of sample 3: expected 0..19, found 20" in refused("cifar100:%s" % file, bin=fine)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    a = picture(24, 5 * 20).reshape(24, 5, 20, 3).transpose(1, 0, 2, 3)  # 5 images of 24x20
    labels = np.array([1, 0, 1, 1, 0])
    bin = model(tmp_path, 3, 24, 20)
    for names, x, y in ((("x", "y"), a, labels), (("X", "Y"), np.ascontiguousarray(a.transpose(0, 3, 1, 2)), labels[:, None]),
                        (("images", "labels"), a, labels.astype(np.uint8))):
        save(tmp_path / "set.npz", **dict(zip(names, (x, y))))
        for spec in ("npz:%s" % (tmp_path / "set.npz"), tmp_path / "set.npz"):
            got, line = shown(tmp_path, spec, 3, bin=bin)
            assert np.array_equal(got, a[3]) and "label 1\n" in line
    x = a.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    save(tmp_path / "f.npz", x=x)
    got, line = shown(tmp_path, tmp_path / "f.npz", 4, bin=bin)
    assert np.array_equal(got, a[4]) and ", label" not in line
    np.save(tmp_path / "x.npy", a[:, :, :, 0])
    np.save(tmp_path / "y.npy", labels)
    got, line = shown(tmp_path, "%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"), 2)
    assert np.array_equal(got[:, :, 0], a[2, :, :, 0]) and "label 1\n" in line


def test_npz_refuses(tmp_path):
    path, bin = tmp_path / "set.npz", model(tmp_path, 3, 8, 8)
    x = np.zeros((3, 8, 8, 3), np.uint8)
    np.savez(path, x=x, y=np.zeros(2, int))
    assert "set.npz: y.npy: offset 10: shape: expected (3,) as there are samples, found (2,)" in refused(path, bin=bin)
    np.savez(path, x=x, y=np.array([0, 1, 2]))
    assert "label of sample 2: expected 0..1, found 2" in refused(path, bin=bin)
    np.savez(path, z=x)
    assert "expected an array x, X or images, found none" in refused(path)
    np.savez(path, x=x.astype(np.int64) + 256)
    assert "expected a pixel of 0..255 in an array of '<i8', found 256; if these are normalized values: numpy's astype()" in refused(path)
    np.savez(path, x=x[:, :4])
    assert "expected [3,8,8] as the model has it, found [3,4,8]" in refused(path, bin=bin)
    np.savez_compressed(path, x=picture(8, 24).reshape(3, 8, 8, 3))
    raw = path.read_bytes()
    for cut in (1, 40, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:cut])
        assert "set.npz" in refused("npz:%s" % path)
    at = raw.index(b"x.npy") + 60
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 0xff]) + raw[at + 1:])
    assert "set.npz: x.npy: " in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as z:
        z.writestr("x.npy", b"nothing")
    assert "expected 0 (stored) or 8 (deflated), found 12" in refused(path)


# ---- options, files, --show ----

def test_options_are_stored_shown_and_overridden(tmp_path):
    onnx = ROOT / "tests" / "fixtures" / "onnx" / "swin-ts.onnx"
    out = tmp_path / "m.bin"
    tool("mstconv", onnx, "-o", out, "--resize", 18, "--interpolation", "bilinear", "--crop", "16x16", "--mean", "0.5,0.4,0.3",
         "--std", "1,1,1", "--frames", 10, "--split", "time", "--present", "steps", "--quiet")
    g = snn_reader.load(out)
    assert (g.resize, g.interpolation, g.crop, g.frames, g.split, g.present) == (18, "bilinear", (16, 16), 10, "time", "steps")
    info = json.loads(tool("mstrun", "--info", out, "--json").stdout)
    assert info["prepare"] == dict(resize=18, interpolation="bilinear", crop=[16, 16], frames=10, split="time", present="steps")
    assert "resize 18 bilinear, crop 16x16, 10 event frames of equal time, as steps" in tool("mstrun", "--info", out).stdout
    im = Image.fromarray(picture(40, 50))
    pictures = ("--present", "channels")  # in steps, the model would be for event recordings
    im.save(tmp_path / "a.png")
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, *pictures, bin=out)
    assert np.array_equal(got, as_array(center_crop(resize(im, 18, "bilinear"), 16, 16)))
    got, _ = shown(tmp_path, tmp_path / "a.png", 0, *pictures, "--resize", 16, "--interpolation", "nearest", "--mean", "0,0,0", "--std",
                   "2,2,2", bin=out)
    assert np.array_equal(got, as_array(center_crop(resize(im, 16, "nearest"), 16, 16)))
    run = json.loads(tool("mstrun", out, tmp_path / "a.png", "-T", 2, *pictures, "--json", "-", "--quiet").stdout)
    assert run["samples"] == 1 and run["at"][0]["top1_percent"] is None
    tool("mstcalib", onnx, out, tmp_path / "a.png", "-T", 2, *pictures, "--resize", 20, "--quiet")


@pytest.mark.parametrize("args, says", [
    (("--interpolation", "lanczos"), "expected one of bicubic, bilinear, nearest"), (("--crop", "16"), "expected HxW"),
    (("--crop", "0x16"), "expected HxW"), (("--resize", "65536"), "0..65535"), (("--frames", "4097"), "0..4096"),
    (("--split", "half"), "expected one of number, time"), (("--present", "all"), "expected one of channels, steps"),
])
def test_wrong_options(args, says):
    for name in (("mstconv", "a.onnx", "-o", "b"), ("mstrun", "m", "d"), ("mstcalib", "a", "b", "d")):
        done = tool(*name, *args, code=None)
        assert done.returncode == 2 and says in done.stderr


@pytest.mark.parametrize("args", [
    ("--show",), ("--show", "d"), ("--show", "d", "0"), ("--show", "d", "x", "-o", "f"), ("--show", "d", "-1", "-o", "f"),
    ("m", "d", "-o", "f"), ("--show", "d", "0", "-o", "f", "--resize", "8"), ("--show", "m", "d", "0", "x", "-o", "f"),
])
def test_wrong_usage_of_show(args):
    done = tool("mstrun", *args, code=None)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not done.stdout


def assert_drawn(got, counts, full):
    """Frames side by side: blue for darker, red for brighter, each 255 from a count of full."""
    w = counts.shape[2]
    want = np.minimum(255, np.floor(255 * counts / full + 0.5))
    for f in range(len(counts) // 2):
        frame = got[:, (w + 1) * f:(w + 1) * f + w].astype(int)
        assert np.abs(frame[:, :, 2] - want[2 * f]).max() <= 1 and np.abs(frame[:, :, 0] - want[2 * f + 1]).max() <= 1
        assert not frame[:, :, 1].any()


def test_show_event_frames(tmp_path):
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 9, (1, 10, 12, 16)).astype(np.float32)
    counts[0, 4, 2, 3] = 9
    np.save(tmp_path / "x.npy", counts)
    got, line = shown(tmp_path, tmp_path / "x.npy", 0, bin=model(tmp_path, 10, 12, 16))
    assert got.shape == (12, 5 * 17 - 1, 3) and ": 10x12x16" in line
    assert_drawn(got, counts[0], 9)
    counts[0, 7, 0, 0] = 1000  # a hot pixel
    np.save(tmp_path / "x.npy", counts)
    got, _ = shown(tmp_path, tmp_path / "x.npy", 0, bin=model(tmp_path, 10, 12, 16))
    assert_drawn(got, counts[0], 3 * counts[counts > 0].mean())
    np.save(tmp_path / "x.npy", counts[:, :5])
    assert "expected 1, 3 or an even number, found 5" in refused(tmp_path / "x.npy")


def test_event_recordings(tmp_path):
    """Frames come from the recording as tests/python/test_events.py has checked them; here is how they get in."""
    file = ROOT / "tests" / "fixtures" / "events" / "nmnist.bin"
    kit = BUILD / "tests" / "tools" / "eventkit"
    if not kit.exists():
        pytest.skip("%s is not built" % kit)
    done = subprocess.run([str(kit), "frames", "nmnist", str(file), "4", "time", "17", "20"], capture_output=True, timeout=60,
                          check=True)
    counts = np.frombuffer(done.stdout, "<f4").reshape(4, 2, 17, 20)
    norm = [(0.25 * c, 2.0) for c in range(8)]
    bin = model(tmp_path, 8, 17, 20, prepare=(0, 0, 0, 4, 0, 1, 0), norm=norm)
    for spec in ("nmnist:%s" % file, file):
        got, line = shown(tmp_path, spec, 0, bin=bin)
        assert_drawn(got, counts.reshape(8, 17, 20), min(counts.max(), 3 * counts[counts > 0].mean()))
        assert ": 8x17x20" in line and "label" not in line.split(",")[-1]
    assert ": 6x34x34" in shown(tmp_path, file, 0, "--frames", 3, "--split", "number")[1]
    (tmp_path / "set" / "b").mkdir(parents=True)
    (tmp_path / "set" / "a").mkdir()
    for name in ("a/1.bin", "b/1.bin", "b/2.bin"):
        (tmp_path / "set" / name).write_bytes(file.read_bytes())
    assert ", label 1\n" in shown(tmp_path, "nmnist:%s" % (tmp_path / "set"), 2, bin=bin)[1]
    run = json.loads(tool("mstrun", bin, tmp_path / "set", "-T", 1, "--json", "-", "--quiet").stdout)
    assert run["samples"] == 3
    three = model(tmp_path, 8, 17, 20, classes=3, prepare=(0, 0, 0, 4, 0, 1, 0))
    assert "class folders: expected 3 as the model has classes, found 2" in refused(tmp_path / "set", bin=three)
    assert "3 frames of 2 polarities are 6 channels, the model's input has 8" in refused(file, "--frames", 3, bin=bin)
    assert "expected a model with a number of frames, found none" in refused(file, "--frames", 0, bin=bin)
    assert "a frame presented in a step has 2 channels" in refused(file, "--present", "steps", bin=bin)
    (tmp_path / "cut.bin").write_bytes(file.read_bytes()[:-2])
    assert "cut.bin" in refused("nmnist:%s" % (tmp_path / "cut.bin"), bin=bin)


@pytest.mark.parametrize("args, says", [
    (("--frames", 3), ""), (("--resize", 34), ""),
    (("--frames", 5), "5 frames of 2 polarities are 10 channels, the model's input has 6"),
    (("--frames", 3, "--present", "steps"), "3 frames presented as steps are 2 channels (polarities) each, the model's input has 6"),
])
def test_frames_that_do_not_fit_the_model(tmp_path, args, says):
    onnx = ROOT / "examples" / "models" / "nmnist-swin.onnx"
    done = tool("mstconv", onnx, "-o", tmp_path / "m.bin", "--quiet", *args)
    assert done.stderr == ("mstconv: warning: --frames: %s\n" % says if says else "")


def test_show_writes_whole_files(tmp_path):
    Image.fromarray(picture(8, 9)).save(tmp_path / "a.png")
    done = tool("mstrun", "--show", tmp_path / "a.png", 0, "-o", tmp_path / "b.png", "--quiet")
    assert not done.stdout and not done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]
    done = tool("mstrun", "--show", tmp_path / "a.png", 0, "-o", tmp_path / "no" / "x.png", code=1)
    assert "cannot open: No such file or directory" in done.stderr
    done = tool("mstrun", "--show", tmp_path / "a.png", 1, "-o", tmp_path / "c.png", code=None)
    assert done.returncode == 1 and not (tmp_path / "c.png").exists()


def test_threads_and_read_ahead_do_not_matter(tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(23):
        Image.fromarray(picture(20 + i, 30, seed=i)).save(tmp_path / "set" / ("%02d.png" % i))
    bin = tmp_path / "m.bin"
    tool("mstconv", ROOT / "tests" / "fixtures" / "onnx" / "swin-ts.onnx", "-o", bin, "--resize", 18, "--quiet")
    runs = []
    for threads in (1, 2, 5):
        run = json.loads(tool("mstrun", bin, tmp_path / "set", "-T", 2, "--threads", threads, "--json", "-", "--quiet").stdout)
        runs.append(lasting(run))
    assert runs[0] == runs[1] == runs[2] and runs[0]["samples"] == 23
    (tmp_path / "set" / "17.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "set" / "19.png").write_bytes(b"nothing at all")
    for threads in (1, 2, 5):
        done = tool("mstrun", bin, tmp_path / "set", "-T", 2, "--threads", threads, "--quiet", code=None)
        assert done.returncode == 1 and "17.png" in done.stderr and not done.stdout


def test_rounding_of_the_oracle_is_pythons():
    assert [int(round(d / 2.0)) for d in (1, 3, 5, 7)] == [0, 2, 2, 4] and math.ceil(0.5) == 1
