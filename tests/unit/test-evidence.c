/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence from disks made here byte by byte, and by sfdisk and mkfs.vfat as
 * independent makers.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/evidence.h"
#include "test-util.h"

#define DISK_SIZE (4 * 1024 * 1024)

static uint8_t *disk;

static int
setup (void **state)
{
  (void) state;
  disk = calloc (1, DISK_SIZE);
  return disk == NULL ? -1 : 0;
}

static int
teardown (void **state)
{
  (void) state;
  free (disk);
  return 0;
}

static struct v2v_disk_evidence
gather_bytes (const void *bytes, size_t len)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("disk.raw", bytes, len, &err);
  struct v2v_disk_evidence ev;
  struct v2v_image *img;

  assert_ptr (io, err);
  img = v2v_image_open_io (io, &raw, &err);
  assert_ptr (img, err);
  memset (&ev, 0xff, sizeof ev);
  assert_ok (v2v_evidence_gather (img, &ev, &err), err);
  v2v_image_close (img);
  v2v_io_unref (io);
  return ev;
}

static struct v2v_disk_evidence
gather (void)
{
  return gather_bytes (disk, DISK_SIZE);
}

static void
put_mbr (unsigned slot, uint8_t flag, uint8_t type, uint32_t first,
         uint32_t count)
{
  uint8_t *e = disk + 446 + slot * 16;

  e[0] = flag;
  e[4] = type;
  v2v_put_le32 (e + 8, first);
  v2v_put_le32 (e + 12, count);
  disk[510] = 0x55;
  disk[511] = 0xaa;
}

/* Bit by bit, written apart from the library's. */
static uint32_t
crc32_of (const uint8_t *p, size_t n)
{
  uint32_t c = UINT32_MAX;

  while (n--) {
    c ^= *p++;
    for (int k = 0; k < 8; ++k)
      c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
  }
  return c ^ UINT32_MAX;
}

static const uint8_t esp_type[16] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8,
                                      0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0,
                                      0xc9, 0x3e, 0xc9, 0x3b };

/* A GPT header at LBA with NR entries behind it at ENTRIES. */
static void
put_gpt (uint64_t lba, uint64_t entries, uint32_t nr, uint32_t sector)
{
  uint8_t *h = disk + lba * sector;

  memcpy (h, "EFI PART", 8);
  v2v_put_le32 (h + 8, 0x10000);
  v2v_put_le32 (h + 12, 92);
  v2v_put_le64 (h + 24, lba);
  v2v_put_le64 (h + 72, entries);
  v2v_put_le32 (h + 80, nr);
  v2v_put_le32 (h + 84, 128);
  v2v_put_le32 (h + 88, crc32_of (disk + entries * sector, nr * 128));
  v2v_put_le32 (h + 16, 0);
  v2v_put_le32 (h + 16, crc32_of (h, 92));
}

static void
put_gpt_entry (uint64_t entries, unsigned i, const uint8_t type[16],
               uint64_t first, uint64_t last, uint32_t sector)
{
  uint8_t *e = disk + entries * sector + i * 128;

  memcpy (e, type, 16);
  e[16] = 1;
  v2v_put_le64 (e + 32, first);
  v2v_put_le64 (e + 40, last);
}

/* A small GPT disk with one System Partition at LBA 64. */
static void
make_gpt (void)
{
  put_mbr (0, 0, 0xee, 1, DISK_SIZE / 512 - 1);
  put_gpt_entry (2, 0, esp_type, 64, 2111, 512);
  put_gpt (1, 2, 128, 512);
}

static void
test_a_blank_disk_has_no_evidence (void **state)
{
  const struct v2v_disk_evidence ev = gather ();

  (void) state;
  assert_true (ev.blank);
  assert_int_equal (ev.table, V2V_TABLE_NONE);
  assert_false (v2v_evidence_boots_bios (&ev));
  assert_false (v2v_evidence_boots_efi (&ev));
}

static void
test_disks_shorter_than_a_sector_are_read (void **state)
{
  (void) state;
  memset (disk, 0x5a, 2048);
  for (size_t n = 1; n < 600; n += 37)
    assert_int_equal (gather_bytes (disk, n).table, V2V_TABLE_NONE);
}

static void
test_mbr_boot_code_needs_the_signature (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  put_mbr (0, 0x80, 0x83, 2048, 1000);
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_MBR);
  assert_int_equal (ev.nr_partitions, 1);
  assert_true (ev.active_partition);
  assert_false (ev.boot_code);
  assert_false (v2v_evidence_boots_bios (&ev));
  disk[0] = 0xeb;
  ev = gather ();
  assert_true (ev.boot_code);
  assert_true (v2v_evidence_boots_bios (&ev));
  disk[511] = 0;
  ev = gather ();
  assert_false (ev.boot_code);
  assert_int_equal (ev.table, V2V_TABLE_NONE);
}

static void
test_generic_code_boots_only_with_an_active_partition (void **state)
{
  static const struct {
    const char *text, *loader;
    bool boots;
  } rows[] = {
    { "GRUB ", "grub", true },
    { "LILO", "lilo", true },
    { "Error loading operating system", "windows", false },
    { "Operating system load error.", "syslinux", false },
    { "unheard of", NULL, true },
  };
  struct v2v_disk_evidence ev;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    memset (disk, 0, 440);
    memcpy (disk + 100, rows[i].text, strlen (rows[i].text));
    put_mbr (0, 0, 7, 2048, 1000);
    ev = gather ();
    if (rows[i].loader)
      assert_string_equal (ev.bios_loader, rows[i].loader);
    else
      assert_null (ev.bios_loader);
    assert_int_equal (v2v_evidence_boots_bios (&ev), rows[i].boots);
    put_mbr (0, 0x80, 7, 2048, 1000);
    ev = gather ();
    assert_true (v2v_evidence_boots_bios (&ev));
  }
}

static void
test_a_boot_sector_is_not_taken_for_a_table (void **state)
{
  (void) state;
  memset (disk, 0x41, 510); /* flags 0x41: no table */
  disk[510] = 0x55;
  disk[511] = 0xaa;
  assert_int_equal (gather ().table, V2V_TABLE_NONE);
}

static void
test_mbr_with_a_system_partition (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  put_mbr (0, 0, 0xef, 2048, 1000);
  ev = gather ();
  assert_true (ev.esp);
  assert_true (ev.esp_offset_bytes == 2048 * 512);
  assert_false (ev.esp_readable);
  assert_true (v2v_evidence_boots_efi (&ev));   /* not understood: may boot */
  put_mbr (0, 0, 0xef, UINT32_MAX, UINT32_MAX); /* outside the disk */
  assert_false (gather ().esp);
}

static void
test_gpt_primary_backup_and_broken (void **state)
{
  const uint64_t last = DISK_SIZE / 512 - 1;
  struct v2v_disk_evidence ev;

  (void) state;
  make_gpt ();
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_GPT);
  assert_true (ev.esp);
  assert_int_equal (ev.nr_partitions, 1);
  assert_true (ev.esp_size_bytes == 2048 * 512);
  disk[512 + 24]++; /* the header no longer names its own place */
  assert_int_equal (gather ().table, V2V_TABLE_BROKEN);
  memcpy (disk + (last - 32) * 512, disk + 1024, 128 * 128);
  put_gpt (last, last - 32, 128, 512);
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_GPT);
  assert_true (ev.esp);
}

static void
test_gpt_of_4096_byte_sectors (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  put_mbr (0, 0, 0xee, 1, DISK_SIZE / 4096 - 1);
  put_gpt_entry (2, 0, esp_type, 64, 100, 4096);
  put_gpt (1, 2, 128, 4096);
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_GPT);
  assert_int_equal (ev.sector_bytes, 4096);
  assert_true (ev.esp_offset_bytes == 64 * 4096);
}

static void
test_gpt_checksums_and_bounds (void **state)
{
  static const struct {
    unsigned at;
    uint32_t value;
  } rows[] = {
    { 12, 91 },                    /* header size */
    { 12, 513 },        { 80, 0 }, /* entries */
    { 80, 1025 },       { 80, UINT32_MAX },
    { 84, 127 }, /* entry size */
    { 84, 192 },        { 84, 8192 },
    { 72, UINT32_MAX }, /* place of the entries */
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    memset (disk, 0, DISK_SIZE);
    make_gpt ();
    v2v_put_le32 (disk + 512 + rows[i].at, rows[i].value);
    v2v_put_le32 (disk + 512 + 16, 0);
    v2v_put_le32 (disk + 512 + 16,
                  crc32_of (disk + 512, rows[i].at == 12 ? 91 : 92));
    assert_int_equal (gather ().table, V2V_TABLE_BROKEN);
  }
  memset (disk, 0, DISK_SIZE);
  make_gpt ();
  disk[1024 + 56]++; /* a name in an entry: its checksum is wrong now */
  assert_int_equal (gather ().table, V2V_TABLE_BROKEN);
}

static void
test_1024_gpt_entries_are_read (void **state)
{
  (void) state;
  put_mbr (0, 0, 0xee, 1, DISK_SIZE / 512 - 1);
  put_gpt_entry (2, 1023, esp_type, 1000, 1001, 512);
  put_gpt (1, 2, 1024, 512);
  assert_true (gather ().esp);
}

static void
test_a_stale_gpt_behind_a_plain_mbr_is_ignored (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  make_gpt ();
  put_mbr (0, 0, 0x83, 2048, 1000);
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_MBR);
  assert_false (ev.esp);
}

static void
test_hybrid_and_bios_boot_partition (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  put_mbr (0, 0, 0xee, 1, 100);
  put_mbr (1, 0, 0x83, 2048, 1000);
  put_gpt_entry (2, 0, (const uint8_t *) "Hah!IdontNeedEFI", 64, 100, 512);
  put_gpt (1, 2, 128, 512);
  ev = gather ();
  assert_int_equal (ev.table, V2V_TABLE_HYBRID);
  assert_true (ev.bios_boot_partition);
  assert_false (v2v_evidence_boots_bios (&ev));
  disk[0] = 0xeb;
  memcpy (disk + 50, "GRUB", 4);
  ev = gather ();
  assert_true (v2v_evidence_boots_bios (&ev));
}

static void
test_a_partition_with_a_wild_range_is_harmless (void **state)
{
  (void) state;
  make_gpt ();
  put_gpt_entry (2, 0, esp_type, UINT64_MAX / 512, UINT64_MAX, 512);
  put_gpt (1, 2, 128, 512);
  assert_false (gather ().esp);
  put_gpt_entry (2, 0, esp_type, 0, UINT64_MAX, 512);
  put_gpt (1, 2, 128, 512);
  gather ();
}

/* ---- a FAT made here: 512-byte clusters, one FAT of 8 sectors ---- */

#define ESP         ((size_t) 64 * 512)
#define FAT_DATA(n) (ESP + (1 + 8 + 1 + ((size_t) (n) -2)) * 512)

static void
put_entry (size_t at, const char *name, bool folder, unsigned cluster)
{
  memcpy (disk + at, name, 11);
  disk[at + 11] = folder ? 0x10 : 0x20;
  v2v_put_le16 (disk + at + 26, (uint16_t) cluster);
}

static void
make_fat (void)
{
  uint8_t *b = disk + ESP;

  make_gpt ();
  v2v_put_le16 (b + 11, 512);
  b[13] = 1;
  v2v_put_le16 (b + 14, 1);
  b[16] = 1;
  v2v_put_le16 (b + 17, 16);
  v2v_put_le16 (b + 19, 2048);
  v2v_put_le16 (b + 22, 8);
  b[510] = 0x55;
  b[511] = 0xaa;
  /* All chains are one cluster long. */
  memset (disk + ESP + 512, 0xff, (size_t) 8 * 512);
  put_entry (ESP + 9 * 512, "V2V DISK   ", false, 0);
  disk[ESP + 9 * 512 + 11] = 0x08;
  put_entry (ESP + 9 * 512 + 32, "EFI        ", true, 2);
  put_entry (FAT_DATA (2), ".          ", true, 2);
  put_entry (FAT_DATA (2) + 32, "BOOT       ", true, 3);
  put_entry (FAT_DATA (2) + 64, "DEBIAN     ", true, 4);
  put_entry (FAT_DATA (2) + 96, "MICROS~1   ", true, 5);
  put_entry (FAT_DATA (3), "BOOTX64 EFI", false, 10);
  put_entry (FAT_DATA (4), "SHIMX64 EFI", false, 10);
  put_entry (FAT_DATA (5), "BOOT       ", true, 6);
  put_entry (FAT_DATA (6), "BOOTMGFWEFI", false, 10);
}

static void
test_loaders_are_found_in_a_fat (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  make_fat ();
  ev = gather ();
  assert_true (ev.esp_readable);
  assert_true (ev.fallback_loader);
  assert_true (ev.shim_loader);
  assert_true (ev.windows_loader);
  assert_false (ev.fallback_loader_32);
  disk[FAT_DATA (3)] = 0xe5; /* deleted */
  ev = gather ();
  assert_false (ev.fallback_loader);
  disk[FAT_DATA (3)] = 'B';
  disk[FAT_DATA (3) + 11] = 0x10; /* a folder of that name */
  assert_false (gather ().fallback_loader);
}

static void
test_an_empty_system_partition_does_not_boot (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  make_fat ();
  memset (disk + FAT_DATA (2), 0, (size_t) 512 * 8);
  ev = gather ();
  assert_true (ev.esp_readable);
  assert_false (v2v_evidence_boots_efi (&ev));
}

static void
test_a_fat_with_loops_ends (void **state)
{
  struct v2v_disk_evidence ev;

  (void) state;
  make_fat ();
  /* FAT12: cluster 2 is followed by 2; its folder is full. */
  disk[ESP + 512 + 3] = 2;
  disk[ESP + 512 + 4] = 0xf0;
  for (unsigned i = 3; i < 16; ++i)
    put_entry (FAT_DATA (2) + i * 32, "LOOP       ", true, 2);
  ev = gather ();
  assert_true (ev.fallback_loader);
}

static void
test_wild_fat_parameters_are_harmless (void **state)
{
  struct v2v_disk_evidence ev;
  uint8_t bytes[64];

  (void) state;
  for (unsigned i = 0; i < 2000; ++i) {
    make_fat ();
    test_random (bytes, sizeof bytes, i);
    disk[ESP + bytes[0] % 64] = bytes[1];
    disk[ESP + 11 + bytes[2] % 26] = bytes[3];
    disk[ESP + 512 + bytes[4]] = bytes[5];
    disk[FAT_DATA (2) + bytes[6]] = bytes[7];
    ev = gather ();
    assert_true (ev.esp);
    memset (disk, 0, DISK_SIZE);
  }
}

/* ---- independent makers ---- */

/* Run a command of constant text below DIR; skip the test if it fails. */
static void
run_in (const char *dir, const char *command)
{
  CLEANUP_FREE char *line = NULL;
  FILE *fp;

  assert_true (
      asprintf (&line, "cd '%s' && PATH=$PATH:/usr/sbin:/sbin && { %s; } 2>&1",
                dir, command) > 0);
  fp = popen (line, "r"); /* NOLINT: tests only, constant text */
  assert_non_null (fp);
  while (fgetc (fp) != EOF)
    ;
  if (pclose (fp) != 0)
    skip ();
}

static struct v2v_disk_evidence
gather_file (const char *dir)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_disk_evidence ev;
  CLEANUP_FREE char *path = NULL;
  struct v2v_image *img;

  assert_true (asprintf (&path, "%s/d", dir) > 0);
  img = v2v_image_open (path, &raw, &err);
  assert_ptr (img, err);
  assert_ok (v2v_evidence_gather (img, &ev, &err), err);
  v2v_image_close (img);
  return ev;
}

static void
test_a_table_of_sfdisk_with_a_fat_of_mkfs (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_disk_evidence ev;
  (void) state;
  run_in (dir, "truncate -s 200M d && printf "
               "'label: gpt\\n,100M,U\\n,,L\\n' | sfdisk -q d && "
               "truncate -s 100M f && mkfs.vfat -F 32 f && "
               "mmd -i f ::/EFI ::/EFI/BOOT ::/EFI/Microsoft "
               "::/EFI/Microsoft/Boot && "
               "echo x > x && mcopy -i f x ::/EFI/BOOT/bootx64.efi && "
               "mcopy -i f x ::/EFI/Microsoft/Boot/bootmgfw.efi && "
               "dd if=f of=d bs=1M seek=1 conv=notrunc");
  ev = gather_file (dir);
  test_tmpdir_remove (dir);
  assert_int_equal (ev.table, V2V_TABLE_GPT);
  assert_int_equal (ev.nr_partitions, 2);
  assert_true (ev.esp_readable);
  assert_true (ev.fallback_loader);
  assert_true (ev.windows_loader);
  assert_false (ev.shim_loader);
}

static void
test_a_dos_table_of_sfdisk (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_disk_evidence ev;

  (void) state;
  run_in (dir, "truncate -s 64M d && printf 'label: dos\\n,32M,83,*\\n,,ef\\n' "
               "| sfdisk -q d");
  ev = gather_file (dir);
  test_tmpdir_remove (dir);
  assert_int_equal (ev.table, V2V_TABLE_MBR);
  assert_int_equal (ev.nr_partitions, 2);
  assert_true (ev.active_partition);
  assert_true (ev.esp);
  assert_false (ev.boot_code);
}

#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    T (test_a_blank_disk_has_no_evidence),
    T (test_disks_shorter_than_a_sector_are_read),
    T (test_mbr_boot_code_needs_the_signature),
    T (test_generic_code_boots_only_with_an_active_partition),
    T (test_a_boot_sector_is_not_taken_for_a_table),
    T (test_mbr_with_a_system_partition),
    T (test_gpt_primary_backup_and_broken),
    T (test_gpt_of_4096_byte_sectors),
    T (test_gpt_checksums_and_bounds),
    T (test_1024_gpt_entries_are_read),
    T (test_a_stale_gpt_behind_a_plain_mbr_is_ignored),
    T (test_hybrid_and_bios_boot_partition),
    T (test_a_partition_with_a_wild_range_is_harmless),
    T (test_loaders_are_found_in_a_fat),
    T (test_an_empty_system_partition_does_not_boot),
    T (test_a_fat_with_loops_ends),
    T (test_wild_fat_parameters_are_harmless),
    T (test_a_table_of_sfdisk_with_a_fat_of_mkfs),
    T (test_a_dos_table_of_sfdisk),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
