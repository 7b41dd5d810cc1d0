/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inspection: partitions and states of file systems by our own readers, the
 * operating system through an appliance on overlays that are thrown away, and
 * a conversion in which nothing is kept: its journal is what would change.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/describe.h"
#include "inject/fs-probe.h"
#include "inject/gate.h"
#include "inject/guest-open.h"
#include "inject/partitions.h"
#include "inject/stage.h"
#include "convert/inspect.h"

struct inspection {
  struct v2v_source *src;
  struct v2v_machine *machine;
  const struct v2v_inspect_opts *opts;
  struct v2v_image **images; /* NULL: blank */
  bool has_contents;         /* something that an appliance can look into */
  struct v2v_findings findings;
  struct v2v_error *refusal; /* why it would not be converted, or NULL */
  struct v2v_json *out;
};

static const char *
disk_name (const struct v2v_disk *d)
{
  return d->id ? d->id : (d->file ? d->file : "disk");
}

/* ---- disks ---- */

static int
open_disk (struct inspection *c, size_t i, struct v2v_error **err)
{
  const struct v2v_open_opts opts = { .search = c->opts->search };
  const struct v2v_disk *d = &c->machine->disks[i];
  struct v2v_io *io;
  bool spooled;

  if (d->kind == V2V_DISK_BLANK)
    return 0;
  io = v2v_source_open_disk (c->src, d, &spooled, err);
  if (io != NULL)
    c->images[i] = v2v_image_open_io (io, &opts, err);
  v2v_io_unref (io);
  return c->images[i] == NULL ? v2v_prefix (err, "disk %s", disk_name (d)) : 0;
}

static int
add_partition (struct inspection *c, struct v2v_image *img,
               const struct v2v_partition *p, struct v2v_json *list,
               struct v2v_error **err)
{
  struct v2v_fs_state state;
  struct v2v_json *o;

  if (v2v_fs_probe (img, p->offset, p->length, &state, err) == -1)
    return -1;
  if (state.kind != V2V_FS_EMPTY && state.kind != V2V_FS_UNKNOWN)
    c->has_contents = true;
  o = v2v_fs_state_to_json (&state);
  v2v_json_set_u64 (o, "number", p->number);
  v2v_json_set_u64 (o, "offset_bytes", p->offset);
  v2v_json_set_u64 (o, "length_bytes", p->length);
  v2v_json_set_bool (o, "dynamic", v2v_partition_is_ldm (p));
  v2v_json_append (list, o);
  return 0;
}

static int
add_disk (struct inspection *c, size_t i, struct v2v_json *disks,
          struct v2v_error **err)
{
  const struct v2v_disk *d = &c->machine->disks[i];
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *list = v2v_json_new_array ();
  struct v2v_partitions parts = { .ptr = NULL };
  int r = 0;

  v2v_json_set_string (o, "name", disk_name (d));
  v2v_json_set_string (o, "file", d->file);
  v2v_json_append (disks, o);
  if (c->images[i] != NULL)
    r = v2v_partitions_read (c->images[i], &parts, err);
  if (r == 0 && c->images[i] != NULL) {
    v2v_json_set_u64 (o, "size_bytes", v2v_image_size (c->images[i]));
    v2v_json_set_string (o, "table", v2v_partition_table_name (parts.table));
  }
  for (size_t k = 0; r == 0 && k < parts.len; ++k)
    r = add_partition (c, c->images[i], &parts.ptr[k], list, err);
  v2v_json_set (o, "partitions", list);
  v2v_partitions_clear (&parts);
  return r == -1 ? v2v_prefix (err, "disk %s", disk_name (d)) : 0;
}

/* An error that says why the guest is not converted is an answer here. */
static int
take_refusal (struct inspection *c, struct v2v_error *why,
              struct v2v_error **err)
{
  if (v2v_error_code (why) != V2V_ERR_GUEST)
    return v2v_error_move (err, why);
  if (c->refusal == NULL)
    c->refusal = why;
  else
    v2v_error_free (why);
  return 0;
}

static int
look_at_disks (struct inspection *c, struct v2v_error **err)
{
  struct v2v_json *disks = v2v_json_new_array ();
  struct v2v_error *why = NULL;

  v2v_json_set (c->out, "disks", disks);
  for (size_t i = 0; i < c->machine->nr_disks; ++i)
    if (open_disk (c, i, err) == -1 || add_disk (c, i, disks, err) == -1)
      return -1;
  if (v2v_guest_gate_disks (c->images, c->machine->nr_disks, &c->opts->guest,
                            &c->findings, &why) == -1)
    return take_refusal (c, why, err);
  return 0;
}

/* ---- the guest ---- */

static int
take_findings (struct inspection *c, const struct v2v_findings *f,
               struct v2v_error **err)
{
  for (size_t i = 0; i < f->len; ++i)
    if (v2v_findings_add (&c->findings, f->ptr[i].severity, f->ptr[i].id,
                          f->ptr[i].subject, f->ptr[i].remedy, "%s",
                          f->ptr[i].message) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

/* Members of FROM into C's object. */
static void
take_members (struct inspection *c, const struct v2v_json *from)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  while (v2v_json_next (from, &iter, &key, &value))
    v2v_json_set (c->out, key,
                  v2v_json_ref ((struct v2v_json *) (uintptr_t) value));
}

static int
look_at_guest (struct inspection *c, struct v2v_guest *g,
               struct v2v_error **err)
{
  struct v2v_error *why = NULL;
  struct v2v_json *more;
  int r;

  v2v_guest_set_machine (g, c->machine);
  v2v_guest_tell_step (g, "trying what would be changed");
  v2v_json_set (c->out, "system", v2v_os_to_json (v2v_guest_os (g)));
  more = v2v_guest_describe (g, err);
  if (more == NULL)
    return -1;
  take_members (c, more);
  v2v_json_free (more);
  r = v2v_guest_gate (g, &why);
  if (r == 0)
    r = v2v_guest_convert_system (g, &why);
  if (r == -1 && take_refusal (c, why, err) == -1)
    return -1;
  v2v_json_set (c->out, "changes", v2v_journal_to_json (v2v_guest_journal (g)));
  return take_findings (c, v2v_guest_findings (g), err);
}

/* Volumes that only the appliance sees; mounted ones are looked at later, when
 * more can be told of the guest. */
static int
gate (struct v2v_guest *g, bool mounted, struct v2v_error **err)
{
  return mounted ? 0 : v2v_guest_gate_appliance (g, false, err);
}

static int
start_and_look (struct inspection *c, struct v2v_error **err)
{
  double started = -1;
  const struct v2v_guest_open_opts open = {
    .guest = c->opts->guest,
    .keys = &c->opts->keys,
    .search = c->opts->search,
    .cancel = c->opts->cancel,
    .look_only = true,
    .step = c->opts->step,
    .step_arg = c->opts->step_arg,
    .gate = gate,
    .ret_start_seconds = &started,
  };
  struct v2v_error *why = NULL;
  struct v2v_guest *g =
      v2v_guest_open_images (c->images, c->machine->nr_disks, &open, &why);
  int r;

  if (g == NULL)
    return started >= 0 ? take_refusal (c, why, err)
                        : v2v_error_move (err, why);
  r = look_at_guest (c, g, err);
  v2v_guest_close (g);
  return r;
}

/* ---- the whole ---- */

static void
conclude (struct inspection *c)
{
  const struct v2v_json *system = v2v_json_get (c->out, "system");
  const char *family = system ? v2v_json_get_string (system, "family") : NULL;
  const char *word = "possible";

  if (c->refusal != NULL)
    word = "refused";
  else if (!c->has_contents ||
           (family != NULL && strcmp (family, "unknown") == 0))
    word = "data";
  else if (system == NULL)
    word = "unknown";
  v2v_json_set_string (c->out, "conversion", word);
  if (c->refusal != NULL) {
    v2v_json_set_string (c->out, "reason", v2v_error_message (c->refusal));
    v2v_json_set_string (c->out, "remedy", v2v_error_hint (c->refusal));
  }
  v2v_json_set (c->out, "findings", v2v_findings_to_json (&c->findings));
}

static int
inspect (struct inspection *c, struct v2v_error **err)
{
  v2v_json_set_string (c->out, "name", c->machine->name);
  v2v_json_set (c->out, "machine", v2v_machine_to_json (c->machine));
  if (look_at_disks (c, err) == -1)
    return -1;
  /* What is refused before the appliance is not started for. */
  if (c->refusal == NULL && c->has_contents && !c->opts->no_start &&
      start_and_look (c, err) == -1)
    return -1;
  conclude (c);
  return v2v_json_ok (c->out) ? 0 : v2v_fail_nomem (err);
}

struct v2v_json *
v2v_inspect (struct v2v_source *src, size_t index,
             const struct v2v_inspect_opts *opts, struct v2v_error **err)
{
  struct inspection c = { .src = src,
                          .machine = v2v_source_machine (src, index),
                          .opts = opts,
                          .out = v2v_json_new_object () };
  int r;

  c.images = calloc (c.machine->nr_disks + 1, sizeof (struct v2v_image *));
  if (c.images == NULL)
    r = v2v_fail_nomem (err);
  else
    r = inspect (&c, err);
  for (size_t i = 0; c.images != NULL && i < c.machine->nr_disks; ++i)
    v2v_image_close (c.images[i]);
  free (c.images);
  v2v_findings_clear (&c.findings);
  v2v_error_free (c.refusal);
  if (r == -1) {
    v2v_json_free (c.out);
    return NULL;
  }
  return c.out;
}
