/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What keeps a run of v2v customize apart from others, and what an interrupted
 * one leaves: locks on the disks, the folder of overlays, the mark in it.
 *
 *   DISK1.v2v-customize/           overlays "diskN.qcow2"
 *   DISK1.v2v-customize/complete   the mark: they are complete and being
 *                                  merged; names the disks (JSON)
 *   DISK2.v2v-customize            a file beside each further disk: the path
 *                                  of that folder
 */
#ifndef V2V_CUSTOMIZE_WORK_H
#define V2V_CUSTOMIZE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "formats/core/error.h"
#include "formats/image.h"

struct customize_disk {
  const char *name; /* as given */
  char *path;       /* without symbolic links; NULL: no file of this host */
  int fd;           /* holds the lock; -1 with PATH == NULL */
  int open_errno;   /* why there is none */
  struct stat st;   /* as it was when the lock was taken */
  uint64_t size_bytes;
  char *id; /* that writing does not change (UUID), or NULL */
};

struct customize_work {
  struct customize_disk *disks;
  size_t nr;
  char *folder;
  int folder_fd; /* holds the lock; -1 = not made */
};

/* Lock the disks: alone (they will be written), or together with others that
 * read.  The same disk twice, and one that another run has, are refused. */
int customize_work_lock (struct customize_work *w, const char *const *names,
                         size_t nr, bool alone, struct v2v_error **err);
/* Each must be a file or device, since it will be written. */
int customize_work_need_files (const struct customize_work *w,
                               struct v2v_error **err);
void customize_work_clear (struct customize_work *w);

/* Remember size and identity of the opened IMAGES, for the mark. */
int customize_work_identify (struct customize_work *w,
                             struct v2v_image *const *images,
                             struct v2v_error **err);

/* Refuse if a run that was interrupted while it wrote had any of the disks. */
int customize_work_check (const struct customize_work *w,
                          struct v2v_error **err);
/* Set w->folder to that of the interrupted run; it must have been on exactly
 * these disks (identified before). */
int customize_work_resume (struct customize_work *w, struct v2v_error **err);

/* Make the folder beside PATH, empty and locked. */
int customize_work_make (struct customize_work *w, const char *path,
                         struct v2v_error **err);
char *customize_work_overlay (const struct customize_work *w, size_t i,
                              struct v2v_error **err);
/* Is each disk still what was locked?  A machine that was started meanwhile
 * has changed it. */
int customize_work_unchanged (const struct customize_work *w,
                              struct v2v_error **err);
/* Everything on the disk, then the mark. */
int customize_work_mark (struct customize_work *w, struct v2v_error **err);
/* The mark first: without it nothing is to be completed. */
int customize_work_remove (struct customize_work *w, struct v2v_error **err);

/* Sync the folder in which PATH is. */
int customize_sync_parent (const char *path, struct v2v_error **err);

#endif /* V2V_CUSTOMIZE_WORK_H */
