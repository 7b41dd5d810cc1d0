/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the loader of a profile (profile.c) and its rules
 * (profile-check.c, profile-names.c). */
#ifndef V2V_PROFILE_INTERNAL_H
#define V2V_PROFILE_INTERNAL_H

#include "inject/customize.h"

/* A rule for one string: NULL = fine, else what was expected ("a path that
 * begins with '/'"), which never repeats the value. */
typedef const char *profile_rule (const char *s);

/* One line without control characters, up to 1024 bytes. */
profile_rule profile_rule_line;
/* The same without ':' (a field of passwd). */
profile_rule profile_rule_comment;
profile_rule profile_rule_computer_name;
profile_rule profile_rule_user;
profile_rule profile_rule_windows_user;
profile_rule profile_rule_group;
profile_rule profile_rule_windows_group;
profile_rule profile_rule_path;
profile_rule profile_rule_key; /* authorized_keys */
profile_rule profile_rule_package;
profile_rule profile_rule_feature;
profile_rule profile_rule_time_zone;
profile_rule profile_rule_locale;
profile_rule profile_rule_domain;
profile_rule profile_rule_workgroup;
profile_rule profile_rule_mac;
profile_rule profile_rule_interface;
profile_rule profile_rule_cidr;
profile_rule profile_rule_address;
profile_rule profile_rule_network; /* of a route: address/prefix */
profile_rule profile_rule_product_key;

/* Every secret P can have, set or not; NULL-terminated; the caller frees the
 * array.  NULL when out of memory. */
struct v2v_secret **profile_secrets (const struct v2v_profile *p);

/* What only members together can break.  NAME is for messages. */
int profile_check (const struct v2v_profile *p, struct v2v_error **err);

/* "10.0.0.1/24": *RET_PREFIX, and AF_INET or AF_INET6 (0 = malformed). */
int profile_parse_cidr (const char *s, char address[64], unsigned *ret_prefix);
int profile_family (const char *address); /* AF_INET, AF_INET6 or 0 */

#endif /* V2V_PROFILE_INTERNAL_H */
