# SPDX-License-Identifier: LGPL-2.1-or-later
# The compilers of the program that runs in Windows guests, see
# inject/firstboot.  Without them Windows guests get no first boot, which is
# an error when one is converted that needs it.
AC_DEFUN([V2V_MINGW], [
AC_ARG_WITH([mingw],
  [AS_HELP_STRING([--without-mingw],
    [leave out the program of Windows' first boot])],
  [], [with_mingw=check])
MINGW64_CC=
MINGW32_CC=
AS_IF([test "x$with_mingw" != xno], [
  AC_CHECK_PROG([MINGW64_CC], [x86_64-w64-mingw32-gcc],
    [x86_64-w64-mingw32-gcc])
  AC_CHECK_PROG([MINGW32_CC], [i686-w64-mingw32-gcc], [i686-w64-mingw32-gcc])
  AS_IF([test "x$with_mingw" = xyes && \
         { test -z "$MINGW64_CC" || test -z "$MINGW32_CC"; }],
    [AC_MSG_ERROR([--with-mingw: install gcc-mingw-w64-x86-64 and \
gcc-mingw-w64-i686])])
])
AC_SUBST([MINGW64_CC])
AC_SUBST([MINGW32_CC])
AM_CONDITIONAL([HAVE_MINGW64], [test -n "$MINGW64_CC"])
AM_CONDITIONAL([HAVE_MINGW32], [test -n "$MINGW32_CC"])
have_mingw="${MINGW64_CC:-no x86_64}, ${MINGW32_CC:-no i386}"
])
