/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which drivers of a folder are for a Windows guest, and what they take of
 * other INF files.  All guests here are constructed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/windows-internal.h"
#include "test-util.h"
#include "windows-build.h"

#define HEAD "[Version]\nSignature=\"$Windows NT$\"\nCatalogFile=d.cat\n"

static const char *product_type;

static void
fill (struct v2v_hive *h)
{
  if (product_type != NULL)
    hive_build_string (h, "ControlSet001\\Control\\ProductOptions",
                       "ProductType", product_type);
}

static int
inject (struct windows_build *b, const char *folder, struct v2v_error **err)
{
  const char *folders[2] = { folder, NULL };
  const struct v2v_guest_opts opts = { .drivers = folders };
  int r;

  v2v_guest_set_opts (b->w.g, &opts);
  windows_build_open (b);
  r = windows_inject_drivers (&b->w, err);
  v2v_hive_close (b->w.system);
  v2v_hive_close (b->w.software);
  b->w.system = b->w.software = NULL;
  return r;
}

static const struct v2v_finding *
include_finding (struct windows_build *b)
{
  return v2v_findings_find (v2v_guest_findings (b->w.g),
                            "guest.drivers.include");
}

/* ---- Include and Needs ---- */

#define TAKES                                                                  \
  HEAD "[Manufacturer]\na=M,NTamd64\n[M.NTamd64]\nd=I,PCI\\1\n"                \
       "[I.NT]\nInclude=MACHINE.inf, beside.inf\n"                             \
       "Needs=PciDrv.NT, Beside\n"                                             \
       "[I.NT.HW]\nNeeds=I.Own\n[I.Own]\n"                                     \
       "[I.NTx86]\nInclude=old.inf\nNeeds=Old\n"

static const struct guest_tree_entry tree[] = {
  { .path = "/d.inf", .text = TAKES },
  { .path = "/d.cat", .text = "catalogue" },
  { .path = "/Beside.INF", .text = "[Version]\nSignature=x\n[BESIDE]\na=b\n" },
  { .path = NULL },
};

static struct windows_build b;
static char *drivers;

static void
make (void)
{
  product_type = "ServerNT";
  drivers = guest_tree_make (tree);
  windows_build (&b, "x86_64", fill);
}

static void
inject_it (void)
{
  struct v2v_error *err = NULL;

  assert_ok (inject (&b, drivers, &err), err);
}

static void
done (void)
{
  windows_build_free (&b);
  test_tmpdir_remove (drivers);
}

/* "Beside.INF" is no driver: it has no [Manufacturer]. */
static void
test_sections_of_windows_and_of_the_maker_are_found (void **state)
{
  (void) state;
  make ();
  guest_tree_write (b.dir, "/Windows/inf/machine.inf",
                    "[version]\nsignature=x\n[pcidrv.nt]\n");
  inject_it ();
  assert_null (include_finding (&b));
  done ();
}

static void
test_section_that_this_windows_has_not_is_named (void **state)
{
  const struct v2v_finding *f;

  (void) state;
  make ();
  guest_tree_write (b.dir, "/Windows/inf/machine.inf",
                    "[version]\nsignature=x\n[PciDrv]\na=b\n");
  inject_it ();
  f = include_finding (&b);
  assert_non_null (f);
  assert_string_equal (f->subject, "d.inf");
  assert_non_null (strstr (f->message, "PciDrv.NT, a section that none of"));
  done ();
}

static void
test_file_that_is_nowhere_is_named_and_its_sections_are_not (void **state)
{
  const struct v2v_finding *f;
  unsigned nr = 0;

  (void) state;
  make ();
  inject_it ();
  f = include_finding (&b);
  assert_non_null (f);
  assert_non_null (strstr (f->message, "MACHINE.inf, a file that is neither"));
  for (size_t i = 0; i < v2v_guest_findings (b.w.g)->len; ++i)
    nr += strcmp (v2v_guest_findings (b.w.g)->ptr[i].id,
                  "guest.drivers.include") == 0;
  assert_int_equal (nr, 1);
  done ();
}

/* Windows may keep it in a form that only it can read. */
static void
test_file_that_cannot_be_read_says_nothing (void **state)
{
  (void) state;
  make ();
  guest_tree_write (b.dir, "/Windows/inf/machine.inf", "no INF");
  inject_it ();
  assert_null (include_finding (&b));
  done ();
}

/* ---- product types ---- */

static void
test_a_driver_for_servers_is_not_put_into_a_workstation (void **state)
{
  static const struct {
    const char *decoration, *product_type;
    bool fits;
  } cases[] = {
    { "NTamd64.10.0.3", "ServerNT", true },
    { "NTamd64.10.0.3", "WinNT", false },
    { "NTamd64.10.0.3", "LanmanNT", false },
    { "NTamd64.10.0.0x2", "LanmanNT", true },
    { "NTamd64.10.0.1", "WinNT", true },
    { "NTamd64...1", "WinNT", true },
    { "NTamd64...1", "ServerNT", false },
    { "NTamd64.6.1.1", "ServerNT", false },
    { "NTamd64.6.1", "ServerNT", true },
    { "NTamd64.10.0.3", "", true },
    { "NTamd64.10.0.3", NULL, true },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (cases); ++i) {
    struct v2v_error *err = NULL;
    CLEANUP_FREE char *text = NULL;
    int r;

    product_type = cases[i].product_type;
    drivers = guest_tree_make (tree + 1);
    assert_int_not_equal (
        asprintf (&text, HEAD "[Manufacturer]\na=M,%s\n[M.%s]\nd=I,PCI\\1\n",
                  cases[i].decoration, cases[i].decoration),
        -1);
    guest_tree_write (drivers, "/d.inf", text);
    windows_build (&b, "x86_64", fill);
    r = inject (&b, drivers, &err);
    if ((r == 0) != cases[i].fits)
      fail_msg ("%s on %s: %s", cases[i].decoration, cases[i].product_type,
                r == 0 ? "taken" : v2v_error_message (err));
    if (r == -1)
      assert_error (&err, V2V_ERR_GUEST, "none of 2 INF files");
    done ();
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_sections_of_windows_and_of_the_maker_are_found),
    cmocka_unit_test (test_section_that_this_windows_has_not_is_named),
    cmocka_unit_test (
        test_file_that_is_nowhere_is_named_and_its_sections_are_not),
    cmocka_unit_test (test_file_that_cannot_be_read_says_nothing),
    cmocka_unit_test (test_a_driver_for_servers_is_not_put_into_a_workstation),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
