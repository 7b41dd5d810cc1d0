#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A streamOptimized disk from a pipe gives the same disk and the same digest
# as the file read at random; a stream that ends early leaves nothing behind.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
workdir

# 40 MiB: data, a hole, data that is zeros in places, a last partial block.
seq 1 1200000 > disk.raw
head -c 7777777 /dev/zero >> disk.raw
seq 1 1500000 >> disk.raw
truncate -s 41943552 disk.raw
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw s.vmdk

v2v copy --digest --json s.vmdk random.vhdx > random.json
for threads in 1 2 5; do
    for format in vhdx vhd; do
        rm -f "stream.$format"
        v2v copy --digest --json --threads $threads - "stream.$format" \
            < <(cat s.vmdk) > stream.json
        v2v compare "stream.$format" disk.raw
        [ "$(grep -o 'sha256-2m[^,}]*' stream.json)" = \
          "$(grep -o 'sha256-2m[^,}]*' random.json)" ] ||
            fail "digests differ: $(cat stream.json random.json)"
        grep -q 'sha256-2m' stream.json || fail "there is no digest"
    done
done
qemu-img compare -f vhdx -F raw stream.vhdx disk.raw

rm -f stream.vhdx
size=$(stat -c %s s.vmdk)
for cut in 100 70000 $((size / 2)) $((size * 3 / 4)); do
    got=0
    head -c "$cut" s.vmdk | v2v copy - cut.vhdx 2> err || got=$?
    [ "$got" = 3 ] || [ "$got" = 5 ] || fail "cut at $cut: status $got: $(cat err)"
    [ "$(grep -c '^v2v: ' err)" = 1 ] || fail "not one error: $(cat err)"
    [ -z "$(ls cut.vhdx* 2>/dev/null)" ] || fail "left behind: $(ls cut*)"
done
