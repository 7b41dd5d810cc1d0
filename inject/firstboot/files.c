/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the runner: small, in folders of our own. */

#include "fb.h"

#include <aclapi.h>
#include <sddl.h>
#include <string.h>

/* Our tree is three deep. */
#define MAX_DEPTH 8

bool
fb_join (wchar_t out[FB_PATH], const wchar_t *dir, const wchar_t *name)
{
  const size_t d = wcslen (dir), n = wcslen (name);

  if (d + n + 2 > FB_PATH)
    return false;
  memmove (out, dir, d * sizeof *dir);
  out[d] = L'\\';
  memcpy (out + d + 1, name, (n + 1) * sizeof *name);
  return true;
}

bool
fb_is_file (const wchar_t *path)
{
  const DWORD a = GetFileAttributesW (path);

  return a != INVALID_FILE_ATTRIBUTES && !(a & FILE_ATTRIBUTE_DIRECTORY);
}

bool
fb_is_folder (const wchar_t *path)
{
  const DWORD a = GetFileAttributesW (path);

  return a != INVALID_FILE_ATTRIBUTES && (a & FILE_ATTRIBUTE_DIRECTORY);
}

static HANDLE
open_file (const wchar_t *path, DWORD access, DWORD how)
{
  return CreateFileW (path, access, FILE_SHARE_READ, NULL, how,
                      FILE_ATTRIBUTE_NORMAL, NULL);
}

DWORD
fb_file_size (const wchar_t *path)
{
  HANDLE h = open_file (path, GENERIC_READ, OPEN_EXISTING);
  DWORD size;

  if (h == INVALID_HANDLE_VALUE)
    return 0;
  size = GetFileSize (h, NULL);
  CloseHandle (h);
  return size == INVALID_FILE_SIZE ? 0 : size;
}

DWORD
fb_read (const wchar_t *path, char *buf, DWORD len)
{
  HANDLE h = open_file (path, GENERIC_READ, OPEN_EXISTING);
  DWORD n = 0;

  buf[0] = '\0';
  if (h == INVALID_HANDLE_VALUE)
    return 0;
  if (!ReadFile (h, buf, len - 1, &n, NULL))
    n = 0;
  CloseHandle (h);
  buf[n] = '\0';
  return n;
}

bool
fb_write (const wchar_t *path, const char *text, bool append)
{
  HANDLE h = open_file (path, append ? FILE_APPEND_DATA : GENERIC_WRITE,
                        append ? OPEN_ALWAYS : CREATE_ALWAYS);
  const DWORD len = (DWORD) strlen (text);
  DWORD n = 0;
  bool ok;

  if (h == INVALID_HANDLE_VALUE)
    return false;
  ok = WriteFile (h, text, len, &n, NULL) && n == len && FlushFileBuffers (h);
  CloseHandle (h);
  return ok;
}

void
fb_wipe (const wchar_t *path)
{
  static const char zeros[4096];
  HANDLE h;
  DWORD left, n;

  SetFileAttributesW (path, FILE_ATTRIBUTE_NORMAL);
  h = open_file (path, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
  if (h != INVALID_HANDLE_VALUE) {
    left = GetFileSize (h, NULL);
    while (left != INVALID_FILE_SIZE && left > 0) {
      const DWORD part = left < sizeof zeros ? left : (DWORD) sizeof zeros;

      if (!WriteFile (h, zeros, part, &n, NULL) || n == 0)
        break;
      left -= n;
    }
    FlushFileBuffers (h);
    CloseHandle (h);
  }
  DeleteFileW (path);
}

/* Call EACH for what is in the folder, folders that are links left out. */
static void
walk (const wchar_t *path, unsigned depth,
      void (*each) (const wchar_t *path, bool folder, unsigned depth))
{
  wchar_t pattern[FB_PATH], child[FB_PATH];
  WIN32_FIND_DATAW d;
  HANDLE find;

  if (depth > MAX_DEPTH || !fb_join (pattern, path, L"*"))
    return;
  find = FindFirstFileW (pattern, &d);
  if (find == INVALID_HANDLE_VALUE)
    return;
  do {
    if (wcscmp (d.cFileName, L".") == 0 || wcscmp (d.cFileName, L"..") == 0)
      continue;
    if (d.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
      continue;
    if (fb_join (child, path, d.cFileName))
      each (child, (d.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0,
            depth + 1);
  } while (FindNextFileW (find, &d));
  FindClose (find);
}

static void
wipe_one (const wchar_t *path, bool folder, unsigned depth)
{
  if (folder)
    fb_wipe_tree (path, depth);
  else
    fb_wipe (path);
}

void
fb_wipe_tree (const wchar_t *path, unsigned depth)
{
  walk (path, depth, wipe_one);
  RemoveDirectoryW (path);
}

static void
lock (const wchar_t *path, bool folder)
{
  /* Protected: nothing is inherited; system and administrators: everything. */
  static const wchar_t sddl[] = L"D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  static const wchar_t sddl_file[] = L"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)";
  wchar_t copy[FB_PATH];
  PSECURITY_DESCRIPTOR sd = NULL;
  BOOL present = FALSE, defaulted = FALSE;
  PACL dacl = NULL;
  DWORD e;

  if (wcslen (path) >= FB_PATH ||
      !ConvertStringSecurityDescriptorToSecurityDescriptorW (
          folder ? sddl : sddl_file, SDDL_REVISION_1, &sd, NULL))
    return;
  wcscpy (copy, path);
  if (GetSecurityDescriptorDacl (sd, &present, &dacl, &defaulted) && present) {
    e = SetNamedSecurityInfoW (copy, SE_FILE_OBJECT,
                               DACL_SECURITY_INFORMATION |
                                   PROTECTED_DACL_SECURITY_INFORMATION,
                               NULL, NULL, dacl, NULL);
    if (e != ERROR_SUCCESS)
      fb_log_error (path, e);
  }
  LocalFree (sd);
}

/* A folder before what is in it: nobody can exchange that meanwhile. */
static void
lock_one (const wchar_t *path, bool folder, unsigned depth)
{
  lock (path, folder);
  if (folder)
    fb_lock_tree (path, depth);
}

void
fb_lock_folder (const wchar_t *path)
{
  if (fb_is_folder (path))
    lock (path, true);
}

void
fb_lock_tree (const wchar_t *path, unsigned depth)
{
  if (depth == 0)
    lock_one (path, fb_is_folder (path), 1);
  else
    walk (path, depth, lock_one);
}
