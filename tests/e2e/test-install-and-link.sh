#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What make install puts down can be used: the program runs, pkg-config leads
# to the headers, a program of somebody else's links, and only v2v_* symbols
# leave the library, each with a version.
. "$abs_top_srcdir/tests/functions.sh"
requires pkg-config --version
workdir

make -s -C "$abs_top_builddir" install DESTDIR="$work/root" >install.log 2>&1 ||
    { tail -20 install.log; fail "make install"; }
pc=$(find root -name libv2v.pc)
[ -n "$pc" ] || fail "no libv2v.pc"
prefix=$(sed -n 's/^prefix=//p' "$pc")
libdir="$work/root$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --variable=libdir libv2v)"

LD_LIBRARY_PATH="$libdir" "root$prefix/bin/v2v" --version | grep -q '^v2v [0-9]' ||
    fail "the installed program does not tell its version"

cat >use.c <<'C'
#include <stdio.h>
#include <formats/image.h>
#include <formats/copy.h>
#include <formats/machine.h>
#include <convert/convert.h>
int
main (void)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open ("null:1M", NULL, &err);

  if (img == NULL)
    return 1;
  printf ("%llu %s\n", (unsigned long long) v2v_image_size (img),
          v2v_version ());
  v2v_image_close (img);
  return 0;
}
C
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR="$work/root" \
        pkg-config --cflags --libs libv2v)
# A sanitizer build needs the same runtime in whoever loads it.
# shellcheck disable=SC2086
${CC:-cc} -Wall -Werror use.c -o use $flags ${V2V_TEST_LDFLAGS:-} ||
    fail "a program does not link by pkg-config's flags"
got=$(LD_LIBRARY_PATH="$libdir" ./use)
case $got in "1048576 "*) ;; *) fail "got '$got'" ;; esac

# Each header finds what it includes, and they fit together.
(cd "root$prefix/include/v2v" && find . -name '*.h' | sort |
    sed 's/.*/#include "&"/') >all.c
[ "$(wc -l <all.c)" -gt 20 ] || fail "few headers are installed: $(cat all.c)"
# shellcheck disable=SC2086
${CC:-cc} -Wall -Werror -fsyntax-only -I"root$prefix/include/v2v" all.c $flags ||
    fail "the installed headers are not complete"

so=$(find "$libdir" -name 'libv2v.so.*' -type f)
bad=$(nm -D --defined-only "$so" | awk '$2 ~ /[TDBRW]/ {print $3}' |
      grep -v '^v2v_.*@@V2V_[0-9]' | grep -v '^V2V_[0-9]' || true)
[ -z "$bad" ] || fail "symbols that should not leave the library: $bad"

make -s -C "$abs_top_builddir" uninstall DESTDIR="$work/root" >/dev/null 2>&1
left=$(find root -type f)
[ -z "$left" ] || fail "uninstall leaves: $left"
