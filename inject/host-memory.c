/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found out about this host, kept for the next run:
 * $XDG_CACHE_HOME/v2v/host.json (or ~/.cache/v2v/host.json).  It counts until
 * the host is started again: another kernel may do better.  Losing it costs
 * one wait, so nothing here fails.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "inject/host-memory.h"

/* Ours has some 100 bytes. */
#define MAX_BYTES 4096

static void
cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (cleanup_json)))

/* A small file as text; NULL if it cannot be read. */
static char *
read_small (const char *path)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  char buf[MAX_BYTES + 1];
  ssize_t n;

  if (fd == -1)
    return NULL;
  n = read (fd, buf, sizeof buf - 1);
  return n <= 0 ? NULL : strndup (buf, (size_t) n);
}

/* Changes with every start of the host. */
static char *
boot_id (void)
{
  char *id = read_small ("/proc/sys/kernel/random/boot_id");

  if (id != NULL)
    id[strcspn (id, "\n")] = '\0';
  return id;
}

/* The folder is made if MAKE. */
static char *
memory_path (bool make)
{
  const char *cache = getenv ("XDG_CACHE_HOME"), *home = getenv ("HOME");
  CLEANUP_FREE char *base = NULL, *dir = NULL;
  char *path = NULL;

  if (cache != NULL && cache[0] == '/')
    base = strdup (cache);
  else if (home == NULL || home[0] != '/' ||
           asprintf (&base, "%s/.cache", home) == -1)
    base = NULL;
  if (base == NULL || asprintf (&dir, "%s/v2v", base) == -1) {
    dir = NULL;
    return NULL;
  }
  if (make) {
    mkdir (base, 0700);
    mkdir (dir, 0700);
  }
  return asprintf (&path, "%s/host.json", dir) == -1 ? NULL : path;
}

bool
v2v_host_kvm_hangs (void)
{
  CLEANUP_FREE char *path = memory_path (false), *text = NULL, *id = boot_id ();
  CLEANUP_JSON struct v2v_json *o = NULL;
  const char *then, *kvm;

  if (path == NULL || id == NULL || (text = read_small (path)) == NULL)
    return false;
  o = v2v_json_parse (text, strlen (text), path, NULL);
  if (!v2v_json_is_object (o))
    return false;
  then = v2v_json_get_string (o, "boot_id");
  kvm = v2v_json_get_string (o, "kvm");
  return then != NULL && kvm != NULL && strcmp (then, id) == 0 &&
         strcmp (kvm, "hangs") == 0;
}

void
v2v_host_remember_kvm_hangs (void)
{
  CLEANUP_FREE char *path = memory_path (true), *part = NULL, *id = boot_id ();
  CLEANUP_FREE char *text = NULL;
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  CLEANUP_CLOSE int fd = -1;
  size_t len;

  v2v_json_set_string (o, "boot_id", id);
  v2v_json_set_string (o, "kvm", "hangs");
  if (path == NULL || id == NULL || !v2v_json_ok (o) ||
      (text = v2v_json_dump (o, 2)) == NULL ||
      asprintf (&part, "%s.part", path) == -1) {
    part = NULL;
    return;
  }
  fd = open (part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  len = strlen (text);
  if (fd == -1 || write (fd, text, len) != (ssize_t) len ||
      rename (part, path) == -1)
    unlink (part);
}
