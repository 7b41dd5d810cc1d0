#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A constructed Windows (hives and files as Windows lays them out, no Windows
# itself) on NTFS, BIOS, with "System Reserved": what only a real NTFS and an
# appliance show.  The boot configuration of the other volume is found and
# compared, the disk signature stays, new files are closed to ordinary users,
# old ones keep their access control.  A second conversion changes nothing.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires_plugin
requires guestfish --version
requires jq --version
requires sfdisk --version
program=$abs_top_builddir/inject/firstboot/v2vfirstboot-x86_64.exe
make=$abs_top_builddir/tests/gen/mkwindows
[ -e "$program" ] && [ -x "$make" ] ||
    { echo "SKIP: built without mingw-w64 or cmocka" >&2; exit 77; }
workdir
signature=5cbea03e reserved=1048576 windows=68157440

truncate -s 640M disk.raw
sfdisk -q disk.raw <<END
label: dos
label-id: 0x$signature
start=$((reserved / 512)), size=131072, type=7, bootable
start=$((windows / 512)), type=7
END
"$make" constructed_server_2019 tree "$signature" $((reserved + 512)) \
    "$windows" "$program" || fail 'mkwindows'
tar -C tree/windows -cf windows.tar .
tar -C tree/reserved -cf reserved.tar .
timeout 400 guestfish --format=raw -a disk.raw <<'FISH' || fail 'making the guest'
run
mkfs ntfs /dev/sda1
mkfs ntfs /dev/sda2
mount /dev/sda2 /
tar-in windows.tar /
umount /
mount /dev/sda1 /
tar-in reserved.tar /
umount /
FISH
cat >guest.vmx <<'END'
.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "13"
displayName = "windows"
guestOS = "windows2019srv-64"
memsize = "2048"
numvcpus = "2"
firmware = "bios"
scsi0.present = "TRUE"
scsi0.virtualDev = "lsisas1068"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "disk.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:32:10:01"
END
qemu-img convert -f raw -O vmdk disk.raw disk.vmdk
printf '@echo off\nrem secret\nexit /b 250\n' >user.cmd
v2v convert --progress none --firstboot user.cmd -o out guest.vmx \
    >convert.log 2>&1 || { cat convert.log; fail 'v2v convert'; }
vhdx=$(find out -name '*.vhdx')
[ -f "$vhdx" ] || fail "not one VHDX: $vhdx"
report=$(find out -name 'v2v-report.json' -o -name 'report.json' | head -1)
[ -f "$report" ] || fail "no report: $(find out)"
has () { grep -q "\"$1\"" "$report"; }
has guest.network.static || fail 'the addresses are not kept'
# The boot manager's own device is off by a sector, that of Windows is right.
grep -A4 guest.windows.boot-configuration "$report" >bcd.txt
grep -q 'names for the boot manager is on no disk' bcd.txt &&
    ! grep -q 'names for Windows' bcd.txt ||
    fail "the boot configuration: $(cat bcd.txt)"
for bad in guest.windows.boot-files guest.windows.open-files guest.network.ipv6-static; do
    ! has $bad || fail "$bad: $(grep -A4 $bad "$report")"
done

# The same disk signature and partitions; and no folder of ours is left.
v2v copy --progress none --no-digest "$vhdx" -O raw new.raw >/dev/null
[ "$(sfdisk --dump new.raw | grep -E 'label-id|start=')" = \
    "$(sfdisk --dump disk.raw | sed 's/disk\.raw/new.raw/' |
        grep -E 'label-id|start=')" ] || fail 'another partition table'

# NTFS' own view: what everybody (S-1-1-0) may do, by the security descriptor.
# 1200a9 is read and execute, 120088 attributes only, 1f01ff everything.
v2v='/Program Files/v2v'
paths=("$v2v" "$v2v/firstboot" "$v2v/firstboot/scripts"
    "$v2v/firstboot/scripts/5000-user.cmd" "$v2v/firstboot/files/network.txt"
    "$v2v/firstboot/v2vfirstboot.exe" /Windows/System32/config/SYSTEM)
allowed=(1200a9 1200a9 120088 120088 120088 1200a9 1f01ff)
{
    printf 'run\nmount-ro /dev/sda2 /\nls / | cat >root.txt\n'
    echo "cat \"$v2v/firstboot/files/network.txt\" | cat >network.txt"
    for i in "${!paths[@]}"; do
        echo "lgetxattr \"${paths[i]}\" system.ntfs_acl | cat >acl.$i"
    done
} >look.fish
timeout 400 guestfish --ro --format=raw -a new.raw -f look.fish ||
    fail 'looking at the result'
! grep -qE '^(EFI|System)-v2v' root.txt || fail "left: $(cat root.txt)"
grep -q '^address6 2001:db8::5 64' network.txt || fail "$(cat network.txt)"
everybody=010100000000000100000000
for i in "${!paths[@]}"; do
    hex=$(od -An -v -tx1 "acl.$i" | tr -d ' \n')
    mask=$(sed -n "s/.*\(........\)$everybody.*/\1/p" <<<"$hex")
    mask=${mask:4:2}${mask:2:2}${mask:0:2}
    [ "$mask" = "${allowed[i]}" ] ||
        fail "${paths[i]}: everybody has '$mask', expected ${allowed[i]}: $hex"
done

# Nothing is left to do for a second conversion, wishes included.
qemu-img convert -f raw -O vmdk new.raw second.vmdk
rm new.raw
sed 's/disk\.vmdk/second.vmdk/' guest.vmx >second.vmx
v2v convert --progress none --firstboot user.cmd -o second second.vmx \
    >second.log 2>&1 || { cat second.log; fail 'the second conversion'; }
report=$(find second -name 'v2v-report.json' -o -name 'report.json' | head -1)
jq -e '.guest.changes | length == 0' "$report" >/dev/null ||
    fail "the second conversion changed $(jq -c .guest.changes "$report")"
