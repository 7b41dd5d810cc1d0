/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing PowerShell: a script is a template of ours with one block of data in
 * it, and every value of the data is a literal made here.
 *
 *   struct v2v_ps ps = V2V_PS_INIT;
 *   v2v_ps_code (&ps, "$data = @{\n    Name = ");
 *   v2v_ps_string (&ps, name);
 *   v2v_ps_code (&ps, "\n}\n");
 *   script = v2v_ps_finish (&ps, template, err);
 *
 * Failures stick and are reported by v2v_ps_finish.
 */
#ifndef V2V_POWERSHELL_H
#define V2V_POWERSHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/text.h"

struct v2v_ps {
  struct v2v_str text;
  char **strings; /* the values given, to be found again */
  size_t nr_strings;
  bool nomem;
  bool unsafe; /* a value that may not stand in a literal */
};
#define V2V_PS_INIT                                                            \
  {                                                                            \
    .nomem = false                                                             \
  }

/* Code of ours: LITERAL must be a string literal. */
#define v2v_ps_code(ps, literal) v2v_ps_code_ ((ps), "" literal)
void v2v_ps_code_ (struct v2v_ps *ps, const char *literal);

/* TEXT as one single-quoted literal.  Control characters, U+2028, U+2029, bidi
 * controls and what is not UTF-8 are refused: a caller replaces them before,
 * where a person can be told.  NULL gives ''. */
void v2v_ps_string (struct v2v_ps *ps, const char *text);
/* The same for several lines: ('a' + [char]10 + 'b'). */
void v2v_ps_lines (struct v2v_ps *ps, const char *text);
void v2v_ps_number (struct v2v_ps *ps, uint64_t n);
void v2v_ps_bool (struct v2v_ps *ps, bool b);

/* The line of a template that the data replaces. */
#define V2V_PS_MARK "# @DATA@\n"

/* Put the data into TEMPLATE (UTF-8, LF), add the BOM and CRLF, read the
 * result again with the tokenizer of powershell-check.h and make sure that it
 * has the commands of the template and nothing else, and that every value is
 * found unchanged.  PS is cleared.  The caller frees the result; NULL and ERR
 * on failure.
 */
char *v2v_ps_finish (struct v2v_ps *ps, const char *template,
                     struct v2v_error **err);

#endif /* V2V_POWERSHELL_H */
