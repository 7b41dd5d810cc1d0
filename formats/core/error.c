/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error objects; see error.h for the rules. */

#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/error.h"

struct v2v_error {
  enum v2v_error_code code;
  int errnum;
  char *message; /* NULL only in the static out-of-memory object */
  char *hint;
  bool is_static;
};

/* Reporting that memory ran out must not need memory. */
static struct v2v_error error_nomem = {
  .code = V2V_ERR_NOMEM,
  .errnum = ENOMEM,
  .is_static = true,
};

static int __attribute__ ((format (printf, 4, 0)))
create (struct v2v_error **err, enum v2v_error_code code, int errnum,
        const char *fmt, va_list args)
{
  struct v2v_error *e;
  char *message = NULL;

  if (err == NULL)
    return -1;
  assert (*err == NULL);

  e = calloc (1, sizeof *e);
  if (e == NULL || vasprintf (&message, fmt, args) == -1) {
    free (e);
    *err = &error_nomem;
    return -1;
  }
  e->code = code;
  e->errnum = errnum;
  e->message = message;
  *err = e;
  return -1;
}

int
v2v_fail (struct v2v_error **err, enum v2v_error_code code, const char *fmt,
          ...)
{
  const int saved = errno;
  va_list args;

  va_start (args, fmt);
  create (err, code, 0, fmt, args);
  va_end (args);
  errno = saved;
  return -1;
}

int
v2v_fail_errno (struct v2v_error **err, const char *fmt, ...)
{
  const int saved = errno;
  char buf[128] = "";
  va_list args;

  if (err == NULL)
    return -1;
  va_start (args, fmt);
  create (err, saved == ENOMEM ? V2V_ERR_NOMEM : V2V_ERR_IO, saved, fmt, args);
  va_end (args);

  if (!(*err)->is_static) {
    /* The GNU strerror_r: returns a string that may or may not be BUF. */
    const char *text = strerror_r (saved, buf, sizeof buf);
    char *joined = NULL;

    if (asprintf (&joined, "%s: %s", (*err)->message, text) != -1) {
      free ((*err)->message);
      (*err)->message = joined;
    }
  }
  errno = saved;
  return -1;
}

int
v2v_fail_nomem (struct v2v_error **err)
{
  if (err != NULL) {
    assert (*err == NULL);
    *err = &error_nomem;
  }
  return -1;
}

int
v2v_prefix (struct v2v_error **err, const char *fmt, ...)
{
  const int saved = errno;
  char *context = NULL, *joined = NULL;
  va_list args;

  if (err == NULL || *err == NULL || (*err)->is_static)
    return -1;

  va_start (args, fmt);
  if (vasprintf (&context, fmt, args) == -1)
    context = NULL;
  va_end (args);
  if (context != NULL &&
      asprintf (&joined, "%s: %s", context, (*err)->message) != -1) {
    free ((*err)->message);
    (*err)->message = joined;
  }
  free (context);
  errno = saved;
  return -1;
}

int
v2v_prefix_name (struct v2v_error **err, const char *name)
{
  const size_t len = strlen (name);

  if (err == NULL || *err == NULL || (*err)->is_static)
    return -1;
  if (strncmp ((*err)->message, name, len) == 0 &&
      strncmp ((*err)->message + len, ": ", 2) == 0)
    return -1;
  return v2v_prefix (err, "%s", name);
}

int
v2v_hint (struct v2v_error **err, const char *fmt, ...)
{
  const int saved = errno;
  char *hint = NULL;
  va_list args;

  if (err == NULL || *err == NULL || (*err)->is_static)
    return -1;
  va_start (args, fmt);
  if (vasprintf (&hint, fmt, args) != -1) {
    free ((*err)->hint);
    (*err)->hint = hint;
  }
  va_end (args);
  errno = saved;
  return -1;
}

enum v2v_error_code
v2v_error_code (const struct v2v_error *e)
{
  return e->code;
}

const char *
v2v_error_message (const struct v2v_error *e)
{
  return e->message ? e->message : "out of memory";
}

const char *
v2v_error_hint (const struct v2v_error *e)
{
  return e->hint;
}

int
v2v_error_errno (const struct v2v_error *e)
{
  return e->errnum;
}

const char *
v2v_error_code_name (enum v2v_error_code code)
{
  switch (code) {
  case V2V_ERR_IO:
    return "io";
  case V2V_ERR_FORMAT:
    return "format";
  case V2V_ERR_UNSUPPORTED:
    return "unsupported";
  case V2V_ERR_USAGE:
    return "usage";
  case V2V_ERR_GUEST:
    return "guest";
  case V2V_ERR_NOMEM:
    return "nomem";
  case V2V_ERR_MISMATCH:
    return "mismatch";
  case V2V_ERR_INTERRUPTED:
    return "interrupted";
  }
  return "unknown";
}

int
v2v_error_exit_status (enum v2v_error_code code)
{
  switch (code) {
  case V2V_ERR_USAGE:
    return 2;
  case V2V_ERR_FORMAT:
    return 3;
  case V2V_ERR_UNSUPPORTED:
    return 4;
  case V2V_ERR_IO:
    return 5;
  case V2V_ERR_GUEST:
    return 6;
  case V2V_ERR_MISMATCH:
    return 7;
  case V2V_ERR_NOMEM:
    return 8;
  case V2V_ERR_INTERRUPTED:
    return 130; /* 128 + SIGINT, what a shell reports for it */
  }
  return 1;
}

void
v2v_error_free (struct v2v_error *e)
{
  if (e == NULL || e->is_static)
    return;
  free (e->message);
  free (e->hint);
  free (e);
}

int
v2v_error_move (struct v2v_error **dst, struct v2v_error *src)
{
  if (dst == NULL) {
    v2v_error_free (src);
    return -1;
  }
  assert (*dst == NULL);
  *dst = src;
  return -1;
}
