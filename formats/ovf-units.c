/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocation units of OVF: "byte * 2^20", "MegaBytes", "hertz * 10^6".
 *
 * The grammar is that of programmatic units, DMTF DSP0004 annex C.1, as far as
 * DSP0243 uses it: factors joined by '*', each one a unit name, an integer or
 * base^exponent; blanks are free.  OVF 0.9 and VirtualBox write "MegaBytes"
 * alone: there and in every VMware product mega is 2^20.  Division and
 * negative exponents are refused: no disk or memory is a fraction of a byte.
 */

#include <config.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"

struct unit {
  const char *name;
  enum ovf_unit_kind kind;
  uint64_t factor;
};

// clang-format off
static const struct unit units[] = {
  { "byte",      OVF_UNIT_BYTE,  1 },
  { "b",         OVF_UNIT_BYTE,  1 },
  { "kilobyte",  OVF_UNIT_BYTE,  V2V_KIB },
  { "kibibyte",  OVF_UNIT_BYTE,  V2V_KIB },
  { "kb",        OVF_UNIT_BYTE,  V2V_KIB },
  { "kib",       OVF_UNIT_BYTE,  V2V_KIB },
  { "megabyte",  OVF_UNIT_BYTE,  V2V_MIB },
  { "mebibyte",  OVF_UNIT_BYTE,  V2V_MIB },
  { "mb",        OVF_UNIT_BYTE,  V2V_MIB },
  { "mib",       OVF_UNIT_BYTE,  V2V_MIB },
  { "gigabyte",  OVF_UNIT_BYTE,  V2V_GIB },
  { "gibibyte",  OVF_UNIT_BYTE,  V2V_GIB },
  { "gb",        OVF_UNIT_BYTE,  V2V_GIB },
  { "gib",       OVF_UNIT_BYTE,  V2V_GIB },
  { "terabyte",  OVF_UNIT_BYTE,  V2V_TIB },
  { "tebibyte",  OVF_UNIT_BYTE,  V2V_TIB },
  { "tb",        OVF_UNIT_BYTE,  V2V_TIB },
  { "tib",       OVF_UNIT_BYTE,  V2V_TIB },
  { "hertz",     OVF_UNIT_HERTZ, 1 },
  { "hz",        OVF_UNIT_HERTZ, 1 },
  { "kilohertz", OVF_UNIT_HERTZ, 1000 },
  { "khz",       OVF_UNIT_HERTZ, 1000 },
  { "megahertz", OVF_UNIT_HERTZ, 1000000 },
  { "mhz",       OVF_UNIT_HERTZ, 1000000 },
  { "gigahertz", OVF_UNIT_HERTZ, 1000000000 },
  { "ghz",       OVF_UNIT_HERTZ, 1000000000 },
  { "count",     OVF_UNIT_COUNT, 1 },
};
// clang-format on

static const char *
skip_blanks (const char *p)
{
  while (isspace ((unsigned char) *p))
    p++;
  return p;
}

/* An unsigned integer at *P; false if there is none or it overflows. */
static bool
integer (const char **p, uint64_t *ret)
{
  uint64_t v = 0;

  if (!isdigit ((unsigned char) **p))
    return false;
  for (; isdigit ((unsigned char) **p); ++*p)
    if (!v2v_mul_u64 (v, 10, &v) ||
        !v2v_add_u64 (v, (uint64_t) (**p - '0'), &v))
      return false;
  *ret = v;
  return true;
}

/* "2^20" or "1024" */
static bool
number_factor (const char **p, uint64_t *ret)
{
  uint64_t base, exponent, v = 1;
  const char *q;

  if (!integer (p, &base))
    return false;
  q = skip_blanks (*p);
  if (*q != '^') {
    *ret = base;
    return true;
  }
  *p = skip_blanks (q + 1);
  /* 64 is the largest power of two that could matter; it bounds the loop. */
  if (!integer (p, &exponent) || exponent > 64)
    return false;
  while (exponent-- > 0)
    if (!v2v_mul_u64 (v, base, &v))
      return false;
  *ret = v;
  return true;
}

static const struct unit *
unit_factor (const char **p)
{
  size_t len = 0, n;

  while (isalpha ((unsigned char) (*p)[len]))
    len++;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (units); ++i) {
    n = strlen (units[i].name);
    if (strncasecmp (*p, units[i].name, n) != 0)
      continue;
    if (len == n ||
        (len == n + 1 && n > 3 && ((*p)[n] == 's' || (*p)[n] == 'S'))) {
      *p += len;
      return &units[i];
    }
  }
  return NULL;
}

bool
v2v_ovf_units (const char *text, enum ovf_unit_kind *ret_kind,
               uint64_t *ret_factor)
{
  enum ovf_unit_kind kind = OVF_UNIT_NONE;
  const char *p = skip_blanks (text);
  uint64_t product = 1;

  if (*p == '\0')
    return false;
  for (;;) {
    uint64_t factor = 0;

    if (isdigit ((unsigned char) *p)) {
      if (!number_factor (&p, &factor))
        return false;
    }
    else {
      const struct unit *u = unit_factor (&p);

      if (u == NULL || kind != OVF_UNIT_NONE)
        return false;
      kind = u->kind;
      factor = u->factor;
    }
    if (factor == 0 || !v2v_mul_u64 (product, factor, &product))
      return false;
    p = skip_blanks (p);
    if (*p == '\0')
      break;
    if (*p != '*')
      return false;
    p = skip_blanks (p + 1);
  }
  *ret_kind = kind;
  *ret_factor = product;
  return true;
}

bool
v2v_ovf_number (const char *text, uint64_t *ret)
{
  const char *p = skip_blanks (text);
  uint64_t v;

  if (!integer (&p, &v))
    return false;
  /* Some tools write "4096.0" or "4 ": only zeros may follow the point. */
  if (*p == '.')
    for (++p; *p == '0'; ++p)
      ;
  if (*skip_blanks (p) != '\0')
    return false;
  *ret = v;
  return true;
}
