/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the sections of a unified kernel image.
 *
 * Sources: Microsoft's "PE Format" (COFF file header, optional header, section
 * table; the certificate table is the data directory whose address is an
 * offset in the file); the UAPI group's "Unified Kernel Image" specification
 * for the names of sections.
 */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/uki.h"

/* A stub with kernel, initramfs, command line, device trees and profiles has
 * some dozens. */
#define PE_MAX_SECTIONS  96
#define PE_SECTION_BYTES 40
#define PE_HEADER_BYTES  24
/* Where the optional header has the directory of certificates. */
#define PE32_CERTIFICATES  128
#define PE32P_CERTIFICATES 144

struct pe {
  uint64_t optional, table;
  unsigned optional_len, nr_sections;
};

static int
no_pe (struct v2v_error **err, const char *reason)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "no unified kernel image: %s", reason);
}

static int
read_header (struct v2v_io *io, struct pe *ret, struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (io);
  uint8_t head[64], pe[PE_HEADER_BYTES];
  uint64_t at;

  if (size < sizeof head)
    return no_pe (err, "too short");
  if (v2v_io_pread (io, head, sizeof head, 0, err) == -1)
    return -1;
  at = v2v_le32 (head + 60);
  if (memcmp (head, "MZ", 2) != 0 || !v2v_range_inside (at, sizeof pe, size))
    return no_pe (err, "no PE file");
  if (v2v_io_pread (io, pe, sizeof pe, at, err) == -1)
    return -1;
  ret->nr_sections = v2v_le16 (pe + 6);
  ret->optional_len = v2v_le16 (pe + 20);
  ret->optional = at + sizeof pe;
  ret->table = ret->optional + ret->optional_len;
  if (memcmp (pe, "PE\0", 4) != 0 || ret->nr_sections > PE_MAX_SECTIONS)
    return no_pe (err, "no PE file");
  if (!v2v_range_inside (ret->table,
                         (uint64_t) ret->nr_sections * PE_SECTION_BYTES, size))
    return no_pe (err, "the table of sections is cut");
  return 0;
}

int
v2v_uki_find_section (struct v2v_io *io, const char *name, uint64_t *ret_offset,
                      uint64_t *ret_len, struct v2v_error **err)
{
  uint8_t sec[PE_SECTION_BYTES];
  char wanted[8] = { 0 };
  struct pe pe;

  memcpy (wanted, name, strnlen (name, sizeof wanted));
  if (read_header (io, &pe, err) == -1)
    return -1;
  for (unsigned i = 0; i < pe.nr_sections; ++i) {
    uint64_t offset, len;

    if (v2v_io_pread (io, sec, sizeof sec, pe.table + i * sizeof sec, err) ==
        -1)
      return -1;
    if (memcmp (sec, wanted, sizeof wanted) != 0)
      continue;
    /* The virtual size is exact; the size in the file is rounded up. */
    len = v2v_min_u64 (v2v_le32 (sec + 8), v2v_le32 (sec + 16));
    offset = v2v_le32 (sec + 20);
    if (!v2v_range_inside (offset, len, v2v_io_size (io)))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "the section %s of the unified kernel image is cut",
                       name);
    *ret_offset = offset;
    *ret_len = len;
    return 1;
  }
  return 0;
}

char *
v2v_uki_read_text (struct v2v_io *io, const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  uint64_t offset, len;
  const int r = v2v_uki_find_section (io, name, &offset, &len, err);
  size_t n;

  if (r <= 0)
    return NULL;
  if (len > V2V_UKI_MAX_TEXT) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "the section %s of the unified kernel image is no text", name);
    return NULL;
  }
  text = calloc (1, (size_t) len + 1);
  if (text == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > 0 && v2v_io_pread (io, text, (size_t) len, offset, err) == -1)
    return NULL;
  n = strlen (text);
  while (n > 0 && strchr (" \t\r\n", text[n - 1]) != NULL)
    text[--n] = '\0';
  return STEAL (text);
}

int
v2v_uki_is_signed (struct v2v_io *io, struct v2v_error **err)
{
  uint8_t magic[2], directory[8];
  unsigned at;
  struct pe pe;

  if (read_header (io, &pe, err) == -1)
    return -1;
  if (pe.optional_len < sizeof magic)
    return 0;
  if (v2v_io_pread (io, magic, sizeof magic, pe.optional, err) == -1)
    return -1;
  at = v2v_le16 (magic) == 0x20b ? PE32P_CERTIFICATES : PE32_CERTIFICATES;
  if (pe.optional_len < at + sizeof directory)
    return 0;
  if (v2v_io_pread (io, directory, sizeof directory, pe.optional + at, err) ==
      -1)
    return -1;
  return v2v_le32 (directory) != 0 && v2v_le32 (directory + 4) != 0;
}
