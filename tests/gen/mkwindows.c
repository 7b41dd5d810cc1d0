/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mkwindows LABEL FOLDER SIGNATURE RESERVED WINDOWS PROGRAM: make the files of a
 * constructed Windows (unit/windows-tree.h has the LABELs) on a BIOS machine in
 * the new FOLDER: "windows" for its own volume, "reserved" for the one that a
 * BIOS starts from.  SIGNATURE (hexadecimal) is the disk's, RESERVED and WINDOWS
 * are the byte offsets of the volumes; PROGRAM is a Windows program, by which
 * inspection knows the architecture.  It has a vmxnet3 with static addresses of
 * both sorts.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/guest-tree.h"
#include "tests/unit/hive-build.h"
#include "tests/unit/test-util.h"
#include "tests/unit/windows-build.h"
#include "tests/unit/windows-tree.h"

#define SET  "ControlSet001\\"
#define NSI  SET "Control\\Nsi\\{eb004a01-9b1a-11d4-9123-0050047759bc}\\"
#define LUID "0000000900000600"

static void
add_network (const char *dir)
{
  struct v2v_hive *h = hive_build_open (windows_tree_system (dir));
  uint8_t row[48];

  memset (row, 0xff, sizeof row);
  memcpy (row + 16, (const uint8_t[]){ 64, 0, 0, 0 }, 4);
  windows_build_adapter (h, "VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01", 7, 160,
                         "Ethernet0");
  windows_build_static (h, 7, "10.0.0.5", "255.255.255.0", "10.0.0.1",
                        "10.0.0.3");
  hive_build_dword (h, SET "Control\\Class\\" NET_CLASS "\\0007",
                    "NetLuidIndex", 9);
  hive_build_dword (h, SET "Control\\Class\\" NET_CLASS "\\0007", "*IfType", 6);
  hive_build_binary (h, NSI "10", LUID "20010db8000000000000000000000005", row,
                     sizeof row);
  hive_build_done (h);
}

static void
copy_program (const char *dir, const char *program)
{
  size_t len;
  void *data = test_read_file (program, &len);
  char path[4096];

  snprintf (path, sizeof path, "%s/Windows/System32/cmd.exe", dir);
  test_write_file (path, data, len);
  free (data);
}

int
main (int argc, char **argv)
{
  char windows[4096], reserved[4096], bcd[4200];
  char *dir;

  if (argc != 7)
    return 2;
  snprintf (windows, sizeof windows, "%s/windows", argv[2]);
  snprintf (reserved, sizeof reserved, "%s/reserved", argv[2]);
  if (mkdir (argv[2], 0755) == -1 || mkdir (reserved, 0755) == -1)
    return 1;
  dir = windows_tree_make (windows_release_by_label (argv[1]), false);
  add_network (dir);
  copy_program (dir, argv[6]);
  if (rename (dir, windows) == -1) {
    perror (windows);
    return 1;
  }
  /* A BIOS starts the other volume. */
  snprintf (bcd, sizeof bcd, "%s/bootmgr", windows);
  unlink (bcd);
  snprintf (bcd, sizeof bcd, "%s/Boot/BCD", windows);
  unlink (bcd);
  guest_tree_write (reserved, "/bootmgr", "boot manager");
  guest_tree_write (reserved, "/Boot/memtest.exe", "MZ");
  snprintf (bcd, sizeof bcd, "%s/Boot/BCD", reserved);
  windows_tree_bcd_mbr (bcd, "\\Windows\\system32\\winload.exe",
                        (uint32_t) strtoul (argv[3], NULL, 16),
                        strtoull (argv[5], NULL, 10));
  windows_tree_bcd_device (bcd, true, "11000001",
                           (uint32_t) strtoul (argv[3], NULL, 16),
                           strtoull (argv[4], NULL, 10));
  free (dir);
  return 0;
}
