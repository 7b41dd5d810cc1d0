/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines out of templates and objects of a library.
 *
 * What is deployed has a row in the catalogue from before its first file is
 * written until it is removed: with the objects its disks cannot be without
 * (they cannot be removed meanwhile) and with its computer name, which nobody
 * else gets.  A process that dies leaves a machine or none: the next that
 * opens the library finishes or takes back what it began.
 */
#ifndef V2V_DEPLOY_H
#define V2V_DEPLOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "library/document.h"
#include "library/hosts.h"
#include "library/library.h"
#include "library/templates.h"

/* ---- making machines ---- */

/* A disk of a machine without a template. */
struct v2v_deploy_disk {
  const char *object; /* of the library; NULL = blank */
  enum v2v_template_storage storage;
  uint64_t size_bytes; /* of a blank one */
};

/* Zeroed = defaults.  Strings are borrowed.  Objects are named as
 * v2v_library_find takes them. */
struct v2v_deploy_opts {
  const char *vm_template;
  const struct v2v_deploy_disk *disks; /* or these */
  size_t nr_disks;
  /* Or a machine of the library (an object of kind vm): its hardware, and its
   * disks, copied or as bases. */
  const char *clone;
  bool clone_differencing;
  /* Without a template: fields of the profiles, "hardware.memory.startup-mib".
   * With one, settings are what a deployer may set. */
  const struct v2v_setting_value *fields;
  size_t nr_fields;

  const char *name;          /* of the machine; NULL = the computer name */
  const char *computer_name; /* a name or pattern in place of the template's */
  const struct v2v_setting_value *settings;
  size_t nr_settings;
  const char *output_dir; /* the folder of the machine is made in it */
  /* Or a host: bases that it lacks are sent to it first, then the machine, which
   * its hypervisor gets to know. */
  struct v2v_host_conn *host;
  /* Folder of the bases as the Windows host calls it ("D:\bases"), stored in
   * children beside the relative path; NULL = only that one. */
  const char *parent_folder;
  const char *hardware, *guest_os; /* in place of the template's profiles */
  const char *service, *tier;      /* of a service; NULL = none */
  unsigned ordinal;                /* @ORDINAL@; 0 = 1 */
  const char *name_space;          /* for what a family names; NULL = "" */
  const char *owner;               /* NULL = who runs this process */
  const char *program_version;
  enum v2v_subformat subformat; /* of copies and blank disks */
  bool no_digest;
  bool dry_run; /* nothing is written, and no name is taken */
  struct v2v_copy_opts copy;
};

struct v2v_deploy_result {
  char *id; /* GUID of the machine, also in its notes; dry run: NULL */
  char *name, *computer_name;
  char *folder;
  struct v2v_json *provenance; /* what it was made of, with "reasons" */
  struct v2v_json *report;     /* report.json; dry run: NAME.json as it would
                                  be */
  char *text;                  /* report.txt; dry run: NULL */
};
void v2v_deploy_result_clear (struct v2v_deploy_result *r);

/* Make one machine. */
int v2v_deploy (struct v2v_library *lib, const struct v2v_deploy_opts *opts,
                struct v2v_deploy_result *ret, struct v2v_error **err);

/* Make NR machines; the rows of all are written at once, files of many are
 * synced at once.  Those made before a failure stay: *RET_NR of RET are
 * valid, also on failure. */
int v2v_deploy_many (struct v2v_library *lib,
                     const struct v2v_deploy_opts *opts, size_t nr,
                     struct v2v_deploy_result *ret, size_t *ret_nr,
                     struct v2v_error **err);

/* ---- machines that were made ---- */

struct v2v_deployed {
  char *id, *name, *computer_name;
  char *host;   /* of the hosts file, or "" */
  char *folder; /* absolute; on a host: its name below the host's path */
  char *vm_template, *template_digest; /* object, or "" */
  char *service, *tier;
  unsigned ordinal;
  char *state; /* "planned", "made", "removing" */
  char *owner;
  int64_t created;
  struct v2v_json *provenance;
};
void v2v_deployed_clear (struct v2v_deployed *m); /* a zeroed one is fine */
struct v2v_json *v2v_deployed_to_json (const struct v2v_deployed *m);
#define CLEANUP_DEPLOYED __attribute__ ((cleanup (v2v_deployed_clear)))

/* NULL: any. */
struct v2v_deployed_filter {
  const char *id; /* or its beginning */
  const char *name, *computer_name;
  const char *host, *service, *tier;
  const char *vm_template; /* object */
  const char *object;      /* that it cannot be without */
  const char *state;
};
/* Called for each, by name; nonzero stops (and is returned). */
typedef int v2v_deployed_fn (void *arg, const struct v2v_deployed *m,
                             struct v2v_error **err);
int v2v_deployed_each (struct v2v_library *lib,
                       const struct v2v_deployed_filter *filter,
                       v2v_deployed_fn *fn, void *arg, struct v2v_error **err);
/* REF: an id, 8 or more characters of it, a name or a computer name. */
int v2v_deployed_find (struct v2v_library *lib, const char *ref,
                       struct v2v_deployed *ret, struct v2v_error **err);
/* The objects that ID cannot be without: *RET_N of them, freed with
 * v2v_objects_clear. */
int v2v_deployed_bases (struct v2v_library *lib, const char *id,
                        struct v2v_objects *ret, struct v2v_error **err);

/* A row that somebody else made the files for changes its place. */
int v2v_deployed_move (struct v2v_library *lib, const char *id,
                       const char *host, const char *folder,
                       struct v2v_error **err);

/* End it: its row, its name, and with FILES its folder (of one without a
 * host; those on hosts are removed by who reaches them, between the two
 * calls below).  Refused while other machines live on its disks. */
int v2v_deployed_remove (struct v2v_library *lib, const char *id, bool files,
                         struct v2v_error **err);
int v2v_deployed_begin_removal (struct v2v_library *lib, const char *id,
                                struct v2v_error **err);
int v2v_deployed_end_removal (struct v2v_library *lib, const char *id,
                              struct v2v_error **err);

/* ---- drift ---- */

/* Where the machine has moved away from its template, field by field:
 * "hardware.processor.count", "disks[0].base", "template.version". */
int v2v_deployed_drift (struct v2v_library *lib, const char *id,
                        struct v2v_document_changes *ret,
                        struct v2v_error **err);

#endif /* V2V_DEPLOY_H */
