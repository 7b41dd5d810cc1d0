#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A conversion that is stopped shows nothing; --resume finishes it and takes
# the disks that were complete; a new run throws the rest away.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
requires jq --version
requires qemu-img --version
workdir

head -c 6M /dev/urandom >1.raw
head -c 60M /dev/urandom >2.raw
mkdir src
cd src
make_disk ../1.raw one.vmdk
make_disk ../2.raw two.vmdk
make_ovf web one.vmdk two.vmdk
cd ..

start () {
    v2v convert --rate 12M src/m.ovf -o out >log 2>&1 &
    pid=$!
}
whole () { # WHAT FOLDER
    v2v compare 1.raw "$2/web-disk1.vhdx" >/dev/null || fail "$1: disk 1"
    v2v compare 2.raw "$2/web-disk2.vhdx" >/dev/null || fail "$1: disk 2"
    v2v digest --check "$2/report.json" >/dev/null || fail "$1: digests"
    [ "$(ls -A out)" = web ] || fail "$1: left: $(ls -A out)"
    [ "$(ls -A "$2" | wc -l)" = 7 ] || fail "$1: files: $(ls -A "$2")"
}

# An orderly stop, in the middle of the second disk.
start
wait_for_size out/.web.part/web-disk2.vhdx.part 12000000
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "SIGTERM: status $status: $(cat log)"
[ ! -e out/web ] || fail "SIGTERM: something under the final name"
grep -q -- '--resume' log || fail "SIGTERM: $(cat log)"
# While it lies there, nobody else's run may take it for free.
v2v convert --resume --json src/m.ovf -o out >resumed || fail "resume"
whole SIGTERM out/web
jq -e '.conversions[0].report.disks[0].resumed_bytes == 6 * 1024 * 1024' resumed \
    >/dev/null || fail "the first disk was made again: $(cat resumed)"
jq -e '.conversions[0].report.disks[1].resumed_bytes > 0' resumed >/dev/null ||
    fail "the second disk began anew: $(cat resumed)"
# Nothing is left to be done: it is not done again.
v2v convert --resume src/m.ovf -o out >again || fail "resume of what is complete"
grep -q 'nothing to resume: out/web is complete' again || fail "$(cat again)"
[ "$(ls -A out)" = web ] || fail "converted again: $(ls -A out)"
rm out/web/report.json
expect_status 2 v2v convert --resume src/m.ovf -o out
rm -r out

# Killed.
for seconds in 0.2 2.5; do
    start
    sleep $seconds
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    [ ! -e out/web ] || fail "killed: something under the final name"
    v2v convert --resume src/m.ovf -o out >/dev/null || fail "killed after $seconds"
    whole "killed after $seconds" out/web
    rm -r out
done

# Killed between the journal's creation and its first byte.
start
sleep 1
kill -KILL $pid
wait $pid 2>/dev/null || true
for j in out/.web.part/*.journal; do : >"$j"; done
v2v convert --resume src/m.ovf -o out >/dev/null || fail "an empty journal"
whole "an empty journal" out/web
rm -r out

# Two at once: the second is told.
start
sleep 1
expect_status 2 v2v convert src/m.ovf -o out
[[ $out == *"another run"* ]] || fail "$out"
kill -TERM $pid
wait $pid || true

# Without --resume a stale folder is emptied and all is made anew.
v2v convert src/m.ovf -o out >/dev/null || fail "anew"
whole anew out/web
rm -r out

# A source that changed meanwhile is not mixed with the old one.
start
wait_for_size out/.web.part/web-disk2.vhdx.part 12000000
kill -TERM $pid
wait $pid || true
head -c 6M /dev/urandom >1.raw
cd src
make_disk ../1.raw one.vmdk
make_ovf web one.vmdk two.vmdk
cd ..
# The finished first disk is made again; the same of one in the middle is
# refused, and kept until the user says so.
v2v convert --resume src/m.ovf -o out >/dev/null || fail "a changed first disk"
whole "a changed first disk" out/web
rm -r out
start
wait_for_size out/.web.part/web-disk2.vhdx.part 12000000
kill -TERM $pid
wait $pid || true
head -c 60M /dev/urandom >2.raw
cd src
make_disk ../2.raw two.vmdk
make_ovf web one.vmdk two.vmdk
cd ..
expect_status 7 v2v convert --resume src/m.ovf -o out
[[ $out == *"--resume"* ]] || fail "no hint: $out"
[ -e out/.web.part ] || fail "the unfinished work was thrown away"
v2v convert src/m.ovf -o out >/dev/null || fail "a changed second disk, anew"
whole "a changed second disk" out/web
