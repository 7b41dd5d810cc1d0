/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report of one conversion: report.json and report.txt.  The pipeline
 * fills the struct; nothing here does I/O.  All strings are borrowed: they
 * must live until the report has been made.  NULL and 0 mean "not known" and
 * are left out.
 */
#ifndef V2V_REPORT_H
#define V2V_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/findings.h"
#include "formats/hyperv.h"
#include "formats/machine.h"

#define V2V_REPORT_SCHEMA  "v2v-report"
#define V2V_REPORT_VERSION 1

enum v2v_report_outcome {
  V2V_OUTCOME_CONVERTED,
  V2V_OUTCOME_REFUSED, /* an estate's row: see error */
  V2V_OUTCOME_FAILED,
  V2V_OUTCOME_PLANNED, /* a dry run: nothing was written */
  V2V_OUTCOME_CREATED, /* a new machine: there was no source */
};

struct v2v_report_disk {
  const char *id; /* "scsi0:0" */
  const char *source_file;
  const char *source_format;  /* "vmdk" */
  const char *source_variant; /* "streamOptimized" */
  unsigned chain_length;      /* files of the chain, 1 = no parents */
  bool spooled;               /* the source went through a temporary file */
  const char *target_file;
  const char *target_format;  /* "vhdx" */
  const char *target_variant; /* "dynamic" */
  uint64_t virtual_bytes;
  uint64_t source_bytes;    /* the stored size of the source file(s) */
  uint64_t data_bytes;      /* of DATA extents */
  uint64_t zero_bytes;      /* of these, zero and not written */
  uint64_t written_bytes;   /* through memory */
  uint64_t shared_bytes;    /* by reflink */
  uint64_t offloaded_bytes; /* copy_file_range */
  uint64_t resumed_bytes;
  uint64_t allocated_bytes; /* blocks the new file occupies */
  uint64_t file_bytes;      /* length of the new file */
  double seconds;
  const char *digest;   /* hex of the disk digest "sha256-2m", or NULL */
  bool digest_deferred; /* asked for, but the data was never read */
  bool sparse;          /* the new file has holes */
  const struct v2v_hyperv_parent *parents; /* files of a kept chain */
  size_t nr_parents;
};

struct v2v_report_file {
  const char *name; /* inside the folder */
  uint64_t bytes;
  const char *sha256; /* hex or NULL */
};

struct v2v_report_step {
  const char *name;
  double seconds;
};

struct v2v_report {
  enum v2v_report_outcome outcome;
  const struct v2v_error *error; /* when not converted */
  const char *program_version;
  const char *started; /* ISO 8601, UTC */
  double seconds;
  const struct v2v_machine *machine;  /* or NULL if it was never read */
  const struct v2v_hyperv_plan *plan; /* or NULL */
  const char *source_path;
  const char *source_kind; /* "ova" */
  const char *manifest; /* "matched", "absent", "partial", "differs", "off" */
  const char *signer;   /* or NULL: unsigned */
  bool signature_verified;
  bool signer_trusted;
  const char *target_folder;
  const struct v2v_report_disk *disks;
  size_t nr_disks;
  const struct v2v_report_file *files;
  size_t nr_files;
  /* Findings of the pipeline itself; those of the machine and of the plan are
   * taken from there.  May be NULL. */
  const struct v2v_findings *findings;
  /* What the guest stage found and did; NULL = there was none.  The two trees
   * are borrowed. */
  const struct v2v_findings *guest_findings;
  struct v2v_json *guest_os;      /* or NULL: nothing was looked into */
  struct v2v_json *guest_changes; /* an array, or NULL */
  double guest_seconds;
  /* Where they went, by name; borrowed. */
  const struct v2v_report_step *guest_steps;
  size_t nr_guest_steps;
};

/* The contents of report.json; the caller frees.  NULL when out of memory. */
struct v2v_json *v2v_report_to_json (const struct v2v_report *r);
/* The contents of report.txt: plain lines for people, without control
 * characters from the source.  The caller frees. */
char *v2v_report_to_text (const struct v2v_report *r, struct v2v_error **err);

/* Counts over the findings of machine, guest, plan and pipeline. */
void v2v_report_count (const struct v2v_report *r, size_t *ret_information,
                       size_t *ret_warnings, size_t *ret_critical);

#endif /* V2V_REPORT_H */
