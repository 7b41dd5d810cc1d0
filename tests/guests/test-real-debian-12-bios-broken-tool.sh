#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 12 without drivers of Hyper-V whose update-initramfs fails: an
# archive is appended, and the machine starts.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
prove --initramfs-by appended --suite bookworm --modules dep --broken initramfs
