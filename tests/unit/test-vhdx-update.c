/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX changed in place: what it does, and what a kill leaves behind.
 *
 * The kill is simulated by an io that keeps what reached the disk at each
 * sync, and since then only some of the writes, torn at sectors of 512 bytes,
 * in any order: what a machine without power may do.  After each of them the
 * file has to open and hold the old or the new state of every flush.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "test-util.h"
#include "vhdx-build.h"

/* ---- an io that loses power ---- */

struct op {
  uint64_t offset;
  uint64_t len;  /* UINT64_MAX: a resize to OFFSET */
  uint8_t *data; /* NULL: zeros */
};

struct disk {
  uint8_t *now;    /* as the program sees it */
  uint8_t *stable; /* at the last sync */
  size_t now_len, stable_len;
  struct op *ops; /* since then */
  size_t nr_ops;
  unsigned count;  /* of writes, resizes, punches and syncs */
  unsigned die_at; /* from this one on nothing works */
};

#define DISK_MAX (32 * MIB)

static void
apply (uint8_t *bytes, size_t *len, const struct op *op)
{
  if (op->len == UINT64_MAX) {
    if (op->offset < *len)
      memset (bytes + op->offset, 0, *len - op->offset);
    *len = op->offset;
    return;
  }
  assert_true (op->offset + op->len <= DISK_MAX);
  if (op->data != NULL)
    memcpy (bytes + op->offset, op->data, op->len);
  else
    memset (bytes + op->offset, 0, op->len);
  if (op->offset + op->len > *len)
    *len = op->offset + op->len;
}

static void
forget_ops (struct disk *d)
{
  for (size_t i = 0; i < d->nr_ops; ++i)
    free (d->ops[i].data);
  d->nr_ops = 0;
}

static int
step (struct disk *d, struct v2v_error **err)
{
  if (++d->count < d->die_at || d->die_at == 0)
    return 0;
  errno = EIO;
  return v2v_fail_errno (err, "killed");
}

static void
record (struct disk *d, uint64_t offset, uint64_t len, const void *data)
{
  struct op op = { offset, len, NULL };

  if (data != NULL) {
    op.data = malloc (len);
    assert_non_null (op.data);
    memcpy (op.data, data, len);
  }
  d->ops = reallocarray (d->ops, d->nr_ops + 1, sizeof *d->ops);
  assert_non_null (d->ops);
  d->ops[d->nr_ops++] = op;
  apply (d->now, &d->now_len, &op);
}

static int
disk_pread (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  struct disk *d = vh;

  (void) err;
  assert_true (offset + len <= d->now_len);
  memcpy (buf, d->now + offset, len);
  return 0;
}

static int
disk_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
             struct v2v_error **err)
{
  /* The write under way when the power goes may be there in part: it is
   * recorded before the step fails. */
  record (vh, offset, len, buf);
  return step (vh, err);
}

static int
disk_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  record (vh, size, UINT64_MAX, NULL);
  return step (vh, err);
}

static int
disk_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  record (vh, offset, len, NULL);
  return step (vh, err);
}

static int
disk_sync (void *vh, struct v2v_error **err)
{
  struct disk *d = vh;

  if (step (d, err) == -1)
    return -1;
  for (size_t i = 0; i < d->nr_ops; ++i)
    apply (d->stable, &d->stable_len, &d->ops[i]);
  forget_ops (d);
  return 0;
}

static void
disk_close (void *vh)
{
  (void) vh; /* the test keeps it */
}

static const struct v2v_io_ops disk_ops = {
  .kind = "disk without power",
  .pread = disk_pread,
  .pwrite = disk_pwrite,
  .resize = disk_resize,
  .sync = disk_sync,
  .punch = disk_punch,
  .close = disk_close,
};

static void
disk_init (struct disk *d, const uint8_t *bytes, size_t len, unsigned die_at)
{
  memset (d, 0, sizeof *d);
  d->now = calloc (1, DISK_MAX);
  d->stable = calloc (1, DISK_MAX);
  assert_true (d->now != NULL && d->stable != NULL);
  memcpy (d->now, bytes, len);
  memcpy (d->stable, bytes, len);
  d->now_len = d->stable_len = len;
  d->die_at = die_at;
}

static void
disk_free (struct disk *d)
{
  forget_ops (d);
  free (d->ops);
  free (d->now);
  free (d->stable);
}

static struct v2v_io *
disk_io (struct disk *d)
{
  struct v2v_error *err = NULL;
  struct v2v_io *io =
      v2v_io_new (&disk_ops, d, "disk.vhdx", d->now_len, false, &err);

  assert_ptr (io, err);
  return io;
}

/* What may be found after the power is back.  MODE 0: all writes arrived; 1:
 * none since the last sync; 2: only the last one did; above, by that seed,
 * each arrived, was lost, or was torn.
 */
#define NR_MODES 12

static void
apply_torn (uint8_t *bytes, size_t *len, const struct op *op, uint32_t *x)
{
  for (uint64_t at = 0; at < op->len; at += 512) {
    const struct op part = { op->offset + at, v2v_min_u64 (512, op->len - at),
                             op->data ? op->data + at : NULL };

    *x = *x * 1664525u + 1013904223u;
    if (*x >> 31)
      apply (bytes, len, &part);
  }
}

static void
after_power_loss (const struct disk *d, unsigned mode, uint8_t *bytes,
                  size_t *ret_len)
{
  uint32_t x = mode * 2654435761u + 12345;

  memcpy (bytes, d->stable, DISK_MAX);
  *ret_len = d->stable_len;
  for (size_t i = 0; mode != 1 && i < d->nr_ops; ++i) {
    const struct op *op = &d->ops[i];

    x = x * 1664525u + 1013904223u;
    if (mode == 0 || op->len == UINT64_MAX ||
        (mode == 2 ? i + 1 == d->nr_ops : x >> 30 == 0))
      /* A length that is not down is as good as zeros behind the old one. */
      apply (bytes, ret_len, op);
    else if (mode > 2 && x >> 31 != 0)
      apply_torn (bytes, ret_len, op, &x);
  }
}

/* ---- the work that is interrupted ---- */

/* A disk of 8 blocks of 1 MiB as a row of 4 KiB cells.  Each cell holds the
 * number of the round that wrote it, 0xff being the parent (or nothing).
 */
#define NR_CELLS 2048u
#define CELL     4096u
#define PARENT   0xff

struct model {
  uint8_t cells[NR_CELLS];
};

/* Ranges of cells; VALUE 0 zeroes. */
static const struct change {
  unsigned round, first, nr;
  bool zero;
} changes[] = {
  { 1, 3, 1, false },      /* one cell of an absent block */
  { 1, 256, 256, false },  /* all of a block */
  { 1, 700, 200, false },  /* across a seam */
  { 2, 4, 2, false },      /* more of the first */
  { 2, 256, 256, true },   /* give the second back */
  { 2, 600, 10, true },    /* zeros in the middle */
  { 3, 1024, 256, false }, /* takes the place that was given back */
  { 3, 0, 256, false },    /* the first becomes full */
  { 3, 1500, 300, true },  /* whole and partial zeros over absent ones */
  { 4, 256, 8, false },    /* a zero block gets data */
  { 4, 2040, 8, false },   /* the end of the disk */
  { 4, 710, 5, true },
  { 5, 260, 4, false }, /* over data only: no table changes */
  { 6, 1300, 1, false },
};
#define NR_ROUNDS 6u

static void
model_apply (struct model *m, const struct change *c)
{
  memset (m->cells + c->first, c->zero ? 0 : (int) c->round, c->nr);
}

/* Returns the last round that was flushed. */
static unsigned
work (struct v2v_io *io, bool *ret_finished)
{
  const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhdx");
  const struct v2v_open_opts opts = { .format = "vhdx", .no_parents = true };
  void *h = calloc (1, ops->handle_size);
  struct v2v_error *err = NULL;
  unsigned flushed = 0;

  assert_non_null (h);
  *ret_finished = false;
  if (ops->open_rw (h, io, &opts, &err) == 0) {
    for (unsigned round = 1; round <= NR_ROUNDS && err == NULL; ++round) {
      for (size_t i = 0; i < V2V_ARRAY_SIZE (changes) && err == NULL; ++i) {
        const struct change *c = &changes[i];
        CLEANUP_FREE uint8_t *buf = malloc ((size_t) c->nr * CELL);

        if (c->round != round)
          continue;
        assert_non_null (buf);
        memset (buf, (int) c->round, (size_t) c->nr * CELL);
        if (c->zero)
          ops->zero (h, (uint64_t) c->nr * CELL, (uint64_t) c->first * CELL,
                     &err);
        else
          ops->write (h, buf, (size_t) c->nr * CELL, (uint64_t) c->first * CELL,
                      &err);
      }
      if (err == NULL && ops->flush (h, &err) == 0)
        flushed = round;
    }
    if (err == NULL && ops->finish (h, &err) == 0)
      *ret_finished = true;
  }
  ops->close (h);
  free (h);
  v2v_error_free (err);
  return flushed;
}

/* What layer 0 says of each cell: its byte, PARENT where it is absent, and a
 * failure of the test where a cell is not of one piece.
 */
static void
read_cells (const uint8_t *bytes, size_t len, bool has_parent,
            struct model *ret, unsigned die_at, unsigned mode)
{
  const struct v2v_open_opts opts = { .format = "vhdx", .no_parents = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_io *io = v2v_io_from_buffer ("after", bytes, len, &err);
  struct v2v_check_report report = { .items = NULL };
  struct v2v_image *img;
  uint8_t buf[CELL];

  assert_ptr (io, err);
  img = v2v_image_open_io (io, &opts, &err);
  if (img == NULL)
    fail_msg ("killed at %u, mode %u: %s", die_at, mode,
              v2v_error_message (err));
  assert_ok (
      v2v_image_extents (img, (uint64_t) NR_CELLS * CELL, 0, &list, &err), err);
  for (size_t i = 0; i < list.len; ++i)
    for (uint64_t o = list.ptr[i].offset;
         o < list.ptr[i].offset + list.ptr[i].length; o += CELL) {
      assert_int_equal (o % CELL, 0); /* sectors go by cells here */
      if (list.ptr[i].type == V2V_EXTENT_ABSENT) {
        ret->cells[o / CELL] = has_parent ? PARENT : 0;
        continue;
      }
      assert_ok (v2v_image_read (img, buf, CELL, o, &err), err);
      ret->cells[o / CELL] = buf[0];
      for (unsigned k = 1; k < CELL; ++k)
        if (buf[k] != buf[0])
          ret->cells[o / CELL] = 0xee; /* torn */
    }
  v2v_image_close (img);
  /* The structures are whole too, apart from space that was not used yet. */
  assert_ok (v2v_image_driver_by_name ("vhdx")->check (io, false, &opts,
                                                       &report, &err),
             err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity == V2V_CHECK_DAMAGE &&
        strcmp (report.items[i].id, "vhdx.log.dirty") != 0 &&
        strcmp (report.items[i].id, "vhdx.header.copy") != 0)
      fail_msg ("killed at %u, mode %u: %s: %s", die_at, mode,
                report.items[i].id, report.items[i].message);
  v2v_check_report_clear (&report);
  v2v_io_unref (io);
}

/* May cell I be ACTUAL, if FLUSHED is down and round FLUSHED + 1 was under
 * way?  Old, new; or torn, if that round wrote to it.  Where the table is
 * older than the write, zeros of a block that was just made are possible too,
 * but only in that round's own cells.
 */
static bool
cell_is_sound (const struct model *old, const struct model *next, unsigned i,
               uint8_t actual, bool written_by_next)
{
  return actual == old->cells[i] || actual == next->cells[i] ||
         (written_by_next && (actual == 0xee || actual == 0));
}

static void
check_after (const struct disk *d, const struct model *start, bool has_parent,
             unsigned flushed, unsigned die_at)
{
  CLEANUP_FREE uint8_t *bytes = malloc (DISK_MAX);
  struct model old = *start, next, got;
  bool written[NR_CELLS] = { false };

  assert_non_null (bytes);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (changes); ++i)
    if (changes[i].round <= flushed)
      model_apply (&old, &changes[i]);
  next = old;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (changes); ++i)
    if (changes[i].round == flushed + 1) {
      model_apply (&next, &changes[i]);
      memset (written + changes[i].first, true, changes[i].nr);
    }
  for (unsigned mode = 0; mode < NR_MODES; ++mode) {
    size_t len = 0;

    after_power_loss (d, mode, bytes, &len);
    read_cells (bytes, len, has_parent, &got, die_at, mode);
    for (unsigned i = 0; i < NR_CELLS; ++i)
      if (!cell_is_sound (&old, &next, i, got.cells[i], written[i]))
        fail_msg ("killed at step %u (round %u), mode %u: cell %u is %u, "
                  "expected %u or %u",
                  die_at, flushed + 1, mode, i, got.cells[i], old.cells[i],
                  next.cells[i]);
  }
}

static void
kill_everywhere (bool has_parent)
{
  struct vhdx_build *b = vhdx_build_new (&(const struct vhdx_build_opts){
      .flags = has_parent ? 2 : 0, .file_mib = 8 });
  struct model start;
  bool finished = false;
  unsigned n;

  memset (start.cells, has_parent ? PARENT : 0, sizeof start.cells);
  /* Blocks 2 and 3 are there before. */
  vhdx_build_block (b, 2, BUILD_DATA, 6);
  vhdx_build_block (b, 3, BUILD_DATA + 2 * MIB, 6);
  vhdx_build_fill (b, BUILD_DATA, MIB, 0x77);
  vhdx_build_fill (b, BUILD_DATA + 2 * MIB, MIB, 0x78);
  memset (start.cells + 512, 0x77, 256);
  memset (start.cells + 768, 0x78, 256);
  for (n = 1; !finished; ++n) {
    struct disk d;
    struct v2v_io *io;
    unsigned flushed;

    disk_init (&d, b->bytes, b->len, n);
    io = disk_io (&d);
    flushed = work (io, &finished);
    v2v_io_unref (io);
    check_after (&d, &start, has_parent, flushed, n);
    disk_free (&d);
  }
  print_message ("# killed at each of %u steps\n", n - 1);
  assert_in_range (n, 40, 400);
  vhdx_build_free (b);
}

static void
test_a_kill_at_any_step_leaves_old_or_new_dynamic (void **state)
{
  (void) state;
  kill_everywhere (false);
}

static void
test_a_kill_at_any_step_leaves_old_or_new_differencing (void **state)
{
  (void) state;
  kill_everywhere (true);
}

/* The replay of a dirty log on opening is itself killed at every step. */
static void
test_a_kill_during_replay_can_be_replayed_again (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  static uint8_t bat[4096];
  const struct vhdx_build_write w[2] = {
    { .offset = BUILD_BAT, .data = bat },
    { .zero = true, .offset = BUILD_DATA, .length = 8192 },
  };
  bool finished = false;

  (void) state;
  v2v_put_le64 (bat, BUILD_DATA | 6);
  vhdx_build_fill (b, BUILD_DATA, MIB, 0x55);
  vhdx_build_log (b,
                  &(const struct vhdx_build_entry){
                      .sequence = 1, .guid = 9, .writes = w, .nr_writes = 2 });
  vhdx_build_use_log (b, 9);
  for (unsigned n = 1; !finished; ++n) {
    const struct v2v_image_ops *ops = v2v_image_driver_by_name ("vhdx");
    CLEANUP_FREE uint8_t *bytes = malloc (DISK_MAX);
    void *h = calloc (1, ops->handle_size);
    struct v2v_error *err = NULL;
    struct v2v_io *io;
    struct disk d;

    assert_true (h != NULL && bytes != NULL && n < 50);
    disk_init (&d, b->bytes, b->len, n);
    io = disk_io (&d);
    finished = ops->open_rw (h, io, NULL, &err) == 0;
    ops->close (h);
    free (h);
    v2v_error_free (err);
    v2v_io_unref (io);
    for (unsigned mode = 0; mode < NR_MODES; ++mode) {
      struct model got;
      size_t len = 0;

      after_power_loss (&d, mode, bytes, &len);
      read_cells (bytes, len, false, &got, n, mode);
      assert_int_equal (got.cells[0], 0);
      assert_int_equal (got.cells[1], 0);
      assert_int_equal (got.cells[2], 0x55);
      assert_int_equal (got.cells[256], 0);
    }
    disk_free (&d);
  }
  vhdx_build_free (b);
}

/* ---- without kills ---- */

static char *dir;

static int
setup (void **state)
{
  (void) state;
  dir = test_tmpdir ();
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  test_tmpdir_remove (dir);
  return 0;
}

static struct v2v_image *
open_rw (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_rw (path, NULL, &err);

  assert_ptr (img, err);
  return img;
}

static void
test_changes_are_read_back_before_and_after_the_flush (void **state)
{
  CLEANUP_FREE char *path = NULL;
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t buf[1024], want[1024];
  char before[37];
  size_t len = 0;
  uint8_t *p;

  (void) state;
  assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
  vhdx_build_write (b, path, 0);
  img = open_rw (path);
  memcpy (before, v2v_image_get_info (img)->content_id, 37);
  memset (want, 0x21, sizeof want);
  for (unsigned pass = 0; pass < 2; ++pass) {
    assert_ok (v2v_image_write (img, want, 1024, 3 * MIB - 512, &err), err);
    assert_ok (v2v_image_read (img, buf, 1024, 3 * MIB - 512, &err), err);
    assert_memory_equal (buf, want, 1024);
    assert_ok (v2v_image_flush (img, &err), err);
  }
  assert_ok (v2v_image_finish (img, &err), err);
  assert_string_not_equal (v2v_image_get_info (img)->content_id, before);
  v2v_image_close (img);
  p = test_read_file (path, &len);
  /* Both headers are good, and the log is not in use. */
  for (unsigned i = 0; i < 2; ++i) {
    assert_true (v2v_le64 (p + 65536 * (1 + i) + 8) > 11);
    assert_true (v2v_is_zero (p + 65536 * (1 + i) + 48, 16));
    assert_memory_equal (p + 65536 + 16, p + 131072 + 16, 32);
  }
  free (p);
  if (test_have ("qemu-img"))
    assert_int_equal (
        test_run ((const char *const[]){ "qemu-img", "check", path, NULL },
                  NULL),
        0);
  vhdx_build_free (b);
}

static void
test_opening_without_a_change_leaves_the_file_alone (void **state)
{
  CLEANUP_FREE char *path = NULL;
  struct vhdx_build *b = vhdx_build_new (NULL);
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  size_t len = 0;
  void *p;

  (void) state;
  assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
  vhdx_build_write (b, path, 0);
  img = open_rw (path);
  assert_ok (v2v_image_flush (img, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  p = test_read_file (path, &len);
  assert_int_equal (len, b->len);
  assert_memory_equal (p, b->bytes, len);
  free (p);
  vhdx_build_free (b);
}

static void
test_space_that_was_given_back_is_used_again (void **state)
{
  CLEANUP_FREE char *path = NULL;
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .file_mib = 5 });
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  uint8_t sector[512] = { 9 }, got[1024];
  size_t len = 0;

  (void) state;
  assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
  vhdx_build_block (b, 0, BUILD_DATA, 6);
  vhdx_build_fill (b, BUILD_DATA, MIB, 0xcc);
  vhdx_build_write (b, path, 0);
  img = open_rw (path);
  assert_ok (v2v_image_zero (img, MIB, 0, &err), err);
  /* Not before the flush: a kill must find the old data. */
  assert_ok (v2v_image_write (img, sector, 512, MIB, &err), err);
  assert_ok (v2v_image_flush (img, &err), err);
  assert_ok (v2v_image_write (img, sector, 512, 2 * MIB, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  /* The old data does not shine through. */
  assert_ok (v2v_image_read (img, got, 1024, 2 * MIB, &err), err);
  assert_memory_equal (got, sector, 512);
  assert_true (v2v_is_zero (got + 512, 512));
  v2v_image_close (img);
  free (test_read_file (path, &len));
  assert_int_equal (len, 6 * MIB);
  vhdx_build_free (b);
}

static void
test_space_that_was_given_back_holds_nothing (void **state)
{
  CLEANUP_FREE char *path = NULL;
  struct vhdx_build *b =
      vhdx_build_new (&(const struct vhdx_build_opts){ .file_mib = 5 });
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  size_t len = 0;
  uint8_t *p;

  (void) state;
  assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
  vhdx_build_block (b, 0, BUILD_DATA, 6);
  vhdx_build_fill (b, BUILD_DATA, MIB, 0xcc);
  vhdx_build_write (b, path, 0);
  img = open_rw (path);
  assert_ok (v2v_image_zero (img, MIB, 0, &err), err);
  /* Until the flush it is what a kill must find. */
  p = test_read_file (path, &len);
  assert_int_equal (p[BUILD_DATA], 0xcc);
  free (p);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  p = test_read_file (path, &len);
  assert_true (len >= BUILD_DATA + MIB);
  assert_true (v2v_is_zero (p + BUILD_DATA, MIB));
  free (p);
  vhdx_build_free (b);
}

static void
test_a_damaged_table_is_not_changed_in_place (void **state)
{
  (void) state;
  for (unsigned i = 0; i < 3; ++i) {
    struct vhdx_build *b = vhdx_build_new (NULL);
    struct v2v_error *err = NULL;
    CLEANUP_FREE char *path = NULL;

    assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
    vhdx_build_block (b, 0, BUILD_DATA, 6);
    vhdx_build_block (b, 5, i == 0 ? BUILD_DATA : BUILD_DATA + MIB,
                      i == 1 ? 4 : 6);
    if (i == 2)
      vhdx_build_block (b, 6, 16 * MIB, 6);
    vhdx_build_write (b, path, 0);
    assert_null (v2v_image_open_rw (path, NULL, &err));
    assert_error (&err, V2V_ERR_FORMAT,
                  i == 0   ? "in use by another block"
                  : i == 1 ? "reserved"
                           : "past the end");
    vhdx_build_free (b);
  }
}

/* More changed sectors than one log entry holds: several rounds. */
static void
test_more_changes_than_the_log_holds (void **state)
{
  const uint64_t size = UINT64_C (200000) * MIB;
  struct vhdx_build *b = vhdx_build_new (NULL);
  CLEANUP_FREE char *path = NULL;
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_error *err = NULL;
  struct v2v_create_opts create = { .size_bytes = size, .block_bytes = MIB };
  struct v2v_image *img;
  CLEANUP_FREE char *child = NULL;

  (void) state;
  vhdx_build_free (b);
  assert_true (asprintf (&path, "%s/base.vhdx", dir) > 0);
  assert_true (asprintf (&child, "%s/child.vhdx", dir) > 0);
  img = v2v_image_create (path, "vhdx", &create, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  create.parent = v2v_image_open (path, NULL, &err);
  assert_ptr (create.parent, err);
  create.subformat = V2V_SUB_DIFFERENCING;
  img = v2v_image_create (child, "vhdx", &create, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  v2v_image_close (create.parent);

  img = open_rw (child);
  assert_ok (v2v_image_zero (img, size, 0, &err), err); /* 391 sectors */
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  img = v2v_image_open (child, &opts, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_extents (img, size, 0, &list, &err), err);
  assert_int_equal (list.len, 1);
  assert_int_equal (list.ptr[0].type, V2V_EXTENT_ZERO);
  v2v_image_close (img);
}

static void
test_a_file_without_a_log_gets_one (void **state)
{
  struct vhdx_build *b = vhdx_build_new (NULL);
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *err = NULL;
  uint8_t sector[512] = { 9 };
  struct v2v_image *img;

  (void) state;
  assert_true (asprintf (&path, "%s/d.vhdx", dir) > 0);
  for (unsigned i = 0; i < 2; ++i)
    memset (vhdx_build_header (b, i) + 68, 0, 12);
  vhdx_build_seal (b);
  vhdx_build_write (b, path, 0);
  img = open_rw (path);
  assert_ok (v2v_image_write (img, sector, 512, MIB, &err), err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  img = v2v_image_open (path, NULL, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_read (img, sector, 512, MIB, &err), err);
  assert_int_equal (sector[0], 9);
  v2v_image_close (img);
  vhdx_build_free (b);
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_a_kill_at_any_step_leaves_old_or_new_dynamic),
    TEST (test_a_kill_at_any_step_leaves_old_or_new_differencing),
    TEST (test_a_kill_during_replay_can_be_replayed_again),
    TEST (test_changes_are_read_back_before_and_after_the_flush),
    TEST (test_opening_without_a_change_leaves_the_file_alone),
    TEST (test_space_that_was_given_back_is_used_again),
    TEST (test_space_that_was_given_back_holds_nothing),
    TEST (test_a_damaged_table_is_not_changed_in_place),
    TEST (test_more_changes_than_the_log_holds),
    TEST (test_a_file_without_a_log_gets_one),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
