/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives of a Windows guest, edited on the host by libhivex, the only
 * place that touches it.
 *
 * A hive is downloaded, its sequence numbers are checked, its logs are
 * replayed where it is dirty; changes are made in memory and written back by
 * v2v_hive_commit, which opens the written hive again and reads every changed
 * value back.  Keys are paths below the root of the hive with backslashes:
 * "ControlSet001\\Services\\vmbus"; "" is the root.  Names compare without
 * regard to case.  Strings are UTF-8 here and UTF-16LE in the hive.  A change
 * that changes nothing is none, and is not in the journal.
 */
#ifndef V2V_HIVE_H
#define V2V_HIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "inject/guest.h"

enum v2v_hive_type {
  V2V_REG_NONE = 0,
  V2V_REG_SZ = 1,
  V2V_REG_EXPAND_SZ = 2,
  V2V_REG_BINARY = 3,
  V2V_REG_DWORD = 4,
  V2V_REG_DWORD_BE = 5,
  V2V_REG_MULTI_SZ = 7,
  V2V_REG_QWORD = 11,
};

struct v2v_hive;

/* A file of the host; NAME ("SYSTEM") is for messages and the journal.  J may
 * be NULL.  Dirty hives are V2V_ERR_GUEST here. */
struct v2v_hive *v2v_hive_open (const char *host_file, const char *name,
                                bool writable, struct v2v_journal *j,
                                struct v2v_error **err);
/* The hive at PATH in the guest, with its logs (PATH.LOG, .LOG1, .LOG2)
 * replayed when it is dirty (then there is a finding). */
struct v2v_hive *v2v_hive_open_guest (struct v2v_guest *g, const char *path,
                                      const char *name, bool writable,
                                      struct v2v_error **err);
/* Discards what was not committed.  Accepts NULL. */
void v2v_hive_close (struct v2v_hive *h);
/* Write what changed to where the hive came from, and verify it. 1 = written,
 * 0 = nothing had changed. */
int v2v_hive_commit (struct v2v_hive *h, struct v2v_error **err);
bool v2v_hive_changed (const struct v2v_hive *h);

/* 1 = there, 0 = not there. */
int v2v_hive_has_key (struct v2v_hive *h, const char *key,
                      struct v2v_error **err);
/* Names of the subkeys, in the hive's order; empty if KEY is not there; free
 * with v2v_guest_free_list. */
char **v2v_hive_subkeys (struct v2v_hive *h, const char *key,
                         struct v2v_error **err);
/* Names of the values ("" = default). */
char **v2v_hive_value_names (struct v2v_hive *h, const char *key,
                             struct v2v_error **err);
/* 1 = there: *RET_DATA (a NUL pair follows it; the caller frees). */
int v2v_hive_get (struct v2v_hive *h, const char *key, const char *name,
                  uint32_t *ret_type, void **ret_data, size_t *ret_len,
                  struct v2v_error **err);
/* A number however it is stored: DWORD, DWORD_BE, QWORD, 4 or 8 bytes of
 * BINARY.  1 = there, 0 = not there or no number. */
int v2v_hive_get_dword (struct v2v_hive *h, const char *key, const char *name,
                        uint32_t *ret, struct v2v_error **err);
/* SZ or EXPAND_SZ (also mis-typed as BINARY) to UTF-8, up to the first NUL;
 * NULL with ERR unset if not there. */
char *v2v_hive_get_string (struct v2v_hive *h, const char *key,
                           const char *name, struct v2v_error **err);
/* MULTI_SZ (an SZ is a list of one; empty strings are left out); an empty list
 * when not there. */
char **v2v_hive_get_multi (struct v2v_hive *h, const char *key,
                           const char *name, struct v2v_error **err);

/* Setting makes missing keys.  1 = changed, 0 = was so. */
int v2v_hive_add_key (struct v2v_hive *h, const char *key, const char *why,
                      struct v2v_error **err);
int v2v_hive_set (struct v2v_hive *h, const char *key, const char *name,
                  uint32_t type, const void *data, size_t len, const char *why,
                  struct v2v_error **err);
/* A value that is there and has this number, in whatever type, stays. */
int v2v_hive_set_dword (struct v2v_hive *h, const char *key, const char *name,
                        uint32_t value, const char *why,
                        struct v2v_error **err);
int v2v_hive_set_string (struct v2v_hive *h, const char *key, const char *name,
                         uint32_t type, const char *value, const char *why,
                         struct v2v_error **err);
int v2v_hive_set_multi (struct v2v_hive *h, const char *key, const char *name,
                        const char *const *values, const char *why,
                        struct v2v_error **err);
/* 1 = deleted, 0 = was not there. */
int v2v_hive_delete_value (struct v2v_hive *h, const char *key,
                           const char *name, const char *why,
                           struct v2v_error **err);
int v2v_hive_delete_key (struct v2v_hive *h, const char *key, const char *why,
                         struct v2v_error **err);

/* Was the number changed since the hive was opened, and from what?  1 = yes:
 * *RET_WAS_THERE and *RET are set; 0 = no (or it was no number). */
int v2v_hive_original_dword (const struct v2v_hive *h, const char *key,
                             const char *name, bool *ret_was_there,
                             uint32_t *ret);

#endif /* V2V_HIVE_H */
