/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an initramfs the way init/initramfs.c of the kernel does: one part
 * after the other, each a cpio archive as it is (microcode comes first) or a
 * compressed stream that holds archives; zeros between the parts are padding;
 * an archive as it is begins at a multiple of four.
 *
 * Where we stop, the kernel stops as well: what was appended behind bytes that
 * nobody can read does not count.
 */

#include <config.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/cpio.h"
#include "inject/initramfs.h"
#include "inject/linux-internal.h"
#include "inject/uki.h"
#include "inject/unpack.h"

#define PIECE_BYTES (256u << 10)

/* ---- the list of files ---- */

void
v2v_initramfs_clear (struct v2v_initramfs *im)
{
  for (size_t i = 0; i < im->nr_files; ++i) {
    free (im->files[i].name);
    free (im->files[i].data);
  }
  free (im->files);
  *im = (struct v2v_initramfs) V2V_INITRAMFS_INIT;
}

const struct v2v_initramfs_file *
v2v_initramfs_find (const struct v2v_initramfs *im, const char *name)
{
  for (size_t i = im->nr_files; i > 0; --i)
    if (strcmp (im->files[i - 1].name, name) == 0)
      return &im->files[i - 1];
  return NULL;
}

/* Is NAME below .../lib/modules/VERSION/? */
static bool
is_of_version (const char *name, const char *version)
{
  const char *p = strstr (name, "lib/modules/");
  const size_t len = strlen (version);

  if (p == NULL || (p != name && p[-1] != '/'))
    return false;
  p += strlen ("lib/modules/");
  return strncmp (p, version, len) == 0 && p[len] == '/';
}

const struct v2v_initramfs_file *
v2v_initramfs_find_module (const struct v2v_initramfs *im, const char *version,
                           const char *module)
{
  for (size_t i = im->nr_files; i > 0; --i) {
    const struct v2v_initramfs_file *f = &im->files[i - 1];

    if (S_ISREG (f->mode) && f->size_bytes > 0 &&
        linux_module_is (f->name, module) && is_of_version (f->name, version) &&
        strstr (f->name, ".ko") != NULL)
      return f;
  }
  /* RHEL 5 and SLES 11 put the modules into /lib without their folders. */
  for (size_t i = im->nr_files; i > 0; --i) {
    const struct v2v_initramfs_file *f = &im->files[i - 1];

    if (S_ISREG (f->mode) && f->size_bytes > 0 &&
        fnmatch ("lib/*.ko", f->name, FNM_PATHNAME) == 0 &&
        linux_module_is (f->name, module))
      return f;
  }
  return NULL;
}

static const char *
plain_name (const char *name)
{
  for (;;) {
    if (name[0] == '/')
      ++name;
    else if (name[0] == '.' && name[1] == '/')
      name += 2;
    else
      return name;
  }
}

/* Configuration that decides what is loaded, and how interfaces are called. */
static bool
want (void *arg, const struct v2v_cpio_entry *e)
{
  static const char *const patterns[] = {
    "*lib/modules/*/modules.dep",
    "*lib/modules/*/modules.softdep",
    "*lib/modules/*/modules.alias",
    "etc/modprobe.d/*",
    "lib/modprobe.d/*",
    "usr/lib/modprobe.d/*",
    "*/modules-load.d/*",
    "etc/modules",
    "conf/*",
    "config",
    "cryptroot/crypttab",
    "etc/crypttab",
    "etc/lvm/*.conf",
    "etc/mdadm.conf",
    "etc/mdadm/mdadm.conf",
    "etc/modprobe.conf",
    "etc/cmdline.d/*",
    "etc/conf.d/*",
    "etc/udev/rules.d/*",
    "*/systemd/network/*.link",
    "init",
  };
  const struct v2v_initramfs *im = arg;
  const char *name = plain_name (e->name);

  if (!S_ISREG (e->mode) ||
      e->size_bytes > V2V_INITRAMFS_MAX_KEPT - im->kept_bytes)
    return false;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (patterns); ++i)
    if (fnmatch (patterns[i], name, 0) == 0)
      return true;
  return false;
}

static int
visit (void *arg, const struct v2v_cpio_entry *e, struct v2v_error **err)
{
  struct v2v_initramfs *im = arg;
  struct v2v_initramfs_file f = { .mode = e->mode,
                                  .size_bytes = e->size_bytes };
  const char *name = plain_name (e->name);

  im->name_bytes += strlen (name);
  if (im->name_bytes > V2V_INITRAMFS_MAX_NAMES ||
      im->nr_files >= V2V_CPIO_MAX_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "an initramfs with more than %d files or %u MiB of names",
                     V2V_CPIO_MAX_ENTRIES, V2V_INITRAMFS_MAX_NAMES >> 20);
  if (im->nr_files == im->cap) {
    const size_t cap = im->cap + im->cap / 2 + 64;
    void *p = reallocarray (im->files, cap, sizeof *im->files);

    if (p == NULL)
      return v2v_fail_nomem (err);
    im->files = p;
    im->cap = cap;
  }
  f.name = strdup (name);
  if (e->data != NULL) {
    f.data = malloc ((size_t) e->size_bytes + 1);
    if (f.data != NULL)
      memcpy (f.data, e->data, (size_t) e->size_bytes + 1);
    im->kept_bytes += e->size_bytes;
  }
  if (f.name == NULL || (e->data != NULL && f.data == NULL)) {
    free (f.name);
    free (f.data);
    return v2v_fail_nomem (err);
  }
  im->files[im->nr_files++] = f;
  return 0;
}

/* ---- the parts ---- */

struct reading {
  struct v2v_io *io;
  uint64_t pos;
  uint64_t unpacked; /* of all parts so far */
  struct v2v_initramfs *im;
  uint8_t *in, *out; /* PIECE_BYTES each */
};

static struct v2v_cpio_reader *
new_reader (struct reading *r, struct v2v_error **err)
{
  const struct v2v_cpio_visitor v = { .want = want,
                                      .visit = visit,
                                      .arg = r->im };

  return v2v_cpio_reader_new (&v, err);
}

/* Fill the input from the present position. */
static int
read_piece (struct reading *r, size_t *ret_len, struct v2v_error **err)
{
  const uint64_t left = v2v_io_size (r->io) - r->pos;

  *ret_len = (size_t) v2v_min_u64 (left, PIECE_BYTES);
  if (*ret_len == 0)
    return 0;
  return v2v_io_pread (r->io, r->in, *ret_len, r->pos, err);
}

static int
ends_early (struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "the initramfs ends in the middle of an archive");
}

static int
read_plain (struct reading *r, struct v2v_cpio_reader *cpio,
            struct v2v_error **err)
{
  size_t len, used;

  do {
    if (read_piece (r, &len, err) == -1 ||
        v2v_cpio_reader_feed (cpio, r->in, len, &used, err) == -1)
      return -1;
    r->pos += used;
  } while (len > 0 && used == len);
  return v2v_cpio_reader_is_between (cpio) ? 0 : ends_early (err);
}

static int
feed_unpacked (struct reading *r, struct v2v_cpio_reader *cpio, size_t len,
               struct v2v_error **err)
{
  size_t used;

  r->unpacked += len;
  if (r->unpacked > V2V_INITRAMFS_MAX_UNPACKED)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the initramfs unpacks to more than %" PRIu64 " MiB",
                     V2V_INITRAMFS_MAX_UNPACKED >> 20);
  if (v2v_cpio_reader_feed (cpio, r->out, len, &used, err) == -1)
    return -1;
  if (used < len)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "compressed data of the initramfs are no cpio archive");
  return 0;
}

static int
unpack_stream (struct reading *r, struct v2v_unpack *u, bool is_endless,
               struct v2v_cpio_reader *cpio, struct v2v_error **err)
{
  size_t have = 0, at = 0, used, len;
  bool end = false;

  while (!end) {
    if (at == have) {
      at = 0;
      if (read_piece (r, &have, err) == -1)
        return -1;
    }
    if (v2v_unpack_run (u, r->in + at, have - at, &used, r->out, PIECE_BYTES,
                        &len, &end, err) == -1)
      return -1;
    at += used;
    r->pos += used;
    if (len > 0 && feed_unpacked (r, cpio, len, err) == -1)
      return -1;
    if (used == 0 && len == 0 && !end) {
      if (at == have && r->pos == v2v_io_size (r->io))
        break;
      if (at < have)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "the compressed data of the initramfs do not go on");
    }
  }
  /* Only lz4 has no end of its own. */
  if (!end && !is_endless)
    return ends_early (err);
  r->im->ends_in_lz4 = is_endless;
  return v2v_cpio_reader_is_between (cpio) ? 0 : ends_early (err);
}

static int
read_packed (struct reading *r, const char *packing,
             struct v2v_cpio_reader *cpio, struct v2v_error **err)
{
  struct v2v_unpack *u = v2v_unpack_new (packing, err);
  int ret;

  if (u == NULL)
    return -1;
  ret = unpack_stream (r, u, strcmp (packing, "lz4") == 0, cpio, err);
  v2v_unpack_free (u);
  return ret == -1 ? v2v_prefix (err, "%s", packing) : 0;
}

/* Pass zeros over; *RET_LEN bytes of the next part are at r->in. */
static int
skip_zeros (struct reading *r, size_t *ret_len, struct v2v_error **err)
{
  size_t len, n = 0;

  do {
    if (read_piece (r, &len, err) == -1)
      return -1;
    for (n = 0; n < len && r->in[n] == 0; ++n)
      ;
    r->pos += n;
  } while (len > 0 && n == len);
  *ret_len = len - n;
  if (n > 0)
    memmove (r->in, r->in + n, *ret_len);
  if (*ret_len < V2V_UNPACK_HEAD)
    return read_piece (r, ret_len, err);
  return 0;
}

static int
read_part (struct reading *r, size_t len, struct v2v_error **err)
{
  const char *packing = v2v_unpack_probe (r->in, len);
  const uint64_t at = r->pos;
  const size_t before = r->im->nr_files;
  struct v2v_cpio_reader *cpio;
  int ret;

  if (packing == NULL && (r->in[0] != '0' || r->pos % 4 != 0))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the initramfs has bytes that are neither an archive nor "
                     "compressed at offset %" PRIu64,
                     at);
  cpio = new_reader (r, err);
  if (cpio == NULL)
    return -1;
  r->im->ends_in_lz4 = false;
  ret =
      packing ? read_packed (r, packing, cpio, err) : read_plain (r, cpio, err);
  v2v_cpio_reader_free (cpio);
  if (ret == -1)
    return v2v_prefix (err, "offset %" PRIu64, at);
  r->im->nr_parts++;
  if (r->im->nr_files > before)
    r->im->packing = packing ? packing : "none";
  return 0;
}

static int
read_parts (struct reading *r, struct v2v_error **err)
{
  if (v2v_io_size (r->io) > V2V_INITRAMFS_MAX_BYTES)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "an initramfs of %" PRIu64
                     " bytes, expected up to %" PRIu64,
                     v2v_io_size (r->io), V2V_INITRAMFS_MAX_BYTES);
  for (;;) {
    size_t len;

    if (skip_zeros (r, &len, err) == -1)
      return -1;
    if (len == 0)
      break;
    if (read_part (r, len, err) == -1)
      return -1;
  }
  if (r->im->nr_parts == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "the initramfs is empty");
  return 0;
}

int
v2v_initramfs_read (struct v2v_io *io, struct v2v_initramfs *ret,
                    struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *in = malloc (PIECE_BYTES);
  CLEANUP_FREE uint8_t *out = malloc (PIECE_BYTES);
  CLEANUP_INITRAMFS struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct reading r = { .io = io, .im = &im, .in = in, .out = out };

  if (in == NULL || out == NULL)
    return v2v_fail_nomem (err);
  im.packing = "none";
  if (read_parts (&r, err) == -1)
    return -1;
  *ret = im;
  im = (struct v2v_initramfs) V2V_INITRAMFS_INIT;
  return 0;
}

/* ---- unified kernel images ---- */

int
v2v_initramfs_read_uki (struct v2v_io *io, struct v2v_initramfs *ret,
                        struct v2v_error **err)
{
  uint64_t offset, len;
  struct v2v_io *window;
  int r = v2v_uki_find_section (io, ".initrd", &offset, &len, err);

  if (r == 0)
    v2v_fail (err, V2V_ERR_FORMAT, "the unified kernel image has no initramfs");
  if (r <= 0)
    return -1;
  window = v2v_io_window (io, "initrd", offset, len, err);
  if (window == NULL)
    return -1;
  r = v2v_initramfs_read (window, ret, err);
  v2v_io_unref (window);
  return r;
}
