/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading keys of encrypted disks. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "inject/guest-keys.h"

/* cryptsetup's own limit for a passphrase on a terminal is 512 bytes. */
#define MAX_KEY_BYTES 4096

/* Nobody asked for more of it than its first line. */
static char *
read_key (const char *path, struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  char buf[MAX_KEY_BYTES + 1];
  size_t len = 0;
  ssize_t n = 0;
  char *key = NULL;

  if (fd == -1) {
    v2v_fail_errno (err, "--key: %s", path);
    return NULL;
  }
  while (len < sizeof buf && (n = read (fd, buf + len, sizeof buf - len)) > 0)
    len += (size_t) n;
  if (n == -1)
    v2v_fail_errno (err, "--key: %s", path);
  else if (len == sizeof buf)
    v2v_fail (err, V2V_ERR_USAGE,
              "--key: %s: longer than %d bytes, so it is no key", path,
              MAX_KEY_BYTES);
  else {
    buf[len] = '\0';
    len = strcspn (buf, "\r\n");
    buf[len] = '\0';
    if (len == 0)
      v2v_fail (err, V2V_ERR_USAGE, "--key: %s: its first line is empty", path);
    else if ((key = strdup (buf)) == NULL)
      v2v_fail_nomem (err);
  }
  explicit_bzero (buf, sizeof buf);
  return key;
}

int
v2v_guest_keys_add (struct v2v_guest_keys *keys, const char *spec,
                    struct v2v_error **err)
{
  const char *colon = strchr (spec, ':');
  struct v2v_guest_key *p;
  CLEANUP_FREE char *selector = NULL;
  char *key;

  if (colon == NULL || colon == spec || colon[1] == '\0')
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--key: expected SELECTOR:FILE, with a device, a UUID or "
                     "'all' before the colon");
  selector = strndup (spec, (size_t) (colon - spec));
  p = reallocarray (keys->ptr, keys->len + 1, sizeof *p);
  if (p != NULL)
    keys->ptr = p;
  if (p == NULL || selector == NULL)
    return v2v_fail_nomem (err);
  key = read_key (colon + 1, err);
  if (key == NULL)
    return -1;
  p[keys->len++] =
      (struct v2v_guest_key){ .selector = STEAL (selector), .key = key };
  return 0;
}

void
v2v_guest_keys_clear (struct v2v_guest_keys *keys)
{
  for (size_t i = 0; i < keys->len; ++i) {
    explicit_bzero (keys->ptr[i].key, strlen (keys->ptr[i].key));
    free (keys->ptr[i].key);
    free (keys->ptr[i].selector);
  }
  free (keys->ptr);
  memset (keys, 0, sizeof *keys);
}
