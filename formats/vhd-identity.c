/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD: a file that takes the place of another one, and a file that gets
 * another parent.
 *
 * A footer is one sector, and written as a whole.  The dynamic header has two,
 * so it is never written over while a footer leads to it: a second one is put
 * behind the data, the footers change to it one after the other, then the
 * first is written and they change back.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhd-internal.h"

/* The footer at the end is what readers go by; the copy follows. */
static int
write_footers (struct vhd *h, uint64_t end, struct v2v_error **err)
{
  if (vhd_write_footer (h, VHD_FOOTER_COOKIE, end, err) == -1 ||
      v2v_io_sync (h->file, err) == -1)
    return -1;
  if (vhd_is_fixed (h))
    return 0;
  return vhd_write_footer (h, VHD_FOOTER_COOKIE, 0, err) == -1 ||
                 v2v_io_sync (h->file, err) == -1
             ? -1
             : 0;
}

int
vhd_set_identity (void *vh, const struct v2v_image_info *like,
                  struct v2v_error **err)
{
  struct vhd *h = vh;
  struct v2v_guid id;

  if (like->id == NULL || !v2v_guid_parse (like->id, &id))
    return v2v_fail (err, V2V_ERR_USAGE, "there is no identity to take over");
  if (!h->writer->in_place) { /* finish writes the footer */
    h->footer.id = id;
    vhd_fill_info (h);
    return 0;
  }
  if (vhd_flush (h, err) == -1)
    return -1;
  h->footer.id = id;
  if (write_footers (h, h->data_end, err) == -1)
    return -1;
  vhd_fill_info (h);
  return 0;
}

static int
write_header (struct vhd *h, uint64_t offset, struct v2v_error **err)
{
  uint8_t bytes[VHD_HEADER_SIZE];

  vhd_header_encode (&h->header, bytes);
  return v2v_io_pwrite (h->file, bytes, sizeof bytes, offset, err);
}

/* From the footers at START, with the new locators going there: see above. */
static int
exchange_header (struct vhd *h, const uint8_t *locators, size_t len,
                 uint64_t start, struct v2v_error **err)
{
  const uint64_t home = h->footer.data_offset;
  const uint64_t second = start + len;
  const uint64_t end = second + VHD_HEADER_SIZE;

  /* The end moves behind what comes, still with the old header. */
  if (vhd_write_footer (h, VHD_FOOTER_COOKIE, end, err) == -1 ||
      v2v_io_sync (h->file, err) == -1 ||
      v2v_io_pwrite (h->file, locators, len, start, err) == -1 ||
      write_header (h, second, err) == -1 || v2v_io_sync (h->file, err) == -1)
    return -1;
  h->footer.data_offset = second;
  if (write_footers (h, end, err) == -1) /* the first of them: the new parent */
    return -1;
  if (write_header (h, home, err) == -1 || v2v_io_sync (h->file, err) == -1)
    return -1;
  h->footer.data_offset = home;
  if (write_footers (h, end, err) == -1)
    return -1;
  /* And the second one goes. */
  if (vhd_write_footer (h, VHD_FOOTER_COOKIE, second, err) == -1 ||
      v2v_io_sync (h->file, err) == -1 ||
      v2v_io_resize (h->file, second + VHD_FOOTER_SIZE, err) == -1)
    return -1;
  h->data_end = h->writer->next = second;
  return v2v_io_sync (h->file, err);
}

int
vhd_set_parent (void *vh, const struct v2v_create_opts *opts,
                struct v2v_error **err)
{
  struct vhd *h = vh;
  const struct vhd_header old = h->header;
  CLEANUP_FREE uint8_t *locators = NULL;
  size_t len = 0;

  if (!h->writer->in_place)
    return v2v_fail (err, V2V_ERR_USAGE, "a new file has its parent already");
  if (strcmp (v2v_image_get_info (opts->parent)->format, "vhd") != 0 ||
      v2v_image_size (opts->parent) != h->footer.current_size)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a VHD needs a VHD of its own size as parent",
                     v2v_image_name (opts->parent));
  if (vhd_flush (h, err) == -1)
    return -1;
  memset (h->header.locators, 0, sizeof h->header.locators);
  if (vhd_make_locators (h, opts, h->writer->next, &locators, &len, err) ==
      -1) {
    h->header = old;
    return -1;
  }
  if (exchange_header (h, locators, len, h->writer->next, err) == -1)
    return -1;
  vhd_fill_info (h);
  return 0;
}
