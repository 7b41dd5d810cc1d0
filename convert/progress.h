/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress for people (a bar) and for programs (JSON lines). */
#ifndef V2V_PROGRESS_H
#define V2V_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "formats/copy.h"
#include "formats/core/error.h"

enum v2v_progress_mode {
  V2V_PROGRESS_AUTO, /* a bar on a terminal; elsewhere only steps, as lines */
  V2V_PROGRESS_BAR,
  V2V_PROGRESS_JSON,
  V2V_PROGRESS_NONE,
};
bool v2v_progress_mode_parse (const char *s, enum v2v_progress_mode *ret);

struct v2v_progress_bar;

/* FP is borrowed until free. */
struct v2v_progress_bar *v2v_progress_bar_new (enum v2v_progress_mode mode,
                                               FILE *fp,
                                               struct v2v_error **err);
/* A v2v_progress_fn; ARG is the bar. */
void v2v_progress_bar_update (void *arg, const struct v2v_progress *p);
/* Take the bar off the line, before something else is printed there. */
void v2v_progress_bar_clear (struct v2v_progress_bar *bar);
void v2v_progress_bar_free (struct v2v_progress_bar *bar); /* accepts NULL */

/* One line of at most WIDTH columns (20..512): what the bar shows.  RATE in
 * bytes per second, LEFT in seconds; either < 0 = unknown.  OUT has at least
 * V2V_PROGRESS_LINE bytes; returned. */
#define V2V_PROGRESS_LINE 1024
char *v2v_progress_line (char out[V2V_PROGRESS_LINE], unsigned width,
                         const struct v2v_progress *p, double rate,
                         double left);

/* The same for a step without bytes, SECONDS after it began. */
char *v2v_progress_step_line (char out[V2V_PROGRESS_LINE], unsigned width,
                              const char *what, double seconds);

#endif /* V2V_PROGRESS_H */
