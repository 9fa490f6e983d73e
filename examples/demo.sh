#!/bin/sh
# The main job on the bundled example: convert the digits Swin, run it spiking,
# validate it against the ANN; then the same with 50 % and 75 % of the spikes of
# self-attention masked. Usage: examples/demo.sh BUILD_DIR [SAMPLES]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: examples/demo.sh BUILD_DIR [SAMPLES]}
samples=${2:-300}
out=${TMPDIR:-/tmp}/mst-demo.$$
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT INT TERM
data="idx:$here/data/digits-test-images.idx3-ubyte.gz,$here/data/digits-test-labels.idx1-ubyte.gz"

# run NAME MODEL.onnx [POLICY.yaml]: convert, simulate, compare with the ANN
run() {
    policy=""
    [ $# -lt 3 ] || policy="--policy $here/policies/$3"
    echo "mstconv $2 ${3:-}" >&2
    # shellcheck disable=SC2086 # the policy is absent or two words
    "$build/mstconv" "$here/models/$2" -o "$out/$1.bin" --mean .1307 --std .3081 $policy --quiet
    echo "mstrun $1.bin digits" >&2
    "$build/mstrun" "$out/$1.bin" "$data" -T 64 -n "$samples" --json "$out/$1.run.json" >/dev/null
    echo "mstcalib $2 $1.bin digits" >&2
    "$build/mstcalib" "$here/models/$2" "$out/$1.bin" "$data" -T 64 -n 100 --json "$out/$1.calib.json" >/dev/null
}
run unmasked digits-swin.onnx
run sa50 digits-swin-sa50.onnx sa50.yaml
run sa75 digits-swin-sa75.onnx sa75.yaml
python3 "$here/demo_table.py" "$out" \
    "Handwritten digits, one small Swin transformer trained for each column (Random Spike Masking on Q, K and attention):" \
    "unmasked=no mask" "sa50=50 % masked" "sa75=75 % masked"
