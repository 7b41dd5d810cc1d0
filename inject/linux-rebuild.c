/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tools that make an initramfs, one per family: which of them a guest has,
 * what makes it always take our drivers, and how it is called for one kernel.
 * The version always stands in the command: the running kernel is not the
 * guest's.
 *
 * Sources: dracut(8), dracut.conf(5); update-initramfs(8), initramfs-tools(7);
 * mkinitrd(8) of Red Hat Enterprise Linux 5 and of SUSE Linux Enterprise 11;
 * mkinitcpio(8); booster(1); mkinitfs(1) of Alpine; make-initrd of ALT.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-initramfs.h"

/* In an emulated appliance a rebuild takes some 5 minutes. */
#define TOOL_SECONDS 1800
/* Of the tool's output in a finding. */
#define MAX_TAIL 400
#define MAX_ARGS 16
static const char why[] = "the initramfs shall hold the drivers of Hyper-V";

enum tool_kind {
  INITRAMFS_TOOLS,
  DRACUT,
  MKINITCPIO,
  BOOSTER,
  MKINITFS,
  MAKE_INITRD,
  MKINITRD_SUSE,
  MKINITRD_RED_HAT,
};

/* In the order in which they are looked for: SUSE and Red Hat keep a mkinitrd
 * that calls dracut; Debian has dracut's parts beside initramfs-tools. */
static const struct tool {
  enum tool_kind kind;
  const char *program[3];
  const char *needs;     /* a second file that tells it from its namesakes */
  const char *initramfs; /* its file for a kernel without one */
} tools[] = {
  { INITRAMFS_TOOLS,
    { "/usr/sbin/update-initramfs", NULL },
    "/usr/sbin/mkinitramfs",
    "/boot/initrd.img-%s" },
  { DRACUT,
    { "/usr/bin/dracut", "/sbin/dracut", "/usr/sbin/dracut" },
    NULL,
    "/boot/initramfs-%s.img" },
  { MKINITCPIO,
    { "/usr/bin/mkinitcpio", "/sbin/mkinitcpio", NULL },
    NULL,
    "/boot/initramfs-%s.img" },
  { BOOSTER, { "/usr/bin/booster", NULL }, NULL, "/boot/booster-%s.img" },
  { MKINITFS,
    { "/sbin/mkinitfs", "/usr/sbin/mkinitfs", NULL },
    "/etc/mkinitfs/mkinitfs.conf",
    "/boot/initramfs-%s" },
  { MAKE_INITRD,
    { "/usr/sbin/make-initrd", NULL },
    NULL,
    "/boot/initrd-%s.img" },
  { MKINITRD_SUSE,
    { "/sbin/mkinitrd", NULL },
    "/etc/sysconfig/kernel",
    "/boot/initrd-%s" },
  { MKINITRD_RED_HAT, { "/sbin/mkinitrd", NULL }, NULL, "/boot/initrd-%s.img" },
};

char *
linux_join_drivers (const struct linux_drivers *d, const char *before,
                    const char *after)
{
  struct v2v_str s = V2V_STR_INIT;

  if (v2v_str_append (&s, "") == -1)
    return NULL;
  for (size_t i = 0; i < d->n; ++i)
    if (v2v_str_printf (&s, "%s%s%s", before, d->name[i], after) == -1) {
      v2v_str_free (&s);
      return NULL;
    }
  return s.ptr;
}

/* RHEL 5 has /etc/sysconfig/kernel as well; INITRD_MODULES is SUSE's. */
static bool
is_suse (struct linux_guest *l)
{
  CLEANUP_FREE char *text =
      v2v_guest_read_text (l->g, "/etc/sysconfig/kernel", NULL);

  return text != NULL && strstr (text, "INITRD_MODULES") != NULL;
}

static const struct tool *
find_tool (struct linux_guest *l, const char **ret_program)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (tools); ++i) {
    const struct tool *t = &tools[i];

    if (t->needs != NULL && !v2v_guest_exists (l->g, t->needs))
      continue;
    if (t->kind == MKINITRD_SUSE && !is_suse (l))
      continue;
    for (size_t k = 0; k < V2V_ARRAY_SIZE (t->program) && t->program[k]; ++k)
      if (v2v_guest_is_file (l->g, t->program[k])) {
        *ret_program = t->program[k];
        return t;
      }
  }
  return NULL;
}

bool
linux_has_tool (struct linux_guest *l)
{
  const char *program;

  return find_tool (l, &program) != NULL;
}

char *
linux_default_initramfs (struct linux_guest *l, const struct linux_kernel *k,
                         struct v2v_error **err)
{
  const char *program;
  const struct tool *t = find_tool (l, &program);
  const char *format;
  char *path;

  if (t == NULL)
    return NULL;
  format = strstr (t->initramfs, "%s");
  if (asprintf (&path, "%.*s%s%s", (int) (format - t->initramfs), t->initramfs,
                k->version, format + 2) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return path;
}

/* ---- what lasts ---- */

/* Is WORD in TEXT, with nothing of a name around it? */
static bool
has_word (const char *text, const char *word)
{
  const size_t n = strlen (word);
  static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

  for (const char *p = text; (p = strstr (p, word)) != NULL; p += n)
    if ((p == text || strchr (name, p[-1]) == NULL) &&
        (p[n] == '\0' || strchr (name, p[n]) == NULL))
      return true;
  return false;
}

/* A list in a shell variable: KEY=(a b), KEY="a b" or KEY=a; or a value of
 * YAML, which is not quoted. */
struct list_edit {
  const char *key; /* with the '=' */
  const char *separator;
  const struct linux_drivers *d;
  bool is_yaml;
  bool is_done;  /* a line holds all */
  bool is_array; /* KEY=( was seen */
};

static bool
has_all (const char *text, const struct linux_drivers *d)
{
  for (size_t i = 0; i < d->n; ++i)
    if (!has_word (text, d->name[i]))
      return false;
  return true;
}

/* Where the value at P ends; NULL when that is on another line, or when it is
 * more than one word of the shell. */
static const char *
value_end (const struct list_edit *e, const char *p)
{
  const char *end;

  if (*p == '(')
    return strchr (p, ')');
  if (*p == '"' || *p == '\'')
    return strchr (p + 1, *p);
  end = p + strcspn (p, " \t\r#");
  if (e->is_yaml)
    return end;
  if (strcspn (p, "\\\"'`;&|()<>$") < (size_t) (end - p) ||
      strchr ("#\r", end[strspn (end, " \t")]) == NULL)
    return NULL;
  return end;
}

static int
edit_list (void *arg, const char *line, struct v2v_str *ret)
{
  struct list_edit *e = arg;
  const char *p = line + strspn (line, " \t");
  const size_t n = strlen (e->key);
  const char *close, *quote;
  bool any;

  /* KEY+=(a b) may be ours, of an earlier conversion. */
  if (strncmp (p, e->key, n - 1) == 0 && p[n - 1] == '+' && p[n] == '=' &&
      has_all (p + n, e->d))
    e->is_done = true;
  if (strncmp (p, e->key, n) != 0)
    return LINUX_EDIT_KEEP;
  p += n;
  e->is_array = *p == '(';
  close = value_end (e, p);
  if (close == NULL)
    return LINUX_EDIT_KEEP;
  e->is_done = true;
  if (has_all (p, e->d))
    return LINUX_EDIT_KEEP;
  /* What is one word for the shell must stay one. */
  quote = e->is_yaml || strchr ("(\"'", *p) != NULL ? "" : "\"";
  if (*p == '\0')
    quote = e->is_yaml ? "" : "\"";
  any = close > p && close[-1] != '(' && close[-1] != '"' &&
        close[-1] != '\'' && close[-1] != ' ';
  if (v2v_str_append_len (ret, line, (size_t) (p - line)) == -1 ||
      v2v_str_append (ret, quote) == -1 ||
      v2v_str_append_len (ret, p, (size_t) (close - p)) == -1)
    return -1;
  for (size_t i = 0; i < e->d->n; ++i) {
    if (has_word (p, e->d->name[i]))
      continue;
    if (v2v_str_printf (ret, "%s%s", any ? e->separator : "", e->d->name[i]) ==
        -1)
      return -1;
    any = true;
  }
  return v2v_str_append (ret, quote) == -1 || v2v_str_append (ret, close) == -1
             ? -1
             : LINUX_EDIT_REPLACE;
}

/* No line could take the names: one more behind all others. */
static int
append_list (struct linux_guest *l, const char *path, const struct list_edit *e,
             struct v2v_error **err)
{
  struct v2v_error *e2 = NULL;
  CLEANUP_FREE char *text = v2v_guest_read_text (l->g, path, &e2);
  CLEANUP_FREE char *names = linux_join_drivers (e->d, " ", "");
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const int n = (int) strlen (e->key) - 1;
  int r;

  if (e2 != NULL)
    return linux_tolerate (l, path, e2, err);
  if (names == NULL)
    return v2v_fail_nomem (err);
  if (text == NULL)
    return linux_finding (l, V2V_WARNING, "guest.initramfs.not-lasting", path,
                          "name the drivers in the tool's configuration", err,
                          "the file is not there: the next initramfs may lack "
                          "the drivers of Hyper-V");
  r = v2v_str_printf (&s, "%s%s", text,
                      *text != '\0' && text[strlen (text) - 1] != '\n' ? "\n"
                                                                       : "");
  if (r != -1)
    r = e->is_array ? v2v_str_printf (&s, "%.*s+=(%s)\n", n, e->key, names + 1)
                    : v2v_str_printf (&s, "%.*s=\"$%.*s%s\"\n", n, e->key, n,
                                      e->key, names);
  if (r == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (l->g, path, s.ptr, 0, why, err) == -1 ? -1 : 0;
}

static int
write_list (struct linux_guest *l, const char *path, const char *key,
            const char *separator, const struct linux_drivers *d,
            struct v2v_error **err)
{
  struct list_edit e = { .key = key, .separator = separator, .d = d };

  if (linux_edit_or_find (l, path, edit_list, &e, why, err) == -1)
    return -1;
  return e.is_done ? 0 : append_list (l, path, &e, err);
}

/* A file with a name a line; missing names are added at its end. */
static int
append_names (struct linux_guest *l, const char *path,
              const struct linux_drivers *d, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = v2v_guest_read_text (l->g, path, &e);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  bool changed = false;

  if (e != NULL)
    return linux_tolerate (l, path, e, err);
  if (v2v_str_append (&s, text ? text : "") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < d->n; ++i) {
    bool there = false;

    for (const char *p = text; p != NULL && *p != '\0';
         p += strcspn (p, "\n"), p += *p == '\n') {
      const size_t n = strlen (d->name[i]);

      there = there || (strncmp (p, d->name[i], n) == 0 &&
                        strchr (" \t\r\n", p[n]) != NULL);
    }
    if (there)
      continue;
    if (v2v_str_printf (&s, "%s%s\n",
                        s.len > 0 && s.ptr[s.len - 1] != '\n' ? "\n" : "",
                        d->name[i]) == -1)
      return v2v_fail_nomem (err);
    changed = true;
  }
  if (!changed)
    return 0;
  return v2v_guest_write_text (l->g, path, s.ptr, 0, why, err) == -1 ? -1 : 0;
}

/* PATH, in a folder of its own, holds BEFORE, the names, AFTER. */
static int
write_drop_in (struct linux_guest *l, const char *folder, const char *name,
               const char *before, const char *after,
               const struct linux_drivers *d, struct v2v_error **err)
{
  CLEANUP_FREE char *names = linux_join_drivers (d, " ", "");
  CLEANUP_FREE char *path = NULL, *text = NULL;

  if (names == NULL || asprintf (&path, "%s/%s", folder, name) == -1 ||
      asprintf (&text, "%s%s%s", before, names, after) == -1)
    return v2v_fail_nomem (err);
  if (v2v_guest_mkdir (l->g, folder, 0755, err) == -1 ||
      v2v_guest_write_text (l->g, path, text, 0, why, err) == -1)
    return -1;
  return 0;
}

/* Alpine: a feature of our own, and the feature in the list. */
static int
write_mkinitfs (struct linux_guest *l, struct v2v_error **err)
{
  static const struct linux_drivers feature = { .name = { "v2v-hyperv" },
                                                .n = 1 };

  if (v2v_guest_mkdir (l->g, "/etc/mkinitfs/features.d", 0755, err) == -1 ||
      v2v_guest_write_text (l->g, "/etc/mkinitfs/features.d/v2v-hyperv.modules",
                            "kernel/drivers/hv/*.ko*\n"
                            "kernel/drivers/scsi/hv_storvsc.ko*\n"
                            "kernel/drivers/net/hyperv/*.ko*\n"
                            "kernel/drivers/input/serio/hyperv-keyboard.ko*\n",
                            0, why, err) == -1)
    return -1;
  return write_list (l, "/etc/mkinitfs/mkinitfs.conf", "features=", " ",
                     &feature, err);
}

static int
write_booster (struct linux_guest *l, const struct linux_drivers *d,
               struct v2v_error **err)
{
  struct list_edit e = {
    .key = "modules_force_load:", .separator = ",", .d = d, .is_yaml = true
  };
  CLEANUP_FREE char *names = linux_join_drivers (d, ",", "");
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *text = NULL;

  if (names == NULL)
    return v2v_fail_nomem (err);
  text = v2v_guest_read_text (l->g, "/etc/booster.yaml", NULL);
  if (text != NULL && strstr (text, e.key) != NULL) {
    /* "key: a,b": the value begins behind the blank. */
    e.key = "modules_force_load: ";
    return linux_edit_or_find (l, "/etc/booster.yaml", edit_list, &e, why,
                               err) == -1
               ? -1
               : 0;
  }
  if (v2v_str_printf (&s, "%s%smodules_force_load: %s\n", text ? text : "",
                      text && *text && text[strlen (text) - 1] != '\n' ? "\n"
                                                                       : "",
                      names + 1) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (l->g, "/etc/booster.yaml", s.ptr, 0, why, err) ==
                 -1
             ? -1
             : 0;
}

int
linux_write_lasting (struct linux_guest *l, const struct linux_drivers *d,
                     struct v2v_error **err)
{
  const char *program;
  const struct tool *t = find_tool (l, &program);

  if (t == NULL || d->n == 0)
    return 0;
  switch (t->kind) {
  case INITRAMFS_TOOLS:
    return v2v_guest_mkdir (l->g, "/etc/initramfs-tools", 0755, err) == -1
               ? -1
               : append_names (l, "/etc/initramfs-tools/modules", d, err);
  case DRACUT:
    /* The blanks inside the quotes are part of the syntax. */
    return write_drop_in (l, "/etc/dracut.conf.d", "10-hyperv.conf",
                          "# Written by v2v: this machine runs on Hyper-V.\n"
                          "add_drivers+=\"",
                          " \"\n", d, err);
  case MKINITCPIO:
    return write_list (l, "/etc/mkinitcpio.conf", "MODULES=", " ", d, err);
  case BOOSTER:
    return write_booster (l, d, err);
  case MKINITFS:
    return write_mkinitfs (l, err);
  case MAKE_INITRD: {
    CLEANUP_FREE char *text =
        v2v_guest_read_text (l->g, "/etc/initrd.mk", NULL);
    CLEANUP_FREE char *names = linux_join_drivers (d, " ", "");
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

    if (text != NULL && has_word (text, "hv_storvsc"))
      return 0;
    if (names == NULL || v2v_str_printf (&s, "%s\nMODULES_LOAD +=%s\n",
                                         text ? text : "", names) == -1)
      return v2v_fail_nomem (err);
    return v2v_guest_write_text (l->g, "/etc/initrd.mk", s.ptr, 0, why, err) ==
                   -1
               ? -1
               : 0;
  }
  case MKINITRD_SUSE:
    return write_list (l, "/etc/sysconfig/kernel", "INITRD_MODULES=", " ", d,
                       err);
  case MKINITRD_RED_HAT:
    return 0; /* follows modprobe.conf, which linux_remap_devices changed */
  }
  return 0;
}

/* ---- the command ---- */

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* Fill ARGV; NAMES are the drivers as the tool wants them. */
static void
make_command (const struct tool *t, const char *program,
              const struct linux_kernel *k, const char *names,
              char *const options[], size_t nr_options, bool is_gone,
              const char *argv[])
{
  size_t n = 0;

  argv[n++] = program;
  switch (t->kind) {
  case INITRAMFS_TOOLS:
    /* -u wants the old one to be there, -c that it is not. */
    argv[n++] = is_gone ? "-c" : "-u";
    argv[n++] = "-k";
    argv[n++] = k->version;
    break;
  case DRACUT:
    argv[n++] = "--force";
    if (names[0] != '\0') {
      argv[n++] = "--add-drivers";
      argv[n++] = names;
    }
    argv[n++] = k->initramfs;
    argv[n++] = k->version;
    break;
  case MKINITCPIO:
    argv[n++] = "-k";
    argv[n++] = k->version;
    argv[n++] = "-g";
    argv[n++] = k->initramfs;
    break;
  case BOOSTER:
    argv[n++] = "build";
    argv[n++] = "--force";
    argv[n++] = "--kernel-version";
    argv[n++] = k->version;
    argv[n++] = k->initramfs;
    break;
  case MKINITFS:
    argv[n++] = "-o";
    argv[n++] = k->initramfs;
    argv[n++] = k->version;
    break;
  case MAKE_INITRD:
    argv[n++] = "-k";
    argv[n++] = k->version;
    break;
  case MKINITRD_SUSE:
    argv[n++] = "-k";
    argv[n++] = base_name (k->image);
    argv[n++] = "-i";
    argv[n++] = base_name (k->initramfs);
    break;
  case MKINITRD_RED_HAT:
    for (size_t i = 0; i < nr_options; ++i)
      argv[n++] = options[i];
    argv[n++] = "-f";
    argv[n++] = k->initramfs;
    argv[n++] = k->version;
    break;
  }
  argv[n] = NULL;
}

/* The end of the tool's output in one line. */
static const char *
tail (char *output)
{
  size_t len;

  if (output == NULL)
    return "";
  for (char *p = output; *p != '\0'; ++p)
    if ((unsigned char) *p < ' ')
      *p = ' ';
  len = strlen (output);
  while (len > 0 && output[len - 1] == ' ')
    output[--len] = '\0';
  return len > MAX_TAIL ? output + len - MAX_TAIL : output;
}

int
linux_run_tool (struct linux_guest *l, const struct linux_kernel *k,
                const char *const argv[], struct v2v_error **err)
{
  CLEANUP_FREE char *output = NULL;
  struct v2v_error *e = NULL;
  int status = 0, r;

  r = v2v_guest_run (l->g, argv, TOOL_SECONDS, why, &status, &output, &e);
  if (r == 1)
    return 2;
  if (r == 0 && status == 0)
    return 1;
  if (e != NULL && v2v_error_code (e) == V2V_ERR_NOMEM)
    return v2v_error_move (err, e);
  if (e != NULL)
    r = linux_finding (l, V2V_WARNING, "guest.initramfs.tool-failed",
                       k->version, "run it again in the guest once it started",
                       err, "%s", v2v_error_message (e));
  else
    r = linux_finding (l, V2V_WARNING, "guest.initramfs.tool-failed",
                       k->version, "run it again in the guest once it started",
                       err, "%s ended with status %d: %s", argv[0], status,
                       tail (output));
  v2v_error_free (e);
  return r;
}

/* Two tools put the image where they always do.  What is started may be a copy
 * of it on the EFI partition, which a hook of theirs makes, if it runs here. */
static int
copy_to_place (struct linux_guest *l, const struct linux_kernel *k,
               const char *usual, struct v2v_error **err)
{
  CLEANUP_FREE char *host = NULL;
  int r;

  if (strcmp (usual, k->initramfs) == 0 || !v2v_guest_is_file (l->g, usual))
    return 0;
  if (asprintf (&host, "%s/initramfs.usual", v2v_guest_tmpdir (l->g)) == -1) {
    host = NULL;
    return v2v_fail_nomem (err);
  }
  r = v2v_guest_download (l->g, usual, host, V2V_INITRAMFS_MAX_BYTES, err);
  if (r != -1)
    r = v2v_guest_upload (l->g, host, k->initramfs, 0, V2V_WRITE_NO_UNDO, why,
                          err);
  unlink (host);
  return r == -1 ? -1 : 0;
}

int
linux_rebuild_initramfs (struct linux_guest *l, const struct linux_kernel *k,
                         const struct linux_drivers *d, struct v2v_error **err)
{
  const char *program = NULL;
  const struct tool *t = find_tool (l, &program);
  CLEANUP_FREE char *usual = linux_default_initramfs (l, k, err);
  CLEANUP_FREE char *names = linux_join_drivers (d, " ", "");
  char *options[LINUX_MAX_DRIVERS] = { NULL };
  const char *argv[MAX_ARGS];
  int r = 0;

  if (t == NULL)
    return 0;
  if (usual == NULL)
    return -1;
  if (names == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; r == 0 && i < d->n; ++i)
    if (asprintf (&options[i], "--with=%s", d->name[i]) == -1) {
      options[i] = NULL;
      r = v2v_fail_nomem (err);
    }
  if (r == 0) {
    make_command (t, program, k, names[0] ? names + 1 : names, options, d->n,
                  !v2v_guest_exists (l->g, usual), argv);
    r = linux_run_tool (l, k, argv, err);
    if (r == 1 && (t->kind == INITRAMFS_TOOLS || t->kind == MAKE_INITRD))
      r = copy_to_place (l, k, usual, err) == -1 ? -1 : 1;
  }
  for (size_t i = 0; i < d->n; ++i)
    free (options[i]);
  return r;
}
