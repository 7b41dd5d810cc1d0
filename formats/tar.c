/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of tar: POSIX.1-1988 ustar, pax (POSIX.1-2001), GNU.
 *
 * Sizes over 8 GiB come in two ways, both read: GNU's base-256 number and the
 * pax record "size".  Long names: ustar prefix, GNU 'L' members, pax "path".
 * Refused: GNU sparse members in all four versions (their data is not in one
 * piece), links, devices, multi-volume members, a size or path in a global pax
 * header.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/tar.h"

#define BLOCK 512
/* A long name or a pax header: a name has at most 255 characters here, and
 * pax headers of common tools stay below 2 KiB.
 */
#define MAX_EXTRA (64 * 1024)

/* Offsets in a header block: the table "ustar Header Block" of POSIX. */
#define TAR_NAME     0
#define TAR_SIZE     124
#define TAR_CHECKSUM 148
#define TAR_TYPE     156
#define TAR_MAGIC    257
#define TAR_PREFIX   345

/* What pax and GNU headers say of the member that follows them. */
struct extra {
  char *name;
  bool has_size;
  uint64_t size;
};

static uint64_t
checksum (const uint8_t *h)
{
  uint64_t sum = 0;

  for (size_t i = 0; i < BLOCK; ++i)
    sum += i >= TAR_CHECKSUM && i < TAR_CHECKSUM + 8 ? ' ' : h[i];
  return sum;
}

/* Octal digits, blanks before and a blank or NUL after; or GNU's base-256. */
static bool
number (const uint8_t *p, size_t len, uint64_t *ret)
{
  uint64_t v = 0;
  size_t i = 0;

  if (p[0] & 0x80) {
    /* 0x80 and big-endian; 0xff would be negative. */
    if (p[0] != 0x80)
      return false;
    for (i = 1; i < len; ++i) {
      if (v >> 56 != 0)
        return false;
      v = v << 8 | p[i];
    }
    *ret = v;
    return true;
  }
  while (i < len && p[i] == ' ')
    i++;
  for (; i < len && p[i] >= '0' && p[i] <= '7'; ++i)
    v = v << 3 | (uint64_t) (p[i] - '0'); /* 12 digits: at most 36 bits */
  if (i < len && p[i] != ' ' && p[i] != '\0')
    return false;
  *ret = v;
  return true;
}

bool
v2v_tar_probe (const void *block)
{
  uint64_t stored;

  return number ((const uint8_t *) block + TAR_CHECKSUM, 8, &stored) &&
         stored != 0 && stored == checksum (block);
}

static char *
field_text (const uint8_t *p, size_t len)
{
  return strndup ((const char *) p, len);
}

/* prefix "/" name, the first only in ustar headers that are not GNU's. */
static char *
header_name (const uint8_t *h)
{
  CLEANUP_FREE char *prefix = NULL, *name = field_text (h + TAR_NAME, 100);
  char *both;

  if (name == NULL || memcmp (h + TAR_MAGIC, "ustar\0", 6) != 0 ||
      h[TAR_PREFIX] == '\0')
    return STEAL (name);
  prefix = field_text (h + TAR_PREFIX, 155);
  if (prefix == NULL || asprintf (&both, "%s/%s", prefix, name) == -1)
    return NULL;
  return both;
}

/* One "LEN KEY=VALUE\n" of a pax header. */
static int
pax_record (const char *key, size_t key_len, const char *value,
            size_t value_len, bool global, struct extra *x,
            struct v2v_error **err)
{
  const bool path = key_len == 4 && memcmp (key, "path", 4) == 0;
  const bool size = key_len == 4 && memcmp (key, "size", 4) == 0;

  if (key_len >= 10 && memcmp (key, "GNU.sparse", 10) == 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "tar: a sparse member, whose data is not in one piece");
  if ((path || size) && global)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "tar: global pax header with a path or size");
  if (path) {
    if (memchr (value, '\0', value_len) != NULL)
      return v2v_fail (err, V2V_ERR_FORMAT, "tar: pax path with a NUL");
    free (x->name);
    x->name = strndup (value, value_len);
    return x->name == NULL ? v2v_fail_nomem (err) : 0;
  }
  if (size) {
    uint64_t v = 0;

    if (value_len == 0)
      return v2v_fail (err, V2V_ERR_FORMAT, "tar: pax size is empty");
    for (size_t i = 0; i < value_len; ++i)
      if (value[i] < '0' || value[i] > '9' || !v2v_mul_u64 (v, 10, &v) ||
          !v2v_add_u64 (v, (uint64_t) (value[i] - '0'), &v))
        return v2v_fail (err, V2V_ERR_FORMAT, "tar: pax size is not a number");
    x->has_size = true;
    x->size = v;
  }
  return 0;
}

static int
pax_records (const char *p, size_t len, bool global, struct extra *x,
             struct v2v_error **err)
{
  while (len > 0 && *p != '\0') {
    size_t n = 0, digits = 0;
    const char *eq;

    while (digits < len && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
      n = n * 10 + (size_t) (p[digits++] - '0');
    if (digits == 0 || n > len || n < digits + 3 || p[digits] != ' ' ||
        p[n - 1] != '\n')
      return v2v_fail (err, V2V_ERR_FORMAT, "tar: malformed pax header");
    eq = memchr (p + digits + 1, '=', n - digits - 2);
    if (eq == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT, "tar: malformed pax header");
    if (pax_record (p + digits + 1, (size_t) (eq - p) - digits - 1, eq + 1,
                    (size_t) (p + n - 1 - (eq + 1)), global, x, err) == -1)
      return -1;
    p += n;
    len -= n;
  }
  return 0;
}

/* The data of a header member ('L', 'x', 'g'). */
static int
read_extra (struct v2v_tar *tar, char type, uint64_t offset, uint64_t size,
            struct extra *x, struct v2v_error **err)
{
  CLEANUP_FREE char *data = NULL;

  if (size == 0 || size > MAX_EXTRA)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "tar: header member of %" PRIu64 " bytes at %" PRIu64
                     ", expected 1..%d",
                     size, offset, MAX_EXTRA);
  data = malloc ((size_t) size + 1);
  if (data == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (tar->io, data, (size_t) size, offset, err) == -1)
    return -1;
  data[size] = '\0';
  if (type != 'L')
    return pax_records (data, (size_t) size, type == 'g', x, err);
  free (x->name);
  x->name = STEAL (data);
  return 0;
}

/* Strip "./", refuse what leads out. */
static int
check_name (char *name, struct v2v_error **err)
{
  size_t len;

  while (name[0] == '.' && name[1] == '/') {
    memmove (name, name + 2, strlen (name + 2) + 1);
    while (name[0] == '/')
      memmove (name, name + 1, strlen (name + 1) + 1);
  }
  len = strlen (name);
  if (len == 0 || len > 1024)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "tar: member name of %zu bytes, expected 1..1024", len);
  if (name[0] == '/' || strchr (name, '\\') != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "tar: member '%.80s' has an absolute path or a backslash",
                     name);
  for (const char *p = name; *p != '\0';) {
    const size_t n = strcspn (p, "/");

    if (n == 2 && p[0] == '.' && p[1] == '.')
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "tar: member '%.80s' has '..' in its path", name);
    p += n + (p[n] == '/');
  }
  for (const char *p = name; *p != '\0'; ++p)
    if ((unsigned char) *p < 32)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "tar: member name with a control character");
  return 0;
}

static const char *
type_name (char type)
{
  switch (type) {
  case '1':
    return "a hard link";
  case '2':
    return "a symbolic link";
  case '3':
  case '4':
    return "a device";
  case '6':
    return "a pipe";
  case 'S':
    return "a sparse member";
  case 'M':
    return "a part of a multi-volume archive";
  default:
    return "of an unknown type";
  }
}

/* What a whole archive may be packed with; files of such are unpacked first,
 * a pipe leads here. */
static const char *
packer_of (const void *head, size_t len)
{
  static const struct {
    const char *name;
    const char *magic;
    size_t len;
  } packers[] = {
    { "gzip", "\x1f\x8b", 2 },
    { "xz",
      "\xfd"
      "7zXZ",
      5 },
    { "bzip2", "BZh", 3 },
    { "zstd", "\x28\xb5\x2f\xfd", 4 },
    { "zip", "PK\x03\x04", 4 },
  };

  if (len == BLOCK && v2v_tar_probe (head))
    return NULL;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (packers); ++i)
    if (len >= packers[i].len &&
        memcmp (head, packers[i].magic, packers[i].len) == 0)
      return packers[i].name;
  return NULL;
}

/* Read a header; 1, 0 at the end (zero block or end of file), -1. */
static int
read_header (struct v2v_tar *tar, uint8_t h[BLOCK], struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (tar->io);
  size_t got = BLOCK;

  if (v2v_io_is_forward_only (tar->io)) {
    if (v2v_io_pread_upto (tar->io, h, BLOCK, tar->next, &got, err) == -1)
      return -1;
  }
  else if (tar->next >= size)
    got = 0;
  else if (!v2v_range_inside (tar->next, BLOCK, size))
    got = (size_t) (size - tar->next);
  else if (v2v_io_pread (tar->io, h, BLOCK, tar->next, err) == -1)
    return -1;
  if (got == 0)
    return 0;
  if (tar->next == 0 && packer_of (h, got) != NULL) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "%s: is packed with %s: such an archive is not read from a pipe",
              v2v_io_name (tar->io), packer_of (h, got));
    return v2v_hint (err, "give it as a file, or unpack it into the pipe");
  }
  if (got < BLOCK)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tar: header at %" PRIu64 " is cut off",
                     v2v_io_name (tar->io), tar->next);
  if (v2v_is_zero (h, BLOCK))
    return 0;
  if (!v2v_tar_probe (h))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tar: header at %" PRIu64 " has a wrong checksum",
                     v2v_io_name (tar->io), tar->next);
  return 1;
}

/* Where the data of the header at tar->next lies, and what comes after. */
static int
locate (struct v2v_tar *tar, const uint8_t *h, const struct extra *x,
        bool header_member, uint64_t *ret_offset, uint64_t *ret_size,
        struct v2v_error **err)
{
  uint64_t size = 0, offset = 0, end = 0, next = 0;

  if (!number (h + TAR_SIZE, 12, &size))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tar: header at %" PRIu64 " has a malformed size",
                     v2v_io_name (tar->io), tar->next);
  if (x->has_size && !header_member)
    size = x->size;
  if (!v2v_add_u64 (tar->next, BLOCK, &offset) ||
      !v2v_add_u64 (offset, size, &end) ||
      !v2v_round_up_u64 (end, BLOCK, &next) || next > INT64_MAX ||
      (!v2v_io_is_forward_only (tar->io) && end > v2v_io_size (tar->io)))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: tar: member of %" PRIu64 " bytes at %" PRIu64
                     " ends past the end of the archive (%" PRIu64 ")",
                     v2v_io_name (tar->io), size, offset,
                     v2v_io_size (tar->io));
  *ret_offset = offset;
  *ret_size = size;
  tar->next = next;
  return 0;
}

/* One header.  1: MEMBER is filled; 2: go on; 0: end; -1. */
static int
step (struct v2v_tar *tar, struct extra *x, struct v2v_tar_member *ret,
      struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;
  uint8_t h[BLOCK];
  uint64_t offset = 0, size = 0;
  const int r = read_header (tar, h, err);
  char type;

  if (r != 1)
    return r;
  type = (char) h[TAR_TYPE];
  if (locate (tar, h, x,
              type == 'L' || type == 'K' || type == 'x' || type == 'g', &offset,
              &size, err) == -1)
    return -1;
  if (type == 'L' || type == 'x' || type == 'g')
    return read_extra (tar, type, offset, size, x, err) == -1 ? -1 : 2;
  if (type == 'K')
    return 2; /* a long link name: the link itself is refused */
  name = x->name != NULL ? STEAL (x->name) : header_name (h);
  if (name == NULL)
    return v2v_fail_nomem (err);
  memset (x, 0, sizeof *x);
  if (type == '5' || (*name != '\0' && name[strlen (name) - 1] == '/'))
    return 2;
  if (type != '0' && type != '\0' && type != '7')
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: tar: member '%.80s' is %s, expected a regular file",
                     v2v_io_name (tar->io), name, type_name (type));
  if (check_name (name, err) == -1)
    return v2v_prefix (err, "%s", v2v_io_name (tar->io));
  ret->name = STEAL (name);
  ret->offset = offset;
  ret->size = size;
  return 1;
}

int
v2v_tar_next (struct v2v_tar *tar, struct v2v_tar_member *ret,
              struct v2v_error **err)
{
  struct extra x = { .name = NULL };
  int r;

  do
    r = step (tar, &x, ret, err);
  while (r == 2);
  free (x.name);
  return r;
}
