/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of a Linux guest: which are installed, which initramfs belongs to
 * each, and which modules each has.
 *
 * Never decided by the distribution's name: the folders of modules say which
 * kernels there are, the files in /boot and the boot entries say which image
 * and which initramfs are theirs, and modules.builtin, modules.dep and config-V
 * say what they hold.
 *
 * Sources: kmod's modules.dep(5) and kbuild.rst (modules.builtin) of the
 * kernel's documentation; the UAPI group's Boot Loader Specification (type #1
 * entries, type #2 unified images); the names of initramfs files are those of
 * dracut, initramfs-tools, mkinitrd, mkinitcpio and mkinitfs.
 */

#include <config.h>

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-entries.h"
#include "inject/uki.h"

/* A distribution's modules.dep has 1 to 2 MB. */
#define MAX_MODULE_LIST (16u << 20)

/* ---- names ---- */

/* The length of a module's name at NAME: up to ".ko", ".o" or the end. */
static size_t
name_length (const char *name, size_t len)
{
  const char *dot = memchr (name, '.', len);

  return dot ? (size_t) (dot - name) : len;
}

static const char *
after_slash (const char *p, size_t len, size_t *ret_len)
{
  const char *slash = memrchr (p, '/', len);

  *ret_len = slash ? len - (size_t) (slash + 1 - p) : len;
  return slash ? slash + 1 : p;
}

static bool
same_module (const char *a, size_t a_len, const char *b, size_t b_len)
{
  a = after_slash (a, a_len, &a_len);
  b = after_slash (b, b_len, &b_len);
  a_len = name_length (a, a_len);
  b_len = name_length (b, b_len);
  if (a_len != b_len || a_len == 0)
    return false;
  for (size_t i = 0; i < a_len; ++i)
    if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
      return false;
  return true;
}

bool
linux_module_is (const char *a, const char *b)
{
  return same_module (a, strlen (a), b, strlen (b));
}

int
linux_compare_versions (const char *a, const char *b)
{
  while (*a != '\0' && *b != '\0') {
    if (isdigit ((unsigned char) *a) && isdigit ((unsigned char) *b)) {
      size_t na, nb;
      int c;

      a += strspn (a, "0");
      b += strspn (b, "0");
      na = strspn (a, "0123456789");
      nb = strspn (b, "0123456789");
      if (na != nb)
        return na < nb ? -1 : 1;
      c = strncmp (a, b, na);
      if (c != 0)
        return c;
      a += na;
      b += nb;
    }
    else if (*a != *b) {
      return (unsigned char) *a - (unsigned char) *b;
    }
    else {
      ++a;
      ++b;
    }
  }
  return (*a != '\0') - (*b != '\0');
}

/* ---- the files of a kernel ---- */

/* The first of PATTERNS, each with one %s for TEXT, that is a file. */
static int
first_file (struct linux_guest *l, const char *const patterns[],
            const char *text, char **ret, struct v2v_error **err)
{
  for (size_t i = 0; patterns[i] != NULL; ++i) {
    const char *at = strchr (patterns[i], '%');
    char *path;

    if (asprintf (&path, "%.*s%s%s", (int) (at - patterns[i]), patterns[i],
                  text, at + 1) == -1)
      return v2v_fail_nomem (err);
    if (v2v_guest_is_file (l->g, path)) {
      *ret = path;
      return 1;
    }
    free (path);
  }
  return 0;
}

static const char *const images_by_version[] = {
  "/boot/vmlinuz-%", "/boot/vmlinux-%", "/boot/Image-%",
  "/boot/kernel-%",  "/boot/bzImage-%", NULL,
};
/* By the name of a package or flavour: Arch, Alpine. */
static const char *const images_by_flavour[] = { "/boot/vmlinuz-%", NULL };
static const char *const initramfs_by_version[] = {
  "/boot/initramfs-%.img", "/boot/initrd.img-%",
  "/boot/initrd-%",        "/boot/initrd-%.img",
  "/boot/initramfs-%",     "/boot/initramfs-genkernel-x86_64-%",
  "/boot/booster-%.img",   NULL,
};

/* The word by which Arch ("linux", from pkgbase) and Alpine ("lts", the end of
 * the version) call the files of kernel VERSION; NULL = none. */
static int
find_flavour (struct linux_guest *l, const struct linux_kernel *k, char **ret,
              struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *e = NULL;
  const char *dash = strrchr (k->version, '-');

  if (asprintf (&path, "%s/pkgbase", k->modules) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  *ret = v2v_guest_read_text (l->g, path, &e);
  v2v_error_free (e);
  if (*ret != NULL) {
    (*ret)[strcspn (*ret, "\r\n/")] = '\0';
    return 0;
  }
  if (dash != NULL && dash[1] != '\0' && (*ret = strdup (dash + 1)) == NULL)
    return v2v_fail_nomem (err);
  return 0;
}

/* Fedora and others with kernel-install in its own layout:
 * $BOOT/MACHINE-ID/VERSION/{linux,initrd}. */
static int
find_by_machine_id (struct linux_guest *l, struct linux_kernel *k,
                    struct v2v_error **err)
{
  static const char *const roots[] = { "/boot", "/boot/efi", "/efi" };
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *id = v2v_guest_read_text (l->g, "/etc/machine-id", &e);

  v2v_error_free (e);
  if (id == NULL || strspn (id, "0123456789abcdef") != 32)
    return 0;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (roots); ++i) {
    CLEANUP_FREE char *image = NULL, *initrd = NULL;

    if (asprintf (&image, "%s/%.32s/%s/linux", roots[i], id, k->version) ==
            -1 ||
        asprintf (&initrd, "%s/%.32s/%s/initrd", roots[i], id, k->version) ==
            -1)
      return v2v_fail_nomem (err);
    if (k->image == NULL && v2v_guest_is_file (l->g, image))
      k->image = STEAL (image);
    /* The folder's initramfs is its image's, no other's. */
    if (k->initramfs == NULL && k->image != NULL && image == NULL &&
        v2v_guest_is_file (l->g, initrd))
      k->initramfs = STEAL (initrd);
  }
  return 0;
}

/* Is PATH "[TOKEN-]VERSION[+TRIES[-DONE]].efi"?  6.1.0-1 is not 6.1.0-10. */
static bool
names_version (const char *path, const char *version)
{
  const char *name = strrchr (path, '/') + 1;
  const size_t n = strlen (version);

  for (const char *p = name; (p = strstr (p, version)) != NULL; ++p)
    if ((p == name || p[-1] == '-') &&
        (strcmp (p + n, ".efi") == 0 ||
         (p[n] == '+' && isdigit ((unsigned char) p[n + 1]))))
      return true;
  return false;
}

/* The unified images of a guest, and the kernel in each. */
struct unified {
  char *path;
  char *version; /* as the image says (.uname), or NULL */
};
V2V_VECTOR (unified_vector, struct unified);

static void
free_unified (unified_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].path);
    free (v->ptr[i].version);
  }
  free (v->ptr);
}

/* Small sections come before the kernel and the initramfs. */
#define UKI_HEAD_BYTES (2u << 20)
static char *
uki_version (struct linux_guest *l, const char *path)
{
  size_t len = 0;
  CLEANUP_FREE void *head =
      v2v_guest_read_head (l->g, path, UKI_HEAD_BYTES, &len, NULL);
  struct v2v_io *io = head ? v2v_io_from_buffer ("uki", head, len, NULL) : NULL;
  char *version = io ? v2v_uki_read_text (io, ".uname", NULL) : NULL;

  v2v_io_unref (io);
  return version;
}

static int
list_unified (struct linux_guest *l, unified_vector *out,
              struct v2v_error **err)
{
  static const char *const folders[] = { "/boot/efi/EFI/Linux",
                                         "/efi/EFI/Linux", "/boot/EFI/Linux" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **list = v2v_guest_glob (l->g, folders[i], "*.efi", err);

    if (list == NULL)
      return -1;
    for (size_t n = 0; list[n] != NULL && out->len < LINUX_MAX_KERNELS; ++n) {
      struct unified u = { .path = strdup (list[n]),
                           .version = uki_version (l, list[n]) };

      if (u.path == NULL || unified_vector_append (out, u) == -1) {
        free (u.path);
        free (u.version);
        return v2v_fail_nomem (err);
      }
    }
  }
  return 0;
}

/* The unified kernel image that says, or else is called by, its version. */
static int
find_uki (const unified_vector *ukis, struct linux_kernel *k,
          struct v2v_error **err)
{
  for (size_t i = 0; i < ukis->len; ++i) {
    const struct unified *u = &ukis->ptr[i];

    if (u->version ? strcmp (u->version, k->version) != 0
                   : !names_version (u->path, k->version))
      continue;
    k->image = strdup (u->path);
    k->is_uki = true;
    return k->image ? 0 : v2v_fail_nomem (err);
  }
  return 0;
}

/* Images and initramfs files that never start the machine by themselves. */
static bool
is_special (const char *path)
{
  return strstr (path, "rescue") != NULL || strstr (path, "kdump") != NULL ||
         strstr (path, ".pre-v2v") != NULL || strstr (path, ".old") != NULL ||
         strstr (path, "memtest") != NULL;
}

/* Is the entry made for this VERSION, wherever its files are?  kernel-install
 * copies them to $BOOT/TOKEN/VERSION/ of the EFI partition, and what is in
 * /boot then is not what is started. */
static bool
is_entry_of (const struct linux_entry *e, const char *version)
{
  const size_t n = strlen (version);

  if (e->version != NULL && strcmp (e->version, version) == 0)
    return true;
  for (const char *p = e->image; (p = strstr (p, version)) != NULL; ++p)
    if (p > e->image && p[-1] == '/' && p[n] == '/')
      return true;
  return false;
}

/* What a boot entry names for this very version comes before any guess. */
static int
find_by_entry (struct linux_kernel *k, const linux_entry_vector *entries,
               struct v2v_error **err)
{
  for (size_t i = 0; i < entries->len && k->image == NULL; ++i) {
    const struct linux_entry *e = &entries->ptr[i];

    if (!is_entry_of (e, k->version) || is_special (e->image))
      continue;
    k->image = strdup (e->image);
    if (k->image == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

/* The entries that start K->image: it is offered, with their initramfs. */
static int
find_by_image (struct linux_kernel *k, const linux_entry_vector *entries,
               struct v2v_error **err)
{
  for (size_t i = 0; i < entries->len; ++i) {
    const struct linux_entry *e = &entries->ptr[i];

    if (strcmp (e->image, k->image) != 0 && strcmp (e->name, k->image) != 0)
      continue;
    k->offered = true;
    /* Arch's first entry is the one with the host-tuned image. */
    if (k->initramfs == NULL && e->initramfs != NULL &&
        !is_special (e->initramfs) &&
        (k->initramfs = strdup (e->initramfs)) == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
find_files (struct linux_guest *l, struct linux_kernel *k,
            const linux_entry_vector *entries, const unified_vector *ukis,
            struct v2v_error **err)
{
  CLEANUP_FREE char *flavour = NULL;

  if (find_by_entry (k, entries, err) == -1 ||
      (k->image == NULL &&
       first_file (l, images_by_version, k->version, &k->image, err) == -1))
    return -1;
  if (k->modules != NULL && find_flavour (l, k, &flavour, err) == -1)
    return -1;
  if (k->image == NULL && flavour != NULL &&
      first_file (l, images_by_flavour, flavour, &k->image, err) == -1)
    return -1;
  if (find_by_machine_id (l, k, err) == -1)
    return -1;
  if (k->image == NULL && find_uki (ukis, k, err) == -1)
    return -1;
  if (k->image == NULL || k->is_uki)
    return 0;
  if (find_by_image (k, entries, err) == -1)
    return -1;
  if (k->initramfs == NULL && first_file (l, initramfs_by_version, k->version,
                                          &k->initramfs, err) == -1)
    return -1;
  if (k->initramfs == NULL && flavour != NULL &&
      first_file (l, initramfs_by_version, flavour, &k->initramfs, err) == -1)
    return -1;
  return 0;
}

/* ---- the list ---- */

static void
kernel_clear (struct linux_kernel *k)
{
  free (k->version);
  free (k->image);
  free (k->initramfs);
  free (k->modules);
  free (k->builtin);
  free (k->dep);
  free (k->config);
}

void
linux_kernels_clear (struct linux_guest *l)
{
  for (size_t i = 0; i < l->nr_kernels; ++i)
    kernel_clear (&l->kernels[i]);
  free (l->kernels);
  v2v_guest_free_list (l->other_images);
  l->kernels = NULL;
  l->other_images = NULL;
  l->nr_kernels = 0;
}

static bool
is_known (const struct linux_guest *l, const char *version)
{
  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (strcmp (l->kernels[i].version, version) == 0)
      return true;
  return false;
}

/* FOLDER may be NULL.  A folder without an image is what a removed kernel
 * leaves behind. */
static int
add_kernel (struct linux_guest *l, const char *version, const char *folder,
            const linux_entry_vector *entries, const unified_vector *ukis,
            struct v2v_error **err)
{
  struct linux_kernel k = { 0 };
  struct linux_kernel *p;

  if (is_known (l, version))
    return 0;
  if (l->nr_kernels == LINUX_MAX_KERNELS)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "more than %d kernels are installed in the guest",
                     LINUX_MAX_KERNELS);
  k.version = strdup (version);
  if (folder != NULL)
    k.modules = strdup (folder);
  if (k.version == NULL || (folder != NULL && k.modules == NULL)) {
    kernel_clear (&k);
    return v2v_fail_nomem (err);
  }
  if (find_files (l, &k, entries, ukis, err) == -1) {
    kernel_clear (&k);
    return -1;
  }
  if (k.image == NULL) {
    kernel_clear (&k);
    return 0;
  }
  p = reallocarray (l->kernels, l->nr_kernels + 1, sizeof *p);
  if (p == NULL) {
    kernel_clear (&k);
    return v2v_fail_nomem (err);
  }
  l->kernels = p;
  l->kernels[l->nr_kernels++] = k;
  return 0;
}

static int
compare_kernels (const void *a, const void *b)
{
  return linux_compare_versions (((const struct linux_kernel *) a)->version,
                                 ((const struct linux_kernel *) b)->version);
}

/* Kernels without a folder of modules: everything is built in. */
static int
add_monolithic (struct linux_guest *l, const linux_entry_vector *entries,
                struct v2v_error **err)
{
  static const unified_vector none = V2V_VECTOR_INIT;
  CLEANUP_LIST char **list =
      v2v_guest_glob (l->g, "/boot", "vmlinu[xz]-*", err);

  if (list == NULL)
    return -1;
  for (size_t i = 0; list[i] != NULL; ++i) {
    const char *version = strchr (list[i], '-') + 1;
    bool taken = is_special (list[i]) || !v2v_guest_is_file (l->g, list[i]);

    for (size_t k = 0; k < l->nr_kernels; ++k)
      taken = taken || strcmp (l->kernels[k].image, list[i]) == 0;
    if (!taken && add_kernel (l, version, NULL, entries, &none, err) == -1)
      return -1;
  }
  return 0;
}

/* Reading one takes seconds: Pop!_OS has two, Arch a fallback for each kernel. */
#define MAX_OTHER_IMAGES 4

static bool
is_listed (char *const *list, size_t n, const char *path)
{
  for (size_t i = 0; i < n; ++i)
    if (strcmp (list[i], path) == 0)
      return true;
  return false;
}

/* What is started by the entries beside the kernels that were found. */
static int
find_other_images (struct linux_guest *l, const linux_entry_vector *entries,
                   struct v2v_error **err)
{
  size_t n = 0;

  l->other_images = calloc (MAX_OTHER_IMAGES + 1, sizeof *l->other_images);
  if (l->other_images == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < entries->len && n < MAX_OTHER_IMAGES; ++i) {
    const char *path = entries->ptr[i].initramfs;
    bool is_own = false;

    for (size_t k = 0; path != NULL && k < l->nr_kernels; ++k)
      is_own = is_own || (l->kernels[k].initramfs != NULL &&
                          strcmp (l->kernels[k].initramfs, path) == 0);
    if (path == NULL || is_own || is_special (path) ||
        is_listed (l->other_images, n, path))
      continue;
    l->other_images[n] = strdup (path);
    if (l->other_images[n++] == NULL)
      return v2v_fail_nomem (err);
  }
  return 0;
}

int
linux_find_kernels (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const folders[] = { "/lib/modules", "/usr/lib/modules" };
  __attribute__ ((cleanup (linux_entries_clear))) linux_entry_vector entries =
      V2V_VECTOR_INIT;
  __attribute__ ((cleanup (free_unified))) unified_vector ukis =
      V2V_VECTOR_INIT;
  bool any = false;

  linux_kernels_clear (l);
  if (linux_read_entries (l, &entries, err) == -1 ||
      list_unified (l, &ukis, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **list = v2v_guest_glob (l->g, folders[i], "*", err);

    if (list == NULL)
      return -1;
    for (size_t n = 0; list[n] != NULL; ++n)
      if (v2v_guest_is_dir (l->g, list[n]) &&
          add_kernel (l, strrchr (list[n], '/') + 1, list[n], &entries, &ukis,
                      err) == -1)
        return -1;
  }
  if (add_monolithic (l, &entries, err) == -1)
    return -1;
  if (l->nr_kernels > 1)
    qsort (l->kernels, l->nr_kernels, sizeof *l->kernels, compare_kernels);
  /* Where no entry could be matched (GRUB scripts with variables, a loader we
   * do not know), every kernel counts.  A unified image is its own entry. */
  for (size_t i = 0; i < l->nr_kernels; ++i)
    any = any || l->kernels[i].offered;
  for (size_t i = 0; i < l->nr_kernels; ++i)
    if (!any || l->kernels[i].is_uki)
      l->kernels[i].offered = true;
  l->is_matched = any;
  return find_other_images (l, &entries, err);
}

/* ---- modules ---- */

/* The options that put a module of section 2 into the kernel itself. */
static const struct {
  const char *module, *option;
} options[] = {
  { "hv_vmbus", "CONFIG_HYPERV" },
  { "hv_storvsc", "CONFIG_HYPERV_STORAGE" },
  { "hv_netvsc", "CONFIG_HYPERV_NET" },
  { "hv_utils", "CONFIG_HYPERV_UTILS" },
  { "hv_balloon", "CONFIG_HYPERV_BALLOON" },
  { "hyperv_keyboard", "CONFIG_HYPERV_KEYBOARD" },
  { "hid_hyperv", "CONFIG_HID_HYPERV_MOUSE" },
  { "hyperv_drm", "CONFIG_DRM_HYPERV" },
  { "hyperv_fb", "CONFIG_FB_HYPERV" },
  { "pci_hyperv", "CONFIG_PCI_HYPERV" },
  { "pci_hyperv_intf", "CONFIG_PCI_HYPERV_INTERFACE" },
  { "hv_sock", "CONFIG_HYPERV_VSOCKETS" },
};

/* A list of FOLDER, NULL with ERR unset when there is none or it is no text. */
static char *
read_list (struct linux_guest *l, const char *folder, const char *name,
           struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = NULL;
  size_t len;

  if (asprintf (&path, "%s/%s", folder, name) == -1) {
    path = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  text = v2v_guest_read (l->g, path, MAX_MODULE_LIST, &len, &e);
  if (e != NULL && v2v_error_code (e) == V2V_ERR_GUEST) {
    v2v_error_free (e);
    return NULL;
  }
  if (e != NULL) {
    v2v_error_move (err, e);
    return NULL;
  }
  if (text != NULL && strlen (text) != len)
    return NULL;
  return STEAL (text);
}

static int
load_lists (struct linux_guest *l, struct linux_kernel *k,
            struct v2v_error **err)
{
  CLEANUP_FREE char *config = NULL;
  struct v2v_error *e = NULL;

  if (k->is_loaded)
    return 0;
  if (asprintf (&config, "config-%s", k->version) == -1) {
    config = NULL;
    return v2v_fail_nomem (err);
  }
  if (k->modules != NULL) {
    k->builtin = read_list (l, k->modules, "modules.builtin", &e);
    if (e == NULL)
      k->dep = read_list (l, k->modules, "modules.dep", &e);
  }
  if (e == NULL)
    k->config = read_list (l, "/boot", config, &e);
  if (e == NULL && k->config == NULL && k->modules != NULL)
    k->config = read_list (l, k->modules, "config", &e);
  k->is_loaded = true;
  return e == NULL ? 0 : v2v_error_move (err, e);
}

/* The line of the list TEXT whose path, up to a ':', is module NAME. */
static const char *
find_line (const char *text, const char *name, size_t *ret_len)
{
  for (const char *p = text; p != NULL && *p != '\0';
       p += strcspn (p, "\n"), p += *p == '\n') {
    const size_t len = strcspn (p, ":\n");

    if (same_module (p, len, name, strlen (name))) {
      *ret_len = len;
      return p;
    }
  }
  return NULL;
}

static bool
config_has (const char *config, const char *name)
{
  for (size_t i = 0; config != NULL && i < V2V_ARRAY_SIZE (options); ++i) {
    const size_t len = strlen (options[i].option);

    if (!linux_module_is (options[i].module, name))
      continue;
    for (const char *p = config; (p = strstr (p, options[i].option)) != NULL;
         p += len)
      if ((p == config || p[-1] == '\n') && strncmp (p + len, "=y", 2) == 0)
        return true;
  }
  return false;
}

/* Without modules.dep: look where these modules are. */
static int
search_tree (struct linux_guest *l, struct linux_kernel *k, const char *name,
             char **ret_path, struct v2v_error **err)
{
  static const char *const folders[] = {
    "updates",
    "extra",
    "extra/hyper-v",
    "weak-updates",
    "kernel/drivers/hv",
    "kernel/drivers/scsi",
    "kernel/drivers/net/hyperv",
    "kernel/drivers/input/serio",
    "kernel/drivers/hid",
    "kernel/drivers/gpu/drm/hyperv",
    "kernel/drivers/video/fbdev",
    "kernel/drivers/pci",
    "kernel/drivers/pci/controller",
    "kernel/drivers/pci/host",
    "kernel/drivers/staging/hv",
    "kernel/net/vmw_vsock",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_FREE char *folder = NULL;
    CLEANUP_LIST char **list = NULL;

    if (asprintf (&folder, "%s/%s", k->modules, folders[i]) == -1) {
      folder = NULL;
      return v2v_fail_nomem (err);
    }
    list = v2v_guest_list (l->g, folder, err);
    if (list == NULL)
      return -1;
    for (size_t n = 0; list[n] != NULL; ++n) {
      if (!linux_module_is (list[n], name) ||
          (strstr (list[n], ".ko") == NULL && strstr (list[n], ".o") == NULL))
        continue;
      if (asprintf (ret_path, "%s/%s", folders[i], list[n]) == -1) {
        *ret_path = NULL;
        return v2v_fail_nomem (err);
      }
      return LINUX_MODULE_FILE;
    }
  }
  return LINUX_MODULE_MISSING;
}

int
linux_module_find (struct linux_guest *l, struct linux_kernel *k,
                   const char *name, char **ret_path, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  const char *line;
  size_t len;
  int r;

  if (ret_path != NULL)
    *ret_path = NULL;
  if (load_lists (l, k, err) == -1)
    return -1;
  if (find_line (k->builtin, name, &len) != NULL)
    return LINUX_MODULE_BUILTIN;
  line = find_line (k->dep, name, &len);
  if (line != NULL) {
    CLEANUP_FREE char *full = NULL;
    const size_t top = strlen (k->modules);

    /* Before module-init-tools 3.6 the paths were absolute. */
    if (len > top && strncmp (line, k->modules, top) == 0 && line[top] == '/') {
      line += top + 1;
      len -= top + 1;
    }
    path = strndup (line, len);
    if (path == NULL || asprintf (&full, "%s/%s", k->modules, path) == -1) {
      full = NULL;
      return v2v_fail_nomem (err);
    }
    /* A list that names what is not there is wrong. */
    if (v2v_guest_is_file (l->g, full)) {
      if (ret_path != NULL)
        *ret_path = STEAL (path);
      return LINUX_MODULE_FILE;
    }
    free (STEAL (path));
  }
  if (config_has (k->config, name))
    return LINUX_MODULE_BUILTIN;
  if (k->modules == NULL || (k->dep != NULL && line == NULL))
    return LINUX_MODULE_MISSING;
  r = search_tree (l, k, name, &path, err);
  if (r == LINUX_MODULE_FILE && ret_path != NULL)
    *ret_path = STEAL (path);
  return r;
}
