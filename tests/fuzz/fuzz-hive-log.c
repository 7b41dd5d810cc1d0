/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dirty hive and its logs.  The input is two lengths of 16 bits, then the
 * hive, LOG1 and LOG2; hashes and checksums are made right first, or nothing
 * would get past them. */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"
#include "inject/hive-log.h"

static void
fix_base (uint8_t *data, size_t len)
{
  if (len < 512)
    return;
  memcpy (data, "regf", 4);
  v2v_put_le32 (data + 508, hive_base_checksum (data));
}

static void
fix_entries (uint8_t *data, size_t len)
{
  fix_base (data, len);
  for (size_t pos = 512; pos + 40 <= len && !memcmp (data + pos, "HvLE", 4);) {
    uint8_t *e = data + pos;
    const uint32_t bytes = v2v_le32 (e + 4);

    if (bytes < 40 || bytes > len - pos)
      return;
    v2v_put_le64 (e + 24, hive_marvin32 (e + 40, bytes - 40));
    v2v_put_le64 (e + 32, hive_marvin32 (e, 32));
    pos += bytes;
  }
}

static void
replay (uint8_t *copy, size_t hive_len, size_t log_len, size_t size)
{
  const struct hive_log_file logs[2] = {
    { .name = "LOG1", .data = copy + hive_len, .len = log_len },
    { .name = "LOG2",
      .data = copy + hive_len + log_len,
      .len = size - hive_len - log_len },
  };
  struct hive_replay_result result;
  struct v2v_error *err = NULL;
  uint8_t *hive = malloc (hive_len + 1);
  size_t len = hive_len;

  if (hive == NULL)
    return;
  memcpy (hive, copy, hive_len);
  if (hive_replay (&hive, &len, "fuzz", logs, 2, &result, &err) == 0 &&
      hive_check_whole (hive, len, "fuzz", NULL) == -1)
    abort ();
  v2v_error_free (err);
  free (hive);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  size_t hive_len, log_len;
  uint8_t *copy;

  if (size < 4)
    return 0;
  hive_len = v2v_le16 (data);
  log_len = v2v_le16 (data + 2);
  data += 4;
  size -= 4;
  if (hive_len > size || log_len > size - hive_len)
    return 0;
  copy = malloc (size + 1);
  if (copy == NULL)
    return 0;
  memcpy (copy, data, size);
  replay (copy, hive_len, log_len, size);
  fix_entries (copy + hive_len, log_len);
  fix_entries (copy + hive_len + log_len, size - hive_len - log_len);
  replay (copy, hive_len, log_len, size);
  fix_base (copy, hive_len);
  replay (copy, hive_len, log_len, size);
  free (copy);
  return 0;
}
