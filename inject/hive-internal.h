/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between hive.c (open, read), hive-change.c (change in memory), hive-value.c
 * (data and text), hive-commit.c (write, verify, journal) and hive-file.c
 * (where the bytes come from).
 */
#ifndef V2V_HIVE_INTERNAL_H
#define V2V_HIVE_INTERNAL_H

#include "inject/hive.h"

/* Windows: a tree has at most 512 levels; no key that is of interest is deeper
 * than 16. */
#define HIVE_MAX_KEY_PATH 4096u
#define HIVE_MAX_DEPTH    64u
/* Data over this needs "big data" records, which libhivex reads but does not
 * write ([regf] "Big data"). */
#define HIVE_MAX_WRITE 16344u
/* Windows: names of keys have at most 255 characters, of values 16383. */
#define HIVE_MAX_KEY_NAME   255u
#define HIVE_MAX_VALUE_NAME 16383u
/* What is deleted as a whole. */
#define HIVE_MAX_DELETE_KEYS 10000u

enum hive_change_kind { HIVE_VALUE, HIVE_KEY_MADE, HIVE_KEY_DELETED };

struct hive_data {
  bool exists;
  uint32_t type;
  void *data;
  size_t len;
};

/* One value or key that differs from the hive as opened. */
struct hive_change {
  enum hive_change_kind kind;
  char *key, *name; /* NAME of a value, else NULL */
  char *before;     /* as text for the journal, or NULL */
  char *why;
  struct hive_data first, last; /* of values */
  bool superseded;              /* by a deleted or remade key above it */
};

struct v2v_hive {
  void *h;       /* hive_h *: libhivex stays in three files */
  char *name;    /* "SYSTEM" */
  char *file;    /* of the host: what libhivex opened */
  bool own_file; /* temporary: removed on close */
  struct v2v_guest *g;
  char *guest_path;
  struct v2v_journal *journal;
  bool writable;
  bool replayed; /* differs from the guest's before any change of ours */
  bool broken;   /* libhivex stopped in the middle of a change */
  struct hive_change *changes;
  size_t nr_changes, cap_changes;
};

/* hive-value.c */
char *hive_utf16_to_utf8 (const void *data, size_t len);
void *hive_utf8_to_utf16 (const char *text, size_t *ret_len,
                          struct v2v_error **err);
/* As the journal shows it; NULL when out of memory. */
char *hive_describe (uint32_t type, const void *data, size_t len);
/* Empty strings are left out; NULL when out of memory. */
char **hive_decode_multi (uint32_t type, const void *data, size_t len);
bool hive_decode_number (uint32_t type, const void *data, size_t len,
                         uint64_t *ret);

/* hive.c */
/* What libhivex (errno) said about KEY and WHAT in it; returns -1. */
int hive_fail_key (struct v2v_hive *h, const char *key, const char *what,
                   struct v2v_error **err);
/* A change before this one was not finished: nothing follows. Returns -1. */
int hive_fail_broken (const struct v2v_hive *h, struct v2v_error **err);
/* libhivex' handle of KEY, 0 if it is not there. 0 or -1. */
int hive_find_node (struct v2v_hive *h, const char *key, size_t *ret,
                    struct v2v_error **err);
/* The raw value; *RET is zeroed when it is not there. 0 or -1. */
int hive_fetch (struct v2v_hive *h, const char *key, const char *name,
                struct hive_data *ret, struct v2v_error **err);
int hive_key_exists (struct v2v_hive *h, const char *key,
                     struct v2v_error **err);
bool hive_data_equal (const struct hive_data *a, const struct hive_data *b);

/* hive-commit.c: remember a change that was just made in memory. BEFORE and
 * AFTER (of a value) are copied; TEXT describes a deleted key. */
int hive_remember_value (struct v2v_hive *h, const char *key, const char *name,
                         const struct hive_data *before,
                         const struct hive_data *after, const char *why,
                         struct v2v_error **err);
int hive_remember_key (struct v2v_hive *h, enum hive_change_kind kind,
                       const char *key, const char *text, const char *why,
                       struct v2v_error **err);
void hive_forget_changes (struct v2v_hive *h);

/* hive-file.c */
/* A clean hive in a temporary file of the guest's folder; a dirty one is
 * replayed (*RET_REPLAYED). The caller frees and removes. */
char *hive_file_from_guest (struct v2v_guest *g, const char *path,
                            const char *name, bool *ret_replayed,
                            struct v2v_error **err);
/* Is FILE a hive that may be given to libhivex, to be read or changed? */
int hive_file_check (const char *file, const char *name, bool writing,
                     struct v2v_error **err);
/* A new temporary file in the guest's folder, or beside FILE. */
char *hive_file_temporary (struct v2v_guest *g, const char *file,
                           struct v2v_error **err);

#endif /* V2V_HIVE_INTERNAL_H */
