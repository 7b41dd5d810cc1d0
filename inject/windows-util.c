/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several steps of a Windows conversion need. */

#include <config.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/windows-internal.h"

int
windows_report (struct windows_guest *w, enum v2v_severity severity,
                const char *id, const char *subject, const char *remedy,
                struct v2v_error **err, const char *fmt, ...)
{
  CLEANUP_FREE char *text = NULL;
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&text, fmt, args);
  va_end (args);
  if (n == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_findings_add (v2v_guest_findings (w->g), severity, id, subject,
                        remedy, "%s", text) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

char *
windows_key (const char *set, const char *key, struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s\\%s", set, key) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

char *
windows_service_key (const char *set, const char *name, const char *tail,
                     struct v2v_error **err)
{
  char *s;

  if (asprintf (&s, "%s\\Services\\%s%s%s", set, name, tail ? "\\" : "",
                tail ? tail : "") == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return s;
}

bool
windows_has_file (struct windows_guest *w, const char *path)
{
  struct v2v_guest_stat st;

  if (v2v_guest_stat (w->g, path, &st, NULL) == 1)
    return st.type == V2V_FILE_REGULAR && st.size_bytes > 0;
  return v2v_guest_lstat (w->g, path, &st, NULL) == 1 &&
         st.type != V2V_FILE_FOLDER;
}

bool
windows_has_driver (struct windows_guest *w, const char *file)
{
  CLEANUP_FREE char *path = NULL;

  if (asprintf (&path, "%s/System32/drivers/%s", w->systemroot, file) == -1) {
    path = NULL;
    return false;
  }
  return windows_has_file (w, path);
}

/* Does PATH begin with PREFIX?  Then what follows. */
static const char *
after_prefix (const char *path, const char *prefix)
{
  const size_t n = strlen (prefix);

  return strncasecmp (path, prefix, n) == 0 ? path + n : NULL;
}

/* Which letter is the system volume's: "C" unless inspection knows better. */
static char
system_letter (const struct windows_guest *w)
{
  for (size_t i = 0; i < w->os->nr_letters; ++i)
    if (w->os->root != NULL && w->os->letters[i].device != NULL &&
        strcmp (w->os->letters[i].device, w->os->root) == 0)
      return w->os->letters[i].letter;
  return 'C';
}

/* Not a path that we can look up: arguments, steps upwards, too long. */
#define MAX_IMAGE_PATH 1024u

static bool
is_odd_path (const char *p)
{
  return strlen (p) > MAX_IMAGE_PATH || *p == '"' || strstr (p, "..") != NULL;
}

char *
windows_image_file (struct windows_guest *w, const char *name,
                    const char *image_path, struct v2v_error **err)
{
  static const char *const roots[] = { "\\SystemRoot\\", "%SystemRoot%\\",
                                       "\\??\\%SystemRoot%\\" };
  const char *p = image_path, *rest = NULL;
  char *s = NULL;
  int r;

  if (is_odd_path (name) || (p != NULL && is_odd_path (p)))
    return NULL;
  if (p == NULL || *p == '\0') {
    r = asprintf (&s, "%s/System32/drivers/%s.sys", w->systemroot, name);
  }
  else {
    for (size_t i = 0; i < V2V_ARRAY_SIZE (roots) && rest == NULL; ++i)
      rest = after_prefix (p, roots[i]);
    if (rest == NULL && after_prefix (p, "\\??\\") != NULL)
      p += 4;
    if (rest != NULL) {
      r = asprintf (&s, "%s/%s", w->systemroot, rest);
    }
    else if (isalpha ((unsigned char) p[0]) && p[1] == ':') {
      if (toupper ((unsigned char) p[0]) != system_letter (w))
        return NULL;
      r = asprintf (&s, "/%s", p + 2 + strspn (p + 2, "\\"));
    }
    else if (p[0] == '\\') {
      return NULL; /* \Device\...: a volume we cannot name */
    }
    else {
      r = asprintf (&s, "%s/%s", w->systemroot, p);
    }
  }
  if (r == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (char *q = s; *q != '\0'; ++q)
    if (*q == '\\')
      *q = '/';
  return s;
}

bool
windows_in_list (const char *const *list, size_t nr, const char *name)
{
  for (size_t i = 0; i < nr; ++i)
    if (strcasecmp (list[i], name) == 0)
      return true;
  return false;
}

bool
windows_knows_letter (const struct windows_guest *w, char letter)
{
  if (w->os->nr_letters == 0)
    return true;
  for (size_t i = 0; i < w->os->nr_letters; ++i)
    if (toupper ((unsigned char) w->os->letters[i].letter) ==
        toupper ((unsigned char) letter))
      return true;
  return false;
}
