/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2vfirstboot.exe
 *
 *   (no argument)            the service: started by the control manager at
 *                            every start of Windows until all is done
 *   --console FOLDER         the same for a test, in FOLDER: restarts are
 *                            exit statuses (enum fb_result)
 *   --network FILE [--print | --wait SECONDS]
 *   --remove-ghosts          called by our scripts
 *
 * A script that waits for something that may come later (an adapter) keeps the
 * service; it runs again at each start of Windows, with a bound.
 *
 * When all scripts have run, scripts and state are wiped, the service is
 * deleted, and the folder goes as soon as this program has ended.  What stays
 * is the log and the sentinel beside the folder: firstboot.log,
 * firstboot.complete.
 */

#include "fb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SERVICE_STATUS_HANDLE status_handle;
static HANDLE stop_event;

/* BASE\..\NAME */
static bool
beside (wchar_t out[FB_PATH], const wchar_t *base, const wchar_t *name)
{
  wchar_t parent[FB_PATH], *slash;

  if (wcslen (base) >= FB_PATH)
    return false;
  wcscpy (parent, base);
  slash = wcsrchr (parent, L'\\');
  if (slash == NULL)
    return false;
  *slash = L'\0';
  return fb_join (out, parent, name);
}

/* What a script started is ended, but may be in its folder for another
 * moment. */
static void
wipe_folder (const wchar_t *base, const wchar_t *name)
{
  wchar_t path[FB_PATH];

  if (!fb_join (path, base, name))
    return;
  for (int tries = 0; tries < 25 && fb_is_folder (path); ++tries) {
    if (tries > 0)
      Sleep (200);
    fb_wipe_tree (path, 1);
  }
}

/* Scripts, state and what else lies in the folder, but not this program. */
static void
wipe_contents (const wchar_t *base)
{
  static const wchar_t *const folders[] = { L"scripts",     L"scripts-done",
                                            L"later",       L"attempts",
                                            L"interrupted", L"stopped",
                                            L"files" };
  static const wchar_t *const files[] = { L"running", L"due", L"off" };
  wchar_t path[FB_PATH];

  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; ++i)
    wipe_folder (base, folders[i]);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; ++i)
    if (fb_join (path, base, files[i]))
      DeleteFileW (path);
}

static void
write_sentinel (const wchar_t *base)
{
  wchar_t path[FB_PATH];

  if (beside (path, base, L"firstboot.complete"))
    fb_write (path, "all scripts of the first boot have run\r\n", false);
}

static void
delete_service (void)
{
  SC_HANDLE scm = OpenSCManagerW (NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE s = NULL;

  if (scm != NULL)
    s = OpenServiceW (scm, FB_SERVICE, DELETE);
  if (s == NULL || !DeleteService (s))
    fb_log_error (L"removing the service", GetLastError ());
  if (s != NULL)
    CloseServiceHandle (s);
  if (scm != NULL)
    CloseServiceHandle (scm);
}

/* A running program cannot delete itself.  Before a restart the system does
 * it; otherwise cmd tries each second for a while. */
static void
delete_folder (const wchar_t *base, bool restart)
{
  wchar_t program[FB_PATH], cmd[FB_PATH], line[3 * FB_PATH], parent[FB_PATH];
  STARTUPINFOW si = { .cb = sizeof si };
  PROCESS_INFORMATION pi;

  if (GetModuleFileNameW (NULL, program, FB_PATH) >= FB_PATH)
    return;
  if (restart) {
    MoveFileExW (program, NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
    MoveFileExW (base, NULL, MOVEFILE_DELAY_UNTIL_REBOOT);
    return;
  }
  /* The folder is ours and named by us: "firstboot", below PARENT. */
  if (!fb_system32 (cmd, L"cmd.exe") || !beside (parent, base, L"."))
    return;
  wsprintfW (line,
             L"\"%s\" /d /q /c for /l %%i in (1,1,15) do "
             L"(ping -n 2 127.0.0.1 >nul & rd /s /q firstboot 2>nul)",
             cmd);
  if (CreateProcessW (NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL,
                      parent, &si, &pi)) {
    CloseHandle (pi.hThread);
    CloseHandle (pi.hProcess);
  }
}

static void
shut_down (bool restart)
{
  HANDLE token;
  TOKEN_PRIVILEGES p = { .PrivilegeCount = 1 };

  if (OpenProcessToken (GetCurrentProcess (),
                        TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token)) {
    if (LookupPrivilegeValueW (NULL, L"SeShutdownPrivilege",
                               &p.Privileges[0].Luid)) {
      p.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
      AdjustTokenPrivileges (token, FALSE, &p, 0, NULL, NULL);
    }
    CloseHandle (token);
  }
  if (!InitiateSystemShutdownExW (NULL, NULL, 0, TRUE, restart,
                                  SHTDN_REASON_MAJOR_SOFTWARE |
                                      SHTDN_REASON_MINOR_RECONFIG |
                                      SHTDN_REASON_FLAG_PLANNED) &&
      !ExitWindowsEx ((restart ? EWX_REBOOT : EWX_POWEROFF) | EWX_FORCE,
                      SHTDN_REASON_MAJOR_SOFTWARE | SHTDN_REASON_FLAG_PLANNED))
    fb_log_error (L"restarting", GetLastError ());
}

/* What an offline tool wrote has no access control: until this everybody
 * could have changed the scripts, or renamed the folder by way of the one that
 * it lies in, and put a program of his own in its place. */
static void
lock_folders (const wchar_t *base)
{
  wchar_t parent[FB_PATH], *slash;

  if (wcslen (base) < FB_PATH) {
    wcscpy (parent, base);
    slash = wcsrchr (parent, L'\\');
    if (slash != NULL) {
      *slash = L'\0';
      slash = wcsrchr (parent, L'\\');
    }
    /* Only the one that the conversion made. */
    if (slash != NULL && _wcsicmp (slash + 1, L"v2v") == 0)
      fb_lock_folder (parent);
  }
  fb_lock_tree (base, 0);
}

static enum fb_result
run (const wchar_t *base, bool is_service)
{
  struct fb_runner r = { base, stop_event, is_service };
  wchar_t path[FB_PATH];
  enum fb_result result;

  if (beside (path, base, L"firstboot.log"))
    fb_log_open (path);
  fb_log (L"v2v first boot begins");
  if (is_service) {
    lock_folders (base);
    if (fb_log_handle () != NULL)
      fb_lock_tree (path, 0);
  }
  result = fb_runner_run (&r);
  switch (result) {
  case FB_COMPLETE:
  case FB_COMPLETE_RESTART:
  case FB_COMPLETE_OFF:
    fb_log (L"complete");
    wipe_contents (base);
    write_sentinel (base);
    if (is_service) {
      delete_service ();
      delete_folder (base, result != FB_COMPLETE);
    }
    break;
  case FB_WAITING:
  case FB_WAITING_OFF:
    fb_log (L"the service stays for the next start");
    /* They may hold passwords, and the next start may be far. */
    wipe_folder (base, L"scripts-done");
    break;
  case FB_RESTART:
  case FB_HALTED:
    break;
  }
  if (result == FB_COMPLETE_RESTART || result == FB_RESTART)
    fb_log (L"restart");
  if (result == FB_COMPLETE_OFF || result == FB_WAITING_OFF)
    fb_log (L"switch off");
  if (is_service && result != FB_COMPLETE && result != FB_HALTED &&
      result != FB_WAITING)
    shut_down (result != FB_COMPLETE_OFF && result != FB_WAITING_OFF);
  fb_log_close ();
  return result;
}

/* ---- the service ---- */

static void
report (DWORD state)
{
  SERVICE_STATUS s = { .dwServiceType = SERVICE_WIN32_OWN_PROCESS,
                       .dwCurrentState = state };

  if (state == SERVICE_RUNNING)
    s.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
  if (state == SERVICE_STOP_PENDING)
    s.dwWaitHint = 20000;
  SetServiceStatus (status_handle, &s);
}

static DWORD WINAPI
control (DWORD code, DWORD type, void *data, void *context)
{
  (void) type;
  (void) data;
  (void) context;
  switch (code) {
  case SERVICE_CONTROL_STOP:
  case SERVICE_CONTROL_SHUTDOWN:
    report (SERVICE_STOP_PENDING);
    SetEvent (stop_event);
    return NO_ERROR;
  case SERVICE_CONTROL_INTERROGATE:
    return NO_ERROR;
  }
  return ERROR_CALL_NOT_IMPLEMENTED;
}

static void WINAPI
service_main (DWORD argc, wchar_t **argv)
{
  wchar_t base[FB_PATH], *slash;
  const DWORD n = GetModuleFileNameW (NULL, base, FB_PATH);

  (void) argc;
  (void) argv;
  stop_event = CreateEventW (NULL, TRUE, FALSE, NULL);
  status_handle = RegisterServiceCtrlHandlerExW (FB_SERVICE, control, NULL);
  if (status_handle == NULL)
    return;
  report (SERVICE_RUNNING);
  if (n > 0 && n < FB_PATH && (slash = wcsrchr (base, L'\\')) != NULL) {
    *slash = L'\0';
    run (base, true);
  }
  report (SERVICE_STOPPED);
}

/* ---- the command line ---- */

static int
network (int argc, wchar_t **argv)
{
  DWORD wait = 300; /* Plug and Play has five minutes */
  wchar_t text[16];
  bool print = false;

  /* For tests of whole scripts. */
  if (GetEnvironmentVariableW (L"V2V_NETWORK_WAIT", text, 16) > 0)
    wait = wcstoul (text, NULL, 10);
  for (int i = 3; i < argc; ++i) {
    if (wcscmp (argv[i], L"--print") == 0)
      print = true;
    else if (wcscmp (argv[i], L"--wait") == 0 && i + 1 < argc)
      wait = wcstoul (argv[++i], NULL, 10);
    else
      return 2;
  }
  return fb_network (argv[2], wait, print);
}

int wmain (int argc, wchar_t **argv);

int
wmain (int argc, wchar_t **argv)
{
  static wchar_t name[] = FB_SERVICE;
  const SERVICE_TABLE_ENTRYW table[] = { { name, service_main },
                                         { NULL, NULL } };

  if (argc == 1)
    return StartServiceCtrlDispatcherW (table) ? 0 : 1;
  if (argc == 3 && wcscmp (argv[1], L"--console") == 0) {
    wchar_t base[FB_PATH];
    const DWORD n = GetFullPathNameW (argv[2], FB_PATH, base, NULL);

    if (n == 0 || n >= FB_PATH)
      return 2;
    return (int) run (base, false);
  }
  /* A script's output is in the log already. */
  fb_log_use (GetStdHandle (STD_OUTPUT_HANDLE));
  if (argc >= 3 && wcscmp (argv[1], L"--network") == 0)
    return network (argc, argv);
  if (argc == 2 && wcscmp (argv[1], L"--remove-ghosts") == 0) {
    fb_remove_ghosts (false);
    return 0;
  }
  return 2;
}
