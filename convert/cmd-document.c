/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `v2v profile` and `v2v template` share. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/core/text.h"
#include "convert/cmd-document.h"

int
document_option (struct document_args *a, int c, const char *arg,
                 struct v2v_error **err)
{
  switch (c) {
  case DOC_OPT_CAPABILITY:
    a->capability = arg;
    return 1;
  case DOC_OPT_FORCE:
    a->force = true;
    return 1;
  case DOC_OPT_FROM:
    a->from = arg;
    return 1;
  case DOC_OPT_LIBRARY:
    a->library = arg;
    return 1;
  case DOC_OPT_NAME:
    a->name = arg;
    return 1;
  case 'o':
    a->output = arg;
    return 1;
  case DOC_OPT_SET:
    if (strchr (arg, '=') == NULL || arg[0] == '=')
      return v2v_fail (err, V2V_ERR_USAGE, "--set: '%s' is not PATH=VALUE",
                       arg);
    return cmd_list_add (&a->set, arg, err) == -1 ? -1 : 1;
  default:
    return 0;
  }
}

struct v2v_document *
document_open (struct v2v_library *lib, const char *file,
               const enum v2v_document_kind *kinds, size_t nr_kinds,
               struct v2v_error **err)
{
  struct v2v_document *d =
      lib != NULL && access (file, F_OK) == -1
          ? document_from_library (lib, file, kinds, nr_kinds, err)
          : v2v_document_load (file, err);

  for (size_t i = 0; d != NULL && i < nr_kinds; ++i)
    if (d->kind == kinds[i])
      return d;
  if (d != NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: it is a %s, expected a %s", file,
              v2v_document_kind_name (d->kind),
              nr_kinds > 1 ? "document of another kind"
                           : v2v_document_kind_name (kinds[0]));
    if (nr_kinds > 1)
      v2v_hint (err, "'v2v %s' takes it",
                d->kind == V2V_DOCUMENT_VM_TEMPLATE ||
                        d->kind == V2V_DOCUMENT_SERVICE
                    ? "template"
                    : "profile");
  }
  v2v_document_free (d);
  return NULL;
}

int
document_apply_set (struct v2v_document *d, const struct document_args *a,
                    struct v2v_error **err)
{
  for (size_t i = 0; i < a->set.len; ++i) {
    const char *arg = a->set.ptr[i], *equals = strchr (arg, '=');
    /* A key in brackets may have a '=' in it. */
    const char *bracket = strchr (arg, '[');
    CLEANUP_FREE char *path = NULL;

    if (bracket != NULL && bracket < equals && strchr (bracket, ']') != NULL)
      equals = strchr (strchr (bracket, ']'), '=');
    if (equals == NULL)
      return v2v_fail (err, V2V_ERR_USAGE, "--set: '%s' is not PATH=VALUE",
                       arg);
    path = strndup (arg, (size_t) (equals - arg));
    if (path == NULL)
      return v2v_fail_nomem (err);
    if (v2v_document_set (d, path, equals + 1, err) == -1)
      return v2v_prefix (err, "--set");
  }
  return 0;
}

char *
document_digest_text (const struct v2v_document *d, struct v2v_error **err)
{
  uint8_t digest[V2V_SHA256_SIZE];
  char hex[2 * V2V_SHA256_SIZE + 1], *text;

  if (v2v_document_digest (d, digest, err) == -1)
    return NULL;
  v2v_hex (digest, sizeof digest, hex);
  if (asprintf (&text, "sha256:%s", hex) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return text;
}

struct v2v_json *
document_read_json (const char *file, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open (file, V2V_IO_FOLLOW, err);
  CLEANUP_FREE char *text = NULL;
  struct v2v_json *j = NULL;
  uint64_t size;

  if (io == NULL)
    return NULL;
  size = v2v_io_size (io);
  if (size > 8 * V2V_DOCUMENT_MAX_BYTES)
    v2v_fail (err, V2V_ERR_FORMAT, "%s: too large for a description", file);
  else if ((text = malloc (size + 1)) == NULL)
    v2v_fail_nomem (err);
  else if (v2v_io_pread (io, text, size, 0, err) == 0)
    j = v2v_json_parse (text, size, file, err);
  v2v_io_unref (io);
  return j;
}

/* ---- writing ---- */

static int
print_document (const struct v2v_document *d, struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text = v2v_document_print (d, &len, err);

  if (text == NULL)
    return -1;
  fwrite (text, 1, len, stdout);
  return 0;
}

int
document_finish (const struct cli *cli, struct v2v_document *d,
                 const struct document_args *a, struct v2v_error **err)
{
  if (a->name != NULL && v2v_document_set (d, "name", a->name, err) == -1)
    return v2v_prefix (err, "--name");
  if (d->head.id == NULL && v2v_document_identify (d, err) == -1)
    return -1;
  if (d->head.name == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "the new document has no name");
    return v2v_hint (err, "give --name");
  }
  if (document_apply_set (d, a, err) == -1 ||
      v2v_document_check (d, d->head.name, err) == -1)
    return -1;
  if (a->output == NULL && a->lib != NULL)
    return document_store (cli, a->lib, d, err);
  if (a->output == NULL)
    return cli->json ? document_show (cli, d, err) : print_document (d, err);
  if (v2v_document_save (d, a->output, a->force, err) == -1)
    return -1;
  return cli->json ? document_show (cli, d, err) : 0;
}

/* ---- show ---- */

static int
show_json (const struct v2v_document *d, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = v2v_document_to_json (d);
  CLEANUP_FREE char *digest = document_digest_text (d, err);

  if (digest == NULL)
    return -1;
  v2v_json_set_string (o, "content_digest", digest);
  return cmd_print_json (o, err);
}

int
document_show (const struct cli *cli, const struct v2v_document *d,
               struct v2v_error **err)
{
  struct v2v_document_changes c = { .ptr = NULL };
  CLEANUP_FREE char *digest = NULL;
  CLEANUP_DOCUMENT struct v2v_document *empty = NULL;

  if (cli->json)
    return show_json (d, err);
  empty = v2v_document_new (d->kind, err);
  digest = document_digest_text (d, err);
  if (empty == NULL || digest == NULL ||
      v2v_document_diff (empty, d, &c, err) == -1)
    return -1;
  printf ("%-40s %s\n", "kind", v2v_document_kind_name (d->kind));
  for (size_t i = 0; i < c.len; ++i) {
    CLEANUP_FREE char *path = cmd_printable (c.ptr[i].path);
    CLEANUP_FREE char *value = cmd_printable (c.ptr[i].new_value);

    printf ("%-40s %s\n", path ? path : "?", value ? value : "?");
  }
  printf ("%-40s %s\n", "(content)", digest);
  v2v_document_changes_clear (&c);
  return 0;
}

/* ---- diff ---- */

static struct v2v_json *
changes_to_json (const struct v2v_document_changes *c)
{
  struct v2v_json *list = v2v_json_new_array ();

  for (size_t i = 0; i < c->len; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "path", c->ptr[i].path);
    v2v_json_set_string (o, "old", c->ptr[i].old_value);
    v2v_json_set_string (o, "new", c->ptr[i].new_value);
    v2v_json_append (list, o);
  }
  return list;
}

static void
print_changes (const struct v2v_document_changes *c)
{
  for (size_t i = 0; i < c->len; ++i) {
    const struct v2v_document_change *p = &c->ptr[i];
    CLEANUP_FREE char *path = cmd_printable (p->path);
    CLEANUP_FREE char *old = cmd_printable (p->old_value ? p->old_value : "");
    CLEANUP_FREE char *new = cmd_printable (p->new_value ? p->new_value : "");

    if (p->old_value == NULL)
      printf ("+ %s: %s\n", path ? path : "?", new ? new : "?");
    else if (p->new_value == NULL)
      printf ("- %s: %s\n", path ? path : "?", old ? old : "?");
    else
      printf ("  %s: %s -> %s\n", path ? path : "?", old ? old : "?",
              new ? new : "?");
  }
}

int
document_print_diff (const struct cli *cli,
                     const struct v2v_document_changes *c,
                     struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *o = NULL;
  int r = 0;

  if (cli->json) {
    o = v2v_json_new_object ();
    v2v_json_set_bool (o, "equal", c->len == 0);
    v2v_json_set (o, "changes", changes_to_json (c));
    r = cmd_print_json (o, err);
  }
  else
    print_changes (c);
  return r == 0 && c->len > 0 ? CMD_EXIT_DIFFERENT : r;
}

int
document_diff (const struct cli *cli, const struct v2v_document *a,
               const struct v2v_document *b, struct v2v_error **err)
{
  struct v2v_document_changes c = { .ptr = NULL };
  int r;

  if (v2v_document_diff (a, b, &c, err) == -1)
    return -1;
  r = document_print_diff (cli, &c, err);
  v2v_document_changes_clear (&c);
  return r;
}

/* ---- validate ---- */

struct v2v_json *
document_verdict_json (const char *file, const struct v2v_document *d,
                       const struct v2v_findings *f)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "file", file);
  v2v_json_set_string (o, "kind", v2v_document_kind_name (d->kind));
  v2v_json_set_string (o, "name", d->head.name);
  v2v_json_set (o, "findings", v2v_findings_to_json (f));
  return o;
}

void
document_print_verdict (const char *file, const struct v2v_document *d,
                        const struct v2v_findings *f)
{
  CLEANUP_FREE char *shown = cmd_printable (file);
  CLEANUP_FREE char *name = cmd_printable (d->head.name);

  printf ("%s: %s '%s' is valid\n", shown ? shown : "?",
          v2v_document_kind_name (d->kind), name ? name : "?");
  for (size_t i = 0; i < f->len; ++i) {
    CLEANUP_FREE char *text = cmd_printable (f->ptr[i].message);

    printf ("%s: %s: %s (%s)\n", shown ? shown : "?", f->ptr[i].subject,
            text ? text : "?", f->ptr[i].id);
  }
}
