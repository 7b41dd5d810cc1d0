/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What inspection found out about a guest, and its JSON. */

#include <config.h>

#include <fnmatch.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/guest.h"

const char *
v2v_guest_family_name (enum v2v_guest_family f)
{
  switch (f) {
  case V2V_FAMILY_UNKNOWN:
    return "unknown";
  case V2V_FAMILY_LINUX:
    return "linux";
  case V2V_FAMILY_WINDOWS:
    return "windows";
  case V2V_FAMILY_OTHER:
    return "other";
  }
  return "?";
}

static void *
append (void *list_ptr, size_t *nr, size_t size)
{
  char **list = list_ptr;
  char *p = reallocarray (*list, *nr + 1, size);

  if (p == NULL)
    return NULL;
  *list = p;
  p += *nr * size;
  memset (p, 0, size);
  ++*nr;
  return p;
}

struct v2v_os_mount *
v2v_os_add_mount (struct v2v_os *os)
{
  return append (&os->mounts, &os->nr_mounts, sizeof *os->mounts);
}

struct v2v_os_letter *
v2v_os_add_letter (struct v2v_os *os)
{
  return append (&os->letters, &os->nr_letters, sizeof *os->letters);
}

struct v2v_os_application *
v2v_os_add_application (struct v2v_os *os)
{
  return append (&os->applications, &os->nr_applications,
                 sizeof *os->applications);
}

struct v2v_filesystem *
v2v_os_add_filesystem (struct v2v_os *os)
{
  return append (&os->filesystems, &os->nr_filesystems,
                 sizeof *os->filesystems);
}

struct v2v_os_layer *
v2v_os_add_layer (struct v2v_os *os)
{
  return append (&os->layers, &os->nr_layers, sizeof *os->layers);
}

void
v2v_os_clear (struct v2v_os *os)
{
  for (size_t i = 0; i < os->nr_layers; ++i) {
    free (os->layers[i].device);
    free (os->layers[i].below);
  }
  free (os->layers);
  for (size_t i = 0; i < os->nr_mounts; ++i) {
    free (os->mounts[i].path);
    free (os->mounts[i].device);
  }
  for (size_t i = 0; i < os->nr_letters; ++i)
    free (os->letters[i].device);
  for (size_t i = 0; i < os->nr_applications; ++i) {
    struct v2v_os_application *a = &os->applications[i];

    free (a->name);
    free (a->version);
    free (a->release);
    free (a->arch);
    free (a->publisher);
  }
  for (size_t i = 0; i < os->nr_filesystems; ++i) {
    struct v2v_filesystem *f = &os->filesystems[i];

    free (f->device);
    free (f->type);
    free (f->uuid);
    free (f->label);
    free (f->partuuid);
  }
  free (os->mounts);
  free (os->letters);
  free (os->applications);
  free (os->filesystems);
  free (os->root);
  free (os->distro);
  free (os->product_name);
  free (os->product_variant);
  free (os->arch);
  free (os->hostname);
  free (os->package_format);
  free (os->package_management);
  free (os->systemroot);
  free (os->control_set);
  free (os->system_volume);
  memset (os, 0, sizeof *os);
}

const struct v2v_os_application *
v2v_os_find_application (const struct v2v_os *os, const char *pattern)
{
  for (size_t i = 0; i < os->nr_applications; ++i)
    if (os->applications[i].name != NULL &&
        fnmatch (pattern, os->applications[i].name, FNM_CASEFOLD) == 0)
      return &os->applications[i];
  return NULL;
}

static struct v2v_json *
applications_to_json (const struct v2v_os *os)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < os->nr_applications; ++i) {
    const struct v2v_os_application *a = &os->applications[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "name", a->name);
    v2v_json_set_string (o, "version", a->version);
    v2v_json_set_string (o, "release", a->release);
    v2v_json_set_string (o, "arch", a->arch);
    v2v_json_set_string (o, "publisher", a->publisher);
    v2v_json_append (array, o);
  }
  return array;
}

static struct v2v_json *
filesystems_to_json (const struct v2v_os *os)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < os->nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &os->filesystems[i];
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "device", f->device);
    v2v_json_set_string (o, "type", f->type);
    v2v_json_set_string (o, "uuid", f->uuid);
    v2v_json_set_string (o, "label", f->label);
    v2v_json_append (array, o);
  }
  return array;
}

static struct v2v_json *
mounts_to_json (const struct v2v_os *os)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < os->nr_mounts; ++i) {
    struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "path", os->mounts[i].path);
    v2v_json_set_string (o, "device", os->mounts[i].device);
    v2v_json_append (array, o);
  }
  return array;
}

static struct v2v_json *
letters_to_json (const struct v2v_os *os)
{
  struct v2v_json *array = v2v_json_new_array ();

  for (size_t i = 0; i < os->nr_letters; ++i) {
    struct v2v_json *o = v2v_json_new_object ();
    const char letter[3] = { os->letters[i].letter, ':', '\0' };

    v2v_json_set_string (o, "letter", letter);
    v2v_json_set_string (o, "device", os->letters[i].device);
    v2v_json_append (array, o);
  }
  return array;
}

static void
set_number (struct v2v_json *o, const char *key, int number)
{
  if (number >= 0)
    v2v_json_set_u64 (o, key, (uint64_t) number);
  else
    v2v_json_set (o, key, v2v_json_new_null ());
}

struct v2v_json *
v2v_os_to_json (const struct v2v_os *os)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "family", v2v_guest_family_name (os->family));
  v2v_json_set_string (o, "root", os->root);
  v2v_json_set_string (o, "distro", os->distro);
  v2v_json_set_string (o, "product_name", os->product_name);
  v2v_json_set_string (o, "product_variant", os->product_variant);
  v2v_json_set_string (o, "arch", os->arch);
  v2v_json_set_string (o, "hostname", os->hostname);
  set_number (o, "major", os->major);
  set_number (o, "minor", os->minor);
  if (os->build != 0)
    v2v_json_set_u64 (o, "build", os->build);
  v2v_json_set_string (o, "package_format", os->package_format);
  v2v_json_set_string (o, "package_management", os->package_management);
  if (os->family == V2V_FAMILY_WINDOWS) {
    v2v_json_set_string (o, "systemroot", os->systemroot);
    v2v_json_set_string (o, "control_set", os->control_set);
    v2v_json_set (o, "drive_letters", letters_to_json (os));
  }
  v2v_json_set (o, "mountpoints", mounts_to_json (os));
  v2v_json_set (o, "filesystems", filesystems_to_json (os));
  v2v_json_set (o, "applications", applications_to_json (os));
  return o;
}
