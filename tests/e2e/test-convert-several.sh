#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Several machines in a package, blank disks, VMX sources with snapshots, and
# chains kept as chains.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-img --version
requires qemu-io --version
workdir

# A VMX whose disk is a chain of two.
mkdir vm
qemu-img create -q -f vmdk vm/base.vmdk 16M
qemu-io -f vmdk -c 'write -q -P 17 0 5M' vm/base.vmdk
(cd vm && qemu-img create -q -f vmdk -b base.vmdk -F vmdk now.vmdk)
qemu-io -f vmdk -c 'write -q -P 33 3M 128k' vm/now.vmdk
qemu-img convert -O raw vm/now.vmdk want.raw
cat >vm/vm.vmx <<'VMX'
.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
displayName = "chained"
guestOS = "debian11-64"
memsize = "512"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "now.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.networkName = "LAN"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:01:02:03"
VMX

v2v convert vm/vm.vmx -o flat >/dev/null || fail "a VMX"
v2v compare want.raw flat/chained/chained-disk1.vhdx >/dev/null || fail "flat"
[ "$(v2v info --json flat/chained/chained-disk1.vhdx | jq .has_parent)" = false ] ||
    fail "not flattened"
jq -e 'any(.findings[][]; .id == "disk.flattened")' flat/chained/report.json \
    >/dev/null || fail "no finding"

for format in vhdx vhd; do
    v2v convert --keep-chain --disk-format $format vm/vm.vmx -o kept-$format \
        >/dev/null || fail "--keep-chain"
    top=kept-$format/chained/chained-disk1.$format
    v2v compare want.raw $top >/dev/null || fail "$format: another disk"
    [ "$(v2v info --json $top | jq -r '.parents | length')" = 1 ] ||
        fail "$format: no chain"
    [ -f kept-$format/chained/chained-disk1-parent1.$format ] ||
        fail "$format: $(ls kept-$format/chained)"
    v2v compare vm/base.vmdk kept-$format/chained/chained-disk1-parent1.$format \
        >/dev/null || fail "$format: the parent"
    # The child has its own blocks only: two of 1 or 2 MiB, not five.
    [ "$(v2v map --json $top | jq '[.extents[] | select(.depth == 0 and .kind == "data") | .length] | add')" \
        -lt 1000000 ] || fail "$format: the child has its parent's data"
    # The parent is named wherever the child is; the whole has no digest.
    parent=chained-disk1-parent1.$format
    size=$(stat -c %s kept-$format/chained/$parent)
    jq -e --arg p $parent --argjson n "$size" \
        '.disks[0].parents == [{file: $p, file_bytes: $n}]
         and .disks[0].digest_absent == "chain-kept"
         and any(.files[]; .name == $p and .bytes == $n)' \
        kept-$format/chained/report.json >/dev/null || fail "$format: report.json"
    jq -e --arg p $parent --argjson n "$size" \
        '.target.disks[0].parents == [{file: $p, file_bytes: $n}]' \
        kept-$format/chained/chained.json >/dev/null || fail "$format: chained.json"
    grep -q "parent: *$parent" kept-$format/chained/report.txt || fail "$format: report.txt"
    grep -q "Parents = @('$parent')" kept-$format/chained/Import-chained-SCVMM.ps1 ||
        fail "$format: the SCVMM script does not know the parent"
done
grep -q 'Parents = @()' flat/chained/Import-chained-SCVMM.ps1 || fail "a parent from nowhere"
jq -e '.disks[0] | has("parents") or has("digest_absent") | not' \
    flat/chained/report.json >/dev/null || fail "flat: parents"
# Two disks of one family and release are taken for each other; what the script
# leaves to be set is said.
grep -q FamilyName flat/chained/Import-chained-SCVMM.ps1 && fail "FamilyName"
for setting in Set-VMNetworkAdapterVlan MacAddressSpoofing ExposeVirtualizationExtensions \
        Set-VMComPort AutomaticStartAction AutomaticStopAction CheckpointType \
        Disable-VMIntegrationService Enable-VMTPM; do
    grep -q "Write-Warning.*$setting" flat/chained/Import-chained-SCVMM.ps1 ||
        fail "the SCVMM script is silent about $setting"
done
# A chain that was stopped goes on with the parent that is there.
v2v convert --keep-chain --rate 1M vm/vm.vmx -o stopped >/dev/null 2>&1 &
pid=$!
sleep 2
kill -KILL $pid
wait $pid 2>/dev/null || true
v2v convert --keep-chain --resume vm/vm.vmx -o stopped >/dev/null || fail "resumed chain"
v2v compare want.raw stopped/chained/chained-disk1.vhdx >/dev/null ||
    fail "resumed chain: another disk"
[ "$(ls -A stopped/chained | wc -l)" = 7 ] || fail "left: $(ls -A stopped/chained)"

grep -q 005056010203 flat/chained/New-chained.ps1 || fail "the MAC is not kept"
v2v convert --new-macs vm/vm.vmx -o macs >/dev/null
grep -q 005056010203 macs/chained/New-chained.ps1 && fail "--new-macs keeps it"

# A network map as a file.
printf 'LAN = Corp vlan 30\n' >map
v2v convert --network-map map --strict-networks vm/vm.vmx -o net >/dev/null ||
    fail "--network-map"
grep -q "'Corp'" net/chained/New-chained.ps1 || fail "no switch in the script"
printf 'LAN = a\nLAN = b\n' >twice
expect_status 3 v2v convert --network-map twice vm/vm.vmx -o no

# A real package of two machines: choose, or all.
if [ -n "${V2V_SAMPLES:-}" ]; then
    two=$V2V_SAMPLES/ovf/vmware/vApp_with_2vms.ovf
    expect_status 2 v2v convert --dry-run "$two"
    [[ $out == *"2 machines: "*"--vm all"* ]] || fail "$out"
    [ "$(v2v convert --dry-run --json --vm all "$two" | jq '.conversions | length')" = 2 ] ||
        fail "--vm all"
    [ "$(v2v convert --dry-run --json --vm centos-5.5-32-esx-qa "$two" |
         jq '.conversions | length')" = 1 ] || fail "--vm NAME"
fi
