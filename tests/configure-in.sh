#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/configure-in.sh DIR [CONFIGURE-ARGUMENT...]
#
# Prepare a build of its own in DIR (sanitizers, fuzzing, coverage, CI).  A
# source tree that is configured in place cannot be built anywhere else, so
# then DIR/src gets a copy of the files that git knows or would add.
# Idempotent: configures again only when the arguments changed.
set -eu

src=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { echo "usage: $0 DIR [CONFIGURE-ARGUMENT...]" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

if [ -e "$src/config.status" ]; then
    git -C "$src" rev-parse --git-dir >/dev/null 2>&1 || {
        echo "$0: $src is configured in place and no git checkout:" \
             "make distclean first" >&2
        exit 1
    }
    mkdir -p "$dir/src"
    (cd "$src" && git ls-files -z --cached --others --exclude-standard |
         while IFS= read -r -d '' f; do
             if [ -e "$f" ]; then printf '%s\0' "$f"; fi
         done |
         tar --null -T - -cf -) | tar -C "$dir/src" -xf -
    src=$dir/src
fi

if [ ! -e "$src/configure" ] || [ "$src/configure.ac" -nt "$src/configure" ]
then
    (cd "$src" && autoreconf -i)
fi
if [ ! -e "$dir/config.status" ] ||
       [ "$(cat "$dir/.arguments" 2>/dev/null)" != "$*" ]; then
    (cd "$dir" && "$src/configure" "$@")
    printf '%s' "$*" >"$dir/.arguments"
fi
