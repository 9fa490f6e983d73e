"""What the Makefile promises: flags and versions are noticed, lines are short, what is missing is named."""
import os
import shutil
import subprocess

import pytest

from built import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(folder, *settings, code=0, source="core/argmax"):
    target = folder / "runtime" / (source + ".o")
    done = subprocess.run(["make", "-C", str(ROOT), "--no-print-directory", "B=%s" % folder, *settings, str(target)],
                          capture_output=True, text=True, check=False, timeout=300,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_what_changed_is_made_anew(tmp_path):
    assert "  CC " in make(tmp_path)
    assert make(tmp_path) == ""
    assert "  CC " in make(tmp_path, "VERSION=9.9.9")
    assert "  CC " in make(tmp_path, "VERSION=9.9.9", "CFLAGS=-O0")
    assert make(tmp_path, "VERSION=9.9.9", "CFLAGS=-O0") == ""


def test_short_and_long_lines(tmp_path):
    assert make(tmp_path).strip() == "CC   %s" % (tmp_path / "runtime" / "core" / "argmax.o")
    assert "-std=c11" in make(tmp_path, "V=1", "CFLAGS=-O0")


def test_missing_libraries_are_named(tmp_path):
    said = make(tmp_path, "DEPS_PC=zlib nosuchlibrary", code=2)
    assert "nosuchlibrary" in said and "run 'make deps'" in said
    assert not (tmp_path / "flags").exists()


def test_big_endian_machines_are_refused(tmp_path):
    big = "CFLAGS=-U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"
    assert "little-endian" in make(tmp_path, big, code=2, source="format/snn_read")
    make(tmp_path, "CFLAGS=-O0", source="format/snn_read")


@pytest.mark.parametrize("source", ["event_mat", "event_hdf5", "event_unpack"])
def test_recordings_libraries_may_be_missing(tmp_path, source):
    lacking = ["MATIO=", "HDF5=", "PACKERS=", "PC_CFLAGS="]
    make(tmp_path, *lacking, "CFLAGS=-O0 -Werror", source="data/events/" + source)
