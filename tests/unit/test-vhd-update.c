/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD files changed in place, with crashes at every moment. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "vhd-util.h"

/* ---- in place ---- */

static void
test_change_in_place (void **state)
{
  const uint64_t size = 4 * MIB + 1536;
  char *dir = test_tmpdir ();
  uint8_t *model = calloc (1, size);
  struct v2v_error *err = NULL;

  (void) state;
  for (unsigned n = 1; n <= 2; ++n) {
    char *path;
    struct v2v_image *img;

    memset (model, 0, size);
    path = vhd_test_make_chain (dir, n, size, 512 * KIB, model);
    img = v2v_image_open_rw (path, NULL, &err);
    assert_ptr (img, err);
    for (uint32_t i = 0; i < 6; ++i) {
      uint8_t *buf = malloc (size);

      vhd_test_scribble (img, model, size, 10, 200 + i);
      /* What is not flushed yet is read back all the same. */
      assert_ok (v2v_image_read (img, buf, size, 0, &err), err);
      assert_memory_equal (buf, model, size);
      free (buf);
      if (i % 2)
        assert_ok (v2v_image_flush (img, &err), err);
    }
    vhd_test_finish (img);
    vhd_test_check_content (path, model, size);
    vhd_test_check_clean (path);
    if (n == 1)
      vhd_test_check_qemu (path, dir, model, size);
    vhd_test_check_7zz (path, dir, model, size);
    free (path);
    test_tmpdir_remove (dir);
    dir = test_tmpdir ();
  }
  free (model);
  test_tmpdir_remove (dir);
}

/* A disk that loses what was not synced: some of the sectors written since,
 * at random, and perhaps the new length too. */
struct lossy {
  uint8_t *now, *safe;
  size_t cap, len, safe_len;
  bool *touched;
  unsigned ops_left; /* 0 = dead */
};

static int
lossy_step (struct lossy *d, struct v2v_error **err)
{
  if (d->ops_left == 0 || --d->ops_left == 0)
    return v2v_fail (err, V2V_ERR_IO, "crashed");
  return 0;
}

static int
lossy_pread (void *vh, void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  struct lossy *d = vh;

  if (d->ops_left == 0)
    return v2v_fail (err, V2V_ERR_IO, "crashed");
  memcpy (buf, d->now + offset, len);
  return 0;
}

static int
lossy_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct lossy *d = vh;

  if (lossy_step (d, err) == -1)
    return -1;
  assert_true (offset + len <= d->cap);
  memcpy (d->now + offset, buf, len);
  for (uint64_t s = offset / 512; s <= (offset + len - 1) / 512; ++s)
    d->touched[s] = true;
  if (offset + len > d->len)
    d->len = offset + len;
  return 0;
}

static int
lossy_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  struct lossy *d = vh;

  if (lossy_step (d, err) == -1)
    return -1;
  assert_true (size >= d->len);
  d->len = size;
  return 0;
}

static int
lossy_sync (void *vh, struct v2v_error **err)
{
  struct lossy *d = vh;

  if (lossy_step (d, err) == -1)
    return -1;
  memcpy (d->safe, d->now, d->cap);
  d->safe_len = d->len;
  memset (d->touched, 0, d->cap / 512 * sizeof d->touched[0]);
  return 0;
}

static int
lossy_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  uint8_t *zeros = calloc (1, len);
  const int r = lossy_pwrite (vh, zeros, len, offset, err);

  free (zeros);
  return r;
}

static void
lossy_close (void *vh)
{
  (void) vh; /* the test looks at it afterwards */
}

static const struct v2v_io_ops lossy_ops = {
  .kind = "lossy",
  .pread = lossy_pread,
  .pwrite = lossy_pwrite,
  .resize = lossy_resize,
  .sync = lossy_sync,
  .punch = lossy_punch,
  .close = lossy_close,
};

/* The core opens for change by name only; the driver is what is tested. */
static void *
open_rw_io (struct v2v_io *io, struct v2v_error **err)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhd");
  const struct v2v_open_opts opts = { .no_parents = true };
  void *h = calloc (1, ops->handle_size);

  if (ops->open_rw (h, io, &opts, err) == 0)
    return h;
  ops->close (h);
  free (h);
  return NULL;
}

#define CRASH_SIZE    (3 * MIB)
#define CRASH_SECTORS (CRASH_SIZE / 512)

/* One life: change the disk until it dies.  ALLOWED[s] lists what sector S may
 * hold afterwards: the flushed content and everything written since. */
struct versions {
  uint8_t seen[8]; /* by the first byte of the sector: fills are constant */
  unsigned n;
};

static void
live_until_crash (void *h, uint8_t *current, struct versions *v, uint32_t seed)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhd");
  uint8_t *buf = malloc (400 * 512);
  struct v2v_error *err = NULL;

  for (uint32_t i = 0; err == NULL && i < 40; ++i) {
    const uint8_t fill = (uint8_t) (i + 100);
    uint32_t r[2];
    uint64_t first, n;

    test_random (r, sizeof r, seed * 64 + i);
    first = r[0] % CRASH_SECTORS;
    n = v2v_min_u64 (r[1] % 400 + 1, CRASH_SECTORS - first);
    memset (buf, fill, 400 * 512);
    for (uint64_t s = first; s < first + n; ++s)
      if (v[s].n < 8) {
        v[s].seen[v[s].n++] = fill;
        current[s] = fill;
      }
      else
        n = s - first; /* no room to remember more: shorten */
    if (n > 0 && ops->write (h, buf, n * 512, first * 512, &err) == -1)
      break;
    if (i % 5 == 4 && ops->flush (h, &err) == 0)
      for (uint64_t s = 0; s < CRASH_SECTORS; ++s) {
        v[s].seen[0] = current[s];
        v[s].n = 1;
      }
  }
  v2v_error_free (err);
  free (buf);
}

static void
crash_once (const uint8_t *file, size_t len, bool child, unsigned ops_left,
            uint32_t seed)
{
  const size_t cap = 8 * MIB;
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhd");
  const struct v2v_open_opts alone = { .format = "vhd", .no_parents = true };
  struct lossy d = { .now = calloc (1, cap),
                     .safe = calloc (1, cap),
                     .touched = calloc (cap / 512, sizeof (bool)),
                     .cap = cap,
                     .len = len,
                     .safe_len = len,
                     .ops_left = ops_left };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct versions *v = calloc (CRASH_SECTORS, sizeof *v);
  uint8_t *current = calloc (1, CRASH_SECTORS), *got;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct v2v_io *io;
  uint32_t r = seed;
  void *h;

  memcpy (d.now, file, len);
  memcpy (d.safe, file, len);
  for (size_t s = 0; s < CRASH_SECTORS; ++s)
    v[s].n = 1; /* zero, or absent, before */
  io = v2v_io_new (&lossy_ops, &d, "lossy.vhd", len, false, &err);
  assert_ptr (io, err);
  h = open_rw_io (io, &err);
  v2v_error_free (err);
  err = NULL;
  if (h != NULL) {
    live_until_crash (h, current, v, seed);
    ops->close (h);
    free (h);
  }
  v2v_io_unref (io);

  /* The power goes: each sector not synced may or may not have made it. */
  for (size_t s = 0; s < cap / 512; ++s) {
    test_random (&r, sizeof r, r + 1);
    if (d.touched[s] && r % 2)
      memcpy (d.safe + s * 512, d.now + s * 512, 512);
  }
  if (r % 3)
    d.safe_len = d.len;
  io = v2v_io_from_buffer ("after.vhd", d.safe, d.safe_len, &err);
  assert_ptr (io, err);
  img = v2v_image_open_io (io, &alone, &err);
  assert_ptr (img, err);
  got = malloc (CRASH_SIZE);
  assert_ok (v2v_image_read (img, got, CRASH_SIZE, 0, &err), err);
  for (size_t s = 0; s < CRASH_SECTORS; ++s) {
    const uint8_t *p = got + s * 512;
    bool known = false;

    for (unsigned i = 0; i < v[s].n; ++i)
      known |= v[s].seen[i] == p[0];
    if (!known || memcmp (p, p + 1, 511) != 0)
      fail_msg ("crash after %u steps, seed %u: sector %zu has %u, neither "
                "flushed nor written since",
                ops_left, seed, s, p[0]);
  }
  /* In a child, a sector that is present was written: nobody writes zeros
   * here, so zeros are a bit that came before its data. */
  assert_ok (v2v_image_extents (img, CRASH_SIZE, 0, &list, &err), err);
  for (size_t i = 0; child && i < list.len; ++i)
    for (uint64_t o = 0;
         list.ptr[i].type == V2V_EXTENT_DATA && o < list.ptr[i].length;
         o += 512)
      if (got[list.ptr[i].offset + o] == 0)
        fail_msg ("crash after %u steps, seed %u: sector %u is marked present "
                  "without its data",
                  ops_left, seed, (unsigned) ((list.ptr[i].offset + o) / 512));
  free (got);
  v2v_image_close (img);
  v2v_io_unref (io);
  free (current);
  free (v);
  free (d.now);
  free (d.safe);
  free (d.touched);
}

static void
test_crash_at_any_moment_keeps_what_was_flushed (void **state)
{
  const struct v2v_create_opts base = { .size_bytes = CRASH_SIZE,
                                        .block_bytes = 512 * KIB };
  char *dir = test_tmpdir ();
  char *p = vhd_test_path_in (dir, "p.vhd"),
       *c = vhd_test_path_in (dir, "c.vhd");
  struct v2v_create_opts child = base;
  struct v2v_error *err = NULL;
  uint8_t *file;
  size_t len;

  (void) state;
  vhd_test_finish (vhd_test_create (p, &base));
  child.subformat = V2V_SUB_DIFFERENCING;
  child.parent = v2v_image_open (p, NULL, &err);
  assert_ptr (child.parent, err);
  vhd_test_finish (vhd_test_create (c, &child));
  v2v_image_close (child.parent);
  for (unsigned i = 0; i < 2; ++i) {
    file = test_read_file (i ? c : p, &len);
    for (unsigned n = 1; n < 130; ++n)
      crash_once (file, len, i == 1, n, n * 7 + i);
    crash_once (file, len, i == 1, 100000, 5); /* it does not crash at all */
    free (file);
  }
  free (p);
  free (c);
  test_tmpdir_remove (dir);
}

static void
test_many_pending_bitmaps_are_flushed_in_between (void **state)
{
  /* More blocks than the table of pending bitmaps takes, all allocated and
   * flushed before, then one more sector in each. */
  const unsigned nr = 1500;
  const uint64_t size = (uint64_t) nr * 512 * KIB;
  const struct v2v_create_opts base = { .size_bytes = size,
                                        .block_bytes = 512 * KIB };
  char *dir = test_tmpdir ();
  char *p = vhd_test_path_in (dir, "p.vhd"),
       *c = vhd_test_path_in (dir, "c.vhd");
  struct v2v_create_opts child = base;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t sector[512], got[512];

  (void) state;
  vhd_test_finish (vhd_test_create (p, &base));
  child.subformat = V2V_SUB_DIFFERENCING;
  child.parent = v2v_image_open (p, NULL, &err);
  img = vhd_test_create (c, &child);
  for (unsigned i = 0; i < nr; ++i) {
    memset (sector, (int) (i % 251), 512);
    assert_ok (
        v2v_image_write (img, sector, 512, (uint64_t) i * 512 * KIB, &err),
        err);
  }
  vhd_test_finish (img);
  v2v_image_close (child.parent);
  img = v2v_image_open_rw (c, NULL, &err);
  assert_ptr (img, err);
  for (unsigned i = 0; i < nr; ++i) {
    memset (sector, (int) (i % 241), 512);
    assert_ok (v2v_image_write (img, sector, 512,
                                (uint64_t) i * 512 * KIB + 5 * 512, &err),
               err);
  }
  vhd_test_finish (img);
  img = v2v_image_open (c, NULL, &err);
  assert_ptr (img, err);
  for (unsigned i = 0; i < nr; ++i)
    for (unsigned k = 0; k < 2; ++k) {
      assert_ok (v2v_image_read (img, got, 512,
                                 (uint64_t) i * 512 * KIB + k * 5 * 512, &err),
                 err);
      assert_int_equal (got[7], i % (k ? 241 : 251));
    }
  v2v_image_close (img);
  free (p);
  free (c);
  test_tmpdir_remove (dir);
}

static void
test_damaged_footers_are_made_good_before_changing (void **state)
{
  const struct v2v_create_opts opts = { .size_bytes = 4 * MIB };
  char *dir = test_tmpdir ();
  char *path = vhd_test_path_in (dir, "a.vhd");
  struct v2v_error *err = NULL;

  (void) state;
  for (unsigned i = 0; i < 2; ++i) {
    uint8_t *p, sector[512];
    size_t len;

    vhd_test_finish (vhd_test_create (path, &opts));
    p = test_read_file (path, &len);
    p[(i ? 0 : len - 512) + 80] ^= 1;
    test_write_file (path, p, len);
    free (p);
    v2v_log_set_sink (NULL, NULL);
    {
      struct v2v_image *img = v2v_image_open_rw (path, NULL, &err);

      assert_ptr (img, err);
      vhd_test_put (img, sector, 0, 512, 4);
      vhd_test_finish (img);
    }
    vhd_test_check_clean (path);
    unlink (path);
  }
  free (path);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_change_in_place),
    cmocka_unit_test (test_crash_at_any_moment_keeps_what_was_flushed),
    cmocka_unit_test (test_many_pending_bitmaps_are_flushed_in_between),
    cmocka_unit_test (test_damaged_footers_are_made_good_before_changing),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
