#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bar on a terminal of 40, 80 and 200 columns, JSON lines where asked,
# nothing where there is no terminal.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires script --version
workdir

head -c 30M /dev/urandom >src.raw

for width in 40 80 200; do
    rm -f out.vhdx
    script -qec "stty cols $width; v2v copy --no-digest --rate 20M src.raw out.vhdx" \
        /dev/null </dev/null >typed 2>&1
    grep -q "$(printf '\033')" typed && fail "$width: escape codes"
    tr '\r' '\n' <typed | grep '%' >bars || fail "$width: no bar: $(cat typed)"
    [ "$(wc -l <bars)" -ge 3 ] || fail "$width: only $(wc -l <bars) bars"
    [ "$(awk '{ print length }' bars | sort -n | tail -1)" -lt $width ] ||
        fail "$width: a line is too long: $(cat bars)"
    grep -q '[0-9]%.*iB/s' bars || fail "$width: no rate: $(cat bars)"
    [ $width = 40 ] || grep -q '\[=*>' bars || fail "$width: no bar: $(cat bars)"
    [ $width = 40 ] || grep -q ' left$' bars || fail "$width: no time left"
    # The result stands on a line of its own.
    tr '\r' '\n' <typed | grep -q '^out.vhdx: vhdx' || fail "$width: $(cat typed)"
done

rm out.vhdx
v2v copy --progress json --rate 20M src.raw out.vhdx 2>lines >/dev/null
jq -es 'length > 2 and (.[-1].done_bytes == .[-1].total_bytes)
        and all(.[]; .stage == "copy" and .item == "out.vhdx")' lines \
    >/dev/null || fail "JSON lines: $(cat lines)"

rm out.vhdx
v2v copy --rate 20M src.raw out.vhdx 2>err >/dev/null
[ ! -s err ] || fail "no terminal, yet: $(cat err)"
rm out.vhdx
script -qec "v2v copy --progress none src.raw out.vhdx" /dev/null \
    </dev/null >typed 2>&1
grep -q '%' typed && fail "--progress none: $(cat typed)"
expect_status 2 v2v copy --progress loud src.raw x.vhdx
