/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source of the layout: the SYSTEM hive of a Windows 7 that ran on VMware. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"
#include "windows-build.h"

static char *
path_in (const char *dir, const char *name)
{
  char *p;

  assert_return_code (asprintf (&p, "%s/%s", dir, name), 0);
  return p;
}

void
windows_build (struct windows_build *b, const char *arch,
               void (*fill) (struct v2v_hive *system))
{
  static const struct guest_tree_entry entries[] = {
    { .path = "/Windows/System32/drivers" },
    { .path = NULL },
  };
  struct v2v_error *err = NULL;
  struct v2v_os *os;
  struct v2v_hive *h;

  memset (b, 0, sizeof *b);
  b->dir = guest_tree_make (entries);
  b->hives = test_tmpdir ();
  b->system = path_in (b->hives, "SYSTEM");
  b->software = path_in (b->hives, "SOFTWARE");
  hive_build_empty (b->system);
  hive_build_empty (b->software);
  if (fill != NULL) {
    h = hive_build_open (b->system);
    fill (h);
    hive_build_done (h);
  }
  b->w.g = guest_tree_open (b->dir, V2V_FAMILY_WINDOWS, "windows", 10);
  os = v2v_guest_os (b->w.g);
  os->minor = 0;
  os->build = 17763;
  guest_tree_set (&os->arch, arch);
  guest_tree_set (&os->systemroot, "/Windows");
  guest_tree_set (&os->control_set, "ControlSet001");
  b->w.os = os;
  b->w.systemroot = os->systemroot;
  b->sets[0] = strdup ("ControlSet001");
  b->sets[1] = strdup ("ControlSet002");
  b->w.control_sets = b->sets;
  b->machine = v2v_machine_new (&err);
  assert_ptr (b->machine, err);
  v2v_guest_set_machine (b->w.g, b->machine);
}

void
windows_build_use_system (struct windows_build *b, const char *file)
{
  size_t len;
  void *data = test_read_file (file, &len);

  test_write_file (b->system, data, len);
  free (data);
}

void
windows_build_open (struct windows_build *b)
{
  struct v2v_error *err = NULL;

  b->w.system = v2v_hive_open (b->system, "SYSTEM", true,
                               v2v_guest_journal (b->w.g), &err);
  assert_ptr (b->w.system, err);
  b->w.software = v2v_hive_open (b->software, "SOFTWARE", true,
                                 v2v_guest_journal (b->w.g), &err);
  assert_ptr (b->w.software, err);
}

void
windows_build_commit (struct windows_build *b)
{
  struct v2v_error *err = NULL;

  test_assert_ok (v2v_hive_commit (b->w.system, &err) != -1, err, __FILE__,
                  __LINE__);
  test_assert_ok (v2v_hive_commit (b->w.software, &err) != -1, err, __FILE__,
                  __LINE__);
  v2v_hive_close (b->w.system);
  v2v_hive_close (b->w.software);
  b->w.system = b->w.software = NULL;
}

void
windows_build_free (struct windows_build *b)
{
  v2v_hive_close (b->w.system);
  v2v_hive_close (b->w.software);
  v2v_guest_close (b->w.g);
  v2v_machine_free (b->machine);
  test_tmpdir_remove (b->dir);
  test_tmpdir_remove (b->hives);
  free (b->system);
  free (b->software);
  free (b->sets[0]);
  free (b->sets[1]);
}

void
windows_build_nic (struct windows_build *b, const char *model, const char *mac)
{
  struct v2v_nic *n = v2v_machine_add_nic (b->machine);

  assert_non_null (n);
  n->model = strdup (model);
  n->mac = mac ? strdup (mac) : NULL;
}

void
windows_build_interface (char out[200], unsigned index)
{
  snprintf (out, 200,
            "ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\"
            "{00000000-0000-0000-0000-%012u}",
            index);
}

void
windows_build_adapter (struct v2v_hive *h, const char *id, unsigned index,
                       uint32_t slot, const char *connection)
{
  char key[300], text[200];

  snprintf (key, sizeof key, "ControlSet001\\Enum\\PCI\\%s\\4&b70f118&0&%04u",
            id, index);
  snprintf (text, sizeof text, "{4d36e972-e325-11ce-bfc1-08002be10318}\\%04u",
            index);
  hive_build_string (h, key, "Driver", text);
  hive_build_dword (h, key, "UINumber", slot);
  snprintf (key, sizeof key,
            "ControlSet001\\Control\\Class\\" NET_CLASS "\\%04u", index);
  snprintf (text, sizeof text, "{00000000-0000-0000-0000-%012u}", index);
  hive_build_string (h, key, "NetCfgInstanceId", text);
  if (connection != NULL) {
    snprintf (key, sizeof key,
              "ControlSet001\\Control\\Network\\" NET_CLASS
              "\\{00000000-0000-0000-0000-%012u}\\Connection",
              index);
    hive_build_string (h, key, "Name", connection);
  }
  windows_build_interface (key, index);
  hive_build_dword (h, key, "EnableDHCP", 1);
}

void
windows_build_static (struct v2v_hive *h, unsigned index, const char *address,
                      const char *mask, const char *gateway, const char *dns)
{
  char key[200];

  windows_build_interface (key, index);
  hive_build_dword (h, key, "EnableDHCP", 0);
  hive_build_multi (h, key, "IPAddress",
                    (const char *const[]){ address, NULL });
  hive_build_multi (h, key, "SubnetMask", (const char *const[]){ mask, NULL });
  if (gateway != NULL) {
    hive_build_multi (h, key, "DefaultGateway",
                      (const char *const[]){ gateway, NULL });
    hive_build_multi (h, key, "DefaultGatewayMetric",
                      (const char *const[]){ "0", NULL });
  }
  if (dns != NULL)
    hive_build_string (h, key, "NameServer", dns);
}
