/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the page about a library says: how much there is, what is to be looked
 * at, the chains with what would be lost with each disk, sizes, shares, objects.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "library/base.h"
#include "library/library-internal.h"
#include "library/report-internal.h"
#include "library/report.h"

/* A page with more rows is none that anybody reads; it says how many more
 * there are. */
#define MAX_ROWS   2000
#define MAX_CHAINS 500
/* Of a name in a list of what would be lost. */
#define MAX_LOST 50

struct report {
  struct v2v_library *lib;
  struct page page;
  uint64_t rows; /* of the table at hand */
  struct v2v_findings findings;
};

static int
query_count (struct v2v_library *lib, const char *sql, uint64_t *ret,
             struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (lib->cat, sql, err);
  const int r = q ? v2v_query_step (q, err) : -1;

  *ret = r == 1 ? (uint64_t) v2v_query_get_int (q, 0) : 0;
  return r == -1 ? -1 : 0;
}

/* ---- head ---- */

static int
card (struct report *r, const char *what, const char *sql, bool size,
      struct v2v_error **err)
{
  uint64_t n;

  if (query_count (r->lib, sql, &n, err) == -1)
    return -1;
  page_text (&r->page, "<div class=\"card\"><b>");
  if (size)
    page_size (&r->page, n);
  else
    page_format (&r->page, "%" PRIu64, n);
  page_format (&r->page, "</b><span class=\"soft\">%s</span></div>\n", what);
  return 0;
}

static int
write_head (struct report *r, struct v2v_error **err)
{
  const time_t now = time (NULL);
  char when[32] = "";
  struct tm tm;

  if (gmtime_r (&now, &tm) != NULL)
    strftime (when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
  page_text (&r->page, "<h1>Library ");
  page_name (&r->page, v2v_library_dir (r->lib));
  page_format (&r->page, "</h1>\n<p class=\"soft\">as of %s</p>\n", when);
  page_text (&r->page, "<div class=\"cards\">\n");
  if (card (r, "objects", "SELECT COUNT (*) FROM object", false, err) == -1 ||
      card (r, "in all files, copies too",
            "SELECT CAST (COALESCE (SUM (size), 0) AS BIGINT) FROM location",
            true, err) == -1 ||
      card (r, "disks on another disk",
            "SELECT COUNT (*) FROM relation WHERE role = 'parent'", false,
            err) == -1 ||
      card (r, "machines deployed", "SELECT COUNT (*) FROM machine", false,
            err) == -1 ||
      card (r, "services", "SELECT COUNT (*) FROM service", false, err) == -1)
    return -1;
  page_text (&r->page, "</div>\n");
  return 0;
}

/* ---- what is wrong ---- */

static int
note_base (void *arg, const struct v2v_base *b, struct v2v_error **err)
{
  struct report *r = arg;

  return v2v_base_findings (b, &r->findings) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
write_bad_objects (struct report *r, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      r->lib->cat,
      "SELECT id, kind, name, state FROM object WHERE state <> 0 "
      "ORDER BY name, id",
      err);
  int ret;

  if (q == NULL)
    return -1;
  while ((ret = v2v_query_step (q, err)) == 1 && r->rows < MAX_ROWS) {
    r->rows++;
    page_text (&r->page, "<tr><td class=\"bad\">");
    page_text (&r->page, v2v_query_get_int (q, 3) == V2V_LOCATION_MISSING
                             ? "missing"
                             : "changed");
    page_text (&r->page, "</td><td class=\"name\">");
    page_escape (&r->page, v2v_query_get_text (q, 1));
    page_text (&r->page, " ");
    page_name (&r->page, v2v_query_get_text (q, 2));
    page_text (&r->page,
               "</td><td class=\"say\">no share has all of it as it was; "
               "<code>v2v library repair</code> looks for a good "
               "copy</td></tr>\n");
  }
  return ret == -1 ? -1 : 0;
}

static int
write_problems (struct report *r, struct v2v_error **err)
{
  page_text (&r->page,
             "<h2>To be looked at</h2>\n<div class=\"wrap\"><table>\n");
  r->rows = 0;
  if (v2v_base_each (r->lib, V2V_BASE_IN_USE, note_base, r, err) == -1 ||
      write_bad_objects (r, err) == -1)
    return -1;
  for (size_t i = 0; i < r->findings.len && r->rows < MAX_ROWS; ++i) {
    const struct v2v_finding *f = &r->findings.ptr[i];

    r->rows++;
    page_format (&r->page, "<tr><td class=\"%s\">%s</td><td class=\"name\">",
                 f->severity == V2V_CRITICAL ? "bad" : "warn",
                 v2v_severity_name (f->severity));
    page_name (&r->page, f->subject);
    page_text (&r->page, "</td><td class=\"say\">");
    page_escape (&r->page, f->message);
    page_text (&r->page, ": <span class=\"soft\">");
    page_escape (&r->page, f->remedy ? f->remedy : "");
    page_text (&r->page, "</span></td></tr>\n");
  }
  if (r->rows == 0)
    page_text (&r->page, "<tr><td class=\"good\">Nothing: every object was "
                         "well when it was last looked at, and every base has "
                         "a second copy.</td></tr>\n");
  page_text (&r->page, "</table></div>\n");
  return 0;
}

/* ---- chains ---- */

struct node {
  char *id, *name, *format;
  uint64_t size;
  int64_t state;
};
V2V_VECTOR (node_vector, struct node);

static void
nodes_clear (node_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].id);
    free (v->ptr[i].name);
    free (v->ptr[i].format);
  }
  free (v->ptr);
}
#define CLEANUP_NODES __attribute__ ((cleanup (nodes_clear)))

/* Rows of id, name, format, size, state; ARG may be NULL. */
static int
read_nodes (struct report *r, const char *sql, const char *arg, size_t max,
            node_vector *ret, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (r->lib->cat, sql, err);
  int step;

  if (q == NULL)
    return -1;
  if (arg != NULL)
    v2v_query_text (q, arg);
  while ((step = v2v_query_step (q, err)) == 1 && ret->len < max) {
    struct node n = { .id = strdup (v2v_query_get_text (q, 0)),
                      .name = strdup (v2v_query_get_text (q, 1)),
                      .format = strdup (v2v_query_get_text (q, 2)),
                      .size = (uint64_t) v2v_query_get_int (q, 3),
                      .state = v2v_query_get_int (q, 4) };

    if (node_vector_append (ret, n) == -1) {
      free (n.id), free (n.name), free (n.format);
      return v2v_fail_nomem (err);
    }
    if (!n.id || !n.name || !n.format)
      return v2v_fail_nomem (err);
  }
  return step == -1 ? -1 : 0;
}

/* What would be lost with it, folded. */
static int
write_lost (struct report *r, const char *id, struct v2v_error **err)
{
  CLEANUP_DEPENDENTS struct v2v_dependents d = { 0 };

  if (v2v_library_dependents (r->lib, id, &d, err) == -1)
    return -1;
  if (d.len == 0)
    return 0;
  page_format (&r->page,
               "<details><summary>%zu would be lost with it</summary>"
               "<ul class=\"plain\">\n",
               d.len);
  for (size_t i = 0; i < d.len && i < MAX_LOST; ++i) {
    page_text (&r->page, "<li>");
    page_escape (&r->page, d.ptr[i].what);
    page_text (&r->page, " ");
    page_name (&r->page, d.ptr[i].name);
    if (d.ptr[i].place[0] != '\0') {
      page_text (&r->page, " <span class=\"soft\">on ");
      page_name (&r->page, d.ptr[i].place);
      page_text (&r->page, "</span>");
    }
    page_text (&r->page, "</li>\n");
  }
  if (d.len > MAX_LOST)
    page_format (&r->page, "<li>and %zu more</li>\n", d.len - MAX_LOST);
  page_text (&r->page, "</ul></details>\n");
  return 0;
}

/* Machines on the disk ID; *OPEN: a list was begun. */
static int
write_machines_on (struct report *r, const char *id, bool *open,
                   struct v2v_error **err)
{
  CLEANUP_NODES node_vector list = V2V_VECTOR_INIT;

  if (read_nodes (r,
                  "SELECT machine.id, machine.name, CASE WHEN machine.host <> "
                  "'' THEN machine.host ELSE machine.folder END, 0, 0 FROM "
                  "machine JOIN machine_base ON machine_base.machine = "
                  "machine.id WHERE machine_base.object = ? "
                  "ORDER BY machine.name, machine.id",
                  id, MAX_ROWS, &list, err) == -1)
    return -1;
  for (size_t i = 0; i < list.len; ++i) {
    page_text (&r->page, *open ? "" : "<ul>\n");
    *open = true;
    page_text (&r->page, "<li><span class=\"tag good\">machine</span> ");
    page_name (&r->page, list.ptr[i].name);
    page_text (&r->page, " <span class=\"size\">");
    page_escape (&r->page, list.ptr[i].format);
    page_text (&r->page, "</span></li>\n");
  }
  return 0;
}

/* SHARED: bytes of what it is built on. */
static int
write_node (struct report *r, const struct node *n, uint64_t shared,
            unsigned depth, struct v2v_error **err)
{
  CLEANUP_NODES node_vector children = V2V_VECTOR_INIT;
  bool open = false;

  r->rows++;
  page_text (&r->page, "<li><b>");
  page_name (&r->page, n->name);
  page_text (&r->page, "</b> <span class=\"tag\">");
  page_escape (&r->page, n->format);
  page_text (&r->page, "</span> ");
  if (n->state != 0)
    page_format (&r->page, "<span class=\"tag bad\">%s</span> ",
                 n->state == V2V_LOCATION_MISSING ? "missing" : "changed");
  page_text (&r->page, "<span class=\"size\">");
  page_size (&r->page, n->size);
  page_text (&r->page, " own");
  if (depth > 0) {
    page_text (&r->page, ", ");
    page_size (&r->page, shared);
    page_text (&r->page, " shared");
  }
  page_format (&r->page, " <code>%.8s</code></span>\n", n->id);
  if (write_lost (r, n->id, err) == -1 ||
      read_nodes (r,
                  "SELECT o.id, o.name, o.format, o.size, o.state FROM object "
                  "o JOIN relation r ON r.object = o.id WHERE r.other = ? AND "
                  "r.role = 'parent' ORDER BY o.name, o.id",
                  n->id, MAX_ROWS, &children, err) == -1)
    return -1;
  for (size_t i = 0; i < children.len && depth < V2V_MAX_CHAIN; ++i) {
    if (r->rows >= MAX_ROWS) {
      page_format (&r->page, "<li class=\"soft\">and %zu more</li>\n",
                   children.len - i);
      break;
    }
    page_text (&r->page, open ? "" : "<ul>\n");
    open = true;
    if (write_node (r, &children.ptr[i], shared + n->size, depth + 1, err) ==
        -1)
      return -1;
  }
  if (write_machines_on (r, n->id, &open, err) == -1)
    return -1;
  page_text (&r->page, open ? "</ul>\n</li>\n" : "</li>\n");
  return 0;
}

static int
write_chains (struct report *r, struct v2v_error **err)
{
  CLEANUP_NODES node_vector roots = V2V_VECTOR_INIT;

  page_text (&r->page, "<h2>Bases and what is built on them</h2>\n");
  if (read_nodes (r,
                  "SELECT o.id, o.name, o.format, o.size, o.state FROM object "
                  "o WHERE o.kind = 'disk' AND NOT EXISTS (SELECT 1 FROM "
                  "relation r WHERE r.object = o.id AND r.role = 'parent') AND "
                  "(EXISTS (SELECT 1 FROM relation r JOIN object u ON u.id = "
                  "r.object WHERE r.other = o.id AND (r.role = 'parent' OR "
                  "u.kind = 'vm-template')) OR EXISTS (SELECT 1 FROM "
                  "machine_base m WHERE m.object = o.id)) "
                  "ORDER BY o.name, o.id",
                  NULL, MAX_CHAINS, &roots, err) == -1)
    return -1;
  if (roots.len == 0) {
    page_text (&r->page, "<p class=\"soft\">No disk is built on another, and "
                         "no machine or template on a disk.</p>\n");
    return 0;
  }
  page_text (&r->page,
             "<p class=\"soft\">A disk's own size is that of its file; shared "
             "is what it reads from the disks that it is built on.</p>\n"
             "<ul class=\"tree\">\n");
  r->rows = 0;
  for (size_t i = 0; i < roots.len && r->rows < MAX_ROWS; ++i)
    if (write_node (r, &roots.ptr[i], 0, 0, err) == -1)
      return -1;
  page_text (&r->page, "</ul>\n");
  if (roots.len == MAX_CHAINS || r->rows >= MAX_ROWS)
    page_text (&r->page,
               "<p class=\"soft\">There are more: <code>v2v base ls</code> "
               "lists them all.</p>\n");
  return 0;
}

/* ---- shares, kinds ---- */

static int
write_shares (struct report *r, struct v2v_error **err)
{
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };

  if (v2v_library_shares (r->lib, &shares, err) == -1)
    return -1;
  page_text (&r->page,
             "<h2>Shares</h2>\n<div class=\"wrap\"><table>\n<tr><th>Name</th>"
             "<th>Folder</th><th class=\"n\">Files</th>"
             "<th class=\"n\">Size</th></tr>\n");
  for (size_t i = 0; i < shares.len; ++i) {
    CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
        r->lib->cat,
        "SELECT COUNT (*), CAST (COALESCE (SUM (size), 0) AS BIGINT) FROM "
        "location WHERE share = ?",
        err);

    if (q == NULL)
      return -1;
    v2v_query_text (q, shares.ptr[i].id);
    if (v2v_query_step (q, err) != 1)
      return -1;
    page_text (&r->page, "<tr><td>");
    page_name (&r->page, shares.ptr[i].name);
    page_text (&r->page, "</td><td class=\"name\">");
    page_name (&r->page, shares.ptr[i].path);
    page_text (&r->page, shares.ptr[i].there
                             ? ""
                             : " <span class=\"tag bad\">not there</span>");
    page_format (&r->page,
                 "</td><td class=\"n\">%" PRId64 "</td><td class=\"n\">",
                 v2v_query_get_int (q, 0));
    page_size (&r->page, (uint64_t) v2v_query_get_int (q, 1));
    page_text (&r->page, "</td></tr>\n");
  }
  page_text (&r->page, "</table></div>\n");
  return 0;
}

static int
write_kinds (struct report *r, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      r->lib->cat,
      "SELECT kind, COUNT (*), CAST (COALESCE (SUM (size), 0) AS BIGINT) FROM "
      "object GROUP BY kind ORDER BY 3 DESC, kind",
      err);
  uint64_t largest = 0;
  int step;

  if (q == NULL)
    return -1;
  page_text (&r->page,
             "<h2>Sizes</h2>\n<div class=\"wrap\"><table>\n<tr><th>Kind</th>"
             "<th class=\"n\">Objects</th><th class=\"n\">Size, once</th>"
             "<th></th></tr>\n");
  while ((step = v2v_query_step (q, err)) == 1) {
    const uint64_t size = (uint64_t) v2v_query_get_int (q, 2);

    largest = size > largest ? size : largest;
    page_text (&r->page, "<tr><td>");
    page_escape (&r->page, v2v_query_get_text (q, 0));
    page_format (&r->page,
                 "</td><td class=\"n\">%" PRId64 "</td><td class=\"n\">",
                 v2v_query_get_int (q, 1));
    page_size (&r->page, size);
    page_format (
        &r->page,
        "</td><td><div class=\"meter\"><i style=\"width:%u%%\"></i>"
        "</div></td></tr>\n",
        largest == 0 ? 0 : (unsigned) ((double) size * 100 / (double) largest));
  }
  page_text (&r->page, "</table></div>\n");
  return step;
}

/* ---- all of it ---- */

static int
write_objects (struct report *r, struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = v2v_query_new (
      r->lib->cat,
      "SELECT o.kind, o.name, o.version, o.family, o.release, o.owner, "
      "o.state, o.enabled, o.size, (SELECT COUNT (DISTINCT l.share) FROM "
      "location l WHERE l.object = o.id AND l.state = 0), (SELECT COUNT "
      "(DISTINCT r.object) FROM relation r WHERE r.other = o.id) + (SELECT "
      "COUNT (*) FROM machine_base m WHERE m.object = o.id) FROM object o "
      "ORDER BY o.name, o.kind, o.id",
      err);
  int step;

  if (q == NULL)
    return -1;
  r->rows = 0;
  page_text (&r->page,
             "<h2>Objects</h2>\n<div class=\"wrap\"><table>\n<tr><th>Name</th>"
             "<th>Kind</th><th>Family</th><th>State</th>"
             "<th class=\"n\">Size</th><th class=\"n\">Shares</th>"
             "<th class=\"n\">Needed by</th><th>Owner</th></tr>\n");
  while ((step = v2v_query_step (q, err)) == 1 && r->rows++ < MAX_ROWS) {
    const int64_t state = v2v_query_get_int (q, 6);

    page_text (&r->page, "<tr><td class=\"name\">");
    page_name (&r->page, v2v_query_get_text (q, 1));
    page_text (&r->page, " <span class=\"soft\">");
    page_escape (&r->page, v2v_query_get_text (q, 2));
    page_text (&r->page, "</span></td><td>");
    page_escape (&r->page, v2v_query_get_text (q, 0));
    page_text (&r->page, "</td><td>");
    page_escape (&r->page, v2v_query_get_text (q, 3));
    page_text (&r->page, " ");
    page_escape (&r->page, v2v_query_get_text (q, 4));
    page_format (&r->page, "</td><td class=\"%s\">%s%s</td><td class=\"n\">",
                 state == 0 ? "good" : "bad",
                 state == 0                      ? "ok"
                 : state == V2V_LOCATION_MISSING ? "missing"
                                                 : "changed",
                 v2v_query_get_int (q, 7) ? "" : ", disabled");
    page_size (&r->page, (uint64_t) v2v_query_get_int (q, 8));
    page_format (&r->page,
                 "</td><td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRId64
                 "</td><td>",
                 v2v_query_get_int (q, 9), v2v_query_get_int (q, 10));
    page_escape (&r->page, v2v_query_get_text (q, 5));
    page_text (&r->page, "</td></tr>\n");
  }
  page_text (&r->page, "</table></div>\n");
  if (step == 1)
    page_format (&r->page,
                 "<p class=\"soft\">The first %d; <code>v2v library ls</code> "
                 "lists them all.</p>\n",
                 MAX_ROWS);
  return step == -1 ? -1 : 0;
}

int
v2v_library_report (struct v2v_library *lib, char **ret, struct v2v_error **err)
{
  struct report r = { .lib = lib,
                      .page = { .out = V2V_STR_INIT },
                      .findings = V2V_FINDINGS_INIT };
  int done;

  page_begin (&r.page);
  done = write_head (&r, err) == -1 || write_problems (&r, err) == -1 ||
                 write_chains (&r, err) == -1 || write_kinds (&r, err) == -1 ||
                 write_shares (&r, err) == -1 || write_objects (&r, err) == -1
             ? -1
             : 0;
  page_end (&r.page);
  v2v_findings_clear (&r.findings);
  if (done == 0 && r.page.failed)
    done = v2v_fail_nomem (err);
  if (done == 0)
    *ret = STEAL (r.page.out.ptr);
  v2v_str_free (&r.page.out);
  return done;
}
