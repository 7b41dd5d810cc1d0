# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced after functions.sh by the tests that need a real machine.

LIBGUESTFS_BACKEND=direct
LIBGUESTFS_BACKEND_SETTINGS=force_tcg
export LIBGUESTFS_BACKEND LIBGUESTFS_BACKEND_SETTINGS

# make_guest FIRMWARE: the OVA is $ova, the same disk $raw.
make_guest () {
    requires debootstrap --version
    if [ "$(id -u)" != 0 ]; then requires sudo -n true; fi
    local paths
    paths=$("$abs_top_srcdir/tests/guests/build-debian.sh" --firmware "$1" --raw) ||
        fail "the guest cannot be built"
    ova=${paths%%$'\n'*}
    # shellcheck disable=SC2034  # for the caller
    raw=${paths##*$'\n'}
}

# convert_guest: $ova by v2v into the current folder; $vhdx is its disk.
convert_guest () {
    local dir
    v2v convert --progress none -o out "$ova" >convert.log 2>&1 ||
        { cat convert.log; fail "v2v convert"; }
    dir=$(echo out/*/)
    vhdx=$(find "$dir" -name '*.vhdx')
    [ -f "$vhdx" ] || fail "not one VHDX in $dir: $vhdx"
}

# boots NAME SECONDS QEMU-ARGUMENT...: starts a machine (software emulation)
# whose disk is never written, and waits for the login prompt of ours.
boots () {
    local name=$1 limit=$2 qemu status=1 i
    shift 2
    : >"$name.serial"
    # A machine with KVM would tell less: this works everywhere.
    timeout --kill-after=5 "$limit" qemu-system-x86_64 -accel tcg,thread=multi \
        -cpu max -smp 2 -m 1024 -nodefaults -display none -no-reboot \
        -serial "file:$name.serial" "$@" >"$name.qemu" 2>&1 </dev/null &
    qemu=$!
    for ((i = 0; i < limit; i++)); do
        if grep -aq 'v2v-debian login:' "$name.serial"; then
            status=0
            break
        fi
        kill -0 $qemu 2>/dev/null || break
        sleep 1
    done
    kill $qemu 2>/dev/null || :
    wait $qemu || :
    if [ $status = 0 ]; then
        echo "$name: login prompt after $i seconds"
    else
        cat "$name.qemu"
        tail -n 40 "$name.serial" | tr -dc '\11\12\40-\176'
        fail "$name: no login prompt in $i seconds"
    fi
}
