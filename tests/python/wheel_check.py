"""Run by the Python of a fresh environment into which the wheel was installed: what it brings, and the snippets of the
documents, as they stand there. wheel_check.py TREE"""
import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import tempfile

tree = pathlib.Path(sys.argv[1]).resolve()
os.environ.pop("MST_NATIVE", None)
import mst  # noqa: E402


def snippets(page):
    """The blocks of Python in a page that use the package."""
    return [code for code in re.findall(r"^```python\n(.*?)^```", (tree / page).read_text(), re.S | re.M)
            if re.search(r"^import mst$", code, re.M)]


home = pathlib.Path(mst.__file__).parent
assert tree not in home.parents or "site-packages" in str(home), "%s is the tree's, not the wheel's" % home
assert mst.__version__ == importlib.metadata.version("mst") == mst._lib.mst().version().decode()
assert (home / "py.typed").exists()
for tool in ("mstconv", "mstrun", "mstcalib"):
    said = subprocess.run([pathlib.Path(sys.executable).parent / tool, "--version"], capture_output=True, text=True,
                          check=False)
    if said.returncode == 127:
        sys.exit("wheel: Python %s: the package loads, %s does not: %s: a wheel serves the system that it was made on (docs/PYTHON.md)" % (
            sys.version.split()[0], tool, said.stderr.strip().split(": ", 1)[-1]))
    assert said.stdout == "%s %s\n" % (tool, mst.__version__), said
with tempfile.TemporaryDirectory() as folder:
    os.symlink(tree / "examples", pathlib.Path(folder, "examples"))
    os.chdir(folder)
    for page in ("README.md", "docs/PYTHON.md"):
        assert snippets(page), page
        for code in snippets(page):
            exec(compile(code, page, "exec"), {})  # pylint: disable=exec-used
    os.chdir(tree)
print("wheel: Python %s, NumPy %s: installed, snippets run" % (sys.version.split()[0],
                                                               importlib.metadata.version("numpy")))
