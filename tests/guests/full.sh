#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# make check-guest-full: the whole product of suites, firmware, storages,
# network systems and initramfs builders, each guest built, converted, started
# and converted again.  Hundreds of guests, minutes each: run by hand.
#
#   V2V_FULL_MATCH=PATTERN   only combinations whose words match, for instance
#                            'trixie *' or '* luks *' (a shell pattern)
#   V2V_FULL_RESULTS=FILE    a line for each (default: full-results.txt here);
#                            what passed there is not run again
#   V2V_FULL_KEEP=1          keep the guests made (gigabytes each)
#
# With --list the combinations are printed and nothing is run.
set -u
results=${V2V_FULL_RESULTS-full-results.txt}
pattern=${V2V_FULL_MATCH-*}

combinations () {
    local suite firmware storage network initramfs modules
    for suite in bullseye bookworm trixie; do
        for firmware in bios uefi; do
            for storage in ext4 lvm btrfs luks; do
                for network in ifupdown networkmanager netplan networkd; do
                    for initramfs in initramfs-tools dracut; do
                        for modules in most dep; do
                            echo "$suite $firmware $storage $network" \
                                 "$initramfs $modules"
                        done
                    done
                done
            done
        done
    done
}

# What is between the product's values goes round, so that each of them meets
# most of the others.
extras () { # NUMBER FIRMWARE
    local controllers=(pvscsi lsilogic sata nvme)
    echo "--controller ${controllers[$(($1 % 4))]}"
    [ $(($1 % 3)) != 0 ] || echo "--names device"
    [ "$2" = bios ] || echo "--fallback no"
}

one () { # NUMBER SUITE FIRMWARE STORAGE NETWORK INITRAMFS MODULES
    local how=kept
    [ "$7" = most ] || how=rebuilt
    # shellcheck disable=SC2046
    timeout --kill-after=30 2400 bash -c '
        . "$abs_top_srcdir/tests/functions.sh"
        . "$abs_top_srcdir/tests/guests/guest-functions.sh"
        . "$abs_top_srcdir/tests/guests/prove-guest.sh"
        prove "$@"' prove --initramfs-by "$how" --suite "$2" --firmware "$3" \
        --storage "$4" --network "$5" --initramfs "$6" --modules "$7" \
        $(extras "$1" "$3")
}

if [ "${1-}" = --list ]; then
    combinations
    exit
fi
: "${V2V_CACHE:=$abs_top_builddir/guests-cache}"
export V2V_CACHE
touch "$results"
number=0 failed=0
while read -r suite firmware storage network initramfs modules; do
    words="$suite $firmware $storage $network $initramfs $modules"
    number=$((number + 1))
    # shellcheck disable=SC2254
    case $words in $pattern) ;; *) continue ;; esac
    ! grep -q "^PASS $words " "$results" || continue
    start=$SECONDS
    log=full-$number.log
    if one $number "$suite" "$firmware" "$storage" "$network" "$initramfs" \
           "$modules" >"$log" 2>&1 </dev/null; then
        outcome=PASS
        rm "$log"
    else
        outcome=FAIL
        failed=$((failed + 1))
    fi
    echo "$outcome $words ($((SECONDS - start)) s)" | tee -a "$results"
    [ "${V2V_FULL_KEEP-0}" = 1 ] ||
        rm -rf "$V2V_CACHE/debian-$suite-$firmware-"*
done < <(combinations)
[ $failed = 0 ]
