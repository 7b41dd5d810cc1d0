/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Placement: rules, ratings, reasons. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/placement.h"
#include "test-util.h"

#define S(s) ((char *) (uintptr_t) (s))

/* Room for the hosts of a test. */
struct site {
  struct v2v_host hosts[3];
  struct v2v_place_host known[3];
  struct v2v_place_ratings ratings;
};

static void
site_init (struct site *s)
{
  static const char *const names[] = { "a", "b", "c" };

  memset (s, 0, sizeof *s);
  for (size_t i = 0; i < 3; ++i) {
    s->hosts[i].name = S (names[i]);
    s->hosts[i].processors = 8;
    s->hosts[i].memory_mib = 1000;
    s->hosts[i].disk_gib = 100;
    s->known[i].host = &s->hosts[i];
  }
}

static const struct v2v_place_rating *
place (struct site *s, const struct v2v_place_need *need, const char *name)
{
  struct v2v_error *err = NULL;

  v2v_place_clear (&s->ratings);
  assert_ok (v2v_place (need, s->known, 3, &s->ratings, &err), err);
  assert_int_equal (s->ratings.len, 3);
  for (size_t i = 0; i < 3; ++i)
    if (strcmp (s->ratings.ptr[i].host->name, name) == 0)
      return &s->ratings.ptr[i];
  fail ();
  return NULL;
}

static void
assert_forbidden (struct site *s, const struct v2v_place_need *need,
                  const char *reason)
{
  const struct v2v_place_rating *r = place (s, need, "b");

  assert_int_equal (r->rating, 0);
  assert_int_equal (r->nr_reasons, 1);
  assert_string_equal (r->reasons[0], reason);
  /* The others are not, and come first. */
  assert_true (s->ratings.ptr[0].rating > 0 && s->ratings.ptr[1].rating > 0);
  assert_string_equal (s->ratings.ptr[2].host->name, "b");
  v2v_place_clear (&s->ratings);
}

static void
test_each_rule_forbids_and_says_so (void **state)
{
  static const char *const lab[] = { "Lab" };
  static const unsigned vlan7[] = { 7 };
  static char *const switches[] = { S ("Lab"), S ("x") };
  static unsigned vlans[] = { 7 }, other_vlans[] = { 8 };
  struct v2v_place_need need = { .generation = 2 };
  struct site s;

  (void) state;
  site_init (&s);
  s.hosts[1].maintenance = true;
  assert_forbidden (&s, &need, "is in maintenance");

  site_init (&s);
  s.hosts[1].generations = 1u << 1;
  s.hosts[2].generations = 1u << 1 | 1u << 2;
  assert_forbidden (&s, &need, "takes no machine of generation 2");

  site_init (&s);
  need = (struct v2v_place_need){ .availability_zone = "z" };
  s.hosts[0].availability_zone = s.hosts[2].availability_zone = S ("z");
  assert_forbidden (&s, &need, "is not in the zone 'z'");
  s.hosts[1].availability_zone = S ("y");
  assert_forbidden (&s, &need, "is not in the zone 'z'");

  site_init (&s);
  need = (struct v2v_place_need){ .switches = lab, .nr_switches = 1 };
  s.hosts[0].switches = (char **) (uintptr_t) switches;
  s.hosts[0].nr_switches = 2;
  s.hosts[1].switches = (char **) (uintptr_t) &switches[1];
  s.hosts[1].nr_switches = 1;
  assert_forbidden (&s, &need, "has no switch 'Lab'");

  site_init (&s);
  need = (struct v2v_place_need){ .vlans = vlan7, .nr_vlans = 1 };
  s.hosts[0].vlans = vlans;
  s.hosts[1].vlans = other_vlans;
  s.hosts[0].nr_vlans = s.hosts[1].nr_vlans = 1;
  assert_forbidden (&s, &need, "has no VLAN 7");

  site_init (&s);
  need = (struct v2v_place_need){ .anti_affinity = true };
  s.known[1].nr_group = 2;
  assert_forbidden (&s, &need, "has 2 of the machines that are to be apart");
}

static void
test_capacity_is_a_limit_to_the_last_unit (void **state)
{
  struct v2v_place_need need = { .memory_mib = 400 };
  struct site s;

  (void) state;
  site_init (&s);
  s.known[1].used_memory_mib = 601;
  assert_forbidden (&s, &need, "400 MiB of memory: 601 of 1000 MiB are taken");
  s.known[1].used_memory_mib = 600;
  assert_true (place (&s, &need, "b")->rating > 0);
  /* More is taken than there is: no difference wraps. */
  s.known[1].used_memory_mib = 2000;
  need.memory_mib = 1;
  assert_int_equal (place (&s, &need, "b")->rating, 0);

  v2v_place_clear (&s.ratings);
  site_init (&s);
  need = (struct v2v_place_need){ .disk_gib = 60 };
  s.known[1].used_disk_gib = 41;
  assert_forbidden (&s, &need, "60 GiB of disks: 41 of 100 GiB are taken");
  s.known[1].used_disk_gib = 40;
  assert_true (place (&s, &need, "b")->rating > 0);

  v2v_place_clear (&s.ratings);
  site_init (&s);
  need = (struct v2v_place_need){ .processors = 5 };
  s.hosts[1].processors = 4;
  assert_forbidden (&s, &need, "5 processors: it has 4");
  s.hosts[1].processors = 8;
  s.known[1].used_processors = 60;
  assert_forbidden (&s, &need,
                    "5 processors: 60 are given out, 8 for each of its 8 is "
                    "the limit");
  s.known[1].used_processors = 59;
  assert_true (place (&s, &need, "b")->rating > 0);
  v2v_place_clear (&s.ratings);
}

static void
test_the_emptier_host_is_better_and_bases_count (void **state)
{
  struct v2v_place_need need = { .memory_mib = 100, .nr_bases = 2 };
  struct site s;

  (void) state;
  site_init (&s);
  s.known[0].used_memory_mib = 500;
  s.known[1].used_memory_mib = 200;
  s.known[2].used_memory_mib = 200;
  s.known[2].nr_bases_there = 2;
  s.known[0].missing_bytes = s.known[1].missing_bytes = 3u << 20;
  assert_true (place (&s, &need, "c")->rating > place (&s, &need, "b")->rating);
  assert_true (place (&s, &need, "b")->rating > place (&s, &need, "a")->rating);
  assert_string_equal (s.ratings.ptr[0].host->name, "c");
  assert_string_equal (place (&s, &need, "b")->reasons[3],
                       "bases 0 of 20: 0 of 2 are there, 3.0 MiB to send");
  /* A base that is there outweighs a little memory, not a full host. */
  s.known[2].used_memory_mib = 300;
  place (&s, &need, "c");
  assert_string_equal (s.ratings.ptr[0].host->name, "c");
  s.known[2].used_memory_mib = 900;
  place (&s, &need, "c");
  assert_string_equal (s.ratings.ptr[0].host->name, "b");
  v2v_place_clear (&s.ratings);
}

static void
test_equals_go_where_fewer_machines_are (void **state)
{
  const struct v2v_place_need need = { .memory_mib = 1 };
  struct site s;

  (void) state;
  site_init (&s);
  s.known[0].nr_machines = 2;
  s.known[1].nr_machines = 1;
  s.known[2].nr_machines = 1;
  place (&s, &need, "a");
  assert_string_equal (s.ratings.ptr[0].host->name, "b");
  assert_string_equal (s.ratings.ptr[1].host->name, "c");
  assert_string_equal (s.ratings.ptr[2].host->name, "a");
  /* Machines of the same group are spread even where they need not be. */
  s.known[1].nr_group = 1;
  place (&s, &need, "a");
  assert_string_equal (s.ratings.ptr[0].host->name, "c");
  v2v_place_clear (&s.ratings);
}

static void
test_what_the_file_does_not_say_is_no_limit (void **state)
{
  static const char *const lab[] = { "Lab" };
  struct v2v_place_need need = { .memory_mib = UINT64_MAX,
                                 .disk_gib = UINT64_MAX,
                                 .processors = 64,
                                 .switches = lab,
                                 .nr_switches = 1 };
  struct v2v_host_network map = { S ("Lab"), S ("other") };
  static char *const switches[] = { S ("other") };
  struct site s;

  (void) state;
  site_init (&s);
  s.hosts[1].memory_mib = s.hosts[1].disk_gib = s.hosts[1].processors = 0;
  assert_true (place (&s, &need, "b")->rating > 0);
  assert_int_equal (place (&s, &need, "a")->rating, 0);
  /* A network that the host's table maps to one of its switches. */
  s.hosts[1].switches = (char **) (uintptr_t) switches;
  s.hosts[1].nr_switches = 1;
  assert_int_equal (place (&s, &need, "b")->rating, 0);
  s.hosts[1].networks = &map;
  s.hosts[1].nr_networks = 1;
  assert_true (place (&s, &need, "b")->rating > 0);
  v2v_place_clear (&s.ratings);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_rule_forbids_and_says_so),
    cmocka_unit_test (test_capacity_is_a_limit_to_the_last_unit),
    cmocka_unit_test (test_the_emptier_host_is_better_and_bases_count),
    cmocka_unit_test (test_equals_go_where_fewer_machines_are),
    cmocka_unit_test (test_what_the_file_does_not_say_is_no_limit),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
