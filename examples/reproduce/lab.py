"""Measurements that are kept: each result is a JSON file named by a hash of all that it depends on
(network, data, program, options), and is measured again only where one of these has changed."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import libmst
import make_test_sets
import numpy as np


KEPT = 2  # of what is kept; another number where that changes


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def fail(text):
    sys.exit("error: " + text)


def text_of(classes):
    """One character a sample, of at most ten classes."""
    return "".join("%d" % c for c in classes)


def timed(measure):
    """Its result, with the seconds that it took: by the clock, and of all processors together."""
    begin = os.times()
    result = measure()
    end = os.times()
    spent = (getattr(end, name) - getattr(begin, name) for name in ("user", "system", "children_user", "children_system"))
    return dict(result, took={"seconds": end.elapsed - begin.elapsed, "processor_seconds": sum(spent)})


class Job:
    """One result to be had: label, what it depends on, a function that measures it, its cost (image-steps)."""

    def __init__(self, label, depends, measure, cost):
        self.label, self.measure, self.cost = label, measure, cost
        text = json.dumps(depends, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()[:16]


class Lab:
    def __init__(self, args):
        self.args = args
        self.kept = args.out / "json"
        try:
            self.kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("%s: %s" % (self.kept, error.strerror))
        self.scratch = tempfile.TemporaryDirectory()
        self.data = args.data / "test_batch.bin"
        self.hashes = {}
        self.lib = libmst.load((args.build / "libmst.so").resolve())
        self.threads = args.threads
        here = pathlib.Path(__file__).parent  # what a kept result of a probe depends on
        self.code = "".join(sha256(here / name) for name in ("libmst.py", "probes.py", "../../python/mst/data/files.py"))

    def hash(self, path):
        if path not in self.hashes:
            self.hashes[path] = sha256(path)
        return self.hashes[path]

    def hash_of_data(self, source):
        """Of what FORMAT:PATH names: a file, or all files of a folder with their paths."""
        path = pathlib.Path(source.split(":", 1)[1])
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            return [[str(p.relative_to(path)), self.hash(p)] for p in files]
        return self.hash(path)

    def call(self, tool, *arguments):
        result = subprocess.run([str(self.args.build / tool)] + [str(a) for a in arguments], capture_output=True,
                                text=True, check=False)
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["exit status %d" % result.returncode]
            fail(lines[-1].replace(": error: ", ": ", 1))  # it begins with the tool's name

    def network(self, name, model, policy=None, *options, normalize=True):
        """Convert; the path of the network. policy: a path, or the text of one; normalize: CIFAR-10's mean and deviation."""
        path = pathlib.Path(self.scratch.name) / (name + ".bin")
        if policy is not None:
            if not isinstance(policy, pathlib.Path):
                text, policy = policy, path.with_suffix(".yaml")
                policy.write_text(text)
            options += ("--policy", policy)
        if normalize:
            options += ("--mean", ".4914,.4822,.4465", "--std", ".2470,.2435,.2616")
        self.call("mstconv", model, "-o", path, "--quiet", *options)
        return path

    def moving(self, count):
        """Folder of what a simulated camera sees of the first `count` test pictures, made when it is not there yet."""
        folder = self.args.out / ("moving-%d" % count)
        if not folder.exists():
            print("a simulated camera looks at %d pictures that move" % count, flush=True)
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            make_test_sets.make_moving(part, self.args.data, ("Test",), count)
            part.rename(folder)
        return folder

    def info(self, network):
        """What mstrun --info says of a network."""
        path = network.with_suffix(".info.json")
        self.call("mstrun", "--info", network, "--json", path)
        return json.loads(path.read_text())

    def run(self, network, images, *options, data=None, cost):
        """A Job of mstrun; its result is the tool's own JSON, and of each sample the label and the class said at each t
        asked for, one character a sample. images: so many of the first, 0: all; data: CIFAR-10's test images, or FORMAT:PATH."""
        source = data or "cifar10:%s" % self.data
        options = [str(o) for o in (("--first", images) if images else ()) + options]

        def measure():
            path, classes = (pathlib.Path(self.scratch.name) / name for name in ("run.json", "run.npz"))
            self.call("mstrun", network, source, "--quiet", "--json", path, "--predictions", classes, "--threads",
                      self.threads, *options)
            result = json.loads(path.read_text())
            with np.load(classes) as said:
                result["labels"] = text_of(said["label"])
                result["predicted"] = {str(at["t"]): text_of(column)
                                       for at, column in zip(result["at"], said["class"].T, strict=True)}
            return result
        label = "%s, %s" % (network.stem, " ".join(options))
        return Job(label, ["mstrun", KEPT, self.hash(self.args.build / "mstrun"), self.hash(network),
                           self.hash_of_data(source), options], measure, cost)

    def probe(self, label, function, networks, images, *options, cost):
        """A Job of a function of probes.py, function(lib, networks, data, images, threads, *options)."""
        def measure():
            return function(self.lib, networks, self.data, images, self.threads, *options)
        return Job(label, [function.__name__, KEPT, self.code, self.hash(self.args.build / "libmst.so"),
                           [self.hash(n) for n in networks], self.hash(self.data), images, list(options)], measure,
                   cost)

    def results(self, jobs):
        """{name: result} of {name: Job}; what is kept is not measured again."""
        wanted, found = {}, {}
        for name, job in jobs.items():
            path = self.kept / (job.key + ".json")
            if path.exists():
                found[job.key] = json.loads(path.read_text())
            else:
                wanted[job.key] = job
        print("%d measurements, %d of them kept from before" % (len({j.key for j in jobs.values()}),
                                                                len(found)), flush=True)
        begin, done, total = time.time(), 0.0, sum(job.cost for job in wanted.values())
        for i, (key, job) in enumerate(wanted.items()):
            left = "" if done == 0 else ", about %.0f min left" % ((total - done) * (time.time() - begin) / done / 60)
            print("[%3d/%d, %4.1f min%s] %s" % (i + 1, len(wanted), (time.time() - begin) / 60, left, job.label),
                  flush=True)
            found[key] = timed(job.measure)
            done += job.cost
            part = self.kept / (key + ".part")
            part.write_text(json.dumps(found[key]))
            part.replace(self.kept / (key + ".json"))
        if wanted:
            print("measured in %.1f min" % ((time.time() - begin) / 60), flush=True)
        return {name: found[job.key] for name, job in jobs.items()}
