#!/bin/sh
# No file may call one that calls it back, over any number of files: circles.sh BUILD_FOLDER
# Read off the symbols of the objects. The one circle that is meant: functions of ONNX models hold
# nodes, and nodes call functions (onnx_inline.c and onnx_decode_node.c).
set -u
cd "$(dirname "$0")/.."
build=$1
objects=$(find "$build/runtime" "$build/converter" "$build/calibrate" "$build/tools" -name '*.o' | sort)
[ -n "$objects" ] || { echo "circles: nothing is built in $build" >&2; exit 1; }
loops=$(nm -A -P $objects | awk -v build="$build/" '
    { split($1, file, ":"); sub("\\.o$", "", file[1]); sub(build, "", file[1]) }
    $3 ~ /^[TDRBVW]$/ { home[$2] = file[1] }
    $3 == "U" { n++; from[n] = file[1]; name[n] = $2 }
    END {
        for (i = 1; i <= n; i++)
            if (name[i] in home && home[name[i]] != from[i] &&
                !(from[i] ~ /onnx_inline$/ && home[name[i]] ~ /onnx_decode_node$/))
                print from[i], home[name[i]]
    }' | sort -u | tsort 2>&1 >/dev/null)
[ -z "$loops" ] || { echo "$loops" >&2; echo "circles: files that call each other" >&2; exit 1; }
echo "circles: none"
