"""The page of --html in headless Chromium, where there is one: nothing on the console, nothing loaded, nothing wider than the
window, both themes."""
import html
import re
import shutil
import subprocess

import numpy as np
import pytest

from built import tool
from support import Net, onnx
from test_html import check, tables
from test_json import DIGITS, ONNX

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIGHT, DARK = 1, 0


def chromium(folder, page, *args):
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return subprocess.run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking",
                           "--user-data-dir=%s" % (folder / "profile"), "--enable-logging=stderr", *args, "file://%s" % page],
                          capture_output=True, text=True, timeout=120)


def measured(folder, page, width):
    """(width of the page with every table open, charts and pictures, what it loaded) in a frame of that width: windows have at
    least 500 pixels."""
    said = "const w = document.querySelector('iframe').contentWindow, d = w.document;" \
           "d.querySelectorAll('details').forEach(x => x.open = true);" \
           "document.title = [d.documentElement.scrollWidth, d.querySelectorAll('svg,img').length," \
           "w.performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length].join(' ')"
    text = re.sub("<meta http-equiv=.*?>", "", page.read_text(), flags=re.S)
    (folder / "frame.html").write_text("<!DOCTYPE html><meta charset=utf-8><iframe width=%d height=900 style='border:0' srcdoc=\"%s\"></iframe>"
                                       "<script>onload = () => {%s}</script>" % (width, html.escape(text), said))
    done = chromium(folder, folder / "frame.html", "--window-size=1400,900", "--dump-dom")
    return [int(n) for n in re.search("<title>([0-9 ]+)</title>", done.stdout).group(1).split()]


@pytest.fixture(scope="module", name="page")
def _page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    tool("mstconv", ONNX, "-o", folder / "d.bin", "--quiet")
    tool("mstcalib", ONNX, folder / "d.bin", DIGITS, "-n", 30, "-T", "2,8", "--html", folder / "p.html", "--quiet")
    return folder / "p.html"


def test_console_is_empty(page, tmp_path):
    assert "CONSOLE" not in chromium(tmp_path, page, "--dump-dom").stderr
    (tmp_path / "loud.html").write_text(page.read_text().replace("</body>", "<script>1</script></body>"))
    assert "CONSOLE" in chromium(tmp_path, tmp_path / "loud.html", "--dump-dom").stderr  # its own policy forbids that


@pytest.mark.parametrize("width", [1280, 390, 340])
def test_it_fits(page, tmp_path, width):
    wide, drawn, loaded = measured(tmp_path, page, width)
    assert wide <= width and drawn > 10 and loaded == 0


def test_printed_headings_stay_with_their_charts(page, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    chromium(tmp_path, page, "--no-pdf-header-footer", "--print-to-pdf=%s" % (tmp_path / "p.pdf"))
    done = subprocess.run(["pdftotext", tmp_path / "p.pdf", "-"], capture_output=True, text=True, check=True)
    sheets = [" ".join(sheet.split()) for sheet in done.stdout.split("\f")]
    found = 0
    for section in re.findall("<section.*?</section>", page.read_text(), re.S):
        heading = html.unescape(re.search("<h2[^>]*>([^<]*)<", section).group(1))
        first = re.search("<figcaption>([^<]*)<", section)
        if first is None or heading == "Samples whose class flips":
            continue
        found += 1
        assert any(re.search(re.escape(heading) + ".*" + re.escape(html.unescape(first.group(1))), sheet) for sheet in sheets), heading
    assert found >= 5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_themes(page, tmp_path, theme):
    Image = pytest.importorskip("PIL.Image")
    chromium(tmp_path, page, "--blink-settings=preferredColorScheme=%d" % theme, "--window-size=1280,900",
             "--screenshot=%s" % (tmp_path / "s.png"))
    pixels = np.array(Image.open(tmp_path / "s.png").convert("L"))
    assert (pixels[:50, :20] > 200).all() if theme == LIGHT else (pixels[:50, :20] < 60).all()
    assert pixels.std() > 10


def test_deep_and_wide(tmp_path):
    """150 layers, 300 classes: a few MB, each part still there."""
    draw, n = np.random.default_rng(4), Net([1, 1, 4, 4])
    x = n.op("Reshape", n.x, n.const(np.array([1, 16]), dtype=np.int64))
    for i in range(150):
        w = np.eye(16) + draw.normal(size=(16, 16)) * .05
        x = n.op("Relu", n.op("Gemm", x, n.const(w.astype("f4")), n.const(np.full(16, .01, "f4"))), name="/stage/block.%d/relu" % i)
    x = n.op("Gemm", x, n.const(draw.normal(size=(16, 300)).astype("f4")), n.const(np.zeros(300, "f4")))
    onnx.save(n.model(x), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", draw.uniform(0, 1, size=(40, 1, 4, 4)).astype("f4"))
    np.save(tmp_path / "y.npy", np.arange(40) * 7 % 300)
    data = "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy")
    tool("mstconv", tmp_path / "m.onnx", "-o", tmp_path / "m.bin", "--calibrate", data, "--quiet")
    tool("mstcalib", tmp_path / "m.onnx", tmp_path / "m.bin", data, "-T", 8, "--html", tmp_path / "p.html", "--quiet")
    page = check((tmp_path / "p.html").read_text())
    shown = tables(page)
    assert len(shown["Error of each layer"]) == len(shown["Firing rates"]) == 151
    assert len(shown["Labels and what the network says"]) > 10 and "Samples that flip" in shown
    assert (tmp_path / "p.html").stat().st_size < 2 << 20
    if CHROMIUM is not None:
        assert measured(tmp_path, tmp_path / "p.html", 390)[0] <= 390
