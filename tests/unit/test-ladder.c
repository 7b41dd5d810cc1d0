/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copy ladder.  Which rung is taken, and why not the ones above, is shown
 * with fakes at the system-call seam: what a file system that shares blocks, or
 * a file server, answers.  The last rung is the real one.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/ladder-internal.h"
#include "test-util.h"

#define NFS 0x6969
#define EXT 0xef53

static int clone_errno;      /* 0 = it works */
static int range_errno;      /* 0 = it works; -1 = says nothing, does nothing */
static unsigned ranges_left; /* before range_errno */
static unsigned nr_ranges;
static long fs_type;

/* Does what the real call would, by other means. */
static int
fake_clone (int dst, int src)
{
  char buf[65536];
  off_t at = 0;
  ssize_t n;

  if (clone_errno != 0) {
    errno = clone_errno;
    return -1;
  }
  while ((n = pread (src, buf, sizeof buf, at)) > 0) {
    assert_int_equal (pwrite (dst, buf, (size_t) n, at), n);
    at += n;
  }
  return 0;
}

static ssize_t
fake_range (int src, off_t *src_offset, int dst, off_t *dst_offset, size_t len)
{
  char buf[65536];
  ssize_t n;

  nr_ranges++;
  if (ranges_left == 0) {
    if (range_errno == -1)
      return 0;
    if (range_errno != 0) {
      errno = range_errno;
      return -1;
    }
  }
  else
    ranges_left--;
  /* A server may do less than it was asked for. */
  n = pread (src, buf, len < sizeof buf ? len : sizeof buf, *src_offset);
  assert_true (n >= 0);
  assert_int_equal (pwrite (dst, buf, (size_t) n, *dst_offset), n);
  *src_offset += n;
  *dst_offset += n;
  return n;
}

static long
fake_file_system (int fd)
{
  (void) fd;
  return fs_type;
}

struct place {
  char *dir;
  char src[4096], dst[4096];
  uint8_t *bytes;
  size_t len;
};

static void
place_make (struct place *p, const char *suffix)
{
  p->dir = test_tmpdir ();
  snprintf (p->src, sizeof p->src, "%s/a%s", p->dir, suffix);
  snprintf (p->dst, sizeof p->dst, "%s/b%s", p->dir, suffix);
  p->len = 700001; /* no whole number of sectors */
  p->bytes = malloc (p->len);
  assert_non_null (p->bytes);
  test_random (p->bytes, p->len, 5);
  test_write_file (p->src, p->bytes, p->len);
}

static void
place_free (struct place *p)
{
  test_tmpdir_remove (p->dir);
  free (p->bytes);
}

static void
assert_copied (const struct place *p)
{
  CLEANUP_FREE uint8_t *got = NULL;
  CLEANUP_FREE char *part = NULL;
  size_t len;

  got = test_read_file (p->dst, &len);
  assert_int_equal (len, p->len);
  assert_memory_equal (got, p->bytes, len);
  assert_int_not_equal (asprintf (&part, "%s.part", p->dst), -1);
  assert_int_equal (access (part, F_OK), -1);
}

static void
climb (const struct place *p, const struct v2v_ladder_opts *opts,
       struct v2v_ladder_result *r)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_ladder_copy (p->src, p->dst, opts, r, &err), err);
  assert_true (r->nr_steps > 0);
  for (size_t i = 0; i < r->nr_steps; ++i) {
    assert_int_equal (r->steps[i].taken, i == r->nr_steps - 1);
    assert_non_null (r->steps[i].reason);
  }
}

static int
setup (void **state)
{
  (void) state;
  ladder_calls.clone = fake_clone;
  ladder_calls.copy_range = fake_range;
  ladder_calls.file_system = fake_file_system;
  clone_errno = EOPNOTSUPP;
  range_errno = 0;
  ranges_left = nr_ranges = 0;
  fs_type = EXT;
  return 0;
}

static void
test_fake_reflink_is_taken_first (void **state)
{
  const struct v2v_ladder_opts opts = { .differencing = true };
  struct v2v_ladder_result r;
  struct place p;

  (void) state;
  clone_errno = 0;
  place_make (&p, ".bin");
  climb (&p, &opts, &r);
  assert_int_equal (r.nr_steps, 1);
  assert_int_equal (r.steps[0].rung, V2V_RUNG_REFLINK);
  assert_int_equal (r.file_bytes, p.len);
  assert_copied (&p);
  v2v_ladder_result_clear (&r);
  place_free (&p);
}

static void
test_fake_server_copies_what_cannot_be_shared (void **state)
{
  const struct v2v_ladder_opts opts = { 0 };
  struct v2v_ladder_result r;
  struct place p;

  (void) state;
  fs_type = NFS;
  place_make (&p, ".bin");
  climb (&p, &opts, &r);
  assert_int_equal (r.nr_steps, 2);
  assert_string_equal (r.steps[0].reason, "the file system cannot");
  assert_int_equal (r.steps[1].rung, V2V_RUNG_SERVER);
  assert_string_equal (r.steps[1].reason, "NFS copied it by itself");
  assert_true (nr_ranges > 5); /* it went on where the server stopped */
  assert_copied (&p);
  v2v_ladder_result_clear (&r);
  place_free (&p);
}

static void
test_fake_server_that_gives_up_in_the_middle_is_passed_over (void **state)
{
  static const int answers[] = { EXDEV, EOPNOTSUPP, -1 };
  const struct v2v_ladder_opts opts = { 0 };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (answers); ++i) {
    struct v2v_ladder_result r;
    struct place p;

    fs_type = NFS;
    ranges_left = (unsigned) i * 3;
    range_errno = answers[i];
    place_make (&p, ".bin");
    climb (&p, &opts, &r);
    assert_int_equal (r.nr_steps, 4);
    assert_int_equal (r.steps[3].rung, V2V_RUNG_COPY);
    assert_copied (&p);
    v2v_ladder_result_clear (&r);
    place_free (&p);
  }
}

static void
test_a_full_disk_is_an_error_on_every_rung_and_leaves_nothing (void **state)
{
  const struct v2v_ladder_opts opts = { 0 };
  struct v2v_ladder_result r;
  struct v2v_error *err = NULL;
  struct place p;

  (void) state;
  place_make (&p, ".bin");
  clone_errno = ENOSPC;
  assert_int_equal (v2v_ladder_copy (p.src, p.dst, &opts, &r, &err), -1);
  assert_error (&err, V2V_ERR_IO, "reflink");
  clone_errno = EXDEV;
  range_errno = ENOSPC;
  fs_type = NFS;
  assert_int_equal (v2v_ladder_copy (p.src, p.dst, &opts, &r, &err), -1);
  assert_error (&err, V2V_ERR_IO, "server-side copy");
  assert_int_equal (access (p.dst, F_OK), -1);
  place_free (&p);
}

static void
test_a_local_file_system_is_copied_by_ourselves (void **state)
{
  const struct v2v_ladder_opts opts = { 0 };
  struct v2v_ladder_result r;
  struct v2v_json *j;
  struct place p;

  (void) state;
  place_make (&p, ".bin");
  climb (&p, &opts, &r);
  assert_int_equal (r.nr_steps, 4);
  assert_int_equal (nr_ranges, 0); /* not tried: it would be slower */
  assert_non_null (strstr (r.steps[1].reason, "is not on a file server"));
  assert_string_equal (r.steps[2].reason, "a file of its own is wanted");
  assert_copied (&p);
  j = v2v_ladder_to_json (&r);
  assert_int_equal (v2v_json_length (j), 4);
  assert_string_equal (v2v_json_get_string (v2v_json_at (j, 3), "way"), "copy");
  v2v_json_free (j);
  v2v_ladder_result_clear (&r);
  place_free (&p);
}

static void
test_a_child_is_made_where_one_will_do_and_can_be (void **state)
{
  const struct v2v_ladder_opts opts = { .differencing = true };
  const struct v2v_create_opts create = { .size_bytes = 1 << 20 };
  struct v2v_ladder_result r;
  struct v2v_error *err = NULL;
  struct v2v_image *img;
  struct place p;

  (void) state;
  place_make (&p, ".vhdx");
  assert_int_equal (unlink (p.src), 0);
  img = v2v_image_create (p.src, "vhdx", &create, &err);
  assert_ptr (img, err);
  assert_ok (v2v_image_finish (img, &err), err);
  v2v_image_close (img);
  climb (&p, &opts, &r);
  assert_int_equal (r.nr_steps, 3);
  assert_int_equal (r.steps[2].rung, V2V_RUNG_DIFFERENCING);
  v2v_ladder_result_clear (&r);
  img = v2v_image_open (p.dst, NULL, &err);
  assert_ptr (img, err);
  assert_int_equal (v2v_image_chain_length (img), 2);
  v2v_image_close (img);
  place_free (&p);

  /* What is no such disk is copied, and the reason says so. */
  place_make (&p, ".raw");
  climb (&p, &opts, &r);
  assert_int_equal (r.nr_steps, 4);
  assert_non_null (strstr (r.steps[2].reason, "is of format raw"));
  assert_copied (&p);
  v2v_ladder_result_clear (&r);
  place_free (&p);
}

static void
test_what_is_there_is_not_replaced_unless_asked_for (void **state)
{
  struct v2v_ladder_opts opts = { 0 };
  struct v2v_ladder_result r;
  struct v2v_error *err = NULL;
  struct place p;

  (void) state;
  place_make (&p, ".bin");
  test_write_file (p.dst, "old", 3);
  assert_int_equal (v2v_ladder_copy (p.src, p.dst, &opts, &r, &err), -1);
  assert_int_equal (v2v_error_errno (err), EEXIST);
  v2v_error_free (err);
  opts.replace = true;
  climb (&p, &opts, &r);
  assert_copied (&p);
  v2v_ladder_result_clear (&r);
  place_free (&p);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (test_fake_reflink_is_taken_first, setup),
    cmocka_unit_test_setup (test_fake_server_copies_what_cannot_be_shared,
                            setup),
    cmocka_unit_test_setup (
        test_fake_server_that_gives_up_in_the_middle_is_passed_over, setup),
    cmocka_unit_test_setup (
        test_a_full_disk_is_an_error_on_every_rung_and_leaves_nothing, setup),
    cmocka_unit_test_setup (test_a_local_file_system_is_copied_by_ourselves,
                            setup),
    cmocka_unit_test_setup (test_a_child_is_made_where_one_will_do_and_can_be,
                            setup),
    cmocka_unit_test_setup (test_what_is_there_is_not_replaced_unless_asked_for,
                            setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
