"""What tools show on a terminal: tables that fit, a bar that is not drawn too often; short options."""
import json
import os
import re
import time

import numpy as np
import pytest

from built import BUILD, tool
from screen import on_screen
from support import FIXTURES

ONNX = FIXTURES / "swin-ts.onnx"


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    tool("mstconv", ONNX, "-o", folder / "m.bin", "--timesteps", 4, "-q")
    np.save(folder / "x.npy", np.zeros((300, 3, 16, 16), np.float32))
    return folder


def on_terminal(job, columns, stream, code=0, **env):
    """What a job writes to stdout or stderr, a terminal of so many columns."""
    status, text = on_screen((BUILD / job[0], *job[1:]), stream, columns, env=dict(os.environ, **dict({"NO_COLOR": "1"}, **env)))
    assert status == code
    return text


def jobs(made):
    return (("mstconv", ONNX, "--dry-run"), ("mstrun", "--info", made / "m.bin"), ("mstrun", made / "m.bin", made / "x.npy", "-n", 2),
            ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2),
            ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2, "--attribute"))


def test_tables_fit(made):
    """Names of layers are told apart before all columns are there; redirected, all is as it is."""
    for job in jobs(made):
        whole = tool(*job).stdout.splitlines()
        names = {re.search(r"/\S+", line).group().strip("'") for line in whole if re.match(r"!?\s*'?/\S+_if/Floor", line)}
        for columns in (80, 132, 400):
            lines = on_terminal(job, columns, "stdout").replace("\r", "").splitlines()
            assert max(len(line) for line in lines if len(line.split()) > 1) <= columns, (job, columns)
            table = [line.split()[line[0] == "!"] for line in lines if re.match(r"!?\s*\S+_if(/Floor)?\s", line)]
            assert not [line for line in lines if ".." in line and "_if" in line]
            found = [{name for name in names if name.endswith((short, short + "/Floor"))} for short in table]
            assert all(len(one) == 1 for one in found) and len(set.union(*found)) == len(names) >= 20, (job, columns)
            if columns == 400:
                assert [line for line in lines if "_if/Floor" in line and "=" not in line][:20] == \
                    [line for line in whole if "_if/Floor" in line and "=" not in line][:20]


def test_words_have_the_names_of_the_tables(made):
    """Layers and blocks, wherever tables have short ones; a file and the JSON have whole ones."""
    job = ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2, "--attribute")
    whole = tool(*job, "--json", made / "a.json", "--force").stdout
    summary = json.loads((made / "a.json").read_text())["attribution"]["summary"]
    named = re.findall(r"'(/[^']+)'", summary)
    assert named and " ".join(whole.split()).count(summary) == 1 and "whole names" not in whole
    for columns in (80, 132):
        lines = on_terminal(job, columns, "stdout").replace("\r", "")
        short = [name.removesuffix("/Floor").replace("/blocks/blocks", "blocks").replace("/stages/stages", "stages").lstrip("/") for name in named]
        text = " ".join(lines[lines.index("Where the accuracy goes"):].split())
        assert re.findall(r"'([^' ]+)'", text[:text.index("cause ")]) == short
        table = {line.split()[line[0] == "!"] for line in lines.splitlines() if re.match(r"!?\s*\S+_if\s", line)}
        assert {name for name in short if name.endswith("_if")} <= table and "/Floor" not in lines
        assert "(a wider terminal, or a file, has whole names" in " ".join(lines.split())
    assert "whole names" not in on_terminal(job, 400, "stdout")


def test_names_of_narrow_tables_can_be_given(made):
    """--raster and --html-layer take them, as --info lists them."""
    info = ("mstrun", "--info", made / "m.bin")
    lines = on_terminal(info, 80, "stdout").replace("\r", "").splitlines()
    short = [word for line in lines for word in line.split() if re.fullmatch(r"(blocks|stem)\S*/\S*|norm_if", word)]
    whole = [layer["name"] for layer in json.loads(tool(*info, "--json", "-").stdout)["layers"]]
    assert len(short) == len(whole) >= 20 and not set(short) & set(whole)
    args = [word for name in (short[7], short[2]) for word in ("--raster", name)]
    run = ("mstrun", made / "m.bin", made / "x.npy", "-n", 2, "-q", "-T", 2)
    tool(*run, *args, "--raster-to", made / "r.npz", "--html", made / "p.html", "--html-layer", short[5])
    r = np.load(made / "r.npz")
    assert list(r["layer"]) == [2, 7] and [name.decode().rstrip("\0") for name in r["name"]] == [whole[2], whole[7]]
    assert "<code>%s</code>" % whole[5] in (made / "p.html").read_text()
    assert "expected a layer" in tool(*run, "--html", made / "q.html", "--html-layer", short[5][1:], code=1).stderr


def test_only_columns_that_are_there(made):
    job = ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2)
    text = on_terminal(job, 80, "stdout").replace("\r", "")
    head = next(line for line in text.splitlines() if "rel. L2" in line and "layer" in line)
    parts = [part for part in ("clipping", "unevenness", "quantization", "inherited", "weights") if part in head]
    assert 2 <= len(parts) < 5 and ", ".join(parts) + ": mean absolute parts" in " ".join(text.split())
    assert "last five" not in text and "last five" in tool(*job).stdout
    left = " ".join(text[text.index("(a wider terminal"):].split())
    assert "inherited, weights)" in left and not [part for part in parts if part in left[:left.index(")")]]


def test_colors(made):
    """Heads, marks, warnings and errors, where the terminal has colours and nobody asked for none."""
    job = ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2)
    plain, on = tool(*job).stdout, dict(TERM="xterm", NO_COLOR="")
    text = on_terminal(job, 400, "stdout", **on).replace("\r", "")
    assert re.search(r"\033\[1m +layer .*\033\[0m\n", text) and re.sub(r"\033\[[0-9;]*m", "", text).split() == plain.split()
    marked = [line for line in text.splitlines() if line.startswith("\033[33m!")]
    assert len(marked) == sum(line.startswith("!  ") for line in plain.splitlines()) and all(x.endswith("\033[0m") for x in marked)
    wrong = ("mstrun", made / "none.bin", made / "x.npy")
    assert on_terminal(wrong, 100, "stderr", code=1, **on).startswith("mstrun: \033[1;31merror:\033[0m ")
    np.save(made / "bytes.npy", np.full((2, 3, 16, 16), 200, np.float32))
    raw = ("mstrun", made / "m.bin", made / "bytes.npy", "-q", "-T", 1)
    assert "\033[33mwarning:\033[0m " in on_terminal(raw, 100, "stderr", **on)
    for env in (dict(TERM="dumb", NO_COLOR=""), dict(TERM="xterm", NO_COLOR="1"), dict(TERM="", NO_COLOR="")):
        assert "\033" not in on_terminal(job, 400, "stdout", **env) + on_terminal(wrong, 100, "stderr", code=1, **env)
    assert "\033" not in tool(*wrong, code=1).stderr


def test_color_option(made):
    """What is said outright holds, whatever the stream and the environment are; in all tools, and with --merge."""
    off, on = dict(TERM="dumb", NO_COLOR="1"), dict(TERM="xterm", NO_COLOR="")
    run = ("mstrun", made / "m.bin", made / "x.npy", "-n", 2, "--shard", "1/1", "--json", made / "part.json")
    for job in (("mstconv", ONNX, "--dry-run"), run, ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2),
                ("mstrun", "--merge", made / "part.json")):
        assert "\033[1m" in tool(*job, "--color", "always").stdout
        assert "\033[1m" in on_terminal((*job, "--color=always"), 400, "stdout", **off)
        assert "\033" not in tool(*job, "--color=auto").stdout + on_terminal((*job, "--color=never"), 400, "stdout", **on)
        assert "\033[1m" in on_terminal((*job, "--color=auto"), 400, "stdout", **on)
        for value in ("", "yes", "auto|always", "alway", "always|"):
            assert "--color: expected auto|always|never, found '%s'" % value in tool(*job, "--color=" + value, code=2).stderr


def test_bar(made):
    start = time.monotonic()
    text = on_terminal(("mstrun", made / "m.bin", made / "x.npy", "-T", 60, "--threads", 2), 100, "stderr")
    took = time.monotonic() - start
    frames = [f for f in text.split("\r") if "simulating" in f]
    assert 1 <= len(frames) <= 10 * took + 2, (len(frames), took)
    assert re.search(r"\] 300/300  [0-9.e+]+/s, 0 s left", frames[-1]), frames[-1]
    assert not on_terminal(("mstrun", made / "m.bin", made / "x.npy", "-q"), 100, "stderr")


def test_short_options():
    for name in ("mstconv", "mstrun", "mstcalib"):
        assert tool(name, "-h").stdout == tool(name, "--help").stdout
        assert tool(name, "-V").stdout == tool(name, "--version").stdout
        assert "-q, --quiet" in tool(name, "-h").stdout
    assert not tool("mstconv", ONNX, "--dry-run", "-q").stdout
