#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v convert: an OVA and an OVF become a folder with disks, description,
# scripts and reports; what is reported is true; what is wrong is refused.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
requires jq --version
requires qemu-img --version
workdir

head -c 5000000 /dev/urandom >1.raw
truncate -s 16M 1.raw
head -c 3000000 /dev/urandom >2.raw
truncate -s 8M 2.raw
mkdir src
cd src
make_disk ../1.raw one.vmdk
make_disk ../2.raw two.vmdk
make_ovf web one.vmdk two.vmdk
tar -cf ../web.ova m.ovf m.mf one.vmdk two.vmdk
cd ..
before=$(sha256_of web.ova)

# The whole way, from the package, from the folder, from a pipe.
v2v convert web.ova -o out >printed 2>err || fail "$(cat err)"
[ ! -s err ] || fail "standard error without a terminal: $(cat err)"
[ "$(tail -1 printed)" = out/web ] || fail "the folder is not named: $(cat printed)"
[ "$(cd out/web && echo *)" = \
    "Import-web-SCVMM.ps1 New-web.ps1 report.json report.txt web-disk1.vhdx web-disk2.vhdx web.json" ] ||
    fail "files: $(ls -a out/web)"
[ "$(ls -A out)" = web ] || fail "left: $(ls -A out)"
v2v compare 1.raw out/web/web-disk1.vhdx >/dev/null || fail "disk 1"
v2v compare 2.raw out/web/web-disk2.vhdx >/dev/null || fail "disk 2"
qemu-img compare -q -f raw -F vhdx 1.raw out/web/web-disk1.vhdx || fail "qemu: disk 1"
v2v digest --check out/web/report.json >/dev/null || fail "digests of the report"
[ "$(sha256_of web.ova)" = "$before" ] || fail "the source was changed"
jq -e '.schema == "v2v-machine" and .version == 1' out/web/web.json >/dev/null ||
    fail "web.json"
jq -e '.outcome == "converted" and .source.manifest == "matched"
       and (.disks | length) == 2 and all(.disks[]; .digest != null)' \
   out/web/report.json >/dev/null || fail "report: $(cat out/web/report.json)"
for i in 1 2; do
    [ "$(jq ".disks[$((i - 1))].file_bytes" out/web/report.json)" = \
        "$(stat -c %s out/web/web-disk$i.vhdx)" ] || fail "file_bytes $i"
done

# A name that is taken is numbered, inside too.
out=$(v2v convert --json src/m.ovf -o out)
[ "$(jq -r '.conversions[0].folder' <<<"$out")" = out/web-2 ] || fail "$out"
[ -f out/web-2/web-2-disk1.vhdx ] && [ -f out/web-2/New-web-2.ps1 ] ||
    fail "$(ls out/web-2)"
cat web.ova | v2v convert - -o out >/dev/null || fail "from a pipe"
v2v compare 2.raw out/web-3/web-3-disk2.vhdx >/dev/null || fail "from a pipe: disk 2"
[ "$(jq -r .source.manifest out/web-3/report.json)" = matched ] || fail "pipe: manifest"
v2v convert src -o out >/dev/null || fail "from a folder"
gzip -c web.ova >web.ova.gz
status=0
v2v convert - -o packed <web.ova.gz >/dev/null 2>&1 || fail "a packed file as standard input"
cat web.ova.gz | v2v convert - -o packed >/dev/null 2>err || status=$?
[ $status = 4 ] && grep -q '^v2v: -: is packed with gzip' err ||
    fail "a packed pipe: $status: $(cat err)"

# Options reach the disks and the machine.
v2v convert web.ova -o opt --disk-format vhd --subformat fixed --name 'my vm' \
    --network 'VM Network=Ext vlan 20' --new-macs --no-digest >/dev/null
[ "$(v2v info --json opt/my-vm/my-vm-disk1.vhd | jq -r .variant)" = fixed ] ||
    fail "fixed VHD"
jq -e '.target.name == "my vm" and .target.network_adapters[0].switch == "Ext"' \
   opt/my-vm/my-vm.json >/dev/null || fail "options: $(cat opt/my-vm/my-vm.json)"
jq -e 'all(.disks[]; .digest == null)' opt/my-vm/report.json >/dev/null ||
    fail "--no-digest"
v2v convert web.ova -o opt --generation 1 --block-size 8M --no-sparse >/dev/null
[ "$(v2v info --json opt/web/web-disk1.vhdx | jq .block_bytes)" = $((8 << 20)) ] ||
    fail "--block-size"
[ $(($(stat -c %b opt/web/web-disk1.vhdx) * 512)) -ge "$(stat -c %s opt/web/web-disk1.vhdx)" ] ||
    fail "--no-sparse leaves holes"

# A dry run writes nothing and tells what would be.
v2v convert --dry-run --json web.ova >plan
jq -e '.conversions[0].plan | .dry_run and (.disks | length) == 2
       and .disks[0].target_file == "web-disk1.vhdx" and .needed_bytes > 0' \
   plan >/dev/null || fail "$(cat plan)"
v2v convert --dry-run web.ova | head -1 | grep -q planned || fail "dry run as text"
v2v convert --dry-run web.ova -o never >/dev/null
[ ! -e never ] || fail "a dry run made a folder"

# A digest that does not fit: refused, reported, or not looked at.
mkdir bad
cp src/* bad/
sed -i '/two.vmdk/s/= ./= x/; s/= x/= 0/' bad/m.mf
grep -q "$(sha256_of src/two.vmdk)" bad/m.mf && sed -i '/two.vmdk/s/= 0/= 1/' bad/m.mf
expect_status 7 v2v convert bad/m.ovf -o refused
[[ $out == *two.vmdk* ]] || fail "$out"
[ ! -e refused ] || [ -z "$(ls -A refused)" ] || fail "left: $(ls -A refused)"
v2v convert --manifest warn bad/m.ovf -o warned >/dev/null || fail "--manifest warn"
jq -e '.source.manifest == "differs" and any(.findings[][]; .id | startswith("manifest"))' \
   warned/web/report.json >/dev/null || fail "warn: $(cat warned/web/report.json)"
v2v convert --manifest off bad/m.ovf -o warned >/dev/null || fail "--manifest off"

# Refusals: status, a sentence, nothing left.
refuse () { # STATUS TEXT OPTION...
    local want=$1 text=$2
    shift 2
    rm -rf no
    expect_status "$want" v2v convert "$@"
    [[ $out == *"$text"* ]] || fail "'$text' is not in: $out"
    [ ! -e no ] || [ -z "$(ls -A no)" ] || fail "left: $(ls -A no)"
}
refuse 2 "-o DIR is missing" web.ova
refuse 2 "too few arguments" -o no
refuse 2 "none of: vhdx vhd" --disk-format vmdk web.ova -o no
refuse 2 "--generation: '3'" --generation 3 web.ova -o no
refuse 2 "need --dynamic-memory" --memory-minimum 1G web.ova -o no
refuse 2 "exclude each other" --keep-chain --subformat fixed web.ova -o no
refuse 2 "no machine is called 'x'" --vm x web.ova -o no
refuse 2 "VM Network" --strict-networks web.ova -o no
refuse 5 "No such file" none.ova -o no
refuse 5 "" web.ova -o /dev/null/no
printf 'neither' >not.ova
refuse 3 "not.ova" not.ova -o no
cp src/m.ovf lonely.ovf
refuse 5 "one.vmdk" lonely.ovf -o no
v2v convert --dry-run --json lonely.ovf |
    jq -e 'any(.conversions[0].plan.findings[][]; .id == "disk.missing")' >/dev/null ||
    fail "a dry run without disks"
