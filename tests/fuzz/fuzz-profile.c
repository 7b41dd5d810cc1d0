/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest profile, and a user's own answer file: what begins with '<' is
 * merged with a profile that says a bit of everything.  No file is opened. */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"
#include "inject/unattend.h"

static const char base[] =
    "{\"computer_name\": \"A\", \"time_zone\": \"UTC\", \"locale\": \"de-DE\", "
    "\"windows\": {\"owner\": \"o\", \"workgroup\": \"W\", \"users\": "
    "[{\"name\": \"u\"}], \"synchronous_commands\": [\"a\"], "
    "\"first_logon_commands\": [\"b\"], \"remote_desktop\": true}}";

static void
merge (struct v2v_profile *p)
{
  static const char *const archs[] = { "x86_64", "i386" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (archs); ++i) {
    struct v2v_os os = { .family = V2V_FAMILY_WINDOWS,
                         .major = i == 0 ? 10 : 6,
                         .minor = i == 0 ? 0 : 1,
                         .arch = (char *) (uintptr_t) archs[i] };
    struct v2v_findings f = V2V_FINDINGS_INIT;
    struct v2v_error *err = NULL;
    size_t len;

    free (unattend_make (p, &os, &f, &len, &err));
    v2v_error_free (err);
    err = NULL;
    free (unattend_make_inf (p, &f, &len, &err));
    v2v_error_free (err);
    v2v_findings_clear (&f);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_error *err = NULL;
  struct v2v_profile *p;

  if (size > 65536)
    return 0;
  if (size > 0 && data[0] == '<') {
    struct v2v_profile_file *f;

    p = v2v_profile_parse (base, sizeof base - 1, "base", NULL, NULL);
    if (p == NULL)
      abort ();
    f = &p->windows.answer_file;
    f->path = strdup ("own.xml");
    f->text = malloc (size + 1);
    if (f->path != NULL && f->text != NULL) {
      memcpy (f->text, data, size);
      f->text[size] = '\0';
      f->len = size;
      merge (p);
    }
    v2v_profile_free (p);
    return 0;
  }
  p = v2v_profile_parse ((const char *) data, size, "fuzz", NULL, &err);
  v2v_error_free (err);
  if (p != NULL)
    merge (p);
  v2v_profile_free (p);
  return 0;
}
