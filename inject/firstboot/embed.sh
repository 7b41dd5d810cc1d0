#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# embed.sh ARCH=FILE...: the programs as C data on standard output, with their
# SHA-256.  ARCH is as libguestfs names it.
set -eu
echo '/* Made by embed.sh; not to be edited. */'
echo '#include <config.h>'
echo '#include "inject/firstboot/programs.h"'
for a in "$@"; do
    arch=${a%%=*} file=${a#*=}
    echo "static const unsigned char program_${arch}[] = {"
    od -An -v -tu1 "$file" | sed 's/  */,/g; s/^,//; s/$/,/'
    echo '};'
done
echo 'const struct v2v_firstboot_program v2v_firstboot_programs[] = {'
for a in "$@"; do
    arch=${a%%=*} file=${a#*=}
    sum=$(sha256sum "$file" | cut -d' ' -f1)
    echo "  { \"$arch\", program_$arch, sizeof program_$arch,"
    echo "    \"$sum\" },"
done
echo '  { NULL, NULL, 0, NULL }'
echo '};'
