/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpio archives, fed in pieces whose size is the first byte. */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"
#include "inject/cpio.h"

static bool
want (void *arg, const struct v2v_cpio_entry *e)
{
  (void) arg;
  return e->size_bytes < 4096;
}

static int
visit (void *arg, const struct v2v_cpio_entry *e, struct v2v_error **err)
{
  (void) err;
  /* All that was promised is there to be read. */
  *(size_t *) arg += strlen (e->name);
  if (e->data != NULL)
    *(size_t *) arg += (size_t) e->data[e->size_bytes];
  return 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  size_t sum = 0;
  const struct v2v_cpio_visitor v = { .want = want,
                                      .visit = visit,
                                      .arg = &sum };
  struct v2v_error *err = NULL;
  struct v2v_cpio_reader *r = v2v_cpio_reader_new (&v, NULL);
  const size_t piece = size ? (size_t) data[0] + 1 : 1;
  size_t pos = 1, used = 1;

  while (r != NULL && pos < size && used > 0) {
    const size_t n = size - pos < piece ? size - pos : piece;

    if (v2v_cpio_reader_feed (r, data + pos, n, &used, &err) == -1)
      break;
    pos += used;
  }
  v2v_error_free (err);
  v2v_cpio_reader_free (r);
  return 0;
}
