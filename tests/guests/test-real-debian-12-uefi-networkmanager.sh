#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 12 with UEFI, no fallback loader, fstab in names of NVMe disks,
# NetworkManager, and files that were deleted: started as generation 2.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
prove --initramfs-by kept --suite bookworm --firmware uefi --fallback no \
    --network networkmanager --names device --controller nvme --deleted 256
