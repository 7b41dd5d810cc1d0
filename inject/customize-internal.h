/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the parts of customising a guest. */
#ifndef V2V_CUSTOMIZE_INTERNAL_H
#define V2V_CUSTOMIZE_INTERNAL_H

#include "formats/core/text.h"
#include "inject/customize.h"

struct customize {
  struct v2v_guest *g;
  const struct v2v_os *os;
  const struct v2v_profile *p;
};

/* Add a finding; out of memory is the only error. */
int customize_finding (struct customize *c, enum v2v_severity severity,
                       const char *id, const char *subject, const char *remedy,
                       struct v2v_error **err, const char *fmt, ...)
    __attribute__ ((format (printf, 7, 8)));

int customize_linux (struct customize *c, struct v2v_error **err);
int customize_windows (struct customize *c, struct v2v_error **err);
/* The steps of it, on hives that are open. */
struct windows_guest;
int customize_windows_steps (struct customize *c, struct windows_guest *w,
                             struct v2v_error **err);

/* Append S in double quotes, as JSON and YAML read it. */
int customize_quote (struct v2v_str *out, const char *s);
/* LINES: 76 characters each, as MIME has it. */
int customize_base64 (struct v2v_str *out, const void *bytes, size_t len,
                      bool lines);
/* Free text that held a secret. */
void customize_wipe_str (struct v2v_str *s);
#define CLEANUP_WIPE_STR __attribute__ ((cleanup (customize_wipe_str)))
void customize_wipe_text (char **s);
#define CLEANUP_WIPE_TEXT __attribute__ ((cleanup (customize_wipe_text)))

/* ---- Linux ---- */

/* An account of the guest: a line of passwd. */
struct linux_account {
  char *home;
  char *shell;
  uint32_t uid, gid;
};
void linux_account_clear (struct linux_account *a);

/* The first part of a host name: "web01" of "web01.example.com". */
char *customize_short_name (const char *name);

/* KEY=VALUE in a file of shell assignments; a missing line (or file) is added
 * when ADD.  1 = the file has it now, 0 = it has no such line. */
int customize_set_assignment (struct customize *c, const char *path,
                              const char *key, const char *value, bool add,
                              const char *why, struct v2v_error **err);
/* NIC I of the profile as an entry of "ethernets:" of netplan and of
 * cloud-init's version 2.  NETPLAN: the default routes as such, since gateway4
 * is on its way out there; else gateway4, which every cloud-init reads. */
int customize_put_nic (struct v2v_str *s, const struct v2v_profile_nic *n,
                       size_t i, const char *indent, bool netplan);

/* "de-DE" as "de_DE.UTF-8"; what is of another form stays.  The caller frees.
 */
char *customize_posix_locale (const char *s);

/* The files of a NoCloud seed.  With c->g NULL (a medium, for a guest that
 * nobody looked into) the scripts of the profile and its locale go into
 * USER too: there is no other way to bring them.  OLD: the user-data of an
 * earlier seed, whose salts are kept, or NULL.  INSTANCE: the instance-id;
 * NULL = a digest of the rest.  NETWORK stays empty unless WITH_NETWORK. */
int customize_seed_texts (struct customize *c, const char *old,
                          const char *instance, bool with_network,
                          struct v2v_str *user, struct v2v_str *meta,
                          struct v2v_str *network, struct v2v_error **err);

/* Does cloud-init make this guest at its next start?  1 = yes. */
int customize_linux_wants_seed (struct customize *c, struct v2v_error **err);
int customize_linux_seed (struct customize *c, bool *ret_network,
                          struct v2v_error **err);
int customize_linux_quiet_cloud_init (struct customize *c,
                                      struct v2v_error **err);

int customize_linux_users (struct customize *c, struct v2v_error **err);
/* Set aside what sets up cards: cloud-init will, and adds to what is there. */
int customize_linux_clear_network (struct customize *c, struct v2v_error **err);
int customize_linux_network (struct customize *c, struct v2v_error **err);
int customize_linux_locale (struct customize *c, struct v2v_error **err);

/* A new hash of PASSWORD in the way the guest's login.defs asks for; the
 * caller wipes and frees. */
char *customize_hash (struct customize *c, const char *password,
                      struct v2v_error **err);
/* Does PASSWORD give HASH? */
bool customize_hash_fits (const char *password, const char *hash);
/* What U's field of shadow shall be: OLD (may be NULL) when it fits already,
 * else new.  NULL with ERR unset when U names no password. */
char *customize_wanted_hash (struct customize *c,
                             const struct v2v_profile_user *u, const char *old,
                             struct v2v_error **err);
/* A word of /etc/login.defs, or NULL with ERR unset; the caller frees. */
char *customize_login_defs (struct customize *c, const char *word,
                            struct v2v_error **err);

#endif /* V2V_CUSTOMIZE_INTERNAL_H */
