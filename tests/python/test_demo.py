"""make demo: what its tables say, against the tools asked once more."""
import json
import os
import statistics
import subprocess
import sys

import pytest

from built import BUILD, ROOT, tool

EXAMPLES = ROOT / "examples"
DIGITS = "idx:%s,%s" % tuple(EXAMPLES / "data" / ("digits-test-%s.gz" % part)
                             for part in ("images.idx3-ubyte", "labels.idx1-ubyte"))
SAMPLES = 16
WIDTH = 46

pytestmark = pytest.mark.skipif(not (BUILD / "mstrun").exists() or not (EXAMPLES / "models" / "digits-swin.onnx").exists(),
                                reason="the tools are not built, or the models are not here")


@pytest.fixture(scope="module")
def demo():
    """Three tables as {row: [ANN, step, count, radix]}."""
    done = subprocess.run(["sh", str(EXAMPLES / "demo.sh"), str(BUILD), str(SAMPLES)], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    tables = []
    for line in done.stdout.splitlines():
        if line.startswith("%d samples" % SAMPLES):
            tables.append({})
        cells = [line[WIDTH + 14 * i:WIDTH + 14 * (i + 1)].strip() for i in range(4)]
        if tables and len(line) == WIDTH + 4 * 14:
            tables[-1][line[:WIDTH].strip()] = cells
    assert len(tables) == 3
    return tables


def test_every_column_is_what_the_tools_say(demo, tmp_path):
    table = demo[2]  # 75 % masked
    tool("mstconv", EXAMPLES / "models" / "digits-swin-sa75.onnx", "-o", tmp_path / "m.bin", "--mean", ".1307", "--std", ".3081",
         "--policy", EXAMPLES / "policies" / "sa75.yaml", "--quiet")
    for column, args in enumerate((("ann",), ("step", "-T", 64), ("count", "--levels", 16), ("radix", "--levels", 16))):
        runs = [json.loads(tool("mstrun", tmp_path / "m.bin", DIGITS, "-n", SAMPLES, "--seed", seed, "--quiet", "--json", "-",
                                "--mode", *args).stdout) for seed in (1, 2, 3)]
        top1 = [r["at"][-1]["top1_percent"] for r in runs]
        assert table["accuracy %"][column] == "%.1f +-%.1f" % (statistics.mean(top1), statistics.stdev(top1))
        assert statistics.mean(top1) > 80  # the ANN as well: its masks are those of its training
        energy = statistics.mean(r["energy_pj"] for r in runs) / 1e6
        assert table["energy, microjoules"][column] == "%.1f" % energy
        assert table["times the ANN's"][column] == "%.2f" % (energy / (runs[0]["ann_energy_pj"] / 1e6))
        latency = runs[0]["latency_steps"]
        assert table["latency of a sample, steps"][column] == ("-" if latency is None else "%d" % latency)
        if column:
            assert table["spikes, thousands"][column] == "%.0f" % (statistics.mean(r["spikes_per_sample"] for r in runs) / 1e3)
    assert {float(c) > 0 for c in table["samples a second on this machine"]} == {True}


def test_at_the_anns_levels_the_class_is_the_anns(demo):
    assert demo[0]["class of the ANN on the same samples %"][0] == "-"
    assert demo[0]["class of the ANN on the same samples %"][2:] == ["100.0", "100.0"]
    ann, _, count, radix = demo[0]["accuracy %"]
    assert ann == count == radix
    assert all("class of the ANN on the same samples %" not in table for table in demo[1:])


@pytest.mark.parametrize("args", [(), ("/nonexistent", "t", "a=b"), (".", "t", "a")])
def test_wrong_arguments_are_one_line(args):
    done = subprocess.run([sys.executable, str(EXAMPLES / "demo_table.py"), *args], capture_output=True, text=True,
                          env=dict(os.environ))
    assert done.returncode == 1 and not done.stdout and done.stderr.startswith("usage: ") and done.stderr.count("\n") == 1


def test_missing_runs_are_one_line(tmp_path):
    done = subprocess.run([sys.executable, str(EXAMPLES / "demo_table.py"), str(tmp_path), "t", "a=b"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        "demo_table.py: %s: expected a.ann.SEED.json, found nothing" % tmp_path]
