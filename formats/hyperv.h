/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines out: the plan of a Hyper-V machine, and what is written from it.
 *
 *   struct v2v_machine + evidence about its disks + options
 *     -> v2v_hyperv_plan_new          every decision, with its reason
 *     -> v2v_hyperv_to_json           NAME.json
 *     -> v2v_hyperv_script            New-NAME.ps1
 *     -> v2v_hyperv_scvmm_script      Import-NAME-SCVMM.ps1
 *
 * The plan owns copies of all its strings; the machine may go before it.
 */
#ifndef V2V_HYPERV_H
#define V2V_HYPERV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "formats/evidence.h"
#include "formats/findings.h"
#include "formats/machine.h"
#include "formats/network-map.h"

/* Limits of Hyper-V, from Microsoft's "Plan for Hyper-V scalability" and the
 * pages on generations.  Where hosts differ the newest one counts, and the
 * script checks its own host.
 */
#define HYPERV_GEN1_MAX_CPUS      64
#define HYPERV_GEN2_MAX_CPUS      2048
#define HYPERV_GEN1_MAX_MEMORY    V2V_HYPERV_TIB (1)
#define HYPERV_GEN2_MAX_MEMORY    V2V_HYPERV_TIB (240)
#define HYPERV_MIN_MEMORY         (UINT64_C (32) << 20)
#define HYPERV_MEMORY_STEP        (UINT64_C (2) << 20)
#define HYPERV_IDE_CONTROLLERS    2
#define HYPERV_IDE_LOCATIONS      2
#define HYPERV_SCSI_CONTROLLERS   4
#define HYPERV_SCSI_LOCATIONS     64
#define HYPERV_GEN1_MAX_NICS      8
#define HYPERV_GEN1_MAX_LEGACY    4
#define HYPERV_GEN2_MAX_NICS      64
#define HYPERV_MAX_COM_PORTS      2
#define HYPERV_MAX_VHDX           V2V_HYPERV_TIB (64)
#define HYPERV_MAX_VHD            (UINT64_C (2040) << 30)
#define HYPERV_GEN1_MAX_BOOT_DISK V2V_HYPERV_TIB (2)
#define HYPERV_MAX_NAME           100 /* UTF-16 units: the manager's own bound */
#define HYPERV_MAX_NOTES          16384 /* bytes of annotation carried over */
#define V2V_HYPERV_TIB(n)         (UINT64_C (n) << 40)

enum v2v_hyperv_disk_format { V2V_HYPERV_VHDX, V2V_HYPERV_VHD };
enum v2v_hyperv_checkpoint {
  V2V_CHECKPOINT_PRODUCTION,
  V2V_CHECKPOINT_PRODUCTION_ONLY,
  V2V_CHECKPOINT_STANDARD,
  V2V_CHECKPOINT_DISABLED,
};
enum v2v_hyperv_start_action {
  V2V_START_IF_RUNNING,
  V2V_START_NOTHING,
  V2V_START_ALWAYS,
};
enum v2v_hyperv_stop_action {
  V2V_STOP_SHUT_DOWN,
  V2V_STOP_SAVE,
  V2V_STOP_TURN_OFF,
};
enum v2v_secure_boot_template {
  V2V_TEMPLATE_NONE, /* Secure Boot is off, or generation 1 */
  V2V_TEMPLATE_WINDOWS,
  V2V_TEMPLATE_UEFI_CA, /* Linux: MicrosoftUEFICertificateAuthority */
};
enum v2v_shared_disks {
  V2V_SHARED_SKIP,    /* leave them out, with a Critical finding */
  V2V_SHARED_PRIVATE, /* convert them as ordinary disks of this machine */
  V2V_SHARED_REFUSE,  /* no conversion of such a machine */
};

/* Zeroed = defaults. Strings are borrowed during the call. */
struct v2v_hyperv_opts {
  unsigned generation;   /* 1 or 2; 0 = by evidence */
  const char *name;      /* in place of the machine's own */
  const char *safe_name; /* for files and folder; NULL = made from the name */
  enum v2v_hyperv_disk_format disk_format;
  const struct v2v_network_map *network_map;
  const char *default_switch; /* for what the map does not name */
  bool strict_networks;       /* an unmapped network is an error */
  bool new_macs;              /* let the host choose addresses */
  bool dynamic_memory;
  uint64_t memory_min_bytes; /* with dynamic memory; 0 = derived */
  uint64_t memory_max_bytes;
  enum v2v_tristate secure_boot; /* V2V_UNKNOWN = as the source */
  enum v2v_tristate tpm;
  enum v2v_tristate nested;
  enum v2v_hyperv_checkpoint checkpoint;
  enum v2v_hyperv_start_action start_action;
  enum v2v_hyperv_stop_action stop_action;
  unsigned start_delay_seconds;
  bool migration_compatibility; /* processors of different models */
  enum v2v_shared_disks shared_disks;
  const struct v2v_guid *id; /* fixed identity for tests; NULL = random */
};

enum v2v_hyperv_bus { V2V_HYPERV_IDE, V2V_HYPERV_SCSI };

/* A place on a controller. */
struct v2v_hyperv_place {
  enum v2v_hyperv_bus bus;
  unsigned controller;
  unsigned location;
};

/* A file that a differencing disk needs. */
struct v2v_hyperv_parent {
  char *file; /* its name */
  char *path; /* where the disk looks for it, as a Windows path; NULL = in the
                 folder of the machine */
  uint64_t file_bytes;
};

struct v2v_hyperv_disk {
  size_t source_index; /* in machine->disks */
  char *source_id;     /* "scsi0:0" */
  struct v2v_hyperv_place place;
  char *file;          /* "NAME-disk1.vhdx", in the folder of the machine */
  uint64_t size_bytes; /* 0 = unknown */
  bool boot;
  bool blank; /* there is no source file: an empty disk */
  struct v2v_hyperv_parent *parents; /* of a kept chain, the nearest first */
  size_t nr_parents;
};

struct v2v_hyperv_dvd {
  struct v2v_hyperv_place place;
  char *source_file; /* the image's base name in the source, or NULL: empty */
  char *file; /* an image in the folder of the machine, which the script puts
                 into the drive, or NULL */
};

enum v2v_hyperv_vlan_mode {
  V2V_VLAN_MODE_UNTAGGED,
  V2V_VLAN_MODE_ACCESS,
  V2V_VLAN_MODE_TRUNK,
};

struct v2v_hyperv_nic {
  size_t source_index;
  char *name;      /* "Network Adapter 1": made by us */
  char *source_id; /* "ethernet0" */
  bool legacy;
  char *network;     /* of the source, or NULL */
  char *switch_name; /* NULL = disconnected */
  enum v2v_hyperv_vlan_mode vlan_mode;
  unsigned vlan; /* 1..4094 with ACCESS */
  char mac[13];  /* 12 hexadecimal digits, upper case; "" = the host chooses */
  bool spoofing;
  bool unmapped; /* nothing named a switch: a parameter of the script may */
};

struct v2v_hyperv_com {
  unsigned number; /* 1 or 2 */
  char *pipe;      /* "\\.\pipe\NAME-com1": made by us */
};

enum v2v_hyperv_boot_kind {
  V2V_BOOT_DISK,
  V2V_BOOT_DVD,
  V2V_BOOT_NETWORK,
  V2V_BOOT_FLOPPY,
};
/* Generation 1 knows kinds only (index 0); generation 2 single devices. */
struct v2v_hyperv_boot {
  enum v2v_hyperv_boot_kind kind;
  size_t index; /* in disks, dvds or nics */
};

/* What is set beyond the fields of the plan: one parameter of one cmdlet.
 * Nothing in a source leads to one; a hardware profile does. */
enum v2v_hyperv_cmdlet {
  V2V_SET_PROCESSOR, /* Set-VMProcessor */
  V2V_SET_MEMORY,    /* Set-VMMemory */
  V2V_SET_VM,        /* Set-VM */
  V2V_SET_FIRMWARE,  /* Set-VMFirmware, generation 2 */
  V2V_SET_BIOS,      /* Set-VMBios, generation 1 */
  V2V_SET_SECURITY,  /* Set-VMSecurity */
  V2V_SET_ADAPTER,   /* Set-VMNetworkAdapter */
  V2V_SET_SERVICE,   /* Enable-, Disable-VMIntegrationService */
};
struct v2v_hyperv_setting {
  enum v2v_hyperv_cmdlet cmdlet;
  size_t adapter;        /* V2V_SET_ADAPTER: index in nics */
  const char *parameter; /* a literal of ours; of a service the end of its id */
  char *word;            /* or NULL: a flag or a number */
  bool is_flag;
  uint64_t number;
};

struct v2v_hyperv_plan {
  unsigned generation;
  char **reasons; /* why this generation; sentences */
  size_t nr_reasons;
  bool generation_forced;

  char *name;      /* display name, cleaned of control characters */
  char *safe_name; /* [A-Za-z0-9._-], names the folder and the files */
  char *id;        /* GUID of this conversion: the marker in the notes */
  char *notes;     /* several lines, "\n" between them */

  unsigned nr_cpus;
  unsigned cpu_weight; /* 1..10000; 0 = the host's default */
  bool migration_compatibility;
  bool older_os_compatibility; /* systems of the NT era */
  bool nested;

  uint64_t memory_bytes; /* at start */
  bool dynamic_memory;
  uint64_t memory_min_bytes;
  uint64_t memory_max_bytes;

  enum v2v_hyperv_disk_format disk_format;
  unsigned nr_scsi_controllers;
  struct v2v_hyperv_disk *disks; /* in source order */
  size_t nr_disks;
  struct v2v_hyperv_dvd *dvds;
  size_t nr_dvds;
  bool floppy; /* generation 1: the drive exists always, empty */
  struct v2v_hyperv_nic *nics;
  size_t nr_nics;
  struct v2v_hyperv_com *coms;
  size_t nr_coms;

  bool secure_boot;
  enum v2v_secure_boot_template secure_boot_template;
  bool tpm;
  struct v2v_hyperv_boot *boot; /* first to last */
  size_t nr_boot;

  enum v2v_hyperv_checkpoint checkpoint;
  enum v2v_hyperv_start_action start_action;
  enum v2v_hyperv_stop_action stop_action;
  unsigned start_delay_seconds;
  bool time_sync; /* integration service "Time Synchronization" */
  struct v2v_hyperv_setting *settings;
  size_t nr_settings;
  /* What a deployment made it of, for the descriptions; NULL = nothing. */
  struct v2v_json *provenance;

  const char *os_family;        /* "windows", "linux", "freebsd", "other" */
  char *os_name;                /* for people: "Windows Server 2019" */
  struct v2v_findings findings; /* of the plan; the machine has its own */
};

/* Decide everything.  EVIDENCE has one entry per disk of MACHINE, in the same
 * order (NULL = nothing is known of that disk); NR_EVIDENCE 0 = none at all.
 * Fails with V2V_ERR_UNSUPPORTED when Hyper-V could not start the result
 * (with a hint when a forced generation would override it), V2V_ERR_USAGE
 * when the options contradict each other or --strict-networks finds an
 * unmapped network.
 */
struct v2v_hyperv_plan *
v2v_hyperv_plan_new (const struct v2v_machine *machine,
                     const struct v2v_disk_evidence *const *evidence,
                     size_t nr_evidence, const struct v2v_hyperv_opts *opts,
                     struct v2v_error **err);
void v2v_hyperv_plan_free (struct v2v_hyperv_plan *plan); /* accepts NULL */

/* A virtual disk turned out to have SIZE_BYTES (VMX: known only after opening
 * it): checked against the limits. */
int v2v_hyperv_plan_set_disk_size (struct v2v_hyperv_plan *plan, size_t disk,
                                   uint64_t size_bytes, struct v2v_error **err);

/* A virtual disk became a differencing one: FILE is its next parent. */
int v2v_hyperv_plan_add_parent (struct v2v_hyperv_plan *plan, size_t disk,
                                const char *file, uint64_t file_bytes,
                                struct v2v_error **err);

/* One more setting; WORD is copied, PARAMETER borrowed for ever. */
int v2v_hyperv_plan_add_setting (struct v2v_hyperv_plan *plan,
                                 const struct v2v_hyperv_setting *setting,
                                 struct v2v_error **err);
/* "Processor" ...: as in the data of the script. */
const char *v2v_hyperv_cmdlet_name (enum v2v_hyperv_cmdlet c);
/* The same for a parent that is not in the machine's folder: PATH is where the
 * disk looks for it. */
int v2v_hyperv_plan_add_parent_at (struct v2v_hyperv_plan *plan, size_t disk,
                                   const char *file, const char *path,
                                   uint64_t file_bytes, struct v2v_error **err);

/* FILE, in the folder of the machine, is put into CD drive DVD. */
int v2v_hyperv_plan_set_dvd_file (struct v2v_hyperv_plan *plan, size_t dvd,
                                  const char *file, struct v2v_error **err);

#define V2V_MACHINE_SCHEMA         "v2v-machine"
#define V2V_MACHINE_SCHEMA_VERSION 1

/* NAME.json: schema "v2v-machine", see formats/v2v-machine.schema.json.  NULL
 * when out of memory. */
struct v2v_json *v2v_hyperv_to_json (const struct v2v_hyperv_plan *plan,
                                     const struct v2v_machine *machine);

/* New-NAME.ps1 and Import-NAME-SCVMM.ps1: UTF-8 with a BOM, CRLF, checked by
 * our own tokenizer before they are returned.  The caller frees. */
char *v2v_hyperv_script (const struct v2v_hyperv_plan *plan,
                         struct v2v_error **err);
char *v2v_hyperv_scvmm_script (const struct v2v_hyperv_plan *plan,
                               struct v2v_error **err);

/* Names as in the cmdlets. */
const char *v2v_hyperv_checkpoint_name (enum v2v_hyperv_checkpoint c);
const char *v2v_hyperv_start_action_name (enum v2v_hyperv_start_action a);
const char *v2v_hyperv_stop_action_name (enum v2v_hyperv_stop_action a);
const char *v2v_hyperv_template_name (enum v2v_secure_boot_template t);
bool v2v_hyperv_checkpoint_parse (const char *s,
                                  enum v2v_hyperv_checkpoint *ret);
bool v2v_hyperv_start_action_parse (const char *s,
                                    enum v2v_hyperv_start_action *ret);
bool v2v_hyperv_stop_action_parse (const char *s,
                                   enum v2v_hyperv_stop_action *ret);

/* ---- the catalogue of findings, for the manual ---- */

struct v2v_finding_entry {
  const char *id;
  enum v2v_severity severity;
  const char *meaning; /* when it appears, and the evidence it carries */
  const char *remedy;  /* what to do */
};
/* Every id that planning can produce, sorted. */
const struct v2v_finding_entry *v2v_finding_catalogue (size_t *ret_len);
/* NULL if there is no such id. */
const struct v2v_finding_entry *v2v_finding_entry_by_id (const char *id);

#endif /* V2V_HYPERV_H */
