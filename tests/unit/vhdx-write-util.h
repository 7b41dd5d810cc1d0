/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of VHDX files that we make share. */
#ifndef VHDX_WRITE_UTIL_H
#define VHDX_WRITE_UTIL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/copy.h"
#include "test-util.h"

#define MIB V2V_MIB

static char *dir;

static inline int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  return 0;
}

static inline int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

static inline char *
in_dir (const char *name)
{
  char *path = NULL;

  assert_true (asprintf (&path, "%s/%s", dir, name) > 0);
  return path;
}

static inline struct v2v_image *
create (const char *path, const char *format,
        const struct v2v_create_opts *opts)
{
  struct v2v_error *err = NULL;
  struct v2v_create_opts o = *opts;
  struct v2v_image *img;

  o.replace = true;
  img = v2v_image_create (path, format, &o, &err);
  assert_ptr (img, err);
  return img;
}

static inline void
finish (struct v2v_image *img)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
}

static inline struct v2v_image *
open_image (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, NULL, &err);

  assert_ptr (img, err);
  return img;
}

/* The same bytes, by our reader; nothing wrong, by our checker. */
static inline void
assert_same (const char *raw, const char *vhdx)
{
  struct v2v_check_report report = { .items = NULL };
  struct v2v_error *err = NULL;
  struct v2v_image *a = open_image (raw), *b = open_image (vhdx);
  uint64_t where = 0;

  assert_int_equal (v2v_image_compare (a, b, true, NULL, &where, &err), 0);
  v2v_image_close (a);
  v2v_image_close (b);
  assert_ok (v2v_image_check (vhdx, false, NULL, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity != V2V_CHECK_NOTE)
      fail_msg ("%s: %s", report.items[i].id, report.items[i].message);
  v2v_check_report_clear (&report);
}

/* And by QEMU, which knows no parents and no 4096-byte sectors. */
static inline void
assert_qemu_agrees (const char *raw, const char *vhdx)
{
  if (!test_have ("qemu-img"))
    return;
  assert_int_equal (test_run ((const char *const[]){ "qemu-img", "check", "-f",
                                                     "vhdx", vhdx, NULL },
                              NULL),
                    0);
  assert_int_equal (
      test_run ((const char *const[]){ "qemu-img", "compare", "-f", "raw", "-F",
                                       "vhdx", raw, vhdx, NULL },
                NULL),
      0);
}

/* The same random writes and zeros to both, all inside the disk. */
static inline void
scribble (struct v2v_image *const *images, unsigned n_images, unsigned nr,
          uint32_t seed)
{
  const uint64_t size = v2v_image_size (images[0]);
  const uint64_t sector = 4096;
  uint8_t *buf = malloc (4 * MIB);
  struct v2v_error *err = NULL;

  assert_non_null (buf);
  for (unsigned i = 0; i < nr; ++i) {
    uint64_t offset, len;
    uint32_t r[4];

    test_random (r, sizeof r, seed * 1000 + i);
    offset = ((uint64_t) r[0] << 20 ^ r[1]) % (size / sector) * sector;
    len = v2v_min_u64 ((1 + r[2] % (r[3] % 8 == 0 ? 1024 : 64)) * sector,
                       size - offset);
    if (i == 0)
      offset = size - (len = sector); /* the end of the disk */
    test_random (buf, len, seed + i);
    for (unsigned k = 0; k < n_images; ++k)
      if (i % 5 == 4)
        assert_ok (v2v_image_zero (images[k], len, offset, &err), err);
      else
        assert_ok (v2v_image_write (images[k], buf, len, offset, &err), err);
  }
  free (buf);
}

#endif /* VHDX_WRITE_UTIL_H */
