"""docs/METRICS.md: each formula, computed from the keys of real results, gives the number that stands there."""
import json
import math
import re
import types

import pytest

from built import ROOT, tool

DATA = ROOT / "examples" / "data"
DIGITS = "idx:%s,%s" % (DATA / "digits-test-images.idx3-ubyte.gz", DATA / "digits-test-labels.idx1-ubyte.gz")
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| [^|]+ \| ([^|]*) ?\|$", re.M)
ROWS = ROW.findall((ROOT / "docs" / "METRICS.md").read_text())
CALIB = [r for r in ROWS if "parts_bias" in r[1]]
STEP = [r for r in ROWS if r[2].startswith("step mode")]
RUN = [r for r in ROWS if r not in CALIB and r not in STEP]


def spaces(x):
    """JSON whose keys are attributes"""
    if isinstance(x, dict):
        return types.SimpleNamespace(**{k: spaces(v) for k, v in x.items()})
    return [spaces(v) for v in x] if isinstance(x, list) else x


def hold(result, rows):
    names = vars(spaces(result))
    for key, formula, _ in rows:
        said = eval(key, {"__builtins__": {}}, dict(names))  # pylint: disable=eval-used
        ours = eval(formula, {"sum": sum, "vars": vars}, dict(names))  # pylint: disable=eval-used
        assert said is not None and math.isclose(said, ours, rel_tol=1e-6, abs_tol=1e-9), (key, said, ours)


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    tool("mstconv", ROOT / "examples" / "models" / "digits-swin-sa50.onnx", "-o", folder / "m.bin", "-q")
    return folder


@pytest.mark.parametrize("mode,more", (("step", ("-T", "6", "--at", "3,6")), ("count", ()), ("radix", ("--energy-set", "int8"))))
def test_formulas_of_runs(made, mode, more):
    result = json.loads(tool("mstrun", made / "m.bin", DIGITS, "-n", "12", "--mode", mode, *more, "--json", "-").stdout)
    assert len(RUN) == 24 and len(STEP) == 2
    hold(result, RUN + (STEP if mode == "step" else []))
    if mode == "step":
        assert result["layers"][1]["spikes_per_sample"] > 0 and result["sums"]["fired"] > result["sums"]["spikes"]


def test_formulas_of_calibration(made):
    result = json.loads(tool("mstcalib", ROOT / "examples" / "models" / "digits-swin-sa50.onnx", made / "m.bin", DIGITS,
                             "-n", "4", "-T", "6", "--json", "-").stdout)
    assert len(CALIB) == 1
    hold(result, CALIB)
