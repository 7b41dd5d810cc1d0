/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbdkit-v2v-plugin: any disk that we can read, served over NBD.
 *
 * nbdkit-plugin(3), API version 2.  One image is opened for all connections,
 * before nbdkit goes to the background, so that a mistake is reported on the
 * terminal.  Reading needs no lock where the driver says so (all but a few);
 * else one lock is held.  Writing is left out: an overlay of the client's
 * (qemu-img create -b nbd:...) is how a served disk is changed.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/vector.h"
#include "formats/image.h"
#include "formats/machine.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

V2V_VECTOR (string_vector, const char *);

static char *file;                             /* absolute, or a URI */
static const char *format;                     /* NULL = by evidence */
static string_vector search = V2V_VECTOR_INIT; /* NULL-terminated */
static uint64_t window_offset;
static uint64_t window_size; /* 0 = to the end of the file */
static bool windowed;
static bool force;
static char *package;    /* absolute: an OVA, OVF or VMX; instead of FILE */
static const char *disk; /* file name of a disk in it */

static struct v2v_source *source;
static struct v2v_image *img;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* see take_lock */

/* Report ERR (freed) the way nbdkit wants it. Returns -1. */
static int
report (struct v2v_error *err)
{
  const char *hint = v2v_error_hint (err);
  int e = v2v_error_errno (err);

  nbdkit_error ("%s%s%s", v2v_error_message (err), hint ? "; " : "",
                hint ? hint : "");
  /* A client cannot use ENOENT of a parent, say; it asked for bytes. */
  if (e != ENOMEM)
    e = EIO;
  nbdkit_set_error (e);
  v2v_error_free (err);
  return -1;
}

static void
log_to_nbdkit (void *arg, enum v2v_log_level level, const char *message)
{
  (void) arg;
  if (level == V2V_LOG_WARNING)
    nbdkit_error ("warning: %s", message);
  else
    nbdkit_debug ("%s", message);
}

static void
v2v_load (void)
{
  v2v_log_set_sink (log_to_nbdkit, NULL);
}

/* ---- configuration ---- */

static bool
is_uri (const char *name)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();

  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (drivers[i]->probe_uri != NULL && drivers[i]->probe_uri (name))
      return true;
  return false;
}

static int
set_file (const char *value)
{
  if (file != NULL) {
    nbdkit_error ("file= was given twice; one disk is served");
    return -1;
  }
  /* nbdkit goes to / when it becomes a daemon. */
  file = is_uri (value) ? strdup (value) : nbdkit_absolute_path (value);
  return file != NULL ? 0 : -1;
}

static int
add_search (const char *value)
{
  char *dir = nbdkit_realpath (value);

  if (dir == NULL)
    return -1;
  if (string_vector_append (&search, dir) == -1) {
    free (dir);
    nbdkit_error ("out of memory");
    return -1;
  }
  return 0;
}

static int
set_size (const char *key, const char *value, uint64_t *ret)
{
  const int64_t n = nbdkit_parse_size (value);

  (void) key;
  if (n == -1)
    return -1;
  *ret = (uint64_t) n;
  windowed = true;
  return 0;
}

static int
v2v_config (const char *key, const char *value)
{
  int r;

  if (strcmp (key, "file") == 0)
    return set_file (value);
  if (strcmp (key, "package") == 0) {
    free (package);
    package = nbdkit_absolute_path (value);
    return package != NULL ? 0 : -1;
  }
  if (strcmp (key, "disk") == 0) {
    disk = value;
    return 0;
  }
  if (strcmp (key, "search") == 0)
    return add_search (value);
  if (strcmp (key, "offset") == 0)
    return set_size (key, value, &window_offset);
  if (strcmp (key, "size") == 0)
    return set_size (key, value, &window_size);
  if (strcmp (key, "format") == 0) {
    if (v2v_image_driver_by_name (value) == NULL) {
      nbdkit_error ("no format is called '%s'", value);
      return -1;
    }
    format = value; /* nbdkit keeps it */
    return 0;
  }
  if (strcmp (key, "force") == 0) {
    r = nbdkit_parse_bool (value);
    if (r == -1)
      return -1;
    force = r;
    return 0;
  }
  nbdkit_error ("unknown parameter '%s'", key);
  return -1;
}

static int
v2v_config_complete (void)
{
  if (package != NULL || disk != NULL) {
    if (package == NULL || disk == NULL || file != NULL || windowed) {
      nbdkit_error ("package= and disk= belong together, without file=");
      return -1;
    }
    return 0;
  }
  if (file == NULL) {
    nbdkit_error ("the disk to serve is missing: file=PATH");
    return -1;
  }
  if (windowed && is_uri (file)) {
    nbdkit_error ("offset= and size= are for files");
    return -1;
  }
  return 0;
}

#define v2v_config_help                                                        \
  "[file=]PATH      disk image, or an nbd: URI\n"                              \
  "package=PATH     instead: an OVA, OVF or VMX\n"                             \
  "disk=NAME        ... and the file name of a disk in it\n"                   \
  "format=FORMAT    vmdk, vhd, vhdx, qcow2, raw ... (default: by evidence)\n"  \
  "search=DIR       where parents may be too (several allowed)\n"              \
  "offset=OFFSET    the image begins there in the file (an OVA)\n"             \
  "size=SIZE        and has that length\n"                                     \
  "force=BOOL       read despite a doubtful feature"

/* ---- opening ---- */

static struct v2v_image *
open_window (const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct v2v_io *whole = v2v_io_open (file, V2V_IO_FOLLOW, err);
  struct v2v_io *window = NULL;
  struct v2v_image *ret = NULL;
  uint64_t size = window_size;

  if (whole == NULL)
    return NULL;
  if (size == 0 && v2v_io_size (whole) > window_offset)
    size = v2v_io_size (whole) - window_offset;
  window = v2v_io_window (whole, file, window_offset, size, err);
  if (window != NULL)
    ret = v2v_image_open_io (window, opts, err);
  v2v_io_unref (window);
  v2v_io_unref (whole);
  return ret;
}

/* A disk of a package, with its parents and pieces in it: as the package's
 * description names it. */
static struct v2v_image *
open_member (const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const struct v2v_source_opts source_opts = { .manifest = V2V_MANIFEST_OFF,
                                               .search = opts->search };
  struct v2v_image *ret = NULL;

  source = v2v_source_open (package, &source_opts, err);
  if (source == NULL)
    return NULL;
  for (size_t m = 0; m < v2v_source_nr_machines (source); ++m) {
    const struct v2v_machine *machine = v2v_source_machine (source, m);

    for (size_t i = 0; i < machine->nr_disks; ++i)
      if (machine->disks[i].file != NULL &&
          strcmp (machine->disks[i].file, disk) == 0) {
        struct v2v_io *io =
            v2v_source_open_disk (source, &machine->disks[i], NULL, err);

        if (io != NULL)
          ret = v2v_image_open_io (io, opts, err);
        v2v_io_unref (io);
        return ret;
      }
  }
  v2v_fail (err, V2V_ERR_USAGE, "%s: describes no disk '%s'", package, disk);
  return NULL;
}

static int
v2v_get_ready (void)
{
  struct v2v_open_opts opts = { .format = format, .force = force };
  struct v2v_error *err = NULL;

  if (string_vector_append (&search, NULL) == -1) {
    nbdkit_error ("out of memory");
    return -1;
  }
  opts.search = search.ptr;
  img = package != NULL ? open_member (&opts, &err)
        : windowed      ? open_window (&opts, &err)
                        : v2v_image_open (file, &opts, &err);
  if (img == NULL)
    return report (err);
  if (v2v_image_is_stream (img)) {
    nbdkit_error ("%s: cannot be read at random", file ? file : disk);
    return -1;
  }
  return 0;
}

static void
v2v_unload (void)
{
  v2v_image_close (img);
  v2v_source_close (source);
  for (size_t i = 0; i < search.len; ++i)
    free ((char *) (uintptr_t) search.ptr[i]);
  free (search.ptr);
  free (package);
  free (file);
}

static void *
v2v_open (int readonly)
{
  (void) readonly;
  return NBDKIT_HANDLE_NOT_NEEDED;
}

/* ---- serving ---- */

static int64_t
v2v_get_size (void *handle)
{
  (void) handle;
  return (int64_t) v2v_image_size (img); /* the core bounds it */
}

static int
v2v_block_size (void *handle, uint32_t *minimum, uint32_t *preferred,
                uint32_t *maximum)
{
  const uint64_t block = v2v_image_get_info (img)->block_bytes;

  (void) handle;
  *minimum = 1;
  *maximum = 32 * 1024 * 1024;
  /* Whole grains are inflated once; larger blocks need not be read whole. */
  *preferred = 64 * 1024;
  if (block > *preferred && block <= 1024 * 1024 && (block & (block - 1)) == 0)
    *preferred = (uint32_t) block;
  return 0;
}

static int
v2v_yes (void *handle)
{
  (void) handle;
  return 1;
}

static int
v2v_no (void *handle)
{
  (void) handle;
  return 0;
}

/* Some drivers are for one thread at a time; nbdkit has many. */
static pthread_mutex_t *
take_lock (void)
{
  if (v2v_image_parallel_read (img))
    return NULL;
  pthread_mutex_lock (&lock);
  return &lock;
}

static void
give_lock (pthread_mutex_t *taken)
{
  if (taken != NULL)
    pthread_mutex_unlock (taken);
}

static int
v2v_pread (void *handle, void *buf, uint32_t count, uint64_t offset,
           uint32_t flags)
{
  pthread_mutex_t *taken = take_lock ();
  struct v2v_error *err = NULL;
  const int r = v2v_image_read (img, buf, count, offset, &err);

  (void) handle;
  (void) flags;
  give_lock (taken);
  return r == -1 ? report (err) : 0;
}

static uint32_t
nbdkit_type (enum v2v_extent_type type)
{
  return type == V2V_EXTENT_DATA ? 0 : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
}

static int
v2v_extents (void *handle, uint32_t count, uint64_t offset, uint32_t flags,
             struct nbdkit_extents *extents)
{
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  pthread_mutex_t *taken = take_lock ();
  struct v2v_error *err = NULL;
  const int r = v2v_image_extents (img, count, offset, &list, &err);
  uint32_t first = 0;

  (void) handle;
  give_lock (taken);
  if (r == -1)
    return report (err);
  for (size_t i = 0; i < list.len; ++i) {
    const uint32_t type = nbdkit_type (list.ptr[i].type);

    if (i == 0)
      first = type;
    if (nbdkit_add_extent (extents, list.ptr[i].offset, list.ptr[i].length,
                           type) == -1)
      return -1;
    if (flags & NBDKIT_FLAG_REQ_ONE && type != first)
      break; /* runs of one kind, of several layers perhaps, are merged */
  }
  return 0;
}

static void
v2v_dump_plugin (void)
{
  const struct v2v_image_ops *const *drivers = v2v_image_drivers ();

  for (size_t i = 0; drivers[i] != NULL; ++i)
    if (drivers[i]->open != NULL || drivers[i]->open_uri != NULL)
      printf ("v2v_format_%s=yes\n", drivers[i]->name);
}

static struct nbdkit_plugin plugin = {
  .name = "v2v",
  .longname = "disks of VMware, Hyper-V and QEMU",
  .description = "serve any disk image that v2v reads: a chain as one disk, a "
                 "disk inside an OVA in place",
  .version = PACKAGE_VERSION,
  .load = v2v_load,
  .unload = v2v_unload,
  .dump_plugin = v2v_dump_plugin,
  .config = v2v_config,
  .config_complete = v2v_config_complete,
  .config_help = v2v_config_help,
  .magic_config_key = "file",
  .get_ready = v2v_get_ready,
  .open = v2v_open,
  .get_size = v2v_get_size,
  .block_size = v2v_block_size,
  .can_multi_conn = v2v_yes,
  .can_extents = v2v_yes,
  .is_rotational = v2v_no,
  .pread = v2v_pread,
  .extents = v2v_extents,
};

/* nbdkit's macro defines it without a prototype, which clang warns of. */
struct nbdkit_plugin *plugin_init (void);

NBDKIT_REGISTER_PLUGIN (plugin)
