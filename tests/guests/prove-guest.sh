# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced after guest-functions.sh: everything that has to be true of one real
# guest, from its OVA to the login prompt of what we made of it.
#
#   prove [--initramfs-by kept|rebuilt|appended] OPTION-OF-build-debian.sh...

# option_of NAME DEFAULT ARGUMENT...: the value of --NAME.
option_of () {
    local name=--$1 value=$2
    shift 2
    while [ $# -gt 1 ]; do
        [ "$1" != "$name" ] || value=$2
        shift
    done
    echo "$value"
}

# The report of the conversion of $vhdx.
report () { jq -e "$@" "$(dirname "$vhdx")/report.json"; }

took () { # STEP SINCE
    echo "$1: $((SECONDS - $2)) s"
}

# What is in an initramfs, by the distribution's own tools, not by ours.
# lsinitramfs takes an archive behind the compressed one, which the kernel
# reads, for damage: there each of the two is listed by itself.
list_initramfs () { # IMAGE
    local unpack behind
    ! lsinitramfs "$1" 2>/dev/null || return 0
    for unpack in zstd gzip xz; do
        $unpack -dcq <"$1" 2>/dev/null | cpio -t --quiet 2>/dev/null &&
            break || :
    done
    # The header of the first file behind: magic, then inode 1 of ours.
    behind=$(grep -abo 07070100000001 "$1" | head -n 1 | cut -d: -f1)
    [ -n "$behind" ] || fail "neither lsinitramfs nor cpio can read $1"
    tail -c +$((behind + 1)) "$1" | cpio -t --quiet
}

# What was done to the initramfs, as the report has it: a tool's command that
# failed, or whose result was put back, is not "rebuilt".
initramfs_made_by () {
    if report 'any(.findings.guest[]; .id == "guest.initramfs.appended")' \
              >/dev/null; then
        echo appended
    elif report 'any(.guest.changes[]; .kind == "command" and
                     (.path | test("initramfs|dracut")) and
                     .after == "exit status 0")' >/dev/null; then
        echo rebuilt
    else
        echo kept
    fi
}

# The drivers of Hyper-V that a start needs are in it, and it came about as it
# should: HOW is kept, rebuilt or appended.
initramfs_has_drivers () { # IMAGE HOW
    local m by
    list_initramfs "$1" >initramfs.list
    for m in hv_vmbus hv_storvsc; do
        grep -Eq "/$m\.ko(\..z|\.zst)?$" initramfs.list ||
            fail "$1: no $m ($2)"
    done
    by=$(initramfs_made_by)
    [ "$by" = "$2" ] || {
        report '.guest.changes, .findings.guest'
        fail "the initramfs was $by, not $2"
    }
    # Also one that was kept gets names of interfaces behind it, and the old one
    # beside it then.
    if [ "$2" != kept ] || [ -e "$1.pre-v2v" ]; then
        ! cmp -s "$1" "$1.pre-v2v" || fail "$1 is its own old copy"
    fi
}

# A VMware machine around a converted disk, for the second conversion: a flat
# VMDK of one extent.
write_vmx () { # NAME RAW FIRMWARE
    local sectors=$(($(stat -c %s "$2") / 512)) firmware=bios
    [ "$3" = bios ] || firmware=efi
    cat >"$1.vmdk" <<VMDK
# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=76327632
parentCID=ffffffff
createType="monolithicFlat"

RW $sectors FLAT "$(basename "$2")" 0

ddb.virtualHWVersion = "19"
ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "$((sectors / 16065))"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
VMDK
    cat >"$1.vmx" <<VMX
.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
displayName = "$1"
guestOS = "debian12-64"
firmware = "$firmware"
memSize = "1024"
numvcpus = "2"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "$1.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.networkName = "VM Network"
ethernet0.addressType = "static"
ethernet0.address = "$mac"
VMX
}

# What the guest told must be what it was on VMware.
same_as_before () { # NAME FIRMWARE STORAGE
    local root=ext4
    [ "$3" != btrfs ] || root=btrfs
    # Switched on is the guest's doing; the carrier is the emulated card's.
    witnessed "$1" "name and MAC" "^link: ens192 +[A-Z]+ +$mac <(.*,)?UP[,>]"
    witnessed "$1" "address" '^addr: ens192 +[A-Z]+ +10\.76\.32\.10/24'
    witnessed "$1" "gateway" '^route: default via 10\.76\.32\.1 dev ens192'
    witnessed "$1" "route" '^route: 10\.99\.0\.0/16 via 10\.76\.32\.99 dev ens192'
    witnessed "$1" "MTU" '^mtu: 1400$'
    witnessed "$1" "another card than VMware's" '^driver: e1000e?$'
    witnessed "$1" "name server" '^resolv: nameserver 10\.76\.32\.53'
    witnessed "$1" "root" "^mount: / $root\$"
    [ "$2" = bios ] || witnessed "$1" "ESP" '^mount: /boot/efi vfat$'
    case $3 in
        luks) witnessed "$1" "/boot" '^mount: /boot ext4$' ;;
        ext4|lvm) witnessed "$1" "swap" '^swap: /dev/' ;;
    esac
    ! grep '^failed:' "$1.witness" || fail "$1: units failed"
    ! grep -q '^package: open-vm-tools installed' "$1.witness" ||
        ! grep -q '^enabled: open-vm-tools enabled' "$1.witness" ||
        fail "$1: open-vm-tools would still start"
}

# Fewer bytes in the VHDX than without the guest stage: MIB at least.
freed () { # MIB
    local with without first=$vhdx
    with=$(stat -c %s "$vhdx")
    mkdir raw-copy
    (cd raw-copy && convert_guest --no-guest --no-digest)
    without=$(stat -c %s raw-copy/out/*/*.vhdx)
    rm -r raw-copy
    vhdx=$first
    echo "freed: $(((without - with) / 1048576)) MiB of $1 deleted"
    # Of what is gone, 64 MiB may be taken by what conversion adds: mostly an
    # initramfs and the old one beside it.
    [ $((without - with)) -ge $((($1 - 64) * 1048576)) ] ||
        fail "deleted files are still in the output: $without, now $with"
}

prove () {
    local how='' firmware storage start before generation=1 keys=() image
    if [ "$1" = --initramfs-by ]; then how=$2; shift 2; fi
    firmware=$(option_of firmware bios "$@")
    storage=$(option_of storage ext4 "$@")
    [ "$firmware" = bios ] || generation=2
    [ "$storage" != luks ] || keys=(--key "all:$passphrase_file")

    start=$SECONDS
    make_guest "$@"
    workdir
    took build "$start"
    before=$(sha256_of "$ova")

    start=$SECONDS
    convert_guest "${keys[@]}"
    took convert "$start"
    [ "$(sha256_of "$ova")" = "$before" ] || fail "the source was changed"
    grep -q "\"generation\": $generation" "$(dirname "$vhdx")"/*.json ||
        fail "not generation $generation"
    v2v check "$vhdx" >check.log || { cat check.log; fail "v2v check"; }
    report '.guest.changes | length > 0' >/dev/null ||
        fail "the report names no change"
    [ "$(option_of deleted 0 "$@")" = 0 ] ||
        freed "$(option_of deleted 0 "$@")"

    qemu-img convert -f vhdx -O raw "$vhdx" converted.raw
    boot_files converted.raw "$storage" "$firmware" files
    image=$(find files -name 'initrd.img-*' ! -name '*pre-v2v*')
    [ -f "$image" ] || fail "not one initramfs: $image"
    initramfs_has_drivers "$image" "${how:-kept}"

    start=$SECONDS
    machine_arguments $generation "$vhdx"
    boots "gen$generation" "${V2V_BOOT_SECONDS-400}" "${machine[@]}"
    same_as_before "gen$generation" "$firmware" "$storage"
    took start "$start"

    # Nothing is left to do for a second conversion.
    start=$SECONDS
    mkdir second
    mv converted.raw second/again.raw
    cd second
    write_vmx again again.raw "$firmware"
    ova=$PWD/again.vmx
    convert_guest "${keys[@]}"
    report '.guest.changes | length == 0' >/dev/null || {
        report .guest.changes
        fail "the second conversion changed something"
    }
    cd ..
    took "second conversion" "$start"
}
