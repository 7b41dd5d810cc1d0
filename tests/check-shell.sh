#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every shell script passes shellcheck.  One line per file.
set -u
cd "${abs_top_srcdir:-$(dirname "$0")/..}" || exit 1
command -v shellcheck >/dev/null || {
    echo "SKIP: shellcheck is not installed"
    exit 0
}
status=0
while IFS= read -r f; do
    # SC1091: functions.sh is found at run time.  SC2154: so are its
    # variables ($work, $out), and $abs_top_srcdir.  SC2164: set -e is on.
    if shellcheck -S warning -e SC1091,SC2154,SC2164 "$f"; then
        echo "PASS: shellcheck $f"
    else
        echo "FAIL: shellcheck $f"
        status=1
    fi
done < <(find convert formats inject library tests .ci -name '*.sh' \
              -o -path '.ci/run' | sort)
exit $status
