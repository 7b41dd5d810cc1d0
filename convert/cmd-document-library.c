/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --library of `v2v profile` and `v2v template`: documents are read from a
 * library by name, and new ones are stored in it with what they refer to.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "convert/cmd-document.h"

int
document_open_library (struct document_args *a, struct v2v_error **err)
{
  if (a->library == NULL)
    return 0;
  a->lib = v2v_library_open (a->library, err);
  return a->lib == NULL ? -1 : 0;
}

/* The id of the object of KIND that is called REF: "NAME", "KIND/NAME" or an
 * id.  A name alone means one of that kind. */
static int
find (struct v2v_library *lib, const char *ref, const char *kind, char **ret_id,
      struct v2v_error **err)
{
  CLEANUP_FREE char *full = NULL;

  if (asprintf (&full, "%s/%s", kind, ref) == -1) {
    full = NULL;
    return v2v_fail_nomem (err);
  }
  if (v2v_library_find (lib, full, ret_id, NULL) == 0)
    return 0;
  return v2v_library_find (lib, ref, ret_id, err);
}

struct v2v_document *
document_from_library (struct v2v_library *lib, const char *ref,
                       const enum v2v_document_kind *kinds, size_t nr_kinds,
                       struct v2v_error **err)
{
  CLEANUP_FREE char *id = NULL, *text = NULL;
  size_t len;

  for (size_t i = 0; id == NULL && i < nr_kinds; ++i)
    if (find (lib, ref, v2v_document_kind_name (kinds[i]), &id,
              i + 1 == nr_kinds ? err : NULL) == -1 &&
        i + 1 == nr_kinds)
      return NULL;
  text = v2v_library_read_text (lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);
  return text == NULL ? NULL : v2v_document_parse (text, len, ref, err);
}

/* ---- storing ---- */

static char *
join (v2v_strings words)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; words != NULL && words[i] != NULL; ++i)
    if (v2v_str_printf (&s, "%s%s", i > 0 ? "," : "", words[i]) == -1)
      return NULL;
  return STEAL (s.ptr);
}

static int
store (struct v2v_library *lib, const struct v2v_document *d, char **ret_id,
       struct v2v_error **err)
{
  const struct v2v_document_head *h = &d->head;
  CLEANUP_FREE char *text = NULL, *safe = v2v_safe_name (h->name);
  CLEANUP_FREE char *file = NULL, *tags = join (h->tags);
  char version[24] = "";
  struct v2v_import_opts opts = {
    .kind = v2v_document_kind_name (d->kind),
    .set = { .name = h->name,
             .version = version,
             .name_space = h->name_space,
             .family = h->family,
             .release = h->release,
             .os = h->os,
             .owner = h->owner,
             .description = h->description,
             .add_tags = tags },
  };
  struct v2v_import_result result = { 0 };
  size_t len;

  if (safe == NULL || asprintf (&file, "%s.xml", safe) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  if (h->version != -1)
    snprintf (version, sizeof version, "%" PRId64, h->version);
  text = v2v_document_print (d, &len, err);
  if (text == NULL ||
      v2v_library_import_text (lib, file, text, len, &opts, &result, err) == -1)
    return -1;
  *ret_id = STEAL (result.id);
  v2v_import_result_clear (&result);
  return 0;
}

int
document_store (const struct cli *cli, struct v2v_library *lib,
                const struct v2v_document *d, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *id = NULL, *name = NULL;

  if (store (lib, d, &id, err) == -1)
    return -1;
  if (cli->json) {
    o = v2v_document_to_json (d);
    v2v_json_set_string (o, "object", id);
    return cmd_print_json (o, err);
  }
  name = cmd_printable (d->head.name);
  printf ("%s  %s/%s\n", id, v2v_document_kind_name (d->kind),
          name ? name : "?");
  return 0;
}
