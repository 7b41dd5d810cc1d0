#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 12 on LVM whose initramfs has no driver of Hyper-V
# (MODULES=dep): it is rebuilt by update-initramfs.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
prove --initramfs-by rebuilt --suite bookworm --storage lvm --modules dep
