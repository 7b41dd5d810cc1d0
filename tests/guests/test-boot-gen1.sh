#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian with BIOS firmware, converted from its OVA, starts from our
# VHDX as generation 1 starts it: the first disk on IDE.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
make_guest --firmware bios
workdir
convert_guest --no-guest

qemu-img compare -f vhdx -F raw "$vhdx" "$raw" || fail "the contents differ"
grep -q '"generation": 1' "$(dirname "$vhdx")"/*.json || fail "not generation 1"
machine_arguments 1 "$vhdx"
boots gen1 300 "${machine[@]}"
