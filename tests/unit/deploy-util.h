/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library with a template, for tests that deploy. */
#ifndef DEPLOY_UTIL_H
#define DEPLOY_UTIL_H

#include "library-util.h"
#include "library/deploy.h"

/* In DIR/lib: a disk "base", profiles "hw" and "guest", and the template
 * "web" of them, with names web-## and settings "address" (mandatory) and
 * "memory". */
struct v2v_library *deploy_test_new (const char *dir);
/* The XML document TEXT as an object of KIND called NAME. */
void deploy_test_document (struct v2v_library *lib, const char *kind,
                           const char *name, const char *text);
/* NR machines of "web" into DIR/out; 0 or -1. */
int deploy_test_make (struct v2v_library *lib, const char *dir, size_t nr,
                      struct v2v_deploy_result *ret, size_t *ret_nr,
                      struct v2v_error **err);
/* Rows of machines; in a state, or NULL. */
unsigned deploy_test_count (struct v2v_library *lib, const char *state);
/* Rows of the catalogue: SELECT COUNT(*) FROM ... */
unsigned deploy_test_rows (struct v2v_library *lib, const char *table);
/* Entries of DIR/NAME, hidden ones too; 0 if it is not there. */
unsigned deploy_test_entries (const char *dir, const char *name);

#endif /* DEPLOY_UTIL_H */
