/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library: a catalogue and shares.
 *
 * A share is a folder with a marker (".v2v-share.json").  Objects are files in
 * shares; the catalogue has an index of them and what they have to do with
 * each other.  The same content is kept once; copies of it on several shares
 * are locations of one object.
 *
 * Every change is one transaction across catalogue and files: an intent is
 * written first, files are made in SHARE/.v2v/tmp and renamed, and one
 * transaction of the catalogue makes the rows and ends the intent.  Opening
 * a library takes back what processes that are gone have begun.
 *
 * Functions return 0 or -1 with ERR; strings of structs are owned by them.  A
 * library is used by one thread.
 */
#ifndef V2V_LIBRARY_H
#define V2V_LIBRARY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/copy.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "formats/image.h"

struct v2v_library;

/* What kind an object is: in its row, in its share (a folder of that name)
 * and for --kind. */
enum v2v_object_kind {
  V2V_OBJECT_DISK,
  V2V_OBJECT_ISO,
  V2V_OBJECT_PACKAGE, /* an OVA */
  V2V_OBJECT_SCRIPT,
  V2V_OBJECT_ANSWER_FILE, /* unattend.xml, cloud-init, preseed, kickstart */
  V2V_OBJECT_DRIVER,      /* a folder with an INF */
  V2V_OBJECT_HARDWARE_PROFILE,
  V2V_OBJECT_GUEST_OS_PROFILE,
  V2V_OBJECT_CAPABILITY_PROFILE,
  V2V_OBJECT_VM_TEMPLATE,
  V2V_OBJECT_SERVICE_TEMPLATE,
  V2V_OBJECT_VM,   /* what a conversion made: description and scripts */
  V2V_OBJECT_FILE, /* anything else */
};
#define V2V_OBJECT_NR_KINDS (V2V_OBJECT_FILE + 1)
const char *v2v_object_kind_name (enum v2v_object_kind kind);
bool v2v_object_kind_parse (const char *s, enum v2v_object_kind *ret);

/* How one file of an object was last seen. */
enum v2v_location_state {
  V2V_LOCATION_OK,
  V2V_LOCATION_MISSING, /* not there, or its share is not */
  V2V_LOCATION_CHANGED, /* another content than when it came */
};
const char *v2v_location_state_name (enum v2v_location_state s);

/* The longest text of one field; names of 300 characters are kept as they
 * are, and one that was a whole file by mistake is refused. */
#define V2V_LIBRARY_MAX_TEXT 65536

/* ---- a library ---- */

/* Make DIR/catalogue.db (or the tables of CATALOGUE, "postgres://...") and a
 * first share DIR/share.  NAME (may be NULL) is remembered for
 * v2v_library_open. */
int v2v_library_init (const char *dir, const char *name, const char *catalogue,
                      struct v2v_error **err);

/* Open by the folder, or by a NAME given at init; NULL: $V2V_LIBRARY.  Older
 * tables are migrated, unfinished work of processes that are gone is taken
 * back. */
struct v2v_library *v2v_library_open (const char *dir_or_name,
                                      struct v2v_error **err);
void v2v_library_close (struct v2v_library *lib);            /* accepts NULL */
const char *v2v_library_dir (const struct v2v_library *lib); /* borrowed */

static inline void
v2v_cleanup_library (struct v2v_library **lib)
{
  v2v_library_close (*lib);
}
#define CLEANUP_LIBRARY __attribute__ ((cleanup (v2v_cleanup_library)))

/* ---- shares ---- */

struct v2v_share {
  char *id;
  char *name;
  char *path; /* absolute */
  bool there; /* the folder and its marker are */
};
struct v2v_share_list {
  struct v2v_share *ptr;
  size_t len;
};
/* In the order in which they were added: the first is where imports go. */
int v2v_library_shares (struct v2v_library *lib, struct v2v_share_list *ret,
                        struct v2v_error **err);
void v2v_shares_clear (struct v2v_share_list *s);
/* A folder that has a marker already (a share that moved, or of a lost
 * catalogue) keeps its id; its new path is noted. */
int v2v_library_add_share (struct v2v_library *lib, const char *dir,
                           const char *name, struct v2v_error **err);

/* ---- objects ---- */

struct v2v_location {
  char *share; /* name */
  char *path;  /* absolute */
  char *file;  /* name in the object, "" for the folder itself */
  uint64_t size_bytes;
  enum v2v_location_state state;
  int64_t verified; /* seconds since 1970, or 0 */
};

/* ROLE says what OTHER is to an object: "parent" (of a differencing disk),
 * "disk" (of a VM or template), "hardware-profile" ... */
struct v2v_relation {
  char *role;
  char *label; /* such as the name of the disk in the VM's folder, or "" */
  char *id;    /* of the other object */
  char *name;  /* and its name and kind, for people */
  enum v2v_object_kind kind;
};

struct v2v_object {
  char *id; /* UUID */
  enum v2v_object_kind kind;
  char *name; /* any text of one line */
  char *version;
  char *name_space;
  char *family;
  char *release;
  char *os;
  char *owner;
  char *description;
  bool enabled;
  char *digest;        /* "sha256:HEX" of the file; of several, of their list */
  char *content;       /* of a disk: "sha256-2m:HEX" of its contents; else "" */
  uint64_t size_bytes; /* of its files */
  int64_t created;     /* seconds since 1970 */
  /* A disk: */
  char *format;  /* "vhdx"; else "" */
  char *variant; /* "dynamic"; else "" */
  uint64_t virtual_bytes;
  char *disk_id; /* what a child's parent identifier must equal; or "" */
  /* Worst state of the best copy: OK if one share has all of it. */
  enum v2v_location_state state;
  /* Filled by v2v_library_object only: */
  char **tags;
  size_t nr_tags;
  struct v2v_location *locations;
  size_t nr_locations;
  struct v2v_relation *uses; /* what it needs */
  size_t nr_uses;
  struct v2v_relation *users; /* what needs it */
  size_t nr_users;
};
void v2v_object_clear (struct v2v_object *o); /* a zeroed one is fine */
struct v2v_json *v2v_object_to_json (const struct v2v_object *o);
/* The same as text on one line, appended to S; many times faster for an object
 * of a list. */
int v2v_object_append_json (const struct v2v_object *o, struct v2v_str *s,
                            struct v2v_error **err);
#define CLEANUP_OBJECT __attribute__ ((cleanup (v2v_object_clear)))

struct v2v_objects {
  struct v2v_object *ptr;
  size_t len;
};
void v2v_objects_clear (struct v2v_objects *l);
#define CLEANUP_OBJECTS __attribute__ ((cleanup (v2v_objects_clear)))

/* NULL and false: any. */
struct v2v_library_filter {
  const char *kind;
  const char *name; /* pattern with * and ?, without case of ASCII letters */
  const char *exact_name;
  const char *needs; /* id: objects that need it ... */
  bool indirectly;   /* ... by way of others, too */
  const char *tag;
  const char *family;
  const char *release;
  const char *name_space;
  const char *os;
  const char *owner;
  const char *digest;  /* of the file or of the contents */
  const char *disk_id; /* identifier of a disk, as in v2v_object */
  const char *state;   /* "ok", "missing", "changed", "disabled", "enabled" */
};
/* Called for each object, in the order of names without case; the object is the
 * caller's only until it returns.  Nonzero stops (and is returned).  Objects
 * come one by one: a catalogue may have a million. */
typedef int v2v_object_fn (void *arg, const struct v2v_object *o,
                           struct v2v_error **err);
int v2v_library_each (struct v2v_library *lib,
                      const struct v2v_library_filter *filter,
                      v2v_object_fn *fn, void *arg, struct v2v_error **err);
int v2v_library_list (struct v2v_library *lib,
                      const struct v2v_library_filter *filter,
                      struct v2v_objects *ret, struct v2v_error **err);

/* REF: an id, the beginning of one (8 characters at least) or a name that
 * only one object has; "kind/name" is fine too.  Of several versions of one
 * name and kind the newest that is enabled is meant. */
int v2v_library_find (struct v2v_library *lib, const char *ref, char **ret_id,
                      struct v2v_error **err);
/* All of the object ID. */
int v2v_library_object (struct v2v_library *lib, const char *id,
                        struct v2v_object *ret, struct v2v_error **err);
/* The file FILE of ID (NULL: the first) on the first share that has it; the
 * caller frees. */
char *v2v_library_path (struct v2v_library *lib, const char *id,
                        const char *file, struct v2v_error **err);
/* Open the disk ID; parents are found by their relations, wherever they are
 * and whatever they are called. */
struct v2v_image *v2v_library_open_disk (struct v2v_library *lib,
                                         const char *id,
                                         struct v2v_error **err);

/* What changes; NULL leaves a field as it is.  TAGS are lists separated by
 * commas. */
struct v2v_library_set {
  const char *name;
  const char *version;
  const char *name_space;
  const char *family;
  const char *release;
  const char *os;
  const char *owner;
  const char *description;
  const char *add_tags;
  const char *remove_tags;
  const bool *enabled;
};
int v2v_library_set (struct v2v_library *lib, const char *id,
                     const struct v2v_library_set *set, struct v2v_error **err);
int v2v_library_relate (struct v2v_library *lib, const char *id,
                        const char *role, const char *label, const char *to,
                        struct v2v_error **err);

/* The newest enabled object of KIND with FAMILY, RELEASE and NAMESPACE (NULL:
 * any release; namespace "" has what all may use) that lies complete on a
 * share, nearest share first among equals.  *RET_ID and *RET_REASON are the
 * caller's. */
int v2v_library_equivalent (struct v2v_library *lib, enum v2v_object_kind kind,
                            const char *family, const char *release,
                            const char *name_space, char **ret_id,
                            char **ret_reason, struct v2v_error **err);

/* ---- who may do what ---- */

/* In a namespace; each includes those before it.  READ sees its objects,
 * DEPLOY makes machines and services of them, AUTHOR changes them.  A
 * namespace in which nobody was granted anything is open to all; root and the
 * owner of the library's folder are authors everywhere. */
enum v2v_role {
  V2V_ROLE_NONE,
  V2V_ROLE_READ,
  V2V_ROLE_DEPLOY,
  V2V_ROLE_AUTHOR,
};
const char *v2v_role_name (enum v2v_role role);
bool v2v_role_parse (const char *s, enum v2v_role *ret); /* not "none" */
/* What who runs this process may do. */
int v2v_library_role (struct v2v_library *lib, const char *name_space,
                      enum v2v_role *ret, struct v2v_error **err);
/* SUBJECT: "user:NAME", "group:NAME" or "*"; needs AUTHOR. */
int v2v_library_grant (struct v2v_library *lib, const char *name_space,
                       const char *subject, enum v2v_role role,
                       struct v2v_error **err);
int v2v_library_revoke (struct v2v_library *lib, const char *name_space,
                        const char *subject, struct v2v_error **err);
/* Called for each, by namespace and subject; nonzero stops. */
typedef int v2v_grant_fn (void *arg, const char *name_space,
                          const char *subject, enum v2v_role role,
                          struct v2v_error **err);
int v2v_library_grants (struct v2v_library *lib, v2v_grant_fn *fn, void *arg,
                        struct v2v_error **err);

/* ---- import ---- */

struct v2v_import_opts {
  const char *kind;           /* NULL: by what it is */
  const char *share;          /* name; NULL: the first */
  struct v2v_library_set set; /* fields of the new object */
  const struct v2v_import_relation {
    const char *role, *label, *to;
  } * relations;
  size_t nr_relations;
  const char *replaces; /* a disk: what needs it needs the new object from then
                           on, and it goes unless a machine or a template
                           needs it as it is; in the same transaction */
  const char *parent;   /* of a differencing disk: its parent, where several
                           have the identifier that it looks for */
  bool link; /* the files are given up: a link in place of a copy, where the
                share's file system has them */
  unsigned threads;
  v2v_progress_fn *progress;
  void *progress_arg;
  const atomic_bool *cancel;
};
struct v2v_import_result {
  char *id;
  bool known; /* the content was there already; nothing was stored */
  /* With opts.replaces: */
  uint64_t moved; /* that need the new one now */
  bool removed;   /* the old one is gone */
  char *kept_by;  /* why not, or NULL */
};
void v2v_import_result_clear (struct v2v_import_result *r);

/* Take PATH into the library: a file, with what belongs to it (extents of a
 * VMDK), or a folder (a driver, a converted machine). */
int v2v_library_import (struct v2v_library *lib, const char *path,
                        const struct v2v_import_opts *opts,
                        struct v2v_import_result *ret, struct v2v_error **err);
/* The same with bytes in memory, under the file name FILE. */
int v2v_library_import_text (struct v2v_library *lib, const char *file,
                             const void *bytes, size_t len,
                             const struct v2v_import_opts *opts,
                             struct v2v_import_result *ret,
                             struct v2v_error **err);
/* A folder on the share (NULL: the first) for what is to be imported with
 * "link"; the caller frees its path.  Done removes the folder FOLDER of it. */
char *v2v_library_work_folder (struct v2v_library *lib, const char *share,
                               struct v2v_error **err);
int v2v_library_work_done (const char *folder, struct v2v_error **err);

/* The whole text of the first file of ID, of at most MAX bytes, and a NUL
 * after it; the caller frees. */
char *v2v_library_read_text (struct v2v_library *lib, const char *id,
                             size_t max, size_t *ret_len,
                             struct v2v_error **err);

/* ---- upkeep ---- */

struct v2v_upkeep_opts {
  bool quick; /* read only what another size or time says was touched */
  bool dry_run;
  bool force;
  unsigned threads;
  v2v_progress_fn *progress;
  void *progress_arg;
  const atomic_bool *cancel;
};
struct v2v_dependents; /* base.h */
/* One thing that was found or done; borrowed during the call. */
struct v2v_upkeep_item {
  const char *what; /* "ok", "missing", "changed", "moved", "new", "gone",
                       "removed", "restored", "unfinished", "unused",
                       "unknown", "waiting" */
  const char *id;   /* of the object, or NULL */
  const char *name;
  const char *path;
  const char *message; /* one sentence, or NULL */
  /* verify: what would be lost with what is not well; else NULL */
  const struct v2v_dependents *dependents;
};
typedef int v2v_upkeep_fn (void *arg, const struct v2v_upkeep_item *item,
                           struct v2v_error **err);
struct v2v_upkeep_result {
  uint64_t nr_objects, nr_files, nr_bad, nr_done;
  uint64_t bytes; /* read, or freed */
  double seconds;
};

/* Read every file and compare its digest; states are kept.  The result's
 * nr_bad says how many are not well. */
int v2v_library_verify (struct v2v_library *lib, const char *const *ids,
                        const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                        void *arg, struct v2v_upkeep_result *ret,
                        struct v2v_error **err);
/* Look through the shares: what is new comes in, what moved is followed by
 * its digest, what is gone or changed is noted. */
int v2v_library_refresh (struct v2v_library *lib, const char *share,
                         const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                         void *arg, struct v2v_upkeep_result *ret,
                         struct v2v_error **err);
/* Files that are missing or changed come back from another share's copy. */
int v2v_library_repair (struct v2v_library *lib,
                        const struct v2v_upkeep_opts *opts, v2v_upkeep_fn *fn,
                        void *arg, struct v2v_upkeep_result *ret,
                        struct v2v_error **err);
/* Remove files that belong to nothing, and rows of what is nowhere. */
int v2v_library_gc (struct v2v_library *lib, const struct v2v_upkeep_opts *opts,
                    v2v_upkeep_fn *fn, void *arg, struct v2v_upkeep_result *ret,
                    struct v2v_error **err);
/* Tell FN what nothing needs ("unused": objects but machines and templates)
 * and files of the shares that no object has ("unknown"). */
int v2v_library_orphans (struct v2v_library *lib, v2v_upkeep_fn *fn, void *arg,
                         struct v2v_upkeep_result *ret, struct v2v_error **err);
/* A second copy of ID on the share NAME. */
int v2v_library_copy (struct v2v_library *lib, const char *id,
                      const char *share, const struct v2v_upkeep_opts *opts,
                      struct v2v_error **err);
/* Remove ID with its files; refused (V2V_ERR_USAGE, naming them) while other
 * objects need it, unless FORCE. */
int v2v_library_remove (struct v2v_library *lib, const char *id, bool force,
                        struct v2v_error **err);

#endif /* V2V_LIBRARY_H */
