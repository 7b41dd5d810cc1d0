#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "-" is a streamOptimized disk that comes through a pipe, or any disk that the
# shell opened as a file.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
requires jq --version
workdir

head -c 5000000 /dev/urandom >src.raw
truncate -s 9M src.raw
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized src.raw s.vmdk

cat s.vmdk | v2v copy - pipe.vhdx >/dev/null || fail "a pipe"
v2v compare src.raw pipe.vhdx || fail "a pipe: another disk"
v2v copy - file.vhdx <s.vmdk >/dev/null || fail "a file as standard input"
v2v compare src.raw file.vhdx || fail "a file: another disk"
v2v copy - other.vhd <file.vhdx >/dev/null || fail "a VHDX as standard input"
v2v compare src.raw other.vhd || fail "VHDX: another disk"

# What is known after the first bytes, and what only at the end.
[ "$(cat s.vmdk | v2v info --json - | jq .virtual_bytes)" = $((9 << 20)) ] ||
    fail "info of a pipe"

# A stream that ends early leaves nothing, not even to be resumed.
status=0
head -c 3000000 s.vmdk | v2v copy - cut.vhdx 2>err || status=$?
[ $status = 3 ] || [ $status = 5 ] || fail "cut stream: status $status"
[ ! -e cut.vhdx ] && [ ! -e cut.vhdx.part ] || fail "something is left"
[ "$(wc -l <err)" -le 2 ] || fail "$(cat err)"

# What cannot come through a pipe is refused.
status=0
cat file.vhdx | v2v copy - no.vhdx 2>err || status=$?
[ $status != 0 ] && [ ! -e no.vhdx ] || fail "a VHDX through a pipe"
expect_status 2 v2v copy --resume - r.vhdx
