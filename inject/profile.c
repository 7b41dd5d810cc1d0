/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a profile: JSON, described by v2v-profile.schema.json and
 * v2v-guest-profile(5).  Tables say what each object may have; what they do not
 * know is refused with its path and the nearest name, since a misspelt member
 * would be a password that was not set.
 */

#include <config.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/profile-internal.h"
#include "inject/time-zones.h"

/* A profile of a thousand users has less. */
#define MAX_PROFILE_BYTES (1u << 20)
/* Members of one array. */
#define MAX_ELEMENTS 4096
#define MAX_PATH_LEN 256

enum kind {
  STRING,
  MAC, /* a string that is brought into one form */
  BOOL,
  U32,
  UID,
  STRINGS,
  SECRET,
  SECRET_OR_STRING, /* a product key need not be one */
  A_FILE,
  FILES,
  OBJECT,  /* a part of the same struct */
  OBJECTS, /* an array of structs */
  MODE,    /* enum v2v_cloud_init_mode */
};

struct field {
  const char *name;
  enum kind kind;
  size_t offset;
  size_t second;      /* of the count of OBJECTS and FILES, or of a flag that
                          says that the member is there; 0 = none */
  profile_rule *rule; /* of each string */
  size_t size;        /* of an element of OBJECTS */
  const struct field *sub;
};

struct reader {
  const char *name;   /* of the file */
  const char *folder; /* or NULL */
  char path[MAX_PATH_LEN];
  struct v2v_profile *p;
};

#define P(m) offsetof (struct v2v_profile, m)
#define N(m) offsetof (struct v2v_profile_nic, m)
#define R(m) offsetof (struct v2v_profile_route, m)
#define U(m) offsetof (struct v2v_profile_user, m)

static const struct field route_fields[] = {
  { .name = "to", STRING, R (to), .rule = profile_rule_network },
  { .name = "via", STRING, R (via), .rule = profile_rule_address },
  { .name = "metric", U32, R (metric), R (has_metric) },
  { .name = NULL },
};

static const struct field nic_fields[] = {
  { .name = "mac", MAC, N (mac), .rule = profile_rule_mac },
  { .name = "name", STRING, N (name), .rule = profile_rule_interface },
  { .name = "addresses", STRINGS, N (addresses), .rule = profile_rule_cidr },
  { .name = "gateways", STRINGS, N (gateways), .rule = profile_rule_address },
  { .name = "dns", STRINGS, N (dns), .rule = profile_rule_address },
  { .name = "search", STRINGS, N (search), .rule = profile_rule_domain },
  { .name = "routes",
    OBJECTS,
    N (routes),
    N (nr_routes),
    NULL,
    sizeof (struct v2v_profile_route),
    route_fields },
  { .name = "dhcp4", BOOL, N (dhcp4) },
  { .name = "dhcp6", BOOL, N (dhcp6) },
  { .name = "mtu", U32, N (mtu) },
  { .name = NULL },
};

/* Of linux.root and linux.users. */
#define LINUX_ACCOUNT                                                          \
  { .name = "password", SECRET, U (password) },                                \
      { .name = "password_hash", SECRET, U (password_hash) },                  \
      { .name = "lock", BOOL, U (lock) },                                      \
  {                                                                            \
    .name = "authorized_keys", STRINGS, U (authorized_keys),                   \
    .rule = profile_rule_key                                                   \
  }

static const struct field linux_user_fields[] = {
  { .name = "name", STRING, U (name), .rule = profile_rule_user },
  { .name = "comment", STRING, U (comment), .rule = profile_rule_comment },
  { .name = "shell", STRING, U (shell), .rule = profile_rule_path },
  { .name = "home", STRING, U (home), .rule = profile_rule_path },
  { .name = "groups", STRINGS, U (groups), .rule = profile_rule_group },
  { .name = "uid", UID, U (uid) },
  { .name = "sudo", BOOL, U (sudo) },
  { .name = "sudo_without_password", BOOL, U (sudo_without_password) },
  LINUX_ACCOUNT,
  { .name = NULL },
};

static const struct field linux_root_fields[] = {
  LINUX_ACCOUNT,
  { .name = NULL },
};

static const struct field windows_user_fields[] = {
  { .name = "name", STRING, U (name), .rule = profile_rule_windows_user },
  { .name = "display_name", STRING, U (comment), .rule = profile_rule_line },
  { .name = "groups", STRINGS, U (groups), .rule = profile_rule_windows_group },
  { .name = "password", SECRET, U (password) },
  { .name = NULL },
};

static const struct field join_fields[] = {
  { .name = "domain",
    STRING,
    P (windows.join_domain),
    .rule = profile_rule_domain },
  { .name = "ou", STRING, P (windows.join_ou), .rule = profile_rule_line },
  { .name = "user", STRING, P (windows.join_user), .rule = profile_rule_line },
  { .name = "user_domain",
    STRING,
    P (windows.join_user_domain),
    .rule = profile_rule_domain },
  { .name = "password", SECRET, P (windows.join_password) },
  { .name = NULL },
};

static const struct field auto_logon_fields[] = {
  { .name = "count", U32, P (windows.auto_logon_count) },
  { .name = "user",
    STRING,
    P (windows.auto_logon_user),
    .rule = profile_rule_windows_user },
  { .name = NULL },
};

static const struct field windows_fields[] = {
  { .name = "organization",
    STRING,
    P (windows.organization),
    .rule = profile_rule_line },
  { .name = "owner", STRING, P (windows.owner), .rule = profile_rule_line },
  { .name = "product_key",
    SECRET_OR_STRING,
    P (windows.product_key),
    .rule = profile_rule_product_key },
  { .name = "administrator_password",
    SECRET,
    P (windows.administrator_password) },
  { .name = "users",
    OBJECTS,
    P (windows.users),
    P (windows.nr_users),
    NULL,
    sizeof (struct v2v_profile_user),
    windows_user_fields },
  { .name = "join", OBJECT, .sub = join_fields },
  { .name = "workgroup",
    STRING,
    P (windows.workgroup),
    .rule = profile_rule_workgroup },
  { .name = "input_locale",
    STRING,
    P (windows.input_locale),
    .rule = profile_rule_locale },
  { .name = "system_locale",
    STRING,
    P (windows.system_locale),
    .rule = profile_rule_locale },
  { .name = "ui_language",
    STRING,
    P (windows.ui_language),
    .rule = profile_rule_locale },
  { .name = "user_locale",
    STRING,
    P (windows.user_locale),
    .rule = profile_rule_locale },
  { .name = "auto_logon", OBJECT, .sub = auto_logon_fields },
  { .name = "synchronous_commands",
    STRINGS,
    P (windows.synchronous_commands),
    .rule = profile_rule_line },
  { .name = "first_logon_commands",
    STRINGS,
    P (windows.first_logon_commands),
    .rule = profile_rule_line },
  { .name = "install_features",
    STRINGS,
    P (windows.install_features),
    .rule = profile_rule_feature },
  { .name = "remove_features",
    STRINGS,
    P (windows.remove_features),
    .rule = profile_rule_feature },
  { .name = "remote_desktop",
    BOOL,
    P (windows.remote_desktop),
    P (windows.has_remote_desktop) },
  { .name = "answer_file", A_FILE, P (windows.answer_file) },
  { .name = NULL },
};

static const struct field linux_fields[] = {
  { .name = "root",
    OBJECT,
    P (os_linux.root),
    P (os_linux.has_root),
    .sub = linux_root_fields },
  { .name = "users",
    OBJECTS,
    P (os_linux.users),
    P (os_linux.nr_users),
    NULL,
    sizeof (struct v2v_profile_user),
    linux_user_fields },
  { .name = "packages",
    STRINGS,
    P (os_linux.packages),
    .rule = profile_rule_package },
  { .name = "cloud_init", MODE, P (os_linux.cloud_init) },
  { .name = "user_data", A_FILE, P (os_linux.user_data) },
  { .name = NULL },
};

static const struct field profile_fields[] = {
  { .name = "computer_name",
    STRING,
    P (computer_name),
    .rule = profile_rule_computer_name },
  { .name = "time_zone",
    STRING,
    P (time_zone),
    .rule = profile_rule_time_zone },
  { .name = "locale", STRING, P (locale), .rule = profile_rule_locale },
  { .name = "network",
    OBJECTS,
    P (nics),
    P (nr_nics),
    NULL,
    sizeof (struct v2v_profile_nic),
    nic_fields },
  { .name = "scripts", FILES, P (scripts), P (nr_scripts) },
  { .name = "windows", OBJECT, 0, P (windows.given), .sub = windows_fields },
  { .name = "linux", OBJECT, 0, P (os_linux.given), .sub = linux_fields },
  { .name = NULL },
};

/* ---- paths in messages ---- */

/* Append to the path; returns the old length for path_cut. */
__attribute__ ((format (printf, 2, 3))) static size_t
path_add (struct reader *r, const char *fmt, ...)
{
  const size_t old = strlen (r->path);
  va_list ap;

  va_start (ap, fmt);
  vsnprintf (r->path + old, sizeof r->path - old, fmt, ap);
  va_end (ap);
  return old;
}

static void
path_cut (struct reader *r, size_t len)
{
  r->path[len] = '\0';
}

static int
wrong (const struct reader *r, const char *expected, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_USAGE, "%s: %s: expected %s", r->name,
                   r->path[0] ? r->path : "the profile", expected);
}

/* Edits that make A into B, at most MAX_DISTANCE + 1. */
#define MAX_DISTANCE 3
#define MAX_NAME     32
static unsigned
distance (const char *a, const char *b)
{
  const size_t la = strlen (a), lb = strlen (b);
  unsigned row[MAX_NAME + 1];

  if (la > MAX_NAME || lb > MAX_NAME)
    return MAX_DISTANCE + 1;
  for (size_t j = 0; j <= lb; ++j)
    row[j] = (unsigned) j;
  for (size_t i = 1; i <= la; ++i) {
    unsigned diagonal = row[0];

    row[0] = (unsigned) i;
    for (size_t j = 1; j <= lb; ++j) {
      const bool same = tolower ((unsigned char) a[i - 1]) == b[j - 1] ||
                        (a[i - 1] == '-' && b[j - 1] == '_');
      unsigned best = diagonal + !same;

      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[lb];
}

static int
unknown (struct reader *r, const char *key, const struct field *fields,
         struct v2v_error **err)
{
  const char *nearest = NULL;
  unsigned best = MAX_DISTANCE + 1;

  for (const struct field *f = fields; f->name != NULL; ++f) {
    const unsigned d = distance (key, f->name);

    if (d < best) {
      best = d;
      nearest = f->name;
    }
  }
  v2v_fail (err, V2V_ERR_USAGE, "%s: %s%s%.*s: there is no such member",
            r->name, r->path, r->path[0] ? "." : "", 64, key);
  if (nearest != NULL)
    v2v_hint (err, "did you mean %s?", nearest);
  return -1;
}

/* ---- values ---- */

static int read_object (struct reader *r, const struct v2v_json *v,
                        const struct field *fields, char *base,
                        struct v2v_error **err);

static int
read_string (struct reader *r, const struct v2v_json *v, profile_rule *rule,
             char **ret, struct v2v_error **err)
{
  const char *s = v2v_json_string_value (v);
  const char *expected;

  if (s == NULL)
    return wrong (r, "a string", err);
  expected = rule != NULL ? rule (s) : NULL;
  if (expected != NULL)
    return wrong (r, expected, err);
  *ret = strdup (s);
  return *ret == NULL ? v2v_fail_nomem (err) : 0;
}

static int
read_mac (struct reader *r, const struct v2v_json *v, profile_rule *rule,
          char **ret, struct v2v_error **err)
{
  if (read_string (r, v, rule, ret, err) == -1)
    return -1;
  for (char *p = *ret; *p != '\0'; ++p)
    *p = (char) (*p == '-' ? ':' : tolower ((unsigned char) *p));
  return 0;
}

/* The elements of an array; -1 when it is none or too long. */
static int
array_length (struct reader *r, const struct v2v_json *v, size_t *ret,
              struct v2v_error **err)
{
  if (!v2v_json_is_array (v))
    return wrong (r, "an array", err);
  *ret = v2v_json_length (v);
  return *ret > MAX_ELEMENTS ? wrong (r, "up to 4096 elements", err) : 0;
}

static int
read_strings (struct reader *r, const struct v2v_json *v, profile_rule *rule,
              v2v_strings *ret, struct v2v_error **err)
{
  size_t n;

  if (array_length (r, v, &n, err) == -1)
    return -1;
  *ret = calloc (n + 1, sizeof **ret);
  if (*ret == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    const size_t old = path_add (r, "[%zu]", i);

    if (read_string (r, v2v_json_at (v, i), rule, &(*ret)[i], err) == -1)
      return -1;
    path_cut (r, old);
  }
  return 0;
}

/* A path of the host, relative to the profile's folder. */
static int
read_host_path (struct reader *r, const struct v2v_json *v, char **ret,
                struct v2v_error **err)
{
  const char *s = v2v_json_string_value (v);

  if (s == NULL || s[0] == '\0')
    return wrong (r, "the path of a file", err);
  if (s[0] == '/' || r->folder == NULL)
    *ret = strdup (s);
  else if (asprintf (ret, "%s/%s", r->folder, s) == -1)
    *ret = NULL;
  return *ret == NULL ? v2v_fail_nomem (err) : 0;
}

static int
read_secret (struct reader *r, const struct v2v_json *v, struct v2v_secret *s,
             struct v2v_error **err)
{
  const struct v2v_json *file = v2v_json_get (v, "file");
  const struct v2v_json *fd = v2v_json_get (v, "fd");
  uint64_t n;

  if (v2v_json_string_value (v) != NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "%s: %s: a secret is not written into a profile", r->name,
              r->path);
    return v2v_hint (err, "write {\"file\": \"PATH\"} and put it into a file "
                          "that only you can read, or {\"fd\": N}");
  }
  if (!v2v_json_is_object (v))
    return wrong (r, "{\"file\": \"PATH\"} or {\"fd\": N}", err);
  {
    void *iter = NULL;
    const char *key;
    const struct v2v_json *value;
    unsigned members = 0;

    while (v2v_json_next (v, &iter, &key, &value))
      ++members;
    if (members != 1 || (file == NULL && fd == NULL))
      return wrong (r, "{\"file\": \"PATH\"} or {\"fd\": N}", err);
  }
  s->set = true;
  if (file != NULL)
    return read_host_path (r, file, &s->file, err);
  /* 1 and 2 are written to; the program has few of its own. */
  if (!v2v_json_u64_value (fd, &n) || n == 1 || n == 2 || n > 65535)
    return wrong (r, "the number of a descriptor, not 1 or 2", err);
  s->fd = (int) n;
  return 0;
}

static int
read_file (struct reader *r, const struct v2v_json *v,
           struct v2v_profile_file *f, struct v2v_error **err)
{
  const char *slash;

  if (v2v_json_is_object (v)) {
    static const struct field file_fields[] = { { .name = "file" },
                                                { .name = NULL } };
    void *iter = NULL;
    const char *key;
    const struct v2v_json *value;

    while (v2v_json_next (v, &iter, &key, &value))
      if (strcmp (key, "file") != 0)
        return unknown (r, key, file_fields, err);
    v = v2v_json_get (v, "file");
  }
  if (read_host_path (r, v, &f->path, err) == -1)
    return -1;
  slash = strrchr (f->path, '/');
  f->name = v2v_safe_name (slash != NULL ? slash + 1 : f->path);
  return f->name == NULL ? v2v_fail_nomem (err) : 0;
}

static int
read_u64 (struct reader *r, const struct v2v_json *v, uint64_t max,
          uint64_t *ret, struct v2v_error **err)
{
  char expected[64];

  if (v2v_json_u64_value (v, ret) && *ret <= max)
    return 0;
  snprintf (expected, sizeof expected, "a number up to %llu",
            (unsigned long long) max);
  return wrong (r, expected, err);
}

static void
init_element (const struct field *f, void *element)
{
  if (f->sub == linux_user_fields || f->sub == windows_user_fields) {
    struct v2v_profile_user *u = element;

    u->uid = -1;
    u->password.fd = u->password_hash.fd = -1;
  }
}

static int
read_objects (struct reader *r, const struct v2v_json *v, const struct field *f,
              char *base, struct v2v_error **err)
{
  char **array = (char **) (void *) (base + f->offset);
  size_t *nr = (size_t *) (void *) (base + f->second);
  size_t n;

  if (array_length (r, v, &n, err) == -1)
    return -1;
  *array = calloc (n + 1, f->size);
  if (*array == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    const size_t old = path_add (r, "[%zu]", i);

    init_element (f, *array + i * f->size);
    *nr = i + 1;
    if (read_object (r, v2v_json_at (v, i), f->sub, *array + i * f->size,
                     err) == -1)
      return -1;
    path_cut (r, old);
  }
  return 0;
}

static int
read_files (struct reader *r, const struct v2v_json *v, const struct field *f,
            char *base, struct v2v_error **err)
{
  struct v2v_profile_file **array = (void *) (base + f->offset);
  size_t *nr = (size_t *) (void *) (base + f->second);
  size_t n;

  if (array_length (r, v, &n, err) == -1)
    return -1;
  *array = calloc (n + 1, sizeof **array);
  if (*array == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    const size_t old = path_add (r, "[%zu]", i);

    *nr = i + 1;
    if (read_file (r, v2v_json_at (v, i), &(*array)[i], err) == -1)
      return -1;
    path_cut (r, old);
  }
  return 0;
}

static int
read_mode (struct reader *r, const struct v2v_json *v, void *to,
           struct v2v_error **err)
{
  static const char *const names[] = { "auto", "seed", "off" };
  const char *s = v2v_json_string_value (v);

  for (size_t i = 0; s != NULL && i < V2V_ARRAY_SIZE (names); ++i)
    if (strcmp (s, names[i]) == 0) {
      *(enum v2v_cloud_init_mode *) to = (enum v2v_cloud_init_mode) i;
      return 0;
    }
  return wrong (r, "\"auto\", \"seed\" or \"off\"", err);
}

static int
read_product_key (struct reader *r, const struct v2v_json *v,
                  const struct field *f, struct v2v_secret *s,
                  struct v2v_error **err)
{
  if (v2v_json_string_value (v) == NULL)
    return read_secret (r, v, s, err);
  s->set = true;
  return read_string (r, v, f->rule, &s->text, err);
}

static int
read_value (struct reader *r, const struct v2v_json *v, const struct field *f,
            char *base, struct v2v_error **err)
{
  void *to = base + f->offset;
  uint64_t n;

  switch (f->kind) {
  case STRING:
    return read_string (r, v, f->rule, to, err);
  case MAC:
    return read_mac (r, v, f->rule, to, err);
  case BOOL:
    if (f->second != 0)
      *(bool *) (base + f->second) = true;
    return v2v_json_bool_value (v, to) ? 0 : wrong (r, "true or false", err);
  case U32:
    if (read_u64 (r, v, UINT32_MAX, &n, err) == -1)
      return -1;
    *(uint32_t *) to = (uint32_t) n;
    if (f->second != 0)
      *(bool *) (base + f->second) = true;
    return 0;
  case UID:
    /* 65534 is nobody, 65535 and above are systemd's and no one's. */
    if (read_u64 (r, v, 60000, &n, err) == -1)
      return -1;
    if (n == 0)
      return wrong (r, "a number that is not root's", err);
    *(int64_t *) to = (int64_t) n;
    return 0;
  case STRINGS:
    return read_strings (r, v, f->rule, to, err);
  case SECRET:
    return read_secret (r, v, to, err);
  case SECRET_OR_STRING:
    return read_product_key (r, v, f, to, err);
  case A_FILE:
    return read_file (r, v, to, err);
  case FILES:
    return read_files (r, v, f, base, err);
  case OBJECT:
    if (f->second != 0)
      *(bool *) (base + f->second) = true;
    return read_object (r, v, f->sub, to, err);
  case OBJECTS:
    return read_objects (r, v, f, base, err);
  case MODE:
    return read_mode (r, v, to, err);
  }
  return 0;
}

static int
read_object (struct reader *r, const struct v2v_json *v,
             const struct field *fields, char *base, struct v2v_error **err)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  if (!v2v_json_is_object (v))
    return wrong (r, "an object", err);
  while (v2v_json_next (v, &iter, &key, &value)) {
    const struct field *f = fields;
    size_t old;

    while (f->name != NULL && strcmp (f->name, key) != 0)
      ++f;
    if (f->name == NULL)
      return unknown (r, key, fields, err);
    old = path_add (r, "%s%s", r->path[0] ? "." : "", key);
    if (read_value (r, value, f, base, err) == -1)
      return -1;
    path_cut (r, old);
  }
  return 0;
}

/* ---- the whole ---- */

/* A descriptor is empty after the first read. */
static int
check_descriptors (const struct v2v_profile *p, struct v2v_error **err)
{
  struct v2v_secret **all = profile_secrets (p);

  if (all == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; all[i] != NULL; ++i)
    for (size_t k = 0; k < i; ++k)
      if (all[i]->set && all[k]->set && all[i]->fd >= 0 &&
          all[i]->fd == all[k]->fd) {
        const int fd = all[i]->fd;

        free (all);
        return v2v_fail (err, V2V_ERR_USAGE,
                         "%s: descriptor %d is named twice, and can be read "
                         "only once",
                         p->source, fd);
      }
  free (all);
  return 0;
}

struct v2v_profile *
v2v_profile_parse (const char *text, size_t len, const char *name,
                   const char *folder, struct v2v_error **err)
{
  struct v2v_profile *p = calloc (1, sizeof *p);
  struct reader r = { .name = name, .folder = folder, .p = p };
  struct v2v_json *j = NULL;

  if (p == NULL || (p->source = strdup (name)) == NULL) {
    free (p);
    v2v_fail_nomem (err);
    return NULL;
  }
  p->windows.product_key.fd = p->windows.administrator_password.fd = -1;
  p->windows.join_password.fd = -1;
  p->os_linux.root.password.fd = p->os_linux.root.password_hash.fd = -1;
  p->os_linux.root.uid = 0;
  if (len > MAX_PROFILE_BYTES)
    v2v_fail (err, V2V_ERR_USAGE, "%s: %zu bytes, expected up to %u", name, len,
              MAX_PROFILE_BYTES);
  else
    j = v2v_json_parse (text, len, name, err);
  if (j == NULL || read_object (&r, j, profile_fields, (char *) p, err) == -1 ||
      profile_check (p, err) == -1 || check_descriptors (p, err) == -1) {
    v2v_json_free (j);
    v2v_profile_free (p);
    return NULL;
  }
  v2v_json_free (j);
  if (p->time_zone != NULL) {
    const struct v2v_time_zone *z = v2v_time_zone_find (p->time_zone);

    p->time_zone_windows = z->windows;
    p->time_zone_iana = v2v_time_zone_is_windows_name (z, p->time_zone)
                            ? z->iana
                            : p->time_zone;
  }
  return p;
}
