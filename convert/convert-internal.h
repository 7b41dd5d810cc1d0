/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One conversion at work; shared by the files of the pipeline. */
#ifndef V2V_CONVERT_INTERNAL_H
#define V2V_CONVERT_INTERNAL_H

#include "formats/evidence.h"
#include "formats/file-hash.h"
#include "formats/report.h"
#include "convert/convert.h"
#include "library/deposit.h"

/* What belongs to one disk of the machine, in the machine's order. */
struct convert_disk {
  struct v2v_io *io; /* the stored file, or NULL */
  bool opened;       /* opening was tried: blank disks have no io */
  bool spooled;
  uint64_t source_bytes; /* of the stored file; 0 = unknown */
  unsigned chain_length;
  char *source_variant;
  const char *source_format; /* static: the driver's name */
  struct v2v_disk_evidence evidence;
  bool has_evidence;

  struct v2v_file_hasher *hasher; /* of the manifest, beside the copy */
  char *hash_algorithm;

  struct v2v_copy_result result;
  char digest[2 * V2V_SHA256_SIZE + 1]; /* "" = none */
  char *target_variant;
  uint64_t virtual_bytes;
  uint64_t file_bytes;
  uint64_t allocated_bytes;
};

struct conversion {
  struct v2v_source *src;
  struct v2v_machine *machine; /* borrowed from src */
  const struct v2v_convert_opts *opts;
  struct convert_disk *disks; /* machine->nr_disks of them */
  struct v2v_image **images;  /* the same; NULL = blank, or not opened */
  struct v2v_hyperv_plan *plan;
  struct v2v_deposit *deposit;
  struct v2v_findings findings; /* the pipeline's own */
  struct v2v_guest_result guest;
  bool guest_ran;
  struct v2v_report_step guest_steps[4]; /* none when it was an earlier run's */
  size_t nr_guest_steps;
  bool worth_keeping; /* copying has begun */
};

/* Open the disks, unless the source is a pipe. */
int convert_open_disks (struct conversion *c, struct v2v_error **err);
/* Open disk I now (it may be open already). */
int convert_open_disk (struct conversion *c, size_t i, struct v2v_error **err);
/* Look at what the disks boot. */
int convert_gather_evidence (struct conversion *c, struct v2v_error **err);
/* Upper bound of what the new disks need. */
int convert_space_needed (struct conversion *c, uint64_t *ret,
                          struct v2v_error **err);
/* Copy all disks of the plan into the deposit; the manifest is checked on the
 * way. */
int convert_copy_disks (struct conversion *c, struct v2v_error **err);
/* FILE of disk I is complete: its sizes and digest for the report. */
int convert_note_made (struct conversion *c, size_t i, const char *file,
                       struct v2v_error **err);
void convert_disk_clear (struct convert_disk *d);

/* Change the guest, before the disks are copied or after (what comes through
 * a pipe): one of the two does it, if opts->guest. */
int convert_guest_before (struct conversion *c, struct v2v_error **err);
int convert_guest_after (struct conversion *c, struct v2v_error **err);
/* Remove what only a resumed run needs. */
int convert_guest_forget (struct conversion *c, struct v2v_error **err);

/* "NAME-disk1-parent2.vhdx" for the parent LEVEL above FILE; the caller frees.
 * NULL when out of memory. */
char *convert_parent_file_name (const char *file, unsigned level);

/* Finished disks of an unfinished run are remembered in FILE.done. */
int convert_done_write (struct conversion *c, size_t disk, const char *file,
                        struct v2v_error **err);
/* 1 = FILE of disk DISK is there already, as it would be made now (and its
 * figures are loaded, unless it is a parent); 0 = it is not. */
int convert_done_read (struct conversion *c, size_t disk, const char *file,
                       bool figures_too, struct v2v_error **err);
/* A small file of ours as JSON, or NULL if there is none that can be used. */
struct v2v_json *convert_load_json (const char *path);
void convert_done_remove (struct conversion *c, const char *file);

/* Write the descriptions and reports; fill RESULT. */
int convert_describe (struct conversion *c, const char *started, double seconds,
                      struct v2v_convert_result *result,
                      struct v2v_error **err);
/* What a dry run tells. */
int convert_describe_plan (struct conversion *c,
                           struct v2v_convert_result *result,
                           struct v2v_error **err);

#endif /* V2V_CONVERT_INTERNAL_H */
