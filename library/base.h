/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bases: disks of the library that others are built on.  A base is never
 * changed: what is merged, flattened or put on another parent is a new object,
 * and what needed the old one needs the new one from then on.
 */
#ifndef V2V_BASE_H
#define V2V_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/findings.h"
#include "library/library.h"

/* ---- what hangs on an object ---- */

/* One that would be lost with it. */
struct v2v_dependent {
  char *what; /* the kind of an object, "machine" or "service" */
  char *id;
  char *name;
  char *place; /* of a machine: its host, or its folder; else "" */
};
struct v2v_dependents {
  struct v2v_dependent *ptr;
  size_t len;
};
void v2v_dependents_clear (struct v2v_dependents *d);
#define CLEANUP_DEPENDENTS __attribute__ ((cleanup (v2v_dependents_clear)))
/* All that needs the object ID, by way of others too: objects, machines that
 * were deployed, services that these belong to. */
int v2v_library_dependents (struct v2v_library *lib, const char *id,
                            struct v2v_dependents *ret, struct v2v_error **err);
struct v2v_json *v2v_dependents_to_json (const struct v2v_dependents *d);

/* ---- bases ---- */

/* An object with this tag stays: gc leaves it, rm asks for --force. */
#define V2V_TAG_PINNED "pinned"

struct v2v_base {
  char *id;
  char *name;
  char *format;
  char *parent; /* id of the disk that it is built on itself, or "" */
  uint64_t size_bytes, virtual_bytes;
  enum v2v_location_state state;
  bool enabled, pinned;
  int64_t created;
  uint64_t nr_children; /* disks of the library on it */
  uint64_t nr_users;    /* other objects that need it: templates, VMs */
  uint64_t nr_machines; /* deployed on it */
  uint64_t nr_copies;   /* shares with all of it, well when last looked at */
  uint64_t nr_hosts;    /* that have a copy, too */
};
struct v2v_json *v2v_base_to_json (const struct v2v_base *b);

enum v2v_base_filter {
  V2V_BASE_IN_USE, /* a child, a machine or a template is on it; or pinned */
  V2V_BASE_UNUSED, /* a disk that nothing needs, and that is not pinned */
};
/* Called for each by name; borrowed during the call.  Nonzero stops. */
typedef int v2v_base_fn (void *arg, const struct v2v_base *b,
                         struct v2v_error **err);
int v2v_base_each (struct v2v_library *lib, enum v2v_base_filter filter,
                   v2v_base_fn *fn, void *arg, struct v2v_error **err);
/* The disk ID, whether it is in use or not. */
int v2v_base_get (struct v2v_library *lib, const char *id, v2v_base_fn *fn,
                  void *arg, struct v2v_error **err);
/* What is to be worried about.  0 or -1 (out of memory, ERR not set). */
int v2v_base_findings (const struct v2v_base *b, struct v2v_findings *f);

int v2v_base_pin (struct v2v_library *lib, const char *id, bool pin,
                  struct v2v_error **err);

/* Remove disks that nothing needs and that are older than AGE_SECONDS; then
 * their parents, if nothing else needs them.  What lies on hosts, too, stays
 * until it is gone there.  FN is told "removed" or "kept". */
int v2v_base_gc (struct v2v_library *lib, uint64_t age_seconds,
                 const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                 void *arg, struct v2v_upkeep_result *ret,
                 struct v2v_error **err);

struct v2v_host_conn; /* hosts.h */
/* Remove bases from a host that no machine there needs, nor another base
 * there; pinned ones stay.  FN is told "removed", "kept", and "unknown" of
 * files that are not of this catalogue: they stay. */
int v2v_base_gc_host (struct v2v_library *lib, struct v2v_host_conn *conn,
                      const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                      void *arg, struct v2v_upkeep_result *ret,
                      struct v2v_error **err);

/* ---- changes of a chain ---- */

struct v2v_base_opts {
  const char *name;  /* of the new object; NULL: as the old one */
  const char *share; /* NULL: where the old one is */
  bool keep;         /* the old object stays, and what needs it on it; the new
                        one has an identity of its own */
  struct v2v_copy_opts copy;
};
struct v2v_base_result {
  char *id;       /* of the new object */
  bool known;     /* it was there already */
  bool removed;   /* the old one is gone */
  char *kept_by;  /* why not: one sentence, or NULL */
  uint64_t moved; /* objects that need the new one from now on */
};
void v2v_base_result_clear (struct v2v_base_result *r);

/* All of the chain of the disk ID in one, without a parent. */
int v2v_base_flatten (struct v2v_library *lib, const char *id,
                      const struct v2v_base_opts *opts,
                      struct v2v_base_result *ret, struct v2v_error **err);
/* The disk ID and its parent in one, on the parent of that. */
int v2v_base_merge (struct v2v_library *lib, const char *id,
                    const struct v2v_base_opts *opts,
                    struct v2v_base_result *ret, struct v2v_error **err);
/* The disk ID on PARENT, which must have the contents of the parent that was
 * (V2V_ERR_MISMATCH if not). */
int v2v_base_rebase (struct v2v_library *lib, const char *id,
                     const char *parent, const struct v2v_base_opts *opts,
                     struct v2v_base_result *ret, struct v2v_error **err);

#endif /* V2V_BASE_H */
