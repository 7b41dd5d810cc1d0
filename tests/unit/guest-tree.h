/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folder trees that stand for a guest: unit tests of the converters open them
 * with v2v_guest_open_folder, without an appliance.
 */
#ifndef GUEST_TREE_H
#define GUEST_TREE_H

#include <stddef.h>

#include "inject/guest.h"

struct guest_tree_entry {
  const char *path; /* absolute in the guest; parents are made */
  const char *text; /* contents; NULL = a folder, unless LINK is set */
  const char *link; /* target of a symbolic link, or NULL */
  unsigned mode;    /* 0 = 0644, of a folder 0755 */
};

/* Make a tree of ENTRIES (ended by a NULL path) in a new temporary folder,
 * removed by test_tmpdir_remove. */
char *guest_tree_make (const struct guest_tree_entry *entries);
/* Add to, look at a tree. */
void guest_tree_add (const char *dir, const struct guest_tree_entry *entry);
void guest_tree_write (const char *dir, const char *path, const char *text);
/* The contents, NUL-terminated; NULL when not there. The caller frees. */
char *guest_tree_read (const char *dir, const char *path);
/* The target of a link; NULL when there is none. The caller frees. */
char *guest_tree_readlink (const char *dir, const char *path);
/* Permission bits; 0 when not there. */
unsigned guest_tree_mode (const char *dir, const char *path);
bool guest_tree_exists (const char *dir, const char *path);

/* DIR as a guest of FAMILY, DISTRO (may be NULL) and MAJOR version. */
struct v2v_guest *guest_tree_open (const char *dir, enum v2v_guest_family f,
                                   const char *distro, int major);
/* A string member of v2v_os, replaced by a copy. */
void guest_tree_set (char **member, const char *value);
/* An installed package or program. */
void guest_tree_add_application (struct v2v_guest *g, const char *name);

/* Fails the test unless the journal of G is empty, naming the first change. */
void guest_tree_assert_unchanged (struct v2v_guest *g);

/* assert that PATH of the tree holds exactly / contains / lacks TEXT. */
void guest_tree_assert_text (const char *dir, const char *path,
                             const char *text);
void guest_tree_assert_has (const char *dir, const char *path,
                            const char *part);
void guest_tree_assert_lacks (const char *dir, const char *path,
                              const char *part);

#endif /* GUEST_TREE_H */
