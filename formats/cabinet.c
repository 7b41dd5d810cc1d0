/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cabinet files by libarchive, which knows their compressions (MSZIP, LZX).
 * Source of the format: [MS-CAB].  The cabinet comes from a guest: names are
 * compared only, sizes are bounded.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <archive.h>
#include <archive_entry.h>

#include "formats/cabinet.h"
#include "formats/core/cleanup.h"

#define CHUNK (128 * 1024)

static int
fail_archive (struct archive *a, const char *path, struct v2v_error **err)
{
  const char *s = archive_error_string (a);

  return v2v_fail (err, V2V_ERR_FORMAT, "%s: %s", path,
                   s != NULL ? s : "the cabinet cannot be read");
}

/* The last part of an entry's path. */
static const char *
base_name (const char *path)
{
  const char *base = path;

  for (const char *p = path; *p != '\0'; ++p)
    if (*p == '/' || *p == '\\')
      base = p + 1;
  return base;
}

static int
read_entry (struct archive *a, const char *path, const char *name,
            size_t max_bytes, void **ret, size_t *ret_len,
            struct v2v_error **err)
{
  CLEANUP_FREE char *data = NULL;
  size_t len = 0, cap = 0;

  for (;;) {
    la_ssize_t n;

    if (cap - len < CHUNK) {
      char *p = realloc (data, cap + CHUNK + 1);

      if (p == NULL)
        return v2v_fail_nomem (err);
      data = p;
      cap += CHUNK;
    }
    n = archive_read_data (a, data + len, CHUNK);
    if (n < 0)
      return fail_archive (a, path, err);
    if (n == 0)
      break;
    len += (size_t) n;
    if (len > max_bytes)
      return v2v_fail (err, V2V_ERR_FORMAT, "%s: %s has more than %zu bytes",
                       path, name, max_bytes);
  }
  *ret = STEAL (data);
  *ret_len = len;
  return 1;
}

static int
find_entry (struct archive *a, const char *path, const char *name,
            size_t max_bytes, void **ret, size_t *ret_len,
            struct v2v_error **err)
{
  struct archive_entry *e;

  for (unsigned i = 0; i < V2V_CABINET_MAX_FILES; ++i) {
    const int r = archive_read_next_header (a, &e);
    const char *entry;

    if (r == ARCHIVE_EOF)
      return 0;
    if (r < ARCHIVE_WARN)
      return fail_archive (a, path, err);
    entry = archive_entry_pathname (e);
    if (entry != NULL && strcasecmp (base_name (entry), name) == 0)
      return read_entry (a, path, name, max_bytes, ret, ret_len, err);
  }
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: more than %u files", path,
                   V2V_CABINET_MAX_FILES);
}

int
v2v_cabinet_extract (const char *path, const char *name, size_t max_bytes,
                     void **ret, size_t *ret_len, struct v2v_error **err)
{
  struct archive *a = archive_read_new ();
  int r;

  if (a == NULL)
    return v2v_fail_nomem (err);
  archive_read_support_format_cab (a);
  if (archive_read_open_filename (a, path, CHUNK) != ARCHIVE_OK)
    r = fail_archive (a, path, err);
  else
    r = find_entry (a, path, name, max_bytes, ret, ret_len, err);
  archive_read_free (a);
  return r;
}
