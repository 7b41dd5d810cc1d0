/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD files for the tests of the writer. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "vhd-util.h"

char *
vhd_test_path_in (const char *dir, const char *name)
{
  char *path = NULL;

  assert_int_not_equal (asprintf (&path, "%s/%s", dir, name), -1);
  return path;
}

struct v2v_image *
vhd_test_create (const char *path, const struct v2v_create_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_create (path, "vhd", opts, &err);

  assert_ptr (img, err);
  return img;
}

void
vhd_test_finish (struct v2v_image *img)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
}

void
vhd_test_put (struct v2v_image *img, uint8_t *model, uint64_t offset,
              size_t len, uint32_t seed)
{
  struct v2v_error *err = NULL;

  test_random (model + offset, len, seed);
  assert_ok (v2v_image_write (img, model + offset, len, offset, &err), err);
}

void
vhd_test_put_zero (struct v2v_image *img, uint8_t *model, uint64_t offset,
                   size_t len)
{
  struct v2v_error *err = NULL;

  memset (model + offset, 0, len);
  assert_ok (v2v_image_zero (img, len, offset, &err), err);
}

void
vhd_test_scribble (struct v2v_image *img, uint8_t *model, uint64_t size,
                   unsigned n, uint32_t seed)
{
  uint32_t r[3];

  for (unsigned i = 0; i < n; ++i) {
    uint64_t offset, len;

    test_random (r, sizeof r, seed * 1000 + i);
    offset = r[0] % (size / 512) * 512;
    len = r[1] % (i % 4 == 0 ? 5000 : 40) * 512 + 512;
    len = v2v_min_u64 (len, size - offset);
    if (r[2] % 4 == 0)
      vhd_test_put_zero (img, model, offset, len);
    else
      vhd_test_put (img, model, offset, len, r[2]);
  }
}

void
vhd_test_check_content (const char *path, const uint8_t *model, uint64_t size)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, NULL, &err);
  uint8_t *buf = malloc (size);

  assert_ptr (img, err);
  assert_true (v2v_image_size (img) == size);
  assert_ok (v2v_image_read (img, buf, size, 0, &err), err);
  assert_memory_equal (buf, model, size);
  free (buf);
  v2v_image_close (img);
}

void
vhd_test_check_clean (const char *path)
{
  struct v2v_check_report report = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_check (path, false, NULL, &report, &err), err);
  if (report.nr_items > 0)
    fail_msg ("%s: %s", path, report.items[0].message);
  v2v_check_report_clear (&report);
}

void
vhd_test_check_bytes (char *file, const uint8_t *model, uint64_t size)
{
  size_t len;
  uint8_t *p = test_read_file (file, &len);

  assert_int_equal (len, size);
  assert_memory_equal (p, model, size);
  free (p);
  unlink (file);
}

void
vhd_test_check_qemu (const char *path, const char *dir, const uint8_t *model,
                     uint64_t size)
{
  char *out = vhd_test_path_in (dir, "out.raw");

  if (test_have ("qemu-img")) {
    const char *const argv[] = { "qemu-img", "convert", "-f", "vpc", "-O",
                                 "raw",      path,      out,  NULL };

    assert_int_equal (test_run (argv, NULL), 0);
    vhd_test_check_bytes (out, model, size);
  }
  free (out);
}

void
vhd_test_check_7zz (const char *path, const char *dir, const uint8_t *model,
                    uint64_t size)
{
  char *out = vhd_test_path_in (dir, "out.raw");

  if (test_have ("7zz")) {
    const char *const argv[] = { "7zz", "x", "-so", path, NULL };

    assert_int_equal (test_run (argv, out), 0);
    vhd_test_check_bytes (out, model, size);
  }
  free (out);
}

char *
vhd_test_make_chain (const char *dir, unsigned n, uint64_t size, uint64_t block,
                     uint8_t *model)
{
  struct v2v_create_opts opts = { .size_bytes = size, .block_bytes = block };
  struct v2v_error *err = NULL;
  char *path = vhd_test_path_in (dir, "disk-0.vhd");
  struct v2v_image *img = vhd_test_create (path, &opts);

  vhd_test_scribble (img, model, size, 12, 70);
  vhd_test_finish (img);
  for (unsigned i = 1; i < n; ++i) {
    struct v2v_image *parent = v2v_image_open (path, NULL, &err);
    char name[32];

    assert_ptr (parent, err);
    free (path);
    snprintf (name, sizeof name, "disk-%u.vhd", i);
    path = vhd_test_path_in (dir, name);
    opts.subformat = V2V_SUB_DIFFERENCING;
    opts.parent = parent;
    opts.parent_absolute_path = i % 2 ? "D:\\vm\\parent.vhd" : NULL;
    img = vhd_test_create (path, &opts);
    vhd_test_scribble (img, model, size, 8, 70 + i);
    vhd_test_finish (img);
    v2v_image_close (parent);
  }
  return path;
}
