#!/bin/sh
# Event recordings end to end: convert the N-MNIST Swin, draw a recording as the network sees
# it, run it spiking, validate it against the ANN. On the bundled recordings of a simulated
# camera, and on the real ones where a folder of them is given.
# Usage: examples/event-demo.sh BUILD_DIR [FOLDER_OF_N-MNIST [SHOWN.png]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: examples/event-demo.sh BUILD_DIR [FOLDER_OF_N-MNIST [SHOWN.png]]}
out=${TMPDIR:-/tmp}/mst-event-demo.$$
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT INT TERM
model="$here/models/nmnist-swin.onnx"

echo "mstconv nmnist-swin.onnx --frames 3 --split time" >&2
"$build/mstconv" "$model" -o "$out/model.bin" --frames 3 --split time --quiet
"$build/mstrun" "$out/model.bin" --show "$here/data/event-digits" 0 -o "${3:-$out/shown.png}"

# run NAME FOLDER: simulate, compare with the ANN
run() {
    echo "mstrun and mstcalib: $2" >&2
    "$build/mstrun" "$out/model.bin" "nmnist:$2" -T 64 --json "$out/$1.run.json" >/dev/null
    "$build/mstcalib" "$model" "$out/model.bin" "nmnist:$2" -T 64 --json "$out/$1.calib.json" >/dev/null
}
run simulated "$here/data/event-digits"
columns="simulated=simulated"
if [ -n "${2:-}" ]; then
    run real "$2"
    columns="$columns real=recorded"
fi
# shellcheck disable=SC2086 # one word a column
python3 "$here/demo_table.py" "$out" "N-MNIST digits, 3 frames of 2 polarities, one small Swin transformer:" $columns
