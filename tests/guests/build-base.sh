# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by build-debian.sh: a suite with what all its guests have in common,
# installed once and kept as a tar file.
# shellcheck disable=SC2034,SC2154  # the variables of build-debian.sh

in_guest () {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root \
        DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# Packages already fetched for a guest of any suite are not fetched again.
install_packages () {
    local archives=$root/var/cache/apt/archives
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp -nl "$cache/packages/"*.deb "$archives/" 2>/dev/null || :
    in_guest apt-get -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold \
        -o Dpkg::Options::=--force-unsafe-io install "$@" \
        >"$tmp/install.log" 2>&1 || {
        tail -n 30 "$tmp/install.log" >&2
        die "cannot install $*"
    }
    cp -nl "$archives/"*.deb "$cache/packages/" 2>/dev/null || :
    rm -f "$archives/"*.deb
}

make_base () {
    local mirror common base_key
    [ "$(dpkg --print-architecture)" = amd64 ] ||
        die "only amd64 guests are made"
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' \
                 'Created-By: Packages' |
             awk '$1 == "main" && $2 !~ /security/ {print $2; exit}')
    [ -n "$mirror" ] ||
        die "apt knows no mirror of Debian; try apt-get update"
    common="dbus e2fsprogs grub2-common grub-efi-amd64-bin grub-pc-bin
        initramfs-tools iproute2 kmod linux-image-amd64 login open-vm-tools
        procps systemd-sysv udev zstd"
    base_key=$(cat "$here/build-base.sh" <(echo "$suite $common") |
                   sha256sum | cut -c1-12)
    base=$cache/base-$suite-$base_key.tar
    if [ -e "$base" ]; then
        touch "$base"
        mkdir "$root"
        tar -C "$root" -xf "$base"
        return
    fi
    find "$cache" -maxdepth 1 -name 'base-*' -mtime +7 -exec rm -f {} +
    say "installing $suite from $mirror (once)"
    mkdir -p "$cache/packages"
    debootstrap --variant=minbase --cache-dir="$cache/packages" \
        "$suite" "$root" "$mirror" >"$tmp/debootstrap.log" 2>&1 || {
        tail -n 20 "$tmp/debootstrap.log" >&2
        tail -n 20 "$root/debootstrap/debootstrap.log" >&2 2>/dev/null || :
        exit 1
    }
    # The initramfs is made once, by make_initramfs.
    mkdir -p "$root/etc/initramfs-tools"
    echo update_initramfs=no >"$root/etc/initramfs-tools/update-initramfs.conf"
    # shellcheck disable=SC2086
    install_packages $common
    tar -C "$root" --one-file-system -cf "$base.part" .
    mv "$base.part" "$base"
}
