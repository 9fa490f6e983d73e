"""How a network is run by default: mode, thinning and levels, from mstconv's options and the policy to snn.bin,
the report, --info and what runs."""
import json

import numpy as np
import pytest

from built import tool
from snnkit import snnkit  # noqa: F401
from support import FIXTURES
from oracle import counts, snn_reader
from test_count_oracle import assert_values, kit_values

POLICY = """version: 1
run:
  mode: radix
  bits: 4
  thinning: systematic
  overrides:
    - {stage: 1, levels: 7}
    - {site: v, bits: 3}
    - {blocks: 0-1, sites: {q: 31, k: 63}}
    - {node: "*/q_if/*", levels: 200}
    - {node: "/norm_if*", bits: 8}
"""


def convert(folder, *args, model="swin-ts", code=0):
    return tool("mstconv", FIXTURES / (model + ".onnx"), "-o", folder / "m.bin", *args, code=code)


def neurons(graph):
    return [n for n in graph.nodes if n.op == "neuron"]


@pytest.fixture(scope="module")
def by_policy(tmp_path_factory):
    """A folder with m.bin, r.json and what mstconv printed, converted with POLICY."""
    folder = tmp_path_factory.mktemp("levels")
    (folder / "p.yaml").write_text(POLICY)
    (folder / "out.txt").write_text(convert(folder, "--policy", folder / "p.yaml", "--report", folder / "r.json").stdout)
    return folder


def expected(node):
    site, stage, block = snn_reader.SITES[node.ip["SITE"]], node.ip["STAGE"], node.ip["BLOCK"]
    if "/q_if/" in node.name:
        return 200
    if node.name.startswith("/norm_if"):
        return 255
    if site in ("q", "k") and 0 <= block <= 1:
        return 31 if site == "q" else 63
    return 7 if stage == 1 or site == "v" else 15


def test_policy_sets_levels(by_policy):
    graph = snn_reader.load(by_policy / "m.bin")
    assert (graph.mode, graph.thinning) == ("radix", "systematic")
    assert [n.ip["TOP"] for n in neurons(graph)] == [expected(n) for n in neurons(graph)]
    assert {n.ip["TOP"] for n in neurons(graph)} == {7, 15, 63, 200, 255}


def test_reports_tell_levels(by_policy):
    graph, text = snn_reader.load(by_policy / "m.bin"), (by_policy / "out.txt").read_text()
    report = json.loads((by_policy / "r.json").read_text())
    info = json.loads(tool("mstrun", "--info", by_policy / "m.bin", "--json").stdout)
    shown = tool("mstrun", "--info", by_policy / "m.bin").stdout
    for found in (report, info):
        assert (found["mode"], found["thinning"]) == ("radix", "systematic")
        assert [(l["L"], l["levels"]) for l in found["layers"]] == [(16, n.ip["TOP"]) for n in neurons(graph)]
    assert "; mode: radix; thinning: systematic\n" in text and "mode          radix, systematic thinning\n" in shown
    for table in (text, shown):
        lines = [line.split() for line in table.splitlines()]
        head = next(cells for cells in lines if cells[:1] == ["layer"])
        at = {cells[0]: cells for cells in lines if cells}
        for n in neurons(graph):
            assert at[n.name][head.index("levels")] == str(n.ip["TOP"]) and at[n.name][head.index("L")] == "16"


def test_without_levels_nothing_is_shown_or_stored(tmp_path):
    text = convert(tmp_path, "--report", tmp_path / "r.json").stdout
    plain, report = (tmp_path / "m.bin").read_bytes(), json.loads((tmp_path / "r.json").read_text())
    assert plain[16:20] == b"\0" * 4 and "levels" not in text.splitlines()[0] and "mode: " not in text
    assert report["mode"] == "step" and all(l["levels"] == l["L"] for l in report["layers"])
    info = tool("mstrun", "--info", tmp_path / "m.bin").stdout
    assert not any(line.startswith("layer ") and "levels" in line for line in info.splitlines())
    assert "mode          step, binomial thinning\n" in info
    (tmp_path / "p.yaml").write_text("version: 1\nrun: {mode: step, thinning: binomial}\n")
    for args in (("--mode", "step"), ("--thinning", "binomial"), ("--policy", tmp_path / "p.yaml")):
        convert(tmp_path, "--quiet", *args)
        assert (tmp_path / "m.bin").read_bytes() == plain, args


@pytest.mark.parametrize("args, mode, thinning, top", [
    (("--mode", "count"), "count", "binomial", {0}), (("--mode", "radix", "--bits", 4), "radix", "binomial", {15}),
    (("--mode", "count", "--levels", 255), "count", "binomial", {255}), (("--levels", 8), "step", "binomial", {8}),
    (("--thinning", "systematic"), "step", "systematic", {0}), (("--bits", 1), "step", "binomial", {1})])
def test_options(args, mode, thinning, top, tmp_path):
    convert(tmp_path, *args)
    graph = snn_reader.load(tmp_path / "m.bin")
    assert (graph.mode, graph.thinning, {n.ip["TOP"] for n in neurons(graph)}) == (mode, thinning, top)
    assert (tmp_path / "m.bin").read_bytes()[16:20] == b"\2\0\0\0"


def test_options_go_before_the_policy(by_policy, tmp_path):
    for args, mode, thinning, top in (
            (("--mode", "step"), "step", "systematic", None), (("--thinning", "binomial"), "radix", "binomial", None),
            (("--levels", 9), "radix", "systematic", {9}), (("--bits", 2, "--mode", "count"), "count", "systematic", {3})):
        convert(tmp_path, "--policy", by_policy / "p.yaml", *args)
        graph = snn_reader.load(tmp_path / "m.bin")
        assert (graph.mode, graph.thinning) == (mode, thinning)
        assert {n.ip["TOP"] for n in neurons(graph)} == (top or {7, 15, 63, 200, 255})


@pytest.mark.parametrize("text, says", [
    ("run:\n  overrides:\n    - {site: conv, levels: 3}\n",
     "p.yaml:4: this rule matches no neuron of the model; it has sites: other q k v attn av proj mlp_fc1 mlp_fc2"),
    ("run:\n  overrides:\n    - {blocks: 90-99, levels: 3}\n", "p.yaml:4: this rule"),
    ("run: {mode: fast}\n", "p.yaml:2: policy.run.mode: expected one of step, count, radix, found 'fast'")])
def test_mistakes_name_file_and_line(text, says, tmp_path):
    (tmp_path / "p.yaml").write_text("version: 1\n" + text)
    assert says in convert(tmp_path, "--policy", tmp_path / "p.yaml", code=1).stderr
    assert not (tmp_path / "m.bin").exists()


@pytest.mark.parametrize("args, says", [
    (("--mode", "fast"), "--mode: expected one of step, count, radix, found 'fast'"),
    (("--thinning", "count"), "--thinning: expected one of binomial, systematic, found 'count'"),
    (("--levels", "0"), "--levels: expected"), (("--levels", "256"), "--levels: expected"),
    (("--bits", "9"), "--bits: expected"), (("--bits", "4", "--levels", "15"), "--levels and --bits: expected one")])
def test_wrong_options(args, says, tmp_path):
    assert says in convert(tmp_path, *args, code=2).stderr


def test_radix_of_frames_is_refused(tmp_path):
    """Written or not."""
    frames = ("--frames", 4, "--present", "steps")
    for args in ((), ("--dry-run",)):
        done = convert(tmp_path, "--mode", "radix", *frames, *args, code=1)
        assert "radix mode has no form for frames that are shown one after another" in done.stderr
    assert not list(tmp_path.iterdir())
    convert(tmp_path, "--mode", "count", *frames)


@pytest.mark.parametrize("weights", ["f32", "int8"])
@pytest.mark.parametrize("mode", ["count", "radix"])
def test_stored_levels_run(mode, weights, by_policy, snnkit, tmp_path):
    """Every node of the C run, with levels from the file, against the simulator's."""
    convert(tmp_path, "--policy", by_policy / "p.yaml", "--mode", mode, "--weights", weights, "--quiet")
    graph = snn_reader.load(tmp_path / "m.bin")
    x = np.load(FIXTURES / "swin.npz")["x"][:1].astype(np.float32)
    x.tofile(tmp_path / "x.f32")
    snnkit("run", tmp_path / "m.bin", tmp_path / "x.f32", 0, 1, tmp_path / "out.bin", mode)
    found = kit_values((tmp_path / "out.bin").read_bytes())
    sim = counts.CountSimulator(graph, mode)
    sim.begin(x)
    sim.step()
    assert set(sim.levels.values()) == {7, 15, 63, 200, 255}
    assert_values(sim, found)
    other = counts.CountSimulator(graph, mode, 16)
    other.begin(x)
    other.step()
    with pytest.raises(AssertionError):
        assert_values(other, found)


def test_the_stored_mode_is_what_runs(by_policy, tmp_path):
    """mstrun without --mode: mode and thinning of the file, which options override."""
    convert(tmp_path, "--policy", by_policy / "p.yaml", "--quiet", model="swin-masked-ts")
    np.save(tmp_path / "x.npy", np.load(FIXTURES / "swin.npz")["x"][:2].astype(np.float32))

    def trace(*args):
        tool("mstrun", tmp_path / "m.bin", tmp_path / "x.npy", "--quiet", "--trace", tmp_path / "t.csv", *args)
        return (tmp_path / "t.csv").read_text()

    stored = trace()
    assert stored == trace("--mode", "radix", "--thinning", "systematic")
    others = [trace("--mode", "count"), trace("--thinning", "binomial"), trace("--levels", 3),
              trace("--mode", "step", "-T", 1)]
    assert len({stored, *others}) == 5
    for args, says in ((("-T", 4), "-T: radix has no time steps"), (("--mode", "fast"), "--mode: expected one of step,"),
                       (("--thinning", "none"), "--thinning: expected one of binomial,"),
                       (("--mode", "step", "--levels", 4), "--levels: expected --mode count or radix")):
        assert says in tool("mstrun", tmp_path / "m.bin", tmp_path / "x.npy", *args, code=2).stderr
