/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setup information files (INF) of Windows drivers, as far as it must be known
 * whether one fits a guest: what it says of itself, for which Windows, which
 * files it needs.
 */
#ifndef V2V_WINDOWS_INF_H
#define V2V_WINDOWS_INF_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"

/* The largest of Microsoft's own have 2 MiB. */
#define WINDOWS_INF_MAX       (8u << 20)
#define WINDOWS_INF_MAX_LINES 200000u
#define WINDOWS_INF_MAX_FILES 4096u

struct windows_inf_line {
  char *section; /* lower case */
  char *key;     /* before '=', or NULL */
  char **values; /* between commas, unquoted; NULL-terminated */
};

struct windows_inf {
  struct windows_inf_line *lines;
  size_t nr_lines;
  char **sections; /* lower case, as often as they begin */
  size_t nr_sections;
  char *text;
};

/* UTF-16 with a byte order mark, UTF-8, else the ANSI code page 1252.
 * V2V_ERR_FORMAT when it is no INF: no [Version] with a Signature. */
struct windows_inf *windows_inf_parse (const void *data, size_t len,
                                       struct v2v_error **err);
void windows_inf_free (struct windows_inf *inf);

/* The first value of KEY in SECTION (names compare without regard to case);
 * %strings% are replaced; NULL with ERR unset if it is not there.  The caller
 * frees. */
char *windows_inf_get (const struct windows_inf *inf, const char *section,
                       const char *key, struct v2v_error **err);

/* What a decoration says of the product type, as VER_NT_... do. */
enum windows_inf_product {
  WINDOWS_PRODUCT_UNKNOWN = 0, /* is not compared */
  WINDOWS_PRODUCT_WORKSTATION = 1,
  WINDOWS_PRODUCT_DOMAIN_CONTROLLER = 2,
  WINDOWS_PRODUCT_SERVER = 3,
};

/* Of "x86_64", "i386", "aarch64": is there a [Manufacturer] line (or a
 * DefaultInstall section) for it and for Windows MAJOR.MINOR, BUILD (0 =
 * unknown: not compared), PRODUCT? */
bool windows_inf_fits (const struct windows_inf *inf, const char *arch,
                       int major, int minor, unsigned build,
                       enum windows_inf_product product);
/* Other INF files whose sections it takes (Include), of sections that are not
 * for another architecture; NULL-terminated; free with v2v_guest_free_list. */
char **windows_inf_includes (const struct windows_inf *inf, const char *arch,
                             struct v2v_error **err);
/* The sections it takes of them, or of itself (Needs), likewise. */
char **windows_inf_needs (const struct windows_inf *inf, const char *arch,
                          struct v2v_error **err);
/* Does a section NAME begin anywhere, be it without a line? */
bool windows_inf_has_section (const struct windows_inf *inf, const char *name);
/* CatalogFile for ARCH; NULL when there is none.  The caller frees. */
char *windows_inf_catalog (const struct windows_inf *inf, const char *arch,
                           struct v2v_error **err);
/* Files named by [SourceDisksFiles], also those of ARCH: "FOLDER/NAME" with
 * slashes, below the INF's folder; NULL-terminated; free with
 * v2v_guest_free_list. */
char **windows_inf_files (const struct windows_inf *inf, const char *arch,
                          struct v2v_error **err);

#endif /* V2V_WINDOWS_INF_H */
