/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scripts of the first boot are put into the guest, for both families.
 *
 * They are files "NNNN-NAME" in one folder: their order is the order of their
 * names, and nothing else has to be parsed in the guest.  Names are made safe
 * here, so that the runner of the guest never has to quote one.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/firstboot.h"

static const char utf8_bom[] = "\xef\xbb\xbf";

static bool
is_windows (struct v2v_guest *g)
{
  return v2v_guest_os (g)->family == V2V_FAMILY_WINDOWS;
}

static const char *
scripts_folder (struct v2v_guest *g)
{
  return is_windows (g) ? V2V_FIRSTBOOT_WINDOWS "/scripts"
                        : V2V_FIRSTBOOT_LINUX "/scripts";
}

static bool
has_suffix (const char *name, const char *suffix)
{
  const size_t n = strlen (name), s = strlen (suffix);

  return n > s && strcasecmp (name + n - s, suffix) == 0;
}

static bool
contains (const char *data, size_t len, const char *text)
{
  return memmem (data, len, text, strlen (text)) != NULL;
}

/* As Windows wants it: lines end in CR LF (cmd loses labels otherwise); cmd
 * stumbles over a byte order mark, and PowerShell 5 takes UTF-8 without one
 * for the ANSI code page.  UTF-16 and signed scripts stay as they are: a
 * signature covers the bytes. */
static int
for_windows (struct v2v_str *out, const char *name, const char *data,
             size_t len, struct v2v_error **err)
{
  const bool powershell = has_suffix (name, ".ps1");
  bool ascii = true;

  if ((len >= 2 && (memcmp (data, "\xff\xfe", 2) == 0 ||
                    memcmp (data, "\xfe\xff", 2) == 0)) ||
      (powershell && contains (data, len, "# SIG # Begin signature"))) {
    if (v2v_str_append_len (out, data, len) == -1)
      return v2v_fail_nomem (err);
    return 0;
  }
  if (len >= 3 && memcmp (data, utf8_bom, 3) == 0) {
    data += 3;
    len -= 3;
  }
  for (size_t i = 0; i < len; ++i)
    ascii = ascii && (data[i] & 0x80) == 0;
  if (powershell && !ascii && v2v_is_valid_utf8 (data, len) &&
      v2v_str_append (out, utf8_bom) == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < len; ++i) {
    if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r') &&
        v2v_str_append_len (out, "\r", 1) == -1)
      return v2v_fail_nomem (err);
    if (v2v_str_append_len (out, data + i, 1) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* The part behind "NNNN-": safe characters, for Windows with its suffix. */
static char *
script_name (struct v2v_guest *g, const char *name, struct v2v_error **err)
{
  char *safe;

  if (is_windows (g) && !has_suffix (name, ".cmd") &&
      !has_suffix (name, ".bat") && !has_suffix (name, ".ps1")) {
    v2v_fail (err, V2V_ERR_USAGE,
              "first boot: '%s' is no script that Windows runs: its name must "
              "end in .cmd, .bat or .ps1",
              name);
    return NULL;
  }
  /* v2v_safe_name cuts at 64 bytes: then the suffix would be lost. */
  if (strlen (name) > 60) {
    CLEANUP_FREE char *cut = NULL;
    const char *dot = strrchr (name, '.');

    if (dot == NULL || strlen (dot) > 8)
      dot = "";
    if (asprintf (&cut, "%.48s%s", name, dot) == -1) {
      cut = NULL;
      v2v_fail_nomem (err);
      return NULL;
    }
    safe = v2v_safe_name (cut);
  }
  else
    safe = v2v_safe_name (name);
  if (safe == NULL)
    v2v_fail_nomem (err);
  return safe;
}

int
v2v_firstboot_add (struct v2v_guest *g, unsigned order, const char *name,
                   const void *script, size_t len, bool secret,
                   struct v2v_error **err)
{
  struct v2v_str text CLEANUP_STR = V2V_STR_INIT;
  CLEANUP_FREE char *safe = NULL, *path = NULL;

  if (order > 9999)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "first boot: order %u of '%s', expected 0..9999", order,
                     name);
  if (len > V2V_FIRSTBOOT_MAX_SCRIPT)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "first boot: '%s' has %zu bytes, at most %u are taken",
                     name, len, V2V_FIRSTBOOT_MAX_SCRIPT);
  safe = script_name (g, name, err);
  if (safe == NULL)
    return -1;
  if (is_windows (g)) {
    if (for_windows (&text, safe, script, len, err) == -1)
      return -1;
  }
  else if (v2v_str_append_len (&text, script, len) == -1)
    return v2v_fail_nomem (err);
  if (asprintf (&path, "%s/%04u-%s", scripts_folder (g), order, safe) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_guest_mkdir (g, scripts_folder (g), 0700, err) == -1 ||
      v2v_guest_write (g, path, text.ptr ? text.ptr : "", text.len, 0700,
                       secret ? V2V_WRITE_SECRET : 0, "runs at the first boot",
                       err) == -1)
    return v2v_prefix (err, "first boot: %s", name);
  return 0;
}

static int
read_host_file (const char *path, struct v2v_str *out, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  char buf[8192];
  ssize_t n;

  if (fd == -1 || fstat (fd, &st) == -1)
    return v2v_fail_errno (err, "%s", path);
  if (!S_ISREG (st.st_mode))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: not a file", path);
  while ((n = read (fd, buf, sizeof buf)) != 0) {
    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "%s", path);
    if (v2v_str_append_len (out, buf, (size_t) n) == -1)
      return v2v_fail_nomem (err);
    if (out->len > V2V_FIRSTBOOT_MAX_SCRIPT)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: more than %u bytes are no script", path,
                       V2V_FIRSTBOOT_MAX_SCRIPT);
  }
  return 0;
}

int
v2v_firstboot_add_file (struct v2v_guest *g, unsigned order,
                        const char *host_path, struct v2v_error **err)
{
  struct v2v_str text CLEANUP_STR = V2V_STR_INIT;
  const char *slash = strrchr (host_path, '/');

  if (read_host_file (host_path, &text, err) == -1)
    return -1;
  return v2v_firstboot_add (g, order, slash ? slash + 1 : host_path,
                            text.ptr ? text.ptr : "", text.len, true, err);
}

int
v2v_firstboot_count (struct v2v_guest *g, struct v2v_error **err)
{
  CLEANUP_LIST char **list = NULL;
  int n = 0;

  switch (v2v_guest_stat (g, scripts_folder (g), NULL, err)) {
  case -1:
    return -1;
  case 0:
    return 0;
  }
  list = v2v_guest_glob (g, scripts_folder (g), "[0-9][0-9][0-9][0-9]-*", err);
  if (list == NULL)
    return -1;
  while (list[n] != NULL)
    ++n;
  return n;
}
