"""The tools that come with the package, run as programs of their own: their texts become exceptions and warnings."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _native
from .errors import ArgumentError, Error, Warning

PATIENCE = 10.0  # seconds that a tool has to end when it is interrupted


def option(name: str, value: Any) -> list[str]:
    """A keyword argument as an option: timesteps=64 is --timesteps 64, force=True is --force; None and False: none."""
    flag = "--" + name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, (str, os.PathLike)):
        return [flag, os.fspath(value)]
    if isinstance(value, Iterable):
        return [flag, ",".join(number(v) for v in value)]
    return [flag, number(value)]


def number(value: Any) -> str:
    """As the tools read it: 17 digits are enough for any float."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (int, float)) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentError("expected a number, found %r" % (value,))
    return repr(value)


def options(given: Mapping[str, Any]) -> list[str]:
    return [word for name, value in given.items() for word in option(name, value)]


def messages(tool: str, stderr: str) -> tuple[str, list[str]]:
    """What a tool wrote to stderr: its error ("" without one), its warnings and notes."""
    error, notes = "", []
    for line in stderr.splitlines():
        kind, _, said = line.removeprefix(tool + ": ").partition(": ")
        if line.startswith(tool + ": ") and kind == "error":
            error = said
        elif line.startswith(tool + ": "):
            notes.append(said if kind in ("warning", "note") else line.removeprefix(tool + ": "))
    return error, notes


def run(tool: str, arguments: Sequence[Any], *, stacklevel: int = 3) -> tuple[str, list[str]]:
    """Run a tool: its stdout, its warnings (each given as mst.Warning, too). Error with its text where it fails.

    KeyboardInterrupt asks it to end, which it does without leaving files, and is then raised.
    """
    words = [os.fspath(_native.find(tool)), *(os.fspath(a) for a in arguments)]
    if any("\0" in word for word in words):
        raise ArgumentError("%s: a zero byte in an argument" % tool)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace") as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            end(process)
            raise
    error, notes = messages(tool, stderr)
    if process.returncode == 127 and "shared libraries" in stderr:
        raise Error("%s cannot be loaded: %s (%s)" % (words[0], stderr.strip(), _native.REMEDY), "EIO")
    if process.returncode != 0:
        raise Error(error or "%s ended with status %d: %s" % (tool, process.returncode, stderr[-500:].strip()))
    for note in notes:
        warnings.warn(note, Warning, stacklevel=stacklevel)
    return stdout, notes


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def report(path: pathlib.Path) -> dict[str, Any]:
    """What a tool wrote as JSON."""
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def main(tool: str) -> int:
    """Become a tool that comes with the package: the commands that the wheel installs."""
    try:
        path = os.fspath(_native.find(tool))
    except Error as why:
        print("%s: error: %s" % (tool, why), file=sys.stderr)
        return 1
    os.execv(path, [path, *sys.argv[1:]])


def mstconv() -> int:
    return main("mstconv")


def mstrun() -> int:
    return main("mstrun")


def mstcalib() -> int:
    return main("mstcalib")
