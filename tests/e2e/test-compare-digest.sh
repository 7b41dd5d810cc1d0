#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# compare tells the first byte that differs; digest tells the same of two
# files of one disk, and checks what was kept.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

head -c 7M /dev/urandom >a.raw
truncate -s 10M a.raw
v2v copy a.raw a.vhdx >/dev/null
cp a.raw b.raw
printf '\x00\x01' >two
at=$((6 * 1024 * 1024 + 12345))
dd if=two of=b.raw bs=1 seek=$at conv=notrunc status=none
first=$(cmp -l a.raw b.raw | head -1 | awk "{ print \$1 }" || true)

v2v compare a.raw a.vhdx | grep -qx same || fail "not the same"
expect_status 1 v2v compare a.vhdx b.raw
[[ $out == *"offset $((first - 1))" ]] || fail "$out, cmp: $first"
expect_status 1 v2v compare --json b.raw a.vhdx
[ "$(jq .first_difference <<<"$out")" = $((first - 1)) ] || fail "$out"
for threads in 1 3; do
    expect_status 1 v2v compare --threads $threads a.raw b.raw
    [[ $out == *"offset $((first - 1))" ]] || fail "$threads threads: $out"
done

# Sizes: zeros beyond the end are the same, unless asked.
cp a.raw longer.raw
truncate -s 11M longer.raw
v2v compare a.raw longer.raw >/dev/null || fail "zeros at the end"
expect_status 1 v2v compare --strict-size a.raw longer.raw
expect_status 4 v2v compare a.raw two
expect_status 5 v2v compare a.raw none.raw
v2v compare --other-format raw a.raw a.raw >/dev/null || fail "--other-format"

# The digest by hand: SHA-256 of the SHA-256 of each 2 MiB.
for i in 0 1 2 3 4; do
    dd if=a.raw bs=2M skip=$i count=1 status=none | sha256sum | cut -d' ' -f1
done | xxd -r -p 2>/dev/null | sha256sum | cut -d' ' -f1 >hand || true
if command -v xxd >/dev/null; then
    [ "sha256-2m:$(cat hand)  a.raw" = "$(v2v digest a.raw)" ] ||
        fail "digest $(v2v digest a.raw), by hand $(cat hand)"
fi

# Kept and checked, in each form.
v2v digest a.raw >kept
v2v digest --json --blocks a.raw >kept.json
v2v digest --check kept a.vhdx | grep -qx 'a.vhdx: same' || fail "lines"
v2v digest --check kept | grep -qx 'a.raw: same' || fail "by its name"
v2v digest --check kept.json a.vhdx | grep -qx 'a.vhdx: same' || fail "JSON"
expect_status 7 v2v digest --check kept b.raw
expect_status 7 v2v digest --check kept.json b.raw
[[ $out == *"1 of 5 blocks, the first at byte $((6 << 20))"* ]] || fail "$out"
expect_status 7 v2v digest --json --check kept b.raw
[ "$(jq .same <<<"$out")" = false ] || fail "$out"
mkdir sub
cp kept a.raw sub/
(cd / && v2v digest --check "$work/sub/kept") | grep -q same ||
    fail "names are taken beside the manifest"

# Two files of one digest each, several on one line of command.
[ "$(v2v digest a.raw a.vhdx | cut -d' ' -f1 | sort -u | wc -l)" = 1 ] ||
    fail "digests differ"
echo 'no digest here' >bad
expect_status 3 v2v digest --check bad
: >empty
expect_status 3 v2v digest --check empty
expect_status 2 v2v digest
expect_status 2 v2v digest --blocks --check kept
