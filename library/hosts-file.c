/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hosts file: JSON, written by people.  A member that we do not know is a
 * mistake and not a comment: a limit with a typing error would be none.
 */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/io.h"
#include "library/hosts-internal.h"

/* A site has hundreds; each takes some hundred bytes. */
#define MAX_HOSTS 4096
#define MAX_FILE  ((size_t) 4 * 1024 * 1024)
/* Options of ssh, switches, VLANs (4094 at most) of one host. */
#define MAX_LIST 4096

enum type { TEXT, NUMBER, FLAG, TEXTS, GENERATIONS, VLANS, NETWORKS };
/* clang-format off */
static const struct member {
  const char *name;
  enum type type;
  size_t offset;
  uint64_t min, max; /* of a number */
} members[] = {
#define FIELD(f) offsetof (struct v2v_host, f)
  { "accelerator", TEXT, FIELD (accelerator), 0, 0 },
  { "address", TEXT, FIELD (address), 0, 0 },
  { "availability_zone", TEXT, FIELD (availability_zone), 0, 0 },
  { "bases", TEXT, FIELD (bases), 0, 0 },
  /* As for the numbers: what does not fit into 64 bits as bytes is none. */
  { "disk_gib", NUMBER, FIELD (disk_gib), 1, UINT64_C (1) << 33 },
  { "driver", TEXT, FIELD (driver), 0, 0 },
  { "generations", GENERATIONS, FIELD (generations), 1, 2 },
  { "maintenance", FLAG, FIELD (maintenance), 0, 0 },
  { "memory_mib", NUMBER, FIELD (memory_mib), 1, UINT64_C (1) << 43 },
  { "name", TEXT, FIELD (name), 0, 0 },
  { "networks", NETWORKS, FIELD (networks), 0, 0 },
  { "path", TEXT, FIELD (path), 0, 0 },
  { "port", NUMBER, FIELD (port), 1, 65535 },
  { "processors", NUMBER, FIELD (processors), 1, 65536 },
  { "ssh_options", TEXTS, FIELD (ssh_options), 0, 0 },
  { "switches", TEXTS, FIELD (switches), 0, 0 },
  { "vlans", VLANS, FIELD (vlans), 1, 4094 },
  { "windows_path", TEXT, FIELD (windows_path), 0, 0 },
};
/* clang-format on */

static void
host_clear (struct v2v_host *h)
{
  free (h->name);
  free (h->driver);
  free (h->path);
  free (h->windows_path);
  free (h->bases);
  free (h->address);
  free (h->accelerator);
  free (h->availability_zone);
  for (size_t i = 0; i < h->nr_ssh_options; ++i)
    free (h->ssh_options[i]);
  free (h->ssh_options);
  for (size_t i = 0; i < h->nr_switches; ++i)
    free (h->switches[i]);
  free (h->switches);
  for (size_t i = 0; i < h->nr_networks; ++i) {
    free (h->networks[i].network);
    free (h->networks[i].switch_name);
  }
  free (h->networks);
  free (h->vlans);
}

void
v2v_hosts_clear (struct v2v_hosts *h)
{
  for (size_t i = 0; i < h->len; ++i)
    host_clear (&h->ptr[i]);
  free (h->ptr);
  memset (h, 0, sizeof *h);
}

/* ---- one member ---- */

static int
wrong (const char *name, const char *expected, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "\"%s\": expected %s", name, expected);
}

/* One line of text. */
static int
read_text (const char *name, const struct v2v_json *v, char **ret,
           struct v2v_error **err)
{
  const char *s = v2v_json_string_value (v);

  if (s == NULL)
    return wrong (name, "a text", err);
  if (lib_check_text (name, s, true, err) == -1)
    return -1;
  *ret = strdup (s);
  return *ret ? 0 : v2v_fail_nomem (err);
}

static int
read_number (const struct member *m, const struct v2v_json *v, uint64_t *ret,
             struct v2v_error **err)
{
  if (v2v_json_u64_value (v, ret) && *ret >= m->min && *ret <= m->max)
    return 0;
  return v2v_fail (err, V2V_ERR_FORMAT,
                   "\"%s\": expected a number from %" PRIu64 " to %" PRIu64,
                   m->name, m->min, m->max);
}

static int
check_list (const struct member *m, const struct v2v_json *v,
            struct v2v_error **err)
{
  if (!v2v_json_is_array (v) || v2v_json_length (v) > MAX_LIST)
    return wrong (m->name, "a list of at most 4096", err);
  return 0;
}

static int
read_texts (struct v2v_host *h, const struct member *m,
            const struct v2v_json *v, struct v2v_error **err)
{
  const bool options = m->offset == FIELD (ssh_options);
  size_t *n = options ? &h->nr_ssh_options : &h->nr_switches;
  char **list;

  if (check_list (m, v, err) == -1)
    return -1;
  list = calloc (v2v_json_length (v) + 1, sizeof *list);
  if (list == NULL)
    return v2v_fail_nomem (err);
  if (options)
    h->ssh_options = list;
  else
    h->switches = list;
  for (size_t i = 0; i < v2v_json_length (v); ++i) {
    if (read_text (m->name, v2v_json_at (v, i), &list[i], err) == -1)
      return -1;
    ++*n;
  }
  return 0;
}

static int
read_vlans (struct v2v_host *h, const struct member *m,
            const struct v2v_json *v, struct v2v_error **err)
{
  uint64_t n;

  if (check_list (m, v, err) == -1)
    return -1;
  h->vlans = calloc (v2v_json_length (v) + 1, sizeof *h->vlans);
  if (h->vlans == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < v2v_json_length (v); ++i) {
    if (read_number (m, v2v_json_at (v, i), &n, err) == -1)
      return -1;
    h->vlans[h->nr_vlans++] = (unsigned) n;
  }
  return 0;
}

static int
read_generations (struct v2v_host *h, const struct member *m,
                  const struct v2v_json *v, struct v2v_error **err)
{
  uint64_t n;

  if (check_list (m, v, err) == -1)
    return -1;
  for (size_t i = 0; i < v2v_json_length (v); ++i) {
    if (read_number (m, v2v_json_at (v, i), &n, err) == -1)
      return -1;
    h->generations |= 1u << n;
  }
  return h->generations ? 0 : wrong (m->name, "1, 2 or both", err);
}

static int
read_networks (struct v2v_host *h, const struct member *m,
               const struct v2v_json *v, struct v2v_error **err)
{
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  if (!v2v_json_is_object (v))
    return wrong (m->name, "an object: network and switch", err);
  while (v2v_json_next (v, &iter, &key, &value)) {
    struct v2v_host_network *n;

    if (h->nr_networks == MAX_LIST)
      return wrong (m->name, "at most 4096 members", err);
    n = reallocarray (h->networks, h->nr_networks + 1, sizeof *n);
    if (n == NULL)
      return v2v_fail_nomem (err);
    h->networks = n;
    n += h->nr_networks++;
    n->switch_name = NULL;
    n->network = strdup (key);
    if (n->network == NULL)
      return v2v_fail_nomem (err);
    if (read_text (m->name, value, &n->switch_name, err) == -1)
      return -1;
  }
  return 0;
}

static int
read_member (struct v2v_host *h, const struct member *m,
             const struct v2v_json *v, struct v2v_error **err)
{
  void *field = (char *) h + m->offset;
  uint64_t n = 0;

  switch (m->type) {
  case TEXT:
    return read_text (m->name, v, field, err);
  case NUMBER:
    if (read_number (m, v, &n, err) == -1)
      return -1;
    if (m->offset == FIELD (port))
      h->port = (unsigned) n;
    else
      *(uint64_t *) field = n;
    return 0;
  case FLAG:
    return v2v_json_bool_value (v, field)
               ? 0
               : wrong (m->name, "true or false", err);
  case TEXTS:
    return read_texts (h, m, v, err);
  case GENERATIONS:
    return read_generations (h, m, v, err);
  case VLANS:
    return read_vlans (h, m, v, err);
  case NETWORKS:
    return read_networks (h, m, v, err);
  }
  return 0;
}

/* ---- one host ---- */

static bool
is_one_of (const char *s, const char *const *list)
{
  for (; *list != NULL; ++list)
    if (strcmp (s, *list) == 0)
      return true;
  return false;
}

static int
check_driver (const struct v2v_host *h, struct v2v_error **err)
{
  static const char *const drivers[] = { "folder", "qemu", "ssh", NULL };
  static const char *const accelerators[] = { "kvm", "tcg", NULL };
  const bool ssh = strcmp (h->driver, "ssh") == 0;

  if (!is_one_of (h->driver, drivers))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "\"driver\": '%s' is none of: folder qemu ssh", h->driver);
  if (!ssh && h->path[0] != '/')
    return wrong ("path", "the absolute path of a folder", err);
  if (ssh && h->address == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "\"address\" is missing: where the driver ssh connects");
  /* What begins with '-' would be an option of ssh. */
  if (h->address != NULL && (!ssh || h->address[0] == '-'))
    return wrong ("address", "USER@HOST, with the driver ssh only", err);
  if (!ssh && (h->port != 0 || h->nr_ssh_options > 0))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "\"port\" and \"ssh_options\" are for the driver ssh");
  if (h->accelerator != NULL && (strcmp (h->driver, "qemu") != 0 ||
                                 !is_one_of (h->accelerator, accelerators)))
    return wrong ("accelerator", "kvm or tcg, with the driver qemu only", err);
  return 0;
}

/* Windows takes both slashes, but not in what is stored for a parent. */
static char *
windows_form (const char *path)
{
  char *s = strdup (path);

  for (char *p = s; p != NULL && *p != '\0'; ++p)
    if (*p == '/')
      *p = '\\';
  return s;
}

static int
check_host (struct v2v_host *h, struct v2v_error **err)
{
  if (h->driver == NULL || h->path == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "\"%s\" is missing",
                     h->driver ? "path" : "driver");
  if (check_driver (h, err) == -1)
    return -1;
  if (h->bases == NULL && (h->bases = strdup ("bases")) == NULL)
    return v2v_fail_nomem (err);
  if (strcmp (h->driver, "ssh") == 0 && h->windows_path == NULL &&
      (h->windows_path = windows_form (h->path)) == NULL)
    return v2v_fail_nomem (err);
  if (!v2v_check_plain_name (h->bases, err) || !lib_path_ok (h->bases, err))
    return v2v_prefix (err, "\"bases\"");
  return 0;
}

static int
read_host (const struct v2v_json *v, struct v2v_host *h, struct v2v_error **err)
{
  const char *name = v2v_json_get_string (v, "name");
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;

  if (!v2v_json_is_object (v) || name == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "expected an object with a member \"name\"");
  while (v2v_json_next (v, &iter, &key, &value)) {
    const struct member *m = NULL;

    for (size_t i = 0; i < V2V_ARRAY_SIZE (members); ++i)
      if (strcmp (members[i].name, key) == 0)
        m = &members[i];
    if (m == NULL) {
      v2v_fail (err, V2V_ERR_FORMAT, "'%.60s': no member \"%.60s\" is known",
                name, key);
      return v2v_hint (err, "v2v-host(1) lists them");
    }
    if (read_member (h, m, value, err) == -1)
      return v2v_prefix (err, "'%.60s'", name);
  }
  return check_host (h, err) == -1 ? v2v_prefix (err, "'%.60s'", name) : 0;
}

static int
read_all (const struct v2v_json *root, struct v2v_hosts *ret,
          struct v2v_error **err)
{
  const struct v2v_json *list = v2v_json_get (root, "hosts");
  const size_t n = v2v_json_length (list);

  if (!v2v_json_is_array (list) || n > MAX_HOSTS)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "expected an object with a member \"hosts\", a list of "
                     "at most %d",
                     MAX_HOSTS);
  ret->ptr = calloc (n + 1, sizeof *ret->ptr);
  if (ret->ptr == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    if (read_host (v2v_json_at (list, i), &ret->ptr[ret->len++], err) == -1)
      return v2v_prefix (err, "host %zu", i + 1);
    for (size_t k = 0; k < i; ++k)
      if (strcmp (ret->ptr[k].name, ret->ptr[i].name) == 0)
        return v2v_fail (err, V2V_ERR_FORMAT, "two hosts are called '%.60s'",
                         ret->ptr[i].name);
  }
  return 0;
}

int
v2v_hosts_parse (const char *text, size_t len, const char *name,
                 struct v2v_hosts *ret, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *root = v2v_json_parse (text, len, name, err);

  memset (ret, 0, sizeof *ret);
  if (root == NULL)
    return -1;
  if (read_all (root, ret, err) == 0)
    return 0;
  v2v_hosts_clear (ret);
  return v2v_prefix (err, "%s", name);
}

/* ---- the file ---- */

int
v2v_hosts_read (const char *file, struct v2v_hosts *ret, struct v2v_error **err)
{
  CLEANUP_IO struct v2v_io *io = v2v_io_open (file, V2V_IO_FOLLOW, err);
  CLEANUP_FREE char *text = NULL;
  size_t len;

  memset (ret, 0, sizeof *ret);
  if (io == NULL)
    return v2v_hint (err, "hosts are written down in this file, or in another "
                          "that --hosts names: 'man v2v-host'");
  if (v2v_io_size (io) > MAX_FILE)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: %" PRIu64 " bytes, at most %zu are read", file,
                     v2v_io_size (io), MAX_FILE);
  len = (size_t) v2v_io_size (io);
  text = malloc (len + 1);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (len > 0 && v2v_io_pread (io, text, len, 0, err) == -1)
    return -1;
  return v2v_hosts_parse (text, len, file, ret, err);
}

int
v2v_hosts_load (struct v2v_library *lib, const char *file,
                struct v2v_hosts *ret, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;

  memset (ret, 0, sizeof *ret);
  if (file == NULL)
    file = getenv ("V2V_HOSTS");
  if ((file == NULL || *file == '\0') && lib == NULL) {
    v2v_fail (err, V2V_ERR_USAGE, "no hosts file is named");
    return v2v_hint (err, "--hosts FILE or $V2V_HOSTS names one; a library "
                          "has its own, hosts.json in its folder");
  }
  if (file != NULL && *file != '\0')
    return v2v_hosts_read (file, ret, err);
  path = lib_join (lib->dir, "hosts.json", err);
  return path == NULL ? -1 : v2v_hosts_read (path, ret, err);
}

const struct v2v_host *
v2v_hosts_find (const struct v2v_hosts *h, const char *name,
                struct v2v_error **err)
{
  for (size_t i = 0; i < h->len; ++i)
    if (strcmp (h->ptr[i].name, name) == 0)
      return &h->ptr[i];
  v2v_fail (err, V2V_ERR_USAGE, "no host is called '%.60s'", name);
  v2v_hint (err, "'v2v host ls' lists them");
  return NULL;
}

/* ---- for people and programs ---- */

static struct v2v_json *
texts_to_json (char *const *list, size_t n)
{
  struct v2v_json *a = v2v_json_new_array ();

  for (size_t i = 0; i < n; ++i)
    v2v_json_append (a, v2v_json_new_string (list[i]));
  return a;
}

static void
add_lists (struct v2v_json *o, const struct v2v_host *h)
{
  struct v2v_json *a = v2v_json_new_array ();

  for (unsigned g = 1; g <= 2; ++g)
    if (h->generations == 0 || (h->generations & 1u << g) != 0)
      v2v_json_append (a, v2v_json_new_u64 (g));
  v2v_json_set (o, "generations", a);
  if (h->switches != NULL)
    v2v_json_set (o, "switches", texts_to_json (h->switches, h->nr_switches));
  if (h->vlans != NULL) {
    a = v2v_json_new_array ();
    for (size_t i = 0; i < h->nr_vlans; ++i)
      v2v_json_append (a, v2v_json_new_u64 (h->vlans[i]));
    v2v_json_set (o, "vlans", a);
  }
  if (h->nr_networks > 0) {
    struct v2v_json *n = v2v_json_new_object ();

    for (size_t i = 0; i < h->nr_networks; ++i)
      v2v_json_set_string (n, h->networks[i].network,
                           h->networks[i].switch_name);
    v2v_json_set (o, "networks", n);
  }
}

struct v2v_json *
v2v_host_to_json (const struct v2v_host *h)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "name", h->name);
  v2v_json_set_string (o, "driver", h->driver);
  v2v_json_set_string (o, "path", h->path);
  if (h->windows_path != NULL)
    v2v_json_set_string (o, "windows_path", h->windows_path);
  v2v_json_set_string (o, "bases", h->bases);
  if (h->address != NULL)
    v2v_json_set_string (o, "address", h->address);
  if (h->port != 0)
    v2v_json_set_u64 (o, "port", h->port);
  if (h->nr_ssh_options > 0)
    v2v_json_set (o, "ssh_options",
                  texts_to_json (h->ssh_options, h->nr_ssh_options));
  if (h->accelerator != NULL)
    v2v_json_set_string (o, "accelerator", h->accelerator);
  if (h->processors != 0)
    v2v_json_set_u64 (o, "processors", h->processors);
  if (h->memory_mib != 0)
    v2v_json_set_u64 (o, "memory_mib", h->memory_mib);
  if (h->disk_gib != 0)
    v2v_json_set_u64 (o, "disk_gib", h->disk_gib);
  add_lists (o, h);
  if (h->availability_zone != NULL)
    v2v_json_set_string (o, "availability_zone", h->availability_zone);
  v2v_json_set_bool (o, "maintenance", h->maintenance);
  return o;
}
