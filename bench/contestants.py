"""Contestants of `make bench`: processes that measure when they are asked to, so that the driver
can take turns between them and a busy machine is equally busy for all. Standard library only."""
import os
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SIM = ("torch", "spikingjelly")  # the step-by-step simulations


class Contestant:
    """label: what the table says; samples: of one measurement; steps: of each sample (1: a single pass)."""

    def __init__(self, label, command, samples=1, steps=1, threads=1, note=""):
        self.label, self.samples, self.steps, self.threads, self.note = label, samples, steps, threads, note
        self.walls, self.cpus, self.facts, self.error = [], [], {}, None
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads),
                   OPENBLAS_NUM_THREADS=str(threads), PYTHONWARNINGS="ignore")
        self.complaints = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, env=env,
                                            stdout=subprocess.PIPE, stderr=self.complaints, text=True)
        except OSError as e:
            self.process, self.error = None, str(e)
            return
        self.read_facts("ready")

    def fail(self):
        code = self.process.wait()
        self.complaints.seek(0)
        tail = self.complaints.read().strip().splitlines()
        self.error = tail[-1] if tail else "ended without a word (exit code %s)" % code

    def read_facts(self, word):
        for line in self.process.stdout:  # libraries may chat before
            fields = line.rstrip("\n").split("\t")
            if fields[0] == word:
                self.facts.update(f.split("=", 1) for f in fields[1:])
                return
        self.fail()

    def measure(self, keep=True):
        """One measurement; not kept for a warm-up."""
        if self.error:
            return
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            wall, cpu = map(float, self.process.stdout.readline().split("\t"))
        except (OSError, ValueError):
            self.fail()
            return
        if keep:
            self.walls.append(wall)
            self.cpus.append(cpu)

    def close(self):
        if self.process is None:
            return
        if not self.error:
            self.process.stdin.close()
            self.read_facts("done")
        self.process.stdout.close()
        self.process.wait()
        self.complaints.close()

    def each(self, values):
        """Milliseconds per sample and step, of a list of seconds."""
        return [1e3 * v / (self.samples * self.steps) for v in values]

    @property
    def wall(self):
        return statistics.median(self.each(self.walls)) if self.walls else None

    @property
    def cpu(self):
        return statistics.median(self.each(self.cpus)) if self.cpus else None

    @property
    def least(self):
        return min(self.each(self.walls)) if self.walls else None


def take_turns(contestants, rounds):
    """One warm-up each, then `rounds` rounds in which each measures once; closed at the end."""
    try:
        for c in contestants:
            c.measure(keep=False)
        for _ in range(rounds):
            for c in contestants:
                c.measure()
    finally:
        for c in contestants:
            c.close()
    return contestants


class Makers:
    """Makes contestants for one build folder, model folder and Python."""

    def __init__(self, build, models, python, missing):
        self.build, self.models, self.python, self.missing = build, models, python, missing

    def ours(self, label, model, weights="", **options):
        """options: schedule, steps, threads, workers, isa, as bench_session takes them"""
        name = model + ("." + weights if weights else "")
        command = [self.build / "bench/bench_session", self.models / (name + ".bin"), self.models / (model + ".f32")]
        command += ["%s=%s" % item for item in options.items()]
        workers = options.get("workers", 1)
        return Contestant(label, command, workers, options.get("steps", 8), workers * options.get("threads", 1))

    def peer(self, label, kind, model, threads=1, batch=1, steps=1):
        if kind.startswith("ort:"):
            kind = "ort:" + str(self.models / kind[4:])
        command = [self.python, HERE / "peers.py", kind, self.models / model, threads, batch, steps]
        peer = Contestant(label, command, batch, steps, threads)
        if peer.error:
            peer.error = self.missing.get(self.package(kind), peer.error)
        return peer

    @staticmethod
    def package(kind):
        return "onnxruntime" if kind.startswith("ort:") else "spikingjelly" if kind == "spikingjelly" else "torch"
