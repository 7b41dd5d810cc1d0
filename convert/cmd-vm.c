/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v vm: its verbs. */

#include <config.h>

#include "convert/cmd-vm.h"

/* clang-format off */
static const struct v2v_command *const verbs[] = {
  &vm_cmd_create,
  &vm_cmd_ls,
  &vm_cmd_move,
  &vm_cmd_register,
  &vm_cmd_rm,
  &vm_cmd_show,
  &vm_cmd_start,
  &vm_cmd_state,
  &vm_cmd_stop,
  NULL
};
/* clang-format on */

const struct v2v_command cmd_vm = {
  .name = "vm",
  .summary = "make machines, of a library's templates or of disks",
  .synopsis = "VERB [OPTION...] [NAME]",
  .examples = "  v2v vm create -o out --blank 60G --iso debian.iso web\n"
              "  v2v vm create -o out --template web --count 3\n"
              "  v2v vm ls --library main\n",
  .verbs = verbs,
};
