/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ISO 9660 images of a few small files, by libarchive.
 * Source: libarchive, archive_write_set_options(3) (volume-id, joliet,
 * rockridge, pad); ECMA-119 7.4.1 for the letters of a label.
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <archive.h>
#include <archive_entry.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/iso.h"

#define MAX_LABEL 16

static void
cleanup_archive (struct archive **a)
{
  archive_write_free (*a); /* accepts NULL */
}
#define CLEANUP_ARCHIVE __attribute__ ((cleanup (cleanup_archive)))

static void
cleanup_entry (struct archive_entry **e)
{
  archive_entry_free (*e); /* accepts NULL */
}
#define CLEANUP_ENTRY __attribute__ ((cleanup (cleanup_entry)))

static la_ssize_t
on_write (struct archive *a, void *arg, const void *buf, size_t len)
{
  struct v2v_str *out = arg;

  (void) a;
  return v2v_str_append_len (out, buf, len) == -1 ? -1 : (la_ssize_t) len;
}

static int
fail_archive (struct archive *a, const char *label, struct v2v_error **err)
{
  const char *why = archive_error_string (a);

  return v2v_fail (err, V2V_ERR_IO, "medium %s: %.120s", label,
                   why != NULL ? why : "cannot be made");
}

static int
check (const char *label, const struct v2v_iso_file *files, size_t n,
       struct v2v_error **err)
{
  uint64_t sum = 0;

  if (*label == '\0' || strlen (label) > MAX_LABEL ||
      label[strspn (label, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "label \"%s\": expected 1 to %d capital letters, digits "
                     "and '_'",
                     label, MAX_LABEL);
  for (size_t i = 0; i < n; ++i) {
    if (!v2v_check_plain_name (files[i].name, err))
      return -1;
    if (!v2v_add_u64 (sum, files[i].len, &sum) || sum > V2V_ISO_MAX_BYTES)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "medium %s: its files have more than %" PRIu64
                       " bytes together",
                       label, V2V_ISO_MAX_BYTES);
    for (size_t k = 0; k < i; ++k)
      if (strcmp (files[i].name, files[k].name) == 0)
        return v2v_fail (err, V2V_ERR_USAGE, "medium %s: '%s' is there twice",
                         label, files[i].name);
  }
  return 0;
}

static int
add_file (struct archive *a, const struct v2v_iso_file *f)
{
  CLEANUP_ENTRY struct archive_entry *e = archive_entry_new ();

  if (e == NULL)
    return -1;
  archive_entry_set_pathname (e, f->name);
  archive_entry_set_filetype (e, AE_IFREG);
  archive_entry_set_perm (e, 0444);
  archive_entry_set_size (e, (la_int64_t) f->len);
  archive_entry_set_mtime (e, time (NULL), 0);
  if (archive_write_header (a, e) != ARCHIVE_OK)
    return -1;
  return f->len == 0 ||
                 archive_write_data (a, f->data, f->len) == (la_ssize_t) f->len
             ? 0
             : -1;
}

int
v2v_iso_write (const char *label, const struct v2v_iso_file *files, size_t n,
               struct v2v_str *out, struct v2v_error **err)
{
  CLEANUP_ARCHIVE struct archive *a = NULL;

  if (check (label, files, n, err) == -1)
    return -1;
  a = archive_write_new ();
  if (a == NULL)
    return v2v_fail_nomem (err);
  /* Without the padding for drives that read ahead: no drive reads this. */
  if (archive_write_set_format_iso9660 (a) != ARCHIVE_OK ||
      archive_write_set_format_option (a, "iso9660", "volume-id", label) !=
          ARCHIVE_OK ||
      archive_write_set_format_option (a, "iso9660", "pad", NULL) !=
          ARCHIVE_OK ||
      archive_write_set_bytes_in_last_block (a, 1) != ARCHIVE_OK ||
      archive_write_open (a, out, NULL, on_write, NULL) != ARCHIVE_OK)
    return fail_archive (a, label, err);
  for (size_t i = 0; i < n; ++i)
    if (add_file (a, &files[i]) == -1)
      return fail_archive (a, label, err);
  if (archive_write_close (a) != ARCHIVE_OK)
    return fail_archive (a, label, err);
  return 0;
}
