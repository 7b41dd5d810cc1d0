# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by every shell test.
#
#   . "$abs_top_srcdir/tests/functions.sh"
#   requires qemu-img --version          skip (77) unless that works
#   requires_sample vmdk/ext2.vmdk       skip, or fail in CI, unless it is there
#   cd "$(workdir)"                      a folder of its own, removed at exit
set -e
set -o pipefail 2>/dev/null || true
LC_ALL=C
export LC_ALL

fail () { echo "FAIL: $*" >&2; exit 1; }

requires () {
    if ! "$@" </dev/null >/dev/null 2>&1; then
        echo "SKIP: '$*' does not work here" >&2
        exit 77
    fi
}

# Real samples come from a folder named by V2V_SAMPLES.  In CI
# (V2V_SAMPLES_REQUIRED=1) a missing one is a failure.
requires_sample () {
    if [ -z "$V2V_SAMPLES" ] || [ ! -e "$V2V_SAMPLES/$1" ]; then
        if [ "$V2V_SAMPLES_REQUIRED" = 1 ]; then
            fail "sample $1 is missing (V2V_SAMPLES=$V2V_SAMPLES)"
        fi
        echo "SKIP: sample $1 is missing; set V2V_SAMPLES" >&2
        exit 77
    fi
}

cleanup_dirs=
cleanup () { for d in $cleanup_dirs; do rm -rf "$d"; done; }
trap cleanup EXIT
# Sets $work and goes there.
workdir () {
    work=$(mktemp -d "${TMPDIR:-/tmp}/v2v-test.XXXXXX")
    cleanup_dirs="$cleanup_dirs $work"
    cd "$work"
}

sha256_of () { sha256sum "$1" | cut -d' ' -f1; }

# expect_status STATUS COMMAND...: run, keep output in $out, fail otherwise.
expect_status () {
    want=$1; shift
    got=0
    out=$("$@" 2>&1) || got=$?
    [ "$got" = "$want" ] || fail "exit status $got, expected $want: $*
$out"
}

# The nbdkit plugin of this build. One with sanitizers cannot be loaded by an
# nbdkit without.
requires_plugin () {
    requires nbdkit --version
    requires nbdkit --dump-plugin "$V2V_NBDKIT_PLUGIN"
}
requires_libnbd () {
    requires grep -q '^#define HAVE_LIBNBD 1' "$abs_top_builddir/config.h"
}

# wait_for_size FILE BYTES: until FILE is at least so long, 30 seconds at most.
wait_for_size () {
    local i
    for i in $(seq 300); do
        [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -lt "$2" ] || return 0
        sleep 0.1
    done
    fail "$1 does not grow to $2 bytes ($i)"
}
