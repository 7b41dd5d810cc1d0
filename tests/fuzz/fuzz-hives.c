/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hive through our wrapper: opened, walked to a bounded depth, changed and
 * committed; the header's checksum is made right first. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz-util.h"
#include "inject/hive-log.h"
#include "inject/hive.h"

#define MAX_KEYS 200

static void
walk (struct v2v_hive *h, const char *key, unsigned depth, unsigned *left)
{
  struct v2v_error *err = NULL;
  char **names = v2v_hive_value_names (h, key, &err);
  char *deepest = NULL;

  for (size_t i = 0; names != NULL && names[i] != NULL && i < 50; ++i) {
    uint32_t v;

    v2v_hive_get_dword (h, key, names[i], &v, NULL);
    free (v2v_hive_get_string (h, key, names[i], NULL));
    v2v_guest_free_list (v2v_hive_get_multi (h, key, names[i], NULL));
  }
  v2v_guest_free_list (names);
  v2v_error_free (err);
  err = NULL;
  names = v2v_hive_subkeys (h, key, &err);
  for (size_t i = 0; names != NULL && names[i] != NULL && *left > 0; ++i) {
    char *below;

    --*left;
    if (depth >= 8 || asprintf (&below, "%s\\%s", key, names[i]) == -1)
      break;
    walk (h, below, depth + 1, left);
    free (deepest);
    deepest = below;
  }
  v2v_guest_free_list (names);
  v2v_error_free (err);
  if (deepest != NULL && depth == 1) {
    v2v_hive_delete_value (h, deepest, "", "fuzz", NULL);
    v2v_hive_set_dword (h, deepest, "Start", 0, "fuzz", NULL);
    v2v_hive_delete_key (h, deepest, "fuzz", NULL);
  }
  free (deepest);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_error *err = NULL;
  unsigned left = MAX_KEYS;
  struct v2v_hive *h;
  char path[64];
  uint8_t *copy;
  int fd;

  if (size < 8192 || size > 65536 || (copy = malloc (size)) == NULL)
    return 0;
  memcpy (copy, data, size);
  memcpy (copy + 4, copy + 8, 4);
  v2v_put_le32 (copy + 508, hive_base_checksum (copy));
  fd = memfd_create ("hive", MFD_CLOEXEC);
  if (fd == -1 || write (fd, copy, size) != (ssize_t) size)
    abort ();
  free (copy);
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  h = v2v_hive_open (path, "fuzz", true, NULL, &err);
  v2v_error_free (err);
  if (h != NULL)
    walk (h, "", 0, &left);
  v2v_hive_close (h);
  close (fd);
  return 0;
}
