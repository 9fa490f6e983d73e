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
forbid runtime 'converter/|calibrate/|tools/|mst/(convert|calibrate)\.h' "the runtime knows nothing of what is above it"
forbid runtime 'yaml|jansson|gsl/|protobuf|onnx\.pb|sha256' "libraries of the tools and the converter"
for d in core ir format kernels exec block; do
    forbid runtime/$d 'runtime/data/|mst/data\.h|zlib|openssl' "libmst links libm and pthreads only"
done
forbid runtime/core 'runtime/(ir|format|kernels|exec|block|data)/' "core is below everything"
forbid runtime/ir 'runtime/(format|kernels|exec|block|data)/' "the graph is below format and execution"
forbid runtime/format 'runtime/(kernels|exec|block|data)/' "the format does not execute"
forbid runtime/kernels 'runtime/(ir|format|exec|block|data)/|mst/session' "kernels are plain functions"
forbid converter 'calibrate/|tools/|runtime/(format|kernels|exec|block|data)/|mst/data\.h|yaml|jansson|gsl/' "the converter ends at the graph"
forbid converter/passes 'converter/(lower|onnx)/|onnx\.pb' "passes see the SNN graph only"
forbid converter/lower 'onnx\.pb|protobuf' "protobuf stays in converter/onnx"
forbid calibrate 'converter/|tools/|runtime/data/|mst/(convert|data)\.h|yaml|jansson' "calibrate meets the converter in the public API"

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
[ $bad = 0 ] && echo "lint: ok"
exit $bad
