/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor stream IN.vmdk OUT | floor flat IN.raw OUT | floor files N M DIR
 *
 * The least that any copy has to do on this machine: read, inflate on all
 * cores, test for zeros, write to final places with early write-back, one
 * fsync; no metadata, no checks.  "stream" takes a streamOptimized VMDK whose
 * grain directory is in the footer, as every writer makes it, "flat" the bytes
 * of a disk.  "files" makes N folders in DIR with M empty files each, and syncs
 * every one.  Nothing here is taken from the library, or it would be no measure
 * of it.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>

#define SECTOR  512
#define GRAIN   (64 * 1024)
#define BATCH   16 /* grains: 1 MiB */
#define MAX_RUN (2 * 1024 * 1024)

static int in, out;
static uint64_t size;
static uint32_t *grains; /* sector of each, 0 = none */
static uint64_t nr_grains;
static uint64_t in_size;
static _Atomic uint64_t next;

static void
die (const char *what)
{
  perror (what);
  exit (1);
}

static uint32_t
le32 (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
         (uint32_t) p[3] << 24;
}

static uint64_t
le64 (const uint8_t *p)
{
  return le32 (p) | (uint64_t) le32 (p + 4) << 32;
}

static void
read_at (void *buf, size_t len, uint64_t offset)
{
  if (pread (in, buf, len, (off_t) offset) != (ssize_t) len)
    die ("pread");
}

/* The header's copy in the footer knows where the grain directory is. */
static void
load_tables (void)
{
  uint8_t h[SECTOR];
  uint8_t *gd;
  uint64_t nr_tables;

  read_at (h, SECTOR, 0);
  if (memcmp (h, "KDMV", 4) != 0 || le64 (h + 20) != GRAIN / SECTOR ||
      le32 (h + 44) != 512) {
    fprintf (stderr, "floor: not a streamOptimized VMDK of 64 KiB grains\n");
    exit (1);
  }
  if (le64 (h + 56) == UINT64_MAX)
    read_at (h, SECTOR, in_size - 2 * SECTOR);
  size = le64 (h + 12) * SECTOR;
  nr_grains = (size + GRAIN - 1) / GRAIN;
  nr_tables = (nr_grains + 511) / 512;
  gd = malloc (nr_tables * 4);
  grains = calloc (nr_tables * 512, sizeof *grains);
  if (gd == NULL || grains == NULL)
    die ("malloc");
  read_at (gd, nr_tables * 4, le64 (h + 56) * SECTOR);
  for (uint64_t t = 0; t < nr_tables; ++t) {
    uint8_t table[2048];

    if (le32 (gd + 4 * t) == 0)
      continue;
    read_at (table, sizeof table, (uint64_t) le32 (gd + 4 * t) * SECTOR);
    for (unsigned i = 0; i < 512; ++i)
      grains[t * 512 + i] = le32 (table + 4 * i);
  }
  free (gd);
}

static bool
all_zero (const uint8_t *p, size_t len)
{
  return p[0] == 0 && memcmp (p, p + 1, len - 1) == 0;
}

/* The last writes of a thread. */
#define BEHIND 16
struct written {
  off_t offset, len;
};
static __thread struct written behind[BEHIND];
static __thread unsigned behind_next;

static void
put (const uint8_t *p, size_t len, uint64_t offset)
{
  struct written old;

  if (len == 0)
    return;
  if (pwrite (out, p, len, (off_t) offset) != (ssize_t) len)
    die ("pwrite");
  sync_file_range (out, (off_t) offset, (off_t) len, SYNC_FILE_RANGE_WRITE);
  /* Memory that is written for the first time costs more than the copy: give
   * back what was written a while ago. */
  old = behind[behind_next];
  behind[behind_next].offset = (off_t) offset;
  behind[behind_next].len = (off_t) len;
  behind_next = (behind_next + 1) % BEHIND;
  if (old.len > 0) {
    sync_file_range (out, old.offset, old.len,
                     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                         SYNC_FILE_RANGE_WAIT_AFTER);
    (void) posix_fadvise (out, old.offset, old.len, POSIX_FADV_DONTNEED);
  }
}

/* The compressed bytes of grains FIRST to FIRST + n - 1 in one read. */
static void
batch (struct libdeflate_decompressor *d, uint8_t *raw, uint8_t *buf,
       uint64_t first, uint64_t n)
{
  uint64_t from = UINT64_MAX, to = 0;
  size_t start = 0, end = 0; /* of what waits to be written */

  for (uint64_t i = first; i < first + n; ++i)
    if (grains[i] > 1) {
      from = from < grains[i] ? from : grains[i];
      to = to > grains[i] ? to : grains[i];
    }
  if (to == 0)
    return;
  from *= SECTOR;
  to = to * SECTOR + GRAIN + 4096; /* more than the last one can take */
  to = to < in_size ? to : in_size;
  if (to - from > MAX_RUN) {
    fprintf (stderr, "floor: grains are not in order\n");
    exit (1);
  }
  read_at (raw, (size_t) (to - from), from);
  for (uint64_t i = 0; i < n; ++i) {
    const uint32_t sector = grains[first + i];
    const uint8_t *m = raw + ((uint64_t) sector * SECTOR - from);

    if (sector > 1 &&
        libdeflate_zlib_decompress (d, m + 12, le32 (m + 8), buf + i * GRAIN,
                                    GRAIN, NULL) != LIBDEFLATE_SUCCESS) {
      fprintf (stderr, "floor: grain at sector %u is corrupt\n", sector);
      exit (1);
    }
    if (sector > 1 && !all_zero (buf + i * GRAIN, GRAIN)) {
      if (start == end)
        start = i * GRAIN;
      end = (i + 1) * GRAIN;
      continue;
    }
    put (buf + start, end - start, first * GRAIN + start);
    start = end = 0;
  }
  put (buf + start, end - start, first * GRAIN + start);
}

static void *
stream_thread (void *arg)
{
  struct libdeflate_decompressor *d = libdeflate_alloc_decompressor ();
  uint8_t *raw = malloc (MAX_RUN), *buf = malloc (BATCH * GRAIN);
  uint64_t g;

  if (d == NULL || raw == NULL || buf == NULL)
    die ("malloc");
  while ((g = atomic_fetch_add (&next, BATCH)) < nr_grains)
    batch (d, raw, buf, g, nr_grains - g < BATCH ? nr_grains - g : BATCH);
  libdeflate_free_decompressor (d);
  free (raw);
  free (buf);
  return arg;
}

static void *
flat_thread (void *arg)
{
  const size_t piece = BATCH * GRAIN;
  uint8_t *buf = malloc (piece);
  uint64_t o;

  if (buf == NULL)
    die ("malloc");
  while ((o = atomic_fetch_add (&next, piece)) < size) {
    const size_t len = (size_t) (size - o < piece ? size - o : piece);
    const off_t data = lseek (in, (off_t) o, SEEK_DATA);

    if (data == -1 || (uint64_t) data >= o + len)
      continue;
    read_at (buf, len, o);
    if (!all_zero (buf, len))
      put (buf, len, o);
  }
  free (buf);
  return arg;
}

static void
sync_and_close (int fd)
{
  if (fd == -1 || fsync (fd) == -1)
    die ("files");
  close (fd);
}

static int
make_files (unsigned n, unsigned m, const char *dir)
{
  char path[4096];

  if (mkdir (dir, 0777) == -1)
    die (dir);
  for (unsigned i = 0; i < n; ++i) {
    snprintf (path, sizeof path, "%s/%u", dir, i);
    if (mkdir (path, 0777) == -1)
      die (path);
    for (unsigned k = 0; k < m; ++k) {
      snprintf (path, sizeof path, "%s/%u/%u", dir, i, k);
      sync_and_close (
          open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    }
    snprintf (path, sizeof path, "%s/%u", dir, i);
    sync_and_close (open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  sync_and_close (open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return 0;
}

int
main (int argc, char **argv)
{
  pthread_t threads[64];
  long n = sysconf (_SC_NPROCESSORS_ONLN);
  struct stat st;
  bool stream;

  if (argc == 5 && strcmp (argv[1], "files") == 0)
    return make_files ((unsigned) strtoul (argv[2], NULL, 10),
                       (unsigned) strtoul (argv[3], NULL, 10), argv[4]);
  if (argc != 4) {
    fprintf (stderr, "usage: floor stream|flat IN OUT | files N M DIR\n");
    return 2;
  }
  stream = strcmp (argv[1], "stream") == 0;
  in = open (argv[2], O_RDONLY | O_CLOEXEC);
  out = open (argv[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (in == -1 || out == -1 || fstat (in, &st) == -1)
    die ("open");
  in_size = size = (uint64_t) st.st_size;
  if (stream)
    load_tables ();
  if (ftruncate (out, (off_t) size) == -1)
    die ("ftruncate");
  n = n < 1 ? 1 : n > 64 ? 64 : n;
  for (long i = 0; i < n; ++i)
    if ((errno = pthread_create (&threads[i], NULL,
                                 stream ? stream_thread : flat_thread, NULL)) !=
        0)
      die ("pthread_create");
  for (long i = 0; i < n; ++i)
    pthread_join (threads[i], NULL);
  if (fsync (out) == -1)
    die ("fsync");
  free (grains);
  return 0;
}
