/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cryptographic digests (OpenSSL is behind this), and the digest of a disk.
 *
 * The digest of a disk, "sha256-2m": SHA-256 of each 2 MiB block of the
 * virtual disk (the last one may be shorter and is hashed as long as it is),
 * then SHA-256 over the concatenated block digests.  Blocks can be hashed in
 * any order and on any thread, a zero block's digest is known in advance, and
 * two disks can be compared or re-synchronised block by block.  It says
 * nothing of the container: a VMDK and the VHDX made from it have the same.
 */
#ifndef V2V_DIGEST_H
#define V2V_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"

#define V2V_SHA256_SIZE     32
#define V2V_DIGEST_BLOCK    (UINT64_C (2) * 1024 * 1024)
#define V2V_DIGEST_MAX_SIZE 64

/* One-shot SHA-256 into OUT (32 bytes). Cannot fail on valid arguments;
 * aborts if the crypto library has no SHA-256. */
void v2v_sha256 (const void *buf, size_t len, uint8_t out[V2V_SHA256_SIZE]);

/* Incremental, for "sha1", "sha256", "sha512". */
struct v2v_hash;
struct v2v_hash *v2v_hash_new (const char *algorithm, struct v2v_error **err);
void v2v_hash_update (struct v2v_hash *h, const void *buf, size_t len);
/* Returns the number of bytes written to OUT. */
size_t v2v_hash_final (struct v2v_hash *h, uint8_t out[V2V_DIGEST_MAX_SIZE]);
void v2v_hash_free (struct v2v_hash *h);

/* Block digests of one disk.  Sparse: what was never given is the digest of a
 * block of zeros and takes no memory, and past a bound the rest goes to an
 * unlinked temporary file, so that a disk of 64 TiB fits in tens of MiB.
 */
struct v2v_digest_pages;
struct v2v_disk_digest {
  uint64_t size_bytes;
  uint64_t nr_blocks;
  uint8_t root[V2V_SHA256_SIZE];
  bool complete;                  /* root is valid */
  struct v2v_digest_pages *pages; /* use the functions below */
};

/* Larger disks are refused: no format here holds more than 64 TiB, and the
 * root of a hostile size would take hours. */
#define V2V_DIGEST_MAX_DISK (UINT64_C (1) << 50)

/* All blocks start as the digest of zeros of their length. */
struct v2v_disk_digest *v2v_disk_digest_new (uint64_t size_bytes,
                                             struct v2v_error **err);
/* Length in bytes of block B (2 MiB except the last). */
uint64_t v2v_disk_digest_block_len (const struct v2v_disk_digest *d,
                                    uint64_t block);
/* Hash block BLOCK.  Thread-safe for different blocks.  BUF has the block's
 * whole length.  Failures are kept and reported by v2v_disk_digest_finish. */
void v2v_disk_digest_block (struct v2v_disk_digest *d, uint64_t block,
                            const void *buf);
/* Store a block's digest that was computed elsewhere (a journal). */
void v2v_disk_digest_set (struct v2v_disk_digest *d, uint64_t block,
                          const uint8_t digest[V2V_SHA256_SIZE]);
/* Copy a block's digest to OUT; -1 if the temporary file cannot be read. */
int v2v_disk_digest_get (const struct v2v_disk_digest *d, uint64_t block,
                         uint8_t out[V2V_SHA256_SIZE], struct v2v_error **err);
/* Computes the root. */
int v2v_disk_digest_finish (struct v2v_disk_digest *d, struct v2v_error **err);
void v2v_disk_digest_free (struct v2v_disk_digest *d); /* accepts NULL */

/* Memory for block digests before the temporary file is used; 32 MiB hold
 * 2 TiB of data.  Tests lower it. */
#define V2V_DIGEST_MEMORY (UINT64_C (32) * 1024 * 1024)
void v2v_disk_digest_limit_memory (struct v2v_disk_digest *d, uint64_t bytes);

#endif /* V2V_DIGEST_H */
