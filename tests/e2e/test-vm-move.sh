#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v vm move: a machine with a differencing disk goes from its folder to a
# host and on to another; bases that are there stay, its disk finds its parent,
# the old place is emptied, and what was broken off goes on.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir
here=$PWD
export XDG_CONFIG_HOME=$here/config V2V_LIBRARY=$here/lib
v2v library init lib >/dev/null
mkdir one two
jq -n --arg d "$here" '{hosts: [
    {name: "one", driver: "folder", path: "\($d)/one", windows_path: "D:\\one", memory_mib: 4096},
    {name: "two", driver: "folder", path: "\($d)/two", windows_path: "E:\\two", bases: "parents",
     memory_mib: 4096}]}' >lib/hosts.json
head -c 5000000 /dev/urandom >1.raw
truncate -s 64M 1.raw
v2v copy 1.raw base.vhdx >/dev/null
v2v library import base.vhdx >/dev/null
v2v vm create -o out --library lib --disk disk/base --differencing --memory 1G web >created ||
    fail "create: $(cat created)"
row () { v2v vm show --json web | jq -r "$1"; }
[ "$(row .host)" = "" ] || fail "host before: $(row .host)"

# To a host: folder, base, paths.
v2v vm move --json --to one web >move.json || fail "move"
jq -e '.machines[0] | .from == "" and .to == "one" and .bases == 1 and .bases_sent == 1' \
    move.json >/dev/null || fail "told: $(cat move.json)"
[ ! -e out/web ] || fail "the old folder is there"
[ "$(row '.host + " " + .folder')" = "one web" ] || fail "row: $(row .)"
base=$(cd one/bases && echo *.vhdx)
disk=one/web/web-disk1.vhdx
layer () { v2v disk chain --json --search "$1" "$2" | jq -r ".layers[0].$3"; }
[ "$(layer one/bases $disk parent_absolute_path)" = "D:\\one\\bases\\$base" ] ||
    fail "absolute: $(layer one/bases $disk parent_absolute_path)"
[ "$(layer one/bases $disk parent_relative_path)" = "..\\bases\\$base" ] ||
    fail "relative: $(layer one/bases $disk parent_relative_path)"
v2v compare --search one/bases 1.raw $disk >/dev/null || fail "contents on the host"
[ "$(jq -c '.target.disks[0].parents | map(.file + " " + .path)' one/web/web.json)" = \
    "[\"$base ..\\\\bases\\\\$base\"]" ] || fail "NAME.json: $(jq -c .target.disks one/web/web.json)"
[ "$(ls one)" = "$(printf 'bases\nweb')" ] || fail "something is left: $(ls -A one)"
v2v host check one >/dev/null || fail "check"

# What it takes counts there.
v2v host place --json --memory 3500 | jq -e '[.ratings[] | {(.host): .rating}] | add |
    .one == 0 and .two > 0' >/dev/null || fail "placement: $(v2v host place --memory 3500)"

# On to the other, which calls its bases otherwise; it ran and was told so.
printf '{"state":"running","error":""}' >one/web/v2v-state.json
expect_status 2 v2v vm move --to two web
[[ $out == *"is running on host 'one'"* ]] || fail "running: $out"
printf '{"state":"off","error":""}' >one/web/v2v-state.json
v2v vm move --to two web >/dev/null || fail "move on"
[ "$(row '.host + " " + .folder')" = "two web" ] || fail "row: $(row .)"
[ ! -e one/web ] || fail "the first place is not empty"
[ -e "one/bases/$base" ] || fail "a base was moved"
disk=two/web/web-disk1.vhdx
[ "$(layer two/parents $disk parent_relative_path)" = "..\\parents\\$base" ] || fail "relative on two"
[ "$(layer two/parents $disk parent_absolute_path)" = "E:\\two\\parents\\$base" ] || fail "absolute on two"
v2v compare --search two/parents 1.raw $disk >/dev/null || fail "contents on two"
# It was registered, so it is to be there.
[ "$(jq -r .action two/web/v2v-request.json)" = register ] || fail "no request to register it"
[ "$(row .provenance.moved_from)" = null ] || fail "moved_from is left"

# Back: the base is there already.
rm two/web/v2v-*.json
[ "$(v2v vm move --json --to one web | jq '.machines[0].bases_sent')" = 0 ] || fail "the base was sent again"
# Said twice: it is there.
v2v vm move --to one web | grep -q 'is on one' || fail "said twice"

# Another machine's folder is in the way: nothing happens.
mkdir two/web
echo '{"id":"other"}' >two/web/web.json
expect_status 2 v2v vm move --to two web
[ "$(row .host)" = one ] || fail "it moved onto another machine"
rm -r two/web

# Killed after the row was written: the same move empties the old place.
cp -r one/web kept
v2v vm move --to two web >/dev/null
cp -r kept one/web
id=$(row .id)
sqlite3=$(command -v sqlite3 || :)
if [ -n "$sqlite3" ]; then
    sqlite3 lib/catalogue.db "UPDATE machine SET provenance = json_set (provenance,
        '\$.moved_from', json ('{\"host\":\"one\",\"folder\":\"web\"}')) WHERE id = '$id'"
    v2v vm move --to two web >/dev/null || fail "the rest of a move"
    [ ! -e one/web ] || fail "the old place was not emptied"
    [ "$(row .provenance.moved_from)" = null ] || fail "moved_from stays"
fi

# The base is needed where the machine is, and nowhere else.
expect_status 2 v2v library rm disk/base
v2v vm rm web >/dev/null || fail "rm on a host"
[ ! -e two/web ] || fail "rm left the files"
[ -z "$(v2v vm ls --json | jq -r '.machines[]?.name')" ] || fail "rm left the row"
