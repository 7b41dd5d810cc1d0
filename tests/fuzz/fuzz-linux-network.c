/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's network configuration: the same bytes as every kind of file, read,
 * loosened and pinned, twice: what was converted needs no change. */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/machine.h"
#include "inject/linux-internal.h"
#include "fuzz-util.h"

static const char *const files[] = {
  "etc/netplan/a.yaml",
  "etc/network/interfaces",
  "etc/NetworkManager/system-connections/a",
  "etc/sysconfig/network-scripts/ifcfg-a",
  "etc/systemd/network/a.link",
  "etc/systemd/network/a.network",
  "etc/udev/rules.d/70-persistent-net.rules",
  "var/lib/dhcp/dhclient.a.leases",
};
static const char *const others[] = {
  "etc/systemd/network/10-v2v-a.link",
  "usr/lib/udev/rules.d/80-net-setup-link.rules",
};

static int root = -1;
static char root_path[64];

/* Folders are made once; a file is replaced for each input. */
static void
put (const char *path, const void *data, size_t size)
{
  char part[128];
  int fd;

  snprintf (part, sizeof part, "%s", path);
  for (char *s = part; (s = strchr (s, '/')) != NULL; *s++ = '/') {
    *s = '\0';
    (void) mkdirat (root, part, 0700);
  }
  fd = openat (root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd == -1 || write (fd, data, size) != (ssize_t) size)
    abort ();
  close (fd);
}

static void
remove_root (void)
{
  const char *const argv[] = { "rm", "-rf", root_path, NULL };
  int status;

  /* A child, since what is removed is a tree. */
  const pid_t pid = fork ();
  if (pid == 0) {
    execvp (argv[0], (char *const *) (uintptr_t) argv);
    _exit (127);
  }
  if (pid > 0)
    waitpid (pid, &status, 0);
}

static size_t
convert (struct v2v_machine *m)
{
  struct v2v_guest *g = v2v_guest_open_folder (root_path, NULL);
  struct linux_guest l = { .g = g, .os = v2v_guest_os (g) };
  struct v2v_error *err = NULL;
  size_t changes;

  v2v_guest_set_machine (g, m);
  if (linux_keep_network (&l, &err) == -1)
    abort (); /* nothing in these files stops a guest from starting */
  v2v_json_free (v2v_linux_network_to_json (g, NULL));
  changes = v2v_guest_journal (g)->len;
  v2v_guest_close (g);
  return changes;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_machine *m = v2v_machine_new (NULL);
  struct v2v_nic *nic = v2v_machine_add_nic (m);

  if (root == -1) {
    snprintf (root_path, sizeof root_path, "/tmp/v2v-fuzz-XXXXXX");
    if (mkdtemp (root_path) == NULL ||
        (root = open (root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
      abort ();
    atexit (remove_root);
  }
  nic->id = strdup ("ethernet0");
  nic->mac = strdup ("00:50:56:aa:bb:01");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    unlinkat (root, files[i], 0);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (others); ++i)
    unlinkat (root, others[i], 0);
  put (others[1], "", 0);
  /* The first byte tells which files hold the rest. */
  for (size_t i = 0; size > 0 && i < V2V_ARRAY_SIZE (files); ++i)
    if (data[0] & 1u << i)
      put (files[i], data + 1, size - 1);
  (void) convert (m);
  if (convert (m) != 0)
    abort ();
  v2v_machine_free (m);
  return 0;
}
