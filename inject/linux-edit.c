/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Editing configuration files of a guest line by line, and other small things
 * that several steps need.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"

/* One line of LEN bytes, then its end. */
static int
edit_line (const char *text, size_t len, const char *end, size_t end_len,
           linux_edit_fn f, void *arg, struct v2v_str *out, bool *changed)
{
  CLEANUP_FREE char *line = strndup (text, len);
  CLEANUP_STR struct v2v_str repl = V2V_STR_INIT;
  int r;

  if (line == NULL)
    return -1;
  r = f (arg, line, &repl);
  if (r == -1)
    return -1;
  if (r == LINUX_EDIT_DELETE) {
    *changed = true;
    return 0;
  }
  if (r == LINUX_EDIT_REPLACE) {
    *changed = true;
    if (v2v_str_append_len (out, repl.ptr ? repl.ptr : "", repl.len) == -1)
      return -1;
  }
  else if (v2v_str_append_len (out, text, len) == -1) {
    return -1;
  }
  return v2v_str_append_len (out, end, end_len);
}

int
linux_edit_text (const char *text, linux_edit_fn f, void *arg, char **ret,
                 struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  bool changed = false;

  for (const char *p = text; *p != '\0';) {
    const size_t all = strcspn (p, "\n");
    const size_t lf = p[all] == '\n' ? 1 : 0;
    const size_t cr = lf && all > 0 && p[all - 1] == '\r' ? 1 : 0;

    if (edit_line (p, all - cr, p + all - cr, cr + lf, f, arg, &out,
                   &changed) == -1)
      return v2v_fail_nomem (err);
    p += all + lf;
  }
  if (changed && out.ptr == NULL && v2v_str_append (&out, "") == -1)
    return v2v_fail_nomem (err);
  *ret = changed ? STEAL (out.ptr) : NULL;
  return 0;
}

int
linux_edit_file (struct v2v_guest *g, const char *path, linux_edit_fn f,
                 void *arg, const char *why, struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL, *edited = NULL;
  struct v2v_error *e = NULL;

  if (!v2v_guest_is_file (g, path))
    return 0;
  text = v2v_guest_read_text (g, path, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (text == NULL)
    return 0;
  if (linux_edit_text (text, f, arg, &edited, err) == -1)
    return -1;
  if (edited == NULL)
    return 0;
  return v2v_guest_write_text (g, path, edited, 0, why, err);
}

int
linux_tolerate (struct linux_guest *l, const char *path, struct v2v_error *e,
                struct v2v_error **err)
{
  int r;

  if (v2v_error_code (e) != V2V_ERR_GUEST &&
      v2v_error_code (e) != V2V_ERR_FORMAT)
    return v2v_error_move (err, e);
  r = linux_finding (l, V2V_WARNING, "guest.file.unreadable", path,
                     "look at the file by hand once the guest has started", err,
                     "%s", v2v_error_message (e));
  v2v_error_free (e);
  return r;
}

int
linux_edit_or_find (struct linux_guest *l, const char *path, linux_edit_fn f,
                    void *arg, const char *why, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  const int r = linux_edit_file (l->g, path, f, arg, why, &e);

  return e == NULL ? r : linux_tolerate (l, path, e, err);
}

int
linux_edit_glob (struct linux_guest *l, const char *folder, const char *pattern,
                 linux_edit_fn f, void *arg, const char *why,
                 struct v2v_error **err)
{
  CLEANUP_LIST char **paths = v2v_guest_glob (l->g, folder, pattern, err);
  int changed = 0;

  if (paths == NULL)
    return -1;
  for (size_t i = 0; paths[i] != NULL; ++i) {
    const int r = linux_edit_or_find (l, paths[i], f, arg, why, err);

    if (r == -1)
      return -1;
    changed |= r;
  }
  return changed;
}

bool
linux_has_systemd (struct v2v_guest *g)
{
  CLEANUP_FREE char *init = v2v_guest_readlink (g, "/sbin/init", NULL);

  if (init != NULL)
    return strstr (init, "systemd") != NULL;
  return !v2v_guest_is_file (g, "/sbin/init") &&
         (v2v_guest_is_file (g, "/usr/lib/systemd/systemd") ||
          v2v_guest_is_file (g, "/lib/systemd/systemd"));
}

char *
linux_rc_folder (struct v2v_guest *g, char runlevel, const char **ret_init,
                 struct v2v_error **err)
{
  /* SUSE, Red Hat, Debian; SUSE's /etc/rc.d is a link to init.d, hence the
   * order. */
  static const struct {
    const char *before, *init;
  } places[] = {
    { "/etc/init.d", "../" },
    { "/etc/rc.d", "../init.d/" },
    { "/etc", "../init.d/" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (places); ++i) {
    char *path;

    if (asprintf (&path, "%s/rc%c.d", places[i].before, runlevel) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (v2v_guest_is_dir (g, path)) {
      *ret_init = places[i].init;
      return path;
    }
    free (path);
  }
  return NULL;
}
