/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar archives made byte by byte, right and wrong ones. */
#ifndef TAR_BUILD_H
#define TAR_BUILD_H

#include <stddef.h>
#include <stdint.h>

struct tar_build {
  uint8_t *data;
  size_t len;
};

/* Append a header block with a right checksum.  SIZE is written in octal. */
void tar_header (struct tar_build *t, const char *name, char type,
                 uint64_t size);
/* Change the last header: bytes at OFFSET, then the checksum again. */
void tar_patch (struct tar_build *t, size_t offset, const void *bytes,
                size_t len);
/* Append LEN bytes and padding to 512. */
void tar_data (struct tar_build *t, const void *bytes, size_t len);
/* Header and data of a regular file. */
void tar_file (struct tar_build *t, const char *name, const void *bytes,
               size_t len);
/* A pax header (TYPE 'x' or 'g') with one record. */
void tar_pax (struct tar_build *t, char type, const char *key,
              const char *value);
/* Two blocks of zeros. */
void tar_end (struct tar_build *t);
void tar_free (struct tar_build *t);

#endif /* TAR_BUILD_H */
