/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v check for VMDK: the header, footer and descriptor against each other,
 * every extent (vmdk-check-map.c), and who the parent is.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-check.h"

int
vmdk_check_add (const struct vmdk_checker *c, enum v2v_check_severity sev,
                bool repaired, const char *id, struct v2v_error **err,
                const char *fmt, ...)
{
  CLEANUP_FREE char *message = NULL;
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&message, fmt, args);
  va_end (args);
  if (n == -1) {
    message = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_check_add (c->report, sev, repaired, id, "%s%s%s",
                     c->name != NULL ? c->name : "",
                     c->name != NULL ? ": " : "", message) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

int
vmdk_check_add_error (const struct vmdk_checker *c, const char *id,
                      struct v2v_error *e, struct v2v_error **err)
{
  int r;

  if (v2v_error_code (e) != V2V_ERR_FORMAT &&
      v2v_error_code (e) != V2V_ERR_UNSUPPORTED)
    return v2v_error_move (err, e);
  r = vmdk_check_add (c, V2V_CHECK_DAMAGE, false, id, err, "%s",
                      v2v_error_message (e));
  v2v_error_free (e);
  return r;
}

/* ---- extents ---- */

/* Hosted sparse, with its header read already. */
static int
check_sparse (const struct vmdk_checker *c, struct v2v_io *io,
              const struct vmdk_header *h, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct vmdk_map *m = vmdk_sparse_open (io, h, c->cache, NULL, true, &e);
  uint64_t gd;
  int r = 0;

  if (m == NULL)
    return vmdk_check_add_error (c, "vmdk.directory", e, err);
  if (!v2v_mul_u64 (h->gd_offset, VMDK_SECTOR, &gd) ||
      !v2v_range_inside (gd, (uint64_t) m->nr_gds * 4, v2v_io_size (io)))
    r = vmdk_check_add (c, V2V_CHECK_DAMAGE, false, "vmdk.directory.primary",
                        err,
                        "header: grain directory at sector %" PRIu64
                        ", past the end of the file; only the redundant one "
                        "is there",
                        h->gd_offset);
  else if ((h->flags & VMDK_FLAG_RGD) && m->rgd_offset == 0)
    r = vmdk_check_add (c, V2V_CHECK_DAMAGE, false, "vmdk.directory.redundant",
                        err,
                        "header: redundant grain directory at sector %" PRIu64
                        " cannot be used",
                        h->rgd_offset);
  if (r == 0)
    r = vmdk_check_map (c, m, h, err);
  vmdk_map_free (m);
  return r;
}

/* A file with a magic, whatever it is. */
static int
check_extent_file (const struct vmdk_checker *c, struct v2v_io *io,
                   struct v2v_error **err)
{
  uint8_t magic[8] = { 0 };
  struct vmdk_header h;
  struct vmdk_map *m;
  struct v2v_error *e = NULL;
  int r;

  if (v2v_io_size (io) < sizeof magic)
    return vmdk_check_add (c, V2V_CHECK_DAMAGE, false, "vmdk.header", err,
                           "only %" PRIu64 " bytes", v2v_io_size (io));
  if (v2v_io_pread (io, magic, sizeof magic, 0, err) == -1)
    return -1;
  if (v2v_le32 (magic) == VMDK_COWD_MAGIC)
    m = vmdk_cowd_open (io, c->cache, NULL, &e);
  else if (v2v_le64 (magic) == VMDK_SE_MAGIC)
    m = vmdk_sesparse_open (io, c->cache, NULL, &e);
  else {
    if (vmdk_header_read (io, &h, &e) == -1)
      return vmdk_check_add_error (c, "vmdk.header", e, err);
    return check_sparse (c, io, &h, err);
  }
  if (m == NULL)
    return vmdk_check_add_error (c, "vmdk.header", e, err);
  r = vmdk_check_map (c, m, NULL, err);
  vmdk_map_free (m);
  return r;
}

static int
check_line (const struct vmdk_checker *disk, struct v2v_io *file,
            const struct vmdk_extent_line *line, struct v2v_error **err)
{
  struct vmdk_checker c = *disk;
  struct vmdk_extent flat = { .length = line->sectors * VMDK_SECTOR };
  struct v2v_error *e = NULL;
  struct v2v_io *io;
  int r = 0;

  if (line->type == VMDK_TYPE_ZERO || line->access == VMDK_ACCESS_NONE)
    return 0;
  io = v2v_io_open_sibling (file, line->file, c.repair ? V2V_IO_RW : 0, &e);
  if (io == NULL && v2v_error_errno (e) == ENOENT && line->file_raw != NULL)
    io = v2v_io_open_sibling (file, line->file_raw, c.repair ? V2V_IO_RW : 0,
                              NULL);
  if (io == NULL) {
    if (v2v_error_errno (e) != ENOENT)
      return vmdk_check_add_error (&c, "vmdk.extent.name", e, err);
    v2v_error_free (e);
    return vmdk_check_add (&c, V2V_CHECK_DAMAGE, false, "vmdk.extent.missing",
                           err,
                           "extent '%.80s' (descriptor line %u) is not "
                           "here",
                           line->file, line->line);
  }
  v2v_error_free (e);
  e = NULL;
  c.name = v2v_io_name (io);
  if (v2v_io_same (file, io))
    r = vmdk_check_add (&c, V2V_CHECK_DAMAGE, false, "vmdk.extent.self", err,
                        "the descriptor names itself as an extent");
  else if (line->type == VMDK_TYPE_FLAT || line->type == VMDK_TYPE_VMFS) {
    flat.io = io;
    if (vmdk_flat_open (&flat, line, &e) == -1)
      r = vmdk_check_add_error (&c, "vmdk.extent.truncated", e, err);
  }
  else
    r = check_extent_file (&c, io, err);
  v2v_io_unref (io);
  return r;
}

/* ---- the chain ---- */

/* Open the parent alone and compare what it is with what the child wants. */
static int
check_parent (const struct vmdk_checker *c, struct v2v_io *file,
              const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct v2v_open_opts own = *opts;
  struct v2v_error *e = NULL;
  struct v2v_image *img;
  enum v2v_error_code code;
  int r;

  /* The core follows the chain and compares the CIDs. */
  own.format = "vmdk";
  own.force = true;
  own.no_parents = false;
  own.ignore_parent_id = false;
  img = v2v_image_open_io (file, &own, &e);
  if (img != NULL) {
    v2v_image_close (img);
    return 0;
  }
  code = v2v_error_code (e);
  if (code == V2V_ERR_NOMEM)
    return v2v_error_move (err, e);
  r = vmdk_check_add (c, V2V_CHECK_DAMAGE, false,
                      code == V2V_ERR_MISMATCH   ? "vmdk.chain.cid"
                      : v2v_error_errno (e) == 0 ? "vmdk.chain"
                                                 : "vmdk.chain.missing",
                      err, "%s", v2v_error_message (e));
  v2v_error_free (e);
  return r;
}

static int
check_descriptor (const struct vmdk_checker *c, struct v2v_io *file,
                  const char *text, size_t len, const struct vmdk_header *h,
                  const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct vmdk_descriptor d;
  struct v2v_error *e = NULL;
  int r = 0;

  memset (&d, 0, sizeof d);
  if (vmdk_descriptor_parse (text, len, opts->strict, &d, &e) == -1 ||
      vmdk_descriptor_refuse (&d, opts->force, &e) == -1 ||
      (h != NULL && h->capacity != 0 &&
       vmdk_embedded_check (&d, h, opts->strict, &e) == -1)) {
    vmdk_descriptor_clear (&d);
    return vmdk_check_add_error (c, "vmdk.descriptor", e, err);
  }
  if (!d.has_cid)
    r = vmdk_check_add (c, V2V_CHECK_NOTE, false, "vmdk.descriptor.cid", err,
                        "descriptor: no CID");
  for (size_t i = 0;
       r == 0 && (h == NULL || h->capacity == 0) && i < d.nr_lines; ++i)
    r = check_line (c, file, &d.lines[i], err);
  if (r == 0 && d.parent_cid != VMDK_NO_PARENT_CID && !opts->no_parents)
    r = check_parent (c, file, opts, err);
  vmdk_descriptor_clear (&d);
  return r;
}

/* ---- the file ---- */

static int
check_monolithic (const struct vmdk_checker *c, struct v2v_io *file,
                  const struct v2v_open_opts *opts, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *e = NULL;
  struct vmdk_header h;
  size_t len = 0;

  if (vmdk_header_read (file, &h, &e) == -1)
    return vmdk_check_add_error (c, "vmdk.header", e, err);
  if (h.capacity != 0 && check_sparse (c, file, &h, err) == -1)
    return -1;
  if (h.descriptor_offset == 0)
    return 0;
  text = vmdk_embedded_descriptor (file, &h, &len, &e);
  if (text == NULL)
    return vmdk_check_add_error (c, "vmdk.descriptor", e, err);
  return check_descriptor (c, file, text, len, &h, opts, err);
}

static int
check_text (const struct vmdk_checker *c, struct v2v_io *file,
            const struct v2v_open_opts *opts, struct v2v_error **err)
{
  const uint64_t size = v2v_io_size (file);
  CLEANUP_FREE char *text = NULL;

  if (size > VMDK_MAX_DESCRIPTOR_BYTES)
    return vmdk_check_add (c, V2V_CHECK_DAMAGE, false, "vmdk.descriptor", err,
                           "neither a known magic nor a descriptor: %" PRIu64
                           " bytes, at most %d",
                           size, VMDK_MAX_DESCRIPTOR_BYTES);
  text = malloc ((size_t) size + 1);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (v2v_io_pread (file, text, (size_t) size, 0, err) == -1)
    return -1;
  return check_descriptor (c, file, text, (size_t) size, NULL, opts, err);
}

int
vmdk_check (struct v2v_io *file, bool repair, const struct v2v_open_opts *opts,
            struct v2v_check_report *report, struct v2v_error **err)
{
  struct vmdk_checker c = { .report = report, .repair = repair };
  uint8_t magic[8] = { 0 };
  const size_t n = (size_t) v2v_min_u64 (sizeof magic, v2v_io_size (file));
  int r;

  if (v2v_io_is_forward_only (file))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED, "a stream cannot be checked");
  if (v2v_io_pread (file, magic, n, 0, err) == -1)
    return -1;
  c.cache = vmdk_cache_new (err);
  if (c.cache == NULL)
    return -1;
  if (v2v_le32 (magic) == VMDK_MAGIC ||
      v2v_le32 (magic) == VMDK_MAGIC_UNFINISHED)
    r = check_monolithic (&c, file, opts, err);
  else if (v2v_le32 (magic) == VMDK_COWD_MAGIC ||
           v2v_le64 (magic) == VMDK_SE_MAGIC)
    r = check_extent_file (&c, file, err);
  else
    r = check_text (&c, file, opts, err);
  vmdk_cache_free (c.cache);
  return r;
}
