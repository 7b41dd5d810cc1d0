#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# On a file system with shared blocks nothing is copied: a flat and a sparse
# VMDK to fixed and dynamic disks share their blocks with the source, by the
# file system's own figures, and the contents are right.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
requires mkfs.xfs -V
requires test "$(id -u)" = 0
workdir
truncate -s 600M xfs.img
mkfs.xfs -q -m reflink=1 xfs.img || {
    echo "SKIP: this mkfs.xfs knows no shared blocks" >&2; exit 77; }
mkdir mnt
mount -o loop xfs.img mnt 2>/dev/null || {
    echo "SKIP: no loop mounts here" >&2; exit 77; }
trap 'umount "$work/mnt"; cleanup' EXIT

# 64 MiB of data, a hole of 64 MiB, 16 MiB and an odd end.
seq 1 10000000 > mnt/disk.raw
truncate -s 64M mnt/disk.raw
seq 5 3000000 > more.raw
truncate -s $((16 * 1048576 + 512)) more.raw
dd if=more.raw of=mnt/disk.raw bs=1M seek=128 conv=notrunc status=none
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat mnt/disk.raw \
    mnt/flat.vmdk
qemu-img convert -f raw -O vmdk mnt/disk.raw mnt/sparse.vmdk

used () { sync; df --output=used -B1K mnt | tail -1; }

for source in flat sparse; do
    for kind in vhdx:fixed vhdx:dynamic vhd:fixed; do
        format=${kind%:*}
        qformat=$format
        [ "$format" != vhd ] || qformat=vpc
        before=$(used)
        v2v copy --no-digest --no-space-check --subformat "${kind#*:}" \
            "mnt/$source.vmdk" "mnt/out.$format" > log
        after=$(used)
        # 80 MiB are in there; 8 MiB is far less than a copy of any of it.
        [ $((after - before)) -lt 8192 ] ||
            fail "$source to $kind: $((after - before)) KiB are new"
        grep -q shared log || fail "not said: $(cat log)"
        v2v compare "mnt/out.$format" mnt/disk.raw
        qemu-img compare -f "$qformat" -F raw "mnt/out.$format" \
            mnt/disk.raw ||
            fail "$source to $kind: qemu-img sees another disk"
        rm "mnt/out.$format"
    done
done

# With a digest that may not be left out the data is read, and still shared.
v2v copy --digest --json --no-space-check --subformat fixed mnt/flat.vmdk \
    mnt/out.vhd > shared.json
v2v copy --digest --json --no-space-check --subformat fixed mnt/flat.vmdk \
    out.vhd > copied.json
[ "$(grep -o 'sha256-2m[^,}]*' shared.json)" = \
  "$(grep -o 'sha256-2m[^,}]*' copied.json)" ] || fail "digests differ"
