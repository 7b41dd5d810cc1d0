#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# deploy.sh FOLDER ROUNDS ROWS JSON: machines out of a template, in the same
# run as what they are measured by.
#
#   deploy-100      100 machines of one template, by differencing disks and with
#                   a seed each, against creating and syncing the same number of
#                   empty files: at most three times; less than 1 MiB of blocks
#                   for each machine
#   deploy-reflink  one machine whose disk of BENCH_REFLINK GiB (16) is copied,
#                   on XFS, against cp --reflink=always and sync: at most five
#                   times; needs root
#
# Called by bench.sh.
set -e
set -o pipefail
LC_ALL=C; export LC_ALL

dir=$1/deploy rounds=$2 rows=$3 json=$4
# The program itself, see library.sh.
v2v=${V2V:-$abs_top_builddir/convert/.libs/v2v}
[ -x "${v2v%% *}" ] || v2v=$abs_top_builddir/convert/v2v
LD_LIBRARY_PATH=$abs_top_builddir/convert/.libs:$LD_LIBRARY_PATH
export LD_LIBRARY_PATH
measure=$abs_top_builddir/tests/bench/measure
floor=$abs_top_builddir/tests/bench/floor
results=$dir/results
gib=${BENCH_REFLINK:-16}
mnt=

say () { printf '%s\n' "$*" >&2; }
die () { say "bench: $*"; exit 1; }
finish () { [ -z "$mnt" ] || umount "$mnt" 2>/dev/null || true; }
trap finish EXIT
wants () {
    # shellcheck disable=SC2254
    case $1 in $rows) return 0 ;; *) return 1 ;; esac
}
# one ROW VARIANT SYNC COMMAND...: a line of results.
one () {
    local row=$1 variant=$2 synced=$3 numbers
    shift 3
    sync
    numbers=$("$measure" -s "$synced" "$@" 2>"$dir/log") || {
        cat "$dir/log" >&2
        die "$row: $variant failed"
    }
    # What a command prints comes before the numbers.
    echo "$row $variant ${numbers##*$'\n'}" >>"$results"
    say "$row $variant ${numbers##*$'\n'}"
}
# library FOLDER DISK: with a template "web" of it.
library () {
    export V2V_LIBRARY=$1/lib XDG_CONFIG_HOME=$1/config
    cat >"$dir/guest.json" <<'END'
{ "network": [ { "mac": "00:15:5d:00:00:01", "addresses": [ "192.0.2.1/24" ] } ],
  "linux": { "users": [ { "name": "admin" } ] } }
END
    {
        $v2v library init "$1/lib"
        $v2v library import --name base --os debian12-64 "$2"
        $v2v profile import --library "$1/lib" --name guest "$dir/guest.json"
        $v2v template create --library "$1/lib" --name web --disk base \
            --guest-os guest --computer-name 'web-###' --set generalized=true \
            --set 'settings[address].field=guest-os.network[0].addresses'
    } >&2 || die "no library"
}

mkdir -p "$dir"
: >"$results"

if wants deploy-100; then
    head -c 64M /dev/urandom >"$dir/base.raw"
    truncate -s 20G "$dir/base.raw"
    $v2v copy "$dir/base.raw" "$dir/base.vhdx" >&2
    library "$dir" "$dir/base.vhdx"
    for _ in $(seq "$rounds"); do
        rm -rf "$dir/out" "$dir/empty"
        one deploy-100 floor "$dir/empty" "$floor" files 100 7 "$dir/empty"
        one deploy-100 ours "$dir/out" $v2v vm create --template web -o "$dir/out" \
            --count 100 --set 'address=192.0.2.@ORDINAL@/24'
        [ "$(find "$dir/out" -type f | wc -l)" = 700 ] || die "not 700 files"
        echo "deploy-100 kib $(du -sk "$dir/out" | cut -f1)" >>"$results"
        # shellcheck disable=SC2046
        $v2v vm rm $(cd "$dir/out" && echo *) >/dev/null
    done
fi

if wants deploy-reflink && [ "$gib" != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v mkfs.xfs >/dev/null; then
        say "SKIP deploy-reflink: needs root and mkfs.xfs"
    else
        truncate -s $((gib * 2 + 2))G "$dir/xfs.img"
        mkfs.xfs -q -m reflink=1 "$dir/xfs.img"
        mkdir -p "$dir/xfs"
        if mount -o loop "$dir/xfs.img" "$dir/xfs" 2>/dev/null; then
            mnt=$dir/xfs
            # Zeros that were written are data as any other to the file system.
            dd if=/dev/zero of="$mnt/base.raw" bs=1M count=$((gib * 1024)) \
                conv=fsync status=none
            $v2v copy --no-digest "$mnt/base.raw" "$mnt/base.vhdx" >&2
            library "$mnt" "$mnt/base.vhdx"
            $v2v template create --library "$mnt/lib" --name whole --from web \
                --set 'disks[0].storage=copy' >&2
            base=$(echo "$mnt"/lib/share/disk/*)
            for _ in $(seq "$rounds"); do
                rm -rf "$mnt/copy" "$mnt/out"
                one deploy-reflink cp "$mnt/copy" cp --reflink=always "$base" "$mnt/copy"
                one deploy-reflink ours "$mnt/out" $v2v vm create --template whole \
                    -o "$mnt/out" --set address=192.0.2.1/24
                used=$(df --output=used -B1M "$mnt" | tail -1)
                [ "$used" -lt $((gib * 1024 * 3 / 2)) ] || die "blocks are not shared"
                $v2v vm rm web-001 >/dev/null
            done
            umount "$mnt"
            mnt=
        else
            say "SKIP deploy-reflink: no loop mounts here"
        fi
    fi
fi

awk -v json="$json" -f "$abs_top_srcdir/tests/bench/deploy.awk" "$results"
rm -rf "$dir"
