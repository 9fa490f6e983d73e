"""Every name that the project's Python files read is defined in them: what an interpreter tells only of lines that run."""
import builtins
import subprocess
import symtable

import pytest

from built import ROOT

KNOWN = set(dir(builtins)) | {"__file__", "__name__", "__doc__", "__path__"}


def files():
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.py"], capture_output=True, text=True, check=False)
    return done.stdout.split() or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*.py") if "build" not in p.parts]


def undefined(source, name):
    """Names that are looked for in the module, and that it never binds."""
    top = symtable.symtable(source, name, "exec")
    bound, read = set(KNOWN), set()

    def walk(table):
        for s in table.get_symbols():
            # symtable takes a function called "top" for a module, whose locals are global
            outside = table is top or s.is_global() and not s.is_local()
            if outside and (s.is_assigned() or s.is_imported() or s.is_namespace()):
                bound.add(s.get_name())
            if outside and s.is_referenced():
                read.add(s.get_name())
        for child in table.get_children():
            walk(child)

    walk(top)
    return sorted(read - bound)


def test_what_is_undefined_is_found():
    source = "A = 1\ndef f(x):\n    y = x + A + LOST\n    return [z + y for z in range(3)]\n"
    assert undefined(source, "f.py") == ["LOST"]


@pytest.mark.parametrize("name", files())
def test_names_are_defined(name):
    source = (ROOT / name).read_text()
    if "import *" in source:
        pytest.skip("imports what it does not name")
    assert not undefined(source, name)
