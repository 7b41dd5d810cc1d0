/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpio archives of an initramfs.
 *
 * Source: the kernel's Documentation/driver-api/early-userspace/
 * buffer-format.rst, and init/initramfs.c for what it leaves open: zeros
 * between archives are padding, an archive begins at a multiple of four, a
 * name's length counts its NUL.  The octal formats (070707) are not read by
 * the kernel and neither by us.
 */

#include <config.h>

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/cpio.h"

/* Magic and 13 numbers of eight hexadecimal digits. */
#define HEADER_BYTES 110
#define TRAILER      "TRAILER!!!"

enum state { BETWEEN, HEADER, NAME, DATA, SKIP };

struct v2v_cpio_reader {
  struct v2v_cpio_visitor visitor;
  enum state state;
  uint64_t offset; /* of the next byte, in what was fed */
  uint32_t nr_entries;
  /* What is being filled: a header, a name, wanted contents. */
  char header[HEADER_BYTES];
  char name[V2V_CPIO_MAX_NAME];
  char *data; /* NULL: contents are passed over */
  size_t have;
  /* Of the entry at hand. */
  bool has_sum;
  bool is_trailer;
  uint32_t mode, sum, expected_sum;
  uint32_t name_len, data_len, data_left;
  unsigned pad;          /* to pass over in SKIP, */
  enum state after_skip; /* and where to go then */
};

struct v2v_cpio_reader *
v2v_cpio_reader_new (const struct v2v_cpio_visitor *visitor,
                     struct v2v_error **err)
{
  struct v2v_cpio_reader *r = calloc (1, sizeof *r);

  if (r == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  r->visitor = *visitor;
  r->state = BETWEEN;
  return r;
}

void
v2v_cpio_reader_free (struct v2v_cpio_reader *r)
{
  if (r == NULL)
    return;
  free (r->data);
  free (r);
}

bool
v2v_cpio_reader_is_between (const struct v2v_cpio_reader *r)
{
  return r->state == BETWEEN;
}

/* ---- reading ---- */

static void
skip_padding (struct v2v_cpio_reader *r, uint64_t len, enum state then)
{
  r->pad = (unsigned) (-len & 3);
  r->after_skip = then;
  r->have = 0;
  r->state = r->pad ? SKIP : then;
}

static int
parse_number (const struct v2v_cpio_reader *r, unsigned index, uint32_t *ret,
              struct v2v_error **err)
{
  const char *p = r->header + 6 + 8 * index;
  uint8_t bytes[4];

  if (!v2v_unhex (p, 8, bytes, sizeof bytes))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "cpio: entry %" PRIu32
                     " has a field that is no hexadecimal number",
                     r->nr_entries);
  *ret = v2v_be32 (bytes);
  return 0;
}

static int
parse_header (struct v2v_cpio_reader *r, struct v2v_error **err)
{
  if (memcmp (r->header, "07070", 5) != 0 ||
      (r->header[5] != '1' && r->header[5] != '2'))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "cpio: entry %" PRIu32
                     " does not begin with 070701 or 070702",
                     r->nr_entries);
  if (++r->nr_entries > V2V_CPIO_MAX_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT, "cpio: more than %d entries",
                     V2V_CPIO_MAX_ENTRIES);
  r->has_sum = r->header[5] == '2';
  if (parse_number (r, 1, &r->mode, err) == -1 ||
      parse_number (r, 6, &r->data_len, err) == -1 ||
      parse_number (r, 11, &r->name_len, err) == -1 ||
      parse_number (r, 12, &r->expected_sum, err) == -1)
    return -1;
  if (r->name_len == 0 || r->name_len > V2V_CPIO_MAX_NAME)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "cpio: a name of %" PRIu32 " bytes, expected 1..%d",
                     r->name_len, V2V_CPIO_MAX_NAME);
  r->have = 0;
  r->state = NAME;
  return 0;
}

/* The contents, if any, are complete. */
static int
end_entry (struct v2v_cpio_reader *r, struct v2v_error **err)
{
  const struct v2v_cpio_entry e = {
    .name = r->name,
    .mode = r->mode,
    .size_bytes = r->data_len,
    .data = r->data,
  };

  if (r->has_sum && S_ISREG (r->mode) && r->sum != r->expected_sum)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "cpio: %s: checksum %08" PRIx32 ", expected %08" PRIx32,
                     r->name, r->sum, r->expected_sum);
  if (!r->is_trailer && r->visitor.visit (r->visitor.arg, &e, err) == -1)
    return -1;
  free (STEAL (r->data));
  skip_padding (r, r->data_len, r->is_trailer ? BETWEEN : HEADER);
  return 0;
}

static int
begin_data (struct v2v_cpio_reader *r, struct v2v_error **err)
{
  const struct v2v_cpio_entry e = { .name = r->name,
                                    .mode = r->mode,
                                    .size_bytes = r->data_len };

  if (r->name[r->name_len - 1] != '\0')
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "cpio: the name of entry %" PRIu32 " does not end",
                     r->nr_entries - 1);
  r->is_trailer = strcmp (r->name, TRAILER) == 0;
  r->sum = 0;
  r->data_left = r->data_len;
  if (!r->is_trailer && r->data_len <= V2V_CPIO_MAX_WANTED &&
      r->visitor.want != NULL && r->visitor.want (r->visitor.arg, &e)) {
    r->data = malloc ((size_t) r->data_len + 1);
    if (r->data == NULL)
      return v2v_fail_nomem (err);
    r->data[r->data_len] = '\0';
  }
  skip_padding (r, HEADER_BYTES + (uint64_t) r->name_len, DATA);
  return 0;
}

/* Fill BUF up to NEED from P; returns how many bytes were taken. */
static size_t
fill (struct v2v_cpio_reader *r, char *buf, size_t need, const uint8_t *p,
      size_t len)
{
  const size_t n = len < need - r->have ? len : need - r->have;

  memcpy (buf + r->have, p, n);
  r->have += n;
  return n;
}

static size_t
take_data (struct v2v_cpio_reader *r, const uint8_t *p, size_t len)
{
  const size_t n = len < r->data_left ? len : r->data_left;

  if (r->data != NULL)
    memcpy (r->data + (r->data_len - r->data_left), p, n);
  if (r->has_sum)
    for (size_t i = 0; i < n; ++i)
      r->sum += p[i];
  r->data_left -= (uint32_t) n;
  return n;
}

/* One step of the machine over at least one byte.  Sets *RET_STOP where the
 * bytes are no archive any more. */
static int
step (struct v2v_cpio_reader *r, const uint8_t *p, size_t len, size_t *ret_n,
      bool *ret_stop, struct v2v_error **err)
{
  size_t n = 0;
  int ret = 0;

  switch (r->state) {
  case BETWEEN:
    while (n < len && p[n] == 0)
      ++n;
    if (n < len && p[n] == '0' && ((r->offset + n) & 3) == 0)
      r->state = HEADER;
    else if (n < len && p[n] == '0')
      ret = v2v_fail (err, V2V_ERR_FORMAT,
                      "cpio: an archive begins at byte %" PRIu64
                      ", not at a multiple of four",
                      r->offset + n);
    else
      *ret_stop = n < len;
    r->have = 0;
    break;
  case HEADER:
    n = fill (r, r->header, HEADER_BYTES, p, len);
    if (r->have == HEADER_BYTES)
      ret = parse_header (r, err);
    break;
  case NAME:
    n = fill (r, r->name, r->name_len, p, len);
    if (r->have == r->name_len)
      ret = begin_data (r, err);
    break;
  case DATA:
    n = take_data (r, p, len);
    break;
  case SKIP:
    n = len < r->pad ? len : r->pad;
    r->pad -= (unsigned) n;
    if (r->pad == 0)
      r->state = r->after_skip;
    break;
  }
  /* Empty contents need no byte to end. */
  if (ret == 0 && r->state == DATA && r->data_left == 0)
    ret = end_entry (r, err);
  *ret_n = n;
  return ret;
}

int
v2v_cpio_reader_feed (struct v2v_cpio_reader *r, const void *data, size_t len,
                      size_t *ret_used, struct v2v_error **err)
{
  const uint8_t *p = data;
  size_t used = 0;
  bool stop = false;

  while (used < len && !stop) {
    size_t n;

    if (step (r, p + used, len - used, &n, &stop, err) == -1)
      return -1;
    used += n;
    r->offset += n;
  }
  *ret_used = used;
  return 0;
}

/* ---- writing ---- */

void
v2v_cpio_writer_free (struct v2v_cpio_writer *w)
{
  v2v_str_free (&w->out);
}

static int
pad (struct v2v_cpio_writer *w, struct v2v_error **err)
{
  if (v2v_str_append_len (&w->out, "\0\0\0", -w->out.len & 3) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

int
v2v_cpio_add (struct v2v_cpio_writer *w, const char *name, uint32_t mode,
              const void *data, size_t len, struct v2v_error **err)
{
  const size_t name_len = strlen (name) + 1;

  if (name_len > V2V_CPIO_MAX_NAME || len > UINT32_MAX)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "cpio: %s does not fit", name);
  /* Inode, mode, uid, gid, links, time, size, two devices, name, sum. */
  if (v2v_str_printf (&w->out,
                      "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X"
                      "%08X",
                      w->nr_entries + 1, mode, 0, 0, S_ISDIR (mode) ? 2 : 1, 0,
                      (unsigned) len, 0, 0, 0, 0, (unsigned) name_len,
                      0) == -1 ||
      v2v_str_append_len (&w->out, name, name_len) == -1)
    return v2v_fail_nomem (err);
  w->nr_entries++;
  if (pad (w, err) == -1)
    return -1;
  if (v2v_str_append_len (&w->out, data, len) == -1)
    return v2v_fail_nomem (err);
  return pad (w, err);
}

int
v2v_cpio_end (struct v2v_cpio_writer *w, struct v2v_error **err)
{
  return v2v_cpio_add (w, TRAILER, 0, "", 0, err);
}
