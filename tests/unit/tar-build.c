/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar archives made byte by byte. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#include "tar-build.h"

static uint8_t *
grow (struct tar_build *t, size_t len)
{
  uint8_t *p = realloc (t->data, t->len + len);

  assert_non_null (p);
  t->data = p;
  memset (p + t->len, 0, len);
  t->len += len;
  return p + t->len - len;
}

static void
set_checksum (uint8_t *h)
{
  unsigned sum = 0;

  memset (h + 148, ' ', 8);
  for (size_t i = 0; i < 512; ++i)
    sum += h[i];
  snprintf ((char *) h + 148, 8, "%06o", sum);
}

/* Where the last header is: patches come before its data. */
void
tar_patch (struct tar_build *t, size_t offset, const void *bytes, size_t len)
{
  uint8_t *h = t->data + t->len - 512;

  memcpy (h + offset, bytes, len);
  set_checksum (h);
}

void
tar_header (struct tar_build *t, const char *name, char type, uint64_t size)
{
  uint8_t *h = grow (t, 512);

  memcpy (h, name, strlen (name) > 100 ? 100 : strlen (name));
  memcpy (h + 100, "0000644", 8);
  snprintf ((char *) h + 124, 12, "%011llo", (unsigned long long) size);
  h[156] = (uint8_t) type;
  memcpy (h + 257,
          "ustar\0"
          "00",
          8);
  set_checksum (h);
}

void
tar_data (struct tar_build *t, const void *bytes, size_t len)
{
  if (len > 0)
    memcpy (grow (t, (len + 511) / 512 * 512), bytes, len);
}

void
tar_file (struct tar_build *t, const char *name, const void *bytes, size_t len)
{
  tar_header (t, name, '0', len);
  tar_data (t, bytes, len);
}

void
tar_pax (struct tar_build *t, char type, const char *key, const char *value)
{
  const size_t body = strlen (key) + strlen (value) + 3; /* " ", "=", "\n" */
  size_t total = body + 1;
  char *record;

  /* The length counts its own digits. */
  while (total != body + (size_t) snprintf (NULL, 0, "%zu", total))
    total = body + (size_t) snprintf (NULL, 0, "%zu", total);
  assert_int_not_equal (asprintf (&record, "%zu %s=%s\n", total, key, value),
                        -1);
  tar_header (t, "PaxHeader", type, total);
  tar_data (t, record, total);
  free (record);
}

void
tar_end (struct tar_build *t)
{
  grow (t, 1024);
}

void
tar_free (struct tar_build *t)
{
  free (t->data);
  t->data = NULL;
  t->len = 0;
}
