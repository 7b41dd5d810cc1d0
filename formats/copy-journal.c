/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of a copy: which ranges are safely in the destination.
 *
 * File, little-endian:
 *   header   "v2v-copy-journal", u32 version, u32 length of the identity, the
 *            identity (text, one "key=value" a line), u32 CRC-32C of all this
 *   records  u32 kind, u32 number of digests, u64 first block, u64 number of
 *            blocks, the digests (32 bytes each), u32 CRC-32C of the record;
 *            before those of a checkpoint one of the kind "length", with the
 *            length of the destination's file where the number of blocks is
 * A block is 2 MiB.  A record is written only after the destination was
 * flushed, and the journal is synced after it; a torn last record fails its
 * CRC and is cut off.  Blocks without a record are copied again, zeros too,
 * as an earlier run may have left bytes there.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/copy-internal.h"

#define JOURNAL_MAGIC     "v2v-copy-journal"
#define JOURNAL_MAGIC_LEN 16
#define JOURNAL_VERSION   2 /* 1 had no lengths */
#define HEADER_FIXED      (JOURNAL_MAGIC_LEN + 8)
#define RECORD_FIXED      24
/* A chain of 256 files, 200 bytes each, and room. */
#define MAX_IDENTITY (256 * 1024)
/* Digests in one record: 128 KiB, 8 GiB of disk. */
#define MAX_DIGESTS 4096

/* Room that is kept behind the journal's end, so that a disk that is full does
 * not take the last checkpoint too: for the destination's tables (the sector
 * bitmaps of a VHD are 2 MiB for the GiB between two checkpoints) and for the
 * records. */
#define RESERVE_BYTES   (4 * V2V_MIB)
#define RESERVE_RECORDS (512 * UINT64_C (1024))

struct copy_checkpoints copy_checkpoints = {
  .bytes = V2V_GIB,
  .longest_ms = 10 * 1000,
  .shortest_ms = 2 * 1000,
};

enum record_kind {
  RECORD_ZERO = 1, /* nothing but zeros: needs no digests */
  RECORD_DATA = 2,
  RECORD_LENGTH = 3, /* of the destination's file: it was flushed so far */
};

struct done {
  uint64_t offset;
  uint64_t length;
  bool zero;
};

struct copy_journal {
  struct copy_job *job;
  char *path;
  char *identity;
  int fd;
  uint64_t end;    /* of what is valid in the file */
  bool has_ranges; /* in the file */
  bool has_reserve;
  /* Shared by those who write to the destination, exclusive for a
   * checkpoint.  Before done_lock. */
  pthread_rwlock_t quiesce;
  pthread_mutex_t done_lock; /* all below */
  struct done *done;
  size_t nr_done;
  size_t cap_done;
  struct timespec last;
  uint64_t last_written;
};

/* ---- identity ---- */

static void
put_line (FILE *fp, const char *key, const char *value)
{
  fprintf (fp, "%s=", key);
  for (; value != NULL && *value != '\0'; ++value)
    fputc ((unsigned char) *value < 32 ? '?' : *value, fp);
  fputc ('\n', fp);
}

static void
put_number (FILE *fp, const char *key, uint64_t value)
{
  fprintf (fp, "%s=%" PRIu64 "\n", key, value);
}

/* One file of the source's chain: what changes when it does. */
static int
put_layer (FILE *fp, struct v2v_image *img, struct v2v_error **err)
{
  char stamp[V2V_IMAGE_STAMP];
  const struct v2v_image_info *info = v2v_image_get_info (img);
  const char *name = v2v_image_name (img);
  const char *slash = strrchr (name, '/');
  struct v2v_io *io = v2v_image_io (img);
  uint64_t offset, len;
  struct stat st;
  int fd;

  put_line (fp, "source", slash != NULL ? slash + 1 : name);
  put_line (fp, "source format", info->format);
  put_number (fp, "source disk size", info->size_bytes);
  put_line (fp, "source id", info->id);
  put_line (fp, "source content id", info->content_id);
  if (v2v_image_stamp (img, stamp, err) == -1)
    return -1;
  if (stamp[0] != '\0')
    put_line (fp, "source extents", stamp);
  if (io == NULL)
    return 0;
  put_number (fp, "source file size", v2v_io_size (io));
  if (v2v_io_fd (io, 0, &fd, &offset, &len) && fstat (fd, &st) == 0) {
    put_number (fp, "source offset", offset);
    fprintf (fp, "source modified=%lld.%09ld\n", (long long) st.st_mtim.tv_sec,
             st.st_mtim.tv_nsec);
  }
  return 0;
}

static char *
make_identity (struct copy_job *job, size_t *ret_len, struct v2v_error **err)
{
  const struct v2v_image_info *to = v2v_image_get_info (job->dst);
  char *text = NULL;
  size_t len = 0;
  FILE *fp = open_memstream (&text, &len);
  int r = 0;

  if (fp == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (struct v2v_image *img = job->src; img != NULL && r == 0;
       img = job->opts->top_only ? NULL : v2v_image_parent (img))
    r = put_layer (fp, img, err);
  if (r == -1) {
    fclose (fp);
    free (text);
    return NULL;
  }
  put_line (fp, "target format", to->format);
  put_line (fp, "target variant", to->variant);
  put_number (fp, "target disk size", to->size_bytes);
  put_number (fp, "target block size", to->block_bytes);
  put_line (fp, "digest", job->digest != NULL ? "yes" : "no");
  put_line (fp, "top layer only", job->opts->top_only ? "yes" : "no");
  r = ferror (fp);
  if (fclose (fp) != 0 || r != 0) {
    free (text);
    v2v_fail_nomem (err);
    return NULL;
  }
  *ret_len = len;
  return text;
}

/* Name the first line that differs. */
static int
refuse_identity (const struct copy_journal *j, const char *was, const char *now,
                 struct v2v_error **err)
{
  size_t a = 0, b = 0;

  for (;;) {
    a = strcspn (was, "\n");
    b = strcspn (now, "\n");
    if (a != b || memcmp (was, now, a) != 0 || was[a] == '\0')
      break;
    was += a + 1;
    now += b + 1;
  }
  v2v_fail (err, V2V_ERR_MISMATCH,
            "%s: belongs to another copy: it has '%.*s', this one has '%.*s'",
            j->path, (int) a, was, (int) b, now);
  v2v_hint (err, "remove the journal and the unfinished file, or leave "
                 "--resume away");
  return -1;
}

/* ---- the file ---- */

static int
write_all (struct copy_journal *j, const void *buf, size_t len,
           struct v2v_error **err)
{
  const char *p = buf;

  while (len > 0) {
    const ssize_t n = pwrite (j->fd, p, len, (off_t) j->end);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "%s", j->path);
    p += n;
    len -= (size_t) n;
    j->end += (uint64_t) n;
  }
  return 0;
}

/* Allocate BYTES behind the end; the length of the file stays.  Not every file
 * system can, and a full one has no room: then there is none. */
static void
reserve (struct copy_journal *j, uint64_t bytes)
{
  if (fallocate (j->fd, FALLOC_FL_KEEP_SIZE, (off_t) j->end, (off_t) bytes) ==
      0)
    j->has_reserve = true;
  else
    v2v_debug ("%s: no room is kept: %s", j->path, strerror (errno));
}

void
copy_journal_use_reserve (struct copy_journal *j)
{
  /* Frees what lies behind the end. */
  if (j->has_reserve && ftruncate (j->fd, (off_t) j->end) == 0)
    reserve (j, RESERVE_RECORDS);
}

/* Exactly LEN bytes, or fewer at the end of the file. */
static int
read_upto (const struct copy_journal *j, void *buf, size_t len, uint64_t offset,
           size_t *ret_len, struct v2v_error **err)
{
  size_t got = 0;

  while (got < len) {
    const ssize_t n =
        pread (j->fd, (char *) buf + got, len - got, (off_t) (offset + got));

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return v2v_fail_errno (err, "%s", j->path);
    if (n == 0)
      break;
    got += (size_t) n;
  }
  *ret_len = got;
  return 0;
}

static int
write_header (struct copy_journal *j, const char *identity, size_t len,
              struct v2v_error **err)
{
  CLEANUP_FREE uint8_t *buf = malloc (HEADER_FIXED + len + 4);

  if (buf == NULL)
    return v2v_fail_nomem (err);
  memcpy (buf, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN);
  v2v_put_le32 (buf + JOURNAL_MAGIC_LEN, JOURNAL_VERSION);
  v2v_put_le32 (buf + JOURNAL_MAGIC_LEN + 4, (uint32_t) len);
  memcpy (buf + HEADER_FIXED, identity, len);
  v2v_put_le32 (buf + HEADER_FIXED + len,
                v2v_crc32c (0, buf, HEADER_FIXED + len));
  if (write_all (j, buf, HEADER_FIXED + len + 4, err) == -1)
    return -1;
  if (fsync (j->fd) == -1)
    return v2v_fail_errno (err, "%s: fsync", j->path);
  return 0;
}

static int
read_header (struct copy_journal *j, const char *identity,
             struct v2v_error **err)
{
  uint8_t fixed[HEADER_FIXED], crc[4];
  CLEANUP_FREE char *was = NULL;
  size_t got, len;

  if (read_upto (j, fixed, sizeof fixed, 0, &got, err) == -1)
    return -1;
  if (got < sizeof fixed ||
      memcmp (fixed, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN) != 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: is not a journal of a copy",
                     j->path);
  if (v2v_le32 (fixed + JOURNAL_MAGIC_LEN) != JOURNAL_VERSION)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "%s: journal version %" PRIu32 ", expected %d", j->path,
                     v2v_le32 (fixed + JOURNAL_MAGIC_LEN), JOURNAL_VERSION);
  len = v2v_le32 (fixed + JOURNAL_MAGIC_LEN + 4);
  if (len > MAX_IDENTITY)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: identity of %zu bytes, at most %d", j->path, len,
                     MAX_IDENTITY);
  was = calloc (1, len + 1);
  if (was == NULL)
    return v2v_fail_nomem (err);
  if (read_upto (j, was, len, sizeof fixed, &got, err) == -1)
    return -1;
  if (got == len &&
      read_upto (j, crc, sizeof crc, sizeof fixed + len, &got, err) == -1)
    return -1;
  if (got != sizeof crc ||
      v2v_le32 (crc) !=
          v2v_crc32c (v2v_crc32c (0, fixed, sizeof fixed), was, len))
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: header is damaged", j->path);
  if (strlen (was) != len || strcmp (was, identity) != 0)
    return refuse_identity (j, was, identity, err);
  j->end = sizeof fixed + len + 4;
  return 0;
}

/* The next record: 1 when it is whole and valid, 0 when it is not. */
static int
read_record (struct copy_journal *j, uint8_t *buf, uint64_t nr_blocks,
             size_t *ret_len, struct v2v_error **err)
{
  uint64_t first, count;
  uint32_t kind, digests;
  size_t got, len;

  if (read_upto (j, buf, RECORD_FIXED, j->end, &got, err) == -1)
    return -1;
  if (got < RECORD_FIXED)
    return 0;
  kind = v2v_le32 (buf);
  digests = v2v_le32 (buf + 4);
  first = v2v_le64 (buf + 8);
  count = v2v_le64 (buf + 16);
  if (kind == RECORD_LENGTH) {
    if (digests != 0 || first != 0)
      return 0;
  }
  else if ((kind != RECORD_ZERO && kind != RECORD_DATA) ||
           digests > MAX_DIGESTS || (digests != 0 && digests != count) ||
           count == 0 || !v2v_range_inside (first, count, nr_blocks))
    return 0;
  len = digests * V2V_SHA256_SIZE + 4;
  if (read_upto (j, buf + RECORD_FIXED, len, j->end + RECORD_FIXED, &got,
                 err) == -1)
    return -1;
  len += RECORD_FIXED;
  if (got != len - RECORD_FIXED ||
      v2v_le32 (buf + len - 4) != v2v_crc32c (0, buf, len - 4))
    return 0;
  *ret_len = len;
  return 1;
}

/* The file may have been cut since, by a disk that lost what it was told to
 * keep or by hand: then it does not hold what the records say.
 */
static int
check_length (const struct copy_journal *j, uint64_t length,
              struct v2v_error **err)
{
  const uint64_t found = v2v_image_found_bytes (j->job->dst);

  if (found >= length)
    return 0;
  v2v_fail (err, V2V_ERR_MISMATCH,
            "%s: the unfinished file has %" PRIu64
            " bytes, its journal speaks of %" PRIu64,
            v2v_image_name (j->job->dst), found, length);
  return v2v_hint (err, "what is left of it is of no use: the next run begins "
                        "anew");
}

static int
read_records (struct copy_journal *j, struct copy_ranges *done,
              struct v2v_error **err)
{
  struct copy_job *job = j->job;
  const uint64_t size = v2v_image_size (job->src);
  const uint64_t nr_blocks = v2v_div_up (size, COPY_BLOCK);
  CLEANUP_FREE uint8_t *buf =
      malloc (RECORD_FIXED + MAX_DIGESTS * V2V_SHA256_SIZE + 4);
  size_t len = 0;
  int r;

  if (buf == NULL)
    return v2v_fail_nomem (err);
  while ((r = read_record (j, buf, nr_blocks, &len, err)) == 1) {
    const uint32_t digests = v2v_le32 (buf + 4);
    const uint64_t first = v2v_le64 (buf + 8), count = v2v_le64 (buf + 16);
    const uint64_t offset = first * COPY_BLOCK;

    j->end += len;
    if (v2v_le32 (buf) == RECORD_LENGTH) {
      if (check_length (j, count, err) == -1)
        return -1;
      continue;
    }
    if (v2v_le32 (buf) == RECORD_DATA && digests == 0 && job->digest != NULL) {
      /* Its blocks were shared unread: read them now, or do without. */
      if (!job->may_defer)
        continue;
      job->deferred = true;
    }
    for (uint32_t i = 0; i < digests && job->digest != NULL; ++i)
      v2v_disk_digest_set (job->digest, first + i,
                           buf + RECORD_FIXED + i * V2V_SHA256_SIZE);
    if (copy_ranges_append (done, offset,
                            v2v_min_u64 (count * COPY_BLOCK, size - offset)) ==
        -1)
      return v2v_fail_nomem (err);
  }
  if (r == -1)
    return -1;
  copy_ranges_sort (done);
  j->has_ranges = done->len > 0;
  if (ftruncate (j->fd, (off_t) j->end) == -1)
    return v2v_fail_errno (err, "%s", j->path);
  return 0;
}

/* ---- life ---- */

static int
open_file (struct copy_journal *j, const char *path, bool resume,
           struct v2v_error **err)
{
  j->path = strdup (path);
  if (j->path == NULL)
    return v2v_fail_nomem (err);
  j->fd = open (path,
                O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
                    (resume ? 0 : O_CREAT | O_TRUNC),
                0666);
  if (j->fd == -1) {
    v2v_fail_errno (err, "%s", path);
    if (resume && errno == ENOENT)
      v2v_hint (err, "nothing can be resumed without its journal: remove the "
                     "unfinished file and leave --resume away");
    return -1;
  }
  return 0;
}

struct copy_journal *
copy_journal_open (struct copy_job *job, struct copy_ranges *ret_done,
                   struct v2v_error **err)
{
  struct copy_journal *j = calloc (1, sizeof *j);
  pthread_rwlockattr_t attr;
  size_t len = 0;
  int r;

  if (j == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  j->job = job;
  j->fd = -1;
  pthread_rwlockattr_init (&attr);
  /* Otherwise a checkpoint waits for ever: somebody is always writing. */
  pthread_rwlockattr_setkind_np (&attr,
                                 PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init (&j->quiesce, &attr);
  pthread_rwlockattr_destroy (&attr);
  pthread_mutex_init (&j->done_lock, NULL);
  clock_gettime (CLOCK_MONOTONIC, &j->last);

  j->identity = make_identity (job, &len, err);
  if (j->identity == NULL ||
      open_file (j, job->opts->journal_path, job->opts->resume, err) == -1)
    goto error;
  if (job->opts->resume)
    r = read_header (j, j->identity, err) == 0 ? read_records (j, ret_done, err)
                                               : -1;
  else {
    /* From here on there must be something to resume. */
    r = v2v_image_flush (job->dst, err);
    if (r == 0)
      r = write_header (j, j->identity, len, err);
  }
  if (r == 0) {
    reserve (j, RESERVE_BYTES);
    return j;
  }
error:
  copy_journal_close (j);
  return NULL;
}

void
copy_journal_close (struct copy_journal *j)
{
  if (j == NULL)
    return;
  if (j->fd != -1) {
    /* A journal that stays needs no reserve; without it, no harm is done. */
    if (j->has_reserve && ftruncate (j->fd, (off_t) j->end) == -1)
      v2v_debug ("%s: %s", j->path, strerror (errno));
    close (j->fd);
  }
  pthread_rwlock_destroy (&j->quiesce);
  pthread_mutex_destroy (&j->done_lock);
  free (j->done);
  free (j->identity);
  free (j->path);
  free (j);
}

bool
copy_journal_is_of_use (const struct copy_journal *j)
{
  CLEANUP_FREE char *now = NULL;
  size_t len;

  if (j == NULL || !j->has_ranges)
    return false;
  now = make_identity (j->job, &len, NULL);
  return now != NULL && strcmp (now, j->identity) == 0;
}

void
copy_journal_enter (struct copy_journal *j)
{
  if (j != NULL)
    pthread_rwlock_rdlock (&j->quiesce);
}

void
copy_journal_leave (struct copy_journal *j)
{
  if (j != NULL)
    pthread_rwlock_unlock (&j->quiesce);
}

int
copy_journal_done (struct copy_journal *j, uint64_t offset, uint64_t length,
                   bool zero, struct v2v_error **err)
{
  V2V_LOCK_SCOPE (&j->done_lock);
  struct done *last = j->nr_done > 0 ? &j->done[j->nr_done - 1] : NULL;

  if (last != NULL && last->zero == zero &&
      last->offset + last->length == offset) {
    last->length += length;
    return 0;
  }
  if (j->nr_done == j->cap_done) {
    const size_t cap = j->cap_done ? j->cap_done * 2 : 1024;
    struct done *p = reallocarray (j->done, cap, sizeof *p);

    if (p == NULL)
      return v2v_fail_nomem (err);
    j->done = p;
    j->cap_done = cap;
  }
  j->done[j->nr_done++] = (struct done){ offset, length, zero };
  return 0;
}

/* ---- checkpoints ---- */

static int
compare_done (const void *va, const void *vb)
{
  const struct done *a = va, *b = vb;

  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int
write_length (struct copy_journal *j, uint64_t length, struct v2v_error **err)
{
  uint8_t buf[RECORD_FIXED + 4] = { 0 };

  v2v_put_le32 (buf, RECORD_LENGTH);
  v2v_put_le64 (buf + 16, length);
  v2v_put_le32 (buf + RECORD_FIXED, v2v_crc32c (0, buf, RECORD_FIXED));
  return write_all (j, buf, sizeof buf, err);
}

/* One record, or several where a run has more digests than one holds. */
static int
write_records (struct copy_journal *j, const struct done *d, bool digests,
               struct v2v_error **err)
{
  uint64_t block = d->offset / COPY_BLOCK;
  uint64_t left = v2v_div_up (d->length, COPY_BLOCK);

  digests = digests && !d->zero;
  while (left > 0) {
    const uint64_t n = digests ? v2v_min_u64 (left, MAX_DIGESTS) : left;
    const size_t nr = digests ? (size_t) n : 0;
    const size_t len = RECORD_FIXED + nr * V2V_SHA256_SIZE;
    CLEANUP_FREE uint8_t *buf = malloc (len + 4);

    if (buf == NULL)
      return v2v_fail_nomem (err);
    v2v_put_le32 (buf, d->zero ? RECORD_ZERO : RECORD_DATA);
    v2v_put_le32 (buf + 4, (uint32_t) nr);
    v2v_put_le64 (buf + 8, block);
    v2v_put_le64 (buf + 16, n);
    for (size_t i = 0; i < nr; ++i)
      if (v2v_disk_digest_get (j->job->digest, block + i,
                               buf + RECORD_FIXED + i * V2V_SHA256_SIZE,
                               err) == -1)
        return -1;
    v2v_put_le32 (buf + len, v2v_crc32c (0, buf, len));
    if (write_all (j, buf, len + 4, err) == -1)
      return -1;
    block += n;
    left -= n;
  }
  return 0;
}

static bool
is_due (struct copy_journal *j)
{
  const uint64_t written = j->job->stats.written + j->job->stats.shared;
  struct timespec now;
  int64_t ms;

  clock_gettime (CLOCK_MONOTONIC, &now);
  ms = (now.tv_sec - j->last.tv_sec) * 1000 +
       (now.tv_nsec - j->last.tv_nsec) / 1000000;
  return ms >= copy_checkpoints.shortest_ms &&
         (ms >= copy_checkpoints.longest_ms ||
          written - j->last_written >= copy_checkpoints.bytes);
}

int
copy_journal_checkpoint (struct copy_journal *j, bool force,
                         struct v2v_error **err)
{
  struct copy_job *job = j->job;
  struct v2v_io *io = v2v_image_io (job->dst);
  CLEANUP_FREE struct done *list = NULL;
  uint64_t length;
  size_t n;
  bool digests;
  int r;

  if (!force && !is_due (j))
    return 0;
  /* Most of the waiting while the others go on. */
  if (io != NULL && v2v_io_sync (io, err) == -1)
    return -1;

  pthread_rwlock_wrlock (&j->quiesce);
  r = v2v_image_flush (job->dst, err);
  length = io != NULL ? v2v_io_size (io) : 0;
  pthread_mutex_lock (&j->done_lock);
  list = STEAL (j->done);
  n = j->nr_done;
  j->nr_done = j->cap_done = 0;
  j->last_written = job->stats.written + job->stats.shared;
  pthread_mutex_unlock (&j->done_lock);
  digests = job->digest != NULL && !job->deferred;
  pthread_rwlock_unlock (&j->quiesce);
  clock_gettime (CLOCK_MONOTONIC, &j->last);
  if (r == -1)
    return -1;

  if (n > 0 && write_length (j, length, err) == -1)
    return -1;
  if (n > 0)
    qsort (list, n, sizeof *list, compare_done);
  for (size_t i = 0; i < n;) {
    struct done d = list[i++];

    while (i < n && list[i].zero == d.zero &&
           d.offset + d.length == list[i].offset)
      d.length += list[i++].length;
    if (write_records (j, &d, digests, err) == -1)
      return -1;
  }
  if (fdatasync (j->fd) == -1)
    return v2v_fail_errno (err, "%s: fdatasync", j->path);
  if (!force)
    reserve (j, RESERVE_BYTES);
  j->has_ranges = j->has_ranges || n > 0;
  v2v_debug ("journal: %zu ranges, %" PRIu64 " bytes", n, j->end);
  return 0;
}
