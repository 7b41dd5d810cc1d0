/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files that act on hosts.
 *
 *   hosts-file.c       the hosts file
 *   hosts.c            the front: checks, then the driver
 *   host-transfer.c    sending files by blocks, on top of a driver
 *   host-bases.c       bases: what is there, what is sent, rows of host_base
 *   host-local.c       files below a local folder, for:
 *   host-folder.c        the driver "folder"
 *   host-qemu.c          the driver "qemu"
 *   host-ssh.c         the driver "ssh"
 */
#ifndef V2V_HOSTS_INTERNAL_H
#define V2V_HOSTS_INTERNAL_H

#include "library/hosts.h"
#include "library/library-internal.h"

/* Ends the name of what is not complete. */
#define HOST_PART ".part"
/* In a machine's folder: what a host of ours keeps there while it runs;
 * never sent. */
#define HOST_RUN "lab"
/* A description of 256 disks has some 100 KiB. */
#define HOST_MAX_TEXT ((size_t) 4 * 1024 * 1024)
/* A machine's folder has a disk and a script or two for each of 260 places. */
#define HOST_MAX_FILES 1024

/* One file on its way. */
struct host_file {
  char *local; /* path here */
  char *rel;   /* its name there */
  char *part;  /* and until it is complete */
  char *old;   /* REL, if it may be there and PART then begins with its
                  contents; or NULL */
  uint64_t size;
  unsigned mode;
  struct v2v_disk_digest *have;  /* what PART, or OLD, has; NULL = neither */
  bool have_old;                 /* it is OLD's */
  struct v2v_disk_digest *want;  /* what it shall have */
  bool same;                     /* nothing is to be written */
  bool shared;                   /* blocks of the local file */
  uint8_t root[V2V_SHA256_SIZE]; /* what was read there, after writing */
};
V2V_VECTOR (host_files, struct host_file);
void host_files_clear (host_files *f);

enum host_kind { HOST_NOTHING, HOST_FILE, HOST_FOLDER };

/* What a driver does; H is its handle.  Paths are checked by the front. */
struct v2v_host_ops {
  const char *name;
  void *(*open) (const struct v2v_host *host, struct v2v_error **err);
  void (*close) (void *h);
  const char *(*local_path) (void *h); /* NULL: it has none */

  int (*kind) (void *h, const char *rel, enum host_kind *ret,
               struct v2v_error **err);
  /* Fill in have and have_old.  From here to release nobody else writes the
   * files; who else does is told by EWOULDBLOCK in ERR. */
  int (*prepare) (void *h, struct host_file *f, size_t n,
                  struct v2v_error **err);
  /* 1: PART has the blocks of the local file; 0: that cannot be.  NULL: it
   * never can. */
  int (*share) (void *h, struct host_file *f, size_t index,
                struct v2v_error **err);
  /* Those files that are not same or shared are written between begin and
   * end: PART is made, of OLD where that is what they have. */
  int (*write_begin) (void *h, struct host_file *f, size_t n,
                      struct v2v_error **err);
  int (*write) (void *h, struct host_file *f, size_t index, const void *buf,
                size_t len, uint64_t offset, struct v2v_error **err);
  /* Sizes are set, all is on disk, and read again: root. */
  int (*write_end) (void *h, struct host_file *f, size_t n,
                    struct v2v_error **err);
  /* Rename; a file may replace a file, a folder must be new. */
  int (*publish) (void *h, const char *from, const char *to,
                  struct v2v_error **err);
  /* At the end, also after a failure. */
  void (*release) (void *h, size_t n);
  /* NULL: nothing of its own. */
  int (*seal) (void *h, const char *rel, struct v2v_error **err);
  int (*get) (void *h, const char *rel, int fd, uint64_t max,
              const struct v2v_copy_opts *copy, struct v2v_error **err);
  int (*digest) (void *h, const char *rel, struct v2v_disk_digest **ret,
                 struct v2v_error **err);
  int (*remove_files) (void *h, const char *rel, struct v2v_error **err);
  int (*list) (void *h, const char *rel, v2v_host_file_fn *fn, void *arg,
               struct v2v_error **err);

  int (*register_vm) (void *h, const char *machine, struct v2v_error **err);
  int (*start) (void *h, const char *machine, struct v2v_error **err);
  int (*stop) (void *h, const char *machine, bool force,
               struct v2v_error **err);
  int (*unregister_vm) (void *h, const char *machine, struct v2v_error **err);
  int (*state) (void *h, const char *machine, enum v2v_host_state *ret,
                struct v2v_error **err);
};

struct v2v_host_conn {
  const struct v2v_host *host;
  const struct v2v_host_ops *ops;
  void *h;
};

extern const struct v2v_host_ops host_folder_ops;
extern const struct v2v_host_ops host_qemu_ops;
extern const struct v2v_host_ops host_ssh_ops;

/* All of FD as text: no NUL, at most HOST_MAX_TEXT bytes; the caller frees. */
char *host_read_text (int fd, struct v2v_error **err);

/* ---- host-transfer.c ---- */

/* Everything of LOCAL to REL. */
int host_send (struct v2v_host_conn *c, const char *local, const char *rel,
               const struct v2v_copy_opts *copy, struct v2v_host_sent *sent,
               struct v2v_error **err);
/* Files of a folder that go there from elsewhere, under the same name. */
struct host_replacement {
  char *name; /* in the folder */
  char *path;
};
V2V_VECTOR (host_replacements, struct host_replacement);
void host_replacements_clear (host_replacements *r);
int host_replace (host_replacements *r, const char *name, const char *path,
                  struct v2v_error **err);
/* The folder LOCAL with these, to REL. */
int host_send_changed (struct v2v_host_conn *c, const char *local,
                       const char *rel, const host_replacements *changed,
                       const struct v2v_copy_opts *copy,
                       struct v2v_host_sent *sent, struct v2v_error **err);
/* The digests of the blocks of FD, SIZE bytes. */
struct v2v_disk_digest *host_digest_fd (int fd, uint64_t size, const char *name,
                                        const atomic_bool *cancel,
                                        struct v2v_error **err);

/* ---- host-local.c: ops whose handle begins with this struct ---- */

struct host_local {
  int root; /* the host's path */
  char *path;
  int *fds; /* of files being sent, locked; -1 = none */
};
int host_local_init (struct host_local *l, const struct v2v_host *host,
                     struct v2v_error **err);
void host_local_clear (struct host_local *l);
const char *host_local_path (void *h);
int host_local_kind (void *h, const char *rel, enum host_kind *ret,
                     struct v2v_error **err);
int host_local_prepare (void *h, struct host_file *f, size_t n,
                        struct v2v_error **err);
int host_local_share (void *h, struct host_file *f, size_t index,
                      struct v2v_error **err);
int host_local_write_begin (void *h, struct host_file *f, size_t n,
                            struct v2v_error **err);
int host_local_write (void *h, struct host_file *f, size_t index,
                      const void *buf, size_t len, uint64_t offset,
                      struct v2v_error **err);
int host_local_write_end (void *h, struct host_file *f, size_t n,
                          struct v2v_error **err);
void host_local_release (void *h, size_t n);
int host_local_publish (void *h, const char *from, const char *to,
                        struct v2v_error **err);
int host_local_seal (void *h, const char *rel, struct v2v_error **err);
int host_local_get (void *h, const char *rel, int fd, uint64_t max,
                    const struct v2v_copy_opts *copy, struct v2v_error **err);
int host_local_digest (void *h, const char *rel, struct v2v_disk_digest **ret,
                       struct v2v_error **err);
int host_local_remove_files (void *h, const char *rel, struct v2v_error **err);
int host_local_list (void *h, const char *rel, v2v_host_file_fn *fn, void *arg,
                     struct v2v_error **err);
/* A small text; the caller frees. */
char *host_local_text (const struct host_local *l, const char *rel,
                       struct v2v_error **err);
/* A small file, written anew as a whole; the folder must be there. */
int host_local_put_text (struct host_local *l, const char *rel,
                         const char *text, size_t len, struct v2v_error **err);
#define HOST_LOCAL_FILE_OPS                                                    \
  .local_path = host_local_path, .kind = host_local_kind,                      \
  .prepare = host_local_prepare, .share = host_local_share,                    \
  .write_begin = host_local_write_begin, .write = host_local_write,            \
  .write_end = host_local_write_end, .release = host_local_release,            \
  .publish = host_local_publish, .seal = host_local_seal,                      \
  .get = host_local_get, .digest = host_local_digest,                          \
  .remove_files = host_local_remove_files, .list = host_local_list

#endif /* V2V_HOSTS_INTERNAL_H */
