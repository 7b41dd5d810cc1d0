# Libraries, with the oldest version we test: Debian 12's.
AC_DEFUN([V2V_LIBRARIES], [
  AC_SEARCH_LIBS([pthread_create], [pthread])
  PKG_CHECK_MODULES([LIBXML2], [libxml-2.0 >= 2.9.10])
  PKG_CHECK_MODULES([LIBARCHIVE], [libarchive >= 3.4])
  PKG_CHECK_MODULES([ZLIB], [zlib >= 1.2.11])
  PKG_CHECK_MODULES([LIBDEFLATE], [libdeflate >= 1.8])
  PKG_CHECK_MODULES([LIBCRYPTO], [libcrypto >= 1.1.1])
  PKG_CHECK_MODULES([JANSSON], [jansson >= 2.13])
  PKG_CHECK_MODULES([LIBGUESTFS], [libguestfs >= 1.44])
  PKG_CHECK_MODULES([HIVEX], [hivex >= 1.3.19])
  PKG_CHECK_MODULES([LIBYAML], [yaml-0.1 >= 0.2.1])
  # RETURNING and UPSERT are not used; defensive mode came with 3.26.
  PKG_CHECK_MODULES([SQLITE3], [sqlite3 >= 3.31])
  # What an initramfs is packed with.  bzip2 has no .pc file everywhere.
  PKG_CHECK_MODULES([LIBLZ4], [liblz4 >= 1.9])
  PKG_CHECK_MODULES([LIBLZMA], [liblzma >= 5.2])
  PKG_CHECK_MODULES([LIBZSTD], [libzstd >= 1.4])
  AC_CHECK_HEADER([bzlib.h], [], [AC_MSG_ERROR([bzlib.h not found])])
  dnl libxcrypt: passwords of guests, hashed as they do it.
  AC_CHECK_LIB([crypt], [crypt_gensalt_rn], [CRYPT_LIBS=-lcrypt],
    [AC_MSG_ERROR([install libcrypt-dev (libxcrypt)])])
  AC_SUBST([CRYPT_LIBS])
  AC_CHECK_LIB([bz2], [BZ2_bzDecompress], [BZIP2_LIBS=-lbz2],
    [AC_MSG_ERROR([libbz2 not found])])
  AC_SUBST([BZIP2_LIBS])
  dnl An initramfs packed with lzop: old Ubuntu, and whoever chose it.
  AC_ARG_WITH([lzo],
    [AS_HELP_STRING([--without-lzo], [do not read an LZO initramfs])],
    [], [with_lzo=check])
  have_lzo=no LZO_LIBS=
  AS_IF([test "x$with_lzo" != xno],
    [AC_CHECK_HEADER([lzo/lzo1x.h],
      [AC_CHECK_LIB([lzo2], [lzo1x_decompress_safe],
        [have_lzo=yes LZO_LIBS=-llzo2
         AC_DEFINE([HAVE_LZO], [1], [liblzo2 is there])])])
     AS_IF([test "x$with_lzo$have_lzo" = xyesno], [AC_MSG_ERROR([liblzo2 not found])])])
  AC_SUBST([LZO_LIBS])

  AC_ARG_WITH([libnbd],
    [AS_HELP_STRING([--without-libnbd], [no nbd: URIs and no qcow2])],
    [], [with_libnbd=check])
  have_libnbd=no
  AS_IF([test "x$with_libnbd" != xno],
    [PKG_CHECK_MODULES([LIBNBD], [libnbd >= 1.8],
      [have_libnbd=yes
       AC_DEFINE([HAVE_LIBNBD], [1], [libnbd is there])],
      [AS_IF([test "x$with_libnbd" = xyes], [AC_MSG_ERROR([libnbd not found])])])])
  AM_CONDITIONAL([HAVE_LIBNBD], [test "x$have_libnbd" = xyes])

  AC_ARG_WITH([libpq],
    [AS_HELP_STRING([--without-libpq],
      [no catalogues of libraries in PostgreSQL])],
    [], [with_libpq=check])
  have_libpq=no
  AS_IF([test "x$with_libpq" != xno],
    [PKG_CHECK_MODULES([LIBPQ], [libpq >= 12],
      [have_libpq=yes
       AC_DEFINE([HAVE_LIBPQ], [1], [libpq is there])],
      [AS_IF([test "x$with_libpq" = xyes], [AC_MSG_ERROR([libpq not found])])])])
  AM_CONDITIONAL([HAVE_LIBPQ], [test "x$have_libpq" = xyes])

  AC_ARG_WITH([nbdkit],
    [AS_HELP_STRING([--without-nbdkit], [do not build the nbdkit plugin])],
    [], [with_nbdkit=check])
  have_nbdkit=no
  AS_IF([test "x$with_nbdkit" != xno],
    [PKG_CHECK_MODULES([NBDKIT], [nbdkit >= 1.24],
      [have_nbdkit=yes],
      [AS_IF([test "x$with_nbdkit" = xyes], [AC_MSG_ERROR([nbdkit not found])])])])
  # A plugin is a shared object or nothing.
  AS_IF([test "x$have_nbdkit$enable_shared" = xyesno],
    [have_nbdkit="no (--disable-shared)"])
  AM_CONDITIONAL([HAVE_NBDKIT], [test "x$have_nbdkit" = xyes])
  # nbdkit's own folder is not below our prefix: named on request only.
  AC_ARG_WITH([nbdkit-plugindir],
    [AS_HELP_STRING([--with-nbdkit-plugindir=DIR],
      [where to install the plugin @<:@LIBDIR/nbdkit/plugins@:>@; "system" is
       where nbdkit looks])],
    [], [with_nbdkit_plugindir='${libdir}/nbdkit/plugins'])
  AS_IF([test "x$with_nbdkit_plugindir" = xsystem],
    [with_nbdkit_plugindir=`$PKG_CONFIG --variable=plugindir nbdkit`])
  AC_SUBST([NBDKIT_PLUGINDIR], [$with_nbdkit_plugindir])

  PKG_CHECK_MODULES([CMOCKA], [cmocka >= 1.1.5], [have_cmocka=yes], [have_cmocka=no])
  AM_CONDITIONAL([HAVE_CMOCKA], [test "x$have_cmocka" = xyes])

  AC_CHECK_HEADERS([linux/fs.h])
])
