#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/packages.sh [build|sample|test]
#
# Install the Debian packages that building (build), making and converting the
# sample machine as well (sample), or all tests (test, the default) need, as
# far as they are missing.  Needs root or sudo only when something is missing.
set -eu

build=(
    autoconf automake gcc gcc-mingw-w64-i686 gcc-mingw-w64-x86-64 libtool make
    pkg-config perl
    libarchive-dev libbz2-dev libdeflate-dev libguestfs-dev libhivex-dev
    libjansson-dev liblz4-dev liblzma-dev liblzo2-dev libnbd-dev libpq-dev
    libsqlite3-dev libssl-dev libxml2-dev libyaml-dev libzstd-dev
    nbdkit-plugin-dev zlib1g-dev
)
# A machine to convert is made, not stored; its guest is reached by an
# appliance.
sample=(
    debootstrap dosfstools e2fsprogs fdisk libguestfs-xfs linux-image-amd64
    mtools nbdkit qemu-system-x86 qemu-utils
)
test=(
    7zip bind9-utils btrfs-progs busybox bzip2 clang-14 clang-format-14 cpio
    cryptsetup-bin git guestfish haproxy initramfs-tools-core jq lcov
    libclang-rt-14-dev libcmocka-dev libnbd-bin libvhdi-utils libvmdk-utils
    lvm2 lz4 lzop ntfs-3g openssh-client openssh-server openssl ovmf
    postgresql shellcheck sqlite3 valgrind
    wine wine64 xfsprogs
    xz-utils zstd
)

# Wherever they come from: not every Node.js is Debian's.
command -v node >/dev/null || test+=(nodejs)
command -v npm >/dev/null || test+=(npm)

case "${1-test}" in
    build) want=("${build[@]}") ;;
    sample) want=("${build[@]}" "${sample[@]}") ;;
    test) want=("${build[@]}" "${sample[@]}" "${test[@]}") ;;
    *) echo "usage: $0 [build|sample|test]" >&2; exit 2 ;;
esac

missing=()
for p in "${want[@]}"; do
    case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" in
        ii*) ;;
        *) missing+=("$p") ;;
    esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "$0: as root: apt-get install ${missing[*]}" >&2
        exit 1
    }
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
# An old list of packages names versions the mirror no longer has.
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
