/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Superblocks: made here byte by byte (test_constructed_...), and by the
 * tools that make real ones (test_real_...).
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

/* ---- nothing ---- */

static void
test_constructed_zeros_are_empty_and_noise_is_unknown (void **state)
{
  struct v2v_fs_state s = fs_probe_area ();

  (void) state;
  assert_int_equal (s.kind, V2V_FS_EMPTY);
  assert_null (s.type);
  memset (fs_area, 0x11, FS_AREA);
  s = fs_probe_area ();
  assert_int_equal (s.kind, V2V_FS_UNKNOWN);
  s = fs_probe_bytes (fs_area, 512);
  assert_int_equal (s.kind, V2V_FS_UNKNOWN);
}

static void
test_constructed_magics_at_the_very_end_are_not_read_past_it (void **state)
{
  (void) state;
  /* Each length cuts some structure in two. */
  memcpy (fs_area + 65536 + 0x40, "_BHRfS_M", 8);
  v2v_put_le16 (fs_area + 1024 + 0x38, 0xef53);
  v2v_put_le32 (fs_area + 1024 + 4, 1);
  for (size_t len = 512; len <= 3 * 1024; len += 512) {
    const struct v2v_fs_state s = fs_probe_bytes (fs_area, len);

    assert_int_equal (s.kind, len >= 2048                 ? V2V_FS_EXT
                              : len == 512 || len == 1024 ? V2V_FS_EMPTY
                                                          : V2V_FS_UNKNOWN);
  }
}

/* ---- ext ---- */

static uint8_t *
make_ext (void)
{
  uint8_t *sb = fs_area + 1024;

  v2v_put_le32 (sb + 0, 1024);
  v2v_put_le32 (sb + 4, FS_AREA / 4096);
  v2v_put_le32 (sb + 0xc, 500);
  v2v_put_le32 (sb + 0x10, 900);
  v2v_put_le32 (sb + 0x18, 2); /* 4096 */
  v2v_put_le16 (sb + 0x38, 0xef53);
  v2v_put_le16 (sb + 0x3a, 1);
  v2v_put_le32 (sb + 0x5c, 4);
  v2v_put_le32 (sb + 0x60, 0x42);
  memcpy (sb + 0x78, "root", 4);
  return sb;
}

static void
test_constructed_ext_states (void **state)
{
  uint8_t *sb = make_ext ();
  struct v2v_fs_state s = fs_probe_area ();

  (void) state;
  fs_assert_clean (&s, V2V_FS_EXT, "ext4");
  assert_string_equal (s.label, "root");
  assert_int_equal (s.free_bytes, 500 * 4096);
  assert_int_equal (s.free_inodes, 900);
  assert_int_equal (s.size_bytes, FS_AREA);

  v2v_put_le32 (sb + 0x60, 0x46); /* needs_recovery */
  s = fs_probe_area ();
  assert_true (s.journal_dirty);
  assert_false (s.damaged);

  v2v_put_le32 (sb + 0x60, 0x42);
  v2v_put_le16 (sb + 0x3a, 3);
  s = fs_probe_area ();
  assert_true (s.damaged);
  assert_false (s.journal_dirty);

  /* ext2 has no journal to say so: the state alone does. */
  v2v_put_le16 (sb + 0x3a, 0);
  v2v_put_le32 (sb + 0x5c, 0);
  v2v_put_le32 (sb + 0x60, 2);
  s = fs_probe_area ();
  assert_string_equal (s.type, "ext2");
  assert_true (s.journal_dirty);
}

static void
test_constructed_ext_bounds (void **state)
{
  uint8_t *sb = make_ext ();
  struct v2v_fs_state s;

  (void) state;
  v2v_put_le32 (sb + 4, FS_AREA / 4096 + 1);
  s = fs_probe_area ();
  assert_true (s.truncated);
  v2v_put_le32 (sb + 4, FS_AREA / 4096);
  v2v_put_le32 (sb + 0x18, 7);
  s = fs_probe_area ();
  assert_true (s.damaged);
  v2v_put_le32 (sb + 0x18, 6);
  v2v_put_le32 (sb + 4, 64);
  v2v_put_le32 (sb + 0xc, 64);
  s = fs_probe_area ();
  assert_false (s.damaged);
  v2v_put_le32 (sb + 0xc, 65);
  s = fs_probe_area ();
  assert_true (s.damaged);
  assert_int_equal (s.free_bytes, UINT64_MAX);
}

static void
real_ext (const char *type)
{
  CLEANUP_FREE char *path = fs_new_file (16);
  const char *const make[] = { "mke2fs",
                               "-q",
                               "-F",
                               "-t",
                               type,
                               "-L",
                               "data",
                               "-U",
                               "11111111-2222-3333-4444-"
                               "555555555555",
                               path,
                               NULL };
  const char *const dirty[] = { "debugfs", "-w", "-R", "feature needs_recovery",
                                path,      NULL };
  const char *const errors[] = { "debugfs", "-w",
                                 "-R",      "set_super_value state 3",
                                 path,      NULL };
  struct v2v_fs_state s;

  fs_must_run (make);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_EXT, type);
  assert_string_equal (s.label, "data");
  assert_string_equal (s.uuid, "11111111-2222-3333-4444-555555555555");
  assert_int_equal (s.size_bytes, 16 << 20);
  assert_true (s.free_bytes > 4 << 20 && s.free_bytes < 16 << 20);
  assert_true (s.free_inodes > 1000);
  if (!test_have ("debugfs"))
    return;
  if (strcmp (type, "ext2") != 0) {
    fs_must_run (dirty);
    s = fs_probe_file (path);
    assert_true (s.journal_dirty);
  }
  fs_must_run (errors);
  s = fs_probe_file (path);
  assert_true (s.damaged);
}

static void
test_real_ext_by_mke2fs (void **state)
{
  (void) state;
  fs_need ("mke2fs");
  real_ext ("ext2");
  real_ext ("ext3");
  real_ext ("ext4");
}

/* ---- XFS ---- */

#define XFS_LOG_BLOCKS 512 /* of 4096 */

/* A file system of one group whose log begins at its block 64. */
static uint8_t *
make_xfs (void)
{
  uint8_t *sb = fs_area;

  memset (sb, 0, 512);
  memcpy (sb, "XFSB", 4);
  v2v_put_be32 (sb + 4, 4096);
  v2v_put_be64 (sb + 8, FS_AREA / 4096);
  v2v_put_be64 (sb + 48, 64);
  v2v_put_be32 (sb + 84, FS_AREA / 4096);
  v2v_put_be32 (sb + 88, 1);
  v2v_put_be32 (sb + 96, XFS_LOG_BLOCKS);
  sb[100] = 0;
  sb[101] = 5 | 0xb0;
  memcpy (sb + 108, "scratch", 7);
  sb[120] = 12;
  sb[124] = 10; /* 1024 blocks in a group */
  v2v_put_be64 (sb + 144, 77);
  return fs_area + 64 * 4096;
}

/* Blocks FROM..TO-1 of the log were written in CYCLE. */
static void
put_cycles (uint8_t *log, unsigned from, unsigned to, uint32_t cycle)
{
  for (unsigned i = from; i < to; ++i)
    v2v_put_be32 (log + (size_t) i * 512, cycle);
}

/* A record of one operation with FLAGS in blocks AT, AT+1. */
static void
put_record (uint8_t *log, unsigned at, uint32_t cycle, uint8_t flags)
{
  uint8_t *h = log + (size_t) at * 512, *data = h + 512;

  v2v_put_be32 (h, 0xfeedbabe);
  v2v_put_be32 (h + 4, cycle);
  v2v_put_be32 (h + 8, 2);
  v2v_put_be32 (h + 12, 512);
  v2v_put_be32 (h + 40, 1);
  v2v_put_be32 (h + 320, 32768);
  v2v_put_be32 (data, cycle);
  data[9] = flags;
}

static void
test_constructed_xfs_log_that_ends_in_an_unmount_is_clean (void **state)
{
  const unsigned nr = XFS_LOG_BLOCKS * 8;
  uint8_t *log = make_xfs ();
  struct v2v_fs_state s;

  (void) state;
  /* Never written. */
  s = fs_probe_area ();
  fs_assert_clean (&s, V2V_FS_XFS, "xfs");
  assert_string_equal (s.label, "scratch");
  assert_int_equal (s.free_bytes, 77 * 4096);

  /* Wherever the head is, also where the ring closes. */
  for (unsigned at = 0; at <= nr - 2; at += at < 8 || at > nr - 10 ? 1 : 97) {
    put_cycles (log, 0, nr, 6);
    put_cycles (log, 0, at + 2, 7);
    put_record (log, at, 7, 0x20);
    s = fs_probe_area ();
    fs_assert_clean (&s, V2V_FS_XFS, "xfs");
    /* The same without the unmount. */
    log[(at + 1) * 512 + 9] = 0;
    s = fs_probe_area ();
    assert_true (s.journal_dirty);
    log[(at + 1) * 512 + 9] = 0x20;
    /* Something after the unmount. */
    if (at + 3 < nr) {
      put_cycles (log, at + 2, at + 3, 7);
      s = fs_probe_area ();
      assert_true (s.journal_dirty);
    }
    memset (log, 0, (size_t) nr * 512);
  }
}

static void
test_constructed_xfs_nonsense_is_damaged (void **state)
{
  struct v2v_fs_state s;

  (void) state;
  make_xfs ();
  /* The log ends one block behind the partition. */
  v2v_put_be64 (fs_area + 48, FS_AREA / 4096 - XFS_LOG_BLOCKS);
  s = fs_probe_area ();
  fs_assert_clean (&s, V2V_FS_XFS, "xfs");
  v2v_put_be64 (fs_area + 48, FS_AREA / 4096 - XFS_LOG_BLOCKS + 1);
  s = fs_probe_area ();
  assert_true (s.damaged);
  v2v_put_be64 (fs_area + 48, UINT64_MAX);
  s = fs_probe_area ();
  assert_true (s.damaged);
  make_xfs ();
  v2v_put_be32 (fs_area + 4, 8192);
  s = fs_probe_area ();
  assert_true (s.damaged);
  make_xfs ();
  v2v_put_be32 (fs_area + 216, 0x10); /* NEEDSREPAIR */
  s = fs_probe_area ();
  assert_true (s.damaged);
  make_xfs ();
  v2v_put_be64 (fs_area + 48, 0);
  s = fs_probe_area ();
  assert_true (s.external_journal);
  assert_false (s.damaged);
}

static void
test_real_xfs_by_mkfs (void **state)
{
  CLEANUP_FREE char *path = fs_new_file (320);
  const char *const make[] = {
    "mkfs.xfs", "-q", "-f", "-L", "home", path, NULL
  };
  struct v2v_fs_state s;

  (void) state;
  fs_need ("mkfs.xfs");
  fs_must_run (make);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_XFS, "xfs");
  assert_string_equal (s.label, "home");
  assert_int_equal (s.size_bytes, 320u << 20);
  assert_int_equal (strlen (s.uuid), 36);
}

/* Mounted by Linux in a VHDX of Windows 10, and unmounted. */
static void
test_real_file_systems_used_by_linux_are_clean (void **state)
{
  static const struct {
    const char *sample;
    enum v2v_fs_kind kind;
    const char *type;
  } rows[] = {
    { "vhdx/xfs5.vhdx.gz", V2V_FS_XFS, "xfs" },
    { "vhdx/btrfs.vhdx.gz", V2V_FS_BTRFS, "btrfs" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    CLEANUP_FREE char *path = test_sample_unpacked (rows[i].sample, fs_dir);
    struct v2v_error *err = NULL;
    struct v2v_partitions parts;
    struct v2v_fs_state s;
    struct v2v_image *img;

    if (path == NULL)
      skip ();
    img = v2v_image_open (path, NULL, &err);
    assert_ptr (img, err);
    assert_ok (v2v_partitions_read (img, &parts, &err), err);
    assert_int_equal (parts.len, 1);
    assert_ok (
        v2v_fs_probe (img, parts.ptr[0].offset, parts.ptr[0].length, &s, &err),
        err);
    v2v_partitions_clear (&parts);
    v2v_image_close (img);
    fs_assert_clean (&s, rows[i].kind, rows[i].type);
  }
}

/* ---- the others ---- */

static void
test_real_btrfs_by_mkfs (void **state)
{
  CLEANUP_FREE char *path = fs_new_file (128);
  const char *const make[] = { "mkfs.btrfs", "-q", "-L", "pool", path, NULL };
  const uint8_t one = 1;
  struct v2v_fs_state s;

  (void) state;
  fs_need ("mkfs.btrfs");
  fs_must_run (make);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_BTRFS, "btrfs");
  assert_string_equal (s.label, "pool");
  assert_int_equal (s.size_bytes, 128u << 20);
  fs_poke (path, 65536 + 0x60, &one, 1); /* a log tree */
  s = fs_probe_file (path);
  assert_true (s.journal_dirty);
}

static void
test_real_swap_and_hibernation (void **state)
{
  CLEANUP_FREE char *path = fs_new_file (2);
  const char *const make[] = { "mkswap", "-L", "swp", path, NULL };
  struct v2v_fs_state s;

  (void) state;
  fs_need ("mkswap");
  fs_must_run (make);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_SWAP, "swap");
  assert_string_equal (s.label, "swp");
  fs_poke (path, 4086, "S1SUSPEND", 10);
  s = fs_probe_file (path);
  assert_int_equal (s.kind, V2V_FS_SWAP);
  assert_true (s.hibernated);
}

static void
test_real_luks_by_cryptsetup (void **state)
{
  static const char *const versions[] = { "luks1", "luks2" };

  (void) state;
  fs_need ("cryptsetup");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (versions); ++i) {
    CLEANUP_FREE char *path = fs_new_file (32);
    CLEANUP_FREE char *key = NULL;
    const char *argv[] = {
      "cryptsetup", "-q",         "luksFormat", "--type",
      versions[i],  "--pbkdf",    "pbkdf2",     "--pbkdf-force-iterations",
      "1000",       "--key-file", NULL,         path,
      NULL
    };
    struct v2v_fs_state s;

    assert_true (asprintf (&key, "%s/key", fs_dir) > 0);
    test_write_file (key, "secret", 6);
    argv[10] = key;
    fs_must_run (argv);
    s = fs_probe_file (path);
    fs_assert_clean (&s, V2V_FS_LUKS, "crypto_LUKS");
    assert_int_equal (strlen (s.uuid), 36);
  }
}

static void
test_real_fat_by_mkfs (void **state)
{
  CLEANUP_FREE char *path = fs_new_file (64);
  const char *const fat16[] = { "mkfs.vfat", "-F", "16", path, NULL };
  const char *const fat32[] = { "mkfs.vfat", "-F", "32", path, NULL };
  struct v2v_fs_state s;

  (void) state;
  fs_need ("mkfs.vfat");
  fs_must_run (fat16);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_FAT, "vfat");
  fs_must_run (fat32);
  s = fs_probe_file (path);
  fs_assert_clean (&s, V2V_FS_FAT, "vfat");
}

static void
test_constructed_names (void **state)
{
  static const struct {
    size_t offset;
    const char *magic;
    size_t len;
    enum v2v_fs_kind kind;
    const char *type;
  } rows[] = {
    { 3, "-FVE-FS-", 8, V2V_FS_BITLOCKER, "BitLocker" },
    { 3, "ReFS\0\0\0\0", 8, V2V_FS_REFS, "ReFS" },
    { 3, "EXFAT   ", 8, V2V_FS_FAT, "exfat" },
    { 32769, "CD001", 5, V2V_FS_ISO9660, "iso9660" },
    { 0, "\xfc\x4e\x2b\xa9", 4, V2V_FS_MD, "linux_raid_member" },
    { 4096, "\xfc\x4e\x2b\xa9", 4, V2V_FS_MD, "linux_raid_member" },
    { FS_AREA - 8192, "\xfc\x4e\x2b\xa9", 4, V2V_FS_MD, "linux_raid_member" },
    { FS_AREA - 65536, "\xfc\x4e\x2b\xa9", 4, V2V_FS_MD, "linux_raid_member" },
    { 131072 + 5 * 1024, "\x0c\xb1\xba\0\0\0\0\0", 8, V2V_FS_OTHER,
      "zfs_member" },
    { 1024, "\x10\x20\xf5\xf2", 4, V2V_FS_OTHER, "f2fs" },
    { 0, "dmvdo001", 8, V2V_FS_OTHER, "vdo" },
    { 0x100000, "\x0d\xd0\x01\xc0", 4, V2V_FS_OTHER, "VMFS" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    struct v2v_fs_state s;

    memset (fs_area, 0, FS_AREA);
    memcpy (fs_area + rows[i].offset, rows[i].magic, rows[i].len);
    s = fs_probe_area ();
    assert_int_equal (s.kind, rows[i].kind);
    assert_string_equal (s.type, rows[i].type);
  }
}

static void
test_constructed_lvm_label_in_any_of_four_sectors (void **state)
{
  (void) state;
  for (unsigned i = 0; i < 5; ++i) {
    struct v2v_fs_state s;

    memset (fs_area, 0, 4096);
    memcpy (fs_area + i * 512, "LABELONE", 8);
    memcpy (fs_area + i * 512 + 24, "LVM2 001", 8);
    s = fs_probe_area ();
    assert_int_equal (s.kind, i < 4 ? V2V_FS_LVM : V2V_FS_UNKNOWN);
  }
}

static void
test_a_read_that_fails_is_an_error (void **state)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("part.raw", fs_area, FS_AREA, &err);

  (void) state;
  make_ext ();
  assert_ptr (io, err);
  for (unsigned n = 1;; ++n) {
    struct v2v_io *bad = test_faulty_io (io, n, EIO, NULL);
    struct v2v_image *img = v2v_image_open_io (bad, &raw, &err);
    struct v2v_fs_state s;
    int r;

    v2v_io_unref (bad);
    if (img == NULL) {
      v2v_error_free (err);
      err = NULL;
      continue;
    }
    r = v2v_fs_probe (img, 0, FS_AREA, &s, &err);
    v2v_image_close (img);
    if (r == 0) {
      assert_true (n > 3);
      break;
    }
    assert_int_equal (v2v_error_code (err), V2V_ERR_IO);
    v2v_error_free (err);
    err = NULL;
  }
  v2v_io_unref (io);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, fs_setup, fs_teardown)
  const struct CMUnitTest tests[] = {
    T (test_constructed_zeros_are_empty_and_noise_is_unknown),
    T (test_constructed_magics_at_the_very_end_are_not_read_past_it),
    T (test_constructed_ext_states),
    T (test_constructed_ext_bounds),
    T (test_real_ext_by_mke2fs),
    T (test_constructed_xfs_log_that_ends_in_an_unmount_is_clean),
    T (test_constructed_xfs_nonsense_is_damaged),
    T (test_real_xfs_by_mkfs),
    T (test_real_file_systems_used_by_linux_are_clean),
    T (test_real_btrfs_by_mkfs),
    T (test_real_swap_and_hibernation),
    T (test_real_luks_by_cryptsetup),
    T (test_real_fat_by_mkfs),
    T (test_constructed_names),
    T (test_constructed_lvm_label_in_any_of_four_sectors),
    T (test_a_read_that_fails_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
