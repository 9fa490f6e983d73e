"""What tools show on a terminal: tables that fit, a bar that is not drawn too often; short options."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

import numpy as np
import pytest

from built import BUILD, tool
from support import FIXTURES

ONNX = FIXTURES / "swin-ts.onnx"


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    tool("mstconv", ONNX, "-o", folder / "m.bin", "--timesteps", 4, "-q")
    np.save(folder / "x.npy", np.zeros((300, 3, 16, 16), np.float32))
    return folder


def on_terminal(job, columns, stream):
    """What a job writes to stdout or stderr, a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    other = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: slave}
    process = subprocess.Popen([str(BUILD / job[0]), *map(str, job[1:])], **other)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(master)
    assert process.wait(timeout=60) == 0
    return text.decode()


def test_tables_fit(made):
    jobs = (("mstconv", ONNX, "--dry-run"), ("mstrun", "--info", made / "m.bin"), ("mstrun", made / "m.bin", made / "x.npy", "-n", 2),
            ("mstcalib", ONNX, made / "m.bin", made / "x.npy", "-n", 2))
    for job in jobs:
        whole = tool(*job).stdout.splitlines()
        for columns in (80, 132, 400):
            lines = on_terminal(job, columns, "stdout").replace("\r", "").splitlines()
            table = [line for line in lines if "_if/Floor" in line or ".." in line]
            assert len(table) >= (40 if columns > 80 else 10) and max(map(len, table)) <= columns, (job, max(map(len, table)))
            if columns == 400:
                assert [line for line in lines if "_if/Floor" in line] == [line for line in whole if "_if/Floor" in line]
            elif columns == 132:
                assert all(re.search(r"[a-z0-9_]+/Floor|[a-z]+/Conv|/MatMul|Gemm|/[a-zA-Z]", line) for line in table), table[:3]


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
