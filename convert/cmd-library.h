/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of "v2v library" share; private to the program. */
#ifndef V2V_CMD_LIBRARY_H
#define V2V_CMD_LIBRARY_H

#include "convert/cmd.h"
#include "formats/core/cleanup.h"
#include "library/base.h"
#include "library/library.h"

/* An option means the same in every verb: one row for each. */
enum {
  LIB_ADD_TAG = CMD_OPT_FIRST,
  LIB_ALL,
  LIB_CATALOGUE,
  LIB_DESCRIPTION,
  LIB_DIGEST,
  LIB_DISABLE,
  LIB_DRY_RUN,
  LIB_ENABLE,
  LIB_FAMILY,
  LIB_FORCE,
  LIB_HOST,
  LIB_HOSTS,
  LIB_KEEP,
  LIB_KIND,
  LIB_LIBRARY,
  LIB_LONG,
  LIB_NAME,
  LIB_NAMESPACE,
  LIB_OLDER,
  LIB_OS,
  LIB_OWNER,
  LIB_PARENT,
  LIB_QUICK,
  LIB_RELEASE,
  LIB_REMOVE_TAG,
  LIB_SHARE,
  LIB_STATE,
  LIB_TAG,
  LIB_THREADS,
  LIB_VERSION_OF,
};
/* clang-format off */
#define ROW_LIBRARY                                                            \
  { "library", LIB_LIBRARY, "DIR|NAME",                                        \
    "which library; by default $V2V_LIBRARY" }
#define ROW_KIND                                                               \
  { "kind", LIB_KIND, "KIND",                                                  \
    "disk, iso, package, script, answer-file, driver, vm, file or\n"           \
    "one of the profiles and templates" }
#define ROW_SHARE { "share", LIB_SHARE, "NAME", "which share" }
#define ROW_FAMILY                                                             \
  { "family", LIB_FAMILY, "TEXT", "family of equivalent objects" }
#define ROW_RELEASE                                                            \
  { "release", LIB_RELEASE, "TEXT", "release within the family" }
#define ROW_NAMESPACE                                                          \
  { "namespace", LIB_NAMESPACE, "TEXT", "namespace that owns it" }
#define ROW_OS { "os", LIB_OS, "TEXT", "operating system" }
#define ROW_OWNER { "owner", LIB_OWNER, "TEXT", "who answers for it" }
#define ROW_DESCRIPTION                                                        \
  { "description", LIB_DESCRIPTION, "TEXT", "what it is for" }
#define ROW_VERSION_OF                                                         \
  { "version-of", LIB_VERSION_OF, "TEXT", "version of the object" }
#define ROW_THREADS                                                            \
  { "threads", LIB_THREADS, "N", "threads to use (one per processor)" }
#define ROW_DRY_RUN                                                            \
  { "dry-run", LIB_DRY_RUN, NULL, "tell what would be done, and do nothing" }
#define ROW_FORCE                                                              \
  { "force", LIB_FORCE, NULL,                                                  \
    "rm: although other objects need it; gc: unfinished work of other\n"         \
    "hosts, too; refresh: although something else is lost" }
#define ROW_QUICK                                                              \
  { "quick", LIB_QUICK, NULL,                                                  \
    "read only files whose size or time is another one" }
#define ROW_NAME                                                               \
  { "name", LIB_NAME, "TEXT", "a name, or a pattern of names for ls" }
#define ROW_TAG                                                                \
  { "tag", LIB_TAG, "TAG", "a label; several are separated by commas" }
/* clang-format on */

/* What all verbs parse into. */
struct lib_args {
  const char *library;
  const char *catalogue;
  const char *name;
  const char *share;
  const char *kind;
  struct v2v_library_set set;
  struct v2v_library_filter filter;
  const char *host, *hosts;
  const char *output;
  const char *parent;
  unsigned older_days;
  bool enabled, force, keep, long_, all;
  struct v2v_upkeep_opts upkeep;
};
int lib_parse (struct cli *cli, struct lib_args *a, struct v2v_error **err);
/* The same, then the library that is meant; NULL also when all is said
 * (cli->done). */
struct v2v_library *lib_begin (struct cli *cli, struct lib_args *a,
                               struct v2v_error **err);

/* A verb that only does something says what: VALUE, or as JSON under WHAT. */
int lib_done (const struct cli *cli, const char *what, const char *value,
              struct v2v_error **err);

/* What upkeep found, printed (or kept in LIST for --json) as it comes: a
 * v2v_upkeep_fn. */
struct lib_upkeep {
  struct cli *cli;
  struct v2v_json *list;
};
int lib_on_item (void *arg, const struct v2v_upkeep_item *item,
                 struct v2v_error **err);
void lib_print_dependents (const struct v2v_dependents *d);
/* The sum of a verify; with --json all of O. */
int lib_print_upkeep (struct cli *cli, struct v2v_json *o,
                      const struct v2v_upkeep_result *r,
                      struct v2v_error **err);
/* Start the display, and point A at it. */
int lib_start_progress (struct cli *cli, struct lib_args *a,
                        struct v2v_error **err);

extern const struct v2v_command lib_cmd_acl;
extern const struct v2v_command lib_cmd_add_share;
extern const struct v2v_command lib_cmd_copy;
extern const struct v2v_command lib_cmd_export;
extern const struct v2v_command lib_cmd_gc;
extern const struct v2v_command lib_cmd_import;
extern const struct v2v_command lib_cmd_init;
extern const struct v2v_command lib_cmd_ls;
extern const struct v2v_command lib_cmd_orphans;
extern const struct v2v_command lib_cmd_refresh;
extern const struct v2v_command lib_cmd_repair;
extern const struct v2v_command lib_cmd_report;
extern const struct v2v_command lib_cmd_rm;
extern const struct v2v_command lib_cmd_set;
extern const struct v2v_command lib_cmd_show;
extern const struct v2v_command lib_cmd_verify;
extern const struct v2v_command lib_cmd_where_used;

#endif /* V2V_CMD_LIBRARY_H */
