/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* measure [-w MIB] [-c FILE] [-s FILE] COMMAND...
 *
 * Run COMMAND and print on one line: wall seconds until FILE of -s is synced,
 * user and system CPU seconds, peak memory in KiB.  Before the clock starts,
 * -w touches so much memory (untouched pages of a virtual machine punish who
 * comes first), and -c drops a file's pages from the cache; both may be given
 * several times.
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
warm (size_t mib)
{
  const size_t len = mib * 1024 * 1024;
  /* In a child: the pages go back to the kernel, but stay with the host. */
  const pid_t pid = fork ();

  if (pid == 0) {
    char *p = mmap (NULL, len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t i = 0; p != MAP_FAILED && i < len; i += 4096)
      ((volatile char *) p)[i] = 1;
    _exit (0);
  }
  waitpid (pid, NULL, 0);
}

static void
drop_pages (const char *file)
{
  const int fd = open (file, O_RDONLY | O_CLOEXEC);

  if (fd == -1)
    return;
  fdatasync (fd);
  posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
  close (fd);
}

static void
sync_file (const char *file)
{
  const int fd = open (file, O_RDONLY | O_CLOEXEC);

  if (fd == -1 || fsync (fd) == -1) {
    perror (file);
    exit (1);
  }
  close (fd);
}

static double
seconds (const struct timeval *t)
{
  return (double) t->tv_sec + (double) t->tv_usec / 1e6;
}

int
main (int argc, char **argv)
{
  const char *out = NULL;
  struct timespec start, end;
  struct rusage u;
  int c, status;
  pid_t pid;

  while ((c = getopt (argc, argv, "+w:c:s:")) != -1)
    switch (c) {
    case 'w':
      warm (strtoul (optarg, NULL, 10));
      break;
    case 'c':
      drop_pages (optarg);
      break;
    case 's':
      out = optarg;
      break;
    default:
      return 2;
    }
  if (optind == argc)
    return 2;
  clock_gettime (CLOCK_MONOTONIC, &start);
  pid = fork ();
  if (pid == 0) {
    /* The command's own words are not the result. */
    dup2 (STDERR_FILENO, STDOUT_FILENO);
    execvp (argv[optind], argv + optind);
    perror (argv[optind]);
    _exit (127);
  }
  if (pid == -1 || wait4 (pid, &status, 0, &u) == -1 || !WIFEXITED (status) ||
      WEXITSTATUS (status) != 0)
    return 1;
  if (out != NULL)
    sync_file (out);
  clock_gettime (CLOCK_MONOTONIC, &end);
  printf ("%.3f %.3f %.3f %ld\n",
          (double) (end.tv_sec - start.tv_sec) +
              (double) (end.tv_nsec - start.tv_nsec) / 1e9,
          seconds (&u.ru_utime), seconds (&u.ru_stime), u.ru_maxrss);
  return 0;
}
