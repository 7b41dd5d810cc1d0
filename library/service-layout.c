/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which machines a service has: their order, upgrade domains, names and
 * addresses.  Nothing here touches a catalogue or a file; the same arguments
 * give the same machines.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "library/computer-names.h"
#include "library/service-internal.h"

void
service_tiers_clear (struct service_tiers *t)
{
  for (size_t i = 0; i < t->len; ++i) {
    struct service_tier *p = &t->ptr[i];

    for (size_t k = 0; p->scripts != NULL && k < p->tier->nr_scripts; ++k)
      free (p->scripts[k]);
    free (p->scripts);
    free (p->pattern);
    free (p->vm_template);
    free (p->template_digest);
    free (p->hardware);
    free (p->guest_os);
    free (p->fingerprint);
  }
  free (t->ptr);
  t->ptr = NULL;
  t->len = 0;
}

const struct service_tier *
service_tier_find (const struct service_tiers *t, const char *name)
{
  for (size_t i = 0; i < t->len; ++i)
    if (strcmp (t->ptr[i].tier->name, name) == 0)
      return &t->ptr[i];
  return NULL;
}

struct service_limits
service_limits (const struct v2v_tier *t)
{
  struct service_limits l;

  /* As template-check.c has it. */
  l.minimum = t->minimum != -1 ? (unsigned) t->minimum : 1;
  l.instances = t->instances != -1 ? (unsigned) t->instances : l.minimum;
  l.maximum = t->maximum != -1 ? (unsigned) t->maximum : l.instances;
  l.domains = t->upgrade_domains != -1 ? (unsigned) t->upgrade_domains : 1;
  return l;
}

/* As a part of a computer name. */
static char *
name_part (const char *s)
{
  char *part = v2v_safe_name (s);

  for (char *p = part; p != NULL && *p != '\0'; ++p)
    if (*p == '_' || *p == '.')
      *p = '-';
  return part;
}

char *
service_pattern (const char *service, const char *prefix,
                 const struct v2v_tier *t, const char *from_template,
                 struct v2v_error **err)
{
  const char *said = t->computer_name != NULL ? t->computer_name
                     : prefix == NULL         ? from_template
                                              : NULL;
  CLEANUP_FREE char *front = name_part (prefix != NULL ? prefix : service);
  CLEANUP_FREE char *tier = name_part (t->name);
  char *pattern = NULL;
  const char *why;

  if (front == NULL || tier == NULL ||
      (said != NULL ? (pattern = strdup (said)) == NULL
                    : asprintf (&pattern, "%s-%s-##", front, tier) == -1)) {
    v2v_fail_nomem (err);
    return NULL;
  }
  why = strcmp (pattern, "*") == 0
            ? "a name that is known before the machine starts"
            : v2v_computer_name_check (pattern, false);
  if (why == NULL && strchr (pattern, '#') == NULL &&
      service_limits (t).maximum > 1)
    why = "a counter ('##'), as the tier may have several machines";
  if (why == NULL)
    return pattern;
  v2v_fail (err, V2V_ERR_USAGE, "tier %s: computer name '%.80s': expected %s",
            t->name, pattern, why);
  free (pattern);
  return NULL;
}

/* ---- lists ---- */

static void
machine_clear (struct v2v_service_machine *m)
{
  free (m->tier);
  free (m->computer_name);
  free (m->address);
  free (m->host);
  free (m->host_reason);
  free (m->id);
  free (m->state);
}

void
v2v_service_machines_clear (struct v2v_service_machines *m)
{
  for (size_t i = 0; i < m->len; ++i)
    machine_clear (&m->ptr[i]);
  free (m->ptr);
  memset (m, 0, sizeof *m);
}

struct v2v_service_machine *
service_machine_add (struct v2v_service_machines *list, const char *tier,
                     unsigned ordinal, struct v2v_error **err)
{
  struct v2v_service_machine *m;

  if (list->len == list->cap) {
    const size_t cap = list->cap * 2 + 16;

    m = reallocarray (list->ptr, cap, sizeof *m);
    if (m == NULL) {
      v2v_fail_nomem (err);
      return NULL;
    }
    list->ptr = m;
    list->cap = cap;
  }
  m = &list->ptr[list->len];
  memset (m, 0, sizeof *m);
  m->tier = strdup (tier);
  m->ordinal = ordinal;
  if (m->tier == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  ++list->len;
  return m;
}

static int
copy_text (char **to, const char *from)
{
  *to = from != NULL ? strdup (from) : NULL;
  return from != NULL && *to == NULL ? -1 : 0;
}

int
service_machine_copy (struct v2v_service_machines *list,
                      const struct v2v_service_machine *from,
                      struct v2v_error **err)
{
  struct v2v_service_machine *m =
      service_machine_add (list, from->tier, from->ordinal, err);

  if (m == NULL)
    return -1;
  m->domain = from->domain;
  return copy_text (&m->computer_name, from->computer_name) == -1 ||
                 copy_text (&m->address, from->address) == -1 ||
                 copy_text (&m->host, from->host) == -1 ||
                 copy_text (&m->host_reason, from->host_reason) == -1 ||
                 copy_text (&m->id, from->id) == -1 ||
                 copy_text (&m->state, from->state) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

unsigned
service_count (const struct v2v_service_machines *list, const char *tier)
{
  unsigned n = 0;

  for (size_t i = 0; i < list->len; ++i)
    n += strcmp (list->ptr[i].tier, tier) == 0;
  return n;
}

/* ---- one tier ---- */

struct layout {
  const struct v2v_service_machines *existing;
  struct v2v_service_machines *machines;
  /* Names in use, NULL-terminated; borrowed from TAKEN and the machines. */
  const char **names;
  size_t nr_names;
};

static int
compare_ordinals (const void *a, const void *b)
{
  const struct v2v_service_machine *const *x = a, *const *y = b;

  return ((*x)->ordinal > (*y)->ordinal) - ((*x)->ordinal < (*y)->ordinal);
}

/* The machines of TIER by their ordinals; the caller frees the array. */
static const struct v2v_service_machine **
machines_of (const struct v2v_service_machines *list, const char *tier,
             size_t *ret_nr, struct v2v_error **err)
{
  const struct v2v_service_machine **of = calloc (list->len + 1, sizeof *of);
  size_t n = 0;

  if (of == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (size_t i = 0; i < list->len; ++i)
    if (strcmp (list->ptr[i].tier, tier) == 0)
      of[n++] = &list->ptr[i];
  if (n > 1)
    qsort (of, n, sizeof *of, compare_ordinals);
  *ret_nr = n;
  return of;
}

static int
new_machine (struct layout *l, const struct service_tier *t, unsigned ordinal,
             struct v2v_error **err)
{
  struct v2v_service_machine *m =
      service_machine_add (l->machines, t->tier->name, ordinal, err);

  if (m == NULL || v2v_computer_name_next (t->pattern, l->names, t->windows,
                                           &m->computer_name, err) == -1)
    return v2v_prefix (err, "tier %s", t->tier->name);
  l->names[l->nr_names++] = m->computer_name;
  return 0;
}

static int
finish_machine (const struct service_tier *t, struct v2v_service_machine *m,
                struct v2v_error **err)
{
  const unsigned domains = service_limits (t->tier).domains;

  m->domain = (m->ordinal - 1) % domains + 1;
  if (t->tier->addresses == NULL)
    return 0;
  free (STEAL (m->address));
  if (service_pool_nth (t->tier->addresses, m->ordinal - 1, &m->address, err) ==
      -1)
    return v2v_prefix (err, "tier %s", t->tier->name);
  return 0;
}

/* Those that are there stay as far as COUNT goes, those with the lowest
 * ordinals first; ordinals that are free are used again. */
static int
lay_out_tier (struct layout *l, const struct service_tier *t, unsigned count,
              struct v2v_error **err)
{
  size_t nr = 0, next = 0;
  CLEANUP_FREE const struct v2v_service_machine **old =
      machines_of (l->existing, t->tier->name, &nr, err);
  size_t kept = nr < count ? nr : count;
  unsigned to_make;

  if (old == NULL)
    return -1;
  to_make = count - (unsigned) kept;
  for (unsigned ordinal = 1; kept > 0 || to_make > 0; ++ordinal) {
    if (kept > 0 && old[next]->ordinal == ordinal) {
      if (service_machine_copy (l->machines, old[next++], err) == -1)
        return -1;
      --kept;
    }
    else if (to_make > 0) {
      if (new_machine (l, t, ordinal, err) == -1)
        return -1;
      --to_make;
    }
    else
      continue;
    if (finish_machine (t, &l->machines->ptr[l->machines->len - 1], err) == -1)
      return -1;
  }
  return 0;
}

/* ---- all tiers ---- */

static int
compare_tiers (const void *a, const void *b)
{
  const struct service_tier *const *x = a, *const *y = b;
  const int64_t ox = (*x)->tier->order != -1 ? (*x)->tier->order : 1;
  const int64_t oy = (*y)->tier->order != -1 ? (*y)->tier->order : 1;

  /* Tiers of one order as the template has them. */
  return ox != oy ? (ox > oy) - (ox < oy) : (*x > *y) - (*x < *y);
}

static int
compare_addresses (const void *a, const void *b)
{
  const struct v2v_service_machine *const *x = a, *const *y = b;
  const char *p = (*x)->address, *q = (*y)->address;

  return strcmp (p != NULL ? p : "", q != NULL ? q : "");
}

static int
refuse_equal (const struct v2v_service_machines *m, struct v2v_error **err)
{
  CLEANUP_FREE const struct v2v_service_machine **by =
      calloc (m->len + 1, sizeof *by);

  if (by == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < m->len; ++i)
    by[i] = &m->ptr[i];
  if (m->len > 1)
    qsort (by, m->len, sizeof *by, compare_addresses);
  for (size_t i = 1; i < m->len; ++i)
    if (by[i]->address != NULL && by[i - 1]->address != NULL &&
        strcmp (by[i]->address, by[i - 1]->address) == 0)
      return v2v_fail (
          err, V2V_ERR_USAGE, "%s and %s would both have the address %s",
          by[i - 1]->computer_name, by[i]->computer_name, by[i]->address);
  return 0;
}

static int
check_counts (const struct service_tiers *tiers, const unsigned *counts,
              size_t *ret_total, struct v2v_error **err)
{
  size_t total = 0;

  for (size_t i = 0; i < tiers->len; ++i) {
    const struct service_limits l = service_limits (tiers->ptr[i].tier);

    if (counts[i] < l.minimum || counts[i] > l.maximum)
      return v2v_fail (
          err, V2V_ERR_USAGE, "tier %s: %u machines, expected %u to %u",
          tiers->ptr[i].tier->name, counts[i], l.minimum, l.maximum);
    total += counts[i];
  }
  *ret_total = total;
  return 0;
}

int
service_layout (const struct service_tiers *tiers, const unsigned *counts,
                const struct v2v_service_machines *existing,
                const char *const *taken, struct v2v_service_machines *ret,
                struct v2v_error **err)
{
  CLEANUP_FREE const struct service_tier **order =
      calloc (tiers->len + 1, sizeof *order);
  CLEANUP_FREE const char **names = NULL;
  struct v2v_service_machines machines = { .ptr = NULL };
  struct layout l = { .existing = existing, .machines = &machines };
  size_t nr_taken = 0, total = 0;
  int r = 0;

  if (check_counts (tiers, counts, &total, err) == -1)
    return -1;
  while (taken != NULL && taken[nr_taken] != NULL)
    ++nr_taken;
  names = calloc (nr_taken + existing->len + total + 1, sizeof *names);
  if (order == NULL || names == NULL)
    return v2v_fail_nomem (err);
  l.names = names;
  for (size_t i = 0; i < nr_taken; ++i)
    names[l.nr_names++] = taken[i];
  for (size_t i = 0; i < existing->len; ++i)
    names[l.nr_names++] = existing->ptr[i].computer_name;
  for (size_t i = 0; i < tiers->len; ++i)
    order[i] = &tiers->ptr[i];
  if (tiers->len > 1)
    qsort (order, tiers->len, sizeof *order, compare_tiers);
  for (size_t i = 0; r == 0 && i < tiers->len; ++i)
    r = lay_out_tier (&l, order[i], counts[order[i] - tiers->ptr], err);
  if (r == 0)
    r = refuse_equal (&machines, err);
  if (r == 0)
    *ret = machines;
  else
    v2v_service_machines_clear (&machines);
  return r;
}
