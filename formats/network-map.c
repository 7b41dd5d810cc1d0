/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network map: see network-map.h for the two forms. */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "formats/core/vector.h"
#include "formats/network-map.h"

V2V_VECTOR (entry_vector, struct v2v_network_map_entry);

struct v2v_network_map {
  entry_vector entries;
};

static void
clear_entry (struct v2v_network_map_entry *e)
{
  free (e->source);
  free (e->switch_name);
}
#define CLEANUP_ENTRY __attribute__ ((cleanup (clear_entry)))

struct v2v_network_map *
v2v_network_map_new (struct v2v_error **err)
{
  struct v2v_network_map *map = calloc (1, sizeof *map);

  if (map == NULL)
    v2v_fail_nomem (err);
  return map;
}

void
v2v_network_map_free (struct v2v_network_map *map)
{
  if (map == NULL)
    return;
  for (size_t i = 0; i < map->entries.len; ++i)
    clear_entry (&map->entries.ptr[i]);
  free (map->entries.ptr);
  free (map);
}

static struct v2v_network_map_entry *
find_exact (const struct v2v_network_map *map, const char *source)
{
  for (size_t i = 0; i < map->entries.len; ++i)
    if (strcmp (map->entries.ptr[i].source, source) == 0)
      return &map->entries.ptr[i];
  return NULL;
}

const struct v2v_network_map_entry *
v2v_network_map_lookup (const struct v2v_network_map *map, const char *network)
{
  const struct v2v_network_map_entry *e = NULL;

  if (map == NULL)
    return NULL;
  if (network != NULL && strcmp (network, "*") != 0) {
    e = find_exact (map, network);
    for (size_t i = 0; e == NULL && i < map->entries.len; ++i)
      if (strcasecmp (map->entries.ptr[i].source, network) == 0)
        e = &map->entries.ptr[i];
  }
  return e != NULL ? e : find_exact (map, "*");
}

size_t
v2v_network_map_length (const struct v2v_network_map *map)
{
  return map->entries.len;
}

const struct v2v_network_map_entry *
v2v_network_map_at (const struct v2v_network_map *map, size_t i)
{
  return i < map->entries.len ? &map->entries.ptr[i] : NULL;
}

/* Append *E, taking over its strings. */
static int
append (struct v2v_network_map *map, struct v2v_network_map_entry *e,
        struct v2v_error **err)
{
  if (find_exact (map, e->source) != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "network \"%s\" is named twice",
                     e->source);
  if (map->entries.len >= V2V_NETWORK_MAP_MAX_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT, "more than %d networks",
                     V2V_NETWORK_MAP_MAX_ENTRIES);
  if (entry_vector_append (&map->entries, *e) == -1)
    return v2v_fail_nomem (err);
  e->source = e->switch_name = NULL;
  return 0;
}

int
v2v_network_map_set (struct v2v_network_map *map, const char *source,
                     const char *switch_name, struct v2v_error **err)
{
  CLEANUP_ENTRY struct v2v_network_map_entry e = { .source = NULL };
  struct v2v_network_map_entry *old = find_exact (map, source);

  e.vlan = V2V_VLAN_AS_SOURCE;
  e.source = strdup (source);
  e.switch_name = strdup (switch_name);
  if (e.source == NULL || e.switch_name == NULL)
    return v2v_fail_nomem (err);
  if (old == NULL)
    return append (map, &e, err);
  clear_entry (old);
  *old = e;
  e.source = e.switch_name = NULL;
  return 0;
}

/* ---- the text form ---- */

static const char *
skip_blanks (const char *s)
{
  while (*s == ' ' || *s == '\t')
    s++;
  return s;
}

/* Read a name at *POS: quoted, or up to one of ENDS, blanks at its end taken
 * off.  *RET_QUOTED tells which.  A new string. */
static char *
read_name (const char **pos, const char *ends, bool *ret_quoted,
           struct v2v_error **err)
{
  const char *s = skip_blanks (*pos);
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  size_t n;
  int r = 0;

  *ret_quoted = *s == '"';
  if (!*ret_quoted) {
    n = strcspn (s, ends);
    *pos = s + n;
    while (n > 0 && isspace ((unsigned char) s[n - 1]))
      n--;
    r = v2v_str_append_len (&out, s, n);
  }
  else {
    for (s++; *s != '"' && r == 0; ++s) {
      if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
        s++;
      else if (*s == '\0') {
        v2v_fail (err, V2V_ERR_FORMAT, "a quote is not closed");
        return NULL;
      }
      r = v2v_str_append_len (&out, s, 1);
    }
    *pos = s + 1;
  }
  if (r == -1 || v2v_str_append (&out, "") == -1 ||
      (out.ptr == NULL && (out.ptr = strdup ("")) == NULL)) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (out.ptr);
}

static int
parse_vlan (const char *s, int *ret, struct v2v_error **err)
{
  const size_t n = strspn (s, "0123456789");
  const long v = n > 0 && n <= 4 ? strtol (s, NULL, 10) : -1;

  if (v < 0 || v > V2V_VLAN_TRUNK || *skip_blanks (s + n) != '\0')
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "vlan \"%s\": expected a number from 0 to %d", s,
                     V2V_VLAN_TRUNK);
  *ret = (int) v;
  return 0;
}

/* " vlan 12" at the end of an unquoted name: cut it off, return the number's
 * text; NULL if there is none. */
static char *
cut_vlan (char *name)
{
  size_t n = strlen (name);
  const size_t end = n;

  while (n > 0 && isalnum ((unsigned char) name[n - 1]))
    n--;
  if (n == end || n == 0)
    return NULL;
  char *number = name + n;
  while (n > 0 && isblank ((unsigned char) name[n - 1]))
    n--;
  if (n < 5 || number == name + n || strncasecmp (name + n - 4, "vlan", 4) ||
      !isblank ((unsigned char) name[n - 5]))
    return NULL;
  n -= 5;
  while (n > 0 && isblank ((unsigned char) name[n - 1]))
    n--;
  name[n] = '\0';
  return number;
}

/* One assignment: SOURCE = SWITCH [vlan N]. */
static int
parse_assignment (const char *s, struct v2v_network_map_entry *e,
                  struct v2v_error **err)
{
  bool quoted;
  char *number = NULL;

  e->vlan = V2V_VLAN_AS_SOURCE;
  e->source = read_name (&s, "=", &quoted, err);
  if (e->source == NULL)
    return -1;
  s = skip_blanks (s);
  if (*s != '=')
    return v2v_fail (err, V2V_ERR_FORMAT, "expected \"NETWORK = SWITCH\"");
  if (*e->source == '\0')
    return v2v_fail (err, V2V_ERR_FORMAT, "the network has no name");
  s++;
  e->switch_name = read_name (&s, "", &quoted, err);
  if (e->switch_name == NULL)
    return -1;
  s = skip_blanks (s);
  if (quoted && *s != '\0') {
    if (strncasecmp (s, "vlan", 4) != 0 || !isblank ((unsigned char) s[4]))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "\"%s\" after the switch: expected \"vlan N\"", s);
    if (parse_vlan (skip_blanks (s + 4), &e->vlan, err) == -1)
      return -1;
  }
  if (!quoted && (number = cut_vlan (e->switch_name)) != NULL &&
      parse_vlan (number, &e->vlan, err) == -1)
    return -1;
  if (*e->switch_name == '\0')
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "the switch has no name: write - to leave network "
                     "\"%s\" disconnected",
                     e->source);
  if (!quoted && strcmp (e->switch_name, "-") == 0) {
    free (e->switch_name);
    e->switch_name = NULL;
  }
  return 0;
}

static int
parse_text (struct v2v_network_map *map, const char *text,
            struct v2v_error **err)
{
  for (unsigned line = 1; *text != '\0'; ++line) {
    const size_t n = strcspn (text, "\n");
    CLEANUP_FREE char *copy = strndup (text, n);
    CLEANUP_ENTRY struct v2v_network_map_entry e = { .source = NULL };
    const char *s;

    if (copy == NULL)
      return v2v_fail_nomem (err);
    if (n > 0 && copy[n - 1] == '\r')
      copy[n - 1] = '\0';
    text += n + (text[n] == '\n');
    s = skip_blanks (copy);
    if (*s == '\0' || *s == '#')
      continue;
    if (parse_assignment (s, &e, err) == -1 || append (map, &e, err) == -1)
      return v2v_prefix (err, "line %u", line);
  }
  return 0;
}

int
v2v_network_map_add (struct v2v_network_map *map, const char *assignment,
                     struct v2v_error **err)
{
  CLEANUP_ENTRY struct v2v_network_map_entry e = { .source = NULL };
  struct v2v_network_map_entry *old;

  if (parse_assignment (assignment, &e, err) == -1)
    return v2v_prefix (err, "network \"%s\"", assignment);
  old = find_exact (map, e.source);
  if (old == NULL)
    return append (map, &e, err);
  clear_entry (old);
  *old = e;
  e.source = e.switch_name = NULL;
  return 0;
}

/* ---- the JSON form ---- */

static int
parse_json_entry (const char *key, const struct v2v_json *value,
                  struct v2v_network_map_entry *e, struct v2v_error **err)
{
  const char *name = v2v_json_string_value (value);
  const struct v2v_json *vlan = NULL;
  uint64_t n;

  e->vlan = V2V_VLAN_AS_SOURCE;
  if (name == NULL && v2v_json_is_object (value)) {
    void *iter = NULL;
    const struct v2v_json *member;
    const char *k;

    while (v2v_json_next (value, &iter, &k, &member))
      if (strcmp (k, "switch") != 0 && strcmp (k, "vlan") != 0)
        return v2v_fail (err, V2V_ERR_FORMAT, "\"%s\": unknown member \"%s\"",
                         key, k);
    name = v2v_json_get_string (value, "switch");
    vlan = v2v_json_get (value, "vlan");
    if (name == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT, "\"%s\": no switch", key);
    if (vlan != NULL) {
      if (!v2v_json_u64_value (vlan, &n) || n > V2V_VLAN_TRUNK)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "\"%s\": vlan: expected a number from 0 to %d", key,
                         V2V_VLAN_TRUNK);
      e->vlan = (int) n;
    }
  }
  else if (name == NULL && !v2v_json_is_null (value))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "\"%s\": expected the name of a switch, an object or "
                     "null",
                     key);
  if (*key == '\0' || (name != NULL && *name == '\0'))
    return v2v_fail (err, V2V_ERR_FORMAT, "\"%s\": an empty name", key);
  e->source = strdup (key);
  e->switch_name = name ? strdup (name) : NULL;
  if (e->source == NULL || (name != NULL && e->switch_name == NULL))
    return v2v_fail_nomem (err);
  return 0;
}

static int
parse_json (struct v2v_network_map *map, const char *text, size_t len,
            const char *name, struct v2v_error **err)
{
  struct v2v_json *j = v2v_json_parse (text, len, name, err);
  const struct v2v_json *value;
  void *iter = NULL;
  const char *key;
  int r = 0;

  if (j == NULL)
    return -1;
  if (!v2v_json_is_object (j))
    r = v2v_fail (err, V2V_ERR_FORMAT, "%s: not an object", name);
  while (r == 0 && v2v_json_next (j, &iter, &key, &value)) {
    CLEANUP_ENTRY struct v2v_network_map_entry e = { .source = NULL };

    if (parse_json_entry (key, value, &e, err) == -1 ||
        append (map, &e, err) == -1)
      r = v2v_prefix (err, "%s", name);
  }
  v2v_json_free (j);
  return r;
}

struct v2v_network_map *
v2v_network_map_parse (const char *text, size_t len, const char *name,
                       struct v2v_error **err)
{
  struct v2v_network_map *map = NULL;
  CLEANUP_FREE char *copy = NULL;
  const char *s;
  int r;

  if (len > V2V_NETWORK_MAP_MAX_BYTES) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: %zu bytes, at most %d are read", name,
              len, V2V_NETWORK_MAP_MAX_BYTES);
    return NULL;
  }
  if (len >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
    text += 3; /* editors on Windows write a BOM */
    len -= 3;
  }
  if (memchr (text, '\0', len) != NULL || !v2v_is_valid_utf8 (text, len)) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: not UTF-8 text", name);
    return NULL;
  }
  copy = strndup (text, len);
  if (copy == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  map = v2v_network_map_new (err);
  if (map == NULL)
    return NULL;
  s = copy + strspn (copy, " \t\r\n");
  if (*s == '{' || *s == '[')
    r = parse_json (map, copy, len, name, err);
  else if ((r = parse_text (map, copy, err)) == -1)
    v2v_prefix (err, "%s", name);
  if (r == -1) {
    v2v_network_map_free (map);
    return NULL;
  }
  return map;
}

struct v2v_network_map *
v2v_network_map_load (const char *path, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open (path, V2V_IO_FOLLOW, err);
  struct v2v_network_map *map = NULL;
  CLEANUP_FREE char *text = NULL;
  uint64_t size;

  if (io == NULL)
    return NULL;
  size = v2v_io_size (io);
  if (size > V2V_NETWORK_MAP_MAX_BYTES)
    v2v_fail (err, V2V_ERR_FORMAT, "%s: %" PRIu64 " bytes, at most %d are read",
              path, size, V2V_NETWORK_MAP_MAX_BYTES);
  else if ((text = malloc ((size_t) size + 1)) == NULL)
    v2v_fail_nomem (err);
  else if (size == 0 || v2v_io_pread (io, text, (size_t) size, 0, err) == 0)
    map = v2v_network_map_parse (text, (size_t) size, path, err);
  v2v_io_unref (io);
  return map;
}
