/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of services.
 *
 *   service-settings.c   @NAME@
 *   service-addresses.c  addresses of a tier
 *   service-layout.c     which machines there are to be
 *   service-steps.c      the steps that lead there
 *   service-network.c    HAProxy, zone
 *   service-resolve.c    objects that tiers refer to
 *   service-store.c      rows of the catalogue
 *   service-run.c        steps are done, or undone
 *   service-plan.c       what is planned
 *   service-act.c        what steps really do
 *   service-host.c       which host, and how machines are there
 *   service-show.c       as JSON
 *   service.c            the operations
 */
#ifndef V2V_SERVICE_INTERNAL_H
#define V2V_SERVICE_INTERNAL_H

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/deploy.h"
#include "library/hosts.h"
#include "library/library-internal.h"
#include "library/service.h"

/* ---- service-addresses.c ----
 *
 * POOL: "10.0.20.11/24-10.0.20.19, 10.0.20.40/24", both families. */

/* A /16 of IPv4: more machines than all tiers can have. */
#define SERVICE_MAX_ADDRESSES 65536
int service_pool_count (const char *pool, size_t *ret, struct v2v_error **err);
/* Number N, from 0, with its prefix length: "10.0.20.11/24". */
int service_pool_nth (const char *pool, size_t n, char **ret,
                      struct v2v_error **err);
/* ADDRESS without prefix length, in its canonical form: 4 or 6 for its family,
 * 0 if it is no address. */
int service_address (const char *address, char ret[64]);

/* ---- service-layout.c ---- */

/* What is known of a tier besides what its template says. */
struct service_tier {
  const struct v2v_tier *tier; /* borrowed, of the expanded document */
  char *pattern;               /* of computer names */
  bool windows;
  char *vm_template;     /* id of the object */
  char *template_digest; /* of it */
  char *hardware;        /* ids, or NULL: what the VM template says */
  char *guest_os;
  char *fingerprint; /* of all that makes a machine what it is */
  char **scripts;    /* ids, one for each script of the tier */
};
struct service_tiers {
  struct service_tier *ptr;
  size_t len;
};
void service_tiers_clear (struct service_tiers *t);
const struct service_tier *service_tier_find (const struct service_tiers *t,
                                              const char *name);
/* The tier's limits, with what they are when the template does not say. */
struct service_limits {
  unsigned minimum, instances, maximum, domains;
};
struct service_limits service_limits (const struct v2v_tier *t);
/* The pattern for machines of T, whose VM template has FROM_TEMPLATE (may be
 * NULL); the caller frees. */
char *service_pattern (const char *service, const char *prefix,
                       const struct v2v_tier *t, const char *from_template,
                       struct v2v_error **err);

struct v2v_service_machine *
service_machine_add (struct v2v_service_machines *list, const char *tier,
                     unsigned ordinal, struct v2v_error **err);
int service_machine_copy (struct v2v_service_machines *list,
                          const struct v2v_service_machine *m,
                          struct v2v_error **err);
/* Machines of TIER in LIST. */
unsigned service_count (const struct v2v_service_machines *list,
                        const char *tier);

/* Machines as they are to be, in the order in which they are made: tiers by
 * their order, then ordinals.  COUNTS has one number for each tier.  Machines
 * of EXISTING stay with their names, and those with the highest ordinals are
 * the first that are left out.  TAKEN: names that others have. */
int service_layout (const struct service_tiers *tiers, const unsigned *counts,
                    const struct v2v_service_machines *existing,
                    const char *const *taken, struct v2v_service_machines *ret,
                    struct v2v_error **err);

/* ---- service-steps.c ---- */

/* The steps from OLD to NEW.  OLD_TIERS (NULL for deploy and scale): what the
 * fingerprints were, as an object of JSON by the name of the tier.  ACTING:
 * machines are started and stopped. */
struct service_change {
  enum v2v_service_operation operation;
  const struct service_tiers *tiers;
  const struct v2v_service_machines *old, *new;
  const struct v2v_json *old_fingerprints;
  bool acting, network;
};
/* Takes over DETAIL, also when it fails. */
int service_step_add (struct v2v_service_steps *list, const char *kind,
                      const char *subject, const char *state,
                      struct v2v_json *detail, struct v2v_error **err);
int service_steps (const struct service_change *c,
                   struct v2v_service_steps *ret, struct v2v_error **err);

/* ---- service-store.c ----
 *
 * service.settings is JSON: "current" and "next" (what an operation is about
 * to make of it), each with "template" (the text of the XML), "template_id",
 * "template_digest", "values", "counts", "fingerprints"; "operation";
 * "place" (where its machines are). */

struct service_row {
  char *id, *name, *state;
  struct v2v_json *settings;
  char *owner;
  int64_t created;
};
void service_row_clear (struct service_row *r);
#define CLEANUP_SERVICE_ROW __attribute__ ((cleanup (service_row_clear)))
/* REF: name or id.  V2V_ERR_USAGE if there is none. */
int service_row_find (struct v2v_library *lib, const char *ref,
                      struct service_row *ret, struct v2v_error **err);
/* Its machines by tier and ordinal, whatever their state. */
int service_read_machines (struct v2v_library *lib, const char *id,
                           struct v2v_service_machines *ret,
                           struct v2v_error **err);
int service_read_steps (struct v2v_library *lib, const char *id,
                        struct v2v_service_steps *ret, struct v2v_error **err);
/* Names of computers that anybody has, NULL-terminated; v2v_guest_free_list.
 */
int service_taken_names (struct v2v_library *lib, char ***ret,
                         struct v2v_error **err);

/* Work on the service ID is ours until unlocked, or until we are gone; while
 * another process has it: V2V_ERR_USAGE. */
struct service_lock {
  struct lib_intent intent;
};
int service_lock (struct v2v_library *lib, const char *id,
                  struct service_lock *ret, struct v2v_error **err);
void service_unlock (struct v2v_library *lib, struct service_lock *lock);

/* One transaction: the row of PLAN (a new one to deploy), its state and its
 * steps. */
int service_begin (struct v2v_library *lib, const struct v2v_service_plan *plan,
                   struct v2v_error **err);
int service_step_state (struct v2v_library *lib, const char *id, size_t seq,
                        const char *state, const struct v2v_json *detail,
                        struct v2v_error **err);
/* The operation is over: SETTINGS is what is valid now; NULL: the row goes. */
int service_end (struct v2v_library *lib, const char *id,
                 const struct v2v_json *settings, struct v2v_error **err);

/* ---- service-run.c ----
 *
 * The engine knows the order and what was done already; what is done it has
 * from these.  DETAIL is that of the step. */

struct service_actions {
  /* *RET_ID: of the new machine. */
  int (*create) (void *arg, const struct v2v_json *detail, char **ret_id,
                 struct v2v_error **err);
  /* To its host; nothing happens when it is there. */
  int (*send) (void *arg, const char *id, const char *host,
               struct v2v_error **err);
  int (*remove) (void *arg, const char *id, struct v2v_error **err);
  int (*start) (void *arg, const char *id, struct v2v_error **err);
  int (*stop) (void *arg, const char *id, struct v2v_error **err);
  int (*script) (void *arg, const struct v2v_json *detail,
                 struct v2v_error **err);
  /* DOCUMENT NULL: that of the operation; MACHINES NULL: there are none any
   * more. */
  int (*network) (void *arg, const struct v2v_document *document,
                  const struct v2v_service_machines *machines,
                  struct v2v_error **err);
  void *arg;
  v2v_service_tell_fn *tell; /* or NULL */
  void *tell_arg;
  const atomic_bool *cancel; /* or NULL */
};
/* Do the steps of the service ID that are not done, and end its operation. */
int service_run (struct v2v_library *lib, const char *id,
                 const struct service_actions *actions, struct v2v_error **err);
/* Undo those that are, last first, and end its operation. */
int service_run_back (struct v2v_library *lib, const char *id,
                      const struct service_actions *actions,
                      struct v2v_error **err);
/* Domains and addresses after the tiers of DOCUMENT. */
int service_finish_machines (const struct v2v_document *document,
                             struct v2v_service_machines *machines,
                             struct v2v_error **err);

/* ---- service-plan.c ---- */

/* The template in STATE ("current" or "next" of a row), as it was given. */
struct v2v_document *service_template (const struct v2v_json *state,
                                       struct v2v_error **err);
/* The values of its settings; v2v_guest_free_list. */
int service_values (const struct v2v_document *template,
                    const struct v2v_json *state, char ***ret,
                    struct v2v_error **err);
/* Both together: with the values put in. */
struct v2v_document *service_document (const struct v2v_json *state,
                                       struct v2v_error **err);

/* ---- service-act.c ---- */

/* What is really done: machines by deploy.h, files of the network, scripts.
 * Freed with service_act_free. */
struct service_act;
struct service_act *service_act_new (struct v2v_library *lib,
                                     const struct service_row *row,
                                     const struct v2v_service_opts *opts,
                                     struct service_actions *ret,
                                     struct v2v_error **err);
void service_act_free (struct service_act *a); /* accepts NULL */
/* Would the step "create" with DETAIL go well?  Nothing is written. */
int service_act_try (struct service_act *a, const struct v2v_json *detail,
                     struct v2v_error **err);

/* ---- service-host.c ---- */

/* Give each machine that has neither id nor host a host. */
int service_place (struct v2v_library *lib, const struct v2v_hosts *hosts,
                   const char *service, const struct service_tiers *tiers,
                   const char *name_space,
                   struct v2v_service_machines *machines,
                   struct v2v_error **err);
/* The hosts of a service with these SETTINGS; none, unless it acts on any. */
int service_load_hosts (struct v2v_library *lib,
                        const struct v2v_json *settings, struct v2v_hosts *ret,
                        bool *ret_acting, struct v2v_error **err);
/* The machine ID and its host; *RET is NULL when it is in a folder. */
int service_open_host (struct v2v_library *lib, const struct v2v_hosts *hosts,
                       const char *id, struct v2v_deployed *ret_machine,
                       struct v2v_host_conn **ret, struct v2v_error **err);

/* ---- service-resolve.c ---- */

/* The object of KIND that R means now; *RET_REASON (may be NULL) says why
 * where there was a choice, else it is NULL. */
int service_resolve (struct v2v_library *lib, enum v2v_object_kind kind,
                     const struct v2v_reference *r, const char *name_space,
                     char **ret_id, char **ret_reason, struct v2v_error **err);
/* The tiers of DOCUMENT (expanded with VALUES) with their objects; reasons are
 * added to REASONS. */
int service_resolve_tiers (struct v2v_library *lib, const char *service,
                           const struct v2v_document *document,
                           char *const *values, const char *name_space,
                           struct service_tiers *ret, lib_strings *reasons,
                           struct v2v_error **err);
/* Settings for the VM template TEMPLATE: those that the service has too, and
 * ADDRESS (may be NULL).  Borrowed from all of the arguments; *RET is the
 * caller's. */
int service_settings_for (const struct v2v_document *vm,
                          const struct v2v_service_template *service,
                          char *const *values, const char *address,
                          struct v2v_setting_value **ret, size_t *ret_nr,
                          struct v2v_error **err);

#endif /* V2V_SERVICE_INTERNAL_H */
