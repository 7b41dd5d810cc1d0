#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-fuzz.sh PROGRAM...: each libFuzzer target for $V2V_FUZZ_SECONDS (60),
# two at once.  Begins from the small real samples of its format, if there are
# any.  Beside a target's source there may be fuzz-NAME.dict (a dictionary) and
# fuzz-NAME.options (more arguments, one a line).  One line per target; what
# made one fail stays as crash-NAME-* in the current folder.
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${V2V_FUZZ_SECONDS:-60}
work=$(mktemp -d "${TMPDIR:-/tmp}/v2v-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || { echo "run-fuzz.sh: no targets" >&2; exit 1; }

run_one () {
    local program=$1 name=${1##*/}
    local kind=${name#fuzz-} corpus=$work/$1 args=() status=0

    mkdir -p "$corpus"
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
    timeout --kill-after=10 $((seconds + 60)) "./$program" \
        -max_total_time="$seconds" -timeout=25 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="crash-$kind-" \
        "${args[@]}" "$corpus" >"$work/$name.log" 2>&1 </dev/null || status=$?
    if [ $status = 0 ]; then
        echo "PASS: $name ($(sed -n 's/^stat::number_of_executed_units: *//p' \
            "$work/$name.log") inputs)"
    else
        echo "FAIL: $name (exit status $status)"
        tail -n 60 "$work/$name.log"
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
