/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Customising a Linux guest: the order, host name, time zone, packages and
 * scripts.  Files are edited where nothing in the guest does it at its next
 * start; where cloud-init does, it gets a seed.
 *
 * Sources: hostname(5), hosts(5), localtime(5); Debian's base-files and
 * netcfg (127.0.1.1); RHEL 6 Deployment Guide, appendix D (/etc/sysconfig);
 * SLES 11 Administration Guide (/etc/HOSTNAME, /etc/sysconfig/clock); OpenRC's
 * conf.d/hostname.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/customize-internal.h"
#include "inject/firstboot.h"
#include "inject/linux-edit.h"
#include "inject/time-zones.h"

/* ---- the host name ---- */

struct hosts_edit {
  const char *old, *old_short; /* NULL = unknown */
  const char *full, *name;
  bool found; /* the new name stands somewhere */
};

/* Letters a name has; what stands in a guest's file is hostile. */
static bool
is_token (const char *s, size_t len, const char *name)
{
  return name != NULL && strlen (name) == len &&
         strncasecmp (s, name, len) == 0;
}

/* "old.example.com", whatever the domain. */
static bool
has_domain (const char *s, size_t len, const char *short_name)
{
  const size_t n = short_name != NULL ? strlen (short_name) : 0;

  return n > 0 && len > n + 1 && s[n] == '.' &&
         strncasecmp (s, short_name, n) == 0;
}

/* Is LINE (up to END) about the guest itself?  Other machines have its short
 * name as well, in other domains. */
static bool
is_own_line (const struct hosts_edit *h, const char *line, size_t end)
{
  const bool has_full = h->old != NULL && strchr (h->old, '.') != NULL;
  bool has_short = false, other = false;
  size_t i = strspn (line, " \t");

  if (strncmp (line + i, "127.", 4) == 0 ||
      (strncmp (line + i, "::1", 3) == 0 && strchr (" \t", line[i + 3])))
    return true;
  for (i += strcspn (line + i, " \t"); i < end;) {
    const char *t;
    size_t len;

    i += strspn (line + i, " \t");
    t = line + i;
    len = strcspn (t, " \t#\r");
    if (len == 0)
      break;
    if (has_full && is_token (t, len, h->old))
      return true;
    has_short = has_short || is_token (t, len, h->old_short);
    other = other || has_domain (t, len, h->old_short);
    i += len;
  }
  return has_short && !(has_full && other);
}

/* A line of /etc/hosts: the old names among the names become the new ones;
 * blanks and comments stay. */
static int
edit_hosts_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct hosts_edit *h = arg;
  const size_t end = strcspn (line, "#");
  const bool own = is_own_line (h, line, end);
  bool changed = false;
  size_t token = 0;

  for (size_t i = 0; i < end;) {
    const size_t blanks = strspn (line + i, " \t");
    size_t len = strcspn (line + i + blanks, " \t");
    const char *t = line + i + blanks;
    const char *put = NULL;

    if (i + blanks + len > end)
      len = end - i - blanks;
    if (v2v_str_append_len (ret, line + i, blanks) == -1)
      return -1;
    i += blanks + len;
    if (len == 0)
      continue;
    if (token++ > 0) { /* the first is the address */
      if (own && is_token (t, len, h->old_short))
        put = h->name;
      else if (own && has_domain (t, len, h->old_short))
        put = h->full;
      h->found |= put != NULL || is_token (t, len, h->name) ||
                  is_token (t, len, h->full);
    }
    if (put != NULL && !is_token (t, len, put)) {
      changed = true;
      if (v2v_str_append (ret, put) == -1)
        return -1;
    }
    else if (v2v_str_append_len (ret, t, len) == -1)
      return -1;
  }
  if (v2v_str_append (ret, line + end) == -1)
    return -1;
  return changed ? LINUX_EDIT_REPLACE : LINUX_EDIT_KEEP;
}

static bool
is_debian (const struct customize *c)
{
  return v2v_guest_is_file (c->g, "/etc/debian_version");
}

static bool
is_red_hat (const struct customize *c)
{
  return v2v_guest_is_file (c->g, "/etc/redhat-release");
}

/* "localhost" is in every hosts file and is nobody's name. */
static bool
is_real_name (const char *s)
{
  return s != NULL && *s != '\0' && strncasecmp (s, "localhost", 9) != 0;
}

static int
edit_hosts (struct customize *c, const char *old, const char *name,
            struct v2v_error **err)
{
  static const char path[] = "/etc/hosts";
  CLEANUP_FREE char *old_short =
      is_real_name (old) ? customize_short_name (old) : NULL;
  CLEANUP_FREE char *short_name = customize_short_name (name);
  CLEANUP_FREE char *text = NULL;
  struct hosts_edit h = {
    .old = old, .old_short = old_short, .full = name, .name = short_name
  };

  if (short_name == NULL)
    return v2v_fail_nomem (err);
  if (linux_edit_file (c->g, path, edit_hosts_line, &h, "the new host name",
                       err) == -1)
    return -1;
  /* Debian has no other resolver for the host's own name; systemd's and
   * Red Hat's nss-myhostname need no line. */
  if (h.found || !is_debian (c))
    return 0;
  {
    CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
    struct v2v_error *e = NULL;
    size_t len;

    text = v2v_guest_read_text (c->g, path, &e);
    if (e != NULL)
      return v2v_error_move (err, e);
    len = text != NULL ? strlen (text) : 0;
    if ((len > 0 && v2v_str_append (&s, text) == -1) ||
        (len > 0 && text[len - 1] != '\n' && v2v_str_append (&s, "\n") == -1) ||
        v2v_str_printf (&s, "127.0.1.1\t%s%s%s\n", name,
                        strcmp (name, short_name) ? " " : "",
                        strcmp (name, short_name) ? short_name : "") == -1)
      return v2v_fail_nomem (err);
    return v2v_guest_write_text (c->g, path, s.ptr, 0644, "the new host name",
                                 err);
  }
}

struct assignment {
  const char *key;   /* "HOSTNAME" */
  const char *value; /* as it shall stand behind the '=' */
  bool found;
};

static int
edit_assignment (void *arg, const char *line, struct v2v_str *ret)
{
  struct assignment *a = arg;
  const size_t blanks = strspn (line, " \t");
  const size_t len = strlen (a->key);

  if (strncmp (line + blanks, a->key, len) != 0 || line[blanks + len] != '=')
    return LINUX_EDIT_KEEP;
  a->found = true;
  if (strcmp (line + blanks + len + 1, a->value) == 0)
    return LINUX_EDIT_KEEP;
  return v2v_str_printf (ret, "%.*s%s=%s", (int) blanks, line, a->key,
                         a->value) == -1
             ? -1
             : LINUX_EDIT_REPLACE;
}

int
customize_set_assignment (struct customize *c, const char *path,
                          const char *key, const char *value, bool add,
                          const char *why, struct v2v_error **err)
{
  struct assignment a = { .key = key, .value = value };
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *e = NULL;
  size_t len;

  if (!v2v_guest_is_file (c->g, path) && !add)
    return 0;
  if (linux_edit_file (c->g, path, edit_assignment, &a, why, err) == -1)
    return -1;
  if (a.found || !add)
    return a.found;
  text = v2v_guest_read_text (c->g, path, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  len = text != NULL ? strlen (text) : 0;
  if ((len > 0 && v2v_str_append (&s, text) == -1) ||
      (len > 0 && text[len - 1] != '\n' && v2v_str_append (&s, "\n") == -1) ||
      v2v_str_printf (&s, "%s=%s\n", key, value) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (c->g, path, s.ptr, 0644, why, err) == -1 ? -1
                                                                        : 1;
}

/* The first line that is no comment, without blanks. */
static char *
first_word (const char *text)
{
  while (text != NULL && *text != '\0') {
    const size_t len = strcspn (text, "\n");
    const size_t blanks = strspn (text, " \t\r");

    if (blanks < len && text[blanks] != '#')
      return strndup (text + blanks, strcspn (text + blanks, " \t\r\n"));
    text += len + (text[len] == '\n');
  }
  return NULL;
}

/* The name the guest has so far; NULL = none. */
static char *
old_host_name (struct customize *c)
{
  static const char *const files[] = { "/etc/hostname", "/etc/HOSTNAME" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    CLEANUP_FREE char *text = v2v_guest_read_text (c->g, files[i], NULL);
    char *name = first_word (text);

    if (name != NULL)
      return name;
  }
  return c->os->hostname != NULL ? strdup (c->os->hostname) : NULL;
}

static int
write_name (struct customize *c, const char *path, const char *name,
            struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL, *old = NULL, *old_name = NULL;

  old = v2v_guest_read_text (c->g, path, NULL);
  old_name = first_word (old);
  if (old_name != NULL && strcmp (old_name, name) == 0)
    return 0;
  if (asprintf (&text, "%s\n", name) == -1) {
    text = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_guest_write_text (c->g, path, text, 0644, "the new host name",
                               err);
}

static int
set_host_name (struct customize *c, struct v2v_error **err)
{
  const char *name = c->p->computer_name;
  CLEANUP_FREE char *old = old_host_name (c);
  CLEANUP_FREE char *short_name = NULL, *quoted = NULL;
  /* Red Hat, SUSE and Arch keep the name with its domain, Debian and Alpine
   * the first part. */
  const bool full = is_red_hat (c) || v2v_guest_is_file (c->g, "/etc/HOSTNAME");
  const bool has_file = v2v_guest_exists (c->g, "/etc/hostname");
  struct v2v_guest_stat st;

  if (strcmp (name, "*") == 0)
    return customize_finding (c, V2V_WARNING, "guest.customize.computer-name",
                              NULL, "name the host in the profile", err,
                              "only Windows makes up a computer name; the host "
                              "name stays");
  short_name = customize_short_name (name);
  if (short_name == NULL || asprintf (&quoted, "\"%s\"", short_name) == -1) {
    quoted = NULL;
    return v2v_fail_nomem (err);
  }
  if ((has_file || linux_has_systemd (c->g) || is_debian (c)) &&
      write_name (c, "/etc/hostname", full ? name : short_name, err) == -1)
    return -1;
  /* SLES 11 and 12; where it is a link it leads to /etc/hostname. */
  if (v2v_guest_lstat (c->g, "/etc/HOSTNAME", &st, NULL) == 1 &&
      st.type == V2V_FILE_REGULAR &&
      write_name (c, "/etc/HOSTNAME", name, err) == -1)
    return -1;
  if (customize_set_assignment (c, "/etc/sysconfig/network", "HOSTNAME", name,
                                is_red_hat (c) && !has_file &&
                                    !linux_has_systemd (c->g),
                                "the new host name", err) == -1 ||
      customize_set_assignment (c, "/etc/conf.d/hostname", "hostname", quoted,
                                false, "the new host name", err) == -1)
    return -1;
  return edit_hosts (c, old, name, err);
}

/* ---- the time zone ---- */

#define ZONEINFO "/usr/share/zoneinfo/"

/* The zone as this guest's tzdata calls it, or NULL. */
static const char *
zone_in_guest (struct customize *c, char *buf, size_t size)
{
  const struct v2v_time_zone *z = v2v_time_zone_find (c->p->time_zone);
  const char *name = c->p->time_zone_iana;
  char path[256];

  snprintf (path, sizeof path, ZONEINFO "%s", name);
  if (v2v_guest_is_file (c->g, path))
    return name;
  /* A Windows name stands for all of them: an older spelling will do. */
  if (!v2v_time_zone_is_windows_name (z, c->p->time_zone))
    return NULL;
  for (const char *p = z->others; *p != '\0';) {
    const size_t n = strcspn (p, " ");

    snprintf (buf, size, "%.*s", (int) n, p);
    snprintf (path, sizeof path, ZONEINFO "%s", buf);
    if (v2v_guest_is_file (c->g, path))
      return buf;
    p += n;
    p += strspn (p, " ");
  }
  return NULL;
}

static int
link_localtime (struct customize *c, const char *zone, struct v2v_error **err)
{
  static const char path[] = "/etc/localtime", why[] = "the new time zone";
  CLEANUP_FREE char *old = v2v_guest_readlink (c->g, path, NULL);
  CLEANUP_FREE void *data = NULL;
  struct v2v_error *e = NULL;
  char target[256];
  size_t len;

  if (old != NULL || !v2v_guest_exists (c->g, path)) {
    snprintf (target, sizeof target, "%s" ZONEINFO "%s",
              old == NULL || old[0] != '/' ? ".." : "", zone);
    return v2v_guest_symlink (c->g, target, path, why, err);
  }
  /* RHEL 6, SLES 11: a copy, since /usr may be mounted late. */
  snprintf (target, sizeof target, ZONEINFO "%s", zone);
  data = v2v_guest_read (c->g, target, 1u << 20, &len, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (data == NULL)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", target);
  return v2v_guest_write (c->g, path, data, len, 0644, 0, why, err);
}

static int
set_time_zone (struct customize *c, struct v2v_error **err)
{
  char buf[64], text[80], quoted[80];
  const char *zone = zone_in_guest (c, buf, sizeof buf);

  if (zone == NULL)
    return customize_finding (
        c, V2V_WARNING, "guest.customize.time-zone", c->p->time_zone,
        "install tzdata in the guest, or name a zone it "
        "has",
        err, "the guest has no " ZONEINFO "%s: its time zone stays",
        c->p->time_zone_iana);
  snprintf (text, sizeof text, "%s\n", zone);
  snprintf (quoted, sizeof quoted, "\"%s\"", zone);
  if (link_localtime (c, zone, err) == -1)
    return -1;
  if (v2v_guest_is_file (c->g, "/etc/timezone") &&
      v2v_guest_write_text (c->g, "/etc/timezone", text, 0644,
                            "the new time zone", err) == -1)
    return -1;
  /* RHEL 6 says ZONE, SUSE TIMEZONE. */
  return customize_set_assignment (c, "/etc/sysconfig/clock", "ZONE", quoted,
                                   false, "the new time zone", err) == -1 ||
                 customize_set_assignment (c, "/etc/sysconfig/clock",
                                           "TIMEZONE", quoted, false,
                                           "the new time zone", err) == -1
             ? -1
             : 0;
}

/* ---- the locale ---- */

/* "de-DE" as "de_DE.UTF-8". */
char *
customize_posix_locale (const char *s)
{
  char *out;

  if (strpbrk (s, "_.") != NULL || strlen (s) < 5 || s[2] != '-' ||
      strchr (s + 3, '-') != NULL)
    return strdup (s);
  return asprintf (&out, "%.2s_%s.UTF-8", s, s + 3) == -1 ? NULL : out;
}

struct locale_gen {
  const char *locale;
  size_t len;
  bool active, offered;
};

static int
edit_locale_gen (void *arg, const char *line, struct v2v_str *ret)
{
  struct locale_gen *l = arg;
  const char *p = line;
  const bool off = *p == '#';

  p += off;
  p += strspn (p, " \t");
  if (strncmp (p, l->locale, l->len) != 0 ||
      (p[l->len] != ' ' && p[l->len] != '\0'))
    return LINUX_EDIT_KEEP;
  l->offered = true;
  if (!off) {
    l->active = true;
    return LINUX_EDIT_KEEP;
  }
  return v2v_str_append (ret, p) == -1 ? -1 : LINUX_EDIT_REPLACE;
}

/* Debian and Arch make the data of a locale themselves. */
static int
generate_locale (struct customize *c, const char *locale,
                 struct v2v_error **err)
{
  static const char script[] =
      "#!/bin/sh\n"
      "# Make the locales that /etc/locale.gen names.\n"
      "exec locale-gen\n";
  struct locale_gen l = { .locale = locale, .len = strlen (locale) };

  if (!v2v_guest_is_file (c->g, "/etc/locale.gen"))
    return 0;
  if (linux_edit_file (c->g, "/etc/locale.gen", edit_locale_gen, &l,
                       "the new locale", err) == -1)
    return -1;
  if (!l.offered)
    return customize_finding (c, V2V_WARNING, "guest.customize.locale", locale,
                              "add it to /etc/locale.gen and run locale-gen",
                              err, "/etc/locale.gen does not offer %s", locale);
  return l.active ? 0
                  : v2v_firstboot_add (c->g, 5000, "locale-gen", script,
                                       sizeof script - 1, false, err);
}

int
customize_linux_locale (struct customize *c, struct v2v_error **err)
{
  static const struct {
    const char *path, *key;
    bool quoted, only_if_there;
  } places[] = {
    { "/etc/default/locale", "LANG", false, true },
    { "/etc/sysconfig/i18n", "LANG", true, true },
    { "/etc/sysconfig/language", "RC_LANG", true, true },
    { "/etc/locale.conf", "LANG", false, false },
  };
  CLEANUP_FREE char *locale = customize_posix_locale (c->p->locale);
  char quoted[80];

  if (locale == NULL)
    return v2v_fail_nomem (err);
  snprintf (quoted, sizeof quoted, "\"%s\"", locale);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (places); ++i) {
    const bool last = !places[i].only_if_there;
    int r;

    if (!v2v_guest_is_file (c->g, places[i].path) &&
        !(last && linux_has_systemd (c->g)))
      continue;
    r = customize_set_assignment (c, places[i].path, places[i].key,
                                  places[i].quoted ? quoted : locale, true,
                                  "the new locale", err);
    return r == -1 ? -1 : generate_locale (c, locale, err);
  }
  return customize_finding (c, V2V_WARNING, "guest.customize.locale", locale,
                            NULL, err,
                            "the guest has no file that sets its locale");
}

/* ---- packages and scripts ---- */

static const struct {
  const char *program, *text;
} managers[] = {
  { "/usr/bin/apt-get", "export DEBIAN_FRONTEND=noninteractive\n"
                        "apt-get -q update\n"
                        "apt-get -q -y install" },
  { "/usr/bin/dnf", "dnf -y install" },
  { "/usr/bin/dnf5", "dnf5 -y install" },
  { "/usr/bin/yum", "yum -y install" },
  { "/usr/bin/zypper", "zypper --non-interactive install" },
  { "/usr/bin/tdnf", "tdnf -y install" },
  { "/sbin/apk", "apk add" },
  { "/usr/bin/pacman", "pacman -Sy --noconfirm --needed" },
};

static int
queue_packages (struct customize *c, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const char *install = NULL;

  for (size_t i = 0; install == NULL && i < V2V_ARRAY_SIZE (managers); ++i)
    if (v2v_guest_exists (c->g, managers[i].program))
      install = managers[i].text;
  if (install == NULL)
    return customize_finding (c, V2V_WARNING, "guest.customize.packages", NULL,
                              "install them by hand", err,
                              "no package manager we know is in the guest: "
                              "packages are not installed");
  if (v2v_str_printf (&s, "#!/bin/sh\nset -e\n%s", install) == -1)
    return v2v_fail_nomem (err);
  /* Their letters were checked: none of the shell's. */
  for (char **p = c->p->os_linux.packages; *p != NULL; ++p)
    if (v2v_str_printf (&s, " %s", *p) == -1)
      return v2v_fail_nomem (err);
  if (v2v_str_append (&s, "\n") == -1)
    return v2v_fail_nomem (err);
  return v2v_firstboot_add (c->g, 4500, "packages", s.ptr, s.len, false, err);
}

/* Scripts may have secrets inside. */
static int
queue_scripts (struct customize *c, struct v2v_error **err)
{
  for (size_t i = 0; i < c->p->nr_scripts; ++i) {
    const struct v2v_profile_file *f = &c->p->scripts[i];

    if (v2v_firstboot_add (c->g, 5100 + (unsigned) i, f->name, f->text, f->len,
                           true, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- the whole ---- */

/* What files of the guest say.  Accounts always; the rest where cloud-init
 * does not do it. */
static int
edit_files (struct customize *c, bool seeded, bool network,
            struct v2v_error **err)
{
  const struct v2v_profile *p = c->p;

  if (p->computer_name != NULL && !seeded && set_host_name (c, err) == -1)
    return -1;
  if (p->time_zone != NULL && !seeded && set_time_zone (c, err) == -1)
    return -1;
  if (p->locale != NULL && !seeded && customize_linux_locale (c, err) == -1)
    return -1;
  if (!seeded && customize_linux_users (c, err) == -1)
    return -1;
  if (p->nr_nics > 0 && !network && customize_linux_network (c, err) == -1)
    return -1;
  return p->os_linux.packages != NULL && !seeded ? queue_packages (c, err) : 0;
}

int
customize_linux (struct customize *c, struct v2v_error **err)
{
  struct linux_guest l = { .g = c->g, .os = c->os };
  const int seed = customize_linux_wants_seed (c, err);
  bool network = false;

  if (seed == -1)
    return -1;
  if (seed == 1 && customize_linux_seed (c, &network, err) == -1)
    return v2v_prefix (err, "the seed for cloud-init");
  if (seed == 0 && customize_linux_quiet_cloud_init (c, err) == -1)
    return -1;
  if (edit_files (c, seed == 1, network, err) == -1 ||
      queue_scripts (c, err) == -1)
    return -1;
  {
    const int n = v2v_firstboot_count (c->g, err);

    if (n == -1 || (n > 0 && v2v_firstboot_install_linux (c->g, err) == -1))
      return -1;
  }
  return v2v_guest_journal (c->g)->len > 0 ? linux_relabel (&l, err) : 0;
}
