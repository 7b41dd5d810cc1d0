/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v convert: a whole machine. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/network-map.h"
#include "convert/cmd-document.h"
#include "convert/cmd.h"
#include "convert/convert.h"
#include "inject/stage.h"
#include "library/library.h"

enum {
  OPT_ALLOW_DIRTY = CMD_OPT_FIRST,
  OPT_ALLOW_HIBERNATED,
  OPT_BLOCK_SIZE,
  OPT_CA_FILE,
  OPT_CHECKPOINTS,
  OPT_DEFAULT_SWITCH,
  OPT_DEPLOYMENT_OPTION,
  OPT_DIGEST,
  OPT_DISK_FORMAT,
  OPT_DRIVER,
  OPT_DRY_RUN,
  OPT_DYNAMIC_MEMORY,
  OPT_FIRSTBOOT,
  OPT_FSCK,
  OPT_GENERATION,
  OPT_HARDWARE_PROFILE,
  OPT_INITRAMFS,
  OPT_KEEP_CHAIN,
  OPT_KEEP_TOOLS,
  OPT_KEY,
  OPT_LIBRARY,
  OPT_MANIFEST,
  OPT_MEMORY_MAXIMUM,
  OPT_MEMORY_MINIMUM,
  OPT_MIGRATION_COMPATIBILITY,
  OPT_NAME,
  OPT_NESTED,
  OPT_NETWORK,
  OPT_NETWORK_MAP,
  OPT_NEW_MACS,
  OPT_NO_DIGEST,
  OPT_NO_GUEST,
  OPT_NO_SPACE_CHECK,
  OPT_NO_SPARSE,
  OPT_RATE,
  OPT_RESUME,
  OPT_ROOT,
  OPT_ROOTDELAY,
  OPT_SEARCH,
  OPT_SECURE_BOOT,
  OPT_SERIAL_CONSOLE,
  OPT_SHARED_DISKS,
  OPT_SNAPSHOT,
  OPT_START_ACTION,
  OPT_START_DELAY,
  OPT_STOP_ACTION,
  OPT_STRICT_NETWORKS,
  OPT_SUBFORMAT,
  OPT_THREADS,
  OPT_TPM,
  OPT_VM,
};

/* clang-format off */
static const struct cmd_option options[] = {
  { "allow-dirty", OPT_ALLOW_DIRTY, NULL,
    "go on with a guest that was not shut down: its journals are\n"
    "replayed in the copy" },
  { "allow-hibernated", OPT_ALLOW_HIBERNATED, NULL,
    "discard what a hibernated or fast-started Windows has in memory" },
  { "block-size", OPT_BLOCK_SIZE, "SIZE",
    "payload block of the new disks (VHDX 1M to 256M, VHD 512K or\n2M)" },
  { "ca-file", OPT_CA_FILE, "FILE",
    "certificates to trust when the package is signed" },
  { "checkpoints", OPT_CHECKPOINTS, "TYPE",
    "Production (default), ProductionOnly, Standard or Disabled" },
  CMD_DEBUG,
  { "default-switch", OPT_DEFAULT_SWITCH, "SWITCH",
    "virtual switch for networks that nothing else maps" },
  { "deployment-option", OPT_DEPLOYMENT_OPTION, "ID",
    "which configuration of the OVF" },
  { "digest", OPT_DIGEST, NULL,
    "compute digests even where blocks could be shared unread" },
  { "disk-format", OPT_DISK_FORMAT, "FORMAT", "vhdx (default) or vhd" },
  { "driver", OPT_DRIVER, "DIR",
    "install the Windows drivers in DIR (INF files and what belongs\n"
    "to them); may be given again" },
  { "dry-run", OPT_DRY_RUN, NULL,
    "open, look and plan; print the plan, the findings and sizes;\n"
    "write nothing" },
  { "dynamic-memory", OPT_DYNAMIC_MEMORY, NULL,
    "dynamic memory instead of a fixed amount" },
  { "firstboot", OPT_FIRSTBOOT, "FILE",
    "run FILE (cmd, PowerShell or a script) when the guest first\n"
    "starts; may be given again" },
  { "fsck", OPT_FSCK, NULL,
    "read the changed guest's file systems from end to end; what is\n"
    "wrong is a finding, nothing is repaired" },
  { "generation", OPT_GENERATION, "1|2",
    "generation of the new machine; by default by evidence" },
  { "hardware-profile", OPT_HARDWARE_PROFILE, "FILE",
    "what it says goes for the new machine: 'v2v profile'" },
  CMD_HELP,
  { "initramfs", OPT_INITRAMFS, "HOW",
    "auto (default): rebuilt where a driver is missing; append: an\n"
    "archive is added, no program of the guest runs; rebuild: always" },
  CMD_JSON,
  { "keep-chain", OPT_KEEP_CHAIN, NULL,
    "keep parents as files of their own, the disk as their\n"
    "differencing child; by default a chain is flattened" },
  { "keep-tools", OPT_KEEP_TOOLS, NULL, "leave VMware Tools alone" },
  { "key", OPT_KEY, "SELECTOR:FILE",
    "the first line of FILE opens the encrypted disk SELECTOR (a\n"
    "device, a UUID or 'all'); may be given again" },
  { "library", OPT_LIBRARY, "DIR|NAME",
    "take the new machine into this library; without -o it is kept\n"
    "nowhere else" },
  { "manifest", OPT_MANIFEST, "HOW",
    "strict (default): a wrong digest in the package is an error;\n"
    "warn; off" },
  { "memory-maximum", OPT_MEMORY_MAXIMUM, "SIZE", "with --dynamic-memory" },
  { "memory-minimum", OPT_MEMORY_MINIMUM, "SIZE", "with --dynamic-memory" },
  { "migration-compatibility", OPT_MIGRATION_COMPATIBILITY, NULL,
    "hide processor features that other hosts may lack" },
  { "name", OPT_NAME, "NAME", "name of the new machine" },
  { "nested", OPT_NESTED, "on|off", "virtualization inside the guest" },
  { "network", OPT_NETWORK, "NET=SWITCH",
    "switch for one network of the source, may be followed by\n"
    "' vlan N'; may be given again" },
  { "network-map", OPT_NETWORK_MAP, "FILE",
    "which network becomes which switch; see v2v-formats(5)" },
  { "new-macs", OPT_NEW_MACS, NULL,
    "let the host choose MAC addresses; by default they are kept" },
  { "no-digest", OPT_NO_DIGEST, NULL, "do not compute digests" },
  { "no-guest", OPT_NO_GUEST, NULL, "copy the guest as it is: nothing inside is changed" },
  { "no-space-check", OPT_NO_SPACE_CHECK, NULL,
    "start even if DIR seems to have too little space" },
  { "no-sparse", OPT_NO_SPARSE, NULL,
    "allocate every block: for a copy to a Windows share" },
  { "output", 'o', "DIR", "where the folder of the new machine goes" },
  CMD_PROGRESS,
  { "rate", OPT_RATE, "SIZE", "at most so many bytes a second" },
  { "resume", OPT_RESUME, NULL,
    "go on where an interrupted conversion stopped" },
  { "root", OPT_ROOT, "DEVICE",
    "which operating system, when there are several: its device or\n"
    "its number" },
  { "rootdelay", OPT_ROOTDELAY, "SECONDS",
    "let Linux wait for its root disk" },
  { "search", OPT_SEARCH, "DIR",
    "look for parents there too; may be given again" },
  { "secure-boot", OPT_SECURE_BOOT, "on|off", "by default as in the source" },
  { "serial-console", OPT_SERIAL_CONSOLE, NULL,
    "let Linux use the first serial port as console, too" },
  { "shared-disks", OPT_SHARED_DISKS, "HOW",
    "disks that several machines share: skip (default), private\n"
    "or refuse" },
  { "snapshot", OPT_SNAPSHOT, "NAME",
    "a snapshot of the VMX, not the current state" },
  { "start-action", OPT_START_ACTION, "ACTION",
    "StartIfRunning (default), Nothing or Start" },
  { "start-delay", OPT_START_DELAY, "SECONDS", "wait before it starts" },
  { "stop-action", OPT_STOP_ACTION, "ACTION",
    "ShutDown (default), Save or TurnOff" },
  { "strict-networks", OPT_STRICT_NETWORKS, NULL,
    "a network that nothing maps is an error" },
  { "subformat", OPT_SUBFORMAT, "KIND", "dynamic (default) or fixed" },
  { "threads", OPT_THREADS, "N", "threads to use (one per processor)" },
  { "tpm", OPT_TPM, "on|off", "by default as in the source" },
  CMD_VERBOSE,
  CMD_VERSION,
  { "vm", OPT_VM, "NAME|all",
    "which machine of a package that holds several" },
  CMD_END
};
/* clang-format on */

struct args {
  struct v2v_source_opts source;
  struct v2v_convert_opts convert;
  struct v2v_document *hardware;
  struct v2v_network_map *networks;
  struct cmd_list search;
  struct cmd_list firstboot;
  struct cmd_list drivers;
  struct v2v_convert_guest guest;
  struct v2v_guest_stage stage;
  bool no_guest;
  const char *vm;
  const char *library_name;
  struct v2v_library *library;
  char *work; /* in the library, in place of -o */
};

static void
args_free (struct args *a)
{
  v2v_network_map_free (a->networks);
  v2v_document_free (a->hardware);
  cmd_list_free (&a->search);
  cmd_list_free (&a->firstboot);
  cmd_list_free (&a->drivers);
  v2v_guest_keys_clear (&a->guest.keys);
  v2v_library_close (a->library);
  free (a->work);
}

static void
cleanup_source (struct v2v_source **src)
{
  v2v_source_close (*src);
}
#define CLEANUP_SOURCE __attribute__ ((cleanup (cleanup_source)))

/* ---- options ---- */

static int
parse_on_off (const char *option, const char *arg, enum v2v_tristate *ret,
              struct v2v_error **err)
{
  if (strcmp (arg, "on") == 0)
    *ret = V2V_YES;
  else if (strcmp (arg, "off") == 0)
    *ret = V2V_NO;
  else
    return v2v_fail (err, V2V_ERR_USAGE, "--%s: '%s' is neither on nor off",
                     option, arg);
  return 0;
}

/* ARG is one of the words of LIST, separated by blanks; its number. */
static int
parse_word (const char *option, const char *arg, const char *list,
            unsigned *ret, struct v2v_error **err)
{
  const size_t len = strlen (arg);
  unsigned n = 0;

  for (const char *p = list; *p != '\0'; ++n) {
    const size_t word = strcspn (p, " ");

    if (word == len && memcmp (p, arg, len) == 0) {
      *ret = n;
      return 0;
    }
    p += word;
    p += strspn (p, " ");
  }
  return v2v_fail (err, V2V_ERR_USAGE, "--%s: '%s' is none of: %s", option, arg,
                   list);
}

static int
need_networks (struct args *a, struct v2v_error **err)
{
  if (a->networks == NULL)
    a->networks = v2v_network_map_new (err);
  return a->networks == NULL ? -1 : 0;
}

static int
set_network (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  if (c == OPT_NETWORK)
    return need_networks (a, err) == -1
               ? -1
               : v2v_network_map_add (a->networks, arg, err);
  if (a->networks != NULL)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "--network-map must come before "
                     "--network, and once");
  a->networks = v2v_network_map_load (arg, err);
  return a->networks == NULL ? -1 : 0;
}

static int
set_subformat (struct args *a, const char *arg, struct v2v_error **err)
{
  if (v2v_subformat_parse (arg, &a->convert.subformat) &&
      (a->convert.subformat == V2V_SUB_DYNAMIC ||
       a->convert.subformat == V2V_SUB_FIXED))
    return 0;
  return v2v_fail (err, V2V_ERR_USAGE,
                   "--subformat: '%s' is neither dynamic nor fixed", arg);
}

static int
set_hardware (struct args *a, const char *arg, struct v2v_error **err)
{
  static const enum v2v_document_kind kind = V2V_DOCUMENT_HARDWARE;

  if (a->hardware != NULL)
    return v2v_fail (err, V2V_ERR_USAGE, "--hardware-profile is given twice");
  a->hardware = document_open (NULL, arg, &kind, 1, err);
  a->convert.hardware = a->hardware;
  return a->hardware == NULL ? -1 : 0;
}

/* Options about the machine. */
static int
set_machine_value (struct args *a, int c, const char *arg,
                   struct v2v_error **err)
{
  struct v2v_hyperv_opts *h = &a->convert.hyperv;
  unsigned n = 0;
  int r;

  switch (c) {
  case OPT_CHECKPOINTS:
    return v2v_hyperv_checkpoint_parse (arg, &h->checkpoint)
               ? 0
               : parse_word ("checkpoints", arg,
                             "Production ProductionOnly Standard Disabled", &n,
                             err);
  case OPT_DEFAULT_SWITCH:
    h->default_switch = arg;
    return 0;
  case OPT_GENERATION:
    return cmd_parse_number ("generation", arg, 1, 2, &h->generation, err);
  case OPT_MEMORY_MAXIMUM:
    return cmd_parse_size ("memory-maximum", arg, &h->memory_max_bytes, err);
  case OPT_MEMORY_MINIMUM:
    return cmd_parse_size ("memory-minimum", arg, &h->memory_min_bytes, err);
  case OPT_NAME:
    h->name = arg;
    return arg[0] ? 0 : v2v_fail (err, V2V_ERR_USAGE, "--name: an empty name");
  case OPT_NESTED:
    return parse_on_off ("nested", arg, &h->nested, err);
  case OPT_SECURE_BOOT:
    return parse_on_off ("secure-boot", arg, &h->secure_boot, err);
  case OPT_TPM:
    return parse_on_off ("tpm", arg, &h->tpm, err);
  case OPT_SHARED_DISKS:
    r = parse_word ("shared-disks", arg, "skip private refuse", &n, err);
    h->shared_disks = (enum v2v_shared_disks) n;
    return r;
  case OPT_START_ACTION:
    return v2v_hyperv_start_action_parse (arg, &h->start_action)
               ? 0
               : parse_word ("start-action", arg,
                             "StartIfRunning Nothing Start", &n, err);
  case OPT_START_DELAY:
    return cmd_parse_number ("start-delay", arg, 0, 86400,
                             &h->start_delay_seconds, err);
  case OPT_STOP_ACTION:
    return v2v_hyperv_stop_action_parse (arg, &h->stop_action)
               ? 0
               : parse_word ("stop-action", arg, "ShutDown Save TurnOff", &n,
                             err);
  }
  return 0;
}

/* Options about the guest inside; 1 = C is none of them. */
static int
set_guest_value (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  struct v2v_guest_opts *o = &a->guest.opts;
  unsigned n = 0;
  int r;

  switch (c) {
  case OPT_DRIVER:
    return cmd_list_add (&a->drivers, arg, err);
  case OPT_FIRSTBOOT:
    return cmd_list_add (&a->firstboot, arg, err);
  case OPT_INITRAMFS:
    r = parse_word ("initramfs", arg, "auto append rebuild", &n, err);
    o->initramfs = (enum v2v_initramfs_mode) n;
    return r;
  case OPT_KEY:
    return v2v_guest_keys_add (&a->guest.keys, arg, err);
  case OPT_ROOT:
    o->root = arg;
    return 0;
  case OPT_ROOTDELAY:
    return cmd_parse_number ("rootdelay", arg, 0, 3600, &o->rootdelay_seconds,
                             err);
  }
  return 1;
}

/* Options about the source and the disks. */
static int
set_value (struct args *a, int c, const char *arg, struct v2v_error **err)
{
  struct v2v_convert_opts *o = &a->convert;
  unsigned n = 0;
  int r = set_guest_value (a, c, arg, err);

  if (r != 1)
    return r;
  switch (c) {
  case OPT_BLOCK_SIZE:
    return cmd_parse_size ("block-size", arg, &o->block_bytes, err);
  case OPT_CA_FILE:
    a->source.ca_file = arg;
    return 0;
  case OPT_LIBRARY:
    a->library_name = arg;
    return 0;
  case OPT_DEPLOYMENT_OPTION:
    a->source.deployment_option = arg;
    return 0;
  case OPT_DISK_FORMAT:
    r = parse_word ("disk-format", arg, "vhdx vhd", &n, err);
    o->hyperv.disk_format = (enum v2v_hyperv_disk_format) n;
    return r;
  case OPT_MANIFEST:
    r = parse_word ("manifest", arg, "strict warn off", &n, err);
    a->source.manifest = (enum v2v_manifest_policy) n;
    o->manifest_off = a->source.manifest == V2V_MANIFEST_OFF;
    return r;
  case OPT_NETWORK:
  case OPT_NETWORK_MAP:
    return set_network (a, c, arg, err);
  case 'o':
    o->output_dir = arg;
    return 0;
  case OPT_RATE:
    return cmd_parse_size ("rate", arg, &o->rate_limit, err);
  case OPT_HARDWARE_PROFILE:
    return set_hardware (a, arg, err);
  case OPT_SEARCH:
    return cmd_list_add (&a->search, arg, err);
  case OPT_SNAPSHOT:
    a->source.snapshot = arg;
    return 0;
  case OPT_SUBFORMAT:
    return set_subformat (a, arg, err);
  case OPT_THREADS:
    return cmd_parse_number ("threads", arg, 1, 64, &o->threads, err);
  case OPT_VM:
    a->vm = arg;
    return 0;
  default:
    return set_machine_value (a, c, arg, err);
  }
}

static void
set_flag (struct args *a, int c)
{
  struct v2v_convert_opts *o = &a->convert;
  const struct {
    int value;
    bool *flag;
  } flags[] = {
    { OPT_ALLOW_DIRTY, &a->guest.opts.allow_dirty },
    { OPT_ALLOW_HIBERNATED, &a->guest.opts.allow_hibernated },
    { OPT_DIGEST, &o->digest },
    { OPT_DRY_RUN, &o->dry_run },
    { OPT_DYNAMIC_MEMORY, &o->hyperv.dynamic_memory },
    { OPT_FSCK, &a->guest.opts.fsck },
    { OPT_KEEP_CHAIN, &o->keep_chain },
    { OPT_KEEP_TOOLS, &a->guest.opts.keep_tools },
    { OPT_MIGRATION_COMPATIBILITY, &o->hyperv.migration_compatibility },
    { OPT_NEW_MACS, &o->hyperv.new_macs },
    { OPT_NO_DIGEST, &o->no_digest },
    { OPT_NO_GUEST, &a->no_guest },
    { OPT_NO_SPACE_CHECK, &o->no_space_check },
    { OPT_NO_SPARSE, &o->no_sparse },
    { OPT_RESUME, &o->resume },
    { OPT_SERIAL_CONSOLE, &a->guest.opts.serial_console },
    { OPT_STRICT_NETWORKS, &o->hyperv.strict_networks },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (flags); ++i)
    if (flags[i].value == c)
      *flags[i].flag = true;
}

static int
validate (const struct cli *cli, const struct args *a, struct v2v_error **err)
{
  const struct v2v_convert_opts *o = &a->convert;

  if (o->output_dir == NULL && a->library_name == NULL && !o->dry_run) {
    v2v_fail (err, V2V_ERR_USAGE, "convert: where to? -o DIR is missing");
    return v2v_hint (err, "--dry-run needs none");
  }
  if (o->output_dir != NULL && o->output_dir[0] == '\0')
    return v2v_fail (err, V2V_ERR_USAGE, "--output: an empty name");
  if (o->hyperv.disk_format == V2V_HYPERV_VHD &&
      cmd_check_block_size ("vhd", o->block_bytes, err) == -1)
    return -1;
  if (o->digest && o->no_digest)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "convert: --digest and --no-digest exclude each other");
  if (o->keep_chain && o->subformat == V2V_SUB_FIXED)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "convert: --keep-chain and "
                     "--subformat fixed exclude each other");
  if (!o->hyperv.dynamic_memory &&
      (o->hyperv.memory_max_bytes || o->hyperv.memory_min_bytes))
    return v2v_fail (err, V2V_ERR_USAGE,
                     "convert: --memory-minimum and "
                     "--memory-maximum need --dynamic-memory");
  if (o->resume && strcmp (cli->args[0], "-") == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "convert: --resume and standard "
                     "input exclude each other");
  if (o->hyperv.name != NULL && a->vm != NULL && strcmp (a->vm, "all") == 0)
    return v2v_fail (err, V2V_ERR_USAGE,
                     "convert: --name is for one machine, not for --vm all");
  return 0;
}

static int
parse (struct cli *cli, struct args *a, struct v2v_error **err)
{
  const char *arg;
  int c;

  while ((c = cmd_getopt (cli, &arg, err)) > 0)
    if (arg == NULL)
      set_flag (a, c);
    else if (set_value (a, c, arg, err) == -1)
      return -1;
  if (c == -1 || cli->done)
    return c;
  a->source.search = a->convert.search = a->search.ptr;
  a->convert.hyperv.network_map = a->networks;
  a->guest.opts.firstboot = a->firstboot.ptr;
  a->guest.opts.drivers = a->drivers.ptr;
  a->stage =
      a->no_guest ? v2v_guest_stage_none : v2v_guest_stage_convert (&a->guest);
  a->convert.guest = &a->stage;
  return validate (cli, a, err);
}

/* ---- which machines ---- */

static int
refuse_choice (struct v2v_source *src, const char *vm, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str names = V2V_STR_INIT;
  const size_t n = v2v_source_nr_machines (src);

  for (size_t i = 0; i < n && i < 20; ++i) {
    const char *name = v2v_source_machine (src, i)->name;

    if (v2v_str_printf (&names, "%s'%s'", i ? ", " : "",
                        name ? name : "(no name)") == -1)
      return v2v_fail_nomem (err);
  }
  if (n > 20 && v2v_str_append (&names, ", ...") == -1)
    return v2v_fail_nomem (err);
  if (vm != NULL)
    v2v_fail (err, V2V_ERR_USAGE, "no machine is called '%s'; there are: %s",
              vm, names.ptr ? names.ptr : "none");
  else
    v2v_fail (err, V2V_ERR_USAGE, "the package holds %zu machines: %s", n,
              names.ptr);
  return v2v_hint (err, "choose with --vm NAME, or --vm all");
}

/* [*RET_FIRST, *RET_END) */
static int
choose (struct v2v_source *src, const char *vm, size_t *ret_first,
        size_t *ret_end, struct v2v_error **err)
{
  const size_t n = v2v_source_nr_machines (src);

  *ret_first = 0;
  *ret_end = n;
  if (vm == NULL)
    return n == 1 ? 0 : refuse_choice (src, NULL, err);
  for (size_t i = 0; i < n; ++i) {
    const char *name = v2v_source_machine (src, i)->name;

    if (name != NULL && strcmp (name, vm) == 0) {
      *ret_first = i;
      *ret_end = i + 1;
      return 0;
    }
  }
  return strcmp (vm, "all") == 0 ? 0 : refuse_choice (src, vm, err);
}

/* ---- the work ---- */

static void
print_text (const struct v2v_convert_result *result)
{
  fputs (result->text, stdout);
  if (result->folder != NULL)
    printf ("\n%s\n", result->folder);
}

/* Without -o the conversion is made in the library's own share. */
static int
open_library (struct args *a, struct v2v_error **err)
{
  if (a->library_name == NULL || a->convert.dry_run)
    return 0;
  a->library = v2v_library_open (a->library_name, err);
  if (a->library == NULL)
    return -1;
  if (a->convert.output_dir != NULL)
    return 0;
  a->work = v2v_library_work_folder (a->library, NULL, err);
  a->convert.output_dir = a->work;
  return a->work == NULL ? -1 : 0;
}

/* All of RESULT comes into the library at once.  *RET_ID is the machine. */
static int
deposit (struct args *a, const struct v2v_convert_result *result, char **ret_id,
         struct v2v_error **err)
{
  const struct v2v_import_opts opts = {
    .kind = "vm",
    .link = a->work != NULL,
    .threads = a->convert.threads,
    .progress = a->convert.progress,
    .progress_arg = a->convert.progress_arg,
    .cancel = a->convert.cancel,
  };
  struct v2v_import_result r = { 0 };

  *ret_id = NULL;
  if (a->library == NULL || result->folder == NULL)
    return 0;
  if (v2v_library_import (a->library, result->folder, &opts, &r, err) == -1) {
    v2v_hint (err, "the machine is in %s", result->folder);
    return -1;
  }
  *ret_id = r.id;
  return a->work == NULL ? 0 : v2v_library_work_done (result->folder, err);
}

/* What became of one machine: text now, JSON into LIST.  Takes over what is in
 * RESULT. */
static int
finish_one (struct cli *cli, struct args *a, struct v2v_convert_result *result,
            struct v2v_json *list, struct v2v_error **err)
{
  CLEANUP_FREE char *id = NULL;
  struct v2v_json *one;
  const int r = deposit (a, result, &id, err);

  v2v_progress_bar_clear (cli->progress);
  if (r == 0 && a->work != NULL)
    free (STEAL (result->folder));
  if (r == 0 && !cli->json) {
    print_text (result);
    if (id != NULL)
      printf ("%s%s\n", result->folder ? "" : "\n", id);
  }
  one = v2v_json_new_object ();
  v2v_json_set_string (one, "folder", result->folder);
  if (id != NULL)
    v2v_json_set_string (one, "library_id", id);
  v2v_json_set (one, a->convert.dry_run ? "plan" : "report",
                STEAL (result->report));
  v2v_json_append (list, one);
  v2v_convert_result_clear (result);
  return r;
}

static int
convert (struct cli *cli, struct args *a, struct v2v_error **err)
{
  CLEANUP_SOURCE struct v2v_source *src =
      v2v_source_open (cli->args[0], &a->source, err);
  CLEANUP_JSON struct v2v_json *o = v2v_json_new_object ();
  struct v2v_copy_opts display = { 0 };
  struct v2v_json *list;
  size_t i, end;

  if (src == NULL || choose (src, a->vm, &i, &end, err) == -1 ||
      open_library (a, err) == -1 ||
      cmd_progress_start (cli, &display, err) == -1)
    return -1;
  a->convert.progress = display.progress;
  a->convert.progress_arg = display.progress_arg;
  a->convert.cancel = display.cancel;
  list = v2v_json_new_array ();
  if (v2v_json_set (o, "conversions", list) == -1)
    return v2v_fail_nomem (err);
  for (; i < end; ++i) {
    struct v2v_convert_result result;

    if (v2v_convert (src, i, &a->convert, &result, err) == -1 ||
        finish_one (cli, a, &result, list, err) == -1)
      return -1;
  }
  return cli->json ? cmd_print_json (o, err) : 0;
}

static int
run (struct cli *cli, struct v2v_error **err)
{
  struct args a = { 0 };
  int r = parse (cli, &a, err);

  if (r == 0 && !cli->done)
    r = convert (cli, &a, err);
  args_free (&a);
  return r;
}

const struct v2v_command cmd_convert = {
  .name = "convert",
  .summary = "convert a machine from VMware to Hyper-V",
  .synopsis = "[OPTION...] SOURCE -o DIR",
  .examples =
      "  v2v convert appliance.ova -o /srv/hyperv\n"
      "  v2v convert --dry-run --json web.vmx\n"
      "  v2v convert --network 'VM Network=External vlan 20' vapp.ovf --vm all "
      "-o .\n",
  .options = options,
  .min_args = 1,
  .max_args = 1,
  .run = run,
};
