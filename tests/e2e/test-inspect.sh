#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v inspect without an appliance: disks, partitions, states of file systems,
# refusals.  LIBGUESTFS_PATH leads nowhere, so that a start would fail.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires sfdisk --version
requires mke2fs -V
requires debugfs -V
workdir
export LIBGUESTFS_PATH=$PWD/nowhere

# A blank disk: data, no appliance.
truncate -s 64M blank.raw
v2v inspect --json blank.raw >out.json || fail "blank"
[ "$(jq -r '.machines[0].conversion' out.json)" = data ] || fail "blank: conversion"
[ "$(jq -r '.machines[0].disks[0].size_bytes' out.json)" = 67108864 ] || fail "size"
v2v inspect blank.raw | grep -q 'copied as data' || fail "blank: text"

# Two partitions, in a VMDK.
truncate -s 64M disk.raw
sfdisk -q disk.raw <<'END'
label: gpt
start=2048, size=32768
start=34816, size=65536
END
mke2fs -q -F -t ext4 -L boot -E offset=1048576 disk.raw 16M
mke2fs -q -F -t ext4 -L data -E offset=17825792 disk.raw 32M
v2v copy disk.raw -O vmdk disk.vmdk
sum=$(sha256sum <disk.vmdk)
v2v inspect --no-start --json disk.vmdk >out.json || fail "--no-start"
[ "$(jq -r '.machines[0].conversion' out.json)" = unknown ] || fail "--no-start"
[ "$(jq -r '.machines[0].disks[0].table' out.json)" = gpt ] || fail "table"
[ "$(jq -r '[.machines[0].disks[0].partitions[] | "\(.number) \(.type) \(.label) \(.length_bytes) \(.clean)"] | join(";")' out.json)" = \
    "1 ext4 boot 16777216 true;2 ext4 data 33554432 true" ] || fail "partitions"
v2v inspect --no-start disk.vmdk >text || fail "text"
grep -q '^ *2 ext4 .*"data"$' text || fail "text: partition"

# A file system that was in use is a refusal, before any start; an answer.
dd if=disk.raw of=part bs=512 skip=34816 count=65536 status=none
debugfs -w -R 'feature needs_recovery' part >/dev/null 2>&1
dd if=part of=disk.raw bs=512 seek=34816 conv=notrunc status=none
v2v inspect --json disk.raw >out.json || fail "a refusal is an answer"
[ "$(jq -r '.machines[0].conversion' out.json)" = refused ] || fail "refused"
jq -r '.machines[0].reason' out.json | grep -q 'partition 2: the ext4' || fail "reason"
[ "$(jq -r '.machines[0].findings[] | select(.id == "guest.gate.dirty").severity' out.json)" = critical ] ||
    fail "finding"
[ "$(jq -r '.machines[0].disks[0].partitions[1].clean' out.json)" = false ] || fail "clean"
v2v inspect disk.raw >text || fail "text of a refusal"
grep -q '^  conversion   refused: disk 1, partition 2' text || fail "text: refused"
grep -q 'NOT CLEAN: the flag needs_recovery' text || fail "text: not clean"
v2v inspect --no-start --allow-dirty --json disk.raw >out.json
[ "$(jq -r '.machines[0].conversion' out.json)" = unknown ] || fail "--allow-dirty"
[ "$(jq -r '.machines[0].findings[0].severity' out.json)" = warning ] || fail "warning"

# Where a guest would have to be looked into, an appliance is needed.
if v2v inspect disk.vmdk >/dev/null 2>log; then fail "without an appliance"; fi
[ -s log ] || fail "no reason"
[ "$sum" = "$(sha256sum <disk.vmdk)" ] || fail "the source was written"
expect_status 2 v2v inspect -
expect_status 2 v2v inspect --generation 3 disk.vmdk
