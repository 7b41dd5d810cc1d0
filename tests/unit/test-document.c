/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of a library: what is refused and how it is said, the canonical
 * text, differences, setting by path, JSON.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "library/document.h"
#include "test-util.h"

#define NS " xmlns=\"" V2V_DOCUMENT_NS "\""
#define HARDWARE(attrs, inside)                                                \
  "<hardware-profile" NS " name=\"h\"" attrs ">" inside "</hardware-profile>"
#define GUEST(attrs, inside)                                                   \
  "<guest-os-profile" NS " name=\"g\"" attrs ">" inside "</guest-os-profile>"
#define VM(inside) "<vm-template" NS " name=\"v\">" inside "</vm-template>"
#define SERVICE(inside)                                                        \
  "<service-template" NS " name=\"s\">" inside "</service-template>"
#define CAPABILITY(attrs, inside)                                              \
  "<capability-profile" NS " name=\"c\"" attrs ">" inside                      \
  "</capability-profile>"

static struct v2v_document *
parse (const char *text)
{
  struct v2v_error *err = NULL;
  struct v2v_document *d =
      v2v_document_parse (text, strlen (text), "d.xml", &err);

  assert_ptr (d, err);
  return d;
}

static void
assert_refused (const char *text, const char *part)
{
  struct v2v_error *err = NULL;

  assert_null (v2v_document_parse (text, strlen (text), "d.xml", &err));
  assert_error (&err, V2V_ERR_FORMAT, part);
}

/* ---- refusing ---- */

static void
test_a_violation_is_told_with_line_and_element (void **state)
{
  struct v2v_error *err = NULL;
  static const char text[] = "<hardware-profile" NS " name=\"h\">\n"
                             "  <processor count=\"4\"/>\n"
                             "  <memory startup-mib=\"lots\"/>\n"
                             "  <video horizontal=\"9\"/>\n"
                             "</hardware-profile>";

  (void) state;
  assert_null (v2v_document_parse (text, strlen (text), "d.xml", &err));
  assert_non_null (
      strstr (v2v_error_message (err),
              "d.xml: line 3: element 'memory', attribute 'startup-mib'"));
  assert_null (strstr (v2v_error_message (err), "urn:"));
  assert_non_null (strstr (v2v_error_hint (err), "more"));
  v2v_error_free (err);
}

static void
test_foreign_and_hostile_documents_are_refused (void **state)
{
  static const char bomb[] =
      "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;\">"
      "<!ENTITY c \"&b;&b;&b;&b;&b;\">]><hardware-profile" NS " name=\"&c;\"/>";
  struct v2v_error *err = NULL;
  CLEANUP_STR struct v2v_str deep = V2V_STR_INIT;
  CLEANUP_FREE char *large = malloc (V2V_DOCUMENT_MAX_BYTES + 1);

  (void) state;
  assert_refused (bomb, "DTD");
  assert_refused ("<hardware-profile name=\"h\"/>", "not a document of a");
  assert_refused ("<html/>", "not a document of a library");
  assert_refused ("not xml", "not well-formed");
  assert_refused ("", "XML of 0 bytes");
  for (int i = 0; i < 200; ++i)
    assert_int_equal (v2v_str_append (&deep, "<a>"), 0);
  assert_refused (deep.ptr, "nested deeper");
  assert_non_null (large);
  memset (large, ' ', V2V_DOCUMENT_MAX_BYTES + 1);
  assert_null (
      v2v_document_parse (large, V2V_DOCUMENT_MAX_BYTES + 1, "d.xml", &err));
  assert_error (&err, V2V_ERR_FORMAT, "bytes, expected up to");
}

static void
test_a_document_cannot_bring_its_own_schema (void **state)
{
  /* A file that, were it opened, would never end. */
  static const char text[] =
      "<hardware-profile" NS
      " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
      "xsi:schemaLocation=\"" V2V_DOCUMENT_NS " %s\" name=\"h\">"
      "<processor xsi:schemaLocation=\"urn:x %s\"/></hardware-profile>";
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *fifo = NULL, *whole = NULL;

  (void) state;
  assert_true (asprintf (&fifo, "%s/fifo", dir) > 0);
  assert_int_equal (mkfifo (fifo, 0600), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  assert_true (asprintf (&whole, text, fifo, fifo) > 0);
#pragma GCC diagnostic pop
  alarm (20);
  v2v_document_free (parse (whole));
  alarm (0);
  assert_refused (
      HARDWARE (" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"",
                "<processor xsi:type=\"memory\"/>"),
      "xsi:type and xsi:nil are not allowed");
  test_tmpdir_remove (dir);
}

static void
test_names_are_kept_or_refused_never_changed (void **state)
{
  static const struct {
    const char *xml, *name;
  } kept[] = {
    { "it&apos;s &quot;web&quot;", "it's \"web\"" },
    { "../../etc/passwd", "../../etc/passwd" },
    { "a&amp;b &lt;c&gt; \xc3\xbc", "a&b <c> \xc3\xbc" },
    { "@ECHO@ $(id) `id` %PATH%", "@ECHO@ $(id) `id` %PATH%" },
  };
  CLEANUP_FREE char *text = NULL, *again = NULL;
  char name[301];
  size_t len;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (kept); ++i) {
    CLEANUP_FREE char *one = NULL;
    struct v2v_document *d;

    assert_true (asprintf (&one, "<hardware-profile" NS " name=\"%s\"/>",
                           kept[i].xml) > 0);
    d = parse (one);
    assert_string_equal (d->head.name, kept[i].name);
    again = v2v_document_print (d, &len, NULL);
    v2v_document_free (d);
    d = parse (again);
    assert_string_equal (d->head.name, kept[i].name);
    v2v_document_free (d);
    free (STEAL (again));
  }
  memset (name, 'a', 300);
  name[300] = '\0';
  assert_true (asprintf (&text, "<hardware-profile" NS " name=\"%s\"/>", name) >
               0);
  assert_refused (text, "attribute 'name'");
  assert_refused ("<hardware-profile" NS " name=\"a&#10;b\"/>", "name");
  assert_refused ("<hardware-profile" NS " name=\"a&#x7f;b\"/>",
                  "one line without control characters");
  assert_refused ("<hardware-profile" NS " name=\"a&#x2028;b\"/>",
                  "one line without control characters");
  assert_refused ("<hardware-profile" NS " name=\"a&#x202e;b\"/>",
                  "one line without control characters");
  assert_refused ("<hardware-profile" NS " name=\"a&#x2066;b\"/>",
                  "one line without control characters");
  assert_refused ("<hardware-profile" NS "/>", "name");
}

static void
test_what_cannot_be_in_one_machine_is_refused (void **state)
{
  static const struct {
    const char *text, *part;
  } bad[] = {
    { HARDWARE (" generation=\"1\"", "<security tpm=\"true\"/>"),
      "need generation 2" },
    { HARDWARE (" generation=\"1\"", "<firmware secure-boot=\"true\"/>"),
      "need generation 2" },
    { HARDWARE (" generation=\"2\" floppy=\"true\"", ""), "no floppy" },
    { HARDWARE (" generation=\"1\"", "<processor count=\"65\"/>"),
      "generation 1 has up to 64" },
    { HARDWARE (" generation=\"1\"", "<memory startup-mib=\"1048578\"/>"),
      "up to 1 TiB" },
    { HARDWARE ("", "<memory startup-mib=\"33\"/>"), "even number" },
    { HARDWARE ("", "<memory minimum-mib=\"64\"/>"), "need dynamic" },
    { HARDWARE ("", "<memory dynamic=\"true\" startup-mib=\"64\" "
                    "minimum-mib=\"128\"/>"),
      "ascending order" },
    { HARDWARE ("", "<memory dynamic=\"true\"/><processor "
                    "nested-virtualization=\"true\"/>"),
      "static memory" },
    { HARDWARE ("", "<processor reserve-percent=\"60\" "
                    "maximum-percent=\"50\"/>"),
      "more is reserved" },
    { HARDWARE ("", "<firmware secure-boot=\"false\" "
                    "secure-boot-template=\"MicrosoftWindows\"/>"),
      "template without" },
    { HARDWARE ("", "<network-adapters><adapter name=\"a\" vlan=\"5\"/>"
                    "</network-adapters>"),
      "need each other" },
    { HARDWARE ("", "<network-adapters><adapter name=\"a\" "
                    "mac-policy=\"static\"/></network-adapters>"),
      "need each other" },
    { HARDWARE ("", "<network-adapters><adapter name=\"a\"/>"
                    "<adapter name=\"A\"/></network-adapters>"),
      "'A' is there already" },
    { HARDWARE ("", "<network-adapters><adapter name=\"a\" "
                    "mac-policy=\"static\" mac=\"00:15:5d:00:00:0a\"/>"
                    "<adapter name=\"b\" mac-policy=\"static\" "
                    "mac=\"00:15:5D:00:00:0A\"/></network-adapters>"),
      "its address is that of adapter 0" },
    { HARDWARE (" generation=\"2\"",
                "<network-adapters><adapter name=\"a\" kind=\"legacy\"/>"
                "</network-adapters>"),
      "no legacy adapters" },
    { HARDWARE (" generation=\"2\"",
                "<dvd-drives><drive bus=\"ide\" controller=\"0\" "
                "location=\"0\"/></dvd-drives>"),
      "no such place" },
    { HARDWARE ("", "<dvd-drives><drive bus=\"scsi\" controller=\"0\" "
                    "location=\"1\"/><drive bus=\"scsi\" controller=\"0\" "
                    "location=\"1\"/></dvd-drives>"),
      "its place is that of drive 0" },
    { HARDWARE ("", "<com-ports><port number=\"1\"/><port number=\"1\"/>"
                    "</com-ports>"),
      "port 1 is there already" },
    { HARDWARE (" generation=\"1\"",
                "<boot-order><device kind=\"disk\" index=\"0\"/>"
                "</boot-order>"),
      "no index" },
    { HARDWARE ("", "<boot-order><device kind=\"disk\"/>"
                    "<device kind=\"disk\"/></boot-order>"),
      "it is there already" },
    { HARDWARE ("", "<video horizontal=\"1024\"/>"), "need each other" },
    { HARDWARE (" release=\"1\"", ""), "needs the family" },
    { HARDWARE ("", "<memory/><memory/>"), "element 'memory'" },
    { CAPABILITY (" minimum-disks=\"2\" maximum-disks=\"1\"", ""),
      "is above maximum-disks" },
    { CAPABILITY (" generation-1=\"false\" generation-2=\"false\"", ""),
      "no generation is allowed" },
    { CAPABILITY (" generation-2=\"false\" tpm-required=\"true\"", ""),
      "needs generation 2" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_refused (bad[i].text, bad[i].part);
}

static void
test_a_guest_profile_obeys_the_rules_of_customize (void **state)
{
  static const struct {
    const char *text, *part;
  } bad[] = {
    { GUEST (" computer-name=\"web_1\"", ""), "computer-name" },
    { GUEST (" computer-name=\"web-##-##\"", ""), "one run" },
    { GUEST (" time-zone=\"Mars/Olympus\"", ""), "time_zone" },
    { GUEST ("", "<linux><users><user name=\"eve:x:0:0\"/></users></linux>"),
      "linux.users[0].name" },
    { GUEST ("", "<linux><users><user name=\"a\"/><user name=\"A\"/></users>"
                 "</linux>"),
      "is there already" },
    { GUEST ("", "<windows workgroup=\"W\"><join domain=\"d\" user=\"u\">"
                 "<password file=\"s\"/></join></windows>"),
      "one of join and workgroup" },
    { GUEST ("", "<linux><root lock=\"true\"><password file=\"s\"/></root>"
                 "</linux>"),
      "linux.root: expected one of" },
    { GUEST ("", "<network><adapter mac=\"01:00:5e:00:00:01\"/></network>"),
      "address of one card" },
    { GUEST ("", "<network><adapter mac=\"00:50:56:00:00:01\">"
                 "<addresses><address>10.0.0.1/33</address></addresses>"
                 "</adapter></network>"),
      "addresses[0]" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_refused (bad[i].text, bad[i].part);
}

static void
test_a_secret_in_a_document_is_refused_and_not_repeated (void **state)
{
  static const char *const bad[] = {
    GUEST ("", "<windows><administrator-password>hunter2"
               "</administrator-password></windows>"),
    GUEST ("", "<linux><root><password>hunter2</password></root></linux>"),
    GUEST ("", "<windows><product-key>hunter2</product-key></windows>"),
    GUEST ("", "<linux><root><password file=\"a\" fd=\"9\"/></root></linux>"),
    GUEST ("", "<linux><root><password fd=\"1\"/></root></linux>"),
    GUEST ("", "<linux><root><password/></root></linux>"),
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_error *err = NULL;

    assert_null (v2v_document_parse (bad[i], strlen (bad[i]), "d.xml", &err));
    assert_int_equal (v2v_error_code (err), V2V_ERR_FORMAT);
    assert_null (strstr (v2v_error_message (err), "hunter2"));
    v2v_error_free (err);
  }
}

static void
test_templates_that_do_not_fit_together_are_refused (void **state)
{
#define TIER "<tiers><tier name=\"t\"><vm-template name=\"v\"/></tier></tiers>"
  static const struct {
    const char *text, *part;
  } bad[] = {
    { VM ("<disks><disk name=\"a\"/></disks>"),
      "expected a file or an object" },
    { VM ("<disks><disk name=\"a\" storage=\"blank\"/></disks>"), "size-gib" },
    { VM ("<disks><disk name=\"a\" file=\"f\" bus=\"scsi\"/></disks>"),
      "need each other" },
    { VM ("<disks><disk name=\"a\" file=\"f\" bus=\"ide\" controller=\"2\" "
          "location=\"0\"/></disks>"),
      "no such place" },
    { VM ("<disks><disk name=\"a\" file=\"f\" boot=\"true\"/>"
          "<disk name=\"b\" file=\"f\" boot=\"true\"/></disks>"),
      "disk a is the one that starts" },
    { VM ("<settings><setting name=\"s\" field=\"hardware.processor.cuont\"/>"
          "</settings>"),
      "there is no such field" },
    { VM ("<settings><setting name=\"s\" field=\"disks\"/></settings>"),
      "expected hardware. or guest-os." },
    { VM ("<settings><setting name=\"s\" type=\"secret\" default=\"x\"/>"
          "</settings>"),
      "a secret has no default" },
    { VM ("<settings><setting name=\"s\" type=\"number\" default=\"9\" "
          "maximum=\"8\"/></settings>"),
      "a number from 0 to 8" },
    { VM ("<hardware-profile release=\"1\"/>"), "needs the family" },
    { SERVICE (""), "without tiers" },
    { SERVICE ("<tiers><tier name=\"t\"/></tiers>"), "names no vm-template" },
    { SERVICE ("<tiers><tier name=\"t\" minimum=\"3\" instances=\"2\">"
               "<vm-template name=\"v\"/></tier></tiers>"),
      "ascending order" },
    { SERVICE ("<tiers><tier name=\"t\" upgrade-domains=\"2\">"
               "<vm-template name=\"v\"/></tier></tiers>"),
      "2 upgrade domains" },
    { SERVICE ("<tiers><tier name=\"t\" computer-name=\"a.@DOMAIN@\">"
               "<vm-template name=\"v\"/></tier></tiers>"),
      "no setting is called 'DOMAIN'" },
    { SERVICE (TIER "<load-balancer><port name=\"p\" tier=\"x\" port=\"1\"/>"
                    "</load-balancer>"),
      "no tier is called 'x'" },
    { SERVICE (TIER "<load-balancer><port name=\"p\" tier=\"t\" port=\"1\"/>"
                    "<port name=\"q\" tier=\"t\" port=\"1\"/>"
                    "</load-balancer>"),
      "port 1 is that of p" },
    { SERVICE ("<settings><setting name=\"s\" field=\"hardware.generation\"/>"
               "</settings>" TIER),
      "write @s@ where it goes" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_refused (bad[i].text, bad[i].part);
  /* An '@' that encloses no name is an '@'. */
  v2v_document_free (parse ("<service-template" NS
                            " name=\"s\" owner=\"ops@example.com\" "
                            "os=\"@ @\">" TIER "</service-template>"));
}

/* ---- the canonical text ---- */

static void
test_order_and_layout_do_not_change_the_canonical_text (void **state)
{
  struct v2v_document *a =
      parse (HARDWARE (" generation=\"2\" owner=\"ops\"",
                       "<memory startup-mib=\"64\"/><processor count=\"4\" "
                       "weight=\"100\"/><description>\n  two\nlines  \n"
                       "</description>"));
  struct v2v_document *b = parse (
      "<?xml version='1.0'?><!-- c --><x:hardware-profile "
      "xmlns:x='" V2V_DOCUMENT_NS "' owner='ops' generation=' +2 ' name='h'>"
      "<x:description>two\nlines</x:description><x:video/><x:tags/>"
      "<x:processor weight='0100' count='4'/>"
      "<x:memory startup-mib='64'/></x:hardware-profile>");
  CLEANUP_FREE char *first = NULL, *second = NULL, *third = NULL;
  uint8_t da[V2V_SHA256_SIZE], db[V2V_SHA256_SIZE];
  struct v2v_error *err = NULL;
  struct v2v_document *c;
  size_t len;

  (void) state;
  first = v2v_document_print (a, &len, &err);
  second = v2v_document_print (b, &len, &err);
  assert_string_equal (first, second);
  c = parse (first);
  third = v2v_document_print (c, &len, &err);
  assert_string_equal (first, third);
  assert_ok (v2v_document_digest (a, da, &err), err);
  assert_ok (v2v_document_digest (b, db, &err), err);
  assert_memory_equal (da, db, sizeof da);
  assert_ok (v2v_document_set (b, "processor.count", "5", &err), err);
  assert_ok (v2v_document_digest (b, db, &err), err);
  assert_memory_not_equal (da, db, sizeof da);
  v2v_document_free (a);
  v2v_document_free (b);
  v2v_document_free (c);
}

static void
test_a_saved_document_does_not_replace_another (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *path = NULL;
  struct v2v_document *a = parse (HARDWARE ("", "")), *b;
  struct v2v_error *err = NULL;

  (void) state;
  assert_true (asprintf (&path, "%s/a.xml", dir) > 0);
  assert_ok (v2v_document_save (a, path, false, &err), err);
  assert_ok (v2v_document_set (a, "generation", "2", &err), err);
  assert_int_equal (v2v_document_save (a, path, false, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "is there already");
  b = v2v_document_load (path, &err);
  assert_ptr (b, err);
  assert_int_equal (b->hardware.generation, -1);
  v2v_document_free (b);
  assert_ok (v2v_document_save (a, path, true, &err), err);
  b = v2v_document_load (path, &err);
  assert_ptr (b, err);
  assert_int_equal (b->hardware.generation, 2);
  v2v_document_free (b);
  v2v_document_free (a);
  /* No temporary file stays. */
  assert_int_equal (unlink (path), 0);
  assert_int_equal (rmdir (dir), 0);
  assert_int_equal (mkdir (dir, 0700), 0);
  test_tmpdir_remove (dir);
}

/* ---- paths and differences ---- */

static void
test_every_kind_of_field_is_set_by_its_path (void **state)
{
  struct v2v_document *d = parse (GUEST ("", ""));
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_document_set (d, "computer-name", "db-#", &err), err);
  assert_ok (v2v_document_set (d, "network[0].mac", "00:50:56:00:00:01", &err),
             err);
  assert_ok (
      v2v_document_set (d, "network[0].dns", "192.0.2.1,192.0.2.2", &err), err);
  assert_ok (v2v_document_set (d, "network[0].mtu", "9000", &err), err);
  assert_ok (v2v_document_set (d, "linux.users[ann].sudo", "true", &err), err);
  assert_ok (v2v_document_set (d, "linux.users[ann].password",
                               "file:ann.secret", &err),
             err);
  assert_ok (v2v_document_set (d, "linux.cloud-init", "seed", &err), err);
  assert_string_equal (d->guest_os.computer_name, "db-#");
  assert_int_equal (d->guest_os.nr_nics, 1);
  assert_string_equal (d->guest_os.nics[0].dns[1], "192.0.2.2");
  assert_null (d->guest_os.nics[0].dns[2]);
  assert_int_equal (d->guest_os.nics[0].mtu, 9000);
  assert_string_equal (d->guest_os.os_linux.users[0].name, "ann");
  assert_string_equal (d->guest_os.os_linux.users[0].password.file,
                       "ann.secret");
  assert_int_equal (d->guest_os.os_linux.cloud_init, 1 + V2V_CLOUD_INIT_SEED);
  assert_true (d->guest_os.os_linux.given);
  assert_ok (v2v_document_set (d, "network[0].mtu", "", &err), err);
  assert_int_equal (d->guest_os.nics[0].mtu, -1);
  assert_ok (v2v_document_set (d, "network", "", &err), err);
  assert_int_equal (d->guest_os.nr_nics, 0);
  v2v_document_free (d);
}

static void
test_blanks_at_the_ends_of_element_texts_are_never_kept (void **state)
{
  struct v2v_document *d = parse (HARDWARE ("", "")), *again;
  struct v2v_document_changes c;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  (void) state;
  assert_ok (v2v_document_set (d, "description", "  two\n  lines \n", &err),
             err);
  assert_ok (v2v_document_set (d, "tags", "a, b ,c", &err), err);
  assert_string_equal (d->head.description, "two\n  lines");
  assert_string_equal (d->head.tags[1], "b");
  text = v2v_document_print (d, &len, &err);
  again = parse (text);
  assert_ok (v2v_document_diff (d, again, &c, &err), err);
  assert_int_equal (c.len, 0);
  v2v_document_changes_clear (&c);
  assert_int_equal (v2v_document_set (d, "tags", "a, ,c", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "1 to 255 characters");
  assert_int_equal (v2v_document_set (d, "description", " \n", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "1 to 16384 characters");
  v2v_document_free (again);
  v2v_document_free (d);
}

static void
test_wrong_paths_and_values_are_told (void **state)
{
  static const struct {
    const char *path, *value, *part;
  } bad[] = {
    { "procesor.count", "1", "nothing is called 'procesor'" },
    { "processor.count", "0", "a number from 1 to 2048" },
    { "processor.count", "2049", "a number from 1 to 2048" },
    { "processor", "x", "one of its parts" },
    { "processor.count.x", "1", "nothing inside 'count'" },
    { "processor[0].count", "1", "is no list" },
    { "network-adapters.name", "x", "is a list" },
    { "network-adapters[1].name", "x", "there is no element '1'" },
    { "network-adapters[99999999999999999999].name", "x", "no element" },
    { "boot-order[disk].kind", "disk", "there is no element 'disk'" },
    { "policies.checkpoint", "Never", "Production, ProductionOnly" },
    { "memory.dynamic", "yes", "true or false" },
    { "", "x", "is no path" },
    { "memory..dynamic", "x", "is no path" },
    { "network-adapters[0", "x", "is no path" },
    { "network-adapters[]", "x", "is no path" },
    { "name.", "x", "is no path" },
    { "name", "a\tb", "without control characters" },
    { "name", "a\xff", "UTF-8" },
  };
  struct v2v_document *d = parse (HARDWARE ("", ""));
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    assert_int_equal (v2v_document_set (d, bad[i].path, bad[i].value, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, bad[i].part);
  }
  assert_int_equal (v2v_document_set (d, "procesor.count", "1", &err), -1);
  assert_string_equal (v2v_error_hint (err), "did you mean processor?");
  v2v_error_free (err);
  v2v_document_free (d);
}

static void
assert_change (const struct v2v_document_change *c, const char *path,
               const char *old, const char *new)
{
  assert_string_equal (c->path, path);
  assert_string_equal (c->old_value ? c->old_value : "-", old);
  assert_string_equal (c->new_value ? c->new_value : "-", new);
}

static void
test_differences_follow_names_not_places (void **state)
{
  struct v2v_document *a = parse (
      HARDWARE ("", "<processor count=\"2\"/><network-adapters>"
                    "<adapter name=\"a\" switch=\"x\"/><adapter name=\"b\"/>"
                    "<adapter name=\"c\"/></network-adapters>"
                    "<tags><tag>one</tag><tag>two</tag></tags>"));
  struct v2v_document *b = parse (
      HARDWARE ("", "<processor count=\"4\"/><network-adapters>"
                    "<adapter name=\"d\"/><adapter name=\"c\"/>"
                    "<adapter name=\"a\" switch=\"y\"/></network-adapters>"
                    "<tags><tag>one</tag></tags>"));
  struct v2v_document *g = parse (GUEST ("", ""));
  struct v2v_document_changes c;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_document_diff (a, b, &c, &err), err);
  assert_int_equal (c.len, 6);
  assert_change (&c.ptr[0], "tags[1]", "two", "-");
  assert_change (&c.ptr[1], "processor.count", "2", "4");
  assert_change (&c.ptr[2], "network-adapters[a].switch", "x", "y");
  assert_change (&c.ptr[3], "network-adapters[b].name", "b", "-");
  assert_change (&c.ptr[4], "network-adapters[d].name", "-", "d");
  assert_change (&c.ptr[5], "network-adapters", "a, c", "c, a");
  v2v_document_changes_clear (&c);
  assert_ok (v2v_document_diff (a, a, &c, &err), err);
  assert_int_equal (c.len, 0);
  v2v_document_changes_clear (&c);
  assert_int_equal (v2v_document_diff (a, g, &c, &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "cannot be compared");
  v2v_document_free (a);
  v2v_document_free (b);
  v2v_document_free (g);
}

/* ---- JSON ---- */

/* Says everything that a profile of customize can say. */
static const char full_profile[] =
    "{\"computer_name\": \"web1.example.com\", \"time_zone\": "
    "\"Europe/Vienna\", \"locale\": \"de-AT\", \"network\": [{\"mac\": "
    "\"00:50:56:aa:00:01\", \"name\": \"eth0\", \"dhcp4\": false, \"dhcp6\": "
    "true, \"mtu\": 1400, \"addresses\": [\"192.0.2.5/24\"], \"gateways\": "
    "[\"192.0.2.1\"], \"dns\": [\"192.0.2.53\"], \"search\": "
    "[\"example.com\"], \"routes\": [{\"to\": \"10.0.0.0/8\", \"via\": "
    "\"192.0.2.9\", \"metric\": 0}]}], \"scripts\": [\"a.sh\", "
    "\"b/c.sh\"], \"windows\": {\"organization\": \"O\", \"owner\": \"P\", "
    "\"workgroup\": \"WG\", \"input_locale\": \"de-AT\", \"system_locale\": "
    "\"de-AT\", \"ui_language\": \"en-US\", \"user_locale\": \"de-AT\", "
    "\"remote_desktop\": true, \"answer_file\": \"u.xml\", \"product_key\": "
    "{\"file\": \"key\"}, \"administrator_password\": {\"fd\": 9}, "
    "\"auto_logon\": {\"count\": 1}, \"users\": [{\"name\": \"u\", "
    "\"display_name\": \"U\", \"groups\": [\"Users\"], \"password\": "
    "{\"file\": \"s\"}}], \"synchronous_commands\": [\"a\"], "
    "\"first_logon_commands\": [\"b, c\"], \"install_features\": [\"F\"], "
    "\"remove_features\": [\"G\"]}, \"linux\": {\"cloud_init\": \"off\", "
    "\"user_data\": \"ud\", \"root\": {\"lock\": true, "
    "\"authorized_keys\": [\"ssh-ed25519 AAAA a\"]}, \"users\": [{\"name\": "
    "\"a\", \"comment\": \"A\", \"shell\": \"/bin/sh\", \"home\": "
    "\"/home/a\", \"uid\": 2000, \"sudo\": true, "
    "\"sudo_without_password\": false, \"groups\": [\"adm\"], "
    "\"authorized_keys\": [\"ssh-rsa B b\"], \"password_hash\": {\"file\": "
    "\"h\"}}], \"packages\": [\"vim\"]}}";

static void
test_a_profile_of_customize_becomes_a_document_and_comes_back (void **state)
{
  struct v2v_error *err = NULL;
  struct v2v_document *d =
      v2v_guest_os_from_text (full_profile, strlen (full_profile), "p", &err);
  CLEANUP_FREE char *want = NULL, *got = NULL, *xml = NULL;
  struct v2v_document *again, *scratch;
  struct v2v_document_changes c;
  struct v2v_json *j;
  size_t len;

  (void) state;
  assert_ptr (d, err);
  assert_ok (v2v_document_set (d, "name", "full", &err), err);
  assert_ok (v2v_document_check (d, "d", &err), err);
  xml = v2v_document_print (d, &len, &err);
  again = parse (xml);
  j = v2v_guest_os_to_json (again, NULL);
  got = v2v_json_dump (j, 0);
  v2v_json_free (j);
  /* The same members, whatever their order: read back, nothing differs, and
   * the text is as long. */
  scratch = v2v_guest_os_from_text (got, strlen (got), "got", &err);
  assert_ptr (scratch, err);
  assert_ok (v2v_document_set (scratch, "name", "full", &err), err);
  assert_ok (v2v_document_diff (d, scratch, &c, &err), err);
  assert_int_equal (c.len, 0);
  v2v_document_changes_clear (&c);
  j = v2v_json_parse (full_profile, strlen (full_profile), "p", &err);
  want = v2v_json_dump (j, 0);
  v2v_json_free (j);
  assert_int_equal (strlen (want), strlen (got));
  v2v_document_free (scratch);
  v2v_document_free (again);
  v2v_document_free (d);
}

static void
test_what_a_document_may_not_hold_is_not_imported (void **state)
{
  static const char key[] =
      "{\"windows\": {\"product_key\": \"AAAAA-BBBBB-CCCCC-DDDDD-EEEEE\"}}";
  static const char unknown[] = "{\"kind\": \"hardware-profile\", \"proc\": 1}";
  static const char kind[] = "{\"kind\": \"other\"}";
  struct v2v_error *err = NULL;
  struct v2v_json *j;

  (void) state;
  assert_null (v2v_guest_os_from_text (key, strlen (key), "p", &err));
  assert_error (&err, V2V_ERR_FORMAT, "a secret is not written");
  assert_null (v2v_guest_os_from_text ("{\"x\": 1}", 8, "p", &err));
  assert_error (&err, V2V_ERR_USAGE, "there is no such member");
  j = v2v_json_parse (unknown, strlen (unknown), "j", &err);
  assert_null (v2v_document_from_json (j, V2V_NR_DOCUMENT_KINDS, "j", &err));
  assert_error (&err, V2V_ERR_FORMAT, "proc: there is no such member");
  assert_null (v2v_document_from_json (j, V2V_DOCUMENT_GUEST_OS, "j", &err));
  assert_error (&err, V2V_ERR_FORMAT, "expected a guest-os-profile");
  v2v_json_free (j);
  j = v2v_json_parse (kind, strlen (kind), "j", &err);
  assert_null (v2v_document_from_json (j, V2V_NR_DOCUMENT_KINDS, "j", &err));
  assert_error (&err, V2V_ERR_FORMAT, "kind: expected");
  v2v_json_free (j);
}

static void
test_a_pattern_stays_in_the_document_and_a_name_goes_out (void **state)
{
  struct v2v_document *d = parse (GUEST (" computer-name=\"web-##\"", ""));
  struct v2v_json *j = v2v_guest_os_to_json (d, "web-07");

  (void) state;
  assert_string_equal (v2v_json_get_string (j, "computer_name"), "web-07");
  assert_null (v2v_json_get (j, "name"));
  v2v_json_free (j);
  v2v_document_free (d);
}

/* ---- settings and capabilities ---- */

static void
test_settings_are_taken_by_name_type_and_range (void **state)
{
  struct v2v_document *d = parse (
      VM ("<settings><setting name=\"cpus\" type=\"number\" minimum=\"1\" "
          "maximum=\"8\" default=\"2\"/><setting name=\"site\" "
          "mandatory=\"true\"/><setting name=\"note\"/>"
          "<setting name=\"pw\" type=\"secret\"/></settings>"));
  const struct v2v_setting_value good[] = { { "site", "it's" },
                                            { "cpus", "8" } };
  static const struct {
    struct v2v_setting_value v;
    const char *part;
  } bad[] = {
    { { "cpus", "9" }, "expected a number from 1 to 8" },
    { { "cpus", "0" }, "expected a number from 1 to 8" },
    { { "Site", "x" }, "no setting is called 'Site'" },
    { { "site", "a\nb" }, "without control characters" },
    { { "pw", "hunter2" }, "file:PATH" },
    { { "note", "x" }, "setting site is mandatory" },
  };
  struct v2v_error *err = NULL;
  char **values;

  (void) state;
  assert_ok (v2v_settings_resolve (d, good, 2, &values, &err), err);
  assert_string_equal (values[0], "8");
  assert_string_equal (values[1], "it's");
  assert_string_equal (values[2], "");
  v2v_guest_free_list (values);
  assert_ok (v2v_settings_resolve (d, good, 1, &values, &err), err);
  assert_string_equal (values[0], "2");
  v2v_guest_free_list (values);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    assert_int_equal (v2v_settings_resolve (d, &bad[i].v, 1, &values, &err),
                      -1);
    assert_error (&err, V2V_ERR_USAGE, bad[i].part);
  }
  v2v_document_free (d);
}

static void
test_each_limit_of_a_capability_profile_is_judged_at_its_bound (void **state)
{
  static const struct {
    const char *limit, *right, *wrong, *field;
  } cases[] = {
    { " maximum-processors=\"4\"", "<processor count=\"4\"/>",
      "<processor count=\"5\"/>", "processor.count" },
    { " minimum-processors=\"2\"", "<processor count=\"2\"/>", "",
      "processor.count" },
    { " maximum-memory-mib=\"512\"", "", "<memory startup-mib=\"514\"/>",
      "memory.startup-mib" },
    { " maximum-memory-mib=\"1024\"",
      "<memory dynamic=\"true\" maximum-mib=\"1024\"/>",
      "<memory dynamic=\"true\"/>", "memory.maximum-mib" },
    { " nested-virtualization=\"false\"", "",
      "<processor nested-virtualization=\"true\"/>",
      "processor.nested-virtualization" },
    { " secure-boot-required=\"true\"", "<firmware secure-boot=\"true\"/>", "",
      "firmware.secure-boot" },
    { " tpm-required=\"true\"", "<security tpm=\"true\"/>", "",
      "security.tpm" },
    { " maximum-network-adapters=\"1\"",
      "<network-adapters><adapter name=\"a\"/></network-adapters>",
      "<network-adapters><adapter name=\"a\"/><adapter name=\"b\"/>"
      "</network-adapters>",
      "network-adapters" },
    { " maximum-vlan=\"100\"",
      "<network-adapters><adapter name=\"a\" vlan-mode=\"access\" "
      "vlan=\"100\"/></network-adapters>",
      "<network-adapters><adapter name=\"a\" vlan-mode=\"access\" "
      "vlan=\"101\"/></network-adapters>",
      "network-adapters[0]" },
    { " static-macs=\"false\"", "",
      "<network-adapters><adapter name=\"a\" mac-policy=\"static\" "
      "mac=\"00:15:5d:00:00:01\"/></network-adapters>",
      "network-adapters[0]" },
    { " checkpoints=\"false\"", "<policies checkpoint=\"Disabled\"/>", "",
      "policies.checkpoint" },
    { " maximum-com-ports=\"0\"", "",
      "<com-ports><port number=\"1\"/></com-ports>", "com-ports" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i)
    for (size_t wrong = 0; wrong < 2; ++wrong) {
      CLEANUP_FREE char *limits = NULL, *text = NULL;
      struct v2v_findings f = V2V_FINDINGS_INIT;
      struct v2v_error *err = NULL;
      struct v2v_document *c, *h;

      assert_true (asprintf (&limits,
                             "<capability-profile" NS " name=\"c\"%s/>",
                             cases[i].limit) > 0);
      assert_true (asprintf (&text,
                             "<hardware-profile" NS
                             " name=\"h\">%s</hardware-profile>",
                             wrong ? cases[i].wrong : cases[i].right) > 0);
      c = parse (limits);
      h = parse (text);
      assert_ok (v2v_capability_judge (c, h, NULL, &f, &err), err);
      assert_int_equal (f.len, wrong);
      if (wrong) {
        assert_string_equal (f.ptr[0].subject, cases[i].field);
        assert_int_equal (f.ptr[0].severity, V2V_CRITICAL);
      }
      v2v_findings_clear (&f);
      v2v_document_free (c);
      v2v_document_free (h);
    }
}

static void
test_disks_and_switches_are_judged_too (void **state)
{
  struct v2v_document *c =
      parse (CAPABILITY (" maximum-disks=\"2\" vhd-disks=\"false\" "
                         "maximum-disk-gib=\"10\" differencing-disks=\"false\"",
                         "<switches><switch>Lab</switch></switches>"));
  struct v2v_document *h = parse (HARDWARE (
      "", "<network-adapters><adapter name=\"a\" switch=\"LAB\"/>"
          "<adapter name=\"b\" switch=\"Other\"/></network-adapters>"));
  struct v2v_document *t =
      parse (VM ("<disks><disk name=\"a\" file=\"a.VHD\" storage=\"copy\"/>"
                 "<disk name=\"b\" storage=\"blank\" size-gib=\"11\"/>"
                 "<disk name=\"c\" file=\"c.vhdx\" storage=\"differencing\"/>"
                 "</disks>"));
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (v2v_capability_judge (c, h, t, &f, &err), err);
  assert_int_equal (f.len, 5);
  assert_string_equal (f.ptr[0].subject, "network-adapters[1]");
  assert_string_equal (f.ptr[1].subject, "disks");
  assert_string_equal (f.ptr[2].subject, "disks[0]");
  assert_string_equal (f.ptr[3].subject, "disks[1]");
  assert_string_equal (f.ptr[4].subject, "disks[2]");
  v2v_findings_clear (&f);
  v2v_document_free (c);
  v2v_document_free (h);
  v2v_document_free (t);
}

static void
test_the_probe_knows_documents_from_other_xml (void **state)
{
  static const char yes[] = VM ("");
  static const char no[] = "<unattend xmlns=\"urn:schemas-microsoft-com\"/>";
  enum v2v_document_kind kind = V2V_DOCUMENT_HARDWARE;

  (void) state;
  assert_true (v2v_document_probe (yes, strlen (yes), &kind));
  assert_int_equal (kind, V2V_DOCUMENT_VM_TEMPLATE);
  assert_false (v2v_document_probe (no, strlen (no), &kind));
  assert_false (v2v_document_probe ("MZ", 2, &kind));
  assert_false (v2v_document_probe ("", 0, &kind));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_violation_is_told_with_line_and_element),
    cmocka_unit_test (test_foreign_and_hostile_documents_are_refused),
    cmocka_unit_test (test_a_document_cannot_bring_its_own_schema),
    cmocka_unit_test (test_names_are_kept_or_refused_never_changed),
    cmocka_unit_test (test_what_cannot_be_in_one_machine_is_refused),
    cmocka_unit_test (test_a_guest_profile_obeys_the_rules_of_customize),
    cmocka_unit_test (test_a_secret_in_a_document_is_refused_and_not_repeated),
    cmocka_unit_test (test_templates_that_do_not_fit_together_are_refused),
    cmocka_unit_test (test_order_and_layout_do_not_change_the_canonical_text),
    cmocka_unit_test (test_a_saved_document_does_not_replace_another),
    cmocka_unit_test (test_every_kind_of_field_is_set_by_its_path),
    cmocka_unit_test (test_blanks_at_the_ends_of_element_texts_are_never_kept),
    cmocka_unit_test (test_wrong_paths_and_values_are_told),
    cmocka_unit_test (test_differences_follow_names_not_places),
    cmocka_unit_test (
        test_a_profile_of_customize_becomes_a_document_and_comes_back),
    cmocka_unit_test (test_what_a_document_may_not_hold_is_not_imported),
    cmocka_unit_test (test_a_pattern_stays_in_the_document_and_a_name_goes_out),
    cmocka_unit_test (test_settings_are_taken_by_name_type_and_range),
    cmocka_unit_test (
        test_each_limit_of_a_capability_profile_is_judged_at_its_bound),
    cmocka_unit_test (test_disks_and_switches_are_judged_too),
    cmocka_unit_test (test_the_probe_knows_documents_from_other_xml),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
