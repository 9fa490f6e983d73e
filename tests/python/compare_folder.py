"""A folder of ONNX files against ONNX Runtime: what becomes of each, a row a file.

    python tests/python/compare_folder.py FOLDER [SAMPLES]

Each file is converted with the options of mstconv that it takes as it is (then with --allow-analog), and run on random
inputs in float mode and in count mode. `error` is the largest difference, relative to the largest value; where the end of the
model was cut, and outputs are classes or scores of another kind, `classes` says how many largest ones agree."""
import json
import pathlib
import sys
import tempfile

import numpy as np

from built import tool
from support import ort

COLUMNS = ["file", "outcome", "spiking", "analog", "error, float", "error, count", "classes, float", "classes, count"]


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def expected(path, samples, seed=5):
    """Inputs, one a row without the batch; ONNX Runtime's first output of each, flat; does it differ from run to run?"""
    run = session(path)
    wanted = run.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in wanted.shape]
    x = np.random.default_rng(seed).normal(size=[samples] + shape[1:]).astype("f4")

    def all_rows():
        for sample in x:
            y = run.run(None, {wanted.name: np.repeat(sample[None], shape[0], 0)})[0]
            yield np.ravel(y[:1] if np.ndim(y) and shape[0] > 1 else y)
    first = np.stack(list(all_rows()))
    return x, first, not np.array_equal(first, np.stack(list(all_rows())))


def outputs(model, x, mode, folder):
    """The logits of mstrun for all samples; a line where it fails."""
    np.save(folder / "x.npy", x)
    done = tool("mstrun", model, "npy:%s" % (folder / "x.npy"), "--mode", mode, "-q", "--force", "--predictions",
                folder / "y.npz", code=None)
    if done.returncode != 0:
        return done.stderr.strip().split("error: ")[-1]
    return np.load(folder / "y.npz")["logits"].reshape(len(x), -1)


def compared(got, want):
    """error, classes"""
    if isinstance(got, str):
        return got, "-"
    if want.shape[1] == 1 and got.shape[1] > 1:  # ArgMax
        largest = want[:, 0]
    else:
        largest = want[:, :got.shape[1]].argmax(1)
    error = "-"
    if got.shape == want.shape:
        error = "%.1e" % (np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))
    return error, "%d of %d" % (np.sum(got.argmax(1) == largest), len(got))


def row(path, folder, samples=8):
    out, report = folder / "m.bin", folder / "r.json"
    for options in ([], ["--allow-analog"]):
        done = tool("mstconv", path, "-o", out, "--force", "-q", "--report", report, *options, code=None)
        if done.returncode == 0:
            break
        first = done.stderr.strip().split("error: ")[-1].replace(str(path) + ": ", "") if not options else first
    if done.returncode != 0:
        return [path.name, "refused: " + first] + ["-"] * 6
    said = done.stderr.strip().split("warning: ")[-1].replace("\n", " ")
    outcome = "converted" if not options else "refused without --allow-analog: " + first
    outcome += " (%s)" % said if said else ""
    told = json.loads(report.read_text())
    cells = [path.name, outcome, str(told["spiking_layers"]), str(told["non_spiking_nodes"])]
    try:
        x, want, random = expected(path, samples)
    except Exception as error:  # of ONNX Runtime, of whatever kind
        return cells + ["ONNX Runtime refuses it: " + str(error).splitlines()[0][:80]] + ["-"] * 3
    cells[1] += " (random in ONNX Runtime)" if random else ""
    inexact = compared(outputs(out, x, "ann", folder), want)
    count = compared(outputs(out, x, "count", folder), want)
    return cells + [inexact[0], count[0], inexact[1], count[1]]


def rows(folder, samples=8):
    with tempfile.TemporaryDirectory() as work:
        for path in sorted(pathlib.Path(folder).glob("*.onnx")):
            yield row(path, pathlib.Path(work), samples)


if __name__ == "__main__":
    print("| %s |\n|%s" % (" | ".join(COLUMNS), " --- |" * len(COLUMNS)))
    for cells in rows(sys.argv[1], *map(int, sys.argv[2:])):
        print("| %s |" % " | ".join(cells), flush=True)
