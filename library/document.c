/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents: reading, checking, the canonical text, files.
 *
 * The order of trust: formats/xml.c (no DTD, bounded size, depth and number of
 * elements), the schema (formats/xml-schema.c), the tables (record-xml.c),
 * the rules between fields (the checks of each kind).
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/computer-names.h"
#include "library/document-internal.h"
#include "library/library-schema.h"

static const struct {
  const char *name, *short_name;
  const struct record *record;
} kinds[] = {
  [V2V_DOCUMENT_HARDWARE] = { "hardware-profile", "hardware",
                              &document_hardware },
  [V2V_DOCUMENT_GUEST_OS] = { "guest-os-profile", "guest-os",
                              &document_guest_os },
  [V2V_DOCUMENT_CAPABILITY] = { "capability-profile", "capability",
                                &document_capability },
  [V2V_DOCUMENT_VM_TEMPLATE] = { "vm-template", "vm", &document_vm_template },
  [V2V_DOCUMENT_SERVICE] = { "service-template", "service", &document_service },
};

const char *
v2v_document_kind_name (enum v2v_document_kind kind)
{
  return kind < V2V_NR_DOCUMENT_KINDS ? kinds[kind].name : "document";
}

bool
v2v_document_kind_parse (const char *s, enum v2v_document_kind *ret)
{
  for (unsigned i = 0; i < V2V_NR_DOCUMENT_KINDS; ++i)
    if (strcmp (s, kinds[i].name) == 0 ||
        strcmp (s, kinds[i].short_name) == 0) {
      *ret = (enum v2v_document_kind) i;
      return true;
    }
  return false;
}

const struct record *
document_record (enum v2v_document_kind kind)
{
  return kinds[kind].record;
}

/* ---- rules of single texts ---- */

const char *
document_rule_guid (const char *s)
{
  struct v2v_guid g;

  return strlen (s) == 36 && v2v_guid_parse (s, &g) ? NULL : "a GUID";
}

const char *
document_rule_digest (const char *s)
{
  static const char *const kinds_of[] = { "sha256:", "sha256-2m:" };
  uint8_t bytes[V2V_SHA256_SIZE];

  for (size_t i = 0; i < V2V_ARRAY_SIZE (kinds_of); ++i) {
    const size_t n = strlen (kinds_of[i]);

    if (strncmp (s, kinds_of[i], n) == 0 &&
        v2v_unhex (s + n, strlen (s + n), bytes, sizeof bytes))
      return NULL;
  }
  return "sha256: or sha256-2m: and 64 hexadecimal digits";
}

const char *
document_rule_mac (const char *s)
{
  static const char hex[] = "0123456789abcdefABCDEF";
  static const char why[] = "the address of one card as 00:15:5d:01:02:03";
  bool all_zero = true;

  if (strlen (s) != 17)
    return why;
  for (size_t i = 0; i < 17; ++i) {
    if (strchr (i % 3 == 2 ? ":-" : hex, s[i]) == NULL)
      return why;
    all_zero = all_zero && strchr ("0:-", s[i]) != NULL;
  }
  /* The lowest bit of the first byte: a group of cards. */
  return all_zero || strchr ("13579bdfBDF", s[1]) != NULL ? why : NULL;
}

const char *
document_rule_pattern (const char *s)
{
  return v2v_computer_name_check (s, false);
}

const char *
document_rule_setting (const char *s)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static const char all[] = "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

  return strchr (letters, s[0]) != NULL && s[strspn (s, all)] == '\0'
             ? NULL
             : "a letter, then letters, digits, '_' and '-'";
}

/* ---- making, freeing ---- */

struct v2v_document *
v2v_document_new (enum v2v_document_kind kind, struct v2v_error **err)
{
  struct v2v_document *d = calloc (1, sizeof *d);

  if (d == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  d->kind = kind;
  record_init (kinds[kind].record, d);
  return d;
}

void
v2v_document_free (struct v2v_document *d)
{
  if (d == NULL)
    return;
  record_clear (kinds[d->kind].record, d);
  free (d);
}

void
v2v_document_cleanup (struct v2v_document **d)
{
  v2v_document_free (*d);
}

int
v2v_document_identify (struct v2v_document *d, struct v2v_error **err)
{
  struct v2v_guid g;
  char *id = malloc (37);

  if (id == NULL)
    return v2v_fail_nomem (err);
  if (v2v_guid_random (&g, err) == -1) {
    free (id);
    return -1;
  }
  v2v_guid_format (&g, id);
  free (d->head.id);
  d->head.id = id;
  if (d->head.version == -1)
    d->head.version = 1;
  return 0;
}

/* ---- reading ---- */

const char *
v2v_document_schema (size_t *ret_len)
{
  *ret_len = sizeof library_schema - 1;
  return library_schema;
}

/* Parsed once; libxml2's own state in it is why one thread at a time uses
 * it. */
static pthread_mutex_t schema_lock = PTHREAD_MUTEX_INITIALIZER;
static struct v2v_xml_schema *schema;

static int
check_schema (struct v2v_xml *doc, const char *name, struct v2v_error **err)
{
  V2V_LOCK_SCOPE (&schema_lock);
  if (schema == NULL)
    schema = v2v_xml_schema_new (library_schema, sizeof library_schema - 1,
                                 "v2v-library.xsd", err);
  return schema == NULL ? -1 : v2v_xml_schema_check (schema, doc, name, err);
}

static struct v2v_document *
read_root (const struct v2v_xml_node *root, const char *name,
           struct v2v_error **err)
{
  enum v2v_document_kind kind;
  struct v2v_document *d;

  for (kind = 0; kind < V2V_NR_DOCUMENT_KINDS; ++kind)
    if (v2v_xml_is (root, V2V_DOCUMENT_NS, kinds[kind].name))
      break;
  if (kind == V2V_NR_DOCUMENT_KINDS) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: line %ld: element '%.64s' in namespace '%.64s': not a "
              "document of a library",
              name, v2v_xml_line (root), v2v_xml_name (root),
              v2v_xml_ns (root));
    v2v_hint (err, "expected hardware-profile, guest-os-profile, "
                   "capability-profile, vm-template or service-template in "
                   "namespace " V2V_DOCUMENT_NS);
    return NULL;
  }
  d = v2v_document_new (kind, err);
  if (d != NULL &&
      record_read_xml (kinds[kind].record, d, root, name, err) == -1) {
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

struct v2v_document *
v2v_document_parse (const void *text, size_t len, const char *name,
                    struct v2v_error **err)
{
  CLEANUP_XML struct v2v_xml *doc = NULL;
  struct v2v_document *d = NULL;
  enum v2v_document_kind kind;

  if (len > V2V_DOCUMENT_MAX_BYTES) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: %zu bytes, expected up to %zu", name,
              len, V2V_DOCUMENT_MAX_BYTES);
    return NULL;
  }
  doc = v2v_xml_parse (text, len, name, err);
  if (doc == NULL)
    return NULL;
  /* Of a foreign root the schema would only say that it has no such element. */
  if (v2v_document_kind_parse (v2v_xml_name (v2v_xml_root (doc)), &kind) &&
      strcmp (v2v_xml_ns (v2v_xml_root (doc)), V2V_DOCUMENT_NS) == 0 &&
      check_schema (doc, name, err) == -1)
    return NULL;
  d = read_root (v2v_xml_root (doc), name, err);
  if (d != NULL && v2v_document_check (d, name, err) == -1) {
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

bool
v2v_document_probe (const void *text, size_t len,
                    enum v2v_document_kind *ret_kind)
{
  CLEANUP_XML struct v2v_xml *doc = NULL;
  const struct v2v_xml_node *root;

  if (len > V2V_DOCUMENT_MAX_BYTES || !v2v_xml_probe (text, len))
    return false;
  doc = v2v_xml_parse (text, len, "", NULL);
  if (doc == NULL)
    return false;
  root = v2v_xml_root (doc);
  return strcmp (v2v_xml_ns (root), V2V_DOCUMENT_NS) == 0 &&
         v2v_document_kind_parse (v2v_xml_name (root), ret_kind);
}

struct v2v_document *
v2v_document_load (const char *path, struct v2v_error **err)
{
  struct v2v_io *io = v2v_io_open (path, V2V_IO_FOLLOW, err);
  CLEANUP_FREE char *text = NULL;
  struct v2v_document *d = NULL;
  uint64_t size;

  if (io == NULL)
    return NULL;
  size = v2v_io_size (io);
  if (size > V2V_DOCUMENT_MAX_BYTES)
    v2v_fail (err, V2V_ERR_FORMAT, "%s: %llu bytes, expected up to %zu", path,
              (unsigned long long) size, V2V_DOCUMENT_MAX_BYTES);
  else if ((text = malloc (size + 1)) == NULL)
    v2v_fail_nomem (err);
  else if (v2v_io_pread (io, text, size, 0, err) == 0)
    d = v2v_document_parse (text, size, path, err);
  v2v_io_unref (io);
  return d;
}

/* ---- checking ---- */

/* Each element of a list that has names must have one of its own. */
static int
check_names (const struct record *r, const void *base, const char *name,
             struct v2v_error **err)
{
  for (const struct field *f = r->fields; f->name != NULL; ++f) {
    const char *v = (const char *) base + f->offset;

    if (f->kind == FIELD_GROUP && check_names (f->sub, v, name, err) == -1)
      return -1;
    for (size_t i = 0; f->kind == FIELD_LIST && i < record_length (f, base);
         ++i) {
      const char *key = record_key (f, base, i);

      if (check_names (f->sub, record_at (f, base, i), name, err) == -1)
        return -1;
      for (const struct field *s = f->sub->fields; s->name != NULL; ++s)
        if (s->key && key == NULL)
          return v2v_fail (err, V2V_ERR_FORMAT, "%s: %s[%zu]: %s is missing",
                           name, f->name, i, s->name);
      for (size_t k = 0; key != NULL && k < i; ++k)
        if (strcasecmp (record_key (f, base, k), key) == 0)
          return v2v_fail (err, V2V_ERR_FORMAT,
                           "%s: %s[%zu]: '%s' is there already", name, f->name,
                           i, key);
    }
  }
  return 0;
}

int
v2v_document_check (const struct v2v_document *d, const char *name,
                    struct v2v_error **err)
{
  if (d->head.name == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: the document has no name", name);
  if (d->head.release != NULL && d->head.family == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: a release needs the family it is of", name);
  if (check_names (kinds[d->kind].record, d, name, err) == -1)
    return -1;
  switch (d->kind) {
  case V2V_DOCUMENT_HARDWARE:
    return document_check_hardware (&d->hardware, name, err);
  case V2V_DOCUMENT_GUEST_OS:
    return document_check_guest_os (d, name, err);
  case V2V_DOCUMENT_CAPABILITY:
    return document_check_capability (&d->capability, name, err);
  case V2V_DOCUMENT_VM_TEMPLATE:
    return document_check_vm_template (&d->vm_template, name, err);
  case V2V_DOCUMENT_SERVICE:
    return document_check_service (d, name, err);
  case V2V_NR_DOCUMENT_KINDS:
    break;
  }
  return 0;
}

/* ---- writing ---- */

char *
v2v_document_print (const struct v2v_document *d, size_t *ret_len,
                    struct v2v_error **err)
{
  CLEANUP_XML struct v2v_xml *doc =
      v2v_xml_new (V2V_DOCUMENT_NS, kinds[d->kind].name, err);

  if (doc == NULL ||
      record_write_xml (kinds[d->kind].record, d,
                        v2v_xml_edit (doc, v2v_xml_root (doc)), err) == -1)
    return NULL;
  return v2v_xml_dump (doc, ret_len, err);
}

int
v2v_document_digest (const struct v2v_document *d, uint8_t out[V2V_SHA256_SIZE],
                     struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text = v2v_document_print (d, &len, err);

  if (text == NULL)
    return -1;
  v2v_sha256 (text, len, out);
  return 0;
}

static int
write_synced (int fd, const char *text, size_t len)
{
  while (len > 0) {
    const ssize_t n = write (fd, text, len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return -1;
    text += n;
    len -= (size_t) n;
  }
  return fsync (fd);
}

/* The name itself is safe when its folder is. */
static int
sync_folder (const char *path)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *folder = slash == NULL ? strdup (".")
                              : slash == path
                                  ? strdup ("/")
                                  : strndup (path, (size_t) (slash - path));
  CLEANUP_CLOSE int fd =
      folder != NULL ? open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  return fd == -1 ? -1 : fsync (fd);
}

int
v2v_document_save (const struct v2v_document *d, const char *path, bool replace,
                   struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text = v2v_document_print (d, &len, err), *part = NULL;
  int fd, r;

  if (text == NULL)
    return -1;
  if (asprintf (&part, "%s.XXXXXX", path) == -1) {
    part = NULL;
    return v2v_fail_nomem (err);
  }
  fd = mkostemp (part, O_CLOEXEC);
  if (fd == -1)
    return v2v_fail_errno (err, "%s", path);
  r = write_synced (fd, text, len);
  /* mkstemp's mode is for secrets; there are none in here. */
  if (r == 0)
    r = fchmod (fd, 0644);
  if (r == -1)
    v2v_fail_errno (err, "%s", path);
  close (fd);
  /* A link fails where there is a file, a rename does not. */
  if (r == 0 && replace)
    r = rename (part, path);
  else if (r == 0) {
    r = link (part, path);
    if (r == -1 && errno == EEXIST) {
      v2v_fail (err, V2V_ERR_USAGE, "%s: is there already", path);
      v2v_hint (err, "--force replaces it");
    }
  }
  if (r == -1 && err != NULL && *err == NULL)
    v2v_fail_errno (err, "%s", path);
  if (r == -1 || !replace)
    unlink (part);
  if (r == 0 && sync_folder (path) == -1)
    return v2v_fail_errno (err, "%s: syncing its folder", path);
  return r;
}

/* ---- JSON ---- */

struct v2v_json *
v2v_document_to_json (const struct v2v_document *d)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "kind", kinds[d->kind].name);
  record_write_json (kinds[d->kind].record, d, o);
  if (!v2v_json_ok (o)) {
    v2v_json_free (o);
    return NULL;
  }
  return o;
}

struct v2v_document *
v2v_document_from_json (const struct v2v_json *j, enum v2v_document_kind kind,
                        const char *name, struct v2v_error **err)
{
  const char *said = v2v_json_get_string (j, "kind");
  enum v2v_document_kind found = kind;
  struct v2v_document *d;

  if (said != NULL ? !v2v_document_kind_parse (said, &found)
                   : kind == V2V_NR_DOCUMENT_KINDS) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: kind: expected hardware-profile, "
              "guest-os-profile, capability-profile, vm-template or "
              "service-template",
              name);
    return NULL;
  }
  if (kind != V2V_NR_DOCUMENT_KINDS && found != kind) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: it is a %s, expected a %s", name,
              kinds[found].name, kinds[kind].name);
    return NULL;
  }
  d = v2v_document_new (found, err);
  if (d != NULL &&
      record_read_json (kinds[found].record, d, j, "kind", name, err) == -1) {
    v2v_document_free (d);
    return NULL;
  }
  return d;
}

/* ---- changing and comparing ---- */

int
v2v_document_set (struct v2v_document *d, const char *path, const char *value,
                  struct v2v_error **err)
{
  return record_set (kinds[d->kind].record, d, path, value, err);
}

static char *
dup_or_null (const char *s, bool *failed)
{
  char *copy = s != NULL ? strdup (s) : NULL;

  *failed = *failed || (s != NULL && copy == NULL);
  return copy;
}

static int
add_change (void *arg, const char *path, const char *old, const char *new)
{
  struct v2v_document_changes *c = arg;
  struct v2v_document_change *p;
  bool failed = false;

  if (c->len == c->cap) {
    const size_t cap = c->cap * 2 + 16;

    p = reallocarray (c->ptr, cap, sizeof *p);
    if (p == NULL)
      return -1;
    c->ptr = p;
    c->cap = cap;
  }
  p = &c->ptr[c->len++];
  p->path = dup_or_null (path, &failed);
  p->old_value = dup_or_null (old, &failed);
  p->new_value = dup_or_null (new, &failed);
  return failed ? -1 : 0;
}

int
v2v_document_diff (const struct v2v_document *a, const struct v2v_document *b,
                   struct v2v_document_changes *ret, struct v2v_error **err)
{
  struct v2v_document_changes c = { .ptr = NULL };

  if (a->kind != b->kind)
    return v2v_fail (err, V2V_ERR_USAGE, "a %s and a %s cannot be compared",
                     kinds[a->kind].name, kinds[b->kind].name);
  if (record_diff (kinds[a->kind].record, a, b, add_change, &c) != 0) {
    v2v_document_changes_clear (&c);
    return v2v_fail_nomem (err);
  }
  *ret = c;
  return 0;
}

void
v2v_document_changes_clear (struct v2v_document_changes *c)
{
  for (size_t i = 0; i < c->len; ++i) {
    free (c->ptr[i].path);
    free (c->ptr[i].old_value);
    free (c->ptr[i].new_value);
  }
  free (c->ptr);
  memset (c, 0, sizeof *c);
}
