/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a partition holds and in which state it was left, read from its
 * superblocks: before an appliance is started, and without one.
 *
 * Read-only, bounded, safe on hostile disks: a structure that makes no sense
 * is less knowledge (or "damaged"), never an error; only a failed read is one.
 */
#ifndef V2V_FS_PROBE_H
#define V2V_FS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "formats/image.h"

enum v2v_fs_kind {
  V2V_FS_UNKNOWN, /* bytes that mean nothing to us */
  V2V_FS_EMPTY,   /* zeros where superblocks are looked for */
  V2V_FS_BITLOCKER,
  V2V_FS_BTRFS,
  V2V_FS_EXT,
  V2V_FS_FAT, /* and exFAT */
  V2V_FS_ISO9660,
  V2V_FS_LUKS,
  V2V_FS_LVM, /* a physical volume */
  V2V_FS_MD,  /* a member of Linux software RAID */
  V2V_FS_NTFS,
  V2V_FS_OTHER, /* known by name only: "zfs_member", "bcache" ... */
  V2V_FS_REFS,
  V2V_FS_SWAP,
  V2V_FS_XFS,
};

struct v2v_fs_state {
  enum v2v_fs_kind kind;
  const char *type;      /* the name blkid and libguestfs use ("ext4",
                            "crypto_LUKS"), static; NULL = unknown or empty */
  char label[257];       /* UTF-8; "" = none */
  char uuid[41];         /* as blkid writes it; "" = none */
  uint64_t size_bytes;   /* by its superblock; 0 = it does not say */
  uint64_t free_bytes;   /* UINT64_MAX = unknown */
  uint64_t free_inodes;  /* UINT64_MAX = unknown or without limit */
  bool journal_dirty;    /* was not unmounted: a journal to replay, or a flag */
  bool damaged;          /* marked as having errors, or makes no sense */
  bool fast_start;       /* NTFS: left by Windows' Fast Startup */
  bool hibernated;       /* NTFS: hiberfil.sys holds a memory image; swap: so
                            does it */
  bool truncated;        /* larger than where it lies */
  bool external_journal; /* its journal is on another device: not looked at */
  const char *evidence;  /* static: what says dirty, damaged ...; or NULL */
};

/* At most this many bytes are read for one partition. */
#define V2V_FS_PROBE_MAX_READ (UINT64_C (8) * 1024 * 1024)

/* LENGTH bytes from OFFSET of IMG. */
int v2v_fs_probe (struct v2v_image *img, uint64_t offset, uint64_t length,
                  struct v2v_fs_state *ret, struct v2v_error **err);

/* The same through a function: a logical volume of a running appliance.
 * Ranges are inside [0, length-1], up to 256 KiB each. */
typedef int v2v_fs_reader (void *arg, void *buf, size_t len, uint64_t offset,
                           struct v2v_error **err);
int v2v_fs_probe_reader (v2v_fs_reader *reader, void *arg, uint64_t length,
                         struct v2v_fs_state *ret, struct v2v_error **err);

struct v2v_json *v2v_fs_state_to_json (const struct v2v_fs_state *s);

#endif /* V2V_FS_PROBE_H */
