"""What is built, for tests that run it: MST_BUILD names the folder, build/release without it."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Who starts the tests in the background, or by nohup, has them ignore signals; what they start must not.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
BUILD = (ROOT / os.environ.get("MST_BUILD", "build/release")).resolve()


def tool(name, *args, code=0, text=True):
    """Run BUILD/name; code: the exit status that it must have, None: any but a crash."""
    if not (BUILD / name).exists():
        pytest.skip("%s is not built" % (BUILD / name))
    done = subprocess.run([str(BUILD / name)] + [str(a) for a in args], capture_output=True, text=text, timeout=600,
                          check=False)
    assert done.returncode in ((0, 1, 2) if code is None else (code,)), "exit status %d: %s\n%s" % (
        done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    if code:
        lines = done.stderr.splitlines()
        assert lines and lines[-1].startswith(name + ": error: "), done.stderr
    return done


def lasting(report):
    """A tool's JSON without what differs from run to run of the same."""
    if isinstance(report, dict):
        return {k: lasting(v) for k, v in report.items() if k not in ("provenance", "timing")}
    return [lasting(v) for v in report] if isinstance(report, list) else report


def listed(name, what):
    """Rows of a list of a tool without its heads; none where the tool is not built."""
    if not (BUILD / name).exists():
        return []
    done = tool(name, "--list", what)
    assert not done.stderr
    return [tuple(re.split(" {2,}", line)) for line in done.stdout.splitlines()[1:]]
