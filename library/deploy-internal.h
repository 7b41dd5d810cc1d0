/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files that deploy.
 *
 *   deploy.c            the order of the steps
 *   deploy-template.c   template, profiles and disks: which objects are meant
 *   deploy-clone.c      a machine of the library in place of a template
 *   deploy-settings.c   what the deployer sets, in documents and their texts
 *   deploy-guest.c      the profile of the guest, its seed, addresses
 *   deploy-host.c       machines that go to a host
 *   deploy-drift.c      a machine against its template
 *   deployed.c          rows of machines
 *   deployed-change.c   changing and removing them
 *   deployed-recover.c  what processes that died have left
 */
#ifndef V2V_DEPLOY_INTERNAL_H
#define V2V_DEPLOY_INTERNAL_H

#include "formats/evidence.h"
#include "library/deploy.h"
#include "library/document-internal.h"
#include "library/library-internal.h"
#include "library/vm.h"

/* ---- deploy-template.c ---- */

/* A disk object that is open, with all its parents, and what it holds: used
 * by all machines of one call. */
struct deploy_base {
  char *id;
  char *path;
  /* From the folder of a machine, as Windows writes it; on a host also the
   * path of its own. */
  char *relative, *absolute;
  struct v2v_image *image;
  struct v2v_disk_evidence evidence;
  struct v2v_object object;
  lib_strings chain; /* ids: its own, its parents' */
};
V2V_VECTOR (deploy_bases, struct deploy_base *);

/* Documents that were read: by what they were called. */
struct deploy_document {
  char *ref;
  char *id, *name, *version, *digest;
  struct v2v_document *document;
};
V2V_VECTOR (deploy_documents, struct deploy_document *);

/* What one call keeps. */
struct deploy_cache {
  deploy_bases bases;
  deploy_documents documents;
};
void deploy_cache_clear (struct deploy_cache *c);

/* One disk of the machine. */
struct deploy_disk {
  struct deploy_base *base; /* NULL = blank */
  unsigned storage;         /* enum v2v_template_storage */
  uint64_t size_bytes;      /* of a blank one */
  bool boot, placed;
  struct v2v_hyperv_place place;
};
V2V_VECTOR (deploy_disks, struct deploy_disk);

/* One machine, before it is made. */
struct deploy_plan {
  const struct v2v_deploy_opts *opts;
  const struct deploy_document *vm_template; /* NULL = none; of the cache */
  /* Of this machine: with its settings. */
  struct v2v_document *hardware, *guest_os;
  const struct deploy_document *hardware_from, *guest_os_from, *capability;
  char **values; /* of the template's settings, in their order */
  deploy_disks disks;
  bool generalized, windows;
  char *pattern; /* of computer names; NULL = none */
  struct v2v_json *reasons;
  char id[37];
  char *computer_name, *name, *safe_name, *folder;
  struct v2v_profile *profile; /* the seed, or NULL */
  struct v2v_json *provenance;
  struct v2v_vm_job *job;
};
void deploy_plan_clear (struct deploy_plan *p);

/* Template, profiles and disks of P.  WITH_GUEST: the guest's as well. */
int deploy_resolve (struct v2v_library *lib, struct deploy_cache *cache,
                    struct deploy_plan *p, bool with_guest,
                    struct v2v_error **err);
/* The disk object ID, opened; kept in CACHE. */
int deploy_load_base (struct v2v_library *lib, struct deploy_cache *cache,
                      const char *id, struct deploy_base **ret,
                      struct v2v_error **err);
/* A sentence for the provenance. */
int deploy_reason (struct deploy_plan *p, struct v2v_error **err,
                   const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));

/* ---- deploy-clone.c ---- */

/* Hardware (unless there is one) and disks of the machine ID of the library. */
int deploy_clone (struct v2v_library *lib, struct deploy_cache *cache,
                  struct deploy_plan *p, const char *id,
                  struct v2v_error **err);

/* ---- deploy-host.c ---- */

/* Where machines for HOST are made: its folder, where this process can write to
 * it, else one of our own in the library (*RET_STAGED). */
int deploy_host_folder (struct v2v_library *lib, struct v2v_host_conn *host,
                        char **ret, bool *ret_staged, struct v2v_error **err);
/* B and its parents are on HOST; children store the paths that it has there. */
int deploy_host_base (struct v2v_library *lib, struct v2v_host_conn *host,
                      struct deploy_base *b, const struct v2v_copy_opts *copy,
                      struct v2v_error **err);
/* The machine in FOLDER goes to HOST; STAGED: it is not there yet. */
int deploy_host_send (struct v2v_host_conn *host, const char *folder,
                      bool staged, const struct v2v_copy_opts *copy,
                      struct v2v_error **err);
/* Where the machine FOLDER of the host NAME is for this process; *RET is NULL
 * when nothing here tells.  The caller frees. */
int deploy_host_path (struct v2v_library *lib, const char *name,
                      const char *folder, char **ret, struct v2v_error **err);

/* ---- deploy-settings.c ---- */

/* What is in the place of @NAME@. */
struct deploy_words {
  const struct v2v_document *declares; /* settings; NULL = none */
  char *const *values;                 /* of each */
  const char *computer_name, *name;
  unsigned ordinal;
};
/* TEXT with @NAME@ and @ORDINAL+N@ replaced; the caller frees.  An '@' that
 * encloses no name that is known stays. */
char *deploy_expand (const char *text, const struct deploy_words *w,
                     struct v2v_error **err);
/* Fields and texts of both documents of P, and what the capability profile
 * says to them. */
int deploy_apply_settings (struct deploy_plan *p, struct v2v_error **err);
/* The settings as the provenance has them: secrets are null. */
struct v2v_json *deploy_settings_json (const struct deploy_plan *p);

/* ---- deploy-guest.c ---- */

/* The adapters of P->guest_os have addresses of this machine's own; those of
 * P->hardware get them. */
int deploy_guest_addresses (struct deploy_plan *p, struct v2v_error **err);
int deploy_hardware_addresses (struct deploy_plan *p, struct v2v_error **err);
/* P->profile; with SECRETS the files that it names are read. */
int deploy_make_profile (struct v2v_library *lib, struct deploy_plan *p,
                         bool secrets, struct v2v_error **err);

/* ---- deployed.c, deployed-change.c ---- */

/* In a transaction: the next free name of PATTERN. */
int deployed_next_name (struct v2v_library *lib, const char *pattern,
                        bool windows, char **ret, struct v2v_error **err);
/* In a transaction: the rows of P, in state "planned" and ours. */
int deployed_insert (struct v2v_library *lib, const struct deploy_plan *p,
                     struct v2v_error **err);
/* In a transaction. */
int deployed_set_state (struct v2v_library *lib, const char *id,
                        const char *state, struct v2v_error **err);
int deployed_delete (struct v2v_library *lib, const char *id,
                     struct v2v_error **err);
/* The rows of those that did not come to be. */
void deployed_forget (struct v2v_library *lib, const char *id);
/* Is FOLDER the machine ID's: does its description say so?  *RET is false
 * also when it is not there; *RET_THERE says whether what it lies in is. */
int deployed_is_there (const char *folder, const char *id, bool *ret,
                       bool *ret_there, struct v2v_error **err);
/* Of a machine that is whole: remove what a run that died has left beside its
 * folder. */
int deployed_tidy (const char *folder, struct v2v_error **err);
/* Remove the folder of ID, and what a run that died has left beside it. */
int deployed_remove_files (const char *folder, const char *id,
                           struct v2v_error **err);

/* ---- deploy.c ---- */

/* NAME.json as it would be.  With SECRETS all is read that a seed needs. */
int deploy_plan_json (struct v2v_library *lib, struct deploy_plan *p,
                      bool secrets, struct v2v_json **ret,
                      struct v2v_error **err);
/* P->name and what follows from it, out of P->computer_name. */
int deploy_name_machine (struct deploy_plan *p, struct v2v_error **err);

#endif /* V2V_DEPLOY_INTERNAL_H */
