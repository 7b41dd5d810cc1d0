/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers of the subcommands: opening what a user names, and printing. */

#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/ova.h"
#include "convert/cmd.h"

/* Standard input: a stream, unless it is a file that the shell opened. */
static struct v2v_io *
open_stdin (struct v2v_error **err)
{
  struct stat st;
  int fd;

  if (fstat (STDIN_FILENO, &st) == 0 && S_ISREG (st.st_mode))
    return v2v_io_open ("/dev/stdin", V2V_IO_FOLLOW, err);
  if (isatty (STDIN_FILENO)) {
    v2v_fail (err, V2V_ERR_USAGE, "standard input is a terminal, not a disk");
    return NULL;
  }
  fd = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd == -1) {
    v2v_fail_errno (err, "standard input");
    return NULL;
  }
  return v2v_io_from_stream (fd, "standard input", V2V_IO_SIZE_UNKNOWN, err);
}

/* A machine by its name, or an archive by its bytes? */
static bool
is_package (const char *filename)
{
  const char *dot = strrchr (filename, '.');
  struct v2v_io *io;
  bool wrapped, is = false;
  char head[1024];

  if (dot != NULL &&
      (strcasecmp (dot, ".ova") == 0 || strcasecmp (dot, ".ovf") == 0 ||
       strcasecmp (dot, ".vmx") == 0))
    return true;
  io = v2v_io_open (filename, V2V_IO_FOLLOW, NULL);
  if (io != NULL && v2v_io_size (io) >= sizeof head &&
      v2v_io_pread (io, head, sizeof head, 0, NULL) == 0)
    is = v2v_ova_probe (head, sizeof head, &wrapped);
  v2v_io_unref (io);
  return is;
}

void
cmd_hint_at_package (const char *filename, struct v2v_error **err)
{
  if (err != NULL && *err != NULL &&
      v2v_error_code (*err) == V2V_ERR_UNSUPPORTED && is_package (filename))
    v2v_hint (err, "it holds machines, not one disk: 'v2v convert --dry-run' "
                   "tells what becomes of them, 'v2v info' what they are");
}

int
cmd_check_block_size (const char *format, uint64_t bytes,
                      struct v2v_error **err)
{
  if (bytes == 0 || strcmp (format, "vhd") != 0 || bytes == 512 * 1024 ||
      bytes == 2 * 1024 * 1024)
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "--block-size: a VHD has blocks of 512K or 2M, not of "
                   "%" PRIu64 " bytes",
                   bytes);
}

struct v2v_image *
cmd_open (const char *filename, const struct v2v_open_opts *opts,
          struct v2v_error **err)
{
  struct v2v_image *img;
  struct v2v_io *io;

  if (strcmp (filename, "-") != 0) {
    img = v2v_image_open (filename, opts, err);
    if (img == NULL)
      cmd_hint_at_package (filename, err);
    return img;
  }
  io = open_stdin (err);
  if (io == NULL)
    return NULL;
  img = v2v_image_open_io (io, opts, err);
  v2v_io_unref (io);
  return img;
}

int
cmd_progress_start (struct cli *cli, struct v2v_copy_opts *opts,
                    struct v2v_error **err)
{
  cli->progress = v2v_progress_bar_new (cli->progress_mode, stderr, err);
  if (cli->progress == NULL)
    return -1;
  opts->progress = v2v_progress_bar_update;
  opts->progress_arg = cli->progress;
  opts->cancel = &cmd_cancel;
  return 0;
}

void
cmd_tell_step (void *arg, const char *what)
{
  const struct cli *cli = arg;
  const struct v2v_progress p = { .stage = "guest",
                                  .item = what,
                                  .step = true };

  if (cli->progress != NULL)
    v2v_progress_bar_update (cli->progress, &p);
}

int
cmd_print_json (const struct v2v_json *obj, struct v2v_error **err)
{
  if (!v2v_json_ok (obj))
    return v2v_fail_nomem (err);
  return v2v_json_print (obj, 2, stdout, err);
}

char *
cmd_digest_text (const struct v2v_disk_digest *d, struct v2v_error **err)
{
  static const char prefix[] = "sha256-2m:";
  char *s = malloc (sizeof prefix + 2 * V2V_SHA256_SIZE);

  if (s == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  memcpy (s, prefix, sizeof prefix);
  v2v_hex (d->root, V2V_SHA256_SIZE, s + sizeof prefix - 1);
  return s;
}

char *
cmd_format_rate (uint64_t bytes, double seconds, char out[40])
{
  char size[32];

  v2v_format_size (
      seconds > 0.0005 ? (uint64_t) ((double) bytes / seconds) : bytes, size);
  snprintf (out, 40, "%s/s", size);
  return out;
}

char *
cmd_printable (const char *s)
{
  const bool utf8 = v2v_is_valid_utf8 (s, strlen (s));
  char *copy = strdup (s);

  if (copy == NULL)
    return NULL;
  for (char *p = copy; *p != '\0'; ++p) {
    const unsigned char c = (unsigned char) *p;

    /* C0, DEL; C1 as UTF-8 (0xc2 0x80..0x9f); bytes of no character. */
    if (c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80))
      *p = '?';
    else if (c == 0xc2 && (unsigned char) p[1] < 0xa0) {
      p[0] = '?';
      p[1] = '?';
    }
  }
  return copy;
}
