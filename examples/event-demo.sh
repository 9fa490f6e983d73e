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

echo "mstconv nmnist-swin.onnx" >&2
"$build/mstconv" "$model" -o "$out/model.bin" --quiet
"$build/mstrun" "$out/model.bin" --show "$here/data/event-digits" 0 -o "${3:-$out/shown.png}"

run() {
    "$here/demo_modes.sh" "$build" "$out" "$1" "$model" "$out/model.bin" "nmnist:$2" 4294967295 1
}
run simulated "$here/data/event-digits"
if [ -n "${2:-}" ]; then
    run real "$2"
    set -- "$out" "real=recorded"
else
    set -- "$out"
fi
python3 "$here/demo_table.py" "$1" "N-MNIST digits, 3 frames of 2 polarities, one small Swin transformer" \
    "simulated=a simulated camera" ${2:+"$2"}
