/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages for the tests of sources. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "source-util.h"

#define CIM "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"

char *
source_test_descriptor (const char *const *files)
{
  CLEANUP_STR struct v2v_str refs = V2V_STR_INIT, disks = V2V_STR_INIT;
  CLEANUP_STR struct v2v_str items = V2V_STR_INIT;
  char *s;

  for (unsigned i = 0; files[i] != NULL; ++i) {
    assert_int_equal (
        v2v_str_printf (&refs, "<File ovf:id='f%u' %s/>", i, files[i]), 0);
    assert_int_equal (v2v_str_printf (&disks,
                                      "<Disk ovf:diskId='d%u' ovf:fileRef="
                                      "'f%u' ovf:capacity='1048576'/>",
                                      i, i),
                      0);
    assert_int_equal (
        v2v_str_printf (&items,
                        "<Item><r:ResourceType>17</r:ResourceType>"
                        "<r:HostResource>ovf:/disk/d%u</r:HostResource>"
                        "<r:Parent>3</r:Parent><r:AddressOnParent>%u"
                        "</r:AddressOnParent></Item>",
                        i, i),
        0);
  }
  assert_int_not_equal (
      asprintf (
          &s,
          "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' xmlns:ovf"
          "='http://schemas.dmtf.org/ovf/envelope/1' xmlns:r='" CIM
          "ResourceAllocationSettingData'><References>%s</References>"
          "<DiskSection>%s</DiskSection><VirtualSystem ovf:id='vm'>"
          "<VirtualHardwareSection><Item><r:ResourceType>6</r:ResourceType>"
          "<r:InstanceID>3</r:InstanceID></Item>%s</VirtualHardwareSection>"
          "</VirtualSystem></Envelope>",
          refs.ptr ? refs.ptr : "", disks.ptr ? disks.ptr : "",
          items.ptr ? items.ptr : ""),
      -1);
  return s;
}

char *
source_test_in (const char *dir, const char *name)
{
  char *s;

  assert_int_not_equal (asprintf (&s, "%s/%s", dir, name), -1);
  return s;
}

void
source_test_put (const char *dir, const char *name, const void *bytes,
                 size_t len)
{
  CLEANUP_FREE char *path = source_test_in (dir, name);

  test_write_file (path, bytes, len);
}

void
source_test_put_text (const char *dir, const char *name, const char *text)
{
  source_test_put (dir, name, text, strlen (text));
}

void
source_test_put_ovf (const char *dir, const char *file)
{
  CLEANUP_FREE char *text =
      source_test_descriptor ((const char *const[]){ file, NULL });

  source_test_put_text (dir, "t.ovf", text);
}

struct v2v_source *
source_test_open_with (const char *path, enum v2v_manifest_policy policy,
                       struct v2v_error **err)
{
  const struct v2v_source_opts opts = { .manifest = policy };

  return v2v_source_open (path, &opts, err);
}

struct v2v_source *
source_test_good (const char *path)
{
  struct v2v_error *err = NULL;
  struct v2v_source *src =
      source_test_open_with (path, V2V_MANIFEST_STRICT, &err);

  assert_ptr (src, err);
  return src;
}

void
source_test_refused (const char *path, enum v2v_error_code code,
                     const char *why)
{
  struct v2v_error *err = NULL;

  assert_null (source_test_open_with (path, V2V_MANIFEST_STRICT, &err));
  assert_error (&err, code, why);
}

void
source_test_disk_is (struct v2v_source *src, size_t i, const char *content,
                     bool spooled)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;
  bool was = !spooled;
  struct v2v_io *io;
  char buf[64] = "";

  assert_true (i < m->nr_disks);
  io = v2v_source_open_disk (src, &m->disks[i], &was, &err);
  assert_ptr (io, err);
  assert_int_equal (v2v_io_size (io), strlen (content));
  assert_ok (v2v_io_pread (io, buf, strlen (content), 0, &err), err);
  assert_string_equal (buf, content);
  assert_int_equal (was, spooled);
  v2v_io_unref (io);
}

void
source_test_disk_refused (struct v2v_source *src, enum v2v_error_code code,
                          const char *why)
{
  const struct v2v_machine *m = v2v_source_machine (src, 0);
  struct v2v_error *err = NULL;

  assert_null (v2v_source_open_disk (src, &m->disks[0], NULL, &err));
  assert_error (&err, code, why);
}

bool
source_test_finds (struct v2v_source *src, const char *id)
{
  return v2v_findings_find (&v2v_source_machine (src, 0)->findings, id) != NULL;
}

void
source_test_add_digest (struct v2v_str *mf, const char *name, const char *text)
{
  uint8_t digest[V2V_SHA256_SIZE];
  char hex[65];

  v2v_sha256 (text, strlen (text), digest);
  v2v_hex (digest, sizeof digest, hex);
  assert_int_equal (v2v_str_printf (mf, "SHA256(%s)= %s\n", name, hex), 0);
}
