/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network map: both forms, quoting, every refusal with its line. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/network-map.h"
#include "test-util.h"

static struct v2v_network_map *
parse (const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_network_map *map =
      v2v_network_map_parse (text, strlen (text), "map", &err);

  assert_ptr (map, err);
  return map;
}

static void
refused (const char *text, const char *message)
{
  struct v2v_error *err = NULL;

  assert_null (v2v_network_map_parse (text, strlen (text), "map", &err));
  assert_error (&err, V2V_ERR_FORMAT, message);
}

/* NETWORK must map to SWITCH_NAME (NULL = disconnected) and VLAN. */
static void
maps (const struct v2v_network_map *map, const char *network,
      const char *switch_name, int vlan)
{
  const struct v2v_network_map_entry *e = v2v_network_map_lookup (map, network);

  assert_non_null (e);
  if (switch_name == NULL)
    assert_null (e->switch_name);
  else
    assert_string_equal (e->switch_name, switch_name);
  assert_int_equal (e->vlan, vlan);
}

static void
test_text_form (void **state)
{
  struct v2v_network_map *map =
      parse ("\xef\xbb\xbf# comment\r\n"
             "\r\n"
             "VM Network  =  External  \r\n"
             "DMZ=Outer Switch VLAN 20\n"
             "\"a = b\" = \"Switch \\\"1\\\" \\\\ vlan 3\" vlan 4095\n"
             "Heartbeat = -\n"
             "vlan 5 = vlan 6\n"
             "Untagged = S vlan 0\n"
             "Version = Switch v2\n"
             "dash = \"-\"\n"
             "last = L");

  (void) state;
  assert_int_equal (v2v_network_map_length (map), 9);
  maps (map, "VM Network", "External", V2V_VLAN_AS_SOURCE);
  maps (map, "vm network", "External", V2V_VLAN_AS_SOURCE);
  maps (map, "DMZ", "Outer Switch", 20);
  maps (map, "a = b", "Switch \"1\" \\ vlan 3", V2V_VLAN_TRUNK);
  maps (map, "Heartbeat", NULL, V2V_VLAN_AS_SOURCE);
  maps (map, "vlan 5", "vlan 6", V2V_VLAN_AS_SOURCE);
  maps (map, "Untagged", "S", 0);
  maps (map, "Version", "Switch v2", V2V_VLAN_AS_SOURCE);
  maps (map, "dash", "-", V2V_VLAN_AS_SOURCE);
  maps (map, "last", "L", V2V_VLAN_AS_SOURCE);
  assert_null (v2v_network_map_lookup (map, "Other"));
  assert_null (v2v_network_map_lookup (map, NULL));
  v2v_network_map_free (map);
}

static void
test_json_form (void **state)
{
  struct v2v_network_map *map =
      parse (" \n{ \"VM Network\": \"External\",\n"
             "\"DMZ\": { \"switch\": \"Outer\", \"vlan\": 20 },"
             "\"Heartbeat\": null, \"*\": \"Rest\" }");

  (void) state;
  maps (map, "VM Network", "External", V2V_VLAN_AS_SOURCE);
  maps (map, "DMZ", "Outer", 20);
  maps (map, "Heartbeat", NULL, V2V_VLAN_AS_SOURCE);
  maps (map, "anything", "Rest", V2V_VLAN_AS_SOURCE);
  maps (map, NULL, "Rest", V2V_VLAN_AS_SOURCE);
  v2v_network_map_free (map);
}

static void
test_exact_name_wins_over_case (void **state)
{
  struct v2v_network_map *map = parse ("lan = one\nLAN = two\n* = three\n");

  (void) state;
  maps (map, "lan", "one", V2V_VLAN_AS_SOURCE);
  maps (map, "LAN", "two", V2V_VLAN_AS_SOURCE);
  maps (map, "Lan", "one", V2V_VLAN_AS_SOURCE);
  maps (map, "wan", "three", V2V_VLAN_AS_SOURCE);
  v2v_network_map_free (map);
}

static void
test_malformed_maps_are_refused (void **state)
{
  (void) state;
  refused ("a = b\nno equals sign\n", "line 2: expected \"NETWORK = SWITCH\"");
  refused (" = b\n", "line 1: the network has no name");
  refused ("a =\n", "line 1: the switch has no name");
  refused ("a = vlan 3\n = c\n", "line 2");
  refused ("a = b vlan 4096\n", "expected a number from 0 to 4095");
  refused ("a = b vlan x\n", "expected a number from 0 to 4095");
  refused ("a = b vlan 12345\n", "expected a number from 0 to 4095");
  refused ("a = \"b\" vlan 4096\n", "expected a number from 0 to 4095");
  refused ("a = \"b\" vlan -1\n", "expected a number");
  refused ("a = \"b\" c\n", "expected \"vlan N\"");
  refused ("\"a = b\n", "line 1: a quote is not closed");
  refused ("a = b\n\na = c\n", "line 3: network \"a\" is named twice");
  refused ("[]", "not an object");
  refused ("{ \"a\": 3 }", "expected the name of a switch");
  refused ("{ \"a\": { \"vlan\": 3 } }", "no switch");
  refused ("{ \"a\": { \"switch\": \"s\", \"vlan\": 4096 } }", "0 to 4095");
  refused ("{ \"a\": { \"switch\": \"s\", \"vlan\": -1 } }", "0 to 4095");
  refused ("{ \"a\": { \"switch\": \"s\", \"lan\": 1 } }", "member \"lan\"");
  refused ("{ \"a\": \"\" }", "an empty name");
  refused ("{ \"a\": \"b\", \"a\": \"c\" }", "");
  refused ("{", "");
  refused ("a = \xff\n", "not UTF-8");
}

static void
test_a_nul_byte_is_refused (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  assert_null (v2v_network_map_parse ("a = b\0c", 7, "map", &err));
  assert_error (&err, V2V_ERR_FORMAT, "not UTF-8 text");
}

static void
test_size_limits (void **state)
{
  struct v2v_error *err = NULL;
  const size_t big = V2V_NETWORK_MAP_MAX_BYTES;
  char *text = malloc (big + 2);
  size_t n = 0;

  (void) state;
  assert_non_null (text);
  memset (text, '\n', big + 1);
  v2v_network_map_free (v2v_network_map_parse (text, big, "map", &err));
  assert_null (err);
  assert_null (v2v_network_map_parse (text, big + 1, "map", &err));
  assert_error (&err, V2V_ERR_FORMAT, "at most 1048576");
  for (unsigned i = 0; i <= V2V_NETWORK_MAP_MAX_ENTRIES; ++i)
    n += (size_t) sprintf (text + n, "n%u=s\n", i);
  assert_null (v2v_network_map_parse (text, n, "map", &err));
  assert_error (&err, V2V_ERR_FORMAT, "more than 10000 networks");
  free (text);
}

static void
test_an_entry_of_the_command_line_wins (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_network_map *map = parse ("a = file\nb = file\n");

  (void) state;
  assert_ok (v2v_network_map_add (map, "a=line vlan 3", &err), err);
  assert_ok (v2v_network_map_add (map, "c=new", &err), err);
  maps (map, "a", "line", 3);
  maps (map, "b", "file", V2V_VLAN_AS_SOURCE);
  maps (map, "c", "new", V2V_VLAN_AS_SOURCE);
  assert_int_equal (v2v_network_map_length (map), 3);
  assert_int_equal (v2v_network_map_add (map, "d", &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "expected \"NETWORK = SWITCH\"");
  v2v_network_map_free (map);
}

static void
test_a_file_is_loaded_and_named_in_errors (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_network_map *map;
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = NULL;
  FILE *fp;

  (void) state;
  assert_true (asprintf (&path, "%s/map", dir) > 0);
  fp = fopen (path, "w");
  assert_non_null (fp);
  fputs ("a = b\n", fp);
  fclose (fp);
  map = v2v_network_map_load (path, &err);
  assert_ptr (map, err);
  maps (map, "a", "b", V2V_VLAN_AS_SOURCE);
  v2v_network_map_free (map);
  fp = fopen (path, "w");
  assert_non_null (fp);
  fputs ("nonsense\n", fp);
  fclose (fp);
  assert_null (v2v_network_map_load (path, &err));
  assert_error (&err, V2V_ERR_FORMAT, "/map: line 1:");
  fp = fopen (path, "w");
  assert_non_null (fp);
  fclose (fp);
  map = v2v_network_map_load (path, &err);
  assert_ptr (map, err);
  assert_int_equal (v2v_network_map_length (map), 0);
  v2v_network_map_free (map);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_text_form),
    cmocka_unit_test (test_json_form),
    cmocka_unit_test (test_exact_name_wins_over_case),
    cmocka_unit_test (test_malformed_maps_are_refused),
    cmocka_unit_test (test_a_nul_byte_is_refused),
    cmocka_unit_test (test_size_limits),
    cmocka_unit_test (test_an_entry_of_the_command_line_wins),
    cmocka_unit_test (test_a_file_is_loaded_and_named_in_errors),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
