"""No input is ever replaced, no result lost: outputs against inputs and each other, links, devices, signals."""
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from built import BUILD, ROOT, tool
from support import onnx

ONNX = ROOT / "tests" / "fixtures" / "onnx" / "swin-ts.onnx"


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    tool("mstconv", ONNX, "-o", folder / "m.bin", "--timesteps", "2", "--quiet")
    shape = json.loads(tool("mstrun", "--info", folder / "m.bin", "--json", "-").stdout)["input"]
    np.save(folder / "x.npy", np.zeros([4] + shape, np.float32))
    np.save(folder / "y.npy", np.arange(4))
    (folder / "p.yaml").write_text("version: 1\nseed: 1\nmasks: {sites: {q: 0.5}}\n")
    (folder / "classes.txt").write_text("".join("c%d\n" % i for i in range(10)))
    return folder


@pytest.fixture(name="here")
def _here(made, tmp_path, monkeypatch):
    """A folder of inputs of its own, and the current one."""
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(ONNX, tmp_path / "m.onnx")
    (tmp_path / "set").mkdir()
    shutil.copy(tmp_path / "x.npy", tmp_path / "set" / "inside.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


CONV, RUN, CALIB = ("mstconv", "m.onnx"), ("mstrun", "m.bin", "npy:x.npy,y.npy"), ("mstcalib", "m.onnx", "m.bin", "x.npy")
COLLISIONS = [
    (*CONV, "-o", "m.onnx"), (*CONV, "-o", "./m.onnx"), (*CONV, "-o", "../{here}/m.onnx"), (*CONV, "-o", "hard"),
    (*CONV, "-o", "soft"), (*CONV, "-o", "n.bin", "--report", "m.onnx"), (*CONV, "-o", "n.bin", "--report", "n.bin"),
    (*CONV, "-o", "n.bin", "--report", "./n.bin"), (*CONV, "-o", "n.bin", "--policy", "p.yaml", "--report", "p.yaml"),
    (*CONV, "-o", "p.yaml", "--policy", "p.yaml"), (*CONV, "-o", "n.bin", "--classes", "classes.txt", "--report", "classes.txt"),
    (*CONV, "--dry-run", "-o", "m.onnx"), (*CONV, "-o", "n.bin", "--dump-dir", "dumps"),
    (*RUN, "--json", "m.bin"), (*RUN, "--json", "x.npy"), (*RUN, "--json", "y.npy"), (*RUN, "--trace", "m.bin"),
    (*RUN, "--trace", "./x.npy"), (*RUN, "--trace", "y.npy"), (*RUN, "--json", "a", "--trace", "./a"),
    (*RUN, "--json", "one", "--trace", "other"), (*RUN, "--json", "-", "--trace", "-"),
    (*RUN, "--json", "-", "--trace", "/dev/stdout"),
    ("mstrun", "--info", "m.bin", "--json", "m.bin"), ("mstrun", "m.bin", "--show", "x.npy", "0", "-o", "m.bin"),
    ("mstrun", "m.bin", "--show", "x.npy", "0", "-o", "x.npy"), ("mstrun", "m.bin", "image:set", "--json", "set/inside.png"),
    (*CALIB, "--json", "m.onnx"), (*CALIB, "--json", "m.bin"), (*CALIB, "--json", "x.npy"),
]


@pytest.mark.parametrize("job", COLLISIONS, ids=[" ".join(c) for c in COLLISIONS])
def test_no_output_is_an_input_or_another_output(here, job):
    os.link(here / "m.onnx", here / "hard")
    (here / "soft").symlink_to("m.onnx")
    (here / "one").write_text("{}")
    os.link(here / "one", here / "other")
    (here / "dumps").mkdir()
    (here / "dumps" / "06-qcfs.txt").symlink_to("../m.onnx")
    before = contents(here)
    done = tool(*(a.format(here=here.name) for a in job), "--force", code=2)
    assert len(done.stderr.splitlines()) == 1 and not done.stdout, done.stderr
    assert contents(here) == before


def test_stdout_is_no_input(here):
    for job, path in ((CONV + ("--dry-run",), "m.onnx"), (RUN, "m.bin"), (RUN, "x.npy"), (CALIB, "m.bin"),
                      (RUN + ("--json", "r.json"), "r.json")):
        before = contents(here)
        with open(here / path, "ab") as f:
            before.setdefault(path, b"")
            done = subprocess.run([str(BUILD / job[0]), *job[1:], "--force"], stdout=f, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2 and "stdout" in done.stderr, (job, path, done)
        assert contents(here) == before


def test_external_data_is_an_input(here):
    """Known only once the model is read."""
    model = onnx.load(str(here / "m.onnx"))
    onnx.save_model(model, str(here / "e.onnx"), save_as_external_data=True, location="e.data", size_threshold=0)
    (here / "n.bin").write_bytes((here / "m.bin").read_bytes())
    before = contents(here)
    for job in (("mstconv", "e.onnx", "-o", "e.data"), ("mstconv", "e.onnx", "-o", "n.bin", "--report", "e.data"),
                ("mstcalib", "e.onnx", "m.bin", "x.npy", "--json", "e.data")):
        done = tool(*job, "--force", "--quiet", code=1)
        assert "e.data, which is read" in done.stderr and contents(here) == before


def test_files_of_others_stay(here):
    """Without --force; what the tools wrote themselves, and an empty file, is replaced."""
    jobs = ((*CONV, "-o"), (*CONV, "--dry-run", "--report"), (*RUN, "--json"), (*RUN, "--trace"), (*CALIB, "--json"),
            ("mstrun", "--info", "m.bin", "--json"), ("mstrun", "m.bin", "--show", "x.npy", "0", "-o"))
    for job in jobs:
        out = here / "out"
        for old in (b"mine", b'{"tool": "other"}', b"\x89PNG\r\n\x1a\n" + bytes(100), b'{\n "tool": "ms'):
            out.write_bytes(old)
            done = tool(*job, "out", code=2)
            assert "--force replaces it" in done.stderr and out.read_bytes() == old
        tool(*job, "out", "--force")
        first = out.read_bytes()
        assert first != old
        tool(*job, "out")
        out.write_bytes(b"")
        tool(*job, "out")
        assert len(out.read_bytes()) > 90
        out.unlink()
    (here / "set" / "r.json").write_text('{\n "tool": "mstrun"')  # results may lie beside data, if they are ours
    assert "which is read" not in tool("mstrun", "m.bin", "image:set", "--json", "set/r.json", code=1).stderr


def test_all_outputs_or_none(here):
    """The last of several that fails leaves the others as they were."""
    (here / "t.csv").write_text("sample,step,layer,name,fired,spikes\nold")
    (here / "r.json").write_text('{\n "tool": "mstrun", "old": 1}')
    before = contents(here)
    with open("/dev/full", "w", encoding="ascii") as full:
        for job in ((*RUN, "--trace", "t.csv", "--json", "r.json"), (*CONV, "-o", "m.bin", "--timesteps", "7"),
                    (*CONV, "-o", "n.bin", "--report", "r.json", "--force")):
            done = subprocess.run([str(BUILD / job[0]), *job[1:]], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode == 1 and "No space left on device" in done.stderr
            assert contents(here) == before
    for job in ((*RUN, "--trace", "t.csv", "--json", "/dev/full"), (*CONV, "-o", "m.bin", "--timesteps", "7", "--report", "/dev/full")):
        assert "No space left on device" in tool(*job, code=1).stderr
        assert contents(here) == before


def test_broken_pipe(here):
    for job in (("mstconv", "--help"), (*CONV, "-o", "n.bin"), RUN, (*CALIB, "--json", "-")):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([str(BUILD / job[0]), *job[1:]], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert done.returncode == 1 and done.stderr.splitlines()[-1] == job[0] + ": error: stdout: cannot write: Broken pipe", done
        assert not (here / "n.bin").exists()


def test_links_devices_and_names(here):
    (here / "d").mkdir()
    (here / "link").symlink_to("d/target")
    tool(*CONV, "-o", "link", "--quiet")  # a link stays one, to a file that is new
    assert (here / "link").is_symlink() and (here / "d" / "target").read_bytes()[:4] == b"\x89MST"
    tool(*CONV, "-o", "link", "--quiet", "--timesteps", 9)  # or was there
    assert (here / "link").is_symlink() and sorted(os.listdir(here / "d")) == ["target"]
    (here / "loop").symlink_to("loop")
    assert "Too many levels of symbolic links" in tool(*CONV, "-o", "loop", code=1).stderr
    for job in ((*CONV, "-o"), (*CONV, "--dry-run", "--report"), (*RUN, "--json"), (*RUN, "--trace"), (*CALIB, "--json")):
        tool(*job, "/dev/null", "--quiet")
        long = "n" * 250
        tool(*job, long, "--quiet")
        tool(*job, long, "--quiet")
        assert len((here / long).read_bytes()) > 100
        (here / long).unlink()
        assert "File name too long" in tool(*job, "n" * 256, code=1).stderr
        assert "it is a folder" in tool(*job, "d", code=1).stderr
        assert "No such file" in tool(*job, "no/x", code=1).stderr
        out, named = (tool(*job, name, "--quiet", text=False).stdout for name in ("-", "/dev/stdout"))
        assert out[:100] == named[:100] and len(out) > 100
        os.mkfifo(here / "pipe")
        with open("read", "wb") as read, subprocess.Popen(["cat", "pipe"], stdout=read):
            tool(*job, "pipe", "--quiet")
        assert len((here / "read").read_bytes()) > 100
        (here / "pipe").unlink()
    assert tool(*RUN, "--json", "/dev/null", "--trace", "/dev/null").stdout
    tool(*CONV, "-o", "./-", "--quiet")
    assert (here / "-").exists()
    assert not [n for n in os.listdir(here) if "mst-tmp" in n]


def waiting(job, here):
    """A run that has made its temporary files and waits for a policy's or label's pipe."""
    process = subprocess.Popen([str(BUILD / job[0]), *job[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(1000):
        if any("mst-tmp" in n for n in os.listdir(here)):
            return process
        time.sleep(0.01)
    process.kill()
    raise AssertionError("no temporary file: %s" % process.communicate()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_sweep(here, number):
    before = contents(here)
    os.mkfifo(here / "slow.yaml")
    for job in ((*CONV, "-o", "new.bin", "--report", "r.json", "--policy", "slow.yaml"),
                (*CONV, "-o", "m.bin", "--classes", "slow.yaml")):
        with waiting(job, here) as process:
            process.send_signal(number)
            process.communicate(timeout=20)
        assert process.returncode == -number
        (here / "slow.yaml").unlink()
        assert contents(here) == before
        os.mkfifo(here / "slow.yaml")


def test_stale_files_are_swept(here):
    os.mkfifo(here / "slow.yaml")
    for name in ("new.bin", "n" * 250):
        with waiting((*CONV, "-o", name, "--policy", "slow.yaml"), here) as process:
            process.kill()
            process.communicate()
        assert [n for n in os.listdir(here) if "mst-tmp" in n]
        with waiting((*CONV, "-o", name, "--policy", "slow.yaml"), here) as process:
            assert len([n for n in os.listdir(here) if "mst-tmp" in n]) == 1
            tool(*CONV, "-o", name, "--quiet")  # beside one that lives, whose file stays
            assert len([n for n in os.listdir(here) if "mst-tmp" in n]) == 1
            process.kill()
            process.communicate()
        tool(*CONV, "-o", name, "--quiet")
        assert not [n for n in os.listdir(here) if "mst-tmp" in n]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write anything")
def test_no_permission(here):
    (here / "kept.bin").write_bytes((here / "m.bin").read_bytes())
    os.chmod(here / "kept.bin", 0o444)
    (here / "shut").mkdir(mode=0o555)
    os.chmod(here, 0o777)
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    if subprocess.run([*nobody, str(BUILD / "mstconv"), "--version"], stdout=subprocess.DEVNULL, check=False, cwd="/").returncode != 0:
        pytest.skip("another user cannot run the tools here")
    for out in ("kept.bin", "shut/m.bin"):
        done = subprocess.run([*nobody, str(BUILD / "mstconv"), "m.onnx", "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False, cwd=here)
        assert done.returncode == 1 and "Permission denied" in done.stderr
    # and what is read
    (here / "set" / "inside.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    os.chmod(here / "set" / "inside.png", 0)
    (here / "labels.txt").write_text("inside.png 1\n")
    (here / "hidden").mkdir()
    shutil.copy(here / "x.npy", here / "hidden")
    os.chmod(here / "hidden", 0)
    os.chmod(here / "p.yaml", 0)
    for job in (("mstrun", "m.bin", "image:set"), ("mstrun", "m.bin", "hidden/x.npy"), ("mstconv", "m.onnx", "-o", "-", "--policy", "p.yaml"),
                ("mstrun", "hidden/m.bin", "x.npy"), ("mstconv", "hidden/m.onnx", "-o", "-")):
        done = subprocess.run([*nobody, str(BUILD / job[0]), *job[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False, cwd=here)
        assert done.returncode == 1 and "Permission denied" in done.stderr, (job, done.stderr)


def test_no_memory(here):
    """Not enough for the model, or for the threads: the system's words, no crash, nothing written."""
    before = contents(here)
    for kilobytes in (9000, 20000, 40000, 60000):
        for job in ((*CONV, "-o", "n.bin"), (*RUN, "--json", "r.json"), (*CALIB, "--json", "r.json")):
            done = subprocess.run(["sh", "-c", 'ulimit -v "$0"; exec "$@"', str(kilobytes), str(BUILD / job[0]), *job[1:]],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode in (0, 1, 127), (kilobytes, job, done)
            if done.returncode == 1:
                assert "memory" in done.stderr, (kilobytes, job, done.stderr)
                assert contents(here) == before
            for name in ("n.bin", "r.json"):
                (here / name).unlink(missing_ok=True)


def test_full_picture(here):
    assert "No space left on device" in tool("mstrun", "m.bin", "--show", "x.npy", "0", "-o", "/dev/full", code=1).stderr
