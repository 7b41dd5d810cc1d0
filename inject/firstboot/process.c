/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a program with a time limit, together with all it starts. */

#include "fb.h"

bool
fb_system32 (wchar_t out[FB_PATH], const wchar_t *name)
{
  typedef BOOL (WINAPI * is_wow64_fn) (HANDLE, PBOOL);
  wchar_t root[MAX_PATH], folder[FB_PATH];
  const UINT n = GetWindowsDirectoryW (root, MAX_PATH);
  is_wow64_fn is_wow64 = (is_wow64_fn) (void (*) (void)) GetProcAddress (
      GetModuleHandleW (L"kernel32.dll"), "IsWow64Process");
  BOOL wow64 = FALSE;

  if (n == 0 || n >= MAX_PATH)
    return false;
  /* A 32-bit program on a 64-bit Windows sees the 64-bit System32 there. */
  if (is_wow64 != NULL && is_wow64 (GetCurrentProcess (), &wow64) && wow64 &&
      fb_join (folder, root, L"Sysnative") && fb_join (out, folder, name) &&
      fb_is_file (out))
    return true;
  return fb_join (folder, root, L"System32") && fb_join (out, folder, name);
}

/* A job holds the process and its children; where there is none, the process
 * alone is ended. */
static void
end_process (HANDLE job, HANDLE process)
{
  if (job == NULL || !TerminateJobObject (job, 1))
    TerminateProcess (process, 1);
  WaitForSingleObject (process, 10000);
}

enum fb_ended
fb_run (wchar_t *command, const wchar_t *cwd, DWORD seconds, HANDLE stop,
        DWORD *ret_status)
{
  SECURITY_ATTRIBUTES inherit = { sizeof inherit, NULL, TRUE };
  HANDLE nul = CreateFileW (L"NUL", GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                            OPEN_EXISTING, 0, NULL);
  HANDLE job = CreateJobObjectW (NULL, NULL);
  STARTUPINFOW si = { .cb = sizeof si, .dwFlags = STARTF_USESTDHANDLES };
  PROCESS_INFORMATION pi;
  enum fb_ended ended = FB_EXITED;
  HANDLE wait[2];
  DWORD which;

  si.hStdInput = nul;
  si.hStdOutput = si.hStdError = fb_log_handle () ? fb_log_handle () : nul;
  if (!CreateProcessW (NULL, command, NULL, NULL, TRUE,
                       CREATE_NO_WINDOW | CREATE_SUSPENDED, NULL, cwd, &si,
                       &pi)) {
    fb_log_error (command, GetLastError ());
    ended = FB_NOT_STARTED;
    goto out;
  }
  if (job != NULL && !AssignProcessToJobObject (job, pi.hProcess)) {
    CloseHandle (job);
    job = NULL;
  }
  ResumeThread (pi.hThread);
  wait[0] = pi.hProcess;
  wait[1] = stop;
  which = WaitForMultipleObjects (stop != NULL ? 2 : 1, wait, FALSE,
                                  seconds * 1000);
  if (which == WAIT_TIMEOUT)
    ended = FB_TIME_OUT;
  else if (which != WAIT_OBJECT_0)
    ended = FB_STOPPED;
  if (ended != FB_EXITED)
    end_process (job, pi.hProcess);
  if (!GetExitCodeProcess (pi.hProcess, ret_status))
    *ret_status = 1;
  CloseHandle (pi.hThread);
  CloseHandle (pi.hProcess);
out:
  if (job != NULL)
    CloseHandle (job);
  if (nul != INVALID_HANDLE_VALUE)
    CloseHandle (nul);
  return ended;
}
