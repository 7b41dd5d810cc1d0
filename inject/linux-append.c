/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One more archive behind an initramfs: modules it lacks, without running any
 * code of the guest.
 *
 * The kernel unpacks all archives over each other, so that the archive brings
 *   - the modules with all they depend on, unpacked (what loads them may not
 *     know the compression; a signature is part of the module and stays);
 *   - modules.dep and modules.dep.bin for everything that is then in the
 *     image, made from the guest's own modules.dep;
 *   - the order to load them first, in the words of whoever made the image.
 * A folder is added only where none is: over a link ("lib" -> "usr/lib") it
 * would take the link's place.
 *
 * Sources: the kernel's buffer-format.rst and init/initramfs.c; modules.dep(5);
 * for the load order initramfs-tools(7) "conf/modules", dracut.cmdline(7)
 * "rd.driver.pre" and the hooks of dracut.modules(7), the /config of
 * mkinitcpio(8), modules-load.d(5), /etc/modules in mkinitfs' init.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/vector.h"
#include "inject/linux-initramfs.h"
#include "inject/unpack.h"

/* A driver with what it depends on: hv_storvsc needs three. */
#define MAX_DEPENDENCIES 64
/* A module as a file, packed, and unpacked. */
#define MAX_MODULE_BYTES V2V_CPIO_MAX_WANTED

/* A module of the image: found by its name, '-' as '_'. */
struct member {
  char *key;
  char *path; /* below lib/modules/VERSION/ */
};
V2V_VECTOR (member_vector, struct member);

struct overlay {
  struct linux_guest *l;
  struct linux_kernel *k;
  const struct v2v_initramfs *im;
  struct v2v_cpio_writer *w;
  char *prefix;            /* "usr/lib/modules/VERSION/" */
  member_vector members;   /* of the image, sorted */
  member_vector additions; /* few */
  struct v2v_str folders;  /* added, one a line */
};

static void
free_members (member_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].key);
    free (v->ptr[i].path);
  }
  free (v->ptr);
}

static void
overlay_clear (struct overlay *o)
{
  free (o->prefix);
  free_members (&o->members);
  free_members (&o->additions);
  v2v_str_free (&o->folders);
}

/* ---- what the image has ---- */

/* The name of a module's file of LEN bytes as modprobe spells it. */
static char *
module_key (const char *path, size_t len)
{
  const char *slash = memrchr (path, '/', len);
  const char *base = slash ? slash + 1 : path;
  const size_t n = len - (size_t) (base - path);
  const char *dot = memchr (base, '.', n);
  char *key = strndup (base, dot ? (size_t) (dot - base) : n);

  for (char *p = key; p != NULL && *p != '\0'; ++p)
    if (*p == '-')
      *p = '_';
  return key;
}

static int
add_member (member_vector *v, const char *path, size_t len)
{
  struct member m = { .key = module_key (path, len),
                      .path = strndup (path, len) };

  if (m.key == NULL || m.path == NULL || member_vector_append (v, m) == -1) {
    free (m.key);
    free (m.path);
    return -1;
  }
  return 0;
}

static int
compare_members (const void *a, const void *b)
{
  return strcmp (((const struct member *) a)->key,
                 ((const struct member *) b)->key);
}

/* Find the modules of this version, and where they stand. */
static int
collect (struct overlay *o, struct v2v_error **err)
{
  CLEANUP_FREE char *top = NULL;
  const struct v2v_initramfs_file *lib = v2v_initramfs_find (o->im, "lib");

  if (asprintf (&top, "lib/modules/%s/", o->k->version) == -1) {
    top = NULL;
    return v2v_fail_nomem (err);
  }
  for (size_t i = 0; i < o->im->nr_files; ++i) {
    const char *name = o->im->files[i].name;
    const char *p = strstr (name, top);

    if (p == NULL || (p != name && p[-1] != '/'))
      continue;
    p += strlen (top);
    if (o->prefix == NULL &&
        (o->prefix = strndup (name, (size_t) (p - name))) == NULL)
      return v2v_fail_nomem (err);
    if (strstr (p, ".ko") != NULL && S_ISREG (o->im->files[i].mode) &&
        o->im->files[i].size_bytes > 0 &&
        add_member (&o->members, p, strlen (p)) == -1)
      return v2v_fail_nomem (err);
  }
  if (o->members.len > 1)
    qsort (o->members.ptr, o->members.len, sizeof *o->members.ptr,
           compare_members);
  if (o->prefix == NULL &&
      asprintf (&o->prefix, "%s%s",
                lib != NULL && S_ISLNK (lib->mode) ? "usr/" : "", top) == -1) {
    o->prefix = NULL;
    return v2v_fail_nomem (err);
  }
  return 0;
}

/* The module by the name of the LEN bytes PATH, or NULL. */
static const struct member *
find_member (const struct overlay *o, const char *path, size_t len)
{
  CLEANUP_FREE char *key = module_key (path, len);
  const struct member wanted = { .key = key };

  if (key == NULL)
    return NULL;
  for (size_t i = 0; i < o->additions.len; ++i)
    if (strcmp (o->additions.ptr[i].key, key) == 0)
      return &o->additions.ptr[i];
  if (o->members.len == 0)
    return NULL;
  return bsearch (&wanted, o->members.ptr, o->members.len,
                  sizeof *o->members.ptr, compare_members);
}

/* ---- putting files in ---- */

static bool
is_added_folder (const struct overlay *o, const char *path, size_t len)
{
  for (const char *p = o->folders.ptr; p != NULL && *p != '\0';
       p += strcspn (p, "\n") + 1)
    if (strncmp (p, path, len) == 0 && p[len] == '\n')
      return true;
  return false;
}

static int
add_folders (struct overlay *o, const char *path, struct v2v_error **err)
{
  for (const char *p = strchr (path, '/'); p != NULL; p = strchr (p + 1, '/')) {
    const size_t len = (size_t) (p - path);
    CLEANUP_FREE char *folder = strndup (path, len);

    if (folder == NULL)
      return v2v_fail_nomem (err);
    if (v2v_initramfs_find (o->im, folder) != NULL ||
        is_added_folder (o, folder, len))
      continue;
    if (v2v_cpio_add (o->w, folder, S_IFDIR | 0755, "", 0, err) == -1)
      return -1;
    if (v2v_str_printf (&o->folders, "%s\n", folder) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

static int
add_file (struct overlay *o, const char *path, uint32_t mode, const void *data,
          size_t len, struct v2v_error **err)
{
  if (add_folders (o, path, err) == -1)
    return -1;
  return v2v_cpio_add (o->w, path, S_IFREG | mode, data, len, err);
}

/* ---- modules ---- */

/* DATA unpacked; NULL and ERR when it is damaged or too large. */
static char *
unpack_module (const char *packing, const void *data, size_t len,
               size_t *ret_len, struct v2v_error **err)
{
  struct v2v_unpack *u = v2v_unpack_new (packing, err);
  CLEANUP_FREE char *out = malloc (MAX_MODULE_BYTES);
  size_t in_pos = 0, out_pos = 0, used, got;
  bool end = false;
  int r = 0;

  if (u == NULL)
    return NULL;
  if (out == NULL)
    r = v2v_fail_nomem (err);
  while (r == 0 && !end) {
    r = v2v_unpack_run (u, (const char *) data + in_pos, len - in_pos, &used,
                        out + out_pos, MAX_MODULE_BYTES - out_pos, &got, &end,
                        err);
    if (r == 0 && used == 0 && got == 0 && !end)
      r = v2v_fail (err, V2V_ERR_FORMAT,
                    "%s: the module is cut, or has more than %u bytes", packing,
                    MAX_MODULE_BYTES);
    if (r == 0) {
      in_pos += used;
      out_pos += got;
    }
  }
  v2v_unpack_free (u);
  if (r == -1)
    return NULL;
  *ret_len = out_pos;
  return STEAL (out);
}

/* Add the module PATH (LEN bytes, below K->modules) unless it is there. */
static int
add_module (struct overlay *o, const char *path, size_t len,
            struct v2v_error **err)
{
  CLEANUP_FREE char *file = NULL, *target = NULL;
  CLEANUP_FREE char *data = NULL;
  const char *packing, *ko;
  struct v2v_error *e = NULL;
  size_t data_len = 0;

  if (find_member (o, path, len) != NULL)
    return 0;
  if (asprintf (&file, "%s/%.*s", o->k->modules, (int) len, path) == -1) {
    file = NULL;
    return v2v_fail_nomem (err);
  }
  data = v2v_guest_read (o->l->g, file, MAX_MODULE_BYTES, &data_len, &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (data == NULL)
    return v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", file);
  packing = v2v_unpack_probe (data, data_len);
  if (packing != NULL) {
    char *plain = unpack_module (packing, data, data_len, &data_len, err);

    if (plain == NULL)
      return v2v_prefix (err, "%s", file);
    free (data);
    data = plain;
  }
  if (data_len < 4 || memcmp (data, "\177ELF", 4) != 0)
    return v2v_fail (err, V2V_ERR_GUEST, "%s in the guest is no module", file);
  /* "x.ko.xz" is x.ko now. */
  ko = memmem (path, len, ".ko", 3);
  if (packing != NULL && ko != NULL)
    len = (size_t) (ko + 3 - path);
  if (asprintf (&target, "%s%.*s", o->prefix, (int) len, path) == -1) {
    target = NULL;
    return v2v_fail_nomem (err);
  }
  if (add_file (o, target, 0644, data, data_len, err) == -1)
    return -1;
  return add_member (&o->additions, path, len) == -1 ? v2v_fail_nomem (err) : 0;
}

/* The line of modules.dep about the file PATH; it ends at a newline. */
static const char *
dep_line (const char *dep, const char *path)
{
  const size_t len = strlen (path);

  for (const char *p = dep; *p != '\0'; p += strcspn (p, "\n"), p += *p == '\n')
    if (strncmp (p, path, len) == 0 && p[len] == ':')
      return p;
  return NULL;
}

/* NAME and all that its line names: the list is complete, in the order in
 * which it must be removed. */
static int
add_driver (struct overlay *o, const char *name, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  const char *line, *p;
  unsigned n = 0;
  const int state = linux_module_find (o->l, o->k, name, &path, err);

  if (state != LINUX_MODULE_FILE)
    return state == -1 ? -1 : 0;
  line = dep_line (o->k->dep, path);
  if (line != NULL) {
    const char *end = line + strcspn (line, "\n");

    for (p = line + strlen (path) + 1; p < end && n < MAX_DEPENDENCIES; ++n) {
      size_t len;

      p += strspn (p, " \t");
      len = strcspn (p, " \t\n");
      if (len > 0 && add_module (o, p, len, err) == -1)
        return -1;
      p += len;
    }
  }
  return add_module (o, path, strlen (path), err);
}

/* ---- the lists of modules ---- */

/* "PATH: PATH PATH" of one line of the guest's list, as it holds in the image;
 * an empty string when the module is not in it. */
static int
image_line (const struct overlay *o, const char *line, struct v2v_str *out)
{
  const size_t head = strcspn (line, ":\n");
  const char *end = line + strcspn (line, "\n");
  const struct member *m = find_member (o, line, head);

  if (m == NULL || line[head] != ':')
    return v2v_str_append (out, "");
  if (v2v_str_printf (out, "%s:", m->path) == -1)
    return -1;
  for (const char *p = line + head + 1; p < end;) {
    size_t len;

    p += strspn (p, " \t");
    len = strcspn (p, " \t\n");
    m = len > 0 ? find_member (o, p, len) : NULL;
    if (m != NULL && v2v_str_printf (out, " %s", m->path) == -1)
      return -1;
    p += len;
  }
  return 0;
}

V2V_VECTOR (entry_vector, struct kmod_entry);

static void
free_entries (entry_vector *v)
{
  for (size_t i = 0; i < v->len; ++i) {
    free (v->ptr[i].key);
    free (v->ptr[i].value);
  }
  free (v->ptr);
}

static int
add_lists (struct overlay *o, struct v2v_error **err)
{
  __attribute__ ((cleanup (free_entries))) entry_vector entries =
      V2V_VECTOR_INIT;
  CLEANUP_STR struct v2v_str text = V2V_STR_INIT, index = V2V_STR_INIT;
  CLEANUP_FREE char *dep = NULL, *bin = NULL;

  for (const char *p = o->k->dep; *p != '\0';
       p += strcspn (p, "\n"), p += *p == '\n') {
    struct v2v_str line = V2V_STR_INIT;
    struct kmod_entry e;

    if (image_line (o, p, &line) == -1) {
      v2v_str_free (&line);
      return v2v_fail_nomem (err);
    }
    if (line.len == 0) {
      v2v_str_free (&line);
      continue;
    }
    e.key = module_key (line.ptr, strcspn (line.ptr, ":"));
    e.value = line.ptr;
    if (e.key == NULL || entry_vector_append (&entries, e) == -1 ||
        v2v_str_printf (&text, "%s\n", e.value) == -1) {
      if (entries.len == 0 || entries.ptr[entries.len - 1].value != e.value) {
        free (e.key);
        free (e.value);
      }
      return v2v_fail_nomem (err);
    }
  }
  if (asprintf (&dep, "%smodules.dep", o->prefix) == -1 ||
      asprintf (&bin, "%smodules.dep.bin", o->prefix) == -1)
    return v2v_fail_nomem (err);
  if (kmod_index_write (entries.ptr, entries.len, &index, err) == -1 ||
      add_file (o, dep, 0644, text.ptr ? text.ptr : "", text.len, err) == -1)
    return -1;
  return add_file (o, bin, 0644, index.ptr, index.len, err);
}

/* ---- the order to load ---- */

/* PATH as it is in the image, with TEXT behind it. */
static int
extend_file (struct overlay *o, const char *path, const char *text,
             struct v2v_error **err)
{
  const struct v2v_initramfs_file *f = v2v_initramfs_find (o->im, path);
  CLEANUP_STR struct v2v_str s = V2V_STR_INIT;
  const char *old = f != NULL && f->data != NULL ? f->data : "";

  /* Beyond what is kept of one image: what stands in it must not get lost. */
  if (f != NULL && f->data == NULL && f->size_bytes > 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s in the initramfs is too large to be extended", path);
  if (strstr (old, text) != NULL)
    return 0;
  if (v2v_str_printf (&s, "%s%s%s", old,
                      *old && old[strlen (old) - 1] != '\n' ? "\n" : "",
                      text) == -1)
    return v2v_fail_nomem (err);
  return add_file (o, path, f ? f->mode & 07777 : 0644, s.ptr, s.len, err);
}

static int
hint_dracut (struct overlay *o, const char *pre, const char *probe,
             const char *list, struct v2v_error **err)
{
  static const char *const hooks[] = {
    "usr/lib/dracut/hooks/pre-udev", "lib/dracut/hooks/pre-udev",
    "var/lib/dracut/hooks/pre-udev", "pre-udev", /* dracut 004 of RHEL 6 */
  };

  if (extend_file (o, "etc/cmdline.d/90-v2v-hyperv.conf", pre, err) == -1 ||
      extend_file (o, "etc/modules-load.d/v2v-hyperv.conf", list, err) == -1)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (hooks); ++i) {
    CLEANUP_FREE char *path = NULL;

    if (v2v_initramfs_find (o->im, hooks[i]) == NULL)
      continue;
    if (asprintf (&path, "%s/00-v2v-hyperv.sh", hooks[i]) == -1) {
      path = NULL;
      return v2v_fail_nomem (err);
    }
    return add_file (o, path, 0755, probe, strlen (probe), err);
  }
  return 0;
}

/* 1 = said how, 0 = this image is made by nobody we know. */
static int
add_hint (struct overlay *o, const struct linux_drivers *d,
          struct v2v_error **err)
{
  CLEANUP_FREE char *list = linux_join_drivers (d, "", "\n");
  CLEANUP_FREE char *words = linux_join_drivers (d, " ", "");
  CLEANUP_FREE char *pre = linux_join_drivers (d, "rd.driver.pre=", "\n");
  CLEANUP_FREE char *probe = NULL, *config = NULL;
  int r;

  if (list == NULL || words == NULL || pre == NULL ||
      asprintf (&probe, "#!/bin/sh\nfor m in%s; do modprobe $m; done\n",
                words) == -1 ||
      asprintf (&config, "MODULES=\"$MODULES%s\"\n", words) == -1)
    return v2v_fail_nomem (err);
  if (v2v_initramfs_find (o->im, "scripts/functions") != NULL) {
    r = extend_file (o, "conf/modules", list, err);
  }
  else if (v2v_initramfs_find (o->im, "init_functions") != NULL) {
    r = extend_file (o, "config", config, err);
    if (r == 0)
      r = extend_file (o, "etc/modules-load.d/v2v-hyperv.conf", list, err);
  }
  else if (v2v_initramfs_find (o->im, "usr/lib/dracut") != NULL ||
           v2v_initramfs_find (o->im, "lib/dracut") != NULL ||
           v2v_initramfs_find (o->im, "pre-udev") != NULL) {
    r = hint_dracut (o, pre, probe, list, err);
  }
  else if (v2v_initramfs_find (o->im, "sbin/nlplug-findfs") != NULL ||
           v2v_initramfs_find (o->im, "usr/sbin/nlplug-findfs") != NULL) {
    r = extend_file (o, "etc/modules", list, err);
  }
  else if (v2v_initramfs_find (o->im, "usr/lib/systemd/systemd") != NULL) {
    r = extend_file (o, "etc/modules-load.d/v2v-hyperv.conf", list, err);
  }
  else {
    return 0;
  }
  return r == -1 ? -1 : 1;
}

int
linux_make_overlay (struct linux_guest *l, struct linux_kernel *k,
                    const struct v2v_initramfs *im,
                    const struct linux_drivers *d, struct v2v_cpio_writer *w,
                    const char **ret_reason, struct v2v_error **err)
{
  __attribute__ ((cleanup (
      overlay_clear))) struct overlay o = { .l = l, .k = k, .im = im, .w = w };
  int r;

  if (k->modules == NULL || k->dep == NULL) {
    *ret_reason = "the guest has no modules.dep for this kernel";
    return 0;
  }
  if (collect (&o, err) == -1)
    return -1;
  for (size_t i = 0; i < d->n; ++i)
    if (add_driver (&o, d->name[i], err) == -1)
      return -1;
  if (add_lists (&o, err) == -1)
    return -1;
  r = add_hint (&o, d, err);
  if (r == 0)
    *ret_reason = "it is not known how this initramfs is told what to load";
  return r;
}

/* ---- pinned names ---- */

/* Does the image's udev give an interface of hv_netvsc its name? */
static int
names_interfaces (struct linux_guest *l, struct linux_kernel *k,
                  const struct v2v_initramfs *im, struct v2v_error **err)
{
  bool udev = false;
  int state;

  for (size_t i = 0; i < im->nr_files && !udev; ++i)
    udev = strstr (im->files[i].name, "udev/rules.d/") != NULL;
  if (!udev)
    return 0;
  if (v2v_initramfs_find_module (im, k->version, "hv_netvsc") != NULL)
    return 1;
  state = linux_module_find (l, k, "hv_netvsc", NULL, err);
  return state == -1 ? -1 : state == LINUX_MODULE_BUILTIN;
}

static int
add_pin (struct overlay *o, const char *path, struct v2v_error **err)
{
  const struct v2v_initramfs_file *f = v2v_initramfs_find (o->im, path + 1);
  CLEANUP_FREE char *text = v2v_guest_read_text (o->l->g, path, NULL);

  if (text == NULL || text[0] == '\0')
    return 0;
  if (f != NULL && f->data != NULL && strcmp (f->data, text) == 0)
    return 0;
  /* A file that was not in the image before, and that nobody changed. */
  if (f == NULL && strstr (path, "v2v") == NULL &&
      v2v_journal_find (v2v_guest_journal (o->l->g), path, NULL) == NULL)
    return 0;
  return add_file (o, path + 1, 0644, text, strlen (text), err) == -1 ? -1 : 1;
}

int
linux_add_pins (struct linux_guest *l, struct linux_kernel *k,
                const struct v2v_initramfs *im, struct v2v_cpio_writer *w,
                struct v2v_error **err)
{
  __attribute__ ((cleanup (
      overlay_clear))) struct overlay o = { .l = l, .k = k, .im = im, .w = w };
  CLEANUP_LIST char **links = NULL;
  int r = names_interfaces (l, k, im, err), any;

  if (r <= 0)
    return r;
  any = add_pin (&o, "/etc/udev/rules.d/70-persistent-net.rules", err);
  links = v2v_guest_glob (l->g, "/etc/systemd/network", "*.link", err);
  if (any == -1 || links == NULL)
    return -1;
  for (size_t i = 0; links[i] != NULL; ++i) {
    r = add_pin (&o, links[i], err);
    if (r == -1)
      return -1;
    any |= r;
  }
  return any;
}
