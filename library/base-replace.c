/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One object in place of another: what needs the old one needs the new one.
 *
 * Documents (templates) do not move: their text names what they need.  Nor do
 * machines: their disks have the path of the old file.  As long as one of them
 * needs the old object, it stays.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/base.h"
#include "library/library-internal.h"

#define DOCUMENTS                                                              \
  "('hardware-profile', 'guest-os-profile', 'capability-profile', "            \
  "'vm-template', 'service-template')"

static int
name_first (struct v2v_library *lib, const char *sql, const char *id,
            const char *what, char **ret, struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;

  if (*ret != NULL)
    return 0;
  if (lib_lookup (lib, &name, err, sql, id, V2V_QUERY_END) == -1)
    return -1;
  if (name != NULL &&
      asprintf (ret, "%s '%s' needs it as it is", what, name) == -1) {
    *ret = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

int
lib_kept_by (struct v2v_library *lib, const char *id, char **ret,
             struct v2v_error **err)
{
  CLEANUP_FREE char *found = NULL;

  *ret = NULL;
  if (name_first (lib,
                  "SELECT machine.name FROM machine JOIN machine_base ON "
                  "machine_base.machine = machine.id WHERE "
                  "machine_base.object = ? ORDER BY machine.name LIMIT 1",
                  id, "machine", ret, err) == -1 ||
      name_first (lib,
                  "SELECT object.name FROM object JOIN relation ON "
                  "relation.object = object.id WHERE relation.other = ? AND "
                  "object.kind IN " DOCUMENTS " ORDER BY object.name LIMIT 1",
                  id, "template", ret, err) == -1 ||
      name_first (lib,
                  "SELECT host FROM host_base WHERE object = ? ORDER BY host "
                  "LIMIT 1",
                  id, "a copy on host", ret, err) == -1)
    goto error;
  if (*ret != NULL)
    return 0;
  if (lib_lookup (lib, &found, err,
                  "SELECT name FROM tag WHERE object = ? AND "
                  "name = '" V2V_TAG_PINNED "'",
                  id, V2V_QUERY_END) == -1)
    return -1;
  if (found == NULL)
    return 0;
  *ret = strdup ("it is pinned");
  return *ret ? 0 : v2v_fail_nomem (err);

error:
  free (STEAL (*ret));
  return -1;
}

/* What would move must not be what the new one is made on. */
static int
check_loop (struct v2v_library *lib, const char *old_id, const char *new_id,
            struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;

  if (lib_lookup (lib, &name, err,
                  "WITH RECURSIVE needs (id) AS (SELECT CAST (? AS TEXT) UNION "
                  "SELECT relation.other FROM relation JOIN needs ON "
                  "relation.object = needs.id) SELECT object.name FROM object "
                  "JOIN needs ON needs.id = object.id WHERE object.id IN "
                  "(SELECT object FROM relation WHERE other = ?) LIMIT 1",
                  new_id, old_id, V2V_QUERY_END) == -1)
    return -1;
  return name == NULL
             ? 0
             : v2v_fail (err, V2V_ERR_USAGE,
                         "'%s' is made on %.8s itself: it cannot be under it, "
                         "too",
                         name, old_id);
}

/* Children find a parent by its identifier. */
static int
check_children (struct v2v_library *lib, const char *old_id, const char *new_id,
                struct v2v_error **err)
{
  CLEANUP_FREE char *name = NULL;

  if (lib_lookup (lib, &name, err,
                  "SELECT object.name FROM object JOIN relation ON "
                  "relation.object = object.id WHERE relation.other = ? AND "
                  "relation.role = 'parent' AND (SELECT disk_id FROM object "
                  "WHERE id = ?) <> (SELECT disk_id FROM object WHERE id = ?) "
                  "LIMIT 1",
                  old_id, old_id, new_id, V2V_QUERY_END) == -1)
    return -1;
  if (name == NULL)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE,
            "what is to be made is in the library already, as %.8s with an "
            "identifier of its own, which '%s' does not fit",
            new_id, name);
  return v2v_hint (err, "'v2v base rebase --parent %.8s' puts it there",
                   new_id);
}

int
lib_replace_in_transaction (struct v2v_library *lib, const char *old_id,
                            const char *new_id, struct lib_replaced *ret,
                            struct v2v_error **err)
{
  CLEANUP_FREE char *from = NULL;
  CLEANUP_FREE char *to = NULL;

  if (strcmp (old_id, new_id) == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "%.8s is that disk already", old_id);
  if (check_loop (lib, old_id, new_id, err) == -1 ||
      check_children (lib, old_id, new_id, err) == -1)
    return -1;
  if (asprintf (&from, ":of:%s", old_id) == -1) {
    from = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&to, ":of:%s", new_id) == -1) {
    to = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_catalogue_run (
          lib->cat, NULL, err,
          "UPDATE object SET identity = replace (identity, ?, ?) WHERE id IN "
          "(SELECT object FROM relation WHERE other = ? AND role = 'parent')",
          from, to, old_id, V2V_QUERY_END) == -1 ||
      v2v_catalogue_run (
          lib->cat, &ret->moved, err,
          "INSERT INTO relation (object, role, label, other) SELECT "
          "relation.object, relation.role, relation.label, "
          "CAST (? AS TEXT) FROM relation JOIN object ON object.id = "
          "relation.object WHERE relation.other = ? AND "
          "object.kind NOT IN " DOCUMENTS " ON CONFLICT DO NOTHING",
          new_id, old_id, V2V_QUERY_END) == -1 ||
      v2v_catalogue_run (lib->cat, NULL, err,
                         "DELETE FROM relation WHERE other = ? AND object IN "
                         "(SELECT id FROM object WHERE kind NOT IN " DOCUMENTS
                         ")",
                         old_id, V2V_QUERY_END) == -1 ||
      lib_kept_by (lib, old_id, &ret->kept_by, err) == -1)
    return -1;
  if (lib_meta_note_users (lib, new_id, err) == -1)
    return -1;
  if (ret->kept_by != NULL)
    return 0;
  ret->removed = true;
  return lib_remove_in_transaction (lib, old_id, err);
}
