/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Passwords of Linux: hashed on the host by crypt(3), in the way the guest's
 * login.defs asks for.
 *
 * Sources: crypt(5) of libxcrypt (prefixes), login.defs(5) (ENCRYPT_METHOD).
 * MD5 and DES are not made any more: every guest that can be converted reads
 * $6$ (glibc 2.7).
 */

#include <config.h>

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"

static const struct {
  const char *method, *prefix;
} methods[] = {
  { "SHA256", "$5$" },
  { "SHA512", "$6$" },
  { "BCRYPT", "$2b$" },
  { "YESCRYPT", "$y$" },
};

char *
customize_login_defs (struct customize *c, const char *word,
                      struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *e = NULL;
  const size_t len = strlen (word);

  if (c->g == NULL) /* a seed for a guest that nobody looked into */
    return NULL;
  text = v2v_guest_read_text (c->g, "/etc/login.defs", &e);
  if (e != NULL) {
    v2v_error_move (err, e);
    return NULL;
  }
  for (const char *p = text; p != NULL && *p != '\0';) {
    const size_t line = strcspn (p, "\n");
    const size_t blanks = strspn (p, " \t");

    if (blanks + len < line && strncmp (p + blanks, word, len) == 0 &&
        strchr (" \t", p[blanks + len]) != NULL) {
      const char *value = p + blanks + len;
      char *copy;

      value += strspn (value, " \t\"");
      copy = strndup (value, strcspn (value, " \t\"\r\n"));
      if (copy == NULL)
        v2v_fail_nomem (err);
      return copy;
    }
    p += line + (p[line] == '\n');
  }
  return NULL;
}

/* A new hash; the work area of crypt has the password in it. */
static char *
hash_with (const char *password, const char *setting)
{
  struct crypt_data *data = calloc (1, sizeof *data);
  const char *hash;
  char *copy = NULL;

  if (data == NULL)
    return NULL;
  hash = crypt_r (password, setting, data);
  if (hash != NULL && hash[0] != '*')
    copy = strdup (hash);
  explicit_bzero (data, sizeof *data);
  free (data);
  return copy;
}

char *
customize_hash (struct customize *c, const char *password,
                struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *method = customize_login_defs (c, "ENCRYPT_METHOD", &e);
  const char *prefix = "$6$";
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  char *hash;

  if (e != NULL) {
    v2v_error_move (err, e);
    return NULL;
  }
  for (size_t i = 0; method != NULL && i < V2V_ARRAY_SIZE (methods); ++i)
    if (strcmp (method, methods[i].method) == 0)
      prefix = methods[i].prefix;
  /* The library takes the salt from the kernel; a method that it was built
   * without becomes the one all have. */
  if (crypt_gensalt_rn (prefix, 0, NULL, 0, setting, sizeof setting) == NULL &&
      crypt_gensalt_rn ("$6$", 0, NULL, 0, setting, sizeof setting) == NULL) {
    v2v_fail_errno (err, "hashing a password");
    return NULL;
  }
  hash = hash_with (password, setting);
  if (hash == NULL)
    v2v_fail (err, V2V_ERR_USAGE, "a password cannot be hashed");
  return hash;
}

/* HASH is the guest's own word, and says how long crypt works at it: up to
 * days.  What distributions and careful owners have takes a second at most. */
#define MAX_ROUNDS      1000000
#define MAX_BCRYPT_COST 12

static bool
is_affordable (const char *hash)
{
  static const char rounds[] = "rounds=";

  if (strncmp (hash, "$1$", 3) == 0 || strncmp (hash, "$y$j9T$", 7) == 0)
    return true;
  if (strncmp (hash, "$5$", 3) == 0 || strncmp (hash, "$6$", 3) == 0) {
    unsigned long n = 0;
    const char *p = hash + 3;

    if (strncmp (p, rounds, sizeof rounds - 1) != 0)
      return true;
    for (p += sizeof rounds - 1; *p >= '0' && *p <= '9'; ++p) {
      n = 10 * n + (unsigned long) (*p - '0');
      if (n > MAX_ROUNDS)
        return false;
    }
    return *p == '$';
  }
  if (strncmp (hash, "$2", 2) == 0 && hash[2] != '\0' &&
      strchr ("abxy", hash[2]) != NULL && hash[3] == '$' && hash[4] >= '0' &&
      hash[4] <= '9' && hash[5] >= '0' && hash[5] <= '9' && hash[6] == '$')
    return 10 * (hash[4] - '0') + hash[5] - '0' <= MAX_BCRYPT_COST;
  return false;
}

bool
customize_hash_fits (const char *password, const char *hash)
{
  CLEANUP_FREE char *again = NULL;

  if (!is_affordable (hash))
    return false;
  again = hash_with (password, hash);
  return again != NULL && strcmp (again, hash) == 0;
}

char *
customize_wanted_hash (struct customize *c, const struct v2v_profile_user *u,
                       const char *old, struct v2v_error **err)
{
  char *copy;

  if (u->password.text == NULL && u->password_hash.text == NULL && !u->lock)
    return NULL;
  if (u->password.text != NULL &&
      (old == NULL || !customize_hash_fits (u->password.text, old)))
    return customize_hash (c, u->password.text, err);
  if (u->lock) {
    /* '!' before a hash: usermod -U gives it back. */
    if (old == NULL || old[0] == '\0')
      copy = strdup ("!");
    else if (old[0] == '!' || old[0] == '*')
      copy = strdup (old);
    else if (asprintf (&copy, "!%s", old) == -1)
      copy = NULL;
  }
  else
    copy = strdup (u->password_hash.text != NULL ? u->password_hash.text : old);
  if (copy == NULL)
    v2v_fail_nomem (err);
  return copy;
}
