/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines under construction for the tests of the plan. */
#ifndef HYPERV_UTIL_H
#define HYPERV_UTIL_H

#include "formats/hyperv-internal.h"
#include "test-util.h"

#define HYPERV_TEST_MAX_DISKS 300

/* A machine under construction, with evidence for each disk. */
struct hyperv_test {
  struct v2v_machine *m;
  struct v2v_disk_evidence ev[HYPERV_TEST_MAX_DISKS];
  const struct v2v_disk_evidence *list[HYPERV_TEST_MAX_DISKS];
  struct v2v_hyperv_opts opts;
  struct v2v_hyperv_plan *plan;
  struct v2v_error *err;
};

extern const struct v2v_disk_evidence hyperv_test_bios_disk;
extern const struct v2v_disk_evidence hyperv_test_efi_disk;
extern const struct v2v_disk_evidence hyperv_test_data_disk;

int hyperv_test_setup (void **state);
int hyperv_test_teardown (void **state);
/* Add a disk scsi0:N with EVIDENCE (NULL: not looked into). */
struct v2v_disk *
hyperv_test_add_disk (struct hyperv_test *f,
                      const struct v2v_disk_evidence *evidence);
struct v2v_nic *hyperv_test_add_nic (struct hyperv_test *f, const char *network,
                                     const char *mac);
void hyperv_test_set_os (struct hyperv_test *f, const char *id);
const struct v2v_hyperv_plan *hyperv_test_plan (struct hyperv_test *f);
void hyperv_test_refused (struct hyperv_test *f, enum v2v_error_code code,
                          const char *text);
void hyperv_test_assert_place (const struct v2v_hyperv_place *p,
                               enum v2v_hyperv_bus bus, unsigned controller,
                               unsigned location);

#define assert_finding(f, id)                                                  \
  assert_non_null (v2v_findings_find (&(f)->plan->findings, id))
#define assert_no_finding(f, id)                                               \
  assert_null (v2v_findings_find (&(f)->plan->findings, id))

/* A test with a machine of its own. */
#define HYPERV_TEST(name)                                                      \
  cmocka_unit_test_setup_teardown (name, hyperv_test_setup,                    \
                                   hyperv_test_teardown)

#endif /* HYPERV_UTIL_H */
