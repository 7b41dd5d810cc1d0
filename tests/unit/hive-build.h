/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hives made by tests: an empty one written by code, then filled through our
 * own hive.h, so that no sample is needed.  The layouts of whole Windows
 * versions are in hive-windows.c.
 */
#ifndef HIVE_BUILD_H
#define HIVE_BUILD_H

#include "inject/hive.h"

/* An empty, clean hive as Windows' "regf" 1.5, of one hive bin. */
void hive_build_empty (const char *file);

/* Add to FILE, opened, changed and committed by each call of
 * hive_build_open / hive_build_done. */
struct v2v_hive *hive_build_open (const char *file);
void hive_build_done (struct v2v_hive *h);
void hive_build_dword (struct v2v_hive *h, const char *key, const char *name,
                       uint32_t value);
void hive_build_string (struct v2v_hive *h, const char *key, const char *name,
                        const char *value);
void hive_build_expand (struct v2v_hive *h, const char *key, const char *name,
                        const char *value);
/* VALUES: strings, ended by NULL. */
void hive_build_multi (struct v2v_hive *h, const char *key, const char *name,
                       const char *const *values);
void hive_build_binary (struct v2v_hive *h, const char *key, const char *name,
                        const void *data, size_t len);
void hive_build_key (struct v2v_hive *h, const char *key);

/* What a hive's file holds; the test fails where it is not there. */
uint32_t hive_read_dword (const char *file, const char *key, const char *name);
/* The caller frees; NULL when it is not there. */
char *hive_read_string (const char *file, const char *key, const char *name);
bool hive_has_value (const char *file, const char *key, const char *name);
bool hive_has_key (const char *file, const char *key);

/* Make a clean hive dirty as an interrupted write leaves it: the first
 * sequence number is one ahead. */
void hive_build_make_dirty (const char *file);

#endif /* HIVE_BUILD_H */
