/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a registry hive, and its transaction logs replayed in memory.
 */
#ifndef V2V_HIVE_LOG_H
#define V2V_HIVE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"

/* Windows refuses hives over 2 GiB; a SOFTWARE hive above a quarter of this
 * is a fault in the guest.  A log is never larger than what it is about, plus
 * its own tables. */
#define HIVE_MAX_BYTES (UINT64_C (512) << 20)
/* The base block, "regf"; behind it are the hive bins. */
#define HIVE_BASE_BYTES 4096u
#define HIVE_BIN_ALIGN  4096u

/* What matters of a base block. */
struct hive_base {
  uint32_t primary_seq, secondary_seq;
  uint64_t timestamp;
  uint32_t type; /* 0 = a hive, 1 and 2 = a log, 6 = a log since 8.1 */
  uint32_t root_offset;
  uint32_t bins_bytes; /* of all hive bins */
  uint32_t cluster;    /* sectors of 512 bytes in a sector */
  bool checksum_ok;
};

/* LEN bytes (512 suffice) as a base block; false when they are none. */
bool hive_base_parse (const void *data, size_t len, struct hive_base *ret);
/* XOR of the first 508 bytes, neither 0 nor ~0. */
uint32_t hive_base_checksum (const void *data);
/* Must its logs be replayed before anything in it counts? */
bool hive_base_is_dirty (const struct hive_base *b);

/* Is DATA (LEN bytes, all of it) a clean hive whose bins follow each other to
 * the end?  NAME is for messages.  V2V_ERR_GUEST: it is dirty or damaged. */
int hive_check_whole (const void *data, size_t len, const char *name,
                      struct v2v_error **err);

struct hive_log_file {
  const char *name; /* "SYSTEM.LOG1" */
  const uint8_t *data;
  size_t len;
};
struct hive_replay_result {
  unsigned nr_entries;    /* of the new format; 0 = the old format */
  unsigned nr_pages;      /* written */
  const char *first_log;  /* NAME of the log used first */
  const char *second_log; /* or NULL */
};
/* Replay LOGS[0..nr-1] (LOG1, LOG2, LOG in this order, those that are there)
 * into the dirty hive *DATA of *LEN bytes, a malloc'd buffer that may be
 * moved; it is clean afterwards, as Windows would have made it at the start.
 * V2V_ERR_GUEST when the logs do not lead to a consistent hive; *DATA is then
 * of no use. */
int hive_replay (uint8_t **data, size_t *len, const char *name,
                 const struct hive_log_file *logs, size_t nr_logs,
                 struct hive_replay_result *ret, struct v2v_error **err);

/* The hash of log entries: Marvin32 with the registry's seed. */
uint64_t hive_marvin32 (const void *data, size_t len);

#endif /* V2V_HIVE_LOG_H */
