#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real file system that fills up: one clear error, the source untouched,
# nothing under the final name; with more room --resume goes on without
# writing again what was safely written.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-img --version
requires test "$(id -u)" = 0
workdir
mkdir full
mount -t tmpfs -o size=24m none full 2>/dev/null || {
    echo "SKIP: no tmpfs can be mounted here" >&2; exit 77; }
trap 'umount "$work/full"; cleanup' EXIT

seq 1 8000000 > disk.raw
truncate -s 60000256 disk.raw
qemu-img convert -f raw -O vmdk disk.raw disk.vmdk
before=$(sha256_of disk.vmdk)

for format in vhdx vhd; do
    got=0
    # Few blocks of 2 MiB are under way at once, whatever the host has.
    v2v copy --threads 2 --no-space-check disk.vmdk "full/disk.$format" 2> err || got=$?
    [ "$got" = 5 ] || fail "status $got: $(cat err)"
    grep -q 'No space left on device' err || fail "not clear: $(cat err)"
    [ "$(grep -c '^v2v: ' err)" = 1 ] || fail "not one error: $(cat err)"
    [ ! -e "full/disk.$format" ] || fail "something has the final name"
    [ "$(sha256_of disk.vmdk)" = "$before" ] || fail "the source changed"
    # Room for the last checkpoint was kept.
    [ -e "full/disk.$format.part" ] || fail "$format: all is lost"
    mount -o remount,size=200m full
    v2v copy --resume --json --no-space-check disk.vmdk "full/disk.$format" \
        >json || fail "$format: resume"
    jq -e '.resumed_bytes > 6000000' json >/dev/null ||
        fail "$format: copied anew: $(cat json)"
    v2v compare "full/disk.$format" disk.raw
    rm -f full/*
    mount -o remount,size=24m full
done
