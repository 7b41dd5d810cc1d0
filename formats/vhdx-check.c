/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: verify every structure, and repair what has a second copy or a sure
 * answer: a dirty log is replayed, a damaged header or region table is written
 * again from the good one, a ZERO entry loses its offset, a last block that
 * was cut off becomes whole.  Everything else is reported only.
 * Source: [MS-VHDX] throughout; what Hyper-V refuses beyond it is said in the
 * message.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

struct checker {
  struct vhdx h;
  struct v2v_check_report *report;
  bool repair;
  bool nomem;
  bool clear_zero_offsets; /* repairs that go through the BAT */
  bool extend_last;
};

#define ADD(c, severity, id, ...)                                              \
  do {                                                                         \
    if (v2v_check_add ((c)->report, severity, false, id, __VA_ARGS__) == -1)   \
      (c)->nomem = true;                                                       \
  } while (0)

static void
mark_repaired (struct checker *c, const char *id)
{
  for (size_t i = 0; i < c->report->nr_items; ++i)
    if (strcmp (c->report->items[i].id, id) == 0)
      c->report->items[i].repaired = true;
}

/* A stage that failed: a finding, unless reading itself was impossible.
 * Returns 0 to stop checking, -1 with *ERR set.
 */
static int
stage_failed (struct checker *c, const char *id, struct v2v_error *e,
              struct v2v_error **err)
{
  const enum v2v_error_code code = v2v_error_code (e);

  if (code == V2V_ERR_IO || code == V2V_ERR_NOMEM)
    return v2v_error_move (err, e);
  ADD (c, V2V_CHECK_DAMAGE, id, "%s", v2v_error_message (e));
  v2v_error_free (e);
  return 0;
}

/* ---- two copies of each ---- */

static int
check_header_copies (struct checker *c, struct v2v_error **err)
{
  struct vhdx *h = &c->h;

  for (unsigned slot = 0; slot < 2; ++slot)
    if (!h->header_valid[slot])
      ADD (c, V2V_CHECK_DAMAGE, "vhdx.header.copy",
           "header %u has a bad signature or checksum; header %u is good",
           slot + 1, 2 - slot);
  if (!c->repair || (h->header_valid[0] && h->header_valid[1]))
    return 0;
  if (vhdx_update_header (h, &h->headers[h->current], err) == -1)
    return -1;
  mark_repaired (c, "vhdx.header.copy");
  return 0;
}

static bool
same_regions (const vhdx_region_vector *a, const vhdx_region_vector *b)
{
  if (a->len != b->len)
    return false;
  for (size_t i = 0; i < a->len; ++i)
    if (!v2v_guid_equal (&a->ptr[i].id, &b->ptr[i].id) ||
        a->ptr[i].offset != b->ptr[i].offset ||
        a->ptr[i].length != b->ptr[i].length ||
        a->ptr[i].flags != b->ptr[i].flags)
      return false;
  return true;
}

static int
check_region_copies (struct checker *c, struct v2v_error **err)
{
  struct vhdx *h = &c->h;
  const unsigned other = 1u - (unsigned) h->regions_copy;
  vhdx_region_vector regions = V2V_VECTOR_INIT;
  bool valid = false, same;
  int r = vhdx_read_region_table (h, other, &valid, &regions, err);

  same = valid && same_regions (&h->regions, &regions);
  free (regions.ptr);
  if (r == -1)
    return -1;
  if (!valid)
    ADD (c, V2V_CHECK_DAMAGE, "vhdx.region.copy",
         "region table %u has a bad signature or checksum; table %u is good",
         other + 1, 2 - other);
  else if (!same)
    ADD (c, V2V_CHECK_DAMAGE, "vhdx.region.copy",
         "region table %u differs from table %u, which is used", other + 1,
         2 - other);
  if (c->repair && !same) {
    if (vhdx_write_region_table (h, other, err) == -1 ||
        v2v_io_sync (h->file, err) == -1)
      return -1;
    mark_repaired (c, "vhdx.region.copy");
  }
  if (!(h->bat.flags & VHDX_REGION_REQUIRED) ||
      !(h->metadata.flags & VHDX_REGION_REQUIRED))
    ADD (c, V2V_CHECK_NOTE, "vhdx.region.required",
         "the BAT or metadata region is not marked as required");
  return 0;
}

/* ---- the log ---- */

static int
check_log (struct checker *c, struct v2v_error **err)
{
  struct vhdx *h = &c->h;

  if (!h->log.dirty)
    return 0;
  ADD (c, V2V_CHECK_DAMAGE, "vhdx.log.dirty",
       "the log holds %" PRIu64 " entries (%zu writes) that were not carried "
       "out: the file was not closed cleanly",
       h->log.nr_entries, h->log.records.len);
  if (!c->repair)
    return 0;
  if (vhdx_log_replay (h, err) == -1)
    return -1;
  vhdx_cache_free (h);
  mark_repaired (c, "vhdx.log.dirty");
  return 0;
}

/* ---- the BAT ---- */

static int
on_problem (void *arg, enum vhdx_problem what, uint64_t index, uint64_t entry,
            const char *message)
{
  static const struct {
    const char *id;
    enum v2v_check_severity severity;
  } kinds[] = {
    [VHDX_PROBLEM_RESERVED_BITS] = { "vhdx.bat.reserved", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_STATE] = { "vhdx.bat.state", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_ZERO_OFFSET] = { "vhdx.bat.zero-offset", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_RANGE] = { "vhdx.bat.range", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_OVERLAP] = { "vhdx.bat.overlap", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_SHORT_LAST] = { "vhdx.file.short", V2V_CHECK_DAMAGE },
    [VHDX_PROBLEM_NO_BITMAP] = { "vhdx.bitmap.missing", V2V_CHECK_DAMAGE },
  };
  struct checker *c = arg;

  (void) index;
  (void) entry;
  if (what == VHDX_PROBLEM_ZERO_OFFSET)
    c->clear_zero_offsets = true;
  if (what == VHDX_PROBLEM_SHORT_LAST)
    c->extend_last = true;
  ADD (c, kinds[what].severity, kinds[what].id, "BAT: %s", message);
  return c->nomem;
}

/* MiBs of the file that nothing refers to. */
static void
check_orphans (struct checker *c, const struct vhdx_scan *scan)
{
  const uint64_t nr = v2v_io_size (c->h.file) / VHDX_ALIGN;
  uint64_t orphans = 0, first = 0;

  for (uint64_t m = 1; m < nr && m < scan->map.nr_mib; ++m)
    if (!((scan->map.bits[m / 8] >> (m % 8)) & 1)) {
      if (orphans++ == 0)
        first = m;
    }
  if (orphans > 0)
    ADD (c, V2V_CHECK_LEAK, "vhdx.space.orphan",
         "%" PRIu64 " MiB of the file belong to nothing, the first at %" PRIu64,
         orphans, first * VHDX_ALIGN);
}

static int
check_bat (struct checker *c, struct v2v_error **err)
{
  struct vhdx *h = &c->h;
  struct vhdx_scan scan;

  if (vhdx_scan_bat (h, on_problem, c, &scan, err) == -1)
    return -1;
  c->report->nr_blocks =
      scan.states[VHDX_FULLY_PRESENT] + scan.states[VHDX_PARTIALLY_PRESENT];
  c->report->nr_blocks_total = h->geometry.nr_blocks;
  check_orphans (c, &scan);
  vhdx_scan_free (&scan);
  return 0;
}

/* ---- the file itself, and its chain ---- */

static int
check_file (struct checker *c, struct v2v_error **err)
{
  struct vhdx *h = &c->h;
  const uint64_t size = v2v_io_size (h->file);
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  const char *item = vhdx_metadata_flag_note (h);

  if (item != NULL)
    ADD (c, V2V_CHECK_NOTE, "vhdx.metadata.flags",
         "metadata: item '%s' has other flags than Windows gives it", item);
  if (size % VHDX_ALIGN != 0 && !c->extend_last)
    ADD (c, V2V_CHECK_NOTE, "vhdx.file.length",
         "the file has %" PRIu64 " bytes, not a multiple of 1 MiB", size);
  if (v2v_io_extents (h->file, size, 0, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i)
    if (list.ptr[i].type == V2V_EXTENT_ZERO) {
      ADD (c, V2V_CHECK_NOTE, "vhdx.file.sparse",
           "the file has holes; Hyper-V refuses it where the copy to Windows "
           "keeps it marked as sparse");
      break;
    }
  return 0;
}

/* Open the whole chain: is the parent there, and the right one? */
static int
check_parent (struct checker *c, const struct v2v_open_opts *opts,
              struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct v2v_open_opts chain_opts = *opts;
  struct v2v_image *img;

  if (!c->h.geometry.has_parent || opts->no_parents)
    return 0;
  chain_opts.format = "vhdx";
  img = v2v_image_open_io (c->h.file, &chain_opts, &e);
  v2v_image_close (img);
  if (e == NULL)
    return 0;
  if (v2v_error_code (e) == V2V_ERR_NOMEM)
    return v2v_error_move (err, e);
  ADD (c, V2V_CHECK_DAMAGE,
       v2v_error_code (e) == V2V_ERR_MISMATCH ? "vhdx.parent.mismatch"
                                              : "vhdx.parent.unusable",
       "%s", v2v_error_message (e));
  v2v_error_free (e);
  return 0;
}

/* ---- repair through the BAT ---- */

static int
clear_zero_offsets (struct vhdx *h, struct v2v_error **err)
{
  const struct vhdx_geometry *g = &h->geometry;

  for (uint64_t b = 0; b < g->nr_blocks; ++b) {
    uint64_t entry = 0;
    bool full;

    {
      V2V_LOCK_SCOPE (&h->lock);

      if (vhdx_bat_get (h, vhdx_bat_index (g, b), &entry, err) == -1)
        return -1;
      if (VHDX_BAT_STATE (entry) == VHDX_ZERO && entry != VHDX_ZERO &&
          (vhdx_update_begin (h, err) == -1 ||
           vhdx_bat_set (h, vhdx_bat_index (g, b), VHDX_ZERO, err) == -1))
        return -1;
      full = vhdx_update_is_full (h);
    }
    if (full && vhdx_flush (h, err) == -1)
      return -1;
  }
  return 0;
}

static int
repair_bat (struct checker *c, const struct v2v_open_opts *opts,
            struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  struct vhdx h = { .keep_data_guid = true };
  int r = vhdx_open_rw (&h, c->h.file, opts, &e);

  /* Opening makes a cut-off last block whole. */
  if (r == 0 && c->clear_zero_offsets)
    r = clear_zero_offsets (&h, &e);
  if (r == 0)
    r = vhdx_finish (&h, &e);
  vhdx_close (&h);
  if (r == 0) {
    mark_repaired (c, "vhdx.bat.zero-offset");
    mark_repaired (c, "vhdx.file.short");
    return 0;
  }
  if (v2v_error_code (e) == V2V_ERR_FORMAT) {
    /* Other damage, reported already: it is not changed in place. */
    v2v_error_free (e);
    return 0;
  }
  return v2v_error_move (err, e);
}

static int
run_check (struct checker *c, struct v2v_io *file,
           const struct v2v_open_opts *opts, struct v2v_error **err)
{
  struct vhdx *h = &c->h;
  struct v2v_error *e = NULL;

  if (vhdx_init (h, file, VHDX_READ, err) == -1)
    return -1;
  if (vhdx_read_headers (h, &e) == -1)
    return stage_failed (c, "vhdx.header", e, err);
  if (vhdx_log_load (h, false, &e) == -1 ||
      vhdx_log_build_overlay (h, &e) == -1)
    return stage_failed (c, "vhdx.log", e, err);
  if (vhdx_read_regions (h, &e) == -1)
    return stage_failed (c, "vhdx.region", e, err);
  if (vhdx_load (h, &e) == -1)
    return stage_failed (c, "vhdx.metadata", e, err);
  /* Only now is it known that replaying gives something readable. */
  if (check_log (c, err) == -1 || check_header_copies (c, err) == -1 ||
      check_region_copies (c, err) == -1)
    return -1;
  if (check_bat (c, &e) == -1)
    return stage_failed (c, "vhdx.bat", e, err);
  if (check_file (c, err) == -1)
    return -1;
  if (c->repair && (c->clear_zero_offsets || c->extend_last) &&
      repair_bat (c, opts, err) == -1)
    return -1;
  return check_parent (c, opts, err);
}

int
vhdx_check (struct v2v_io *file, bool repair, const struct v2v_open_opts *opts,
            struct v2v_check_report *report, struct v2v_error **err)
{
  static const struct v2v_open_opts defaults;
  struct checker *c = calloc (1, sizeof *c);
  int r;

  if (c == NULL)
    return v2v_fail_nomem (err);
  c->report = report;
  c->repair = repair;
  r = run_check (c, file, opts != NULL ? opts : &defaults, err);
  if (r == 0 && c->nomem)
    r = v2v_fail_nomem (err);
  vhdx_close (&c->h);
  free (c);
  return r;
}
