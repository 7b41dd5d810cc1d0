#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 13 with UEFI, root in a subvolume of btrfs, systemd-networkd.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
prove --initramfs-by kept --suite trixie --firmware uefi --fallback no \
    --storage btrfs --network networkd
