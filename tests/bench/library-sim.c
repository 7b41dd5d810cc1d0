/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* library-sim [-c CATALOGUE] [-n OBJECTS] [-f] DIR
 *
 * What does a library cost that has many objects?  Make one in DIR whose
 * catalogue (-c postgres://...; else SQLite) says that there are OBJECTS
 * objects, a million by default, and time what users do with it.  Rows are
 * written by SQL, as fast as the data base takes them, and no files are made:
 * it is the catalogue that is asked.  -f only fills.
 *
 * Of ten objects one is a template, one an image, one a script and seven are
 * disks: a base (3), a child of one base that a tenth of all objects share (4),
 * a chain of three on the base (5, 6, 7), which the template needs (0).
 *
 * One line for each: what, median of seconds, rows.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "library/library-internal.h"

#define DEFAULT_OBJECTS 1000000
#define MAX_OBJECTS     90000000
#define CHUNK           50000 /* rows of a transaction */
#define MAX_ROUNDS      9

/* The id of object I; neighbours are far from each other, as random ones. */
#define ID(i)                                                                  \
  "substr (CAST (100000000 + ((" i ") * 7368787) % 99999989 AS TEXT), 2) || "  \
  "'-0000-4000-8000-' || substr (CAST (1000000000000 + (" i ") AS TEXT), 2)"
#define HEX(i)                                                                 \
  "'0123456789abcdef0123456789abcdef0123456789abcdef0123' || "                 \
  "substr (CAST (1000000000000 + (" i ") AS TEXT), 2)"
#define NAME                                                                   \
  "CASE i % 4 WHEN 0 THEN 'web' WHEN 1 THEN 'App' WHEN 2 THEN 'db' "           \
  "ELSE 'Mail' END || '-' || CAST (i AS TEXT)"
#define KIND                                                                   \
  "CASE i % 10 WHEN 0 THEN 'vm-template' WHEN 1 THEN 'iso' "                   \
  "WHEN 2 THEN 'script' ELSE 'disk' END"
#define NUMBERS                                                                \
  "WITH RECURSIVE n (i) AS (SELECT CAST (? AS BIGINT) UNION ALL "              \
  "SELECT i + 1 FROM n WHERE i < CAST (? AS BIGINT)) "

/* Each takes the first and the last I. */
static const char *const fill_sql[] = {
  "INSERT INTO object (id, kind, name, version, namespace, family, release, "
  "os, owner, description, enabled, digest, content, identity, size, created, "
  "format, variant, virtual_size, disk_id, state) " NUMBERS "SELECT " ID (
      "i") ", " KIND ", " NAME ", '1', '', 'family-' || "
           "CAST (i % 1000 AS TEXT), CAST (i % 7 AS TEXT), 'debian', 'owner-' || "
           "CAST (i % 50 AS TEXT), 'What it is for, in a sentence as people write "
           "them.', 1, 'sha256:' || " HEX (
               "i") ", CASE WHEN i % 10 > 2 THEN "
                    "'sha256-2m:' || " HEX ("i") " ELSE '' END, 'sha256:' || " HEX (
                        "i") ", 4194304 + i, 1700000000 + i, CASE WHEN i % 10 > 2 THEN 'vhdx' ELSE '' "
                             "END, CASE WHEN i % 10 > 2 THEN 'dynamic' ELSE '' END, 0, "
                             "CASE WHEN i % 10 > 2 THEN 'disk-' || CAST (i AS TEXT) ELSE '' END, 0 FROM n",

  "INSERT INTO file (object, seq, name, digest, size) " NUMBERS
  "SELECT " ID ("i") ", 0, " NAME
                     ", 'sha256:' || " HEX ("i") ", 4194304 + i FROM n",

  "INSERT INTO location (share, path, object, seq, size, mtime, state, "
  "verified) " NUMBERS
  "SELECT (SELECT id FROM share ORDER BY seq LIMIT 1), " KIND " || '/' || " NAME
  ", " ID ("i") ", 0, 4194304 + i, 1, 0, 0 FROM n",

  "INSERT INTO relation (object, role, label, other) " NUMBERS "SELECT " ID (
      "i") ", CASE i % 10 WHEN 0 THEN 'disk' ELSE 'parent' END, '', "
           "CASE i % 10 WHEN 4 THEN " ID ("CAST (3 AS BIGINT)") " WHEN 0 THEN " ID (
               "i - 3") " WHEN 5 THEN " ID ("i - 2") " ELSE " ID ("i - 1") " END FROM n WHERE i % 10 IN (0, 4, 5, 6, 7)",

  "INSERT INTO tag (object, name) " NUMBERS
  "SELECT " ID ("i") ", CASE WHEN i % 100 = 0 THEN 'gold' ELSE 'blue' END "
                     "FROM n WHERE i % 2 = 0",
};

static struct v2v_library *lib;
static struct v2v_error *err;
static int64_t nr_objects = DEFAULT_OBJECTS;

static void
check (bool good)
{
  if (good)
    return;
  fprintf (stderr, "library-sim: %s\n",
           err ? v2v_error_message (err) : "failed");
  exit (1);
}

/* As ID above; I is below MAX_OBJECTS. */
static const char *
id_of (int64_t i, char ret[37])
{
  snprintf (ret, 37, "%08u-0000-4000-8000-%012u",
            (unsigned) (i * 7368787 % 99999989), (unsigned) i);
  return ret;
}

static void
fill (void)
{
  const double begin = lib_seconds ();

  for (int64_t first = 1; first <= nr_objects; first += CHUNK) {
    const int64_t last =
        first + CHUNK - 1 < nr_objects ? first + CHUNK - 1 : nr_objects;

    check (v2v_catalogue_begin (lib->cat, &err) == 0);
    for (size_t k = 0; k < V2V_ARRAY_SIZE (fill_sql); ++k) {
      CLEANUP_QUERY struct v2v_query *q =
          v2v_query_new (lib->cat, fill_sql[k], &err);

      check (q != NULL);
      v2v_query_int (q, first);
      v2v_query_int (q, last);
      check (v2v_query_step (q, &err) == 0);
    }
    check (v2v_catalogue_commit (lib->cat, &err) == 0);
  }
  /* A server does this by itself, sooner or later. */
  if (v2v_catalogue_kind (lib->cat)[0] == 'p')
    check (v2v_catalogue_exec (lib->cat, "ANALYZE", &err) == 0);
  printf ("fill %.1f %" PRId64 "\n", lib_seconds () - begin, nr_objects);
}

/* ---- what is timed; each returns rows ---- */

static int
count_one (void *arg, const struct v2v_object *o, struct v2v_error **e)
{
  (void) o;
  (void) e;
  ++*(uint64_t *) arg;
  return 0;
}

static uint64_t
list (const struct v2v_library_filter *f)
{
  uint64_t n = 0;

  check (v2v_library_each (lib, f, count_one, &n, &err) == 0);
  return n;
}

/* Objects all over, another one each round. */
static int64_t
some (unsigned round)
{
  return nr_objects / 20 * (round + 2) / 10 * 10;
}

static uint64_t
open_again (unsigned round)
{
  CLEANUP_FREE char *dir = strdup (v2v_library_dir (lib));

  (void) round;
  v2v_library_close (lib);
  lib = v2v_library_open (dir, &err);
  check (lib != NULL);
  return 1;
}

static uint64_t
list_all (unsigned round)
{
  (void) round;
  return list (NULL);
}

static uint64_t
list_disks (unsigned round)
{
  (void) round;
  return list (&(struct v2v_library_filter){ .kind = "disk" });
}

static uint64_t
list_beginning (unsigned round)
{
  char pattern[32];

  snprintf (pattern, sizeof pattern, "WEB-%" PRId64 "*", some (round) / 100);
  return list (&(struct v2v_library_filter){ .name = pattern });
}

static uint64_t
list_containing (unsigned round)
{
  char pattern[32];

  snprintf (pattern, sizeof pattern, "*%" PRId64 "*", some (round) / 10);
  return list (&(struct v2v_library_filter){ .name = pattern });
}

static uint64_t
list_family (unsigned round)
{
  char family[32];

  snprintf (family, sizeof family, "family-%u", 17 * round);
  return list (
      &(struct v2v_library_filter){ .kind = "disk", .family = family });
}

static uint64_t
list_tag (unsigned round)
{
  (void) round;
  return list (&(struct v2v_library_filter){ .tag = "gold" });
}

static uint64_t
find_name (unsigned round)
{
  CLEANUP_FREE char *id = NULL;
  char name[32];

  snprintf (name, sizeof name, "web-%" PRId64, some (round) / 4 * 4);
  check (v2v_library_find (lib, name, &id, &err) == 0);
  return 1;
}

static uint64_t
find_id (unsigned round)
{
  CLEANUP_FREE char *id = NULL;
  char beginning[37];

  id_of (some (round), beginning);
  beginning[12] = '\0';
  check (v2v_library_find (lib, beginning, &id, &err) == 0);
  return 1;
}

static uint64_t
show (unsigned round)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  char id[37];

  check (v2v_library_object (lib, id_of (some (round), id), &o, &err) == 0);
  return 1;
}

static uint64_t
used_by (int64_t i, bool indirectly)
{
  char id[37];

  return list (&(struct v2v_library_filter){ .needs = id_of (i, id),
                                             .indirectly = indirectly });
}

static uint64_t
used_by_few (unsigned round)
{
  return used_by (some (round) + 3, false);
}

static uint64_t
used_by_few_indirectly (unsigned round)
{
  return used_by (some (round) + 3, true);
}

static uint64_t
used_by_many (unsigned round)
{
  (void) round;
  return used_by (3, false);
}

static uint64_t
used_by_many_indirectly (unsigned round)
{
  (void) round;
  return used_by (3, true);
}

static uint64_t
equivalent (unsigned round)
{
  CLEANUP_FREE char *id = NULL, *reason = NULL;
  struct v2v_error *e = NULL;
  char family[32];

  /* Its files are nowhere, so that every one of the family is looked at. */
  snprintf (family, sizeof family, "family-%u", 10 * round + 3);
  v2v_library_equivalent (lib, V2V_OBJECT_DISK, family, NULL, NULL, &id,
                          &reason, &e);
  v2v_error_free (e);
  return 1;
}

/* A file of a few bytes, as the thousandth of its name. */
static uint64_t
import (unsigned round)
{
  struct v2v_import_result r = { 0 };
  char text[64];

  snprintf (text, sizeof text, "%d %u %ld\n", (int) getpid (), round,
            (long) time (NULL));
  check (v2v_library_import_text (lib, "new.sh", text, strlen (text),
                                  &(struct v2v_import_opts){ .kind = "script" },
                                  &r, &err) == 0);
  v2v_import_result_clear (&r);
  return 1;
}

static uint64_t
set (unsigned round)
{
  char id[37];

  check (v2v_library_set (lib, id_of (some (round), id),
                          &(struct v2v_library_set){ .owner = "ann" },
                          &err) == 0);
  return 1;
}

static uint64_t
relate (unsigned round)
{
  char from[37], to[37];

  check (v2v_library_relate (lib, id_of (some (round) + 1, from), "x", "",
                             id_of (some (round) + 8, to), &err) == 0);
  return 1;
}

/* One of those that were imported: it has a file. */
static uint64_t
remove_one (unsigned round)
{
  CLEANUP_OBJECTS struct v2v_objects l = { 0 };

  (void) round;
  check (v2v_library_list (
             lib, &(struct v2v_library_filter){ .exact_name = "new.sh" }, &l,
             &err) == 0 &&
         l.len > 0 && v2v_library_remove (lib, l.ptr[0].id, false, &err) == 0);
  return 1;
}

static const struct {
  const char *what;
  uint64_t (*work) (unsigned round);
  unsigned rounds;
} works[] = {
  { "open", open_again, 9 },
  { "find-name", find_name, 9 },
  { "find-id", find_id, 9 },
  { "show", show, 9 },
  { "ls-beginning", list_beginning, 9 },
  { "ls-containing", list_containing, 3 },
  { "ls-family", list_family, 9 },
  { "ls-tag", list_tag, 3 },
  { "ls-kind", list_disks, 3 },
  { "ls", list_all, 3 },
  { "where-used-few", used_by_few, 9 },
  { "where-used-few-all", used_by_few_indirectly, 9 },
  { "where-used-many", used_by_many, 3 },
  { "where-used-many-all", used_by_many_indirectly, 3 },
  { "equivalent", equivalent, 3 },
  { "set", set, 9 },
  { "relate", relate, 9 },
  { "import", import, 9 },
  { "rm", remove_one, 9 },
};

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static void
measure_all (void)
{
  struct rusage u;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (works); ++i) {
    double seconds[MAX_ROUNDS];
    uint64_t rows = 0;

    for (unsigned r = 0; r < works[i].rounds; ++r) {
      const double begin = lib_seconds ();

      rows = works[i].work (r);
      seconds[r] = lib_seconds () - begin;
    }
    qsort (seconds, works[i].rounds, sizeof seconds[0], compare);
    printf ("%s %.6f %" PRIu64 "\n", works[i].what,
            seconds[works[i].rounds / 2], rows);
    fflush (stdout);
  }
  getrusage (RUSAGE_SELF, &u);
  printf ("peak-memory-kib %ld 1\n", u.ru_maxrss);
}

int
main (int argc, char **argv)
{
  const char *catalogue = NULL;
  bool only_fill = false;
  char id[37];
  int c;

  while ((c = getopt (argc, argv, "c:fn:")) != -1)
    switch (c) {
    case 'c':
      catalogue = optarg;
      break;
    case 'f':
      only_fill = true;
      break;
    case 'n':
      nr_objects = strtoll (optarg, NULL, 10);
      break;
    default:
      return 2;
    }
  if (optind + 1 != argc || nr_objects < 1000 || nr_objects > MAX_OBJECTS) {
    fprintf (stderr,
             "usage: library-sim [-c CATALOGUE] [-f] [-n OBJECTS] DIR\n");
    return 2;
  }
  check (v2v_library_init (argv[optind], NULL, catalogue, &err) == 0);
  lib = v2v_library_open (argv[optind], &err);
  check (lib != NULL);
  fill ();
  printf ("many %s 1\n", id_of (3, id));
  if (!only_fill)
    measure_all ();
  v2v_library_close (lib);
  return 0;
}
