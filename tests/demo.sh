#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/demo.sh [OVA [v2v convert's OPTION...]]
#
# The whole way on a fresh Debian 12: install what is missing, build, make a
# small real machine as VMware would export it, convert it to Hyper-V, show
# what came out.  With your own OVA (or OVF, or VMX) that one is converted.
# The result lies in ./converted; run it again, and nothing is built twice.
set -eu
set -o pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
out=${V2V_DEMO_OUTPUT:-$PWD/converted}
build=${V2V_BUILD:-$top/build}/plain
source=
if [ $# -gt 0 ]; then
    case $1 in
        -h|--help) sed -n '3,/^set -eu/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit ;;
    esac
    source=$(realpath -e -- "$1")
    shift
fi

step () { printf '\n== %s\n' "$*"; }

step "packages"
"$top/tests/packages.sh" sample

step "build (log: $build.log)"
mkdir -p "$build"
{
    "$top/tests/configure-in.sh" "$build" --enable-werror &&
        make -C "$build" -j"$(nproc)"
} >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }

if [ -z "$source" ]; then
    step "a machine to convert: a small Debian, as an OVA"
    source=$("$top/tests/guests/build-debian.sh")
    echo "$source"
fi

step "v2v convert $source -o $out"
start=$SECONDS
mkdir -p "$out"
"$build/run" v2v convert "$source" -o "$out" "$@"

step "what it made, in $((SECONDS - start)) seconds"
# The newest folder: names that are taken are numbered.
made=$(find "$out" -mindepth 1 -maxdepth 1 -type d ! -name '.*' \
            -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
ls -l "$made"
for disk in "$made"/*.vhdx "$made"/*.vhd; do
    [ -e "$disk" ] || continue
    step "v2v info, v2v check: ${disk##*/}"
    "$build/run" v2v info "$disk"
    "$build/run" v2v check "$disk"
done
if [ -e "$made/report.txt" ]; then
    step "report.txt"
    cat "$made/report.txt"
fi
cat <<END

Copy $made to the Hyper-V host and run the script New-*.ps1 there:
  powershell -ExecutionPolicy Bypass -File New-NAME.ps1 -WhatIf
END
