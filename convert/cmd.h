/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of subcommands; private to the program. */
#ifndef V2V_CMD_H
#define V2V_CMD_H

struct v2v_command {
  const char *name;
  const char *summary;
  int (*run) (int argc, char *argv[]); /* returns the exit status */
};

#endif /* V2V_CMD_H */
