/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folder trees that stand for a guest. */

#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test-util.h"
#include "guest-tree.h"

static char *
host_path (const char *dir, const char *path)
{
  char *s;

  assert_int_equal (path[0], '/');
  assert_true (asprintf (&s, "%s%s", dir, path) > 0);
  return s;
}

static void
make_parents (const char *dir, const char *path)
{
  char *s = host_path (dir, path);

  for (char *p = s + strlen (dir) + 1; (p = strchr (p, '/')) != NULL; ++p) {
    *p = '\0';
    (void) mkdir (s, 0755);
    *p = '/';
  }
  free (s);
}

void
guest_tree_add (const char *dir, const struct guest_tree_entry *e)
{
  char *s = host_path (dir, e->path);

  make_parents (dir, e->path);
  if (e->link != NULL) {
    unlink (s);
    assert_int_equal (symlink (e->link, s), 0);
  }
  else if (e->text == NULL) {
    (void) mkdir (s, 0755);
    assert_int_equal (chmod (s, e->mode ? e->mode : 0755), 0);
  }
  else {
    test_write_file (s, e->text, strlen (e->text));
    assert_int_equal (chmod (s, e->mode ? e->mode : 0644), 0);
  }
  free (s);
}

void
guest_tree_write (const char *dir, const char *path, const char *text)
{
  guest_tree_add (dir,
                  &(struct guest_tree_entry){ .path = path, .text = text });
}

char *
guest_tree_make (const struct guest_tree_entry *entries)
{
  char *dir = test_tmpdir ();

  for (; entries != NULL && entries->path != NULL; ++entries)
    guest_tree_add (dir, entries);
  return dir;
}

char *
guest_tree_read (const char *dir, const char *path)
{
  char *s = host_path (dir, path), *text = NULL;
  size_t len;

  if (access (s, F_OK) == 0) {
    void *data = test_read_file (s, &len);

    text = strndup (data, len);
    free (data);
  }
  free (s);
  return text;
}

char *
guest_tree_readlink (const char *dir, const char *path)
{
  char *s = host_path (dir, path);
  char buf[PATH_MAX];
  const ssize_t n = readlink (s, buf, sizeof buf - 1);

  free (s);
  return n == -1 ? NULL : strndup (buf, (size_t) n);
}

unsigned
guest_tree_mode (const char *dir, const char *path)
{
  char *s = host_path (dir, path);
  struct stat st;
  const int r = stat (s, &st);

  free (s);
  return r == -1 ? 0 : st.st_mode & 07777;
}

bool
guest_tree_exists (const char *dir, const char *path)
{
  char *s = host_path (dir, path);
  struct stat st;
  const int r = lstat (s, &st);

  free (s);
  return r == 0;
}

void
guest_tree_set (char **member, const char *value)
{
  free (*member);
  *member = value ? strdup (value) : NULL;
}

struct v2v_guest *
guest_tree_open (const char *dir, enum v2v_guest_family f, const char *distro,
                 int major)
{
  struct v2v_error *err = NULL;
  struct v2v_guest *g = v2v_guest_open_folder (dir, &err);
  struct v2v_os *os;

  assert_ptr (g, err);
  os = v2v_guest_os (g);
  os->family = f;
  os->major = major;
  os->minor = 0;
  guest_tree_set (&os->distro, distro);
  guest_tree_set (&os->arch, "x86_64");
  return g;
}

void
guest_tree_add_application (struct v2v_guest *g, const char *name)
{
  struct v2v_os_application *a = v2v_os_add_application (v2v_guest_os (g));

  assert_non_null (a);
  a->name = strdup (name);
  a->version = strdup ("1.0");
}

void
guest_tree_assert_unchanged (struct v2v_guest *g)
{
  const struct v2v_journal *j = v2v_guest_journal (g);

  if (j->len > 0)
    fail_msg ("a change where none was due: %s %s: '%s' became '%s' (%s)",
              v2v_change_kind_name (j->ptr[0].kind), j->ptr[0].path,
              j->ptr[0].before ? j->ptr[0].before : "(nothing)",
              j->ptr[0].after ? j->ptr[0].after : "(nothing)",
              j->ptr[0].why ? j->ptr[0].why : "no reason");
}

void
guest_tree_assert_text (const char *dir, const char *path, const char *text)
{
  char *s = guest_tree_read (dir, path);

  if (s == NULL)
    fail_msg ("%s is not there", path);
  assert_string_equal (s, text);
  free (s);
}

void
guest_tree_assert_has (const char *dir, const char *path, const char *part)
{
  char *s = guest_tree_read (dir, path);

  if (s == NULL || strstr (s, part) == NULL)
    fail_msg ("%s lacks '%s': %s", path, part, s ? s : "(not there)");
  free (s);
}

void
guest_tree_assert_lacks (const char *dir, const char *path, const char *part)
{
  char *s = guest_tree_read (dir, path);

  if (s == NULL || strstr (s, part) != NULL)
    fail_msg ("%s has '%s': %s", path, part, s ? s : "(not there)");
  free (s);
}
