#!/bin/sh
# Fuzz every target in turn until the time is over: campaign.sh BUILD HOURS FOLDER
# FOLDER keeps, outside the tree, a corpus for each target, what crashed, and counts.tsv: date, target, executions,
# seconds, crashes of every turn. Runs again go on from there.
set -u
build=$1 hours=$2 folder=$3
turn=${FUZZ_TURN:-300} # seconds
root=$(cd "$(dirname "$0")/../.." && pwd)
end=$(($(date +%s) + $(awk "BEGIN { printf \"%d\", $hours * 3600 }")))
mkdir -p "$folder"

# one TARGET PROFILE SECONDS: PROFILE of fuzz_events, or nothing
one() {
    name=$1${2:+-$2}
    corpus=$folder/$name crashes=$folder/crashes
    mkdir -p "$corpus" "$crashes"
    FUZZ_PROFILE=$2 nice -n 15 "$build/tests/fuzz/fuzz_$1.libfuzzer" -max_total_time="$3" -rss_limit_mb=2048 -timeout=20 \
        -print_final_stats=1 -artifact_prefix="$crashes/$name-" -verbosity=1 "$corpus" "$root/tests/fuzz/corpus/$1" \
        >"$folder/$name.log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log")
    printf '%s\t%s\t%s\t%s\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$name" "${runs:-0}" "$3" "$([ $status = 0 ] && echo 0 || echo 1)" \
        >>"$folder/counts.tsv"
    [ $status = 0 ] || echo "campaign: $name: exit status $status: see $folder/$name.log and $crashes" >&2
}

targets() {
    for t in "$build"/tests/fuzz/fuzz_*.libfuzzer; do
        t=${t##*/fuzz_} t=${t%.libfuzzer}
        if [ "$t" = events ]; then # each format, and the label files by what the first byte says
            for p in "" $(sed -n 's/^    {"\([a-z0-9]*\)", .*/\1/p' "$root/runtime/data/events/event_stream.c"); do echo "events $p"; done
        else
            echo "$t"
        fi
    done
}

bad() { awk -F'\t' '{ n += $5 } END { print n + 0 }' "$folder/counts.tsv" 2>/dev/null || echo 0; }
before=$(bad)
while [ "$(date +%s)" -lt "$end" ]; do
    for t in $(targets | tr ' ' ':'); do
        left=$((end - $(date +%s)))
        [ "$left" -gt 0 ] || break
        case $t in *:*) p=${t#*:} ;; *) p= ;; esac
        one "${t%%:*}" "$p" "$([ "$left" -lt "$turn" ] && echo "$left" || echo "$turn")"
    done
done
awk -F'\t' '{ runs[$2] += $3; s[$2] += $4; bad[$2] += $5; all += $3 }
    END { for (t in runs) printf "%-22s %12d runs %9d s %4d turns that failed\n", t, runs[t], s[t], bad[t] | "sort"; close("sort")
          printf "%-22s %12d runs\n", "all", all }' "$folder/counts.tsv"
[ "$(bad)" = "$before" ]
