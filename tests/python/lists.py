"""What the tools list (--list), as rows."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("MST_BUILD", "build/release")).resolve()


def listed(tool, what):
    """Rows of a list without its heads; none where the tool is not built."""
    if not (BUILD / tool).exists():
        return []
    done = subprocess.run([str(BUILD / tool), "--list", what], capture_output=True, text=True, check=True)
    assert not done.stderr
    return [tuple(re.split(" {2,}", line)) for line in done.stdout.splitlines()[1:]]
