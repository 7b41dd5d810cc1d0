#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v customize without an appliance: what is refused, that a refusal leaves
# the disk and its folder as they were, and that a run which was interrupted
# while it wrote is completed by --resume and blocks all others until then.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
requires qemu-io --version
workdir
export LIBGUESTFS_PATH=$PWD/nowhere

truncate -s 16M base.raw
printf 'left as it is' | dd of=base.raw bs=1M seek=3 conv=notrunc status=none
v2v copy --progress none base.raw -O vhdx disk.vhdx >/dev/null
before=$(sha256sum <disk.vhdx)
echo 'true' >setup.sh

unchanged () {
    [ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "$1: the disk was written"
    [ ! -e disk.vhdx.v2v-customize ] || fail "$1: something is left"
}
expect_status 2 v2v customize
expect_status 2 v2v customize disk.vhdx
expect_status 2 v2v customize --operations nonsense --generalize disk.vhdx
expect_status 2 v2v customize --operations machine-id --firstboot setup.sh disk.vhdx
expect_status 2 v2v customize --resume disk.vhdx
expect_status 2 v2v customize --resume --generalize disk.vhdx
expect_status 2 v2v customize --dry-run -o new.vhdx --generalize disk.vhdx
expect_status 2 v2v customize --generalize -o base.raw disk.vhdx
v2v copy --progress none base.raw -O vmdk disk.vmdk >/dev/null
expect_status 4 v2v customize --generalize disk.vmdk
v2v customize --operations help | grep -q '^\* machine-id ' || fail "--operations help"
unchanged "mistakes"

# Without an appliance nothing is changed, and nothing stays.
for how in '' '-o new.vhdx' '--dry-run'; do
    # shellcheck disable=SC2086
    if v2v customize --firstboot setup.sh $how disk.vhdx 2>log; then
        fail "succeeded without an appliance: $how"
    fi
    unchanged "$how"
    [ -z "$(ls -d new* 2>/dev/null)" ] || fail "$how: new files"
done

# As a run leaves it that was killed while it merged: overlay and mark.
mkdir disk.vhdx.v2v-customize
qemu-img create -q -f qcow2 -b "$PWD/base.raw" -F raw \
    disk.vhdx.v2v-customize/disk1.qcow2
qemu-io -f qcow2 -c 'write -P 0x41 5M 64k' -c 'write -z 3M 64k' \
    disk.vhdx.v2v-customize/disk1.qcow2 >/dev/null
qemu-img rebase -q -u -f qcow2 -b '' disk.vhdx.v2v-customize/disk1.qcow2
echo disk.vhdx >disk.vhdx.v2v-customize/complete
expect_status 2 v2v customize --generalize disk.vhdx
[ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "written before --resume"
v2v customize --resume disk.vhdx || fail "--resume"
[ ! -e disk.vhdx.v2v-customize ] || fail "--resume left its folder"
cp base.raw want.raw
head -c 65536 /dev/zero | tr '\0' A | dd of=want.raw bs=1M seek=5 conv=notrunc status=none
dd if=/dev/zero of=want.raw bs=64k count=1 seek=48 conv=notrunc status=none
v2v compare disk.vhdx want.raw || fail "the merged disk"
v2v check disk.vhdx || fail "check"
