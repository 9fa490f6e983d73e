"""Help texts as a page of man and as completion for shells: all options, the right values, nothing that breaks."""
import re
import shutil
import subprocess

import pytest

from built import BUILD, tool

TOOLS = ("mstconv", "mstrun", "mstcalib")


def options(name):
    """--long and -x alone, as --help has them"""
    text = tool(name, "--help").stdout.split("\noptions:\n")[1]
    rows = re.findall(r"^  (-\w)?(?:, )?(--[\w-]+)?", text, re.M)
    return [long or letter for letter, long in rows if long or letter]


@pytest.mark.parametrize("name", TOOLS)
def test_help_fits_80_columns(name):
    text = tool(name, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"\{[a-z-]+\}", text) and "  \n" not in text and len(options(name)) > 20


@pytest.mark.parametrize("name", TOOLS)
def test_man_page(name):
    page = tool(name, "--help=man").stdout
    shown = page.replace("\\-", "-").replace("\\e", "\\")
    for option in options(name):
        assert re.search(r"^\.B (-\w, )?%s( |\[|$)" % re.escape(option), shown, re.M), option
    others = [other for other in TOOLS if other != name]
    assert re.findall(r"^\.BR (\w+) \(1\)", page, re.M) == others
    assert name != "mstcalib" or "--exit-budget P" in shown[:shown.index(".SH DESCRIPTION")]
    assert ".SH EXIT STATUS" in page and not re.search(r"\{[a-z-]+\}", page)
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-man", "-ww", "-Tascii"], input=page, capture_output=True, text=True, check=True)
    assert done.stderr == "" and "EXIT STATUS" in re.sub(".\b", "", done.stdout)


@pytest.mark.parametrize("option, values", [
    ("--metric", ["spikes", "energy"]), ("--search-sites", ["all", "paper"]), ("--ann-masks", ["trained", "mean", "none"]),
    ("--readout-from", ["auto"]), ("--color", ["auto", "always", "never"])])
def test_options_that_name_their_values(option, values):
    assert complete("mstcalib", option, "") == values
    assert ":(%s)'" % " ".join(values) in next(line for line in tool("mstcalib", "--help=zsh").stdout.splitlines() if option + "=" in line)


def complete(name, *words):
    """What bash offers for the last word."""
    script = tool(name, "--help=bash").stdout + """
COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _%s; printf '%%s\\n' "${COMPREPLY[@]}"
""" % (" ".join("'%s'" % w for w in (name, *words)), name)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("name", TOOLS)
def test_bash_completes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.bin").touch()
    assert set(options(name)) <= set(complete(name, "-")) | {"-h"}
    assert "m.bin" in complete(name, "") and complete(name, "m") == ["m.bin"]
    assert complete(name, "--mode", "")[:3] == ["step", "count", "radix"]
    assert complete(name, "--mode", "=", "c") == ["count"] and complete(name, "--mode", "=") == complete(name, "--mode", "")
    lists = complete(name, "--list", "")
    for one in lists:
        tool(name, "--list", one)
    assert "modes" in lists and complete(name, "--interpolation", "bil") == ["bilinear"]
    assert complete(name, "--mean", "") == []   # numbers: nothing to offer, files least of all


@pytest.mark.parametrize("name", TOOLS)
def test_zsh_completion(name):
    script = tool(name, "--help=zsh").stdout
    assert script.startswith("#compdef %s\n" % name)
    for option in options(name):
        assert re.search(r"(^|[ ,{'*])%s[+=,}\[]" % re.escape(option), script), option
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    # as zsh itself takes the quotes and braces apart
    check = script.replace("_arguments -s -S", "print -rl --")
    done = subprocess.run(["zsh", "-f", "-c", check], capture_output=True, text=True, check=True)
    specs = done.stdout.splitlines()
    assert done.stderr == "" and all(re.match(r"(\([^)]*\))?\*?(-\w\+?|--[\w-]+=?)(\[.*\](:.*)?)$|\*:", s) for s in specs), specs


def test_unknown_form():
    assert "--help: expected one of man, bash, zsh behind =, found 'html'" in tool("mstrun", "--help=html", code=2).stderr
