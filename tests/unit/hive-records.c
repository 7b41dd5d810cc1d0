/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See hive-records.h.
 *
 * Source of the layout: "Windows registry file format specification"
 * (github.com/msuhanov/regf).
 */

#include <config.h>

#include <stdbool.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "hive-records.h"
#include "inject/hive-log.h"

#define NIL UINT32_MAX

struct build {
  uint8_t *buf;
  size_t next;
};

/* A cell for LEN bytes; where they are in the file. */
static size_t
cell (struct build *b, size_t len, const char *id)
{
  const size_t size = (len + 4 + 7) / 8 * 8, at = b->next + 4;

  v2v_put_le32 (b->buf + b->next, UINT32_C (0) - (uint32_t) size);
  b->next += size;
  if (id != NULL)
    memcpy (b->buf + at, id, 2);
  return at;
}

/* What a hive writes to refer to the record at AT. */
static uint32_t
ref (size_t at)
{
  return (uint32_t) (at - 4 - HIVE_BASE_BYTES);
}

static void
put (struct build *b, size_t at, uint32_t v)
{
  v2v_put_le32 (b->buf + at, v);
}

static size_t
key (struct build *b, const char *name, size_t parent)
{
  const size_t at = cell (b, 76 + strlen (name), "nk");

  v2v_put_le16 (b->buf + at + 2, parent == 0 ? 0x2c : 0x20);
  put (b, at + 16, parent == 0 ? NIL : ref (parent));
  put (b, at + 28, NIL);
  put (b, at + 32, NIL);
  put (b, at + 40, NIL);
  put (b, at + 48, NIL);
  v2v_put_le16 (b->buf + at + 72, (uint16_t) strlen (name));
  memcpy (b->buf + at + 76, name, strlen (name));
  return at;
}

static uint32_t
hash (const char *name)
{
  uint32_t h = 0;

  for (; *name != '\0'; ++name)
    h = h * 37 +
        (uint8_t) (*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
  return h;
}

/* A list 'lf', 'lh' or 'li' of the NR keys at KEYS. */
static size_t
list (struct build *b, const char *id, const size_t *keys, unsigned nr)
{
  const unsigned entry = id[1] == 'i' ? 4 : 8;
  const size_t at = cell (b, 4 + nr * entry, id);

  v2v_put_le16 (b->buf + at + 2, (uint16_t) nr);
  for (unsigned i = 0; i < nr; ++i) {
    const char *name = (const char *) b->buf + keys[i] + 76;
    const unsigned len = v2v_le16 (b->buf + keys[i] + 72);
    char text[16] = "";

    put (b, at + 4 + i * entry, ref (keys[i]));
    memcpy (text, name, len);
    if (id[1] == 'f')
      memcpy (b->buf + at + 8 + i * entry, text, 4);
    else if (id[1] == 'h')
      put (b, at + 8 + i * entry, hash (text));
  }
  return at;
}

static void
set_list (struct build *b, size_t at, unsigned nr, size_t its_list)
{
  put (b, at + 20, nr);
  put (b, at + 28, ref (its_list));
}

static size_t
value (struct build *b, const char *name, uint32_t type, uint32_t bytes,
       uint32_t data)
{
  const size_t at = cell (b, 20 + strlen (name), "vk");

  v2v_put_le16 (b->buf + at + 2, (uint16_t) strlen (name));
  put (b, at + 4, bytes);
  put (b, at + 8, data);
  put (b, at + 12, type);
  v2v_put_le16 (b->buf + at + 16, 1);
  memcpy (b->buf + at + 20, name, strlen (name));
  return at;
}

static void
put_values (struct build *b, struct hive_records *r)
{
  static const char text[] = "t\0e\0x\0t\0\0";

  r->text_data = cell (b, sizeof text, NULL);
  memcpy (b->buf + r->text_data, text, sizeof text);
  for (unsigned i = 0; i < 2; ++i) {
    r->big_piece[i] = cell (b, i == 0 ? 16344 : HIVE_RECORDS_BIG - 16344, NULL);
    memset (b->buf + r->big_piece[i], 'a' + (int) i, 3000);
  }
  r->big_list = cell (b, 8, NULL);
  put (b, r->big_list, ref (r->big_piece[0]));
  put (b, r->big_list + 4, ref (r->big_piece[1]));
  r->big_data = cell (b, 8, "db");
  v2v_put_le16 (b->buf + r->big_data + 2, 2);
  put (b, r->big_data + 4, ref (r->big_list));
  r->big = value (b, "Big", 3, HIVE_RECORDS_BIG, ref (r->big_data));
  r->empty = value (b, "Empty", 1, 0x80000000, 0);
  r->none = value (b, "None", 1, 0, NIL);
  r->number = value (b, "Number", 4, 0x80000004, 7);
  r->text = value (b, "Text", 1, sizeof text, ref (r->text_data));
  r->values = cell (b, 20, NULL);
  put (b, r->values, ref (r->big));
  put (b, r->values + 4, ref (r->empty));
  put (b, r->values + 8, ref (r->none));
  put (b, r->values + 12, ref (r->number));
  put (b, r->values + 16, ref (r->text));
  put (b, r->values_key + 36, 5);
  put (b, r->values_key + 40, ref (r->values));
}

static void
put_keys (struct build *b, struct hive_records *r)
{
  static const char *const names[] = { "A", "B", "C" };
  size_t below[3];

  r->root = key (b, "ROOT", 0);
  r->class_name = cell (b, 6, NULL);
  memcpy (b->buf + r->class_name, "c\0l\0s", 6);
  put (b, r->root + 48, ref (r->class_name));
  v2v_put_le16 (b->buf + r->root + 74, 6);
  below[0] = r->leaf_key = key (b, "Leaf", r->root);
  below[1] = r->lists_key = key (b, "Lists", r->root);
  below[2] = r->values_key = key (b, "Values", r->root);
  r->root_list = list (b, "lh", below, 3);
  set_list (b, r->root, 3, r->root_list);
  r->leaf_child = key (b, "A", r->leaf_key);
  r->leaf_list = list (b, "li", &r->leaf_child, 1);
  set_list (b, r->leaf_key, 1, r->leaf_list);
  for (unsigned i = 0; i < 3; ++i)
    r->lists_child[i] = key (b, names[i], r->lists_key);
  r->lists_first = list (b, "lf", r->lists_child, 1);
  r->lists_second = list (b, "lh", r->lists_child + 1, 2);
  r->lists = cell (b, 12, "ri");
  v2v_put_le16 (b->buf + r->lists + 2, 2);
  put (b, r->lists + 4, ref (r->lists_first));
  put (b, r->lists + 8, ref (r->lists_second));
  set_list (b, r->lists_key, 3, r->lists);
}

/* Two of them: the second is that of "Leaf" and what is below it. */
static void
put_security (struct build *b, struct hive_records *r)
{
  static const uint8_t descriptor[20] = { 1, 0, 0x00, 0x80 };
  const size_t first[] = { r->root,           r->lists_key,
                           r->values_key,     r->lists_child[0],
                           r->lists_child[1], r->lists_child[2] };

  for (unsigned i = 0; i < 2; ++i)
    r->security[i] = cell (b, 20 + sizeof descriptor, "sk");
  for (unsigned i = 0; i < 2; ++i) {
    put (b, r->security[i] + 4, ref (r->security[1 - i]));
    put (b, r->security[i] + 8, ref (r->security[1 - i]));
    put (b, r->security[i] + 12, i == 0 ? 6 : 2);
    put (b, r->security[i] + 16, sizeof descriptor);
    memcpy (b->buf + r->security[i] + 20, descriptor, sizeof descriptor);
  }
  for (unsigned i = 0; i < 6; ++i)
    put (b, first[i] + 44, ref (r->security[0]));
  put (b, r->leaf_key + 44, ref (r->security[1]));
  put (b, r->leaf_child + 44, ref (r->security[1]));
}

void
hive_records_seal (uint8_t *buf)
{
  v2v_put_le32 (buf + 508, hive_base_checksum (buf));
}

void
hive_records_build (uint8_t *buf, struct hive_records *ret)
{
  struct build b = { .buf = buf, .next = HIVE_BASE_BYTES + 32 };

  memset (buf, 0, HIVE_RECORDS_BYTES);
  memcpy (buf + HIVE_BASE_BYTES, "hbin", 4);
  v2v_put_le32 (buf + HIVE_BASE_BYTES + 8, HIVE_RECORDS_BINS);
  put_keys (&b, ret);
  put_values (&b, ret);
  put_security (&b, ret);
  ret->unused = b.next + 4;
  put (&b, b.next, (uint32_t) (HIVE_RECORDS_BYTES - b.next));

  memcpy (buf, "regf", 4);
  v2v_put_le32 (buf + 4, 7);
  v2v_put_le32 (buf + 8, 7);
  v2v_put_le64 (buf + 12, UINT64_C (0x01d295050000abcd));
  v2v_put_le32 (buf + 20, 1);
  v2v_put_le32 (buf + 24, 5);
  v2v_put_le32 (buf + 32, 1);
  v2v_put_le32 (buf + 36, ref (ret->root));
  v2v_put_le32 (buf + 40, HIVE_RECORDS_BINS);
  v2v_put_le32 (buf + 44, 1);
  hive_records_seal (buf);
}
