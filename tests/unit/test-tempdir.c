/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary folders: gone with their owner, however that ends, and nobody
 * else's is touched. */

#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/tempdir.h"
#include "test-util.h"

struct state {
  char *base;
};

static int
setup (void **vs)
{
  struct state *s = calloc (1, sizeof *s);

  *vs = s;
  s->base = test_tmpdir ();
  return 0;
}

static int
teardown (void **vs)
{
  struct state *s = *vs;

  test_tmpdir_remove (s->base);
  free (s);
  return 0;
}

static bool
is_there (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0;
}

static char *
join (const char *dir, const char *name)
{
  char *path = NULL;

  assert_int_not_equal (asprintf (&path, "%s/%s", dir, name), -1);
  return path;
}

static void
make_file (const char *path)
{
  const int fd = open (path, O_WRONLY | O_CREAT | O_EXCL, 0600);

  assert_int_not_equal (fd, -1);
  close (fd);
}

static struct v2v_tempdir *
make (struct state *s)
{
  struct v2v_error *err = NULL;
  struct v2v_tempdir *t = v2v_tempdir_new (s->base, &err);

  assert_ptr (t, err);
  return t;
}

/* A process with a folder in BASE (its path in RET), that has a folder in it
 * and adopted ADOPTED (or NULL). */
static pid_t
start_owner (struct state *s, const char *adopted, char ret[200])
{
  int pipes[2];
  pid_t pid;

  assert_int_equal (pipe (pipes), 0);
  pid = fork ();
  assert_int_not_equal (pid, -1);
  if (pid == 0) {
    struct v2v_tempdir *t = v2v_tempdir_new (s->base, NULL);
    CLEANUP_FREE char *inner = NULL;

    if (t == NULL ||
        asprintf (&inner, "%s/inner", v2v_tempdir_path (t)) == -1 ||
        mkdir (inner, 0700) == -1)
      _exit (1);
    if (adopted != NULL)
      v2v_tempdir_adopt (t, adopted);
    if (write (pipes[1], v2v_tempdir_path (t),
               strlen (v2v_tempdir_path (t)) + 1) == -1)
      _exit (1);
    for (;;)
      pause ();
  }
  close (pipes[1]);
  assert_true (read (pipes[0], ret, 200) > 0);
  close (pipes[0]);
  return pid;
}

static void
end (pid_t pid)
{
  assert_int_equal (kill (pid, SIGKILL), 0);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
}

static void
test_a_folder_goes_with_its_contents (void **vs)
{
  struct state *s = *vs;
  struct v2v_tempdir *t = make (s);
  CLEANUP_FREE char *path = strdup (v2v_tempdir_path (t));
  CLEANUP_FREE char *file = join (path, "file");
  struct stat st;

  make_file (file);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0700);
  v2v_tempdir_free (t);
  assert_false (is_there (path));
  v2v_tempdir_free (NULL);
}

static void
test_a_dead_owners_folder_is_removed_by_the_next (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *adopted = join (s->base, "libother");
  CLEANUP_FREE char *inside = join (adopted, "socket");
  char orphan[200];
  struct v2v_tempdir *t;
  pid_t pid;

  assert_int_equal (mkdir (adopted, 0700), 0);
  assert_int_equal (chmod (adopted, 0755), 0); /* as libguestfs does */
  make_file (inside);
  pid = start_owner (s, adopted, orphan);
  t = make (s);
  assert_true (is_there (orphan)); /* its owner lives */
  assert_true (is_there (inside));
  v2v_tempdir_free (t);
  end (pid);
  assert_true (is_there (orphan));
  t = make (s);
  assert_false (is_there (orphan));
  assert_false (is_there (adopted));
  assert_true (is_there (v2v_tempdir_path (t)));
  v2v_tempdir_free (t);
}

static void
test_what_others_can_write_to_stays (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *open_folder = join (s->base, "open");
  CLEANUP_FREE char *kept = join (open_folder, "kept");
  CLEANUP_FREE char *link = join (s->base, "link");
  char orphan[200];

  assert_int_equal (mkdir (open_folder, 0700), 0);
  assert_int_equal (chmod (open_folder, 0775), 0);
  make_file (kept);
  assert_int_equal (symlink (open_folder, link), 0);
  end (start_owner (s, open_folder, orphan));
  v2v_tempdir_free (make (s));
  assert_false (is_there (orphan));
  assert_true (is_there (kept));
  end (start_owner (s, link, orphan));
  v2v_tempdir_free (make (s));
  assert_true (is_there (kept));
}

static void
test_folders_that_only_look_like_ours_stay (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *without = join (s->base, "v2v-tmp.abcdef");
  CLEANUP_FREE char *open_folder = join (s->base, "v2v-tmp.ghijkl");
  CLEANUP_FREE char *owner = join (open_folder, ".owner");
  CLEANUP_FREE char *other = join (s->base, "other.abcdef");
  CLEANUP_FREE char *other_owner = join (other, ".owner");

  assert_int_equal (mkdir (without, 0700), 0); /* being made just now */
  assert_int_equal (mkdir (open_folder, 0700), 0);
  assert_int_equal (chmod (open_folder, 0777), 0);
  make_file (owner);
  assert_int_equal (mkdir (other, 0700), 0);
  make_file (other_owner);
  v2v_tempdir_free (make (s));
  assert_true (is_there (without));
  assert_true (is_there (owner));
  assert_true (is_there (other_owner));
}

static void
test_a_base_that_is_not_there_is_an_error (void **vs)
{
  struct state *s = *vs;
  CLEANUP_FREE char *base = join (s->base, "none");
  struct v2v_error *err = NULL;

  assert_null (v2v_tempdir_new (base, &err));
  assert_error (&err, V2V_ERR_IO, "none/v2v-tmp.");
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (test_a_folder_goes_with_its_contents),
    TEST (test_a_dead_owners_folder_is_removed_by_the_next),
    TEST (test_what_others_can_write_to_stays),
    TEST (test_folders_that_only_look_like_ours_stay),
    TEST (test_a_base_that_is_not_there_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
