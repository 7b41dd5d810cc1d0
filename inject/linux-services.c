/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services of a guest are enabled and disabled by their links, without the
 * guest's own tools.
 *
 * Source: systemd.unit(5) "[Install]"; Debian policy 9.3.3 (a service without
 * any SysV link is taken for a new one, hence S becomes K); upstart's init(5)
 * on override files; OpenRC's runlevels(7).
 */

#include <config.h>

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"

static int
join (char **ret, const char *folder, const char *name, struct v2v_error **err)
{
  if (asprintf (ret, "%s/%s", folder, name) == -1) {
    *ret = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

static bool
is_link (struct v2v_guest *g, const char *path)
{
  struct v2v_guest_stat st;

  return v2v_guest_lstat (g, path, &st, NULL) == 1 && st.type == V2V_FILE_LINK;
}

char *
linux_unit_path (struct v2v_guest *g, const char *name, struct v2v_error **err)
{
  static const char *const folders[] = { "/etc/systemd/system",
                                         "/usr/lib/systemd/system",
                                         "/lib/systemd/system" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    char *path;

    if (join (&path, folders[i], name, err) == -1)
      return NULL;
    if (v2v_guest_is_file (g, path))
      return path;
    free (path);
  }
  return NULL;
}

/* NAME.service in FOLDER of systemd: wants, requires; an alias beside. */
static int
disable_unit (struct v2v_guest *g, const char *unit, const char *why,
              struct v2v_error **err)
{
  static const char system[] = "/etc/systemd/system";
  CLEANUP_LIST char **folders = v2v_guest_list (g, system, err);
  CLEANUP_FREE char *alias = NULL, *target = NULL;
  int changed = 0;

  if (folders == NULL || join (&alias, system, unit, err) == -1)
    return -1;
  for (size_t i = 0; folders[i] != NULL; ++i) {
    CLEANUP_FREE char *folder = NULL, *link = NULL;
    int r;

    if (fnmatch ("*.wants", folders[i], 0) != 0 &&
        fnmatch ("*.requires", folders[i], 0) != 0)
      continue;
    if (join (&folder, system, folders[i], err) == -1 ||
        join (&link, folder, unit, err) == -1)
      return -1;
    if (!is_link (g, link))
      continue;
    r = v2v_guest_remove (g, link, why, err);
    if (r == -1)
      return -1;
    changed |= r;
  }
  /* An alias is a link; a link to /dev/null forbids the unit: it stays. */
  if (is_link (g, alias)) {
    target = v2v_guest_readlink (g, alias, NULL);
    if (target != NULL && strcmp (target, "/dev/null") != 0) {
      const int r = v2v_guest_remove (g, alias, why, err);

      if (r == -1)
        return -1;
      changed |= r;
    }
  }
  return changed;
}

/* Links S??NAME of a runlevel become K??NAME. */
static int
disable_sysv (struct v2v_guest *g, const char *name, const char *why,
              struct v2v_error **err)
{
  int changed = 0;

  for (const char *level = "2345S"; *level != '\0'; ++level) {
    CLEANUP_FREE char *folder = NULL, *pattern = NULL;
    CLEANUP_LIST char **links = NULL;
    struct v2v_error *e = NULL;
    const char *init;

    folder = linux_rc_folder (g, *level, &init, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    if (folder == NULL)
      continue;
    if (asprintf (&pattern, "S[0-9][0-9]%s", name) == -1) {
      pattern = NULL;
      return v2v_fail_nomem (err);
    }
    links = v2v_guest_glob (g, folder, pattern, err);
    if (links == NULL)
      return -1;
    for (size_t i = 0; links[i] != NULL; ++i) {
      CLEANUP_FREE char *to = strdup (links[i]);
      char *s;

      if (to == NULL)
        return v2v_fail_nomem (err);
      s = strrchr (to, '/') + 1;
      s[0] = 'K';
      /* 20 becomes 80, as chkconfig and update-rc.d do it. */
      if (memcmp (s + 1, "00", 2) != 0) {
        const int n = 100 - ((s[1] - '0') * 10 + (s[2] - '0'));

        s[1] = (char) ('0' + n / 10);
        s[2] = (char) ('0' + n % 10);
      }
      if (v2v_guest_rename (g, links[i], to, why, err) == -1)
        return -1;
      changed = 1;
    }
  }
  return changed;
}

/* Upstart: NAME.override with "manual"; OpenRC: a link per runlevel. */
static int
disable_others (struct v2v_guest *g, const char *name, const char *why,
                struct v2v_error **err)
{
  CLEANUP_FREE char *conf = NULL, *over = NULL;
  CLEANUP_LIST char **levels = v2v_guest_list (g, "/etc/runlevels", err);
  int changed = 0, r;

  if (levels == NULL)
    return -1;
  if (asprintf (&conf, "/etc/init/%s.conf", name) == -1)
    conf = NULL;
  if (asprintf (&over, "/etc/init/%s.override", name) == -1)
    over = NULL;
  if (conf == NULL || over == NULL)
    return v2v_fail_nomem (err);
  if (v2v_guest_is_file (g, conf)) {
    r = v2v_guest_write_text (g, over, "manual\n", 0644, why, err);
    if (r == -1)
      return -1;
    changed |= r;
  }
  for (size_t i = 0; levels[i] != NULL; ++i) {
    CLEANUP_FREE char *link = NULL;

    if (asprintf (&link, "/etc/runlevels/%s/%s", levels[i], name) == -1) {
      link = NULL;
      return v2v_fail_nomem (err);
    }
    if (!is_link (g, link))
      continue;
    r = v2v_guest_remove (g, link, why, err);
    if (r == -1)
      return -1;
    changed |= r;
  }
  return changed;
}

int
linux_disable_service (struct v2v_guest *g, const char *name, const char *why,
                       struct v2v_error **err)
{
  CLEANUP_FREE char *unit = NULL;
  int a, b, c;

  if (asprintf (&unit, "%s.service", name) == -1) {
    unit = NULL;
    return v2v_fail_nomem (err);
  }
  if ((a = disable_unit (g, unit, why, err)) == -1 ||
      (b = disable_sysv (g, name, why, err)) == -1 ||
      (c = disable_others (g, name, why, err)) == -1)
    return -1;
  return a | b | c;
}

/* The targets of the lines KEY=... of a unit's [Install], made links. */
static int
link_install (struct v2v_guest *g, const char *path, const char *text,
              const char *key, const char *suffix, const char *why,
              struct v2v_error **err)
{
  const char *unit = strrchr (path, '/') + 1;
  const size_t key_len = strlen (key);
  bool install = false;
  int changed = 0;

  for (const char *line = text; *line != '\0';) {
    const size_t len = strcspn (line, "\r\n");
    const char *end = line + len;

    if (*line == '[')
      install = strncmp (line, "[Install]", 9) == 0;
    else if (install && len > key_len && strncmp (line, key, key_len) == 0) {
      for (const char *p = line + key_len; p < end;) {
        const size_t skip = strspn (p, " \t");
        const char *name = p + skip;
        const size_t n = strcspn (name, " \t\r\n");
        CLEANUP_FREE char *folder = NULL, *link = NULL;
        int r;

        p = name + n;
        if (n == 0 || n > 200 || memchr (name, '/', n) != NULL)
          continue;
        if (asprintf (&folder, "/etc/systemd/system/%.*s.%s", (int) n, name,
                      suffix) == -1) {
          folder = NULL;
          return v2v_fail_nomem (err);
        }
        if (join (&link, folder, unit, err) == -1)
          return -1;
        if (is_link (g, link)) /* wherever it points */
          continue;
        if (v2v_guest_mkdir (g, folder, 0, err) == -1 ||
            (r = v2v_guest_symlink (g, path, link, why, err)) == -1)
          return -1;
        changed |= r;
      }
    }
    line = end + strspn (end, "\r\n");
  }
  return changed;
}

int
linux_enable_unit (struct v2v_guest *g, const char *unit, const char *why,
                   struct v2v_error **err)
{
  CLEANUP_FREE char *mask = NULL, *path = NULL, *text = NULL;
  struct v2v_error *e = NULL;
  int a, b;

  /* A link there forbids the unit or is somebody's own choice. */
  if (join (&mask, "/etc/systemd/system", unit, err) == -1)
    return -1;
  if (is_link (g, mask))
    return 0;
  path = linux_unit_path (g, unit, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (path == NULL)
    return 0;
  text = v2v_guest_read_text (g, path, err);
  if (text == NULL)
    return -1;
  if ((a = link_install (g, path, text, "WantedBy=", "wants", why, err)) ==
          -1 ||
      (b = link_install (g, path, text, "RequiredBy=", "requires", why, err)) ==
          -1)
    return -1;
  return a | b;
}
