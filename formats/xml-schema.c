/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML schemas (XSD 1.0) by libxml2's validator.
 *
 * A document can ask the validator to load further schemas: the attribute
 * schemaLocation of the namespace XMLSchema-instance names files and addresses
 * ("XML Schema Part 1", 2.6.3 and 4.3.2: a hint that a processor may ignore).
 * libxml2 follows it only when it was given no schema, and it always has ours;
 * that nothing hangs on this these attributes are taken out of the tree first.
 */

#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

#include "formats/core/text.h"
#include "formats/xml-internal.h"

#define NS_XSI "http://www.w3.org/2001/XMLSchema-instance"

struct v2v_xml_schema {
  xmlSchemaPtr schema;
};

/* The first violation, and how many there are. */
struct violations {
  unsigned nr;
  long line;
  char message[400];
};

/* The names in libxml2's sentences have their namespace in front, in braces:
 * all of a document is in one, so that says nothing. */
static void
drop_namespaces (char *s)
{
  char *to = s;

  while (*s != '\0') {
    if (*s == '{') {
      const char *end = strchr (s, '}');

      if (end != NULL) {
        s += end - s + 1;
        continue;
      }
    }
    *to++ = *s++;
  }
  *to = '\0';
}

static void
#if LIBXML_VERSION >= 21200
on_violation (void *arg, const xmlError *e)
#else
on_violation (void *arg, xmlErrorPtr e)
#endif
{
  struct violations *v = arg;
  size_t n;

  if (e->level < XML_ERR_ERROR || e->message == NULL || v->nr++ > 0)
    return;
  v->line = e->node != NULL ? xmlGetLineNo (e->node) : e->line;
  v2v_xml_clean_message (e->message, v->message, sizeof v->message);
  drop_namespaces (v->message);
  n = strlen (v->message);
  while (n > 0 && strchr (". ", v->message[n - 1]) != NULL)
    v->message[--n] = '\0';
  if (v->message[0] == 'E' && v->message[1] == 'l')
    v->message[0] = 'e';
}

void
v2v_xml_schema_free (struct v2v_xml_schema *s)
{
  if (s == NULL)
    return;
  xmlSchemaFree (s->schema);
  free (s);
}

struct v2v_xml_schema *
v2v_xml_schema_new (const char *text, size_t len, const char *name,
                    struct v2v_error **err)
{
  struct v2v_xml_schema *s = calloc (1, sizeof *s);
  xmlSchemaParserCtxtPtr ctxt = NULL;
  struct violations v = { .nr = 0 };

  v2v_xml_init_library ();
  if (s == NULL || len > V2V_XML_MAX_BYTES ||
      (ctxt = xmlSchemaNewMemParserCtxt (text, (int) len)) == NULL) {
    free (s);
    v2v_fail_nomem (err);
    return NULL;
  }
  xmlSchemaSetParserStructuredErrors (ctxt, on_violation, &v);
  s->schema = xmlSchemaParse (ctxt);
  xmlSchemaFreeParserCtxt (ctxt);
  if (s->schema == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: line %ld: not a schema: %s", name,
              v.line, v.nr > 0 ? v.message : "no reason given");
    v2v_xml_schema_free (s);
    return NULL;
  }
  return s;
}

/* 0, or the line of an attribute that may not be there. */
static long
clean_instance_attributes (xmlNodePtr n)
{
  xmlAttrPtr next;

  for (xmlAttrPtr a = n->properties; a != NULL; a = next) {
    const char *name = (const char *) a->name;

    next = a->next;
    if (a->ns == NULL || a->ns->href == NULL ||
        strcmp ((const char *) a->ns->href, NS_XSI) != 0)
      continue;
    if (strcmp (name, "schemaLocation") != 0 &&
        strcmp (name, "noNamespaceSchemaLocation") != 0)
      return xmlGetLineNo (n) > 0 ? xmlGetLineNo (n) : 1;
    xmlRemoveProp (a);
  }
  return 0;
}

/* The next node of a walk over the elements below ROOT, or NULL. */
static xmlNodePtr
next_element (xmlNodePtr n, const xmlNode *root)
{
  if (n->children != NULL && n->type == XML_ELEMENT_NODE)
    return n->children;
  while (n != root && n->next == NULL)
    n = n->parent;
  return n == root ? NULL : n->next;
}

int
v2v_xml_schema_check (struct v2v_xml_schema *s, struct v2v_xml *doc,
                      const char *name, struct v2v_error **err)
{
  xmlNodePtr root = xmlDocGetRootElement (doc->doc);
  struct violations v = { .nr = 0 };
  xmlSchemaValidCtxtPtr ctxt;
  int r;

  for (xmlNodePtr n = root; n != NULL; n = next_element (n, root)) {
    const long line =
        n->type == XML_ELEMENT_NODE ? clean_instance_attributes (n) : 0;

    if (line != 0)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "%s: line %ld: element '%s': xsi:type and xsi:nil are "
                       "not allowed",
                       name, line, (const char *) n->name);
  }
  ctxt = xmlSchemaNewValidCtxt (s->schema);
  if (ctxt == NULL)
    return v2v_fail_nomem (err);
  xmlSchemaSetValidStructuredErrors (ctxt, on_violation, &v);
  r = xmlSchemaValidateDoc (ctxt, doc->doc);
  xmlSchemaFreeValidCtxt (ctxt);
  if (r == 0)
    return 0;
  if (v.nr == 0)
    return v2v_fail_nomem (err);
  v2v_fail (err, V2V_ERR_FORMAT, "%s: line %ld: %s", name, v.line, v.message);
  if (v.nr > 1)
    v2v_hint (err, "and %u more", v.nr - 1);
  return -1;
}
