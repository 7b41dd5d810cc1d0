#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mutate.sh BUILD-FOLDER [NUMBER...]
#
# Are the tests awake?  Break one bound after the other in a copy of the
# sources, build, and run the test program that should notice: a mutation that
# no test sees is a failure.  Prints "PASS: ..." for each one that was noticed.
# The door to it is "make check-mutations"; a mutation takes half a minute.
set -u
LC_ALL=C
export LC_ALL
src=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: mutate.sh BUILD-FOLDER [NUMBER...]}
shift
mkdir -p "$build"
build=$(cd "$build" && pwd)

# FILE | TEST PROGRAM | WHAT | PERL SUBSTITUTION (must change the file)
mutations=(
'formats/core/bytes.h|test-bytes|range check lets one byte more in|s/len <= size - offset/len <= size - offset + 1/'
'formats/core/io-file.c|test-io|a path in a name from a file is accepted|s/strchr \(name, .\/.\) != NULL \|\| //'
'formats/vmdk-sparse.c|test-vmdk-refuse|capacity may pass 64 TiB|s/h->capacity > VMDK_MAX_DISK_BYTES/h->capacity \/ 2 > VMDK_MAX_DISK_BYTES/'
'formats/vmdk-grains.c|test-vmdk-refuse|a grain may lie past the end|s/!v2v_range_inside \(at, len, file_size\)/!v2v_range_inside (at, len, file_size + 65536)/'
'formats/vmdk-stream.c|test-vmdk-refuse|the LBA of a record is not compared|s/v2v_le64 \(record \+ VMDK_M_VAL\) != lba/0/'
'formats/vhd.c|test-vhd|a block may end past the data|s/vhd_block_len \(h, i\),\s+h->data_end/vhd_block_len (h, i), h->data_end + 512/'
'formats/vhd.c|test-vhd|blocks may overlap by a sector|s/sorted\[i - 1\] < stride/sorted[i - 1] < stride - 1/'
'formats/vhdx-log.c|test-vhdx-log|the log may write over the headers|s/r\.offset < VHDX_LOG_FIRST_TARGET/r.offset < 4096/'
'formats/vhdx-log.c|test-vhdx-log|a truncated file is not noticed|s/e->flushed_offset > v2v_io_size \(a->h->file\)/0/'
'formats/vhdx-bat.c|test-vhdx-refuse|reserved bits of the BAT are ignored|s/VHDX_BAT_RESERVED \(entry\) != 0\)\n    return/0)\n    return/'
'formats/nbd.c|test-nbd|a piece may pass the largest request when rounded|s/h->max_request - offset % h->max_request/h->max_request/'
'formats/nbd.c|test-nbd|a sector of two kinds is taken for the second|s/\(start \| \(SECTOR - 1\)\) \+ 1/start/'
'formats/nbd.c|test-nbd|a hole is taken for zeros|s/flags & LIBNBD_STATE_ZERO \?/flags ?/'
'formats/nbd.c|test-nbd|what lies below the top layer counts as changed|s/depth != 1\)/depth == 0)/'
'formats/qcow2.c|test-qcow2|an extension may end past its cluster|s/len > end - offset - 8/len > end - offset/'
'formats/qcow2.c|test-qcow2|a backing file without a name is let in|s/h->has_backing = offset != 0/h->has_backing = offset > 512/'
'formats/ovf-units.c|test-ovf|an exponent may overflow|s/!v2v_mul_u64 \(v, base, &v\)/(v *= base, 0)/'
'formats/tar.c|test-tar|".." in the name of a member is accepted|s/n == 2 && p\[0\] == .\.. && p\[1\] == .\../0/'
'formats/powershell-check.c|test-powershell|U+201B does not count as a quote|s/u\[2\] <= 0x9b/u[2] <= 0x9a/'
)

clone=$build/src
if [ ! -d "$clone" ]; then
    git clone -q "$src" "$clone" || exit 1
fi
git -C "$clone" fetch -q "$src" HEAD && git -C "$clone" checkout -qf FETCH_HEAD || exit 1
(cd "$clone" && { [ -e Makefile ] || { autoreconf -fi && ./configure --disable-shared; }; } &&
    make -j"$(nproc)") >"$build/build.log" 2>&1 || {
    tail -20 "$build/build.log"; echo "FAIL: build"; exit 1; }

failed=0 number=0
for m in "${mutations[@]}"; do
    IFS='|' read -r file program what change <<<"${m}"
    number=$((number + 1))
    [ $# -eq 0 ] || [[ " $* " == *" $number "* ]] || continue
    cd "$clone" || exit 1
    perl -0pi -e "$change" "$file"
    if git diff --quiet -- "$file"; then
        echo "FAIL: $number $file: $what (the source has changed: update the mutation)"
        failed=1
        continue
    fi
    if ! make -j"$(nproc)" -C formats >"$build/$number.log" 2>&1 ||
           ! { make -C inject && make -C library && make -C convert libconvert.la &&
               make -C tests/unit libtest.la "$program"; } >>"$build/$number.log" 2>&1; then
        echo "FAIL: $number $file: $what (does not build, see $build/$number.log)"
        failed=1
    elif (cd tests/unit && timeout 300 ./"$program") >>"$build/$number.log" 2>&1; then
        echo "FAIL: $number $file: $what: $program did not notice"
        failed=1
    else
        echo "PASS: $number $file: $what: $program noticed"
    fi
    git checkout -q -- "$file"
done
exit $failed
