/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SELinux: files that we wrote need their labels.  The back end sets them
 * offline where it can; where it cannot, the guest does it itself at its next
 * start, which /.autorelabel asks for and which costs one slow start and a
 * restart.
 *
 * Source: selinux(8), selinux_config(5); the fixfiles service of
 * policycoreutils for /.autorelabel.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"
#include "inject/linux-internal.h"

/* Names of policies are short words; the longest known is "targeted". */
#define MAX_TYPE_LEN 64

struct selinux_config {
  bool disabled;
  char type[MAX_TYPE_LEN + 1];
};

static void
config_line (struct selinux_config *c, const char *line)
{
  size_t len;

  line += strspn (line, " \t");
  if (strncmp (line, "SELINUX=", 8) == 0) {
    line += 8;
    line += strspn (line, " \t\"'");
    c->disabled = strncasecmp (line, "disabled", 8) == 0;
  }
  else if (strncmp (line, "SELINUXTYPE=", 12) == 0) {
    line += 12;
    line += strspn (line, " \t\"'");
    len = strspn (line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-");
    if (len > 0 && len <= MAX_TYPE_LEN) {
      memcpy (c->type, line, len);
      c->type[len] = '\0';
    }
  }
}

/* 1 = the guest uses SELinux and *C is filled. */
static int
read_config (struct linux_guest *l, struct selinux_config *c,
             struct v2v_error **err)
{
  CLEANUP_FREE char *text = NULL;
  struct v2v_error *e = NULL;

  snprintf (c->type, sizeof c->type, "targeted");
  c->disabled = false;
  if (!v2v_guest_is_file (l->g, "/usr/sbin/load_policy") &&
      !v2v_guest_is_file (l->g, "/sbin/load_policy"))
    return 0;
  if (!v2v_guest_is_file (l->g, "/etc/selinux/config"))
    return 0;
  text = v2v_guest_read_text (l->g, "/etc/selinux/config", &e);
  if (e != NULL)
    return linux_tolerate (l, "/etc/selinux/config", e, err);
  for (char *line = text, *next; line != NULL; line = next) {
    next = strchr (line, '\n');
    if (next != NULL)
      *next++ = '\0';
    config_line (c, line);
  }
  return c->disabled ? 0 : 1;
}

int
linux_relabel (struct linux_guest *l, struct v2v_error **err)
{
  CLEANUP_FREE char *spec = NULL;
  struct v2v_error *e = NULL;
  struct selinux_config c;
  const char *reason = "labels cannot be set offline here";
  int r = read_config (l, &c, err);

  if (r <= 0)
    return r;
  /* Nothing was written, or nothing is kept: nothing to label. */
  if (v2v_guest_journal (l->g)->len == 0 || v2v_guest_is_dry_run (l->g))
    return 0;
  if (asprintf (&spec, "/etc/selinux/%s/contexts/files/file_contexts",
                c.type) == -1) {
    spec = NULL;
    return v2v_fail_nomem (err);
  }
  if (!v2v_guest_is_file (l->g, spec)) {
    reason = "the policy has no list of labels";
    r = 1;
  }
  else {
    r = v2v_guest_selinux_relabel (l->g, spec, &e);
  }
  if (r == 0)
    return 0;
  r = linux_finding (
      l, V2V_INFORMATION, "guest.selinux.autorelabel", NULL,
      "expect one slow start and a restart of the guest", err,
      "labels of SELinux are set by the guest when it starts: %s",
      e != NULL ? v2v_error_message (e) : reason);
  v2v_error_free (e);
  if (r == -1)
    return -1;
  return v2v_guest_write_text (l->g, "/.autorelabel", "", 0,
                               "new files need labels of SELinux", err) == -1
             ? -1
             : 0;
}
