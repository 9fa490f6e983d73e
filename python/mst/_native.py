"""Where the shared libraries and the tools are: in the installed package, or in the tree that it stands in."""
from __future__ import annotations

import os
import pathlib

from .errors import Error

PACKAGE = pathlib.Path(__file__).resolve().parent
# of what cannot be loaded: a wheel is of the system that it was made on
REMEDY = ("packages that it needs: 'make deps' in the source tree, and there 'pip install ./python' where they have "
          "other versions")


def folders() -> list[pathlib.Path]:
    """Where to look, in this order: MST_NATIVE where it is set, what the wheel carries, what `make` built."""
    said = os.environ.get("MST_NATIVE")
    if said:
        return [pathlib.Path(said)]
    tree = PACKAGE.parents[1]
    built = [tree / "build" / "release"] if (tree / "runtime" / "include" / "mst").is_dir() else []
    return [PACKAGE / "native", *built]


def find(name: str) -> pathlib.Path:
    """The path of a library or tool ("libmst.so", "mstconv"); Error where there is none."""
    for folder in folders():
        if (folder / name).exists():
            return folder / name
    raise Error("%s is not in %s: run 'make' in the source tree, or install the wheel of 'make wheel'" % (
        name, " or ".join(str(folder) for folder in folders())), "EIO")
