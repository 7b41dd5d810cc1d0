/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time zones by Windows' names and by IANA's. */
#ifndef V2V_TIME_ZONES_H
#define V2V_TIME_ZONES_H

#include <stdbool.h>

struct v2v_time_zone {
  const char *windows; /* "W. Europe Standard Time" */
  int xp_index;        /* of sysprep.inf, or -1 */
  const char *iana;    /* "Europe/Berlin": what the Windows name stands for */
  const char *others;  /* other zones and links with the same rules in Windows,
                          separated by blanks */
};

/* By either name, without regard to case; NULL = no such zone. */
const struct v2v_time_zone *v2v_time_zone_find (const char *name);
/* Is NAME the Windows name of Z?  "UTC" counts as IANA's. */
bool v2v_time_zone_is_windows_name (const struct v2v_time_zone *z,
                                    const char *name);

#endif /* V2V_TIME_ZONES_H */
