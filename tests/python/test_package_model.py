"""The Python package: what a model says of itself, conversion, errors in the library's words, data sets, policies."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from built import BUILD, ROOT, tool
from package import BUILT, DATA, DIGITS, MODELS, converted, mst

pytestmark = [pytest.mark.skipif(not BUILT, reason="the libraries are not built"),
              pytest.mark.filterwarnings("error")]
SWIN = MODELS / "digits-swin-sa50.onnx"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("package"))


def test_a_model_is_what_info_says(path, tmp_path):
    info = json.loads(tool("mstrun", "--info", path, "--json").stdout)
    model = mst.load(path)
    assert "x".join(map(str, model.input_shape)) == info["input"] or list(model.input_shape) == info["input"]
    assert (model.classes, model.T, model.mode, model.seed) == tuple(info[k] for k in ("classes", "T", "mode", "seed"))
    assert model.class_names == info["class_names"]
    assert np.allclose(model.mean, info["mean"]) and np.allclose(model.std, info["std"]) and model.normalized
    assert model.modes == ["step", "count", "radix", "ann"] and model.tuned is None and model.frames == 1
    for layer, said in zip(model.layers, info["layers"]):
        assert [getattr(layer, k) for k in ("name", "site", "stage", "block", "neurons", "L")] == [
            said[k] for k in ("name", "site", "stage", "block", "neurons", "L")]
        assert np.isclose(layer.theta.mean(), said["theta"]) and (len(layer.theta) > 1) == said["theta_per_channel"]
        assert (layer.ratio or 0) == said["ratio"] and layer.trained == said["trained"]
        assert np.prod(layer.shape) == layer.neurons and (layer.axis is None) == (len(layer.theta) == 1)
    assert len(model.layers) == len(info["layers"])
    model.save(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()
    assert repr(mst.load(path, mapped=True)) == repr(model)


def test_modes_that_there_are_not(tmp_path):
    """The paper's code has softmax and LayerNorm: no count mode; the library says why."""
    model = mst.load(converted(tmp_path, "nmnist-swin.onnx"))
    assert "step" in model.modes and model.input_shape[0] % 2 == 0
    for mode in {"step", "count", "radix", "ann"} - set(model.modes):
        with pytest.raises(mst.Error) as why:
            model.run(np.zeros((1, model.frames * model.input_shape[0], *model.input_shape[1:]), np.float32), mode=mode)
        assert str(why.value) == model.why_not(mode) and why.value.code


def test_convert_is_what_mstconv_writes(path, tmp_path):
    model = mst.convert(SWIN, tmp_path / "m.bin")
    assert (tmp_path / "m.bin").read_bytes() == path.read_bytes()
    assert model.report["spiking_layers"] == len(model.layers) and model.notes == []
    assert model.path == str(tmp_path / "m.bin") and sorted(os.listdir(tmp_path)) == ["m.bin"]
    kept = mst.convert(SWIN)
    assert kept.path is None and repr(kept).startswith("<mst.Model in memory:")
    x = np.zeros((1, 1, 28, 28), np.float32)
    assert (kept.run(x, T=3).logits == model.run(x, T=3).logits).all()


def test_options_of_a_conversion(tmp_path):
    with pytest.warns(mst.Warning, match="its metadata says mean 0.1307 and std 0.3081, and the network has others"):
        model = mst.convert(SWIN, masks={"q": .25}, mode="radix", bits=3, weights="int8", timesteps=9, seed=5,
                            classes=["c%d" % k for k in range(10)], mean=[.5], std=[np.float32(.25)])
    assert (model.mode, model.T, model.seed, model.class_names[3]) == ("radix", 9, 5, "c3")
    assert (model.mean, model.std) == (.5, .25) and model.report["weights"]["type"] == "int8"
    assert {layer.ratio for layer in model.layers if layer.site == "q"} == {.25}
    with pytest.warns(mst.Warning, match="masks differ from those the weights were trained with"):
        result = model.run(np.zeros((1, 1, 28, 28), np.uint8))
    assert result.energy.bits == 3 and result.mode == "radix"
    tool("mstconv", SWIN, "-o", tmp_path / "f16.bin", "--weights", "f16", "-q")
    mst.convert(SWIN, tmp_path / "m.bin", weights="f16")
    assert (tmp_path / "m.bin").read_bytes() == (tmp_path / "f16.bin").read_bytes()
    assert {layer.ratio for layer in mst.convert(SWIN, masks=0.5).layers} == {.5, None}


@pytest.mark.parametrize("said, text", [
    (dict(weights="f8"), "--weights: expected one of f32, f16, int8, found 'f8'"),
    (dict(mode="ann"), "--mode: expected one of step, count, radix, found 'ann'"),
    (dict(require_spikes=True), "require-spikes"),
    (dict(policy="nowhere.yaml"), "nowhere.yaml: No such file or directory"),
    (dict(masks={"w": .5}), "policy.yaml:3: policy.masks.sites: "),
    (dict(masks={"q": 1.5}), "policy.yaml:3: policy.masks.sites.q: "),
    (dict(masks=.5, policy="x"), "policy and masks: expected one of them"),
    (dict(mean=["a"], std=[1]), "--mean"),
    (dict(timesteps=object()), "expected a number, found <object"),
    (dict(samples=4), "samples: expected calibrate= with it"),
    (dict(theta="layer\0"), "theta: expected calibrate= with it"),
])
def test_a_conversion_that_makes_no_sense(tmp_path, said, text):
    with pytest.raises(mst.Error) as why:
        mst.convert(SWIN, tmp_path / "m.bin", **said)
    assert text in str(why.value), why.value
    assert os.listdir(tmp_path) == []


def test_files_that_are_not_what_they_should_be(path, tmp_path):
    (tmp_path / "cut.bin").write_bytes(path.read_bytes()[:5000])
    for name, code, text in ((ROOT / "README.md", "EFORMAT", "not a snn.bin file"), (tmp_path / "cut.bin", "ECORRUPT", ""),
                             (tmp_path / "nowhere.bin", "EIO", "No such file")):
        with pytest.raises(mst.Error) as why:
            mst.load(name)
        assert why.value.code == code and str(name) in str(why.value) and text in str(why.value)
    with pytest.raises(mst.Error, match="not an ONNX model"):
        mst.convert(ROOT / "README.md")
    with pytest.raises(mst.Error, match="model: expected the path of an ONNX file"):
        mst.convert(17)
    with pytest.raises(mst.Error, match="zero byte"):
        mst.load("a\0b")
    (tmp_path / "mine.bin").write_bytes(b"mine")
    with pytest.raises(mst.Error, match="--force"):
        mst.convert(SWIN, tmp_path / "mine.bin")
    assert (tmp_path / "mine.bin").read_bytes() == b"mine"
    mst.convert(SWIN, tmp_path / "mine.bin", force=True)


def test_a_model_in_memory_as_onnx():
    onnx = pytest.importorskip("onnx")
    assert len(mst.convert(onnx.load(str(SWIN))).layers) == len(mst.convert(SWIN).layers)


def test_relus_are_calibrated_on_arrays(tmp_path):
    """The same thresholds as from the file that mstconv reads."""
    pytest.importorskip("onnx")
    from support import Net
    rng = np.random.default_rng(3)
    net = Net([1, 1, 28, 28])
    y = net.op("Relu", net.op("Conv", net.x, net.const(rng.normal(size=(4, 1, 5, 5)) / 5), strides=[4, 4]))
    y = net.op("Relu", net.op("Gemm", net.op("Flatten", y), net.const(rng.normal(size=(144, 16)) / 8)))
    y = net.op("Gemm", y, net.const(rng.normal(size=(16, 10))))
    (tmp_path / "relu.onnx").write_bytes(net.model(y).SerializeToString())
    tool("mstconv", tmp_path / "relu.onnx", "-o", tmp_path / "a.bin", "--mean", ".1307", "--std", ".3081", "--calibrate",
         DIGITS, "-n", "40", "-q")
    ours = dict(mean=[.1307], std=[.3081], samples=40)
    mst.convert(tmp_path / "relu.onnx", tmp_path / "b.bin", calibrate=DIGITS, **ours)
    x, labels = mst.data.arrays(mst.data.open(DIGITS, mst.load(tmp_path / "a.bin")))
    model = mst.convert(tmp_path / "relu.onnx", tmp_path / "c.bin", calibrate=(x, labels), **ours)
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.bin", "b.bin", "c.bin"))
    assert a == b == c and model.report["thresholds"]["samples"] == 40


# ---- data ----

def test_data_sets_are_sequences(tmp_path):
    digits = mst.data.open(DIGITS)
    assert (digits.format, digits.shape(0)) == ("idx", (1, 28, 28)) and len(digits) > 1000
    image, label = digits[-1]
    assert image.dtype == np.float32 and image.shape == (1, 28, 28) and 0 < image.max() <= 1
    assert label == digits.label(len(digits) - 1) == digits.labels[-1] and digits.name(0) == "sample 0"
    first = next(iter(digits))
    assert (first[0] == digits[0][0]).all() and first[1] == digits[0][1]
    assert sum(1 for _ in digits) == len(digits)
    with pytest.raises(IndexError):
        digits[len(digits)]
    with pytest.raises(mst.Error, match="out: expected contiguous float32"):
        digits.read(0, np.empty(10, np.float32))
    np.save(tmp_path / "x.npy", np.arange(24, dtype=np.float32).reshape(2, 1, 3, 4))
    x, labels = mst.data.arrays(mst.data.open("npy:%s" % (tmp_path / "x.npy")))
    assert (x.ravel() == np.arange(24)).all() and (labels == -1).all()
    for spec, code in (("nosuch:x", "EINVAL"), (str(tmp_path / "none"), "EIO"), (str(ROOT / "README.md"), "EINVAL")):
        with pytest.raises(mst.Error) as why:
            mst.data.open(spec)
        assert why.value.code == code


def test_recordings_without_a_model():
    folder = DATA / "event-digits"
    events = mst.data.open("nmnist:%s" % folder)
    frames, label = events[0]
    assert frames.ndim == 3 and frames.shape == events.shape(0) and 0 <= label < 10 and frames.sum() > 100


# ---- the package itself ----

def test_importing_takes_little():
    """NumPy alone: no PyTorch, no ONNX, no library of the system before a data set is opened."""
    code = ("import sys, mst; mst.load; print(sorted({m.split('.')[0] for m in sys.modules} & "
            "{'torch', 'onnx', 'yaml', 'scipy', 'PIL'}))")
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(BUILD))
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True,
                          check=True).stdout == "[]\n"


def test_without_the_libraries_it_says_what_to_do(tmp_path):
    env = dict(os.environ, PYTHONPATH=str(ROOT / "python"), MST_NATIVE=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import mst; mst.load('x')"], env=env, capture_output=True, text=True,
                          check=False)
    assert "mst.errors.Error: libmst.so is not in %s: run 'make'" % tmp_path in done.stderr


# ---- policies ----

@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples" / "policies").glob("*.yaml")))
def test_policies_are_read_and_written_back(tmp_path, name):
    policy = mst.Policy.load(ROOT / "examples" / "policies" / name)
    policy.save(tmp_path / name)
    assert mst.Policy.load(tmp_path / name) == policy and (policy.masks or policy.trained)


def test_everything_that_a_policy_can_say(tmp_path):
    """Fields of every kind, against the same converted from the file as it was written by hand."""
    (tmp_path / "hand.yaml").write_text("""version: 1
seed: 7
timesteps: 12
neuron: {shift: 0.25}
masks:
  default: 0.125
  sites: {q: 0.5, k: 0.25}
  overrides:
    - {stage: 1, ratio: 0.75}
    - {block: 0, sites: [q, attn], ratio: 0.1}
    - {node: "/blocks/*/attn/k*", ratio: 0.0625}
trained: {sites: {q: 0.5}}
run:
  mode: count
  levels: 9
  thinning: systematic
  overrides:
    - {site: v, levels: 3}
    - {blocks: 0-1, bits: 2}
""")
    policy = mst.Policy.load(tmp_path / "hand.yaml")
    assert policy.masks[0] == mst.Rule(.125) and policy.masks[1] == mst.Rule(.5, site="q")
    assert policy.masks[3] == mst.Rule(.75, stage=1) and mst.Rule(.1, site="attn", blocks=(0, 0)) in policy.masks
    assert policy.masks[-1].node == "/blocks/*/attn/k*" and policy.trained == [mst.Rule(.5, site="q")]
    assert (policy.seed, policy.timesteps, policy.shift) == (7, 12, .25)
    assert (policy.mode, policy.levels, policy.thinning) == ("count", 9, "systematic")
    assert policy.level_rules == [mst.Rule(3, site="v"), mst.Rule(3, blocks=(0, 1))]
    mst.convert(MODELS / "digits-swin.onnx", tmp_path / "a.bin", policy=tmp_path / "hand.yaml")
    mst.convert(MODELS / "digits-swin.onnx", tmp_path / "b.bin", policy=policy)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_policies_that_make_no_sense(tmp_path):
    (tmp_path / "p.yaml").write_text("version: 1\nmasks: {sites: {q: 2}}\n")
    with pytest.raises(mst.Error, match=r"p.yaml:2: policy.masks.sites.q: expected a number in \[0,1\), found '2'"):
        mst.Policy.load(tmp_path / "p.yaml")
    with pytest.raises(mst.Error, match="masks: two rules for the same neurons"):
        mst.Policy(masks=[mst.Rule(.5), mst.Rule(.25)]).text()
