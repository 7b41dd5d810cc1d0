#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The plugin serves a chain as one disk, finds parents in search=, reads a
# disk inside a tar in place, and a disk of a package with its pieces there.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
requires_plugin
requires nbdcopy --version
requires qemu-img --version
workdir

mkdir parents
seq 200000 >base.raw
truncate -s 8M base.raw
qemu-img convert -f raw -O vmdk base.raw parents/base.vmdk
qemu-img create -q -f vmdk -b parents/base.vmdk -F vmdk top.vmdk
qemu-io -f vmdk -c 'write -P 0x77 1M 200k' -c 'write -P 0 3M 64k' top.vmdk >/dev/null
qemu-img convert -f vmdk -O raw top.vmdk want.raw

nbdkit -U - "$V2V_NBDKIT_PLUGIN" top.vmdk search=parents \
    --run 'nbdcopy "$uri" got.raw' || fail "the chain is not served"
cmp got.raw want.raw || fail "the chain has other bytes"

expect_status 1 nbdkit -U - "$V2V_NBDKIT_PLUGIN" top.vmdk --run true
case $out in *base.vmdk*) ;; *) fail "does not name the parent: $out" ;; esac

# the disk in a tar begins one block behind its header
tar -cf box.tar base.raw parents/base.vmdk
line=$(tar -tvR -f box.tar | grep base.vmdk)
block=$(echo "$line" | sed 's/^block \([0-9]*\):.*/\1/')
size=$(stat -c %s parents/base.vmdk)
nbdkit -U - "$V2V_NBDKIT_PLUGIN" box.tar offset=$(((block + 1) * 512)) size="$size" \
    --run 'nbdcopy "$uri" inside.raw' || fail "not served from inside a tar"
cmp inside.raw base.raw || fail "other bytes from inside a tar"

# A disk of a package: its extents are members, too.
requires jq --version
qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentFlat base.raw two.vmdk
[ -e two-f001.vmdk ] || fail "no extent of its own"
make_ovf web two.vmdk
tar -cf m.ova m.ovf two.vmdk two-f001.vmdk
mkdir alone
mv m.ova alone
nbdkit -U - "$V2V_NBDKIT_PLUGIN" package=alone/m.ova disk=two.vmdk \
    --run 'nbdcopy "$uri" member.raw' || fail "not served from a package"
cmp member.raw base.raw || fail "other bytes from a package"
expect_status 1 nbdkit -U - "$V2V_NBDKIT_PLUGIN" package=alone/m.ova \
    disk=three.vmdk --run true
case $out in *"describes no disk 'three.vmdk'"*) ;; *) fail "$out" ;; esac
