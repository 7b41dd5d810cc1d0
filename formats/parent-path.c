/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The relative path that a child stores for its parent.
 *
 * Windows resolves it against the folder of the child (VHD 1.0, "Parent
 * Locator Entries", W2ru; [MS-VHDX] 2.2.2.3.1.5 "Parent Locator",
 * relative_path), so it is derived from where the two files are here: it stays
 * right when both are moved to Windows with their folders.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/parent-path.h"

/* The folder of PATH without links, "/" as "". */
static char *
real_folder (const char *path, struct v2v_error **err)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *dir = NULL;
  char *real;

  dir = slash == NULL   ? strdup (".")
        : slash == path ? strdup ("/")
                        : strndup (path, (size_t) (slash - path));
  if (dir == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  real = realpath (dir, NULL);
  if (real == NULL)
    v2v_fail_errno (err, "%s", dir);
  else if (strcmp (real, "/") == 0)
    *real = '\0';
  return real;
}

/* The length of the folders that A and B have in common: whole components. */
static size_t
common_length (const char *a, const char *b)
{
  size_t common = 0;

  for (size_t i = 0;; ++i) {
    const bool a_ends = a[i] == '/' || a[i] == '\0';
    const bool b_ends = b[i] == '/' || b[i] == '\0';

    if (a_ends && b_ends)
      common = i;
    if (a[i] != b[i] || a[i] == '\0')
      return common;
  }
}

/* Append the steps from folder FROM to folder TO, each ended by '\'. */
static int
append_steps (struct v2v_str *s, const char *from, const char *to)
{
  const size_t common = common_length (from, to);

  if (from[common] == '\0' && v2v_str_append (s, ".\\") == -1)
    return -1;
  for (const char *p = from + common; *p != '\0'; ++p)
    if (*p == '/' && v2v_str_append (s, "..\\") == -1)
      return -1;
  to += common;
  while (*to != '\0') {
    const size_t n = strcspn (++to, "/"); /* after the slash */

    if (v2v_str_append_len (s, to, n) == -1 || v2v_str_append (s, "\\") == -1)
      return -1;
    to += n;
  }
  return 0;
}

char *
v2v_parent_path_between (const char *child, const char *parent,
                         struct v2v_error **err)
{
  CLEANUP_FREE char *from = real_folder (child, err);
  CLEANUP_FREE char *to = from != NULL ? real_folder (parent, err) : NULL;
  CLEANUP_STR struct v2v_str path = V2V_STR_INIT;
  const char *slash = strrchr (parent, '/');

  if (to == NULL)
    return NULL;
  if (append_steps (&path, from, to) == -1 ||
      v2v_str_append (&path, slash != NULL ? slash + 1 : parent) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (path.ptr);
}

char *
v2v_parent_relative_path (const struct v2v_io *child,
                          const struct v2v_image *parent,
                          struct v2v_error **err)
{
  struct v2v_io *io = v2v_image_io (parent);
  const char *child_path = v2v_io_path (child);
  const char *parent_path = io != NULL ? v2v_io_path (io) : NULL;
  const char *name = parent_path ? parent_path : v2v_image_name (parent);
  const char *slash = strrchr (name, '/');
  CLEANUP_FREE char *from = NULL, *to = NULL;
  CLEANUP_STR struct v2v_str path = V2V_STR_INIT;

  if (child_path != NULL && parent_path != NULL) {
    from = real_folder (child_path, err);
    to = from != NULL ? real_folder (parent_path, err) : NULL;
    if (to == NULL)
      return NULL;
  }
  if (append_steps (&path, from ? from : "", to ? to : "") == -1 ||
      v2v_str_append (&path, slash ? slash + 1 : name) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (from != NULL && strcmp (from, to) != 0)
    v2v_log_info ("%s: the parent is in another folder: it is stored as '%s' "
                  "for Windows; v2v itself needs --search %s",
                  v2v_io_name (child), path.ptr, *to ? to : "/");
  return STEAL (path.ptr);
}
