/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the guest of a new machine shall be: the profile of its seed, and
 * addresses by which the seed knows the adapters.
 *
 * A profile is for many machines: the address that it names an adapter by
 * only says which adapter of the machine is meant, the first, the second.
 * Each machine gets addresses of its own, of the range that IEEE 802 keeps
 * for local use, made of its identifier.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "library/deploy-internal.h"

/* ---- addresses ---- */

/* Of adapter I of the machine ID. */
static void
make_mac (const char *id, size_t i, char ret[18])
{
  char seed[64];
  uint8_t d[V2V_SHA256_SIZE];

  snprintf (seed, sizeof seed, "%s/%zu", id, i);
  v2v_sha256 (seed, strlen (seed), d);
  /* 02: local, of one adapter. */
  snprintf (ret, 18, "02:%02x:%02x:%02x:%02x:%02x", d[0], d[1], d[2], d[3],
            d[4]);
}

static const char *
original_mac (const struct deploy_plan *p, size_t i)
{
  const struct v2v_guest_os_profile *g =
      p->guest_os_from != NULL ? &p->guest_os_from->document->guest_os : NULL;

  return g != NULL && i < g->nr_nics ? g->nics[i].mac : NULL;
}

int
deploy_guest_addresses (struct deploy_plan *p, struct v2v_error **err)
{
  struct v2v_guest_os_profile *g =
      p->guest_os != NULL ? &p->guest_os->guest_os : NULL;
  const struct v2v_hardware_profile *h = &p->hardware->hardware;

  for (size_t i = 0; g != NULL && i < g->nr_nics; ++i) {
    const char *old = original_mac (p, i);
    char made[18];
    char *mac;

    /* A setting has given it. */
    if (g->nics[i].mac != NULL &&
        (old == NULL || strcasecmp (old, g->nics[i].mac) != 0))
      continue;
    make_mac (p->id, i, made);
    mac = strdup (i < h->nr_nics && h->nics[i].mac != NULL ? h->nics[i].mac
                                                           : made);
    if (mac == NULL)
      return v2v_fail_nomem (err);
    free (g->nics[i].mac);
    g->nics[i].mac = mac;
  }
  return 0;
}

static int
set_adapter (struct v2v_document *hardware, size_t i, const char *field,
             const char *value, struct v2v_error **err)
{
  char path[64];

  snprintf (path, sizeof path, "network-adapters[%zu].%s", i, field);
  return v2v_document_set (hardware, path, value, err);
}

int
deploy_hardware_addresses (struct deploy_plan *p, struct v2v_error **err)
{
  const struct v2v_guest_os_profile *g =
      p->guest_os != NULL ? &p->guest_os->guest_os : NULL;

  for (size_t i = 0; g != NULL && i < g->nr_nics; ++i) {
    char name[40];

    snprintf (name, sizeof name, "Network Adapter %zu", i + 1);
    if ((i == p->hardware->hardware.nr_nics &&
         set_adapter (p->hardware, i, "name", name, err) == -1) ||
        set_adapter (p->hardware, i, "mac-policy", "static", err) == -1 ||
        set_adapter (p->hardware, i, "mac", g->nics[i].mac, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- files ---- */

/* A file that is named without a folder is an object of the library. */
static int
find_file (struct v2v_library *lib, char **name, struct v2v_error **err)
{
  static const enum v2v_object_kind kinds[] = { V2V_OBJECT_SCRIPT,
                                                V2V_OBJECT_ANSWER_FILE,
                                                V2V_OBJECT_FILE };

  if (*name == NULL || strchr (*name, '/') != NULL)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (kinds); ++i) {
    CLEANUP_FREE char *ref = NULL, *id = NULL;
    char *path;

    if (asprintf (&ref, "%s/%s", v2v_object_kind_name (kinds[i]), *name) ==
        -1) {
      ref = NULL;
      return v2v_fail_nomem (err);
    }
    if (v2v_library_find (lib, ref, &id, NULL) == -1)
      continue;
    path = v2v_library_path (lib, id, NULL, err);
    if (path == NULL)
      return -1;
    free (*name);
    *name = path;
    return 0;
  }
  if (access (*name, F_OK) == 0)
    return 0;
  v2v_fail (err, V2V_ERR_USAGE,
            "the guest OS profile needs the file '%s', which is no object of "
            "the library",
            *name);
  return v2v_hint (err, "'v2v library import --kind script' takes it in");
}

static int
find_files (struct v2v_library *lib, struct v2v_guest_os_profile *g,
            struct v2v_error **err)
{
  for (size_t i = 0; g->scripts != NULL && g->scripts[i] != NULL; ++i)
    if (find_file (lib, &g->scripts[i], err) == -1)
      return -1;
  return find_file (lib, &g->os_linux.user_data, err) == -1 ||
                 find_file (lib, &g->windows.answer_file, err) == -1
             ? -1
             : 0;
}

/* ---- the profile ---- */

int
deploy_make_profile (struct v2v_library *lib, struct deploy_plan *p,
                     bool secrets, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j = NULL;
  CLEANUP_FREE char *text = NULL;

  if (p->guest_os == NULL && p->computer_name == NULL)
    return 0;
  if (p->guest_os != NULL) {
    if (secrets && find_files (lib, &p->guest_os->guest_os, err) == -1)
      return -1;
    j = v2v_guest_os_to_json (p->guest_os, p->computer_name);
  }
  else {
    j = v2v_json_new_object ();
    v2v_json_set_string (j, "computer_name", p->computer_name);
  }
  text = j != NULL && v2v_json_ok (j) ? v2v_json_dump (j, 0) : NULL;
  if (text == NULL)
    return v2v_fail_nomem (err);
  p->profile = v2v_profile_parse (
      text, strlen (text),
      p->guest_os_from != NULL ? p->guest_os_from->name : "computer name", ".",
      err);
  if (p->profile == NULL)
    return -1;
  return secrets ? v2v_profile_read_secrets (p->profile, err) : 0;
}
