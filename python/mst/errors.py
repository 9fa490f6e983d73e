"""What goes wrong, in the words of the library."""
from __future__ import annotations

import importlib
from typing import Any


class Error(Exception):
    """A failure. Its text is the library's own line: what was wrong, where, and what would help.

    code: the library's name of the kind of failure ("EINVAL", "EFORMAT", "EUNSUPPORTED", ..), None where a tool
    reported it and did not say.
    """

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


class ArgumentError(Error, ValueError):
    """An argument that makes no sense: its name, what was expected, what was found."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "EINVAL")


class Warning(UserWarning):  # noqa: A001 - mst.Warning, beside mst.Error
    """Something runs that is probably not meant, such as masks other than those of the training."""


def needs(module: str, package: str, what: str) -> Any:
    """Import a package of PyPI that only some functions need; Error says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as why:
        raise Error("%s needs the package %s (%s): pip install %s" % (what, package, why, package), "EUNSUPPORTED") from why
