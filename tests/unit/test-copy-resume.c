/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies that are interrupted, fail or are killed, and go on from their
 * journal: the result is right and what was safely written is not copied
 * again.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/copy-internal.h"
#include "test-copy-util.h"

#define SIZE (48 * MIB + 1024)

static const struct test_run runs[] = {
  { 0, 17 * MIB, false },
  { 20 * MIB, 3 * MIB, true },
  { 23 * MIB, 19 * MIB, false },
  { 47 * MIB, 512, false },
};
#define NR_RUNS 4
#define DATA    (36 * MIB + 512)

struct place {
  char *dir;
  char path[300];
  char part[310];
  char journal[310];
};

static void
place_new (struct place *p)
{
  p->dir = test_tmpdir ();
  snprintf (p->path, sizeof p->path, "%s/disk.raw", p->dir);
  snprintf (p->part, sizeof p->part, "%s.part", p->path);
  snprintf (p->journal, sizeof p->journal, "%s.journal", p->path);
}

/* A copy, or the continuation of one, of a source whose nth read fails. */
static int
copy (const struct place *p, bool resume, unsigned fail_at,
      struct v2v_copy_opts opts, struct v2v_copy_result *result,
      struct v2v_error **err)
{
  const struct v2v_create_opts create = { .size_bytes = SIZE };
  struct v2v_image *src = test_source (SIZE, runs, NR_RUNS, 1, fail_at);
  struct v2v_image *dst = resume
                              ? v2v_image_resume (p->path, "raw", &create, err)
                              : v2v_image_create (p->path, "raw", &create, err);
  int r;

  assert_ptr (dst, *err);
  opts.journal = true;
  opts.resume = resume;
  opts.journal_path = p->journal;
  opts.digest = true;
  r = v2v_copy (src, dst, &opts, result, err);
  if (r == 0)
    r = v2v_image_finish (dst, err);
  else
    v2v_image_keep_part (dst);
  v2v_image_close (dst);
  v2v_image_close (src);
  return r;
}

/* The published disk is the source, and so is the digest. */
static void
check_result (const struct place *p, const struct v2v_copy_result *result)
{
  struct v2v_error *err = NULL;
  struct v2v_image *src = test_source (SIZE, runs, NR_RUNS, 1, 0);
  struct v2v_image *got = v2v_image_open (p->path, NULL, &err);
  struct v2v_disk_digest *d;

  assert_ptr (got, err);
  test_assert_same (src, got);
  d = v2v_image_digest (src, NULL, &err);
  assert_ptr (d, err);
  assert_non_null (result->digest);
  assert_memory_equal (d->root, result->digest->root, V2V_SHA256_SIZE);
  v2v_disk_digest_free (d);
  v2v_image_close (src);
  v2v_image_close (got);
}

static void
test_failed_copy_goes_on_without_copying_again (void **state)
{
  (void) state;
  for (unsigned fail_at = 1; fail_at < 20; fail_at += 3) {
    const struct v2v_copy_opts opts = { .threads = 3 };
    struct v2v_error *err = NULL;
    struct v2v_copy_result first, second;
    struct place p;

    place_new (&p);
    assert_int_equal (copy (&p, false, fail_at, opts, &first, &err), -1);
    assert_error (&err, V2V_ERR_IO, "synthetic.raw");
    assert_int_equal (access (p.path, F_OK), -1);
    assert_ok (copy (&p, true, 0, opts, &second, &err), err);
    /* Every byte was written exactly once. */
    assert_int_equal (first.written_bytes + second.written_bytes, DATA);
    if (fail_at > 4)
      assert_true (second.resumed_bytes > 0);
    check_result (&p, &second);
    v2v_copy_result_clear (&first);
    v2v_copy_result_clear (&second);
    test_tmpdir_remove (p.dir);
  }
}

static void
cancel_after_a_while (void *arg, const struct v2v_progress *progress)
{
  if (progress->done_bytes > 8 * MIB)
    *(atomic_bool *) arg = true;
}

static void
test_interrupted_copy_goes_on (void **state)
{
  atomic_bool cancel = false;
  struct v2v_copy_opts opts = {
    .threads = 2,
    .rate_limit = 64 * MIB,
    .cancel = &cancel,
    .progress = cancel_after_a_while,
    .progress_arg = &cancel,
  };
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct place p;

  (void) state;
  place_new (&p);
  assert_int_equal (copy (&p, false, 0, opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_INTERRUPTED, "interrupted");
  assert_true (result.written_bytes < DATA);
  v2v_copy_result_clear (&result);
  memset (&opts, 0, sizeof opts);
  assert_ok (copy (&p, true, 0, opts, &result, &err), err);
  assert_true (result.resumed_bytes >= 8 * MIB);
  check_result (&p, &result);
  v2v_copy_result_clear (&result);
  test_tmpdir_remove (p.dir);
}

/* Bytes that an earlier run may have left where the journal says nothing. */
static void
litter (const char *path, uint64_t offset, size_t len)
{
  const int fd = open (path, O_WRONLY);
  char *buf = malloc (len);

  assert_true (fd != -1);
  assert_non_null (buf);
  memset (buf, 0xee, len);
  assert_int_equal (pwrite (fd, buf, len, (off_t) offset), (ssize_t) len);
  close (fd);
  free (buf);
}

static void
test_what_an_earlier_run_left_is_overwritten_with_zeros (void **state)
{
  const struct v2v_copy_opts opts = { .threads = 1 };
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct place p;

  (void) state;
  place_new (&p);
  assert_int_equal (copy (&p, false, 4, opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_IO, "synthetic.raw");
  v2v_copy_result_clear (&result);
  litter (p.part, 18 * MIB + 4096, 3 * MIB); /* hole, then stored zeros */
  litter (p.part, 46 * MIB, 2 * MIB);        /* around the last sector */
  assert_ok (copy (&p, true, 0, opts, &result, &err), err);
  check_result (&p, &result);
  v2v_copy_result_clear (&result);
  test_tmpdir_remove (p.dir);
}

/* A disk that lost what it had confirmed, somebody's write: the length is right
 * and the journal too, the contents are not. */
static void
test_what_is_not_as_it_was_written_is_copied_again (void **state)
{
  const struct v2v_copy_opts opts = { .threads = 1 };
  static const struct {
    uint64_t offset;
    size_t length;
    uint64_t lost; /* of what the journal calls done, in blocks of 2 MiB */
  } writes[] = {
    { 4 * MIB - 1, 2, 4 * MIB },          /* in two blocks */
    { 18 * MIB + 4096, 100, 2 * MIB },    /* a hole */
    { 21 * MIB, 4096, 2 * MIB },          /* stored zeros */
    { 0, (size_t) (24 * MIB), 24 * MIB }, /* all of it */
    { 24 * MIB, (size_t) (2 * MIB), 0 },  /* nothing is said of it */
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (writes); ++i) {
    struct v2v_error *err = NULL;
    struct v2v_copy_result result;
    struct place p;

    place_new (&p);
    /* The 12th block that has data, at 24 MiB, cannot be read. */
    assert_int_equal (copy (&p, false, 12, opts, &result, &err), -1);
    assert_error (&err, V2V_ERR_IO, "synthetic.raw");
    v2v_copy_result_clear (&result);
    if (writes[i].length > 0)
      litter (p.part, writes[i].offset, writes[i].length);
    assert_ok (copy (&p, true, 0, opts, &result, &err), err);
    assert_int_equal (result.resumed_bytes, 24 * MIB - writes[i].lost);
    check_result (&p, &result);
    v2v_copy_result_clear (&result);
    test_tmpdir_remove (p.dir);
  }
}

static void
test_torn_journal_is_believed_as_far_as_it_is_whole (void **state)
{
  const struct v2v_copy_opts opts = { .threads = 2 };
  struct v2v_error *err = NULL;
  uint64_t resumed_before = UINT64_MAX;

  (void) state;
  for (off_t cut = 1; cut < 900; cut = cut * 5 + 2) {
    struct v2v_copy_result result;
    struct place p;
    struct stat st;

    place_new (&p);
    assert_int_equal (copy (&p, false, 12, opts, &result, &err), -1);
    assert_error (&err, V2V_ERR_IO, "synthetic.raw");
    v2v_copy_result_clear (&result);
    assert_int_equal (stat (p.journal, &st), 0);
    if (cut > st.st_size - 600) /* the header has to stay */
      cut = 900;
    else
      assert_int_equal (truncate (p.journal, st.st_size - cut), 0);
    assert_ok (copy (&p, true, 0, opts, &result, &err), err);
    assert_true (result.resumed_bytes <= resumed_before);
    check_result (&p, &result);
    v2v_copy_result_clear (&result);
    test_tmpdir_remove (p.dir);
  }
}

static void
test_a_flipped_bit_ends_the_journal (void **state)
{
  const struct v2v_copy_opts opts = { .threads = 1 };
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct place p;
  struct stat st;
  int fd;
  uint8_t c;

  (void) state;
  place_new (&p);
  assert_int_equal (copy (&p, false, 8, opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_IO, "synthetic.raw");
  v2v_copy_result_clear (&result);
  fd = open (p.journal, O_RDWR);
  assert_int_equal (fstat (fd, &st), 0);
  /* In the digests of the one record there is: all is copied again. */
  assert_int_equal (pread (fd, &c, 1, st.st_size - 10), 1);
  c ^= 1;
  assert_int_equal (pwrite (fd, &c, 1, st.st_size - 10), 1);
  close (fd);
  assert_ok (copy (&p, true, 0, opts, &result, &err), err);
  assert_int_equal (result.resumed_bytes, 0);
  assert_int_equal (result.written_bytes, DATA);
  check_result (&p, &result);
  v2v_copy_result_clear (&result);
  test_tmpdir_remove (p.dir);
}

static void
test_another_source_is_refused_by_name (void **state)
{
  const struct v2v_copy_opts opts = { .threads = 1 };
  const struct v2v_create_opts create = { .size_bytes = SIZE };
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct v2v_image *src, *dst;
  struct v2v_copy_opts again = { .resume = true, .digest = true };
  struct place p;

  (void) state;
  place_new (&p);
  assert_int_equal (copy (&p, false, 8, opts, &result, &err), -1);
  assert_error (&err, V2V_ERR_IO, "synthetic.raw");
  v2v_copy_result_clear (&result);

  src = test_source (SIZE - 512, runs, NR_RUNS, 1, 0);
  dst = v2v_image_resume (p.path, "raw", &create, &err);
  assert_ptr (dst, err);
  assert_int_equal (v2v_copy (src, dst, &again, &result, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "journal");
  again.journal_path = p.journal;
  assert_int_equal (v2v_copy (src, dst, &again, &result, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "source disk size=");
  v2v_image_close (src);

  src = test_source (SIZE, runs, NR_RUNS, 1, 0);
  again.digest = false; /* other options are another copy too */
  assert_int_equal (v2v_copy (src, dst, &again, &result, &err), -1);
  assert_error (&err, V2V_ERR_MISMATCH, "digest=yes");
  litter (p.journal, 0, 4);
  assert_int_equal (v2v_copy (src, dst, &again, &result, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "is not a journal");
  unlink (p.journal);
  assert_int_equal (v2v_copy (src, dst, &again, &result, &err), -1);
  assert_error (&err, V2V_ERR_IO, p.journal);
  v2v_image_close (src);
  v2v_image_close (dst);
  test_tmpdir_remove (p.dir);
}

/* Killed for good, in the middle of anything, several times over. */
static void
test_killed_copy_goes_on (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_copy_result result;
  struct v2v_copy_opts opts = { .threads = 2 };
  struct place p;

  (void) state;
  place_new (&p);
  copy_checkpoints = (struct copy_checkpoints){ .bytes = 4 * MIB,
                                                .longest_ms = 200,
                                                .shortest_ms = 50 };
  for (unsigned round = 0; round < 3; ++round) {
    const struct timespec a_while = { .tv_nsec = 330 * 1000 * 1000 };
    const pid_t pid = fork ();

    assert_true (pid != -1);
    if (pid == 0) {
      opts.rate_limit = 24 * MIB;
      copy (&p, round > 0, 0, opts, &result, &err);
      _exit (0);
    }
    nanosleep (&a_while, NULL);
    kill (pid, SIGKILL);
    assert_int_equal (waitpid (pid, NULL, 0), pid);
    assert_int_equal (access (p.path, F_OK), -1);
  }
  assert_ok (copy (&p, true, 0, opts, &result, &err), err);
  /* What came after the last checkpoint is lost, the rest is not. */
  assert_true (result.resumed_bytes >= 6 * MIB);
  check_result (&p, &result);
  v2v_copy_result_clear (&result);
  test_tmpdir_remove (p.dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_failed_copy_goes_on_without_copying_again),
    cmocka_unit_test (test_interrupted_copy_goes_on),
    cmocka_unit_test (test_what_an_earlier_run_left_is_overwritten_with_zeros),
    cmocka_unit_test (test_what_is_not_as_it_was_written_is_copied_again),
    cmocka_unit_test (test_torn_journal_is_believed_as_far_as_it_is_whole),
    cmocka_unit_test (test_a_flipped_bit_ends_the_journal),
    cmocka_unit_test (test_another_source_is_refused_by_name),
    cmocka_unit_test (test_killed_copy_goes_on),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
