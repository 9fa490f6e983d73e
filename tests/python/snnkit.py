"""The test tool tests/tools/snnkit.c, for pytest."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def snnkit():
    """snnkit("dump", path, check=True) -> subprocess.CompletedProcess with text output."""
    build = pathlib.Path(os.environ.get("MST_BUILD", ROOT / "build" / "release"))
    tool = build / "tests" / "tools" / "snnkit"
    if not tool.exists():
        pytest.skip("%s is not built" % tool)

    def call(*args, check=True):
        done = subprocess.run([str(tool)] + [str(a) for a in args], capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, done.stderr
        return done
    return call


def make(tool, what, folder, weights="f32"):
    """A sample graph of tests/support/sample_graphs.h as a file."""
    path = folder / ("%s-%s.bin" % (what, weights))
    tool("make", what, path, *([weights] if weights != "f32" else []))
    return path
