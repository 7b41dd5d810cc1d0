#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bases by their commands: a chain is listed, pinned, damaged, repaired, made
# shorter and cleared away; the page about a library; a catalogue that is lost.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-img --version
requires qemu-io --version
workdir
export XDG_CONFIG_HOME=$work/config V2V_LIBRARY=$work/lib
unset V2V_HOSTS

v2v library init lib >/dev/null
mkdir second
v2v library add-share second >/dev/null

# Three disks, each with a MiB of its own.
qemu-img create -q -f vmdk a.vmdk 16M
qemu-io -f vmdk -c 'write -q -P 17 0 1M' a.vmdk
qemu-img create -q -f vmdk -b a.vmdk -F vmdk b.vmdk
qemu-io -f vmdk -c 'write -q -P 18 4M 1M' b.vmdk
qemu-img create -q -f vmdk -b b.vmdk -F vmdk c.vmdk
qemu-io -f vmdk -c 'write -q -P 19 8M 1M' c.vmdk
v2v copy a.vmdk a.vhdx >/dev/null
v2v copy --parent a.vhdx b.vmdk b.vhdx >/dev/null
v2v copy --parent b.vhdx c.vmdk c.vhdx >/dev/null
expect_status 7 v2v library import b.vhdx
[[ $out == *"import the parent first"* ]] || fail "$out"
for d in a b c; do v2v library import $d.vhdx >/dev/null; done
[ "$(v2v base ls --json | jq -r '[.bases[].name] | join(" ")')" = "a b" ] ||
    fail "$(v2v base ls)"
[ "$(v2v base ls --json | jq -r '[.findings[].id] | unique[]')" = \
    library.base.single-copy ] || fail "$(v2v base ls)"
v2v library copy disk/a --share second >/dev/null
[ "$(v2v base ls --json | jq -r '.bases[0].copies')" = 2 ] || fail "copies"
[ "$(v2v base show disk/a --json | jq -r '[.dependents[].name] | join(" ")')" = \
    "b c" ] || fail "$(v2v base show disk/a)"
expect_status 2 v2v library rm disk/a
[[ $out == *"needed by 1 object: disk 'b'"* ]] || fail "$out"

# A damaged one names what hangs on it, and comes back.
printf x | dd of=lib/share/disk/a.vhdx bs=1 seek=5000000 conv=notrunc 2>/dev/null
expect_status 7 v2v base verify
[[ $out == *"changed: "*"/a.vhdx"*"disk 'b' ("*"needs it"*"disk 'c' ("* ]] ||
    fail "$out"
expect_status 7 v2v library verify --json
[ "$(echo "$out" | jq '[.problems[0].dependents[].name] | length')" = 2 ] ||
    fail "$out"
v2v library repair >/dev/null || fail "repair"
v2v base verify >/dev/null || fail "verify after repair"
v2v library gc >/dev/null

# Shorter chains read as before.
before=$(v2v digest c.vhdx)
v2v base merge disk/c --json >merge.json
[ "$(jq -r '.old_removed' merge.json)" = true ] || fail "$(cat merge.json)"
v2v base flatten disk/c >/dev/null
disk=$(v2v library show disk/c --json | jq -r '.locations[0].path')
[ "$(v2v library show disk/c --json | jq '.uses | length')" = 0 ] || fail "parent"
[ "$(v2v digest "$disk" | cut -d' ' -f1)" = "${before%% *}" ] || fail "contents"
expect_status 2 v2v base flatten disk/c
expect_status 2 v2v base rebase disk/b
expect_status 7 v2v base rebase disk/b --parent disk/c

# What nothing needs goes, but not what came just now, or is pinned.
v2v base pin disk/b >/dev/null
[ "$(v2v base orphans --json | jq -r '.bases[].name')" = c ] ||
    fail "$(v2v base orphans)"
[ "$(v2v base gc --json | jq .removed)" = 0 ] || fail "gc takes new ones"
[ "$(v2v base gc --older 0 --dry-run --json | jq .removed)" = 1 ] || fail "dry"
v2v base unpin disk/b >/dev/null
[ "$(v2v base gc --older 0 --json | jq .removed)" = 3 ] || fail "gc"
[ "$(v2v library ls --json | jq '.objects | length')" = 0 ] || fail "not empty"
[ -z "$(find lib/share second -type f ! -name .v2v-share.json)" ] ||
    fail "files are left: $(find lib/share second -type f)"

# The page: one file, in which nothing that others wrote is markup.
echo 'Get-VM' >s.ps1
v2v library import s.ps1 --name '<script>alert("1")</script>' \
    --owner "</td>&'" >/dev/null
touch lib/share/stranger
[ "$(v2v library orphans --json | jq -r '[.items[].what] | sort | join(" ")')" = \
    "unknown unused" ] || fail "$(v2v library orphans)"
v2v library report -o page.html >/dev/null
grep -q '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;' page.html ||
    fail "the name is not in the page"
grep -qF '&lt;/td&gt;&amp;&#39;' page.html || fail "the owner"
! grep -qiE '<script|https?://|src=|href=|@import' page.html ||
    fail "scripts or links"
expect_status 2 v2v library report

# A catalogue that is lost.
id=$(v2v library ls --json | jq -r '.objects[0].id')
v2v library show "$id" --json | jq 'del(.locations)' >was.json
rm lib/catalogue.db lib/library.json
mv lib/share old
v2v library init lib >/dev/null
v2v library add-share old --name old >/dev/null
v2v library refresh >/dev/null
v2v library show "$id" --json | jq 'del(.locations)' | diff was.json - ||
    fail "what comes back is not what was"

# A template that comes in as a file needs what it names, and is called as it
# calls itself.
v2v profile create hardware --name small --set memory.startup-mib=1024 \
    -o hw.xml >/dev/null
v2v template create --name web --computer-name 'web-##' \
    --set hardware-profile.name=small -o file.xml >/dev/null
expect_status 7 v2v library import file.xml
[[ $out == *"its hardware-profile: no object of the library is called 'small'"* ]] ||
    fail "$out"
cp file.xml old/
v2v library refresh --json >refresh.json
jq -e '.items[] | select(.message != null) | .message |
    startswith("what it needs")' refresh.json >/dev/null ||
    fail "$(cat refresh.json)"
v2v library import hw.xml >/dev/null
v2v library refresh >/dev/null
[ "$(v2v library show vm-template/web --json |
    jq -r '.uses[0] | .role, .name' | paste -sd' ')" = "hardware-profile small" ] ||
    fail "$(v2v library show vm-template/web)"
sed 's/web-##/shop-##/; s/<vm-template/<vm-template oops="1"/' file.xml >bad.xml
expect_status 3 v2v library import bad.xml
