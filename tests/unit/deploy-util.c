/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "deploy-util.h"
#include "library/library-internal.h"

void
deploy_test_document (struct v2v_library *lib, const char *kind,
                      const char *name, const char *text)
{
  const struct v2v_import_opts opts = {
    .kind = kind, .set = { .name = name, .version = "1" }
  };
  struct v2v_import_result r = { 0 };
  struct v2v_error *err = NULL;
  CLEANUP_FREE char *file = NULL;

  assert_true (asprintf (&file, "%s.xml", name) > 0);
  assert_ok (
      v2v_library_import_text (lib, file, text, strlen (text), &opts, &r, &err),
      err);
  v2v_import_result_clear (&r);
}

#define NS "xmlns=\"urn:v2v:library:1\""

struct v2v_library *
deploy_test_new (const char *dir)
{
  struct v2v_library *lib = library_test_new (dir);
  CLEANUP_FREE char *disk =
      library_test_disk (dir, "base.vhdx", "vhdx", 1, NULL);
  CLEANUP_FREE char *id = library_test_import (lib, disk, false);

  deploy_test_document (lib, "hardware-profile", "hw",
                        "<hardware-profile " NS " name=\"hw\" generation=\"2\">"
                        "<processor count=\"3\"/></hardware-profile>");
  deploy_test_document (
      lib, "guest-os-profile", "guest",
      "<guest-os-profile " NS " name=\"guest\"><network>"
      "<adapter mac=\"00:15:5d:00:00:01\"><addresses><address>192.0.2.9/24"
      "</address></addresses></adapter></network>"
      "<linux><users><user name=\"admin\" comment=\"of @COMPUTER_NAME@\"/>"
      "</users></linux></guest-os-profile>");
  deploy_test_document (
      lib, "vm-template", "web",
      "<vm-template " NS " name=\"web\" version=\"1\" os=\"debian12-64\" "
      "computer-name=\"web-##\" generalized=\"true\">"
      "<hardware-profile name=\"hw\"/><guest-os-profile name=\"guest\"/>"
      "<disks><disk name=\"os\" boot=\"true\" storage=\"differencing\">"
      "<object name=\"base\"/></disk></disks>"
      "<settings>"
      "<setting name=\"address\" mandatory=\"true\" "
      "field=\"guest-os.network[0].addresses\"/>"
      "<setting name=\"memory\" type=\"number\" "
      "field=\"hardware.memory.startup-mib\"/>"
      "</settings></vm-template>");
  return lib;
}

int
deploy_test_make (struct v2v_library *lib, const char *dir, size_t nr,
                  struct v2v_deploy_result *ret, size_t *ret_nr,
                  struct v2v_error **err)
{
  static const struct v2v_setting_value settings[] = {
    { "address", "192.0.2.@ORDINAL+10@/24" },
    { "memory", "1024" },
  };
  CLEANUP_FREE char *out = library_test_path (dir, "out");
  CLEANUP_FREE struct v2v_deploy_opts *opts = calloc (nr, sizeof *opts);

  assert_non_null (opts);
  for (size_t i = 0; i < nr; ++i)
    opts[i] = (struct v2v_deploy_opts){ .vm_template = "web",
                                        .settings = settings,
                                        .nr_settings = 2,
                                        .ordinal = (unsigned) i + 1,
                                        .output_dir = out,
                                        .program_version = "test" };
  return v2v_deploy_many (lib, opts, nr, ret, ret_nr, err);
}

static int
count_one (void *arg, const struct v2v_deployed *m, struct v2v_error **err)
{
  (void) m;
  (void) err;
  ++*(unsigned *) arg;
  return 0;
}

unsigned
deploy_test_count (struct v2v_library *lib, const char *state)
{
  const struct v2v_deployed_filter filter = { .state = state };
  struct v2v_error *err = NULL;
  unsigned n = 0;

  assert_ok (v2v_deployed_each (lib, &filter, count_one, &n, &err), err);
  return n;
}

unsigned
deploy_test_rows (struct v2v_library *lib, const char *table)
{
  CLEANUP_FREE char *sql = NULL, *text = NULL;
  struct v2v_error *err = NULL;

  assert_true (asprintf (&sql, "SELECT COUNT(*) FROM %s", table) > 0);
  assert_ok (lib_lookup (lib, &text, &err, sql, V2V_QUERY_END), err);
  return (unsigned) strtoul (text, NULL, 10);
}

unsigned
deploy_test_entries (const char *dir, const char *name)
{
  CLEANUP_FREE char *path = library_test_path (dir, name);
  CLEANUP_CLOSEDIR DIR *dp = opendir (path);
  unsigned n = 0;
  struct dirent *e;

  while (dp != NULL && (e = readdir (dp)) != NULL)
    n += strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0;
  return n;
}
