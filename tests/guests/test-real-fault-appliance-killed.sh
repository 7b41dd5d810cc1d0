#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The appliance dies while the guest is being changed: one clear error, the
# source untouched, nothing under a final name; the same command again works.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
make_guest --suite bookworm --firmware uefi --fallback no \
    --network networkmanager --names device --controller nvme --deleted 256
workdir
before=$(sha256_of "$ova")

# The QEMU below process $1, our own child.
qemu_below () {
    local p
    for p in $(pgrep -P "$1"); do
        case $(cat "/proc/$p/comm" 2>/dev/null) in
            qemu*) echo "$p" ;;
            *) qemu_below "$p" ;;
        esac
    done
}

mkdir out
v2v convert --progress bar -o out "$ova" >convert.log 2>&1 &
convert=$!
qemu=
for ((i = 0; i < 200; i++)); do
    kill -0 $convert 2>/dev/null || break
    if grep -q 'changing the guest' convert.log; then
        qemu=$(qemu_below $convert)
        break
    fi
    sleep 1
done
[ -n "$qemu" ] || { cat convert.log; fail "no appliance to kill"; }
sleep 5
kill -9 "$qemu"
status=0
wait $convert || status=$?
cat convert.log
[ $status != 0 ] || fail "v2v convert succeeded without its appliance"
[ $status -lt 126 ] || fail "v2v convert died: $status"
grep -q 'the appliance has died' convert.log || fail "the error does not name the appliance"
[ "$(sha256_of "$ova")" = "$before" ] || fail "the source was changed"
final=$(find out -mindepth 1 -maxdepth 1 ! -name '.*' ! -name '*.part')
[ -z "$final" ] || fail "under a final name: $final"

convert_guest
