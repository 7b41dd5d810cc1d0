#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mistakes in the plugin's parameters end nbdkit at once, with a sentence.
. "$abs_top_srcdir/tests/functions.sh"
requires_plugin
workdir
truncate -s 1M disk.raw
head -c 4096 /dev/urandom >noise

refuses () { # TEXT PARAMETER...
    local text=$1
    shift
    expect_status 1 nbdkit -U - "$V2V_NBDKIT_PLUGIN" "$@" --run 'exit 0'
    case $out in *"$text"*) ;; *) fail "'$text' is not in: $out" ;; esac
}
refuses 'file=PATH'
refuses 'given twice' disk.raw file=disk.raw
refuses "no format is called 'vmkd'" disk.raw format=vmkd
refuses "unknown parameter 'colour'" disk.raw colour=red
refuses 'No such file' missing.vmdk
refuses 'not a disk image of a known format' noise
refuses 'for files' nbd://localhost offset=1
refuses 'past the end' disk.raw offset=1M size=1 format=raw
refuses 'belong together' package=m.ova
refuses 'belong together' disk=one.vmdk
refuses 'belong together' disk.raw package=m.ova disk=one.vmdk
