/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between report.c and report-page.c. */
#ifndef V2V_LIBRARY_REPORT_INTERNAL_H
#define V2V_LIBRARY_REPORT_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/core/text.h"

struct page {
  struct v2v_str out;
  bool failed; /* out of memory */
};
/* Head and style, up to the body's begin; and the end. */
void page_begin (struct page *p);
void page_end (struct page *p);
/* As it is: markup and words of ours. */
void page_text (struct page *p, const char *text);
/* The same with numbers in it, of at most 511 bytes. */
void page_format (struct page *p, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
/* What others have written. */
void page_escape (struct page *p, const char *text);
/* A name in a sentence. */
void page_name (struct page *p, const char *text);
void page_size (struct page *p, uint64_t bytes);

#endif /* V2V_LIBRARY_REPORT_INTERNAL_H */
