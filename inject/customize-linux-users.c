/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts of a Linux guest: passwd, shadow, group, gshadow, homes, keys and
 * sudo, edited as useradd and usermod would, which need a running guest.
 * Lines that are not ours stay byte for byte.
 *
 * Sources: passwd(5), shadow(5), group(5), gshadow(5), login.defs(5),
 * useradd(8), sudoers(5) (a name with a '.' in sudoers.d is not read),
 * sshd(8) ("AUTHORIZED_KEYS FILE FORMAT"); nsswitch's compat lines ("+") must
 * stay last.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"
#include "inject/profile-internal.h"

#define WHY "an account of the profile"

enum { PASSWD, SHADOW, GROUP, GSHADOW, NR_TABLES };

static const char *const table_paths[NR_TABLES] = {
  "/etc/passwd",
  "/etc/shadow",
  "/etc/group",
  "/etc/gshadow",
};

/* The tables as texts, changed in memory and written at the end: a fault in
 * the middle leaves none of them half done. */
struct accounts {
  struct customize *c;
  struct v2v_str text[NR_TABLES]; /* ptr NULL = the guest has none */
  bool changed[NR_TABLES];
};

void
linux_account_clear (struct linux_account *a)
{
  free (a->home);
  free (a->shell);
  memset (a, 0, sizeof *a);
}

static void
accounts_clear (struct accounts *a)
{
  for (unsigned i = 0; i < NR_TABLES; ++i)
    customize_wipe_str (&a->text[i]);
}

static int
accounts_read (struct accounts *a, struct v2v_error **err)
{
  for (unsigned i = 0; i < NR_TABLES; ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_WIPE_TEXT char *text =
        v2v_guest_read_text (a->c->g, table_paths[i], &e);

    if (e != NULL)
      return v2v_error_move (err, e);
    if (text != NULL && v2v_str_append (&a->text[i], text) == -1)
      return v2v_fail_nomem (err);
  }
  if (a->text[PASSWD].ptr == NULL || a->text[SHADOW].ptr == NULL)
    return v2v_fail (
        err, V2V_ERR_GUEST, "%s is not in the guest: accounts cannot be set",
        table_paths[a->text[PASSWD].ptr == NULL ? PASSWD : SHADOW]);
  return 0;
}

/* shadow first: an account without it could not log in at all, one in shadow
 * alone harms nobody. */
static int
accounts_write (struct accounts *a, struct v2v_error **err)
{
  static const unsigned order[NR_TABLES] = { GSHADOW, GROUP, SHADOW, PASSWD };

  for (unsigned k = 0; k < NR_TABLES; ++k) {
    const unsigned i = order[k];
    const unsigned flags = i == SHADOW || i == GSHADOW ? V2V_WRITE_SECRET : 0;

    if (a->changed[i] &&
        v2v_guest_write (a->c->g, table_paths[i], a->text[i].ptr,
                         a->text[i].len, 0, flags, WHY, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- lines ---- */

/* Where the line of NAME begins; its length without the line end.  NULL =
 * there is none. */
static const char *
find_line (const struct v2v_str *s, const char *name, size_t *ret_len)
{
  const size_t n = strlen (name);

  for (const char *p = s->ptr; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");

    if (len > n && p[n] == ':' && strncmp (p, name, n) == 0) {
      *ret_len = len;
      return p;
    }
    p += len + (p[len] == '\n');
  }
  return NULL;
}

/* Field I of a line, a copy; NULL when the line has fewer. */
static char *
get_field (const char *line, size_t len, unsigned i)
{
  const char *end = line + len;

  while (i > 0) {
    line = memchr (line, ':', (size_t) (end - line));
    if (line == NULL)
      return NULL;
    ++line;
    --i;
  }
  {
    const char *colon = memchr (line, ':', (size_t) (end - line));

    return strndup (line, (size_t) ((colon ? colon : end) - line));
  }
}

/* Replace LEN bytes at AT of S by TEXT. */
static int
splice (struct v2v_str *s, size_t at, size_t len, const char *text,
        struct v2v_error **err)
{
  struct v2v_str out = V2V_STR_INIT;

  if (v2v_str_append_len (&out, s->ptr, at) == -1 ||
      v2v_str_append (&out, text) == -1 ||
      v2v_str_append_len (&out, s->ptr + at + len, s->len - at - len) == -1) {
    customize_wipe_str (&out);
    return v2v_fail_nomem (err);
  }
  customize_wipe_str (s);
  *s = out;
  return 0;
}

/* Set field I of NAME's line in TABLE. */
static int
set_field (struct accounts *a, unsigned table, const char *name, unsigned i,
           const char *value, struct v2v_error **err)
{
  struct v2v_str *s = &a->text[table];
  size_t len;
  const char *line = find_line (s, name, &len);
  CLEANUP_WIPE_TEXT char *old = NULL;
  const char *p;

  if (line == NULL)
    return 0;
  old = get_field (line, len, i);
  if (old == NULL)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s in the guest: the line of %s has fewer fields than it "
                     "must have",
                     table_paths[table], name);
  if (strcmp (old, value) == 0)
    return 0;
  p = line;
  for (unsigned k = 0; k < i; ++k)
    p = strchr (p, ':') + 1;
  a->changed[table] = true;
  return splice (s, (size_t) (p - s->ptr), strlen (old), value, err);
}

/* Add LINE (without its end) before the first compat line, or last. */
static int
add_line (struct accounts *a, unsigned table, const char *line,
          struct v2v_error **err)
{
  struct v2v_str *s = &a->text[table];
  CLEANUP_WIPE_STR struct v2v_str text = V2V_STR_INIT;
  size_t at = 0;
  bool ended = true;

  if (s->ptr == NULL)
    return 0;
  while (at < s->len && s->ptr[at] != '+' && s->ptr[at] != '-') {
    const size_t n = strcspn (s->ptr + at, "\n");

    ended = s->ptr[at + n] == '\n';
    at += n + ended;
  }
  a->changed[table] = true;
  if (v2v_str_printf (&text, "%s%s\n", ended ? "" : "\n", line) == -1)
    return v2v_fail_nomem (err);
  return splice (s, at, 0, text.ptr, err);
}

static bool
parse_id (const char *s, uint32_t *ret)
{
  char *end;
  unsigned long n;

  if (s == NULL || *s < '0' || *s > '9')
    return false;
  errno = 0;
  n = strtoul (s, &end, 10);
  if (*end != '\0' || errno != 0 || n >= UINT32_MAX)
    return false;
  *ret = (uint32_t) n;
  return true;
}

/* 1 = NAME is there. */
static int
find_account (struct accounts *a, const char *name, struct linux_account *ret,
              struct v2v_error **err)
{
  size_t len;
  const char *line = find_line (&a->text[PASSWD], name, &len);
  CLEANUP_FREE char *uid = NULL, *gid = NULL;

  if (line == NULL)
    return 0;
  uid = get_field (line, len, 2);
  gid = get_field (line, len, 3);
  ret->home = get_field (line, len, 5);
  ret->shell = get_field (line, len, 6);
  if (!parse_id (uid, &ret->uid) || !parse_id (gid, &ret->gid) ||
      ret->home == NULL || ret->shell == NULL) {
    linux_account_clear (ret);
    return v2v_fail (err, V2V_ERR_GUEST,
                     "/etc/passwd in the guest: the line of %s is malformed",
                     name);
  }
  return 1;
}

static bool
id_is_taken (const struct accounts *a, unsigned table, uint32_t id)
{
  for (const char *p = a->text[table].ptr; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");
    CLEANUP_FREE char *field = get_field (p, len, 2);
    uint32_t n;

    if (parse_id (field, &n) && n == id)
      return true;
    p += len + (p[len] == '\n');
  }
  return false;
}

static int
login_defs_id (struct customize *c, const char *word, uint32_t fallback,
               uint32_t *ret, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *value = customize_login_defs (c, word, &e);

  if (e != NULL)
    return v2v_error_move (err, e);
  *ret = fallback;
  if (value != NULL)
    (void) parse_id (value, ret);
  return 0;
}

/* Ids that are given out here end at 60000 (login.defs(5), UID_MAX). */
#define MAX_ID 60000

/* Mark the ids of TABLE, in one pass: the tables are as long as the guest
 * likes. */
static void
mark_ids (const struct accounts *a, unsigned table, bool *taken)
{
  for (const char *p = a->text[table].ptr; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");
    CLEANUP_FREE char *field = get_field (p, len, 2);
    uint32_t n;

    if (parse_id (field, &n) && n <= MAX_ID)
      taken[n] = true;
    p += len + (p[len] == '\n');
  }
}

/* An id that is free in passwd and in group: a user and its group have the
 * same number. */
static int
free_id (struct accounts *a, uint32_t *ret, struct v2v_error **err)
{
  CLEANUP_FREE bool *taken = calloc (MAX_ID + 1, sizeof *taken);
  uint32_t min = 0, max = 0;

  if (taken == NULL)
    return v2v_fail_nomem (err);
  if (login_defs_id (a->c, "UID_MIN", 1000, &min, err) == -1 ||
      login_defs_id (a->c, "UID_MAX", MAX_ID, &max, err) == -1)
    return -1;
  if (max > MAX_ID)
    max = MAX_ID;
  mark_ids (a, PASSWD, taken);
  mark_ids (a, GROUP, taken);
  for (uint32_t id = min; id <= max; ++id)
    if (!taken[id]) {
      *ret = id;
      return 0;
    }
  return v2v_fail (err, V2V_ERR_GUEST,
                   "the guest has no free user id between %" PRIu32
                   " and %" PRIu32,
                   min, max);
}

/* ---- groups ---- */

static int
add_group (struct accounts *a, const char *name, uint32_t gid,
           struct v2v_error **err)
{
  char line[128];

  snprintf (line, sizeof line, "%s:x:%" PRIu32 ":", name, gid);
  if (add_line (a, GROUP, line, err) == -1)
    return -1;
  snprintf (line, sizeof line, "%s:!::", name);
  return add_line (a, GSHADOW, line, err);
}

/* Is NAME in the list "a,b"? */
static bool
is_member (const char *list, const char *name)
{
  const size_t n = strlen (name);

  for (const char *p = list; *p != '\0';) {
    const size_t len = strcspn (p, ",");

    if (len == n && strncmp (p, name, n) == 0)
      return true;
    p += len + (p[len] == ',');
  }
  return false;
}

/* Put USER into the member list of GROUP in TABLE. */
static int
join_table (struct accounts *a, unsigned table, const char *group,
            const char *user, struct v2v_error **err)
{
  size_t len;
  const char *line = find_line (&a->text[table], group, &len);
  CLEANUP_FREE char *list = NULL, *longer = NULL;

  if (line == NULL)
    return 0;
  list = get_field (line, len, 3);
  if (list != NULL && is_member (list, user))
    return 0;
  if (asprintf (&longer, "%s%s%s", list ? list : "", list && *list ? "," : "",
                user) == -1) {
    longer = NULL;
    return v2v_fail_nomem (err);
  }
  return set_field (a, table, group, 3, longer, err);
}

static int
join_groups (struct accounts *a, const struct v2v_profile_user *u,
             struct v2v_error **err)
{
  for (char **g = u->groups; g != NULL && *g != NULL; ++g) {
    size_t len;
    uint32_t gid;

    if (find_line (&a->text[GROUP], *g, &len) == NULL &&
        (free_id (a, &gid, err) == -1 || add_group (a, *g, gid, err) == -1))
      return -1;
    if (join_table (a, GROUP, *g, u->name, err) == -1 ||
        join_table (a, GSHADOW, *g, u->name, err) == -1)
      return -1;
  }
  return 0;
}

/* The primary group of a new user: its own, or "users" where login.defs says
 * so (SUSE). */
static int
primary_group (struct accounts *a, const char *name, uint32_t uid,
               uint32_t *ret, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *own = customize_login_defs (a->c, "USERGROUPS_ENAB", &e);
  const char *group = own != NULL && strcmp (own, "no") == 0 ? "users" : name;
  CLEANUP_FREE char *gid = NULL;
  size_t len;
  const char *line;

  if (e != NULL)
    return v2v_error_move (err, e);
  line = find_line (&a->text[GROUP], group, &len);
  gid = line != NULL ? get_field (line, len, 2) : NULL;
  if (parse_id (gid, ret))
    return 0;
  *ret = uid;
  if (id_is_taken (a, GROUP, uid) && free_id (a, ret, err) == -1)
    return -1;
  return add_group (a, name, *ret, err);
}

/* ---- passwd and shadow ---- */

static const char *
default_shell (struct customize *c)
{
  return v2v_guest_exists (c->g, "/bin/bash") ? "/bin/bash" : "/bin/sh";
}

/* Days since 1970, as shadow counts. */
static long
today (void)
{
  return (long) (time (NULL) / 86400);
}

static int
add_shadow (struct accounts *a, const char *name, const char *hash,
            struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str line = V2V_STR_INIT;
  uint32_t min = 0, max = 0, warn = 0;

  if (login_defs_id (a->c, "PASS_MIN_DAYS", 0, &min, err) == -1 ||
      login_defs_id (a->c, "PASS_MAX_DAYS", 99999, &max, err) == -1 ||
      login_defs_id (a->c, "PASS_WARN_AGE", 7, &warn, err) == -1)
    return -1;
  if (v2v_str_printf (&line, "%s:%s:%ld:%" PRIu32 ":%" PRIu32 ":%" PRIu32 ":::",
                      name, hash, today (), min, max, warn) == -1)
    return v2v_fail_nomem (err);
  return add_line (a, SHADOW, line.ptr, err);
}

/* The password of an account that is there. */
static int
set_password (struct accounts *a, const struct v2v_profile_user *u,
              struct v2v_error **err)
{
  size_t len;
  const char *line = find_line (&a->text[SHADOW], u->name, &len);
  CLEANUP_WIPE_TEXT char *old = NULL, *hash = NULL;
  struct v2v_error *e = NULL;
  char days[24];

  old = line != NULL ? get_field (line, len, 1) : NULL;
  hash = customize_wanted_hash (a->c, u, old, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (hash == NULL)
    return 0;
  if (line == NULL)
    return add_shadow (a, u->name, hash, err);
  if (strcmp (hash, old) == 0)
    return 0;
  snprintf (days, sizeof days, "%ld", today ());
  return set_field (a, SHADOW, u->name, 1, hash, err) == -1 ||
                 (!u->lock &&
                  set_field (a, SHADOW, u->name, 2, days, err) == -1) ||
                 set_field (a, PASSWD, u->name, 1, "x", err) == -1
             ? -1
             : 0;
}

static int
add_user (struct accounts *a, const struct v2v_profile_user *u,
          struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str line = V2V_STR_INIT;
  CLEANUP_WIPE_TEXT char *hash = NULL;
  struct v2v_error *e = NULL;
  uint32_t uid, gid;

  if (u->uid >= 0 && id_is_taken (a, PASSWD, (uint32_t) u->uid))
    return v2v_fail (err, V2V_ERR_GUEST,
                     "user %s: the guest has another user with the id %" PRId64,
                     u->name, u->uid);
  uid = (uint32_t) u->uid;
  if ((u->uid < 0 && free_id (a, &uid, err) == -1) ||
      primary_group (a, u->name, uid, &gid, err) == -1)
    return -1;
  hash = customize_wanted_hash (a->c, u, NULL, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (v2v_str_printf (&line, "%s:x:%" PRIu32 ":%" PRIu32 ":%s:", u->name, uid,
                      gid, u->comment ? u->comment : "") == -1 ||
      (u->home != NULL ? v2v_str_append (&line, u->home)
                       : v2v_str_printf (&line, "/home/%s", u->name)) == -1 ||
      v2v_str_printf (&line, ":%s",
                      u->shell ? u->shell : default_shell (a->c)) == -1)
    return v2v_fail_nomem (err);
  /* "*": no password fits, and a key still does, with or without PAM; sshd
   * without PAM takes "!" for a locked account. */
  return add_line (a, PASSWD, line.ptr, err) == -1 ||
                 add_shadow (a, u->name, hash ? hash : "*", err) == -1
             ? -1
             : 0;
}

static int
change_user (struct accounts *a, const struct v2v_profile_user *u,
             const struct linux_account *old, struct v2v_error **err)
{
  if (u->uid > 0 && (uint32_t) u->uid != old->uid &&
      customize_finding (a->c, V2V_WARNING, "guest.customize.uid", u->name,
                         "change it in the running guest, with its files", err,
                         "user %s has the id %" PRIu32 ", not %" PRId64
                         ": it stays, since its files have it",
                         u->name, old->uid, u->uid) == -1)
    return -1;
  if (u->comment != NULL &&
      set_field (a, PASSWD, u->name, 4, u->comment, err) == -1)
    return -1;
  if (u->shell != NULL &&
      set_field (a, PASSWD, u->name, 6, u->shell, err) == -1)
    return -1;
  if (u->home != NULL && strcmp (u->home, old->home) != 0 &&
      customize_finding (a->c, V2V_WARNING, "guest.customize.home", u->name,
                         "move it in the running guest: usermod -m -d", err,
                         "the home of %s stays where it is", u->name) == -1)
    return -1;
  return set_password (a, u, err);
}

/* ---- homes and keys ---- */

#define MAX_SKEL_DEPTH 8
#define MAX_SKEL_FILE  (1u << 20)

/* Copy what is below FROM to TO, as useradd does with /etc/skel. */
static int
copy_skel (struct customize *c, const char *from, const char *to,
           const struct linux_account *acc, unsigned depth,
           struct v2v_error **err)
{
  CLEANUP_LIST char **names = v2v_guest_list (c->g, from, err);

  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL && depth < MAX_SKEL_DEPTH; ++i) {
    CLEANUP_FREE char *src = NULL, *dst = NULL;
    struct v2v_guest_stat st;

    if (asprintf (&src, "%s/%s", from, names[i]) == -1)
      src = NULL;
    if (asprintf (&dst, "%s/%s", to, names[i]) == -1)
      dst = NULL;
    if (src == NULL || dst == NULL)
      return v2v_fail_nomem (err);
    if (v2v_guest_lstat (c->g, src, &st, err) != 1)
      return -1;
    if (st.type == V2V_FILE_FOLDER) {
      if (v2v_guest_mkdir (c->g, dst, st.mode & 0777, err) == -1 ||
          v2v_guest_chown (c->g, dst, acc->uid, acc->gid, WHY, err) == -1 ||
          copy_skel (c, src, dst, acc, depth + 1, err) == -1)
        return -1;
    }
    else if (st.type == V2V_FILE_REGULAR && st.size_bytes <= MAX_SKEL_FILE) {
      CLEANUP_FREE void *data = NULL;
      size_t len;

      data = v2v_guest_read (c->g, src, MAX_SKEL_FILE, &len, err);
      if (data == NULL ||
          v2v_guest_write (c->g, dst, data, len, st.mode & 0777, 0, WHY, err) ==
              -1 ||
          v2v_guest_chown (c->g, dst, acc->uid, acc->gid, WHY, err) == -1)
        return -1;
    }
  }
  return 0;
}

/* The guest's own word for the home of an account is used for writing. */
static int
check_home (struct customize *c, const struct v2v_profile_user *u,
            const struct linux_account *acc, struct v2v_error **err)
{
  (void) c;
  if (profile_rule_path (acc->home) == NULL && strcmp (acc->home, "/") != 0)
    return 0;
  return v2v_fail (err, V2V_ERR_GUEST,
                   "/etc/passwd in the guest: the home of %s is no folder for "
                   "files of its own",
                   u->name);
}

static int
make_home (struct customize *c, const struct v2v_profile_user *u,
           const struct linux_account *acc, struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *mode = NULL;
  uint32_t bits = 0700;

  if (check_home (c, u, acc, err) == -1)
    return -1;
  if (v2v_guest_is_dir (c->g, acc->home))
    return 0;
  mode = customize_login_defs (c, "HOME_MODE", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (mode != NULL && strspn (mode, "01234567") == strlen (mode) &&
      strlen (mode) >= 3 && strlen (mode) <= 4)
    bits = (uint32_t) strtoul (mode, NULL, 8) & 0777;
  if (v2v_guest_mkdir (c->g, acc->home, bits, err) == -1 ||
      v2v_guest_chown (c->g, acc->home, acc->uid, acc->gid, WHY, err) == -1)
    return -1;
  return copy_skel (c, "/etc/skel", acc->home, acc, 0, err);
}

/* Is LINE one of TEXT's? */
static bool
has_line (const char *text, const char *line)
{
  const size_t n = strlen (line);

  for (const char *p = text; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\r\n");

    if (len == n && strncmp (p, line, n) == 0)
      return true;
    p += len;
    p += strspn (p, "\r\n");
  }
  return false;
}

/* Where sshd looks, if not at the usual place. */
static int
tell_other_keys_file (struct customize *c, const char *user,
                      struct v2v_error **err)
{
  CLEANUP_FREE char *text =
      v2v_guest_read_text (c->g, "/etc/ssh/sshd_config", NULL);

  for (const char *p = text; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, "\n");

    if (len > 18 && strncasecmp (p, "AuthorizedKeysFile", 18) == 0 &&
        memmem (p, len, ".ssh/authorized_keys", 20) == NULL)
      return customize_finding (
          c, V2V_WARNING, "guest.customize.keys", user,
          "move the keys, or change sshd_config", err,
          "sshd of the guest does not read "
          ".ssh/authorized_keys, where the keys were put");
    p += len + (p[len] == '\n');
  }
  return 0;
}

/* Is PATH, which is written as root, what a user of the guest cannot have made
 * of it: a link to root's files, or (FILE) another name of one?  1 = yes, or
 * not there; 0 = no, with a finding. */
static int
is_own (struct customize *c, const char *path, const char *user,
        const struct linux_account *acc, bool file, struct v2v_error **err)
{
  struct v2v_guest_stat st;
  const int r = v2v_guest_lstat (c->g, path, &st, err);

  if (r <= 0)
    return r == -1 ? -1 : 1;
  if (st.type == (file ? V2V_FILE_REGULAR : V2V_FILE_FOLDER) &&
      (st.uid == acc->uid || (st.uid == 0 && !file)))
    return 1;
  return customize_finding (c, V2V_WARNING, "guest.customize.keys", user,
                            "put the keys there in the running guest", err,
                            "%s is a link or belongs to another user: no key "
                            "was added",
                            path) == -1
             ? -1
             : 0;
}

static int
put_keys (struct customize *c, const struct v2v_profile_user *u,
          const struct linux_account *acc, struct v2v_error **err)
{
  CLEANUP_FREE char *dir = NULL, *path = NULL, *old = NULL;
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  struct v2v_error *e = NULL;
  int r;

  if (u->authorized_keys == NULL || u->authorized_keys[0] == NULL)
    return 0;
  if (check_home (c, u, acc, err) == -1)
    return -1;
  if (asprintf (&dir, "%s/.ssh", acc->home) == -1)
    dir = NULL;
  if (asprintf (&path, "%s/.ssh/authorized_keys", acc->home) == -1)
    path = NULL;
  if (dir == NULL || path == NULL)
    return v2v_fail_nomem (err);
  if ((r = is_own (c, acc->home, u->name, acc, false, err)) != 1 ||
      (r = is_own (c, dir, u->name, acc, false, err)) != 1 ||
      (r = is_own (c, path, u->name, acc, true, err)) != 1)
    return r;
  old = v2v_guest_read_text (c->g, path, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (old != NULL && (v2v_str_append (&s, old) == -1 ||
                      (s.len > 0 && s.ptr[s.len - 1] != '\n' &&
                       v2v_str_append (&s, "\n") == -1)))
    return v2v_fail_nomem (err);
  for (char **k = u->authorized_keys; *k != NULL; ++k)
    if (!has_line (s.ptr, *k) && v2v_str_printf (&s, "%s\n", *k) == -1)
      return v2v_fail_nomem (err);
  /* sshd ignores keys that others could write (StrictModes). */
  if (v2v_guest_mkdir (c->g, dir, 0700, err) == -1 ||
      v2v_guest_chmod (c->g, dir, 0700, WHY, err) == -1 ||
      v2v_guest_chown (c->g, dir, acc->uid, acc->gid, WHY, err) == -1 ||
      v2v_guest_write (c->g, path, s.ptr, s.len, 0600, 0, WHY, err) == -1 ||
      v2v_guest_chmod (c->g, path, 0600, WHY, err) == -1 ||
      v2v_guest_chown (c->g, path, acc->uid, acc->gid, WHY, err) == -1)
    return -1;
  return tell_other_keys_file (c, u->name, err);
}

static int
put_sudo (struct customize *c, const struct v2v_profile_user *u,
          struct v2v_error **err)
{
  char path[96], text[128];

  if (!u->sudo && !u->sudo_without_password)
    return 0;
  if (!v2v_guest_is_file (c->g, "/etc/sudoers"))
    return customize_finding (c, V2V_WARNING, "guest.customize.sudo", u->name,
                              "install sudo in the guest", err,
                              "the guest has no sudo: %s does not become root",
                              u->name);
  snprintf (path, sizeof path, "/etc/sudoers.d/90-v2v-%s", u->name);
  for (char *p = strrchr (path, '/'); *p != '\0'; ++p)
    if (*p == '.')
      *p = '='; /* in no name: "a.b" is not "a_b" */
  snprintf (text, sizeof text, "%s ALL=(ALL) %sALL\n", u->name,
            u->sudo_without_password ? "NOPASSWD: " : "");
  return v2v_guest_mkdir (c->g, "/etc/sudoers.d", 0750, err) == -1 ||
                 v2v_guest_write_text (c->g, path, text, 0440, WHY, err) == -1
             ? -1
             : 0;
}

/* ---- the whole ---- */

static int
one_user (struct accounts *a, const struct v2v_profile_user *u,
          struct v2v_error **err)
{
  struct linux_account old = { .home = NULL };
  const int r = find_account (a, u->name, &old, err);
  int done = -1;

  if (r == 1)
    done = change_user (a, u, &old, err);
  else if (r == 0)
    done = add_user (a, u, err);
  linux_account_clear (&old);
  return done == -1 ? -1 : join_groups (a, u, err);
}

static int
one_home (struct accounts *a, const struct v2v_profile_user *u, bool is_root,
          struct v2v_error **err)
{
  struct linux_account acc = { .home = NULL };
  int r = find_account (a, u->name, &acc, err);

  if (r == 1)
    r = (!is_root && make_home (a->c, u, &acc, err) == -1) ||
                put_keys (a->c, u, &acc, err) == -1 ||
                put_sudo (a->c, u, err) == -1
            ? -1
            : 0;
  linux_account_clear (&acc);
  return r;
}

int
customize_linux_users (struct customize *c, struct v2v_error **err)
{
  const struct v2v_profile_linux *l = &c->p->os_linux;
  struct v2v_profile_user root = l->root; /* borrowed */
  struct accounts a = { .c = c };
  char name[] = "root";
  int r = 0;

  if (!l->has_root && l->nr_users == 0)
    return 0;
  root.name = name;
  if (accounts_read (&a, err) == -1)
    r = -1;
  if (r == 0 && l->has_root)
    r = set_password (&a, &root, err);
  for (size_t i = 0; r == 0 && i < l->nr_users; ++i)
    r = one_user (&a, &l->users[i], err);
  if (r == 0)
    r = accounts_write (&a, err);
  if (r == 0 && l->has_root)
    r = one_home (&a, &root, true, err);
  for (size_t i = 0; r == 0 && i < l->nr_users; ++i)
    r = one_home (&a, &l->users[i], false, err);
  accounts_clear (&a);
  return r;
}
