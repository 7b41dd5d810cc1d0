/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by xml.c and xml-schema.c: the two that know libxml2. */
#ifndef V2V_XML_INTERNAL_H
#define V2V_XML_INTERNAL_H

#include <libxml/tree.h>

#include "formats/xml.h"

struct v2v_xml {
  xmlDocPtr doc;
};

/* Start libxml2 once per process, whichever thread comes first. */
void v2v_xml_init_library (void);

/* MESSAGE of libxml2 as one line of printable ASCII: parts of the document
 * are quoted in it. */
void v2v_xml_clean_message (const char *message, char *out, size_t size);

#endif /* V2V_XML_INTERNAL_H */
