#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every form of VMDK that qemu-img can make decodes to what went into it, also
# across the seams of a split disk; a stream does so through a pipe, too.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
workdir

# Just over 4 GiB: three pieces, data at both seams, a last grain that is cut.
size=$((4 * 1024 * 1024 * 1024 + 37 * 512))
truncate -s $size disk.raw
put () { dd if=/dev/urandom of=disk.raw bs=512 seek="$1" count="$2" \
            conv=notrunc status=none; }
put 0 3
put 4194300 200      # across 2 GiB
put 8388600 8        # up to 4 GiB
put 8388644 1        # the last sector
seq 400000 | dd of=disk.raw bs=1M seek=100 conv=notrunc status=none

for form in monolithicSparse monolithicFlat twoGbMaxExtentSparse \
            twoGbMaxExtentFlat streamOptimized; do
    mkdir $form
    qemu-img convert -f raw -O vmdk -o subformat=$form disk.raw $form/d.vmdk
    v2v check $form/d.vmdk >/dev/null || fail "$form: not sound"
    v2v copy --no-digest $form/d.vmdk $form.vhdx
    qemu-img compare -q -f vhdx -F raw $form.vhdx disk.raw ||
        fail "$form: other bytes"
    rm $form.vhdx
done

# A grain of each that was compressed is damaged: nobody gets a disk.
printf 'XX' | dd of=streamOptimized/d.vmdk bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s streamOptimized/d.vmdk) - 66000))
expect_status 3 v2v copy streamOptimized/d.vmdk bad.vhdx
[ ! -e bad.vhdx ] || fail "a damaged disk was published"

# A piece that is missing, or cut, is named.
mv twoGbMaxExtentFlat/d-f002.vmdk gone
expect_status 5 v2v copy twoGbMaxExtentFlat/d.vmdk bad.vhdx
case $out in *d-f002.vmdk*) ;; *) fail "$out" ;; esac
head -c 1000000 gone >twoGbMaxExtentFlat/d-f002.vmdk
expect_status 3 v2v copy twoGbMaxExtentFlat/d.vmdk bad.vhdx
case $out in *truncated*) ;; *) fail "$out" ;; esac
