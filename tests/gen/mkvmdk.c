/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make VMDK files that qemu-img cannot make, and damaged ones, for tests.
 *
 * Written from the descriptions of the format alone ("Virtual Disk Format
 * 5.0" and what is known of the ESX forms); it shares no code, no constants
 * and no header with the readers it is to catch out.  Everything is built in
 * memory: disks of some tens of MiB.
 */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "mkvmdk.h"

static const char usage_text[] =
    "mkvmdk - make a VMDK from a raw file, for tests\n"
    "\n"
    "  mkvmdk [OPTIONS] KIND RAW OUT.vmdk\n"
    "\n"
    "Kinds:\n"
    "  stream      streamOptimized, directory named by a footer\n"
    "  stream-front  streamOptimized, tables before the grains, no footer\n"
    "  sparse      monolithicSparse with a redundant directory\n"
    "  flat        monolithicFlat: descriptor and OUT-flat.vmdk\n"
    "  cowd        vmfsSparse: descriptor and OUT-delta.vmdk, grains of 4 KiB\n"
    "  sesparse    seSparse: descriptor and OUT-sesparse.vmdk\n"
    "  custom      a mix: flat at an offset, sparse, zero, flat\n"
    "  split       twoGbMaxExtentSparse in pieces of 8 MiB\n"
    "\n"
    "Options:\n"
    "  --version N      header version 1, 2 or 3\n"
    "  --shuffle        grains in another order than their addresses\n"
    "  --zero-gte       zero grains have the entry 1 instead of none\n"
    "  --sector-size N  ddb.logicalSectorSize\n"
    "  --parent NAME    a child: of the descriptor NAME ...\n"
    "  --base RAW       ... whose content is RAW: only what differs is stored\n"
    "  --cid X --parent-cid X   eight hexadecimal digits\n"
    "  --damage KIND    one fault; --damage help lists them\n"
    "  --help\n"
    "\n"
    "Examples:\n"
    "  mkvmdk --shuffle stream disk.raw disk.vmdk\n"
    "  mkvmdk --cid 00000001 flat base.raw base.vmdk &&\n"
    "  mkvmdk --parent base.vmdk --base base.raw --parent-cid 00000001 \\\n"
    "         --zero-gte --version 2 sparse now.raw child.vmdk\n"
    "  mkvmdk --damage grain-past-end sparse disk.raw bad.vmdk\n";

static const char *const damages[] = { "magic",
                                       "version",
                                       "grain-size",
                                       "grain-size-huge",
                                       "num-gtes",
                                       "capacity",
                                       "newlines",
                                       "algorithm",
                                       "unknown-flag",
                                       "gd-past-end",
                                       "gt-past-end",
                                       "grain-past-end",
                                       "grain-in-header",
                                       "gte-one",
                                       "overlap",
                                       "no-eos",
                                       "footer-gd",
                                       "footer-capacity",
                                       "lba-repeated",
                                       "lba-past-end",
                                       "lba-unaligned",
                                       "bad-zlib",
                                       "long-grain",
                                       "compressed-huge",
                                       "extent-path",
                                       "extent-self",
                                       "extent-sectors",
                                       "truncated",
                                       "encrypted",
                                       "se-version",
                                       "se-replay",
                                       "se-gde",
                                       "se-type",
                                       "se-grain",
                                       NULL };

/* ---- options ---- */

static unsigned opt_version;
static bool opt_shuffle, opt_zero_gte;
static const char *opt_sector_size, *opt_parent, *opt_base;
static const char *opt_cid = "12345678", *opt_parent_cid = "ffffffff";
static const char *opt_damage = "";
static const char *out_name;

static void __attribute__ ((format (printf, 1, 2), noreturn))
die (const char *fmt, ...)
{
  va_list args;

  fputs ("mkvmdk: ", stderr);
  va_start (args, fmt);
  vfprintf (stderr, fmt, args);
  va_end (args);
  fputc ('\n', stderr);
  exit (1);
}

bool
damage (const char *name)
{
  return strcmp (opt_damage, name) == 0;
}

/* ---- bytes ---- */

void *
checked (void *p)
{
  if (p == NULL)
    die ("out of memory");
  return p;
}

static struct bytes
load (const char *name)
{
  struct bytes b = { NULL, 0 };
  FILE *fp = fopen (name, "rb");
  size_t n;

  if (fp == NULL)
    die ("%s: %s", name, strerror (errno));
  do {
    b.p = checked (realloc (b.p, b.len + (1 << 20)));
    n = fread (b.p + b.len, 1, 1 << 20, fp);
    b.len += n;
  } while (n > 0);
  fclose (fp);
  if (b.len == 0 || b.len % SECTOR != 0)
    die ("%s: %zu bytes, expected whole sectors", name, b.len);
  return b;
}

static void
save (const char *name, const struct bytes *b)
{
  FILE *fp = fopen (name, "wb");

  if (fp == NULL || fwrite (b->p, 1, b->len, fp) != b->len || fclose (fp) != 0)
    die ("%s: %s", name, strerror (errno));
}

/* LEN zero bytes at the end; returns where they begin. */
size_t
grow (struct bytes *b, size_t len)
{
  const size_t at = b->len;

  b->p = checked (realloc (b->p, b->len + len + 1));
  memset (b->p + at, 0, len);
  b->len += len;
  return at;
}

void
pad_to (struct bytes *b, size_t unit)
{
  if (b->len % unit != 0)
    grow (b, unit - b->len % unit);
}

void
put (struct bytes *b, size_t at, uint64_t v, unsigned size)
{
  if (at + size > b->len)
    die ("internal: put at %zu of %zu", at, b->len);
  for (unsigned i = 0; i < size; ++i)
    b->p[at + i] = (uint8_t) (v >> (8 * i));
}

static bool
all_zero (const uint8_t *p, size_t len)
{
  return p[0] == 0 && memcmp (p, p + 1, len - 1) == 0;
}

uint64_t
ceil_div (uint64_t a, uint64_t b)
{
  return (a + b - 1) / b;
}

/* ---- the disk as grains ---- */

static struct disk
disk_of (const uint8_t *p, size_t len, struct bytes base, size_t grain)
{
  struct disk d = { .base = base, .grain = grain, .nr = ceil_div (len, grain) };

  /* A copy, rounded up: a cut last grain has zeros behind it. */
  d.raw.p = checked (calloc (d.nr, grain));
  memcpy (d.raw.p, p, len);
  d.raw.len = len;
  return d;
}

enum state
state_of (const struct disk *d, size_t i)
{
  const uint8_t *p = d->raw.p + i * d->grain;
  const bool zero = all_zero (p, d->grain);
  size_t n;

  if (d->base.len == 0)
    return !zero ? DATA : opt_zero_gte ? ZERO : ABSENT;
  if (i * d->grain >= d->base.len)
    return zero ? ABSENT : DATA; /* grown: nothing below */
  n = d->base.len - i * d->grain;
  if (n > d->grain)
    n = d->grain;
  if (memcmp (p, d->base.p + i * d->grain, n) == 0 &&
      (n == d->grain || all_zero (p + n, d->grain - n)))
    return ABSENT;
  return zero && opt_zero_gte ? ZERO : DATA;
}

/* The order in which grains are written: 1, 0, 3, 2 ... from the end. */
size_t
nth (const struct disk *d, size_t i)
{
  size_t k;

  if (!opt_shuffle)
    return i;
  k = d->nr - 1 - i;
  return (k ^ 1) < d->nr ? k ^ 1 : k;
}

/* ---- descriptor ---- */

static struct bytes
descriptor (const char *type, const char *extents, uint64_t sectors)
{
  struct bytes b = { checked (malloc (8192)), 0 };
  int n;

  n = snprintf ((char *) b.p, 8192,
                "# Disk DescriptorFile\nversion=%u\nencoding=\"UTF-8\"\n"
                "CID=%s\nparentCID=%s\ncreateType=\"%s\"\n%s%s%s%s"
                "# Extent description\n%s\n"
                "# The Disk Data Base\n#DDB\n"
                "ddb.adapterType = \"lsilogic\"\n"
                "ddb.geometry.cylinders = \"%" PRIu64 "\"\n"
                "ddb.geometry.heads = \"255\"\nddb.geometry.sectors = \"63\"\n"
                "ddb.virtualHWVersion = \"8\"\n%s%s%s",
                opt_version == 3 ? 3 : 1, opt_cid, opt_parent_cid, type,
                opt_parent ? "parentFileNameHint=\"" : "",
                opt_parent ? opt_parent : "", opt_parent ? "\"\n" : "",
                damage ("encrypted")
                    ? "keyID=\"1\"\nencryptionKeys=\"vmware:key/list/x\"\n"
                    : "",
                extents, sectors / (255 * 63),
                opt_sector_size ? "ddb.logicalSectorSize = \"" : "",
                opt_sector_size ? opt_sector_size : "",
                opt_sector_size ? "\"\n" : "");
  if (n < 0 || n >= 8192)
    die ("descriptor too long");
  b.len = (size_t) n;
  return b;
}

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* "disk.vmdk" and "flat" give "disk-flat.vmdk". */
static char *
side_name (const char *suffix)
{
  char *name = checked (malloc (strlen (out_name) + strlen (suffix) + 2));
  size_t n = strlen (out_name);

  if (n < 5 || strcmp (out_name + n - 5, ".vmdk") != 0)
    die ("%s: expected a name that ends in .vmdk", out_name);
  memcpy (name, out_name, n - 5);
  snprintf (name + n - 5, strlen (suffix) + 7, "-%s.vmdk", suffix);
  return name;
}

static char *
extent_line (uint64_t sectors, const char *type, const char *file,
             const char *tail)
{
  char *line = checked (malloc (1024));

  if (damage ("extent-path"))
    file = "../../../etc/passwd";
  if (damage ("extent-self"))
    file = base_name (out_name);
  if (damage ("extent-sectors"))
    sectors = UINT64_C (1) << 62;
  if (file == NULL)
    snprintf (line, 1024, "RW %" PRIu64 " %s\n", sectors, type);
  else
    snprintf (line, 1024, "RW %" PRIu64 " %s \"%s\"%s\n", sectors, type,
              base_name (file), tail);
  if (damage ("extent-path"))
    snprintf (line, 1024, "RW %" PRIu64 " %s \"%s\"%s\n", sectors, type, file,
              tail);
  return line;
}

/* ---- hosted sparse header ---- */

#define GRAIN 65536u
#define GTES  512u

struct sparse {
  uint32_t version, flags, algorithm;
  uint64_t capacity, descriptor, rgd, gd, overhead;
};

static void
put_header (struct bytes *b, size_t at, const struct sparse *s)
{
  put (b, at, damage ("magic") ? 0x564d444c : 0x564d444b, 4);
  put (b, at + 4, damage ("version") ? 4 : s->version, 4);
  put (b, at + 8, s->flags | (damage ("unknown-flag") ? 1u << 20 : 0), 4);
  put (b, at + 12, damage ("capacity") ? UINT64_C (1) << 61 : s->capacity, 8);
  put (b, at + 20,
       damage ("grain-size")        ? 100
       : damage ("grain-size-huge") ? UINT64_C (1) << 40
                                    : GRAIN / SECTOR,
       8);
  put (b, at + 28, s->descriptor, 8);
  put (b, at + 36, s->descriptor ? 20 : 0, 8);
  put (b, at + 44, damage ("num-gtes") ? 0 : GTES, 4);
  put (b, at + 48, s->rgd, 8);
  put (b, at + 56, damage ("gd-past-end") ? UINT64_C (1) << 40 : s->gd, 8);
  put (b, at + 64, s->overhead, 8);
  memcpy (b->p + at + 73, damage ("newlines") ? "\n \n\n" : "\n \r\n", 4);
  put (b, at + 77, damage ("algorithm") ? 7 : s->algorithm, 2);
}

static void
put_descriptor (struct bytes *b, const char *type, uint64_t sectors)
{
  char *line = extent_line (sectors, "SPARSE", out_name, "");
  struct bytes d = descriptor (type, line, sectors);

  memcpy (b->p + SECTOR, d.p, d.len);
  free (d.p);
  free (line);
}

/* Entry of grain I: the fault, if one is asked for, goes into the first grain
 * that has data. */
uint32_t
entry_of (size_t at, bool first, size_t file_sectors)
{
  if (first && damage ("grain-past-end"))
    return (uint32_t) file_sectors + 1000;
  if (first && damage ("grain-in-header"))
    return 2;
  if (first && damage ("gte-one"))
    return 1;
  return (uint32_t) (at / SECTOR);
}

/* ---- monolithicSparse, and the pieces of split disks ---- */

static struct bytes
make_sparse (const struct disk *d, bool embedded, const char *type)
{
  const uint64_t nr_gts = ceil_div (d->nr, GTES);
  const uint64_t gd_sectors = ceil_div (nr_gts * 4, SECTOR);
  struct sparse s = { .version = opt_version ? opt_version : 1,
                      .flags = opt_zero_gte && !damage ("gte-one") ? 7 : 3,
                      .capacity = d->raw.len / SECTOR,
                      .descriptor = embedded ? 1 : 0 };
  struct bytes b = { NULL, 0 };
  size_t tables[2], previous = 0;
  bool first = true;
  uint32_t *entries = checked (calloc (d->nr, sizeof *entries));

  grow (&b, SECTOR * (embedded ? 21 : 1));
  if (embedded)
    put_descriptor (&b, type, s.capacity);
  for (unsigned copy = 0; copy < 2; ++copy) { /* 0 = redundant */
    const size_t gd = grow (&b, gd_sectors * SECTOR);

    tables[copy] = grow (&b, nr_gts * GTES * 4);
    *(copy ? &s.gd : &s.rgd) = gd / SECTOR;
    for (size_t i = 0; i < nr_gts; ++i)
      put (&b, gd + 4 * i,
           damage ("gt-past-end") ? 0x7fffff00
                                  : (tables[copy] + i * GTES * 4) / SECTOR,
           4);
  }
  pad_to (&b, GRAIN);
  s.overhead = b.len / SECTOR;
  for (size_t i = 0; i < d->nr; ++i) {
    const size_t g = nth (d, i);
    size_t at;

    if (state_of (d, g) == ZERO)
      entries[g] = 1;
    if (state_of (d, g) != DATA)
      continue;
    at = damage ("overlap") && previous != 0 ? previous : grow (&b, GRAIN);
    previous = at;
    memcpy (b.p + at, d->raw.p + g * GRAIN, GRAIN);
    entries[g] = entry_of (at, first, b.len / SECTOR);
    first = false;
  }
  for (size_t i = 0; i < d->nr; ++i)
    for (unsigned copy = 0; copy < 2; ++copy)
      put (&b, tables[copy] + 4 * i, entries[i], 4);
  put_header (&b, 0, &s);
  if (damage ("truncated"))
    b.len -= GRAIN / 2;
  free (entries);
  return b;
}

/* ---- streamOptimized ---- */

static size_t
put_marker (struct bytes *b, uint64_t sectors, uint32_t type)
{
  const size_t at = grow (b, SECTOR);

  put (b, at, sectors, 8);
  put (b, at + 12, type, 4);
  return at;
}

static uint64_t
lba_of (const struct disk *d, size_t g, bool last)
{
  const uint64_t lba = (uint64_t) g * GRAIN / SECTOR;

  if (!last)
    return lba;
  return damage ("lba-past-end")    ? ceil_div (d->raw.len, GRAIN) * 128 + 128
         : damage ("lba-unaligned") ? lba + 1
                                    : lba;
}

/* A grain's record; returns where its marker is. */
static size_t
put_grain (struct bytes *b, const struct disk *d, size_t g, uint64_t lba)
{
  /* A cut last grain is compressed as long as the disk has it. */
  const size_t left = d->raw.len - g * GRAIN;
  const size_t len = damage ("long-grain") ? GRAIN + SECTOR
                     : left < GRAIN        ? left
                                           : GRAIN;
  uint8_t *plain = checked (calloc (1, GRAIN + SECTOR));
  uLongf n = compressBound (GRAIN + SECTOR);
  uint8_t *packed = checked (malloc (n));
  const size_t at = b->len;

  memcpy (plain, d->raw.p + g * GRAIN, left < GRAIN ? left : GRAIN);
  if (compress2 (packed, &n, plain, len, 6) != Z_OK)
    die ("compress2");
  if (damage ("bad-zlib"))
    packed[n / 2] ^= 0x55, packed[n - 1] ^= 1;
  grow (b, 12 + n);
  put (b, at, lba, 8);
  put (b, at + 8, damage ("compressed-huge") ? 0x7fffffff : n, 4);
  memcpy (b->p + at + 12, packed, n);
  pad_to (b, SECTOR);
  free (plain);
  free (packed);
  return at;
}

/* Fill ENTRIES while appending all grains. */
static void
put_grains (struct bytes *b, const struct disk *d, uint32_t *entries)
{
  size_t last = SIZE_MAX;
  bool first = true;

  for (size_t i = 0; i < d->nr; ++i)
    if (state_of (d, nth (d, i)) == DATA)
      last = i;
  for (size_t i = 0; i < d->nr; ++i) {
    const size_t g = nth (d, i);
    size_t at;

    if (state_of (d, g) == ZERO)
      entries[g] = 1;
    if (state_of (d, g) != DATA)
      continue;
    at = put_grain (b, d, g, lba_of (d, g, i == last));
    entries[g] = entry_of (at, first, b->len / SECTOR + 2000);
    first = false;
    if (i == last && damage ("lba-repeated"))
      put_grain (b, d, g, (uint64_t) g * 128);
  }
}

static struct bytes
make_stream (const struct disk *d)
{
  const uint64_t nr_gts = ceil_div (d->nr, GTES);
  const uint64_t gd_sectors = ceil_div (nr_gts * 4, SECTOR);
  struct sparse s = { .version = opt_version ? opt_version : 3,
                      .flags = 0x30001 | (opt_zero_gte ? 4 : 0),
                      .algorithm = 1,
                      .capacity = d->raw.len / SECTOR,
                      .descriptor = 1,
                      .gd = UINT64_MAX,
                      .overhead = 128 };
  uint32_t *entries = checked (calloc (nr_gts * GTES, sizeof *entries));
  size_t *gts = checked (calloc (nr_gts, sizeof *gts));
  struct bytes b = { NULL, 0 };
  size_t at;

  grow (&b, 128 * SECTOR);
  put_descriptor (&b, "streamOptimized", s.capacity);
  put_header (&b, 0, &s);
  put_grains (&b, d, entries);
  for (size_t t = 0; t < nr_gts; ++t) {
    if (all_zero ((const uint8_t *) (entries + t * GTES), GTES * 4))
      continue;
    put_marker (&b, 4, 1);
    gts[t] = grow (&b, GTES * 4);
    for (size_t i = 0; i < GTES; ++i)
      put (&b, gts[t] + 4 * i, entries[t * GTES + i], 4);
  }
  put_marker (&b, gd_sectors, 2);
  at = grow (&b, gd_sectors * SECTOR);
  for (size_t t = 0; t < nr_gts; ++t)
    put (&b, at + 4 * t, damage ("gt-past-end") ? 0x7fffff00 : gts[t] / SECTOR,
         4);
  s.gd = damage ("footer-gd") ? UINT64_MAX : at / SECTOR;
  if (damage ("footer-capacity"))
    s.capacity *= 2;
  put_marker (&b, 1, 3);
  at = grow (&b, SECTOR);
  put_header (&b, at, &s);
  if (!damage ("no-eos"))
    put_marker (&b, 0, 0);
  if (damage ("truncated"))
    b.len = b.len / 2 / SECTOR * SECTOR;
  free (entries);
  free (gts);
  return b;
}

/* The other form: directory and all tables first, filled in at the end. */
static struct bytes
make_stream_front (const struct disk *d)
{
  const uint64_t nr_gts = ceil_div (d->nr, GTES);
  struct sparse s = { .version = opt_version ? opt_version : 3,
                      .flags = 0x30001 | (opt_zero_gte ? 4 : 0),
                      .algorithm = 1,
                      .capacity = d->raw.len / SECTOR,
                      .descriptor = 1 };
  uint32_t *entries = checked (calloc (nr_gts * GTES, sizeof *entries));
  struct bytes b = { NULL, 0 };
  size_t gd, gt;

  grow (&b, 21 * SECTOR);
  put_descriptor (&b, "streamOptimized", s.capacity);
  gd = grow (&b, ceil_div (nr_gts * 4, SECTOR) * SECTOR);
  gt = grow (&b, nr_gts * GTES * 4);
  for (size_t t = 0; t < nr_gts; ++t)
    put (&b, gd + 4 * t,
         damage ("gt-past-end") ? 0x7fffff00 : (gt + t * GTES * 4) / SECTOR, 4);
  pad_to (&b, GRAIN);
  s.gd = gd / SECTOR;
  s.overhead = b.len / SECTOR;
  put_header (&b, 0, &s);
  put_grains (&b, d, entries);
  for (size_t i = 0; i < d->nr; ++i)
    put (&b, gt + 4 * i, entries[i], 4);
  if (!damage ("no-eos"))
    put_marker (&b, 0, 0);
  if (damage ("truncated"))
    b.len = b.len / 2 / SECTOR * SECTOR;
  free (entries);
  return b;
}

/* ---- several files ---- */

static void
save_descriptor (const char *type, const char *lines, uint64_t sectors)
{
  struct bytes d = descriptor (type, lines, sectors);

  save (out_name, &d);
  free (d.p);
}

static void
save_with_side (const char *type, const char *word, const char *suffix,
                const char *tail, struct bytes *data, uint64_t sectors)
{
  char *name = side_name (suffix);
  char *line = extent_line (sectors, word, name, tail);

  save (name, data);
  save_descriptor (type, line, sectors);
  free (name);
  free (line);
}

/* Four parts: flat behind 3 sectors of something else, sparse, zeros where
 * the disk happens to be zero (else flat), flat.
 */
static void
save_custom (const struct bytes *raw)
{
  const size_t part = raw->len / 4 / GRAIN * GRAIN;
  char lines[4096] = "";
  size_t used = 0;

  if (part == 0)
    die ("custom: the disk needs 256 KiB");
  for (unsigned i = 0; i < 4; ++i) {
    const size_t from = i * part, len = i < 3 ? part : raw->len - from;
    char suffix[8], *name, *line;
    struct bytes b = { NULL, 0 };

    snprintf (suffix, sizeof suffix, "p%u", i);
    name = side_name (suffix);
    if (i == 2 && all_zero (raw->p + from, len))
      line = extent_line (len / SECTOR, "ZERO", NULL, "");
    else {
      if (i == 1) {
        struct disk d =
            disk_of (raw->p + from, len, (struct bytes){ 0 }, GRAIN);

        b = make_sparse (&d, false, "custom");
        free (d.raw.p);
      }
      else {
        if (i == 0)
          (void) grow (&b, 3 * SECTOR);
        grow (&b, len);
        memcpy (b.p + b.len - len, raw->p + from, len);
      }
      line = extent_line (len / SECTOR, i == 1 ? "SPARSE" : "FLAT", name,
                          i == 0   ? " 3"
                          : i == 1 ? ""
                                   : " 0");
      save (name, &b);
      free (b.p);
    }
    used += (size_t) snprintf (lines + used, sizeof lines - used, "%s", line);
    free (line);
    free (name);
  }
  save_descriptor ("custom", lines, raw->len / SECTOR);
}

static void
save_split (const struct bytes *raw)
{
  const size_t piece = 8 << 20;
  char lines[16384] = "";
  size_t used = 0;

  for (size_t from = 0; from < raw->len; from += piece) {
    const size_t len = raw->len - from < piece ? raw->len - from : piece;
    struct disk d = disk_of (raw->p + from, len, (struct bytes){ 0 }, GRAIN);
    struct bytes b = make_sparse (&d, false, "");
    char suffix[32], *name, *line;

    snprintf (suffix, sizeof suffix, "s%03zu", from / piece + 1);
    name = side_name (suffix);
    line = extent_line (len / SECTOR, "SPARSE", name, "");
    save (name, &b);
    used += (size_t) snprintf (lines + used, sizeof lines - used, "%s", line);
    if (used >= sizeof lines)
      die ("split: too many pieces");
    free (line);
    free (name);
    free (b.p);
    free (d.raw.p);
  }
  save_descriptor ("twoGbMaxExtentSparse", lines, raw->len / SECTOR);
}

/* ---- main ---- */

static void
make (const char *kind, struct bytes raw, struct bytes base)
{
  const uint64_t sectors = raw.len / SECTOR;
  const bool small =
      strcmp (kind, "cowd") == 0 || strcmp (kind, "sesparse") == 0;
  struct disk d = disk_of (raw.p, raw.len, base, small ? 4096 : GRAIN);
  struct bytes b = { NULL, 0 };

  if (strcmp (kind, "stream") == 0)
    b = make_stream (&d);
  else if (strcmp (kind, "stream-front") == 0)
    b = make_stream_front (&d);
  else if (strcmp (kind, "sparse") == 0)
    b = make_sparse (&d, true, "monolithicSparse");
  if (b.p != NULL)
    save (out_name, &b);
  else if (strcmp (kind, "flat") == 0)
    save_with_side ("monolithicFlat", "FLAT", "flat", " 0", &raw, sectors);
  else if (strcmp (kind, "cowd") == 0) {
    b = make_cowd (&d);
    save_with_side ("vmfsSparse", "VMFSSPARSE", "delta", "", &b, sectors);
  }
  else if (strcmp (kind, "sesparse") == 0) {
    b = make_sesparse (&d);
    save_with_side ("seSparse", "SESPARSE", "sesparse", "", &b, sectors);
  }
  else if (strcmp (kind, "custom") == 0)
    save_custom (&raw);
  else if (strcmp (kind, "split") == 0)
    save_split (&raw);
  else
    die ("no kind is called '%s'; see --help", kind);
  free (b.p);
  free (d.raw.p);
}

static void
check_damage (const char *name)
{
  for (size_t i = 0; damages[i] != NULL; ++i)
    if (strcmp (name, damages[i]) == 0)
      return;
  if (strcmp (name, "help") != 0)
    die ("no damage is called '%s'; see --damage help", name);
  for (size_t i = 0; damages[i] != NULL; ++i)
    puts (damages[i]);
  exit (0);
}

int
main (int argc, char *argv[])
{
  static const struct option options[] = {
    { "base", required_argument, NULL, 'b' },
    { "cid", required_argument, NULL, 'c' },
    { "damage", required_argument, NULL, 'd' },
    { "help", no_argument, NULL, 'h' },
    { "parent", required_argument, NULL, 'p' },
    { "parent-cid", required_argument, NULL, 'P' },
    { "sector-size", required_argument, NULL, 's' },
    { "shuffle", no_argument, NULL, 'S' },
    { "version", required_argument, NULL, 'v' },
    { "zero-gte", no_argument, NULL, 'z' },
    { NULL, 0, NULL, 0 }
  };
  struct bytes raw, base = { NULL, 0 };
  int c;

  while ((c = getopt_long (argc, argv, "", options, NULL)) != -1)
    switch (c) {
    case 'b':
      opt_base = optarg;
      break;
    case 'c':
      opt_cid = optarg;
      break;
    case 'd':
      opt_damage = optarg;
      break;
    case 'h':
      fputs (usage_text, stdout);
      return 0;
    case 'p':
      opt_parent = optarg;
      break;
    case 'P':
      opt_parent_cid = optarg;
      break;
    case 's':
      opt_sector_size = optarg;
      break;
    case 'S':
      opt_shuffle = true;
      break;
    case 'v':
      opt_version = (unsigned) strtoul (optarg, NULL, 10);
      break;
    case 'z':
      opt_zero_gte = true;
      break;
    default:
      return 1;
    }
  if (opt_damage[0] != '\0')
    check_damage (opt_damage);
  if (argc - optind != 3) {
    fputs (usage_text, stderr);
    return 1;
  }
  raw = load (argv[optind + 1]);
  if (opt_base != NULL)
    base = load (opt_base);
  out_name = argv[optind + 2];
  make (argv[optind], raw, base);
  free (raw.p);
  free (base.p);
  return 0;
}
