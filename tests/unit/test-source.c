/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources: what a path is taken for, and the disk files behind it. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "formats/machine.h"
#include "tar-build.h"

#define CIM "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"

/* A descriptor of disks d0, d1 ... whose Files have these attributes. */
static char *
descriptor (const char *const *files)
{
  CLEANUP_STR struct v2v_str refs = V2V_STR_INIT, disks = V2V_STR_INIT;
  CLEANUP_STR struct v2v_str items = V2V_STR_INIT;
  char *s;

  for (unsigned i = 0; files[i] != NULL; ++i) {
    assert_int_equal (
        v2v_str_printf (&refs, "<File ovf:id='f%u' %s/>", i, files[i]), 0);
    assert_int_equal (v2v_str_printf (&disks,
                                      "<Disk ovf:diskId='d%u' ovf:fileRef="
                                      "'f%u' ovf:capacity='1048576'/>",
                                      i, i),
                      0);
    assert_int_equal (
        v2v_str_printf (&items,
                        "<Item><r:ResourceType>17</r:ResourceType>"
                        "<r:HostResource>ovf:/disk/d%u</r:HostResource>"
                        "<r:Parent>3</r:Parent><r:AddressOnParent>%u"
                        "</r:AddressOnParent></Item>",
                        i, i),
        0);
  }
  assert_int_not_equal (
      asprintf (
          &s,
          "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' xmlns:ovf"
          "='http://schemas.dmtf.org/ovf/envelope/1' xmlns:r='" CIM
          "ResourceAllocationSettingData'><References>%s</References>"
          "<DiskSection>%s</DiskSection><VirtualSystem ovf:id='vm'>"
          "<VirtualHardwareSection><Item><r:ResourceType>6</r:ResourceType>"
          "<r:InstanceID>3</r:InstanceID></Item>%s</VirtualHardwareSection>"
          "</VirtualSystem></Envelope>",
          refs.ptr ? refs.ptr : "", disks.ptr ? disks.ptr : "",
          items.ptr ? items.ptr : ""),
      -1);
  return s;
}

static char *
in (const char *dir, const char *name)
{
  char *s;

  assert_int_not_equal (asprintf (&s, "%s/%s", dir, name), -1);
  return s;
}

static void
put (const char *dir, const char *name, const void *bytes, size_t len)
{
  CLEANUP_FREE char *path = in (dir, name);

  test_write_file (path, bytes, len);
}

static void
put_text (const char *dir, const char *name, const char *text)
{
  put (dir, name, text, strlen (text));
}

static void
put_ovf (const char *dir, const char *file)
{
  CLEANUP_FREE char *text = descriptor ((const char *const[]){ file, NULL });

  put_text (dir, "t.ovf", text);
}

static struct v2v_source *
open_with (const char *path, enum v2v_manifest_policy policy,
           struct v2v_error **err)
{
  const struct v2v_source_opts opts = { .manifest = policy };

  return v2v_source_open (path, &opts, err);
}

static struct v2v_source *
good (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_source *src = open_with (path, V2V_MANIFEST_STRICT, &err);

  assert_ptr (src, err);
  return src;
}

static void
refused (const char *path, enum v2v_error_code code, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (open_with (path, V2V_MANIFEST_STRICT, &err));
  assert_error (&err, code, why);
}

/* Disk I of the first machine reads as CONTENT. */
static void
disk_is (struct v2v_source *src, size_t i, const char *content, bool spooled)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;
  bool was = !spooled;
  struct v2v_io *io;
  char buf[64] = "";

  assert_true (i < m->nr_disks);
  io = v2v_source_open_disk (src, &m->disks[i], &was, &err);
  assert_ptr (io, err);
  assert_int_equal (v2v_io_size (io), strlen (content));
  assert_ok (v2v_io_pread (io, buf, strlen (content), 0, &err), err);
  assert_string_equal (buf, content);
  assert_int_equal (was, spooled);
  v2v_io_unref (io);
}

static void
disk_refused (struct v2v_source *src, enum v2v_error_code code, const char *why)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;

  assert_null (v2v_source_open_disk (src, &m->disks[0], NULL, &err));
  assert_error (&err, code, why);
}

static bool
finds (struct v2v_source *src, const char *id)
{
  return v2v_findings_find (&v2v_source_machine (src, 0)->findings, id) != NULL;
}

/* ---- folders ---- */

static void
test_a_descriptor_and_its_folder_are_one (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = in (dir, "t.ovf"), *slash = in (dir, "");
  struct v2v_source *src;

  (void) state;
  put_ovf (dir, "ovf:href='my%20disk.vmdk' ovf:size='9'");
  put_text (dir, "my disk.vmdk", "12345678");
  for (unsigned i = 0; i < 3; ++i) {
    src = good (i == 0 ? path : i == 1 ? dir : slash);
    assert_string_equal (v2v_source_kind (src), "ovf");
    assert_int_equal (v2v_source_nr_machines (src), 1);
    assert_null (v2v_source_machine (src, 1));
    assert_true (finds (src, "disk.file-size"));
    assert_true (finds (src, "manifest.none"));
    disk_is (src, 0, "12345678", false);
    v2v_source_close (src);
  }
  test_tmpdir_remove (dir);
}

static void
test_a_folder_holds_exactly_one_description (void **state)
{
  char *dir = test_tmpdir ();

  (void) state;
  refused (dir, V2V_ERR_USAGE, "no .ovf, .ova or .vmx");
  put_ovf (dir, "ovf:href='a'");
  put_text (dir, "t.vmx", "config.version = \"8\"\n");
  refused (dir, V2V_ERR_USAGE, "both 't.ovf' and 't.vmx'");
  put_text (dir, "u.ovf", "x");
  refused (dir, V2V_ERR_FORMAT, "expected one .ovf");
  test_tmpdir_remove (dir);
  refused ("/nonexistent/x.ovf", V2V_ERR_IO, "No such file");
}

static void
outside (const char *href, enum v2v_error_code code, const char *why)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *attr = NULL;
  struct v2v_source *src;

  assert_int_not_equal (asprintf (&attr, "ovf:href='%s'", href), -1);
  put_ovf (dir, attr);
  src = good (dir);
  disk_refused (src, code, why);
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
  CLEANUP_FREE char *link = in (dir, "a.vmdk"), *sub = in (dir, "b.vmdk");
  struct v2v_source *src;

  (void) state;
  put_ovf (dir, "ovf:href='a.vmdk'");
  assert_int_equal (symlink ("/etc/passwd", link), 0);
  src = good (dir);
  disk_refused (src, V2V_ERR_UNSUPPORTED, "symbolic link");
  v2v_source_close (src);
  assert_int_equal (mkdir (sub, 0700), 0);
  put_ovf (dir, "ovf:href='b.vmdk'");
  src = good (dir);
  disk_refused (src, V2V_ERR_UNSUPPORTED, "folder");
  v2v_source_close (src);
  assert_int_equal (unlink (link), 0);
  assert_int_equal (mkfifo (link, 0600), 0);
  put_ovf (dir, "ovf:href='a.vmdk'");
  src = good (dir);
  disk_refused (src, V2V_ERR_UNSUPPORTED, "pipe");
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
  put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='10'");
  put_text (dir, "a.000000000", "0123");
  put_text (dir, "a.000000001", "4567");
  put_text (dir, "a.000000002", "89");
  src = good (dir);
  disk_is (src, 0, "0123456789", false);
  put_text (dir, "a.000000001", "456");
  disk_refused (src, V2V_ERR_FORMAT, "chunk of 3 bytes, expected 4");
  put_text (dir, "a.000000001", "4567");
  put_text (dir, "a.000000002", "890");
  disk_refused (src, V2V_ERR_FORMAT, "chunk of 3 bytes, expected 2");
  put_text (dir, "a", "whole");
  disk_refused (src, V2V_ERR_FORMAT, "both 'a' and");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_missing_chunk_is_an_error (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_source *src;

  (void) state;
  put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='10'");
  put_text (dir, "a.000000000", "0123");
  put_text (dir, "a.000000002", "89");
  src = good (dir);
  disk_refused (src, V2V_ERR_IO, "chunk 1 of 'a'");
  v2v_source_close (src);
  /* Without a size a later chunk tells of it. */
  put_ovf (dir, "ovf:href='a' ovf:chunkSize='4'");
  src = good (dir);
  disk_refused (src, V2V_ERR_FORMAT, "chunk 'a.000000001' is missing");
  v2v_source_close (src);
  /* One more than the size says. */
  put_ovf (dir, "ovf:href='a' ovf:chunkSize='4' ovf:size='4'");
  src = good (dir);
  disk_refused (src, V2V_ERR_FORMAT, "'a.000000002' is there, but 4 bytes");
  v2v_source_close (src);
  /* All are full: perhaps the last one is missing. */
  put_ovf (dir, "ovf:href='a' ovf:chunkSize='4'");
  put_text (dir, "a.000000001", "4567");
  put_text (dir, "a.000000002", "89");
  src = good (dir);
  assert_false (finds (src, "disk.last-chunk"));
  disk_is (src, 0, "0123456789", false);
  v2v_source_close (src);
  put_text (dir, "a.000000002", "89ab");
  src = good (dir);
  assert_true (finds (src, "disk.last-chunk"));
  disk_is (src, 0, "0123456789ab", false);
  v2v_source_close (src);
  /* Without chunkSize it could be either of two things. */
  put_ovf (dir, "ovf:href='a'");
  src = good (dir);
  disk_refused (src, V2V_ERR_FORMAT, "no ovf:chunkSize");
  v2v_source_close (src);
  /* Small files are not split even if chunks are allowed. */
  put_ovf (dir, "ovf:href='b' ovf:chunkSize='400' ovf:size='3'");
  put_text (dir, "b", "abc");
  src = good (dir);
  disk_is (src, 0, "abc", false);
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_gzip_is_spooled_and_bounded (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *plain = in (dir, "plain"), *gz = in (dir, "a.gz");
  CLEANUP_FREE char *bomb = calloc (1, 80 << 20);
  struct v2v_source *src;

  (void) state;
  put_ovf (dir, "ovf:href='a.gz' ovf:compression='gzip'");
  put_text (dir, "plain", "unpacked");
  assert_int_equal (
      test_run ((const char *const[]){ "gzip", "-c", plain, NULL }, gz), 0);
  src = good (dir);
  disk_is (src, 0, "unpacked", true);
  /* The capacity is 1 MiB: 80 MiB cannot be its file. */
  test_write_file (plain, bomb, 80 << 20);
  assert_int_equal (
      test_run ((const char *const[]){ "gzip", "-c", plain, NULL }, gz), 0);
  disk_refused (src, V2V_ERR_FORMAT, "unpacks to more");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

/* ---- manifests ---- */

static void
add_digest (struct v2v_str *mf, const char *name, const char *text)
{
  uint8_t digest[V2V_SHA256_SIZE];
  char hex[65];

  v2v_sha256 (text, strlen (text), digest);
  v2v_hex (digest, sizeof digest, hex);
  assert_int_equal (v2v_str_printf (mf, "SHA256(%s)= %s\n", name, hex), 0);
}

/* t.ovf, a.vmdk ("disk") and a manifest that has A, and EXTRA lines. */
static char *
signed_folder (const char *a, const char *extra)
{
  CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
  CLEANUP_FREE char *text =
      descriptor ((const char *const[]){ "ovf:href='a.vmdk'", NULL });
  char *dir = test_tmpdir ();

  put_text (dir, "t.ovf", text);
  put_text (dir, "a.vmdk", "disk");
  add_digest (&mf, "t.ovf", text);
  add_digest (&mf, "a.vmdk", a);
  assert_int_equal (v2v_str_append (&mf, extra), 0);
  put_text (dir, "t.mf", mf.ptr);
  return dir;
}

static void
test_the_manifest_is_verified (void **state)
{
  char *dir = signed_folder ("disk", "");
  struct v2v_source *src = good (dir);
  const struct v2v_manifest_entry *list;
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_source_manifest (src, &list), 2);
  assert_true (list[0].checked && list[0].matched); /* the descriptor */
  assert_false (list[1].checked);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_true (list[1].checked && list[1].matched);
  assert_null (v2v_source_signer (src, NULL, NULL));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_differing_file_is_named (void **state)
{
  char *dir = signed_folder ("DISK", "");
  struct v2v_source *src = good (dir);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (v2v_source_verify_manifest (src, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "'a.vmdk'");
  v2v_source_close (src);

  src = open_with (dir, V2V_MANIFEST_WARN, &err);
  assert_ptr (src, err);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_true (finds (src, "manifest.mismatch"));
  v2v_source_close (src);

  src = open_with (dir, V2V_MANIFEST_OFF, &err);
  assert_ptr (src, err);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  assert_false (finds (src, "manifest.mismatch"));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_digests_of_the_copy_are_compared (void **state)
{
  char *dir = signed_folder ("disk", "");
  struct v2v_source *src = good (dir);
  const struct v2v_manifest_entry *list;
  struct v2v_error *err = NULL;
  bool listed = false;

  (void) state;
  assert_int_equal (v2v_source_manifest (src, &list), 2);
  assert_ok (v2v_source_report_digest (src, "a.vmdk", "sha256", list[1].hex,
                                       &listed, &err),
             err);
  assert_true (listed && list[1].matched);
  assert_ok (
      v2v_source_report_digest (src, "b.vmdk", "sha256", "00", &listed, &err),
      err);
  assert_false (listed);
  assert_int_equal (
      v2v_source_report_digest (src, "a.vmdk", "sha256", "00", NULL, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "a.vmdk");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_listed_but_absent_file_is_an_error (void **state)
{
  char *dir = signed_folder (
      "disk", "SHA1(gone)= 0123456789012345678901234567890123456789\n");
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  refused (dir, V2V_ERR_MISMATCH, "'gone'");
  src = open_with (dir, V2V_MANIFEST_WARN, &err);
  assert_ptr (src, err);
  assert_true (finds (src, "manifest.absent"));
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
test_a_file_that_the_manifest_does_not_list_is_an_error (void **state)
{
  static const char *const names[] = { "t.ovf", "a.vmdk" };
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t listed = 0; listed < 3; ++listed) {
    CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
    CLEANUP_FREE char *text =
        descriptor ((const char *const[]){ "ovf:href='a.vmdk'", NULL });
    char *dir = signed_folder ("disk", "");
    struct v2v_source *src;

    /* Nothing, the descriptor alone, the disk alone. */
    if (listed > 0)
      add_digest (&mf, names[listed - 1], listed == 1 ? text : "disk");
    put_text (dir, "t.mf", mf.ptr ? mf.ptr : "");
    if (listed < 2)
      refused (dir, V2V_ERR_MISMATCH,
               listed == 0 ? "lists no file" : "'a.vmdk'");
    src = open_with (dir, listed < 2 ? V2V_MANIFEST_WARN : V2V_MANIFEST_STRICT,
                     &err);
    assert_ptr (src, err);
    assert_true (finds (src, "manifest.unlisted"));
    assert_true (v2v_source_manifest_is_partial (src));
    v2v_source_close (src);
    test_tmpdir_remove (dir);
  }
}

static void
test_other_spellings_and_chunks_are_listed (void **state)
{
  static const char *const files[][2] = {
    { "ovf:href='a%20b.vmdk'", "a b.vmdk" },
    { "ovf:href='./a.vmdk'", "a.vmdk" },
    { "ovf:href='a.vmdk' ovf:chunkSize='9' ovf:size='4'", "a.vmdk.000000000" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_STR struct v2v_str mf = V2V_STR_INIT;
    CLEANUP_FREE char *text =
        descriptor ((const char *const[]){ files[i][0], NULL });
    char *dir = test_tmpdir ();
    struct v2v_source *src;

    put_text (dir, "t.ovf", text);
    put_text (dir, files[i][1], "disk");
    add_digest (&mf, "t.ovf", text);
    put_text (dir, "t.mf", mf.ptr);
    refused (dir, V2V_ERR_MISMATCH, "does not list");
    add_digest (&mf, files[i][1], "disk");
    put_text (dir, "t.mf", mf.ptr);
    src = good (dir);
    assert_false (v2v_source_manifest_is_partial (src));
    disk_is (src, 0, "disk", false);
    v2v_source_close (src);
    test_tmpdir_remove (dir);
  }
}

static void
test_a_changed_descriptor_is_refused_at_once (void **state)
{
  char *dir = signed_folder ("disk", "");

  (void) state;
  put_ovf (dir, "ovf:href='a.vmdk' ");
  refused (dir, V2V_ERR_MISMATCH, "t.ovf");
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
  CLEANUP_FREE char *text = descriptor (TWO);
  struct tar_build t = { NULL, 0 };

  add_digest (&mf, "t.ovf", text);
  add_digest (&mf, "a.vmdk", "disk a");
  add_digest (&mf, "b.vmdk", "disk b");
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
  CLEANUP_FREE char *path = in (dir, "t.bin");

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (prefixes); ++i) {
    struct tar_build t = make_ova ("aobm", prefixes[i]);
    struct v2v_error *err = NULL;
    struct v2v_source *src;

    test_write_file (path, t.data, t.len);
    tar_free (&t);
    src = good (path); /* by content, not by suffix */
    assert_string_equal (v2v_source_kind (src), "ova");
    assert_false (v2v_source_is_stream (src));
    disk_is (src, 0, "disk b", false);
    disk_is (src, 1, "disk a", false);
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
  CLEANUP_FREE char *path = in (dir, "t.ova"), *out = in (dir, "t.packed");
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
    src = good (out);
    assert_true (finds (src, "source.unpacked"));
    disk_is (src, 1, "disk a", true);
    v2v_source_close (src);
  }
  test_tmpdir_remove (dir);
}

static void
test_a_zip_is_an_archive_or_holds_one (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *ova = in (dir, "t.ova"), *zip = in (dir, "t.zip");
  CLEANUP_FREE char *text = descriptor (TWO), *ovf = in (dir, "x.ovf");
  CLEANUP_FREE char *a = in (dir, "a.vmdk"), *b = in (dir, "b.vmdk");
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
  src = good (zip);
  disk_is (src, 0, "disk b", true);
  v2v_source_close (src);
  assert_int_equal (unlink (zip), 0);
  put_text (dir, "x.ovf", text);
  put_text (dir, "a.vmdk", "disk a");
  put_text (dir, "b.vmdk", "disk b");
  assert_int_equal (test_run ((const char *const[]){ "7zz", "a", "-tzip", zip,
                                                     ovf, a, b, NULL },
                              NULL),
                    0);
  src = good (zip);
  disk_is (src, 1, "disk a", true);
  v2v_source_close (src);
  test_tmpdir_remove (dir);
}

static void
ova_refused (struct tar_build *t, enum v2v_error_code code, const char *why)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = in (dir, "t.ova");

  test_write_file (path, t->data, t->len);
  tar_free (t);
  refused (path, code, why);
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
  src = good ("-");
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
  disk_is (src, 0, "disk b", false);
  disk_is (src, 1, "disk a", false);
  /* Hashed as they passed. */
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  disk_refused (src, V2V_ERR_UNSUPPORTED, "read already");
}

static void
check_out_of_order (struct v2v_source *src)
{
  struct v2v_error *err = NULL;

  disk_is (src, 1, "disk a", false);
  disk_is (src, 0, "disk b", true);
  disk_is (src, 0, "disk b", true);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
}

static void
check_disks_first (struct v2v_source *src)
{
  disk_is (src, 0, "disk b", true);
  disk_is (src, 1, "disk a", true);
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
  put_text (dir, "t.vmx",
            "config.version = \"8\"\nscsi0.present = \"TRUE\"\n"
            "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"/x/b.vmdk\"\n");
  put_text (dir, "t.vmsd",
            "snapshot0.uid = \"1\"\nsnapshot0.displayName = \"one\"\n"
            "snapshot0.disk0.node = \"scsi0:0\"\n"
            "snapshot0.disk0.fileName = \"a.vmdk\"\n");
  put_text (dir, "a.vmdk", "old");
  put_text (other, "b.vmdk", "new");
  src = v2v_source_open (dir, &wide, &err);
  assert_ptr (src, err);
  assert_string_equal (v2v_source_kind (src), "vmx");
  disk_is (src, 0, "new", false); /* --search */
  v2v_source_close (src);
  src = v2v_source_open (dir, &opts, &err);
  assert_ptr (src, err);
  assert_string_equal (v2v_source_machine (src, 0)->snapshot, "one");
  disk_is (src, 0, "old", false);
  v2v_source_close (src);
  put_text (dir, "t.vmsd", "");
  src = v2v_source_open (dir, NULL, &err);
  assert_ptr (src, err);
  disk_refused (src, V2V_ERR_IO, "b.vmdk");
  v2v_source_close (src);
  test_tmpdir_remove (dir);
  test_tmpdir_remove (other);
}

static void
test_a_bare_disk_gets_a_machine_of_defaults (void **state)
{
  const struct v2v_source_opts opts = { .snapshot = "x" };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = in (dir, "my.disk.vmdk");
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) state;
  put_text (dir, "my.disk.vmdk", "KDMV....");
  src = good (path);
  assert_string_equal (v2v_source_kind (src), "disk");
  assert_string_equal (v2v_source_machine (src, 0)->name, "my.disk");
  assert_false (v2v_source_machine (src, 0)->firmware_stated);
  assert_true (finds (src, "source.bare-disk"));
  disk_is (src, 0, "KDMV....", false);
  v2v_source_close (src);
  assert_null (v2v_source_open (path, &opts, &err));
  assert_error (&err, V2V_ERR_USAGE, "snapshots");
  put_text (dir, "my.disk.vmdk", "");
  refused (path, V2V_ERR_FORMAT, "is empty");
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
  src = good (ovf);
  assert_ok (v2v_source_verify_manifest (src, &err), err);
  v2v_source_close (src);
  ova = in (dir, "x.ova");
  assert_int_equal (
      test_run ((const char *const[]){ "tar", "-C", folder, "-cf", ova,
                                       "ubuntu.2.0.ovf", "ubuntu.2.0.mf",
                                       "ubuntu.2.0-disk1.vmdk", NULL },
                NULL),
      0);
  src = good (ova);
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
  src = good (ova);
  assert_int_equal (v2v_source_machine (src, 0)->memory_bytes, UINT64_C (512)
                                                                   << 20);
  assert_int_equal (v2v_source_machine (src, 0)->nr_cpus, 1);
  disk_is (src, 0, "ABCD", false);
  v2v_source_close (src);
  refused (none, V2V_ERR_FORMAT, "no .ovf");
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
    cmocka_unit_test (test_the_manifest_is_verified),
    cmocka_unit_test (test_a_differing_file_is_named),
    cmocka_unit_test (test_digests_of_the_copy_are_compared),
    cmocka_unit_test (test_a_listed_but_absent_file_is_an_error),
    cmocka_unit_test (test_a_file_that_the_manifest_does_not_list_is_an_error),
    cmocka_unit_test (test_other_spellings_and_chunks_are_listed),
    cmocka_unit_test (test_a_changed_descriptor_is_refused_at_once),
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
