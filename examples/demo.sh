#!/bin/sh
# The main job on the bundled example: convert the digits Swin, run it as its ANN and as a spiking network in
# every mode, validate it against the ANN; then the same with 50 % and 75 % of the spikes of self-attention
# masked, with three draws of the masks; and, where it is told a file, a page of the first (docs/REPORT.md).
# Usage: examples/demo.sh BUILD_DIR [SAMPLES [REPORT.html]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: examples/demo.sh BUILD_DIR [SAMPLES [REPORT.html]]}
samples=${2:-300}
out=${TMPDIR:-/tmp}/mst-demo.$$
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT INT TERM
data="idx:$here/data/digits-test-images.idx3-ubyte.gz,$here/data/digits-test-labels.idx1-ubyte.gz"

# convert NAME MODEL.onnx [POLICY.yaml]
convert() {
    policy=""
    [ $# -lt 3 ] || policy="--policy $here/policies/$3"
    echo "mstconv $2 ${3:-}" >&2
    # shellcheck disable=SC2086 # the policy is absent or two words
    "$build/mstconv" "$here/models/$2" -o "$out/$1.bin" --mean .1307 --std .3081 $policy --quiet
}
convert unmasked digits-swin.onnx
"$here/demo_modes.sh" "$build" "$out" unmasked "$here/models/digits-swin.onnx" "$out/unmasked.bin" "$data" "$samples" 1
if [ $# -gt 2 ]; then
    echo "mstcalib digits-swin.onnx --html $3" >&2
    "$build/mstcalib" "$here/models/digits-swin.onnx" "$out/unmasked.bin" "$data" -T 4,8,16,32,64 -n "$samples" --html "$3" --quiet
fi
for ratio in 50 75; do
    convert "sa$ratio" "digits-swin-sa$ratio.onnx" "sa$ratio.yaml"
    "$here/demo_modes.sh" "$build" "$out" "sa$ratio" - "$out/sa$ratio.bin" "$data" "$samples" 1 2 3
done
python3 "$here/demo_table.py" "$out" "Handwritten digits, a small Swin transformer" "unmasked=without masks" \
    "sa50=50 % of Q, K and attention masked, trained so" "sa75=75 % of Q, K and attention masked, trained so"
