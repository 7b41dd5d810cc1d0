/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a profile: what is refused, how it is said, and that secrets come
 * from files and descriptors only. */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "inject/customize.h"
#include "inject/time-zones.h"
#include "test-util.h"

static struct v2v_profile *
parse (const char *text, struct v2v_error **err)
{
  return v2v_profile_parse (text, strlen (text), "p.json", "/base", err);
}

static void
assert_refused (const char *text, const char *part)
{
  struct v2v_error *err = NULL;

  assert_null (parse (text, &err));
  assert_error (&err, V2V_ERR_USAGE, part);
}

static void
test_an_unknown_member_is_refused_with_its_path_and_the_nearest_name (void **s)
{
  struct v2v_error *err = NULL;

  (void) s;
  assert_null (parse ("{\"windows\": {\"join\": {\"pasword\": 1}}}", &err));
  assert_non_null (strstr (v2v_error_message (err),
                           "p.json: windows.join.pasword: there is no such"));
  assert_string_equal (v2v_error_hint (err), "did you mean password?");
  v2v_error_free (err);
  err = NULL;
  assert_null (parse ("{\"ComputerName\": \"x\"}", &err));
  assert_string_equal (v2v_error_hint (err), "did you mean computer_name?");
  v2v_error_free (err);
  err = NULL;
  assert_null (parse ("{\"linux\": {\"users\": [{\"name\": \"a\"}, "
                      "{\"zzzzzzzzz\": 1}]}}",
                      &err));
  assert_non_null (
      strstr (v2v_error_message (err), "linux.users[1].zzzzzzzzz"));
  assert_null (v2v_error_hint (err));
  v2v_error_free (err);
}

static void
test_a_secret_in_the_profile_itself_is_refused_and_not_repeated (void **s)
{
  static const char *const profiles[] = {
    "{\"windows\": {\"administrator_password\": \"hunter2\"}}",
    "{\"windows\": {\"join\": {\"domain\": \"d\", \"user\": \"u\", "
    "\"password\": \"hunter2\"}}}",
    "{\"windows\": {\"users\": [{\"name\": \"u\", \"password\": "
    "\"hunter2\"}]}}",
    "{\"linux\": {\"root\": {\"password\": \"hunter2\"}}}",
    "{\"linux\": {\"root\": {\"password_hash\": \"hunter2\"}}}",
    "{\"linux\": {\"users\": [{\"name\": \"u\", \"password\": \"hunter2\"}]}}",
  };

  (void) s;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (profiles); ++i) {
    struct v2v_error *err = NULL;

    assert_null (parse (profiles[i], &err));
    assert_non_null (strstr (v2v_error_message (err), "not written into"));
    assert_null (strstr (v2v_error_message (err), "hunter2"));
    assert_non_null (strstr (v2v_error_hint (err), "{\"fd\": N}"));
    v2v_error_free (err);
  }
}

static void
test_values_that_could_break_out_of_a_file_are_refused (void **s)
{
  static const struct {
    const char *text, *part;
  } bad[] = {
    { "{\"computer_name\": \"a\\nb\"}", "computer_name: expected letters" },
    { "{\"computer_name\": \"-a\"}", "expected" },
    { "{\"computer_name\": \"a..b\"}", "expected" },
    { "{\"linux\": {\"users\": [{\"name\": \"eve:x:0:0\"}]}}",
      "users[0].name" },
    { "{\"linux\": {\"users\": [{\"name\": \"eve\\nroot\"}]}}",
      "users[0].name" },
    { "{\"linux\": {\"users\": [{\"name\": \"-rf\"}]}}", "users[0].name" },
    { "{\"linux\": {\"users\": [{\"name\": \"0\"}]}}", "users[0].name" },
    { "{\"linux\": {\"users\": [{\"name\": \"a\", \"comment\": \"x:0\"}]}}",
      "comment" },
    { "{\"linux\": {\"users\": [{\"name\": \"a\", \"shell\": \"sh\"}]}}",
      "shell: expected an absolute path" },
    { "{\"linux\": {\"users\": [{\"name\": \"a\", \"home\": \"/a/../b\"}]}}",
      "home" },
    { "{\"linux\": {\"users\": [{\"name\": \"a\", \"uid\": 0}]}}", "uid" },
    { "{\"linux\": {\"users\": [{\"name\": \"a\", \"authorized_keys\": "
      "[\"ssh-rsa AA\\nssh-rsa BB\"]}]}}",
      "authorized_keys[0]" },
    { "{\"linux\": {\"users\": [{\"name\": \"root\"}]}}", "linux.root" },
    { "{\"linux\": {\"packages\": [\"--force-yes\"]}}", "packages[0]" },
    { "{\"linux\": {\"packages\": [\"a; rm\"]}}", "packages[0]" },
    { "{\"windows\": {\"install_features\": [\"a & b\"]}}",
      "install_features[0]" },
    { "{\"windows\": {\"users\": [{\"name\": \"a\\\"b\"}]}}", "users[0].name" },
    { "{\"windows\": {\"product_key\": \"AAAAA-BBBBB\"}}", "product_key" },
    { "{\"windows\": {\"workgroup\": \"a/b\"}}", "workgroup" },
    { "{\"time_zone\": \"Mars/Olympus\"}", "time_zone" },
    { "{\"locale\": \"de\\nDE\"}", "locale" },
    { "{\"network\": [{\"mac\": \"01:00:5e:00:00:01\", \"dhcp4\": true}]}",
      "mac: expected the MAC address of one card" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"addresses\": "
      "[\"10.0.0.1\"]}]}",
      "addresses[0]" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"addresses\": "
      "[\"10.0.0.1/33\"]}]}",
      "addresses[0]" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\"}]}",
      "expected addresses, dhcp4 or dhcp6" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"dhcp4\": true, "
      "\"name\": \"a/b\"}]}",
      "name" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"dhcp4\": true, "
      "\"mtu\": 575}]}",
      "575, expected 576..65535" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"addresses\": "
      "[\"10.0.0.1/8\"], \"gateways\": [\"2001:db8::1\"]}]}",
      "no address of the same family" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"dhcp4\": true}, "
      "{\"mac\": \"00-50-56-00-00-01\", \"dhcp4\": true}]}",
      "is in network[0] already" },
    { "{\"network\": [{\"mac\": \"00:50:56:00:00:01\", \"addresses\": "
      "[\"10.0.0.1/8\"], \"routes\": [{\"to\": \"0.0.0.0/0\", \"via\": "
      "\"10.0.0.2\"}]}]}",
      "no default route" },
  };

  (void) s;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_refused (bad[i].text, bad[i].part);
}

static void
test_members_that_exclude_each_other_are_refused (void **s)
{
  (void) s;
  assert_refused ("{\"windows\": {\"workgroup\": \"W\", \"join\": {\"domain\": "
                  "\"d\", \"user\": \"u\", \"password\": {\"fd\": 9}}}}",
                  "one of join and workgroup");
  assert_refused ("{\"windows\": {\"join\": {\"domain\": \"d\"}}}",
                  "expected user and password");
  assert_refused ("{\"windows\": {\"auto_logon\": {\"count\": 1}}}",
                  "no password for the user");
  assert_refused ("{\"linux\": {\"root\": {\"password\": {\"fd\": 9}, "
                  "\"lock\": true}}}",
                  "linux.root: expected one of");
  assert_refused ("{\"linux\": {\"root\": {\"password\": {\"fd\": 9}}}, "
                  "\"windows\": {\"administrator_password\": {\"fd\": 9}}}",
                  "descriptor 9 is named twice");
  assert_refused ("{\"linux\": {\"users\": [{\"name\": \"a\"}, {\"name\": "
                  "\"A\"}]}}",
                  "is there already");
}

static void
test_wrong_types_are_refused (void **s)
{
  (void) s;
  assert_refused ("[]", "the profile: expected an object");
  assert_refused ("{\"network\": {}}", "network: expected an array");
  assert_refused ("{\"network\": [1]}", "network[0]: expected an object");
  assert_refused ("{\"computer_name\": 5}", "expected a string");
  assert_refused ("{\"linux\": {\"cloud_init\": \"yes\"}}", "\"seed\"");
  assert_refused ("{\"linux\": {\"root\": {\"lock\": \"true\"}}}",
                  "true or false");
  assert_refused ("{\"linux\": {\"root\": {\"password\": {\"fd\": 1}}}}",
                  "not 1 or 2");
  assert_refused ("{\"linux\": {\"root\": {\"password\": {\"env\": \"X\"}}}}",
                  "{\"file\": \"PATH\"}");
  assert_refused ("{\"linux\": {\"root\": {\"password\": {\"fd\": 9, \"file\": "
                  "\"a\"}}}}",
                  "{\"file\": \"PATH\"}");
}

static void
test_secrets_are_read_from_files_and_descriptors (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *profile = NULL, *secret = NULL, *text = NULL;
  struct v2v_error *err = NULL;
  struct v2v_profile *p;
  int fds[2];

  (void) state;
  assert_int_equal (pipe (fds), 0);
  assert_int_equal (write (fds[1], "over a pipe", 11), 11);
  close (fds[1]);
  assert_true (asprintf (&secret, "%s/secret", dir) > 0);
  assert_true (asprintf (&profile, "%s/p.json", dir) > 0);
  assert_true (asprintf (&text,
                         "{\"linux\": {\"root\": {\"password\": {\"file\": "
                         "\"secret\"}}, \"users\": [{\"name\": \"u\", "
                         "\"password\": {\"fd\": %d}}]}}",
                         fds[0]) > 0);
  test_write_file (secret, "from a file\r\n", 13);
  test_write_file (profile, text, strlen (text));
  p = v2v_profile_load (profile, &err);
  assert_ptr (p, err);
  assert_string_equal (p->os_linux.root.password.text, "from a file");
  assert_string_equal (p->os_linux.users[0].password.text, "over a pipe");
  v2v_profile_free (p);
  close (fds[0]);

  test_write_file (secret, "two\nlines\n", 10);
  free (text);
  text = strdup (
      "{\"linux\": {\"root\": {\"password\": {\"file\": \"secret\"}}}}");
  p = v2v_profile_parse (text, strlen (text), "p.json", dir, &err);
  assert_ptr (p, err);
  assert_int_equal (v2v_profile_read_secrets (p, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "more than one line");
  v2v_profile_free (p);
  test_tmpdir_remove (dir);
}

static void
test_a_hash_that_is_none_is_refused (void **state)
{
  static const char *const bad[] = { "plain", "$6$a$b:0:0", "$6$a$b c",
                                     "!$6$" };
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *secret = NULL;

  (void) state;
  assert_true (asprintf (&secret, "%s/h", dir) > 0);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    static const char text[] =
        "{\"linux\": {\"root\": {\"password_hash\": {\"file\": \"h\"}}}}";
    struct v2v_error *err = NULL;
    struct v2v_profile *p;

    test_write_file (secret, bad[i], strlen (bad[i]));
    p = v2v_profile_parse (text, strlen (text), "p.json", dir, &err);
    assert_ptr (p, err);
    assert_int_equal (v2v_profile_read_secrets (p, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "no hash of crypt");
    v2v_profile_free (p);
  }
  test_tmpdir_remove (dir);
}

static void
test_time_zones_are_known_by_both_names (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_profile *p;

  (void) state;
  p = parse ("{\"time_zone\": \"W. Europe Standard Time\"}", &err);
  assert_ptr (p, err);
  assert_string_equal (p->time_zone_iana, "Europe/Berlin");
  assert_string_equal (p->time_zone_windows, "W. Europe Standard Time");
  v2v_profile_free (p);
  p = parse ("{\"time_zone\": \"Europe/Vienna\"}", &err);
  assert_ptr (p, err);
  assert_string_equal (p->time_zone_iana, "Europe/Vienna");
  assert_string_equal (p->time_zone_windows, "W. Europe Standard Time");
  v2v_profile_free (p);
  assert_string_equal (v2v_time_zone_find ("Asia/Calcutta")->iana,
                       "Asia/Kolkata");
  assert_string_equal (v2v_time_zone_find ("America/Chihuahua")->windows,
                       "Central Standard Time (Mexico)");
  assert_int_equal (v2v_time_zone_find ("Europe/Paris")->xp_index, 105);
  assert_string_equal (v2v_time_zone_find ("UTC")->windows, "UTC");
  assert_string_equal (v2v_time_zone_find ("Pacific/Auckland")->windows,
                       "New Zealand Standard Time");
  assert_null (v2v_time_zone_find ("Europe"));
  assert_null (v2v_time_zone_find (""));
}

/* Every name that OBJECT of the schema lists is known to the loader: a wrong
 * type is "expected ...", only an unknown one is "no such member". */
static void
check_schema_object (const struct v2v_json *object, const char *before,
                     const char *after)
{
  const struct v2v_json *properties = v2v_json_get (object, "properties");
  const struct v2v_json *value;
  const char *key;
  void *iter = NULL;
  bool extra = true;

  assert_non_null (properties);
  assert_true (v2v_json_get_bool (object, "additionalProperties", &extra));
  assert_false (extra);
  while (v2v_json_next (properties, &iter, &key, &value)) {
    CLEANUP_FREE char *text = NULL;
    struct v2v_error *err = NULL;

    assert_true (asprintf (&text, "%s\"%s\": 1.5%s", before, key, after) > 0);
    assert_null (parse (text, &err));
    if (strstr (v2v_error_message (err), "no such member") != NULL)
      fail_msg ("%s: %s", text, v2v_error_message (err));
    v2v_error_free (err);
  }
}

static void
test_every_member_of_the_schema_is_known_to_the_loader (void **state)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *err = NULL;
  struct v2v_json *schema;
  const struct v2v_json *top, *w, *l;
  size_t len;

  (void) state;
  text = test_read_file (SRCDIR "/inject/v2v-profile.schema.json", &len);
  schema = v2v_json_parse (text, len, "schema", &err);
  assert_ptr (schema, err);
  top = v2v_json_get (schema, "properties");
  w = v2v_json_get (top, "windows");
  l = v2v_json_get (top, "linux");
  check_schema_object (schema, "{", "}");
  check_schema_object (w, "{\"windows\": {", "}}");
  check_schema_object (v2v_json_get (v2v_json_get (w, "properties"), "join"),
                       "{\"windows\": {\"join\": {", "}}}");
  check_schema_object (
      v2v_json_get (v2v_json_get (w, "properties"), "auto_logon"),
      "{\"windows\": {\"auto_logon\": {", "}}}");
  check_schema_object (
      v2v_json_get (v2v_json_get (v2v_json_get (w, "properties"), "users"),
                    "items"),
      "{\"windows\": {\"users\": [{", "}]}}");
  check_schema_object (l, "{\"linux\": {", "}}");
  check_schema_object (v2v_json_get (v2v_json_get (l, "properties"), "root"),
                       "{\"linux\": {\"root\": {", "}}}");
  check_schema_object (
      v2v_json_get (v2v_json_get (v2v_json_get (l, "properties"), "users"),
                    "items"),
      "{\"linux\": {\"users\": [{", "}]}}");
  check_schema_object (
      v2v_json_get (v2v_json_get (schema, "definitions"), "nic"),
      "{\"network\": [{", "}]}");
  v2v_json_free (schema);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_an_unknown_member_is_refused_with_its_path_and_the_nearest_name),
    cmocka_unit_test (
        test_a_secret_in_the_profile_itself_is_refused_and_not_repeated),
    cmocka_unit_test (test_values_that_could_break_out_of_a_file_are_refused),
    cmocka_unit_test (test_members_that_exclude_each_other_are_refused),
    cmocka_unit_test (test_wrong_types_are_refused),
    cmocka_unit_test (test_secrets_are_read_from_files_and_descriptors),
    cmocka_unit_test (test_a_hash_that_is_none_is_refused),
    cmocka_unit_test (test_time_zones_are_known_by_both_names),
    cmocka_unit_test (test_every_member_of_the_schema_is_known_to_the_loader),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
