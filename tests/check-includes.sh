#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers point one way: formats/core <- formats <- inject <- library <- convert.
# Libraries are touched in one place each.
. "$abs_top_srcdir/tests/functions.sh"
cd "$abs_top_srcdir"
bad=0

# forbid FOLDER-GLOB REGEX REASON
forbid () {
    local hits
    hits=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" $1 2>/dev/null || true)
    if [ -n "$hits" ]; then
        echo "$3:"; echo "$hits"; bad=1
    fi
}
forbid "formats/core/*.[ch]" '(formats/[^c]|formats/c[^o]|formats/co[^r]|inject/|library/|convert/)' "formats/core may include only itself"
forbid "formats/*.[ch]" '(inject/|library/|convert/)' "formats must not include upper layers"
forbid "inject/*.[ch]" '(library/|convert/)' "inject must not include upper layers"
forbid "library/*.[ch]" 'convert/' "library must not include convert"

only () { # only REGEX ALLOWED-FILE...
    local re=$1; shift
    local hits
    hits=$(grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($re)" formats/core/*.[ch] formats/*.[ch] inject/*.[ch] library/*.[ch] convert/*.[ch] || true)
    for f in $hits; do
        case " $* " in *" $f "*) ;; *) echo "$f includes <$re>, allowed only in: $*"; bad=1 ;; esac
    done
}
only 'jansson' formats/core/json.c
only 'openssl/' formats/core/digest.c formats/signature.c
only 'libdeflate' formats/core/inflate.c
only 'crypt\.h' inject/customize-hash.c
only 'zlib' formats/core/gzip.c formats/core/inflate.c inject/unpack.c
only 'iconv' formats/core/text.c
only 'libpq' library/catalogue-postgres.c
only 'libxml/' formats/xml.c formats/xml-internal.h formats/xml-schema.c
only 'archive' formats/cabinet.c formats/iso.c formats/ova.c
only 'libnbd' formats/nbd.c
only 'yaml' inject/linux-net-netplan.c
only 'nbdkit-plugin' formats/nbdkit-plugin.c
only 'sqlite3' library/catalogue-sqlite.c
only 'hivex' inject/hive.c inject/hive-change.c inject/hive-commit.c
only 'guestfs' inject/guest-libguestfs.c inject/guest-open.h inject/inspect-os.c inject/launch.c inject/launch.h
exit $bad
