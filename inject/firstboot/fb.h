/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2vfirstboot.exe: runs in a converted Windows guest, once, as LocalSystem.
 *
 * Built by mingw-w64 against msvcrt, which every Windows has; only calls that
 * Windows XP knows are used, others are looked up at run time.  The contract
 * of the scripts is in runner.c.
 */
#ifndef FB_H
#define FB_H

#ifndef UNICODE
#define UNICODE
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <stdbool.h>
#include <stddef.h>

#define FB_SERVICE L"v2v-firstboot"
/* Our folders are short; a longer path is a mistake of the caller. */
#define FB_PATH 1024

/* ---- log.c: one file, lines with their time (UTC), UTF-8 ---- */
bool fb_log_open (const wchar_t *path);
void fb_log_use (HANDLE h); /* borrowed until the end of the program */
void fb_log (const wchar_t *fmt, ...);
/* Appends; children inherit it as their standard output. NULL = none. */
HANDLE fb_log_handle (void);
void fb_log_close (void);
/* "WHAT: " and the system's text of ERROR. */
void fb_log_error (const wchar_t *what, DWORD error);

/* ---- files.c ---- */
/* DIR\NAME; false when it does not fit. */
bool fb_join (wchar_t out[FB_PATH], const wchar_t *dir, const wchar_t *name);
bool fb_is_file (const wchar_t *path);
bool fb_is_folder (const wchar_t *path);
DWORD fb_file_size (const wchar_t *path); /* 0 when not there */
/* The beginning of a file, at most LEN - 1 bytes, NUL-terminated. */
DWORD fb_read (const wchar_t *path, char *buf, DWORD len);
bool fb_write (const wchar_t *path, const char *text, bool append);
/* Overwritten with zeros and deleted: scripts can hold passwords. */
void fb_wipe (const wchar_t *path);
/* The folder and what is in it (not what links lead to). */
void fb_wipe_tree (const wchar_t *path, unsigned depth);
/* System and administrators only, for a file, or a folder and what is in it;
 * DEPTH 0. */
void fb_lock_tree (const wchar_t *path, unsigned depth);
/* The same for a folder alone: what is in it is left as it is. */
void fb_lock_folder (const wchar_t *path);

/* ---- process.c ---- */
enum fb_ended { FB_EXITED, FB_TIME_OUT, FB_STOPPED, FB_NOT_STARTED };
/* Run COMMAND (changed by the system call) in the folder CWD; with what it
 * started it is ended after SECONDS, or when STOP (may be NULL) is set. */
enum fb_ended fb_run (wchar_t *command, const wchar_t *cwd, DWORD seconds,
                      HANDLE stop, DWORD *ret_status);
/* %SystemRoot%\System32\NAME of the guest's own architecture. */
bool fb_system32 (wchar_t out[FB_PATH], const wchar_t *name);

/* ---- runner.c ---- */
struct fb_runner {
  const wchar_t *base; /* the folder "firstboot" */
  HANDLE stop;         /* set when the service must end */
  bool is_service;     /* else: a test; nothing outside BASE is changed */
};
enum fb_result {
  FB_COMPLETE = 0,         /* nothing left */
  FB_COMPLETE_RESTART = 4, /* nothing left, a restart is due */
  FB_RESTART = 3,          /* restart, then go on */
  FB_HALTED = 5,           /* told to stop: goes on at the next start */
  FB_COMPLETE_OFF = 6,     /* nothing left, switch off */
  FB_WAITING = 7,          /* the rest is for the next start, whenever it is */
  FB_WAITING_OFF = 8,      /* the same, switch off */
};
enum fb_result fb_runner_run (const struct fb_runner *r);

/* ---- network.c, devices.c: what the scripts call; exit statuses of the
 * contract ---- */
int fb_network (const wchar_t *file, DWORD wait_seconds, bool print_only);
/* Remove devices of VMware that are not there any more; ONLY_NET: network
 * adapters only.  Returns how many. */
unsigned fb_remove_ghosts (bool only_net);

#endif /* FB_H */
