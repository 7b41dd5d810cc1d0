/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of the documents. */
#ifndef V2V_DOCUMENT_INTERNAL_H
#define V2V_DOCUMENT_INTERNAL_H

#include "library/document.h"
#include "library/record.h"

/* Rows of a table: of struct S, member M, called N. */
#define F_TEXT(s, m, n, ...)                                                   \
  {                                                                            \
    .name = n, .kind = FIELD_TEXT, .offset = offsetof (struct s, m),           \
    ##__VA_ARGS__                                                              \
  }
#define F_LINES(s, m, n)                                                       \
  {                                                                            \
    .name = n, .kind = FIELD_LINES, .offset = offsetof (struct s, m)           \
  }
#define F_NUMBER(s, m, n, lo, hi)                                              \
  {                                                                            \
    .name = n, .kind = FIELD_NUMBER, .offset = offsetof (struct s, m),         \
    .min = lo, .max = hi                                                       \
  }
#define F_FLAG(s, m, n)                                                        \
  {                                                                            \
    .name = n, .kind = FIELD_FLAG, .offset = offsetof (struct s, m)            \
  }
#define F_CHOICE(s, m, n, list)                                                \
  {                                                                            \
    .name = n, .kind = FIELD_CHOICE, .offset = offsetof (struct s, m),         \
    .names = list                                                              \
  }
#define F_SECRET(s, m, n)                                                      \
  {                                                                            \
    .name = n, .kind = FIELD_SECRET, .offset = offsetof (struct s, m)          \
  }
#define F_GROUP(s, m, n, r, ...)                                               \
  {                                                                            \
    .name = n, .kind = FIELD_GROUP, .offset = offsetof (struct s, m),          \
    .sub = r, ##__VA_ARGS__                                                    \
  }
#define F_LIST(s, m, n, element, r)                                            \
  {                                                                            \
    .name = n, .kind = FIELD_LIST, .offset = offsetof (struct s, m),           \
    .second = offsetof (struct s, nr_##m), .item = element, .sub = r           \
  }
#define F_WORDS(s, m, n, element, ...)                                         \
  {                                                                            \
    .name = n, .kind = FIELD_WORDS, .offset = offsetof (struct s, m),          \
    .item = element, ##__VA_ARGS__                                             \
  }
#define F_END                                                                  \
  {                                                                            \
    .name = NULL                                                               \
  }

/* Rows that begin the table of every kind. */
#define DOCUMENT_HEAD                                                          \
  F_TEXT (v2v_document, head.name, "name", .max = 255),                        \
      F_NUMBER (v2v_document, head.version, "version", 1, INT32_MAX),          \
      F_TEXT (v2v_document, head.id, "id", .rule = document_rule_guid),        \
      F_TEXT (v2v_document, head.name_space, "namespace", .max = 255),         \
      F_TEXT (v2v_document, head.family, "family", .max = 255),                \
      F_TEXT (v2v_document, head.release, "release", .max = 255),              \
      F_TEXT (v2v_document, head.os, "os", .max = 255),                        \
      F_TEXT (v2v_document, head.owner, "owner", .max = 255),                  \
      F_LINES (v2v_document, head.description, "description"),                 \
      F_WORDS (v2v_document, head.tags, "tags", "tag", .max = 255)
#define DOCUMENT_HEAD_ROWS 10

/* All fields of a document of that kind, those of the head first. */
const struct record *document_record (enum v2v_document_kind kind);
extern const struct record document_hardware;
extern const struct record document_guest_os;
extern const struct record document_capability;
extern const struct record document_vm_template;
extern const struct record document_service;

/* What only fields together can break; NAME is for messages. */
int document_check_hardware (const struct v2v_hardware_profile *h,
                             const char *name, struct v2v_error **err);
int document_check_guest_os (const struct v2v_document *d, const char *name,
                             struct v2v_error **err);
int document_check_capability (const struct v2v_capability_profile *c,
                               const char *name, struct v2v_error **err);
int document_check_vm_template (const struct v2v_vm_template *t,
                                const char *name, struct v2v_error **err);
int document_check_service (const struct v2v_document *d, const char *name,
                            struct v2v_error **err);

/* No setting twice, defaults of the right type. */
int document_check_settings (const struct v2v_setting *settings, size_t nr,
                             const char *name, struct v2v_error **err);

/* The field of a hardware profile that leads to a setting of a plan (as in
 * NAME.json); *RET_PATH stays as it is if there is none.  -1 when out of
 * memory. */
int hardware_path_of_setting (const char *what, const char *parameter,
                              const char *value, uint64_t adapter,
                              char **ret_path, char **ret_text);

/* Rules of single texts. */
field_rule document_rule_guid;
field_rule document_rule_digest;
field_rule document_rule_mac;
field_rule document_rule_pattern; /* of computer names */
field_rule document_rule_setting;

/* Tables of choices that two files need. */
extern const char *const document_buses[];
/* The fields of a struct v2v_reference. */
extern const struct record document_reference;
extern const struct record document_setting;

#endif /* V2V_DOCUMENT_INTERNAL_H */
