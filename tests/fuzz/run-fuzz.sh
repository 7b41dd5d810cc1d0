#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-fuzz.sh PROGRAM...: each libFuzzer target for $V2V_FUZZ_SECONDS (60),
# two at once.  Begins from the small real samples of its format, if there are
# any.  Beside a target's source there may be fuzz-NAME.dict (a dictionary) and
# fuzz-NAME.options (more arguments, one a line).  One line per target; what
# made one fail stays as crash-NAME-* in the current folder, and what a reader
# of the log alone needs is printed: the first lines that say what is wrong with
# the frames behind them, the end, and the input if it is small.
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${V2V_FUZZ_SECONDS:-60}
work=$(mktemp -d "${TMPDIR:-/tmp}/v2v-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
# An input is printed when it has no more bytes than this, packed.
max_packed=8192
[ $# -gt 0 ] || { echo "run-fuzz.sh: no targets" >&2; exit 1; }

# The log of libFuzzer is mostly "#1234 NEW ...".
print_failure () {
    local name=$1 log=$work/$1.log inputs=$work/$1.inputs input

    echo "--- $name: what is wrong"
    grep -E -m 4 -A 15 \
        'ERROR:|runtime error:|Assertion|assert|terminate called|Sanitizer' \
        "$log" | grep -v '^#[0-9]*[[:space:]]*\(NEW\|REDUCE\|pulse\)' |
        head -n 60
    echo "--- $name: the end"
    tail -n 25 "$log"
    sed -n 's/.*Test unit written to //p' "$log" | head -n 1 >"$inputs"
    while read -r input; do
        gzip -9 -c <"$input" >"$work/$name.gz" || continue
        if [ "$(stat -c %s "$work/$name.gz")" -le $max_packed ]; then
            echo "--- $name: base64 -d | gunzip > ${input##*/}"
            base64 "$work/$name.gz"
        else
            echo "--- $name: $input is too large to be printed"
        fi
    done <"$inputs"
    echo "--- $name: end of report"
}

run_one () {
    local program=$1 name=${1##*/}
    local kind=${name#fuzz-} corpus=$work/$1 args=() status=0

    mkdir -p "$corpus" "$work/tmp"
    if [ -n "${V2V_SAMPLES-}" ] && [ -d "$V2V_SAMPLES/${kind%%-*}" ]; then
        find "$V2V_SAMPLES/${kind%%-*}" -type f -size -256k \
            -exec cp --backup=numbered -t "$corpus" {} +
    fi
    [ ! -e "$here/$name.dict" ] || args+=("-dict=$here/$name.dict")
    if [ -e "$here/$name.options" ]; then
        while read -r o; do args+=("$o"); done <"$here/$name.options"
    else
        args+=(-max_len=262144)
    fi
    # A single input may take 25 seconds and 1 GiB: more is a bug here.
    TMPDIR=$work/tmp timeout --kill-after=10 $((seconds + 60)) "./$program" \
        -max_total_time="$seconds" -timeout=25 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="crash-$kind-" \
        "${args[@]}" "$corpus" >"$work/$name.log" 2>&1 </dev/null || status=$?
    if [ $status = 0 ]; then
        echo "PASS: $name ($(sed -n 's/^stat::number_of_executed_units: *//p' \
            "$work/$name.log") inputs)"
    else
        # In one piece: another target may be printing.
        {
            echo "FAIL: $name (exit status $status)"
            print_failure "$name"
        } >"$work/$name.report" 2>&1
        cat "$work/$name.report"
    fi
    return $status
}

status=0
while [ $# -gt 0 ]; do
    run_one "$1" & first=$!
    shift
    if [ $# -gt 0 ]; then
        run_one "$1" || status=1
        shift
    fi
    wait $first || status=1
done
exit $status
