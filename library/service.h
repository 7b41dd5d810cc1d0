/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services: machines of several tiers out of one service template, and what
 * stands in front of them.
 *
 * Each change of a service (deploy, scale, update, delete) is a plan first: a
 * list of steps that can be looked at.  Executing it notes all the steps in
 * the catalogue before the first is done, and each as it is done, so that what
 * was interrupted can be resumed or rolled back by anybody.
 *
 *   v2v_service_plan_deploy (lib, opts, &plan, err)
 *   v2v_service_execute (lib, plan, opts, err)
 */
#ifndef V2V_SERVICE_H
#define V2V_SERVICE_H

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "library/document.h"
#include "library/library.h"

/* ---- plans ---- */

enum v2v_service_operation {
  V2V_SERVICE_DEPLOY,
  V2V_SERVICE_SCALE,
  V2V_SERVICE_UPDATE,
  V2V_SERVICE_DELETE,
};
/* "deploy" ... */
const char *v2v_service_operation_name (enum v2v_service_operation op);

/* One machine of a service, made or planned. */
struct v2v_service_machine {
  char *tier;
  unsigned ordinal;    /* of the tier, from 1 */
  unsigned domain;     /* of upgrades, from 1 */
  char *computer_name; /* with its domain, if it has one */
  char *address;       /* "10.0.0.11/24", or NULL: not known */
  char *host;          /* name, or NULL: a folder */
  char *host_reason;   /* why that one, or NULL */
  char *id;            /* of its row, or NULL: not made yet */
  char *state;         /* of its row, or NULL */
};
struct v2v_service_machines {
  struct v2v_service_machine *ptr;
  size_t len, cap;
};
void v2v_service_machines_clear (struct v2v_service_machines *m);

/* KIND: "retire" (make room for its successor), "create", "send" (to its
 * host), "start", "script", "stop", "remove", "network" (load balancer and
 * zone).  STATE: "planned",
 * "running", "done", "failed". */
struct v2v_service_step {
  char *kind;
  char *subject; /* the machine's name, or the script's and the machine's */
  char *state;
  struct v2v_json *detail;
};
struct v2v_service_steps {
  struct v2v_service_step *ptr;
  size_t len, cap;
};
void v2v_service_steps_clear (struct v2v_service_steps *s);

struct v2v_service_plan {
  enum v2v_service_operation operation;
  char *id;   /* of the service */
  char *name; /* of the service */
  /* The template with the values of its settings put in; NULL: delete. */
  struct v2v_document *document;
  struct v2v_service_machines machines; /* as they are afterwards */
  struct v2v_service_steps steps;
  struct v2v_document_changes changes; /* update: of the template */
  char **reasons;                      /* why what was chosen; ends in NULL */
  char *settings; /* JSON for the row: what the next plan begins with */
  char *template_id, *template_digest;
};
void v2v_service_plan_free (struct v2v_service_plan *p); /* accepts NULL */
/* Members operation, service, machines, steps, changes, reasons. */
struct v2v_json *v2v_service_plan_to_json (const struct v2v_service_plan *p);

static inline void
v2v_cleanup_service_plan (struct v2v_service_plan **p)
{
  v2v_service_plan_free (*p);
}
#define CLEANUP_SERVICE_PLAN                                                   \
  __attribute__ ((cleanup (v2v_cleanup_service_plan)))

/* ---- operations ---- */

/* Called before a step (DONE false) and after it. */
typedef void v2v_service_tell_fn (void *arg, size_t number, size_t nr_steps,
                                  const struct v2v_service_step *step,
                                  bool done);

/* How many machines a tier has. */
struct v2v_service_tier_count {
  const char *tier;
  unsigned count;
};

/* Zeroed = defaults.  Strings are borrowed. */
struct v2v_service_opts {
  const char *name;                    /* deploy; NULL = the template's */
  const struct v2v_document *document; /* deploy, update: the template */
  const char *document_id;             /* object it came from, or NULL */
  const struct v2v_setting_value *settings;
  size_t nr_settings;
  const struct v2v_service_tier_count *counts;
  size_t nr_counts;
  /* deploy: where machines are made; the two files of the network
   * (NAME-haproxy.cfg, NAME.zone) are put there too. */
  const char *output_dir;
  /* deploy: machines go to hosts of this file, and are started there; NULL:
   * they stay where they are made. */
  const char *hosts_file;
  const char *name_space; /* for what a family names; NULL = "" */
  bool no_scripts;        /* delete: without those of the phase "remove" */
  const char *program_version;
  struct v2v_copy_opts copy;
  v2v_service_tell_fn *tell;
  void *tell_arg;
};

/* What would be done; nothing is written. */
int v2v_service_plan_deploy (struct v2v_library *lib,
                             const struct v2v_service_opts *opts,
                             struct v2v_service_plan **ret,
                             struct v2v_error **err);
/* Other numbers of machines: those of OPTS->counts. */
int v2v_service_plan_scale (struct v2v_library *lib, const char *service,
                            const struct v2v_service_opts *opts,
                            struct v2v_service_plan **ret,
                            struct v2v_error **err);
/* OPTS->document (NULL: the template it has) with its settings and those of
 * OPTS, and objects as they are now: machines of tiers that are not what they
 * should be are replaced. */
int v2v_service_plan_update (struct v2v_library *lib, const char *service,
                             const struct v2v_service_opts *opts,
                             struct v2v_service_plan **ret,
                             struct v2v_error **err);
int v2v_service_plan_delete (struct v2v_library *lib, const char *service,
                             const struct v2v_service_opts *opts,
                             struct v2v_service_plan **ret,
                             struct v2v_error **err);

/* Would a machine of each tier that gets new ones be made?  All that is known
 * before: profiles, limits, disks, settings.  Nothing is written. */
int v2v_service_check (struct v2v_library *lib,
                       const struct v2v_service_plan *plan,
                       const struct v2v_service_opts *opts,
                       struct v2v_error **err);
/* Check, note the steps, and do them.  What was done stays when one fails. */
int v2v_service_execute (struct v2v_library *lib,
                         const struct v2v_service_plan *plan,
                         const struct v2v_service_opts *opts,
                         struct v2v_error **err);
/* Go on with the steps that are left. */
int v2v_service_resume (struct v2v_library *lib, const char *service,
                        const struct v2v_service_opts *opts,
                        struct v2v_error **err);
/* Take back what was done of an operation that has not ended; refused when
 * machines that were there before are gone already. */
int v2v_service_rollback (struct v2v_library *lib, const char *service,
                          const struct v2v_service_opts *opts,
                          struct v2v_error **err);

/* ---- services that are there ---- */

struct v2v_service {
  char *id, *name;
  char *state; /* "deployed", "deploying", "scaling", "updating", "deleting" */
  char *template_name;
  int64_t template_version; /* -1: none */
  char *owner;
  int64_t created;
  struct v2v_document *document; /* with the values of its settings */
  struct v2v_service_machines machines;
  struct v2v_service_steps steps; /* of its last operation */
};
void v2v_service_clear (struct v2v_service *s); /* a zeroed one is fine */
struct v2v_json *v2v_service_to_json (const struct v2v_service *s);
#define CLEANUP_SERVICE __attribute__ ((cleanup (v2v_service_clear)))

int v2v_service_show (struct v2v_library *lib, const char *service,
                      struct v2v_service *ret, struct v2v_error **err);
/* The same, and how its machines are now: "running", "off", "absent",
 * "unknown" on a host; "unreachable" (host_reason says why); "there" or
 * "missing" of a folder.  *RET_BAD: how many are neither running nor there. */
int v2v_service_refresh (struct v2v_library *lib, const char *service,
                         struct v2v_service *ret, size_t *ret_bad,
                         struct v2v_error **err);
/* Called for each, by name, without document, machines and steps. */
typedef int v2v_service_fn (void *arg, const struct v2v_service *s,
                            unsigned nr_machines, struct v2v_error **err);
int v2v_service_each (struct v2v_library *lib, v2v_service_fn *fn, void *arg,
                      struct v2v_error **err);

/* ---- load balancer and names ---- */

/* The configuration of HAProxy for SERVICE, the name of which is NAME: a
 * frontend and a backend for each port.  A machine without an address is told
 * by its name.  Host names, addresses and paths that the file's syntax cannot
 * hold are V2V_ERR_USAGE. */
int v2v_service_haproxy (const char *name,
                         const struct v2v_service_template *service,
                         const struct v2v_service_machines *machines,
                         char **ret, struct v2v_error **err);
/* Address records of the machines and of the load balancer, to be included
 * ($INCLUDE) into a zone: names with a domain are complete, others are
 * relative to that zone. */
int v2v_service_zone (const char *name,
                      const struct v2v_service_template *service,
                      const struct v2v_service_machines *machines, char **ret,
                      struct v2v_error **err);

/* ---- settings ---- */

/* A copy of the service template TEMPLATE with the VALUES of its settings
 * (v2v_settings_resolve) in place of each @NAME@, checked again. */
struct v2v_document *v2v_service_expand (const struct v2v_document *template,
                                         char *const *values,
                                         struct v2v_error **err);

#endif /* V2V_SERVICE_H */
