/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers of the unit tests. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "test-util.h"

void
test_assert_ok (int ok, struct v2v_error *err, const char *file, int line)
{
  if (ok)
    return;
  print_error ("# unexpected failure: %s\n",
               err ? v2v_error_message (err) : "(no error set)");
  _fail (file, line);
}

void
test_assert_error (struct v2v_error **err, enum v2v_error_code code,
                   const char *text, const char *file, int line)
{
  if (*err == NULL) {
    print_error ("# expected an error with '%s', but there is none\n", text);
    _fail (file, line);
  }
  if (v2v_error_code (*err) != code ||
      strstr (v2v_error_message (*err), text) == NULL) {
    print_error ("# expected %s with '%s', got %s: %s\n",
                 v2v_error_code_name (code), text,
                 v2v_error_code_name (v2v_error_code (*err)),
                 v2v_error_message (*err));
    _fail (file, line);
  }
  v2v_error_free (*err);
  *err = NULL;
}

char *
test_sample (const char *name)
{
  const char *dir = getenv ("V2V_SAMPLES");
  const char *required = getenv ("V2V_SAMPLES_REQUIRED");
  char *path = NULL;

  if (dir != NULL && asprintf (&path, "%s/%s", dir, name) != -1) {
    if (access (path, R_OK) == 0)
      return path;
    free (path);
  }
  if (required != NULL && strcmp (required, "1") == 0)
    fail_msg ("sample %s is missing (V2V_SAMPLES=%s)", name, dir ? dir : "");
  return NULL;
}

char *
test_sample_unpacked (const char *name, const char *dir)
{
  static const char *const tools[][2] = { { ".gz", "gzip" },
                                          { ".bz2", "bzip2" },
                                          { ".xz", "xz" } };
  char *packed = test_sample (name);
  const char *base = strrchr (name, '/');
  const char *dot = strrchr (name, '.');
  const char *tool = NULL;
  char *path = NULL;

  if (packed == NULL)
    return NULL;
  base = base ? base + 1 : name;
  for (size_t i = 0; dot != NULL && i < 3; ++i)
    if (strcmp (dot, tools[i][0]) == 0)
      tool = tools[i][1];
  if (tool == NULL)
    fail_msg ("%s: not a packed sample", name);
  if (asprintf (&path, "%s/%.*s", dir, (int) (dot - base), base) == -1)
    fail_msg ("out of memory");
  assert_int_equal (
      test_run ((const char *const[]){ tool, "-dc", packed, NULL }, path), 0);
  free (packed);
  return path;
}

int
test_run (const char *const argv[], const char *out)
{
  const pid_t pid = fork ();
  int status;

  if (pid == -1)
    fail_msg ("fork: %s", strerror (errno));
  if (pid == 0) {
    const int null = open ("/dev/null", O_RDWR);
    const int fd = out ? open (out, O_WRONLY | O_CREAT | O_TRUNC, 0600) : null;

    if (null == -1 || fd == -1 || dup2 (null, 0) == -1 || dup2 (fd, 1) == -1 ||
        dup2 (null, 2) == -1)
      _exit (126);
    execvp (argv[0], (char *const *) (uintptr_t) argv);
    _exit (127);
  }
  while (waitpid (pid, &status, 0) == -1)
    if (errno != EINTR)
      fail_msg ("waitpid: %s", strerror (errno));
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128;
}

bool
test_have (const char *program)
{
  const char *path = getenv ("PATH");

  while (path != NULL && *path != '\0') {
    const size_t len = strcspn (path, ":");
    char *file = NULL;
    bool found;

    if (asprintf (&file, "%.*s/%s", (int) len, path, program) == -1)
      return false;
    found = access (file, X_OK) == 0;
    free (file);
    if (found)
      return true;
    path += len + (path[len] == ':');
  }
  return false;
}

void *
test_read_file (const char *path, size_t *ret_len)
{
  FILE *fp = fopen (path, "rb");
  struct stat st;
  char *buf;

  if (fp == NULL || fstat (fileno (fp), &st) == -1)
    fail_msg ("%s: %s", path, strerror (errno));
  buf = malloc ((size_t) st.st_size + 1);
  assert_non_null (buf);
  assert_int_equal (fread (buf, 1, (size_t) st.st_size, fp), st.st_size);
  fclose (fp);
  buf[st.st_size] = '\0'; /* for tests that look for text */
  *ret_len = (size_t) st.st_size;
  return buf;
}

void
test_write_file (const char *path, const void *buf, size_t len)
{
  FILE *fp = fopen (path, "wb");

  if (fp == NULL)
    fail_msg ("%s: %s", path, strerror (errno));
  assert_int_equal (fwrite (buf, 1, len, fp), len);
  assert_int_equal (fclose (fp), 0);
}

char *
test_tmpdir (void)
{
  const char *tmp = getenv ("TMPDIR");
  char *dir = NULL;

  if (asprintf (&dir, "%s/v2v-unit.XXXXXX", tmp ? tmp : "/tmp") == -1 ||
      mkdtemp (dir) == NULL)
    fail_msg ("mkdtemp: %s", strerror (errno));
  return dir;
}

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *f)
{
  (void) st;
  (void) type;
  (void) f;
  return remove (path);
}

void
test_tmpdir_remove (char *dir)
{
  nftw (dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  free (dir);
}

void
test_random (void *buf, size_t len, uint32_t seed)
{
  uint8_t *p = buf;
  uint32_t x = seed * 2654435761u + 1;

  for (size_t i = 0; i < len; ++i) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    p[i] = (uint8_t) (x >> 11);
  }
}

void
test_image_sha256 (struct v2v_image *img, char hex[65])
{
  const size_t step = 1024 * 1024;
  struct v2v_error *err = NULL;
  struct v2v_hash *h = v2v_hash_new ("sha256", &err);
  uint8_t out[V2V_DIGEST_MAX_SIZE];
  char *buf = malloc (step);
  const uint64_t size = v2v_image_size (img);

  assert_ptr (h, err);
  assert_non_null (buf);
  for (uint64_t o = 0; o < size; o += step) {
    const size_t n = (size_t) v2v_min_u64 (step, size - o);
    assert_ok (v2v_image_read (img, buf, n, o, &err), err);
    v2v_hash_update (h, buf, n);
  }
  v2v_hex (out, v2v_hash_final (h, out), hex);
  v2v_hash_free (h);
  free (buf);
}

struct faulty {
  struct v2v_io *base;
  unsigned n;
  int errnum;
  unsigned count;
  unsigned *counter;
};

static int
faulty_step (struct faulty *f, struct v2v_error **err)
{
  f->count++;
  if (f->counter != NULL)
    *f->counter = f->count;
  if (f->n == 0 || f->count < f->n)
    return 0;
  errno = f->errnum;
  return v2v_fail_errno (err, "injected");
}

static int
faulty_pread (void *vh, void *buf, size_t len, uint64_t offset,
              struct v2v_error **err)
{
  struct faulty *f = vh;

  if (faulty_step (f, err) == -1)
    return -1;
  return v2v_io_pread (f->base, buf, len, offset, err);
}

static int
faulty_pwrite (void *vh, const void *buf, size_t len, uint64_t offset,
               struct v2v_error **err)
{
  struct faulty *f = vh;

  if (faulty_step (f, err) == -1)
    return -1;
  return v2v_io_pwrite (f->base, buf, len, offset, err);
}

static int
faulty_resize (void *vh, uint64_t size, struct v2v_error **err)
{
  struct faulty *f = vh;

  if (faulty_step (f, err) == -1)
    return -1;
  return v2v_io_resize (f->base, size, err);
}

static int
faulty_sync (void *vh, struct v2v_error **err)
{
  struct faulty *f = vh;

  if (faulty_step (f, err) == -1)
    return -1;
  return v2v_io_sync (f->base, err);
}

static int
faulty_punch (void *vh, uint64_t len, uint64_t offset, struct v2v_error **err)
{
  struct faulty *f = vh;

  if (faulty_step (f, err) == -1)
    return -1;
  return v2v_io_punch (f->base, len, offset, err);
}

static void
faulty_close (void *vh)
{
  struct faulty *f = vh;

  v2v_io_unref (f->base);
  free (f);
}

static const struct v2v_io_ops faulty_ops = {
  .kind = "faulty",
  .pread = faulty_pread,
  .pwrite = faulty_pwrite,
  .resize = faulty_resize,
  .sync = faulty_sync,
  .punch = faulty_punch,
  .close = faulty_close,
};

struct v2v_io *
test_faulty_io (struct v2v_io *base, unsigned n, int errnum, unsigned *counter)
{
  struct faulty *f = calloc (1, sizeof *f);
  struct v2v_error *err = NULL;
  struct v2v_io *io;

  assert_non_null (f);
  f->base = v2v_io_ref (base);
  f->n = n;
  f->errnum = errnum;
  f->counter = counter;
  io = v2v_io_new (&faulty_ops, f, v2v_io_name (base), v2v_io_size (base),
                   false, &err);
  assert_ptr (io, err);
  return io;
}
