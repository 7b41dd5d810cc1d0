/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine of the library (what a conversion made, kind vm) in place of a
 * template: its hardware, as its description says, and its disks, which are
 * objects of the library.  Addresses stay with the machine that is cloned.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "library/deploy-internal.h"

/* As in vm-clone.c. */
#define MAX_DESCRIPTION ((size_t) 4 * 1024 * 1024)

/* The description among the files of O; NULL with ERR set if there is none. */
static struct v2v_json *
find_description (struct v2v_library *lib, const struct v2v_object *o,
                  struct v2v_error **err)
{
  for (size_t i = 0; i < o->nr_locations; ++i) {
    const char *file = o->locations[i].file;
    const size_t n = strlen (file);
    CLEANUP_FREE char *path = NULL, *text = NULL;
    CLEANUP_IO struct v2v_io *io = NULL;
    struct v2v_json *j = NULL;
    const char *schema;
    size_t len;

    if (n < 6 || strcmp (file + n - 5, ".json") != 0)
      continue;
    path = v2v_library_path (lib, o->id, file, NULL);
    io = path != NULL ? v2v_io_open (path, 0, NULL) : NULL;
    if (io == NULL || v2v_io_size (io) == 0 ||
        v2v_io_size (io) > MAX_DESCRIPTION)
      continue;
    len = (size_t) v2v_io_size (io);
    text = malloc (len);
    if (text == NULL) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (v2v_io_pread (io, text, len, 0, NULL) == 0)
      j = v2v_json_parse (text, len, file, NULL);
    schema = j != NULL ? v2v_json_get_string (j, "schema") : NULL;
    if (schema != NULL && strcmp (schema, V2V_MACHINE_SCHEMA) == 0)
      return j;
    v2v_json_free (j);
  }
  v2v_fail (err, V2V_ERR_USAGE, "'%s': no share has its description", o->name);
  return NULL;
}

static int
add_disk (struct v2v_library *lib, struct deploy_cache *cache,
          struct deploy_plan *p, const struct v2v_object *o,
          const struct v2v_json *disk, struct v2v_error **err)
{
  const char *file = v2v_json_get_string (disk, "file");
  const char *bus = v2v_json_get_string (disk, "bus");
  struct deploy_disk d = { .storage = p->opts->clone_differencing
                                          ? V2V_STORAGE_DIFFERENCING
                                          : V2V_STORAGE_COPY };
  const char *id = NULL;
  uint64_t controller, location;

  for (size_t i = 0; file != NULL && i < o->nr_uses; ++i)
    if (strcmp (o->uses[i].role, "disk") == 0 &&
        strcmp (o->uses[i].label, file) == 0)
      id = o->uses[i].id;
  if (id == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "'%s': its disk '%.100s' is no object of the library",
                     o->name, file != NULL ? file : "");
  if (bus != NULL && v2v_json_get_u64 (disk, "controller", &controller) &&
      v2v_json_get_u64 (disk, "location", &location) &&
      controller < HYPERV_SCSI_CONTROLLERS &&
      location < HYPERV_SCSI_LOCATIONS) {
    d.placed = true;
    d.place = (struct v2v_hyperv_place){
      .bus = strcmp (bus, "ide") == 0 ? V2V_HYPERV_IDE : V2V_HYPERV_SCSI,
      .controller = (unsigned) controller,
      .location = (unsigned) location,
    };
  }
  v2v_json_get_bool (disk, "boot", &d.boot);
  if (deploy_load_base (lib, cache, id, &d.base, err) == -1 ||
      deploy_reason (p, err, "disk '%s' of '%s': %.8s", file, o->name, id) ==
          -1)
    return -1;
  return deploy_disks_append (&p->disks, d) == -1 ? v2v_fail_nomem (err) : 0;
}

int
deploy_clone (struct v2v_library *lib, struct deploy_cache *cache,
              struct deploy_plan *p, const char *id, struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_JSON struct v2v_json *j = NULL;
  const struct v2v_json *disks;

  if (v2v_library_object (lib, id, &o, err) == -1)
    return -1;
  j = find_description (lib, &o, err);
  if (j == NULL)
    return -1;
  if (p->hardware_from == NULL) {
    struct v2v_document *d = v2v_hardware_from_json (j, o.name, false, err);

    if (d == NULL)
      return -1;
    v2v_document_free (p->hardware);
    p->hardware = d;
  }
  disks = v2v_json_get (v2v_json_get (j, "target"), "disks");
  for (size_t i = 0; i < v2v_json_length (disks); ++i)
    if (add_disk (lib, cache, p, &o, v2v_json_at (disks, i), err) == -1)
      return -1;
  return 0;
}
