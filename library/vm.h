/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New machines: from blank disks, from disks that are there, from another
 * machine.  The result is a folder as a conversion makes it: disks,
 * description, scripts, report.
 */
#ifndef V2V_VM_H
#define V2V_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/hyperv.h"
#include "inject/customize.h"
#include "library/document.h"

/* What becomes of a disk that is there. */
enum v2v_vm_storage {
  V2V_VM_STORAGE_AUTO, /* as v2v_vm_opts.differencing says */
  V2V_VM_STORAGE_COPY,
  V2V_VM_STORAGE_DIFFERENCING,
};

/* One disk: a file, or blank. */
struct v2v_vm_disk {
  const char *path;    /* NULL = blank */
  uint64_t size_bytes; /* of a blank one */
  enum v2v_vm_storage storage;
  bool boot;
  const struct v2v_hyperv_place *place; /* NULL = chosen */
  /* One that is open already, with its parents wherever they are, and what it
   * is known to hold; borrowed.  NULL = it is opened and looked at. */
  struct v2v_image *image;
  const struct v2v_disk_evidence *evidence;
  bool generalized; /* whoever made it says so */
  /* What a child stores of its parent, in the form of Windows; NULL = the way
   * from folder to folder, and parent_folder. */
  const char *parent_relative, *parent_absolute;
};

/* One network adapter. */
struct v2v_vm_nic {
  const char *switch_name; /* NULL = a parameter of the script says it */
  const char *mac;         /* NULL = the host chooses */
  int vlan;                /* 0 = untagged, 1..4094 */
};

/* What the seed is for. */
enum v2v_vm_seed {
  V2V_VM_SEED_AUTO, /* by the profile, and the system of a machine cloned */
  V2V_VM_SEED_CLOUD_INIT,
  V2V_VM_SEED_WINDOWS,
};

/* Zeroed = defaults, but for output_dir and name.  Strings are borrowed. */
struct v2v_vm_opts {
  const char *output_dir; /* the result is DIR/NAME */
  const char *name;       /* NULL with clone: the name of that machine */
  bool exact_name;        /* a folder that is there is not passed by */
  const char *program_version;
  const char *os_id; /* VMware's id of the guest system, or NULL */

  /* Disks in their order.  With clone, behind those of that machine. */
  const struct v2v_vm_disk *disks;
  size_t nr_disks;
  const char *clone; /* folder of a machine: its hardware and its disks */
  bool differencing; /* disks that are there become parents, uncopied */
  /* Folder of the parents on the Windows host ("D:\bases"), stored beside the
   * relative path; NULL = only that one. */
  const char *parent_folder;
  const char *const *search;    /* folders for parents */
  enum v2v_subformat subformat; /* of new and copied disks; NONE = dynamic */
  uint64_t block_bytes;

  const char *iso; /* copied, and put into a CD drive */
  bool dvd;        /* an empty CD drive */
  bool pxe;        /* the network first */

  unsigned nr_cpus;      /* 0 = 2, or as the machine cloned */
  uint64_t memory_bytes; /* 0 = 2 GiB, or as the machine cloned */
  const struct v2v_vm_nic *nics;
  size_t nr_nics; /* 0 = one without a switch, or as the machine cloned */
  bool no_nics;
  /* Generation 0, V2V_UNKNOWN and the like: by what the disks hold, or as the
   * machine cloned.  Names, networks and addresses in it are not used. */
  struct v2v_hyperv_opts hyperv;
  /* A hardware profile, applied at the end; NULL = none. */
  const struct v2v_document *hardware;

  const struct v2v_profile *seed; /* secrets read; NULL = no seed */
  enum v2v_vm_seed seed_kind;

  /* Where the machine comes from, for its description; NULL = not said. */
  struct v2v_json *provenance;

  struct v2v_copy_opts copy; /* threads, progress, cancel, rate_limit */
  bool no_digest;
  unsigned nr_alike; /* room is looked for so many machines; 0 = 1 */
};

struct v2v_vm_result {
  char *folder;
  struct v2v_json *report; /* report.json */
  char *text;              /* the same for people */
};

/* Make it.  Nothing is seen under the final name unless all went well; the
 * disks given, and the machine cloned, are not written to. */
int v2v_vm_create (const struct v2v_vm_opts *opts, struct v2v_vm_result *ret,
                   struct v2v_error **err);
void v2v_vm_result_clear (struct v2v_vm_result *r);

/* The description (NAME.json) that it would have; nothing is written. */
int v2v_vm_plan (const struct v2v_vm_opts *opts, struct v2v_json **ret,
                 struct v2v_error **err);

/* The same as v2v_vm_create for many machines at once: each step is done for
 * all before the next, see deposit.h.  OPTS is not needed after the first. */
struct v2v_vm_job;
int v2v_vm_begin (const struct v2v_vm_opts *opts, struct v2v_vm_job **ret,
                  struct v2v_error **err);
void v2v_vm_start_sync (struct v2v_vm_job *job);
int v2v_vm_sync (struct v2v_vm_job *job, struct v2v_error **err);
int v2v_vm_publish (struct v2v_vm_job *job, struct v2v_error **err);
int v2v_vm_settle (struct v2v_vm_job *job, struct v2v_vm_result *ret,
                   struct v2v_error **err);
/* What was not published is removed.  Accepts NULL. */
void v2v_vm_job_free (struct v2v_vm_job *job);

#endif /* V2V_VM_H */
