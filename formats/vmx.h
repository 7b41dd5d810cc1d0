/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a .vmx file: text in, a machine out; and the snapshots of its
 * .vmsd.  Files are not touched here.
 */
#ifndef V2V_VMX_H
#define V2V_VMX_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"
#include "formats/machine.h"

/* Real ones have some 200 lines; the largest setting is a guestinfo of 64
 * KiB.
 */
#define V2V_VMX_MAX_BYTES   ((size_t) 4 * 1024 * 1024)
#define V2V_VMX_MAX_ENTRIES 20000

/* key = "value", by key without case. */
struct v2v_vmx_entry {
  char *key;   /* lower case */
  char *value; /* UTF-8, escapes undone */
  unsigned line;
  bool used;
};

struct v2v_vmx {
  struct v2v_vmx_entry *entries; /* sorted by key, each once */
  size_t nr_entries;
  struct v2v_findings findings; /* duplicates, odd lines, guessed encoding */
};

/* The grammar shared by .vmx, .vmsd and .vmxf-like files. */
struct v2v_vmx *v2v_vmx_parse (const void *text, size_t len, const char *name,
                               struct v2v_error **err);
void v2v_vmx_free (struct v2v_vmx *vmx);
/* NULL if absent; marks the entry as used.  The key is given by a format. */
const char *v2v_vmx_get (struct v2v_vmx *vmx, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
/* TRUE, true, 1, yes; DFLT when absent. */
bool v2v_vmx_get_bool (struct v2v_vmx *vmx, bool dflt, const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));

/* A machine from VMX.  VMSD is NULL when there is none; SNAPSHOT chooses one
 * of it by display name, NULL means the current state.
 */
struct v2v_machine *v2v_vmx_machine (struct v2v_vmx *vmx, struct v2v_vmx *vmsd,
                                     const char *name, const char *snapshot,
                                     struct v2v_error **err);

/* Does TEXT look like a .vmx file? */
bool v2v_vmx_probe (const void *text, size_t len);

/* ---- between vmx.c, vmx-hardware.c, vmx-devices.c and vmsd.c ---- */

int vmx_read_hardware (struct v2v_vmx *vmx, struct v2v_machine *m,
                       struct v2v_error **err);
int vmx_read_storage (struct v2v_vmx *vmx, struct v2v_machine *m,
                      struct v2v_error **err);
int vmx_read_devices (struct v2v_vmx *vmx, struct v2v_machine *m,
                      struct v2v_error **err);
int vmx_apply_snapshots (struct v2v_vmx *vmsd, struct v2v_machine *m,
                         const char *snapshot, struct v2v_error **err);
/* The last part of a path in either style of slashes. */
const char *vmx_basename (const char *path);

#endif /* V2V_VMX_H */
