/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a profile refers to is read: secrets, scripts, an answer file.  And a
 * profile is forgotten: what was secret is overwritten first. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "inject/profile-internal.h"

/* Longer than any password Windows (127) or crypt(3) takes. */
#define MAX_SECRET_BYTES 1024
/* Of a script, an answer file or user-data (cloud-init's own bound for
 * compressed user-data is far below). */
#define MAX_FILE_BYTES    (1u << 20)
#define MAX_PROFILE_BYTES (1u << 20)

struct v2v_secret **
profile_secrets (const struct v2v_profile *p)
{
  const struct v2v_profile_windows *w = &p->windows;
  const struct v2v_profile_linux *l = &p->os_linux;
  const size_t max = 5 + w->nr_users + 2 * l->nr_users;
  const struct v2v_secret **all = calloc (max + 1, sizeof *all);
  size_t n = 0;

  if (all == NULL)
    return NULL;
  all[n++] = &w->product_key;
  all[n++] = &w->administrator_password;
  all[n++] = &w->join_password;
  all[n++] = &l->root.password;
  all[n++] = &l->root.password_hash;
  for (size_t i = 0; i < w->nr_users; ++i)
    all[n++] = &w->users[i].password;
  for (size_t i = 0; i < l->nr_users; ++i) {
    all[n++] = &l->users[i].password;
    all[n++] = &l->users[i].password_hash;
  }
  return (struct v2v_secret **) all;
}

/* Read FD to its end into memory that was never moved, so that no copy of a
 * secret is left behind: at most MAX bytes, a NUL follows. */
static char *
read_fd (int fd, size_t max, const char *name, size_t *ret_len,
         struct v2v_error **err)
{
  char *buf = malloc (max + 2);
  size_t len = 0;

  if (buf == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (;;) {
    const ssize_t n = read (fd, buf + len, max + 1 - len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      v2v_fail_errno (err, "%s", name);
    if (n > 0)
      len += (size_t) n;
    if (len > max)
      v2v_fail (err, V2V_ERR_USAGE, "%s: more than %zu bytes", name, max);
    if (n == -1 || len > max) {
      explicit_bzero (buf, max + 2);
      free (buf);
      return NULL;
    }
    if (n == 0)
      break;
  }
  buf[len] = '\0';
  *ret_len = len;
  return buf;
}

static char *
read_path (const char *path, size_t max, size_t *ret_len,
           struct v2v_error **err)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat st;

  if (fd == -1 || fstat (fd, &st) == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  /* A pipe is what a shell makes of <(...). */
  if (!S_ISREG (st.st_mode) && !S_ISFIFO (st.st_mode)) {
    v2v_fail (err, V2V_ERR_USAGE, "%s: expected a file", path);
    return NULL;
  }
  return read_fd (fd, max, path, ret_len, err);
}

/* The line without its end; NULL = fine. */
static const char *
trim_secret (char *s, size_t len)
{
  if (memchr (s, '\0', len) != NULL)
    return "it has a NUL";
  if (len > 0 && s[len - 1] == '\n')
    s[--len] = '\0';
  if (len > 0 && s[len - 1] == '\r')
    s[--len] = '\0';
  if (len == 0)
    return "it is empty";
  for (size_t i = 0; i < len; ++i)
    if ((unsigned char) s[i] < 32 || s[i] == 127)
      return "it has more than one line, or control characters";
  return v2v_is_valid_utf8 (s, len) ? NULL : "it is not UTF-8";
}

static int
read_secret (struct v2v_secret *s, struct v2v_error **err)
{
  char name[32];
  const char *why;
  size_t len;

  snprintf (name, sizeof name, "descriptor %d", s->fd);
  s->text = s->file != NULL
                ? read_path (s->file, MAX_SECRET_BYTES, &len, err)
                : read_fd (s->fd, MAX_SECRET_BYTES, name, &len, err);
  if (s->text == NULL)
    return -1;
  why = trim_secret (s->text, len);
  if (why != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: no secret to use: %s",
                     s->file != NULL ? s->file : name, why);
  return 0;
}

static int
read_file (struct v2v_profile_file *f, struct v2v_error **err)
{
  if (f->path == NULL || f->text != NULL)
    return 0;
  f->text = read_path (f->path, MAX_FILE_BYTES, &f->len, err);
  return f->text == NULL ? -1 : 0;
}

/* crypt(3)'s own letters: anything else would be a field of shadow. */
static int
check_hash (const struct v2v_profile *p, const struct v2v_secret *s,
            struct v2v_error **err)
{
  if (s->text == NULL)
    return 0;
  if (s->text[0] != '$' || strpbrk (s->text, ":!*; \t\"'\\") != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a password_hash is no hash of crypt(3): expected "
                     "\"$6$...\" or \"$y$...\"",
                     p->source);
  return 0;
}

int
v2v_profile_read_secrets (struct v2v_profile *p, struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_secret **all = profile_secrets (p);

  if (all == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; all[i] != NULL; ++i)
    if (all[i]->set && all[i]->text == NULL && read_secret (all[i], err) == -1)
      return -1;
  if (p->windows.product_key.text != NULL &&
      profile_rule_product_key (p->windows.product_key.text) != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "%s: windows.product_key: expected %s",
                     p->source,
                     profile_rule_product_key (p->windows.product_key.text));
  if (check_hash (p, &p->os_linux.root.password_hash, err) == -1)
    return -1;
  for (size_t i = 0; i < p->os_linux.nr_users; ++i)
    if (check_hash (p, &p->os_linux.users[i].password_hash, err) == -1)
      return -1;
  for (size_t i = 0; i < p->nr_scripts; ++i)
    if (read_file (&p->scripts[i], err) == -1)
      return -1;
  return read_file (&p->windows.answer_file, err) == -1 ||
                 read_file (&p->os_linux.user_data, err) == -1
             ? -1
             : 0;
}

struct v2v_profile *
v2v_profile_load (const char *path, struct v2v_error **err)
{
  CLEANUP_FREE char *folder = NULL, *text = NULL;
  const char *slash = strrchr (path, '/');
  struct v2v_profile *p;
  size_t len;

  folder = slash == NULL   ? strdup (".")
           : slash == path ? strdup ("/")
                           : strndup (path, (size_t) (slash - path));
  if (folder == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  text = read_path (path, MAX_PROFILE_BYTES, &len, err);
  if (text == NULL)
    return NULL;
  p = v2v_profile_parse (text, len, path, folder, err);
  if (p != NULL && v2v_profile_read_secrets (p, err) == -1) {
    v2v_profile_free (p);
    return NULL;
  }
  return p;
}

/* ---- forgetting ---- */

static void
free_secret (struct v2v_secret *s)
{
  if (s->text != NULL)
    explicit_bzero (s->text, strlen (s->text));
  free (s->text);
  free (s->file);
}

static void
free_file (struct v2v_profile_file *f)
{
  if (f->text != NULL)
    explicit_bzero (f->text, f->len);
  free (f->text);
  free (f->path);
  free (f->name);
}

static void
free_user (struct v2v_profile_user *u)
{
  free (u->name);
  free (u->comment);
  free (u->shell);
  free (u->home);
  v2v_guest_free_list (u->groups);
  v2v_guest_free_list (u->authorized_keys);
  free_secret (&u->password);
  free_secret (&u->password_hash);
}

static void
free_nic (struct v2v_profile_nic *n)
{
  free (n->mac);
  free (n->name);
  v2v_guest_free_list (n->addresses);
  v2v_guest_free_list (n->gateways);
  v2v_guest_free_list (n->dns);
  v2v_guest_free_list (n->search);
  for (size_t i = 0; i < n->nr_routes; ++i) {
    free (n->routes[i].to);
    free (n->routes[i].via);
  }
  free (n->routes);
}

static void
free_windows (struct v2v_profile_windows *w)
{
  free (w->organization);
  free (w->owner);
  free_secret (&w->product_key);
  free_secret (&w->administrator_password);
  for (size_t i = 0; i < w->nr_users; ++i)
    free_user (&w->users[i]);
  free (w->users);
  free (w->join_domain);
  free (w->join_ou);
  free (w->join_user);
  free (w->join_user_domain);
  free_secret (&w->join_password);
  free (w->workgroup);
  free (w->input_locale);
  free (w->system_locale);
  free (w->ui_language);
  free (w->user_locale);
  free (w->auto_logon_user);
  v2v_guest_free_list (w->synchronous_commands);
  v2v_guest_free_list (w->first_logon_commands);
  v2v_guest_free_list (w->install_features);
  v2v_guest_free_list (w->remove_features);
  free_file (&w->answer_file);
}

void
v2v_profile_free (struct v2v_profile *p)
{
  if (p == NULL)
    return;
  free (p->source);
  free (p->computer_name);
  free (p->time_zone);
  free (p->locale);
  for (size_t i = 0; i < p->nr_nics; ++i)
    free_nic (&p->nics[i]);
  free (p->nics);
  for (size_t i = 0; i < p->nr_scripts; ++i)
    free_file (&p->scripts[i]);
  free (p->scripts);
  free_windows (&p->windows);
  free_user (&p->os_linux.root);
  for (size_t i = 0; i < p->os_linux.nr_users; ++i)
    free_user (&p->os_linux.users[i]);
  free (p->os_linux.users);
  v2v_guest_free_list (p->os_linux.packages);
  free_file (&p->os_linux.user_data);
  free (p);
}
