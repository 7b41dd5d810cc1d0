#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A child in another folder than its parent stores the way between the two as
# Windows needs it, and the user is told how v2v finds the parent.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-img --version
requires qemu-io --version
workdir

mkdir -p src chain/deep chain2 far/off
qemu-img create -q -f vmdk src/base.vmdk 4M
qemu-io -f vmdk -c 'write -q -P 17 0 1M' src/base.vmdk
(cd src && qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk)
qemu-io -f vmdk -c 'write -q -P 33 3M 64k' src/child.vmdk
qemu-img convert -O raw src/child.vmdk want.raw
ln -s far/off link

for ext in vhdx vhd; do
    base=chain/base.$ext
    v2v copy src/base.vmdk $base >/dev/null
    # CHILD, what it has to store.
    while read -r child stored; do
        v2v copy --parent $base src/child.vmdk $child.$ext >/dev/null 2>err ||
            fail "$child: $(cat err)"
        [ "$(v2v info --json $child.$ext | jq -r .parent_name)" \
            = "$stored.$ext" ] || fail "$(v2v info $child.$ext)"
        if [ $child = chain/child ]; then
            [ ! -s err ] || fail "a message for nothing: $(cat err)"
            continue
        fi
        grep -q -e "--search .*/chain$" err || fail "no word of it: $(cat err)"
        expect_status 5 v2v map $child.$ext
        v2v compare --search chain want.raw $child.$ext ||
            fail "$child: another disk"
        # What a tool of another author finds by that path.
        if 7zz --help >/dev/null 2>&1; then
            dir=$(cd "$(dirname $child)" && pwd -P)
            ln -s "$PWD/$base" "$dir/$stored.$ext"
            (cd "$dir" && 7zz x -so child.$ext 2>/dev/null) | cmp - want.raw ||
                fail "$child: 7zz reads another disk"
        fi
    done <<'END'
chain/child .\base
chain2/child ..\chain\base
chain/deep/child ..\base
link/child ..\..\chain\base
END
    # The parent in a folder below.
    (cd chain && v2v copy --parent base.$ext ../src/child.vmdk ../child.$ext) \
        >/dev/null 2>&1
    [ "$(v2v info --json child.$ext | jq -r .parent_name)" \
        = ".\\chain\\base.$ext" ] || fail "$(v2v info child.$ext)"
done
