#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-debian.sh [OPTION VALUE]... [--raw]
#
# Make a small real machine to convert: a Debian installed from the mirror
# this host uses, with kernel, systemd, GRUB, open-vm-tools and login prompts
# on tty1 and ttyS0, as a VMware machine exported to an OVA.  Prints the path
# of the OVA; with --raw also, on a second line, the same disk as a (sparse)
# raw file.
#
#   --suite      bullseye, bookworm, trixie ... (default: this host's)
#   --firmware   bios (default): MBR, GRUB in the gap behind it
#                uefi: GPT and an EFI system partition
#   --fallback   yes (default): the ESP has \EFI\BOOT\BOOTX64.EFI
#                no: only \EFI\debian, which the NVRAM of VMware named
#   --storage    ext4 (default); lvm: all in one volume group; btrfs: root in
#                the subvolume @rootfs; luks: root encrypted, /boot beside it
#                (the passphrase is in tests/guests/passphrase)
#   --network    ifupdown (default), networkmanager, netplan, networkd: ens192
#                with 00:50:56:76:32:76, 10.76.32.10/24, a gateway, a name
#                server, an MTU of 1400 and a route
#                cloud: cloud-init with netplan, and nothing configured: what
#                the guest tells is who a seed says that it is
#   --initramfs  initramfs-tools (default), dracut
#   --modules    most (default); dep: only what a VMware machine needs, so
#                that no driver of Hyper-V is in it
#   --names      uuid (default); device: /etc/fstab names disks as the
#                controller made the kernel call them
#   --controller pvscsi (default), lsilogic, sata, nvme
#   --broken     no (default); initramfs: the guest's tool for it fails
#   --data MIB   fill /srv with at least this much of real files (for benches)
#   --deleted MIB  random data was written and deleted again: blocks in use
#                on the disk, free in the file system
#
# Needs root: debootstrap's chroot, and for LVM and btrfs a loop device.  No
# device mapper and no virtual machine: LVM's metadata is written without
# activation, LUKS is encrypted by qemu-img.  Everything is kept in
# ${V2V_CACHE:-/var/tmp/v2v-guests} under a key made of these scripts and the
# options; a second call only prints the path.
# shellcheck disable=SC2034  # the parts that are sourced use them
set -eu
set -o pipefail
umask 022
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

here=$(cd "$(dirname "$0")" && pwd)
declare -A o=(
    [suite]=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    [firmware]=bios [fallback]=yes [storage]=ext4 [network]=ifupdown
    [initramfs]=initramfs-tools [modules]=most [names]=uuid
    [controller]=pvscsi [broken]=no [data]=0 [deleted]=0
)
declare -A values=(
    [suite]='[a-z]+' [firmware]='bios|uefi' [fallback]='yes|no'
    [storage]='ext4|lvm|btrfs|luks'
    [network]='ifupdown|networkmanager|netplan|networkd|cloud'
    [initramfs]='initramfs-tools|dracut' [modules]='most|dep'
    [names]='uuid|device' [controller]='pvscsi|lsilogic|sata|nvme'
    [broken]='no|initramfs' [data]='[0-9]+' [deleted]='[0-9]+'
)
options=(suite firmware fallback storage network initramfs modules names
    controller broken data deleted)
raw=0
arguments=("$@")

usage () {
    sed -n '3,/^set -eu/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    if [ "$1" = --raw ]; then
        raw=1
    else
        option=${1#--}
        [[ $1 == --* && -n ${values[$option]-} && $# -gt 1 ]] || usage
        [[ $2 =~ ^(${values[$option]})$ ]] || usage
        o[$option]=$2
        shift
    fi
    shift
done

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "$0: must be root" >&2; exit 1; }
    exec sudo --preserve-env=V2V_CACHE "$0" "${arguments[@]}"
fi

say () { echo "build-debian: $*" >&2; }
die () { say "$*"; exit 1; }

# The words that differ from the defaults are the name; all are the key.
name=debian
parameters=
for option in "${options[@]}"; do
    declare -r "$option=${o[$option]}"
    parameters="$parameters $option=${o[$option]}"
    case $option-${o[$option]} in
        suite-*|firmware-*) name=$name-${o[$option]} ;;
        fallback-yes|storage-ext4|network-ifupdown|initramfs-initramfs-tools) ;;
        modules-most|names-uuid|controller-pvscsi|broken-no|data-0) ;;
        deleted-0) ;;
        fallback-no) name=$name-nofallback ;;
        broken-*|data-*|deleted-*) name=$name-$option-${o[$option]} ;;
        *) name=$name-${o[$option]} ;;
    esac
done
parts=("$here"/build-{base,tree,disk,ova}.sh)
cache=${V2V_CACHE:-/var/tmp/v2v-guests}
key=$({ cat "$0" "${parts[@]}" "$here/passphrase"; echo "$parameters"; } |
          sha256sum | cut -c1-12)
out=$cache/$name-$key

# What all guests have in common, for the tests to compare.
hostname=v2v-debian
mac=00:50:56:76:32:76
root_uuid=5d0a1c1e-7a52-4c2c-8b0e-0f3b5c0f7e01
boot_uuid=5d0a1c1e-7a52-4c2c-8b0e-0f3b5c0f7e02
swap_uuid=5d0a1c1e-7a52-4c2c-8b0e-0f3b5c0f7e03
luks_uuid=5d0a1c1e-7a52-4c2c-8b0e-0f3b5c0f7e04
esp_serial=76320001
declare -r hostname mac root_uuid boot_uuid swap_uuid luks_uuid esp_serial

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

# Only the paths are for the caller; some tools chat.
exec 3>&1 >&2
tmp='' loop=''
finish () {
    local m
    if [ -n "$tmp" ]; then
        # debootstrap unmounts what it mounted, unless it was killed
        for m in root/proc root/sys root/dev/pts root/dev mnt; do
            ! mountpoint -q "$tmp/$m" || umount -l "$tmp/$m" || :
        done
        [ -z "$loop" ] || losetup -d "$loop" || :
        rm -rf --one-file-system "$tmp"
    fi
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
tmp=$(mktemp -d "$cache/tmp.XXXXXX")
# Leftovers of older versions of these scripts.
find "$cache" -mindepth 1 -maxdepth 1 -name 'debian-*' -mtime +7 \
    -exec rm -rf {} +

for part in "${parts[@]}"; do
    # shellcheck disable=SC1090
    . "$part"
done

root=$tmp/root
make_tree
mkdir "$tmp/result"
disk=$tmp/result/$name.raw
say "writing the disk of $name"
make_disk
say "packing the OVA"
write_ova
chmod 755 "$tmp/result"
mv "$tmp/result" "$out"
show >&3
