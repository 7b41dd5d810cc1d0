/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One malformed VMDK for each check of the reader, and the nearest good one
 * beside it where the bound has two sides.
 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/vmdk-format.h"
#include "vmdk-build.h"

/* One change to a good file. */
struct damage {
  size_t offset;
  unsigned bytes; /* 0 = cut the file at OFFSET */
  uint64_t value;
  enum v2v_error_code code; /* 0 = still good */
  const char *text;
};

#define FORMAT      V2V_ERR_FORMAT
#define UNSUPPORTED V2V_ERR_UNSUPPORTED

static void
apply (struct vb *b, const struct damage *d)
{
  switch (d->bytes) {
  case 0:
    assert_true (d->offset < b->len);
    b->len = d->offset;
    break;
  case 1:
    b->p[d->offset] = (uint8_t) d->value;
    break;
  case 2:
    vb_put16 (b, d->offset, (uint16_t) d->value);
    break;
  case 4:
    vb_put32 (b, d->offset, (uint32_t) d->value);
    break;
  default:
    vb_put64 (b, d->offset, d->value);
  }
}

static void
expect_good (struct v2v_io *io)
{
  const struct v2v_open_opts opts = { .format = "vmdk", .no_parents = true };
  CLEANUP_EXTENTS struct v2v_extents list = V2V_EXTENTS_INIT;
  struct v2v_error *err = NULL;
  struct v2v_image *img = v2v_image_open_io (io, &opts, &err);

  assert_ptr (img, err);
  assert_ok (v2v_image_extents (img, v2v_image_size (img), 0, &list, &err),
             err);
  v2v_image_close (img);
}

static void
expect_damage (struct vb b, const char *descriptor, const struct damage *d)
{
  struct vb_file files[2] = { { "a.vmdk", NULL, 0 }, { "x", NULL, 0 } };
  struct v2v_io *io;

  apply (&b, d);
  if (descriptor != NULL) {
    files[0].data = descriptor;
    files[0].len = strlen (descriptor);
  }
  files[descriptor != NULL].data = b.p;
  files[descriptor != NULL].len = b.len;
  io = vb_folder (files, descriptor != NULL ? 2 : 1);
  if (d->code == 0)
    expect_good (io);
  else
    vb_expect_refused (io, d->code, d->text);
  v2v_io_unref (io);
  vb_free (&b);
}

static const struct damage sparse_damage[] = {
  { VMDK_H_MAGIC, 4, VMDK_MAGIC_UNFINISHED, FORMAT, "unfinished file" },
  { VMDK_H_VERSION, 4, 0, UNSUPPORTED, "version 0, expected 1..3" },
  { VMDK_H_VERSION, 4, 4, UNSUPPORTED, "version 4, expected 1..3" },
  { VMDK_H_NEWLINES + 1, 1, '\r', FORMAT, "transferred as text" },
  { VMDK_H_FLAGS, 4, 0x00040003, UNSUPPORTED, "unknown features" },
  { VMDK_H_FLAGS, 4, 0x0000fff3, 0, NULL }, /* compatible ones */
  { VMDK_H_FLAGS, 4, 0x00020003, FORMAT, "markers without compression" },
  { VMDK_H_FLAGS, 4, 0x00010003, UNSUPPORTED,
    "compressed grains without markers" },
  { VMDK_H_COMPRESS_ALGORITHM, 2, 1, FORMAT, "compression algorithm 1" },
  { VMDK_H_COMPRESS_ALGORITHM, 2, 2, UNSUPPORTED, "algorithm 2" },
  { VMDK_H_CAPACITY, 8, (UINT64_C (64) << 31) + 1, FORMAT, "64 TiB" },
  { VMDK_H_CAPACITY, 8, UINT64_MAX, FORMAT, "64 TiB" },
  { VMDK_H_CAPACITY, 8, VB_CAPACITY + 1, FORMAT,
    "embedded descriptor: extent of 2068 sectors, the header says 2069" },
  { VMDK_H_CAPACITY, 8, VB_CAPACITY + 12, FORMAT, "the header says 2080" },
  { VMDK_H_CAPACITY, 8, VB_CAPACITY - 1, FORMAT, "the header says 2067" },
  { VMDK_H_GRAIN_SIZE, 8, 0, FORMAT, "grain of 0 sectors" },
  { VMDK_H_GRAIN_SIZE, 8, 12, FORMAT, "grain of 12 sectors" },
  { VMDK_H_GRAIN_SIZE, 8, 0x400000, FORMAT, "up to 2097152" },
  { VMDK_H_GRAIN_SIZE, 8, UINT64_C (1) << 63, FORMAT, "up to 2097152" },
  { VMDK_H_NUM_GTES, 4, 0, FORMAT, "0 entries in a grain table" },
  { VMDK_H_NUM_GTES, 4, 64, FORMAT, "64 entries in a grain table" },
  { VMDK_H_NUM_GTES, 4, 192, FORMAT, "192 entries in a grain table" },
  { VMDK_H_NUM_GTES, 4, 1024, FORMAT, "1024 entries in a grain table" },
  { VMDK_H_OVERHEAD, 8, 68, 0, NULL }, /* the last sector of the file */
  { VMDK_H_OVERHEAD, 8, 69, FORMAT, "overhead of 69 sectors" },
  { VMDK_H_OVERHEAD, 8, UINT64_MAX, FORMAT, "overhead of" },
  { VMDK_H_DESCRIPTOR_OFFSET, 8, UINT64_MAX, FORMAT, "descriptor of 20" },
  { VMDK_H_DESCRIPTOR_OFFSET, 8, 1 << 20, FORMAT,
    "descriptor at sector 1048576, past the end" },
  { VMDK_H_DESCRIPTOR_SIZE, 8, 0, FORMAT, "descriptor of 0 sectors" },
  { VMDK_H_DESCRIPTOR_SIZE, 8, 2049, FORMAT, "descriptor of 2049 sectors" },
  { VMDK_H_DESCRIPTOR_SIZE, 8, UINT64_MAX, FORMAT, "descriptor of" },
  { VMDK_H_GD_OFFSET, 8, 5, FORMAT, "inside the descriptor" },
  { VMDK_H_GD_OFFSET, 8, VMDK_GD_AT_END, FORMAT, "no end-of-stream marker" },
  { VB_GT (0), 4, 1, 0, NULL }, /* replaced by the redundant copy */
  { 0, 0, 0, FORMAT, "not a VMDK" },
  { 100, 0, 0, FORMAT, "header: the file has 100 bytes" },
  { 40 * 512 - 1, 0, 0, FORMAT, "past the end" }, /* the last grains */
};

static void
test_hosted_sparse_refusals (void **state)
{
  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (sparse_damage); ++i)
    expect_damage (vb_sparse (0), NULL, &sparse_damage[i]);
}

/* Without the redundant copies each fault of a table is final. */
static void
test_table_refusals (void **state)
{
  const uint32_t end = 68; /* sectors of the file */
  const struct damage damage[] = {
    { VB_GD, 4, end, FORMAT, "entry 0 points at sector 68" },
    { VB_GD, 4, end - 1, FORMAT, "grain table 0: entry" }, /* noise */
    { VB_GD, 4, 1, FORMAT, "outside the metadata" },
    { VB_GD, 4, 25, FORMAT, "outside the metadata" },
    { VB_GD, 4, UINT32_MAX, FORMAT, "grain directory: entry 0" },
    { VB_GT (0) + 8, 4, end - 8, FORMAT, "belongs to another grain" },
    { VB_GT (0) + 8, 4, end - 7, FORMAT,
      "grain table 0: entry 2 points at sector 61, past the end (68)" },
    { VB_GT (0) + 8, 4, UINT32_MAX, FORMAT, "past the end (68)" },
    { VB_GT (0) + 8, 4, 1, FORMAT, "inside the metadata" },
    { VB_GT (0) + 8, 4, 13, FORMAT, "inside the metadata" },
    { VB_GT (0) + 8, 4, 18, FORMAT, "inside the metadata" }, /* directory */
    { VB_GT (2), 4, 32, FORMAT, "belongs to another grain" },
    { VB_GT (2) + 4 * 3, 4, UINT32_MAX, 0, NULL }, /* beyond the disk */
    { VMDK_H_GD_OFFSET, 8, 0, FORMAT, "grain directory of 3 entries" },
    { VMDK_H_GD_OFFSET, 8, UINT64_C (1) << 60, FORMAT, "at sector" },
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i) {
    struct vb b = vb_sparse (0);

    vb_put32 (&b, VMDK_H_FLAGS, VMDK_FLAG_NEWLINES);
    expect_damage (b, NULL, &damage[i]);
  }
}

static void
test_stream_refusals (void **state)
{
  const uint32_t lba = 8; /* of grain 1 */
  const struct damage damage[] = {
    { VB_RECORDS, 8, lba, FORMAT,
      "grain at sector 0: its record is marked as sector 8" },
    { VB_RECORDS + 8, 4, 0, FORMAT, "0 compressed bytes" },
    { VB_RECORDS + 8, 4, 2 * VB_GRAIN + 1, FORMAT,
      "8193 compressed bytes, expected 1..8192" },
    { VB_RECORDS + 8, 4, 2 * VB_GRAIN, FORMAT, "into the next record" },
    { VB_RECORDS + 8, 4, UINT32_MAX, FORMAT, "compressed bytes, expected" },
    { VB_RECORDS + 12, 1, 0, FORMAT, "compressed data is corrupt" },
    { VB_RECORDS + 600, 1, 0x42, FORMAT, "compressed data is corrupt" },
    { VB_GT (0) + 4, 4, 32, FORMAT, "its record is marked as sector 0" },
    { VMDK_H_GRAIN_SIZE, 8, 65536, FORMAT, "up to 32768" },
    { VMDK_H_CAPACITY, 8, VB_CAPACITY + 4, 0, NULL }, /* whole grains */
  };

  const struct damage none = { VMDK_H_VERSION, 4, 3, FORMAT,
                               "inflates to 2048 bytes, expected 4096" };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i)
    expect_damage (vb_stream (0), NULL, &damage[i]);
  /* Only the last grain may be short. */
  expect_damage (vb_stream (VB_SHORT_FIRST), NULL, &none);
}

static void
test_footer_refusals (void **state)
{
  struct vb probe = vb_stream (VB_FOOTER);
  const size_t footer = probe.len - 1024;
  const struct damage damage[] = {
    { footer, 4, 0, FORMAT, "no footer at the end" },
    { footer - 512 + VMDK_M_TYPE, 4, 2, FORMAT, "no footer at the end" },
    { footer - 512 + VMDK_M_SIZE, 4, 1, FORMAT, "no footer at the end" },
    { footer + 512, 4, 1, FORMAT, "no end-of-stream marker" },
    { footer + 512, 0, 0, FORMAT, "no end-of-stream marker" },
    { footer + VMDK_H_GD_OFFSET, 8, VMDK_GD_AT_END, FORMAT,
      "said to be in the footer, which this is" },
    { footer + VMDK_H_VERSION, 4, 1, FORMAT, "footer: version is 1" },
    { footer + VMDK_H_CAPACITY, 8, 4096, FORMAT, "footer: capacity is 4096" },
    { footer + VMDK_H_GRAIN_SIZE, 8, 16, FORMAT, "footer: grain size is 16" },
    { footer + VMDK_H_DESCRIPTOR_OFFSET, 8, 2, FORMAT,
      "footer: descriptor offset is 2" },
    { footer + VMDK_H_DESCRIPTOR_SIZE, 8, 2, FORMAT,
      "footer: descriptor size is 2" },
    { footer + VMDK_H_NUM_GTES, 4, 256, FORMAT, "footer: grain table size" },
    { footer + VMDK_H_FLAGS, 4, 1, FORMAT, "footer: flags is 1" },
    { footer + VMDK_H_COMPRESS_ALGORITHM, 2, 0, FORMAT,
      "footer: compression is 0" },
  };

  (void) state;
  vb_free (&probe);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i)
    expect_damage (vb_stream (VB_FOOTER), NULL, &damage[i]);
}

#define HEAD                                                                   \
  "# Disk DescriptorFile\nversion=1\nCID=00000001\n"                           \
  "parentCID=ffffffff\n"

static void
test_cowd_refusals (void **state)
{
  struct vb probe = vb_cowd ();
  const uint32_t sectors = (uint32_t) (probe.len / 512);
  const struct damage damage[] = {
    { 0, 4, 0, FORMAT, "magic 0x00000000" },
    { VMDK_COWD_VERSION, 4, 2, FORMAT, "COWD header: version 2" },
    { VMDK_COWD_FLAGS, 4, 1, FORMAT, "COWD header: flags 0x1" },
    { VMDK_COWD_CAPACITY, 4, 0, FORMAT, "COWD header: capacity 0" },
    { VMDK_COWD_GRAIN_SIZE, 4, 0, FORMAT, "grain of 0 sectors" },
    { VMDK_COWD_GRAIN_SIZE, 4, 2049, FORMAT, "grain of 2049 sectors" },
    { VMDK_COWD_GRAIN_SIZE, 4, UINT32_MAX, FORMAT, "sectors, expected 1" },
    { VMDK_COWD_GD_ENTRIES, 4, 1, FORMAT, "1 entries, expected 2" },
    { VMDK_COWD_GD_ENTRIES, 4, 3, FORMAT, "3 entries, expected 2" },
    { VMDK_COWD_GD_OFFSET, 4, 3, FORMAT, "grain directory at sector 3" },
    { VMDK_COWD_GD_OFFSET, 4, UINT32_MAX, FORMAT, "grain directory at" },
    { VMDK_COWD_FREE_SECTOR, 4, sectors + 1, FORMAT, "truncated" },
    { VMDK_COWD_FREE_SECTOR, 4, 0, 0, NULL },
    { VB_COWD_GT (0) + 4, 4, 1, FORMAT, "inside the metadata" },
    { VB_COWD_GT (0) + 4, 4, sectors, FORMAT, "past the end" },
    { VB_COWD_GD, 4, sectors, FORMAT, "grain directory: entry 0" },
    { 1024, 0, 0, FORMAT, "the file has 1024 bytes" },
  };
  char text[256];

  (void) state;
  snprintf (text, sizeof text, HEAD "RW %zu VMFSSPARSE \"x\"\n",
            probe.ref_len / 512);
  vb_free (&probe);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i)
    expect_damage (vb_cowd (), text, &damage[i]);
}

static void
test_sesparse_refusals (void **state)
{
  static const struct damage damage[] = {
    { 8, 8, 0x0000000200000002, FORMAT, "version is 0x200000002" },
    { 16, 8, 0, FORMAT, "capacity of 0 sectors" },
    { 16, 8, (UINT64_C (64) << 31) + 1, FORMAT, "capacity of" },
    { 24, 8, 16, FORMAT, "grain size is 0x10" },
    { 32, 8, 128, FORMAT, "grain table size is 0x80" },
    { 40, 8, 1, FORMAT, "flags is 0x1" },
    { 48, 8, 1, FORMAT, "reserved field is 0x1" },
    { 72, 8, 1, FORMAT, "reserved field is 0x1" },
    { 511, 1, 1, FORMAT, "padding is not zero" },
    { 208, 1, 1, FORMAT, "padding is not zero" },
    { 80, 8, 0, FORMAT, "volatile header at sector 0" },
    { 80, 8, UINT64_MAX, FORMAT, "volatile header at" },
    { 128, 8, 1 << 20, FORMAT, "grain directory at sector" },
    { 136, 8, 0, FORMAT, "grain directory of 0 sectors" },
    { 144, 8, 1 << 20, FORMAT, "grain tables at sector" },
    { 192, 8, 1 << 20, FORMAT, "grains at sector" },
    { VB_SE_VOLATILE, 8, 0xcafebabe, FORMAT, "volatile header: magic" },
    { VB_SE_VOLATILE + 24, 8, 1, UNSUPPORTED, "journal must be replayed" },
    { VB_SE_VOLATILE + 40, 8, 1, FORMAT, "padding is not zero" },
    { VB_SE_GD, 8, 1, FORMAT, "grain directory: entry 0 is 0x1" },
    { VB_SE_GD, 8, UINT64_C (0x2000000000000000), FORMAT, "entry 0 is" },
    { VB_SE_GD, 8, UINT64_C (0x1000000000000009), FORMAT,
      "expected a table inside" },
    { VB_SE_GD, 8, UINT64_C (0x10000000ffffffff), FORMAT, "entry 0 is" },
    { VB_SE_GT, 8, 1, FORMAT, "which means nothing" },
    { VB_SE_GT, 8, UINT64_C (4) << 60, FORMAT, "which means nothing" },
    { VB_SE_GT, 8, UINT64_MAX, FORMAT, "which means nothing" },
    { VB_SE_GT, 8, UINT64_C (3) << 60 | UINT64_C (4) << 48, FORMAT,
      "past the end" },
    { VB_SE_GT, 8, UINT64_C (3) << 60 | UINT64_C (1) << 35, FORMAT,
      "past the end" },
    { VB_SE_GT + 32768 + 32, 8, UINT64_C (3) << 60, FORMAT,
      "belongs to another grain" },
    { 300, 0, 0, FORMAT, "the file has 300 bytes" },
  };
  struct vb probe = vb_sesparse ();
  char text[256];

  (void) state;
  snprintf (text, sizeof text, HEAD "RW %zu SESPARSE \"x\"\n",
            probe.ref_len / 512);
  vb_free (&probe);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (damage); ++i)
    expect_damage (vb_sesparse (), text, &damage[i]);
}

/* ---- descriptors ---- */

struct text_case {
  const char *text;
  enum v2v_error_code code; /* 0 = good */
  const char *message;
};

#define FLAT4 "RW 4 FLAT \"f\" 0\n"
static const struct text_case text_cases[] = {
  { HEAD FLAT4, 0, NULL },
  /* CRLF, blanks, case, no quotes, a byte order mark */
  { "\xef\xbb\xbf# x\r\nVERSION = 1\r\ncid=1\r\nParentCid = FFFFFFFF\r\n"
    "\r\n rw\t4  flat f\r\n",
    0, NULL },
  { HEAD "RW 2 FLAT \"f\" 2\n", 0, NULL },
  { HEAD "RW 3 FLAT \"f\" 2\n", FORMAT, "is truncated" },
  { HEAD "RW 5 FLAT \"f\" 0\n", FORMAT, "is truncated" },
  { HEAD "RW 4 FLAT \"f\" 18446744073709551615\n", FORMAT, "is truncated" },
  { HEAD "RW 4 FLAT \"f\" 18446744073709551616\n", FORMAT, "offset '184" },
  { HEAD "RW 4 FLAT \"f\" -1\n", FORMAT, "offset '-1'" },
  { HEAD "RW -4 FLAT \"f\" 0\n", FORMAT, "extent of '-4' sectors" },
  { HEAD "RW 0 FLAT \"f\" 0\n", FORMAT, "extent of 0 sectors" },
  { HEAD "RW 0x4 FLAT \"f\" 0\n", FORMAT, "extent of '0x4' sectors" },
  { HEAD "RW 99999999999999999999 FLAT \"f\"\n", FORMAT, "extent of '999" },
  { HEAD "RW 137438953472 ZERO\n", 0, NULL }, /* 64 TiB */
  { HEAD "RW 137438953473 ZERO\n", FORMAT, "extent of '137438953473'" },
  { HEAD "RW 137438953472 ZERO\nRW 1 ZERO\n", FORMAT, "more than" },
  { HEAD "RW 4 FLOT \"f\" 0\n", UNSUPPORTED, "extent type 'FLOT'" },
  { HEAD "RW 4 FLAT\n", FORMAT, "without a file name" },
  { HEAD "RW 4 FLAT \"f 0\n", FORMAT, "quote is not closed" },
  { HEAD "RW 4 SPARSE \"f\" 1\n", FORMAT, "at offset 1" },
  { HEAD, FORMAT, "no extent line" },
  { HEAD "RW 1 FLAT \"a.vmdk\" 0\n", FORMAT, "truncated" },
  { HEAD "RW 4 FLAT \"gone\" 0\n", V2V_ERR_IO, "extent 'gone'" },
  /* names */
  { HEAD "RW 4 FLAT \"/etc/shadow\" 0\n", FORMAT, "has a path" },
  { HEAD "RW 4 FLAT \"../f\" 0\n", FORMAT, "has a path" },
  { HEAD "RW 4 FLAT \"..\" 0\n", FORMAT, "is a folder" },
  { HEAD "RW 4 FLAT \"C:\\f\" 0\n", FORMAT, "has a path" },
  { HEAD "RW 4 FLAT \"\" 0\n", FORMAT, "is empty" },
  { HEAD "RW 4 FLAT \"nbd:unix:x\" 0\n", V2V_ERR_IO, "nbd:unix:x" },
  { HEAD "RW 4 VMFS \"vsan://52-1\"\n", UNSUPPORTED, "vsan object" },
  /* keys */
  { "version=4\n" FLAT4, UNSUPPORTED, "version 4" },
  { "version=0\n" FLAT4, UNSUPPORTED, "version 0" },
  { "version=x\n" FLAT4, FORMAT, "version is 'x'" },
  { "version=3\n" FLAT4, 0, NULL },
  { HEAD "CID=00000002\n" FLAT4, FORMAT, "a second CID 00000002" },
  { HEAD "CID=1\n" FLAT4, 0, NULL }, /* the same */
  { "version=1\nCID=123456789\n" FLAT4, FORMAT, "up to 8 hexadecimal" },
  { "version=1\nCID=\n" FLAT4, FORMAT, "up to 8 hexadecimal" },
  { "version=1\nparentCID=fffffffg\n" FLAT4, FORMAT, "parentCID is" },
  { HEAD "createType=\"vmfs\"\ncreateType=\"custom\"\n" FLAT4, FORMAT,
    "a second createType" },
  { HEAD "createType=\"vmfs\n" FLAT4, FORMAT, "quote is not closed" },
  { HEAD FLAT4 "ddb.logicalSectorSize = \"4096\"\n", FORMAT,
    "not a multiple of its sector" },
  { HEAD "RW 8 ZERO\nddb.logicalSectorSize = \"4096\"\n", 0, NULL },
  { HEAD FLAT4 "ddb.logicalSectorSize = \"1024\"\n", UNSUPPORTED,
    "logicalSectorSize is '1024'" },
  { HEAD "encoding=\"GBK//TRANSLIT\"\n" FLAT4, FORMAT, "character set" },
  { HEAD "what is this\n" FLAT4, 0, NULL },
  /* what is no image */
  { HEAD "keyID=\"x\"\n" FLAT4, UNSUPPORTED, "encrypted" },
  { HEAD "encryptionKeys=\"vmware:key/list/x\"\n" FLAT4, UNSUPPORTED,
    "encrypted" },
  { HEAD FLAT4 "ddb.iofilters = \"vmwarevmcrypt\"\n", UNSUPPORTED,
    "encrypted" },
  { HEAD FLAT4 "ddb.iofilters = \"vmwarelwd,vmwarevmcrypt\"\n", UNSUPPORTED,
    "encrypted" },
  { HEAD FLAT4 "ddb.iofilters = \"vmwarelwd\"\n", 0, NULL },
  { HEAD FLAT4 "ddb.iofilters = \"somecache\"\n", UNSUPPORTED,
    "I/O filter 'somecache'" },
  { HEAD "isNativeSnapshot=\"no\"\n" FLAT4, 0, NULL },
  { HEAD "isNativeSnapshot=\"yes\"\n" FLAT4, UNSUPPORTED, "native snapshot" },
  { HEAD "createType=\"fullDevice\"\n" FLAT4, UNSUPPORTED, "physical device" },
  { HEAD "createType=\"partitionedDevice\"\n" FLAT4, UNSUPPORTED,
    "physical device" },
  { HEAD "createType=\"vmfsRDM\"\n" FLAT4, UNSUPPORTED, "raw device mapping" },
  { HEAD "createType=\"vmfsRawDeviceMap\"\n" FLAT4, UNSUPPORTED,
    "raw device mapping" },
  { HEAD "createType=\"vmfsPassthroughRawDeviceMap\"\n" FLAT4, UNSUPPORTED,
    "raw device mapping" },
  { HEAD "createType=\"vmfsRaw\"\n" FLAT4, UNSUPPORTED, "ESXi host" },
  { HEAD "RW 4 VMFSRDM \"f\"\n", UNSUPPORTED, "raw device mapping" },
  { HEAD "RW 4 VMFSRAW \"f\"\n", UNSUPPORTED, "ESXi host" },
  /* createTypes that need nothing but their lines */
  { HEAD "createType=\"2GbMaxExtentFlat\"\n" FLAT4, 0, NULL },
  { HEAD "createType=\"vmfsThin\"\n" FLAT4, 0, NULL },
  { HEAD "createType=\"vmfsEagerZeroedThick\"\n" FLAT4, 0, NULL },
  { "nothing", FORMAT, "not a VMDK" },
};

static void
test_descriptor_grammar_and_refusals (void **state)
{
  static const uint8_t flat[4 * 512];

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (text_cases); ++i) {
    const struct text_case *c = &text_cases[i];
    const struct vb_file files[] = { { "a.vmdk", c->text, strlen (c->text) },
                                     { "f", flat, sizeof flat } };
    struct v2v_io *io = vb_folder (files, 2);

    if (c->code == 0)
      expect_good (io);
    else
      vb_expect_refused (io, c->code, c->message);
    v2v_io_unref (io);
  }
}

static void
test_strict_refuses_what_it_does_not_know (void **state)
{
  static const char *const bad[] = {
    HEAD "what is this\n" FLAT4,
    HEAD "whatIsThis=1\n" FLAT4,
    "CID=1\nRW 4 ZERO\nversion=1 # x\n",
    HEAD "createType=\"custom\" x\n" FLAT4,
  };
  static const uint8_t flat[4 * 512];
  const struct v2v_open_opts opts = { .format = "vmdk", .strict = true };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    const struct vb_file files[] = { { "a.vmdk", bad[i], strlen (bad[i]) },
                                     { "f", flat, sizeof flat } };
    struct v2v_io *io = vb_folder (files, 2);
    struct v2v_error *err = NULL;

    assert_null (v2v_image_open_io (io, &opts, &err));
    assert_error (&err, V2V_ERR_FORMAT, "");
    v2v_io_unref (io);
  }
}

static void
test_descriptor_of_a_mebibyte_is_refused (void **state)
{
  CLEANUP_FREE char *text = malloc (1024 * 1024 + 1);
  struct vb_file files[] = { { "a.vmdk", text, 0 } };

  (void) state;
  memset (text, '#', 1024 * 1024);
  memcpy (text, HEAD "RW 4 ZERO\n", strlen (HEAD "RW 4 ZERO\n"));
  for (size_t len = 1024 * 1024 - 1; len <= 1024 * 1024; ++len) {
    struct v2v_io *io;

    files[0].len = len;
    io = vb_folder (files, 1);
    if (len < 1024 * 1024)
      expect_good (io);
    else
      vb_expect_refused (io, FORMAT, "at most 1048575");
    v2v_io_unref (io);
  }
}

static void
test_names_are_converted_or_taken_byte_by_byte (void **state)
{
  /* U+78C1 U+76D8 in GBK is B4 C5 C5 CC; 0x5C as a second byte: U+8C5B. */
  static const char text[] =
      "version=1\nencoding=\"GBK\"\nCID=1\nRW 4 FLAT \"\xb4\xc5\xc5\xcc\" 0\n"
      "RW 4 FLAT \"\xd8\x5c\" 0\n";
  static uint8_t one[4 * 512], two[4 * 512], ref[8 * 512];
  const struct vb_file files[] = {
    { "a.vmdk", text, sizeof text - 1 },
    { "\xe7\xa3\x81\xe7\x9b\x98", one, sizeof one },
    { "\xe8\xb1\x9b", two, sizeof two },
  };
  struct v2v_error *err = NULL;
  struct v2v_io *io;
  struct v2v_image *img;

  (void) state;
  test_random (one, sizeof one, 1);
  test_random (two, sizeof two, 2);
  memcpy (ref, one, sizeof one);
  memcpy (ref + sizeof one, two, sizeof two);
  io = vb_folder (files, 3);
  img = v2v_image_open_io (io, NULL, &err);
  assert_ptr (img, err);
  vb_expect (img, ref, sizeof ref);
  v2v_image_close (img);
  v2v_io_unref (io);
}

static void
test_same_file_under_two_names_is_refused (void **state)
{
  char *dir = test_tmpdir ();
  CLEANUP_FREE char *d = NULL, *f = NULL, *g = NULL;
  const char *text = HEAD "RW 4 FLAT \"f\" 0\nRW 4 FLAT \"g\" 0\n";
  struct v2v_error *err = NULL;
  FILE *fp;

  (void) state;
  assert_true (asprintf (&d, "%s/d.vmdk", dir) > 0);
  assert_true (asprintf (&f, "%s/f", dir) > 0);
  assert_true (asprintf (&g, "%s/g", dir) > 0);
  fp = fopen (d, "w");
  assert_non_null (fp);
  fputs (text, fp);
  fclose (fp);
  fp = fopen (f, "w");
  assert_non_null (fp);
  fprintf (fp, "%2048s", "x");
  fclose (fp);
  assert_int_equal (link (f, g), 0);
  assert_null (v2v_image_open (d, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, "is named twice");
  fp = fopen (d, "w");
  assert_non_null (fp);
  fputs (HEAD FLAT4 FLAT4, fp);
  fclose (fp);
  assert_null (v2v_image_open (d, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, "is named twice");
  fp = fopen (d, "w");
  assert_non_null (fp);
  fprintf (fp, "%s%2048s", HEAD "RW 4 FLAT \"d.vmdk\" 0\n", "");
  fclose (fp);
  assert_null (v2v_image_open (d, NULL, &err));
  assert_error (&err, V2V_ERR_FORMAT, "is named twice");
  fp = fopen (d, "w");
  assert_non_null (fp);
  fputs (text, fp);
  fclose (fp);
  /* A link is not followed. */
  assert_int_equal (unlink (g), 0);
  assert_int_equal (symlink ("f", g), 0);
  assert_null (v2v_image_open (d, NULL, &err));
  assert_error (&err, V2V_ERR_UNSUPPORTED, "symbolic link");
  test_tmpdir_remove (dir);
}

static void
test_embedded_descriptor_cannot_name_another_file (void **state)
{
  static const char *const bad[] = {
    HEAD "RW 2068 FLAT \"/etc/passwd\" 0\n",
    HEAD "RW 2068 SPARSE \"a\"\nRW 1 ZERO\n",
    HEAD "RW 2068 ZERO\n",
    HEAD "RW 2068 SPARSE \"a\" 4\n",
  };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct vb b = vb_sparse (0);
    struct v2v_io *io;

    vb_descriptor (&b, bad[i]);
    io = vb_io (&b, "a.vmdk");
    vb_expect_refused (io, FORMAT, "embedded descriptor: ");
    v2v_io_unref (io);
    vb_free (&b);
  }
}

static void
test_strict_wants_a_plain_name_at_sector_one (void **state)
{
  static const char *const bad[] = {
    HEAD "NOACCESS 2068 SPARSE\n",
    HEAD "RW 2068 SPARSE \"x/a\"\n",
    HEAD "RW 2068 SPARSE \"x\\a\"\n",
  };
  const struct v2v_open_opts opts = { .format = "vmdk", .strict = true };

  (void) state;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (bad); ++i) {
    struct vb b = vb_sparse (0);
    struct v2v_error *err = NULL;
    struct v2v_io *io;

    vb_descriptor (&b, bad[i]);
    io = vb_io (&b, "a.vmdk");
    expect_good (io);
    assert_null (v2v_image_open_io (io, &opts, &err));
    assert_error (&err, FORMAT, "expected sector 1 and a plain name");
    v2v_io_unref (io);
    vb_free (&b);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_hosted_sparse_refusals),
    cmocka_unit_test (test_table_refusals),
    cmocka_unit_test (test_stream_refusals),
    cmocka_unit_test (test_footer_refusals),
    cmocka_unit_test (test_cowd_refusals),
    cmocka_unit_test (test_sesparse_refusals),
    cmocka_unit_test (test_descriptor_grammar_and_refusals),
    cmocka_unit_test (test_strict_refuses_what_it_does_not_know),
    cmocka_unit_test (test_descriptor_of_a_mebibyte_is_refused),
    cmocka_unit_test (test_names_are_converted_or_taken_byte_by_byte),
    cmocka_unit_test (test_same_file_under_two_names_is_refused),
    cmocka_unit_test (test_strict_wants_a_plain_name_at_sector_one),
    cmocka_unit_test (test_embedded_descriptor_cannot_name_another_file),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
