/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contract of the scripts, after the one that virt-v2v made a custom
 * (guest-windows section 10) with the differences named here.
 *
 *   firstboot\scripts\NNNN-NAME.cmd|.bat|.ps1   run in the order of their names
 *
 * A script is moved to scripts-done BEFORE it runs, so that one that takes the
 * machine down does not do so for ever.  Its exit status:
 *   248   once more at the next start of Windows, whenever that is: the scripts
 *         behind it run now, and what is due does not wait for it; given up
 *         after MAX_LATER.  The service stays until then.
 *   249   once more after a restart, which follows at once: the scripts behind
 *         it wait; given up after MAX_ATTEMPTS
 *   250   done, no restart needed
 *   251   done, restart at once, then go on with the next
 *   252   done, switch the machine off when all are done
 *   else  done; a restart is due, ONE for all, when the last has run (virt-v2v
 *         restarts after each); other than 0, 1641 and 3010 is logged as a
 *         failure, which stops nothing
 *
 * What is due when all are done is kept across restarts and ends of the service
 * between.  A script that is ended since the service has to stop (someone shuts
 * Windows down) runs again at the next start if it can, at most MAX_ATTEMPTS
 * times.
 *
 * In the first 2 KiB of a script:
 *   v2v-time-limit: SECONDS   instead of an hour; it is ended with its children
 *   v2v-run-again: yes        it can be run again after it was interrupted by
 *                             a crash or a restart of someone else
 *
 * Scripts see V2V_FIRSTBOOT (this folder), V2V_PROGRAM (this program) and
 * V2V_ATTEMPT (1, 2 ...).  Their output goes to the log.
 */

#include "fb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_LATER       248
#define EXIT_RETRY       249
#define EXIT_NO_RESTART  250
#define EXIT_RESTART_NOW 251
#define EXIT_SWITCH_OFF  252

/* A restart takes minutes: ten of them are an evening. */
#define MAX_ATTEMPTS 10
/* Starts of Windows that someone else wanted: a month of them. */
#define MAX_LATER 30
/* Interrupted so often: it is the script that takes the machine down. */
#define MAX_INTERRUPTED 3
#define DEFAULT_LIMIT   3600
#define MAX_LIMIT       86400
/* Names are NNNN-...: more than this is not ours. */
#define MAX_SCRIPTS 10000
#define MAX_NAME    128

/* Scripts that ask for the next start wait there, so that nothing of this start
 * takes them for new ones. */
static const wchar_t later[] = L"later";

struct scripts {
  wchar_t (*names)[MAX_NAME];
  size_t nr;
};

static bool
has_suffix (const wchar_t *name, const wchar_t *suffix)
{
  const size_t n = wcslen (name), s = wcslen (suffix);

  return n > s && _wcsicmp (name + n - s, suffix) == 0;
}

/* NNNN- and characters that no interpreter knows as special: that is why
 * nothing has to be quoted. */
static bool
is_script (const wchar_t *name)
{
  size_t i = 0;

  if (wcslen (name) >= MAX_NAME)
    return false;
  for (; i < 4; ++i)
    if (name[i] < L'0' || name[i] > L'9')
      return false;
  if (name[i] != L'-')
    return false;
  for (; name[i]; ++i)
    if (!((name[i] >= L'a' && name[i] <= L'z') ||
          (name[i] >= L'A' && name[i] <= L'Z') ||
          (name[i] >= L'0' && name[i] <= L'9') || name[i] == L'.' ||
          name[i] == L'-' || name[i] == L'_'))
      return false;
  return has_suffix (name, L".cmd") || has_suffix (name, L".bat") ||
         has_suffix (name, L".ps1");
}

static int
compare (const void *a, const void *b)
{
  return _wcsicmp (a, b);
}

static void
list_scripts (const wchar_t *folder, struct scripts *s)
{
  wchar_t pattern[FB_PATH];
  WIN32_FIND_DATAW d;
  HANDLE find;

  s->nr = 0;
  if (!fb_join (pattern, folder, L"*"))
    return;
  find = FindFirstFileW (pattern, &d);
  if (find == INVALID_HANDLE_VALUE)
    return;
  do {
    if (d.dwFileAttributes &
        (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT))
      continue;
    if (!is_script (d.cFileName))
      fb_log (L"ignored: %ls", d.cFileName);
    else if (s->nr < MAX_SCRIPTS)
      wcscpy (s->names[s->nr++], d.cFileName);
  } while (FindNextFileW (find, &d));
  FindClose (find);
  qsort (s->names, s->nr, sizeof *s->names, compare);
}

/* ---- state: survives a crash since each is one small file ---- */

/* How often NAME was begun for KIND ("attempts", "interrupted"): the size of
 * a file that grows by a byte. */
static DWORD
count_up (const struct fb_runner *r, const wchar_t *kind, const wchar_t *name)
{
  wchar_t folder[FB_PATH], path[FB_PATH];

  if (!fb_join (folder, r->base, kind) || !fb_join (path, folder, name))
    return MAX_ATTEMPTS;
  CreateDirectoryW (folder, NULL);
  if (!fb_write (path, "x", true))
    return MAX_ATTEMPTS;
  return fb_file_size (path);
}

/* What is due when all are done is remembered across restarts: "due" or "off"
 * is a file whose being there says it. */
static void
remember (const struct fb_runner *r, const wchar_t *what)
{
  wchar_t path[FB_PATH];

  if (fb_join (path, r->base, what) && !fb_is_file (path))
    fb_write (path, "yes", false);
}

static bool
is_remembered (const struct fb_runner *r, const wchar_t *what)
{
  wchar_t path[FB_PATH];

  return fb_join (path, r->base, what) && fb_is_file (path);
}

/* A restart comes: none is due any more. */
static void
forget (const struct fb_runner *r, const wchar_t *what)
{
  wchar_t path[FB_PATH];

  if (fb_join (path, r->base, what))
    DeleteFileW (path);
}

static DWORD
header_number (const wchar_t *path, const char *key, DWORD otherwise, DWORD max)
{
  char head[2048];
  const char *p;
  unsigned long v;

  fb_read (path, head, sizeof head);
  p = strstr (head, key);
  if (p == NULL)
    return otherwise;
  v = strtoul (p + strlen (key), NULL, 10);
  return v == 0 || v > max ? otherwise : v;
}

static bool
can_run_again (const wchar_t *path)
{
  char head[2048];

  fb_read (path, head, sizeof head);
  return strstr (head, "v2v-run-again: yes") != NULL;
}

static bool
move_script (const struct fb_runner *r, const wchar_t *name,
             const wchar_t *from, const wchar_t *to)
{
  wchar_t a[FB_PATH], b[FB_PATH], old[FB_PATH], new[FB_PATH];

  return fb_join (a, r->base, from) && fb_join (b, r->base, to) &&
         (CreateDirectoryW (b, NULL) ||
          GetLastError () == ERROR_ALREADY_EXISTS) &&
         fb_join (old, a, name) && fb_join (new, b, name) &&
         MoveFileExW (old, new,
                      MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

/* What asked for the next start: this is it. */
static void
take_back (const struct fb_runner *r, struct scripts *s)
{
  wchar_t folder[FB_PATH];

  if (!fb_join (folder, r->base, later))
    return;
  list_scripts (folder, s);
  for (size_t i = 0; i < s->nr; ++i)
    move_script (r, s->names[i], later, L"scripts");
}

/* The machine went down while a script ran. */
static void
look_for_interrupted (const struct fb_runner *r)
{
  wchar_t running[FB_PATH], name[MAX_NAME], folder[FB_PATH], path[FB_PATH];
  char text[MAX_NAME];

  if (!fb_join (running, r->base, L"running") || !fb_is_file (running))
    return;
  fb_read (running, text, sizeof text);
  DeleteFileW (running);
  if (MultiByteToWideChar (CP_UTF8, 0, text, -1, name, MAX_NAME) == 0 ||
      !is_script (name) || !fb_join (folder, r->base, L"scripts-done") ||
      !fb_join (path, folder, name) || !fb_is_file (path))
    return;
  if (can_run_again (path) &&
      count_up (r, L"interrupted", name) <= MAX_INTERRUPTED) {
    fb_log (L"%ls: was interrupted, runs again", name);
    move_script (r, name, L"scripts-done", L"scripts");
  }
  else
    fb_log (L"%ls: was interrupted, counts as done", name);
}

/* ---- one script ---- */

/* Relative to the folder they are in: no path has to be quoted. */
static bool
command_of (wchar_t out[2 * FB_PATH], const wchar_t *name)
{
  wchar_t program[FB_PATH];

  if (has_suffix (name, L".ps1")) {
    if (!fb_system32 (program, L"WindowsPowerShell\\v1.0\\powershell.exe"))
      return false;
    wsprintfW (out,
               L"\"%s\" -NoProfile -NonInteractive -ExecutionPolicy "
               L"Bypass -File .\\%s",
               program, name);
    return true;
  }
  /* /d: no AutoRun of the registry. */
  if (!fb_system32 (program, L"cmd.exe"))
    return false;
  wsprintfW (out, L"\"%s\" /d /q /c .\\%s", program, name);
  return true;
}

enum step { STEP_NEXT, STEP_DUE, STEP_RESTART, STEP_OFF, STEP_HALT };

static enum step
judge (const struct fb_runner *r, const wchar_t *name, DWORD attempt,
       DWORD status)
{
  fb_log (L"%ls: exit status %lu", name, (unsigned long) status);
  switch (status) {
  case EXIT_LATER:
    if (attempt >= MAX_LATER) {
      fb_log (L"%ls: given up after %lu starts", name, (unsigned long) attempt);
      return STEP_DUE;
    }
    return move_script (r, name, L"scripts-done", later) ? STEP_NEXT : STEP_DUE;
  case EXIT_RETRY:
    if (attempt >= MAX_ATTEMPTS) {
      fb_log (L"%ls: given up after %lu attempts", name,
              (unsigned long) attempt);
      return STEP_DUE;
    }
    return move_script (r, name, L"scripts-done", L"scripts") ? STEP_RESTART
                                                              : STEP_DUE;
  case EXIT_NO_RESTART:
    return STEP_NEXT;
  case EXIT_RESTART_NOW:
    return STEP_RESTART;
  case EXIT_SWITCH_OFF:
    return STEP_OFF;
  case 0:
  case ERROR_SUCCESS_REBOOT_INITIATED:
  case ERROR_SUCCESS_REBOOT_REQUIRED:
    return STEP_DUE;
  default:
    fb_log (L"%ls: FAILED", name);
    return STEP_DUE;
  }
}

static enum step
run_script (const struct fb_runner *r, const wchar_t *name)
{
  wchar_t command[2 * FB_PATH], folder[FB_PATH], path[FB_PATH],
      running[FB_PATH], number[16];
  char ascii[MAX_NAME];
  const DWORD attempt = count_up (r, L"attempts", name);
  DWORD limit, status = 1;

  if (!fb_join (folder, r->base, L"scripts-done") ||
      !fb_join (running, r->base, L"running") ||
      !fb_join (path, folder, name) || !command_of (command, name)) {
    fb_log (L"%ls: its path is too long", name);
    return STEP_HALT;
  }
  if (!move_script (r, name, L"scripts", L"scripts-done")) {
    /* It would run again at every start. */
    fb_log_error (name, GetLastError ());
    return STEP_HALT;
  }
  WideCharToMultiByte (CP_UTF8, 0, name, -1, ascii, sizeof ascii, NULL, NULL);
  fb_write (running, ascii, false);
  limit = header_number (path, "v2v-time-limit:", DEFAULT_LIMIT, MAX_LIMIT);
  wsprintfW (number, L"%lu", (unsigned long) attempt);
  SetEnvironmentVariableW (L"V2V_ATTEMPT", number);
  fb_log (L"%ls: begins (attempt %lu, at most %lu s)", name,
          (unsigned long) attempt, (unsigned long) limit);
  switch (fb_run (command, folder, limit, r->stop, &status)) {
  case FB_STOPPED:
    fb_log (L"%ls: ended, the service has to stop", name);
    /* Else "running" stays: the next start decides. */
    if (can_run_again (path) && count_up (r, L"stopped", name) < MAX_ATTEMPTS &&
        move_script (r, name, L"scripts-done", later))
      DeleteFileW (running);
    return STEP_HALT;
  case FB_TIME_OUT:
    fb_log (L"%ls: FAILED: ended after %lu s", name, (unsigned long) limit);
    DeleteFileW (running);
    return STEP_DUE;
  case FB_NOT_STARTED:
    fb_log (L"%ls: FAILED: cannot be started", name);
    DeleteFileW (running);
    return STEP_DUE;
  case FB_EXITED:
    break;
  }
  DeleteFileW (running);
  return judge (r, name, attempt, status);
}

/* ---- all ---- */

static bool
setup_value (const wchar_t *name)
{
  DWORD v = 0, type = 0, len = sizeof v;
  HKEY key;
  bool set = false;

  if (RegOpenKeyExW (HKEY_LOCAL_MACHINE, L"SYSTEM\\Setup", 0, KEY_QUERY_VALUE,
                     &key) != ERROR_SUCCESS)
    return false;
  if (RegQueryValueExW (key, name, NULL, &type, (BYTE *) &v, &len) ==
          ERROR_SUCCESS &&
      type == REG_DWORD)
    set = v != 0;
  RegCloseKey (key);
  return set;
}

/* A restart in the middle of Windows' own setup (a generalised image) leaves
 * an installation that never completes: wait until it is over. */
static bool
wait_for_setup (const struct fb_runner *r)
{
  bool said = false;

  while (setup_value (L"SystemSetupInProgress") ||
         setup_value (L"OOBEInProgress")) {
    if (!said)
      fb_log (L"waiting for the end of Windows' setup");
    said = true;
    if (r->stop == NULL)
      Sleep (2000);
    else if (WaitForSingleObject (r->stop, 2000) == WAIT_OBJECT_0)
      return false;
  }
  return true;
}

/* All that can run now has run. */
static enum fb_result
what_is_left (const struct fb_runner *r, struct scripts *s)
{
  const bool off = is_remembered (r, L"off"), due = is_remembered (r, L"due");
  wchar_t folder[FB_PATH];

  s->nr = 0;
  if (fb_join (folder, r->base, later))
    list_scripts (folder, s);
  if (s->nr == 0)
    return off ? FB_COMPLETE_OFF : due ? FB_COMPLETE_RESTART : FB_COMPLETE;
  for (size_t i = 0; i < s->nr; ++i)
    fb_log (L"%ls: waits for the next start", s->names[i]);
  /* It comes now: not again after that. */
  forget (r, L"off");
  forget (r, L"due");
  return off ? FB_WAITING_OFF : due ? FB_RESTART : FB_WAITING;
}

static enum fb_result
run_all (const struct fb_runner *r, struct scripts *s, const wchar_t *folder)
{
  list_scripts (folder, s);
  for (size_t i = 0; i < s->nr; ++i) {
    if (r->stop != NULL && WaitForSingleObject (r->stop, 0) == WAIT_OBJECT_0)
      return FB_HALTED;
    switch (run_script (r, s->names[i])) {
    case STEP_NEXT:
      break;
    case STEP_DUE:
      remember (r, L"due");
      break;
    case STEP_OFF:
      remember (r, L"off");
      break;
    case STEP_RESTART:
      forget (r, L"due");
      return FB_RESTART;
    case STEP_HALT:
      return FB_HALTED;
    }
  }
  return what_is_left (r, s);
}

enum fb_result
fb_runner_run (const struct fb_runner *r)
{
  struct scripts s;
  wchar_t folder[FB_PATH], program[FB_PATH];
  enum fb_result result;

  if (!fb_join (folder, r->base, L"scripts") ||
      GetModuleFileNameW (NULL, program, FB_PATH) >= FB_PATH)
    return FB_HALTED;
  SetEnvironmentVariableW (L"V2V_FIRSTBOOT", r->base);
  SetEnvironmentVariableW (L"V2V_PROGRAM", program);
  if (!wait_for_setup (r))
    return FB_HALTED;
  s.names = calloc (MAX_SCRIPTS, sizeof *s.names);
  if (s.names == NULL)
    return FB_HALTED;
  look_for_interrupted (r);
  take_back (r, &s);
  result = run_all (r, &s, folder);
  free (s.names);
  return result;
}
