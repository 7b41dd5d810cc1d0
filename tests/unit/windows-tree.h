/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Constructed Windows guests: a folder tree with hives built to the layout of
 * the real ones (Windows 7: the SYSTEM hive of a VMware guest; later versions:
 * Microsoft's documentation of the inbox drivers), and small driver files.
 */
#ifndef WINDOWS_TREE_H
#define WINDOWS_TREE_H

#include "inject/guest.h"

struct windows_release {
  const char *label; /* "constructed_windows_7" */
  int major, minor;
  unsigned build;
  const char *product, *variant; /* "Windows 10 Pro", "Client" */
  const char *product_type;      /* "WinNT", "ServerNT" */
  const char *arch;
};
/* 7, 2008 R2, 2012 R2, 10, 2016, 2019, 2022, 2025, 11; ended by a NULL
 * label. */
extern const struct windows_release windows_releases[];
const struct windows_release *windows_release_by_label (const char *label);

/* A tree of R; EFI: with an EFI system partition at /EFI-v2v, else with
 * /bootmgr and /Boot.  Removed by test_tmpdir_remove. */
char *windows_tree_make (const struct windows_release *r, bool efi);
/* DIR as a guest; GENERATION as v2v_guest_opts has it. */
struct v2v_guest *windows_tree_open (const char *dir,
                                     const struct windows_release *r,
                                     unsigned generation);
/* The files of the host; a static buffer each. */
const char *windows_tree_system (const char *dir);
const char *windows_tree_software (const char *dir);
/* Remove or make a driver file in System32\drivers ("MZ" when CONTENTS is
 * NULL). */
void windows_tree_remove_driver (const char *dir, const char *file);
void windows_tree_add_driver (const char *dir, const char *file,
                              const char *contents);
/* A boot configuration whose default entry starts LOADER from the GPT
 * partition GUID (36 characters). */
void windows_tree_bcd (const char *file, const char *loader, const char *guid);
/* The same of a partition of an MBR disk. */
void windows_tree_bcd_mbr (const char *file, const char *loader,
                           uint32_t signature, uint64_t offset);
/* ELEMENT ("11000001") of the default entry, or of the boot manager. */
void windows_tree_bcd_device (const char *file, bool manager,
                              const char *element, uint32_t signature,
                              uint64_t offset);

#endif /* WINDOWS_TREE_H */
