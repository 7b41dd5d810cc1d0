#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v doctor: what is there is ok, what is taken away is missing and names its
# remedy, the exit status says so, and JSON says the same as the text.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
workdir

state_of () { # NAME: from out.json
    jq -r --arg n "$1" '.checks[] | select(.name == $n).state' out.json
}
doctor () { # ...: out.json, status in $status
    status=0
    v2v doctor --json "$@" >out.json || status=$?
    jq -e '.checks | length > 5' out.json >/dev/null || fail "no checks: $*"
    jq -e 'all(.checks[]; .state == "ok" or .state == "warning" or .state == "missing")' \
        out.json >/dev/null || fail "an unknown state"
    # The status is the sum of the lines.
    if jq -e 'any(.checks[]; .state == "missing")' out.json >/dev/null; then
        [ "$status" = 1 ] && [ "$(jq .ok out.json)" = false ]
    else
        [ "$status" = 0 ] && [ "$(jq .ok out.json)" = true ]
    fi || fail "status $status: $*"
    jq -e 'all(.checks[] | select(.state == "missing"); .remedy != null)' \
        out.json >/dev/null || fail "missing without a remedy"
}

# Programs: those of a folder of ours.
mkdir bin
for p in nbdkit qemu-img qemu-nbd supermin qemu-system-x86_64; do
    printf '#!/bin/sh\nexit 0\n' >bin/$p
    chmod +x bin/$p
done
export PATH=$PWD/bin:$PATH
mkdir -p appliance/supermin.d
printf 'coreutils\nntfs-3g\nlvm2\n' >appliance/supermin.d/packages
export LIBGUESTFS_PATH=$PWD/nowhere:$PWD/appliance
: >kernel
export SUPERMIN_KERNEL=$PWD/kernel
mkdir tmp out
export TMPDIR=$PWD/tmp

doctor
[ "$status" = 0 ] || { cat out.json; fail "all is there, but status $status"; }
for n in nbdkit nbdkit-plugin qemu-img qemu-nbd qemu-system appliance supermin \
    kernel appliance-ntfs appliance-lvm; do
    [ "$(state_of $n)" = ok ] || fail "$n is $(state_of $n)"
done
# What its package list lacks.
[ "$(state_of appliance-xfs)" = warning ] || fail "xfs"
echo xfsprogs >appliance/supermin.d/packages-xfs
doctor
[ "$(state_of appliance-xfs)" = ok ] || fail "xfs in a second list"

# A plugin that cannot be loaded.
printf '#!/bin/sh\n[ "$2" != v2v ]\n' >bin/nbdkit
V2V_NBDKIT_PLUGIN='' doctor
[ "$status" = 1 ] && [ "$(state_of nbdkit-plugin)" = missing ] || fail "plugin"
V2V_NBDKIT_PLUGIN=/some/other.so doctor
[ "$(state_of nbdkit-plugin)" = ok ] || fail "V2V_NBDKIT_PLUGIN"

SUPERMIN_KERNEL=$PWD/none doctor
[ "$status" = 1 ] && [ "$(state_of kernel)" = missing ] || fail "kernel"
LIBGUESTFS_PATH=$PWD/nowhere doctor
[ "$status" = 1 ] && [ "$(state_of appliance)" = missing ] || fail "appliance"
LIBGUESTFS_HV=$PWD/none doctor
[ "$status" = 1 ] && [ "$(state_of qemu-system)" = missing ] || fail "HV"
TMPDIR=$PWD/none doctor
[ "$status" = 1 ] && [ "$(state_of temporary-space)" = missing ] || fail "TMPDIR"

# Where to write: reflinks as this file system has them, nothing left behind.
: >a
doctor --output out
if cp --reflink=always a b 2>/dev/null; then want=ok; else want=warning; fi
[ "$(state_of reflink)" = $want ] || fail "reflink: not $want"
[ -z "$(ls -A out)" ] || fail "something was left in out"
doctor -o nowhere
[ "$status" = 1 ] && [ "$(state_of output)" = missing ] || fail "--output"

# The text: a line for each check, the remedy below.
v2v doctor >text || fail "the text's status"
[ "$(grep -cE '^(ok|warning|missing) ' text)" = "$(jq '.checks | length' out.json)" ] ||
    [ "$(grep -cE '^(ok|warning|missing) ' text)" -gt 10 ] || fail "text"
LIBGUESTFS_PATH=$PWD/nowhere v2v doctor >text && fail "status of the text"
grep -A1 '^missing  appliance ' text | grep -q -- '-> install libguestfs' ||
    fail "no remedy in the text"
expect_status 2 v2v doctor surplus
