/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVF descriptors of VMware, VirtualBox and others against expected.json,
 * field by field, and VMware's conformance suite.
 */

#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/ovf.h"

/* What the test is about when an assertion fails. */
static const char *current;

static struct v2v_ovf *
parse_sample (const char *path, struct v2v_error **err)
{
  size_t len;
  CLEANUP_FREE char *text = test_read_file (path, &len);

  return v2v_ovf_parse (text, len, path, NULL, err);
}

/* Strings: NULL in the file stands for "says nothing". */
static void
same (const char *what, const char *ours, const char *theirs)
{
  if ((ours == NULL) != (theirs == NULL) ||
      (ours != NULL && strcmp (ours, theirs) != 0))
    fail_msg ("%s: %s is '%s', expected '%s'", current, what,
              ours ? ours : "(null)", theirs ? theirs : "(null)");
}

static void
same_number (const char *what, uint64_t ours, uint64_t theirs)
{
  if (ours != theirs)
    fail_msg ("%s: %s is %llu, expected %llu", current, what,
              (unsigned long long) ours, (unsigned long long) theirs);
}

static bool
list_has (const char *list, const char *word)
{
  const size_t n = strlen (word);

  for (const char *p = list; (p = strstr (p, word)) != NULL; ++p)
    if ((p == list || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
      return true;
  return false;
}

/* The last of [value..., configuration] that holds in ours. */
static const struct v2v_json *
choose (const struct v2v_json *list, const char *configuration)
{
  const struct v2v_json *best = NULL;

  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *e = v2v_json_at (list, i);
    const char *conf =
        v2v_json_string_value (v2v_json_at (e, v2v_json_length (e) - 1));

    if (conf == NULL || (configuration && list_has (conf, configuration)))
      best = e;
  }
  return best;
}

static void
check_identity (const struct v2v_machine *m, const struct v2v_json *vm)
{
  const struct v2v_json *os = v2v_json_get (vm, "os");
  const char *name = v2v_json_get_string (vm, "name");
  const char *firmware = v2v_json_get_string (vm, "firmware");
  const char *type;

  same ("name", m->name, name ? name : v2v_json_get_string (vm, "id"));
  same ("hardware", m->hardware_version, v2v_json_get_string (vm, "hw"));
  same ("firmware", v2v_firmware_name (m->firmware),
        firmware ? firmware : "bios");
  if (firmware != NULL && !m->firmware_stated)
    fail_msg ("%s: firmware is not marked as stated", current);
  if (v2v_json_get_string (vm, "bootOptions.efiSecureBootEnabled") != NULL)
    same_number ("secure boot", m->secure_boot, V2V_YES);
  if (v2v_json_get_string (vm, "cpuHotAddEnabled") != NULL)
    same_number ("hot-add", m->cpu_hot_add, V2V_NO);
  if (v2v_json_get_string (vm, "nvram") != NULL)
    assert_non_null (m->nvram_file);
  if (os == NULL)
    return;
  same_number (
      "CIM OS", (uint64_t) m->os_cim,
      strtoull (v2v_json_string_value (v2v_json_at (os, 0)), NULL, 10));
  type = v2v_json_string_value (v2v_json_at (os, 1));
  if (type == NULL)
    same ("OS", m->os_id, NULL);
  else if (m->os_id == NULL || strcasecmp (m->os_id, type) != 0)
    fail_msg ("%s: OS '%s', expected '%s'", current, m->os_id, type);
}

static void
check_cpu_memory (const struct v2v_machine *m, const struct v2v_json *vm,
                  const char *configuration)
{
  const struct v2v_json *cpu =
      choose (v2v_json_get (vm, "cpus"), configuration);
  const struct v2v_json *mem =
      choose (v2v_json_get (vm, "mem_mb"), configuration);
  const char *cores;
  uint64_t mb;

  if (cpu != NULL) {
    same_number (
        "CPUs", m->nr_cpus,
        strtoull (v2v_json_string_value (v2v_json_at (cpu, 0)), NULL, 10));
    cores = v2v_json_string_value (v2v_json_at (cpu, 1));
    same_number ("cores per socket", m->cores_per_socket,
                 cores ? strtoull (cores, NULL, 10) : 0);
  }
  else
    assert_non_null (v2v_findings_find (&m->findings, "cpu.unstated"));
  if (mem != NULL) {
    assert_true (v2v_json_u64_value (v2v_json_at (mem, 0), &mb));
    same_number ("memory", m->memory_bytes, mb << 20);
  }
  else
    assert_non_null (v2v_findings_find (&m->findings, "memory.unstated"));
}

static const struct v2v_disk *
disk_by_id (const struct v2v_machine *m, const char *host)
{
  const char *id = strrchr (host, '/') + 1;

  for (size_t i = 0; i < m->nr_disks; ++i)
    if (strcmp (m->disks[i].id, id) == 0)
      return &m->disks[i];
  return NULL;
}

/* "scsi:lsilogic@0": bus, model and number of the controller. */
static void
check_place (const struct v2v_disk *d, const struct v2v_json *e)
{
  const char *on = v2v_json_get_string (e, "on");
  const char *at = strrchr (on, '@');
  const enum v2v_bus bus = strncmp (on, "scsi", 4) == 0  ? V2V_BUS_SCSI
                           : strncmp (on, "ide", 3) == 0 ? V2V_BUS_IDE
                                                         : V2V_BUS_SATA;

  same ("bus", v2v_bus_name (d->bus), v2v_bus_name (bus));
  same_number ("controller", d->controller, strtoull (at + 1, NULL, 10));
  same_number ("unit", d->unit,
               strtoull (v2v_json_get_string (e, "unit"), NULL, 10));
}

static void
check_disk (const struct v2v_disk *d, const struct v2v_json *e)
{
  const char *format = v2v_json_get_string (e, "fmt"), *hash;
  uint64_t bytes;

  check_place (d, e);
  if (v2v_json_get_u64 (e, "bytes", &bytes))
    same_number ("capacity", d->capacity_bytes, bytes);
  else /* "${scratch_space_size_large}" GiB, 20 by default */
    same_number ("capacity from a property", d->capacity_bytes,
                 UINT64_C (20) << 30);
  same ("file", d->file, v2v_json_get_string (e, "file"));
  same ("parent", d->parent_id, v2v_json_get_string (e, "parent"));
  same_number ("kind", d->kind,
               v2v_json_get_string (e, "file") ? V2V_DISK_FILE
                                               : V2V_DISK_BLANK);
  hash = d->format_uri ? strrchr (d->format_uri, '#') : NULL;
  same ("format", hash ? hash + 1 : NULL, format);
}

static void
check_disks (const struct v2v_machine *m, const struct v2v_json *vm,
             const char *configuration)
{
  const struct v2v_json *list = v2v_json_get (vm, "disks");
  size_t expected = 0;

  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *e = v2v_json_at (list, i);
    const char *host =
        v2v_json_string_value (v2v_json_at (v2v_json_get (e, "host"), 0));
    const struct v2v_disk *d = disk_by_id (m, host);

    /* multiple_disks.ovf: the other configuration's. */
    if (configuration != NULL && strstr (host, "_small") != NULL &&
        strcmp (configuration, "small") != 0) {
      assert_null (d);
      continue;
    }
    expected++;
    if (d == NULL)
      fail_msg ("%s: disk %s is missing", current, host);
    check_disk (d, e);
  }
  same_number ("number of disks", m->nr_disks, expected);
}

static void
check_nics (const struct v2v_machine *m, const struct v2v_json *vm)
{
  const struct v2v_json *list = v2v_json_get (vm, "nics");

  same_number ("number of NICs", m->nr_nics, v2v_json_length (list));
  for (size_t i = 0; i < m->nr_nics; ++i) {
    const struct v2v_json *e = v2v_json_at (list, i);
    const char *type = v2v_json_get_string (e, "type");
    const size_t n = strlen (m->nics[i].model);

    /* "VMXNET3 virtio": the first one that we know. */
    if (strncasecmp (type, m->nics[i].model, n) != 0 ||
        (type[n] != '\0' && type[n] != ' '))
      fail_msg ("%s: NIC '%s', expected '%s'", current, m->nics[i].model, type);
    same ("network", m->nics[i].network,
          v2v_json_string_value (v2v_json_at (v2v_json_get (e, "net"), 0)));
  }
}

static void
check_removables (const struct v2v_machine *m, const struct v2v_json *vm)
{
  const struct v2v_json *list = v2v_json_get (vm, "removable");

  same_number ("number of drives", m->nr_removables, v2v_json_length (list));
  for (size_t i = 0; i < m->nr_removables; ++i)
    same ("drive", m->removables[i].floppy ? "floppy" : "cdrom",
          v2v_json_string_value (v2v_json_at (list, i)));
}

static void
check_files (const struct v2v_ovf *ovf, const struct v2v_json *e)
{
  const struct v2v_json *files = v2v_json_get (e, "files");

  same_number ("number of files", ovf->nr_files, v2v_json_length (files));
  for (size_t i = 0; i < ovf->nr_files; ++i) {
    const struct v2v_json *f = v2v_json_at (files, i);
    const char *size = v2v_json_get_string (f, "size");
    const char *chunk = v2v_json_get_string (f, "chunk");

    same ("href", ovf->files[i].href, v2v_json_get_string (f, "href"));
    same ("compression", ovf->files[i].compression,
          v2v_json_get_string (f, "compression"));
    same_number ("size", ovf->files[i].size_bytes,
                 size ? strtoull (size, NULL, 10) : 0);
    same_number ("chunk", ovf->files[i].chunk_bytes,
                 chunk ? strtoull (chunk, NULL, 10) : 0);
  }
}

static void
check_sample (const char *name, const struct v2v_json *expected)
{
  const struct v2v_json *vms = v2v_json_get (expected, "vms");
  CLEANUP_FREE char *relative = NULL, *path = NULL;
  struct v2v_error *err = NULL;
  struct v2v_ovf *ovf;

  current = name;
  assert_int_not_equal (asprintf (&relative, "ovf/%s", name), -1);
  path = test_sample (relative);
  assert_non_null (path);
  ovf = parse_sample (path, &err);
  assert_ptr (ovf, err);
  check_files (ovf, expected);
  same_number ("number of machines", ovf->nr_machines, v2v_json_length (vms));
  for (size_t i = 0; i < ovf->nr_machines; ++i) {
    const struct v2v_machine *m = ovf->machines[i];
    const struct v2v_json *vm = v2v_json_at (vms, i);

    check_identity (m, vm);
    check_cpu_memory (m, vm, ovf->configuration);
    check_disks (m, vm, ovf->configuration);
    check_nics (m, vm);
    check_removables (m, vm);
  }
  v2v_ovf_free (ovf);
}

static void
test_each_field_of_each_sample_is_as_expected (void **state)
{
  CLEANUP_FREE char *path = test_sample ("ovf/expected.json"), *text = NULL;
  const struct v2v_json *value;
  struct v2v_error *err = NULL;
  const char *name;
  struct v2v_json *all;
  void *iter = NULL;
  size_t len, n = 0;

  (void) state;
  if (path == NULL)
    skip ();
  text = test_read_file (path, &len);
  all = v2v_json_parse (text, len, path, &err);
  assert_ptr (all, err);
  while (v2v_json_next (all, &iter, &name, &value)) {
    check_sample (name, value);
    n++;
  }
  assert_int_equal (n, 21);
  v2v_json_free (all);
}

/* ---- the conformance suite ---- */

/* No machine may have a disk twice, at one place twice, or without capacity;
 * every file it names is one of References.
 */
static void
check_plan (const struct v2v_ovf *ovf)
{
  for (size_t k = 0; k < ovf->nr_machines; ++k) {
    const struct v2v_machine *m = ovf->machines[k];

    for (size_t i = 0; i < m->nr_disks; ++i) {
      const struct v2v_disk *d = &m->disks[i];
      bool known = d->file == NULL;

      for (size_t f = 0; f < ovf->nr_files; ++f)
        known |= d->file != NULL && strcmp (ovf->files[f].href, d->file) == 0;
      assert_true (known);
      assert_true (d->capacity_bytes > 0);
      for (size_t j = 0; j < i; ++j) {
        assert_string_not_equal (m->disks[j].id, d->id);
        if (d->file != NULL && m->disks[j].file != NULL)
          assert_string_not_equal (m->disks[j].file, d->file);
      }
    }
  }
}

/* Each .ovf of a folder.  MUST_READ: an error fails the test. */
static unsigned
walk (const char *sample_dir, bool must_read, unsigned *ret_refused)
{
  CLEANUP_FREE char *dir = test_sample (sample_dir);
  const struct dirent *e;
  unsigned n = 0;
  DIR *d;

  if (dir == NULL)
    return 0;
  d = opendir (dir);
  assert_non_null (d);
  while ((e = readdir (d)) != NULL) {
    CLEANUP_FREE char *path = NULL;
    struct v2v_error *err = NULL;
    struct v2v_ovf *ovf;

    if (strstr (e->d_name, ".ovf") == NULL)
      continue;
    assert_int_not_equal (asprintf (&path, "%s/%s", dir, e->d_name), -1);
    ovf = parse_sample (path, &err);
    if (must_read)
      assert_ptr (ovf, err);
    if (ovf != NULL)
      check_plan (ovf);
    else
      ++*ret_refused;
    v2v_error_free (err);
    v2v_ovf_free (ovf);
    n++;
  }
  closedir (d);
  return n;
}

#define CONFORMANCE "ovf/conformance/"

static void
test_what_ovftool_accepts_is_read (void **state)
{
  unsigned refused = 0, n = 0;

  (void) state;
  n += walk (CONFORMANCE "AnnotationSection_1_0/Pos", true, &refused);
  n += walk (CONFORMANCE "DiskSection_1_0/Pos", true, &refused);
  n += walk (CONFORMANCE "NetworkSection_1_0/Pos", true, &refused);
  n += walk (CONFORMANCE "VirtualAppliances/Pos", true, &refused);
  n += walk (CONFORMANCE "BAT", true, &refused);
  if (n == 0)
    skip ();
  assert_int_equal (n, 30);
}

static void
test_what_ovftool_refuses_gives_no_wrong_disk (void **state)
{
  unsigned refused = 0, n = 0;

  (void) state;
  n += walk (CONFORMANCE "AnnotationSection_1_0/Neg", false, &refused);
  n += walk (CONFORMANCE "DiskSection_1_0/Neg", false, &refused);
  n += walk (CONFORMANCE "NetworkSection_1_0/Neg", false, &refused);
  n += walk (CONFORMANCE "VirtualAppliances/Neg", false, &refused);
  if (n == 0)
    skip ();
  assert_int_equal (n, 14);
  /* No id, two of one id, no capacity, a DiskSection in a system. */
  assert_true (refused >= 4);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_field_of_each_sample_is_as_expected),
    cmocka_unit_test (test_what_ovftool_accepts_is_read),
    cmocka_unit_test (test_what_ovftool_refuses_gives_no_wrong_disk),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
