#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A library by its commands: made, filled, asked, damaged, repaired; and a
# conversion that goes into it.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
requires jq --version
requires qemu-img --version
workdir
export XDG_CONFIG_HOME=$work/config
unset V2V_LIBRARY

expect_status 2 v2v library
expect_status 2 v2v library nonsense
expect_status 2 v2v library ls
[[ $out == *"which library?"* ]] || fail "$out"
expect_status 5 v2v library ls --library none
expect_status 2 v2v library init lib --catalogue file.db
v2v library init lib --name main >/dev/null
expect_status 2 v2v library init lib
expect_status 2 v2v library init other --name main
[[ $out == *"is called 'main' already"* ]] || fail "$out"
expect_status 2 v2v library init other --name 'a/b'
export V2V_LIBRARY=main
[ "$(v2v library ls --json | jq '.objects | length')" = 0 ] || fail "not empty"

# A conversion, deposited; a second time its disks are there already.
head -c 3M /dev/urandom >web.raw
truncate -s 64M web.raw
make_disk web.raw web-disk1.vmdk
make_ovf web web-disk1.vmdk
id=$(v2v convert m.ovf --no-guest --library main --json |
    jq -r '.conversions[0].library_id')
[ "$(v2v library show "$id" --json | jq -r '.kind, .uses[0].role, .uses[0].kind' |
    paste -sd' ')" = "vm disk disk" ] || fail "$(v2v library show "$id")"
[ -z "$(ls -A lib/share/.v2v/work)" ] || fail "the work folder is not empty"
v2v convert m.ovf --no-guest --library main -o out >/dev/null
[ -e out/web/web.json ] || fail "-o and --library: no folder"
[ "$(v2v library ls --kind disk --json | jq '.objects | length')" = 1 ] ||
    fail "the disk is stored twice"
[ "$(v2v library ls --kind vm --json | jq '.objects | length')" = 2 ] ||
    fail "two conversions are not two machines"
disk=$(v2v library ls --kind disk --json | jq -r '.objects[0].id')
[ "$(v2v library where-used "$disk" --json | jq '.used_by | length')" = 2 ] ||
    fail "where-used"
expect_status 2 v2v library rm "$disk"
[[ $out == *"is needed by 2 objects"* ]] || fail "$out"
v2v compare web.raw "$(v2v library show "$disk" --json |
    jq -r '.locations[0].path')" >/dev/null || fail "contents"

# What is said of an object is found again.
echo 'Get-VM' >setup.ps1
v2v library import setup.ps1 --family tools --tag 'x,y' --owner ann >/dev/null
v2v library set script/setup --version-of 2 --remove-tag y --disable >/dev/null
v2v library show script/setup --json >setup.json
[ "$(jq -r '[.family, .version, .owner, .tags[0], (.tags | length),
    .enabled, .state] | join(" ")' setup.json)" = "tools 2 ann x 1 false ok" ] ||
    fail "$(cat setup.json)"
v2v library ls --tag x --state disabled | grep -q ' setup$' || fail "ls --tag"
expect_status 2 v2v library ls --state fine
expect_status 2 v2v library ls --kind thing
expect_status 2 v2v library show nobody

# A copy elsewhere, damage, repair.
mkdir second
v2v library add-share second >/dev/null
v2v library copy script/setup --share second >/dev/null
v2v library verify >/dev/null || fail "verify"
echo 'Get-Vm' >lib/share/script/setup.ps1
expect_status 7 v2v library verify
[[ $out == *"changed: "*setup.ps1* ]] || fail "$out"
expect_status 0 v2v library repair --dry-run
[ "$(cat lib/share/script/setup.ps1)" = Get-Vm ] || fail "--dry-run repairs"
v2v library repair | grep -q '^restored: ' || fail "repair"
[ "$(cat lib/share/script/setup.ps1)" = Get-VM ] || fail "not repaired"
v2v library gc >/dev/null
[ ! -e lib/share/.v2v/changed ] || fail "gc leaves what was set aside"

# New files of a share.
mkdir lib/share/tools
printf '#!/bin/sh\n' >lib/share/tools/go
v2v library refresh --json >refresh.json
[ "$(jq -r '.items[0].what' refresh.json)" = new ] || fail "$(cat refresh.json)"
[ "$(v2v library export | jq '.objects | length')" = 5 ] || fail "export"
v2v library verify --quick >/dev/null || fail "verify --quick"
expect_status 3 v2v library ls --library "$(mkdir -p bad && cd bad &&
    echo '{"catalogue": "x.db"}' >library.json && : >x.db && pwd)"
