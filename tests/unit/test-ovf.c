/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVF descriptors made here: one malformed one per check, units, options,
 * properties, findings.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/ovf-internal.h"
#include "formats/ovf.h"

#define CIM "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
#define HEAD                                                                   \
  "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' "                  \
  "xmlns:ovf='http://schemas.dmtf.org/ovf/envelope/1' "                        \
  "xmlns:rasd='" CIM "ResourceAllocationSettingData' "                         \
  "xmlns:vssd='" CIM "VirtualSystemSettingData' "                              \
  "xmlns:vmw='http://www.vmware.com/schema/ovf'>"
#define FILE1 "<File ovf:id='f1' ovf:href='a.vmdk'/>"
#define DISK1                                                                  \
  "<Disk ovf:diskId='d1' ovf:fileRef='f1' ovf:capacity='1' "                   \
  "ovf:capacityAllocationUnits='byte * 2^30' ovf:format='x#sparse'/>"
#define ITEM(type, fields)                                                     \
  "<Item><rasd:ResourceType>" type "</rasd:ResourceType>" fields "</Item>"
#define F(name, value) "<rasd:" name ">" value "</rasd:" name ">"
#define SCSI                                                                   \
  ITEM ("6", F ("InstanceID", "3") F ("Address", "0")                          \
                 F ("ResourceSubType", "VirtualSCSI"))
#define HDD(id, unit)                                                          \
  ITEM ("17", F ("HostResource", "ovf:/disk/" id) F ("Parent", "3")            \
                  F ("AddressOnParent", unit))
#define MEM                                                                    \
  ITEM ("4", F ("AllocationUnits", "byte * 2^20") F ("VirtualQuantity", "512"))

/* A package of one system. */
static char *
package (const char *files, const char *disks, const char *sections,
         const char *system, const char *hardware)
{
  char *s;

  assert_int_not_equal (
      asprintf (&s,
                HEAD "<References>%s</References><DiskSection><Info/>%s"
                     "</DiskSection>%s<VirtualSystem ovf:id='vm'>%s"
                     "<VirtualHardwareSection><Info/>%s"
                     "</VirtualHardwareSection></VirtualSystem></Envelope>",
                files, disks, sections, system, hardware),
      -1);
  return s;
}

static struct v2v_ovf *
parse (const char *text, const char *option, struct v2v_error **err)
{
  return v2v_ovf_parse (text, strlen (text), "t.ovf", option, err);
}

static struct v2v_ovf *
good (char *text, const char *option)
{
  struct v2v_error *err = NULL;
  struct v2v_ovf *ovf = parse (text, option, &err);

  assert_ptr (ovf, err);
  free (text);
  return ovf;
}

static void
bad (char *text, enum v2v_error_code code, const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (parse (text, NULL, &err));
  assert_error (&err, code, why);
  free (text);
}

/* ---- units ---- */

static void
test_units_of_each_spelling (void **state)
{
  static const struct {
    const char *text;
    enum ovf_unit_kind kind;
    uint64_t factor;
  } rows[] = {
    { "byte", OVF_UNIT_BYTE, 1 },
    { "bytes", OVF_UNIT_BYTE, 1 },
    { "byte * 2^30", OVF_UNIT_BYTE, UINT64_C (1) << 30 },
    { "byte * 2 ^ 20", OVF_UNIT_BYTE, 1 << 20 },
    { "byte*1024", OVF_UNIT_BYTE, 1024 },
    { "  byte  *  2^10  * 4 ", OVF_UNIT_BYTE, 4096 },
    { "2^20 * byte", OVF_UNIT_BYTE, 1 << 20 },
    { "byte * 10^9", OVF_UNIT_BYTE, 1000000000 },
    { "byte * 2^0", OVF_UNIT_BYTE, 1 },
    { "MegaBytes", OVF_UNIT_BYTE, 1 << 20 },
    { "megabyte", OVF_UNIT_BYTE, 1 << 20 },
    { "KiloBytes", OVF_UNIT_BYTE, 1024 },
    { "GigaBytes", OVF_UNIT_BYTE, UINT64_C (1) << 30 },
    { "GB", OVF_UNIT_BYTE, UINT64_C (1) << 30 },
    { "mebibyte", OVF_UNIT_BYTE, 1 << 20 },
    { "hertz * 10^6", OVF_UNIT_HERTZ, 1000000 },
    { "MHz", OVF_UNIT_HERTZ, 1000000 },
    { "1024", OVF_UNIT_NONE, 1024 },
    { "byte * 2^63", OVF_UNIT_BYTE, UINT64_C (1) << 63 },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    enum ovf_unit_kind kind;
    uint64_t factor = 0;

    if (!v2v_ovf_units (rows[i].text, &kind, &factor))
      fail_msg ("'%s' is refused", rows[i].text);
    assert_int_equal (kind, rows[i].kind);
    assert_int_equal (factor, rows[i].factor);
  }
}

static void
test_units_that_are_none_are_refused (void **state)
{
  static const char *const rows[] = {
    "",
    "   ",
    "bit",
    "byte *",
    "* byte",
    "byte byte",
    "byte * 2^64",
    "byte * 10^20", /* cut to 64 bits it is not zero */
    "byte * 2^",
    "byte * 2^-3",
    "byte / 2",
    "byte * 0",
    "byte * byte",
    "byte * 2^99999999999",
    "18446744073709551616",
    "byte * 4294967296 * 4294967296",
    "MegaByte5",
    "byte ^ 2",
    "byte;",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (rows); ++i) {
    enum ovf_unit_kind kind;
    uint64_t factor = 7;

    if (v2v_ovf_units (rows[i], &kind, &factor))
      fail_msg ("'%s' gives %" PRIu64, rows[i], factor);
    assert_int_equal (factor, 7);
  }
}

static void
test_numbers (void **state)
{
  uint64_t v = 7;

  (void) state;
  assert_true (v2v_ovf_number (" 42 ", &v) && v == 42);
  assert_true (v2v_ovf_number ("4096.00", &v) && v == 4096);
  assert_true (v2v_ovf_number ("18446744073709551615", &v) && v == UINT64_MAX);
  assert_false (v2v_ovf_number ("18446744073709551616", &v));
  assert_false (v2v_ovf_number ("-1", &v));
  assert_false (v2v_ovf_number ("1.5", &v));
  assert_false (v2v_ovf_number ("", &v));
  assert_false (v2v_ovf_number ("0x10", &v));
}

/* ---- a good one ---- */

static void
test_a_machine_has_what_was_written (void **state)
{
  struct v2v_ovf *ovf = good (
      package (
          FILE1, DISK1,
          "<NetworkSection><Info/><Network ovf:name='LAN'/></NetworkSection>",
          "<Name>My VM</Name><AnnotationSection><Info/><Annotation>hi"
          "</Annotation></AnnotationSection>",
          "<System><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType>"
          "</System>" MEM SCSI HDD ("d1", "0") ITEM (
              "3", F ("VirtualQuantity", "4") F ("Reservation", "500") F (
                       "Limit", "2000") F ("AllocationUnits", "hertz * 10^6")
                       F ("Weight",
                          "8000") "<vmw:CoresPerSocket>2</vmw:CoresPerSocket>")
              ITEM (
                  "10",
                  F ("Connection", "LAN") F ("ResourceSubType", "VmxNet3") F (
                      "Address", "00-50-56-AA-BB-CC")
                      F ("AutomaticAllocation",
                         "false") "<vmw:Config vmw:key='slotInfo.pciSlotNumber' "
                                  "vmw:value='224'/>")
                  ITEM (
                      "1",
                      F ("ResourceSubType",
                         "vmware.vtpm")) "<vmw:Config vmw:key='firmware' vmw:value='efi'/>"
                                         "<vmw:Config vmw:key='bootOptions.efiSecureBootEnabled' "
                                         "vmw:value='true'/>"
                                         "<vmw:BootOrderSection vmw:type='cdrom'/>"
                                         "<vmw:BootOrderSection vmw:type='disk'/>"),
      NULL);
  const struct v2v_machine *m = ovf->machines[0];

  (void) state;
  assert_string_equal (m->name, "My VM");
  assert_string_equal (m->annotation, "hi");
  assert_string_equal (m->hardware_version, "vmx-19");
  assert_int_equal (m->memory_bytes, 512 * V2V_MIB);
  assert_int_equal (m->nr_cpus, 4);
  assert_int_equal (m->cores_per_socket, 2);
  assert_int_equal (m->cpu_reservation_mhz, 500);
  assert_int_equal (m->cpu_limit_mhz, 2000);
  assert_int_equal (m->cpu_shares, V2V_SHARES_HIGH);
  assert_int_equal (m->firmware, V2V_FIRMWARE_EFI);
  assert_int_equal (m->secure_boot, V2V_YES);
  assert_int_equal (m->tpm, V2V_YES);
  assert_int_equal (m->nr_disks, 1);
  assert_int_equal (m->disks[0].capacity_bytes, V2V_GIB);
  assert_int_equal (m->disks[0].bus, V2V_BUS_SCSI);
  assert_string_equal (m->controllers[0].model, "pvscsi");
  assert_string_equal (m->nics[0].mac, "00:50:56:aa:bb:cc");
  assert_true (m->nics[0].mac_static);
  assert_false (m->nics[0].connected);
  assert_string_equal (m->nics[0].model, "vmxnet3");
  assert_int_equal (m->nics[0].pci_slot, 224);
  assert_string_equal (m->boot_order[0], "cdrom");
  assert_string_equal (m->boot_order[1], "disk");
  assert_null (m->boot_order[2]);
  v2v_ovf_free (ovf);
}

/* ---- one malformed package per check ---- */

static void
test_references_are_checked (void **state)
{
  (void) state;
  bad (package ("<File ovf:href='a'/>", "", "", "", MEM), V2V_ERR_FORMAT,
       "no ovf:id");
  bad (package (FILE1 FILE1, "", "", "", MEM), V2V_ERR_FORMAT, "used twice");
  bad (package ("<File ovf:id='a' ovf:href='b' ovf:size='-5'/>", "", "", "",
                MEM),
       V2V_ERR_FORMAT, "size '-5'");
  bad (package ("<File ovf:id='a' ovf:href='b' ovf:chunkSize='0'/>", "", "", "",
                MEM),
       V2V_ERR_FORMAT, "chunkSize '0'");
  bad (package ("<File ovf:id='a' ovf:href='b' ovf:compression='bzip2'/>", "",
                "", "", MEM),
       V2V_ERR_UNSUPPORTED, "bzip2");
}

static void
test_disks_are_checked (void **state)
{
  (void) state;
  bad (
      package (FILE1, "<Disk ovf:fileRef='f1' ovf:capacity='1'/>", "", "", MEM),
      V2V_ERR_FORMAT, "no ovf:diskId");
  bad (package (FILE1, DISK1 DISK1, "", "", MEM), V2V_ERR_FORMAT,
       "'d1' is used twice");
  bad (package (FILE1,
                "<Disk ovf:diskId='d' ovf:fileRef='f9' "
                "ovf:capacity='1'/>",
                "", "", MEM),
       V2V_ERR_FORMAT, "fileRef 'f9'");
  bad (package (FILE1, "<Disk ovf:diskId='d' ovf:fileRef='f1'/>", "", "", MEM),
       V2V_ERR_FORMAT, "no ovf:capacity");
  bad (package (FILE1,
                "<Disk ovf:diskId='d1' ovf:fileRef='f1' "
                "ovf:capacity='ten'/>",
                "", "", MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "capacity 'ten'");
  bad (package (FILE1,
                "<Disk ovf:diskId='d1' ovf:fileRef='f1' "
                "ovf:capacity='9999999999' "
                "ovf:capacityAllocationUnits='byte * 2^40'/>",
                "", "", MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "over 2^63");
  bad (package (FILE1,
                "<Disk ovf:diskId='d1' ovf:fileRef='f1' "
                "ovf:capacity='1' ovf:capacityAllocationUnits="
                "'hertz * 10^6'/>",
                "", "", MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "hertz");
  bad (package ("", "<Disk ovf:diskId='d1' ovf:capacity='0'/>", "", "",
                MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "neither a file nor a capacity");
}

static void
test_parents_of_disks_are_checked (void **state)
{
  (void) state;
  bad (package ("",
                "<Disk ovf:diskId='a' ovf:capacity='1' "
                "ovf:parentRef='zz'/>",
                "", "", MEM),
       V2V_ERR_FORMAT, "parentRef 'zz'");
  bad (package ("",
                "<Disk ovf:diskId='a' ovf:capacity='1' ovf:parentRef='b'/>"
                "<Disk ovf:diskId='b' ovf:capacity='1' "
                "ovf:parentRef='a'/>",
                "", "", MEM),
       V2V_ERR_FORMAT, "circle");
}

/* Disks d0..dN-1, each the parent of the one before. */
static char *
chain (unsigned n)
{
  CLEANUP_STR struct v2v_str disks = V2V_STR_INIT;

  for (unsigned i = 0; i < n; ++i) {
    assert_int_equal (v2v_str_printf (&disks,
                                      "<Disk ovf:diskId='d%u' "
                                      "ovf:capacity='1' ",
                                      i),
                      0);
    if (i + 1 < n)
      assert_int_equal (v2v_str_printf (&disks, "ovf:parentRef='d%u' ", i + 1),
                        0);
    assert_int_equal (v2v_str_append (&disks, "/>"), 0);
  }
  return package ("", disks.ptr, "", "", MEM);
}

static void
test_chains_of_disks_are_bounded (void **state)
{
  (void) state;
  v2v_ovf_free (good (chain (OVF_MAX_PARENTS + 1), NULL));
  bad (chain (OVF_MAX_PARENTS + 2), V2V_ERR_FORMAT, "more than 64 parents");
}

static void
test_a_machine_never_has_a_disk_twice (void **state)
{
  (void) state;
  bad (package (FILE1, DISK1, "", "", MEM SCSI HDD ("d1", "0") HDD ("d1", "1")),
       V2V_ERR_FORMAT, "same file");
  bad (package (FILE1 "<File ovf:id='f2' ovf:href='b.vmdk'/>",
                DISK1 "<Disk ovf:diskId='d2' ovf:fileRef='f2' "
                      "ovf:capacity='1'/>",
                "", "", MEM SCSI HDD ("d1", "0") HDD ("d2", "0")),
       V2V_ERR_FORMAT, "both at scsi 0:0");
}

static void
test_items_are_checked (void **state)
{
  (void) state;
  bad (package (FILE1, DISK1, "", "", MEM SCSI HDD ("nope", "0")),
       V2V_ERR_FORMAT, "disk 'nope'");
  bad (package (FILE1, DISK1, "", "", MEM HDD ("d1", "0")), V2V_ERR_FORMAT,
       "Parent '3'");
  bad (package (FILE1, DISK1, "", "", MEM SCSI HDD ("d1", "999")),
       V2V_ERR_FORMAT, "AddressOnParent '999'");
  bad (package (FILE1, DISK1, "", "", MEM SCSI SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "InstanceID of 2 Items");
  bad (package ("", "", "", "", MEM MEM), V2V_ERR_FORMAT, "second memory");
  bad (package ("", "", "", "", ITEM ("4", "")), V2V_ERR_FORMAT,
       "without VirtualQuantity");
  bad (package ("", "", "", "", ITEM ("4", F ("VirtualQuantity", "0"))),
       V2V_ERR_FORMAT, "memory of 0");
  bad (package ("", "", "", "",
                ITEM ("4", F ("VirtualQuantity", "9000000000000000000")
                               F ("AllocationUnits", "byte * 2^20"))),
       V2V_ERR_FORMAT, "over 2^64");
  bad (package ("", "", "", "",
                ITEM ("4", F ("VirtualQuantity", "5")
                               F ("AllocationUnits", "parsec"))),
       V2V_ERR_FORMAT, "'parsec'");
  bad (package ("", "", "", "", MEM ITEM ("3", F ("VirtualQuantity", "0"))),
       V2V_ERR_FORMAT, "0 processors");
  bad (package ("", "", "", "", MEM ITEM ("3", F ("VirtualQuantity", "8193"))),
       V2V_ERR_FORMAT, "8193 processors");
  bad (package ("", "", "", "", MEM ITEM ("disk", "")), V2V_ERR_FORMAT,
       "ResourceType 'disk'");
  bad (package ("", "", "", "", MEM SCSI ITEM ("17", F ("Parent", "3"))),
       V2V_ERR_FORMAT, "no HostResource");
  bad (package ("", "", "", "",
                MEM SCSI ITEM ("17", F ("HostResource", "/etc/passwd")
                                         F ("Parent", "3"))),
       V2V_ERR_FORMAT, "/etc/passwd");
}

static void
test_required_and_unknown_is_refused (void **state)
{
  (void) state;
  bad (package ("", "", "", "", MEM ITEM ("999", "")), V2V_ERR_UNSUPPORTED,
       "ResourceType 999");
  bad (package ("", "", "", "",
                MEM ITEM ("1", F ("ResourceSubType", "x.quantum"))),
       V2V_ERR_UNSUPPORTED, "x.quantum");
  bad (package ("", "", "<x:OddSection xmlns:x='urn:x'/>", "", MEM),
       V2V_ERR_UNSUPPORTED, "OddSection");
  bad (package ("", "", "", "<EncryptionSection/>", MEM), V2V_ERR_UNSUPPORTED,
       "EncryptionSection");
  bad (package ("", "", "", "<DiskSection/>", MEM), V2V_ERR_FORMAT,
       "DiskSection inside");
}

static void
test_optional_and_unknown_is_a_finding (void **state)
{
  struct v2v_ovf *ovf =
      good (package ("", "",
                     "<x:OddSection xmlns:x='urn:x' ovf:required='false'/>", "",
                     MEM "<Item ovf:required='false'><rasd:ResourceType>999"
                         "</rasd:ResourceType></Item>"
                         "<vmw:ExtraConfig vmw:key='guestinfo.password' "
                         "vmw:value='s3cret'/>"),
            NULL);
  const struct v2v_findings *f = &ovf->machines[0]->findings;

  (void) state;
  assert_non_null (v2v_findings_find (f, "ovf.section"));
  assert_non_null (v2v_findings_find (f, "device.dropped"));
  assert_non_null (v2v_findings_find (f, "ovf.extra-config"));
  for (size_t i = 0; i < f->len; ++i)
    assert_null (strstr (f->ptr[i].message, "s3cret"));
  v2v_ovf_free (ovf);
}

static void
test_what_is_no_ovf_is_refused (void **state)
{
  (void) state;
  bad (strdup ("<Envelope/>"), V2V_ERR_FORMAT, "expected an OVF Envelope");
  bad (strdup ("<Envelope xmlns='urn:other'/>"), V2V_ERR_FORMAT, "urn:other");
  bad (strdup (HEAD "</Envelope>"), V2V_ERR_FORMAT, "neither");
  bad (strdup (HEAD "<VirtualSystem ovf:id='x'/></Envelope>"), V2V_ERR_FORMAT,
       "no VirtualHardwareSection");
}

/* ---- options and properties ---- */

#define OPTIONS                                                                \
  "<DeploymentOptionSection><Info/><Configuration ovf:id='s'/>"                \
  "<Configuration ovf:id='l' ovf:default='true'/></DeploymentOptionSection>"
#define CPU(conf, n)                                                           \
  "<Item " conf ">" F ("InstanceID", "1") F ("ResourceType", "3")              \
      F ("VirtualQuantity", n) "</Item>"
#define CPUS                                                                   \
  CPU ("", "1")                                                                \
  CPU ("ovf:configuration='s'", "2") CPU ("ovf:configuration='l x'", "4")

static void
check_cpus (const char *sections, const char *option, unsigned n)
{
  struct v2v_ovf *ovf = good (package ("", "", sections, "", MEM CPUS), option);

  assert_int_equal (ovf->machines[0]->nr_cpus, n);
  v2v_ovf_free (ovf);
}

static void
test_deployment_options_choose_items (void **state)
{
  struct v2v_error *err = NULL;
  char *text = package ("", "", OPTIONS, "", MEM CPUS);

  (void) state;
  check_cpus (OPTIONS, NULL, 4);
  check_cpus (OPTIONS, "s", 2);
  check_cpus (OPTIONS, "l", 4);
  check_cpus ("", NULL, 1);
  assert_null (parse (text, "xl", &err));
  assert_error (&err, V2V_ERR_USAGE, "offers: s, l");
  free (text);
  text = package ("", "", "", "", MEM CPUS);
  assert_null (parse (text, "s", &err));
  assert_error (&err, V2V_ERR_USAGE, "offers none");
  free (text);
}

static void
test_a_later_item_without_units_keeps_the_earlier_ones (void **state)
{
  struct v2v_ovf *ovf = good (
      package (
          "", "", OPTIONS, "",
          ITEM ("4",
                F ("InstanceID", "2") F ("AllocationUnits", "byte * 2^20") F (
                    "VirtualQuantity",
                    "256")) "<Item ovf:configuration='l'>" F ("InstanceID", "2")
              F ("ResourceType", "4") F ("VirtualQuantity", "512") "</Item>"),
      NULL);

  (void) state;
  assert_int_equal (ovf->machines[0]->memory_bytes, 512 * V2V_MIB);
  v2v_ovf_free (ovf);
}

#define PRODUCT                                                                \
  "<ProductSection ovf:class='c' ovf:instance='i'><Info/>"                     \
  "<Property ovf:key='size' ovf:value='3'>"                                    \
  "<Value ovf:configuration='s' ovf:value='7'/></Property>"                    \
  "<Property ovf:key='pw' ovf:password='true' ovf:value='s3cret'/>"            \
  "</ProductSection>"
#define BLANK(capacity) "<Disk ovf:diskId='d1' ovf:capacity='" capacity "'/>"

static void
test_properties_feed_capacities (void **state)
{
  struct v2v_ovf *ovf = good (package ("", BLANK ("${c.size.i}000"), OPTIONS,
                                       PRODUCT, MEM SCSI HDD ("d1", "0")),
                              NULL);
  const struct v2v_machine *m = ovf->machines[0];
  struct v2v_json *j = v2v_machine_to_json (m);
  CLEANUP_FREE char *text = v2v_json_dump (j, 0);

  (void) state;
  assert_int_equal (m->disks[0].capacity_bytes, 3000);
  assert_int_equal (m->disks[0].kind, V2V_DISK_BLANK);
  assert_int_equal (m->nr_properties, 2);
  assert_string_equal (m->properties[0].key, "c.size.i");
  assert_true (m->properties[1].password);
  assert_null (m->properties[1].value);
  assert_null (strstr (text, "s3cret"));
  v2v_json_free (j);
  v2v_ovf_free (ovf);

  ovf = good (package ("", BLANK ("${c.size.i}"), OPTIONS, PRODUCT,
                       MEM SCSI HDD ("d1", "0")),
              "s");
  assert_int_equal (ovf->machines[0]->disks[0].capacity_bytes, 7);
  v2v_ovf_free (ovf);
  bad (package ("", BLANK ("${none}"), OPTIONS, PRODUCT,
                MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "property 'none'");
  bad (package ("", BLANK ("${c.pw.i}"), OPTIONS, PRODUCT,
                MEM SCSI HDD ("d1", "0")),
       V2V_ERR_FORMAT, "property 'c.pw.i'");
}

/* ---- collections ---- */

#define VM(id, hw)                                                             \
  "<VirtualSystem ovf:id='" id "'><VirtualHardwareSection>" hw                 \
  "</VirtualHardwareSection></VirtualSystem>"

static void
test_nested_collections_give_all_machines (void **state)
{
  struct v2v_ovf *ovf = good (
      strdup (
          HEAD
          "<VirtualSystemCollection ovf:id='c'>"
          "<ProductSection><Property ovf:key='p' ovf:value='outer'/>"
          "</ProductSection><EulaSection/>" VM ("a", MEM) "<VirtualSystemCollection ovf:id='d'><StartupSection/>" VM (
              "b",
              MEM) "</VirtualSystemCollection>" VM ("e",
                                                    MEM) "</VirtualSystemCollection></Envelope>"),
      NULL);

  (void) state;
  assert_int_equal (ovf->nr_machines, 3);
  for (size_t i = 0; i < 3; ++i) {
    assert_int_equal (ovf->machines[i]->nr_properties, 1);
    assert_non_null (
        v2v_findings_find (&ovf->machines[i]->findings, "ovf.eula"));
  }
  assert_string_equal (ovf->machines[1]->name, "b");
  assert_non_null (
      v2v_findings_find (&ovf->machines[1]->findings, "ovf.startup"));
  assert_null (v2v_findings_find (&ovf->machines[2]->findings, "ovf.startup"));
  v2v_ovf_free (ovf);
}

static void
test_ranges_of_an_item_are_no_devices (void **state)
{
  struct v2v_ovf *ovf =
      good (package ("", "", "", "",
                     MEM "<Item ovf:bound='min'>" F ("ResourceType", "4")
                         F ("VirtualQuantity", "1") "</Item>"),
            NULL);

  (void) state;
  assert_int_equal (ovf->machines[0]->memory_bytes, 512 * V2V_MIB);
  v2v_ovf_free (ovf);
}

static void
test_a_disk_before_its_controller_is_placed (void **state)
{
  struct v2v_ovf *ovf =
      good (package (FILE1, DISK1, "", "", MEM HDD ("d1", "2") SCSI), NULL);

  (void) state;
  assert_int_equal (ovf->machines[0]->disks[0].unit, 2);
  assert_int_equal (ovf->machines[0]->disks[0].bus, V2V_BUS_SCSI);
  v2v_ovf_free (ovf);
}

/* Cut and damaged in each place, a descriptor gives an error or a machine. */
static void
test_damage_is_survived (void **state)
{
  CLEANUP_FREE char *text =
      package (FILE1, DISK1, OPTIONS, PRODUCT, MEM CPUS SCSI HDD ("d1", "0"));
  const size_t len = strlen (text);

  (void) state;
  for (size_t i = 0; i < len; ++i) {
    const char keep = text[i];

    for (unsigned k = 0; k < 3; ++k) {
      text[i] = "0<'"[k];
      v2v_ovf_free (v2v_ovf_parse (text, len, "t", NULL, NULL));
    }
    text[i] = keep;
    v2v_ovf_free (v2v_ovf_parse (text, i, "t", NULL, NULL));
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_units_of_each_spelling),
    cmocka_unit_test (test_units_that_are_none_are_refused),
    cmocka_unit_test (test_numbers),
    cmocka_unit_test (test_a_machine_has_what_was_written),
    cmocka_unit_test (test_references_are_checked),
    cmocka_unit_test (test_disks_are_checked),
    cmocka_unit_test (test_parents_of_disks_are_checked),
    cmocka_unit_test (test_chains_of_disks_are_bounded),
    cmocka_unit_test (test_a_machine_never_has_a_disk_twice),
    cmocka_unit_test (test_items_are_checked),
    cmocka_unit_test (test_required_and_unknown_is_refused),
    cmocka_unit_test (test_optional_and_unknown_is_a_finding),
    cmocka_unit_test (test_what_is_no_ovf_is_refused),
    cmocka_unit_test (test_deployment_options_choose_items),
    cmocka_unit_test (test_a_later_item_without_units_keeps_the_earlier_ones),
    cmocka_unit_test (test_properties_feed_capacities),
    cmocka_unit_test (test_nested_collections_give_all_machines),
    cmocka_unit_test (test_ranges_of_an_item_are_no_devices),
    cmocka_unit_test (test_a_disk_before_its_controller_is_placed),
    cmocka_unit_test (test_damage_is_survived),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
