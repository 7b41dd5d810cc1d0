/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives: is every record whole?
 *
 * libhivex looks at the cells of a hive when it opens it, and at records when
 * it comes to them; what it does not look at, it relies on.  Changing a key
 * whose value shares its data with another one ends in an assertion
 * (lib/write.c, mark_block_unused), a security record with a wrong neighbour
 * in a write outside of the buffer (delete_sk), a short cell at the end of the
 * file in a read past it (lib/value.c, the list of "big data").  A guest
 * writes its hives as it likes; so nothing reaches libhivex before this walk.
 *
 * Source of the layout: "Windows registry file format specification" by
 * M. Suhanov (github.com/msuhanov/regf), "Cells", "Key node", "Subkeys list",
 * "Key values list", "Key value", "Key security", "Big data".
 *
 * The walk keeps its own stack, marks each cell when it comes to it and so
 * comes to none twice.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/vector.h"
#include "inject/hive-check.h"
#include "inject/hive-log.h"

#define NIL         UINT32_MAX
#define BIN_HEADER  32u
#define CELL_HEADER 4u
#define CELL_ALIGN  8u

/* What each record has at least, behind the size of its cell. */
#define KEY_BYTES      76u
#define VALUE_BYTES    20u
#define SECURITY_BYTES 20u
#define BIG_DATA_BYTES 8u
#define LIST_HEADER    4u

#define KEY_PREDEFINED          0x40u
#define KEY_NAME_LATIN          0x20u
#define VALUE_LATIN             1u
#define DATA_IN_RECORD          0x80000000u
#define BIG_DATA_PIECE          16344u
#define FIRST_PREDEFINED_HANDLE 0x80000000u

/* Windows refuses trees with more levels than this. */
#define MAX_LEVELS 512u
/* A security record serves all keys with the same rights: SOFTWARE of Windows
 * 11 has 2,500. */
#define MAX_SECURITY 1000000u

struct cell {
  const uint8_t *data;
  uint32_t len; /* of DATA: without the size field */
  uint32_t offset;
};

struct pending {
  uint32_t offset, level;
};
V2V_VECTOR (pending_vector, struct pending);

struct security {
  uint32_t offset, nr_keys;
};
V2V_VECTOR (security_vector, struct security);

struct check {
  const uint8_t *bins;
  uint32_t bins_bytes;
  const char *name;
  bool writing;
  uint8_t *cells;   /* a bit for each 4 bytes: a cell in use begins there */
  uint8_t *taken;   /* likewise: something refers to it */
  uint64_t entries; /* of lists, that may still be looked at */
  pending_vector keys;
  security_vector security; /* by offset */
  struct v2v_error **err;
};

/* Offsets in a hive count from its first bin, in messages from the begin of
 * the file. */
static uint64_t
in_file (uint32_t offset)
{
  return (uint64_t) offset + HIVE_BASE_BYTES;
}

/* The record WHAT at OFFSET is wrong: how it is and should be. Is -1. */
#define FAULT(c, what, offset, ...)                                            \
  (v2v_fail ((c)->err, V2V_ERR_GUEST, __VA_ARGS__),                            \
   v2v_prefix ((c)->err, "registry hive %s, %s at offset %" PRIu64, (c)->name, \
               what, in_file (offset)))

/* What libhivex finds itself when it reads is left to it then: is 0. */
#define ODD(c, what, offset, ...)                                              \
  ((c)->writing ? FAULT (c, what, offset, __VA_ARGS__) : 0)

/* ---- cells ---- */

static bool
bit_is_set (const uint8_t *bits, uint32_t offset)
{
  return bits[offset / 32] >> (offset / 4 % 8) & 1;
}

static void
bit_set (uint8_t *bits, uint32_t offset)
{
  bits[offset / 32] |= (uint8_t) (1u << (offset / 4 % 8));
}

/* The cells of the bin [POS, END-1] fill it. */
static int
scan_bin (struct check *c, uint32_t pos, uint32_t end)
{
  for (pos += BIN_HEADER; pos < end;) {
    const uint32_t raw = v2v_le32 (c->bins + pos);
    const bool used = raw >> 31;
    const uint32_t size = used ? UINT32_C (0) - raw : raw;

    if (size <= CELL_HEADER || size % 4 != 0 ||
        (c->writing && size % CELL_ALIGN != 0) || size > end - pos)
      return FAULT (c, "cell", pos,
                    "it has %" PRIu32
                    " bytes, expected a multiple of 8 up to %" PRIu32,
                    size, end - pos);
    if (used)
      bit_set (c->cells, pos);
    pos += size;
  }
  return 0;
}

static int
scan_cells (struct check *c)
{
  for (uint32_t pos = 0; pos < c->bins_bytes;) {
    const uint32_t size = v2v_le32 (c->bins + pos + 8);

    if (scan_bin (c, pos, pos + size) == -1)
      return -1;
    pos += size;
  }
  return 0;
}

/* The cell in use that begins at OFFSET; false: none does. */
static bool
cell_at (const struct check *c, uint32_t offset, struct cell *ret)
{
  if (offset % 4 != 0 || offset >= c->bins_bytes ||
      !bit_is_set (c->cells, offset))
    return false;
  ret->data = c->bins + offset + CELL_HEADER;
  ret->len = UINT32_C (0) - v2v_le32 (c->bins + offset) - CELL_HEADER;
  ret->offset = offset;
  return true;
}

static bool
has_id (const struct cell *cell, const char *id)
{
  return memcmp (cell->data, id, 2) == 0;
}

/* The cell that the record WHAT at FROM refers to as its PART.  1 = *RET;
 * 0 = there is none, which libhivex finds itself when it reads. */
static int
take (struct check *c, uint32_t offset, const char *what, uint32_t from,
      const char *part, struct cell *ret)
{
  if (!cell_at (c, offset, ret))
    return ODD (c, what, from,
                "its %s is at %" PRIu64 ", where no cell in use begins", part,
                in_file (offset));
  if (!c->writing)
    return 1;
  if (bit_is_set (c->taken, offset))
    return FAULT (c, what, from,
                  "its %s is at %" PRIu64 ", a cell that has another use", part,
                  in_file (offset));
  bit_set (c->taken, offset);
  return 1;
}

/* Lists that share cells could name more than the hive has bytes. */
static int
spend (struct check *c, const struct cell *list, uint32_t nr)
{
  if (nr > c->entries)
    return FAULT (c, "list", list->offset,
                  "with its %" PRIu32
                  " entries all lists have more than %" PRIu32
                  " bytes can hold",
                  nr, c->bins_bytes);
  c->entries -= nr;
  return 0;
}

/* ---- values ---- */

/* Data of BYTES bytes in pieces of BIG_DATA_PIECE. */
static int
check_big_data (struct check *c, const struct cell *big, uint32_t bytes)
{
  const char what[] = "big data";
  uint32_t nr, left = bytes;
  struct cell list, piece;
  int r;

  if (big->len < BIG_DATA_BYTES)
    return FAULT (c, what, big->offset,
                  "its cell has %" PRIu32 " bytes, expected %u or more",
                  big->len, BIG_DATA_BYTES);
  nr = v2v_le16 (big->data + 2);
  r = take (c, v2v_le32 (big->data + 4), what, big->offset, "list", &list);
  if (r != 1)
    return r;
  if (nr > list.len / 4)
    return FAULT (c, what, big->offset,
                  "it has %" PRIu32 " pieces, its list has room for %" PRIu32,
                  nr, list.len / 4);
  if (nr != v2v_div_up (bytes, BIG_DATA_PIECE) &&
      ODD (c, what, big->offset,
           "it has %" PRIu32 " pieces for %" PRIu32 " bytes, expected %" PRIu64,
           nr, bytes, v2v_div_up (bytes, BIG_DATA_PIECE)) == -1)
    return -1;
  if (spend (c, &list, nr) == -1)
    return -1;
  for (uint32_t i = 0; i < nr; ++i) {
    const uint32_t want = left < BIG_DATA_PIECE ? left : BIG_DATA_PIECE;

    r = take (c, v2v_le32 (list.data + 4 * i), what, big->offset, "piece",
              &piece);
    if (r != 1)
      return r;
    if (piece.len < want && ODD (c, what, big->offset,
                                 "its piece %" PRIu32 " has %" PRIu32
                                 " bytes, expected %" PRIu32 " or more",
                                 i, piece.len, want) == -1)
      return -1;
    left -= want;
  }
  return 0;
}

static int
check_data (struct check *c, const struct cell *value)
{
  const uint32_t raw = v2v_le32 (value->data + 4);
  const uint32_t bytes = raw & ~DATA_IN_RECORD;
  const uint32_t offset = v2v_le32 (value->data + 8);
  struct cell data;
  int r;

  if (raw & DATA_IN_RECORD)
    return bytes <= 4 ? 0
                      : ODD (c, "value", value->offset,
                             "%" PRIu32 " bytes of data in the record itself, "
                             "expected up to 4",
                             bytes);
  if (bytes == 0 && offset == NIL)
    return 0;
  r = take (c, offset, "value", value->offset, "data", &data);
  if (r != 1 || bytes <= data.len)
    return r == -1 ? -1 : 0;
  if (!has_id (&data, "db"))
    return ODD (c, "value", value->offset,
                "%" PRIu32 " bytes of data in a cell of %" PRIu32, bytes,
                data.len);
  return check_big_data (c, &data, bytes);
}

static int
check_value (struct check *c, const struct cell *key, uint32_t offset)
{
  struct cell value;
  uint32_t name_bytes;
  int r = take (c, offset, "key", key->offset, "value", &value);

  if (r != 1)
    return r;
  if (!has_id (&value, "vk"))
    return ODD (c, "value", offset, "no value begins there ('vk')");
  if (value.len < VALUE_BYTES)
    return FAULT (c, "value", offset,
                  "its cell has %" PRIu32 " bytes, expected %u or more",
                  value.len, VALUE_BYTES);
  name_bytes = v2v_le16 (value.data + 2);
  if (name_bytes > value.len - VALUE_BYTES &&
      ODD (c, "value", offset,
           "its name has %" PRIu32 " bytes, the cell has room for %" PRIu32,
           name_bytes, value.len - VALUE_BYTES) == -1)
    return -1;
  if (name_bytes % 2 != 0 && !(v2v_le16 (value.data + 16) & VALUE_LATIN) &&
      ODD (c, "value", offset,
           "its name has %" PRIu32 " bytes, expected an even number",
           name_bytes) == -1)
    return -1;
  return check_data (c, &value);
}

static int
check_values (struct check *c, const struct cell *key)
{
  const uint32_t nr = v2v_le32 (key->data + 36);
  struct cell list;
  int r;

  /* A key that stands for HKEY_PERFORMANCE_TEXT has a handle there. */
  if (nr == 0 || ((v2v_le16 (key->data + 2) & KEY_PREDEFINED) &&
                  nr >= FIRST_PREDEFINED_HANDLE))
    return 0;
  r = take (c, v2v_le32 (key->data + 40), "key", key->offset, "list of values",
            &list);
  if (r != 1)
    return r;
  if (nr > list.len / 4)
    return ODD (c, "key", key->offset,
                "it has %" PRIu32 " values, its list has room for %" PRIu32, nr,
                list.len / 4);
  if (spend (c, &list, nr) == -1)
    return -1;
  for (uint32_t i = 0; i < nr; ++i)
    if (check_value (c, key, v2v_le32 (list.data + 4 * i)) == -1)
      return -1;
  return 0;
}

/* ---- keys ---- */

/* The key at OFFSET, below PARENT (NULL: the root), will be looked at. */
static int
push_key (struct check *c, uint32_t offset, const struct cell *parent,
          uint32_t level)
{
  const struct pending p = { .offset = offset, .level = level };
  struct cell key;
  uint32_t up;

  if (!cell_at (c, offset, &key) || !has_id (&key, "nk"))
    return ODD (c, "key", offset, "no key begins there ('nk')");
  if (bit_is_set (c->taken, offset))
    return ODD (c, "key", offset,
                "it is listed twice, or its cell has another use");
  bit_set (c->taken, offset);
  if (key.len < KEY_BYTES)
    return FAULT (c, "key", offset,
                  "its cell has %" PRIu32 " bytes, expected %u or more",
                  key.len, KEY_BYTES);
  up = v2v_le32 (key.data + 16);
  if (parent != NULL && up != parent->offset &&
      ODD (c, "key", offset,
           "its parent is at %" PRIu64 ", the key that lists it at %" PRIu64,
           in_file (up), in_file (parent->offset)) == -1)
    return -1;
  if (level > MAX_LEVELS)
    return FAULT (c, "key", offset, "it is %" PRIu32 " levels deep, at most %u",
                  level, MAX_LEVELS);
  return pending_vector_append (&c->keys, p) == -1 ? v2v_fail_nomem (c->err)
                                                   : 0;
}

/* One list of subkeys. */
static int
check_leaf (struct check *c, const struct cell *key, const struct cell *leaf,
            uint32_t level, uint64_t *found)
{
  const bool hashed = has_id (leaf, "lf") || has_id (leaf, "lh");
  const uint32_t entry_bytes = hashed ? 8 : 4;
  const uint32_t nr = v2v_le16 (leaf->data + 2);

  if (has_id (leaf, "ri"))
    return FAULT (c, "list of subkeys", leaf->offset,
                  "a list of lists in a list of lists");
  if (!hashed && !has_id (leaf, "li"))
    return ODD (c, "key", key->offset,
                "no list of subkeys begins at %" PRIu64
                " ('lf', 'lh', 'li', 'ri')",
                in_file (leaf->offset));
  if (nr > (leaf->len - LIST_HEADER) / entry_bytes)
    return ODD (c, "list of subkeys", leaf->offset,
                "it has %" PRIu32 " entries, its cell has room for %" PRIu32,
                nr, (leaf->len - LIST_HEADER) / entry_bytes);
  if (spend (c, leaf, nr) == -1)
    return -1;
  *found += nr;
  for (uint32_t i = 0; i < nr; ++i)
    if (push_key (c, v2v_le32 (leaf->data + LIST_HEADER + i * entry_bytes), key,
                  level) == -1)
      return -1;
  return 0;
}

static int
check_lists (struct check *c, const struct cell *key, const struct cell *lists,
             uint32_t level, uint64_t *found)
{
  const uint32_t nr = v2v_le16 (lists->data + 2);
  struct cell leaf;
  int r;

  if (nr > (lists->len - LIST_HEADER) / 4)
    return ODD (c, "list of subkeys", lists->offset,
                "it has %" PRIu32 " entries, its cell has room for %" PRIu32,
                nr, (lists->len - LIST_HEADER) / 4);
  if (spend (c, lists, nr) == -1)
    return -1;
  for (uint32_t i = 0; i < nr; ++i) {
    r = take (c, v2v_le32 (lists->data + LIST_HEADER + 4 * i),
              "list of subkeys", lists->offset, "part", &leaf);
    if (r != 1)
      return r;
    if (check_leaf (c, key, &leaf, level, found) == -1)
      return -1;
  }
  return 0;
}

static int
check_subkeys (struct check *c, const struct cell *key, uint32_t level)
{
  const uint32_t nr = v2v_le32 (key->data + 20);
  uint64_t found = 0;
  struct cell list;
  int r;

  if (nr == 0) /* what the offset says is then of no meaning */
    return 0;
  r = take (c, v2v_le32 (key->data + 28), "key", key->offset, "list of subkeys",
            &list);
  if (r != 1)
    return r;
  r = has_id (&list, "ri") ? check_lists (c, key, &list, level, &found)
                           : check_leaf (c, key, &list, level, &found);
  if (r == -1)
    return -1;
  if (found != nr)
    return ODD (c, "key", key->offset,
                "it has %" PRIu32 " subkeys, %" PRIu64 " are listed", nr,
                found);
  return 0;
}

/* ---- security ---- */

static int
compare_security (const void *va, const void *vb)
{
  const struct security *a = va, *b = vb;

  return (a->offset > b->offset) - (a->offset < b->offset);
}

/* The ring of security records that the root's is in. */
static int
read_security (struct check *c, uint32_t first)
{
  const char what[] = "security record";
  uint32_t from = first, offset = first;
  struct cell cell;

  if (first == NIL)
    return 0;
  do {
    if (take (c, offset, what, from, "next", &cell) != 1)
      return -1;
    if (!has_id (&cell, "sk") || cell.len < SECURITY_BYTES ||
        v2v_le32 (cell.data + 16) > cell.len - SECURITY_BYTES)
      return FAULT (c, what, offset,
                    "no whole record ('sk') in its cell of %" PRIu32 " bytes",
                    cell.len);
    if (offset != first && v2v_le32 (cell.data + 8) != from)
      return FAULT (c, what, offset,
                    "the one before it is at %" PRIu64 ", it says %" PRIu64,
                    in_file (from), in_file (v2v_le32 (cell.data + 8)));
    if (c->security.len >= MAX_SECURITY)
      return FAULT (c, what, offset, "more than %u of them", MAX_SECURITY);
    if (security_vector_append (&c->security,
                                (struct security){ .offset = offset }) == -1)
      return v2v_fail_nomem (c->err);
    from = offset;
    offset = v2v_le32 (cell.data + 4);
  } while (offset != first);
  if (v2v_le32 (c->bins + first + CELL_HEADER + 8) != from)
    return FAULT (
        c, what, first, "the one before it is at %" PRIu64 ", it says %" PRIu64,
        in_file (from), in_file (v2v_le32 (c->bins + first + CELL_HEADER + 8)));
  qsort (c->security.ptr, c->security.len, sizeof c->security.ptr[0],
         compare_security);
  return 0;
}

/* A record is freed with the last key that refers to it: its count may be too
 * high (tools forget to count down), never too low, nor wrap. */
static int
check_security (struct check *c, const struct cell *key)
{
  const struct security wanted = { .offset = v2v_le32 (key->data + 44) };
  struct security *s;
  uint32_t count;

  if (wanted.offset == NIL)
    return 0;
  s = c->security.len == 0
          ? NULL
          : bsearch (&wanted, c->security.ptr, c->security.len,
                     sizeof c->security.ptr[0], compare_security);
  if (s == NULL)
    return FAULT (c, "key", key->offset,
                  "its security record, at %" PRIu64
                  ", is not in the list of them",
                  in_file (wanted.offset));
  count = v2v_le32 (c->bins + s->offset + CELL_HEADER + 12);
  ++s->nr_keys;
  if (s->nr_keys > count || count > INT32_MAX)
    return FAULT (c, "security record", s->offset,
                  "it counts %" PRIu32 " keys, %" PRIu32 " or more refer to it",
                  count, s->nr_keys);
  return 0;
}

/* ---- all ---- */

static int
check_class (struct check *c, const struct cell *key)
{
  const uint32_t offset = v2v_le32 (key->data + 48);
  const uint32_t bytes = v2v_le16 (key->data + 74);
  struct cell text;

  if (offset == NIL)
    return 0;
  if (take (c, offset, "key", key->offset, "class name", &text) != 1)
    return -1;
  if (bytes > text.len)
    return FAULT (c, "key", key->offset,
                  "its class name has %" PRIu32 " bytes, the cell %" PRIu32,
                  bytes, text.len);
  return 0;
}

static int
check_key (struct check *c, const struct pending *p)
{
  struct cell key;
  uint32_t name_bytes;

  if (!cell_at (c, p->offset, &key))
    return 0; /* it was one when it was put on the stack */
  name_bytes = v2v_le16 (key.data + 72);
  if (name_bytes > key.len - KEY_BYTES &&
      ODD (c, "key", p->offset,
           "its name has %" PRIu32 " bytes, the cell has room for %" PRIu32,
           name_bytes, key.len - KEY_BYTES) == -1)
    return -1;
  if (name_bytes % 2 != 0 && !(v2v_le16 (key.data + 2) & KEY_NAME_LATIN) &&
      ODD (c, "key", p->offset,
           "its name has %" PRIu32 " bytes, expected an even number",
           name_bytes) == -1)
    return -1;
  if (c->writing &&
      (check_class (c, &key) == -1 || check_security (c, &key) == -1))
    return -1;
  if (check_values (c, &key) == -1)
    return -1;
  return check_subkeys (c, &key, p->level + 1);
}

static int
check_tree (struct check *c, uint32_t root)
{
  struct cell key;

  if (!cell_at (c, root, &key) || !has_id (&key, "nk"))
    return FAULT (c, "root", root, "no key begins there ('nk')");
  if (push_key (c, root, NULL, 1) == -1)
    return -1;
  if (c->writing && read_security (c, v2v_le32 (key.data + 44)) == -1)
    return -1;
  while (c->keys.len > 0) {
    const struct pending p = c->keys.ptr[--c->keys.len];

    if (check_key (c, &p) == -1)
      return -1;
  }
  return 0;
}

int
hive_check_records (const void *data, size_t len, const char *name,
                    bool writing, struct v2v_error **err)
{
  struct check c = { .name = name, .writing = writing, .err = err };
  struct hive_base base;
  int r = -1;

  if (hive_check_whole (data, len, name, err) == -1)
    return -1;
  hive_base_parse (data, len, &base);
  c.bins = (const uint8_t *) data + HIVE_BASE_BYTES;
  c.bins_bytes = base.bins_bytes;
  c.entries = base.bins_bytes / 4;
  c.cells = calloc (base.bins_bytes / 32 + 1, 1);
  c.taken = calloc (base.bins_bytes / 32 + 1, 1);
  if (c.cells == NULL || c.taken == NULL)
    v2v_fail_nomem (err);
  else if (scan_cells (&c) == 0)
    r = check_tree (&c, base.root_offset);
  free (c.cells);
  free (c.taken);
  free (c.keys.ptr);
  free (c.security.ptr);
  return r;
}
