/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hive through our wrapper: opened, walked to a bounded depth, changed and
 * committed.  The first byte says what the input is: 'r' (of "regf") = a hive
 * as it is, else places in a small hive with every kind of record and what is
 * to be written there, so that a few records are wrong and all others right.
 * The header's checksum is made right.
 *
 * libhivex ends the program where a hive is not as it expects; so any hive that
 * is accepted must come through, and what is written must be whole. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz-util.h"
#include "inject/hive-log.h"
#include "inject/hive.h"
#include "tests/unit/hive-records.h"

#define MAX_KEYS   200
#define MAX_WRITES 24

static void
look (struct v2v_hive *h, const char *key)
{
  char **names = v2v_hive_value_names (h, key, NULL);

  for (size_t i = 0; names != NULL && names[i] != NULL && i < 50; ++i) {
    uint32_t v;

    v2v_hive_get_dword (h, key, names[i], &v, NULL);
    free (v2v_hive_get_string (h, key, names[i], NULL));
    v2v_guest_free_list (v2v_hive_get_multi (h, key, names[i], NULL));
  }
  v2v_guest_free_list (names);
}

static void
change (struct v2v_hive *h, const char *key, unsigned depth, uint8_t what)
{
  if (what & 1)
    v2v_hive_delete_value (h, key, "", "fuzz", NULL);
  if (what & 2)
    v2v_hive_set_dword (h, key, "Start", 0, "fuzz", NULL);
  if (what & 4)
    v2v_hive_set_string (h, key, "Text", V2V_REG_SZ, "fuzz", "fuzz", NULL);
  if ((what & 8) && (depth == 0 || (what & 32)))
    v2v_hive_delete_key (h, key, "fuzz", NULL);
  if (what & 16)
    v2v_hive_add_key (h, key, "fuzz", NULL);
}

static void
walk (struct v2v_hive *h, const char *key, unsigned depth, uint8_t what,
      unsigned *left)
{
  char **names;

  look (h, key);
  names = v2v_hive_subkeys (h, key, NULL);
  for (size_t i = 0; names != NULL && names[i] != NULL && *left > 0; ++i) {
    char *below;

    --*left;
    if (depth >= 8 || asprintf (&below, "%s\\%s", key, names[i]) == -1)
      break;
    walk (h, below, depth + 1, what, left);
    change (h, below, depth, (uint8_t) (what >> (i % 3)));
    free (below);
  }
  v2v_guest_free_list (names);
}

/* Each 6 bytes: a place of 16 bits among the records, how many bytes, and
 * what; 'o' and a letter: the offset of one of the records. */
static uint8_t *
built (const uint8_t *data, size_t size, size_t *ret_size)
{
  uint8_t *copy = malloc (HIVE_RECORDS_BYTES);
  struct hive_records at;
  const size_t *records = &at.root;

  if (copy == NULL)
    abort ();
  hive_records_build (copy, &at);
  *ret_size = HIVE_RECORDS_BYTES;
  for (unsigned n = 0; size >= 6 && n < MAX_WRITES; ++n, data += 6, size -= 6) {
    size_t place = HIVE_BASE_BYTES + 32 + v2v_le16 (data) % 1600u;

    /* Not in the long data, which says nothing. */
    if (place >= at.big_piece[0])
      place += at.big_list - 8 - at.big_piece[0];
    if (place > HIVE_RECORDS_BYTES - 8)
      continue;
    if (data[2] == 'o')
      v2v_put_le32 (
          copy + place / 4 * 4,
          (uint32_t) (records[data[3] % (sizeof at / sizeof (size_t))] - 4 -
                      HIVE_BASE_BYTES));
    else
      memcpy (copy + place, data + 3, 1 + data[2] % 3u);
  }
  return copy;
}

static char scratch[4096];

static void
remove_scratch (void)
{
  unlink (scratch);
}

static void
make_scratch (void)
{
  const char *dir = getenv ("TMPDIR");
  int fd;

  snprintf (scratch, sizeof scratch, "%s/v2v-fuzz-hive-XXXXXX",
            dir != NULL ? dir : "/tmp");
  fd = mkstemp (scratch);
  if (fd == -1)
    abort ();
  close (fd);
  atexit (remove_scratch);
}

static void
write_scratch (const uint8_t *data, size_t size)
{
  FILE *fp;

  if (scratch[0] == '\0')
    make_scratch ();
  fp = fopen (scratch, "we");
  if (fp == NULL || fwrite (data, 1, size, fp) != size || fclose (fp) != 0)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct v2v_error *err = NULL;
  unsigned left = MAX_KEYS;
  struct v2v_hive *h;
  uint8_t *copy, what;
  bool writing;

  if (size < 2)
    return 0;
  writing = data[1] & 1;
  what = data[1] >> 1;
  if (data[0] != 'r') {
    copy = built (data + 2, size - 2, &size);
  }
  else {
    if (size < 8192 || size > 65536 || (copy = malloc (size)) == NULL)
      return 0;
    memcpy (copy, data, size);
    memcpy (copy, "regf", 4);
    memcpy (copy + 4, copy + 8, 4);
  }
  hive_records_seal (copy);
  write_scratch (copy, size);
  free (copy);
  h = v2v_hive_open (scratch, "fuzz", writing, NULL, &err);
  v2v_error_free (err);
  err = NULL;
  unlink (scratch); /* file systems flush what is renamed over a file */
  if (h != NULL)
    walk (h, "", 0, what, &left);
  if (h != NULL && v2v_hive_commit (h, &err) == -1 &&
      strstr (v2v_error_message (err), "as written") != NULL &&
      strstr (v2v_error_message (err), "at offset") != NULL) {
    fprintf (stderr, "%s\n", v2v_error_message (err));
    abort ();
  }
  v2v_error_free (err);
  v2v_hive_close (h);
  return 0;
}
