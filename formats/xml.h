/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML, read safely: libxml2 is behind this and nothing else includes it.
 *
 * No network, no DTD (a document type declaration is refused, so there are no
 * entities to expand), bounded size, depth and number of elements.  Elements
 * and attributes are found by namespace URI and local name, never by prefix.
 *
 *   struct v2v_xml *doc = v2v_xml_parse (text, len, "vm.ovf", err);
 *   const struct v2v_xml_node *n;
 *   V2V_XML_EACH (n, v2v_xml_root (doc))
 *     if (v2v_xml_is (n, NS_OVF, "References")) ...
 *   v2v_xml_free (doc);
 *
 * Strings are UTF-8 and borrowed until v2v_xml_free, unless said otherwise.
 */
#ifndef V2V_XML_H
#define V2V_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"
#include "formats/core/io.h"

/* Descriptors of real machines are below 1 MiB; the largest we know of, with
 * a whole VirtualBox configuration inside, has 3.
 */
#define V2V_XML_MAX_BYTES ((size_t) 16 * 1024 * 1024)
#define V2V_XML_MAX_DEPTH 100
/* libxml2 takes about 300 bytes for an element with an attribute and text:
 * this many stay below 100 MB.
 */
#define V2V_XML_MAX_ELEMENTS 300000

struct v2v_xml;
struct v2v_xml_node;

/* NAME is for messages; line numbers are put in those about the document. */
struct v2v_xml *v2v_xml_parse (const void *text, size_t len, const char *name,
                               struct v2v_error **err);
void v2v_xml_free (struct v2v_xml *doc); /* accepts NULL */
#define CLEANUP_XML __attribute__ ((cleanup (v2v_xml_cleanup)))
void v2v_xml_cleanup (struct v2v_xml **doc);

const struct v2v_xml_node *v2v_xml_root (const struct v2v_xml *doc);

/* Elements only; NULL at the end (or if N is NULL). */
const struct v2v_xml_node *v2v_xml_first (const struct v2v_xml_node *n);
const struct v2v_xml_node *v2v_xml_next (const struct v2v_xml_node *n);
#define V2V_XML_EACH(child, parent)                                            \
  for ((child) = v2v_xml_first (parent); (child) != NULL;                      \
       (child) = v2v_xml_next (child))

const char *v2v_xml_name (const struct v2v_xml_node *n); /* local name */
const char *v2v_xml_ns (const struct v2v_xml_node *n);   /* "" if none */
long v2v_xml_line (const struct v2v_xml_node *n);
bool v2v_xml_is (const struct v2v_xml_node *n, const char *ns,
                 const char *name);

/* First child element of that name, or NULL. */
const struct v2v_xml_node *v2v_xml_child (const struct v2v_xml_node *n,
                                          const char *ns, const char *name);

/* Value of an attribute, or NULL.  NS "" asks for an attribute without
 * namespace.
 */
const char *v2v_xml_attr (const struct v2v_xml_node *n, const char *ns,
                          const char *name);

/* The text of the element and of all below it, leading and trailing blanks
 * removed.  A new string; the caller frees.  NULL when out of memory.
 */
char *v2v_xml_text (const struct v2v_xml_node *n);

/* Resolve "prefix:local" in the scope of N, as in xsi:type.  The namespace is
 * "" for an undeclared prefix; *RET_LOCAL points into VALUE.
 */
const char *v2v_xml_qname (const struct v2v_xml_node *n, const char *value,
                           const char **ret_local);

/* ---- writing: a new document, or one that was parsed, is changed ---- */

/* A document with one empty element ROOT in the default namespace NS. */
struct v2v_xml *v2v_xml_new (const char *ns, const char *root,
                             struct v2v_error **err);
/* N of DOC, to be changed. */
struct v2v_xml_node *v2v_xml_edit (struct v2v_xml *doc,
                                   const struct v2v_xml_node *n);
/* Append an element of PARENT's namespace; TEXT (may be NULL) is escaped.
 * What XML cannot hold (control characters, no UTF-8) is V2V_ERR_USAGE. */
struct v2v_xml_node *v2v_xml_add (struct v2v_xml_node *parent, const char *name,
                                  const char *text, struct v2v_error **err);
/* Set an attribute.  NS "" = none; else it is declared at the root as PREFIX
 * where it is not declared yet. */
int v2v_xml_set_attr (struct v2v_xml_node *n, const char *ns,
                      const char *prefix, const char *name, const char *value,
                      struct v2v_error **err);
/* The document in UTF-8, indented; *RET_LEN bytes and a NUL.  The caller
 * frees. */
char *v2v_xml_dump (const struct v2v_xml *doc, size_t *ret_len,
                    struct v2v_error **err);

/* ---- schemas ---- */

/* An XML schema (XSD 1.0) of our own, given as text: it is trusted, what it
 * judges is not. */
struct v2v_xml_schema;
struct v2v_xml_schema *v2v_xml_schema_new (const char *text, size_t len,
                                           const char *name,
                                           struct v2v_error **err);
void v2v_xml_schema_free (struct v2v_xml_schema *schema); /* accepts NULL */
/* 0, or V2V_ERR_FORMAT with the line and the element of the first violation,
 * and the number of the others in the hint.  Attributes that say where a
 * schema is (xsi:schemaLocation) are removed from DOC: nothing is loaded;
 * those that would change a type (xsi:type, xsi:nil) are refused.  Not for
 * two threads at once. */
int v2v_xml_schema_check (struct v2v_xml_schema *schema, struct v2v_xml *doc,
                          const char *name, struct v2v_error **err);

/* Does TEXT look like XML?  A '<' after an optional byte order mark and
 * blanks, in UTF-8 or UTF-16.
 */
bool v2v_xml_probe (const void *text, size_t len);

#endif /* V2V_XML_H */
