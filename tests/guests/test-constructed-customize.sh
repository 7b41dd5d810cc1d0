#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v customize with a real appliance on a constructed Linux (a file tree as
# Debian lays it out, without a kernel): a dry run writes nothing, -o leaves the
# old disk as it was, in place nothing stays beside it.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires_plugin
requires jq --version
requires sfdisk --version
requires mke2fs -V
workdir

mkdir -p root/{bin,boot,dev,etc/ssh,proc,root,usr/bin,usr/sbin,var/lib/dpkg,var/log,lib/systemd/system,etc/systemd/system}
cp "$(type -P true)" root/bin/true
cp root/bin/true root/bin/ls
cat >root/etc/os-release <<'END'
ID=debian
NAME="Debian GNU/Linux"
VERSION_ID="12"
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
END
echo 12.5 >root/etc/debian_version
echo before >root/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 before\n' >root/etc/hosts
echo '/dev/sda1 / ext4 defaults 0 1' >root/etc/fstab
echo 0123456789abcdef0123456789abcdef >root/etc/machine-id
echo 'root:x:0:0:root:/root:/bin/sh' >root/etc/passwd
echo 'root:*:19000:0:99999:7:::' >root/etc/shadow
: >root/var/lib/dpkg/status
ln -s ../lib/systemd/systemd root/bin/init
truncate -s 320M disk.raw
echo 'start=2048, type=83' | sfdisk -q disk.raw
mke2fs -q -F -t ext4 -d root -E offset=1048576 disk.raw 300M
v2v copy --progress none --no-digest disk.raw -O vhdx disk.vhdx >/dev/null
before=$(sha256sum <disk.vhdx)

cat_file () { # DISK PATH: a file of the guest's only partition, read by e2fsprogs
    rm -f cat.raw
    v2v copy --progress none --no-digest "$1" -O raw cat.raw >/dev/null
    dd if=cat.raw of=part bs=1M skip=1 conv=sparse status=none
    debugfs -R "cat $2" part 2>/dev/null
}
clean () {
    [ -z "$(ls -d ./*.v2v-customize ./*.part 2>/dev/null)" ] || fail "$1: something is left"
}

# A dry run tells and writes nothing.
echo '{"computer_name":"after"}' >profile.json
v2v customize --dry-run --json --profile profile.json disk.vhdx >out.json ||
    fail "--dry-run"
jq -e '.changes[] | select(.path == "/etc/hostname")' out.json >/dev/null ||
    fail "no change of /etc/hostname: $(cat out.json)"
[ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "--dry-run wrote the disk"

# Into a new file: the old one stays.
printf '#!/bin/sh\ntrue\n' >first.sh
v2v customize --progress none --profile profile.json --firstboot first.sh \
    -o new.vhdx disk.vhdx >/dev/null || fail "-o"
[ "$before" = "$(sha256sum <disk.vhdx)" ] || fail "-o wrote the old disk"
clean "-o"
v2v check new.vhdx >/dev/null || fail "check new.vhdx"
[ "$(cat_file new.vhdx /etc/hostname)" = after ] || fail "hostname in new.vhdx"
[ "$(cat_file disk.vhdx /etc/hostname)" = before ] || fail "hostname in disk.vhdx"

# In place; nothing stays beside the disk, and the lock goes with the run.
v2v customize --progress none --profile profile.json disk.vhdx >/dev/null ||
    fail "in place"
clean "in place"
v2v check disk.vhdx >/dev/null || fail "check disk.vhdx"
[ "$(cat_file disk.vhdx /etc/hostname)" = after ] || fail "hostname in place"
