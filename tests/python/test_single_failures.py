"""Some of the calls of small runs fail, one a run; `make fault-sweep` takes them all (tests/faults/sweep.py)."""
import sys

import pytest

from built import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import sweep  # noqa: E402


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory):
    if not (BUILD / "tests/faults/fail_kth.so").exists():
        pytest.skip("tests/faults/fail_kth.so is not built")
    folder = tmp_path_factory.mktemp("faults")
    sweep.prepare(BUILD, folder)
    return folder


@pytest.mark.parametrize("what, most", [("memory", 14), ("system", 14)])
@pytest.mark.parametrize("run", sweep.RUNS)
def test_a_call_fails(shared, run, what, most):
    """No crash, a reason, outputs whole."""
    n, calls, wrong = sweep.Sweep(BUILD, run, what).sweep(shared, most, 1)
    assert n >= 10 and calls > 30 and not wrong, wrong


def test_the_judge():
    """It sees what it is there for."""
    s = sweep.Sweep(BUILD, "mstconv", "memory")
    good = {"m.bin": b"new", "report.json": b"{\"a\": 1}"}
    old = {name: sweep.OLD for name in good}
    assert s.judge(good, 1, (1, "mstconv: error: no memory", old, [])) is None and s.judge(good, 1, (0, "", good, [])) is None
    for got in ((-11, "", old, []), (1, "", old, []), ("hangs", "", old, []), (0, "", old, []), (1, "why", dict(old, **{"m.bin": b"ne"}), []),
                (1, "why", dict(old, **{"m.bin": None}), []), (1, "why", dict(old, **{"report.json": b"{"}), []), (1, "why", old, ["m.bin.mst-tmp0"])):
        assert s.judge(good, 1, got) is not None, got
