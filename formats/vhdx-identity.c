/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX: a file that takes the place of another one, and a file that gets
 * another parent.
 * Source: [MS-VHDX] 2.2.2 (DataWriteGuid: what children are bound to), 2.6.2.4
 * "Virtual Disk ID", 2.6.2.6 "Parent Locator"; 2.3: metadata may change through
 * the log.
 */

#include <config.h>

#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/vhdx-internal.h"

/* h->lock and ops are held. */
static int
set_in_place (struct vhdx *h, const struct v2v_guid *id,
              const struct v2v_guid *content, struct v2v_error **err)
{
  struct vhdx_header next;

  h->keep_data_guid = true; /* the one that is given, not a random one */
  if (vhdx_update_begin (h, err) == -1)
    return -1;
  if (!v2v_guid_equal (id, &h->page83)) {
    if (vhdx_replace_page83 (h, id, err) == -1)
      return -1;
    h->page83 = *id;
  }
  next = h->headers[h->current];
  if (v2v_guid_equal (content, &next.data_write_guid))
    return 0;
  next.data_write_guid = *content;
  return vhdx_update_header (h, &next, err);
}

int
vhdx_set_identity (void *vh, const struct v2v_image_info *like,
                   struct v2v_error **err)
{
  struct vhdx *h = vh;
  struct v2v_guid id, content;
  int r = 0;

  if (like->id == NULL || like->content_id == NULL ||
      !v2v_guid_parse (like->id, &id) ||
      !v2v_guid_parse (like->content_id, &content))
    return v2v_fail (err, V2V_ERR_USAGE, "there is no identity to take over");
  if (h->mode == VHDX_UPDATE && vhdx_flush (h, err) == -1)
    return -1;
  pthread_rwlock_wrlock (&h->ops);
  pthread_mutex_lock (&h->lock);
  if (h->mode == VHDX_UPDATE)
    r = set_in_place (h, &id, &content, err);
  else {
    /* The headers are written last; the metadata once more. */
    h->page83 = id;
    h->headers[0].data_write_guid = h->headers[1].data_write_guid = content;
    r = vhdx_write_metadata (h, err);
  }
  if (r == 0)
    vhdx_set_ids (h);
  pthread_mutex_unlock (&h->lock);
  pthread_rwlock_unlock (&h->ops);
  return r;
}

int
vhdx_set_parent (void *vh, const struct v2v_create_opts *opts,
                 struct v2v_error **err)
{
  struct vhdx *h = vh;
  struct vhdx_locator old;
  int r;

  if (h->mode != VHDX_UPDATE)
    return v2v_fail (err, V2V_ERR_USAGE, "a new file has its parent already");
  if (vhdx_flush (h, err) == -1)
    return -1;
  pthread_rwlock_wrlock (&h->ops);
  pthread_mutex_lock (&h->lock);
  old = h->locator;
  memset (&h->locator, 0, sizeof h->locator);
  r = vhdx_choose_parent (h, opts, err);
  if (r == 0)
    r = vhdx_update_begin (h, err);
  if (r == 0)
    r = vhdx_replace_locator (h, &h->locator, err);
  if (r == -1) {
    vhdx_locator_clear (&h->locator);
    h->locator = old;
  }
  else {
    vhdx_locator_clear (&old);
    vhdx_set_ids (h);
  }
  pthread_mutex_unlock (&h->lock);
  pthread_rwlock_unlock (&h->ops);
  return r;
}
