#!/bin/sh
# A network on a data set as its ANN and in every mode, for demo_table.py: as FOLDER/NAME.MODE.SEED.json, and how often
# each mode gives its ANN's class as FOLDER/NAME.MODE.calib.json. All on the same samples and with the same mask ratios;
# a run for each seed that draws them. Used by demo.sh and event-demo.sh.
# Usage: demo_modes.sh BUILD_DIR FOLDER NAME MODEL.onnx|- MODEL.bin DATA SAMPLES SEED..
#   MODEL.onnx: compare with its ANN without masks; -: do not (a masked network's ANN draws as it does)
set -eu
build=$1 out=$2 name=$3 onnx=$4 model=$5 data=$6 samples=$7
shift 7

# run MODE OPTIONS..: for each seed, and against the ANN
run() {
    mode=$1
    shift
    echo "mstrun $name: $mode $*" >&2
    for seed in $seeds; do
        "$build/mstrun" "$model" "$data" --mode "$mode" "$@" -n "$samples" --seed "$seed" --quiet \
            --json "$out/$name.$mode.$seed.json"
    done
    if [ "$onnx" != - ] && [ "$mode" != ann ]; then
        "$build/mstcalib" "$onnx" "$model" "$data" --mode "$mode" "$@" -n "$samples" --quiet \
            --json "$out/$name.$mode.calib.json"
    fi
}
seeds="$*"
run ann
run step -T 64
run count --levels 16
run radix --levels 16
