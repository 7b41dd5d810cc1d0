/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers, for tests that need one. */
#ifndef TEST_COMMAND_H
#define TEST_COMMAND_H

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test-util.h"

/* Start ARGV (NULL-terminated) with nothing on its standard streams; with
 * V2V_TEST_VERBOSE set its errors are seen.  Returns its pid. */
static inline pid_t
test_start (const char *const *argv)
{
  posix_spawn_file_actions_t actions;
  pid_t pid = -1;

  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_addopen (&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen (&actions, 1, "/dev/null", O_WRONLY, 0);
  if (getenv ("V2V_TEST_VERBOSE") == NULL)
    posix_spawn_file_actions_addopen (&actions, 2, "/dev/null", O_WRONLY, 0);
  if (posix_spawnp (&pid, argv[0], &actions, NULL, (char **) (uintptr_t) argv,
                    environ) != 0)
    pid = -1;
  posix_spawn_file_actions_destroy (&actions);
  return pid;
}

#define TEST_RUN(...)                                                          \
  test_run ((const char *const[]){ __VA_ARGS__, NULL }, NULL)

static inline void
test_stop (pid_t pid)
{
  if (pid > 0) {
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
  }
}

static inline void
test_sleep_ms (long ms)
{
  const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

  nanosleep (&t, NULL);
}

/* Wait for a file (a server's socket) to appear; false after 20 seconds. */
static inline bool
test_wait_for_file (const char *path)
{
  struct stat st;

  for (int i = 0; i < 1000; ++i) {
    if (stat (path, &st) == 0)
      return true;
    test_sleep_ms (20);
  }
  return false;
}

#endif /* TEST_COMMAND_H */
