/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts for the machines of a service: which one each gets, and how they are
 * there.
 *
 * All machines of a plan are placed before the first is made, one after the
 * other: what those before it take counts, and so do those of its tier, where
 * they are to be apart.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/deploy.h"
#include "library/document-internal.h"
#include "library/placement.h"
#include "library/service-internal.h"

/* As many parents as a disk can have, and then it is a loop. */
#define MAX_CHAIN 64

struct placing {
  struct v2v_library *lib;
  const struct v2v_hosts *hosts;
  const char *service; /* id */
  /* Per host: what the machines of this plan take. */
  struct v2v_place_host *taken;
};

/* ---- what a machine of a tier needs ---- */

struct needs {
  struct v2v_place_need need;
  struct v2v_document *hardware; /* its texts are borrowed by NEED */
  lib_strings bases;
};

static void
needs_clear (struct needs *n)
{
  v2v_place_need_clear (&n->need);
  v2v_document_free (n->hardware);
  lib_strings_clear (&n->bases);
}
#define CLEANUP_NEEDS __attribute__ ((cleanup (needs_clear)))

static struct v2v_document *
read_document (struct v2v_library *lib, const char *id, struct v2v_error **err)
{
  size_t len = 0;
  CLEANUP_FREE char *text =
      v2v_library_read_text (lib, id, V2V_DOCUMENT_MAX_BYTES, &len, err);

  return text != NULL ? v2v_document_parse (text, len, id, err) : NULL;
}

/* The object of a disk with its parents. */
static int
add_bases (struct v2v_library *lib, const char *disk, lib_strings *ret,
           uint64_t *ret_bytes, struct v2v_error **err)
{
  CLEANUP_FREE char *size = NULL;
  char *id = strdup (disk);

  if (lib_lookup (lib, &size, err,
                  "SELECT virtual_size FROM object WHERE id = ?", disk,
                  V2V_QUERY_END) == -1) {
    free (id);
    return -1;
  }
  *ret_bytes += size != NULL ? strtoull (size, NULL, 10) : 0;
  for (unsigned n = 0; id != NULL && n < MAX_CHAIN; ++n) {
    char *parent = NULL;

    if (lib_strings_append (ret, id) == -1) {
      free (id);
      return v2v_fail_nomem (err);
    }
    if (lib_lookup (lib, &parent, err,
                    "SELECT other FROM relation WHERE object = ? AND role = "
                    "'parent'",
                    id, V2V_QUERY_END) == -1)
      return -1;
    id = parent;
  }
  free (id);
  return 0;
}

static int
find_disks (struct v2v_library *lib, const struct v2v_vm_template *t,
            const char *name_space, struct needs *ret, struct v2v_error **err)
{
  uint64_t bytes = 0;

  for (size_t i = 0; i < t->nr_disks; ++i) {
    const struct v2v_template_disk *d = &t->disks[i];
    CLEANUP_FREE char *id = NULL;

    if (d->storage == V2V_STORAGE_BLANK)
      bytes += (uint64_t) d->size_gib << 30;
    else if (record_any (&document_reference, &d->object) &&
             (service_resolve (lib, V2V_OBJECT_DISK, &d->object, name_space,
                               &id, NULL, err) == -1 ||
              add_bases (lib, id, &ret->bases, &bytes, err) == -1))
      return -1;
  }
  ret->need.disk_gib = (bytes >> 30) + ((bytes & ((1u << 30) - 1)) != 0);
  ret->need.nr_bases = ret->bases.len;
  return 0;
}

static int
find_needs (struct v2v_library *lib, const struct service_tier *t,
            const char *name_space, struct needs *ret, struct v2v_error **err)
{
  CLEANUP_DOCUMENT struct v2v_document *vm =
      read_document (lib, t->vm_template, err);
  CLEANUP_FREE char *id = NULL;

  if (vm == NULL)
    return -1;
  if (t->hardware != NULL)
    ret->hardware = read_document (lib, t->hardware, err);
  else if (record_any (&document_reference, &vm->vm_template.hardware) &&
           service_resolve (lib, V2V_OBJECT_HARDWARE_PROFILE,
                            &vm->vm_template.hardware, name_space, &id, NULL,
                            err) == 0)
    ret->hardware = read_document (lib, id, err);
  else if (id == NULL && err != NULL && *err != NULL)
    return -1;
  else
    ret->hardware = v2v_document_new (V2V_DOCUMENT_HARDWARE, err);
  if (ret->hardware == NULL ||
      v2v_place_need_hardware (&ret->need, &ret->hardware->hardware, err) == -1)
    return -1;
  ret->need.anti_affinity = t->tier->anti_affinity == V2V_YES;
  return find_disks (lib, &vm->vm_template, name_space, ret, err);
}

/* ---- one machine ---- */

/* Why no host can have it. */
static int
refuse (const struct v2v_service_machine *m,
        const struct v2v_place_ratings *ratings, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; i < ratings->len && i < 5; ++i)
    if (v2v_str_printf (
            &s, "%s%s: %s", i > 0 ? "; " : "", ratings->ptr[i].host->name,
            ratings->ptr[i].nr_reasons > 0 ? ratings->ptr[i].reasons[0]
                                           : "no") == -1)
      return v2v_fail_nomem (err);
  return v2v_fail (err, V2V_ERR_USAGE, "no host can have %s: %s",
                   m->computer_name, s.ptr != NULL ? s.ptr : "there are none");
}

static int
take (struct placing *p, const struct needs *n,
      const struct v2v_place_rating *best, struct v2v_place_host *tier,
      struct v2v_service_machine *m, struct v2v_error **err)
{
  const size_t i = (size_t) (best->host - p->hosts->ptr);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;

  for (size_t k = 0; k < best->nr_reasons; ++k)
    if (v2v_str_printf (&s, "%s%s", k > 0 ? "; " : "", best->reasons[k]) == -1)
      return v2v_fail_nomem (err);
  m->host = strdup (best->host->name);
  m->host_reason = STEAL (s.ptr);
  if (m->host == NULL)
    return v2v_fail_nomem (err);
  p->taken[i].nr_machines++;
  p->taken[i].used_processors += n->need.processors;
  p->taken[i].used_memory_mib += n->need.memory_mib;
  p->taken[i].used_disk_gib += n->need.disk_gib;
  tier[i].nr_group++;
  return 0;
}

static int
place_machine (struct placing *p, const struct needs *n,
               struct v2v_place_host *tier, struct v2v_service_machine *m,
               struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_place_host *now =
      calloc (p->hosts->len + 1, sizeof *now);
  CLEANUP_RATINGS struct v2v_place_ratings ratings = { .ptr = NULL };

  if (now == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < p->hosts->len; ++i) {
    now[i] = tier[i];
    now[i].nr_machines += p->taken[i].nr_machines;
    now[i].used_processors += p->taken[i].used_processors;
    now[i].used_memory_mib += p->taken[i].used_memory_mib;
    now[i].used_disk_gib += p->taken[i].used_disk_gib;
  }
  if (v2v_place (&n->need, now, p->hosts->len, &ratings, err) == -1)
    return -1;
  return ratings.len == 0 || ratings.ptr[0].rating == 0
             ? refuse (m, &ratings, err)
             : take (p, n, &ratings.ptr[0], tier, m, err);
}

static int
place_tier (struct placing *p, const struct service_tier *t,
            const char *name_space, struct v2v_service_machines *machines,
            struct v2v_error **err)
{
  CLEANUP_NEEDS struct needs n = { .hardware = NULL };
  CLEANUP_FREE struct v2v_place_host *tier =
      calloc (p->hosts->len + 1, sizeof *tier);

  if (tier == NULL)
    return v2v_fail_nomem (err);
  if (find_needs (p->lib, t, name_space, &n, err) == -1 ||
      v2v_place_look (p->lib, p->hosts, (const char *const *) n.bases.ptr,
                      n.bases.len, p->service, t->tier->name, tier, err) == -1)
    return -1;
  for (size_t i = 0; i < machines->len; ++i) {
    struct v2v_service_machine *m = &machines->ptr[i];

    if (m->id == NULL && m->host == NULL &&
        strcmp (m->tier, t->tier->name) == 0 &&
        place_machine (p, &n, tier, m, err) == -1)
      return v2v_prefix (err, "tier %s", m->tier);
  }
  return 0;
}

int
service_place (struct v2v_library *lib, const struct v2v_hosts *hosts,
               const char *service, const struct service_tiers *tiers,
               const char *name_space, struct v2v_service_machines *machines,
               struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_place_host *taken =
      calloc (hosts->len + 1, sizeof *taken);
  struct placing p = { lib, hosts, service, taken };

  if (taken == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < tiers->len; ++i)
    if (place_tier (&p, &tiers->ptr[i], name_space, machines, err) == -1)
      return -1;
  return 0;
}

/* ---- how they are ---- */

int
service_open_host (struct v2v_library *lib, const struct v2v_hosts *hosts,
                   const char *id, struct v2v_deployed *ret_machine,
                   struct v2v_host_conn **ret, struct v2v_error **err)
{
  const struct v2v_host *h;

  *ret = NULL;
  if (v2v_deployed_find (lib, id, ret_machine, err) == -1)
    return -1;
  if (ret_machine->host[0] == '\0')
    return 0;
  h = v2v_hosts_find (hosts, ret_machine->host, err);
  *ret = h != NULL ? v2v_host_open (h, err) : NULL;
  return *ret == NULL ? -1 : 0;
}

int
service_load_hosts (struct v2v_library *lib, const struct v2v_json *settings,
                    struct v2v_hosts *ret, bool *ret_acting,
                    struct v2v_error **err)
{
  const char *file =
      v2v_json_get_string (v2v_json_get (settings, "place"), "hosts");

  memset (ret, 0, sizeof *ret);
  *ret_acting = file != NULL;
  return file != NULL ? v2v_hosts_load (lib, file, ret, err) : 0;
}

static int
state_of (struct v2v_library *lib, const struct v2v_hosts *hosts,
          const char *id, const char **ret, struct v2v_error **err)
{
  CLEANUP_DEPLOYED struct v2v_deployed m = { 0 };
  CLEANUP_HOST struct v2v_host_conn *c = NULL;
  enum v2v_host_state state;

  if (service_open_host (lib, hosts, id, &m, &c, err) == -1)
    return -1;
  if (c == NULL)
    *ret = access (m.folder, R_OK | X_OK) == 0 ? "there" : "missing";
  else if (v2v_host_state (c, m.folder, &state, err) == -1)
    return -1;
  else
    *ret = v2v_host_state_name (state);
  return 0;
}

int
v2v_service_refresh (struct v2v_library *lib, const char *service,
                     struct v2v_service *ret, size_t *ret_bad,
                     struct v2v_error **err)
{
  CLEANUP_SERVICE_ROW struct service_row row = { .id = NULL };
  CLEANUP_HOSTS struct v2v_hosts hosts = { .ptr = NULL };
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  size_t bad = 0;
  bool acting;

  if (service_row_find (lib, service, &row, err) == -1 ||
      service_load_hosts (lib, row.settings, &hosts, &acting, err) == -1 ||
      v2v_service_show (lib, row.id, &s, err) == -1)
    return -1;
  for (size_t i = 0; i < s.machines.len; ++i) {
    struct v2v_service_machine *m = &s.machines.ptr[i];
    struct v2v_error *e = NULL;
    const char *state = "unreachable";

    /* A host that does not answer is an answer. */
    if (state_of (lib, &hosts, m->id, &state, &e) == -1) {
      free (m->host_reason);
      m->host_reason = strdup (v2v_error_message (e));
      v2v_error_free (e);
    }
    free (m->state);
    m->state = strdup (state);
    if (m->state == NULL)
      return v2v_fail_nomem (err);
    bad += strcmp (state, "there") != 0 && strcmp (state, "running") != 0;
  }
  *ret = s;
  *ret_bad = bad;
  memset (&s, 0, sizeof s);
  return 0;
}
