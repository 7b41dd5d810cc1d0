/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of "v2v service" share; private to the program. */
#ifndef V2V_CMD_SERVICE_H
#define V2V_CMD_SERVICE_H

#include "convert/cmd-document.h"
#include "convert/cmd.h"
#include "formats/core/cleanup.h"
#include "library/service.h"

enum {
  OPT_COUNT = CMD_OPT_FIRST,
  OPT_DRY_RUN,
  OPT_HAPROXY,
  OPT_HOSTS,
  OPT_LIBRARY,
  OPT_NAME,
  OPT_NAMESPACE,
  OPT_NO_SCRIPTS,
  OPT_SET,
  OPT_ZONE,
};

/* More than any template has: a command line is written by people. */
#define SERVICE_MAX_OPTIONS 256

struct service_args {
  const char *library;
  bool dry_run, haproxy, zone;
  struct v2v_service_opts opts;
  struct v2v_setting_value settings[SERVICE_MAX_OPTIONS];
  struct v2v_service_tier_count counts[SERVICE_MAX_OPTIONS];
  char *texts[2 * SERVICE_MAX_OPTIONS];
  size_t nr_texts;
  struct v2v_library *lib;
  struct v2v_document *document; /* TEMPLATE */
  char *document_id;             /* of its object, or NULL: a file */
};

/* NAME=VALUE in TEXT, which is cut in two. */
int service_split (const char *option, char *text, const char **ret_name,
                   const char **ret_value, struct v2v_error **err);
int service_parse (struct cli *cli, struct service_args *a,
                   struct v2v_error **err);
void service_args_clear (struct service_args *a);

/* ---- cmd-service-print.c ---- */

void service_print_machines (const struct v2v_service_machines *machines);
int service_print_plan (const struct cli *cli, const struct v2v_service_plan *p,
                        struct v2v_error **err);
/* What the service ID is now. */
int service_print_service (const struct cli *cli, struct v2v_library *lib,
                           const char *id, struct v2v_error **err);

extern const struct v2v_command service_cmd_delete;
extern const struct v2v_command service_cmd_deploy;
extern const struct v2v_command service_cmd_ls;
extern const struct v2v_command service_cmd_plan;
extern const struct v2v_command service_cmd_refresh;
extern const struct v2v_command service_cmd_resume;
extern const struct v2v_command service_cmd_rollback;
extern const struct v2v_command service_cmd_scale;
extern const struct v2v_command service_cmd_show;
extern const struct v2v_command service_cmd_update;
extern const struct v2v_command service_cmd_validate;

#endif /* V2V_CMD_SERVICE_H */
