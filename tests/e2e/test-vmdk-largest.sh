#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An empty VMDK of 62 TiB, VMware's largest, is mapped and checked in seconds and
# little memory.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
workdir

qemu-img create -q -f vmdk -o subformat=monolithicSparse big.vmdk 62T
# A sanitizer reserves terabytes of addresses: no limit there.
[ -n "${V2V_TEST_LDFLAGS:-}" ] || ulimit -v 2000000
timeout 60 "$abs_top_builddir/run" v2v map big.vmdk >map
grep -q hole map || fail "$(cat map)"

# Its tables are 8 GiB of holes: checked without reading each of them, and one
# wrong entry among them is still found.
timeout 60 "$abs_top_builddir/run" v2v check big.vmdk >checked
grep -q "sound; 0 of 1040187392 blocks" checked || fail "$(cat checked)"
printf '\377\377\377\177' |
    dd of=big.vmdk bs=4 seek=1250000000 conv=notrunc status=none
expect_status 3 timeout 60 "$abs_top_builddir/run" v2v check big.vmdk
