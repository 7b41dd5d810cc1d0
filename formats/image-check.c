/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checking an image: the report, and finding who can check it. */

#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/image-internal.h"

int
v2v_check_add (struct v2v_check_report *r, enum v2v_check_severity sev,
               bool repaired, const char *id, const char *fmt, ...)
{
  struct v2v_check_item item = { .severity = sev, .repaired = repaired };
  va_list args;
  int n;

  if (r->nr_items >= V2V_CHECK_MAX_ITEMS) {
    r->nr_suppressed++;
    if (!repaired && sev > r->worst_suppressed)
      r->worst_suppressed = sev;
    return 0;
  }
  if (r->nr_items == r->cap) {
    const size_t cap = r->cap + 16;
    struct v2v_check_item *p = reallocarray (r->items, cap, sizeof *p);

    if (p == NULL)
      return -1;
    r->items = p;
    r->cap = cap;
  }
  va_start (args, fmt);
  n = vasprintf (&item.message, fmt, args);
  va_end (args);
  item.id = strdup (id);
  if (n == -1 || item.id == NULL) {
    free (item.id);
    if (n != -1)
      free (item.message);
    return -1;
  }
  r->items[r->nr_items++] = item;
  return 0;
}

void
v2v_check_report_clear (struct v2v_check_report *r)
{
  for (size_t i = 0; i < r->nr_items; ++i) {
    free (r->items[i].id);
    free (r->items[i].message);
  }
  free (r->items);
  memset (r, 0, sizeof *r);
}

int
v2v_image_check (const char *filename, bool repair,
                 const struct v2v_open_opts *opts,
                 struct v2v_check_report *report, struct v2v_error **err)
{
  static const struct v2v_open_opts defaults;
  const struct v2v_image_ops *ops;
  struct v2v_io *io;
  int r = -1;

  if (opts == NULL)
    opts = &defaults;
  io = v2v_io_open (filename, V2V_IO_FOLLOW | (repair ? V2V_IO_RW : 0), err);
  if (io == NULL)
    return -1;
  ops = v2v_image_choose_driver (io, opts, err);
  if (ops != NULL && ops->check == NULL)
    v2v_fail (err, V2V_ERR_UNSUPPORTED, "%s: %s has nothing to check", filename,
              ops->name);
  else if (ops != NULL)
    r = ops->check (io, repair, opts, report, err);
  v2v_io_unref (io);
  return r;
}
