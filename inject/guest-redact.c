/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets in lines that go into the journal.
 *
 * Most files with secrets are readable by root alone, and of them only a digest
 * is shown (guest-describe.c).  But fstab holds passwords of shares, grub.cfg
 * hashes of the boot loader's users, ifcfg files and netplan keys of wireless
 * networks, yum.conf and apt.conf those of a proxy, and everyone in the guest
 * may read them.  The report is read by more people than that.  So a value is
 * hidden when its key says that it is a secret, or when it looks like one.
 * Hiding too much costs nothing: the undo bundle has the original.
 *
 * Sources of the keys: mount.cifs(8), the GRUB manual ("Security"),
 * nm-settings(5), netplan(5), interfaces(5) with wpasupplicant's
 * README.Debian, ifcfg(5) of wicked, systemd.netdev(5); of the hashes
 * crypt(5).
 */

#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/guest-front.h"

#define HIDDEN "(hidden)"
/* Of a key, compared without its punctuation; the longest known has 25. */
#define MAX_KEY 63

static bool
is_key_char (char c)
{
  return isalnum ((unsigned char) c) || c == '_' || c == '-' || c == '.';
}

static bool
ends_with (const char *s, const char *end)
{
  const size_t n = strlen (s), m = strlen (end);

  return n >= m && strcmp (s + n - m, end) == 0;
}

/* Does the key of LEN bytes name a secret? */
static bool
is_secret_key (const char *key, size_t len)
{
  static const char *const inside[] = { "passw",  "passphrase",  "psk",
                                        "secret", "privatekey",  "presharedkey",
                                        "wepkey", "wirelesskey", "apikey",
                                        "pbkdf2" };
  static const char *const at_end[] = { "pass", "pwd", "token" };
  static const char *const whole[] = { "key", "private", "shared", "pin" };
  char s[MAX_KEY + 1];
  size_t n = 0;

  for (size_t i = 0; i < len && n < MAX_KEY; ++i)
    if (isalnum ((unsigned char) key[i]))
      s[n++] = (char) tolower ((unsigned char) key[i]);
  s[n] = '\0';
  for (size_t i = 0; i < V2V_ARRAY_SIZE (inside); ++i)
    if (strstr (s, inside[i]) != NULL)
      return true;
  /* KEY1= of a wireless network. */
  while (n > 0 && isdigit ((unsigned char) s[n - 1]))
    s[--n] = '\0';
  for (size_t i = 0; i < V2V_ARRAY_SIZE (at_end); ++i)
    if (ends_with (s, at_end[i]))
      return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (whole); ++i)
    if (strcmp (s, whole[i]) == 0)
      return true;
  return false;
}

/* "PasswordAuthentication no", "psk-flags=0": a switch, no secret. */
static bool
is_switch (const char *value, size_t len)
{
  static const char *const words[] = { "yes", "no",  "true", "false",
                                       "on",  "off", "none", "" };

  if (len == 1 && isdigit ((unsigned char) *value))
    return true;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (words); ++i)
    if (strlen (words[i]) == len && strncasecmp (value, words[i], len) == 0)
      return true;
  return false;
}

/* How long the secret at VALUE is; END is the line's.  IS_FIRST: nothing but
 * its key stands before it, so that it may have blanks.  A comma may end it, or
 * be part of it: what follows in the list of options is hidden with it. */
static size_t
value_length (const char *value, const char *end, bool is_first)
{
  const char *p = value;

  if (p < end && (*p == '"' || *p == '\'')) {
    for (++p; p < end && *p != *value; ++p)
      if (*p == '\\' && p + 1 < end)
        ++p;
    return (size_t) ((p < end ? p + 1 : end) - value);
  }
  if (is_first) {
    while (end > value && strchr (" \t\r", end[-1]) != NULL)
      --end;
    return (size_t) (end - value);
  }
  while (p < end && strchr (" \t\r;}\"'", *p) == NULL)
    ++p;
  return (size_t) (p - value);
}

/* A hash at P, with its method, or GRUB's own; its length, 0 = none. */
static size_t
hash_length (const char *p, const char *end)
{
  static const char *const methods[] = {
    "$1$", "$2a$", "$2b$", "$2y$",  "$5$",        "$6$",          "$sha1$",
    "$7$", "$y$",  "$gy$", "$md5,", "$argon2id$", "grub.pbkdf2.",
  };
  static const char stop[] = " \t\r\"':,;";

  for (size_t i = 0; i < V2V_ARRAY_SIZE (methods); ++i) {
    const size_t n = strlen (methods[i]);
    size_t len = n;

    if ((size_t) (end - p) <= n || memcmp (p, methods[i], n) != 0)
      continue;
    while (p + len < end && strchr (stop, p[len]) == NULL)
      ++len;
    return len;
  }
  return 0;
}

/* "://user:secret@host": where SECRET begins, NULL = none is here. */
static const char *
url_secret (const char *p, const char *end, size_t *ret_len)
{
  const char *colon = NULL, *at = NULL;

  if (end - p < 3 || memcmp (p, "://", 3) != 0)
    return NULL;
  for (p += 3; p < end && strchr (" \t\r\"'/", *p) == NULL; ++p) {
    if (*p == ':' && colon == NULL)
      colon = p;
    if (*p == '@')
      at = p;
  }
  if (colon == NULL || at == NULL || at < colon)
    return NULL;
  *ret_len = (size_t) (at - colon - 1);
  return colon + 1;
}

/* The value that belongs to the key of LEN bytes at KEY; NULL = no value is
 * here.  A first word takes a value without a sign between: "wpa-psk X". */
static const char *
value_of (const char *key, size_t len, const char *end, bool is_first)
{
  const char *p = key + len;
  bool blank = false;

  if (p < end && (*p == '"' || *p == '\''))
    ++p; /* "password": "x" */
  for (; p < end && (*p == ' ' || *p == '\t'); ++p)
    blank = true;
  if (p < end && p[0] == '+' && p + 1 < end && p[1] == '=')
    ++p;
  if (p < end && (*p == '=' || *p == ':'))
    ++p;
  else if (!is_first || !blank)
    return NULL;
  while (p < end && (*p == ' ' || *p == '\t'))
    ++p;
  return p;
}

/* The next secret at or behind P of the line that begins at LINE; NULL = no
 * more. */
static const char *
next_secret (const char *line, const char *p, const char *end, size_t *ret_len)
{
  const char *first = line + strspn (line, " \t\"'-");

  while (p < end) {
    const size_t hash = hash_length (p, end);
    const char *value = url_secret (p, end, ret_len);
    size_t n = 0;

    if (value != NULL)
      return value;
    if (hash > 0) {
      *ret_len = hash;
      return p;
    }
    /* "/etc/key:UUID=1": a name in a path is no key. */
    if (!is_key_char (*p) ||
        (p > line && (is_key_char (p[-1]) || p[-1] == '/'))) {
      ++p;
      continue;
    }
    while (p + n < end && is_key_char (p[n]))
      ++n;
    if (is_secret_key (p, n) &&
        (value = value_of (p, n, end, p == first)) != NULL) {
      *ret_len = value_length (value, end, p == first);
      if (!is_switch (value, *ret_len))
        return value;
    }
    ++p;
  }
  return NULL;
}

char *
guest_redact (const char *text)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;

  /* The lines of a key in PEM have no keys of their own. */
  if (strstr (text, "PRIVATE KEY-----") != NULL)
    return strdup (HIDDEN);
  if (v2v_str_append (&out, "") == -1)
    return NULL;
  for (const char *line = text; *line != '\0';) {
    const char *end = line + strcspn (line, "\n");
    const char *done = line, *p;
    size_t len;

    while ((p = next_secret (line, done, end, &len)) != NULL) {
      if (v2v_str_append_len (&out, done, (size_t) (p - done)) == -1 ||
          v2v_str_append (&out, HIDDEN) == -1)
        return NULL;
      done = p + len;
    }
    end += *end == '\n' ? 1 : 0;
    if (v2v_str_append_len (&out, done, (size_t) (end - done)) == -1)
      return NULL;
    line = end;
  }
  return STEAL (out.ptr);
}
