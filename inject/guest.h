/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest: the file systems of one virtual machine as one tree, and what is
 * known about the operating system on it.
 *
 * A back end (guest-libguestfs.c: an appliance; guest-folder.c: a folder of
 * the host, for tests and unpacked trees) moves bytes; guest.c in front of it
 * is what the converters (linux*.c, windows*.c, customize*.c) call.  The
 * front
 *   - writes every change into a journal and saves what was there before in
 *     the undo bundle, so converters never do either;
 *   - makes no change where nothing changes: a second run writes nothing;
 *   - bounds what it reads: everything in a guest is hostile.
 *
 * Paths are absolute inside the guest, '/' between the parts, for Windows too
 * ("/Windows/System32").  Symbolic links are resolved inside the guest.
 * On Windows paths are found without regard to case.
 */
#ifndef V2V_GUEST_H
#define V2V_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/findings.h"
#include "formats/machine.h"
#include "inject/journal.h"

struct v2v_guest;

enum v2v_guest_family {
  V2V_FAMILY_UNKNOWN, /* no operating system was found: a data disk */
  V2V_FAMILY_LINUX,
  V2V_FAMILY_WINDOWS,
  V2V_FAMILY_OTHER, /* BSD, DOS ... */
};
const char *v2v_guest_family_name (enum v2v_guest_family f); /* "linux" */

struct v2v_os_mount {
  char *path;   /* "/", "/boot" */
  char *device; /* as libguestfs names it: "/dev/sda1", "/dev/vg/root",
                   "btrfsvol:/dev/sda2/@" */
};
struct v2v_os_letter {
  char letter;  /* upper case */
  char *device; /* "/dev/sda2" */
};
struct v2v_os_application {
  char *name;
  char *version; /* without epoch */
  char *release;
  char *arch;
  char *publisher; /* Windows */
};
/* A file system of the machine, mounted in the tree or not. */
struct v2v_filesystem {
  char *device;   /* "/dev/sda1" */
  char *type;     /* "ext4", "ntfs", "swap", "crypto_LUKS", "BitLocker" ... */
  char *uuid;     /* or NULL */
  char *label;    /* or NULL */
  char *partuuid; /* of the GPT partition, or NULL */
  /* Windows only, where it is known: */
  uint64_t offset_bytes;   /* of the partition on its disk; 0 = unknown */
  uint32_t disk_signature; /* of its MBR; 0 = none or unknown */
  bool is_active;          /* what a BIOS starts from */
};

/* What a device that is no partition is made of: an opened encrypted volume
 * ("/dev/mapper/v2v-crypt1-sda5" of "/dev/sda5"), a volume group ("/dev/vg" of
 * each of its physical volumes). */
struct v2v_os_layer {
  char *device;
  char *below;
};

/* What inspection found.  Strings are owned by the guest; NULL = unknown. */
struct v2v_os {
  enum v2v_guest_family family;
  char *root;   /* device of "/" */
  char *distro; /* libguestfs' names: "debian", "rhel", "redhat-based" ... */
  char *product_name;
  char *product_variant; /* Windows: "Client", "Server", "Server Core" */
  char *arch;            /* "x86_64", "i386", "aarch64" */
  char *hostname;
  int major, minor;            /* 12 and 0; Windows 10.0; -1 unknown */
  unsigned build;              /* Windows; 0 unknown */
  char *package_format;        /* "deb", "rpm", "pacman", "apk" */
  char *package_management;    /* "apt", "dnf", "yum", "zypper" ... */
  char *systemroot;            /* Windows: "/Windows", case as on disk */
  char *control_set;           /* Windows: "ControlSet001" */
  char *system_volume;         /* Windows: device of another volume that a BIOS
                                  starts from ("System Reserved"), seen at
                                  V2V_WINDOWS_SYSTEM_VOLUME; or NULL */
  struct v2v_os_mount *mounts; /* shortest path first */
  size_t nr_mounts;
  struct v2v_os_letter *letters;
  size_t nr_letters;
  struct v2v_os_application *applications;
  size_t nr_applications;
  struct v2v_filesystem *filesystems;
  size_t nr_filesystems;
  struct v2v_os_layer *layers; /* only where a volume is encrypted */
  size_t nr_layers;
};
void v2v_os_clear (struct v2v_os *os);
/* Growing lists; the new element is zeroed; NULL when out of memory. */
struct v2v_os_mount *v2v_os_add_mount (struct v2v_os *os);
struct v2v_os_letter *v2v_os_add_letter (struct v2v_os *os);
struct v2v_os_application *v2v_os_add_application (struct v2v_os *os);
struct v2v_filesystem *v2v_os_add_filesystem (struct v2v_os *os);
struct v2v_os_layer *v2v_os_add_layer (struct v2v_os *os);
/* The first application whose name matches the shell pattern, without regard
 * to case; NULL if none. */
const struct v2v_os_application *
v2v_os_find_application (const struct v2v_os *os, const char *pattern);
struct v2v_json *v2v_os_to_json (const struct v2v_os *os);

/* How a converted guest shall be.  Zeroed = defaults; strings are borrowed. */
enum v2v_initramfs_mode {
  V2V_INITRAMFS_AUTO,    /* rebuild where something is missing; where the
                           guest's tool fails, append */
  V2V_INITRAMFS_APPEND,  /* never run the guest's tool: append an archive */
  V2V_INITRAMFS_REBUILD, /* rebuild always */
};
struct v2v_guest_opts {
  unsigned generation; /* of the target: 1 or 2; 0 = unknown, fit both */
  bool new_macs;       /* MAC addresses are not kept */
  const char *root;    /* which operating system, when there are several */
  enum v2v_initramfs_mode initramfs;
  bool serial_console;
  unsigned rootdelay_seconds; /* 0 = none */
  bool keep_tools;            /* leave VMware Tools alone */
  bool allow_dirty;      /* go on with a dirty file system (journal replayed) */
  bool allow_hibernated; /* discard a hibernated Windows' memory */
  bool fsck;             /* check file systems when all is changed */
  bool have_keys;        /* keys for encrypted volumes will be tried */
  const char *const *firstboot; /* host files, in order; NULL-terminated */
  const char *const *drivers;   /* host folders with INF files */
};

/* ---- the handle ---- */

/* A folder of the host as a guest.  OS is copied from (deep) by the caller's
 * filling of v2v_guest_os afterwards.  Programs of the guest cannot be run. */
struct v2v_guest *v2v_guest_open_folder (const char *path,
                                         struct v2v_error **err);
void v2v_guest_close (struct v2v_guest *g); /* accepts NULL; never fails */

/* What is known; a folder's is filled by whoever opened it. */
struct v2v_os *v2v_guest_os (struct v2v_guest *g);
const struct v2v_guest_opts *v2v_guest_get_opts (const struct v2v_guest *g);
void v2v_guest_set_opts (struct v2v_guest *g, const struct v2v_guest_opts *o);
/* The machine around it, for its NICs and disks; NULL = none known. */
const struct v2v_machine *v2v_guest_machine (const struct v2v_guest *g);
void v2v_guest_set_machine (struct v2v_guest *g, const struct v2v_machine *m);
/* Findings of the converters; never NULL. */
struct v2v_findings *v2v_guest_findings (struct v2v_guest *g);
struct v2v_journal *v2v_guest_journal (struct v2v_guest *g);
/* Originals go below this folder of the host (made when needed); NULL = are
 * not kept.  Copied. */
int v2v_guest_set_undo (struct v2v_guest *g, const char *folder,
                        struct v2v_error **err);
/* Where temporary files of the host may go (hives, initramfs). Never NULL. */
const char *v2v_guest_tmpdir (struct v2v_guest *g);
/* Look only: programs of the guest are not run; everything else goes to an
 * overlay that is thrown away, and into the journal. */
void v2v_guest_set_dry_run (struct v2v_guest *g, bool dry_run);
bool v2v_guest_is_dry_run (const struct v2v_guest *g);
/* Tell people what is being done, which may take minutes. */
typedef void v2v_guest_step_fn (void *arg, const char *what);
void v2v_guest_set_step (struct v2v_guest *g, v2v_guest_step_fn *step,
                         void *arg);
void v2v_guest_tell_step (struct v2v_guest *g, const char *what);

/* ---- looking ---- */

enum v2v_file_type {
  V2V_FILE_REGULAR,
  V2V_FILE_FOLDER,
  V2V_FILE_LINK,
  V2V_FILE_OTHER
};
struct v2v_guest_stat {
  enum v2v_file_type type;
  uint64_t size_bytes;
  uint32_t mode; /* permission bits only */
  uint32_t uid, gid;
  int64_t mtime;
};
/* 1 = there and *RET is filled (RET may be NULL), 0 = not there, -1 = error.
 * The first follows links, the second does not. */
int v2v_guest_stat (struct v2v_guest *g, const char *path,
                    struct v2v_guest_stat *ret, struct v2v_error **err);
int v2v_guest_lstat (struct v2v_guest *g, const char *path,
                     struct v2v_guest_stat *ret, struct v2v_error **err);
/* Without an error: what cannot be looked at is not there. */
bool v2v_guest_is_file (struct v2v_guest *g, const char *path);
bool v2v_guest_is_dir (struct v2v_guest *g, const char *path);
bool v2v_guest_exists (struct v2v_guest *g, const char *path);

/* Names in a folder, sorted, without "." and ".."; an empty list if it is not
 * there.  The caller frees with v2v_guest_free_list. */
#define V2V_GUEST_MAX_NAMES 100000
char **v2v_guest_list (struct v2v_guest *g, const char *path,
                       struct v2v_error **err);
/* Absolute paths that match FOLDER/PATTERN, sorted; PATTERN (fnmatch) is for
 * the last part only. */
char **v2v_guest_glob (struct v2v_guest *g, const char *folder,
                       const char *pattern, struct v2v_error **err);
void v2v_guest_free_list (char **list); /* accepts NULL */
#define CLEANUP_LIST __attribute__ ((cleanup (v2v_guest_cleanup_list)))
void v2v_guest_cleanup_list (char ***list);

/* The target of a link; NULL with ERR unset when PATH is no link. */
char *v2v_guest_readlink (struct v2v_guest *g, const char *path,
                          struct v2v_error **err);
/* Windows: PATH as it is spelled on the disk, parents too; parts that are not
 * there stay as given.  Elsewhere a copy of PATH. */
char *v2v_guest_case_path (struct v2v_guest *g, const char *path,
                           struct v2v_error **err);

/* The whole file, a NUL behind it that LEN does not count; the caller frees.
 * Larger than MAX_BYTES is V2V_ERR_GUEST.  NULL with ERR unset when the file
 * is not there.  Configuration files: V2V_GUEST_MAX_TEXT. */
#define V2V_GUEST_MAX_TEXT (4u << 20)
void *v2v_guest_read (struct v2v_guest *g, const char *path, size_t max_bytes,
                      size_t *ret_len, struct v2v_error **err);
/* The same as text: a file with a NUL inside is V2V_ERR_GUEST. */
char *v2v_guest_read_text (struct v2v_guest *g, const char *path,
                           struct v2v_error **err);
/* The first MAX_BYTES of a file of any size, otherwise as v2v_guest_read. */
void *v2v_guest_read_head (struct v2v_guest *g, const char *path,
                           size_t max_bytes, size_t *ret_len,
                           struct v2v_error **err);
/* Copy a file of the guest to HOST_PATH (created, 0600), whatever its size up
 * to MAX_BYTES. */
int v2v_guest_download (struct v2v_guest *g, const char *path,
                        const char *host_path, uint64_t max_bytes,
                        struct v2v_error **err);

struct v2v_guest_space {
  uint64_t total_bytes, free_bytes;
  uint64_t free_inodes; /* UINT64_MAX = no such limit */
};
/* Of the file system that is mounted at PATH's place. */
int v2v_guest_space (struct v2v_guest *g, const char *path,
                     struct v2v_guest_space *ret, struct v2v_error **err);

/* ---- changing; WHY goes into the journal: a short clause without a full
 * stop ("device names do not survive") ---- */

enum {
  V2V_WRITE_SECRET = 1,  /* contents are kept out of the journal and logs */
  V2V_WRITE_NO_UNDO = 2, /* do not save what was there (an initramfs that was
                            renamed aside) */
};
/* Make PATH hold exactly LEN bytes: written beside and renamed.  An existing
 * file keeps mode and owner; MODE (0 = 0644) is for a new one, owned by root.
 * A link is followed.  Nothing happens when the contents are the same.
 * Parent folders must exist.  Returns 1 = changed, 0 = was so already. */
int v2v_guest_write (struct v2v_guest *g, const char *path, const void *data,
                     size_t len, uint32_t mode, unsigned flags, const char *why,
                     struct v2v_error **err);
int v2v_guest_write_text (struct v2v_guest *g, const char *path,
                          const char *text, uint32_t mode, const char *why,
                          struct v2v_error **err);
/* The contents of a host's file; large ones too. */
int v2v_guest_upload (struct v2v_guest *g, const char *host_path,
                      const char *path, uint32_t mode, unsigned flags,
                      const char *why, struct v2v_error **err);
/* Make a folder and its parents. 1 = made, 0 = was there. */
int v2v_guest_mkdir (struct v2v_guest *g, const char *path, uint32_t mode,
                     struct v2v_error **err);
/* Remove a file or link (not a folder). 1 = removed, 0 = was not there. */
int v2v_guest_remove (struct v2v_guest *g, const char *path, const char *why,
                      struct v2v_error **err);
/* The same for a private key, a password file, a log: what was in it stays out
 * of the journal. */
int v2v_guest_remove_secret (struct v2v_guest *g, const char *path,
                             const char *why, struct v2v_error **err);
/* Remove a folder and all in it; files up to 1 MiB go into the undo bundle. */
int v2v_guest_remove_tree (struct v2v_guest *g, const char *path,
                           const char *why, struct v2v_error **err);
int v2v_guest_rename (struct v2v_guest *g, const char *from, const char *to,
                      const char *why, struct v2v_error **err);
/* Make PATH a link to TARGET, replacing a link or file. 1 = changed. */
int v2v_guest_symlink (struct v2v_guest *g, const char *target,
                       const char *path, const char *why,
                       struct v2v_error **err);
/* 1 = changed. */
int v2v_guest_chmod (struct v2v_guest *g, const char *path, uint32_t mode,
                     const char *why, struct v2v_error **err);
int v2v_guest_chown (struct v2v_guest *g, const char *path, uint32_t uid,
                     uint32_t gid, const char *why, struct v2v_error **err);

/* ---- the guest's own programs ---- */

/* Can programs of the guest run here?  Not in a folder, not for a foreign
 * architecture. */
bool v2v_guest_can_run (const struct v2v_guest *g);
/* Run ARGV inside the guest's root, without a network.  *RET_STATUS is the
 * exit status, *RET_OUTPUT (may be NULL) the end of stdout and stderr
 * (at most 64 KiB; the caller frees).  Returns 0; 1 = not run, since this is
 * a dry run; -1 = it could not be started or took longer than SECONDS. */
int v2v_guest_run (struct v2v_guest *g, const char *const argv[],
                   unsigned seconds, const char *why, int *ret_status,
                   char **ret_output, struct v2v_error **err);

/* ---- what only some back ends do; 1 = not possible here ---- */

/* Set SELinux labels of the mounted tree by the specification file SPEC
 * (inside the guest). */
int v2v_guest_selinux_relabel (struct v2v_guest *g, const char *spec,
                               struct v2v_error **err);

#endif /* V2V_GUEST_H */
