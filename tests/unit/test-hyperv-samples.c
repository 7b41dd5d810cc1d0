/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every machine among the real samples becomes a plan with its scripts and its
 * description, or is refused for a reason.
 */

#include <config.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/hyperv.h"
#include "formats/machine.h"
#include "test-util.h"

static unsigned nr_planned, nr_refused;

/* Each disk of the machine is in the plan once, or a finding tells why not. */
static void
check_disks (const struct v2v_machine *m, const struct v2v_hyperv_plan *plan,
             const char *path)
{
  unsigned shared = 0;

  for (size_t i = 0; i < m->nr_disks; ++i) {
    unsigned seen = 0;

    for (size_t k = 0; k < plan->nr_disks; ++k)
      seen += plan->disks[k].source_index == i;
    if (m->disks[i].shared)
      shared++;
    else if (seen != 1)
      fail_msg ("%s: disk %zu is in the plan %u times", path, i, seen);
  }
  assert_int_equal (plan->nr_disks + shared, m->nr_disks);
  assert_int_equal (v2v_findings_find (&plan->findings, "disk.shared") != NULL,
                    shared > 0);
  assert_int_equal (plan->nr_nics, m->nr_nics);
}

static void
check_machine (const struct v2v_machine *m, const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_hyperv_plan *plan = v2v_hyperv_plan_new (m, NULL, 0, NULL, &err);
  CLEANUP_FREE char *script = NULL, *scvmm = NULL;
  struct v2v_json *json;

  if (plan == NULL) {
    /* Only for what Hyper-V cannot do; and the reason is given. */
    if (v2v_error_code (err) != V2V_ERR_UNSUPPORTED &&
        v2v_error_code (err) != V2V_ERR_FORMAT)
      fail_msg ("%s: %s", path, v2v_error_message (err));
    print_message ("# refused: %s: %s\n", path, v2v_error_message (err));
    v2v_error_free (err);
    nr_refused++;
    return;
  }
  check_disks (m, plan, path);
  script = v2v_hyperv_script (plan, &err);
  if (script == NULL)
    fail_msg ("%s: %s", path, v2v_error_message (err));
  scvmm = v2v_hyperv_scvmm_script (plan, &err);
  if (scvmm == NULL)
    fail_msg ("%s: %s", path, v2v_error_message (err));
  json = v2v_hyperv_to_json (plan, m);
  assert_non_null (json);
  v2v_json_free (json);
  v2v_hyperv_plan_free (plan);
  nr_planned++;
}

static int
visit (const char *path, const struct stat *st, int type, struct FTW *f)
{
  const struct v2v_source_opts opts = { .manifest = V2V_MANIFEST_OFF };
  const char *dot = strrchr (path, '.');
  struct v2v_error *err = NULL;
  struct v2v_source *src;

  (void) st;
  (void) f;
  if (type != FTW_F || dot == NULL ||
      (strcmp (dot, ".ovf") != 0 && strcmp (dot, ".vmx") != 0))
    return 0;
  src = v2v_source_open (path, &opts, &err);
  if (src == NULL) {
    v2v_error_free (err);
    return 0; /* the readers' own tests tell which may be refused */
  }
  for (size_t i = 0; i < v2v_source_nr_machines (src); ++i)
    check_machine (v2v_source_machine (src, i), path);
  v2v_source_close (src);
  return 0;
}

static void
test_every_sample_machine_is_planned_or_refused (void **state)
{
  static const char *const folders[] = { "ovf", "vmx" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_FREE char *dir = test_sample (folders[i]);

    if (dir == NULL)
      skip ();
    assert_int_equal (nftw (dir, visit, 16, FTW_PHYS), 0);
  }
  print_message ("# %u planned, %u refused\n", nr_planned, nr_refused);
  assert_true (nr_planned >= 50);
}

/* What one real machine of each kind must become. */
static void
test_known_machines (void **state)
{
  static const struct {
    const char *path;
    unsigned generation;
    const char *os;
    bool secure_boot;
  } rows[] = {
    { "ovf/vmware/win19.ovf", 2, "Windows Server 2019", true },
    { "ovf/vmware/w2k3R2_32-toolsHWv9.ovf", 1, NULL, false },
    { "ovf/vmware/photon.ovf", 1, NULL, false },
    { "vmx/libvirt/esx-in-the-wild-10.vmx", 1, "Windows Server 2019", false },
    { "vmx/libvirt/firmware-efi.vmx", 2, NULL, false },
    /* Its name says RHEL 7, its id RHEL 6. */
    { "vmx/virt-v2v/test-i-vmx-3.vmx", 2, NULL, false },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    const struct v2v_source_opts opts = { .manifest = V2V_MANIFEST_OFF };
    CLEANUP_FREE char *path = test_sample (rows[i].path);
    struct v2v_error *err = NULL;
    struct v2v_hyperv_plan *plan;
    struct v2v_source *src;

    if (path == NULL)
      skip ();
    src = v2v_source_open (path, &opts, &err);
    assert_ptr (src, err);
    plan =
        v2v_hyperv_plan_new (v2v_source_machine (src, 0), NULL, 0, NULL, &err);
    assert_ptr (plan, err);
    assert_int_equal (plan->generation, rows[i].generation);
    if (rows[i].os != NULL)
      assert_string_equal (plan->os_name, rows[i].os);
    assert_int_equal (plan->secure_boot, rows[i].secure_boot);
    v2v_hyperv_plan_free (plan);
    v2v_source_close (src);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_every_sample_machine_is_planned_or_refused),
    cmocka_unit_test (test_known_machines),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
