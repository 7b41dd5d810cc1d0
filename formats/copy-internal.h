/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the copy engine share.
 *
 *   copy.c          v2v_copy: options, destination, result
 *   copy-plan.c     which range comes next; skips what is empty or done
 *   copy-pool.c     threads, the first error, progress, the rate
 *   copy-work.c     one range: read, find zeros, hash, write
 *   copy-stream.c   forward-only sources
 *   copy-offload.c  sharing blocks instead of copying
 *   copy-journal.c  what was safely written, for a resume
 *   copy-verify.c   and whether it is there
 *   digest-image.c, compare.c   the same plan and pool, reading only
 *
 * Lock order: plan->lock, then job->read_lock; journal->quiesce (shared),
 * then job->write_lock.  The two groups are never held together.
 */
#ifndef V2V_COPY_INTERNAL_H
#define V2V_COPY_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "formats/copy.h"

/* What one worker takes, reads, hashes: the digest's own block. */
#define COPY_BLOCK V2V_DIGEST_BLOCK
/* More threads than this only add buffers: 2 MiB each, twice for compare. */
#define COPY_MAX_THREADS 24
/* The default stops here: the output's disk is the limit by then. */
#define COPY_DEFAULT_THREADS 16
/* Runs of zeros are found in multiples of this: the block of nearly every
 * file system, and what qemu-img looks for. */
#define COPY_ZERO_PIECE 4096

/* ---- copy-plan.c ---- */

struct copy_range {
  uint64_t offset;
  uint64_t length;
};

struct copy_ranges {
  struct copy_range *ptr;
  size_t len;
  size_t cap;
};

/* Returns 0 or -1 (out of memory); merges with the last one if it touches. */
int copy_ranges_append (struct copy_ranges *r, uint64_t offset,
                        uint64_t length);
void copy_ranges_sort (struct copy_ranges *r); /* and merge */
void copy_ranges_free (struct copy_ranges *r);

/* A piece of work: whole blocks (but at the end of the disk). */
struct copy_unit {
  uint64_t offset;
  uint64_t length;
  bool has_data;
  struct v2v_extents extents[2]; /* per source, covering the range */
};

struct copy_plan {
  pthread_mutex_t lock; /* all below, but for limit */
  struct v2v_image *src[2];
  unsigned nr_src;
  pthread_mutex_t *read_lock[2]; /* taken for extents; NULL: parallel */
  bool top_only;
  uint64_t size;
  uint64_t unit_bytes;    /* of units with data; a multiple of COPY_BLOCK */
  _Atomic uint64_t limit; /* nothing at or past it is handed out */

  uint64_t pos;
  uint64_t window_end;
  uint64_t window_bytes; /* of the next window */
  struct v2v_extents window[2];
  size_t cursor[2];

  const struct copy_ranges *done; /* sorted; skipped */
  size_t done_cursor;
};

void copy_plan_init (struct copy_plan *p, struct v2v_image *a,
                     struct v2v_image *b, uint64_t size);
void copy_plan_clear (struct copy_plan *p);
/* The next unit in ascending order: 1, 0 at the end, -1 on error. */
int copy_plan_next (struct copy_plan *p, struct copy_unit *u,
                    struct v2v_error **err);
void copy_unit_clear (struct copy_unit *u);
/* LIST (not empty, its ends on sectors of SECTOR bytes or the disk's end) as a
 * destination of larger sectors sees it: a sector with data in it is DATA,
 * everything else ZERO.  Which layer the data comes from is no longer right:
 * for writing only. */
int copy_align (struct v2v_extents *out, const struct v2v_extents *list,
                uint32_t sector, struct v2v_error **err);

/* ---- copy-pool.c ---- */

struct copy_pool {
  const struct v2v_copy_opts *opts;
  const char *stage;
  uint64_t total_bytes;
  unsigned threads;
  _Atomic uint64_t done_bytes;
  _Atomic uint64_t data_bytes;

  atomic_bool stop;
  pthread_mutex_t lock; /* all below */
  pthread_cond_t changed;
  unsigned running;
  struct v2v_error *error;   /* the first */
  struct timespec rate_next; /* when the next bytes may go */
};

typedef int copy_thread_fn (void *arg, unsigned index, struct v2v_error **err);
/* Called by the starting thread about ten times a second. */
typedef int copy_tick_fn (void *arg, struct v2v_error **err);

void copy_pool_init (struct copy_pool *p, const struct v2v_copy_opts *opts,
                     const char *stage, uint64_t total_bytes);
void copy_pool_clear (struct copy_pool *p);
/* Run FN on N threads (index 0 to N-1) and wait for all.  The first error
 * stops the others and is the one returned.  TICK may be NULL. */
int copy_pool_run (struct copy_pool *p, unsigned n, copy_thread_fn *fn,
                   copy_tick_fn *tick, void *arg, struct v2v_error **err);
/* Should a worker go on?  -1 with V2V_ERR_INTERRUPTED when cancelled; 1 when
 * another one failed (it then returns quietly). */
int copy_pool_check (struct copy_pool *p, struct v2v_error **err);
/* Wait until the rate allows BYTES more. */
void copy_pool_throttle (struct copy_pool *p, uint64_t bytes);

/* ---- copy-journal.c ---- */

struct copy_journal;
struct copy_job;

/* A checkpoint comes after so many bytes or so long, but never sooner than
 * the shortest time, as each waits for the disk.  Tests make them shorter. */
struct copy_checkpoints {
  uint64_t bytes;
  int64_t longest_ms;
  int64_t shortest_ms;
};
extern struct copy_checkpoints copy_checkpoints;

/* Start a journal, or with opts->resume read what is there: *RET_DONE then
 * gets the ranges and DIGEST (may be NULL) the digests of their blocks. */
struct copy_journal *copy_journal_open (struct copy_job *job,
                                        struct copy_ranges *ret_done,
                                        struct v2v_error **err);
void copy_journal_close (struct copy_journal *j); /* accepts NULL */
/* Is there anything to go on from, and is the source still what it was? */
bool copy_journal_is_of_use (const struct copy_journal *j);
/* Around the writes of a range and its copy_journal_done. */
void copy_journal_enter (struct copy_journal *j);
void copy_journal_leave (struct copy_journal *j);
/* [offset, offset+length-1] is in the destination.  ZERO: nothing but zeros.
 * Call between enter and leave. */
int copy_journal_done (struct copy_journal *j, uint64_t offset, uint64_t length,
                       bool zero, struct v2v_error **err);
/* Flush the destination and add to the journal what was done until now, if it
 * is time, or in any case with FORCE. */
int copy_journal_checkpoint (struct copy_journal *j, bool force,
                             struct v2v_error **err);
/* The copy has failed: give back the room that was kept for the last
 * checkpoint, which must follow. */
void copy_journal_use_reserve (struct copy_journal *j);

/* ---- copy-offload.c ---- */

struct copy_offload {
  atomic_bool active;
  atomic_uint misses; /* in a row: pieces that could not be shared */
  uint64_t align;     /* of the destination's file system */
};

/* Find out whether blocks can be shared between the two files. */
void copy_offload_init (struct copy_job *job);
/* Share what can be of [offset, offset+length-1], inside one DATA extent of
 * DEPTH.  REST gets extents that cover the range: DATA of DEPTH what could
 * not be shared, ABSENT what was.  *RET_SHARED is added to. */
int copy_offload_range (struct copy_job *job, unsigned depth, uint64_t offset,
                        uint64_t length, struct v2v_extents *rest,
                        uint64_t *ret_shared, struct v2v_error **err);

/* ---- copy-work.c ---- */

struct copy_stats {
  _Atomic uint64_t data;
  _Atomic uint64_t zero;
  _Atomic uint64_t written;
  _Atomic uint64_t shared;
};

struct copy_job {
  struct v2v_image *src;
  struct v2v_image *dst;
  const struct v2v_copy_opts *opts;
  struct copy_plan plan;
  struct copy_pool pool;
  struct copy_stats stats;
  struct copy_offload offload;
  struct copy_journal *journal;   /* or NULL */
  struct v2v_disk_digest *digest; /* or NULL */
  bool may_defer;       /* share without reading, leaving the digest out */
  atomic_bool deferred; /* the digest is not complete */
  bool explicit_zeros;  /* DST may hold, or show, something there already */
  uint32_t align; /* DST has larger sectors than SRC: theirs; 0 = it has not */
  pthread_mutex_t *read_lock;  /* NULL: SRC reads in parallel */
  pthread_mutex_t *write_lock; /* NULL: DST writes in parallel */
  pthread_mutex_t read_mutex;
  pthread_mutex_t write_mutex;
};

struct copy_worker {
  struct copy_job *job;
  uint8_t *buf; /* COPY_BLOCK bytes */
  struct copy_unit unit;
  struct v2v_extents block;   /* extents of one block */
  struct v2v_extents rest;    /* what could not be shared */
  struct v2v_extents aligned; /* of a destination with larger sectors */
  bool only_data;             /* leave alone what is not data */
};

int copy_worker_init (struct copy_worker *w, struct copy_job *job,
                      struct v2v_error **err);
void copy_worker_clear (struct copy_worker *w);
/* Thread function of an ordinary copy; ARG is the job. */
int copy_work (void *arg, unsigned index, struct v2v_error **err);
/* The block at OFFSET is in w->buf where LIST says DATA: hash it if HASH,
 * write what is not zeros. */
int copy_block_out (struct copy_worker *w, uint64_t offset, uint64_t length,
                    const struct v2v_extents *list, bool hash,
                    struct v2v_error **err);
/* Append to OUT what of LIST lies in [offset, offset+length-1]; *CURSOR is
 * where to look first, for calls with ascending ranges. */
int copy_clip (struct v2v_extents *out, const struct v2v_extents *list,
               size_t *cursor, uint64_t offset, uint64_t length,
               struct v2v_error **err);
/* Fill BUF with [offset, offset+length-1] of IMG: DATA extents of LIST are
 * read, the rest is zeros.  LOCK may be NULL. */
int copy_fill (struct v2v_image *img, pthread_mutex_t *lock,
               const struct v2v_extents *list, uint8_t *buf, uint64_t offset,
               uint64_t length, struct v2v_error **err);
bool copy_has_data (const struct v2v_extents *list);

/* ---- copy-verify.c ---- */

/* Take out of DONE, which the journal gave, what the destination does not
 * hold. */
int copy_verify (struct copy_job *job, struct copy_ranges *done,
                 struct v2v_error **err);

/* ---- copy-stream.c ---- */

int copy_stream (struct copy_job *job, struct v2v_error **err);

#endif /* V2V_COPY_INTERNAL_H */
