/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dirty hive and its logs.  The first byte says which: 0 = a small hive with
 * two logs put together by the rest of the input, so that hashes and checksums
 * are right; else two lengths of 16 bits, then the hive, LOG1 and LOG2 as they
 * are. */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"
#include "inject/hive-log.h"

#define BINS   8192u
#define SECTOR 512u

static void
replay (const uint8_t *data, size_t len, const struct hive_log_file logs[2])
{
  struct hive_replay_result result;
  struct v2v_error *err = NULL;
  uint8_t *hive = malloc (len + 1);

  if (hive == NULL)
    return;
  memcpy (hive, data, len);
  if (hive_replay (&hive, &len, "fuzz", logs, 2, &result, &err) == 0 &&
      hive_check_whole (hive, len, "fuzz", NULL) == -1)
    abort ();
  v2v_error_free (err);
  free (hive);
}

static void
raw (const uint8_t *data, size_t size)
{
  struct hive_log_file logs[2] = { { .name = "LOG1" }, { .name = "LOG2" } };
  size_t hive_len, log_len;

  if (size < 4)
    return;
  hive_len = v2v_le16 (data);
  log_len = v2v_le16 (data + 2);
  data += 4;
  size -= 4;
  if (hive_len > size || log_len > size - hive_len)
    return;
  logs[0].data = data + hive_len;
  logs[0].len = log_len;
  logs[1].data = data + hive_len + log_len;
  logs[1].len = size - hive_len - log_len;
  replay (data, hive_len, logs);
}

/* ---- put together ---- */

struct input {
  const uint8_t *data;
  size_t size;
};

static uint8_t
byte (struct input *in)
{
  if (in->size == 0)
    return 0;
  --in->size;
  return *in->data++;
}

/* Mostly small: what counts are neighbours of bounds. */
static uint32_t
number (struct input *in)
{
  const uint8_t how = byte (in);
  const uint32_t v = byte (in);

  switch (how & 7) {
  case 0:
    return v;
  case 1:
    return v * SECTOR;
  case 2:
    return v * HIVE_BIN_ALIGN;
  case 3:
    return BINS - v;
  case 4:
    return (uint32_t) - (int32_t) v;
  case 5:
    return v << 24;
  default:
    return v * 8;
  }
}

static void
base (struct input *in, uint8_t *p, uint32_t type, uint32_t bins)
{
  const uint8_t damage = byte (in);

  memcpy (p, "regf", 4);
  v2v_put_le32 (p + 4, damage & 1 ? number (in) : 5u + (damage >> 6));
  v2v_put_le32 (p + 8, damage & 2 ? number (in) : 5u + (damage >> 6));
  v2v_put_le64 (p + 12, damage & 4 ? byte (in) : 1000);
  v2v_put_le32 (p + 28, type);
  v2v_put_le32 (p + 40, damage & 8 ? number (in) : bins);
  v2v_put_le32 (p + 44, damage & 16 ? number (in) : 1);
  v2v_put_le32 (p + 508, hive_base_checksum (p) ^ (damage & 32 ? 1 : 0));
}

static size_t
entry (struct input *in, uint8_t *e, size_t room)
{
  const uint32_t pages = byte (in) % 4, damage = byte (in);
  const uint32_t bytes = SECTOR * (1 + byte (in) % 8u);
  uint32_t pos = 40 + 8 * pages;

  if (bytes > room)
    return 0;
  memcpy (e, "HvLE", 4);
  v2v_put_le32 (e + 4, damage & 1 ? number (in) : bytes);
  v2v_put_le32 (e + 8, damage & 2);
  v2v_put_le32 (e + 12, 5u + (damage >> 5));
  v2v_put_le32 (e + 16, damage & 4 ? number (in) : BINS);
  v2v_put_le32 (e + 20, damage & 8 ? number (in) : pages);
  for (uint32_t i = 0; i < pages; ++i) {
    v2v_put_le32 (e + 40 + 8 * i, number (in));
    v2v_put_le32 (e + 44 + 8 * i, number (in));
  }
  for (; pos < bytes; ++pos)
    e[pos] = 'p';
  if (!(damage & 16) && v2v_le32 (e + 4) >= 40 && v2v_le32 (e + 4) <= room) {
    v2v_put_le64 (e + 24, hive_marvin32 (e + 40, v2v_le32 (e + 4) - 40));
    v2v_put_le64 (e + 32, hive_marvin32 (e, 32));
  }
  return bytes;
}

static size_t
log_file (struct input *in, uint8_t *p, size_t room)
{
  const uint32_t type = byte (in) & 1 ? 6 : 1;
  size_t len = SECTOR;

  memset (p, 0, room);
  base (in, p, type, BINS);
  if (type == 1) {
    memcpy (p + SECTOR, "DIRT", 4);
    for (unsigned i = 0; i < BINS / SECTOR / 8 + 2; ++i)
      p[SECTOR + 4 + i] = byte (in);
    return v2v_min_u64 (room, SECTOR * (uint64_t) (1 + byte (in) % 24));
  }
  for (unsigned n = byte (in) % 5; n > 0; --n)
    len += entry (in, p + len, room - len);
  return len - (byte (in) & 1);
}

static void
built (const uint8_t *data, size_t size)
{
  static uint8_t hive[HIVE_BASE_BYTES + BINS], one[16384], two[16384];
  struct input in = { data, size };
  struct hive_log_file logs[2] = { { .name = "LOG1", .data = one },
                                   { .name = "LOG2", .data = two } };

  memset (hive, 0, sizeof hive);
  base (&in, hive, 0, BINS);
  for (uint32_t pos = 0; pos < BINS; pos += HIVE_BIN_ALIGN) {
    memcpy (hive + HIVE_BASE_BYTES + pos, "hbin", 4);
    v2v_put_le32 (hive + HIVE_BASE_BYTES + pos + 4, pos);
    v2v_put_le32 (hive + HIVE_BASE_BYTES + pos + 8, HIVE_BIN_ALIGN);
    v2v_put_le64 (hive + HIVE_BASE_BYTES + pos + 20, 1000);
  }
  logs[0].len = log_file (&in, one, sizeof one);
  logs[1].len = log_file (&in, two, sizeof two);
  replay (hive, sizeof hive, logs);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size > 0 && data[0] == 0)
    built (data + 1, size - 1);
  else if (size > 0)
    raw (data + 1, size - 1);
  return 0;
}
