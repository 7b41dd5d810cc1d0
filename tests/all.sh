#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/all.sh [STAGE...]
#
# Every test of the project, one stage after the other, from a plain checkout
# on Debian 12; missing packages are installed.  A failing stage does not stop
# the next one.  Ends in one line alone, "N passed, N failed, N skipped", with
# exit status 1 if anything failed or a stage ran no test at all.
#
# What is counted are test cases: each unit test and each script from
# automake's .trs files; in the stages without, lines "PASS: name"; distcheck
# and bench are one case each.
#
#   V2V_SAMPLES=DIR      the real samples; without it their tests are skipped
#   V2V_SAMPLES_REQUIRED=1  a missing sample is a failure
#   V2V_BUILD=DIR        where to build (default: build/ in the checkout)
#   V2V_MINUTES=N        time for everything (default 58)
#   V2V_FUZZ_SECONDS=N   time for each fuzz target (default 60)
set -u
LC_ALL=C
export LC_ALL

src=$(cd "$(dirname "$0")/.." && pwd)
cd "$src" || exit 1
top=${V2V_BUILD:-$src/build}
jobs=$(nproc)
minutes=${V2V_MINUTES:-58}
end=$((SECONDS + 60 * minutes))
stages=(packages build check guest boot asan valgrind fuzz format shell
    distcheck bench)
[ $# -eq 0 ] || stages=("$@")

passed=0 failed=0 skipped=0
failures=()

mkdir -p "$top/log" || exit 1
top=$(cd "$top" && pwd)
plain=$top/plain

# ---- the stages: each a function that may fail ----

stage_packages () { tests/packages.sh test; }

stage_build () {
    tests/configure-in.sh "$plain" --enable-werror &&
        make -C "$plain" -j"$jobs"
}

stage_check () { make -C "$plain" -j"$jobs" -k check; }
stage_guest () { make -C "$plain" check-guest; }
# Two at a time: while one guest is built, another starts.
stage_boot () { make -C "$plain" -j2 -k check-boot; }
stage_asan () { make -C "$plain" check-asan V2V_SEPARATE="$top/asan"; }
stage_valgrind () { make -C "$plain" -j"$jobs" -k check-valgrind; }
stage_fuzz () { make -C "$plain" check-fuzz V2V_SEPARATE="$top/fuzz"; }
stage_format () { make -C "$plain" check-format; }
stage_shell () { make -C "$plain" check-shell; }

# The samples have had their turn; here it is the package that is tested.
stage_distcheck () {
    env -u V2V_SAMPLES -u V2V_SAMPLES_REQUIRED \
        make -C "$plain" -j"$jobs" distcheck
}

# Small, one round: that the bench works, not what it measures.
stage_bench () {
    BENCH_DIR=$top/bench.tmp BENCH_JSON=$top/bench.json BENCH_SIZE=256 \
        BENCH_ROUNDS=1 BENCH_REFLINK=1 BENCH_GUEST_ROUNDS=0 \
        BENCH_LIBRARY_ROUNDS=1 BENCH_LIBRARY_OBJECTS=0 BENCH_DEPLOY_ROUNDS=1 \
        make -C "$plain" bench
}

# Minutes a stage may take, and how its cases are counted.
declare -A limit=(
    [packages]=10 [build]=10 [check]=12 [guest]=10 [boot]=28 [asan]=18
    [valgrind]=12 [fuzz]=15 [format]=2 [shell]=2 [distcheck]=15 [bench]=8
)
declare -A count=(
    [packages]=none [build]=none [check]=trs [guest]=trs [boot]=trs
    [asan]=trs [valgrind]=trs [fuzz]=lines [format]=lines [shell]=lines
    [distcheck]=one [bench]=one
)

# ---- counting ----

# "PASS name", "FAIL name", "SKIP name": a line for each case since STAMP.
cases_of_trs () {
    find "$top" -name '*.trs' -newer "$1" -print0 |
        xargs -0 -r awk '
            /^:test-result:/ {
                r = $2; sub(/:$/, "", r)
                n = $0; sub(/^:test-result: *[A-Z]+ */, "", n)
                f = FILENAME; sub(/.*\//, "", f); sub(/\.trs$/, "", f)
                if (r == "PASS" || r == "XFAIL") r = "PASS"
                else if (r != "SKIP") r = "FAIL"
                print r, f, n
            }'
}
cases_of_lines () { sed -nE 's/^(PASS|FAIL|SKIP): /\1 /p' "$1"; }

note_failure () {
    failed=$((failed + 1))
    failures+=("$1: $2")
}

# The log of a failed script or program says more than make does.
show_logs () {
    find "$top" -name '*.trs' -newer "$1" -exec \
        grep -lE '^:global-test-result: *(FAIL|XPASS|ERROR)' {} + |
        while read -r trs; do
            echo "---- ${trs%.trs}.log (end)"
            tail -n 40 "${trs%.trs}.log"
        done
}

run_stage () {
    local name=$1 log=$top/log/$1.log stamp=$top/log/$1.stamp
    local cases=$top/log/$1.cases
    local seconds status=0 start=$SECONDS p f s

    # more time for everything is more time for each
    seconds=$((60 * ${limit[$name]}))
    [ "$minutes" -le 58 ] || seconds=$((seconds * minutes / 58))
    [ $seconds -le $((end - SECONDS)) ] || seconds=$((end - SECONDS))
    if [ $seconds -le 0 ]; then
        echo "== $name: no time left"
        note_failure "$name" "no time left"
        return
    fi
    echo "== $name"
    touch "$stamp"
    : >"$cases"
    # exported functions cannot be given to timeout: run ourselves again
    V2V_STAGE=$name timeout --kill-after=30 $seconds \
        "$BASH" "$src/tests/all.sh" >"$log" 2>&1 </dev/null || status=$?

    case ${count[$name]} in
        trs) cases_of_trs "$stamp" >"$cases" ;;
        lines) cases_of_lines "$log" >"$cases" ;;
        one) [ $status != 0 ] || echo "PASS $name" >"$cases" ;;
    esac
    p=$(grep -c '^PASS ' "$cases")
    f=$(grep -c '^FAIL ' "$cases")
    s=$(grep -c '^SKIP ' "$cases")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    while read -r line; do failures+=("$name: $line"); done \
        < <(sed -n 's/^FAIL //p' "$cases")

    if [ $status = 124 ] || [ $status = 137 ]; then
        note_failure "$name" "stopped after $seconds seconds"
    elif [ $status != 0 ] && [ "$f" = 0 ]; then
        note_failure "$name" "exit status $status"
    elif [ $status = 0 ] && [ ${count[$name]} != none ] &&
             [ $((p + f + s)) = 0 ]; then
        note_failure "$name" "ran no test"
    fi
    echo "   $p passed, $f failed, $s skipped," \
         "exit status $status, $((SECONDS - start)) s"
    sed -n 's/^SKIP /   skipped: /p' "$cases"
    if [ $status != 0 ] || [ "$f" != 0 ]; then
        sed -n 's/^FAIL /   FAILED: /p' "$cases"
        echo "---- $log (end)"
        tail -n 40 "$log"
        [ ${count[$name]} != trs ] || show_logs "$stamp"
        echo "----"
    fi
}

if [ -n "${V2V_STAGE-}" ]; then
    "stage_$V2V_STAGE"
    exit
fi

for s in "${stages[@]}"; do
    declare -F "stage_$s" >/dev/null || {
        echo "$0: no stage is called '$s'; there are: ${stages[*]}" >&2
        exit 2
    }
done
for s in "${stages[@]}"; do
    run_stage "$s"
done

if [ ${#failures[@]} -gt 0 ]; then
    echo
    printf 'FAILED %s\n' "${failures[@]}"
fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $((passed + failed)) -gt 0 ]
