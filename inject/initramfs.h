/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An initramfs: what is in it, whatever it is packed with. */
#ifndef V2V_INITRAMFS_H
#define V2V_INITRAMFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

/* A rescue image with all firmware has some 300 MiB. */
#define V2V_INITRAMFS_MAX_BYTES (UINT64_C (1) << 30)
/* Unpacked, all archives together; time is what this bounds. */
#define V2V_INITRAMFS_MAX_UNPACKED (UINT64_C (4) << 30)
/* Contents that are kept (configuration, lists of modules), all together. */
#define V2V_INITRAMFS_MAX_KEPT (64u << 20)
/* Names, all together: 300,000 of 200 bytes. */
#define V2V_INITRAMFS_MAX_NAMES (64u << 20)

struct v2v_initramfs_file {
  char *name;    /* "usr/lib/modules/...", without "/" or "./" before it */
  uint32_t mode; /* with the type */
  uint64_t size_bytes;
  char *data; /* of configuration and modules.dep; NUL-terminated; or NULL */
};

struct v2v_initramfs {
  struct v2v_initramfs_file *files; /* in order: a later one replaces */
  size_t nr_files;
  size_t cap;
  unsigned nr_parts;   /* archives and compressed streams */
  const char *packing; /* of the last part with files: "none", "gzip" ... */
  bool ends_in_lz4;    /* the last part has no end of its own */
  uint64_t kept_bytes, name_bytes;
};
#define V2V_INITRAMFS_INIT                                                     \
  {                                                                            \
    .files = NULL                                                              \
  }

/* Read all of IO.  V2V_ERR_FORMAT for what the kernel would not unpack,
 * V2V_ERR_UNSUPPORTED for a compression that only the kernel knows. */
int v2v_initramfs_read (struct v2v_io *io, struct v2v_initramfs *ret,
                        struct v2v_error **err);
/* The same of the initramfs inside a unified kernel image (a PE file with a
 * section .initrd). */
int v2v_initramfs_read_uki (struct v2v_io *io, struct v2v_initramfs *ret,
                            struct v2v_error **err);
void v2v_initramfs_clear (struct v2v_initramfs *im);
#define CLEANUP_INITRAMFS __attribute__ ((cleanup (v2v_initramfs_clear)))

/* The file that counts by this name, or NULL. */
const struct v2v_initramfs_file *
v2v_initramfs_find (const struct v2v_initramfs *im, const char *name);
/* The module's file among those of kernel VERSION, or NULL. */
const struct v2v_initramfs_file *
v2v_initramfs_find_module (const struct v2v_initramfs *im, const char *version,
                           const char *module);

#endif /* V2V_INITRAMFS_H */
