/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the description of a machine to the command line of QEMU.
 *
 * Generation 1 is the PC of 1996 with its two IDE controllers, generation 2 a
 * machine with UEFI.  Hyper-V's own SCSI controller and network adapter are
 * not there in QEMU: virtio takes their place, which Linux finds by itself.
 * Secure Boot and the TPM are left out.
 *
 * Devices and images are given as JSON (qemu(1), -device and -blockdev), so
 * that no name needs quoting.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/io.h"
#include "library/host-qemu.h"

/* Hyper-V's own limits, by which the plan has gone. */
#define MAX_PROCESSORS 2048
#define MAX_MEMORY_MIB (UINT64_C (240) * 1024 * 1024)
#define MAX_LOCATION   63
#define MAX_CONTROLLER 3

void
qemu_machine_clear (struct qemu_machine *m)
{
  for (size_t i = 0; i < m->nr_disks; ++i)
    free (m->disks[i].path);
  free (m->name);
  free (m->folder);
  free (m->lab);
  memset (m, 0, sizeof *m);
}

/* ---- reading ---- */

static int
bad (const char *what, size_t i, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "%s %zu of the description is wrong",
                   what, i + 1);
}

static int
read_place (const struct v2v_json *o, struct qemu_disk *d)
{
  const char *bus = v2v_json_get_string (o, "bus");
  uint64_t controller, location;

  if (bus == NULL || !v2v_json_get_u64 (o, "controller", &controller) ||
      !v2v_json_get_u64 (o, "location", &location))
    return -1;
  d->scsi = strcmp (bus, "scsi") == 0;
  if (controller > (d->scsi ? MAX_CONTROLLER : 1) ||
      location > (d->scsi ? MAX_LOCATION : 1))
    return -1;
  d->controller = (unsigned) controller;
  d->location = (unsigned) location;
  return 0;
}

static int
add_image (struct qemu_machine *m, const struct v2v_json *o, size_t i, bool cd,
           struct v2v_error **err)
{
  struct qemu_disk *d = &m->disks[m->nr_disks];
  const char *file = v2v_json_get_string (o, "file");
  const char *dot = file ? strrchr (file, '.') : NULL;
  const bool child = v2v_json_length (v2v_json_get (o, "parents")) > 0;

  memset (d, 0, sizeof *d);
  if (m->nr_disks == QEMU_MAX_DISKS || read_place (o, d) == -1 ||
      (file == NULL && !cd))
    return bad (cd ? "CD drive" : "disk", i, err);
  if (file != NULL && !v2v_check_plain_name (file, err))
    return -1;
  d->cd = cd;
  d->boot_index = -1;
  d->format = "raw";
  if (!cd && !child && dot != NULL && strcmp (dot, ".vhdx") == 0)
    d->format = "vhdx";
  else if (!cd && !child)
    d->format = "vpc";
  if (file != NULL && asprintf (&d->path, "%s/%s%s", child ? m->lab : m->folder,
                                file, child ? ".raw" : "") == -1) {
    d->path = NULL;
    return v2v_fail_nomem (err);
  }
  m->nr_disks++;
  return 0;
}

/* "00155D010203" as 00:15:5d:01:02:03. */
static int
read_mac (const char *s, char ret[18])
{
  uint8_t b[6];

  ret[0] = '\0';
  if (s == NULL)
    return 0;
  if (strlen (s) != 12 || !v2v_unhex (s, 12, b, sizeof b))
    return -1;
  snprintf (ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
            b[4], b[5]);
  return 0;
}

/* In generation 1 the order is one of kinds, in generation 2 of devices. */
static void
read_boot_order (struct qemu_machine *m, const struct v2v_json *list)
{
  int next = 0;

  for (size_t i = 0; i < v2v_json_length (list); ++i) {
    const struct v2v_json *o = v2v_json_at (list, i);
    const char *kind = v2v_json_get_string (o, "kind");
    uint64_t index = 0;
    const bool all = !v2v_json_get_u64 (o, "index", &index);
    const bool net = kind != NULL && strcmp (kind, "network") == 0;
    const bool cd = kind != NULL && strcmp (kind, "dvd") == 0;
    uint64_t n = 0;

    for (size_t k = 0; net && k < m->nr_nics; ++k)
      if (all || k == index)
        m->nic_boot_index[k] = next++;
    if (net || kind == NULL || (!cd && strcmp (kind, "disk") != 0))
      continue;
    for (size_t k = 0; k < m->nr_disks; ++k)
      if (m->disks[k].cd == cd && (n++ == index || all) &&
          m->disks[k].boot_index == -1)
        m->disks[k].boot_index = next++;
  }
}

static int
read_target (struct qemu_machine *m, const struct v2v_json *t,
             struct v2v_error **err)
{
  const struct v2v_json *disks = v2v_json_get (t, "disks");
  const struct v2v_json *dvds = v2v_json_get (t, "dvd_drives");
  const struct v2v_json *nics = v2v_json_get (t, "network_adapters");
  const char *family =
      v2v_json_get_string (v2v_json_get (t, "guest"), "family");
  uint64_t generation, memory;

  if (!v2v_json_get_u64 (t, "generation", &generation) || generation < 1 ||
      generation > 2 ||
      !v2v_json_get_u64 (v2v_json_get (t, "processor"), "count",
                         &m->processors) ||
      m->processors < 1 || m->processors > MAX_PROCESSORS ||
      !v2v_json_get_u64 (v2v_json_get (t, "memory"), "startup_bytes",
                         &memory) ||
      memory / V2V_MIB < 1 || memory / V2V_MIB > MAX_MEMORY_MIB)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "no generation, processors or memory of a machine");
  m->generation = (unsigned) generation;
  m->memory_mib = memory / V2V_MIB;
  m->windows = family != NULL && strcmp (family, "windows") == 0;
  for (size_t i = 0; i < v2v_json_length (disks); ++i)
    if (add_image (m, v2v_json_at (disks, i), i, false, err) == -1)
      return -1;
  for (size_t i = 0; i < v2v_json_length (dvds); ++i)
    if (add_image (m, v2v_json_at (dvds, i), i, true, err) == -1)
      return -1;
  for (size_t i = 0; i < v2v_json_length (nics); ++i) {
    if (i == QEMU_MAX_NICS ||
        read_mac (v2v_json_get_string (v2v_json_at (nics, i), "mac"),
                  m->macs[i]) == -1)
      return bad ("adapter", i, err);
    m->nic_boot_index[m->nr_nics++] = -1;
  }
  read_boot_order (m,
                   v2v_json_get (v2v_json_get (t, "firmware"), "boot_order"));
  return 0;
}

int
qemu_describe (const char *text, const char *name, const char *folder,
               struct qemu_machine *ret, struct v2v_error **err)
{
  CLEANUP_JSON struct v2v_json *j =
      v2v_json_parse (text, strlen (text), name, err);
  int r = -1;

  memset (ret, 0, sizeof *ret);
  if (j == NULL)
    return -1;
  ret->name = strdup (name);
  ret->folder = strdup (folder);
  if (asprintf (&ret->lab, "%s/" HOST_RUN, folder) == -1)
    ret->lab = NULL;
  if (ret->name == NULL || ret->folder == NULL || ret->lab == NULL)
    v2v_fail_nomem (err);
  else
    r = read_target (ret, v2v_json_get (j, "target"), err);
  if (r == 0)
    return 0;
  qemu_machine_clear (ret);
  return v2v_prefix (err, "%s.json", name);
}

/* ---- the command line ---- */

struct builder {
  lib_strings *list;
  struct v2v_error **err;
  bool failed;
};

/* Takes over S; NULL is out of memory. */
static void
add_taken (struct builder *b, char *s)
{
  if (!b->failed && s != NULL && lib_strings_append (b->list, s) == 0)
    return;
  free (s);
  if (!b->failed)
    v2v_fail_nomem (b->err);
  b->failed = true;
}

static void
add (struct builder *b, const char *s)
{
  add_taken (b, strdup (s));
}

static void addf (struct builder *b, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
static void
addf (struct builder *b, const char *fmt, ...)
{
  char *s = NULL;
  va_list args;
  int n;

  va_start (args, fmt);
  n = vasprintf (&s, fmt, args);
  va_end (args);
  add_taken (b, n == -1 ? NULL : s);
}

/* S as the value of an option: commas doubled (qemu(1), -drive). */
static char *
comma_safe (const char *s)
{
  struct v2v_str out = V2V_STR_INIT;
  int r = v2v_str_append (&out, "");

  for (; r == 0 && *s != '\0'; ++s)
    r = v2v_str_append_len (&out, *s == ',' ? ",," : s, *s == ',' ? 2 : 1);
  if (r == 0)
    return out.ptr;
  v2v_str_free (&out);
  return NULL;
}

/* OPTION and O as JSON; takes over O. */
static void
add_json (struct builder *b, const char *option, struct v2v_json *o)
{
  add (b, option);
  add_taken (b, v2v_json_ok (o) ? v2v_json_dump (o, 0) : NULL);
  v2v_json_free (o);
}

static void
add_image_file (struct builder *b, const char *node, const char *format,
                const char *path, bool read_only)
{
  struct v2v_json *o = v2v_json_new_object (), *f = v2v_json_new_object ();

  v2v_json_set_string (f, "driver", "file");
  v2v_json_set_string (f, "filename", path);
  v2v_json_set_string (o, "driver", format);
  v2v_json_set_string (o, "node-name", node);
  v2v_json_set_bool (o, "read-only", read_only);
  v2v_json_set (o, "file", f);
  add_json (b, "-blockdev", o);
}

static void
add_disk (struct builder *b, const struct qemu_disk *d, size_t i)
{
  struct v2v_json *o = v2v_json_new_object ();
  char node[32], bus[24];

  snprintf (node, sizeof node, "image%zu", i);
  if (d->path != NULL)
    add_image_file (b, node, d->format, d->path, d->cd);
  if (d->scsi)
    snprintf (bus, sizeof bus, "scsi%u.0", d->controller);
  else
    snprintf (bus, sizeof bus, "ide.%u", d->controller);
  v2v_json_set_string (o, "driver",
                       d->scsi ? (d->cd ? "scsi-cd" : "scsi-hd")
                               : (d->cd ? "ide-cd" : "ide-hd"));
  v2v_json_set_string (o, "bus", bus);
  v2v_json_set_u64 (o, d->scsi ? "scsi-id" : "unit", d->location);
  if (d->path != NULL)
    v2v_json_set_string (o, "drive", node);
  if (d->boot_index >= 0)
    v2v_json_set_u64 (o, "bootindex", (uint64_t) d->boot_index);
  add_json (b, "-device", o);
}

static void
add_nic (struct builder *b, const struct qemu_machine *m, size_t i)
{
  struct v2v_json *o = v2v_json_new_object ();
  char id[24];

  snprintf (id, sizeof id, "net%zu", i);
  add (b, "-netdev");
  addf (b, "user,id=%s", id);
  v2v_json_set_string (o, "driver", m->windows ? "e1000e" : "virtio-net-pci");
  v2v_json_set_string (o, "netdev", id);
  if (m->macs[i][0] != '\0')
    v2v_json_set_string (o, "mac", m->macs[i]);
  if (m->nic_boot_index[i] >= 0)
    v2v_json_set_u64 (o, "bootindex", (uint64_t) m->nic_boot_index[i]);
  else
    v2v_json_set_string (o, "romfile", ""); /* a package of its own */
  add_json (b, "-device", o);
}

static void
add_scsi (struct builder *b, const struct qemu_machine *m)
{
  for (unsigned c = 0; c <= MAX_CONTROLLER; ++c) {
    bool used = false;

    for (size_t i = 0; i < m->nr_disks; ++i)
      used |= m->disks[i].scsi && m->disks[i].controller == c;
    if (!used)
      continue;
    add (b, "-device");
    addf (b, "virtio-scsi-pci,id=scsi%u", c);
  }
}

static void
add_console (struct builder *b, const struct qemu_machine *m, int qmp_fd)
{
  CLEANUP_FREE char *lab = comma_safe (m->lab);

  add (b, "-chardev");
  addf (b, "file,id=console,path=%s/console.log", lab ? lab : "");
  add (b, "-serial");
  add (b, "chardev:console");
  add (b, "-chardev");
  addf (b, "socket,id=qmp,fd=%d,server=on,wait=off", qmp_fd);
  add (b, "-mon");
  add (b, "chardev=qmp,mode=control");
  add (b, "-pidfile");
  addf (b, "%s/pid", m->lab);
}

int
qemu_arguments (const struct qemu_machine *m, int qmp_fd, lib_strings *ret,
                struct v2v_error **err)
{
  static const char *const fixed[] = { "-no-user-config", "-nodefaults",
                                       "-display",        "none",
                                       "-daemonize",      "-rtc",
                                       "base=utc" };
  struct builder b = { .list = ret, .err = err };
  const bool kvm =
      m->accelerator != NULL && strcmp (m->accelerator, "kvm") == 0;
  CLEANUP_FREE char *name = comma_safe (m->name);

  add (&b, "qemu-system-x86_64");
  for (size_t i = 0; i < V2V_ARRAY_SIZE (fixed); ++i)
    add (&b, fixed[i]);
  add (&b, "-name");
  addf (&b, "guest=%s", name ? name : "");
  add (&b, "-accel");
  add (&b, kvm ? "kvm" : "tcg,thread=multi");
  add (&b, "-cpu");
  add (&b, kvm ? "host" : "max");
  add (&b, "-smp");
  addf (&b, "%" PRIu64, m->processors);
  add (&b, "-m");
  addf (&b, "%" PRIu64, m->memory_mib);
  add (&b, "-machine");
  if (m->generation == 1)
    add (&b, "pc");
  else {
    CLEANUP_FREE char *vars = NULL;

    add (&b, "q35,pflash0=code,pflash1=vars");
    if (asprintf (&vars, "%s/vars.fd", m->lab) == -1)
      vars = NULL;
    add_image_file (&b, "code", "raw", m->firmware ? m->firmware : "", true);
    add_image_file (&b, "vars", "raw", vars ? vars : "", false);
  }
  add (&b, "-device");
  add (&b, "VGA");
  add_scsi (&b, m);
  for (size_t i = 0; i < m->nr_disks; ++i)
    add_disk (&b, &m->disks[i], i);
  for (size_t i = 0; i < m->nr_nics; ++i)
    add_nic (&b, m, i);
  add_console (&b, m, qmp_fd);
  if (!b.failed && lib_strings_append (ret, NULL) == 0)
    return 0;
  if (!b.failed)
    v2v_fail_nomem (err);
  return -1;
}
