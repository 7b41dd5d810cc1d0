/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mkdisk OUT VIRTUAL_MIB DATA_MIB FOLDER...
 *
 * Make a raw disk for the bench when there is no real guest: the files of the
 * folders in the order of their names, each at a multiple of 4 KiB as a file
 * system would place them, with holes between groups so that DATA_MIB of data
 * spread over VIRTUAL_MIB.  The same files give the same disk; they are taken
 * again from the start where they do not suffice.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB   (1024 * 1024)
#define GROUP (48 * (uint64_t) MIB) /* of data between two holes */

struct disk {
  int fd;
  uint64_t pos;
  uint64_t data;
  uint64_t data_max;
  uint64_t in_group;
  uint64_t hole;
};

static int
by_name (const FTSENT **a, const FTSENT **b)
{
  return strcmp ((*a)->fts_name, (*b)->fts_name);
}

static int
add_file (struct disk *d, const char *path)
{
  static char buf[MIB];
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n;

  if (fd == -1)
    return 0; /* not ours to read */
  while (d->data < d->data_max && (n = read (fd, buf, sizeof buf)) > 0) {
    if (pwrite (d->fd, buf, (size_t) n, (off_t) d->pos) != n) {
      perror ("pwrite");
      close (fd);
      return -1;
    }
    d->pos += ((uint64_t) n + 4095) / 4096 * 4096;
    d->data += (uint64_t) n;
    d->in_group += (uint64_t) n;
    if (d->in_group >= GROUP) {
      d->pos += d->hole;
      d->in_group = 0;
    }
  }
  close (fd);
  return 0;
}

static int
add_folders (struct disk *d, char **folders)
{
  FTS *fts = fts_open (folders, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, by_name);
  const FTSENT *e;
  int r = 0;

  if (fts == NULL) {
    perror ("fts_open");
    return -1;
  }
  while (r == 0 && d->data < d->data_max && (e = fts_read (fts)) != NULL)
    if (e->fts_info == FTS_F && e->fts_statp->st_size > 0)
      r = add_file (d, e->fts_path);
  fts_close (fts);
  return r;
}

int
main (int argc, char **argv)
{
  struct disk d = { .fd = -1 };
  uint64_t size, before;

  if (argc < 5) {
    fprintf (stderr, "usage: mkdisk OUT VIRTUAL_MIB DATA_MIB FOLDER...\n");
    return 2;
  }
  size = strtoull (argv[2], NULL, 10) * MIB;
  d.data_max = strtoull (argv[3], NULL, 10) * MIB;
  if (size < d.data_max + d.data_max / 8) {
    fprintf (stderr, "mkdisk: the data do not fit into the disk\n");
    return 2;
  }
  /* An eighth is for the tails of files, up to a multiple of 4 KiB. */
  d.hole = (size - d.data_max - d.data_max / 8) / (d.data_max / GROUP + 1) /
           4096 * 4096;
  d.pos = MIB;
  d.fd = open (argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (d.fd == -1 || ftruncate (d.fd, (off_t) size) == -1) {
    perror (argv[1]);
    return 1;
  }
  do {
    before = d.data;
    if (add_folders (&d, argv + 4) == -1)
      return 1;
  } while (d.data < d.data_max && d.data > before);
  if (ftruncate (d.fd, (off_t) size) == -1 || close (d.fd) == -1) {
    perror (argv[1]);
    return 1;
  }
  return 0;
}
