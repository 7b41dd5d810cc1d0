/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts: their file, what is sent to them by blocks, bases, requests. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/chain.h"
#include "library/hosts-internal.h"
#include "library-util.h"

#define S(s)  ((char *) (uintptr_t) (s))
#define BLOCK ((size_t) V2V_DIGEST_BLOCK)

/* ---- the file ---- */

static int
parse (const char *text, struct v2v_hosts *ret, struct v2v_error **err)
{
  return v2v_hosts_parse (text, strlen (text), "hosts.json", ret, err);
}

static void
test_a_hosts_file_is_read (void **state)
{
  CLEANUP_HOSTS struct v2v_hosts h = { 0 };
  const struct v2v_host *hv1, *hv2;
  struct v2v_error *err = NULL;

  (void) state;
  assert_ok (parse ("{\"hosts\":[{\"name\":\"hv1\",\"driver\":\"folder\","
                    "\"path\":\"/srv/hv1\",\"windows_path\":\"D:\\\\VMs\","
                    "\"processors\":64,\"memory_mib\":262144,\"disk_gib\":8000,"
                    "\"generations\":[2],\"switches\":[\"Lab\",\"Ext\"],"
                    "\"vlans\":[7,4094],\"networks\":{\"VM Network\":\"Lab\"},"
                    "\"availability_zone\":\"a\",\"maintenance\":true},"
                    "{\"name\":\"hv2\",\"driver\":\"ssh\",\"path\":\"D:/VMs\","
                    "\"address\":\"admin@hv2\",\"port\":2222,"
                    "\"ssh_options\":[\"-i\",\"key\"],\"bases\":\"parents\"}]}",
                    &h, &err),
             err);
  assert_int_equal (h.len, 2);
  hv1 = v2v_hosts_find (&h, "hv1", &err);
  hv2 = v2v_hosts_find (&h, "hv2", &err);
  assert_ptr (hv1, err);
  assert_ptr (hv2, err);
  assert_string_equal (hv1->windows_path, "D:\\VMs");
  assert_string_equal (hv1->bases, "bases");
  assert_int_equal (hv1->memory_mib, 262144);
  assert_int_equal (hv1->generations, 4);
  assert_int_equal (hv1->nr_switches, 2);
  assert_int_equal (hv1->vlans[1], 4094);
  assert_string_equal (hv1->networks[0].switch_name, "Lab");
  assert_true (hv1->maintenance);
  assert_string_equal (hv2->bases, "parents");
  assert_int_equal (hv2->port, 2222);
  assert_string_equal (hv2->ssh_options[1], "key");
  /* As the host calls it, for the parents of disks. */
  assert_string_equal (hv2->windows_path, "D:\\VMs");
  assert_null (v2v_hosts_find (&h, "hv3", &err));
  assert_error (&err, V2V_ERR_USAGE, "no host is called 'hv3'");
}

#define HOST(rest)                                                             \
  "{\"hosts\":[{\"name\":\"h\",\"driver\":\"folder\",\"path\":\"/x\"" rest "}]}"

static void
test_mistakes_in_a_hosts_file_are_named (void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "[]", "expected an object with a member \"hosts\"" },
    { "{\"hosts\":{}}", "expected an object with a member \"hosts\"" },
    { "{\"hosts\":[{}]}", "host 1: expected an object with a member \"name\"" },
    { HOST (",\"memory\":1"), "'h': no member \"memory\" is known" },
    { HOST (",\"port\":22"), "\"port\" and \"ssh_options\" are for the" },
    { HOST (",\"memory_mib\":0"), "expected a number from 1 to" },
    { HOST (",\"memory_mib\":\"1\""), "\"memory_mib\": expected a number" },
    { HOST (",\"vlans\":[4095]"), "expected a number from 1 to 4094" },
    { HOST (",\"vlans\":[0]"), "expected a number from 1 to 4094" },
    { HOST (",\"generations\":[3]"), "expected a number from 1 to 2" },
    { HOST (",\"generations\":[]"), "expected 1, 2 or both" },
    { HOST (",\"maintenance\":\"no\""), "expected true or false" },
    { HOST (",\"bases\":\"../b\""), "\"bases\": " },
    { HOST (",\"bases\":\"a/b\""), "\"bases\": " },
    { HOST (",\"address\":\"a\""), "with the driver ssh only" },
    { HOST (",\"accelerator\":\"kvm\""), "with the driver qemu only" },
    { HOST (",\"switches\":\"Lab\""), "\"switches\": expected a list" },
    { HOST (",\"availability_zone\":\"a\\nb\""), "has a control character" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"smb\",\"path\":\"/x\"}]}",
      "'smb' is none of: folder qemu ssh" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"folder\"}]}",
      "\"path\" is missing" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"qemu\",\"path\":\"x\"}]}",
      "expected the absolute path of a folder" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"ssh\",\"path\":\"D:/\"}]}",
      "\"address\" is missing" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"ssh\",\"path\":\"D:/\","
      "\"address\":\"-oProxyCommand=x\"}]}",
      "\"address\": expected USER@HOST" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"ssh\",\"path\":\"D:/\","
      "\"address\":\"a\",\"port\":65536}]}",
      "expected a number from 1 to 65535" },
    { "{\"hosts\":[{\"name\":\"h\",\"driver\":\"folder\",\"path\":\"/x\"},"
      "{\"name\":\"h\",\"driver\":\"folder\",\"path\":\"/y\"}]}",
      "two hosts are called 'h'" },
  };
  struct v2v_error *err = NULL;
  struct v2v_hosts h;

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    assert_int_equal (parse (cases[i].text, &h, &err), -1);
    assert_error (&err,
                  strstr (cases[i].message, "control") ? V2V_ERR_USAGE
                                                       : V2V_ERR_FORMAT,
                  cases[i].message);
    assert_int_equal (h.len, 0);
  }
}

/* ---- sending ---- */

/* A host of the driver "folder" in DIR/host. */
struct fixture {
  char *dir;
  struct v2v_host host;
  struct v2v_host_conn *c;
};

static void
fixture_open (struct fixture *f)
{
  struct v2v_error *err = NULL;

  f->dir = test_tmpdir ();
  f->host = (struct v2v_host){
    .name = S ("hv1"),
    .driver = S ("folder"),
    .path = library_test_path (f->dir, "host"),
    .bases = S ("bases"),
    .windows_path = S ("D:\\VMs"),
  };
  assert_int_equal (mkdir (f->host.path, 0777), 0);
  f->c = v2v_host_open (&f->host, &err);
  assert_ptr (f->c, err);
}

static void
fixture_close (struct fixture *f)
{
  v2v_host_close (f->c);
  free (f->host.path);
  test_tmpdir_remove (f->dir);
}

/* NR blocks after SEED and TAIL bytes, in DIR/NAME. */
static char *
make_file (const char *dir, const char *name, size_t nr, size_t tail,
           uint32_t seed)
{
  const size_t len = nr * BLOCK + tail;
  CLEANUP_FREE char *buf = malloc (len + 1);
  char *path = library_test_path (dir, name);

  assert_non_null (buf);
  test_random (buf, len, seed);
  test_write_file (path, buf, len);
  return path;
}

static void
change_byte (const char *path, uint64_t offset)
{
  CLEANUP_CLOSE int fd = open (path, O_RDWR);
  char byte;

  assert_int_equal (pread (fd, &byte, 1, (off_t) offset), 1);
  byte = (char) ~byte;
  assert_int_equal (pwrite (fd, &byte, 1, (off_t) offset), 1);
}

static void
assert_same_files (const char *a, const char *b)
{
  size_t x, y;
  CLEANUP_FREE char *p = test_read_file (a, &x);
  CLEANUP_FREE char *q = test_read_file (b, &y);

  assert_int_equal (x, y);
  assert_memory_equal (p, q, x);
}

static bool
is_there (const struct fixture *f, const char *rel)
{
  CLEANUP_FREE char *path = library_test_path (f->host.path, rel);

  return access (path, F_OK) == 0;
}

static struct v2v_host_sent
put (struct fixture *f, const char *local, const char *rel)
{
  struct v2v_host_sent sent;
  struct v2v_error *err = NULL;

  assert_ok (v2v_host_put (f->c, local, rel, NULL, &sent, &err), err);
  return sent;
}

static void
test_a_second_send_moves_changed_blocks_only (void **state)
{
  struct fixture f;
  struct v2v_host_sent sent;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 4, 1000, 1);
    CLEANUP_FREE char *there = library_test_path (f.host.path, "x/a");

    sent = put (&f, local, "x/a");
    assert_int_equal (sent.nr_files, 1);
    assert_int_equal (sent.sent_bytes + sent.shared_bytes, 4 * BLOCK + 1000);
    assert_int_equal (sent.kept_bytes, 0);
    assert_same_files (local, there);

    sent = put (&f, local, "x/a");
    assert_int_equal (sent.sent_bytes + sent.shared_bytes, 0);
    assert_int_equal (sent.kept_bytes, 4 * BLOCK + 1000);

    change_byte (local, BLOCK + 17);
    change_byte (local, 4 * BLOCK + 999);
    sent = put (&f, local, "x/a");
    assert_int_equal (sent.sent_bytes, BLOCK + 1000);
    assert_int_equal (sent.kept_bytes, 3 * BLOCK);
    assert_same_files (local, there);
    assert_false (is_there (&f, "x/a.part"));

    /* Shorter, longer. */
    assert_int_equal (truncate (local, (off_t) (2 * BLOCK)), 0);
    sent = put (&f, local, "x/a");
    assert_int_equal (sent.sent_bytes, 0);
    assert_same_files (local, there);
    assert_int_equal (truncate (local, (off_t) (6 * BLOCK)), 0);
    sent = put (&f, local, "x/a");
    assert_int_equal (sent.sent_bytes, 0); /* zeros */
    assert_same_files (local, there);
  }
  fixture_close (&f);
}

static void
test_what_a_broken_transfer_left_is_used (void **state)
{
  struct fixture f;
  struct v2v_host_sent sent;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 4, 7, 1);
    CLEANUP_FREE char *part = make_file (f.host.path, "a.part", 4, 7, 1);
    CLEANUP_FREE char *there = library_test_path (f.host.path, "a");

    /* It ended in the third block, and the first lost a byte. */
    assert_int_equal (truncate (part, (off_t) (2 * BLOCK + 5)), 0);
    change_byte (part, 3);
    sent = put (&f, local, "a");
    assert_int_equal (sent.sent_bytes, 3 * BLOCK + 7);
    assert_int_equal (sent.kept_bytes, BLOCK);
    assert_same_files (local, there);
    assert_false (is_there (&f, "a.part"));
  }
  fixture_close (&f);
}

static void
test_a_folder_appears_at_once_without_what_runs_in_it (void **state)
{
  struct fixture f;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *vm = library_test_path (f.dir, "web");
    CLEANUP_FREE char *lab = library_test_path (f.dir, "web/lab");
    CLEANUP_FREE char *sub = library_test_path (f.dir, "web/sub");
    CLEANUP_FREE char *link = library_test_path (f.dir, "web/link");
    struct v2v_error *err = NULL;

    assert_int_equal (mkdir (vm, 0777), 0);
    assert_int_equal (mkdir (lab, 0777), 0);
    assert_int_equal (mkdir (sub, 0777), 0);
    free (library_test_file (vm, "web.json", "{}"));
    free (library_test_file (lab, "pid", "1"));
    free (library_test_file (sub, "empty", ""));
    put (&f, vm, "web");
    assert_true (is_there (&f, "web/web.json"));
    assert_true (is_there (&f, "web/sub/empty"));
    assert_false (is_there (&f, "web/lab"));
    assert_false (is_there (&f, "web.part"));
    /* Again, with one more: the rest stays. */
    free (library_test_file (vm, "more", "x"));
    put (&f, vm, "web");
    assert_true (is_there (&f, "web/more"));
    assert_true (is_there (&f, "web/web.json"));

    assert_int_equal (symlink ("/etc/passwd", link), 0);
    assert_int_equal (v2v_host_put (f.c, vm, "web", NULL, NULL, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "only files and folders are sent");
  }
  fixture_close (&f);
}

static void
test_paths_out_of_the_host_are_refused (void **state)
{
  static const char *const bad[] = { "../x", "a/../b", "/x",   "",
                                     "a//b", ".x",     "a\\b", "a:b",
                                     "a\nb", "a|b",    "a*",   "x?" };
  struct fixture f;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 0, 7, 1);
    CLEANUP_FREE char *outside = library_test_path (f.dir, "outside");
    CLEANUP_FREE char *link = library_test_path (f.host.path, "link");
    enum v2v_host_state s;

    for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
      assert_int_equal (v2v_host_put (f.c, local, bad[i], NULL, NULL, &err),
                        -1);
      v2v_error_free (STEAL (err));
      assert_int_equal (v2v_host_remove_files (f.c, bad[i], &err), -1);
      v2v_error_free (STEAL (err));
      assert_int_equal (v2v_host_state (f.c, bad[i], &s, &err), -1);
      v2v_error_free (STEAL (err));
    }
    /* Nor through a link that is there. */
    assert_int_equal (mkdir (outside, 0777), 0);
    assert_int_equal (symlink (outside, link), 0);
    assert_int_equal (v2v_host_put (f.c, local, "link/a", NULL, NULL, &err),
                      -1);
    assert_error (&err, V2V_ERR_IO, "link/a");
    assert_int_equal (rmdir (outside), 0); /* it is empty */
  }
  fixture_close (&f);
}

static int
damaging_write (void *h, struct host_file *f, size_t index, const void *buf,
                size_t len, uint64_t offset, struct v2v_error **err)
{
  CLEANUP_FREE char *copy = malloc (len);

  assert_non_null (copy);
  memcpy (copy, buf, len);
  copy[len / 2] ^= 1;
  return host_local_write (h, f, index, copy, len, offset, err);
}

static void
test_damage_on_the_way_is_found (void **state)
{
  struct fixture f;
  struct v2v_host_ops ops = host_folder_ops;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 1, 7, 1);
    CLEANUP_FREE char *there = library_test_path (f.host.path, "a");

    ops.write = damaging_write;
    ops.share = NULL;
    f.c->ops = &ops;
    assert_int_equal (v2v_host_put (f.c, local, "a", NULL, NULL, &err), -1);
    assert_error (&err, V2V_ERR_MISMATCH, "what arrived is not what was sent");
    assert_false (is_there (&f, "a"));
    /* The next one sends those blocks again. */
    f.c->ops = &host_folder_ops;
    put (&f, local, "a");
    assert_same_files (local, there);
  }
  fixture_close (&f);
}

static void
cancel_soon (void *arg, const struct v2v_progress *p)
{
  if (p->done_bytes >= 2 * BLOCK)
    atomic_store ((atomic_bool *) arg, true);
}

static void
test_an_interrupted_send_goes_on_where_it_was (void **state)
{
  struct fixture f;
  struct v2v_host_ops ops = host_folder_ops;
  atomic_bool cancel = false;
  const struct v2v_copy_opts copy = { .cancel = &cancel,
                                      .progress = cancel_soon,
                                      .progress_arg = &cancel };
  struct v2v_host_sent sent;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  ops.share = NULL;
  f.c->ops = &ops;
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 5, 0, 1);
    CLEANUP_FREE char *there = library_test_path (f.host.path, "a");

    assert_int_equal (v2v_host_put (f.c, local, "a", &copy, NULL, &err), -1);
    assert_error (&err, V2V_ERR_INTERRUPTED, "interrupted");
    assert_false (is_there (&f, "a"));
    sent = put (&f, local, "a");
    assert_int_equal (sent.kept_bytes, 2 * BLOCK);
    assert_int_equal (sent.sent_bytes, 3 * BLOCK);
    assert_same_files (local, there);
  }
  fixture_close (&f);
}

static void
test_the_rate_is_not_exceeded (void **state)
{
  const struct v2v_copy_opts copy = { .rate_limit = 40 * BLOCK };
  struct v2v_host_ops ops = host_folder_ops;
  struct fixture f;
  struct v2v_error *err = NULL;
  double begin;

  (void) state;
  fixture_open (&f);
  ops.share = NULL;
  f.c->ops = &ops;
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 8, 0, 1);

    begin = lib_seconds ();
    assert_ok (v2v_host_put (f.c, local, "a", &copy, NULL, &err), err);
    assert_true (lib_seconds () - begin >= 0.2);
  }
  fixture_close (&f);
}

static void
test_two_that_send_one_file_are_kept_apart (void **state)
{
  struct fixture f;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *local = make_file (f.dir, "a", 0, 7, 1);
    CLEANUP_FREE char *part = make_file (f.host.path, "a.part", 0, 5, 2);
    CLEANUP_CLOSE int fd = open (part, O_RDWR);

    assert_int_equal (flock (fd, LOCK_EX), 0);
    assert_int_equal (v2v_host_put (f.c, local, "a", NULL, NULL, &err), -1);
    assert_int_equal (v2v_error_errno (err), EWOULDBLOCK);
    assert_error (&err, V2V_ERR_IO, "another process sends it");
    close (STEAL_FD (fd));
    put (&f, local, "a");
    assert_true (is_there (&f, "a"));
  }
  fixture_close (&f);
}

/* ---- bases ---- */

static char *
ensure (struct v2v_library *lib, struct fixture *f, const char *id,
        bool expect_sent)
{
  struct v2v_error *err = NULL;
  char *rel = NULL;
  bool sent = !expect_sent;

  assert_ok (v2v_host_ensure_base (lib, f->c, id, NULL, &rel, &sent, &err),
             err);
  assert_int_equal (sent, expect_sent);
  return rel;
}

static void
test_a_base_is_sent_once_and_found_by_its_digest (void **state)
{
  struct fixture f;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_LIBRARY struct v2v_library *lib = library_test_new (f.dir);
    CLEANUP_FREE char *disk =
        library_test_disk (f.dir, "base.vhdx", "vhdx", 1, NULL);
    CLEANUP_FREE char *id = library_test_import (lib, disk, false);
    CLEANUP_FREE char *rel = ensure (lib, &f, id, true);
    CLEANUP_FREE char *again = ensure (lib, &f, id, false);
    CLEANUP_FREE char *path = library_test_path (f.host.path, rel);
    CLEANUP_FREE char *other =
        library_test_path (f.host.path, "bases/by-hand.vhdx");
    CLEANUP_FREE char *relative = NULL;
    CLEANUP_FREE char *absolute = NULL;
    CLEANUP_FREE char *found = NULL;
    const char *ids[] = { id, id };
    struct stat st;
    uint64_t missing;
    size_t there;
    bool equal = false;

    assert_int_equal (strncmp (rel, "bases/base-", 11), 0);
    assert_string_equal (rel + strlen (rel) - 5, ".vhdx");
    assert_string_equal (rel, again);
    assert_same_files (disk, path);
    assert_int_equal (stat (path, &st), 0);
    assert_int_equal (st.st_mode & 0222, 0);
    assert_ok (
        v2v_host_bases_there (lib, "hv1", ids, 2, &there, &missing, &err), err);
    assert_int_equal (there, 2);
    assert_ok (
        v2v_host_bases_there (lib, "hv9", ids, 1, &there, &missing, &err), err);
    assert_int_equal (there, 0);
    assert_int_equal (missing, st.st_size);
    assert_ok (v2v_host_verify_base (lib, f.c, id, rel, &equal, &err), err);
    assert_true (equal);

    assert_ok (
        v2v_host_parent_paths (&f.host, "web", rel, &relative, &absolute, &err),
        err);
    assert_int_equal (strncmp (relative, "..\\bases\\base-", 14), 0);
    assert_int_equal (strncmp (absolute, "D:\\VMs\\bases\\base-", 18), 0);

    /* Carried there by somebody, under another name. */
    assert_int_equal (rename (path, other), 0);
    found = ensure (lib, &f, id, false);
    assert_string_equal (found, "bases/by-hand.vhdx");

    /* The size is right, the contents are not: it is no copy, and stays. */
    assert_int_equal (chmod (other, 0600), 0);
    change_byte (other, (uint64_t) st.st_size / 2);
    assert_ok (v2v_host_verify_base (lib, f.c, id, found, &equal, &err), err);
    assert_false (equal);
    free (STEAL (found));
    found = ensure (lib, &f, id, true);
    assert_string_equal (found, rel);
    assert_true (is_there (&f, "bases/by-hand.vhdx"));

    /* Under our own name another size: that is nobody's base. */
    assert_int_equal (chmod (path, 0600), 0);
    assert_int_equal (truncate (path, st.st_size - 1), 0);
    free (STEAL (found));
    assert_int_equal (
        v2v_host_ensure_base (lib, f.c, id, NULL, &found, NULL, &err), -1);
    assert_error (&err, V2V_ERR_MISMATCH, "the base has");
  }
  fixture_close (&f);
}

static void
test_a_base_with_parents_finds_them_on_the_host (void **state)
{
  struct fixture f;
  struct v2v_error *err = NULL;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_LIBRARY struct v2v_library *lib = library_test_new (f.dir);
    CLEANUP_FREE char *disk =
        library_test_disk (f.dir, "base.vhdx", "vhdx", 1, NULL);
    CLEANUP_FREE char *child =
        library_test_disk (f.dir, "child.vhdx", "vhdx", 2, disk);
    CLEANUP_FREE char *base_id = library_test_import (lib, disk, false);
    CLEANUP_FREE char *id = library_test_import (lib, child, false);
    CLEANUP_FREE char *rel = ensure (lib, &f, id, true);
    CLEANUP_FREE char *base_rel = ensure (lib, &f, base_id, false);
    CLEANUP_FREE char *path = library_test_path (f.host.path, rel);
    CLEANUP_FREE char *again = ensure (lib, &f, id, false);
    CLEANUP_FREE char *absolute = NULL;
    struct v2v_image *there = v2v_image_open (path, NULL, &err);
    struct v2v_image *want;
    char a[65], b[65];
    bool equal = false;

    assert_ptr (there, err);
    want = v2v_library_open_disk (lib, id, &err);
    assert_ptr (want, err);
    assert_int_equal (v2v_image_chain_length (there), 2);
    test_image_sha256 (there, a);
    test_image_sha256 (want, b);
    assert_string_equal (a, b);
    assert_true (asprintf (&absolute, "D:\\VMs\\bases\\%s",
                           strrchr (base_rel, '/') + 1) != -1);
    assert_string_equal (v2v_image_get_info (there)->parent_absolute_path,
                         absolute);
    assert_string_equal (again, rel);
    assert_ok (v2v_host_verify_base (lib, f.c, id, rel, &equal, &err), err);
    assert_true (equal);
    v2v_image_close (there);
    v2v_image_close (want);

    /* While the child is there its parent is needed. */
    assert_int_equal (v2v_host_remove_base (lib, f.c, base_rel, &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "is needed by 'bases/child-");
    assert_ok (v2v_host_remove_base (lib, f.c, rel, &err), err);
    assert_ok (v2v_host_remove_base (lib, f.c, base_rel, &err), err);
    assert_false (is_there (&f, rel));
    assert_false (is_there (&f, base_rel));
  }
  fixture_close (&f);
}

#define NR_PROCESSES 4

static void
test_processes_that_need_one_base_send_it_once (void **state)
{
  struct fixture f;
  pid_t pids[NR_PROCESSES];
  unsigned nr_sent = 0;

  (void) state;
  fixture_open (&f);
  {
    struct v2v_library *lib = library_test_new (f.dir);
    CLEANUP_FREE char *disk =
        library_test_disk (f.dir, "base.vhdx", "vhdx", 1, NULL);
    CLEANUP_FREE char *id = library_test_import (lib, disk, false);

    v2v_library_close (lib);
    for (size_t i = 0; i < NR_PROCESSES; ++i) {
      pids[i] = fork ();
      assert_int_not_equal (pids[i], -1);
      if (pids[i] == 0) {
        struct v2v_host_conn *c = v2v_host_open (&f.host, NULL);
        char *rel = NULL;
        bool sent = false;

        lib = library_test_open (f.dir);
        _exit (v2v_host_ensure_base (lib, c, id, NULL, &rel, &sent, NULL) == -1
                   ? 1
                   : (sent ? 100 : 0));
      }
    }
    for (size_t i = 0; i < NR_PROCESSES; ++i) {
      int status;

      assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
      assert_true (WIFEXITED (status) &&
                   (WEXITSTATUS (status) == 0 || WEXITSTATUS (status) == 100));
      nr_sent += WEXITSTATUS (status) == 100;
    }
    assert_true (nr_sent >= 1);
    lib = library_test_open (f.dir);
    {
      CLEANUP_FREE char *rel = ensure (lib, &f, id, false);
      CLEANUP_FREE char *path = library_test_path (f.host.path, rel);

      assert_same_files (disk, path);
    }
    v2v_library_close (lib);
  }
  fixture_close (&f);
}

/* ---- requests ---- */

static void
test_a_request_is_left_and_a_state_is_read (void **state)
{
  struct fixture f;
  struct v2v_error *err = NULL;
  enum v2v_host_state s;

  (void) state;
  fixture_open (&f);
  {
    CLEANUP_FREE char *vm = library_test_path (f.host.path, "web");
    CLEANUP_FREE char *text = NULL;

    assert_ok (v2v_host_state (f.c, "web", &s, &err), err);
    assert_int_equal (s, V2V_HOST_ABSENT);
    assert_int_equal (v2v_host_start (f.c, "web", &err), -1);
    assert_error (&err, V2V_ERR_USAGE, "holds no machine 'web'");
    assert_int_equal (mkdir (vm, 0777), 0);
    assert_ok (v2v_host_state (f.c, "web", &s, &err), err);
    assert_int_equal (s, V2V_HOST_UNKNOWN);

    assert_ok (v2v_host_stop (f.c, "web", true, &err), err);
    text = v2v_host_get_text (f.c, "web/v2v-request.json", &err);
    assert_ptr (text, err);
    assert_non_null (strstr (text, "\"action\": \"stop\""));
    assert_non_null (strstr (text, "\"force\": true"));
    assert_ok (v2v_host_start (f.c, "web", &err), err); /* in its place */
    free (STEAL (text));
    text = v2v_host_get_text (f.c, "v2v-requests.ps1", &err);
    assert_ptr (text, err);
    assert_int_equal (strncmp (text, "\xef\xbb\xbf<#\r\n", 7), 0);

    free (library_test_file (vm, "v2v-state.json",
                             "\xef\xbb\xbf{\"error\":\"\",\"state\":"
                             "\"running\"}"));
    assert_ok (v2v_host_state (f.c, "web", &s, &err), err);
    assert_int_equal (s, V2V_HOST_RUNNING);
    free (library_test_file (vm, "v2v-state.json",
                             "{\"error\":\"no memory\",\"state\":\"off\"}"));
    assert_int_equal (v2v_host_state (f.c, "web", &s, &err), -1);
    assert_error (&err, V2V_ERR_IO, "the host says: no memory");
    free (library_test_file (vm, "v2v-state.json", "{\"state\":\"odd\"}"));
    assert_int_equal (v2v_host_state (f.c, "web", &s, &err), -1);
    assert_error (&err, V2V_ERR_FORMAT, "no state of a machine");
  }
  fixture_close (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_hosts_file_is_read),
    cmocka_unit_test (test_mistakes_in_a_hosts_file_are_named),
    cmocka_unit_test (test_a_second_send_moves_changed_blocks_only),
    cmocka_unit_test (test_what_a_broken_transfer_left_is_used),
    cmocka_unit_test (test_a_folder_appears_at_once_without_what_runs_in_it),
    cmocka_unit_test (test_paths_out_of_the_host_are_refused),
    cmocka_unit_test (test_damage_on_the_way_is_found),
    cmocka_unit_test (test_an_interrupted_send_goes_on_where_it_was),
    cmocka_unit_test (test_the_rate_is_not_exceeded),
    cmocka_unit_test (test_two_that_send_one_file_are_kept_apart),
    cmocka_unit_test (test_a_base_is_sent_once_and_found_by_its_digest),
    cmocka_unit_test (test_a_base_with_parents_finds_them_on_the_host),
    cmocka_unit_test (test_processes_that_need_one_base_send_it_once),
    cmocka_unit_test (test_a_request_is_left_and_a_state_is_read),
  };

  library_test_use_memory ();
  return cmocka_run_group_tests (tests, NULL, NULL);
}
