"""Runs of the tools in which one call fails, the k-th: no crash, a reason, and every output as it was or as it is to be.
    sweep.py BUILD [--most N] [--jobs N] [RUN ..]    prints a line for each run, and what went wrong; exit status 1
"""
import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "fuzz" / "corpus" / "convert" / "qdq.onnx"
SAMPLES, SHAPE = 16, (2, 4, 4)
OLD = b"what was there before\n"
JOURNAL = "j.json"
BESIDE = (JOURNAL, JOURNAL + ".rows", JOURNAL + ".trace", JOURNAL + ".raster")
# name: arguments, what is written. {0} is the folder of the run, {1} the one of what all runs read. Whatever failed, a run
# with a journal goes on from it to the same result.
RUNS = {
    "mstconv": ("mstconv {1}/m.onnx -o {0}/m.bin --report {0}/report.json --force", ("m.bin", "report.json")),
    "mstrun": ("mstrun {1}/m.bin npy:{1}/x.npy,{1}/y.txt -T 3 --threads 2 --json {0}/out.json --predictions {0}/p.csv --raster all "
               "--raster-to {0}/r.npz --force", ("out.json", "p.csv", "r.npz")),
    "mstrun-resume": ("mstrun {1}/m.bin npy:{1}/x.npy,{1}/y.txt -T 3 --threads 2 --resume {0}/j.json --json {0}/out.json --predictions "
                      "{0}/p.csv --trace {0}/t.csv --raster all --raster-to {0}/r.npz --force", ("out.json", "p.csv", "t.csv", "r.npz")),
    "mstrun-merge": ("mstrun --merge {1}/run2.json {1}/run1.json --json {0}/out.json --predictions {0}/p.csv --force", ("out.json", "p.csv")),
    "mstrun-block": ("mstrun {1}/m.bin npz:{1}/d.npz -T 2 --threads 2 --schedule block --trace {0}/t.csv --force", ("t.csv",)),
    "mstcalib": ("mstcalib {1}/m.onnx {1}/m.bin npy:{1}/x.npy,{1}/y.txt -T 2 --threads 2 --json {0}/c.json --force", ("c.json",)),
    "mstcalib-resume": ("mstcalib {1}/m.onnx {1}/m.bin npy:{1}/x.npy,{1}/y.txt -T 2 --threads 2 --resume {0}/j.json --json {0}/c.json "
                        "--force", ("c.json",)),
    "mstcalib-merge": ("mstcalib --merge {1}/part2.json {1}/part1.json --json {0}/c.json --force", ("c.json",)),
    "mstcalib-page": ("mstcalib {1}/m.onnx {1}/m.bin npy:{1}/x.npy,{1}/y.txt -T 2 --threads 2 --html {0}/c.html --force", ("c.html",)),
}


def npy(shape, values):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<%df" % len(values), *values)


def prepare(build, folder):
    n = SAMPLES * SHAPE[0] * SHAPE[1] * SHAPE[2]
    shutil.copy(MODEL, folder / "m.onnx")
    x = npy((SAMPLES, *SHAPE), [(i * 37 % 101) / 50 - 1 for i in range(n)])
    (folder / "x.npy").write_bytes(x)
    (folder / "y.txt").write_text("0\n1\n" * (SAMPLES // 2))
    with zipfile.ZipFile(folder / "d.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("x.npy", x)
    subprocess.run([build / "mstconv", folder / "m.onnx", "-o", folder / "m.bin", "-q"], check=True, capture_output=True)
    for k in (1, 2):
        subprocess.run([build / "mstrun", folder / "m.bin", "npy:%s,%s" % (folder / "x.npy", folder / "y.txt"), "-T", "2", "--shard", "%d/2" % k,
                        "--json", folder / ("run%d.json" % k), "--predictions", folder / ("run%d.csv" % k), "-q"], check=True, capture_output=True)
        subprocess.run([build / "mstcalib", folder / "m.onnx", folder / "m.bin", "npy:%s,%s" % (folder / "x.npy", folder / "y.txt"), "-T", "2",
                        "--shard", "%d/2" % k, "--json", folder / ("part%d.json" % k), "-q"], check=True, capture_output=True)


class Sweep:
    def __init__(self, build, name, what):
        self.build, self.name, self.what = build, name, what
        self.library = build / "tests" / "faults" / "fail_kth.so"
        self.command, self.outputs = RUNS[name]

    def run(self, shared, k, count=None):
        """Exit status, stderr, outputs: bytes, or None; other files left."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for out in self.outputs:
                (folder / out).write_bytes(OLD)
            words = self.command.format(folder, shared).split()
            env = dict(os.environ, LD_PRELOAD=str(self.library), MST_FAIL_KTH=str(k), MST_FAIL_WHAT=self.what, TMPDIR=name)
            if count is not None:
                env["MST_FAIL_COUNT"] = str(count)
            try:
                done = subprocess.run([self.build / words[0]] + words[1:], env=env, capture_output=True, timeout=60)
                code, err = done.returncode, done.stderr.decode(errors="replace")
            except subprocess.TimeoutExpired:
                code, err = "hangs", ""
            files = {f.name: f.read_bytes() for f in folder.iterdir()}
            outputs, left = {out: files.pop(out, None) for out in self.outputs}, sorted(set(files) - set(BESIDE))
            if JOURNAL in self.command:
                again = subprocess.run([self.build / words[0]] + words[1:], capture_output=True, text=True, timeout=60)
                left += ["a journal: %s" % again.stderr] if again.returncode != 0 else []
                outputs["resumed"] = {out: self.lasting(out, (folder / out).read_bytes()) for out in self.outputs}
            return code, err, outputs, left

    def judge(self, good, k, got):
        """What is wrong with a run; None: nothing."""
        code, err, outputs, left = got
        if code not in (0, 1):
            return "exit status %s: %s" % (code, err[-200:])
        if left:
            return "left %s" % left
        if "resumed" in outputs and outputs["resumed"] != good["resumed"]:
            return "another result once it is resumed"
        for out, data in ((out, outputs[out]) for out in self.outputs):
            whole = data is not None and (data == OLD or self.is_whole(out, data, good[out]))
            if not whole or (code == 0 and (data == OLD or len(data) < len(good[out]) // 2)):
                return "%s is %s, exit status %d: %s" % (out, "old" if data == OLD else "cut or gone", code, err[-200:])
        if code != 0 and not err.strip():
            return "exit status %d without a reason" % code
        return None

    @staticmethod
    def lasting(out, data):
        """Without what differs from run to run."""
        if not out.endswith(".json"):
            return data
        return {key: value for key, value in json.loads(data).items() if key not in ("provenance", "timing")}

    @staticmethod
    def is_whole(out, data, good):
        """The same to the byte; or of the samples before the one that could not be read; JSON and pages hold times."""
        if data == good:
            return True
        if out.endswith(".csv"):
            return good.startswith(data) and data.endswith(b"\n")
        try:
            if out.endswith(".npz"):
                return zipfile.ZipFile(io.BytesIO(data)).testzip() is None
            return data.rstrip().endswith(b"</html>") if out.endswith(".html") else (
                out.endswith(".json") and json.loads(data).keys() == json.loads(good).keys())
        except (ValueError, zipfile.BadZipFile):
            return False

    def sweep(self, shared, most, jobs):
        """How many runs, how many calls there are, and a list of what was wrong with which of them."""
        with tempfile.TemporaryDirectory() as name:
            count = pathlib.Path(name) / "count"
            first = self.run(shared, 0, count)
            calls = int(count.read_text())
        good = first[2]
        if first[0] != 0 or any(data == OLD for data in good.values()):
            return 0, calls, [(0, "fails without a failure: %s" % first[1])]
        every = calls // most + 1 if most else 1
        ks = sorted(set(range(1, calls + 1, every)) | set(range(max(1, calls - 2), calls + 1)))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            said = list(pool.map(lambda k: (k, self.judge(good, k, self.run(shared, k))), ks))
        return len(ks), calls, [(k, why) for k, why in said if why is not None]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=0, help="calls of each run, spread over all; 0: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("run", nargs="*", default=list(RUNS))
    args = parser.parse_intermixed_args()
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        shared = pathlib.Path(name)
        prepare(args.build.resolve(), shared)
        for run in args.run:
            for what in ("memory", "system"):
                n, calls, wrong = Sweep(args.build.resolve(), run, what).sweep(shared, args.most, args.jobs)
                print("%-14s %s: %d of %d calls failed, %d wrong" % (run, what, n, calls, len(wrong)), flush=True)
                for k, why in wrong:
                    print("  %s %s %d: %s" % (run, what, k, why))
                bad += len(wrong)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
