/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The progress display.  A bar is redrawn with a carriage return only, and
 * wiped with blanks: no escape codes, so that any terminal and any log of one
 * stays readable.  The width is asked at every redraw, which is all that a
 * change of the window's size needs.
 *
 * What is done inside an appliance is told once, when it begins; a thread of
 * ours shows then how long it has been going on.
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "convert/progress.h"

/* How often the clock of a step is shown. */
#define BAR_STEP_MS  1000
#define JSON_STEP_MS 5000

struct v2v_progress_bar {
  pthread_mutex_t lock; /* update and clear come from different threads */
  pthread_cond_t wake;  /* of the clock */
  enum v2v_progress_mode mode;
  FILE *fp;
  unsigned shown; /* columns of the line on the terminal; 0 = none */
  char item[80];  /* which disk the clock below belongs to */
  char stage[16];
  double started;      /* monotonic seconds */
  uint64_t start_done; /* a resumed copy does not start at 0 */
  bool finished;       /* the last line of this item was out */

  char step[100]; /* what is being done; "" = nothing of that kind */
  double step_started;
  pthread_t clock;
  bool has_clock;
  bool stop;
};

bool
v2v_progress_mode_parse (const char *s, enum v2v_progress_mode *ret)
{
  static const char *const names[] = { "auto", "bar", "json", "none" };

  for (size_t i = 0; i < V2V_ARRAY_SIZE (names); ++i)
    if (strcmp (s, names[i]) == 0) {
      *ret = (enum v2v_progress_mode) i;
      return true;
    }
  return false;
}

static double
now (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

struct v2v_progress_bar *
v2v_progress_bar_new (enum v2v_progress_mode mode, FILE *fp,
                      struct v2v_error **err)
{
  struct v2v_progress_bar *bar = calloc (1, sizeof *bar);
  pthread_condattr_t attr;

  if (bar == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  if (mode == V2V_PROGRESS_AUTO && isatty (fileno (fp)))
    mode = V2V_PROGRESS_BAR;
  pthread_mutex_init (&bar->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&bar->wake, &attr);
  pthread_condattr_destroy (&attr);
  bar->mode = mode;
  bar->fp = fp;
  return bar;
}

static unsigned
terminal_width (FILE *fp)
{
  struct winsize ws;

  if (ioctl (fileno (fp), TIOCGWINSZ, &ws) == -1 || ws.ws_col == 0)
    return 80;
  if (ws.ws_col < 20)
    return 20;
  return ws.ws_col > 512 ? 512 : ws.ws_col;
}

/* "0:07", "12:30", "3:05:00" */
static void
format_time (double seconds, char out[32])
{
  uint64_t s = (uint64_t) (seconds + 0.5);

  if (s > 359999)
    snprintf (out, 32, "days");
  else if (s >= 3600)
    snprintf (out, 32, "%" PRIu64 ":%02u:%02u", s / 3600,
              (unsigned) (s / 60 % 60), (unsigned) (s % 60));
  else
    snprintf (out, 32, "%" PRIu64 ":%02u", s / 60, (unsigned) (s % 60));
}

/* Put HEAD, a bar that fills what is left, and TAIL into WIDTH columns. */
static void
join_with_bar (char out[V2V_PROGRESS_LINE], unsigned width, const char *head,
               const char *tail, double part)
{
  const size_t used = strlen (head) + strlen (tail);
  size_t cells, full;
  char bar[256];

  if (used + 15 > width) { /* no room for a bar worth looking at */
    snprintf (out, V2V_PROGRESS_LINE, "%s %s", head, tail);
    return;
  }
  cells = width - used - 4;
  if (cells > 60)
    cells = 60;
  full = (size_t) (part * (double) cells);
  for (size_t i = 0; i < cells; ++i)
    bar[i] = i < full ? '=' : (i == full ? '>' : ' ');
  bar[cells] = '\0';
  snprintf (out, V2V_PROGRESS_LINE, "%s [%s] %s", head, bar, tail);
}

char *
v2v_progress_line (char out[V2V_PROGRESS_LINE], unsigned width,
                   const struct v2v_progress *p, double rate, double left)
{
  char head[128], tail[160], done[32], total[32], speed[32], eta[32];
  const char *item = p->item ? p->item : p->stage;
  const double part =
      p->total_bytes ? (double) p->done_bytes / (double) p->total_bytes : 1.0;
  /* The name may take a third of the line, its end being what differs. */
  const size_t room = width / 3, len = strlen (item);
  const char *name = len > room ? item + (len - room) : item;

  /* Never begin inside a UTF-8 character. */
  while (((unsigned char) *name & 0xc0) == 0x80)
    name++;
  snprintf (head, sizeof head, "%.100s %3u%%", name, (unsigned) (part * 100.0));
  v2v_format_size (p->done_bytes, done);
  v2v_format_size (p->total_bytes, total);
  v2v_format_size (rate > 0 ? (uint64_t) rate : 0, speed);
  format_time (left > 0 ? left : 0, eta);

  if (rate < 0)
    snprintf (tail, sizeof tail, "%s/%s", done, total);
  else if (width >= 72)
    snprintf (tail, sizeof tail, "%s/%s %s/s %s left", done, total, speed,
              left < 0 ? "?" : eta);
  else
    snprintf (tail, sizeof tail, "%s/s %s", speed, left < 0 ? "?" : eta);
  join_with_bar (out, width, head, tail, part);
  if (strlen (out) > width)
    out[width] = '\0';
  return out;
}

/* Blank what is on the line; the cursor returns to its begin. */
static void
wipe (struct v2v_progress_bar *bar)
{
  if (bar->shown == 0)
    return;
  fprintf (bar->fp, "\r%*s\r", (int) bar->shown, "");
  bar->shown = 0;
}

static void
draw (struct v2v_progress_bar *bar, const struct v2v_progress *p, double rate,
      double left)
{
  /* The last column stays free: writing there wraps on some terminals. */
  const unsigned width = terminal_width (bar->fp) - 1;
  char line[V2V_PROGRESS_LINE];

  v2v_progress_line (line, width, p, rate, left);
  wipe (bar);
  fputs (line, bar->fp);
  bar->shown = (unsigned) strlen (line);
  fflush (bar->fp);
}

static void
print_json (struct v2v_progress_bar *bar, const struct v2v_progress *p,
            double rate, double left)
{
  struct v2v_json *o = v2v_json_new_object ();

  v2v_json_set_string (o, "stage", p->stage);
  v2v_json_set_string (o, "item", p->item);
  v2v_json_set_u64 (o, "done_bytes", p->done_bytes);
  v2v_json_set_u64 (o, "total_bytes", p->total_bytes);
  v2v_json_set_u64 (o, "data_bytes", p->data_bytes);
  if (rate >= 0)
    v2v_json_set_u64 (o, "bytes_per_second", (uint64_t) rate);
  if (left >= 0)
    v2v_json_set_u64 (o, "seconds_left", (uint64_t) (left + 0.5));
  v2v_json_print (o, 0, bar->fp, NULL);
  fflush (bar->fp);
  v2v_json_free (o);
}

/* ---- steps ---- */

char *
v2v_progress_step_line (char out[V2V_PROGRESS_LINE], unsigned width,
                        const char *what, double seconds)
{
  char elapsed[32];
  size_t room;

  format_time (seconds > 0 ? seconds : 0, elapsed);
  room = strlen (elapsed) + 5 < width ? width - strlen (elapsed) - 5 : 0;
  if (strlen (what) <= room)
    snprintf (out, V2V_PROGRESS_LINE, "%s %s", what, elapsed);
  else {
    /* Never end inside a UTF-8 character. */
    while (room > 0 && ((unsigned char) what[room] & 0xc0) == 0x80)
      --room;
    snprintf (out, V2V_PROGRESS_LINE, "%.*s... %s", (int) room, what, elapsed);
  }
  return out;
}

/* Lock held. */
static void
show_step (struct v2v_progress_bar *bar)
{
  const double seconds = now () - bar->step_started;
  char line[V2V_PROGRESS_LINE];
  struct v2v_json *o;

  if (bar->mode == V2V_PROGRESS_BAR) {
    v2v_progress_step_line (line, terminal_width (bar->fp) - 1, bar->step,
                            seconds);
    wipe (bar);
    fputs (line, bar->fp);
    bar->shown = (unsigned) strlen (line);
    fflush (bar->fp);
    return;
  }
  o = v2v_json_new_object ();
  v2v_json_set_string (o, "stage", "guest");
  v2v_json_set_string (o, "item", bar->step);
  v2v_json_set_u64 (o, "elapsed_seconds", (uint64_t) seconds);
  v2v_json_print (o, 0, bar->fp, NULL);
  fflush (bar->fp);
  v2v_json_free (o);
}

static void *
run_clock (void *arg)
{
  struct v2v_progress_bar *bar = arg;
  const long ms = bar->mode == V2V_PROGRESS_BAR ? BAR_STEP_MS : JSON_STEP_MS;

  pthread_mutex_lock (&bar->lock);
  while (!bar->stop) {
    struct timespec next;

    clock_gettime (CLOCK_MONOTONIC, &next);
    next.tv_sec += ms / 1000;
    if (pthread_cond_timedwait (&bar->wake, &bar->lock, &next) == ETIMEDOUT &&
        !bar->stop && bar->step[0] != '\0')
      show_step (bar);
  }
  pthread_mutex_unlock (&bar->lock);
  return NULL;
}

/* Without a clock (no thread can be started) beginnings are shown. */
static void
start_clock (struct v2v_progress_bar *bar)
{
  sigset_t all, old;

  if (bar->has_clock)
    return;
  /* Signals are for the program's own threads. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  bar->has_clock = pthread_create (&bar->clock, NULL, run_clock, bar) == 0;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
}

/* Lock held. */
static void
end_step (struct v2v_progress_bar *bar)
{
  if (bar->step[0] == '\0')
    return;
  bar->step[0] = '\0';
  if (bar->mode == V2V_PROGRESS_BAR)
    wipe (bar);
  fflush (bar->fp);
}

/* Lock held. */
static void
begin_step (struct v2v_progress_bar *bar, const struct v2v_progress *p)
{
  end_step (bar);
  if (p->item == NULL)
    return;
  snprintf (bar->step, sizeof bar->step, "%s", p->item);
  bar->step_started = now ();
  start_clock (bar);
  pthread_cond_signal (&bar->wake); /* its second begins now */
  show_step (bar);
}

/* ---- bytes ---- */

/* Is this another disk, or another pass over it? */
static bool
is_new_item (const struct v2v_progress_bar *bar, const struct v2v_progress *p)
{
  char item[sizeof bar->item], stage[sizeof bar->stage];

  snprintf (item, sizeof item, "%s", p->item ? p->item : "");
  snprintf (stage, sizeof stage, "%s", p->stage ? p->stage : "");
  return bar->started <= 0 || strcmp (item, bar->item) != 0 ||
         strcmp (stage, bar->stage) != 0;
}

void
v2v_progress_bar_update (void *arg, const struct v2v_progress *p)
{
  struct v2v_progress_bar *bar = arg;
  double elapsed, rate = -1, left = -1;

  /* In a log a line for each step is welcome, bytes that change are not. */
  if (bar->mode == V2V_PROGRESS_AUTO && p->step && p->item != NULL)
    v2v_log_info ("guest: %s", p->item);
  if (bar->mode == V2V_PROGRESS_NONE || bar->mode == V2V_PROGRESS_AUTO)
    return;
  V2V_LOCK_SCOPE (&bar->lock);
  if (p->step) {
    begin_step (bar, p);
    return;
  }
  end_step (bar);
  if (is_new_item (bar, p)) {
    snprintf (bar->item, sizeof bar->item, "%s", p->item ? p->item : "");
    snprintf (bar->stage, sizeof bar->stage, "%s", p->stage ? p->stage : "");
    bar->started = now ();
    bar->start_done = p->done_bytes;
    bar->finished = false;
  }
  if (bar->finished)
    return;
  elapsed = now () - bar->started;
  if (elapsed > 0.05 && p->done_bytes >= bar->start_done)
    rate = (double) (p->done_bytes - bar->start_done) / elapsed;
  if (rate > 0 && p->total_bytes >= p->done_bytes)
    left = (double) (p->total_bytes - p->done_bytes) / rate;
  bar->finished = p->done_bytes >= p->total_bytes;
  if (bar->mode == V2V_PROGRESS_JSON)
    print_json (bar, p, rate, left);
  else if (bar->finished) {
    /* What comes next, a result or another disk, has its own line. */
    wipe (bar);
    fflush (bar->fp);
  }
  else
    draw (bar, p, rate, left);
}

void
v2v_progress_bar_clear (struct v2v_progress_bar *bar)
{
  if (bar == NULL || bar->mode != V2V_PROGRESS_BAR)
    return;
  V2V_LOCK_SCOPE (&bar->lock);
  wipe (bar);
  fflush (bar->fp);
}

void
v2v_progress_bar_free (struct v2v_progress_bar *bar)
{
  if (bar == NULL)
    return;
  if (bar->has_clock) {
    pthread_mutex_lock (&bar->lock);
    bar->stop = true;
    pthread_cond_signal (&bar->wake);
    pthread_mutex_unlock (&bar->lock);
    pthread_join (bar->clock, NULL);
  }
  v2v_progress_bar_clear (bar);
  pthread_cond_destroy (&bar->wake);
  pthread_mutex_destroy (&bar->lock);
  free (bar);
}
