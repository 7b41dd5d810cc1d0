#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The nbdkit plugin serves images that QEMU wrote, byte for byte, with their
# holes, to several clients at once.
. "$abs_top_srcdir/tests/functions.sh"
requires_plugin
requires nbdinfo --version
requires nbdcopy --version
requires qemu-img --version
workdir

# 24 MiB: data, a hole, data across a 64 KiB boundary, a hole up to the end
truncate -s 24M disk.raw
seq 100000 | dd of=disk.raw conv=notrunc status=none
seq 1000000 1400000 |
    dd of=disk.raw conv=notrunc oflag=seek_bytes seek=9999872 status=none

serves () { # FILE [PARAMETER...]
    nbdkit -U - "$V2V_NBDKIT_PLUGIN" "$@" --run 'nbdcopy "$uri" out.raw' ||
        fail "$* is not served"
    cmp out.raw disk.raw || fail "$*: other bytes"
    rm out.raw
}

qemu-img convert -f raw -O vmdk disk.raw sparse.vmdk
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk
qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentFlat disk.raw flat.vmdk
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw disk.vhdx
qemu-img convert -f raw -O vpc -o force_size=on disk.raw disk.vhd
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
for f in sparse.vmdk stream.vmdk flat.vmdk disk.vhdx disk.vhd disk.qcow2 disk.raw
do
    serves $f
done
cp disk.raw disk.bin
serves disk.bin format=raw

# holes are told, and what a client needs to be parallel
nbdkit -U - "$V2V_NBDKIT_PLUGIN" stream.vmdk --run 'nbdinfo --json "$uri"' >info.json
for want in '"can_multi_conn": true' '"is_read_only": true' \
            '"export-size": 25165824' '"base:allocation"'
do
    grep -qF "$want" info.json || fail "no $want in $(cat info.json)"
done
nbdkit -U - "$V2V_NBDKIT_PLUGIN" stream.vmdk --run 'nbdinfo --map --totals "$uri"' >map
zero=$(awk '$3 == 3 {print $1}' map)
[ "${zero:-0}" -gt 20000000 ] || fail "holes are not told: $(cat map)"
