#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The driver "qemu": machines that v2v made are started by it, of both
# generations, on plain disks and on a child; what it is told of them is true.
# No system is inside: what the guest does is for tests/guests.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires qemu-system-x86_64 --version
requires test -r /usr/share/OVMF/OVMF_CODE_4M.fd
workdir
here=$PWD
mkdir -p lab/bases
jq -n --arg path "$here/lab" '{hosts: [{name: "lab", driver: "qemu", path: $path}]}' >hosts.json
export V2V_HOSTS=$here/hosts.json
stop_all () {
    for f in "$here"/lab/*/lab/pid; do
        if [ -e "$f" ]; then kill -9 "$(cat "$f")" 2>/dev/null || :; fi
    done
}
trap stop_all EXIT
state () { v2v vm state --json --host lab "$1" | jq -r '.machines[0].state'; }

# A boot sector that writes to the serial line and stops, in three disks:
# mov dx,0x3f8; mov si,0x7c10; lodsb; test al,al; jz $; out dx,al; jmp
printf '\xba\xf8\x03\xbe\x10\x7c\xac\x84\xc0\x74\xfe\xee\xeb\xf8\x90\x90v2v-was-here\r\n\0' >1.raw
truncate -s 510 1.raw
printf '\x55\xaa' >>1.raw
truncate -s 8M 1.raw
v2v copy 1.raw lab/bases/base.vhdx >/dev/null
v2v vm create -o lab --disk 1.raw --generation 1 --memory 64M vhdx-1 >/dev/null
v2v vm create -o lab --disk 1.raw --disk-format vhd --generation 1 --memory 64M vhd >/dev/null
v2v vm create -o lab --disk lab/bases/base.vhdx --differencing --generation 1 --memory 64M child >/dev/null
before=$(sha256_of lab/child/child-disk1.vhdx)
for m in vhdx-1 vhd child; do
    [ "$(state $m)" = off ] || fail "$m: before: $(state $m)"
    v2v vm start --host lab $m >/dev/null || fail "$m does not start"
    [ "$(state $m)" = running ] || fail "$m: $(state $m)"
    for ((i = 0; i < 1800; i++)); do
        ! grep -q v2v-was-here lab/$m/lab/console.log || break
        sleep 0.1
    done
    grep -q v2v-was-here lab/$m/lab/console.log || fail "$m has not booted from its disk"
    v2v vm start --host lab $m >/dev/null || fail "$m: a second start"
    v2v vm stop --host lab --force $m >/dev/null || fail "$m does not stop"
    [ "$(state $m)" = off ] || fail "$m: after: $(state $m)"
done
# The child itself is as it was; its whole is in the laboratory.
[ "$(sha256_of lab/child/child-disk1.vhdx)" = "$before" ] || fail "the child was written to"
cmp 1.raw lab/child/lab/child-disk1.vhdx.raw || fail "the flattened child differs"

# Generation 2: the firmware runs, and its variables are kept.
v2v vm create -o lab --blank 16M --generation 2 --memory 128M uefi >/dev/null
v2v vm start --host lab uefi >/dev/null || fail "generation 2 does not start"
[ "$(state uefi)" = running ] || fail "generation 2: $(state uefi)"
v2v vm stop --host lab --force uefi >/dev/null || fail "generation 2 does not stop"
[ -s lab/uefi/lab/vars.fd ] || fail "no variables"
v2v check lab/uefi/uefi-disk1.vhdx >/dev/null || fail "the disk is damaged by a stop"

# Killed from outside: it is off, and starts again.
v2v vm start --host lab vhd >/dev/null
kill -9 "$(cat lab/vhd/lab/pid)"
for ((i = 0; i < 600; i++)); do [ "$(state vhd)" = running ] || break; sleep 0.1; done
[ "$(state vhd)" = off ] || fail "killed: $(state vhd)"
v2v vm start --host lab vhd >/dev/null || fail "no start after a kill"
v2v vm stop --host lab --force vhd >/dev/null

expect_status 2 v2v vm state --host nonsense vhd
[ "$(state nonsense)" = absent ] || fail "absent"
# What QEMU refuses is told with its words.
sed -i 's/"startup_bytes": [0-9]*/"startup_bytes": 200000000000000/' lab/vhd/vhd.json
expect_status 5 v2v vm start --host lab vhd
[[ $out == *"QEMU does not start 'vhd': "* ]] || fail "reason: $out"
