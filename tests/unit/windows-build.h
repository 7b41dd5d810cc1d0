/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A constructed Windows guest for the steps of its first boot: a folder, and
 * the hives SYSTEM and SOFTWARE as files beside it.
 */
#ifndef WINDOWS_BUILD_H
#define WINDOWS_BUILD_H

#include "formats/machine.h"
#include "guest-tree.h"
#include "hive-build.h"
#include "inject/windows-internal.h"

#define NET_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"

struct windows_build {
  char *dir;    /* the guest's root */
  char *hives;  /* folder of the hives */
  char *system; /* file names */
  char *software;
  struct windows_guest w;
  struct v2v_machine *machine;
  char *sets[3];
};

/* Empty hives; FILL (may be NULL) puts values into SYSTEM. */
void windows_build (struct windows_build *b, const char *arch,
                    void (*fill) (struct v2v_hive *system));
/* A file that is there already in place of the constructed SYSTEM. */
void windows_build_use_system (struct windows_build *b, const char *file);
/* Open the hives; after the steps: commit, close. */
void windows_build_open (struct windows_build *b);
void windows_build_commit (struct windows_build *b);
void windows_build_free (struct windows_build *b);
/* An adapter of the machine around. */
void windows_build_nic (struct windows_build *b, const char *model,
                        const char *mac);

/* An adapter of the guest, as Windows describes it: INDEX is the class key's
 * number and part of the GUID "{00000000-0000-0000-0000-00000000000INDEX}". */
void windows_build_adapter (struct v2v_hive *h, const char *id, unsigned index,
                            uint32_t slot, const char *connection);
/* Its key below Tcpip\Parameters\Interfaces. */
void windows_build_interface (char out[200], unsigned index);
/* Static: one address. */
void windows_build_static (struct v2v_hive *h, unsigned index,
                           const char *address, const char *mask,
                           const char *gateway, const char *dns);

#endif /* WINDOWS_BUILD_H */
