#!/bin/sh
# Structure that the compiler does not check: include edges, file sizes, names.
set -u
cd "$(dirname "$0")/.."
bad=0
fail() { echo "lint: $*" >&2; bad=1; }

# forbid FOLDER REGEX WHY: no #include in FOLDER may match REGEX
forbid() {
    hits=$(grep -rnE "^ *# *include *[<\"]($2)" "$1" --include='*.c' --include='*.h' 2>/dev/null)
    [ -z "$hits" ] || { echo "$hits" >&2; fail "$1: $3"; }
}
# allow FOLDER 'A|B': files of FOLDER (not of folders in it) may include runtime/ headers of A, B and FOLDER only
allow() {
    hits=$(grep -nE '^ *# *include *"runtime/' "$1"/*.c "$1"/*.h 2>/dev/null |
           grep -vE "\"runtime/(${1#runtime/}|$2)/[^/]*\"")
    [ -z "$hits" ] || { echo "$hits" >&2; fail "$1: may use runtime/($2) only (docs/ARCHITECTURE.md)"; }
}
forbid runtime 'converter/|calibrate/|tools/|mst/(convert|calibrate)\.h' "the runtime knows nothing of what is above it"
forbid runtime 'yaml|jansson|gsl/|protobuf|onnx\.pb|sha256' "libraries of the tools and the converter"
for d in core ir format kernels plan ops lower backend session; do
    forbid runtime/$d 'mst/data\.h|zlib|openssl|png|jpeglib|zip\.h|matio' "libmst links libm and pthreads only"
done
# the floors of the runtime, from the ground up; every folder must be named
allow runtime/core 'core'
allow runtime/ir 'core'
allow runtime/format 'core|ir'
allow runtime/kernels 'core'
allow runtime/plan 'core'
allow runtime/ops 'core|plan|kernels'
allow runtime/lower 'core|plan|ops'
allow runtime/backend 'core|plan|ops|lower'
for d in runtime/backend/*/; do # each back end
    allow "${d%/}" 'core|plan|ops|lower|backend|kernels'
done
allow runtime/session 'core|plan|ops|lower|backend|kernels'
allow runtime/data 'core|data/events'
allow runtime/data/events 'core|data'
for d in $(find runtime -name '*.c' | xargs -n1 dirname | sort -u); do
    case $d in runtime/backend/*) continue ;; esac
    grep -qE "^allow $d " tests/lint.sh || fail "$d: tests/lint.sh does not say what it may include"
done
forbid runtime/kernels 'mst/session' "kernels are plain functions"
forbid runtime/ops 'runtime/(lower|backend|session)/' "operators know no programs"
forbid converter 'calibrate/|tools/|runtime/(format|kernels|plan|ops|lower|backend|session|data)/|mst/data\.h|yaml|jansson|gsl/' "the converter ends at the graph"
forbid converter/passes 'converter/(lower|onnx)/|onnx\.pb' "passes see the SNN graph only"
forbid converter/lower 'onnx\.pb|protobuf' "protobuf stays in converter/onnx"
forbid calibrate 'converter/|tools/|runtime/(format|kernels|plan|ops|lower|backend|session|data)/|mst/(convert|data)\.h|yaml|jansson' "calibrate meets the converter in the public API"

for f in $(git ls-files '*.c' '*.h' '*.py' '*.sh' 2>/dev/null); do
    n=$(wc -l < "$f")
    [ "$n" -le 600 ] || fail "$f has $n lines: is there a second idea in it?"
done
dup=$(git ls-files '*.c' '*.h' 2>/dev/null | sed 's,.*/,,' | sort | uniq -d)
[ -z "$dup" ] || fail "file names used twice: $dup"
marks=$(git grep -nIiE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.py' Makefile 2>/dev/null | grep -v tests/lint.sh)
[ -z "$marks" ] || fail "unfinished marks: $marks"
for doc in $(git grep -ohE '[A-Za-z_-]+\.md\b' -- '*.c' '*.h' '*.def' 'docs/*.md' README.md 2>/dev/null | sort -u); do
    git ls-files "$doc" "*/$doc" | grep -q . || fail "$doc is named in $(git grep -lF "$doc" | tr '\n' ' ')but is not there"
done
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror >&2 || fail "layout differs from .clang-format: make format"
else
    echo "lint: SKIP: layout is not checked: clang-format 14 is not installed"
fi
if python3 -m mypy --version >/dev/null 2>&1; then
    (cd python && python3 -m mypy --no-error-summary) >&2 || fail "types of the Python package"
else
    echo "lint: SKIP: types of the Python package are not checked: mypy is not installed (pip install mypy)"
fi
long=$(git grep -nE '^.{121}' -- '*.c' '*.h' 2>/dev/null | cut -c1-100)
[ -z "$long" ] || fail "lines of more than 120 columns: $long"
[ $bad = 0 ] && echo "lint: ok"
exit $bad
