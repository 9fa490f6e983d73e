"""The driver of `make bench` runs to its end, on the bundled model and without peers. Times are not judged."""
import csv
import subprocess
import sys

import pytest

from built import BUILD, ROOT, tool

sys.path.insert(0, str(ROOT / "bench"))
import readers  # noqa: E402


def test_every_reader_has_a_row():
    """And each packing, layout and kind of picture."""
    formats = [line.split()[0] for line in tool("mstrun", "--list", "formats").stdout.splitlines()[1:]]
    assert len(formats) > 20 and set(formats) == {kind for _, kind, *_ in readers.CASES}
    files = {path for _, _, path, *_ in readers.CASES}
    assert {"i.gz", "c10.bin", "c10.pickle", "png", "jpeg", "webp", "tiff", "bmp", "ppm", "plain.aedat4", "LZ4.aedat4", "zstd.aedat4"} <= files


def test_bench_runs(tmp_path):
    if not (BUILD / "bench" / "bench_session").exists():
        pytest.skip("make bench-build has not been run")
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "bench.py"), "--build", str(BUILD), "--mode", "smoke",
                           "--out", str(tmp_path), "--python", str(tmp_path / "none"), "--models", "digits"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with open(tmp_path / "results.tsv") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {"machine", "networks", "peak RSS of a run", "every kernel", "layers on counts", "readers",
            "targets", "end"} <= {r["section"] for r in rows}
    ours = [r for r in rows if r["section"] == "networks" and r["what"].startswith("ours")]
    assert {r["threads"] for r in ours} == {"1", "2"} and any("SA 75 %" in r["what"] for r in ours)
    assert not [r for r in ours if not r["value"] or "NOT THE SAME" in r["note"]]
