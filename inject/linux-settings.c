/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings that fit VMware only, or that keep Hyper-V's drivers out.
 *
 * Source: modprobe.d(5), modules-load.d(5), modules(5), xorg.conf(5); the
 * kernel's names of VMware's drivers; the unit files of hyperv-daemons in
 * Debian, Fedora and SUSE; chrony.conf(5) on PHC refclocks.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-edit.h"

/* ---- modprobe ---- */

static const char *const hyperv_modules[] = {
  "hv_vmbus",   "hv_storvsc",      "hv_netvsc",         "hv_utils",
  "hv_sock",    "hyperv_keyboard", "hid_hyperv",        "hv_balloon",
  "pci_hyperv", "pci_hyperv_intf", "scsi_transport_fc",
};

static const char *const vmware_modules[] = {
  "vmw_pvscsi", "vmw_balloon", "vmw_vmci",       "vmw_vsock_vmci_transport",
  "vmxnet",     "vmxnet3",     "vmhgfs",         "vmblock",
  "vmmemctl",   "vmci",        "vmwgfx",         "pvscsi",
  "vmsync",     "ptp_vmw",     "vmware_balloon",
};

/* '-' is '_' in names of modules. */
static bool
is_module (const char *word, size_t len, const char *const *list, size_t nr)
{
  for (size_t i = 0; i < nr; ++i) {
    size_t k = 0;

    while (k < len && list[i][k] != '\0' &&
           (word[k] == '-' ? '_' : word[k]) == list[i][k])
      ++k;
    if (k == len && list[i][k] == '\0')
      return true;
  }
  return false;
}

/* The N-th word of LINE (from 0), or "" of length 0. */
static const char *
word_of (const char *line, unsigned n, size_t *ret_len)
{
  for (;; --n) {
    line += strspn (line, " \t");
    *ret_len = strcspn (line, " \t");
    if (n == 0 || *ret_len == 0)
      return line;
    line += *ret_len;
  }
}

static bool
word_is (const char *line, unsigned n, const char *text)
{
  size_t len;
  const char *w = word_of (line, n, &len);

  return len == strlen (text) && strncmp (w, text, len) == 0;
}

static int
comment_out (const char *line, struct v2v_str *ret)
{
  return v2v_str_printf (ret, "# v2v: %s", line) == -1 ? -1
                                                       : LINUX_EDIT_REPLACE;
}

/* "blacklist hv_storvsc", "install hv_vmbus /bin/false", "alias hv_utils
 * off". */
int
linux_allow_hyperv (void *arg, const char *line, struct v2v_str *ret)
{
  size_t len;
  const char *name = word_of (line, 1, &len);
  const bool forbids =
      word_is (line, 0, "blacklist") ||
      (word_is (line, 0, "install") &&
       (word_is (line, 2, "/bin/false") || word_is (line, 2, "/bin/true") ||
        word_is (line, 2, "/usr/bin/false") ||
        word_is (line, 2, "/usr/bin/true") || word_is (line, 2, "/dev/null") ||
        word_is (line, 2, "/sbin/false") || word_is (line, 2, ":"))) ||
      (word_is (line, 0, "alias") && word_is (line, 2, "off"));

  (void) arg;
  if (!forbids ||
      !is_module (name, len, hyperv_modules, V2V_ARRAY_SIZE (hyperv_modules)))
    return LINUX_EDIT_KEEP;
  return comment_out (line, ret);
}

/* What would keep the guest from its disks is taken out; the initramfs has a
 * copy of it. */
static int
fix_modprobe (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const folders[] = {
    "/etc/modprobe.d",           "/usr/lib/modprobe.d", "/lib/modprobe.d",
    "/usr/local/lib/modprobe.d", "/run/modprobe.d",
  };
  static const char why[] = "Hyper-V's drivers must not be forbidden";
  int changed = 0, r;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    /* Old modprobe reads every file there, whatever its name is. */
    r = linux_edit_glob (l, folders[i], "*", linux_allow_hyperv, NULL, why,
                         err);
    if (r == -1)
      return -1;
    changed |= r;
  }
  r = linux_edit_or_find (l, "/etc/modprobe.conf", linux_allow_hyperv, NULL,
                          why, err);
  if (r == -1)
    return -1;
  if (changed | r)
    l->initramfs_is_stale = l->initramfs_is_vital = true;
  return 0;
}

static int
drop_vmware_module (void *arg, const char *line, struct v2v_str *ret)
{
  size_t len;
  const char *name = word_of (line, 0, &len);

  (void) arg;
  if (!is_module (name, len, vmware_modules, V2V_ARRAY_SIZE (vmware_modules)))
    return LINUX_EDIT_KEEP;
  return comment_out (line, ret);
}

static int
fix_modules_load (struct linux_guest *l, struct v2v_error **err)
{
  static const char why[] = "a driver of VMware's devices";

  if (linux_edit_or_find (l, "/etc/modules", drop_vmware_module, NULL, why,
                          err) == -1 ||
      linux_edit_glob (l, "/etc/modules-load.d", "*.conf", drop_vmware_module,
                       NULL, why, err) == -1)
    return -1;
  return 0;
}

/* ---- display ---- */

struct xorg {
  const char *driver; /* what takes the place of "vmware" */
};

/* Driver "vmware" -> DRIVER, Driver "vmmouse" -> "mouse"; keywords of X know
 * no case. */
static int
change_driver (void *arg, const char *line, struct v2v_str *ret)
{
  const struct xorg *x = arg;
  const char *word = line + strspn (line, " \t"), *open, *close, *to;
  size_t len;

  if (strncasecmp (word, "Driver", 6) != 0 || !strchr (" \t\"", word[6]))
    return LINUX_EDIT_KEEP;
  open = strchr (word, '"');
  close = open ? strchr (open + 1, '"') : NULL;
  if (close == NULL)
    return LINUX_EDIT_KEEP;
  len = (size_t) (close - open - 1);
  if (len == 6 && strncasecmp (open + 1, "vmware", len) == 0)
    to = x->driver;
  else if (len == 7 && strncasecmp (open + 1, "vmmouse", len) == 0)
    to = "mouse";
  else
    return LINUX_EDIT_KEEP;
  if (v2v_str_append_len (ret, line, (size_t) (open + 1 - line)) == -1 ||
      v2v_str_append (ret, to) == -1 || v2v_str_append (ret, close) == -1)
    return -1;
  return LINUX_EDIT_REPLACE;
}

static bool
has_x_driver (struct v2v_guest *g, const char *name)
{
  static const char *const folders[] = {
    "/usr/lib/xorg/modules/drivers",
    "/usr/lib64/xorg/modules/drivers",
    "/usr/lib/xorg/modules/updates/drivers",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    char *path;
    bool is;

    if (asprintf (&path, "%s/%s_drv.so", folders[i], name) == -1)
      return false;
    is = v2v_guest_is_file (g, path);
    free (path);
    if (is)
      return true;
  }
  return false;
}

static int
fix_display (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const files[] = { "/etc/X11/xorg.conf",
                                       "/etc/X11/XF86Config",
                                       "/etc/X11/XF86Config-4" };
  static const char why[] = "no device of VMware's display is left";
  /* A server before 1.17 may have modesetting as a package of its own, and
   * RHEL 5 has none. */
  struct xorg x = { .driver = "modesetting" };

  if (!has_x_driver (l->g, "modesetting") && has_x_driver (l->g, "fbdev"))
    x.driver = "fbdev";
  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (linux_edit_or_find (l, files[i], change_driver, &x, why, err) == -1)
      return -1;
  return linux_edit_glob (l, "/etc/X11/xorg.conf.d", "*.conf", change_driver,
                          &x, why, err) == -1
             ? -1
             : 0;
}

/* ---- time ---- */

static int
find_vmware_clock (void *arg, const char *line, struct v2v_str *ret)
{
  bool *found = arg;

  (void) ret;
  line += strspn (line, " \t");
  if (*line != '#' && *line != ';' && *line != '!' &&
      (strstr (line, "ptp_vmw") != NULL || strstr (line, "/dev/ptp0") != NULL))
    *found = true;
  return LINUX_EDIT_KEEP;
}

static int
check_clock (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const files[] = { "/etc/chrony.conf",
                                       "/etc/chrony/chrony.conf",
                                       "/etc/ntp.conf", "/etc/ptp4l.conf" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i) {
    bool found = false;

    if (linux_edit_or_find (l, files[i], find_vmware_clock, &found, "", err) ==
        -1)
      return -1;
    if (found &&
        linux_finding (l, V2V_WARNING, "guest.time.ptp-device", files[i],
                       "name /dev/ptp_hyperv there, or leave the time to "
                       "Hyper-V's time synchronization",
                       err,
                       "the clock of VMware's host is a source of time here; "
                       "the device has another name on Hyper-V") == -1)
      return -1;
  }
  return 0;
}

/* ---- services ---- */

/* Red Hat and Fedora; Debian and Ubuntu; SUSE. */
static const char *const daemons[] = {
  "hypervkvpd.service",    "hypervvssd.service",    "hypervfcopyd.service",
  "hv-kvp-daemon.service", "hv-vss-daemon.service", "hv-fcopy-daemon.service",
  "hv_kvp_daemon.service", "hv_vss_daemon.service", "hv_fcopy_daemon.service",
};

static int
fix_services (struct linux_guest *l, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (daemons); ++i) {
    struct v2v_error *e = NULL;

    if (linux_enable_unit (l->g, daemons[i],
                           "the package is installed, Hyper-V talks to it",
                           &e) == -1 &&
        linux_tolerate (l, daemons[i], e, err) == -1)
      return -1;
  }
  /* It asks at the console about each changed device, and takes the
   * configuration of the network away. */
  return linux_disable_service (l->g, "kudzu", "it would ask about new devices",
                                err) == -1
             ? -1
             : 0;
}

int
linux_fix_settings (struct linux_guest *l, struct v2v_error **err)
{
  if (fix_modprobe (l, err) == -1 || fix_modules_load (l, err) == -1 ||
      fix_display (l, err) == -1 || check_clock (l, err) == -1 ||
      fix_services (l, err) == -1)
    return -1;
  return 0;
}
