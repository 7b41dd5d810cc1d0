/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and notes of the source, made fit for Hyper-V, for a terminal and for
 * a script; and the names of enumerations.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv-internal.h"

/* Decode one character at S; its length in *RET_LEN (1 for a bad byte, which
 * gives UINT32_MAX).  S is NUL-terminated, so reading stops at a short one. */
static uint32_t
decode (const unsigned char *s, size_t *ret_len)
{
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  size_t n = s[0] < 0x80             ? 1
             : (s[0] & 0xe0) == 0xc0 ? 2
             : (s[0] & 0xf0) == 0xe0 ? 3
             : (s[0] & 0xf8) == 0xf0 ? 4
                                     : 0;
  uint32_t c;

  *ret_len = 1;
  if (n == 0)
    return UINT32_MAX;
  c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((s[i] & 0xc0) != 0x80)
      return UINT32_MAX;
    c = c << 6 | (s[i] & 0x3f);
  }
  if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return UINT32_MAX;
  *ret_len = n;
  return c;
}

/* Characters that change what a reader sees or where a line ends. */
static bool
is_unsafe (uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e ||
         c == 0x200f || c == 0x2028 || c == 0x2029 ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0xfeff || (c & 0xfffe) == 0xfffe ||
         (c >= 0xe0000 && c <= 0xe007f) || c > 0x10ffff;
}

char *
hyperv_clean_text (const char *text, bool keep_lines, size_t max_units,
                   bool *ret_changed)
{
  const unsigned char *s = (const unsigned char *) text;
  size_t units = 0, o = 0, n;
  bool changed = false;
  char *out = malloc (strlen (text) + 1);

  if (out == NULL)
    return NULL;
  for (; *s != '\0'; s += n) {
    const uint32_t c = decode (s, &n);

    units += c > 0xffff && c != UINT32_MAX ? 2 : 1;
    if (units > max_units) {
      changed = true;
      break;
    }
    if (keep_lines && (c == '\n' || c == '\r')) {
      if (c == '\r' && s[1] == '\n')
        continue;
      out[o++] = '\n';
    }
    else if (keep_lines && c == '\t')
      out[o++] = ' ';
    else if (is_unsafe (c)) {
      out[o++] = '_';
      changed = true;
    }
    else {
      memcpy (out + o, s, n);
      o += n;
    }
  }
  out[o] = '\0';
  if (ret_changed != NULL)
    *ret_changed = changed;
  return out;
}

static const char *const checkpoint_names[] = {
  [V2V_CHECKPOINT_PRODUCTION] = "Production",
  [V2V_CHECKPOINT_PRODUCTION_ONLY] = "ProductionOnly",
  [V2V_CHECKPOINT_STANDARD] = "Standard",
  [V2V_CHECKPOINT_DISABLED] = "Disabled",
};
static const char *const start_names[] = {
  [V2V_START_IF_RUNNING] = "StartIfRunning",
  [V2V_START_NOTHING] = "Nothing",
  [V2V_START_ALWAYS] = "Start",
};
static const char *const stop_names[] = {
  [V2V_STOP_SHUT_DOWN] = "ShutDown",
  [V2V_STOP_SAVE] = "Save",
  [V2V_STOP_TURN_OFF] = "TurnOff",
};

/* Index of S in NAMES without regard to case, or -1. */
static int
parse (const char *s, const char *const *names, size_t n)
{
  for (size_t i = 0; i < n; ++i)
    if (strcasecmp (s, names[i]) == 0)
      return (int) i;
  return -1;
}

const char *
v2v_hyperv_checkpoint_name (enum v2v_hyperv_checkpoint c)
{
  return checkpoint_names[c];
}

const char *
v2v_hyperv_start_action_name (enum v2v_hyperv_start_action a)
{
  return start_names[a];
}

const char *
v2v_hyperv_stop_action_name (enum v2v_hyperv_stop_action a)
{
  return stop_names[a];
}

const char *
v2v_hyperv_cmdlet_name (enum v2v_hyperv_cmdlet c)
{
  static const char *const names[] = {
    [V2V_SET_PROCESSOR] = "Processor", [V2V_SET_MEMORY] = "Memory",
    [V2V_SET_VM] = "Machine",          [V2V_SET_FIRMWARE] = "Firmware",
    [V2V_SET_BIOS] = "Bios",           [V2V_SET_SECURITY] = "Security",
    [V2V_SET_ADAPTER] = "Adapter",     [V2V_SET_SERVICE] = "Service",
  };

  return names[c];
}

const char *
v2v_hyperv_template_name (enum v2v_secure_boot_template t)
{
  switch (t) {
  case V2V_TEMPLATE_NONE:
    return "";
  case V2V_TEMPLATE_WINDOWS:
    return "MicrosoftWindows";
  case V2V_TEMPLATE_UEFI_CA:
    return "MicrosoftUEFICertificateAuthority";
  }
  return "";
}

bool
v2v_hyperv_checkpoint_parse (const char *s, enum v2v_hyperv_checkpoint *ret)
{
  const int i = parse (s, checkpoint_names, V2V_ARRAY_SIZE (checkpoint_names));

  if (i >= 0)
    *ret = (enum v2v_hyperv_checkpoint) i;
  return i >= 0;
}

bool
v2v_hyperv_start_action_parse (const char *s, enum v2v_hyperv_start_action *ret)
{
  const int i = parse (s, start_names, V2V_ARRAY_SIZE (start_names));

  if (i >= 0)
    *ret = (enum v2v_hyperv_start_action) i;
  return i >= 0;
}

bool
v2v_hyperv_stop_action_parse (const char *s, enum v2v_hyperv_stop_action *ret)
{
  const int i = parse (s, stop_names, V2V_ARRAY_SIZE (stop_names));

  if (i >= 0)
    *ret = (enum v2v_hyperv_stop_action) i;
  return i >= 0;
}
