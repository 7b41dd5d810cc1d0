/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings and debug lines.  One sink, set by the program; without one they
 * go nowhere: library code never prints.  Secrets are never logged.
 */
#ifndef V2V_LOG_H
#define V2V_LOG_H

#include <stdbool.h>

enum v2v_log_level { V2V_LOG_WARNING, V2V_LOG_INFO, V2V_LOG_DEBUG };

typedef void v2v_log_sink (void *arg, enum v2v_log_level level,
                           const char *message);

void v2v_log_set_sink (v2v_log_sink *sink, void *arg);
void v2v_log_set_debug (bool on);

/* A warning ends with what was done instead. Rare. */
void v2v_warn (const char *fmt, ...) __attribute__ ((format (printf, 1, 2)));
void v2v_log_info (const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2)));
void v2v_log_debug (const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2)));

extern bool v2v_debug_enabled;

/* Costs one branch when off. */
#define v2v_debug(...)                                                         \
  do {                                                                         \
    if (v2v_debug_enabled)                                                     \
      v2v_log_debug (__VA_ARGS__);                                             \
  } while (0)

#endif /* V2V_LOG_H */
