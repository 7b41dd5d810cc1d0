/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a link in a guest leads, part by part, as path_resolution(7) has it.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/guest-front.h"

/* Of those a guest has a few in a row at most; Linux follows 40. */
#define MAX_LINKS 16

/* What is resolved, without links, and what is still to be looked at. */
struct walk {
  struct v2v_str done; /* "" is the root */
  char *pending;
  size_t at;      /* in PENDING */
  bool is_folder; /* DONE is one: ".." has a meaning */
  unsigned links;
};

static void
walk_free (struct walk *w)
{
  v2v_str_free (&w->done);
  free (w->pending);
}
#define CLEANUP_WALK __attribute__ ((cleanup (walk_free)))

/* ".." of DONE, which has no links in it any more; of the root it is the
 * root. */
static void
go_up (struct walk *w)
{
  while (w->done.len > 0 && w->done.ptr[--w->done.len] != '/')
    ;
  if (w->done.ptr != NULL)
    w->done.ptr[w->done.len] = '\0';
}

/* DONE is a link: its target comes before what is pending. */
static int
enter_link (struct v2v_guest *g, struct walk *w, struct v2v_error **err)
{
  CLEANUP_FREE char *target = NULL;
  char *next;

  if (++w->links > MAX_LINKS)
    return v2v_fail (err, V2V_ERR_GUEST, "links in the guest lead in a circle");
  target = g->ops->readlink (g->h, w->done.ptr, err);
  if (target == NULL)
    return -1;
  if (asprintf (&next, "%s/%s", target, w->pending + w->at) == -1)
    return v2v_fail_nomem (err);
  go_up (w);
  while (target[0] == '/' && w->done.len > 0)
    go_up (w);
  free (w->pending);
  w->pending = next;
  w->at = 0;
  w->is_folder = true;
  return 0;
}

/* Take the next part of PENDING: 1 = there may be more, 0 = that was all. */
static int
take_part (struct v2v_guest *g, struct walk *w, struct v2v_error **err)
{
  const size_t begin = w->at + strspn (w->pending + w->at, "/");
  const char *part = w->pending + begin;
  const size_t len = strcspn (part, "/");
  struct v2v_guest_stat st;
  int r;

  w->at = begin + len;
  if (len == 0)
    return 0;
  if ((len == 1 && part[0] == '.') ||
      (len == 2 && memcmp (part, "..", 2) == 0)) {
    /* What is missing has no folder above it: the kernel says so too. */
    if (!w->is_folder)
      return v2v_fail (err, V2V_ERR_GUEST,
                       "a link in the guest leads through %s, which is no "
                       "folder",
                       w->done.ptr);
    if (len == 2)
      go_up (w);
    return 1;
  }
  if (v2v_str_append (&w->done, "/") == -1 ||
      v2v_str_append_len (&w->done, part, len) == -1)
    return v2v_fail_nomem (err);
  if (guest_check_path (w->done.ptr, err) == -1)
    return -1;
  r = g->ops->stat (g->h, w->done.ptr, false, &st, err);
  if (r == -1)
    return -1;
  if (r == 1 && st.type == V2V_FILE_LINK)
    return enter_link (g, w, err) == -1 ? -1 : 1;
  w->is_folder = r == 1 && st.type == V2V_FILE_FOLDER;
  return 1;
}

/* PATH without any link in it, the last part's too. */
static char *
resolve (struct v2v_guest *g, const char *path, struct v2v_error **err)
{
  CLEANUP_WALK struct walk w = { .pending = strdup (path), .is_folder = true };
  int r;

  if (w.pending == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while ((r = take_part (g, &w, err)) == 1)
    ;
  if (r == -1)
    return NULL;
  if (w.done.len == 0 && v2v_str_append (&w.done, "/") == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return STEAL (w.done.ptr);
}

char *
guest_follow_links (struct v2v_guest *g, char *real, struct v2v_error **err)
{
  CLEANUP_FREE char *path = real;
  struct v2v_guest_stat st;
  const int r = g->ops->stat (g->h, path, false, &st, err);

  if (r == -1)
    return NULL;
  if (r == 0 || st.type != V2V_FILE_LINK)
    return STEAL (path);
  return resolve (g, path, err);
}
