#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-debian.sh [--firmware bios|uefi] [--data MIB] [--raw]
#
# Make a small real machine to convert: the Debian of this host, installed from
# the host's own mirror, with kernel, systemd, GRUB and login prompts on tty1
# and ttyS0, as a VMware machine: an OVA with a descriptor, a SHA-256 manifest
# and one streamOptimized disk.  Prints the path of the OVA; with --raw also,
# on a second line, the same disk as a (sparse) raw file.
#
#   --firmware  bios (default): MBR, GRUB in the gap behind it
#               uefi: GPT, an EFI system partition with \EFI\BOOT\BOOTX64.EFI
#   --data MIB  fill /srv with at least this much of real files (for benches)
#
# Needs root for debootstrap's chroot and nothing of the kernel besides: the
# file systems are written by mke2fs -d and mtools, the boot loader by hand, so
# no loop devices, no mounts, no device mapper.  Everything is kept in
# ${V2V_CACHE:-/var/tmp/v2v-guests} under a key made of this script and its
# options; a second call only prints the path.
set -eu
set -o pipefail
umask 022
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

firmware=bios data=0 raw=0
while [ $# -gt 0 ]; do
    case $1 in
        --firmware) firmware=${2-}; shift ;;
        --data) data=${2-}; shift ;;
        --raw) raw=1 ;;
        *) sed -n '3,/^set -eu/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
    esac
    shift
done
case $firmware in bios|uefi) ;; *) echo "$0: --firmware bios|uefi" >&2; exit 2 ;; esac
case $data in ''|*[!0-9]*) echo "$0: --data MIB" >&2; exit 2 ;; esac

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "$0: must be root" >&2; exit 1; }
    extra=()
    [ $raw = 0 ] || extra=(--raw)
    exec sudo --preserve-env=V2V_CACHE "$0" --firmware "$firmware" \
        --data "$data" "${extra[@]}"
fi

cache=${V2V_CACHE:-/var/tmp/v2v-guests}
key=$(sha256sum "$0" | cut -c1-12)
name=debian-$firmware
[ "$data" = 0 ] || name=$name-data$data
out=$cache/$name-$key
hostname=v2v-debian
root_uuid=5d0a1c1e-7a52-4c2c-8b0e-0f3b5c0f7e01
esp_serial=76320001

say () { echo "build-debian: $*" >&2; }
show () {
    echo "$out/$name.ova"
    [ $raw = 0 ] || echo "$out/$name.raw"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -e "$out/$name.ova" ]; then
    touch "$out"
    show
    exit 0
fi

tmp=
finish () {
    if [ -n "$tmp" ]; then
        # debootstrap unmounts what it mounted, unless it was killed
        for m in proc sys dev/pts dev; do
            ! mountpoint -q "$tmp/root/$m" || umount -l "$tmp/root/$m" || :
        done
        rm -rf --one-file-system "$tmp"
    fi
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
tmp=$(mktemp -d "$cache/tmp.XXXXXX")
# Leftovers of older versions of this script.
find "$cache" -mindepth 1 -maxdepth 1 -name 'debian-*' -mtime +7 \
    -exec rm -rf {} +

# ---- the files of the guest ----

arch=$(dpkg --print-architecture)
[ "$arch" = amd64 ] || { say "only amd64 guests are made, not $arch"; exit 1; }
codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
             'Created-By: Packages' |
         awk -v c="$codename" '$1 == c && $2 == "main" {print $3; exit}')
[ -n "$mirror" ] || {
    say "apt knows no Debian mirror for '$codename'; try apt-get update"
    exit 1
}
packages=dbus,e2fsprogs,grub-common,grub-efi-amd64-bin,grub-pc-bin,ifupdown
packages=$packages,initramfs-tools,iproute2,isc-dhcp-client,kmod
packages=$packages,linux-image-amd64,login,procps,systemd-sysv,udev,zstd
base_key=$(printf '%s\n' "$codename" "$packages" | sha256sum | cut -c1-12)
base=$cache/base-$codename-$base_key.tar
root=$tmp/root

if [ -e "$base" ]; then
    mkdir "$root"
    tar -C "$root" -xf "$base"
else
    say "installing $codename from $mirror (once)"
    mkdir -p "$cache/packages"
    debootstrap --variant=minbase --cache-dir="$cache/packages" \
        --include="$packages" "$codename" "$root" "$mirror" \
        >"$tmp/debootstrap.log" 2>&1 || {
        tail -n 20 "$tmp/debootstrap.log" >&2
        tail -n 20 "$root/debootstrap/debootstrap.log" >&2 2>/dev/null || :
        exit 1
    }
    rm -rf "$root"/var/cache/apt/archives/*.deb "${root:?}"/dev/*
    tar -C "$root" --one-file-system -cf "$base.part" .
    mv "$base.part" "$base"
fi

kernel=$(cd "$root/boot" && echo vmlinuz-*)
version=${kernel#vmlinuz-}
[ -e "$root/boot/initrd.img-$version" ] || { say "no initramfs"; exit 1; }

configure_guest () {
    echo "$hostname" >"$root/etc/hostname"
    printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$hostname" \
        >"$root/etc/hosts"
    rm -f "$root/etc/resolv.conf"
    # A known id: an empty one makes systemd ask questions on the console.
    echo 76327600000000000000000000000001 >"$root/etc/machine-id"
    echo 'root:v2v' | chroot "$root" chpasswd
    printf 'auto lo\niface lo inet loopback\n\n%s\n%s\n' \
        'allow-hotplug ens192' 'iface ens192 inet dhcp' \
        >"$root/etc/network/interfaces"
    {
        echo "UUID=$root_uuid / ext4 errors=remount-ro 0 1"
        [ $firmware = bios ] ||
            echo "UUID=${esp_serial:0:4}-${esp_serial:4} /boot/efi vfat" \
                 "umask=0077,nofail 0 1"
    } >"$root/etc/fstab"
    mkdir -p "$root/boot/efi" \
        "$root/etc/systemd/system/getty.target.wants"
    # The console on the serial line has its prompt by systemd's generator;
    # named here it has one whatever the command line says.
    ln -sf /lib/systemd/system/serial-getty@.service \
        "$root/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
    ln -sf /lib/systemd/system/getty@.service \
        "$root/etc/systemd/system/getty.target.wants/getty@tty1.service"
    cat >"$root/etc/default/grub" <<DEFAULTS
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"
DEFAULTS
}

grow_guest () {
    local have n=0
    have=$(du -sm "$root/usr" | cut -f1)
    mkdir -p "$root/srv"
    while [ $((have * n)) -lt "$data" ]; do
        n=$((n + 1))
        cp -a "$root/usr" "$root/srv/usr-$n"
    done
}

# ---- the boot loader ----

write_grub_files () {
    local platform=$1
    mkdir -p "$root/boot/grub"
    cp -r "$root/usr/lib/grub/$platform" "$root/boot/grub/"
    cat >"$root/boot/grub/grub.cfg" <<CFG
set default=0
set timeout=1
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
menuentry 'Debian GNU/Linux' --class debian {
	search --no-floppy --fs-uuid --set=root $root_uuid
	echo 'Loading Linux $version ...'
	linux /boot/vmlinuz-$version root=UUID=$root_uuid ro console=tty0 console=ttyS0,115200
	initrd /boot/initrd.img-$version
}
CFG
    # What the image in the gap or on the ESP does first.
    cat >"$root/tmp/early.cfg" <<CFG
search --no-floppy --fs-uuid --set=root $root_uuid
set prefix=(\$root)/boot/grub
CFG
}

grub_image () { # PLATFORM MODULE...
    local platform=$1
    shift
    chroot "$root" grub-mkimage -O "$platform" -c /tmp/early.cfg \
        -p /boot/grub -o /tmp/grub.img "$@" \
        part_msdos part_gpt ext2 fat normal configfile linux search \
        search_fs_uuid serial terminal echo test ls reboot halt minicmd
    mv "$root/tmp/grub.img" "$tmp/grub.img"
    rm "$root/tmp/early.cfg"
}

# ---- the disk ----

MIB=1048576
put () { # FILE OFFSET-IN-BYTES: into the disk, holes stay holes
    dd if="$1" of="$disk" bs=1M oflag=seek_bytes seek="$2" conv=notrunc,sparse \
        status=none
}

make_root_partition () { # MIB
    mke2fs -q -t ext4 -L root -U $root_uuid -m 1 \
        -O ^metadata_csum_seed,^orphan_file -E hash_seed=$root_uuid \
        -d "$root" "$tmp/root.img" "$1M" >/dev/null
}

make_disk_bios () {
    write_grub_files i386-pc
    grub_image i386-pc biosdisk
    make_root_partition $((disk_mib - 2))
    printf 'label: dos\nlabel-id: 0x76327601\nstart=2048, size=%s, type=83, bootable\n' \
        $(((disk_mib - 2) * 2048)) | sfdisk -q "$disk"
    # boot.img reads sector 1 unless told otherwise, and core.img's first
    # sector says by itself that the rest follows in sector 2: only the code
    # area of the MBR is ours.
    dd if="$root/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 \
        conv=notrunc status=none
    [ "$(stat -c %s "$tmp/grub.img")" -lt $((MIB - 512)) ] || {
        say "GRUB does not fit before the first partition"
        exit 1
    }
    put "$tmp/grub.img" 512
    put "$tmp/root.img" $MIB
}

make_disk_uefi () {
    local esp_mib=64
    write_grub_files x86_64-efi
    grub_image x86_64-efi
    make_root_partition $((disk_mib - esp_mib - 2))
    mkfs.vfat -C -F 32 -i $esp_serial -n ESP "$tmp/esp.img" \
        $((esp_mib * 1024)) >/dev/null
    mmd -i "$tmp/esp.img" ::/EFI ::/EFI/BOOT ::/EFI/debian
    mcopy -i "$tmp/esp.img" "$tmp/grub.img" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$tmp/esp.img" "$tmp/grub.img" ::/EFI/debian/grubx64.efi
    sfdisk -q "$disk" <<TABLE
label: gpt
label-id: 76327600-0000-4000-8000-000000000001
start=2048, size=$((esp_mib * 2048)), type=uefi, name=esp
start=$(((esp_mib + 1) * 2048)), size=$(((disk_mib - esp_mib - 2) * 2048)), type=linux, name=root
TABLE
    put "$tmp/esp.img" $MIB
    put "$tmp/root.img" $(((esp_mib + 1) * MIB))
}

# ---- the package ----

write_ovf () {
    local vmdk=$name-disk1.vmdk
    local config=''
    [ $firmware = bios ] ||
        config='<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>'
    cat >"$tmp/$name.ovf" <<OVF
<?xml version="1.0" encoding="UTF-8"?>
<Envelope vmw:buildId="build-0" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <References>
    <File ovf:href="$vmdk" ovf:id="file1" ovf:size="$(stat -c %s "$tmp/$vmdk")"/>
  </References>
  <DiskSection>
    <Info>Virtual disk information</Info>
    <Disk ovf:capacity="$disk_mib" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized" ovf:populatedSize="$populated"/>
  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>
    <Network ovf:name="VM Network">
      <Description>The VM Network network</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="$name">
    <Info>A virtual machine</Info>
    <Name>$name</Name>
    <OperatingSystemSection ovf:id="96" vmw:osType="debian12_64Guest">
      <Info>The kind of installed guest operating system</Info>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>$name</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType>
      </System>
      <Item>
        <rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>
        <rasd:Description>Number of Virtual CPUs</rasd:Description>
        <rasd:ElementName>2 virtual CPU(s)</rasd:ElementName>
        <rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>2</rasd:VirtualQuantity>
        <vmw:CoresPerSocket ovf:required="false">1</vmw:CoresPerSocket>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:Description>Memory Size</rasd:Description>
        <rasd:ElementName>1024MB of memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>1024</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address>
        <rasd:Description>SCSI Controller</rasd:Description>
        <rasd:ElementName>SCSI Controller 0</rasd:ElementName>
        <rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType>
        <rasd:ResourceType>6</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>0</rasd:AddressOnParent>
        <rasd:ElementName>Hard Disk 1</rasd:ElementName>
        <rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource>
        <rasd:InstanceID>4</rasd:InstanceID>
        <rasd:Parent>3</rasd:Parent>
        <rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>7</rasd:AddressOnParent>
        <rasd:AutomaticAllocation>true</rasd:AutomaticAllocation>
        <rasd:Connection>VM Network</rasd:Connection>
        <rasd:Description>VmxNet3 ethernet adapter on "VM Network"</rasd:Description>
        <rasd:ElementName>Ethernet 1</rasd:ElementName>
        <rasd:InstanceID>5</rasd:InstanceID>
        <rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType>
        <rasd:ResourceType>10</rasd:ResourceType>
      </Item>
      <Item ovf:required="false">
        <rasd:AutomaticAllocation>false</rasd:AutomaticAllocation>
        <rasd:ElementName>Video card</rasd:ElementName>
        <rasd:InstanceID>6</rasd:InstanceID>
        <rasd:ResourceType>24</rasd:ResourceType>
      </Item>
      $config
    </VirtualHardwareSection>
    <AnnotationSection>
      <Info>A human-readable annotation</Info>
      <Annotation>Made by tests/guests/build-debian.sh; root's password is v2v.</Annotation>
    </AnnotationSection>
  </VirtualSystem>
</Envelope>
OVF
}

write_ova () {
    local vmdk=$name-disk1.vmdk
    qemu-img convert -f raw -O vmdk \
        -o subformat=streamOptimized,adapter_type=lsilogic,hwversion=19 \
        "$disk" "$tmp/$vmdk"
    populated=$(($(stat -c %b "$disk") * 512))
    write_ovf
    (cd "$tmp" && for f in "$name.ovf" "$vmdk"; do
         echo "SHA256($f)= $(sha256sum "$f" | cut -d' ' -f1)"
     done) >"$tmp/$name.mf"
    tar -C "$tmp" --format=ustar --owner=64 --group=64 --numeric-owner \
        --mode=0644 -cf "$tmp/result/$name.ova" \
        "$name.ovf" "$name.mf" "$vmdk"
}

configure_guest
grow_guest
disk_mib=$((2048 + data * 2))
mkdir "$tmp/result"
disk=$tmp/result/$name.raw
truncate -s "${disk_mib}M" "$disk"
say "writing a $firmware disk of $disk_mib MiB"
"make_disk_$firmware"
say "packing the OVA"
write_ova
chmod 755 "$tmp/result"
mv "$tmp/result" "$out"
show
