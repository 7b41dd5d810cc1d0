/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linux guests with kernels, initramfs files and unified images. */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "test-util.h"
#include "linux-tree.h"

/* What an image holds beside the modules of the list. */
const char *const debian_like[] = { "scripts/functions", "conf/modules",
                                    "usr/lib/udev/rules.d/50.rules", NULL };
const char *const dracut_like[] = { "usr/lib/dracut/", "usr/lib/dracut/hooks/",
                                    "usr/lib/dracut/hooks/pre-udev/", NULL };
const char *const arch_like[] = { "init_functions", "config", NULL };
const char *const alpine_like[] = { "sbin/nlplug-findfs", NULL };
const char *const unlike[] = { "linuxrc", NULL };

struct v2v_str
linux_tree_image (const char *const extra[], const char *const modules[])
{
  struct v2v_cpio_writer w = V2V_CPIO_WRITER_INIT;
  struct v2v_error *err = NULL;

  assert_ok (v2v_cpio_add (&w, "usr", S_IFDIR | 0755, "", 0, &err), err);
  assert_ok (v2v_cpio_add (&w, "lib", S_IFLNK | 0777, "usr/lib", 7, &err), err);
  for (size_t i = 0; extra[i] != NULL; ++i) {
    char name[256];
    const size_t len = strcspn (extra[i], "=");
    const char *text = extra[i][len] == '=' ? extra[i] + len + 1 : "old\n";

    snprintf (name, sizeof name, "%.*s", (int) len, extra[i]);
    if (name[len - 1] == '/') {
      name[len - 1] = '\0';
      assert_ok (v2v_cpio_add (&w, name, S_IFDIR | 0755, "", 0, &err), err);
    }
    else {
      assert_ok (
          v2v_cpio_add (&w, name, S_IFREG | 0644, text, strlen (text), &err),
          err);
    }
  }
  for (size_t i = 0; modules[i] != NULL; ++i) {
    char name[256];

    snprintf (name, sizeof name, "usr/lib/modules/" V "/%s", modules[i]);
    assert_ok (v2v_cpio_add (&w, name, S_IFREG | 0644, "\177ELF", 4, &err),
               err);
  }
  assert_ok (v2v_cpio_end (&w, &err), err);
  return w.out;
}

const char *const nothing[] = { EXT4, NULL };
const char *const all_there[] = { EXT4, VMBUS, FC, STORVSC, NETVSC, NULL };
const char *const no_storvsc[] = { EXT4, VMBUS, NULL };

void
linux_tree_put_image (const char *tree, const char *path,
                      const char *const extra[], const char *const modules[])
{
  struct v2v_str image = linux_tree_image (extra, modules);
  char host[512];

  guest_tree_write (tree, path, "");
  snprintf (host, sizeof host, "%s%s", tree, path);
  test_write_file (host, image.ptr, image.len);
  v2v_str_free (&image);
}

/* ---- a unified image ---- */

/* Section I of the PE file at PE, whose contents go to the end of S. */
static void
put_section (struct v2v_str *s, unsigned i, const char *name, const void *data,
             size_t len)
{
  static const char zeros[512];
  char *sec = s->ptr + 64 + 24 + 240 + 40 * i;

  memcpy (sec, name, strnlen (name, 8));
  v2v_put_le32 (sec + 8, (uint32_t) len);
  v2v_put_le32 (sec + 16, (uint32_t) ((len + 511) & ~(size_t) 511));
  v2v_put_le32 (sec + 20, (uint32_t) s->len);
  v2v_put_le16 (s->ptr + 64 + 6, (uint16_t) (i + 1));
  assert_int_equal (v2v_str_append_len (s, data, len), 0);
  assert_int_equal (v2v_str_append_len (s, zeros, -len & 511), 0);
}

void
linux_tree_put_unified (const char *tree, const char *path,
                        const char *const modules[], const char *uname,
                        const char *cmdline, bool is_signed)
{
  static const char head[1024] = "MZ";
  struct v2v_str image = linux_tree_image (debian_like, modules);
  struct v2v_str pe = V2V_STR_INIT;
  unsigned n = 0;
  char host[512];

  assert_int_equal (v2v_str_append_len (&pe, head, sizeof head), 0);
  v2v_put_le32 (pe.ptr + 60, 64);
  memcpy (pe.ptr + 64, "PE", 2);
  v2v_put_le16 (pe.ptr + 64 + 20, 240);
  v2v_put_le16 (pe.ptr + 64 + 24, 0x20b);
  if (is_signed) {
    v2v_put_le32 (pe.ptr + 64 + 24 + 144, 512);
    v2v_put_le32 (pe.ptr + 64 + 24 + 148, 8);
  }
  if (uname != NULL)
    put_section (&pe, n++, ".uname", uname, strlen (uname));
  if (cmdline != NULL)
    put_section (&pe, n++, ".cmdline", cmdline, strlen (cmdline));
  put_section (&pe, n++, ".initrd", image.ptr, image.len);
  guest_tree_write (tree, path, "");
  snprintf (host, sizeof host, "%s%s", tree, path);
  test_write_file (host, pe.ptr, pe.len);
  v2v_str_free (&image);
  v2v_str_free (&pe);
}

/* ---- a guest ---- */

char *
linux_tree_make (const char *initramfs, const char *const extra[],
                 const char *const modules[])
{
  static const struct guest_tree_entry files[] = {
    { "/boot/vmlinuz-" V, "kernel", NULL, 0 },
    { MODULES "modules.dep",
      VMBUS ":\n" FC ":\n" STORVSC ": " FC " " VMBUS "\n" NETVSC ": " VMBUS
            "\n" EXT4 ": kernel/fs/jbd2.ko\nkernel/fs/jbd2.ko:\n",
      NULL, 0 },
    { MODULES VMBUS, "\177ELF vmbus", NULL, 0 },
    { MODULES FC, "\177ELF fc", NULL, 0 },
    { MODULES STORVSC, "\177ELF storvsc", NULL, 0 },
    { MODULES NETVSC, "\177ELF netvsc", NULL, 0 },
    { NULL, NULL, NULL, 0 },
  };
  char *tree = guest_tree_make (files);

  if (initramfs != NULL)
    linux_tree_put_image (tree, initramfs, extra, modules);
  return tree;
}

struct linux_tree_tool linux_tree_tool;

static int
fake_run (void *h, const char *const argv[], unsigned seconds, int *ret_status,
          char **ret_output, struct v2v_error **err)
{
  (void) h;
  (void) seconds;
  (void) err;
  linux_tree_tool.calls++;
  linux_tree_tool.command[0] = '\0';
  for (size_t i = 0; argv[i] != NULL; ++i)
    snprintf (linux_tree_tool.command + strlen (linux_tree_tool.command),
              sizeof linux_tree_tool.command - strlen (linux_tree_tool.command),
              "%s%s", i ? "|" : "", argv[i]);
  if (linux_tree_tool.is_unified)
    linux_tree_put_unified (linux_tree_tool.tree, linux_tree_tool.path,
                            linux_tree_tool.modules, V, linux_tree_tool.cmdline,
                            false);
  else if (linux_tree_tool.modules != NULL)
    linux_tree_put_image (linux_tree_tool.tree, linux_tree_tool.path,
                          linux_tree_tool.extra, linux_tree_tool.modules);
  *ret_status = linux_tree_tool.status;
  if (ret_output != NULL)
    *ret_output = strdup ("first line\nno space left\n");
  return 0;
}

static struct v2v_guest_ops with_run;

/* G can run programs: the tool above. */
void
linux_tree_let_run (struct v2v_guest *g, const char *tree, const char *path,
                    const char *const extra[], const char *const modules[],
                    int status)
{
  with_run = *g->ops;
  with_run.run = fake_run;
  g->ops = &with_run;
  memset (&linux_tree_tool, 0, sizeof linux_tree_tool);
  linux_tree_tool.tree = tree;
  linux_tree_tool.path = path;
  linux_tree_tool.extra = extra;
  linux_tree_tool.modules = modules;
  linux_tree_tool.status = status;
}

int
linux_tree_fix (struct v2v_guest *g, bool stale, struct v2v_error **err)
{
  struct linux_guest l = { .g = g,
                           .os = v2v_guest_os (g),
                           .initramfs_is_stale = stale };
  int r;

  assert_int_equal (linux_find_kernels (&l, err), 0);
  r = linux_fix_initramfs (&l, err);
  linux_kernels_clear (&l);
  return r;
}

struct v2v_guest *
linux_tree_open (const char *tree)
{
  return guest_tree_open (tree, V2V_FAMILY_LINUX, "debian", 12);
}

void
linux_tree_assert_finding (struct v2v_guest *g, const char *id)
{
  if (v2v_findings_find (v2v_guest_findings (g), id) == NULL)
    fail_msg ("no finding %s", id);
}

/* A second conversion, without programs, changes nothing. */
void
linux_tree_assert_stable (const char *tree)
{
  struct v2v_guest *g = linux_tree_open (tree);
  struct v2v_error *err = NULL;

  assert_ok (linux_tree_fix (g, false, &err), err);
  guest_tree_assert_unchanged (g);
  v2v_guest_close (g);
}

/* IMAGE read from the tree; the caller clears. */
struct v2v_initramfs
linux_tree_read_image (const char *tree, const char *path)
{
  struct v2v_initramfs im = V2V_INITRAMFS_INIT;
  struct v2v_error *err = NULL;
  char host[512];
  struct v2v_io *io;

  snprintf (host, sizeof host, "%s%s", tree, path);
  io = v2v_io_open (host, 0, &err);
  assert_ptr (io, err);
  assert_ok (v2v_initramfs_read (io, &im, &err), err);
  v2v_io_unref (io);
  return im;
}

void
linux_tree_assert_image_has (const struct v2v_initramfs *im, const char *path,
                             const char *text)
{
  const struct v2v_initramfs_file *f = v2v_initramfs_find (im, path);

  if (f == NULL)
    fail_msg ("%s is not in the image", path);
  else if (text != NULL)
    assert_string_equal (f->data, text);
}
