#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk whose one partition is LUKS (constructed: the header is real, nothing
# is inside): without a key and with a wrong one it is refused, with what to do
# about it; nothing is written, and the key is in no output.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires_plugin
requires cryptsetup --version
requires sfdisk --version
workdir

truncate -s 63M part.raw
printf 'the right passphrase' >right
printf 'swordfish-4711' >wrong
# Cheap to try: the time of a real one is not the point.
cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
    --pbkdf-force-iterations 1000 --key-file right part.raw ||
    { echo 'SKIP: cryptsetup cannot make a header here' >&2; exit 77; }
truncate -s 64M disk.raw
echo '2048,,83,*' | sfdisk -q disk.raw
dd if=part.raw of=disk.raw bs=1M seek=1 conv=notrunc status=none
qemu-img convert -f raw -O vmdk disk.raw disk.vmdk
cat >guest.vmx <<'VMX'
config.version = "8"
virtualHW.version = "14"
displayName = "sealed"
guestOS = "debian12-64"
memsize = "512"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "disk.vmdk"
VMX
before=$(sha256_of disk.vmdk)

refused () { # NAME TEXT OPTION...
    local name=$1 text=$2 status=0
    shift 2
    v2v convert --progress none -o out "$@" guest.vmx >"$name.log" 2>&1 ||
        status=$?
    [ $status = 6 ] || { cat "$name.log"; fail "$name: exit status $status"; }
    grep -q "$text" "$name.log" || { cat "$name.log"; fail "$name: not '$text'"; }
    ! grep -q swordfish "$name.log" || fail "$name: the key is in the output"
    [ "$(sha256_of disk.vmdk)" = "$before" ] || fail "$name: the source was changed"
    [ ! -e out/sealed ] || fail "$name: something has the final name"
}

refused none 'it is encrypted (crypto_LUKS) and there is no key for it'
refused wrong 'the key does not open /dev/sda1: .*No key available' \
    --key "all:$work/wrong"
refused both 'none of the keys opens /dev/sda1' \
    --key "/dev/sda1:$work/wrong" --key "all:$work/wrong"
# The right one among them opens it; there is no system inside.
status=0
v2v convert --progress none -o out --key "all:$work/wrong" \
    --key "/dev/sda1:$work/right" guest.vmx >right.log 2>&1 || status=$?
! grep -q 'open' right.log && [ $status = 0 ] ||
    { cat right.log; fail "the right key: exit status $status"; }
