/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct v2v_machine: the pivot between worlds.  OVF and VMX readers fill it,
 * the Hyper-V writers consume it.  Units are in the names of the fields.
 * All strings are UTF-8, owned by the struct, NULL when the source is silent.
 */
#ifndef V2V_MACHINE_H
#define V2V_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/io.h"
#include "formats/core/json.h"
#include "formats/findings.h"

/* source_kind of a machine that comes from no source: "v2v vm create". */
#define V2V_SOURCE_KIND_NEW "new"

enum v2v_firmware { V2V_FIRMWARE_BIOS, V2V_FIRMWARE_EFI };

/* Yes, no, or the source does not say. */
enum v2v_tristate { V2V_UNKNOWN, V2V_NO, V2V_YES };

enum v2v_bus {
  V2V_BUS_IDE,
  V2V_BUS_SCSI,
  V2V_BUS_SATA,
  V2V_BUS_NVME,
  V2V_BUS_FLOPPY,
  V2V_BUS_OTHER,
};

struct v2v_controller {
  enum v2v_bus bus;
  unsigned number; /* among controllers of its bus: scsi1 -> 1 */
  char *model;     /* "lsilogic", "pvscsi", "ahci" ... lower case */
  char *source_id; /* OVF InstanceID; NULL for VMX */
  bool shared;     /* sharedBus other than none */
};

enum v2v_disk_kind {
  V2V_DISK_FILE,  /* has a file */
  V2V_DISK_BLANK, /* OVF: capacity but no file */
};

struct v2v_disk {
  enum v2v_disk_kind kind;
  char *id; /* OVF diskId, or "scsi0:0" */
  enum v2v_bus bus;
  unsigned controller;     /* number on its bus */
  unsigned unit;           /* address on the controller */
  uint64_t capacity_bytes; /* as described; 0 = unknown (VMX) */
  char *file;           /* plain file name in the package (href / fileName) */
  bool gzip;            /* ovf:compression="gzip" */
  uint64_t chunk_bytes; /* ovf:chunkSize; 0 = one file */
  uint64_t file_bytes;  /* ovf:size; 0 = unknown */
  char *parent_id;      /* OVF parentRef: diskId of the base, or NULL */
  char *format_uri;     /* ovf:format */
  char *mode;           /* "persistent", "independent-persistent" ... or NULL */
  bool shared;          /* multi-writer or shared bus */
  int boot_order;       /* 0 = first; -1 = not named */
};

enum v2v_cd_kind { V2V_CD_EMPTY, V2V_CD_IMAGE, V2V_CD_HOST };
struct v2v_removable {
  bool floppy;
  enum v2v_cd_kind kind;
  enum v2v_bus bus;
  unsigned controller;
  unsigned unit;
  char *file; /* image name as in the source, untrusted, or NULL */
};

/* A slot number packs bus, device and function: 16 bits and some. */
#define V2V_MAX_PCI_SLOT 0xfffffu

struct v2v_nic {
  char *id;        /* "ethernet0" or the OVF ElementName */
  char *model;     /* "vmxnet3", "e1000" ... lower case */
  char *network;   /* port group / OVF network name */
  char *mac;       /* "00:50:56:aa:bb:cc" lower case, or NULL */
  bool mac_static; /* assigned by a person or a manager, not generated */
  bool connected;  /* starts connected */
  int vlan;        /* -1 = unknown, 0 untagged, 1..4094, 4095 = all */
  enum v2v_tristate promiscuous;
  unsigned pci_slot; /* VMware's number of the slot, after which Linux names
                        the interface ("ens192"); 0 = unknown */
};

struct v2v_serial {
  unsigned number;
  char *kind; /* "pipe", "file", "device", "network" */
  char *path; /* untrusted, or NULL */
};

struct v2v_property {
  char *key; /* [class.]key[.instance] */
  char *label;
  char *value; /* NULL if password */
  bool password;
  bool user_configurable;
};

enum v2v_share_level {
  V2V_SHARES_UNSET,
  V2V_SHARES_LOW,
  V2V_SHARES_NORMAL,
  V2V_SHARES_HIGH,
  V2V_SHARES_CUSTOM
};

struct v2v_machine {
  /* identity */
  char *name; /* display name, any characters */
  char *annotation;
  char *os_id; /* VMware guestOS id, lower case as found, or NULL */
  int os_cim;  /* CIM OS type of OVF, 0 = unknown */
  char *os_description;
  char *uuid_bios; /* 36 characters lower case, or NULL */
  char *uuid_instance;
  char *hardware_version; /* "vmx-19" or NULL */
  char *source_kind;      /* "ovf", "ova", "vmx", "new" */
  char *source_path;

  /* firmware */
  enum v2v_firmware firmware;
  bool firmware_stated; /* the source says it; otherwise a default */
  enum v2v_tristate secure_boot;
  enum v2v_tristate tpm;
  char *nvram_file;

  /* processor and memory */
  unsigned nr_cpus;
  unsigned cores_per_socket; /* 0 = unknown */
  enum v2v_tristate cpu_hot_add;
  enum v2v_tristate memory_hot_add;
  enum v2v_tristate nested_virtualization;
  uint64_t cpu_reservation_mhz; /* 0 = none */
  uint64_t cpu_limit_mhz;       /* 0 = none */
  enum v2v_share_level cpu_shares;
  unsigned cpu_shares_value;
  uint64_t memory_bytes;
  uint64_t memory_reservation_bytes;
  uint64_t memory_limit_bytes; /* 0 = none */
  enum v2v_share_level memory_shares;
  unsigned memory_shares_value;

  /* devices, each list in source order */
  struct v2v_controller *controllers;
  size_t nr_controllers;
  struct v2v_disk *disks; /* by bus, controller, unit */
  size_t nr_disks;
  struct v2v_removable *removables;
  size_t nr_removables;
  struct v2v_nic *nics;
  size_t nr_nics;
  struct v2v_serial *serials;
  size_t nr_serials;
  struct v2v_property *properties;
  size_t nr_properties;

  /* "disk", "cdrom", "network", "floppy" in order; NULL-terminated or NULL */
  char **boot_order;

  enum v2v_tristate sync_time; /* tools.syncTime */
  char *snapshot; /* name of the snapshot chosen, or NULL = current state */

  struct v2v_findings findings;
};

struct v2v_machine *v2v_machine_new (struct v2v_error **err);
void v2v_machine_free (struct v2v_machine *m);

/* Append a zeroed element and return it; NULL when out of memory. The pointer
 * is valid until the next append to the same list. */
struct v2v_controller *v2v_machine_add_controller (struct v2v_machine *m);
struct v2v_disk *v2v_machine_add_disk (struct v2v_machine *m);
struct v2v_removable *v2v_machine_add_removable (struct v2v_machine *m);
struct v2v_nic *v2v_machine_add_nic (struct v2v_machine *m);
struct v2v_serial *v2v_machine_add_serial (struct v2v_machine *m);
struct v2v_property *v2v_machine_add_property (struct v2v_machine *m);

/* Sort disks by bus (IDE, SCSI, SATA, NVMe), controller, unit: the order in
 * which a BIOS finds them, unless boot_order names one. */
void v2v_machine_sort_disks (struct v2v_machine *m);

const char *v2v_bus_name (enum v2v_bus bus);         /* "scsi" */
const char *v2v_firmware_name (enum v2v_firmware f); /* "bios", "efi" */

/* The whole machine as JSON (the "source" part of NAME.json). */
struct v2v_json *v2v_machine_to_json (const struct v2v_machine *m);

/* ---- a source: a package or folder that holds machines and disk files ---- */

/* What v2v_source_open found; one or more machines and a way to open the
 * files they name. */
struct v2v_source;

enum v2v_manifest_policy {
  V2V_MANIFEST_STRICT,
  V2V_MANIFEST_WARN,
  V2V_MANIFEST_OFF
};

struct v2v_source_opts {
  const char *deployment_option; /* OVF configuration id, or NULL */
  const char *snapshot;          /* VMX: snapshot by name, or NULL */
  enum v2v_manifest_policy manifest;
  const char *const *search; /* folders for parents */
  const char *ca_file;       /* to verify .cert chains, or NULL */
};

/* Open an .ovf, .ova (tar, by content, also gzip/xz/zip wrapped where said),
 * .vmx, a folder that holds exactly one of these, or a bare disk image (a
 * machine of defaults around it, with a finding).  "-" is a tar stream on
 * standard input. */
struct v2v_source *v2v_source_open (const char *path,
                                    const struct v2v_source_opts *opts,
                                    struct v2v_error **err);
void v2v_source_close (struct v2v_source *src);
const char *v2v_source_kind (const struct v2v_source *src); /* "ova" ... */
/* 0 for a package whose collections are all empty. */
size_t v2v_source_nr_machines (const struct v2v_source *src);
struct v2v_machine *v2v_source_machine (struct v2v_source *src, size_t i);

/* The file of a disk as one io: a window into the archive, joined chunks,
 * gunzipped where asked (then *RET_SPOOLED is true if it went through a
 * temporary file).  The caller unrefs. */
struct v2v_io *v2v_source_open_disk (struct v2v_source *src,
                                     const struct v2v_disk *disk,
                                     bool *ret_spooled, struct v2v_error **err);

/* One line of the manifest. */
struct v2v_manifest_entry {
  char *name;
  char *algorithm; /* "sha1", "sha256", "sha512" */
  char *hex;       /* lower case */
  bool checked;
  bool matched;
  bool reported; /* a mismatch has become an error or a finding */
};
/* Entries of the manifest, or 0 if there is none. */
size_t v2v_source_manifest (const struct v2v_source *src,
                            const struct v2v_manifest_entry **ret);
/* Hash every file that is listed and not yet checked; mismatches are errors
 * (strict: V2V_ERR_MISMATCH naming the file) or findings (warn).  CANCEL may
 * be NULL. */
int v2v_source_verify_manifest (struct v2v_source *src, struct v2v_error **err);
/* The pipeline hashed a whole file of the package while it copied it: record
 * the digest and compare it with the manifest.  ALGORITHM is "sha1", "sha256"
 * or "sha512"; HEX is in either case.  *RET_LISTED (may be NULL) tells whether
 * the manifest names FILE with that algorithm.  A mismatch is
 * V2V_ERR_MISMATCH naming FILE when strict, a finding on every machine when
 * warn.
 */
int v2v_source_report_digest (struct v2v_source *src, const char *file,
                              const char *algorithm, const char *hex,
                              bool *ret_listed, struct v2v_error **err);

/* Does the package come from a pipe?  Then each file can be read once: open
 * the disks in ascending v2v_source_disk_position, and read each one to its
 * end before the next is opened.  A file that is asked for out of its order
 * is spooled to a temporary file (RET_SPOOLED says so).  Files in the manifest
 * are hashed as they pass; v2v_source_verify_manifest tells the verdict.  Such
 * an io must be released before v2v_source_close.
 */
bool v2v_source_is_stream (const struct v2v_source *src);
/* Where the disk's file comes in the package: its index in References. */
size_t v2v_source_disk_position (const struct v2v_source *src,
                                 const struct v2v_disk *disk);

/* Signer of the .cert: subject, or NULL when unsigned. *RET_VERIFIED: the
 * signature fits the manifest; *RET_TRUSTED: the chain leads to ca_file. */
/* There is a manifest, but files of the package are not in it. */
bool v2v_source_manifest_is_partial (const struct v2v_source *src);
const char *v2v_source_signer (const struct v2v_source *src, bool *ret_verified,
                               bool *ret_trusted);

#endif /* V2V_MACHINE_H */
