/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NTFS: was the volume left clean, by Fast Startup, or hibernated?
 *
 * Sources: [MS-FSCC] for attribute types and reparse points; the layout of
 * boot sector, file records, run lists, index blocks, $Volume and $LogFile as
 * in the NTFS documentation of the Linux-NTFS project and
 * Documentation/filesystems/ntfs3.rst.  What means "clean" is what ntfs-3g
 * takes for it: no client in the restart area, or its flag "volume is clean";
 * a log filled with ones was reset.  Log version 2 on a volume that is not
 * clean is Windows 8's Fast Startup.
 *
 * Left out: attribute lists (a $MFT or root folder in very many pieces), then
 * hiberfil.sys is looked at after mounting only.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/fs-internal.h"

#define NTFS_SECTOR      512 /* of fixups, whatever the disk has */
#define NTFS_MAX_RECORD  4096
#define NTFS_MAX_CLUSTER (2 * 1024 * 1024)
#define NTFS_MAX_INDEX   (64 * 1024)
/* Of the root folder; 1 MiB with blocks of 4 KiB. */
#define NTFS_MAX_INDEX_BLOCKS 256
#define NTFS_RECORD_LOGFILE   2
#define NTFS_RECORD_VOLUME    3
#define NTFS_RECORD_ROOT      5
#define NTFS_DATA             0x80
#define NTFS_INDEX_ROOT       0x90
#define NTFS_INDEX_ALLOCATION 0xa0
#define NTFS_VOLUME_NAME      0x60
#define NTFS_VOLUME_INFO      0x70
#define NTFS_VOLUME_DIRTY     0x0001
#define NTFS_RESTART_CLEAN    0x0002
#define NTFS_NO_CLIENT        0xffff

struct ntfs {
  struct fs_area *a;
  uint32_t cluster; /* bytes */
  uint32_t record;  /* bytes of a file record */
  uint64_t mft;     /* byte offset of record 0 */
};

/* A view of one attribute inside a record. */
struct ntfs_attr {
  const uint8_t *ptr; /* the header */
  uint32_t len;
  bool resident;
  const uint8_t *value; /* resident: its value; else the run list */
  uint32_t value_len;
  uint64_t size; /* of the data; initialised, when not resident */
};

/* Undo the fixups of a record or index block in BUF; false: it is torn. */
static bool
ntfs_fixup (uint8_t *buf, uint32_t len)
{
  const uint32_t offset = v2v_le16 (buf + 4), count = v2v_le16 (buf + 6);

  if (count != len / NTFS_SECTOR + 1 || offset < 8 ||
      offset + 2 * count > NTFS_SECTOR - 2)
    return false;
  for (uint32_t i = 1; i < count; ++i) {
    uint8_t *end = buf + (size_t) i * NTFS_SECTOR - 2;

    if (memcmp (end, buf + offset, 2) != 0)
      return false;
    memcpy (end, buf + offset + 2 * i, 2);
  }
  return true;
}

/* Attribute TYPE, called NAME_LEN characters of NAME (ASCII); false: none. */
static bool
ntfs_find (const struct ntfs *n, const uint8_t *rec, uint32_t type,
           const char *name, struct ntfs_attr *ret)
{
  uint32_t pos = v2v_le16 (rec + 0x14);

  while (pos + 24 <= n->record && v2v_le32 (rec + pos) != UINT32_MAX) {
    const uint8_t *p = rec + pos;
    const uint32_t len = v2v_le32 (p + 4), name_at = v2v_le16 (p + 10);
    const size_t want = strlen (name);
    uint32_t at;
    bool same;

    if (len < 24 || len > n->record - pos)
      return false;
    same = v2v_le32 (p) == type && p[9] == want && name_at + 2 * want <= len;
    for (size_t i = 0; same && i < want; ++i)
      same = v2v_le16 (p + name_at + 2 * i) == (uint8_t) name[i];
    pos += len;
    if (!same)
      continue;
    ret->ptr = p;
    ret->len = len;
    ret->resident = p[8] == 0;
    if (ret->resident) {
      at = v2v_le16 (p + 20);
      ret->value_len = v2v_le32 (p + 16);
      if (!v2v_range_inside (at, ret->value_len, len))
        return false;
      ret->size = ret->value_len;
    }
    else {
      if (len < 64)
        return false;
      at = v2v_le16 (p + 32);
      if (at < 64 || at >= len)
        return false;
      ret->value_len = len - at;
      ret->size = v2v_min_u64 (v2v_le64 (p + 48), v2v_le64 (p + 56));
    }
    ret->value = p + at;
    return true;
  }
  return false;
}

/* Where cluster VCN of the runs lies: byte offset in the volume and how many
 * bytes follow there.  1 = there, 0 = a hole, or nonsense. */
static int
ntfs_map (const struct ntfs *n, const struct ntfs_attr *attr, uint64_t vcn,
          uint64_t *ret_offset, uint64_t *ret_len)
{
  const uint8_t *p = attr->value, *end = p + attr->value_len;
  uint64_t at = 0, lcn = 0;

  while (p < end && *p != 0) {
    const unsigned nl = *p & 15, no = *p >> 4;
    uint64_t count = 0, delta = 0;

    if (nl == 0 || nl > 8 || no > 8 || (size_t) (end - p) < 1u + nl + no)
      return 0;
    for (unsigned i = 0; i < nl; ++i)
      count |= (uint64_t) p[1 + i] << (8 * i);
    for (unsigned i = 0; i < no; ++i)
      delta |= (uint64_t) p[1 + nl + i] << (8 * i);
    if (no > 0 && no < 8 && (p[nl + no] & 0x80) != 0)
      delta |= UINT64_MAX << (8 * no);
    lcn += delta; /* signed, modulo 2^64; checked by the range below */
    if (count == 0 || !v2v_add_u64 (at, count, &count))
      return 0;
    if (vcn < count) {
      if (no == 0 || !v2v_add_u64 (lcn, vcn - at, ret_offset) ||
          !v2v_mul_u64 (*ret_offset, n->cluster, ret_offset) ||
          !v2v_mul_u64 (count - vcn, n->cluster, ret_len))
        return 0;
      return 1;
    }
    at = count;
    p += 1 + nl + no;
  }
  return 0;
}

/* LEN bytes from OFFSET of an attribute.  1, 0 (not there), -1. */
static int
ntfs_read_attr (const struct ntfs *n, const struct ntfs_attr *attr, void *buf,
                size_t len, uint64_t offset, struct v2v_error **err)
{
  uint8_t *out = buf;

  if (!v2v_range_inside (offset, len, attr->size))
    return 0;
  if (attr->resident) {
    memcpy (buf, attr->value + offset, len);
    return 1;
  }
  while (len > 0) {
    const uint64_t in = offset % n->cluster;
    uint64_t at, run;
    size_t piece;
    int r;

    if (ntfs_map (n, attr, offset / n->cluster, &at, &run) == 0)
      return 0;
    piece = (size_t) v2v_min_u64 (len, run - in);
    r = fs_read (n->a, out, piece, at + in, err);
    if (r <= 0)
      return r;
    out += piece;
    offset += piece;
    len -= piece;
  }
  return 1;
}

/* File record NR, its fixups undone.  The first 16 lie together; MFT, the
 * data of record 0, is needed for others. */
static int
ntfs_read_record (const struct ntfs *n, uint64_t nr,
                  const struct ntfs_attr *mft, uint8_t rec[NTFS_MAX_RECORD],
                  struct v2v_error **err)
{
  uint64_t offset;
  int r;

  if (!v2v_mul_u64 (nr, n->record, &offset))
    return 0;
  if (mft != NULL)
    r = ntfs_read_attr (n, mft, rec, n->record, offset, err);
  else
    r = fs_read (n->a, rec, n->record, n->mft + offset, err);
  if (r <= 0)
    return r;
  return memcmp (rec, "FILE", 4) == 0 && ntfs_fixup (rec, n->record);
}

/* ---- $Volume: label and the dirty flag ---- */

static int
ntfs_probe_volume (const struct ntfs *n, struct v2v_fs_state *s,
                   struct v2v_error **err)
{
  uint8_t rec[NTFS_MAX_RECORD];
  struct ntfs_attr attr;
  const int r = ntfs_read_record (n, NTFS_RECORD_VOLUME, NULL, rec, err);

  if (r == -1)
    return -1;
  if (r == 0 || !ntfs_find (n, rec, NTFS_VOLUME_INFO, "", &attr) ||
      !attr.resident || attr.value_len < 12) {
    s->damaged = true;
    s->evidence = "$Volume cannot be read";
    return 0;
  }
  if (v2v_le16 (attr.value + 10) & NTFS_VOLUME_DIRTY) {
    s->journal_dirty = true;
    s->evidence = "the volume is marked dirty";
  }
  if (ntfs_find (n, rec, NTFS_VOLUME_NAME, "", &attr) && attr.resident) {
    CLEANUP_FREE char *label =
        v2v_to_utf8 ("UTF-16LE", attr.value, attr.value_len, NULL);

    if (label != NULL)
      fs_copy_label (s, label, strlen (label));
  }
  return 0;
}

/* ---- $LogFile ---- */

/* A restart page's state; the later of two pages holds. */
struct ntfs_restart {
  bool found;
  bool clean;
  uint16_t major;
  uint64_t lsn;
};

static void
ntfs_look_at_restart (const uint8_t page[NTFS_SECTOR], struct ntfs_restart *s)
{
  const uint32_t at = v2v_le16 (page + 24);
  uint64_t lsn;

  if (memcmp (page, "RSTR", 4) != 0 || at < 0x1e || at + 16 > NTFS_SECTOR - 2)
    return;
  lsn = v2v_le64 (page + at);
  if (s->found && lsn <= s->lsn)
    return;
  s->found = true;
  s->lsn = lsn;
  s->major = v2v_le16 (page + 28);
  s->clean = v2v_le16 (page + at + 12) == NTFS_NO_CLIENT ||
             (v2v_le16 (page + at + 14) & NTFS_RESTART_CLEAN) != 0;
}

static bool
ntfs_is_filled (const uint8_t *p, size_t len, uint8_t with)
{
  while (len-- > 0)
    if (p[len] != with)
      return false;
  return true;
}

static void
ntfs_judge_log (const struct ntfs_restart *restart, bool reset,
                struct v2v_fs_state *s)
{
  if (reset)
    return;
  if (!restart->found) {
    s->damaged = true;
    s->evidence = "$LogFile has no restart page";
  }
  else if (!restart->clean && restart->major >= 2) {
    s->journal_dirty = s->fast_start = true;
    s->evidence = "$LogFile holds what Windows kept for a fast start";
  }
  else if (!restart->clean) {
    s->journal_dirty = true;
    s->evidence = "$LogFile is in use: the volume was not dismounted";
  }
}

static int
ntfs_probe_log (const struct ntfs *n, struct v2v_fs_state *s,
                struct v2v_error **err)
{
  uint8_t rec[NTFS_MAX_RECORD], page[NTFS_SECTOR];
  struct ntfs_restart restart = { .found = false };
  struct ntfs_attr attr;
  uint32_t second = 4096;
  bool reset;
  int r = ntfs_read_record (n, NTFS_RECORD_LOGFILE, NULL, rec, err);

  if (r == -1)
    return -1;
  if (r == 0 || !ntfs_find (n, rec, NTFS_DATA, "", &attr) || attr.resident)
    goto unreadable;
  r = ntfs_read_attr (n, &attr, page, sizeof page, 0, err);
  if (r == -1)
    return -1;
  if (r == 0)
    goto unreadable;
  /* Reset by ntfs-3g or mkfs, or looked through by chkdsk. */
  reset =
      ntfs_is_filled (page, sizeof page, 0xff) || memcmp (page, "CHKD", 4) == 0;
  ntfs_look_at_restart (page, &restart);
  if (restart.found && v2v_is_pow2 (v2v_le32 (page + 16)) &&
      v2v_le32 (page + 16) >= NTFS_SECTOR &&
      v2v_le32 (page + 16) <= NTFS_MAX_INDEX)
    second = v2v_le32 (page + 16);
  r = ntfs_read_attr (n, &attr, page, sizeof page, second, err);
  if (r == -1)
    return -1;
  if (r == 1)
    ntfs_look_at_restart (page, &restart);
  ntfs_judge_log (&restart, reset, s);
  return 0;

unreadable:
  s->damaged = true;
  s->evidence = "$LogFile cannot be read";
  return 0;
}

/* ---- hiberfil.sys ---- */

/* Look through the entries of an index for hiberfil.sys; its record, or 0. */
static uint64_t
ntfs_search_entries (const uint8_t *header, size_t len)
{
  static const char wanted[] = "hiberfil.sys";
  uint64_t pos, end;

  if (len < 16)
    return 0;
  pos = v2v_le32 (header);
  end = v2v_min_u64 (v2v_le32 (header + 4), len);
  while (pos + 16 <= end) {
    const uint8_t *e = header + pos;
    const uint32_t size = v2v_le16 (e + 8), stream = v2v_le16 (e + 10);
    bool same;

    if (size < 16 || size > end - pos || (v2v_le16 (e + 12) & 2) != 0)
      return 0;
    same = stream >= 0x42 + 2 * (sizeof wanted - 1) && 16 + stream <= size &&
           e[16 + 0x40] == sizeof wanted - 1;
    for (size_t i = 0; same && i < sizeof wanted - 1; ++i) {
      const uint16_t c = v2v_le16 (e + 16 + 0x42 + 2 * i);

      same = (c >= 'A' && c <= 'Z' ? c + 32 : c) == (uint8_t) wanted[i];
    }
    if (same)
      return v2v_le64 (e) & UINT64_C (0xffffffffffff);
    pos += size;
  }
  return 0;
}

/* The root folder's index blocks, one after another: no tree is followed, so
 * none can lead astray. */
static int
ntfs_search_blocks (const struct ntfs *n, const struct ntfs_attr *blocks,
                    uint32_t size, uint64_t *ret, struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *buf = malloc (size);
  const uint64_t nr = v2v_min_u64 (blocks->size / size, NTFS_MAX_INDEX_BLOCKS);

  if (buf == NULL)
    return v2v_fail_nomem (err);
  for (uint64_t i = 0; i < nr && *ret == 0; ++i) {
    const int r = ntfs_read_attr (n, blocks, buf, size, i * size, err);

    if (r == -1)
      return -1;
    if (r == 1 && memcmp (buf, "INDX", 4) == 0 && ntfs_fixup (buf, size))
      *ret = ntfs_search_entries (buf + 24, size - 24);
  }
  return 0;
}

/* *RET = the record of hiberfil.sys in the root folder, 0 = none. */
static int
ntfs_find_hiberfil (const struct ntfs *n, uint64_t *ret, struct v2v_error **err)
{
  uint8_t rec[NTFS_MAX_RECORD];
  struct ntfs_attr root, blocks;
  uint32_t size;
  const int r = ntfs_read_record (n, NTFS_RECORD_ROOT, NULL, rec, err);

  *ret = 0;
  if (r <= 0)
    return r;
  if (!ntfs_find (n, rec, NTFS_INDEX_ROOT, "$I30", &root) || !root.resident ||
      root.value_len < 32)
    return 0;
  *ret = ntfs_search_entries (root.value + 16, root.value_len - 16);
  size = v2v_le32 (root.value + 8);
  if (*ret != 0 || size < NTFS_SECTOR || size > NTFS_MAX_INDEX ||
      !v2v_is_pow2 (size) ||
      !ntfs_find (n, rec, NTFS_INDEX_ALLOCATION, "$I30", &blocks) ||
      blocks.resident)
    return 0;
  return ntfs_search_blocks (n, &blocks, size, ret, err);
}

static int
ntfs_probe_hiberfil (const struct ntfs *n, struct v2v_fs_state *s,
                     struct v2v_error **err)
{
  uint8_t mft_rec[NTFS_MAX_RECORD], rec[NTFS_MAX_RECORD], head[4];
  struct ntfs_attr mft, data;
  uint64_t nr;
  int r;

  if (ntfs_find_hiberfil (n, &nr, err) == -1)
    return -1;
  if (nr == 0)
    return 0;
  r = ntfs_read_record (n, 0, NULL, mft_rec, err);
  if (r <= 0 || !ntfs_find (n, mft_rec, NTFS_DATA, "", &mft) || mft.resident)
    return r;
  r = ntfs_read_record (n, nr, &mft, rec, err);
  if (r <= 0 || !ntfs_find (n, rec, NTFS_DATA, "", &data))
    return r;
  r = ntfs_read_attr (n, &data, head, sizeof head, 0, err);
  if (r == 1 &&
      (memcmp (head, "hibr", 4) == 0 || memcmp (head, "HIBR", 4) == 0)) {
    s->hibernated = true;
    s->evidence = "hiberfil.sys holds the memory of a hibernated Windows";
  }
  return r;
}

/* ---- the boot sector ---- */

/* "clusters per ...": a count, or the negative of a power of two. */
static uint32_t
ntfs_size (uint8_t raw, uint32_t cluster)
{
  if (raw < 0x80)
    return raw * cluster;
  return 256 - raw < 31 ? UINT32_C (1) << (256 - raw) : 0;
}

static bool
ntfs_parse_boot (const uint8_t boot[512], struct ntfs *n, uint64_t *ret_size)
{
  const uint32_t sector = v2v_le16 (boot + 11);
  const uint32_t per = boot[13] <= 0x80      ? boot[13]
                       : 256 - boot[13] < 16 ? UINT32_C (1) << (256 - boot[13])
                                             : 0;

  if (sector < 256 || sector > 4096 || !v2v_is_pow2 (sector) ||
      !v2v_is_pow2 (per) || per > NTFS_MAX_CLUSTER / sector)
    return false;
  n->cluster = sector * per;
  n->record = ntfs_size (boot[0x40], n->cluster);
  return v2v_is_pow2 (n->record) && n->record >= NTFS_SECTOR &&
         n->record <= NTFS_MAX_RECORD &&
         v2v_mul_u64 (v2v_le64 (boot + 0x30), n->cluster, &n->mft) &&
         n->mft <= UINT64_MAX / 2 &&
         v2v_mul_u64 (v2v_le64 (boot + 0x28), sector, ret_size);
}

int
fs_probe_ntfs (struct fs_area *a, const uint8_t boot[512],
               struct v2v_fs_state *s, struct v2v_error **err)
{
  static const char digits[] = "0123456789ABCDEF";
  struct ntfs n = { .a = a };
  uint64_t size;
  int r;

  s->kind = V2V_FS_NTFS;
  s->type = "ntfs";
  for (unsigned i = 0; i < 8; ++i) {
    s->uuid[2 * i] = digits[boot[0x48 + 7 - i] >> 4];
    s->uuid[2 * i + 1] = digits[boot[0x48 + 7 - i] & 15];
  }
  s->uuid[16] = '\0';
  if (!ntfs_parse_boot (boot, &n, &size)) {
    s->damaged = true;
    s->evidence = "the boot sector makes no sense";
    return 0;
  }
  fs_set_size (s, a, size);
  r = ntfs_probe_volume (&n, s, err);
  if (r == 0)
    r = ntfs_probe_log (&n, s, err);
  /* The least reliable state last, so that its evidence is what is shown. */
  if (r == 0)
    r = ntfs_probe_hiberfil (&n, s, err) == -1 ? -1 : 0;
  return r;
}
