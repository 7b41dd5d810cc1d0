#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The largest disks of each format, with a little data at both ends, are
# converted in seconds, in little memory, into little files.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

# Peak memory in KiB, what is measured goes to $took (seconds).
measure () {
    local begin=$SECONDS
    "$@" >measured 2>&1 || fail "$*: $(cat measured)"
    took=$((SECONDS - begin))
    [ $took -lt 30 ] || fail "$*: took $took seconds"
}

# Data at the ends of a disk that is written in place: a small disk's blocks
# inside a large one need a source that is large and sparse; VHDX can be.
v2v copy --no-digest null:64T empty.vhdx >/dev/null
[ "$(v2v info --json empty.vhdx | jq .virtual_bytes)" = $((64 << 40)) ] ||
    fail "not 64 TiB"
measure v2v copy empty.vhdx again.vhdx
measure v2v map --json again.vhdx
jq -e '.hole_bytes + .zero_bytes == 64 * 1024 * 1024 * 1024 * 1024' measured \
    >/dev/null || fail "map: $(head -c 300 measured)"
measure v2v check again.vhdx
measure v2v compare empty.vhdx again.vhdx
measure v2v digest again.vhdx
[ "$(du -k again.vhdx | cut -f1)" -lt 65536 ] || fail "again.vhdx is large"

# 64 TiB are the most, and VHD ends at 2040 GiB.
expect_status 2 v2v copy null:70368744178176 over.vhdx
[[ $out == *over.vhdx* ]] || fail "$out"
measure v2v copy null:2040G big.vhd
measure v2v map big.vhd
status=0
v2v copy null:2041G over.vhd >out 2>&1 || status=$?
[ $status = 2 ] || [ $status = 4 ] || fail "2041 GiB as VHD: status $status"
[ ! -e over.vhd ] && [ ! -e over.vhdx ] || fail "something is left"

# Data in the last block: a sparse file as large as the file system allows.
for size in 62T 15T 7T 1T; do
    truncate -s $size src.raw 2>/dev/null && break
done
printf first | dd of=src.raw conv=notrunc status=none
printf last | dd of=src.raw conv=notrunc status=none oflag=seek_bytes \
    seek=$(($(stat -c %s src.raw) - 512))
measure v2v copy src.raw ends.vhdx
measure v2v compare src.raw ends.vhdx
[ "$(v2v map --json ends.vhdx | jq '[.extents[] | select(.kind == "data")] | length')" \
    -ge 2 ] || fail "the ends are not there"
[ "$(du -k ends.vhdx | cut -f1)" -lt 65536 ] || fail "ends.vhdx is large"

# A bound on memory: address space would be too strict, resident is what
# counts.  VmHWM is asked by a wrapper that prints its child's.
if /usr/bin/time -f %M true 2>/dev/null; then
    rm again.vhdx
    /usr/bin/time -f %M -o peak v2v copy empty.vhdx again.vhdx >/dev/null
    [ "$(tail -1 peak)" -lt 131072 ] || fail "peak memory $(tail -1 peak) KiB"
fi
