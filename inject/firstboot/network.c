/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static addresses given to the adapter that has the MAC address.
 *
 * What it shall have is in a file (network-file.c).  netsh is called without a
 * shell: a name cannot become a command.  It is there on every version, needs
 * no policy of PowerShell, and what it sets survives a restart.
 */

#include <winsock2.h>

#include "network.h"

#include <iphlpapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETSH_SECONDS 120

/* An adapter that is not there: so often with a restart at once, since
 * Windows 7 wants one after it has installed it, ... */
#define ATTEMPTS_AT_ONCE 2
/* ... then at this many later starts of Windows, whenever they are: it may be
 * connected only after the machine was looked at.  Each waits two minutes. */
#define ATTEMPTS_LATER 10
#define LATER_SECONDS  120

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
    nr += !n->nics[i].found && !n->nics[i].done;
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

/* Since Windows 7 netsh asks a name server first whether it is one: it may not
 * be reachable yet. */
static bool
can_validate (void)
{
  OSVERSIONINFOW v = { .dwOSVersionInfoSize = sizeof v };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  GetVersionExW (&v); /* at least 6.2 for everything newer: enough */
#pragma GCC diagnostic pop
  return v.dwMajorVersion > 6 ||
         (v.dwMajorVersion == 6 && v.dwMinorVersion > 0);
}

/* Name servers and WINS: the first is set, the others are added. */
static void
set_servers (struct network *n, struct nic *c, const wchar_t *vista_name,
             const wchar_t *old_name, wchar_t servers[][16], size_t nr,
             bool are_dns)
{
  wchar_t verb[64], head[2 * NAME_MAX_CHARS], line[4 * NAME_MAX_CHARS];
  const bool validate = are_dns && can_validate ();

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

/* "interface=" takes an index as well as a name. */
static void
set_ipv6 (struct network *n, struct nic *c)
{
  wchar_t line[4 * NAME_MAX_CHARS];

  if (c->nr_addresses6 + c->nr_routes6 + c->nr_dns6 == 0)
    return;
  if (!n->vista) {
    fb_log (L"FAILED: IPv6 of this Windows is not known");
    n->failed = true;
    return;
  }
  for (size_t i = 0; i < c->nr_addresses6; ++i) {
    wsprintfW (line,
               L"interface ipv6 add address interface=%lu address=%s "
               L"store=persistent",
               (unsigned long) c->index, c->address6[i]);
    if (!call (n, L"netsh.exe", line))
      n->failed = true;
  }
  for (size_t i = 0; i < c->nr_routes6; ++i) {
    wsprintfW (line,
               L"interface ipv6 add route prefix=%s interface=%lu nexthop=%s",
               c->route6[i], (unsigned long) c->index, c->gateway6[i]);
    if (c->route6_metric[i] > 0)
      wsprintfW (line + wcslen (line), L" metric=%lu",
                 (unsigned long) c->route6_metric[i]);
    wcscat (line, L" store=persistent");
    if (!call (n, L"netsh.exe", line))
      n->failed = true;
  }
  for (size_t i = 0; i < c->nr_dns6; ++i) {
    wsprintfW (line, L"interface ipv6 %s name=%lu %saddress=%s%s",
               i == 0 ? L"set dnsservers" : L"add dnsservers",
               (unsigned long) c->index, i == 0 ? L"source=static " : L"",
               c->dns6[i], can_validate () ? L" validate=no" : L"");
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

/* ---- what outlasts an attempt ---- */

/* The registry has these addresses no more, and the folder with FILE is wiped
 * in the end: until all are set, a copy lies beside the log.  False: there is
 * no place (a test of this command alone). */
static bool
copy_of (wchar_t out[FB_PATH], const wchar_t *file)
{
  wchar_t base[FB_PATH], *slash;
  const DWORD n = GetEnvironmentVariableW (L"V2V_FIRSTBOOT", base, FB_PATH);
  const wchar_t *name = wcsrchr (file, L'\\');

  if (n == 0 || n >= FB_PATH || (slash = wcsrchr (base, L'\\')) == NULL)
    return false;
  *slash = L'\0';
  return fb_join (out, base, name != NULL ? name + 1 : file);
}

static void
keep_list (const wchar_t *file)
{
  wchar_t copy[FB_PATH];

  if (copy_of (copy, file) && !CopyFileW (file, copy, FALSE))
    fb_log_error (copy, GetLastError ());
}

static void
say_where_list_is (const wchar_t *file)
{
  wchar_t copy[FB_PATH];

  if (copy_of (copy, file) && fb_is_file (copy))
    fb_log (L"not all addresses are set: they are kept in %ls, set them by "
            L"hand",
            copy);
}

static void
drop_list (const wchar_t *file)
{
  wchar_t copy[FB_PATH];

  if (copy_of (copy, file))
    DeleteFileW (copy);
}

/* Adapters that are set are not set again: netsh takes an address that is
 * there for a failure, and someone may have changed it since.  "FILE.done" has
 * a letter for each adapter, in the order of FILE. */
#define SET_WELL 'd'
#define SET_PART 'f'
#define NOT_SET  '-'

static bool
state_of (wchar_t out[FB_PATH], const wchar_t *file)
{
  if (wcslen (file) + wcslen (L".done") >= FB_PATH)
    return false;
  wcscpy (out, file);
  wcscat (out, L".done");
  return true;
}

static void
load_state (struct network *n, const wchar_t *file)
{
  wchar_t path[FB_PATH];
  char text[MAX_NICS + 1];

  if (!state_of (path, file) || !fb_is_file (path))
    return;
  fb_read (path, text, sizeof text);
  for (size_t i = 0; i < n->nr_nics && text[i] != '\0'; ++i) {
    n->nics[i].failed = text[i] == SET_PART;
    n->nics[i].done = text[i] == SET_WELL || n->nics[i].failed;
  }
}

static void
save_state (const struct network *n, const wchar_t *file)
{
  wchar_t path[FB_PATH];
  char text[MAX_NICS + 1];

  for (size_t i = 0; i < n->nr_nics; ++i)
    text[i] = n->nics[i].failed ? SET_PART
              : n->nics[i].done ? SET_WELL
                                : NOT_SET;
  text[n->nr_nics] = '\0';
  if (state_of (path, file))
    fb_write (path, text, false);
}

/* ---- all of it ---- */

static void
set_adapter (struct network *n, struct nic *c)
{
  n->failed = false;
  set_addresses (n, c);
  set_servers (n, c, L"dnsservers", L"dns", c->dns, c->nr_dns, true);
  set_servers (n, c, L"winsservers", L"wins", c->wins, c->nr_wins, false);
  set_ipv6 (n, c);
  set_number (n, c, L"interface", L"metric", c->metric);
  set_number (n, c, L"subinterface", L"mtu", c->mtu);
  set_registry (n, c);
  set_name (n, c);
  c->done = true;
  c->failed = n->failed;
}

/* The exit status when ABSENT adapters are not there at this attempt. */
static int
judge_absent (size_t absent, DWORD attempt)
{
  if (attempt <= ATTEMPTS_AT_ONCE)
    return 249;
  if (attempt < ATTEMPTS_AT_ONCE + 1 + ATTEMPTS_LATER) {
    fb_log (L"%lu adapters are not there: tried again at the next start of "
            L"Windows (%lu more times)",
            (unsigned long) absent,
            (unsigned long) (ATTEMPTS_AT_ONCE + 1 + ATTEMPTS_LATER - attempt));
    return 248;
  }
  fb_log (L"%lu adapters were not there at %lu starts: given up",
          (unsigned long) absent, (unsigned long) attempt);
  return 1;
}

static void
pretend_all_are_there (struct network *n)
{
  for (size_t i = 0; i < n->nr_nics; ++i) {
    n->nics[i].found = true;
    n->nics[i].index = (DWORD) i + 1;
    wcscpy (n->nics[i].connection, L"new");
  }
}

/* All adapters that are there; false when something of one failed, now or
 * before. */
static bool
set_adapters (struct network *n)
{
  bool ok = true;

  for (size_t i = 0; i < n->nr_nics; ++i) {
    struct nic *c = &n->nics[i];

    if (c->found && !c->done)
      set_adapter (n, c);
    else if (!c->done)
      fb_log (L"FAILED: no adapter has the MAC address "
              L"%02x:%02x:%02x:%02x:%02x:%02x",
              c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4], c->mac[5]);
    ok = ok && !c->failed;
  }
  for (size_t i = 0; i < n->nr_routes; ++i)
    call (n, L"route.exe", n->routes[i]);
  return ok;
}

int
fb_network (const wchar_t *file, DWORD wait_seconds, bool print_only)
{
  struct network *n = calloc (1, sizeof *n);
  wchar_t text[16] = L"1";
  DWORD attempt;
  bool ok;
  int status;

  if (n == NULL || !fb_network_read (n, file)) {
    fb_log (L"%ls: not a list of addresses", file);
    free (n);
    return 1;
  }
  GetEnvironmentVariableW (L"V2V_ATTEMPT", text, 16);
  attempt = wcstoul (text, NULL, 10);
  n->print_only = print_only;
  n->vista = LOBYTE (LOWORD (GetVersion ())) >= 6;
  if (print_only)
    pretend_all_are_there (n);
  else {
    keep_list (file);
    load_state (n, file);
    /* They hold the names of the connections. */
    fb_remove_ghosts (true);
    wait_for_adapters (n, attempt > ATTEMPTS_AT_ONCE + 1 &&
                                  wait_seconds > LATER_SECONDS
                              ? LATER_SECONDS
                              : wait_seconds);
  }
  ok = set_adapters (n);
  if (!print_only)
    save_state (n, file);
  status = missing (n) > 0 ? judge_absent (missing (n), attempt) : ok ? 250 : 1;
  free (n);
  if (print_only)
    return status;
  if (status == 250)
    drop_list (file);
  else if (status == 1)
    say_where_list_is (file);
  return status;
}
