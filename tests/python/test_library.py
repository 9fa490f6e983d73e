"""The libraries as others get them: what they export, what is installed and removed again, and the examples in C
built against the installed tree, shared and static, against what the tools say."""
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from built import BUILD, ROOT

onnx = pytest.importorskip("onnx")
HEADERS = {"mst": "runtime", "mstdata": "runtime/data", "mstconv": "converter", "mstcalib": "calibrate"}
EXAMPLES = {"run_model": "mst", "convert_model": "mstconv", "early_stop": "mstdata"}
MODELS, DATA = ROOT / "examples" / "models", ROOT / "examples" / "data"
DIGITS = "idx:%s,%s" % (DATA / "digits-test-images.idx3-ubyte.gz", DATA / "digits-test-labels.idx1-ubyte.gz")
NORM = [".1307", ".3081"]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion",
          "-Werror"]

pytestmark = pytest.mark.skipif(BUILD != ROOT / "build" / "release", reason="installs what MODE=release built")


def run(*args, cwd=ROOT, env=None, ok=True):
    env = dict(os.environ, **(env or {}))
    env.pop("MAKEFLAGS", None)
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, cwd=cwd, env=env, timeout=300,
                          check=False)
    assert not ok or done.returncode == 0, "%s\n%s%s" % (args, done.stdout, done.stderr)
    return done


def make(target, **variables):
    return run("make", "-s", target, *("%s=%s" % v for v in variables.items()))


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """An installed tree."""
    prefix = tmp_path_factory.mktemp("library") / "prefix"
    make("install", PREFIX=prefix)
    return prefix


# ---- exports ----

def uncommented(header):
    return re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)


def declared(library):
    """Names that stand behind MST_API in the library's headers."""
    names = set()
    for header in sorted((ROOT / HEADERS[library] / "include" / "mst").glob("*.h")):
        for text in re.findall(r"^MST_API ([^;]*);", uncommented(header), re.M):
            names.add(re.search(r"\b(mst_\w+)\s*(\(|$)", text).group(1))
    return names


@pytest.mark.parametrize("library", HEADERS)
def test_exports_are_what_headers_declare(tree, library):
    """Both ways; and a static library has no other symbol that could clash with the caller's."""
    for flags, name in (("-D", "lib%s.so" % library), ("-g", "lib%s.a" % library)):
        lines = run("nm", flags, "--defined-only", tree / "lib" / name).stdout.splitlines()
        exported = {line.split()[2] for line in lines if len(line.split()) == 3}
        assert exported == declared(library), name


@pytest.mark.parametrize("library", HEADERS)
def test_every_function_of_a_public_header_is_marked(library):
    for header in sorted((ROOT / HEADERS[library] / "include" / "mst").glob("*.h")):
        text = re.sub(r"^#.*?[^\\]$", "", uncommented(header), flags=re.M | re.S)
        for line in text.splitlines():
            bare = re.match(r"(?!MST_API|typedef)[a-z][\w ]*[ *]+mst_\w+ *[(\[;=]", line)
            assert not bare, "%s: no MST_API: %s" % (header.name, line)


@pytest.mark.parametrize("library", HEADERS)
def test_sonames_and_what_is_needed(tree, library):
    text = run("readelf", "-d", tree / "lib" / ("lib%s.so" % library)).stdout
    assert re.findall(r"SONAME.*\[(.*)\]", text) == ["lib%s.so.0" % library]
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", text))
    if library == "mst":
        assert needed <= {"libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0"}
    else:
        assert "libmst.so.0" in needed and not any(re.match("libmst(data|conv|calib)", n) for n in needed)


# ---- install and uninstall ----

def test_what_is_installed(tree):
    version = (tree / "lib" / "libmst.so").resolve().name[len("libmst.so."):]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    expected = {"bin/" + tool for tool in ("mstconv", "mstrun", "mstcalib")}
    for library, folder in HEADERS.items():
        expected |= {"lib/lib%s.%s" % (library, end) for end in ("a", "so", "so.0", "so." + version)}
        expected.add("lib/pkgconfig/%s.pc" % library)
        expected |= {"include/mst/" + header.name for header in (ROOT / folder / "include" / "mst").iterdir()}
    expected |= {"share/mst/examples/%s.c" % name for name in EXAMPLES}
    expected |= {"share/doc/mst/" + name for name in ("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff")}
    expected |= {"share/doc/mst/" + page.name for page in (ROOT / "docs").glob("*.md")}
    for name, form in (("share/man/man1/%s.1", "man"), ("share/bash-completion/completions/%s", "bash"),
                       ("share/zsh/site-functions/_%s", "zsh")):
        for tool in ("mstconv", "mstrun", "mstcalib"):
            expected.add(name % tool)
            assert (tree / (name % tool)).read_text() == run(tree / "bin" / tool, "--help=" + form).stdout != ""
    assert files(tree) == expected
    said = run(tree / "bin" / "mstrun", "--version").stdout
    assert version in said
    for library in HEADERS:
        assert run("pkg-config", "--modversion", library, env=pkg_config(tree)).stdout.strip() == version


def test_uninstall_removes_what_was_installed_and_nothing_else(tree, tmp_path):
    stage = tmp_path / "stage"
    make("install", PREFIX="/opt/mst", DESTDIR=stage)
    prefix = stage / "opt" / "mst"
    assert files(prefix) == files(tree)
    assert "prefix=/opt/mst\n" in (prefix / "lib" / "pkgconfig" / "mst.pc").read_text()
    others = ["include/mst/own.h", "include/other.h", "lib/libmst.so.9", "bin/own", "share/mst/own.txt"]
    for name in others:
        (prefix / name).write_text("")
    make("uninstall", PREFIX="/opt/mst", DESTDIR=stage)
    assert files(prefix) == set(others)
    make("uninstall", PREFIX="/opt/mst", DESTDIR=stage)  # again: nothing to do


def test_relative_prefix(tree):
    relative = os.path.relpath(tree.parent / "relative", ROOT)
    make("install", PREFIX=relative)
    there = tree.parent / "relative"
    assert files(there) == files(tree)
    assert ("prefix=%s\n" % there) in (there / "lib" / "pkgconfig" / "mstdata.pc").read_text()
    make("uninstall", PREFIX=relative)
    assert not files(there) and not (there / "include" / "mst").exists()


# ---- callers ----

def pkg_config(tree):
    return {"PKG_CONFIG_PATH": str(tree / "lib" / "pkgconfig")}


def flags(tree, library, static):
    """What the compiler is given to build against the installed tree, sources before libraries."""
    cflags = run("pkg-config", "--cflags", library, env=pkg_config(tree)).stdout.split()
    libs = run("pkg-config", *["--static"] * static, "--libs", library, env=pkg_config(tree)).stdout.split()
    if static:
        libs = [re.sub(r"^-l(mst\w*)$", r"-l:lib\1.a", lib) for lib in libs]
    else:
        libs.append("-Wl,-rpath,%s" % (tree / "lib"))
    return cflags, libs


def build(tree, library, source, out, static, *extra):
    cflags, libs = flags(tree, library, static)
    run(os.environ.get("CC", "cc"), *STRICT, *cflags, source, *extra, "-o", out, *libs)
    linked = re.findall(r"NEEDED.*\[(libmst\S*)\]", run("readelf", "-d", out).stdout)
    assert linked == [] if static else "lib%s.so.0" % library in linked
    return out


@pytest.fixture(scope="module", params=["shared", "static"])
def examples(request, tree):
    """{name: program} of the installed examples."""
    static, folder = request.param == "static", tree.parent / request.param
    folder.mkdir()
    return {name: build(tree, library, tree / "share" / "mst" / "examples" / (name + ".c"), folder / name, static)
            for name, library in EXAMPLES.items()}


@pytest.fixture(scope="module")
def digits(tree):
    """A folder with the digits model converted by mstconv, and one digit as pixels."""
    folder = tree.parent / "digits"
    folder.mkdir()
    for name, policy in (("digits-swin", []), ("digits-swin-sa50", ["--policy", ROOT / "examples/policies/sa50.yaml"])):
        run(tree / "bin" / "mstconv", MODELS / (name + ".onnx"), "-o", folder / (name + ".bin"), "--quiet",
            "--mean", NORM[0], "--std", NORM[1], "--classes", "zero,one,two,three,four,five,six,seven,eight,nine",
            *policy)
    with gzip.open(DATA / "digits-test-images.idx3-ubyte.gz") as f:
        (folder / "pixels").write_bytes(f.read(16 + 784)[16:])
    return folder


def result(tree, model, *args):
    return json.loads(run(tree / "bin" / "mstrun", model, DIGITS, "--quiet", "--json", "-", *args).stdout)


def test_run_model(tree, examples, digits):
    model = digits / "digits-swin.bin"
    out = run(examples["run_model"], model, digits / "pixels", 32).stdout
    said = result(tree, model, "-n", 1, "-T", 32)
    with gzip.open(DATA / "digits-test-labels.idx1-ubyte.gz") as f:
        label = f.read(9)[8]
    names = "zero one two three four five six seven eight nine".split()
    found, name = re.match(r"class (\d) (\w+) logit ", out).groups()
    assert name == names[int(found)] and (int(found) == label) == (said["at"][-1]["top1_percent"] == 100)
    assert "32 steps, %d spikes, %d synaptic operations" % (said["spikes_per_sample"], said["sops_per_sample"]) in out
    layers = re.findall(r"^  (\S+) +(\d+) spikes", out, re.M)
    assert [(n, int(spikes)) for n, spikes in layers] == [(n["name"], n["spikes_per_sample"]) for n in said["layers"]]
    by_default = run(examples["run_model"], model, digits / "pixels").stdout
    assert "64 steps, " in by_default  # the model's own


def test_convert_model(tree, examples, digits):
    for name, ratio in (("digits-swin", "0"), ("digits-swin-sa50", "0.5")):
        policy = ["--policy", ROOT / "examples/policies/sa50.yaml"] if ratio != "0" else []
        mine, theirs, model = digits / "mine.bin", digits / "theirs.bin", digits / (name + ".onnx")
        proto = onnx.load(MODELS / model.name)
        del proto.metadata_props[:]  # which the tool reads
        onnx.save(proto, model)
        out = run(examples["convert_model"], model, mine, ratio, *NORM).stdout
        run(tree / "bin" / "mstconv", model, "-o", theirs, "--quiet", "--mean", NORM[0], "--std", NORM[1], *policy)
        assert mine.read_bytes() == theirs.read_bytes()
        assert "33 layers of neurons, %d masks, attention: spiking" % (9 if policy else 0) in out
        left, fired = map(int, re.search(r"64 steps: (\d+) of (\d+) spikes", out).groups())
        assert 0 < left < fired if policy else 0 < left == fired


@pytest.mark.parametrize("name", ["digits-swin", "digits-swin-sa50"])
def test_early_stop(tree, examples, digits, name):
    model, count = digits / (name + ".bin"), 40
    said = result(tree, model, "-n", count)
    right = round(said["at"][-1]["top1_percent"] / 100 * count)
    out = run(examples["early_stop"], model, DIGITS, "1e9", count).stdout
    assert out == "%d samples, %d of %d labelled ones right\n64.00 of 64 steps a sample, %.1f spikes\n" % (
        count, right, count, said["spikes_per_sample"])
    early = run(examples["early_stop"], model, DIGITS, "40", count).stdout
    steps, spikes = map(float, re.search(r"([\d.]+) of 64 steps a sample, ([\d.]+) spikes", early).groups())
    assert 10 < steps < 50 and spikes < 0.8 * said["spikes_per_sample"]
    assert abs(int(re.search(r"(\d+) of \d+ labelled", early).group(1)) - right) <= 3


def test_early_stop_on_event_recordings(tree, examples, digits):
    """Samples of several frames."""
    model = digits / "events.bin"
    run(tree / "bin" / "mstconv", MODELS / "nmnist-swin.onnx", "-o", model, "--quiet", "--frames", 3, "--split", "time",
        "--present", "channels")
    spec = "nmnist:%s" % (DATA / "event-digits")
    said = json.loads(run(tree / "bin" / "mstrun", model, spec, "--quiet", "--json", "-").stdout)
    out = run(examples["early_stop"], model, spec, "1e9").stdout
    assert out.startswith("20 samples, %d of 20 labelled ones right\n" % round(.2 * said["at"][-1]["top1_percent"]))
    assert out.endswith(", %.1f spikes\n" % said["spikes_per_sample"])


@pytest.mark.parametrize("name, args, says", [
    ("run_model", ["missing.bin", "pixels"], "missing.bin: cannot open it"),
    ("run_model", ["digits-swin.bin", "missing"], "missing: No such file"),
    ("run_model", ["digits-swin.bin", "digits-swin.bin"], "expected 784 bytes, found more"),
    ("run_model", ["pixels", "pixels"], "pixels: "),
    ("convert_model", ["pixels", "out.bin", "0", *NORM], "pixels: "),
    ("convert_model", [MODELS / "digits-swin.onnx", "none/out.bin", "0", *NORM], "none/out.bin"),
    ("early_stop", ["digits-swin.bin", "idx:missing", "1"], "missing"),
    ("early_stop", ["digits-swin.bin", "what:pixels", "1"], "unknown format 'what'"),
])
def test_examples_report_what_goes_wrong(examples, digits, name, args, says):
    done = run(examples[name], *args, cwd=digits, ok=False)
    assert done.returncode == 1 and done.stdout == ""
    assert says in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name, args", [
    ("run_model", ["digits-swin.bin", "pixels"]), ("run_model", ["digits-swin.bin", "pixels", "0"]),
    ("convert_model", ["a", "b", "1", "0", "1"]), ("early_stop", ["a", "b", "x"]), ("early_stop", ["a", "b", ""])])
def test_examples_check_usage_and_output(examples, digits, name, args):
    if args == ["digits-swin.bin", "pixels"]:
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([examples[name], *args], cwd=digits, stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
        assert done.returncode == 1 and "cannot write the result" in done.stderr
    else:
        done = run(examples[name], *args, cwd=digits, ok=False)
        assert done.returncode == 2 and done.stderr.startswith("usage: ")


@pytest.mark.parametrize("static", [False, True])
def test_calibration_links(tree, tmp_path, static):
    (tmp_path / "parts.c").write_text("#include <mst/calibrate.h>\n#include <stdio.h>\n"
                                      "int main(void)\n{\n    mst_calib *c = NULL;\n    mst_err err;\n"
                                      "    mst_calib_opts opts = {.size = sizeof opts};\n"
                                      "    mst_calib_create(NULL, NULL, &opts, &c, &err);\n"
                                      "    puts(err.text);\n    return 0;\n}\n")
    program = build(tree, "mstcalib", tmp_path / "parts.c", tmp_path / "parts", static)
    assert "expected at least one time step" in run(program).stdout


def test_without_any_shared_library(tree, tmp_path):
    """libmst needs no more than the C library."""
    cflags, libs = flags(tree, "mst", True)
    program = tmp_path / "alone"
    run(os.environ.get("CC", "cc"), *STRICT, "-static", *cflags, tree / "share/mst/examples/run_model.c", "-o", program,
        *libs)
    assert run(program, ok=False).stderr.startswith("usage: ")


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("library", HEADERS)
def test_headers_stand_alone(tree, tmp_path, library, language):
    compiler = {"c": os.environ.get("CC", "cc"), "c++": "c++"}[language]
    if shutil.which(compiler) is None:
        pytest.skip("%s is not installed" % compiler)
    cflags, _ = flags(tree, library, False)
    for header in sorted((ROOT / HEADERS[library] / "include" / "mst").glob("*.h")):
        source = tmp_path / ("use." + {"c": "c", "c++": "cc"}[language])
        source.write_text("#include <mst/%s>\n#include <mst/%s>\nint main(void) { return 0; }\n" % ((header.name,) * 2))
        run(compiler, "-std=c11" if language == "c" else "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
            *cflags, "-fsyntax-only", source)
