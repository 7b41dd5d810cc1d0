#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk served over NBD is a source like a file: copied with its holes,
# compared, mapped.  What cannot be reached is an I/O error.
. "$abs_top_srcdir/tests/functions.sh"
requires_libnbd
requires nbdkit --version
requires qemu-img --version
workdir

truncate -s 64M disk.raw
seq 300000 | dd of=disk.raw conv=notrunc oflag=seek_bytes seek=5M status=none

nbdkit -U sock -P pid --exit-with-parent file disk.raw &
server=$!
for _ in $(seq 100); do [ -e pid ] && break; sleep 0.1; done
uri="nbd+unix:///?socket=$PWD/sock"
v2v copy --no-digest "$uri" copy.vhdx
qemu-img compare -f vhdx -F raw copy.vhdx disk.raw || fail "other bytes"
v2v compare "$uri" copy.vhdx || fail "compare sees a difference"
# data of 2 MiB: not the whole disk was written
[ "$(stat -c %s copy.vhdx)" -lt 20000000 ] || fail "the holes were lost"
v2v map "$uri" >map
grep -q zero map || fail "no zeros in the map: $(cat map)"
kill $server
wait $server || true

expect_status 5 v2v map "$uri"
case $out in *"$uri"*) ;; *) fail "does not name the URI: $out" ;; esac
