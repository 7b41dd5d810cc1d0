/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Customising a guest: which system it is, and what of the profile is for
 * another one. */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"

int
customize_finding (struct customize *c, enum v2v_severity severity,
                   const char *id, const char *subject, const char *remedy,
                   struct v2v_error **err, const char *fmt, ...)
{
  CLEANUP_FREE char *text = NULL;
  va_list args;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1)
    text = NULL;
  if (text == NULL || v2v_findings_add (v2v_guest_findings (c->g), severity, id,
                                        subject, remedy, "%s", text) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

void
customize_wipe_str (struct v2v_str *s)
{
  if (s->ptr != NULL)
    explicit_bzero (s->ptr, s->len);
  v2v_str_free (s);
}

void
customize_wipe_text (char **s)
{
  if (*s != NULL)
    explicit_bzero (*s, strlen (*s));
  free (*s);
}

int
customize_quote (struct v2v_str *out, const char *s)
{
  if (v2v_str_append (out, "\"") == -1)
    return -1;
  for (; *s != '\0'; ++s) {
    const unsigned char ch = (unsigned char) *s;
    int r;

    if (ch == '"' || ch == '\\')
      r = v2v_str_printf (out, "\\%c", ch);
    else if (ch < 32 || ch == 127)
      r = v2v_str_printf (out, "\\u%04x", ch);
    else
      r = v2v_str_append_len (out, s, 1);
    if (r == -1)
      return -1;
  }
  return v2v_str_append (out, "\"");
}

int
customize_base64 (struct v2v_str *s, const void *bytes, size_t len, bool lines)
{
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *data = bytes;

  for (size_t i = 0; i < len; i += 3) {
    const size_t n = len - i < 3 ? len - i : 3;
    uint32_t v = (uint32_t) data[i] << 16;
    char out[5] = "====";

    if (n > 1)
      v |= (uint32_t) data[i + 1] << 8;
    if (n > 2)
      v |= data[i + 2];
    for (size_t k = 0; k <= n; ++k)
      out[k] = digits[v >> (18 - 6 * k) & 63];
    if (v2v_str_append (s, out) == -1 ||
        (lines && i / 3 % 19 == 18 && v2v_str_append (s, "\n") == -1))
      return -1;
  }
  return 0;
}

char *
customize_short_name (const char *name)
{
  return strndup (name, strcspn (name, "."));
}

/* A profile may serve machines of both families. */
static int
tell_other_family (struct customize *c, struct v2v_error **err)
{
  const bool windows = c->os->family == V2V_FAMILY_WINDOWS;

  if (windows ? !c->p->os_linux.given : !c->p->windows.given)
    return 0;
  return customize_finding (c, V2V_INFORMATION, "guest.customize.other-system",
                            NULL, NULL, err,
                            "the profile's part '%s' is not for this guest",
                            windows ? "linux" : "windows");
}

/* A MAC that no card of the machine has is a slip of the pen. */
static int
check_macs (struct customize *c, struct v2v_error **err)
{
  const struct v2v_machine *m = v2v_guest_machine (c->g);

  for (size_t i = 0; m != NULL && i < c->p->nr_nics; ++i) {
    const char *mac = c->p->nics[i].mac;
    bool found = false;

    for (size_t k = 0; k < m->nr_nics; ++k)
      found |= m->nics[k].mac != NULL && strcasecmp (m->nics[k].mac, mac) == 0;
    if (!found &&
        customize_finding (c, V2V_WARNING, "guest.customize.mac", mac,
                           "give an adapter of the machine this address", err,
                           "no adapter of the machine has the address %s",
                           mac) == -1)
      return -1;
  }
  return 0;
}

int
v2v_customize (struct v2v_guest *g, const struct v2v_profile *p,
               struct v2v_error **err)
{
  struct customize c = { .g = g, .os = v2v_guest_os (g), .p = p };

  if (c.os->family != V2V_FAMILY_LINUX && c.os->family != V2V_FAMILY_WINDOWS)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the guest's system cannot be customised: expected Linux "
                     "or Windows, found %s",
                     v2v_guest_family_name (c.os->family));
  if (tell_other_family (&c, err) == -1 || check_macs (&c, err) == -1)
    return -1;
  return c.os->family == V2V_FAMILY_LINUX ? customize_linux (&c, err)
                                          : customize_windows (&c, err);
}
