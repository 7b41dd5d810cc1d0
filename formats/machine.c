/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_machine: making, freeing, sorting, and what its readers share:
 * texts, MAC addresses, UUIDs, and the check that no disk is there twice.
 */

#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/machine-internal.h"

struct v2v_machine *
v2v_machine_new (struct v2v_error **err)
{
  struct v2v_machine *m = calloc (1, sizeof *m);

  if (m == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  m->nr_cpus = 1;
  return m;
}

/* Grow *LIST by one zeroed element of SIZE bytes.  Lists are short: grown in
 * steps of 8, so the capacity follows from the length.
 */
static void *
add (void **list, size_t *nr, size_t size)
{
  char *p = *list;

  if (*nr % 8 == 0) {
    p = reallocarray (p, *nr + 8, size);
    if (p == NULL)
      return NULL;
    *list = p;
  }
  memset (p + *nr * size, 0, size);
  return p + (*nr)++ * size;
}

#define ADD(m, list)                                                           \
  __extension__({                                                              \
    void *_l = (m)->list;                                                      \
    void *_e = add (&_l, &(m)->nr_##list, sizeof *(m)->list);                  \
    (m)->list = _l;                                                            \
    _e;                                                                        \
  })

struct v2v_controller *
v2v_machine_add_controller (struct v2v_machine *m)
{
  return ADD (m, controllers);
}

struct v2v_disk *
v2v_machine_add_disk (struct v2v_machine *m)
{
  struct v2v_disk *d = ADD (m, disks);

  if (d != NULL)
    d->boot_order = -1;
  return d;
}

struct v2v_removable *
v2v_machine_add_removable (struct v2v_machine *m)
{
  return ADD (m, removables);
}

struct v2v_nic *
v2v_machine_add_nic (struct v2v_machine *m)
{
  struct v2v_nic *n = ADD (m, nics);

  if (n != NULL) {
    n->vlan = -1;
    n->connected = true;
  }
  return n;
}

struct v2v_serial *
v2v_machine_add_serial (struct v2v_machine *m)
{
  return ADD (m, serials);
}

struct v2v_property *
v2v_machine_add_property (struct v2v_machine *m)
{
  return ADD (m, properties);
}

void
v2v_machine_free (struct v2v_machine *m)
{
  if (m == NULL)
    return;
  free (m->name);
  free (m->annotation);
  free (m->os_id);
  free (m->os_description);
  free (m->uuid_bios);
  free (m->uuid_instance);
  free (m->hardware_version);
  free (m->source_kind);
  free (m->source_path);
  free (m->nvram_file);
  free (m->snapshot);
  for (size_t i = 0; i < m->nr_controllers; ++i) {
    free (m->controllers[i].model);
    free (m->controllers[i].source_id);
  }
  for (size_t i = 0; i < m->nr_disks; ++i) {
    struct v2v_disk *d = &m->disks[i];
    free (d->id);
    free (d->file);
    free (d->parent_id);
    free (d->format_uri);
    free (d->mode);
  }
  for (size_t i = 0; i < m->nr_removables; ++i)
    free (m->removables[i].file);
  for (size_t i = 0; i < m->nr_nics; ++i) {
    struct v2v_nic *n = &m->nics[i];
    free (n->id);
    free (n->model);
    free (n->network);
    free (n->mac);
  }
  for (size_t i = 0; i < m->nr_serials; ++i) {
    free (m->serials[i].kind);
    free (m->serials[i].path);
  }
  for (size_t i = 0; i < m->nr_properties; ++i) {
    free (m->properties[i].key);
    free (m->properties[i].label);
    free (m->properties[i].value);
  }
  for (size_t i = 0; m->boot_order != NULL && m->boot_order[i] != NULL; ++i)
    free (m->boot_order[i]);
  free (m->boot_order);
  free (m->controllers);
  free (m->disks);
  free (m->removables);
  free (m->nics);
  free (m->serials);
  free (m->properties);
  v2v_findings_clear (&m->findings);
  free (m);
}

static int
compare_disks (const void *va, const void *vb)
{
  const struct v2v_disk *a = va, *b = vb;

  if (a->bus != b->bus)
    return a->bus < b->bus ? -1 : 1;
  if (a->controller != b->controller)
    return a->controller < b->controller ? -1 : 1;
  if (a->unit != b->unit)
    return a->unit < b->unit ? -1 : 1;
  return 0;
}

void
v2v_machine_sort_disks (struct v2v_machine *m)
{
  if (m->nr_disks > 1)
    qsort (m->disks, m->nr_disks, sizeof *m->disks, compare_disks);
}

const char *
v2v_bus_name (enum v2v_bus bus)
{
  switch (bus) {
  case V2V_BUS_IDE:
    return "ide";
  case V2V_BUS_SCSI:
    return "scsi";
  case V2V_BUS_SATA:
    return "sata";
  case V2V_BUS_NVME:
    return "nvme";
  case V2V_BUS_FLOPPY:
    return "floppy";
  case V2V_BUS_OTHER:
    return "other";
  }
  return "?";
}

const char *
v2v_firmware_name (enum v2v_firmware f)
{
  return f == V2V_FIRMWARE_EFI ? "efi" : "bios";
}

int
v2v_machine_set (char **dst, const char *s, struct v2v_error **err)
{
  char *copy = NULL;

  if (s != NULL && (copy = strdup (s)) == NULL)
    return v2v_fail_nomem (err);
  free (*dst);
  *dst = copy;
  return 0;
}

int
v2v_machine_set_lower (char **dst, const char *s, struct v2v_error **err)
{
  if (v2v_machine_set (dst, s, err) == -1)
    return -1;
  for (char *p = *dst; p != NULL && *p != '\0'; ++p)
    *p = (char) tolower ((unsigned char) *p);
  return 0;
}

/* The hex digits of S, lower case, into OUT (MAX + 1 bytes); -1 if there are
 * not exactly MAX, or anything but separators in between.
 */
static int
hex_digits (const char *s, const char *separators, size_t max, char *out)
{
  size_t n = 0;

  for (; *s != '\0'; ++s) {
    if (strchr (separators, *s) != NULL)
      continue;
    if (!isxdigit ((unsigned char) *s) || n == max)
      return -1;
    out[n++] = (char) tolower ((unsigned char) *s);
  }
  out[n] = '\0';
  return n == max ? 0 : -1;
}

bool
v2v_machine_format_mac (const char *s, char out[18])
{
  char hex[13];

  if (hex_digits (s, ":-. ", 12, hex) == -1)
    return false;
  /* The group bit: no adapter has such an address.  All zeros: none yet. */
  if (strchr ("13579bdf", hex[1]) != NULL || strcmp (hex, "000000000000") == 0)
    return false;
  for (size_t i = 0; i < 6; ++i) {
    out[3 * i] = hex[2 * i];
    out[3 * i + 1] = hex[2 * i + 1];
    out[3 * i + 2] = i == 5 ? '\0' : ':';
  }
  return true;
}

bool
v2v_machine_format_uuid (const char *s, char out[37])
{
  struct v2v_guid g;
  char hex[33];

  if (hex_digits (s, " -{}\t", 32, hex) == -1 ||
      !v2v_unhex (hex, 32, g.bytes, sizeof g.bytes) || v2v_guid_is_zero (&g))
    return false;
  v2v_guid_format (&g, out);
  return true;
}

char *
v2v_machine_printable (const char *s)
{
  const size_t len = strlen (s), n = len > 200 ? 200 : len;
  char *copy = strndup (s, n);
  size_t keep = n;

  if (copy == NULL)
    return NULL;
  /* Do not cut a character in two. */
  while (keep > 0 && n < len && ((unsigned char) s[keep] & 0xc0) == 0x80)
    keep--;
  copy[keep] = '\0';
  const bool valid = v2v_is_valid_utf8 (copy, keep);
  for (char *p = copy; *p != '\0'; ++p)
    if ((unsigned char) *p < 32 || *p == 127 ||
        (!valid && (unsigned char) *p >= 128))
      *p = '?';
  return copy;
}

int
v2v_machine_add_boot (struct v2v_machine *m, const char *what,
                      struct v2v_error **err)
{
  size_t n = 0;
  char **p;

  for (; m->boot_order != NULL && m->boot_order[n] != NULL; ++n)
    if (strcmp (m->boot_order[n], what) == 0)
      return 0;
  p = reallocarray (m->boot_order, n + 2, sizeof *p);
  if (p == NULL)
    return v2v_fail_nomem (err);
  m->boot_order = p;
  p[n + 1] = NULL;
  p[n] = strdup (what);
  return p[n] == NULL ? v2v_fail_nomem (err) : 0;
}

int
v2v_machine_check_disks (const struct v2v_machine *m, struct v2v_error **err)
{
  for (size_t i = 0; i < m->nr_disks; ++i)
    for (size_t j = i + 1; j < m->nr_disks; ++j) {
      const struct v2v_disk *a = &m->disks[i], *b = &m->disks[j];

      if (a->bus == b->bus && a->controller == b->controller &&
          a->unit == b->unit)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "disks '%.80s' and '%.80s' are both at %s %u:%u",
                         a->id != NULL ? a->id : "", b->id != NULL ? b->id : "",
                         v2v_bus_name (a->bus), a->controller, a->unit);
      if (a->file != NULL && b->file != NULL && strcmp (a->file, b->file) == 0)
        return v2v_fail (err, V2V_ERR_FORMAT,
                         "disks '%.80s' and '%.80s' are the same file '%.80s'",
                         a->id != NULL ? a->id : "", b->id != NULL ? b->id : "",
                         a->file);
    }
  return 0;
}
