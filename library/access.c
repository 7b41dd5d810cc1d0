/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may do what in a namespace.
 *
 * A namespace without any grant is open to all who can open the library.  As
 * soon as there is one, only those who are named have a role: the highest that
 * the user, one of his groups or "*" was given.  Root and the owner of the
 * library's folder are authors everywhere.
 *
 * This keeps people of one library apart who mean well.  Who can write to the
 * catalogue's file, or has its password, can do without us: that is what the
 * permissions of the file and of the data base are for.
 */

#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library/library-internal.h"

/* Linux gives a user up to 65536 groups. */
#define MAX_GROUPS 65536

struct grant {
  char *name_space, *subject;
  enum v2v_role role;
};
V2V_VECTOR (grants, struct grant);

struct lib_access {
  grants list;
  char *user;
  char **groups; /* names, NULL-terminated */
  bool privileged;
};

static const char *const roles[] = { "none", "read", "deploy", "author" };

const char *
v2v_role_name (enum v2v_role role)
{
  return roles[role];
}

bool
v2v_role_parse (const char *s, enum v2v_role *ret)
{
  for (unsigned i = V2V_ROLE_READ; i <= V2V_ROLE_AUTHOR; ++i)
    if (strcmp (s, roles[i]) == 0) {
      *ret = (enum v2v_role) i;
      return true;
    }
  return false;
}

/* ---- who we are ---- */

static void
free_groups (char **groups)
{
  for (size_t i = 0; groups != NULL && groups[i] != NULL; ++i)
    free (groups[i]);
  free (groups);
}

/* Groups without a name cannot be granted anything. */
static int
read_groups (const struct passwd *pw, struct lib_access *a,
             struct v2v_error **err)
{
  int n = 64;
  CLEANUP_FREE gid_t *ids = NULL;
  size_t nr = 0;

  for (;;) {
    const int room = n;

    free (ids);
    ids = calloc ((size_t) room, sizeof *ids);
    if (ids == NULL)
      return v2v_fail_nomem (err);
    if (getgrouplist (pw->pw_name, pw->pw_gid, ids, &n) != -1)
      break;
    if (n <= room || n > MAX_GROUPS)
      return v2v_fail (err, V2V_ERR_IO, "the groups of '%s' cannot be read",
                       pw->pw_name);
  }
  a->groups = calloc ((size_t) n + 1, sizeof *a->groups);
  if (a->groups == NULL)
    return v2v_fail_nomem (err);
  for (int i = 0; i < n; ++i) {
    const struct group *g = getgrgid (ids[i]);

    if (g != NULL && (a->groups[nr++] = strdup (g->gr_name)) == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
read_user (const struct v2v_library *lib, struct lib_access *a,
           struct v2v_error **err)
{
  const uid_t uid = geteuid ();
  const struct passwd *pw = getpwuid (uid);
  struct stat st;

  a->privileged = uid == 0 || (stat (lib->dir, &st) == 0 && st.st_uid == uid);
  a->user = strdup (pw != NULL ? pw->pw_name : "");
  if (a->user == NULL)
    return v2v_fail_nomem (err);
  if (pw != NULL)
    return read_groups (pw, a, err);
  a->groups = calloc (1, sizeof *a->groups);
  return a->groups == NULL ? v2v_fail_nomem (err) : 0;
}

void
lib_access_free (struct lib_access *a)
{
  if (a == NULL)
    return;
  for (size_t i = 0; i < a->list.len; ++i) {
    free (a->list.ptr[i].name_space);
    free (a->list.ptr[i].subject);
  }
  free (a->list.ptr);
  free (a->user);
  free_groups (a->groups);
  free (a);
}

/* ---- what was granted ---- */

static int
read_grants (struct v2v_library *lib, grants *list, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      lib->cat,
      "SELECT namespace, subject, role FROM access ORDER BY namespace, subject",
      err);
  int r = -1;

  while (q != NULL && (r = v2v_query_step (q, err)) == 1) {
    struct grant g = { strdup (v2v_query_get_text (q, 0)),
                       strdup (v2v_query_get_text (q, 1)), V2V_ROLE_NONE };

    /* A role that we do not know is of a newer program: none. */
    (void) v2v_role_parse (v2v_query_get_text (q, 2), &g.role);
    if (g.name_space == NULL || g.subject == NULL ||
        grants_append (list, g) == -1) {
      free (g.name_space);
      free (g.subject);
      return v2v_fail_nomem (err);
    }
  }
  return r;
}

/* Once for each time the library is opened. */
int
lib_access_load (struct v2v_library *lib, struct v2v_error **err)
{
  struct lib_access *a;

  if (lib->access != NULL)
    return 0;
  a = calloc (1, sizeof *a);
  if (a == NULL)
    return v2v_fail_nomem (err);
  if (read_user (lib, a, err) == -1 || read_grants (lib, &a->list, err) == -1) {
    lib_access_free (a);
    return -1;
  }
  lib->access = a;
  return 0;
}

int
lib_access_as (struct v2v_library *lib, const char *user,
               const char *const *names, struct v2v_error **err)
{
  struct lib_access *a = calloc (1, sizeof *a);
  size_t n = 0;

  while (names[n] != NULL)
    ++n;
  if (a == NULL)
    return v2v_fail_nomem (err);
  a->user = strdup (user);
  a->groups = calloc (n + 1, sizeof *a->groups);
  for (size_t i = 0; a->groups != NULL && i < n; ++i)
    if ((a->groups[i] = strdup (names[i])) == NULL)
      n = i;
  if (a->user == NULL || a->groups == NULL || names[n] != NULL) {
    lib_access_free (a);
    return v2v_fail_nomem (err);
  }
  if (read_grants (lib, &a->list, err) == -1) {
    lib_access_free (a);
    return -1;
  }
  lib_access_free (lib->access);
  lib->access = a;
  return 0;
}

static bool
is_meant (const struct lib_access *a, const char *subject)
{
  if (strcmp (subject, "*") == 0)
    return true;
  if (strncmp (subject, "user:", 5) == 0)
    return strcmp (subject + 5, a->user) == 0;
  for (size_t i = 0;
       strncmp (subject, "group:", 6) == 0 && a->groups[i] != NULL; ++i)
    if (strcmp (subject + 6, a->groups[i]) == 0)
      return true;
  return false;
}

int
v2v_library_role (struct v2v_library *lib, const char *name_space,
                  enum v2v_role *ret, struct v2v_error **err)
{
  const struct lib_access *a;
  enum v2v_role role = V2V_ROLE_NONE;
  bool open = true;

  if (lib_access_load (lib, err) == -1)
    return -1;
  a = lib->access;
  for (size_t i = 0; !a->privileged && i < a->list.len; ++i) {
    const struct grant *g = &a->list.ptr[i];

    if (strcmp (g->name_space, name_space) != 0)
      continue;
    open = false;
    if (g->role > role && is_meant (a, g->subject))
      role = g->role;
  }
  *ret = open ? V2V_ROLE_AUTHOR : role;
  return 0;
}

int
lib_need (struct v2v_library *lib, const char *name_space, enum v2v_role role,
          const char *what, struct v2v_error **err)
{
  enum v2v_role have;

  if (v2v_library_role (lib, name_space, &have, err) == -1)
    return -1;
  if (have >= role)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE, "%s: it is in the namespace '%s'", what,
            name_space);
  return v2v_hint (err, "that needs the role %s there; '%s' has %s",
                   v2v_role_name (role), lib->access->user,
                   have == V2V_ROLE_NONE ? "none" : v2v_role_name (have));
}

int
lib_need_object (struct v2v_library *lib, const char *id, enum v2v_role role,
                 const char *what, struct v2v_error **err)
{
  CLEANUP_FREE char *name_space = NULL;

  if (lib_lookup (lib, &name_space, err,
                  "SELECT namespace FROM object WHERE id = ?", id,
                  V2V_QUERY_END) == -1)
    return -1;
  return name_space == NULL ? 0 : lib_need (lib, name_space, role, what, err);
}

int
lib_need_owner (struct v2v_library *lib, const char *owner,
                const char *name_space, const char *what,
                struct v2v_error **err)
{
  if (lib_access_load (lib, err) == -1)
    return -1;
  return strcmp (owner, lib->access->user) == 0 && owner[0] != '\0'
             ? 0
             : lib_need (lib, name_space, V2V_ROLE_AUTHOR, what, err);
}

/* ---- granting ---- */

static int
check_subject (const char *subject, struct v2v_error **err)
{
  if (strcmp (subject, "*") == 0)
    return 0;
  if ((strncmp (subject, "user:", 5) == 0 && subject[5] != '\0') ||
      (strncmp (subject, "group:", 6) == 0 && subject[6] != '\0'))
    return lib_check_text ("the name of a user or group", subject, true, err);
  return v2v_fail (err, V2V_ERR_USAGE,
                   "'%.100s': expected user:NAME, group:NAME or *", subject);
}

static int
change (struct v2v_library *lib, const char *name_space, const char *subject,
        const char *role, struct v2v_error **err)
{
  uint64_t changes = 0;
  int r;

  if (check_subject (subject, err) == -1 ||
      lib_check_text ("the namespace", name_space, false, err) == -1 ||
      lib_need (lib, name_space, V2V_ROLE_AUTHOR, "who may do what", err) ==
          -1 ||
      v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  r = v2v_catalogue_run (
      lib->cat, &changes, err,
      "DELETE FROM access WHERE namespace = ? AND subject = ?", name_space,
      subject, V2V_QUERY_END);
  if (r == 0 && role == NULL && changes == 0)
    r = v2v_fail (err, V2V_ERR_USAGE,
                  "'%s' was not granted anything in the namespace '%s'",
                  subject, name_space);
  if (r == 0 && role != NULL)
    r = v2v_catalogue_run (
        lib->cat, NULL, err,
        "INSERT INTO access (namespace, subject, role) VALUES (?, ?, ?)",
        name_space, subject, role, V2V_QUERY_END);
  if (r == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  if (v2v_catalogue_commit (lib->cat, err) == -1)
    return -1;
  lib_access_free (STEAL (lib->access)); /* read again when it is needed */
  return 0;
}

int
v2v_library_grant (struct v2v_library *lib, const char *name_space,
                   const char *subject, enum v2v_role role,
                   struct v2v_error **err)
{
  return change (lib, name_space, subject, v2v_role_name (role), err);
}

int
v2v_library_revoke (struct v2v_library *lib, const char *name_space,
                    const char *subject, struct v2v_error **err)
{
  return change (lib, name_space, subject, NULL, err);
}

int
v2v_library_grants (struct v2v_library *lib, v2v_grant_fn *fn, void *arg,
                    struct v2v_error **err)
{
  int r = lib_access_load (lib, err);

  for (size_t i = 0; r == 0 && i < lib->access->list.len; ++i) {
    const struct grant *g = &lib->access->list.ptr[i];

    r = fn (arg, g->name_space, g->subject, g->role, err);
  }
  return r;
}
