#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian with UEFI firmware, converted from its OVA, starts from our
# VHDX as generation 2 starts it: UEFI finds \EFI\BOOT\BOOTX64.EFI on a SCSI
# disk without any boot entry, for Hyper-V knows none of the source's.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires qemu-system-x86_64 --version
requires test -e /usr/share/OVMF/OVMF_CODE_4M.fd
make_guest uefi
workdir
convert_guest

qemu-img compare -f vhdx -F raw "$vhdx" "$raw" || fail "the contents differ"
grep -q '"generation": 2' "$(dirname "$vhdx")"/*.json || fail "not generation 2"
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
boots gen2 240 -machine q35 \
    -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
    -drive if=pflash,format=raw,file=vars.fd \
    -device virtio-scsi-pci \
    -drive "if=none,id=disk,format=vhdx,file=$vhdx,snapshot=on" \
    -device scsi-hd,drive=disk
