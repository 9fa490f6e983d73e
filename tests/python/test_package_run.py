"""Model.run of the Python package against mstrun and the NumPy simulator: logits, spikes, operations, energy; arrays
as they lie; taps; interrupts."""
import gc
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from built import BUILD, ROOT, tool
from package import BUILT, DIGITS, IMAGES, LABELS, converted, mst

sys.path.insert(0, str(ROOT / "tests"))
from oracle import simulator, snn_reader  # noqa: E402

pytestmark = [pytest.mark.skipif(not BUILT, reason="the libraries are not built"),
              pytest.mark.filterwarnings("error")]
SAME = ("samples", "labelled", "mode", "T", "levels", "latency_steps", "spikes_per_sample", "fired_per_sample",
        "sops_per_sample", "macs_per_sample", "energy_pj", "energy_ratio", "energy_total_ratio")
OF_AT = ("t", "top1_percent", "top5_percent", *SAME[6:])
OF_LAYER = ("name", "site", "spikes_per_sample", "fired_per_sample", "input_ops_per_sample")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def model(path):
    return mst.load(path)


@pytest.fixture(scope="module")
def digits(model):
    """(samples as the model takes them, labels)"""
    return mst.data.arrays(mst.data.open(DIGITS, model))


def rounded(value):
    """As the tools round what they write."""
    return float("%.9g" % value) if isinstance(value, float) else value


def close(mine, theirs):
    return mine == theirs or (mine is not None and theirs is not None and
                              np.isclose(mine, theirs, rtol=2e-9, atol=0))


@pytest.mark.parametrize("kind, options, said", [
    ("step", ["-T", "12"], {"T": 12}),
    ("step, late readout", ["-T", "8", "--readout-from", "auto"], {"T": 8, "readout_from": "auto"}),
    ("count", ["--mode", "count"], {"mode": "count"}),
    ("count, 7 levels", ["--mode", "count", "--levels", "7", "--thinning", "systematic"],
     {"mode": "count", "levels": 7, "thinning": "systematic"}),
    ("radix, 3 bits", ["--mode", "radix", "--bits", "3"], {"mode": "radix", "bits": 3}),
    ("ann", ["--mode", "ann"], {"mode": "ann"}),
    ("int8 energies, seed", ["-T", "4", "--energy-set", "int8", "--seed", "77"],
     {"T": 4, "energy_set": "int8", "seed": 77}),
])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_as_mstrun(model, path, tmp_path, kind, options, said, threads):
    tool("mstrun", path, DIGITS, "--first", "20", *options, "--json", tmp_path / "r.json", "--predictions",
         tmp_path / "p.npz", "-q")
    theirs, predicted = json.loads((tmp_path / "r.json").read_text()), np.load(tmp_path / "p.npz")
    result = model.run(DIGITS, samples=20, threads=threads, **said)
    mine = result.figures()
    for key in SAME:
        assert close(mine[key], theirs[key]), (kind, key, mine[key], theirs[key])
    assert len(mine["at"]) == len(theirs["at"])
    for a, b in zip(mine["at"], theirs["at"]):
        assert all(close(a[key], b[key]) for key in OF_AT), (kind, a, b)
    for a, b in zip(mine["layers"], theirs["layers"]):
        assert all(close(a[key], b[key]) for key in OF_LAYER), (kind, a, b)
    sums = theirs["sums"]
    assert {k: result.total(k) for k in ("spikes", "fired", "sops", "macs")} == {
        k: sums[k] for k in ("spikes", "fired", "sops", "macs")}
    e, cost = result.energy, theirs["energy"]
    for name, mine_, theirs_ in (("run", e.run, cost["run"]), ("ann", e.ann, cost["ann"]),
                                 ("bit_ann", e.bit_ann, cost["bit_ann"])):
        assert (mine_ is None) == (theirs_ is None), name
        assert mine_ is None or all(close(getattr(mine_, k), theirs_[k]) for k in (
            "operations_pj", "memory_pj", "updates_pj", "total_pj")), name
    logits = predicted["logits"].reshape(result.logits.shape)
    assert logits.dtype == np.float32 and (logits == result.logits).all()
    assert (predicted["label"] == result.labels).all()


def test_the_same_as_the_simulator(model, path, digits):
    """Written from docs/EXECUTION.md, in NumPy."""
    x, steps = digits[0][:6], 5
    sim = simulator.Simulator(snn_reader.load(path))
    sim.begin(x)
    result = model.run(x, T=steps, at=range(1, steps + 1))
    spikes = np.zeros((len(x), len(model.layers)), int)
    for t in range(steps):
        sim.step()
        for k, node in enumerate(sim.neurons):
            spikes[:, k] += sim.layer[node][1]
        assert (sim.mean_logits().astype(np.float32) == result.logits[:, t]).all()
        assert (spikes.sum(1) == result.spikes[:, t]).all()
    assert (spikes == result.layer_spikes).all()
    assert (sim.sops == result.sops[:, -1]).all() and (sim.macs == result.macs[:, -1]).all()


def test_masks_go_by_the_number_of_the_sample(model, digits):
    x = digits[0][:4]
    whole = model.run(x, T=6)
    assert (model.run(x[2:], T=6, index=2).logits == whole.logits[2:]).all()
    assert (model.run(x[[3, 1]], T=6, index=[3, 1]).logits == whole.logits[[3, 1]]).all()
    assert (model.run(x, T=6, samples=[3, 1]).logits == whole.logits[[3, 1]]).all()
    assert (model.run(x, T=6, samples=slice(1, 3)).index == [1, 2]).all()
    assert (model.run(x[2:], T=6).logits != whole.logits[2:]).any()
    assert (model.run(x, T=6, seed=9).logits != whole.logits).any()


# ---- inputs ----

def read_idx(path, dims):
    import gzip
    raw = gzip.decompress(path.read_bytes())
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims)


def test_arrays_of_any_kind_are_the_same_samples(model, digits):
    x, labels = digits[0][:3], digits[1][:3]
    images = read_idx(IMAGES, 3).reshape(-1, 1, 28, 28)[:3]
    expected = model.run(x, T=4, labels=labels)
    assert expected.accuracy == model.run(DIGITS, samples=3, T=4).accuracy
    backwards = np.ascontiguousarray(x[:, :, :, ::-1])[:, :, :, ::-1]
    for same in (x.astype(np.float64), x.tolist(), x[:, :, ::1], np.moveaxis(x, 1, -1), x[:, 0], images,
                 images[:, 0], np.moveaxis(images, 1, -1), x.astype(">f4"), np.asfortranarray(x), backwards):
        assert (model.run(same, T=4).logits == expected.logits).all()
    assert (model.run(x[1], T=4, index=1).logits == expected.logits[1:2]).all()
    opened = mst.data.open(DIGITS, model)
    assert (model.run(opened, T=4, samples=3).logits == expected.logits).all()
    assert len(model.run(x[:0], T=4)) == 0


def test_float32_is_lent_and_not_copied(model):
    x = np.full((20000, 1, 28, 28), -.4242, np.float32)
    x[:, 0, 5:9, 5:9] = 1
    source = mst.inputs.ArraySource(model, x[::2], None)
    buffer = np.empty(784, np.float32)
    assert source.get(7, buffer)[0] == x[14].ctypes.data
    model.run(x[:1], T=1)
    gc.collect()
    tracemalloc.start()
    result = model.run(x, samples=slice(0, None, 2000), T=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result) == 10 and peak < x.nbytes / 50, (peak, x.nbytes)


@pytest.mark.parametrize("said, text", [
    ({"T": 0}, "T: expected a whole number 1..65536, found 0"),
    ({"T": 2.5}, "T: expected a whole number 1..65536, found 2.5"),
    ({"mode": "float"}, "mode: expected one of step, count, radix, ann, found 'float'"),
    ({"mode": "radix", "T": 5}, "T: radix mode has no time steps to choose"),
    ({"levels": 4}, "levels: expected mode=\"count\" or \"radix\" with it"),
    ({"mode": "radix", "bits": 9}, "bits: expected a whole number 1..8, found 9"),
    ({"T": 8, "at": [9]}, "at: expected a whole number 1..8, found 9"),
    ({"seed": -1}, "seed: expected a whole number"),
    ({"threads": 0}, "threads: expected a whole number 1..1024, found 0"),
    ({"isa": "mmx"}, "instruction set 'mmx': unknown"),
    ({"isa": "scalar seed=3"}, "isa: expected the name of an instruction set"),
    ({"thinning": "odd"}, "thinning: expected one of binomial, systematic, found 'odd'"),
    ({"energy_set": "fp8"}, "energy_set: expected one of fp32, fp16, int8, found 'fp8'"),
    ({"taps": ["nowhere"]}, "layer 'nowhere': expected a layer's name"),
    ({"mode": "count", "potentials": "all"}, "potentials: expected mode=\"step\""),
    ({"labels": [1]}, "labels: expected 2 whole numbers"),
    ({"samples": 3}, "samples: expected a whole number 0..2, found 3"),
    ({"samples": [2]}, "samples: expected numbers below 2, found 2"),
    ({"index": [1, -1]}, "index: expected 2 whole numbers below 2^32"),
    ({"index": 2 ** 32}, "index: expected a whole number"),
])
def test_arguments_that_make_no_sense(model, digits, said, text):
    with pytest.raises(mst.Error) as why:
        model.run(digits[0][:2], **{"T": 2, **said} if "mode" not in said and "levels" not in said else said)
    assert text in str(why.value) and why.value.code == "EINVAL"


def test_inputs_that_make_no_sense(model, digits):
    x = digits[0][:3].copy()
    with pytest.raises(ValueError, match=r"x: expected an array \[n, 1, 28, 28\].*found one of shape \[3, 3, 28, 28\]"):
        model.run(np.repeat(x, 3, axis=1))
    with pytest.raises(mst.Error, match="x: expected numbers, found <U3"):
        model.run(np.full((1, 1, 28, 28), "abc"))
    x[1, 0, 3, 4] = np.nan
    with pytest.raises(mst.Error, match=r"^sample 1: x\[0, 3, 4\] is nan$"):
        model.run(x, T=2, threads=2)
    with pytest.raises(mst.Error, match="no such file or folder") as why:
        model.run("nowhere.npy")
    assert why.value.code == "EIO"
    with pytest.raises(mst.Error, match="for another model, or for none"):
        model.run(mst.data.open(DIGITS))


def test_pixels_as_floats_are_warned_of(model):
    pixels = np.random.default_rng(1).integers(0, 256, (9, 1, 28, 28))
    pixels[:, 0, 0, :2] = 0, 255
    for values, span in ((pixels * 1.0, "0 to 255"), (pixels / 255, "0 to 1"), (pixels / 127.5 - 1, "-1 to 1")):
        with pytest.warns(mst.Warning, match="^x: values from %s: floats .* pixels are to be of type uint8" % span):
            model.run(values, T=1)
    model.run((pixels / 255 - .1307) / .3081, T=1)
    model.run(pixels.astype(np.uint8), T=1)


def test_an_ann_has_no_spikes(model, digits):
    """As in mstrun's JSON: activations are counted, and none of them is a spike."""
    result = model.run(digits[0][:3], mode="ann")
    assert np.isnan(result.mean("spikes")) and np.isnan(result.mean("fired")) and np.isnan(result.energy.ratio)
    assert result.mean("macs") > 0 and result.energy.run.operations_pj == result.energy.ann.operations_pj


# ---- taps ----

def test_taps_are_what_is_counted(model, digits):
    x, steps = digits[0][:3], 7
    result = model.run(x, T=steps, taps="all", counts="all", potentials="all", over_time=True, threads=2)
    plain = model.run(x, T=steps)
    assert (plain.logits == result.logits).all() and (plain.sops == result.sops).all()
    for k, layer in enumerate(model.layers):
        values, counts = result.taps[layer.name], result.counts[layer.name]
        assert values.shape == (3, steps, *layer.shape) and counts.shape == (3, *layer.shape)
        assert ((values != 0).sum(1) == counts).all()
        assert (counts.reshape(3, -1).sum(1) == result.layer_spikes[:, k]).all()
        assert set(np.unique(values)) <= {np.float32(0), *layer.theta}
        assert result.potentials[layer.name].shape == (3, *layer.shape)
    for place, t in enumerate(result.at):
        assert (result.over_time[:, t - 1] == result.logits[:, place]).all()


def test_potentials_close_the_balance(model, digits):
    """v(T) = v(0) + the current - theta * spikes; in the first layer the current is the same at each step."""
    x, layer = digits[0][:2], model.layers[0].name
    one, two = (model.run(x, T=t, potentials=[0], taps=[0]) for t in (1, 2))
    theta = model.layers[0].theta[0]
    first = one.potentials[layer] + one.taps[layer][:, 0] - theta / 2
    assert np.allclose(two.potentials[layer], one.potentials[layer] + first - two.taps[layer][:, 1], atol=1e-4)


@pytest.mark.parametrize("mode", ["count", "radix", "ann"])
def test_taps_of_one_pass(model, digits, mode):
    result = model.run(digits[0][:2], mode=mode, taps=["q", 0])
    assert list(result.taps) == [layer.name for layer in model.layers if layer.site == "q"] + [model.layers[0].name]
    first = result.taps[model.layers[0].name]
    assert first.shape == (2, *model.layers[0].shape)
    on_levels = first * 16 / model.layers[0].theta[0]
    assert np.allclose(on_levels, np.round(on_levels), atol=1e-4) and on_levels.max() > 1


def test_what_a_tap_raises_is_raised(model, digits, monkeypatch):
    monkeypatch.setattr(mst.taps.Watch, "keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.run(digits[0][:1], T=2, taps=[0])


# ---- threads and interrupts ----

def test_other_threads_go_on(model, digits):
    """The GIL is not held while the library runs."""
    done, turns = threading.Event(), 0

    def run():
        model.run(digits[0][:1], T=3000, at=[3000], threads=1)
        done.set()
    runner, start = threading.Thread(target=run), time.perf_counter()
    runner.start()
    while not done.is_set():
        turns += 1
        time.sleep(0.001)
    runner.join()
    seconds = time.perf_counter() - start
    assert turns > 50 * seconds, (turns, seconds)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals")
def test_an_interrupt_ends_a_run_promptly(path, threads):
    code = """
import sys, time
import numpy as np
import mst
model = mst.load(%r)
x = np.random.default_rng(1).normal(size=(50, 1, 28, 28)).astype(np.float32)
model.run(x[:1], T=2)
print("running", flush=True)
try:
    model.run(x, T=60000, at=[60000], threads=%d)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(len(model.run(x[:2], T=2)), flush=True)
""" % (str(path), threads)
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(BUILD))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as child:
        assert child.stdout.readline() == "running\n"
        time.sleep(0.5)
        start = time.perf_counter()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert time.perf_counter() - start < 3
        assert child.stdout.readline() == "2\n"
        assert child.wait(20) == 0


@pytest.mark.parametrize("cycle", [False, True])
def test_objects_of_the_library_are_released_in_order(path, monkeypatch, cycle):
    """Sessions before programs before graphs, however Python lets go: garbage with cycles comes in any order."""
    lib, released = mst._lib.mst(), []
    for kind in ("session", "program", "graph"):
        destroy = getattr(lib, kind + "_destroy")
        monkeypatch.setattr(lib, kind + "_destroy", lambda handle, kind=kind, destroy=destroy: (
            released.append(kind), destroy(handle)))
    for order in itertools.permutations(range(3)):
        graph = mst.handles.Graph(path, False)
        program = mst.handles.Program(graph, "mode=count schedule=block")
        session = mst.handles.Session(program)
        owners = [[[graph, program, session][k]] for k in order]
        for k, owner in enumerate(owners):
            owner.append(owners[k - 1] if cycle else None)
        del graph, program, session
        owners = owner = None
        gc.collect()
        assert released == ["session", "program", "graph"]
        released.clear()


def test_what_a_result_says(model):
    """In a line, of every mode; nothing where there is nothing to say."""
    run = {mode: model.run(DIGITS, mode=mode, samples=20, **({"T": 8} if mode == "step" else {})) for mode in model.modes}
    for mode in ("step", "count", "radix"):
        r = run[mode]
        assert repr(r) == "<mst.Result %s: 20 samples, top-1 %.2f %%, %.4g spikes and %.4g SOPs each, %.3g times the ANN's energy>" % (
            mode + (" T = 8" if mode == "step" else ""), 100 * r.accuracy, r.mean("spikes"), r.mean("sops"), r.energy.ratio)
    assert repr(run["ann"]) == "<mst.Result ann: 20 samples, top-1 %.2f %%, no spikes, %.4g MACs each>" % (
        100 * run["ann"].accuracy, run["ann"].mean("macs"))


@pytest.mark.parametrize("page", ["README.md", "docs/PYTHON.md"])
def test_examples_print_no_nan(page, tmp_path, monkeypatch, capsys):
    os.symlink(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    codes = [code for code in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.S | re.M) if "import mst\n" in code]
    for code in codes:
        exec(compile(code, page, "exec"), {})  # pylint: disable=exec-used
    said = capsys.readouterr().out
    assert codes and len(said.splitlines()) >= 3 and "nan" not in said
