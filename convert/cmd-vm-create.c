/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v vm create: a new machine from blank disks, from disks that are there, or
 * from another machine.  Out of a library: cmd-vm-deploy.c.
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "convert/cmd-document.h"
#include "convert/cmd-vm.h"
#include "convert/convert.h"

enum {
  OPT_BLANK = CMD_OPT_FIRST,
  OPT_BLOCK_SIZE,
  OPT_CLONE,
  OPT_COMPUTER_NAME,
  OPT_COUNT,
  OPT_CPUS,
  OPT_DIFFERENCING,
  OPT_DISK,
  OPT_DISK_FORMAT,
  OPT_DRY_RUN,
  OPT_DVD,
  OPT_GENERATION,
  OPT_GUEST_OS,
  OPT_HARDWARE_PROFILE,
  OPT_HOST,
  OPT_HOSTS,
  OPT_ISO,
  OPT_LIBRARY,
  OPT_MAC,
  OPT_MEMORY,
  OPT_NAMESPACE,
  OPT_NESTED,
  OPT_NO_DIGEST,
  OPT_NO_NETWORK,
  OPT_OS,
  OPT_PARENT_FOLDER,
  OPT_PXE,
  OPT_SEARCH,
  OPT_SECURE_BOOT,
  OPT_SEED,
  OPT_SEED_PROFILE,
  OPT_SET,
  OPT_SUBFORMAT,
  OPT_SWITCH,
  OPT_TEMPLATE,
  OPT_THREADS,
  OPT_TPM,
  OPT_VLAN,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "blank", OPT_BLANK, "SIZE",
    "a blank disk of SIZE (\"60G\"); may be given again" },
  { "block-size", OPT_BLOCK_SIZE, "SIZE",
    "payload block of the new disks (VHDX 1M to 256M, VHD 512K or\n2M)" },
  { "clone", OPT_CLONE, "FOLDER",
    "the hardware and the disks of the machine in FOLDER, which\n"
    "v2v convert or v2v vm create made; with --library a machine of it" },
  { "computer-name", OPT_COMPUTER_NAME, "NAME",
    "with --library: name of the guest, or a pattern as web-##, in\n"
    "place of the template's" },
  { "count", OPT_COUNT, "N",
    "with --library: so many machines; a --set that is given N times\n"
    "has a value for each" },
  { "cpus", OPT_CPUS, "N", "virtual processors (2, or as the clone)" },
  CMD_DEBUG,
  { "differencing", OPT_DIFFERENCING, NULL,
    "do not copy disks that are there: they become parents, which\n"
    "must not change any more" },
  { "disk", OPT_DISK, "FILE",
    "a disk that is there, of any format; with --library one of its\n"
    "disks; may be given again" },
  { "disk-format", OPT_DISK_FORMAT, "FORMAT", "vhdx (default) or vhd" },
  { "dry-run", OPT_DRY_RUN, NULL,
    "with --library: tell what would be made, and why, and make\n"
    "nothing" },
  { "dvd", OPT_DVD, NULL, "an empty CD drive" },
  { "generation", OPT_GENERATION, "1|2",
    "generation of the machine; by default by what its disks hold,\n"
    "else 2" },
  { "guest-os", OPT_GUEST_OS, "PROFILE",
    "with --library: guest OS profile, in place of the template's" },
  { "hardware-profile", OPT_HARDWARE_PROFILE, "PROFILE",
    "a hardware profile: a file, or with --library one of its\n"
    "objects, in place of the template's" },
  CMD_HELP,
  { "host", OPT_HOST, "NAME",
    "with --library: make it on this host, in place of -o; bases that\n"
    "it lacks are sent" },
  { "hosts", OPT_HOSTS, "FILE",
    "the hosts file; by default $V2V_HOSTS or hosts.json of the library" },
  { "iso", OPT_ISO, "FILE", "copy FILE, and put it into a CD drive" },
  CMD_JSON,
  { "library", OPT_LIBRARY, "DIR|NAME",
    "which library; by default $V2V_LIBRARY where --template needs\n"
    "one" },
  { "mac", OPT_MAC, "ADDRESS", "address of the adapter named last" },
  { "memory", OPT_MEMORY, "SIZE", "memory (2G, or as the clone)" },
  { "namespace", OPT_NAMESPACE, "TEXT",
    "with --library: where a family that a template names is looked\n"
    "for" },
  { "nested", OPT_NESTED, "on|off", "virtualization inside the guest" },
  { "no-digest", OPT_NO_DIGEST, NULL, "do not compute digests" },
  { "no-network", OPT_NO_NETWORK, NULL, "no network adapter" },
  { "os", OPT_OS, "ID",
    "what will run in it, as VMware names it (debian12-64,\n"
    "windows2019srv-64, linux ...): decides about Secure Boot" },
  { "output", 'o', "DIR", "where the folder of the new machine goes" },
  { "parent-folder", OPT_PARENT_FOLDER, "PATH",
    "with --differencing: the folder of the parents on the Windows\n"
    "host, stored beside the relative path" },
  CMD_PROGRESS,
  { "pxe", OPT_PXE, NULL,
    "start from the network first; generation 1 gets a legacy\n"
    "adapter for it" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "secure-boot", OPT_SECURE_BOOT, "on|off",
    "by default on where the system is known" },
  { "seed", OPT_SEED, "SYSTEM",
    "what --seed-profile is for: linux (cloud-init) or windows (an\n"
    "answer file); by default what the machine tells" },
  { "seed-profile", OPT_SEED_PROFILE, "FILE",
    "how the guest shall be (see v2v-guest-profile(5)), on a medium in a\n"
    "CD drive that it reads when it first starts" },
  { "set", OPT_SET, "NAME=VALUE",
    "with --template: a setting of it; may be given again" },
  { "subformat", OPT_SUBFORMAT, "KIND", "dynamic (default) or fixed" },
  { "switch", OPT_SWITCH, "SWITCH",
    "an adapter on this virtual switch; may be given again; by\n"
    "default one that a parameter of the script connects" },
  { "template", OPT_TEMPLATE, "NAME",
    "make it of this template of the library" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  { "tpm", OPT_TPM, "on|off", "a virtual TPM" },
  CMD_VERBOSE,
  CMD_VERSION,
  { "vlan", OPT_VLAN, "N", "VLAN of the adapter named last (1 to 4094)" },
  CMD_END
};
/* clang-format on */

/* ---- options ---- */

static int
add_disk (struct vm_create_args *a, const char *option, const char *path,
          uint64_t size_bytes, struct v2v_error **err)
{
  if (a->opts.nr_disks == VM_MAX_DISKS)
    return v2v_fail (err, V2V_ERR_USAGE, "--%s: more than %d disks", option,
                     VM_MAX_DISKS);
  a->disks[a->opts.nr_disks++] =
      (struct v2v_vm_disk){ .path = path, .size_bytes = size_bytes };
  return 0;
}

static struct v2v_vm_nic *
add_nic (struct vm_create_args *a, struct v2v_error **err)
{
  if (a->opts.nr_nics == VM_MAX_NICS) {
    v2v_fail (err, V2V_ERR_USAGE, "--switch: more than %d adapters",
              VM_MAX_NICS);
    return NULL;
  }
  return &a->nics[a->opts.nr_nics++];
}

/* --mac and --vlan speak of the last adapter, or of one without a switch. */
static struct v2v_vm_nic *
last_nic (struct vm_create_args *a, struct v2v_error **err)
{
  return a->opts.nr_nics > 0 ? &a->nics[a->opts.nr_nics - 1] : add_nic (a, err);
}

static int
parse_tristate (const char *option, const char *arg, enum v2v_tristate *ret,
                struct v2v_error **err)
{
  if (strcmp (arg, "on") != 0 && strcmp (arg, "off") != 0)
    return v2v_fail (err, V2V_ERR_USAGE, "--%s: '%s' is neither on nor off",
                     option, arg);
  *ret = arg[1] == 'n' ? V2V_YES : V2V_NO;
  return 0;
}

/* Twelve hexadecimal digits, with ':' or '-' between the bytes or not, of one
 * adapter. */
static int
check_mac (const char *s, struct v2v_error **err)
{
  size_t digits = 0;
  bool zero = true;
  unsigned second = 0;

  for (const char *p = s; *p != '\0'; ++p) {
    if ((*p == ':' || *p == '-') && digits % 2 == 0 && digits > 0)
      continue;
    if (strchr ("0123456789abcdefABCDEF", *p) == NULL || ++digits > 12) {
      digits = 0;
      break;
    }
    zero = zero && *p == '0';
    if (digits == 2)
      second = (unsigned) strtoul ((const char[]){ *p, '\0' }, NULL, 16);
  }
  if (digits != 12 || zero || (second & 1) != 0) {
    v2v_fail (err, V2V_ERR_USAGE,
              "--mac: '%s' is not the address of an adapter", s);
    return v2v_hint (err, "such as 00:15:5d:01:02:03; the first byte is even");
  }
  return 0;
}

static int
set_disk_option (struct vm_create_args *a, int c, const char *arg,
                 struct v2v_error **err)
{
  uint64_t size = 0;

  switch (c) {
  case OPT_BLANK:
    if (cmd_parse_size ("blank", arg, &size, err) == -1)
      return -1;
    if (size == 0 || size % 512 != 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--blank: '%s' is not a size of whole sectors", arg);
    return add_disk (a, "blank", NULL, size, err);
  case OPT_BLOCK_SIZE:
    return cmd_parse_size ("block-size", arg, &a->opts.block_bytes, err);
  case OPT_CLONE:
    a->opts.clone = arg;
    break;
  case OPT_DIFFERENCING:
    a->opts.differencing = true;
    break;
  case OPT_DISK:
    return add_disk (a, "disk", arg, 0, err);
  case OPT_DISK_FORMAT:
    if (strcmp (arg, "vhdx") != 0 && strcmp (arg, "vhd") != 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--disk-format: '%s' is none of: vhdx vhd", arg);
    a->opts.hyperv.disk_format =
        arg[3] == 'x' ? V2V_HYPERV_VHDX : V2V_HYPERV_VHD;
    break;
  case OPT_DVD:
    a->opts.dvd = true;
    break;
  case OPT_ISO:
    a->opts.iso = arg;
    break;
  case OPT_NO_DIGEST:
    a->opts.no_digest = true;
    break;
  case OPT_PARENT_FOLDER:
    a->opts.parent_folder = arg;
    break;
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  case OPT_SUBFORMAT:
    if (strcmp (arg, "dynamic") != 0 && strcmp (arg, "fixed") != 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--subformat: '%s' is none of: dynamic fixed", arg);
    a->opts.subformat = arg[0] == 'f' ? V2V_SUB_FIXED : V2V_SUB_DYNAMIC;
    break;
  case OPT_THREADS:
    return cmd_parse_number ("threads", arg, 1, 64, &a->opts.copy.threads, err);
  }
  return 0;
}

static int
set_nic_option (struct vm_create_args *a, int c, const char *arg,
                struct v2v_error **err)
{
  struct v2v_vm_nic *n;
  unsigned vlan;

  switch (c) {
  case OPT_NO_NETWORK:
    a->opts.no_nics = true;
    break;
  case OPT_MAC:
    n = last_nic (a, err);
    if (n == NULL || check_mac (arg, err) == -1)
      return -1;
    n->mac = arg;
    break;
  case OPT_SWITCH:
    n = add_nic (a, err);
    if (n == NULL)
      return -1;
    if (*arg == '\0' || strcmp (arg, "*") == 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--switch: '%s' is not the name of a switch", arg);
    n->switch_name = arg;
    break;
  case OPT_VLAN:
    n = last_nic (a, err);
    if (n == NULL || cmd_parse_number ("vlan", arg, 1, 4094, &vlan, err) == -1)
      return -1;
    n->vlan = (int) vlan;
    break;
  }
  return 0;
}

static int
set_library_option (struct vm_create_args *a, int c, const char *arg,
                    struct v2v_error **err)
{
  switch (c) {
  case OPT_COMPUTER_NAME:
    a->computer_name = arg;
    break;
  case OPT_COUNT:
    return cmd_parse_number ("count", arg, 1, VM_MAX_COUNT, &a->count, err);
  case OPT_DRY_RUN:
    a->dry_run = true;
    break;
  case OPT_GUEST_OS:
    a->guest_os = arg;
    break;
  case OPT_HARDWARE_PROFILE:
    a->hardware_profile = arg;
    break;
  case OPT_HOST:
    a->host = arg;
    break;
  case OPT_HOSTS:
    a->hosts = arg;
    break;
  case OPT_LIBRARY:
    a->library = arg;
    break;
  case OPT_NAMESPACE:
    a->name_space = arg;
    break;
  case OPT_SET:
    return cmd_list_add (&a->set, arg, err);
  case OPT_TEMPLATE:
    a->vm_template = arg;
    break;
  }
  return 0;
}

static int
set_option (struct vm_create_args *a, int c, const char *arg,
            struct v2v_error **err)
{
  struct v2v_hyperv_opts *h = &a->opts.hyperv;

  switch (c) {
  case OPT_CPUS:
    return cmd_parse_number ("cpus", arg, 1, HYPERV_GEN2_MAX_CPUS,
                             &a->opts.nr_cpus, err);
  case OPT_GENERATION:
    return cmd_parse_number ("generation", arg, 1, 2, &h->generation, err);
  case OPT_MEMORY:
    if (cmd_parse_size ("memory", arg, &a->opts.memory_bytes, err) == -1)
      return -1;
    if (a->opts.memory_bytes < HYPERV_MIN_MEMORY)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--memory: '%s' is less than 32M, which is what Hyper-V "
                       "gives at least",
                       arg);
    return 0;
  case OPT_NESTED:
    return parse_tristate ("nested", arg, &h->nested, err);
  case OPT_OS:
    a->opts.os_id = arg;
    return 0;
  case 'o':
    a->opts.output_dir = arg;
    return 0;
  case OPT_PXE:
    a->opts.pxe = true;
    return 0;
  case OPT_SECURE_BOOT:
    return parse_tristate ("secure-boot", arg, &h->secure_boot, err);
  case OPT_SEED:
    if (strcmp (arg, "linux") != 0 && strcmp (arg, "windows") != 0)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "--seed: '%s' is none of: linux windows", arg);
    a->opts.seed_kind =
        arg[0] == 'l' ? V2V_VM_SEED_CLOUD_INIT : V2V_VM_SEED_WINDOWS;
    return 0;
  case OPT_SEED_PROFILE:
    a->seed_profile = arg;
    return 0;
  case OPT_TPM:
    return parse_tristate ("tpm", arg, &h->tpm, err);
  case OPT_MAC:
  case OPT_NO_NETWORK:
  case OPT_SWITCH:
  case OPT_VLAN:
    return set_nic_option (a, c, arg, err);
  case OPT_COMPUTER_NAME:
  case OPT_COUNT:
  case OPT_DRY_RUN:
  case OPT_GUEST_OS:
  case OPT_HARDWARE_PROFILE:
  case OPT_HOST:
  case OPT_HOSTS:
  case OPT_LIBRARY:
  case OPT_NAMESPACE:
  case OPT_SET:
  case OPT_TEMPLATE:
    return set_library_option (a, c, arg, err);
  default:
    return set_disk_option (a, c, arg, err);
  }
}

/* ---- checks ---- */

static int
check (struct vm_create_args *a, struct v2v_error **err)
{
  struct v2v_vm_opts *o = &a->opts;
  bool existing = o->clone != NULL;
  const struct {
    bool given;
    const char *name;
  } library[] = {
    { a->computer_name != NULL, "computer-name" },
    { a->count != 0, "count" },
    { a->dry_run, "dry-run" },
    { a->guest_os != NULL, "guest-os" },
    { a->host != NULL, "host" },
    { a->hosts != NULL, "hosts" },
    { a->name_space != NULL, "namespace" },
    { a->set.len > 0, "set" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (library); ++i)
    if (library[i].given)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "vm create: --%s needs --template or --library",
                       library[i].name);
  for (size_t i = 0; i < o->nr_disks; ++i)
    existing |= o->disks[i].path != NULL;
  if (*o->name == '\0')
    return v2v_fail (err, V2V_ERR_USAGE, "vm create: the name is empty");
  if (o->output_dir == NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "vm create: -o DIR is missing");
  if (o->nr_disks == 0 && o->clone == NULL && !o->pxe && o->iso == NULL) {
    v2v_fail (err, V2V_ERR_USAGE,
              "vm create: nothing says what the machine starts from");
    return v2v_hint (err, "--blank SIZE, --disk FILE or --clone FOLDER; "
                          "without a disk --iso FILE or --pxe");
  }
  if (o->differencing && !existing)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: --differencing needs --disk or --clone");
  if (o->parent_folder != NULL && !o->differencing)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: --parent-folder needs --differencing");
  if (o->no_nics && o->nr_nics > 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: --no-network excludes --switch, --mac and "
                     "--vlan");
  if (o->no_nics && o->pxe)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: --pxe needs a network adapter");
  if (o->seed_kind != V2V_VM_SEED_AUTO && a->seed_profile == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: --seed needs --seed-profile");
  return cmd_check_block_size (o->hyperv.disk_format == V2V_HYPERV_VHD ? "vhd"
                                                                       : "vhdx",
                               o->block_bytes, err);
}

/* The name of the machine is the name in the guest, unless the profile has
 * another. */
static int
load_profile (struct vm_create_args *a, struct v2v_error **err)
{
  if (a->seed_profile == NULL)
    return 0;
  a->profile = v2v_profile_load (a->seed_profile, err);
  if (a->profile == NULL)
    return -1;
  if (a->profile->computer_name == NULL) {
    a->profile->computer_name = v2v_safe_name (a->opts.name);
    if (a->profile->computer_name == NULL)
      return v2v_fail_nomem (err);
    for (char *p = a->profile->computer_name; *p != '\0'; ++p)
      if (*p == '_' || *p == '.')
        *p = '-';
  }
  a->opts.seed = a->profile;
  return 0;
}

static int
create (struct cli *cli, struct vm_create_args *a, struct v2v_error **err)
{
  static const enum v2v_document_kind kind = V2V_DOCUMENT_HARDWARE;
  CLEANUP_DOCUMENT struct v2v_document *hardware = NULL;
  struct v2v_vm_result result;
  int r = 0;

  if (a->opts.name == NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "vm create: too few arguments: the name is missing");
  if (check (a, err) == -1 || load_profile (a, err) == -1 ||
      cmd_progress_start (cli, &a->opts.copy, err) == -1)
    return -1;
  if (a->hardware_profile != NULL) {
    hardware = document_open (NULL, a->hardware_profile, &kind, 1, err);
    if (hardware == NULL)
      return -1;
    a->opts.hardware = hardware;
  }
  if (v2v_vm_create (&a->opts, &result, err) == -1)
    return -1;
  if (cli->json) {
    CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();

    v2v_json_set_string (o, "folder", result.folder);
    v2v_json_set (o, "report", v2v_json_ref (result.report));
    r = cmd_print_json (o, err);
  }
  else
    printf ("%s\n%s\n", result.text, result.folder);
  v2v_vm_result_clear (&result);
  return r;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct vm_create_args *a = calloc (1, sizeof *a);
  const char *arg;
  int c, r = 0;

  if (a == NULL)
    return v2v_fail_nomem (err);
  while (r == 0 && (c = cmd_getopt (cli, &arg, err)) > 0)
    r = set_option (a, c, arg, err);
  if (r == 0)
    r = c;
  if (r == 0 && !cli->done) {
    a->opts.name = cli->nr_args > 0 ? cli->args[0] : NULL;
    a->opts.disks = a->disks;
    a->opts.nics = a->nics;
    a->opts.search = a->search.ptr;
    a->opts.program_version = v2v_version ();
    r = a->vm_template != NULL || a->library != NULL ? vm_deploy (cli, a, err)
                                                     : create (cli, a, err);
  }
  v2v_profile_free (a->profile);
  cmd_list_free (&a->search);
  cmd_list_free (&a->set);
  free (a);
  return r;
}

const struct v2v_command vm_cmd_create = {
  .name = "vm create",
  .summary = "make a new machine",
  .synopsis = "[OPTION...] -o DIR|--host HOST [NAME]",
  .examples =
      "  v2v vm create -o out --blank 60G --iso debian.iso web\n"
      "  v2v vm create -o out --clone out/web --seed-profile p.json web-02\n"
      "  v2v vm create -o out --template web --set address=192.0.2.11/24\n",
  .options = options,
  .min_args = 0,
  .max_args = 1,
  .run = run,
};
