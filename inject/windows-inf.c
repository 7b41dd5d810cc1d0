/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading INF files.
 *
 * Source: Microsoft Learn, "General Syntax Rules for INF Files", "INF
 * Manufacturer Section" (decorations of platforms), "INF Version Section",
 * "INF SourceDisksNames Section", "INF SourceDisksFiles Section", "INF Strings
 * Section", "Specifying the Source and Target Locations for Device Files" for
 * Include, "INF DDInstall Section" for Needs.  Left out: LayoutFile (Windows'
 * own media); the suite of a decoration.
 *
 * One pass makes a list of lines; the questions walk it.  Bytes are hostile:
 * every bound is named in the header.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/core/vector.h"
#include "inject/windows-inf.h"

/* A line of more values is none of a driver. */
#define MAX_VALUES 256
/* %a% may stand for text with %b% in it, but not for ever. */
#define MAX_EXPANDED 4096

V2V_VECTOR (line_vector, struct windows_inf_line);
V2V_VECTOR (string_vector, char *);

static void
free_strings (string_vector *v)
{
  for (size_t i = 0; i < v->len; ++i)
    free (v->ptr[i]);
  free (v->ptr);
}

static void
free_list (char **list)
{
  for (size_t i = 0; list != NULL && list[i] != NULL; ++i)
    free (list[i]);
  free (list);
}

void
windows_inf_free (struct windows_inf *inf)
{
  if (inf == NULL)
    return;
  for (size_t i = 0; i < inf->nr_lines; ++i) {
    free (inf->lines[i].section);
    free (inf->lines[i].key);
    free_list (inf->lines[i].values);
  }
  for (size_t i = 0; i < inf->nr_sections; ++i)
    free (inf->sections[i]);
  free (inf->sections);
  free (inf->lines);
  free (inf->text);
  free (inf);
}

/* ---- characters ---- */

static char *
decode (const void *data, size_t len, struct v2v_error **err)
{
  const unsigned char *p = data;

  if (len >= 2 && p[0] == 0xff && p[1] == 0xfe)
    return v2v_to_utf8 ("UTF-16LE", p + 2, len - 2, err);
  if (len >= 2 && p[0] == 0xfe && p[1] == 0xff)
    return v2v_to_utf8 ("UTF-16BE", p + 2, len - 2, err);
  if (len >= 3 && memcmp (p, "\xef\xbb\xbf", 3) == 0) {
    p += 3;
    len -= 3;
  }
  if (v2v_is_valid_utf8 ((const char *) p, len))
    return v2v_to_utf8 ("UTF-8", p, len, err);
  return v2v_to_utf8 ("windows-1252", p, len, err);
}

static char *
trim (char *s)
{
  size_t n;

  s += strspn (s, " \t\r\f\v");
  n = strlen (s);
  while (n > 0 && strchr (" \t\r\f\v", s[n - 1]) != NULL)
    s[--n] = '\0';
  return s;
}

/* The end of what is not a comment: a semicolon outside quotation marks. */
static void
cut_comment (char *s)
{
  bool quoted = false;

  for (; *s; ++s) {
    if (*s == '"')
      quoted = !quoted;
    else if (*s == ';' && !quoted) {
      *s = '\0';
      return;
    }
  }
}

static char *
lower (const char *s)
{
  char *copy = strdup (s);

  for (char *p = copy; p != NULL && *p; ++p)
    if (*p >= 'A' && *p <= 'Z')
      *p = (char) (*p + ('a' - 'A'));
  return copy;
}

/* ---- lines ---- */

/* One value from S on, unquoted in place ("" is a quotation mark); *RET_END is
 * behind the comma or at the end. */
static char *
take_value (char *s, char **ret_end)
{
  char *out, *begin;
  bool quoted = false;

  s += strspn (s, " \t");
  begin = out = s;
  for (; *s && (quoted || *s != ','); ++s) {
    if (*s == '"' && quoted && s[1] == '"')
      *out++ = *s++;
    else if (*s == '"')
      quoted = !quoted;
    else
      *out++ = *s;
  }
  *ret_end = *s == ',' ? s + 1 : s;
  *out = '\0';
  return trim (begin);
}

static int
take_values (char *s, char ***ret)
{
  string_vector v = V2V_VECTOR_INIT;
  bool more = *s != '\0';

  while (more && v.len < MAX_VALUES) {
    char *end = s, *copy;

    more = false;
    /* take_value writes behind what it has read, never past END. */
    copy = strdup (take_value (s, &end));
    if (copy == NULL || string_vector_append (&v, copy) == -1) {
      free (copy);
      free_strings (&v);
      return -1;
    }
    more = *end != '\0';
    s = end;
  }
  if (string_vector_append (&v, NULL) == -1) {
    free_strings (&v);
    return -1;
  }
  *ret = v.ptr;
  return 0;
}

/* The '=' outside quotation marks. */
static char *
find_equals (char *s)
{
  bool quoted = false;

  for (; *s; ++s) {
    if (*s == '"')
      quoted = !quoted;
    else if (*s == '=' && !quoted)
      return s;
  }
  return NULL;
}

static int
add_line (line_vector *v, const char *section, char *text)
{
  struct windows_inf_line line = { .section = strdup (section) };
  char *equals = find_equals (text), *value = text, *end;

  if (line.section == NULL)
    return -1;
  if (equals != NULL) {
    *equals = '\0';
    value = trim (equals + 1);
    line.key = strdup (take_value (text, &end));
    if (line.key == NULL)
      goto fail;
  }
  if (take_values (value, &line.values) == -1 ||
      line_vector_append (v, line) == -1)
    goto fail;
  return 0;
fail:
  free (line.section);
  free (line.key);
  free_list (line.values);
  return -1;
}

/* Take the next line from *NEXT, joined where it ends in a backslash. */
static char *
take_line (char **next)
{
  char *line = *next, *end = strchr (line, '\n');

  if (end != NULL)
    *end = '\0';
  *next = end != NULL ? end + 1 : line + strlen (line);
  cut_comment (line);
  return trim (line);
}

/* Also one that has no lines. */
static int
add_section (string_vector *v, const char *name)
{
  char *copy;

  if (v->len == WINDOWS_INF_MAX_LINES)
    return 0;
  copy = strdup (name);
  if (copy == NULL || string_vector_append (v, copy) == -1) {
    free (copy);
    return -1;
  }
  return 0;
}

static int
split (struct windows_inf *inf, struct v2v_error **err)
{
  line_vector v = V2V_VECTOR_INIT;
  string_vector sections = V2V_VECTOR_INIT;
  CLEANUP_FREE char *section = strdup ("");
  struct v2v_str joined CLEANUP_STR = V2V_STR_INIT;
  char *next = inf->text;
  bool failed = section == NULL;

  while (!failed && *next) {
    char *line = take_line (&next);
    const size_t n = strlen (line);
    char *end;

    if (n > 0 && line[n - 1] == '\\' && *next) {
      line[n - 1] = ' ';
      failed = v2v_str_append (&joined, line) == -1;
      continue;
    }
    if (joined.len > 0) {
      failed = v2v_str_append (&joined, line) == -1;
      line = trim (joined.ptr);
    }
    if (failed || *line == '\0')
      ;
    else if (*line == '[' && (end = strchr (line, ']')) != NULL) {
      *end = '\0';
      free (section);
      section = lower (trim (line + 1));
      failed = section == NULL || add_section (&sections, section) == -1;
    }
    else
      failed =
          v.len == WINDOWS_INF_MAX_LINES || add_line (&v, section, line) == -1;
    joined.len = 0;
  }
  inf->lines = v.ptr;
  inf->nr_lines = v.len;
  inf->sections = sections.ptr;
  inf->nr_sections = sections.len;
  if (failed && v.len == WINDOWS_INF_MAX_LINES)
    return v2v_fail (err, V2V_ERR_FORMAT, "more than %u lines",
                     WINDOWS_INF_MAX_LINES);
  return failed ? v2v_fail_nomem (err) : 0;
}

/* ---- looking ---- */

static const struct windows_inf_line *
find (const struct windows_inf *inf, const char *section, const char *key)
{
  for (size_t i = 0; i < inf->nr_lines; ++i) {
    const struct windows_inf_line *l = &inf->lines[i];

    if (l->key != NULL && strcasecmp (l->section, section) == 0 &&
        strcasecmp (l->key, key) == 0)
      return l;
  }
  return NULL;
}

static bool
has_section (const struct windows_inf *inf, const char *section)
{
  for (size_t i = 0; i < inf->nr_lines; ++i)
    if (strcasecmp (inf->lines[i].section, section) == 0)
      return true;
  return false;
}

bool
windows_inf_has_section (const struct windows_inf *inf, const char *name)
{
  for (size_t i = 0; i < inf->nr_sections; ++i)
    if (strcasecmp (inf->sections[i], name) == 0)
      return true;
  return false;
}

/* %name% by [Strings]; %% is a percent sign; an unknown name stays. */
static char *
expand (const struct windows_inf *inf, const char *s, struct v2v_error **err)
{
  struct v2v_str out CLEANUP_STR = V2V_STR_INIT;
  int r = v2v_str_append (&out, "");

  while (r == 0 && *s && out.len < MAX_EXPANDED) {
    const char *end = *s == '%' ? strchr (s + 1, '%') : NULL;
    const struct windows_inf_line *l = NULL;
    CLEANUP_FREE char *name = NULL;

    if (end == s + 1) {
      r = v2v_str_append (&out, "%");
      s += 2;
      continue;
    }
    if (end != NULL) {
      name = strndup (s + 1, (size_t) (end - s - 1));
      if (name == NULL)
        break;
      l = find (inf, "strings", name);
    }
    if (l != NULL) {
      r = v2v_str_append (&out, l->values[0] != NULL ? l->values[0] : "");
      s = end + 1;
    }
    else
      r = v2v_str_append_len (&out, s++, 1);
  }
  if (r == -1 || (*s && out.len < MAX_EXPANDED)) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (out.ptr);
}

char *
windows_inf_get (const struct windows_inf *inf, const char *section,
                 const char *key, struct v2v_error **err)
{
  const struct windows_inf_line *l = find (inf, section, key);

  if (l == NULL || l->values[0] == NULL)
    return NULL;
  return expand (inf, l->values[0], err);
}

struct windows_inf *
windows_inf_parse (const void *data, size_t len, struct v2v_error **err)
{
  struct windows_inf *inf = calloc (1, sizeof *inf);

  if (inf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > WINDOWS_INF_MAX)
    v2v_fail (err, V2V_ERR_FORMAT, "%zu bytes, at most %u are taken", len,
              WINDOWS_INF_MAX);
  else if ((inf->text = decode (data, len, err)) == NULL ||
           split (inf, err) == -1)
    ;
  else if (find (inf, "version", "signature") == NULL)
    v2v_fail (err, V2V_ERR_FORMAT,
              "not an INF file: no [Version] with a "
              "Signature");
  else
    return inf;
  windows_inf_free (inf);
  return NULL;
}

/* ---- which Windows ---- */

/* "NTamd64": 6 bytes of "nt" and the architecture; "" for the undecorated. */
static const char *
suffix_of (const char *arch)
{
  if (strcmp (arch, "x86_64") == 0)
    return "amd64";
  if (strcmp (arch, "aarch64") == 0)
    return "arm64";
  return "x86";
}

struct windows {
  const char *arch;
  int major, minor;
  unsigned build;
  enum windows_inf_product product;
};

/* What a decoration asks for: major, minor, product type, suite, build. */
enum { WANT_MAJOR, WANT_MINOR, WANT_TYPE, WANT_SUITE, WANT_BUILD, NR_WANTS };

/* NT[arch][.[major][.[minor][.[type][.[suite][.[build]]]]]]: is Windows at
 * least that?  Without an architecture it is x86. */
static bool
decoration_fits (const char *d, const struct windows *o,
                 unsigned long want[NR_WANTS])
{
  const char *suffix = suffix_of (o->arch);
  size_t n;

  memset (want, 0, NR_WANTS * sizeof want[0]);
  if (strncasecmp (d, "nt", 2) != 0)
    return false;
  d += 2;
  n = strcspn (d, ".");
  if (n == 0 ? strcmp (suffix, "x86") != 0
             : n != strlen (suffix) || strncasecmp (d, suffix, n) != 0)
    return false;
  d += n;
  for (size_t i = 0; i < NR_WANTS && *d == '.'; ++i) {
    char *end;

    ++d;
    want[i] = strtoul (d, &end, 0);
    d = end + strcspn (end, ".");
  }
  /* Not at least: a server is no better workstation. */
  if (want[WANT_TYPE] != 0 && o->product != WINDOWS_PRODUCT_UNKNOWN &&
      want[WANT_TYPE] != o->product)
    return false;
  if (o->major < 0 || want[WANT_MAJOR] == 0)
    return true;
  if (want[WANT_MAJOR] != (unsigned) o->major)
    return want[WANT_MAJOR] < (unsigned) o->major;
  if (o->minor >= 0 && want[WANT_MINOR] != (unsigned) o->minor)
    return want[WANT_MINOR] < (unsigned) o->minor;
  return o->build == 0 || want[WANT_BUILD] <= o->build;
}

/* Windows takes the decoration that asks for the most and still fits. */
static bool
asks_for_more (const unsigned long a[NR_WANTS], const unsigned long b[NR_WANTS])
{
  static const int order[] = { WANT_MAJOR, WANT_MINOR, WANT_BUILD, WANT_TYPE };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (order); ++i)
    if (a[order[i]] != b[order[i]])
      return a[order[i]] > b[order[i]];
  return false;
}

/* Does the file have any models section of NAME's, decorated or not? */
static bool
has_models (const struct windows_inf *inf, const char *name)
{
  const size_t n = strlen (name);

  for (size_t i = 0; i < inf->nr_lines; ++i) {
    const char *section = inf->lines[i].section;

    if (strncasecmp (section, name, n) == 0 &&
        (section[n] == '\0' || section[n] == '.'))
      return true;
  }
  return false;
}

/* The models of the line L of [Manufacturer] for this Windows: an empty section
 * is how a maker says that a Windows is not supported, though a lower
 * decoration would fit.  A file without any such section is left to pnputil. */
static bool
manufacturer_fits (const struct windows_inf *inf,
                   const struct windows_inf_line *l, const struct windows *o)
{
  unsigned long best[NR_WANTS] = { 0 }, want[NR_WANTS];
  CLEANUP_FREE char *section = NULL;
  const char *decoration = NULL;

  for (size_t k = 1; l->values[k] != NULL; ++k)
    if (decoration_fits (l->values[k], o, want) &&
        (decoration == NULL || asks_for_more (want, best))) {
      decoration = l->values[k];
      memcpy (best, want, sizeof best);
    }
  /* Models without a decoration are for x86. */
  if (decoration == NULL && strcmp (suffix_of (o->arch), "x86") != 0)
    return false;
  if (decoration == NULL && l->values[1] != NULL &&
      !has_section (inf, l->values[0]))
    return false;
  if (!has_models (inf, l->values[0]))
    return true;
  if (asprintf (&section, "%s%s%s", l->values[0], decoration ? "." : "",
                decoration ? decoration : "") == -1) {
    section = NULL;
    return true;
  }
  return has_section (inf, section);
}

bool
windows_inf_fits (const struct windows_inf *inf, const char *arch, int major,
                  int minor, unsigned build, enum windows_inf_product product)
{
  const struct windows o = { .arch = arch,
                             .major = major,
                             .minor = minor,
                             .build = build,
                             .product = product };
  bool manufacturer = false;
  char section[64];

  for (size_t i = 0; i < inf->nr_lines; ++i) {
    const struct windows_inf_line *l = &inf->lines[i];

    if (strcmp (l->section, "manufacturer") != 0 || l->values[0] == NULL)
      continue;
    manufacturer = true;
    if (manufacturer_fits (inf, l, &o))
      return true;
  }
  if (manufacturer)
    return false;
  /* Filters and the like have no devices. */
  snprintf (section, sizeof section, "defaultinstall.nt%s", suffix_of (arch));
  return has_section (inf, section) || (strcmp (suffix_of (arch), "x86") == 0 &&
                                        has_section (inf, "defaultinstall"));
}

/* Is SECTION ("net.ntamd64.services") for another architecture? */
static bool
is_for_other (const char *section, const char *arch)
{
  static const char *const all[] = { "x86", "amd64", "arm64", "arm", "ia64" };

  for (const char *p = strchr (section, '.'); p != NULL;
       p = strchr (p + 1, '.')) {
    const size_t n = strcspn (p + 1, ".");

    for (size_t i = 0; i < V2V_ARRAY_SIZE (all); ++i)
      if (n == strlen (all[i]) + 2 && strncasecmp (p + 1, "nt", 2) == 0 &&
          strncasecmp (p + 3, all[i], n - 2) == 0)
        return strcmp (all[i], suffix_of (arch)) != 0;
  }
  return false;
}

/* The name of a file, not a path. */
static bool
is_file_name (const char *s)
{
  return *s != '\0' && *s != '.' && strpbrk (s, "\\/:") == NULL;
}

static bool
is_in (const string_vector *v, const char *s)
{
  for (size_t i = 0; i < v->len; ++i)
    if (strcasecmp (v->ptr[i], s) == 0)
      return true;
  return false;
}

/* Values of the lines KEY of sections that are not for another architecture,
 * each once. */
static char **
values_of (const struct windows_inf *inf, const char *arch, const char *key,
           bool files, struct v2v_error **err)
{
  string_vector v = V2V_VECTOR_INIT;

  for (size_t i = 0; i < inf->nr_lines; ++i) {
    const struct windows_inf_line *l = &inf->lines[i];

    if (l->key == NULL || strcasecmp (l->key, key) != 0 ||
        is_for_other (l->section, arch))
      continue;
    for (size_t k = 0; l->values[k] != NULL; ++k) {
      char *copy;

      if ((files && !is_file_name (l->values[k])) || l->values[k][0] == '\0' ||
          is_in (&v, l->values[k]) || v.len == WINDOWS_INF_MAX_FILES)
        continue;
      copy = strdup (l->values[k]);
      if (copy == NULL || string_vector_append (&v, copy) == -1) {
        free (copy);
        goto nomem;
      }
    }
  }
  if (string_vector_append (&v, NULL) == 0)
    return v.ptr;
nomem:
  free_strings (&v);
  v2v_fail_nomem (err);
  return NULL;
}

char **
windows_inf_includes (const struct windows_inf *inf, const char *arch,
                      struct v2v_error **err)
{
  return values_of (inf, arch, "include", true, err);
}

char **
windows_inf_needs (const struct windows_inf *inf, const char *arch,
                   struct v2v_error **err)
{
  return values_of (inf, arch, "needs", false, err);
}

char *
windows_inf_catalog (const struct windows_inf *inf, const char *arch,
                     struct v2v_error **err)
{
  char own[64];
  const char *const keys[] = { own, "catalogfile.nt", "catalogfile" };

  snprintf (own, sizeof own, "catalogfile.nt%s", suffix_of (arch));
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys); ++i) {
    struct v2v_error *e = NULL;
    char *s = windows_inf_get (inf, "version", keys[i], &e);

    if (e != NULL) {
      v2v_error_move (err, e);
      return NULL;
    }
    if (s != NULL && *s)
      return s;
    free (s);
  }
  return NULL;
}

/* ---- files ---- */

/* The path of the medium ID: the fourth value of its line in
 * [SourceDisksNames]. */
static const char *
medium_path (const struct windows_inf *inf, const char *suffix, const char *id)
{
  char section[64];
  const struct windows_inf_line *l;

  snprintf (section, sizeof section, "sourcedisksnames.%s", suffix);
  l = find (inf, section, id);
  if (l == NULL)
    l = find (inf, "sourcedisksnames", id);
  for (size_t i = 0; l != NULL && l->values[i] != NULL; ++i)
    if (i == 3)
      return l->values[3];
  return "";
}

/* Add the parts of PATH, with '/' between; false for "..". */
static bool
add_path (struct v2v_str *s, const char *path, int *r)
{
  while (*path) {
    const size_t n = strcspn (path, "\\/");

    if (n == 2 && memcmp (path, "..", 2) == 0)
      return false;
    if (n > 0 && !(n == 1 && *path == '.')) {
      if (s->len > 0 && v2v_str_append (s, "/") == -1)
        *r = -1;
      if (v2v_str_append_len (s, path, n) == -1)
        *r = -1;
    }
    path += n;
    path += *path != '\0';
  }
  return true;
}

static int
add_file (const struct windows_inf *inf, const char *suffix,
          const struct windows_inf_line *l, string_vector *v,
          struct v2v_error **err)
{
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;
  CLEANUP_FREE char *folder = NULL, *sub = NULL, *name = NULL;
  int r = 0;

  if (v->len == WINDOWS_INF_MAX_FILES)
    return v2v_fail (err, V2V_ERR_FORMAT, "more than %u files",
                     WINDOWS_INF_MAX_FILES);
  folder = expand (
      inf, l->values[0] ? medium_path (inf, suffix, l->values[0]) : "", err);
  sub =
      folder == NULL
          ? NULL
          : expand (inf, l->values[0] && l->values[1] ? l->values[1] : "", err);
  name = sub == NULL ? NULL : expand (inf, l->key, err);
  if (name == NULL)
    return -1;
  if (!add_path (&s, folder, &r) || !add_path (&s, sub, &r) ||
      !add_path (&s, name, &r))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the file '%.100s' is outside of "
                     "the driver's folder",
                     name);
  if (r == -1)
    return v2v_fail_nomem (err);
  if (s.len == 0)
    return 0;
  if (string_vector_append (v, s.ptr) == -1)
    return v2v_fail_nomem (err);
  s.ptr = NULL;
  return 0;
}

char **
windows_inf_files (const struct windows_inf *inf, const char *arch,
                   struct v2v_error **err)
{
  const char *suffix = suffix_of (arch);
  string_vector v = V2V_VECTOR_INIT;
  char own[64];

  snprintf (own, sizeof own, "sourcedisksfiles.%s", suffix);
  for (size_t i = 0; i < inf->nr_lines; ++i) {
    const struct windows_inf_line *l = &inf->lines[i];

    if (l->key == NULL || (strcmp (l->section, "sourcedisksfiles") != 0 &&
                           strcmp (l->section, own) != 0))
      continue;
    if (add_file (inf, suffix, l, &v, err) == -1) {
      free_strings (&v);
      return NULL;
    }
  }
  if (string_vector_append (&v, NULL) == -1) {
    free_strings (&v);
    v2v_fail_nomem (err);
    return NULL;
  }
  return v.ptr;
}
