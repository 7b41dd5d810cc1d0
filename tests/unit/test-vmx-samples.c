/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real .vmx files against libvirt's reading of them (its domain XML) and
 * virt-v2v's.
 */

#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/cleanup.h"
#include "formats/machine.h"
#include "formats/vmx.h"
#include "formats/xml.h"

static const char *current;

static struct v2v_machine *
read_vmx (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_machine *m;
  struct v2v_vmx *vmx;
  size_t len;
  CLEANUP_FREE char *text = test_read_file (path, &len);

  assert_true (v2v_vmx_probe (text, len));
  vmx = v2v_vmx_parse (text, len, path, &err);
  assert_ptr (vmx, err);
  m = v2v_vmx_machine (vmx, NULL, path, NULL, &err);
  assert_ptr (m, err);
  v2v_vmx_free (vmx);
  return m;
}

/* ---- libvirt ---- */

static const struct v2v_xml_node *
child (const struct v2v_xml_node *n, const char *name)
{
  return n == NULL ? NULL : v2v_xml_child (n, "", name);
}

static const char *
attr (const struct v2v_xml_node *n, const char *name)
{
  const char *v = n == NULL ? NULL : v2v_xml_attr (n, "", name);

  return v != NULL ? v : "";
}

static void
same (const char *what, const char *ours, const char *theirs)
{
  if (strcmp (ours != NULL ? ours : "", theirs) != 0)
    fail_msg ("%s: %s is '%s', libvirt has '%s'", current, what,
              ours ? ours : "", theirs);
}

static void
check_text (const struct v2v_xml_node *root, const char *name, const char *ours)
{
  const struct v2v_xml_node *n = child (root, name);
  CLEANUP_FREE char *text = n != NULL ? v2v_xml_text (n) : strdup ("");

  same (name, ours, text);
}

static void
check_machine (const struct v2v_xml_node *root, const struct v2v_machine *m)
{
  char text[32];

  check_text (root, "name", m->name);
  check_text (root, "description", m->annotation);
  if (m->uuid_bios != NULL)
    check_text (root, "uuid", m->uuid_bios);
  snprintf (text, sizeof text, "%llu",
            (unsigned long long) m->memory_bytes / 1024);
  check_text (root, "memory", text);
  snprintf (text, sizeof text, "%u", m->nr_cpus);
  check_text (root, "vcpu", text);
  same ("firmware", m->firmware == V2V_FIRMWARE_EFI ? "efi" : "",
        attr (child (root, "os"), "firmware"));
}

/* "[datastore] directory/x.vmdk", "[datastore] x.vmdk" -> "x.vmdk" */
static const char *
base (const char *file)
{
  const char *slash = strrchr (file, '/');
  const char *store = strstr (file, "] ");

  if (slash != NULL)
    return slash + 1;
  return store != NULL ? store + 2 : file;
}

static enum v2v_bus
bus_of (const char *name)
{
  for (int b = V2V_BUS_IDE; b <= V2V_BUS_FLOPPY; ++b)
    if (strcmp (v2v_bus_name ((enum v2v_bus) b), name) == 0)
      return (enum v2v_bus) b;
  return strcmp (name, "fdc") == 0 ? V2V_BUS_FLOPPY : V2V_BUS_OTHER;
}

/* libvirt's IDE address is one controller with two buses. */
static void
place_of (const struct v2v_xml_node *disk, enum v2v_bus *bus,
          unsigned *controller, unsigned *unit)
{
  const struct v2v_xml_node *a = child (disk, "address");

  *bus = bus_of (attr (child (disk, "target"), "bus"));
  *controller = (unsigned) strtoul (
      attr (a, *bus == V2V_BUS_IDE ? "bus" : "controller"), NULL, 10);
  *unit = (unsigned) strtoul (attr (a, "unit"), NULL, 10);
}

static void
check_disk (const struct v2v_xml_node *n, const struct v2v_machine *m)
{
  unsigned controller, unit;
  enum v2v_bus bus;

  place_of (n, &bus, &controller, &unit);
  for (size_t i = 0; i < m->nr_disks; ++i) {
    const struct v2v_disk *d = &m->disks[i];

    if (d->bus == bus && d->controller == controller && d->unit == unit) {
      same ("disk file", d->file, base (attr (child (n, "source"), "file")));
      return;
    }
  }
  fail_msg ("%s: no disk at %s %u:%u", current, v2v_bus_name (bus), controller,
            unit);
}

static void
check_removable (const struct v2v_xml_node *n, const struct v2v_machine *m,
                 bool floppy)
{
  const struct v2v_xml_node *source = child (n, "source");
  unsigned controller, unit;
  enum v2v_bus bus;

  place_of (n, &bus, &controller, &unit);
  for (size_t i = 0; i < m->nr_removables; ++i) {
    const struct v2v_removable *r = &m->removables[i];

    if (r->floppy != floppy || r->bus != bus || r->controller != controller ||
        r->unit != unit)
      continue;
    if (strcmp (attr (n, "type"), "file") == 0 && source != NULL) {
      assert_int_equal (r->kind, V2V_CD_IMAGE);
      same ("image", base (r->file), base (attr (source, "file")));
    }
    else
      assert_int_not_equal (r->kind, V2V_CD_IMAGE);
    return;
  }
  fail_msg ("%s: no drive at %s %u:%u", current, v2v_bus_name (bus), controller,
            unit);
}

static void
check_nic (const struct v2v_xml_node *n, const struct v2v_nic *nic)
{
  const char *bridge = attr (child (n, "source"), "bridge");
  const char *mac = attr (child (n, "mac"), "address");

  /* libvirt makes one up where the file has none. */
  if (nic->mac != NULL)
    same ("MAC", nic->mac, mac);
  if (*bridge != '\0' && strcmp (attr (n, "type"), "bridge") == 0 &&
      nic->network != NULL)
    same ("network", nic->network, bridge);
  same ("NIC model", nic->model, attr (child (n, "model"), "type"));
}

static void
check_serial (const struct v2v_xml_node *n, const struct v2v_serial *s)
{
  const char *type = attr (n, "type");

  same ("serial kind", s->kind,
        strcmp (type, "dev") == 0   ? "device"
        : strcmp (type, "tcp") == 0 ? "network"
                                    : type);
  if (strcmp (type, "file") == 0)
    same ("serial file", base (s->path),
          base (attr (child (n, "source"), "path")));
}

static void
check_devices (const struct v2v_xml_node *root, const struct v2v_machine *m)
{
  size_t disks = 0, nics = 0, serials = 0;
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, child (root, "devices"))
  {
    const char *name = v2v_xml_name (n), *device = attr (n, "device");

    if (strcmp (name, "disk") == 0 && strcmp (device, "disk") == 0) {
      check_disk (n, m);
      disks++;
    }
    else if (strcmp (name, "disk") == 0 && strcmp (device, "lun") != 0)
      check_removable (n, m, strcmp (device, "floppy") == 0);
    else if (strcmp (name, "interface") == 0) {
      assert_true (nics < m->nr_nics);
      check_nic (n, &m->nics[nics++]);
    }
    else if (strcmp (name, "serial") == 0) {
      assert_true (serials < m->nr_serials);
      check_serial (n, &m->serials[serials++]);
    }
  }
  if (disks != m->nr_disks || nics != m->nr_nics || serials != m->nr_serials)
    fail_msg ("%s: %zu disks, %zu NICs, %zu serial ports; libvirt has %zu, "
              "%zu, %zu",
              current, m->nr_disks, m->nr_nics, m->nr_serials, disks, nics,
              serials);
}

static void
check_pair (const char *dir, const char *vmx)
{
  CLEANUP_FREE char *path = NULL, *xml_path = NULL, *text = NULL;
  struct v2v_error *err = NULL;
  struct v2v_machine *m;
  struct v2v_xml *doc;
  size_t len;

  current = vmx;
  assert_int_not_equal (asprintf (&path, "%s/%s", dir, vmx), -1);
  assert_int_not_equal (
      asprintf (&xml_path, "%s/%.*s.xml", dir, (int) strlen (vmx) - 4, vmx),
      -1);
  m = read_vmx (path);
  if (strcmp (vmx, "harddisk-scsi-file-missing-file.vmx") == 0) {
    /* libvirt refuses the path; ours is a name that is not there. */
    assert_int_equal (m->nr_disks, 1);
    assert_string_equal (m->disks[0].file, "missing.vmdk");
    assert_non_null (v2v_findings_find (&m->findings, "disk.path"));
    v2v_machine_free (m);
    return;
  }
  text = test_read_file (xml_path, &len);
  doc = v2v_xml_parse (text, len, xml_path, &err);
  assert_ptr (doc, err);
  check_machine (v2v_xml_root (doc), m);
  check_devices (v2v_xml_root (doc), m);
  v2v_xml_free (doc);
  v2v_machine_free (m);
}

static void
test_each_machine_is_as_libvirt_reads_it (void **state)
{
  CLEANUP_FREE char *dir = test_sample ("vmx/libvirt");
  const struct dirent *e;
  unsigned n = 0;
  DIR *d;

  (void) state;
  if (dir == NULL)
    skip ();
  d = opendir (dir);
  assert_non_null (d);
  while ((e = readdir (d)) != NULL)
    if (strstr (e->d_name, ".vmx") != NULL) {
      check_pair (dir, e->d_name);
      n++;
    }
  closedir (d);
  assert_int_equal (n, 26);
}

/* ---- virt-v2v ---- */

/* The value after "LABEL: ", up to the end of the line. */
static void
value_of (const char *text, const char *label, char *buf, size_t len)
{
  const char *p = strstr (text, label);
  size_t n;

  assert_non_null (p);
  p += strlen (label);
  p += strspn (p, ": ");
  n = strcspn (p, "\n");
  assert_true (n < len);
  memcpy (buf, p, n);
  buf[n] = '\0';
}

static void
check_v2v (const char *name)
{
  CLEANUP_FREE char *rel = NULL, *erel = NULL, *path = NULL, *epath = NULL;
  CLEANUP_FREE char *text = NULL;
  struct v2v_machine *m;
  size_t len, disks = 0;
  char value[128], nic[256];

  current = name;
  assert_int_not_equal (asprintf (&rel, "vmx/virt-v2v/%s.vmx", name), -1);
  assert_int_not_equal (asprintf (&erel, "vmx/virt-v2v/%s.expected", name), -1);
  path = test_sample (rel);
  epath = test_sample (erel);
  if (path == NULL || epath == NULL)
    skip ();
  m = read_vmx (path);
  text = test_read_file (epath, &len);
  value_of (text, "source name", value, sizeof value);
  same ("name", m->name, value);
  value_of (text, "memory", value, sizeof value);
  assert_int_equal (m->memory_bytes, strtoull (value, NULL, 10));
  value_of (text, "nr vCPUs", value, sizeof value);
  assert_int_equal (m->nr_cpus, strtoull (value, NULL, 10));
  value_of (text, "firmware", value, sizeof value);
  assert_int_equal (m->firmware, strcmp (value, "uefi") == 0
                                     ? V2V_FIRMWARE_EFI
                                     : V2V_FIRMWARE_BIOS);
  for (const char *p = text; (p = strstr (p, " [scsi]\n")) != NULL; ++p)
    disks++;
  assert_int_equal (m->nr_disks, disks);
  assert_int_equal (m->nr_nics, 1);
  value_of (text, "NICs:\n", nic, sizeof nic);
  assert_non_null (strstr (nic, m->nics[0].mac));
  assert_non_null (strstr (nic, m->nics[0].model));
  v2v_machine_free (m);
}

static void
test_machines_are_as_virt_v2v_reads_them (void **state)
{
  (void) state;
  check_v2v ("test-i-vmx-1");
  check_v2v ("test-i-vmx-3");
  check_v2v ("test-i-vmx-5");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_machine_is_as_libvirt_reads_it),
    cmocka_unit_test (test_machines_are_as_virt_v2v_reads_them),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
