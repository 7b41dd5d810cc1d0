/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an initramfs, and the cpio archives it is made of.  The archives are
 * made here and packed by the programs that mkinitramfs and dracut call; real
 * is the initramfs of this host's kernel. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/cpio.h"
#include "inject/initramfs.h"
#include "test-util.h"

#define VMBUS "usr/lib/modules/6.1-a/kernel/drivers/hv/hv_vmbus.ko.xz"

/* The archive all tests pack: two files. */
static struct v2v_str
make_archive (void)
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_error *err = NULL;

  assert_ok (v2v_cpio_add (&w, "usr", S_IFDIR | 0755, "", 0, &err), err);
  assert_ok (v2v_cpio_add (&w, VMBUS, S_IFREG | 0644, "module", 6, &err), err);
  assert_ok (v2v_cpio_add (&w, "./etc/modprobe.d/a.conf", S_IFREG | 0644,
                           "options x\n", 10, &err),
             err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  assert_int_equal (w.out.len % 4, 0);
  return w.out;
}

static int
read_bytes (const void *data, size_t len, struct v2v_initramfs *im,
            struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_from_buffer ("image", data, len, err);
  int r;

  assert_non_null (io);
  r = v2v_initramfs_read (io, im, err);
  v2v_io_unref (io);
  return r;
}

static void
assert_is_archive (const struct v2v_initramfs *im)
{
  const struct v2v_initramfs_file *f;

  assert_int_equal (im->nr_files, 3);
  f = v2v_initramfs_find_module (im, "6.1-a", "hv-vmbus");
  assert_non_null (f);
  assert_string_equal (f->name, VMBUS);
  assert_null (f->data); /* a module is not kept */
  assert_null (v2v_initramfs_find_module (im, "6.1", "hv_vmbus"));
  assert_null (v2v_initramfs_find_module (im, "6.1-a", "hv_storvsc"));
  f = v2v_initramfs_find (im, "etc/modprobe.d/a.conf");
  assert_non_null (f);
  assert_string_equal (f->data, "options x\n");
}

/* BYTES packed by ARGV, a program that reads FILE and writes to stdout. */
static void *
pack (const char *const tool[], const void *bytes, size_t len, size_t *ret_len)
{
  char *dir = test_tmpdir ();
  char in[512], out[512];
  const char *argv[8] = { NULL };
  size_t n = 0;
  void *data;

  snprintf (in, sizeof in, "%s/in", dir);
  snprintf (out, sizeof out, "%s/out", dir);
  test_write_file (in, bytes, len);
  for (; tool[n] != NULL; ++n)
    argv[n] = tool[n];
  argv[n] = in;
  assert_int_equal (test_run (argv, out), 0);
  data = test_read_file (out, ret_len);
  test_tmpdir_remove (dir);
  return data;
}

static const char *const gzip_tool[] = { "gzip", "-9nc", NULL };
static const char *const xz_tool[] = { "xz", "--check=crc32", "-c", NULL };
static const char *const lzma_tool[] = { "xz", "--format=lzma", "-c", NULL };
static const char *const bzip2_tool[] = { "bzip2", "-c", NULL };
static const char *const zstd_tool[] = { "zstd", "-q19c", NULL };
static const char *const lz4_tool[] = { "lz4", "-qlc", NULL };
#ifdef HAVE_LZO
static const char *const lzo_tool[] = { "lzop", "-9c", NULL };
#endif

static const struct {
  const char *name;
  const char *const *tool;
} packings[] = {
  { "gzip", gzip_tool },   { "xz", xz_tool },     { "lzma", lzma_tool },
  { "bzip2", bzip2_tool }, { "zstd", zstd_tool }, { "lz4", lz4_tool },
#ifdef HAVE_LZO
  { "lzo", lzo_tool },
#endif
};

/* Plain; with microcode before it and zeros between; with one more archive
 * behind it. */
static void
test_constructed_every_compression_is_read (void **state)
{
  struct v2v_str plain = make_archive ();
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (packings); ++i) {
    struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    struct v2v_cpio_writer extra = V2V_CPIO_WRITER_INIT;
    struct v2v_str all = V2V_STR_INIT;
    struct v2v_error *err = NULL;
    char zeros[1024] = { 0 };
    size_t len;
    void *packed;

    if (!test_have (packings[i].tool[0])) {
      print_message ("%s is not here\n", packings[i].tool[0]);
      skip ();
    }
    packed = pack (packings[i].tool, plain.ptr, plain.len, &len);
    assert_ok (read_bytes (packed, len, &im, &err), err);
    assert_is_archive (&im);
    assert_string_equal (im.packing, packings[i].name);
    assert_int_equal (im.nr_parts, 1);
    assert_int_equal (im.ends_in_lz4, strcmp (im.packing, "lz4") == 0);
    v2v_initramfs_clear (&im);

    assert_ok (v2v_cpio_add (&extra, "early", S_IFREG, "ucode", 5, &err), err);
    assert_ok (v2v_cpio_end (&extra, &err), err);
    assert_int_equal (v2v_str_append_len (&all, extra.out.ptr, extra.out.len),
                      0);
    assert_int_equal (v2v_str_append_len (&all, zeros, 512 - all.len % 512), 0);
    assert_int_equal (v2v_str_append_len (&all, packed, len), 0);
    assert_int_equal (v2v_str_append_len (&all, zeros, 8 + (-all.len & 3)), 0);
    assert_int_equal (v2v_str_append_len (&all, extra.out.ptr, extra.out.len),
                      0);
    assert_ok (read_bytes (all.ptr, all.len, &im, &err), err);
    assert_int_equal (im.nr_files, 5);
    assert_int_equal (im.nr_parts, 3);
    assert_string_equal (im.packing, "none");
    assert_false (im.ends_in_lz4);
    assert_non_null (v2v_initramfs_find_module (&im, "6.1-a", "hv_vmbus"));
    v2v_initramfs_clear (&im);

    /* Cut anywhere inside it is an error, never a shorter list. */
    for (size_t cut = 1; cut < len; cut += 7) {
      assert_int_equal (read_bytes (packed, len - cut, &im, &err), -1);
      assert_int_equal (v2v_error_code (err), V2V_ERR_FORMAT);
      v2v_error_free (err);
      err = NULL;
    }
    free (packed);
    v2v_str_free (&all);
    v2v_cpio_writer_free (&extra);
  }
  v2v_str_free (&plain);
}

#ifdef HAVE_LZO
/* Several blocks, one of them stored since it does not get shorter; damage of
 * what frames them is found. */
static void
test_lzo_blocks_packed_and_stored_are_read (void **state)
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_str small = make_archive ();
  struct v2v_error *err = NULL;
  const size_t size = 800u << 10;
  CLEANUP_FREE uint8_t *noise = calloc (1, size), *packed = NULL;
  uint32_t x = 1;
  size_t len;
  (void) state;

  if (!test_have ("lzop")) {
    v2v_str_free (&small);
    skip ();
  }
  assert_non_null (noise);
  for (size_t i = 0; i < size / 2; ++i) {
    x = x * 1664525u + 1013904223u;
    noise[i] = (uint8_t) (x >> 24);
  }
  assert_ok (v2v_cpio_add (&w, "noise", S_IFREG | 0644, noise, size, &err),
             err);
  assert_ok (v2v_cpio_add (&w, "etc/modules", S_IFREG | 0644, "a\n", 2, &err),
             err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  packed = pack (lzo_tool, w.out.ptr, w.out.len, &len);
  assert_true (len > size / 2 && len < size);
  assert_ok (read_bytes (packed, len, &im, &err), err);
  assert_int_equal (im.nr_files, 2);
  assert_string_equal (v2v_initramfs_find (&im, "etc/modules")->data, "a\n");
  v2v_initramfs_clear (&im);
  /* A block larger than the kernel takes: the first length, behind the header
   * (38 bytes, and a name: "in"). */
  for (size_t at = 9; at < 64 && at < len; ++at) {
    if (v2v_be32 (packed + at) != 256u << 10)
      continue;
    packed[at + 3] = 1;
    assert_int_equal (read_bytes (packed, len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "lzo");
    packed[at + 3] = 0;
    packed[at] = 0x7f;
    assert_int_equal (read_bytes (packed, len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "damaged");
    packed[at] = 0;
    /* One that is stored, otherwise as it should be. */
    for (size_t over = 0; over < 2; ++over) {
      const size_t block = (256u << 10) + over, all = at + 12 + block + 4;
      CLEANUP_FREE uint8_t *one = calloc (1, all);

      assert_non_null (one);
      memcpy (one, packed, at);
      v2v_put_be32 (one + at, (uint32_t) block);
      v2v_put_be32 (one + at + 4, (uint32_t) block);
      memcpy (one + at + 12, small.ptr, small.len);
      if (over == 0) {
        assert_ok (read_bytes (one, all, &im, &err), err);
        assert_is_archive (&im);
        v2v_initramfs_clear (&im);
      }
      else {
        assert_int_equal (read_bytes (one, all, &im, &err), -1);
        assert_error (&err, V2V_ERR_FORMAT, "damaged");
      }
    }
    /* Packed it is longer than unpacked. */
    packed[at + 4] = 0x7f;
    assert_int_equal (read_bytes (packed, len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "damaged");
    v2v_cpio_writer_free (&w);
    v2v_str_free (&small);
    return;
  }
  fail_msg ("lzop wrote no block of 256 KiB");
}
#endif

/* What the kernel would not see must not count. */
static void
test_constructed_what_the_kernel_would_not_unpack_is_refused (void **state)
{
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_str a = make_archive (), all = V2V_STR_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  /* An archive that does not begin at a multiple of four. */
  assert_int_equal (v2v_str_append_len (&all, a.ptr, a.len), 0);
  assert_int_equal (v2v_str_append_len (&all, "\0\0", 2), 0);
  assert_int_equal (v2v_str_append_len (&all, a.ptr, a.len), 0);
  assert_int_equal (read_bytes (all.ptr, all.len, &im, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "multiple of four");
  all.len = 0;
  /* Text between the parts. */
  assert_int_equal (v2v_str_append_len (&all, a.ptr, a.len), 0);
  assert_int_equal (v2v_str_append_len (&all, "text", 4), 0);
  assert_int_equal (read_bytes (all.ptr, all.len, &im, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "neither an archive nor compressed");
  all.len = 0;
  assert_int_equal (read_bytes ("\0\0\0\0\0", 5, &im, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "empty");
  assert_int_equal (read_bytes ("\x04\x22\x4d\x18....", 8, &im, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "lz4-frame");
  assert_int_equal (read_bytes ("\x89LZO....", 8, &im, &err), -1);
#ifdef HAVE_LZO
  assert_error (&err, V2V_ERR_FORMAT, "lzo");
#else
  assert_error (&err, V2V_ERR_UNSUPPORTED, "built without liblzo2");
#endif
  if (test_have ("gzip")) {
    size_t len;
    void *packed = pack (gzip_tool, "no archive", 10, &len);

    assert_int_equal (read_bytes (packed, len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "no cpio archive");
    free (packed);
    /* Behind a compressed part an archive is aligned as well. */
    packed = pack (gzip_tool, a.ptr, a.len, &len);
    assert_int_equal (v2v_str_append_len (&all, packed, len), 0);
    assert_int_equal (v2v_str_append_len (&all, "\0\0\0\0", 1 + (-len & 3)), 0);
    assert_int_equal (v2v_str_append_len (&all, a.ptr, a.len), 0);
    assert_int_equal (read_bytes (all.ptr, all.len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "neither an archive nor compressed");
    free (packed);
  }
  v2v_str_free (&a);
  v2v_str_free (&all);
}

static void
test_damaged_headers_are_refused (void **state)
{
  static const struct {
    size_t at;
    const char *bytes, *message;
  } cases[] = {
    { 5, "7", "070701" },                 /* the old format */
    { 20, "xx", "hexadecimal" },          /* the mode's field */
    { 94, "00000000", "a name of 0" },    /* the name's length */
    { 94, "00001001", "a name of 4097" }, /* one more than fits */
    { 94, "00000003", "does not end" },
  };
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_str a = make_archive ();

    /* The mode is the second number: byte 14. */
    memcpy (a.ptr + (cases[i].at == 20 ? 14 : cases[i].at), cases[i].bytes,
            strlen (cases[i].bytes));
    assert_int_equal (read_bytes (a.ptr, a.len, &im, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, cases[i].message);
    v2v_str_free (&a);
  }
}

static void
test_constructed_a_later_file_replaces_an_earlier_one (void **state)
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  assert_ok (v2v_cpio_add (&w, "init", S_IFREG | 0755, "one", 3, &err), err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  assert_ok (v2v_cpio_add (&w, "/init", S_IFREG | 0755, "two", 3, &err), err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  assert_ok (read_bytes (w.out.ptr, w.out.len, &im, &err), err);
  assert_string_equal (v2v_initramfs_find (&im, "init")->data, "two");
  v2v_initramfs_clear (&im);
  v2v_cpio_writer_free (&w);
}

/* An empty file of a module's name is no module (dracut leaves such). */
static void
test_constructed_an_empty_module_is_missing (void **state)
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  (void) state;

  assert_ok (v2v_cpio_add (&w, VMBUS, S_IFREG | 0644, "", 0, &err), err);
  assert_ok (v2v_cpio_end (&w, &err), err);
  assert_ok (read_bytes (w.out.ptr, w.out.len, &im, &err), err);
  assert_null (v2v_initramfs_find_module (&im, "6.1-a", "hv_vmbus"));
  v2v_initramfs_clear (&im);
  v2v_cpio_writer_free (&w);
}

/* cpio(1) is an independent judge of both directions. */
static void
test_cpio_reads_ours_and_we_read_its_newc_and_crc (void **state)
{
  struct v2v_str a = make_archive ();
  char *dir = test_tmpdir ();
  char cmd[2048], path[512], list[512];
  const char *const sh[] = { "sh", "-c", cmd, NULL };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;
  (void) state;

  if (!test_have ("cpio"))
    skip ();
  snprintf (path, sizeof path, "%s/ours", dir);
  snprintf (list, sizeof list, "%s/list", dir);
  test_write_file (path, a.ptr, a.len);
  snprintf (cmd, sizeof cmd, "cpio --quiet -t < %s", path);
  assert_int_equal (test_run (sh, list), 0);
  text = test_read_file (list, &len);
  assert_int_equal (len, strlen ("usr\n" VMBUS "\n./etc/modprobe.d/a.conf\n"));
  assert_memory_equal (text, "usr\n" VMBUS "\n./etc/modprobe.d/a.conf\n", len);
  for (int crc = 0; crc < 2; ++crc) {
    struct v2v_initramfs im = V2V_INITRAMFS_INIT;
    CLEANUP_FREE char *data = NULL;

    snprintf (cmd, sizeof cmd,
              "mkdir -p %s/t/conf && cd %s/t && echo hello > conf/x && "
              "ln -sf x conf/y && find conf | cpio --quiet -o -H %s",
              dir, dir, crc ? "crc" : "newc");
    assert_int_equal (test_run (sh, path), 0);
    data = test_read_file (path, &len);
    assert_ok (read_bytes (data, len, &im, &err), err);
    assert_string_equal (v2v_initramfs_find (&im, "conf/x")->data, "hello\n");
    assert_true (S_ISLNK (v2v_initramfs_find (&im, "conf/y")->mode));
    v2v_initramfs_clear (&im);
    if (crc) {
      char *p = memmem (data, len, "hello", 5);

      *p ^= 1;
      assert_int_equal (read_bytes (data, len, &im, &err), -1);
      assert_error (&err, V2V_ERR_FORMAT, "checksum");
    }
  }
  v2v_str_free (&a);
  test_tmpdir_remove (dir);
}

/* The n-th byte of a stream may come alone. */
static int
count_entry (void *arg, const struct v2v_cpio_entry *e, struct v2v_error **err)
{
  (void) e;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

static void
test_bytes_one_by_one_give_the_same_entries (void **state)
{
  struct v2v_str a = make_archive ();
  unsigned count = 0;
  const struct v2v_cpio_visitor v = { .visit = count_entry, .arg = &count };
  struct v2v_error *err = NULL;
  struct v2v_cpio_reader *r = v2v_cpio_reader_new (&v, &err);
  (void) state;

  for (size_t i = 0; i < a.len; ++i) {
    size_t used;

    assert_ok (v2v_cpio_reader_feed (r, a.ptr + i, 1, &used, &err), err);
    assert_int_equal (used, 1);
  }
  assert_int_equal (count, 3);
  assert_true (v2v_cpio_reader_is_between (r));
  v2v_cpio_reader_free (r);
  v2v_str_free (&a);
}

/* A PE file with one section .initrd, as ukify makes it. */
static void
test_constructed_unified_kernel_image_is_read (void **state)
{
  struct v2v_str a = make_archive ();
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  uint8_t *pe = calloc (1, 512 + a.len);
  struct v2v_io *io;
  (void) state;

  memcpy (pe, "MZ", 2);
  v2v_put_le32 (pe + 60, 64);
  memcpy (pe + 64, "PE", 2);
  v2v_put_le16 (pe + 64 + 6, 2);   /* sections */
  v2v_put_le16 (pe + 64 + 20, 16); /* optional header */
  memcpy (pe + 104, ".cmdline", 8);
  memcpy (pe + 144, ".initrd", 8);
  v2v_put_le32 (pe + 144 + 8, (uint32_t) a.len);
  v2v_put_le32 (pe + 144 + 16, (uint32_t) a.len);
  v2v_put_le32 (pe + 144 + 20, 512);
  memcpy (pe + 512, a.ptr, a.len);
  io = v2v_io_from_buffer ("uki", pe, 512 + a.len, &err);
  assert_ok (v2v_initramfs_read_uki (io, &im, &err), err);
  assert_is_archive (&im);
  v2v_initramfs_clear (&im);
  v2v_io_unref (io);
  /* A section past the end. */
  v2v_put_le32 (pe + 144 + 20, 513);
  io = v2v_io_from_buffer ("uki", pe, 512 + a.len, &err);
  assert_int_equal (v2v_initramfs_read_uki (io, &im, &err), -1);
  assert_non_null (err);
  v2v_error_free (err);
  v2v_io_unref (io);
  free (pe);
  v2v_str_free (&a);
}

/* Debian's stock initramfs (MODULES=most): this host's, if it has one. */
static void
test_real_initramfs_of_this_host_lists_what_lsinitramfs_lists (void **state)
{
  const char *const find[] = { "sh", "-c",
                               "ls /boot/initrd.img-* | grep -v pre-v2v | "
                               "tail -n 1 | tr -d '\\n'",
                               NULL };
  char *dir = test_tmpdir ();
  char path[512], cmd[1024];
  const char *const sh[] = { "sh", "-c", cmd, NULL };
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  CLEANUP_FREE char *name = NULL, *image = NULL, *list = NULL;
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  size_t len, lines = 0;
  (void) state;

  snprintf (path, sizeof path, "%s/out", dir);
  test_run (find, path);
  name = test_read_file (path, &len);
  if (len == 0 || !test_have ("lsinitramfs"))
    skip ();
  image = strndup (name, len);
  io = v2v_io_open (image, V2V_IO_FOLLOW, &err);
  assert_ptr (io, err);
  assert_ok (v2v_initramfs_read (io, &im, &err), err);
  v2v_io_unref (io);
  snprintf (cmd, sizeof cmd, "lsinitramfs %s", image);
  assert_int_equal (test_run (sh, path), 0);
  list = test_read_file (path, &len);
  for (size_t i = 0; i < len; ++i)
    lines += list[i] == '\n';
  assert_true (lines > 100);
  assert_int_equal (im.nr_files, lines);
  assert_non_null (v2v_initramfs_find_module (
      &im, image + strlen ("/boot/initrd.img-"), "hv_storvsc"));
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constructed_every_compression_is_read),
#ifdef HAVE_LZO
    cmocka_unit_test (test_lzo_blocks_packed_and_stored_are_read),
#endif
    cmocka_unit_test (
        test_constructed_what_the_kernel_would_not_unpack_is_refused),
    cmocka_unit_test (test_damaged_headers_are_refused),
    cmocka_unit_test (test_constructed_a_later_file_replaces_an_earlier_one),
    cmocka_unit_test (test_constructed_an_empty_module_is_missing),
    cmocka_unit_test (test_cpio_reads_ours_and_we_read_its_newc_and_crc),
    cmocka_unit_test (test_bytes_one_by_one_give_the_same_entries),
    cmocka_unit_test (test_constructed_unified_kernel_image_is_read),
    cmocka_unit_test (
        test_real_initramfs_of_this_host_lists_what_lsinitramfs_lists),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
