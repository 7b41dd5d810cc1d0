/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static addresses given to the adapter that has the MAC address.
 *
 * FILE (UTF-8, made by inject/windows-network.c) has a word and its values a
 * line, separated by one space; the value of "name" is the rest of the line:
 *
 *   v2v-network 1
 *   nic 00:50:56:aa:bb:cc           begins an adapter; "*" = the only one
 *   name Ethernet 2
 *   address 10.0.0.5 255.255.255.0
 *   gateway 10.0.0.1 0              and its metric, 0 = automatic
 *   dns 10.0.0.2
 *   wins 10.0.0.3
 *   domain example.com
 *   netbios 2                       NetbiosOptions
 *   mtu 9000
 *   metric 10
 *   route 10.9.0.0 255.255.0.0 10.0.0.254 1    of the machine
 *
 * netsh is called without a shell: a name cannot become a command.  It is
 * there on every version, needs no policy of PowerShell, and what it sets
 * survives a restart.
 */

#include <winsock2.h>

#include "fb.h"

#include <iphlpapi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NICS       64
#define MAX_ADDRESSES  64
#define MAX_FILE       (256 * 1024)
#define NETSH_SECONDS  120
#define NAME_MAX_CHARS 256

/* To wait for an adapter, a restart between. */
#define ATTEMPTS 3

struct nic {
  BYTE mac[6];
  bool any;
  wchar_t name[NAME_MAX_CHARS];
  wchar_t domain[NAME_MAX_CHARS];
  wchar_t address[MAX_ADDRESSES][16], mask[MAX_ADDRESSES][16];
  wchar_t gateway[MAX_ADDRESSES][16];
  DWORD gateway_metric[MAX_ADDRESSES];
  wchar_t dns[MAX_ADDRESSES][16];
  wchar_t wins[MAX_ADDRESSES][16];
  size_t nr_addresses, nr_gateways, nr_dns, nr_wins;
  DWORD netbios, mtu, metric; /* UINT32_MAX = not said */
  /* found: */
  bool found;
  DWORD index;
  wchar_t connection[NAME_MAX_CHARS];
  char guid[64];
};

struct network {
  struct nic nics[MAX_NICS];
  size_t nr_nics;
  wchar_t routes[MAX_ADDRESSES][NAME_MAX_CHARS];
  size_t nr_routes;
  bool vista; /* netsh's names since then */
  bool print_only;
  bool failed;
};

/* ---- the file ---- */

static bool
parse_mac (const wchar_t *s, BYTE mac[6])
{
  unsigned b[6];

  if (swscanf (s, L"%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
               &b[5]) != 6)
    return false;
  for (int i = 0; i < 6; ++i)
    mac[i] = (BYTE) b[i];
  return true;
}

/* Digits and dots, at most "255.255.255.255". */
static bool
copy_address (wchar_t out[16], const wchar_t *s)
{
  size_t n = 0;

  if (s == NULL)
    return false;
  for (; s[n]; ++n)
    if (n == 15 || !((s[n] >= L'0' && s[n] <= L'9') || s[n] == L'.'))
      return false;
  wcscpy (out, s);
  return n >= 7;
}

static bool
copy_text (wchar_t out[NAME_MAX_CHARS], const wchar_t *s)
{
  if (s == NULL || wcslen (s) >= NAME_MAX_CHARS ||
      wcspbrk (s, L"\"\\/:*?<>|") != NULL)
    return false;
  wcscpy (out, s);
  return true;
}

static struct nic *
add_nic (struct network *n, const wchar_t *mac)
{
  struct nic *c;

  if (n->nr_nics == MAX_NICS)
    return NULL;
  c = &n->nics[n->nr_nics];
  memset (c, 0, sizeof *c);
  c->netbios = c->mtu = c->metric = UINT32_MAX;
  if (wcscmp (mac, L"*") == 0)
    c->any = true;
  else if (!parse_mac (mac, c->mac))
    return NULL;
  n->nr_nics++;
  return c;
}

static bool
add_route (struct network *n, wchar_t *value)
{
  wchar_t part[3][16], *s = value, *next;

  if (n->nr_routes == MAX_ADDRESSES)
    return false;
  for (int i = 0; i < 3; ++i) {
    if (s == NULL)
      return false;
    next = wcschr (s, L' ');
    if (next != NULL)
      *next++ = L'\0';
    if (!copy_address (part[i], s))
      return false;
    s = next;
  }
  wsprintfW (n->routes[n->nr_routes], L"add %s mask %s %s", part[0], part[1],
             part[2]);
  if (s != NULL && wcstoul (s, NULL, 10) > 0)
    wsprintfW (n->routes[n->nr_routes] + wcslen (n->routes[n->nr_routes]),
               L" metric %lu", wcstoul (s, NULL, 10) % 10000);
  n->nr_routes++;
  return true;
}

static bool
parse_nic_line (struct nic *c, const wchar_t *word, wchar_t *value)
{
  wchar_t *second;

  if (wcscmp (word, L"name") == 0)
    return copy_text (c->name, value);
  if (wcscmp (word, L"domain") == 0)
    return copy_text (c->domain, value);
  if (wcscmp (word, L"netbios") == 0)
    return (c->netbios = wcstoul (value, NULL, 10)) <= 2;
  if (wcscmp (word, L"mtu") == 0)
    return (c->mtu = wcstoul (value, NULL, 10)) <= 65535;
  if (wcscmp (word, L"metric") == 0)
    return (c->metric = wcstoul (value, NULL, 10)) <= 9999;
  second = wcschr (value, L' ');
  if (second != NULL)
    *second++ = L'\0';
  if (wcscmp (word, L"address") == 0 && c->nr_addresses < MAX_ADDRESSES &&
      copy_address (c->address[c->nr_addresses], value) &&
      copy_address (c->mask[c->nr_addresses], second))
    return ++c->nr_addresses;
  if (wcscmp (word, L"gateway") == 0 && c->nr_gateways < MAX_ADDRESSES &&
      copy_address (c->gateway[c->nr_gateways], value)) {
    c->gateway_metric[c->nr_gateways] =
        second ? wcstoul (second, NULL, 10) % 10000 : 0;
    return ++c->nr_gateways;
  }
  if (wcscmp (word, L"dns") == 0 && c->nr_dns < MAX_ADDRESSES &&
      copy_address (c->dns[c->nr_dns], value))
    return ++c->nr_dns;
  if (wcscmp (word, L"wins") == 0 && c->nr_wins < MAX_ADDRESSES &&
      copy_address (c->wins[c->nr_wins], value))
    return ++c->nr_wins;
  return false;
}

static bool
parse (struct network *n, wchar_t *text)
{
  struct nic *c = NULL;
  wchar_t *line = text, *next, *value;
  bool first = true;

  for (; line != NULL && *line; line = next) {
    next = wcspbrk (line, L"\r\n");
    if (next != NULL) {
      *next++ = L'\0';
      next += wcsspn (next, L"\r\n");
    }
    if (first) {
      if (wcscmp (line, L"v2v-network 1") != 0)
        return false;
      first = false;
      continue;
    }
    value = wcschr (line, L' ');
    if (value == NULL)
      return false;
    *value++ = L'\0';
    if (wcscmp (line, L"nic") == 0) {
      c = add_nic (n, value);
      if (c == NULL)
        return false;
    }
    else if (wcscmp (line, L"route") == 0) {
      if (!add_route (n, value))
        return false;
    }
    else if (c == NULL || !parse_nic_line (c, line, value))
      return false;
  }
  return !first;
}

static bool
read_file (struct network *n, const wchar_t *file)
{
  char *bytes = malloc (MAX_FILE);
  wchar_t *text = malloc (MAX_FILE * sizeof *text);
  bool ok = false;

  if (bytes != NULL && text != NULL && fb_read (file, bytes, MAX_FILE) > 0 &&
      MultiByteToWideChar (CP_UTF8, 0, bytes, -1, text, MAX_FILE) > 0)
    ok = parse (n, text);
  free (bytes);
  free (text);
  return ok;
}

/* ---- the adapters ---- */

static void
match (struct network *n, const IP_ADAPTER_ADDRESSES *list)
{
  for (size_t i = 0; i < n->nr_nics; ++i) {
    struct nic *c = &n->nics[i];

    c->found = false;
    for (const IP_ADAPTER_ADDRESSES *a = list; a != NULL; a = a->Next) {
      if (a->IfType != 6 /* ethernetCsmacd */ ||
          a->PhysicalAddressLength != 6 ||
          (!c->any && memcmp (a->PhysicalAddress, c->mac, 6) != 0))
        continue;
      if (wcslen (a->FriendlyName) >= NAME_MAX_CHARS ||
          strlen (a->AdapterName) >= sizeof c->guid)
        continue;
      c->found = true;
      c->index = a->IfIndex;
      wcscpy (c->connection, a->FriendlyName);
      memcpy (c->guid, a->AdapterName, strlen (a->AdapterName) + 1);
      break;
    }
  }
}

static void
look (struct network *n)
{
  ULONG len = 64 * 1024;

  for (int tries = 0; tries < 4; ++tries) {
    IP_ADAPTER_ADDRESSES *list = malloc (len);
    ULONG e;

    if (list == NULL)
      return;
    e = GetAdaptersAddresses (AF_UNSPEC,
                              GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST |
                                  GAA_FLAG_SKIP_DNS_SERVER,
                              NULL, list, &len);
    if (e == ERROR_SUCCESS)
      match (n, list);
    free (list);
    if (e != ERROR_BUFFER_OVERFLOW)
      return;
  }
}

static size_t
missing (const struct network *n)
{
  size_t nr = 0;

  for (size_t i = 0; i < n->nr_nics; ++i)
    nr += !n->nics[i].found;
  return nr;
}

/* Plug and Play installs the new adapter while we are running. */
static void
wait_for_adapters (struct network *n, DWORD seconds)
{
  const DWORD begin = GetTickCount ();

  for (;;) {
    look (n);
    if (missing (n) == 0 || GetTickCount () - begin >= seconds * 1000)
      return;
    Sleep (2000);
  }
}

/* ---- setting ---- */

static bool
call (struct network *n, const wchar_t *program, const wchar_t *arguments)
{
  wchar_t path[FB_PATH], line[2 * FB_PATH], cwd[MAX_PATH];
  DWORD status = 1;

  fb_log (L"%ls %ls", program, arguments);
  if (n->print_only)
    return true;
  if (!fb_system32 (path, program) || GetWindowsDirectoryW (cwd, MAX_PATH) == 0)
    return false;
  _snwprintf (line, 2 * FB_PATH - 1, L"\"%ls\" %ls", path, arguments);
  line[2 * FB_PATH - 1] = L'\0';
  if (fb_run (line, cwd, NETSH_SECONDS, NULL, &status) != FB_EXITED ||
      status != 0) {
    fb_log (L"FAILED: status %lu", (unsigned long) status);
    return false;
  }
  return true;
}

/* "interface ipv4 VERB name=12 " or, before Vista, by the connection's name
 * (which cannot contain a quotation mark). */
static void
begin (const struct network *n, const struct nic *c, const wchar_t *verb,
       wchar_t out[2 * NAME_MAX_CHARS])
{
  if (n->vista)
    wsprintfW (out, L"interface ipv4 %s name=%lu", verb,
               (unsigned long) c->index);
  else
    wsprintfW (out, L"interface ip %s name=\"%s\"", verb, c->connection);
}

static void
set_addresses (struct network *n, struct nic *c)
{
  wchar_t head[2 * NAME_MAX_CHARS], line[4 * NAME_MAX_CHARS];
  const wchar_t *addr = n->vista ? L"address" : L"addr";

  if (c->nr_addresses == 0)
    return;
  begin (n, c, L"set address", head);
  wsprintfW (line, L"%s source=static %s=%s mask=%s", head, addr, c->address[0],
             c->mask[0]);
  if (c->nr_gateways > 0) {
    wsprintfW (line + wcslen (line), L" gateway=%s", c->gateway[0]);
    /* The old one demands a metric; the new one takes it for automatic. */
    if (c->gateway_metric[0] > 0 || !n->vista)
      wsprintfW (line + wcslen (line), L" gwmetric=%lu",
                 c->gateway_metric[0] ? c->gateway_metric[0] : 1ul);
  }
  else
    wcscat (line, L" gateway=none");
  if (!call (n, L"netsh.exe", line))
    n->failed = true;
  begin (n, c, L"add address", head);
  for (size_t i = 1; i < c->nr_addresses; ++i) {
    wsprintfW (line, L"%s %s=%s mask=%s", head, addr, c->address[i],
               c->mask[i]);
    if (!call (n, L"netsh.exe", line))
      n->failed = true;
  }
  for (size_t i = 1; i < c->nr_gateways; ++i) {
    wsprintfW (line, L"%s gateway=%s gwmetric=%lu", head, c->gateway[i],
               c->gateway_metric[i] ? c->gateway_metric[i] : 1ul);
    if (!call (n, L"netsh.exe", line))
      n->failed = true;
  }
}

/* Name servers and WINS: the first is set, the others are added.  Since
 * Windows 7 netsh asks a server first whether it is one: it may not be
 * reachable yet. */
static void
set_servers (struct network *n, struct nic *c, const wchar_t *vista_name,
             const wchar_t *old_name, wchar_t servers[][16], size_t nr,
             bool can_validate)
{
  wchar_t verb[64], head[2 * NAME_MAX_CHARS], line[4 * NAME_MAX_CHARS];
  OSVERSIONINFOW v = { .dwOSVersionInfoSize = sizeof v };
  bool validate;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  GetVersionExW (&v); /* at least 6.2 for everything newer: enough */
#pragma GCC diagnostic pop
  validate = can_validate && (v.dwMajorVersion > 6 ||
                              (v.dwMajorVersion == 6 && v.dwMinorVersion > 0));
  for (size_t i = 0; i < nr; ++i) {
    wsprintfW (verb, L"%s %s", i == 0 ? L"set" : L"add",
               n->vista ? vista_name : old_name);
    begin (n, c, verb, head);
    wsprintfW (line, L"%s %s%s=%s%s", head, i == 0 ? L"source=static " : L"",
               n->vista ? L"address" : L"addr", servers[i],
               validate ? L" validate=no" : L"");
    if (!call (n, L"netsh.exe", line))
      n->failed = true;
  }
}

static void
set_number (struct network *n, const struct nic *c, const wchar_t *what,
            const wchar_t *name, DWORD value)
{
  wchar_t line[4 * NAME_MAX_CHARS];

  if (value == UINT32_MAX || !n->vista)
    return;
  wsprintfW (line, L"interface ipv4 set %s %lu %s=%lu store=persistent", what,
             (unsigned long) c->index, name, (unsigned long) value);
  if (!call (n, L"netsh.exe", line))
    n->failed = true;
}

/* What netsh has no word for is in the registry of the new adapter. */
static void
set_registry (struct network *n, const struct nic *c)
{
  wchar_t key[NAME_MAX_CHARS];
  HKEY h;

  if (c->domain[0]) {
    fb_log (L"domain %ls", c->domain);
    wsprintfW (key,
               L"SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\"
               L"Interfaces\\%hs",
               c->guid);
    if (!n->print_only && RegOpenKeyExW (HKEY_LOCAL_MACHINE, key, 0,
                                         KEY_SET_VALUE, &h) == ERROR_SUCCESS) {
      RegSetValueExW (h, L"Domain", 0, REG_SZ, (const BYTE *) c->domain,
                      (DWORD) ((wcslen (c->domain) + 1) * sizeof (wchar_t)));
      RegCloseKey (h);
    }
  }
  if (c->netbios != UINT32_MAX) {
    fb_log (L"netbios %lu", (unsigned long) c->netbios);
    wsprintfW (key,
               L"SYSTEM\\CurrentControlSet\\Services\\NetBT\\Parameters\\"
               L"Interfaces\\Tcpip_%hs",
               c->guid);
    if (!n->print_only && RegOpenKeyExW (HKEY_LOCAL_MACHINE, key, 0,
                                         KEY_SET_VALUE, &h) == ERROR_SUCCESS) {
      RegSetValueExW (h, L"NetbiosOptions", 0, REG_DWORD,
                      (const BYTE *) &c->netbios, sizeof c->netbios);
      RegCloseKey (h);
    }
  }
}

/* Last, since before Vista the name is what the other commands use.  A name
 * that is taken, or no name, leaves the new one: no harm. */
static void
set_name (struct network *n, struct nic *c)
{
  wchar_t line[4 * NAME_MAX_CHARS];

  if (c->name[0] == L'\0' || _wcsicmp (c->name, c->connection) == 0)
    return;
  wsprintfW (line, L"interface set interface name=\"%s\" newname=\"%s\"",
             c->connection, c->name);
  call (n, L"netsh.exe", line);
}

/* The registry has these addresses no more, and the folder with FILE is wiped
 * in the end: a copy stays beside the log. */
static void
keep_list (const wchar_t *file)
{
  wchar_t base[FB_PATH], copy[FB_PATH], *slash;
  const DWORD n = GetEnvironmentVariableW (L"V2V_FIRSTBOOT", base, FB_PATH);

  if (n == 0 || n >= FB_PATH || (slash = wcsrchr (base, L'\\')) == NULL)
    return;
  *slash = L'\0';
  if (!fb_join (copy, base, L"network.txt"))
    return;
  if (CopyFileW (file, copy, FALSE))
    fb_log (L"not all addresses are set: they are kept in %ls, set them by "
            L"hand",
            copy);
  else
    fb_log_error (copy, GetLastError ());
}

int
fb_network (const wchar_t *file, DWORD wait_seconds, bool print_only)
{
  struct network *n = calloc (1, sizeof *n);
  wchar_t attempt[16] = L"1";
  bool absent;
  int status;

  if (n == NULL || !read_file (n, file)) {
    fb_log (L"%ls: not a list of addresses", file);
    free (n);
    return 1;
  }
  n->print_only = print_only;
  n->vista = LOBYTE (LOWORD (GetVersion ())) >= 6;
  if (print_only)
    for (size_t i = 0; i < n->nr_nics; ++i) {
      n->nics[i].found = true;
      n->nics[i].index = (DWORD) i + 1;
      wcscpy (n->nics[i].connection, L"new");
    }
  else {
    /* They hold the names of the connections. */
    fb_remove_ghosts (true);
    wait_for_adapters (n, wait_seconds);
  }
  for (size_t i = 0; i < n->nr_nics; ++i) {
    struct nic *c = &n->nics[i];

    if (!c->found) {
      fb_log (L"FAILED: no adapter has the MAC address "
              L"%02x:%02x:%02x:%02x:%02x:%02x",
              c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4], c->mac[5]);
      continue;
    }
    set_addresses (n, c);
    set_servers (n, c, L"dnsservers", L"dns", c->dns, c->nr_dns, true);
    set_servers (n, c, L"winsservers", L"wins", c->wins, c->nr_wins, false);
    set_number (n, c, L"interface", L"metric", c->metric);
    set_number (n, c, L"subinterface", L"mtu", c->mtu);
    set_registry (n, c);
    set_name (n, c);
  }
  for (size_t i = 0; i < n->nr_routes; ++i)
    call (n, L"route.exe", n->routes[i]);
  absent = missing (n) > 0;
  status = n->failed ? 1 : 250;
  /* Windows 7 wants a restart after it has installed the adapter; one more
   * gives time to connect what was forgotten. */
  GetEnvironmentVariableW (L"V2V_ATTEMPT", attempt, 16);
  if (absent)
    status = wcstoul (attempt, NULL, 10) < ATTEMPTS ? 249 : 1;
  free (n);
  if (status == 1)
    keep_list (file);
  return status;
}
