#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What info, map and check say of a disk, as text and as JSON, and their exit
# statuses.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

head -c 3M /dev/urandom >src.raw
truncate -s 8M src.raw
v2v copy src.raw a.vhdx >/dev/null
v2v copy src.raw a.vhd >/dev/null

v2v info a.vhdx | grep -q 'format  *vhdx' || fail "info as text"
v2v info --json a.vhdx >info
[ "$(jq -r '.format + " " + .variant' info)" = "vhdx dynamic" ] ||
    fail "$(cat info)"
[ "$(jq .virtual_bytes info)" = $((8 << 20)) ] || fail "$(cat info)"
[ "$(jq .file_bytes info)" = "$(stat -c %s a.vhdx)" ] || fail "$(cat info)"
[ "$(jq -r '.id | length' info)" = 36 ] || fail "$(cat info)"

# The map covers the disk, in order, and tells data from holes.
v2v map --json a.vhd >map
jq -e '.extents | . as $e | all(range(1; length);
           $e[.].offset == $e[. - 1].offset + $e[. - 1].length)' map \
    >/dev/null || fail "gaps in the map: $(cat map)"
[ "$(jq '[.extents[].length] | add' map)" = $((8 << 20)) ] || fail "$(cat map)"
[ "$(jq '.data_bytes + .hole_bytes + .zero_bytes' map)" = $((8 << 20)) ] ||
    fail "$(cat map)"
[ "$(jq -r '.extents[-1].kind' map)" = hole ] || fail "$(cat map)"
v2v map a.vhd | tail -1 | grep -q '^data .*, zero .*, hole ' || fail "map as text"

# check: sound; damaged; wasteful; repaired.
v2v check a.vhd | grep -q 'sound' || fail "a sound disk"
[ "$(v2v check --json a.vhd | jq -r .result)" = sound ] || fail "a sound disk"
cp a.vhd bad.vhd
# The first entry of the block table (at 1536) points far outside.
printf '\x7f\xff\xff\x00' | dd of=bad.vhd bs=1 seek=1536 conv=notrunc status=none
expect_status 3 v2v check bad.vhd
[[ $out == *damage:*bad.vhd:\ damaged* ]] || fail "$out"
v2v check --json bad.vhd >report || [ $? = 3 ] || fail "status with --json"
[ "$(jq -r .result report)" = damaged ] || fail "$(cat report)"
[ "$(jq '.items | length' report)" -gt 0 ] || fail "$(cat report)"

# A hostile name in a file never reaches the terminal as it is.
cp a.vhd "$(printf 'esc\033[31m.vhd')"
v2v info "$(printf 'esc\033[31m.vhd')" | grep -q "$(printf '\033')" &&
    fail "an escape code is printed"
v2v check /dev/null >out 2>&1 && fail "/dev/null is sound"
[ "$(wc -l <out)" -le 2 ] || fail "$(cat out)"

# A full disk for the output is an error, not a silent success.
if [ -w /dev/full ]; then
    status=0
    v2v map --json a.vhd >/dev/full 2>err || status=$?
    [ $status = 5 ] || fail "/dev/full: status $status"
fi

# Nothing is changed by looking.
sum=$(sha256_of a.vhdx)
v2v info a.vhdx >/dev/null
v2v map a.vhdx >/dev/null
v2v check a.vhdx >/dev/null
[ "$(sha256_of a.vhdx)" = "$sum" ] || fail "a.vhdx was changed"

expect_status 2 v2v info
expect_status 2 v2v map a.vhd a.vhdx
expect_status 5 v2v check none.vhdx
expect_status 4 v2v check src.raw

# A disk that cannot be read is no machine: its refusal, by name.
for type in vmfsRawDeviceMap fullDevice; do
    printf '%s\n' '# Disk DescriptorFile' version=1 CID=fffffffe \
        parentCID=ffffffff "createType=\"$type\"" \
        'RW 2048 VMFSRDM "d-rdm.vmdk"' >$type.vmdk
    expect_status 4 v2v info $type.vmdk
    [[ $out == *$type.vmdk:*$type* ]] || fail "$type: $out"
done
head -c 4096 /dev/urandom >unknown.bin
expect_status 4 v2v info unknown.bin
[[ $out == *"not a disk image of a known format"* ]] || fail "$out"

# A package, whatever its name: the command that takes it.
echo x >member
tar --format=ustar -cf package.tar member
for command in map check digest; do
    expect_status 4 v2v $command package.tar
    [[ $out == *"v2v convert --dry-run"* ]] || fail "$command: $out"
done

# A parent that is missing is no damage of the child; what is wrong with the
# child itself comes first.
if qemu-img --version >/dev/null 2>&1; then
    mkdir chain
    qemu-img create -q -f vmdk chain/base.vmdk 4M
    (cd chain && qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk)
    v2v copy chain/base.vmdk chain/base.vhd >/dev/null
    v2v copy chain/base.vmdk chain/base.vhdx >/dev/null
    v2v copy --parent chain/base.vhd chain/child.vmdk chain/child.vhd >/dev/null
    v2v copy --parent chain/base.vhdx chain/child.vmdk chain/child.vhdx \
        >/dev/null
    for ext in vmdk vhd vhdx; do
        v2v check chain/child.$ext >/dev/null || fail "$ext: its parent is there"
        cp chain/child.$ext .
        expect_status 5 v2v check child.$ext
        [[ $out == *child.$ext:*"its parent '"*"' is not here"* ]] ||
            fail "$ext: $out"
        [[ $out != *damage* ]] || fail "$ext: $out"
        v2v check --no-parents child.$ext >/dev/null || fail "$ext: alone"
    done
    # The hint fits commands that have no --force.
    qemu-img create -q -f qcow2 -b a.vhdx -F vhdx overlay.qcow2
    expect_status 4 v2v compare overlay.qcow2 a.vhdx
    [[ $out == *"v2v copy --force"* ]] || fail "$out"
    printf '\x7f\xff\xff\x00' |
        dd of=child.vhd bs=1 seek=1536 conv=notrunc status=none
    expect_status 3 v2v check child.vhd
fi

# Blocks that Windows does not use.
for size in 1M 4M; do
    expect_status 2 v2v copy --block-size $size src.raw blocks.vhd
    [[ $out == *"512K or 2M"* ]] || fail "$out"
done
expect_status 2 v2v convert --disk-format vhd --block-size 4M a.vhdx -o new
[[ $out == *"512K or 2M"* ]] || fail "$out"
v2v copy --block-size 512K src.raw blocks.vhd >/dev/null
