/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's options in boot loader files.
 *
 * Hyper-V needs none.  Taken out: the consoles of Xen and of virtio, which do
 * not exist there.  Put in when asked for: the serial console and rootdelay;
 * and numa=off for kernels that need it.  Both the file that makes the
 * configuration (/etc/default/grub ...) and the configuration itself get the
 * same change, so that nothing of the guest has to be run, and the next kernel
 * update keeps it.
 *
 * Sources: the kernel's admin-guide/kernel-parameters.txt; Microsoft's "Best
 * practices for running Linux on Hyper-V" and the notes on RHEL/CentOS
 * ("numa=off" before 6.6, whose kernel is 2.6.32-504).
 */

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "inject/linux-boot.h"
#include "inject/linux-edit.h"

static const char why[] = "options of the kernel for Hyper-V";

/* Words that are added. */
enum word { WORD_CONSOLE, WORD_ROOTDELAY, WORD_NUMA, NR_WORDS };
static const char *const word_starts[NR_WORDS] = { "console=ttyS",
                                                   "rootdelay=", "numa=" };

struct arguments {
  struct linux_guest *l;
  bool is_default; /* /etc/default/grub: KEY="words" */
  /* Of all files of defaults together: mkconfig puts GRUB_CMDLINE_LINUX and
   * GRUB_CMDLINE_LINUX_DEFAULT one behind the other. */
  bool have[NR_WORDS];
  bool is_seen; /* a GRUB_CMDLINE_LINUX that could be changed */
};

bool
linux_wants_numa_off (const char *version)
{
  if (strstr (version, ".el6") != NULL)
    return linux_compare_versions (version, "2.6.32-504") < 0;
  return linux_compare_versions (version, "2.6.37") < 0;
}

/* ---- words ---- */

static bool
is_gone (const char *word, size_t len)
{
  static const char *const consoles[] = { "console=hvc0", "console=xvc0" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (consoles); ++i) {
    const size_t n = strlen (consoles[i]);

    if (len >= n && memcmp (word, consoles[i], n) == 0 &&
        (len == n || word[n] == ','))
      return true;
  }
  return false;
}

/* Does a word of the LEN bytes begin with START? */
static bool
has_word (const char *words, size_t len, const char *start)
{
  const size_t n = strlen (start);

  for (size_t i = 0; i + n <= len; ++i)
    if ((i == 0 || strchr (" \t\"'=", words[i - 1]) != NULL) &&
        memcmp (words + i, start, n) == 0)
      return true;
  return false;
}

static bool
lacks (const struct arguments *a, enum word w, const char *words, size_t len)
{
  return !(a->is_default && a->have[w]) &&
         !has_word (words, len, word_starts[w]);
}

static int
add_words (const struct arguments *a, const char *words, size_t len,
           const char *version, struct v2v_str *ret)
{
  const struct v2v_guest_opts *opts = v2v_guest_get_opts (a->l->g);

  if (opts->serial_console && lacks (a, WORD_CONSOLE, words, len) &&
      v2v_str_printf (ret, "%sconsole=tty0 console=ttyS0,115200n8",
                      ret->len ? " " : "") == -1)
    return -1;
  if (opts->rootdelay_seconds > 0 && lacks (a, WORD_ROOTDELAY, words, len) &&
      v2v_str_printf (ret, "%srootdelay=%u", ret->len ? " " : "",
                      opts->rootdelay_seconds) == -1)
    return -1;
  if (version != NULL && linux_wants_numa_off (version) &&
      lacks (a, WORD_NUMA, words, len) &&
      v2v_str_printf (ret, "%snuma=off", ret->len ? " " : "") == -1)
    return -1;
  return 0;
}

/* LINE with the LEN bytes at WORDS, blank-separated, changed.  ADD: words may
 * be added. */
static int
change_words (const struct arguments *a, const char *line, const char *words,
              size_t len, bool add, const char *version, struct v2v_str *ret)
{
  CLEANUP_STR struct v2v_str kept = V2V_STR_INIT, more = V2V_STR_INIT;
  bool changed = false;

  if (v2v_str_append (&kept, "") == -1)
    return -1;
  for (size_t i = 0; i < len;) {
    size_t blank = 0, n = 0;

    while (i + blank < len && strchr (" \t", words[i + blank]) != NULL)
      ++blank;
    while (i + blank + n < len && strchr (" \t", words[i + blank + n]) == NULL)
      ++n;
    if (n > 0 && is_gone (words + i + blank, n))
      changed = true;
    else if (v2v_str_append_len (&kept, words + i, blank + n) == -1)
      return -1;
    i += blank + n;
  }
  if (add && add_words (a, words, len, version, &more) == -1)
    return -1;
  if (!changed && more.len == 0)
    return LINUX_EDIT_KEEP;
  /* The first word went: so does the blank of the second. */
  if (v2v_str_append_len (ret, line, (size_t) (words - line)) == -1 ||
      v2v_str_append (ret, kept.ptr + (changed && kept.ptr[0] == ' ' &&
                                               len > 0 && words[0] != ' '
                                           ? 1
                                           : 0)) == -1 ||
      (more.len > 0 && kept.len > 0 && v2v_str_append (ret, " ") == -1) ||
      v2v_str_append (ret, more.ptr ? more.ptr : "") == -1 ||
      v2v_str_append (ret, words + len) == -1)
    return -1;
  return LINUX_EDIT_REPLACE;
}

/* ---- lines ---- */

/* The version of the kernel that stands in a boot entry; points into WORD. */
static const char *
version_of (const char *word, size_t len, char *buf, size_t size)
{
  const char *p = memmem (word, len, "vmlinuz-", 8);
  size_t n;

  if (p == NULL)
    return NULL;
  p += 8;
  n = len - (size_t) (p - word);
  if (n == 0 || n >= size)
    return NULL;
  memcpy (buf, p, n);
  buf[n] = '\0';
  return buf;
}

/* The shell's end of the string that begins behind QUOTE; NULL when it is not
 * on this line, or when more than a comment follows ("a"b is one word). */
static const char *
string_end (const char *words, char quote)
{
  const char *p = words;

  while (*p != '\0' && *p != quote)
    p += quote == '"' && p[0] == '\\' && p[1] != '\0' ? 2 : 1;
  if (*p == '\0' ||
      (p[1] != '\0' && strchr (" \t\r", p[1]) == NULL) /* goes on */)
    return NULL;
  return strchr ("#\r", p[1 + strspn (p + 1, " \t")]) != NULL ? p : NULL;
}

/* "KEY=word # why" as "KEY=\"word\" # why"; NULL when the value is not one
 * plain word, or out of memory (*RET_NOMEM). */
static char *
quote_value (const char *line, const char *value, bool *ret_nomem)
{
  const size_t len = strcspn (value, " \t\r#");
  char *s;

  *ret_nomem = false;
  if (strcspn (value, "\\\"'`;&|()<>$") < len ||
      strchr ("#\r", value[len + strspn (value + len, " \t")]) == NULL)
    return NULL;
  if (asprintf (&s, "%.*s\"%.*s\"%s", (int) (value - line), line, (int) len,
                value, value + len) == -1) {
    *ret_nomem = true;
    return NULL;
  }
  return s;
}

static const struct {
  const char *key;
  bool add;
} default_keys[] = {
  { "GRUB_CMDLINE_LINUX=", true },
  { "GRUB_CMDLINE_LINUX_DEFAULT=", false },
  { "DEFAULT_APPEND=", true },
  { "default_kernel_opts=", true }, /* Alpine's update-extlinux.conf */
};

static const char *
newest_version (const struct arguments *a)
{
  return a->l->nr_kernels > 0 ? a->l->kernels[a->l->nr_kernels - 1].version
                              : NULL;
}

/* KEY="words" of /etc/default/grub and of SUSE's sysconfig. */
static int
edit_default (struct arguments *a, const char *line, struct v2v_str *ret)
{
  const char *p = line + strspn (line, " \t");

  for (size_t i = 0; i < V2V_ARRAY_SIZE (default_keys); ++i) {
    const size_t n = strlen (default_keys[i].key);
    const char *words, *end;

    if (strncmp (p, default_keys[i].key, n) != 0)
      continue;
    if (p[n] != '"' && p[n] != '\'') {
      bool no_memory;
      CLEANUP_FREE char *quoted = quote_value (line, p + n, &no_memory);

      return quoted != NULL ? edit_default (a, quoted, ret)
             : no_memory    ? -1
                            : LINUX_EDIT_KEEP;
    }
    words = p + n + 1;
    end = string_end (words, p[n]);
    if (end == NULL)
      return LINUX_EDIT_KEEP; /* it goes on, or is more than one string */
    a->is_seen = a->is_seen || i == 0;
    return change_words (a, line, words, (size_t) (end - words),
                         default_keys[i].add, newest_version (a), ret);
  }
  return LINUX_EDIT_KEEP;
}

/* Which words the defaults have already. */
static int
look_at_default (void *arg, const char *line, struct v2v_str *ret)
{
  struct arguments *a = arg;
  const char *p = line + strspn (line, " \t");

  (void) ret;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (default_keys); ++i)
    for (unsigned w = 0; w < NR_WORDS; ++w)
      if (strncmp (p, default_keys[i].key, strlen (default_keys[i].key)) == 0 &&
          has_word (p, strlen (p), word_starts[w]))
        a->have[w] = true;
  return LINUX_EDIT_KEEP;
}

/* No line could take what is to be added: one more behind all others, as the
 * shell, which reads the file, understands it. */
static int
append_default (struct arguments *a, struct v2v_error **err)
{
  static const char path[] = "/etc/default/grub";
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = v2v_guest_read_text (a->l->g, path, &e);
  CLEANUP_STR struct v2v_str more = V2V_STR_INIT, s = V2V_STR_INIT;

  if (e != NULL)
    return linux_tolerate (a->l, path, e, err);
  if (text == NULL || a->is_seen)
    return 0;
  if (add_words (a, "", 0, newest_version (a), &more) == -1)
    return v2v_fail_nomem (err);
  if (more.len == 0)
    return 0;
  if (v2v_str_printf (
          &s, "%s%sGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s\"\n", text,
          *text && text[strlen (text) - 1] != '\n' ? "\n" : "", more.ptr) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (a->l->g, path, s.ptr, 0, why, err) == -1 ? -1
                                                                        : 0;
}

/* set kernelopts="words" in grub.cfg of RHEL 8 and Fedora: what BLS entries get
 * when the environment block has none. */
static int
edit_kernelopts (const struct arguments *a, const char *p, const char *line,
                 struct v2v_str *ret)
{
  static const char *const starts[] = { "set kernelopts=\"",
                                        "set default_kernelopts=\"" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (starts); ++i) {
    const char *words = p + strlen (starts[i]), *end;

    if (strncmp (p, starts[i], strlen (starts[i])) != 0)
      continue;
    end = string_end (words, '"');
    if (end == NULL)
      return LINUX_EDIT_KEEP;
    return change_words (a, line, words, (size_t) (end - words), true, NULL,
                         ret);
  }
  return LINUX_EDIT_KEEP;
}

/* The line of an entry. */
static int
edit_entry (const struct arguments *a, const char *line, struct v2v_str *ret)
{
  static const char *const with_path[] = { "linux", "linux16", "linuxefi",
                                           "kernel" };
  const char *p = line + strspn (line, " \t");
  const size_t word = strcspn (p, " \t");
  char buf[256];

  for (size_t i = 0; i < V2V_ARRAY_SIZE (with_path); ++i) {
    const char *path, *words, *version;

    if (strlen (with_path[i]) != word || strncmp (p, with_path[i], word) != 0)
      continue;
    path = p + word + strspn (p + word, " \t");
    words = path + strcspn (path, " \t");
    /* A BLS "linux" line has nothing behind the path; Xen is no Linux. */
    if (*words == '\0' || memmem (path, (size_t) (words - path), "xen", 3))
      return LINUX_EDIT_KEEP;
    version = version_of (path, (size_t) (words - path), buf, sizeof buf);
    return change_words (a, line, words, strlen (words),
                         strstr (words, "$kernelopts") == NULL, version, ret);
  }
  if ((word == 7 && strncmp (p, "options", 7) == 0) ||
      (word == 6 && strncasecmp (p, "append", 6) == 0)) {
    const char *words = p + word;

    return change_words (a, line, words, strlen (words),
                         strstr (words, "$kernelopts") == NULL, NULL, ret);
  }
  /* Debian's GRUB legacy: update-grub makes the entries from this comment. */
  if (strncmp (p, "# kopt=", 7) == 0)
    return change_words (a, line, p + 7, strlen (p + 7), true, NULL, ret);
  if (strncmp (p, "kernelopts=", 11) == 0)
    return change_words (a, line, p + 11, strlen (p + 11), true, NULL, ret);
  return edit_kernelopts (a, p, line, ret);
}

static int
edit_line (void *arg, const char *line, struct v2v_str *ret)
{
  struct arguments *a = arg;

  return a->is_default ? edit_default (a, line, ret)
                       : edit_entry (a, line, ret);
}

/* /etc/kernel/cmdline: the first line is all of it. */
static int
edit_whole (void *arg, const char *line, struct v2v_str *ret)
{
  if (line[0] == '#' || line[strspn (line, " \t")] == '\0')
    return LINUX_EDIT_KEEP;
  return change_words (arg, line, line, strlen (line), true, NULL, ret);
}

/* ---- the files ---- */

int
linux_fix_arguments (struct linux_guest *l, struct v2v_error **err)
{
  static const char *const defaults[][2] = {
    { "/etc/default", "grub" },
    { "/etc/default/grub.d", "*.cfg" },
    { "/etc/sysconfig", "bootloader" },
    { "/etc", "update-extlinux.conf" },
  };
  static const char *const entries[][2] = {
    { "/boot/grub2", "grub.cfg" },
    { "/boot/grub", "grub.cfg" },
    { "/boot/grub", "menu.lst" },
    { "/boot/grub", "grub.conf" },
    { "/boot", "extlinux.conf" },
    { "/boot/extlinux", "extlinux.conf" },
    { "/boot/syslinux", "syslinux.cfg" },
    { "/boot/loader/entries", "*.conf" },
    { "/boot/efi/loader/entries", "*.conf" },
    { "/efi/loader/entries", "*.conf" },
  };
  static const char *const environments[] = { "/boot/grub2/grubenv",
                                              "/boot/grub/grubenv" };
  struct arguments a = { .l = l, .is_default = true };
  CLEANUP_LIST char **vendors =
      v2v_guest_glob (l->g, "/boot/efi/EFI", "*", err);

  if (vendors == NULL)
    return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (defaults); ++i)
    if (linux_edit_glob (l, defaults[i][0], defaults[i][1], look_at_default, &a,
                         why, err) == -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (defaults); ++i)
    if (linux_edit_glob (l, defaults[i][0], defaults[i][1], edit_line, &a, why,
                         err) == -1)
      return -1;
  if (append_default (&a, err) == -1)
    return -1;
  a.is_default = false;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (entries); ++i)
    if (linux_edit_glob (l, entries[i][0], entries[i][1], edit_line, &a, why,
                         err) == -1)
      return -1;
  for (size_t i = 0; vendors[i] != NULL; ++i)
    if (linux_edit_glob (l, vendors[i], "grub.c*", edit_line, &a, why, err) ==
        -1)
      return -1;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (environments); ++i)
    if (linux_edit_grubenv (l, environments[i], edit_line, &a, why, err) == -1)
      return -1;
  for (size_t i = 0; vendors[i] != NULL; ++i)
    if (linux_edit_vendor_grubenv (l, vendors[i], edit_line, &a, why, err) ==
        -1)
      return -1;
  return linux_edit_or_find (l, "/etc/kernel/cmdline", edit_whole, &a, why,
                             err) == -1
             ? -1
             : 0;
}
