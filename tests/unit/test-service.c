/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services without a library: settings, addresses, which machines there are
 * to be, the steps that lead there, HAProxy, the zone.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/guest.h"
#include "library/service-internal.h"
#include "test-util.h"

#define SERVICE(inside)                                                        \
  "<service-template xmlns=\"" V2V_DOCUMENT_NS "\" name=\"shop\">" inside      \
  "</service-template>"
#define TEMPLATE "<vm-template name=\"v\"/>"

static struct v2v_document *
parse (const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_document *d =
      v2v_document_parse (text, strlen (text), "s.xml", &err);

  assert_ptr (d, err);
  return d;
}

/* ---- settings ---- */

static const char with_settings[] =
    SERVICE ("<description>for @DOMAIN@, mail ops@DOMAIN.org</description>"
             "<settings><setting name=\"DOMAIN\" default=\"lab.test\"/>"
             "<setting name=\"NET\"/><setting name=\"LB\"/></settings>"
             "<tiers><tier name=\"web\" computer-name=\"web-##.@DOMAIN@\" "
             "addresses=\"@NET@\">" TEMPLATE "<scripts><script name=\"s\" "
             "phase=\"first-vm\" arguments=\"@DOMAIN@@NET@ a@b\"><object "
             "name=\"x\"/></script></scripts></tier></tiers>"
             "<load-balancer><port name=\"p\" tier=\"web\" port=\"80\" "
             "address=\"@LB@\"/></load-balancer>");

static struct v2v_document *
expand (const struct v2v_document *d, const struct v2v_setting_value *given,
        size_t nr, struct v2v_error **err)
{
  struct v2v_document *full;
  char **values = NULL;

  assert_int_equal (v2v_settings_resolve (d, given, nr, &values, err), 0);
  full = v2v_service_expand (d, values, err);
  v2v_guest_free_list (values);
  return full;
}

static void
test_settings_are_put_in_once_and_empty_texts_are_not_said (void **state)
{
  const struct v2v_setting_value given[] = { { "NET", "10.0.0.1/24" } };
  CLEANUP_DOCUMENT struct v2v_document *d = parse (with_settings);
  struct v2v_error *err = NULL;
  CLEANUP_DOCUMENT struct v2v_document *full = expand (d, given, 1, &err);
  const struct v2v_tier *t;

  (void) state;
  assert_ptr (full, err);
  t = &full->service.tiers[0];
  assert_string_equal (t->computer_name, "web-##.lab.test");
  assert_string_equal (t->addresses, "10.0.0.1/24");
  assert_string_equal (t->scripts[0].arguments, "lab.test10.0.0.1/24 a@b");
  assert_string_equal (full->head.description,
                       "for lab.test, mail ops@DOMAIN.org");
  assert_null (full->service.ports[0].address);
  /* The declarations stay. */
  assert_int_equal (full->service.nr_settings, 3);
  assert_string_equal (full->service.settings[0].fallback, "lab.test");
}

static void
test_a_value_is_text_and_never_a_place_for_another (void **state)
{
  const struct v2v_setting_value given[] = { { "DOMAIN", "x\"<&'>@NET@" },
                                             { "NET", "n" } };
  CLEANUP_DOCUMENT struct v2v_document *d = parse (with_settings);
  struct v2v_error *err = NULL;
  CLEANUP_DOCUMENT struct v2v_document *full = expand (d, given, 2, &err);

  (void) state;
  assert_ptr (full, err);
  assert_string_equal (full->service.tiers[0].computer_name,
                       "web-##.x\"<&'>@NET@");
}

static void
test_a_value_that_makes_the_document_wrong_is_refused (void **state)
{
  char value[80];
  const struct v2v_setting_value given[] = { { "DOMAIN", value } };
  CLEANUP_DOCUMENT struct v2v_document *d = parse (with_settings);
  struct v2v_error *err = NULL;

  (void) state;
  memset (value, 'a', 79);
  value[79] = '\0';
  assert_null (expand (d, given, 1, &err));
  assert_error (&err, V2V_ERR_FORMAT, "with the values of its settings");
}

/* ---- addresses ---- */

static void
test_addresses_are_counted_over_ranges_of_both_families (void **state)
{
  static const char pool[] =
      "10.0.0.254/23-10.0.1.1, 2001:db8::fffe/64-2001:db8::1:0,10.9.9.9/8";
  static const char *const all[] = {
    "10.0.0.254/23",     "10.0.0.255/23",     "10.0.1.0/23",      "10.0.1.1/23",
    "2001:db8::fffe/64", "2001:db8::ffff/64", "2001:db8::1:0/64", "10.9.9.9/8",
  };
  struct v2v_error *err = NULL;
  size_t n = 0;

  (void) state;
  assert_ok (service_pool_count (pool, &n, &err), err);
  assert_int_equal (n, V2V_ARRAY_SIZE (all));
  for (size_t i = 0; i < n; ++i) {
    CLEANUP_FREE char *one = NULL;

    assert_ok (service_pool_nth (pool, i, &one, &err), err);
    assert_string_equal (one, all[i]);
  }
  assert_int_equal (service_pool_nth (pool, n, &(char *){ NULL }, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "8 addresses, and number 9 is wanted");
}

static void
test_addresses_that_are_none_are_refused (void **state)
{
  static const struct {
    const char *pool, *part;
  } bad[] = {
    { "10.0.0.1", "ADDRESS/PREFIX" },
    { "10.0.0.1/33", "ADDRESS/PREFIX" },
    { "10.0.0.1/", "ADDRESS/PREFIX" },
    { "10.0.0.256/24", "ADDRESS/PREFIX" },
    { "10.0.0.1/24-", "ADDRESS/PREFIX" },
    { "10.0.0.1/24-::1", "ADDRESS/PREFIX" },
    { "10.0.0.1/24x", "ADDRESS/PREFIX" },
    { "10.0.0.1/0024", "ADDRESS/PREFIX" },
    { "::1/129", "ADDRESS/PREFIX" },
    { "10.0.0.9/24-10.0.0.1", "goes up" },
    { "10.0.0.1/8-10.1.0.1", "65536 addresses" },
    { "::/0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "65536 addresses" },
    { "10.0.0.1/24-10.0.1.1", "network of that prefix" },
    { "10.0.0.1/30-10.0.0.4", "network of that prefix" },
    { "10.0.0.0/8-10.0.255.255,11.0.0.1/8", "more than 65536" },
  };
  size_t n;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;

    assert_int_equal (service_pool_count (bad[i].pool, &n, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, bad[i].part);
  }
}

/* ---- machines ---- */

static const char two_tiers[] = SERVICE (
    "<tiers><tier name=\"web\" order=\"2\" minimum=\"1\" instances=\"3\" "
    "maximum=\"6\" upgrade-domains=\"2\" "
    "addresses=\"10.0.0.11/24-10.0.0.20\">" TEMPLATE
    "<scripts><script name=\"first\" phase=\"first-vm\"><object name=\"a\"/>"
    "</script><script name=\"next\" phase=\"next-vms\"><object name=\"b\"/>"
    "</script><script name=\"out\" phase=\"scale-in\"><object name=\"c\"/>"
    "</script></scripts></tier>"
    "<tier name=\"db\" order=\"1\">" TEMPLATE "</tier></tiers>");

struct world {
  struct v2v_document *d;
  struct service_tiers tiers;
};

static struct world
begin (const char *text)
{
  struct world w = { .d = parse (text) };
  const struct v2v_service_template *s = &w.d->service;
  struct v2v_error *err = NULL;

  w.tiers.ptr = calloc (s->nr_tiers, sizeof *w.tiers.ptr);
  w.tiers.len = s->nr_tiers;
  for (size_t i = 0; i < s->nr_tiers; ++i) {
    struct service_tier *t = &w.tiers.ptr[i];

    t->tier = &s->tiers[i];
    t->pattern =
        service_pattern ("Shop", s->computer_prefix, t->tier, NULL, &err);
    assert_ptr (t->pattern, err);
    t->fingerprint = strdup ("1");
    t->vm_template = strdup ("vm-id");
    t->scripts = calloc (t->tier->nr_scripts + 1, sizeof *t->scripts);
    for (size_t k = 0; k < t->tier->nr_scripts; ++k)
      t->scripts[k] = strdup (t->tier->scripts[k].name);
  }
  return w;
}

static void
end (struct world *w)
{
  service_tiers_clear (&w->tiers);
  v2v_document_free (w->d);
}

static void
lay_out (const struct world *w, unsigned web, unsigned db,
         const struct v2v_service_machines *old, const char *const *taken,
         struct v2v_service_machines *ret)
{
  const unsigned counts[] = { web, db };
  struct v2v_error *err = NULL;

  assert_ok (service_layout (&w->tiers, counts, old, taken, ret, &err), err);
}

/* As the catalogue has them: each has an id. */
static void
make (struct v2v_service_machines *m)
{
  for (size_t i = 0; i < m->len; ++i)
    if (m->ptr[i].id == NULL)
      assert_true (asprintf (&m->ptr[i].id, "id-%s", m->ptr[i].computer_name) >
                   0);
}

static char *
tell (const struct v2v_service_machines *m)
{
  struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; i < m->len; ++i)
    assert_int_equal (
        v2v_str_printf (&s, "%s%s/%u/%u %s", i ? ", " : "", m->ptr[i].tier,
                        m->ptr[i].ordinal, m->ptr[i].domain,
                        m->ptr[i].address ? m->ptr[i].address : "-"),
        0);
  return s.ptr;
}

static char *
tell_steps (const struct v2v_service_steps *steps)
{
  struct v2v_str s = V2V_STR_INIT;

  for (size_t i = 0; i < steps->len; ++i)
    assert_int_equal (v2v_str_printf (&s, "%s%s %s", i ? "; " : "",
                                      steps->ptr[i].kind,
                                      steps->ptr[i].subject),
                      0);
  return s.ptr != NULL ? s.ptr : strdup ("");
}

static const struct v2v_service_machines none;

static void
test_machines_come_by_order_of_tier_with_domains_names_and_addresses (
    void **state)
{
  static const char *const taken[] = { "shop-web-02", NULL };
  struct world w = begin (two_tiers);
  struct v2v_service_machines m = { .ptr = NULL };
  CLEANUP_FREE char *told = NULL;

  (void) state;
  lay_out (&w, 3, 1, &none, taken, &m);
  told = tell (&m);
  assert_string_equal (told, "db/1/1 -, web/1/1 10.0.0.11/24, "
                             "web/2/2 10.0.0.12/24, web/3/1 10.0.0.13/24");
  assert_string_equal (m.ptr[0].computer_name, "Shop-db-01");
  assert_string_equal (m.ptr[1].computer_name, "Shop-web-01");
  assert_string_equal (m.ptr[2].computer_name, "Shop-web-03");
  assert_string_equal (m.ptr[3].computer_name, "Shop-web-04");
  v2v_service_machines_clear (&m);
  end (&w);
}

static void
test_scaling_takes_the_last_away_and_fills_holes (void **state)
{
  struct world w = begin (two_tiers);
  struct v2v_service_machines m = { .ptr = NULL }, fewer = { .ptr = NULL };
  struct v2v_service_machines hole = { .ptr = NULL }, full = { .ptr = NULL };
  CLEANUP_FREE char *told = NULL, *filled = NULL;
  struct v2v_error *err = NULL;

  (void) state;
  lay_out (&w, 4, 1, &none, NULL, &m);
  make (&m);
  lay_out (&w, 2, 1, &m, NULL, &fewer);
  told = tell (&fewer);
  assert_string_equal (told, "db/1/1 -, web/1/1 10.0.0.11/24, "
                             "web/2/2 10.0.0.12/24");
  /* The second is lost: its place, name and address are used again. */
  for (size_t i = 0; i < m.len; ++i)
    if (m.ptr[i].ordinal != 2)
      assert_ok (service_machine_copy (&hole, &m.ptr[i], &err), err);
  lay_out (&w, 4, 1, &hole, NULL, &full);
  filled = tell (&full);
  assert_non_null (strstr (filled, "web/2/2 10.0.0.12/24, web/3/1"));
  assert_null (full.ptr[2].id);
  assert_string_equal (full.ptr[2].computer_name, "Shop-web-02");
  v2v_service_machines_clear (&m);
  v2v_service_machines_clear (&fewer);
  v2v_service_machines_clear (&hole);
  v2v_service_machines_clear (&full);
  end (&w);
}

static void
test_numbers_outside_of_the_limits_are_refused (void **state)
{
  static const unsigned bad[][2] = { { 0, 1 }, { 7, 1 }, { 3, 2 }, { 3, 0 } };
  struct world w = begin (two_tiers);
  struct v2v_service_machines m;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;

    assert_int_equal (service_layout (&w.tiers, bad[i], &none, NULL, &m, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, "machines, expected");
  }
  end (&w);
}

static void
test_two_machines_never_get_one_address (void **state)
{
  struct world w = begin (SERVICE (
      "<tiers><tier name=\"a\" addresses=\"10.0.0.1/24\">" TEMPLATE "</tier>"
      "<tier name=\"b\" addresses=\"10.0.0.1/24\">" TEMPLATE "</tier>"
      "</tiers>"));
  const unsigned counts[] = { 1, 1 };
  struct v2v_service_machines m;
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (service_layout (&w.tiers, counts, &none, NULL, &m, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "would both have the address 10.0.0.1/24");
  end (&w);
}

static void
test_a_pattern_that_cannot_name_the_tier_is_refused (void **state)
{
  static const struct {
    const char *pattern, *part;
  } bad[] = { { "web", "a counter" },
              { "*", "known before" },
              { "we b##", "letters" },
              { "a##b##", "one run" } };
  struct world w = begin (two_tiers);

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;

    assert_null (
        service_pattern ("s", NULL, w.tiers.ptr[0].tier, bad[i].pattern, &err));
    assert_error (&err, V2V_ERR_USAGE, bad[i].part);
  }
  end (&w);
}

/* ---- steps ---- */

static void
test_steps_of_a_deployment_are_tier_by_tier_with_scripts (void **state)
{
  struct world w = begin (two_tiers);
  struct v2v_service_machines m = { .ptr = NULL };
  struct v2v_service_steps steps = { .ptr = NULL };
  CLEANUP_FREE char *told = NULL;
  struct v2v_error *err = NULL;

  (void) state;
  lay_out (&w, 2, 1, &none, NULL, &m);
  assert_ok (
      service_steps (&(struct service_change){ .operation = V2V_SERVICE_DEPLOY,
                                               .tiers = &w.tiers,
                                               .old = &none,
                                               .new = &m,
                                               .acting = true,
                                               .network = true },
                     &steps, &err),
      err);
  told = tell_steps (&steps);
  assert_string_equal (
      told, "create Shop-db-01; start Shop-db-01; create Shop-web-01; "
            "start Shop-web-01; script first on Shop-web-01; "
            "create Shop-web-02; start Shop-web-02; "
            "script next on Shop-web-02; network load balancer and names");
  assert_string_equal (v2v_json_get_string (steps.ptr[2].detail, "template"),
                       "vm-id");
  v2v_service_steps_clear (&steps);
  v2v_service_machines_clear (&m);
  end (&w);
}

static void
test_scaling_in_leaves_the_load_balancer_first (void **state)
{
  struct world w = begin (two_tiers);
  struct v2v_service_machines old = { .ptr = NULL }, new = { .ptr = NULL };
  struct v2v_service_steps steps = { .ptr = NULL };
  CLEANUP_FREE char *told = NULL;
  struct v2v_error *err = NULL;

  (void) state;
  lay_out (&w, 3, 1, &none, NULL, &old);
  make (&old);
  lay_out (&w, 1, 1, &old, NULL, &new);
  assert_ok (
      service_steps (&(struct service_change){ .operation = V2V_SERVICE_SCALE,
                                               .tiers = &w.tiers,
                                               .old = &old,
                                               .new = &new,
                                               .acting = true,
                                               .network = true },
                     &steps, &err),
      err);
  told = tell_steps (&steps);
  assert_string_equal (
      told, "network load balancer and names; script out on Shop-web-03; "
            "stop Shop-web-03; remove Shop-web-03; script out on Shop-web-02; "
            "stop Shop-web-02; remove Shop-web-02");
  v2v_service_steps_clear (&steps);
  v2v_service_machines_clear (&old);
  v2v_service_machines_clear (&new);
  end (&w);
}

static void
test_an_update_goes_by_upgrade_domains_and_removes_last (void **state)
{
  static const char old_fingerprints[] = "{\"web\":\"0\",\"db\":\"1\"}";
  struct world w = begin (two_tiers);
  struct v2v_service_machines old = { .ptr = NULL }, new = { .ptr = NULL };
  struct v2v_service_steps steps = { .ptr = NULL };
  CLEANUP_FREE char *told = NULL;
  struct v2v_error *err = NULL;
  CLEANUP_JSON struct v2v_json *was =
      v2v_json_parse (old_fingerprints, strlen (old_fingerprints), "old", &err);

  (void) state;
  lay_out (&w, 3, 1, &none, NULL, &old);
  make (&old);
  lay_out (&w, 3, 1, &old, NULL, &new);
  assert_ok (
      service_steps (&(struct service_change){ .operation = V2V_SERVICE_UPDATE,
                                               .tiers = &w.tiers,
                                               .old = &old,
                                               .new = &new,
                                               .old_fingerprints = was,
                                               .network = true },
                     &steps, &err),
      err);
  told = tell_steps (&steps);
  assert_string_equal (
      told, "retire Shop-web-01; create Shop-web-01; "
            "retire Shop-web-03; create Shop-web-03; "
            "retire Shop-web-02; create Shop-web-02; "
            "network load balancer and names; "
            "remove Shop-web-01; remove Shop-web-03; remove Shop-web-02");
  assert_string_equal (v2v_json_get_string (steps.ptr[0].detail, "id"),
                       "id-Shop-web-01");
  assert_null (v2v_json_get_string (steps.ptr[1].detail, "id"));
  v2v_service_steps_clear (&steps);
  v2v_service_machines_clear (&old);
  v2v_service_machines_clear (&new);
  end (&w);
}

/* ---- network ---- */

#define PORTS(inside)                                                          \
  SERVICE ("<tiers><tier name=\"web\" maximum=\"2\" instances=\"2\" "          \
           "computer-name=\"web-#.lab.test\">" TEMPLATE "</tier></tiers>"      \
           "<load-balancer>" inside "</load-balancer>")

static void
test_haproxy_has_a_section_for_each_port_and_a_line_for_each_machine (
    void **state)
{
  struct world w = begin (PORTS (
      "<port name=\"the web\" tier=\"web\" protocol=\"http\" port=\"80\" "
      "address=\"2001:DB8::1\" backend-port=\"8080\" sticky=\"true\" "
      "health-path=\"/up?a=1\" balance=\"least-connections\"/>"
      "<port name=\"the-web\" tier=\"web\" protocol=\"https\" port=\"443\" "
      "health-path=\"/\" health-seconds=\"9\" sticky=\"true\"/>"));
  struct v2v_service_machines m = { .ptr = NULL };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;

  (void) state;
  assert_ok (
      service_layout (&w.tiers, (const unsigned[]){ 2 }, &none, NULL, &m, &err),
      err);
  m.ptr[0].address = strdup ("10.0.0.1/24");
  assert_ok (
      v2v_service_haproxy ("Shop 'x'\nglobal", &w.d->service, &m, &text, &err),
      err);
  assert_string_equal (
      text,
      "# The service Shop-x-global, written by v2v: what is changed here is "
      "lost.\n"
      "defaults\n"
      "    timeout connect 5s\n"
      "    timeout client 1m\n"
      "    timeout server 1m\n"
      "\nfrontend Shop-x-global-the-web\n"
      "    bind [2001:db8::1]:80\n"
      "    mode http\n"
      "    default_backend Shop-x-global-the-web\n"
      "\nbackend Shop-x-global-the-web\n"
      "    mode http\n"
      "    balance leastconn\n"
      "    option httpchk GET /up?a=1\n"
      "    cookie V2VSERVER insert indirect nocache\n"
      "    default-server inter 5s\n"
      "    server web-1 10.0.0.1:8080 check cookie web-1\n"
      "    server web-2 web-2.lab.test:8080 check init-addr last,libc,none "
      "cookie web-2\n"
      "\nfrontend Shop-x-global-the-web:2\n"
      "    bind *:443\n"
      "    mode tcp\n"
      "    default_backend Shop-x-global-the-web:2\n"
      "\nbackend Shop-x-global-the-web:2\n"
      "    mode tcp\n"
      "    balance roundrobin\n"
      "    option httpchk GET /\n"
      "    stick-table type ipv6 size 200k expire 30m\n"
      "    stick on src\n"
      "    default-server inter 9s\n"
      "    server web-1 10.0.0.1:443 check check-ssl verify none\n"
      "    server web-2 web-2.lab.test:443 check check-ssl verify none "
      "init-addr last,libc,none\n");
  v2v_service_machines_clear (&m);
  end (&w);
}

static void
test_what_the_syntax_of_haproxy_cannot_hold_is_refused (void **state)
{
  static const struct {
    const char *attributes, *part;
  } bad[] = {
    { "health-path=\"/a b\"", "health-path" },
    { "health-path=\"/a#b\"", "health-path" },
    { "health-path=\"/$(id)\"", "health-path" },
    { "health-path=\"a\"", "health-path" },
    { "address=\"10.0.0.1 name x\"", "is not an address" },
    { "address=\"lb.lab.test\"", "is not an address" },
    { "address=\"10.0.0.1/24\"", "is not an address" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    CLEANUP_FREE char *xml = NULL;
    struct v2v_error *err = NULL;
    struct world w;
    char *text = NULL;

    assert_true (asprintf (&xml,
                           PORTS ("<port name=\"p\" tier=\"web\" port=\"80\" "
                                  "%s/>"),
                           bad[i].attributes) > 0);
    w = begin (xml);
    assert_int_equal (
        v2v_service_haproxy ("s", &w.d->service, &none, &text, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, bad[i].part);
    end (&w);
  }
}

static void
test_the_zone_has_the_machines_and_the_service (void **state)
{
  struct world w = begin (PORTS (
      "<port name=\"a\" tier=\"web\" port=\"80\" address=\"10.0.0.9\"/>"
      "<port name=\"b\" tier=\"web\" port=\"81\" address=\"10.0.0.9\"/>"
      "<port name=\"c\" tier=\"web\" port=\"80\" address=\"2001:db8::9\"/>"));
  struct v2v_service_machines m = { .ptr = NULL };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  char *bad = NULL;

  (void) state;
  assert_ok (
      service_layout (&w.tiers, (const unsigned[]){ 2 }, &none, NULL, &m, &err),
      err);
  m.ptr[0].address = strdup ("10.0.0.1/24");
  assert_ok (v2v_service_zone ("The_Shop.", &w.d->service, &m, &text, &err),
             err);
  assert_string_equal (text, "; Written by v2v: what is changed here is lost.\n"
                             "; $INCLUDE this file in the zone.\n"
                             "the-shop.lab.test.\t3600\tIN\tA\t10.0.0.9\n"
                             "the-shop.lab.test.\t3600\tIN\tAAAA\t2001:db8::9\n"
                             "web-1.lab.test.\t3600\tIN\tA\t10.0.0.1\n"
                             "; web-2.lab.test: its address is not known\n");
  free (m.ptr[1].computer_name);
  m.ptr[1].computer_name = strdup ("web-2\nevil IN A 1.2.3.4");
  assert_int_equal (v2v_service_zone ("s", &w.d->service, &m, &bad, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "cannot be a host name");
  assert_int_equal (v2v_service_haproxy ("s", &w.d->service, &m, &bad, &err),
                    -1);
  assert_error (&err, V2V_ERR_USAGE, "cannot be a host name");
  v2v_service_machines_clear (&m);
  end (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_settings_are_put_in_once_and_empty_texts_are_not_said),
    cmocka_unit_test (test_a_value_is_text_and_never_a_place_for_another),
    cmocka_unit_test (test_a_value_that_makes_the_document_wrong_is_refused),
    cmocka_unit_test (test_addresses_are_counted_over_ranges_of_both_families),
    cmocka_unit_test (test_addresses_that_are_none_are_refused),
    cmocka_unit_test (
        test_machines_come_by_order_of_tier_with_domains_names_and_addresses),
    cmocka_unit_test (test_scaling_takes_the_last_away_and_fills_holes),
    cmocka_unit_test (test_numbers_outside_of_the_limits_are_refused),
    cmocka_unit_test (test_two_machines_never_get_one_address),
    cmocka_unit_test (test_a_pattern_that_cannot_name_the_tier_is_refused),
    cmocka_unit_test (test_steps_of_a_deployment_are_tier_by_tier_with_scripts),
    cmocka_unit_test (test_scaling_in_leaves_the_load_balancer_first),
    cmocka_unit_test (test_an_update_goes_by_upgrade_domains_and_removes_last),
    cmocka_unit_test (
        test_haproxy_has_a_section_for_each_port_and_a_line_for_each_machine),
    cmocka_unit_test (test_what_the_syntax_of_haproxy_cannot_hold_is_refused),
    cmocka_unit_test (test_the_zone_has_the_machines_and_the_service),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
