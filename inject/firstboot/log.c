/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log: opened for appending only, so that what the children write through
 * the same handle never lands on top of our lines.
 */

#include "fb.h"

#include <stdarg.h>
#include <stdio.h>

static HANDLE log_file = NULL;

bool
fb_log_open (const wchar_t *path)
{
  SECURITY_ATTRIBUTES inherit = { sizeof inherit, NULL, TRUE };
  HANDLE h = CreateFileW (path, FILE_APPEND_DATA | SYNCHRONIZE,
                          FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                          OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);

  if (h == INVALID_HANDLE_VALUE)
    return false;
  log_file = h;
  return true;
}

void
fb_log_use (HANDLE h)
{
  log_file = h == INVALID_HANDLE_VALUE ? NULL : h;
}

HANDLE
fb_log_handle (void)
{
  return log_file;
}

void
fb_log_close (void)
{
  if (log_file != NULL)
    CloseHandle (log_file);
  log_file = NULL;
}

void
fb_log (const wchar_t *fmt, ...)
{
  wchar_t line[2048];
  char utf8[3 * 2048];
  SYSTEMTIME t;
  DWORD written;
  va_list ap;
  int n, len;

  GetSystemTime (&t);
  n = _snwprintf (line, 64, L"%04u-%02u-%02u %02u:%02u:%02uZ ", t.wYear,
                  t.wMonth, t.wDay, t.wHour, t.wMinute, t.wSecond);
  if (n < 0)
    n = 0;
  va_start (ap, fmt);
  /* Cut, never longer; msvcrt does not terminate what it cut. */
  _vsnwprintf (line + n, 2044 - (size_t) n, fmt, ap);
  va_end (ap);
  line[2044] = L'\0';
  wcscat (line, L"\r\n");
  len =
      WideCharToMultiByte (CP_UTF8, 0, line, -1, utf8, sizeof utf8, NULL, NULL);
  if (len > 1 && log_file != NULL)
    WriteFile (log_file, utf8, (DWORD) len - 1, &written, NULL);
}

void
fb_log_error (const wchar_t *what, DWORD error)
{
  wchar_t text[512] = L"";
  DWORD n = FormatMessageW (FORMAT_MESSAGE_FROM_SYSTEM |
                                FORMAT_MESSAGE_IGNORE_INSERTS,
                            NULL, error, 0, text, 511, NULL);

  while (n > 0 && (text[n - 1] == L'\n' || text[n - 1] == L'\r'))
    text[--n] = L'\0';
  fb_log (L"%ls: error %lu %ls", what, (unsigned long) error, text);
}
