#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v vm create --template: names, addresses, settings, profiles, bases; what
# ls, show and rm say; what is refused.  Real commands on a library of the
# test's own.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires 7zz i
workdir
export XDG_CONFIG_HOME=$PWD V2V_LIBRARY=$PWD/lib

v2v library init lib >/dev/null
head -c 3000000 /dev/urandom >1.raw
truncate -s 16M 1.raw
v2v copy 1.raw base.vhdx >/dev/null
v2v library import base.vhdx --family debian --release 12 --os debian12-64 >/dev/null
printf '#!/bin/sh\necho hello\n' >hello.sh
v2v library import --kind script hello.sh >/dev/null
echo 'a password' >pw
cat >g.json <<'END'
{ "network": [ { "mac": "00:15:5d:00:00:01", "addresses": [ "192.0.2.5/24" ] } ],
  "scripts": [ { "file": "hello" } ],
  "linux": { "users": [ { "name": "admin", "comment": "of @COMPUTER_NAME@ for @TEAM@" } ] } }
END
v2v profile import --name guest --library lib g.json >/dev/null
v2v profile create hardware --library lib --name hw --set generation=2 --set processor.count=3 \
    --set 'network-adapters[0].name=Lan' --set 'network-adapters[0].switch=@TEAM@ net' >/dev/null
v2v profile create capability --library lib --name limits --set maximum-memory-mib=4096 >/dev/null
v2v template create --library lib --name web --disk base --hardware hw --guest-os guest \
    --capability limits --computer-name 'web-##' --set generalized=true --set os=debian12-64 \
    --set 'settings[address].field=guest-os.network[0].addresses' \
    --set 'settings[address].mandatory=true' --set 'settings[TEAM].default=ops' \
    --set 'settings[memory].field=hardware.memory.startup-mib' \
    --set 'settings[memory].type=number' --set 'settings[memory].maximum=8192' \
    --set 'settings[key].type=secret' \
    --set 'settings[key].field=guest-os.linux.users[admin].password' \
    --set 'disks[1].name=data' --set 'disks[1].storage=blank' --set 'disks[1].size-gib=1' \
    --set 'disks[1].bus=scsi' --set 'disks[1].controller=1' --set 'disks[1].location=5' \
    >/dev/null || fail "template"
v2v library verify >/dev/null || fail "verify"

# What would be made: nothing is.
v2v vm create --dry-run --template web -o out --set address=192.0.2.9/24 >said ||
    fail "--dry-run: $(cat said)"
grep -q 'has the content that is asked for' said || fail "no reason: $(cat said)"
grep -qx 'would make out/web-01' said || fail "--dry-run: $(cat said)"
[ ! -e out ] && [ -z "$(v2v vm ls)" ] || fail "--dry-run made something"

# Three, with a value each; a setting of the template in texts and fields.
v2v vm create --template web -o out --count 3 --set 'address=192.0.2.@ORDINAL+10@/24' \
    --set memory=1024 --set memory=2048 --set memory=3072 --set key=file:pw --set TEAM=web \
    >said || fail "create: $(cat said)"
[ "$(cd out && echo *)" = "web-01 web-02 web-03" ] || fail "folders: $(ls out)"
d=out/web-02
jq -e '.target | .processor.count == 3 and .memory.startup_bytes == 2147483648
       and .generation == 2 and .disks[0].boot
       and .disks[0].parents[0].path == "..\\..\\lib\\share\\disk\\base.vhdx"
       and (.disks[1] | .blank and .controller == 1 and .location == 5
            and .size_bytes == 1073741824)
       and .network_adapters[0].name == "Lan"
       and .network_adapters[0].switch == "web net"
       and (.network_adapters | length) == 1' $d/web-02.json >/dev/null ||
    fail "web-02: $(cat $d/web-02.json)"
[ "$(jq -r '.target.network_adapters[0].mac' out/*/web-0?.json | sort -u | wc -l)" = 3 ] ||
    fail "one address for several machines"
7zz x -y -oseed $d/web-02-seed.iso >/dev/null
mac=$(jq -r '.target.network_adapters[0].mac' $d/web-02.json)
grep -qi "macaddress: \"$(sed -E 's/(..)(..)(..)(..)(..)(..)/\1:\2:\3:\4:\5:\6/' <<<"$mac")\"" \
    seed/network-config || fail "the seed knows another address: $(cat seed/network-config)"
grep -q '192.0.2.12/24' seed/network-config || fail "$(cat seed/network-config)"
grep -q 'hostname: "web-02"' seed/user-data || fail "name: $(cat seed/user-data)"
grep -q 'of web-02 for web' seed/user-data || fail "texts: $(cat seed/user-data)"
grep -rqF "$(base64 -w0 hello.sh | head -c 24)" seed || fail "the script of the library is not there"
! grep -rqF 'a password' out || fail "the secret is in the clear"
v2v compare --search lib/share/disk 1.raw $d/web-02-disk1.vhdx >/dev/null || fail "contents"
[ $(($(stat -c %b $d/* | paste -sd+))) -lt 2048 ] || fail "more than 1 MiB: $(du -k $d/*)"
jq -e '.provenance | .template.name == "web" and .settings.memory == "2048"
       and .settings.key == null and .bases[0].name == "base"
       and (.reasons | length) == 4' $d/report.json >/dev/null ||
    fail "provenance: $(jq .provenance $d/report.json)"
[ "$(stat -c %A lib/share/disk/base.vhdx)" = -r--r--r-- ] || fail "the base is writable"

# The library knows them.
v2v vm show --json web-02 | jq -e '.state == "made" and .computer_name == "web-02"
    and .bases[0].name == "base" and .provenance.settings.TEAM == "web"' >/dev/null ||
    fail "show: $(v2v vm show --json web-02)"
[ "$(v2v vm ls --json --template web --object disk/base | jq -r '[.machines[].name] | join(" ")')" = \
    "web-01 web-02 web-03" ] || fail "ls: $(v2v vm ls --json)"
v2v library where-used --json disk/base | jq -e '[.machines[].name] ==
    ["web-01", "web-02", "web-03"] and [.used_by[].kind] == ["vm-template"]' >/dev/null ||
    fail "where-used: $(v2v library where-used --json disk/base)"
v2v library where-used disk/base | grep -q "machine .* web-02 (" || fail "where-used: $(v2v library where-used disk/base)"
v2v library rm disk/base >said 2>&1 && fail "a base in use was removed"
[ -e lib/share/disk/base.vhdx ] || fail "the base is gone"
v2v vm rm web-02 >/dev/null || fail "rm"
[ ! -e out/web-02 ] && [ -e out/web-03 ] || fail "rm: $(ls -A out)"
v2v vm rm --keep-files web-03 >/dev/null || fail "rm --keep-files"
[ -e out/web-03 ] || fail "--keep-files removed files"

# What has moved away from the template.
v2v template drift web-01 || fail "a new machine has moved away: $(v2v template drift web-01)"
cp out/web-01/web-01.json kept
jq '.target.processor.count = 9 | .target.disks[1].location = 6
    | .target.network_adapters[0].switch = "else"' kept >out/web-01/web-01.json
v2v copy 1.raw other.vhdx >/dev/null
mv out/web-01/web-01-disk1.vhdx .
cp other.vhdx out/web-01/web-01-disk1.vhdx
status=0; v2v template drift web-01 >said || status=$?
[ $status = 1 ] || fail "drift: status $status"
for line in '  hardware.processor.count: 3 -> 9' '  disks[1].location: 5 -> 6' \
    '  hardware.network-adapters[Lan].switch: web net -> else'; do
    grep -qxF "$line" said || fail "drift does not say '$line': $(cat said)"
done
grep -q '^- disks\[0\].parent: ' said || fail "another disk is not told: $(cat said)"
rm out/web-01/web-01-disk2.vhdx
v2v template drift --json web-01 >said || true
jq -e '.equal == false and any(.changes[]; .path == "disks[1].file" and .new == null)' said \
    >/dev/null || fail "a lost disk: $(cat said)"
cp kept out/web-01/web-01.json
v2v template create --library lib --name web --from web --set version=2 >/dev/null || fail "--from"
status=0; v2v template drift web-01 >said || status=$?
grep -qx '  template.version: 2 -> 1' said || fail "a newer version is not told: $(cat said)"
v2v library set --disable vm-template/web >/dev/null # the newest

# On a host: its bases first, once; the paths that it has; its folder.
mkdir hv1 other
cat >lib/hosts.json <<END
{ "hosts": [ { "name": "hv1", "driver": "folder", "path": "$PWD/hv1", "windows_path": "D:\\\\VMs" },
             { "name": "hv2", "driver": "folder", "path": "$PWD/other", "maintenance": true } ] }
END
v2v vm create --template web --host hv1 --count 2 --set 'address=192.0.2.@ORDINAL+20@/24' \
    --computer-name 'hw-##' >said || fail "--host: $(cat said)"
[ -d hv1/hw-01 ] && [ -d hv1/hw-02 ] || fail "--host: $(ls hv1)"
[ "$(ls hv1/bases/*.vhdx | wc -l)" = 1 ] || fail "bases: $(ls hv1/bases)"
b=$(basename hv1/bases/*.vhdx)
v2v disk chain --json --search hv1/bases hv1/hw-01/hw-01-disk1.vhdx >said
jq -e --arg b "$b" '.layers[0].parent_absolute_path == "D:\\VMs\\bases\\" + $b' said >/dev/null ||
    fail "absolute: $(cat said)"
jq -e --arg b "..\\bases\\$b" '.target.disks[0].parents[0].path == $b' hv1/hw-01/hw-01.json \
    >/dev/null || fail "relative: $(jq .target.disks hv1/hw-01/hw-01.json)"
v2v compare --search hv1/bases 1.raw hv1/hw-02/hw-02-disk1.vhdx >/dev/null || fail "--host: contents"
v2v vm ls --json --host hv1 | jq -e '[.machines[].folder] == ["hw-01", "hw-02"]' >/dev/null ||
    fail "ls --host: $(v2v vm ls --json --host hv1)"
v2v template drift hw-01 || fail "drift on a host: $(v2v template drift hw-01)"
v2v vm rm hw-01 >/dev/null || fail "rm on a host"
[ ! -e hv1/hw-01 ] && [ -e hv1/hw-02 ] && [ -e "hv1/bases/$b" ] || fail "rm on a host: $(ls hv1)"
expect_status 2 v2v vm create --template web --host hv2 --set address=192.0.2.9/24
[[ $out == *"is in maintenance"* ]] || fail "a host in maintenance: $out"
expect_status 2 v2v vm create --template web --host hv1 -o out --set address=192.0.2.9/24

# A free name is given again, one whose folder is there is refused.
v2v vm create --template web -o out --set address=192.0.2.9/24 --json >said || fail "again"
jq -e '.machines[0].computer_name == "web-02"' said >/dev/null || fail "$(cat said)"
refuse () { # STATUS TEXT OPTION...
    local want=$1 text=$2
    shift 2
    expect_status "$want" v2v vm create -o no "$@"
    [[ $out == *"$text"* ]] || fail "'$text' is not in: $out"
    [ ! -e no ] || fail "left: $(ls -A no)"
}
t=(--template web --set address=192.0.2.9/24)
expect_status 2 v2v vm create -o out "${t[@]}"
[[ $out == *"is there already"* ]] || fail "a folder that is there: $out"
refuse 2 "setting address is mandatory" --template web
refuse 2 "no setting is called" "${t[@]}" --set adress=1
refuse 2 "a number from 0 to 8192" "${t[@]}" --set memory=9000
refuse 2 "at most 4096 is allowed" "${t[@]}" --set memory=5000
refuse 2 "given 2 times for 3" "${t[@]}" --set memory=1 --set memory=2 --count 3
refuse 2 "file:PATH" "${t[@]}" --set key=secret
refuse 5 "No such file" "${t[@]}" --set key=file:nothing
refuse 2 "is the template's matter" "${t[@]}" --cpus 9
refuse 2 "cannot have one name" "${t[@]}" --count 2 one
refuse 2 "no object" --template nothing
refuse 2 "expected a vm-template" --template disk/base
refuse 2 "run of '#'" "${t[@]}" --computer-name 'a b'
refuse 2 "control character" "${t[@]}" $'x\ny'
refuse 2 "at most 100" "${t[@]}" "$(printf '%0300d' 7)"
v2v vm create -o out "${t[@]}" "x'; rm -rf \" /" >/dev/null || fail "a hostile name"
v2v library set --disable disk/base >/dev/null
refuse 2 "is disabled" "${t[@]}"
v2v library set --enable disk/base >/dev/null

# A template of a machine of the library.
mkdir vm
cp out/web-03/{web-03.json,New-web-03.ps1,report.json} vm/
v2v copy 1.raw vm/web-03-disk1.vhdx >/dev/null
truncate -s 1G 2.raw
v2v copy 2.raw vm/web-03-disk2.vhdx >/dev/null
v2v library import --name kept vm >/dev/null || fail "import of a machine"
v2v template create --library lib --name of-vm --from vm/kept --json >said || fail "--from a machine"
jq -e '(.disks | length) == 2 and .disks[1].location == 5 and .disks[0].file == null
       and (.disks[0].object.digest | startswith("sha256"))' said >/dev/null || fail "$(cat said)"
v2v vm create --template of-vm -o out second >/dev/null || fail "of a machine"

# The same machine once more, on its disks.
v2v vm create --library lib --clone vm/kept --differencing --computer-name 'tw-##' -o out \
    >/dev/null || fail "--clone of the library"
jq -e '.target | .processor.count == 3 and .disks[1].location == 5 and .disks[1].controller == 1
       and (.disks[0].parents | length) == 1' out/tw-01/tw-01.json >/dev/null ||
    fail "clone: $(cat out/tw-01/tw-01.json)"
v2v vm show --json tw-01 | jq -e '(.bases | length) == 2' >/dev/null || fail "bases of a clone"

# Without a template: disks of the library.
v2v vm create --library lib --disk base --differencing --cpus 5 --switch A --vlan 7 --blank 1G \
    -o out plain >/dev/null || fail "--disk OBJECT"
jq -e '.target | .processor.count == 5 and .network_adapters[0].vlan == 7
       and (.disks | length) == 2' out/plain/plain.json >/dev/null || fail "plain"
v2v vm create --library lib --disk base -o out copy >/dev/null || fail "a copy"
v2v compare 1.raw out/copy/copy-disk1.vhdx >/dev/null || fail "the copy differs"
v2v vm ls --json --object disk/base | jq -e '[.machines[].name] | index("copy") == null' >/dev/null ||
    fail "a copy needs its base"
for m in $(v2v vm ls --json | jq -r '.machines[].id'); do v2v vm rm "$m" >/dev/null || fail "rm $m"; done
v2v library rm --force disk/base >/dev/null || fail "a base that is free again stays"
