/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages for the tests of sources. */
#ifndef SOURCE_UTIL_H
#define SOURCE_UTIL_H

#include "formats/core/text.h"
#include "formats/machine.h"
#include "test-util.h"

/* A descriptor of disks d0, d1 ... whose Files have these attributes. */
char *source_test_descriptor (const char *const *files);
char *source_test_in (const char *dir, const char *name);
void source_test_put (const char *dir, const char *name, const void *bytes,
                      size_t len);
void source_test_put_text (const char *dir, const char *name, const char *text);
void source_test_put_ovf (const char *dir, const char *file);
struct v2v_source *source_test_open_with (const char *path,
                                          enum v2v_manifest_policy policy,
                                          struct v2v_error **err);
struct v2v_source *source_test_good (const char *path);
void source_test_refused (const char *path, enum v2v_error_code code,
                          const char *why);
/* Disk I of the first machine reads as CONTENT. */
void source_test_disk_is (struct v2v_source *src, size_t i, const char *content,
                          bool spooled);
void source_test_disk_refused (struct v2v_source *src, enum v2v_error_code code,
                               const char *why);
bool source_test_finds (struct v2v_source *src, const char *id);
void source_test_add_digest (struct v2v_str *mf, const char *name,
                             const char *text);

#endif /* SOURCE_UTIL_H */
