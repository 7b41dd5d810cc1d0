/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Customising a guest: what `v2v customize` puts into a disk.
 *
 * A profile says how the guest shall be: for Windows it becomes an answer file
 * (unattend.xml, sysprep.inf), or scripts of the first start where the image
 * is not generalised; for Linux the files of the guest are edited, or a seed
 * for cloud-init is laid down.  inject/v2v-profile.schema.json and
 * v2v-guest-profile(5) describe the file a profile is loaded from.
 *
 * Secrets come from files or descriptors only, are kept out of the journal,
 * and are overwritten in memory when the profile is freed.
 */
#ifndef V2V_CUSTOMIZE_H
#define V2V_CUSTOMIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "inject/guest.h"

/* ---- the profile ---- */

/* Where a secret comes from, and what it is once it was read. */
struct v2v_secret {
  char *file; /* path on the host, or NULL */
  int fd;     /* -1 = none; meaningful when SET and FILE is NULL */
  bool set;   /* the profile names one */
  char *text; /* after v2v_profile_read_secrets; overwritten when freed */
};

/* What a script, an own answer file or user-data is read from. */
struct v2v_profile_file {
  char *path; /* on the host; relative to the profile's folder when loaded */
  char *name; /* its last part */
  char *text; /* after v2v_profile_read_secrets */
  size_t len;
};

/* NULL-terminated lists of strings; NULL = none. */
typedef char **v2v_strings;

struct v2v_profile_route {
  char *to;  /* "10.0.0.0/8", "default" is refused: that is the gateway */
  char *via; /* the next hop */
  uint32_t metric;
  bool has_metric;
};

struct v2v_profile_nic {
  char *mac;             /* "00:50:56:aa:bb:cc", lower case */
  char *name;            /* of the interface, or NULL: found or made up */
  v2v_strings addresses; /* "192.0.2.5/24", "2001:db8::5/64" */
  v2v_strings gateways;  /* at most one of each family */
  v2v_strings dns;
  v2v_strings search;
  struct v2v_profile_route *routes;
  size_t nr_routes;
  bool dhcp4, dhcp6;
  uint32_t mtu; /* 0 = leave it */
};

struct v2v_profile_user {
  char *name;
  char *comment; /* GECOS; Windows: DisplayName */
  char *shell;
  char *home;
  v2v_strings groups; /* supplementary; Windows: local groups */
  v2v_strings authorized_keys;
  struct v2v_secret password;
  struct v2v_secret password_hash; /* crypt(3), Linux */
  int64_t uid;                     /* -1 = the next free */
  bool sudo;                       /* a file in /etc/sudoers.d */
  bool sudo_without_password;
  bool lock; /* no password works */
};

struct v2v_profile_windows {
  bool given; /* the profile has this part */
  char *organization, *owner;
  struct v2v_secret product_key; /* given in the file itself as well */
  struct v2v_secret administrator_password;
  struct v2v_profile_user *users;
  size_t nr_users;
  char *join_domain, *join_ou, *join_user, *join_user_domain;
  struct v2v_secret join_password;
  char *workgroup;
  char *input_locale, *system_locale, *ui_language, *user_locale;
  uint32_t auto_logon_count;
  char *auto_logon_user; /* NULL = Administrator */
  v2v_strings synchronous_commands;
  v2v_strings first_logon_commands;
  v2v_strings install_features; /* by DISM at first boot */
  v2v_strings remove_features;
  bool remote_desktop, has_remote_desktop;
  struct v2v_profile_file answer_file; /* the user's own */
};

enum v2v_cloud_init_mode {
  V2V_CLOUD_INIT_AUTO, /* a seed where cloud-init is installed and enabled */
  V2V_CLOUD_INIT_SEED, /* a seed; refused where it is not installed */
  V2V_CLOUD_INIT_OFF,  /* files are edited, and cloud-init is kept quiet */
};

struct v2v_profile_linux {
  bool given;
  struct v2v_profile_user root; /* name "root" */
  bool has_root;
  struct v2v_profile_user *users;
  size_t nr_users;
  v2v_strings packages; /* installed at the first start */
  enum v2v_cloud_init_mode cloud_init;
  struct v2v_profile_file user_data; /* merged into the seed's user-data */
};

struct v2v_profile {
  char *source;        /* name of the file, for messages */
  char *computer_name; /* host name, with or without a domain; "*" = random
                          (Windows) */
  char *time_zone;     /* as given; and in both worlds: */
  const char *time_zone_iana;
  const char *time_zone_windows;
  char *locale; /* "de-DE" or "de_DE.UTF-8", as given */
  struct v2v_profile_nic *nics;
  size_t nr_nics;
  struct v2v_profile_file *scripts; /* of the first start, in order */
  size_t nr_scripts;
  struct v2v_profile_windows windows;
  struct v2v_profile_linux os_linux;
};

/* Parse TEXT without touching any other file: secrets and scripts stay
 * references.  NAME is for messages; relative paths are taken from FOLDER.
 * Everything that can be told to be wrong without the guest is refused. */
struct v2v_profile *v2v_profile_parse (const char *text, size_t len,
                                       const char *name, const char *folder,
                                       struct v2v_error **err);
/* Read what the profile refers to. */
int v2v_profile_read_secrets (struct v2v_profile *p, struct v2v_error **err);
/* Both, from a file of the host. */
struct v2v_profile *v2v_profile_load (const char *path, struct v2v_error **err);
void v2v_profile_free (struct v2v_profile *p); /* accepts NULL */

/* ---- applying it ---- */

/* Change G as P says.  Findings, changes and first-boot scripts are left in
 * G; what the guest's system cannot have is a finding. */
int v2v_customize (struct v2v_guest *g, const struct v2v_profile *p,
                   struct v2v_error **err);

/* ---- a template out of a machine ---- */

struct v2v_generalize_operation {
  const char *name;        /* "ssh-hostkeys" */
  const char *description; /* one line */
  bool on_by_default;
};
const struct v2v_generalize_operation *
v2v_generalize_operations (size_t *ret_nr);
/* Is OPERATIONS ("machine-id,ssh-hostkeys", "defaults,-logfiles", "all") well
 * formed?  NULL = the defaults. */
int v2v_generalize_check (const char *operations, struct v2v_error **err);
/* Reset the identity of the Linux guest G.  Windows is refused: only its own
 * sysprep can do that. */
int v2v_generalize (struct v2v_guest *g, const char *operations,
                    struct v2v_error **err);

#endif /* V2V_CUSTOMIZE_H */
