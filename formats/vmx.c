/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grammar of .vmx files: key = "value" lines.
 *
 * There is no published specification; this follows what VMware's products
 * write and read: keys without case, "#" comments, .encoding names the
 * character set, |XX in a value is the byte XX.  Of two lines with one key the
 * last holds (a finding).  An escape that is none stays as it is.
 * The meaning of the keys is in vmx-hardware.c and vmx-devices.c.
 */

#include <config.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/cleanup.h"
#include "formats/core/text.h"
#include "formats/machine-internal.h"
#include "formats/vmx.h"

/* ---- character sets ---- */

/* The value of .encoding, found in the raw bytes: it is ASCII in each set. */
static char *
find_encoding (const char *text, size_t len)
{
  const char *p = text, *end = text + len;

  while (p < end) {
    const char *nl = memchr (p, '\n', (size_t) (end - p));
    const char *eol = nl != NULL ? nl : end;

    while (p < eol && (*p == ' ' || *p == '\t'))
      p++;
    if (eol - p > 9 && strncasecmp (p, ".encoding", 9) == 0) {
      p += 9;
      while (p < eol && strchr (" \t=\"", *p) != NULL && *p != '\0')
        p++;
      const char *v = p;

      while (p < eol && (isalnum ((unsigned char) *p) ||
                         (*p != '\0' && strchr ("-_.:", *p) != NULL)))
        p++;
      return p > v ? strndup (v, (size_t) (p - v)) : NULL;
    }
    p = nl != NULL ? nl + 1 : end;
  }
  return NULL;
}

/* VMware's names that iconv does not know. */
static const char *
iconv_name (const char *encoding)
{
  static const char *const names[][2] = {
    { "windows-1252", "CP1252" },
    { "windows-932", "CP932" },
    { "windows-936", "CP936" },
    { "windows-949", "CP949" },
    { "windows-950", "CP950" },
    { "shift_jis", "CP932" },
    { "gbk", "GBK" },
    { "gb2312", "GBK" },
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    if (strcasecmp (encoding, names[i][0]) == 0)
      return names[i][1];
  return encoding;
}

/* The whole file as UTF-8: by .encoding, else UTF-8 if it is valid, else
 * windows-1252, which knows (nearly) each byte.
 */
static char *
to_utf8 (struct v2v_vmx *vmx, const char *text, size_t len,
         struct v2v_error **err)
{
  CLEANUP_FREE char *encoding = NULL;
  const char *from;

  if (len >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
    text += 3;
    len -= 3;
  }
  else if (len >= 2 && (memcmp (text, "\xff\xfe", 2) == 0 ||
                        memcmp (text, "\xfe\xff", 2) == 0))
    return v2v_to_utf8 ("UTF-16", text, len, err);
  encoding = find_encoding (text, len);
  from = encoding != NULL ? iconv_name (encoding) : "UTF-8";
  if (strcasecmp (from, "UTF-8") == 0) {
    if (v2v_is_valid_utf8 (text, len))
      return v2v_to_utf8 ("UTF-8", text, len, err);
    if (v2v_findings_add (&vmx->findings, V2V_WARNING, "vmx.encoding", NULL,
                          NULL,
                          "the text is not UTF-8: windows-1252 is "
                          "taken") == -1) {
      v2v_fail_nomem (err);
      return NULL;
    }
    from = "ISO-8859-1";
  }
  return v2v_to_utf8 (from, text, len, err);
}

/* ---- lines ---- */

static int
hex (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* Undo |XX in place.  |00 would end the string and stays as it is.  Bytes
 * over 7F that do not make up UTF-8 become '?'.
 */
static void
unescape (char *s)
{
  char *in = s, *out = s;

  while (*in != '\0') {
    const int hi = *in == '|' ? hex (in[1]) : -1;
    const int lo = hi != -1 ? hex (in[2]) : -1;

    if (lo != -1 && (hi != 0 || lo != 0)) {
      *out++ = (char) (hi << 4 | lo);
      in += 3;
    }
    else
      *out++ = *in++;
  }
  *out = '\0';
  if (!v2v_is_valid_utf8 (s, strlen (s)))
    for (char *p = s; *p != '\0'; ++p)
      if ((unsigned char) *p >= 128)
        *p = '?';
}

static char *
trim (char *s)
{
  char *end;

  while (*s != '\0' && isspace ((unsigned char) *s))
    s++;
  end = s + strlen (s);
  while (end > s && isspace ((unsigned char) end[-1]))
    *--end = '\0';
  return s;
}

static int
odd_line (struct v2v_vmx *vmx, unsigned line, struct v2v_error **err)
{
  return v2v_findings_add (&vmx->findings, V2V_WARNING, "vmx.line", NULL, NULL,
                           "line %u is not of the form key = \"value\": it "
                           "is ignored",
                           line) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static int
add_entry (struct v2v_vmx *vmx, const char *key, const char *value,
           unsigned line, struct v2v_error **err)
{
  struct v2v_vmx_entry *p = vmx->entries;

  if (vmx->nr_entries == V2V_VMX_MAX_ENTRIES)
    return v2v_fail (err, V2V_ERR_FORMAT, "line %u: more than %d settings",
                     line, V2V_VMX_MAX_ENTRIES);
  if (vmx->nr_entries % 64 == 0) {
    p = reallocarray (p, vmx->nr_entries + 64, sizeof *p);
    if (p == NULL)
      return v2v_fail_nomem (err);
    vmx->entries = p;
  }
  p += vmx->nr_entries;
  memset (p, 0, sizeof *p);
  p->line = line;
  vmx->nr_entries++;
  if (v2v_machine_set_lower (&p->key, key, err) == -1 ||
      v2v_machine_set (&p->value, value, err) == -1)
    return -1;
  unescape (p->value);
  return 0;
}

static int
read_line (struct v2v_vmx *vmx, char *text, unsigned line,
           struct v2v_error **err)
{
  char *eq, *key, *value;

  text = trim (text);
  if (*text == '\0' || *text == '#')
    return 0;
  eq = strchr (text, '=');
  if (eq == NULL)
    return odd_line (vmx, line, err);
  *eq = '\0';
  key = trim (text);
  value = trim (eq + 1);
  if (*key == '\0')
    return odd_line (vmx, line, err);
  if (*value == '"') {
    char *close = strchr (++value, '"');

    if (close == NULL)
      return odd_line (vmx, line, err);
    *close = '\0';
  }
  return add_entry (vmx, key, value, line, err);
}

static int
compare_entries (const void *va, const void *vb)
{
  const struct v2v_vmx_entry *a = va, *b = vb;
  const int r = strcmp (a->key, b->key);

  if (r != 0)
    return r;
  return a->line < b->line ? -1 : a->line > b->line;
}

/* Sort; of equal keys the last line stays. */
static int
drop_duplicates (struct v2v_vmx *vmx, struct v2v_error **err)
{
  size_t out = 0;

  if (vmx->nr_entries > 1)
    qsort (vmx->entries, vmx->nr_entries, sizeof *vmx->entries,
           compare_entries);
  for (size_t i = 0; i < vmx->nr_entries; ++i) {
    struct v2v_vmx_entry *e = &vmx->entries[i];

    if (i + 1 < vmx->nr_entries && strcmp (e->key, e[1].key) == 0) {
      CLEANUP_FREE char *safe = v2v_machine_printable (e->key);
      const bool differs = strcmp (e->value, e[1].value) != 0;

      if (safe == NULL ||
          (differs && v2v_findings_add (&vmx->findings, V2V_WARNING,
                                        "vmx.duplicate", safe, NULL,
                                        "'%s' is set in lines %u and %u; the "
                                        "last one holds",
                                        safe, e->line, e[1].line) == -1)) {
        /* Keep the array whole for v2v_vmx_free. */
        memmove (&vmx->entries[out], e, (vmx->nr_entries - i) * sizeof *e);
        vmx->nr_entries -= i - out;
        return v2v_fail_nomem (err);
      }
      free (e->key);
      free (e->value);
      continue;
    }
    vmx->entries[out++] = *e;
  }
  vmx->nr_entries = out;
  return 0;
}

static int
read_lines (struct v2v_vmx *vmx, char *text, struct v2v_error **err)
{
  unsigned line = 1;

  while (text != NULL) {
    char *nl = strpbrk (text, "\r\n");
    char *next = NULL;

    if (nl != NULL) {
      next = nl + (nl[0] == '\r' && nl[1] == '\n' ? 2 : 1);
      *nl = '\0';
    }
    if (read_line (vmx, text, line++, err) == -1)
      return -1;
    text = next;
  }
  return drop_duplicates (vmx, err);
}

struct v2v_vmx *
v2v_vmx_parse (const void *text, size_t len, const char *name,
               struct v2v_error **err)
{
  CLEANUP_FREE char *utf8 = NULL;
  struct v2v_vmx *vmx;

  if (len > V2V_VMX_MAX_BYTES) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: %zu bytes, expected at most %zu", name,
              len, V2V_VMX_MAX_BYTES);
    return NULL;
  }
  vmx = calloc (1, sizeof *vmx);
  if (vmx == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  utf8 = to_utf8 (vmx, text, len, err);
  if (utf8 == NULL || read_lines (vmx, utf8, err) == -1) {
    v2v_prefix (err, "%s", name);
    v2v_vmx_free (vmx);
    return NULL;
  }
  return vmx;
}

void
v2v_vmx_free (struct v2v_vmx *vmx)
{
  if (vmx == NULL)
    return;
  for (size_t i = 0; i < vmx->nr_entries; ++i) {
    free (vmx->entries[i].key);
    free (vmx->entries[i].value);
  }
  free (vmx->entries);
  v2v_findings_clear (&vmx->findings);
  free (vmx);
}

/* ---- look-up ---- */

static const char *__attribute__ ((format (printf, 2, 0)))
get (struct v2v_vmx *vmx, const char *fmt, va_list args)
{
  char buf[128];
  size_t lo = 0, hi = vmx->nr_entries;

  if (vsnprintf (buf, sizeof buf, fmt, args) >= (int) sizeof buf)
    return NULL;
  for (char *p = buf; *p != '\0'; ++p)
    *p = (char) tolower ((unsigned char) *p);
  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;
    const int r = strcmp (vmx->entries[mid].key, buf);

    if (r == 0) {
      vmx->entries[mid].used = true;
      return vmx->entries[mid].value;
    }
    if (r < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

const char *
v2v_vmx_get (struct v2v_vmx *vmx, const char *fmt, ...)
{
  const char *v;
  va_list args;

  va_start (args, fmt);
  v = get (vmx, fmt, args);
  va_end (args);
  return v;
}

bool
v2v_vmx_get_bool (struct v2v_vmx *vmx, bool dflt, const char *fmt, ...)
{
  const char *v;
  va_list args;

  va_start (args, fmt);
  v = get (vmx, fmt, args);
  va_end (args);
  if (v == NULL || *v == '\0')
    return dflt;
  return strcasecmp (v, "true") == 0 || strcasecmp (v, "yes") == 0 ||
         strcasecmp (v, "on") == 0 || strcmp (v, "1") == 0;
}

const char *
vmx_basename (const char *path)
{
  const char *p = path;

  for (; *path != '\0'; ++path)
    if (*path == '/' || *path == '\\')
      p = path + 1;
  return p;
}

/* Settings that say nothing of the machine, or that we always recreate. */
static bool
is_noise (const char *key)
{
  static const char *const parts[] = {
    ".encoding",
    "config.version",
    "pcibridge",
    ".pcislotnumber",
    ".redo",
    "monitor.",
    "vmotion.",
    "migrate.",
    "toolscripts.",
    "tools.",
    "replay.",
    "powertype.",
    "sched.swap.",
    "hpet0",
    "virtualhw.",
    "extendedconfig",
    "cleanshutdown",
    "softpoweroff",
    "uuid.",
    "addressoffset",
    "viv.",
    "numa.",
    "guestosaltname",
    "vm.createdate",
    "svga.",
    "vmci0",
    "deploymentpla",
    "vc.uuid",
    "toolsinstall",
    "messagebus.",
    ".saswwid",
    "sched.",
    "guestos.detaile",
    "memallowauto",
    "snapshot.action",
    "checkpoint.",
    "vmxstats.",
    ".uptcompat",
    ".startconnected",
    "clientdevice",
    "annotation",
    "vm.genid",
    "chipset.",
    ".pvnid",
    ".writethrough",
    "usb_xhci:",
    "usb:",
    "ehci:",
    "evcompat",
    "cpuid.",
    "nvram",
    "disable_accel",
    "hgfs.",
    "isolation.",
    "unity.",
    "gui.",
    "proxyapps.",
    "floppy",
    "guestinfo.detailed",
  };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (parts); ++i)
    if (strstr (key, parts[i]) != NULL)
      return true;
  return false;
}

/* One finding with the names of all settings that nothing looked at.  Names
 * only: guestinfo values may be secrets.
 */
static int
report_unused (struct v2v_vmx *vmx, struct v2v_machine *m,
               struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str list = V2V_STR_INIT;

  for (size_t i = 0; i < vmx->nr_entries; ++i) {
    const struct v2v_vmx_entry *e = &vmx->entries[i];
    CLEANUP_FREE char *safe = NULL;

    if (e->used || is_noise (e->key))
      continue;
    safe = v2v_machine_printable (e->key);
    if (safe == NULL ||
        v2v_str_printf (&list, "%s%s", list.len > 0 ? ", " : "", safe) == -1)
      return v2v_fail_nomem (err);
  }
  if (list.len == 0)
    return 0;
  return V2V_FINDING (m, err, V2V_INFORMATION, "vmx.unused", NULL, NULL,
                      "settings that are not carried over: %s", list.ptr);
}

static int
take_findings (struct v2v_vmx *vmx, struct v2v_machine *m,
               struct v2v_error **err)
{
  for (size_t i = 0; i < vmx->findings.len; ++i) {
    const struct v2v_finding *f = &vmx->findings.ptr[i];

    if (v2v_findings_add (&m->findings, f->severity, f->id, f->subject,
                          f->remedy, "%s", f->message) == -1)
      return v2v_fail_nomem (err);
  }
  return 0;
}

struct v2v_machine *
v2v_vmx_machine (struct v2v_vmx *vmx, struct v2v_vmx *vmsd, const char *name,
                 const char *snapshot, struct v2v_error **err)
{
  struct v2v_machine *m;

  if (v2v_vmx_get (vmx, "config.version") == NULL &&
      v2v_vmx_get (vmx, "virtualHW.version") == NULL &&
      v2v_vmx_get (vmx, "displayName") == NULL) {
    v2v_fail (err, V2V_ERR_FORMAT,
              "%s: has none of config.version, "
              "virtualHW.version and displayName: not a .vmx file",
              name);
    return NULL;
  }
  m = v2v_machine_new (err);
  if (m == NULL)
    return NULL;
  if (take_findings (vmx, m, err) == -1 ||
      vmx_read_hardware (vmx, m, err) == -1 ||
      vmx_read_storage (vmx, m, err) == -1 ||
      vmx_read_devices (vmx, m, err) == -1 ||
      vmx_apply_snapshots (vmsd, m, snapshot, err) == -1)
    goto fail;
  v2v_machine_sort_disks (m);
  if (v2v_machine_check_disks (m, err) == -1 ||
      report_unused (vmx, m, err) == -1)
    goto fail;
  return m;

fail:
  v2v_prefix (err, "%s", name);
  v2v_machine_free (m);
  return NULL;
}

bool
v2v_vmx_probe (const void *text, size_t len)
{
  static const char *const keys[] = { "config.version", "virtualhw.version",
                                      ".encoding", "displayname" };
  CLEANUP_FREE char *copy = strndup (text, len > 65536 ? 65536 : len);

  if (copy == NULL || memchr (text, '\0', len > 512 ? 512 : len) != NULL)
    return false;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (keys); ++i) {
    const char *p = copy, *hit;

    while ((hit = strcasestr (p, keys[i])) != NULL) {
      const char *after = hit + strlen (keys[i]);

      if ((hit == copy || strchr ("\r\n\xbf \t", hit[-1]) != NULL) &&
          after[strspn (after, " \t")] == '=')
        return true;
      p = hit + 1;
    }
  }
  return false;
}
