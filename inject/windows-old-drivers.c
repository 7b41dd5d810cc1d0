/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drivers of emulated IDE that an XP or 2003 has not installed, since its
 * machine had none: taken from where Windows keeps them.
 *
 * A service pack leaves its files below %SystemRoot%\ServicePackFiles; the
 * rest is in the cabinets of %SystemRoot%\Driver Cache, those of the service
 * packs (sp3.cab, sp2.cab) being newer than driver.cab.  This is where Plug
 * and Play itself looks (guest-windows section 6).
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/cabinet.h"
#include "formats/core/cleanup.h"
#include "formats/core/tempdir.h"
#include "inject/windows-internal.h"

/* driver.cab has 70 to 90 MiB. */
#define MAX_CABINET (UINT64_C (1) << 30)
/* The largest of these drivers has 100 KiB. */
#define MAX_DRIVER (8u << 20)

static const char *const wanted[] = { "intelide.sys", "pciidex.sys",
                                      "pciide.sys", "atapi.sys" };
_Static_assert(V2V_ARRAY_SIZE (wanted) == WINDOWS_MAX_FOUND,
               "a place for each");

/* i386 and amd64, as the media call them. */
static const char *
media_arch (const struct windows_guest *w)
{
  return strcmp (w->os->arch, "i386") == 0 ? "i386" : "amd64";
}

/* 1 = *RET is the driver, 0 = it is not there. */
static int
from_service_pack (struct windows_guest *w, const char *file, void **ret,
                   size_t *ret_len, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *e = NULL;

  if (asprintf (&path, "%s/ServicePackFiles/%s/%s", w->systemroot,
                media_arch (w), file) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  *ret = v2v_guest_read (w->g, path, MAX_DRIVER, ret_len, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (*ret == NULL || *ret_len > 0)
    return *ret != NULL;
  free (*ret);
  return 0;
}

/* Through a temporary file of the host. */
static int
extract (struct windows_guest *w, const struct v2v_tempdir *dir,
         const char *cabinet, const char *file, void **ret, size_t *ret_len,
         struct v2v_error **err)
{
  CLEANUP_FREE char *host = NULL;

  if (asprintf (&host, "%s/driver.cab", v2v_tempdir_path (dir)) == -1) {
    host = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_guest_download (w->g, cabinet, host, MAX_CABINET, err) == -1
             ? -1
             : v2v_cabinet_extract (host, file, MAX_DRIVER, ret, ret_len, err);
}

/* A cabinet that cannot be read is as good as none: a finding. */
static int
from_cabinet (struct windows_guest *w, const char *cabinet, const char *file,
              void **ret, size_t *ret_len, struct v2v_error **err)
{
  struct v2v_tempdir *dir = v2v_tempdir_new (NULL, err);
  struct v2v_error *e = NULL;
  int r;

  if (dir == NULL)
    return -1;
  r = extract (w, dir, cabinet, file, ret, ret_len, &e);
  v2v_tempdir_free (dir);
  if (r != -1)
    return r;
  if (v2v_error_code (e) != V2V_ERR_FORMAT &&
      v2v_error_code (e) != V2V_ERR_GUEST)
    return v2v_error_move (err, e);
  r = windows_report (w, V2V_WARNING, "guest.windows.driver-cabinet", cabinet,
                      "copy the driver into System32\\drivers on the source",
                      err, "%s", v2v_error_message (e));
  v2v_error_free (e);
  return r;
}

/* "sp3.cab", "sp2.cab", then "driver.cab". */
static int
from_cache (struct windows_guest *w, const char *file, void **ret,
            size_t *ret_len, struct v2v_error **err)
{
  static const char *const patterns[] = { "sp[0-9].cab", "driver.cab" };
  CLEANUP_FREE char *folder = NULL;

  if (asprintf (&folder, "%s/Driver Cache/%s", w->systemroot, media_arch (w)) ==
      -1) {
    folder = NULL;
    return v2v_fail_nomem (err);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (patterns); ++i) {
    CLEANUP_LIST char **paths = v2v_guest_glob (w->g, folder, patterns[i], err);
    size_t n = 0;

    if (paths == NULL)
      return -1;
    while (paths[n] != NULL)
      ++n;
    while (n-- > 0) { /* the highest first */
      const int r = from_cabinet (w, paths[n], file, ret, ret_len, err);

      if (r != 0)
        return r;
    }
  }
  return 0;
}

int
windows_find_old_drivers (struct windows_guest *w, struct v2v_error **err)
{
  if (w->version >= 60 || !w->generation1)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (wanted); ++i) {
    struct windows_found_driver *d = &w->found[w->nr_found];
    int r;

    if (windows_has_driver (w, wanted[i]))
      continue;
    r = from_service_pack (w, wanted[i], &d->data, &d->len, err);
    if (r == 0)
      r = from_cache (w, wanted[i], &d->data, &d->len, err);
    if (r == -1)
      return -1;
    if (r == 0)
      continue;
    d->file = wanted[i];
    w->nr_found++;
  }
  return 0;
}

bool
windows_has_found (const struct windows_guest *w, const char *file)
{
  for (size_t i = 0; i < w->nr_found; ++i)
    if (strcmp (w->found[i].file, file) == 0)
      return true;
  return false;
}

int
windows_place_old_drivers (struct windows_guest *w, struct v2v_error **err)
{
  for (size_t i = 0; i < w->nr_found; ++i) {
    const struct windows_found_driver *d = &w->found[i];
    CLEANUP_FREE char *path = NULL;

    if (asprintf (&path, "%s/System32/drivers/%s", w->systemroot, d->file) ==
        -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    if (v2v_guest_write (w->g, path, d->data, d->len, 0755, 0,
                         "a driver of Windows' own that its machine did not "
                         "need",
                         err) == -1 ||
        windows_report (w, V2V_INFORMATION, "guest.windows.driver-placed",
                        d->file, NULL, err,
                        "the driver was not installed: it was taken from "
                        "Windows' driver cache") == -1)
      return -1;
  }
  return 0;
}

void
windows_free_old_drivers (struct windows_guest *w)
{
  for (size_t i = 0; i < w->nr_found; ++i)
    free (w->found[i].data);
  w->nr_found = 0;
}
