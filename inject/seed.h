/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Seeds: what a machine reads from a medium when it first starts, so that
 * nobody has to touch its disk.  A profile becomes the files of a NoCloud seed
 * (Linux with cloud-init) or an answer file (a generalised Windows).
 */
#ifndef V2V_SEED_H
#define V2V_SEED_H

#include <stddef.h>

#include "formats/findings.h"
#include "inject/customize.h"

#define V2V_SEED_MAX_FILES 3

/* Zeroed = empty.  The texts may hold secrets: v2v_seed_clear wipes them. */
struct v2v_seed {
  const char *label; /* of the medium */
  struct v2v_seed_file {
    const char *name; /* in its root */
    char *text;
    size_t len;
  } files[V2V_SEED_MAX_FILES];
  size_t nr_files;
};

/* For cloud-init: user-data, meta-data and, where the profile names cards,
 * network-config.  INSTANCE names this machine: cloud-init does its work once
 * for each.  P has its secrets read. */
int v2v_seed_cloud_init (const struct v2v_profile *p, const char *instance,
                         struct v2v_seed *ret, struct v2v_error **err);
/* For Windows 10, Server 2016 and later on ARCH ("x86_64"; NULL is that):
 * unattend.xml, which the mini-setup of a generalised image looks for on
 * removable media.  F gets what it cannot say. */
int v2v_seed_unattend (const struct v2v_profile *p, const char *arch,
                       struct v2v_findings *f, struct v2v_seed *ret,
                       struct v2v_error **err);
void v2v_seed_clear (struct v2v_seed *s);

#endif /* V2V_SEED_H */
