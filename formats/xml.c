/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML over libxml2's tree parser.
 *
 * The document type declaration is refused in its SAX callback, before
 * libxml2 reads the internal subset: entity definitions are never seen.  The
 * element counter and the depth limit work in the same way, so a hostile
 * document is dropped while it is read.
 */

#include <config.h>

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/xml-internal.h"

/* What the callbacks leave for v2v_xml_parse; found by ctxt->_private. */
struct state {
  const char *refused; /* our own reason to stop, or NULL */
  long line;
  unsigned elements;
  unsigned depth;
  bool structured; /* message holds libxml2's first error */
  char message[200];
};

static void
refuse (void *vctxt, const char *why)
{
  const xmlParserCtxtPtr ctxt = vctxt;
  struct state *st = ctxt->_private;

  if (st->refused == NULL) {
    st->refused = why;
    st->line = ctxt->input != NULL ? ctxt->input->line : 0;
  }
  xmlStopParser (ctxt);
}

static void
on_doctype (void *vctxt, const xmlChar *name, const xmlChar *external,
            const xmlChar *system)
{
  (void) name;
  (void) external;
  (void) system;
  refuse (vctxt, "a document type declaration (DTD), which is not allowed");
}

static void
on_start (void *vctxt, const xmlChar *name, const xmlChar *prefix,
          const xmlChar *uri, int nr_ns, const xmlChar **ns, int nr_attrs,
          int nr_defaulted, const xmlChar **attrs)
{
  const xmlParserCtxtPtr ctxt = vctxt;
  struct state *st = ctxt->_private;

  st->elements += 1 + (unsigned) nr_attrs + (unsigned) nr_ns;
  if (st->elements > V2V_XML_MAX_ELEMENTS) {
    refuse (vctxt, "more elements and attributes than allowed");
    return;
  }
  if (++st->depth > V2V_XML_MAX_DEPTH) {
    refuse (vctxt, "elements nested deeper than allowed");
    return;
  }
  xmlSAX2StartElementNs (vctxt, name, prefix, uri, nr_ns, ns, nr_attrs,
                         nr_defaulted, attrs);
}

static void
on_end (void *vctxt, const xmlChar *name, const xmlChar *prefix,
        const xmlChar *uri)
{
  const xmlParserCtxtPtr ctxt = vctxt;
  struct state *st = ctxt->_private;

  st->depth--;
  xmlSAX2EndElementNs (vctxt, name, prefix, uri);
}

void
v2v_xml_clean_message (const char *message, char *out, size_t size)
{
  size_t n = strcspn (message, "\r\n");

  if (n >= size)
    n = size - 1;
  for (size_t i = 0; i < n; ++i) {
    const unsigned char c = (unsigned char) message[i];

    out[i] = c >= 32 && c < 127 ? (char) c : '?';
  }
  out[n] = '\0';
}

/* Keep the first error; libxml2's own default would print it. */
static void
#if LIBXML_VERSION >= 21200
on_error (void *vctxt, const xmlError *e)
#else
on_error (void *vctxt, xmlErrorPtr e)
#endif
{
  const xmlParserCtxtPtr ctxt = vctxt;
  struct state *st = ctxt->_private;

  if (st->structured || e->level < XML_ERR_ERROR || e->message == NULL)
    return;
  st->structured = true;
  st->line = e->line;
  v2v_xml_clean_message (e->message, st->message, sizeof st->message);
}

void
v2v_xml_init_library (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, xmlInitParser);
}

static int
explain (const struct state *st, const char *name, struct v2v_error **err)
{
  if (st->refused != NULL)
    return v2v_fail (err, V2V_ERR_FORMAT, "%s: line %ld: %s", name, st->line,
                     st->refused);
  if (st->structured)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: line %ld: not well-formed XML: "
                     "%s",
                     name, st->line, st->message);
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: not well-formed XML", name);
}

struct v2v_xml *
v2v_xml_parse (const void *text, size_t len, const char *name,
               struct v2v_error **err)
{
  struct state st = { .refused = NULL };
  struct v2v_xml *x;
  xmlParserCtxtPtr ctxt;
  xmlDocPtr doc;

  if (len == 0 || len > V2V_XML_MAX_BYTES) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: XML of %zu bytes, expected 1..%zu",
              name, len, V2V_XML_MAX_BYTES);
    return NULL;
  }
  v2v_xml_init_library ();
  ctxt = xmlNewParserCtxt ();
  x = calloc (1, sizeof *x);
  if (ctxt == NULL || x == NULL) {
    free (x);
    xmlFreeParserCtxt (ctxt);
    v2v_fail_nomem (err);
    return NULL;
  }
  ctxt->_private = &st;
  ctxt->sax->internalSubset = on_doctype;
  ctxt->sax->startElementNs = on_start;
  ctxt->sax->endElementNs = on_end;
  ctxt->sax->serror = on_error;
  doc = xmlCtxtReadMemory (ctxt, text, (int) len, NULL, NULL,
                           XML_PARSE_NONET | XML_PARSE_NOCDATA |
                               XML_PARSE_NOENT | XML_PARSE_BIG_LINES);
  if (doc == NULL || st.refused != NULL || !ctxt->wellFormed ||
      xmlDocGetRootElement (doc) == NULL) {
    xmlFreeDoc (doc);
    xmlFreeParserCtxt (ctxt);
    free (x);
    explain (&st, name, err);
    return NULL;
  }
  xmlFreeParserCtxt (ctxt);
  x->doc = doc;
  return x;
}

void
v2v_xml_free (struct v2v_xml *x)
{
  if (x == NULL)
    return;
  xmlFreeDoc (x->doc);
  free (x);
}

void
v2v_xml_cleanup (struct v2v_xml **doc)
{
  v2v_xml_free (*doc);
}

/* struct v2v_xml_node is an xmlNode that the callers cannot look into. */
static const xmlNode *
inner (const struct v2v_xml_node *n)
{
  return (const xmlNode *) (const void *) n;
}

static const struct v2v_xml_node *
element_at_or_after (const xmlNode *n)
{
  while (n != NULL && n->type != XML_ELEMENT_NODE)
    n = n->next;
  return (const struct v2v_xml_node *) (const void *) n;
}

const struct v2v_xml_node *
v2v_xml_root (const struct v2v_xml *x)
{
  return element_at_or_after (xmlDocGetRootElement (x->doc));
}

const struct v2v_xml_node *
v2v_xml_first (const struct v2v_xml_node *n)
{
  return n == NULL ? NULL : element_at_or_after (inner (n)->children);
}

const struct v2v_xml_node *
v2v_xml_next (const struct v2v_xml_node *n)
{
  return n == NULL ? NULL : element_at_or_after (inner (n)->next);
}

const char *
v2v_xml_name (const struct v2v_xml_node *n)
{
  return (const char *) inner (n)->name;
}

const char *
v2v_xml_ns (const struct v2v_xml_node *n)
{
  const xmlNs *ns = inner (n)->ns;

  return ns != NULL && ns->href != NULL ? (const char *) ns->href : "";
}

long
v2v_xml_line (const struct v2v_xml_node *n)
{
  return xmlGetLineNo (inner (n));
}

bool
v2v_xml_is (const struct v2v_xml_node *n, const char *ns, const char *name)
{
  return strcmp (v2v_xml_name (n), name) == 0 &&
         strcmp (v2v_xml_ns (n), ns) == 0;
}

const struct v2v_xml_node *
v2v_xml_child (const struct v2v_xml_node *n, const char *ns, const char *name)
{
  const struct v2v_xml_node *c;

  V2V_XML_EACH (c, n)
  if (v2v_xml_is (c, ns, name))
    return c;
  return NULL;
}

const char *
v2v_xml_attr (const struct v2v_xml_node *n, const char *ns, const char *name)
{
  for (const xmlAttr *a = inner (n)->properties; a != NULL; a = a->next) {
    const char *uri =
        a->ns != NULL && a->ns->href != NULL ? (const char *) a->ns->href : "";

    if (strcmp ((const char *) a->name, name) != 0 || strcmp (uri, ns) != 0)
      continue;
    /* Without entities the value is one text node, or none if empty. */
    return a->children != NULL && a->children->content != NULL
               ? (const char *) a->children->content
               : "";
  }
  return NULL;
}

char *
v2v_xml_text (const struct v2v_xml_node *n)
{
  xmlChar *all = xmlNodeGetContent (inner (n));
  const char *s = (const char *) all;
  size_t len;
  char *copy;

  if (s == NULL)
    return NULL;
  s += strspn (s, " \t\r\n");
  len = strlen (s);
  while (len > 0 && strchr (" \t\r\n", s[len - 1]) != NULL)
    len--;
  copy = strndup (s, len);
  xmlFree (all);
  return copy;
}

const char *
v2v_xml_qname (const struct v2v_xml_node *n, const char *value,
               const char **ret_local)
{
  const char *colon = strchr (value, ':');
  CLEANUP_FREE char *prefix = NULL;
  const xmlNode *node = inner (n);
  const xmlNs *ns;

  *ret_local = colon == NULL ? value : colon + 1;
  if (colon != NULL) {
    prefix = strndup (value, (size_t) (colon - value));
    if (prefix == NULL)
      return "";
  }
  /* libxml2's prototype lacks the const; it only looks. */
  ns = xmlSearchNs (node->doc, (xmlNodePtr) (uintptr_t) node,
                    (const xmlChar *) prefix);
  return ns != NULL && ns->href != NULL ? (const char *) ns->href : "";
}

/* ---- writing ---- */

/* Char of XML 1.0, section 2.2. */
static bool
is_xml_text (const char *s)
{
  if (!v2v_is_valid_utf8 (s, strlen (s)))
    return false;
  for (const unsigned char *p = (const unsigned char *) s; *p != '\0'; ++p) {
    if (*p < 32 && *p != '\t' && *p != '\n' && *p != '\r')
      return false;
    if (p[0] == 0xef && p[1] == 0xbf && (p[2] == 0xbe || p[2] == 0xbf))
      return false;
  }
  return true;
}

struct v2v_xml *
v2v_xml_new (const char *ns, const char *root, struct v2v_error **err)
{
  struct v2v_xml *x = calloc (1, sizeof *x);
  xmlNodePtr node;
  xmlNsPtr n;

  v2v_xml_init_library ();
  if (x == NULL || (x->doc = xmlNewDoc (BAD_CAST "1.0")) == NULL) {
    free (x);
    v2v_fail_nomem (err);
    return NULL;
  }
  node = xmlNewDocNode (x->doc, NULL, (const xmlChar *) root, NULL);
  if (node != NULL)
    xmlDocSetRootElement (x->doc, node);
  n = node != NULL ? xmlNewNs (node, (const xmlChar *) ns, NULL) : NULL;
  if (n == NULL) {
    v2v_xml_free (x);
    v2v_fail_nomem (err);
    return NULL;
  }
  xmlSetNs (node, n);
  return x;
}

static xmlNodePtr
inner_edit (struct v2v_xml_node *n)
{
  return (xmlNodePtr) (void *) n;
}

struct v2v_xml_node *
v2v_xml_edit (struct v2v_xml *doc, const struct v2v_xml_node *n)
{
  (void) doc;
  return (struct v2v_xml_node *) (uintptr_t) n;
}

struct v2v_xml_node *
v2v_xml_add (struct v2v_xml_node *parent, const char *name, const char *text,
             struct v2v_error **err)
{
  xmlNodePtr p = inner_edit (parent), n;

  if (text != NULL && !is_xml_text (text)) {
    v2v_fail (err, V2V_ERR_USAGE,
              "the value of %s has characters that XML cannot hold", name);
    return NULL;
  }
  /* NewTextChild escapes '&', which NewChild takes for an entity. */
  n = xmlNewTextChild (p, p->ns, (const xmlChar *) name,
                       (const xmlChar *) text);
  if (n == NULL)
    v2v_fail_nomem (err);
  return (struct v2v_xml_node *) (void *) n;
}

int
v2v_xml_set_attr (struct v2v_xml_node *node, const char *uri,
                  const char *prefix, const char *name, const char *value,
                  struct v2v_error **err)
{
  xmlNodePtr n = inner_edit (node);
  xmlNsPtr ns = NULL;

  if (!is_xml_text (value))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "the value of %s has characters that XML cannot hold",
                     name);
  if (uri[0] != '\0') {
    ns = xmlSearchNsByHref (n->doc, n, (const xmlChar *) uri);
    if (ns == NULL || ns->prefix == NULL)
      ns = xmlNewNs (xmlDocGetRootElement (n->doc), (const xmlChar *) uri,
                     (const xmlChar *) prefix);
    /* The prefix means something else there: declare it here. */
    if (ns == NULL)
      ns = xmlNewNs (n, (const xmlChar *) uri, (const xmlChar *) prefix);
    if (ns == NULL)
      return v2v_fail_nomem (err);
  }
  return xmlSetNsProp (n, ns, (const xmlChar *) name,
                       (const xmlChar *) value) == NULL
             ? v2v_fail_nomem (err)
             : 0;
}

char *
v2v_xml_dump (const struct v2v_xml *x, size_t *ret_len, struct v2v_error **err)
{
  xmlChar *text = NULL;
  int len = 0;
  char *copy = NULL;

  xmlDocDumpFormatMemoryEnc (x->doc, &text, &len, "utf-8", 1);
  if (text != NULL && len > 0)
    copy = strndup ((const char *) text, (size_t) len);
  if (text != NULL) {
    /* Answer files have passwords inside. */
    if (len > 0)
      explicit_bzero (text, (size_t) len);
    xmlFree (text);
  }
  if (copy == NULL)
    v2v_fail_nomem (err);
  else
    *ret_len = (size_t) len;
  return copy;
}

bool
v2v_xml_probe (const void *text, size_t len)
{
  const unsigned char *p = text;
  size_t i = 0, step = 1;

  if (len >= 3 && memcmp (p, "\xef\xbb\xbf", 3) == 0)
    i = 3;
  else if (len >= 2 && p[0] == 0xff && p[1] == 0xfe)
    i = 2, step = 2;
  else if (len >= 2 && p[0] == 0xfe && p[1] == 0xff)
    i = 3, step = 2; /* the low byte of each big-endian unit */
  while (i < len && p[i] != '\0' && strchr (" \t\r\n", p[i]) != NULL)
    i += step;
  return i < len && p[i] == '<';
}
