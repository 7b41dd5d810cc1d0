/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deploying: the order of the steps.
 *
 *   deploy_resolve         objects, profiles, disks; settings are complete
 *   try_it                 the first machine, up to its plan: what is wrong is
 *                          told before anything is taken
 *   take                   one transaction: names, and rows in state "planned"
 *   freeze                 bases are made read-only
 *   make_batch             folders, under temporary names; one sweep of syncs;
 *                          final names; one transaction: state "made"
 *
 * A process that dies in between is cleaned up after by deployed-recover.c.
 */

#include <config.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/io.h"
#include "formats/core/log.h"
#include "formats/parent-path.h"
#include "library/deploy-internal.h"

/* Folders that are synced at once.  Each has three files open meanwhile, and a
 * process has 1024. */
#define BATCH 64

void
v2v_deploy_result_clear (struct v2v_deploy_result *r)
{
  free (r->id);
  free (r->name);
  free (r->computer_name);
  free (r->folder);
  free (r->text);
  v2v_json_free (r->provenance);
  v2v_json_free (r->report);
  memset (r, 0, sizeof *r);
}

/* What one call works on. */
struct work {
  struct v2v_library *lib;
  struct deploy_cache cache;
  struct deploy_plan *plans;
  struct v2v_deploy_opts *opts; /* with what was left out */
  size_t nr;
  char *owner, *folder;
  bool dry_run, staged;
};

/* ---- what a machine is made of ---- */

static struct v2v_json *
document_json (const struct deploy_document *d)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "object", d->id);
  if (d->document->head.id != NULL)
    v2v_json_set_string (o, "id", d->document->head.id);
  v2v_json_set_string (o, "name", d->name);
  v2v_json_set_string (o, "version", d->version);
  v2v_json_set_string (o, "digest", d->digest);
  return o;
}

static struct v2v_json *
base_json (const struct deploy_disk *d, size_t i)
{
  static const char *const storages[] = { "differencing", "differencing",
                                          "copy", "blank" };
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_u64 (o, "disk", i);
  v2v_json_set_string (o, "storage", storages[d->storage]);
  v2v_json_set_string (o, "object", d->base->id);
  v2v_json_set_string (o, "name", d->base->object.name);
  v2v_json_set_string (o, "version", d->base->object.version);
  v2v_json_set_string (o, "digest", d->base->object.digest);
  v2v_json_set_string (o, "content", d->base->object.content);
  return o;
}

static int
make_provenance (struct deploy_plan *p, struct v2v_error **err)
{
  const struct {
    const char *key;
    const struct deploy_document *d;
  } documents[] = {
    { "template", p->vm_template },
    { "hardware_profile", p->hardware_from },
    { "guest_os_profile", p->guest_os_from },
    { "capability_profile", p->capability },
  };
  struct v2v_json *o = v2v_json_new_object ();
  struct v2v_json *bases = v2v_json_new_array ();
  const time_t now = time (NULL);
  char when[32] = "";
  struct tm tm;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (documents); ++i)
    if (documents[i].d != NULL)
      v2v_json_set (o, documents[i].key, document_json (documents[i].d));
  v2v_json_set (o, "settings", deploy_settings_json (p));
  for (size_t i = 0; i < p->disks.len; ++i)
    if (p->disks.ptr[i].base != NULL)
      v2v_json_append (bases, base_json (&p->disks.ptr[i], i));
  v2v_json_set (o, "bases", bases);
  v2v_json_set (o, "reasons", v2v_json_ref (p->reasons));
  if (gmtime_r (&now, &tm) != NULL)
    strftime (when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
  v2v_json_set_string (o, "when", when);
  v2v_json_set_string (o, "tool", "v2v " PACKAGE_VERSION);
  p->provenance = o;
  return v2v_json_ok (o) ? 0 : v2v_fail_nomem (err);
}

/* ---- names ---- */

/* Without a name: that of the guest; where that is left to Windows or there is
 * none, that of the template and the beginning of the id. */
int
deploy_name_machine (struct deploy_plan *p, struct v2v_error **err)
{
  const bool own =
      p->computer_name != NULL && strcmp (p->computer_name, "*") != 0;
  const char *from =
      p->vm_template != NULL ? p->vm_template->document->head.name : "machine";

  free (STEAL (p->name));
  free (STEAL (p->safe_name));
  free (STEAL (p->folder));
  if (p->opts->name != NULL)
    p->name = strdup (p->opts->name);
  else if (own)
    p->name = strdup (p->computer_name);
  else if (asprintf (&p->name, "%.80s-%.8s", from, p->id) == -1)
    p->name = NULL;
  p->safe_name = p->name != NULL ? v2v_safe_name (p->name) : NULL;
  if (p->safe_name == NULL)
    return v2v_fail_nomem (err);
  p->folder = lib_join (p->opts->output_dir, p->safe_name, err);
  return p->folder == NULL ? -1 : 0;
}

/* In a transaction. */
static int
choose_names (struct v2v_library *lib, struct deploy_plan *p,
              struct v2v_error **err)
{
  free (STEAL (p->computer_name));
  if (p->pattern != NULL && deployed_next_name (lib, p->pattern, p->windows,
                                                &p->computer_name, err) == -1)
    return -1;
  return deploy_name_machine (p, err);
}

/* ---- from plan to folder ---- */

struct vm_args {
  struct v2v_vm_opts opts;
  struct v2v_vm_disk disks[HYPERV_SCSI_CONTROLLERS * HYPERV_SCSI_LOCATIONS + 4];
  struct v2v_guid id;
};

static enum v2v_vm_seed
seed_kind (const struct deploy_plan *p)
{
  const struct v2v_guest_os_profile *g =
      p->guest_os != NULL ? &p->guest_os->guest_os : NULL;

  if (p->windows)
    return V2V_VM_SEED_WINDOWS;
  if (g != NULL && g->os_linux.given)
    return V2V_VM_SEED_CLOUD_INIT;
  if (p->vm_template != NULL && p->vm_template->document->head.os != NULL)
    return V2V_VM_SEED_CLOUD_INIT;
  for (size_t i = 0; i < p->disks.len; ++i)
    if (p->disks.ptr[i].base != NULL &&
        p->disks.ptr[i].base->object.os[0] != '\0')
      return V2V_VM_SEED_CLOUD_INIT;
  return V2V_VM_SEED_AUTO;
}

static const char *
os_of (const struct deploy_plan *p)
{
  if (p->vm_template != NULL && p->vm_template->document->head.os != NULL)
    return p->vm_template->document->head.os;
  for (size_t i = 0; i < p->disks.len; ++i)
    if (p->disks.ptr[i].base != NULL &&
        p->disks.ptr[i].base->object.os[0] != '\0')
      return p->disks.ptr[i].base->object.os;
  return NULL;
}

static void
fill_disk (const struct deploy_plan *p, size_t i, struct v2v_vm_disk *to)
{
  const struct deploy_disk *d = &p->disks.ptr[i];

  *to = (struct v2v_vm_disk){ .size_bytes = d->size_bytes,
                              .boot = d->boot,
                              .place = d->placed ? &d->place : NULL,
                              .generalized = p->generalized };
  if (d->base == NULL)
    return;
  to->path = d->base->path;
  to->image = d->base->image;
  to->evidence = &d->base->evidence;
  to->parent_relative = d->base->relative;
  to->parent_absolute = d->base->absolute;
  to->storage = d->storage == V2V_STORAGE_COPY ? V2V_VM_STORAGE_COPY
                                               : V2V_VM_STORAGE_DIFFERENCING;
}

static int
fill_args (const struct deploy_plan *p, unsigned nr_alike, struct vm_args *a,
           struct v2v_error **err)
{
  const struct v2v_deploy_opts *o = p->opts;

  if (p->disks.len > V2V_ARRAY_SIZE (a->disks))
    return v2v_fail (err, V2V_ERR_USAGE, "%zu disks, expected up to %zu",
                     p->disks.len, V2V_ARRAY_SIZE (a->disks));
  for (size_t i = 0; i < p->disks.len; ++i)
    fill_disk (p, i, &a->disks[i]);
  v2v_guid_parse (p->id, &a->id);
  a->opts.output_dir = o->output_dir;
  a->opts.name = p->name;
  a->opts.exact_name = true;
  a->opts.program_version = o->program_version;
  a->opts.os_id = os_of (p);
  a->opts.disks = a->disks;
  a->opts.nr_disks = p->disks.len;
  a->opts.parent_folder = o->parent_folder;
  a->opts.subformat = o->subformat;
  a->opts.hyperv.id = &a->id;
  a->opts.hyperv.safe_name = p->safe_name;
  a->opts.hardware = p->hardware;
  a->opts.provenance = p->provenance;
  a->opts.copy = o->copy;
  a->opts.no_digest = o->no_digest;
  a->opts.nr_alike = nr_alike;
  a->opts.seed_kind = seed_kind (p);
  /* A name alone is no reason to guess which system could read it. */
  if (p->guest_os != NULL || a->opts.seed_kind != V2V_VM_SEED_AUTO)
    a->opts.seed = p->profile;
  return 0;
}

/* Documents and profile of this machine, whose names are known. */
static int
complete (struct v2v_library *lib, struct deploy_plan *p, bool secrets,
          struct v2v_error **err)
{
  return deploy_apply_settings (p, err) == -1 ||
                 deploy_make_profile (lib, p, secrets, err) == -1
             ? -1
             : 0;
}

static int
begin_one (struct v2v_library *lib, struct deploy_plan *p, unsigned nr_alike,
           struct v2v_error **err)
{
  struct vm_args *a = calloc (1, sizeof *a);
  int r;

  if (a == NULL)
    return v2v_fail_nomem (err);
  r = complete (lib, p, true, err) == -1 ||
              fill_args (p, nr_alike, a, err) == -1
          ? -1
          : v2v_vm_begin (&a->opts, &p->job, err);
  free (a);
  return r;
}

int
deploy_plan_json (struct v2v_library *lib, struct deploy_plan *p, bool secrets,
                  struct v2v_json **ret, struct v2v_error **err)
{
  struct vm_args *a = calloc (1, sizeof *a);
  int r;

  if (a == NULL)
    return v2v_fail_nomem (err);
  r = complete (lib, p, secrets, err) == -1 || fill_args (p, 1, a, err) == -1
          ? -1
          : v2v_vm_plan (&a->opts, ret, err);
  free (a);
  return r;
}

/* ---- bases ---- */

static bool
has_children (const struct work *w, const struct deploy_base *b)
{
  for (size_t i = 0; i < w->nr; ++i)
    for (size_t k = 0; k < w->plans[i].disks.len; ++k)
      if (w->plans[i].disks.ptr[k].base == b &&
          w->plans[i].disks.ptr[k].storage == V2V_STORAGE_DIFFERENCING)
        return true;
  return false;
}

/* A base whose content changes damages all that live on it. */
static int
freeze (struct work *w, struct v2v_error **err)
{
  for (size_t i = 0; i < w->cache.bases.len; ++i) {
    const struct deploy_base *b = w->cache.bases.ptr[i];

    for (size_t k = 0; has_children (w, b) && k < b->chain.len; ++k) {
      CLEANUP_FREE char *path =
          v2v_library_path (w->lib, b->chain.ptr[k], NULL, err);
      struct stat st;

      if (path == NULL)
        return -1;
      /* Another's file, a share that is read-only: it is not for us then. */
      if (stat (path, &st) == -1 ||
          ((st.st_mode & 0222) != 0 &&
           chmod (path, st.st_mode & 07777 & ~(mode_t) 0222) == -1))
        v2v_debug ("library: %s stays writable: %s", path, strerror (errno));
    }
  }
  return 0;
}

/* ---- steps ---- */

static char *
user_name (void)
{
  const struct passwd *pw = getpwuid (geteuid ());
  char *s;

  if (pw != NULL)
    return strdup (pw->pw_name);
  return asprintf (&s, "%u", (unsigned) geteuid ()) == -1 ? NULL : s;
}

static int
check_opts (const struct v2v_deploy_opts *o, struct v2v_error **err)
{
  if (o->host == NULL && (o->output_dir == NULL || o->output_dir[0] == '\0'))
    return v2v_fail (err, V2V_ERR_USAGE, "the output folder has no name");
  if (o->vm_template == NULL && o->nr_disks == 0 && o->clone == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "nothing says what the machine is made of");
  if (o->vm_template != NULL &&
      (o->nr_disks > 0 || o->nr_fields > 0 || o->clone != NULL))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "a template says what its machines have: only its "
                     "settings can be set");
  if (o->name != NULL &&
      lib_check_text ("the name of the machine", o->name, true, err) == -1)
    return -1;
  /* UTF-16 units are at most the bytes of UTF-8. */
  if (o->name != NULL && strlen (o->name) > HYPERV_MAX_NAME)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the name of the machine: %zu bytes, at most %d are taken",
                     strlen (o->name), HYPERV_MAX_NAME);
  return 0;
}

/* The folder as everybody sees it; made, if it is not there. */
static int
settle_folder (struct work *w, struct v2v_error **err)
{
  const char *dir = w->opts[0].output_dir;

  if (w->opts[0].host != NULL) {
    if (deploy_host_folder (w->lib, w->opts[0].host, &w->folder, &w->staged,
                            err) == -1)
      return -1;
  }
  else if (lib_make_folders (dir, err) == -1)
    return -1;
  else if ((w->folder = realpath (dir, NULL)) == NULL)
    return v2v_fail_errno (err, "%s", dir);
  if (!v2v_is_valid_utf8 (w->folder, strlen (w->folder)))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: the path is not UTF-8", dir);
  for (size_t i = 0; i < w->nr; ++i)
    w->opts[i].output_dir = w->folder;
  return 0;
}

static int
resolve_all (struct work *w, struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    struct deploy_plan *p = &w->plans[i];

    p->opts = &w->opts[i];
    if (lib_new_id (p->id, err) == -1 ||
        deploy_resolve (w->lib, &w->cache, p, true, err) == -1 ||
        make_provenance (p, err) == -1)
      return -1;
  }
  return 0;
}

/* All that can be wrong with the first is wrong before anything is taken. */
static int
try_it (struct work *w, struct v2v_error **err)
{
  struct deploy_plan p = { .opts = &w->opts[0] };
  CLEANUP_JSON struct v2v_json *machine = NULL;
  int r;

  memcpy (p.id, w->plans[0].id, sizeof p.id);
  r = deploy_resolve (w->lib, &w->cache, &p, true, err) == -1 ||
              choose_names (w->lib, &p, err) == -1 ||
              deploy_plan_json (w->lib, &p, true, &machine, err) == -1
          ? -1
          : 0;
  deploy_plan_clear (&p);
  return r;
}

/* Names and rows of all, or of none. */
static int
take (struct work *w, struct v2v_error **err)
{
  int r = 0;

  if (v2v_catalogue_begin (w->lib->cat, err) == -1)
    return -1;
  for (size_t i = 0; r == 0 && i < w->nr; ++i)
    r = choose_names (w->lib, &w->plans[i], err) == -1 ||
                deployed_insert (w->lib, &w->plans[i], err) == -1
            ? -1
            : 0;
  if (r == 0 && !w->dry_run)
    return v2v_catalogue_commit (w->lib->cat, err);
  v2v_catalogue_rollback (w->lib->cat);
  return r;
}

/* How children find their bases: on a host from its folder for them, else from
 * DIR/NAME, which is not there yet. */
static int
find_ways (struct work *w, struct v2v_error **err)
{
  struct v2v_host_conn *host = w->opts[0].host;
  CLEANUP_FREE char *child = lib_join (w->folder, "x", err);

  for (size_t i = 0; host != NULL && i < w->cache.bases.len; ++i)
    if (has_children (w, w->cache.bases.ptr[i]) &&
        deploy_host_base (w->lib, host, w->cache.bases.ptr[i], &w->opts[0].copy,
                          err) == -1)
      return -1;
  if (host != NULL)
    return 0;

  for (size_t i = 0; child != NULL && i < w->cache.bases.len; ++i) {
    struct deploy_base *b = w->cache.bases.ptr[i];
    CLEANUP_FREE char *way = v2v_parent_path_between (child, b->path, err);
    const bool beside = way != NULL && strncmp (way, ".\\", 2) == 0;

    if (way == NULL)
      return -1;
    if (asprintf (&b->relative, "..\\%s", way + (beside ? 2 : 0)) == -1) {
      b->relative = NULL;
      return v2v_fail_nomem (err);
    }
  }
  return child == NULL ? -1 : 0;
}

static int
note_made (struct work *w, size_t first, size_t n, struct v2v_error **err)
{
  int r = 0;

  if (v2v_catalogue_begin (w->lib->cat, err) == -1)
    return -1;
  for (size_t i = first; r == 0 && i < first + n; ++i)
    r = deployed_set_state (w->lib, w->plans[i].id, "made", err);
  if (r == 0)
    return v2v_catalogue_commit (w->lib->cat, err);
  v2v_catalogue_rollback (w->lib->cat);
  return -1;
}

static int
give_result (struct deploy_plan *p, struct v2v_vm_result *vm,
             struct v2v_deploy_result *ret, struct v2v_error **err)
{
  *ret = (struct v2v_deploy_result){
    .id = p->opts->dry_run ? NULL : strdup (p->id),
    .name = STEAL (p->name),
    .computer_name =
        p->computer_name != NULL ? STEAL (p->computer_name) : strdup (""),
    .folder = p->opts->host != NULL ? STEAL (p->safe_name) : STEAL (p->folder),
    .provenance = STEAL (p->provenance),
    .report = STEAL (vm->report),
    .text = STEAL (vm->text),
  };
  v2v_vm_result_clear (vm);
  if (ret->computer_name != NULL && (p->opts->dry_run || ret->id != NULL))
    return 0;
  v2v_deploy_result_clear (ret);
  return v2v_fail_nomem (err);
}

/* Files of N machines from FIRST on, all of which are begun. */
static int
publish (struct work *w, size_t first, size_t n, struct v2v_vm_result *vms,
         struct v2v_error **err)
{
  for (size_t i = first; i < first + n; ++i)
    v2v_vm_start_sync (w->plans[i].job);
  for (size_t i = first; i < first + n; ++i)
    if (v2v_vm_sync (w->plans[i].job, err) == -1)
      return -1;
  for (size_t i = first; i < first + n; ++i)
    if (v2v_vm_publish (w->plans[i].job, err) == -1)
      return -1;
  for (size_t i = first; i < first + n; ++i)
    if (v2v_vm_settle (w->plans[i].job, &vms[i - first], err) == -1)
      return -1;
  for (size_t i = first; i < first + n && w->opts[i].host != NULL; ++i)
    if (deploy_host_send (w->opts[i].host, w->plans[i].folder, w->staged,
                          &w->opts[i].copy, err) == -1)
      return v2v_prefix (err, "machine '%s'", w->plans[i].name);
  return note_made (w, first, n, err);
}

/* Rows of machines that did not come to be.  One whose folder has its name is
 * left to the next command, which finds it whole. */
static void
give_up (struct work *w, size_t first)
{
  for (size_t i = first; i < w->nr; ++i) {
    struct deploy_plan *p = &w->plans[i];
    bool made = true, there;

    v2v_vm_job_free (STEAL (p->job));
    if (w->staged) {
      (void) v2v_host_remove_files (p->opts->host, p->safe_name, NULL);
      deployed_forget (w->lib, p->id);
    }
    else if (deployed_is_there (p->folder, p->id, &made, &there, NULL) == 0 &&
             !made)
      deployed_forget (w->lib, p->id);
  }
}

static int
make_batch (struct work *w, size_t first, size_t n,
            struct v2v_deploy_result *ret, size_t *ret_nr,
            struct v2v_error **err)
{
  struct v2v_vm_result vms[BATCH] = { { .folder = NULL } };
  struct v2v_error *late = NULL;
  size_t begun = 0;
  int r = 0;

  while (begun < n &&
         begin_one (w->lib, &w->plans[first + begun],
                    (unsigned) (w->nr - first - begun), &late) == 0)
    begun++;
  /* What is complete stays. */
  if (begun > 0)
    r = publish (w, first, begun, vms, err);
  for (size_t i = 0; i < begun; ++i) {
    if (r == 0)
      r = give_result (&w->plans[first + i], &vms[i], &ret[*ret_nr], err);
    if (r == 0)
      ++*ret_nr;
    v2v_vm_result_clear (&vms[i]);
    v2v_vm_job_free (STEAL (w->plans[first + i].job));
  }
  if (r == -1) {
    v2v_error_free (late);
    return -1;
  }
  return late != NULL ? v2v_error_move (err, late) : 0;
}

static int
tell_plans (struct work *w, struct v2v_deploy_result *ret, size_t *ret_nr,
            struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr; ++i) {
    struct v2v_vm_result vm = { .folder = NULL };

    if (deploy_plan_json (w->lib, &w->plans[i], true, &vm.report, err) == -1 ||
        give_result (&w->plans[i], &vm, &ret[i], err) == -1)
      return -1;
    ++*ret_nr;
  }
  return 0;
}

static int
make_all (struct work *w, struct v2v_deploy_result *ret, size_t *ret_nr,
          struct v2v_error **err)
{
  if (resolve_all (w, err) == -1 || try_it (w, err) == -1 ||
      (!w->dry_run && settle_folder (w, err) == -1) || take (w, err) == -1)
    return -1;
  if (w->dry_run)
    return tell_plans (w, ret, ret_nr, err);
  if (freeze (w, err) == -1 || find_ways (w, err) == -1) {
    give_up (w, 0);
    return -1;
  }
  for (size_t i = 0; i < w->nr; i += BATCH) {
    const size_t n = w->nr - i < BATCH ? w->nr - i : BATCH;
    const size_t before = *ret_nr;

    if (make_batch (w, i, n, ret, ret_nr, err) == -1) {
      give_up (w, i + (*ret_nr - before));
      return -1;
    }
  }
  return 0;
}

int
v2v_deploy_many (struct v2v_library *lib, const struct v2v_deploy_opts *opts,
                 size_t nr, struct v2v_deploy_result *ret, size_t *ret_nr,
                 struct v2v_error **err)
{
  struct work w = { .lib = lib, .nr = nr, .owner = user_name () };
  int r = -1;

  *ret_nr = 0;
  if (nr == 0) {
    free (w.owner);
    return 0;
  }
  w.plans = calloc (nr, sizeof *w.plans);
  w.opts = calloc (nr, sizeof *w.opts);
  if (w.plans == NULL || w.opts == NULL || w.owner == NULL) {
    v2v_fail_nomem (err);
    goto out;
  }
  memcpy (w.opts, opts, nr * sizeof *opts);
  w.dry_run = opts[0].dry_run;
  for (size_t i = 0; i < nr; ++i) {
    if (check_opts (&w.opts[i], err) == -1)
      goto out;
    if (opts[i].host != opts[0].host || opts[i].dry_run != w.dry_run ||
        (opts[i].host == NULL &&
         strcmp (opts[i].output_dir, opts[0].output_dir) != 0)) {
      v2v_fail (err, V2V_ERR_USAGE, "machines of one call have one folder");
      goto out;
    }
    if (w.opts[i].owner == NULL)
      w.opts[i].owner = w.owner;
    if (opts[i].host != NULL)
      w.opts[i].output_dir = v2v_host_of (opts[i].host)->path;
  }
  r = make_all (&w, ret, ret_nr, err);
out:
  for (size_t i = 0; w.plans != NULL && i < nr; ++i)
    deploy_plan_clear (&w.plans[i]);
  deploy_cache_clear (&w.cache);
  if (w.staged && v2v_library_work_done (w.folder, NULL) == -1)
    v2v_debug ("library: %s stays", w.folder);
  free (w.plans);
  free (w.opts);
  free (w.owner);
  free (w.folder);
  return r;
}

int
v2v_deploy (struct v2v_library *lib, const struct v2v_deploy_opts *opts,
            struct v2v_deploy_result *ret, struct v2v_error **err)
{
  size_t n;

  memset (ret, 0, sizeof *ret);
  return v2v_deploy_many (lib, opts, 1, ret, &n, err);
}
