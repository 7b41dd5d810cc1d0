# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by build-debian.sh: the files of the guest, in the folder $root.
#
# A copy of the suite's base with the packages and files of this guest.
# shellcheck disable=SC2034,SC2154  # the variables of build-debian.sh

# The kernel's name for partition N of the only disk on VMware.
partition_name () {
    case $controller in
        nvme) echo "/dev/nvme0n1p$1" ;;
        *) echo "/dev/sda$1" ;;
    esac
}

# ---- the network: the same by each system ----

network_ifupdown () {
    cat >"$root/etc/network/interfaces" <<'INTERFACES'
auto lo
iface lo inet loopback

auto ens192
iface ens192 inet static
	address 10.76.32.10/24
	gateway 10.76.32.1
	dns-nameservers 10.76.32.53
	mtu 1400
	up ip route add 10.99.0.0/16 via 10.76.32.99 dev ens192
INTERFACES
    echo 'nameserver 10.76.32.53' >"$root/etc/resolv.conf"
}

network_networkmanager () {
    local file=$root/etc/NetworkManager/system-connections/wired.nmconnection
    mkdir -p "${file%/*}"
    cat >"$file" <<'KEYFILE'
[connection]
id=wired
uuid=7f1f0a60-7a52-4c2c-8b0e-0f3b5c0f7e76
type=ethernet
interface-name=ens192

[ethernet]
mtu=1400

[ipv4]
method=manual
address1=10.76.32.10/24,10.76.32.1
dns=10.76.32.53;
route1=10.99.0.0/16,10.76.32.99

[ipv6]
method=link-local
KEYFILE
    chmod 600 "$file"
}

network_networkd () {
    cat >"$root/etc/systemd/network/20-wired.network" <<'NETWORK'
[Match]
Name=ens192

[Link]
MTUBytes=1400

[Network]
Address=10.76.32.10/24
Gateway=10.76.32.1
DNS=10.76.32.53

[Route]
Destination=10.99.0.0/16
Gateway=10.76.32.99
NETWORK
    echo 'nameserver 10.76.32.53' >"$root/etc/resolv.conf"
    in_guest systemctl enable systemd-networkd >/dev/null 2>&1
}

network_netplan () {
    mkdir -p "$root/etc/netplan"
    cat >"$root/etc/netplan/50-wired.yaml" <<'YAML'
network:
  version: 2
  renderer: networkd
  ethernets:
    ens192:
      mtu: 1400
      addresses: [10.76.32.10/24]
      nameservers:
        addresses: [10.76.32.53]
      routes:
        - to: 0.0.0.0/0
          via: 10.76.32.1
        - to: 10.99.0.0/16
          via: 10.76.32.99
YAML
    chmod 600 "$root/etc/netplan/50-wired.yaml"
    echo 'nameserver 10.76.32.53' >"$root/etc/resolv.conf"
    in_guest systemctl enable systemd-networkd >/dev/null 2>&1
}

# As images for clouds are: cloud-init gives netplan what its seed says.  It
# makes no locale, which this small system has no tools for.
network_cloud () {
    echo 'locale: false' >"$root/etc/cloud/cloud.cfg.d/90_small.cfg"
    echo 'nameserver 10.76.32.53' >"$root/etc/resolv.conf"
    in_guest systemctl enable systemd-networkd >/dev/null 2>&1
}

# ---- what the guest tells about itself ----

# Before the login prompt it prints what the tests compare, between two lines
# that nothing else prints.
write_witness () {
    cat >"$root/usr/local/sbin/v2v-witness" <<'WITNESS'
#!/bin/sh
# The network is up when it has been so for three seconds: a card that gets
# its MTU is reset, and is without a carrier for a moment after.
i=0 steady=0
while [ $i -lt 90 ] && [ $steady -lt 3 ]; do
    if ip -4 -br addr show ens192 2>/dev/null | grep -q 'UP.* 10\.76\.32\.10/' &&
           ip -4 route | grep -q '^default' &&
           ! ip -4 route | grep -q linkdown; then
        steady=$((steady + 1))
    else
        steady=0
    fi
    i=$((i + 1))
    sleep 1
done
tell () {
    echo "v2v-witness begins"
    ip -br link | sed 's/^/link: /'
    ip -4 -br addr | sed 's/^/addr: /'
    ip -4 route | sed 's/^/route: /'
    echo "mtu: $(cat /sys/class/net/ens192/mtu 2>&1)"
    echo "driver: $(basename "$(readlink /sys/class/net/ens192/device/driver)")"
    sed 's/^/resolv: /' /etc/resolv.conf
    for m in / /boot /boot/efi; do
        findmnt -rn -o TARGET,FSTYPE "$m" | sed 's/^/mount: /'
    done
    tail -n +2 /proc/swaps | sed 's/^/swap: /'
    systemctl --failed --plain --no-legend | sed 's/^/failed: /'
    for p in open-vm-tools; do
        echo "package: $p $(dpkg-query -W -f '${db:Status-Status}' $p 2>/dev/null)"
        echo "enabled: $p $(systemctl is-enabled $p 2>/dev/null)"
    done
    echo "v2v-witness ends"
}
tell >/run/v2v-witness
cat /run/v2v-witness >/dev/ttyS0
WITNESS
    chmod 755 "$root/usr/local/sbin/v2v-witness"
    cat >"$root/etc/systemd/system/v2v-witness.service" <<'UNIT'
[Unit]
Description=Tell the tests what this machine is
After=multi-user.target network.target
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/v2v-witness
[Install]
WantedBy=graphical.target multi-user.target
UNIT
    in_guest systemctl enable v2v-witness >/dev/null 2>&1
}

# The same by a guest whose name and network are those of a seed: it tells them
# when cloud-init has done its work.
write_cloud_witness () {
    cat >"$root/usr/local/sbin/v2v-witness" <<'WITNESS'
#!/bin/sh
timeout 300 cloud-init status --wait >/dev/null 2>&1
tell () {
    echo "v2v-witness begins"
    echo "host: $(hostname)"
    ip -br link | sed 's/^/link: /'
    ip -4 -br addr | sed 's/^/addr: /'
    ip -4 route | sed 's/^/route: /'
    cloud-init status | sed 's/^/cloud-init: /'
    echo "instance: $(cat /var/lib/cloud/data/instance-id 2>&1)"
    echo "machine-id: $(cat /etc/machine-id)"
    echo "time zone: $(readlink /etc/localtime)"
    getent passwd admin | sed 's/^/user: /'
    cat /var/lib/v2v-first-boot 2>/dev/null | sed 's/^/script: /'
    systemctl --failed --plain --no-legend | sed 's/^/failed: /'
    grep -hE 'WARNING|ERROR|Error:' /var/log/cloud-init.log | tail -n 20 |
        cut -c 1-200 | sed 's/^/log: /'
    echo "v2v-witness ends"
}
tell >/run/v2v-witness
cat /run/v2v-witness >/dev/ttyS0
WITNESS
}

write_fstab () {
    local esp=UUID=${esp_serial:0:4}-${esp_serial:4} swap=UUID=$swap_uuid
    local n=1
    [ $firmware = bios ] || n=2
    if [ $names = device ]; then
        esp=$(partition_name 1)
        swap=$(partition_name $((n + 1)))
    fi
    {
        case $storage in
            ext4)
                echo "UUID=$root_uuid / ext4 errors=remount-ro 0 1"
                echo "$swap none swap sw 0 0" ;;
            btrfs)
                echo "UUID=$root_uuid / btrfs defaults,subvol=@rootfs 0 0" ;;
            lvm)
                echo "/dev/mapper/v2v--vg-root / ext4 errors=remount-ro 0 1"
                echo "/dev/mapper/v2v--vg-swap none swap sw 0 0" ;;
            luks)
                echo "/dev/mapper/root_crypt / ext4 errors=remount-ro 0 1"
                if [ $names = device ]; then
                    echo "$(partition_name $n) /boot ext4 defaults 0 2"
                else
                    echo "UUID=$boot_uuid /boot ext4 defaults 0 2"
                fi ;;
        esac
        [ $firmware = bios ] ||
            echo "$esp /boot/efi vfat umask=0077 0 1"
    } >"$root/etc/fstab"
    [ $storage != luks ] ||
        echo "root_crypt UUID=$luks_uuid none luks,initramfs" \
            >"$root/etc/crypttab"
}

configure_guest () {
    echo "$hostname" >"$root/etc/hostname"
    printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$hostname" \
        >"$root/etc/hosts"
    rm -f "$root/etc/resolv.conf"
    # A known id: an empty one makes systemd ask questions on the console.
    echo 76327600000000000000000000000001 >"$root/etc/machine-id"
    echo 'root:v2v' | in_guest chpasswd
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
    "network_$network"
    write_fstab
    write_witness
    [ $network != cloud ] || write_cloud_witness
}

# ---- the initramfs ----

# What a machine on VMware has in use; ata_piix is its CD-ROM's.  With it QEMU
# can start what Hyper-V starts by hv_storvsc.
vmware_modules="ata_piix ahci sd_mod mptspi vmw_pvscsi nvme crc32c_generic"

initramfs_tools () {
    local conf=$root/etc/initramfs-tools
    echo RESUME=none >"$conf/conf.d/resume"
    echo update_initramfs=yes >"$conf/update-initramfs.conf"
    if [ $modules = dep ]; then
        # "dep" looks at the machine it runs on: first the list that it would
        # have found on VMware.
        printf '%s\n' $vmware_modules ${storage/#l*/ext4} >>"$conf/modules"
        sed -i 's/^MODULES=.*/MODULES=list/' "$conf/initramfs.conf"
    fi
    in_guest update-initramfs -c -k "$version"
    [ $modules != dep ] ||
        sed -i 's/^MODULES=.*/MODULES=dep/' "$conf/initramfs.conf"
}

dracut () {
    local only=()
    mkdir -p "$root/etc/dracut.conf.d"
    if [ $modules = dep ]; then
        echo "hostonly=yes" >"$root/etc/dracut.conf.d/50-host.conf"
        echo "add_drivers+=\" $vmware_modules \"" \
            >>"$root/etc/dracut.conf.d/50-host.conf"
        only=(--drivers "$vmware_modules ${storage/#l*/ext4}")
    else
        echo "hostonly=no" >"$root/etc/dracut.conf.d/50-host.conf"
    fi
    in_guest dracut --force --no-hostonly "${only[@]}" \
        "/boot/initrd.img-$version" "$version"
}

make_initramfs () {
    rm -f "$root/boot/initrd.img-"*
    mount -t proc proc "$root/proc"
    case $initramfs in
        initramfs-tools) initramfs_tools ;;
        dracut) dracut ;;
    esac >"$tmp/initramfs.log" 2>&1 || {
        tail -n 30 "$tmp/initramfs.log" >&2
        die "cannot make the initramfs"
    }
    umount "$root/proc"
    [ -e "$root/boot/initrd.img-$version" ] || die "there is no initramfs"
    if [ $broken = initramfs ]; then
        printf '#!/bin/sh\necho "mkinitramfs: broken for a test" >&2\nexit 1\n' \
            >"$root/usr/sbin/mkinitramfs"
    fi
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

make_tree () {
    local packages=() kernel
    make_base
    case $network in
        ifupdown) packages+=(ifupdown) ;;
        networkmanager) packages+=(network-manager) ;;
        netplan) packages+=(netplan.io) ;;
        cloud) packages+=(cloud-init netplan.io) ;;
    esac
    case $storage in
        lvm) packages+=(lvm2) ;;
        btrfs) packages+=(btrfs-progs) ;;
        luks) packages+=(cryptsetup-initramfs) ;;
    esac
    [ $initramfs != dracut ] || packages+=(dracut)
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
    kernel=$(cd "$root/boot" && echo vmlinuz-*)
    version=${kernel#vmlinuz-}
    release=$(. "$root/etc/os-release" && echo "$VERSION_ID")
    configure_guest
    make_initramfs
    grow_guest
    rm -rf "${root:?}"/dev/* "${root:?}"/tmp/* "$root/var/lib/apt/lists"/*
}
