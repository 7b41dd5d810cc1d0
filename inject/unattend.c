/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unattend.xml from a profile, merged with the user's own file.
 *
 * The user's file is the base.  The profile fills what it lacks; where both
 * say something, the file stays and there is a finding; lists (commands,
 * accounts) are joined, ours behind.
 *
 * Source: "Unattended Windows Setup Reference" and "Windows Setup Automation
 * Overview" (Microsoft); passwords with PlainText false are base64 of UTF-16LE
 * of the password and the element's name, which hides them from a glance and
 * from nothing else (guest-windows section 14).
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"
#include "inject/unattend.h"

#define SHELL    "Microsoft-Windows-Shell-Setup"
#define JOIN     "Microsoft-Windows-UnattendedJoin"
#define LOCALES  "Microsoft-Windows-International-Core"
#define DEPLOY   "Microsoft-Windows-Deployment"
#define TERMINAL "Microsoft-Windows-TerminalServices-LocalSessionManager"
#define FIREWALL "Networking-MPSSVC-Svc"
#define TCPIP    "Microsoft-Windows-TCPIP"
#define DNS      "Microsoft-Windows-DNS-Client"

#define SPECIALIZE "specialize"
#define OOBE       "oobeSystem"

/* Bounds of Microsoft's reference. */
#define MAX_RUN_SYNCHRONOUS 259

struct unattend {
  struct v2v_xml *doc;
  const char *arch;
  const struct v2v_profile *p;
  const struct v2v_os *os;
  struct v2v_findings *f;
  bool network; /* the cards of the profile as well */
};

const char *
unattend_architecture (const char *arch)
{
  static const char *const names[][2] = {
    { "x86_64", "amd64" }, { "i386", "x86" },    { "i486", "x86" },
    { "i586", "x86" },     { "i686", "x86" },    { "aarch64", "arm64" },
    { "amd64", "amd64" },  { "arm64", "arm64" }, { "x86", "x86" },
  };

  for (size_t i = 0; arch != NULL && i < V2V_ARRAY_SIZE (names); ++i)
    if (strcmp (names[i][0], arch) == 0)
      return names[i][1];
  return NULL;
}

char *
unattend_computer_name (const char *name, struct v2v_error **err)
{
  char *s = customize_short_name (name);
  const size_t len = s != NULL ? strlen (s) : 0;
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

  if (s == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (strcmp (s, "*") == 0)
    return s;
  if (len == 0 || len > 15 || s[strspn (s, letters)] != '\0' || s[0] == '-' ||
      s[len - 1] == '-' || s[strspn (s, "0123456789")] == '\0') {
    v2v_fail (err, V2V_ERR_USAGE,
              "computer name '%s': Windows takes up to 15 letters, digits and "
              "'-', not digits alone",
              s);
    free (s);
    return NULL;
  }
  return s;
}

/* ---- finding and making elements ---- */

/* The component of PASS, made where it is not there. */
static struct v2v_xml_node *
component (struct unattend *u, const char *pass, const char *name,
           struct v2v_error **err)
{
  static const char *const fixed[][2] = {
    { "publicKeyToken", "31bf3856ad364e35" },
    { "language", "neutral" },
    { "versionScope", "nonSxS" },
  };
  const struct v2v_xml_node *root = v2v_xml_root (u->doc), *n, *c;
  struct v2v_xml_node *settings = NULL, *new;

  V2V_XML_EACH (n, root)
  if (v2v_xml_is (n, UNATTEND_NS, "settings") &&
      v2v_xml_attr (n, "", "pass") != NULL &&
      strcmp (v2v_xml_attr (n, "", "pass"), pass) == 0)
    settings = v2v_xml_edit (u->doc, n);
  if (settings == NULL) {
    settings = v2v_xml_add (v2v_xml_edit (u->doc, root), "settings", NULL, err);
    if (settings == NULL ||
        v2v_xml_set_attr (settings, "", NULL, "pass", pass, err) == -1)
      return NULL;
  }
  V2V_XML_EACH (c, settings)
  if (strcmp (v2v_xml_attr (c, "", "name"), name) == 0 &&
      strcmp (v2v_xml_attr (c, "", "processorArchitecture"), u->arch) == 0)
    return v2v_xml_edit (u->doc, c);
  new = v2v_xml_add (settings, "component", NULL, err);
  if (new == NULL ||
      v2v_xml_set_attr (new, "", NULL, "name", name, err) == -1 ||
      v2v_xml_set_attr (new, "", NULL, "processorArchitecture", u->arch, err) ==
          -1)
    return NULL;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (fixed); ++i)
    if (v2v_xml_set_attr (new, "", NULL, fixed[i][0], fixed[i][1], err) == -1)
      return NULL;
  return new;
}

/* The child NAME of PARENT, made where it is not there. */
static struct v2v_xml_node *
child (struct unattend *u, struct v2v_xml_node *parent, const char *name,
       struct v2v_error **err)
{
  const struct v2v_xml_node *c = v2v_xml_child (parent, UNATTEND_NS, name);

  return c != NULL ? v2v_xml_edit (u->doc, c)
                   : v2v_xml_add (parent, name, NULL, err);
}

static int
conflict (struct unattend *u, const char *what, struct v2v_error **err)
{
  return v2v_findings_add (u->f, V2V_WARNING, "guest.customize.answer-file",
                           what, "say it in one place only",
                           "the answer file and the profile both say %s: the "
                           "answer file's stays",
                           what) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

/* A value of the profile; NULL = it says nothing. */
static int
set (struct unattend *u, struct v2v_xml_node *parent, const char *name,
     const char *value, struct v2v_error **err)
{
  const struct v2v_xml_node *old = v2v_xml_child (parent, UNATTEND_NS, name);
  CLEANUP_WIPE_TEXT char *text = NULL;

  if (value == NULL)
    return 0;
  if (old == NULL)
    return v2v_xml_add (parent, name, value, err) == NULL ? -1 : 0;
  text = v2v_xml_text (old);
  if (text == NULL)
    return v2v_fail_nomem (err);
  return strcmp (text, value) == 0 ? 0 : conflict (u, name, err);
}

/* The same for what no one asked for: the file's word is silently right. */
static int
set_default (struct v2v_xml_node *parent, const char *name, const char *value,
             struct v2v_error **err)
{
  if (v2v_xml_child (parent, UNATTEND_NS, name) != NULL)
    return 0;
  return v2v_xml_add (parent, name, value, err) == NULL ? -1 : 0;
}

/* NAME with Value and PlainText.  SUFFIX is what the password is encoded
 * with. */
static int
add_password (struct unattend *u, struct v2v_xml_node *parent, const char *name,
              const char *password, struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str text = V2V_STR_INIT, base = V2V_STR_INIT;
  struct v2v_xml_node *n;
  size_t len;
  void *wide;
  int r;

  if (v2v_xml_child (parent, UNATTEND_NS, name) != NULL)
    return conflict (u, name, err);
  if (v2v_str_printf (&text, "%s%s", password, name) == -1)
    return v2v_fail_nomem (err);
  wide = v2v_from_utf8 ("UTF-16LE", text.ptr, &len, err);
  if (wide == NULL)
    return -1;
  r = customize_base64 (&base, wide, len, false);
  explicit_bzero (wide, len);
  free (wide);
  if (r == -1)
    return v2v_fail_nomem (err);
  n = v2v_xml_add (parent, name, NULL, err);
  return n == NULL || v2v_xml_add (n, "Value", base.ptr, err) == NULL ||
                 v2v_xml_add (n, "PlainText", "false", err) == NULL
             ? -1
             : 0;
}

static struct v2v_xml_node *
add_item (struct v2v_xml_node *parent, const char *name, struct v2v_error **err)
{
  struct v2v_xml_node *n = v2v_xml_add (parent, name, NULL, err);

  return n == NULL || v2v_xml_set_attr (n, UNATTEND_WCM, "wcm", "action", "add",
                                        err) == -1
             ? NULL
             : n;
}

/* The largest Order of PARENT's items. */
static unsigned long
last_order (const struct v2v_xml_node *parent)
{
  const struct v2v_xml_node *n;
  unsigned long max = 0;

  V2V_XML_EACH (n, parent)
  {
    const struct v2v_xml_node *o = v2v_xml_child (n, UNATTEND_NS, "Order");
    CLEANUP_FREE char *text = o != NULL ? v2v_xml_text (o) : NULL;
    const unsigned long v = text != NULL ? strtoul (text, NULL, 10) : 0;

    if (v > max && v <= 500)
      max = v;
  }
  return max;
}

/* Commands behind those that are there, but not those that are there. */
static int
add_commands (struct v2v_xml_node *list, const char *item, const char *element,
              const v2v_strings commands, size_t max, struct v2v_error **err)
{
  unsigned long order = last_order (list);

  for (char **s = commands; s != NULL && *s != NULL; ++s) {
    struct v2v_xml_node *n;
    char number[24];

    if (strlen (*s) > max)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "a command of %zu bytes, Setup takes up to %zu",
                       strlen (*s), max);
    if (++order > 500)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "more than 500 commands, which is what Setup takes");
    snprintf (number, sizeof number, "%lu", order);
    n = add_item (list, item, err);
    if (n == NULL || v2v_xml_add (n, "Order", number, err) == NULL ||
        v2v_xml_add (n, element, *s, err) == NULL)
      return -1;
  }
  return 0;
}

/* ---- specialize ---- */

static int
put_identity (struct unattend *u, struct v2v_error **err)
{
  const struct v2v_profile *p = u->p;
  const struct v2v_profile_windows *w = &p->windows;
  CLEANUP_FREE char *name = NULL;
  struct v2v_xml_node *c;

  if (p->computer_name == NULL && p->time_zone == NULL && w->owner == NULL &&
      w->organization == NULL && w->product_key.text == NULL)
    return 0;
  if (p->computer_name != NULL &&
      (name = unattend_computer_name (p->computer_name, err)) == NULL)
    return -1;
  c = component (u, SPECIALIZE, SHELL, err);
  return c == NULL || set (u, c, "ComputerName", name, err) == -1 ||
                 set (u, c, "ProductKey", w->product_key.text, err) == -1 ||
                 set (u, c, "RegisteredOrganization", w->organization, err) ==
                     -1 ||
                 set (u, c, "RegisteredOwner", w->owner, err) == -1 ||
                 set (u, c, "TimeZone", p->time_zone_windows, err) == -1
             ? -1
             : 0;
}

static int
put_join (struct unattend *u, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &u->p->windows;
  struct v2v_xml_node *c, *id, *credentials;

  if (w->join_domain == NULL && w->workgroup == NULL)
    return 0;
  c = component (u, SPECIALIZE, JOIN, err);
  if (c == NULL)
    return -1;
  /* Half of the file's and half of ours would be neither. */
  if (v2v_xml_child (c, UNATTEND_NS, "Identification") != NULL)
    return conflict (u, "Identification", err);
  id = v2v_xml_add (c, "Identification", NULL, err);
  if (id == NULL)
    return -1;
  if (w->workgroup != NULL)
    return set (u, id, "JoinWorkgroup", w->workgroup, err);
  credentials = v2v_xml_add (id, "Credentials", NULL, err);
  return credentials == NULL ||
                 set (u, credentials, "Domain",
                      w->join_user_domain ? w->join_user_domain
                                          : w->join_domain,
                      err) == -1 ||
                 set (u, credentials, "Username", w->join_user, err) == -1 ||
                 set (u, credentials, "Password", w->join_password.text, err) ==
                     -1 ||
                 set (u, id, "JoinDomain", w->join_domain, err) == -1 ||
                 set (u, id, "MachineObjectOU", w->join_ou, err) == -1
             ? -1
             : 0;
}

/* Deny or allow, and the group of rules behind it, which every language
 * calls by this resource. */
static int
put_remote_desktop (struct unattend *u, struct v2v_error **err)
{
  struct v2v_xml_node *c, *list, *n;

  if (!u->p->windows.has_remote_desktop)
    return 0;
  c = component (u, SPECIALIZE, TERMINAL, err);
  if (c == NULL ||
      set (u, c, "fDenyTSConnections",
           u->p->windows.remote_desktop ? "false" : "true", err) == -1)
    return -1;
  if (!u->p->windows.remote_desktop)
    return 0;
  c = component (u, SPECIALIZE, FIREWALL, err);
  if (c == NULL)
    return -1;
  if (v2v_xml_child (c, UNATTEND_NS, "FirewallGroups") != NULL)
    return conflict (u, "FirewallGroups", err);
  list = v2v_xml_add (c, "FirewallGroups", NULL, err);
  n = list != NULL ? add_item (list, "FirewallGroup", err) : NULL;
  return n == NULL ||
                 v2v_xml_set_attr (n, UNATTEND_WCM, "wcm", "keyValue",
                                   "RemoteDesktop", err) == -1 ||
                 v2v_xml_add (n, "Active", "true", err) == NULL ||
                 v2v_xml_add (n, "Group", "@FirewallAPI.dll,-28752", err) ==
                     NULL ||
                 v2v_xml_add (n, "Profile", "all", err) == NULL
             ? -1
             : 0;
}

static int
put_synchronous (struct unattend *u, struct v2v_error **err)
{
  const v2v_strings commands = u->p->windows.synchronous_commands;
  struct v2v_xml_node *c, *list;

  if (commands == NULL || commands[0] == NULL)
    return 0;
  c = component (u, SPECIALIZE, DEPLOY, err);
  list = c != NULL ? child (u, c, "RunSynchronous", err) : NULL;
  return list == NULL ? -1
                      : add_commands (list, "RunSynchronousCommand", "Path",
                                      commands, MAX_RUN_SYNCHRONOUS, err);
}

/* ---- the network, which only media bring this way ---- */

/* VALUES as items NAME of the new list LIST, numbered from 1. */
static int
add_values (struct v2v_xml_node *parent, const char *list, const char *name,
            const v2v_strings values, struct v2v_error **err)
{
  struct v2v_xml_node *l, *n;
  char key[24];

  if (values == NULL || values[0] == NULL)
    return 0;
  l = v2v_xml_add (parent, list, NULL, err);
  for (size_t i = 0; l != NULL && values[i] != NULL; ++i) {
    snprintf (key, sizeof key, "%zu", i + 1);
    n = v2v_xml_add (l, name, values[i], err);
    if (n == NULL ||
        v2v_xml_set_attr (n, UNATTEND_WCM, "wcm", "action", "add", err) == -1 ||
        v2v_xml_set_attr (n, UNATTEND_WCM, "wcm", "keyValue", key, err) == -1)
      return -1;
  }
  return l == NULL ? -1 : 0;
}

static int
add_route (struct v2v_xml_node *list, size_t number, const char *to,
           const char *via, const uint32_t *metric, struct v2v_error **err)
{
  struct v2v_xml_node *n = add_item (list, "Route", err);
  char text[24], metric_text[16];

  snprintf (text, sizeof text, "%zu", number);
  snprintf (metric_text, sizeof metric_text, "%u", metric ? *metric : 0);
  return n == NULL || v2v_xml_add (n, "Identifier", text, err) == NULL ||
                 (metric != NULL &&
                  v2v_xml_add (n, "Metric", metric_text, err) == NULL) ||
                 v2v_xml_add (n, "NextHopAddress", via, err) == NULL ||
                 v2v_xml_add (n, "Prefix", to, err) == NULL
             ? -1
             : 0;
}

static int
add_routes (struct v2v_xml_node *parent, const struct v2v_profile_nic *nic,
            struct v2v_error **err)
{
  struct v2v_xml_node *list;
  size_t n = 0;

  if ((nic->gateways == NULL || nic->gateways[0] == NULL) &&
      nic->nr_routes == 0)
    return 0;
  list = v2v_xml_add (parent, "Routes", NULL, err);
  if (list == NULL)
    return -1;
  for (char **g = nic->gateways; g != NULL && *g != NULL; ++g)
    if (add_route (list, n++, strchr (*g, ':') ? "::/0" : "0.0.0.0/0", *g, NULL,
                   err) == -1)
      return -1;
  for (size_t i = 0; i < nic->nr_routes; ++i) {
    const struct v2v_profile_route *r = &nic->routes[i];

    if (add_route (list, n++, r->to, r->via, r->has_metric ? &r->metric : NULL,
                   err) == -1)
      return -1;
  }
  return 0;
}

/* A card is known by its address, with '-' between the bytes. */
static struct v2v_xml_node *
add_interface (struct v2v_xml_node *list, const char *mac,
               struct v2v_error **err)
{
  struct v2v_xml_node *n = add_item (list, "Interface", err);
  char id[24];

  snprintf (id, sizeof id, "%s", mac);
  for (char *p = id; *p != '\0'; ++p)
    *p = *p == ':'                ? '-'
         : *p >= 'a' && *p <= 'f' ? (char) (*p - 'a' + 'A')
                                  : *p;
  return n == NULL || v2v_xml_add (n, "Identifier", id, err) == NULL ? NULL : n;
}

static int
add_dhcp (struct v2v_xml_node *interface, const char *group, bool on,
          struct v2v_error **err)
{
  struct v2v_xml_node *n = v2v_xml_add (interface, group, NULL, err);

  return n == NULL || v2v_xml_add (n, "DhcpEnabled", on ? "true" : "false",
                                   err) == NULL
             ? -1
             : 0;
}

/* Source: Microsoft-Windows-TCPIP and Microsoft-Windows-DNS-Client of the
 * "Unattended Windows Setup Reference". */
static int
put_cards (struct unattend *u, struct v2v_error **err)
{
  struct v2v_xml_node *ip, *dns = NULL, *n;
  const struct v2v_profile *p = u->p;

  if (!u->network || p->nr_nics == 0)
    return 0;
  n = component (u, SPECIALIZE, TCPIP, err);
  if (n == NULL)
    return -1;
  if (v2v_xml_child (n, UNATTEND_NS, "Interfaces") != NULL)
    return conflict (u, "Interfaces", err);
  ip = v2v_xml_add (n, "Interfaces", NULL, err);
  for (size_t i = 0; i < p->nr_nics; ++i) {
    const struct v2v_profile_nic *nic = &p->nics[i];

    n = ip != NULL ? add_interface (ip, nic->mac, err) : NULL;
    if (n == NULL || add_dhcp (n, "Ipv4Settings", nic->dhcp4, err) == -1 ||
        add_dhcp (n, "Ipv6Settings", nic->dhcp6, err) == -1 ||
        add_values (n, "UnicastIpAddresses", "IpAddress", nic->addresses,
                    err) == -1 ||
        add_routes (n, nic, err) == -1)
      return -1;
    if (nic->dns == NULL || nic->dns[0] == NULL)
      continue;
    if (dns == NULL) {
      n = component (u, SPECIALIZE, DNS, err);
      if (n != NULL && v2v_xml_child (n, UNATTEND_NS, "Interfaces") != NULL)
        return conflict (u, "DNS Interfaces", err);
      dns = n != NULL ? v2v_xml_add (n, "Interfaces", NULL, err) : NULL;
    }
    n = dns != NULL ? add_interface (dns, nic->mac, err) : NULL;
    if (n == NULL || add_values (n, "DNSServerSearchOrder", "IpAddress",
                                 nic->dns, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- oobeSystem ---- */

/* "de_DE.UTF-8" as "de-DE"; a locale of neither form stays. */
static char *
windows_locale (const char *s)
{
  char *copy = s != NULL ? strndup (s, strcspn (s, ".@")) : NULL;

  for (char *p = copy; p != NULL && *p != '\0'; ++p)
    if (*p == '_')
      *p = '-';
  return copy;
}

static int
put_locales (struct unattend *u, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &u->p->windows;
  CLEANUP_FREE char *locale = windows_locale (u->p->locale);
  struct v2v_xml_node *c;

  if (u->p->locale != NULL && locale == NULL)
    return v2v_fail_nomem (err);
  if (locale == NULL && w->input_locale == NULL && w->system_locale == NULL &&
      w->ui_language == NULL && w->user_locale == NULL)
    return 0;
  c = component (u, OOBE, LOCALES, err);
  /* The language of the user interface must be installed: only on demand. */
  return c == NULL ||
                 set (u, c, "InputLocale",
                      w->input_locale ? w->input_locale : locale, err) == -1 ||
                 set (u, c, "SystemLocale",
                      w->system_locale ? w->system_locale : locale,
                      err) == -1 ||
                 set (u, c, "UILanguage", w->ui_language, err) == -1 ||
                 set (u, c, "UserLocale",
                      w->user_locale ? w->user_locale : locale, err) == -1
             ? -1
             : 0;
}

static bool
has_local_account (const struct v2v_xml_node *list, const char *name)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, list)
  {
    const struct v2v_xml_node *c = v2v_xml_child (n, UNATTEND_NS, "Name");
    CLEANUP_FREE char *text = c != NULL ? v2v_xml_text (c) : NULL;

    if (text != NULL && strcasecmp (text, name) == 0)
      return true;
  }
  return false;
}

static int
put_local_account (struct unattend *u, struct v2v_xml_node *list,
                   const struct v2v_profile_user *user, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str groups = V2V_STR_INIT;
  struct v2v_xml_node *n;

  if (has_local_account (list, user->name))
    return conflict (u, user->name, err);
  for (char **g = user->groups; g != NULL && *g != NULL; ++g)
    if (v2v_str_printf (&groups, "%s%s", groups.len ? ";" : "", *g) == -1)
      return v2v_fail_nomem (err);
  n = add_item (list, "LocalAccount", err);
  if (n == NULL)
    return -1;
  if (user->password.text != NULL &&
      add_password (u, n, "Password", user->password.text, err) == -1)
    return -1;
  return set (u, n, "DisplayName", user->comment, err) == -1 ||
                 set (u, n, "Group", groups.ptr ? groups.ptr : "Users", err) ==
                     -1 ||
                 set (u, n, "Name", user->name, err) == -1
             ? -1
             : 0;
}

static int
put_accounts (struct unattend *u, struct v2v_xml_node *c,
              struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &u->p->windows;
  struct v2v_xml_node *accounts, *list;

  if (w->administrator_password.text == NULL && w->nr_users == 0)
    return 0;
  accounts = child (u, c, "UserAccounts", err);
  if (accounts == NULL)
    return -1;
  if (w->administrator_password.text != NULL &&
      add_password (u, accounts, "AdministratorPassword",
                    w->administrator_password.text, err) == -1)
    return -1;
  if (w->nr_users == 0)
    return 0;
  list = child (u, accounts, "LocalAccounts", err);
  for (size_t i = 0; list != NULL && i < w->nr_users; ++i)
    if (put_local_account (u, list, &w->users[i], err) == -1)
      return -1;
  return list == NULL ? -1 : 0;
}

static int
put_auto_logon (struct unattend *u, struct v2v_xml_node *c,
                struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &u->p->windows;
  const char *password = w->administrator_password.text;
  struct v2v_xml_node *n;
  char count[16];

  if (w->auto_logon_count == 0)
    return 0;
  if (v2v_xml_child (c, UNATTEND_NS, "AutoLogon") != NULL)
    return conflict (u, "AutoLogon", err);
  for (size_t i = 0; w->auto_logon_user != NULL && i < w->nr_users; ++i)
    if (strcasecmp (w->users[i].name, w->auto_logon_user) == 0)
      password = w->users[i].password.text;
  snprintf (count, sizeof count, "%u", w->auto_logon_count);
  n = v2v_xml_add (c, "AutoLogon", NULL, err);
  return n == NULL || add_password (u, n, "Password", password, err) == -1 ||
                 v2v_xml_add (n, "Enabled", "true", err) == NULL ||
                 v2v_xml_add (n, "LogonCount", count, err) == NULL ||
                 v2v_xml_add (n, "Username",
                              w->auto_logon_user ? w->auto_logon_user
                                                 : "Administrator",
                              err) == NULL
             ? -1
             : 0;
}

static bool
is_at_least (const struct v2v_os *os, int major, int minor)
{
  return os->major > major || (os->major == major && os->minor >= minor);
}

/* Nobody sits before the machine: what can be skipped is skipped. */
static int
put_oobe (struct unattend *u, struct v2v_xml_node *c, struct v2v_error **err)
{
  struct v2v_xml_node *n = child (u, c, "OOBE", err);

  if (n == NULL || set_default (n, "HideEULAPage", "true", err) == -1)
    return -1;
  if (is_at_least (u->os, 6, 1) &&
      set_default (n, "HideWirelessSetupInOOBE", "true", err) == -1)
    return -1;
  if (is_at_least (u->os, 6, 2)
          ? set_default (n, "HideOnlineAccountScreens", "true", err) == -1
          : set_default (n, "NetworkLocation", "Work", err) == -1)
    return -1;
  return set_default (n, "ProtectYourPC", "1", err);
}

/* A client asks for its first user when no one named one. */
static int
tell_if_oobe_asks (struct unattend *u, const struct v2v_xml_node *c,
                   struct v2v_error **err)
{
  const struct v2v_xml_node *accounts =
      v2v_xml_child (c, UNATTEND_NS, "UserAccounts");

  if (u->os->product_variant == NULL ||
      strcmp (u->os->product_variant, "Client") != 0 ||
      v2v_xml_child (accounts, UNATTEND_NS, "LocalAccounts") != NULL ||
      v2v_xml_child (accounts, UNATTEND_NS, "DomainAccounts") != NULL)
    return 0;
  return v2v_findings_add (u->f, V2V_WARNING, "guest.customize.oobe-asks", NULL,
                           "name a user in windows.users",
                           "a client of Windows asks for its first user when "
                           "it starts: the profile names none") == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
put_first_logon (struct unattend *u, struct v2v_xml_node *c,
                 struct v2v_error **err)
{
  const v2v_strings commands = u->p->windows.first_logon_commands;
  struct v2v_xml_node *list;

  if (commands == NULL || commands[0] == NULL)
    return 0;
  list = child (u, c, "FirstLogonCommands", err);
  return list == NULL ? -1
                      : add_commands (list, "SynchronousCommand", "CommandLine",
                                      commands, 1024, err);
}

static int
put_all (struct unattend *u, struct v2v_error **err)
{
  struct v2v_xml_node *c;

  if (put_identity (u, err) == -1 || put_join (u, err) == -1 ||
      put_cards (u, err) == -1 || put_synchronous (u, err) == -1 ||
      put_remote_desktop (u, err) == -1 || put_locales (u, err) == -1)
    return -1;
  c = component (u, OOBE, SHELL, err);
  return c == NULL || put_accounts (u, c, err) == -1 ||
                 put_auto_logon (u, c, err) == -1 ||
                 put_first_logon (u, c, err) == -1 ||
                 put_oobe (u, c, err) == -1 ||
                 tell_if_oobe_asks (u, c, err) == -1
             ? -1
             : 0;
}

static char *
make (const struct v2v_profile *p, const struct v2v_os *os, bool network,
      struct v2v_findings *f, size_t *ret_len, struct v2v_error **err)
{
  const struct v2v_profile_file *own = &p->windows.answer_file;
  struct unattend u = {
    .arch = unattend_architecture (os->arch),
    .p = p,
    .os = os,
    .f = f,
    .network = network,
  };
  CLEANUP_XML struct v2v_xml *doc = NULL;
  char *text;

  if (u.arch == NULL) {
    v2v_fail (err, V2V_ERR_GUEST,
              "the answer file has no name for the guest's architecture %s",
              os->arch ? os->arch : "(unknown)");
    return NULL;
  }
  doc = own->text != NULL ? v2v_xml_parse (own->text, own->len, own->path, err)
                          : v2v_xml_new (UNATTEND_NS, "unattend", err);
  if (doc == NULL || (own->text != NULL &&
                      unattend_check (doc, own->path, u.arch, f, err) == -1))
    return NULL;
  u.doc = doc;
  if (put_all (&u, err) == -1)
    return NULL;
  text = v2v_xml_dump (doc, ret_len, err);
  if (text == NULL)
    return NULL;
  /* Ours is checked as if it were a stranger's; what it does not know was
   * told above. */
  {
    struct v2v_findings again = V2V_FINDINGS_INIT;
    CLEANUP_XML struct v2v_xml *made =
        v2v_xml_parse (text, *ret_len, "the answer file", err);
    const int r = made != NULL ? unattend_check (made, "the answer file",
                                                 u.arch, &again, err)
                               : -1;

    v2v_findings_clear (&again);
    if (r == -1) {
      customize_wipe_text (&text);
      return NULL;
    }
  }
  return text;
}

char *
unattend_make (const struct v2v_profile *p, const struct v2v_os *os,
               struct v2v_findings *f, size_t *ret_len, struct v2v_error **err)
{
  return make (p, os, false, f, ret_len, err);
}

char *
unattend_make_for_medium (const struct v2v_profile *p, const struct v2v_os *os,
                          struct v2v_findings *f, size_t *ret_len,
                          struct v2v_error **err)
{
  return make (p, os, true, f, ret_len, err);
}
