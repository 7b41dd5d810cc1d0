/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of a library.  Input that begins with '<' is one; what begins
 * with '{' is its JSON; other input is lines of PATH=VALUE, set one after the
 * other in a document of each kind.  What is accepted must print to a text
 * that reads back to the same text.
 */

#include <config.h>

#include <string.h>

#include "fuzz-util.h"
#include "library/computer-names.h"
#include "library/document.h"

/* The canonical text of D is a fixed point. */
static void
round_trip (const struct v2v_document *d)
{
  size_t len, again_len;
  char *text = v2v_document_print (d, &len, NULL), *again;
  struct v2v_document *e;
  struct v2v_document_changes c;

  if (text == NULL)
    abort ();
  e = v2v_document_parse (text, len, "again", NULL);
  if (e == NULL)
    abort ();
  again = v2v_document_print (e, &again_len, NULL);
  if (again == NULL || len != again_len || memcmp (text, again, len) != 0 ||
      v2v_document_diff (d, e, &c, NULL) == -1 || c.len != 0)
    abort ();
  v2v_document_changes_clear (&c);
  v2v_document_free (e);
  free (again);
  free (text);
}

static void
set_lines (const char *text)
{
  for (unsigned k = 0; k < V2V_NR_DOCUMENT_KINDS; ++k) {
    struct v2v_document *d =
        v2v_document_new ((enum v2v_document_kind) k, NULL);
    char *copy = strdup (text), *save = NULL;

    if (d == NULL || copy == NULL)
      abort ();
    for (char *line = strtok_r (copy, "\n", &save); line != NULL;
         line = strtok_r (NULL, "\n", &save)) {
      char *equals = strchr (line, '=');
      char *name = NULL;

      if (equals == NULL) {
        v2v_computer_name_next (line, NULL, true, &name, NULL);
        free (name);
        continue;
      }
      *equals = '\0';
      v2v_document_set (d, line, equals + 1, NULL);
    }
    if (v2v_document_check (d, "d", NULL) == 0)
      round_trip (d);
    v2v_document_free (d);
    free (copy);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_document *d = NULL;
  char *text;

  if (size == 0 || size > 65536)
    return 0;
  text = malloc (size + 1);
  if (text == NULL)
    return 0;
  memcpy (text, data, size);
  text[size] = '\0';
  if (text[0] == '<')
    d = v2v_document_parse (text, size, "fuzz", NULL);
  else if (text[0] == '{') {
    struct v2v_json *j = v2v_json_parse (text, size, "fuzz", NULL);

    if (j != NULL)
      d = v2v_document_from_json (j, V2V_NR_DOCUMENT_KINDS, "fuzz", NULL);
    v2v_json_free (j);
    if (d != NULL && v2v_document_check (d, "fuzz", NULL) == -1) {
      v2v_document_free (d);
      d = NULL;
    }
  }
  else
    set_lines (text);
  if (d != NULL)
    round_trip (d);
  v2v_document_free (d);
  free (text);
  return 0;
}
