/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate: which disks and which mounted guests are refused, and why. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/gate.h"
#include "inject/guest-internal.h"
#include "inject/partitions.h"
#include "guest-tree.h"
#include "test-util.h"

#define DISK (8 * 1024 * 1024)

static uint8_t *disk;
static struct v2v_findings found;

static int
setup (void **state)
{
  (void) state;
  disk = calloc (1, DISK);
  return disk == NULL ? -1 : 0;
}

static int
teardown (void **state)
{
  (void) state;
  free (disk);
  v2v_findings_clear (&found);
  return 0;
}

static struct v2v_image *
open_disk (size_t len)
{
  static const struct v2v_open_opts raw = { .format = "raw" };
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("disk.raw", disk, len, &err);
  struct v2v_image *img;

  assert_ptr (io, err);
  img = v2v_image_open_io (io, &raw, &err);
  assert_ptr (img, err);
  v2v_io_unref (io);
  return img;
}

static void
put_mbr_at (uint8_t *sector, unsigned slot, uint8_t type, uint32_t first,
            uint32_t count)
{
  uint8_t *e = sector + 446 + slot * 16;

  e[4] = type;
  v2v_put_le32 (e + 8, first);
  v2v_put_le32 (e + 12, count);
  v2v_put_le16 (sector + 510, 0xaa55);
}

static void
put_mbr (unsigned slot, uint8_t type, uint32_t first, uint32_t count)
{
  put_mbr_at (disk, slot, type, first, count);
}

/* An ext4 of COUNT sectors at FIRST. */
static uint8_t *
put_ext4 (uint32_t first, uint32_t count)
{
  uint8_t *sb = disk + (size_t) first * 512 + 1024;

  v2v_put_le32 (sb + 4, count / 2);
  v2v_put_le16 (sb + 0x38, 0xef53);
  v2v_put_le16 (sb + 0x3a, 1);
  v2v_put_le32 (sb + 0x5c, 4);
  v2v_put_le32 (sb + 0x60, 0x42);
  return sb;
}

static struct v2v_partitions
partitions (size_t len)
{
  struct v2v_image *img = open_disk (len);
  struct v2v_error *err = NULL;
  struct v2v_partitions p;

  assert_ok (v2v_partitions_read (img, &p, &err), err);
  v2v_image_close (img);
  return p;
}

/* The gate over this disk as the NRth of a machine. */
static int
gate (size_t nr, const struct v2v_guest_opts *opts, struct v2v_error **err)
{
  struct v2v_image *img = open_disk (DISK);
  struct v2v_image *disks[3] = { NULL, NULL, NULL };
  int r;

  v2v_findings_clear (&found);
  disks[nr] = img;
  r = v2v_guest_gate_disks (disks, 3, opts, &found, err);
  v2v_image_close (img);
  return r;
}

static void
assert_found (const char *id, enum v2v_severity severity)
{
  const struct v2v_finding *f = v2v_findings_find (&found, id);

  if (f == NULL)
    fail_msg ("there is no %s", id);
  assert_int_equal (f->severity, severity);
  if (severity != V2V_INFORMATION)
    assert_non_null (f->remedy);
}

/* ---- equal signatures ---- */

/* The gate over this disk and a copy of it as another disk of the machine. */
static int
gate_two (struct v2v_error **err)
{
  struct v2v_image *disks[3] = { open_disk (DISK), NULL, open_disk (DISK) };
  int r;

  v2v_findings_clear (&found);
  r = v2v_guest_gate_disks (disks, 3, NULL, &found, err);
  v2v_image_close (disks[0]);
  v2v_image_close (disks[2]);
  return r;
}

static void
test_constructed_equal_mbr_signatures (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x07, 64, 1000);
  /* No signature at all is none. */
  assert_ok (gate_two (&err), err);
  assert_null (v2v_findings_find (&found, "guest.gate.equal-signatures"));
  v2v_put_le32 (disk + 440, 0x12345678);
  /* Nothing says that it is Windows. */
  assert_ok (gate_two (&err), err);
  assert_found ("guest.gate.equal-signatures", V2V_WARNING);
  assert_string_equal (
      v2v_findings_find (&found, "guest.gate.equal-signatures")->subject,
      "disk 3");
  /* BitLocker is refused too; here the reason is that it is Windows'. */
  memcpy (disk + 64 * 512 + 3, "-FVE-FS-", 8);
  assert_int_equal (gate_two (&err), -1);
  assert_found ("guest.gate.equal-signatures", V2V_CRITICAL);
  v2v_error_free (err);
  err = NULL;
  /* One disk alone. */
  memset (disk + 64 * 512, 0, 512);
  assert_ok (gate (0, NULL, &err), err);
  assert_null (v2v_findings_find (&found, "guest.gate.equal-signatures"));
  /* Of a Linux it is a warning. */
  memcpy (disk + 64 * 512 + 3, "-FVE-FS-", 8);
  put_mbr (1, 0x83, 2048, 1000);
  put_ext4 (2048, 1000);
  gate_two (&err);
  assert_found ("guest.gate.equal-signatures", V2V_WARNING);
  v2v_error_free (err);
}

/* ---- partitions ---- */

static void
test_logical_partitions_are_numbered_from_five (void **state)
{
  struct v2v_partitions p;

  (void) state;
  put_mbr (0, 0x83, 64, 100);
  put_mbr (1, 0x0f, 200, 1000);
  put_mbr_at (disk + 200 * 512, 0, 0x83, 2, 50);
  put_mbr_at (disk + 200 * 512, 1, 0x05, 100, 200);
  put_mbr_at (disk + 300 * 512, 0, 0x82, 4, 60);
  put_mbr (2, 0x8e, 2000, 64);
  p = partitions (DISK);
  assert_int_equal (p.len, 4);
  assert_int_equal (p.ptr[0].number, 1);
  assert_int_equal (p.ptr[1].number, 5);
  assert_int_equal (p.ptr[1].offset, 202 * 512);
  assert_int_equal (p.ptr[1].length, 50 * 512);
  assert_int_equal (p.ptr[2].number, 6);
  assert_int_equal (p.ptr[2].offset, 304 * 512);
  assert_int_equal (p.ptr[3].number, 3);
  v2v_partitions_clear (&p);
}

static void
test_a_chain_of_logical_partitions_that_turns_back_ends (void **state)
{
  struct v2v_partitions p;

  (void) state;
  put_mbr (0, 0x05, 200, 1000);
  put_mbr_at (disk + 200 * 512, 0, 0x83, 2, 50);
  put_mbr_at (disk + 200 * 512, 1, 0x05, 100, 200);
  put_mbr_at (disk + 300 * 512, 0, 0x83, 4, 60);
  put_mbr_at (disk + 300 * 512, 1, 0x05, 100, 200); /* itself */
  p = partitions (DISK);
  assert_int_equal (p.len, 2);
  v2v_partitions_clear (&p);
  put_mbr_at (disk + 300 * 512, 1, 0x05, 0, 200); /* the first */
  p = partitions (DISK);
  assert_int_equal (p.len, 2);
  v2v_partitions_clear (&p);
  /* Far past the end. */
  put_mbr_at (disk + 300 * 512, 1, 0x05, UINT32_MAX, 200);
  p = partitions (DISK);
  assert_int_equal (p.len, 2);
  v2v_partitions_clear (&p);
}

static void
test_a_chain_of_empty_links_ends_after_1024_steps (void **state)
{
  struct v2v_partitions p;

  (void) state;
  put_mbr (0, 0x05, 200, 1500);
  for (uint32_t i = 0; i < 1024; ++i)
    put_mbr_at (disk + (size_t) (200 + i) * 512, 1, 0x05, i + 1, 1);
  put_mbr_at (disk + (size_t) 1223 * 512, 0, 0x83, 1, 1);
  p = partitions (DISK);
  assert_int_equal (p.len, 1);
  v2v_partitions_clear (&p);
  memset (disk + (size_t) 1223 * 512 + 446, 0, 16);
  put_mbr_at (disk + (size_t) 1224 * 512, 0, 0x83, 1, 1);
  p = partitions (DISK);
  assert_int_equal (p.len, 0);
  v2v_partitions_clear (&p);
}

static void
test_a_partition_past_the_end_is_cut_off (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_partitions p;

  (void) state;
  put_mbr (0, 0x83, 64, DISK / 512 - 64);
  p = partitions (DISK);
  assert_int_equal (p.len, 1);
  assert_false (p.ptr[0].cut_off);
  v2v_partitions_clear (&p);
  put_mbr (0, 0x83, 64, DISK / 512 - 63);
  put_mbr (1, 0x83, DISK / 512, 1);
  p = partitions (DISK);
  assert_int_equal (p.len, 1);
  assert_true (p.ptr[0].cut_off);
  assert_int_equal (p.ptr[0].length, DISK - 64 * 512);
  v2v_partitions_clear (&p);
  assert_ok (gate (0, NULL, &err), err);
  assert_found ("guest.gate.cut-off", V2V_WARNING);
}

static void
test_real_gpt_by_sfdisk (void **state)
{
  static const char script[] =
      "label: gpt\n"
      "start=2048, size=2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"
      "start=4096, size=2048, type=AF9B60A0-1431-4F62-BC68-3311714A69AD\n"
      "start=6144, size=2048, type=E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D\n";
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *file = NULL, *input = NULL;
  CLEANUP_FREE void *bytes = NULL;
  const char *argv[] = { "sh", "-c", "sfdisk -q \"$0\" <\"$1\"",
                         NULL, NULL, NULL };
  struct v2v_partitions p;
  struct v2v_error *err = NULL;
  size_t len;

  (void) state;
  if (!test_have ("sfdisk"))
    skip ();
  assert_true (asprintf (&file, "%s/disk", dir) > 0);
  assert_true (asprintf (&input, "%s/script", dir) > 0);
  test_write_file (file, disk, DISK);
  test_write_file (input, script, sizeof script - 1);
  argv[3] = file;
  argv[4] = input;
  assert_int_equal (test_run (argv, NULL), 0);
  bytes = test_read_file (file, &len);
  assert_int_equal (len, DISK);
  memcpy (disk, bytes, DISK);
  test_tmpdir_remove (dir);
  p = partitions (DISK);
  assert_int_equal (p.table, V2V_TABLE_GPT);
  assert_int_equal (p.len, 3);
  assert_int_equal (p.ptr[1].number, 2);
  assert_int_equal (p.ptr[1].offset, 4096 * 512);
  assert_int_equal (p.ptr[1].length, 2048 * 512);
  assert_false (v2v_partition_is_ldm (&p.ptr[0]));
  assert_true (v2v_partition_is_ldm (&p.ptr[1]));
  assert_false (v2v_partition_is_storage_spaces (&p.ptr[1]));
  assert_true (v2v_partition_is_storage_spaces (&p.ptr[2]));
  v2v_partitions_clear (&p);
  /* A copy of it has the same GUID. */
  assert_int_equal (gate_two (&err), -1);
  v2v_error_free (err);
  assert_found ("guest.gate.equal-signatures", V2V_WARNING);
  /* The backup alone. */
  memset (disk + 512, 0, 512);
  p = partitions (DISK);
  assert_int_equal (p.len, 3);
  v2v_partitions_clear (&p);
}

/* ---- disks ---- */

static void
test_clean_disks_pass_without_a_finding (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (gate (0, NULL, &err), err);
  assert_int_equal (found.len, 0);
  put_mbr (0, 0x83, 64, 4096);
  put_ext4 (64, 4096);
  assert_ok (gate (0, NULL, &err), err);
  assert_int_equal (found.len, 0);
  /* A file system on the whole disk. */
  memset (disk, 0, DISK);
  put_ext4 (0, 4096);
  assert_ok (gate (1, NULL, &err), err);
  assert_int_equal (found.len, 0);
}

static void
test_a_dirty_file_system_is_refused_unless_allowed (void **state)
{
  const struct v2v_guest_opts allow = { .allow_dirty = true };
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x83, 64, 4096);
  put_mbr (1, 0x83, 8192, 4096);
  put_ext4 (64, 4096);
  v2v_put_le32 (put_ext4 (8192, 4096) + 0x60, 0x46);
  assert_int_equal (gate (1, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "disk 2, partition 2: the ext4");
  assert_found ("guest.gate.dirty", V2V_CRITICAL);
  assert_ok (gate (1, &allow, &err), err);
  assert_found ("guest.gate.dirty", V2V_WARNING);
  /* All reasons are found, one is shown. */
  v2v_put_le16 (disk + 64 * 512 + 1024 + 0x3a, 3);
  assert_int_equal (gate (0, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "2 reasons in all");
  assert_found ("guest.gate.damaged", V2V_CRITICAL);
  assert_found ("guest.gate.dirty", V2V_CRITICAL);
}

static void
test_encrypted_volumes_need_a_key (void **state)
{
  const struct v2v_guest_opts keys = { .have_keys = true };
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x07, 64, 4096);
  memcpy (disk + 64 * 512 + 3, "-FVE-FS-", 8);
  assert_int_equal (gate (0, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "BitLocker");
  assert_found ("guest.gate.bitlocker", V2V_CRITICAL);
  assert_ok (gate (0, &keys, &err), err);
  assert_found ("guest.gate.encrypted", V2V_INFORMATION);
  memcpy (disk + 64 * 512, "LUKS\xba\xbe\0\2", 8);
  assert_int_equal (gate (0, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "guest.gate.luks");
  assert_ok (gate (0, &keys, &err), err);
}

static void
test_a_hibernated_swap_is_refused_unless_allowed (void **state)
{
  const struct v2v_guest_opts dirty = { .allow_dirty = true };
  const struct v2v_guest_opts asleep = { .allow_hibernated = true };
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x82, 64, 4096);
  memcpy (disk + 64 * 512 + 4086, "ULSUSPEND", 9);
  assert_int_equal (gate (0, &dirty, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "hibernated Linux");
  assert_ok (gate (0, &asleep, &err), err);
  assert_found ("guest.gate.hibernated", V2V_WARNING);
}

static void
test_dynamic_disks_are_refused_as_the_first_disk_only (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x42, 64, 4096);
  put_mbr (1, 0x42, 8192, 4096);
  assert_int_equal (gate (0, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "dynamic disk");
  assert_int_equal (found.len, 1); /* once for a disk */
  assert_ok (gate (1, NULL, &err), err);
  assert_found ("guest.gate.dynamic-data", V2V_WARNING);
}

static void
test_what_cannot_be_looked_into_is_a_warning (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  put_mbr (0, 0x07, 64, 4096);
  memcpy (disk + 64 * 512 + 3, "ReFS", 4);
  assert_ok (gate (0, NULL, &err), err);
  assert_found ("guest.gate.refs", V2V_WARNING);
  memset (disk + 64 * 512, 0, 512);
  memcpy (disk + 64 * 512, "dmvdo001", 8);
  assert_ok (gate (0, NULL, &err), err);
  assert_found ("guest.gate.other", V2V_WARNING);
  memset (disk + 64 * 512, 0, 512);
  put_ext4 (64, 4098);
  assert_ok (gate (0, NULL, &err), err);
  assert_found ("guest.gate.truncated", V2V_WARNING);
}

/* ---- roots ---- */

static void
test_one_of_several_systems_must_be_named (void **state)
{
  static const char *const roots[] = { "/dev/sda1", "/dev/vg/root" };
  struct v2v_error *err = NULL;
  size_t i = 99;

  (void) state;
  assert_int_equal (v2v_guest_gate_roots (roots, 1, NULL, &found, &i, &err), 1);
  assert_int_equal (i, 0);
  i = 99;
  assert_int_equal (v2v_guest_gate_roots (roots, 2, "first", &found, &i, &err),
                    1);
  assert_int_equal (i, 0);
  assert_int_equal (v2v_guest_gate_roots (roots, 2, NULL, &found, &i, &err),
                    -1);
  assert_error (&err, V2V_ERR_GUEST, "/dev/sda1, /dev/vg/root");
  assert_int_equal (
      v2v_guest_gate_roots (roots, 2, "/dev/vg/root", &found, &i, &err), 1);
  assert_int_equal (i, 1);
  i = 99;
  assert_int_equal (v2v_guest_gate_roots (roots, 2, "2", &found, &i, &err), 1);
  assert_int_equal (i, 1);
  assert_int_equal (
      v2v_guest_gate_roots (roots, 1, "/dev/sdb1", &found, &i, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "'/dev/sdb1'");
  assert_int_equal (found.len, 0);
  assert_int_equal (v2v_guest_gate_roots (NULL, 0, NULL, &found, &i, &err), 0);
  assert_found ("guest.gate.no-system", V2V_WARNING);
}

/* ---- mounted guests ---- */

/* A back end that knows nothing but how much is free. */
struct room {
  struct v2v_guest_space root, other;
};

static int
room_stat (void *h, const char *path, bool follow, struct v2v_guest_stat *ret,
           struct v2v_error **err)
{
  (void) h;
  (void) follow;
  (void) err;
  memset (ret, 0, sizeof *ret);
  ret->type = V2V_FILE_FOLDER;
  if (strcmp (path, "/boot/initrd.img-6.1") == 0) {
    ret->type = V2V_FILE_REGULAR;
    ret->size_bytes = 60 * V2V_MIB;
  }
  return strcmp (path, "/gone") != 0;
}

static char **
room_list (void *h, const char *path, struct v2v_error **err)
{
  char **list = calloc (2, sizeof *list);

  (void) h;
  (void) err;
  assert_non_null (list);
  if (strcmp (path, "/boot") == 0)
    list[0] = strdup ("initrd.img-6.1");
  return list;
}

static int
room_space (void *h, const char *path, struct v2v_guest_space *ret,
            struct v2v_error **err)
{
  const struct room *r = h;

  (void) err;
  *ret = strcmp (path, "/") == 0 ? r->root : r->other;
  return 0;
}

static void
room_close (void *h)
{
  (void) h;
}

static const struct v2v_guest_ops room_ops = {
  .name = "room",
  .stat = room_stat,
  .list = room_list,
  .space = room_space,
  .close = room_close,
};

/* A Linux guest with "/" and MOUNT (or NULL); the verdict. */
static int
gate_room (uint64_t root_mib, uint64_t other_mib, uint64_t inodes,
           const char *mount, struct v2v_error **err)
{
  struct room room = { { V2V_GIB, root_mib * V2V_MIB, UINT64_MAX },
                       { V2V_GIB, other_mib * V2V_MIB, inodes } };
  struct v2v_guest *g = v2v_guest_new (&room_ops, &room, err);
  struct v2v_findings *f;
  struct v2v_os_mount *m;
  int r;

  assert_non_null (g);
  v2v_guest_os (g)->family = V2V_FAMILY_LINUX;
  m = v2v_os_add_mount (v2v_guest_os (g));
  guest_tree_set (&m->path, "/");
  guest_tree_set (&m->device, "/dev/sda1");
  if (mount != NULL) {
    m = v2v_os_add_mount (v2v_guest_os (g));
    guest_tree_set (&m->path, mount);
    guest_tree_set (&m->device, "/dev/sda2");
  }
  r = v2v_guest_gate (g, err);
  f = v2v_guest_findings (g);
  v2v_findings_clear (&found);
  found = *f;
  memset (f, 0, sizeof *f);
  v2v_guest_close (g);
  return r;
}

static void
test_room_of_each_file_system (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  /* / has /boot in it: 150 MiB. */
  assert_ok (gate_room (150, 500, 5000, NULL, &err), err);
  assert_int_equal (found.len, 0);
  assert_int_equal (gate_room (149, 500, 5000, NULL, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "/: 149");
  assert_found ("guest.gate.no-space", V2V_CRITICAL);
  /* A /boot of its own. */
  assert_ok (gate_room (100, 60, 100, "/boot", &err), err);
  assert_int_equal (found.len, 0);
  assert_int_equal (gate_room (99, 60, 100, "/boot", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "no-space");
  assert_ok (gate_room (100, 59, 100, "/boot", &err), err);
  assert_found ("guest.gate.initramfs-space", V2V_WARNING);
  assert_int_equal (gate_room (100, 49, 100, "/boot", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "/boot: 49");
  assert_int_equal (gate_room (100, 60, 99, "/boot", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "99 inodes");
  assert_found ("guest.gate.no-inodes", V2V_CRITICAL);
  /* Elsewhere; what is not mounted does not count. */
  assert_int_equal (gate_room (150, 9, 100, "/var", &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "/var");
  assert_ok (gate_room (150, 0, 0, "/gone", &err), err);
}

static struct v2v_guest *
open_windows (const char *dir)
{
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);

  guest_tree_set (&v2v_guest_os (g)->systemroot, "/Windows");
  return g;
}

static void
test_constructed_windows_hiberfil_states (void **state)
{
  static const struct {
    const char *head;
    bool asleep;
  } rows[] = { { "hibr....", true },
               { "HIBR....", true },
               { "wake....", false },
               { "hib", false },
               { "", false } };
  const struct v2v_guest_opts allow = { .allow_hibernated = true };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const struct guest_tree_entry tree[] = {
      { .path = "/Windows/System32" },
      { .path = "/HiberFil.sys", .text = rows[i].head },
      { .path = NULL },
    };
    char *dir = guest_tree_make (tree);
    struct v2v_guest *g = open_windows (dir);
    struct v2v_error *err = NULL;

    if (rows[i].asleep) {
      assert_int_equal (v2v_guest_gate (g, &err), -1);
      assert_error (&err, V2V_ERR_GUEST, "hibernated Windows");
      v2v_findings_clear (v2v_guest_findings (g));
      v2v_guest_set_opts (g, &allow);
      assert_ok (v2v_guest_gate (g, &err), err);
      assert_non_null (
          v2v_findings_find (v2v_guest_findings (g), "guest.gate.hibernated"));
    }
    else {
      assert_ok (v2v_guest_gate (g, &err), err);
      assert_int_equal (v2v_guest_findings (g)->len, 0);
    }
    guest_tree_assert_unchanged (g);
    v2v_guest_close (g);
    test_tmpdir_remove (dir);
  }
}

static void
test_constructed_windows_with_compressed_system_files (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/Windows/System32/ntoskrnl.exe", .text = "MZ" },
    { .path = "/Windows/explorer.exe",
      .link = "unsupported reparse tag 0x80000017" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = open_windows (dir);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_guest_gate (g, &err), err);
  assert_non_null (
      v2v_findings_find (v2v_guest_findings (g), "guest.gate.compact-os"));
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

static void
test_data_disks_have_no_gate (void **state)
{
  static const struct guest_tree_entry tree[] = {
    { .path = "/hiberfil.sys", .text = "hibr" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (tree);
  struct v2v_guest *g = guest_tree_open (dir, V2V_FAMILY_UNKNOWN, NULL, 0);
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_guest_gate (g, &err), err);
  v2v_guest_close (g);
  test_tmpdir_remove (dir);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
    T (test_logical_partitions_are_numbered_from_five),
    T (test_a_chain_of_logical_partitions_that_turns_back_ends),
    T (test_a_chain_of_empty_links_ends_after_1024_steps),
    T (test_a_partition_past_the_end_is_cut_off),
    T (test_constructed_equal_mbr_signatures),
    T (test_real_gpt_by_sfdisk),
    T (test_clean_disks_pass_without_a_finding),
    T (test_a_dirty_file_system_is_refused_unless_allowed),
    T (test_encrypted_volumes_need_a_key),
    T (test_a_hibernated_swap_is_refused_unless_allowed),
    T (test_dynamic_disks_are_refused_as_the_first_disk_only),
    T (test_what_cannot_be_looked_into_is_a_warning),
    T (test_one_of_several_systems_must_be_named),
    T (test_room_of_each_file_system),
    T (test_constructed_windows_hiberfil_states),
    T (test_constructed_windows_with_compressed_system_files),
    T (test_data_disks_have_no_gate),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
