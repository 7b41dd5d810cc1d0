/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a source: what kind of thing the path is, by content, and reading
 * its description.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ova.h"
#include "formats/source-internal.h"
#include "formats/vmx.h"
#include "formats/xml.h"

/* Enough to see which text it is; a .vmx has its first keys there. */
#define HEAD (64 * 1024)

/* ---- reading a description ---- */

static int
parse_ovf (struct v2v_source *src, const struct v2v_source_opts *opts,
           struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL, *shown = NULL;
  size_t len;

  text = v2v_package_read_text (src->package, src->descriptor, &len, err);
  if (text == NULL)
    return -1;
  if (strcmp (src->kind, "ova") == 0
          ? asprintf (&shown, "%s:%s", src->path, src->descriptor) == -1
          : (shown = strdup (src->path)) == NULL) {
    shown = NULL;
    return v2v_fail_nomem (err);
  }
  src->ovf = v2v_ovf_parse (text, len, shown, opts->deployment_option, err);
  if (src->ovf == NULL)
    return -1;
  return source_read_manifest (src, text, len, opts->ca_file, err);
}

/* The .vmsd has the name of the .vmx. */
static int
read_vmsd (struct v2v_source *src, struct v2v_vmx **ret, struct v2v_error **err)
{
  const size_t stem = strlen (src->descriptor) - 4;
  CLEANUP_FREE char *name = NULL, *text = NULL;
  uint64_t size;
  size_t len;
  int r;

  *ret = NULL;
  if (asprintf (&name, "%.*s.vmsd", (int) stem, src->descriptor) == -1) {
    name = NULL;
    return v2v_fail_nomem (err);
  }
  r = v2v_package_stat (src->package, name, &size, err);
  if (r != 1 || size == 0) /* VMware leaves empty ones about */
    return r == -1 ? -1 : 0;
  text = v2v_package_read_text (src->package, name, &len, err);
  if (text == NULL)
    return -1;
  *ret = v2v_vmx_parse (text, len, name, err);
  return *ret == NULL ? -1 : 0;
}

static int
parse_vmx (struct v2v_source *src, const struct v2v_source_opts *opts,
           struct v2v_error **err)
{
  struct v2v_vmx *vmx, *vmsd = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;
  int r;

  if (opts->deployment_option != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a .vmx file has no deployment options", src->path);
  text = v2v_package_read_text (src->package, src->descriptor, &len, err);
  if (text == NULL)
    return -1;
  vmx = v2v_vmx_parse (text, len, src->path, err);
  if (vmx == NULL)
    return -1;
  r = read_vmsd (src, &vmsd, err);
  if (r == 0) {
    src->single = v2v_vmx_machine (vmx, vmsd, src->path, opts->snapshot, err);
    r = src->single == NULL ? -1 : 0;
  }
  v2v_vmx_free (vmsd);
  v2v_vmx_free (vmx);
  return r;
}

/* The descriptor of an archive, by the suffixes of its members. */
static int
parse_archive (struct v2v_source *src, const struct v2v_source_opts *opts,
               struct v2v_error **err)
{
  if (v2v_package_find_suffix (src->package, ".ovf", true, &src->descriptor,
                               err) == -1)
    /* What is wrong in a stream has its name already. */
    return v2v_package_is_stream (src->package)
               ? -1
               : v2v_prefix (err, "%s", src->path);
  if (src->descriptor != NULL)
    return parse_ovf (src, opts, err);
  if (!v2v_package_is_stream (src->package) &&
      v2v_package_find_suffix (src->package, ".vmx", true, &src->descriptor,
                               err) == -1)
    return v2v_prefix (err, "%s", src->path);
  if (src->descriptor != NULL)
    return parse_vmx (src, opts, err);
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "%s: the archive has no .ovf descriptor", src->path);
}

/* ---- a bare disk ---- */

static int
bare_disk (struct v2v_source *src, struct v2v_error **err)
{
  const char *slash = strrchr (src->path, '/');
  const char *base = slash != NULL ? slash + 1 : src->path;
  const char *dot = strrchr (base, '.');
  CLEANUP_FREE char *stem = NULL;
  struct v2v_machine *m;
  struct v2v_disk *d;

  src->kind = "disk";
  m = src->single = v2v_machine_new (err);
  if (m == NULL)
    return -1;
  stem = strndup (base, dot != NULL && dot > base ? (size_t) (dot - base)
                                                  : strlen (base));
  if (stem == NULL)
    return v2v_fail_nomem (err);
  m->nr_cpus = 2;
  m->memory_bytes = 2 * V2V_GIB;
  d = v2v_machine_add_disk (m);
  if (d == NULL)
    return v2v_fail_nomem (err);
  d->bus = V2V_BUS_SCSI;
  if (v2v_machine_set (&m->name, stem, err) == -1 ||
      v2v_machine_set (&d->id, "scsi0:0", err) == -1 ||
      v2v_machine_set (&d->file, base, err) == -1)
    return -1;
  return V2V_FINDING (m, err, V2V_WARNING, "source.bare-disk", NULL,
                      "set processors, memory and network after conversion",
                      "a disk alone describes no machine: 2 processors, 2048 "
                      "MiB, no network and the firmware its partition table "
                      "asks for are taken");
}

/* ---- what the user gave ---- */

static int
open_beside (struct v2v_source *src, const char *kind, struct v2v_error **err)
{
  const char *slash = strrchr (src->path, '/');
  CLEANUP_FREE char *dir = NULL;

  dir = slash == NULL ? strdup (".")
        : slash == src->path
            ? strdup ("/")
            : strndup (src->path, (size_t) (slash - src->path));
  src->kind = kind;
  src->descriptor = strdup (slash != NULL ? slash + 1 : src->path);
  if (dir == NULL || src->descriptor == NULL)
    return v2v_fail_nomem (err);
  if (strlen (src->descriptor) < 5)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: name of the description is too short", src->path);
  src->package = v2v_package_folder (dir, err);
  return src->package == NULL ? -1 : 0;
}

/* A descriptor that the user reached through a link: its folder is the one
 * of the path that was given.
 */
static int
open_file (struct v2v_source *src, const struct v2v_source_opts *opts,
           struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open (src->path, V2V_IO_FOLLOW, err);
  CLEANUP_FREE char *head = NULL;
  bool wrapped = false;
  size_t len;

  if (io == NULL)
    return -1;
  len = (size_t) v2v_min_u64 (HEAD, v2v_io_size (io));
  head = malloc (HEAD);
  if (head == NULL || v2v_io_pread (io, head, len, 0, err) == -1) {
    if (head == NULL)
      v2v_fail_nomem (err);
    v2v_io_unref (io);
    return -1;
  }
  if (v2v_ova_probe (head, len, &wrapped) ||
      v2v_package_has_suffix (src->path, ".ova")) {
    src->kind = "ova";
    src->package = v2v_ova_open (io, &src->unpacked, err);
    v2v_io_unref (io);
    return src->package == NULL ? -1 : parse_archive (src, opts, err);
  }
  v2v_io_unref (io);
  if (v2v_package_has_suffix (src->path, ".ovf") || v2v_xml_probe (head, len))
    return open_beside (src, "ovf", err) == -1 ? -1
                                               : parse_ovf (src, opts, err);
  if (v2v_package_has_suffix (src->path, ".vmx") || v2v_vmx_probe (head, len))
    return open_beside (src, "vmx", err) == -1 ? -1
                                               : parse_vmx (src, opts, err);
  if (len == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: is empty", src->path);
  return bare_disk (src, err);
}

/* Exactly one description in the folder; then as if it had been given. */
static int
open_folder (struct v2v_source *src, const struct v2v_source_opts *opts,
             struct v2v_error **err)
{
  static const char *const suffixes[] = { ".ovf", ".ova", ".vmx" };
  struct v2v_package *folder = v2v_package_folder (src->path, err);
  CLEANUP_FREE char *found = NULL;
  char *path;
  int r = folder == NULL ? -1 : 0;

  for (size_t i = 0; r == 0 && i < V2V_ARRAY_SIZE (suffixes); ++i) {
    CLEANUP_FREE char *name = NULL;

    r = v2v_package_find_suffix (folder, suffixes[i], false, &name, err);
    if (r == 0 && name != NULL && found != NULL)
      r = v2v_fail (err, V2V_ERR_USAGE,
                    "%s: holds both '%.80s' and '%.80s': name the one to "
                    "convert",
                    src->path, found, name);
    else if (r == 0 && name != NULL)
      found = STEAL (name);
  }
  v2v_package_unref (folder);
  if (r == -1)
    return -1;
  if (found == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: the folder holds no .ovf, .ova or .vmx file",
                     src->path);
  if (asprintf (&path, "%s/%s", src->path, found) == -1)
    return v2v_fail_nomem (err);
  free (src->path);
  src->path = path;
  return open_file (src, opts, err);
}

/* Standard input: a file can be read at random, a pipe cannot. */
static int
open_stdin (struct v2v_source *src, const struct v2v_source_opts *opts,
            struct v2v_error **err)
{
  struct v2v_io *io;
  struct stat st;
  int fd;

  src->kind = "ova";
  if (fstat (STDIN_FILENO, &st) == -1)
    return v2v_fail_errno (err, "standard input");
  if (S_ISREG (st.st_mode)) {
    io = v2v_io_open ("/dev/stdin", V2V_IO_FOLLOW, err);
    if (io == NULL)
      return -1;
    src->package = v2v_ova_open (io, &src->unpacked, err);
  }
  else {
    fd = dup (STDIN_FILENO);
    if (fd == -1)
      return v2v_fail_errno (err, "standard input");
    io = v2v_io_from_stream (fd, "-", V2V_IO_SIZE_UNKNOWN, err);
    if (io == NULL)
      return -1;
    src->package = v2v_package_stream (io, err);
  }
  v2v_io_unref (io);
  return src->package == NULL ? -1 : parse_archive (src, opts, err);
}

/* ---- what is worth saying before anything is copied ---- */

/* Without ovf:size the last chunk is the one that is not full; if all are, the
 * end may be missing. */
static int
check_chunks (struct v2v_source *src, struct v2v_machine *m,
              const struct v2v_disk *d, const char *name,
              struct v2v_error **err)
{
  uint64_t size = 0;
  unsigned n = 0;

  if (d->chunk_bytes == 0 || d->file_bytes != 0)
    return 0;
  while (source_chunk_size (src, name, n, &size))
    n++;
  if (n == 0 || size != d->chunk_bytes)
    return 0;
  return V2V_FINDING (m, err, V2V_WARNING, "disk.last-chunk", d->id,
                      "compare with the source that no chunk was lost",
                      "the last of %u chunks is as long as the others, and the "
                      "description states no size: more may have followed",
                      n);
}

static int
check_file (struct v2v_source *src, struct v2v_machine *m, size_t index,
            struct v2v_error **err)
{
  struct v2v_disk *d = &m->disks[index];
  CLEANUP_FREE char *name = NULL, *shown = v2v_machine_printable (d->file);
  struct v2v_error *why = NULL;
  uint64_t size = 0;
  bool found;

  if (shown == NULL)
    return v2v_fail_nomem (err);
  name = source_file_name (src, d->file, &found, &size, &why);
  if (name == NULL) {
    int r;

    if (v2v_error_code (why) == V2V_ERR_NOMEM)
      return v2v_error_move (err, why);
    r = V2V_FINDING (m, err, V2V_CRITICAL, "disk.outside", d->id,
                     "put the file beside the description and name it there",
                     "'%s' is not a file of the package: it will not be "
                     "opened",
                     shown);
    v2v_error_free (why);
    return r;
  }
  if (!found) /* chunks, a search folder: the open tells */
    return check_chunks (src, m, d, name, err);
  if (d->file_bytes != 0 && d->file_bytes != size && d->chunk_bytes == 0)
    return V2V_FINDING (m, err, V2V_WARNING, "disk.file-size", d->id, NULL,
                        "'%s' has %" PRIu64 " bytes, the description says "
                        "%" PRIu64,
                        shown, size, d->file_bytes);
  return 0;
}

static int
finish (struct v2v_source *src, struct v2v_error **err)
{
  for (size_t i = 0; i < v2v_source_nr_machines (src); ++i) {
    struct v2v_machine *m = source_machine (src, i);

    if (v2v_machine_set (&m->source_kind, src->kind, err) == -1 ||
        v2v_machine_set (&m->source_path, src->path, err) == -1)
      return -1;
    for (size_t k = 0; k < m->nr_disks; ++k)
      if (m->disks[k].file != NULL && src->package != NULL &&
          !v2v_source_is_stream (src) && check_file (src, m, k, err) == -1)
        return -1;
  }
  if (src->unpacked)
    return source_finding (src, V2V_INFORMATION, "source.unpacked", NULL, err,
                           "the package is compressed as a whole: it was "
                           "unpacked into a temporary file");
  return 0;
}

static int
copy_search (struct v2v_source *src, const char *const *search,
             struct v2v_error **err)
{
  size_t n = 0;

  if (search == NULL)
    return 0;
  while (search[n] != NULL)
    n++;
  src->search = calloc (n + 1, sizeof *src->search);
  if (src->search == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i)
    if ((src->search[i] = strdup (search[i])) == NULL)
      return v2v_fail_nomem (err);
  return 0;
}

static int
open_any (struct v2v_source *src, const struct v2v_source_opts *opts,
          struct v2v_error **err)
{
  struct stat st;

  if (strcmp (src->path, "-") == 0)
    return open_stdin (src, opts, err);
  if (stat (src->path, &st) == -1)
    return v2v_fail_errno (err, "%s", src->path);
  return S_ISDIR (st.st_mode) ? open_folder (src, opts, err)
                              : open_file (src, opts, err);
}

struct v2v_source *
v2v_source_open (const char *path, const struct v2v_source_opts *opts,
                 struct v2v_error **err)
{
  static const struct v2v_source_opts defaults = { .manifest =
                                                       V2V_MANIFEST_STRICT };
  struct v2v_source *src = calloc (1, sizeof *src);
  size_t len = strlen (path);

  if (opts == NULL)
    opts = &defaults;
  /* "folder/": the slash is no part of a name. */
  while (len > 1 && path[len - 1] == '/')
    len--;
  if (src == NULL || (src->path = strndup (path, len)) == NULL) {
    v2v_source_close (src);
    v2v_fail_nomem (err);
    return NULL;
  }
  src->policy = opts->manifest;
  if (copy_search (src, opts->search, err) == -1 ||
      open_any (src, opts, err) == -1)
    goto fail;
  if (opts->snapshot != NULL &&
      (src->single == NULL || strcmp (src->kind, "disk") == 0)) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: only a .vmx source has snapshots", path);
    goto fail;
  }
  if (finish (src, err) == -1)
    goto fail;
  return src;

fail:
  v2v_source_close (src);
  return NULL;
}
