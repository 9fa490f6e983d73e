"""Runs of the tools that are killed (SIGKILL), or whose disk is full, at random moments: every output is the old file or the new
one, whole; and the same command, run again with nothing in its way, does what it would have done, and leaves nothing over.
    moments.py BUILD [-n 200] [--seed N] [KIND ..]
KIND: time (killed after a random time), call (killed in a random system call, by fail_kth.so), disk (a disk with a random number of
free pages, which has the temporary files, too; needs `unshare -rm`). Prints a line for each, and what went wrong; exit status 1.
"""
import argparse
import collections
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import sweep
from sweep import OLD, Sweep

PAGE = 4096
LAST = 40  # calls
STEPS = ",".join(map(str, range(1, 31)))
DATA = "{1}/m.bin npy:{1}/x.npy,{1}/y.txt --threads 2 --force "
# as in sweep.py, of larger files; behind them, what lies beside them: kept by --resume
RUNS = {
    "mstconv": sweep.RUNS["mstconv"] + ((),),
    "mstrun": ("mstrun " + DATA + "-T 30 --at " + STEPS + " --json {0}/r.json --predictions {0}/p.csv --raster all --raster-to {0}/r.npz",
               ("r.json", "p.csv", "r.npz"), ()),
    "mstrun-page": ("mstrun " + DATA + "-T 50 --trace {0}/t.csv --html {0}/p.html", ("t.csv", "p.html"), ()),
    "mstrun-resume": ("mstrun " + DATA + "-T 30 --at " + STEPS + " --json {0}/r.json --predictions {0}/p.npz --trace {0}/t.csv --raster all "
                      "--raster-to {0}/q.npz --resume {0}/j.json", ("r.json", "p.npz", "t.csv", "q.npz"), sweep.BESIDE),
    "mstcalib": ("mstcalib {1}/m.onnx " + DATA + "-T 1,2,4,8 --json {0}/c.json --html {0}/c.html", ("c.json", "c.html"), ()),
    "mstcalib-resume": ("mstcalib {1}/m.onnx " + DATA + "-T 1,2,4,8 --json {0}/c.json --resume {0}/j.json", ("c.json",), ("j.json",)),
    "mstcalib-tune": ("mstcalib {1}/m.onnx " + DATA + "-T 8 --tune {0}/t.bin --json {0}/c.json", ("t.bin", "c.json"), ()),
}
NO_SPACE = "No space left on device"


def is_whole(name, data, good):
    """The new file: to the byte, but for the times that JSON and pages hold."""
    try:
        same = Sweep.lasting(name, data) == Sweep.lasting(name, good)
    except ValueError:
        return False
    return same or (name.endswith(".html") and data.rstrip().endswith(b"</html>") and abs(len(data) - len(good)) < 100)


class Trial:
    def __init__(self, tools, shared, name, folder):
        self.tools, self.shared, self.folder = tools, shared, folder
        command, self.outputs, self.beside = RUNS[name]
        self.words = command.format(folder, shared).split()
        self.words[0] = str(tools / self.words[0])

    def begin(self):
        for out in self.outputs:
            (self.folder / out).write_bytes(OLD)

    def start(self, **env):
        return subprocess.Popen(self.words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ, **env))

    def run(self):
        """(exit status, stderr)"""
        process = self.start()
        err = process.communicate(timeout=600)[1].decode(errors="replace")
        return process.returncode, err

    def files(self):
        return {f.name: f.read_bytes() for f in self.folder.iterdir()}

    def clear(self):
        for f in self.folder.iterdir():
            f.unlink()

    def judge(self, files, good, code):
        """(how it ended, what is wrong with the files of a run that was in trouble; None: nothing). One that was killed (-9) may have put
        some of its outputs in place, and leaves temporary files; mstrun keeps results beside one that could not be written."""
        new = [is_whole(out, files.get(out, b""), good[out]) for out in self.outputs]
        how = "done" if code == 0 else "new" if all(new) else "between" if any(new) else "old"
        cut = [out for out, whole in zip(self.outputs, new) if not whole and files.get(out) != OLD]
        left = [f for f in files if f not in self.outputs + self.beside and (code != -9 or ".mst-tmp" not in f)]
        if cut or left:
            return how, "cut or gone: %s, left over: %s" % (cut, left)
        if code not in (0, 1, -9) or (code == 0 and not all(new)):
            return how, "exit status %d" % code
        return how, "some are new" if code == 1 and any(new) and not self.words[0].endswith("mstrun") else None

    def again(self, good):
        """What is wrong with the next run."""
        code, err = self.run()
        files = self.files()
        if code != 0:
            return "the next run fails: %s" % err[-200:]
        bad = [out for out in self.outputs if not is_whole(out, files[out], good[out])]
        return "the next run wrote another %s" % bad if bad else self.judge(files, good, code)[1]


def by_time(trial, rng, facts):
    process = trial.start()
    time.sleep(rng.uniform(0, 1.2 * facts["seconds"]))
    process.kill()
    process.communicate()
    return trial.judge(trial.files(), facts["good"], process.returncode)


def preloaded(trial, k):
    return {"LD_PRELOAD": str(trial.tools / "tests/faults/fail_kth.so"), "MST_FAIL_WHAT": "kill", "MST_FAIL_KTH": str(k)}


def by_call(trial, rng, facts):
    first = rng.choice((1, max(1, facts["calls"] - LAST)))  # half of them where outputs take their places
    process = trial.start(**preloaded(trial, rng.randint(first, facts["calls"])))
    process.communicate()
    return trial.judge(trial.files(), facts["good"], process.returncode)


def by_disk(trial, rng, facts):
    pages = len(trial.outputs) + rng.randrange(facts["pages"])
    subprocess.run(["mount", "-o", "remount,size=%d" % (pages * PAGE), "/tmp"], check=True)
    code, err = trial.run()
    how, wrong = trial.judge(trial.files(), facts["good"], code)
    subprocess.run(["mount", "-o", "remount,size=64m", "/tmp"], check=True)
    if wrong is None and code == 1 and (NO_SPACE not in err or len(err.strip().splitlines()) > 3):
        wrong = "not said why: %s" % err[-200:]
    return how, wrong


KINDS = {"time": by_time, "call": by_call, "disk": by_disk}


def look_at(trial, kind, shared):
    """What a run does with nothing in its way."""
    trial.begin()
    start = time.monotonic()
    code, err = trial.run()
    facts = {"seconds": time.monotonic() - start, "good": trial.files()}
    if code != 0:
        sys.exit("%s: %s" % (trial.words, err))
    facts["pages"] = sum((len(data) // PAGE + 1) * (2 if out.endswith(".npz") else 1) for out, data in facts["good"].items()) + 2
    if kind == "call":
        trial.clear()
        trial.begin()
        count = shared / "count"
        trial.start(MST_FAIL_COUNT=str(count), **preloaded(trial, 0)).communicate()
        facts["calls"] = int(count.read_text())
    trial.clear()
    return facts


def trials(tools, kind, n, seed, shared, folder):
    """n trials, each with the next of the runs: [what went wrong]. Prints how many ended how."""
    rng, facts, wrong, ways = random.Random(seed), {}, [], collections.Counter()
    for i in range(n):
        name = list(RUNS)[i % len(RUNS)]
        trial = Trial(tools, shared, name, folder)
        if name not in facts:
            facts[name] = look_at(trial, kind, shared)
        trial.begin()
        how, why = KINDS[kind](trial, rng, facts[name])
        ways[how] += 1
        why = why or trial.again(facts[name]["good"])
        if why is not None:
            wrong.append("%s %s, trial %d: %s" % (kind, name, i, why))
        trial.clear()
    print("%s: %d trials, %s; %d wrong" % (kind, n, ", ".join("%d %s" % (ways[w], w) for w in ("done", "old", "between", "new") if ways[w]),
                                           len(wrong)), flush=True)
    return wrong


def on_a_small_disk(build, n, seed):
    """In a mount namespace of our own: /tmp is the disk, what is read lies elsewhere."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/mnt"], check=True)
    for name in ("mstconv", "mstrun", "mstcalib"):
        shutil.copy(build / name, "/mnt")
    shared, folder = pathlib.Path("/mnt/shared"), pathlib.Path("/tmp/out")
    shared.mkdir()
    sweep.prepare(build, shared)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", "/tmp"], check=True)
    folder.mkdir()
    return trials(pathlib.Path("/mnt"), "disk", n, seed, shared, folder)


def killed(build, kind, n, seed):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in ("shared", "out"):
            (folder / part).mkdir()
        sweep.prepare(build, folder / "shared")
        return trials(build, kind, n, seed, folder / "shared", folder / "out")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("-n", type=int, default=200, help="trials of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("kind", nargs="*", default=list(KINDS))
    args = parser.parse_intermixed_args()
    build, bad = args.build.resolve(), 0
    for kind in args.kind:
        if kind == "disk" and not args.inside:
            words = ["unshare", "-rm", sys.executable, __file__, str(build), "-n", str(args.n), "--seed", str(args.seed), "--inside", kind]
            bad += subprocess.run(words, check=False).returncode != 0
            continue
        wrong = on_a_small_disk(build, args.n, args.seed) if kind == "disk" else killed(build, kind, args.n, args.seed)
        for why in wrong:
            print("  " + why)
        bad += len(wrong)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
