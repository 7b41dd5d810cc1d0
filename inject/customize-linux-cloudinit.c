/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest with cloud-init: a NoCloud seed says the same as the edited files
 * would, and survives cloud-init's next start, which edits would not.  Where
 * cloud-init is there and not wanted, it is kept from taking the moved machine
 * for a new instance.
 *
 * Sources: cloud-init's documentation: "NoCloud" (seed folder, meta-data,
 * user-data, network-config), "Network configuration: version 2", "Module
 * reference" (users, set_passwords, timezone, locale,
 * package_update_upgrade_install), "User-data formats" (MIME archives: later
 * parts replace the keys of earlier ones), "Disable cloud-init".
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/digest.h"
#include "inject/customize-internal.h"
#include "inject/linux-edit.h"

#define SEED     "/var/lib/cloud/seed/nocloud"
#define DISABLED "/etc/cloud/cloud-init.disabled"
#define WHY      "a seed for cloud-init"
#define OURS     "/etc/cloud/cloud.cfg.d/99-v2v-seed.cfg"

static bool
is_installed (struct customize *c)
{
  static const char *const programs[] = { "/usr/bin/cloud-init",
                                          "/usr/local/bin/cloud-init",
                                          "/bin/cloud-init" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (programs); ++i)
    if (v2v_guest_exists (c->g, programs[i]))
      return true;
  return false;
}

int
customize_linux_wants_seed (struct customize *c, struct v2v_error **err)
{
  const struct v2v_profile_linux *l = &c->p->os_linux;

  switch (l->cloud_init) {
  case V2V_CLOUD_INIT_OFF:
    return 0;
  case V2V_CLOUD_INIT_AUTO:
    if (is_installed (c) && !v2v_guest_exists (c->g, DISABLED))
      return 1;
    if (l->user_data.path == NULL)
      return 0;
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the guest has no cloud-init that would read the "
                     "profile's user_data");
  case V2V_CLOUD_INIT_SEED:
    if (is_installed (c))
      return 1;
    return v2v_fail (err, V2V_ERR_GUEST,
                     "the guest has no cloud-init to read a seed");
  }
  return 0;
}

/* A line of a configuration file of cloud-init that leaves the network to
 * others: "network: {config: disabled}", or the same on two lines. */
static bool
text_disables_network (const char *text)
{
  const char *p = text;

  while (p != NULL && (p = strstr (p, "network:")) != NULL) {
    if (p == text || p[-1] == '\n') {
      const char *v = p + 8;

      v += strspn (v, " \t\r\n{");
      if (strncmp (v, "config:", 7) == 0) {
        v += 7;
        v += strspn (v, " \t\"'");
        if (strncmp (v, "disabled", 8) == 0)
          return true;
      }
    }
    p += 8;
  }
  return false;
}

/* 1 = some file that is not ours says that cloud-init leaves the network
 * alone. */
static int
network_is_disabled (struct customize *c, struct v2v_error **err)
{
  CLEANUP_LIST char **files =
      v2v_guest_glob (c->g, "/etc/cloud/cloud.cfg.d", "*.cfg", err);

  if (files == NULL)
    return -1;
  for (size_t i = 0; files[i] != NULL; ++i) {
    CLEANUP_FREE char *text = strcmp (files[i], OURS) != 0
                                  ? v2v_guest_read_text (c->g, files[i], NULL)
                                  : NULL;

    if (text != NULL && text_disables_network (text))
      return 1;
  }
  return 0;
}

/* ---- user-data ---- */

static int
put_list (struct v2v_str *s, const char *indent, const char *key,
          const v2v_strings list)
{
  if (list == NULL || list[0] == NULL)
    return 0;
  if (v2v_str_printf (s, "%s%s:\n", indent, key) == -1)
    return -1;
  for (size_t i = 0; list[i] != NULL; ++i)
    if (v2v_str_printf (s, "%s  - ", indent) == -1 ||
        customize_quote (s, list[i]) == -1 || v2v_str_append (s, "\n") == -1)
      return -1;
  return 0;
}

static int
put_member (struct v2v_str *s, const char *indent, const char *key,
            const char *value)
{
  if (value == NULL)
    return 0;
  return v2v_str_printf (s, "%s%s: ", indent, key) == -1 ||
                 customize_quote (s, value) == -1 ||
                 v2v_str_append (s, "\n") == -1
             ? -1
             : 0;
}

/* The hash that an earlier seed has for USER: a new one would have another
 * salt, and the same seed twice would be two instances. */
static char *
hash_in_seed (const char *seed, const char *user)
{
  CLEANUP_STR struct v2v_str name = V2V_STR_INIT;
  const char *p, *end, *h;
  static const char key[] = "hashed_passwd: \"";

  if (seed == NULL || v2v_str_append (&name, "  - name: ") == -1 ||
      customize_quote (&name, user) == -1 || v2v_str_append (&name, "\n") == -1)
    return NULL;
  p = strstr (seed, name.ptr);
  if (p == NULL)
    return NULL;
  end = strstr (p + name.len, "  - name: ");
  h = strstr (p, key);
  if (h == NULL || (end != NULL && h > end))
    return NULL;
  h += sizeof key - 1;
  return strndup (h, strcspn (h, "\"\n"));
}

static int
put_user (struct customize *c, struct v2v_str *s, const char *old_seed,
          const struct v2v_profile_user *u, const char *name,
          struct v2v_error **err)
{
  CLEANUP_WIPE_TEXT char *old = hash_in_seed (old_seed, name);
  CLEANUP_WIPE_TEXT char *hash = NULL;
  const bool locks = u->lock && u->password.text == NULL;
  struct v2v_error *e = NULL;

  if (!locks) {
    hash = customize_wanted_hash (c, u, old, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
  }
  if (v2v_str_append (s, "  - name: ") == -1 ||
      customize_quote (s, name) == -1 || v2v_str_append (s, "\n") == -1 ||
      put_member (s, "    ", "gecos", u->comment) == -1 ||
      put_member (s, "    ", "homedir", u->home) == -1 ||
      put_member (s, "    ", "shell",
                  u->shell == NULL && strcmp (name, "root") != 0 &&
                          c->g != NULL && v2v_guest_exists (c->g, "/bin/bash")
                      ? "/bin/bash"
                      : u->shell) == -1 ||
      (u->uid > 0 &&
       v2v_str_printf (s, "    uid: %lld\n", (long long) u->uid) == -1) ||
      put_list (s, "    ", "groups", u->groups) == -1 ||
      put_member (s, "    ", "sudo",
                  u->sudo_without_password ? "ALL=(ALL) NOPASSWD:ALL"
                  : u->sudo                ? "ALL=(ALL) ALL"
                                           : NULL) == -1 ||
      /* hashed_passwd also reaches accounts that are there. */
      put_member (s, "    ", "hashed_passwd", hash) == -1 ||
      /* Without a word it locks the password of an account that is there; a
       * new one has none to begin with. */
      v2v_str_printf (s, "    lock_passwd: %s\n", locks ? "true" : "false") ==
          -1 ||
      put_list (s, "    ", "ssh_authorized_keys", u->authorized_keys) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
put_users (struct customize *c, struct v2v_str *s, const char *old,
           struct v2v_error **err)
{
  const struct v2v_profile_linux *l = &c->p->os_linux;

  if (!l->has_root && l->nr_users == 0)
    return 0;
  if (v2v_str_append (s, "users:\n") == -1)
    return v2v_fail_nomem (err);
  if (l->has_root && put_user (c, s, old, &l->root, "root", err) == -1)
    return -1;
  for (size_t i = 0; i < l->nr_users; ++i)
    if (put_user (c, s, old, &l->users[i], l->users[i].name, err) == -1)
      return -1;
  /* Root's keys get a command that refuses him otherwise. */
  if (l->has_root && l->root.authorized_keys != NULL &&
      v2v_str_append (s, "disable_root: false\n") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
put_config (struct customize *c, struct v2v_str *s, const char *old,
            struct v2v_error **err)
{
  const struct v2v_profile *p = c->p;
  CLEANUP_FREE char *short_name = NULL;
  const bool named =
      p->computer_name != NULL && strcmp (p->computer_name, "*") != 0;

  if (v2v_str_append (s, "#cloud-config\n") == -1)
    return v2v_fail_nomem (err);
  if (named) {
    short_name = customize_short_name (p->computer_name);
    if (short_name == NULL ||
        put_member (s, "", "hostname", short_name) == -1 ||
        (strchr (p->computer_name, '.') != NULL &&
         put_member (s, "", "fqdn", p->computer_name) == -1) ||
        v2v_str_append (s, "preserve_hostname: false\n"
                           "manage_etc_hosts: localhost\n") == -1)
      return v2v_fail_nomem (err);
  }
  if (put_member (s, "", "timezone", p->time_zone_iana) == -1)
    return v2v_fail_nomem (err);
  if (c->g == NULL && p->locale != NULL) {
    CLEANUP_FREE char *locale = customize_posix_locale (p->locale);

    if (locale == NULL || put_member (s, "", "locale", locale) == -1)
      return v2v_fail_nomem (err);
  }
  if (put_users (c, s, old, err) == -1)
    return -1;
  if (p->os_linux.packages != NULL && p->os_linux.packages[0] != NULL &&
      (v2v_str_append (s, "package_update: true\n") == -1 ||
       put_list (s, "", "packages", p->os_linux.packages) == -1))
    return v2v_fail_nomem (err);
  return 0;
}

/* The kind of the user's own user-data, by its first line. */
static const char *
part_type (const struct v2v_profile_file *f)
{
  static const struct {
    const char *begin, *type;
  } kinds[] = {
    { "#cloud-config", "text/cloud-config" },
    { "#!", "text/x-shellscript" },
    { "#cloud-boothook", "text/cloud-boothook" },
    { "#include", "text/x-include-url" },
    { "## template: jinja", "text/jinja2" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (kinds); ++i) {
    const size_t n = strlen (kinds[i].begin);

    if (f->len >= n && memcmp (f->text, kinds[i].begin, n) == 0)
      return kinds[i].type;
  }
  return NULL;
}

#define BOUNDARY "==v2v-profile=="

/* One part of the archive.  NAME, if not NULL, is what it is called in the
 * guest: scripts run in the order of their names. */
static int
put_part (struct v2v_str *s, const struct v2v_profile_file *f, const char *type,
          const char *name, struct v2v_error **err)
{
  if (v2v_str_printf (s,
                      "\n--%s\nContent-Type: %s; charset=\"utf-8\"\n"
                      "Content-Transfer-Encoding: base64\n",
                      BOUNDARY, type) == -1 ||
      (name != NULL &&
       v2v_str_printf (s, "Content-Disposition: attachment; filename=\"%s\"\n",
                       name) == -1) ||
      v2v_str_append (s, "\n") == -1 ||
      customize_base64 (s, f->text, f->len, true) == -1 ||
      v2v_str_append (s, "\n") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
put_script (struct v2v_str *s, const struct v2v_profile_file *f, size_t i,
            struct v2v_error **err)
{
  CLEANUP_FREE char *safe = v2v_safe_name (f->name), *name = NULL;

  if (f->len < 2 || memcmp (f->text, "#!", 2) != 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: a script that cloud-init runs needs a first line "
                     "\"#!...\"",
                     f->path);
  if (safe == NULL || asprintf (&name, "v2v-%03zu-%s", i + 1, safe) == -1) {
    name = NULL;
    return v2v_fail_nomem (err);
  }
  return put_part (s, f, "text/x-shellscript", name, err);
}

/* Ours, then the user's own, whose keys replace ours, then SCRIPTS of the
 * profile. */
static int
put_archive (const struct v2v_profile *p, const struct v2v_str *ours,
             bool scripts, struct v2v_str *s, struct v2v_error **err)
{
  const struct v2v_profile_file *f = &p->os_linux.user_data;
  const char *type = f->path != NULL ? part_type (f) : NULL;

  if (f->path != NULL && type == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "%s: no user-data that cloud-init knows: expected a first "
                     "line \"#cloud-config\" or \"#!...\"",
                     f->path);
  if (v2v_str_printf (s,
                      "Content-Type: multipart/mixed; boundary=\"%s\"\n"
                      "MIME-Version: 1.0\n\n--%s\n"
                      "Content-Type: text/cloud-config; charset=\"utf-8\"\n"
                      "Content-Transfer-Encoding: 8bit\n\n",
                      BOUNDARY, BOUNDARY) == -1 ||
      v2v_str_append_len (s, ours->ptr, ours->len) == -1)
    return v2v_fail_nomem (err);
  if (type != NULL && put_part (s, f, type, NULL, err) == -1)
    return -1;
  for (size_t i = 0; scripts && i < p->nr_scripts; ++i)
    if (put_script (s, &p->scripts[i], i, err) == -1)
      return -1;
  if (v2v_str_printf (s, "\n--%s--\n", BOUNDARY) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* ---- network-config ---- */

static int
put_network (const struct v2v_profile *p, struct v2v_str *s,
             struct v2v_error **err)
{
  if (v2v_str_append (s, "version: 2\nethernets:\n") == -1)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < p->nr_nics; ++i)
    if (customize_put_nic (s, &p->nics[i], i, "  ", false) == -1)
      return v2v_fail_nomem (err);
  return 0;
}

/* ---- the seed ---- */

/* The same seed is the same instance: the id is a digest of what it says, so
 * that a changed seed is applied and an unchanged one is not; or it is
 * INSTANCE. */
static int
put_meta (const struct v2v_profile *p, const char *instance,
          const struct v2v_str *user, const struct v2v_str *network,
          struct v2v_str *s, struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str all = V2V_STR_INIT;
  uint8_t hash[V2V_SHA256_SIZE];
  char hex[2 * V2V_SHA256_SIZE + 1];
  const char *name = p->computer_name;

  if (v2v_str_append_len (&all, user->ptr, user->len) == -1 ||
      v2v_str_append_len (&all, network->ptr ? network->ptr : "",
                          network->len) == -1 ||
      v2v_str_append (&all, name ? name : "") == -1)
    return v2v_fail_nomem (err);
  v2v_sha256 (all.ptr, all.len, hash);
  v2v_hex (hash, sizeof hash, hex);
  hex[32] = '\0';
  if (v2v_str_printf (s, "instance-id: \"v2v-%s\"\n",
                      instance ? instance : hex) == -1 ||
      (name != NULL && strcmp (name, "*") != 0 &&
       put_member (s, "", "local-hostname", name) == -1))
    return v2v_fail_nomem (err);
  return 0;
}

static int
write_seed (struct customize *c, const char *name, const struct v2v_str *s,
            struct v2v_error **err)
{
  char path[96];

  snprintf (path, sizeof path, SEED "/%s", name);
  /* Hashes and the user's own text: root's alone. */
  return v2v_guest_write (c->g, path, s->ptr, s->len, 0600, V2V_WRITE_SECRET,
                          WHY, err);
}

int
customize_seed_texts (struct customize *c, const char *old,
                      const char *instance, bool with_network,
                      struct v2v_str *user, struct v2v_str *meta,
                      struct v2v_str *network, struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str ours = V2V_STR_INIT;
  const bool scripts = c->g == NULL && c->p->nr_scripts > 0;
  const bool archive = scripts || c->p->os_linux.user_data.path != NULL;

  if (put_config (c, archive ? &ours : user, old, err) == -1 ||
      (archive && put_archive (c->p, &ours, scripts, user, err) == -1) ||
      (with_network && put_network (c->p, network, err) == -1))
    return -1;
  return put_meta (c->p, instance, user, network, meta, err);
}

/* The seed makes a new instance.  Without cards in it cloud-init would put
 * DHCP in place of the addresses that it once wrote for this machine; where it
 * has never run (or the guest was generalised), DHCP is right. */
static bool
keeps_network (struct customize *c)
{
  return c->p->nr_nics == 0 &&
         (v2v_guest_exists (c->g, "/var/lib/cloud/instance") ||
          v2v_guest_exists (c->g, "/var/lib/cloud/data/instance-id"));
}

static int
write_ours (struct customize *c, struct v2v_error **err)
{
  const bool keeps = keeps_network (c);

  if (v2v_guest_mkdir (c->g, "/etc/cloud/cloud.cfg.d", 0755, err) == -1 ||
      v2v_guest_write_text (c->g, OURS,
                            keeps
                                ? "# Written by v2v: the seed is in " SEED ".\n"
                                  "datasource_list: [ NoCloud, None ]\n"
                                  "# It names no network cards: the network "
                                  "stays as it is.\n"
                                  "network: {config: disabled}\n"
                                : "# Written by v2v: the seed is in " SEED ".\n"
                                  "datasource_list: [ NoCloud, None ]\n",
                            0644, WHY, err) == -1)
    return -1;
  if (!keeps)
    return 0;
  return customize_finding (
      c, V2V_INFORMATION, "guest.customize.network-kept", NULL,
      "name its cards in the profile, or generalise the guest, to change that",
      err,
      "the profile names no network cards: cloud-init leaves the network "
      "as it is");
}

int
customize_linux_seed (struct customize *c, bool *ret_network,
                      struct v2v_error **err)
{
  CLEANUP_WIPE_STR struct v2v_str user = V2V_STR_INIT;
  CLEANUP_STR struct v2v_str meta = V2V_STR_INIT, network = V2V_STR_INIT;
  CLEANUP_WIPE_TEXT char *old =
      v2v_guest_read_text (c->g, SEED "/user-data", NULL);
  const int disabled = network_is_disabled (c, err);

  if (disabled == -1)
    return -1;
  *ret_network = c->p->nr_nics > 0 && disabled == 0;
  if (customize_seed_texts (c, old, NULL, *ret_network, &user, &meta, &network,
                            err) == -1 ||
      v2v_guest_mkdir (c->g, SEED, 0755, err) == -1 ||
      write_seed (c, "meta-data", &meta, err) == -1 ||
      write_seed (c, "user-data", &user, err) == -1 ||
      (*ret_network && (write_seed (c, "network-config", &network, err) == -1 ||
                        customize_linux_clear_network (c, err) == -1)) ||
      /* An older seed's would be applied by the new instance. */
      (!*ret_network && v2v_guest_remove_secret (c->g, SEED "/network-config",
                                                 WHY, err) == -1) ||
      write_ours (c, err) == -1 ||
      v2v_guest_remove (c->g, DISABLED, WHY, err) == -1)
    return -1;
  /* Its own module needs the tools of the distribution; files do as well. */
  return c->p->locale != NULL ? customize_linux_locale (c, err) : 0;
}

int
customize_linux_quiet_cloud_init (struct customize *c, struct v2v_error **err)
{
  static const char why[] = "cloud-init would take the machine for a new one";

  if (!is_installed (c) || c->p->os_linux.cloud_init != V2V_CLOUD_INIT_OFF)
    return 0;
  if (v2v_guest_mkdir (c->g, "/etc/cloud/cloud.cfg.d", 0755, err) == -1 ||
      v2v_guest_write_text (
          c->g, "/etc/cloud/cloud.cfg.d/99-v2v-no-network.cfg",
          "# Written by v2v: the files of the guest say its network.\n"
          "network: {config: disabled}\n",
          0644, why, err) == -1)
    return -1;
  if (v2v_guest_exists (c->g, DISABLED))
    return 0;
  return v2v_guest_write_text (c->g, DISABLED, "", 0644, why, err) == -1 ? -1
                                                                         : 0;
}
