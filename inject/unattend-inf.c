/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysprep.inf: the answer file of Windows XP and 2003.
 *
 * Source: "Microsoft Windows Corporate Deployment Tools User's Guide"
 * (ref.chm of deploy.cab): [GuiUnattended], [Identification], [Unattended],
 * [UserData]; quoting of INF files ("General Syntax Rules for INF Files").
 */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"
#include "inject/time-zones.h"
#include "inject/unattend.h"

/* KEY="VALUE": quotes are doubled, '%' would begin a string's name.  The file
 * is read in the machine's own code page, so only ASCII is sure. */
static int
put (struct v2v_str *s, const char *key, const char *value,
     struct v2v_error **err)
{
  if (value == NULL)
    return 0;
  for (const char *p = value; *p != '\0'; ++p)
    if ((*p & 0x80) != 0 || (unsigned char) *p < 32)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s of sysprep.inf: Windows XP and 2003 take plain "
                       "ASCII only",
                       key);
  if (v2v_str_printf (s, "%s=\"", key) == -1)
    return v2v_fail_nomem (err);
  for (const char *p = value; *p != '\0'; ++p)
    if (v2v_str_printf (s, "%s%c",
                        *p == '"'   ? "\""
                        : *p == '%' ? "%"
                                    : "",
                        *p) == -1)
      return v2v_fail_nomem (err);
  return v2v_str_append (s, "\"\r\n") == -1 ? v2v_fail_nomem (err) : 0;
}

static int
section (struct v2v_str *s, const char *text, struct v2v_error **err)
{
  return v2v_str_append (s, text) == -1 ? v2v_fail_nomem (err) : 0;
}

static int
put_identification (struct v2v_str *s, const struct v2v_profile_windows *w,
                    struct v2v_error **err)
{
  if (w->join_domain == NULL && w->workgroup == NULL)
    return 0;
  if (section (s, "\r\n[Identification]\r\n", err) == -1)
    return -1;
  if (w->workgroup != NULL)
    return put (s, "JoinWorkgroup", w->workgroup, err);
  return put (s, "JoinDomain", w->join_domain, err) == -1 ||
                 put (s, "MachineObjectOU", w->join_ou, err) == -1 ||
                 put (s, "DomainAdmin", w->join_user, err) == -1 ||
                 put (s, "DomainAdminPassword", w->join_password.text, err) ==
                     -1
             ? -1
             : 0;
}

/* What those systems have no place for. */
static int
tell_left_out (const struct v2v_profile *p, struct v2v_findings *f,
               struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &p->windows;

  if (w->answer_file.text == NULL && w->nr_users == 0 && p->locale == NULL &&
      w->synchronous_commands == NULL && w->first_logon_commands == NULL)
    return 0;
  return v2v_findings_add (f, V2V_WARNING, "guest.customize.left-out", NULL,
                           "do it with a script of the first start",
                           "Windows XP and 2003: users, locales, commands and "
                           "an own answer file of the profile are left out") ==
                 -1
             ? v2v_fail_nomem (err)
             : 0;
}

char *
unattend_make_inf (const struct v2v_profile *p, struct v2v_findings *f,
                   size_t *ret_len, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &p->windows;
  const struct v2v_time_zone *zone =
      p->time_zone != NULL ? v2v_time_zone_find (p->time_zone) : NULL;
  CLEANUP_WIPE_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *name = NULL;

  if (p->computer_name != NULL &&
      (name = unattend_computer_name (p->computer_name, err)) == NULL)
    return NULL;
  if (tell_left_out (p, f, err) == -1 ||
      section (&s,
               "[Unattended]\r\nOemSkipEula=Yes\r\n"
               "\r\n[GuiUnattended]\r\nOemSkipRegional=1\r\nOemSkipWelcome=1"
               "\r\n",
               err) == -1)
    return NULL;
  if (w->administrator_password.text != NULL &&
      (put (&s, "AdminPassword", w->administrator_password.text, err) == -1 ||
       section (&s, "EncryptedAdminPassword=No\r\n", err) == -1))
    return NULL;
  if (w->auto_logon_count > 0 && w->auto_logon_user == NULL &&
      v2v_str_printf (&s, "AutoLogon=Yes\r\nAutoLogonCount=%u\r\n",
                      w->auto_logon_count) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (zone != NULL && zone->xp_index >= 0 &&
      v2v_str_printf (&s, "TimeZone=%d\r\n", zone->xp_index) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  /* A missing full name is a question on the screen. */
  if (section (&s, "\r\n[UserData]\r\n", err) == -1 ||
      put (&s, "ComputerName", name ? name : "*", err) == -1 ||
      put (&s, "FullName", w->owner ? w->owner : "User", err) == -1 ||
      put (&s, "OrgName", w->organization ? w->organization : "", err) == -1 ||
      put (&s, "ProductKey", w->product_key.text, err) == -1 ||
      put_identification (&s, w, err) == -1)
    return NULL;
  *ret_len = s.len;
  return STEAL (s.ptr);
}
