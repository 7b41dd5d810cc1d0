#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A chain is flattened by default; or converted link by link, the parent
# first, then the child as a differencing disk of it.  A wrong parent is
# refused.  map tells which file of the chain has what.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-img --version
requires qemu-io --version
workdir

mkdir src
qemu-img create -q -f vmdk src/base.vmdk 16M
qemu-io -f vmdk -c 'write -q -P 17 0 5M' -c 'write -q -P 18 12M 1M' src/base.vmdk
(cd src && qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk)
qemu-io -f vmdk -c 'write -q -P 33 3M 128k' -c 'write -q -P 34 15M 64k' \
    src/child.vmdk
qemu-img convert -O raw src/child.vmdk want.raw

# Flattened.
v2v copy src/child.vmdk flat.vhdx >/dev/null
v2v compare want.raw flat.vhdx || fail "flattened: another disk"
[ "$(v2v info --json flat.vhdx | jq .has_parent)" = false ] || fail "a parent"

# Which file has what, over the chain.
v2v map --json src/child.vmdk >map
[ "$(jq -r '[.extents[] | select(.kind == "data" and .depth == 0) | .length] | add' map)" \
    = $((128 * 1024 + 64 * 1024)) ] || fail "map: $(cat map)"
[ "$(jq -r '.extents[] | select(.offset == 0) | .file' map)" = base.vmdk ] ||
    jq -e '.extents[] | select(.offset == 0) | .file | endswith("base.vmdk")' \
       map >/dev/null || fail "map: the file: $(cat map)"
[ "$(jq '[.extents[].length] | add' map)" = $((16 * 1024 * 1024)) ] ||
    fail "map does not cover the disk: $(cat map)"

for ext in vhdx vhd; do
    rm -rf new
    mkdir new
    v2v copy src/base.vmdk new/base.$ext >/dev/null
    v2v copy --parent new/base.$ext --parent-path "D:\\vm\\base.$ext" \
        src/child.vmdk new/child.$ext >/dev/null
    v2v info --json new/child.$ext >info
    [ "$(jq -r .variant info)" = differencing ] || fail "$ext: $(cat info)"
    [ "$(jq -r '.parents | length' info)" = 1 ] || fail "$ext: $(cat info)"
    v2v compare want.raw new/child.$ext || fail "$ext: another disk"
    v2v check --json new/child.$ext | jq -e '.result == "sound"' >/dev/null ||
        fail "$ext: not sound"
    # The child has its own blocks only.
    [ "$(stat -c %s new/child.$ext)" -lt "$(stat -c %s new/base.$ext)" ] ||
        fail "$ext: the child is as large as its parent"
    # Beside another folder, or not found at all.
    mkdir new/elsewhere
    mv new/base.$ext new/elsewhere/
    expect_status 5 v2v map new/child.$ext
    v2v compare --search new/elsewhere want.raw new/child.$ext ||
        fail "$ext: --search"
    # A parent that was exchanged is refused, by name.
    v2v copy want.raw new/base.$ext >/dev/null
    expect_status 7 v2v map new/child.$ext
    expect_status 3 v2v check new/child.$ext

    # Copying with the wrong parent would make another disk: refused.
    expect_status 7 v2v copy --parent new/base.$ext src/child.vmdk new/c2.$ext
    [[ $out == *"differ at offset"* ]] || fail "$ext: $out"
    [ ! -e new/c2.$ext ] || fail "$ext: c2 is there"
done
