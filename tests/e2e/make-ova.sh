# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced: make_ovf NAME DISK... writes m.ovf, m.mf for streamOptimized disks
# that are in the folder; NETWORK and FIRMWARE (bios, efi) may be set.

xml_escape () {
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g' <<<"$1"
}

# make_disk RAW VMDK
make_disk () {
    qemu-img convert -f raw -O vmdk -o subformat=streamOptimized "$1" "$2"
}

make_ovf () {
    local name=$1 i=0 f id=10
    shift
    {
        echo '<?xml version="1.0" encoding="UTF-8"?>'
        echo '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vmw="http://www.vmware.com/schema/ovf"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"><References>'
        for f in "$@"; do
            i=$((i + 1))
            echo "<File ovf:id=\"f$i\" ovf:href=\"$f\" ovf:size=\"$(stat -c %s "$f")\"/>"
        done
        echo '</References><DiskSection><Info>disks</Info>'
        i=0
        for f in "$@"; do
            i=$((i + 1))
            echo "<Disk ovf:diskId=\"d$i\" ovf:fileRef=\"f$i\" ovf:capacity=\"$(qemu-img info --output=json "$f" | jq '."virtual-size"')\" ovf:format=\"http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized\"/>"
        done
        echo "</DiskSection><NetworkSection><Info>networks</Info><Network ovf:name=\"$(xml_escape "${NETWORK:-VM Network}")\"><Description>n</Description></Network></NetworkSection>
<VirtualSystem ovf:id=\"vm\"><Info>a machine</Info><Name>$(xml_escape "$name")</Name>
<OperatingSystemSection ovf:id=\"96\" vmw:osType=\"debian11_64Guest\"><Info>os</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>hardware</Info>
<System><vssd:ElementName>h</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></System>
<Item><rasd:ElementName>cpu</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>1024</rasd:VirtualQuantity></Item>
<Item><rasd:Address>0</rasd:Address><rasd:ElementName>scsi</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>"
        i=0
        for f in "$@"; do
            i=$((i + 1))
            echo "<Item><rasd:AddressOnParent>$((i - 1))</rasd:AddressOnParent><rasd:ElementName>disk $i</rasd:ElementName><rasd:HostResource>ovf:/disk/d$i</rasd:HostResource><rasd:InstanceID>$((id + i))</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>"
        done
        echo "<Item><rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>$(xml_escape "${NETWORK:-VM Network}")</rasd:Connection><rasd:ElementName>nic</rasd:ElementName><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
<vmw:Config ovf:required=\"false\" vmw:key=\"firmware\" vmw:value=\"${FIRMWARE:-bios}\"/>
</VirtualHardwareSection></VirtualSystem></Envelope>"
    } >m.ovf
    for f in m.ovf "$@"; do
        echo "SHA256($f)= $(sha256_of "$f")"
    done >m.mf
}
