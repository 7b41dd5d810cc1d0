/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tokenizer for the PowerShell we write: it finds the commands and the
 * strings, and refuses whatever we never write (expandable strings,
 * here-strings, backticks, the call operator, redirections, characters other
 * than ASCII outside of strings).  So nothing that came in as data can stand
 * as code.
 */
#ifndef V2V_POWERSHELL_CHECK_H
#define V2V_POWERSHELL_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"

struct v2v_ps_scan {
  char **commands; /* "Hyper-V\New-VM", in order */
  size_t nr_commands;
  char **strings; /* the values of the literals, in order */
  size_t nr_strings;
};
#define V2V_PS_SCAN_INIT                                                       \
  {                                                                            \
    .nr_commands = 0                                                           \
  }

/* WHOLE: a file, which must begin with a BOM and have CRLF line ends; else a
 * fragment with LF.  On success *RET is to be cleared.  V2V_ERR_FORMAT names
 * the line. */
int v2v_ps_scan (const char *text, size_t len, bool whole,
                 struct v2v_ps_scan *ret, struct v2v_error **err);
void v2v_ps_scan_clear (struct v2v_ps_scan *s);

/* Is the character that starts at P (NUL-terminated) one that ends a
 * single-quoted string: U+0027 U+2018 U+2019 U+201A U+201B?  Its length in
 * bytes, or 0.  Source: the tokenizer of PowerShell, CharExtensions
 * IsSingleQuote. */
size_t v2v_ps_quote_length (const char *p);

#endif /* V2V_POWERSHELL_CHECK_H */
