/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2: read through QEMU's own implementation, served by qemu-nbd.
 *
 * "Qcow2 Image File Format" (docs/interop/qcow2.txt of QEMU), versions 2 and
 * 3.  Only the header is ours: a qcow2 file can name OTHER files, a backing
 * file and an external data file, and whoever opens it opens them
 * (CVE-2015-5163, CVE-2024-32498: a disk that was uploaded reads
 * /etc/shadow).  So both are refused, encryption too, before QEMU sees the
 * file; and QEMU is told to use no backing file, in case the header changes
 * meanwhile.  v2v_open_opts.force allows them, for images of one's own;
 * v2v_open_opts.overlay reads what the file itself holds and nothing below.
 *
 * Left out: writing, internal snapshots (the current state is read), checks
 * of what lies behind the header (qemu-img check does that).
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/image-internal.h"
#include "formats/nbd-internal.h"
#include "formats/qemu-nbd.h"

#define QCOW2_MAGIC     UINT32_C (0x514649fb) /* "QFI\xfb" */
#define QCOW2_V2_HEADER 72
#define QCOW2_V3_HEADER 104
/* Clusters of 512 bytes to 2 MiB, as QEMU has it. */
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
/* QEMU's bound on the L1 table (32 MiB of it) is 2 EiB of disk; nothing that
 * we write holds more than this. */
#define QCOW2_MAX_SIZE (UINT64_C (1) << 62)

/* Incompatible features. */
#define QCOW2_DIRTY            1u
#define QCOW2_CORRUPT          2u
#define QCOW2_EXTERNAL_DATA    4u
#define QCOW2_COMPRESSION_TYPE 8u
#define QCOW2_EXTENDED_L2      16u
#define QCOW2_KNOWN                                                            \
  (QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_EXTERNAL_DATA |                         \
   QCOW2_COMPRESSION_TYPE | QCOW2_EXTENDED_L2)

/* Header extensions. */
#define QCOW2_EXT_END       0u
#define QCOW2_EXT_DATA_FILE UINT32_C (0x44415441)
#define QCOW2_EXT_LUKS      UINT32_C (0x0537be77)

struct qcow2 {
  uint64_t size_bytes; /* by the header */
  uint64_t cluster_bytes;
  bool dirty;
  bool has_backing;
  struct v2v_qemu_nbd server;
  void *nbd; /* a handle of v2v_nbd_ops; NULL before it is opened */
};

static int
qcow2_probe (const struct v2v_probe *p)
{
  return p->head_len >= QCOW2_V2_HEADER && v2v_be32 (p->head) == QCOW2_MAGIC
             ? 100
             : 0;
}

/* ---- the header ---- */

static int
check_extension (uint32_t type, const struct v2v_open_opts *opts,
                 struct v2v_error **err)
{
  switch (type) {
  case QCOW2_EXT_DATA_FILE:
    if (opts->force)
      return 0;
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 header: names an external data file, which could "
                     "be any file of this host");
  case QCOW2_EXT_LUKS:
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 header: the disk is encrypted (LUKS)");
  default:
    return 0; /* unknown ones may be ignored, by the specification */
  }
}

/* The extensions lie between the header and the end of the first cluster. */
static int
check_extensions (struct v2v_io *file, uint64_t offset, uint64_t cluster_bytes,
                  const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const uint64_t end = v2v_min_u64 (cluster_bytes, v2v_io_size (file));

  while (offset + 8 <= end) {
    uint8_t buf[8];
    uint32_t type;
    uint64_t len;

    if (v2v_io_pread (file, buf, sizeof buf, offset, err) == -1)
      return -1;
    type = v2v_be32 (buf);
    len = v2v_be32 (buf + 4);
    if (type == QCOW2_EXT_END)
      return 0;
    if (len > end - offset - 8)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "qcow2 header extension 0x%08" PRIx32 ": %" PRIu64
                       " bytes at %" PRIu64 ", past the end of the header's "
                       "cluster (%" PRIu64 ")",
                       type, len, offset + 8, end);
    if (check_extension (type, opts, err) == -1)
      return -1;
    offset += 8 + ((len + 7) & ~UINT64_C (7));
  }
  return 0;
}

/* Version 3 says what a reader must know. */
static int
check_features (struct qcow2 *h, uint64_t features,
                const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const uint64_t unknown = features & ~(uint64_t) QCOW2_KNOWN;

  if (unknown != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 header: unknown incompatible features 0x%" PRIx64,
                     unknown);
  if (features & QCOW2_EXTERNAL_DATA &&
      check_extension (QCOW2_EXT_DATA_FILE, opts, err) == -1)
    return -1;
  if (features & QCOW2_CORRUPT && !opts->force) {
    v2v_fail (err, V2V_ERR_FORMAT, "qcow2 header: marked as corrupt");
    return v2v_hint (err, "qemu-img check -r all can repair it");
  }
  h->dirty = features & QCOW2_DIRTY;
  return 0;
}

static int
check_encryption (uint32_t method, struct v2v_error **err)
{
  if (method == 0)
    return 0;
  return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                   "qcow2 header: the disk is encrypted (method %" PRIu32 ")",
                   method);
}

static int
check_backing (struct qcow2 *h, uint64_t offset,
               const struct v2v_open_opts *opts, struct v2v_error **err)
{
  /* Of an overlay the caller has the base; the named file is not opened. */
  h->has_backing = offset != 0 && !opts->overlay;
  if (!h->has_backing || opts->force)
    return 0;
  v2v_fail (err, V2V_ERR_UNSUPPORTED,
            "qcow2 header: names a backing file, which could be any file of "
            "this host");
  return v2v_hint (err, "if the image is your own, flatten it first, with "
                        "qemu-img convert or v2v copy --force");
}

static int
read_header (struct qcow2 *h, struct v2v_io *file,
             const struct v2v_open_opts *opts, struct v2v_error **err)
{
  uint8_t buf[QCOW2_V3_HEADER] = { 0 };
  const uint64_t file_size = v2v_io_size (file);
  uint32_t version, cluster_bits, header_bytes = QCOW2_V2_HEADER;

  if (file_size < QCOW2_V2_HEADER)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "qcow2 header: the file has %" PRIu64
                     " bytes, a header has at least %d",
                     file_size, QCOW2_V2_HEADER);
  if (v2v_io_pread (file, buf, (size_t) v2v_min_u64 (sizeof buf, file_size), 0,
                    err) == -1)
    return -1;
  if (v2v_be32 (buf) != QCOW2_MAGIC)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "qcow2 header: magic is 0x%08" PRIx32
                     ", expected 0x%08" PRIx32,
                     v2v_be32 (buf), QCOW2_MAGIC);
  version = v2v_be32 (buf + 4);
  if (version != 2 && version != 3)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 header: version %" PRIu32 ", expected 2 or 3",
                     version);
  cluster_bits = v2v_be32 (buf + 20);
  if (cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
      cluster_bits > QCOW2_MAX_CLUSTER_BITS)
    return v2v_fail (
        err, V2V_ERR_FORMAT,
        "qcow2 header: cluster bits %" PRIu32 ", expected %d to %d",
        cluster_bits, QCOW2_MIN_CLUSTER_BITS, QCOW2_MAX_CLUSTER_BITS);
  h->cluster_bytes = UINT64_C (1) << cluster_bits;
  h->size_bytes = v2v_be64 (buf + 24);
  if (h->size_bytes > QCOW2_MAX_SIZE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "qcow2 header: size %" PRIu64
                     ", expected at most %" PRIu64,
                     h->size_bytes, QCOW2_MAX_SIZE);
  if (check_encryption (v2v_be32 (buf + 32), err) == -1 ||
      check_backing (h, v2v_be64 (buf + 8), opts, err) == -1)
    return -1;
  if (version == 3) {
    header_bytes = v2v_be32 (buf + 100);
    if (file_size < QCOW2_V3_HEADER || header_bytes < QCOW2_V3_HEADER ||
        header_bytes > h->cluster_bytes || header_bytes % 8 != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "qcow2 header: length %" PRIu32
                       ", expected a multiple of 8 from %d to %" PRIu64,
                       header_bytes, QCOW2_V3_HEADER, h->cluster_bytes);
    if (check_features (h, v2v_be64 (buf + 72), opts, err) == -1)
      return -1;
  }
  return check_extensions (file, header_bytes, h->cluster_bytes, opts, err);
}

/* ---- the server ---- */

/* How QEMU is to open the file: by the descriptor we checked, at its place in
 * it (an image inside an OVA), without asking the header for a backing file.
 * Only with an allowed backing file, whose name may be relative to it, QEMU
 * is told its path.
 */
static char *
describe_for_qemu (const struct qcow2 *h, struct v2v_io *file,
                   uint64_t fd_offset)
{
  const char *path = v2v_io_path (file);
  struct v2v_json *storage = v2v_json_new_object ();
  struct v2v_json *qcow2 = v2v_json_new_object ();
  CLEANUP_FREE char *text = NULL;
  char *image = NULL;

  v2v_json_set_string (storage, "driver", "file");
  v2v_json_set_string (storage, "filename",
                       h->has_backing && path ? path : V2V_QEMU_NBD_FILE);
  if (path == NULL) { /* a window */
    struct v2v_json *raw = v2v_json_new_object ();

    v2v_json_set_string (raw, "driver", "raw");
    v2v_json_set_u64 (raw, "offset", fd_offset);
    v2v_json_set_u64 (raw, "size", v2v_io_size (file));
    v2v_json_set (raw, "file", storage);
    storage = raw;
  }
  v2v_json_set_string (qcow2, "driver", "qcow2");
  if (!h->has_backing)
    v2v_json_set (qcow2, "backing", v2v_json_new_null ());
  v2v_json_set (qcow2, "file", storage);
  if (v2v_json_ok (qcow2))
    text = v2v_json_dump (qcow2, 0);
  v2v_json_free (qcow2);
  if (text == NULL || asprintf (&image, "json:%s", text) == -1)
    return NULL;
  return image;
}

/* The server's own words are more use than "connection closed". */
static int
explain (struct qcow2 *h, struct v2v_error **err)
{
  CLEANUP_FREE char *complaint = v2v_qemu_nbd_complaint (&h->server);

  if (complaint != NULL)
    v2v_hint (err, "%s", complaint);
  return -1;
}

static int
start_server (struct qcow2 *h, struct v2v_io *file,
              const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (file);
  int sockets[V2V_QEMU_NBD_MAX_SOCKETS];
  CLEANUP_FREE char *image = NULL;
  uint64_t fd_offset, contiguous;
  CLEANUP_FREE void *nbd = NULL;
  int fd;

  if (!v2v_io_fd (file, 0, &fd, &fd_offset, &contiguous) || contiguous < size)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 is read from one file only, not from a stream or "
                     "from pieces");
  image = describe_for_qemu (h, file, fd_offset);
  nbd = calloc (1, v2v_nbd_ops.handle_size);
  if (image == NULL || nbd == NULL)
    return v2v_fail_nomem (err);
  if (v2v_qemu_nbd_start (&h->server, image, fd, sockets,
                          V2V_ARRAY_SIZE (sockets), err) == -1)
    return -1;
  h->nbd = STEAL (nbd);
  if (v2v_nbd_open_sockets (h->nbd, sockets, V2V_ARRAY_SIZE (sockets), opts,
                            err) == -1) {
    v2v_prefix (err, "qemu-nbd");
    return explain (h, err);
  }
  return 0;
}

static int
qcow2_open (void *vh, struct v2v_io *file, const struct v2v_open_opts *opts,
            struct v2v_error **err)
{
  struct qcow2 *h = vh;
  struct v2v_image_info served = { 0 };

  if (v2v_io_is_forward_only (file))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "qcow2 cannot be read from a stream");
  if (read_header (h, file, opts, err) == -1 ||
      start_server (h, file, opts, err) == -1)
    return -1;
  v2v_nbd_ops.info (h->nbd, &served);
  if (served.size_bytes < h->size_bytes)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "qcow2 header: size %" PRIu64 ", but QEMU serves %" PRIu64
                     " bytes",
                     h->size_bytes, served.size_bytes);
  return 0;
}

static void
qcow2_info (const void *vh, struct v2v_image_info *ret)
{
  const struct qcow2 *h = vh;

  v2v_nbd_ops.info (h->nbd, ret);
  ret->block_bytes = h->cluster_bytes;
  ret->dirty = h->dirty;
}

static int
qcow2_extents (void *vh, uint64_t len, uint64_t offset, struct v2v_extents *out,
               struct v2v_error **err)
{
  struct qcow2 *h = vh;

  if (v2v_nbd_ops.extents (h->nbd, len, offset, out, err) == -1)
    return explain (h, err);
  return 0;
}

static int
qcow2_read (void *vh, void *buf, size_t len, uint64_t offset,
            struct v2v_error **err)
{
  struct qcow2 *h = vh;

  if (v2v_nbd_ops.read (h->nbd, buf, len, offset, err) == -1)
    return explain (h, err);
  return 0;
}

static void
qcow2_close (void *vh)
{
  struct qcow2 *h = vh;

  if (h->nbd != NULL)
    v2v_nbd_ops.close (h->nbd);
  free (h->nbd);
  v2v_qemu_nbd_stop (&h->server);
}

const struct v2v_image_ops v2v_qcow2_ops = {
  .name = "qcow2",
  .description = "QEMU's format, through qemu-nbd; a single file",
  .extension = ".qcow2",
  .handle_size = sizeof (struct qcow2),
  .parallel_read = true,
  .probe = qcow2_probe,
  .open = qcow2_open,
  .info = qcow2_info,
  .extents = qcow2_extents,
  .read = qcow2_read,
  .close = qcow2_close,
};
