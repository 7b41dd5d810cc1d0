#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v customize without an appliance: what is refused, that a refusal leaves
# the disk and its folder as they were, and that a run which was interrupted
# while it wrote is completed by --resume and blocks all others until then.
. "$abs_top_srcdir/tests/functions.sh"
requires qemu-img --version
requires qemu-io --version
workdir
export LIBGUESTFS_PATH=$PWD/nowhere

truncate -s 16M base.raw
printf 'left as it is' | dd of=base.raw bs=1M seek=3 conv=notrunc status=none
v2v copy --progress none base.raw -O vhdx disk.vhdx >/dev/null
before=$(sha256sum <disk.vhdx)
echo 'true' >setup.sh

unchanged () {
    [ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "$1: the disk was written"
    [ ! -e disk.vhdx.v2v-customize ] || fail "$1: something is left"
}
expect_status 2 v2v customize
expect_status 2 v2v customize disk.vhdx
expect_status 2 v2v customize --operations nonsense --generalize disk.vhdx
expect_status 2 v2v customize --operations machine-id --firstboot setup.sh disk.vhdx
expect_status 2 v2v customize --resume disk.vhdx
expect_status 2 v2v customize --resume --generalize disk.vhdx
expect_status 2 v2v customize --dry-run -o new.vhdx --generalize disk.vhdx
expect_status 2 v2v customize --generalize -o base.raw disk.vhdx
v2v copy --progress none base.raw -O vmdk disk.vmdk >/dev/null
expect_status 4 v2v customize --generalize disk.vmdk
v2v customize --operations help | grep -q '^\* machine-id ' || fail "--operations help"
unchanged "mistakes"

# Without an appliance nothing is changed, and nothing stays.
for how in '' '-o new.vhdx' '--dry-run'; do
    # shellcheck disable=SC2086
    if v2v customize --firstboot setup.sh $how disk.vhdx 2>log; then
        fail "succeeded without an appliance: $how"
    fi
    unchanged "$how"
    [ -z "$(ls -d new* 2>/dev/null)" ] || fail "$how: new files"
done

# One sentence for the second of two runs; runs that only read may be several.
requires flock --version
expect_status 2 flock disk.vhdx v2v customize --generalize disk.vhdx
echo "$out" | grep -q 'another run' || fail "second run: $out"
expect_status 2 flock disk.vhdx v2v customize --generalize -o new.vhdx disk.vhdx
expect_status 2 flock -s disk.vhdx v2v customize --generalize disk.vhdx
if flock -s disk.vhdx v2v customize --generalize -o new.vhdx disk.vhdx 2>log ||
        grep -q 'another run' log; then
    fail "two readers: $(cat log)"
fi
mkdir new.vhdx.v2v-customize
expect_status 2 flock new.vhdx.v2v-customize \
    v2v customize --generalize -o new.vhdx disk.vhdx
rmdir new.vhdx.v2v-customize
ln -s disk.vhdx link.vhdx
expect_status 2 v2v customize --generalize disk.vhdx link.vhdx
echo "$out" | grep -q 'the same disk' || fail "one disk twice: $out"
unchanged "locks"

# Outputs that are one file, before anything is started.
mkdir a b out
cp base.raw a/disk.raw
cp base.raw b/disk.raw
cp base.raw b/disk.raw.part
expect_status 2 v2v customize --generalize -o out a/disk.raw b/disk.raw
echo "$out" | grep -q "both be written to 'out/disk.raw'" || fail "names: $out"
expect_status 2 v2v customize --generalize -o out a/disk.raw b/disk.raw.part
expect_status 2 v2v customize --generalize -o x.raw b/disk.raw b/disk.raw.part
rm b/disk.raw
expect_status 2 v2v customize --generalize -o b a/disk.raw b/disk.raw.part
echo "$out" | grep -q 'b/disk.raw.part.* a disk given' ||
    fail "a disk as .part: $out"
expect_status 2 v2v customize --generalize -o b/disk.raw b/disk.raw.part
cmp base.raw b/disk.raw.part || fail "an input was written as .part"
[ -z "$(ls out)" ] || fail "left in the folder of outputs: $(ls out)"

# As a run on DISK... leaves it that was killed while it merged.
overlay () {
    qemu-img create -q -f qcow2 -b "$PWD/base.raw" -F raw "$1"
    qemu-io -f qcow2 -c 'write -P 0x41 5M 64k' -c 'write -z 3M 64k' "$1" >/dev/null
    qemu-img rebase -q -u -f qcow2 -b '' "$1"
}
interrupted () {
    local folder n=0 list='' d id
    folder=$PWD/$1.v2v-customize
    mkdir "$folder"
    for d in "$@"; do
        n=$((n + 1))
        overlay "$folder/disk$n.qcow2"
        id=$(v2v info --json "$d" | sed -n 's/.*"id": *"\([^"]*\)".*/, "id": "\1"/p' | head -1)
        list="$list${list:+, }{\"path\": \"$PWD/$d\", \"size_bytes\": 16777216, \"inode\": $(stat -c %i "$d")$id}"
        [ "$n" = 1 ] || echo "$folder" >"$d.v2v-customize"
    done
    echo "{\"disks\": [$list]}" >"$folder/complete"
}
cp base.raw want.raw
head -c 65536 /dev/zero | tr '\0' A | dd of=want.raw bs=1M seek=5 conv=notrunc status=none
dd if=/dev/zero of=want.raw bs=64k count=1 seek=48 conv=notrunc status=none

interrupted disk.vhdx
for how in '' '-o new.vhdx' '--dry-run'; do
    # shellcheck disable=SC2086
    expect_status 2 v2v customize --generalize $how disk.vhdx
    echo "$out" | grep -q interrupted || fail "after an interruption $how: $out"
done
expect_status 2 v2v customize --generalize link.vhdx
expect_status 2 flock disk.vhdx v2v customize --resume disk.vhdx
[ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "written before --resume"
v2v customize --resume disk.vhdx || fail "--resume"
[ ! -e disk.vhdx.v2v-customize ] || fail "--resume left its folder"
v2v compare disk.vhdx want.raw || fail "the merged disk"
v2v check disk.vhdx || fail "check"

# Another disk under the name: nothing is merged into it.
interrupted disk.vhdx
v2v copy --progress none base.raw -O vhdx other.vhdx >/dev/null
mv disk.vhdx kept.vhdx
cp other.vhdx disk.vhdx
before=$(sha256sum <disk.vhdx)
expect_status 7 v2v customize --resume disk.vhdx
cat other.vhdx >kept.vhdx
mv kept.vhdx disk.vhdx   # the same inode, another identity
expect_status 7 v2v customize --resume disk.vhdx
[ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "merged into another disk"
rm -r disk.vhdx.v2v-customize

# Two disks: exactly these, in this order.
for d in A.raw B.raw C.raw; do cp base.raw $d; done
interrupted A.raw B.raw
for how in 'A.raw C.raw' 'A.raw' 'B.raw A.raw' 'B.raw' 'A.raw B.raw C.raw'; do
    # shellcheck disable=SC2086
    expect_status 7 v2v customize --resume $how
    echo "$out" | grep -q "/A.raw' '.*/B.raw'" || fail "--resume $how: $out"
done
expect_status 2 v2v customize --resume C.raw
expect_status 2 v2v customize --generalize B.raw
echo "$out" | grep -q -- "--resume '.*/A.raw' '.*/B.raw'" || fail "B.raw alone: $out"
expect_status 2 v2v customize --generalize C.raw B.raw
expect_status 2 v2v customize --generalize -o new.raw B.raw
for d in A.raw B.raw C.raw; do cmp base.raw $d || fail "$d was written"; done
v2v customize --resume A.raw B.raw || fail "--resume A.raw B.raw"
cmp A.raw want.raw || fail "A.raw after --resume"
cmp B.raw want.raw || fail "B.raw after --resume"
[ -z "$(ls -d ./*.v2v-customize 2>/dev/null)" ] || fail "left by --resume A.raw B.raw"

# Leftovers of runs that were killed before they wrote do not stand in the way.
mkdir A.raw.v2v-customize
overlay A.raw.v2v-customize/disk7.qcow2
echo "$PWD/A.raw.v2v-customize" >B.raw.v2v-customize
for d in A.raw B.raw; do
    if v2v customize --firstboot setup.sh $d 2>log || grep -q interrupted log; then
        fail "$d after a killed run: $(cat log)"
    fi
done
[ ! -e A.raw.v2v-customize ] || fail "the folder of a killed run is left"
