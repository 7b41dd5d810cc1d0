#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The disk is full while the guest is changed (a few MiB: not even the overlay
# fits) and while it is copied: an error in time, the source untouched,
# nothing under a final name.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
make_guest --suite bookworm --firmware uefi --fallback no \
    --network networkmanager --names device --controller nvme --deleted 256
workdir
before=$(sha256_of "$ova")
mkdir small
trap 'umount "$work/small" 2>/dev/null || :; cleanup' EXIT

full () { # MIB
    requires $as_root mount -t tmpfs -o "size=${1}m" tmpfs small
    status=0
    timeout 500 "$abs_top_builddir/run" v2v convert --no-space-check \
        --progress none -o small "$ova" >"full-$1.log" 2>&1 || status=$?
    cat "full-$1.log"
    df -h small
    [ $status != 0 ] || fail "$1 MiB were enough"
    [ $status -lt 124 ] || fail "$1 MiB: v2v convert hung or died: $status"
    grep -qi 'no space\|full' "full-$1.log" ||
        fail "$1 MiB: the error does not say that the disk is full"
    [ "$(sha256_of "$ova")" = "$before" ] || fail "the source was changed"
    final=$(find small -mindepth 1 -maxdepth 1 ! -name '.*' ! -name '*.part')
    [ -z "$final" ] || fail "under a final name: $final"
    $as_root umount small
}
full 4
full 200
