/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three profiles of a library.  Units are in the names; see document.h for
 * what "not said" is.
 */
#ifndef V2V_PROFILES_H
#define V2V_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/core/error.h"
#include "formats/core/json.h"
#include "formats/findings.h"
#include "formats/hyperv.h"
#include "formats/machine.h"
#include "inject/customize.h"

struct v2v_document;

/* ---- hardware ---- */

struct v2v_hardware_processor {
  int64_t count;
  int64_t reserve_percent, maximum_percent, weight;
  enum v2v_tristate migration_compatibility, older_systems_compatibility;
  enum v2v_tristate nested, host_resource_protection;
  int64_t threads_per_core; /* 0 = as the host */
  int64_t maximum_per_numa_node, maximum_numa_nodes_per_socket;
};

struct v2v_hardware_memory {
  int64_t startup_mib;
  enum v2v_tristate dynamic;
  int64_t minimum_mib, maximum_mib;
  int64_t buffer_percent, priority;
  int64_t maximum_per_numa_node_mib;
};

enum v2v_hardware_bus { V2V_HARDWARE_IDE = 1, V2V_HARDWARE_SCSI };

struct v2v_hardware_dvd {
  unsigned bus; /* enum v2v_hardware_bus */
  int64_t controller, location;
  char *iso; /* name of an object, or NULL: empty */
};

enum v2v_hardware_nic_kind { V2V_NIC_SYNTHETIC = 1, V2V_NIC_LEGACY };
enum v2v_hardware_mac { V2V_MAC_DYNAMIC = 1, V2V_MAC_STATIC };
enum v2v_hardware_vlan {
  V2V_HARDWARE_UNTAGGED = 1,
  V2V_HARDWARE_ACCESS,
  V2V_HARDWARE_TRUNK,
};
struct v2v_hardware_nic {
  char *name;
  unsigned kind; /* enum v2v_hardware_nic_kind */
  char *network; /* of the source: for a table of switches */
  char *switch_name;
  unsigned vlan_mode; /* enum v2v_hardware_vlan */
  int64_t vlan;
  unsigned mac_policy; /* enum v2v_hardware_mac */
  char *mac;
  enum v2v_tristate mac_spoofing, dhcp_guard, router_guard, teaming;
  enum v2v_tristate device_naming;
  unsigned port_mirroring; /* None, Source, Destination */
  int64_t vmq_weight, iov_weight;
  int64_t maximum_bandwidth_mbps;
};

struct v2v_hardware_com {
  int64_t number;
  char *pipe;
  enum v2v_tristate debugger;
};

struct v2v_hardware_firmware {
  enum v2v_tristate secure_boot;
  unsigned secure_boot_template; /* enum v2v_secure_boot_template, or 3 */
  unsigned network_boot_protocol;
  unsigned console;
  enum v2v_tristate pause_after_boot_failure;
  enum v2v_tristate num_lock;
};

struct v2v_hardware_boot {
  unsigned kind; /* 1 + enum v2v_hyperv_boot_kind */
  int64_t index; /* generation 2: which one; not said = the first */
};

struct v2v_hardware_security {
  enum v2v_tristate tpm, encrypt_traffic, opt_out_of_vbs;
  unsigned isolation;
};

struct v2v_hardware_services {
  enum v2v_tristate guest_service_interface, heartbeat, key_value_pairs;
  enum v2v_tristate shutdown, time_synchronization, vss;
};

struct v2v_hardware_policies {
  unsigned start_action; /* 1 + enum v2v_hyperv_start_action */
  int64_t start_delay_seconds;
  unsigned stop_action; /* 1 + enum v2v_hyperv_stop_action */
  unsigned critical_error_action;
  unsigned checkpoint; /* 1 + enum v2v_hyperv_checkpoint */
  enum v2v_tristate automatic_checkpoints, lock_on_disconnect;
  enum v2v_tristate highly_available;
};

struct v2v_hardware_video {
  unsigned resolution;
  int64_t horizontal, vertical;
};

struct v2v_hardware_profile {
  int64_t generation;
  int64_t scsi_controllers;
  enum v2v_tristate floppy;
  char *floppy_image; /* name of an object */
  char *checkpoint_folder, *paging_folder;
  struct v2v_hardware_processor processor;
  struct v2v_hardware_memory memory;
  struct v2v_hardware_dvd *dvds;
  size_t nr_dvds;
  struct v2v_hardware_nic *nics;
  size_t nr_nics;
  struct v2v_hardware_com *coms;
  size_t nr_coms;
  struct v2v_hardware_firmware firmware;
  struct v2v_hardware_boot *boot;
  size_t nr_boot;
  struct v2v_hardware_security security;
  struct v2v_hardware_services services;
  struct v2v_hardware_policies policies;
  struct v2v_hardware_video video;
};

/* A profile out of a planned machine, or out of its NAME.json (the text of
 * v2v_hyperv_to_json).  Addresses of network adapters are left out (a profile
 * is for many machines) unless KEEP_MACS. */
struct v2v_document *v2v_hardware_from_plan (const struct v2v_hyperv_plan *plan,
                                             bool keep_macs,
                                             struct v2v_error **err);
struct v2v_document *v2v_hardware_from_json (const struct v2v_json *machine,
                                             const char *name, bool keep_macs,
                                             struct v2v_error **err);

/* What the profile says goes into PLAN, the rest stays as planned.  The
 * generation is that of the disks: another one is V2V_ERR_USAGE, and so is
 * what Hyper-V would refuse.  Fields that a plan has no place for become
 * findings library.hardware.not-applied, never silence. */
int v2v_hardware_apply (const struct v2v_document *profile,
                        struct v2v_hyperv_plan *plan,
                        struct v2v_findings *findings, struct v2v_error **err);

/* ---- guest operating system ---- */

/* Where a secret is; never what it is. */
struct v2v_secret_ref {
  char *file; /* or NULL */
  int64_t fd; /* or -1 */
};

struct v2v_guest_os_route {
  char *to, *via;
  int64_t metric;
};

struct v2v_guest_os_nic {
  char *mac, *name;
  v2v_strings addresses, gateways, dns, search;
  struct v2v_guest_os_route *routes;
  size_t nr_routes;
  enum v2v_tristate dhcp4, dhcp6;
  int64_t mtu;
};

struct v2v_guest_os_user {
  char *name, *comment, *shell, *home;
  int64_t uid;
  enum v2v_tristate sudo, sudo_without_password, lock;
  v2v_strings groups, authorized_keys;
  struct v2v_secret_ref password, password_hash;
};

struct v2v_guest_os_windows {
  bool given;
  char *organization, *owner, *workgroup;
  char *input_locale, *system_locale, *ui_language, *user_locale;
  enum v2v_tristate remote_desktop;
  char *answer_file;
  struct v2v_secret_ref product_key, administrator_password;
  char *join_domain, *join_ou, *join_user, *join_user_domain;
  struct v2v_secret_ref join_password;
  int64_t auto_logon_count;
  char *auto_logon_user;
  struct v2v_guest_os_user *users;
  size_t nr_users;
  v2v_strings synchronous_commands, first_logon_commands;
  v2v_strings install_features, remove_features;
};

struct v2v_guest_os_linux {
  bool given;
  unsigned cloud_init; /* 1 + enum v2v_cloud_init_mode */
  char *user_data;
  bool has_root;
  struct v2v_guest_os_user root;
  struct v2v_guest_os_user *users;
  size_t nr_users;
  v2v_strings packages;
};

struct v2v_guest_os_profile {
  char *computer_name; /* or a pattern: computer-names.h */
  char *time_zone, *locale;
  struct v2v_guest_os_nic *nics;
  size_t nr_nics;
  v2v_strings scripts;
  struct v2v_guest_os_windows windows;
  struct v2v_guest_os_linux os_linux;
};

/* The profile as `v2v customize --profile` and v2v_profile_parse take it.
 * COMPUTER_NAME stands in for the profile's own, which may be a pattern; NULL
 * = its own.  NULL when out of memory. */
struct v2v_json *v2v_guest_os_to_json (const struct v2v_document *d,
                                       const char *computer_name);
/* The reverse, checked by v2v_profile_parse first.  Relative paths stay. */
struct v2v_document *v2v_guest_os_from_text (const char *json, size_t len,
                                             const char *name,
                                             struct v2v_error **err);

/* ---- capability ---- */

struct v2v_capability_profile {
  enum v2v_tristate generation1, generation2; /* NO = not allowed */
  int64_t minimum_processors, maximum_processors;
  int64_t minimum_memory_mib, maximum_memory_mib;
  enum v2v_tristate dynamic_memory, nested; /* NO = not allowed */
  int64_t minimum_disks, maximum_disks;
  int64_t maximum_disk_gib;
  enum v2v_tristate vhd_disks, vhdx_disks, differencing_disks;
  int64_t maximum_dvds, maximum_scsi_controllers, maximum_com_ports;
  int64_t minimum_nics, maximum_nics;
  enum v2v_tristate legacy_nics, static_macs, mac_spoofing;
  int64_t minimum_vlan, maximum_vlan; /* NICs with one must be inside */
  v2v_strings switches;               /* the only ones */
  enum v2v_tristate secure_boot_required, tpm_required;
  enum v2v_tristate high_availability_required;
  enum v2v_tristate checkpoints;
};

/* Judge a hardware profile, or a VM template with DISKS (NULL = only the
 * profile): a CRITICAL finding library.capability.* for each field that breaks
 * a limit.  What the profile does not say is judged as Hyper-V's default where
 * there is one, else passes. */
int v2v_capability_judge (const struct v2v_document *capability,
                          const struct v2v_document *hardware,
                          const struct v2v_document *vm_template,
                          struct v2v_findings *findings,
                          struct v2v_error **err);

#endif /* V2V_PROFILES_H */
