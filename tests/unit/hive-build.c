/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hives made by tests.
 *
 * Source of the layout: "Windows registry file format specification"
 * (github.com/msuhanov/regf), "Base block", "Hive bin", "Key node", "Key
 * security".
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "hive-build.h"
#include "inject/hive-log.h"
#include "test-util.h"

/* A cell at OFFSET of the bin, LEN bytes with its size field; returns where
 * its contents begin. */
static uint8_t *
put_cell (uint8_t *bin, uint32_t offset, uint32_t len, bool used)
{
  v2v_put_le32 (bin + offset, used ? (uint32_t) - (int32_t) len : len);
  return bin + offset + 4;
}

static void
put_security (uint8_t *cell, uint32_t self)
{
  /* Self-relative, no owner, group or lists: "revision 1". */
  static const uint8_t descriptor[20] = { 1, 0, 0x00, 0x80 };

  memcpy (cell, "sk", 2);
  v2v_put_le32 (cell + 4, self); /* a list of one */
  v2v_put_le32 (cell + 8, self);
  v2v_put_le32 (cell + 12, 1);
  v2v_put_le32 (cell + 16, sizeof descriptor);
  memcpy (cell + 20, descriptor, sizeof descriptor);
}

static void
put_root (uint8_t *cell, uint32_t security)
{
  static const char name[] = "ROOT";

  memcpy (cell, "nk", 2);
  v2v_put_le16 (cell + 2, 0x2c); /* root, not to be deleted, ASCII name */
  v2v_put_le32 (cell + 16, UINT32_MAX);
  for (unsigned i = 28; i <= 48; i += 4)
    v2v_put_le32 (cell + i, i == 36 ? 0 : UINT32_MAX);
  v2v_put_le32 (cell + 44, security);
  v2v_put_le16 (cell + 72, sizeof name - 1);
  memcpy (cell + 76, name, sizeof name - 1);
}

void
hive_build_empty (const char *file)
{
  uint8_t *hive = calloc (1, 2 * HIVE_BASE_BYTES);
  uint8_t *bin = hive + HIVE_BASE_BYTES;
  const uint32_t root = 0x20, root_bytes = 88, security = root + root_bytes;
  const uint32_t security_bytes = 48, rest = security + security_bytes;

  assert_non_null (hive);
  memcpy (hive, "regf", 4);
  v2v_put_le32 (hive + 4, 7);
  v2v_put_le32 (hive + 8, 7);
  v2v_put_le64 (hive + 12, UINT64_C (0x01d295050000abcd));
  v2v_put_le32 (hive + 20, 1);
  v2v_put_le32 (hive + 24, 5);
  v2v_put_le32 (hive + 32, 1);
  v2v_put_le32 (hive + 36, root);
  v2v_put_le32 (hive + 40, HIVE_BIN_ALIGN);
  v2v_put_le32 (hive + 44, 1);
  v2v_put_le32 (hive + 508, hive_base_checksum (hive));
  memcpy (bin, "hbin", 4);
  v2v_put_le32 (bin + 8, HIVE_BIN_ALIGN);
  v2v_put_le64 (bin + 20, UINT64_C (0x01d295050000abcd));
  put_root (put_cell (bin, root, root_bytes, true), security);
  put_security (put_cell (bin, security, security_bytes, true), security);
  put_cell (bin, rest, HIVE_BIN_ALIGN - rest, false);
  test_write_file (file, hive, 2 * HIVE_BASE_BYTES);
  free (hive);
}

struct v2v_hive *
hive_build_open (const char *file)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h = v2v_hive_open (file, "BUILD", true, NULL, &err);

  assert_ptr (h, err);
  return h;
}

void
hive_build_done (struct v2v_hive *h)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_hive_commit (h, &err) == -1, err);
  v2v_hive_close (h);
}

void
hive_build_dword (struct v2v_hive *h, const char *key, const char *name,
                  uint32_t value)
{
  uint8_t raw[4];
  struct v2v_error *err = NULL;

  v2v_put_le32 (raw, value);
  assert_ok (v2v_hive_set (h, key, name, V2V_REG_DWORD, raw, 4, "test", &err) ==
                 -1,
             err);
}

void
hive_build_string (struct v2v_hive *h, const char *key, const char *name,
                   const char *value)
{
  struct v2v_error *err = NULL;

  assert_ok (
      v2v_hive_set_string (h, key, name, V2V_REG_SZ, value, "test", &err) == -1,
      err);
}

void
hive_build_expand (struct v2v_hive *h, const char *key, const char *name,
                   const char *value)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_hive_set_string (h, key, name, V2V_REG_EXPAND_SZ, value,
                                  "test", &err) == -1,
             err);
}

void
hive_build_multi (struct v2v_hive *h, const char *key, const char *name,
                  const char *const *values)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_hive_set_multi (h, key, name, values, "test", &err) == -1,
             err);
}

void
hive_build_binary (struct v2v_hive *h, const char *key, const char *name,
                   const void *data, size_t len)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_hive_set (h, key, name, V2V_REG_BINARY, data, len, "test",
                           &err) == -1,
             err);
}

void
hive_build_key (struct v2v_hive *h, const char *key)
{
  struct v2v_error *err = NULL;

  assert_ok (v2v_hive_add_key (h, key, "test", &err) == -1, err);
}

/* ---- looking ---- */

static struct v2v_hive *
open_to_read (const char *file)
{
  struct v2v_error *err = NULL;
  struct v2v_hive *h = v2v_hive_open (file, "RESULT", false, NULL, &err);

  assert_ptr (h, err);
  return h;
}

uint32_t
hive_read_dword (const char *file, const char *key, const char *name)
{
  struct v2v_hive *h = open_to_read (file);
  struct v2v_error *err = NULL;
  uint32_t v = 0;
  const int r = v2v_hive_get_dword (h, key, name, &v, &err);

  assert_ok (r == -1, err);
  if (r != 1)
    fail_msg ("%s: %s is no number", key, name);
  v2v_hive_close (h);
  return v;
}

char *
hive_read_string (const char *file, const char *key, const char *name)
{
  struct v2v_hive *h = open_to_read (file);
  struct v2v_error *err = NULL;
  char *s = v2v_hive_get_string (h, key, name, &err);

  assert_ok (err != NULL, err);
  v2v_hive_close (h);
  return s;
}

bool
hive_has_value (const char *file, const char *key, const char *name)
{
  struct v2v_hive *h = open_to_read (file);
  struct v2v_error *err = NULL;
  void *data = NULL;
  uint32_t type;
  size_t len;
  const int r = v2v_hive_get (h, key, name, &type, &data, &len, &err);

  assert_ok (r == -1, err);
  free (data);
  v2v_hive_close (h);
  return r == 1;
}

bool
hive_has_key (const char *file, const char *key)
{
  struct v2v_hive *h = open_to_read (file);
  struct v2v_error *err = NULL;
  const int r = v2v_hive_has_key (h, key, &err);

  assert_ok (r == -1, err);
  v2v_hive_close (h);
  return r == 1;
}

void
hive_build_make_dirty (const char *file)
{
  size_t len;
  uint8_t *data = test_read_file (file, &len);

  v2v_put_le32 (data + 4, v2v_le32 (data + 4) + 1);
  v2v_put_le32 (data + 508, hive_base_checksum (data));
  test_write_file (file, data, len);
  free (data);
}
