/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XML documents of a library: profiles and templates.
 *
 *   hardware-profile    how a machine of Hyper-V is made
 *   guest-os-profile    what its system becomes: as in inject/customize.h
 *   capability-profile  limits that a host or a site sets to hardware
 *   vm-template         profiles, disks, and what a deployer may set
 *   service-template    tiers of machines, their scripts, a load balancer
 *
 * Each is one file, which library/v2v-library.xsd describes; one struct here;
 * and one canonical text, of which the digest is taken.  v2v-documents(5) is
 * the manual.  Every field is said or not said: numbers are -1, strings and
 * lists NULL, choices 0 and flags V2V_UNKNOWN while they are not.
 */
#ifndef V2V_DOCUMENT_H
#define V2V_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/digest.h"
#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/findings.h"
#include "formats/machine.h"
#include "library/profiles.h"
#include "library/templates.h"

#define V2V_DOCUMENT_NS "urn:v2v:library:1"
/* The largest we can think of, a profile of a thousand accounts with keys, has
 * a third of that. */
#define V2V_DOCUMENT_MAX_BYTES ((size_t) 1024 * 1024)

enum v2v_document_kind {
  V2V_DOCUMENT_HARDWARE,
  V2V_DOCUMENT_GUEST_OS,
  V2V_DOCUMENT_CAPABILITY,
  V2V_DOCUMENT_VM_TEMPLATE,
  V2V_DOCUMENT_SERVICE,
  V2V_NR_DOCUMENT_KINDS
};

/* What every document says of itself. */
struct v2v_document_head {
  char *id; /* GUID, lower case */
  char *name;
  int64_t version;
  char *name_space;
  char *owner;
  char *family;  /* equal objects have the same family ... */
  char *release; /* ... and a release each */
  char *os;
  char *description;
  v2v_strings tags;
};

struct v2v_document {
  enum v2v_document_kind kind;
  struct v2v_document_head head;
  union {
    struct v2v_hardware_profile hardware;
    struct v2v_guest_os_profile guest_os;
    struct v2v_capability_profile capability;
    struct v2v_vm_template vm_template;
    struct v2v_service_template service;
  };
};

/* "hardware-profile" ...: the name of the root element. */
const char *v2v_document_kind_name (enum v2v_document_kind kind);
/* That name, or a short one: "hardware", "guest-os", "capability", "vm",
 * "service". */
bool v2v_document_kind_parse (const char *s, enum v2v_document_kind *ret);

/* The schema, as it is installed in $(pkgdatadir). */
const char *v2v_document_schema (size_t *ret_len);

/* An empty one. */
struct v2v_document *v2v_document_new (enum v2v_document_kind kind,
                                       struct v2v_error **err);
void v2v_document_free (struct v2v_document *d); /* accepts NULL */
#define CLEANUP_DOCUMENT __attribute__ ((cleanup (v2v_document_cleanup)))
void v2v_document_cleanup (struct v2v_document **d);

/* Read one: well-formed XML without DTD, in line with the schema, and with
 * everything fitting together (v2v_document_check).  NAME is for messages.
 * Faults of the document are V2V_ERR_FORMAT, with its line where there is
 * one. */
struct v2v_document *v2v_document_parse (const void *text, size_t len,
                                         const char *name,
                                         struct v2v_error **err);
struct v2v_document *v2v_document_load (const char *path,
                                        struct v2v_error **err);
/* Does TEXT begin like a document of ours?  (for importing files) */
bool v2v_document_probe (const void *text, size_t len,
                         enum v2v_document_kind *ret_kind);

/* What the schema cannot say: which fields need each other, limits that hang
 * on the generation, names that are there twice. */
int v2v_document_check (const struct v2v_document *d, const char *name,
                        struct v2v_error **err);

/* The canonical text: the same for equal documents, whatever order and layout
 * they were read in.  *RET_LEN bytes and a NUL; the caller frees. */
char *v2v_document_print (const struct v2v_document *d, size_t *ret_len,
                          struct v2v_error **err);
/* SHA-256 of it. */
int v2v_document_digest (const struct v2v_document *d,
                         uint8_t out[V2V_SHA256_SIZE], struct v2v_error **err);
/* Write it to PATH, which appears when it is complete and safe on the disk.
 * What is there already is replaced only with REPLACE. */
int v2v_document_save (const struct v2v_document *d, const char *path,
                       bool replace, struct v2v_error **err);

/* The same as JSON: member "kind", those of the head, then the fields with
 * '_' for '-'.  NULL when out of memory. */
struct v2v_json *v2v_document_to_json (const struct v2v_document *d);
/* The reverse; KIND is wanted where the JSON does not say it (a guest profile
 * of `v2v customize`), otherwise must agree; V2V_NR_DOCUMENT_KINDS = any.  The
 * result is not checked. */
struct v2v_document *v2v_document_from_json (const struct v2v_json *j,
                                             enum v2v_document_kind kind,
                                             const char *name,
                                             struct v2v_error **err);

/* Set one field: "processor.count", "network-adapters[0].vlan", with an
 * element of a list by its number or by its name; an empty VALUE takes it
 * away. */
int v2v_document_set (struct v2v_document *d, const char *path,
                      const char *value, struct v2v_error **err);

/* Differences field by field. */
struct v2v_document_change {
  char *path;
  char *old_value; /* NULL: not said in the first */
  char *new_value; /* NULL: not said in the second */
};
struct v2v_document_changes {
  struct v2v_document_change *ptr;
  size_t len;
  size_t cap;
};
/* Of two documents of one kind (else V2V_ERR_USAGE). */
int v2v_document_diff (const struct v2v_document *a,
                       const struct v2v_document *b,
                       struct v2v_document_changes *ret,
                       struct v2v_error **err);
void v2v_document_changes_clear (struct v2v_document_changes *c);

/* A new id, and version 1 if there is none. */
int v2v_document_identify (struct v2v_document *d, struct v2v_error **err);

#endif /* V2V_DOCUMENT_H */
