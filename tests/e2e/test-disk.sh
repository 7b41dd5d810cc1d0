#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v disk: a chain of differencing disks by its commands, VHD and VHDX; each
# result is read by 7-Zip, which shares no code with ours.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires 7zz i
requires qemu-img --version
requires qemu-io --version
workdir

# The contents of a disk, or of a chain whose files lie beside each other.
contents () {
    local in=()
    case $1 in *.vhd) in=(-tvhd) ;; *) in=(-tvhdx) ;; esac
    7zz x -so "${in[@]}" "$1" 2>/dev/null | sha256sum | cut -d' ' -f1
}
is () { # DISK RAW WHAT
    [ "$(contents "$1")" = "$(sha256_of "$2")" ] || fail "$3: $1 is not $2 (7zz)"
    v2v compare --progress none "$1" "$2" >/dev/null || fail "$3: $1 is not $2"
}

for f in vhdx vhd; do
    mkdir $f
    cd $f
    head -c 3000000 /dev/urandom >one.raw
    truncate -s 16M one.raw
    v2v copy --progress none one.raw -O $f base.$f >/dev/null
    base=$(sha256_of base.$f)

    # Two children; what is written to one is in that one only.
    v2v disk create-child --parent-path "D:\\bases\\base.$f" base.$f a.$f \
        >/dev/null || fail "$f: create-child"
    v2v disk create-child base.$f b.$f >/dev/null || fail "$f: a second child"
    is a.$f one.raw "a new child"
    [ "$(v2v disk chain --json a.$f | jq -r '[.layers[].file | split("/")[-1]] |
        join(" ")')" = "a.$f base.$f" ] || fail "$f: chain"
    [ "$(v2v disk chain --json a.$f | jq -r '.layers[0].parent_absolute_path')" \
        = "D:\\bases\\base.$f" ] || fail "$f: --parent-path"
    [ "$(v2v disk chain --json a.$f | jq -r '.layers[0].parent_state')" = ok ] ||
        fail "$f: the state of the parent"

    # A grandchild, as the copy of a snapshot is one: only what differs.
    cp one.raw two.raw
    printf changed | dd of=two.raw bs=1 seek=5000000 conv=notrunc status=none
    qemu-img convert -O vmdk one.raw one.vmdk
    qemu-img create -q -f vmdk -b one.vmdk -F vmdk snapshot.vmdk
    dd if=two.raw of=piece bs=64k skip=76 count=1 status=none
    qemu-io -f vmdk -c 'write -q -s piece 4980736 64k' snapshot.vmdk >/dev/null
    v2v copy --progress none --parent a.$f snapshot.vmdk -O $f d.$f \
        >/dev/null || fail "$f: a child with data"
    is d.$f two.raw "a grandchild"
    [ "$(stat -c %s d.$f)" -lt 8388608 ] || fail "$f: all of it is in the child"

    # A new place for the parent is told, not guessed.
    mkdir moved
    mv base.$f moved/
    expect_status 5 v2v disk chain b.$f
    v2v disk chain --json b.$f >chain.json 2>/dev/null || :
    [ "$(jq -r '.layers[0].parent_state' chain.json)" = missing ] ||
        fail "$f: a parent that is gone: $(cat chain.json)"
    v2v disk chain --search moved b.$f >/dev/null || fail "$f: --search"
    v2v disk rebase --parent moved/base.$f b.$f >/dev/null || fail "$f: rebase"
    v2v disk rebase --parent moved/base.$f a.$f >/dev/null || fail "$f: rebase a"
    v2v compare --progress none --search moved b.$f one.raw >/dev/null ||
        fail "$f: after rebase"
    # Onto another disk: only if it has the same contents.
    v2v copy --progress none two.raw -O $f other.$f >/dev/null
    expect_status 7 v2v disk rebase --search moved --parent other.$f b.$f
    v2v copy --progress none one.raw -O $f equal.$f >/dev/null
    v2v disk rebase --search moved --parent equal.$f b.$f >/dev/null ||
        fail "$f: an equal parent"
    v2v compare --progress none b.$f one.raw >/dev/null || fail "$f: on its equal"
    [ "$(sha256_of moved/base.$f)" = "$base" ] || fail "$f: the base was written to"

    # One file out of three, beside them and in place.
    v2v disk flatten --search moved -o flat.$f d.$f >/dev/null || fail "$f: flatten -o"
    is flat.$f two.raw "flattened"
    [ "$(v2v disk chain --json flat.$f | jq '.layers | length')" = 1 ] ||
        fail "$f: flat has parents"
    [ "$(v2v info --json flat.$f | jq -r .id)" != \
        "$(v2v info --json d.$f | jq -r .id)" ] || fail "$f: -o has the identity"

    # What the child has goes into its parent, and the child goes.
    v2v disk merge --search moved d.$f >/dev/null || fail "$f: merge"
    [ ! -e d.$f ] || fail "$f: the merged child is there"
    v2v compare --progress none --search moved a.$f two.raw >/dev/null ||
        fail "$f: merged"
    v2v disk flatten --search moved a.$f >/dev/null || fail "$f: flatten in place"
    is a.$f two.raw "flattened in place"
    expect_status 2 v2v disk merge a.$f
    [[ $out == *parent* ]] || fail "$f: merge without a parent: $out"

    # Zeros that take room do not any more.
    case $f in vhd) q="vpc -o force_size" ;; *) q=vhdx ;; esac
    # shellcheck disable=SC2086  # two words
    qemu-img convert -S 0 -O $q two.raw fat.$f
    before=$(stat -c %s fat.$f)
    v2v disk compact fat.$f >/dev/null || fail "$f: compact"
    after=$(stat -c %s fat.$f)
    [ "$after" -lt $((before * 3 / 4)) ] || fail "$f: compact: $before, then $after"
    v2v check fat.$f >/dev/null || fail "$f: check"
    is fat.$f two.raw "compacted"

    # As it is, in the cheapest way.
    v2v disk clone --explain flat.$f clone.$f >clone.txt || fail "$f: clone"
    cmp flat.$f clone.$f || fail "$f: the clone differs"
    grep -q '^\*' clone.txt || fail "$f: which way? $(cat clone.txt)"
    expect_status 5 v2v disk clone flat.$f clone.$f
    cd ..
done

# Mistakes.
expect_status 2 v2v disk
expect_status 2 v2v disk nonsense
expect_status 2 v2v disk create-child vhdx/flat.vhdx
expect_status 5 v2v disk chain none.vhdx
expect_status 2 v2v disk rebase vhdx/b.vhdx
# A loop: a disk that is its own parent ends with a sentence.
cp vhdx/equal.vhdx vhdx/loop.vhdx
v2v disk create-child vhdx/loop.vhdx vhdx/loop2.vhdx >/dev/null
cp vhdx/loop2.vhdx vhdx/loop.vhdx
expect_status 3 v2v disk chain vhdx/loop2.vhdx
[[ $out == *"is a loop"* ]] || fail "$out"
