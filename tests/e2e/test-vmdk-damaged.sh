#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One damaged VMDK for each check of the reader: each is refused with its own
# sentence and status, and leaves no output.
. "$abs_top_srcdir/tests/functions.sh"
mkvmdk=$abs_top_builddir/tests/gen/mkvmdk
requires test -x "$mkvmdk"
workdir

truncate -s $((1024 * 1024 + 512)) disk.raw
head -c 300000 /dev/urandom | dd of=disk.raw conv=notrunc status=none

while IFS='|' read -r damage kinds status text; do
    [ -n "$damage" ] || continue
    for kind in $kinds; do
        "$mkvmdk" --damage "$damage" "${kind%-pipe}" disk.raw bad.vmdk
        case $kind in
            *-pipe)
                expect_status "$status" \
                    sh -c 'cat bad.vmdk | v2v copy --no-digest - out.raw' ;;
            *)
                expect_status "$status" v2v copy --no-digest bad.vmdk out.raw ;;
        esac
        case $out in
            *"$text"*) ;;
            *) fail "$damage $kind: expected '$text', got: $out" ;;
        esac
        [ ! -e out.raw ] && [ ! -e out.raw.part ] ||
            fail "$damage $kind: an output file is left"
    done
done <<'TABLE'
magic|stream sparse|4|not a disk image of a known format
version|stream sparse stream-pipe|4|version 4
grain-size|stream sparse stream-pipe|3|grain of 100 sectors
grain-size-huge|stream sparse stream-pipe|3|grain of 1099511627776 sectors
num-gtes|stream sparse stream-pipe|3|0 entries in a grain table
capacity|stream sparse stream-pipe|3|capacity of 2305843009213693952
newlines|stream sparse stream-pipe|3|newline bytes
algorithm|stream sparse stream-pipe|4|compression algorithm 7
unknown-flag|stream sparse stream-pipe|4|unknown features
gd-past-end|stream sesparse|3|past the end
gd-past-end|cowd|3|grain directory at sector 2147483392
gt-past-end|stream sparse|3|entry 0 points at sector
grain-past-end|stream stream-front|3|points at sector
grain-in-header|stream sparse|3|inside the metadata
gte-one|stream sparse|3|inside the metadata
overlap|sparse|3|belongs to another grain
no-eos|stream stream-pipe|3|end-of-stream
footer-gd|stream|3|footer
footer-capacity|stream|3|footer: capacity
lba-repeated|stream-pipe|3|comes a second time
lba-past-end|stream|3|marked as sector 2304
lba-past-end|stream-pipe|3|grain at sector 2304
lba-unaligned|stream|3|marked as sector 513
lba-unaligned|stream-pipe|3|expected a multiple of 128
bad-zlib|stream stream-pipe|3|corrupt
long-grain|stream stream-pipe|3|expands beyond 65536
compressed-huge|stream stream-pipe|3|2147483647 compressed bytes
extent-path|cowd sesparse flat|3|has a path, expected a plain file name
extent-self|cowd sesparse|3|expected 512
extent-sectors|cowd flat sparse|3|extent of '4611686018427387904' sectors
truncated|stream stream-pipe stream-front-pipe|3|truncated
truncated|sparse cowd sesparse|3|past the end
encrypted|sparse flat|4|encrypted
se-version|sesparse|3|version is 0x100000001
se-replay|sesparse|4|journal must be replayed
se-gde|sesparse|3|entry 0 is 0x2000000000000000
se-type|sesparse|3|which means nothing
se-grain|sesparse|3|past the end
TABLE
