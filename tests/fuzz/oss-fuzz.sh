#!/bin/sh
# build.sh of an OSS-Fuzz project (Debian's or Ubuntu's packages by `sh third_party/deps.sh build`): takes CC, CXX, CFLAGS,
# LIB_FUZZING_ENGINE and OUT as OSS-Fuzz sets them, leaves in OUT each target, its seeds, and the libraries that it needs.
set -eu
cd "$(dirname "$0")/../.."
: "${CC:=clang}" "${CXX:=clang++}" "${CFLAGS:=-O1 -g -fsanitize=fuzzer-no-link,address}" "${LIB_FUZZING_ENGINE:=-fsanitize=fuzzer}"
mkdir -p "${OUT:?the folder of what is built}/lib"
make -j"$(nproc)" CC="$CC" MODE=fuzz B=build/oss-fuzz CFLAGS="$CFLAGS" FUZZ_LINK="$CXX" FUZZ_ENGINE="$LIB_FUZZING_ENGINE -Wl,-rpath,\$ORIGIN/lib" \
    fuzz-build
for t in build/oss-fuzz/tests/fuzz/fuzz_*.libfuzzer; do
    name=$(basename "$t" .libfuzzer)
    cp "$t" "$OUT/$name"
    python3 -c 'import sys, shutil; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])' "$OUT/${name}_seed_corpus" "tests/fuzz/corpus/${name#fuzz_}"
    ldd "$t" | awk '$3 ~ /^\// { print $3 }' | grep -vE '/lib(c|m|dl|rt|pthread|resolv)\.so' | while read -r lib; do cp -n "$lib" "$OUT/lib/"; done
done
