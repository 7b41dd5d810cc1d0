/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder on a share where files are made that are then imported: that of an
 * intent without files.  What a process that is gone has left there goes with
 * the intent (pending.c).
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "library/library-internal.h"

static int
note (struct v2v_library *lib, const struct v2v_share *share,
      struct lib_intent *in, struct v2v_error **err)
{
  if (v2v_catalogue_begin (lib->cat, err) == -1)
    return -1;
  if (lib_intent_note (lib, "work", share, in, err) == -1) {
    v2v_catalogue_rollback (lib->cat);
    return -1;
  }
  return v2v_catalogue_commit (lib->cat, err);
}

int
lib_work_begin (struct v2v_library *lib, const char *name, struct lib_work *ret,
                struct v2v_error **err)
{
  struct v2v_share share = { 0 };
  int r;

  if (lib_find_share (lib, name, &share, err) == -1)
    return -1;
  r = note (lib, &share, &ret->in, err);
  if (r == 0 && asprintf (&ret->path, "%s/" LIB_TMP "/%s", share.path,
                          ret->in.id) == -1) {
    ret->path = NULL;
    r = v2v_fail_nomem (err);
  }
  if (r == 0)
    r = lib_intent_start (lib, &ret->in, err);
  lib_share_clear (&share);
  return r;
}

void
lib_work_end (struct v2v_library *lib, struct lib_work *w)
{
  if (w->in.share != NULL)
    lib_intent_undo (lib, &w->in);
  free (STEAL (w->path));
}
