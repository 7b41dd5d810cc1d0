#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A copy that is stopped leaves nothing under the final name, whichever way it
# was stopped, and --resume finishes it with the same result.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

head -c 60M /dev/urandom >src.raw
truncate -s 80M src.raw
digest=$(v2v digest src.raw)
digest=${digest%% *}

start () { # a slow copy to out.vhdx in the background
    v2v copy --rate 12M src.raw out.vhdx >log 2>&1 &
    pid=$!
}
finish () { # WHAT: the result is whole, and nothing else is left
    [ "$(v2v digest out.vhdx)" = "$digest  out.vhdx" ] || fail "$1: another disk"
    [ "$(v2v check --json out.vhdx | jq -r .result)" = sound ] ||
        fail "$1: not sound"
    [ "$(ls)" = "$(printf 'log\nout.vhdx\nsrc.raw')" ] || fail "$1: left: $(ls)"
    rm out.vhdx
}

# An orderly stop.
start
wait_for_size out.vhdx.part 16000000
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "SIGTERM: status $status: $(cat log)"
[ ! -e out.vhdx ] || fail "SIGTERM: out.vhdx is there"
grep -q '^v2v: interrupted' log || fail "SIGTERM: $(cat log)"
grep -q -- '--resume' log || fail "SIGTERM: no word on how to go on: $(cat log)"
resumed=$(v2v copy --resume --json src.raw out.vhdx | jq .resumed_bytes)
[ "$resumed" -gt 0 ] || fail "SIGTERM: nothing was kept"
finish SIGTERM

# The same from the keyboard: SIGINT.
expect_status 130 timeout --preserve-status -s INT 2 \
    v2v copy --rate 12M src.raw out.vhdx
[ ! -e out.vhdx ] || fail "SIGINT: out.vhdx is there"
v2v copy --resume src.raw out.vhdx >log || fail "SIGINT: $(cat log)"
finish SIGINT

# Killed: the journal says what is safe, if it came that far.
for seconds in 0.3 1 3; do
    start
    sleep $seconds
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    [ ! -e out.vhdx ] || fail "killed after $seconds: out.vhdx is there"
    v2v copy --resume src.raw out.vhdx >log || fail "killed after $seconds: $(cat log)"
    finish "killed after $seconds"
done

# Killed between the journal's creation and its first byte.
start
sleep 1
kill -KILL $pid
wait $pid 2>/dev/null || true
: >out.vhdx.part.journal
v2v copy --resume src.raw out.vhdx >log || fail "an empty journal: $(cat log)"
finish "an empty journal"

# Another source is not taken for the same one.
start
sleep 1
kill -TERM $pid
wait $pid || true
printf x | dd of=src.raw conv=notrunc status=none
expect_status 7 v2v copy --resume src.raw out.vhdx
[ ! -e out.vhdx ] || fail "out.vhdx is there"
# Without --resume it begins anew.
v2v copy src.raw out.vhdx >/dev/null
[ "$(v2v compare src.raw out.vhdx)" = same ] || fail "not begun anew"
rm out.vhdx
digest=$(v2v digest src.raw)
digest=${digest%% *}

# A second run to the same file is refused and disturbs nothing of the first.
start
wait_for_size out.vhdx.part 16000000
for option in "" --resume; do
    # shellcheck disable=SC2086 # no option is no word
    expect_status 2 v2v copy $option src.raw out.vhdx
    [[ $out = *"another run is writing it"* ]] || fail "two runs: $out"
    [ -s out.vhdx.part.journal ] || fail "two runs: the journal is gone"
done
wait $pid || fail "two runs: $(cat log)"
finish "two runs"

# An unfinished file that lost what its journal speaks of is not gone on with.
start
wait_for_size out.vhdx.part 16000000
kill -TERM $pid
wait $pid || true
truncate -s 8M out.vhdx.part
expect_status 7 v2v copy --resume src.raw out.vhdx
[[ $out = *"out.vhdx: the unfinished file has 8388608 bytes"* ]] || fail "short: $out"
[ ! -e out.vhdx ] || fail "short: out.vhdx is there"
v2v copy --resume src.raw out.vhdx >log 2>&1 || fail "short: $(cat log)"
finish short

# The source changed under the copy: --resume could only refuse it.
start
wait_for_size out.vhdx.part 16000000
truncate -s 20M src.raw
got=0
wait $pid || got=$?
[ $got = 5 ] || fail "shrunk: status $got: $(cat log)"
! grep -q -- --resume log || fail "shrunk: $(cat log)"
[ ! -e out.vhdx.part ] || fail "shrunk: out.vhdx.part is left"
