#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest.sh FOLDER ROUNDS ROWS JSON: v2v convert with guest conversion against
# virt-v2v -i ova, on the same two real guests in the same run:
#
#   guest-kept     Debian 12 as it is installed: its initramfs holds what is
#                  needed; ours shall take at most a quarter of the time
#   guest-rebuilt  MODULES=dep: an initramfs must be rebuilt; at most half
#   guest-deleted  1 GiB of files was deleted: how much smaller the output is
#
# The table says where each spends its time.  virt-v2v's is read from its own
# log, ours from report.json.  Ours writes digests, as it does by default.
# Called by bench.sh; needs root (the guests are made by debootstrap),
# virt-v2v and ten minutes for each run of it where there is no KVM.
set -e
LC_ALL=C; export LC_ALL
LIBGUESTFS_BACKEND=direct; export LIBGUESTFS_BACKEND
: "${LIBGUESTFS_BACKEND_SETTINGS=force_tcg}"; export LIBGUESTFS_BACKEND_SETTINGS

dir=$1/guest rounds=$2 rows=$3 json=$4
v2v=${V2V:-$abs_top_builddir/run $abs_top_builddir/convert/v2v}
measure=$abs_top_builddir/tests/bench/measure
: "${V2V_CACHE:=$abs_top_builddir/guests-cache}"; export V2V_CACHE
results=$dir/results

say () { printf '%s\n' "$*" >&2; }
die () { say "bench: $*"; exit 1; }

skip=
virt-v2v --version >/dev/null 2>&1 || skip="virt-v2v is not installed"
[ "$(id -u)" = 0 ] || skip="not root"
debootstrap --version >/dev/null 2>&1 || skip="debootstrap is not installed"
if [ -n "$skip" ]; then
    say "SKIP guest: $skip"
    exit 0
fi
mkdir -p "$dir"
: >"$results"

# ---- where virt-v2v's time goes ----

# Its progress lines "[ 12.3] Inspecting the source" begin a step; the log of
# the appliance (-v -x) names the command of the initramfs and how long it took.
steps_of_virt_v2v () { # PROGRESS LOG WALL
    awk -v wall="$3" '
        function name(t) {
            if (t ~ /^Setting up the source/) return "source"
            if (t ~ /^Opening/) return "start"
            if (t ~ /^(Inspecting|Checking|Detecting)/) return "inspection"
            if (t ~ /^Converting/) return "changes"
            if (t ~ /^Mapping/) return "trim"
            if (t ~ /^(Copying|Setting up the destination)/) return "copy"
            return "end"
        }
        FNR == NR {
            if (match($0, /^\[ *[0-9.]+\]/)) {
                t = substr($0, 2, RLENGTH - 2) + 0
                if (at != "") sum[at] += t - since
                at = name(substr($0, RLENGTH + 2)); since = t
            }
            next
        }
        /trace: .*(update-initramfs|dracut|mkinitrd)/ &&
            !/ = / && !/is_file|exists/ { pending = 1 }
        pending && /=> (command|sh)[a-z_]* .* took [0-9.]+ secs/ {
            s = $0; sub(/.* took /, "", s); initramfs += s + 0; pending = 0
        }
        END {
            if (at != "") sum[at] += wall - since
            sum["changes"] -= initramfs
            sum["initramfs"] = initramfs
            for (k in sum) print k, sum[k]
        }' "$1" "$2"
}

# Ours: the steps of the guest stage and the commands run in it, from the
# report; the rest is reading the source, copying and digests.
steps_of_ours () { # REPORT WALL
    jq -r --argjson wall "$2" '
        ([.guest.steps[] | {(.name): .seconds}] | add) as $s |
        ([.guest.changes[] | select(.kind == "command") |
          select(.path | test("initramfs|dracut|mkinitrd|mkinitcpio")) |
          .seconds] | add // 0) as $initramfs |
        "start \($s.start)", "inspection \($s.inspection)",
        "changes \($s.changes - $initramfs)", "initramfs \($initramfs)",
        "trim \($s.trim)",
        "copy \($wall - ([$s[]] | add))"' "$1"
}

# ---- one run ----

guest_of () {
    case $1 in
        guest-kept) build --suite bookworm ;;
        guest-rebuilt) build --suite bookworm --modules dep ;;
        guest-deleted) build --suite bookworm --deleted 1024 ;;
    esac
}
build () { "$abs_top_srcdir/tests/guests/build-debian.sh" "$@"; }

run () { # ROW VARIANT OVA
    local out=$dir/out numbers wall report
    rm -rf "$out"
    mkdir -p "$out"
    cat "$3" >/dev/null
    sync
    case $2 in
        ours)
            # shellcheck disable=SC2086
            numbers=$("$measure" -s "$out" $v2v convert --progress none \
                          -o "$out" "$3" 2>"$dir/ours.log") ||
                { cat "$dir/ours.log" >&2; die "$1: v2v convert failed"; } ;;
        virt-v2v)
            numbers=$("$measure" -s "$out" sh -c '
                virt-v2v -v -x -i ova "$1" -o local -os "$2" -of raw \
                    >"$3.out" 2>"$3.log" && sync "$2"/*' \
                sh "$3" "$out" "$dir/virt") ||
                { tail -n 20 "$dir/virt.log" >&2; die "$1: virt-v2v failed"; }
            ;;
    esac
    wall=${numbers%% *}
    say "$1 $2 $numbers"
    echo "$1 $2 wall $wall" >>"$results"
    case $2 in
        ours)
            report=$(echo "$out"/*/report.json)
            steps_of_ours "$report" "$wall" ;;
        virt-v2v) steps_of_virt_v2v "$dir/virt.out" "$dir/virt.log" "$wall" ;;
    esac | sed "s/^/$1 $2 /" >>"$results"
    rm -rf "$out"
}

speed () { # ROW
    local ova r
    # shellcheck disable=SC2254
    case $1 in $rows) ;; *) return 0 ;; esac
    ova=$(guest_of "$1")
    for r in $(seq "$rounds"); do
        if [ $((r % 2)) = 1 ]; then
            run "$1" ours "$ova"
            run "$1" virt-v2v "$ova"
        else
            run "$1" virt-v2v "$ova"
            run "$1" ours "$ova"
        fi
    done
}

# Deleted files are not copied: output with the guest stage and without.
shrinks () {
    local ova how flags
    # shellcheck disable=SC2254,SC2194
    case guest-deleted in $rows) ;; *) return 0 ;; esac
    ova=$(guest_of guest-deleted)
    for how in ours no-guest; do
        flags=
        [ $how = ours ] || flags=--no-guest
        rm -rf "$dir/out"
        mkdir -p "$dir/out"
        # shellcheck disable=SC2086
        $v2v convert --progress none --no-digest $flags -o "$dir/out" "$ova" \
            >"$dir/ours.log" 2>&1 ||
            { cat "$dir/ours.log" >&2; die "guest-deleted: v2v convert"; }
        echo "guest-deleted $how bytes $(stat -c %s "$dir"/out/*/*.vhdx)" \
            >>"$results"
        rm -rf "$dir/out"
    done
}

speed guest-kept
speed guest-rebuilt
shrinks
[ -s "$results" ] || exit 0
awk -v json="$json" -f "$abs_top_srcdir/tests/bench/guest.awk" "$results"
