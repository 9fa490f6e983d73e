"""Image files of every format against Pillow, through mstrun --show."""
import io
import json
import struct
import zlib

import numpy as np
import pytest

from pictures import Image, as_array, model, picture, refused, shown
from support import tool


def jpegs():
    rgb, grey = Image.fromarray(picture(67, 93)), Image.fromarray(picture(50, 41, channels=1)[:, :, 0])
    yield "444", rgb, dict(quality=90, subsampling=0)
    yield "422", rgb, dict(quality=80, subsampling=1)
    yield "420", rgb, dict(quality=60, subsampling=2)
    yield "progressive", rgb, dict(quality=85, progressive=True)
    yield "optimized-restarts", rgb, dict(quality=30, optimize=True, restart_marker_rows=1)
    yield "rgb", rgb, dict(quality=90, keep_rgb=True)
    yield "grey", grey, dict(quality=75)
    yield "grey-progressive", grey, dict(progressive=True)
    yield "cmyk", rgb.convert("CMYK"), dict(quality=90)
    yield "cmyk-420", Image.fromarray(picture(40, 33, channels=4), "CMYK"), dict(quality=70, subsampling=2)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: ignored
    yield "exif", rgb, dict(exif=exif)
    yield "one-pixel", Image.fromarray(picture(1, 1)), {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_jpeg(tmp_path):
    for name, im, options in jpegs():
        path = tmp_path / (name + ".jpg")
        im.save(path, "JPEG", **options)
        got, _ = shown(tmp_path, path, 0)
        want = Image.open(path)
        assert np.array_equal(got, as_array(want if want.mode == "L" else want.convert("RGB"))), name


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(w, h, depth, color, rows, interlace=0, more=b""):
    """A PNG of given packed rows (unfiltered)."""
    data = zlib.compress(b"".join(b"\0" + r for r in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, interlace)) + more
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def adam7(a):
    for y0, dy, x0, dx in ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)):
        part = a[y0::dy, x0::dx]
        if part.size:
            yield from (row.tobytes() for row in part)


def pngs():
    a, rng = picture(29, 37), np.random.default_rng(5)
    rgb = Image.fromarray(a)
    for mode in ("1", "L", "LA", "RGB", "RGBA"):
        yield mode, rgb.convert(mode), {}
    rgba = Image.fromarray(np.dstack([a, rng.integers(0, 256, a.shape[:2], np.uint8)]))
    yield "RGBA-clear", rgba, {}
    for colors in (2, 4, 16, 200):
        yield "P%d" % colors, rgb.quantize(colors), {}
    yield "P-transparent", rgb.quantize(50), dict(transparency=3)
    yield "RGB-transparent", rgb, dict(transparency=(1, 2, 3))
    yield "L-transparent", rgb.convert("L"), dict(transparency=9)
    yield "I16", Image.fromarray(rng.integers(0, 600, (9, 11)).astype(np.uint16)), {}


def raw_pngs():
    rng = np.random.default_rng(6)
    wide = rng.integers(0, 65536, (7, 5, 4)).astype(">u2")
    yield "rgb16", raw_png(5, 7, 16, 2, [r[:, :3].tobytes() for r in wide])
    yield "rgba16", raw_png(5, 7, 16, 6, [r.tobytes() for r in wide])
    yield "la16", raw_png(5, 7, 16, 4, [r[:, :2].tobytes() for r in wide])
    for depth in (1, 2, 4):
        yield "grey%d" % depth, raw_png(8, 3, depth, 0, [rng.bytes(depth) for _ in range(3)])
    yield "gamma", raw_png(5, 7, 8, 2, [r.tobytes() for r in picture(7, 5)], more=chunk(b"gAMA", struct.pack(">I", 30000)))
    yield "interlaced", raw_png(37, 29, 8, 2, adam7(picture(29, 37)), 1)


def test_png(tmp_path):
    for name, im, options in pngs():
        im.save(tmp_path / (name + ".png"), **options)
    for name, raw in raw_pngs():
        (tmp_path / (name + ".png")).write_bytes(raw)
    for path in sorted(tmp_path.glob("*.png")):
        got, _ = shown(tmp_path, path, 0)
        want = as_array(Image.open(path).convert("RGB"))
        assert np.array_equal(np.broadcast_to(got, want.shape), want), path.name


def others():
    """(name, image, options of save) of the formats without an encoder that has choices to test one by one."""
    rgb, grey = Image.fromarray(picture(31, 43)), Image.fromarray(picture(31, 43, channels=1)[:, :, 0])
    rgba = Image.fromarray(np.concatenate([picture(31, 43), picture(31, 43, 1)[:, :, :1]], 2), "RGBA")
    for kind in ("bmp", "tif", "webp"):
        yield "rgb." + kind, rgb, {}
        yield "grey." + kind, grey, {}
        yield "rgba." + kind, rgba, {}
    yield "palette.bmp", rgb.quantize(37), {}
    yield "palette.tif", rgb.quantize(37), {}
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield packing + ".tif", rgb, dict(compression=packing)
    yield "strips.tiff", rgb, dict(compression="tiff_lzw", tiffinfo={278: 5})
    yield "exact.webp", rgba, dict(lossless=True, exact=True)
    yield "rgb.ppm", rgb, {}
    yield "grey.pgm", grey, {}


def test_other_formats(tmp_path):
    for name, im, options in others():
        path = tmp_path / name
        im.save(path, **options)
        got, _ = shown(tmp_path, "image:%s" % path, 0)
        want = as_array(Image.open(path).convert("RGB"))
        assert got.shape == want.shape or "grey" in name, name
        assert np.array_equal(np.broadcast_to(got, want.shape), want), name
    # a folder of them is a data set; -v would count those that are none
    assert json.loads(tool("mstrun", model(tmp_path, 3, 31, 43), "image:%s" % tmp_path, "-T", 1, "--json",
                           "-").stdout)["samples"] == len(list(others()))


def test_pnm_headers_and_bitmaps_by_hand(tmp_path):
    pixels = picture(3, 5)
    (tmp_path / "c.ppm").write_bytes(b"P6 # by hand\n5\t3\n# two\n 255\n" + pixels.tobytes())
    assert np.array_equal(shown(tmp_path, tmp_path / "c.ppm", 0)[0], pixels)
    rows = [np.concatenate([row[:, ::-1].ravel(), np.zeros(1, np.uint8)]) for row in pixels]  # 15 bytes, padded to 16
    head = struct.pack("<IiiHHIIiiII", 40, 5, -3, 1, 24, 0, 48, 0, 0, 0, 0)
    (tmp_path / "top-down.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 102, 0, 0, 54) + head + np.concatenate(rows).tobytes())
    assert np.array_equal(shown(tmp_path, tmp_path / "top-down.bmp", 0)[0], pixels)
    for name, raw, says in [
            ("wide.ppm", b"P6 5 3 65535\n" + bytes(90), "largest value: expected 255 (8 bits), found 65535"),
            ("text.ppm", b"P6 five 3 255\n" + bytes(45), "offset 3: PNM: width: expected a whole number"),
            ("short.ppm", b"P6 5 3 255\n" + bytes(44), "expected 45 bytes of pixels, found 44"),
            ("huge.ppm", b"P6 99999999 99999999 255\n", "bytes of pixels, found 0"),
            ("bits.bmp", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHII", 40, 5, 3, 1, 16, 0, 0) + bytes(99),
             "expected 8, 24 or 32 bits a pixel, found 16"),
            ("packed.bmp", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHII", 40, 5, 3, 1, 8, 1, 0) + bytes(2000),
             "not compressed"),
            ("least.bmp", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHII", 40, -(1 << 31), -(1 << 31), 1, 24, 0, 0)
             + bytes(99), "width and height")]:
        (tmp_path / name).write_bytes(raw)
        error = refused("image:%s" % (tmp_path / name))
        assert name in error and says in error, error
    Image.fromarray(picture(31, 43)[:, :, 0].astype(np.uint16) * 256).save(tmp_path / "deep.tif")
    assert "deep.tif: TIFF: expected 8 bits" in refused("image:%s" % (tmp_path / "deep.tif"))
    frames = [Image.fromarray(picture(8, 8, seed)) for seed in range(2)]
    frames[0].save(tmp_path / "moves.webp", save_all=True, append_images=frames[1:])
    assert "moves.webp: WebP: an animation" in refused("image:%s" % (tmp_path / "moves.webp"))


@pytest.mark.parametrize("name, save", [
    ("bmp", {}), ("ppm", {}), ("tif", dict(compression="tiff_lzw")), ("webp", dict(quality=80)),
    ("jpg", dict(format="JPEG", quality=80)), ("progressive.jpg", dict(format="JPEG", progressive=True)),
    ("png", dict(format="PNG")),
])
def test_truncated_images_are_refused(tmp_path, name, save):
    b = io.BytesIO()
    Image.fromarray(picture(40, 40)).save(b, **{"format": {"tif": "TIFF"}.get(name, name), **save})
    raw, path = b.getvalue(), tmp_path / ("cut." + name)
    for cut in sorted({0, 1, 7, 20, 100, len(raw) // 2, len(raw) - 20, len(raw) - 2, len(raw) - 1}):
        path.write_bytes(raw[:cut])
        error = refused("image:%s" % path)
        assert "cut." + name in error and ("offset" in error or ": WebP: " in error or ": TIFF: " in error or ": BMP: " in error)


def test_hostile_images_are_refused(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(raw_png(60000, 60000, 8, 2, []))
    assert "60000x60000 pixels: limit is 67108864" in refused(path)
    b = io.BytesIO()
    Image.fromarray(picture(16, 16)).save(b, "JPEG")
    raw = b.getvalue()
    at = raw.index(b"\xff\xc0") + 5
    (tmp_path / "bomb.jpg").write_bytes(raw[:at] + struct.pack(">HH", 65500, 65500) + raw[at + 4:])
    assert "65500x65500 pixels: limit" in refused(tmp_path / "bomb.jpg")
    (tmp_path / "text.jpg").write_text("this is no picture")
    error = refused("image:%s" % (tmp_path / "text.jpg"))
    assert "expected a JPEG, PNG, BMP, PGM, PPM, TIFF or WebP, found bytes 74 68 69" in error
    whole = tmp_path / "crc.png"
    Image.fromarray(picture(16, 16)).save(whole)
    raw = bytearray(whole.read_bytes())
    raw[raw.index(b"IDAT") + 20] ^= 1
    whole.write_bytes(raw)
    assert "crc.png: offset" in refused(whole)
