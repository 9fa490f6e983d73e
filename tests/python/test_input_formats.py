"""Arrays of every type and order, and labels as people have them: as NumPy, Pillow and Python's csv read them."""
import csv
import gzip
import io
import struct

import numpy as np
import pytest

from pictures import Image, as_array, make_snn, model, picture, refused, shown
from support import tool

N = 5
LABELS = np.array([3, 0, 2, 1, 3])


def predictions(folder, bin, spec, *args):
    """What each sample became: the network's logits are means of channels, so all values of it count."""
    tool("mstrun", bin, spec, "--mode", "ann", "--predictions", folder / "p.npz", "--quiet", "--force", *args)
    with np.load(folder / "p.npz") as p:
        return p["logits"][:, 0].copy(), p["label"].copy()


# ---- types and orders of arrays ----

REALS = ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8")
WHOLE = [o + k for k in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8") for o in ("<", ">")] + ["?"]


@pytest.fixture(name="net")
def _net(tmp_path):
    """A network that tells all values of [2,3,4] apart in its two logits."""
    m = make_snn.Model()
    m.output = 2
    m.tensor("x", (1, 2, 3, 4))
    m.tensor("flat", (1, 24))
    m.tensor("logits", (1, 2))
    m.tensor("w", (24, 2), [2.0 ** -(i // 2) * (1 if i % 2 else -1) for i in range(48)])
    m.node(make_snn.RESHAPE, "flat", [0], 1)
    m.node(make_snn.LINEAR, "fc", [1, 3], 2)
    path = tmp_path / "net.bin"
    path.write_bytes(m.bytes())
    return path


def save(kind, path, x):
    if kind == "npz":
        np.savez(path, x=x)
    elif kind == "packed":
        np.savez_compressed(path, x=x)
    else:
        np.save(path, x)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", REALS)
def test_floats(tmp_path, net, dtype, order):
    """Values of any float type are those of float32 next to them, in either order of indices."""
    x = np.random.default_rng(1).normal(size=(N, 2, 3, 4)).astype(dtype)
    np.save(tmp_path / "want.npy", x.astype("<f4"))
    want, _ = predictions(tmp_path, net, "npy:%s" % (tmp_path / "want.npy"))
    for kind in ("npy", "npz", "packed"):
        path = tmp_path / ("x.npy" if kind == "npy" else "x.npz")
        save(kind, path, np.asarray(x, order=order))
        got, _ = predictions(tmp_path, net, path)
        assert got.tobytes() == want.tobytes(), kind


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", WHOLE)
def test_pixels(tmp_path, dtype, order):
    """Integers of any width are pixels; true is white."""
    top = 2 if dtype == "?" else 128 if dtype.endswith("i1") else 256
    x = np.random.default_rng(2).integers(0, top, (N, 8, 9, 3)).astype(dtype)
    want = (x * 255 if dtype == "?" else x).astype(np.uint8)
    for name, array in (("last", x), ("first", x.transpose(0, 3, 1, 2)), ("grey", x[:, :, :, 0])):
        np.save(tmp_path / "x.npy", np.asarray(array, order=order))
        bin = model(tmp_path, 1 if name == "grey" else 3, 8, 9)
        for i in (0, N - 1):
            got, _ = shown(tmp_path, tmp_path / "x.npy", i, bin=bin)
            assert np.array_equal(got, want[i, :, :, :1] if name == "grey" else want[i]), name


def test_values_that_are_none(tmp_path, net):
    for dtype, value, says in (("<f8", 1e39, "sample 1: expected a finite value of float32, found 1e+39"),
                               (">f8", np.nan, "sample 1: expected a finite value, found"),
                               ("<f2", np.inf, "sample 1: expected a finite value, found inf")):
        x = np.zeros((N, 2, 3, 4), dtype)
        x[1, 1, 2, 3] = value
        np.save(tmp_path / "x.npy", x)
        done = tool("mstrun", net, tmp_path / "x.npy", "--mode", "ann", "--quiet", code=1)
        assert says in done.stderr and "offset %d:" % (128 + 47 * x.itemsize) in done.stderr
    bin = model(tmp_path, 3, 4, 4)
    for dtype, value in (("<i2", 256), (">i4", -1), ("<u8", 2 ** 64 - 1), ("|i1", -128), ("<u2", 65535)):
        x = np.zeros((N, 3, 4, 4), dtype)
        x[2, 1, 2, 3] = value
        np.save(tmp_path / "x.npy", x)
        text = refused(tmp_path / "x.npy", bin=bin, index=2)
        assert "expected a pixel of 0..255 in an array of '%s', found %.17g" % (dtype, float(value)) in text
        assert "offset %d: sample 2" % (128 + (2 * 48 + 27) * x.itemsize) in text
    for array in (np.zeros((N, 3, 4, 4), "<c8"), np.zeros((N, 3, 4, 4), "S3"), np.zeros((N, 3, 4, 4), "<M8[s]")):
        np.save(tmp_path / "x.npy", array)
        assert "npy descr: expected floats, integers or bools" in refused("npy:%s" % (tmp_path / "x.npy"), bin=bin)


def test_large_arrays_in_fortran_order(tmp_path):
    """Turned in parts; refused with the command that converts where that would take long."""
    x = np.random.default_rng(3).integers(0, 256, (350, 3, 200, 240), np.uint8)  # 50 MB, two parts
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    for i in (0, 240, 349):
        got, _ = shown(tmp_path, tmp_path / "x.npy", i, bin=model(tmp_path, 3, 200, 240))
        assert np.array_equal(got, x[i].transpose(1, 2, 0))
    with open(tmp_path / "x.npy", "wb") as f:
        np.lib.format.write_array_header_1_0(f, dict(descr="|u1", fortran_order=True, shape=(2, 3, 4000, 4000)))
        f.truncate(f.tell() + 2 * 48000000)
    text = refused("npy:%s" % (tmp_path / "x.npy"), bin=model(tmp_path, 3, 4000, 4000))
    assert "found Fortran order; to convert: python3 -c" in text and "ascontiguousarray" in text


# ---- labels ----

def idx(path, labels):
    path.write_bytes(struct.pack(">II", 0x801, len(labels)) + bytes(labels.tolist()))


@pytest.fixture(name="arrays")
def _arrays(tmp_path):
    """(model of 4 classes with names, the arrays of N pictures as npy: and idx:)"""
    x = picture(8, 9 * N, channels=1).reshape(8, N, 9).transpose(1, 0, 2)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "x.idx").write_bytes(struct.pack(">IIII", 0x803, N, 8, 9) + x.tobytes())
    m = make_snn.mean_model(1, 8, 9, 4)
    m.classes = ["airplane", "cat", "pickup truck", "dog"]
    (tmp_path / "m.bin").write_bytes(m.bytes())
    return tmp_path / "m.bin", ["npy:%s" % (tmp_path / "x.npy"), "idx:%s" % (tmp_path / "x.idx")]


def given(folder, arrays, path):
    bin, specs = arrays
    both = [predictions(folder, bin, "%s,%s" % (spec, path))[1].tolist() for spec in specs]
    assert both[0] == both[1]
    return both[0]


@pytest.mark.parametrize("dtype", WHOLE[:-1])
def test_labels_of_every_type(tmp_path, arrays, dtype):
    for shape in ((N,), (N, 1)):
        np.save(tmp_path / "y.npy", LABELS.astype(dtype).reshape(shape))
        assert given(tmp_path, arrays, tmp_path / "y.npy") == LABELS.tolist()
    np.savez(tmp_path / "xy.npz", x=np.load(tmp_path / "x.npy"), y=LABELS.astype(dtype))
    assert predictions(tmp_path, arrays[0], tmp_path / "xy.npz")[1].tolist() == LABELS.tolist()


def test_labels_that_are_none(tmp_path, arrays):
    bin, specs = arrays
    np.save(tmp_path / "y.npy", LABELS != 0)
    assert given(tmp_path, arrays, tmp_path / "y.npy") == [1, 0, 1, 1, 1]
    for y, says in ((LABELS.astype("<u8") - 1, "label of sample 1: expected 0..3"), (LABELS.astype("<f4"), "to convert: python3 -c"),
                    (np.eye(N, dtype=int), "shape: expected (5,) as there are samples, found (5, 5)"),
                    (LABELS.astype("<i8") * -1, "label of sample 0: expected 0..3, found -3"), (LABELS[:4], "found (4,)")):
        np.save(tmp_path / "y.npy", y)
        for spec in specs:
            assert says in refused("%s,%s" % (spec, tmp_path / "y.npy"), bin=bin)


def table(rows, **how):
    out = io.StringIO()
    csv.writer(out, **how).writerows(rows)
    return out.getvalue()


NAMES = ["dog", "airplane", "pickup truck", "cat", "dog"]
BY_INDEX = [(i, LABELS[i]) for i in (4, 0, 3, 1, 2)]
TEXTS = {
    "alone": "3\n0\n2\n1\n3\n", "no end": "3\n0\n2\n1\n3", "CRLF": "3\r\n0\r\n2\r\n1\r\n3\r\n", "BOM": "\ufeff3\n0\n2\n1\n3\n",
    "empty lines": "\n3\n\n 0 \n2\n\t1\n3\n\n", "header": "label\n3\n0\n2\n1\n3\n", "BOM and header": "\ufeffLabel\r\n3\r\n0\r\n2\r\n1\r\n3\r\n",
    "names": "\n".join(NAMES), "quoted": table([[n] for n in NAMES], quoting=csv.QUOTE_ALL),
    "index": table(BY_INDEX), "index and header": table([("id", "label")] + BY_INDEX), "quoted header": table(
        [("id", "label")] + BY_INDEX, quoting=csv.QUOTE_ALL), "semicolons": table(BY_INDEX, delimiter=";"), "tabs": table(BY_INDEX, delimiter="\t"),
    "spaces": "".join("%d  %d\n" % row for row in BY_INDEX), "index from 1": table([(i + 1, y) for i, y in BY_INDEX]),
    "index and names": "\ufeff" + table([("index", "class")] + [(i, NAMES[i]) for i, _ in BY_INDEX]),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_labels(tmp_path, arrays, kind):
    (tmp_path / "y.csv").write_text(TEXTS[kind], encoding="utf-8", newline="")
    assert given(tmp_path, arrays, tmp_path / "y.csv") == LABELS.tolist()


def test_idx_labels(tmp_path, arrays):
    idx(tmp_path / "y", LABELS)
    (tmp_path / "y.gz").write_bytes(gzip.compress((tmp_path / "y").read_bytes()))
    assert given(tmp_path, arrays, tmp_path / "y") == given(tmp_path, arrays, tmp_path / "y.gz") == LABELS.tolist()


@pytest.mark.parametrize("text, says", [
    ("", "expected 5 labels as there are samples, found 0"), ("3\n0\n2\n1\n", "expected 5 labels as there are samples, found 4"),
    ("3\n0\n2\n1\n3\n0\n", "offset 10: expected 5 labels as there are samples, found more"),
    ("3\n0\n2\n1\n4\n", "offset 8: label of sample 4: expected 0..3, found 4"), ("3\n0\n2\n1\n-1\n", "offset 8: expected a label a line"),
    ("3\n0\n2\n1.0\n3\n", "found '1.0'"), ("3\n0\n2\n1,1\n3\n", "offset 6: expected a label alone as in the lines before, found '1 1'"),
    ("0,3\n1\n2,2\n3,1\n4,3\n", "offset 4: expected \"index,label\", found '1'"),
    ("0,3\n1,0\n1,2\n3,1\n4,3\n", "offset 8: index 1 is there twice"), ("0,3\n1,0\n2,2\n3,1\n5,3\n", "each once, found 0 and 5"),
    ("0,3\n1,0\n2,2\n3,1\n6,3\n", "offset 16: index: expected 0..5 as there are samples, found 6"),
    ("a.png,3\n", "expected \"index,label\", found 'a.png 3'"), ("3\nlabel\n2\n1\n3\n", "offset 2: expected a label a line"),
    ("99999999999999999999999\n", "offset 0: expected a label a line"), ("3\0\n", "found a zero byte"), ("3 " * 5000, "a line of at most 8191"),
    ("0;fish\n", "found '0;fish'"), (",3\n", "found ',3'"), ("\ufeff", "found 0"), ("\"\n", "found '\"'"), ("\"3\n", "found '\"3'")])
def test_texts_that_are_no_labels(tmp_path, arrays, text, says):
    (tmp_path / "y.csv").write_text(text, encoding="utf-8", newline="")
    for spec in arrays[1]:
        error = refused("%s,%s" % (spec, tmp_path / "y.csv"), bin=arrays[0])
        assert says in error and "y.csv" in error


# ---- labels of images ----

@pytest.fixture(name="folder")
def _folder(tmp_path):
    (tmp_path / "set" / "more").mkdir(parents=True)
    names = ["1.png", "2.jpg", "a, b.png", "c d.png", "more/e.bmp"]  # ImageFolder's order
    for i, name in enumerate(names):
        Image.fromarray(picture(8, 9, seed=i)).save(tmp_path / "set" / name)
    m = make_snn.mean_model(3, 8, 9, 4)
    m.classes = ["airplane", "cat", "pickup truck", "dog"]
    (tmp_path / "m.bin").write_bytes(m.bytes())
    return tmp_path, names


@pytest.mark.parametrize("kind", ["name,label", "quoted", "semicolons", "name label", "without suffix", "class names", "alone", "names alone"])
def test_labels_of_images(folder, kind):
    path, names = folder
    order = [0, 1, 2, 3, 4] if "alone" in kind else [3, 0, 4, 2, 1]
    rows = [(names[i], int(LABELS[i])) for i in order]
    stems = [(names[i].rsplit(".", 1)[0], int(LABELS[i])) for i in order]
    text = {"name,label": "\ufeffname,label\r\n" + "".join("%s,%d\r\n" % row for row in rows),
            "quoted": table([("name", "label")] + rows, quoting=csv.QUOTE_ALL), "semicolons": table(rows, delimiter=";"),
            "name label": "".join("%s %d\n" % row for row in rows), "without suffix": table([("id", "breed label")] + stems),
            "class names": table([("id", "category")] + [(names[i], NAMES[i]) for i in order]),
            "alone": "".join("%d\n" % label for _, label in rows), "names alone": "".join(NAMES[i] + "\n" for i in order)}[kind]
    (path / "y.csv").write_text(text, encoding="utf-8", newline="")
    spec = "image:%s,%s" % (path / "set", path / "y.csv")
    for k, i in enumerate(order):
        got, line = shown(path, spec, k, bin=path / "m.bin")
        assert np.array_equal(got, as_array(Image.open(path / "set" / names[i]))) and "label %d " % LABELS[i] in line
    assert "the data set has 5" in refused(spec, bin=path / "m.bin", index=5)


@pytest.mark.parametrize("text, says", [
    ("1,0\n3,1\n", "offset 4: "), ("3\n0\n2\n1\n", "expected 5 labels as there are images, found 4"),
    ("3\n0\n2\n1\n3\n1\n", "offset 10: expected 5 labels as there are images, found more"), ("3\n1.png,2\n", "offset 2: expected a label alone"),
    ("1.png,2\n3\n", "offset 8: expected \"name label\""), ("../m.bin,2\n", "a path in the folder"), ("name,label\n", "found none"),
    ("more,2\n", "expected a regular file, found a folder")])
def test_labels_that_are_no_images(folder, text, says):
    path, _ = folder
    (path / "y.csv").write_text(text)
    assert says in refused("image:%s,%s" % (path / "set", path / "y.csv"), bin=path / "m.bin")
