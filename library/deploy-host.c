/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines that go to a host: bases first, by what is missing there, then the
 * folder, then the hypervisor is told.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/deploy-internal.h"

int
deploy_host_folder (struct v2v_library *lib, struct v2v_host_conn *host,
                    char **ret, bool *ret_staged, struct v2v_error **err)
{
  const char *local = v2v_host_local_path (host);
  CLEANUP_FREE char *work = NULL;
  char *folder;

  *ret_staged = local == NULL;
  if (local != NULL) {
    if (lib_make_folders (local, err) == -1)
      return -1;
    folder = realpath (local, NULL);
    if (folder == NULL)
      return v2v_fail_errno (err, "%s", local);
    *ret = folder;
    return 0;
  }
  work = v2v_library_work_folder (lib, NULL, err);
  if (work == NULL)
    return -1;
  if (asprintf (&folder, "%s/deploy-XXXXXX", work) == -1)
    return v2v_fail_nomem (err);
  if (mkdtemp (folder) == NULL) {
    v2v_fail_errno (err, "%s", folder);
    free (folder);
    return -1;
  }
  *ret = folder;
  return 0;
}

int
deploy_host_base (struct v2v_library *lib, struct v2v_host_conn *host,
                  struct deploy_base *b, const struct v2v_copy_opts *copy,
                  struct v2v_error **err)
{
  CLEANUP_FREE char *rel = NULL;

  return v2v_host_ensure_base (lib, host, b->id, copy, &rel, NULL, err) == -1 ||
                 v2v_host_parent_paths (v2v_host_of (host), "machine", rel,
                                        &b->relative, &b->absolute, err) == -1
             ? -1
             : 0;
}

int
deploy_host_send (struct v2v_host_conn *host, const char *folder, bool staged,
                  const struct v2v_copy_opts *copy, struct v2v_error **err)
{
  const char *machine = strrchr (folder, '/') + 1;

  if (staged && v2v_host_put (host, folder, machine, copy, NULL, err) == -1)
    return -1;
  return v2v_host_register (host, machine, err);
}

int
deploy_host_path (struct v2v_library *lib, const char *name, const char *folder,
                  char **ret, struct v2v_error **err)
{
  CLEANUP_HOSTS struct v2v_hosts hosts = { 0 };
  const struct v2v_host *h;

  *ret = NULL;
  if (v2v_hosts_load (lib, NULL, &hosts, err) == -1)
    return -1;
  h = v2v_hosts_find (&hosts, name, err);
  if (h == NULL)
    return -1;
  /* Opening a library is no time to call a host by ssh. */
  if (strcmp (h->driver, "ssh") == 0)
    return 0;
  *ret = lib_join (h->path, folder, err);
  return *ret == NULL ? -1 : 0;
}
