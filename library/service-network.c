/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in front of a service: the configuration of HAProxy, and the
 * address records of its machines.
 *
 * Sources: HAProxy 2.6 Configuration Manual, 2.2 "Quoting and escaping", 4.1
 * "Proxy keywords matrix", 5.2 "Server options", 11 "Address formats"; RFC
 * 1035, 5.1 (master files), RFC 3596 (AAAA), RFC 3986, 3.3 and 3.4.
 *
 * Names of ports and services come out of documents: in both files they are
 * only written as v2v_safe_name makes them.  Host names are letters, digits,
 * '-' and '.' (computer-names.c), which is checked here again.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/computer-names.h"
#include "library/service-internal.h"

/* As the choices of templates.c. */
enum { PROTOCOL_TCP = 1, PROTOCOL_HTTP, PROTOCOL_HTTPS };
static const char *const balances[] = { "roundrobin", "roundrobin", "leastconn",
                                        "source" };

/* Seconds between two checks where the template does not say: HAProxy's own
 * default of 2 is much for hundreds of machines. */
#define CHECK_SECONDS 5
/* An hour: the addresses of a service change when it is scaled. */
#define TTL_SECONDS 3600

static int
check_host_name (const char *name, struct v2v_error **err)
{
  const char *why = v2v_computer_name_check (name, false);

  if (why == NULL && strpbrk (name, "#*") == NULL)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE, "'%.80s' cannot be a host name", name);
}

/* ---- HAProxy ---- */

/* Names of sections, of which no two may be equal; a safe name has no ':'. */
static char *
section_name (const struct v2v_service_template *s, size_t i,
              const char *service)
{
  CLEANUP_FREE char *front = v2v_safe_name (service);
  CLEANUP_FREE char *port = v2v_safe_name (s->ports[i].name);
  char *name = NULL;
  unsigned same = 1;

  for (size_t k = 0; port != NULL && k < i; ++k) {
    CLEANUP_FREE char *other = v2v_safe_name (s->ports[k].name);

    same += other != NULL && strcmp (other, port) == 0;
  }
  if (front == NULL || port == NULL ||
      (same == 1 ? asprintf (&name, "%s-%s", front, port)
                 : asprintf (&name, "%s-%s:%u", front, port, same)) == -1)
    return NULL;
  return name;
}

/* Characters of a path and a query; none that the file's syntax knows. */
static int
check_path (const struct v2v_load_balancer_port *p, struct v2v_error **err)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~!&()*+,;=:@%/?";
  const char *s = p->health_path;

  if (s == NULL || (s[0] == '/' && s[strspn (s, allowed)] == '\0'))
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "load-balancer[%s]: health-path '%.80s': expected a path of "
                   "a URL, others than its own characters as %%20",
                   p->name, s);
}

/* "*:443", "10.0.0.1:443", "[2001:db8::1]:443". */
static int
print_bind (struct v2v_str *s, const struct v2v_load_balancer_port *p,
            struct v2v_error **err)
{
  char address[64] = "*";
  int family = 4;

  if (p->address != NULL && strcmp (p->address, "*") != 0) {
    family = strchr (p->address, '/') == NULL
                 ? service_address (p->address, address)
                 : 0;
    if (family == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "load-balancer[%s]: '%.64s' is not an address", p->name,
                       p->address);
  }
  return v2v_str_printf (s, "    bind %s%s%s:%" PRId64 "\n",
                         family == 6 ? "[" : "", address,
                         family == 6 ? "]" : "", p->port) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
print_server (struct v2v_str *s, const struct v2v_load_balancer_port *p,
              const struct v2v_service_machine *m, struct v2v_error **err)
{
  const int64_t port = p->backend_port != -1 ? p->backend_port : p->port;
  const char *tls = p->protocol == PROTOCOL_HTTPS && p->health_path != NULL
                        ? " check-ssl verify none"
                        : "";
  const char *cookie =
      p->protocol == PROTOCOL_HTTP && p->sticky == V2V_YES ? " cookie " : "";
  const size_t host = strcspn (m->computer_name, ".");
  char address[64];
  int family, r;

  if (check_host_name (m->computer_name, err) == -1)
    return -1;
  family = m->address != NULL ? service_address (m->address, address) : 0;
  if (family != 0)
    r = v2v_str_printf (s, "    server %.*s %s%s%s:%" PRId64 " check%s",
                        (int) host, m->computer_name, family == 6 ? "[" : "",
                        address, family == 6 ? "]" : "", port, tls);
  else
    /* A name that nobody knows yet does not keep HAProxy from starting. */
    r = v2v_str_printf (
        s, "    server %.*s %s:%" PRId64 " check%s init-addr last,libc,none",
        (int) host, m->computer_name, m->computer_name, port, tls);
  if (r == 0)
    r = v2v_str_printf (s, "%s%.*s\n", cookie, cookie[0] ? (int) host : 0,
                        m->computer_name);
  return r == -1 ? v2v_fail_nomem (err) : 0;
}

static int
print_backend (struct v2v_str *s, const char *name,
               const struct v2v_load_balancer_port *p,
               const struct v2v_service_machines *machines,
               struct v2v_error **err)
{
  const bool http = p->protocol == PROTOCOL_HTTP;

  if (v2v_str_printf (s, "\nbackend %s\n    mode %s\n    balance %s\n", name,
                      http ? "http" : "tcp", balances[p->balance]) == -1 ||
      (p->health_path != NULL &&
       v2v_str_printf (s, "    option httpchk GET %s\n", p->health_path) ==
           -1) ||
      (p->sticky == V2V_YES &&
       v2v_str_append (s,
                       http ? "    cookie V2VSERVER insert indirect nocache\n"
                            : "    stick-table type ipv6 size 200k expire 30m\n"
                              "    stick on src\n") == -1) ||
      v2v_str_printf (s, "    default-server inter %" PRId64 "s\n",
                      p->health_seconds != -1 ? p->health_seconds
                                              : (int64_t) CHECK_SECONDS) == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < machines->len; ++i)
    if (strcmp (machines->ptr[i].tier, p->tier) == 0 &&
        print_server (s, p, &machines->ptr[i], err) == -1)
      return -1;
  return 0;
}

int
v2v_service_haproxy (const char *name,
                     const struct v2v_service_template *service,
                     const struct v2v_service_machines *machines, char **ret,
                     struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *safe = v2v_safe_name (name);

  if (safe == NULL ||
      v2v_str_printf (&s,
                      "# The service %s, written by v2v: what is changed here "
                      "is lost.\n"
                      "defaults\n"
                      "    timeout connect 5s\n"
                      "    timeout client 1m\n"
                      "    timeout server 1m\n",
                      safe) == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < service->nr_ports; ++i) {
    const struct v2v_load_balancer_port *p = &service->ports[i];
    CLEANUP_FREE char *section = section_name (service, i, name);

    if (section == NULL ||
        v2v_str_printf (&s, "\nfrontend %s\n", section) == -1)
      return v2v_fail_nomem (err);
    if (check_path (p, err) == -1 || print_bind (&s, p, err) == -1)
      return -1;
    if (v2v_str_printf (&s, "    mode %s\n    default_backend %s\n",
                        p->protocol == PROTOCOL_HTTP ? "http" : "tcp",
                        section) == -1)
      return v2v_fail_nomem (err);
    if (print_backend (&s, section, p, machines, err) == -1)
      return -1;
  }
  *ret = STEAL (s.ptr);
  return 0;
}

/* ---- names ---- */

/* One record; complete names end in a dot. */
static int
print_record (struct v2v_str *s, const char *name, const char *address,
              struct v2v_error **err)
{
  char text[64];
  const int family = service_address (address, text);

  if (family == 0)
    return v2v_fail (err, V2V_ERR_USAGE, "'%.64s' is not an address", address);
  return v2v_str_printf (s, "%s%s\t%d\tIN\t%s\t%s\n", name,
                         strchr (name, '.') != NULL ? "." : "", TTL_SECONDS,
                         family == 4 ? "A" : "AAAA", text) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

/* The name of the service in the domain of its machines. */
static char *
service_host (const char *name, const struct v2v_service_machines *machines)
{
  CLEANUP_FREE char *safe = v2v_safe_name (name);
  const char *domain =
      machines->len > 0 ? strchr (machines->ptr[0].computer_name, '.') : NULL;
  char *host = NULL;

  if (safe == NULL)
    return NULL;
  for (char *p = safe; *p != '\0'; ++p)
    if (*p == '_' || *p == '.')
      *p = '-';
    else if (*p >= 'A' && *p <= 'Z')
      *p = (char) (*p - 'A' + 'a');
  for (size_t n = strlen (safe); n > 0 && safe[n - 1] == '-'; --n)
    safe[n - 1] = '\0';
  /* A label has up to 63 bytes. */
  return asprintf (&host, "%.63s%s", safe, domain != NULL ? domain : "") == -1
             ? NULL
             : host;
}

/* Is it the address of an earlier port? */
static bool
is_told (const struct v2v_service_template *s, size_t i)
{
  for (size_t k = 0; k < i; ++k)
    if (s->ports[k].address != NULL &&
        strcmp (s->ports[k].address, s->ports[i].address) == 0)
      return true;
  return false;
}

int
v2v_service_zone (const char *name, const struct v2v_service_template *service,
                  const struct v2v_service_machines *machines, char **ret,
                  struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *host = service_host (name, machines);

  if (host == NULL ||
      v2v_str_append (&s, "; Written by v2v: what is changed here is lost.\n"
                          "; $INCLUDE this file in the zone.\n") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < service->nr_ports; ++i) {
    const char *address = service->ports[i].address;

    if (address != NULL && strcmp (address, "*") != 0 &&
        !is_told (service, i) && print_record (&s, host, address, err) == -1)
      return -1;
  }
  for (size_t i = 0; i < machines->len; ++i) {
    const struct v2v_service_machine *m = &machines->ptr[i];

    if (check_host_name (m->computer_name, err) == -1)
      return -1;
    if (m->address == NULL
            ? v2v_str_printf (&s, "; %s: its address is not known\n",
                              m->computer_name) == -1 &&
                  v2v_fail_nomem (err) == -1
            : print_record (&s, m->computer_name, m->address, err) == -1)
      return -1;
  }
  *ret = STEAL (s.ptr);
  return 0;
}
