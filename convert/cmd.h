/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands share; private to the program.
 *
 * A subcommand is one file: a table of options, a parser that fills a struct,
 * checks of everything, then calls into libv2v, then output.  It returns its
 * exit status, or -1 with an error that main prints once.
 */
#ifndef V2V_CMD_H
#define V2V_CMD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/progress.h"
#include "formats/copy.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/image.h"

/* Exit status of compare (the contents differ) and check (leaks only): an
 * answer, not a failure. */
#define CMD_EXIT_DIFFERENT 1
#define CMD_EXIT_LEAKS     1

/* One row of a subcommand's table: alphabetical by NAME; feeds the parser,
 * --help and --long-options. */
struct cmd_option {
  const char *name;
  int value;        /* the short letter, or from 256 on */
  const char *arg;  /* what the argument is called; NULL = takes none */
  const char *help; /* may have several lines, separated by \n */
};

/* Rows that every table has, put where the alphabet wants them. */
enum {
  CMD_OPT_HELP = 256,
  CMD_OPT_LONG_OPTIONS,
  CMD_OPT_SHORT_OPTIONS,
  CMD_OPT_VERSION,
  CMD_OPT_JSON,
  CMD_OPT_PROGRESS,
  CMD_OPT_FIRST /* a command's own values start here */
};
#define CMD_DEBUG                                                              \
  {                                                                            \
    "debug", 'D', "AREA",                                                      \
        "print debug lines that begin with AREA (vmdk, vhdx ...)"              \
  }
#define CMD_HELP                                                               \
  {                                                                            \
    "help", CMD_OPT_HELP, NULL, "print this text"                              \
  }
#define CMD_JSON                                                               \
  {                                                                            \
    "json", CMD_OPT_JSON, NULL,                                                \
        "print the result, or the error, as JSON on standard output"           \
  }
#define CMD_PROGRESS                                                           \
  {                                                                            \
    "progress", CMD_OPT_PROGRESS, "HOW",                                       \
        "auto (a bar if standard error is a terminal), bar, json\n"            \
        "(a JSON line at a time on standard error) or none"                    \
  }
#define CMD_VERBOSE                                                            \
  {                                                                            \
    "verbose", 'v', NULL, "print debug lines"                                  \
  }
#define CMD_VERSION                                                            \
  {                                                                            \
    "version", CMD_OPT_VERSION, NULL, "print the version"                      \
  }
#define CMD_END                                                                \
  {                                                                            \
    NULL, 0, NULL, NULL                                                        \
  }

struct cli;

struct v2v_command {
  const char *name;
  const char *summary;  /* one line, no capital, no full stop */
  const char *synopsis; /* what follows "v2v NAME" */
  const char *examples; /* three runnable lines */
  const struct cmd_option *options;
  size_t min_args;
  size_t max_args; /* SIZE_MAX = any */
  int (*run) (struct cli *cli, struct v2v_error **err);
  /* A command of several verbs ("v2v library import"): NULL-terminated, by
   * the alphabet; options, the numbers and run are then unused.  A verb's name
   * is both words, "library import". */
  const struct v2v_command *const *verbs;
};

/* One invocation. */
struct cli {
  const struct v2v_command *command;
  int argc;
  char **argv;
  char **args; /* what is no option; NULL-terminated; after the last option */
  size_t nr_args;
  bool done; /* --help and the like: everything is printed already */
  bool json;
  enum v2v_progress_mode progress_mode;
  struct v2v_progress_bar *progress; /* made by cmd_progress_start */
};

/* Set by SIGINT, SIGTERM and SIGHUP. */
extern atomic_bool cmd_cancel;

/* The next option's value with its argument in *RET_ARG; 0 at the end (then
 * cli->args is set, or cli->done: return 0); -1 on an error. */
int cmd_getopt (struct cli *cli, const char **ret_arg, struct v2v_error **err);
void cmd_print_help (const struct v2v_command *command);

/* The verb of GROUP called NAME (its second word), or NULL. */
const struct v2v_command *cmd_find_verb (const struct v2v_command *group,
                                         const char *name);
/* Leave in CLI the verb that its arguments name and what follows it; or do
 * what an option instead of a verb asks for (cli->done). */
int cmd_choose_verb (struct cli *cli, struct v2v_error **err);

/* Parsers of arguments; each error names the option. */
int cmd_parse_size (const char *option, const char *arg, uint64_t *ret,
                    struct v2v_error **err);
int cmd_parse_number (const char *option, const char *arg, unsigned min,
                      unsigned max, unsigned *ret, struct v2v_error **err);
int cmd_parse_format (const char *option, const char *arg, bool writer,
                      struct v2v_error **err);

/* A growing NULL-terminated list of borrowed strings: --search. */
struct cmd_list {
  const char **ptr;
  size_t len;
};
int cmd_list_add (struct cmd_list *list, const char *s, struct v2v_error **err);
void cmd_list_free (struct cmd_list *list);
#define CLEANUP_CMD_LIST __attribute__ ((cleanup (cmd_list_free)))

static inline void
cmd_cleanup_image (struct v2v_image **img)
{
  v2v_image_close (*img);
}
#define CLEANUP_IMAGE __attribute__ ((cleanup (cmd_cleanup_image)))

static inline void
cmd_cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cmd_cleanup_json)))

/* Open FILENAME, an nbd URI, or "-" for standard input. */
struct v2v_image *cmd_open (const char *filename,
                            const struct v2v_open_opts *opts,
                            struct v2v_error **err);

/* A package where a disk was expected, a mistake that is easy to make: the
 * hint of ERR (V2V_ERR_UNSUPPORTED) tells which command takes FILENAME. */
void cmd_hint_at_package (const char *filename, struct v2v_error **err);

/* --block-size: Windows uses VHDs with blocks of 512 KiB or 2 MiB only, the
 * drivers read and write others too. */
int cmd_check_block_size (const char *format, uint64_t bytes,
                          struct v2v_error **err);

/* A v2v_guest_step_fn: show WHAT (NULL: it is over); ARG is the cli. */
void cmd_tell_step (void *arg, const char *what);
/* Start the progress display asked for and point OPTS at it. */
int cmd_progress_start (struct cli *cli, struct v2v_copy_opts *opts,
                        struct v2v_error **err);

/* Print OBJ on standard output, or fail for want of memory. */
int cmd_print_json (const struct v2v_json *obj, struct v2v_error **err);

/* "sha256-2m:" and the hex digits of D's root; the caller frees. */
char *cmd_digest_text (const struct v2v_disk_digest *d, struct v2v_error **err);

/* A rate for people: "850.0 MiB/s". */
char *cmd_format_rate (uint64_t bytes, double seconds, char out[40]);

/* S with control characters and bad UTF-8 replaced, for printing names that
 * come out of files on a terminal; the caller frees. */
char *cmd_printable (const char *s);

extern const struct v2v_command cmd_base;
extern const struct v2v_command cmd_check;
extern const struct v2v_command cmd_compare;
extern const struct v2v_command cmd_completion;
extern const struct v2v_command cmd_convert;
extern const struct v2v_command cmd_copy;
extern const struct v2v_command cmd_customize;
extern const struct v2v_command cmd_digest;
extern const struct v2v_command cmd_disk;
extern const struct v2v_command cmd_doctor;
extern const struct v2v_command cmd_host;
extern const struct v2v_command cmd_info;
extern const struct v2v_command cmd_inspect;
extern const struct v2v_command cmd_library;
extern const struct v2v_command cmd_map;
extern const struct v2v_command cmd_profile;
extern const struct v2v_command cmd_service;
extern const struct v2v_command cmd_template;
extern const struct v2v_command cmd_vm;

#endif /* V2V_CMD_H */
