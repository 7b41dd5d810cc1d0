#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v vm create: from a blank disk, from one that is there, by differencing,
# from another machine; with a CD image and a seed.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires 7zz i
workdir

ids () { jq -r '[.findings[][].id] | sort | unique | join(" ")' "$1"; }

# Blank, with an image to install from.
head -c 3000000 /dev/urandom >cd.iso
truncate -s 3001344 cd.iso
v2v vm create -o out --blank 60G --blank 1G --iso cd.iso --switch 'Lab; x' \
    --vlan 7 --mac 00-15-5d-00-00-0a --cpus 4 --memory 3G web >printed ||
    fail "blank: $(cat printed)"
[ "$(tail -1 printed)" = out/web ] || fail "the folder is not named: $(cat printed)"
[ "$(cd out/web && echo *)" = \
    "Import-web-SCVMM.ps1 New-web.ps1 report.json report.txt web-cd1.iso web-disk1.vhdx web-disk2.vhdx web.json" ] ||
    fail "files: $(ls out/web)"
cmp cd.iso out/web/web-cd1.iso || fail "the image is another one"
jq -e '.target | .generation == 2 and .processor.count == 4
       and .memory.startup_bytes == 3221225472 and .disks[0].blank
       and .disks[0].size_bytes == 64424509440 and .disks[0].boot
       and .dvd_drives[0].file == "web-cd1.iso"
       and .network_adapters[0].switch == "Lab; x"
       and .network_adapters[0].vlan == 7
       and .network_adapters[0].mac == "00155D00000A"
       and .firmware.boot_order[0].kind == "disk"
       and (.firmware.boot_order | length) == 4
       and (.notes | startswith("Made by v2v"))' out/web/web.json >/dev/null ||
    fail "web.json: $(cat out/web/web.json)"
[ "$(v2v info --json out/web/web-disk1.vhdx | jq .virtual_bytes)" = $((60 << 30)) ] ||
    fail "size of the blank disk"
[ "$(ids out/web/report.json)" = nic.mac-pool ] ||
    fail "findings: $(ids out/web/report.json)"
[ "$(jq -r .outcome out/web/report.json)" = created ] || fail "outcome"
grep -q "File = 'web-cd1.iso'" out/web/New-web.ps1 || fail "the script puts no image in"
used=$(du -sk --apparent-size out/web/web-disk1.vhdx | cut -f1)
[ "$used" -lt 8192 ] || fail "a blank disk of $used KiB"

# A disk that is there: a copy with an identity of its own.
head -c 3000000 /dev/urandom >1.raw
truncate -s 16M 1.raw
v2v copy 1.raw base.vhdx >/dev/null
v2v vm create -o out --disk base.vhdx --generation 1 one >/dev/null || fail "--disk"
v2v compare base.vhdx out/one/one-disk1.vhdx >/dev/null || fail "the copy differs"
[ "$(v2v info --json base.vhdx | jq -r .id)" != \
    "$(v2v info --json out/one/one-disk1.vhdx | jq -r .id)" ] || fail "one identity"
jq -e '.target | .generation == 1 and .disks[0].bus == "ide"' out/one/one.json >/dev/null ||
    fail "generation 1"
[ "$(ids out/one/report.json)" = "boot.nothing-found new.not-looked-into nic.unmapped" ] ||
    fail "findings: $(ids out/one/report.json)"
v2v digest --check out/one/report.json >/dev/null || fail "digest"

# By differencing, with a seed: nothing is copied, and what it says is there.
mkdir bases
mv base.vhdx bases/
before=$(sha256_of bases/base.vhdx)
chmod 444 bases/base.vhdx
echo 'a password' >pw
cat >p.json <<'END'
{ "network": [ { "mac": "00:15:5d:00:00:01", "addresses": [ "192.0.2.5/24" ] } ],
  "linux": { "users": [ { "name": "admin", "password": { "file": "pw" } } ] } }
END
v2v vm create -o out --disk bases/base.vhdx --differencing --parent-folder 'D:\bases' \
    --seed-profile p.json --switch Ext web_01 >/dev/null || fail "--differencing"
d=out/web_01
v2v compare --search bases 1.raw $d/web_01-disk1.vhdx >/dev/null || fail "the child differs"
[ "$(sha256_of bases/base.vhdx)" = "$before" ] || fail "the base was written to"
[ $(($(stat -c %b $d/* | paste -sd+) )) -lt 2048 ] || fail "more than 1 MiB: $(du -k $d/*)"
jq -e '.target.disks[0].parents == [ { "file": "base.vhdx",
       "path": "..\\..\\bases\\base.vhdx", "file_bytes": '"$(stat -c %s bases/base.vhdx)"' } ]
       and .target.network_adapters[0].mac == "00155D000001"
       and .target.network_adapters[0].switch == "Ext"
       and .target.dvd_drives[0].file == "web_01-seed.iso"' $d/web_01.json >/dev/null ||
    fail "child: $(cat $d/web_01.json)"
[ "$(v2v disk chain --json --search bases $d/web_01-disk1.vhdx |
    jq -r '.layers[0].parent_absolute_path')" = 'D:\bases\base.vhdx' ] ||
    fail "absolute path of the parent"
[ "$(stat -c %a $d/web_01-seed.iso)" = 600 ] || fail "the seed is for everybody"
7zz x -y -oseed $d/web_01-seed.iso >/dev/null || fail "7zz reads no seed"
[ "$(ls seed)" = "meta-data
network-config
user-data" ] || fail "seed: $(ls seed)"
grep -q 'hostname: "web-01"' seed/user-data || fail "name: $(cat seed/user-data)"
grep -qF "instance-id: \"v2v-$(jq -r .id $d/web_01.json)\"" seed/meta-data ||
    fail "instance: $(cat seed/meta-data)"
! grep -rqF 'a password' $d || fail "the password is there in the clear"
case "$(ids $d/report.json)" in *new.base*seed.made*) ;; *) fail "$(ids $d/report.json)" ;; esac

# Children by their own format only.
v2v copy 1.raw bases/b.vhd >/dev/null
v2v vm create -o out --disk bases/b.vhd --differencing old >/dev/null || fail "VHD"
jq -e '.target.generation == 1 and .target.disk_format == "vhd"' out/old/old.json >/dev/null ||
    fail "a VHD child: $(cat out/old/old.json)"
v2v compare --search bases 1.raw out/old/old-disk1.vhd >/dev/null || fail "the VHD child differs"

# Another machine: its hardware, its disks, not its addresses.
v2v vm create -o out --clone out/web --cpus 1 twin >/dev/null || fail "--clone"
jq -e '.target | .processor.count == 1 and .memory.startup_bytes == 3221225472
       and (.disks | length) == 2 and .network_adapters[0].switch == "Lab; x"
       and .network_adapters[0].vlan == 7 and .network_adapters[0].mac == null
       and (.dvd_drives | length) == 1 and .dvd_drives[0].file == null' \
   out/twin/twin.json >/dev/null || fail "twin: $(cat out/twin/twin.json)"
v2v vm create -o out --clone out/one --differencing leaf >/dev/null || fail "--clone --differencing"
v2v compare --search out/one 1.raw out/leaf/leaf-disk1.vhdx >/dev/null || fail "the leaf differs"
jq -e 'any(.findings[][]; .id == "new.clone-freezes")' out/leaf/report.json >/dev/null ||
    fail "a clone on living disks is not told"

# A name is data; one that is taken is numbered.
v2v vm create -o out --blank 1G "x'; rm -rf / \"
../$(printf '%0300d' 7)" >/dev/null || fail "hostile name"
[ "$(find . -name '*rm -rf*' | wc -l)" = 0 ] || fail "the name is in the file system"
v2v vm create --json -o out --blank 1G web | jq -e '.folder == "out/web-2"' >/dev/null ||
    fail "not numbered"
[ -e out/web-2/web-2-disk1.vhdx ] || fail "$(ls out/web-2)"

# Refused, with a sentence, and nothing left.
refuse () { # STATUS TEXT OPTION...
    local want=$1 text=$2
    shift 2
    expect_status "$want" v2v vm create "$@"
    [[ $out == *"$text"* ]] || fail "'$text' is not in: $out"
    [ ! -e no ] || [ -z "$(ls -A no)" ] || fail "left: $(ls -A no)"
}
refuse 2 "-o DIR is missing" --blank 1G a
refuse 2 "nothing says what" -o no a
refuse 2 "too few arguments" -o no --blank 1G
refuse 2 "needs --disk or --clone" -o no --blank 1G --differencing a
refuse 2 "--mac: '01:00" -o no --blank 1G --mac 01:00:5e:00:00:01 a
refuse 2 "is not the address" -o no --blank 1G --mac 00:15:5d a
refuse 2 "whole sectors" -o no --blank 1000 a
refuse 2 "needs a parent of format vhdx" -o no --disk bases/base.vhdx --disk 1.raw --differencing a
refuse 2 "neither on nor off" -o no --blank 1G --tpm yes a
refuse 2 "generation 1 has no TPM" -o no --blank 1G --tpm on --generation 1 a
refuse 2 "nothing tells whether" -o no --blank 1G --seed-profile <(echo '{}') a
refuse 4 "at most" -o no --blank 65T a
refuse 4 "VHDX only" -o no --blank 1G --disk-format vhd --generation 2 a
refuse 5 "No such file" -o no --disk none.vhdx a
refuse 5 "No such file" -o no --clone none a
refuse 2 "holds no description" -o no --clone bases a
mkdir evil
jq '.target.disks[0].file = "../1.raw"' out/one/one.json >evil/one.json
refuse 3 "../1.raw" -o no --clone evil a
jq '.target.disks[0].file = "none.vhdx"' out/one/one.json >evil/one.json
refuse 5 "none.vhdx" -o no --clone evil a
expect_status 2 v2v vm destroy x
