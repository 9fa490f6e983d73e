"""The test tool tests/tools/snnkit.c, for pytest."""
import pytest

from built import ROOT, tool  # noqa: F401

@pytest.fixture(scope="session")
def snnkit():
    """snnkit("dump", path, check=True) -> subprocess.CompletedProcess with text output."""
    return lambda *args, check=True: tool("tests/tools/snnkit", *args, code=0 if check else None)


def make(snnkit, what, folder, weights="f32"):
    """A sample graph of tests/support/sample_graphs.h as a file."""
    path = folder / ("%s-%s.bin" % (what, weights))
    snnkit("make", what, path, *([weights] if weights != "f32" else []))
    return path
