#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v copy: every writer, what it prints, and every way it refuses.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

# 12 MiB with data, a hole, zeros and an odd end.
head -c 3000000 /dev/urandom >src.raw
truncate -s 9M src.raw
head -c 1500000 /dev/urandom >>src.raw
truncate -s 12M src.raw

same () { [ "$(v2v compare "$1" "$2")" = same ] || fail "$1 and $2 differ"; }

# Each format, each kind, read back by us.
v2v copy src.raw a.vhd
v2v copy --subformat fixed src.raw b.vhd
v2v copy src.raw a.vhdx
v2v copy --subformat fixed src.raw b.vhdx
v2v copy --block-size 8M src.raw c.vhdx
v2v copy a.vhdx d.raw
for f in a.vhd b.vhd a.vhdx b.vhdx c.vhdx d.raw; do same src.raw $f; done
cmp src.raw d.raw || fail "raw to VHDX to raw is another disk"

# What is said is true.
out=$(v2v copy --json a.vhdx e.vhdx)
[ "$(jq -r .output_format <<<"$out")" = vhdx ] || fail "$out"
[ "$(jq -r .virtual_bytes <<<"$out")" = $((12 * 1024 * 1024)) ] || fail "$out"
[ "$(jq -r .file_bytes <<<"$out")" = "$(stat -c %s e.vhdx)" ] || fail "$out"
digest=$(jq -r .digest <<<"$out")
[ "$digest  src.raw" = "$(v2v digest src.raw)" ] || fail "digest $digest"
[ "$(v2v copy --no-digest --json src.raw f.vhdx | jq .digest)" = null ] ||
    fail "--no-digest makes one"

# Not a word on standard error when it is no terminal.
v2v copy src.raw quiet.vhdx >/dev/null 2>err
[ ! -s err ] || fail "standard error: $(cat err)"

# Azure: fixed, whole MiB, footer at the end.
head -c 1000000 /dev/urandom >odd.raw
v2v copy --azure odd.raw azure.vhd
[ "$(stat -c %s azure.vhd)" = $((1024 * 1024 + 512)) ] || fail "azure length"
[ "$(v2v info --json azure.vhd | jq -r .variant)" = fixed ] || fail "azure kind"

# A sector that ends past the file is written whole.
for end in 1 511 512 513; do
    head -c $((300000 + end)) odd.raw >end.raw
    v2v copy end.raw end.vhdx >/dev/null || fail "$end bytes too many"
    [ "$(v2v compare end.raw end.vhdx)" = same ] || fail "$end: another disk"
    rm end.vhdx
done

# A name in the output is one line.
v2v copy odd.raw $'two\nlines.vhdx' >out
grep -qF 'two?lines.vhdx: vhdx' out || fail "the name: $(cat out)"
[ "$(wc -l <out)" = 2 ] || fail "the lines: $(cat out)"

# --no-sparse: every block is there.
v2v copy --no-sparse --subformat fixed src.raw full.vhdx
[ $(($(stat -c %b full.vhdx) * 512)) -ge "$(stat -c %s full.vhdx)" ] ||
    fail "--no-sparse leaves holes"

# Nothing is replaced unasked; a source is never written over.
before=$(sha256_of a.vhdx)
expect_status 2 v2v copy src.raw a.vhdx
[[ $out == *"a.vhdx: exists already"* ]] || fail "$out"
expect_status 2 v2v copy --overwrite a.vhdx ./a.vhdx
[[ $out == *"source itself"* ]] || fail "$out"
[ "$(sha256_of a.vhdx)" = "$before" ] || fail "a.vhdx was changed"
v2v copy --overwrite --subformat fixed src.raw a.vhdx
same src.raw a.vhdx

# Each refusal: its exit status, one sentence, nothing left.
printf 'not a disk' >bad.bin
head -c 600000 b.vhdx >short.vhdx
refuse () { # STATUS TEXT OPTION...
    want=$1 text=$2
    shift 2
    got=0
    v2v copy "$@" >out 2>err || got=$?
    [ $got = "$want" ] || fail "status $got, not $want: $* $(cat err)"
    grep -qF -- "$text" err || fail "'$text' is not in: $(cat err)"
    head -1 err | grep -q '^v2v: [^A-Z].*[^.]$' || fail "no sentence: $(cat err)"
    [ "$(wc -l <err)" -le 2 ] || fail "too long: $(cat err)"
    [ ! -e new.vhdx ] && [ ! -e new.vhdx.part ] || fail "something is left: $*"
}
refuse 2 "too few arguments" src.raw
refuse 2 "no option is called '--nonsense'" --nonsense src.raw new.vhdx
refuse 2 "--threads: 'many'" --threads many src.raw new.vhdx
refuse 2 "--block-size: 'x'" --block-size x src.raw new.vhdx
refuse 2 "its suffix does not say" src.raw new.bin
refuse 2 "no format is called 'zip'" -O zip src.raw new.vhdx
refuse 2 "exclude each other" --digest --no-digest src.raw new.vhdx
refuse 2 "needs --parent" --subformat differencing src.raw new.vhdx
refuse 2 "has no parent" --parent b.vhdx src.raw new.vhdx
refuse 2 "--azure" --azure -O vhdx src.raw new.vhdx
refuse 2 "says vhdx, and --azure says vhd" --azure src.raw new.vhdx
refuse 2 "says vhdx, and -O says vhd" -O vhd src.raw new.vhdx
mkdir folder.vhdx
refuse 2 "is a folder" --overwrite src.raw folder.vhdx
v2v copy --sector-size 4096 b.vhdx big.vhdx 2>err
grep -q 'become ones of 4096' err || fail "no warning: $(cat err)"
refuse 4 "has sectors of 4096 bytes" big.vhdx new.vhd
v2v copy --sector-size 512 big.vhdx small.vhd 2>err
grep -q 'become ones of 512' err || fail "no warning: $(cat err)"
refuse 2 "--sector-size" --sector-size 777 src.raw new.vhdx
refuse 2 "must be a file" src.raw - -O vhdx
refuse 3 "short.vhdx" short.vhdx new.vhdx
refuse 4 "not a disk image" bad.bin new.vhdx
refuse 5 "No such file" none.vmdk new.vhdx
refuse 5 "No such file" src.raw no/such/dir/new.vhdx

cp bad.bin web.ova
refuse 4 "not a disk image" web.ova new.vhdx
grep -q "v2v convert" err || fail "no hint at a package: $(cat err)"

# The same as JSON, wherever --json stands.
v2v copy none.vmdk new.vhdx --json 2>/dev/null >out && fail "no error"
[ "$(jq -r .error.code out)" = io ] || fail "$(cat out)"
[ "$(jq -r .error.exit_status out)" = 5 ] || fail "$(cat out)"
v2v copy --json --bogus 2>/dev/null >out && fail "no error"
[ "$(jq -r .error.code out)" = usage ] || fail "$(cat out)"
