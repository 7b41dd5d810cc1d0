/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tokenizer of powershell-check.h.
 *
 * Source: the language specification of PowerShell 3.0, chapter 2, and the
 * behaviour of PowerShell 5.1 and 7 where that is newer (quotation marks of
 * Unicode).  It knows the part of the language that our templates use, and
 * refuses the rest.
 */

#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/powershell-check.h"

#define PS_MAX_DEPTH 64 /* brackets inside brackets */

struct scanner {
  const char *p;
  const char *end;
  bool whole;
  unsigned line;
  bool command_position; /* a word here is a command */
  bool function_name;    /* the word after "function" */
  char stack[PS_MAX_DEPTH];
  size_t depth;
  struct v2v_ps_scan *out;
  struct v2v_error **err;
};

size_t
v2v_ps_quote_length (const char *p)
{
  const unsigned char *u = (const unsigned char *) p;

  if (u[0] == '\'')
    return 1;
  if (u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0x98 && u[2] <= 0x9b)
    return 3;
  return 0;
}

static int
keep (char ***list, size_t *nr, const char *text, size_t len)
{
  char **p = reallocarray (*list, *nr + 1, sizeof *p);

  if (p == NULL)
    return -1;
  *list = p;
  p[*nr] = strndup (text, len);
  if (p[*nr] == NULL)
    return -1;
  (*nr)++;
  return 0;
}

static int
bad (struct scanner *s, const char *what)
{
  return v2v_fail (s->err, V2V_ERR_FORMAT, "script, line %u: %s", s->line,
                   what);
}

/* Any two quotation marks in a row stand for the second; one alone ends the
 * string. */
static int
scan_string (struct scanner *s)
{
  CLEANUP_STR struct v2v_str value = V2V_STR_INIT;
  size_t n = v2v_ps_quote_length (s->p);

  for (s->p += n; s->p < s->end; s->p += n) {
    n = v2v_ps_quote_length (s->p);
    if (n > 0) {
      const size_t next = v2v_ps_quote_length (s->p + n);

      s->p += n;
      if (next == 0) {
        if (v2v_str_append (&value, "") == -1 ||
            keep (&s->out->strings, &s->out->nr_strings, value.ptr,
                  value.len) == -1)
          return v2v_fail_nomem (s->err);
        s->command_position = false;
        return 0;
      }
      n = next;
    }
    else if ((unsigned char) *s->p < 0x20 || *s->p == 0x7f)
      return bad (s, "a control character in a string");
    else
      n = 1;
    if (v2v_str_append_len (&value, s->p, n) == -1)
      return v2v_fail_nomem (s->err);
  }
  return bad (s, "a string is not closed");
}

static int
scan_comment (struct scanner *s)
{
  const bool block = *s->p == '<';

  for (s->p += block ? 2 : 1; s->p < s->end; s->p++) {
    if (block && s->p[0] == '#' && s->p[1] == '>') {
      s->p += 2;
      return 0;
    }
    if (!block && (*s->p == '\n' || *s->p == '\r'))
      return 0;
    if (*s->p == '\n') {
      if (s->whole && s->p[-1] != '\r')
        return bad (s, "LF without CR");
      s->line++;
    }
    else if ((unsigned char) *s->p >= 0x7f ||
             ((unsigned char) *s->p < 0x20 && *s->p != '\r'))
      return bad (s, "a comment with something else than ASCII");
  }
  return block ? bad (s, "a comment is not closed") : 0;
}

static bool
is_keyword (const char *w, size_t n)
{
  static const char *const words[] = {
    "begin",    "break", "catch", "continue", "do",      "else",
    "elseif",   "end",   "exit",  "finally",  "for",     "foreach",
    "function", "if",    "in",    "param",    "process", "return",
    "switch",   "throw", "try",   "until",    "while",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (words); ++i)
    if (strlen (words[i]) == n && strncasecmp (words[i], w, n) == 0)
      return true;
  return false;
}

static bool
is_forbidden (const char *w, size_t n)
{
  static const char *const words[] = {
    "Add-Type",       "cmd",
    "cmd.exe",        "iex",
    "Invoke-Command", "Invoke-Expression",
    "powershell",     "powershell.exe",
    "pwsh",           "saps",
    "Start-Process",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (words); ++i)
    if (strlen (words[i]) == n && strncasecmp (words[i], w, n) == 0)
      return true;
  return false;
}

static int
scan_word (struct scanner *s)
{
  const char *w = s->p, *next;
  size_t n;

  while (s->p < s->end &&
         (isalnum ((unsigned char) *s->p) || strchr ("_-\\", *s->p) != NULL) &&
         *s->p != '\0')
    s->p++;
  n = (size_t) (s->p - w);
  for (next = s->p; next < s->end && *next == ' '; next++)
    ;
  if (s->function_name) {
    s->function_name = false;
    s->command_position = false;
    return 0;
  }
  if (!s->command_position || (next < s->end && *next == '=')) {
    s->command_position = false; /* a member, a type, a key */
    return 0;
  }
  if (is_keyword (w, n)) {
    s->function_name = n == 8 && strncasecmp (w, "function", 8) == 0;
    return 0; /* a command may follow */
  }
  if (is_forbidden (w, n))
    return bad (s, "a command that we never use");
  if (keep (&s->out->commands, &s->out->nr_commands, w, n) == -1)
    return v2v_fail_nomem (s->err);
  s->command_position = false;
  return 0;
}

static int
scan_variable (struct scanner *s)
{
  s->p++;
  if (s->p < s->end && *s->p == '(')
    return 0; /* a subexpression: the bracket is next */
  if (s->p == s->end || !(isalnum ((unsigned char) *s->p) || *s->p == '_'))
    return bad (s, "a '$' without a name");
  while (s->p < s->end && (isalnum ((unsigned char) *s->p) || *s->p == '_'))
    s->p++;
  s->command_position = false;
  return 0;
}

static int
scan_bracket (struct scanner *s)
{
  static const char opening[] = "([{", closing[] = ")]}";
  const char *o = strchr (opening, *s->p), *c = strchr (closing, *s->p);

  if (o != NULL) {
    if (s->depth == PS_MAX_DEPTH)
      return bad (s, "too many brackets inside each other");
    s->stack[s->depth++] = closing[o - opening];
    s->command_position = *s->p != '[';
  }
  else if (s->depth == 0 || s->stack[--s->depth] != *c)
    return bad (s, "a bracket does not fit");
  else
    s->command_position = *s->p == '}';
  s->p++;
  return 0;
}

/* '-': a parameter, an operator, or the arithmetic one. */
static void
scan_dash (struct scanner *s)
{
  s->p++;
  while (s->p < s->end && isalpha ((unsigned char) *s->p))
    s->p++;
  s->command_position = false;
}

static int
scan_at (struct scanner *s)
{
  s->p++;
  if (s->p < s->end && (*s->p == '(' || *s->p == '{'))
    return 0;
  if (s->p < s->end && isalpha ((unsigned char) *s->p)) { /* splatting */
    while (s->p < s->end && isalnum ((unsigned char) *s->p))
      s->p++;
    return 0;
  }
  return bad (s, "a here-string, or '@' before something unknown");
}

static int
scan_newline (struct scanner *s)
{
  if (*s->p == '\r') {
    if (s->p + 1 == s->end || s->p[1] != '\n')
      return bad (s, "CR without LF");
    s->p++;
  }
  else if (s->whole)
    return bad (s, "LF without CR");
  s->p++;
  s->line++;
  s->command_position = true;
  return 0;
}

static int
scan_one (struct scanner *s)
{
  const char c = *s->p;

  if (v2v_ps_quote_length (s->p) > 0)
    return scan_string (s);
  if (c == '\r' || c == '\n')
    return scan_newline (s);
  if (c == '#' || (c == '<' && s->p[1] == '#'))
    return scan_comment (s);
  if ((unsigned char) c < 0x20 || (unsigned char) c >= 0x7f)
    return bad (s, "something else than ASCII outside of a string");
  if (isalpha ((unsigned char) c) || c == '_')
    return scan_word (s);
  if (isdigit ((unsigned char) c)) {
    while (s->p < s->end && isalnum ((unsigned char) *s->p))
      s->p++;
    s->command_position = false;
    return 0;
  }
  switch (c) {
  case '$':
    return scan_variable (s);
  case '(':
  case '[':
  case '{':
  case ')':
  case ']':
  case '}':
    return scan_bracket (s);
  case '-':
    scan_dash (s);
    return 0;
  case '@':
    return scan_at (s);
  case ' ':
    break;
  case ';':
  case '|':
  case '=':
    s->command_position = true;
    break;
  case '.':
    if (s->command_position)
      return bad (s, "a script or command is run by '.'");
    break;
  case ',':
  case ':':
  case '+':
  case '*':
  case '/':
    s->command_position = false;
    break;
  default:
    return bad (s, "a character that we never write outside of a string");
  }
  s->p++;
  return 0;
}

int
v2v_ps_scan (const char *text, size_t len, bool whole, struct v2v_ps_scan *ret,
             struct v2v_error **err)
{
  struct v2v_ps_scan out = V2V_PS_SCAN_INIT;
  /* Looking one or two characters ahead must stay inside. */
  CLEANUP_FREE char *copy = malloc (len + 4);
  struct scanner s = {
    .whole = whole, .line = 1, .command_position = true, .out = &out, .err = err
  };
  int r = 0;

  if (copy == NULL)
    return v2v_fail_nomem (err);
  memcpy (copy, text, len);
  memset (copy + len, 0, 4);
  s.p = copy;
  s.end = copy + len;
  if (!v2v_is_valid_utf8 (text, len))
    r = bad (&s, "not UTF-8");
  else if (whole && (len < 3 || memcmp (text, "\xef\xbb\xbf", 3) != 0))
    r = bad (&s, "no byte order mark");
  else if (whole)
    s.p += 3;
  while (r == 0 && s.p < s.end)
    r = scan_one (&s);
  if (r == 0 && s.depth != 0)
    r = bad (&s, "a bracket is not closed");
  if (r == -1) {
    v2v_ps_scan_clear (&out);
    return -1;
  }
  *ret = out;
  return 0;
}

void
v2v_ps_scan_clear (struct v2v_ps_scan *s)
{
  for (size_t i = 0; i < s->nr_commands; ++i)
    free (s->commands[i]);
  for (size_t i = 0; i < s->nr_strings; ++i)
    free (s->strings[i]);
  free (s->commands);
  free (s->strings);
  memset (s, 0, sizeof *s);
}
