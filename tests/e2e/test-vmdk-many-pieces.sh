#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk in more pieces than the usual soft limit of open files is read: the
# program raises its limit to what the administrator allows.
. "$abs_top_srcdir/tests/functions.sh"
workdir
hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -ge 1500 ] || { echo "SKIP: hard limit $hard" >&2; exit 77; }
ulimit -Sn 256

n=600
{
    printf '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n'
    for ((i = 1; i <= n; i++)); do
        printf 'RW 8 FLAT "p-f%03d.vmdk" 0\n' $i
        printf '%-4096d' $i >"$(printf p-f%03d.vmdk $i)"
    done
    printf 'ddb.adapterType = "lsilogic"\n'
} >p.vmdk
for ((i = 1; i <= n; i++)); do cat "$(printf p-f%03d.vmdk $i)"; done >want.raw
v2v copy p.vmdk got.raw >/dev/null || fail "not copied"
cmp want.raw got.raw
