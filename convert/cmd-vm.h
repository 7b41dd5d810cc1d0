/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of "v2v vm" share; private to the program. */
#ifndef V2V_CMD_VM_H
#define V2V_CMD_VM_H

#include "formats/core/cleanup.h"
#include "library/deploy.h"
#include "library/vm.h"
#include "convert/cmd.h"

/* As many as the larger generation takes; the plan knows better. */
#define VM_MAX_NICS  64
#define VM_MAX_DISKS 260
/* Machines of one command: their plans are in memory together. */
#define VM_MAX_COUNT 10000

/* The options of vm create. */
struct vm_create_args {
  struct v2v_vm_opts opts;
  struct v2v_vm_disk disks[VM_MAX_DISKS];
  struct v2v_vm_nic nics[VM_MAX_NICS];
  struct cmd_list search;
  const char *seed_profile;
  struct v2v_profile *profile;
  const char *hardware_profile;
  /* Out of a library: */
  const char *library, *vm_template, *computer_name, *guest_os, *name_space;
  const char *host, *hosts;
  struct cmd_list set;
  unsigned count;
  bool dry_run;
};

/* vm create with --template or --library. */
int vm_deploy (struct cli *cli, struct vm_create_args *a,
               struct v2v_error **err);

extern const struct v2v_command vm_cmd_create;
extern const struct v2v_command vm_cmd_ls;
extern const struct v2v_command vm_cmd_move;
extern const struct v2v_command vm_cmd_register;
extern const struct v2v_command vm_cmd_rm;
extern const struct v2v_command vm_cmd_show;
extern const struct v2v_command vm_cmd_start;
extern const struct v2v_command vm_cmd_state;
extern const struct v2v_command vm_cmd_stop;

#endif /* V2V_CMD_VM_H */
