/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tells that a source of several files is another one now.  Contents are
 * not read: size and time, as make(1) has it.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "formats/core/digest.h"
#include "formats/core/text.h"
#include "formats/image-internal.h"

static void
add_file (struct v2v_hash *hash, struct v2v_io *io)
{
  uint64_t offset = 0, len = 0;
  struct stat st = { 0 };
  char line[256];
  int fd, n;

  /* What was unpacked lies in a file without a name, which is another one in
   * each run. */
  if (v2v_io_fd (io, 0, &fd, &offset, &len) &&
      (fstat (fd, &st) == -1 || st.st_nlink == 0))
    st = (struct stat){ .st_size = st.st_size };
  n = snprintf (line, sizeof line,
                "%" PRIu64 " at %" PRIu64 " of %jd, %jd.%09ld\n",
                v2v_io_size (io), offset, (intmax_t) st.st_size,
                (intmax_t) st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  v2v_hash_update (hash, line, (size_t) n);
}

int
v2v_image_stamp (const struct v2v_image *img, char ret[V2V_IMAGE_STAMP],
                 struct v2v_error **err)
{
  uint8_t digest[V2V_DIGEST_MAX_SIZE];
  struct v2v_hash *hash;
  bool end = false;
  size_t files = 0;

  ret[0] = '\0';
  if (img->ops->more_files == NULL)
    return 0;
  hash = v2v_hash_new ("sha256", err);
  if (hash == NULL)
    return -1;
  for (size_t i = 0; !end; ++i) {
    struct v2v_io *io = img->ops->more_files (img->h, i, &end);

    if (io == NULL || end)
      continue;
    add_file (hash, io);
    ++files;
  }
  if (files > 0)
    v2v_hex (digest, v2v_hash_final (hash, digest), ret);
  v2v_hash_free (hash);
  return 0;
}
