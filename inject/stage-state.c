/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file guest.json beside the overlays: written when they are complete and
 * synced, so that a conversion that is resumed need not change the guest a
 * second time.  It is ours, but lies where others can write: read with care.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "inject/stage-state.h"

/* A journal of some thousand changes with their texts. */
#define MAX_BYTES (UINT64_C (256) << 20)

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

static int
append_list (struct v2v_str *s, const char *const *list)
{
  int r = v2v_str_append (s, "[");

  for (size_t i = 0; list != NULL && list[i] != NULL; ++i)
    r |= v2v_str_printf (s, "%zu:%s,", strlen (list[i]), list[i]);
  return r | v2v_str_append (s, "]\n");
}

static int
append_stat (struct v2v_str *s, const struct stat *st)
{
  return v2v_str_printf (s, "%jd %jd.%ld\n", (intmax_t) st->st_size,
                         (intmax_t) st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

/* Were the files of LIST, and what is in the folders of it, changed since? */
static int
append_files (struct v2v_str *s, const char *const *list)
{
  int r = 0;

  for (size_t i = 0; list != NULL && list[i] != NULL; ++i) {
    CLEANUP_CLOSEDIR DIR *dir = opendir (list[i]);
    struct stat st, total = { 0 };
    struct dirent *d;

    if (stat (list[i], &st) == 0)
      r |= append_stat (s, &st);
    while (dir != NULL && (d = readdir (dir)) != NULL) {
      /* Sums: the order of names is any. */
      if (strcmp (d->d_name, "..") == 0 ||
          fstatat (dirfd (dir), d->d_name, &st, 0) == -1)
        continue;
      total.st_size += st.st_size;
      total.st_mtim.tv_sec += st.st_mtim.tv_sec;
      total.st_mtim.tv_nsec ^= st.st_mtim.tv_nsec;
    }
    if (dir != NULL)
      r |= append_stat (s, &total);
  }
  return r;
}

/* The package, and the network cards: addresses are written into the guest. */
static int
append_machine (struct v2v_str *s, const struct v2v_machine *m)
{
  struct stat st;
  int r = 0;

  if (m == NULL)
    return 0;
  if (m->source_path != NULL && stat (m->source_path, &st) == 0)
    r |= v2v_str_printf (s, "%s %ju ", m->source_path, (uintmax_t) st.st_ino) |
         append_stat (s, &st);
  for (size_t i = 0; i < m->nr_nics; ++i)
    r |= v2v_str_printf (
        s, "nic %s %s %u\n", m->nics[i].mac ? m->nics[i].mac : "-",
        m->nics[i].model ? m->nics[i].model : "-", m->nics[i].pci_slot);
  return r;
}

/* One file of a disk's chain.  What was unpacked lies in a file without a name
 * that is another one in each run: there the package tells. */
static int
append_layer (struct v2v_str *s, const struct v2v_image *img,
              struct v2v_error **err)
{
  struct v2v_io *io = v2v_image_io (img);
  char stamp[V2V_IMAGE_STAMP];
  struct stat st = { 0 };
  uint64_t offset = 0, len;
  int fd, r;

  if (v2v_image_stamp (img, stamp, err) == -1)
    return -1;
  r = v2v_str_printf (s, "%s %" PRIu64 " ", v2v_image_name (img),
                      v2v_image_size (img));
  if (io != NULL && v2v_io_fd (io, 0, &fd, &offset, &len) &&
      fstat (fd, &st) == 0 && st.st_nlink == 0)
    st = (struct stat){ .st_size = st.st_size };
  if ((r | v2v_str_printf (s, "%" PRIu64 " %s ", offset, stamp) |
       append_stat (s, &st)) != 0)
    return v2v_fail_nomem (err);
  return 0;
}

char *
stage_fingerprint (const struct v2v_guest_job *job,
                   const struct v2v_convert_guest *c, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const struct v2v_guest_opts *o = &c->opts;
  uint8_t hash[V2V_SHA256_SIZE];
  char *hex;
  int r =
      v2v_str_printf (&s, "3 %u %d %s %d %d %u %d %d %d %d\n", job->generation,
                      job->new_macs, o->root ? o->root : "", (int) o->initramfs,
                      o->serial_console, o->rootdelay_seconds, o->keep_tools,
                      o->allow_dirty, o->allow_hibernated, o->fsck);

  r |= append_list (&s, o->firstboot) | append_list (&s, o->drivers) |
       append_files (&s, o->firstboot) | append_files (&s, o->drivers) |
       append_machine (&s, job->machine);
  for (size_t i = 0; i < job->nr_disks && r == 0; ++i) {
    if (job->disks[i] == NULL)
      r = v2v_str_append (&s, "blank\n");
    for (const struct v2v_image *img = job->disks[i]; img != NULL && r == 0;
         img = v2v_image_parent (img))
      if (append_layer (&s, img, err) == -1)
        return NULL;
  }
  hex = malloc (2 * V2V_SHA256_SIZE + 1);
  if (r != 0 || hex == NULL) {
    free (hex);
    v2v_fail_nomem (err);
    return NULL;
  }
  v2v_sha256 (s.ptr, s.len, hash);
  v2v_hex (hash, sizeof hash, hex);
  return hex;
}

static char *
state_path (const struct v2v_guest_job *job, struct v2v_error **err)
{
  char *path;

  if (asprintf (&path, "%s/guest.json", job->work_folder) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return path;
}

/* Appears under its name when it is on the disk. */
static int
write_synced (const char *path, const char *text, struct v2v_error **err)
{
  CLEANUP_FREE char *part = NULL;
  CLEANUP_FCLOSE FILE *fp = NULL;

  if (asprintf (&part, "%s.part", path) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  fp = fopen (part, "wex");
  if (fp == NULL && errno == EEXIST && unlink (part) == 0)
    fp = fopen (part, "wex");
  if (fp == NULL || fputs (text, fp) == EOF || fflush (fp) != 0 ||
      fsync (fileno (fp)) == -1 || rename (part, path) == -1)
    return v2v_fail_errno (err, "%s", path);
  return 0;
}

int
stage_state_write (const struct v2v_guest_job *job, const char *fingerprint,
                   const struct v2v_guest_result *r, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_FREE char *path = state_path (job, err), *text = NULL;

  if (path == NULL)
    return -1;
  v2v_json_set_string (o, "fingerprint", fingerprint);
  v2v_json_set (o, "os", r->os ? v2v_json_ref (r->os) : v2v_json_new_null ());
  v2v_json_set (o, "changes",
                r->changes ? v2v_json_ref (r->changes) : v2v_json_new_null ());
  v2v_json_set (o, "findings", v2v_findings_to_json (&r->findings));
  if (!v2v_json_ok (o) || (text = v2v_json_dump (o, 1)) == NULL)
    return v2v_fail_nomem (err);
  return write_synced (path, text, err);
}

/* The file's JSON; NULL with ERR unset when there is none. */
static struct v2v_json *
load (const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_json *o = NULL;
  struct v2v_io *io;
  uint64_t size;

  if (access (path, F_OK) == -1)
    return NULL;
  io = v2v_io_open (path, 0, err);
  if (io == NULL)
    return NULL;
  size = v2v_io_size (io);
  if (size > MAX_BYTES)
    v2v_fail (err, V2V_ERR_FORMAT, "%s: has %" PRIu64 " bytes", path, size);
  else if ((text = malloc ((size_t) size + 1)) == NULL)
    v2v_fail_nomem (err);
  else if (size == 0 || v2v_io_pread (io, text, (size_t) size, 0, err) == 0)
    o = v2v_json_parse (text, (size_t) size, path, err);
  v2v_io_unref (io);
  return o;
}

static int
load_findings (const struct v2v_json *list, struct v2v_findings *f,
               struct v2v_error **err)
{
  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *o = v2v_json_at (list, i);
    const char *id = v2v_json_get_string (o, "id");
    const char *message = v2v_json_get_string (o, "message");
    const char *word = v2v_json_get_string (o, "severity");
    enum v2v_severity severity = V2V_INFORMATION;

    if (id == NULL || message == NULL || word == NULL)
      continue;
    while (severity < V2V_CRITICAL &&
           strcmp (word, v2v_severity_name (severity)) != 0)
      ++severity;
    if (v2v_findings_add (f, severity, id, v2v_json_get_string (o, "subject"),
                          v2v_json_get_string (o, "remedy"), "%s",
                          message) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* A member of O to be kept, or NULL. */
static struct v2v_json *
take (const struct v2v_json *o, const char *key)
{
  const struct v2v_json *member = v2v_json_get (o, key);

  if (member == NULL || v2v_json_is_null (member))
    return NULL;
  return v2v_json_ref ((struct v2v_json *) (uintptr_t) member);
}

int
stage_state_read (const struct v2v_guest_job *job, const char *fingerprint,
                  struct v2v_guest_result *r, struct v2v_error **err)
{
  CLEANUP_FREE char *path = state_path (job, err);
  CLEANUP_JSON struct v2v_json *o = NULL;
  struct v2v_error *e = NULL;
  const char *then;

  if (path == NULL)
    return -1;
  o = load (path, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (o == NULL)
    return 0;
  then = v2v_json_get_string (o, "fingerprint");
  if (then == NULL || strcmp (then, fingerprint) != 0)
    return v2v_fail (err, V2V_ERR_MISMATCH,
                     "%s: the guest was changed with other options, or the "
                     "source is another one now",
                     path);
  r->os = take (o, "os");
  r->changes = take (o, "changes");
  r->resumed = true;
  return load_findings (v2v_json_get (o, "findings"), &r->findings, err) == -1
             ? -1
             : 1;
}
