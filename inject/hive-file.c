/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hives as files: fetched from the guest, looked at before libhivex sees them,
 * replayed from their logs when they are dirty. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/hive-check.h"
#include "inject/hive-internal.h"
#include "inject/hive-log.h"

char *
hive_file_temporary (struct v2v_guest *g, const char *file,
                     struct v2v_error **err)
{
  char *path = NULL;
  int fd, r;

  r = g != NULL ? asprintf (&path, "%s/hive-XXXXXX", v2v_guest_tmpdir (g))
                : asprintf (&path, "%s.XXXXXX", file);
  if (r == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  fd = mkostemp (path, O_CLOEXEC);
  if (fd == -1) {
    v2v_fail_errno (err, "%s", path);
    free (path);
    return NULL;
  }
  close (fd);
  return path;
}

/* All of FILE; a hive's bound. */
static uint8_t *
read_all (const char *file, const char *name, size_t *ret_len,
          struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (file, O_RDONLY | O_CLOEXEC);
  CLEANUP_FREE uint8_t *data = NULL;
  struct stat st;
  size_t len = 0;

  if (fd == -1 || fstat (fd, &st) == -1) {
    v2v_fail_errno (err, "%s", file);
    return NULL;
  }
  if (st.st_size < 0 || (uint64_t) st.st_size > HIVE_MAX_BYTES) {
    v2v_fail (err, V2V_ERR_GUEST,
              "registry hive %s: %" PRId64 " bytes, expected up to %" PRIu64,
              name, (int64_t) st.st_size, HIVE_MAX_BYTES);
    return NULL;
  }
  data = malloc ((size_t) st.st_size + 1);
  if (data == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while (len < (size_t) st.st_size) {
    const ssize_t n = read (fd, data + len, (size_t) st.st_size - len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0) {
      v2v_fail_errno (err, "%s", file);
      return NULL;
    }
    len += (size_t) n;
  }
  *ret_len = len;
  return STEAL (data);
}

int
hive_file_check (const char *file, const char *name, bool writing,
                 struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE uint8_t *data = read_all (file, name, &len, err);

  return data == NULL ? -1 : hive_check_records (data, len, name, writing, err);
}

static int
write_all (const char *file, const uint8_t *data, size_t len,
           struct v2v_error **err)
{
  CLEANUP_FCLOSE FILE *fp = fopen (file, "we");
  FILE *f = fp;

  if (fp == NULL || fwrite (data, 1, len, fp) != len)
    return v2v_fail_errno (err, "%s", file);
  fp = NULL;
  if (fclose (f) != 0)
    return v2v_fail_errno (err, "%s", file);
  return 0;
}

/* ---- the logs of a guest's hive ---- */

#define NR_LOGS 3
struct logs {
  char *names[NR_LOGS];
  void *data[NR_LOGS];
  struct hive_log_file files[NR_LOGS];
  size_t nr;
};

static void
logs_clear (struct logs *l)
{
  for (size_t i = 0; i < NR_LOGS; ++i) {
    free (l->names[i]);
    free (l->data[i]);
  }
}

static int
read_logs (struct v2v_guest *g, const char *path, const char *name,
           struct logs *l, struct v2v_error **err)
{
  static const char *const suffixes[NR_LOGS] = { ".LOG1", ".LOG2", ".LOG" };

  for (size_t i = 0; i < NR_LOGS; ++i) {
    CLEANUP_FREE char *log_path = NULL;
    struct v2v_error *e = NULL;
    size_t len = 0;

    if (asprintf (&log_path, "%s%s", path, suffixes[i]) == -1) {
      log_path = NULL;
      return v2v_fail_nomem (err);
    }
    if (asprintf (&l->names[i], "%s%s", name, suffixes[i]) == -1) {
      l->names[i] = NULL;
      return v2v_fail_nomem (err);
    }
    l->data[i] = v2v_guest_read (g, log_path, HIVE_MAX_BYTES, &len, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    /* Windows leaves empty ones about. */
    if (l->data[i] == NULL || len == 0)
      continue;
    l->files[l->nr++] = (struct hive_log_file){ .name = l->names[i],
                                                .data = l->data[i],
                                                .len = len };
  }
  return 0;
}

/* Hives are opened more than once in a conversion: one finding each. */
static int
report_replay (struct v2v_guest *g, const char *name,
               const struct hive_replay_result *r, struct v2v_error **err)
{
  struct v2v_findings *f = v2v_guest_findings (g);

  for (size_t i = 0; i < f->len; ++i)
    if (strcmp (f->ptr[i].id, "guest.registry.replayed") == 0 &&
        f->ptr[i].subject != NULL && strcmp (f->ptr[i].subject, name) == 0)
      return 0;
  if (v2v_findings_add (f, V2V_WARNING, "guest.registry.replayed", name,
                        "shut the guest down cleanly before the last copy",
                        "the registry hive was dirty; %u pages from %s%s%s "
                        "were written into it as Windows does at its start",
                        r->nr_pages, r->first_log, r->second_log ? " and " : "",
                        r->second_log ? r->second_log : "") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
replay_file (struct v2v_guest *g, const char *path, const char *name,
             const char *file, struct v2v_error **err)
{
  struct hive_replay_result result;
  struct logs logs = { .nr = 0 };
  size_t len;
  uint8_t *data = read_all (file, name, &len, err);
  int r = -1;

  if (data == NULL)
    return -1;
  if (read_logs (g, path, name, &logs, err) == 0 &&
      hive_replay (&data, &len, name, logs.files, logs.nr, &result, err) == 0 &&
      write_all (file, data, len, err) == 0)
    r = report_replay (g, name, &result, err);
  logs_clear (&logs);
  free (data);
  return r;
}

/* 1 = dirty. */
static int
file_is_dirty (const char *file, const char *name, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (file, O_RDONLY | O_CLOEXEC);
  uint8_t head[512];
  struct hive_base b;

  if (fd == -1)
    return v2v_fail_errno (err, "%s", file);
  if (pread (fd, head, sizeof head, 0) != (ssize_t) sizeof head ||
      !hive_base_parse (head, sizeof head, &b))
    return v2v_fail (err, V2V_ERR_GUEST, "registry hive %s: no hive ('regf')",
                     name);
  return hive_base_is_dirty (&b);
}

char *
hive_file_from_guest (struct v2v_guest *g, const char *path, const char *name,
                      bool *ret_replayed, struct v2v_error **err)
{
  char *file = hive_file_temporary (g, NULL, err);
  int r;

  if (file == NULL)
    return NULL;
  if (v2v_guest_download (g, path, file, HIVE_MAX_BYTES, err) == -1 ||
      (r = file_is_dirty (file, name, err)) == -1 ||
      (r == 1 && replay_file (g, path, name, file, err) == -1)) {
    unlink (file);
    free (file);
    return NULL;
  }
  *ret_replayed = r == 1;
  return file;
}
