#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian with BIOS firmware, converted from its OVA, starts from our
# VHDX as generation 1 starts it: the first disk on IDE.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires qemu-system-x86_64 --version
make_guest bios
workdir
convert_guest

qemu-img compare -f vhdx -F raw "$vhdx" "$raw" || fail "the contents differ"
grep -q '"generation": 1' "$(dirname "$vhdx")"/*.json || fail "not generation 1"
boots gen1 240 -machine pc \
    -drive "if=ide,format=vhdx,file=$vhdx,snapshot=on"
