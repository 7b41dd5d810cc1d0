#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v profile and v2v template on files, as their manuals show them: made from
# a machine, set, compared, judged, exported for v2v customize and imported.
. "$abs_top_srcdir/tests/functions.sh"
workdir

cat >web.vmx <<'VMX'
config.version = "8"
virtualHW.version = "19"
displayName = "web 'one'"
guestOS = "debian11-64"
firmware = "efi"
uefi.secureBoot.enabled = "TRUE"
memsize = "2048"
numvcpus = "2"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "web.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.networkName = "VM Network"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:00:00:01"
VMX
v2v copy --progress none null:8M -O vmdk web.vmdk >/dev/null

# Hardware of a source machine; of the converted one; the same by both.
v2v profile create hardware --from web.vmx -o hw.xml
v2v profile show hw.xml >show
grep -qxE "name +web 'one'" show || fail "show: $(cat show)"
grep -qxE "processor.count +2" show || fail "show: $(cat show)"
grep -q '00:50:56' hw.xml && fail "the address came along"
v2v profile create hardware --from web.vmx --keep-macs | grep -q 00:50:56:00:00:01 ||
    fail "--keep-macs"
v2v convert --no-guest --progress none --generation 2 web.vmx -o out >/dev/null 2>&1 ||
    fail "convert"
folder=$(ls -d out/*)
v2v profile create hardware --from "$folder" -o converted.xml
v2v profile diff hw.xml converted.xml >changes || true
grep -v ' id: ' changes | grep . && fail "a source and what became of it differ: $(cat changes)"

# Setting and comparing; a new one never replaces what is there.
v2v profile create hardware --from hw.xml --name large \
    --set processor.count=8 --set 'network-adapters[0].switch=Lab' -o large.xml
status=0; v2v profile diff hw.xml large.xml >changes || status=$?
[ $status = 1 ] || fail "diff: status $status"
grep -qx '  processor.count: 2 -> 8' changes || fail "diff: $(cat changes)"
grep -qx '+ network-adapters\[Network Adapter 1\].switch: Lab' changes || fail "diff: $(cat changes)"
v2v profile diff large.xml large.xml || fail "a profile differs from itself"
expect_status 2 v2v profile create hardware --name x -o large.xml
v2v profile create hardware --name x --force -o x.xml
expect_status 2 v2v profile create hardware -o y.xml
[ ! -e y.xml ] || fail "a profile without a name was written"
expect_status 2 v2v profile create hardware --name x --set processor.cuont=1
echo "$out" | grep -q 'did you mean count' || fail "no hint: $out"
expect_status 2 v2v profile create shoes --name x
expect_status 2 v2v profile show
expect_status 2 v2v profile mend x.xml

# A machine is made as its profile says, and the profile of that is the same.
v2v profile create hardware --from hw.xml --set generation=2 --set processor.count=3 \
    --set processor.reserve-percent=20 --set integration-services.vss=false \
    --set video.resolution=Maximum --set 'network-adapters[1].name=Second' -o wanted.xml
v2v convert --no-guest --progress none --generation 2 --hardware-profile wanted.xml \
    --name made web.vmx -o out >log 2>&1 || fail "convert: $(cat log)"
grep -q "Parameter = 'Reserve'; Value = 20" out/made/New-made.ps1 || fail "no reserve"
grep -q "5CED1297-4598-4915-A5FC-AD21BB4D02A4'; Value = \$false" out/made/New-made.ps1 ||
    fail "no integration service"
grep -q 'library.hardware.not-applied' out/made/report.json || fail "video is not told"
v2v profile create hardware --from out/made -o made.xml
v2v profile diff wanted.xml made.xml >changes || true
grep -E '^[- ] ' changes | grep -vE '^[- ] (name|id|video.resolution): ' | grep . &&
    fail "the machine is not as its profile: $(cat changes)"
expect_status 2 v2v convert --dry-run --no-guest --generation 1 \
    --hardware-profile wanted.xml web.vmx
echo "$out" | grep -q 'is for generation 2, the disks are of generation 1' || fail "$out"

# Limits.
v2v profile create capability --name cluster --set maximum-processors=4 \
    --set switches=External -o cluster.xml
v2v profile validate --capability cluster.xml hw.xml >/dev/null || fail "hw is within"
status=0; v2v profile validate --capability cluster.xml hw.xml large.xml >said || status=$?
[ $status = 1 ] || fail "validate: status $status"
grep -q 'large.xml: processor.count: 8, at most 4 is allowed (library.capability.range)' said ||
    fail "validate: $(cat said)"
grep -q 'library.capability.not-allowed' said || fail "validate: $(cat said)"
v2v profile validate --json --capability cluster.xml large.xml >said || true
grep -q '"library.capability.range"' said || fail "validate --json: $(cat said)"

# A violation: line and element, status 3.
sed 's/count="8"/count="many"/' large.xml >bad.xml
line=$(grep -n many bad.xml | cut -d: -f1)
expect_status 3 v2v profile validate bad.xml
echo "$out" | grep -q "bad.xml: line $line: element 'processor', attribute 'count'" || fail "$out"
expect_status 2 v2v template show large.xml

# A guest profile: from the JSON of customize, and back to the same.
cat >guest.json <<'JSON'
{
  "computer_name": "web1",
  "network": [{"mac": "00:50:56:00:00:01", "dhcp4": true}],
  "linux": {
    "root": {"lock": true},
    "users": [{"name": "admin", "password": {"file": "admin.secret"}}]
  }
}
JSON
v2v profile import guest.json --name web -o guest.xml
v2v profile export guest.xml -o back.json
cmp <(tr -d ' \n' <guest.json) <(tr -d ' \n' <back.json) || fail "export: $(cat back.json)"
v2v profile import guest.json --name web --set computer-name=web-## -o pattern.xml
expect_status 2 v2v profile export pattern.xml
v2v profile export pattern.xml --set computer-name=web7 | grep -q '"web7"' || fail "export"
expect_status 2 v2v profile create guest-os --name x --set computer-name=a_b
expect_status 3 v2v profile create guest-os --name x --set linux.root.lock=true \
    --set linux.root.password=file:secret
v2v profile export hw.xml -o hw.json
v2v profile import hw.json -o again.xml
cmp hw.xml again.xml || fail "export and import change a profile"

# Templates.
v2v template create --name web --disk web.vmdk --hardware hw.xml --guest-os guest.xml \
    --computer-name 'web-##' --set 'disks[disk1].storage=copy' -o t1.xml
grep -q 'sha256:' t1.xml || fail "the template does not know the content of its profile"
v2v template create --name web --from "$folder/$(basename "$folder").json" -o t2.xml
grep -q 'boot="true"' t2.xml && grep -q '<source kind="vm"' t2.xml || fail "$(cat t2.xml)"
status=0; v2v template diff t1.xml t2.xml >/dev/null || status=$?
[ $status = 1 ] || fail "template diff: status $status"
expect_status 1 v2v template validate --capability cluster.xml --hardware large.xml t1.xml
cat >service.xml <<'XML'
<service-template xmlns="urn:v2v:library:1" name="shop">
  <settings><setting name="DOMAIN" mandatory="true"/></settings>
  <tiers>
    <tier name="web" computer-name="web-##.@DOMAIN@"><vm-template name="web"/></tier>
  </tiers>
</service-template>
XML
v2v template validate t1.xml t2.xml service.xml >/dev/null || fail "validate"
sed -i 's/@DOMAIN@/@DOMIAN@/' service.xml
expect_status 3 v2v template validate service.xml
echo "$out" | grep -q "no setting is called 'DOMIAN'" || fail "$out"

# In a library: stored with what they refer to, read by name.
export XDG_CONFIG_HOME=$PWD
v2v library init lib >/dev/null
expect_status 2 v2v template create --library lib --name t --computer-name 'web-##' \
    --set hardware-profile.name=nowhere
v2v profile create hardware --library lib --name hw --from hw.xml --set owner=ops \
    --set family=web --set tags=a,b >/dev/null
v2v profile import guest.json --library lib --name web >/dev/null
v2v library import --library lib web.vmdk --name web-disk >/dev/null
v2v template create --library lib --name t --hardware hw --guest-os web \
    --set 'disks[os].object.name=web-disk' >said || fail "template into the library"
grep -qE '^[0-9a-f-]{36}  vm-template/t$' said || fail "stored: $(cat said)"
v2v library show --library lib hw >said
grep -q ops said && grep -q web said || fail "fields of the object: $(cat said)"
v2v library where-used --library lib hw | grep -q 'vm-template' || fail "where-used"
expect_status 2 v2v library rm --library lib hw
v2v profile show --library lib hw | grep -qxE 'processor.count +2' || fail "read by name"
v2v profile diff --library lib hw hardware-profile/hw || fail "a name and its kind"
status=0; v2v template validate --library lib --capability cluster.xml --hardware hw t \
    >said || status=$?
[ $status = 0 ] || fail "validate by name: $(cat said)"
expect_status 2 v2v profile show --library lib nothing
expect_status 2 v2v profile show --library lib t
v2v library verify --library lib >/dev/null || fail "the library is not whole"

# The examples of the manual are valid documents, and xmllint agrees.
pod=$abs_top_srcdir/convert/v2v-documents.pod
awk -v RS= '/^ <[a-z-]+ xmlns/ { n++; print > ("example" n ".xml") }' "$pod"
[ "$(ls example*.xml | wc -l)" = 5 ] || fail "expected five examples in the manual"
for f in example*.xml; do
    v2v profile validate "$f" >/dev/null 2>&1 || v2v template validate "$f" >/dev/null ||
        fail "$f: $(cat "$f")"
done
if command -v xmllint >/dev/null; then
    xmllint --noout --schema "$abs_top_srcdir/library/v2v-library.xsd" \
        example*.xml hw.xml guest.xml cluster.xml t1.xml t2.xml 2>lint ||
        fail "xmllint: $(cat lint)"
fi
