/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets in files that everyone in the guest may read stay out of the journal;
 * what is no secret stays in it. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "guest-tree.h"
#include "inject/guest-front.h"
#include "test-util.h"

static const struct {
  const char *before, *after;
} lines[] = {
  /* fstab: a share's password among other options. */
  { "//s/a /mnt cifs username=u,password=p#1,uid=0 0 0\n",
    "//s/a /mnt cifs username=u,password=(hidden) 0 0\n" },
  { "//s/a /mnt cifs credentials=/etc/cred,pass=x 0 0\n",
    "//s/a /mnt cifs credentials=/etc/cred,pass=(hidden) 0 0\n" },
  /* GRUB 2, GRUB legacy. */
  { "password_pbkdf2 root grub.pbkdf2.sha512.10000.ABC\n",
    "password_pbkdf2 (hidden)\n" },
  { "\tpassword --md5 $1$abc$def\n", "\tpassword (hidden)\n" },
  { "  set x=grub.pbkdf2.sha512.1.2 y\n", "  set x=(hidden) y\n" },
  /* NetworkManager, ifcfg, wicked, interfaces, netplan. */
  { "psk=a b,c\npsk-flags=0\nkey-mgmt=wpa-psk\n",
    "psk=(hidden)\npsk-flags=0\nkey-mgmt=wpa-psk\n" },
  { "WPA_PSK=\"a \\\" b\" # c\nKEY1=s:x\nDEVICE=eth0\n",
    "WPA_PSK=(hidden) # c\nKEY1=(hidden)\nDEVICE=eth0\n" },
  { "WIRELESS_KEY_0='x y'\n", "WIRELESS_KEY_0=(hidden)\n" },
  { "    wpa-psk open sesame\n    address 192.0.2.1\n",
    "    wpa-psk (hidden)\n    address 192.0.2.1\n" },
  { "        password: \"x\"\n        key: abc\n        mtu: 9000\n",
    "        password: (hidden)\n        key: (hidden)\n        mtu: 9000\n" },
  { "{\"passphrase\": \"x\", \"a\": 1}\n",
    "{\"passphrase\": (hidden), \"a\": 1}\n" },
  { "PrivateKey = abc=\nPublicKey = def=\n",
    "PrivateKey = (hidden)\nPublicKey = def=\n" },
  /* A proxy; a command line; a hash wherever it is. */
  { "proxy=http://u:p@w@proxy:3128/\n",
    "proxy=http://u:(hidden)@proxy:3128/\n" },
  { "url http://proxy:3128/a@b\n", "url http://proxy:3128/a@b\n" },
  { "options root=UUID=1 rd.iscsi.password=x,y ro\n",
    "options root=UUID=1 rd.iscsi.password=(hidden) ro\n" },
  { "x:$6$salt$hash:1:2\n", "x:(hidden):1:2\n" },
  /* No secrets. */
  { "PasswordAuthentication no\nlock_passwd: true\n",
    "PasswordAuthentication no\nlock_passwd: true\n" },
  { "rd.luks.key=/key:UUID=1 token-timeout=5\n",
    "rd.luks.key=/key:UUID=1 token-timeout=5\n" },
  { "UUID=1 / ext4 defaults 0 1\n", "UUID=1 / ext4 defaults 0 1\n" },
  { "a $1 $x $6\n", "a $1 $x $6\n" },
  { "password", "password" },
  { "password=", "password=" },
  { "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "(hidden)" },
  { "", "" },
};

static void
test_secrets_are_hidden_and_nothing_else (void **state)
{
  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (lines); ++i) {
    CLEANUP_FREE char *s = guest_redact (lines[i].before);

    assert_non_null (s);
    assert_string_equal (s, lines[i].after);
  }
}

/* Every way into the journal: changed, new, removed. */
static void
test_journal_of_a_readable_file_has_no_secret (void **state)
{
  static const struct guest_tree_entry files[] = {
    { "/etc/fstab", "/dev/sda1 / ext4\n//s/a /m cifs password=geheim 0 0\n",
      NULL, 0644 },
    { "/etc/old", "secret=geheim\n", NULL, 0644 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);
  struct v2v_guest *g = guest_tree_open (tree, V2V_FAMILY_LINUX, "any", 1);
  const struct v2v_journal *j = v2v_guest_journal (g);
  struct v2v_error *err = NULL;
  (void) state;

  assert_int_equal (
      v2v_guest_write_text (g, "/etc/fstab",
                            "UUID=1 / ext4\n"
                            "//s/a /m cifs password=geheim,_netdev 0 0\n",
                            0, "test", &err),
      1);
  assert_int_equal (
      v2v_guest_write_text (g, "/etc/new", "psk=geheim\n", 0644, "test", &err),
      1);
  assert_int_equal (v2v_guest_remove (g, "/etc/old", "test", &err), 1);
  assert_int_equal (j->len, 3);
  for (size_t i = 0; i < j->len; ++i) {
    assert_true (j->ptr[i].before == NULL ||
                 strstr (j->ptr[i].before, "geheim") == NULL);
    assert_true (j->ptr[i].after == NULL ||
                 strstr (j->ptr[i].after, "geheim") == NULL);
  }
  assert_string_equal (j->ptr[0].after,
                       "UUID=1 / ext4\n"
                       "//s/a /m cifs password=(hidden) 0 0\n");
  /* The guest has it still. */
  guest_tree_assert_has (tree, "/etc/fstab", "password=geheim,_netdev");
  v2v_guest_close (g);
  test_tmpdir_remove (tree);
}

/* Lines made to cost time: each byte is looked at a bounded number of times. */
static void
test_long_hostile_lines_end (void **state)
{
  static const char *const pieces[] = { "://",  "a ",   "$1$",
                                        "psk ", "psk=", "'",
                                        "key:", "\\",   "password\"" };
  (void) state;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (pieces); ++i) {
    const size_t n = strlen (pieces[i]);
    char *text = malloc (GUEST_JOURNAL_MAX_TEXT + 1), *s;

    assert_non_null (text);
    for (size_t k = 0; k < GUEST_JOURNAL_MAX_TEXT; ++k)
      text[k] = pieces[i][k % n];
    text[GUEST_JOURNAL_MAX_TEXT] = '\0';
    s = guest_redact (text);
    assert_non_null (s);
    free (s);
    free (text);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_secrets_are_hidden_and_nothing_else),
    cmocka_unit_test (test_journal_of_a_readable_file_has_no_secret),
    cmocka_unit_test (test_long_hostile_lines_end),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
