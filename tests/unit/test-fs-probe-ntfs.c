/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NTFS: made here byte by byte (test_constructed_...), and by the tools that
 * make real ones (test_real_...).
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "fs-util.h"
#include "inject/partitions.h"
#include "test-util.h"

/* ---- NTFS ---- */

static char *
real_ntfs (void)
{
  char *path = fs_new_file (32);
  const char *const make[] = { "mkntfs", "-q",     "-F", "-Q",
                               "-L",     "System", path, NULL };

  fs_need ("mkntfs");
  fs_must_run (make);
  return path;
}

static void
test_real_ntfs_by_mkntfs (void **state)
{
  CLEANUP_FREE char *path = real_ntfs ();
  const struct v2v_fs_state s = fs_probe_file (path);

  (void) state;
  fs_assert_clean (&s, V2V_FS_NTFS, "ntfs");
  assert_string_equal (s.label, "System");
  assert_int_equal (strlen (s.uuid), 16);
  assert_true (s.size_bytes > 31u << 20 && s.size_bytes <= 32u << 20);
}

static void
test_real_ntfs_marked_dirty_by_ntfsfix (void **state)
{
  CLEANUP_FREE char *path = real_ntfs ();
  const char *const fix[] = { "ntfsfix", path, NULL };
  struct v2v_fs_state s;

  (void) state;
  fs_need ("ntfsfix");
  fs_must_run (fix);
  s = fs_probe_file (path);
  assert_true (s.journal_dirty);
  assert_false (s.damaged);
}

/* hiberfil.sys with HEAD in the root folder of PATH, by ntfscp. */
static void
put_hiberfil (const char *path, const char *head, const char *name)
{
  CLEANUP_FREE char *file = NULL;
  const char *const copy[] = { "ntfscp", "-f", path, NULL, name, NULL };
  const char **argv = (const char **) copy;
  uint8_t bytes[8192] = { 0 };

  memcpy (bytes, head, strlen (head));
  assert_true (asprintf (&file, "%s/hiberfil", fs_dir) > 0);
  test_write_file (file, bytes, sizeof bytes);
  argv[3] = file;
  fs_must_run (argv);
}

static void
test_real_ntfs_with_a_memory_image_is_hibernated (void **state)
{
  static const struct {
    const char *head, *name;
    bool hibernated;
  } rows[] = {
    { "hibr", "hiberfil.sys", true },  { "HIBR", "HIBERFIL.SYS", true },
    { "wake", "hiberfil.sys", false }, { "", "hiberfil.sys", false },
    { "hibr", "hiberfil.old", false },
  };

  (void) state;
  fs_need ("ntfscp");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    CLEANUP_FREE char *path = real_ntfs ();
    struct v2v_fs_state s;

    put_hiberfil (path, rows[i].head, rows[i].name);
    s = fs_probe_file (path);
    assert_int_equal (s.hibernated, rows[i].hibernated);
    assert_false (s.damaged);
  }
}

/* Enough files that the root folder's index leaves its record. */
static void
test_real_ntfs_hiberfil_is_found_in_a_large_root_folder (void **state)
{
  CLEANUP_FREE char *path = real_ntfs ();
  struct v2v_fs_state s;

  (void) state;
  fs_need ("ntfscp");
  for (unsigned i = 0; i < 60; ++i) {
    char name[64];

    snprintf (name, sizeof name, "a-file-with-quite-a-long-name-%02u.dat", i);
    put_hiberfil (path, "", name);
  }
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_NTFS, "ntfs");
  put_hiberfil (path, "hibr", "hiberfil.sys");
  s = fs_probe_file (path);
  assert_true (s.hibernated);
}

/* An NTFS of which only the first records are there: clusters of 4096, the
 * MFT at cluster 4, $LogFile's data at cluster 64. */
static void
put_record_header (uint8_t *rec)
{
  memcpy (rec, "FILE", 4);
  v2v_put_le16 (rec + 4, 0x30);
  v2v_put_le16 (rec + 6, 3);
  v2v_put_le16 (rec + 0x14, 0x38);
}

static uint8_t *
make_ntfs (void)
{
  uint8_t *mft = fs_area + 4 * 4096, *rec, *attr;

  memcpy (fs_area + 3, "NTFS    ", 8);
  v2v_put_le16 (fs_area + 11, 512);
  fs_area[13] = 8;
  v2v_put_le64 (fs_area + 0x28, FS_AREA / 512 - 1);
  v2v_put_le64 (fs_area + 0x30, 4);
  fs_area[0x40] = 0xf6; /* 1024 */

  rec = mft + 3 * 1024; /* $Volume */
  put_record_header (rec);
  attr = rec + 0x38;
  v2v_put_le32 (attr, 0x70);
  v2v_put_le32 (attr + 4, 0x28);
  v2v_put_le32 (attr + 16, 12);
  v2v_put_le16 (attr + 20, 0x18);
  attr[0x18 + 8] = 3;
  attr[0x18 + 9] = 1;
  v2v_put_le32 (attr + 0x28, UINT32_MAX);

  rec = mft + 2 * 1024; /* $LogFile */
  put_record_header (rec);
  attr = rec + 0x38;
  v2v_put_le32 (attr, 0x80);
  v2v_put_le32 (attr + 4, 0x48);
  attr[8] = 1;
  v2v_put_le16 (attr + 32, 0x40);
  v2v_put_le64 (attr + 48, 16 * 4096);
  v2v_put_le64 (attr + 56, 16 * 4096);
  attr[0x40] = 0x11; /* 16 clusters at 64 */
  attr[0x41] = 16;
  attr[0x42] = 64;
  v2v_put_le32 (attr + 0x48, UINT32_MAX);
  return fs_area + 64 * 4096;
}

/* A restart page: LSN, clients in use, flags, version. */
static void
put_restart (uint8_t *page, uint64_t lsn, uint16_t client, uint16_t flags,
             uint16_t major)
{
  memcpy (page, "RSTR", 4);
  v2v_put_le32 (page + 16, 4096);
  v2v_put_le32 (page + 20, 4096);
  v2v_put_le16 (page + 24, 0x30);
  v2v_put_le16 (page + 28, major);
  v2v_put_le64 (page + 0x30, lsn);
  v2v_put_le16 (page + 0x30 + 12, client);
  v2v_put_le16 (page + 0x30 + 14, flags);
}

static void
test_constructed_ntfs_log_states (void **state)
{
  static const struct {
    uint16_t client, flags, major;
    bool dirty, fast;
  } rows[] = {
    { 0xffff, 0, 1, false, false }, { 0, 2, 1, false, false },
    { 0, 0, 1, true, false },       { 0, 0, 2, true, true },
    { 0, 2, 2, false, false },      { 0xffff, 2, 2, false, false },
  };
  uint8_t *log = make_ntfs ();
  struct v2v_fs_state s;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    put_restart (log, 10, rows[i].client, rows[i].flags, rows[i].major);
    s = fs_probe_area ();
    assert_int_equal (s.kind, V2V_FS_NTFS);
    assert_false (s.damaged);
    assert_int_equal (s.journal_dirty, rows[i].dirty);
    assert_int_equal (s.fast_start, rows[i].fast);
  }
  /* The page with the later number holds. */
  put_restart (log, 10, 0xffff, 0, 1);
  put_restart (log + 4096, 11, 0, 0, 1);
  s = fs_probe_area ();
  assert_true (s.journal_dirty);
  put_restart (log + 4096, 9, 0, 0, 1);
  s = fs_probe_area ();
  assert_false (s.journal_dirty);
  /* Neither is one. */
  memset (log, 0, 8192);
  s = fs_probe_area ();
  assert_true (s.damaged);
  /* Reset. */
  memset (log, 0xff, 16 * 4096);
  s = fs_probe_area ();
  fs_assert_clean (&s, V2V_FS_NTFS, "ntfs");
}

static void
test_constructed_ntfs_nonsense_is_damaged (void **state)
{
  uint8_t *log = make_ntfs ();
  uint8_t *volume = fs_area + 4 * 4096 + 3 * 1024;
  uint8_t *logfile = fs_area + 4 * 4096 + 2 * 1024;
  struct v2v_fs_state s;

  (void) state;
  memset (log, 0xff, 4096);
  s = fs_probe_area ();
  assert_false (s.damaged);
  volume[510] = 1; /* torn: the fixup does not fit */
  s = fs_probe_area ();
  assert_true (s.damaged);
  volume[510] = 0;
  v2v_put_le16 (volume + 0x38 + 20, 0x29 - 12 + 1); /* value past its end */
  s = fs_probe_area ();
  assert_true (s.damaged);
  v2v_put_le16 (volume + 0x38 + 20, 0x18);
  logfile[0x38 + 0x42] = 0x80; /* negative: before the volume */
  s = fs_probe_area ();
  assert_true (s.damaged);
  logfile[0x38 + 0x42] = 64;
  fs_area[0x40] = 0xf2; /* records of 16 KiB */
  s = fs_probe_area ();
  assert_true (s.damaged);
  fs_area[0x40] = 0xf6;
  fs_area[13] = 0;
  s = fs_probe_area ();
  assert_true (s.damaged);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, fs_setup, fs_teardown)
  const struct CMUnitTest tests[] = {
    T (test_real_ntfs_by_mkntfs),
    T (test_real_ntfs_marked_dirty_by_ntfsfix),
    T (test_real_ntfs_with_a_memory_image_is_hibernated),
    T (test_real_ntfs_hiberfil_is_found_in_a_large_root_folder),
    T (test_constructed_ntfs_log_states),
    T (test_constructed_ntfs_nonsense_is_damaged),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
