/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transaction logs of registry hives: a real pair with what Windows made of
 * it, and constructed ones of both formats with every way to be wrong. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/hive-log.h"
#include "test-util.h"

static char *dir;

static int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

/* ---- real ---- */

#define REAL "hives/yarp/NewDirtyHive1/"

static uint8_t *
sample (const char *name, size_t *ret_len)
{
  char *path = test_sample (name);
  uint8_t *data;

  if (path == NULL)
    skip ();
  data = test_read_file (path, ret_len);
  free (path);
  return data;
}

static void
test_real_dirty_hive_is_replayed_as_windows_did (void **state)
{
  size_t len, wanted_len;
  uint8_t *hive = sample (REAL "NewDirtyHive", &len);
  uint8_t *wanted = sample (REAL "RecoveredHive_Windows10", &wanted_len);
  struct hive_log_file logs[2] = { { .name = "LOG1" }, { .name = "LOG2" } };
  struct hive_replay_result result;
  struct v2v_error *err = NULL;

  (void) state;
  logs[0].data = sample (REAL "NewDirtyHive.LOG1", &logs[0].len);
  logs[1].data = sample (REAL "NewDirtyHive.LOG2", &logs[1].len);
  assert_ok (hive_replay (&hive, &len, "HIVE", logs, 2, &result, &err), err);
  assert_int_equal (result.nr_entries, 4);
  assert_string_equal (result.first_log, "LOG1");
  assert_string_equal (result.second_log, "LOG2");
  /* Every byte, the header with its sequence numbers and checksum too. */
  assert_int_equal (len, wanted_len);
  assert_memory_equal (hive, wanted, len);
  free (hive);
  free (wanted);
  free ((void *) logs[0].data);
  free ((void *) logs[1].data);
}

static void
test_real_log_order_does_not_matter (void **state)
{
  size_t len, wanted_len;
  uint8_t *hive = sample (REAL "NewDirtyHive", &len);
  uint8_t *wanted = sample (REAL "RecoveredHive_Windows10", &wanted_len);
  struct hive_log_file logs[2] = { { .name = "LOG1" }, { .name = "LOG2" } };
  struct hive_replay_result result;
  struct v2v_error *err = NULL;

  (void) state;
  logs[0].data = sample (REAL "NewDirtyHive.LOG2", &logs[0].len);
  logs[1].data = sample (REAL "NewDirtyHive.LOG1", &logs[1].len);
  assert_ok (hive_replay (&hive, &len, "HIVE", logs, 2, &result, &err), err);
  assert_string_equal (result.first_log, "LOG2");
  assert_memory_equal (hive, wanted, len);
  free (hive);
  free (wanted);
  free ((void *) logs[0].data);
  free ((void *) logs[1].data);
}

/* The sample as a guest's file. */
static struct v2v_guest *
real_guest (bool first_log)
{
  static const char *const files[][2] = {
    { REAL "NewDirtyHive", "SYSTEM" },
    { REAL "NewDirtyHive.LOG2", "SYSTEM.LOG2" },
    { REAL "NewDirtyHive.LOG1", "SYSTEM.LOG1" },
  };

  for (unsigned i = 0; i < (first_log ? 3 : 2); ++i) {
    char path[512];
    size_t len;
    uint8_t *data = sample (files[i][0], &len);

    snprintf (path, sizeof path, "%s/%s", dir, files[i][1]);
    test_write_file (path, data, len);
    free (data);
  }
  guest_tree_write (dir, "/SYSTEM.LOG", "");
  return guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);
}

static void
test_real_dirty_hive_of_a_guest_is_opened_replayed (void **state)
{
  struct v2v_guest *g = real_guest (true);
  struct v2v_error *err = NULL;
  struct v2v_hive *h;
  char path[512], **keys;

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    h = v2v_hive_open_guest (g, "/SYSTEM", "SYSTEM", true, &err);
    assert_ptr (h, err);
    keys = v2v_hive_subkeys (h, "", &err);
    assert_string_equal (keys[0], "Key3");
    assert_null (keys[1]);
    v2v_guest_free_list (keys);
    if (i == 0)
      v2v_hive_close (h);
  }
  /* One finding; the file is written though no value changed. */
  assert_int_equal (v2v_guest_findings (g)->len, 1);
  assert_non_null (
      v2v_findings_find (v2v_guest_findings (g), "guest.registry.replayed"));
  assert_true (v2v_hive_changed (h));
  assert_int_equal (v2v_hive_commit (h, &err), 1);
  v2v_hive_close (h);
  snprintf (path, sizeof path, "%s/SYSTEM", dir);
  assert_true (hive_has_key (path, "Key3\\Key3_1"));
  assert_false (hive_has_key (path, "Key1"));
  v2v_guest_close (g);
}

static void
test_real_dirty_hive_without_its_first_log_is_refused (void **state)
{
  struct v2v_guest *g = real_guest (false);
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (v2v_hive_open_guest (g, "/SYSTEM", "SYSTEM", false, &err));
  assert_error (&err, V2V_ERR_GUEST, "log entries 2 to 2 are missing");
  v2v_guest_close (g);
}

static void
test_marvin32_of_a_known_text (void **state)
{
  /* The entry's own hash in the real sample proves the algorithm; here the
   * tail of 1 to 3 bytes, which no log has: all differ. */
  uint64_t seen[4];

  (void) state;
  for (size_t i = 0; i < 4; ++i) {
    seen[i] = hive_marvin32 ("\1\2\3\4\5\6\7", 4 + i);
    for (size_t k = 0; k < i; ++k)
      assert_true (seen[i] != seen[k]);
  }
  /* A zero byte counts. */
  assert_true (hive_marvin32 ("", 0) != hive_marvin32 ("", 1));
}

/* ---- constructed ---- */

#define BINS   8192u
#define SECTOR 512u

/* A dirty hive of two bins: bin I filled with FILL; header numbers A, B. */
static uint8_t *
make_hive (uint32_t a, uint32_t b, size_t *ret_len)
{
  const size_t len = HIVE_BASE_BYTES + BINS;
  uint8_t *d = calloc (1, len);

  memcpy (d, "regf", 4);
  v2v_put_le32 (d + 4, a);
  v2v_put_le32 (d + 8, b);
  v2v_put_le64 (d + 12, 1000);
  v2v_put_le32 (d + 40, BINS);
  v2v_put_le32 (d + 44, 1);
  v2v_put_le32 (d + 508, hive_base_checksum (d));
  for (uint32_t pos = 0; pos < BINS; pos += 4096) {
    uint8_t *bin = d + HIVE_BASE_BYTES + pos;

    memcpy (bin, "hbin", 4);
    v2v_put_le32 (bin + 4, pos);
    v2v_put_le32 (bin + 8, 4096);
    v2v_put_le64 (bin + 20, 1000);
    memset (bin + 32, 'o', 4096 - 32);
  }
  *ret_len = len;
  return d;
}

/* A log being built. */
struct log {
  uint8_t data[65536];
  size_t len;
};

static void
log_begin (struct log *l, uint32_t type, uint32_t seq, uint32_t bins)
{
  memset (l, 0, sizeof *l);
  memcpy (l->data, "regf", 4);
  v2v_put_le32 (l->data + 4, seq);
  v2v_put_le32 (l->data + 8, seq);
  v2v_put_le64 (l->data + 12, 1000);
  v2v_put_le32 (l->data + 28, type);
  v2v_put_le32 (l->data + 40, bins);
  v2v_put_le32 (l->data + 44, 1);
  v2v_put_le32 (l->data + 508, hive_base_checksum (l->data));
  l->len = SECTOR;
}

static void
seal (uint8_t *e, uint32_t bytes)
{
  v2v_put_le64 (e + 24, hive_marvin32 (e + 40, bytes - 40));
  v2v_put_le64 (e + 32, hive_marvin32 (e, 32));
}

/* An entry that writes SIZE bytes FILL at OFFSET. */
static uint8_t *
log_entry (struct log *l, uint32_t seq, uint32_t bins, uint32_t offset,
           uint32_t size, char fill)
{
  uint8_t *e = l->data + l->len;
  const uint32_t bytes = (48 + size + SECTOR - 1) / SECTOR * SECTOR;

  memcpy (e, "HvLE", 4);
  v2v_put_le32 (e + 4, bytes);
  v2v_put_le32 (e + 12, seq);
  v2v_put_le32 (e + 16, bins);
  v2v_put_le32 (e + 20, 1);
  v2v_put_le32 (e + 40, offset);
  v2v_put_le32 (e + 44, size);
  memset (e + 48, fill, size);
  seal (e, bytes);
  l->len += bytes;
  return e;
}

static struct log one, two;

/* Replay; returns the byte of bin 0 at its second sector, or fails with TEXT
 * when that is not NULL. */
static uint8_t
replay (uint8_t *hive, size_t len, unsigned nr, const char *text)
{
  const struct hive_log_file logs[2] = {
    { .name = "LOG1", .data = one.data, .len = one.len },
    { .name = "LOG2", .data = two.data, .len = two.len },
  };
  struct hive_replay_result result;
  struct v2v_error *err = NULL;
  struct hive_base b;
  uint8_t byte = 0;

  if (text == NULL) {
    assert_ok (hive_replay (&hive, &len, "HIVE", logs, nr, &result, &err), err);
    assert_true (hive_base_parse (hive, len, &b));
    assert_false (hive_base_is_dirty (&b));
    byte = hive[HIVE_BASE_BYTES + SECTOR];
  }
  else {
    assert_int_equal (
        hive_replay (&hive, &len, "HIVE", logs, nr, &result, &err), -1);
    assert_error (&err, V2V_ERR_GUEST, text);
  }
  free (hive);
  return byte;
}

static uint8_t
replay_dirty (unsigned nr, const char *text)
{
  size_t len;
  uint8_t *hive = make_hive (6, 5, &len);

  return replay (hive, len, nr, text);
}

static void
test_constructed_entries_are_applied_in_order (void **state)
{
  (void) state;
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, BINS, SECTOR, SECTOR, 'a');
  log_entry (&one, 6, BINS, SECTOR, SECTOR, 'b');
  assert_int_equal (replay_dirty (1, NULL), 'b');
  /* The rest of an older log follows. */
  log_entry (&one, 4, BINS, SECTOR, SECTOR, 'x');
  log_entry (&one, 7, BINS, SECTOR, SECTOR, 'y');
  assert_int_equal (replay_dirty (1, NULL), 'b');
  /* A number is missing: what follows is of an older log, too. */
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, BINS, SECTOR, SECTOR, 'a');
  log_entry (&one, 7, BINS, SECTOR, SECTOR, 'c');
  assert_int_equal (replay_dirty (1, NULL), 'a');
  /* Numbers wrap around. */
  {
    size_t len;
    uint8_t *hive = make_hive (0, UINT32_MAX, &len);

    log_begin (&one, 6, UINT32_MAX, BINS);
    log_entry (&one, UINT32_MAX, BINS, SECTOR, SECTOR, 'a');
    log_begin (&two, 6, 0, BINS);
    log_entry (&two, 0, BINS, SECTOR, SECTOR, 'w');
    assert_int_equal (replay (hive, len, 2, NULL), 'w');
  }
}

static void
test_constructed_torn_last_entry_is_left_out (void **state)
{
  uint8_t *e;

  (void) state;
  for (unsigned damage = 0; damage < 5; ++damage) {
    log_begin (&one, 6, 5, BINS);
    log_entry (&one, 5, BINS, SECTOR, SECTOR, 'a');
    e = log_entry (&one, 6, BINS, SECTOR, SECTOR, 'b');
    switch (damage) {
    case 0:
      e[48] ^= 1; /* a page: hash 1 */
      break;
    case 1:
      e[20] ^= 2; /* the header: hash 2 */
      break;
    case 2:
      one.len -= 1; /* past the end of the file */
      break;
    case 3: /* not whole sectors */
      v2v_put_le32 (e + 4, 100);
      seal (e, 100);
      break;
    case 4: /* not whole bins */
      v2v_put_le32 (e + 16, BINS + 512);
      seal (e, v2v_le32 (e + 4));
      break;
    }
    assert_int_equal (replay_dirty (1, NULL), 'a');
  }
}

static void
test_constructed_hive_grows_with_its_log (void **state)
{
  size_t len;
  uint8_t *hive = make_hive (6, 5, &len), *e;
  const struct hive_log_file log = { .name = "L", .data = one.data };
  struct hive_log_file logs[1] = { log };
  struct hive_replay_result result;
  struct v2v_error *err = NULL;
  struct hive_base b;

  (void) state;
  log_begin (&one, 6, 5, BINS);
  e = log_entry (&one, 5, BINS + 4096, BINS, 4096, 'n');
  memcpy (e + 48, "hbin", 4);
  v2v_put_le32 (e + 52, BINS);
  v2v_put_le32 (e + 56, 4096);
  v2v_put_le32 (e + 8, 1); /* flags */
  seal (e, v2v_le32 (e + 4));
  logs[0].len = one.len;
  assert_ok (hive_replay (&hive, &len, "H", logs, 1, &result, &err), err);
  assert_int_equal (len, HIVE_BASE_BYTES + BINS + 4096);
  assert_true (hive_base_parse (hive, len, &b));
  assert_int_equal (b.bins_bytes, BINS + 4096);
  assert_int_equal (b.primary_seq, 6);
  assert_int_equal (v2v_le32 (hive + 144), 1);
  free (hive);
}

static void
test_constructed_logs_that_do_not_fit_are_refused (void **state)
{
  uint8_t *e;

  (void) state;
  one.len = 0;
  replay_dirty (0, "is dirty and has no transaction log");
  /* Of an earlier time. */
  log_begin (&one, 6, 4, BINS);
  log_entry (&one, 4, BINS, SECTOR, SECTOR, 'a');
  replay_dirty (1, "of an earlier time");
  /* No entry at all; the first one damaged. */
  log_begin (&one, 6, 5, BINS);
  replay_dirty (1, "no entry of LOG1 is valid");
  e = log_entry (&one, 5, BINS, SECTOR, SECTOR, 'a');
  e[48] ^= 1;
  replay_dirty (1, "no entry of LOG1 is valid");
  /* The first log damaged, the second whole: half a story. */
  log_begin (&two, 6, 6, BINS);
  log_entry (&two, 6, BINS, SECTOR, SECTOR, 'b');
  replay_dirty (2, "the first entry of LOG1 is damaged");
  /* A gap in front. */
  log_begin (&one, 6, 9, BINS);
  log_entry (&one, 9, BINS, SECTOR, SECTOR, 'a');
  replay_dirty (1, "log entries 5 to 8 are missing");
  /* Not a log at all. */
  memset (one.data, 0, SECTOR);
  replay_dirty (1, "none of its logs belongs");
  one.len = 100;
  replay_dirty (1, "none of its logs belongs");
}

static void
test_constructed_numbers_missing_in_front_of_two_whole_logs (void **state)
{
  (void) state;
  /* Both logs went round: the hive holds what is missing. */
  log_begin (&one, 6, 30, BINS);
  log_entry (&one, 30, BINS, SECTOR, SECTOR, 'z');
  log_begin (&two, 6, 29, BINS);
  log_entry (&two, 29, BINS, SECTOR, SECTOR, 'y');
  assert_int_equal (replay_dirty (2, NULL), 'z');
  /* A gap between them: the second is not used, and the front is missing. */
  log_begin (&one, 6, 31, BINS);
  log_entry (&one, 31, BINS, SECTOR, SECTOR, 'z');
  replay_dirty (2, "log entries 5 to 28 are missing");
}

static void
test_constructed_hostile_entries_are_refused (void **state)
{
  uint8_t *e;

  (void) state;
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, BINS, BINS - 511, SECTOR, 'a'); /* past the bins */
  replay_dirty (1, "past the end");
  log_begin (&one, 6, 5, BINS);
  e = log_entry (&one, 5, BINS, 0, SECTOR, 'a');
  v2v_put_le32 (e + 44, 4096); /* past the entry */
  seal (e, v2v_le32 (e + 4));
  replay_dirty (1, "past the end");
  log_begin (&one, 6, 5, BINS);
  e = log_entry (&one, 5, BINS, UINT32_MAX - 511, SECTOR, 'a');
  replay_dirty (1, "past the end");
  log_begin (&one, 6, 5, BINS);
  e = log_entry (&one, 5, BINS, 0, SECTOR, 'a');
  v2v_put_le32 (e + 20, 0x20000000); /* references past the entry */
  seal (e, v2v_le32 (e + 4));
  replay_dirty (1, "no entry of LOG1 is valid");
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, 0xfffff000, SECTOR, SECTOR, 'a'); /* 4 GiB of bins */
  replay_dirty (1, "asks for 4294963200 bytes");
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, 0, 0, 0, 'a');
  replay_dirty (1, "asks for 0 bytes");
  /* A bin that is none afterwards. */
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, BINS, 0, SECTOR, 'a');
  replay_dirty (1, "after its log was replayed");
}

static void
test_constructed_torn_header_comes_from_the_latest_log (void **state)
{
  size_t len;
  uint8_t *hive = make_hive (6, 5, &len);

  (void) state;
  hive[300] ^= 1;
  log_begin (&one, 6, 5, BINS);
  log_entry (&one, 5, BINS, SECTOR, SECTOR, 'a');
  log_begin (&two, 6, 6, BINS);
  log_entry (&two, 6, BINS, SECTOR, SECTOR, 'b');
  assert_int_equal (replay (hive, len, 2, NULL), 'b');
}

/* ---- the old format ---- */

/* Bin 0's second sector is 'd', bin 1 is clean. */
static void
old_log (struct log *l, unsigned type)
{
  log_begin (l, type, 5, BINS);
  memcpy (l->data + SECTOR, "DIRT", 4);
  l->data[SECTOR + 4] = 0x02;
  memset (l->data + 2 * SECTOR, 'd', SECTOR);
  l->len = 3 * SECTOR;
}

static void
test_constructed_old_log_is_applied (void **state)
{
  (void) state;
  old_log (&one, 1);
  assert_int_equal (replay_dirty (1, NULL), 'd');
  old_log (&one, 2);
  assert_int_equal (replay_dirty (1, NULL), 'd');
  /* The first does not fit, the second does. */
  old_log (&one, 1);
  one.data[12] ^= 1;
  old_log (&two, 1);
  assert_int_equal (replay_dirty (2, NULL), 'd');
  /* A torn header: the first bin has the time. */
  {
    size_t len;
    uint8_t *hive = make_hive (6, 5, &len);

    hive[14] ^= 7;
    old_log (&one, 1);
    assert_int_equal (replay (hive, len, 1, NULL), 'd');
  }
}

static void
reseal (struct log *l)
{
  v2v_put_le32 (l->data + 508, hive_base_checksum (l->data));
}

static void
test_constructed_old_logs_that_do_not_fit_are_refused (void **state)
{
  (void) state;
  old_log (&one, 1);
  one.data[12] ^= 1; /* of another write */
  reseal (&one);
  replay_dirty (1, "none of its logs belongs to its last write");
  old_log (&one, 1);
  one.data[4] ^= 1; /* the log itself was torn */
  reseal (&one);
  replay_dirty (1, "none of its logs belongs");
  old_log (&one, 1);
  one.data[20] ^= 1; /* its checksum */
  replay_dirty (1, "none of its logs belongs");
  old_log (&one, 1);
  one.data[SECTOR] = 'x';
  replay_dirty (1, "no dirty vector");
  old_log (&one, 1);
  one.len = SECTOR + 5;
  replay_dirty (1, "no dirty vector");
  old_log (&one, 1);
  one.len -= 1;
  replay_dirty (1, "ends before its last page");
  old_log (&one, 1);
  v2v_put_le32 (one.data + 40, BINS + 1);
  reseal (&one);
  replay_dirty (1, "asks for 8193 bytes");
  old_log (&one, 1);
  one.data[SECTOR + 4] = 0x01; /* the bin's own header */
  replay_dirty (1, "no valid hive bin at offset 4096");
}

#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_real_dirty_hive_is_replayed_as_windows_did),
    T (test_real_log_order_does_not_matter),
    T (test_real_dirty_hive_of_a_guest_is_opened_replayed),
    T (test_real_dirty_hive_without_its_first_log_is_refused),
    T (test_marvin32_of_a_known_text),
    T (test_constructed_entries_are_applied_in_order),
    T (test_constructed_torn_last_entry_is_left_out),
    T (test_constructed_hive_grows_with_its_log),
    T (test_constructed_logs_that_do_not_fit_are_refused),
    T (test_constructed_numbers_missing_in_front_of_two_whole_logs),
    T (test_constructed_hostile_entries_are_refused),
    T (test_constructed_torn_header_comes_from_the_latest_log),
    T (test_constructed_old_log_is_applied),
    T (test_constructed_old_logs_that_do_not_fit_are_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
