#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# qcow2 is copied like the rest; one that names other files of this host is
# refused, and no byte of those files gets out.
. "$abs_top_srcdir/tests/functions.sh"
requires_libnbd
requires qemu-img --version
requires qemu-nbd --version
workdir

seq 300000 >disk.raw
truncate -s 16M disk.raw
qemu-img convert -f raw -O qcow2 -c disk.raw disk.qcow2
v2v copy --no-digest disk.qcow2 disk.vhdx
qemu-img compare -f vhdx -F raw disk.vhdx disk.raw || fail "other bytes"

echo "secret of the host" >secret
truncate -s 1M secret
qemu-img create -q -f qcow2 -b "$PWD/secret" -F raw evil.qcow2
expect_status 4 v2v copy evil.qcow2 evil.vhdx
case $out in *"names a backing file"*) ;; *) fail "$out" ;; esac
[ ! -e evil.vhdx ] || fail "something was written"

qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on ext.qcow2 1M
expect_status 4 v2v copy ext.qcow2 ext.vhdx
case $out in *"names an external data file"*) ;; *) fail "$out" ;; esac

# of one's own, on request
v2v copy --no-digest --force evil.qcow2 mine.vhdx
qemu-img compare -f vhdx -F raw mine.vhdx secret || fail "--force: other bytes"
