/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An appliance of libguestfs as the back end of a guest.  guestfs(3).
 *
 * Paths are looked up inside the appliance, below the mounted root: no link of
 * the guest leads to the host.  Programs of the guest run there too, without a
 * network, with a limit of time and of output.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "inject/guest-front.h"
#include "inject/guest-libguestfs.h"
#include "inject/windows.h"

/* The end of a program's output that is kept. */
#define MAX_OUTPUT (64u << 10)
/* What is read of a file in one call. */
#define READ_PIECE (1u << 20)
/* Beyond its own limit, before the appliance is ended as a whole. */
#define RUN_GRACE_SECONDS 90

static guestfs_h *
gfs (void *h)
{
  return v2v_appliance_guestfs (((struct guest_appliance *) h)->appliance);
}

/* The last call failed at PATH. */
static int
fail (void *h, const char *path, struct v2v_error **err)
{
  return v2v_appliance_fail (((struct guest_appliance *) h)->appliance, err,
                             "guest: %s", path);
}

/* NTFS and FAT have no owners; what is not there cannot be set. */
static bool
is_without_owners (guestfs_h *g)
{
  const int e = guestfs_last_errno (g);

  return e == EPERM || e == EOPNOTSUPP || e == ENOSYS;
}

/* ---- looking ---- */

static int
gfs_stat (void *h, const char *path, bool follow, struct v2v_guest_stat *ret,
          struct v2v_error **err)
{
  guestfs_h *g = gfs (h);
  struct guestfs_statns *st =
      follow ? guestfs_statns (g, path) : guestfs_lstatns (g, path);
  int e;

  if (st == NULL) {
    e = guestfs_last_errno (g);
    if (e == ENOENT || e == ENOTDIR || e == ELOOP)
      return 0;
    return fail (h, path, err);
  }
  ret->type = S_ISREG (st->st_mode)   ? V2V_FILE_REGULAR
              : S_ISDIR (st->st_mode) ? V2V_FILE_FOLDER
              : S_ISLNK (st->st_mode) ? V2V_FILE_LINK
                                      : V2V_FILE_OTHER;
  ret->size_bytes = (uint64_t) st->st_size;
  ret->mode = (uint32_t) st->st_mode & 07777;
  ret->uid = (uint32_t) st->st_uid;
  ret->gid = (uint32_t) st->st_gid;
  ret->mtime = st->st_mtime_sec;
  guestfs_free_statns (st);
  return 1;
}

static char **
gfs_list (void *h, const char *path, struct v2v_error **err)
{
  char **list = guestfs_ls (gfs (h), path);

  if (list == NULL)
    fail (h, path, err);
  return list;
}

static char *
gfs_readlink (void *h, const char *path, struct v2v_error **err)
{
  char *target = guestfs_readlink (gfs (h), path);

  if (target == NULL)
    fail (h, path, err);
  return target;
}

/* In pieces that fit into a message of libguestfs (4 MiB), so that no more is
 * moved than is wanted: a hiberfil.sys has many GB, of which 4 bytes count. */
static void *
gfs_read (void *h, const char *path, size_t max, size_t *ret_len,
          struct v2v_error **err)
{
  CLEANUP_FREE char *data = malloc (1);
  size_t len = 0, room = 0;

  while (data != NULL && len < max) {
    const size_t want = max - len < READ_PIECE ? max - len : READ_PIECE;
    CLEANUP_FREE char *piece = NULL;
    size_t n = 0;

    piece = guestfs_pread (gfs (h), path, (int) want, (int64_t) len, &n);
    if (piece == NULL) {
      fail (h, path, err);
      return NULL;
    }
    if (n == 0)
      break;
    if (n > want)
      n = want;
    if (n > room - len) {
      char *p;

      room = 2 * len + n;
      p = realloc (data, room + 1);
      if (p == NULL) {
        v2v_fail_nomem (err);
        return NULL;
      }
      data = p;
    }
    memcpy (data + len, piece, n);
    len += n;
  }
  if (data == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  data[len] = '\0';
  *ret_len = len;
  return STEAL (data);
}

static int
gfs_download (void *h, const char *path, int fd, uint64_t max,
              struct v2v_error **err)
{
  struct v2v_guest_stat st;
  char name[32];
  int r = gfs_stat (h, path, true, &st, err);

  if (r <= 0)
    return r == 0
               ? v2v_fail (err, V2V_ERR_GUEST, "%s is not in the guest", path)
               : -1;
  if (st.size_bytes > max)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "%s in the guest has more than %" PRIu64 " bytes", path,
                     max);
  snprintf (name, sizeof name, "/dev/fd/%d", fd);
  if (guestfs_download_offset (gfs (h), path, name, 0,
                               (int64_t) st.size_bytes) == -1)
    return fail (h, path, err);
  return 0;
}

static int
gfs_space (void *h, const char *path, struct v2v_guest_space *ret,
           struct v2v_error **err)
{
  struct guestfs_statvfs *st = guestfs_statvfs (gfs (h), path);

  if (st == NULL)
    return fail (h, path, err);
  ret->total_bytes = (uint64_t) st->blocks * (uint64_t) st->frsize;
  ret->free_bytes = (uint64_t) st->bavail * (uint64_t) st->frsize;
  ret->free_inodes = st->files == 0 ? UINT64_MAX : (uint64_t) st->favail;
  guestfs_free_statvfs (st);
  return 0;
}

/* ---- changing ---- */

static int
gfs_chmod (void *h, const char *path, uint32_t mode, struct v2v_error **err)
{
  if (guestfs_chmod (gfs (h), (int) mode, path) == -1 &&
      !is_without_owners (gfs (h)))
    return fail (h, path, err);
  return 0;
}

static int
gfs_chown (void *h, const char *path, uint32_t uid, uint32_t gid,
           struct v2v_error **err)
{
  if (guestfs_chown (gfs (h), (int) uid, (int) gid, path) == -1 &&
      !is_without_owners (gfs (h)))
    return fail (h, path, err);
  return 0;
}

/* What ntfs-3g says of every file, whatever its access control. */
#define NTFS_MODE 0777u

static int
remember_mode (struct guest_appliance *h, const char *path, uint32_t mode,
               struct v2v_error **err)
{
  return !h->is_windows || mode == NTFS_MODE || !guest_is_ntfs (h, path)
             ? 0
             : guest_ntfs_modes_add (h, path, mode, err);
}

static int
gfs_upload (void *h, int fd, const char *path, uint32_t mode, uint32_t uid,
            uint32_t gid, struct v2v_error **err)
{
  char name[32];

  /* Opened anew, so it begins at the start. */
  snprintf (name, sizeof name, "/dev/fd/%d", fd);
  if (guestfs_upload (gfs (h), name, path) == -1)
    return fail (h, path, err);
  /* The owner first: changing it takes set-user-id away. */
  return gfs_chown (h, path, uid, gid, err) == -1 ||
                 gfs_chmod (h, path, mode, err) == -1 ||
                 remember_mode (h, path, mode, err) == -1
             ? -1
             : 0;
}

/* On NTFS the security descriptor and DOS attributes go with the file, and
 * libguestfs sets no attribute with a NUL in it (lsetxattr: a string).  Files
 * are written as they lie: an overlay that is not complete is thrown away. */
static bool
gfs_in_place (void *h, const char *path)
{
  return guest_is_ntfs (h, path);
}

static int
gfs_copy_attributes (void *h, const char *from, const char *to,
                     struct v2v_error **err)
{
  (void) err;
  /* Not every file system has any: FAT. */
  if (guestfs_copy_attributes (
          gfs (h), from, to, GUESTFS_COPY_ATTRIBUTES_XATTRIBUTES, 1, -1) == -1)
    v2v_debug ("guest: %s: extended attributes: %s", from,
               guestfs_last_error (gfs (h)));
  return 0;
}

static int
gfs_mkdir (void *h, const char *path, uint32_t mode, struct v2v_error **err)
{
  return guestfs_mkdir_mode (gfs (h), path, (int) mode) == -1
             ? fail (h, path, err)
             : remember_mode (h, path, mode, err);
}

static int
gfs_remove (void *h, const char *path, struct v2v_error **err)
{
  return guestfs_rm (gfs (h), path) == -1 ? fail (h, path, err) : 0;
}

static int
gfs_remove_tree (void *h, const char *path, struct v2v_error **err)
{
  return guestfs_rm_rf (gfs (h), path) == -1 ? fail (h, path, err) : 0;
}

static int
gfs_rename (void *h, const char *from, const char *to, struct v2v_error **err)
{
  return guestfs_rename (gfs (h), from, to) == -1
             ? fail (h, from, err)
             : guest_ntfs_modes_rename (h, from, to, err);
}

static int
gfs_symlink (void *h, const char *target, const char *path,
             struct v2v_error **err)
{
  return guestfs_ln_s (gfs (h), target, path) == -1 ? fail (h, path, err) : 0;
}

static int
gfs_selinux_relabel (void *h, const char *spec, struct v2v_error **err)
{
  const char *const groups[] = { "selinuxrelabel", NULL };
  const struct guestfs_selinux_relabel_argv opts = {
    .bitmask = GUESTFS_SELINUX_RELABEL_FORCE_BITMASK, .force = 1
  };

  if (guestfs_feature_available (gfs (h), (char *const *) (uintptr_t) groups) !=
      1)
    return 1;
  if (guestfs_selinux_relabel_argv (gfs (h), spec, "/", &opts) == -1)
    return fail (h, spec, err);
  return 0;
}

/* ---- running ---- */

/* ARG between quotes that a shell leaves alone. */
static int
append_quoted (struct v2v_str *s, const char *arg)
{
  int r = v2v_str_append (s, " '");

  for (const char *p = arg; *p != '\0'; ++p)
    r |=
        *p == '\'' ? v2v_str_append (s, "'\\''") : v2v_str_append_len (s, p, 1);
  return r | v2v_str_append (s, "'");
}

/* The program's output through tail(1), so that its length is bounded where it
 * is made; then a line with its status.  tail(1) waits for everyone who can
 * write to it: a daemon that the program left is killed ("l-wx... 1 ->
 * pipe:[N]" below its /proc/PID/fd).  timeout(1) is in coreutils 7 (2008)
 * and busybox; without it the watcher ends the appliance. */
static int
make_script (struct v2v_str *s, const char *const argv[], unsigned seconds)
{
  int r = v2v_str_printf (
      s,
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
      "LC_ALL=C\nHOME=/root\nexport PATH LC_ALL HOME\n"
      "if command -v timeout >/dev/null 2>&1; then l='timeout %u'; "
      "else l=; fi\n"
      "exec 4>&1\n"
      "left () {\n"
      "  ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do\n"
      "    case $line in\n"
      "    /proc/*) q=${line#/proc/}; q=${q%%%%/*} ;;\n"
      "    l?w*\"-> $p\") kill -9 \"$q\" ;;\n"
      "    esac\n"
      "  done\n"
      "}\n"
      "s=$( { { exec 5>&1; p=$(readlink /proc/self/fd/5 2>/dev/null)\n$l",
      seconds);

  for (size_t i = 0; argv[i] != NULL; ++i)
    r |= append_quoted (s, argv[i]);
  return r | v2v_str_printf (s,
                             " </dev/null 2>&1 3>&- 4>&- 5>&-\n"
                             "r=$?; exec >&3 2>/dev/null 5>&-\n"
                             "[ -z \"$p\" ] || left; echo $r >&3; } | "
                             "tail -c %u >&4; } 3>&1 )\n"
                             "printf '\\n%%s\\n' \"$s\"\n",
                             MAX_OUTPUT);
}

static double
monotonic (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* What the script printed: cut off its last line, the status. */
static int
take_status (char *output, int *ret_status)
{
  size_t len = strlen (output);
  char *line, *end;
  long n;

  if (len == 0 || output[len - 1] != '\n')
    return -1;
  output[len - 1] = '\0';
  line = strrchr (output, '\n');
  if (line == NULL)
    return -1;
  *line++ = '\0';
  n = strtol (line, &end, 10);
  if (end == line || *end != '\0' || n < 0 || n > 255)
    return -1;
  *ret_status = (int) n;
  return 0;
}

static int
gfs_run (void *vh, const char *const argv[], unsigned seconds, int *ret_status,
         char **ret_output, struct v2v_error **err)
{
  struct guest_appliance *h = vh;
  CLEANUP_STR struct v2v_str script = V2V_STR_INIT;
  CLEANUP_FREE char *output = NULL;
  const double begin = monotonic ();

  if (make_script (&script, argv, seconds) != 0)
    return v2v_fail_nomem (err);
  v2v_appliance_limit (h->appliance, seconds + RUN_GRACE_SECONDS);
  output = guestfs_sh (gfs (h), script.ptr);
  if (output == NULL)
    return fail (h, argv[0], err);
  v2v_appliance_limit (h->appliance, 0);
  if (take_status (output, ret_status) == -1)
    return v2v_fail (err, V2V_ERR_GUEST,
                     "guest: %s: its shell did not tell how it ended", argv[0]);
  if (*ret_status == 124 && monotonic () - begin >= seconds)
    return v2v_fail (err, V2V_ERR_GUEST, "guest: %s: not done in %u seconds",
                     argv[0], seconds);
  if (ret_output != NULL)
    *ret_output = STEAL (output);
  return 0;
}

/* ---- the handle ---- */

void
guest_appliance_free (struct guest_appliance *h)
{
  if (h == NULL)
    return;
  v2v_appliance_close (h->appliance);
  for (size_t i = 0; i < h->nr_overlays; ++i)
    v2v_overlay_free (h->overlays[i]);
  free (h->overlays);
  guest_ntfs_modes_clear (&h->modes);
  v2v_tempdir_free (h->folder);
  free (h);
}

static void
gfs_close (void *h)
{
  guest_appliance_free (h);
}

#define LIBGUESTFS_OPS                                                         \
  .name = "libguestfs", .stat = gfs_stat, .list = gfs_list,                    \
  .readlink = gfs_readlink, .read = gfs_read, .download = gfs_download,        \
  .upload = gfs_upload, .copy_attributes = gfs_copy_attributes,                \
  .in_place = gfs_in_place, .mkdir = gfs_mkdir, .remove = gfs_remove,          \
  .remove_tree = gfs_remove_tree, .rename = gfs_rename,                        \
  .symlink = gfs_symlink, .chmod = gfs_chmod, .chown = gfs_chown,              \
  .space = gfs_space, .selinux_relabel = gfs_selinux_relabel,                  \
  .close = gfs_close

static const struct v2v_guest_ops native_ops = {
  LIBGUESTFS_OPS,
  .run = gfs_run,
};
/* Programs for another processor, or of Windows. */
static const struct v2v_guest_ops foreign_ops = { LIBGUESTFS_OPS };

struct guest_appliance *
guest_appliance_of (struct v2v_guest *g)
{
  return g->ops == &native_ops || g->ops == &foreign_ops ? g->h : NULL;
}

guestfs_h *
v2v_guest_libguestfs (struct v2v_guest *g)
{
  struct guest_appliance *h = guest_appliance_of (g);

  return h == NULL ? NULL : v2v_appliance_guestfs (h->appliance);
}

/* Does a Linux of architecture ARCH run in our appliance? */
static bool
runs_here (const char *arch)
{
  struct utsname u;

  if (arch == NULL || uname (&u) == -1)
    return false;
  if (strcmp (arch, u.machine) == 0)
    return true;
  return arch[0] == 'i' && strcmp (arch + 2, "86") == 0 &&
         strcmp (u.machine, "x86_64") == 0;
}

static bool
is_linux_native (const struct v2v_os *os)
{
  return os->family == V2V_FAMILY_LINUX && runs_here (os->arch);
}

/* ---- opening ---- */

struct v2v_guest *
guest_appliance_new (struct guest_appliance *h, struct v2v_error **err)
{
  return v2v_guest_new (&foreign_ops, h, err);
}

static char *
overlay_path (const char *folder, size_t i, struct v2v_error **err)
{
  char *path;

  if (asprintf (&path, "%s/disk%zu.qcow2", folder, i + 1) == -1) {
    v2v_fail_nomem (err);
    return NULL;
  }
  return path;
}

/* Overlays over all that is there, and the appliance on them. */
static int
start (struct guest_appliance *h, struct v2v_image *const *images, size_t n,
       const struct v2v_guest_open_opts *opts, const char *folder,
       struct v2v_error **err)
{
  CLEANUP_FREE struct v2v_appliance_drive *drives =
      calloc (n + 1, sizeof *drives);

  h->overlays = calloc (n + 1, sizeof *h->overlays);
  if (drives == NULL || h->overlays == NULL)
    return v2v_fail_nomem (err);
  for (size_t i = 0; i < n; ++i) {
    const struct v2v_machine *m = opts->machine;
    const struct v2v_disk_origin origin = {
      .package = m ? m->source_path : NULL,
      .disk = m && i < m->nr_disks ? m->disks[i].file : NULL,
      .search = opts->search,
    };
    CLEANUP_FREE char *path = NULL;
    struct v2v_overlay *o;

    if (images[i] == NULL)
      continue;
    path = overlay_path (folder, i, err);
    if (path == NULL)
      return -1;
    unlink (path); /* of a run that was killed */
    o = v2v_overlay_new (images[i], path, &origin, err);
    if (o == NULL)
      return v2v_prefix (err, "disk %zu", i + 1);
    h->overlays[h->nr_overlays] = o;
    drives[h->nr_overlays++] = (struct v2v_appliance_drive){
      .path = v2v_overlay_path (o),
      .format = "qcow2",
      .sector_bytes = v2v_image_get_info (images[i])->logical_sector_bytes,
    };
  }
  h->appliance =
      v2v_appliance_start (drives, h->nr_overlays, 0, opts->cancel, err);
  return h->appliance == NULL ? -1 : 0;
}

/* The guest's own findings about how it is reached. */
static int
tell_accelerator (struct v2v_guest *g, const struct guest_appliance *h,
                  struct v2v_error **err)
{
  if (v2v_appliance_accelerator (h->appliance) == V2V_ACCEL_FALLBACK &&
      v2v_findings_add (&g->findings, V2V_WARNING, "guest.appliance.emulated",
                        NULL, "see what 'v2v doctor' says about /dev/kvm",
                        "an appliance by KVM does not answer on this host, so "
                        "it ran in software emulation, which is slow") == -1)
    return v2v_fail_nomem (err);
  return 0;
}

static int
find_system (struct v2v_guest *g, struct guest_appliance *h,
             const struct v2v_guest_open_opts *opts, struct v2v_error **err)
{
  if (tell_accelerator (g, h, err) == -1 ||
      guest_open_encrypted (g, h, opts->keys, err) == -1 ||
      guest_list_filesystems (g, h, err) == -1 ||
      (opts->gate != NULL && opts->gate (g, false, err) == -1) ||
      guest_inspect (g, h, err) == -1)
    return -1;
  if (is_linux_native (&g->os))
    g->ops = &native_ops;
  return opts->gate != NULL ? opts->gate (g, true, err) : 0;
}

struct v2v_guest *
v2v_guest_open_images (struct v2v_image *const *images, size_t n,
                       const struct v2v_guest_open_opts *opts,
                       struct v2v_error **err)
{
  struct guest_appliance *h = calloc (1, sizeof *h);
  const char *folder = opts->folder;
  struct timespec begin, end;
  struct v2v_guest *g;

  if (h == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  clock_gettime (CLOCK_MONOTONIC, &begin);
  if (opts->step != NULL)
    opts->step (opts->step_arg, "starting the appliance");
  if (folder == NULL && (h->folder = v2v_tempdir_new (NULL, err)) != NULL)
    folder = v2v_tempdir_path (h->folder);
  if (folder == NULL || start (h, images, n, opts, folder, err) == -1 ||
      (g = guest_appliance_new (h, err)) == NULL) {
    guest_appliance_free (h);
    return NULL;
  }
  clock_gettime (CLOCK_MONOTONIC, &end);
  if (opts->ret_start_seconds != NULL)
    *opts->ret_start_seconds = (double) (end.tv_sec - begin.tv_sec) +
                               (double) (end.tv_nsec - begin.tv_nsec) / 1e9;
  v2v_guest_set_opts (g, &opts->guest);
  v2v_guest_set_machine (g, opts->machine);
  v2v_guest_set_dry_run (g, opts->look_only);
  v2v_guest_set_step (g, opts->step, opts->step_arg);
  v2v_guest_tell_step (g, "looking into the guest");
  if (find_system (g, h, opts, err) == -1) {
    v2v_guest_close (g);
    return NULL;
  }
  return g;
}

/* ---- saving ---- */

/* What is freed need not be copied.  Not every file system can: no error. */
static void
trim_all (struct v2v_guest *g, guestfs_h *gfsh)
{
  for (size_t i = 0; i < g->os.nr_filesystems; ++i) {
    const struct v2v_filesystem *f = &g->os.filesystems[i];

    if (guestfs_mount_options (gfsh, "discard", f->device, "/") == -1 &&
        guestfs_mount (gfsh, f->device, "/") == -1)
      continue;
    guestfs_fstrim (gfsh, "/", -1);
    guestfs_umount_all (gfsh);
  }
}

int
v2v_guest_save (struct v2v_guest *g, struct v2v_error **err)
{
  struct guest_appliance *h = guest_appliance_of (g);
  guestfs_h *gfsh;

  if (h == NULL || h->saved)
    return 0;
  h->saved = true;
  gfsh = v2v_appliance_guestfs (h->appliance);
  if (h->has_esp_folder) {
    guestfs_umount (gfsh, GUEST_ESP); /* it may not have been mounted */
    guestfs_rmdir (gfsh, GUEST_ESP);
  }
  if (h->has_system_folder) {
    guestfs_umount (gfsh, V2V_WINDOWS_SYSTEM_VOLUME);
    guestfs_rmdir (gfsh, V2V_WINDOWS_SYSTEM_VOLUME);
  }
  if (guestfs_umount_all (gfsh) == -1)
    return v2v_appliance_fail (h->appliance, err, "unmounting the guest");
  if (guest_ntfs_modes_apply (g, h, err) == -1)
    return -1;
  if (g->opts.fsck && guest_check_filesystems (g, h, err) == -1)
    return -1;
  v2v_guest_tell_step (g, "freeing what the guest no longer uses");
  trim_all (g, gfsh);
  if (v2v_appliance_stop (h->appliance, err) == -1)
    return -1;
  for (size_t i = 0; i < h->nr_overlays; ++i)
    if (v2v_overlay_detach (h->overlays[i], err) == -1)
      return -1;
  return 0;
}

int
v2v_guest_lay_overlays (const char *folder, struct v2v_image **images, size_t n,
                        struct v2v_error **err)
{
  for (size_t i = 0; i < n; ++i) {
    CLEANUP_FREE char *path = NULL;

    if (images[i] == NULL)
      continue;
    path = overlay_path (folder, i, err);
    if (path == NULL || v2v_overlay_lay (path, &images[i], err) == -1)
      return -1;
  }
  return 0;
}
