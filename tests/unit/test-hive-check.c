/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole and damaged hives: what may reach libhivex, and what it then makes. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "hive-records.h"
#include "inject/hive-check.h"
#include "inject/hive-log.h"
#include "inject/hive.h"
#include "test-util.h"

static char *dir;
static char file[512];
static uint8_t hive[HIVE_RECORDS_BYTES];
static struct hive_records at;

static int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  snprintf (file, sizeof file, "%s/HIVE", dir);
  hive_records_build (hive, &at);
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

static uint32_t
ref (size_t record)
{
  return (uint32_t) (record - 4 - HIVE_BASE_BYTES);
}

static void
assert_whole (bool writing)
{
  struct v2v_error *err = NULL;

  assert_ok (hive_check_records (hive, sizeof hive, "TEST", writing, &err),
             err);
}

static void
assert_refused (bool writing, const char *text)
{
  struct v2v_error *err = NULL;

  if (hive_check_records (hive, sizeof hive, "TEST", writing, &err) == 0)
    fail_msg ("not refused: %s", text);
  assert_error (&err, V2V_ERR_GUEST, text);
}

static struct v2v_hive *
open_it (bool writing)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  test_write_file (file, hive, sizeof hive);
  h = v2v_hive_open (file, "TEST", writing, NULL, &err);
  assert_ptr (h, err);
  return h;
}

/* ---- whole ---- */

static void
test_constructed_hive_of_every_record_is_whole_and_read (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  uint32_t type, n;
  char **list, *s;
  void *data;
  size_t len;

  (void) state;
  assert_whole (true);
  assert_whole (false);
  h = open_it (false);
  assert_int_equal (v2v_hive_get_dword (h, "Values", "Number", &n, &err), 1);
  assert_int_equal (n, 7);
  s = v2v_hive_get_string (h, "Values", "Text", &err);
  assert_string_equal (s, "text");
  free (s);
  assert_int_equal (v2v_hive_get (h, "Values", "Big", &type, &data, &len, &err),
                    1);
  assert_int_equal (len, HIVE_RECORDS_BIG);
  assert_int_equal (((char *) data)[2999], 'a');
  free (data);
  list = v2v_hive_subkeys (h, "Lists", &err);
  assert_ptr (list, err);
  assert_string_equal (list[0], "A");
  assert_string_equal (list[2], "C");
  assert_null (list[3]);
  v2v_guest_free_list (list);
  assert_int_equal (v2v_hive_has_key (h, "Leaf\\A", &err), 1);
  v2v_hive_close (h);
}

static void
test_what_windows_leaves_about_is_whole (void **state)
{
  (void) state;
  /* A count that was not counted down; offsets where the count is zero. */
  v2v_put_le32 (hive + at.security[0] + 12, 1000);
  v2v_put_le32 (hive + at.leaf_child + 28, 0x12345);
  v2v_put_le32 (hive + at.leaf_child + 40, 0x12345);
  v2v_put_le32 (hive + at.leaf_child + 32, 0x12345);
  assert_whole (true);
  /* A key that stands for HKEY_PERFORMANCE_TEXT. */
  v2v_put_le16 (hive + at.leaf_child + 2, 0x60);
  v2v_put_le32 (hive + at.leaf_child + 36, 0x80000050);
  assert_whole (true);
  v2v_put_le32 (hive + at.leaf_child + 36, 0x50);
  assert_refused (true, "its list of values is at");
}

static void
test_real_hives_are_whole (void **state)
{
  static const char *const names[] = {
    "hives/windows/SYSTEM.xz",
    "hives/windows/BCD.xz",
    "hives/yarp/BigDataHive",
    "hives/yarp/EmptyHive",
    "hives/yarp/ManySubkeysHive",
    "hives/yarp/UnicodeHive",
    "hives/yarp/NewDirtyHive1/RecoveredHive_Windows10",
    "hives/hivex/minimal",
    "hives/hivex/special",
  };

  (void) state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    char *path = strstr (names[i], ".xz") != NULL
                     ? test_sample_unpacked (names[i], dir)
                     : test_sample (names[i]);
    struct v2v_error *err = NULL;
    uint8_t *data;
    size_t len;

    if (path == NULL)
      skip ();
    data = test_read_file (path, &len);
    assert_ok (hive_check_records (data, len, names[i], true, &err), err);
    assert_ok (hive_check_records (data, len, names[i], false, &err), err);
    free (data);
    free (path);
  }
}

/* ---- damaged ---- */

#define AT(field) offsetof (struct hive_records, field)
#define NO_RECORD SIZE_MAX

struct damage {
  size_t record; /* which */
  int plus;      /* where in it */
  unsigned bytes;
  uint32_t value;
  size_t refers; /* the value is where this record is, or NO_RECORD */
  bool reading;  /* refused when reading, too */
  const char *text;
};

#define TO(field)    0, AT (field)
#define NUMBER(n)    n, NO_RECORD
#define WHEN_WRITING false
#define ALWAYS       true

static const struct damage damages[] = {
  /* cells */
  { AT (unused), -4, 4, NUMBER (12), ALWAYS, "cell at offset" },
  { AT (unused), -4, 4, NUMBER (0), ALWAYS, "it has 0 bytes, expected" },
  { AT (unused), -4, 4, NUMBER (0x7ffffff8), ALWAYS, "2147483640 bytes" },
  { AT (unused), -4, 4, NUMBER (0x80000000), ALWAYS, "2147483648 bytes" },
  { AT (text_data), -4, 4, NUMBER (24), ALWAYS, "cell at offset" },
  /* keys */
  { AT (root), 0, 2, NUMBER (0x7878), ALWAYS, "root at offset 4128: no key" },
  { AT (leaf_key), 16, 4, TO (lists_key), WHEN_WRITING, "its parent is at" },
  { AT (leaf_key), 16, 4, NUMBER (0), WHEN_WRITING,
    "its parent is at 4096, the key that lists it at 4128" },
  { AT (leaf_list), 4, 4, TO (values_key), WHEN_WRITING, "it is listed twice" },
  { AT (leaf_list), 4, 4, TO (root), WHEN_WRITING, "it is listed twice" },
  { AT (leaf_list), 4, 4, TO (leaf_key), WHEN_WRITING, "it is listed twice" },
  { AT (leaf_list), 4, 4, TO (text), WHEN_WRITING, "no key begins there" },
  { AT (leaf_list), 4, 4, TO (unused), WHEN_WRITING, "no key begins there" },
  { AT (leaf_list), 4, 4, NUMBER (0x7ffffff0), WHEN_WRITING,
    "no key begins there" },
  { AT (leaf_list), 4, 4, NUMBER (0x21), WHEN_WRITING, "no key begins there" },
  { AT (leaf_child), 72, 2, NUMBER (200), WHEN_WRITING,
    "its name has 200 bytes, the cell has room for 8" },
  { AT (leaf_child), 2, 2, NUMBER (0), WHEN_WRITING,
    "its name has 1 bytes, expected an even number" },
  { AT (root), 48, 4, NUMBER (8), WHEN_WRITING,
    "its class name is at 4104, where no cell in use begins" },
  { AT (root), 48, 4, TO (text_data), WHEN_WRITING, "another use" },
  { AT (root), 74, 2, NUMBER (60000), WHEN_WRITING,
    "its class name has 60000 bytes, the cell 12" },
  /* lists of subkeys */
  { AT (root), 20, 4, NUMBER (4), WHEN_WRITING,
    "key at offset 4128: it has 4 subkeys, 3 are listed" },
  { AT (root), 20, 4, NUMBER (2), WHEN_WRITING, "it has 2 subkeys" },
  { AT (root), 28, 4, TO (unused), WHEN_WRITING, "its list of subkeys is at" },
  { AT (root), 28, 4, TO (text_data), WHEN_WRITING, "no list of subkeys" },
  { AT (root_list), 2, 2, NUMBER (4), WHEN_WRITING,
    "it has 4 entries, its cell has room for 3" },
  { AT (leaf_list), 2, 2, NUMBER (3), WHEN_WRITING,
    "it has 3 entries, its cell has room for 2" },
  { AT (lists), 2, 2, NUMBER (3), WHEN_WRITING,
    "it has 3 entries, its cell has room for 2" },
  { AT (lists), 4, 4, TO (lists), ALWAYS, "list of subkeys at offset" },
  { AT (lists), 8, 4, TO (lists_first), WHEN_WRITING,
    "its part is at 4896, a cell that has another use" },
  { AT (lists), 8, 4, TO (unused), WHEN_WRITING, "its part is at" },
  { AT (lists_key), 28, 4, TO (root_list), WHEN_WRITING, "another use" },
  /* values */
  { AT (values_key), 36, 4, NUMBER (6), WHEN_WRITING,
    "it has 6 values, its list has room for 5" },
  { AT (values_key), 36, 4, NUMBER (UINT32_MAX), WHEN_WRITING,
    "it has 4294967295 values" },
  { AT (values_key), 40, 4, TO (unused), WHEN_WRITING, "its list of values" },
  { AT (values), 4, 4, TO (big), WHEN_WRITING, "another use" },
  { AT (values), 4, 4, TO (leaf_key), WHEN_WRITING, "another use" },
  { AT (values), 4, 4, TO (unused), WHEN_WRITING, "its value is at" },
  { AT (empty), 0, 2, NUMBER (0x7878), WHEN_WRITING, "no value begins there" },
  { AT (text), 2, 2, NUMBER (500), WHEN_WRITING, "its name has 500 bytes" },
  { AT (number), 4, 4, NUMBER (0x80000005), WHEN_WRITING,
    "5 bytes of data in the record itself, expected up to 4" },
  { AT (text), 4, 4, NUMBER (13), WHEN_WRITING,
    "13 bytes of data in a cell of 12" },
  { AT (text), 8, 4, TO (values), WHEN_WRITING, "another use" },
  { AT (text), 8, 4, TO (unused), WHEN_WRITING, "its data is at" },
  { AT (none), 8, 4, NUMBER (0), WHEN_WRITING,
    "its data is at 4096, where no cell in use begins" },
  { AT (none), 8, 4, TO (text_data), WHEN_WRITING, "another use" },
  { AT (none), 4, 4, NUMBER (1), WHEN_WRITING, "where no cell in use begins" },
  /* big data */
  { AT (big), 4, 4, NUMBER (40000), WHEN_WRITING,
    "it has 2 pieces for 40000 bytes, expected 3" },
  { AT (big), 4, 4, NUMBER (0x7fffffff), WHEN_WRITING,
    "pieces for 2147483647" },
  { AT (big_data), 2, 2, NUMBER (3), WHEN_WRITING, "3 pieces for 20000 bytes" },
  { AT (big_data), 2, 2, NUMBER (4), ALWAYS,
    "it has 4 pieces, its list has room for 3" },
  { AT (big_data), 2, 2, NUMBER (65535), ALWAYS, "it has 65535 pieces" },
  { AT (big_data), 4, 4, TO (unused), WHEN_WRITING, "its list is at" },
  { AT (big_list), 0, 4, TO (unused), WHEN_WRITING, "its piece is at" },
  { AT (big_list), 0, 4, TO (big_piece[1]), WHEN_WRITING,
    "its piece 0 has 3660 bytes, expected 16344 or more" },
  { AT (big_list), 4, 4, TO (big_piece[0]), WHEN_WRITING, "another use" },
  /* security */
  { AT (root), 44, 4, TO (unused), WHEN_WRITING, "its next is at" },
  { AT (root), 44, 4, TO (text_data), WHEN_WRITING, "no whole record ('sk')" },
  { AT (root), 44, 4, NUMBER (UINT32_MAX), WHEN_WRITING,
    "is not in the list of them" },
  { AT (security[0]), 4, 4, TO (text_data), WHEN_WRITING, "no whole record" },
  { AT (security[0]), 4, 4, TO (security[0]), WHEN_WRITING,
    "the one before it is at" },
  { AT (security[0]), 8, 4, NUMBER (0x41414141), WHEN_WRITING,
    "it says 1094799681" },
  { AT (security[1]), 4, 4, NUMBER (0x41414141), WHEN_WRITING,
    "its next is at 1094799681" },
  { AT (security[1]), 4, 4, TO (security[1]), WHEN_WRITING, "another use" },
  { AT (security[1]), 8, 4, TO (security[1]), WHEN_WRITING, "it says" },
  { AT (security[0]), 16, 4, NUMBER (1000), WHEN_WRITING, "no whole record" },
  { AT (security[0]), 12, 4, NUMBER (5), WHEN_WRITING,
    "it counts 5 keys, 6 or more refer to it" },
  { AT (security[1]), 12, 4, NUMBER (0), WHEN_WRITING,
    "it counts 0 keys, 1 or more refer to it" },
  { AT (security[1]), 12, 4, NUMBER (UINT32_MAX), WHEN_WRITING,
    "it counts 4294967295 keys" },
  { AT (leaf_key), 44, 4, TO (root_list), WHEN_WRITING,
    "is not in the list of them" },
};

static size_t
record (size_t field)
{
  return *(const size_t *) ((const char *) &at + field);
}

static void
test_each_damage_is_refused_and_named (void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; ++i) {
    const struct damage *d = &damages[i];
    uint8_t *p;

    hive_records_build (hive, &at);
    p = hive + (ptrdiff_t) record (d->record) + d->plus;
    if (d->bytes == 2)
      v2v_put_le16 (p, (uint16_t) d->value);
    else
      v2v_put_le32 (p, d->refers == NO_RECORD ? d->value
                                              : ref (record (d->refers)));
    assert_refused (true, d->text);
    if (d->reading)
      assert_refused (false, d->text);
    else
      assert_whole (false);
  }
}

/* The record gets LEN bytes, the rest of its cell is not in use. */
static void
shorten (size_t where, uint32_t len)
{
  const uint32_t now = UINT32_C (0) - v2v_le32 (hive + where - 4);

  v2v_put_le32 (hive + where - 4, UINT32_C (0) - (len + 4));
  v2v_put_le32 (hive + where + len, now - (len + 4));
}

static void
test_records_that_their_cells_cut_off_are_refused (void **state)
{
  static const struct {
    size_t record;
    uint32_t len;
    bool reading;
    const char *text;
  } rows[] = {
    { AT (leaf_child), 68, ALWAYS, "its cell has 68 bytes, expected 76" },
    { AT (number), 12, ALWAYS, "its cell has 12 bytes, expected 20" },
    { AT (big_data), 4, ALWAYS, "its cell has 4 bytes, expected 8" },
    { AT (security[1]), 12, WHEN_WRITING, "in its cell of 12 bytes" },
    { AT (big_list), 4, ALWAYS, "its list has room for 1" },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    hive_records_build (hive, &at);
    shorten (record (rows[i].record), rows[i].len);
    assert_refused (true, rows[i].text);
    if (rows[i].reading)
      assert_refused (false, rows[i].text);
    else
      assert_whole (false);
  }
}

static void
test_names_in_utf16_have_an_even_length (void **state)
{
  (void) state;
  v2v_put_le16 (hive + at.text + 16, 0);
  assert_whole (true);
  v2v_put_le16 (hive + at.text + 2, 3);
  assert_refused (true, "its name has 3 bytes, expected an even number");
  assert_whole (false);
}

static void
test_cells_fill_their_bin_and_are_aligned (void **state)
{
  const uint32_t rest = (uint32_t) (HIVE_RECORDS_BYTES - (at.unused - 4));

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    v2v_put_le32 (hive + at.unused - 4, rest + (i == 0 ? 8 : 4));
    assert_refused (i == 0, "cell at offset");
  }
  /* Cells of 12 bytes: libhivex takes them, Windows does not. */
  v2v_put_le32 (hive + at.unused - 4, 12);
  v2v_put_le32 (hive + at.unused + 8, rest - 12);
  assert_refused (true, "it has 12 bytes, expected a multiple of 8");
  assert_whole (false);
}

static void
test_offsets_in_the_middle_of_a_cell_lead_nowhere (void **state)
{
  (void) state;
  for (unsigned i = 1; i < 12; ++i) {
    hive_records_build (hive, &at);
    v2v_put_le32 (hive + at.leaf_list + 4, ref (at.leaf_child) + i);
    assert_refused (true, "no key begins there");
    assert_whole (false);
    hive_records_build (hive, &at);
    v2v_put_le32 (hive + at.text + 8, ref (at.text_data) + i);
    assert_refused (true, "its data is at");
    assert_whole (false);
  }
}

static void
share_list (size_t key, uint32_t nr)
{
  v2v_put_le32 (hive + key + 36, nr);
  v2v_put_le32 (hive + key + 40, ref (at.big_piece[0]));
}

/* Keys that share one long list of values: reading it for each would take as
 * long as there are keys.  The bins could hold 8192 entries; 16 are in the
 * other lists. */
static void
test_lists_that_share_cells_are_bounded (void **state)
{
  (void) state;
  share_list (at.leaf_key, 16344 / 4);
  share_list (at.lists_key, 16344 / 4);
  assert_whole (false);
  share_list (at.leaf_child, 8192 - 16 - 2 * (16344 / 4));
  assert_whole (false);
  share_list (at.leaf_child, 8192 - 16 - 2 * (16344 / 4) + 1);
  assert_refused (false, "more than 32768 bytes can hold");
}

/* ---- depth ---- */

/* A chain of keys, LEVELS with the root; returns its length in bytes. */
static size_t
build_chain (uint8_t *buf, uint32_t bins, unsigned levels)
{
  size_t pos = HIVE_BASE_BYTES + 32;
  uint32_t parent = UINT32_MAX;

  memcpy (buf, hive, HIVE_BASE_BYTES);
  memset (buf + HIVE_BASE_BYTES, 0, bins);
  memcpy (buf + HIVE_BASE_BYTES, "hbin", 4);
  v2v_put_le32 (buf + HIVE_BASE_BYTES + 8, bins);
  for (unsigned i = 1; i <= levels; ++i) {
    uint8_t *key = buf + pos, *list = key + 88;

    v2v_put_le32 (key, UINT32_C (0) - 88);
    memcpy (key + 4, "nk", 2);
    v2v_put_le16 (key + 6, 0x20);
    v2v_put_le32 (key + 20, parent);
    v2v_put_le32 (key + 24, i < levels);
    v2v_put_le32 (key + 32, (uint32_t) (pos + 88 - HIVE_BASE_BYTES));
    v2v_put_le32 (key + 48, UINT32_MAX);
    v2v_put_le32 (key + 52, UINT32_MAX);
    v2v_put_le16 (key + 76, 1);
    key[80] = 'K';
    parent = (uint32_t) (pos - HIVE_BASE_BYTES);
    pos += 88;
    v2v_put_le32 (list, UINT32_C (0) - 16);
    memcpy (list + 4, "li", 2);
    v2v_put_le16 (list + 6, 1);
    v2v_put_le32 (list + 8, (uint32_t) (pos + 16 - HIVE_BASE_BYTES));
    pos += 16;
  }
  v2v_put_le32 (buf + pos, (uint32_t) (HIVE_BASE_BYTES + bins - pos));
  v2v_put_le32 (buf + 40, bins);
  hive_records_seal (buf);
  return HIVE_BASE_BYTES + bins;
}

static void
test_a_tree_has_512_levels_and_not_one_more (void **state)
{
  uint8_t *buf = malloc (HIVE_BASE_BYTES + 65536);
  struct v2v_error *err = NULL;
  size_t len;

  (void) state;
  assert_non_null (buf);
  len = build_chain (buf, 65536, 512);
  assert_ok (hive_check_records (buf, len, "TEST", true, &err), err);
  len = build_chain (buf, 65536, 513);
  assert_int_equal (hive_check_records (buf, len, "TEST", true, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "it is 513 levels deep, at most 512");
  assert_int_equal (hive_check_records (buf, len, "TEST", false, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "513 levels");
  free (buf);
}

/* ---- changes ---- */

static void
test_what_libhivex_writes_is_whole (void **state)
{
  struct v2v_hive *h = open_it (true);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_hive_set_dword (h, "Leaf\\A", "New", 1, "", &err), 1);
  assert_int_equal (v2v_hive_set_dword (h, "Leaf\\B", "New", 1, "", &err), 1);
  assert_int_equal (v2v_hive_add_key (h, "Lists\\AA", "", &err), 1);
  assert_int_equal (v2v_hive_delete_key (h, "Lists\\A", "", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  assert_int_equal (v2v_hive_delete_key (h, "Lists", "", &err), 1);
  assert_int_equal (v2v_hive_delete_key (h, "Leaf", "", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  /* The last key with the second security record is gone, and it. */
  assert_int_equal (v2v_hive_add_key (h, "Later\\Still", "", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
}

/* "Big" as one piece that is in a cell of its own. */
static void
make_big_plain (void)
{
  v2v_put_le32 (hive + at.big + 4, 16344);
  v2v_put_le32 (hive + at.big + 8, ref (at.big_piece[0]));
}

static void
test_a_value_without_a_cell_keeps_its_key_as_it_is (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  (void) state;
  make_big_plain ();
  h = open_it (true);
  assert_int_equal (v2v_hive_set_dword (h, "Values", "New", 1, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "one of its values has no cell");
  assert_int_equal (v2v_hive_delete_value (h, "Values", "Number", "", &err),
                    -1);
  assert_error (&err, V2V_ERR_GUEST, "one of its values has no cell");
  assert_int_equal (v2v_hive_delete_key (h, "Values", "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "one of its values has no cell");
  /* Nothing happened to the hive: other keys can be changed. */
  assert_int_equal (v2v_hive_set_dword (h, "Leaf", "New", 1, "", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
}

static void
test_a_name_with_a_zero_keeps_its_key_as_it_is (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  (void) state;
  v2v_put_le32 (hive + at.none + 4, 0x80000000);
  make_big_plain ();
  h = open_it (true);
  assert_int_equal (v2v_hive_set_dword (h, "Values", "New", 1, "", &err), 1);
  v2v_hive_close (h);
  hive[at.number + 22] = '\0';
  h = open_it (true);
  assert_int_equal (v2v_hive_set_dword (h, "Values", "New", 1, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "its value 'Nu' has a zero in its name");
  v2v_hive_close (h);
}

static void
test_names_that_are_no_text_are_refused (void **state)
{
  struct v2v_hive *h = open_it (true);
  struct v2v_error *err = NULL;
  char name[257];

  (void) state;
  assert_int_equal (v2v_hive_set_dword (h, "Leaf", "a\xff", 1, "", &err), -1);
  assert_non_null (err);
  v2v_error_free (err);
  err = NULL;
  assert_int_equal (v2v_hive_add_key (h, "Leaf\\a\xff", "", &err), -1);
  assert_non_null (err);
  v2v_error_free (err);
  err = NULL;
  memset (name, 'n', 256);
  name[256] = '\0';
  assert_int_equal (v2v_hive_add_key (h, name, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "256 characters, expected up to 255");
  assert_int_equal (v2v_hive_add_key (h, name + 1, "", &err), 1);
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
}

/* libhivex empties a key in a list 'li' before it sees that it cannot take it
 * out of the list. */
static void
test_a_change_that_fails_half_way_is_never_written (void **state)
{
  struct v2v_hive *h = open_it (true);
  struct v2v_error *err = NULL;
  void *now;
  size_t len;

  (void) state;
  assert_int_equal (v2v_hive_delete_key (h, "Leaf\\A", "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "deleting it");
  assert_int_equal (v2v_hive_set_dword (h, "Leaf", "New", 1, "", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "a change to it failed half-way");
  assert_int_equal (v2v_hive_commit (h, &err), 0);
  v2v_hive_close (h);
  h = open_it (true);
  assert_int_equal (v2v_hive_set_dword (h, "Leaf", "New", 1, "", &err), 1);
  assert_int_equal (v2v_hive_delete_key (h, "Leaf\\A", "", &err), -1);
  v2v_error_free (err);
  err = NULL;
  assert_int_equal (v2v_hive_commit (h, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "a change to it failed half-way");
  v2v_hive_close (h);
  now = test_read_file (file, &len);
  assert_int_equal (len, sizeof hive);
  assert_memory_equal (now, hive, len);
  free (now);
}

/* Change what there is to change; what was accepted must end in a whole
 * hive. */
static void
change_all (void)
{
  static const char *const keys[] = { "Values", "Leaf", "Lists", "Lists\\B" };
  struct v2v_error *err = NULL;
  struct v2v_hive *h;

  if (hive_check_records (hive, sizeof hive, "TEST", true, NULL) == -1)
    return;
  test_write_file (file, hive, sizeof hive);
  h = v2v_hive_open (file, "TEST", true, NULL, NULL);
  unlink (file); /* file systems flush what is renamed over a file */
  if (h == NULL)
    return; /* libhivex has bounds of its own */
  for (unsigned i = 0; i < 4; ++i) {
    v2v_hive_set_dword (h, keys[i], "New", i, "", NULL);
    v2v_hive_delete_value (h, keys[i], "Number", "", NULL);
    v2v_hive_delete_key (h, keys[i], "", NULL);
  }
  if (v2v_hive_commit (h, &err) == -1 &&
      strstr (v2v_error_message (err), "as written") != NULL &&
      strstr (v2v_error_message (err), "at offset") != NULL)
    fail_msg ("%s", v2v_error_message (err));
  v2v_error_free (err);
  v2v_hive_close (h);
}

/* Each byte of each record, but for the data of "Big". */
static void
test_no_damaged_byte_ends_the_program (void **state)
{
  static const uint8_t flips[] = { 0xff, 0x08 };
  const size_t end = at.unused;

  (void) state;
  for (size_t pos = HIVE_BASE_BYTES + 32; pos < end; ++pos) {
    if (pos >= at.big_piece[0] && pos < at.big_list - 4)
      continue;
    for (unsigned i = 0; i < 2; ++i) {
      hive_records_build (hive, &at);
      hive[pos] ^= flips[i];
      change_all ();
    }
  }
}

#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_constructed_hive_of_every_record_is_whole_and_read),
    T (test_what_windows_leaves_about_is_whole),
    T (test_real_hives_are_whole),
    T (test_each_damage_is_refused_and_named),
    T (test_records_that_their_cells_cut_off_are_refused),
    T (test_names_in_utf16_have_an_even_length),
    T (test_cells_fill_their_bin_and_are_aligned),
    T (test_offsets_in_the_middle_of_a_cell_lead_nowhere),
    T (test_lists_that_share_cells_are_bounded),
    T (test_a_tree_has_512_levels_and_not_one_more),
    T (test_what_libhivex_writes_is_whole),
    T (test_a_value_without_a_cell_keeps_its_key_as_it_is),
    T (test_a_name_with_a_zero_keeps_its_key_as_it_is),
    T (test_names_that_are_no_text_are_refused),
    T (test_a_change_that_fails_half_way_is_never_written),
    T (test_no_damaged_byte_ends_the_program),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
