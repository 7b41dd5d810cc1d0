/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands that act on hosts share; private to the program. */
#ifndef V2V_CMD_HOST_H
#define V2V_CMD_HOST_H

#include "convert/cmd.h"
#include "formats/core/cleanup.h"
#include "library/hosts.h"
#include "library/placement.h"

enum {
  HOST_CPUS = CMD_OPT_FIRST,
  HOST_DEEP,
  HOST_DISK_GIB,
  HOST_FORCE,
  HOST_GENERATION,
  HOST_HOST,
  HOST_HOSTS,
  HOST_LIBRARY,
  HOST_MEMORY,
  HOST_RATE,
  HOST_SWITCH,
  HOST_TEMPLATE,
  HOST_TO,
  HOST_ZONE,
};
/* clang-format off */
#define ROW_HOST                                                               \
  { "host", HOST_HOST, "NAME",                                                 \
    "the host; MACHINE is then the name of its folder there" }
#define ROW_HOSTS                                                              \
  { "hosts", HOST_HOSTS, "FILE",                                               \
    "the hosts file; by default $V2V_HOSTS, or hosts.json of the\n"            \
    "library" }
#define ROW_HOST_LIBRARY                                                       \
  { "library", HOST_LIBRARY, "DIR|NAME",                                       \
    "which library; by default $V2V_LIBRARY" }
#define ROW_RATE                                                               \
  { "rate", HOST_RATE, "SIZE", "at most so many bytes a second" }
/* clang-format on */

struct host_args {
  const char *library, *hosts_file, *host, *to, *vm_template;
  bool deep, force;
  struct v2v_place_need need;
  struct cmd_list switches;
  struct v2v_copy_opts copy;
  struct v2v_library *lib; /* NULL = none was named */
  struct v2v_hosts hosts;
  struct v2v_host_conn *conn;
};
/* Options, then the library, where one is named, and the hosts file; nothing
 * when all is said (cli->done). */
int host_begin (struct cli *cli, struct host_args *a, struct v2v_error **err);
int host_connect (struct host_args *a, const char *name,
                  struct v2v_error **err);
void host_args_clear (struct host_args *a);
#define CLEANUP_HOST_ARGS __attribute__ ((cleanup (host_args_clear)))

#endif /* V2V_CMD_HOST_H */
