#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every C file is as clang-format 14 would write it.  One line per file.
set -u
cd "${abs_top_srcdir:-$(dirname "$0")/..}" || exit 1
format=$(command -v clang-format-14 || command -v clang-format) || {
    echo "SKIP: clang-format is not installed"
    exit 0
}
# Not what a build generates.
sources () {
    git ls-files '*.[ch]' 2>/dev/null | grep . ||
        find convert formats inject library tests -name '*.[ch]' \
             ! -name 'completion-*.h'
}
status=0
while IFS= read -r f; do
    if "$format" --dry-run -Werror "$f"; then
        echo "PASS: format $f"
    else
        echo "FAIL: format $f"
        status=1
    fi
done < <(sources | sort)
exit $status
