#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Debian 13 whose initramfs was made by dracut.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
. "$abs_top_srcdir/tests/guests/prove-guest.sh"
prove --initramfs-by kept --suite trixie --initramfs dracut --controller sata
