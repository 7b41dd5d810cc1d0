/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Literals of PowerShell, and putting them into a template.
 *
 * Names come from hostile OVF and VMX files.  Only single-quoted literals are
 * written: in them nothing is special but the quotation mark, of which the
 * tokenizer of PowerShell knows five; each is doubled.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/powershell-check.h"
#include "formats/powershell.h"

/* U+0027 U+2018 U+2019 U+201A U+201B.  A table of its own, not that of the
 * tokenizer: a mark missing in one of the two is then found by the other. */
static const char *const marks[] = { "'", "\xe2\x80\x98", "\xe2\x80\x99",
                                     "\xe2\x80\x9a", "\xe2\x80\x9b" };

/* Length of the quotation mark that TEXT begins with, or 0. */
static size_t
mark_length (const char *text)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (marks); ++i)
    if (strncmp (text, marks[i], strlen (marks[i])) == 0)
      return strlen (marks[i]);
  return 0;
}

static void
add (struct v2v_ps *ps, const char *text, size_t len)
{
  if (!ps->nomem && v2v_str_append_len (&ps->text, text, len) == -1)
    ps->nomem = true;
}

void
v2v_ps_code_ (struct v2v_ps *ps, const char *literal)
{
  add (ps, literal, strlen (literal));
}

/* Characters that end a line for somebody, or hide what follows.  P is valid
 * UTF-8. */
static bool
is_refused (const unsigned char *p)
{
  if (p[0] < 0x20 || p[0] == 0x7f)
    return true;
  if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* C1 */
    return true;
  if (p[0] == 0xd8 && p[1] == 0x9c) /* U+061C */
    return true;
  if (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) /* BOM */
    return true;
  if (p[0] != 0xe2)
    return false;
  /* U+200E, U+200F, U+2028..U+202E, U+2066..U+2069 */
  return (p[1] == 0x80 &&
          (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
         (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

static void
remember (struct v2v_ps *ps, const char *text, size_t len)
{
  char **p = reallocarray (ps->strings, ps->nr_strings + 1, sizeof *p);

  if (p == NULL) {
    ps->nomem = true;
    return;
  }
  ps->strings = p;
  p[ps->nr_strings] = strndup (text, len);
  if (p[ps->nr_strings] == NULL)
    ps->nomem = true;
  else
    ps->nr_strings++;
}

static void
quote (struct v2v_ps *ps, const char *text, size_t len)
{
  const char *const end = text + len;

  if (!v2v_is_valid_utf8 (text, len)) {
    ps->unsafe = true;
    return;
  }
  remember (ps, text, len);
  add (ps, "'", 1);
  while (text < end) {
    const size_t n = mark_length (text);

    if (is_refused ((const unsigned char *) text)) {
      ps->unsafe = true;
      return;
    }
    if (n > 0)
      add (ps, text, n);
    add (ps, text, n > 0 ? n : 1);
    text += n > 0 ? n : 1;
  }
  add (ps, "'", 1);
}

void
v2v_ps_string (struct v2v_ps *ps, const char *text)
{
  quote (ps, text ? text : "", text ? strlen (text) : 0);
}

void
v2v_ps_lines (struct v2v_ps *ps, const char *text)
{
  v2v_ps_code (ps, "(");
  for (;;) {
    const size_t n = strcspn (text, "\n");

    quote (ps, text, n);
    text += n;
    if (*text == '\0')
      break;
    text++;
    v2v_ps_code (ps, " + [char]10 +\n        ");
  }
  v2v_ps_code (ps, ")");
}

void
v2v_ps_number (struct v2v_ps *ps, uint64_t n)
{
  if (!ps->nomem && v2v_str_printf (&ps->text, "%" PRIu64, n) == -1)
    ps->nomem = true;
}

void
v2v_ps_bool (struct v2v_ps *ps, bool b)
{
  v2v_ps_code_ (ps, b ? "$true" : "$false");
}

/* ---- the whole script ---- */

static bool
same_list (char *const *a, size_t nr_a, char *const *b, size_t nr_b)
{
  if (nr_a != nr_b)
    return false;
  for (size_t i = 0; i < nr_a; ++i)
    if (strcmp (a[i], b[i]) != 0)
      return false;
  return true;
}

/* BOM, and CRLF for LF. */
static int
to_windows (struct v2v_str *out, const char *text)
{
  if (v2v_str_append (out, "\xef\xbb\xbf") == -1)
    return -1;
  for (;;) {
    const size_t n = strcspn (text, "\n");

    if (v2v_str_append_len (out, text, n) == -1)
      return -1;
    if (text[n] == '\0')
      return 0;
    if (v2v_str_append (out, "\r\n") == -1)
      return -1;
    text += n + 1;
  }
}

/* Read back what was written.  A failure here is a fault of ours, and no
 * script is better than one that runs a name. */
static int
verify (const struct v2v_ps *ps, const char *template, const char *script,
        struct v2v_error **err)
{
  struct v2v_ps_scan of_data = V2V_PS_SCAN_INIT;
  struct v2v_ps_scan of_template = V2V_PS_SCAN_INIT;
  struct v2v_ps_scan of_script = V2V_PS_SCAN_INIT;
  int r = -1;

  if (v2v_ps_scan (ps->text.ptr, ps->text.len, false, &of_data, err) == -1 ||
      v2v_ps_scan (template, strlen (template), false, &of_template, err) ==
          -1 ||
      v2v_ps_scan (script, strlen (script), true, &of_script, err) == -1)
    v2v_prefix (err, "the script that was made does not pass its own check");
  else if (of_data.nr_commands != 0 ||
           !same_list (of_data.strings, of_data.nr_strings, ps->strings,
                       ps->nr_strings) ||
           !same_list (of_script.commands, of_script.nr_commands,
                       of_template.commands, of_template.nr_commands) ||
           of_script.nr_strings != of_template.nr_strings + of_data.nr_strings)
    v2v_fail (err, V2V_ERR_FORMAT,
              "the script that was made does not pass its own check: a value "
              "does not stay a value");
  else
    r = 0;
  v2v_ps_scan_clear (&of_data);
  v2v_ps_scan_clear (&of_template);
  v2v_ps_scan_clear (&of_script);
  return r;
}

static char *
assemble (const struct v2v_ps *ps, const char *template, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str all = V2V_STR_INIT;
  CLEANUP_STR struct v2v_str windows = V2V_STR_INIT;
  const char *mark = strstr (template, V2V_PS_MARK);

  if (mark == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "a template without its mark");
    return NULL;
  }
  if (v2v_str_append_len (&all, template, (size_t) (mark - template)) == -1 ||
      v2v_str_append_len (&all, ps->text.ptr, ps->text.len) == -1 ||
      v2v_str_append (&all, mark + strlen (V2V_PS_MARK)) == -1 ||
      to_windows (&windows, all.ptr) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (verify (ps, template, windows.ptr, err) == -1)
    return NULL;
  return STEAL (windows.ptr);
}

char *
v2v_ps_finish (struct v2v_ps *ps, const char *template, struct v2v_error **err)
{
  char *script = NULL;

  add (ps, "", 0);
  if (ps->nomem)
    v2v_fail_nomem (err);
  else if (ps->unsafe)
    v2v_fail (err, V2V_ERR_FORMAT,
              "a value has control characters or is not UTF-8");
  else
    script = assemble (ps, template, err);
  v2v_str_free (&ps->text);
  for (size_t i = 0; i < ps->nr_strings; ++i)
    free (ps->strings[i]);
  free (ps->strings);
  memset (ps, 0, sizeof *ps);
  return script;
}
