/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources: what a path is taken for, and the disk files behind it. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "source-util.h"
#include "tar-build.h"

/* ---- folders ---- */

static void
test_a_descriptor_and_its_folder_are_one (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = source_test_in (dir, "t.ovf"),
                    *slash = source_test_in (dir, "");
  struct v2v_source *src;

  (void) state;
  source_test_put_ovf (dir, "ovf:href='my%20disk.vmdk' ovf:size='9'");
  source_test_put_text (dir, "my disk.vmdk", "12345678");
  for (unsigned i = 0; i < 3; ++i) {
    src = source_test_good (i == 0 ? path : i == 1 ? dir : slash);
    assert_string_equal (v2v_source_kind (src), "ovf");
    assert_int_equal (v2v_source_nr_machines (src), 1);
    assert_null (v2v_source_machine (src, 1));
    assert_true (source_test_finds (src, "disk.file-size"));
    assert_true (source_test_finds (src, "manifest.none"));
    source_test_disk_is (src, 0, "12345678", false);
    v2v_source_close (src);
  }
  test_tmpdir_remove (dir);
}

static void
test_a_folder_holds_exactly_one_description (void **state)
{
  char *dir = test_tmpdir ();

  (void) state;
  source_test_refused (dir, V2V_ERR_USAGE, "no .ovf, .ova or .vmx");
  source_test_put_ovf (dir, "ovf:href='a'");
  source_test_put_text (dir, "t.vmx", "config.version = \"8\"\n");
  source_test_refused (dir, V2V_ERR_USAGE, "both 't.ovf' and 't.vmx'");
  source_test_put_text (dir, "u.ovf", "x");
  source_test_refused (dir, V2V_ERR_FORMAT, "expected one .ovf");
  test_tmpdir_remove (dir);
  source_test_refused ("/nonexistent/x.ovf", V2V_ERR_IO, "No such file");
}

static void
outside (const char *href, enum v2v_error_code code, const char *why)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *attr = NULL;
  struct v2v_source *src;

  assert_int_not_equal (asprintf (&attr, "ovf:href='%s'", href), -1);
  source_test_put_ovf (dir, attr);
  src = source_test_good (dir);
  source_test_disk_refused (src, code, why);
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_files_outside_of_the_package_are_never_opened (void **state)
{
  (void) state;
  outside ("/etc/passwd", V2V_ERR_FORMAT, "has a path");
  outside ("../t.ovf", V2V_ERR_FORMAT, "has a path");
  outside ("..", V2V_ERR_FORMAT, "is a folder");
  outside ("file:///etc/passwd", V2V_ERR_FORMAT, "has a path");
  outside ("a\\b", V2V_ERR_FORMAT, "has a path");
  outside ("%2e%2e%2fetc%2fpasswd", V2V_ERR_IO, "No such file");
  outside ("%2e%2e", V2V_ERR_IO, "No such file");
  outside ("nothing.vmdk", V2V_ERR_IO, "No such file");
}

static void
test_links_are_never_followed (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *link = source_test_in (dir, "a.vmdk"),
                    *sub = source_test_in (dir, "b.vmdk");
  struct v2v_source *src;

  (void) state;
  source_test_put_ovf (dir, "ovf:href='a.vmdk'");
  assert_int_equal (symlink ("/etc/passwd", link), 0);
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_UNSUPPORTED, "symbolic link");
  v2v_source_close (src);
  assert_int_equal (mkdir (sub, 0700), 0);
  source_test_put_ovf (dir, "ovf:href='b.vmdk'");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_UNSUPPORTED, "folder");
  v2v_source_close (src);
  assert_int_equal (unlink (link), 0);
  assert_int_equal (mkfifo (link, 0600), 0);
  source_test_put_ovf (dir, "ovf:href='a.vmdk'");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_UNSUPPORTED, "pipe");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

/* ---- chunks and gzip ---- */

static void
test_chunks_are_joined (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_source *src;

  (void) state;
  source_test_put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='10'");
  source_test_put_text (dir, "a.000000000", "0123");
  source_test_put_text (dir, "a.000000001", "4567");
  source_test_put_text (dir, "a.000000002", "89");
  src = source_test_good (dir);
  source_test_disk_is (src, 0, "0123456789", false);
  source_test_put_text (dir, "a.000000001", "456");
  source_test_disk_refused (src, V2V_ERR_FORMAT,
                            "chunk of 3 bytes, expected 4");
  source_test_put_text (dir, "a.000000001", "4567");
  source_test_put_text (dir, "a.000000002", "890");
  source_test_disk_refused (src, V2V_ERR_FORMAT,
                            "chunk of 3 bytes, expected 2");
  source_test_put_text (dir, "a", "whole");
  source_test_disk_refused (src, V2V_ERR_FORMAT, "both 'a' and");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_missing_chunk_is_an_error (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_source *src;

  (void) state;
  source_test_put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='10'");
  source_test_put_text (dir, "a.000000000", "0123");
  source_test_put_text (dir, "a.000000002", "89");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_IO, "chunk 1 of 'a'");
  v2v_source_close (src);
  /* Without a size a later chunk tells of it. */
  source_test_put_ovf (dir, "ovf:href='a' ovf:chunkSize='4'");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_FORMAT,
                            "chunk 'a.000000001' is missing");
  v2v_source_close (src);
  /* One more than the size says. */
  source_test_put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='4'");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_FORMAT,
                            "'a.000000002' is there, but 4 bytes");
  v2v_source_close (src);
  /* All are full: perhaps the last one is missing. */
  source_test_put_ovf (dir, "ovf:href='a' ovf:chunkSize='4'");
  source_test_put_text (dir, "a.000000001", "4567");
  source_test_put_text (dir, "a.000000002", "89");
  src = source_test_good (dir);
  assert_false (source_test_finds (src, "disk.last-chunk"));
  source_test_disk_is (src, 0, "0123456789", false);
  v2v_source_close (src);
  source_test_put_text (dir, "a.000000002", "89ab");
  src = source_test_good (dir);
  assert_true (source_test_finds (src, "disk.last-chunk"));
  source_test_disk_is (src, 0, "0123456789ab", false);
  v2v_source_close (src);
  /* Without chunkSize it could be either of two things. */
  source_test_put_ovf (dir, "ovf:href='a'");
  src = source_test_good (dir);
  source_test_disk_refused (src, V2V_ERR_FORMAT, "no ovf:chunkSize");
  v2v_source_close (src);
  /* Small files are not split even if chunks are allowed. */
  source_test_put_ovf (dir, "ovf:href='b' ovf:chunkSize='400' ovf:size='3'");
  source_test_put_text (dir, "b", "abc");
  src = source_test_good (dir);
  source_test_disk_is (src, 0, "abc", false);
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_gzip_is_spooled_and_bounded (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *plain = source_test_in (dir, "plain"),
                    *gz = source_test_in (dir, "a.gz");
  CLEANUP_FREE char *bomb = calloc (1, 80 << 20);
  struct v2v_source *src;

  (void) state;
  source_test_put_ovf (dir, "ovf:href='a.gz' ovf:compression='gzip'");
  source_test_put_text (dir, "plain", "unpacked");
  assert_int_equal (
      test_run ((const char *const[]){ "gzip", "-c", plain, NULL }, gz), 0);
  src = source_test_good (dir);
  source_test_disk_is (src, 0, "unpacked", true);
  /* The capacity is 1 MiB: 80 MiB cannot be its file. */
  test_write_file (plain, bomb, 80 << 20);
  assert_int_equal (
      test_run ((const char *const[]){ "gzip", "-c", plain, NULL }, gz), 0);
  source_test_disk_refused (src, V2V_ERR_FORMAT, "unpacks to more");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

/* ---- archives ---- */

#define TWO                                                                    \
  ((const char *const[]){ "ovf:href='b.vmdk'", "ovf:href='a.vmdk'", NULL })

/* Members in the order given: 'o' descriptor, 'm' manifest, 'a', 'b'. */
static struct tar_build
make_ova (const char *order, const char *prefix)
{
  CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
  CLEANUP_FREE char *text = source_test_descriptor (TWO);
  struct tar_build t = { NULL, 0 };

  source_test_add_digest (&mf, "t.ovf", text);
  source_test_add_digest (&mf, "a.vmdk", "disk a");
  source_test_add_digest (&mf, "b.vmdk", "disk b");
  for (; *order != '\0'; ++order) {
    const char *name = *order == 'o'   ? "t.ovf"
                       : *order == 'm' ? "t.mf"
                       : *order == 'a' ? "a.vmdk"
                                       : "b.vmdk";
    const char *data = *order == 'o'   ? text
                       : *order == 'm' ? mf.ptr
                       : *order == 'a' ? "disk a"
                                       : "disk b";
    char full[64];

    snprintf (full, sizeof full, "%s%s", prefix, name);
    tar_file (&t, full, data, strlen (data));
  }
  tar_end (&t);
  return t;
}

static void
test_an_ova_is_read_in_place (void **state)
{
  static const char *const prefixes[] = { "", "./", "sub/" };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = source_test_in (dir, "t.bin");

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (prefixes); ++i) {
    struct tar_build t = make_ova ("aobm", prefixes[i]);
    struct v2v_error *err = NULL;
    struct v2v_source *src;

    test_write_file (path, t.data, t.len);
    tar_free (&t);
    src = source_test_good (path); /* by content, not by suffix */
    assert_string_equal (v2v_source_kind (src), "ova");
    assert_false (v2v_source_is_stream (src));
    source_test_disk_is (src, 0, "disk b", false);
    source_test_disk_is (src, 1, "disk a", false);
    assert_ok (v2v_source_verify_manifest (src, &err), err);
    v2v_source_close (src);
  }
  test_tmpdir_remove (dir);
}

static void
test_wrapped_archives_are_unpacked (void **state)
{
  static const char *const tools[] = { "gzip", "xz", "bzip2", "zstd" };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = source_test_in (dir, "t.ova"),
                    *out = source_test_in (dir, "t.packed");
  struct tar_build t = make_ova ("omba", "");

  (void) state;
  test_write_file (path, t.data, t.len);
  tar_free (&t);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (tools); ++i) {
    struct v2v_source *src;

    if (!test_have (tools[i]))
      continue;
    assert_int_equal (
        test_run ((const char *const[]){ tools[i], "-c", path, NULL }, out), 0);
    src = source_test_good (out);
    assert_true (source_test_finds (src, "source.unpacked"));
    source_test_disk_is (src, 1, "disk a", true);
    v2v_source_close (src);
  }
  test_tmpdir_remove (dir);
}

static void
test_a_zip_is_an_archive_or_holds_one (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *ova = source_test_in (dir, "t.ova"),
                    *zip = source_test_in (dir, "t.zip");
  CLEANUP_FREE char *text = source_test_descriptor (TWO),
                    *ovf = source_test_in (dir, "x.ovf");
  CLEANUP_FREE char *a = source_test_in (dir, "a.vmdk"),
                    *b = source_test_in (dir, "b.vmdk");
  struct tar_build t = make_ova ("omba", "");
  struct v2v_source *src;

  (void) state;
  test_write_file (ova, t.data, t.len);
  tar_free (&t);
  if (!test_have ("7zz")) {
    test_tmpdir_remove (dir);
    skip ();
  }
  assert_int_equal (
      test_run ((const char *const[]){ "7zz", "a", "-tzip", zip, ova, NULL },
                NULL),
      0);
  src = source_test_good (zip);
  source_test_disk_is (src, 0, "disk b", true);
  v2v_source_close (src);
  assert_int_equal (unlink (zip), 0);
  source_test_put_text (dir, "x.ovf", text);
  source_test_put_text (dir, "a.vmdk", "disk a");
  source_test_put_text (dir, "b.vmdk", "disk b");
  assert_int_equal (test_run ((const char *const[]){ "7zz", "a", "-tzip", zip,
                                                     ovf, a, b, NULL },
                              NULL),
                    0);
  src = source_test_good (zip);
  source_test_disk_is (src, 1, "disk a", true);
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
ova_refused (struct tar_build *t, enum v2v_error_code code, const char *why)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = source_test_in (dir, "t.ova");

  test_write_file (path, t->data, t->len);
  tar_free (t);
  source_test_refused (path, code, why);
  test_tmpdir_remove (dir);
}

static void
test_odd_archives_are_refused (void **state)
{
  struct tar_build t = make_ova ("a", "");

  (void) state;
  ova_refused (&t, V2V_ERR_FORMAT, "no .ovf descriptor");
  tar_file (&t, "a.ovf", "x", 1);
  tar_file (&t, "b.OVF", "x", 1);
  ova_refused (&t, V2V_ERR_FORMAT, "expected one .ovf");
  tar_data (&t, "this is no archive", 18);
  ova_refused (&t, V2V_ERR_FORMAT, "not a tar archive");
  tar_data (&t, "\x1f\x8bxxxxxxx", 9);
  ova_refused (&t, V2V_ERR_FORMAT, "gzip");
  tar_data (&t,
            "\xfd"
            "7zXZ\0xxxxxxx",
            13);
  ova_refused (&t, V2V_ERR_FORMAT, "unpacking");
}

/* ---- pipes ---- */

/* Run CHECK with an archive of these members coming in on standard input. */
static void
through_pipe (const char *order, void (*check) (struct v2v_source *src))
{
  struct tar_build t = make_ova (order, "");
  const int keep = dup (STDIN_FILENO);
  struct v2v_source *src;
  int fds[2], status;
  pid_t pid;

  assert_int_equal (pipe (fds), 0);
  pid = fork ();
  assert_int_not_equal (pid, -1);
  if (pid == 0) {
    close (fds[0]);
    for (size_t pos = 0; pos < t.len;) {
      const ssize_t n = write (fds[1], t.data + pos, t.len - pos);

      if (n <= 0)
        _exit (1);
      pos += (size_t) n;
    }
    _exit (0);
  }
  close (fds[1]);
  assert_int_equal (dup2 (fds[0], STDIN_FILENO), STDIN_FILENO);
  close (fds[0]);
  src = source_test_good ("-");
  check (src);
  v2v_source_close (src);
  dup2 (keep, STDIN_FILENO);
  close (keep);
  waitpid (pid, &status, 0);
  tar_free (&t);
}

static void
check_in_order (struct v2v_source *src)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;

  assert_true (v2v_source_is_stream (src));
  assert_int_equal (v2v_source_disk_position (src, &m->disks[0]), 0);
  assert_int_equal (v2v_source_disk_position (src, &m->disks[1]), 1);
  source_test_disk_is (src, 0, "disk b", false);
  source_test_disk_is (src, 1, "disk a", false);
  /* Hashed as they passed. */
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  source_test_disk_refused (src, V2V_ERR_UNSUPPORTED, "read already");
}

static void
check_out_of_order (struct v2v_source *src)
{
  struct v2v_error *err = NULL;

  source_test_disk_is (src, 1, "disk a", false);
  source_test_disk_is (src, 0, "disk b", true);
  source_test_disk_is (src, 0, "disk b", true);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
}

static void
check_disks_first (struct v2v_source *src)
{
  source_test_disk_is (src, 0, "disk b", true);
  source_test_disk_is (src, 1, "disk a", true);
}

static void
check_half_read (struct v2v_source *src)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_source_open_disk (src, &m->disks[0], NULL, &err);
  char c;

  /* One byte is looked at: the digest is that of the whole file. */
  assert_ptr (io, err);
  assert_ok (v2v_io_pread (io, &c, 1, 3, &err), err);
  v2v_io_unref (io);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
}

static void
test_a_pipe_is_read_once (void **state)
{
  (void) state;
  through_pipe ("omba", check_in_order);
}

static void
test_a_pipe_in_another_order_is_spooled (void **state)
{
  (void) state;
  through_pipe ("omba", check_out_of_order);
  through_pipe ("baom", check_disks_first);
}

static void
test_a_file_of_a_pipe_is_hashed_to_its_end (void **state)
{
  (void) state;
  through_pipe ("omba", check_half_read);
}

/* ---- VMX and bare disks ---- */

static void
test_a_vmx_finds_its_disk_and_its_snapshots (void **state)
{
  const struct v2v_source_opts opts = { .snapshot = "one" };
  char *dir = test_tmpdir (), *other = test_tmpdir ();
  const char *const search[] = { other, NULL };
  const struct v2v_source_opts wide = { .search = search };
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  source_test_put_text (
      dir, "t.vmx",
      "config.version = \"8\"\nscsi0.present = \"TRUE\"\n"
      "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"/x/b.vmdk\"\n");
  source_test_put_text (
      dir, "t.vmsd",
      "snapshot0.uid = \"1\"\nsnapshot0.displayName = \"one\"\n"
      "snapshot0.disk0.node = \"scsi0:0\"\n"
      "snapshot0.disk0.fileName = \"a.vmdk\"\n");
  source_test_put_text (dir, "a.vmdk", "old");
  source_test_put_text (other, "b.vmdk", "new");
  src = v2v_source_open (dir, &wide, &err);
  assert_ptr (src, err);
  assert_string_equal (v2v_source_kind (src), "vmx");
  source_test_disk_is (src, 0, "new", false); /* --search */
  v2v_source_close (src);
  src = v2v_source_open (dir, &opts, &err);
  assert_ptr (src, err);
  assert_string_equal (v2v_source_machine (src, 0)->snapshot, "one");
  source_test_disk_is (src, 0, "old", false);
  v2v_source_close (src);
  source_test_put_text (dir, "t.vmsd", "");
  src = v2v_source_open (dir, NULL, &err);
  assert_ptr (src, err);
  source_test_disk_refused (src, V2V_ERR_IO, "b.vmdk");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
  test_tmpdir_remove (other);
}

static void
test_a_bare_disk_gets_a_machine_of_defaults (void **state)
{
  const struct v2v_source_opts opts = { .snapshot = "x" };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = source_test_in (dir, "my.disk.vmdk");
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  source_test_put_text (dir, "my.disk.vmdk", "KDMV....");
  src = source_test_good (path);
  assert_string_equal (v2v_source_kind (src), "disk");
  assert_string_equal (v2v_source_machine (src, 0)->name, "my.disk");
  assert_false (v2v_source_machine (src, 0)->firmware_stated);
  assert_true (source_test_finds (src, "source.bare-disk"));
  source_test_disk_is (src, 0, "KDMV....", false);
  v2v_source_close (src);
  assert_null (v2v_source_open (path, &opts, &err));
  assert_error (&err, V2V_ERR_USAGE, "snapshots");
  source_test_put_text (dir, "my.disk.vmdk", "");
  source_test_refused (path, V2V_ERR_FORMAT, "is empty");
  test_tmpdir_remove (dir);
}

/* ---- real packages ---- */

static void
test_the_sample_package_is_read_from_folder_and_archive (void **state)
{
  CLEANUP_FREE char *ovf = test_sample ("ovf/cot/ubuntu.2.0.ovf");
  CLEANUP_FREE char *folder = test_sample ("ovf/cot"), *ova = NULL;
  char *dir = test_tmpdir ();
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  if (ovf == NULL) {
    test_tmpdir_remove (dir);
    skip ();
  }
  src = source_test_good (ovf);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  v2v_source_close (src);
  ova = source_test_in (dir, "x.ova");
  assert_int_equal (
      test_run ((const char *const[]){ "tar", "-C", folder, "-cf", ova,
                                       "ubuntu.2.0.ovf", "ubuntu.2.0.mf",
                                       "ubuntu.2.0-disk1.vmdk", NULL },
                NULL),
      0);
  src = source_test_good (ova);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_string_equal (v2v_source_machine (src, 0)->nics[0].mac,
                       "08:00:27:2a:fb:4e");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_the_sample_archives (void **state)
{
  CLEANUP_FREE char *ova = test_sample ("ova/testserver.ova");
  CLEANUP_FREE char *none = test_sample ("ova/testserver-no-ovf.ova");
  struct v2v_source *src;

  (void) state;
  if (ova == NULL || none == NULL)
    skip ();
  src = source_test_good (ova);
  assert_int_equal (v2v_source_machine (src, 0)->memory_bytes, UINT64_C (512)
                                                                   << 20);
  assert_int_equal (v2v_source_machine (src, 0)->nr_cpus, 1);
  source_test_disk_is (src, 0, "ABCD", false);
  v2v_source_close (src);
  source_test_refused (none, V2V_ERR_FORMAT, "no .ovf");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_descriptor_and_its_folder_are_one),
    cmocka_unit_test (test_a_folder_holds_exactly_one_description),
    cmocka_unit_test (test_files_outside_of_the_package_are_never_opened),
    cmocka_unit_test (test_links_are_never_followed),
    cmocka_unit_test (test_chunks_are_joined),
    cmocka_unit_test (test_a_missing_chunk_is_an_error),
    cmocka_unit_test (test_gzip_is_spooled_and_bounded),
    cmocka_unit_test (test_an_ova_is_read_in_place),
    cmocka_unit_test (test_wrapped_archives_are_unpacked),
    cmocka_unit_test (test_a_zip_is_an_archive_or_holds_one),
    cmocka_unit_test (test_odd_archives_are_refused),
    cmocka_unit_test (test_a_pipe_is_read_once),
    cmocka_unit_test (test_a_pipe_in_another_order_is_spooled),
    cmocka_unit_test (test_a_file_of_a_pipe_is_hashed_to_its_end),
    cmocka_unit_test (test_a_vmx_finds_its_disk_and_its_snapshots),
    cmocka_unit_test (test_a_bare_disk_gets_a_machine_of_defaults),
    cmocka_unit_test (test_the_sample_package_is_read_from_folder_and_archive),
    cmocka_unit_test (test_the_sample_archives),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
