/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: an input is a list of changes to a sound file, since the structures
 * lie a MiB apart and a file of random bytes would never reach the second.
 *
 *   byte 0       which file: dynamic, differencing, or with a dirty log
 *   then, again and again:
 *   area (1), offset in it (2, little-endian), length (1), that many bytes
 *
 * Checksums are not looked at in this build (vhdx-header.c, vhdx-log.c).
 * Read, described and checked; the dynamic one is changed in place too.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vhdx-internal.h"
#include "fuzz-util.h"

enum { DYNAMIC, DIFFERENCING, DIRTY, NR_BASES };

static struct base {
  uint8_t *bytes;
  size_t len;
} bases[NR_BASES];

/* Where changes may go. */
static const uint64_t areas[] = {
  VHDX_HEADER_OFFSET (0),
  VHDX_HEADER_OFFSET (1),
  VHDX_REGIONS_OFFSET (0),
  VHDX_REGIONS_OFFSET (1),
  1 * V2V_MIB,             /* log */
  2 * V2V_MIB,             /* metadata table */
  2 * V2V_MIB + 64 * 1024, /* and items */
  3 * V2V_MIB,             /* BAT */
  3 * V2V_MIB + 4096 * 8,  /* its first bitmap entry */
  4 * V2V_MIB,             /* first block or bitmap */
  5 * V2V_MIB,
  0,
};

/* ---- a view of a base with changes ---- */

struct view {
  const struct base *base;
  const uint8_t *changes;
  size_t changes_len;
};

/* The next change, or false. */
static bool
next_change (const struct view *v, size_t *pos, uint64_t *ret_offset,
             const uint8_t **ret_bytes, size_t *ret_len)
{
  const uint8_t *p = v->changes + *pos;

  if (v->changes_len - *pos < 5)
    return false;
  *ret_offset = areas[p[0] % V2V_ARRAY_SIZE (areas)] + v2v_le16 (p + 1);
  *ret_len = (size_t) v2v_min_u64 (p[3], v->changes_len - *pos - 4);
  *ret_bytes = p + 4;
  *pos += 4 + *ret_len;
  return true;
}

static int
view_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  const struct view *v = vh;
  size_t pos = 0, change_len;
  uint64_t change;
  const uint8_t *bytes;

  (void) err;
  memcpy (buf, v->base->bytes + offset, len);
  while (next_change (v, &pos, &change, &bytes, &change_len)) {
    const uint64_t start = v2v_max_u64 (change, offset);
    const uint64_t end = v2v_min_u64 (change + change_len, offset + len);

    if (start < end)
      memcpy ((uint8_t *) buf + (start - offset), bytes + (start - change),
              (size_t) (end - start));
  }
  return 0;
}

static void
view_close (void *vh)
{
  (void) vh;
}

static const struct v2v_io_ops view_ops = {
  .kind = "view",
  .pread = view_pread,
  .close = view_close,
};

/* ---- the bases, by our own writer ---- */

static void
require (bool ok)
{
  if (!ok)
    abort ();
}

static struct v2v_io *
make_disk (const char *name, struct v2v_image *parent)
{
  const struct v2v_create_opts opts = {
    .size_bytes = parent ? 0 : 4 * V2V_MIB + 512,
    .block_bytes = V2V_MIB,
    .subformat = parent ? V2V_SUB_DIFFERENCING : V2V_SUB_DYNAMIC,
    .parent = parent,
  };
  struct v2v_io *io = v2v_io_from_buffer (name, "", 0, NULL);
  struct v2v_image *img;
  static uint8_t data[4096];

  require (io != NULL);
  memset (data, 0x5a, sizeof data);
  img = v2v_image_create_io (io, "vhdx", &opts, NULL);
  require (img != NULL);
  require (v2v_image_write (img, data, sizeof data, V2V_MIB, NULL) == 0);
  require (v2v_image_write (img, data, 512, 4 * V2V_MIB, NULL) == 0);
  require (v2v_image_zero (img, V2V_MIB, 3 * V2V_MIB, NULL) == 0);
  require (v2v_image_finish (img, NULL) == 0);
  v2v_image_close (img);
  return io;
}

/* An entry in the log, of the BAT's and the region table's sectors. */
static void
make_dirty (struct v2v_io *io)
{
  struct vhdx h = { .file = NULL };
  static uint8_t sectors[2][VHDX_LOG_SECTOR];
  const struct vhdx_log_write writes[2] = {
    { 3 * V2V_MIB, sectors[0] },
    { 2 * V2V_MIB, sectors[1] },
  };
  struct vhdx_header header;

  require (vhdx_init (&h, io, VHDX_READ, NULL) == 0 &&
           vhdx_read_headers (&h, NULL) == 0);
  for (unsigned i = 0; i < 2; ++i)
    require (v2v_io_pread (io, sectors[i], VHDX_LOG_SECTOR, writes[i].offset,
                           NULL) == 0);
  header = h.headers[h.current];
  memset (&header.log_guid, 0x11, sizeof header.log_guid);
  require (vhdx_log_append (&h, &header.log_guid, writes, 2, NULL) == 0 &&
           vhdx_update_header (&h, &header, NULL) == 0);
  vhdx_close (&h);
}

static void
keep (struct base *base, struct v2v_io *io)
{
  base->len = (size_t) v2v_io_size (io);
  base->bytes = malloc (base->len);
  require (base->bytes != NULL &&
           v2v_io_pread (io, base->bytes, base->len, 0, NULL) == 0);
}

static void
make_bases (void)
{
  struct v2v_io *io = make_disk ("dynamic", NULL), *child;
  struct v2v_image *parent = v2v_image_open_io (io, NULL, NULL);

  require (parent != NULL);
  keep (&bases[DYNAMIC], io);
  child = make_disk ("child", parent);
  v2v_image_close (parent);
  keep (&bases[DIFFERENCING], child);
  v2v_io_unref (child);
  make_dirty (io);
  keep (&bases[DIRTY], io);
  v2v_io_unref (io);
}

/* ---- the target ---- */

static void
describe (struct v2v_image *img)
{
  struct v2v_json *obj = v2v_json_new_object ();

  v2v_image_describe (img, obj);
  v2v_json_free (obj);
}

/* Open, write, flush, finish on a copy. */
static void
change_in_place (struct view *v, const struct v2v_open_opts *opts)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhdx");
  CLEANUP_FREE uint8_t *copy = malloc (v->base->len);
  void *h = calloc (1, ops->handle_size);
  struct v2v_check_report report = { 0 };
  struct v2v_image_info info = { 0 };
  struct v2v_io *io = NULL;

  if (copy != NULL && h != NULL) {
    view_pread (v, copy, v->base->len, 0, NULL);
    io = v2v_io_from_buffer ("fuzz", copy, v->base->len, NULL);
  }
  if (io != NULL) {
    if (ops->open_rw (h, io, opts, NULL) == 0) {
      ops->info (h, &info);
      if (info.size_bytes >= 65536 &&
          ops->write (h, copy, 4096, info.size_bytes / 8192 * 4096, NULL) ==
              0 &&
          ops->zero (h, 8192, 0, NULL) == 0 && ops->flush (h, NULL) == 0)
        ops->finish (h, NULL);
    }
    ops->close (h);
    ops->check (io, true, opts, &report, NULL);
    v2v_check_report_clear (&report);
  }
  v2v_io_unref (io);
  free (h);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const struct v2v_open_opts opts = { .format = "vhdx", .no_parents = true };
  struct v2v_check_report report = { 0 };
  struct view v = { .base = NULL };
  struct v2v_image *img;
  struct v2v_io *io;

  if (bases[0].bytes == NULL)
    make_bases ();
  if (size == 0)
    return 0;
  v.base = &bases[data[0] % NR_BASES];
  v.changes = data + 1;
  v.changes_len = size - 1;
  io = v2v_io_new (&view_ops, &v, "fuzz", v.base->len, false, NULL);
  if (io == NULL)
    return 0;
  img = v2v_image_open_io (io, &opts, NULL);
  if (img != NULL) {
    fuzz_read_image (img);
    describe (img);
  }
  v2v_image_close (img);
  v2v_image_driver_by_name ("vhdx")->check (io, false, &opts, &report, NULL);
  v2v_check_report_clear (&report);
  v2v_io_unref (io);
  if (data[0] & 0x80)
    change_in_place (&v, &opts);
  return 0;
}
