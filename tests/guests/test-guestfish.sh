#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libguestfs sees partition table, file system and files of a real guest
# through the plugin, in place inside the OVA; and, by QEMU's own reader, in
# the VHDX that we make of it.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires_plugin
requires guestfish --version
make_guest --suite bookworm --firmware uefi --fallback no \
    --network networkmanager --names device --controller nvme --deleted 256
workdir

block=$(tar -tvR -f "$ova" | sed -n 's/^block \([0-9]*\):.*\.vmdk$/\1/p')
size=$(tar -tv -f "$ova" | awk '/\.vmdk$/ {print $3}')

# What libguestfs reads of the disk given by these arguments.
look () {
    timeout 400 guestfish --ro "$@" <<'FISH'
run
list-filesystems
part-get-parttype /dev/sda
mount-ro /dev/sda2 /
cat /etc/hostname
checksum sha256 /usr/lib/x86_64-linux-gnu/libc.so.6
checksums-out sha256 /boot -
mount-ro /dev/sda1 /boot/efi
find /boot/efi
FISH
}

nbdkit -U sock -P pid "$V2V_NBDKIT_PLUGIN" "$ova" \
    offset=$(((block + 1) * 512)) size="$size"
trap 'kill "$(cat "$work/pid")"; cleanup' EXIT
look --format=raw -a "nbd://?socket=$PWD/sock" >ova.txt ||
    fail "guestfish on the disk in the OVA"
for want in '/dev/sda2: ext4' gpt v2v-debian EFI/debian/grubx64.efi vmlinuz-; do
    grep -qF "$want" ova.txt || fail "no '$want' in: $(cat ova.txt)"
done

# QEMU's own reader of VHDX sees the same in what we write.
tar -xf "$ova"
v2v copy --no-digest --progress none ./*.vmdk disk.vhdx
qemu-img compare -f vhdx -F raw disk.vhdx "$raw" || fail "the contents differ"
look --format=vhdx -a disk.vhdx >vhdx.txt || fail "guestfish on the VHDX"
cmp ova.txt vhdx.txt || fail "the VHDX has other files than the OVA"
