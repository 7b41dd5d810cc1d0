/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roles in namespaces: what each may, what it may not, and who has it.  Users
 * are constructed (lib_access_as), but for the last test, which becomes the
 * system's own "nobody".
 */

#include <config.h>

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library-util.h"
#include "library/deploy.h"
#include "library/library-internal.h"
#include "library/service.h"

#define NS " xmlns=\"" V2V_DOCUMENT_NS "\""

struct world {
  char *dir;
  struct v2v_library *lib;
  char *ours, *common; /* a template in the namespace "ops", a file in "" */
};

static int
put (struct v2v_library *lib, const char *kind, const char *name,
     const char *name_space, const char *text, char **ret,
     struct v2v_error **err)
{
  const struct v2v_import_opts opts = {
    .kind = kind, .set = { .name = name, .name_space = name_space }
  };
  struct v2v_import_result r = { 0 };

  if (v2v_library_import_text (lib, name, text, strlen (text), &opts, &r,
                               err) == -1)
    return -1;
  if (ret != NULL)
    *ret = STEAL (r.id);
  v2v_import_result_clear (&r);
  return 0;
}

static struct world
begin (void)
{
  struct world w = { .dir = test_tmpdir () };
  struct v2v_error *err = NULL;

  w.lib = library_test_new (w.dir);
  assert_ok (put (w.lib, "vm-template", "ours", "ops",
                  "<vm-template" NS " name=\"ours\" computer-name=\"c-#\">"
                  "<disks><disk name=\"d\" storage=\"blank\" size-gib=\"1\" "
                  "boot=\"true\"/></disks></vm-template>",
                  &w.ours, &err),
             err);
  assert_ok (put (w.lib, "file", "common", "", "x", &w.common, &err), err);
  return w;
}

static void
end (struct world *w)
{
  free (w->ours);
  free (w->common);
  v2v_library_close (w->lib);
  test_tmpdir_remove (w->dir);
}

static void
become (struct world *w, const char *user, const char *group)
{
  struct v2v_error *err = NULL;

  assert_ok (
      lib_access_as (w->lib, user, (const char *const[]){ group, NULL }, &err),
      err);
}

static void
grant (struct world *w, const char *name_space, const char *subject,
       enum v2v_role role)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_grant (w->lib, name_space, subject, role, &err), err);
}

static enum v2v_role
role (struct world *w, const char *name_space)
{
  struct v2v_error *err = NULL;
  enum v2v_role r;

  assert_ok (v2v_library_role (w->lib, name_space, &r, &err), err);
  return r;
}

#define assert_denied(call, part)                                              \
  do {                                                                         \
    struct v2v_error *err = NULL;                                              \
    assert_int_equal (call, -1);                                               \
    assert_error (&err, V2V_ERR_USAGE, part);                                  \
  } while (0)

static void
test_a_namespace_without_grants_is_open_and_closes_with_the_first (void **state)
{
  struct world w = begin ();

  (void) state;
  become (&w, "ann", "staff");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_AUTHOR);
  grant (&w, "ops", "user:bob", V2V_ROLE_READ);
  become (&w, "ann", "staff");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_NONE);
  assert_int_equal (role (&w, ""), V2V_ROLE_AUTHOR);
  assert_int_equal (role (&w, "op"), V2V_ROLE_AUTHOR);
  become (&w, "bob", "staff");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_READ);
  end (&w);
}

static void
test_the_highest_of_user_groups_and_all_counts (void **state)
{
  struct world w = begin ();

  (void) state;
  grant (&w, "ops", "*", V2V_ROLE_READ);
  grant (&w, "ops", "group:staff", V2V_ROLE_DEPLOY);
  grant (&w, "ops", "user:ann", V2V_ROLE_AUTHOR);
  become (&w, "ann", "staff");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_AUTHOR);
  become (&w, "bob", "staff");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_DEPLOY);
  become (&w, "bob", "guests");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_READ);
  /* A group is no user of that name, nor the reverse. */
  become (&w, "staff", "ann");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_READ);
  end (&w);
}

static int
count_objects (void *arg, const struct v2v_object *o, struct v2v_error **err)
{
  (void) o;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

static unsigned
seen (struct world *w)
{
  unsigned n = 0;
  struct v2v_error *err = NULL;

  assert_ok (v2v_library_each (w->lib, NULL, count_objects, &n, &err), err);
  return n;
}

static void
test_who_may_not_read_sees_nothing_of_it (void **state)
{
  struct world w = begin ();
  struct v2v_object o;
  char *id = NULL;
  size_t len;

  (void) state;
  assert_int_equal (seen (&w), 2);
  grant (&w, "ops", "user:bob", V2V_ROLE_READ);
  become (&w, "bob", "x");
  assert_int_equal (seen (&w), 2);
  become (&w, "ann", "x");
  assert_int_equal (seen (&w), 1);
  assert_denied (v2v_library_find (w.lib, "ours", &id, &err),
                 "no object of the library is called");
  assert_denied (v2v_library_object (w.lib, w.ours, &o, &err),
                 "in the namespace 'ops'");
  {
    struct v2v_error *err = NULL;

    assert_null (v2v_library_path (w.lib, w.ours, NULL, &err));
    assert_error (&err, V2V_ERR_USAGE, "in the namespace 'ops'");
    assert_null (v2v_library_read_text (w.lib, w.ours, 4096, &len, &err));
    assert_error (&err, V2V_ERR_USAGE, "in the namespace 'ops'");
  }
  end (&w);
}

static void
test_only_authors_change_objects_and_grants (void **state)
{
  const struct v2v_library_set set = { .owner = "me" };
  const struct v2v_library_set away = { .name_space = "mine" };
  const struct v2v_library_set into = { .name_space = "ops" };
  struct v2v_upkeep_result result;
  struct world w = begin ();
  struct v2v_error *e = NULL;

  (void) state;
  grant (&w, "ops", "user:bob", V2V_ROLE_DEPLOY);
  grant (&w, "ops", "user:ann", V2V_ROLE_AUTHOR);
  grant (&w, "mine", "user:cy", V2V_ROLE_AUTHOR);
  become (&w, "bob", "x");
  assert_denied (v2v_library_set (w.lib, w.ours, &set, &err), "'ops'");
  assert_denied (v2v_library_set (w.lib, w.common, &into, &err), "'ops'");
  assert_denied (v2v_library_remove (w.lib, w.ours, false, &err), "'ops'");
  assert_denied (v2v_library_remove (w.lib, w.ours, true, &err), "'ops'");
  assert_denied (
      v2v_library_relate (w.lib, w.ours, "script", "", w.common, &err),
      "'ops'");
  assert_denied (put (w.lib, "file", "n", "ops", "new", NULL, &err), "'ops'");
  assert_denied (v2v_library_copy (w.lib, w.ours, "share", NULL, &err),
                 "'ops'");
  assert_denied (
      v2v_library_grant (w.lib, "ops", "user:bob", V2V_ROLE_AUTHOR, &err),
      "'ops'");
  assert_denied (v2v_library_revoke (w.lib, "ops", "user:ann", &err), "'ops'");
  become (&w, "ann", "x");
  assert_ok (v2v_library_set (w.lib, w.ours, &set, &e), e);
  assert_denied (v2v_library_set (w.lib, w.ours, &away, &err), "'mine'");
  assert_ok (put (w.lib, "file", "n", "ops", "new", NULL, &e), e);
  assert_ok (v2v_library_remove (w.lib, w.ours, false, &e), e);
  /* The namespace of all. */
  grant (&w, "", "user:root", V2V_ROLE_AUTHOR);
  become (&w, "ann", "x");
  assert_denied (put (w.lib, "file", "m", NULL, "more", NULL, &err), "''");
  assert_denied (v2v_library_gc (w.lib, NULL, NULL, NULL, &result, &err), "gc");
  assert_denied (
      v2v_library_refresh (w.lib, NULL, NULL, NULL, NULL, &result, &err),
      "refresh");
  assert_denied (v2v_library_add_share (w.lib, w.dir, "s", &err), "add-share");
  end (&w);
}

static int
deploy (struct world *w, bool dry_run, char **ret_id, struct v2v_error **err)
{
  CLEANUP_FREE char *out = library_test_path (w->dir, "out");
  const struct v2v_deploy_opts opts = { .vm_template = w->ours,
                                        .output_dir = out,
                                        .dry_run = dry_run };
  struct v2v_deploy_result r = { .id = NULL };

  if (v2v_deploy (w->lib, &opts, &r, err) == -1)
    return -1;
  *ret_id = STEAL (r.id);
  v2v_deploy_result_clear (&r);
  return 0;
}

static void
test_machines_are_made_by_deployers_and_removed_by_who_made_them (void **state)
{
  struct world w = begin ();
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *id = NULL;
  char *none = NULL;

  (void) state;
  grant (&w, "ops", "user:bob", V2V_ROLE_READ);
  grant (&w, "ops", "user:ann", V2V_ROLE_AUTHOR);
  become (&w, "bob", "x");
  assert_denied (deploy (&w, true, &none, &err), "'ops'");
  assert_denied (deploy (&w, false, &none, &err), "'ops'");
  become (&w, "ann", "x");
  grant (&w, "ops", "user:bob", V2V_ROLE_DEPLOY);
  become (&w, "bob", "x");
  assert_ok (deploy (&w, false, &id, &e), e);
  become (&w, "cy", "x");
  assert_denied (v2v_deployed_remove (w.lib, id, true, &err), "'ops'");
  become (&w, "ann", "x");
  assert_ok (v2v_deployed_remove (w.lib, id, true, &e), e);
  end (&w);
}

static void
test_what_was_not_granted_is_not_revoked (void **state)
{
  static const char *const bad[] = { "ann", "user:", "group:", "",
                                     "user:a\nb" };
  struct world w = begin ();

  (void) state;
  assert_denied (v2v_library_revoke (w.lib, "ops", "user:ann", &err),
                 "was not granted anything");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_denied (
        v2v_library_grant (w.lib, "ops", bad[i], V2V_ROLE_READ, &err), "");
  grant (&w, "ops", "user:ann", V2V_ROLE_READ);
  grant (&w, "ops", "user:ann", V2V_ROLE_AUTHOR);
  {
    struct v2v_error *e = NULL;

    assert_ok (v2v_library_revoke (w.lib, "ops", "user:ann", &e), e);
  }
  become (&w, "bob", "x");
  assert_int_equal (role (&w, "ops"), V2V_ROLE_AUTHOR); /* open again */
  end (&w);
}

/* 0: as it should be; the number of what is not. */
static int
look_as_nobody (const char *dir, uid_t uid, gid_t gid)
{
  CLEANUP_FREE char *path = library_test_path (dir, "lib");
  struct v2v_library *lib;
  struct v2v_error *err = NULL;
  enum v2v_role r;

  if (setgroups (1, &gid) == -1 || setgid (gid) == -1 || setuid (uid) == -1)
    return 1;
  lib = v2v_library_open (path, &err);
  if (lib == NULL) {
    printf ("# %s\n", v2v_error_message (err));
    fflush (stdout);
    return 2;
  }
  if (v2v_library_role (lib, "user", &r, NULL) == -1 || r != V2V_ROLE_DEPLOY)
    return 3;
  if (v2v_library_role (lib, "group", &r, NULL) == -1 || r != V2V_ROLE_READ)
    return 4;
  if (v2v_library_role (lib, "ops", &r, NULL) == -1 || r != V2V_ROLE_NONE)
    return 5;
  v2v_library_close (lib);
  return 0;
}

static void
test_real_users_and_groups_are_those_of_the_process (void **state)
{
  const struct passwd *pw = getpwnam ("nobody");
  const struct group *g = pw != NULL ? getgrgid (pw->pw_gid) : NULL;
  const uid_t uid = pw != NULL ? pw->pw_uid : 0;
  const gid_t gid = pw != NULL ? pw->pw_gid : 0;
  CLEANUP_FREE char *user = NULL, *group = NULL, *lib = NULL, *db = NULL;
  CLEANUP_FREE char *json = NULL;
  struct world w;
  int status;
  pid_t pid;

  (void) state;
  if (geteuid () != 0 || g == NULL)
    skip ();
  /* What they point to is overwritten by the next that asks. */
  assert_true (asprintf (&user, "user:%s", pw->pw_name) > 0);
  assert_true (asprintf (&group, "group:%s", g->gr_name) > 0);
  w = begin ();
  grant (&w, "user", user, V2V_ROLE_DEPLOY);
  grant (&w, "group", group, V2V_ROLE_READ);
  grant (&w, "ops", "user:nobody-else", V2V_ROLE_AUTHOR);
  assert_int_equal (role (&w, "ops"), V2V_ROLE_AUTHOR); /* we are root */
  v2v_library_close (w.lib);
  lib = library_test_path (w.dir, "lib");
  db = library_test_path (w.dir, "lib/catalogue.db");
  assert_int_equal (chmod (w.dir, 0755), 0);
  assert_int_equal (chmod (lib, 0777), 0);
  json = library_test_path (w.dir, "lib/library.json");
  assert_int_equal (chmod (db, 0666), 0);
  assert_int_equal (chmod (json, 0644), 0);
  pid = fork ();
  if (pid == 0)
    _exit (look_as_nobody (w.dir, uid, gid));
  assert_true (waitpid (pid, &status, 0) == pid);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
  w.lib = library_test_open (w.dir);
  end (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_a_namespace_without_grants_is_open_and_closes_with_the_first),
    cmocka_unit_test (test_the_highest_of_user_groups_and_all_counts),
    cmocka_unit_test (test_who_may_not_read_sees_nothing_of_it),
    cmocka_unit_test (test_only_authors_change_objects_and_grants),
    cmocka_unit_test (
        test_machines_are_made_by_deployers_and_removed_by_who_made_them),
    cmocka_unit_test (test_what_was_not_granted_is_not_revoked),
    cmocka_unit_test (test_real_users_and_groups_are_those_of_the_process),
  };

  library_test_use_memory ();
  return cmocka_run_group_tests (tests, NULL, NULL);
}
