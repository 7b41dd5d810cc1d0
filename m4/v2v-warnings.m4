# Warnings of the house style; an error each with --enable-werror.
AC_DEFUN([V2V_WARNINGS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [developers: every warning is an error])],
    [], [enable_werror=no])
  WARN_CFLAGS="-Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wconversion"
  AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  AC_SUBST([WARN_CFLAGS])
])

AC_DEFUN([V2V_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers], [address and undefined behaviour, no recovery])],
    [], [enable_sanitizers=no])
  SANITIZE_CFLAGS=
  AS_IF([test "x$enable_sanitizers" = xyes],
    [SANITIZE_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"])
  AC_SUBST([SANITIZE_CFLAGS])
  AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
])

AC_DEFUN([V2V_COVERAGE], [
  AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage], [instrument for gcov; see make coverage])],
    [], [enable_coverage=no])
  COVERAGE_CFLAGS=
  AS_IF([test "x$enable_coverage" = xyes], [COVERAGE_CFLAGS="--coverage -O0 -fprofile-update=atomic"])
  AC_SUBST([COVERAGE_CFLAGS])
])

AC_DEFUN([V2V_FUZZ], [
  AC_ARG_ENABLE([fuzz],
    [AS_HELP_STRING([--enable-fuzz], [build the libFuzzer targets (needs clang)])],
    [], [enable_fuzz=no])
  AM_CONDITIONAL([FUZZ], [test "x$enable_fuzz" = xyes])
  AS_IF([test "x$enable_fuzz" = xyes],
    [# A fuzzer cannot guess checksums: the parsers do not look at them.
     FUZZ_CFLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
     FUZZ_LDFLAGS="-fsanitize=fuzzer,address,undefined"])
  AC_SUBST([FUZZ_CFLAGS])
  AC_SUBST([FUZZ_LDFLAGS])
])
