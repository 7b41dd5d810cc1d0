/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a user says to an object, and from an object to its files. */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/io.h"
#include "library/library-internal.h"

/* A beginning of an id that is shorter could be anybody's name. */
#define MIN_ID 8

/* ---- finding ---- */

/* As "sort -V": runs of digits are numbers, so that 10 is newer than 9. */
static int
compare_versions (const char *a, const char *b)
{
  while (*a != '\0' && *b != '\0') {
    const size_t na = strspn (a, "0123456789"), nb = strspn (b, "0123456789");

    if (na > 0 && nb > 0) {
      const size_t za = strspn (a, "0"), zb = strspn (b, "0");
      const size_t la = za < na ? na - za : 0, lb = zb < nb ? nb - zb : 0;
      const int r =
          la != lb ? (la < lb ? -1 : 1) : memcmp (a + na - la, b + nb - lb, la);

      if (r != 0)
        return r;
      a += na;
      b += nb;
    }
    else if (*a != *b)
      return (unsigned char) *a < (unsigned char) *b ? -1 : 1;
    else {
      a++;
      b++;
    }
  }
  return *a == *b ? 0 : (*a == '\0' ? -1 : 1);
}

/* Is A newer than B?  By version, then by when it came. */
static bool
is_newer (const struct v2v_object *a, const struct v2v_object *b)
{
  const int r = compare_versions (a->version, b->version);

  return r != 0 ? r > 0 : a->created > b->created;
}

static int
refuse_many (const struct v2v_objects *list, const char *ref,
             struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; i < list->len && i < 5; ++i)
    if (v2v_str_printf (&s, "%s%.8s (%s/%s %s)", i ? ", " : "", list->ptr[i].id,
                        v2v_object_kind_name (list->ptr[i].kind),
                        list->ptr[i].name, list->ptr[i].version) == -1)
      return v2v_fail_nomem (err);
  if (list->len > 5 && v2v_str_append (&s, ", ...") == -1)
    return v2v_fail_nomem (err);
  v2v_fail (err, V2V_ERR_USAGE, "'%s' could be any of %zu objects: %s", ref,
            list->len, s.ptr);
  return v2v_hint (err, "say its id, or KIND/NAME");
}

/* Of one kind, namespace and name the newest that is enabled. */
static int
choose_newest (const struct v2v_objects *list, const char *ref, char **ret_id,
               struct v2v_error **err)
{
  const struct v2v_object *best = &list->ptr[0];

  for (size_t i = 1; i < list->len; ++i) {
    const struct v2v_object *o = &list->ptr[i];

    if (o->kind != best->kind || strcmp (o->name, best->name) != 0 ||
        strcmp (o->name_space, best->name_space) != 0)
      return refuse_many (list, ref, err);
    /* Two that nothing but their bytes tells apart: the user decides. */
    if (o->enabled == best->enabled && strcmp (o->version, best->version) == 0)
      return refuse_many (list, ref, err);
    if (o->enabled != best->enabled ? o->enabled : is_newer (o, best))
      best = o;
  }
  *ret_id = strdup (best->id);
  return *ret_id ? 0 : v2v_fail_nomem (err);
}

static int
find_by_name (struct v2v_library *lib, const char *ref, char **ret_id,
              struct v2v_error **err)
{
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  CLEANUP_FREE char *kind = NULL;
  struct v2v_library_filter filter = { .exact_name = ref };
  const char *slash = strchr (ref, '/');
  enum v2v_object_kind parsed;

  if (slash != NULL) {
    kind = strndup (ref, (size_t) (slash - ref));
    if (kind == NULL)
      return v2v_fail_nomem (err);
    if (v2v_object_kind_parse (kind, &parsed)) {
      filter.kind = kind;
      filter.exact_name = slash + 1;
    }
  }
  if (v2v_library_list (lib, &filter, &list, err) == -1)
    return -1;
  if (list.len > 0)
    return choose_newest (&list, ref, ret_id, err);
  v2v_fail (err, V2V_ERR_USAGE, "no object of the library is called '%s'", ref);
  return v2v_hint (err, "'v2v library ls' lists them");
}

/* The first and the last id that begins with REF, which is long enough to be
 * one; false: no id begins so. */
static bool
range_of_ids (const char *ref, char ret_first[37], char ret_last[37])
{
  static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const size_t len = strlen (ref);

  if (len < MIN_ID || len >= sizeof shape)
    return false;
  for (size_t i = 0; i < sizeof shape; ++i) {
    const bool dash = shape[i] == '-';

    if (i < len &&
        (dash ? ref[i] != '-' : strchr ("0123456789abcdef", ref[i]) == NULL))
      return false;
    ret_first[i] = i < len ? ref[i] : shape[i] == 'x' ? '0' : shape[i];
    ret_last[i] = i < len ? ref[i] : shape[i] == 'x' ? 'f' : shape[i];
  }
  return true;
}

int
v2v_library_find (struct v2v_library *lib, const char *ref, char **ret_id,
                  struct v2v_error **err)
{
  CLEANUP_QUERY struct v2v_query *q = NULL;
  char first[37], last[37];
  int r;

  *ret_id = NULL;
  if (!range_of_ids (ref, first, last))
    return find_by_name (lib, ref, ret_id, err);
  q = v2v_query_new (lib->cat, "SELECT id FROM object WHERE id BETWEEN ? AND ?",
                     err);
  if (q == NULL)
    return -1;
  v2v_query_text (q, first);
  v2v_query_text (q, last);
  r = v2v_query_step (q, err);
  if (r == -1)
    return -1;
  if (r == 0)
    return find_by_name (lib, ref, ret_id, err);
  *ret_id = strdup (v2v_query_get_text (q, 0));
  if (*ret_id == NULL)
    return v2v_fail_nomem (err);
  r = v2v_query_step (q, err);
  if (r == 0)
    return 0;
  free (STEAL (*ret_id));
  if (r == -1)
    return -1;
  v2v_fail (err, V2V_ERR_USAGE, "the ids of several objects begin with '%s'",
            ref);
  return v2v_hint (err, "say more of it");
}

/* ---- equivalents ---- */

/* The name of the first share that has all of ID, or NULL. */
static int
nearest_share (struct v2v_library *lib, const char *id, char **ret_name,
               struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_SHARES struct v2v_share_list shares = { 0 };
  CLEANUP_FREE char *files = NULL;
  unsigned long want;

  *ret_name = NULL;
  if (v2v_library_object (lib, id, &o, err) == -1 ||
      v2v_library_shares (lib, &shares, err) == -1 ||
      lib_lookup (lib, &files, err,
                  "SELECT COUNT(*) FROM file WHERE object = ?", id,
                  V2V_QUERY_END) == -1)
    return -1;
  want = strtoul (files, NULL, 10);
  for (size_t s = 0; s < shares.len; ++s) {
    unsigned long have = 0;

    for (size_t i = 0; i < o.nr_locations; ++i)
      have += strcmp (o.locations[i].share, shares.ptr[s].name) == 0 &&
              o.locations[i].state == V2V_LOCATION_OK &&
              (i == 0 ||
               strcmp (o.locations[i].share, o.locations[i - 1].share) != 0 ||
               strcmp (o.locations[i].file, o.locations[i - 1].file) != 0);
    if (have < want || !shares.ptr[s].there)
      continue;
    *ret_name = strdup (shares.ptr[s].name);
    return *ret_name ? 0 : v2v_fail_nomem (err);
  }
  return 0;
}

/* The newest first. */
static int
compare_newest (const void *va, const void *vb)
{
  const struct v2v_object *a = va, *b = vb;
  const int r = compare_versions (b->release, a->release);

  if (r != 0)
    return r;
  if (is_newer (b, a))
    return 1;
  return is_newer (a, b) ? -1 : strcmp (a->id, b->id);
}

int
v2v_library_equivalent (struct v2v_library *lib, enum v2v_object_kind kind,
                        const char *family, const char *release,
                        const char *name_space, char **ret_id,
                        char **ret_reason, struct v2v_error **err)
{
  const struct v2v_library_filter filter = {
    .kind = v2v_object_kind_name (kind),
    .family = family,
    .release = release,
    .name_space = name_space ? name_space : "",
  };
  CLEANUP_OBJECTS struct v2v_objects list = { 0 };
  const struct v2v_object *best = NULL;
  CLEANUP_FREE char *share = NULL;
  size_t disabled = 0, away = 0;

  if (v2v_library_list (lib, &filter, &list, err) == -1)
    return -1;
  if (list.len > 0)
    qsort (list.ptr, list.len, sizeof list.ptr[0], compare_newest);
  for (size_t i = 0; i < list.len; ++i)
    disabled += !list.ptr[i].enabled;
  /* Where it lies is asked for the newest, and for others only as far as those
   * before are on no share. */
  for (size_t i = 0; best == NULL && i < list.len; ++i) {
    if (!list.ptr[i].enabled)
      continue;
    if (nearest_share (lib, list.ptr[i].id, &share, err) == -1)
      return -1;
    if (share != NULL)
      best = &list.ptr[i];
    else
      away++;
  }
  if (best == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "no %s of the family '%s' can be used: of %zu, %zu are "
                     "disabled and %zu are complete on no share that is there",
                     filter.kind, family, list.len, disabled, away);
  if (asprintf (ret_reason,
                "'%s' %s, release '%s', on share '%s': the newest of %zu (%zu "
                "disabled, %zu newer not complete on a share)",
                best->name, best->version, best->release, share, list.len,
                disabled, away) == -1)
    return v2v_fail_nomem (err);
  *ret_id = strdup (best->id);
  if (*ret_id != NULL)
    return 0;
  free (STEAL (*ret_reason));
  return v2v_fail_nomem (err);
}

/* ---- files ---- */

char *
v2v_library_path (struct v2v_library *lib, const char *id, const char *file,
                  struct v2v_error **err)
{
  CLEANUP_OBJECT struct v2v_object o = { 0 };
  CLEANUP_FREE char *first = NULL;
  char *path;

  if (v2v_library_object (lib, id, &o, err) == -1)
    return NULL;
  if (file == NULL) {
    if (lib_lookup (lib, &first, err,
                    "SELECT name FROM file WHERE object = ? ORDER BY seq "
                    "LIMIT 1",
                    id, V2V_QUERY_END) == -1)
      return NULL;
    file = first ? first : "";
  }
  for (size_t i = 0; i < o.nr_locations; ++i)
    if (strcmp (o.locations[i].file, file) == 0 &&
        o.locations[i].state == V2V_LOCATION_OK &&
        access (o.locations[i].path, R_OK) == 0) {
      path = strdup (o.locations[i].path);
      if (path == NULL)
        v2v_fail_nomem (err);
      return path;
    }
  errno = ENOENT;
  v2v_fail_errno (err, "%s '%s': no share has a good copy of '%s'",
                  v2v_object_kind_name (o.kind), o.name, file);
  v2v_hint (err,
            "'v2v library show %.8s' tells where it was, 'v2v library "
            "repair' looks for it",
            o.id);
  return NULL;
}

char *
v2v_library_read_text (struct v2v_library *lib, const char *id, size_t max,
                       size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_library_path (lib, id, NULL, err);
  CLEANUP_IO struct v2v_io *io = path ? v2v_io_open (path, 0, err) : NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  if (io == NULL)
    return NULL;
  if (v2v_io_size (io) > max) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: %" PRIu64 " bytes, at most %zu are read", path,
              v2v_io_size (io), max);
    return NULL;
  }
  len = (size_t) v2v_io_size (io);
  text = malloc (len + 1);
  if (text == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len > 0 && v2v_io_pread (io, text, len, 0, err) == -1)
    return NULL;
  text[len] = '\0';
  *ret_len = len;
  return STEAL (text);
}

/* DEPTH: a catalogue that others write to may have a loop of parents. */
static struct v2v_image *
open_disk (struct v2v_library *lib, const char *id, unsigned depth,
           struct v2v_error **err)
{
  CLEANUP_FREE char *path = v2v_library_path (lib, id, NULL, err);
  CLEANUP_FREE char *format = NULL;
  CLEANUP_FREE char *parent = NULL;
  struct v2v_open_opts opts = { .no_parents = true };
  CLEANUP_IMAGE struct v2v_image *img = NULL;
  CLEANUP_IMAGE struct v2v_image *base = NULL;

  if (path == NULL)
    return NULL;
  if (depth >= V2V_MAX_CHAIN) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: chain of parents is longer than %d, or a loop", path,
              V2V_MAX_CHAIN);
    return NULL;
  }
  if (lib_lookup (lib, &format, err, "SELECT format FROM object WHERE id = ?",
                  id, V2V_QUERY_END) == -1 ||
      lib_lookup (lib, &parent, err,
                  "SELECT other FROM relation WHERE object = ? AND "
                  "role = 'parent'",
                  id, V2V_QUERY_END) == -1)
    return NULL;
  opts.format = format != NULL && format[0] != '\0' ? format : NULL;
  img = v2v_image_open (path, &opts, err);
  if (img == NULL || parent == NULL)
    return STEAL (img);
  base = open_disk (lib, parent, depth + 1, err);
  if (base == NULL || v2v_image_set_base (img, base, err) == -1)
    return NULL;
  (void) STEAL (base);
  return STEAL (img);
}

struct v2v_image *
v2v_library_open_disk (struct v2v_library *lib, const char *id,
                       struct v2v_error **err)
{
  return open_disk (lib, id, 0, err);
}
