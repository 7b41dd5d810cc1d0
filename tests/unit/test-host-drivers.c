/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drivers "qemu" and "ssh": what they say to other programs. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "library/host-qemu.h"
#include "library/host-ssh.h"
#include "library-util.h"

#define S(s) ((char *) (uintptr_t) (s))

/* ---- ssh ---- */

static const char *const verbs[] = {
  "digest",       "get",  "kind",  "list",  "prepare", "publish",    "register",
  "remove_files", "seal", "start", "state", "stop",    "unregister", "write",
};

static void
test_every_verb_fits_on_a_command_line_of_windows (void **state)
{
  struct v2v_error *err = NULL;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (verbs); ++i) {
    CLEANUP_FREE char *command = ssh_command (verbs[i], &err);

    assert_ptr (command, err);
    assert_true (strlen (command) <= SSH_MAX_COMMAND);
    assert_int_equal (strspn (command, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "0123456789+/=.- "),
                      strlen (command));
  }
  assert_null (ssh_command ("nonsense", &err));
  assert_error (&err, V2V_ERR_USAGE, "no verb is called 'nonsense'");
}

static void
test_the_encoded_script_is_utf16_of_the_verb (void **state)
{
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *command = ssh_command ("state", &err);
  CLEANUP_FREE char *wide = NULL, *text = NULL;
  const char *encoded;
  size_t len;

  (void) state;
  assert_ptr (command, err);
  encoded = strrchr (command, ' ') + 1;
  wide = ssh_unbase64 (encoded, strlen (encoded), &len);
  assert_non_null (wide);
  text = v2v_to_utf8 ("UTF-16LE", wide, len, &err);
  assert_ptr (text, err);
  assert_int_equal (strncmp (text, "# v2v: state\n", 13), 0);
  assert_non_null (strstr (text, "Set-StrictMode -Version 2\n"));
  assert_non_null (strstr (text, "$answer.state = 'absent'\n"));
  /* Another verb's part is not there. */
  assert_null (strstr (text, "Start-VM"));
}

static void
test_base64_is_that_of_rfc_4648 (void **state)
{
  static const char *const pairs[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
  };
  static const char *const bad[] = { "Zg=",      "Zg",   "Z===",
                                     "Zm9=Zm9v", "Zm 9", "=m9v" };
  size_t len;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (pairs); ++i) {
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
    CLEANUP_FREE char *back = NULL;

    assert_int_equal (ssh_base64 (&s, pairs[i][0], strlen (pairs[i][0])), 0);
    assert_string_equal (s.ptr, pairs[i][1]);
    back = ssh_unbase64 (s.ptr, s.len, &len);
    assert_non_null (back);
    assert_int_equal (len, strlen (pairs[i][0]));
    assert_memory_equal (back, pairs[i][0], len);
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i)
    assert_null (ssh_unbase64 (bad[i], strlen (bad[i]), &len));
}

/* ---- qemu ---- */

#define HEAD                                                                   \
  "{\"target\":{\"generation\":%d,\"processor\":{\"count\":2},"                \
  "\"memory\":{\"startup_bytes\":1073741824},"                                 \
  "\"guest\":{\"family\":\"linux\"},"

static struct qemu_machine
describe (const char *rest, int generation)
{
  struct qemu_machine m;
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *text = NULL;

  assert_true (asprintf (&text, HEAD "%s}}", generation, rest) != -1);
  assert_ok (qemu_describe (text, "web,1", "/srv/lab/web,1", &m, &err), err);
  return m;
}

static char *
command_line (const struct qemu_machine *m)
{
  __attribute__ ((cleanup (lib_strings_clear))) lib_strings argv =
      V2V_VECTOR_INIT;
  struct v2v_error *err = NULL;
  struct v2v_str s = V2V_STR_INIT;

  assert_ok (qemu_arguments (m, 4, &argv, &err), err);
  assert_null (argv.ptr[argv.len - 1]);
  for (size_t i = 0; i + 1 < argv.len; ++i)
    assert_int_equal (v2v_str_printf (&s, "%s\n", argv.ptr[i]), 0);
  return s.ptr;
}

static void
assert_has (const char *text, const char *line)
{
  if (strstr (text, line) == NULL)
    fail_msg ("no '%s' in:\n%s", line, text);
}

static void
test_generation_1_is_a_pc_with_ide (void **state)
{
  struct qemu_machine m = describe (
      "\"disks\":[{\"file\":\"d.vhd\",\"bus\":\"ide\",\"controller\":0,"
      "\"location\":1},{\"file\":\"e.vhdx\",\"bus\":\"scsi\",\"controller\":2,"
      "\"location\":63}],"
      "\"dvd_drives\":[{\"file\":\"seed.iso\",\"bus\":\"ide\","
      "\"controller\":1,\"location\":0},{\"file\":null,\"bus\":\"ide\","
      "\"controller\":1,\"location\":1}],"
      "\"network_adapters\":[{\"mac\":\"00155D0A0B0C\"},{\"mac\":null}],"
      "\"firmware\":{\"boot_order\":[{\"kind\":\"dvd\"},{\"kind\":\"disk\"}]}",
      1);
  CLEANUP_FREE char *text = command_line (&m);

  (void) state;
  assert_has (text, "\n-machine\npc\n");
  assert_has (text, "\nguest=web,,1\n"); /* qemu's own quoting */
  assert_has (text, "\nfile,id=console,path=/srv/lab/web,,1/lab/console.log\n");
  assert_has (text, "\n/srv/lab/web,1/lab/pid\n");
  assert_has (text, "\nsocket,id=qmp,fd=4,server=on,wait=off\n");
  assert_has (text, "\n-accel\ntcg,thread=multi\n");
  assert_has (text, "\n-smp\n2\n-m\n1024\n");
  assert_has (text,
              "{\"driver\":\"vpc\",\"node-name\":\"image0\",\"read-only\":"
              "false,\"file\":{\"driver\":\"file\",\"filename\":"
              "\"/srv/lab/web,1/d.vhd\"}}");
  assert_has (text, "{\"driver\":\"ide-hd\",\"bus\":\"ide.0\",\"unit\":1,"
                    "\"drive\":\"image0\",\"bootindex\":2}");
  assert_has (text, "\nvirtio-scsi-pci,id=scsi2\n");
  assert_has (text, "{\"driver\":\"scsi-hd\",\"bus\":\"scsi2.0\",\"scsi-id\":"
                    "63,\"drive\":\"image1\",\"bootindex\":3}");
  assert_has (text, "{\"driver\":\"ide-cd\",\"bus\":\"ide.1\",\"unit\":0,"
                    "\"drive\":\"image2\",\"bootindex\":0}");
  assert_has (text, "{\"driver\":\"ide-cd\",\"bus\":\"ide.1\",\"unit\":1,"
                    "\"bootindex\":1}");
  assert_has (text, "{\"driver\":\"virtio-net-pci\",\"netdev\":\"net0\","
                    "\"mac\":\"00:15:5d:0a:0b:0c\",\"romfile\":\"\"}");
  assert_null (strstr (text, "virtio-scsi-pci,id=scsi0"));
  qemu_machine_clear (&m);
}

static void
test_generation_2_has_uefi_and_a_child_is_flattened (void **state)
{
  struct qemu_machine m = describe (
      "\"disks\":[{\"file\":\"d.vhdx\",\"bus\":\"scsi\",\"controller\":0,"
      "\"location\":0,\"parents\":[{\"file\":\"b.vhdx\"}]}],"
      "\"network_adapters\":[{\"mac\":null}],"
      "\"firmware\":{\"boot_order\":[{\"kind\":\"network\",\"index\":0},"
      "{\"kind\":\"disk\",\"index\":0}]}",
      2);
  CLEANUP_FREE char *text = NULL;

  (void) state;
  m.firmware = "/code.fd";
  m.accelerator = "kvm";
  text = command_line (&m);
  assert_has (text, "\nq35,pflash0=code,pflash1=vars\n");
  assert_has (text, "\"filename\":\"/code.fd\"");
  assert_has (text, "\"filename\":\"/srv/lab/web,1/lab/vars.fd\"");
  assert_has (text,
              "{\"driver\":\"raw\",\"node-name\":\"image0\",\"read-only\":"
              "false,\"file\":{\"driver\":\"file\",\"filename\":"
              "\"/srv/lab/web,1/lab/d.vhdx.raw\"}}");
  assert_has (text, "\"drive\":\"image0\",\"bootindex\":1}");
  assert_has (text, "{\"driver\":\"virtio-net-pci\",\"netdev\":\"net0\","
                    "\"bootindex\":0}");
  assert_has (text, "\n-accel\nkvm\n-cpu\nhost\n");
  qemu_machine_clear (&m);
}

static void
test_a_description_with_other_names_or_places_is_refused (void **state)
{
  static const struct {
    const char *rest, *message;
  } cases[] = {
    { "\"disks\":[{\"file\":\"../d.vhdx\",\"bus\":\"ide\",\"controller\":0,"
      "\"location\":0}]",
      "web.json: " },
    { "\"disks\":[{\"file\":\"d.vhdx\",\"bus\":\"ide\",\"controller\":2,"
      "\"location\":0}]",
      "disk 1 of the description is wrong" },
    { "\"disks\":[{\"file\":\"d.vhdx\",\"bus\":\"ide\",\"controller\":0,"
      "\"location\":2}]",
      "disk 1 of the description is wrong" },
    { "\"disks\":[{\"file\":\"d.vhdx\",\"bus\":\"scsi\",\"controller\":0,"
      "\"location\":64}]",
      "disk 1 of the description is wrong" },
    { "\"disks\":[{\"bus\":\"scsi\",\"controller\":0,\"location\":0}]",
      "disk 1 of the description is wrong" },
    { "\"network_adapters\":[{\"mac\":\"00155D0A0B0\"}]",
      "adapter 1 of the description is wrong" },
    { "\"network_adapters\":[{\"mac\":\"00155D0A0B0X\"}]",
      "adapter 1 of the description is wrong" },
  };
  struct v2v_error *err = NULL;
  struct qemu_machine m;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    CLEANUP_FREE char *text = NULL;

    assert_true (asprintf (&text, HEAD "%s}}", 1, cases[i].rest) != -1);
    assert_int_equal (qemu_describe (text, "web", "/x/web", &m, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, cases[i].message);
  }
  assert_int_equal (qemu_describe ("{}", "web", "/x/web", &m, &err), -1);
  assert_error (&err, V2V_ERR_FORMAT, "no generation, processors or memory");
}

/* What listens on lab/qmp runs, whatever files say. */
static void
test_the_state_is_who_listens_on_the_socket (void **state)
{
  char *dir = test_tmpdir ();
  struct v2v_host host = {
    .name = S ("lab"), .driver = S ("qemu"), .path = dir, .bases = S ("bases")
  };
  struct v2v_error *err = NULL;
  CLEANUP_HOST struct v2v_host_conn *c = v2v_host_open (&host, &err);
  CLEANUP_FREE char *vm = library_test_path (dir, "web");
  CLEANUP_FREE char *lab = library_test_path (dir, "web/lab");
  struct sockaddr_un a = { .sun_family = AF_UNIX };
  const int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  enum v2v_host_state s;

  (void) state;
  assert_ptr (c, err);
  assert_ok (v2v_host_state (c, "web", &s, &err), err);
  assert_int_equal (s, V2V_HOST_ABSENT);
  assert_int_equal (mkdir (vm, 0777), 0);
  assert_ok (v2v_host_state (c, "web", &s, &err), err);
  assert_int_equal (s, V2V_HOST_OFF);
  assert_int_equal (mkdir (lab, 0777), 0);
  free (library_test_file (lab, "pid", "1"));
  assert_true ((size_t) snprintf (a.sun_path, sizeof a.sun_path, "%s/qmp",
                                  lab) < sizeof a.sun_path);
  assert_int_equal (bind (fd, (const struct sockaddr *) &a, sizeof a), 0);
  assert_ok (v2v_host_state (c, "web", &s, &err), err);
  assert_int_equal (s, V2V_HOST_OFF);
  assert_int_equal (listen (fd, 1), 0);
  assert_ok (v2v_host_state (c, "web", &s, &err), err);
  assert_int_equal (s, V2V_HOST_RUNNING);
  assert_int_equal (v2v_host_unregister (c, "web", &err), -1);
  assert_error (&err, V2V_ERR_USAGE, "'web' is running");
  close (fd);
  assert_ok (v2v_host_stop (c, "web", false, &err), err);
  assert_ok (v2v_host_unregister (c, "web", &err), err);
  test_tmpdir_remove (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_every_verb_fits_on_a_command_line_of_windows),
    cmocka_unit_test (test_the_encoded_script_is_utf16_of_the_verb),
    cmocka_unit_test (test_base64_is_that_of_rfc_4648),
    cmocka_unit_test (test_generation_1_is_a_pc_with_ide),
    cmocka_unit_test (test_generation_2_has_uefi_and_a_child_is_flattened),
    cmocka_unit_test (test_a_description_with_other_names_or_places_is_refused),
    cmocka_unit_test (test_the_state_is_who_listens_on_the_socket),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
