#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 11, root on LUKS, netplan: converted and started as generation
# 1, its passphrase typed on the serial line.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
# A passphrase needs a keyboard before the root is there: its driver is missing.
prove --initramfs-by rebuilt --suite bullseye --storage luks --network netplan \
    --controller lsilogic
