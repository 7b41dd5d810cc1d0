/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON: a thin layer over Jansson, the only place that includes it.
 *
 * Building: every v2v_json_new_* returns NULL when out of memory, and every
 * setter accepts a NULL value or container and then fails; so a builder can
 * make all its calls and look at the last result only via v2v_json_ok:
 *
 *   struct v2v_json *o = v2v_json_new_object ();
 *   v2v_json_set_string (o, "name", m->name);
 *   v2v_json_set (o, "disks", disks_to_json (m));   (takes over the value)
 *   if (!v2v_json_ok (o)) ... nomem
 *
 * Text that is not valid UTF-8 is stored with U+FFFD in place of bad bytes.
 * Objects keep the order of insertion.
 */
#ifndef V2V_JSON_H
#define V2V_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "formats/core/error.h"

struct v2v_json;

struct v2v_json *v2v_json_new_object (void);
struct v2v_json *v2v_json_new_array (void);
struct v2v_json *v2v_json_new_string (const char *s); /* NULL gives null */
struct v2v_json *v2v_json_new_u64 (uint64_t v);
struct v2v_json *v2v_json_new_real (double v);
struct v2v_json *v2v_json_new_bool (bool v);
struct v2v_json *v2v_json_new_null (void);
void v2v_json_free (struct v2v_json *j);
struct v2v_json *v2v_json_ref (struct v2v_json *j);

/* Set a member; takes over VALUE.  0, or -1 (VALUE then freed). */
int v2v_json_set (struct v2v_json *obj, const char *key,
                  struct v2v_json *value);
int v2v_json_set_string (struct v2v_json *obj, const char *key, const char *s);
int v2v_json_set_u64 (struct v2v_json *obj, const char *key, uint64_t v);
int v2v_json_set_real (struct v2v_json *obj, const char *key, double v);
int v2v_json_set_bool (struct v2v_json *obj, const char *key, bool v);
int v2v_json_append (struct v2v_json *array, struct v2v_json *value);

/* True unless some set or append on this node failed. */
bool v2v_json_ok (const struct v2v_json *j);

/* A new string; the caller frees.  INDENT 0 gives one line. */
char *v2v_json_dump (const struct v2v_json *j, int indent);
/* Dump and a newline to FP. */
int v2v_json_print (const struct v2v_json *j, int indent, FILE *fp,
                    struct v2v_error **err);

/* Parse; duplicate keys, depth over 128 and trailing bytes are refused. */
struct v2v_json *v2v_json_parse (const char *text, size_t len, const char *name,
                                 struct v2v_error **err);

/* Getters: borrowed values; NULL / false if absent or of another type. */
const struct v2v_json *v2v_json_get (const struct v2v_json *obj,
                                     const char *key);
const char *v2v_json_get_string (const struct v2v_json *obj, const char *key);
bool v2v_json_get_u64 (const struct v2v_json *obj, const char *key,
                       uint64_t *ret);
bool v2v_json_get_bool (const struct v2v_json *obj, const char *key, bool *ret);
bool v2v_json_is_array (const struct v2v_json *j);
bool v2v_json_is_object (const struct v2v_json *j);
bool v2v_json_is_null (const struct v2v_json *j);
size_t v2v_json_length (const struct v2v_json *array);
const struct v2v_json *v2v_json_at (const struct v2v_json *array, size_t i);
const char *v2v_json_string_value (const struct v2v_json *j);
bool v2v_json_u64_value (const struct v2v_json *j, uint64_t *ret);
bool v2v_json_bool_value (const struct v2v_json *j, bool *ret);
/* Iterate an object: *ITER NULL to start; returns false at the end. */
bool v2v_json_next (const struct v2v_json *obj, void **iter,
                    const char **ret_key, const struct v2v_json **ret_value);

#endif /* V2V_JSON_H */
