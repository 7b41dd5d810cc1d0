/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drivers of the user's (--driver DIR) are put into a Windows guest.
 *
 * A folder may hold drivers for many Windows, as virtio-win's does: each INF in
 * it is read, those that fit the guest are placed below %SystemRoot%\Drivers\v2v
 * with the files and the catalogue they name, and installed by pnputil at the
 * first boot.  Plug and Play finds them by DevicePath too.  The driver store
 * itself is Windows' own and is not touched (guest-windows section 11).
 */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "formats/core/cleanup.h"
#include "formats/core/vector.h"
#include "inject/windows-firstboot.h"
#include "inject/windows-inf.h"

#define PLACE "/Drivers/v2v"
/* virtio-win has 2000 files in 10 levels. */
#define MAX_TREE_FILES 50000u
#define MAX_FOLDERS    64u
#define DEVICE_PATH    "Microsoft\\Windows\\CurrentVersion"
/* Of a registry value that is searched at each new device. */
#define MAX_DEVICE_PATH 4096u

V2V_VECTOR (path_vector, char *);

struct driver_folder {
  const char *host;  /* as the user wrote it */
  char *name;        /* below PLACE */
  path_vector files; /* relative, with slashes */
  path_vector infs;  /* those that fit */
  size_t nr_infs;    /* all */
};

static void
folder_clear (struct driver_folder *f)
{
  for (size_t i = 0; i < f->files.len; ++i)
    free (f->files.ptr[i]);
  free (f->files.ptr);
  free (f->infs.ptr);
  free (f->name);
}
#define CLEANUP_FOLDER __attribute__ ((cleanup (folder_clear)))

/* ---- the host's folder ---- */

static int
scan (struct driver_folder *f, struct v2v_error **err)
{
  CLEANUP_FREE char *copy = strdup (f->host);
  char *roots[] = { copy, NULL };
  const size_t skip = strlen (f->host);
  FTS *fts;
  FTSENT *e;
  int r = 0;

  if (copy == NULL)
    return v2v_fail_nomem (err);
  fts = fts_open (roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
  if (fts == NULL)
    return v2v_fail_errno (err, "%s", f->host);
  while (r == 0 && (errno = 0, e = fts_read (fts)) != NULL) {
    char *rel;

    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
        e->fts_info == FTS_NS) {
      errno = e->fts_errno;
      r = v2v_fail_errno (err, "%s", e->fts_path);
    }
    if (r == -1 || e->fts_info != FTS_F)
      continue; /* links and devices are no drivers */
    if (e->fts_level == 0) {
      r = v2v_fail (err, V2V_ERR_USAGE, "%s: not a folder", f->host);
      continue;
    }
    rel = strdup (e->fts_path + skip + strspn (e->fts_path + skip, "/"));
    if (rel == NULL || path_vector_append (&f->files, rel) == -1) {
      free (rel);
      r = v2v_fail_nomem (err);
    }
    else if (f->files.len > MAX_TREE_FILES)
      r = v2v_fail (err, V2V_ERR_USAGE, "%s: more than %u files", f->host,
                    MAX_TREE_FILES);
  }
  if (r == 0 && errno != 0)
    r = v2v_fail_errno (err, "%s", f->host);
  fts_close (fts);
  return r;
}

/* The file REL beside INF, as it is spelled; Windows ignores the case, and
 * takes "x.sy_" for a compressed "x.sys". */
static const char *
find_file (const struct driver_folder *f, const char *inf, const char *rel)
{
  const char *slash = strrchr (inf, '/');
  const size_t dir = slash != NULL ? (size_t) (slash - inf) + 1 : 0;
  const size_t n = strlen (rel);

  for (size_t i = 0; i < f->files.len; ++i) {
    const char *p = f->files.ptr[i];

    if (strncmp (p, inf, dir) != 0)
      continue;
    if (strcasecmp (p + dir, rel) == 0 ||
        (n > 0 && strlen (p + dir) == n && p[dir + n - 1] == '_' &&
         strncasecmp (p + dir, rel, n - 1) == 0))
      return p;
  }
  return NULL;
}

/* A path that Windows and a batch file can both say. */
static int
check_path (const struct driver_folder *f, const char *rel,
            struct v2v_error **err)
{
  for (const char *p = rel; *p; ++p)
    if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f ||
        strchr ("<>:\"|?*\\", *p) != NULL)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: '%s': a driver's file has a name of plain ASCII "
                       "without < > : \" | ? * and backslash",
                       f->host, rel);
  return 0;
}

/* ---- placing ---- */

static int
place (struct windows_guest *w, const struct driver_folder *f, const char *rel,
       struct v2v_error **err)
{
  CLEANUP_FREE char *from = NULL, *to = NULL, *dir = NULL;

  if (check_path (f, rel, err) == -1)
    return -1;
  if (asprintf (&from, "%s/%s", f->host, rel) == -1) {
    from = NULL;
    return v2v_fail_nomem (err);
  }
  if (asprintf (&to, "%s" PLACE "/%s/%s", w->systemroot, f->name, rel) == -1) {
    to = NULL;
    return v2v_fail_nomem (err);
  }
  dir = strndup (to, (size_t) (strrchr (to, '/') - to));
  if (dir == NULL)
    return v2v_fail_nomem (err);
  if (v2v_guest_mkdir (w->g, dir, 0755, err) == -1 ||
      v2v_guest_upload (w->g, from, to, 0644, 0, "a driver of the user's",
                        err) == -1)
    return -1;
  return 0;
}

static int
place_catalog (struct windows_guest *w, const struct driver_folder *f,
               const char *rel, const struct windows_inf *inf,
               struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *name = windows_inf_catalog (inf, w->os->arch, &e);
  const char *path;

  if (e != NULL)
    return v2v_error_move (err, e);
  path = name != NULL ? find_file (f, rel, name) : NULL;
  if (path != NULL)
    return place (w, f, path, err);
  if (strcmp (w->os->arch, "i386") != 0) {
    v2v_fail (err, V2V_ERR_GUEST, "%s: %s%s%s", f->host, rel,
              name ? ": its catalogue is missing: " : " names no catalogue",
              name ? name : "");
    return v2v_hint (err, "64-bit Windows installs signed drivers only: use "
                          "the package of the driver's maker, complete");
  }
  if (v2v_findings_add (
          v2v_guest_findings (w->g), V2V_WARNING, "guest.drivers.unsigned", rel,
          "use a signed driver, or install it by hand",
          "the driver has no catalogue: Windows may refuse it") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
place_files (struct windows_guest *w, const struct driver_folder *f,
             const char *rel, const struct windows_inf *inf,
             struct v2v_error **err)
{
  CLEANUP_LIST char **files = windows_inf_files (inf, w->os->arch, err);

  if (files == NULL)
    return v2v_prefix (err, "%s: %s", f->host, rel);
  for (size_t i = 0; files[i] != NULL; ++i) {
    const char *path = find_file (f, rel, files[i]);

    if (path == NULL)
      return v2v_fail (err, V2V_ERR_GUEST,
                       "%s: %s needs the file %.200s, which is missing",
                       f->host, rel, files[i]);
    if (place (w, f, path, err) == -1)
      return -1;
  }
  return 0;
}

static struct windows_inf *
load_inf (const struct driver_folder *f, const char *rel,
          struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL, *data = NULL;
  CLEANUP_CLOSE int fd = -1;
  struct windows_inf *inf;
  struct stat st;
  size_t len = 0;

  if (asprintf (&path, "%s/%s", f->host, rel) == -1) {
    path = NULL;
    v2v_fail_nomem (err);
    return NULL;
  }
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd == -1 || fstat (fd, &st) == -1) {
    v2v_fail_errno (err, "%s", path);
    return NULL;
  }
  if (!S_ISREG (st.st_mode) || st.st_size > (off_t) WINDOWS_INF_MAX) {
    v2v_fail (err, V2V_ERR_FORMAT, "%s: no file of at most %u bytes", path,
              WINDOWS_INF_MAX);
    return NULL;
  }
  data = malloc ((size_t) st.st_size + 1);
  if (data == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  while (len < (size_t) st.st_size) {
    const ssize_t n = read (fd, data + len, (size_t) st.st_size - len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1) {
      v2v_fail_errno (err, "%s", path);
      return NULL;
    }
    if (n == 0)
      break;
    len += (size_t) n;
  }
  inf = windows_inf_parse (data, len, err);
  if (inf == NULL)
    v2v_prefix (err, "%s", path);
  return inf;
}

/* ---- what it takes of other INF files ---- */

/* NULL: it is there but cannot be read, as Windows compresses some. */
static struct windows_inf *
load_own_inf (struct windows_guest *w, const char *path)
{
  size_t len = 0;
  CLEANUP_FREE char *data =
      v2v_guest_read (w->g, path, WINDOWS_INF_MAX, &len, NULL);

  return data != NULL ? windows_inf_parse (data, len, NULL) : NULL;
}

/* Strike what is a section of INF from NEEDS. */
static void
strike (char **needs, const struct windows_inf *inf)
{
  size_t n = 0;

  for (size_t i = 0; needs[i] != NULL; ++i)
    if (windows_inf_has_section (inf, needs[i]))
      free (needs[i]);
    else
      needs[n++] = needs[i];
  needs[n] = NULL;
}

static int
report_include (struct windows_guest *w, const char *rel, const char *name,
                const char *why, struct v2v_error **err)
{
  return v2v_findings_add (
             v2v_guest_findings (w->g), V2V_WARNING, "guest.drivers.include",
             rel, "use the package of the driver that is for this Windows",
             "the driver takes %.200s, %s: it may not be installed", name,
             why) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

/* Windows' own are in %SystemRoot%\inf; the maker's lie beside.  *RET_READ is
 * cleared when one could not be read.  NEEDS loses the sections that it has. */
static int
place_include (struct windows_guest *w, const struct driver_folder *f,
               const char *rel, const char *name, char **needs, bool *ret_read,
               struct v2v_error **err)
{
  const char *path = find_file (f, rel, name);
  CLEANUP_FREE char *own = NULL;
  struct windows_inf *inf;

  if (path != NULL) {
    if (place (w, f, path, err) == -1)
      return -1;
    inf = load_inf (f, path, NULL);
  }
  else {
    if (asprintf (&own, "%s/inf/%s", w->systemroot, name) == -1) {
      own = NULL;
      return v2v_fail_nomem (err);
    }
    if (!v2v_guest_is_file (w->g, own)) {
      *ret_read = false;
      return report_include (w, rel, name,
                             "a file that is neither in its folder nor in this "
                             "Windows",
                             err);
    }
    inf = load_own_inf (w, own);
  }
  if (inf != NULL)
    strike (needs, inf);
  else
    *ret_read = false;
  windows_inf_free (inf);
  return 0;
}

static int
place_includes (struct windows_guest *w, const struct driver_folder *f,
                const char *rel, const struct windows_inf *inf,
                struct v2v_error **err)
{
  CLEANUP_LIST char **names = windows_inf_includes (inf, w->os->arch, err);
  CLEANUP_LIST char **needs =
      names != NULL ? windows_inf_needs (inf, w->os->arch, err) : NULL;
  bool all_read = true;

  if (needs == NULL)
    return v2v_prefix (err, "%s: %s", f->host, rel);
  strike (needs, inf);
  for (size_t i = 0; names[i] != NULL; ++i)
    if (place_include (w, f, rel, names[i], needs, &all_read, err) == -1)
      return -1;
  for (size_t i = 0; all_read && needs[i] != NULL; ++i)
    if (report_include (w, rel, needs[i],
                        "a section that none of the files it names has",
                        err) == -1)
      return -1;
  return 0;
}

/* A driver may be for servers alone.  Unknown types are left to Windows. */
static int
find_product (struct windows_guest *w, enum windows_inf_product *ret,
              struct v2v_error **err)
{
  static const char *const types[] = { "WinNT", "LanmanNT", "ServerNT" };
  CLEANUP_FREE char *key = NULL, *type = NULL;
  struct v2v_error *e = NULL;

  *ret = WINDOWS_PRODUCT_UNKNOWN;
  if (w->control_sets == NULL || w->control_sets[0] == NULL)
    return 0;
  key = windows_key (w->control_sets[0], "Control\\ProductOptions", err);
  if (key == NULL)
    return -1;
  type = v2v_hive_get_string (w->system, key, "ProductType", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  for (unsigned i = 0; type != NULL && i < V2V_ARRAY_SIZE (types); ++i)
    if (strcasecmp (type, types[i]) == 0)
      *ret = (enum windows_inf_product) (i + 1);
  return 0;
}

static int
take_inf (struct windows_guest *w, struct driver_folder *f, char *rel,
          struct v2v_error **err)
{
  struct windows_inf *inf;
  enum windows_inf_product product;
  int r = 0;

  if (find_product (w, &product, err) == -1)
    return -1;
  inf = load_inf (f, rel, err);
  if (inf == NULL)
    return -1;
  f->nr_infs++;
  if (windows_inf_fits (inf, w->os->arch, w->os->major, w->os->minor,
                        w->os->build, product)) {
    if (place (w, f, rel, err) == -1 ||
        place_catalog (w, f, rel, inf, err) == -1 ||
        place_files (w, f, rel, inf, err) == -1 ||
        place_includes (w, f, rel, inf, err) == -1)
      r = -1;
    else if (path_vector_append (&f->infs, rel) == -1)
      r = v2v_fail_nomem (err);
  }
  windows_inf_free (inf);
  return r;
}

/* ---- DevicePath ---- */

/* Is ENTRY one of LIST's, between semicolons? */
static bool
is_listed (const char *list, const char *entry)
{
  const size_t n = strlen (entry);

  for (const char *p = list; *p;) {
    const size_t len = strcspn (p, ";");

    if (len == n && strncasecmp (p, entry, n) == 0)
      return true;
    p += len;
    p += *p == ';';
  }
  return false;
}

static int
add_device_path (struct windows_guest *w, const struct driver_folder *f,
                 const char *inf, struct v2v_error **err)
{
  CLEANUP_FREE char *old = NULL, *entry = NULL, *new = NULL;
  const char *slash = strrchr (inf, '/');
  struct v2v_error *e = NULL;

  if (asprintf (&entry, "%%SystemRoot%%\\Drivers\\v2v\\%s%s%.*s", f->name,
                slash ? "\\" : "", slash ? (int) (slash - inf) : 0,
                inf) == -1) {
    entry = NULL;
    return v2v_fail_nomem (err);
  }
  for (char *p = entry; *p; ++p)
    if (*p == '/')
      *p = '\\';
  old = v2v_hive_get_string (w->software, DEVICE_PATH, "DevicePath", &e);
  if (e != NULL)
    return v2v_error_move (err, e);
  if (old != NULL && is_listed (old, entry))
    return 0;
  if (strchr (entry, ';') != NULL ||
      (old != NULL && strlen (old) + strlen (entry) > MAX_DEVICE_PATH))
    return 0; /* pnputil alone is enough */
  if (asprintf (&new, "%s;%s", old != NULL && *old ? old : "%SystemRoot%\\inf",
                entry) == -1) {
    new = NULL;
    return v2v_fail_nomem (err);
  }
  return v2v_hive_set_string (
             w->software, DEVICE_PATH, "DevicePath", V2V_REG_EXPAND_SZ, new,
             "Plug and Play looks for drivers there", err) == -1
             ? -1
             : 0;
}

/* ---- the first boot ---- */

/* Is the folder Drivers there for us alone?  What an offline tool makes is open
 * to everybody, and who can write there can put a "v2v" of his own in place of
 * ours.  One that was there keeps its access control. */
static int
is_ours (struct windows_guest *w, struct v2v_error **err)
{
  CLEANUP_FREE char *path = NULL;
  CLEANUP_LIST char **names = NULL;

  if (asprintf (&path, "%s/Drivers", w->systemroot) == -1) {
    path = NULL;
    return v2v_fail_nomem (err);
  }
  names = v2v_guest_list (w->g, path, err);
  if (names == NULL)
    return -1;
  for (size_t i = 0; names[i] != NULL; ++i)
    if (strcasecmp (names[i], "v2v") != 0)
      return 0;
  return 1;
}

/* /add-driver is new in Windows 10 1607 (build 14393). */
static int
script_of (struct windows_guest *w, const struct driver_folder *f, bool ours,
           struct v2v_str *s)
{
  const bool modern = w->os->build >= 14393;

  /* The outer one first. */
  if (v2v_str_printf (s,
                      "@echo off\n"
                      "rem v2v-run-again: yes\n"
                      "rem v2v-time-limit: 3600\n"
                      "set result=250\n"
                      "%s"
                      "\"%%SystemRoot%%\\System32\\icacls.exe\" "
                      "\"%%SystemRoot%%\\Drivers\\v2v\" /reset /t /q\n"
                      "cd /d \"%%SystemRoot%%\\Drivers\\v2v\\%s\"\n"
                      "if errorlevel 1 exit /b 1\n",
                      ours ? "\"%SystemRoot%\\System32\\icacls.exe\" "
                             "\"%SystemRoot%\\Drivers\" /reset /q\n"
                           : "",
                      f->name) == -1)
    return -1;
  for (size_t i = 0; i < f->infs.len; ++i) {
    CLEANUP_FREE char *path = strdup (f->infs.ptr[i]);

    for (char *p = path; p != NULL && *p; ++p)
      if (*p == '/')
        *p = '\\';
    /* check_path has refused what cannot be quoted. */
    if (path == NULL ||
        v2v_str_printf (s, "\"%%SystemRoot%%\\System32\\pnputil.exe\" %s ",
                        modern ? "/add-driver" : "-i -a") == -1 ||
        windows_cmd_quote (s, path) != 1 ||
        v2v_str_printf (s, "%s\ncall :judge %%ERRORLEVEL%%\n",
                        modern ? " /install" : "") == -1)
      return -1;
  }
  /* 259: no device for it now; 3010: after a restart. */
  return v2v_str_append (s, "exit /b %result%\n"
                            ":judge\n"
                            "if %1==0 goto :eof\n"
                            "if %1==259 goto :eof\n"
                            "if %1==3010 goto :restart\n"
                            "echo FAILED: pnputil ended with %1\n"
                            "set result=1\n"
                            "goto :eof\n"
                            ":restart\n"
                            "if %result%==250 set result=3010\n"
                            "goto :eof\n");
}

static int
report (struct windows_guest *w, const struct driver_folder *f,
        struct v2v_error **err)
{
  struct v2v_findings *list = v2v_guest_findings (w->g);

  if (v2v_findings_add (list, V2V_INFORMATION, "guest.drivers.placed", f->host,
                        NULL, "%zu drivers are installed at the first boot",
                        f->infs.len) == -1 ||
      (f->infs.len < f->nr_infs &&
       v2v_findings_add (list, V2V_INFORMATION, "guest.drivers.architecture",
                         f->host, NULL,
                         "%zu drivers are for another architecture, a later "
                         "Windows or another product (server, workstation) and "
                         "are left out",
                         f->nr_infs - f->infs.len) == -1))
    return v2v_fail_nomem (err);
  return 0;
}

static int
inject_folder (struct windows_guest *w, const char *host, unsigned number,
               struct v2v_error **err)
{
  struct driver_folder f CLEANUP_FOLDER = { .host = host };
  struct v2v_str s CLEANUP_STR = V2V_STR_INIT;
  CLEANUP_FREE char *copy = strdup (host), *safe = NULL, *script = NULL;
  char *base;
  int ours;

  if (copy == NULL)
    return v2v_fail_nomem (err);
  base = copy + strlen (copy);
  while (base > copy && base[-1] == '/')
    *--base = '\0';
  base = strrchr (copy, '/');
  safe = v2v_safe_name (base != NULL ? base + 1 : copy);
  if (safe == NULL || asprintf (&f.name, "%02u-%s", number, safe) == -1) {
    f.name = NULL;
    return v2v_fail_nomem (err);
  }
  if (scan (&f, err) == -1)
    return -1;
  for (size_t i = 0; i < f.files.len; ++i) {
    const size_t n = strlen (f.files.ptr[i]);

    if (n > 4 && strcasecmp (f.files.ptr[i] + n - 4, ".inf") == 0 &&
        take_inf (w, &f, f.files.ptr[i], err) == -1)
      return -1;
  }
  if (f.infs.len == 0)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s: none of %zu INF files is for Windows %d.%d on %s",
                     host, f.nr_infs, w->os->major, w->os->minor, w->os->arch);
  for (size_t i = 0; i < f.infs.len; ++i)
    if (add_device_path (w, &f, f.infs.ptr[i], err) == -1)
      return -1;
  ours = is_ours (w, err);
  if (ours == -1)
    return -1;
  if (script_of (w, &f, ours == 1, &s) == -1)
    return v2v_fail_nomem (err);
  if (asprintf (&script, "drivers-%s.cmd", f.name) == -1) {
    script = NULL;
    return v2v_fail_nomem (err);
  }
  if (windows_add_script (w, WINDOWS_ORDER_DRIVERS + number, script, &s, err) ==
      -1)
    return -1;
  return report (w, &f, err);
}

int
windows_inject_drivers (struct windows_guest *w, struct v2v_error **err)
{
  const char *const *folders = v2v_guest_get_opts (w->g)->drivers;

  for (unsigned i = 0; folders != NULL && folders[i] != NULL; ++i) {
    if (w->os->arch == NULL || w->os->major < 6)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "drivers: Windows before Vista has no pnputil: install "
                       "them by hand");
    if (i == MAX_FOLDERS)
      return v2v_fail (err, V2V_ERR_USAGE, "drivers: more than %u folders",
                       MAX_FOLDERS);
    if (inject_folder (w, folders[i], i, err) == -1)
      return v2v_prefix (err, "drivers");
  }
  return 0;
}
