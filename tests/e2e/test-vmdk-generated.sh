#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every form of VMDK that qemu-img cannot make, made by a program that knows
# nothing of our reader, reads back as the raw disk it was made from; streams
# also through a pipe; children on their parents.
. "$abs_top_srcdir/tests/functions.sh"
mkvmdk=$abs_top_builddir/tests/gen/mkvmdk
requires test -x "$mkvmdk"
workdir

# 33 MiB and 5 sectors: two grain tables, and a last grain that is cut.
truncate -s $((33 * 1024 * 1024 + 5 * 512)) disk.raw
scatter () { # FILE OFFSET-IN-SECTORS COUNT
    head -c $(($3 * 512)) /dev/urandom |
        dd of="$1" bs=512 seek="$2" conv=notrunc iflag=fullblock status=none
}
scatter disk.raw 0 300
scatter disk.raw 6001 129
scatter disk.raw 20480 2048
scatter disk.raw 65530 40
scatter disk.raw 67587 2
cp disk.raw now.raw
dd if=/dev/zero of=now.raw bs=64K seek=1 count=1 conv=notrunc status=none
scatter now.raw 40000 77
scatter now.raw 67588 1

same () { v2v compare --strict-size "$1" "$2" || fail "$1 differs from $2"; }

for kind in stream stream-front sparse cowd sesparse split flat custom; do
    for option in "" --shuffle --zero-gte; do
        case $kind$option in cowd--zero-gte | flat--*) continue ;; esac
        # shellcheck disable=SC2086
        "$mkvmdk" $option $kind disk.raw $kind$option.vmdk
        same $kind$option.vmdk disk.raw
    done
done
for version in 1 2 3; do
    "$mkvmdk" --version $version sparse disk.raw version.vmdk
    same version.vmdk disk.raw
    "$mkvmdk" --version $version stream disk.raw version.vmdk
    same version.vmdk disk.raw
done
head -c $((8 * 1024 * 1024)) disk.raw > small.raw
"$mkvmdk" --sector-size 4096 flat small.raw sector.vmdk
same sector.vmdk small.raw

# Forwards only.
for file in stream stream--shuffle stream--zero-gte stream-front \
    stream-front--shuffle; do
    # shellcheck disable=SC2002
    cat $file.vmdk | v2v copy --no-digest - $file.raw
    cmp $file.raw disk.raw || fail "$file.vmdk through a pipe"
done

# A child and a grandchild over a flat disk.
"$mkvmdk" --cid 00000001 flat disk.raw base.vmdk
for kind in sparse cowd sesparse; do
    "$mkvmdk" --parent base.vmdk --base disk.raw --cid 00000002 \
        --parent-cid 00000001 $kind now.raw child-$kind.vmdk
    same child-$kind.vmdk now.raw
    "$mkvmdk" --parent child-$kind.vmdk --base now.raw --zero-gte --version 2 \
        --parent-cid 00000002 sparse disk.raw grandchild.vmdk
    same grandchild.vmdk disk.raw
    "$mkvmdk" --parent base.vmdk --base disk.raw --parent-cid 00000009 \
        $kind now.raw wrong.vmdk
    expect_status 7 v2v compare wrong.vmdk now.raw
    case $out in *00000009*) ;; *) fail "no CID is named: $out" ;; esac
done

# The maker is no friend of the reader only: qemu-img agrees where it can.
if qemu-img --version >/dev/null 2>&1; then
    for kind in stream stream--shuffle stream-front sparse cowd sesparse flat; do
        qemu-img compare -f vmdk -F raw $kind.vmdk disk.raw >/dev/null ||
            fail "qemu-img reads $kind.vmdk otherwise"
    done
fi
