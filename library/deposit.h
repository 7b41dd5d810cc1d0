/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Depositing a result: a folder of files that appears under its final name at
 * once or not at all.
 */
#ifndef V2V_DEPOSIT_H
#define V2V_DEPOSIT_H

#include <stdbool.h>

#include "formats/core/error.h"

struct v2v_deposit;

/* Start DIR/NAME, where NAME is made safe (v2v_safe_name) and numbered
 * ("NAME-2") if it is taken.  Work happens in DIR/.NAME.part; with RESUME an
 * existing one is continued, otherwise a stale one of ours is emptied.  DIR is
 * made if it is missing.  A lock keeps two runs apart (V2V_ERR_USAGE). */
struct v2v_deposit *v2v_deposit_begin (const char *dir, const char *name,
                                       bool resume, struct v2v_error **err);
/* The same for a folder whose name is already told to others: NAME or nothing,
 * one that is taken is V2V_ERR_USAGE. */
struct v2v_deposit *v2v_deposit_begin_new (const char *dir, const char *name,
                                           struct v2v_error **err);
/* The final folder name without DIR; borrowed. */
const char *v2v_deposit_name (const struct v2v_deposit *d);
/* Path of FILE inside the working folder; the caller frees. */
char *v2v_deposit_path (const struct v2v_deposit *d, const char *file,
                        struct v2v_error **err);
/* Write a small file of text there, synced. */
int v2v_deposit_write (struct v2v_deposit *d, const char *file,
                       const void *bytes, unsigned long len,
                       struct v2v_error **err);
/* The same for its owner alone (0600). */
int v2v_deposit_write_private (struct v2v_deposit *d, const char *file,
                               const void *bytes, unsigned long len,
                               struct v2v_error **err);
/* Remove the folder NAME of the working folder with all that is in it; it
 * need not be there. */
int v2v_deposit_remove_folder (struct v2v_deposit *d, const char *name,
                               struct v2v_error **err);
/* Sync and rename the folder to its final name. */
int v2v_deposit_commit (struct v2v_deposit *d, struct v2v_error **err);

/* Many small folders at once: a disk that is asked to sync hundreds of files
 * one by one does hardly anything else.  After v2v_deposit_defer_sync nothing
 * is synced when it is written (disks: v2v_create_opts.defer_sync); the caller
 * then goes through these steps, each for all folders before the next. */
void v2v_deposit_defer_sync (struct v2v_deposit *d);
bool v2v_deposit_is_deferred (const struct v2v_deposit *d);
/* Begin to write out what is in the folder. */
void v2v_deposit_start_sync (struct v2v_deposit *d);
/* All of it is safe. */
int v2v_deposit_sync (struct v2v_deposit *d, struct v2v_error **err);
/* Rename it to its final name ... */
int v2v_deposit_publish (struct v2v_deposit *d, struct v2v_error **err);
/* ... and the name is safe. */
int v2v_deposit_settle (struct v2v_deposit *d, struct v2v_error **err);
/* Keep the working folder when closed without commit (for --resume). */
void v2v_deposit_keep (struct v2v_deposit *d);
/* Without commit or keep, the working folder and what is in it is removed. */
void v2v_deposit_close (struct v2v_deposit *d);

#endif /* V2V_DEPOSIT_H */
