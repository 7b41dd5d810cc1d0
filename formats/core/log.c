/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one sink for warnings and debug lines. */

#include <config.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"

bool v2v_debug_enabled;

/* Serialises calls of the sink; nothing else is locked inside it. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static v2v_log_sink *log_sink;
static void *log_arg;

void
v2v_log_set_sink (v2v_log_sink *sink, void *arg)
{
  V2V_LOCK_SCOPE (&log_lock);
  log_sink = sink;
  log_arg = arg;
}

void
v2v_log_set_debug (bool on)
{
  v2v_debug_enabled = on;
}

__attribute__ ((format (printf, 2, 0))) static void
emit (enum v2v_log_level level, const char *fmt, va_list args)
{
  CLEANUP_FREE char *message = NULL;

  if (vasprintf (&message, fmt, args) == -1) {
    message = NULL;
    return;
  }
  V2V_LOCK_SCOPE (&log_lock);
  if (log_sink != NULL)
    log_sink (log_arg, level, message);
}

#define DEFINE(name, level)                                                    \
  void name (const char *fmt, ...)                                             \
  {                                                                            \
    va_list args;                                                              \
                                                                               \
    va_start (args, fmt);                                                      \
    emit (level, fmt, args);                                                   \
    va_end (args);                                                             \
  }

DEFINE (v2v_warn, V2V_LOG_WARNING)
DEFINE (v2v_log_info, V2V_LOG_INFO)
DEFINE (v2v_log_debug, V2V_LOG_DEBUG)
