/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files that make a machine.
 *
 *   vm-create.c   the order of the steps
 *   vm-clone.c    NAME.json of another machine
 *   vm-machine.c  options and clone as a struct v2v_machine
 *   vm-place.c    places of disks that were asked for
 *   vm-disks.c    disks, the CD image, the seed
 */
#ifndef V2V_VM_INTERNAL_H
#define V2V_VM_INTERNAL_H

#include "formats/evidence.h"
#include "formats/machine.h"
#include "formats/network-map.h"
#include "formats/report.h"
#include "library/deposit.h"
#include "library/vm.h"

/* What is known of a disk: of one to make, and of what was made. */
struct vm_disk {
  char *path;                     /* NULL = blank */
  uint64_t size_bytes;            /* of a blank one */
  bool boot;                      /* the machine starts from it */
  bool child;                     /* it becomes the parent of a new one */
  const struct v2v_vm_disk *from; /* the option; NULL = of the clone */
  struct v2v_image *image;        /* NULL = blank */
  struct v2v_disk_evidence evidence;
  bool has_evidence;
  /* Made: */
  char *variant;
  struct v2v_copy_result result;
  char digest[2 * V2V_SHA256_SIZE + 1];
  uint64_t file_bytes, allocated_bytes;
};

struct vm {
  const struct v2v_vm_opts *opts;
  struct v2v_hyperv_opts hyperv; /* with what the clone says */
  char *name;
  char *os_id;
  bool clone_is_windows, clone_is_linux;
  size_t nr_clone_drives; /* CD drives */
  struct v2v_machine *machine;
  struct v2v_network_map *map;
  struct vm_disk *disks;
  size_t nr_disks;
  struct v2v_hyperv_plan *plan;
  struct v2v_deposit *deposit;
  struct v2v_findings findings;
  char *iso_file, *seed_file; /* names in the folder, or NULL */
  uint64_t iso_bytes, seed_bytes;
};

/* A new element, zeroed; NULL with ERR set. */
struct vm_disk *vm_add_disk (struct vm *vm, struct v2v_error **err);
int vm_find (struct vm *vm, enum v2v_severity severity, const char *id,
             const char *subject, const char *remedy, struct v2v_error **err,
             const char *fmt, ...) __attribute__ ((format (printf, 7, 8)));

/* Take over hardware and disks of the machine in opts->clone. */
int vm_read_clone (struct vm *vm, struct v2v_error **err);
/* What the template says of places, then the hardware profile, onto
 * vm->plan. */
int vm_place_disks (struct vm *vm, struct v2v_error **err);
/* vm->machine and vm->map complete, after the disks are open. */
int vm_fill_machine (struct vm *vm, struct v2v_error **err);
int vm_open_disks (struct vm *vm, struct v2v_error **err);
/* All files of vm->plan but the descriptions. */
int vm_make_disks (struct vm *vm, struct v2v_error **err);
int vm_make_media (struct vm *vm, struct v2v_error **err);
/* Which CD drive of the machine holds what; SIZE_MAX = there is none. */
struct vm_drives {
  size_t nr, iso, seed;
};
struct vm_drives vm_drives (const struct vm *vm);

#endif /* V2V_VM_INTERNAL_H */
