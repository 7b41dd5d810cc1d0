/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Seeds from a profile, and the medium they come on, read back by 7-Zip, which
 * shares nothing with libarchive. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/iso.h"
#include "formats/xml.h"
#include "inject/seed.h"
#include "inject/unattend.h"
#include "test-util.h"

#define INSTANCE "11111111-2222-3333-4444-555555555555"

static struct v2v_profile *
parse (const char *dir, const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_profile *p =
      v2v_profile_parse (text, strlen (text), "p.json", dir, &err);

  assert_ptr (p, err);
  assert_ok (v2v_profile_read_secrets (p, &err), err);
  return p;
}

static void
write_in (const char *dir, const char *name, const char *text)
{
  char path[4096];

  snprintf (path, sizeof path, "%s/%s", dir, name);
  test_write_file (path, text, strlen (text));
}

static const char *
file (const struct v2v_seed *s, const char *name)
{
  for (size_t i = 0; i < s->nr_files; ++i)
    if (strcmp (s->files[i].name, name) == 0) {
      assert_int_equal (strlen (s->files[i].text), s->files[i].len);
      return s->files[i].text;
    }
  return NULL;
}

static void
assert_has (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    fail_msg ("no \"%s\" in:\n%s", part, text);
}

static void
test_a_cloud_init_seed_says_name_network_users_and_instance (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_profile *p;
  struct v2v_seed seed;
  struct v2v_error *err = NULL;

  (void) state;
  write_in (dir, "pw", "s3cret\n");
  p = parse (
      dir, "{\"computer_name\": \"web-01.example.com\", \"locale\": \"de-DE\","
           " \"time_zone\": \"Europe/Berlin\", \"network\": [{\"mac\": "
           "\"00:15:5d:00:00:01\", \"addresses\": [\"192.0.2.5/24\"], "
           "\"gateways\": [\"192.0.2.1\"], \"dns\": [\"192.0.2.53\"]}],"
           " \"linux\": {\"users\": [{\"name\": \"admin\", \"sudo\": true, "
           "\"password\": {\"file\": \"pw\"}, \"authorized_keys\": "
           "[\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ a@b\"]}]}}");
  assert_ok (v2v_seed_cloud_init (p, INSTANCE, &seed, &err), err);
  assert_string_equal (seed.label, "CIDATA");
  assert_int_equal (seed.nr_files, 3);
  assert_string_equal (file (&seed, "meta-data"),
                       "instance-id: \"v2v-" INSTANCE "\"\n"
                       "local-hostname: \"web-01.example.com\"\n");
  assert_has (file (&seed, "user-data"), "#cloud-config\nhostname: \"web-01\"");
  assert_has (file (&seed, "user-data"), "fqdn: \"web-01.example.com\"");
  assert_has (file (&seed, "user-data"), "timezone: \"Europe/Berlin\"");
  assert_has (file (&seed, "user-data"), "locale: \"de_DE.UTF-8\"");
  assert_has (file (&seed, "user-data"), "hashed_passwd: \"$6$");
  assert_has (file (&seed, "user-data"), "ssh-ed25519 AAAA");
  /* The shell that the guest's own useradd gives: nobody looked for bash. */
  assert_null (strstr (file (&seed, "user-data"), "shell:"));
  assert_null (strstr (file (&seed, "user-data"), "s3cret"));
  assert_has (file (&seed, "network-config"),
              "macaddress: \"00:15:5d:00:00:01\"");
  assert_has (file (&seed, "network-config"), "192.0.2.5/24");
  v2v_seed_clear (&seed);
  assert_int_equal (seed.nr_files, 0);
  v2v_profile_free (p);
  test_tmpdir_remove (dir);
}

static void
test_a_profile_without_cards_has_no_network_config (void **state)
{
  struct v2v_profile *p = parse ("/", "{\"computer_name\": \"a\"}");
  struct v2v_seed seed;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_seed_cloud_init (p, INSTANCE, &seed, &err), err);
  assert_int_equal (seed.nr_files, 2);
  assert_null (file (&seed, "network-config"));
  v2v_seed_clear (&seed);
  v2v_profile_free (p);
}

static void
test_scripts_and_user_data_become_parts_in_their_order (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_profile *p;
  struct v2v_seed seed;
  struct v2v_error *err = NULL;
  const char *text, *own, *one, *two;

  (void) state;
  write_in (dir, "own", "#cloud-config\nfinal_message: own\n");
  write_in (dir, "b\"\n.sh", "#!/bin/sh\necho b\n");
  write_in (dir, "a.sh", "#!/bin/sh\necho a\n");
  p = parse (dir, "{\"scripts\": [\"b\\\"\\n.sh\", \"a.sh\"], "
                  "\"linux\": {\"user_data\": \"own\"}}");
  assert_ok (v2v_seed_cloud_init (p, INSTANCE, &seed, &err), err);
  text = file (&seed, "user-data");
  assert_has (text, "Content-Type: multipart/mixed; boundary=");
  /* base64 of the user's own, and of "#!/bin/sh\necho b\n". */
  own = strstr (text, "I2Nsb3VkLWNvbmZpZwpmaW5hbF9tZXNzYWdlOiBvd24K");
  one = strstr (text, "IyEvYmluL3NoCmVjaG8gYgo=");
  two = strstr (text, "IyEvYmluL3NoCmVjaG8gYQo=");
  assert_true (own != NULL && one > own && two > one);
  assert_has (text, "text/x-shellscript");
  assert_has (text, "filename=\"v2v-001-b-.sh\"");
  assert_has (text, "filename=\"v2v-002-a.sh\"");
  v2v_seed_clear (&seed);
  v2v_profile_free (p);

  write_in (dir, "a.sh", "echo a\n");
  p = parse (dir, "{\"scripts\": [\"a.sh\"]}");
  assert_int_equal (v2v_seed_cloud_init (p, INSTANCE, &seed, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "a.sh: a script that cloud-init runs");
  v2v_profile_free (p);
  test_tmpdir_remove (dir);
}

static void
test_an_answer_file_for_a_medium_has_the_network_and_passes_its_check (
    void **state)
{
  struct v2v_profile *p = parse (
      "/", "{\"computer_name\": \"WEB01\", \"network\": [{\"mac\": "
           "\"00:15:5d:0a:0b:0c\", \"addresses\": [\"192.0.2.5/24\", "
           "\"2001:db8::5/64\"], \"gateways\": [\"192.0.2.1\"], \"dns\": "
           "[\"192.0.2.53\", \"192.0.2.54\"], \"routes\": [{\"to\": "
           "\"10.0.0.0/8\", \"via\": \"192.0.2.254\", \"metric\": 7}]}, "
           "{\"mac\": \"00:15:5d:0a:0b:0d\", \"dhcp4\": true}], "
           "\"windows\": {\"owner\": \"me\"}}");
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_seed seed;
  struct v2v_error *err = NULL;
  const char *text;
  struct v2v_xml *doc;

  (void) state;
  assert_ok (v2v_seed_unattend (p, NULL, &f, &seed, &err), err);
  assert_int_equal (seed.nr_files, 1);
  text = file (&seed, "unattend.xml");
  assert_has (text, "<ComputerName>WEB01</ComputerName>");
  assert_has (text, "<Identifier>00-15-5D-0A-0B-0C</Identifier>");
  assert_has (text, "192.0.2.5/24</IpAddress>");
  assert_has (text, "2001:db8::5/64</IpAddress>");
  assert_has (text, "<NextHopAddress>192.0.2.1</NextHopAddress>");
  assert_has (text, "<Prefix>0.0.0.0/0</Prefix>");
  assert_has (text, "<Metric>7</Metric>");
  assert_has (text, "Microsoft-Windows-DNS-Client");
  doc = v2v_xml_parse (text, strlen (text), "unattend.xml", &err);
  assert_ptr (doc, err);
  assert_ok (unattend_check (doc, "unattend.xml", "amd64", &f, &err), err);
  assert_null (v2v_findings_find (&f, "guest.customize.answer-file"));
  v2v_xml_free (doc);
  v2v_seed_clear (&seed);
  v2v_findings_clear (&f);
  v2v_profile_free (p);
}

static void
test_what_an_answer_file_cannot_say_is_a_finding (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_profile *p;
  struct v2v_seed seed;
  struct v2v_error *err = NULL;

  (void) state;
  write_in (dir, "a.cmd", "echo a\n");
  p = parse (dir,
             "{\"scripts\": [\"a.cmd\"], \"windows\": {\"owner\": \"x\"}}");
  assert_ok (v2v_seed_unattend (p, "x86_64", &f, &seed, &err), err);
  assert_non_null (v2v_findings_find (&f, "seed.not-carried"));
  v2v_seed_clear (&seed);
  v2v_findings_clear (&f);
  v2v_profile_free (p);
  test_tmpdir_remove (dir);
}

/* ---- the medium ---- */

static void
test_a_medium_is_read_back_by_another_reader (void **state)
{
  static const struct v2v_iso_file files[] = {
    { "user-data", "#cloud-config\n", 14 },
    { "meta-data", "instance-id: x\n", 15 },
    { "a long name with blanks.txt", "", 0 },
  };
  char *dir = test_tmpdir ();
  char iso[4096], out[4096], path[4200];
  struct v2v_str image = V2V_STR_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_iso_write ("CIDATA", files, 3, &image, &err), err);
  assert_true (image.len % 2048 == 0 && image.len < 256 * 1024);
  /* ECMA-119 8.4: the primary descriptor is in sector 16, its label at 40. */
  assert_memory_equal (image.ptr + 16 * 2048, "\1CD001\1", 7);
  assert_memory_equal (image.ptr + 16 * 2048 + 40, "CIDATA    ", 10);
  if (!test_have ("7zz")) {
    v2v_str_free (&image);
    test_tmpdir_remove (dir);
    skip ();
  }
  snprintf (iso, sizeof iso, "%s/m.iso", dir);
  snprintf (out, sizeof out, "-o%s/out", dir);
  test_write_file (iso, image.ptr, image.len);
  {
    const char *const argv[] = { "7zz", "x", "-y", out, iso, NULL };

    assert_int_equal (test_run (argv, NULL), 0);
  }
  for (size_t i = 0; i < 3; ++i) {
    CLEANUP_FREE char *text = NULL;
    size_t len;

    snprintf (path, sizeof path, "%s/out/%s", dir, files[i].name);
    text = test_read_file (path, &len);
    assert_int_equal (len, files[i].len);
    assert_memory_equal (text, files[i].data, len);
  }
  v2v_str_free (&image);
  test_tmpdir_remove (dir);
}

static void
test_labels_and_names_that_no_medium_has_are_refused (void **state)
{
  static const char *const labels[] = { "", "cidata", "A B",
                                        "ABCDEFGHIJKLMNOPQ" };
  struct v2v_iso_file files[2] = { { "a", "1", 1 }, { "a", "2", 1 } };
  struct v2v_str image = V2V_STR_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (labels); ++i) {
    assert_int_equal (v2v_iso_write (labels[i], files, 1, &image, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "expected 1 to 16 capital letters");
  }
  assert_int_equal (v2v_iso_write ("A", files, 2, &image, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "'a' is there twice");
  files[1].name = "../a";
  assert_int_equal (v2v_iso_write ("A", files, 2, &image, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "..");
  files[1] = (struct v2v_iso_file){ "b", NULL, V2V_ISO_MAX_BYTES };
  assert_int_equal (v2v_iso_write ("A", files, 2, &image, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "more than 67108864 bytes");
  v2v_str_free (&image);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (
        test_a_cloud_init_seed_says_name_network_users_and_instance),
    cmocka_unit_test (test_a_profile_without_cards_has_no_network_config),
    cmocka_unit_test (test_scripts_and_user_data_become_parts_in_their_order),
    cmocka_unit_test (
        test_an_answer_file_for_a_medium_has_the_network_and_passes_its_check),
    cmocka_unit_test (test_what_an_answer_file_cannot_say_is_a_finding),
    cmocka_unit_test (test_a_medium_is_read_back_by_another_reader),
    cmocka_unit_test (test_labels_and_names_that_no_medium_has_are_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
