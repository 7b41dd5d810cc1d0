/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests.  DSP0243 2.1 section 6 "Distribution": lines ALG(NAME)= HEX with
 * SHA1 or SHA256; VMware also writes SHA512, "SHA1 (NAME) = HEX", CRLF.
 */

#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/io.h"
#include "formats/manifest.h"

/* As many as a package may have members; each is compared with all before. */
#define MAX_ENTRIES 16384
#define MAX_LINE    1024

static const struct {
  const char *spelling;
  const char *algorithm;
  size_t hex_len;
} algorithms[] = {
  { "sha1", "sha1", 40 },      { "sha-1", "sha1", 40 },
  { "sha256", "sha256", 64 },  { "sha-256", "sha256", 64 },
  { "sha512", "sha512", 128 }, { "sha-512", "sha512", 128 },
};

size_t
v2v_manifest_hex_len (const char *algorithm)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (algorithms); ++i)
    if (strcmp (algorithms[i].algorithm, algorithm) == 0)
      return algorithms[i].hex_len;
  return 0;
}

void
v2v_manifest_free (struct v2v_manifest *mf)
{
  if (mf == NULL)
    return;
  for (size_t i = 0; i < mf->nr_entries; ++i) {
    free (mf->entries[i].name);
    free (mf->entries[i].algorithm);
    free (mf->entries[i].hex);
  }
  free (mf->entries);
  free (mf);
}

/* Is "ALG, NAME, HEX" new?  1, 0 if it is there already, -1 if it is there
 * with another digest.
 */
static int
is_new (const struct v2v_manifest *mf, const char *algorithm, const char *name,
        const char *hex, struct v2v_error **err)
{
  for (size_t i = 0; i < mf->nr_entries; ++i) {
    const struct v2v_manifest_entry *e = &mf->entries[i];

    if (strcmp (e->name, name) != 0 || strcmp (e->algorithm, algorithm) != 0)
      continue;
    if (strcmp (e->hex, hex) == 0)
      return 0;
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "'%.80s' is listed twice with different digests", name);
  }
  return 1;
}

static int
add (struct v2v_manifest *mf, const char *algorithm, const char *name,
     const char *hex, struct v2v_error **err)
{
  struct v2v_manifest_entry e = { .checked = false }, *p;
  const int r = is_new (mf, algorithm, name, hex, err);

  if (r != 1)
    return r;
  if (mf->nr_entries == MAX_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT, "more than %d entries", MAX_ENTRIES);
  e.name = strdup (name);
  e.algorithm = strdup (algorithm);
  e.hex = strdup (hex);
  p = reallocarray (mf->entries, mf->nr_entries + 1, sizeof *p);
  if (p != NULL)
    mf->entries = p;
  if (p == NULL || e.name == NULL || e.algorithm == NULL || e.hex == NULL) {
    free (e.name);
    free (e.algorithm);
    free (e.hex);
    return v2v_fail_nomem (err);
  }
  p[mf->nr_entries++] = e;
  return 0;
}

static char *
trim (char *s)
{
  char *end;

  while (isspace ((unsigned char) *s))
    s++;
  end = s + strlen (s);
  while (end > s && isspace ((unsigned char) end[-1]))
    *--end = '\0';
  return s;
}

/* "SHA256(disk (1).vmdk)= ab12...": the last ")" before the "=" that has only
 * hex after it closes the name.  Splits LINE; false if it has not this form.
 */
static bool
split (char *line, char **ret_algorithm, char **ret_name, char **ret_hex)
{
  char *open = strchr (line, '('), *eq = strrchr (line, '='), *close;

  if (open == NULL || eq == NULL || eq < open)
    return false;
  *eq = '\0';
  close = strrchr (open, ')');
  if (close == NULL || *trim (close + 1) != '\0')
    return false;
  *open = *close = '\0';
  *ret_algorithm = trim (line);
  *ret_name = open + 1;
  *ret_hex = trim (eq + 1);
  for (char *p = *ret_hex; *p != '\0'; ++p) {
    if (!isxdigit ((unsigned char) *p))
      return false;
    *p = (char) tolower ((unsigned char) *p);
  }
  return true;
}

/* 0: taken; 1: not understood, *RET_WHY says why; -1: ERR is set. */
static int
read_line (struct v2v_manifest *mf, char *line, const char **ret_why,
           struct v2v_error **err)
{
  char *algorithm, *name, *hex;

  if (!split (line, &algorithm, &name, &hex)) {
    *ret_why = "is not of the form SHA256(name)= digest";
    return 1;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (algorithms); ++i) {
    if (strcasecmp (algorithm, algorithms[i].spelling) != 0)
      continue;
    if (strlen (hex) != algorithms[i].hex_len) {
      *ret_why = "has a digest of the wrong length";
      return 1;
    }
    if (!v2v_check_plain_name (name, NULL)) {
      *ret_why = "names no plain file of the package";
      return 1;
    }
    return add (mf, algorithms[i].algorithm, name, hex, err);
  }
  *ret_why = "has an unknown algorithm, expected SHA1, SHA256 or SHA512";
  return 1;
}

static int
read_lines (struct v2v_manifest *mf, const char *text, size_t len,
            bool tolerant, struct v2v_error **err)
{
  const char *end = text + len;
  unsigned line = 0;

  while (text < end) {
    const char *nl = memchr (text, '\n', (size_t) (end - text));
    const size_t n = (size_t) ((nl != NULL ? nl : end) - text);
    char buf[MAX_LINE + 1], *p;
    const char *why = NULL;
    int r = 1;

    line++;
    if (n > MAX_LINE || memchr (text, '\0', n) != NULL)
      why = "is too long or has a NUL";
    else {
      memcpy (buf, text, n);
      buf[n] = '\0';
      p = trim (buf);
      r = *p == '\0' ? 0 : read_line (mf, p, &why, err);
    }
    if (r == 1 && !tolerant)
      return v2v_fail (err, V2V_ERR_FORMAT, "line %u %s", line, why);
    if (r == -1)
      return v2v_prefix (err, "line %u", line);
    if (r == 1)
      mf->nr_odd_lines++;
    text += n + 1;
  }
  return 0;
}

struct v2v_manifest *
v2v_manifest_parse (const void *text, size_t len, const char *name,
                    bool tolerant, struct v2v_error **err)
{
  struct v2v_manifest *mf = calloc (1, sizeof *mf);
  const char *p = text;

  if (mf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (len >= 3 && memcmp (p, "\xef\xbb\xbf", 3) == 0) {
    p += 3;
    len -= 3;
  }
  if (read_lines (mf, p, len, tolerant, err) == -1) {
    v2v_prefix (err, "%s", name);
    v2v_manifest_free (mf);
    return NULL;
  }
  return mf;
}
