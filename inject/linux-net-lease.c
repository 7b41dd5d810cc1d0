/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DHCP leases tell which interface had which address of hardware: the name is
 * in the file's name or in it, the address is in a client identifier.
 *
 * Source: dhclient.leases(5); the names that NetworkManager
 * ("internal-UUID-NAME.lease", "dhclient-UUID-NAME.lease"), ifupdown
 * ("dhclient.NAME.leases") and wicked ("lease-NAME-dhcp-ipv4.xml") give.
 */

#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

/* A lease has some hundred bytes; a file holds the last few of them. */
#define MAX_LEASES 256

/* The name of the interface in the file's name, or "". */
static void
name_from_path (const char *path, char out[NET_NAME_SIZE])
{
  static const char *const before[] = { "lease-", "dhclient.", "dhclient-" };
  const char *base = strrchr (path, '/') + 1, *end, *dash;

  *out = '\0';
  end = strstr (base, ".lease");
  if (end == NULL && (end = strstr (base, "-dhcp-ipv")) == NULL)
    return;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (before); ++i)
    if (strncmp (base, before[i], strlen (before[i])) == 0) {
      base += strlen (before[i]);
      break;
    }
  /* Behind a UUID: what follows the last '-'. */
  dash = memrchr (base, '-', (size_t) (end - base));
  if (dash != NULL)
    base = dash + 1;
  if (net_is_name (base, (size_t) (end - base))) {
    memcpy (out, base, (size_t) (end - base));
    out[end - base] = '\0';
  }
}

/* dhclient: interface "ens192"; */
static void
name_from_text (const char *text, char out[NET_NAME_SIZE])
{
  const char *s = strstr (text, "interface \"");
  size_t len;

  if (s == NULL)
    return;
  s += strlen ("interface \"");
  len = strcspn (s, "\"\n");
  if (net_is_name (s, len)) {
    memcpy (out, s, len);
    out[len] = '\0';
  }
}

/* Does TEXT hold MAC, in any case, with ':' or '-', zeros left out (dhclient
 * writes 1:0:50:56:9:a:b)? */
static bool
holds_mac (const char *text, const char *mac)
{
  for (const char *s = text; *s != '\0'; ++s) {
    const char *p = s;
    size_t i = 0;

    /* Not from the middle of a longer number. */
    if (s > text && isxdigit ((unsigned char) s[-1]))
      continue;
    for (; i < 6; ++i) {
      const char *octet = mac + 3 * i;

      if (i > 0 && *p++ != (s[strcspn (s, ":-")] == '-' ? '-' : ':'))
        break;
      if (octet[0] == '0' && tolower ((unsigned char) p[0]) == octet[1] &&
          !isxdigit ((unsigned char) p[1]))
        p += 1;
      else if (tolower ((unsigned char) p[0]) == octet[0] &&
               tolower ((unsigned char) p[1]) == octet[1])
        p += 2;
      else
        break;
    }
    if (i == 6 && !isxdigit ((unsigned char) *p))
      return true;
  }
  return false;
}

static int
read_lease (struct linux_net *n, const char *path, struct v2v_error **err)
{
  char name[NET_NAME_SIZE];
  CLEANUP_FREE char *text = NULL;

  name_from_path (path, name);
  /* What cannot be read is no evidence. */
  text = v2v_guest_read_text (n->l->g, path, NULL);
  if (text == NULL)
    return 0;
  name_from_text (text, name);
  for (size_t i = 0; *name && i < n->machine->nr_nics; ++i)
    if (n->machine->nics[i].mac != NULL &&
        holds_mac (text, n->machine->nics[i].mac) &&
        net_add_answer (n, NET_RANK_LEASE, name, n->machine->nics[i].mac,
                        path) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

int
net_read_leases (struct linux_net *n, struct v2v_error **err)
{
  static const char *const places[][2] = {
    { "/var/lib/NetworkManager", "*.lease" },
    { "/var/lib/dhclient", "*" },
    { "/var/lib/dhcp", "*" },
    { "/var/lib/dhcp3", "*" },
    { "/var/lib/wicked", "lease-*" },
  };

  for (size_t i = 0; n->machine != NULL && i < V2V_ARRAY_SIZE (places); ++i) {
    CLEANUP_LIST char **files =
        v2v_guest_glob (n->l->g, places[i][0], places[i][1], err);

    if (files == NULL)
      return -1;
    for (size_t j = 0; files[j] != NULL && j < MAX_LEASES; ++j)
      if (v2v_guest_is_file (n->l->g, files[j]) &&
          read_lease (n, files[j], err) == -1)
        return -1;
  }
  return 0;
}
