# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by build-debian.sh: boot loader, file systems, partitions, and the
# disk made of them.
# shellcheck disable=SC2034,SC2154  # the variables of build-debian.sh

MIB=1048576
# Partitions as images, with what sfdisk needs to know; filled below.
images=() types=() labels=()

put () { # FILE OFFSET-IN-BYTES: into the disk, holes stay holes
    dd if="$1" of="$disk" bs=1M oflag=seek_bytes seek="$2" conv=notrunc,sparse \
        status=none
}
add_partition () { # IMAGE TYPE LABEL
    images+=("$1")
    types+=("$2")
    labels+=("$3")
}
mib_of () { echo $((($(stat -c %s "$1") + MIB - 1) / MIB)); }

# ---- the boot loader ----

write_grub_files () { # PLATFORM
    local device=UUID=$root_uuid options='' boot=/boot
    case $storage in
        lvm) device=/dev/mapper/v2v--vg-root ;;
        btrfs) options=' rootflags=subvol=@rootfs' boot=/@rootfs/boot ;;
        luks) device=/dev/mapper/root_crypt boot='' ;;
    esac
    mkdir -p "$root/boot/grub"
    cp -r "$root/usr/lib/grub/$1" "$root/boot/grub/"
    cat >"$root/boot/grub/grub.cfg" <<CFG
set default=0
set timeout=1
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
menuentry 'Debian GNU/Linux' --class debian {
	search --no-floppy --fs-uuid --set=root $grub_uuid
	echo 'Loading Linux $version ...'
	linux $boot/vmlinuz-$version root=$device ro$options console=tty0 console=ttyS0,115200
	initrd $boot/initrd.img-$version
}
CFG
    # What the image in the gap or on the ESP does first.
    cat >"$root/tmp/early.cfg" <<CFG
search --no-floppy --fs-uuid --set=root $grub_uuid
set prefix=(\$root)$boot/grub
CFG
}

grub_image () { # PLATFORM MODULE...
    local platform=$1
    shift
    in_guest grub-mkimage -O "$platform" -c /tmp/early.cfg \
        -p /boot/grub -o /tmp/grub.img "$@" \
        part_msdos part_gpt ext2 fat normal configfile linux search \
        search_fs_uuid serial terminal echo test ls reboot halt minicmd
    mv "$root/tmp/grub.img" "$tmp/grub.img"
    rm "$root/tmp/early.cfg"
}

# ---- file systems ----

# make_ext4 FOLDER UUID LABEL MIB IMAGE; features that GRUB 2.06 and the
# e2fsck of Debian 11 know.
make_ext4 () {
    mke2fs -q -t ext4 -L "$3" -U "$2" -m 1 \
        -O ^metadata_csum_seed,^orphan_file -E hash_seed="$2" \
        -d "$1" "$5" "${4}M" >/dev/null
}

# Blocks that were written and are free: random bytes through the journal of
# no file, by debugfs, which knows no mounts.
write_deleted () { # IMAGE
    [ "$deleted" != 0 ] || return 0
    openssl enc -aes-128-ctr -pass pass:v2v -nosalt -pbkdf2 -iter 1 \
        -in /dev/zero 2>/dev/null | head -c $((deleted * MIB)) \
        >"$tmp/deleted" || :
    printf 'write %s deleted\nrm deleted\n' "$tmp/deleted" |
        debugfs -w "$1" >/dev/null 2>&1
    rm "$tmp/deleted"
}

make_swap () { # IMAGE MIB
    truncate -s "${2}M" "$1"
    mkswap -q -U $swap_uuid "$1" 2>/dev/null ||
        mkswap -U $swap_uuid "$1" >/dev/null
}

root_mib () {
    echo $(($(du -sm "$root" | cut -f1) * 5 / 4 + 300 + deleted))
}

storage_ext4 () {
    make_ext4 "$root" $root_uuid root "$(root_mib)" "$tmp/root.img"
    write_deleted "$tmp/root.img"
    add_partition "$tmp/root.img" linux root
    make_swap "$tmp/swap.img" 64
    add_partition "$tmp/swap.img" swap swap
}

# A subvolume can only be made by a kernel.
storage_btrfs () {
    truncate -s "$(($(root_mib) + 512))M" "$tmp/root.img"
    mkfs.btrfs -q -L root -U $root_uuid "$tmp/root.img"
    mkdir "$tmp/mnt"
    mount -o loop "$tmp/root.img" "$tmp/mnt" ||
        die "btrfs cannot be mounted here"
    btrfs -q subvolume create "$tmp/mnt/@rootfs"
    cp -a "$root/." "$tmp/mnt/@rootfs/"
    umount "$tmp/mnt"
    add_partition "$tmp/root.img" linux root
}

# Metadata is written without activation, so no device mapper is needed; the
# volumes follow each other from the first extent on.
storage_lvm () {
    local mib config step
    mib=$(root_mib)
    mib=$(((mib + 3) / 4 * 4))
    make_ext4 "$root" $root_uuid root "$mib" "$tmp/root.img"
    make_swap "$tmp/swap.img" 64
    truncate -s "$((mib + 64 + 8))M" "$tmp/pv.img"
    loop=$(losetup -f --show "$tmp/pv.img")
    config="devices { use_devicesfile=0 filter=[\"a|^$loop\$|\",\"r|.*|\"] }
        activation { udev_sync=0 udev_rules=0 }
        backup { backup=0 archive=0 }
        global { use_lvmlockd=0 use_lvmpolld=0 }"
    for step in "pvcreate $loop" "vgcreate v2v-vg $loop" \
        "lvcreate -an -Zn -Wn -L ${mib}M -n root v2v-vg" \
        "lvcreate -an -Zn -Wn -L 64M -n swap v2v-vg"; do
        # shellcheck disable=SC2086
        LVM_SUPPRESS_FD_WARNINGS=1 lvm $step -q --driverloaded n \
            --config "$config" >"$tmp/lvm.log" 2>&1 || {
            cat "$tmp/lvm.log" >&2
            die "lvm $step"
        }
    done
    losetup -d "$loop"
    loop=
    # Extents begin at 1 MiB, LVM's default.
    dd if="$tmp/root.img" of="$tmp/pv.img" bs=1M seek=1 conv=notrunc,sparse \
        status=none
    dd if="$tmp/swap.img" of="$tmp/pv.img" bs=1M seek=$((mib + 1)) \
        conv=notrunc,sparse status=none
    rm "$tmp/root.img" "$tmp/swap.img"
    add_partition "$tmp/pv.img" lvm lvm
}

# qemu-img encrypts (LUKS 1, same cipher), cryptsetup writes a header of LUKS 2
# with the same volume key in front.
storage_luks () {
    mkdir "$tmp/boot"
    cp -a "$root/boot/." "$tmp/boot/"
    rm -rf "${root:?}/boot/"*
    mkdir -p "$root/boot" "$tmp/boot/efi"
    make_ext4 "$tmp/boot" $boot_uuid boot 256 "$tmp/boot.img"
    add_partition "$tmp/boot.img" linux boot
    make_ext4 "$root" $root_uuid root "$(root_mib)" "$tmp/root.img"
    qemu-img convert --object "secret,id=key,file=$here/passphrase" \
        -f raw -O luks -o key-secret=key,iter-time=10 \
        "$tmp/root.img" "$tmp/luks1.img"
    cryptsetup luksDump -q --dump-volume-key --volume-key-file "$tmp/key" \
        --key-file "$here/passphrase" "$tmp/luks1.img" >/dev/null
    truncate -s "$(($(stat -c %s "$tmp/root.img") + 16 * MIB))" \
        "$tmp/luks.img"
    cryptsetup luksFormat -q --type luks2 --volume-key-file "$tmp/key" \
        --key-size 512 --cipher aes-xts-plain64 --sector-size 512 \
        --offset $((16 * MIB / 512)) --uuid $luks_uuid --pbkdf argon2id \
        --pbkdf-memory 32768 --pbkdf-parallel 1 --pbkdf-force-iterations 4 \
        --key-file "$here/passphrase" "$tmp/luks.img"
    # The payload of LUKS 1 begins after whole sectors, its header tells.
    local payload
    payload=$(cryptsetup luksDump "$tmp/luks1.img" |
              awk '/^Payload offset:/ {print $3}')
    dd if="$tmp/luks1.img" of="$tmp/luks.img" bs=1M conv=notrunc \
        iflag=skip_bytes skip=$((payload * 512)) oflag=seek_bytes \
        seek=$((16 * MIB)) status=none
    rm "$tmp/root.img" "$tmp/luks1.img"
    add_partition "$tmp/luks.img" linux root
}

make_esp () {
    local image=$tmp/esp.img
    mkfs.vfat -C -F 32 -i $esp_serial -n ESP "$image" $((64 * 1024)) >/dev/null
    mmd -i "$image" ::/EFI ::/EFI/debian
    mcopy -i "$image" "$tmp/grub.img" ::/EFI/debian/grubx64.efi
    if [ $fallback = yes ]; then
        mmd -i "$image" ::/EFI/BOOT
        mcopy -i "$image" "$tmp/grub.img" ::/EFI/BOOT/BOOTX64.EFI
    fi
    add_partition "$image" uefi esp
}

# ---- the disk ----

write_table () {
    local i start=1 mib boot
    {
        if [ $firmware = uefi ]; then
            echo "label: gpt"
            echo "label-id: 76327600-0000-4000-8000-000000000001"
        else
            echo "label: dos"
            echo "label-id: 0x76327601"
        fi
        for i in "${!images[@]}"; do
            mib=$(mib_of "${images[$i]}")
            boot=
            if [ $firmware = uefi ]; then
                boot=", name=${labels[$i]}"
            elif [ "$i" = 0 ]; then
                boot=", bootable"
            fi
            echo "start=$((start * 2048)), size=$((mib * 2048))," \
                 "type=${types[$i]}$boot"
            start=$((start + mib))
        done
    } >"$tmp/table"
    # One MiB at the end: the second table of GPT.
    disk_mib=$((start + 1))
    truncate -s "${disk_mib}M" "$disk"
    sfdisk -q "$disk" <"$tmp/table"
}

make_disk () {
    local i start=1
    grub_uuid=$root_uuid
    [ $storage != luks ] || grub_uuid=$boot_uuid
    local more=()
    case $storage in
        lvm) more=(lvm) ;;
        btrfs) more=(btrfs) ;;
    esac
    if [ $firmware = bios ]; then
        write_grub_files i386-pc
        grub_image i386-pc biosdisk "${more[@]}"
        [ "$(stat -c %s "$tmp/grub.img")" -lt $((MIB - 512)) ] ||
            die "GRUB does not fit before the first partition"
    else
        write_grub_files x86_64-efi
        grub_image x86_64-efi "${more[@]}"
        make_esp
    fi
    "storage_$storage"
    write_table
    for i in "${!images[@]}"; do
        put "${images[$i]}" $((start * MIB))
        start=$((start + $(mib_of "${images[$i]}")))
        rm "${images[$i]}"
    done
    [ $firmware = bios ] || return 0
    # boot.img reads sector 1 unless told otherwise, and core.img's first
    # sector says by itself that the rest follows in sector 2: only the code
    # area of the MBR is ours.
    dd if="$root/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 \
        conv=notrunc status=none
    put "$tmp/grub.img" 512
}
