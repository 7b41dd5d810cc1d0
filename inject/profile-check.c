/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of a profile: what its strings may be.  They are strict because
 * the values end in passwd, shadow, shell scripts, XML and YAML: a line break
 * or a ':' at the wrong place would be an account of its own.
 *
 * Sources: passwd(5), useradd(8) (names up to 32 bytes), hostname(7) (64
 * bytes, labels of 63), RFC 1123; "Naming conventions in Active Directory"
 * (Microsoft: account names up to 20 characters, without "/\[]:;|=,+*?<>).
 */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/profile-internal.h"
#include "inject/time-zones.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Far above any command line Windows takes. */
#define MAX_LINE 1024
/* Their order numbers at the first start are 5100 to 5899. */
#define MAX_SCRIPTS 800
#define MAX_USER    32
#define MAX_HOST    64 /* HOST_NAME_MAX of Linux */

static bool
only (const char *s, const char *allowed)
{
  return *s != '\0' && s[strspn (s, allowed)] == '\0';
}

const char *
profile_rule_line (const char *s)
{
  const size_t len = strlen (s);

  if (len == 0 || len > MAX_LINE)
    return "one line of 1 to 1024 bytes";
  for (const unsigned char *p = (const unsigned char *) s; *p != '\0'; ++p) {
    if (*p < 32 || *p == 127)
      return "one line without control characters";
    /* NEL, and the line and paragraph separators, break lines for some. */
    if ((p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) ||
        (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)))
      return "one line without control characters";
  }
  return NULL;
}

const char *
profile_rule_comment (const char *s)
{
  return strchr (s, ':') != NULL ? "a line without ':'" : profile_rule_line (s);
}

/* Labels of letters, digits and '-', with dots between. */
static bool
is_host_name (const char *s, size_t max)
{
  if (*s == '\0' || strlen (s) > max)
    return false;
  for (;;) {
    const size_t n = strcspn (s, ".");

    if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-' ||
        strspn (s, LOWER UPPER DIGITS "-") < n)
      return false;
    if (s[n] == '\0')
      return true;
    s += n + 1;
  }
}

const char *
profile_rule_computer_name (const char *s)
{
  if (strcmp (s, "*") == 0 || is_host_name (s, MAX_HOST))
    return NULL;
  return "letters, digits and '-' (a domain behind a dot), up to 64 bytes, or "
         "\"*\"";
}

const char *
profile_rule_domain (const char *s)
{
  return is_host_name (s, 253) ? NULL : "the name of a domain";
}

const char *
profile_rule_workgroup (const char *s)
{
  static const char why[] = "up to 15 characters without \"/\\[]:;|=,+*?<>";

  if (profile_rule_line (s) != NULL || strlen (s) > 15 ||
      strpbrk (s, "\"/\\[]:;|=,+*?<>") != NULL)
    return why;
  return NULL;
}

const char *
profile_rule_user (const char *s)
{
  if (strlen (s) > MAX_USER || !only (s, LOWER UPPER DIGITS "_.-") ||
      strspn (s, DIGITS) == strlen (s) || strchr ("-.", s[0]) != NULL)
    return "letters, digits, '_', '-' and '.', up to 32, not all digits";
  return NULL;
}

const char *
profile_rule_group (const char *s)
{
  return profile_rule_user (s);
}

const char *
profile_rule_windows_user (const char *s)
{
  static const char why[] =
      "1 to 20 characters without \"/\\[]:;|=,+*?<>@, not all dots or blanks";

  if (profile_rule_line (s) != NULL || strlen (s) > 20 ||
      strpbrk (s, "\"/\\[]:;|=,+*?<>@%") != NULL ||
      s[strspn (s, ". ")] == '\0' || s[strlen (s) - 1] == '.')
    return why;
  return NULL;
}

const char *
profile_rule_windows_group (const char *s)
{
  if (profile_rule_line (s) != NULL || strlen (s) > 256 ||
      strpbrk (s, "\"/\\[]:;|=,+*?<>%&") != NULL)
    return "a local group without \"/\\[]:;|=,+*?<>%&";
  return NULL;
}

const char *
profile_rule_path (const char *s)
{
  if (s[0] != '/' || strlen (s) > 255 || profile_rule_line (s) != NULL ||
      strpbrk (s, ":'\"\\$`") != NULL || strstr (s, "/..") != NULL)
    return "an absolute path without ':', quotes, '$' and '..'";
  return NULL;
}

const char *
profile_rule_key (const char *s)
{
  static const char *const types[] = { "ssh-rsa ",     "ssh-dss ",
                                       "ssh-ed25519 ", "ecdsa-sha2-",
                                       "sk-ssh-",      "sk-ecdsa-" };

  if (strlen (s) > 16384)
    return "a public key of up to 16 KiB";
  for (const unsigned char *p = (const unsigned char *) s; *p != '\0'; ++p)
    if (*p < 32 || *p == 127)
      return "a public key on one line";
  /* Options may stand before the type. */
  for (size_t i = 0; i < V2V_ARRAY_SIZE (types); ++i) {
    const char *p = strstr (s, types[i]);

    if (p != NULL && (p == s || p[-1] == ' '))
      return NULL;
  }
  return "a public key as in authorized_keys: \"ssh-ed25519 AAAA... name\"";
}

const char *
profile_rule_package (const char *s)
{
  if (strlen (s) > 128 || !only (s, LOWER UPPER DIGITS "+-._:~=@") ||
      strchr ("-+.~=@:", s[0]) != NULL)
    return "the name of a package";
  return NULL;
}

const char *
profile_rule_feature (const char *s)
{
  if (strlen (s) > 128 || !only (s, LOWER UPPER DIGITS "-._~") || s[0] == '-')
    return "the name of a feature, as DISM /Online /Get-Features shows it";
  return NULL;
}

const char *
profile_rule_time_zone (const char *s)
{
  return v2v_time_zone_find (s) != NULL
             ? NULL
             : "a zone as \"Europe/Berlin\" or \"W. Europe Standard Time\"";
}

const char *
profile_rule_locale (const char *s)
{
  if (strlen (s) > 64 || !only (s, LOWER UPPER DIGITS "-_.@:;") ||
      strchr (LOWER UPPER DIGITS, s[0]) == NULL)
    return "a locale as \"de-DE\" or \"de_DE.UTF-8\"";
  return NULL;
}

const char *
profile_rule_mac (const char *s)
{
  static const char why[] = "a MAC address as \"00:50:56:aa:bb:cc\"";
  bool all_zero = true;

  if (strlen (s) != 17)
    return why;
  for (size_t i = 0; i < 17; ++i) {
    if (i % 3 == 2 ? strchr (":-", s[i]) == NULL
                   : strchr (DIGITS "abcdefABCDEF", s[i]) == NULL)
      return why;
    all_zero &= strchr ("0:-", s[i]) != NULL;
  }
  /* The lowest bit of the first byte: a group, not a card. */
  if (all_zero || strchr ("13579bdfBDF", s[1]) != NULL)
    return "the MAC address of one card";
  return NULL;
}

const char *
profile_rule_interface (const char *s)
{
  /* IFNAMSIZ with its NUL is 16. */
  if (strlen (s) > 15 || !only (s, LOWER UPPER DIGITS "_-.") ||
      strcmp (s, ".") == 0 || strcmp (s, "..") == 0 || s[0] == '-')
    return "the name of an interface, up to 15 bytes";
  return NULL;
}

int
profile_family (const char *address)
{
  unsigned char buf[16];

  if (inet_pton (AF_INET, address, buf) == 1)
    return AF_INET;
  return inet_pton (AF_INET6, address, buf) == 1 ? AF_INET6 : 0;
}

int
profile_parse_cidr (const char *s, char address[64], unsigned *ret_prefix)
{
  const char *slash = strchr (s, '/');
  unsigned prefix = 0;
  int family;

  if (slash == NULL || slash - s > 63 || strlen (slash + 1) > 3 ||
      !only (slash + 1, DIGITS))
    return 0;
  memcpy (address, s, (size_t) (slash - s));
  address[slash - s] = '\0';
  for (const char *p = slash + 1; *p != '\0'; ++p)
    prefix = prefix * 10 + (unsigned) (*p - '0');
  family = profile_family (address);
  if (prefix > (family == AF_INET ? 32u : 128u))
    return 0;
  *ret_prefix = prefix;
  return family;
}

const char *
profile_rule_cidr (const char *s)
{
  char address[64];
  unsigned prefix;

  if (profile_parse_cidr (s, address, &prefix) == 0 || prefix == 0)
    return "an address and its prefix: \"192.0.2.5/24\"";
  return NULL;
}

const char *
profile_rule_network (const char *s)
{
  char address[64];
  unsigned prefix;

  if (profile_parse_cidr (s, address, &prefix) == 0)
    return "a network and its prefix: \"10.0.0.0/8\"";
  return prefix == 0 ? "no default route: that is what gateways are for" : NULL;
}

const char *
profile_rule_address (const char *s)
{
  return profile_family (s) != 0 ? NULL : "an IPv4 or IPv6 address";
}

const char *
profile_rule_product_key (const char *s)
{
  static const char why[] = "five groups of five letters and digits";

  if (strlen (s) != 29)
    return why;
  for (size_t i = 0; i < 29; ++i)
    if (i % 6 == 5 ? s[i] != '-' : strchr (UPPER DIGITS, s[i]) == NULL)
      return why;
  return NULL;
}

/* ---- members together ---- */

static int
check_nic (const struct v2v_profile *p, size_t i, struct v2v_error **err)
{
  const struct v2v_profile_nic *n = &p->nics[i];
  unsigned v4 = 0, v6 = 0, gw4 = 0, gw6 = 0;

  if (n->mac == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: network[%zu]: mac is missing",
                     p->source, i);
  for (size_t k = 0; k < i; ++k)
    if (strcmp (p->nics[k].mac, n->mac) == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: network[%zu].mac: %s is in network[%zu] already",
                       p->source, i, n->mac, k);
  for (char **s = n->addresses; s != NULL && *s != NULL; ++s)
    ++*(strchr (*s, ':') != NULL ? &v6 : &v4);
  for (char **s = n->gateways; s != NULL && *s != NULL; ++s)
    ++*(strchr (*s, ':') != NULL ? &gw6 : &gw4);
  if (gw4 > 1 || gw6 > 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: network[%zu].gateways: expected at most one of each "
                     "family",
                     p->source, i);
  if ((gw4 > 0 && v4 == 0) || (gw6 > 0 && v6 == 0))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: network[%zu].gateways: there is no address of the "
                     "same family",
                     p->source, i);
  if (v4 + v6 == 0 && !n->dhcp4 && !n->dhcp6)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: network[%zu]: expected addresses, dhcp4 or dhcp6",
                     p->source, i);
  if (n->mtu != 0 && (n->mtu < 576 || n->mtu > 65535))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: network[%zu].mtu: %u, expected 576..65535", p->source,
                     i, (unsigned) n->mtu);
  for (size_t k = 0; k < n->nr_routes; ++k)
    if (n->routes[k].to == NULL || n->routes[k].via == NULL ||
        (strchr (n->routes[k].to, ':') == NULL) !=
            (strchr (n->routes[k].via, ':') == NULL))
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: network[%zu].routes[%zu]: expected to and via of "
                       "the same family",
                       p->source, i, k);
  return 0;
}

static int
check_user (const struct v2v_profile *p, const char *where,
            const struct v2v_profile_user *users, size_t i,
            struct v2v_error **err)
{
  const struct v2v_profile_user *u = &users[i];

  if (u->name == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: %s[%zu]: name is missing",
                     p->source, where, i);
  for (size_t k = 0; k < i; ++k)
    if (strcasecmp (users[k].name, u->name) == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: %s[%zu].name: '%s' is there already", p->source,
                       where, i, u->name);
  if (u->password.set + u->password_hash.set + u->lock > 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: %s[%zu]: expected one of password, password_hash "
                     "and lock",
                     p->source, where, i);
  return 0;
}

static int
check_windows (const struct v2v_profile *p, struct v2v_error **err)
{
  const struct v2v_profile_windows *w = &p->windows;
  const struct v2v_secret *logon = &w->administrator_password;

  if (w->join_domain != NULL && w->workgroup != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: windows: expected one of join and workgroup",
                     p->source);
  if (w->join_domain == NULL &&
      (w->join_ou != NULL || w->join_user != NULL || w->join_password.set ||
       w->join_user_domain != NULL))
    return v2v_fail (err, V2V_ERR_USAGE, "%s: windows.join: domain is missing",
                     p->source);
  if (w->join_domain != NULL && (w->join_user == NULL || !w->join_password.set))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: windows.join: expected user and password", p->source);
  if (w->auto_logon_user != NULL) {
    logon = NULL;
    for (size_t i = 0; i < w->nr_users; ++i)
      if (strcasecmp (w->users[i].name, w->auto_logon_user) == 0)
        logon = &w->users[i].password;
  }
  if (w->auto_logon_count > 0 && (logon == NULL || !logon->set))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: windows.auto_logon: there is no password for the "
                     "user who shall be logged on",
                     p->source);
  return 0;
}

int
profile_check (const struct v2v_profile *p, struct v2v_error **err)
{
  const struct v2v_profile_linux *l = &p->os_linux;

  if (p->nr_scripts > MAX_SCRIPTS)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: scripts: %zu, expected up to %d",
                     p->source, p->nr_scripts, MAX_SCRIPTS);
  for (size_t i = 0; i < p->nr_nics; ++i)
    if (check_nic (p, i, err) == -1)
      return -1;
  for (size_t i = 0; i < p->windows.nr_users; ++i)
    if (check_user (p, "windows.users", p->windows.users, i, err) == -1)
      return -1;
  for (size_t i = 0; i < l->nr_users; ++i) {
    if (check_user (p, "linux.users", l->users, i, err) == -1)
      return -1;
    if (strcmp (l->users[i].name, "root") == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: linux.users[%zu]: root has a place of its own: "
                       "linux.root",
                       p->source, i);
  }
  if (l->root.password.set + l->root.password_hash.set + l->root.lock > 1)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: linux.root: expected one of password, password_hash "
                     "and lock",
                     p->source);
  return check_windows (p, err);
}
