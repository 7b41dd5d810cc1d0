/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of a catalogue, and how older ones become newer ones.
 *
 *   share     folders with objects; seq is the order of preference
 *   object    one content; identity is what makes two contents the same one
 *   file      what an object consists of, with a digest each
 *   location  where a file lies: one row for each copy
 *   relation  object needs other, as its role
 *   pending   work that has begun; pending_file: names it will make or remove
 *   machine   what was deployed, with the objects it needs (machine_base) and
 *             the computer names that are taken
 *   service   machines of several tiers; service_step: work not yet finished
 *   host_base objects that lie on hosts too
 *   access    who may do what in a namespace
 *
 * Times are seconds since 1970, mtime nanoseconds; states are those of
 * v2v_location_state.  A step of the migration is never changed once it was
 * released: what comes later is a step of its own.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/catalogue.h"

static const char *const version_1[] = {
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
  "CREATE TABLE share (id TEXT PRIMARY KEY, seq BIGINT NOT NULL, "
  "name TEXT NOT NULL UNIQUE, path TEXT NOT NULL)",
  "CREATE TABLE object (id TEXT PRIMARY KEY, kind TEXT NOT NULL, "
  "name TEXT NOT NULL, version TEXT NOT NULL, namespace TEXT NOT NULL, "
  "family TEXT NOT NULL, release TEXT NOT NULL, os TEXT NOT NULL, "
  "owner TEXT NOT NULL, description TEXT NOT NULL, enabled BIGINT NOT NULL, "
  "digest TEXT NOT NULL, content TEXT NOT NULL, "
  "identity TEXT NOT NULL UNIQUE, size BIGINT NOT NULL, "
  "created BIGINT NOT NULL, format TEXT NOT NULL, variant TEXT NOT NULL, "
  "virtual_size BIGINT NOT NULL, disk_id TEXT NOT NULL, "
  "state BIGINT NOT NULL)",
  "CREATE INDEX object_name ON object (name)",
  "CREATE INDEX object_content ON object (content)",
  "CREATE INDEX object_disk_id ON object (disk_id)",
  "CREATE TABLE tag (object TEXT NOT NULL REFERENCES object (id) "
  "ON DELETE CASCADE, name TEXT NOT NULL, PRIMARY KEY (object, name))",
  "CREATE INDEX tag_name ON tag (name)",
  "CREATE TABLE file (object TEXT NOT NULL REFERENCES object (id) "
  "ON DELETE CASCADE, seq BIGINT NOT NULL, name TEXT NOT NULL, "
  "digest TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (object, seq))",
  "CREATE INDEX file_digest ON file (digest)",
  "CREATE TABLE location (share TEXT NOT NULL REFERENCES share (id), "
  "path TEXT NOT NULL, object TEXT NOT NULL, seq BIGINT NOT NULL, "
  "size BIGINT NOT NULL, mtime BIGINT NOT NULL, state BIGINT NOT NULL, "
  "PRIMARY KEY (share, path), FOREIGN KEY (object, seq) "
  "REFERENCES file (object, seq) ON DELETE CASCADE)",
  "CREATE INDEX location_object ON location (object, seq)",
  "CREATE TABLE relation (object TEXT NOT NULL REFERENCES object (id) "
  "ON DELETE CASCADE, role TEXT NOT NULL, label TEXT NOT NULL, "
  "other TEXT NOT NULL REFERENCES object (id), "
  "PRIMARY KEY (object, role, label, other))",
  "CREATE INDEX relation_other ON relation (other)",
  "CREATE TABLE pending (id TEXT PRIMARY KEY, kind TEXT NOT NULL, "
  "host TEXT NOT NULL, pid BIGINT NOT NULL, started BIGINT NOT NULL, "
  "created BIGINT NOT NULL, share TEXT NOT NULL)",
  "CREATE TABLE pending_file (pending TEXT NOT NULL REFERENCES pending (id) "
  "ON DELETE CASCADE, seq BIGINT NOT NULL, share TEXT NOT NULL, "
  "path TEXT NOT NULL, PRIMARY KEY (pending, seq))",
  NULL
};

static const char *const version_2[] = {
  "ALTER TABLE location ADD COLUMN verified BIGINT NOT NULL DEFAULT 0",
  "CREATE INDEX object_equivalent ON object (kind, family, release)", NULL
};

/* What was deployed.  Empty text: none; a machine's owner_* say who works on
 * it while its state is "planned" or "removing". */
static const char *const version_3[] = {
  "CREATE TABLE service (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
  "template TEXT NOT NULL, template_digest TEXT NOT NULL, "
  "settings TEXT NOT NULL, state TEXT NOT NULL, owner TEXT NOT NULL, "
  "created BIGINT NOT NULL)",
  "CREATE TABLE service_step (service TEXT NOT NULL REFERENCES service (id) "
  "ON DELETE CASCADE, seq BIGINT NOT NULL, kind TEXT NOT NULL, "
  "subject TEXT NOT NULL, detail TEXT NOT NULL, state TEXT NOT NULL, "
  "PRIMARY KEY (service, seq))",
  "CREATE TABLE machine (id TEXT PRIMARY KEY, name TEXT NOT NULL, "
  "computer_name TEXT NOT NULL, host TEXT NOT NULL, folder TEXT NOT NULL, "
  "template TEXT NOT NULL, template_digest TEXT NOT NULL, "
  "service TEXT NOT NULL, tier TEXT NOT NULL, ordinal BIGINT NOT NULL, "
  "state TEXT NOT NULL, owner TEXT NOT NULL, provenance TEXT NOT NULL, "
  "created BIGINT NOT NULL, owner_host TEXT NOT NULL, "
  "owner_pid BIGINT NOT NULL, owner_started BIGINT NOT NULL)",
  "CREATE INDEX machine_name ON machine (name)",
  "CREATE INDEX machine_service ON machine (service, tier)",
  "CREATE INDEX machine_host ON machine (host)",
  /* The objects that a machine cannot be without: they are counted here. */
  "CREATE TABLE machine_base (machine TEXT NOT NULL REFERENCES machine (id) "
  "ON DELETE CASCADE, object TEXT NOT NULL REFERENCES object (id), "
  "PRIMARY KEY (machine, object))",
  "CREATE INDEX machine_base_object ON machine_base (object)",
  /* Names in lower case, so that two deployments never get the same. */
  "CREATE TABLE computer_name (name TEXT PRIMARY KEY, "
  "machine TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE)",
  "CREATE INDEX computer_name_machine ON computer_name (machine)",
  /* Copies of objects on hosts. */
  "CREATE TABLE host_base (host TEXT NOT NULL, object TEXT NOT NULL "
  "REFERENCES object (id) ON DELETE CASCADE, path TEXT NOT NULL, "
  "size BIGINT NOT NULL, mtime BIGINT NOT NULL, seen BIGINT NOT NULL, "
  "PRIMARY KEY (host, object))",
  "CREATE INDEX host_base_object ON host_base (object)",
  /* subject: "user:NAME", "group:NAME" or "*"; role: "read", "deploy",
     "author". */
  "CREATE TABLE access (namespace TEXT NOT NULL, subject TEXT NOT NULL, "
  "role TEXT NOT NULL, PRIMARY KEY (namespace, subject))",
  NULL
};

/* Begins a statement that SQLite has no need of. */
#define POSTGRES_ONLY "/* PostgreSQL */ "

/* For a million objects.  Names and paths are compared byte by byte, as SQLite
 * does: then all names that begin alike are one range of an index, whatever
 * language the server speaks, and lower () is that of ASCII in both.  Lists are
 * in the order of object_sorted, which finds names by their beginning, and one
 * name, as well. */
static const char *const version_4[] = {
  POSTGRES_ONLY "ALTER TABLE object ALTER COLUMN name TYPE TEXT COLLATE \"C\"",
  POSTGRES_ONLY "ALTER TABLE location ALTER COLUMN path TYPE TEXT "
                "COLLATE \"C\"",
  POSTGRES_ONLY "ALTER TABLE pending_file ALTER COLUMN path TYPE TEXT "
                "COLLATE \"C\"",
  "DROP INDEX object_name",
  "CREATE INDEX object_sorted ON object "
  "(lower (name), name, kind, created, id)",
  /* What is looked through page by page, an object's files together. */
  "DROP INDEX location_object",
  "CREATE INDEX location_object ON location (object, seq, share, path)",
  "CREATE INDEX pending_file_path ON pending_file (share, path)", NULL
};

static const char *const *const steps[] = { version_1, version_2, version_3,
                                            version_4 };

_Static_assert(V2V_ARRAY_SIZE (steps) == V2V_SCHEMA_VERSION,
               "a step for each version");

/* Does the table META exist?  Both data bases can tell without an error, each
 * in its own way. */
static int
has_tables (struct v2v_catalogue *c, bool *ret, struct v2v_error **err)
{
  const bool sqlite = v2v_catalogue_kind (c)[0] == 's';
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      c,
      sqlite ? "SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
               "name = 'meta'"
             : "SELECT 1 WHERE to_regclass ('meta') IS NOT NULL",
      err);
  const int r = q ? v2v_query_step (q, err) : -1;

  *ret = r == 1;
  return r == -1 ? -1 : 0;
}

int
v2v_schema_version (struct v2v_catalogue *c, unsigned *ret_version,
                    struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = NULL;
  bool there;
  int r;

  *ret_version = 0;
  if (has_tables (c, &there, err) == -1)
    return -1;
  if (!there)
    return 0;
  q = v2v_query_new (c, "SELECT value FROM meta WHERE name = 'version'", err);
  r = q ? v2v_query_step (q, err) : -1;
  if (r == -1)
    return -1;
  if (r == 1)
    *ret_version = (unsigned) strtoul (v2v_query_get_text (q, 0), NULL, 10);
  if (r == 0 || *ret_version == 0)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the data base has tables that are no catalogue's");
  return 0;
}

static int
migrate_step (struct v2v_catalogue *c, unsigned version, struct v2v_error **err)
{
  const bool sqlite = v2v_catalogue_kind (c)[0] == 's';
  char text[16];

  for (size_t i = 0; steps[version - 1][i] != NULL; ++i) {
    const char *sql = steps[version - 1][i];

    if (!(sqlite &&
          strncmp (sql, POSTGRES_ONLY, strlen (POSTGRES_ONLY)) == 0) &&
        v2v_catalogue_exec (c, sql, err) == -1)
      return -1;
  }
  snprintf (text, sizeof text, "%u", version);
  if (version == 1)
    return v2v_catalogue_run (
        c, NULL, err, "INSERT INTO meta (name, value) VALUES ('version', ?)",
        text, V2V_QUERY_END);
  return v2v_catalogue_run (c, NULL, err,
                            "UPDATE meta SET value = ? WHERE name = 'version'",
                            text, V2V_QUERY_END);
}

int
v2v_schema_migrate (struct v2v_catalogue *c, unsigned version,
                    struct v2v_error **err)
{
  unsigned have;

  if (v2v_schema_version (c, &have, err) == -1)
    return -1;
  if (have > V2V_SCHEMA_VERSION) {
    v2v_fail (err, V2V_ERR_UNSUPPORTED,
              "the catalogue has version %u, this program knows up to %d", have,
              V2V_SCHEMA_VERSION);
    return v2v_hint (err, "a newer v2v has written it");
  }
  while (have < version) {
    /* Another process may migrate too: who comes second looks again. */
    if (v2v_catalogue_begin (c, err) == -1)
      return -1;
    if (v2v_schema_version (c, &have, err) == -1 ||
        (have < version && migrate_step (c, ++have, err) == -1) ||
        v2v_catalogue_commit (c, err) == -1) {
      v2v_catalogue_rollback (c);
      return v2v_prefix (err, "migrating to version %u", have);
    }
  }
  return 0;
}
