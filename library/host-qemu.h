/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the driver "qemu". */
#ifndef V2V_HOST_QEMU_H
#define V2V_HOST_QEMU_H

#include "library/hosts-internal.h"

/* Descriptions have up to 260 disks and 64 adapters. */
#define QEMU_MAX_DISKS 260
#define QEMU_MAX_NICS  64

/* One image that the machine has. */
struct qemu_disk {
  char *path;         /* what QEMU opens */
  const char *format; /* "vhdx", "vpc", "raw" */
  bool cd, scsi;
  unsigned controller, location;
  int boot_index; /* -1 = none */
};
struct qemu_machine {
  char *name;   /* the folder's */
  char *folder; /* absolute */
  char *lab;    /* what is kept while it runs */
  unsigned generation;
  bool windows;
  uint64_t processors, memory_mib;
  struct qemu_disk disks[QEMU_MAX_DISKS];
  size_t nr_disks;
  char macs[QEMU_MAX_NICS][18]; /* with colons, or "" */
  int nic_boot_index[QEMU_MAX_NICS];
  size_t nr_nics;
  const char *accelerator;
  const char *firmware; /* generation 2: the code */
};
void qemu_machine_clear (struct qemu_machine *m);

/* Read FOLDER/NAME.json.  A disk with parents has path FOLDER/lab/FILE.raw
 * and format "raw": QEMU reads no differencing disks. */
int qemu_describe (const char *text, const char *name, const char *folder,
                   struct qemu_machine *ret, struct v2v_error **err);
/* The command line, NULL-terminated; QMP_FD is the listening socket there.
 * Freed with lib_strings_clear. */
int qemu_arguments (const struct qemu_machine *m, int qmp_fd, lib_strings *ret,
                    struct v2v_error **err);

#endif /* V2V_HOST_QEMU_H */
