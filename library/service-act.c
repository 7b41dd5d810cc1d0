/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of a service really do: machines are made by v2v_deploy, the
 * two files of the network are written, scripts are run.
 *
 * Scripts run on this machine, without a shell in between: by the interpreter
 * of their first line, or /bin/sh.  They get their arguments and, in the
 * environment, what they are about: V2V_SERVICE, V2V_TIER, V2V_PHASE,
 * V2V_COMPUTER_NAME, V2V_ADDRESS, V2V_ORDINAL.  Exit status 0 is success.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inject/child.h"
#include "inject/guest.h"
#include "library/deploy.h"
#include "library/machine-move.h"
#include "library/service-internal.h"

/* A script that says no time gets so much. */
#define SCRIPT_SECONDS 600
/* As long as a system takes that is asked to stop. */
#define STOP_SECONDS 120
/* How often somebody who waits for one looks whether he shall stop. */
#define LOOK_MS         100
#define MAX_ARGUMENTS   64
#define MAX_INTERPRETER 256

struct service_act {
  struct v2v_library *lib;
  const struct service_row *row;
  const struct v2v_service_opts *opts;
  struct v2v_document *template, *document; /* what machines are made after */
  char **values;
  struct v2v_hosts hosts; /* none, if machines stay in folders */
};

static int64_t
now_ms (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const char *
text (const struct v2v_json *j, const char *key)
{
  const char *s = v2v_json_get_string (j, key);

  return s != NULL ? s : "";
}

static const char *
output_dir (const struct service_act *a)
{
  return text (v2v_json_get (a->row->settings, "place"), "output");
}

/* ---- machines ---- */

static struct v2v_document *
read_vm_template (const struct service_act *a, const char *id,
                  struct v2v_error **err)
{
  size_t len = 0;
  CLEANUP_FREE char *bytes =
      v2v_library_read_text (a->lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);

  return bytes != NULL ? v2v_document_parse (bytes, len, id, err) : NULL;
}

/* The name of the machine, and of its folder: that of the computer, with a
 * number behind while the machine that it takes over from is there; a folder's
 * name has up to 64 bytes (v2v_safe_name). */
static char *
machine_name (const struct service_act *a, const char *computer,
              struct v2v_error **err)
{
  for (unsigned n = 1;; ++n) {
    CLEANUP_FREE char *name = NULL, *safe = NULL, *folder = NULL;

    if ((n == 1 ? asprintf (&name, "%s", computer)
                : asprintf (&name, "%.56s-%u", computer, n)) == -1) {
      name = NULL;
      v2v_fail_nomem (err);
      return NULL;
    }
    safe = v2v_safe_name (name);
    folder = safe != NULL ? lib_join (output_dir (a), safe, NULL) : NULL;
    if (folder == NULL) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (access (folder, F_OK) == -1)
      return STEAL (name);
  }
}

/* What v2v_deploy shall do for the step DETAIL.  *RET_SETTINGS is the
 * caller's. */
static int
deploy_opts (const struct service_act *a, const struct v2v_json *detail,
             struct v2v_deploy_opts *ret,
             struct v2v_setting_value **ret_settings, struct v2v_error **err)
{
  const char *template = text (detail, "template");
  CLEANUP_DOCUMENT struct v2v_document *vm =
      read_vm_template (a, template, err);
  uint64_t ordinal = 0;

  *ret = (struct v2v_deploy_opts){
    .vm_template = template,
    .computer_name = text (detail, "computer_name"),
    .output_dir = output_dir (a),
    .hardware = v2v_json_get_string (detail, "hardware"),
    .guest_os = v2v_json_get_string (detail, "guest_os"),
    .service = a->row->id,
    .tier = text (detail, "tier"),
    .name_space = v2v_json_get_string (a->row->settings, "name_space"),
    .program_version = a->opts->program_version,
    .copy = a->opts->copy,
  };
  if (vm == NULL ||
      service_settings_for (vm, &a->template->service, a->values,
                            v2v_json_get_string (detail, "address"),
                            ret_settings, &ret->nr_settings, err) == -1)
    return -1;
  v2v_json_get_u64 (detail, "ordinal", &ordinal);
  ret->ordinal = (unsigned) ordinal;
  ret->settings = *ret_settings;
  return 0;
}

static int
act_create (void *arg, const struct v2v_json *detail, char **ret_id,
            struct v2v_error **err)
{
  struct service_act *a = arg;
  CLEANUP_FREE struct v2v_setting_value *settings = NULL;
  CLEANUP_FREE char *name = NULL;
  struct v2v_deploy_result result = { .id = NULL };
  struct v2v_deploy_opts opts;

  if (deploy_opts (a, detail, &opts, &settings, err) == -1)
    return -1;
  name = machine_name (a, opts.computer_name, err);
  if (name == NULL)
    return -1;
  opts.name = name;
  if (v2v_deploy (a->lib, &opts, &result, err) == -1)
    return -1;
  *ret_id = STEAL (result.id);
  v2v_deploy_result_clear (&result);
  return 0;
}

int
service_act_try (struct service_act *a, const struct v2v_json *detail,
                 struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_setting_value *settings = NULL;
  struct v2v_deploy_result result = { .id = NULL };
  struct v2v_deploy_opts opts;

  if (deploy_opts (a, detail, &opts, &settings, err) == -1)
    return -1;
  /* Its own name may still be that of the machine it takes over from. */
  opts.computer_name = "check-######";
  opts.dry_run = true;
  if (v2v_deploy (a->lib, &opts, &result, err) == -1)
    return -1;
  v2v_deploy_result_clear (&result);
  return 0;
}

static int
act_remove (void *arg, const char *id, struct v2v_error **err)
{
  struct service_act *a = arg;
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };

  if (v2v_deployed_find (a->lib, id, &m, err) == -1)
    return -1;
  return m.host[0] != '\0' ? v2v_machine_remove (a->lib, &a->hosts, id, err)
                           : v2v_deployed_remove (a->lib, id, true, err);
}

/* ---- on hosts ---- */

static int
act_send (void *arg, const char *id, const char *host, struct v2v_error **err)
{
  struct service_act *a = arg;
  struct v2v_move_result result = { .from = NULL };

  if (v2v_machine_move (a->lib, &a->hosts, id, host, &a->opts->copy, &result,
                        err) == -1)
    return -1;
  v2v_move_result_clear (&result);
  return 0;
}

/* A machine in a folder is started by who takes it to a host. */
static int
act_start (void *arg, const char *id, struct v2v_error **err)
{
  struct service_act *a = arg;
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_HOST struct v2v_host_conn *c = NULL;
  enum v2v_host_state state;

  if (service_open_host (a->lib, &a->hosts, id, &m, &c, err) == -1)
    return -1;
  if (c == NULL)
    return 0;
  if (v2v_host_register (c, m.folder, err) == -1 ||
      v2v_host_state (c, m.folder, &state, err) == -1)
    return -1;
  return state == V2V_HOST_RUNNING ? 0 : v2v_host_start (c, m.folder, err);
}

/* Asked first; after STOP_SECONDS its plug is pulled. */
static int
act_stop (void *arg, const char *id, struct v2v_error **err)
{
  struct service_act *a = arg;
  const int64_t end = now_ms () + STOP_SECONDS * 1000;
  const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_HOST struct v2v_host_conn *c = NULL;
  enum v2v_host_state state;

  if (service_open_host (a->lib, &a->hosts, id, &m, &c, err) == -1)
    return -1;
  if (c == NULL)
    return 0;
  if (v2v_host_state (c, m.folder, &state, err) == -1)
    return -1;
  if (state == V2V_HOST_OFF || state == V2V_HOST_ABSENT)
    return 0;
  if (v2v_host_stop (c, m.folder, false, err) == -1)
    return -1;
  for (;;) {
    if (v2v_host_state (c, m.folder, &state, err) == -1)
      return -1;
    if (state != V2V_HOST_RUNNING)
      return 0;
    if (a->opts->copy.cancel != NULL && atomic_load (a->opts->copy.cancel))
      return v2v_fail (err, V2V_ERR_INTERRUPTED, "stopped");
    if (now_ms () >= end)
      return v2v_host_stop (c, m.folder, true, err);
    nanosleep (&pause, NULL);
  }
}

/* ---- scripts ---- */

/* The words of S, which is cut up: blanks separate them, quotes of both kinds
 * keep them together. */
static int
split (char *s, const char **words, size_t max, size_t *ret_nr,
       struct v2v_error **err)
{
  size_t n = 0;

  for (;;) {
    char *to, quote = '\0';

    s += strspn (s, " ");
    if (*s == '\0')
      break;
    if (n == max)
      return v2v_fail (err, V2V_ERR_USAGE, "more than %zu arguments", max);
    words[n++] = to = s;
    for (; *s != '\0' && (quote != '\0' || *s != ' '); ++s)
      if (quote == *s)
        quote = '\0';
      else if (quote == '\0' && (*s == '"' || *s == '\''))
        quote = *s;
      else
        *to++ = *s;
    if (quote != '\0')
      return v2v_fail (err, V2V_ERR_USAGE, "arguments: a quote has no end");
    if (*s != '\0')
      ++s;
    *to = '\0';
  }
  *ret_nr = n;
  return 0;
}

/* The first line "#!/usr/bin/python3 -u" of PATH: its words into LINE. */
static int
read_interpreter (const char *path, char line[MAX_INTERPRETER + 1],
                  const char *words[2], size_t *ret_nr, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd != -1 ? read (fd, line, MAX_INTERPRETER) : -1;
  char *blank;

  if (n == -1)
    return v2v_fail_errno (err, "%s", path);
  line[n] = '\0';
  line[strcspn (line, "\r\n")] = '\0';
  *ret_nr = 1;
  words[0] = "/bin/sh";
  if (strncmp (line, "#!", 2) != 0)
    return 0;
  words[0] = line + 2 + strspn (line + 2, " \t");
  if (words[0][0] != '/')
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: '#!' without the path of an interpreter", path);
  blank = strpbrk (line + (words[0] - line), " \t");
  if (blank == NULL)
    return 0;
  /* All behind it is one argument, as the kernel has it. */
  *blank++ = '\0';
  blank += strspn (blank, " \t");
  if (*blank != '\0')
    words[(*ret_nr)++] = blank;
  return 0;
}

static int
run_program (const struct service_act *a, const char *const argv[],
             uint64_t seconds, const char *script, struct v2v_error **err)
{
  struct v2v_child child = V2V_CHILD_INIT;
  const int64_t end = now_ms () + (int64_t) seconds * 1000;
  CLEANUP_FREE char *complaint = NULL;
  int status = 0, ended = 0, r = 0;

  if (v2v_child_start (&child, argv, -1, err) == -1)
    return -1;
  while (ended == 0 && now_ms () < end &&
         (a->opts->copy.cancel == NULL || !atomic_load (a->opts->copy.cancel)))
    ended = v2v_child_wait (&child, LOOK_MS, &status);
  complaint = v2v_child_complaint (&child);
  if (ended == 0)
    r = now_ms () < end
            ? v2v_fail (err, V2V_ERR_INTERRUPTED, "stopped")
            : v2v_fail (err, V2V_ERR_IO, "%s: not done within %" PRIu64 " s",
                        script, seconds);
  else if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    r = v2v_fail (err, V2V_ERR_IO, "%s: %s %d%s%s", script,
                  WIFEXITED (status) ? "exit status" : "ended by signal",
                  WIFEXITED (status) ? WEXITSTATUS (status) : WTERMSIG (status),
                  complaint ? ": " : "", complaint ? complaint : "");
  v2v_child_end (&child);
  return r;
}

/* "NAME=VALUE" for env(1); the caller frees. */
static char *
variable (const char *name, const char *value, struct v2v_error **err)
{
  char *s = NULL;

  if (asprintf (&s, "%s=%s", name, value) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

/* What a script finds in its environment. */
#define NR_VARIABLES 6

static int
set_variables (const struct service_act *a, const struct v2v_json *detail,
               char *ret[NR_VARIABLES + 1], struct v2v_error **err)
{
  uint64_t n = 0;
  char ordinal[24];
  const struct {
    const char *name, *value;
  } variables[NR_VARIABLES] = {
    { "V2V_SERVICE", a->row->name },
    { "V2V_TIER", text (detail, "tier") },
    { "V2V_PHASE", text (detail, "phase") },
    { "V2V_COMPUTER_NAME", text (detail, "computer_name") },
    { "V2V_ADDRESS", text (detail, "address") },
    { "V2V_ORDINAL", ordinal },
  };

  v2v_json_get_u64 (detail, "ordinal", &n);
  snprintf (ordinal, sizeof ordinal, "%" PRIu64, n);
  for (size_t i = 0; i < NR_VARIABLES; ++i) {
    ret[i] = variable (variables[i].name, variables[i].value, err);
    if (ret[i] == NULL)
      return -1;
  }
  return 0;
}

static void
clear_variables (char *(*list)[NR_VARIABLES + 1])
{
  for (size_t i = 0; i < NR_VARIABLES; ++i)
    free ((*list)[i]);
}

static int
act_script (void *arg, const struct v2v_json *detail, struct v2v_error **err)
{
  struct service_act *a = arg;
  CLEANUP_FREE char *path =
      v2v_library_path (a->lib, text (detail, "script"), NULL, err);
  CLEANUP_FREE char *arguments = strdup (text (detail, "arguments"));
  __attribute__ ((
      cleanup (clear_variables))) char *variables[NR_VARIABLES + 1] = { NULL };
  const char *argv[MAX_ARGUMENTS + NR_VARIABLES + 5],
      *interpreter[2] = { NULL };
  char line[MAX_INTERPRETER + 1];
  uint64_t seconds = SCRIPT_SECONDS;
  size_t nr = 0, nr_words = 0;

  if (path == NULL)
    return -1;
  if (arguments == NULL)
    return v2v_fail_nomem (err);
  if (set_variables (a, detail, variables, err) == -1 ||
      read_interpreter (path, line, interpreter, &nr_words, err) == -1)
    return -1;
  argv[nr++] = "env";
  for (size_t i = 0; i < NR_VARIABLES; ++i)
    argv[nr++] = variables[i];
  for (size_t i = 0; i < nr_words; ++i)
    argv[nr++] = interpreter[i];
  argv[nr++] = path;
  if (split (arguments, argv + nr, MAX_ARGUMENTS, &nr_words, err) == -1)
    return -1;
  argv[nr + nr_words] = NULL;
  v2v_json_get_u64 (detail, "timeout_seconds", &seconds);
  return run_program (a, argv, seconds, path, err);
}

/* ---- the files of the network ---- */

/* DIR/NAME becomes what TEXT says, or (NULL) is removed. */
static int
put_file (const char *dir, const char *name, const char *suffix,
          const char *bytes, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CLEANUP_FREE char *file = NULL, *part = NULL;

  if (fd == -1 && errno == ENOENT && bytes == NULL)
    return 0;
  if (fd == -1)
    return v2v_fail_errno (err, "%s", dir);
  if (asprintf (&file, "%s%s", name, suffix) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&part, ".%s.part", file) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  if (bytes == NULL)
    return unlinkat (fd, file, 0) == -1 && errno != ENOENT
               ? v2v_fail_errno (err, "%s/%s", dir, file)
               : 0;
  /* One that was left behind is ours: the service is locked. */
  if (unlinkat (fd, part, 0) == -1 && errno != ENOENT)
    return v2v_fail_errno (err, "%s/%s", dir, part);
  if (lib_write (fd, part, bytes, strlen (bytes), err) == -1)
    return v2v_prefix (err, "%s", dir);
  if (renameat (fd, part, fd, file) == -1 ||
      (fsync (fd) == -1 && errno != EINVAL)) {
    v2v_fail_errno (err, "%s/%s", dir, file);
    unlinkat (fd, part, 0);
    return -1;
  }
  return 0;
}

static int
act_network (void *arg, const struct v2v_document *document,
             const struct v2v_service_machines *machines,
             struct v2v_error **err)
{
  struct service_act *a = arg;
  const struct v2v_service_template *s =
      document != NULL ? &document->service : &a->document->service;
  CLEANUP_FREE char *haproxy = NULL, *zone = NULL;
  CLEANUP_FREE char *safe = v2v_safe_name (a->row->name);

  if (safe == NULL)
    return v2v_fail_nomem (err);
  if (machines != NULL &&
      ((s->nr_ports > 0 &&
        v2v_service_haproxy (a->row->name, s, machines, &haproxy, err) == -1) ||
       v2v_service_zone (a->row->name, s, machines, &zone, err) == -1))
    return -1;
  return put_file (output_dir (a), safe, "-haproxy.cfg", haproxy, err) == -1 ||
                 put_file (output_dir (a), safe, ".zone", zone, err) == -1
             ? -1
             : 0;
}

/* ---- all of it ---- */

void
service_act_free (struct service_act *a)
{
  if (a == NULL)
    return;
  v2v_document_free (a->template);
  v2v_document_free (a->document);
  v2v_guest_free_list (a->values);
  v2v_hosts_clear (&a->hosts);
  free (a);
}

struct service_act *
service_act_new (struct v2v_library *lib, const struct service_row *row,
                 const struct v2v_service_opts *opts,
                 struct service_actions *ret, struct v2v_error **err)
{
  const struct v2v_json *next = v2v_json_get (row->settings, "next");
  const struct v2v_json *state = v2v_json_is_object (next)
                                     ? next
                                     : v2v_json_get (row->settings, "current");
  struct service_act *a = calloc (1, sizeof *a);
  bool acting;

  if (a == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  a->lib = lib;
  a->row = row;
  a->opts = opts;
  a->template = service_template (state, err);
  if (a->template == NULL ||
      service_load_hosts (lib, row->settings, &a->hosts, &acting, err) == -1 ||
      service_values (a->template, state, &a->values, err) == -1 ||
      (a->document = v2v_service_expand (a->template, a->values, err)) ==
          NULL) {
    service_act_free (a);
    return NULL;
  }
  *ret = (struct service_actions){
    .create = act_create,
    .send = act_send,
    .remove = act_remove,
    .start = act_start,
    .stop = act_stop,
    .script = act_script,
    .network = act_network,
    .arg = a,
    .tell = opts->tell,
    .tell_arg = opts->tell_arg,
    .cancel = opts->copy.cancel,
  };
  return a;
}
