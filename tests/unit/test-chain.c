/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains: merged, flattened, compacted, put on another parent; and killed at
 * every system call that changes a file.
 *
 * The kill is real: a child process runs the operation, and this program is
 * linked so that its n-th call of pwrite, rename, unlink and the like ends it
 * (half of a write may be done by then).  Afterwards the disk must read as it
 * did, as the old chain or as the new one, and the same operation run again
 * must succeed.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/chain.h"
#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "vhd-util.h"

/* ---- the seam: see test_chain_LDFLAGS ---- */

#define KILLED 77
static unsigned kill_at; /* 0 = never */
static unsigned nr_calls;

/* Is this the call at which the process dies? */
static bool
dies (void)
{
  return ++nr_calls == kill_at;
}

/* The C library has both names: which one is called is a matter of the
 * machine. */
#define WRAP_PWRITE(name)                                                      \
  ssize_t __real_##name (int fd, const void *buf, size_t len, off_t offset);   \
  ssize_t __wrap_##name (int fd, const void *buf, size_t len, off_t offset);   \
  ssize_t __wrap_##name (int fd, const void *buf, size_t len, off_t offset)    \
  {                                                                            \
    if (dies ()) {                                                             \
      /* A kill may come in the middle of a large write. */                    \
      if (len > 512)                                                           \
        (void) !__real_##name (fd, buf, len / 2 / 512 * 512, offset);          \
      _exit (KILLED);                                                          \
    }                                                                          \
    return __real_##name (fd, buf, len, offset);                               \
  }
WRAP_PWRITE (pwrite)
WRAP_PWRITE (pwrite64)

#define WRAP(type, name, parameters, arguments)                                \
  type __real_##name parameters;                                               \
  type __wrap_##name parameters;                                               \
  type __wrap_##name parameters                                                \
  {                                                                            \
    if (dies ())                                                               \
      _exit (KILLED);                                                          \
    return __real_##name arguments;                                            \
  }
WRAP (int, ftruncate, (int fd, off_t len), (fd, len))
WRAP (int, ftruncate64, (int fd, off_t len), (fd, len))
WRAP (int, fallocate, (int fd, int mode, off_t offset, off_t len),
      (fd, mode, offset, len))
WRAP (int, fallocate64, (int fd, int mode, off_t offset, off_t len),
      (fd, mode, offset, len))
/* A kill loses nothing that was written: no need to wait for the disk. */
int __real_fsync (int fd);
int __wrap_fsync (int fd);
int
__wrap_fsync (int fd)
{
  if (dies ())
    _exit (KILLED);
  return kill_at == 0 ? __real_fsync (fd) : 0;
}
WRAP (int, rename, (const char *from, const char *to), (from, to))
WRAP (int, renameat2,
      (int from_fd, const char *from, int to_fd, const char *to,
       unsigned flags),
      (from_fd, from, to_fd, to, flags))
WRAP (int, unlink, (const char *path), (path))

/* ---- chains ---- */

/* 7-Zip opens no VHDX of another size than whole 4096 bytes. */
#define SIZE  (4 * MIB + 4096)
#define BLOCK (1 * MIB)

struct chain {
  const char *format;
  char *dir;
  char *base, *middle, *top;
  uint8_t *model; /* through the top */
};

static char *
name_in (const struct chain *c, const char *name)
{
  char file[200];

  snprintf (file, sizeof file, "%s.%s", name, c->format);
  return vhd_test_path_in (c->dir, file);
}

static void
make_layer (struct chain *c, const char *path, struct v2v_image *parent,
            uint32_t seed)
{
  const struct v2v_create_opts opts = {
    .size_bytes = SIZE,
    .subformat = parent != NULL ? V2V_SUB_DIFFERENCING : V2V_SUB_DYNAMIC,
    .block_bytes = BLOCK,
    .parent = parent,
  };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_create (path, c->format, &opts, &err);

  assert_ptr (img, err);
  vhd_test_scribble (img, c->model, SIZE, 6, seed);
  /* Zeros that hide what is below. */
  vhd_test_put_zero (img, c->model, 64 * KIB * (seed % 16), 96 * KIB);
  vhd_test_finish (img);
}

/* base <- middle <- top */
static void
chain_make (struct chain *c, const char *format)
{
  struct v2v_error *err = NULL;
  struct v2v_image *parent;

  c->format = format;
  c->dir = test_tmpdir ();
  c->model = calloc (1, SIZE);
  assert_non_null (c->model);
  c->base = name_in (c, "base");
  c->middle = name_in (c, "middle");
  c->top = name_in (c, "top");
  make_layer (c, c->base, NULL, 1);
  parent = v2v_image_open (c->base, NULL, &err);
  assert_ptr (parent, err);
  make_layer (c, c->middle, parent, 2);
  v2v_image_close (parent);
  parent = v2v_image_open (c->middle, NULL, &err);
  assert_ptr (parent, err);
  make_layer (c, c->top, parent, 3);
  v2v_image_close (parent);
}

static void
chain_free (struct chain *c)
{
  test_tmpdir_remove (c->dir);
  free (c->base);
  free (c->middle);
  free (c->top);
  free (c->model);
}

/* Copies of the files, with their times, so that a run can be repeated. */
static void
copy_folder (const char *from, const char *to)
{
  const char *const argv[] = { "cp", "-a", from, to, NULL };

  assert_int_equal (test_run (argv, NULL), 0);
}

static bool
reads_as (const char *path, const uint8_t *model)
{
  struct v2v_image *img = v2v_image_open (path, NULL, NULL);
  uint8_t *buf = malloc (SIZE);
  bool same = false;

  assert_non_null (buf);
  if (img != NULL && v2v_image_size (img) == SIZE)
    same = v2v_image_read (img, buf, SIZE, 0, NULL) == 0 &&
           memcmp (buf, model, SIZE) == 0;
  v2v_image_close (img);
  free (buf);
  return same;
}

static void
assert_clean (const char *path)
{
  struct v2v_check_report report = { .items = NULL };
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_error *err = NULL;

  assert_ok (v2v_image_check (path, false, &opts, &report, &err), err);
  for (size_t i = 0; i < report.nr_items; ++i)
    if (report.items[i].severity == V2V_CHECK_DAMAGE)
      fail_msg ("%s: %s", path, report.items[i].message);
  v2v_check_report_clear (&report);
}

static void
assert_reads (const char *path, const struct chain *c)
{
  vhd_test_check_content (path, c->model, SIZE);
  vhd_test_check_7zz (path, c->dir, c->model, SIZE);
  assert_clean (path);
}

static char *
id_of (const char *path, bool content)
{
  const struct v2v_open_opts opts = { .no_parents = true };
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open (path, &opts, &err);
  char *id;

  assert_ptr (img, err);
  id = strdup (content ? v2v_image_get_info (img)->content_id
                       : v2v_image_get_info (img)->id);
  v2v_image_close (img);
  assert_non_null (id);
  return id;
}

static void
assert_same_id (const char *path, const char *id, const char *content)
{
  CLEANUP_FREE char *a = id_of (path, false), *b = id_of (path, true);

  assert_string_equal (a, id);
  assert_string_equal (b, content);
}

static const struct v2v_chain_opts one_thread = { .copy.threads = 1 };

/* ---- what they do ---- */

static const char *const formats[] = { "vhd", "vhdx" };

static void
test_merge_puts_the_child_into_the_parent_and_gives_it_its_identity (void **s)
{
  (void) s;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct chain c;

    chain_make (&c, formats[f]);
    {
      CLEANUP_FREE char *id = id_of (c.top, false);
      CLEANUP_FREE char *content = id_of (c.top, true);

      assert_ok (v2v_chain_merge (c.top, &one_thread, &r, &err), err);
      assert_string_equal (r.path, c.middle);
      assert_true (r.copied_bytes > 0);
      v2v_chain_result_clear (&r);
      assert_int_equal (access (c.top, F_OK), -1);
      assert_reads (c.middle, &c);
      assert_same_id (c.middle, id, content);
    }
    /* And what is left, into the base. */
    assert_ok (v2v_chain_merge (c.middle, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_reads (c.base, &c);
    if (f == 0)
      vhd_test_check_qemu (c.base, c.dir, c.model, SIZE);
    assert_int_equal (v2v_chain_merge (c.base, &one_thread, &r, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "has no parent to be merged into");
    chain_free (&c);
  }
}

static void
test_a_child_of_what_was_merged_fits_after_a_rebase (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct chain c;

    chain_make (&c, formats[f]);
    assert_ok (v2v_chain_merge (c.middle, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_false (reads_as (c.top, c.model));
    assert_ok (v2v_chain_rebase (c.top, c.base, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_reads (c.top, &c);
    chain_free (&c);
  }
}

/* A second child of the parent must be seen to be broken. */
static void
test_another_child_of_the_parent_is_refused_after_a_merge (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct chain c;
    char *other;

    chain_make (&c, formats[f]);
    other = name_in (&c, "other");
    assert_ok (v2v_chain_create_child (c.middle, other, &one_thread, &r, &err),
               err);
    v2v_chain_result_clear (&r);
    assert_ok (v2v_chain_merge (c.top, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_null (v2v_image_open (other, NULL, &err));
    assert_int_equal (v2v_error_code (err), V2V_ERR_MISMATCH);
    v2v_error_free (err);
    free (other);
    chain_free (&c);
  }
}

static void
test_flatten_makes_one_disk_of_the_chain (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct chain c;
    char *flat;

    chain_make (&c, formats[f]);
    flat = name_in (&c, "flat");
    {
      CLEANUP_FREE char *id = id_of (c.top, false), *other = NULL;
      CLEANUP_FREE char *content = id_of (c.top, true);

      assert_ok (v2v_chain_flatten (c.top, flat, &one_thread, &r, &err), err);
      v2v_chain_result_clear (&r);
      assert_reads (flat, &c);
      assert_reads (c.top, &c);
      other = id_of (flat, false);
      assert_string_not_equal (other, id);

      assert_int_equal (chmod (c.top, 0600), 0);
      assert_ok (v2v_chain_flatten (c.top, NULL, &one_thread, &r, &err), err);
      v2v_chain_result_clear (&r);
      assert_same_id (c.top, id, content);
    }
    {
      struct stat st;

      assert_int_equal (stat (c.top, &st), 0);
      assert_int_equal (st.st_mode & 0777, 0600);
    }
    assert_int_equal (unlink (c.base), 0);
    assert_int_equal (unlink (c.middle), 0);
    assert_reads (c.top, &c);
    assert_ok (v2v_chain_flatten (c.top, NULL, &one_thread, &r, &err), err);
    assert_true (r.unchanged);
    v2v_chain_result_clear (&r);
    free (flat);
    chain_free (&c);
  }
}

static void
test_compact_leaves_out_blocks_of_zeros_and_keeps_the_chain (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct chain c;
    uint8_t *zeros = calloc (1, MIB);

    chain_make (&c, formats[f]);
    /* A block of zeros that was written as data, in place. */
    img = v2v_image_open_rw (c.top, NULL, &err);
    assert_ptr (img, err);
    for (unsigned i = 0; i < 3; ++i)
      assert_ok (v2v_image_write (img, zeros, MIB, i * MIB, &err), err);
    vhd_test_finish (img);
    memset (c.model, 0, 3 * MIB);
    free (zeros);
    {
      CLEANUP_FREE char *id = id_of (c.top, false);
      CLEANUP_FREE char *content = id_of (c.top, true);

      assert_ok (v2v_chain_compact (c.top, &one_thread, &r, &err), err);
      assert_false (r.unchanged);
      assert_true (r.allocated_bytes_after < r.allocated_bytes_before);
      v2v_chain_result_clear (&r);
      assert_same_id (c.top, id, content);
    }
    assert_reads (c.top, &c);
    assert_ok (v2v_chain_compact (c.top, &one_thread, &r, &err), err);
    assert_true (r.unchanged);
    v2v_chain_result_clear (&r);
    /* A parent that is compacted stays the parent. */
    assert_ok (v2v_chain_compact (c.middle, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_reads (c.top, &c);
    chain_free (&c);
  }
}

static void
test_rebase_stores_the_paths_of_the_target (void **state)
{
  const struct v2v_open_opts alone = { .no_parents = true };

  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_opts opts = one_thread;
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct chain c;
    char *moved, absolute[200];

    chain_make (&c, formats[f]);
    moved = name_in (&c, "a much longer name than the one that was");
    assert_int_equal (rename (c.middle, moved), 0);
    snprintf (absolute, sizeof absolute, "D:\\bases\\%s",
              strrchr (moved, '/') + 1);
    opts.parent_absolute_path = absolute;
    assert_ok (v2v_chain_rebase (c.top, moved, &opts, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_reads (c.top, &c);
    img = v2v_image_open (c.top, &alone, &err);
    assert_ptr (img, err);
    assert_string_equal (v2v_image_get_info (img)->parent_absolute_path,
                         absolute);
    assert_memory_equal (v2v_image_get_info (img)->parent_relative_path,
                         ".\\a much longer", 15);
    v2v_image_close (img);
    /* And back to a shorter one. */
    assert_int_equal (rename (moved, c.middle), 0);
    assert_ok (v2v_chain_rebase (c.top, c.middle, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_reads (c.top, &c);
    img = v2v_image_open (c.top, &alone, &err);
    assert_ptr (img, err);
    assert_null (v2v_image_get_info (img)->parent_absolute_path);
    v2v_image_close (img);
    free (moved);
    chain_free (&c);
  }
}

static void
test_rebase_takes_an_equal_parent_and_no_other (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f) {
    struct v2v_chain_opts trust = one_thread;
    struct v2v_chain_result r;
    struct v2v_error *err = NULL;
    struct v2v_image *img;
    struct chain c;
    char *flat;

    chain_make (&c, formats[f]);
    flat = name_in (&c, "flat");
    assert_ok (v2v_chain_flatten (c.middle, flat, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_ok (v2v_chain_rebase (c.top, flat, &one_thread, &r, &err), err);
    v2v_chain_result_clear (&r);
    assert_int_equal (unlink (c.middle), 0);
    assert_reads (c.top, &c);

    /* One that differs in a byte. */
    assert_int_equal (v2v_chain_rebase (c.top, c.base, &one_thread, &r, &err),
                      -1);
    assert_error (&err, V2V_ERR_MISMATCH, "differs from the parent that was");
    assert_reads (c.top, &c);
    /* Itself, and its own child. */
    assert_int_equal (v2v_chain_rebase (c.top, c.top, &one_thread, &r, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, "cannot be its parent");
    assert_int_equal (v2v_chain_rebase (flat, c.top, &one_thread, &r, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, "has no parent");
    /* The old one is gone: only on the user's word. */
    assert_int_equal (unlink (flat), 0);
    assert_int_equal (v2v_chain_rebase (c.top, c.base, &one_thread, &r, &err),
                      -1);
    assert_non_null (strstr (v2v_error_hint (err), "--trust-parent"));
    v2v_error_free (err);
    err = NULL;
    trust.trust_parent = true;
    assert_ok (v2v_chain_rebase (c.top, c.base, &trust, &r, &err), err);
    v2v_chain_result_clear (&r);
    img = v2v_image_open (c.top, NULL, &err);
    assert_ptr (img, err);
    v2v_image_close (img);
    free (flat);
    chain_free (&c);
  }
}

static void
test_other_formats_and_fixed_disks_are_refused (void **state)
{
  const struct v2v_create_opts fixed = { .size_bytes = MIB,
                                         .subformat = V2V_SUB_FIXED };
  const struct v2v_create_opts dynamic = { .size_bytes = MIB };
  struct v2v_chain_result r;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct chain c;
  char *path;

  (void) state;
  chain_make (&c, "vhdx");
  path = vhd_test_path_in (c.dir, "x.vmdk");
  img = v2v_image_create (path, "vmdk", &dynamic, &err);
  assert_ptr (img, err);
  vhd_test_finish (img);
  assert_int_equal (v2v_chain_compact (path, &one_thread, &r, &err), -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is of format vmdk");
  assert_int_equal (v2v_chain_create_child (path, c.top, &one_thread, &r, &err),
                    -1);
  assert_error (&err, V2V_ERR_UNSUPPORTED, "is of format vmdk");
  free (path);
  path = name_in (&c, "fixed");
  img = v2v_image_create (path, "vhdx", &fixed, &err);
  assert_ptr (img, err);
  vhd_test_finish (img);
  assert_int_equal (v2v_chain_compact (path, &one_thread, &r, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is a fixed disk");
  free (path);
  chain_free (&c);
}

/* ---- kills ---- */

enum operation { MERGE, FLATTEN, COMPACT, REBASE };

static int
operate (enum operation op, const struct chain *c, struct v2v_error **err)
{
  struct v2v_chain_opts opts = one_thread;
  struct v2v_chain_result result = { .path = NULL };
  int r = -1;

  switch (op) {
  case MERGE:
    r = v2v_chain_merge (c->top, &opts, &result, err);
    break;
  case FLATTEN:
    r = v2v_chain_flatten (c->top, NULL, &opts, &result, err);
    break;
  case COMPACT:
    r = v2v_chain_compact (c->top, &opts, &result, err);
    break;
  case REBASE:
    opts.parent_absolute_path = "D:\\a\\path\\that\\was\\not\\there\\before";
    r = v2v_chain_rebase (c->top, c->middle, &opts, &result, err);
    break;
  }
  v2v_chain_result_clear (&result);
  return r;
}

/* Run it in a process that dies at call N; false when it came to its end. */
static bool
killed_at (enum operation op, const struct chain *c, unsigned n)
{
  const pid_t pid = fork ();
  int status;

  assert_true (pid >= 0);
  if (pid == 0) {
    nr_calls = 0;
    kill_at = n;
    _exit (operate (op, c, NULL) == 0 ? 0 : 1);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFEXITED (status));
  assert_true (WEXITSTATUS (status) == KILLED || WEXITSTATUS (status) == 0);
  return WEXITSTATUS (status) == KILLED;
}

/* The disk reads as it did: by its name, or, once a merge has passed the point
 * of no return, by that of the parent. */
static void
assert_whole (enum operation op, const struct chain *c, unsigned n)
{
  const bool by_parent = op == MERGE && access (c->top, F_OK) == -1;

  if (!reads_as (by_parent ? c->middle : c->top, c->model))
    fail_msg ("%s: operation %d, killed at call %u: the disk is damaged",
              c->format, (int) op, n);
}

/* A merge that was killed in its last call has nothing left to do. */
static bool
is_complete (enum operation op, const struct chain *c)
{
  char merged[4200];

  snprintf (merged, sizeof merged, "%s.v2v-merged", c->top);
  return op == MERGE && access (c->top, F_OK) == -1 &&
         access (merged, F_OK) == -1;
}

static void
kill_everywhere (enum operation op, const char *format)
{
  struct chain c;
  char *saved;
  unsigned n;

  chain_make (&c, format);
  saved = malloc (strlen (c.dir) + 7);
  assert_non_null (saved);
  snprintf (saved, strlen (c.dir) + 7, "%s.saved", c.dir);
  copy_folder (c.dir, saved);
  /* Every call of those that work in place; every third of those that write a
   * new file. */
  for (n = 1;; n += op == MERGE || op == REBASE ? 1 : 3) {
    struct v2v_error *err = NULL;
    const bool killed = killed_at (op, &c, n);

    assert_whole (op, &c, n);
    if (!killed)
      break;
    assert_true (n < 2000); /* it ends */
    if (!is_complete (op, &c))
      assert_ok (operate (op, &c, &err), err);
    assert_whole (op, &c, n);
    assert_clean (op == MERGE ? c.middle : c.top);
    assert_true (op != MERGE || is_complete (op, &c));
    {
      const char *const argv[] = {
        "sh",  "-c", "rm -rf \"$1\" && cp -a \"$2\" \"$1\"", "sh", c.dir,
        saved, NULL
      };

      assert_int_equal (test_run (argv, NULL), 0);
    }
  }
  if (n <= 10) /* the seam is there */
    fail_msg ("%s: operation %d ended after %u calls", format, (int) op, n);
  test_tmpdir_remove (saved);
  chain_free (&c);
}

static void
test_a_merge_killed_at_any_call_loses_nothing (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f)
    kill_everywhere (MERGE, formats[f]);
}

static void
test_a_flattening_killed_at_any_call_loses_nothing (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f)
    kill_everywhere (FLATTEN, formats[f]);
}

static void
test_a_compaction_killed_at_any_call_loses_nothing (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f)
    kill_everywhere (COMPACT, formats[f]);
}

static void
test_a_rebase_killed_at_any_call_loses_nothing (void **state)
{
  (void) state;
  for (size_t f = 0; f < V2V_ARRAY_SIZE (formats); ++f)
    kill_everywhere (REBASE, formats[f]);
}

static void
ignore_log (void *arg, enum v2v_log_level level, const char *message)
{
  (void) arg;
  (void) level;
  (void) message;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_merge_puts_the_child_into_the_parent_and_gives_it_its_identity),
    cmocka_unit_test (test_a_child_of_what_was_merged_fits_after_a_rebase),
    cmocka_unit_test (
        test_another_child_of_the_parent_is_refused_after_a_merge),
    cmocka_unit_test (test_flatten_makes_one_disk_of_the_chain),
    cmocka_unit_test (
        test_compact_leaves_out_blocks_of_zeros_and_keeps_the_chain),
    cmocka_unit_test (test_rebase_stores_the_paths_of_the_target),
    cmocka_unit_test (test_rebase_takes_an_equal_parent_and_no_other),
    cmocka_unit_test (test_other_formats_and_fixed_disks_are_refused),
    cmocka_unit_test (test_a_merge_killed_at_any_call_loses_nothing),
    cmocka_unit_test (test_a_flattening_killed_at_any_call_loses_nothing),
    cmocka_unit_test (test_a_compaction_killed_at_any_call_loses_nothing),
    cmocka_unit_test (test_a_rebase_killed_at_any_call_loses_nothing),
  };

  v2v_log_set_sink (ignore_log, NULL); /* timestamps of VHD parents */
  return cmocka_run_group_tests (tests, NULL, NULL);
}
