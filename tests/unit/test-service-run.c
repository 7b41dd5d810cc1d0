/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations of services in a library: planned, interrupted at every step,
 * resumed, rolled back.  Constructed: machines are rows without files, made
 * and removed by the actions of this test.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library-util.h"
#include "library/service-internal.h"

#define NS " xmlns=\"" V2V_DOCUMENT_NS "\""

static const char vm_template[] =
    "<vm-template" NS " name=\"v\" version=\"1\"><settings>"
    "<setting name=\"ADDRESS\"/><setting name=\"COLOUR\"/></settings>"
    "</vm-template>";
static const char vm_template_2[] =
    "<vm-template" NS " name=\"v\" version=\"2\"><settings>"
    "<setting name=\"ADDRESS\"/><setting name=\"COLOUR\"/></settings>"
    "</vm-template>";
static const char shop_template[] =
    "<service-template" NS " name=\"shop\"><settings>"
    "<setting name=\"COLOUR\" default=\"red\"/></settings><tiers>"
    "<tier name=\"db\" order=\"1\" computer-name=\"db-#\">"
    "<vm-template name=\"v\" version=\"1\"/></tier>"
    "<tier name=\"web\" order=\"2\" minimum=\"1\" instances=\"2\" "
    "maximum=\"4\" upgrade-domains=\"2\" computer-name=\"web-##\" "
    "addresses=\"10.0.0.1/24-10.0.0.4\"><vm-template name=\"v\"/>"
    "<scripts><script name=\"join\" phase=\"next-vms\"><object name=\"x\"/>"
    "</script><script name=\"leave\" phase=\"scale-in\"><object name=\"x\"/>"
    "</script></scripts></tier></tiers>"
    "<load-balancer><port name=\"p\" tier=\"web\" port=\"80\"/>"
    "</load-balancer></service-template>";

struct world {
  char *dir;
  struct v2v_library *lib;
  struct v2v_document *document;
};

static char *
put_text (struct v2v_library *lib, const char *file, const char *text,
          const char *name, const char *version)
{
  const struct v2v_import_opts opts = {
    .kind = strstr (file, ".xml") != NULL ? "vm-template" : "script",
    .set = { .name = name, .version = version },
  };
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;

  assert_ok (
      v2v_library_import_text (lib, file, text, strlen (text), &opts, &r, &err),
      err);
  return r.id;
}

static struct world
begin (void)
{
  struct world w = { .dir = test_tmpdir () };
  struct v2v_error *err = NULL;

  w.lib = library_test_new (w.dir);
  free (put_text (w.lib, "v.xml", vm_template, "v", "1"));
  free (put_text (w.lib, "x.sh", "#!/bin/sh\n", "x", ""));
  w.document = v2v_document_parse (shop_template, strlen (shop_template),
                                   "shop.xml", &err);
  assert_ptr (w.document, err);
  return w;
}

static void
end (struct world *w)
{
  v2v_document_free (w->document);
  v2v_library_close (w->lib);
  test_tmpdir_remove (w->dir);
}

/* ---- actions that only the catalogue sees ---- */

struct acting {
  struct v2v_library *lib;
  const char *service;
  unsigned n;       /* calls so far */
  unsigned fail_at; /* 0 = never */
  bool after;       /* when what was to be done is done */
  bool kill;        /* the process ends there */
};

static int
stop_here (struct acting *a, bool after, struct v2v_error **err)
{
  if (!after)
    a->n++;
  if (a->n != a->fail_at || a->after != after)
    return 0;
  if (a->kill)
    _exit (0);
  return v2v_fail (err, V2V_ERR_IO, "failure %u", a->n);
}

static int
run_sql (struct v2v_library *lib, const char *sql, const char *a, const char *b,
         const char *c, const char *d, const char *e)
{
  struct v2v_error *err = NULL;
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (lib->cat, sql, &err);
  const char *const all[] = { a, b, c, d, e };

  assert_ptr (q, err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (all) && all[i] != NULL; ++i)
    v2v_query_text (q, all[i]);
  assert_true (v2v_query_step (q, &err) == 0);
  return 0;
}

static int
fake_create (void *arg, const struct v2v_json *detail, char **ret_id,
             struct v2v_error **err)
{
  struct acting *a = arg;
  uint64_t ordinal = 0;
  char id[37], number[24];

  if (stop_here (a, false, err) == -1)
    return -1;
  assert_true (v2v_json_get_u64 (detail, "ordinal", &ordinal));
  snprintf (number, sizeof number, "%u", (unsigned) ordinal);
  assert_int_equal (lib_new_id (id, NULL), 0);
  assert_int_equal (v2v_catalogue_begin (a->lib->cat, NULL), 0);
  run_sql (a->lib,
           "INSERT INTO machine (id, name, computer_name, host, folder, "
           "template, template_digest, service, tier, ordinal, state, owner, "
           "provenance, created, owner_host, owner_pid, owner_started) VALUES "
           "(?, '', ?, '', '', '', '', ?, ?, CAST (? AS BIGINT), 'made', '', "
           "'', 0, '', 0, 0)",
           id, v2v_json_get_string (detail, "computer_name"), a->service,
           v2v_json_get_string (detail, "tier"), number);
  run_sql (a->lib, "INSERT INTO computer_name (name, machine) VALUES (?, ?)",
           v2v_json_get_string (detail, "computer_name"), id, NULL, NULL, NULL);
  assert_int_equal (v2v_catalogue_commit (a->lib->cat, NULL), 0);
  *ret_id = strdup (id);
  return stop_here (a, true, err);
}

static int
fake_remove (void *arg, const char *id, struct v2v_error **err)
{
  struct acting *a = arg;

  if (stop_here (a, false, err) == -1)
    return -1;
  assert_int_equal (v2v_catalogue_begin (a->lib->cat, NULL), 0);
  run_sql (a->lib, "DELETE FROM machine WHERE id = ?", id, NULL, NULL, NULL,
           NULL);
  assert_int_equal (v2v_catalogue_commit (a->lib->cat, NULL), 0);
  return stop_here (a, true, err);
}

static int
fake_other (struct acting *a, struct v2v_error **err)
{
  return stop_here (a, false, err) == -1 || stop_here (a, true, err) == -1 ? -1
                                                                           : 0;
}

static int
fake_machine (void *arg, const char *id, struct v2v_error **err)
{
  (void) id;
  return fake_other (arg, err);
}

static int
fake_send (void *arg, const char *id, const char *host, struct v2v_error **err)
{
  (void) id;
  (void) host;
  return fake_other (arg, err);
}

static int
fake_script (void *arg, const struct v2v_json *detail, struct v2v_error **err)
{
  assert_non_null (v2v_json_get_string (detail, "script"));
  return fake_other (arg, err);
}

static int
fake_network (void *arg, const struct v2v_document *document,
              const struct v2v_service_machines *machines,
              struct v2v_error **err)
{
  (void) document;
  (void) machines;
  return fake_other (arg, err);
}

static struct service_actions
actions (struct acting *a)
{
  return (struct service_actions){
    .create = fake_create,
    .send = fake_send,
    .remove = fake_remove,
    .start = fake_machine,
    .stop = fake_machine,
    .script = fake_script,
    .network = fake_network,
    .arg = a,
  };
}

/* ---- operations ---- */

enum op { DEPLOY, SCALE_OUT, SCALE_IN, UPDATE, DELETE };

static struct v2v_service_plan *
plan (const struct world *w, enum op op)
{
  static const struct v2v_service_tier_count more = { "web", 3 },
                                             fewer = { "web", 1 };
  static const struct v2v_setting_value blue = { "COLOUR", "blue" };
  struct v2v_service_opts opts = { .document = w->document,
                                   .output_dir = "out" };
  struct v2v_service_plan *p = NULL;
  struct v2v_error *err = NULL;
  int r = -1;

  switch (op) {
  case DEPLOY:
    r = v2v_service_plan_deploy (w->lib, &opts, &p, &err);
    break;
  case SCALE_OUT:
  case SCALE_IN:
    opts.counts = op == SCALE_OUT ? &more : &fewer;
    opts.nr_counts = 1;
    r = v2v_service_plan_scale (w->lib, "shop", &opts, &p, &err);
    break;
  case UPDATE:
    opts.document = NULL;
    opts.settings = &blue;
    opts.nr_settings = 1;
    r = v2v_service_plan_update (w->lib, "shop", &opts, &p, &err);
    break;
  case DELETE:
    r = v2v_service_plan_delete (w->lib, "shop", &opts, &p, &err);
    break;
  }
  assert_ok (r, err);
  return p;
}

/* Note and do the operation; the number of calls of actions. */
static unsigned
run (const struct world *w, enum op op, unsigned fail_at, bool after, bool kill)
{
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *p = plan (w, op);
  struct acting a = { .lib = w->lib,
                      .service = p->id,
                      .fail_at = fail_at,
                      .after = after,
                      .kill = kill };
  const struct service_actions acts = actions (&a);
  struct v2v_error *err = NULL;

  assert_ok (service_begin (w->lib, p, &err), err);
  if (fail_at == 0)
    assert_ok (service_run (w->lib, p->id, &acts, &err), err);
  else {
    assert_int_equal (service_run (w->lib, p->id, &acts, &err), -1);
    assert_error (&err, V2V_ERR_IO, "failure");
  }
  return a.n;
}

/* The machines as they are: "web/1 web-01" ..., with ids where wanted; NULL:
 * no such service. */
static char *
tell (const struct world *w, bool ids)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  struct v2v_str str = V2V_STR_INIT;

  if (v2v_service_show (w->lib, "shop", &s, NULL) == -1)
    return NULL;
  assert_int_equal (v2v_str_append (&str, s.state), 0);
  for (size_t i = 0; i < s.machines.len; ++i) {
    const struct v2v_service_machine *m = &s.machines.ptr[i];

    assert_int_equal (v2v_str_printf (&str, ", %s/%u %s %s%s", m->tier,
                                      m->ordinal, m->computer_name,
                                      m->address ? m->address : "-",
                                      ids ? m->id : ""),
                      0);
  }
  return str.ptr;
}

static int64_t
count (const struct world *w, const char *sql)
{
  struct v2v_error *err = NULL;
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (w->lib->cat, sql, &err);

  assert_ptr (q, err);
  assert_int_equal (v2v_query_step (q, &err), 1);
  return v2v_query_get_int (q, 0);
}

static int64_t
nr_machines (const struct world *w)
{
  const int64_t names = count (w, "SELECT COUNT (*) FROM computer_name");

  assert_int_equal (names, count (w, "SELECT COUNT (*) FROM machine"));
  return names;
}

static void
go_on (const struct world *w, bool back)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  struct v2v_error *err = NULL;
  struct acting a = { .lib = w->lib };
  const struct service_actions acts = actions (&a);

  assert_ok (v2v_service_show (w->lib, "shop", &s, &err), err);
  a.service = s.id;
  assert_ok (back ? service_run_back (w->lib, s.id, &acts, &err)
                  : service_run (w->lib, s.id, &acts, &err),
             err);
}

static const char two[] = "deployed, db/1 db-1 -, web/1 web-01 10.0.0.1/24, "
                          "web/2 web-02 10.0.0.2/24";

static void
test_a_service_is_deployed_scaled_updated_and_deleted (void **state)
{
  struct world w = begin ();
  CLEANUP_FREE char *deployed = NULL, *more = NULL, *updated = NULL;
  CLEANUP_FREE char *before = NULL, *after = NULL, *fewer = NULL;

  (void) state;
  run (&w, DEPLOY, 0, false, false);
  deployed = tell (&w, false);
  assert_string_equal (deployed, two);
  run (&w, SCALE_OUT, 0, false, false);
  more = tell (&w, false);
  assert_non_null (strstr (more, ", web/3 web-03 10.0.0.3/24"));
  before = tell (&w, true);
  run (&w, UPDATE, 0, false, false);
  updated = tell (&w, false);
  assert_string_equal (updated, more);
  after = tell (&w, true);
  assert_string_not_equal (before, after);
  run (&w, SCALE_IN, 0, false, false);
  fewer = tell (&w, false);
  assert_string_equal (fewer,
                       "deployed, db/1 db-1 -, web/1 web-01 10.0.0.1/24");
  assert_int_equal (nr_machines (&w), 2);
  run (&w, DELETE, 0, false, false);
  assert_null (tell (&w, false));
  assert_int_equal (nr_machines (&w), 0);
  end (&w);
}

static void
test_an_update_replaces_only_tiers_that_changed (void **state)
{
  struct world w = begin ();
  CLEANUP_SERVICE_PLAN struct v2v_service_plan *same = NULL, *newer = NULL;
  struct v2v_service_opts opts = { .name = NULL };
  struct v2v_error *err = NULL;

  (void) state;
  run (&w, DEPLOY, 0, false, false);
  assert_ok (v2v_service_plan_update (w.lib, "shop", &opts, &same, &err), err);
  assert_int_equal (same->steps.len, 1);
  assert_string_equal (same->steps.ptr[0].kind, "network");
  assert_int_equal (same->changes.len, 0);
  /* A new version: "db" asks for the first one. */
  free (put_text (w.lib, "v2.xml", vm_template_2, "v", "2"));
  assert_ok (v2v_service_plan_update (w.lib, "shop", &opts, &newer, &err), err);
  for (size_t i = 0; i < newer->steps.len; ++i)
    assert_null (strstr (newer->steps.ptr[i].subject, "db"));
  assert_int_equal (newer->steps.len, 2 * 3 + 1);
  end (&w);
}

static struct world
begin_with (const enum op *prepare, size_t nr)
{
  struct world w = begin ();

  for (size_t i = 0; i < nr; ++i)
    run (&w, prepare[i], 0, false, false);
  return w;
}

static bool
is_past_return (const struct world *w)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };

  assert_int_equal (v2v_service_show (w->lib, "shop", &s, NULL), 0);
  for (size_t i = 0; i < s.steps.len; ++i)
    if (strcmp (s.steps.ptr[i].kind, "remove") == 0 &&
        strcmp (s.steps.ptr[i].state, "planned") != 0)
      return true;
  return false;
}

static void
assert_same (const char *a, const char *b)
{
  assert_int_equal (a == NULL, b == NULL);
  if (a != NULL)
    assert_string_equal (a, b);
}

/* After PREPARE, let OP fail at each of its calls, before and after what the
 * call does: resumed it ends as one that did not fail; taken back, the very
 * same machines are there as before. */
static void
interrupt (const enum op *prepare, size_t nr, enum op op, bool back)
{
  struct world whole = begin_with (prepare, nr);
  const unsigned calls = run (&whole, op, 0, false, false);
  CLEANUP_FREE char *done = tell (&whole, false);
  unsigned nr_back = 0;

  end (&whole);
  for (unsigned i = 0; i < 2 * calls; ++i) {
    struct world w = begin_with (prepare, nr);
    CLEANUP_FREE char *before = tell (&w, true), *result = NULL;

    run (&w, op, i / 2 + 1, i % 2 == 1, false);
    if (!back || !is_past_return (&w)) {
      go_on (&w, back);
      result = tell (&w, back);
      assert_same (result, back ? before : done);
      nr_machines (&w);
      ++nr_back;
    }
    end (&w);
  }
  assert_true (nr_back >= 2 * calls / 2);
}

static void
test_what_fails_at_any_step_is_resumed_to_the_same_end (void **state)
{
  (void) state;
  interrupt (NULL, 0, DEPLOY, false);
  interrupt ((const enum op[]){ DEPLOY }, 1, UPDATE, false);
  interrupt ((const enum op[]){ DEPLOY, SCALE_OUT }, 2, SCALE_IN, false);
  interrupt ((const enum op[]){ DEPLOY }, 1, DELETE, false);
}

static void
test_what_fails_at_any_step_is_rolled_back_to_the_same_machines (void **state)
{
  (void) state;
  interrupt (NULL, 0, DEPLOY, true);
  interrupt ((const enum op[]){ DEPLOY }, 1, SCALE_OUT, true);
  interrupt ((const enum op[]){ DEPLOY }, 1, UPDATE, true);
}

/* A child process does it, and ends in the middle. */
static void
run_killed (const struct world *w, enum op op, unsigned at, bool after)
{
  const pid_t pid = fork ();
  int status;

  assert_true (pid >= 0);
  if (pid == 0) {
    struct world child = { .dir = w->dir, .document = w->document };

    child.lib = library_test_open (w->dir);
    (void) run (&child, op, at, after, true);
    _exit (1); /* it ended before */
  }
  assert_true (waitpid (pid, &status, 0) == pid);
  assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

static void
test_what_a_process_that_was_killed_left_is_resumed_or_rolled_back (
    void **state)
{
  (void) state;
  for (unsigned at = 1; at <= 5; ++at)
    for (unsigned after = 0; after <= 1; ++after) {
      struct world w = begin ();
      CLEANUP_FREE char *result = NULL;

      v2v_library_close (w.lib);
      run_killed (&w, DEPLOY, at, after);
      w.lib = library_test_open (w.dir);
      go_on (&w, at % 2 == 0);
      result = tell (&w, false);
      if (at % 2 == 0)
        assert_null (result);
      else
        assert_string_equal (result, two);
      assert_int_equal (nr_machines (&w), at % 2 == 0 ? 0 : 3);
      end (&w);
    }
}

static void
test_an_interrupted_update_can_be_deleted_with_what_was_put_aside (void **state)
{
  struct world w = begin ();

  (void) state;
  run (&w, DEPLOY, 0, false, false);
  run (&w, UPDATE, 2, false, false); /* two are put aside, one is new */
  assert_int_equal (count (&w, "SELECT COUNT (*) FROM machine"), 4);
  run (&w, DELETE, 0, false, false);
  assert_null (tell (&w, false));
  assert_int_equal (nr_machines (&w), 0);
  end (&w);
}

static void
test_a_service_has_one_operation_and_one_process_at_a_time (void **state)
{
  struct world w = begin ();
  struct v2v_service_opts opts = { .document = w.document,
                                   .output_dir = "out" };
  struct v2v_service_plan *p = NULL;
  struct service_lock lock, other;
  struct v2v_error *err = NULL;
  int status;
  pid_t pid;

  (void) state;
  run (&w, DEPLOY, 2, false, false);
  assert_int_equal (v2v_service_plan_update (w.lib, "shop", &opts, &p, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "is still deploying");
  p = plan (&w, DEPLOY);
  assert_int_equal (service_begin (w.lib, p, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is called 'shop' already");
  assert_ok (service_lock (w.lib, p->id, &lock, &err), err);
  assert_int_equal (service_lock (w.lib, p->id, &other, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "another process works on this service");
  service_unlock (w.lib, &lock);
  assert_ok (service_lock (w.lib, p->id, &lock, &err), err);
  service_unlock (w.lib, &lock);
  /* That of a process that ended is taken back when the library is opened. */
  v2v_library_close (w.lib);
  pid = fork ();
  if (pid == 0) {
    w.lib = library_test_open (w.dir);
    _exit (service_lock (w.lib, p->id, &lock, NULL) == 0 ? 0 : 1);
  }
  assert_true (waitpid (pid, &status, 0) == pid && status == 0);
  w.lib = library_test_open (w.dir);
  assert_ok (service_lock (w.lib, p->id, &lock, &err), err);
  service_unlock (w.lib, &lock);
  v2v_service_plan_free (p);
  library_test_is_whole (w.lib, w.dir);
  end (&w);
}

static void
assert_no_plan (const struct world *w, const char *xml,
                const struct v2v_setting_value *value, const char *part)
{
  struct v2v_error *err = NULL;
  CLEANUP_DOCUMENT struct v2v_document *d =
      v2v_document_parse (xml, strlen (xml), "s.xml", &err);
  struct v2v_service_opts opts = { .document = d,
                                   .settings = value,
                                   .nr_settings = value != NULL,
                                   .output_dir = "out" };
  struct v2v_service_plan *p = NULL;

  assert_ptr (d, err);
  assert_int_equal (v2v_service_plan_deploy (w->lib, &opts, &p, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, part);
}

#define ONE(tier)                                                              \
  "<service-template" NS " name=\"s\"><tiers>" tier "</tiers>"                 \
  "</service-template>"

static void
test_what_cannot_be_deployed_is_refused_before_anything_is_made (void **state)
{
  static const char strict[] =
      "<vm-template" NS " name=\"strict\"><settings><setting name=\"KEY\" "
      "type=\"secret\" mandatory=\"true\"/></settings></vm-template>";
  struct world w = begin ();

  (void) state;
  free (put_text (w.lib, "strict.xml", strict, "strict", ""));
  assert_no_plan (&w,
                  ONE ("<tier name=\"t\"><vm-template name=\"no\"/></tier>"),
                  NULL, "no object of the library is called");
  assert_no_plan (
      &w,
      ONE ("<tier name=\"t\"><vm-template name=\"v\" version=\"9\"/></tier>"),
      NULL, "has no version 9 of the vm-template 'v'");
  assert_no_plan (
      &w, ONE ("<tier name=\"t\"><vm-template name=\"strict\"/></tier>"), NULL,
      "tier t: template 'strict': setting KEY is mandatory");
  assert_no_plan (&w,
                  ONE ("<tier name=\"t\" addresses=\"10.0.0.1/24\">"
                       "<vm-template name=\"strict\"/></tier>"),
                  NULL, "has no setting ADDRESS");
  assert_no_plan (&w,
                  ONE ("<tier name=\"t\" maximum=\"3\" "
                       "addresses=\"10.0.0.1/24-10.0.0.2\">"
                       "<vm-template name=\"v\"/></tier>"),
                  NULL, "2 addresses for up to 3 machines");
  assert_no_plan (&w,
                  ONE ("<tier name=\"t\"><vm-template name=\"v\"/><scripts>"
                       "<script name=\"s\" phase=\"update\"><object "
                       "name=\"gone\"/></script></scripts></tier>"),
                  NULL, "no object of the library is called");
  assert_no_plan (&w, shop_template,
                  &(const struct v2v_setting_value){ "COLOR", "red" },
                  "no setting is called 'COLOR'");
  assert_int_equal (count (&w, "SELECT COUNT (*) FROM service"), 0);
  end (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_service_is_deployed_scaled_updated_and_deleted),
    cmocka_unit_test (test_an_update_replaces_only_tiers_that_changed),
    cmocka_unit_test (test_what_fails_at_any_step_is_resumed_to_the_same_end),
    cmocka_unit_test (
        test_what_fails_at_any_step_is_rolled_back_to_the_same_machines),
    cmocka_unit_test (
        test_what_a_process_that_was_killed_left_is_resumed_or_rolled_back),
    cmocka_unit_test (
        test_an_interrupted_update_can_be_deleted_with_what_was_put_aside),
    cmocka_unit_test (
        test_a_service_has_one_operation_and_one_process_at_a_time),
    cmocka_unit_test (
        test_what_cannot_be_deployed_is_refused_before_anything_is_made),
  };

  library_test_use_memory ();
  return cmocka_run_group_tests (tests, NULL, NULL);
}
