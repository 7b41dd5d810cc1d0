/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries of a boot loader: GRUB 2, GRUB legacy, syslinux, and those of the
 * Boot Loader Specification.  Scripts are not run: where a name is a variable
 * (Photon's grub.cfg) the entry is not seen, and the caller takes every kernel
 * for offered.
 *
 * Sources: the UAPI group's Boot Loader Specification (type #1 entries); the
 * manuals of GRUB ("linux", "initrd") and of GRUB legacy ("kernel").
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/linux-entries.h"

/* Looking for a file asks the appliance up to five times: a hostile list of
 * entries shall not take hours.  20 kernels with 3 words each are 120. */
#define MAX_LOOK_UPS 512
/* Microcode, then the initramfs; a few more of the user's own. */
#define MAX_INITRD_WORDS 8
/* "/boot/initrd" -> "initrd-6.4.0-default": one is usual. */
#define MAX_LINKS 4

static void
entry_clear (struct linux_entry *e)
{
  free (e->name);
  free (e->image);
  free (e->initramfs);
  free (e->version);
}

void
linux_entries_clear (linux_entry_vector *v)
{
  for (size_t i = 0; i < v->len; ++i)
    entry_clear (&v->ptr[i]);
  free (v->ptr);
}

static const char *
after_slash (const char *p, size_t len, size_t *ret_len)
{
  const char *slash = memrchr (p, '/', len);

  *ret_len = slash ? len - (size_t) (slash + 1 - p) : len;
  return slash ? slash + 1 : p;
}

/* Where the file that a boot loader calls NAME is in the mounted tree: the
 * loader's root is the file system of /boot, or of "/", or a btrfs subvolume,
 * or the EFI partition.  NULL with ERR unset: nowhere. */
static char *
find_boot_file (struct linux_guest *l, const char *name, size_t len,
                struct v2v_error **err)
{
  static const char *const roots[] = { "", "/boot", "/boot/efi", "/efi" };
  const char *base;
  size_t base_len;
  char *path;

  /* GRUB: "(hd0,1)/vmlinuz", "($root)/boot/vmlinuz". */
  if (len > 0 && name[0] == '(') {
    const char *p = memchr (name, ')', len);

    if (p == NULL)
      return NULL;
    len -= (size_t) (p + 1 - name);
    name = p + 1;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (roots); ++i) {
    if (asprintf (&path, "%s%s%.*s", roots[i],
                  len > 0 && name[0] == '/' ? "" : "/", (int) len,
                  name) == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    if (v2v_guest_is_file (l->g, path))
      return path;
    free (path);
  }
  base = after_slash (name, len, &base_len);
  if (asprintf (&path, "/boot/%.*s", (int) base_len, base) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (base_len > 0 && v2v_guest_is_file (l->g, path))
    return path;
  free (path);
  return NULL;
}

/* The next word of LINE (ends at a newline); NULL = no more. */
static const char *
next_word (const char **line, size_t *ret_len)
{
  const char *p = *line + strspn (*line, " \t\"");

  *ret_len = strcspn (p, " \t\"\n");
  *line = p + *ret_len;
  return *ret_len ? p : NULL;
}

static bool
word_is (const char *w, size_t len, const char *const names[])
{
  for (size_t i = 0; names[i] != NULL; ++i)
    if (strlen (names[i]) == len && memcmp (names[i], w, len) == 0)
      return true;
  return false;
}

/* The file that the link PATH leads to; PATH itself, which is taken over, when
 * it is none, or when its place is not plain. */
static char *
follow (struct linux_guest *l, char *path, struct v2v_error **err)
{
  for (unsigned i = 0; i < MAX_LINKS; ++i) {
    struct v2v_error *e = NULL;
    CLEANUP_FREE char *target = v2v_guest_readlink (l->g, path, &e);
    char *next;

    v2v_error_free (e);
    if (target == NULL || strstr (target, "..") != NULL)
      break;
    if ((target[0] == '/'
             ? asprintf (&next, "%s", target)
             : asprintf (&next, "%.*s/%s", (int) (strrchr (path, '/') - path),
                         path, target)) == -1) {
      free (path);
      v2v_fail_nomem (err);
      return NULL;
    }
    if (!v2v_guest_is_file (l->g, next)) {
      free (next);
      break;
    }
    free (path);
    path = next;
  }
  return path;
}

/* The version that the entries from FIRST on, of one BLS file, have. */
static int
set_version (const char *text, linux_entry_vector *out, size_t first,
             struct v2v_error **err)
{
  for (const char *p = text; *p != '\0';
       p += strcspn (p, "\n"), p += *p == '\n') {
    const char *line = p;
    size_t len;
    const char *w = next_word (&line, &len);

    if (w == NULL || len != 7 || memcmp (w, "version", 7) != 0 ||
        (w = next_word (&line, &len)) == NULL)
      continue;
    for (size_t i = first; i < out->len; ++i)
      if (out->ptr[i].version == NULL &&
          (out->ptr[i].version = strndup (w, len)) == NULL)
        return v2v_fail_nomem (err);
    break;
  }
  return 0;
}

/* Read "linux" and "initrd" lines of GRUB 2 and of BLS entries, "kernel" and
 * "initrd" of GRUB legacy and syslinux: all have the same shape. */
static int
read_entries (struct linux_guest *l, const char *path, bool is_bls,
              linux_entry_vector *out, unsigned *look_ups,
              struct v2v_error **err)
{
  static const char *const image_words[] = { "linux",     "linux16", "linuxefi",
                                             "kernel",    "LINUX",   "KERNEL",
                                             "multiboot", NULL };
  static const char *const initrd_words[] = { "initrd", "initrd16", "initrdefi",
                                              "INITRD", NULL };
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text =
      ++*look_ups > MAX_LOOK_UPS ? NULL : v2v_guest_read_text (l->g, path, &e);
  const size_t first = out->len;
  bool open = false; /* an entry's image was seen, its initramfs not yet */

  /* A file that is no text offers nothing. */
  v2v_error_free (e);
  for (const char *p = text;
       p != NULL && *p != '\0' && out->len < LINUX_MAX_KERNELS;
       p += strcspn (p, "\n"), p += *p == '\n') {
    const char *line = p;
    size_t len;
    const char *w = next_word (&line, &len);
    const bool image = w && word_is (w, len, image_words);
    const bool initrd = w && word_is (w, len, initrd_words);
    unsigned words = 0;

    if (!image && !(initrd && open))
      continue;
    open = !image && open;
    while ((w = next_word (&line, &len)) != NULL) {
      struct v2v_error *e2 = NULL;
      CLEANUP_FREE char *file = NULL;

      if (image && *w == '-')
        continue; /* GRUB legacy: "kernel --no-mem-option /vmlinuz" */
      /* Behind the image are options of the kernel. */
      if (++words > (image ? 1 : MAX_INITRD_WORDS) ||
          ++*look_ups > MAX_LOOK_UPS)
        break;
      file = find_boot_file (l, w, len, &e2);
      if (e2 != NULL)
        return v2v_error_move (err, e2);
      if (file == NULL || strstr (file, "ucode") != NULL)
        continue; /* an option, or microcode before the initramfs */
      if (image) {
        struct linux_entry entry = { .name = strdup (file) };

        if (entry.name == NULL)
          return v2v_fail_nomem (err);
        entry.image = follow (l, STEAL (file), err);
        if (entry.image == NULL) {
          entry_clear (&entry);
          return -1;
        }
        if (linux_entry_vector_append (out, entry) == -1) {
          entry_clear (&entry);
          return v2v_fail_nomem (err);
        }
        open = true;
      }
      else {
        file = follow (l, STEAL (file), err);
        if (file == NULL)
          return -1;
        out->ptr[out->len - 1].initramfs = STEAL (file);
        open = false;
      }
      break;
    }
  }
  return is_bls && text != NULL ? set_version (text, out, first, err) : 0;
}

int
linux_read_entries (struct linux_guest *l, linux_entry_vector *out,
                    struct v2v_error **err)
{
  static const char *const files[] = {
    "/boot/grub2/grub.cfg",        "/boot/grub/grub.cfg",
    "/boot/grub/menu.lst",         "/boot/grub/grub.conf",
    "/boot/extlinux.conf",         "/boot/extlinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
  };
  static const char *const folders[] = {
    "/boot/loader/entries",
    "/boot/efi/loader/entries",
    "/efi/loader/entries",
  };
  unsigned look_ups = 0;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (files); ++i)
    if (read_entries (l, files[i], false, out, &look_ups, err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **list = v2v_guest_glob (l->g, folders[i], "*.conf", err);

    if (list == NULL)
      return -1;
    for (size_t k = 0; list[k] != NULL; ++k)
      if (read_entries (l, list[k], true, out, &look_ups, err) == -1)
        return -1;
  }
  /* UEFI: the distribution's own folder has the only grub.cfg of RHEL 7, 8. */
  {
    CLEANUP_LIST char **list = v2v_guest_glob (l->g, "/boot/efi/EFI", "*", err);

    if (list == NULL)
      return -1;
    for (size_t k = 0; list[k] != NULL; ++k) {
      CLEANUP_FREE char *cfg = NULL;

      if (asprintf (&cfg, "%s/grub.cfg", list[k]) == -1) {
        cfg = NULL;
        return v2v_fail_nomem (err);
      }
      if (read_entries (l, cfg, false, out, &look_ups, err) == -1)
        return -1;
    }
  }
  return 0;
}
