/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing the page: every text that is not ours is escaped, and isolated from
 * the direction of what is around it (<bdi>).  The style follows the reader's
 * choice of light or dark, and narrow windows.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "library/report-internal.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>Library</title>\n<style>\n"
    ":root { --bg: #fff; --fg: #1b1f24; --soft: #57606a; --line: #d0d7de; "
    "--card: #f6f8fa; --bar: #0969da; --bad: #b42318; --warn: #8a5a00; "
    "--good: #1a7f37 }\n"
    "@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; "
    "--fg: #e6edf3; --soft: #9aa4af; --line: #30363d; --card: #161b22; "
    "--bar: #4493f8; --bad: #ff7b72; --warn: #e3b341; --good: #56d364 } }\n"
    "* { box-sizing: border-box }\n"
    "body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; "
    "background: var(--bg); color: var(--fg); font: 16px/1.5 system-ui, "
    "sans-serif }\n"
    "h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere }\n"
    "h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem }\n"
    "p { margin: .25rem 0 } .soft { color: var(--soft) }\n"
    ".cards { display: grid; gap: .75rem; margin: 1.25rem 0 0; "
    "grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)) }\n"
    ".card { background: var(--card); border: 1px solid var(--line); "
    "border-radius: .5rem; padding: .75rem 1rem }\n"
    ".card b { display: block; font-size: 1.4rem; "
    "font-variant-numeric: tabular-nums }\n"
    ".wrap { overflow-x: auto; border: 1px solid var(--line); "
    "border-radius: .5rem }\n"
    "table { border-collapse: collapse; width: 100%; "
    "font-variant-numeric: tabular-nums }\n"
    "th, td { text-align: left; padding: .4rem .75rem; "
    "border-bottom: 1px solid var(--line); vertical-align: top }\n"
    "th { background: var(--card); font-weight: 600; white-space: nowrap }\n"
    "tr:last-child td { border-bottom: 0 }\n"
    "td.n, th.n { text-align: right; white-space: nowrap }\n"
    "td.name { min-width: 9rem; overflow-wrap: anywhere }\n"
    "td.say { min-width: 15rem; width: 60% }\n"
    "code { font: .85em ui-monospace, monospace; color: var(--soft) }\n"
    ".bad { color: var(--bad) } .warn { color: var(--warn) } "
    ".good { color: var(--good) }\n"
    ".tree, .tree ul { list-style: none; margin: 0; padding: 0 }\n"
    ".tree ul { margin-left: .6rem; padding-left: 1rem; "
    "border-left: 2px solid var(--line) }\n"
    ".tree > li { background: var(--card); border: 1px solid var(--line); "
    "border-radius: .5rem; padding: .6rem .9rem; margin-bottom: .75rem }\n"
    ".tree li li { margin-top: .4rem; overflow-wrap: anywhere }\n"
    ".tree .size { color: var(--soft); font-size: .9em }\n"
    ".tag { display: inline-block; border: 1px solid currentColor; "
    "border-radius: 1rem; padding: 0 .5rem; font-size: .8em; "
    "white-space: nowrap }\n"
    ".meter { background: var(--line); border-radius: .25rem; height: .6rem; "
    "min-width: 6rem } .meter i { display: block; height: 100%; "
    "border-radius: .25rem; background: var(--bar) }\n"
    "details > summary { cursor: pointer; color: var(--soft) }\n"
    ".tree ul.plain { list-style: disc; margin: .25rem 0 .5rem; border: 0; "
    "padding-left: 1.4rem; font-size: .9em } "
    ".tree ul.plain li { margin: 0 }\n"
    "@media (max-width: 40rem) { body { font-size: 15px; padding: 1rem .75rem "
    "3rem } .tree ul { margin-left: .2rem; padding-left: .6rem } }\n"
    "@media print { .wrap { overflow: visible } }\n"
    "</style>\n</head>\n<body>\n";

void
page_text (struct page *p, const char *text)
{
  p->failed |= v2v_str_append (&p->out, text) == -1;
}

void
page_format (struct page *p, const char *fmt, ...)
{
  char buf[512];
  va_list args;
  int n;

  /* Numbers and words of ours only: they fit. */
  va_start (args, fmt);
  n = vsnprintf (buf, sizeof buf, fmt, args);
  va_end (args);
  p->failed |=
      n < 0 || (size_t) n >= sizeof buf || v2v_str_append (&p->out, buf) == -1;
}

/* One of "&<>\"'" or a character that no page may have (XML 1.0, 2.2, to be
 * safe for what reads it next): its replacement, or NULL. */
static const char *
escape (unsigned char c)
{
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  }
  return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? "&#xfffd;" : NULL;
}

void
page_escape (struct page *p, const char *text)
{
  const char *from = text;

  for (const char *s = text; *s != '\0'; ++s) {
    const char *e = escape ((unsigned char) *s);

    if (e == NULL)
      continue;
    p->failed |=
        v2v_str_append_len (&p->out, from, (size_t) (s - from)) == -1 ||
        v2v_str_append (&p->out, e) == -1;
    from = s + 1;
  }
  page_text (p, from);
}

void
page_name (struct page *p, const char *text)
{
  page_text (p, "<bdi>");
  page_escape (p, text);
  page_text (p, "</bdi>");
}

void
page_size (struct page *p, uint64_t bytes)
{
  char buf[32];

  page_text (p, v2v_format_size (bytes, buf));
}

void
page_begin (struct page *p)
{
  page_text (p, head);
}

void
page_end (struct page *p)
{
  page_text (p, "</body>\n</html>\n");
}
