/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the front (guest.c) and its back ends. */
#ifndef V2V_GUEST_INTERNAL_H
#define V2V_GUEST_INTERNAL_H

#include "inject/guest.h"

/* The contract of a back end.  PATH is absolute, without ".." parts, checked
 * by the front.  Slots marked [opt] may be NULL: "not possible here". */
struct v2v_guest_ops {
  const char *name;
  /* 1 = there, 0 = not there. */
  int (*stat) (void *h, const char *path, bool follow,
               struct v2v_guest_stat *ret, struct v2v_error **err);
  /* NULL-terminated, any order, without "." and "..".  PATH is a folder. */
  char **(*list) (void *h, const char *path, struct v2v_error **err);
  char *(*readlink) (void *h, const char *path, struct v2v_error **err);
  /* PATH is a regular file; at most MAX bytes are wanted.  A NUL follows. */
  void *(*read) (void *h, const char *path, size_t max, size_t *ret_len,
                 struct v2v_error **err);
  int (*download) (void *h, const char *path, int fd, uint64_t max,
                   struct v2v_error **err);
  /* Make or truncate, write from FD's start to its end, set mode and owner. */
  int (*upload) (void *h, int fd, const char *path, uint32_t mode, uint32_t uid,
                 uint32_t gid, struct v2v_error **err);
  /* [opt] What else belongs to the file FROM (access lists, labels, DOS
   * attributes) also for the file TO; as far as the file system has it. */
  int (*copy_attributes) (void *h, const char *from, const char *to,
                          struct v2v_error **err);
  /* [opt] Is the file PATH written as it lies, because a new one beside it
   * would lack what belongs to it? */
  bool (*in_place) (void *h, const char *path);
  int (*mkdir) (void *h, const char *path, uint32_t mode,
                struct v2v_error **err);
  int (*remove) (void *h, const char *path, struct v2v_error **err);
  int (*remove_tree) (void *h, const char *path, struct v2v_error **err);
  /* Replaces TO. */
  int (*rename) (void *h, const char *from, const char *to,
                 struct v2v_error **err);
  int (*symlink) (void *h, const char *target, const char *path,
                  struct v2v_error **err);
  int (*chmod) (void *h, const char *path, uint32_t mode,
                struct v2v_error **err);
  int (*chown) (void *h, const char *path, uint32_t uid, uint32_t gid,
                struct v2v_error **err);
  int (*space) (void *h, const char *path, struct v2v_guest_space *ret,
                struct v2v_error **err);
  /* [opt] As v2v_guest_run; the output is bounded by the back end. */
  int (*run) (void *h, const char *const argv[], unsigned seconds,
              int *ret_status, char **ret_output, struct v2v_error **err);
  int (*selinux_relabel) (void *h, const char *spec, /* [opt] */
                          struct v2v_error **err);
  void (*close) (void *h); /* frees H; never fails */
};

/* A guest over HANDLE, which it takes over on success. */
struct v2v_guest *v2v_guest_new (const struct v2v_guest_ops *ops, void *handle,
                                 struct v2v_error **err);

#endif /* V2V_GUEST_INTERNAL_H */
