/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest operating system profiles: the same fields as the JSON profile of
 * `v2v customize` (inject/profile.c), and both ways between the two.  What a
 * value may be is decided in one place, there: a document is turned into JSON
 * and that is parsed.
 */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "library/computer-names.h"
#include "library/document-internal.h"

/* In the order of enum v2v_cloud_init_mode. */
static const char *const cloud_init_modes[] = { "auto", "seed", "off", NULL };

#define S v2v_guest_os_route
static const struct field route_fields[] = {
  F_TEXT (S, to, "to", .max = 64), F_TEXT (S, via, "via", .max = 64),
  F_NUMBER (S, metric, "metric", 0, UINT32_MAX), F_END
};
static const struct record route = { sizeof (struct S), route_fields };
#undef S

#define S v2v_guest_os_nic
static const struct field nic_fields[] = {
  F_TEXT (S, mac, "mac", .rule = document_rule_mac, .key = true),
  F_TEXT (S, name, "name", .max = 15),
  F_FLAG (S, dhcp4, "dhcp4"),
  F_FLAG (S, dhcp6, "dhcp6"),
  F_NUMBER (S, mtu, "mtu", 576, 65535),
  F_WORDS (S, addresses, "addresses", "address", .max = 64),
  F_WORDS (S, gateways, "gateways", "gateway", .max = 64),
  F_WORDS (S, dns, "dns", "server", .max = 64),
  F_WORDS (S, search, "search", "domain", .max = 255),
  F_LIST (S, routes, "routes", "route", &route),
  F_END
};
static const struct record nic = { sizeof (struct S), nic_fields };
#undef S

#define S v2v_guest_os_user
#define KEYS                                                                   \
  F_WORDS (S, authorized_keys, "authorized-keys", "key", .max = 16384)
static const struct field linux_user_fields[] = {
  F_TEXT (S, name, "name", .max = 32, .key = true),
  F_TEXT (S, comment, "comment"),
  F_TEXT (S, shell, "shell", .max = 255),
  F_TEXT (S, home, "home", .max = 255),
  F_NUMBER (S, uid, "uid", 1, 60000),
  F_FLAG (S, sudo, "sudo"),
  F_FLAG (S, sudo_without_password, "sudo-without-password"),
  F_FLAG (S, lock, "lock"),
  F_WORDS (S, groups, "groups", "group", .max = 32),
  KEYS,
  F_SECRET (S, password, "password"),
  F_SECRET (S, password_hash, "password-hash"),
  F_END
};
static const struct record linux_user = { sizeof (struct S),
                                          linux_user_fields };
static const struct field root_fields[] = {
  F_FLAG (S, lock, "lock"), KEYS, F_SECRET (S, password, "password"),
  F_SECRET (S, password_hash, "password-hash"), F_END
};
static const struct record root = { sizeof (struct S), root_fields };
static const struct field windows_user_fields[] = {
  F_TEXT (S, name, "name", .max = 20, .key = true),
  F_TEXT (S, comment, "display-name"),
  F_WORDS (S, groups, "groups", "group", .max = 256),
  F_SECRET (S, password, "password"), F_END
};
static const struct record windows_user = { sizeof (struct S),
                                            windows_user_fields };
#undef S

#define S v2v_guest_os_windows
static const struct field join_fields[] = {
  F_TEXT (S, join_domain, "domain", .max = 253),
  F_TEXT (S, join_ou, "ou"),
  F_TEXT (S, join_user, "user"),
  F_TEXT (S, join_user_domain, "user-domain", .max = 253),
  F_SECRET (S, join_password, "password"),
  F_END
};
static const struct record join = { sizeof (struct S), join_fields };
static const struct field auto_logon_fields[] = {
  F_NUMBER (S, auto_logon_count, "count", 0, UINT32_MAX),
  F_TEXT (S, auto_logon_user, "user", .max = 20), F_END
};
static const struct record auto_logon = { sizeof (struct S),
                                          auto_logon_fields };
static const struct field windows_fields[] = {
  F_TEXT (S, organization, "organization"),
  F_TEXT (S, owner, "owner"),
  F_TEXT (S, workgroup, "workgroup", .max = 15),
  F_TEXT (S, input_locale, "input-locale", .max = 64),
  F_TEXT (S, system_locale, "system-locale", .max = 64),
  F_TEXT (S, ui_language, "ui-language", .max = 64),
  F_TEXT (S, user_locale, "user-locale", .max = 64),
  F_FLAG (S, remote_desktop, "remote-desktop"),
  F_TEXT (S, answer_file, "answer-file", .file = true),
  F_SECRET (S, product_key, "product-key"),
  F_SECRET (S, administrator_password, "administrator-password"),
  /* These two have their fields in the same struct. */
  { .name = "join", .kind = FIELD_GROUP, .sub = &join },
  { .name = "auto-logon", .kind = FIELD_GROUP, .sub = &auto_logon },
  F_LIST (S, users, "users", "user", &windows_user),
  F_WORDS (S, synchronous_commands, "synchronous-commands", "command"),
  F_WORDS (S, first_logon_commands, "first-logon-commands", "command"),
  F_WORDS (S, install_features, "install-features", "feature", .max = 128),
  F_WORDS (S, remove_features, "remove-features", "feature", .max = 128),
  F_END
};
static const struct record windows = { sizeof (struct S), windows_fields };
#undef S

#define S v2v_guest_os_linux
static const struct field linux_fields[] = {
  F_CHOICE (S, cloud_init, "cloud-init", cloud_init_modes),
  F_TEXT (S, user_data, "user-data", .file = true),
  F_GROUP (S, root, "root", &root, .second = offsetof (struct S, has_root)),
  F_LIST (S, users, "users", "user", &linux_user),
  F_WORDS (S, packages, "packages", "package", .max = 128),
  F_END
};
static const struct record linux_part = { sizeof (struct S), linux_fields };
#undef S

#define S v2v_document
static const struct field guest_os_fields[] = {
  DOCUMENT_HEAD,
  F_TEXT (S, guest_os.computer_name, "computer-name",
          .rule = document_rule_pattern),
  F_TEXT (S, guest_os.time_zone, "time-zone", .max = 255),
  F_TEXT (S, guest_os.locale, "locale", .max = 64),
  { .name = "network",
    .kind = FIELD_LIST,
    .offset = offsetof (struct S, guest_os.nics),
    .second = offsetof (struct S, guest_os.nr_nics),
    .item = "adapter",
    .sub = &nic },
  F_WORDS (S, guest_os.scripts, "scripts", "script", .file = true),
  F_GROUP (S, guest_os.windows, "windows", &windows,
           .second = offsetof (struct S, guest_os.windows.given)),
  F_GROUP (S, guest_os.os_linux, "linux", &linux_part,
           .second = offsetof (struct S, guest_os.os_linux.given)),
  F_END
};
const struct record document_guest_os = { sizeof (struct S), guest_os_fields };
static const struct record own = { sizeof (struct S),
                                   guest_os_fields + DOCUMENT_HEAD_ROWS };
#undef S

/* ---- the JSON of `v2v customize` ---- */

struct v2v_json *
v2v_guest_os_to_json (const struct v2v_document *d, const char *computer_name)
{
  struct v2v_json *o = v2v_json_new_object ();

  record_write_json (&own, d, o);
  if (computer_name != NULL)
    v2v_json_set_string (o, "computer_name", computer_name);
  if (!v2v_json_ok (o)) {
    v2v_json_free (o);
    return NULL;
  }
  return o;
}

static int
parse_as_profile (const char *text, size_t len, const char *name,
                  struct v2v_error **err)
{
  struct v2v_profile *p = v2v_profile_parse (text, len, name, NULL, err);

  v2v_profile_free (p);
  return p == NULL ? -1 : 0;
}

int
document_check_guest_os (const struct v2v_document *d, const char *name,
                         struct v2v_error **err)
{
  const char *pattern = d->guest_os.computer_name;
  CLEANUP_FREE char *text = NULL, *first = NULL;
  struct v2v_json *o;
  struct v2v_error *inner = NULL;

  /* A pattern is judged by the first name that it gives. */
  if (pattern != NULL &&
      v2v_computer_name_next (pattern, NULL, false, &first, err) == -1)
    return v2v_prefix (err, "%s", name);
  o = v2v_guest_os_to_json (d, first);
  text = o != NULL ? v2v_json_dump (o, 0) : NULL;
  v2v_json_free (o);
  if (text == NULL)
    return v2v_fail_nomem (err);
  if (parse_as_profile (text, strlen (text), name, &inner) == 0)
    return 0;
  /* For a profile it is a mistake of the caller; here the document's. */
  if (v2v_error_code (inner) != V2V_ERR_USAGE)
    return v2v_error_move (err, inner);
  v2v_fail (err, V2V_ERR_FORMAT, "%s", v2v_error_message (inner));
  v2v_error_free (inner);
  return -1;
}

struct v2v_document *
v2v_guest_os_from_text (const char *json, size_t len, const char *name,
                        struct v2v_error **err)
{
  struct v2v_document *d;
  struct v2v_json *j;

  if (parse_as_profile (json, len, name, err) == -1)
    return NULL;
  j = v2v_json_parse (json, len, name, err);
  d = j != NULL ? v2v_document_from_json (j, V2V_DOCUMENT_GUEST_OS, name, err)
                : NULL;
  v2v_json_free (j);
  return d;
}
