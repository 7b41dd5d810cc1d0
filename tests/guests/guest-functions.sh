# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced after functions.sh by the tests that need a real machine.

LIBGUESTFS_BACKEND=direct
LIBGUESTFS_BACKEND_SETTINGS=force_tcg
export LIBGUESTFS_BACKEND LIBGUESTFS_BACKEND_SETTINGS

# Where the guests that were made are kept: gigabytes, see build-debian.sh.
: "${V2V_CACHE:=$abs_top_builddir/guests-cache}"
export V2V_CACHE
passphrase_file=$abs_top_srcdir/tests/guests/passphrase

# make_guest OPTION...: the OVA is $ova, the same disk $raw.
make_guest () {
    requires debootstrap --version
    if [ "$(id -u)" != 0 ]; then requires sudo -n true; fi
    local paths
    paths=$("$abs_top_srcdir/tests/guests/build-debian.sh" "$@" --raw) ||
        fail "the guest cannot be built"
    ova=${paths%%$'\n'*}
    # shellcheck disable=SC2034  # for the caller
    raw=${paths##*$'\n'}
}

# convert_guest OPTION...: $ova by v2v into the current folder; $vhdx is its
# disk.
convert_guest () {
    local dir
    v2v convert --progress none -o out "$@" "$ova" >convert.log 2>&1 ||
        { cat convert.log; fail "v2v convert $*"; }
    dir=$(echo out/*/)
    vhdx=$(find "$dir" -name '*.vhdx')
    [ -f "$vhdx" ] || fail "not one VHDX in $dir: $vhdx"
}

# ---- starting ----

# The arguments that make QEMU like Hyper-V's generation 1 (BIOS, first disk
# on IDE) or 2 (UEFI without boot entries, SCSI).  The network card is another
# model in another slot than VMware's, its address is kept.  CD: an image.
machine_arguments () { # GENERATION DISK [CD]
    local disk="if=none,id=disk,format=vhdx,file=$2,snapshot=on"
    local cd="if=none,id=cd,format=raw,readonly=on,media=cdrom,file=${3-}"
    machine=(-netdev "user,id=net,restrict=on")
    if [ "$1" = 1 ]; then
        machine+=(-machine pc -drive "$disk"
            -device "ide-hd,bus=ide.0,unit=0,drive=disk"
            -device "e1000,netdev=net,mac=$mac,addr=0x1a,romfile=")
        [ -z "${3-}" ] || machine+=(-drive "$cd"
            -device "ide-cd,bus=ide.1,unit=0,drive=cd")
        return
    fi
    requires test -e "$firmware_code"
    cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
    machine+=(-machine q35
        -drive "if=pflash,format=raw,readonly=on,file=$firmware_code"
        -drive "if=pflash,format=raw,file=vars.fd"
        -device "${scsi-virtio-scsi-pci}" -drive "$disk"
        -device "scsi-hd,drive=disk"
        -device "e1000e,netdev=net,mac=$mac,addr=0x15,romfile=")
    [ -z "${3-}" ] || machine+=(-drive "$cd" -device "scsi-cd,drive=cd")
}
mac=00:50:56:76:32:76
guest_name=v2v-debian
firmware_code=/usr/share/OVMF/OVMF_CODE_4M.fd

# boots NAME SECONDS QEMU-ARGUMENT...: starts a machine (software emulation)
# whose disk is never written, and waits for what the guest tells about itself
# (v2v-witness, see build-tree.sh) and for its login prompt on the serial line.
# Where it asks for a passphrase it is given one, once.
boots () {
    local name=$1 limit=$2 qemu status=1 i told=no
    shift 2
    requires qemu-system-x86_64 --version
    rm -f "$name.in"
    mkfifo "$name.in"
    # Open for both: neither side waits for the other, and no end of file.
    exec 7<>"$name.in"
    # A machine with KVM would tell less: this works everywhere.
    timeout --kill-after=5 "$limit" qemu-system-x86_64 -accel tcg,thread=multi \
        -cpu max -smp 2 -m 1024 -nodefaults -display none -no-reboot \
        -chardev stdio,id=line,signal=off -serial chardev:line "$@" \
        <&7 >"$name.serial" 2>"$name.qemu" &
    qemu=$!
    for ((i = 0; i < limit; i++)); do
        if grep -aq "$guest_name login:" "$name.serial" &&
               grep -aq 'v2v-witness ends' "$name.serial"; then
            status=0
            break
        fi
        if [ $told = no ] &&
               grep -aqi 'unlock disk\|passphrase for' "$name.serial"; then
            sleep 2
            printf '%s\r' "$(cat "$passphrase_file")" >&7
            told=yes
        fi
        kill -0 $qemu 2>/dev/null || break
        sleep 1
    done
    kill $qemu 2>/dev/null || :
    wait $qemu || :
    exec 7>&-
    tr -d '\r' <"$name.serial" | tr -dc '\11\12\40-\176' |
        sed -n '/v2v-witness begins/,/v2v-witness ends/p' >"$name.witness"
    if [ $status = 0 ]; then
        echo "$name: login prompt after $i seconds"
    else
        cat "$name.qemu"
        tail -n 40 "$name.serial" | tr -dc '\11\12\40-\176'
        fail "$name: no login prompt in $i seconds"
    fi
}

# witnessed NAME WHAT EXTENDED-REGEX: a line of what the guest told.
witnessed () {
    grep -Eq "$3" "$1.witness" ||
        fail "$1: $2: no line '$3' in:
$(cat "$1.witness")"
}

# ---- the files of a converted disk, without an appliance ----

# boot_files DISK.raw STORAGE FIRMWARE FOLDER: copy /boot to FOLDER.
boot_files () {
    local number=1 start
    [ "$3" = bios ] || number=2
    start=$(sfdisk -d "$1" | awk -v n="$number" '
        /start=/ && ++i == n {sub(/.*start= */, ""); sub(/,.*/, ""); print}')
    [ -n "$start" ] || fail "no partition $number on $1"
    start=$((start * 512))
    mkdir "$4"
    case $2 in
        ext4) echo "rdump /boot $4" ;;
        luks) echo "rdump / $4" ;;
        lvm) echo "rdump /boot $4"
             start=$((start + 1048576)) ;;
        btrfs)
            mkdir -p mnt
            $as_root mount -o "loop,ro,offset=$start,subvol=@rootfs" "$1" mnt
            cp -r mnt/boot "$4/"
            $as_root umount mnt
            return ;;
    esac >debugfs.commands
    debugfs -f debugfs.commands "$1?offset=$start" >debugfs.log 2>&1 ||
        { cat debugfs.log; fail "debugfs on $1"; }
}
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
