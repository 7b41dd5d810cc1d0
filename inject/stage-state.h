/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a finished guest stage leaves for --resume, beside its overlays. */
#ifndef V2V_STAGE_STATE_H
#define V2V_STAGE_STATE_H

#include "inject/stage.h"

/* Everything the result depends on, as hex; the caller frees. */
char *stage_fingerprint (const struct v2v_guest_job *job,
                         const struct v2v_convert_guest *c,
                         struct v2v_error **err);
/* The overlays in the job's folder are complete and hold what R tells. */
int stage_state_write (const struct v2v_guest_job *job, const char *fingerprint,
                       const struct v2v_guest_result *r,
                       struct v2v_error **err);
/* 1 = an earlier run finished the stage the same way, and R is filled;
 * 0 = none did; V2V_ERR_MISMATCH when it was another source or with other
 * options. */
int stage_state_read (const struct v2v_guest_job *job, const char *fingerprint,
                      struct v2v_guest_result *r, struct v2v_error **err);

#endif /* V2V_STAGE_STATE_H */
