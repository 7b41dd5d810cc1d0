/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share. */
#ifndef V2V_LIBRARY_INTERNAL_H
#define V2V_LIBRARY_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/core/vector.h"
#include "library/catalogue.h"
#include "library/library.h"

struct v2v_library {
  char *dir; /* absolute */
  struct v2v_catalogue *cat;
  struct lib_access *access; /* NULL until it is needed */
};

static inline void
lib_cleanup_json (struct v2v_json **j)
{
  v2v_json_free (*j);
}
#define CLEANUP_JSON __attribute__ ((cleanup (lib_cleanup_json)))

static inline void
lib_cleanup_image (struct v2v_image **img)
{
  v2v_image_close (*img);
}
#define CLEANUP_IMAGE __attribute__ ((cleanup (lib_cleanup_image)))

static inline void
lib_cleanup_io (struct v2v_io **io)
{
  v2v_io_unref (*io);
}
#define CLEANUP_IO __attribute__ ((cleanup (lib_cleanup_io)))

#define CLEANUP_SHARES __attribute__ ((cleanup (v2v_shares_clear)))

V2V_VECTOR (lib_strings, char *);
void lib_strings_clear (lib_strings *v);

/* ---- files.c: files of a share ---- */

#define LIB_MARKER ".v2v-share.json"
#define LIB_OWN    ".v2v" /* our folder in a share */
#define LIB_TMP    ".v2v/tmp"

/* "sha256-2m:" and 64 digits. */
#define LIB_DIGEST_SIZE 80

/* Up to so many bytes a file is read into memory and its digest is the
 * SHA-256 that sha256sum prints.  Larger ones have the digest of disks
 * ("sha256-2m", of the file's own bytes), which all processors compute. */
#define LIB_LARGE ((uint64_t) 16 * 1024 * 1024)

/* A file's name inside an object, and its path in a share: components that
 * are plain names of printable UTF-8, not hidden. */
#define LIB_MAX_PATH  1024
#define LIB_MAX_DEPTH 16
bool lib_path_ok (const char *path, struct v2v_error **err);

/* Open the folder of SHARE, if its marker says that it is the one.  ENOENT
 * in ERR means that the share is not there. */
int lib_share_fd (const struct v2v_share *share, struct v2v_error **err);
/* Read the marker of DIR: its id and name, both the caller's; *RET_ID is NULL
 * when there is none. */
int lib_read_marker (int dir_fd, const char *dir, char **ret_id,
                     char **ret_name, struct v2v_error **err);

/* Open the folder that PATH lies in, below ROOT, never through a link;
 * CREATE: make what is missing.  *RET_LEAF points into PATH.  -1 with errno
 * and no error set. */
int lib_walk (int root, const char *path, bool create, const char **ret_leaf);
/* As the system calls of these names; -1 with errno. */
int lib_unlink (int root, const char *path);
int lib_stat (int root, const char *path, struct stat *ret);
/* Rename FROM to TO, which must not be there; folders are made, all is
 * synced. */
int lib_publish (int root, const char *from, const char *to);
/* Remove the folders that PATH lies in as far as they are empty, up to the
 * one of its kind. */
void lib_remove_empty_folders (int root, const char *path);
/* Remove the folder PATH with all that is in it; it need not be there. */
int lib_remove_tree (int root, const char *path);

char *lib_join (const char *dir, const char *path, struct v2v_error **err);

/* The digest of the file PATH.  *RET_SIZE and *RET_MTIME (ns) may be NULL. */
int lib_digest (const char *path, const struct v2v_copy_opts *opts,
                char ret[LIB_DIGEST_SIZE], uint64_t *ret_size,
                int64_t *ret_mtime, struct v2v_error **err);
void lib_digest_bytes (const void *bytes, size_t len,
                       char ret[LIB_DIGEST_SIZE]);
/* Copy the file FROM to TO, a new file in a folder that is there; it must
 * have DIGEST, or V2V_ERR_MISMATCH.  Synced. */
int lib_copy (const char *from, const char *to, const char *digest,
              const struct v2v_copy_opts *opts, struct v2v_error **err);
int lib_write (int root, const char *path, const void *bytes, size_t len,
               struct v2v_error **err);
int64_t lib_mtime (const struct stat *st);

/* ---- library.c ---- */

/* mkdir -p */
int lib_make_folders (const char *path, struct v2v_error **err);

/* ---- pending.c: who works ---- */

#define LIB_HOST_SIZE 256
/* This machine, process namespace and start; -1 with errno. */
int lib_our_host (char ret[LIB_HOST_SIZE]);
/* When the process started; -1: there is none. */
int64_t lib_start_of (int64_t pid);
/* Of a process on HOST: do we see that it runs; do we know that it does not? */
bool lib_is_alive (const char *host, int64_t pid, int64_t started);
bool lib_is_gone (const char *host, int64_t pid, int64_t started);

/* ---- pending.c: intents ---- */

struct lib_process {
  char host[LIB_HOST_SIZE];
  int64_t pid, started;
};
int lib_this_process (struct lib_process *ret, struct v2v_error **err);

struct lib_intent {
  char id[37];
  char *share; /* id; owned */
  int share_fd;
  size_t nr_files;
};
#define LIB_INTENT_INIT                                                        \
  {                                                                            \
    .share_fd = -1                                                             \
  }
/* In a transaction: note that KIND ("import", "remove", "copy") is about to be
 * done on SHARE. */
int lib_intent_note (struct v2v_library *lib, const char *kind,
                     const struct v2v_share *share, struct lib_intent *ret,
                     struct v2v_error **err);
int lib_intent_note_file (struct v2v_library *lib, struct lib_intent *in,
                          const char *path, struct v2v_error **err);
/* Is PATH of SHARE noted by anybody? */
int lib_intent_has (struct v2v_library *lib, const char *share,
                    const char *path, bool *ret, struct v2v_error **err);
/* After the transaction: the folder for temporary files; they are called
 * LIB_TMP/ID/0, 1 ... */
int lib_intent_start (struct v2v_library *lib, struct lib_intent *in,
                      struct v2v_error **err);
/* All temporary files are there: from now on one that is missing was
 * renamed. */
int lib_intent_ready (struct lib_intent *in, struct v2v_error **err);
/* In the transaction that makes the work count. */
int lib_intent_end (struct v2v_library *lib, const struct lib_intent *in,
                    struct v2v_error **err);
/* After it. */
void lib_intent_close (struct lib_intent *in);
/* Take back what was done; for failures.  Keeps ERR. */
void lib_intent_undo (struct v2v_library *lib, struct lib_intent *in);
/* Take back what others left behind who are gone (ALL: whom we do not see
 * running, processes of other hosts too).
 * *RET_LEFT: intents that stay. */
int lib_recover (struct v2v_library *lib, bool all, uint64_t *ret_done,
                 uint64_t *ret_left, struct v2v_error **err);

/* ---- deployed-recover.c ---- */

/* The same for machines whose deployment or removal was not finished. */
int lib_recover_machines (struct v2v_library *lib, bool all, uint64_t *ret_done,
                          uint64_t *ret_left, struct v2v_error **err);

/* In a removal's own process: remove the files now. */
int lib_finish_removals (struct v2v_library *lib, struct v2v_error **err);

/* ---- work.c: a folder for files that are to come in ---- */

struct lib_work {
  struct lib_intent in;
  char *path; /* absolute; NULL: not begun */
};
#define LIB_WORK_INIT                                                          \
  {                                                                            \
    .in = LIB_INTENT_INIT                                                      \
  }
/* On SHARE (NULL: the first); gone when it is ended, or with its process. */
int lib_work_begin (struct v2v_library *lib, const char *share,
                    struct lib_work *ret, struct v2v_error **err);
void lib_work_end (struct v2v_library *lib, struct lib_work *w);

/* ---- meta.c: descriptions beside the files ---- */

#define LIB_META        ".v2v/meta"
#define LIB_META_SCHEMA "v2v-object-1"
/* In a transaction that changes ID: note that its descriptions follow.  Before
 * its rows go, if they do. */
int lib_meta_note (struct v2v_library *lib, const char *id,
                   struct v2v_error **err);
/* Those of what needs ID. */
int lib_meta_note_users (struct v2v_library *lib, const char *id,
                         struct v2v_error **err);
/* After it: write them.  Never fails: what cannot be written now stays noted. */
void lib_meta_flush (struct v2v_library *lib);
/* Write those that SHARE lacks. */
int lib_meta_complete (struct v2v_library *lib, const struct v2v_share *share,
                       struct v2v_error **err);
/* The text for SHARE (an id), or NULL when it has no file of ID; the caller
 * frees. */
int lib_meta_text (struct v2v_library *lib, const char *id, const char *share,
                   char **ret, struct v2v_error **err);

/* ---- restore.c: a catalogue that was lost ---- */

/* A file that has to wait, in the share SHARE. */
struct lib_waiting_file {
  char *share;
  char *path;
};
V2V_VECTOR (lib_waiting, struct lib_waiting_file);
void lib_waiting_clear (lib_waiting *v);
/* Objects that are described in SHARES (or only in ONE, an id), but not in the
 * catalogue, come back with their ids and all that was said of them, if their
 * files are as described.  *RET_WAITING: files of those that need something
 * which is on no share that is there. */
int lib_restore (struct v2v_library *lib, const struct v2v_share_list *shares,
                 const char *one, const struct v2v_upkeep_opts *opts,
                 v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
                 lib_waiting *ret_waiting, struct v2v_error **err);

/* ---- base-replace.c ---- */

struct lib_replaced {
  uint64_t moved;
  bool removed;
  char *kept_by;
};
/* Why OLD would stay, in one sentence; NULL: it would go. */
int lib_kept_by (struct v2v_library *lib, const char *old, char **ret,
                 struct v2v_error **err);
/* In a transaction: what needs OLD needs NEW from now on, and OLD goes. */
int lib_replace_in_transaction (struct v2v_library *lib, const char *old_id,
                                const char *new_id, struct lib_replaced *ret,
                                struct v2v_error **err);
/* ---- access.c ---- */

struct lib_access;
/* Who we are, and what was granted: before a query that streams. */
int lib_access_load (struct v2v_library *lib, struct v2v_error **err);
void lib_access_free (struct lib_access *a); /* accepts NULL */
/* Be another user, who is no author by himself; for tests. */
int lib_access_as (struct v2v_library *lib, const char *user,
                   const char *const *groups, struct v2v_error **err);
/* V2V_ERR_USAGE unless we have ROLE; WHAT begins the message. */
int lib_need (struct v2v_library *lib, const char *name_space,
              enum v2v_role role, const char *what, struct v2v_error **err);
/* The same for the namespace of the object ID. */
int lib_need_object (struct v2v_library *lib, const char *id,
                     enum v2v_role role, const char *what,
                     struct v2v_error **err);
/* What OWNER made is his own; for others: author. */
int lib_need_owner (struct v2v_library *lib, const char *owner,
                    const char *name_space, const char *what,
                    struct v2v_error **err);

/* ---- object-set.c: in a transaction ---- */

int lib_set_in_transaction (struct v2v_library *lib, const char *id,
                            const struct v2v_library_set *set,
                            struct v2v_error **err);
int lib_relate_in_transaction (struct v2v_library *lib, const char *id,
                               const char *role, const char *label,
                               const char *to, struct v2v_error **err);
/* Its rows go; the files too, after the transaction, by lib_finish_removals. */
int lib_remove_in_transaction (struct v2v_library *lib, const char *id,
                               struct v2v_error **err);

/* ---- object.c ---- */

/* What lib_borrow_object reads of a row, from the first column on; the strings
 * are the query's until its next step.  What v2v_library_object fills besides
 * is empty. */
#define LIB_OBJECT_COLUMNS                                                     \
  "id, kind, name, version, namespace, family, release, os, owner, "           \
  "description, digest, content, format, variant, disk_id, enabled, size, "    \
  "created, virtual_size, state"
void lib_borrow_object (struct v2v_query *q, struct v2v_object *ret);
/* The same with strings of its own. */
int lib_copy_object (const struct v2v_object *from, struct v2v_object *ret,
                     struct v2v_error **err);
/* A random UUID. */
int lib_new_id (char ret[37], struct v2v_error **err);
/* In a transaction: object.state after its locations. */
int lib_update_state (struct v2v_library *lib, const char *id,
                      struct v2v_error **err);
/* The id of the object of IDENTITY, or NULL. */
int lib_find_identity (struct v2v_library *lib, const char *identity,
                       char **ret_id, struct v2v_error **err);
/* The disk of FORMAT that a child with PARENT_ID wants, or NULL. */
int lib_find_disk (struct v2v_library *lib, const char *format,
                   const char *parent_id, char **ret_id,
                   struct v2v_error **err);
int lib_check_text (const char *what, const char *text, bool one_line,
                    struct v2v_error **err);
/* One column of one row, or NULL; the caller frees. */
int lib_lookup (struct v2v_library *lib, char **ret, struct v2v_error **err,
                const char *sql, ...);

/* ---- scan.c ---- */

/* Paths in SHARE that no row is about, and nobody is about to make. */
int lib_unknown_files (struct v2v_library *lib, const struct v2v_share *share,
                       lib_strings *ret, struct v2v_error **err);

/* ---- deploy-template.c: what references mean ---- */

/* Of the objects of KIND with this content one that is enabled, or the first;
 * *RET_ID stays NULL when there is none. */
int lib_find_digest (struct v2v_library *lib, const char *kind,
                     const char *digest, char **ret_id, struct v2v_error **err);
/* "kind/NAME", of VERSION unless that is -1. */
int lib_find_named (struct v2v_library *lib, const char *kind, const char *name,
                    int64_t version, char **ret_id, struct v2v_error **err);

/* ---- share.c ---- */

/* The share called NAME (or with that id); NULL: the first. */
int lib_find_share (struct v2v_library *lib, const char *name,
                    struct v2v_share *ret, struct v2v_error **err);
void lib_share_clear (struct v2v_share *s);

/* ---- verify.c: copies of files ---- */

struct lib_place {
  char *share; /* id */
  char *path;  /* in the share */
  char *full;  /* absolute */
  char *id;    /* of the object */
  char *name;
  char *digest;
  int64_t seq;
  uint64_t size;
  int64_t mtime;
  enum v2v_location_state state;
  enum v2v_location_state now; /* set by lib_look */
  char *problem;               /* why it could not be read */
  uint64_t read_bytes;
};
V2V_VECTOR (lib_places, struct lib_place);
void lib_places_clear (lib_places *v);
/* Of the object ID. */
int lib_find_places (struct v2v_library *lib, const char *id, lib_places *ret,
                     struct v2v_error **err);
/* Of all objects, or of the share with the id SHARE: what comes after the last
 * of PAGE, in its place; it is empty at the beginning, and at the end. */
int lib_next_places (struct v2v_library *lib, const char *share,
                     lib_places *page, struct v2v_error **err);
/* What is there now? */
int lib_look (struct lib_place *p, const struct v2v_share_list *shares,
              bool quick, const struct v2v_copy_opts *copy,
              struct v2v_error **err);
int lib_write_states (struct v2v_library *lib, const struct lib_place *list,
                      size_t n, bool verified, struct v2v_error **err);
double lib_seconds (void);

/* ---- import ---- */

struct lib_file {
  char *path; /* where it is; NULL: BYTES */
  char *name; /* in the object */
  const void *bytes;
  size_t len;
  char digest[LIB_DIGEST_SIZE];
  uint64_t size;
  int64_t mtime;
};
V2V_VECTOR (lib_files, struct lib_file);

struct lib_relation {
  char *role;
  char *label;
  char *to;       /* an id, or NULL: */
  size_t to_item; /* the item of the job */
};
V2V_VECTOR (lib_relations, struct lib_relation);

/* One object that is to come in. */
struct lib_item {
  enum v2v_object_kind kind;
  char *name;
  lib_files files;
  lib_relations relations;
  char id[37];
  bool known;
  char *identity;
  char digest[LIB_DIGEST_SIZE];
  /* disks */
  char *format, *variant, *disk_id, *parent_id;
  char content[LIB_DIGEST_SIZE];
  uint64_t virtual_bytes;
};
V2V_VECTOR (lib_items, struct lib_item);

/* What PATH is, and the files that belong to it.  FORCED: NULL or the kind the
 * user names. */
int lib_classify (const char *path, const char *forced, lib_items *ret,
                  struct v2v_error **err);
void lib_item_clear (struct lib_item *item);
void lib_items_clear (lib_items *items);
int lib_add_file (struct lib_item *item, const char *path, const char *name,
                  struct v2v_error **err);
/* Is it a disk?  1: format, variant, ids and extents of ITEM are set. */
int lib_probe_disk (struct lib_item *item, const char *path,
                    struct v2v_error **err);
/* In a transaction: the rows of ITEM with its files at PATHS of SHARE. */
int lib_insert_item (struct v2v_library *lib, const struct lib_item *item,
                     const lib_items *items, const char *share,
                     char *const *paths, struct v2v_error **err);
int lib_insert_location (struct v2v_library *lib, const char *share,
                         const char *path, const char *id, size_t seq,
                         uint64_t size, int64_t mtime, struct v2v_error **err);
/* import-document.c: an item that is an XML document gets the relations that it
 * speaks of (V2V_ERR_MISMATCH: one is not there); *RET stays NULL for others. */
struct lib_document;
int lib_document_read (struct v2v_library *lib, struct lib_item *item,
                       struct lib_document **ret, struct v2v_error **err);
/* Fields that are not said in SET; borrowed. */
void lib_document_fields (const struct lib_document *d,
                          struct v2v_library_set *set);
void lib_document_free (struct lib_document *d); /* accepts NULL */

/* Digests and identity of the item INDEX; is it known?  PARENT: the object
 * that a differencing disk is on, or NULL: by the identifier it looks for. */
int lib_identify (struct v2v_library *lib, lib_items *items, size_t index,
                  const char *parent, const struct v2v_copy_opts *copy,
                  struct v2v_error **err);

#endif /* V2V_LIBRARY_INTERNAL_H */
