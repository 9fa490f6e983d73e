"""Builds the wheel (PEP 517): the package with the shared libraries and the tools that `make` built. Needs Python alone.

The wheel has no compiled extension, so that one serves every Python: its tag is py3-none-PLATFORM. MST_BUILD names a
folder with what is built (build/release by default); what is missing in the default one is built by `make`.
"""
import base64
import csv
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent
LIBRARIES = ["lib%s.so" % name for name in ("mst", "mstdata", "mstconv", "mstcalib")]
TOOLS = ["mstconv", "mstrun", "mstcalib"]
EPOCH = (2020, 1, 1, 0, 0, 0)  # of the files in the archive: the same tree gives the same wheel


def project(key, text=None):
    """A line of pyproject.toml: Python 3.9 and 3.10 cannot read TOML."""
    text = (HERE / "pyproject.toml").read_text(encoding="utf-8") if text is None else text
    return re.search(r'^%s = "(.*)"$' % re.escape(key), text, re.M).group(1)


def version():
    return re.search(r"^VERSION := (\S+)$", (TREE / "Makefile").read_text(encoding="utf-8"), re.M).group(1)


def built():
    """The folder of the libraries and tools, which are there."""
    said = os.environ.get("MST_BUILD")
    folder = pathlib.Path(TREE, said or "build/release")
    if not said and not (TREE / "Makefile").exists():
        raise SystemExit("build_backend: no Makefile in %s: the package is built in its tree" % TREE)
    if not said:
        subprocess.run(["make", "-C", str(TREE), "-j%d" % (os.cpu_count() or 1), "all"], check=True)
    missing = [name for name in LIBRARIES + TOOLS if not (folder / name).exists()]
    if missing:
        raise SystemExit("build_backend: %s: not in %s" % (", ".join(missing), folder))
    return folder


def tag():
    """py3-none-linux_x86_64"""
    return "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())


def stripped(path):
    """The file without what only debuggers read, where `strip` is there."""
    strip = shutil.which("strip")
    if strip is None:
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, path.name)
        subprocess.run([strip, "--strip-unneeded", "-o", str(out), str(path)], check=True)
        return out.read_bytes()


def metadata():
    lines = ["Metadata-Version: 2.1", "Name: " + project("name"), "Version: " + version(),
             "Summary: " + project("description"), "Requires-Python: " + project("requires-python"),
             "Requires-Dist: numpy>=1.21", "Provides-Extra: torch",
             "Requires-Dist: torch; extra == 'torch'", "Requires-Dist: onnx; extra == 'torch'",
             "Description-Content-Type: text/markdown", "", (TREE / "docs" / "PYTHON.md").read_text(encoding="utf-8")]
    return "\n".join(lines)


def commands():
    return "[console_scripts]\n" + "".join("%s = mst._tools:%s\n" % (name, name) for name in TOOLS)


def contents(editable):
    """{path in the wheel: (bytes, may be run)} without RECORD."""
    info = "%s-%s.dist-info/" % (project("name"), version())
    files = {info + "METADATA": metadata(), info + "entry_points.txt": commands(),
             info + "WHEEL": "Wheel-Version: 1.0\nGenerator: build_backend\nRoot-Is-Purelib: false\nTag: %s\n" % tag(),
             info + "LICENSE": (TREE / "LICENSE").read_text(encoding="utf-8")}
    out = {name: (text.encode(), False) for name, text in files.items()}
    folder = built()
    if editable:
        out["mst-tree.pth"] = (str(HERE).encode() + b"\n", False)
        return out
    for path in sorted((HERE / "mst").rglob("*")):
        if path.suffix in (".py", ".typed"):
            out[path.relative_to(HERE).as_posix()] = (path.read_bytes(), False)
    for name in LIBRARIES + TOOLS:
        out["mst/native/" + name] = (stripped(folder / name), True)
    return out


def write(directory, editable):
    name = "%s-%s-%s.whl" % (project("name"), version(), tag())
    record = "%s-%s.dist-info/RECORD" % (project("name"), version())
    rows = io.StringIO()
    with zipfile.ZipFile(pathlib.Path(directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        lines = csv.writer(rows, lineterminator="\n")
        for path, (data, run) in contents(editable).items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.writerow([path, "sha256=" + digest, len(data)])
            add(wheel, path, data, run)
        lines.writerow([record, "", ""])
        add(wheel, record, rows.getvalue().encode(), False)
    return name


def add(wheel, path, data, run):
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (0o100755 if run else 0o100644) << 16
    wheel.writestr(entry, data)


# ---- what pip calls ----

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, False)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return write(wheel_directory, True)


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("build_backend: the package is built in its tree: pip install ./python, or make wheel")


if __name__ == "__main__":
    import sys
    pathlib.Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    print(pathlib.Path(sys.argv[1], build_wheel(sys.argv[1])))
