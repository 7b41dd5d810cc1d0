/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the two halves of the front: guest.c and guest-change.c. */
#ifndef V2V_GUEST_FRONT_H
#define V2V_GUEST_FRONT_H

#include "formats/core/tempdir.h"
#include "formats/core/text.h"
#include "inject/guest-internal.h"

/* Linux' PATH_MAX; a longer one is an attack. */
#define GUEST_MAX_PATH 4095

struct v2v_guest {
  const struct v2v_guest_ops *ops;
  void *h;
  struct v2v_os os;
  struct v2v_guest_opts opts;
  const struct v2v_machine *machine; /* borrowed */
  struct v2v_findings findings;
  struct v2v_journal journal;
  char *undo; /* folder of the host for originals, or NULL */
  struct v2v_tempdir *tmpdir;
  bool dry_run;
  v2v_guest_step_fn *step; /* or NULL */
  void *step_arg;
};

int guest_check_path (const char *path, struct v2v_error **err);
char *guest_real_path (struct v2v_guest *g, const char *path,
                       struct v2v_error **err);
/* The file a link at REAL leads to is what is written: renaming over the link
 * would lose it.  Returns REAL itself, which it takes over, or the place it
 * leads to, without any link in it; the caller frees. */
char *guest_follow_links (struct v2v_guest *g, char *real,
                          struct v2v_error **err);
/* Texts up to this length stand in the journal as texts. */
#define GUEST_JOURNAL_MAX_TEXT (64u << 10)
/* How contents look in the journal; NULL when out of memory.  IS_PRIVATE: not
 * everyone in the guest may read the file. */
char *guest_describe (const void *data, size_t len, unsigned flags,
                      bool is_private);
/* The same of contents that replace others. */
int guest_describe_change (const void *old, size_t old_len, const void *data,
                           size_t len, unsigned flags, bool is_private,
                           char **ret_before, char **ret_after);
/* guest-redact.c: TEXT with "(hidden)" for what its key or its looks tell to be
 * a secret; NULL when out of memory. */
char *guest_redact (const char *text);

#endif /* V2V_GUEST_FRONT_H */
