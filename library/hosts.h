/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts: where machines go.  A hosts file says what each host has, a driver
 * acts on it.
 *
 *   { "hosts": [ {
 *       "name": "hv1",
 *       "driver": "folder",          or "ssh", "qemu"
 *       "path": "/srv/hv1",          a folder here; ssh: one on the host
 *       "windows_path": "D:\\VMs",   the same as the host calls it
 *       "bases": "bases",            folder below it for bases
 *       "address": "admin@hv1", "port": 22, "ssh_options": [ "-i", "key" ],
 *       "processors": 64, "memory_mib": 262144, "disk_gib": 8000,
 *       "generations": [ 1, 2 ], "switches": [ "Lab" ], "vlans": [ 7 ],
 *       "networks": { "VM Network": "Lab" },
 *       "availability_zone": "a", "maintenance": false } ] }
 *
 * What is not said about capacity, switches and VLANs is no limit.  A machine
 * is a folder below the host's path, and MACHINE is that folder's name; it
 * has its description in MACHINE/MACHINE.json.
 *
 * Drivers: "folder" puts files there and leaves requests for a script that is
 * run on the host; "ssh" talks to Windows' own OpenSSH and PowerShell; "qemu"
 * starts the machines itself.
 */
#ifndef V2V_HOSTS_H
#define V2V_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/core/error.h"
#include "library/library.h"

/* ---- the hosts file ---- */

struct v2v_host_network {
  char *network; /* as templates name it */
  char *switch_name;
};

struct v2v_host {
  char *name;
  char *driver;
  char *path;         /* absolute */
  char *windows_path; /* or NULL: parents are stored by relative paths only */
  char *bases;
  char *address; /* ssh */
  unsigned port; /* 0 = what ssh takes */
  char **ssh_options;
  size_t nr_ssh_options;
  char *accelerator; /* qemu: "tcg" or "kvm"; NULL = tcg */
  /* 0 = not said */
  uint64_t processors, memory_mib, disk_gib;
  unsigned generations; /* bits 1 << 1 and 1 << 2; 0 = not said */
  char **switches;
  size_t nr_switches;
  unsigned *vlans;
  size_t nr_vlans;
  struct v2v_host_network *networks;
  size_t nr_networks;
  char *availability_zone; /* or NULL */
  bool maintenance;
};

struct v2v_hosts {
  struct v2v_host *ptr;
  size_t len;
};

/* V2V_ERR_FORMAT names the host and the member that is wrong. */
int v2v_hosts_read (const char *file, struct v2v_hosts *ret,
                    struct v2v_error **err);
int v2v_hosts_parse (const char *text, size_t len, const char *name,
                     struct v2v_hosts *ret, struct v2v_error **err);
void v2v_hosts_clear (struct v2v_hosts *h);
#define CLEANUP_HOSTS __attribute__ ((cleanup (v2v_hosts_clear)))

/* FILE, or $V2V_HOSTS, or hosts.json of LIB (which may be NULL). */
int v2v_hosts_load (struct v2v_library *lib, const char *file,
                    struct v2v_hosts *ret, struct v2v_error **err);
/* Borrowed. */
const struct v2v_host *v2v_hosts_find (const struct v2v_hosts *h,
                                       const char *name,
                                       struct v2v_error **err);
struct v2v_json *v2v_host_to_json (const struct v2v_host *h);

/* ---- a host to act on ---- */

enum v2v_host_state {
  V2V_HOST_OFF,
  V2V_HOST_RUNNING,
  V2V_HOST_ABSENT,  /* no such machine there */
  V2V_HOST_UNKNOWN, /* files are there; nobody has told more */
};
const char *v2v_host_state_name (enum v2v_host_state s);

struct v2v_host_conn;

/* HOST is borrowed until close. */
struct v2v_host_conn *v2v_host_open (const struct v2v_host *host,
                                     struct v2v_error **err);
void v2v_host_close (struct v2v_host_conn *c); /* accepts NULL */
const struct v2v_host *v2v_host_of (const struct v2v_host_conn *c);
/* The host's folder where this process can write to it, or NULL. */
const char *v2v_host_local_path (const struct v2v_host_conn *c);

static inline void
v2v_cleanup_host (struct v2v_host_conn **c)
{
  v2v_host_close (*c);
}
#define CLEANUP_HOST __attribute__ ((cleanup (v2v_cleanup_host)))

/* REL in what follows is a path below the host's path: plain names with '/'
 * between them. */

struct v2v_host_sent {
  uint64_t nr_files;
  uint64_t sent_bytes;   /* that went there */
  uint64_t shared_bytes; /* the same blocks of one file system */
  uint64_t kept_bytes;   /* that were there, or are zeros of a new file */
};

/* LOCAL, a file or a folder, goes to REL.  It gets that name when it is
 * complete and compared with what was sent, block by block (2 MiB, SHA-256);
 * blocks that are there already, of an earlier version or of a transfer that
 * was broken off, are not sent again.  SENT may be NULL. */
int v2v_host_put (struct v2v_host_conn *c, const char *local, const char *rel,
                  const struct v2v_copy_opts *copy, struct v2v_host_sent *sent,
                  struct v2v_error **err);
/* The file REL becomes LOCAL, a new file. */
int v2v_host_get (struct v2v_host_conn *c, const char *rel, const char *local,
                  const struct v2v_copy_opts *copy, struct v2v_error **err);
/* A small text (up to 4 MiB); the caller frees. */
char *v2v_host_get_text (struct v2v_host_conn *c, const char *rel,
                         struct v2v_error **err);
/* A file or a folder with all that is in it; it need not be there. */
int v2v_host_remove_files (struct v2v_host_conn *c, const char *rel,
                           struct v2v_error **err);

/* Borrowed during the call. */
struct v2v_host_file {
  const char *name;
  uint64_t size_bytes;
  int64_t mtime; /* nanoseconds since 1970 */
  bool folder;
};
typedef int v2v_host_file_fn (void *arg, const struct v2v_host_file *f,
                              struct v2v_error **err);
/* What is in the folder REL ("": the host's path), by name; nothing if it is
 * not there.  Names that are not plain are left out. */
int v2v_host_list (struct v2v_host_conn *c, const char *rel,
                   v2v_host_file_fn *fn, void *arg, struct v2v_error **err);
/* The files of the folder for bases. */
int v2v_host_list_bases (struct v2v_host_conn *c, v2v_host_file_fn *fn,
                         void *arg, struct v2v_error **err);
/* Is REL on the host what is in the object ID of the library?  Reads all of
 * it. */
int v2v_host_verify_base (struct v2v_library *lib, struct v2v_host_conn *c,
                          const char *id, const char *rel, bool *ret_equal,
                          struct v2v_error **err);

/* Make the hypervisor know the machine; nothing happens when it does. */
int v2v_host_register (struct v2v_host_conn *c, const char *machine,
                       struct v2v_error **err);
int v2v_host_start (struct v2v_host_conn *c, const char *machine,
                    struct v2v_error **err);
/* FORCE: as by pulling the plug. */
int v2v_host_stop (struct v2v_host_conn *c, const char *machine, bool force,
                   struct v2v_error **err);
/* Make the hypervisor forget it; files stay. */
int v2v_host_unregister (struct v2v_host_conn *c, const char *machine,
                         struct v2v_error **err);
int v2v_host_state (struct v2v_host_conn *c, const char *machine,
                    enum v2v_host_state *ret, struct v2v_error **err);

/* ---- bases ---- */

/* Make sure that the object ID, a disk with all its parents, lies in the
 * folder for bases, read-only: what is there is found by its name (which has
 * its digest) or, under another name, by its size and digest; only what is
 * missing is sent.  Rows of host_base are kept.  *RET_REL ("bases/NAME.vhdx")
 * is the caller's; *RET_SENT may be NULL. */
int v2v_host_ensure_base (struct v2v_library *lib, struct v2v_host_conn *c,
                          const char *id, const struct v2v_copy_opts *copy,
                          char **ret_rel, bool *ret_sent,
                          struct v2v_error **err);
/* The paths that a child in the folder MACHINE (NULL: beside the base) stores
 * for the base REL:
 * relative ("..\bases\NAME.vhdx") and, where the host has a windows_path,
 * absolute (else NULL); both the caller's. */
int v2v_host_parent_paths (const struct v2v_host *h, const char *machine,
                           const char *rel, char **ret_relative,
                           char **ret_absolute, struct v2v_error **err);
/* How many of the objects IDS the host has by host_base, and how many bytes
 * of files the others have. */
int v2v_host_bases_there (struct v2v_library *lib, const char *host,
                          const char *const *ids, size_t n, size_t *ret_there,
                          uint64_t *ret_missing_bytes, struct v2v_error **err);
/* Look at the bases that the host should have by host_base; DEEP reads them.
 * Rows of what is not there any more are removed. */
struct v2v_host_base {
  const char *object; /* id */
  const char *rel;
  const char *state; /* "ok", "missing", "changed" */
};
typedef int v2v_host_base_fn (void *arg, const struct v2v_host_base *b,
                              struct v2v_error **err);
int v2v_host_check_bases (struct v2v_library *lib, struct v2v_host_conn *c,
                          bool deep, v2v_host_base_fn *fn, void *arg,
                          struct v2v_error **err);
/* Remove the base REL and its row; refused (V2V_ERR_USAGE, naming it) while a
 * machine on the host, or another base there, needs it.  A file without a row
 * is nobody's and goes. */
int v2v_host_remove_base (struct v2v_library *lib, struct v2v_host_conn *c,
                          const char *rel, struct v2v_error **err);

#endif /* V2V_HOSTS_H */
