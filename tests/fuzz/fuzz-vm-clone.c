/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME.json of a machine that is cloned.  Each line of the input is the value,
 * as JSON, of the member that its first byte names; the others have usual
 * values, so that what is made up reaches the members and not only the JSON
 * library.  An input that begins with '{' is the whole file.  All is done up
 * to the plan; then the folder for the result cannot be made. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz-util.h"
#include "library/vm.h"

/* What comes before each member's value, and its usual value. */
static const struct {
  const char *before, *value;
} members[] = {
  { "{\"schema\":\"v2v-machine\",\"version\":", "1" },
  { ",\"source\":{\"os_id\":", "\"debian12-64\"" },
  { "},\"target\":{\"name\":", "\"web\"" },
  { ",\"generation\":", "2" },
  { ",\"disk_format\":", "\"vhdx\"" },
  { ",\"guest\":{\"family\":", "\"linux\"" },
  { "},\"firmware\":{\"secure_boot\":", "true" },
  { ",\"tpm\":", "false" },
  { "},\"processor\":{\"count\":", "2" },
  { ",\"relative_weight\":", "100" },
  { ",\"nested_virtualization\":", "false" },
  { "},\"memory\":{\"startup_bytes\":", "1073741824" },
  { ",\"dynamic\":", "true" },
  { ",\"minimum_bytes\":", "536870912" },
  { ",\"maximum_bytes\":", "2147483648" },
  { "},\"policies\":{\"checkpoint_type\":", "\"Standard\"" },
  { ",\"automatic_start_action\":", "\"Start\"" },
  { ",\"automatic_start_delay_seconds\":", "10" },
  { ",\"automatic_stop_action\":", "\"Save\"" },
  { ",\"time_synchronization\":", "false" },
  { "},\"dvd_drives\":", "[{}]" },
  { ",\"disks\":[{\"file\":", "\"d.vhdx\"" },
  { ",\"boot\":", "true" },
  { "}],\"network_adapters\":[{\"switch\":", "\"Lab\"" },
  { ",\"vlan_mode\":", "\"access\"" },
  { ",\"vlan\":", "7" },
  { ",\"mac_spoofing\":", "true" },
  { "}],\"settings\":", "[]" },
};
#define NR_MEMBERS (sizeof members / sizeof members[0])

static char dir[] = "/tmp/v2v-fuzz-clone-XXXXXX";

static void
die (const char *what)
{
  fprintf (stderr, "%s: %s\n", what, strerror (errno));
  abort ();
}

static void
in_dir (const char *name, char ret[64])
{
  snprintf (ret, 64, "%s/%s", dir, name);
}

static void
remove_dir (void)
{
  static const char *const names[] = { "d.vhdx", "web.json", "out", "" };
  char path[64];

  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    in_dir (names[i], path);
    remove (path);
  }
}

/* A folder with one disk, and "out", a file where a folder is to be made. */
static void
make_dir (void)
{
  const struct v2v_create_opts opts = { .size_bytes = 4096 * 1024 };
  struct v2v_image *img;
  char path[64];
  FILE *fp;

  if (mkdtemp (dir) == NULL)
    die ("mkdtemp");
  atexit (remove_dir);
  in_dir ("d.vhdx", path);
  img = v2v_image_create (path, "vhdx", &opts, NULL);
  if (img == NULL || v2v_image_finish (img, NULL) == -1)
    die ("d.vhdx");
  v2v_image_close (img);
  in_dir ("out", path);
  fp = fopen (path, "w");
  if (fp == NULL || fclose (fp) != 0)
    die ("out");
}

static void
put_members (FILE *fp, const uint8_t *data, size_t size)
{
  const uint8_t *values[NR_MEMBERS] = { NULL };
  size_t lens[NR_MEMBERS] = { 0 };

  while (size > 0) {
    const uint8_t *end = memchr (data, '\n', size);
    const size_t n = end != NULL ? (size_t) (end - data) : size;

    if (n > 0) {
      values[data[0] % NR_MEMBERS] = data + 1;
      lens[data[0] % NR_MEMBERS] = n - 1;
    }
    data += n;
    size -= n;
    if (end != NULL) {
      data++;
      size--;
    }
  }
  for (size_t i = 0; i < NR_MEMBERS; ++i) {
    fputs (members[i].before, fp);
    if (values[i] != NULL)
      fwrite (values[i], 1, lens[i], fp);
    else
      fputs (members[i].value, fp);
  }
  fputs ("}}", fp);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool made;
  char json[64], out[64];
  struct v2v_vm_opts opts = { .clone = dir, .output_dir = out };
  struct v2v_vm_result result = { 0 };
  struct v2v_error *err = NULL;
  FILE *fp;

  if (!made)
    make_dir ();
  made = true;
  if (size > 65536)
    return 0;
  in_dir ("web.json", json);
  in_dir ("out", out);
  fp = fopen (json, "w");
  if (fp == NULL)
    die (json);
  if (size > 0 && data[0] == '{')
    fwrite (data, 1, size, fp);
  else
    put_members (fp, data, size);
  if (fclose (fp) != 0)
    die (json);
  if (v2v_vm_create (&opts, &result, &err) == 0)
    abort (); /* "out" is a file */
  v2v_error_free (err);
  return 0;
}
