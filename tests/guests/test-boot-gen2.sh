#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian with UEFI firmware, converted from its OVA, starts from our
# VHDX as generation 2 starts it: UEFI finds \EFI\BOOT\BOOTX64.EFI on a SCSI
# disk without any boot entry, for Hyper-V knows none of the source's.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
make_guest --firmware uefi
workdir
convert_guest --no-guest

qemu-img compare -f vhdx -F raw "$vhdx" "$raw" || fail "the contents differ"
grep -q '"generation": 2' "$(dirname "$vhdx")"/*.json || fail "not generation 2"
machine_arguments 2 "$vhdx"
boots gen2 300 "${machine[@]}"
