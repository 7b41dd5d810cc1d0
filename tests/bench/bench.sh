#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# make bench: the copy engine against qemu-img convert and against a floor.
#
# For each path the tools run in turn, round after round, in rotating order,
# all ending in a synced file; medians are compared, and the fastest of
# qemu-img's options counts.  Contents are compared before anything is timed.
#
#   BENCH_DIR      where the files go (a real disk; 20 GiB free)   ./bench.tmp
#   BENCH_GUEST    a raw disk to use instead of the one made here
#   BENCH_SIZE     MiB of data in the disk made here                      2048
#   BENCH_ROUNDS   rounds per path                                           5
#   BENCH_REFLINK  GiB of the disk for shared blocks; 0 leaves it out       16
#   BENCH_GUEST_ROUNDS  rounds of v2v convert against virt-v2v on real guests
#                  (rows guest-*, see guest.sh); 0 leaves them out          1
#   BENCH_LIBRARY_ROUNDS  rounds of the rows library-*, see library.sh; 0
#                  leaves them out                                          5
#   BENCH_DEPLOY_ROUNDS  rounds of the rows deploy-*, see deploy.sh; 0 leaves
#                  them out                                                 5
#   BENCH_ROWS     only the rows whose name matches this pattern             *
#   BENCH_SECONDS  no new round begins after so long                      3000
#   BENCH_STRICT   1: a bar that is missed makes the exit status 1           0
# shellcheck disable=SC2154  # abs_top_* come from the Makefile
set -e
LC_ALL=C; export LC_ALL

here=$abs_top_builddir/tests/bench
v2v=${V2V:-$abs_top_builddir/run $abs_top_builddir/convert/v2v}
dir=${BENCH_DIR:-$PWD/bench.tmp}
data=${BENCH_SIZE:-2048}
rounds=${BENCH_ROUNDS:-5}
json=${BENCH_JSON:-$PWD/bench.json}
rows=${BENCH_ROWS:-*}
deadline=$(( $(date +%s) + ${BENCH_SECONDS:-3000} ))
mnt=

say () { printf '%s\n' "$*" >&2; }
die () { say "bench: $*"; exit 1; }
finish () {
    [ -z "$mnt" ] || umount "$mnt" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

qemu-img --version >/dev/null 2>&1 || die "qemu-img is not here"
mkdir -p "$dir"
results=$dir/results
: > "$results"

# ---- real guests, against virt-v2v ----

guest_rows () {
    [ "${BENCH_GUEST_ROUNDS:-1}" != 0 ] || return 0
    bash "$abs_top_srcdir/tests/bench/guest.sh" "$dir" \
        "${BENCH_GUEST_ROUNDS:-1}" "$rows" "${json%.json}-guest.json" \
        > "$dir/guest-table" || die "the rows guest-* failed"
    tee -a "$dir/table" < "$dir/guest-table"
}
library_rows () {
    [ "${BENCH_LIBRARY_ROUNDS:-5}" != 0 ] || return 0
    bash "$abs_top_srcdir/tests/bench/library.sh" "$dir" \
        "${BENCH_LIBRARY_ROUNDS:-5}" "$rows" "${json%.json}-library.json" \
        > "$dir/library-table" || die "the rows library-* failed"
    tee -a "$dir/table" < "$dir/library-table"
}
deploy_rows () {
    [ "${BENCH_DEPLOY_ROUNDS:-5}" != 0 ] || return 0
    bash "$abs_top_srcdir/tests/bench/deploy.sh" "$dir" \
        "${BENCH_DEPLOY_ROUNDS:-5}" "$rows" "${json%.json}-deploy.json" \
        > "$dir/deploy-table" || die "the rows deploy-* failed"
    tee -a "$dir/table" < "$dir/deploy-table"
}
strict () {
    if grep -q MISSED "$dir/table" && [ "$BENCH_STRICT" = 1 ]; then exit 1; fi
}
case $rows in
    guest*) guest_rows; strict; exit 0 ;;
    library*) library_rows; strict; exit 0 ;;
    deploy*) deploy_rows; strict; exit 0 ;;
esac

# ---- the guest and its copies ----

guest=$dir/guest.raw
if [ -n "$BENCH_GUEST" ]; then
    ln -sf "$(realpath "$BENCH_GUEST")" "$guest"
else
    say "making a disk with $data MiB of data"
    "$here/mkdisk" "$guest" $((data * 4)) "$data" /usr/bin /usr/lib \
        /usr/share /usr/sbin
fi
vmdk () { # NAME SUBFORMAT
    say "making $1"
    qemu-img convert -f raw -O vmdk -o subformat="$2" "$guest" "$dir/$1.vmdk"
}
vmdk stream streamOptimized
vmdk sparse monolithicSparse
vmdk split twoGbMaxExtentSparse
vmdk flat monolithicFlat
size_mib=$(( $(stat -Lc %s "$guest") / 1048576 ))
data_mib=$(( $(stat -Lc %b "$guest") / 2048 ))
# Memory to touch before each run: what the run will need, within reason.
warm=$(awk -v d="$data_mib" '/MemAvailable/ { m = $2 / 1024 / 2
    print int (d + 512 < m ? d + 512 : m) }' /proc/meminfo)

# ---- running ----

input_files () { # NAME: all files of the source
    ls "$dir/$1".vmdk "$dir/$1"-*.vmdk 2>/dev/null || true
}

# one ROW VARIANT OUTPUT COMMAND...: a measured run
one () {
    local row=$1 variant=$2 out=$3 numbers drop=() f
    shift 3
    rm -f "$out" "$out".*
    if [ "${row##*-}" = cold ]; then
        for f in $(input_files "${row%%-*}"); do drop+=(-c "$f"); done
    else
        for f in $(input_files "${row%%-*}"); do cat "$f" > /dev/null; done
    fi
    sync
    numbers=$("$here/measure" -w "$warm" "${drop[@]}" -s "$out" "$@") ||
        die "$row: $variant failed"
    printf '%s %s %s %s\n' "$row" "$variant" "$numbers" \
        "$(stat -c '%s %b' "$out")" >> "$results"
    say "$row $variant $numbers"
}

# Commands by name: cmd VARIANT SOURCE FORMAT OUTPUT
cmd () {
    local in=$dir/$2.vmdk
    case $1 in
        qemu) echo "qemu-img convert -O $3 $in $4" ;;
        qemu-W) echo "qemu-img convert -W -m 16 -O $3 $in $4" ;;
        qemu-none) echo "qemu-img convert -t none -O $3 $in $4" ;;
        ours) echo "$v2v copy --no-digest --no-space-check" \
                   "--output-format ${3/vpc/vhd} $in $4" ;;
        ours-digest) echo "$v2v copy --digest --no-space-check" \
                   "--output-format ${3/vpc/vhd} $in $4" ;;
        floor) if [ "$2" = stream ]; then echo "$here/floor stream $in $4"
               else echo "$here/floor flat $guest $4"; fi ;;
    esac
}

row () { # ROW SOURCE FORMAT VARIANT...
    local name=$1 source=$2 format=$3 r i n variants
    shift 3
    # shellcheck disable=SC2254
    case $name in $rows) ;; *) return 0 ;; esac
    variants=("$@")
    n=${#variants[@]}
    rm -f "$dir/out"*
    # Right before fast.  The words of a command are to be split.
    # shellcheck disable=SC2046,SC2091
    $(cmd ours "$source" "$format" "$dir/out") >&2
    qemu-img compare -f "$format" -F raw "$dir/out" "$guest" >&2 ||
        die "$name: contents differ"
    for r in $(seq "$rounds"); do
        [ "$(date +%s)" -lt "$deadline" ] || { say "time is up"; return 0; }
        for i in $(seq 0 $((n - 1))); do
            i=$(( (i + r) % n ))
            # shellcheck disable=SC2046
            one "$name" "${variants[$i]}" "$dir/out" \
                $(cmd "${variants[$i]}" "$source" "$format" "$dir/out")
        done
    done
    rm -f "$dir/out"*
}

all="qemu qemu-W qemu-none ours ours-digest floor"
# shellcheck disable=SC2086
{
    row stream-vhdx stream vhdx $all
    row stream-vhdx-cold stream vhdx $all
    row stream-vhd stream vpc $all
    row sparse-vhdx sparse vhdx $all
    row split-vhdx split vhdx $all
    row sparse-vhd sparse vpc $all
    row flat-vhdx flat vhdx $all
}

# ---- shared blocks ----

same () { # FORMAT FILE RAW
    local format=$1
    [ "$format" != vhd ] || format=vpc
    qemu-img compare -f "$format" -F raw "$2" "$3" >&2 ||
        die "$1: contents differ"
}

reflink () {
    local gib=$1 r used0 used1 flat fixed
    # shellcheck disable=SC2254,SC2194
    case reflink-vhdx in $rows) ;; *) return 0 ;; esac
    if [ "$gib" = 0 ] || [ "$(id -u)" != 0 ] ||
       ! command -v mkfs.xfs >/dev/null; then
        say "SKIP reflink: needs root and mkfs.xfs"
        return 0
    fi
    truncate -s $((gib * 5 / 2 + 2))G "$dir/xfs.img"
    mkfs.xfs -q -m reflink=1 "$dir/xfs.img"
    mkdir -p "$dir/xfs"
    if ! mount -o loop "$dir/xfs.img" "$dir/xfs" 2>/dev/null; then
        say "SKIP reflink: no loop mounts here"
        return 0
    fi
    mnt=$dir/xfs
    qemu-img create -q -f vmdk -o subformat=monolithicFlat \
        "$mnt/big.vmdk" "${gib}G"
    flat=$mnt/big-flat.vmdk
    # Data all over: the stream, again and again.
    while :; do cat "$dir/stream.vmdk"; done 2>/dev/null |
        head -c $((gib * 1073741824)) | dd of="$flat" bs=1M iflag=fullblock \
        conv=notrunc,fsync status=none
    for r in $(seq "$rounds"); do
        [ "$(date +%s)" -lt "$deadline" ] || break
        one reflink-vhdx cp "$mnt/out" cp --reflink=never "$flat" "$mnt/out"
        rm -f "$mnt/out"
        for fixed in vhdx vhd; do
            sync
            used0=$(df --output=used -B1M "$mnt" | tail -1)
            # shellcheck disable=SC2086
            one "reflink-$fixed" ours "$mnt/out" $v2v copy --no-digest \
                --no-space-check --output-format "$fixed" --subformat fixed \
                "$mnt/big.vmdk" "$mnt/out"
            used1=$(df --output=used -B1M "$mnt" | tail -1)
            say "reflink-$fixed: the file system's use grew by" \
                "$((used1 - used0)) MiB for $((gib * 1024)) MiB"
            [ $((used1 - used0)) -lt $((gib * 32 + 64)) ] ||
                die "blocks are not shared"
            [ "$r" != 1 ] || same "$fixed" "$mnt/out" "$flat"
            rm -f "$mnt/out"
        done
    done
    umount "$mnt"
    mnt=
}
reflink "${BENCH_REFLINK:-16}"

# ---- the verdict ----

awk -v json="$json" -v size="$size_mib" -v data="$data_mib" \
    -v rounds="$rounds" -v cpus="$(nproc)" -f "$abs_top_srcdir/tests/bench/report.awk" \
    "$results" | tee "$dir/table"
library_rows
deploy_rows
guest_rows
strict
