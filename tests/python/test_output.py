"""Results that cannot be written: exit status 1 and one line that says so, and the old file stays."""
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, ROOT

ONNX = ROOT / "tests" / "fixtures" / "onnx" / "swin-ts.onnx"
TOOLS = ("mstconv", "mstrun", "mstcalib")


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    if not (BUILD / "mstconv").exists():
        pytest.skip("mstconv is not built")
    subprocess.run([BUILD / "mstconv", ONNX, "-o", folder / "m.bin", "--timesteps", "2", "--quiet"], check=True)
    shape = json.loads(subprocess.run([BUILD / "mstrun", "--info", folder / "m.bin", "--json", "-"], check=True,
                                      capture_output=True).stdout)["input"]
    np.save(folder / "x.npy", np.zeros([1] + shape, np.float32))
    return folder


def jobs(folder):
    """Each way of writing to stdout: a tool and its arguments."""
    for name in TOOLS:
        yield name, "--help"
        yield name, "--version"
        yield name, "--list", "sites"
    model, x = folder / "m.bin", folder / "x.npy"
    yield "mstconv", ONNX, "--dry-run"
    yield "mstconv", ONNX, "--dry-run", "--quiet", "--report", "-"
    yield "mstrun", "--info", model
    yield "mstrun", "--info", model, "--json", "-"
    yield "mstrun", model, x
    yield "mstrun", model, x, "--quiet", "--json", "-"
    yield "mstrun", model, x, "--quiet", "--trace", "-"
    yield "mstrun", model, "--show", x, "0", "-o", "-"
    yield "mstrun", model, "--show", x, "0", "-o", folder / "shown.png"
    yield "mstcalib", ONNX, model, x
    yield "mstcalib", ONNX, model, x, "--quiet", "--json", "-"


def run(job, **how):
    done = subprocess.run([str(BUILD / job[0])] + [str(a) for a in job[1:]], stderr=subprocess.PIPE, text=True,
                          timeout=600, check=False, **how)
    return done.returncode, done.stderr.splitlines()


def assert_refused(job, code, lines):
    errors = [line for line in lines if ": error: " in line]
    assert code == 1 and len(errors) == 1 and errors[0] == lines[-1], (job, code, lines)
    assert errors[0].startswith(job[0] + ": error: "), (job, lines)


def test_full_stdout(folder):
    for job in jobs(folder):
        with open("/dev/full", "w", encoding="ascii") as full:
            code, lines = run(job, stdout=full)
        assert_refused(job, code, lines)
        assert "cannot write" in lines[-1], (job, lines)


def test_closed_stdout(folder):
    for job in jobs(folder):
        assert_refused(job, *run(job, preexec_fn=lambda: os.close(1)))


def test_closed_stdout_is_no_file(folder, tmp_path):
    """What is printed does not land in a file that got the number of the closed stream."""
    model, x = folder / "m.bin", folder / "x.npy"
    for closed in ((1,), (0, 1, 2), (0,), (2,)):
        def close(closed=closed):
            for fd in closed:
                os.close(fd)
        code, _ = run(("mstrun", model, x, "--json", tmp_path / "r.json"), stdout=subprocess.DEVNULL, preexec_fn=close)
        assert code == (1 if 1 in closed else 0), closed
        if 1 in closed:
            assert not (tmp_path / "r.json").exists()  # all results or none
        else:
            assert json.loads((tmp_path / "r.json").read_text())["T"] == 2
            (tmp_path / "r.json").unlink()
        code, _ = run(("mstconv", ONNX, "-o", tmp_path / "n.bin", "--timesteps", 2, "--quiet"), stdout=subprocess.DEVNULL,
                      preexec_fn=close)
        assert code == 0, closed  # nothing to print
        assert (tmp_path / "n.bin").read_bytes() == model.read_bytes()


def test_full_disk(folder, tmp_path):
    """No byte more can be written to any file: status 1, the old file stays, nothing else is left."""
    model, x, out = folder / "m.bin", folder / "x.npy", tmp_path / "out"

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for job in (("mstconv", ONNX, "-o", out), ("mstconv", ONNX, "--dry-run", "--report", out),
                ("mstrun", model, x, "--json", out), ("mstrun", model, x, "--trace", out),
                ("mstrun", model, "--show", x, 0, "-o", out), ("mstrun", "--info", model, "--json", out),
                ("mstcalib", ONNX, model, x, "--json", out), ("mstconv", ONNX, "--dry-run", "--dump-dir", tmp_path)):
        if "--dump-dir" not in job:
            out.write_text("old")
            job += ("--force",)
        code, lines = run(job, stdout=subprocess.PIPE, preexec_fn=full, restore_signals=False)
        assert_refused(job, code, lines)
        if "--dump-dir" not in job:
            assert out.read_text() == "old" and os.listdir(tmp_path) == ["out"], job


def test_failed_report(folder, tmp_path):
    """A report, trace or figure that cannot be written is no success, wherever it should have gone."""
    (tmp_path / "m.bin").write_bytes((folder / "m.bin").read_bytes() + b"old")
    for path in (tmp_path / "no" / "r.json", tmp_path, "/dev/full"):
        for job in (("mstconv", ONNX, "--dry-run", "--report", path),
                    ("mstconv", ONNX, "-o", tmp_path / "m.bin", "--quiet", "--report", path),
                    ("mstrun", folder / "m.bin", folder / "x.npy", "--json", path),
                    ("mstrun", folder / "m.bin", folder / "x.npy", "--trace", path),
                    ("mstcalib", ONNX, folder / "m.bin", folder / "x.npy", "--json", path)):
            assert_refused(job, *run(job, stdout=subprocess.PIPE))
            assert str(path) in run(job, stdout=subprocess.PIPE)[1][-1], job
            assert (tmp_path / "m.bin").read_bytes().endswith(b"old") and os.listdir(tmp_path) == ["m.bin"], job


KILLER = """
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int calls;
static void call(void) { if (++calls == atoi(getenv("KILL_AT"))) raise(SIGKILL); }
ssize_t write(int fd, const void *p, size_t n) { call(); return syscall(SYS_write, fd, p, n); }
int fsync(int fd) { call(); return (int)syscall(SYS_fsync, fd); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { call(); return syscall(SYS_renameat2, d, a, e, b, f); }
int unlinkat(int d, const char *a, int f) { call(); return syscall(SYS_unlinkat, d, a, f); }
"""


def test_killed_mstconv(folder, tmp_path):
    """kill -9 in each call that puts OUT.bin on disk, then at random moments: the old file or the new one."""
    out, old, new = tmp_path / "m.bin", b"old", (folder / "m.bin").read_bytes()
    command = [str(BUILD / "mstconv"), str(ONNX), "-o", str(out), "--timesteps", "2", "--quiet", "--force"]
    seen = []

    def check(code):
        found = out.read_bytes()
        assert found in (old, new) and code in (0, -signal.SIGKILL)
        assert code != 0 or found == new
        seen.append((code, found == new))
    cc = shutil.which("cc")
    if cc is not None:
        (tmp_path / "kill.c").write_text(KILLER)
        library = tmp_path / "kill.so"
        subprocess.run([cc, "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, tmp_path / "kill.c"], check=True)
        for at in range(1, 100):
            out.write_bytes(old)
            env = dict(os.environ, LD_PRELOAD=str(library), KILL_AT=str(at))
            check(subprocess.run(command, env=env, check=False).returncode)
            if seen[-1][0] == 0:
                break
        assert seen[0] == (-signal.SIGKILL, False) and seen[-2] == (-signal.SIGKILL, True) and seen[-1] == (0, True)
    rng = random.Random(1)
    start = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - start
    for _ in range(20):
        out.write_bytes(old)
        with subprocess.Popen(command) as process:
            time.sleep(rng.uniform(0, 1.2 * whole))
            process.kill()
        check(process.returncode)
