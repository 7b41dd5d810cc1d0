#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How a guest is reached, on a small constructed Debian: changed ranges come
# from the overlay, freed ones are not copied, the rest is as it was; a
# conversion that is killed while copying is resumed without an appliance;
# whatever ends it, no process is left and nothing has the final name.  What
# comes through a pipe is changed after it was copied.  What v2v inspect tells is
# what was constructed here, and what is then changed.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires jq --version
requires qemu-img --version
requires sfdisk --version
requires mke2fs -V
requires debugfs -V
requires_plugin
workdir
XDG_CACHE_HOME=$work/cache
export XDG_CACHE_HOME
mkdir tmp
: "${LIBGUESTFS_CACHEDIR:=${TMPDIR:-/var/tmp}}" # the appliance, once built
TMPDIR=$work/tmp
export LIBGUESTFS_CACHEDIR TMPDIR

# ---- the guest: 256 MiB, one ext4, 20 MB of it freed but still full of data
mkdir -p tree/{bin,boot,dev,etc,home,lib/modules,proc,root,sys,tmp,usr/bin,var}
echo 12.5 >tree/etc/debian_version
echo reach >tree/etc/hostname
echo '/dev/sda1 / ext4 defaults 0 1' >tree/etc/fstab
printf 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n' \
    >tree/etc/os-release
cp /bin/true tree/bin/ls
head -c 30000000 /dev/urandom >tree/home/kept
head -c 20000000 /dev/urandom >tree/home/freed
kept=$(sha256_of tree/home/kept)
truncate -s 256M disk.raw
echo '2048,,83,*' | sfdisk -q disk.raw
truncate -s 255M part.raw
mke2fs -q -F -t ext4 -b 4096 -d tree part.raw
debugfs -w -R 'rm /home/freed' part.raw 2>/dev/null
dd if=part.raw of=disk.raw bs=1M seek=1 conv=notrunc status=none
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw g.vmdk
cat >g.vmx <<'VMX'
config.version = "8"
virtualHW.version = "14"
displayName = "reach"
guestOS = "debian12-64"
memsize = "512"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "g.vmdk"
VMX
before=$(sha256_of g.vmdk)

untouched () {
    [ "$(sha256_of g.vmdk)" = "$before" ] || fail "$1: the source was changed"
    [ ! -e "$work/out/reach" ] || fail "$1: something has the final name"
}
# Servers and the appliance have our paths among their arguments.
ours () {
    local f
    for f in $(grep -lF "$work/" /proc/[0-9]*/cmdline 2>/dev/null); do
        { tr '\0' ' ' <"$f" && echo; } 2>/dev/null
    done
    return 0
}
no_process () { # WHAT
    local i
    for i in $(seq 100); do
        [ -n "$(ours)" ] || return 0
        sleep 0.2
    done
    fail "$1: still running after $i steps: $(ours)"
}
start () {
    setsid "$abs_top_builddir/run" v2v convert --progress none "$@" \
        "$work/g.vmx" -o "${out:-$work/out}" >log 2>&1 &
    pid=$!
}
wait_for_appliance () {
    local i
    for i in $(seq 300); do
        ! ours | grep -q '^[^ ]*qemu-system' || return 0
        kill -0 $pid 2>/dev/null || fail "no appliance: $(cat log)"
        sleep 0.1
    done
    fail "no appliance after $i steps: $(ours)"
}

# ---- stopped and killed in the appliance, whose overlay QEMU calls by another
# name than we were given
ln -s . here
out=$work/./here//out
start
wait_for_appliance
sleep 2
kill -TERM $pid
since=$SECONDS
status=0
wait $pid || status=$?
[ $((SECONDS - since)) -lt 10 ] || fail "SIGTERM: the appliance went on"
unset out
[ $status = 130 ] || fail "SIGTERM: status $status: $(cat log)"
untouched SIGTERM
no_process SIGTERM
[ ! -e out ] || fail "SIGTERM: left: $(ls -A out)"

# libguestfs has its sockets in a folder of its own; that and ours stay.
start
wait_for_appliance
for i in $(seq 300); do
    sockets=$(readlink tmp/v2v-tmp.*/.adopted.* | head -n 1 || :)
    [ -z "$sockets" ] || break
    sleep 0.1
done
[ -d "$sockets" ] || fail "libguestfs' folder is not known after $i steps"
kill -KILL $pid
wait $pid 2>/dev/null || :
untouched SIGKILL
no_process SIGKILL
[ -d "$sockets" ] || fail "SIGKILL: something removed $sockets"
rm -rf out

# ---- what is in it; the next one to run has removed what the killed one left
v2v inspect -D libguestfs --json --progress json g.vmx >inspected 2>log ||
    fail "inspect: $(cat log)"
grep '^{' log >events
# what makes the guest's tools twice as fast in software emulation
grep -q 'set_append .*norandmaps' log || fail "inspect: $(cat log)"
[ ! -e "$sockets" ] || fail "$sockets is still there"
[ -z "$(ls -A tmp)" ] || fail "inspect left: $(ls -A tmp)"
[ "$(sha256_of g.vmdk)" = "$before" ] || fail "inspect changed the source"
jq -e --arg uuid "$(dumpe2fs -h part.raw 2>/dev/null |
                    sed -n 's/^Filesystem UUID: *//p')" '
    .kind == "vmx" and (.machines | length) == 1 and (.machines[0] |
    .name == "reach" and .conversion == "possible" and
    (.disks | length) == 1 and (.disks[0] |
        .file == "g.vmdk" and .size_bytes == 268435456 and .table == "mbr" and
        (.partitions | length) == 1 and (.partitions[0] |
            .number == 1 and .type == "ext4" and .uuid == $uuid and .clean and
            .offset_bytes == 1048576 and .length_bytes == 267386880)) and
    (.system |
        .family == "linux" and .distro == "debian" and .major == 12 and
        .minor == 5 and .hostname == "reach" and .root == "/dev/sda1" and
        .product_name == "12.5" and .arch == $arch and
        .mountpoints == [{ path: "/", device: "/dev/sda1" }] and
        .applications == [] and (.filesystems | length) == 1 and
        (.filesystems[0] | .device == "/dev/sda1" and .type == "ext4" and
            .uuid == $uuid)) and
    .kernels == [])' --arg arch "$(uname -m)" inspected >/dev/null ||
    fail "inspect: not what was constructed: $(cat inspected)"
jq -es 'map(select(.stage == "guest") | .item) |
    index("starting the appliance") < index("looking into the guest")' events \
    >/dev/null || fail "inspect: --progress json: $(cat events)"

# ---- no nbdkit: one clear error
mkdir bin
for p in qemu-img qemu-nbd; do ln -s "$(command -v $p)" bin/$p; done
v2v_binary=$(command -v v2v)
status=0
PATH=$work/bin "$v2v_binary" convert g.vmx -o "$work/out" >log 2>&1 || status=$?
[ $status = 5 ] || fail "no nbdkit: status $status: $(cat log)"
grep -q 'starting nbdkit: No such file' log || fail "no nbdkit: $(cat log)"
[ "$(grep -c '^v2v: ' log)" -le 2 ] || fail "no nbdkit: $(cat log)"
untouched "no nbdkit"

# ---- an unusable appliance by KVM (one second is too short for any) falls
# back to emulation; killed while copying; resumed without an appliance
if [ -w /dev/kvm ]; then
    unset LIBGUESTFS_BACKEND_SETTINGS
    V2V_APPLIANCE_TIMEOUT=1
    export V2V_APPLIANCE_TIMEOUT
fi
start --rate 2M # the first checkpoint comes after 10 seconds
header=0
for i in $(seq 3000); do
    # Something is safely written when the journal grows beyond its header.
    size=$(stat -c %s out/.reach.part/reach-disk1.vhdx.journal 2>/dev/null ||
        echo 0)
    [ "$header" != 0 ] || header=$size
    [ "$size" = "$header" ] || break
    kill -0 $pid 2>/dev/null || fail "ended while it should copy: $(cat log)"
    sleep 0.1
done
[ "$i" != 3000 ] || fail "never copied: $(cat log)"
kill -KILL $pid
wait $pid 2>/dev/null || :
untouched "killed while copying"
no_process "killed while copying"
if [ -n "$V2V_APPLIANCE_TIMEOUT" ]; then
    grep -q 'did not answer in 1 seconds by KVM' log || fail "$(cat log)"
    jq -e '.kvm == "hangs"' cache/v2v/host.json >/dev/null ||
        fail "the host is not remembered"
fi
# Other options would need another guest.
expect_status 7 v2v convert --resume --keep-tools "$work/g.vmx" -o "$work/out"
# An appliance could not be started now.
LIBGUESTFS_BACKEND=none-such v2v convert --resume --json "$work/g.vmx" \
    -o "$work/out" >resumed || fail "resume"
[ "$(ls -A out)" = reach ] || fail "left: $(ls -A out)"

# ---- what came out of it
# check_result FOLDER NAME
check_result () {
    local report=$1/report.json
    jq -e '.guest.os.distro == "debian" and .guest.os.hostname == "reach"' \
        "$report" >/dev/null || fail "$1: the guest: $(jq .guest.os "$report")"
    jq -e '.guest.changes[] | select(.path == "/etc/fstab")' "$report" \
        >/dev/null || fail "$1: the journal: $(jq .guest.changes "$report")"
    cmp tree/etc/fstab "$1/undo/files/etc/fstab" || fail "$1: the undo bundle"
    [ ! -e "$1/guest" ] || fail "$1: the overlays were published"
    v2v digest --check "$report" >/dev/null || fail "$1: the digest"
    qemu-img check -q "$1/$2-disk1.vhdx" || fail "$1: qemu-img check"
    qemu-img convert -O raw "$1/$2-disk1.vhdx" new.raw
    cmp -n 1048576 disk.raw new.raw || fail "$1: the boot sectors changed"
    dd if=new.raw of=new.part bs=1M skip=1 status=none
    e2fsck -fn new.part >fsck.log 2>&1 || fail "$1: fsck: $(cat fsck.log)"
    debugfs -R 'dump /home/kept kept' new.part 2>/dev/null
    [ "$(sha256_of kept)" = "$kept" ] || fail "$1: an untouched file differs"
    debugfs -R 'cat /etc/fstab' new.part 2>/dev/null >fstab
    grep -q '^UUID=' fstab || fail "$1: fstab: $(cat fstab)"
}
check_result out/reach reach
diff <(jq -c '.machines[0].changes[] | [.kind, .path, .after]' inspected) \
    <(jq -c '.guest.changes[] | [.kind, .path, .after]' out/reach/report.json) ||
    fail "inspect has announced other changes"
report=out/reach/report.json
jq -e '.disks[0].resumed_bytes > 0' $report >/dev/null || fail "copied anew"
# 50 MB of data were on the disk, 20 of them freed.
jq -e '.disks[0].data_bytes < 40000000' $report >/dev/null ||
    fail "freed ranges were copied: $(jq '.disks[0]' $report)"

# ---- copy, then convert: what comes through a pipe is merged
unset V2V_APPLIANCE_TIMEOUT
LIBGUESTFS_BACKEND_SETTINGS=force_tcg
export LIBGUESTFS_BACKEND_SETTINGS
make_ovf web g.vmdk
tar -cf web.ova m.ovf m.mf g.vmdk
# shellcheck disable=SC2002 # a pipe is the point
cat web.ova | v2v convert --fsck --progress none - -o out >log 2>&1 ||
    fail "from a pipe: $(cat log)"
check_result out/web web
jq -e 'any(.findings.guest[]; .id | startswith("guest.fsck.")) | not' \
    out/web/report.json >/dev/null ||
    fail "--fsck: $(jq .findings out/web/report.json)"

# ---- converted again: there is nothing left to be done.  The disk is in two
# pieces in an OVA now, so the appliance's server finds it by its package.  A
# file that claims five names is what --fsck has to find.
dd if=new.raw of=new.part bs=1M skip=1 status=none
debugfs -w -R 'sif /home/kept links_count 5' new.part 2>/dev/null
dd if=new.part of=new.raw bs=1M seek=1 conv=notrunc status=none
qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentFlat new.raw two.vmdk
make_ovf second two.vmdk
tar -cf second.ova m.ovf two.vmdk two-f001.vmdk
v2v convert --fsck --json --progress none second.ova -o out >second 2>log ||
    fail "second conversion: $(cat log)"
jq -e '.conversions[0].report.guest.changes == []' second >/dev/null ||
    fail "changed again: $(jq '.conversions[0].report.guest.changes' second)"
jq -e '.conversions[0].report.guest.os.distro == "debian"' second >/dev/null ||
    fail "not looked into: $(cat second)"
jq -e '.conversions[0].report.findings.guest[] | select(.id == "guest.fsck.errors" and
       .subject == "/dev/sda1")' second >/dev/null ||
    fail "--fsck found nothing: $(jq '.conversions[0].report.findings' second)"

# ---- blocks are shared with the source, but where the guest was changed
requires mkfs.xfs -V
requires test "$(id -u)" = 0
truncate -s 800M xfs.img
mkfs.xfs -q -m reflink=1 xfs.img
mkdir mnt
mount -o loop xfs.img mnt 2>/dev/null || {
    echo "SKIP: no loop mounts here" >&2; exit 77; }
trap 'umount "$work/mnt"; cleanup' EXIT
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk.raw mnt/g.vmdk
cp g.vmx mnt
v2v convert --json --progress none mnt/g.vmx -o mnt/out >shared 2>log ||
    fail "on XFS: $(cat log)"
jq -e '.conversions[0].report.disks[0] | .shared_bytes > 25000000 and
       .written_bytes < 5000000' shared >/dev/null ||
    fail "not shared: $(jq '.conversions[0].report.disks[0]' shared)"
qemu-img convert -O raw mnt/out/reach/reach-disk1.vhdx new.raw
dd if=new.raw of=new.part bs=1M skip=1 status=none
debugfs -R 'dump /home/kept kept' new.part 2>/dev/null
[ "$(sha256_of kept)" = "$kept" ] || fail "on XFS: an untouched file differs"
e2fsck -fn new.part >fsck.log 2>&1 || fail "on XFS: fsck: $(cat fsck.log)"
