/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answer files: what is made from a profile, merged with the user's own,
 * checked, and put into constructed Windows guests. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/firstboot.h"
#include "inject/unattend.h"
#include "test-util.h"

#define PASSWORD "p<w>&\"'\xc3\xa4;%"

static const char profile_text[] =
    "{\"computer_name\": \"WEB-01.example.com\", \"time_zone\": "
    "\"Europe/Vienna\", \"locale\": \"de_AT.UTF-8\","
    " \"network\": [{\"mac\": \"00:50:56:aa:00:01\", \"addresses\": "
    "[\"192.0.2.5/24\", \"2001:db8::5/64\"], \"gateways\": "
    "[\"192.0.2.1\", \"fe80::1\"], \"dns\": [\"192.0.2.53\", "
    "\"2001:db8::53\"], \"routes\": [{\"to\": \"10.0.0.0/8\", \"via\": "
    "\"192.0.2.2\"}, {\"to\": \"2001:db8:1::/48\", \"via\": "
    "\"2001:db8::9\", \"metric\": 20}]}],"
    " \"windows\": {\"organization\": \"A & B <Ltd>\", \"owner\": \"O'Neil "
    "\\\"x\\\"\", \"product_key\": \"AAAAA-BBBBB-CCCCC-DDDDD-EEEEE\","
    " \"administrator_password\": {\"file\": \"secret\"},"
    " \"users\": [{\"name\": \"jo\", \"display_name\": \"J]]>o\", \"groups\": "
    "[\"Administrators\", \"Users\"], \"password\": {\"file\": \"secret\"}}],"
    " \"join\": {\"domain\": \"example.com\", \"ou\": "
    "\"OU=a,DC=example,DC=com\", \"user\": \"joiner\", \"password\": "
    "{\"file\": \"secret\"}},"
    " \"auto_logon\": {\"count\": 3}, \"synchronous_commands\": [\"cmd /c "
    "echo 1 > C:\\\\a\", \"b\"], \"first_logon_commands\": [\"c & d\"],"
    " \"install_features\": [\"IIS-WebServerRole\"], \"remove_features\": "
    "[\"SMB1Protocol\"], \"remote_desktop\": true}}";

static struct v2v_profile *
load (const char *text, const char *answer_file)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *secret = NULL, *own = NULL;
  struct v2v_error *err = NULL;
  struct v2v_profile *p;

  assert_true (asprintf (&secret, "%s/secret", dir) > 0);
  test_write_file (secret, PASSWORD "\n", strlen (PASSWORD) + 1);
  if (answer_file != NULL) {
    assert_true (asprintf (&own, "%s/own.xml", dir) > 0);
    test_write_file (own, answer_file, strlen (answer_file));
  }
  p = v2v_profile_parse (text, strlen (text), "p.json", dir, &err);
  assert_ptr (p, err);
  assert_ok (v2v_profile_read_secrets (p, &err), err);
  test_tmpdir_remove (dir);
  return p;
}

static struct v2v_os
windows_os (int major, int minor, const char *variant)
{
  struct v2v_os os = { .family = V2V_FAMILY_WINDOWS,
                       .major = major,
                       .minor = minor,
                       .arch = (char *) "x86_64",
                       .product_variant = (char *) variant };

  return os;
}

/* Text of the element at PATH ("specialize/COMPONENT/a/b"); NULL = none. */
static char *
value_at (const struct v2v_xml *doc, const char *pass, const char *component,
          const char *path)
{
  const struct v2v_xml_node *n, *c, *found = NULL;
  CLEANUP_FREE char *copy = strdup (path);
  char *save = NULL;

  V2V_XML_EACH (n, v2v_xml_root (doc))
  if (strcmp (v2v_xml_attr (n, "", "pass"), pass) == 0)
    V2V_XML_EACH (c, n)
  if (strcmp (v2v_xml_attr (c, "", "name"), component) == 0)
    found = c;
  for (char *w = strtok_r (copy, "/", &save); w != NULL && found != NULL;
       w = strtok_r (NULL, "/", &save))
    found = v2v_xml_child (found, UNATTEND_NS, w);
  return found != NULL ? v2v_xml_text (found) : NULL;
}

static void
assert_value (const struct v2v_xml *doc, const char *pass,
              const char *component, const char *path, const char *expected)
{
  CLEANUP_FREE char *text = value_at (doc, pass, component, path);

  if (expected == NULL) {
    if (text != NULL)
      fail_msg ("%s/%s is '%s', expected none", component, path, text);
    return;
  }
  if (text == NULL || strcmp (text, expected) != 0)
    fail_msg ("%s/%s is '%s', expected '%s'", component, path,
              text ? text : "(none)", expected);
}

#define SHELL "Microsoft-Windows-Shell-Setup"
#define JOIN  "Microsoft-Windows-UnattendedJoin"

static struct v2v_xml *
make (const char *profile, const char *own, struct v2v_findings *f,
      const struct v2v_os *os)
{
  struct v2v_profile *p = load (profile, own);
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  struct v2v_xml *doc;
  size_t len;

  text = unattend_make (p, os, f, &len, &err);
  assert_ptr (text, err);
  doc = v2v_xml_parse (text, len, "made", &err);
  assert_ptr (doc, err);
  v2v_profile_free (p);
  return doc;
}

/* The password as an independent pair of programs encodes it. */
static void
assert_password (const struct v2v_xml *doc, const char *path,
                 const char *suffix)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *out = NULL, *text = NULL, *expected = NULL, *input = NULL;
  const char *argv[] = {
    "sh", "-c", "printf '%s' \"$1\" | iconv -f UTF-8 -t UTF-16LE | base64 -w0",
    "sh", NULL, NULL
  };
  size_t len;

  assert_true (asprintf (&input, "%s%s", PASSWORD, suffix) > 0);
  assert_true (asprintf (&out, "%s/out", dir) > 0);
  argv[4] = input;
  assert_int_equal (test_run (argv, out), 0);
  expected = test_read_file (out, &len);
  expected = realloc (expected, len + 1);
  expected[len] = '\0';
  assert_true (asprintf (&text, "%s/Value", path) > 0);
  assert_value (doc, "oobeSystem", SHELL, text, expected);
  free (text);
  assert_true (asprintf (&text, "%s/PlainText", path) > 0);
  assert_value (doc, "oobeSystem", SHELL, text, "false");
  test_tmpdir_remove (dir);
}

static void
test_a_full_profile_becomes_an_answer_file (void **state)
{
  struct v2v_findings f = V2V_FINDINGS_INIT;
  const struct v2v_os os = windows_os (10, 0, "Server");
  struct v2v_xml *doc = make (profile_text, NULL, &f, &os);
  struct v2v_error *err = NULL;

  (void) state;
  assert_int_equal (f.len, 0);
  assert_ok (unattend_check (doc, "made", "amd64", &f, &err), err);
  assert_value (doc, "specialize", SHELL, "ComputerName", "WEB-01");
  assert_value (doc, "specialize", SHELL, "TimeZone",
                "W. Europe Standard Time");
  assert_value (doc, "specialize", SHELL, "RegisteredOrganization",
                "A & B <Ltd>");
  assert_value (doc, "specialize", SHELL, "RegisteredOwner", "O'Neil \"x\"");
  assert_value (doc, "specialize", SHELL, "ProductKey",
                "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE");
  assert_value (doc, "specialize", JOIN, "Identification/JoinDomain",
                "example.com");
  assert_value (doc, "specialize", JOIN, "Identification/MachineObjectOU",
                "OU=a,DC=example,DC=com");
  assert_value (doc, "specialize", JOIN, "Identification/Credentials/Domain",
                "example.com");
  assert_value (doc, "specialize", JOIN, "Identification/Credentials/Password",
                PASSWORD);
  assert_value (doc, "specialize", "Microsoft-Windows-Deployment",
                "RunSynchronous/RunSynchronousCommand/Path",
                "cmd /c echo 1 > C:\\a");
  assert_value (doc, "specialize",
                "Microsoft-Windows-TerminalServices-LocalSessionManager",
                "fDenyTSConnections", "false");
  assert_value (doc, "oobeSystem", "Microsoft-Windows-International-Core",
                "UserLocale", "de-AT");
  assert_value (doc, "oobeSystem", "Microsoft-Windows-International-Core",
                "UILanguage", NULL);
  assert_password (doc, "UserAccounts/AdministratorPassword",
                   "AdministratorPassword");
  assert_password (doc, "UserAccounts/LocalAccounts/LocalAccount/Password",
                   "Password");
  assert_password (doc, "AutoLogon/Password", "Password");
  assert_value (doc, "oobeSystem", SHELL, "AutoLogon/LogonCount", "3");
  assert_value (doc, "oobeSystem", SHELL,
                "UserAccounts/LocalAccounts/LocalAccount/Group",
                "Administrators;Users");
  assert_value (doc, "oobeSystem", SHELL,
                "UserAccounts/LocalAccounts/LocalAccount/DisplayName", "J]]>o");
  assert_value (doc, "oobeSystem", SHELL,
                "FirstLogonCommands/SynchronousCommand/CommandLine", "c & d");
  assert_value (doc, "oobeSystem", SHELL, "OOBE/HideOnlineAccountScreens",
                "true");
  v2v_xml_free (doc);
}

static void
test_what_is_written_depends_on_version_and_architecture (void **state)
{
  static const char profile[] = "{\"computer_name\": \"A\"}";
  struct v2v_findings f = V2V_FINDINGS_INIT;
  struct v2v_os os = windows_os (6, 1, "Client");
  struct v2v_xml *doc;
  struct v2v_error *err = NULL;
  struct v2v_profile *p;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  (void) state;
  os.arch = (char *) "i386";
  doc = make (profile, NULL, &f, &os);
  assert_non_null (v2v_findings_find (&f, "guest.customize.oobe-asks"));
  v2v_findings_clear (&f);
  assert_value (doc, "oobeSystem", SHELL, "OOBE/NetworkLocation", "Work");
  assert_value (doc, "oobeSystem", SHELL, "OOBE/HideOnlineAccountScreens",
                NULL);
  v2v_xml_free (doc);
  p = load (profile, NULL);
  text = unattend_make (p, &os, &f, &len, &err);
  assert_non_null (strstr (text, "processorArchitecture=\"x86\""));
  assert_null (strstr (text, "amd64"));
  os.arch = (char *) "ia64";
  assert_null (unattend_make (p, &os, &f, &len, &err));
  assert_error (&err, V2V_ERR_GUEST, "architecture ia64");
  v2v_profile_free (p);
  v2v_findings_clear (&f);
}

#define HEAD                                                                   \
  "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\" "                    \
  "xmlns:w=\"http://schemas.microsoft.com/WMIConfig/2002/State\">"
#define COMPONENT(name)                                                        \
  "<component name=\"" name "\" processorArchitecture=\"amd64\" "              \
  "publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" "                  \
  "versionScope=\"nonSxS\">"

static void
test_the_users_own_file_stays_and_conflicts_are_findings (void **state)
{
  static const char own[] = HEAD
      "<settings pass=\"specialize\">" COMPONENT (SHELL) "<ComputerName>MINE</ComputerName></component>" COMPONENT (
          "Microsoft-Windows-Unknown") "<x>1</x></component>"
                                       "</settings>"
                                       "<settings pass=\"oobeSystem\">" COMPONENT (
                                           SHELL) "<FirstLogonCommands>"
                                                  "<SynchronousCommand "
                                                  "w:action=\"add\"><Order>7</"
                                                  "Order><CommandLine>first</"
                                                  "CommandLine></"
                                                  "SynchronousCommand></"
                                                  "FirstLogonCommands></"
                                                  "component></settings></"
                                                  "unattend>";
  static const char profile[] =
      "{\"computer_name\": \"OURS\", \"time_zone\": \"UTC\", \"windows\": "
      "{\"answer_file\": \"own.xml\", \"first_logon_commands\": "
      "[\"second\"]}}";
  struct v2v_findings f = V2V_FINDINGS_INIT;
  const struct v2v_os os = windows_os (10, 0, "Server");
  struct v2v_xml *doc = make (profile, own, &f, &os);
  struct v2v_profile *p = load (profile, own);
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  (void) state;
  assert_value (doc, "specialize", SHELL, "ComputerName", "MINE");
  assert_value (doc, "specialize", SHELL, "TimeZone", "UTC");
  assert_value (doc, "specialize", "Microsoft-Windows-Unknown", "x", "1");
  assert_int_equal (f.len, 2); /* the name, the unknown component */
  assert_non_null (strstr (f.ptr[0].message, "not known"));
  assert_non_null (strstr (f.ptr[1].message, "ComputerName"));
  text = unattend_make (p, &os, &f, &len, &err);
  assert_ptr (text, err);
  assert_true (strstr (text, "first") < strstr (text, "second"));
  assert_non_null (strstr (text, "<Order>8</Order>"));
  v2v_profile_free (p);
  v2v_xml_free (doc);
  v2v_findings_clear (&f);
}

/* Setup passes over it without a word. */
static void
test_what_has_no_effect_in_its_pass_is_said (void **state)
{
  static const char own[] = HEAD
      "<settings pass=\"generalize\"></settings>"
      "<settings pass=\"oobeSystem\">" COMPONENT (
          SHELL) "<ComputerName>MINE</ComputerName><TimeZone>UTC</TimeZone>"
                 "</component></settings></unattend>";
  static const char profile[] = "{\"windows\": {\"answer_file\": "
                                "\"own.xml\"}}";
  struct v2v_findings f = V2V_FINDINGS_INIT;
  const struct v2v_os os = windows_os (10, 0, "Server");
  struct v2v_xml *doc = make (profile, own, &f, &os);

  (void) state;
  assert_int_equal (f.len, 2);
  assert_string_equal (f.ptr[0].subject, "settings");
  assert_non_null (strstr (f.ptr[0].message, "this pass is over"));
  assert_string_equal (f.ptr[1].subject, "ComputerName");
  assert_non_null (strstr (f.ptr[1].message,
                           "in the pass oobeSystem, only in: offlineServicing "
                           "specialize"));
  v2v_xml_free (doc);
  v2v_findings_clear (&f);
}

static void
test_a_malformed_answer_file_is_refused (void **state)
{
#define SPECIALIZE(body)                                                       \
  HEAD "<settings pass=\"specialize\">" COMPONENT (SHELL) body                 \
      "</component></settings></unattend>"
  static const struct {
    const char *xml, *part;
  } bad[] = {
    { "<unattend/>", "expected unattend in" },
    { "<unattend", "not well-formed" },
    { "<!DOCTYPE a><unattend/>", "document type" },
    { HEAD "<x/></unattend>", "expected settings" },
    { HEAD "<settings/></unattend>", "the attribute pass" },
    { HEAD "<settings pass=\"Specialize\"/></unattend>", "the attribute pass" },
    { HEAD "<settings pass=\"specialize\"/><settings pass=\"specialize\"/>"
           "</unattend>",
      "the same pass" },
    { HEAD "<settings pass=\"specialize\"><component/></settings></unattend>",
      "the attribute name is missing" },
    { HEAD "<settings pass=\"specialize\">" COMPONENT (
          "a") "</component>" COMPONENT ("a") "</component></settings></"
                                              "unattend>",
      "the same component" },
    { SPECIALIZE ("<ComputerName>sixteen-letters1</ComputerName>"),
      "up to 15 letters" },
    { SPECIALIZE ("<ComputerName>12345</ComputerName>"), "not digits alone" },
    { SPECIALIZE ("<ProductKey>x</ProductKey>"), "five groups" },
    { SPECIALIZE ("<CopyProfile>yes</CopyProfile>"), "true or false" },
    { SPECIALIZE ("<TimeZone>UTC</TimeZone><TimeZone>UTC</TimeZone>"),
      "is there twice" },
    { SPECIALIZE ("<TimeZone><a/></TimeZone>"), "found elements" },
    { SPECIALIZE ("<OOBE><ProtectYourPC>4</ProtectYourPC></OOBE>"),
      "a number in the range" },
    { SPECIALIZE ("<AutoLogon><Password><PlainText>true</PlainText>"
                  "</Password></AutoLogon>"),
      "Value is missing" },
    { SPECIALIZE ("<FirstLogonCommands><SynchronousCommand><Order>1</Order>"
                  "</SynchronousCommand></FirstLogonCommands>"),
      "CommandLine is missing" },
    { SPECIALIZE (
          "<FirstLogonCommands><SynchronousCommand><Order>1</Order>"
          "<CommandLine>a</CommandLine></SynchronousCommand>"
          "<SynchronousCommand><Order>1</Order><CommandLine>b</CommandLine>"
          "</SynchronousCommand></FirstLogonCommands>"),
      "the same Order" },
    { SPECIALIZE ("<UserAccounts><LocalAccounts><LocalAccount><Group>a</Group>"
                  "</LocalAccount></LocalAccounts></UserAccounts>"),
      "Name is missing" },
  };
  const struct v2v_os os = windows_os (10, 0, "Server");

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct v2v_profile *p =
        load ("{\"windows\": {\"answer_file\": \"own.xml\"}}", bad[i].xml);
    struct v2v_findings f = V2V_FINDINGS_INIT;
    struct v2v_error *err = NULL;
    size_t len;

    if (unattend_make (p, &os, &f, &len, &err) != NULL)
      fail_msg ("accepted: %s", bad[i].xml);
    if (strstr (v2v_error_message (err), bad[i].part) == NULL)
      fail_msg ("'%s' lacks '%s'", v2v_error_message (err), bad[i].part);
    v2v_error_free (err);
    v2v_findings_clear (&f);
    v2v_profile_free (p);
  }
}

static void
test_computer_names_follow_the_rules_of_windows (void **state)
{
  static const char *const bad[] = { "1234", "a-name-of-16-let", "-a", "a-" };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *ok = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    assert_null (unattend_computer_name (bad[i], &err));
    assert_error (&err, V2V_ERR_USAGE, "up to 15");
  }
  ok = unattend_computer_name ("a-name-of-15-le.x", &err);
  assert_string_equal (ok, "a-name-of-15-le");
}

/* ---- guests ---- */

static char *
make_windows (const char *image_state, const char *cmdline, unsigned type)
{
  static const struct guest_tree_entry entries[] = {
    { .path = "/Windows/System32/config" },
    { .path = "/Windows/Panther" },
    { .path = NULL },
  };
  char *dir = guest_tree_make (entries);
  CLEANUP_FREE char *system = NULL, *software = NULL;
  struct v2v_hive *h;

  assert_true (asprintf (&system, "%s/Windows/System32/config/SYSTEM", dir) >
               0);
  assert_true (
      asprintf (&software, "%s/Windows/System32/config/SOFTWARE", dir) > 0);
  hive_build_empty (system);
  hive_build_empty (software);
  h = hive_build_open (system);
  hive_build_key (h, "ControlSet001\\Services");
  hive_build_string (h, "Setup", "CmdLine", cmdline);
  hive_build_dword (h, "Setup", "SetupType", type);
  hive_build_done (h);
  h = hive_build_open (software);
  hive_build_key (h, "Microsoft\\Windows\\CurrentVersion");
  if (image_state != NULL)
    hive_build_string (h, "Microsoft\\Windows\\CurrentVersion\\Setup\\State",
                       "ImageState", image_state);
  hive_build_done (h);
  return dir;
}

/* Customise twice; the second run changes nothing and no secret is told. */
static void
customize (const char *dir, const char *profile, int major,
           struct v2v_findings *ret)
{
  struct v2v_profile *p = load (profile, NULL);
  struct v2v_error *err = NULL;

  for (unsigned run = 0; run < 2; ++run) {
    struct v2v_guest *g =
        guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", major);
    struct v2v_json *j;
    CLEANUP_FREE char *text = NULL, *more = NULL;

    guest_tree_set (&v2v_guest_os (g)->systemroot, "/Windows");
    assert_ok (v2v_customize (g, p, &err), err);
    if (run == 1)
      guest_tree_assert_unchanged (g);
    j = v2v_journal_to_json (v2v_guest_journal (g));
    text = v2v_json_dump (j, 0);
    v2v_json_free (j);
    j = v2v_findings_to_json (v2v_guest_findings (g));
    more = v2v_json_dump (j, 0);
    v2v_json_free (j);
    if (strstr (text, "p<w>") != NULL || strstr (more, "p<w>") != NULL ||
        strstr (text, "AAAAA-BBBBB") != NULL)
      fail_msg ("a secret is in the journal or the findings");
    if (run == 0) {
      *ret = *v2v_guest_findings (g);
      memset (v2v_guest_findings (g), 0, sizeof *ret);
    }
    v2v_guest_close (g);
  }
  v2v_profile_free (p);
}

#define SCRIPTS V2V_FIRSTBOOT_WINDOWS "/scripts/"

static void
test_constructed_generalised_image_gets_an_answer_file (void **state)
{
  char *dir = make_windows ("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
                            "oobe\\windeploy.exe", 2);
  static const char path[] = "/Windows/Panther/Unattend/Unattend.xml";
  struct v2v_findings f = V2V_FINDINGS_INIT;
  CLEANUP_FREE char *full = NULL;

  (void) state;
  guest_tree_write (dir, "/Windows/Setup/Scripts/SetupComplete.cmd",
                    "exit /b 0\r\n");
  customize (dir, profile_text, 10, &f);
  assert_null (v2v_findings_find (&f, "guest.customize.not-generalized"));
  guest_tree_assert_has (dir, path, "<ComputerName>WEB-01</ComputerName>");
  assert_int_equal (guest_tree_mode (dir, path), 0600);
  guest_tree_assert_text (
      dir, "/Windows/Setup/Scripts/SetupComplete.cmd",
      "del /f /q \"%WINDIR%\\Panther\\Unattend\\Unattend.xml\"\r\n"
      "exit /b 0\r\n");
  guest_tree_assert_has (dir, SCRIPTS "9900-remove-answer-file.cmd",
                         "Panther\\Unattend\\Unattend.xml");
  guest_tree_assert_has (dir, SCRIPTS "4000-features.cmd",
                         "/Enable-Feature /All /FeatureName:IIS-WebServerRole");
  guest_tree_assert_has (dir, SCRIPTS "4000-features.cmd",
                         "/Disable-Feature /FeatureName:SMB1Protocol");
  guest_tree_assert_text (dir, V2V_FIRSTBOOT_WINDOWS "/files/profile.txt",
                          "v2v-network 1\nnic 00:50:56:aa:00:01\n"
                          "address 192.0.2.5 255.255.255.0\n"
                          "address6 2001:db8::5 64\n"
                          "gateway 192.0.2.1 0\nroute6 :: 0 fe80::1 0\n"
                          "dns 192.0.2.53\ndns6 2001:db8::53\n"
                          "route 10.0.0.0 255.0.0.0 192.0.2.2 1\n"
                          "route6 2001:db8:1:: 48 2001:db8::9 20\n");
  assert_false (guest_tree_exists (dir, SCRIPTS "2100-customize.ps1"));
  if (test_have ("xmllint")) {
    const char *argv[] = { "xmllint", "--noout", NULL, NULL };

    assert_true (asprintf (&full, "%s%s", dir, path) > 0);
    argv[2] = full;
    assert_int_equal (test_run (argv, NULL), 0);
  }
  v2v_findings_clear (&f);
  test_tmpdir_remove (dir);
}

static void
test_constructed_installed_windows_gets_a_script_in_place (void **state)
{
  char *dir = make_windows ("IMAGE_STATE_COMPLETE", "", 0);
  struct v2v_findings f = V2V_FINDINGS_INIT;

  (void) state;
  customize (dir, profile_text, 10, &f);
  assert_non_null (v2v_findings_find (&f, "guest.customize.not-generalized"));
  assert_non_null (v2v_findings_find (&f, "guest.customize.left-out"));
  assert_false (
      guest_tree_exists (dir, "/Windows/Panther/Unattend/Unattend.xml"));
  guest_tree_assert_has (dir, SCRIPTS "2100-customize.ps1",
                         "ComputerName = 'WEB-01'");
  guest_tree_assert_has (dir, SCRIPTS "2100-customize.ps1",
                         "JoinUser = 'example.com\\joiner'");
  /* A quote in a literal is doubled. */
  guest_tree_assert_has (dir, SCRIPTS "2100-customize.ps1",
                         "'p<w>&\"''\xc3\xa4;%'");
  guest_tree_assert_has (dir, SCRIPTS "2100-customize.ps1",
                         "Remove-Item -LiteralPath $MyInvocation");
  v2v_findings_clear (&f);
  test_tmpdir_remove (dir);
}

static void
test_constructed_interrupted_setup_is_refused_unchanged (void **state)
{
  char *dir = make_windows ("IMAGE_STATE_UNDEPLOYABLE", "", 0);
  struct v2v_guest *g =
      guest_tree_open (dir, V2V_FAMILY_WINDOWS, "windows", 10);
  struct v2v_profile *p = load (profile_text, NULL);
  struct v2v_error *err = NULL;

  (void) state;
  guest_tree_set (&v2v_guest_os (g)->systemroot, "/Windows");
  assert_int_equal (v2v_customize (g, p, &err), -1);
  assert_error (&err, V2V_ERR_GUEST, "setup was interrupted");
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
  v2v_profile_free (p);
  test_tmpdir_remove (dir);
}

static void
test_constructed_windows_2003_gets_sysprep_inf (void **state)
{
  static const char profile[] =
      "{\"computer_name\": \"OLD\", \"time_zone\": \"Europe/Paris\", "
      "\"windows\": {\"owner\": \"a \\\"b\\\" 100%\", \"workgroup\": \"W\"}}";
  char *dir = make_windows (NULL, "setup -newsetup -mini", 1);
  struct v2v_findings f = V2V_FINDINGS_INIT;

  (void) state;
  customize (dir, profile, 5, &f);
  guest_tree_assert_text (
      dir, "/Sysprep/sysprep.inf",
      "[Unattended]\r\nOemSkipEula=Yes\r\n\r\n[GuiUnattended]\r\n"
      "OemSkipRegional=1\r\nOemSkipWelcome=1\r\nTimeZone=105\r\n"
      "\r\n[UserData]\r\nComputerName=\"OLD\"\r\n"
      "FullName=\"a \"\"b\"\" 100%%\"\r\nOrgName=\"\"\r\n"
      "\r\n[Identification]\r\nJoinWorkgroup=\"W\"\r\n");
  v2v_findings_clear (&f);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_full_profile_becomes_an_answer_file),
    cmocka_unit_test (test_what_is_written_depends_on_version_and_architecture),
    cmocka_unit_test (test_the_users_own_file_stays_and_conflicts_are_findings),
    cmocka_unit_test (test_what_has_no_effect_in_its_pass_is_said),
    cmocka_unit_test (test_a_malformed_answer_file_is_refused),
    cmocka_unit_test (test_computer_names_follow_the_rules_of_windows),
    cmocka_unit_test (test_constructed_generalised_image_gets_an_answer_file),
    cmocka_unit_test (
        test_constructed_installed_windows_gets_a_script_in_place),
    cmocka_unit_test (test_constructed_interrupted_setup_is_refused_unchanged),
    cmocka_unit_test (test_constructed_windows_2003_gets_sysprep_inf),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
